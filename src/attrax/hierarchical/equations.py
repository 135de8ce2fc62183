"""The equations of a network: its energy by part, its pulls, and its exact updates."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from .model import States
from .synapses import SimilaritySynapse


@eqx.filter_jit
def energies(network: Any, states: States) -> dict[str, Array]:
    """The energy of each layer and each synapse; of several of the same layers, numbered."""
    parts = {name: network.neurons[name].energy(states[name]) for name in network.names}
    activations = _activations(network, states)
    for synapse in network.synapses:
        name = plain = "-".join(synapse.layers)
        count = 1
        while name in parts:
            count += 1
            name = f"{plain} {count}"
        parts[name] = synapse(*(activations[n] for n in synapse.layers))
    return parts


@eqx.filter_jit
def pulls(network: Any, states: States) -> States:
    """I − ∂E_synapses/∂g of all layers."""
    return drives(network, _activations(network, states), network.names)


@eqx.filter_jit
def relaxed(network: Any, states: States, order: tuple[str, ...]) -> States:
    """The states after an exact update of each layer of `order` in turn."""
    activations = _activations(network, states)
    for name in order:
        states = {**states, name: _best(network, name, activations)}
        activations = {**activations, name: network.neurons[name].activation(states[name])}
    return states


def drives(network: Any, activations: States, names: tuple[str, ...]) -> States:
    """I − ∂E_synapses/∂g of some layers."""

    def energy(moving):
        every = {**activations, **moving}
        parts = [s(*(every[n] for n in s.layers)) for s in network.synapses]
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
    own = [synapse for synapse in network.synapses if name in synapse.layers]
    curved = [s for s in own if not s.linear[s.layers.index(name)]]
    if not curved:
        return None
    if len(own) > 1 or network.neurons[name].input is not None:
        return (
            f"{type(curved[0]).__name__} is not linear in its activation, and other synapses or "
            "an input act on it too."
        )
    if not isinstance(curved[0], SimilaritySynapse):
        return f"{type(curved[0]).__name__} is not linear in its activation."
    return curved[0].lacks_centroid(network.neurons[curved[0].layers[1]])


def _best(network, name, activations):
    """The state of a layer in which the energy is least, given the other activations."""
    for synapse in network.synapses:
        if not isinstance(synapse, SimilaritySynapse) or synapse.linear[0]:
            continue
        if synapse.layers[0] == name:
            settled = synapse.settle(activations[synapse.layers[1]])
            return settled.astype(activations[name].dtype)
    return drives(network, activations, (name,))[name]


def _activations(network, states):
    return {name: network.neurons[name].activation(states[name]) for name in network.names}
