"""Kinds of fixed points and metastable sizes, of weights that are known and of memories."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax import retrieve
from attrax.evaluate import FixedPointKind, classify_fixed_points, metastable_size
from attrax.models import modern_memory

RNG = np.random.default_rng(0)


def test_sizes_are_the_fewest_weights_of_the_mass():
    weights = RNG.dirichlet(np.full(40, 0.2), (5, 7)).astype(np.float32)
    falling = -np.sort(-weights.astype(float), axis=-1)
    for mass in (0.3, 0.9, 0.99):
        expected = 1 + np.sum(np.cumsum(falling, axis=-1) < mass, axis=-1)
        np.testing.assert_array_equal(metastable_size(weights, mass), expected)
    assert metastable_size(weights).shape == (5, 7)


@pytest.mark.parametrize("n", [10, 30, 1000, 60_000])
def test_sizes_of_equal_weights_do_not_hang_on_rounding(n):
    weights = np.full(n, 1 / n, np.float32)
    assert metastable_size(weights) == round(0.9 * n)
    assert metastable_size(np.full(10, 0.1, np.float16), 1.0) == 10
    one = np.eye(n, 1, dtype=np.float32)[:, 0]
    assert metastable_size(one, 1.0) == 1


def test_kinds_are_those_of_the_three_fixed_points():
    weights = np.zeros((4, 8))
    weights[0, 3] = weights[1, :2] = weights[2, 2:6] = weights[3] = 1
    weights /= weights.sum(axis=1, keepdims=True)
    found = classify_fixed_points(weights)
    assert found.size.tolist() == [1, 2, 4, 8]
    kinds = [FixedPointKind.pattern, FixedPointKind.metastable, FixedPointKind.average]
    is_kind = np.stack([found.kind == kind for kind in kinds], axis=1)
    np.testing.assert_array_equal(is_kind, np.eye(3, dtype=bool)[[0, 1, 1, 2]])
    assert found.index.tolist() == [3, 0, 2, 0]
    assert "half" in FixedPointKind[FixedPointKind.average]
    assert (classify_fixed_points(weights, 0.4).size == jnp.array([1, 1, 2, 4])).all()


def test_nan_is_neither_of_them():
    found = jax.jit(classify_fixed_points)(jnp.array([[jnp.nan, 0.5], [1.0, 0.0]]))
    assert found.size.tolist() == [0, 1]
    assert (found.kind == FixedPointKind.undefined).tolist() == [True, False]
    assert (found.kind == FixedPointKind.pattern).tolist() == [False, True]


def test_near_duplicates_share_a_state_until_beta_tells_them_apart():
    middle = RNG.standard_normal(50)
    near = middle + 0.1 * RNG.standard_normal((3, 50))
    rows = np.concatenate([near, RNG.standard_normal((20, 50))]).astype(np.float32)
    rows *= np.sqrt(50) / np.linalg.norm(rows, axis=1, keepdims=True)
    sizes = []
    for beta in (0.05, 1.0, 100.0):
        memory = modern_memory(rows, beta)
        found = retrieve(memory, rows[0])
        sizes.append(int(metastable_size(memory.weights(found.state))))
    assert sizes == [21, 3, 1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metastable_size([0.5, 0.6]), "`weights` must sum to one .* 1.1"),
        (lambda: metastable_size([1.5, -0.5]), "`weights` must not be negative"),
        (lambda: metastable_size([0.5, 0.5], 0.0), "`mass` is a share"),
        (lambda: metastable_size([0.5, 0.5], 1.1), "`mass` is a share"),
        (lambda: classify_fixed_points(np.zeros((3, 0))), "`weights` must be rows of at least one"),
        (lambda: classify_fixed_points(1.0), "`weights` must be rows of at least one"),
        (lambda: classify_fixed_points([np.nan, 1.0]), "`weights`"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
