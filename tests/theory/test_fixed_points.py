"""Separations, Jacobians and the β of one fixed point, against sums over pairs and reads."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax import retrieve, theory
from attrax.dynamics import Iterate
from attrax.models import modern_memory

RNG = np.random.default_rng(0)
ROWS = RNG.standard_normal((30, 6)).astype(np.float32)


def test_separations_are_those_of_all_pairs():
    gram = ROWS.astype(float) @ ROWS.T
    expected = np.diag(gram) - np.max(np.where(np.eye(30, dtype=bool), -np.inf, gram), axis=1)
    np.testing.assert_allclose(theory.modern_separation(ROWS), expected, atol=2e-6)
    assert expected.min() < 0 < expected.max()
    many = np.repeat(ROWS, 20, axis=0)
    np.testing.assert_allclose(
        theory.modern_separation(many)[::20], np.minimum(expected, 0), atol=2e-6
    )
    half = theory.modern_separation(ROWS.astype(jnp.bfloat16))
    assert half.dtype == jnp.float32
    np.testing.assert_allclose(half, expected, atol=0.1)


def test_a_shared_part_costs_separations_no_figures():
    # x·(x − y) with x, y = 1000 + small: the shift adds 1000 Σ(x − y), and squares of 6e6.
    rows = 1000 + np.round(ROWS, 1).astype(np.float32)
    wide = rows.astype(float)
    gram = wide @ wide.T
    expected = np.diag(gram) - np.max(np.where(np.eye(30, dtype=bool), -np.inf, gram), axis=1)
    np.testing.assert_allclose(theory.modern_separation(rows), expected, atol=2e-3)


def test_below_the_global_beta_every_state_ends_at_one_fixed_point():
    far = np.max(np.sum((ROWS[:, None].astype(float) - ROWS) ** 2, axis=2))
    beta = theory.modern_global_beta(ROWS)
    assert beta == pytest.approx(4 / far, rel=1e-5)
    found = retrieve(modern_memory(ROWS, beta), 100 * ROWS, Iterate(rtol=1e-6, max_steps=1000))
    assert np.ptp(np.asarray(found.state), axis=0).max() < 1e-4
    points = np.concatenate([ROWS, 3 * ROWS])
    norms = jax.vmap(theory.modern_jacobian_norm, (None, 0, None))(ROWS, points, beta)
    assert 0 < norms.max() < 1
    # Of two patterns the bound is sharp.
    pair = np.array([[1.0, 0.0], [-1.0, 0.0]])
    assert theory.modern_global_beta(pair) == 1
    assert theory.modern_jacobian_norm(pair, [0.0, 0.0], 1.01) > 1
    assert theory.modern_global_beta(np.ones((3, 2))) == np.inf
    assert theory.modern_global_beta(1e-12 * pair) == pytest.approx(1e24, rel=1e-5)
    shifted = theory.modern_global_beta(np.round(ROWS, 1) + 1000)
    assert shifted == pytest.approx(float(theory.modern_global_beta(np.round(ROWS, 1))), rel=1e-3)


@pytest.mark.parametrize("n", [4, 30])
def test_the_norm_is_that_of_the_jacobian_of_a_read(n):
    memory = modern_memory(ROWS[:n], 0.7)
    jacobian = jax.jacfwd(memory.pull)(jnp.asarray(ROWS[5]))
    expected = np.linalg.norm(np.asarray(jacobian, float), 2)
    assert theory.modern_jacobian_norm(ROWS[:n], ROWS[5], 0.7) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("kind", [np.int16, np.uint8, object, ">f8", np.float16, list])
def test_numbers_of_every_kind_answer_as_doubles_do(kind):
    whole = np.random.default_rng(1).integers(0, 20, (6, 5))
    rows = whole.tolist() if kind is list else whole.astype(kind)
    for call in (
        theory.modern_separation,
        theory.modern_global_beta,
        lambda x: theory.modern_jacobian_norm(x, x[2], 0.01),
        lambda x: theory.modern_well_separated(x, 1.0),
    ):
        np.testing.assert_allclose(call(rows), call(whole.astype(float)), rtol=1e-5)
    with pytest.raises(ValueError, match="mask"):
        theory.modern_separation(np.ma.masked_less(whole, 10))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: theory.modern_separation(ROWS[0]), "`patterns` must have 2 axes"),
        (lambda: theory.modern_separation(np.zeros((0, 3))), "`patterns` are empty"),
        (lambda: theory.modern_separation(np.full((2, 3), np.nan)), "`patterns`.*NaN"),
        (lambda: theory.modern_well_separated(ROWS, 0.0), "`beta` must be positive"),
        (lambda: theory.modern_global_beta(np.zeros((3, 0))), "`patterns` are empty"),
        (lambda: theory.modern_jacobian_norm(ROWS, ROWS, 1.0), "`state` must have 1 axis"),
        (lambda: theory.modern_jacobian_norm(ROWS, ROWS[0, :3], 1.0), r"`state` must .* \(6,\)"),
        (lambda: theory.modern_jacobian_norm(ROWS, ROWS[0], -1.0), "`beta` must be positive"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
