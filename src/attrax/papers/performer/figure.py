"""Errors by angle and by number, reads, tables of attention, operations, memory."""

import numpy as np

from attrax import theory

from ..panels import panel
from . import measure as m

COLOURS = dict(zip(m.KINDS, ("C0", "C2", "C1"), strict=True))


@panel(
    xlabel="angle between x and y, degrees",
    ylabel="squared error / exp(2 x·y)",
    yscale="log",
    ylim=(1e-4, 0.3),
    xlim=(-5, 185),
    xticks=m.ANGLES,
)
def angles(ax, run):
    """64 directions: independent (full), orthogonal (open)"""
    fine = np.linspace(0, 180, 200)
    given = np.cos(np.radians(fine)) / 2, 1.0, 64
    unit = np.exp(2 * given[0])
    for kind in m.KINDS:
        colour = COLOURS[kind]
        ax.plot(fine, theory.softmax_feature_error(*given, kind) / unit, color=colour, label=kind)
        if kind != "trigonometric":
            error = theory.orthogonal_feature_error(*given, m.D, kind) / unit
            ax.plot(fine, error, "--", color=colour)
        for orthogonal in (False, True):
            drawn = run(m.estimates, 64, orthogonal)
            means = [drawn.error(kind, pair).mean() for pair in range(len(m.ANGLES))]
            fill = "w" if orthogonal else colour
            ax.plot(m.ANGLES, means, "o", ms=5, color=colour, mfc=fill)


@panel(xlabel="directions Y", ylabel="squared error", xscale="log", yscale="log", xlim=(1, 200))
def directions(ax, run):
    """x ⊥ y, d = 16: the gain of orthogonal directions"""
    counts = np.arange(1, 201)
    given = 0.0, 1.0, counts
    for kind in m.KINDS[:2]:
        colour = COLOURS[kind]
        ax.plot(counts, theory.softmax_feature_error(*given, kind), color=colour, label=kind)
        error = theory.orthogonal_feature_error(*given, m.D, kind)
        ax.plot(counts, error, "--", color=colour, label=f"{kind}, orthogonal")
        for count, orthogonal in ((16, True), (64, True), (64, False)):
            mean = run(m.estimates, count, orthogonal).error(kind, m.RIGHT).mean()
            ax.plot(count, mean, "o", ms=5, color=colour, mfc="w" if orthogonal else colour)
    few = counts[: m.D]
    bound = theory.orthogonal_feature_bound(0.0, 1.0, few, m.D)
    ax.plot(few, bound, "k:", lw=1.5, label="bound, positive")
    ax.axvline(m.D, color="k", lw=0.6)


@panel(
    xlabel="directions Y",
    ylabel="squared error of reads / squared output",
    yscale="log",
)
def reads(ax, run):
    """Reads of normal queries and keys, d = 16"""
    ax.set_xscale("log", base=2)
    for size, colour in ((1.0, "C3"), (0.5, "C0")):
        found = run(m.reads, size)
        for errors, mark, name in (
            (found.independent, "o-", "independent"),
            (found.orthogonal, "s--", "orthogonal"),
        ):
            spread = errors.std(1) / errors.shape[1] ** 0.5
            ax.errorbar(
                found.counts,
                errors.mean(1),
                spread,
                fmt=mark,
                ms=5,
                color=colour,
                mfc="w" if mark[0] == "s" else colour,
                label=f"q, k × {size:g}, {name}",
            )


@panel(bare=True, xticks=(), yticks=())
def tables(ax, run):
    """Attention of tokens to themselves: exact, positive, trigonometric"""
    found = run(m.tables)
    gap = np.full((found.exact.shape[0], 3), np.nan)
    row = [found.exact, gap, found.positive, gap, found.trigonometric]
    top = 0.7 * found.exact.max()
    ax.imshow(np.concatenate(row, axis=1), cmap="RdBu_r", vmin=-top, vmax=top)
    ax.spines[:].set_visible(False)


@panel(xlabel="tokens L", ylabel="multiplications", yscale="log")
def operations(ax, run):
    """Multiplications, 256 directions of 64 entries"""
    costs = run(m.costs)
    ax.set_xscale("log", base=2)
    for counts, mark, name in (
        (costs.exact, "ko-", "exact attention"),
        (costs.every, "C0o-", "by features"),
        (costs.causal, "C2s--", "by features, causal"),
    ):
        ax.plot(costs.lengths, counts, mark, ms=5, label=name)


@panel(xlabel="tokens L", ylabel="MiB", yscale="log")
def memory(ax, run):
    """Working memory of a gradient"""
    found = run(m.memories)
    ax.set_xscale("log", base=2)
    for sizes, mark, name in (
        (found.exact, "ko-", "exact attention"),
        (found.causal, "C2s--", "by features, causal"),
    ):
        ax.plot(found.lengths, sizes / 2**20, mark, ms=5, label=name)
