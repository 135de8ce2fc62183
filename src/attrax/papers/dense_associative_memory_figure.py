"""The figure of the dense associative memory."""

from pathlib import Path
from typing import Any

import numpy as np

from ..theory import dense_capacity
from . import dense_associative_memory_capacity as dc
from . import dense_associative_memory_compared as dm
from .dense_associative_memory_sizes import LEARNT
from .hamux_images import Images

_TILES = 5
_COLOURS = {2: "C0", 3: "C1", 10: "C2", 20: "C3"}


def draw(path: Path, found: dict[str, Any]) -> None:
    """Write the sheet to `path`; of the largest images that were learnt."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(17, 12.5), layout="constrained")
    axes = figure.subplots(3, 4)
    _flips(axes[0, 0], found)
    _starts(axes[0, 1], found)
    _half(axes[0, 2], found)
    _dual(axes[0, 3], found)
    for ax in axes[:2].flat:
        ax.grid(alpha=0.25)
        ax.spines[["top", "right"]].set_visible(False)
    for ax in axes[2]:
        ax.set_axis_off()
    learnt: dm.Compared | None = found["clothes"] or found["mnist"] or found["digits"]
    if learnt is not None:
        _errors(axes[1, 0], learnt)
        _compared(axes[1, 1], found)
        _votes(axes[1, 2], learnt)
        _decided(axes[1, 3], learnt)
        for ax, degree in zip(axes[2], learnt.learnt, strict=False):
            _memories(ax, learnt.learnt[degree][0].classifier, degree, learnt.found)
    figure.suptitle(
        "Dense associative memory: what it holds (above), and what it learns (below)", fontsize=13
    )
    figure.savefig(path, format="png", dpi=90)


def _flips(ax, found) -> None:
    for i, degree in enumerate(dc.STORED):
        flips = found[f"flips{degree}"]
        line, exact, normal = flips.line
        ax.plot(line, exact, f"C{i}", label=f"n = {degree}")
        ax.plot(line, normal, f"C{i}--", lw=1)
        seen = flips.share > 0
        ax.errorbar(
            flips.stored[seen],
            flips.share[seen],
            2 * flips.error[seen],
            fmt="o",
            ms=5,
            color=f"C{i}",
        )
    ax.set(xscale="log", yscale="log", ylim=(1e-5, 0.5))
    ax.set(xlabel="patterns K, of 100 units", ylabel="share of units that flip")
    ax.set_title(
        "Stored patterns: points ± 2 s.e., exact law,\npaper's formula dashed", fontsize=11
    )
    ax.legend(fontsize=9)


def _starts(ax, found) -> None:
    starts = found["starts"]
    kinds = sorted(starts)
    for rectified, colour in ((False, "C0"), (True, "C1")):
        there = [kind for kind in kinds if kind[1] == rectified]
        name = "rectified" if rectified else "power"
        places = np.array([kinds.index(kind) for kind in there])
        ax.bar(places, [starts[kind].perfect for kind in there], color=colour, label=name)
        reverse = [starts[kind].reversed - starts[kind].perfect for kind in there]
        if not rectified:
            ax.bar(
                places,
                reverse,
                bottom=[starts[kind].perfect for kind in there],
                color=colour,
                alpha=0.4,
                label="and reversed",
            )
    ax.set_xticks(range(len(kinds)), [str(degree) for degree, _ in kinds])
    ax.set(xlabel="degree n", ylabel="share of random starts", ylim=(0, 1.3))
    ax.set_title("Ends in one of 2000 patterns, 100 units", fontsize=11)
    ax.legend(fontsize=9, ncols=3, loc="upper center")


def _half(ax, found) -> None:
    for name, key, colour in (("power", "halfFalse", "C0"), ("rectified", "halfTrue", "C1")):
        half = found[key]
        label = f"{name}: slope {half.slope:.2f}"
        ax.plot(half.sizes, half.half, "o", color=colour, label=label)
        line = np.polyfit(np.log(half.sizes), np.log(half.half), 1)
        ax.plot(half.sizes, np.exp(np.polyval(line, np.log(half.sizes))), color=colour, lw=1)
    sizes = np.array(found["halfTrue"].sizes)
    ax.plot(
        sizes, np.asarray(dense_capacity(sizes, 3, "no_errors")), "k--", label="N²/(6 ln N), eq. 6"
    )
    ax.set(xscale="log", yscale="log", xlabel="units N", ylabel="patterns K")
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.set_xticks([], minor=True)
    ax.set_title("n = 3: half of all random starts find a pattern", fontsize=11)
    ax.legend(fontsize=9)


def _dual(ax, found) -> None:
    ax.loglog(found["epsilons"], found["dual"], "o-")
    ax.loglog(
        found["epsilons"], found["dual"][-1] * found["epsilons"] * 1e6, "k--", lw=1, label="∝ ε"
    )
    ax.set(xlabel="ε, where labels stand", ylabel="largest difference of c")
    ax.set_title("Duality: one hidden layer as ε → 0", fontsize=11)
    ax.legend(fontsize=9)


def _errors(ax, learnt: dm.Compared) -> None:
    for degree, runs in learnt.learnt.items():
        for number, run in enumerate(runs):
            label = f"n = {degree}" if number == 0 else None
            ax.plot(run.epochs, run.error, color=_COLOURS[degree], lw=1, label=label)
    if learnt.large is not None:
        many = learnt.large[1]
        label = f"n = 3, K = {many.classifier.memories.shape[0]}"
        ax.plot(many.epochs, many.error, "k", lw=1, label=label)
    for (name, errors), style in zip(learnt.rivals.items(), ("--", ":"), strict=True):
        ax.axhline(np.mean(errors), color="0.4", ls=style, label=name)
    ax.set(xscale="log", yscale="log", xlabel="epochs", ylabel="test error")
    ticks = (0.02, 0.05, 0.1, 0.2, 0.5)
    ax.set_yticks(ticks, [f"{tick:.0%}" for tick in ticks])
    ax.set_yticks([], minor=True)
    ax.set_title(f"Learning {learnt.found.name}", fontsize=11)
    ax.legend(fontsize=8)


def _compared(ax, found) -> None:
    names, place = [], 0
    for part in LEARNT:
        learnt = found[part]
        if learnt is None:
            continue
        errors = {f"n = {n}": (learnt.errors(n), _COLOURS[n]) for n in learnt.learnt}
        if learnt.large is not None:
            many = learnt.large[1]
            label = f"n = 3, K = {many.classifier.memories.shape[0]}"
            errors[label] = many.error[-1:], "k"
        errors |= {name: (values, "0.6") for name, values in learnt.rivals.items()}
        for name, (values, colour) in errors.items():
            ax.barh(place, np.mean(values), color=colour)
            ax.plot(values, [place] * len(values), "k.", ms=4)
            ax.annotate(
                f"{np.mean(values):.1%}",
                (max(values), place),
                (5, -3),
                textcoords="offset points",
                fontsize=8,
            )
            names.append(f"{part}: {name}")
            place += 1
    ax.set_yticks(range(place), names, fontsize=8)
    ax.invert_yaxis()
    ax.set(xlabel="test error at the end")
    ax.margins(x=0.15)
    ax.set_title("Errors; dots are seeds", fontsize=11)


def _votes(ax, learnt: dm.Compared) -> None:
    classes = learnt.found.classes
    for degree, runs in learnt.votes.items():
        counts = np.bincount(np.concatenate(runs), minlength=classes + 1) / sum(map(len, runs))
        colour, label = _COLOURS[degree], f"n = {degree}"
        ax.plot(np.arange(classes + 1), counts, "o-", ms=4, color=colour, label=label)
    ax.set(xlabel="classes that a memory votes for", ylabel="share of memories")
    ax.set_title(f"From features to prototypes, {learnt.found.name}", fontsize=11)
    ax.legend(fontsize=9)


def _decided(ax, learnt: dm.Compared) -> None:
    bins = np.arange(1, 12)
    for degree, runs in learnt.active.items():
        active = np.minimum(np.concatenate(runs), bins[-1])
        share = np.bincount(active, minlength=bins[-1] + 1)[1:] / active.size
        colour, label = _COLOURS[degree], f"n = {degree}"
        ax.plot(bins, share, "o-", ms=4, color=colour, label=label)
    ax.set_xticks(bins, [*map(str, bins[:-1]), f"{bins[-1]}+"])
    ax.set(xlabel="memories that decide an image", ylabel="share of images")
    ax.set_title("Parts of at least 0.9 of the largest", fontsize=11)
    ax.legend(fontsize=9)


def _memories(ax, classifier, degree: int, pictures: Images) -> None:
    """The pixels of memories at even places of the order of how many classes they vote for."""
    votes = np.asarray(np.sum(np.asarray(classifier.votes) > 0, axis=1))
    order = np.argsort(votes, kind="stable")
    chosen = order[np.linspace(0, order.size - 1, _TILES**2).astype(int)]
    height, width, depth = pictures.shape
    tiles = np.asarray(classifier.keys)[chosen].reshape(_TILES, _TILES, height, width, depth)
    sheet = np.full((_TILES * (height + 1), _TILES * (width + 1)), np.nan)
    for row in range(_TILES):
        for column in range(_TILES):
            top, left = row * (height + 1), column * (width + 1)
            sheet[top : top + height, left : left + width] = tiles[row, column].mean(-1)
    ax.imshow(sheet, cmap="RdBu_r", vmin=-1, vmax=1)
    ax.set_title(f"n = {degree}: memories, −1 blue, +1 red", fontsize=11)
