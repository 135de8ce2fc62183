"""Energies with tied weights and without, what ε does to the decay, halves, and digits."""

import numpy as np

from ..contract import NotRun
from ..panels import panel
from . import measure as m

_UNTIED = "#d62728"


@panel(xlabel="steps of 0.05", ylabel="energy −Σ Φ(W LN(x))")
def flows(ax, run):
    """Energies along steps: tied (solid), untied (dashed)"""
    for tied, colour, line in ((True, "C0", "-"), (False, _UNTIED, "--")):
        energies = run(m.walks, tied, "relu", 0.05, 1.0, 1.0)[:5]
        for i, each in enumerate(energies):
            label = ("tied" if tied else "untied") if i == 0 else None
            ax.plot(each, line, color=colour, lw=1.2, label=label)


@panel(xlabel="steps", ylabel="energy, mean over runs")
def lengths(ax, run):
    """Tied ReLU without decay: no step is too long"""
    for length in m.LENGTHS:
        energies = run(m.walks, True, "relu", length, 0.0, 1.0)[:, :31]
        ax.plot(energies.mean(0), ".-", ms=4, lw=1.4, label=f"length {length:g}")


@panel(xlabel="ε of the norm", ylabel="|∇²L x| over |∇²L u|", xscale="log", yscale="log")
def free(ax, run):
    """The decay changes the energy by what ε lets it"""
    epsilons = (m.EXACT, *(10.0 ** np.arange(-14, 1, 2.0)))
    shares = run(m.decay, epsilons)
    ax.plot(epsilons[1:], shares[1:], "o-", ms=4, lw=1, label="measured")
    ax.axhline(shares[0], color="grey", ls="--", lw=1, label="without ε: rounding")
    ax.axvline(1e-5, color="C1", ls=":", lw=1.4, label="usual ε")


@panel(xlabel="half steps", ylabel="energy, mean over runs")
def halves(ax, run):
    """In turn, each half raises the other's energy"""
    in_turn = run(m.halves).in_turn.mean(0)[:13]
    for half, name in enumerate(("tokens", "channels")):
        ax.plot(in_turn[:, half] - in_turn[0, half], "o-", ms=3, lw=1.2, label=f"of {name}")
    total = in_turn.sum(1)
    ax.plot(total - total[0], "k--", lw=1.2, label="sum")


@panel(xlabel="step of training", ylabel="cross-entropy", yscale="log")
def learning(ax, run):
    """Digits: tied and untied blocks"""
    for tied, colour in ((True, "C0"), (False, _UNTIED)):
        try:
            learnt = run(m.digits, tied)
        except NotRun:
            continue
        smooth = np.convolve(learnt.losses, np.ones(10) / 10, mode="valid")
        name = "tied, ReLU" if tied else "untied, GELU"
        ax.plot(smooth, color=colour, lw=1.4, label=f"{name}: {learnt.accuracy.mean():.1%} right")
