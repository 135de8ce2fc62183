"""Images cut into patches, each a row of its pixels."""

from typing import Any

import jax
from jaxtyping import Array, Float

from ..common.checks import as_floats, whole_number


def divided(shape: Any, patch: Any) -> tuple[tuple[int, ...], int]:
    """The shape of an image and the side of its patches, which must divide height and width.

    **Raises:** `ValueError` that names what does not fit.
    """
    if not isinstance(shape, tuple | list) or len(shape) not in (2, 3):
        raise ValueError(
            f"`shape` must be (height, width) or (height, width, channels), but it is {shape!r}."
        )
    sides, patch = (
        tuple(whole_number("shape", side) for side in shape),
        whole_number("patch", patch),
    )
    if any(side % patch for side in sides[:2]):
        raise ValueError(
            f"`patch` must divide height and width, but it is {patch}, and `shape` is {sides}."
        )
    return sides, patch


def count_patches(shape: tuple[int, ...], patch: int) -> int:
    """P, how many patches an image has."""
    return (shape[0] // patch) * (shape[1] // patch)


def cut(image: Any, shape: tuple[int, ...], patch: int, dtype: Any = None) -> Float[Array, "p e"]:
    """An image as patches, line by line, shape (P, patch · patch · channels).

    **Raises:** `ValueError` for an image of another shape.
    """
    image = as_floats("image", image, dtype=dtype, finite=False)
    if image.shape != shape:
        raise ValueError(
            f"`image` must have shape {shape}, but its shape is {image.shape}; jax.vmap takes a "
            "batch."
        )
    rows, columns = (side // patch for side in shape[:2])
    blocks = image.reshape(rows, patch, columns, patch, -1)
    return blocks.swapaxes(1, 2).reshape(rows * columns, -1)


def join(patches: jax.Array, shape: tuple[int, ...], patch: int) -> Float[Array, "..."]:
    """The image of patches, the inverse of `cut`."""
    rows, columns = (side // patch for side in shape[:2])
    return patches.reshape(rows, columns, patch, patch, -1).swapaxes(1, 2).reshape(shape)
