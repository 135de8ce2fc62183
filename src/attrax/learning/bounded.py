"""Hebb's rule with bounded couplings: a memory that forgets what is old."""

import dataclasses
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.checks import positive
from ..spaces.units import Units
from ..stores.matrix import MatrixMemory
from .rules import AbstractIncrementalRule, checked_patterns, written


def _checked_bound(bound: Any) -> Array:
    return positive("bound", bound)


class BoundedHebb(AbstractIncrementalRule):
    """W_ij ← clip(W_ij + ξ_i ξ_j, −A√d, A√d) for one pattern ξ after another: couplings saturate.

    For signs. New patterns overwrite old ones, so that the last few can be recalled however many
    were written, where the sum of `Hebb` loses all of them at once. With A near 0.4 these are most,
    about 0.05 d. A large A is Hebb's rule until couplings reach it.

    The order of the patterns counts, and none can be removed. 1/d is the memory's `scale`.

    **Arguments:**

    - `bound`: A > 0, in units of √d products.

    **Raises:** `ValueError` for a bound that is not positive; see also `AbstractRule`.

    **Source:** [parisi1986memory]
    """

    bound: Float[Array, ""] = eqx.field(converter=_checked_bound, default=0.4)
    units: ClassVar[Units] = "signs"

    def __call__(self, patterns: ArrayLike) -> MatrixMemory:
        """A memory of some patterns, shape (N, d), stored one after another."""
        rows = checked_patterns(patterns, self.units)
        return MatrixMemory(
            _stored(rows, self.bound.astype(rows.dtype)),
            scale=1 / rows.shape[1],
            units=self.units,
            symmetry="symmetric",
            rule=self.mark,
        )

    def write(self, memory: MatrixMemory, pattern: ArrayLike) -> MatrixMemory:
        """A memory with one more pattern, shape (d,)."""
        memory, pattern = written(self, memory, pattern, lambda width: 1 / width)
        matrix = _added(memory.matrix, pattern, self.bound.astype(memory.dtype))
        return dataclasses.replace(memory, matrix=matrix, symmetry="symmetric")


@jax.jit
def _added(matrix: Float[Array, "d d"], pattern: Float[Array, " d"], bound) -> Float[Array, "d d"]:
    limit = bound * pattern.shape[0] ** 0.5
    return jnp.clip(matrix + pattern[:, None] * pattern[None], -limit, limit)


@jax.jit
def _stored(rows: Float[Array, "n d"], bound) -> Float[Array, "d d"]:
    empty = jnp.zeros((rows.shape[1], rows.shape[1]), rows.dtype)
    return jax.lax.scan(lambda matrix, row: (_added(matrix, row, bound), None), empty, rows)[0]
