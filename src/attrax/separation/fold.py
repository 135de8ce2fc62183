"""One fold over memories: direct, blockwise and sharded reading from a separation's definition."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..common.arithmetic import accumulate, match, ratio, times, weighted
from .base import (
    AbstractAdditive,
    AbstractImplicit,
    AbstractSelective,
    AbstractSeparation,
    Sums,
    along_threshold,
    best,
    fixed_mass,
    largest,
    masked_terms,
    present,
    reference_of,
    start,
)
from .selection import best_scores

# Scores that differ by so many roundings tie.
_ROUNDINGS = 4
# Where thresholds take several passes, scores of so many rows are kept, 128 KiB a query.
_KEPT = 32768


class Reading(NamedTuple):
    """What one pass over the memories gives for one query.

    - `value` (v,): Σ w value, the projection.
    - `potential` (): Φ of the scores; NaN where the separation has none.
    - `mass` (): Σ w.
    - `effective` (): (Σ |w|)² / Σ w² for weights of one sign, the number of memories that share
      the weight; 0 where none takes part.
    - `best` (): the index of the row with the largest score, the first of several; −1 where no row
      takes part.
    """

    value: Float[Array, " v"]
    potential: Float[Array, ""]
    mass: Float[Array, ""]
    effective: Float[Array, ""]
    best: Int[Array, ""]


class Rows(NamedTuple):
    """The stored rows: `keys` (N, d), `values` (N, v) or None for the keys, `filled` (N,)."""

    keys: Float[Array, "*n d"]
    values: Float[Array, "*n v"] | None
    filled: Bool[Array, "*n"] | None


class Query(NamedTuple):
    """What does not differ from row to row: a similarity, a state (d,), and entry weights (d,)."""

    similarity: Callable
    state: Float[Array, " d"]
    weight: Float[Array, " d"] | None


def fold(
    separation: AbstractSeparation,
    query: Query,
    rows: Rows,
    *,
    block: int | None = None,
    axis: str | None = None,
) -> Reading:
    """Read all memories with one query.

    **Arguments:**

    - `separation`: how scores become weights.
    - `query`: similarity, state and entry weights.
    - `rows`: keys, values and mask; their number must be a multiple of `block`.
    - `block`: rows a step; all at once if `None`. Results agree up to rounding.
    - `axis`: the mesh axis over which rows are sharded, within `shard_map`.

    **Returns:** a `Reading`.
    """
    dtype = accumulate(rows.keys.dtype)
    separation = match(separation, dtype)
    if isinstance(separation, AbstractSelective):
        return _selective(separation, query, rows, block, axis)
    if isinstance(separation, AbstractAdditive):
        if block is None and axis is None:
            scores = _scores(query, rows)
            sums = _sums_of(separation, scores, rows, reference_of(separation, scores, rows.filled))
            leader = _leader(scores, rows.filled)
        else:
            sums, leader = _blockwise(separation, query, rows, block or rows.keys.shape[0], axis)
        factor, potential = separation.finish(sums.reference, sums.mass, sums.potential)
        if separation.lacks_potential is not None:
            potential = jnp.full_like(potential, jnp.nan)
        value = times(factor, sums.value).astype(rows.keys.dtype)
        effective = _effective(sums.mass, sums.square)
        return Reading(value, potential, factor * sums.mass, effective, leader.index)
    return _whole(separation, query, rows, axis)


def _effective(mass, square):
    return jnp.where(square == 0, 0.0, mass**2 / jnp.where(square == 0, 1.0, square))


def _whole(separation, query, rows, axis):
    if axis is not None:
        raise ValueError(
            f"{type(separation).__name__} reads all scores at once and cannot be sharded; "
            "use an additive or selective separation."
        )
    scores = _scores(query, rows)
    weights = separation(scores, rows.filled)
    values = rows.keys if rows.values is None else rows.values
    if separation.lacks_potential is None:
        potential = separation.potential(scores, rows.filled)
    else:
        potential = jnp.full((), jnp.nan, scores.dtype)
    mass = jnp.sum(weights)
    value = weighted(weights, values).astype(values.dtype)
    effective = _effective(mass, jnp.sum(weights**2))
    return Reading(value, potential, mass, effective, _leader(scores, rows.filled).index)


class _Leader(NamedTuple):
    """The best score so far, and its row: −∞ and −1 where no row takes part."""

    score: Float[Array, ""]
    index: Int[Array, ""]


def _leader(scores, mask) -> _Leader:
    """The first of the best rows, up to rounding; NaN counts as best."""
    scores = jax.lax.stop_gradient(scores)
    scores = scores if mask is None else jnp.where(mask, scores, -jnp.inf)
    score = jnp.max(scores)
    # Two plain reductions take a tenth of the time of `argmax`. Compilers may compute the scores
    # anew for the second, and equal rows differ by their place in a matrix product: by rounding.
    below = score - _ROUNDINGS * jnp.finfo(scores.dtype).eps * jnp.abs(score)
    wins = (scores >= jnp.where(jnp.isfinite(score), below, score)) | jnp.isnan(scores)
    wins = wins if mask is None else wins & mask
    count = scores.shape[0]
    index = jnp.min(jnp.where(wins, jnp.arange(count, dtype=jnp.int32), count))
    return _Leader(score, jnp.where(index == count, -1, index))


def _ahead(old: _Leader, new: _Leader) -> _Leader:
    """The better of two, the old one where they tie; NaN counts as best."""
    wins = (new.score > old.score) | (jnp.isnan(new.score) & ~jnp.isnan(old.score))
    wins = (wins | (old.index < 0)) & (new.index >= 0)
    return jax.tree.map(lambda a, b: jnp.where(wins, b, a), old, new)


def _scores(query: Query, rows: Rows) -> Float[Array, " n"]:
    if query.weight is None:
        return query.similarity(rows.keys, query.state)
    return query.similarity(rows.keys, query.state, query.weight)


def _sums_of(separation, scores, rows, reference) -> Sums:
    terms, potential = masked_terms(separation, scores, rows.filled, reference)
    value = weighted(terms, rows.keys if rows.values is None else rows.values)
    return Sums(reference, jnp.sum(terms), jnp.sum(terms**2), value, jnp.sum(potential))


def _split(tree, block: int):
    return jax.tree.map(lambda leaf: leaf.reshape(-1, block, *leaf.shape[1:]), tree)


@eqx.filter_custom_jvp
def _blockwise(separation, query, rows, block, axis) -> tuple[Sums, _Leader]:
    """The sums over all blocks, and the best row; merged over the shards of `axis`, if any."""
    blocks = _split(rows, block)
    dtype = accumulate(rows.keys.dtype)
    width = (rows.keys if rows.values is None else rows.values).shape[-1]
    zero = jnp.zeros((), dtype)
    implicit = isinstance(separation, AbstractImplicit)
    parts, reference = _Part(blocks, None), start(separation, dtype)
    if implicit:
        if rows.keys.shape[0] <= _KEPT:
            parts = _Part(blocks, jax.lax.map(lambda part: _scores(query, part), blocks))
        reference = _solve(separation, query, parts, axis)

    def step(carry, inputs):
        (sums, leader), (begin, part) = carry, inputs
        part, scores = part.rows, _kept(query, part)
        new = _leader(scores, part.filled)
        leader = _ahead(leader, new._replace(index=jnp.where(new.index < 0, -1, begin + new.index)))
        highest = reference
        if not implicit:
            highest = jnp.maximum(sums.reference, largest(separation, scores, part.filled))
        new = _sums_of(separation, scores, part, highest)
        return (_merge(separation, sums, new), leader), None

    empty = Sums(reference, zero, zero, jnp.zeros((width,), dtype), zero)
    nobody = _Leader(jnp.full((), -jnp.inf, dtype), jnp.full((), -1, jnp.int32))
    begins = _first_row(rows, axis) + jnp.arange(0, rows.keys.shape[0], block, jnp.int32)
    sums, leader = jax.lax.scan(step, (empty, nobody), (begins, parts))[0]
    if axis is None:
        return sums, leader
    leaders = jax.lax.all_gather(leader, axis)
    place, _ = best(leaders.score, leaders.index >= 0, 1)
    leader = jax.tree.map(lambda leaf: leaf[place[0]], leaders)
    if implicit:
        common, factor = reference, jnp.ones((), dtype)
    else:
        common = jax.lax.pmax(sums.reference, axis)
        factor = separation.rescale(sums.reference, common)
    scaled = _scale(sums, factor)
    total = jax.tree.map(lambda leaf: jax.lax.psum(leaf, axis), scaled)
    return total._replace(reference=common), leader


def _first_row(rows, axis):
    """Which row of all is the first of this shard."""
    if axis is None:
        return jnp.zeros((), jnp.int32)
    return jax.lax.axis_index(axis).astype(jnp.int32) * rows.keys.shape[0]


def _scale(sums: Sums, factor) -> Sums:
    reference, mass, square, value, potential = sums
    return Sums(
        reference,
        times(factor, mass),
        times(factor**2, square),
        times(factor, value),
        times(factor, potential),
    )


def _merge(separation, old: Sums, new: Sums) -> Sums:
    """Old sums brought to the reference of the new ones, plus those."""
    scaled = _scale(old, separation.rescale(old.reference, new.reference))
    return jax.tree.map(jnp.add, scaled, new)._replace(reference=new.reference)


class _Part(NamedTuple):
    """Rows of a block, and their scores where they are kept for several passes."""

    rows: Rows
    scores: Float[Array, " n"] | None


def _kept(query: Query, part: _Part) -> Float[Array, " n"]:
    return _scores(query, part.rows) if part.scores is None else part.scores


def _solve(separation: AbstractImplicit, query, parts, axis):
    """The implicit reference, by a few passes over the scores."""
    dtype = accumulate(parts.rows.keys.dtype)
    highest = _highest if separation.rank == 1 else _ranked
    top = highest(separation, query, parts, axis)

    def mass_and_slope(threshold):
        def step(carry, part):
            scores = _kept(query, part)

            def mass(threshold):
                return fixed_mass(separation, scores, part.rows.filled, threshold)

            new = along_threshold(mass, threshold)
            return (carry[0] + new[0], carry[1] + new[1]), None

        zero = jnp.zeros((), dtype)
        total = jax.lax.scan(step, (zero, zero), parts)[0]
        return total if axis is None else jax.lax.psum(total, axis)

    return separation.solve(mass_and_slope, top)


def _highest(separation: AbstractImplicit, query, parts, axis):
    """The largest score."""

    def step(carry, part):
        return jnp.maximum(carry, largest(separation, _kept(query, part), part.rows.filled)), None

    top = jax.lax.scan(step, start(separation, accumulate(parts.rows.keys.dtype)), parts)[0]
    return top if axis is None else jax.lax.pmax(top, axis)


def _ranked(separation: AbstractImplicit, query, parts, axis):
    """The score of the rank that the threshold is counted from."""
    rank = separation.rank

    def step(carry, part):
        scores, filled = _kept(query, part), part.rows.filled
        scores = scores if filled is None else jnp.where(filled, scores, -jnp.inf)
        return best_scores(rank, jnp.concatenate([carry, scores])), None

    none = jnp.full((rank,), -jnp.inf, accumulate(parts.rows.keys.dtype))
    tops = jax.lax.scan(step, none, parts)[0]
    if axis is not None:
        tops = best_scores(rank, jax.lax.all_gather(tops, axis, tiled=True))
    return tops[-1]


@_blockwise.def_jvp
def _blockwise_jvp(primals, tangents):
    """Derivatives at the fixed reference, each block's scores taken again when they are needed."""
    separation, query, rows, block, axis = primals
    d_separation, d_query, d_rows, _, _ = tangents
    sums, leader = _blockwise(*primals)
    implicit = isinstance(separation, AbstractImplicit)
    fixed = sums.reference if implicit else jax.lax.stop_gradient(sums.reference)
    blocks, d_blocks = _split(rows, block), _split(d_rows, block)

    def totals(shared, d_shared):
        @eqx.filter_checkpoint
        def one(shared, d_shared, part, d_part):
            return _push(
                lambda shared, part: _sums_of(shared[0], _scores(shared[1], part), part, shared[2])[
                    1:
                ],
                (shared, part),
                (d_shared, d_part),
            )

        def step(total, inputs):
            new = one(shared, d_shared, *inputs)
            return jax.tree.map(jnp.add, total, new), None

        zero = jax.tree.map(jnp.zeros_like, tuple(sums[1:]))
        total = jax.lax.scan(step, zero, (blocks, d_blocks))[0]
        return total if axis is None else jax.lax.psum(total, axis)

    shared = (separation, query, fixed)
    still = jax.tree.map(lambda leaf: None, (separation, query, fixed))
    total = totals(shared, (d_separation, d_query, still[2]))
    moved = jnp.zeros((), sums.mass.dtype)
    if implicit:
        d_blocks = jax.tree.map(lambda leaf: None, blocks)
        by_threshold = totals(shared, (*still[:2], jax.tree.map(jnp.ones_like, fixed)))
        which = 0 if separation.fixed == "weights" else -1
        moved = -ratio(total[which], by_threshold[which])
        total = jax.tree.map(lambda a, b: a + moved * b, total, by_threshold)
    tangent = Sums(jax.tree.map(lambda leaf: moved, sums.reference), *total)
    return (sums, leader), (
        tangent,
        leader._replace(score=jnp.zeros_like(leader.score), index=None),
    )


def _push(function, primals, tangents):
    """The tangents of `function` along those of its inputs that move."""
    moving, still = eqx.partition(primals, present(tangents))
    return jax.jvp(lambda moving: function(*eqx.combine(moving, still)), (moving,), (tangents,))[1]


def _selective(separation: AbstractSelective, query, rows, block, axis) -> Reading:
    fixed_query, fixed_rows = jax.lax.stop_gradient(eqx.filter((query, rows), eqx.is_array))
    rest = eqx.filter((query, rows), eqx.is_array, inverse=True)
    fixed_query, fixed_rows = eqx.combine((fixed_query, fixed_rows), rest)
    if block is None or rows.keys.shape[0] == block:
        index, valid = best(_scores(fixed_query, fixed_rows), rows.filled, separation.k)
    else:
        index, valid = _best_of_blocks(separation.k, fixed_query, fixed_rows, block)
    found = _taken(rows, index, valid)
    if axis is not None:
        index = index + _first_row(rows, axis)
        found, index = jax.tree.map(
            lambda leaf: jax.lax.all_gather(leaf, axis, tiled=True), (found, index)
        )
        place, valid = best(_scores(query, found), found.filled, separation.k)
        found, index = _taken(found, place, valid), index[place]
    weights, potential = separation.chosen(_scores(query, found), valid)
    if separation.lacks_potential is not None:
        potential = jnp.full_like(potential, jnp.nan)
    values = found.keys if found.values is None else found.values
    mass = jnp.sum(weights)
    value = weighted(weights, values).astype(values.dtype)
    effective = _effective(mass, jnp.sum(weights**2))
    return Reading(value, potential, mass, effective, jnp.where(valid[0], index[0], -1))


def _taken(rows: Rows, index, valid) -> Rows:
    values = None if rows.values is None else rows.values[index]
    return Rows(rows.keys[index], values, valid)


def _best_of_blocks(k: int, query, rows, block):
    blocks = _split(rows, block)
    dtype = accumulate(rows.keys.dtype)
    k = min(k, rows.keys.shape[0])

    def step(carry, inputs):
        number, part = inputs
        scores = _scores(query, part)
        index, valid = best(scores, part.filled, k)
        joined = (
            jnp.concatenate([carry[0], scores[index]]),
            jnp.concatenate([carry[1], index + number * block]),
            jnp.concatenate([carry[2], valid]),
        )
        # Earlier memories stand first, so that ties go to them.
        chosen, _ = best(joined[0], joined[2], k)
        return tuple(leaf[chosen] for leaf in joined), None

    none = (jnp.full((k,), -jnp.inf, dtype), jnp.zeros((k,), jnp.int32), jnp.zeros((k,), bool))
    numbers = jnp.arange(blocks.keys.shape[0], dtype=jnp.int32)
    _, index, valid = jax.lax.scan(step, none, (numbers, blocks))[0]
    return index, valid
