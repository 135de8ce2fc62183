"""The images that `attrax recall` is called with."""

import argparse
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from ..data import Dataset, load
from ..data import open as open_data
from .wrong import WrongCall, wrong_calls

# Photographs are brought to this many pixels along their larger side.
_LARGEST_SIDE = 128


class Images(NamedTuple):
    """Rows to be stored.

    - `x`: within [0, 1], shape (n, d).
    - `shape`: of one image; (d, 1) if the rows are none.
    - `name`: where they come from.
    - `scaled`: whether their entries had to be brought to [0, 1].
    """

    x: Float[np.ndarray, "n d"]
    shape: tuple[int, ...]
    name: str
    scaled: bool


def read(args: argparse.Namespace) -> Images:
    """The user's images, or the sample.

    **Raises:** `WrongCall` for what cannot be read, or is too little to be a test.
    """
    found = _found(args)
    if len(found) < 2:
        raise WrongCall(
            f"{found.name!r} gives one image, and a memory of one always recalls it; "
            "give at least two"
        )
    x, shape = found.x, found.shape
    low, high = float(x.min()), float(x.max())
    scaled = low < 0 or high > 1
    if scaled:
        # In double precision, in which no difference of two float32 overflows.
        x = ((x.astype(np.float64) - low) / (high - low or 1.0)).astype(np.float32)
    if len(shape) == 1:
        # Rows are often images laid flat; others are vectors, and one column wide.
        side = math.isqrt(shape[0])
        shape = (side, side) if side * side == shape[0] else (shape[0], 1)
    return Images(x, shape, found.name, scaled)


def _found(args: argparse.Namespace) -> Dataset:
    if args.images is None:
        if args.size is not None:
            raise WrongCall("--size is for a folder of images; the sample has 28 × 28 pixels")
        return load("sample", limit=args.number)
    path = Path(args.images).expanduser()
    # All of these can be mended by the user: paths, files, sizes, missing extras.
    with wrong_calls(OSError, ValueError, ModuleNotFoundError):
        size = args.size
        if size is None and path.is_dir():
            height, width = open_data(path, limit=1).shape[-2:]
            share = _LARGEST_SIDE / max(height, width)
            if share < 1:
                size = (max(1, round(height * share)), max(1, round(width * share)))
        return open_data(path, size=size, limit=args.number)
