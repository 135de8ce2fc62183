"""A memory of rows as a two-layer network."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from ..common.checks import is_concrete
from ..separation import AbstractSeparation
from ..similarity import AbstractSimilarity
from .dense import DenseSynapse
from .memory import HierarchicalMemory
from .neurons import Neurons
from .similar import SimilaritySynapse


def tied_network(memory: Any, *, tau: float = 0.0) -> HierarchicalMemory:
    """The network of a `Memory`; see `Memory.as_network`."""
    if memory.heteroassociative:
        raise ValueError(
            "This memory reads values for its keys, and a network has an energy of one kind of "
            "state only: make one of the keys, Memory(keys).as_network(), and read values from "
            "where it rests."
        )
    keys, filled = memory.keys, memory.filled
    if filled is not None:
        if not is_concrete(filled):
            raise ValueError(
                "How many memory neurons there are depends on `filled`, which is not known under "
                "jit; call as_network() outside."
            )
        if not bool(jnp.any(filled)):
            raise ValueError("This memory has no rows left; write one before as_network().")
        keys = keys[filled]
    return two_layers(keys, memory.similarity, memory.separation, tau=tau)


def two_layers(
    keys: Float[Array, "n d"],
    similarity: AbstractSimilarity,
    separation: AbstractSeparation,
    *,
    tau: float = 0.0,
) -> HierarchicalMemory:
    """Value neurons of the keys' width, joined with one memory neuron a key.

    The joint is a `DenseSynapse` wherever the energy is bilinear: for dot products, and for
    −½|k−v|² under a separation that ignores what is added to all scores, since ½|v|² then
    becomes the value layer's own energy and −½|k|² the memory layer's input. It is a
    `SimilaritySynapse` otherwise.

    **Arguments:**

    - `keys`: stored rows, shape (N, d).
    - `similarity`: how they are compared with the value layer.
    - `separation`: the activation of memory neurons.
    - `tau`: time constant of memory neurons, in units of the value neurons'; 0 is fast.

    **Returns:** a network with the layers "value" and "memory".
    """
    synapse, bias = DenseSynapse(keys), None
    if similarity.bilinear == "shifted" and separation.ignores_shifts:
        bias = similarity(keys, keys[0] * 0)
    elif similarity.bilinear != "plain":
        synapse = SimilaritySynapse(similarity, keys)
    neurons = {"value": Neurons(keys.shape[1]), "memory": Neurons(len(keys), separation, tau, bias)}
    return HierarchicalMemory(neurons, {("value", "memory"): synapse})
