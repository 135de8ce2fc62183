"""Theory's curves through simulated points, and what rules, graded units and images do."""

import numpy as np

from attrax import plot
from attrax.theory import spin_glass_temperature

from ..panels import panel
from . import measure as m


@panel(xlabel="load α = patterns / N", ylabel="overlap at rest", ylim=(-0.03, 1.03))
def overlap(ax, run):
    """Hebb's rule, started at a stored pattern"""
    measured, (loads, expected, *_) = run(m.overlaps), run(m.lines)
    ax.plot(loads, expected, "k", label="replica theory, N → ∞")
    edge = loads[-1]
    ax.plot([edge, edge, 0.26], [0.967, 0, 0], "k--", lw=1)
    for size, mean, error in zip(measured.sizes, measured.mean, measured.error, strict=True):
        ax.errorbar(m.LOADS, mean, error, fmt="o-", ms=4, lw=1, label=f"N = {size}")


@panel(xlabel="1/N", ylabel="overlap at rest")
def limit(ax, run):
    """N → ∞: squares ± 3 standard errors, arrows: theory"""
    measured, ends = run(m.overlaps), run(m.limit)
    inverse = 1 / np.array(measured.sizes)
    for i, load in enumerate(ends.loads):
        colour = f"C{i}"
        mean, error = measured.mean[:, i], measured.error[:, i]
        ax.errorbar(inverse, mean, error, fmt="o", ms=4, color=colour)
        ax.errorbar([0], [ends.limit[i]], [3 * ends.error[i]], fmt="s", ms=4, color=colour)
        ax.plot(inverse[0] * -0.05, ends.theory[i], ">", ms=7, color=colour)
        reach = np.array([0, inverse[0]])
        line = ends.limit[i] + ends.slope[i] * reach
        ax.plot(reach, line, color=colour, lw=1, label=f"α = {load:g}")
    ax.set_xlim(-0.08 * inverse[0], 1.05 * inverse[0])


@panel(xlabel="load α", ylabel="temperature T", xlim=(0, 0.16), ylim=(0, 1.6))
def diagram(ax, run):
    """Phase diagram, and Glauber dynamics at α = 0.05"""
    (*_, temperatures, critical), (warm, theory) = run(m.lines), run(m.warm)
    loads = np.linspace(0, 0.16, 60)
    ax.plot(loads, spin_glass_temperature(loads), "C7", label="spin glass below")
    temperatures, critical = np.append(temperatures, 1.0), np.append(critical, 0.0)
    ax.fill_betweenx(temperatures, 0, critical, color="C0", alpha=0.15, lw=0)
    ax.plot(critical, temperatures, "C0", label="patterns are attractors below")
    for t, simulated, exact in zip(m.TEMPERATURES, warm.mean(1), theory, strict=True):
        ax.plot(m.WARM, t, "ko", ms=4)
        text = f"m = {simulated:.3f} (theory {exact:.3f})"
        ax.annotate(text, (m.WARM, t), (6, -3), textcoords="offset points", fontsize=8)


@panel(xlabel="load α", ylabel="cues that come back exactly", ylim=(-0.03, 1.05))
def rules(ax, run):
    """Rules, N = 500, a tenth of the units flipped"""
    loads = run.pick(
        "rules.loads", quick=(0.25,), full=(0.05, 0.1, 0.15, 0.2, 0.25, 0.35, 0.5, 0.7, 0.9)
    )
    for rule in ("Hebb", "Storkey", "Projection"):
        shares = np.stack([run(m.recalled, rule, load) for load in loads])
        error = shares.std(1) / np.sqrt(shares.shape[1])
        ax.errorbar(loads, shares.mean(1), error, fmt="o-", ms=4, lw=1, label=rule)
    critical = float(run(m.lines)[-1][0])
    ax.axvline(critical, color="C0", ls="--", lw=1)
    ax.text(critical + 0.005, 0.5, "α_c of Hebb's rule", rotation=90, va="center", fontsize=8)


@panel(xlabel="Euler's step", ylabel="E − min E", xscale="symlog")
def graded(ax, run):
    """1984: the energy of graded units of gain 2 falls"""
    energy = run(m.graded, 1.0).energy
    ax.plot(np.arange(energy.shape[1]), (energy - energy[:, -1:].min()).T, lw=1)


@panel(bare=True)
def images(ax, run):
    """30 real images as signs, 8 of them"""
    shown = run(m.images)
    rows = {"stored": shown.stored, "cue": shown.cues, **shown.ends}
    labels = [f"{n}\n{shown.exact[n]:.0%}" if n in shown.exact else n for n in rows]
    sheet = np.stack([states[:8] for states in rows.values()])
    plot.images(sheet, shown.shape, ax, labels=labels, limits=(-1, 1))
