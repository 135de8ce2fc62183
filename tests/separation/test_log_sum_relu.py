"""The separation of compact support: exact rows, emergent minima, and states out of reach."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax import Memory, Outcome
from attrax.dynamics import Flow, Iterate, OneRead
from attrax.separation import LogSumReLU, Softmax, Threshold
from attrax.similarity import Dot, Euclidean

ROWS = np.array([[0.0, 0.0], [1.0, 0.0], [4.0, 0.3], [0.3, 1.1]])
LEAST = min(np.sum((a - b) ** 2) for i, a in enumerate(ROWS) for b in ROWS[:i])


def memory_of(beta, epsilon=1e-6, **options):
    return Memory(
        ROWS, similarity=Euclidean(), separation=LogSumReLU(beta, epsilon=epsilon), **options
    )


def official(q, beta, eps):
    """The energy of the paper's code, without its term of the state."""
    heights = np.maximum(1 - 0.5 * beta * np.sum((q - ROWS) ** 2, axis=-1), 0)
    return -np.log(np.sum(heights) + eps) / beta


def slopes(memory, states):
    return jax.jit(jax.vmap(jax.grad(memory.state_energy)))(states)


@pytest.mark.usefixtures("x64")
def test_the_energy_is_that_of_the_paper_and_its_slope_leads_to_the_read():
    states = np.random.default_rng(0).normal(size=(200, 2)) + 0.5
    for epsilon in (1e-6, 0.01):
        memory = memory_of(0.9, epsilon)
        expected = [official(q, 0.9, epsilon) for q in states]
        np.testing.assert_allclose(jax.vmap(memory.energy)(states), expected, rtol=1e-12)
    ahead = np.asarray(jax.vmap(memory.pull)(jnp.asarray(states))) - states
    uphill = np.asarray(slopes(memory, states))
    reached = np.asarray(jax.vmap(memory.weights)(states)).sum(axis=1) > 0
    assert 0 < reached.sum() < 200
    across = ahead[:, 0] * uphill[:, 1] - ahead[:, 1] * uphill[:, 0]
    np.testing.assert_allclose(across[reached], 0, atol=1e-12)
    assert (np.sum(ahead * uphill, axis=1)[reached] < 0).all()
    np.testing.assert_array_equal(uphill[~reached], 0)


@pytest.mark.parametrize(("factor", "exact"), [(2.01, True), (1.9, False)])
def test_rows_are_exact_where_no_other_reaches(factor, exact):
    memory = memory_of(factor / LEAST)
    at_rows = np.asarray(slopes(memory, jnp.asarray(memory.keys)))
    assert bool((at_rows == 0).all()) is exact
    assert bool((np.asarray(jax.vmap(memory)(memory.keys)) == memory.keys).all()) is exact
    soft = Memory(ROWS, similarity=Euclidean(), separation=Softmax(factor / LEAST))
    assert np.abs(slopes(soft, jnp.asarray(soft.keys))).min() > 1e-6


def test_centroids_of_rows_that_share_a_state_are_minima_too():
    starts = np.array([[0.5, 0.02], [-0.05, 0.01]])
    found = attrax.retrieve(memory_of(2.01 / LEAST), starts, certify=True)
    np.testing.assert_allclose(found.state, [[0.5, 0], [0, 0]], atol=1e-7)
    assert found.memories.tolist() == [2, 1]
    assert found.outcome.counts() == {"converged": 1, "mixture": 1}
    assert np.all(found.certificate.certified)


@pytest.mark.parametrize("epsilon", [0.0, 1e-6])
@pytest.mark.parametrize("dynamics", [Iterate(), OneRead(), Flow(time=20.0)])
def test_a_state_out_of_reach_stays_and_is_told(epsilon, dynamics):
    memory = memory_of(2.0, epsilon)
    found = attrax.retrieve(memory, np.stack([np.full(2, 9.0), ROWS[2] + 0.1]), dynamics)
    assert found.outcome.counts()["unreached"] == 1
    assert bool(found.outcome[0] == Outcome.unreached)
    np.testing.assert_array_equal(found.state[0], [9, 9])
    np.testing.assert_allclose(found.state[1], ROWS[2], atol=1e-2)
    if not isinstance(dynamics, Flow):
        assert found.memories[0] == 0
    np.testing.assert_array_equal(memory(np.full(2, 9.0)), [0, 0])
    energy = memory.energy(np.full(2, 9.0))
    assert np.isposinf(energy) if epsilon == 0 else np.isclose(energy, -np.log(epsilon) / 2)
    assert not np.isnan(slopes(memory, jnp.full((1, 2), 9.0))).any()


@pytest.mark.parametrize("way", ["blocks", "masked"])
def test_in_blocks_and_with_spare_rows_it_is_the_same(way):
    plain = memory_of(1.5)
    other = memory_of(1.5, block=2) if way == "blocks" else memory_of(1.5, capacity=9)
    states = np.random.default_rng(1).normal(size=(50, 2))
    for name in ("energy", "weights"):
        expected = jax.vmap(getattr(plain, name))(states)
        answer = jax.vmap(getattr(other, name))(states)
        np.testing.assert_allclose(answer if name == "energy" else answer[:, :4], expected, 1e-5)


def test_the_read_is_that_of_a_threshold():
    """So it is the mean shift of a flat kernel, and descends for the same reason."""
    flat = Memory(
        ROWS, similarity=Euclidean(), separation=Threshold(-1 / 1.5), projection="centroid"
    )
    states = np.random.default_rng(1).normal(size=(50, 2))
    np.testing.assert_allclose(jax.vmap(memory_of(1.5))(states), jax.vmap(flat)(states), atol=1e-6)


def test_nan_comes_through():
    part = LogSumReLU(2.0)
    assert np.isnan(part(jnp.array([0.0, jnp.nan]))).all()
    assert np.isnan(part.potential(jnp.array([0.0, jnp.nan])))


def test_energies_with_a_term_of_the_state_are_refused():
    memory = Memory(ROWS, similarity=Dot(), separation=LogSumReLU(1.0))
    with pytest.raises(attrax.NoEnergyError, match=r"not convex.*use a distance"):
        memory.energy(ROWS[0])
    network = memory_of(1.0).as_network()
    assert "not convex" in network.lacks_energy


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: LogSumReLU(0.0), ValueError, "`beta` must be positive"),
        (lambda: LogSumReLU(np.inf), ValueError, "`beta` must be positive and finite"),
        (lambda: LogSumReLU(1.0, epsilon=-1e-3), ValueError, "`epsilon` must be finite and not"),
        (
            lambda: LogSumReLU(1.0, epsilon=np.array([0.1, 0.2])),
            ValueError,
            "`epsilon` must be one number",
        ),
    ],
)
def test_wrong_numbers_are_named(make, error, text):
    with pytest.raises(error, match=text):
        make()
