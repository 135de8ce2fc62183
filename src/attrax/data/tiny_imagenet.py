"""Tiny ImageNet: 200 classes of 64 × 64 colour images, as JPEG files in a zip or a folder."""

import re
from pathlib import Path

import numpy as np

from .archive import DiskFolder, ZipFolder
from .dataset import DatasetFormatError, Raw
from .decode import decode_bytes

ARCHIVE = "tiny-imagenet-200.zip"
SHAPE = (3, 64, 64)
_FOLDER = "tiny-imagenet-200"
_WNID = re.compile(r"n\d{8}")
# The true set has 120,609 members; its longest text has 3 MB, its longest image 8 kB.
_MAX_MEMBERS = 250_000
_MAX_TEXT = 2**24
_MAX_IMAGE = 2**20
_TRAIN = re.compile(r"train/(n\d{8})/images/\1_(\d{1,9})\.JPEG")


def find(folder: Path, split: str) -> Path | None:
    """The zip, or the unpacked folder, or `None`."""
    if folder.is_file():
        return folder
    if (folder / ARCHIVE).is_file():
        return folder / ARCHIVE
    places = (folder / _FOLDER, folder)
    return next((p for p in places if (p / "wnids.txt").is_file() and (p / split).is_dir()), None)


def read(source: Path, split: str, limit: int | None) -> Raw:
    """The first `limit` images: by class in the order of `wnids.txt`, then by their numbers."""
    folder = (
        DiskFolder(source) if source.is_dir() else ZipFolder(source, members_bound=_MAX_MEMBERS)
    )
    try:
        return _read(folder, split, limit)
    finally:
        folder.close()


def _read(folder: DiskFolder | ZipFolder, split: str, limit: int | None) -> Raw:
    # Inside the zip everything lies below one folder; unpacked, we stand in it already.
    prefix = f"{_FOLDER}/" if isinstance(folder, ZipFolder) else ""
    files = {name[len(prefix) :] for name in folder.names() if name.startswith(prefix)}

    def lines(name: str) -> list[str]:
        if name not in files:
            raise DatasetFormatError(f"{folder.path} lacks {name}; it must be {ARCHIVE}.")
        try:
            return folder.read(prefix + name, _MAX_TEXT).decode().splitlines()
        except UnicodeDecodeError as error:
            raise DatasetFormatError(f"{folder.path}: {name} is not a text ({error}).") from error

    wnids = [line.strip() for line in lines("wnids.txt") if line.strip()]
    for wnid in wnids:
        if not _WNID.fullmatch(wnid):
            raise DatasetFormatError(
                f"{folder.path}: wnids.txt holds {wnid!r}; a class is 'n' and eight digits."
            )
    order = {wnid: i for i, wnid in enumerate(wnids)}
    if split == "train":
        rows = _train_rows(files, order)
    else:
        rows = _validation_rows(lines("val/val_annotations.txt"), files, order, folder.path)
    if not rows:
        raise DatasetFormatError(f"{folder.path} holds no image of the split {split!r}.")
    rows = rows[:limit]
    pixels = np.empty((len(rows), *SHAPE), np.uint8)
    for i, (name, _) in enumerate(rows):
        place = f"{folder.path}: {name}"
        data = folder.read(prefix + name, _MAX_IMAGE)
        pixels[i] = decode_bytes(data, place, formats=("JPEG",), size=SHAPE[1:])
    words = dict(line.split("\t", 1) for line in _words(lines, files))
    classes = tuple(words.get(wnid, wnid) for wnid in wnids)
    labels = np.array([label for _, label in rows], np.int32)
    return Raw(pixels.reshape(len(rows), -1), labels, SHAPE, classes)


def _train_rows(files: set[str], order: dict[str, int]) -> list[tuple[str, int]]:
    keyed = []
    for name in files:
        match = _TRAIN.fullmatch(name)
        if match and match[1] in order:
            keyed.append((order[match[1]], int(match[2]), name))
    return [(name, label) for label, _, name in sorted(keyed)]


def _validation_rows(
    lines: list[str], files: set[str], order: dict[str, int], path: Path
) -> list[tuple[str, int]]:
    rows = []
    for line in lines:
        name, _, rest = line.partition("\t")
        wnid = rest.split("\t")[0]
        if f"val/images/{name}" not in files or wnid not in order:
            raise DatasetFormatError(
                f"{path}: val_annotations.txt holds the line {line[:80]!r}, "
                "which names no image or no class of the set."
            )
        rows.append((f"val/images/{name}", order[wnid]))
    return rows


def _words(lines, files: set[str]) -> list[str]:
    return [line for line in lines("words.txt") if "\t" in line] if "words.txt" in files else []
