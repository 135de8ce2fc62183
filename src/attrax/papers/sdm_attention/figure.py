"""Circles in common and the lines through them, recall by both, radii, reads and energies."""

import numpy as np

from attrax.theory import circle_intersection

from ..panels import panel
from . import measure as m

_THEORY = "#d62728"


@panel(xlabel="δ, bits between pattern and query", ylabel="I(δ)/I(0)", yscale="log", ylim=(3e-8, 2))
def circles(ax, run):
    """n = 64: circles in common, lines fitted up to d"""
    for i, radius in enumerate((5, 11, 15)):
        distances = np.arange(2 * radius + 1)
        logs = np.asarray(circle_intersection(distances, 64, radius, log=True))
        shares = np.exp(logs - logs[0])
        fit = run(m.fit, radius)
        ax.plot(distances, shares, f"C{i}o", ms=3, label=f"d = {radius}, β = {fit.beta:.1f}")
        smooth = np.arange(2 * radius + 1)
        line = fit.log_scale + fit.beta * (1 - 2 * smooth / 64) - logs[0]
        ax.plot(smooth, np.exp(line), f"C{i}--", lw=1)


@panel(xlabel="δ, bits between two points", ylabel="locations in common", ylim=(0, None))
def drawn(ax, run):
    """n = 100, d = 35: of 10 000 drawn locations"""
    sampled = run(m.sampled)
    for row in sampled.counts[:20]:
        ax.plot(sampled.distances, row, color="0.8", lw=0.8)
    ax.plot([], [], color="0.8", lw=0.8, label="single draws")
    ax.plot(sampled.distances, sampled.counts.mean(0), "o", ms=4, label="their mean")
    ax.plot(sampled.distances, sampled.expected, color=_THEORY, lw=1, label="r I(δ)/2ⁿ")


@panel(xlabel="bits flipped, of 64", ylabel="patterns recalled", ylim=(-0.03, 1.03))
def recalled(ax, run):
    """1024 patterns, d = 15: circles and attention"""
    recall = run(m.recall, 15)
    for name, mark, label in (
        ("circles", "o-", "circles of bits"),
        ("caps", "^-", "caps of the sphere"),
        ("attention", "s--", "attention, β fitted up to d"),
        ("wide", "v--", "attention, β fitted up to 2d"),
    ):
        ax.plot(m.FLIPS, getattr(recall, name).mean(0), mark, ms=4, lw=1, label=label)


@panel(xlabel="radius d, bits", ylabel="patterns recalled", ylim=(-0.03, 1.03))
def radius(ax, run):
    """256 bits, 2000 hard locations, 50 patterns"""
    neurons = run(m.neurons)
    for flips, shares in zip(neurons.flips, neurons.shares.mean(0).T, strict=True):
        ax.plot(neurons.radii, shares, "o-", ms=4, lw=1, label=f"{flips} bits flipped")
    ax.axvline(neurons.best, color=_THEORY, ls="--", lw=1.2, label="best in theory")
    ax.legend(fontsize=8, loc="lower left")


@panel(xlabel="bits flipped, of 256", ylabel="bits wrong after one read")
def reads(ax, run):
    """20 000 hard locations, 200 patterns: one read"""
    own, random = run(m.scaled, True), run(m.scaled, False)
    ax.plot(own.flips, own.flips, color="0.6", lw=1, ls=":", label="as many")
    ax.plot(own.flips, own.after.mean(0), "o", ms=4, label="the patterns themselves are read")
    ax.plot(random.flips, random.after.mean(0), "s", ms=4, label="random values are read")
    ax.plot(own.flips, own.theory, color=_THEORY, lw=1, label="theory")


@panel(xlabel="reads", ylabel="energy, −Σ Φ(−δ)")
def energies(ax, run):
    """300 patterns of 64 bits, d = 15: votes by circles"""
    for i, row in enumerate(run(m.descents)[:30]):
        ax.plot(row[:8], color=f"C{i % 10}", lw=1)
