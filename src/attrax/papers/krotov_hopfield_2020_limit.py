"""How fast a network approaches its effective theory as its last layer becomes fast."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..hierarchical import HierarchicalMemory
from .krotov_hopfield_2020_energy import States, velocity


def followed(network: HierarchicalMemory, start: States, tau: Array, time: float, count: int):
    """The path of the visible layer under Runge and Kutta's method of fourth order.

    **Arguments:**

    - `network`: its fast layers are eliminated.
    - `start`: states of the layers that are not.
    - `tau`: the time constant of the last layer, in place of its own.
    - `time`, `count`: the end, and in how many steps.

    **Returns:** shape (count, *layer).
    """
    step, last = time / count, network.names[-1]

    def field(states):
        moved = velocity(network, states)
        # Traced, so that one compiled program serves all time constants.
        return {
            name: x * (network.neurons[name].tau / tau) if name == last else x
            for name, x in moved.items()
        }

    def one(states, _):
        def stage(carry, shares):
            reach, weight = shares
            total, slope = carry
            slope = field(jax.tree.map(lambda x, s: x + reach * s, states, slope))
            return (jax.tree.map(lambda t, s: t + weight * s, total, slope), slope), None

        # The stages in a loop: one field to compile instead of four.
        reaches = step * jnp.asarray([0.0, 0.5, 0.5, 1.0])
        weights = step * jnp.asarray([1.0, 2.0, 2.0, 1.0]) / 6
        none = jax.tree.map(jnp.zeros_like, states)
        states = jax.lax.scan(stage, (states, none), (reaches, weights))[0][0]
        return states, states[network.visible]

    return jax.lax.scan(one, start, length=count)[1]


class Limit(NamedTuple):
    """How far a network is from its effective theory, by time constant of its last layer.

    - `tau`: time constants in units of the visible layer's, falling.
    - `distance`: the largest distance of the visible states along the way, shape (starts, taus).
    """

    tau: np.ndarray
    distance: np.ndarray

    @property
    def exponents(self) -> np.ndarray:
        """Of the distance as a power of τ, between neighbouring time constants, by start."""
        return np.diff(np.log(self.distance), axis=1) / np.diff(np.log(self.tau))


def limit(
    slow: HierarchicalMemory,
    fast: HierarchicalMemory,
    starts: dict[str, np.ndarray],
    taus: tuple[float, ...],
    time: float,
    count: int,
) -> Limit:
    """Compare runs with a slower and slower last layer with those where it is eliminated.

    **Arguments:**

    - `slow`, `fast`: the same network, the last layer of the second with τ = 0.
    - `starts`: states of all other layers, with a leading axis; the last starts at its pull.
    - `taus`: time constants of the last layer.
    - `time`, `count`: the end, and in how many steps.
    """
    return Limit(
        np.asarray(taus),
        np.asarray(_limit(slow, fast, starts, jnp.asarray(taus), time, count)),
    )


@eqx.filter_jit
def _limit(slow, fast, starts, taus, time, count):
    last = slow.names[-1]

    def one(states):
        reduced = followed(fast, states, jnp.ones(()), time, count)
        whole = {**states, last: fast.pull(states)[last]}

        def apart(tau):
            path = followed(slow, whole, tau, time, count)
            return jnp.max(jnp.linalg.norm((path - reduced).reshape(count, -1), axis=1))

        return jax.vmap(apart)(taus)

    return jax.vmap(one)(starts)
