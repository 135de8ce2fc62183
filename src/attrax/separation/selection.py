"""The best of many scores: which they are, and how large."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

# Of fewer scores than so many times those that are wanted, all are sorted.
_GROUPED = 64


def best_scores(rank: int, scores: Float[Array, " n"]) -> Float[Array, " k"]:
    """The `rank` best scores, the largest first; −∞ for those that are missing."""
    missing = rank - scores.shape[0]
    if missing > 0:
        scores = jnp.concatenate([scores, jnp.full((missing,), -jnp.inf, scores.dtype)])
    return jnp.max(scores, keepdims=True) if rank == 1 else jax.lax.top_k(scores, rank)[0]


def best(
    scores: Float[Array, " n"], mask: Bool[Array, " n"] | None, k: int
) -> tuple[Array, Bool[Array, " k"]]:
    """Indices of the k best scores, best first, ties to the lower index.

    NaN counts as best if k = 1, and as ∞ otherwise.
    """
    scores = jax.lax.stop_gradient(scores)
    # A memory that is there comes before one that is not, however low its score.
    scores = jnp.where(scores == -jnp.inf, jnp.finfo(scores.dtype).min, scores)
    if mask is not None:
        scores = jnp.where(mask, scores, -jnp.inf)
    if k == 1:
        index = jnp.argmax(scores).astype(jnp.int32)[None]
    else:
        # A maximum of several may pass over NaN.
        scores = jnp.where(jnp.isnan(scores), jnp.inf, scores)
        index = _largest_first(scores, min(k, scores.shape[0]))
    valid = jnp.ones(index.shape, bool) if mask is None else mask[index]
    return index, valid


def _largest_first(scores, k: int):
    """Indices of the k largest scores, as of `top_k`.

    The k largest of many lie in the k groups of the largest maxima, and a maximum of each group
    costs less than a search in all.
    """
    count = scores.shape[0]
    if count < _GROUPED * k:
        return jax.lax.top_k(scores, k)[1]
    # A power of two near √(count/k), for about as many groups as scores within those found.
    size = 1 << (count // k).bit_length() // 2
    padded = jnp.pad(scores, (0, -count % size), constant_values=-jnp.inf)
    groups = padded.reshape(-1, size)
    _, first = jax.lax.top_k(jnp.max(groups, axis=1), k)
    # In the order of the scores, so that the first of equal ones is found.
    first = jnp.sort(first)
    _, found = jax.lax.top_k(groups[first].reshape(-1), k)
    return first[found // size] * size + found % size
