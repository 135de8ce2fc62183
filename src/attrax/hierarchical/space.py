"""A hierarchical memory and one query as a dynamical system."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..common.checks import NoEnergyError
from ..spaces.base import Answer, Measured, Reading, Relaxing, Sweeping
from ..spaces.noise import Noisy
from .equations import States, swept
from .geometry import Geometry, geometry, lacks_noise


class LayerSpace(Measured, Noisy, Relaxing, Sweeping):
    """States of a `HierarchicalMemory` for one query, by name of layer.

    Those of fast layers and of layers that are clamped as a whole are left out: they follow from
    the others, or never move.

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

    def read(self, states: States) -> Reading:
        """x + (τ_slowest/τ)(pull − x), so that time is in units of the slowest layer's τ."""
        pulled = self.memory.pull(self.full(states))
        slowest = max(self.memory.neurons[name].tau for name in states)

        def scaled(name, state):
            rate = slowest / self.memory.neurons[name].tau
            return pulled[name] if rate == 1 else state + rate * (pulled[name] - state)

        moved = {name: scaled(name, state) for name, state in states.items()}
        return Reading(states, self._held(moved))

    def rest(self, states: States) -> States:
        """The pull itself, whatever the time constants: where a state at rest is."""
        return self._held(self._dynamic(self.memory.pull(self.full(states))))

    def relax(self, states: States) -> States:
        """Every layer to its best state given the others, in turn, memory first.

        **Raises:** `ValueError` where no exact update of a layer is known.
        """
        return self._held(self._dynamic(self.memory.relax(self.full(states))))

    def sweep(self, states: States, key: Any = None) -> States:
        """Every neuron to its best state given all others, one after another.

        **Arguments:**

        - `states`: one array a layer.
        - `key`: of the order within each layer; by index if `None`.

        **Raises:** `ValueError` where no exact update of a neuron is known.
        """
        return self._dynamic(swept(self.memory, self.full(states), self._held, key))

    def energy(self, states: States) -> Float[Array, ""]:
        """The network's energy.

        **Raises:** `NoEnergyError` where there is none.
        """
        if self.lacks_energy is not None:
            raise NoEnergyError(self.lacks_energy)
        return self.memory.energy(self.full(states))

    def magnitude(self, states: States) -> Float[Array, ""]:
        """The size of the largest term of the energy, by which its rounding is measured."""
        parts = self.memory.energies(self.full(states))
        return jnp.max(jnp.abs(jnp.stack(list(parts.values()))))

    def answer(self, states: States, reading: Reading | None = None) -> Answer:
        """What the end of a run stands for: the activation of the visible layer there."""
        energy = None if self.lacks_energy is not None else self.energy(states)
        return Answer(self._seen(states), energy, self.memory.sharing(self.full(states)))

    def record(self, path: States) -> Float[Array, "s d"]:
        """The activation of the visible layer along a path, the start first."""
        return jax.lax.map(self._seen, path)

    def full(self, states: States) -> States:
        """The states with those of layers that are clamped as a whole.

        **Arguments:**

        - `states`: of the layers that move.
        """
        still = [name for name in self.memory.names if self.memory.neurons[name].whole]
        return {**states, **{name: self._start(name) for name in still if name not in states}}

    def _seen(self, states: States) -> Float[Array, " d"]:
        name = self.memory.visible
        return self.memory.neurons[name].activation(self.full(states)[name]).reshape(-1)

    def _dynamic(self, states: States) -> States:
        layers = self.memory.neurons
        return {n: x for n, x in states.items() if layers[n].tau > 0 and not layers[n].whole}

    def _start(self, name: str) -> Array:
        """Where a layer that is held starts."""
        layer = self.memory.neurons[name]
        start = self.query if name == self.memory.visible else layer.start
        return start.astype(self.memory.dtype).reshape(layer.shape)

    def _held(self, states: States) -> States:
        """The states with entries that are known or clamped where they started.

        Not merely where they were: so an implicit gradient reaches the start.
        """
        masks = {name: self.memory.neurons[name].clamped for name in states}
        name = self.memory.visible
        if self.known is not None and name in states:
            known, mask = self.known.reshape(states[name].shape), masks[name]
            masks[name] = known if mask is None else known | mask
        return {
            name: state if mask is None else jnp.where(mask, self._start(name), state)
            for name, mask in masks.items()
            for state in [states[name]]
        }

    @property
    def lacks_noise(self) -> str | None:
        """Why no noise samples the activations; `None` where one does."""
        return lacks_noise(self.memory.neurons)

    def geometry(
        self, states: States, temperature: Float[Array, ""], step: Float[Array, ""]
    ) -> Geometry:
        """How noise and drift are shaped at some states, for `Langevin`.

        **Arguments:**

        - `states`: one array a layer.
        - `temperature`: in units of the energy.
        - `step`: in units of the slowest layer's τ.
        """
        name, known = self.memory.visible, self.known
        held = {} if known is None else {name: known.reshape(self.memory.neurons[name].shape)}
        return geometry(self.memory.neurons, states, temperature, step, held)
