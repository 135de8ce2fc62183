"""The inverse temperature that suits given rows."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ..arithmetic import accumulate
from ..checks import is_concrete
from .base import AbstractSimilarity

_SAMPLE = 256
_BLOCK = 1024
_ODDS = 1000.0
_QUANTILE = 0.05


def default_beta(
    similarity: AbstractSimilarity,
    keys: Float[Array, "n d"],
    filled: Bool[Array, " n"] | None = None,
) -> Float[Array, ""]:
    """β = ln(1000 N)/g: a stored row then outweighs all others together 1000 to 1, mostly.

    g is the 5 % quantile, over at most 256 rows, of a row's own score minus the best score of
    another row.

    **Arguments:**

    - `similarity`: what rows are compared by.
    - `keys`: the rows, shape (N, d).
    - `filled`: the rows that take part, shape (N,).

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
    concrete = is_concrete(own)
    # Concrete numbers are finished in NumPy: each small step would cost a compilation.
    numpy = np if concrete else jnp
    gaps = own - other if concrete is False else np.asarray(own) - np.asarray(other)
    gap = numpy.quantile(gaps, _QUANTILE, method="lower")
    if concrete:
        largest = float(np.max(np.abs(np.asarray(own)), initial=0.0, where=np.isfinite(own)))
        smallest = 1e-3 if similarity.encoded else 64 * np.finfo(gaps.dtype).eps * largest
        _refuse_alike(similarity, sample, gaps, float(gap), float(smallest))
        if not np.isfinite(gap):
            return jnp.ones((), own.dtype)
    return jnp.asarray(numpy.log(_ODDS * numpy.asarray(len(there), gaps.dtype)) / gap)


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


def _refuse_alike(similarity, sample, gaps, gap, smallest):
    if gap > smallest:
        return
    rows = ", ".join(str(i) for i in sample[np.argsort(gaps)][:5])
    name = type(similarity).__name__
    remedy = (
        "use similarity=attrax.similarity.Euclidean() for short or tabular rows"
        if name != "Euclidean"
        else "remove duplicates"
    )
    raise ValueError(
        f"Rows {rows}, among others, can hardly be told from other rows by {name} (score of "
        f"itself less best score of another: {gap:.2g}), so no inverse temperature suits them; "
        f"{remedy}, or give separation=attrax.separation.Softmax(beta) yourself."
    )
