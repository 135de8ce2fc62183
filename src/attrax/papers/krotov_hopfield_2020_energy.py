"""Energies along runs of networks, and the identity of their rate; shared by theory papers."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..dynamics import Euler
from ..hierarchical import HierarchicalMemory
from ..retrieval import Retrieval
from .judged import side_by_side

States = dict[str, Array]
# What rounding may raise an energy by, in units of its largest term; as in `Certificate`.
ROUNDING = 32 * float(np.finfo(np.float64).eps)


class Descent(NamedTuple):
    """Energies along runs from several starts.

    - `parts`: by name, each of shape (starts, steps + 1).
    - `visible`: states of the visible layer, shape (starts, steps + 1, *layer).
    """

    parts: dict[str, np.ndarray]
    visible: np.ndarray

    @property
    def energy(self) -> np.ndarray:
        """Their sum, shape (starts, steps + 1)."""
        return np.sum([self.parts[name] for name in sorted(self.parts)], axis=0)

    @property
    def rise(self) -> np.ndarray:
        """The largest rise in a step, in units of the largest term; by start."""
        scale = np.max([np.abs(part).max(1) for part in self.parts.values()], axis=0)
        return np.maximum(np.diff(self.energy, axis=1).max(1), 0) / scale


def in_parallel(tasks: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """What the tasks return, by name; each is run in double precision.

    Most of a run is compilation, on one core each; the numbers do not depend on the order.
    """

    def wide(task):
        with jax.enable_x64(True):
            return task()

    return side_by_side({name: partial(wide, task) for name, task in tasks.items()})


def drawing(seed: int) -> np.random.Generator:
    """Draws of states, apart from those of networks."""
    return np.random.default_rng([seed, 1])


def drawn_states(
    network: HierarchicalMemory, count: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Standard normal states of all layers that are not fast, with a leading axis."""
    # By NumPy: each shape that JAX draws is a program of its own.
    return {
        name: rng.standard_normal((count, *network.neurons[name].shape))
        for name in network.names
        if network.neurons[name].tau > 0
    }


def descend(
    network: HierarchicalMemory,
    starts: dict[str, np.ndarray],
    step: float,
    count: int,
    field: Callable[[Any], Any] | None = None,
    every: int = 1,
) -> Descent:
    """Run Euler's method, and record the energy by part.

    **Arguments:**

    - `network`: whose energy is recorded.
    - `starts`: states with a leading axis.
    - `step`: in units of the slowest layer's time constant.
    - `count`: how many steps.
    - `field`: turns the network's model into the one that is run; the same if `None`.
    - `every`: which states of the visible layer are kept.
    """
    dynamics = Euler(step, rtol=0.0, atol=1e-300, max_steps=count)
    parts, visible = _descend(network, starts, dynamics, field, every)
    return Descent({name: np.asarray(part) for name, part in parts.items()}, np.asarray(visible))


@eqx.filter_jit
def _descend(network, starts, dynamics, field, every):
    def one(states):
        model = network.space(states[network.visible].reshape(-1))
        model = model if field is None else field(model)
        path = dynamics.run(model, states, path=True).path
        return jax.lax.map(network.energies, path), path[network.visible][::every]

    return jax.vmap(one)(starts)


def weights_of(network: HierarchicalMemory) -> list[np.ndarray]:
    """The weights of dense synapses, from below."""
    return [np.asarray(jax.tree.leaves(synapse)[0]) for synapse in network.synapses]


def largest_rise(found: Retrieval) -> np.ndarray:
    """The largest rise that a certificate saw, in units of the largest term; by query."""
    if found.certificate is None:
        raise ValueError("`found` has no certificate; pass certify=True to retrieve.")
    return np.asarray(found.certificate.rise / found.certificate.scale)


def velocity(network: HierarchicalMemory, states: States) -> States:
    """ẋ = (pull − x)/τ of every layer that has a state."""
    pulled = network.pull(states)
    return {name: (pulled[name] - x) / network.neurons[name].tau for name, x in states.items()}


class Rates(NamedTuple):
    """At random points: Ė by differentiation, the quadratic form, and the Hessians by layer."""

    slope: np.ndarray
    form: np.ndarray
    hessians: dict[str, np.ndarray]

    @property
    def difference(self) -> float:
        """The largest difference of the two, relative to the form (or to 1, if that is larger)."""
        return float(np.max(np.abs(self.slope - self.form) / np.maximum(np.abs(self.form), 1)))

    @property
    def least(self) -> float:
        """The least eigenvalue of the Hessians, relative to the largest of the same matrix."""
        spectra = [np.linalg.eigvalsh(matrices) for matrices in self.hessians.values()]
        return float(min(np.min(s[:, 0] / np.abs(s).max(1).clip(1e-300)) for s in spectra))


def rates(network: HierarchicalMemory, points: dict[str, np.ndarray]) -> Rates:
    """Ė along the network's own velocity, −Σ τ ẋᵀ(∇²L)ẋ, and ∇²L."""
    slope, form, hessians = _rates(network, points)
    return Rates(
        np.asarray(slope), np.asarray(form), {name: np.asarray(h) for name, h in hessians.items()}
    )


@eqx.filter_jit
def _rates(network, points):
    def one(states):
        moved = velocity(network, states)
        slope = jax.jvp(network.energy, (states,), (moved,))[1]
        forms, hessians = [], {}
        for name, x in states.items():
            layer, size = network.neurons[name], network.neurons[name].size
            hessians[name] = jax.jacfwd(layer.activation)(x).reshape(size, size)
            ahead = moved[name].reshape(-1)
            forms.append(-layer.tau * jnp.vdot(ahead, hessians[name] @ ahead))
        return slope, jnp.sum(jnp.stack(forms)), hessians

    return jax.vmap(one)(points)
