"""Who reads what, accuracy by rows a layer, what is kept, and what the class token looks at."""

import numpy as np

from ..contract import NotRun
from ..panels import panel
from . import measure as m

_FULL, _HEAD = "#2ca02c", "0.35"


@panel(xlabel="is read", ylabel="reads")
def mask(ax, run):
    """Tasks of 4, 0 and 2 rows; orange: only if extended"""
    from matplotlib.colors import ListedColormap

    found = run(m.masks)
    both, more = found["concatenated"], found["extended"]
    shown = both.astype(int) + 2 * (more & ~both)
    colours = ListedColormap(["white", "#4c78a8", "#f58518"])
    ax.imshow(shown, cmap=colours, vmin=0, vmax=2, aspect="auto")
    image = both.shape[0] - 3
    tokens = {image / 2: "image", image: "C₁", image + 1: "C₂", image + 2: "C₃"}
    keys = tokens | {image + 4.5: "M₁", image + 7.5: "M₃"}
    ax.set_xticks([*keys], [*keys.values()])
    ax.set_yticks([*tokens], [*tokens.values()])


@panel(xlabel="rows a layer", ylabel="accuracy on digits 5–9")
def rows(ax, run):
    """Digits 0–4 learnt first, then 5–9"""
    for kind, colour, name in (("full", _FULL, "all is trained"), ("head", _HEAD, "a new head")):
        level = run(m.adapted, m.DIGITS, kind).accuracy.mean()
        ax.axhline(level, color=colour, ls="--", lw=1.4, label=name)
    cells, found = [], []
    for count in m.CELLS:
        try:
            found.append(run(m.adapted, m.DIGITS, "rows", count).accuracy)
        except NotRun:
            continue
        cells.append(count)
    places = np.arange(len(cells))
    for member in np.array(found).T:
        ax.plot(places, member, "o", color="C0", ms=3, alpha=0.35)
    ax.plot(places, np.mean(found, axis=1), "o-", color="C0", ms=5, label="class token, rows, head")
    ax.set_xticks(places, cells)


@panel(ylabel="accuracy on digits 0–4", ylim=(0, 1.05))
def old(ax, run):
    """Digits 0–4, after 5–9 were learnt"""
    kept = run(m.kept, m.DIGITS)
    bars = {
        "before": (kept.before, "0.6"),
        "task attached": (kept.attached, "C0"),
        "all trained,\nfirst head": (kept.tuned, _FULL),
    }
    for place, (accuracy, colour) in enumerate(bars.values()):
        ax.bar(place, accuracy.mean(), 0.6, color=colour)
        ax.plot(np.full(len(accuracy), place), accuracy, "k.", ms=4)
    ax.axhline(1 / 5, color="0.3", ls=":", lw=1.2, label="chance")
    ax.set_xticks(range(len(bars)), [*bars])


@panel(xlabel="layer", ylabel="share of the weights", ylim=(0, 1))
def looks(ax, run):
    """What the class token of 5–9 reads"""
    found = run(m.looks, m.DIGITS)
    base = np.zeros(found.shape[1])
    places = np.arange(1, len(base) + 1)
    names = ("patches", "class token of 0–4", "itself", "five learnt rows")
    colours = ("#9ecae1", "0.6", "0.35", "#f58518")
    for name, colour, share in zip(names, colours, found, strict=True):
        ax.bar(places, share, 0.6, base, color=colour, label=name)
        base += share
    ax.set_xticks(places)
    ax.legend(fontsize=8, loc="lower left")
