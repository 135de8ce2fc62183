"""Overlaps in time, two sequences in one memory, the energy at each delay, and dwell times."""

import numpy as np

from ...theory import episodic_dwell
from ..panels import panel
from . import measure as m

_THEORY = "#d62728"


@panel(xlabel="time, in $T_f$", ylabel="overlap", ylim=(-0.35, 1.3), xlim=(0, 480))
def overlaps(ax, run):
    """A cycle of 7 patterns: dwell times at T = 100"""
    found = run(m.cycles, 100.0)
    times = found.step * np.arange(len(found.overlaps))
    for i, trace in enumerate(found.overlaps.T):
        ax.plot(times[::20], trace[::20], f"C{i}", lw=1)
    seen = m.visits(found.overlaps, found.step)
    starts = np.concatenate([[0], np.cumsum(seen.times)])
    for start, time, index in zip(starts, seen.times, seen.order, strict=False):
        if start + time < 480:
            middle = max(start + time / 2, 12)
            ax.text(middle, 1.1, f"{time:.0f}", ha="center", fontsize=8, color=f"C{index}")
    formula = float(episodic_dwell(0.7 * m.GAIN, 100.0))
    ax.text(240, 1.22, f"−T ln(1 − 1/√A) = {formula:.0f}", ha="center", fontsize=8)


@panel(xlabel="time, in $T_f$", ylabel="pattern", ylim=(6.5, -1.5))
def sequences(ax, run):
    """A cycle of 3 and one of 4 in one memory, two cues"""
    shown = run(m.pairs).overlaps
    for trace, colour, label in zip(
        shown, ("C0", "C1"), ("cue: pattern 1", "cue: pattern 4"), strict=True
    ):
        leading = np.argmax(trace, axis=1)
        times = 0.02 * np.arange(len(leading))
        ax.plot(times, leading, color=colour, lw=1.5, drawstyle="steps-post", label=label)
    ax.axhline(2.5, color="0.6", lw=0.8, ls=":")
    ax.set_yticks(range(7))
    ax.set_xlim(0, 100)
    ax.legend(fontsize=8, loc="upper right", ncols=2)


@panel(xlabel="time, in $T_f$", ylabel="energy at the delay, over $α_s |ξ|^2$", xlim=(0, 480))
def energy(ax, run):
    """The delay raises the energy, transitions lower it"""
    found = run(m.energies)
    times = found.step * np.arange(len(found.path))
    ax.plot(times[::10], found.path[::10] / m.WIDTH, lw=1.2)


@panel(xlabel="T, in $T_f$", ylabel="time, in $T_f$", xscale="log", yscale="log", ylim=(1, 200))
def dwells(ax, run):
    """Dwell times grow with T, transitions do not"""
    found = [run(m.cycles, delay) for delay in m.DELAYS]
    grid = np.geomspace(8, 250, 60)
    plain = np.asarray(episodic_dwell(0.7 * m.GAIN, grid))
    full = np.asarray(episodic_dwell(0.7 * m.GAIN, grid, features=1.0, cycle=m.COUNT))
    ax.plot(grid, plain, color="0.5", lw=1, ls="--", label="−T ln(1 − 1/√A)")
    ax.plot(grid, full, color=_THEORY, lw=1, label="with lag and cycle")
    for values, mark, label in (
        ([each.dwells for each in found], "o", "dwell time"),
        ([each.rises for each in found], "s", "half of an overlap to 0.9"),
    ):
        means, spreads = [x.mean() for x in values], [x.std() for x in values]
        ax.errorbar(m.DELAYS, means, spreads, fmt=mark, ms=4, lw=1, label=label)
    ax.axhline(np.log(5), color=_THEORY, lw=1, ls=":", label="ln 5")
