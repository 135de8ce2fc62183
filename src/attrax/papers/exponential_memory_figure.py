"""The figure of the exponential memory: success by α, ρ and N, with theory through it."""

from pathlib import Path
from typing import Any

import numpy as np

from .. import plot
from ..theory import exponential_flip_probability, exponential_rate
from .exponential_memory_map import Map, expected_all
from .exponential_memory_measures import Repair
from .exponential_memory_verdicts import CONFIDENCE

_BOUND, _ONE = "#d62728", "#1f1f1f"


def draw(path: Path, found: dict[str, Any]) -> None:
    """Write the sheet to `path`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(17, 8.4), layout="constrained")
    axes = figure.subplots(2, 4)
    _growth(axes[0, 0], found["growth"])
    _map(axes[0, 1], found["map"], "all")
    mesh = _map(axes[0, 2], found["map"], "single")
    figure.colorbar(mesh, ax=axes[0, 2], label="share", pad=0.02)
    _sides(axes[0, 3], found)
    _sampled(axes[1, 0], found["sampled"], 0.1)
    _sampled(axes[1, 1], found["sampled"], 0.2)
    _polynomial(axes[1, 2], found["polynomial"])
    _energies(axes[1, 3], found["descent"])
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
        if ax not in axes[0, 1:3]:
            ax.grid(alpha=0.25)
    figure.suptitle(
        "Exponential memory: exp(αN) random patterns of N units, one update of each unit"
    )
    figure.savefig(path, format="png", dpi=96)


def _growth(ax, found: dict[int, list[Repair]]) -> None:
    for colour, (units, points) in enumerate(found.items()):
        alphas = [point.alpha for point in points]
        share = [point.all.mean() for point in points]
        ax.plot(alphas, share, "o", ms=4.5, color=f"C{colour}", label=f"N = {units}")
        smooth = np.linspace(0.07, 0.4, 100)
        theory = expected_all(np.exp(smooth * units), units)
        ax.plot(smooth, theory, color=f"C{colour}", lw=1.2)
    ax.axvline(float(exponential_rate(0.0)), color=_BOUND, ls="--", lw=1.4, label="½ ln 2")
    ax.set(xlabel="α", ylabel="share of networks", title="ρ = 0: all patterns stable")
    ax.set(xlim=(0.07, 0.4), ylim=(-0.03, 1.03))
    ax.legend(fontsize=9, loc="lower left", title="lines: theory", title_fontsize=9)


def _map(ax, found: Map, which: str):
    share = np.ma.masked_invalid(getattr(found, which).T)
    mesh = ax.pcolormesh(
        found.damages, found.alphas, share, cmap="viridis", vmin=0, vmax=1, shading="nearest"
    )
    damage = np.linspace(0, 0.44, 200)
    for criterion, colour, label in (
        ("all_patterns", _BOUND, "½ I(1 − 2ρ)"),
        ("one_pattern", "w", "I(1 − 2ρ), one pattern"),
    ):
        ax.plot(damage, exponential_rate(damage, criterion), color=colour, lw=2.4, label=label)
    edges = found.crossings(which)
    ax.plot(found.damages, edges, "o", mfc="w", mec="k", ms=5.5, label="measured: ½", ls="none")
    step = found.damages[-1] - found.damages[-2]
    ax.set(xlim=(-0.02, found.damages[-1] + step / 2), ylim=(0, 0.51))
    ax.set(xlabel="ρ, share of units flipped", ylabel="α")
    title = "all patterns repaired" if which == "all" else "a single pattern repaired"
    ax.set_title(f"N = {found.units}: {title}", fontsize=11.5)
    legend = ax.legend(fontsize=9, loc="upper right", facecolor="#404040", labelcolor="w")
    legend.get_frame().set_alpha(0.9)
    return mesh


def _sides(ax, found: dict[str, Any]) -> None:
    for name, colour, label in (
        ("rising", "C0", "ρ = 0, α = 0.25"),
        ("mild", "C1", "ρ = 0.1, α = 0.15"),
        ("severe", "C2", "ρ = 0.2, α = 0.08"),
        ("beyond", _BOUND, "ρ = 0.2, α = 0.145 > ½ I"),
    ):
        points: list[Repair] = found[name]
        units = [point.units for point in points]
        plot.curves(units, [p.all.mean() for p in points], None, label, ax, color=colour)
        single = [p.single.mean() for p in points]
        plot.curves(units, single, None, None, ax, color=colour, ls=":", marker="s")
    ax.set(xlabel="N", ylabel="share repaired", title="all patterns (dots), single (squares)")
    ax.set_ylim(-0.03, 1.03)
    ax.legend(fontsize=9, loc="lower right", bbox_to_anchor=(1.0, 0.06))


def _sampled(ax, found, damage: float) -> None:
    low, high = found.bands(CONFIDENCE)
    here = np.isclose(found.damage, damage)
    for colour, units in enumerate(np.unique(found.units)):
        pick = here & (found.units == units)
        alpha, share = found.log_others[pick] / units, found.share[pick]
        seen = share > 0
        bars = np.maximum([share - low[pick], high[pick] - share], 0)[:, seen]
        ax.errorbar(
            alpha[seen], share[seen], bars, fmt="o", ms=4, color=f"C{colour}", label=f"N = {units}"
        )
        smooth = np.linspace(found.log_others[pick][0], found.log_others[pick][-1], 40)
        theory = exponential_flip_probability(smooth, int(units), damage)
        ax.plot(smooth / units, theory, color=f"C{colour}", lw=1.2)
    rate = float(exponential_rate(damage, "one_pattern"))
    ax.axvline(rate, color=_ONE, ls="--", lw=1.2, label=f"I(1 − 2ρ) = {rate:.3f}")
    ax.set(yscale="log", ylim=(1e-4, 1), xlabel="α", ylabel="chance of a wrong unit")
    ax.set_title(f"ρ = {damage:g}: numbers of patterns drawn")
    ax.legend(fontsize=9, loc="lower right", title="lines: theory", title_fontsize=9)


def _polynomial(ax, found) -> None:
    for i, constant in enumerate(found.constants):
        share = found.single(constant)
        label = f"M = N²/({constant:g} ln N)"
        plot.curves(found.sizes, share.mean(0), share.std(0), label, ax, ls="none")
        ax.plot(found.sizes, found.theory[i], color=f"C{i}", lw=1.2)
    ax.set(xlabel="N", ylabel="share of patterns", title="degree 3: fixed points")
    ax.set_ylim(-0.03, 1.05)
    ax.legend(fontsize=9, loc=(0.35, 0.4), title="lines: theory", title_fontsize=9)


def _energies(ax, found) -> None:
    sweeps = np.arange(found.single.shape[1]) / found.units
    for i in range(min(5, len(found.single))):
        ax.plot(sweeps, found.single[i], color=f"C{i}", lw=1.6)
        together = found.together[i]
        ax.plot(np.arange(len(together)), together, color=f"C{i}", lw=1, ls=":", marker=".")
    ax.axhline(-found.units, color="grey", lw=1, ls="--")
    ax.text(sweeps[-1], -found.units + 0.15, "a stored pattern", ha="right", fontsize=9)
    ax.set(xlabel="updates of each unit", ylabel="−ln Σ exp(ξ·σ)")
    ax.set_title("units one by one (lines), at once (dots)")
