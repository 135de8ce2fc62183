"""The picture of `attrax recall`: a column for each kind of damage."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from .. import plot


class Column(NamedTuple):
    """What one column shows.

    - `title`: two lines.
    - `stored`, `damaged`, `retrieved`: flat images, shape (k, d); NaN where nothing is known.
    - `energies`: on the way, shape (k, steps).
    """

    title: str
    stored: Float[np.ndarray, "k d"]
    damaged: Float[np.ndarray, "k d"]
    retrieved: Float[np.ndarray, "k d"]
    energies: Float[np.ndarray, "k s"]


def draw(columns: list[Column], shape: tuple[int, ...]) -> Callable[[Path], None]:
    """A function that writes the picture to a path.

    **Raises:** `ModuleNotFoundError` if matplotlib is missing.
    """
    plot.require()
    from matplotlib.figure import Figure

    count = len(columns[0].stored)
    # Vectors that are no images are drawn as squares, so that something can be seen.
    side = math.ceil(math.sqrt(shape[0]))
    drawn = (side, side) if shape[-1] == 1 else shape
    width = max(2.4, 0.85 * count)
    # Very tall images are drawn small rather than on an endless page.
    height = 3 * width / count * min(drawn[-2] / drawn[-1], 4)
    figure = Figure(figsize=(1 + width * len(columns), height + 2.6), layout="constrained")
    axes = figure.subplots(2, len(columns), squeeze=False, height_ratios=(height, 1.6))
    for j, column in enumerate(columns):
        top, bottom = axes[:, j]
        stored, damaged, retrieved = (padded(rows, math.prod(drawn)) for rows in column[1:4])
        plot.recall_sheet(stored, damaged, retrieved, drawn, column.energies, [top, bottom])
        top.set_title(column.title, fontsize=10)
        bottom.set_xlabel("step (damped: 1/5 of a full update)")
        if j:
            top.set_yticks([])
            bottom.set_ylabel("")
            bottom.sharey(axes[1, 0])
            bottom.tick_params(labelleft=False)
    return lambda path: figure.savefig(path, dpi=110)


def padded(rows: Float[np.ndarray, "k d"], size: int) -> Float[np.ndarray, "k s"]:
    """Rows with as many entries as are drawn, the last of them missing."""
    return np.pad(rows, ((0, 0), (0, size - rows.shape[1])), constant_values=np.nan)
