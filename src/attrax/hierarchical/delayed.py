"""A network of which one layer follows another slowly, and tilts the energy of the rest."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from ..common.arithmetic import accumulate
from ..common.checks import POSITIVE, NoEnergyError, as_floats, is_floats, positive
from ..common.display import facts
from ..spaces.base import Answer, Reading, Relaxing
from ..spaces.store import AbstractStore
from .checks import listed
from .memory import HierarchicalMemory
from .space import LayerSpace, States


class DelayedMemory(AbstractStore):
    """A network of which one layer is no part of the energy: it follows another layer slowly.

    The delay layer is a linear low-pass of a source layer, T ẋ_d = β g_source − x_d, whatever
    synapses join it. These lead one way: they drive the other layers, which descend the energy
    E(x; x_d) at the delay that is there, while the delay moves on and tilts that energy. So there
    is no energy that always falls, but there is one at each delay; `energy_at_delay` gives it, and
    `at_delay` the network, an ordinary `HierarchicalMemory`.

    Time is in units of the slowest time constant of the other layers. `Euler` and `Flow` follow
    it; `Iterate` relaxes the other layers at the delay that is there and then lets the delay catch
    up, as if T were endless beside them.

    **Arguments:**

    - `network`: all layers, the delay layer among them, joined by synapses. The delay starts from
      the `start` of its layer, at zero if it has none.
    - `delay`: the name of the layer that follows, not the visible one, with a τ > 0 that counts
      for nothing.
    - `source`: the name of the layer that it follows, of as many neurons.
    - `tau`: T > 0, the time constant of the delay.
    - `gain`: β > 0, by which the source's activation is multiplied.

    **Raises:** `ValueError` or `TypeError` for layers that are not there or do not fit, and for
    numbers that are not positive.

    **Source:** [karuvally2023general]
    """

    network: HierarchicalMemory
    delay: str = eqx.field(static=True)
    source: str = eqx.field(static=True)
    tau: Float[Array, ""] = eqx.field(metadata=POSITIVE)
    gain: Float[Array, ""] = eqx.field(metadata=POSITIVE)
    units: ClassVar = "real"
    recurrent: ClassVar = True

    def __init__(
        self,
        network: HierarchicalMemory,
        delay: str,
        source: str,
        tau: ArrayLike = 100.0,
        gain: ArrayLike = 1.0,
    ):
        if not isinstance(network, HierarchicalMemory):
            raise TypeError(
                f"`network` must be a HierarchicalMemory, but it is {type(network).__name__}."
            )
        for name, layer in (("delay", delay), ("source", source)):
            if layer not in network.names:
                raise ValueError(
                    f"`{name}` is {layer!r}, but the layers are {listed(network.names)}."
                )
        if delay in (source, network.visible):
            raise ValueError(
                f"`delay` is {delay!r}, but it must be neither the source nor the visible layer "
                f"{network.visible!r}, which queries set; add a layer that follows."
            )
        layer, followed = network.neurons[delay], network.neurons[source]
        if layer.size != followed.size:
            raise ValueError(
                f"`delay` must name a layer of {followed.size} neurons, as many as the source "
                f"{source!r} has, but {delay!r} has {layer.size}."
            )
        start = jnp.zeros(layer.shape, network.dtype) if layer.start is None else layer.start
        self.network = network.clamp(delay, start)
        self.delay, self.source = delay, source
        self.tau, self.gain = positive("tau", tau), positive("gain", gain)

    def check_loaded(self) -> None:
        """Refuse fields that do not fit together, as a file may describe them.

        **Raises:** `ValueError` that says so.
        """
        network, names = self.network, (self.delay, self.source)
        fits = (
            isinstance(network, HierarchicalMemory)
            and all(type(name) is str and name in network.names for name in names)
            and self.delay not in (self.source, network.visible)
            and network.neurons[self.delay].whole
            and network.neurons[self.delay].size == network.neurons[self.source].size
            and is_floats(self.tau)
            and is_floats(self.gain)
        )
        if not fits:
            raise ValueError("its fields make no network with a delay")

    @property
    def width(self) -> int:
        """d, the number of neurons of the visible layer."""
        return self.network.width

    @property
    def dtype(self) -> jnp.dtype:
        """The floating-point type of the states."""
        return self.network.dtype

    @property
    def lacks_energy(self) -> str:
        """Why no energy always descends."""
        return (
            f"Layer {self.delay!r} follows {self.source!r} and has no energy: as it moves, the "
            "energy of the other layers changes. `energy_at_delay(states)` falls while it is still."
        )

    def at_delay(self, delay: ArrayLike) -> HierarchicalMemory:
        """The network with the delay layer held at a state: its energy falls.

        **Arguments:**

        - `delay`: x_d, of the delay layer's shape.

        **Raises:** `ValueError` for another shape.
        """
        held, shape = as_floats("delay", delay, dtype=self.dtype), self._layer.shape
        if held.shape != shape:
            raise ValueError(f"`delay` must have shape {shape}, but its shape is {held.shape}.")
        return _held(self, held)

    def energy_at_delay(self, states: States) -> Float[Array, ""]:
        """E(x; x_d), the sum over all layers and synapses, without the delay layer's own energy.

        The other layers lower it, τ ẋ = −∂E/∂g at fixed x_d. The delay may raise it.

        **Arguments:**

        - `states`: one array a layer, by name, in its shape; fast layers may be left out.

        **Raises:** `NoEnergyError` where the network has none at any delay; `ValueError` for states
        that do not fit.
        """
        parts = self.network.energies(states)
        kept = [energy for name, energy in parts.items() if name != self.delay]
        return jnp.sum(jnp.stack(kept))

    def space(
        self, query: Float[Array, " d"], known: Bool[Array, " d"] | None = None
    ) -> "DelayedSpace":
        """The dynamical system of one query: states by layer, the delay among them.

        **Raises:** as of the network.
        """
        self.network.space(query, known)
        return DelayedSpace(self, query, known)

    @property
    def _layer(self):
        return self.network.neurons[self.delay]


class DelayedSpace(Relaxing):
    """States of a `DelayedMemory` for one query, by name of layer.

    The layers but the delay are those of a `LayerSpace` at the delay that is there.

    **Arguments:**

    - `memory`: the network with its delay.
    - `query`: shape (d,), where the visible layer starts.
    - `known`: shape (d,), True for entries that are held; `None` where none is.
    """

    memory: Any
    query: Float[Array, " d"]
    known: Bool[Array, " d"] | None

    @property
    def initial(self) -> States:
        """The states to start from."""
        memory = self.memory
        start = memory.network.neurons[memory.delay].start.astype(memory.dtype)
        return {**self._at(start).initial, memory.delay: start}

    @property
    def lacks_energy(self) -> str:
        """As of the memory."""
        return self.memory.lacks_energy

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """As of the network, the delay last."""
        delay = self.memory.delay
        rest = (tuple(n for n in group if n != delay) for group in self.memory.network.groups)
        return (*(group for group in rest if group), (delay,))

    def read(self, states: States) -> Reading:
        """x + (τ_slowest/τ)(pull − x), with the slowest of the layers but the delay."""
        fast, delay = self._parted(states)
        layers = self.memory.network.neurons
        slowest = max(layers[name].tau for name in fast)
        rate = (slowest / self.memory.tau).astype(delay.dtype)
        moved = delay + rate * (self._followed(states) - delay)
        return Reading(states, {**self._at(delay).pull(fast), self.memory.delay: moved})

    def rest(self, states: States) -> States:
        """Where a state at rest is: the pulls of all layers, and β g_source for the delay."""
        fast, delay = self._parted(states)
        return {**self._at(delay).rest(fast), self.memory.delay: self._followed(states)}

    def relax(self, states: States) -> States:
        """Every layer to its best state at the delay that is there, then the delay to β g_source.

        **Raises:** `ValueError` where no exact update of a layer is known.
        """
        fast, delay = self._parted(states)
        relaxed = {**self._at(delay).relax(fast), self.memory.delay: delay}
        return {**relaxed, self.memory.delay: self._followed(relaxed)}

    def energy(self, states: States) -> Float[Array, ""]:
        """There is none that descends.

        **Raises:** `NoEnergyError`; `memory.energy_at_delay` is that of a fixed delay.
        """
        raise NoEnergyError(self.lacks_energy)

    def answer(self, states: States, reading: Reading | None = None) -> Answer:
        """What the end of a run stands for: the activation of the visible layer there."""
        fast, delay = self._parted(states)
        return self._at(delay).answer(fast)._replace(energy=None)

    def record(self, path: States) -> Float[Array, "s d"]:
        """The activation of the visible layer along a path, the start first."""
        return jax.lax.map(lambda states: self.answer(states).state, path)

    def _at(self, delay: Array) -> LayerSpace:
        return _held(self.memory, delay).space(self.query, self.known)

    def _parted(self, states: States) -> tuple[States, Array]:
        """The states of the layers but the delay, and that of the delay."""
        name = self.memory.delay
        return {n: x for n, x in states.items() if n != name}, states[name]

    def _followed(self, states: States) -> Array:
        """β g_source, in the shape of the delay layer."""
        memory = self.memory
        fast, delay = self._parted(states)
        space = self._at(delay)
        seen = space.memory.activations(space.full(fast))
        wide = accumulate(delay.dtype)
        drive = memory.gain.astype(wide) * seen[memory.source].astype(wide)
        return drive.reshape(delay.shape).astype(delay.dtype)


def _held(memory: DelayedMemory, delay: Array) -> HierarchicalMemory:
    """The network with the delay where it is; nothing is checked."""
    return eqx.tree_at(lambda n: n.neurons[memory.delay].start, memory.network, delay)


@facts.register
def _(memory: DelayedMemory) -> list[tuple[str, str]]:
    layers = memory.network.neurons
    rest = [name for name in memory.network.names if name != memory.delay]
    return [
        *((name, f"{layers[name].shape}, {layers[name].lagrangian.label}") for name in rest),
        (memory.delay, f"follows {memory.source}"),
        *facts.dispatch(object)(memory)[-2:],
    ]
