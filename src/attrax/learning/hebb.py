"""Hebb's rule, and its form for sparse patterns, which stores covariances."""

import dataclasses
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.buckets import fill, rounded
from ..common.checks import as_floats, is_concrete, number
from ..spaces.units import LEVELS, Units
from ..stores.matrix import MatrixMemory
from .rules import AbstractIncrementalRule, checked_patterns, written


class Hebb(AbstractIncrementalRule):
    """W = (1/d) Σ ξ ξᵀ over the patterns ξ: units that agree are coupled.

    The patterns are signs; of bits V the rule stores the signs ξ = 2V − 1, with zero thresholds, as
    in 1982. The sum is kept in whole numbers and 1/d as the memory's `scale`, so that fields and
    ties are exact.

    This is the rule to start from: it is local and incremental, and a pattern can be removed. It
    stores up to 0.138 d random ±1 patterns with few errors, up to d/(2 ln d) if a given pattern
    must be error-free, and far fewer correlated ones; bits see twice the noise. `PseudoInverse` and
    `Storkey` hold more, and `SparseHebb` is for patterns of few ones.

    **Arguments:**

    - `units`: "signs" (−1 and +1) or "bits" (0 and 1).

    **Raises:** `ValueError` for other units; see also `AbstractRule`.

    **Source:** [hopfield1982neural]
    """

    units: Units = eqx.field(static=True, default="signs")

    def __check_init__(self):
        if self.units not in LEVELS:
            raise ValueError(f"`units` must be 'signs' or 'bits', but it is {self.units!r}.")

    @property
    def mark(self) -> None:
        """None: its memories are plain sums, as `MatrixMemory.write` adds to."""
        return None

    def __call__(self, patterns: ArrayLike) -> MatrixMemory:
        """A memory of some patterns, shape (N, d)."""
        rows = checked_patterns(patterns, self.units)
        signs = rows if self.units == "signs" else 2 * rows - 1
        # Rows of zeros add nothing, and sums of whole numbers do not depend on their order.
        products = _sum_of_products(fill(signs, rounded(len(signs))))
        return MatrixMemory(
            products, scale=1 / rows.shape[1], units=self.units, symmetry="positive"
        )

    def write(self, memory: MatrixMemory, pattern: ArrayLike) -> MatrixMemory:
        """A memory with one more pattern, shape (d,); `memory.remove` undoes it exactly."""
        memory, pattern = written(self, memory, pattern, lambda width: 1 / width)
        return memory.write(pattern)


@jax.jit
def _sum_of_products(rows: Array) -> Array:
    return rows.T @ rows


def _checked_activity(activity: Any) -> Array | None:
    if activity is None:
        return None
    array = number("activity", activity)
    if is_concrete(array) and not 0 < float(array) < 1:
        raise ValueError(
            "`activity` is the share of ones and must lie between 0 and 1, "
            f"but it is {float(array):g}."
        )
    return array


class SparseHebb(AbstractIncrementalRule):
    """W = Σ (V − p)(V − p)ᵀ / (d p(1 − p)), Hebb's rule for bits V of which a share p is one.

    For bits. With pattern V in place, a unit's drive is V − p up to noise of variance αp, α = N/d
    the load: fewer ones, less noise, and the capacity grows as 1/(2p |ln p|) while p falls. The
    threshold that makes the fewest errors in a first step from V is

        θ = ½ − p + αp ln((1 − p)/p),

    halfway between the drives of ones and zeros, and moved to the rarer state. The load in it is
    that of the matrix, so that it follows what is written.

    For sparse codes; at p = ½ it is `Hebb` for bits. With p = 0.05, d = 1000 and half as many
    patterns as units, patterns settle at a correlation of 0.94 with themselves; with 0.3 d of
    them, of 0.99.

    **Arguments:**

    - `activity`: p, in (0, 1). `None` measures it in the patterns; `write` needs it given.
    - `threshold`: θ, one number or shape (d,), in units of the drive; as above if `None`.

    **Raises:** `ValueError` for an activity out of its range, for patterns that are all zeros or
    all ones, and for `write` without an activity; see also `AbstractRule`.

    **Source:** [tsodyks1988enhanced]
    """

    activity: Float[Array, ""] | None
    threshold: Float[Array, "..."] | None
    units: ClassVar[Units] = "bits"

    def __init__(self, activity: ArrayLike | None = None, *, threshold: ArrayLike | None = None):
        self.activity = _checked_activity(activity)
        self.threshold = None if threshold is None else as_floats("threshold", threshold)

    def __call__(self, patterns: ArrayLike) -> MatrixMemory:
        """A memory of some patterns, shape (N, d)."""
        rows = checked_patterns(patterns, self.units)
        if self.activity is None:
            activity = jnp.mean(rows)
            if is_concrete(activity) and float(activity) in (0.0, 1.0):
                raise ValueError(
                    f"`patterns` hold {float(activity):g} alone, so that their activity is no "
                    "share of ones; pass activity=."
                )
        else:
            activity = self.activity.astype(rows.dtype)
        centred = rows - activity
        matrix, scale = centred.T @ centred, _scale(activity, rows.shape[1])
        threshold = self._threshold(matrix, scale, activity)
        return MatrixMemory(
            matrix,
            threshold=threshold,
            scale=scale,
            units=self.units,
            symmetry="positive",
            rule=self.mark,
        )

    def write(self, memory: MatrixMemory, pattern: ArrayLike) -> MatrixMemory:
        """A memory with one more pattern, shape (d,), and the threshold of the higher load."""
        if self.activity is None:
            raise ValueError(
                "`activity` must be given to write one pattern, as in SparseHebb(activity=0.05): "
                "the patterns before it cannot be measured any more."
            )
        given = self.activity
        memory, pattern = written(self, memory, pattern, lambda width: _scale(given, width))
        activity = self.activity.astype(memory.dtype)
        centred = pattern - activity
        matrix = memory.matrix + centred[:, None] * centred[None]
        threshold = self._threshold(matrix, memory.scale, activity)
        return dataclasses.replace(memory, matrix=matrix, threshold=threshold)

    def _threshold(self, matrix, scale, activity):
        given, shape = self.threshold, matrix.shape[:1]
        if given is not None:
            if given.shape not in ((), shape):
                raise ValueError(
                    f"`threshold` must be one number or have shape {shape}, "
                    f"but its shape is {given.shape}."
                )
            return jnp.broadcast_to(given.astype(matrix.dtype), shape)
        # A pattern adds p(1 − p) d to the trace.
        load = scale * jnp.trace(matrix) / matrix.shape[0]
        rarer = load * activity * jnp.log((1 - activity) / activity)
        return jnp.full(shape, 0.5 - activity + rarer)


def _scale(activity, width: int):
    return 1 / (width * activity * (1 - activity))
