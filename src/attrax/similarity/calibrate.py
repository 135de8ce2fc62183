"""The inverse temperature that suits given rows."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ..common.arithmetic import accumulate
from ..common.checks import is_concrete
from .base import AbstractSimilarity

_SAMPLE = 256
_BLOCK = 1024
_ODDS = 1000.0
_QUANTILE = 0.05


def default_beta(
    similarity: AbstractSimilarity,
    keys: Float[Array, "n d"],
    filled: Bool[Array, " n"] | None = None,
    rows: Float[Array, "n d"] | None = None,
) -> Float[Array, ""]:
    """β = ln(1000 N)/g: a stored row then outweighs all others together 1000 to 1, mostly.

    g is the 5 % quantile, over at most 256 rows, of a row's own score minus the best score of
    another row.

    **Arguments:**

    - `similarity`: what rows are compared by.
    - `keys`: the rows, shape (N, d).
    - `filled`: the rows that take part, shape (N,).
    - `rows`: what the keys were made from, shape (N, d), where that is not the same: rows that are
      equal count as one.

    **Returns:** β, in units of 1/score.

    **Raises:** `ValueError` where rows cannot be told apart, naming some; never under jit.
    """
    if filled is not None and not is_concrete(filled):
        return _under_jit(similarity, keys, filled)
    there = np.arange(keys.shape[0], dtype=np.int32)
    if filled is not None:
        there = there[np.asarray(filled)]
    if len(there) <= 1:
        return jnp.ones((), accumulate(keys.dtype))
    places = np.linspace(0, len(there) - 1, min(_SAMPLE, len(there))).round().astype(np.int32)
    sample = there[np.unique(places)]
    own, other = _own_and_other(similarity, keys, filled, sample)
    if not is_concrete(own):
        gap = jnp.quantile(own - other, _QUANTILE, method="lower")
        return jnp.log(_ODDS * jnp.asarray(len(there), own.dtype)) / gap
    # Concrete numbers are finished in NumPy: each small step would cost a compilation.
    own, other = np.asarray(own), np.asarray(other)
    smallest = _rounding(similarity, own, keys, sample)
    if not _gap(own, other) > smallest and len(
        equal := _equal_rows(keys if rows is None else rows, there)
    ):
        # Equal rows count as one: no β tells them apart, and none need be told.
        there = np.setdiff1d(there, equal[:, 1])
        if len(there) == 1:
            return jnp.ones((), own.dtype)
        distinct = np.zeros(keys.shape[0], bool)
        distinct[there] = True
        sample = np.intersect1d(sample, there)
        own, other = map(
            np.asarray, _own_and_other(similarity, keys, jax.device_put(distinct), sample)
        )
    gap = _gap(own, other)
    if not gap > smallest:
        with np.errstate(invalid="ignore"):
            gaps = own - other
        _refuse_alike(similarity, keys, there, sample, gaps, smallest)
    if not np.isfinite(gap):
        return jnp.ones((), own.dtype)
    beta = np.log(_ODDS * np.asarray(len(there), own.dtype)) / np.asarray(gap, own.dtype)
    return jax.device_put(beta)


def _gap(own: np.ndarray, other: np.ndarray) -> float:
    """By how much a row beats others, but for the closest twentieth of rows."""
    with np.errstate(invalid="ignore"):
        return float(np.quantile(own - other, _QUANTILE, method="lower"))


def _rounding(similarity, own: np.ndarray, keys, sample) -> float:
    """The gap that rounding alone can make."""
    if similarity.encoded:
        return 1e-3
    largest = np.max(np.abs(own), initial=0.0, where=np.isfinite(own))
    terms = similarity.rounding(np.asarray(keys)[[0, *sample]])
    return max(float(64 * np.finfo(own.dtype).eps * largest), 8 * terms)


def _equal_rows(keys, there: np.ndarray) -> np.ndarray:
    """Pairs (first, later) of rows that are equal, entry by entry; shape (pairs, 2)."""
    # Adding zero makes one of both zeros, whose bytes differ.
    rows = np.ascontiguousarray(np.asarray(keys)[there] + 0)
    whole = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1])))[:, 0]
    _, first, group = np.unique(whole, return_index=True, return_inverse=True)
    first = first[group.reshape(-1)]
    later = np.flatnonzero(first != np.arange(len(there)))
    return np.stack([there[first[later]], there[later]], axis=-1)


def _under_jit(similarity, keys, filled):
    """The same of rows that a traced mask tells, among which as many are sampled."""
    there = jnp.argsort(~filled, stable=True).astype(jnp.int32)
    number, size = jnp.sum(filled), min(_SAMPLE, keys.shape[0])
    dtype = accumulate(keys.dtype)
    ranks = jnp.linspace(0, 1, size, dtype=dtype) * jnp.maximum(number - 1, 0).astype(dtype)
    ranks = jnp.round(ranks).astype(jnp.int32)
    own, other = _own_and_other(similarity, keys, filled, there[ranks])
    # Few rows are met several times; each counts once.
    new = jnp.concatenate([jnp.ones((1,), bool), ranks[1:] > ranks[:-1]])
    gaps = jnp.sort(jnp.where(new, own - other, jnp.inf))
    place = jnp.floor(_QUANTILE * (jnp.sum(new) - 1).astype(dtype)).astype(jnp.int32)
    beta = jnp.log(_ODDS * number.astype(gaps.dtype)) / gaps[place]
    return jnp.where(number > 1, beta, jnp.ones_like(beta))


@eqx.filter_jit
def _own_and_other(similarity, keys, filled, sample):
    """Scores of the sampled rows with themselves, and the best with another row."""
    count = keys.shape[0]
    queries = keys[sample]
    size = count if not similarity.rowwise else min(_BLOCK, count)
    own = jax.vmap(lambda query: similarity(query[None], query)[0])(queries)
    blocks = -(-count // size)
    # The last block starts earlier rather than being padded; rows seen twice change no maximum.
    starts = np.minimum(np.arange(blocks) * size, count - size).astype(np.int32)

    def step(best, begin):
        rows = jax.lax.dynamic_slice_in_dim(keys, begin, size)
        scores = jax.vmap(lambda query: similarity(rows, query))(queries)
        excluded = (begin + jnp.arange(size, dtype=jnp.int32))[None] == sample[:, None]
        if filled is not None:
            excluded |= ~jax.lax.dynamic_slice_in_dim(filled, begin, size)[None]
        return jnp.maximum(best, jnp.max(jnp.where(excluded, -jnp.inf, scores), axis=1)), None

    lowest = jnp.full(own.shape, -jnp.inf, own.dtype)
    return own, jax.lax.scan(step, lowest, starts)[0]


def _refuse_alike(similarity, keys, there, sample, gaps, smallest) -> None:
    """Say which rows are alike, why, and what to do.

    **Raises:** `ValueError`.
    """
    name = type(similarity).__name__
    yourself = "or give separation=attrax.separation.Softmax(beta) yourself"
    broken = ~np.isfinite(gaps) & ~(gaps > 0)
    if broken.any():
        raise ValueError(
            f"The score of row {sample[np.argmax(broken)]} with itself or with others is beyond "
            f"the range of {gaps.dtype} by {name}, so no inverse temperature suits these rows; "
            f"divide them by their scale, {yourself}."
        )
    row = int(sample[np.argmin(gaps)])
    other = _closest(similarity, keys, there, row)
    pair = np.asarray(keys)[[row, other]].astype(np.float64)
    if name != "Euclidean":
        remedy = "use similarity=attrax.similarity.Euclidean() for short or tabular rows"
    elif similarity.rounding(np.asarray(keys)[[row, other]]) < similarity.rounding(
        np.asarray(keys)[[0, row, other]]
    ):
        remedy = "use similarity=attrax.similarity.Euclidean(exact=True)"
    else:
        remedy = "take off what they share, and divide by the scale of their differences"
    raise ValueError(
        f"Rows {min(row, other)} and {max(row, other)} can hardly be told apart by {name}, which "
        f"compares what differs there by {np.abs(pair[0] - pair[1]).max():.2g} at most: the score "
        f"of row {row} with itself is {gaps.min():.2g} above that with the other. So it is for "
        f"{np.sum(gaps <= smallest)} of {len(gaps)} rows looked at, and no inverse temperature "
        f"suits them; {remedy}, {yourself}."
    )


def _closest(similarity, keys, there, row: int) -> int:
    """Which of the other rows a row is most like."""
    scores = np.array(similarity(keys, keys[row]), np.float64)
    others = np.setdiff1d(there, row)
    return int(others[np.argmax(scores[others])])
