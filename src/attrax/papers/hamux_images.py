"""Pictures to learn from and to be judged by."""

from typing import NamedTuple

import numpy as np

from .. import data as datasets


class Images(NamedTuple):
    """Pictures for learning and for judging, as flat rows in the order (H, W, C).

    - `x` (n, d), `y` (n,): to learn from; `test_x`, `test_y`: to be judged by.
    - `shape`: (H, W, C); `classes`: how many there are.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    shape: tuple[int, int, int]
    classes: int


def images(name: str, count: int, test: int, seed: int = 0) -> Images:
    """So many images of a set; sets of one split are divided at random.

    **Raises:** `ValueError` for a set that is not of images with labels.
    """
    single = name in ("sample", "digits")
    loaded = datasets.load(name, limit=None if single else count)
    if len(loaded.shape) < 2 or len(loaded.classes) < 2:
        raise ValueError(f"`data` must be a set of images with labels, but {name!r} is not.")
    x, y = _as_rows(loaded), loaded.y
    if single:
        order = np.random.default_rng(seed).permutation(len(x))
        test = min(test, len(x) // 4)
        chosen, kept = order[test:][:count], order[:test]
        x, y, test_x, test_y = x[chosen], y[chosen], x[kept], y[kept]
    else:
        other = datasets.load(name, "val" if name == "tiny-imagenet" else "test", limit=test)
        test_x, test_y = _as_rows(other), other.y
    height, width = loaded.shape[-2:]
    depth = loaded.shape[0] if len(loaded.shape) == 3 else 1
    return Images(name, x, y, test_x, test_y, (height, width, depth), len(loaded.classes))


def _as_rows(loaded) -> np.ndarray:
    pictures = loaded.images
    moved = pictures if pictures.ndim == 3 else np.moveaxis(pictures, 1, -1)
    return np.ascontiguousarray(moved.reshape(len(moved), -1))
