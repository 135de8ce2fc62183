"""Hard locations within a radius of an address: found as bits, walked through or multiplied."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt32

WORD = 32
# So many locations are found in one pass over all.
_SOME = 64


def packed(bits: Float[Array, "*n d"]) -> UInt32[Array, "*n w"]:
    """Bits as words, the first bit lowest; those that are missing in the last word are zero."""
    missing = -bits.shape[-1] % WORD
    rest = [(0, 0)] * (bits.ndim - 1)
    ones = jnp.pad(bits > 0.5, [*rest, (0, missing)]).reshape(*bits.shape[:-1], -1, WORD)
    places = jax.lax.broadcasted_iota(jnp.uint32, ones.shape, ones.ndim - 1)
    return jnp.sum(ones.astype(jnp.uint32) << places, axis=-1, dtype=jnp.uint32)


def near(
    addresses: UInt32[Array, "w r"], radius: Int[Array, ""], words: UInt32[Array, " w"]
) -> Bool[Array, " r"]:
    """Whether each location lies within the radius of an address."""
    distance = jnp.zeros(addresses.shape[1], jnp.int32)
    # Word by word, so that the distances of many locations are counted in one register.
    for row, word in zip(addresses, words, strict=True):
        distance = distance + jax.lax.population_count(row ^ word).astype(jnp.int32)
    return distance <= radius


def _walk(addresses: Any, radius: Any, words: Any, visit: Callable, start: Any) -> Any:
    """Fold `visit(value, location)` over all locations within the radius, some at a time."""
    some = min(_SOME, addresses.shape[1])

    def step(carry):
        left, _, value = carry
        flags, index = jax.lax.top_k(left, some)
        count = jnp.sum(flags).astype(jnp.int32)
        value = jax.lax.fori_loop(0, count, lambda i, value: visit(value, index[i]), value)
        return left.at[index].set(0.0), count == some, value

    left = near(addresses, radius, words).astype(jnp.float32)
    return jax.lax.while_loop(lambda carry: carry[1], step, (left, jnp.asarray(True), start))[2]


# Queries one after another: side by side each would wait for the one that reaches most.
@jax.custom_batching.sequential_vmap
def walked_sum(addresses, counters, radius, words) -> Float[Array, " v"]:
    """The sum of the counters within the radius, location by location."""
    start = jnp.zeros(counters.shape[1], counters.dtype)
    return _walk(addresses, radius, words, lambda total, at: total + counters[at], start)


def product_sum(addresses, counters, radius, words) -> Float[Array, " v"]:
    """The same as a product."""
    return near(addresses, radius, words).astype(counters.dtype) @ counters


def walked_write(addresses, counters, radius, words, votes) -> Float[Array, "r v"]:
    """The counters with votes (N, v) added within the radius of addresses (N, w), one by one."""

    def one(counters, each):
        words, votes = each
        return _walk(addresses, radius, words, lambda c, at: c.at[at].add(votes), counters), None

    return jax.lax.scan(one, counters, (words, votes))[0]


def product_write(addresses, counters, radius, words, votes) -> Float[Array, "r v"]:
    """The same as a product."""
    reached = jax.vmap(near, (None, None, 0))(addresses, radius, words)
    return counters + reached.astype(counters.dtype).T @ votes
