"""Rotary positions: products of rotated rows depend on how far apart their places are."""

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import accumulate
from ..common.checks import as_array, as_floats, plain_number


def rotate_positions(
    rows: ArrayLike, positions: ArrayLike, *, base: float = 10_000.0
) -> Float[Array, "... n z"]:
    """Rows whose entries i and i + z/2 are turned by the angle position · base^(−2i/z).

    The product of a row turned by p and another turned by r depends on p and r by p − r alone.

    **Arguments:**

    - `rows`: shape (..., n, z), z even.
    - `positions`: places of the n rows, shape (n,); they may be negative.
    - `base`: > 1; the slowest pair turns once in about 2π · base places.

    **Returns:** shape (..., n, z), in at least 32 bits.

    **Raises:** `ValueError` for an odd z, other shapes, or a `base` that is not above 1.

    **Source:** [su2024roformer]
    """
    rows, places = as_floats("rows", rows), as_array("positions", positions)
    if rows.ndim < 2 or rows.shape[-1] % 2:
        raise ValueError(
            f"`rows` must have shape (..., n, z) with an even z, but their shape is {rows.shape}."
        )
    if places.shape != rows.shape[-2:-1]:
        raise ValueError(
            f"`positions` must have shape {rows.shape[-2:-1]}, one a row, but their shape is "
            f"{places.shape}."
        )
    if not plain_number("base", base) > 1:
        raise ValueError(f"`base` must be above 1, but it is {base}.")
    dtype = accumulate(rows.dtype)
    half = rows.shape[-1] // 2
    turns = np.power(float(base), -np.arange(half) / half)
    angles = places.astype(dtype)[:, None] * jnp.asarray(turns, dtype)[None]
    angles = angles.reshape((1,) * (rows.ndim - 2) + angles.shape)
    sine, cosine = jnp.sin(angles), jnp.cos(angles)
    one, two = jnp.split(rows.astype(dtype), 2, axis=-1)
    return jnp.concatenate([one * cosine - two * sine, one * sine + two * cosine], axis=-1)
