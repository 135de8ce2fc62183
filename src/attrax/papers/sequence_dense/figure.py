"""Replays in space and time, capacities beside theory, dwell times, and a replay of images."""

import numpy as np

from ..panels import panel
from . import measure as m

_THEORY = "0.35"


@panel(bare=True, xlabel="step", ylabel="pattern")
def replays(ax, run):
    """Overlap with each pattern, 900 patterns of 100 units"""
    found, gap = run(m.replays), 3
    shown = [overlaps[:40, :40].T for overlaps in found.values()]
    sheet = np.hstack([np.pad(x, ((0, 0), (0, gap)), constant_values=np.nan) for x in shown])
    image = ax.imshow(sheet, cmap="RdBu_r", vmin=-1, vmax=1, origin="lower", aspect=1.9)
    for i, name in enumerate(("linear", "degree 2", "exponential")):
        box = {"facecolor": "white", "edgecolor": "none", "pad": 2}
        ax.text(i * (40 + gap) + 1, 37.5, name, va="top", fontsize=8, bbox=box)
    ticks = [i * (40 + gap) + x for i in range(3) for x in (0, 20)]
    ax.set_xticks(ticks, [x % (40 + gap) for x in ticks])
    ax.tick_params(labelsize=8)
    ax.spines[:].set_visible(False)
    ax.figure.colorbar(image, ax=ax, shrink=0.8).ax.tick_params(labelsize=8)


def _capacities(ax, run, whole):
    for i, (degree, by) in enumerate(m.UNITS.items()):
        units = np.array(m.affordable(run, degree) if whole else by[run.profile])
        fine = np.geomspace(units[0], units[-1], 25)
        normal = [m.normal(degree, x, whole) for x in fine]
        found = np.array([run(m.lengths, degree, int(x), whole).half for x in units])
        found = np.where(np.isfinite(found).all(1, keepdims=True), found, np.nan)
        error = np.abs(found[:, 1:] - found[:, :1]).T
        ax.plot(fine, normal, f"C{i}-", lw=1)
        ax.errorbar(units, found[:, 0], error, fmt=f"C{i}o", ms=4, capsize=2)
        ax.lines[-1].set_label("exponential" if degree is None else f"degree {degree}")
        if not whole:
            law = [run(m.law, degree, int(x)).half[0] for x in units]
            ax.plot(units, law, f"C{i}:", lw=1.5)
    ax.plot([], color=_THEORY, lw=1, label="normal noise")
    if whole:
        few = np.array([5, 25])
        ax.plot(few, 1.18 * 2 ** (few / 2), "--", color=_THEORY, lw=1, label="two equal patterns")
    else:
        ax.plot([], ":", color=_THEORY, lw=1.5, label="law of one step")
    ax.set(xscale="log", yscale="log", ylim=(2, 1e6 if whole else 3e9))
    ax.set_xticks([5, 10, 20, 50, 100], ["5", "10", "20", "50", "100"])
    ax.minorticks_off()
    ax.legend(fontsize=7, loc="upper left", ncols=2)


@panel(xlabel="units", ylabel="patterns")
def steps(ax, run):
    """Half the steps are right: bands of 95 %, and theory"""
    _capacities(ax, run, False)


@panel(xlabel="units", ylabel="patterns")
def sequences(ax, run):
    """Half the sequences are without error: bands, and theory"""
    _capacities(ax, run, True)


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
