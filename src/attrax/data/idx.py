"""IDX, the format of MNIST and Fashion-MNIST: a magic number, the sizes, then unsigned bytes."""

import gzip
import io
import struct
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from .archive import DAMAGE, damaged
from .dataset import DatasetFormatError, Raw, check_labels, size_of

# The largest true file (60,000 images of 28 × 28) is a fifth of this.
MAX_BYTES = 2**28
_UNSIGNED_BYTE = 8
_TYPES = {9: "int8", 11: "int16", 12: "int32", 13: "float32", 14: "float64"}
_STEMS = {"train": "train", "test": "t10k"}


def file_names(split: str) -> tuple[str, str]:
    """The names of a split's image and label files, as they are distributed."""
    stem = _STEMS[split]
    return f"{stem}-images-idx3-ubyte.gz", f"{stem}-labels-idx1-ubyte.gz"


def find(folder: Path, split: str) -> tuple[Path, Path] | None:
    """A split's two files in `folder`, compressed or not, or `None`."""
    found = []
    for name in file_names(split):
        plain = name.removesuffix(".gz")
        spellings = (name, plain, plain.replace("-idx", ".idx"))
        found.append(next((folder / s for s in spellings if (folder / s).is_file()), None))
    images, labels = found
    return None if images is None or labels is None else (images, labels)


def read(files: tuple[Path, Path], limit: int | None, classes: tuple[str, ...]) -> Raw:
    """The first `limit` images of 28 × 28 pixels, and their labels."""
    images, labels = read_idx(files[0], ndim=3), read_idx(files[1], ndim=1)
    if images.shape[1:] != (28, 28):
        raise DatasetFormatError(
            f"{files[0]} holds images of {images.shape[1]} × {images.shape[2]} pixels; "
            "this data set has 28 × 28. The file belongs to another set."
        )
    if len(images) != len(labels):
        raise DatasetFormatError(
            f"{files[0]} holds {len(images)} images, but {files[1]} holds {len(labels)} labels; "
            "both must come from the same split of the same set."
        )
    check_labels(labels, len(classes), files[1])
    pixels = images[:limit].reshape(-1, 784)
    return Raw(pixels, labels[:limit].astype(np.int32), (28, 28), classes)


def read_idx(path: Path, *, ndim: int) -> UInt8[np.ndarray, "..."]:
    """Read one IDX file of unsigned bytes, compressed by gzip or not.

    **Arguments:**

    - `path`: the file.
    - `ndim`: how many axes it must have: 3 for grey images, 1 for labels.

    **Returns:** the array, with the shape that the header states.

    **Raises:** `DatasetFormatError` if magic number, element type, sizes or byte count are wrong.

    **Source:** LeCun, Cortes and Burges, *The MNIST database of handwritten digits* (1998).
    """
    try:
        with _open(path) as file:
            shape = _header(file, path, ndim)
            expected = size_of(shape)
            # One byte more than expected: enough to see that something follows, however much it is.
            data = file.read(expected + 1)
    except DAMAGE as error:
        raise damaged(path, error) from error
    if len(data) < expected:
        raise damaged(path, f"its header promises {expected} bytes, {len(data)} are there")
    if len(data) > expected:
        raise DatasetFormatError(
            f"{path} goes on after the {expected} bytes that its header promises; "
            "refused. Get the file anew."
        )
    return np.frombuffer(data, np.uint8).reshape(shape)


def _open(path: Path) -> io.BufferedReader | gzip.GzipFile:
    file = path.open("rb")
    compressed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    if not compressed:
        return file
    file.close()
    return gzip.open(path)


def _header(file: io.BufferedReader | gzip.GzipFile, path: Path, ndim: int) -> tuple[int, ...]:
    magic = file.read(4)
    if len(magic) < 4:
        raise damaged(path, "it ends inside the header")
    if magic[:2] != b"\0\0":
        raise DatasetFormatError(
            f"{path} is not an IDX file: it starts with {magic.hex()}, not with 0000."
        )
    if magic[2] != _UNSIGNED_BYTE:
        kind = _TYPES.get(magic[2], f"unknown type 0x{magic[2]:02x}")
        raise DatasetFormatError(f"{path} holds elements of {kind}; they must be unsigned bytes.")
    if magic[3] != ndim:
        raise DatasetFormatError(
            f"{path} has {magic[3]} axes; it must have {ndim}. "
            "Images have 3, labels have 1: were the files exchanged?"
        )
    sizes = file.read(4 * ndim)
    if len(sizes) < 4 * ndim:
        raise damaged(path, "it ends inside the header")
    shape = struct.unpack(f">{ndim}I", sizes)
    if 0 in shape:
        raise DatasetFormatError(f"{path} is empty: its header states the sizes {shape}.")
    if size_of(shape) > MAX_BYTES:
        raise DatasetFormatError(
            f"{path} states the sizes {shape}, {size_of(shape)} bytes; "
            f"at most {MAX_BYTES} are read."
        )
    return shape
