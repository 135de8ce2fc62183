"""A landscape of compact support, errors of random features, and phases of diffusion."""

import numpy as np

from ..panels import panel
from . import measure as m

_BOUND = "#d62728"


@panel(xlabel="x₁", ylabel="x₂", aspect="equal")
def compact_landscape(ax, run):
    """Log-sum-ReLU: all rows are minima, and others emerge"""
    rows, energies, minima, (low, high) = run(m.landscape)
    line = np.linspace(low, high, len(energies))
    inside = np.where(energies < 0.95 * energies.max(), energies, np.nan)
    levels = np.linspace(energies.min(), 0.2 * energies.max(), 16)
    ax.contourf(line, line, inside, levels, cmap="viridis", extend="max")
    apart = np.linalg.norm(minima[:, None] - rows[None], axis=-1).min(axis=1)
    ax.plot(*rows.T, "o", mfc="w", mec="k", ms=7, ls="none", label="rows")
    ax.plot(*minima[apart > 1e-3].T, "x", color=_BOUND, mew=2, ls="none", label="emergent minima")
    ax.legend(fontsize=8, loc="upper left")


@panel(xlabel="frequencies Y", ylabel="relative error of ∇E", xscale="log", yscale="log")
def feature_errors(ax, run):
    """Random features of 20 patterns, d = 16, β = 0.1"""
    errors = run(m.feature_errors)
    low, middle, high = np.quantile(errors, (0.1, 0.5, 0.9), axis=0)
    ax.plot(m.FEATURES, middle, "o-", ms=4, label="median")
    ax.fill_between(m.FEATURES, low, high, alpha=0.2, label="10 to 90 % of draws")
    sizes = np.array(m.FEATURES)
    ax.plot(sizes, middle[-1] * np.sqrt(sizes[-1] / sizes), "--", color=_BOUND, label="∝ Y^(−½)")


@panel(xlabel="number of data", ylabel="share of samples", xscale="log", ylim=(-0.02, 1.02))
def phases(ax, run):
    """Samples of points on a circle, σ = 0.05"""
    sizes = sorted({*m.PHASES, *run.pick("phases.sizes", quick=(16,), full=m.BETWEEN)})
    means = np.array([run(m.phases, size).shares.mean(axis=0) for size in sizes])
    for i, name in enumerate(m.KINDS):
        ax.plot(sizes, means[:, i], "o-", ms=4, label=name)
    ax.legend(fontsize=8, loc="center right", bbox_to_anchor=(1.0, 0.45))
