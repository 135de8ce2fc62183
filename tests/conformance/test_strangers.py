"""A store, a space and dynamics from outside work with all that attrax does.

They are written from the public interface alone, as the pages "A store of your own" and "Dynamics
of your own" show it.
"""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Bool, Float

import attrax
from attrax import Outcome
from attrax.dynamics import (
    AbstractDynamics,
    AbstractStepping,
    Asynchronous,
    Coordinates,
    Euler,
    FixedPoint,
    Flow,
    Iterate,
    Langevin,
    OneRead,
    Run,
)
from attrax.separation import Softmax
from attrax.similarity import Dot
from attrax.spaces import AbstractSpace, Answer, Noisy, PlainNoise, Reading
from attrax.stores import AbstractStore

D = 9
RNG = np.random.default_rng(0)
TARGET = RNG.normal(size=D).astype(np.float32)
QUERIES = RNG.normal(size=(5, D)).astype(np.float32)
KNOWN = np.arange(D) < 4


class Spring(AbstractStore):
    """One pattern; a state is drawn a share of the way to it, in each entry another."""

    target: Float[Array, " d"]
    share: Float[Array, " d"]
    dtype: ClassVar = jnp.dtype(jnp.float32)
    units: ClassVar = "real"
    recurrent: ClassVar = True

    @property
    def width(self):
        return self.target.shape[0]

    def space(self, query, known=None):
        return SpringSpace(self, query, known)


class SpringSpace(AbstractSpace):
    memory: Spring
    query: Float[Array, " d"]
    known: Bool[Array, " d"] | None
    lacks_energy: ClassVar = None

    @property
    def initial(self):
        return self.query if self.known is None else jnp.where(self.known, self.query, 0.0)

    def read(self, state):
        pulled = state + self.memory.share * (self.memory.target - state)
        if self.known is not None:
            pulled = jnp.where(self.known, self.query, pulled)
        return Reading(state, pulled)

    def energy(self, state):
        return 0.5 * jnp.sum(self.memory.share * (state - self.memory.target) ** 2)

    def answer(self, state, reading=None):
        return Answer(state, self.energy(state), None)

    def record(self, path):
        return path


class Warm(Spring):
    """The same in a space that noise can move."""

    def space(self, query, known=None):
        return WarmSpace(self, query, known)


class WarmSpace(Noisy):
    memory: Spring
    query: Float[Array, " d"]
    known: Bool[Array, " d"] | None
    lacks_energy: ClassVar = None
    lacks_noise: ClassVar = None

    @property
    def cold(self):
        return SpringSpace(self.memory, self.query, self.known)

    @property
    def initial(self):
        return self.cold.initial

    def read(self, state):
        return self.cold.read(state)

    def energy(self, state):
        return self.cold.energy(state)

    def answer(self, state, reading=None):
        return self.cold.answer(state, reading)

    def record(self, path):
        return path

    def geometry(self, state, temperature, step):
        return PlainNoise(temperature, step, self.known)


class Lowest(AbstractStepping):
    """Reads as long as the energy falls by more than 10⁻⁵; the memo has it and a reading."""

    max_steps: int = eqx.field(static=True, default=200)
    random: ClassVar = False
    graded: ClassVar = False

    def begin(self, space, state):
        return space.energy(state), space.read(state)

    def step(self, space, state, memo, number, key):
        reading = space.read(state)
        energy = space.energy(reading.value)
        done = energy > memo[0] - 1e-5
        outcome = Outcome.where(done, Outcome.converged, self.limit)
        return reading.value, (energy, reading), outcome


class Twice(AbstractDynamics):
    """Two reads, in a loop of its own."""

    random: ClassVar = False
    graded: ClassVar = False

    def run(self, space, state, *, path=False, key=None):
        first = space.read(state)
        second = space.read(first.value)
        states = jnp.stack([state, first.value, second.value]) if path else None
        steps = jnp.asarray(2, jnp.int32)
        return Run(second.value, second, Outcome.step_limit, steps, states)


STORE = Spring(jnp.asarray(TARGET), jnp.linspace(0.2, 0.7, D))
WARM = Warm(jnp.asarray(TARGET), jnp.linspace(0.2, 0.7, D))
SETTLING = {
    "iterate": Iterate(),
    "damped": Iterate(0.5),
    "euler": Euler(0.5),
    "backtracking": Euler(0.9, backtracking=True),
    "flow": Flow(),
    "fixed point": FixedPoint(),
    "own": Lowest(),
}


@pytest.mark.parametrize("name", SETTLING)
def test_a_store_from_outside_runs_under_all_dynamics_of_states_like_its(name):
    found = attrax.retrieve(STORE, QUERIES, SETTLING[name])
    assert (found.outcome == Outcome.converged).all()
    assert found.memories is None
    np.testing.assert_allclose(found.state, np.tile(TARGET, (5, 1)), atol=0.1)
    np.testing.assert_allclose(found.energy, 0, atol=5e-3)


@pytest.mark.parametrize("name", SETTLING)
def test_its_known_entries_are_kept(name):
    found = attrax.retrieve(STORE, np.where(KNOWN, QUERIES, np.nan), SETTLING[name], known=KNOWN)
    np.testing.assert_array_equal(found.state[:, KNOWN], QUERIES[:, KNOWN])
    np.testing.assert_allclose(found.state[:, ~KNOWN], np.tile(TARGET[~KNOWN], (5, 1)), atol=0.1)


@pytest.mark.parametrize("name", [name for name in SETTLING if name != "fixed point"])
def test_its_path_is_kept_and_its_energy_watched(name):
    found = attrax.retrieve(STORE, QUERIES, SETTLING[name], path=True, certify=True)
    assert found.certificate.certified.all()
    np.testing.assert_array_equal(found.path[:, 0], QUERIES)
    np.testing.assert_allclose(found.path[:, -1], found.state, rtol=1e-6)
    assert (np.diff(found.energies) <= 1e-6).all()

    # A rise is seen: away from the pattern.
    class Away(Twice):
        def run(self, space, state, *, path=False, key=None):
            run = Twice().run(space, state, path=True)
            return run._replace(path=run.path[::-1])

    assert not attrax.retrieve(STORE, QUERIES, Away(), certify=True).certificate.certified.any()


def test_one_read_of_it_is_one_read():
    found = attrax.retrieve(STORE, QUERIES, OneRead(), path=True)
    expected = QUERIES + np.linspace(0.2, 0.7, D) * (TARGET - QUERIES)
    np.testing.assert_allclose(found.state, expected, rtol=1e-5)
    assert found.energy is None
    energies = 0.5 * np.sum(np.linspace(0.2, 0.7, D) * (expected - TARGET) ** 2, axis=1)
    np.testing.assert_allclose(found.energies[:, 1], energies, rtol=1e-5)


def test_it_is_jitted_mapped_and_differentiated():
    def states(store, queries):
        return attrax.retrieve(store, queries, FixedPoint(rtol=1e-6)).state

    np.testing.assert_allclose(jax.jit(states)(STORE, QUERIES), states(STORE, QUERIES), rtol=1e-6)
    mapped = jax.vmap(lambda query: states(STORE, query))(QUERIES)
    np.testing.assert_allclose(mapped, states(STORE, QUERIES), rtol=1e-5)
    # The fixed point is the target, whatever the shares.
    slope = jax.grad(lambda store: jnp.sum(states(store, QUERIES)[:, 0]))(STORE)
    np.testing.assert_allclose(slope.target, 5 * (np.arange(D) == 0), atol=1e-3)
    np.testing.assert_allclose(slope.share, 0, atol=1e-3)

    def last(share):
        store = Spring(STORE.target, share)
        return attrax.retrieve(store, QUERIES[0], Euler(0.5, max_steps=4)).state[0]

    # x − target shrinks by 1 − share/2 in each of four steps.
    off, share = QUERIES[0, 0] - TARGET[0], 0.2
    np.testing.assert_allclose(
        jax.grad(last)(STORE.share)[0], -0.5 * 4 * off * (1 - share / 2) ** 3, rtol=1e-4
    )
    forward = jax.jvp(
        lambda query: attrax.retrieve(STORE, query, Iterate(max_steps=1)).state,
        (jnp.asarray(QUERIES[0]),),
        (jnp.ones(D),),
    )[1]
    np.testing.assert_allclose(forward, 1 - np.linspace(0.2, 0.7, D), rtol=1e-5)


def test_what_it_cannot_do_is_refused_with_a_reason(tmp_path):
    with pytest.raises(TypeError, match=r"attrax\.spaces\.Noisy"):
        attrax.retrieve(STORE, QUERIES, Langevin(0.1, step=0.1, steps=2), key=jax.random.key(0))
    with pytest.raises(TypeError, match="two-state units"):
        attrax.retrieve(STORE, QUERIES, Asynchronous())
    with pytest.raises(TypeError, match="neurons of a HierarchicalMemory"):
        attrax.retrieve(STORE, QUERIES, Coordinates())
    with pytest.raises(ValueError, match="9 entries"):
        attrax.retrieve(STORE, QUERIES[:, :3])
    with pytest.raises(TypeError, match="only parts that are attrax's public classes"):
        attrax.save(tmp_path / "spring.attrax", STORE)
    assert not list(tmp_path.iterdir())


def test_noise_samples_its_energy():
    queries = np.tile(TARGET, (4000, 1))
    dynamics = Langevin(0.5, step=0.3, steps=60)
    found = attrax.retrieve(WARM, queries, dynamics, key=jax.random.key(0), known=KNOWN)
    np.testing.assert_array_equal(found.state[:, KNOWN], queries[:, KNOWN])
    free = np.asarray(found.state)[:, ~KNOWN] - TARGET[~KNOWN]
    # exp(−share x²/2T) has the variance T/share; the standard error is √(2/n) of it.
    variance = 0.5 / np.linspace(0.2, 0.7, D)[~KNOWN]
    np.testing.assert_allclose(free.var(0) / variance, 1, atol=5 * np.sqrt(2 / 4000))


STORES = {
    "memory": attrax.Memory(RNG.normal(size=(6, D))),
    "products": attrax.Memory(RNG.normal(size=(6, D)), similarity=Dot(), separation=Softmax(4.0)),
    "matrix": attrax.MatrixMemory(0.5 * np.eye(D), symmetry="positive"),
    "outside": STORE,
}


@pytest.mark.parametrize("name", STORES)
def test_dynamics_from_outside_run_every_store(name):
    store = STORES[name]
    found = attrax.retrieve(store, QUERIES, Lowest(), path=True, certify=True)
    usual = attrax.retrieve(store, QUERIES, Iterate())
    assert (found.outcome == Outcome.converged).all()
    np.testing.assert_allclose(found.state, usual.state, atol=0.1)
    np.testing.assert_allclose(found.energy, found.energies[:, -1], rtol=1e-5)
    twice = attrax.retrieve(store, QUERIES, Twice())
    same = attrax.retrieve(store, QUERIES, Iterate(max_steps=2, rtol=0.0, atol=1e-30))
    np.testing.assert_allclose(twice.state, same.state, rtol=1e-5, atol=1e-6)
    assert (twice.steps == 2).all()


def test_the_reading_in_a_memo_is_where_the_answer_comes_from():
    rows = RNG.normal(size=(6, D)).astype(np.float32)
    values = np.eye(6, dtype=np.float32)
    memory = attrax.Memory(rows, values, similarity=Dot(), separation=Softmax(0.1))
    found = attrax.retrieve(memory, QUERIES, Twice())
    first = jax.vmap(lambda query: memory.space(query).read(query).value)(QUERIES)
    np.testing.assert_allclose(found.state, jax.vmap(memory)(first), rtol=1e-5)
