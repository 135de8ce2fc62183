"""Chunks that are found, recall beyond the window, demonstrations, and documents."""

import numpy as np

from ..panels import panel
from . import measure as m


@panel(xlabel="tokens of a chunk", ylabel="recall of the true key", ylim=(0, 1.05))
def chunks(ax, run):
    """32 of 1024 tokens retrieved: what chunks find"""
    for i, (kind, label) in enumerate(
        (
            ("unrelated", "unrelated neighbours, query of one key"),
            ("topics", "neighbours of a topic, query of the topic"),
            ("keys of topics", "neighbours of a topic, query of one key"),
        )
    ):
        found = run(m.chunks, kind).mean(0)
        ax.plot(m.SIZES, found, f"C{i}o-" if i < 2 else "C2s--", ms=4, lw=1.2, label=label)
    ax.set_xscale("log", base=2)
    ax.set_xticks(m.SIZES, map(str, m.SIZES))
    ax.minorticks_off()


@panel(ylabel="right answers", ylim=(0, 1.05))
def recall(ax, run):
    """Facts nine windows before the questions, or with them"""
    found = run(m.recall)
    bars = (
        ("frozen model,\nsame window", found.inside),
        ("frozen model", found.model),
        ("side network,\nempty bank", found.forgets),
        ("side network,\nbank", found.remembers),
    )
    for i, (_, shares) in enumerate(bars):
        ax.bar(i, shares.mean(), color=("0.75", "C0", "C1", "C2")[i], width=0.65)
        ax.plot(np.full(len(shares), i), shares, "k.", ms=4)
    ax.axhline(1 / m.ANSWERS, color="0.35", lw=1, ls=":", label="chance")
    ax.set_xticks(range(len(bars)), [name for name, _ in bars], fontsize=7)
    ax.legend(fontsize=8, loc="upper center")


@panel(xlabel="times that facts are told", ylabel="right answers", ylim=(0, 1.05))
def demonstrations(ax, run):
    """Unreliable facts: more of them in the bank"""
    told, softer = run(m.recall).told, run(m.recall).softer
    for row in told:
        ax.plot(m.TIMES, row, "C2.", ms=5, alpha=0.6)
    ax.plot(m.TIMES, told.mean(0), "C2-", lw=1.2, label="side network, bank")
    ax.plot(m.TIMES[::3], softer.mean(0), "C1s--", ms=4, lw=1.2, label="the same, β a quarter")
    one = 1 - m.WRONG * (1 - 1 / m.ANSWERS)
    ax.axhline(one, color="0.35", lw=1, ls=":", label="one telling is right")
    ax.set_xscale("log", base=2)
    ax.set_xticks(m.TIMES, map(str, m.TIMES))
    ax.minorticks_off()


@panel(xlabel="bytes before", ylabel="nats a byte")
def documents(ax, run):
    """Python's library: along a document"""
    found = run(m.texts).places
    middles = (np.arange(8) + 0.5) * m.DOCUMENT / 8
    for i, label in enumerate(("frozen model", "side network, no bank", "side network, bank")):
        ax.plot(middles, found[i], f"C{i}o-", ms=4, lw=1.2, label=label)
