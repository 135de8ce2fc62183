"""Figures of systems: each panel is a function of Axes and a run, and the sheet is everybody's."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .contract import NotRun

# Inches of one panel: two beside each other fill the column of a page.
_WIDTH, _HEIGHT = 4.6, 3.4
_DPI = 130


@dataclass(frozen=True)
class Panel:
    """One panel of a figure.

    - `title`: the docstring of the function that draws it.
    - `draw`: a function of (Axes, `Run`).
    - `settings`: what `Axes.set` is given: labels, limits, scales.
    - `bare`: a picture without grid, spines or legend.
    """

    title: str
    draw: Callable[[Any, Any], None] = field(repr=False)
    settings: dict[str, Any]
    bare: bool

    def fill(self, ax: Any, run: Callable) -> None:
        """Draw into Axes, with title, labels and legend.

        A panel of what cannot be measured here says so, and the others are drawn all the same.
        """
        try:
            self.draw(ax, run)
        except NotRun:
            ax.clear()
            ax.set_axis_off()
            ax.set_title(self.title, fontsize=10)
            ax.text(0.5, 0.5, "not run", ha="center", va="center", transform=ax.transAxes)
            return
        ax.set(**self.settings)
        ax.set_title(self.title, fontsize=10)
        if self.bare:
            return
        ax.grid(alpha=0.25)
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=9)
        if ax.get_legend() is None and ax.get_legend_handles_labels()[1]:
            ax.legend(fontsize=8)


def panel(*, bare: bool = False, **settings: Any) -> Callable[[Callable], Panel]:
    """Declare the function below as a panel; its docstring is the title.

    ```python
    @panel(xlabel="load α", ylabel="overlap at rest", ylim=(0, 1.05))
    def overlaps(ax, run):
        \"\"\"Hebb's rule, started at a stored pattern\"\"\"
        ax.plot(*run(measure.overlaps))
    ```

    **Arguments:**

    - `bare`: leave out grid, spines and legend, as for a picture.
    - `settings`: keywords of `Axes.set`.
    """

    def declare(draw: Callable) -> Panel:
        return Panel(" ".join((draw.__doc__ or "").split()), draw, settings, bare)

    return declare


def draw_sheet(path: Path, panels: Sequence[Panel], run: Callable) -> None:
    """Write all panels as one picture, two in a line.

    **Arguments:**

    - `path`: a PNG file.
    - `panels`: in reading order.
    - `run`: what was measured.
    """
    from matplotlib.figure import Figure

    columns = min(2, len(panels))
    lines = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(_WIDTH * columns, _HEIGHT * lines), layout="constrained")
    places = list(figure.subplots(lines, columns, squeeze=False).flat)
    for ax, each in zip(places, panels, strict=False):
        each.fill(ax, run)
    for ax in places[len(panels) :]:
        ax.remove()
    _save(figure, path)


def draw_panel(path: Path, panel: Panel, run: Callable) -> None:
    """Write one panel as a picture of its own; see `draw_sheet`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    panel.fill(figure.subplots(), run)
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    """A PNG of 256 colours: a third of the size, and nobody sees it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    figure.set_dpi(_DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.frombuffer("RGBA", canvas.get_width_height(), bytes(canvas.buffer_rgba()))
    picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, "PNG", optimize=True)
