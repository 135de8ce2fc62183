"""What must fit together in a network, checked where it is made."""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from .lagrangians import SeparationLagrangian
from .neurons import Neurons
from .synapses import AbstractSynapse, SimilaritySynapse


def check_network(neurons: Any, synapses: Any) -> None:
    """Refuse layers and synapses that do not make a network.

    **Raises:** `TypeError` or `ValueError` that names the layer or synapse and the remedy.
    """
    if not isinstance(neurons, Mapping):
        raise TypeError(f"`neurons` must map names to Neurons, but it is {type(neurons).__name__}.")
    if not isinstance(synapses, tuple | list):
        raise TypeError(
            f"`synapses` must be a sequence of synapses, but it is {type(synapses).__name__}; "
            "write [synapse] for one."
        )
    if not neurons:
        raise ValueError("`neurons` is empty; name at least a visible layer, such as 'value'.")
    for name, layer in neurons.items():
        if not isinstance(name, str) or not isinstance(layer, Neurons):
            raise TypeError(
                "`neurons` must map names to Neurons, "
                f"but it maps {name!r} to {type(layer).__name__}."
            )
    if not synapses:
        raise ValueError("`synapses` is empty; join the layers, such as by DenseSynapse(weights).")
    for synapse in synapses:
        _check_synapse(synapse, neurons)
    for name, layer in neurons.items():
        _check_layer(name, layer, [s for s in synapses if name in s.layers])
    _check_fast(neurons, synapses)


def check_states(states: Any, neurons: dict[str, Neurons], names: tuple[str, ...]) -> None:
    """Refuse states that are not those of the layers; fast layers may be missing."""
    if not isinstance(states, Mapping):
        raise TypeError(
            f"`states` must map names of layers to arrays, but it is {type(states).__name__}."
        )
    for name in states:
        if name not in neurons:
            raise ValueError(f"`states` names {name!r}, but the layers are {_listed(names)}.")
    for name in names:
        if name not in states:
            if neurons[name].tau > 0:
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
    order = (order,) if isinstance(order, str) else tuple(order)
    for name in order:
        if name not in names:
            raise ValueError(f"`order` names {name!r}, but the layers are {_listed(names)}.")
    return order


def _check_synapse(synapse, neurons):
    if not isinstance(synapse, AbstractSynapse):
        raise TypeError(
            "`synapses` must be synapses such as DenseSynapse(weights), "
            f"but one is {type(synapse).__name__}."
        )
    kind = type(synapse).__name__
    for name in synapse.layers:
        if name not in neurons:
            raise ValueError(
                f"{kind} joins layer {name!r}, but the layers are {_listed(neurons)}; "
                "name its layers by `layers=`."
            )
    if len(set(synapse.layers)) < len(synapse.layers):
        raise ValueError(f"{kind} must join different layers, but joins {synapse.layers}.")
    synapse.check(*(neurons[name] for name in synapse.layers))
    dtype = next(
        (x.dtype for x in jax.tree.leaves(synapse) if eqx.is_inexact_array(x)), jnp.zeros(()).dtype
    )
    shapes = [jax.ShapeDtypeStruct(neurons[name].shape, dtype) for name in synapse.layers]
    energy = eqx.filter_eval_shape(synapse, *shapes)
    if getattr(energy, "shape", None) != ():
        raise ValueError(f"{kind} must give one number, its energy, but gives {energy}.")


def _check_layer(name, layer, own):
    if not own:
        raise ValueError(f"No synapse joins layer {name!r}; leave the layer out, or join it.")
    replacing = [s for s in own if isinstance(s, SimilaritySynapse) and s.replaces]
    if sum(s.layers[0] == name for s in replacing) > 1:
        raise ValueError(
            f"Several synapses take the ½|g|² of layer {name!r} away, which it has once; "
            "pass state_term=False to all but one."
        )
    if isinstance(layer.lagrangian, SeparationLagrangian) and len(layer.shape) != 1:
        raise ValueError(
            f"Layer {name!r} has a separation over one axis, but its shape is {layer.shape}."
        )
    domain = layer.lagrangian.domain
    fitting = (domain, "positive") if domain == "non-negative" else (domain,)
    within = all(s.drives[s.layers.index(name)] in fitting for s in own)
    if domain != "signed" and not (within and layer.input is None):
        raise ValueError(
            f"The activation of layer {name!r} is defined for {domain} states, and what drives it "
            "can have another sign; use attrax.similarity.non_negative(similarity), a rectified "
            "Power, and no input."
        )


def _check_fast(neurons, synapses):
    names = list(neurons)
    if neurons[names[0]].tau == 0:
        raise ValueError(
            f"The visible layer {names[0]!r} is fast, but its state is what dynamics move; "
            "give it tau > 0, or name the layer that queries set first."
        )
    for synapse in synapses:
        fast = [name for name in synapse.layers if neurons[name].tau == 0]
        if len(fast) > 1:
            raise ValueError(
                f"Layers {_listed(fast)} are both fast and joined, so neither follows from the "
                "others; give one of them tau > 0."
            )
        for name in fast:
            if not synapse.linear[synapse.layers.index(name)]:
                raise ValueError(
                    f"Layer {name!r} is fast, but {type(synapse).__name__} is not linear in its "
                    "activation, so its state does not follow from the others; give it tau > 0."
                )


def _listed(names) -> str:
    return ", ".join(repr(name) for name in names)
