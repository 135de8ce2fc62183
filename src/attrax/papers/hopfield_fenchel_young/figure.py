"""Exact reads, margins, and what a learnt kernel gains."""

import numpy as np

from ..panels import panel
from . import measure as m


@panel(
    xlabel="reads",
    ylabel="distance from the pattern",
    yscale="log",
    ylim=(8e-10, 2),
)
def exact(ax, run):
    """Twenty patterns, β = 20: sparse reads end exactly there"""
    for name, residuals, width in zip(m.SPARSE, run(m.exact_reads), (2, 4, 1.5), strict=True):
        middle = np.median(residuals, axis=0)
        reads = np.arange(middle.size)
        (line,) = ax.plot(reads, np.where(middle > 0, middle, np.nan), "o-", lw=width, label=name)
        gone = int(np.argmin(middle))
        if middle[gone] == 0:
            # Nothing has no logarithm: the line falls out of the panel.
            ends = [gone - 1, gone], [middle[gone - 1], 1e-9]
            colour = line.get_color()
            ax.plot(*ends, ":", lw=width, marker="v", ms=4 + width, markevery=[1], color=colour)
    ax.set(xlim=(-0.2, 4.2), xticks=range(5))


@panel(xlabel="β s of the k-th best less that of the next, over the margin", ylabel="its weight")
def margins(ax, run):
    """Random scores: weights become exactly one at the margin"""
    seen = run(m.margins)
    for name, gaps, best in zip(m.MARGINS, seen.gaps, seen.best, strict=True):
        # Draws within a thousandth of the margin are not shown.
        ax.plot(gaps[1::2][:1500], best[1::2][:1500], ".", ms=3, alpha=0.6, label=name)
    ax.axvline(1, color="grey", ls="--", lw=1)
    ax.set_xlim(0, 1.6)


@panel(xlabel="β times the mean of |W ξ|²", ylabel="squared error", ylim=(5e-4, 1))
def kernels(ax, run):
    """100 images, half of the pixels dropped: learnt kernels"""
    for name, label, colour in (("sample", "Fashion", "C0"), ("digits", "digits", "C1")):
        seen = run(m.learnt_kernels, name)
        for errors, kind, style in (
            (seen.whole[:, 0], "products", "o--"),
            (seen.whole[:, 1], "U-Hop", "s-"),
            (seen.known[:, 1], "U-Hop, known pixels", "^:"),
        ):
            middle = errors.mean(axis=0)
            ax.loglog(m.BETAS, middle, style, ms=3, lw=1, color=colour, label=f"{label}, {kind}")
    ax.legend(fontsize=7, ncols=2, loc="lower center")
