"""The perceptron rule, and stabilities."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax.data import random_patterns
from attrax.learning import Hebb, Perceptron, SparseHebb, stabilities
from attrax.theory import gardner_capacity

SIGNS = random_patterns(10, 15, key=jax.random.key(0))


def formula(patterns, margin, symmetric):
    """The rule by loops over patterns and units."""
    rows = np.asarray(patterns, np.float64)
    d = rows.shape[1]
    weights = np.zeros((d, d))
    for _ in range(1000):
        clean = True
        for row in rows:
            held = [row[i] * (weights[i] @ row) for i in range(d)]
            norms = np.linalg.norm(weights, axis=1)
            wrong = [i for i in range(d) if held[i] <= margin * norms[i]]
            for i in wrong:
                for j in range(d):
                    if i != j:
                        weights[i, j] += row[i] * row[j]
                        if symmetric:
                            weights[j, i] += row[i] * row[j]
            clean = clean and not wrong
        if clean:
            return weights
    raise AssertionError("the reference did not converge")


@pytest.mark.contract
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("margin", [0.0, 0.3])
def test_it_is_the_formula(margin, symmetric):
    rule = Perceptron(margin, symmetric=symmetric)
    memory = rule(SIGNS)
    assert np.array_equal(memory.matrix, formula(SIGNS, margin, symmetric))
    assert memory.symmetry == ("symmetric" if symmetric else "none")
    assert (memory.lacks_energy is None) is symmetric
    assert np.array_equal(memory.matrix, memory.matrix.T) is symmetric
    assert not jnp.diagonal(memory.matrix).any()
    assert float(memory.scale) == pytest.approx(1 / 15)


def test_as_many_patterns_as_units_are_held():
    """Seven times the capacity of Hebb's rule."""
    patterns = random_patterns(100, 100, key=jax.random.key(1))
    memory = Perceptron()(patterns)
    assert float(stabilities(memory, patterns).min()) > 0
    assert np.array_equal(jax.vmap(memory)(patterns), patterns)
    assert np.array_equal(memory.matrix, jnp.round(memory.matrix))
    assert float(jnp.mean(stabilities(Hebb()(patterns), patterns) > 0)) < 0.9


def test_a_load_of_three_halves_is_held_and_one_beyond_the_capacity_is_not():
    assert float(gardner_capacity(0.0)) == pytest.approx(2)
    patterns = random_patterns(250, 100, key=jax.random.key(1))
    assert float(stabilities(Perceptron()(patterns[:150]), patterns[:150]).min()) > 0
    with pytest.raises(ValueError, match=r"not all stable after max_epochs=50: \d+ of 25000 units"):
        Perceptron(max_epochs=50)(patterns)


@pytest.mark.parametrize("symmetric", [False, True])
def test_the_margin_is_kept_and_makes_basins(symmetric):
    patterns = random_patterns(40, 100, key=jax.random.key(2))
    flips = jax.random.bernoulli(jax.random.key(3), 0.1, patterns.shape)
    cues = jnp.where(flips, -patterns, patterns)
    repaired = []
    for margin in (0.0, 0.7):
        memory = Perceptron(margin, symmetric=symmetric)(patterns)
        assert float(stabilities(memory, patterns).min()) > margin * (1 - 1e-5)
        found = attrax.retrieve(memory, cues, attrax.dynamics.Iterate(max_steps=30)).state
        repaired.append(float(jnp.mean(jnp.all(found == patterns, axis=1))))
    assert repaired[1] > 0.8 > 0.5 > repaired[0]


def test_without_convergence_partial_gives_what_there_is():
    patterns = random_patterns(60, 20, key=jax.random.key(1))
    with pytest.raises(ValueError, match=r"at a load of 3\. Raise `max_epochs`, lower `margin`"):
        Perceptron(max_epochs=5)(patterns)
    memory = Perceptron(max_epochs=5, partial=True)(patterns)
    held = stabilities(memory, patterns) > 0
    assert 0.5 < float(jnp.mean(held)) < 1


def test_an_epoch_that_mends_all_is_enough():
    """One pattern is stored at once; that it is stable needs no second epoch."""
    memory = Perceptron(max_epochs=1)(SIGNS[:1])
    assert np.array_equal(memory.matrix + jnp.eye(15), Hebb()(SIGNS[:1]).matrix)


def test_a_lone_unit_has_nothing_that_holds_it():
    with pytest.raises(ValueError, match="1 of 1 units are not"):
        Perceptron(max_epochs=3)(np.ones((1, 1)))
    assert np.array_equal(stabilities(Hebb()(np.ones((1, 1))), np.ones((1, 1))), [[0.0]])


@pytest.mark.parametrize("symmetric", [False, True])
def test_jit_and_vmap(symmetric):
    rule = Perceptron(0.2, symmetric=symmetric)
    whole = rule(SIGNS).matrix
    assert np.array_equal(jax.jit(lambda p: rule(p).matrix)(SIGNS), whole)
    # The first of these needs fewer epochs than the second.
    draws = jnp.stack([SIGNS, jnp.roll(SIGNS, 1, axis=0), SIGNS[:, ::-1]])
    matrices = jax.vmap(lambda p: rule(p).matrix)(draws)
    assert np.array_equal(matrices[0], whole)
    assert np.array_equal(matrices[1], rule(draws[1]).matrix)
    assert np.array_equal(matrices[2], whole[::-1, ::-1])


def test_margins_may_differ_from_draw_to_draw():
    matrices = jax.vmap(lambda margin: Perceptron(margin)(SIGNS).matrix)(jnp.array([0.0, 0.3]))
    assert np.array_equal(matrices[0], Perceptron()(SIGNS).matrix)
    assert np.array_equal(matrices[1], Perceptron(0.3)(SIGNS).matrix)


def test_double_precision():
    with jax.enable_x64(True):
        rows = np.asarray(SIGNS, np.float64)
        memory = Perceptron(0.3)(rows)
        assert memory.matrix.dtype == jnp.float64
        assert np.array_equal(memory.matrix, formula(rows, 0.3, False))


@pytest.mark.parametrize("self_term", [False, True])
def test_stabilities_of_signs(self_term):
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(15, 15)).astype(np.float32)
    threshold = rng.normal(size=15).astype(np.float32)
    memory = attrax.MatrixMemory(
        matrix, threshold=threshold, scale=0.3, units="signs", self_term=self_term, symmetry="none"
    )
    weights = 0.3 * (matrix if self_term else matrix - np.diag(np.diag(matrix)))
    expected = SIGNS * (SIGNS @ weights.T - threshold[None]) / np.linalg.norm(weights, axis=1)[None]
    assert np.allclose(stabilities(memory, SIGNS), expected, atol=1e-5)


def test_stabilities_of_bits_tell_which_are_at_rest():
    bits = (random_patterns(30, 40, key=jax.random.key(4)) > 0.5).astype(float)
    memory = SparseHebb()(bits)
    rests = jax.vmap(memory)(bits) == bits
    assert 0 < float(jnp.mean(rests)) < 1
    assert np.array_equal(stabilities(memory, bits) > 0, rests)


@pytest.mark.parametrize(
    ("call", "pattern"),
    [
        (lambda: Perceptron()(SIGNS / 2), r"`patterns` must hold -1 and 1 only"),
        (lambda: Perceptron()(SIGNS[0]), r"`patterns` must have 2 axes"),
        (lambda: Perceptron(-1.0), r"`margin` must be finite and not negative, but it is -1\.0"),
        (lambda: Perceptron(np.ones(2)), r"`margin` must be one number"),
        (
            lambda: Perceptron(max_epochs=0),
            "`max_epochs` must be a positive whole number",
        ),
        (
            lambda: stabilities(Hebb()(SIGNS), SIGNS[:, 1:]),
            r"`patterns` must have 15 columns, one a unit of the memory.*\(10, 14\)",
        ),
        (lambda: stabilities(Hebb()(SIGNS), SIGNS / 2), r"`patterns` must hold -1 and 1 only"),
        (
            lambda: stabilities(attrax.MatrixMemory(np.eye(15)), SIGNS),
            r"`memory` must have units='signs' or 'bits', but it has units='real'",
        ),
    ],
)
def test_a_wrong_call_ends_in_a_clear_error(call, pattern):
    with pytest.raises(ValueError, match=pattern):
        call()
