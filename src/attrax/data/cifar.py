"""CIFAR-10, the binary version: records of one label byte and 3 × 32 × 32 pixels.

The Python version of the set holds pickles, which can run code when loaded; it is never read.
"""

from pathlib import Path, PurePosixPath

import numpy as np

from .archive import read_tar
from .dataset import DatasetFormatError, Raw, check_labels

ARCHIVE = "cifar-10-binary.tar.gz"
CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
SHAPE = (3, 32, 32)
_RECORD = 1 + 3 * 32 * 32
_MAX_RECORDS = 10_000
# Six batches and two texts are 184 MB.
_MAX_TOTAL = 2**28
_BATCHES = {
    "train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)),
    "test": ("test_batch.bin",),
}
_PICKLED = ("cifar-10-python.tar.gz", "cifar-10-batches-py", "data_batch_1")


def find(folder: Path, split: str) -> Path | None:
    """The archive, or the folder with the split's unpacked batches, or `None`."""
    if folder.is_file():
        return folder
    if (folder / ARCHIVE).is_file():
        return folder / ARCHIVE
    for place in (folder / "cifar-10-batches-bin", folder):
        if all((place / name).is_file() for name in _BATCHES[split]):
            return place
    return None


def hint(folder: Path) -> str:
    """What to say where only the pickled version is there."""
    if any((folder / name).exists() for name in _PICKLED):
        return (
            f" {folder} holds the Python version of CIFAR-10, which consists of pickles and is "
            f"never loaded; the binary version is {ARCHIVE}."
        )
    return ""


def read(source: Path, split: str, limit: int | None) -> Raw:
    """The first `limit` images of a split, channel first, in the order of the batches."""
    names = _BATCHES[split]
    batches = _from_folder(source, names) if source.is_dir() else _from_tar(source, names)
    records = np.concatenate([_records(batches[name], source / name) for name in names])[:limit]
    return Raw(records[:, 1:], records[:, 0].astype(np.int32), SHAPE, CLASSES)


def _from_folder(folder: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    for name in names:
        _check_length((folder / name).stat().st_size, folder / name)
    return {name: (folder / name).read_bytes() for name in names}


def _from_tar(path: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    members = read_tar(
        path,
        lambda member: PurePosixPath(member).name in names,
        member_bound=_MAX_RECORDS * _RECORD,
        total_bound=_MAX_TOTAL,
    )
    batches = {PurePosixPath(member).name: data for member, data in members.items()}
    missing = [name for name in names if name not in batches]
    if missing:
        raise DatasetFormatError(
            f"{path} lacks {', '.join(missing)}; it must be the binary version of CIFAR-10, "
            f"{ARCHIVE} (the Python version consists of pickles, which are never loaded)."
        )
    return batches


def _check_length(length: int, path: Path) -> None:
    if length == 0 or length % _RECORD or length > _MAX_RECORDS * _RECORD:
        raise DatasetFormatError(
            f"{path} has {length} bytes; a batch of CIFAR-10 has 1 to {_MAX_RECORDS} records of "
            f"{_RECORD} bytes. Get the file anew."
        )


def _records(data: bytes, path: Path) -> np.ndarray:
    _check_length(len(data), path)
    records = np.frombuffer(data, np.uint8).reshape(-1, _RECORD)
    check_labels(records[:, 0], len(CLASSES), path)
    return records
