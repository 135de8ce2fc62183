"""Episodic memory: sequences as chains of metastable states, driven by a slow copy of the state."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import accumulate
from ..common.checks import as_floats, is_concrete, native, number, positive, whole_number
from ..hierarchical import (
    AbstractLagrangian,
    DelayedMemory,
    DenseSynapse,
    HierarchicalMemory,
    Neurons,
)
from ..separation import AbstractSeparation, Softmax


def transition_graph(
    sequences: Sequence[ArrayLike | Sequence[int]], count: int | None = None, *, cyclic: bool = True
) -> Float[Array, "n n"]:
    """G, with G_ij = 1 if memory j follows memory i in one of the sequences, and else 0.

    ```python
    transition_graph([[0, 1, 2], [3, 4, 5, 6]])  # a cycle of three memories and one of four
    ```

    **Arguments:**

    - `sequences`: the rows of the memories in the order in which they follow one another, a list
      of indices for each sequence.
    - `count`: N, how many memories there are; one more than the largest index if `None`.
    - `cyclic`: whether the first memory of a sequence follows the last.

    **Returns:** shape (N, N). A memory that two others may follow is left to the one that the state
    happens to be nearer to.

    **Raises:** `TypeError` or `ValueError` for indices that are no memories, and empty sequences.

    **Source:** [karuvally2023general]
    """
    chains = [_chain(i, sequence) for i, sequence in enumerate(_listed(sequences))]
    largest = max(int(chain.max()) for chain in chains)
    total = largest + 1 if count is None else whole_number("count", count)
    if largest >= total:
        raise ValueError(
            f"`sequences` name memory {largest}, but `count` is {total}: indices are from 0 to "
            f"{total - 1}."
        )
    graph = np.zeros((total, total), np.float32)
    for chain in chains:
        graph[chain[:-1], chain[1:]] = 1
        if cyclic:
            graph[chain[-1], chain[0]] = 1
    return jnp.asarray(graph)


def episodic_memory(
    patterns: ArrayLike,
    transitions: ArrayLike,
    *,
    hidden: AbstractSeparation | AbstractLagrangian | None = None,
    features: AbstractSeparation | AbstractLagrangian | None = None,
    self_strength: ArrayLike = 1.0,
    cross_strength: ArrayLike = 0.7,
    gain: ArrayLike = 7.0,
    delay: ArrayLike = 100.0,
) -> DelayedMemory:
    """Sequences of patterns: each is held for a while, until a delayed copy of it calls the next.

        ẋ = √α_s Ξᵀ f − x,   f = ∇L_h(h),   h = √α_s Ξ g + α_c Gᵀ Ξ x_d,
        T ẋ_d = β g − x_d,   g = ∇L(x)

    with time in units of the features' time constant. At fixed x_d the features descend an energy,
    `energy_at_delay`. The delay fills with the pattern that is held, which raises h of the next,
    until this wins: if A = α_c β/√α_s is above one, see `theory.episodic_strength`, after the time
    that `theory.episodic_dwell` gives.

    ```python
    memory = models.episodic_memory(patterns, models.transition_graph([[0, 1, 2], [3, 4]]))
    attrax.retrieve(memory, cue, dynamics.Euler(0.05, max_steps=4000), path=True)
    ```

    The Dense Sequential Episodic Memory (DSEM) has a softmax of hidden neurons. The Linear
    Interaction one (LISEM) has `hidden=Quadratic()` and `features=Tanh()`: then
    ẋ = α_s ΞᵀΞ g + α Ξᵀ Gᵀ Ξ x_d − x with α = √α_s α_c.

    **Arguments:**

    - `patterns`: the rows of Ξ, shape (N, d), entries usually −1 and +1.
    - `transitions`: G, shape (N, N): G_ij > 0 if pattern j follows i; see `transition_graph`.
    - `hidden`: separation or Lagrangian L_h of the hidden neurons, one a pattern. `Softmax` with
      an inverse temperature of 100 over the mean |pattern|² if `None`, which is nearly the best.
    - `features`: separation or Lagrangian L of the features; `Quadratic()` if `None`.
    - `self_strength`: α_s > 0, by which a pattern drives itself.
    - `cross_strength`: α_c ≥ 0, by which a delayed pattern drives the next. At zero this is the
      modern Hopfield network.
    - `gain`: β > 0, by which the delay layer multiplies what it follows.
    - `delay`: T > 0, the time constant of the delay layer in units of the features'.

    **Returns:** a `DelayedMemory` with the layers "features" (d,), "hidden" (N,), which is fast,
    and "delay" (d,), which starts at zero.

    **Raises:** `ValueError` or `TypeError` for wrong shapes, a negative transition, and strengths
    out of their bounds.

    **Source:** [karuvally2023general]
    """
    rows = as_floats("patterns", patterns, ndim=2)
    if rows.size == 0:
        raise ValueError(f"`patterns` are empty: their shape is {rows.shape}.")
    graph = _checked_graph(transitions, len(rows)).astype(rows.dtype)
    wide = accumulate(rows.dtype)
    if hidden is None:
        mean = jnp.mean(jnp.sum(jnp.square(rows.astype(wide)), axis=-1))
        if is_concrete(mean) and float(mean) == 0:
            raise ValueError("`patterns` are all zero; there is nothing to tell apart.")
        hidden = Softmax(100 / mean)
    root = jnp.sqrt(positive("self_strength", self_strength))
    cross = number("cross_strength", cross_strength)
    if is_concrete(cross) and not 0 <= float(cross) < np.inf:
        raise ValueError(
            f"`cross_strength` must be at least 0 and finite, but it is {float(cross)}."
        )
    shifted = jnp.matmul(graph.T.astype(wide), rows.astype(wide))
    neurons = {
        "features": Neurons(rows.shape[1], features),
        "hidden": Neurons(len(rows), hidden, tau=0.0),
        "delay": Neurons(rows.shape[1]),
    }
    synapses = {
        ("features", "hidden"): DenseSynapse((root.astype(wide) * rows).astype(rows.dtype)),
        ("delay", "hidden"): DenseSynapse((cross.astype(wide) * shifted).astype(rows.dtype)),
    }
    network = HierarchicalMemory(neurons, synapses)
    return DelayedMemory(network, "delay", "features", tau=delay, gain=gain)


def _checked_graph(transitions, count: int) -> Array:
    graph = as_floats("transitions", transitions, ndim=2)
    if graph.shape != (count, count):
        raise ValueError(
            f"`transitions` must have shape {(count, count)}, a row and a column for each of "
            f"{count} patterns, but its shape is {graph.shape}; make it by transition_graph."
        )
    if is_concrete(graph) and (np.asarray(graph) < 0).any():
        raise ValueError(
            f"`transitions` must not be negative, but one is {np.asarray(graph).min():g}."
        )
    return graph


def _listed(sequences) -> list:
    if isinstance(sequences, str) or not isinstance(sequences, Sequence | np.ndarray):
        raise TypeError(
            "`sequences` must be a list of sequences of indices, such as [[0, 1, 2], [3, 4]], "
            f"but it is {type(sequences).__name__}."
        )
    if not len(sequences):
        raise ValueError("`sequences` are empty: name at least one, such as [[0, 1, 2]].")
    return list(sequences)


def _chain(place: int, sequence) -> np.ndarray:
    chain = np.asarray(native(f"sequences[{place}]", sequence))
    if chain.ndim != 1 or not chain.size:
        raise ValueError(
            f"`sequences[{place}]` must be indices in a row, such as [0, 1, 2], but its shape is "
            f"{chain.shape}."
        )
    if chain.dtype.kind not in "iu":
        raise TypeError(
            f"`sequences[{place}]` must hold whole numbers, the rows of memories, not "
            f"{chain.dtype}."
        )
    if chain.min() < 0:
        raise ValueError(
            f"`sequences[{place}]` must hold indices from 0, but one is {chain.min()}."
        )
    return chain
