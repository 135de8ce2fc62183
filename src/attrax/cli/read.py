"""The images that `attrax recall` is called with."""

import argparse
import math
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from ..data import Dataset, from_folder, load
from ..data import open as open_data
from .sift import sift
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

    def heading(self, how: str) -> list[str]:
        """The first lines of a table of what was done with them, and an empty one."""
        size = " × ".join(map(str, self.shape))
        lines = [f"{len(self.x)} images of {size} pixels {how}, from {self.name!r}"]
        if self.scaled:
            lines.append("Their entries were brought to 0 ... 1 first.")
        return [*lines, ""]


def read(args: argparse.Namespace) -> Images:
    """The user's images, or the sample; what cannot be used is told on standard error.

    **Raises:** `WrongCall` for what cannot be read, or is too little to be a test.
    """
    found = _found(args)
    if len(found) < 2:
        raise WrongCall(
            f"{found.name!r} gives one image, and a memory of one always recalls it; "
            "give at least two"
        )
    x, shape = _distinct(found), found.shape
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


def _distinct(found: Dataset) -> Float[np.ndarray, "n d"]:
    """The rows that can be told from one another."""
    names = [str(file) for file in found.files] or [f"row {i}" for i in range(len(found))]
    keep, remarks, copies = sift(found.x, names)
    remarks += [f"{copy} is the same as {first}, or very like it" for copy, first in copies.items()]
    if len(keep) < 2:
        raise WrongCall(
            f"{found.name!r} holds {len(keep)} images that can be told apart: the others are "
            f"constant or the same ({remarks[0]}); give at least two"
        )
    for remark in remarks:
        _left_out(remark)
    return found.x[keep]


def _left_out(reason: object) -> None:
    print(f"attrax: left out: {reason}", file=sys.stderr)


def _found(args: argparse.Namespace) -> Dataset:
    if args.images is None:
        if args.size is not None:
            raise WrongCall("--size is for a folder of images; the sample has 28 × 28 pixels")
        return load("sample", limit=args.number)
    path = Path(args.images).expanduser()
    if args.size is not None and path.suffix.lower() == ".npy" and path.is_file():
        raise WrongCall(f"--size is for a folder of images; leave it out for {str(path)!r}")
    # All of these can be mended by the user: paths, files, sizes, missing extras.
    with wrong_calls(OSError, ValueError, ModuleNotFoundError):
        if not path.is_dir():
            return open_data(path, limit=args.number)
        size = args.size
        if size is None:
            first = from_folder(path, limit=1, onerror=lambda error: None)
            height, width = first.shape[-2:]
            share = _LARGEST_SIDE / max(height, width)
            if share < 1:
                size = (max(1, round(height * share)), max(1, round(width * share)))
        return from_folder(path, size=size, limit=args.number, onerror=_left_out)
