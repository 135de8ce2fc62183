import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.hierarchical import (
    BiasSynapse,
    DenseSynapse,
    HierarchicalMemory,
    HyperSynapse,
    LateralSynapse,
    Neurons,
)

RNG = np.random.default_rng(0)
W, B = RNG.normal(size=(5, 6)), RNG.normal(size=5)
G, F, H = RNG.normal(size=6), RNG.normal(size=5), RNG.normal(size=4)


def close(found, *expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert np.allclose(one, other, rtol=1e-12, atol=1e-13)


def test_a_dense_synapse_is_bilinear(x64, looked_at):
    energy, drives = looked_at(DenseSynapse(W), G, F)
    assert np.allclose(energy, -F @ W @ G, rtol=1e-12)
    close(drives, W.T @ F, W @ G)


def test_its_bias_drives_the_upper_layer(x64, looked_at):
    energy, drives = looked_at(DenseSynapse(W, B), G, F)
    assert np.allclose(energy, -F @ W @ G - B @ F, rtol=1e-12)
    close(drives, W.T @ F, W @ G + B)


def test_layers_of_several_axes_are_one_long_row(x64, looked_at):
    energy, (down, up) = looked_at(DenseSynapse(W, B), G.reshape(2, 3), F[:, None])
    assert np.allclose(energy, -F @ W @ G - B @ F, rtol=1e-12)
    close((down, up), (W.T @ F).reshape(2, 3), (W @ G + B)[:, None])


@pytest.mark.parametrize("shape", [(6,), (2, 3)])
def test_a_bias_is_a_constant_drive(x64, looked_at, shape):
    bias = RNG.normal(size=shape)
    energy, drives = looked_at(BiasSynapse(bias), G.reshape(shape))
    assert np.allclose(energy, -np.sum(bias * G.reshape(shape)), rtol=1e-12)
    close(drives, bias)


@pytest.mark.parametrize("self_term", [False, True])
def test_a_lateral_synapse_has_a_symmetric_half(x64, looked_at, self_term):
    weights = RNG.normal(size=(6, 6))
    both = (weights + weights.T) / 2
    if not self_term:
        both = both - np.diag(np.diag(weights))
    synapse = LateralSynapse(weights, self_term=self_term)
    assert np.allclose(synapse.symmetric, both, rtol=1e-12)
    energy, drives = looked_at(synapse, G)
    # Each pair once, and half of the square of each neuron.
    pairs = sum(both[i, j] * G[i] * G[j] for i in range(6) for j in range(i))
    assert np.allclose(energy, -pairs - np.diag(both) @ G**2 / 2, rtol=1e-12)
    close(drives, both @ G)


def test_without_the_self_term_the_energy_is_linear_in_each_neuron(x64, looked_at):
    synapse = LateralSynapse(RNG.normal(size=(6, 6)))
    energies = [looked_at(synapse, G + step * np.eye(6)[2])[0] for step in (0.0, 1.0, 2.0)]
    assert np.allclose(np.diff(energies, 2), 0, atol=1e-13)


def test_a_hyper_edge_of_order_three(x64, looked_at):
    weights = RNG.normal(size=(6, 5, 4))
    energy, drives = looked_at(HyperSynapse(weights), G, F, H)
    assert np.allclose(energy, -np.einsum("ijk,i,j,k", weights, G, F, H), rtol=1e-12)
    close(
        drives,
        np.einsum("ijk,j,k->i", weights, F, H),
        np.einsum("ijk,i,k->j", weights, G, H),
        np.einsum("ijk,i,j->k", weights, G, F),
    )


def test_hyper_edges_of_other_orders(x64, looked_at):
    one, two = HyperSynapse(B), HyperSynapse(W.T)
    close(looked_at(one, F)[1], *looked_at(BiasSynapse(B), F)[1])
    assert np.allclose(looked_at(two, G, F)[0], looked_at(DenseSynapse(W), G, F)[0], rtol=1e-12)
    four = RNG.normal(size=(2, 3, 5, 4))
    energy, drives = looked_at(HyperSynapse(four), G[:2], G[:3].reshape(1, 3), F, H)
    assert np.allclose(energy, -np.einsum("ijkl,i,j,k,l", four, G[:2], G[:3], F, H), rtol=1e-12)
    assert [drive.shape for drive in drives] == [(2,), (1, 3), (5,), (4,)]


@pytest.mark.parametrize(
    ("synapse", "count"),
    [(DenseSynapse(W, B), 2), (LateralSynapse(np.eye(5) + 0.1), 1), (HyperSynapse(W), 2)],
    ids=["dense", "lateral", "hyper"],
)
def test_half_precision_sums_in_single(looked_at, synapse, count):
    narrow = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), synapse)
    sizes = {"HyperSynapse": (5, 6)}.get(type(synapse).__name__, (6, 5))[-count:]
    layers = [np.ones(size, np.float32) / 2 for size in sizes]
    energy, drives = looked_at(narrow, *(layer.astype(jnp.bfloat16) for layer in layers))
    wide, expected = looked_at(jax.tree.map(lambda leaf: leaf.astype(jnp.float32), narrow), *layers)
    assert energy.dtype == jnp.float32
    assert np.allclose(energy, wide, rtol=1e-5)
    for drive, other in zip(drives, expected, strict=True):
        assert drive.dtype == jnp.bfloat16
        assert np.allclose(drive.astype(np.float32), other, rtol=0.01)


def test_an_input_and_a_bias_are_the_same_drive():
    states = {"a": jnp.asarray(G, jnp.float32), "b": jnp.asarray(F, jnp.float32)}
    joints = {("a", "b"): DenseSynapse(W)}
    driven = HierarchicalMemory({"a": Neurons(6), "b": Neurons(5, input=B)}, joints)
    biased = HierarchicalMemory({"a": Neurons(6), "b": Neurons(5)}, {**joints, "b": BiasSynapse(B)})
    pulls = [network.pull(states) for network in (driven, biased)]
    for name in ("a", "b"):
        assert np.allclose(pulls[0][name], pulls[1][name], rtol=1e-6)
    assert np.allclose(pulls[0]["b"], W @ G + B, rtol=1e-5)
    assert np.allclose(driven.energy(states), biased.energy(states), rtol=1e-6)
