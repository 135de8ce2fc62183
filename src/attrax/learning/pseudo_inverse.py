"""The pseudo-inverse rule: the projection onto the span of the patterns."""

import dataclasses
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import products
from ..common.checks import is_concrete
from ..spaces.units import Units
from ..stores.matrix import MatrixMemory
from .rules import AbstractIncrementalRule, checked_patterns, written

_REMEDY = "Leave them out, or pass dependent='ignore', which stores their span"


class PseudoInverse(AbstractIncrementalRule):
    """W = Ξᵀ(ΞΞᵀ)⁻¹Ξ, the projection onto the span of the patterns, rows of Ξ: W ξ = ξ for each.

    For signs. The rule for correlated patterns, images for one, and for high loads: nearly
    d independent patterns are without error, whatever their overlaps. Their drives are
    (1 − W_ii) ξ_i, which rounding exceeds at the last few. A tenth of the entries wrong is repaired
    to a load of 0.4, less beyond. The diagonal, which the memory leaves out of drives, would hold
    any state in place as the load nears one. It is not local.

    A pattern is written by its residual r = ξ − W ξ as W + r rᵀ/(rᵀr), in O(d²) and exactly. What
    an outer product would take away is not what was written: `memory.remove` is for Hebb's rule.

    **Arguments:**

    - `dependent`: what is done with patterns that are linear combinations of others: "error", or
      "ignore", which leaves the span as it is. Under jit nothing can be raised, and "error" does
      the same.

    **Raises:** `ValueError` for dependent patterns, which it names; see also `AbstractRule`.

    **Source:** [personnaz1985information]
    """

    dependent: str = eqx.field(static=True, default="error")
    units: ClassVar[Units] = "signs"

    def __check_init__(self):
        if self.dependent not in ("error", "ignore"):
            raise ValueError(
                f"`dependent` must be 'error' or 'ignore', but it is {self.dependent!r}."
            )

    def __call__(self, patterns: ArrayLike) -> MatrixMemory:
        """A memory of some patterns, shape (N, d)."""
        rows = checked_patterns(patterns, self.units)
        matrix, rank = _projection(rows)
        if self.dependent == "error" and is_concrete(rank) and int(rank) < rows.shape[0]:
            excess = rows.shape[0] - int(rank)
            found = np.sort(np.argsort(np.asarray(_residuals(rows)))[:excess])
            named = ", ".join(map(str, found[:10])) + (", ..." if excess > 10 else "")
            raise ValueError(
                f"`patterns` are linearly dependent: rows {named} ({excess} of {rows.shape[0]}) "
                f"are combinations of rows before them. {_REMEDY}."
            )
        return MatrixMemory(matrix, units=self.units, symmetry="positive", rule=self.mark)

    def write(self, memory: MatrixMemory, pattern: ArrayLike) -> MatrixMemory:
        """A memory with one more pattern, shape (d,)."""
        memory, pattern = written(self, memory, pattern, lambda width: 1.0)
        matrix, _, new = _added(memory.matrix, pattern)
        if self.dependent == "error" and is_concrete(new) and not bool(new):
            raise ValueError(
                "`pattern` is a linear combination of patterns that are stored: nothing would be "
                f"written. {_REMEDY}."
            )
        return dataclasses.replace(memory, matrix=matrix)


@jax.jit
def _projection(rows: Float[Array, "n d"]):
    """The projection and the number of independent rows."""
    # Unlike ΞΞᵀ, whose condition is the square of that of Ξ, it loses no digits.
    _, values, directions = jnp.linalg.svd(rows, full_matrices=False)
    kept = values > _rounding(rows) * values[0]
    directions = jnp.where(kept[:, None], directions, 0.0)
    return directions.T @ directions, jnp.sum(kept)


@jax.jit
def _added(matrix: Float[Array, "d d"], pattern: Float[Array, " d"]):
    """The projection onto one direction more, the residual's share, and whether there is one."""
    residual = pattern - products(matrix, pattern)
    # What rounding has left of the span would be amplified.
    residual = residual - products(matrix, residual)
    square = jnp.sum(jnp.square(residual))
    share = jnp.sqrt(square / pattern.shape[0])
    new = share > _rounding(matrix)
    unit = jnp.where(new, residual / jnp.sqrt(jnp.where(new, square, 1.0)), 0.0)
    return matrix + unit[:, None] * unit[None], share, new


@jax.jit
def _residuals(rows: Float[Array, "n d"]) -> Float[Array, " n"]:
    """How much of each row is new after the rows before it, as a share."""

    def step(matrix, row):
        matrix, share, _ = _added(matrix, row)
        return matrix, share

    empty = jnp.zeros((rows.shape[1], rows.shape[1]), rows.dtype)
    return jax.lax.scan(step, empty, rows)[1]


def _rounding(array: Float[Array, "n d"]) -> float:
    """The share below which a direction is rounding."""
    return 4 * max(array.shape) * float(jnp.finfo(array.dtype).eps)
