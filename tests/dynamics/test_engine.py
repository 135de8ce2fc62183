"""The loop around steps: a run by hand, and what ends it."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax import Outcome, dynamics, models
from attrax.separation import Softmax
from attrax.similarity import Dot

RNG = np.random.default_rng(1)
ROWS = RNG.normal(size=(8, 10)).astype(np.float32)
SIGNS = np.where(RNG.normal(size=(3, 17)) > 0, 1.0, -1.0).astype(np.float32)
MEMORY = attrax.Memory(ROWS, similarity=Dot(), separation=Softmax(0.5))
NETWORK = models.binary_dense_memory(SIGNS)
KEY = jax.random.key(7)

CASES = {
    "one read": (MEMORY, ROWS[0], dynamics.OneRead()),
    "iterate": (MEMORY, ROWS[1] + 1, dynamics.Iterate(0.7)),
    "euler": (MEMORY, ROWS[1] + 1, dynamics.Euler(0.3)),
    "backtracking": (MEMORY, ROWS[1] + 1, dynamics.Euler(0.9, backtracking=True)),
    "langevin": (MEMORY, ROWS[2], dynamics.Langevin(0.1, step=0.2, steps=6)),
    "coordinates": (NETWORK, -SIGNS[0], dynamics.Coordinates("random")),
    "asynchronous": (models.hopfield_network(SIGNS), SIGNS[0] * SIGNS[1], dynamics.Asynchronous()),
    "dense": (models.dense_memory(SIGNS), SIGNS[0] * SIGNS[1], dynamics.Asynchronous("cyclic")),
    "glauber": (models.hopfield_network(SIGNS), SIGNS[0], dynamics.Glauber(0.5, sweeps=4)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_run_by_hand_is_the_run(name):
    memory, query, how = CASES[name]
    space = memory.space(jnp.asarray(query))
    key = KEY if how.random else None
    run = eqx.filter_jit(how.run)(space, space.initial, path=True, key=key)
    short = eqx.filter_jit(how.run)(space, space.initial, key=key)
    state, memo = space.initial, how.begin(space, space.initial)
    step = eqx.filter_jit(how.step)
    steps = 0
    for number in range(how.max_steps):
        drawn = jax.random.fold_in(KEY, number) if how.random else None
        state, memo, outcome = step(space, state, memo, jnp.asarray(number, jnp.int32), drawn)
        rests = bool(outcome == Outcome.converged)
        steps += how.counts_rest or not rests
        for a, b in zip(jax.tree.leaves(state), jax.tree.leaves(run.path), strict=True):
            np.testing.assert_allclose(a, b[number + 1], rtol=1e-4, atol=1e-5)
        if not bool(outcome == how.limit):
            break
    assert bool(run.outcome == outcome)
    assert bool(short.outcome == outcome)
    assert int(run.steps) == int(short.steps) == steps
    for a, b in zip(jax.tree.leaves(run.state), jax.tree.leaves(short.state), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    assert (run.reading is None) == (name not in ("one read", "iterate"))


class Count(dynamics.AbstractStepping):
    """Adds one in every step, until a number is reached."""

    until: float
    loop: str = eqx.field(static=True)
    max_steps: int = eqx.field(static=True, default=5)
    random: ClassVar = False
    graded: ClassVar = False

    def begin(self, space, state):
        return {"seen": jnp.zeros((), jnp.int32)}

    def step(self, space, state, memo, number, key):
        done = state[0] + 1 >= self.until
        held = self.loop == "together"
        new = jnp.where(held & (state[0] >= self.until), state, state + 1)
        outcome = Outcome.where(done, Outcome.converged, self.limit)
        return new, {"seen": memo["seen"] + 1}, outcome


@pytest.mark.parametrize("loop", ["until", "bounded", "together"])
@pytest.mark.parametrize("path", [False, True])
def test_each_query_ends_when_it_should_and_counts_its_own_steps(loop, path):
    memory = attrax.MatrixMemory(np.eye(2))
    starts = np.array([[3.0, 0.0], [0.0, 0.0], [-9.0, 0.0]])
    found = attrax.retrieve(memory, starts, Count(until=4.0, loop=loop), path=path)
    assert found.steps.tolist() == [1, 4, 5]
    np.testing.assert_array_equal(found.state[:, 0], [4, 4, -4])
    assert (found.outcome == Outcome.converged).tolist() == [True, True, False]
    assert bool((found.outcome == Outcome.step_limit)[2])
    if path:
        np.testing.assert_array_equal(found.path[0, :, 0], [3, 4, 4, 4, 4, 4])


def test_a_fixed_loop_takes_all_steps():
    memory = attrax.MatrixMemory(np.eye(2))
    found = attrax.retrieve(memory, np.zeros((2, 2)), Count(until=1.0, loop="fixed"))
    assert found.steps.tolist() == [5, 5]
    np.testing.assert_array_equal(found.state, np.full((2, 2), 5.0))


@pytest.mark.parametrize("loop", ["until", "bounded"])
def test_a_state_that_is_not_finite_ends_the_run(loop):
    memory = attrax.MatrixMemory(np.eye(2))
    largest = float(np.finfo(np.float32).max)

    found = attrax.retrieve(
        attrax.MatrixMemory(1e30 * np.eye(2)), np.ones((1, 2)), dynamics.Iterate(max_steps=9)
    )
    assert (found.outcome == Outcome.diverged).all()
    assert int(found.steps[0]) == 2
    found = attrax.retrieve(memory, np.full((1, 2), largest), Grow(loop))
    assert (found.outcome == Outcome.diverged).all()
    assert int(found.steps[0]) == 1


class Grow(dynamics.AbstractStepping):
    """Doubles the state."""

    loop: str = eqx.field(static=True)
    max_steps: int = eqx.field(static=True, default=5)
    random: ClassVar = False
    graded: ClassVar = False

    def begin(self, space, state):
        return None

    def step(self, space, state, memo, number, key):
        return 2 * state, None, self.limit


def test_reverse_mode_passes_through_bounded_loops_only():
    memory = attrax.MatrixMemory(np.eye(2))

    def end(query, loop):
        return attrax.retrieve(memory, query, Grow(loop)).state[0]

    for loop in ("bounded", "fixed"):
        assert jax.grad(end)(jnp.ones(2), loop)[0] == 32
    with pytest.raises(Exception, match="FixedPoint"):
        jax.grad(end)(jnp.ones(2), "until")
    assert jax.jvp(lambda x: end(x, "until"), (jnp.ones(2),), (jnp.ones(2),))[1] == 32


def test_random_dynamics_want_a_key():
    space = MEMORY.space(jnp.asarray(ROWS[0]))
    with pytest.raises(ValueError, match="Langevin draws random numbers"):
        dynamics.Langevin(0.1, step=0.2, steps=6).run(space, space.initial)


@pytest.mark.parametrize(
    ("how", "steps"),
    [(dynamics.Iterate(), 1), (dynamics.Euler(0.5), 0), (dynamics.Asynchronous(), 1)],
    ids=["iterate", "euler", "asynchronous"],
)
def test_a_start_at_rest_takes_the_read_that_shows_it_or_no_step_of_a_flow(how, steps):
    """A read or a sweep is made before it is known that nothing moves; of a flow it is seen."""
    units = "signs" if isinstance(how, dynamics.Asynchronous) else "real"
    found = attrax.retrieve(attrax.MatrixMemory(np.eye(2), units=units), np.ones((3, 2)), how)
    assert found.steps.tolist() == [steps] * 3
    assert bool(np.all(found.outcome == Outcome.converged))
