"""`HierarchicalMemory`: layers of neurons, joined by synapses, with one energy."""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..errors import NoEnergyError
from ..precision import accumulate
from .checks import check_network, check_states, sequence_of_layers
from .equations import drives, energies, lacks_update, pulls, relaxed
from .lagrangians import Quadratic, SeparationLagrangian
from .model import LayerSpace, States
from .neurons import Neurons
from .synapses import AbstractSynapse


class HierarchicalMemory(eqx.Module):
    """An associative memory of neuron layers and synapses: τ ẋ = −∂E/∂g for each layer.

    E = Σ_layers [(x − I)·g − L(x)] + Σ_synapses E_s(g), with activations g = ∇L(x). It falls at
    the rate Ė = −Σ τ ẋᵀ(∇²L)ẋ for convex L, whatever the synapses and time constants.

    ```python
    network = attrax.Memory(patterns).as_network()
    network = HierarchicalMemory(
        {"value": Neurons(d), "memory": Neurons(n, SeparationLagrangian(Softmax(4.0)), tau=0.1)},
        [SimilaritySynapse(Cosine(), patterns)],
    )
    attrax.retrieve(network, queries, attrax.dynamics.Flow())
    ```

    States are dictionaries of one array a layer, by name; those of fast layers (τ = 0) may be
    left out, since they follow from the others.

    **Arguments:**

    - `neurons`: the layers by name. The first is the visible one, which queries set and answers
      are read from.
    - `synapses`: what joins them.

    **Raises:** `ValueError` or `TypeError` for names, shapes or scores that do not fit, and for
    fast layers that cannot be eliminated.

    **Source:** [krotov2021large]; [krotov2021hierarchical]; [hoover2022universal]
    """

    neurons: dict[str, Neurons]
    synapses: tuple[AbstractSynapse, ...]
    # A pytree sorts the keys of a dictionary; the order in which layers were named is kept here.
    names: tuple[str, ...] = eqx.field(static=True)

    def __init__(self, neurons: Mapping[str, Neurons], synapses: Sequence[AbstractSynapse]):
        check_network(neurons, synapses)
        self.neurons, self.synapses = dict(neurons), tuple(synapses)
        self.names = tuple(self.neurons)

    @property
    def visible(self) -> str:
        """The name of the layer that queries set and answers are read from."""
        return self.names[0]

    @property
    def width(self) -> int:
        """d, the number of neurons of the visible layer."""
        return _size(self.neurons[self.visible])

    @property
    def dtype(self) -> jnp.dtype:
        """The floating-point type of the states: that of the synapses' arrays."""
        leaves = jax.tree.leaves(eqx.filter((self.synapses, self.neurons), eqx.is_inexact_array))
        return leaves[0].dtype if leaves else jnp.zeros(()).dtype

    @property
    def lacks_energy(self) -> str | None:
        """Why no energy is known to descend; `None` where one is."""
        reasons = (self.neurons[name].lagrangian.lacks_convexity for name in self.names)
        return next((reason for reason in reasons if reason is not None), None)

    @property
    def lacks_relaxation(self) -> str | None:
        """Why `relax` cannot update every layer exactly; `None` where it can."""
        reasons = (lacks_update(self, name) for name in self.names)
        return next((reason for reason in reasons if reason is not None), None)

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """Layers updated in turn, the first hidden ones first; no synapse joins two of a group."""
        groups: list[list[str]] = []
        for name in (*self.names[1:], self.visible):
            joined = {other for s in self.synapses if name in s.layers for other in s.layers}
            free = next((group for group in groups if joined.isdisjoint(group)), None)
            if free is None:
                groups.append([name])
            else:
                free.append(name)
        return tuple(map(tuple, groups))

    def activations(self, states: States) -> States:
        """g = ∇L(x) of each layer, by name."""
        states = self._completed(states)
        return {name: self.neurons[name].activation(states[name]) for name in self.names}

    def energies(self, states: States) -> dict[str, Array]:
        """The energy by part: each layer by its name, each synapse by its layers' names.

        **Raises:** `NoEnergyError` where there is none; the reason is `lacks_energy`.
        """
        if self.lacks_energy is not None:
            raise NoEnergyError(self.lacks_energy)
        return energies(self, self._completed(states))

    def energy(self, states: States) -> Float[Array, ""]:
        """E, the sum of `energies`.

        **Raises:** `NoEnergyError` where there is none; the reason is `lacks_energy`.
        """
        parts = self.energies(states)
        return jnp.sum(jnp.stack([parts[name] for name in sorted(parts)]))

    def pull(self, states: States) -> States:
        """I − ∂E_synapses/∂g of each layer: where it is drawn to, τ ẋ = pull − x.

        **Arguments:**

        - `states`: one array a layer, in its shape.

        **Returns:** likewise, for all layers.

        **Raises:** `ValueError` for layers that are not there, missing, or of a wrong shape.
        """
        return pulls(self, self._completed(states))

    def relax(self, states: States, order: Sequence[str] | None = None) -> States:
        """Each layer to the state of least energy given the others, one after another.

        No such update raises the energy, while updating all layers at once can cycle and raise
        it. A layer whose synapses are linear in it goes to its pull; a value layer under a
        similarity goes to the centroid of the memories.

        **Arguments:**

        - `states`: one array a layer, in its shape.
        - `order`: names of the layers to be updated, first to last; `groups` if `None`.

        **Returns:** the states of all layers.

        **Raises:** `ValueError` for unknown layers, and for one without exact update.
        """
        order = sequence_of_layers(order, self.groups, self.names)
        for name in order:
            reason = lacks_update(self, name)
            if reason is not None:
                raise ValueError(
                    f"Layer {name!r} has no exact update: {reason} "
                    "Use attrax.retrieve(network, queries, attrax.dynamics.Flow())."
                )
        return relaxed(self, self._completed(states), order)

    def started(self, query: Float[Array, " d"]) -> States:
        """States of all layers for a query: hidden ones at their pulls, in the order of names."""
        dtype, states = self.dtype, {}
        activations = {n: jnp.zeros(self.neurons[n].shape, dtype) for n in self.names}
        for name in self.names:
            layer = self.neurons[name]
            if name == self.visible:
                states[name] = jnp.asarray(query, dtype).reshape(layer.shape)
            else:
                states[name] = drives(self, activations, (name,))[name]
            activations[name] = layer.activation(states[name])
        return states

    def sharing(self, states: States) -> Float[Array, ""] | None:
        """How many memory neurons share the activation; `None` unless it always sums to one."""
        hidden = self.names[1:]
        lagrangian = self.neurons[hidden[0]].lagrangian if len(hidden) == 1 else None
        if not isinstance(lagrangian, SeparationLagrangian) or not lagrangian.separation.normalised:
            return None
        weights = lagrangian.activation(self._completed(states)[hidden[0]])
        return 1 / jnp.sum(jnp.square(weights), dtype=accumulate(weights.dtype))

    def model(
        self, query: Float[Array, " d"], known: Bool[Array, " d"] | None = None
    ) -> LayerSpace:
        """What dynamics see of this network for one query: states by layer.

        **Raises:** `ValueError` if entries are to be held that the Lagrangian of the visible
        layer mixes with others.
        """
        lagrangian = self.neurons[self.visible].lagrangian
        if known is not None and not isinstance(lagrangian, Quadratic):
            raise ValueError(
                f"`known` holds entries of the visible layer {self.visible!r}, whose Lagrangian "
                f"must be Quadratic() for that, but it is {type(lagrangian).__name__}."
            )
        return LayerSpace(self, query, known)

    def _completed(self, states: Any) -> States:
        """All layers' states, fast ones that are missing at their pulls."""
        check_states(states, self.neurons, self.names)
        dtype = self.dtype
        states = {name: jnp.asarray(state, dtype) for name, state in states.items()}
        missing = tuple(name for name in self.names if name not in states)
        if not missing:
            return states
        activations = {
            n: self.neurons[n].activation(states[n])
            if n in states
            # Nothing depends on these: synapses are linear in fast layers, which are not joined.
            else jnp.zeros(self.neurons[n].shape, dtype)
            for n in self.names
        }
        return {**states, **drives(self, activations, missing)}


def _size(neurons: Neurons) -> int:
    size = 1
    for length in neurons.shape:
        size *= length
    return size
