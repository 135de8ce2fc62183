"""Large associative memories: feature and memory neurons in the four models of the theory.

τ_f v̇ = ξᵀf − v + I and τ_h ḣ = ξg − h, with the rows of ξ as memories. The models differ in the
Lagrangians of the two layers, and so in g and f.
"""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.checks import as_floats, positive
from ..hierarchical import (
    Absolute,
    AbstractLagrangian,
    DenseSynapse,
    HierarchicalMemory,
    Neurons,
    Quadratic,
    SphericalNorm,
    Tanh,
)
from ..hierarchical.synapses import at
from ..separation import AbstractSeparation, Exponential, Power, Softmax

Activation = AbstractSeparation | AbstractLagrangian


def binary_dense_memory(
    memories: ArrayLike,
    separation: Activation | None = None,
    *,
    gain: ArrayLike | None = None,
    tau: float = 0.0,
    input: ArrayLike | None = None,
) -> HierarchicalMemory:
    """Model A, the dense associative memory: binary features, E = −Σ_μ F(ξ_μ·σ).

    Features are signs, or tanh of a finite gain, its smooth form. F is the potential of the
    separation: `Identity()` is the classical Hopfield network, a rectified `Power(n − 1)` a dense
    memory of degree n, and `Exponential()` the exponential one. Signs jump: run them with
    `Iterate` or `Coordinates`, and smooth features with any dynamics.

    It has the energy of `dense_memory`, which keeps no neurons: its units compare the energies of
    their two states, and the memories in blocks. That one is for patterns of ±1 as such; this one
    is for smooth features, finite time constants, and memories that are real numbers.

    **Arguments:**

    - `memories`: ξ, rows to be stored, shape (N, d), usually of −1 and +1.
    - `separation`: f = F′, a separation or a Lagrangian; `Power(2, rectified=True)` if `None`.
    - `gain`: of the features tanh(gain · v), > 0, in units of 1/state; `None` for their sign.
    - `tau`: time constant of memory neurons, ≥ 0, in units of the features'; 0 is fast.
    - `input`: I, a constant drive of the features, shape (d,); none if `None`.

    **Returns:** a network with the layers "feature" and "memory".

    **Raises:** `ValueError` or `TypeError` for values outside these bounds.

    **Source:** [krotov2016dense]; [krotov2021large]
    """
    feature = Absolute() if gain is None else Tanh(positive("gain", gain))
    separation = Power(2, rectified=True) if separation is None else separation
    return two_layers(memories, feature, separation, tau, input)


def log_sum_exp_memory(
    memories: ArrayLike,
    beta: ArrayLike = 1.0,
    *,
    tau: float = 0.0,
    input: ArrayLike | None = None,
) -> HierarchicalMemory:
    """Model B, the modern Hopfield network: E = ½|v|² − ln Σ_μ exp(β ξ_μ·v)/β.

    With fast memory neurons a step of Euler's method of the features' time constant is attention,
    v ← ξᵀ softmax(β ξ v).

    **Arguments:**

    - `memories`: ξ, rows to be stored, shape (N, d).
    - `beta`: inverse temperature β > 0, in units of 1/(ξ·v).
    - `tau`: time constant of memory neurons, ≥ 0, in units of the features'; 0 is fast.
    - `input`: I, a constant drive of the features, shape (d,); none if `None`.

    **Returns:** a network with the layers "feature" and "memory".

    **Raises:** `ValueError` or `TypeError` for values outside these bounds.

    **Source:** [ramsauer2021hopfield]; [krotov2021large]
    """
    return two_layers(memories, Quadratic(), Softmax(beta), tau, input)


def spherical_memory(
    memories: ArrayLike,
    separation: Activation | None = None,
    *,
    decay: float = 1.0,
    tau: float = 0.0,
    input: ArrayLike | None = None,
) -> HierarchicalMemory:
    """Model C, the spherical memory: g = v/|v| and E = −Σ_μ F(ξ_μ·v/|v|).

    The decay α in τ_f v̇ = ξᵀf − α v is free, for the energy does not change along v. It is built
    in by units: g has radius α, ξ is divided by α, and so is τ_f. Everything that the memory
    neurons see, and the energy, stay as they are.

    **Arguments:**

    - `memories`: ξ, rows to be stored, shape (N, d).
    - `separation`: f = F′, a separation or a Lagrangian; `Exponential()` if `None`.
    - `decay`: α > 0. Without any decay the state grows for ever, so it has no rest.
    - `tau`: time constant of memory neurons, ≥ 0, in units of the features'; 0 is fast.
    - `input`: I, a constant drive of the features, shape (d,); none if `None`.

    **Returns:** a network with the layers "feature" and "memory"; activations of "feature" have
    length α.

    **Raises:** `ValueError` or `TypeError` for values outside these bounds.

    **Source:** [krotov2021large]
    """
    decay = float(positive("decay", decay))
    feature = SphericalNorm(decay, epsilon=0.0)
    separation = Exponential() if separation is None else separation
    drive = None if input is None else as_floats("input", input, ndim=1) / decay
    rows = as_floats("memories", memories, ndim=2) / decay
    return two_layers(rows, feature, separation, tau, drive, own=1 / decay)


def effective_energy(
    network: HierarchicalMemory,
    states: Mapping[str, ArrayLike],
    layer: str = "memory",
) -> Float[Array, ""]:
    """The energy of the other layers once one layer is fast: it leaves −L(pull) behind.

    A layer with τ → 0 sits at its pull x, where its own energy x·g − L(x) and that of its
    synapses, −x·g, add up to −L(x). So this is also the energy of the same network with
    `tau=0` there.

    **Arguments:**

    - `network`: any network.
    - `states`: one array for each of the other layers, in its shape; that of `layer` is not
      looked at.
    - `layer`: the name of the layer that is fast.

    **Returns:** a scalar.

    **Raises:** `ValueError` for a layer that is not there, is held, or meets a synapse that is
    not linear in it; `TypeError` for states without names; `NoEnergyError` where the network has
    no energy.
    """
    if not isinstance(states, Mapping):
        raise TypeError(
            f"`states` must map names of layers to arrays, but it is {type(states).__name__}."
        )
    if layer not in network.names:
        known = ", ".join(repr(name) for name in network.names)
        raise ValueError(f"`layer` is {layer!r}, but the layers are {known}.")
    neurons = network.neurons[layer]
    if neurons.clamped is not None:
        raise ValueError(f"`layer` {layer!r} is clamped, so it does not follow from the others.")
    touching = set()
    for part, (layers, index) in zip(network.parts, network.edges, strict=True):
        if layer not in layers:
            continue
        touching.add(part)
        synapse = network.synapses[index]
        if not at(synapse.linear, layers.index(layer)):
            raise ValueError(
                f"`layer` {layer!r} does not follow from the others: {type(synapse).__name__} is "
                "not linear in its activation."
            )
    # Its pull does not depend on its own state, for all its synapses are linear in it.
    others = {
        name: as_floats(name, state, finite=False)
        for name, state in states.items()
        if name != layer
    }
    pulled = network.pull({**others, layer: jnp.zeros(neurons.shape, network.dtype)})[layer]
    parts = network.energies({**others, layer: pulled})
    rest = [energy for name, energy in sorted(parts.items()) if name not in {layer, *touching}]
    return jnp.sum(jnp.stack([*rest, -neurons.lagrangian.value(pulled)]))


def two_layers(
    memories: ArrayLike, feature: Any, memory: Any, tau: float, drive: Any, own: float = 1.0
) -> HierarchicalMemory:
    """Feature and memory neurons of the given activations, joined by the memories.

    **Arguments:**

    - `memories`: ξ, shape (N, d).
    - `feature`, `memory`: of the two layers, Lagrangians or separations.
    - `tau`, `own`: time constants of memory and feature neurons.
    - `drive`: a constant drive of the features, shape (d,), or `None`.

    **Raises:** `ValueError` or `TypeError` for values that make no network.
    """
    rows = as_floats("memories", memories, ndim=2)
    if rows.size == 0:
        raise ValueError(f"`memories` are empty: their shape is {rows.shape}.")
    neurons = {
        "feature": Neurons(rows.shape[1], feature, own, drive),
        "memory": Neurons(rows.shape[0], memory, tau),
    }
    return HierarchicalMemory(neurons, {("feature", "memory"): DenseSynapse(rows)})
