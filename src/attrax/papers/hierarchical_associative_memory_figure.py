"""The figure of hierarchical associative memory: energies, limits, and words."""

from pathlib import Path
from typing import Any

import numpy as np

from .. import plot
from . import hierarchical_associative_memory_measures as hm
from . import hierarchical_associative_memory_words as hw
from .krotov_hopfield_2020_figure import distances, energies_by_part

_LABELS = {
    "visible": "C0",
    "hidden 1": "C1",
    "hidden 2": "C4",
    "visible-hidden 1": "C2",
    "hidden 1-hidden 2": "C3",
}


def draw(path: Path, found: dict[str, Any]) -> None:
    """Write the sheet to `path`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(16, 8.6), layout="constrained")
    grid = figure.add_gridspec(2, 4)
    top = [figure.add_subplot(grid[0, i]) for i in range(4)]
    energies_by_part(top[0], found["chain"].descent, hm.STEP, _LABELS)
    top[0].set(title="Three layers: tanh, ReLU, softmax", ylabel="energy, one start")
    top[0].legend(fontsize=8.5, loc="lower left")
    energies_by_part(top[1], found["convolution"].descent, 5 * hm.STEP, _LABELS)
    top[1].set_title("28 × 28, convolution 5 × 5, dense")
    _feedback(top[2], found["chain"].descent, found["asymmetric"])
    distances(top[3], {"three layers": found["adiabatic"]}, "τ of the top layer")
    top[3].set_title("Approach to the reduced network")
    below = figure.add_subplot(grid[1, 0])
    _updates(below, found["together"])
    for ax in (*top, below):
        ax.grid(alpha=0.25)
        ax.spines[["top", "right"]].set_visible(False)
    _words(figure.add_subplot(grid[1, 1:]), found["words"])
    figure.suptitle("Hierarchical associative memory: layers with one energy", fontsize=13)
    figure.savefig(path, format="png", dpi=100)


def _feedback(ax, own, other) -> None:
    time = hm.STEP * np.arange(own.energy.shape[1])
    for i in range(min(4, len(own.energy))):
        ax.plot(time, own.energy[i], color="k", lw=1.3, label=None if i else "same weights")
        ax.plot(time, other.energy[i], color="C3", lw=1.3, label=None if i else "independent")
    ax.set(xscale="log", xlabel="time / τ", title="Feedback weights", xlim=(0.01, time[-1]))
    ax.set_ylabel("energy, four starts")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.legend(fontsize=9, loc="lower left")


def _updates(ax, together: hm.Together) -> None:
    first = next(iter(together.rise))
    start = int(np.argmax(together.rise[first]))
    for name, colour in zip(together.rise, ("C3", "k"), strict=True):
        plot.curves(
            np.arange(together.energies[name].shape[1]),
            together.energies[name][start],
            None,
            name,
            ax,
            color=colour,
            lw=1.4,
        )
    ax.set(xlabel="update", ylabel="energy", title="Updates of whole layers")
    ax.legend(fontsize=9)


def _words(ax, words: hw.Words) -> None:
    """Three damaged words a kind: as shown, as completed, and as completed without rules."""
    each = len(hw.WORDS)
    lines = [
        np.concatenate([_pictures(kind[:each]) for kind in group])
        for group in (words.cues, words.found, words.alone)
    ]
    shape = (hw.SHAPE[0], 2 * hw.SHAPE[1] + 5)
    plot.images(
        lines, shape, ax, labels=("shown", "completed", "without rules"), limits=(-1.0, 1.0)
    )
    shares = zip(words.kinds, words.completed, words.unaided, strict=True)
    ax.set_title(
        f"Three of nine pairs are stored: {', '.join(hw.WORDS)}.  Completed, and without rules:\n"
        + ";  ".join(f"{kind} {a:.0%}, {b:.0%}" for kind, a, b in shares),
        fontsize=11,
    )


def _pictures(pairs: np.ndarray) -> np.ndarray:
    """Both letters of a word side by side, ink dark, with paper between and around."""
    letters = pairs.reshape(len(pairs), 2, *hw.SHAPE)
    side, gap = (-np.ones((len(pairs), hw.SHAPE[0], n)) for n in (2, 1))
    whole = np.concatenate([side, letters[:, 0], gap, letters[:, 1], side], axis=2)
    return -whole.reshape(len(pairs), -1)
