"""A user's own images: a folder of picture files, or one `.npy` array."""

import os
import tokenize
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .dataset import Dataset, DatasetFormatError, Raw, checked_limit, from_raw, size_of
from .decode import decode, look, open_image

# As float32 that is 2 GiB.
MAX_VALUES = 2**29
SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff")
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")
_MIXED_SIZE = (64, 64)
# NumPy parses the header as Python literals and lets the parser's errors through.
_NOT_NPY = (
    ValueError,
    TypeError,
    EOFError,
    SyntaxError,
    tokenize.TokenError,
    RecursionError,
    MemoryError,
)


def open(  # the name a reader expects; `builtins.open` is not used here
    path: str | os.PathLike, *, size: int | tuple[int, int] | None = None, limit: int | None = None
) -> Dataset:
    """Read your own data: a folder of images or a `.npy` file, whichever `path` is.

    **Arguments:**

    - `path`: the folder, or the file.
    - `size`: see `from_folder`; for a folder only.
    - `limit`: keep the first so many rows; `None` for all.

    **Returns:** a `Dataset`.

    **Raises:** `FileNotFoundError` if nothing is there, `ValueError` if it is neither of the two.
    """
    place = _existing(path)
    if place.is_dir():
        return from_folder(place, size=size, limit=limit)
    if place.suffix.lower() == ".npy":
        if size is not None:
            raise ValueError(
                f"size is {size!r}, but the images of {place} have their size: leave it out."
            )
        return from_npy(place, limit=limit)
    raise ValueError(
        f"path is {str(place)!r}; it must be a folder of images, or a .npy file written by "
        "numpy.save."
    )


def from_folder(
    path: str | os.PathLike,
    *,
    size: int | tuple[int, int] | None = None,
    limit: int | None = None,
    onerror: Callable[[DatasetFormatError], None] | None = None,
) -> Dataset:
    """Read the images of a folder, sorted by name, all brought to one size.

    PNG, JPEG, GIF (the first frame), WebP, BMP and TIFF files are read, by their suffixes.

    Images in sub-folders (one level) are taken too, and the sub-folders' names are their classes.
    If all images are grey the rows are grey, otherwise all are RGB, channel first. Transparent
    parts are laid on white, and a camera's orientation mark is followed.

    **Arguments:**

    - `path`: the folder.
    - `size`: height and width in pixels (one number: a square). An image of another shape is
      cropped about its centre, then scaled. `None` keeps the size if all images share one,
      and otherwise means 64 × 64.
    - `limit`: keep the first so many images; `None` for all.
    - `onerror`: called with the error of each image that cannot be read, which is then left out;
      `None` raises it.

    **Returns:** a `Dataset`; `y` is −1 for images outside any sub-folder, and `files` says which
    file each row is from.

    **Raises:** `FileNotFoundError` if there is no such folder, `DatasetFormatError` if it holds no
    image or one that cannot be read, `ValueError` for a bad size or limit.
    """
    folder, limit = _existing(path), checked_limit(limit)
    wanted = _checked_size(size)
    if not folder.is_dir():
        raise ValueError(f"path is {str(folder)!r}, a file; it must be a folder of images.")
    files = image_files(folder)
    if not files:
        raise DatasetFormatError(
            f"{folder} and its sub-folders hold no image; files ending in {', '.join(SUFFIXES)} "
            "are read."
        )
    looks = _keep_readable(files, limit, _look, onerror)
    if wanted is None:
        sizes = [size for size, _ in looks.values()]
        wanted = sizes[0] if len(set(sizes)) == 1 else _MIXED_SIZE
    grey = all(is_grey for _, is_grey in looks.values())
    shape = wanted if grey else (3, *wanted)
    if len(looks) * size_of(shape) > MAX_VALUES:
        raise ValueError(
            f"{len(looks)} images of {wanted[0]} × {wanted[1]} pixels are more than "
            f"{MAX_VALUES} values; pass a smaller size, as size=64, or a limit."
        )
    pixels = _keep_readable(
        list(looks),
        None,
        lambda file: decode(open_image(file, FORMATS, file), file, grey=grey, size=wanted),
        onerror,
    )
    files = list(pixels)
    classes = tuple(sorted({file.parent.name for file in files if file.parent != folder}))
    index = {name: i for i, name in enumerate(classes)}
    labels = [-1 if file.parent == folder else index[file.parent.name] for file in files]
    rows = np.stack(list(pixels.values())).reshape(len(files), -1)
    raw = Raw(rows, np.array(labels, np.int32), shape, classes)
    return replace(from_raw(raw, folder.resolve().name), files=tuple(files))


def _keep_readable(
    files: list[Path],
    limit: int | None,
    read: Callable[[Path], Any],
    onerror: Callable[[DatasetFormatError], None] | None,
) -> dict[Path, Any]:
    """What `read` makes of the first so many files that it can read."""
    results: dict[Path, Any] = {}
    for file in files:
        if len(results) == limit:
            break
        try:
            results[file] = read(file)
        except DatasetFormatError as error:
            if onerror is None:
                raise
            onerror(error)
    if not results:
        raise DatasetFormatError(
            f"No image beside {files[0]} can be read, nor that one; save them anew."
        )
    return results


def from_npy(path: str | os.PathLike, *, limit: int | None = None) -> Dataset:
    """Read rows or images from one array in a `.npy` file.

    **Arguments:**

    - `path`: the file, as `numpy.save` writes it. The array has shape `(n, d)`, `(n, H, W)` or
      `(n, H, W, C)` with `C` 1 or 3. Integers must lie in 0 to 255 and are divided by 255; booleans
      become 0 and 1; floats are kept as they are.
    - `limit`: keep the first so many rows; `None` for all.

    **Returns:** a `Dataset`; every `y` is −1.

    **Raises:** `FileNotFoundError` if there is no such file, `DatasetFormatError` if it is not such
    an array, is empty, or holds NaN or infinity. Arrays of objects are pickles and are refused.
    """
    file, limit = _existing(path), checked_limit(limit)
    try:
        # Mapped, not read: a header that promises too much fails before memory is taken.
        with np.errstate(over="ignore"):
            array = np.lib.format.open_memmap(file, mode="r")
    except _NOT_NPY as error:
        raise DatasetFormatError(
            f"{file} cannot be read as a .npy file of numbers ({error}); write it by numpy.save. "
            "Arrays of objects are pickles and are never loaded."
        ) from error
    if array.ndim not in (2, 3, 4) or (array.ndim == 4 and array.shape[-1] not in (1, 3)):
        raise DatasetFormatError(
            f"{file} has shape {array.shape}; it must be (n, d), (n, H, W) or (n, H, W, C) with "
            "C 1 or 3, channels last."
        )
    if array.size == 0:
        raise DatasetFormatError(f"{file} is empty: its shape is {array.shape}.")
    array = array[:limit]
    if array.size > MAX_VALUES:
        raise DatasetFormatError(
            f"{file} holds {array.size} values, more than {MAX_VALUES}; pass a limit of rows."
        )
    if array.ndim == 4:
        array = array[..., 0] if array.shape[-1] == 1 else np.moveaxis(array, -1, 1)
    x = _as_floats(array, file).reshape(len(array), -1)
    labels = np.full(len(x), -1, np.int32)
    return Dataset(x, labels, tuple(array.shape[1:]), file.stem)


def _as_floats(array: np.ndarray, file: Path) -> np.ndarray:
    kind = array.dtype.kind
    if kind == "b":
        return np.array(array, np.float32)
    if kind in "iu":
        if array.min() < 0 or array.max() > 255:
            raise DatasetFormatError(
                f"{file} holds integers from {array.min()} to {array.max()}; they must lie in 0 to "
                "255. Save other values as floats."
            )
        return np.divide(array, 255, dtype=np.float32, casting="unsafe")
    if kind != "f":
        raise DatasetFormatError(
            f"{file} holds elements of type {array.dtype}; they must be integers, booleans "
            "or floats."
        )
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, and is refused below
        x = np.array(array, np.float32)
    if not np.isfinite(x).all():
        raise DatasetFormatError(
            f"{file} holds NaN, infinity or values beyond float32; replace them before saving."
        )
    return x


def _existing(path: str | os.PathLike) -> Path:
    place = Path(path).expanduser()
    if not place.exists():
        raise FileNotFoundError(f"path is {str(place)!r}; nothing is there. Check the spelling.")
    return place


def _checked_size(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    pair = size if isinstance(size, tuple | list) else (size, size)
    if len(pair) != 2 or any(
        isinstance(s, bool) or not isinstance(s, int | np.integer) or s < 1 for s in pair
    ):
        raise ValueError(
            f"size is {size!r}; it must be a number of pixels, or (height, width), each at least 1."
        )
    return int(pair[0]), int(pair[1])


def is_image(file: Path) -> bool:
    """Whether a file's suffix is that of an image; hidden files are none."""
    return file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()


def image_files(folder: Path) -> list[Path]:
    """The images of a folder and its sub-folders (one level), sorted by name."""

    def images(place: Path) -> list[Path]:
        return sorted(p for p in place.iterdir() if is_image(p))

    inner = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    return images(folder) + [file for place in inner for file in images(place)]


def _look(file: Path) -> tuple[tuple[int, int], bool]:
    with open_image(file, FORMATS, file) as image:
        return look(image, file)
