"""Energies by part along runs of a network, and the rate at which they fall."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from ..common.checks import as_floats, positive, whole_number
from ..common.display import results
from ..hierarchical import HierarchicalMemory
from ..retrieval import Retrieval

States = dict[str, Any]
ROUNDING = 32 * float(np.finfo(np.float64).eps)
"""32 ε of double precision: what rounding may raise an energy by, over its largest term. A
`Certificate` allows as much."""


@results
class Descent(NamedTuple):
    """Energies along runs from several starts.

    - `parts`: the energy of each layer and synapse by name, shape (starts, steps + 1) each.
    - `watched`: what else was asked for, with the same leading axes; `None` if nothing was.
    """

    parts: dict[str, np.ndarray]
    watched: Any

    @property
    def energy(self) -> np.ndarray:
        """The sum of the parts, shape (starts, steps + 1)."""
        return np.sum([self.parts[name] for name in sorted(self.parts)], axis=0)

    @property
    def rise(self) -> np.ndarray:
        """The largest rise in one step over the largest term of the energy, 0 if there is none.

        Its shape is (starts,), and it is NaN where the energy is.
        """
        scale = np.max([np.abs(part).max(axis=1) for part in self.parts.values()], axis=0)
        return np.maximum(np.diff(self.energy, axis=1).max(axis=1), 0) / scale


@results
class EnergyRates(NamedTuple):
    """The rate of the energy at some points, taken in two ways.

    - `slope`: Ė by differentiation along the network's velocity, shape (points,).
    - `form`: −Σ τ ẋᵀ(∇²L)ẋ, shape (points,).
    - `hessians`: ∇²L of each layer, shape (points, neurons, neurons).
    """

    slope: np.ndarray
    form: np.ndarray
    hessians: dict[str, np.ndarray]

    @property
    def difference(self) -> float:
        """The largest difference of the two rates, over the form or 1, whichever is larger."""
        return float(np.max(np.abs(self.slope - self.form) / np.maximum(np.abs(self.form), 1)))

    @property
    def least_eigenvalue(self) -> float:
        """The least eigenvalue of a Hessian, over the largest in size of the same Hessian."""
        spectra = [np.linalg.eigvalsh(matrices) for matrices in self.hessians.values()]
        return float(np.min([np.min(s[:, 0] / np.abs(s).max(1).clip(1e-300)) for s in spectra]))


def draw_states(network: HierarchicalMemory, count: int, seed: int) -> States:
    """Draw standard normal states of all layers that are not fast.

    **Arguments:**

    - `network`: whose states they are.
    - `count`: how many.
    - `seed`: of NumPy's random numbers.

    **Returns:** an array (count, *layer) for each layer with τ > 0.

    **Raises:** `ValueError` for a `count` that is not positive, or a negative `seed`.
    """
    rng = np.random.default_rng(whole_number("seed", seed, least=0))
    shapes = {name: network.neurons[name].shape for name in moving(network)}
    count = whole_number("count", count)
    return {name: rng.standard_normal((count, *shape)) for name, shape in shapes.items()}


def velocity(network: HierarchicalMemory, states: Mapping[str, ArrayLike]) -> States:
    """ẋ = (pull − x)/τ of each layer that is not fast.

    **Arguments:**

    - `network`: any network.
    - `states`: one array a layer, in its shape; fast layers may be left out.

    **Returns:** an array for each layer that is given and not fast.

    **Raises:** `ValueError` for layers that are not there, missing, or of a wrong shape.

    **Source:** [krotov2021large]
    """
    states = {name: as_floats(name, state, finite=False) for name, state in states.items()}
    pulled, neurons = network.pull(states), network.neurons
    return {
        name: (pulled[name] - state) / neurons[name].tau
        for name, state in states.items()
        if neurons[name].tau > 0
    }


def record_energies(
    network: HierarchicalMemory,
    starts: Mapping[str, ArrayLike],
    step: ArrayLike,
    steps: int,
    *,
    field: Callable[[States], States] | None = None,
    watch: Callable[[States], Any] | None = None,
) -> Descent:
    """Follow a network by Euler's method from several starts, and record its energy by part.

    ```python
    starts = draw_states(network, 4, seed=0)
    descent = record_energies(network, starts, 0.01, 2000)
    assert descent.rise.max() < 1e-6  # in single precision
    ```

    Every layer has its own state, unlike in `retrieve`, which starts from a query. Steps have one
    length and are never turned back, so a rise is seen.

    **Arguments:**

    - `network`: whose energy is recorded.
    - `starts`: states of all layers that are not fast, with a leading axis; see `draw_states`.
    - `step`: the length of a step, > 0, in the unit of the network's time constants.
    - `steps`: how many.
    - `field`: states -> ẋ by layer, where something else than the network is to be followed, such
      as the same network with other weights; `velocity` of the network if `None`.
    - `watch`: states -> whatever else is to be recorded at every step.

    **Returns:** a `Descent`.

    **Raises:** `ValueError` or `TypeError` for steps that are not positive, for layers that are
    missing, and for shapes that do not fit.

    **Source:** [krotov2021large]
    """
    length, count = positive("step", step), whole_number("steps", steps)
    parts, watched = _record(
        network, arrays("starts", network, starts), length, count, field, watch
    )
    watched = jax.tree.map(np.asarray, watched)
    return Descent({name: np.asarray(part) for name, part in parts.items()}, watched)


@eqx.filter_jit
def _record(network, starts, step, steps, field, watch):
    follow = eqx.Partial(velocity, network) if field is None else field

    def look(states):
        return network.energies(states), None if watch is None else watch(states)

    def advance(states, _):
        moved = jax.tree.map(lambda x, v: x + step * v, states, follow(states))
        return moved, look(moved)

    def one(start):
        seen = jax.lax.scan(advance, start, length=steps)[1]
        first = look(start)
        return jax.tree.map(lambda x, rest: jnp.concatenate([x[None], rest]), first, seen)

    return jax.vmap(one)(starts)


def energy_rates(network: HierarchicalMemory, points: Mapping[str, ArrayLike]) -> EnergyRates:
    """Differentiate the energy along the network's velocity, and take −Σ τ ẋᵀ(∇²L)ẋ beside it.

    The two agree wherever both directions of every synapse are the slopes of one energy, and the
    form is at most 0 where all Hessians ∇²L are positive semi-definite.

    **Arguments:**

    - `network`: any network with an energy.
    - `points`: states of all layers that are not fast, with a leading axis; see `draw_states`.

    **Returns:** an `EnergyRates`.

    **Raises:** `ValueError` for layers that are missing, and for shapes that do not fit.

    **Source:** [krotov2021large]
    """
    slope, form, hessians = _rates(network, arrays("points", network, points))
    matrices = {name: np.asarray(each) for name, each in hessians.items()}
    return EnergyRates(np.asarray(slope), np.asarray(form), matrices)


@eqx.filter_jit
def _rates(network, points):
    def one(states):
        moved = velocity(network, states)
        slope = jax.jvp(network.energy, (states,), (moved,))[1]
        forms, hessians = [], {}
        for name, x in states.items():
            layer = network.neurons[name]
            hessian = jax.jacfwd(layer.activation)(x).reshape(layer.size, layer.size)
            ahead = moved[name].reshape(-1)
            hessians[name] = hessian
            forms.append(-layer.tau * jnp.vdot(ahead, hessian @ ahead))
        return slope, jnp.sum(jnp.stack(forms)), hessians

    return jax.vmap(one)(points)


def largest_rise(retrieval: Retrieval) -> np.ndarray:
    """The largest rise that a certificate saw in one step, over the largest term of the energy.

    **Arguments:**

    - `retrieval`: what `retrieve(..., certify=True)` gave.

    **Returns:** one number a query, of the shape of their leading axes; 0 where there was none.

    **Raises:** `ValueError` if the retrieval has no certificate.
    """
    if retrieval.certificate is None:
        raise ValueError("`retrieval` has no certificate; pass certify=True to retrieve.")
    return np.asarray(retrieval.certificate.rise / retrieval.certificate.scale)


def arrays(argument: str, network: HierarchicalMemory, states: Mapping[str, ArrayLike]) -> States:
    """States of several runs, one array for each layer that is not fast, in its shape."""
    if set(states) != set(moving(network)):
        raise ValueError(
            f"`{argument}` must have states of the layers {moving(network)}, but has those of "
            f"{list(states)}."
        )
    dtype = network.dtype
    made = {name: as_floats(argument, states[name], dtype=dtype) for name in moving(network)}
    for name, array in made.items():
        shape = network.neurons[name].shape
        if array.shape[1:] != shape or array.ndim != len(shape) + 1 or not len(array):
            raise ValueError(
                f"`{argument}` of {name!r} must have shape {('n', *shape)}, but it is "
                f"{array.shape}."
            )
    if len({len(array) for array in made.values()}) > 1:
        raise ValueError(f"`{argument}` must have as many states of each layer.")
    return made


def moving(network: HierarchicalMemory) -> list[str]:
    """The names of layers that are not fast."""
    return [name for name in network.names if network.neurons[name].tau > 0]
