"""Phase diagrams with what was extrapolated, success by load, the gap, basins, condensation."""

import numpy as np

from attrax.theory import condensation_beta, free_entropy, softmax_basin, softmax_rate

from ..panels import panel
from . import measure as m

COLOURS = {"spherical": "C0", "gaussian": "C1", "binary": "C2"}


def _thresholds(ax, run, ensemble, colour):
    """Extrapolated thresholds of one pattern, with bands of 95 %."""
    limits = [run(m.one_pattern, ensemble, beta).limit() for beta in m.BETAS[ensemble]]
    value, error = np.array(limits).T
    ax.errorbar(m.BETAS[ensemble], value, 1.96 * error, fmt="o", ms=5, color=colour, mec="k")


@panel(xlabel="inverse temperature β", ylabel="load α = ln P / N", xlim=(0, 2.6), ylim=(0, 0.7))
def gaussian_phases(ax, run):
    """Gaussian patterns: what is kept (dots: draws, N → ∞)"""
    beta = np.linspace(0.002, 2.6, 400)
    one, every = (softmax_rate(beta, "gaussian", c) for c in ("one_pattern", "all_patterns"))
    ax.fill_between(beta, 0, every, color="C0", alpha=0.35, lw=0, label="all patterns")
    ax.fill_between(beta, every, one, color="C0", alpha=0.15, lw=0, label="typical ones")
    ax.plot(beta, one, color="C1", label=r"$\alpha_1$")
    ax.plot(beta, every, color="C1", ls="--", label=r"$\alpha_c$, first moment")
    load = np.linspace(0, 0.7, 200)
    ax.plot(condensation_beta(load, "gaussian"), load, "k:", lw=1.2, label=r"$\beta_*$")
    ax.text(0.33, 0.6, "many others\nshare the weight", fontsize=8, ha="center", va="center")
    ax.text(2.0, 0.58, "few others have it", fontsize=8, ha="center", va="center")
    _thresholds(ax, run, "gaussian", "C1")
    for b, logs in ((2.0, 0.25), (0.3, 0.152)):
        value, error = m.growth(run(m.all_patterns, "gaussian", b), logs)
        ax.errorbar(b, value, 1.96 * error, fmt="s", ms=5, color="C1", mec="k")
    ax.legend(fontsize=8, loc="lower right", ncols=2)


@panel(xlabel="inverse temperature β", ylabel="load α = ln P / N", xlim=(0, 5.3), ylim=(0, 1.5))
def equal_lengths(ax, run):
    """Spherical and binary patterns (dots: draws, N → ∞)"""
    beta, load = np.linspace(0.002, 5.3, 400), np.linspace(0, 1.5, 300)
    for ensemble in ("spherical", "binary"):
        colour = COLOURS[ensemble]
        one = softmax_rate(beta, ensemble, "one_pattern")
        both = r", $\alpha_c$" if ensemble == "spherical" else ""
        ax.plot(beta, one, color=colour, label=rf"{ensemble} $\alpha_1${both}")
        frozen = condensation_beta(load, ensemble)
        ax.plot(frozen, load, ":", color=colour, label=rf"{ensemble} $\beta_*$")
        _thresholds(ax, run, ensemble, colour)
    ax.plot(beta, softmax_rate(beta, "binary"), "--", color="C2", label=r"binary $\alpha_c$")
    ax.legend(fontsize=8, loc="upper left")


@panel(xlabel="load α = ln P / N", ylabel="patterns kept", xlim=(0.35, 0.85), ylim=(-0.03, 1.03))
def success(ax, run):
    """Gaussian, β = 2: one typical pattern (lines: draws)"""
    series = run(m.one_pattern, "gaussian", 2.0)
    load = np.linspace(0.35, 0.85, 300)
    for k, (n, edges) in enumerate(zip(series.sizes, series.values, strict=True)):
        share = (edges > load[:, None]).mean(1)
        ax.plot(load, share, color=f"C{k}", lw=1.3, label=f"N = {n:.0f}")
    kept = run(m.loads_kept, "gaussian", 2.0)
    ax.plot(load, (kept.energies > load[:, None]).mean(1), "k:", lw=1.3, label=f"N = {kept.n}")
    ax.plot(kept.points, kept.shares, "ko", ms=4, label=f"Memory, N = {kept.n}")
    value, error = series.limit()
    ax.axvspan(value - 1.96 * error, value + 1.96 * error, color="C3", alpha=0.5, label="N → ∞")
    ax.axvline(0.5, color="k", ls="--", lw=1)


@panel(xlabel="1/N", ylabel="load α", xlim=(0, 0.088), ylim=(0, 0.7))
def gap(ax, run):
    """Typical patterns (dots) and the first that is lost (squares)"""
    for ensemble, beta in (("gaussian", 2.0), ("spherical", 0.5)):
        colour = COLOURS[ensemble]
        first = run(m.all_patterns, ensemble, beta)
        logs, errors = first.means()
        lost = logs / first.sizes
        typical = lost + run(m.gaps, ensemble, beta).means()[0]
        inverse = 1 / first.sizes
        ax.plot(inverse, typical, "o-", ms=4, lw=1, color=colour, label=f"{ensemble}, β = {beta:g}")
        ax.errorbar(inverse, lost, errors / first.sizes, fmt="s--", ms=4, lw=1, color=colour)
        ends = [softmax_rate(beta, ensemble, c) for c in ("one_pattern", "all_patterns")]
        ax.plot([0, 0], ends, "*", ms=12, color=colour, mec="k", clip_on=False, zorder=5)
    ax.plot([], [], "*", ms=9, color="w", mec="k", label="theory, N → ∞")


@panel(xlabel="load α = ln P / N", ylabel="overlap m₀", xlim=(0, 0.42), ylim=(0, 1))
def basins(ax, run):
    """Overlap from which a query is drawn to its pattern"""
    load = np.linspace(1e-4, 0.42, 200)
    loads = run.pick("basins.loads", quick=(0.1, 0.3), full=(0.1, 0.15, 0.2, 0.3, 0.4))
    for ensemble, beta, mark in (
        ("spherical", 2.0, "-"),
        ("gaussian", 2.0, "-"),
        ("spherical", 0.5, "--"),
        ("gaussian", 0.3, "--"),
    ):
        colour = COLOURS[ensemble]
        edge = np.asarray(softmax_basin(load, beta, ensemble))
        ax.plot(load, edge, mark, color=colour, lw=1.4, label=f"{ensemble}, β = {beta:g}")
        some = [x for x in loads if softmax_basin(x, beta, ensemble) < 1]
        found = np.array([run(m.read, ensemble, x, beta).entropy.limit() for x in some]) / beta
        ax.errorbar(some, found[:, 0], 1.96 * found[:, 1], fmt="o", ms=5, color=colour, mec="k")
    ax.plot([], [], "o", color="w", mec="k", label="draws, N → ∞")
    ax.legend(fontsize=8, loc="lower right")


@panel(xlabel="inverse temperature β", xlim=(0, 3.1), ylim=(0, 1.5))
def condensation(ax, run):
    """Gaussian, α = 0.1: a read at a query that is no pattern"""
    betas = run.pick(
        "condensation", quick=(0.2, 0.6, 1.0, 2.0), full=(0.2, 0.4, 0.6, 1.0, 2.0, 3.0)
    )
    reads = [run(m.read, "gaussian", 0.1, beta) for beta in betas]
    sizes = reads[0].squares.sizes
    for k, mark in ((0, "v"), (-1, "^")):
        for name, colour in (("squares", "C3"), ("overlap", "C0")):
            mean = [getattr(x, name).means()[0][k] for x in reads]
            label = f"N = {sizes[k]}" if name == "squares" else None
            ax.plot(betas, mean, mark, ms=5, color=colour, mfc="w", label=label)
    for name, colour in (("squares", "C3"), ("overlap", "C0")):
        value, error = np.array([getattr(x, name).limit() for x in reads]).T
        ax.errorbar(betas, value, 1.96 * error, fmt="o", ms=5, color=colour, mec="k")
    beta = np.linspace(0.01, 3.1, 400)
    critical = float(condensation_beta(0.1, "gaussian"))
    ax.plot(beta, np.maximum(1 - critical / beta, 0), color="C3", label=r"Σ w²: 1 − $\beta_*$/β")
    slope = np.gradient(np.asarray(free_entropy(0.1, beta, "gaussian"), float), beta)
    ax.plot(beta, slope, color="C0", label="overlap with the query: ∂Φ/∂β")
    ax.axvline(critical, color="k", ls=":", lw=1.2, label=r"$\beta_*$")
    ax.legend(fontsize=8, loc="upper left")
