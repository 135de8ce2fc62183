"""Fixed points: their gradient is that of unrolled iteration, at a fraction of its memory."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix
import pytest

import attrax
from attrax import Outcome
from attrax.dynamics import FixedPoint, Iterate
from attrax.separation import Entmax, GhostSoftmax, Softmax
from attrax.similarity import Dot, Euclidean

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(12, 6)).astype(np.float32)
QUERIES = (ROWS + 0.3 * RNG.normal(size=(12, 6))).astype(np.float32)
CASES = {
    "softmax": {"similarity": Dot(), "separation": Softmax(0.5)},
    "sharp": {"similarity": Dot(), "separation": Softmax(3.0)},
    "euclidean": {"similarity": Euclidean(), "separation": Softmax(1.0)},
    "ghost": {"similarity": Dot(), "separation": GhostSoftmax(1.0)},
    "entmax": {"similarity": Euclidean(), "separation": Entmax(1.5, 0.4)},
    "blocks": {"similarity": Dot(), "separation": Softmax(0.5), "block": 4},
    "default": {"separation": Softmax(2.0)},
}


def unrolled(memory, queries, steps):
    """Iteration that is differentiated through: a scan of reads."""

    def one(query):
        def step(state, _):
            return memory.pull(state), None

        start = jax.lax.stop_gradient(memory.encode(query))
        state = jax.lax.scan(step, start, length=steps)[0]
        return memory.read(state).value if memory.values is not None else state

    return jax.vmap(one)(queries)


def gradients(memory, queries, run):
    def loss(memory):
        return jnp.sum(jnp.sin(run(memory, queries)))

    slopes = eqx.filter_jit(eqx.filter_grad(loss))(memory)
    return jax.tree.leaves((slopes.keys, slopes.values, slopes.separation))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, np.float64) for name in CASES]
    + [(name, np.float32) for name in ("softmax", "sharp", "default")],
)
def test_implicit_gradients_are_unrolled_ones(name, dtype):
    with jax.enable_x64(dtype is np.float64):
        memory = attrax.Memory(jnp.asarray(ROWS, dtype), **CASES[name])
        queries = jnp.asarray(QUERIES, dtype)
        small = 1e-5 if dtype is np.float32 else 1e-10
        dynamics = FixedPoint(rtol=small, atol=small, max_steps=2000)

        def implicit(memory, queries):
            return attrax.retrieve(memory, queries, dynamics).state

        ours = gradients(memory, queries, implicit)
        theirs = gradients(memory, queries, lambda memory, q: unrolled(memory, q, 400))
        assert len(ours) == len(theirs)
        for found, expected in zip(ours, theirs, strict=True):
            scale = max(1.0, float(jnp.max(jnp.abs(expected))))
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * scale)


def temporary(function, *inputs):
    """Bytes that a compiled program needs beside its inputs and outputs."""
    analysis = jax.jit(function).lower(*inputs).compile().memory_analysis()
    return analysis.temp_size_in_bytes


@pytest.mark.slow
def test_implicit_gradients_take_a_fraction_of_the_memory():
    rows = jnp.asarray(RNG.normal(size=(256, 64)), jnp.float32)
    queries = rows[:32] + 0.1

    def by(run):
        def loss(rows):
            memory = attrax.Memory(rows, similarity=Dot(), separation=Softmax(0.1))
            return jnp.sum(run(memory, queries))

        return temporary(jax.grad(loss), rows)

    def implicit(steps):
        dynamics = FixedPoint(max_steps=steps)
        return by(lambda memory, queries: attrax.retrieve(memory, queries, dynamics).state)

    few, many = implicit(50), implicit(200)
    through = [by(lambda memory, q, n=n: unrolled(memory, q, n)) for n in (50, 200)]
    # Independent of the number of steps, where unrolling grows with it.
    assert many <= 1.01 * few
    assert through[1] > 3 * through[0]
    assert many < 0.2 * through[1]


@pytest.mark.contract
@pytest.mark.parametrize(
    "solver",
    [
        None,
        optimistix.FixedPointIteration(1e-6, 1e-6),
        optimistix.Newton(1e-6, 1e-6),
        optimistix.Chord(1e-6, 1e-6),
    ],
    ids=["plain", "iteration", "newton", "chord"],
)
def test_any_solver_finds_fixed_points(solver):
    memory = attrax.Memory(ROWS, similarity=Dot(), separation=Softmax(0.3))
    found = attrax.retrieve(memory, jnp.asarray(QUERIES), FixedPoint(solver))
    rests = np.asarray(found.outcome != Outcome.step_limit)
    # A chord may wander off; then the outcome must say so.
    assert rests.mean() > (0.5 if isinstance(solver, optimistix.Chord) else 0.99)
    drawn = jax.vmap(memory.pull)(found.state)
    np.testing.assert_allclose(drawn[rests], found.state[rests], atol=1e-3)


@pytest.mark.contract
def test_the_gradient_through_the_steps_agrees():
    memory = attrax.Memory(ROWS, similarity=Dot(), separation=Softmax(0.5))
    queries = jnp.asarray(QUERIES)
    both = []
    for adjoint in (None, optimistix.RecursiveCheckpointAdjoint()):
        dynamics = FixedPoint(rtol=1e-6, atol=1e-6, adjoint=adjoint)
        both.append(
            gradients(memory, queries, lambda m, q, d=dynamics: attrax.retrieve(m, q, d).state)
        )
    for found, expected in zip(*both, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.contract
def test_fixed_points_are_where_iteration_ends():
    memory = attrax.Memory(ROWS)
    iterated = attrax.retrieve(memory, jnp.asarray(QUERIES), Iterate())
    found = attrax.retrieve(memory, jnp.asarray(QUERIES), FixedPoint())
    np.testing.assert_allclose(found.state, iterated.state, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found.energy, iterated.energy, rtol=1e-3, atol=1e-3)


@pytest.mark.contract
def test_known_entries_are_held_and_their_gradient_is_finite():
    known = np.arange(6) < 3

    def loss(rows):
        memory = attrax.Memory(rows, similarity=Dot(), separation=Softmax(0.5))
        return jnp.sum(
            attrax.retrieve(memory, jnp.asarray(QUERIES), FixedPoint(), known=known).state
        )

    slope = jax.grad(loss)(jnp.asarray(ROWS))
    assert bool(jnp.all(jnp.isfinite(slope)))
    assert bool(jnp.any(slope != 0))


def test_too_few_steps_are_said_to_be_so():
    memory = attrax.Memory(ROWS, similarity=Dot(), separation=Softmax(0.5))
    found = attrax.retrieve(memory, jnp.asarray(QUERIES), FixedPoint(max_steps=1))
    assert bool(jnp.any(found.outcome == Outcome.step_limit))
    assert bool(jnp.all(found.steps <= 1))
