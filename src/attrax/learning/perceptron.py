"""The perceptron rule: each unit learns to hold its side of every pattern."""

import functools
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import inverse
from ..common.checks import is_concrete, number, whole_number
from ..spaces.units import Units
from ..stores.matrix import MatrixMemory
from .rules import AbstractRule, checked_memory, checked_patterns


def _checked_margin(margin: Any) -> Array:
    array = number("margin", margin)
    if is_concrete(array) and not 0 <= float(array) < float("inf"):
        raise ValueError(f"`margin` must be finite and not negative, but it is {float(array)}.")
    return array


def _checked_epochs(epochs: Any) -> int:
    return whole_number("max_epochs", epochs)


class Perceptron(AbstractRule):
    """W_ij += ξ_i ξ_j (i ≠ j) where ξ_i h_i ≤ κ |W_i|, pattern after pattern, until none is.

    For signs. h = W ξ, and |W_i| is the norm of unit i's couplings: every stability
    γ_i = ξ_i h_i/|W_i| ends above the margin κ. Such couplings are found in a finite number of
    steps if there are any of a somewhat larger margin. For random patterns that is so up to a load
    of 2 with κ = 0, and of 0.52 with κ = 1: `attrax.theory.gardner_capacity`.

    Takes the highest loads of all rules, at the price of passing through the patterns many times,
    more often the nearer to capacity. A margin makes basins: without one a pattern is at rest, but
    little damage is repaired. The matrix is of whole numbers with a zero diagonal, and 1/d is the
    memory's `scale`; there is no rate, which from an empty matrix would multiply it and nothing
    else.

    Units learn apart from each other, so the matrix is not symmetric and has no energy. With
    `symmetric`, W_ij also takes the correction of unit j: an energy, at a lower capacity.

    **Arguments:**

    - `margin`: κ ≥ 0.
    - `max_epochs`: how often the patterns are passed through at most, ≥ 1.
    - `symmetric`: whether corrections are made on both sides of a coupling.
    - `partial`: whether couplings that do not hold all patterns are returned too. `stabilities`
      shows which they hold.

    **Raises:** `ValueError` if some units are not stable after `max_epochs`, unless `partial`, or
    under jit, where nothing can be raised; see also `AbstractRule`.

    **Source:** [gardner1988space]
    """

    margin: Float[Array, ""] = eqx.field(converter=_checked_margin, default=0.0)
    max_epochs: int = eqx.field(static=True, converter=_checked_epochs, default=1000)
    symmetric: bool = eqx.field(static=True, default=False)
    partial: bool = eqx.field(static=True, default=False)
    units: ClassVar[Units] = "signs"

    def __call__(self, patterns: ArrayLike) -> MatrixMemory:
        """A memory of some patterns, shape (N, d)."""
        rows = checked_patterns(patterns, self.units)
        margin = self.margin.astype(rows.dtype)
        matrix, unstable = _learnt(rows, margin, self.max_epochs, self.symmetric)
        if not self.partial and is_concrete(unstable) and int(unstable) > 0:
            raise ValueError(
                f"`patterns` are not all stable after max_epochs={self.max_epochs}: "
                f"{int(unstable)} of {rows.size} units are not, at a load of "
                f"{rows.shape[0] / rows.shape[1]:.3g}. Raise `max_epochs`, lower `margin`, store "
                "fewer patterns, or pass partial=True and look at `stabilities`."
            )
        symmetry = "symmetric" if self.symmetric else "none"
        return MatrixMemory(
            matrix,
            scale=1 / rows.shape[1],
            units=self.units,
            symmetry=symmetry,
            rule=self.mark,
        )


def stabilities(memory: MatrixMemory, patterns: ArrayLike) -> Float[Array, "n d"]:
    """γ_i = ξ_i h_i/|W_i|, how firmly each unit of a pattern is held in place; at rest if > 0.

    Works for the memories of all rules; bits V have ξ = 2V − 1. h_i is the drive, threshold and
    all, and |W_i| the norm of the couplings that it is made of. The smallest of a pattern says
    more of its basin than their mean. A unit without couplings has 0.

    **Arguments:**

    - `memory`: a `MatrixMemory` of two-state units.
    - `patterns`: one a row, shape (N, d).

    **Returns:** shape (N, d).

    **Raises:** `ValueError` or `TypeError` for wrong shapes and states, and for other memories.

    **Source:** [gardner1988space]
    """
    memory = checked_memory(memory)
    rows = checked_patterns(patterns, memory.units).astype(memory.dtype)
    if rows.shape[1] != memory.width:
        raise ValueError(
            f"`patterns` must have {memory.width} columns, one a unit of the memory, "
            f"but its shape is {rows.shape}."
        )
    return _stabilities(memory, rows)


@eqx.filter_jit
def _stabilities(memory: MatrixMemory, rows: Float[Array, "n d"]) -> Float[Array, "n d"]:
    matrix = memory.matrix if memory.self_term else _hollow(memory.matrix)
    signs = rows if memory.units == "signs" else 2 * rows - 1
    norms = memory.scale * jnp.linalg.norm(matrix, axis=1)
    return signs * jax.vmap(memory.drive)(rows) * inverse(norms)[None]


@functools.partial(jax.jit, static_argnums=(2, 3))
def _learnt(rows: Float[Array, "n d"], margin, max_epochs: int, symmetric: bool):
    """The couplings times d, and how many units of how many patterns are not stable."""
    start, epoch, finish = (_on_both_sides if symmetric else _apart)(rows, margin)

    def again(carry):
        state, number, _ = carry
        state, changed = epoch(state)
        return state, number + 1, changed

    # Nothing has changed in an epoch: all are stable in the same couplings.
    state, _, moving = jax.lax.while_loop(
        lambda carry: carry[2] & (carry[1] < max_epochs),
        again,
        (start, jnp.zeros((), jnp.int32), jnp.array(True)),
    )
    matrix = finish(state)
    limit = margin * jnp.linalg.norm(matrix, axis=1)
    unstable = jnp.sum(rows * (rows @ matrix.T) <= limit[None])
    # The last epoch may have mended all that it found.
    return matrix, jnp.where(moving, unstable, 0)


def _apart(rows, margin):
    """Units that learn apart from each other: their start, one epoch, and their couplings.

    What is kept is how often, and in which direction, each pattern was added to each unit: its
    fields follow from overlaps of patterns, without the couplings, and their norms from fields.
    """
    width = rows.shape[1]
    overlaps = rows @ rows.T

    def correct(state, row):
        signs, place = row
        added, times, square = state
        # Each addition has raised the self-coupling by one.
        gain = signs * (overlaps[place] @ added) - times
        wrong = (gain <= margin * jnp.sqrt(square)).astype(rows.dtype)
        square = square + wrong * (2 * gain + (width - 1))
        return (added.at[place].add(wrong * signs), times + wrong, square), jnp.any(wrong > 0)

    def epoch(state):
        state, changed = jax.lax.scan(correct, state, (rows, jnp.arange(rows.shape[0])))
        return state, jnp.any(changed)

    def finish(state):
        return _hollow(state[0].T @ rows)

    none = jnp.zeros((width,), rows.dtype)
    return (jnp.zeros_like(rows), none, none), epoch, finish


def _on_both_sides(rows, margin):
    """Units whose corrections are taken over by the other side of each coupling.

    Beside what was added to each unit, the fields of all patterns are kept, which say at once what
    the next pattern to be learnt is. Fields and products with couplings have the diagonal in them.
    """
    count, width = rows.shape
    # Patterns along the last axis, which XLA makes vectors of.
    overlaps, across = rows @ rows.T, rows.T

    def following(state, place):
        """The first pattern from `place` on with a unit that is not stable, or their number."""
        _, fields, times, square = state
        gains, limit = across * fields - 2 * times[:, None], margin * jnp.sqrt(square)
        wrong = jnp.any(gains <= limit[:, None], axis=0)
        found = wrong & (jnp.arange(count) >= place)
        return jnp.where(jnp.any(found), jnp.argmax(found), count).astype(jnp.int32)

    def correct(state, place):
        added, fields, times, square = state
        signs = rows[place]
        gain = signs * fields[:, place] - 2 * times
        wrong = (gain <= margin * jnp.sqrt(square)).astype(rows.dtype)
        turn = wrong * signs
        along = rows @ turn

        def grown():
            """The squares of norms of W + uξᵀ + ξuᵀ, off the diagonal, for a change u."""
            pulled = added.T @ along + rows.T @ (added @ turn)
            inner = wrong * (gain - 2 * times) + signs * pulled
            others = jnp.sum(wrong) - wrong
            return square + 2 * inner + wrong * (width - 1 + 2 * others) + others

        # Without a margin norms do not matter.
        square = jax.lax.cond(margin > 0, grown, lambda: square)
        fields = fields + turn[:, None] * overlaps[place][None] + signs[:, None] * along[None]
        return added.at[place].add(turn), fields, times + wrong, square

    def epoch(state):
        first = following(state, 0)

        def learn(carry):
            state, place = carry
            state = correct(state, place)
            return state, following(state, place + 1)

        state, _ = jax.lax.while_loop(lambda carry: carry[1] < count, learn, (state, first))
        return state, first < count

    def finish(state):
        half = state[0].T @ rows
        return _hollow(half + half.T)

    none = jnp.zeros((width,), rows.dtype)
    return (jnp.zeros_like(rows), jnp.zeros_like(across), none, none), epoch, finish


def _hollow(matrix):
    return matrix - jnp.diag(jnp.diagonal(matrix))
