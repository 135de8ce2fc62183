"""The pseudo-inverse rule."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax.data import random_patterns
from attrax.dynamics import Iterate
from attrax.learning import Hebb, PseudoInverse, stabilities

SIGNS = random_patterns(8, 24, key=jax.random.key(0))


def formula(patterns):
    """Ξᵀ(ΞΞᵀ)⁻¹Ξ in double precision."""
    rows = np.asarray(patterns, np.float64)
    return rows.T @ np.linalg.solve(rows @ rows.T, rows)


def correlated(n, d, seed=0):
    """Rows that differ from one pattern in a tenth of their entries."""
    one, other = jax.random.split(jax.random.key(seed))
    common = jax.random.rademacher(one, (1, d), float)
    return jnp.where(jax.random.bernoulli(other, 0.1, (n, d)), -common, common)


@pytest.mark.contract
@pytest.mark.parametrize("patterns", [SIGNS, SIGNS[:1], correlated(40, 100)])
def test_it_is_the_formula_and_a_projection(patterns):
    memory = PseudoInverse()(patterns)
    matrix = np.asarray(memory.matrix)
    assert np.allclose(matrix, formula(patterns), atol=2e-6)
    assert np.allclose(matrix @ matrix, matrix, atol=2e-6)
    assert np.trace(matrix) == pytest.approx(len(patterns), rel=1e-5)
    assert np.allclose(patterns @ matrix, patterns, atol=1e-5)
    assert (memory.units, memory.symmetry, float(memory.scale)) == ("signs", "positive", 1.0)


@pytest.mark.parametrize("patterns", [SIGNS, correlated(80, 100)])
def test_writing_is_exact(patterns):
    rule = PseudoInverse()
    memory = rule(patterns[:1])
    for row in patterns[1:]:
        memory = rule.write(memory, row)
    assert np.allclose(memory.matrix, rule(patterns).matrix, atol=2e-5)
    assert np.array_equal(memory.matrix, memory.matrix.T)
    assert np.allclose(patterns @ memory.matrix, patterns, atol=1e-4)


def test_writing_nearly_dependent_patterns_loses_no_digits():
    """Singular values of a ratio of a thousand: rounding is not amplified by it."""
    patterns = np.asarray(correlated(99, 100))
    values = np.linalg.svd(np.asarray(patterns, np.float64), compute_uv=False)
    assert values[0] / values[-1] > 500
    rule = PseudoInverse()
    memory = rule(patterns[:1])
    for row in patterns[1:]:
        memory = rule.write(memory, row)
    assert np.allclose(memory.matrix, formula(patterns), atol=1e-6)


def test_correlated_patterns_are_held_where_hebb_holds_none():
    patterns = correlated(50, 100)
    assert float(stabilities(PseudoInverse()(patterns), patterns).min()) > 0.5
    held = jnp.all(stabilities(Hebb()(patterns), patterns) > 0, axis=1)
    assert not held.any()


def test_damage_is_repaired_at_a_quarter_load():
    patterns = random_patterns(50, 200, key=jax.random.key(1))
    flips = jax.random.bernoulli(jax.random.key(2), 0.1, patterns.shape)
    cues = jnp.where(flips, -patterns, patterns)
    found = attrax.retrieve(PseudoInverse()(patterns), cues, Iterate(max_steps=30)).state
    assert float(jnp.mean(jnp.all(found == patterns, axis=1))) == 1
    hebb = attrax.retrieve(Hebb()(patterns), cues, Iterate(max_steps=30)).state
    assert float(jnp.mean(jnp.all(hebb == patterns, axis=1))) < 0.1


def test_dependent_patterns_are_an_error_that_names_them():
    rows = jnp.concatenate([SIGNS[:5], -SIGNS[1:2], SIGNS[5:], SIGNS[:1]])
    with pytest.raises(ValueError, match=r"rows 5, 9 \(2 of 10\) are combin.*dependent='ignore'"):
        PseudoInverse()(rows)
    with pytest.raises(ValueError, match=r"rows 24, 25, .* \(6 of 30\)"):
        PseudoInverse()(random_patterns(30, 24, key=jax.random.key(3)))


def test_dependence_on_several_rows_is_seen():
    """Here ξ₄ = ξ₁ + ξ₂ − ξ₃, and no two rows are the same up to a sign."""
    rows = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, 1, -1], [1, -1, 1, 1]], float)
    assert np.array_equal(rows[3], rows[0] + rows[1] - rows[2])
    with pytest.raises(ValueError, match=r"rows 3 \(1 of 4\)"):
        PseudoInverse()(rows)


def test_ignored_dependence_leaves_the_span():
    rule = PseudoInverse(dependent="ignore")
    rows = jnp.concatenate([SIGNS, -SIGNS[1:2]])
    assert np.allclose(rule(rows).matrix, formula(SIGNS), atol=2e-6)
    memory = rule(SIGNS)
    assert np.array_equal(rule.write(memory, -SIGNS[3]).matrix, memory.matrix)


def test_writing_a_dependent_pattern():
    with pytest.raises(ValueError, match=r"`pattern` is a linear combination.*dependent='ignore'"):
        PseudoInverse().write(PseudoInverse()(SIGNS), -SIGNS[3])


def test_jit_and_vmap():
    rule = PseudoInverse()
    whole = rule(SIGNS).matrix
    assert np.allclose(jax.jit(lambda p: rule(p).matrix)(SIGNS), whole, atol=1e-6)
    draws = jnp.stack([SIGNS, SIGNS[:, ::-1]])
    assert np.allclose(jax.vmap(lambda p: rule(p).matrix)(draws)[1], whole[::-1, ::-1], atol=1e-5)
    # Nothing can be raised there: dependent rows are left out.
    twice = jnp.concatenate([SIGNS, SIGNS])
    assert np.allclose(jax.jit(lambda p: rule(p).matrix)(twice), whole, atol=1e-5)
    write = jax.jit(lambda m, p: rule.write(m, p).matrix)
    assert np.allclose(write(rule(SIGNS[:7]), SIGNS[7]), whole, atol=1e-5)
    assert np.allclose(write(rule(SIGNS), SIGNS[7]), whole, atol=1e-6)


def test_double_precision():
    with jax.enable_x64(True):
        rows = np.asarray(SIGNS, np.float64)
        memory = PseudoInverse()(rows)
        assert memory.matrix.dtype == jnp.float64
        assert np.allclose(memory.matrix, formula(rows), atol=1e-13)


@pytest.mark.parametrize(
    ("call", "pattern"),
    [
        (lambda: PseudoInverse()(SIGNS / 2), r"`patterns` must hold -1 and 1 only"),
        (lambda: PseudoInverse()(SIGNS[0]), r"`patterns` must have 2 axes"),
        (lambda: PseudoInverse(dependent="drop"), r"`dependent` must be 'error' or 'ignore'"),
        (
            lambda: PseudoInverse().write(Hebb()(SIGNS), SIGNS[0]),
            r"`memory` must be one that PseudoInverse has made, but it is one of Hebb",
        ),
        (
            lambda: PseudoInverse().write(PseudoInverse()(SIGNS), SIGNS[0, 1:]),
            r"`pattern` must have shape \(24,\), but its shape is \(23,\)",
        ),
    ],
)
def test_a_wrong_call_ends_in_a_clear_error(call, pattern):
    with pytest.raises(ValueError, match=pattern):
        call()
