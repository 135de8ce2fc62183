"""What sums, scores and safe quotients have in common in all rooms."""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Shaped

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
    narrow = dtype != rows.dtype
    # The largest weights are beyond half precision, the smallest below it.
    scale = range_scale(weights) if narrow else None
    scaled = weights if scale is None else weights.astype(dtype) * scale
    total = jnp.matmul(scaled[None].astype(rows.dtype), rows, preferred_element_type=dtype)
    return total[0] if scale is None else total[0] / scale


def shift(scores: Float[Array, "..."], reference: Float[Array, "..."]) -> Float[Array, "..."]:
    """min(scores - reference, 0), with inf - inf = 0: infinite scores tie with one another.

    The reference is the largest of the scores, or larger. Its derivative is the difference's.
    """
    infinite = jnp.isinf(reference)
    finite = jnp.where(infinite, 0.0, scores), jnp.where(infinite, 0.0, reference)
    extreme = jnp.where(scores == reference, 0.0, jnp.where(jnp.isnan(scores), scores, -jnp.inf))
    return jnp.where(infinite, extreme, _below(*finite))


@jax.custom_jvp
def _below(scores, reference):
    """Their difference, and 0 where scores reach the reference.

    Compilers compute the scores anew for the difference, and join a last multiplication to it
    without rounding in between. The score that the reference is would differ from it by its own
    rounding, which a large inverse temperature makes an exponent of hundreds, of either sign.
    """
    return jnp.where(scores >= reference, 0.0, jnp.minimum(scores - reference, 0.0))


@_below.defjvp
def _below_jvp(primals, tangents):
    return _below(*primals), jnp.broadcast_to(tangents[0] - tangents[1], jnp.shape(primals[0]))


def log_sum_exp(
    beta: Float[Array, ""], scores: Float[Array, "..."], axis: int | None = None
) -> Float[Array, "..."]:
    """The logarithm ln Σ exp(β s)/β along an axis, which is kept; −∞ where no score is finite."""
    top = jax.lax.stop_gradient(jnp.max(scores, axis, keepdims=True))
    differences = shift(scores, top)
    gone = differences == -jnp.inf
    terms = jnp.where(gone, 0.0, jnp.exp(beta * jnp.where(gone, 0.0, differences)))
    return top + jnp.log(jnp.sum(terms, axis, keepdims=True)) / beta


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


def range_scale(
    rows: Float[Array, "*n d"], weight: Shaped[Array, "*m d"] | None = None
) -> Float[Array, "*n 1"]:
    """The power of two by which a row's largest |entry| comes to lie between ½ and 1.

    Squares and powers of scaled rows stay within the range of floats, and scaling by a power of
    two rounds nothing. It is held fixed in derivatives: what it is used for does not depend on it.

    **Arguments:**

    - `rows`: shape (..., d).
    - `weight`: the entries that count, those not zero; all if `None`.

    **Returns:** in at least 32 bits, shape (..., 1); of the smallest and largest numbers there are,
    the next power whose inverse is a float.
    """
    size = jnp.abs(jax.lax.stop_gradient(rows)).astype(accumulate(rows.dtype))
    if weight is not None:
        size = jnp.where(_counts(weight, size), size, 0.0)
    return _scale_of(jnp.max(size, axis=-1, keepdims=True))


def _scale_of(largest):
    limits = jnp.finfo(largest.dtype)
    bounded = jnp.clip(largest, 4 * limits.tiny, limits.max / 8)
    # x = m 2^e, and the quotient m/x is exact.
    return jnp.where(largest == 0, 1.0, jnp.frexp(bounded)[0] / bounded)


def _counts(weight, rows):
    return jnp.broadcast_to(weight.astype(bool), rows.shape)


def is_constant(
    rows: Float[Array, "*n d"], weight: Shaped[Array, "*m d"] | None = None
) -> Bool[Array, "*n 1"]:
    """Whether a row's entries are equal but for rounding: within 4 ε of its largest |entry|.

    Their mean is rounded by as much, so that what is left of them is noise.

    **Arguments:**

    - `rows`: shape (..., d), in at least 32 bits.
    - `weight`: the entries that count, those not zero; all if `None`.

    **Returns:** shape (..., 1).
    """
    return _alike(*_ends(rows, weight))


def _ends(rows, weight):
    """The smallest and largest entry of each row that count."""
    rows = jax.lax.stop_gradient(rows)
    low = high = rows
    if weight is not None:
        low, high = (jnp.where(_counts(weight, rows), rows, end) for end in (jnp.inf, -jnp.inf))
    return jnp.min(low, -1, keepdims=True), jnp.max(high, -1, keepdims=True)


def _alike(low, high):
    return high - low <= 4 * jnp.finfo(low.dtype).eps * jnp.maximum(high, -low)


def is_far(mean: Float[Array, "*n"], around: Float[Array, "*n"]) -> Bool[Array, "*n"]:
    """Whether a mean is so much larger than entries are spread around it that its rounding counts:
    the mean of what is left of centred entries is then taken off once more."""
    return jnp.abs(mean) > 64 * around


def unit(rows: Float[Array, "*n d"]) -> Float[Array, "*n d"]:
    """Rows of unit norm, whatever their size; zeros for rows of zeros."""
    scaled = rows.astype(accumulate(rows.dtype)) * range_scale(rows)
    length = inverse_root(jnp.sum(jnp.square(scaled), axis=-1, keepdims=True))
    return (scaled * length).astype(rows.dtype)


def standardise(
    rows: Float[Array, "*n d"], weight: Shaped[Array, "*m d"] | None = None
) -> Float[Array, "*n d"]:
    """Rows with their own mean removed and unit norm; zeros for constant rows.

    **Arguments:**

    - `rows`: shape (..., d), of any size.
    - `weight`: the entries that count, 0 or 1, shape (d,) or (..., d); the others become zero.

    **Returns:** the standardised rows, shape (..., d), in the type of the rows.
    """
    dtype = accumulate(rows.dtype)
    wide = rows.astype(dtype)
    low, high = _ends(wide, weight)
    scaled = wide * _scale_of(jnp.maximum(high, -low))
    counted = jnp.ones_like(scaled) if weight is None else jnp.broadcast_to(weight, rows.shape)
    counted = counted.astype(dtype)
    if weight is not None:
        # Entries that do not count may be too large for the scale of those that do.
        scaled = jnp.where(counted != 0, scaled, 0.0)
    count = jnp.sum(counted, -1, keepdims=True)
    mean = jnp.sum(scaled * counted, -1, keepdims=True) / count
    centred = (scaled - mean) * counted
    left, around = (jnp.sum(x, -1, keepdims=True) / count for x in (centred, jnp.abs(centred)))
    centred = jnp.where(is_far(mean, around), (centred - left) * counted, centred)
    squares = jnp.sum(jnp.square(centred), -1, keepdims=True)
    squares = jnp.where(_alike(low, high), 0.0, squares)
    return (centred * inverse_root(squares)).astype(rows.dtype)
