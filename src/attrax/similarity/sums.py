"""Sums over features that several similarities share."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..precision import accumulate

_FEATURES_A_STEP = 16


def products(keys: Float[Array, "n d"], query: Float[Array, " d"]) -> Float[Array, " n"]:
    """Keys · query, as a matrix product (one lone query is slower as matrix times vector)."""
    total = jnp.matmul(query[None], keys.T, preferred_element_type=accumulate(keys.dtype))
    return total[0]


def over_features(
    term: Callable, keys: Float[Array, "n d"], query: Float[Array, " d"], weight
) -> Float[Array, " n"]:
    """Σ_i weight_i · term(key_i, query_i), a few features a step.

    The accumulator stays in cache and the steps are unrolled, which on a CPU is several times
    faster than the broadcast difference; padding adds exact zeros.
    """
    n, d = keys.shape
    dtype = accumulate(keys.dtype)
    # More than half a step of padding for a short row would cost more than it saves.
    width = min(_FEATURES_A_STEP, d)
    steps = -(-d // width)
    entries = jnp.ones((d,), dtype) if weight is None else weight.astype(dtype)
    missing = steps * width - d

    def split(array):
        return jnp.pad(array, [(0, missing)] + [(0, 0)] * (array.ndim - 1)).reshape(
            steps, width, *array.shape[1:]
        )

    plain = weight is None and missing == 0

    @jax.checkpoint
    def step_sum(columns, parts, counts):
        total = jnp.zeros(columns.shape[1:], dtype)
        for i in range(width):
            value = term(columns[i].astype(dtype), parts[i].astype(dtype))
            total = total + (value if plain else jnp.where(counts[i] == 0, 0.0, counts[i] * value))
        return total

    def step(total, inputs):
        return total + step_sum(*inputs), None

    total = jnp.zeros((n,), dtype)
    return jax.lax.scan(step, total, (split(keys.T), split(query), split(entries)))[0]
