"""The networks, Lagrangians and synapses of HAMUX 0.2.2 give here what they give there.

`hamux_official.json` holds HAMUX's own examples: weights, starts, energies by part, gradients and
trajectories of x ← x − step · ∂E/∂g, as HAMUX computed them in float32.
"""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.dynamics import Euler
from attrax.hierarchical import (
    BiasSynapse,
    ConvolutionSynapse,
    DenseSynapse,
    HierarchicalMemory,
    HyperSynapse,
    LayerNorm,
    Neurons,
    Quadratic,
    RectifiedExponential,
    SeparationLagrangian,
    Sigmoid,
    SphericalNorm,
    Tanh,
)
from attrax.separation import Exponential, GhostSoftmax, Power, Softmax

OFFICIAL = json.loads((Path(__file__).parent / "hamux_official.json").read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def double(x64):
    """HAMUX's rounding is then the only one."""


def near(found, expected, *terms):
    """To 1e-5 of the largest entry, of one, or of the terms that all but cancel in it."""
    expected = np.asarray(expected, np.float64)
    assert np.shape(found) == expected.shape
    size = max(1.0, *(np.max(np.abs(x)) for x in (expected, *terms)))
    return np.max(np.abs(np.asarray(found) - expected)) <= 1e-5 * size


def lagrangian(name, n=2, beta=1.0, gamma=1.0, delta=0.0, eps=1e-5, **options):
    # There softmax and norms are along the last axis unless told, the ghost over all of them.
    axis = options.get("axis", None if name == "ghostmax" else -1)
    norm = {"axis": axis, "epsilon": eps}
    return {
        "identity": lambda: Quadratic(),
        "repu": lambda: SeparationLagrangian(Power(n - 1, rectified=True)),
        "relu": lambda: SeparationLagrangian(Power(1, rectified=True)),
        "exp": lambda: SeparationLagrangian(Exponential(beta)),
        "rexp": lambda: RectifiedExponential(beta),
        "tanh": lambda: Tanh(beta),
        "sigmoid": lambda: Sigmoid(beta),
        "softmax": lambda: SeparationLagrangian(Softmax(beta), axis=axis),
        "layernorm": lambda: LayerNorm(gamma, delta, **norm),
        "spherical_norm": lambda: SphericalNorm(gamma, delta, **norm),
        "ghostmax": lambda: SeparationLagrangian(GhostSoftmax(1.0), axis=axis),
    }[name]()


def synapse(kind, W=None, b=None, beta=1.0, strides=None, padding=None):
    weights, bias = (None if array is None else jnp.asarray(array) for array in (W, b))
    if kind == "hidden":
        memories = weights / jnp.linalg.norm(weights, axis=0, keepdims=True)
        return lambda g: -jax.nn.logsumexp(beta * g @ memories) / beta
    return {
        "plus": lambda: DenseSynapse(-weights.T),
        "LinearSynapse": lambda: DenseSynapse(weights.T),
        "LinearSynapseWithBias": lambda: DenseSynapse(weights.T, bias),
        "BiasSynapse": lambda: BiasSynapse(bias),
        "three": lambda: HyperSynapse(weights),
        "ConvSynapse": lambda: ConvolutionSynapse(
            weights.transpose(2, 3, 1, 0), stride=tuple(strides), padding=padding
        ),
    }[kind]()


def built(example):
    neurons = {}
    for name, given in example["layers"].items():
        options = {key: value for key, value in given.items() if key not in ("shape", "lagrangian")}
        part = lagrangian(given["lagrangian"], **options)
        neurons[name] = Neurons(tuple(given["shape"]), part)
    parts = {name: synapse(**given) for name, given in example["synapses"].items()}
    joints = {}
    for layers, name in example["connections"]:
        joints.setdefault(tuple(layers), []).append(parts[name])
    return HierarchicalMemory(neurons, joints)


@pytest.mark.parametrize("name", OFFICIAL["networks"])
def test_a_network_has_its_energies_gradients_and_trajectory(name):
    example = OFFICIAL["networks"][name]
    network = built(example)
    states = {layer: jnp.asarray(start) for layer, start in example["starts"].items()}
    dynamics = Euler(example["step"], rtol=0.0, atol=1e-30, max_steps=example["steps"])

    @jax.jit
    @jax.vmap
    def run(states):
        model = network.space(states[network.visible].reshape(-1))
        path = dynamics.run(model, states, path=True).path
        energies = jax.lax.map(network.energy, path)
        pulled = network.pull(states)
        slopes = {layer: states[layer] - pulled[layer] for layer in states}
        return network.activations(states), network.energies(states), slopes, path, energies

    activations, parts, slopes, path, energies = run(states)
    for layer in network.names:
        assert near(activations[layer], example["activations"][layer])
        overlap = np.sum(np.asarray(states[layer] * activations[layer]))
        assert near(parts[layer], example["layer_energies"][layer], overlap)
        assert near(slopes[layer], example["gradient"][layer])
        assert near(path[layer][:, 10], example["after_10"][layer])
        assert near(path[layer][:, -1], example["end"][layer])
    official = {}
    for (layers, _), energy in zip(
        example["connections"], example["connection_energies"], strict=True
    ):
        official.setdefault("-".join(layers if len(layers) > 1 else layers * 2), energy)
    for part in network.parts:
        assert near(parts[part], official[part])
    assert near(energies.T, example["energies"])


def test_the_readmes_network_ends_where_it_says():
    example = OFFICIAL["networks"]["readme"]
    assert np.allclose(np.asarray(example["energies"])[-1], -4.277, atol=1e-3)
    network = built(example)
    zeros = {name: jnp.zeros(network.neurons[name].shape) for name in network.names}
    pulled = network.pull(zeros)
    assert near(network.energy(zeros), example["at_zero"]["energy"])
    for name, slope in example["at_zero"]["gradient"].items():
        assert near(-pulled[name], slope)


@pytest.mark.parametrize("case", OFFICIAL["lagrangians"], ids=lambda c: f"{c['lagrangian']}")
def test_a_lagrangian_has_its_value_and_activation(case):
    x, part = jnp.asarray(case["x"]), lagrangian(case["lagrangian"], **case["kwargs"])

    @jax.jit
    def look(x):
        return *jax.value_and_grad(part.value)(x), part.activation(x)

    value, slope, activation = look(x)
    # Without a sum of its own, HAMUX's softmax of rows has one value each.
    assert near(value, np.sum(case["value"]))
    assert near(activation, case["activation"])
    assert near(slope, case["activation"])


@pytest.mark.parametrize("case", OFFICIAL["synapses"], ids=lambda c: c["kind"])
def test_a_synapse_has_its_energy_and_gradients(case):
    given = {key: case[key] for key in case if key not in ("inputs", "energy", "gradients")}
    inputs = tuple(jnp.asarray(x) for x in case["inputs"])
    part = synapse(**given)
    energy, slopes = jax.jit(jax.value_and_grad(lambda inputs: part(*inputs)))(inputs)
    assert near(energy, case["energy"])
    for slope, expected in zip(slopes, case["gradients"], strict=True):
        assert near(slope, expected)
