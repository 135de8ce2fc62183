"""What must fit together in a network, checked where it is made."""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from ..common.checks import shape_of
from .neurons import Neurons
from .similar import SimilaritySynapse
from .synapses import AbstractSynapse, SynapseFunction, at, named

Edges = tuple[tuple[tuple[str, ...], int], ...]


def check_network(neurons: Any, synapses: Any) -> tuple[tuple[AbstractSynapse, ...], Edges]:
    """Refuse layers and synapses that do not make a network.

    **Returns:** each synapse once, and the edges: the names of the layers that are joined, and
    which synapse joins them.

    **Raises:** `TypeError` or `ValueError` that names the layer or synapse and the remedy.
    """
    if not isinstance(neurons, Mapping):
        raise TypeError(f"`neurons` must map names to Neurons, but it is {type(neurons).__name__}.")
    if not neurons:
        raise ValueError("`neurons` is empty; name at least a visible layer, such as 'value'.")
    for name, layer in neurons.items():
        if not isinstance(name, str) or not isinstance(layer, Neurons):
            raise TypeError(
                "`neurons` must map names to Neurons, "
                f"but it maps {name!r} to {type(layer).__name__}."
            )
    unique, edges = _edges(synapses, neurons)
    joints = [(layers, unique[i]) for layers, i in edges]
    for layers, synapse in joints:
        _check_synapse(synapse, {name: neurons[name] for name in layers})
    for name, layer in neurons.items():
        _check_layer(
            name,
            layer,
            name == next(iter(neurons)),
            [(layers, s) for layers, s in joints if name in layers],
        )
    _check_fast(neurons, joints)
    if all(layer.whole or layer.tau == 0 for layer in neurons.values()):
        raise ValueError(
            "Every layer is clamped or fast, so nothing is left to move; give one tau > 0."
        )
    return unique, edges


def _edges(synapses, neurons) -> tuple[tuple[AbstractSynapse, ...], Edges]:
    if not isinstance(synapses, Mapping):
        raise TypeError(
            "`synapses` must map names of layers to what joins them, such as "
            '{("value", "memory"): DenseSynapse(weights)}, '
            f"but it is {type(synapses).__name__}."
        )
    if not synapses:
        raise ValueError("`synapses` is empty; join the layers, such as by DenseSynapse(weights).")
    found: list[Any] = []
    unique: list[AbstractSynapse] = []
    edges = []
    for key, value in synapses.items():
        layers = (key,) if isinstance(key, str) else key
        if not (isinstance(layers, tuple) and layers and all(isinstance(n, str) for n in layers)):
            raise TypeError(
                f"`synapses` must map names of layers, or tuples of them, but has the key {key!r}."
            )
        for name in layers:
            if name not in neurons:
                raise ValueError(
                    f"`synapses` joins layer {name!r}, but the layers are {listed(neurons)}."
                )
        if len(set(layers)) < len(layers):
            raise ValueError(
                f"`synapses` joins a layer with itself, {layers}; within a layer use "
                "LateralSynapse, or a function of one activation."
            )
        several = tuple(value) if isinstance(value, tuple | list) else (value,)
        if not several:
            raise ValueError(
                f"`synapses` joins {listed(layers)} by an empty list; leave them out, or name "
                "what joins them."
            )
        for synapse in several:
            # The very same object in several places is one synapse: its weights are tied.
            index = next((i for i, other in enumerate(found) if other is synapse), None)
            if index is None:
                index = len(found)
                found.append(synapse)
                unique.append(_as_synapse(synapse, layers))
            edges.append((layers, index))
    return tuple(unique), tuple(edges)


def _as_synapse(synapse, layers) -> AbstractSynapse:
    if isinstance(synapse, AbstractSynapse):
        return synapse
    if callable(synapse) and not isinstance(synapse, type):
        return SynapseFunction(synapse)
    what = f"the class {synapse.__name__}" if isinstance(synapse, type) else type(synapse).__name__
    raise TypeError(
        f"What joins {listed(layers)} must be a synapse such as DenseSynapse(weights), or a "
        f"function of their activations, but it is {what}."
    )


def checked_parts(frozen: Any, names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of what is frozen, each once.

    **Raises:** `TypeError` or `ValueError` if it is not the name of a layer or part.
    """
    if isinstance(frozen, str) or not isinstance(frozen, tuple | list):
        raise TypeError(f"`frozen` must be names of layers or parts, but it is {frozen!r}.")
    for name in frozen:
        if name not in names:
            raise ValueError(f"`frozen` names {name!r}, but the parts are {listed(names)}.")
    return tuple(dict.fromkeys(frozen))


def check_states(states: Any, neurons: dict[str, Neurons], names: tuple[str, ...]) -> None:
    """Refuse states that are not those of the layers; what follows from them may be missing."""
    if not isinstance(states, Mapping):
        raise TypeError(
            f"`states` must map names of layers to arrays, but it is {type(states).__name__}."
        )
    for name in states:
        if name not in neurons:
            raise ValueError(f"`states` names {name!r}, but the layers are {listed(names)}.")
    for name in names:
        if name not in states:
            layer = neurons[name]
            if layer.tau > 0 and not (layer.whole and layer.start is not None):
                raise ValueError(f"`states` lacks layer {name!r}; only fast ones may be left out.")
        elif jnp.shape(states[name]) != neurons[name].shape:
            raise ValueError(
                f"The state of layer {name!r} must have shape {neurons[name].shape}, "
                f"but its shape is {jnp.shape(states[name])}; use jax.vmap for many states."
            )


def sequence_of_layers(
    order: Sequence[str] | None, groups: tuple[tuple[str, ...], ...], names: tuple[str, ...]
) -> tuple[str, ...]:
    """The order of update, that of the groups if `None`."""
    if order is None:
        return tuple(name for group in groups for name in group)
    if isinstance(order, str):
        order = (order,)
    if not isinstance(order, tuple | list):
        raise TypeError(f"`order` must be names of layers, but it is {type(order).__name__}.")
    for name in order:
        if name not in names:
            raise ValueError(f"`order` names {name!r}, but the layers are {listed(names)}.")
    return tuple(order)


def _check_synapse(synapse, layers):
    kind = type(synapse).__name__
    synapse.check(layers)
    dtype = next(
        (x.dtype for x in jax.tree.leaves(synapse) if eqx.is_inexact_array(x)), jnp.zeros(()).dtype
    )
    shapes = [jax.ShapeDtypeStruct(layer.shape, dtype) for layer in layers.values()]
    if isinstance(synapse, SynapseFunction):
        kind = synapse.label
        try:
            energy = eqx.filter_eval_shape(synapse, *shapes)
        except Exception as error:
            raise ValueError(
                f"The function {kind} that joins {named(layers)} cannot be called with one array "
                f"a layer: {error}"
            ) from error
    else:
        energy = eqx.filter_eval_shape(synapse, *shapes)
    if shape_of(energy) != ():
        raise ValueError(f"{kind} must give one number, its energy, but gives {energy}.")


def _check_layer(name, layer, visible, own):
    if not own:
        raise ValueError(f"No synapse joins layer {name!r}; leave the layer out, or join it.")
    replacing = [layers for layers, s in own if isinstance(s, SimilaritySynapse) and s.replaces]
    if sum(layers[0] == name for layers in replacing) > 1:
        raise ValueError(
            f"Several synapses take the ½|g|² of layer {name!r} away, which it has once; "
            "pass state_term=False to all but one."
        )
    if layer.clamped is not None and layer.start is None and not visible:
        raise ValueError(
            f"Layer {name!r} is clamped, but has no `start` to be clamped at; give it one."
        )
    if layer.start is not None and visible:
        raise ValueError(f"The visible layer {name!r} starts from the query; give it no `start`.")
    domain = layer.lagrangian.domain
    fitting = (domain, "positive") if domain == "non-negative" else (domain,)
    within = all(at(s.drives, layers.index(name)) in fitting for layers, s in own)
    if domain != "signed" and not (within and layer.input is None):
        raise ValueError(
            f"The activation of layer {name!r} is defined for {domain} states, and what drives it "
            "can have another sign; use attrax.similarity.non_negative(similarity), a rectified "
            "Power, and no input."
        )


def _check_fast(neurons, joints):
    names = list(neurons)
    if neurons[names[0]].tau == 0:
        raise ValueError(
            f"The visible layer {names[0]!r} is fast, but its state is what dynamics move; "
            "give it tau > 0, or name the layer that queries set first."
        )
    for layers, synapse in joints:
        fast = [name for name in layers if neurons[name].tau == 0]
        if len(fast) > 1:
            raise ValueError(
                f"Layers {listed(fast)} are both fast and joined, so neither follows from the "
                "others; give one of them tau > 0."
            )
        for name in fast:
            if not at(synapse.linear, layers.index(name)):
                raise ValueError(
                    f"Layer {name!r} is fast, but {type(synapse).__name__} is not linear in its "
                    "activation, so its state does not follow from the others; give it tau > 0."
                )


def listed(names) -> str:
    """Names in quotes, for errors."""
    return ", ".join(repr(name) for name in names)
