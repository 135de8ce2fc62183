"""Accuracy by number of items, continual recall, flashbulbs, and coefficients that are learnt."""

import numpy as np

from ..panels import panel
from . import measure as m

_THEORY = "0.35"


@panel(xlabel="items T over N", ylabel="accuracy", ylim=(0.36, 1.02))
def curves(ax, run):
    """N = 40, queries with 60 % hidden"""
    for i, (name, label) in enumerate(
        (("sequential", "slots in turn"), ("random", "random slots, p = 4/N"))
    ):
        curve = run(m.curve, name, 40, 80)
        ax.plot(curve.counts / 40, curve.accuracy.mean(0), f"C{i}", lw=2, label=label)
        label = "theory of both" if i else None
        ax.plot(curve.counts / 40, curve.theory, color=_THEORY, lw=1, ls="--", label=label)
    ax.plot(curve.counts / 40, curve.unknown, color="0.6", lw=1, ls=":", label="never stored")
    network = run(m.hopfield, 40)
    ax.plot(network.counts / 40, network.accuracy.mean(0), "C2", lw=1.5, label="Hopfield network")
    ax.legend(fontsize=8, loc="lower center", ncols=2)


@panel(xlabel="delay R, steps", ylabel="accuracy", ylim=(0.55, 1.02))
def continual(ax, run):
    """Streams of stores and queries, 40 slots in turn"""
    stairs = run(m.staircase)
    for turn in (40, 80):
        ax.axvline(turn + 0.5, color=_THEORY, lw=1, ls=":")
    for name, mark, label in (
        ("step", "o-", "moving on at every step"),
        ("store", "s--", "moving on when storing"),
    ):
        ax.plot(stairs.delays, getattr(stairs, name).mean(0), mark, ms=4, lw=1, label=label)


@panel(xlabel="items stored", ylabel="item", bare=True)
def raster(ax, run):
    """Recalled entries along a stream; red: stored with q = 10"""
    flashes = run(m.flashes, "rule")
    steps = 10 * np.arange(1, 41)
    shares = np.where(np.arange(400)[:, None] < steps, flashes.shares[0].T, np.nan)
    options = {"aspect": "auto", "origin": "lower", "cmap": "Blues", "vmin": 0.5, "vmax": 1}
    ax.imshow(shares, extent=(5, 405, 0, 400), **options)
    for time in flashes.times[0]:
        kept = np.where(shares[time] >= m.RIGHT, time, np.nan)
        ax.plot(steps, kept, color="C3", lw=1)
        ax.plot(412, time, "<", color="C3", ms=4, clip_on=False)
    ax.set_xlim(5, 405)


@panel(ylabel="size beside the other term", yscale="log", ylim=(3e-4, 30))
def learnt(ax, run):
    """Four trained rules: terms that the rule by hand lacks"""
    learnt = run(m.learnt, 0.03)
    for rule, mark, label in (
        (learnt.start, {"color": "0.6", "ms": 4}, "before training"),
        (learnt.rule, {"color": "C0", "ms": 5}, "after"),
    ):
        for k, sizes in enumerate(m.sizes_of(rule)):
            places = np.arange(4) + 0.1 * (k - 1.5)
            ax.plot(places, sizes, "o", label=None if k else label, **mark)
    ax.axhline(1, color=_THEORY, lw=1, ls=":")
    names = "keys:\noffset\nof input", "keys:\nactivity\n(h = 1/N)"
    names += "values:\noffset of\nactivity", "values:\noffset\nof target"
    ax.set_xticks(range(4), names)
