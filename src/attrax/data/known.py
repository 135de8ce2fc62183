"""Which entries of a corrupted image are still valid: boolean masks, `True` where known.

They go to `attrax.retrieve(memory, queries, known=mask)`.
"""

import math

import jax.numpy as jnp
import jax.random as jr
from jax.core import Tracer
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, PRNGKeyArray

from ..common.checks import native, one_key


def drop_mask(
    fraction: ArrayLike, shape: int | tuple[int, ...], *, key: PRNGKeyArray
) -> Bool[Array, " d"]:
    """A random mask that loses each pixel with probability `fraction`, all its channels together.

    Under one key, a larger fraction loses what a smaller one loses, and more.

    **Arguments:**

    - `fraction`: the probability that a pixel is lost, in [0, 1]; may be traced.
    - `shape`: `d`, `(d,)`, `(H, W)` or `(C, H, W)`.
    - `key`: the random key; `drop` with the same key and shape loses the same pixels.

    **Returns:** shape `(d,)`, `True` where the entry is kept.

    **Raises:** `ValueError` for a fraction outside [0, 1] or another kind of shape.

    **Source:** [millidge2022universal], random masking.
    """
    fraction = checked_fraction(fraction)
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    if len(shape) not in (1, 2, 3) or min(shape) < 1:
        raise ValueError(f"shape is {shape}; it must be (d,), (H, W) or (C, H, W).")
    channels, pixels = (shape[0], shape[1:]) if len(shape) == 3 else (1, shape)
    kept = jr.uniform(one_key(key), (math.prod(pixels),)) >= fraction
    return jnp.tile(kept, channels)


def known_rows(
    fraction: ArrayLike, shape: tuple[int, ...], *, top: bool = False
) -> Bool[Array, " d"]:
    """The entries that `mask_rows` leaves alone.

    The image is cut at row c = ⌊H (1 − f)⌋: rows above the cut are known, or with
    `top` those from the cut downward. So `fraction` is the share masked at the bottom; with `top`
    it is the share *kept* at the bottom, as in the official code.

    **Arguments:**

    - `fraction`: f in [0, 1]. For a Python number the cut is computed in double precision, which
      fixes its integer; a traced one is floored in the precision of its array.
    - `shape`: `(H, W)` or `(C, H, W)`.
    - `top`: mask the rows above the cut instead of those below.

    **Returns:** shape `(d,)`, `True` where the entry is known.

    **Raises:** `ValueError` for a fraction outside [0, 1] or another kind of shape.

    **Source:** [millidge2022universal], masking.
    """
    fraction = checked_fraction(fraction)
    channels, height, width = checked_image(shape)
    above = jnp.arange(height) < _floor(height * (1 - fraction))
    rows = ~above if top else above
    return jnp.broadcast_to(rows[:, None], (channels, height, width)).reshape(-1)


def known_inpaint(fraction: ArrayLike, shape: tuple[int, ...]) -> Bool[Array, " d"]:
    """The entries that `inpaint` leaves alone: all but ⌊H f / 2⌋ at each side.

    **Arguments:**

    - `fraction`: f in [0, 1], with the precision that `known_rows` explains.
    - `shape`: `(H, W)` or `(C, H, W)`. The border is as many columns wide as rows high.

    **Returns:** shape `(d,)`, `True` where the entry is known.

    **Raises:** `ValueError` for a fraction outside [0, 1] or another kind of shape.

    **Source:** [millidge2022universal], inpainting.
    """
    fraction = checked_fraction(fraction)
    channels, height, width = checked_image(shape)
    border = _floor(height * fraction / 2)
    row, column = jnp.arange(height)[:, None], jnp.arange(width)[None, :]
    centre = (row >= border) & (row < height - border)
    centre &= (column >= border) & (column < width - border)
    return jnp.broadcast_to(centre, (channels, height, width)).reshape(-1)


def checked_fraction(fraction: ArrayLike | Tracer) -> float | Array:
    """A fraction as a Python float, or the array itself where it is traced."""
    if isinstance(fraction, Tracer):
        return jnp.asarray(fraction)
    number = checked_scalar(fraction, "fraction")
    if not 0 <= number <= 1:
        raise ValueError(f"fraction is {number}; it must lie in 0 to 1.")
    return number


def checked_scalar(value: ArrayLike, name: str) -> float:
    """A concrete number as a Python float."""
    if jnp.ndim(value) != 0:
        raise ValueError(
            f"{name} has shape {jnp.shape(value)}; it must be one number. "
            "Map over several with jax.vmap."
        )
    return float(native(name, value))


def checked_image(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """The shape of an image as channels, height and width."""
    if len(shape) not in (2, 3) or min(shape) < 1:
        raise ValueError(f"shape is {shape}; it must be (H, W) or (C, H, W).")
    channels, height, width = (1, *shape) if len(shape) == 2 else shape
    return channels, height, width


def _floor(value: float | Array) -> int | Array:
    return math.floor(value) if isinstance(value, float) else jnp.floor(value).astype(int)
