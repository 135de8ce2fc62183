"""What every reader returns, and the errors they share."""

import importlib
import math
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int32, UInt8


class DatasetNotFoundError(FileNotFoundError):
    """A data set is not on this machine; the text says how to get it."""


class DatasetFormatError(ValueError):
    """A file is damaged, hostile or of another format than its name says."""


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Images (or other patterns) as flat rows, with their labels.

    **Attributes:**

    - `x`: the rows, shape `(n, d)`, float32. Pixels lie in [0, 1]; rows are in file order.
    - `y`: the labels, shape `(n,)`, int32; −1 where a row has none.
    - `shape`: the shape of one row as an image: `(H, W)` for grey, `(C, H, W)` for colour, `(d,)`
      if it is not an image. `d` is its product.
    - `name`: what the set is called.
    - `classes`: the names that the labels index; empty without labels.
    - `files`: the path of each row's file, shape `(n,)`; empty for rows of one file.
    """

    x: Float32[np.ndarray, "n d"]
    y: Int32[np.ndarray, " n"]
    shape: tuple[int, ...]
    name: str
    classes: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.x)

    def __repr__(self) -> str:
        return (
            f"Dataset({self.name!r}, x={self.x.shape}, shape={self.shape}, "
            f"classes={len(self.classes)})"
        )

    @property
    def images(self) -> Float32[np.ndarray, "n *shape"]:  # noqa: F821
        """The rows as images, shape `(n, *shape)`."""
        return self.x.reshape(len(self.x), *self.shape)


class Raw(NamedTuple):
    """Bytes as a reader found them: pixels 0 to 255, not yet scaled."""

    pixels: UInt8[np.ndarray, "n d"]
    labels: Int32[np.ndarray, " n"]
    shape: tuple[int, ...]
    classes: tuple[str, ...]


def from_raw(raw: Raw, name: str) -> Dataset:
    """Scale bytes to [0, 1] and give them their name."""
    x = np.divide(raw.pixels, 255, dtype=np.float32)
    return Dataset(x, raw.labels.astype(np.int32), raw.shape, name, raw.classes)


def checked_limit(limit: int | None) -> int | None:
    """`limit` itself, if it is a positive whole number or `None`."""
    if limit is None:
        return None
    if isinstance(limit, bool) or not isinstance(limit, int | np.integer) or limit < 1:
        raise ValueError(
            f"limit is {limit!r}; it must be a whole number of at least 1, or None for all rows."
        )
    return int(limit)


def check_labels(labels: np.ndarray, classes: int, path: Path) -> None:
    """Refuse labels that name no class."""
    if labels.size and labels.max() >= classes:
        raise DatasetFormatError(
            f"{path} holds the label {labels.max()}; labels must be below {classes}. "
            "The file belongs to another data set or is damaged: get it anew."
        )


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import an optional dependency, or say how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = {"PIL": "Pillow", "sklearn": "scikit-learn"}.get(
            module.split(".")[0], module.split(".")[0]
        )
        raise ModuleNotFoundError(
            f'{purpose} needs {package}, which is not installed: pip install "attrax[{extra}]".',
            name=module,
        ) from error


def size_of(shape: tuple[int, ...]) -> int:
    """The number of entries of an array of this shape, in exact integers."""
    return math.prod(shape)
