"""Traces of overlaps, lengths of sequences, dwell times, and a replay of images."""

import numpy as np

from ..panels import panel
from . import measure as m

_THEORY = "0.35"


@panel(xlabel="step", ylabel="overlap with the pattern that is due", ylim=(-0.2, 1.05))
def traces(ax, run):
    """100 patterns of 300 units: a square keeps the sequence"""
    for degree, colour in ((1, "C0"), (2, "C1")):
        rows = run(m.traces, degree)
        ax.plot(rows.T, color=colour, lw=0.8, alpha=0.5)
        ax.plot([], color=colour, label=f"degree {degree}")


@panel(xlabel="length / capacity $P_S$ of normal noise", ylabel="share without any error")
def lengths(ax, run):
    """Whole sequences of random patterns, and theory"""
    for i, degree in enumerate((1, 2, 3, 4, None)):
        found = run(m.lengths, degree, m.LARGE if degree is None else None)
        name = "exponential" if degree is None else f"degree {degree}"
        label = f"{name}, {found.units} units"
        scaled = found.sizes / found.predicted
        ax.plot(scaled, found.every.mean(1), f"C{i}o", ms=4, label=label)
        sizes = np.unique(np.round(np.geomspace(found.sizes[0], found.sizes[-1], 40)))
        ax.plot(sizes / found.predicted, m.law(found.units, degree, sizes), f"C{i}-", lw=1)
    ax.axvline(1, color=_THEORY, lw=1, ls="--")
    ax.plot([], color=_THEORY, lw=1, label="exact law of the noise")
    ax.set_xscale("log")
    ax.set_xlim(0.01, 400)
    ax.legend(fontsize=7, loc="upper right")


@panel(xlabel="step", ylabel="pattern", xlim=(0, 60), ylim=(-0.5, 14))
def dwells(ax, run):
    """Mixed networks with a window of six states"""
    for degree, colour in ((2, "C1"), (10, "C2")):
        best = run(m.dwells, degree).best[0]
        ax.step(np.arange(len(best)), best, color=colour, where="post", label=f"degree {degree}")
    times = np.arange(1, 61, m.STATES)
    ax.plot(times, (times - 1) // m.STATES + 1, ".", color=_THEORY, ms=5, label="six steps each")


@panel(bare=True)
def images(ax, run):
    """A damaged cue, and eleven steps of its replay"""
    path = run(m.strip).path[0, :12].reshape(2, 6, 28, 28)
    ax.imshow(np.block([list(row) for row in path]), cmap="gray", interpolation="nearest")
    for x in range(1, 6):
        ax.axvline(28 * x - 0.5, color="C0", lw=1)
    ax.axhline(27.5, color="C0", lw=1)
    ax.set_axis_off()
