"""Which pictures can be told from one another: constant ones and copies are set aside."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

# As alike as this, and the default memory cannot tell two rows apart.
_ALIKE = 0.999
# Every picture is compared with every other where they are no more than this.
_MOST = 4096


def sift(
    x: Float[np.ndarray, "n d"], names: Sequence[str]
) -> tuple[Int[np.ndarray, " m"], list[str], dict[str, str]]:
    """The rows to store, the reasons why others are not, and what is a copy of what.

    **Arguments:**

    - `x`: rows, shape (n, d).
    - `names`: what each is called.

    **Returns:** indices of rows; a line for each constant row; and, for each row that equals
    another or looks like it (a correlation of 0.999), the name of the one that is stored.
    """
    constant = x.max(axis=1) == x.min(axis=1)
    remarks = [
        f"{names[i]} has the same value in every pixel, so there is nothing to recognise it by"
        for i in np.flatnonzero(constant).tolist()
    ]
    seen: dict[bytes, int] = {}
    keep, copies = [], {}
    for i in np.flatnonzero(~constant).tolist():
        first = seen.setdefault(x[i].tobytes(), i)
        if first == i:
            keep.append(i)
        else:
            copies[names[i]] = names[first]
    if len(keep) <= _MOST:
        keep = _apart(x, keep, names, copies)
    return np.array(keep, int), remarks, copies


def _apart(
    x: Float[np.ndarray, "n d"], rows: list[int], names: Sequence[str], copies: dict[str, str]
) -> list[int]:
    """The rows that look like none before them."""
    centred = x[rows] - x[rows].mean(axis=1, keepdims=True)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    keep: list[int] = []
    for i in range(len(rows)):
        if keep:
            like = centred[keep] @ centred[i]
            best = int(np.argmax(like))
            if like[best] >= _ALIKE:
                copies[names[rows[i]]] = names[rows[keep[best]]]
                continue
        keep.append(i)
    return [rows[i] for i in keep]
