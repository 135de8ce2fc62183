"""Ways to damage a pattern: pure functions of one flat pattern `(d,)`, for `vmap` and `jit`.

A batch takes a key a row: `jax.vmap(lambda x, key: drop(x, 0.5, key=key))(rows, keys)`. Levels may
be mapped over in the same way. Where the damage leaves known entries, `known_rows`,
`known_inpaint` and `drop_mask` say which.
"""

import math

import jax.numpy as jnp
import jax.random as jr
from jax.core import Tracer
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PRNGKeyArray

from ..common.checks import as_floats, one_key
from .known import checked_fraction, checked_scalar, drop_mask, known_inpaint, known_rows


def gaussian(
    x: ArrayLike,
    sigma: ArrayLike,
    *,
    folded: bool = False,
    clip: bool = False,
    key: PRNGKeyArray,
) -> Float[Array, " d"]:
    """Add Gaussian noise: x + σ ε with ε standard normal.

    **Arguments:**

    - `x`: the pattern, shape `(d,)`.
    - `sigma`: the standard deviation, at least 0, in the unit of `x`; may be traced.
    - `folded`: the form of the published experiments,
      `clip(|x + σ ε|, 0, 1)`. It brightens dark
      pixels on average, which changes how similarities rank.
    - `clip`: clip to [0, 1] without folding.
    - `key`: the random key.

    **Returns:** the noisy pattern, shape `(d,)`.

    **Raises:** `ValueError` if `x` is not one flat pattern or `sigma` is negative.

    **Source:** [millidge2022universal].
    """
    x = _flat(x)
    if not isinstance(sigma, Tracer) and not checked_scalar(sigma, "sigma") >= 0:
        raise ValueError(f"sigma is {sigma}; a standard deviation must be at least 0.")
    noisy = x + as_floats("sigma", sigma).astype(x.dtype) * jr.normal(
        one_key(key), x.shape, x.dtype
    )
    if folded:
        noisy = jnp.abs(noisy)
    return jnp.clip(noisy, 0, 1) if folded or clip else noisy


def salt_and_pepper(x: ArrayLike, fraction: ArrayLike, *, key: PRNGKeyArray) -> Float[Array, " d"]:
    """Set each entry, with probability `fraction`, to 0 or 1, which are equally likely.

    **Arguments:**

    - `x`: the pattern, shape `(d,)`, with entries in [0, 1].
    - `fraction`: the probability that an entry is replaced, in [0, 1]; may be traced.
    - `key`: the random key.

    **Returns:** the damaged pattern, shape `(d,)`.

    **Raises:** `ValueError` if `x` is not one flat pattern or the fraction lies outside [0, 1].
    """
    x, fraction = _flat(x), checked_fraction(fraction)
    hit, colour = jr.split(one_key(key))
    replaced = jr.uniform(hit, x.shape) < fraction
    return jnp.where(replaced, jr.bernoulli(colour, shape=x.shape).astype(x.dtype), x)


def drop(
    x: ArrayLike,
    fraction: ArrayLike,
    *,
    shape: tuple[int, ...] | None = None,
    key: PRNGKeyArray,
) -> Float[Array, " d"]:
    """Set each pixel to 0 with probability `fraction`, all its channels together.

    **Arguments:**

    - `x`: the pattern, shape `(d,)`.
    - `fraction`: the probability that a pixel is lost, in [0, 1]; may be traced.
    - `shape`: the image's shape, `(H, W)` or `(C, H, W)`; `None` treats every entry by itself.
    - `key`: the random key; `drop_mask` with the same key and shape says what was kept.

    **Returns:** the damaged pattern, shape `(d,)`.

    **Raises:** `ValueError` if `x` is not one flat pattern, does not fit `shape`, or the fraction
    lies outside [0, 1].

    **Source:** [millidge2022universal], random masking.
    """
    x = _flat(x, shape)
    return jnp.where(drop_mask(fraction, x.shape if shape is None else shape, key=key), x, 0)


def mask_rows(
    x: ArrayLike, fraction: ArrayLike, shape: tuple[int, ...], *, top: bool = False
) -> Float[Array, " d"]:
    """Set the rows from ⌊H (1 − f)⌋ to the bottom to 0; a half image is f = 0.5.

    **Arguments:**

    - `x`: the pattern, shape `(d,)`.
    - `fraction`: f in [0, 1]; may be traced (`known_rows` says at which precision it is floored).
    - `shape`: the image's shape, `(H, W)` or `(C, H, W)`.
    - `top`: set the rows *above* the cut to 0 instead, the "reversed" mask of the official code. It
      masks the complement, a share 1 − f of the rows.

    **Returns:** the damaged pattern, shape `(d,)`.

    **Raises:** `ValueError` if `x` is not one flat pattern, does not fit `shape`, or the fraction
    lies outside [0, 1].

    **Source:** [millidge2022universal], masking.
    """
    return jnp.where(known_rows(fraction, shape, top=top), _flat(x, shape), 0)


def inpaint(x: ArrayLike, fraction: ArrayLike, shape: tuple[int, ...]) -> Float[Array, " d"]:
    """Set a border of ⌊H f / 2⌋ pixels on every side to 0; the centre is kept.

    **Arguments:**

    - `x`: the pattern, shape `(d,)`.
    - `fraction`: f in [0, 1]; may be traced (`known_rows` says at which precision it is floored).
    - `shape`: the image's shape, `(H, W)` or `(C, H, W)`.

    **Returns:** the damaged pattern, shape `(d,)`.

    **Raises:** `ValueError` if `x` is not one flat pattern, does not fit `shape`, or the fraction
    lies outside [0, 1].

    **Source:** [millidge2022universal], inpainting.
    """
    return jnp.where(known_inpaint(fraction, shape), _flat(x, shape), 0)


def flip_bits(
    x: ArrayLike,
    fraction: ArrayLike,
    *,
    states: tuple[int | float, int | float] = (-1, 1),
    key: PRNGKeyArray,
) -> Float[Array, " d"]:
    """Turn each entry into the other of two states with probability `fraction`.

    **Arguments:**

    - `x`: the pattern, shape `(d,)`, whose entries are the two states.
    - `fraction`: the probability of a flip, in [0, 1]; may be traced.
    - `states`: the two states, `(-1, 1)` or `(0, 1)`.
    - `key`: the random key.

    **Returns:** the damaged pattern, shape `(d,)`.

    **Raises:** `ValueError` if `x` is not one flat pattern, holds other values than the two states,
    or the fraction lies outside [0, 1].
    """
    x, fraction = _flat(x), checked_fraction(fraction)
    low, high = states
    if low == high:
        raise ValueError(f"states is {states}; the two states must differ.")
    if not isinstance(x, Tracer) and not bool(jnp.all((x == low) | (x == high))):
        raise ValueError(
            f"x holds values other than {low} and {high}; threshold it first, or pass its two "
            "states as states."
        )
    flipped = jr.uniform(one_key(key), x.shape) < fraction
    return jnp.where(flipped, jnp.where(x == low, high, low).astype(x.dtype), x)


def _flat(x: ArrayLike, shape: tuple[int, ...] | None = None) -> Array:
    x = as_floats("x", x, finite=False)
    if x.ndim != 1:
        raise ValueError(
            f"x has shape {x.shape}; it must be one flat pattern (d,). Map over a batch with "
            "jax.vmap."
        )
    if shape is not None and math.prod(shape) != x.size:
        raise ValueError(
            f"x has {x.size} entries, but shape {tuple(shape)} has {math.prod(shape)}; "
            "they must agree."
        )
    return x
