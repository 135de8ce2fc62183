"""Samples, training, the zero-shot scores, and what prototypes stand for."""

import numpy as np

from ..panels import panel
from . import measure as m

NAMES = {
    "prototypes": "prototypes, output of prototypes",
    "linear": "prototypes, linear output",
    "mlp": "MLP, linear output",
}


def measured(run):
    """Generators of all kinds."""
    return {name: run(m.trained, name) for name in NAMES}


@panel(bare=True)
def samples(ax, run):
    """Digits drawn from their class, three of each"""
    first = run(m.trained, "prototypes")[0]
    sheet = np.full((3 * 9 + 1, 10 * 9 + 1), np.nan)
    for digit in range(10):
        for line, image in enumerate(first.samples[first.labels == digit][:3]):
            sheet[9 * line + 1 : 9 * line + 9, 9 * digit + 1 : 9 * digit + 9] = image
    ax.imshow(sheet, cmap="gray_r", vmin=0, vmax=m.LEVELS - 1)
    ax.set_axis_off()


@panel(xlabel="step", ylabel="nats a pixel, mean of 20 steps", ylim=(0.45, 1.2))
def training(ax, run):
    """Training, first network of each kind"""
    for name, trained in measured(run).items():
        losses = trained[0].losses
        means = losses[: len(losses) // 20 * 20].reshape(-1, 20).mean(1)
        ax.plot(20 * np.arange(1, len(means) + 1), means, lw=1.2, label=NAMES[name])
    table = run(m.trained, "prototypes")[0].table
    ax.axhline(table, color="0.35", lw=1, ls=":", label="frequencies by class and pixel")


@panel(xlabel="zero-shot accuracy", xlim=(0, 1))
def scores(ax, run):
    """Trained on samples, tested on real digits"""
    found = measured(run)
    rows = [("real digits", found["prototypes"], "real")]
    rows += [(NAMES[name], trained, "accuracy") for name, trained in found.items()]
    rows += [("captions shuffled", found["prototypes"], "shuffled")]
    for place, (_, trained, field) in enumerate(rows):
        values = [getattr(each, field) for each in trained]
        ax.barh(place, np.mean(values), color=f"C{place}", alpha=0.5)
        ax.plot(values, [place] * len(values), "k.", ms=4)
    ax.set_yticks(range(len(rows)), [label.replace(", ", ",\n") for label, _, _ in rows])
    ax.invert_yaxis()


@panel(bare=True)
def prototypes(ax, run):
    """Where output prototypes lead, by their top level"""
    reading = run(m.trained, "prototypes")[0].reading
    places, tops = reading.places, reading.tops
    used = places.sum((1, 2))
    sheet = np.full((4 * 9 + 1, 8 * 9 + 1), np.nan)
    for level in range(m.LEVELS):
        own = [i for i in np.argsort(-used) if tops[i] == level and used[i]][:8]
        for column, i in enumerate(own):
            there = places[i] / places[i].max()
            sheet[9 * level + 1 : 9 * level + 9, 9 * column + 1 : 9 * column + 9] = there
        ax.text(-1, 9 * level + 4.5, f"level {level}", ha="right", va="center", fontsize=9)
    ax.imshow(sheet, cmap="viridis", vmin=0, vmax=1)
    ax.set_axis_off()
