"""Unlearning."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax.data import random_patterns
from attrax.dynamics import Asynchronous
from attrax.learning import Hebb, Perceptron, Unlearning

SIGNS = random_patterns(4, 30, key=jax.random.key(0))


def overlap(memory, patterns):
    """The mean overlap of patterns with where they settle."""
    found = attrax.retrieve(memory, patterns, Asynchronous()).state
    return jnp.mean(jnp.abs(jnp.mean(found * patterns, axis=1)))


def test_one_step_takes_away_a_state_at_rest():
    memory = Hebb()(SIGNS)
    after = Unlearning(0.25, steps=1)(memory, key=jax.random.key(1))
    taken = (memory.matrix - after.matrix) / 0.25
    state = np.sign(taken[0])
    assert np.array_equal(taken, np.outer(state, state))
    assert np.array_equal(memory(state), state)
    assert after.symmetry == "symmetric"
    assert (after.units, float(after.scale)) == (memory.units, float(memory.scale))


def test_what_is_taken_goes_by_the_scale_of_the_memory():
    """W −= (ε/d) σσᵀ, also where the matrix is W itself."""
    plain = Hebb()(SIGNS)
    scaled = attrax.MatrixMemory(plain.matrix * plain.scale, units="signs")
    one, other = (
        Unlearning(0.25, steps=3)(memory, key=jax.random.key(1)) for memory in (plain, scaled)
    )
    np.testing.assert_allclose(one.matrix * one.scale, other.matrix, atol=1e-6)


def test_every_step_settles_in_what_the_steps_before_have_left():
    """At a rate of one a state that is taken away is no attractor any more."""
    memory = Hebb()(SIGNS)
    key = jax.random.key(2)
    one, two = (Unlearning(1.0, steps=1)(memory, key=k) for k in jax.random.split(key))
    state = jnp.sign((memory.matrix - two.matrix)[0])
    assert np.array_equal(memory(state), state)
    both = Unlearning(1.0, steps=2)(memory, key=key)
    later = jnp.sign((one.matrix - both.matrix)[0])
    assert np.array_equal(one(later), later)
    assert np.array_equal(one.matrix - both.matrix, jnp.outer(later, later))


def test_it_raises_the_overlap_beyond_the_capacity_of_hebb():
    """A load of 0.2: from 0.88 to 1, with ε · steps half the number of patterns.

    0.881 ± 0.005 is the mean of 200 networks of other draws.
    """

    def networks(key):
        patterns = random_patterns(20, 100, key=key)
        return Hebb()(patterns), patterns

    keys = jax.random.split(jax.random.key(1), 40)
    memories, patterns = jax.vmap(networks)(keys)
    before = np.asarray(jax.jit(jax.vmap(overlap))(memories, patterns))
    error = np.hypot(before.std() / np.sqrt(before.size), 0.005)
    assert before.mean() == pytest.approx(0.881, abs=4 * error)
    assert error < 0.02
    for key in keys[:5]:
        memory, patterns = networks(key)
        memory = Unlearning(0.04, steps=250)(memory, key=jax.random.fold_in(key, 7))
        assert overlap(memory, patterns) > 0.99


def test_nothing_is_left_when_as_much_is_taken_as_was_stored():
    patterns = random_patterns(10, 100, key=jax.random.key(0))
    memory = Hebb()(patterns)
    unlearnt = Unlearning(0.05, steps=240)(memory, key=jax.random.key(1))
    assert overlap(memory, patterns) > 0.99
    assert overlap(unlearnt, patterns) < 0.5


def test_the_same_key_gives_the_same_memory_also_under_jit_and_vmap():
    rule = Unlearning(0.1, steps=5)
    memory, keys = Hebb()(SIGNS), jax.random.split(jax.random.key(3), 3)
    each = [rule(memory, key=key).matrix for key in keys]
    assert np.array_equal(rule(memory, key=keys[0]).matrix, each[0])
    assert not np.array_equal(each[0], each[1])
    jitted = jax.jit(lambda p, key: rule(Hebb()(p), key=key).matrix)
    assert np.allclose(jitted(SIGNS, keys[0]), each[0], atol=1e-5)
    matrices = jax.vmap(lambda key: rule(memory, key=key).matrix)(keys)
    assert np.allclose(matrices, jnp.stack(each), atol=1e-5)


def test_double_precision():
    with jax.enable_x64(True):
        memory = Hebb()(np.asarray(SIGNS, np.float64))
        after = Unlearning(0.1, steps=2)(memory, key=jax.random.key(1))
        assert after.matrix.dtype == jnp.float64


def energyless():
    return Perceptron()(SIGNS)


@pytest.mark.parametrize(
    ("call", "pattern"),
    [
        (lambda: Unlearning(0.0, steps=1), r"`rate` must be positive and finite, but it is 0\.0"),
        (lambda: Unlearning(0.1, steps=0), r"`steps` must be a positive whole number.*it is 0"),
        (
            lambda: Unlearning(0.1, steps=1)(Hebb("bits")((SIGNS + 1) / 2), key=jax.random.key(0)),
            r"`memory` must have units='signs', but it has units='bits'",
        ),
        (
            lambda: Unlearning(0.1, steps=1)(energyless(), key=jax.random.key(0)),
            r"`memory` has no energy to settle in: The matrix is not symmetric",
        ),
    ],
)
def test_a_wrong_call_ends_in_a_clear_error(call, pattern):
    with pytest.raises(ValueError, match=pattern):
        call()
