"""Success by α, ρ and N with theory through it, errors beyond storage, and energies."""

import numpy as np

from attrax.theory import exponential_flip_probability, exponential_rate

from ..panels import panel
from . import measure as m

_BOUND = "#d62728"


@panel(xlabel="α = ln M / N", ylabel="networks", xlim=(0.07, 0.4), ylim=(-0.03, 1.03))
def kept(ax, run):
    """ρ = 0: networks that keep all patterns (lines: pairs)"""
    draws = run.pick("kept.curve", quick=100, full=400)
    for d in run.pick("kept.sizes", quick=(12, 16), full=(12, 16, 20)):
        numbers = tuple(m.stored(a, d) for a in np.arange(0.1, 0.391, 0.03))
        share = run(m.repaired, d, numbers, 0, draws).all
        ax.errorbar(
            np.log(numbers) / d, share.mean(1), _error(share), fmt="o", ms=4, label=f"N = {d}"
        )
        smooth = np.linspace(0.07, 0.4, 100)
        law = m.pair_law(d, 0, np.exp(smooth * d))[1]
        ax.plot(smooth, law, color=ax.lines[-1].get_color(), lw=1)
    ax.axvline(np.log(2) / 2, color=_BOUND, ls="--", lw=1.2, label="½ ln 2")


def _error(shares):
    return shares.std(1, ddof=1) / np.sqrt(shares.shape[1])


def _map(ax, run, which):
    flips = run.pick("map.flips", quick=(0, 2, 3, 4, 6, 8), full=tuple(range(9)))
    shares = np.stack([getattr(run(m.success, k), which).mean(1) for k in flips], axis=1)
    damages, alphas = np.array(flips) / m.UNITS, np.log(m.PATTERNS) / m.UNITS
    image = ax.pcolormesh(
        damages, alphas, np.ma.masked_invalid(shares), vmin=0, vmax=1, shading="nearest"
    )
    ax.figure.colorbar(image, ax=ax)
    law = [m.pair_law(m.UNITS, k, m.PATTERNS)[which == "all"] for k in flips]
    edges = [np.interp(-0.5, -share, alphas, left=np.nan, right=np.nan) for share in law]
    ax.plot(damages, edges, "o", mfc="w", mec="k", ms=5, ls="none", label="pairs: one half")
    smooth = np.linspace(0, 0.42, 100)
    for name, colour, label in (
        ("all_patterns", _BOUND, "½ I(1 − 2ρ)"),
        ("one_pattern", "w", "I(1 − 2ρ)"),
    ):
        ax.plot(smooth, exponential_rate(smooth, name), color=colour, lw=2, label=label)
    ax.legend(fontsize=8, facecolor="#404040", labelcolor="w")


@panel(xlabel="ρ, share of units flipped", ylabel="α = ln M / N", ylim=(0.02, 0.35))
def map_all(ax, run):
    """N = 20: networks that repair all patterns"""
    _map(ax, run, "all")


@panel(xlabel="ρ, share of units flipped", ylabel="α = ln M / N", ylim=(0.02, 0.35))
def map_one(ax, run):
    """N = 20: single patterns that are repaired"""
    _map(ax, run, "one")


@panel(xlabel="N", ylabel="share repaired", ylim=(-0.03, 1.03))
def sizes(ax, run):
    """All patterns of a network (dots), single ones (squares)"""
    for (damage, alpha), colour in zip(m.SERIES, ("C0", "C1", _BOUND), strict=True):
        series = run(m.series, damage, alpha)
        over = " > ½ I" if damage == 0.2 else ""
        for which, mark, label in (
            ("all", "o-", f"ρ = {damage:g}, α = {alpha:g}{over}"),
            ("one", "s:", None),
        ):
            shares = [getattr(r, which) for r in series.values()]
            error = [float(_error(x)[0]) for x in shares]
            means = [x.mean() for x in shares]
            ax.errorbar(list(series), means, error, fmt=mark, ms=4, lw=1, color=colour, label=label)


@panel(xlabel="α = ln M / N", ylabel="chance of a wrong unit", yscale="log", ylim=(1e-3, 1))
def beyond(ax, run):
    """ρ = 0.1: more patterns than can be stored (lines: theory)"""
    far = run(m.far)
    for d, logs, shares in zip(far.sizes.tolist(), far.logs, far.shares.mean(0), strict=True):
        ax.plot(logs / d, shares, "o", ms=4, label=f"N = {d}")
        theory = exponential_flip_probability(logs, d, m.FAR)
        ax.plot(logs / d, theory, color=ax.lines[-1].get_color(), lw=1)
    rate = float(exponential_rate(m.FAR, "one_pattern"))
    ax.axvline(rate, color="k", ls="--", lw=1.2, label=f"I(1 − 2ρ) = {rate:.3f}")


@panel(xlabel="updates of each unit", ylabel="−ln Σ exp(ξ·σ)")
def energies(ax, run):
    """Energies: units one by one (lines), all at once (dots)"""
    descent = run(m.descent)
    d = (descent.single.shape[1] - 1) // (descent.together.shape[1] - 1)
    for i, (single, together) in enumerate(zip(descent.single, descent.together, strict=True)):
        if i < 4:
            ax.plot(np.arange(single.size) / d, single, color=f"C{i}", lw=1.4)
            ax.plot(together, ".:", color=f"C{i}", lw=1)
    ax.axhline(-d, color="grey", lw=1, ls="--", label="a stored pattern")
