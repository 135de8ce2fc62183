from functools import partial

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

from attrax import Memory, Outcome, retrieve
from attrax.dynamics import Euler, FixedPoint, Flow, Iterate, OneRead
from attrax.hierarchical import (
    DenseSynapse,
    HierarchicalMemory,
    Neurons,
    SimilaritySynapse,
)
from attrax.separation import Entmax, Softmax
from attrax.similarity import Cosine, Dot, Euclidean, JensenShannon, KullbackLeibler, Manhattan

FLOW = Flow(10.0, rtol=1e-6, atol=1e-8, max_steps=400)


def two_layers(keys, similarity, separation, tau):
    return HierarchicalMemory(
        {
            "value": Neurons(keys.shape[1]),
            "memory": Neurons(keys.shape[0], separation, tau),
        },
        {("value", "memory"): SimilaritySynapse(similarity, keys)},
    )


def largest_rise(network, queries, dynamics):
    """The largest rise of the energy along runs, and the largest term of the energy."""

    @partial(jax.vmap, in_axes=(0, None))
    def run(query, dynamics):
        model = network.space(query)
        path = dynamics.run(model, model.initial, path=True).path
        terms = jax.vmap(lambda states: jnp.stack(list(network.energies(states).values())))(path)
        return jnp.max(jnp.diff(jnp.sum(terms, 1))), jnp.max(jnp.abs(terms))

    rises, terms = eqx.filter_jit(run)(queries, dynamics)
    assert jnp.all(jnp.isfinite(rises))
    return jnp.max(rises), jnp.max(terms)


@pytest.mark.slow
def test_the_energy_of_a_smooth_network_never_rises(x64, rows):
    # Of other networks, in small steps: tests/conformance/test_law2_networks.py.
    network = two_layers(rows(), KullbackLeibler(), Entmax(1.5, 3.0), 0.0)
    rise, scale = largest_rise(network, rows(1, (4, 6)), FLOW)
    assert rise <= 1e-12 * scale


def test_manhattan_chatters_and_relaxation_does_not(x64, rows):
    # Signs of differences do not vanish where entries agree: a step overshoots by its length.
    network = two_layers(rows(), Manhattan(), Softmax(3.0), 0.0)
    queries = rows(1, (4, 6))
    coarse, fine = (
        largest_rise(network, queries, Euler(step, max_steps=300))[0] for step in (0.02, 0.002)
    )
    assert 1e-6 < fine < coarse / 3
    relax = jax.jit(jax.vmap(lambda value: network.relax({"value": value})["value"]))
    energy = jax.jit(jax.vmap(lambda value: network.energy({"value": value})))
    path = [queries]
    for _ in range(4):
        path.append(relax(path[-1]))
    assert jnp.all(jnp.diff(jnp.stack([energy(value) for value in path]), axis=0) <= 1e-13)


@pytest.mark.slow
def test_the_flow_ends_where_the_memory_does():
    patterns = jax.random.normal(jax.random.key(0), (12, 32))
    patterns /= jnp.linalg.norm(patterns, axis=1, keepdims=True)
    queries = patterns + 0.05 * jax.random.normal(jax.random.key(1), (12, 32))
    memory = Memory(patterns, similarity=Euclidean(), separation=Softmax(30.0))
    expected = retrieve(memory, queries, Iterate(rtol=1e-6))
    # Memory neurons ten times as fast as others: stiff, so by an implicit solver.
    found = retrieve(memory.as_network(tau=0.1), queries, Flow(solver=diffrax.Kvaerno3()))
    assert jnp.all(found.outcome == Outcome.converged)
    assert jnp.allclose(found.state, expected.state, atol=1e-3)
    assert jnp.allclose(found.state, patterns, atol=1e-3)
    assert jnp.allclose(found.memories, expected.memories, atol=1e-3)
    assert jnp.allclose(found.energy, expected.energy, atol=1e-5)


def test_the_default_memory_in_key_space():
    patterns = jax.random.uniform(jax.random.key(0), (12, 24))
    queries = patterns + 0.1 * jax.random.normal(jax.random.key(1), (12, 24))
    memory = Memory(patterns)
    found = retrieve(memory.as_network(), memory.encode(queries), Euler(0.5))
    assert jnp.allclose(found.state, memory.keys, atol=1e-2)
    assert jnp.array_equal(jnp.argmax(found.state @ memory.keys.T, 1), jnp.arange(12))


@pytest.mark.parametrize("dynamics", [Iterate(), FixedPoint()], ids=["iterate", "fixed point"])
def test_iterating_a_fast_network_is_reading_its_memory(rows, dynamics):
    memory = Memory(rows(), similarity=Euclidean(), separation=Softmax(20.0))
    expected = retrieve(memory, rows(1, (4, 6)), dynamics)
    found = retrieve(memory.as_network(), rows(1, (4, 6)), dynamics)
    assert jnp.allclose(found.state, expected.state, atol=1e-5)
    # Where two programs round differently, a distance at the tolerance falls on either side.
    assert jnp.max(jnp.abs(found.steps - expected.steps)) <= 1
    assert jnp.allclose(found.energy, expected.energy, atol=1e-5)


@pytest.mark.contract
def test_one_read_and_iteration_relax_layer_by_layer(rows):
    # Memory neurons with a time constant of their own: all at once would be another iteration.
    memory = Memory(rows(), similarity=Manhattan(), separation=Softmax(3.0), projection="centroid")
    network, queries = memory.as_network(tau=0.3), rows(1, (4, 6))
    one = retrieve(network, queries, OneRead())
    assert jnp.allclose(one.state, jax.vmap(memory)(queries), atol=1e-5)
    iterate = Iterate(rtol=0.0, atol=1e-12, max_steps=4)
    found, expected = (retrieve(m, queries, iterate, path=True) for m in (network, memory))
    assert jnp.allclose(found.path, expected.path, atol=1e-5)
    assert jnp.max(jnp.diff(found.energies, axis=1)) <= 1e-6
    assert jnp.allclose(found.energies[:, 0], expected.energies[:, 0], atol=1e-5)


@pytest.mark.slow
def test_paths_begin_with_the_query_and_fall(rows):
    memory = Memory(rows(), similarity=Euclidean(), separation=Softmax(20.0))
    network, query = memory.as_network(tau=0.2), rows(1, (6,))
    found = retrieve(network, query, Flow(max_steps=60), path=True)
    assert found.path.shape == (61, 6)
    assert jnp.array_equal(found.path[0], query)
    assert jnp.allclose(found.path[-1], found.state, atol=1e-3)
    assert found.energies[-1] < found.energies[0] - 1e-3
    assert jnp.max(jnp.diff(found.energies)) <= 1e-5
    assert jnp.allclose(found.energies[-1], found.energy, atol=1e-6)


@pytest.mark.contract
def test_known_entries_are_held_and_the_rest_is_completed(rows):
    patterns = jnp.sign(jax.random.normal(jax.random.key(0), (6, 32)))
    network = Memory(patterns, similarity=Dot(), separation=Softmax(1.0)).as_network(tau=0.1)
    known = jnp.arange(32) < 16
    queries = jnp.where(known[None], patterns, jnp.nan)
    found = retrieve(network, queries, Euler(0.05), known=known)
    assert jnp.array_equal(found.state[:, :16], patterns[:, :16])
    assert jnp.allclose(found.state, patterns, atol=1e-2)


def test_time_is_in_units_of_the_slowest_layer(x64, rows):
    def ends(scale):
        neurons = {
            "value": Neurons(6, tau=scale),
            "memory": Neurons(12, Softmax(3.0), tau=0.25 * scale),
        }
        synapse = SimilaritySynapse(Euclidean(), rows())
        network = HierarchicalMemory(neurons, {("value", "memory"): synapse})
        model = network.space(rows(1, (6,)))
        return network, model, model.pull(model.initial)

    network, model, pulled = ends(1.0)
    plain, start = network.pull(model.initial), model.initial
    assert jnp.allclose(pulled["value"], plain["value"])
    speed = pulled["memory"] - start["memory"]
    assert jnp.allclose(speed, 4 * (plain["memory"] - start["memory"]))
    assert jnp.allclose(ends(10.0)[2]["memory"], pulled["memory"])


def test_the_first_state_of_hidden_layers_is_their_pull(rows):
    keys, query = rows(), rows(1, (6,))
    model = two_layers(keys, Cosine(), Softmax(3.0), 0.5).space(query)
    assert jnp.array_equal(model.initial["value"], query)
    assert jnp.allclose(model.initial["memory"], Cosine()(keys, query))
    fast = two_layers(keys, Cosine(), Softmax(3.0), 0.0).space(query)
    assert fast.initial.keys() == {"value"}


def test_layers_of_any_shape_take_flat_queries():
    pictures = jax.random.normal(jax.random.key(0), (3, 2, 4))
    synapse = DenseSynapse(pictures.reshape(3, 8))
    memory = Neurons(3, Softmax(2.0), 0.0)
    network, expected = (
        HierarchicalMemory({"value": value, "memory": memory}, {("value", "memory"): synapse})
        for value in (Neurons((2, 4)), Neurons(8))
    )
    queries = pictures.reshape(3, 8) + 0.1
    assert network.width == 8
    found, flattened = (retrieve(each, queries, Iterate()) for each in (network, expected))
    assert found.state.shape == (3, 8)
    assert jnp.allclose(found.state, flattened.state, atol=1e-5)
    assert jnp.allclose(found.energy, flattened.energy, atol=1e-5)


@pytest.mark.slow
def test_a_network_without_exact_update_answers_where_it_rests(rows):
    network = two_layers(rows(), JensenShannon(), Softmax(3000.0), 0.0)
    assert network.lacks_relaxation is not None
    queries = rows() + 0.01 * jax.random.normal(jax.random.key(2), (12, 6))
    found = retrieve(network, queries, Flow(1000.0))

    def shares(states):
        return states / jnp.sum(states, axis=1, keepdims=True)

    # The length of a state plays no part in the divergence, so that the flow leaves it alone.
    lengths = jnp.linalg.norm(queries, axis=1)
    assert jnp.allclose(jnp.linalg.norm(found.state, axis=1), lengths, rtol=1e-2)
    off = jnp.abs(shares(found.state) - shares(rows()))
    assert jnp.max(off) < 0.1 * jnp.max(jnp.abs(shares(queries) - shares(rows())))
