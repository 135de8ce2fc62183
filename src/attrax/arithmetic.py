"""What sums, scores and safe quotients have in common in all rooms."""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

Range = Literal["signed", "non-negative", "positive", "non-positive"]
"""The sign that scores may have."""


def accumulate(dtype) -> jnp.dtype:
    """The type to sum entries of a floating-point type in: itself, or float32 if narrower."""
    return jnp.dtype(dtype) if jnp.finfo(dtype).bits >= 32 else jnp.dtype(jnp.float32)


def match(separation, dtype: jnp.dtype):
    """The separation with its parameters in the type of the scores."""
    return jax.tree.map(
        lambda leaf: leaf.astype(dtype) if eqx.is_inexact_array(leaf) else leaf, separation
    )


def products(keys: Float[Array, "n d"], query: Float[Array, " d"]) -> Float[Array, " n"]:
    """Keys · query, without a transpose: XLA would carry it out in the slope of a lone query."""
    along = (((0,), (1,)), ((), ()))
    return jax.lax.dot_general(query, keys, along, preferred_element_type=accumulate(keys.dtype))


def weighted(weights: Float[Array, " n"], rows: Float[Array, "n v"]) -> Float[Array, " v"]:
    """Σ w row as a matrix product, in the rows' type with sums of at least 32 bits."""
    dtype = accumulate(rows.dtype)
    total = jnp.matmul(weights[None].astype(rows.dtype), rows, preferred_element_type=dtype)
    return total[0]


def shift(scores: Float[Array, "*n"], reference: Float[Array, ""]) -> Float[Array, "*n"]:
    """`scores - reference`, with inf - inf = 0: infinite scores tie with one another."""
    infinite = jnp.isinf(reference)
    difference = jnp.where(infinite, 0.0, scores) - jnp.where(infinite, 0.0, reference)
    extreme = jnp.where(scores == reference, 0.0, jnp.where(jnp.isnan(scores), scores, -jnp.inf))
    return jnp.where(infinite, extreme, difference)


def inverse(mass: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """1 / mass, and 0 where nothing was summed: the read of no memories is zero."""
    empty = mass == 0
    return jnp.where(empty, 0.0, 1.0 / jnp.where(empty, 1.0, mass))


def ratio(a: Float[Array, ""], b: Float[Array, ""]) -> Float[Array, ""]:
    """A / b, and 0 where b is: a threshold at which no weight changes does not move."""
    return jnp.where(b == 0, 0.0, a / jnp.where(b == 0, 1.0, b))


def times(factor: Float[Array, ""], sums: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """factor · sums with inf · 0 = 0: an infinite score silences the finite ones."""
    silent = jnp.isinf(factor) & (sums == 0)
    return jnp.where(silent, 0.0, factor * jnp.where(silent, 1.0, sums))


def in_range(factor: Float[Array, ""], value: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """Their product, which keeps the sign of the value where it leaves the range of floats."""
    limits = jnp.finfo(value.dtype)
    size = jnp.clip(factor * jnp.abs(value), limits.tiny, limits.max)
    return jnp.where(value == 0, 0.0, jnp.sign(value) * size)


def inverse_root(squares: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """1/√x, and 0 at 0 with derivative 0."""
    positive = squares > 0
    return jnp.where(positive, 1 / jnp.sqrt(jnp.where(positive, squares, 1.0)), 0.0)


def standardise(
    rows: Float[Array, "*n d"], weight: Shaped[Array, "*m d"] | None = None
) -> Float[Array, "*n d"]:
    """Rows with their own mean removed and unit norm; zeros for constant rows.

    **Arguments:**

    - `rows`: shape (..., d).
    - `weight`: the entries that count, 0 or 1, shape (d,) or (..., d); the others become zero.

    **Returns:** the standardised rows, shape (..., d).
    """
    counted = jnp.ones_like(rows) if weight is None else jnp.broadcast_to(weight, rows.shape)
    counted = counted.astype(rows.dtype)
    mean = jnp.sum(rows * counted, -1, keepdims=True) / jnp.sum(counted, -1, keepdims=True)
    centred = (rows - mean) * counted
    return centred * inverse_root(jnp.sum(jnp.square(centred), -1, keepdims=True))
