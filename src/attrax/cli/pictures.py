"""Files of pictures for `attrax restore`: finding, reading and writing them."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, UInt8

from ..common.files import replace_file
from ..data.dataset import DatasetFormatError, require
from ..data.decode import decode, fit, look, open_image
from ..data.images import FORMATS, SUFFIXES, image_files, is_image
from .wrong import WrongCall

# JPEG and lossy WebP files do not keep a colour exactly.
_LOSSY = (".jpg", ".jpeg", ".webp")
_TOLERANCE = 12


class Refused(Exception):
    """Why one picture cannot be used; the others can."""


class Places(NamedTuple):
    """Files, the folder that their names are told from, and whether a folder was given."""

    files: list[Path]
    base: Path
    folder: bool

    def name(self, file: Path) -> str:
        """The file within its folder."""
        return file.relative_to(self.base).as_posix()


def find(text: str, what: str, out: Path) -> Places:
    """The pictures of a folder, or one file.

    **Raises:** `WrongCall` if there are none.
    """
    path = Path(text).expanduser()
    suffixes = ", ".join(SUFFIXES)
    if path.is_dir():
        files = image_files(path)
        if path.resolve() in out.resolve().parents:
            # What an earlier run restored is no picture to be restored.
            files = [file for file in files if out.resolve() not in file.resolve().parents]
        if not files:
            raise WrongCall(f"{what} is {text!r}, which holds no picture ({suffixes})")
        return Places(files, path, True)
    if not path.exists():
        raise WrongCall(f"{what} is {text!r}, but nothing is there; check the spelling")
    if not is_image(path):
        raise WrongCall(f"{what} is {text!r}; it must be a folder or a picture ({suffixes})")
    return Places([path], path.parent, False)


def sizes(
    files: list[Path], refuse: Callable[[Path, str], None]
) -> dict[Path, tuple[tuple[int, int], bool]]:
    """Height, width and whether it is grey, of each file that is a picture."""
    looks = {}
    for file in files:
        try:
            with open_image(file, FORMATS, file.name) as image:
                looks[file] = look(image, file.name)
        except (DatasetFormatError, OSError) as error:
            refuse(file, str(error))
    return looks


def usual(looks: dict[Path, tuple[tuple[int, int], bool]]) -> tuple[int, int]:
    """The size of most pictures, of the first where several are as frequent."""
    return Counter(size for size, _ in looks.values()).most_common(1)[0][0]


def read(
    file: Path, grey: bool, size: tuple[int, int], scale: bool, missing: "Missing | None" = None
) -> tuple[UInt8[np.ndarray, "..."], Bool[np.ndarray, "H W"] | None]:
    """A picture as bytes, and which of its pixels are missing; `None` if that is not asked.

    **Raises:** `Refused` if it cannot be read, or has another size and must not be scaled.
    """
    try:
        pixels = decode(open_image(file, FORMATS, file.name), file.name, grey=grey)
        holes = None if missing is None else missing.holes(file)
    except (DatasetFormatError, OSError) as error:
        raise Refused(str(error)) from error
    if pixels.shape[-2:] != size and not scale:
        height, width = pixels.shape[-2:]
        raise Refused(
            f"it has {height} × {width} pixels, and most clean pictures have {size[0]} × "
            f"{size[1]}; --size {size[0]}x{size[1]} crops and scales all to one size"
        )
    if holes is not None:
        holes = fit(np.where(holes, 255, 0).astype(np.uint8), size) > 0
    return fit(pixels, size), holes


class Missing:
    """What missing pixels look like: `transparent`, or a colour.

    **Raises:** `WrongCall` for what is no colour.
    """

    def __init__(self, text: str):
        self._colour = None
        if text == "transparent":
            return
        colours = require("PIL.ImageColor", "data", "Reading images")
        try:
            if text.isascii() and text.isdigit():
                self._colour = np.array([int(text)] * 3)
            else:
                self._colour = np.array(colours.getrgb(text)[:3])
        except ValueError:
            self._colour = np.array([-1])
        if not 0 <= self._colour.min() <= self._colour.max() <= 255:
            raise WrongCall(
                f"--missing is {text!r}; it must be a grey level from 0 to 255, a colour such as "
                "black or '#ff00ff', or transparent"
            )

    def holes(self, file: Path) -> Bool[np.ndarray, "H W"]:
        """The missing pixels of a picture, True."""
        if self._colour is None:
            with open_image(file, FORMATS, file.name) as image:
                return np.asarray(image.convert("RGBA"))[..., 3] == 0
        pixels = decode(open_image(file, FORMATS, file.name), file.name, grey=False)
        tolerance = _TOLERANCE if file.suffix.lower() in _LOSSY else 0
        far = np.abs(pixels.astype(int) - self._colour[:, None, None])
        return np.all(far <= tolerance, axis=0)


def mask_of(file: Path, masks: Places, size: tuple[int, int], scale: bool):
    """The missing pixels that a mask shows in white: the one mask, or that of the same name.

    **Raises:** `Refused` if there is none, or it cannot be used.
    """
    place = masks.files[0]
    if masks.folder:
        same = [each for each in masks.files if each.stem == file.stem]
        if not same:
            raise Refused(f"there is no mask of that name in {masks.base}")
        place = same[0]
    try:
        pixels = decode(open_image(place, FORMATS, place.name), place.name, grey=True)
    except (DatasetFormatError, OSError) as error:
        raise Refused(f"its mask: {error}") from error
    if pixels.shape != size and not scale:
        raise Refused(
            f"its mask {place.name} has {pixels.shape[0]} × {pixels.shape[1]} pixels, and the "
            f"pictures have {size[0]} × {size[1]}"
        )
    return fit(np.where(pixels >= 128, 255, 0).astype(np.uint8), size) > 0


def write(path: Path, pixels: UInt8[np.ndarray, "..."]) -> None:
    """Write a picture in the format of its suffix, with as little loss as that allows."""
    Image = require("PIL.Image", "data", "Writing images")
    image = Image.fromarray(pixels if pixels.ndim == 2 else np.moveaxis(pixels, 0, -1))
    options = {
        ".jpg": {"quality": 95, "subsampling": 0},
        ".jpeg": {"quality": 95, "subsampling": 0},
        ".webp": {"lossless": True},
    }.get(path.suffix.lower(), {})
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, lambda temporary: image.save(temporary, **options))
