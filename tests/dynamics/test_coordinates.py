import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax import Memory, Outcome, retrieve
from attrax.dynamics import Coordinates, Euler
from attrax.hierarchical import (
    Absolute,
    DenseSynapse,
    HierarchicalMemory,
    LateralSynapse,
    Neurons,
    SimilaritySynapse,
    Tanh,
)
from attrax.separation import Softmax
from attrax.similarity import Cosine, Dot

D = 10
WEIGHTS = jax.random.normal(jax.random.key(0), (D, D))
STARTS = jax.random.normal(jax.random.key(1), (5, D))
BINARY = HierarchicalMemory({"value": Neurons(D, Absolute())}, {"value": LateralSynapse(WEIGHTS)})


def test_one_sweep_is_the_asynchronous_update():
    couplings = np.asarray(WEIGHTS + WEIGHTS.T) / 2
    np.fill_diagonal(couplings, 0)
    found = retrieve(BINARY, STARTS, Coordinates(max_steps=1))
    for start, state in zip(np.asarray(STARTS), found.state, strict=True):
        signs = np.sign(start)
        for i in range(D):
            signs[i] = np.sign(couplings[i] @ signs)
        assert np.array_equal(signs, state)


@pytest.mark.contract
@pytest.mark.parametrize("order", ["cyclic", "random"])
def test_it_ends_where_no_single_flip_lowers_the_energy(order):
    found = retrieve(BINARY, STARTS, Coordinates(order), certify=True, key=jax.random.key(2))
    assert jnp.all(found.outcome == Outcome.converged)
    assert jnp.all(found.certificate.certified)
    flips = 1 - 2 * jnp.eye(D)
    energy = jax.vmap(lambda signs: BINARY.energy({"value": signs}))
    flipped = jax.vmap(lambda state: energy(flips * state[None]))(found.state)
    assert jnp.all(flipped >= found.energy[:, None] - 1e-5)


def test_a_random_order_is_that_of_its_key():
    def states(key):
        return retrieve(BINARY, STARTS, Coordinates("random", max_steps=1), key=key).state

    first = states(jax.random.key(0))
    assert jnp.array_equal(first, states(jax.random.key(0)))
    assert not jnp.array_equal(first, states(jax.random.key(3)))
    with pytest.raises(ValueError, match="pass key="):
        retrieve(BINARY, STARTS, Coordinates("random"))


def test_a_neuron_without_drive_keeps_its_sign():
    idle = HierarchicalMemory(
        {"value": Neurons(D, Absolute())}, {"value": LateralSynapse(jnp.zeros((D, D)))}
    )
    found = retrieve(idle, STARTS, Coordinates())
    assert jnp.array_equal(found.state, jnp.sign(STARTS))


def test_layers_that_mix_their_neurons_are_updated_whole():
    network = HierarchicalMemory(
        {"value": Neurons(D, Tanh()), "memory": Neurons(6, Softmax(3.0))},
        {("value", "memory"): DenseSynapse(WEIGHTS[:6]), "value": LateralSynapse(WEIGHTS)},
    )
    found = retrieve(network, STARTS, Coordinates(rtol=1e-6), certify=True)
    assert jnp.all(found.certificate.certified)
    rest = retrieve(network, found.state, Euler(0.1, max_steps=1))
    weights = np.asarray(WEIGHTS + WEIGHTS.T) / 2 * (1 - np.eye(D))
    for state in np.asarray(found.state):
        scores = 3 * np.asarray(WEIGHTS[:6]) @ state
        memory = np.exp(scores - scores.max())
        drive = weights @ state + np.asarray(WEIGHTS[:6]).T @ (memory / memory.sum())
        assert np.allclose(np.tanh(drive), state, atol=1e-4)
    assert rest.state.shape == found.state.shape


def test_clamped_neurons_stay():
    held = jnp.arange(D) < 4
    found = retrieve(BINARY.clamp("value", where=held), STARTS, Coordinates())
    assert jnp.array_equal(found.state[:, :4], jnp.sign(STARTS[:, :4]))
    assert not jnp.array_equal(found.state[:, 4:], jnp.sign(STARTS[:, 4:]))


def test_where_single_neurons_have_no_exact_update():
    similar = HierarchicalMemory(
        {"value": Neurons(D), "memory": Neurons(6, Softmax())},
        {("value", "memory"): SimilaritySynapse(Cosine(), WEIGHTS[:6])},
    )
    with pytest.raises(ValueError, match=r"'value' have no exact update.*SimilaritySynapse"):
        retrieve(similar, STARTS, Coordinates())
    driven = HierarchicalMemory(
        {"value": Neurons(D, Absolute())}, {"value": LateralSynapse(WEIGHTS, self_term=True)}
    )
    with pytest.raises(ValueError, match="LateralSynapse is not linear"):
        retrieve(driven, STARTS, Coordinates())
    rows = Memory(WEIGHTS, similarity=Dot(), separation=Softmax())
    with pytest.raises(TypeError, match="neurons of a HierarchicalMemory"):
        retrieve(rows, STARTS, Coordinates())
    with pytest.raises(ValueError, match="`order` must be 'cyclic' or 'random'"):
        Coordinates("backwards")
