"""A hierarchical memory and one query as a dynamical system."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..answer import Answer
from ..errors import NoEnergyError

States = dict[str, Array]


class LayerSpace(eqx.Module):
    """States of a `HierarchicalMemory` for one query, by name of layer, without its fast layers.

    The query is the first state of the visible layer; the others start at their pulls, in the
    order in which they are named, layers yet to be set being silent.

    Where only some entries are known, these are held, and the others start at zero. Memory
    neurons see the whole visible layer: unlike a `Memory`, which compares by known entries alone,
    a network has one energy for all entries.

    **Arguments:**

    - `memory`: the network.
    - `query`: shape (d,).
    - `known`: shape (d,), True for entries that are held; `None` where none is.
    """

    memory: Any
    query: Float[Array, " d"]
    known: Bool[Array, " d"] | None

    @property
    def initial(self) -> States:
        """The states to start from."""
        query = self.query if self.known is None else jnp.where(self.known, self.query, 0.0)
        return self._dynamic(self.memory.started(query))

    @property
    def lacks_energy(self) -> str | None:
        """As of the network."""
        return self.memory.lacks_energy

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """As of the network."""
        return self.memory.groups

    def pull(self, states: States) -> States:
        """x + (τ_slowest/τ)(pull − x), so that time is in units of the slowest layer's τ."""
        pulled = self.memory.pull(states)
        slowest = max(self.memory.neurons[name].tau for name in states)

        def scaled(name, state):
            rate = slowest / self.memory.neurons[name].tau
            return pulled[name] if rate == 1 else state + rate * (pulled[name] - state)

        return self._held(states, {name: scaled(name, state) for name, state in states.items()})

    def relax(self, states: States) -> States:
        """Every layer to its best state given the others, in turn, memory first.

        **Raises:** `ValueError` where no exact update of a layer is known.
        """
        return self._held(states, self._dynamic(self.memory.relax(states)))

    def energy(self, states: States) -> Float[Array, ""]:
        """The network's energy.

        **Raises:** `NoEnergyError` where there is none.
        """
        if self.lacks_energy is not None:
            raise NoEnergyError(self.lacks_energy)
        return self.memory.energy(states)

    def answer(self, states: States, origin: States) -> Answer:
        """What the end of a run stands for: the activation of the visible layer there.

        **Arguments:**

        - `states`: where the run ended.
        - `origin`: the states before the last step, which a network has no use for.
        """
        energy = None if self.lacks_energy is not None else self.memory.energy(states)
        return Answer(self._seen(states), energy, self.memory.sharing(states))

    def record(self, path: States) -> Float[Array, "s d"]:
        """The activation of the visible layer along a path, the start first."""
        return jax.lax.map(self._seen, path)

    def _seen(self, states: States) -> Float[Array, " d"]:
        name = self.memory.visible
        return self.memory.neurons[name].activation(states[name]).reshape(-1)

    def _dynamic(self, states: States) -> States:
        return {name: state for name, state in states.items() if self.memory.neurons[name].tau > 0}

    def _held(self, old: States, new: States) -> States:
        if self.known is None:
            return new
        name = self.memory.visible
        known = self.known.reshape(old[name].shape)
        return {**new, name: jnp.where(known, old[name], new[name])}
