"""Law 3: a tied memory is a two-layer network, with its energy up to a constant and its step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax import Memory
from attrax.hierarchical import DenseSynapse, SimilaritySynapse
from attrax.separation import (
    Entmax,
    Exponential,
    GhostSoftmax,
    Identity,
    KSubsets,
    Max,
    Normmax,
    Power,
    Softmax,
    Threshold,
    TopK,
)
from attrax.similarity import Cosine, Dot, Euclidean, KullbackLeibler, LinearKernel, Manhattan

pytestmark = pytest.mark.usefixtures("x64")
N, D = 12, 6
SIGNED = [
    Softmax(3.0),
    GhostSoftmax(2.0),
    Exponential(0.2),
    Identity(),
    Power(3, scale=4.0),
    Power(2, rectified=True, scale=4.0),
    Threshold(0.5),
    Max(),
    TopK(3, Softmax(2.0)),
    Entmax(1.5, 2.0),
    Entmax(2.0, 2.0),
    Normmax(2.0, 2.0),
    KSubsets(3, 2.0),
]
SHIFTED = [Softmax(3.0), Max(), TopK(3, Softmax(2.0)), Entmax(1.5, 2.0)]
BILINEAR = [
    *((Dot(), separation, "sum") for separation in SIGNED),
    *((Euclidean(), separation, "sum") for separation in SHIFTED),
    (None, Softmax(20.0), "sum"),
]
CURVED = [
    (Euclidean(), Exponential(0.2), "centroid"),
    (Euclidean("square"), Softmax(3.0), "sum"),
    (Manhattan(), Softmax(3.0), "centroid"),
    (Cosine(), Softmax(3.0), "centroid"),
    (KullbackLeibler(), Entmax(1.5, 3.0), "centroid"),
    (LinearKernel(np.tri(4, D) / 2), Softmax(3.0), "sum"),
]


def draw(similarity, separation, projection):
    """A memory, and states in its key space."""
    rows = jax.random.uniform(jax.random.key(0), (N, D), minval=0.1)
    memory = Memory(rows, similarity=similarity, separation=separation, projection=projection)
    states = jax.random.uniform(jax.random.key(1), (25, D), minval=0.1)
    return memory, memory.encode(states)


def gap(memory, network, states):
    """How far the difference of the two energies is from constant, and the steps from equal."""

    @jax.jit
    @jax.vmap
    def look(v):
        state = {"value": v}
        moved = network.relax(state)["value"], network.pull(state)["value"]
        return memory.state_energy(v), memory.pull(v), network.energy(state), *moved

    energies, reads, own, relaxed, pulled = look(states)
    size = jnp.max(jnp.abs(energies)) + 1
    offset = (own - energies) / size
    return jnp.ptp(offset), jnp.max(jnp.abs(relaxed - reads)), jnp.max(jnp.abs(pulled - reads))


@pytest.mark.parametrize(("similarity", "separation", "projection"), BILINEAR, ids=repr)
def test_bilinear_memories_are_dense_networks(similarity, separation, projection):
    memory, states = draw(similarity, separation, projection)
    network = memory.as_network()
    assert isinstance(network.synapses[0], DenseSynapse)
    energies, relaxed, pulled = gap(memory, network, states)
    assert energies <= 1e-12
    assert relaxed <= 1e-10
    assert pulled <= 1e-10


@pytest.mark.parametrize(("similarity", "separation", "projection"), CURVED, ids=repr)
def test_other_memories_are_networks_with_a_similarity_synapse(similarity, separation, projection):
    memory, states = draw(similarity, separation, projection)
    network = memory.as_network()
    assert isinstance(network.synapses[0], SimilaritySynapse)
    energies, relaxed, _ = gap(memory, network, states)
    assert energies <= 1e-12
    assert relaxed <= 1e-10


def test_the_check_catches_a_network_of_another_memory():
    memory, states = draw(Euclidean(), Softmax(3.0), "sum")
    # Without the input −½|k|² the dense network is that of dot products.
    other = draw(Dot(), Softmax(3.0), "sum")[0].as_network()
    energies, relaxed, pulled = gap(memory, other, states)
    assert energies > 1e-3
    assert relaxed > 1e-3
    assert pulled > 1e-3


def test_a_distance_under_other_separations_is_not_bilinear():
    # exp(−½|k − v|²) is not exp(k·v − ½|k|²): what is added to all scores matters.
    memory, states = draw(Euclidean(), Exponential(0.2), "centroid")
    shifted = draw(Euclidean(), Softmax(3.0), "sum")[0].as_network()
    energies, relaxed, _ = gap(memory, shifted, states)
    assert energies > 1e-3
    assert relaxed > 1e-3


@pytest.mark.contract
def test_the_effective_energy_is_that_of_slow_memory_neurons_at_rest():
    memory, states = draw(Dot(), Softmax(3.0), "sum")
    network = memory.as_network(tau=0.4)
    assert network.neurons["memory"].tau == 0.4
    at_rest = {"value": states[0], "memory": memory.scores(states[0])}
    assert jnp.allclose(network.energy(at_rest), memory.energy(states[0]), atol=1e-12)


@pytest.mark.contract
def test_rows_that_are_not_filled_are_left_out():
    rows = jax.random.normal(jax.random.key(0), (N, D))
    memory = Memory(rows, similarity=Dot(), separation=Softmax(3.0), capacity=20).forget(2)
    network = memory.as_network()
    assert network.neurons["memory"].shape == (N - 1,)
    energies, relaxed, _ = gap(memory, network, rows)
    assert energies <= 1e-12
    assert relaxed <= 1e-10


@pytest.mark.contract
def test_what_has_no_network_says_why():
    rows = jnp.eye(N, D) + 0.1
    hetero = Memory(rows, rows[:, :2], similarity=Dot(), separation=Softmax())
    with pytest.raises(ValueError, match=r"reads values .* Memory\(keys\)\.as_network\(\)"):
        hetero.as_network()
    empty = Memory(rows, similarity=Dot(), separation=Softmax()).forget(jnp.arange(N))
    with pytest.raises(ValueError, match=r"no rows left; write one"):
        empty.as_network()

    @jax.jit
    def traced(filled):
        memory = Memory(rows, similarity=Dot(), separation=Softmax(), filled=filled)
        return memory.as_network().energy({"value": rows[0]})

    with pytest.raises(ValueError, match=r"under jit; call as_network\(\) outside"):
        traced(jnp.ones(N, bool))


def test_separations_without_potential_make_networks_without_energy():
    memory = Memory(
        jnp.eye(N, D),
        similarity=Dot(),
        separation=attrax.separation.SumNormalised(Exponential(2.0)),
    )
    network = memory.as_network()
    assert network.lacks_energy == memory.lacks_energy is not None
    state = jnp.linspace(0.0, 1.0, D)
    assert jnp.allclose(network.relax({"value": state})["value"], memory(state))
