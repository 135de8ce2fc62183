"""Texts as bytes: your own files, or the library of the running Python."""

import os
import sysconfig
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from ..common.checks import whole_number


def texts(
    folder: str | os.PathLike | None = None, *, suffix: str = ".py", most: int = 1 << 18
) -> dict[str, Shaped[np.ndarray, " n"]]:
    """The bytes of all files of a folder, and of the folders in it, by name.

    Python's own library is a corpus that is always there: some 1700 modules, 30 MB, in which names
    are used far from where they are defined.

    **Arguments:**

    - `folder`: where they are; the standard library of the running Python if `None`, without the
      packages that are installed beside it.
    - `suffix`: how names of files end, such as ".txt".
    - `most`: files of more bytes are left out.

    **Returns:** a dictionary in the order of the names, relative to the folder, of uint8 arrays,
    which are tokens from 0 to 255. Empty files are left out.

    **Raises:** `FileNotFoundError` if there is no such folder, or no such file in it.
    """
    own = folder is None
    place = Path(sysconfig.get_paths()["stdlib"] if own else folder)
    most = whole_number("most", most)
    if not place.is_dir():
        raise FileNotFoundError(f"There is no folder {place}.")
    found = {}
    for path in sorted(place.rglob(f"*{suffix}")):
        name = path.relative_to(place)
        if own and name.parts[0] in ("site-packages", "dist-packages"):
            continue
        if path.is_file() and 0 < path.stat().st_size <= most:
            found[name.as_posix()] = np.frombuffer(path.read_bytes(), np.uint8)
    if not found:
        raise FileNotFoundError(f"There is no file in {place} whose name ends in {suffix!r}.")
    return found
