"""The single read, and iteration with its damping, against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

import attrax
from attrax import Outcome
from attrax.dynamics import Flow, Iterate, OneRead
from attrax.separation import Softmax
from attrax.similarity import Dot, Euclidean

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(12, 6)).astype(np.float32)
QUERIES = jnp.asarray(ROWS + 0.3 * RNG.normal(size=(12, 6)), jnp.float32)
MEMORY = attrax.Memory(ROWS, similarity=Dot(), separation=Softmax(3.0))


def pull(state):
    return scipy.special.softmax(3.0 * ROWS @ state) @ ROWS


@pytest.mark.parametrize("values", [None, RNG.normal(size=(12, 3))], ids=["tied", "values"])
@pytest.mark.parametrize("similarity", [None, Dot(), Euclidean()], ids=str)
def test_one_read_is_the_memory_itself(similarity, values):
    memory = attrax.Memory(ROWS, values, similarity=similarity, separation=Softmax(3.0))
    found = attrax.retrieve(memory, QUERIES, OneRead(), path=values is None)
    np.testing.assert_allclose(found.state, jax.vmap(memory)(QUERIES), rtol=1e-4, atol=1e-5)
    assert bool(jnp.all(found.outcome == Outcome.one_read))
    assert found.steps.tolist() == [1] * 12
    if values is None:
        np.testing.assert_array_equal(found.path[:, 0], QUERIES)
        np.testing.assert_allclose(found.path[:, 1], found.state, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("damping", [1.0, 0.7, 0.2])
def test_damping_is_the_share_of_the_new_state(damping):
    found = attrax.retrieve(MEMORY, QUERIES[0], Iterate(damping, max_steps=6, rtol=1e-9), path=True)
    state, expected = np.asarray(QUERIES[0], np.float64), []
    for _ in range(7):
        expected.append(state)
        state = (1 - damping) * state + damping * pull(state)
    count = int(found.steps) + 1
    np.testing.assert_allclose(found.path[:count], expected[:count], rtol=1e-3, atol=1e-4)


def test_steps_are_counted_until_the_state_rests():
    found = attrax.retrieve(MEMORY, QUERIES, Iterate(rtol=1e-3, atol=0.0))
    for query, steps, end in zip(QUERIES, found.steps, found.state, strict=True):
        state, count = np.asarray(query, np.float64), 0
        while True:
            following = pull(state)
            moved = np.linalg.norm(following - state)
            rests = moved <= 1e-3 * np.linalg.norm(state)
            state, count = following, count + 1
            if rests:
                break
        assert abs(count - int(steps)) <= 1
        np.testing.assert_allclose(end, state, rtol=5e-3, atol=5e-3)


def test_what_rests_stays():
    found = attrax.retrieve(MEMORY, QUERIES)
    again = attrax.retrieve(MEMORY, found.state)
    np.testing.assert_allclose(again.state, found.state, rtol=1e-3, atol=1e-3)
    assert int(jnp.max(again.steps)) <= 2


def test_damping_is_a_parameter_like_others():
    """An array, so that another value compiles nothing new, and differentiable forwards."""

    @jax.jit
    def end(damping):
        return attrax.retrieve(MEMORY, QUERIES[0], Iterate(damping, max_steps=2)).state

    slope = jax.jvp(end, (jnp.asarray(0.5),), (jnp.asarray(1.0),))[1]
    assert bool(jnp.any(slope != 0))


@pytest.mark.contract
@pytest.mark.parametrize("path", [False, True])
def test_the_flow_ends_where_iteration_does(path):
    iterated = attrax.retrieve(MEMORY, QUERIES, Iterate(rtol=1e-6, atol=1e-6))
    flown = attrax.retrieve(MEMORY, QUERIES, Flow(rtol=1e-5, atol=1e-5, max_steps=200), path=path)
    assert bool(jnp.all(flown.outcome != Outcome.diverged))
    close = jnp.max(jnp.abs(flown.state - iterated.state), axis=-1) < 1e-2
    # Near the border of two basins the two may part.
    assert float(jnp.mean(close)) >= 0.9
    if path:
        assert flown.path.shape == (12, 201, 6)
        np.testing.assert_array_equal(flown.path[:, 0], QUERIES)
        np.testing.assert_allclose(flown.path[:, -1], flown.state, rtol=1e-5)
        room = 1e-4 * (1 + np.abs(flown.energies).max())
        assert float(jnp.max(jnp.diff(flown.energies, axis=-1))) <= room


@pytest.mark.contract
def test_a_flow_that_is_stopped_early_says_so():
    short = attrax.retrieve(MEMORY, 5 * QUERIES[0], Flow(0.1))
    assert bool(short.outcome == Outcome.step_limit)
    few = attrax.retrieve(MEMORY, 5 * QUERIES[0], Flow(max_steps=1))
    assert bool(few.outcome == Outcome.step_limit)
