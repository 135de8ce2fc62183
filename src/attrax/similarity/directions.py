"""Random directions of feature maps: independent, or orthogonal in blocks."""

import functools
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..common.checks import one_key, one_of, whole_number

Lengths = Literal["normal", "constant"]


def random_directions(
    count: int, width: int, *, orthogonal: bool = True, lengths: Lengths = "normal", key: Array
) -> Float[Array, "m d"]:
    """Rows ω of which each is a standard normal vector; orthogonal ones come in blocks of d.

    Orthogonal directions are rows of random orthogonal matrices, of Haar's measure: Q of normal
    numbers' QR decomposition, R's diagonal being positive. Lengths are drawn apart, as those of
    normal vectors are, χ_d. So each row is normal, and sums over rows vary less than those of
    independent ones. Rows of different blocks are independent.

    **Arguments:**

    - `count`: m, the number of rows. The last block is cut where d does not divide it.
    - `width`: d, the number of entries of a row.
    - `orthogonal`: whether the rows of a block are orthogonal, or all independent.
    - `lengths`: "normal", χ_d, or "constant", √d, by which kernels are estimated with a bias.
    - `key`: of the draw.

    **Returns:** shape (m, d).

    **Raises:** `ValueError` for sizes that are not whole, or unknown `lengths`; `TypeError` if
    `key` is not a random key.

    **Source:** [choromanski2021rethinking]
    """
    count, width = whole_number("count", count), whole_number("width", width)
    one_of("lengths", lengths, ("normal", "constant"))
    one_key(key)
    if not orthogonal:
        rows = jax.random.normal(key, (count, width))
        if lengths == "normal":
            return rows
        rows = rows / jnp.linalg.norm(rows, axis=1, keepdims=True)
        return rows * jnp.sqrt(jnp.asarray(width, rows.dtype))
    turned, sized = jax.random.split(key)
    blocks = jax.random.normal(turned, (-(-count // width), width, width))
    rows = _rotations(blocks).reshape(-1, width)[:count]
    if lengths == "constant":
        return rows * jnp.sqrt(jnp.asarray(width, rows.dtype))
    # Faster than to draw their squares, which are of a gamma law, by rejection.
    others = jax.random.normal(sized, (count, width))
    return rows * jnp.linalg.norm(others, axis=1, keepdims=True)


def _rotations(blocks):
    """Rows of each block made orthonormal one after another, (blocks, d, d).

    By Gram and Schmidt, twice, which has no signs to mend. `jnp.linalg.qr` of several matrices
    waits for workers that may all be waiting so, where two programs call it at a time.
    """
    exact = functools.partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)

    def add(done, given):
        place, rows = given
        for _ in range(2):
            rows = rows - exact("bk,bkd->bd", exact("bkd,bd->bk", done, rows), done)
        rows = rows / jnp.linalg.norm(rows, axis=1, keepdims=True)
        return done.at[:, place].set(rows), None

    places = jnp.arange(blocks.shape[1])
    return jax.lax.scan(add, jnp.zeros_like(blocks), (places, blocks.swapaxes(0, 1)))[0]
