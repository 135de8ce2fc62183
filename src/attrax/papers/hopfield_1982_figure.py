"""The figure of the classical Hopfield network: theory's curves through simulated points."""

from pathlib import Path
from typing import Any

import numpy as np

from ..theory import spin_glass_temperature
from . import hopfield_1982_measures as hm
from . import hopfield_1982_rules as hr


def draw(path: Path, found: dict[str, Any]) -> None:
    """Write the sheet to `path`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(16, 8.6), layout="constrained")
    axes = figure.subplots(2, 3)
    _overlap(axes[0, 0], found["overlaps"], found["lines"])
    _limit(axes[0, 1], found["overlaps"], found["limit"])
    _diagram(axes[0, 2], found["warm"], found["lines"])
    _rules(axes[1, 0], found["recalled"], float(found["lines"].critical[0]))
    _graded(axes[1, 1], found["graded"])
    for ax in axes.flat[:5]:
        ax.grid(alpha=0.25)
        ax.spines[["top", "right"]].set_visible(False)
    _images(axes[1, 2], found["images"])
    figure.suptitle("The classical Hopfield network: simulation beside theory", fontsize=13)
    figure.savefig(path, format="png", dpi=100)


def _overlap(ax, found: hm.Overlaps, lines: hm.Lines) -> None:
    ax.plot(lines.loads, lines.overlaps, "k", label="replica theory, N → ∞")
    edge = lines.loads[-1]
    ax.plot([edge, edge, 0.26], [0.967, 0, 0], "k--", lw=1)
    for i, size in enumerate(found.sizes):
        ax.errorbar(
            hm.LOADS, found.mean[i], found.error[i], fmt="o-", ms=4, lw=1, label=f"N = {size}"
        )
    ax.set(xlabel="load α = patterns / N", ylabel="overlap at rest", ylim=(-0.03, 1.03))
    ax.set_title("Hebb's rule, started at a stored pattern")
    ax.legend(loc="lower left", fontsize=9)


def _limit(ax, found: hm.Overlaps, limit: hm.Limit) -> None:
    inverse = 1 / np.array(found.sizes)
    for i, load in enumerate(limit.loads):
        colour = f"C{i}"
        ax.errorbar(inverse, found.mean[:, i], found.error[:, i], fmt="o", ms=4, color=colour)
        ax.errorbar([0], [limit.limit[i]], [3 * limit.error[i]], fmt="s", ms=4, color=colour)
        ax.plot(inverse[0] * -0.05, limit.theory[i], ">", ms=8, color=colour)
        ends = np.array([0, inverse[0]])
        line = limit.limit[i] + limit.slope[i] * ends
        ax.plot(ends, line, color=colour, lw=1, label=f"α = {load:g}")
    ax.set(xlabel="1/N", ylabel="overlap at rest", xlim=(-0.08 * inverse[0], 1.05 * inverse[0]))
    ax.legend(fontsize=9, loc="lower left", bbox_to_anchor=(0.6, 0.3))
    ax.set_title("To N → ∞: squares ± 3 s.e., arrows: theory")


def _diagram(ax, warm: tuple[np.ndarray, np.ndarray], lines: hm.Lines) -> None:
    loads = np.linspace(0, 0.16, 60)
    ax.plot(loads, spin_glass_temperature(loads), "C7", label="T_g, spin glass below")
    temperatures = np.append(lines.temperatures, 1.0)
    critical = np.append(lines.critical, 0.0)
    ax.fill_betweenx(temperatures, 0, critical, color="C0", alpha=0.15, lw=0)
    ax.plot(critical, temperatures, "C0", label="T_M, patterns are attractors below")
    if lines.transition is not None:
        transition = np.append(lines.transition, 0.0)
        ax.plot(transition, temperatures, "C2", label="T_c, patterns are ground states below")
    overlaps, theory = warm
    for t, simulated, exact in zip(hm.TEMPERATURES, overlaps.mean(1), theory, strict=True):
        ax.plot(hm.WARM, t, "ko", ms=4)
        ax.annotate(
            f"m = {simulated:.3f} (theory {exact:.3f})",
            (hm.WARM, t),
            (6, -3),
            textcoords="offset points",
            fontsize=8.5,
        )
    ax.set(xlabel="load α", ylabel="temperature T", xlim=(0, 0.16), ylim=(0, 1.45))
    ax.set_title("Phase diagram, and Glauber dynamics at α = 0.05")
    ax.legend(fontsize=9, loc="upper right")


def _rules(ax, found: hr.Recalled, critical: float) -> None:
    for i, (name, shares) in enumerate(found.shares.items()):
        error = shares.std(1) / np.sqrt(shares.shape[1])
        ax.errorbar(
            found.loads, shares.mean(1), error, fmt="o-", color=f"C{i}", ms=4, lw=1, label=name
        )
    ax.axvline(critical, color="C0", ls="--", lw=1)
    ax.text(critical + 0.005, 0.5, "α_c of Hebb's rule", rotation=90, va="center")
    ax.set(xlabel="load α", ylabel="cues that come back exactly", ylim=(-0.03, 1.05))
    ax.set_title("Rules, N = 500, a tenth of the units flipped")
    ax.legend(fontsize=9, loc="upper right")


def _graded(ax, found: hr.Graded) -> None:
    energy = found.energy - found.energy[:, -1:].min()
    ax.plot(np.arange(energy.shape[1]), energy.T, lw=1)
    ax.set(xlabel="Euler's step", ylabel="E − min E", xscale="symlog")
    ax.set_title(f"1984: the energy of graded units falls, gain {hr.GAINS[0]:g}")


def _images(ax, found: hr.Images) -> None:
    shape = tuple(found.shape)[:2]
    rows = [("stored", found.stored), ("cue", found.cues), *found.found.items()]
    shown = slice(0, 8)
    sheet = np.concatenate(
        [np.concatenate([x.reshape(shape) for x in states[shown]], axis=1) for _, states in rows]
    )
    ax.imshow(sheet, cmap="gray", interpolation="nearest")
    labels = [
        name if name not in found.exact else f"{name}\n{found.exact[name]:.0%} exact"
        for name, _ in rows
    ]
    ax.set_yticks([(i + 0.5) * shape[0] for i in range(len(rows))], labels)
    ax.set_xticks([])
    ax.set_title(f"{len(found.stored)} real images as signs, 8 of them")
