"""Pictures to arrays of bytes, through Pillow, which is imported when first needed."""

import contextlib
import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from .dataset import DatasetFormatError, require

# A camera's picture of 64 megapixels; what unpacks to more is not read.
MAX_PIXELS = 64_000_000
_ORIENTATION = 0x0112  # the EXIF tag, and its values that exchange width and height
_TURNED = (5, 6, 7, 8)
# Formats of cameras, whose mark can be read without decoding. Pillow turns TIFF files itself.
_MARKED = ("JPEG", "MPO", "WEBP")
_GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N", "F")


def open_image(file: io.BytesIO | Path, formats: tuple[str, ...], name: object) -> Any:
    """Open an image without decoding its pixels, after checking its format and size."""
    Image = require("PIL.Image", "data", "Reading images")
    try:
        image = Image.open(file, formats=formats)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(name) from error
    except (OSError, SyntaxError, ValueError) as error:  # Pillow's ways to say "not an image"
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        raise DatasetFormatError(
            f"{name} cannot be read as {_listed(formats)}; remove it or save it anew."
        ) from error
    if image.width * image.height > MAX_PIXELS:
        image.close()
        raise _too_large(name)
    return image


def look(image: Any, name: object) -> tuple[tuple[int, int], bool]:
    """Height and width of an opened image as it is seen, and whether it has no colour channels."""
    with _damage(name):
        turned = image.format in _MARKED and image.getexif().get(_ORIENTATION) in _TURNED
    size = (image.width, image.height) if turned else (image.height, image.width)
    return size, image.mode in _GREY_MODES


def decode(
    image: Any, name: object, *, grey: bool, size: tuple[int, int] | None = None
) -> UInt8[np.ndarray, "..."]:
    """Decode an opened image to `(H, W)` or `(3, H, W)` bytes, cropped and scaled to `size`."""
    Image = require("PIL.Image", "data", "Reading images")
    ImageOps = require("PIL.ImageOps", "data", "Reading images")
    with image, _damage(name):
        upright = ImageOps.exif_transpose(image) if image.format in _MARKED else image
        if upright.mode.startswith("I"):
            # Pillow would clip 16 bits to 8 rather than scale them.
            levels = (np.asarray(upright).astype(np.int64) + 128) // 257
            upright = Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))
        elif upright.mode == "F":
            upright = Image.fromarray(_levels(np.asarray(upright), name))
        elif upright.has_transparency_data:
            # Under transparency lies an arbitrary colour; on white it looks as drawn.
            layer = upright.convert("RGBA")
            upright = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
        upright = upright.convert("L" if grey else "RGB")
        if size is not None and upright.size != (size[1], size[0]):
            upright = ImageOps.fit(upright, (size[1], size[0]))
        pixels = np.array(upright)
    return pixels if grey else np.moveaxis(pixels, -1, 0)


def fit(pixels: UInt8[np.ndarray, "..."], size: tuple[int, int]) -> UInt8[np.ndarray, "..."]:
    """Pixels `(H, W)` or `(3, H, W)` cropped about their centre, then scaled to `size`."""
    if pixels.shape[-2:] == size:
        return pixels
    Image = require("PIL.Image", "data", "Reading images")
    ImageOps = require("PIL.ImageOps", "data", "Reading images")
    image = Image.fromarray(pixels if pixels.ndim == 2 else np.moveaxis(pixels, 0, -1))
    scaled = np.array(ImageOps.fit(image, (size[1], size[0])))
    return scaled if pixels.ndim == 2 else np.moveaxis(scaled, -1, 0)


def decode_bytes(
    data: bytes, name: object, *, formats: tuple[str, ...], size: tuple[int, int]
) -> UInt8[np.ndarray, "3 H W"]:
    """Decode an image held in memory, which must have this size; grey ones become colour."""
    image = open_image(io.BytesIO(data), formats, name)
    if (image.height, image.width) != size:
        raise DatasetFormatError(
            f"{name} has {image.height} × {image.width} pixels; it must have {size[0]} × {size[1]}."
        )
    return decode(image, name, grey=False)


@contextlib.contextmanager
def _damage(name: object) -> Iterator[None]:
    try:
        yield
    except (OSError, SyntaxError, ValueError, struct.error) as error:  # all of them Pillow's
        raise DatasetFormatError(
            f"{name} is damaged or incomplete ({error}); remove it or save it anew."
        ) from error


def _listed(formats: tuple[str, ...]) -> str:
    return " or ".join(filter(None, (", ".join(formats[:-1]), formats[-1])))


def _levels(values: np.ndarray, name: object) -> UInt8[np.ndarray, "H W"]:
    """Floats of a TIFF file as bytes: within 0 to 1, or else within 0 to 255."""
    low, high = float(values.min()), float(values.max())
    if not 0 <= low <= high <= 255:  # also NaN
        raise DatasetFormatError(
            f"{name} holds floats from {low:g} to {high:g}; they must lie in 0 to 1 or 0 to 255."
        )
    return np.rint(values * 255 if high <= 1 else values).astype(np.uint8)


def _too_large(name: object) -> DatasetFormatError:
    return DatasetFormatError(f"{name} has more than {MAX_PIXELS} pixels; save it smaller.")
