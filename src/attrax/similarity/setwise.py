"""Similarities that compare sets of entries: cumulative Euclidean distance."""

from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from ..common.arithmetic import Range, accumulate, range_scale
from ..common.arrays import native
from ..common.checks import is_concrete
from .base import AbstractSimilarity
from .distances import root

# Sets whose distances are taken together, so that memory does not grow with their number.
_SETS_A_STEP = 64


class CumulativeEuclidean(AbstractSimilarity):
    """s = −(1/n) Σ_σ |k_σ − q_σ|, the mean Euclidean distance over sets σ of entries.

    A difference in one entry is seen by all sets that it is in, and one in several entries of a set
    counts less than in as many sets: of single entries it is Manhattan's distance, of one set of
    all entries Euclid's.

    No state term; no centroid in closed form, hence no energy under a read.

    ```python
    simplices = attrax.models.random_simplices(784, {1: 1000, 2: 1000}, key=key)
    memory = attrax.Memory(patterns, similarity=CumulativeEuclidean(simplices))
    ```

    **Arguments:**

    - `simplices`: indices of the entries of each set, an array (n, k) for each size k ≥ 1 of sets,
      such as those of `attrax.models.random_simplices(width, counts, key=key)`.

    **Raises:** `TypeError` or `ValueError` for what are no such arrays; on a call `ValueError` for
    keys with fewer entries than the sets name.

    **Source:** [burns2023simplicial]
    """

    simplices: tuple[Int[Array, "n k"], ...]
    terms: ClassVar = "differences"
    range: ClassVar[Range] = "non-positive"
    rowwise: ClassVar[bool] = True
    centroid: ClassVar = None

    def __init__(self, simplices: Any):
        if not isinstance(simplices, Sequence) or len(simplices) == 0:
            raise TypeError(
                "`simplices` must be arrays of indices, one for each size of sets, but it is "
                f"{type(simplices).__name__}."
            )
        arrays = [native(f"simplices[{i}]", sets) for i, sets in enumerate(simplices)]
        for i, sets in enumerate(arrays):
            whole = sets.dtype.kind in "iu" and sets.ndim == 2 and sets.size > 0
            if not whole or (is_concrete(sets) and np.min(np.asarray(sets)) < 0):
                raise ValueError(
                    f"`simplices[{i}]` must be indices of entries, from 0, a set in each row, but "
                    f"it is an array of {sets.dtype} and shape {sets.shape}."
                )
        self.simplices = tuple(jnp.asarray(sets, jnp.int32) for sets in arrays)

    def __call__(self, keys, query, weight=None):
        """See `AbstractSimilarity.__call__`."""
        for sets in self.simplices:
            if is_concrete(sets) and (most := int(np.max(np.asarray(sets)))) >= keys.shape[1]:
                raise ValueError(
                    f"The sets of CumulativeEuclidean name entry {most}, but keys have "
                    f"{keys.shape[1]}."
                )
        dtype = accumulate(keys.dtype)
        # Squares of differences may be out of the range of floats, and scaled ones are not.
        sizes = range_scale(keys, weight)[:, 0], range_scale(query, weight)
        scale = jnp.minimum(*sizes)
        differences = (keys.astype(dtype) - query.astype(dtype)[None]).T * scale[None]
        squares = jnp.square(differences)
        if weight is not None:
            counts = weight.astype(dtype)[:, None]
            squares = jnp.where(counts == 0, 0.0, counts * squares)
        total = jnp.zeros(keys.shape[:1], dtype)
        for sets in self.simplices:
            total = total + _summed(squares, sets)
        return -total / (scale * sum(len(sets) for sets in self.simplices))


def _summed(squares, sets):
    """Σ_σ (Σ_{i∈σ} squares_i)^(1/2) for each row, some sets a step."""

    @jax.checkpoint
    def several(sets):
        lengths = squares[sets[:, 0]]
        for place in range(1, sets.shape[1]):
            lengths = lengths + squares[sets[:, place]]
        return jnp.sum(root(lengths), axis=0)

    steps, width = divmod(len(sets), _SETS_A_STEP)
    whole = sets[: steps * _SETS_A_STEP].reshape(steps, _SETS_A_STEP, sets.shape[1])
    zero = jnp.zeros(squares.shape[1:], squares.dtype)
    total = jax.lax.scan(lambda total, sets: (total + several(sets), None), zero, whole)[0]
    return total + several(sets[steps * _SETS_A_STEP :]) if width else total
