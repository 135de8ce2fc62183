"""Memories of sequences: linear, polynomial, exponential, mixed, and of graded patterns."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from ..common.checks import as_floats
from ..separation import AbstractSeparation
from ..similarity import AbstractSimilarity
from ..spaces.units import Units
from ..stores.sequences import SequenceMemory


def sequence_memory(
    patterns: ArrayLike | Sequence[ArrayLike],
    separation: AbstractSeparation | Callable | None = None,
    *,
    similarity: AbstractSimilarity | Callable | None = None,
    units: Units = "real",
    cyclic: bool = False,
    self_term: bool | None = None,
    hold: AbstractSeparation | Callable | None = None,
    strength: ArrayLike = 2.5,
    trace: ArrayLike | None = None,
    block: int | None = None,
) -> SequenceMemory:
    """A memory of sequences: x ← out(Σ_μ ξ_{μ+1} f(s_μ(x))), run by `attrax.dynamics.Replay`.

    ```python
    memory = sequence_memory(frames)                                   # images, graded vectors
    memory = sequence_memory(signs, Power(2), units="signs")           # polynomial, of −1 and +1
    attrax.retrieve(memory, cues, Replay(steps), path=True)
    ```

    | network | arguments beside the patterns |
    |---|---|
    | linear (SeqNet) | `Identity(), units="signs"` |
    | polynomial (DenseNet) of degree n | `Power(n), units="signs"` |
    | exponential (DenseNet), f = exp(ξ·x) | `units="signs"` |
    | generalised pseudo-inverse | `Power(n), similarity=whitened(patterns), units="signs"` |
    | mixed, flat window of τ + 1 states | `units="signs", hold=Power(n), trace=jnp.ones(τ + 1)` |
    | images, graded vectors | none; or a softmax and a similarity |

    Only the sign of a drive counts for signs, so neither scales nor the norm of weights do.

    **Arguments:**

    - `patterns`: one sequence, shape (P, d), or a list of sequences of any lengths.
    - `separation`: f; `None` is softmax, with the β of `Memory` for real entries and 1 for signs.
    - `cyclic`: whether the last pattern of a sequence is followed by its first. If not, it is
      followed by itself, and a replay rests there.
    - `similarity`, `units`, `self_term`, `hold`, `strength`, `trace`, `block`: as of
      `SequenceMemory`, which says what is mixed.

    **Returns:** a `SequenceMemory`. Make one yourself for transitions that are no sequence: it
    takes patterns and what comes after each.

    **Raises:** as of `SequenceMemory`; `ValueError` for sequences of different widths.

    **Source:** [chaudhry2023long]
    """
    parts = _sequences(patterns)
    lengths = [part.shape[0] for part in parts]
    rows = parts[0] if len(parts) == 1 else jnp.concatenate(parts)
    starts = np.cumsum([0, *lengths[:-1]])
    after = np.arange(sum(lengths)) + 1
    for start, length in zip(starts, lengths, strict=True):
        after[start + length - 1] = start if cyclic else start + length - 1
    return SequenceMemory(
        rows,
        rows[after],
        similarity=similarity,
        separation=separation,
        units=units,
        self_term=self_term,
        hold=hold,
        strength=strength,
        trace=trace,
        block=block,
    )


def _sequences(patterns: Any) -> list[jax.Array]:
    """Each sequence, of shape (P, d) with P ≥ 1."""
    several = isinstance(patterns, list | tuple) and len(patterns) and np.ndim(patterns[0]) == 2
    if not several:
        rows = as_floats("patterns", patterns, ndim=2)
        if rows.size == 0:
            raise ValueError(f"`patterns` are empty: their shape is {rows.shape}.")
        return [rows]
    parts = [as_floats(f"patterns[{i}]", part, ndim=2) for i, part in enumerate(patterns)]
    shapes = [part.shape for part in parts]
    if any(part.size == 0 for part in parts) or len({shape[1] for shape in shapes}) > 1:
        raise ValueError(
            f"`patterns` must be sequences of one width and of at least one pattern, but their "
            f"shapes are {shapes}."
        )
    dtype = jnp.result_type(*parts)
    return [part.astype(dtype) for part in parts]
