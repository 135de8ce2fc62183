"""Where memory ends, what larger banks add, what truncation leaves out, and its errors."""

import numpy as np

from ..panels import panel
from . import measure as m

_THEORY = "0.35"


@panel(xlabel="M, tokens in the bank when read", ylabel="share answered", ylim=(0, 1.05))
def copied(ax, run):
    """Lookups 4 segments later: memory ends at its last place"""
    copied = run(m.copied)
    for i, shares in enumerate(copied.shares):
        label = "trained with M = 128" if i == 0 else None
        ax.plot(copied.capacities, shares, "C0o-", ms=4, lw=1, alpha=0.7, label=label)
    ax.plot([0] * len(copied.without), copied.without, "C1s", ms=5, label="no bank")
    ax.axhline(m.CHANCE, color=_THEORY, lw=1, ls=":", label="chance")
    ax.axvline(m.TRAINED, color=_THEORY, lw=1, ls="--", label="tokens in between")
    ax.legend(fontsize=8, loc="center left")


@panel(xlabel="M, bytes in the bank when read", ylabel="nats per byte")
def larger(ax, run):
    """Python's library: a bank grows after training"""
    found = run(m.read, "scalar")
    for i, nats in enumerate(found.nats):
        label = f"scalar gate, trained with M = {m.HELD}" if i == 0 else None
        ax.plot(m.LARGER, nats, "C0o-", ms=4, lw=1, alpha=0.7, label=label)
    for name, colour, label in (
        ("plain", "C1", "no memory"),
        ("cache", "C2", "cache of 32 inputs a layer"),
        ("joint", "C3", f"joint gate, M = {m.HELD}"),
    ):
        for i, nats in enumerate(run(m.read, name).held):
            ax.axhline(nats, color=colour, lw=1, label=label if i == 0 else None)
    ax.set_xscale("log", base=2)
    ax.set_xticks(m.LARGER, map(str, m.LARGER))
    ax.minorticks_off()


@panel(xlabel="k, rows that are read, of 4096", ylabel="error, and its bound", yscale="log")
def truncation(ax, run):
    """Reads of the best k of normal rows, mean of queries"""
    found = run(m.truncation)
    for i, beta in enumerate(m.BETAS):
        bound = 2 * found.left_out[i].mean(1) * found.largest
        ax.plot(m.BEST, bound, f"C{i}--", lw=1, label=f"2 ε max |v|, β = {beta:g}")
        ax.plot(m.BEST, found.errors[i].mean(1), f"C{i}o-", ms=4, lw=1, label=f"β = {beta:g}")
    ax.set_xscale("log", base=2)
    ax.set_xticks(m.BEST, map(str, m.BEST))
    ax.minorticks_off()


@panel(xlabel="step", ylabel="nats of values, mean of 20 steps", ylim=(0, None))
def learnt(ax, run):
    """Learning to look up: far and near values, and their sum"""
    for i, losses in enumerate(run(m.copied).losses):
        means = losses[: len(losses) // 20 * 20].reshape(-1, 20).mean(1)
        label = "with a bank of 128" if i == 0 else None
        ax.plot(20 * np.arange(1, len(means) + 1), means, "C0", lw=1, alpha=0.7, label=label)
    ax.axhline(2 * np.log(1 / m.CHANCE), color=_THEORY, lw=1, ls=":", label="chance")
