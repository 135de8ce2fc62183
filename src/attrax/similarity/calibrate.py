"""The inverse temperature that suits given rows."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ..errors import is_concrete
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
    count = keys.shape[0]
    dtype = jnp.promote_types(keys.dtype, jnp.float32)
    if count == 1:
        return jnp.asarray(1.0, dtype)
    sample = np.unique(np.linspace(0, count - 1, min(_SAMPLE, count)).round().astype(int))
    present = jnp.ones((count,), bool) if filled is None else filled
    own, other = _own_and_other(similarity, keys, present, jnp.asarray(sample))
    gaps = jnp.where(present[sample], own - other, jnp.inf)
    gap = jnp.quantile(gaps, _QUANTILE, method="lower")
    number = jnp.sum(present).astype(dtype)
    if is_concrete(gap):
        smallest = (
            1e-3
            if similarity.encoded
            else 64
            * float(jnp.finfo(dtype).eps)
            * float(jnp.max(jnp.where(jnp.isfinite(own), jnp.abs(own), 0.0)))
        )
        _refuse_alike(similarity, sample, np.asarray(gaps), float(gap), smallest)
        if not np.isfinite(float(gap)):
            return jnp.asarray(1.0, dtype)
    return jnp.log(_ODDS * number) / gap


@jax.jit
def _largest(scores, excluded):
    return jnp.max(jnp.where(excluded, -jnp.inf, scores), axis=1)


def _own_and_other(similarity, keys, present, sample):
    """Scores of the sampled rows with themselves, and the best with another row."""
    count = keys.shape[0]
    queries = keys[sample]
    size = count if not similarity.rowwise else min(_BLOCK, count)
    own = jax.vmap(lambda query: similarity(query[None], query)[0])(queries)
    blocks = -(-count // size)
    # The last block starts earlier rather than being padded; rows seen twice change no maximum.
    starts = jnp.minimum(jnp.arange(blocks) * size, count - size)

    def step(best, begin):
        rows = jax.lax.dynamic_slice_in_dim(keys, begin, size)
        there = jax.lax.dynamic_slice_in_dim(present, begin, size)
        scores = jax.vmap(lambda query: similarity(rows, query))(queries)
        itself = (begin + jnp.arange(size))[None] == sample[:, None]
        return jnp.maximum(best, _largest(scores, itself | ~there[None])), None

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
