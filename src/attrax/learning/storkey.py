"""Storkey's rule: Hebb's, less what a pattern's own fields say already."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import products
from ..spaces.units import Units
from ..stores.matrix import MatrixMemory
from .rules import AbstractIncrementalRule, checked_patterns, written


class Storkey(AbstractIncrementalRule):
    """W_ij += (1/d) (ξ_i ξ_j − ξ_i h_ji − h_ij ξ_j), where h_ij = Σ_{k ≠ i, j} W_ik ξ_k.

    For signs. The W in h is that before the pattern. The rule to take where a local and incremental
    one is wanted that holds more than Hebb's, d/√(2 ln d) random patterns without errors. What it
    makes depends on the order of the patterns, and none can be removed (`memory.remove` is for
    Hebb's rule). The matrix is symmetric, and 1/d is the memory's `scale`.

    A pattern costs O(d²): with a_i = Σ_{k ≠ i} W_ik ξ_k and W° the matrix without its diagonal,
    the sum is W + (1/d) (ξξᵀ − ξaᵀ − aξᵀ + 2 W°).

    **Raises:** see `AbstractRule`.

    **Source:** [storkey1997increasing]
    """

    units: ClassVar[Units] = "signs"

    def __call__(self, patterns: ArrayLike) -> MatrixMemory:
        """A memory of some patterns, shape (N, d), stored one after another."""
        rows = checked_patterns(patterns, self.units)
        return MatrixMemory(
            _stored(rows),
            scale=1 / rows.shape[1],
            units=self.units,
            symmetry="symmetric",
            rule=self.mark,
        )

    def write(self, memory: MatrixMemory, pattern: ArrayLike) -> MatrixMemory:
        """A memory with one more pattern, shape (d,)."""
        memory, pattern = written(self, memory, pattern, lambda width: 1 / width)
        matrix = _added(memory.matrix, pattern)
        return dataclasses.replace(memory, matrix=matrix, symmetry="symmetric")


@jax.jit
def _added(matrix: Float[Array, "d d"], pattern: Float[Array, " d"]) -> Float[Array, "d d"]:
    """The matrix d W after one more pattern."""
    width = pattern.shape[0]
    own = jnp.diagonal(matrix)
    sums = (products(matrix, pattern) - own * pattern) / width
    mixed = pattern[:, None] * sums[None]
    # Summed with its transpose first, so that rounding keeps the matrix symmetric.
    change = pattern[:, None] * pattern[None] - (mixed + mixed.T)
    return matrix + change + (2 / width) * (matrix - jnp.diag(own))


@jax.jit
def _stored(rows: Float[Array, "n d"]) -> Float[Array, "d d"]:
    empty = jnp.zeros((rows.shape[1], rows.shape[1]), rows.dtype)
    return jax.lax.scan(lambda matrix, row: (_added(matrix, row), None), empty, rows)[0]
