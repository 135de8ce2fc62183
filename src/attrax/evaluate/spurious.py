"""What a state is: a stored pattern, a reversed one, a mixture of several, or none of these."""

from itertools import combinations
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from ..common.arithmetic import accumulate, products
from ..common.checks import as_floats, is_concrete
from ..common.display import facts, results, summed
from ..spaces.units import check_states

# Patterns that are tried beside as many as a mixture has: by chance, one that is not part of the
# mixture may overlap with it more than one that is.
_SPARE = 3

# Entries of all mixtures that are tried for the states of one step.
_ENTRIES = 1 << 20


class StateKind(eqx.Enumeration):
    """What a state of signs is; the texts say what that means."""

    stored = "Stored: the state is a stored pattern."
    reversed = "Reversed: the state is −1 times a stored pattern."
    mixture = "Mixture: the state is the majority, unit by unit, of an odd number of patterns."
    other = "Other: no pattern, and no mixture of those that it overlaps with most."


@results
class States(NamedTuple):
    """What `classify_states` found; leading axes are those of the states.

    - `kind` (...): a `StateKind`; compare with a member, `found.kind == StateKind.mixture`.
    - `count` (...): how many patterns make the state: 1 for stored and reversed ones, 3, 5 or 7
      for mixtures, 0 for others.
    - `index` (..., mixtures): which patterns these are, the largest overlap first; then −1.
    - `sign` (..., mixtures): the sign with which each takes part, −1 or 1; then 0.
    - `overlap` (...): among the overlaps with all patterns that of the largest size, signed.
    - `distance` (...): units in which the state differs from what it is called; for others, from
      the nearest of all that it was compared with.
    """

    kind: Any
    count: Int[Array, "*batch"]
    index: Int[Array, "*batch k"]
    sign: Int[Array, "*batch k"]
    overlap: Float[Array, "*batch"]
    distance: Int[Array, "*batch"]


@facts.register
def _(found: States) -> list[tuple[str, str]]:
    rows = [(name, summed(getattr(found, name))) for name in found._fields[1:]]
    if not is_concrete(found.count):
        return rows
    kinds = ("stored", "reversed", "mixture", "other")
    counts = [(name, int(np.sum(found.kind == getattr(StateKind, name)))) for name in kinds]
    return [("kind", ", ".join(f"{count} {name}" for name, count in counts if count)), *rows]


def classify_states(
    states: ArrayLike, patterns: ArrayLike, *, mixtures: int = 3, tolerance: int = 0
) -> States:
    """Tell stored patterns, their reversals, mixtures and other states apart.

    A mixture is sgn(±ξ₁ ±ξ₂ ±ξ₃), or of 5 or 7 patterns: states in which a network of Hebb's rule
    rests at low load, with an overlap of ½, ⅜ or 5/16 with each of the patterns. What is called a
    mixture is one, unit by unit. To find it, all sets among the `mixtures + 3` patterns of largest
    |overlap| are tried, each with the sign of its overlap. A mixture of random patterns is missed
    only if four others overlap with it by chance more than one of its own, for which d must be
    small; of correlated patterns more may be missed, and are then "other". Where several names
    fit, the kind that comes first above is taken, then the fewest patterns, then the nearest.

    **Arguments:**

    - `states`: where runs ended, shape (..., d), of −1 and +1.
    - `patterns`: what was stored, shape (N, d), of −1 and +1.
    - `mixtures`: the largest number of patterns in a mixture: 3, 5 or 7; 1 looks for none. Of
      fewer patterns than that no mixture can be made.
    - `tolerance`: how many units may differ from what a state is called. Near capacity attractors
      lie some units beside patterns: 1.6 % of them at the limit of Hebb's rule.

    **Returns:** a `States`.

    **Raises:** `ValueError` for shapes that do not go together, empty arrays, graded states, bits,
    an even or too large number of mixtures, and a tolerance that is not a whole number from 0 to
    below d/2; under jit values are not looked at.

    **Source:** [amit1985spin]
    """
    states, patterns = as_floats("states", states), as_floats("patterns", patterns, ndim=2)
    if states.shape[-1:] != patterns.shape[-1:]:
        raise ValueError(
            f"`states` must have {patterns.shape[-1]} entries along their last axis, like "
            f"`patterns`, but their shape is {states.shape}."
        )
    if 0 in (states.size, patterns.size):
        raise ValueError(
            f"`states` or `patterns` are empty: their shapes are {states.shape}, {patterns.shape}."
        )
    if isinstance(mixtures, bool) or mixtures not in (1, 3, 5, 7):
        raise ValueError(f"`mixtures` must be 1, 3, 5 or 7, but it is {mixtures!r}.")
    width = patterns.shape[1]
    whole = isinstance(tolerance, int | np.integer) and not isinstance(tolerance, bool)
    if not whole or not 0 <= 2 * tolerance < width:
        raise ValueError(
            "`tolerance` must be a whole number of units, from 0 to below half of all "
            f"{width}, but it is {tolerance!r}."
        )
    check_states("states", states, "signs")
    check_states("patterns", patterns, "signs")
    # Sums of signs are exact in 32 bits; those of fewer are not.
    dtype = accumulate(jnp.promote_types(states.dtype, patterns.dtype))
    flat = states.astype(dtype).reshape(-1, width)
    allowed = jnp.asarray(tolerance, jnp.int32)
    found = _classified(flat, patterns.astype(dtype), allowed, int(mixtures))
    return jax.tree.map(lambda leaf: leaf.reshape(*states.shape[:-1], *leaf.shape[1:]), found)


@eqx.filter_jit
def _classified(states, patterns, allowed, mixtures: int) -> States:
    number, width = patterns.shape
    pool = min(number, mixtures + _SPARE)
    sets = [_sets(pool, size) for size in range(3, min(mixtures, number) + 1, 2)]

    def classify(inputs):
        state, scores = inputs
        candidates = jax.lax.top_k(jnp.abs(scores), pool)[1]
        signs = jnp.where(scores[candidates] < 0, -1, 1)
        tried = [
            _named(jnp.argmax(scores), 1, mixtures, _distance(jnp.max(scores), width)),
            _named(jnp.argmin(scores), -1, mixtures, _distance(-jnp.min(scores), width)),
        ]
        rows = patterns[candidates] * signs[:, None].astype(patterns.dtype)
        for members in sets:
            sums = jnp.asarray(_indicator(members, pool), patterns.dtype) @ rows
            agreement = products(jnp.sign(sums), state)
            best = jnp.argmax(agreement)
            chosen = jnp.asarray(members)[best]
            distance = _distance(agreement[best], width)
            tried.append(_named(candidates[chosen], signs[chosen], mixtures, distance))
        counts = [1, 1, *(members.shape[1] for members in sets)]
        count = jnp.asarray([*counts, 0])
        index, sign, distance = (jnp.stack(parts) for parts in zip(*tried, strict=True))
        nothing = jnp.full((1, mixtures), -1, index.dtype), jnp.zeros((1, mixtures), sign.dtype)
        index, sign = jnp.concatenate([index, nothing[0]]), jnp.concatenate([sign, nothing[1]])
        fits = jnp.concatenate([distance <= allowed, jnp.ones(1, bool)])
        which = jnp.argmax(fits)
        kind = StateKind.where(
            which == 0,
            StateKind.stored,
            StateKind.where(
                which == 1,
                StateKind.reversed,
                StateKind.where(which < len(tried), StateKind.mixture, StateKind.other),
            ),
        )
        away = jnp.concatenate([distance, jnp.min(distance)[None]])[which]
        largest = scores[candidates[0]] / width
        return States(kind, count[which], index[which], sign[which], largest, away)

    together = max(1, _ENTRIES // (width * max([1, *(len(members) for members in sets)])))
    inputs = states, states @ patterns.T
    return jax.lax.map(classify, inputs, batch_size=min(together, states.shape[0]))


def _sets(pool: int, size: int) -> np.ndarray:
    """All sets of `size` of the candidates, those of the largest overlaps first."""
    return np.asarray(list(combinations(range(pool), size)), np.int32)


def _indicator(members: np.ndarray, pool: int) -> np.ndarray:
    """Which candidates are in each set, as a matrix of 0 and 1."""
    return (members[:, :, None] == np.arange(pool)).any(axis=1)


def _distance(product: Float[Array, ""], width: int) -> Int[Array, ""]:
    """In how many units two states of signs differ, from their product."""
    return ((width - product) / 2).astype(jnp.int32)


def _named(index, sign, mixtures: int, distance) -> tuple[Array, Array, Array]:
    """A candidate: its patterns and signs, filled to the number of the largest mixture."""
    index, sign = jnp.atleast_1d(jnp.asarray(index)), jnp.atleast_1d(jnp.asarray(sign, jnp.int32))
    missing = mixtures - index.shape[0]
    padded = jnp.pad(index.astype(jnp.int32), (0, missing), constant_values=-1)
    return padded, jnp.pad(sign, (0, missing)), distance
