"""What HAMUX says of synapses and graphs, measured in attrax."""

import itertools
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array

from ..dynamics import Euler, certify
from ..hierarchical import (
    ConvexFunction,
    ConvolutionSynapse,
    DenseSynapse,
    HierarchicalMemory,
    HyperSynapse,
    LayerNorm,
    Neurons,
    Quadratic,
    SeparationLagrangian,
    Sigmoid,
    SphericalNorm,
    Tanh,
)
from ..hierarchical.lagrangians import AbstractLagrangian
from ..separation import GhostSoftmax, Softmax
from .hamux_networks import relu


def readme_weights(key: jax.Array) -> tuple[Array, Array]:
    """Both weights of the README, which draws them from one key: (7, 9) and (8, 9)."""
    first, second = ((n, 9) for n in (7, 8))
    return 0.02 * jax.random.normal(key, first), 0.02 * jax.random.normal(key, second)


def readme_network(key: jax.Array, sign: float = 1.0) -> HierarchicalMemory:
    """The README's network of three layers, with `LinearSynapse` as HAMUX ships it.

    **Arguments:**

    - `key`: of the weights; the README's is 0.
    - `sign`: −1 for the synapse that the README writes by hand, whose energy has a plus sign.
    """
    first, second = readme_weights(key)
    return HierarchicalMemory(
        {
            "input": Neurons(7),
            "labels": Neurons(8, Softmax()),
            "hidden": Neurons(9, Softmax()),
        },
        {
            ("input", "hidden"): DenseSynapse(sign * first.T),
            ("labels", "hidden"): DenseSynapse(sign * second.T),
        },
    )


class Descent(NamedTuple):
    """Runs of a network from drawn starts.

    - `energies` (starts, steps + 1): along each run.
    - `rises`: how many runs are not certified to fall.
    - `rise`: the largest rise of one step.
    """

    energies: np.ndarray
    rises: int
    rise: float


def drawn(network: HierarchicalMemory, key: jax.Array, starts: int) -> dict[str, Array]:
    """Normal states of every layer, with a leading axis."""
    return {
        name: jax.random.normal(one, (starts, *network.neurons[name].shape), network.dtype)
        for name, one in zip(network.names, jax.random.split(key, len(network.names)), strict=True)
    }


def descend(network, states, step: ArrayLike, steps: int) -> Descent:
    """Euler's steps x − α ∂E/∂g from states of all layers, with certificates."""
    return _descent(*_run(network, states, _euler(step, steps)))


def _euler(step, steps: int) -> Euler:
    # A tolerance that no state meets: all steps are taken.
    return Euler(step, rtol=0.0, atol=1e-30, max_steps=steps)


@eqx.filter_jit
def _run(network, states, dynamics):
    def one(states):
        model: Any = network.space(states[network.visible].reshape(-1))
        path = dynamics.run(model, states, path=True).path
        found = certify(model, path)
        return jax.lax.map(model.energy, path), found.certified, found.rise

    return jax.vmap(one)(states)


def _descent(energies, certified, rise) -> Descent:
    return Descent(np.asarray(energies), int(np.sum(~np.asarray(certified))), float(np.max(rise)))


# What the README prints where all states are zero: the energy, and ∂E/∂g of the hidden layer.
PRINTED_ENERGY = -4.275979
PRINTED_SLOPE = (
    *(0.00705259, 0.00320656, -0.02189678, 0.00424237, 0.00248319),
    *(-0.00192548, 0.00498188, 0.00388546, 0.00415148),
)


class Readme(NamedTuple):
    """The README's network in attrax.

    - `energy`, `slope`: at zero states, ∂E/∂g of the hidden layer, by its hand-written synapse.
    - `descent`: 40 steps of α = 0.5 from three random starts.
    - `long`: the same with α = 2.5, which is too long.
    - `concave`: whether a Lagrangian that is not convex is refused.
    """

    energy: float
    slope: np.ndarray
    descent: Descent
    long: Descent
    concave: bool


def readme(key: jax.Array) -> Readme:
    """All that is measured of the README's network, the starts being drawn by `key`."""
    network, states, energy, slope = _started(key)
    descent, long = (descend(network, states, jnp.asarray(step), 40) for step in (0.5, 2.5))
    return Readme(float(energy), np.asarray(slope), descent, long, _refuses_concave())


@eqx.filter_jit
def _started(key):
    network = readme_network(jax.random.key(0))
    by_hand = readme_network(jax.random.key(0), -1.0)
    zeros = {name: jnp.zeros(network.neurons[name].shape) for name in network.names}
    slope = -by_hand.pull(zeros)["hidden"]
    return network, drawn(network, key, 3), by_hand.energy(zeros), slope


def _refuses_concave() -> bool:
    try:
        Neurons(4, ConvexFunction(lambda x: jnp.sum(jnp.cos(x))))
    except ValueError:
        return True
    return False


def energies_by_part(network, start, step: float, steps: int) -> dict[str, np.ndarray]:
    """The energy of each layer and synapse along one run of Euler's steps."""

    @jax.jit
    def parts(states):
        model: Any = network.space(states[network.visible].reshape(-1))
        path = _euler(step, steps).run(model, states, path=True).path
        return jax.lax.map(network.energies, path)

    found = parts(start)
    return {name: np.asarray(found[name]) for name in (*network.names, *network.parts)}


@jax.jit
def convolution_error(key: jax.Array) -> Array:
    """How far a convolution's drives are from a convolution and its transpose, relative."""
    draws = jax.random.split(key, 3)
    kernel = jax.random.normal(draws[0], (3, 3, 3, 5))
    lower = jax.random.normal(draws[1], (8, 8, 3))
    upper = jax.random.normal(draws[2], (4, 4, 5))
    how: dict[str, Any] = {"dimension_numbers": ("NHWC", "HWIO", "NHWC")}
    up = jax.lax.conv_general_dilated(lower[None], kernel, (2, 2), "SAME", **how)[0]
    down = jax.lax.conv_transpose(
        upper[None], kernel, (2, 2), "SAME", transpose_kernel=True, **how
    )[0]
    slopes = jax.grad(ConvolutionSynapse(kernel, stride=2, padding="SAME"), (0, 1))(lower, upper)
    errors = [
        jnp.max(jnp.abs(slope + drive)) / jnp.max(jnp.abs(drive))
        for slope, drive in zip(slopes, (down, up), strict=True)
    ]
    return jnp.maximum(*errors)


def smooth() -> tuple[AbstractLagrangian, ...]:
    """Lagrangians of which a random graph is made."""
    return (
        Quadratic(),
        relu(),
        Tanh(1.5),
        Sigmoid(2.0),
        SeparationLagrangian(Softmax(2.0)),
        LayerNorm(),
        SphericalNorm(1.5, 0.1),
        SeparationLagrangian(GhostSoftmax()),
    )


def random_graph(draw: np.random.Generator, layers: int, width: int = 6) -> HierarchicalMemory:
    """Layers of random Lagrangians, joined in a ring, across, and three at a time."""
    kinds = smooth()
    names = [f"layer {i}" for i in range(layers)]
    neurons = {name: Neurons(width, kinds[draw.integers(len(kinds))]) for name in names}

    def weights(*shape):
        return jnp.asarray(draw.normal(size=shape) / (2 * np.sqrt(width)), jnp.float32)

    pairs = [pair for pair in itertools.combinations(names, 2) if draw.random() < 0.6]
    ring = list(itertools.pairwise(names))
    return HierarchicalMemory(
        neurons,
        {
            **{pair: DenseSynapse(weights(width, width)) for pair in dict.fromkeys(ring + pairs)},
            tuple(names[:3]): HyperSynapse(weights(width, width, width) / width),
        },
    )


def graph_descents(count: int, seed: int, starts: int = 8) -> list[Descent]:
    """Runs of 100 steps of α = 0.05 in random graphs."""
    draw = np.random.default_rng(seed)
    found = []
    for i in range(count):
        network = random_graph(draw, layers=3 + i % 3)
        states = drawn(network, jax.random.fold_in(jax.random.key(seed), i), starts)
        found.append(descend(network, states, 0.05, 100))
    return found
