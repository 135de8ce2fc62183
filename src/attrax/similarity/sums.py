"""Sums over features that several similarities share."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..common.arithmetic import accumulate

_FEATURES_A_STEP = 16


def over_features(
    term: Callable,
    keys: Float[Array, "n d"],
    query: Float[Array, " d"],
    weight,
    *,
    largest: bool = False,
) -> Float[Array, " n"]:
    """Σ_i weight_i · term(key_i, query_i), a few features a step.

    With `largest`, the largest term, none of them negative, of the entries that weigh anything.

    The accumulator stays in cache and the steps are unrolled, which on a CPU is several times
    faster than the broadcast difference. Features left over make one shorter step: padding would
    have to be masked, at the price of two more operations a feature.
    """
    n, d = keys.shape
    dtype = accumulate(keys.dtype)
    width = min(_FEATURES_A_STEP, d)
    steps = d // width
    join = jnp.maximum if largest else jnp.add
    inputs = (keys.T, query) if weight is None else (keys.T, query, weight.astype(dtype))

    @jax.checkpoint
    def step_sum(columns, parts, counts=None):
        total = jnp.zeros(columns.shape[1:], dtype)
        for i in range(columns.shape[0]):
            value = term(columns[i].astype(dtype), parts[i].astype(dtype))
            if counts is not None:
                share = value if largest else counts[i] * value
                value = jnp.where(counts[i] == 0, 0.0, share)
            total = join(total, value)
        return total

    def step(total, inputs):
        return join(total, step_sum(*inputs)), None

    split = jax.tree.map(lambda x: x[: steps * width].reshape(steps, width, *x.shape[1:]), inputs)
    total = jax.lax.scan(step, jnp.zeros((n,), dtype), split)[0]
    if steps * width == d:
        return total
    return join(total, step_sum(*(x[steps * width :] for x in inputs)))
