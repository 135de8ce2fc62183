"""A landscape, fixed points by β, sizes of states, errors beside bounds, and completed images."""

import numpy as np

from attrax import plot
from attrax.theory import modern_capacity

from ..panels import panel
from . import measure as m

_BOUND = "#d62728"


@panel(xlabel="x₁", ylabel="x₂", aspect="equal")
def landscape(ax, run):
    """Energy of five patterns at β = 8, with runs"""
    rows, energies, paths, _ = run(m.landscape)
    line = np.linspace(-1.2, 1.2, len(energies))
    ax.contourf(line, line, energies, 24, cmap="viridis")
    for path in paths:
        ax.plot(*path.T, color="w", lw=0.7, alpha=0.7)
    ax.plot(*rows.T, "o", mfc="w", mec="k", ms=7, ls="none", label="patterns")
    ends = np.unique(np.round(paths[:, -1], 2), axis=0)
    ax.plot(*ends.T, "x", color=_BOUND, ms=7, mew=2, ls="none", label="fixed points")
    ax.legend(fontsize=8, loc="lower right")


@panel(xlabel="β", ylabel="angle in degrees", xscale="log", ylim=(-10, 290))
def branches(ax, run):
    """The same patterns: fixed points by β"""
    rows, _, _, points = run(m.landscape)
    beta, angle, size = points.T
    angle = np.where(angle < -30, angle + 360, angle)
    for k, colour in zip(range(1, 6), ("C0", "C1", "C2", "C4", "C3"), strict=True):
        there = size == k
        if there.any():
            label = f"mean of {k}" if k > 1 else "one pattern"
            ax.plot(beta[there], angle[there], ".", ms=5, color=colour, label=label)
    for place in np.rad2deg(np.arctan2(rows[:, 1], rows[:, 0])) % 360:
        ax.axhline(place, color="grey", lw=0.6, ls=":")
    ax.legend(fontsize=8, loc="upper right", ncols=2)


@panel(xlabel="β (patterns of unit norm)", ylabel="size of the state", xscale="log", yscale="log")
def sizes(ax, run):
    """Of how many patterns a state at rest is the mean"""
    for which, colour, band in (("images", "C0", "10 to 90 % of them"), ("random", "C1", None)):
        seen = run(m.phases, which)
        low, middle, high = np.quantile(seen, (0.1, 0.5, 0.9), axis=1)
        ax.plot(m.PHASES, middle, "o-", ms=3, color=colour, label=f"{which}, median")
        ax.fill_between(m.PHASES, low, high, color=colour, alpha=0.2, label=band)
    ax.axhline(seen.shape[1] / 2, color="grey", lw=1, ls="--", label="half of all")


@panel(xlabel="bound on the error, log₁₀ over M", ylabel="error after one read, log₁₀ over M")
def errors(ax, run):
    """One read of states near patterns, and Theorem 5"""
    bound, error = run(m.bounds)[0] / np.log(10)
    shown = np.random.default_rng(0).permutation(bound.size)[:4000]
    ax.plot(bound[shown], error[shown], ".", ms=2, alpha=0.5, label="states")
    ax.plot([-25, 0.3], [-25, 0.3], color=_BOUND, lw=1.5, label="the bound")
    ax.set(xlim=(-25, 0.5), ylim=(-25, 0.5))


@panel(xlabel="d", ylabel="ln N", ylim=(0, 14), xlim=(5, 80))
def capacity(ax, run):
    """Numbers of random patterns, K = β = 1"""
    for name, label, mark in (
        ("read", "one read gives half the weight", "o-"),
        ("separated", "all well separated", "s-"),
    ):
        seen = run(m.growth, name)
        mean, spread = seen.logs.mean(0), seen.logs.std(0, ddof=1)
        ax.errorbar(seen.sizes, mean, spread, fmt=mark, ms=4, lw=1, label=label)
    d = np.arange(8, 81)
    known = modern_capacity(d.astype(float))
    ax.plot(d, known.log_n_patterns, color=_BOUND, ls=":", lw=1, label="Theorem 3, formula alone")
    proven = np.where(known.proven, known.log_n_patterns, np.nan)
    ax.plot(d, proven, color=_BOUND, lw=2, label="Theorem 3, proven")


@panel(bare=True)
def images(ax, run):
    """Images of which half is missing, and where they end"""
    _, _, pictures = run(m.masked)
    betas = (4.0, 8.0, 16.0, 64.0)
    lines = [0, 1, *(2 + m.PHASES.index(beta) for beta in betas)]
    labels = ["stored", "damaged", *(f"β = {beta:g}" for beta in betas)]
    plot.images(pictures[lines, :8], (28, 28), ax, labels=labels)
