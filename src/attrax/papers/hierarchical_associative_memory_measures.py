"""What the theory of hierarchical associative memory says, measured on small networks."""

from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..dynamics import Euler, Iterate
from ..dynamics.base import Outcome
from ..hierarchical import AbstractSynapse, HierarchicalMemory, Tanh
from ..models import ConvolutionLayer, DenseLayer, effective_energy, layered
from ..retrieval import retrieve
from ..separation import Power, Softmax
from .krotov_hopfield_2020_energy import (
    Descent,
    Rates,
    descend,
    drawing,
    drawn_states,
    largest_rise,
    rates,
    weights_of,
)
from .krotov_hopfield_2020_limit import Limit, limit

SIZES, TAUS, STEP = (10, 14, 8), (1.0, 0.5, 0.2), 1e-3
TOPS = (1.0, 0.1, 0.01, 0.001)
RELU = Power(1, rectified=True)


def chain(seed: int, taus: tuple[float, ...] = TAUS, scale: float = 1.0) -> HierarchicalMemory:
    """Three layers of 10, 14 and 8 neurons: tanh, ReLU, softmax; normal weights."""
    rng = np.random.default_rng([seed, 0])
    first = scale * rng.standard_normal((SIZES[1], SIZES[0]))
    second = scale * rng.standard_normal((SIZES[2], SIZES[1]))
    return layered(
        SIZES[0],
        [
            DenseLayer(SIZES[1], RELU, taus[1], first),
            DenseLayer(SIZES[2], Softmax(), taus[2], second),
        ],
        lagrangian=Tanh(),
        tau=taus[0],
    )


class Chain(NamedTuple):
    """What is measured of three layers."""

    descent: Descent
    rates: Rates


def three_layers(starts: int, points: int, steps: int, seed: int) -> Chain:
    """Descent and rate of the energy."""
    network, rng = chain(seed), drawing(seed)
    begin, every = drawn_states(network, starts, rng), drawn_states(network, points, rng)
    return Chain(descend(network, begin, STEP, steps), rates(network, every))


class OneWay(AbstractSynapse):
    """Weights upwards and others downwards: no energy has both as its slopes.

    - `up`: W, shape (N, d), drives the upper layer.
    - `down`: V, shape (N, d), its transpose drives the lower one.
    """

    up: Float[Array, "n d"]
    down: Float[Array, "n d"]
    linear: ClassVar = False
    drives: ClassVar = "signed"

    def __call__(self, lower, upper):
        """A scalar whose slopes are the two drives; its value means nothing."""
        still = jax.lax.stop_gradient
        return -jnp.vdot(upper, self.up @ still(lower)) - jnp.vdot(still(upper), self.down @ lower)

    def check(self, layers):
        """All sizes fit."""


def _instead(model, other: HierarchicalMemory):
    return other.space(model.query)


def asymmetric(starts: int, steps: int, seed: int) -> Descent:
    """The energy of the symmetric network along runs in which feedback has its own weights."""
    network = chain(seed)
    edges = zip(
        (layers for layers, _ in network.edges),
        weights_of(network),
        weights_of(chain(seed + 1)),
        strict=True,
    )
    joints: dict[Any, OneWay] = {
        layers: OneWay(jnp.asarray(up), jnp.asarray(down)) for layers, up, down in edges
    }
    layers = {name: network.neurons[name] for name in network.names}
    field = eqx.Partial(_instead, other=HierarchicalMemory(layers, joints))
    return descend(network, drawn_states(network, starts, drawing(seed)), STEP, steps, field)


class Convolution(NamedTuple):
    """A convolutional network on 28 × 28 inputs.

    - `feedback`: the largest difference of the top-down drive from a transposed convolution
      written out in NumPy, relative.
    - `descent`: of its energy.
    """

    feedback: float
    descent: Descent


def convolution(starts: int, steps: int, seed: int) -> Convolution:
    """Layers 28 × 28, 12 × 12 × 4 (5 × 5 kernel, stride 2) and 10."""
    rng = np.random.default_rng([seed, 0])
    kernel = rng.standard_normal((5, 5, 1, 4)) / 5
    dense = rng.standard_normal((10, 12 * 12 * 4)) / 24
    network = layered(
        (28, 28, 1),
        [
            ConvolutionLayer(4, (5, 5), RELU, 0.5, stride=2, kernel=kernel),
            DenseLayer(10, Softmax(), 0.2, dense),
        ],
        lagrangian=Tanh(),
    )
    states = drawn_states(network, starts, drawing(seed))
    drive = np.asarray(_pulls(network, states)["visible"])
    above = np.maximum(states["hidden 1"], 0)
    expected = np.zeros_like(drive)
    for row in range(5):
        for column in range(5):
            expected[:, row : row + 24 : 2, column : column + 24 : 2] += (
                above @ kernel[row, column].T
            )
    apart = np.max(np.abs(drive - expected)) / np.max(np.abs(expected))
    return Convolution(float(apart), descend(network, states, 5 * STEP, steps, every=steps))


@eqx.filter_jit
def _pulls(network, states):
    return jax.vmap(network.pull)(states)


def adiabatic(starts: int, seed: int) -> Limit:
    """The distance from the network whose top layer is eliminated."""
    slow, fast = (chain(seed, (*TAUS[:2], top), 0.5) for top in (1.0, 0.0))
    return limit(slow, fast, drawn_states(fast, starts, drawing(seed)), TOPS, 5.0, 5000)


def eliminated(points: int, seed: int) -> float:
    """How far E_eff is from E₁ + E₂ − g₂ᵀξ₂₁g₁ − L₃(ξ₃₂g₂) in NumPy, relative."""
    whole, fast = chain(seed), chain(seed, (*TAUS[:2], 0.0))
    states = drawn_states(fast, points, drawing(seed))

    @eqx.filter_jit
    def both(whole, fast, states):
        ours = jax.vmap(lambda x: effective_energy(whole, x, "hidden 2"))(states)
        return ours, jax.vmap(fast.energy)(states)

    first, second = weights_of(whole)
    x, y = states["visible"], states["hidden 1"]
    g, f = np.tanh(x), np.maximum(y, 0)
    own = (x * g - np.log(np.cosh(x))).sum(-1) + (y * f - 0.5 * f**2).sum(-1)
    expected = own - ((g @ first.T) * f).sum(-1) - np.log(np.exp(f @ second.T).sum(-1))
    return max(
        float(np.max(np.abs(np.asarray(e) - expected) / np.maximum(np.abs(expected), 1)))
        for e in both(whole, fast, states)
    )


class Rest(NamedTuple):
    """Runs until |ẋ| < 10⁻⁶.

    - `converged`: the share that came there.
    - `time`: when, in units of the slowest τ.
    - `distinct`: how many different fixed points there are.
    """

    converged: float
    time: np.ndarray
    distinct: int


def rest(starts: int, seed: int) -> Rest:
    """Run from random starts with Euler's method."""
    network, step = chain(seed), 0.02
    dynamics = Euler(step, rtol=0.0, atol=1e-6, max_steps=50_000)
    queries = drawing(seed).standard_normal((starts, SIZES[0]))
    found = retrieve(network, queries, dynamics)
    ends = np.asarray(found.state)
    apart = np.linalg.norm(ends[:, None] - ends[None], axis=-1)
    # Each end counts if none before it is the same.
    fresh = [bool(np.all(apart[i, :i] > 1e-3)) for i in range(starts)]
    return Rest(
        float(np.mean(np.asarray(found.outcome == Outcome.converged))),
        step * np.asarray(found.steps),
        sum(fresh),
    )


class Together(NamedTuple):
    """Layers that jump to their pulls.

    - `rise`: the largest rise of the energy in units of its largest term, by way and start.
    - `energies`: along the runs, by way; shape (starts, steps + 1).
    """

    rise: dict[str, np.ndarray]
    energies: dict[str, np.ndarray]


def together(starts: int, seed: int) -> Together:
    """All layers at once, and layer by layer."""
    network = chain(seed, (1.0, 1.0, 1.0))
    queries = drawing(seed).standard_normal((starts, SIZES[0]))
    ways: dict[str, Any] = {
        "all at once": Euler(1.0, rtol=0.0, atol=1e-9, max_steps=30),
        "layer by layer": Iterate(rtol=0.0, atol=1e-9, max_steps=30),
    }
    rise, energies = {}, {}
    for name, dynamics in ways.items():
        found = retrieve(network, queries, dynamics, certify=True, path=True)
        rise[name] = largest_rise(found)
        energies[name] = np.asarray(found.energies)
    return Together(rise, energies)
