"""How fast a network approaches its effective theory as some of its layers become fast."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from ..common.checks import as_doubles, positive, whole_number
from ..common.display import results
from ..hierarchical import HierarchicalMemory
from .descents import arrays, moving, velocity


@results
class AdiabaticLimit(NamedTuple):
    """How far a network is from the one whose fast layers follow the others at once.

    - `tau`: the time constants of the fast layers, shape (taus,).
    - `distance`: the largest distance of the visible states along a run, shape (starts, taus).
    """

    tau: np.ndarray
    distance: np.ndarray

    @property
    def exponents(self) -> np.ndarray:
        """Those of the distance as a power of τ, between neighbours; shape (starts, taus − 1)."""
        return np.diff(np.log(self.distance), axis=1) / np.diff(np.log(self.tau))


def adiabatic_limit(
    network: HierarchicalMemory,
    reduced: HierarchicalMemory,
    starts: Mapping[str, ArrayLike],
    taus: Sequence[float] | np.ndarray,
    *,
    time: ArrayLike,
    steps: int,
) -> AdiabaticLimit:
    """Measure how a network approaches its effective theory as some of its layers become fast.

    Both networks are followed by the method of Runge and Kutta, of fourth order, from the same
    states; layers that are fast in `reduced` start at their pulls. The distance is of first order
    in τ.

    **Arguments:**

    - `network`: the whole network.
    - `reduced`: the same, with τ = 0 in the layers that become fast.
    - `starts`: states of the other layers, with a leading axis; see `draw_states`.
    - `taus`: time constants > 0 of the layers that become fast, in place of their own.
    - `time`: when a run ends, > 0, in the unit of the time constants.
    - `steps`: in how many steps; each shorter than about twice the least of `taus`.

    **Returns:** an `AdiabaticLimit`.

    **Raises:** `ValueError` where no layer of `reduced` is fast, for time constants that are not
    positive, for a time or steps that are not, and for starts that do not fit.

    **Source:** [krotov2021large]
    """
    tau = as_doubles("taus", taus)
    if tau.ndim != 1 or not tau.size or not np.all(tau > 0):
        raise ValueError(f"`taus` must be time constants above 0, but they are {taus!r}.")
    if not set(moving(network)) - set(moving(reduced)):
        raise ValueError("`reduced` must have a layer with τ = 0 that `network` has with τ > 0.")
    steps = whole_number("steps", steps)
    step = positive("time", time) / steps
    begin = arrays("starts", reduced, starts)
    distance = _distances(network, reduced, begin, jnp.asarray(tau), step, steps)
    return AdiabaticLimit(tau, np.asarray(distance))


@eqx.filter_jit
def _distances(network, reduced, starts, taus, step, steps):
    fast = set(moving(network)) - set(moving(reduced))

    def one(states):
        limit = _follow(reduced, states, {}, step, steps)
        pulled = reduced.pull(states)
        whole = {**states, **{name: pulled[name] for name in fast}}

        def apart(tau):
            # Traced, so that one compiled program serves all time constants.
            quicker = {name: network.neurons[name].tau / tau for name in fast}
            path = _follow(network, whole, quicker, step, steps)
            return jnp.max(jnp.linalg.norm((path - limit).reshape(steps, -1), axis=1))

        return jax.vmap(apart)(taus)

    return jax.vmap(one)(starts)


def _follow(network, start, quicker, step, steps):
    """The visible layer's states by Runge and Kutta's method, (steps, *layer).

    `quicker` has factors by which velocities of some layers are multiplied.
    """
    # The stages in a loop: one field to compile instead of four.
    reaches = step * jnp.asarray([0.0, 0.5, 0.5, 1.0])
    weights = step * jnp.asarray([1.0, 2.0, 2.0, 1.0]) / 6

    def advance(states, _):
        def stage(carry, shares):
            (total, slope), (reach, weight) = carry, shares
            ahead = jax.tree.map(lambda x, v: x + reach * v, states, slope)
            slope = {n: v * quicker.get(n, 1.0) for n, v in velocity(network, ahead).items()}
            return (jax.tree.map(lambda t, v: t + weight * v, total, slope), slope), None

        none = jax.tree.map(jnp.zeros_like, states)
        moved = jax.lax.scan(stage, (states, none), (reaches, weights))[0][0]
        return moved, moved[network.visible]

    return jax.lax.scan(advance, start, length=steps)[1]
