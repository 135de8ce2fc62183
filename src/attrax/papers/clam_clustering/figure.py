"""Paths to prototypes, silhouettes beside those of others, their trap, and labels by β."""

import numpy as np

from ..panels import panel
from . import measure as m

_SHOWN = ("ClAM", "k-means", "mixture", "spectral", "ward")


@panel(xlabel="first feature", ylabel="second feature", aspect="equal")
def paths(ax, run):
    """Ten steps go 65 % of the way to a prototype"""
    found = run(m.paths)
    ax.plot(*found.rows.T, ".", color="0.8", ms=3, label="rows")
    for path in found.states:
        ax.plot(*path.T, color="C0", lw=0.7)
    ax.plot([], [], color="C0", lw=0.7, label="paths of states")
    ax.plot(*found.states[:, -1].T, "o", color="C0", ms=2.5, label="where they end")
    ax.plot(*found.centres.T, "*", color="#d62728", ms=12, label="prototypes")


@panel(ylabel="silhouette", ylim=(0, 0.82))
def silhouettes(ax, run):
    """Standardised sets of scikit-learn, the true k"""
    places = np.arange(len(m.SETS))
    for i, method in enumerate(_SHOWN):
        each = [run(m.compared, name).of(method) for name in m.SETS]
        means, errors = [x.mean() for x in each], [x.std() for x in each]
        ax.bar(places + 0.16 * (i - 2), means, 0.15, yerr=errors, label=method)
    ax.set_xticks(places, m.SETS)
    ax.legend(fontsize=8, ncols=2)


@panel(xlabel="share of rows in the largest cluster", ylabel="silhouette", xlim=(0, 1.03))
def trap(ax, run):
    """All methods and sets: silhouette rewards one large cluster"""
    names = list(run(m.compared, m.SETS[0]).scores)
    for i, method in enumerate(name for name in names if "masks" not in name):
        found = [run(m.compared, name) for name in m.SETS]
        shares = [each.of(method, "largest").mean() for each in found]
        heights = [each.of(method).mean() for each in found]
        ax.plot(shares, heights, "os^vDPX*"[i], ms=6, alpha=0.8, label=method)
    ax.legend(fontsize=7, ncols=2, loc="upper left")


@panel(xlabel="β, in units of 1/deviation²", ylabel="share of rows", xscale="log", ylim=(0, 1.05))
def nearest(ax, run):
    """Label = nearest of 10 prototypes, 8 dimensions"""
    ax.plot(m.BETAS, run(m.nearest), "o-", ms=4)
