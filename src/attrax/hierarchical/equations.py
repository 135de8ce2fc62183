"""The equations of a network: its energy by part, its pulls, and its exact updates."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from .dense import LateralSynapse
from .similar import SimilaritySynapse
from .synapses import at

States = dict[str, Array]


@eqx.filter_jit
def energies(network: Any, states: States) -> dict[str, Array]:
    """The energy of each layer, then of each synapse where it stands."""
    network = thawed(network)
    parts = {name: network.neurons[name].energy(states[name]) for name in network.names}
    activations = _activations(network, states)
    for part, (layers, index) in zip(network.parts, network.edges, strict=True):
        parts[part] = network.synapses[index](*(activations[name] for name in layers))
    return parts


@eqx.filter_jit
def pulls(network: Any, states: States) -> States:
    """I − ∂E_synapses/∂g of all layers; clamped entries are where they are."""
    network = thawed(network)
    free = tuple(name for name in network.names if not network.neurons[name].whole)
    pulled = {**states, **drives(network, _activations(network, states), free)}
    return {name: network.neurons[name].held(states[name], pulled[name]) for name in network.names}


@eqx.filter_jit
def relaxed(network: Any, states: States, order: tuple[str, ...]) -> States:
    """The states after an exact update of each layer of `order` in turn."""
    network = thawed(network)
    activations = _activations(network, states)
    for name in order:
        layer = network.neurons[name]
        if layer.whole:
            continue
        states = {**states, name: layer.held(states[name], _best(network, name, activations))}
        activations = {**activations, name: layer.activation(states[name])}
    return states


def swept(network: Any, states: States, held: Callable, key: Any) -> States:
    """The states after each neuron has been updated in turn, hidden layers first."""
    order_of_layers = [name for group in network.groups for name in group]
    for count, name in enumerate(order_of_layers):
        if network.neurons[name].whole:
            continue
        reason = lacks_single_update(network, name)
        if reason is not None:
            raise ValueError(
                f"Neurons of layer {name!r} have no exact update: {reason} Use "
                "attrax.dynamics.Euler(backtracking=True)."
            )
        layer = network.neurons[name]
        if name not in states:
            continue
        if not layer.lagrangian.elementwise:
            states = held({**states, name: network.pull(states)[name]})
            continue
        order = jnp.arange(layer.size, dtype=jnp.int32)
        if key is not None:
            order = jax.random.permutation(jax.random.fold_in(key, count), order)

        def one(states, index, name=name, layer=layer):
            flat, pulled = states[name].reshape(-1), network.pull(states)[name].reshape(-1)[index]
            if layer.lagrangian.two_valued:
                # Both signs have the same energy then.
                pulled = jnp.where(pulled == 0, flat[index], pulled)
            moved = flat.at[index].set(pulled).reshape(layer.shape)
            return held({**states, name: moved}), None

        states = jax.lax.scan(one, states, order)[0]
    return states


def drives(network: Any, activations: States, names: tuple[str, ...]) -> States:
    """I − ∂E_synapses/∂g of some layers."""

    def energy(moving):
        every = {**activations, **moving}
        # Synapses that meet none of these layers have no slope in them.
        edges = [(layers, i) for layers, i in network.edges if not moving.keys().isdisjoint(layers)]
        parts = [network.synapses[i](*(every[n] for n in layers)) for layers, i in edges]
        return jnp.sum(jnp.stack(parts))

    slopes = jax.grad(energy)({name: activations[name] for name in names})
    inputs = {name: network.neurons[name].input for name in names}
    return {
        name: -slope if (drive := inputs[name]) is None else drive.astype(slope.dtype) - slope
        for name, slope in slopes.items()
    }


def lacks_update(network: Any, name: str) -> str | None:
    """Why no exact update of a layer is known; `None` where one is.

    Where all synapses are linear in its activation g, E is L*(g) minus a linear term, and least
    at the pull. Under a similarity alone it is least at the centroid.
    """
    if network.neurons[name].whole:
        return None
    own = [(layers, network.synapses[i]) for layers, i in network.edges if name in layers]
    curved = [(layers, s) for layers, s in own if not at(s.linear, layers.index(name))]
    if not curved:
        return None
    layers, synapse = curved[0]
    if len(own) > 1 or network.neurons[name].input is not None:
        return (
            f"{type(synapse).__name__} is not linear in its activation, and other synapses or "
            "an input act on it too."
        )
    if not isinstance(synapse, SimilaritySynapse):
        return f"{type(synapse).__name__} is not linear in its activation."
    if network.neurons[name].clamped is not None:
        return "The centroid of a similarity is of all entries together, but some are clamped."
    return synapse.lacks_centroid(network.neurons[layers[1]])


def lacks_single_update(network: Any, name: str) -> str | None:
    """Why no exact update of one neuron is known; `None` where one is."""
    for layers, index in network.edges:
        synapse = network.synapses[index]
        if name not in layers or at(synapse.linear, layers.index(name)):
            continue
        alone = isinstance(synapse, LateralSynapse) and not synapse.self_term
        if not (alone and network.neurons[name].lagrangian.elementwise):
            return f"{type(synapse).__name__} is not linear in the activation of one neuron."
    return None


def thawed(network: Any) -> Any:
    """The network with no gradient through what is frozen."""
    if not network.frozen:
        return network
    neurons = {
        name: _still(layer) if name in network.frozen else layer
        for name, layer in network.neurons.items()
    }
    frozen = {
        i
        for part, (_, i) in zip(network.parts, network.edges, strict=True)
        if part in network.frozen
    }
    synapses = tuple(
        _still(synapse) if i in frozen else synapse for i, synapse in enumerate(network.synapses)
    )
    return eqx.tree_at(lambda n: (n.neurons, n.synapses), network, (neurons, synapses))


def _still(tree):
    return jax.tree.map(lambda x: jax.lax.stop_gradient(x) if eqx.is_array(x) else x, tree)


def _best(network, name, activations):
    """The state of a layer in which the energy is least, given the other activations."""
    for layers, index in network.edges:
        synapse = network.synapses[index]
        if not isinstance(synapse, SimilaritySynapse) or synapse.linear[0] or layers[0] != name:
            continue
        settled = synapse.settle(activations[layers[1]].reshape(-1))
        return settled.astype(activations[name].dtype).reshape(activations[name].shape)
    return drives(network, activations, (name,))[name]


def _activations(network, states):
    return {name: network.neurons[name].activation(states[name]) for name in network.names}
