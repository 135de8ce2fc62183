"""A world with a path, fields of memory units, drift and its repair, and accuracy by training."""

import numpy as np

from ..panels import panel
from . import measure as m

_OTHER = "0.45"


@panel(bare=True)
def world(ax, run):
    """Observations of 8 × 8 nodes, and the first 60 steps of a walk"""
    units = run(m.units)
    rows, columns = np.divmod(units.walks[0][:60], m.SIDE)
    shift = np.random.default_rng(0).normal(0, 0.09, (2, len(rows)))
    for i in range(m.SIDE):
        ax.plot([0, m.SIDE - 1], [i, i], color="0.85", lw=1, zorder=0)
        ax.plot([i, i], [0, m.SIDE - 1], color="0.85", lw=1, zorder=0)
    ax.plot(columns + shift[0], rows + shift[1], color="C0", lw=1, alpha=0.8)
    for node, seen in enumerate(units.observations[0]):
        row, column = divmod(node, m.SIDE)
        ax.text(column + 0.16, row + 0.16, seen, fontsize=7, color=_OTHER)
    points = ax.scatter(
        columns + shift[0], rows + shift[1], c=np.arange(len(rows)), s=14, cmap="viridis", zorder=3
    )
    ax.figure.colorbar(points, ax=ax, label="step", shrink=0.8)
    ax.invert_yaxis()
    ax.plot(columns[0], rows[0], "s", ms=11, mfc="none", mec="#d62728", mew=1.5)
    ax.set_aspect("equal")
    ax.set_axis_off()


@panel(bare=True)
def fields(ax, run):
    """Activity of five memory units, in four worlds"""
    units, side = run(m.units), m.SIDE + 1
    chosen = np.linspace(2, units.counts[:4].min() - 2, 5).astype(int)
    sheet = np.full((4 * side - 1, 5 * side - 1), np.nan)
    for row in range(4):
        for column, unit in enumerate(chosen):
            grid = units.activity[row, unit].reshape(m.SIDE, m.SIDE)
            place = slice(row * side, row * side + m.SIDE)
            sheet[place, column * side : column * side + m.SIDE] = grid / grid.max()
    image = ax.imshow(sheet, cmap="magma", vmin=0, vmax=1)
    middle = m.SIDE / 2 - 0.5
    ax.set_xticks([i * side + middle for i in range(5)], [f"unit {i}" for i in chosen])
    ax.set_yticks([i * side + middle for i in range(4)], [f"world {i + 1}" for i in range(4)])
    ax.tick_params(length=0, labelsize=8)
    ax.spines[:].set_visible(False)
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.9)
    bar.set_label("of the peak", fontsize=9)
    bar.ax.tick_params(labelsize=8)


@panel(xlabel="step of the walk", ylabel="accuracy at visited nodes", ylim=(0.45, 1.02))
def drift(ax, run):
    """Drift of path integration, and its correction"""
    for noise, colour in ((0.02, "C2"), (0.1, "C0"), (0.2, "C1")):
        for corrected, style in ((False, "-"), (True, ":")):
            if corrected and noise < 0.1:
                continue
            paths = run(m.paths, noise, corrected)
            right, visited = (
                x.reshape(len(x), -1, 50).sum((0, 2))
                for x in (paths.right & paths.visited, paths.visited)
            )
            label = f"noise {noise:g}" + (", corrected" if corrected else "")
            steps = 50 * np.arange(len(right)) + 25
            ax.plot(steps, right / visited, style, color=colour, lw=1.6, label=label)


@panel(xlabel="step of training", ylabel="accuracy", ylim=(0, 1.03), xscale="log")
def training(ax, run):
    """New worlds of 5 × 5 nodes, 12 observations"""
    for name, label, colour in (("transformer", "TEM-t", "C0"), ("recurrent", "GRU", _OTHER)):
        trained = run(m.trained, name)
        ax.plot(
            *(trained.steps[1:], trained.untaken[1:].mean(1), "o-"),
            **{"color": colour, "ms": 4, "lw": 1.3, "label": f"{label}, untaken links"},
        )
        ax.plot(
            *(trained.steps[1:], trained.taken[1:].mean(1), "s:"),
            **{"color": colour, "ms": 3, "lw": 1, "label": f"{label}, taken links"},
        )
