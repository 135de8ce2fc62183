"""`HierarchicalMemory`: layers of neurons, joined by synapses, with one energy."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..common.arithmetic import accumulate
from ..common.checks import NoEnergyError, as_floats
from ..spaces.store import AbstractStore
from . import surgery
from .checks import check_network, check_states, checked_parts, sequence_of_layers
from .drawing import described, drawn
from .equations import drives, energies, lacks_update, pulls, relaxed, thawed
from .neurons import Neurons
from .space import LayerSpace, States
from .surgery import Joints, part_names
from .synapses import AbstractSynapse


class HierarchicalMemory(AbstractStore):
    """An associative memory of neuron layers and synapses: τ ẋ = −∂E/∂g for each layer.

    E = Σ_layers [(x − I)·g − L(x)] + Σ_synapses E_s(g), with activations g = ∇L(x). It falls at
    the rate Ė = −Σ τ ẋᵀ(∇²L)ẋ for convex L, whatever the synapses and time constants.

    ```python
    network = attrax.Memory(patterns).as_network()
    network = HierarchicalMemory(
        {"image": Neurons(784), "hidden": Neurons(100, Softmax(4.0), tau=0.1)},
        {("image", "hidden"): DenseSynapse(weights)},  # (100, 784)
    )
    attrax.retrieve(network, queries, attrax.dynamics.Flow())
    ```

    States are dictionaries of one array a layer, by name; those of fast layers (τ = 0) may be
    left out, since they follow from the others.

    **Arguments:**

    - `neurons`: the layers by name. The first is the visible one, which queries set and answers
      are read from.
    - `synapses`: what joins them, by the names of the layers in the order of the synapse's
      activations; a single name for a synapse of one layer. Each is a synapse, a plain function
      of activations to a scalar energy, or a list of several. The same object in two places is
      one synapse with tied weights.
    - `frozen`: names of layers and parts whose parameters take no gradient; see `freeze`.

    **Raises:** `ValueError` or `TypeError` for names, shapes or scores that do not fit, and for
    fast layers that cannot be eliminated.

    **Source:** [krotov2021large]; [krotov2021hierarchical]; [hoover2022universal]
    """

    neurons: dict[str, Neurons]
    synapses: tuple[AbstractSynapse, ...]
    # A pytree sorts the keys of a dictionary; the order in which layers were named is kept here.
    names: tuple[str, ...] = eqx.field(static=True)
    edges: tuple[tuple[tuple[str, ...], int], ...] = eqx.field(static=True)
    frozen: tuple[str, ...] = eqx.field(static=True)
    units: ClassVar = "real"
    recurrent: ClassVar = True

    def __init__(
        self, neurons: Mapping[str, Neurons], synapses: Joints, *, frozen: Sequence[str] = ()
    ):
        self.synapses, self.edges = check_network(neurons, synapses)
        self.neurons = dict(neurons)
        self.names = tuple(self.neurons)
        self.frozen = checked_parts(frozen, (*self.names, *self.parts))

    def __repr__(self) -> str:
        """Layers and synapses, one a line."""
        return described(self)

    def _repr_svg_(self) -> str:
        """The drawing, as notebooks show it."""
        return self.draw()

    @property
    def visible(self) -> str:
        """The name of the layer that queries set and answers are read from."""
        return self.names[0]

    @property
    def width(self) -> int:
        """d, the number of neurons of the visible layer."""
        return self.neurons[self.visible].size

    @property
    def parts(self) -> tuple[str, ...]:
        """A name for each synapse where it stands: "value-memory", "value-value" within a layer.

        Where several join the same layers they are numbered, "value-memory 2".
        """
        return part_names(self.names, self.edges)

    @property
    def joints(self) -> dict[tuple[str, ...], list[AbstractSynapse]]:
        """The synapses by the layers that they join, as the constructor takes them."""
        found: dict[tuple[str, ...], list[AbstractSynapse]] = {}
        for layers, index in self.edges:
            found.setdefault(layers, []).append(self.synapses[index])
        return found

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
            joined = {other for layers, _ in self.edges if name in layers for other in layers}
            free = next((group for group in groups if joined.isdisjoint(group)), None)
            if free is None:
                groups.append([name])
            else:
                free.append(name)
        return tuple(map(tuple, groups))

    def activations(self, states: States) -> States:
        """g = ∇L(x) of each layer, by name."""
        network, states = thawed(self), self._completed(states)
        return {name: network.neurons[name].activation(states[name]) for name in self.names}

    def energies(self, states: States) -> dict[str, Array]:
        """The energy by part: each layer by its name, each synapse by its name in `parts`.

        **Raises:** `NoEnergyError` where there is none; the reason is `lacks_energy`.
        """
        if self.lacks_energy is not None:
            raise NoEnergyError(self.lacks_energy)
        parts = energies(self, self._completed(states))
        # Compiled functions sort the keys of dictionaries.
        return {name: parts[name] for name in (*self.names, *self.parts)}

    def energy(self, states: States) -> Float[Array, ""]:
        """E, the sum of `energies`.

        **Raises:** `NoEnergyError` where there is none; the reason is `lacks_energy`.
        """
        parts = self.energies(states)
        return jnp.sum(jnp.stack(list(parts.values())))

    def pull(self, states: States) -> States:
        """I − ∂E_synapses/∂g of each layer: where it is drawn to, τ ẋ = pull − x.

        **Arguments:**

        - `states`: one array a layer, in its shape.

        **Returns:** likewise, for all layers.

        **Raises:** `ValueError` for layers that are not there, missing, or of a wrong shape.
        """
        return self._ordered(pulls(self, self._completed(states)))

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
        return self._ordered(relaxed(self, self._completed(states), order))

    def started(self, query: Float[Array, " d"]) -> States:
        """States of all layers for a query: hidden ones at their pulls, in the order of names."""
        network = thawed(self)
        dtype, states = self.dtype, {}
        activations = {n: jnp.zeros(network.neurons[n].shape, dtype) for n in self.names}
        for name in self.names:
            layer = network.neurons[name]
            if name == self.visible:
                states[name] = jnp.asarray(query, dtype).reshape(layer.shape)
            elif layer.start is not None:
                states[name] = layer.start.astype(dtype)
            else:
                states[name] = drives(network, activations, (name,))[name]
            activations[name] = layer.activation(states[name])
        return states

    def sharing(self, states: States) -> Float[Array, ""] | None:
        """How many memory neurons share the activation; `None` unless it always sums to one."""
        hidden = self.names[1:]
        lagrangian = self.neurons[hidden[0]].lagrangian if len(hidden) == 1 else None
        if lagrangian is None or not lagrangian.normalised:
            return None
        weights = lagrangian.activation(self._completed(states)[hidden[0]])
        return 1 / jnp.sum(jnp.square(weights.astype(accumulate(weights.dtype))))

    def space(
        self, query: Float[Array, " d"], known: Bool[Array, " d"] | None = None
    ) -> LayerSpace:
        """The dynamical system of one query: states by layer.

        **Raises:** `ValueError` if entries are to be held that the Lagrangian of the visible
        layer mixes with others.
        """
        lagrangian = self.neurons[self.visible].lagrangian
        if known is not None and not lagrangian.elementwise:
            raise ValueError(
                f"`known` holds entries of the visible layer {self.visible!r}, whose activations "
                f"{type(lagrangian).__name__} mixes; it must be elementwise, such as Quadratic()."
            )
        return LayerSpace(thawed(self), query, known)

    def _ordered(self, states: States) -> States:
        return {name: states[name] for name in self.names}

    def _completed(self, states: Any) -> States:
        """All layers' states, fast ones that are missing at their pulls."""
        check_states(states, self.neurons, self.names)
        network = thawed(self)
        dtype = self.dtype
        states = {
            name: as_floats(name, state, dtype=dtype, finite=False)
            for name, state in states.items()
        }
        held = [n for n in self.names if network.neurons[n].whole and n not in states]
        states |= {n: network.neurons[n].start.astype(dtype) for n in held}
        missing = tuple(name for name in self.names if name not in states)
        if not missing:
            return states
        activations = {
            n: network.neurons[n].activation(states[n])
            if n in states
            # Nothing depends on these: synapses are linear in fast layers, which are not joined.
            else jnp.zeros(network.neurons[n].shape, dtype)
            for n in self.names
        }
        return {**states, **drives(network, activations, missing)}

    def with_layer(self, name: str, neurons: Neurons, synapses: Joints) -> "HierarchicalMemory":
        """The network with one more layer, the last in order.

        **Arguments:**

        - `name`: of the new layer.
        - `neurons`: the layer.
        - `synapses`: what joins it, and whatever else is to be joined, as in the constructor.

        **Returns:** a new network; this one does not change.

        **Raises:** `ValueError` for a name that is taken, and what the constructor raises.
        """
        return surgery.with_layer(self, name, neurons, synapses)

    def without(self, *names: str) -> "HierarchicalMemory":
        """The network without some layers, and without the synapses that joined them.

        **Raises:** `ValueError` for names that are not there, and if a layer is left that
        nothing joins.
        """
        return surgery.without(self, names)

    def joined(self, other: "HierarchicalMemory", synapses: Joints) -> "HierarchicalMemory":
        """Both networks as one; the visible layer is that of this one.

        **Arguments:**

        - `other`: a network whose layers have other names.
        - `synapses`: what joins the two, as in the constructor.

        **Returns:** a new network.

        **Raises:** `ValueError` for layers of the same name.
        """
        return surgery.joined(self, other, synapses)

    def clamp(self, name: str, state=None, where=None) -> "HierarchicalMemory":
        """The network with a layer, or some entries of it, held where it starts.

        **Arguments:**

        - `name`: of the layer.
        - `state`: where it is held, of the layer's shape; for the visible layer leave it out,
          which is held at the query.
        - `where`: True for the entries that are held, of the layer's shape; all if `None`.

        **Returns:** a new network; `release` frees the layer again.

        **Raises:** `ValueError` for names and shapes that do not fit.
        """
        return surgery.clamp(self, name, state, where)

    def release(self, name: str) -> "HierarchicalMemory":
        """The network with a clamped layer free again."""
        return surgery.release(self, name)

    def freeze(self, *names: str) -> "HierarchicalMemory":
        """The network with no gradient in the parameters of some layers or synapses.

        **Arguments:**

        - `names`: of layers, or of synapses as in `parts`; replaces those frozen so far, so that
          `freeze()` frees all.

        **Raises:** `ValueError` for names that are not there.
        """
        return surgery.rebuilt(self, frozen=names)

    def draw(self) -> str:
        """The network as an SVG picture: layers with shapes, Lagrangians and τ, and synapses.

        **Returns:** SVG source. In a notebook, the network shows itself.
        """
        return drawn(self)
