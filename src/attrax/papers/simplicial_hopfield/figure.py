"""Recall by load at equal budgets, what the gain is made of, stability, and digits."""

import numpy as np

from attrax import theory

from ..panels import panel
from . import measure as m

_THEORY = "#d62728"
_NAMES = {
    "K1": "all pairs",
    "R12̄": "¼ triples",
    "R12": "½ triples",
    "R1̄2": "¾ triples",
    "R2": "triples",
}


def _line(ax, recall, style, **given):
    mean = recall.overlaps.mean(0)
    error = recall.overlaps.std(0, ddof=1) / np.sqrt(len(recall.overlaps))
    ax.errorbar(m.LOADS, mean, error, fmt=style, ms=4, lw=1, **given)


@panel(xlabel="load P/N", ylabel="overlap at rest", ylim=(0.4, 1.03))
def budgets(ax, run):
    """N = 100: as many connections as there are pairs"""
    for i, (condition, name) in enumerate(_NAMES.items()):
        _line(ax, run(m.recall, condition), "o-", color=f"C{i}", label=name)
    _line(ax, run(m.recall, "K2"), "s--", color="0.5", label="all pairs and triples")
    ax.legend(fontsize=8, loc="lower left")


@panel(xlabel="load P/N", ylabel="overlap at rest", ylim=(0.4, 1.03))
def parts(ax, run):
    """What the gain is made of"""
    _line(ax, run(m.recall, "R2"), "o-", color="C4", label="triples")
    fewer = run(m.recall, "R2", "incidences")
    _line(ax, fewer, "^-", color="C5", label="triples, as many a unit as pairs")
    _line(ax, run(m.recall, "K1"), "o-", color="C0", label="all pairs")
    dense = run(m.recall, "R12", "simplices", "dense")
    _line(ax, dense, "v--", color="C6", label="½ triples, with weights 1/N²")
    ax.legend(fontsize=8, loc="lower left")


@panel(xlabel="connections at a unit, k", ylabel="unstable units", ylim=(0, None))
def stability(ax, run):
    """30 stored patterns: connections count alike"""
    degrees = np.linspace(90, 160, 100)
    chance = theory.hebb_flip_probability(30, degrees)
    ax.plot(degrees, chance, color=_THEORY, lw=1, label="Q(√(k/(P − 1)))")
    for i, (condition, name) in enumerate(_NAMES.items()):
        if condition not in ("K1", "R12", "R2"):
            continue
        found = run(m.stability, condition, 30).unstable
        mean = (2 + m.SHARES[condition]) * m.BUDGET / m.UNITS
        error = found.std(ddof=1) / np.sqrt(len(found))
        ax.errorbar(mean, found.mean(), error, fmt="o", ms=5, color=f"C{i}", label=name)


@panel(ylabel="share found", ylim=(0, 1))
def digits(ax, run):
    """100 digits of 64 pixels, by the best score"""
    names = {"dot": "dot", "euclidean": "Euclidean", "cumulative": "sets", "manhattan": "Manhattan"}
    for i, (kind, label) in enumerate((("zeros", "half zero"), ("noise", "salt and pepper"))):
        found = run(m.images, kind)
        means = [found.of(name).mean() for name in names]
        ax.bar(np.arange(4) + 0.4 * i - 0.2, means, 0.36, label=label)
    ax.set_xticks(range(4), list(names.values()))
    ax.legend(fontsize=8, loc="upper left")
