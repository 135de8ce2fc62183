"""What dense memories hold beside theory, and what classifiers learn."""

import numpy as np

from attrax import plot

from ..panels import panel
from . import measure as m

_COLOURS = {2: "C0", 3: "C1", 30: "C3"}


@panel(
    xlabel="patterns K, of 100 units",
    ylabel="share of units that flip",
    xscale="log",
    yscale="log",
    ylim=(1e-5, 0.5),
)
def flips(ax, run):
    """Stored patterns: exact law, dashed: eq. 5"""
    for i, n in enumerate(m.STORED):
        measured = run(m.flips, n)
        line = np.rint(np.geomspace(measured.stored[0] / 2, measured.stored[-1] * 1.5, 12))
        exact, normal = m.law(n, line)
        ax.plot(line, exact, f"C{i}", label=f"n = {n}")
        ax.plot(line, normal, f"C{i}--", lw=1)
        share, draws = measured.share.mean(1), measured.share.shape[1]
        error = 2 * measured.share.std(1, ddof=1) / np.sqrt(draws)
        ax.errorbar(measured.stored, share, error, fmt="o", ms=4, color=f"C{i}")


@panel(xlabel="degree n", ylabel="share of random starts", ylim=(0, 1.25))
def starts(ax, run):
    """Where random starts end, N = 100, K = 2000"""
    kinds = ((2, False), (3, False), (4, False), (4, True), (5, False), (5, True))
    ends = [run(m.random_starts, *kind) for kind in kinds]
    perfect = np.array([each.perfect.mean() for each in ends])
    reverse = np.array([each.either.mean() for each in ends]) - perfect
    places = np.arange(len(kinds))
    ax.bar(places, perfect, color="C0", label="in a stored pattern")
    ax.bar(places, reverse, bottom=perfect, color="C0", alpha=0.4, label="in the reverse of one")
    ax.set_xticks(places, [f"{n}{' rect.' if rectified else ''}" for n, rectified in kinds])


@panel(xlabel="units N", ylabel="patterns K over those of eq. 6")
def half(ax, run):
    """n = 3: K at which half of all starts end in a pattern"""
    labels = {
        "random": "random starts",
        "rectified": "random starts, rectified",
        "patterns": "starts at stored patterns",
    }
    for kind, label in labels.items():
        found = run(m.half, kind)
        error = found.ratio.std(1, ddof=1) / np.sqrt(m.GROUPS)
        ax.errorbar(found.sizes, found.ratio.mean(1), error, fmt="o-", ms=4, label=label)
    ax.axhline(1, color="k", ls="--", lw=1)
    ax.set_xticks(found.sizes)


@panel(xlabel="epochs", ylabel="test error", xscale="log", yscale="log")
def errors(ax, run):
    """Classifiers of K = 100 memories, each seed"""
    for n, colour in _COLOURS.items():
        trained = run(m.learnt, n)
        for number, error in enumerate(trained.error):
            ax.plot(trained.epochs, error, colour, lw=1, label=None if number else f"n = {n}")
    ticks = (0.02, 0.05, 0.1, 0.2, 0.5)
    ax.set_yticks(ticks, [f"{tick:.0%}" for tick in ticks])
    ax.set_yticks([], minor=True)


@panel(xlabel="classes that a memory votes for", ylabel="share of memories")
def votes(ax, run):
    """From features to prototypes"""
    for n, colour in _COLOURS.items():
        counts = run(m.learnt, n).votes.ravel()
        share = np.bincount(counts) / counts.size
        ax.plot(np.arange(share.size), share, "o-", ms=4, color=colour, label=f"n = {n}")


@panel(bare=True)
def memories(ax, run):
    """Memories after training, −1 black, +1 white"""
    trained = {n: run(m.learnt, n) for n in _COLOURS}
    sheet = np.stack([each.keys[:8] for each in trained.values()])
    labels = [f"n = {n}" for n in trained]
    plot.images(sheet, trained[2].shape[:2], ax, labels=labels, limits=(-1, 1))
