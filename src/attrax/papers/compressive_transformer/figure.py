"""Where tokens are kept, errors of compressions, nats along documents, and weights by age."""

import numpy as np

from ..panels import panel
from . import measure as m


@panel(xlabel="token", ylabel="place of the memory, newest above")
def kept(ax, run):
    """Which tokens are in which row, after 8 segments"""
    shares = run(m.kept).found[-1]
    places, tokens = np.nonzero(shares)
    recent = places >= m.COMPRESSED
    for label, which, colour in (("compressed", ~recent, "C1"), ("recent", recent, "C0")):
        heights = places[which] - len(shares)
        ax.plot(tokens[which], heights, "s", ms=4, color=colour, label=label)
    ax.axvspan(-0.5, tokens.min() - 0.5, color="0.93", lw=0, label="forgotten")
    ax.set_xlim(-0.5, m.IDS + 0.5)
    ax.set_yticks(range(-20, 0, 4))
    ax.legend(fontsize=8, loc="upper left")


@panel(ylabel="error of reads / square of reads", yscale="log")
def errors(ax, run):
    """Random stream: what attention reads of compressed rows"""
    found = run(m.errors)
    names = ("attention\nloss", "mean", "most\nused", "auto-\nencoding", "maximum")
    for i, values in enumerate(found):
        ax.plot(np.full(len(values), i), values, f"C{i}o", ms=5, alpha=0.6)
    ax.axhline(1, color="0.35", lw=1, ls=":")
    ax.annotate("a read of zeros", (0, 1), (0, 3), textcoords="offset points", size=8)
    ax.set_xticks(range(len(names)), names)


@panel(xlabel="segment of 16 bytes", ylabel="nats, less those without memory")
def language(ax, run):
    """Python's library: what memories are worth"""
    trained = run(m.trained)
    for i, (name, label) in enumerate(
        (
            ("longer", "none, longer training"),
            ("cache", "cache of 64 rows"),
            ("mean", "32 and 32: mean"),
            ("most used", "32 and 32: most used"),
            ("convolution", "32 and 32: convolution"),
        )
    ):
        gains = (trained.nats[name] - trained.nats["none"]).mean(0)
        ax.plot(np.arange(1, len(gains) + 1), gains, f"C{i}o-", ms=3, lw=1, label=label)
    ax.axhline(0, color="0.35", lw=1, ls=":")
    ax.set_ylim(None, ax.get_ylim()[1] + 0.3 * np.ptp(ax.get_ylim()))
    ax.legend(fontsize=7, ncols=2, loc="upper center")


@panel(xlabel="place before the segment", ylabel="weight of a row", yscale="log")
def weights(ax, run):
    """Attention to recent and compressed rows"""
    mass = run(m.trained).mass
    places = np.arange(-m.ROWS, 0)
    for layer in range(mass.shape[1]):
        ax.plot(places, mass[:, layer].mean(0), f"C{layer}", lw=1.2, label=f"layer {layer + 1}")
    ax.axvspan(-m.ROWS - 0.5, -m.ROWS // 2 - 0.5, color="0.93", lw=0, label="compressed")
