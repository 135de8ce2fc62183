"""Storkey's rule."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax.data import random_patterns
from attrax.dynamics import Iterate
from attrax.learning import Hebb, Storkey, stabilities

SIGNS = random_patterns(6, 11, key=jax.random.key(0))


def formula(patterns):
    """The rule by loops over i, j and k."""
    rows = np.asarray(patterns, np.float64)
    d = rows.shape[1]
    weights = np.zeros((d, d))
    for row in rows:
        fields = np.zeros((d, d))
        for i in range(d):
            for j in range(d):
                for k in range(d):
                    if k not in (i, j):
                        fields[i, j] += weights[i, k] * row[k]
        change = np.zeros((d, d))
        for i in range(d):
            for j in range(d):
                change[i, j] = row[i] * row[j] - row[i] * fields[j, i] - fields[i, j] * row[j]
        weights = weights + change / d
    return weights


@pytest.mark.parametrize("count", [1, 2, 6])
def test_it_is_the_formula(count):
    memory = Storkey()(SIGNS[:count])
    assert np.allclose(memory.scale * memory.matrix, formula(SIGNS[:count]), atol=1e-6)
    assert (memory.units, memory.symmetry) == ("signs", "symmetric")
    assert float(memory.scale) == pytest.approx(1 / 11)


def test_fields_leave_out_both_ends():
    """Hebb's rule and one that leaves out neither differ from it, so the case above can fail."""
    rows = np.asarray(SIGNS, np.float64)
    weights = np.zeros((11, 11))
    for row in rows:
        fields = weights @ row
        change = np.outer(row, row) - np.outer(row, fields) - np.outer(fields, row)
        weights = weights + change / 11
    assert np.abs(weights - formula(SIGNS)).max() > 0.1
    assert np.abs(Hebb()(SIGNS).matrix / 11 - formula(SIGNS)).max() > 0.1


def test_writing_is_what_the_batch_does():
    rule = Storkey()
    memory = rule(SIGNS[:1])
    for row in SIGNS[1:]:
        memory = rule.write(memory, row)
    batch = rule(SIGNS)
    assert np.allclose(memory.matrix, batch.matrix, atol=1e-6)
    assert (memory.symmetry, float(memory.scale)) == ("symmetric", float(batch.scale))
    # The order of patterns matters.
    assert float(jnp.abs(rule(SIGNS[::-1]).matrix - batch.matrix).max()) > 0.1


def test_rounding_keeps_the_matrix_symmetric():
    matrix = Storkey()(random_patterns(40, 100, key=jax.random.key(1))).matrix
    assert np.array_equal(matrix, matrix.T)
    assert not np.array_equal(matrix, jnp.round(matrix))


def test_the_first_pattern_is_stored_as_by_hebb():
    assert np.array_equal(Storkey()(SIGNS[:1]).matrix, Hebb()(SIGNS[:1]).matrix)


def test_it_repairs_at_a_load_where_hebb_repairs_nothing():
    patterns = random_patterns(50, 200, key=jax.random.key(1))
    flips = jax.random.bernoulli(jax.random.key(2), 0.1, patterns.shape)
    cues = jnp.where(flips, -patterns, patterns)
    found = attrax.retrieve(Storkey()(patterns), cues, Iterate(max_steps=30)).state
    assert float(jnp.mean(jnp.all(found == patterns, axis=1))) > 0.9
    hebb = attrax.retrieve(Hebb()(patterns), cues, Iterate(max_steps=30)).state
    assert float(jnp.mean(jnp.all(hebb == patterns, axis=1))) < 0.1


def test_every_pattern_is_stable_at_its_absolute_capacity():
    """d/√(2 ln d) of 200 units is 61."""
    patterns = random_patterns(61, 200, key=jax.random.key(3))
    assert float(stabilities(Storkey()(patterns), patterns).min()) > 0
    assert float(stabilities(Hebb()(patterns), patterns).min()) < 0


def test_jit_and_vmap():
    rule = Storkey()
    whole = rule(SIGNS).matrix
    assert np.allclose(jax.jit(lambda p: rule(p).matrix)(SIGNS), whole, atol=1e-6)
    draws = jnp.stack([SIGNS, SIGNS[:, ::-1]])
    assert np.allclose(jax.vmap(lambda p: rule(p).matrix)(draws)[1], whole[::-1, ::-1], atol=1e-5)
    write = jax.jit(lambda m, p: rule.write(m, p).matrix)
    assert np.allclose(write(rule(SIGNS[:5]), SIGNS[5]), whole, atol=1e-6)


def test_double_precision():
    with jax.enable_x64(True):
        memory = Storkey()(np.asarray(SIGNS, np.float64))
        assert memory.matrix.dtype == jnp.float64
        assert np.allclose(memory.scale * memory.matrix, formula(SIGNS), atol=1e-14)


@pytest.mark.parametrize(
    ("call", "pattern"),
    [
        (lambda: Storkey()(SIGNS / 2), r"`patterns` must hold -1 and 1 only"),
        (lambda: Storkey()((SIGNS + 1) / 2), r"`patterns` must hold -1 and 1 only.*makes signs"),
        (lambda: Storkey()(SIGNS[0]), r"`patterns` must have 2 axes"),
        (lambda: Storkey()(SIGNS[:, :0]), r"`patterns` must have at least one row and one col"),
        (
            lambda: Storkey().write(Hebb("bits")((SIGNS + 1) / 2), SIGNS[0]),
            r"`memory` must have units='signs'",
        ),
        (
            lambda: Storkey().write(attrax.MatrixMemory(np.eye(11)), SIGNS[0]),
            r"`memory` must have units='signs', but it has units='real'",
        ),
        (
            lambda: Storkey().write(attrax.MatrixMemory(np.eye(11), units="signs"), SIGNS[0]),
            "must be one that Storkey has made, but it is one of Hebb: start from Storkey",
        ),
        (
            lambda: Storkey().write(Storkey()(SIGNS), SIGNS),
            r"`pattern` must have 1 axis, but its shape is \(6, 11\)",
        ),
    ],
)
def test_a_wrong_call_ends_in_a_clear_error(call, pattern):
    with pytest.raises(ValueError, match=pattern):
        call()
