"""Every public Lagrangian and synapse survives a file."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax.hierarchical import (
    ConvexFunction,
    DenseSynapse,
    EnergySynapse,
    HierarchicalMemory,
    LayerNorm,
    Neurons,
    SimilaritySynapse,
    SynapseFunction,
    Tanh,
)
from attrax.separation import Entmax, Softmax
from attrax.similarity import KullbackLeibler
from conformance import registry

PARTS = {
    **registry.LAGRANGIANS,
    **{f"{name} synapse": synapse for name, (synapse, _) in registry.SYNAPSES.items()},
}


@pytest.mark.parametrize("name", PARTS)
def test_every_part_survives_a_file(tmp_path, name):
    part = PARTS[name]
    if isinstance(part, ConvexFunction | EnergySynapse | SynapseFunction):
        with pytest.raises(TypeError, match="which a file cannot hold"):
            attrax.save(tmp_path / "part", part)
        assert list(tmp_path.iterdir()) == []
        return
    attrax.save(tmp_path / "part", part)
    loaded = attrax.load(tmp_path / "part")
    assert eqx.tree_equal(part, loaded, typematch=True)


@pytest.mark.contract
def test_a_network_survives_a_file(tmp_path, drawn):
    layers = {
        "visible": Neurons((2, 3), LayerNorm(1.2, jnp.ones(3), axis=-1), input=jnp.ones((2, 3))),
        "a": Neurons(5, Softmax(2.0), 0.0),
        "b": Neurons(5, Tanh(), 0.2, start=jnp.ones(5), clamped=np.arange(5) < 2),
    }
    tied = DenseSynapse(registry.weights(5, 6))
    joints = {("visible", "a"): tied, ("visible", "b"): [tied, DenseSynapse(-tied.weights)]}
    network = HierarchicalMemory(layers, joints).freeze("visible", "visible-b")
    attrax.save(tmp_path / "network", network)
    loaded = attrax.load(tmp_path / "network")
    assert eqx.tree_equal(network, loaded, typematch=True)
    assert loaded.names == ("visible", "a", "b")
    assert loaded.frozen == ("visible", "visible-b")
    assert repr(loaded) == repr(network)
    states = drawn(network)
    del states["a"]
    for found, expected in zip(
        (loaded.energies(states), loaded.pull(states)),
        (network.energies(states), network.pull(states)),
        strict=True,
    ):
        assert found.keys() == expected.keys()
        assert all(jnp.array_equal(found[name], expected[name]) for name in found)


def test_a_memory_of_divergences_survives_a_file(tmp_path, rows):
    layers = {"value": Neurons(6), "memory": Neurons(12, Entmax(2.0, 3.0), 0.3)}
    synapse = SimilaritySynapse(KullbackLeibler(), rows())
    network = HierarchicalMemory(layers, {("value", "memory"): synapse})
    attrax.save(tmp_path / "network", network)
    assert eqx.tree_equal(network, attrax.load(tmp_path / "network"), typematch=True)


def test_a_network_with_a_function_is_not_saved(tmp_path):
    layers = {"a": Neurons(5), "b": Neurons(5)}
    network = HierarchicalMemory(layers, {("a", "b"): lambda g, f: -jnp.sum(g * f)})
    with pytest.raises(TypeError, match=r"HierarchicalMemory\.synapses\[0\]\.fn is a function"):
        attrax.save(tmp_path / "network", network)
    assert list(tmp_path.iterdir()) == []
