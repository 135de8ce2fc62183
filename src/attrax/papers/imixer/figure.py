"""How iterations converge, when there is one inverse only, norms, energies and digits."""

import numpy as np

from ..panels import panel
from . import measure as m

_BOUND = "#d62728"


@panel(xlabel="iterations", ylabel="|y_k − y|/|y|", yscale="log")
def convergence(ax, run):
    """Distance from the fixed point: drawn weights, c = 0.9"""
    distances = run(m.iterated, m.PUBLISHED).distances
    ax.plot(m.ITERATIONS, distances[:40].T, color="C0", alpha=0.25, lw=0.8)
    ax.plot(m.ITERATIONS, np.exp(np.log(distances).mean(0)), "o-", color="C0", label="mean")
    steps = np.array(m.ITERATIONS)
    promised = (m.SURE * m.SLOPE) ** (2.0 * steps)
    ax.plot(steps, promised, color=_BOUND, ls="--", label="all that c = 0.88 promises")


@panel(xlabel="state y", ylabel="y − F(y), less that of √2", xlim=(0, 3), ylim=(-0.03, 0.03))
def steepest(ax, run):
    """One unit at GELU's steepest: is there one inverse?"""
    for bound, colour in ((m.PUBLISHED, _BOUND), (m.SURE, "C0")):
        steep = run(m.steep, bound)
        level = np.interp(np.sqrt(2), steep.states, steep.inverse)
        name = f"c = {bound:g}: {steep.solutions} solution{'s' * (steep.solutions > 1)}"
        ax.plot(steep.states, steep.inverse - level, color=colour, lw=1.6, label=name)
    ax.axhline(0, color="grey", lw=0.8)
    ax.legend(fontsize=8, loc="lower right")


@panel(xlabel="|Ŵ|/c", ylabel="matrices")
def bounds(ax, run):
    """Norms after normalisation, by two estimates"""
    norms = run(m.norms)
    edges = np.linspace(0.985, max(norms.power.max(), 1.02), 30)
    ax.hist(norms.power, edges, color=_BOUND, alpha=0.6, label="8 steps, random start")
    ax.hist(norms.above, edges, color="C0", alpha=0.8, label="from above (attrax)")
    ax.axvline(1, color="k", ls="--", lw=1)


@panel(xlabel="time in τ of the tokens", ylabel="energy")
def energies(ax, run):
    """Tied: the energy of three layers falls"""
    energies = run(m.flow).energy[:6]
    ax.plot(0.005 * np.arange(energies.shape[1]), energies.T, lw=1.2)


@panel(xlabel="step of training", ylabel="cross-entropy", yscale="log")
def learning(ax, run):
    """Digits: with feedback and without"""
    for count, colour in ((0, "C7"), (2, "C0")):
        learnt = run(m.digits, count)
        smooth = np.convolve(learnt.losses, np.ones(10) / 10, mode="valid")
        right = f"{learnt.accuracy.mean():.1%} right"
        ax.plot(smooth, color=colour, lw=1.4, label=f"n_iter = {count}: {right}")
