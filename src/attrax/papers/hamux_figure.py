"""The figure sheet of HAMUX."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from .. import plot
from . import hamux_graphs as hg
from .hamux_images import Images


def draw(path: Path, parts: dict[str, Any], found: Images, seed: int) -> None:
    """Write the sheet to `path`: descents above, classifiers below."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(16, 11), layout="constrained")
    axes = figure.subplots(2, 3)
    _readme(axes[0, 0], parts["readme"].descent)
    _by_part(axes[0, 1], seed)
    _graphs(axes[0, 2], parts["graphs"])
    _accuracies(axes[1, 0], parts, found)
    _relaxing(axes[1, 1], parts)
    _pictures(axes[1, 2], parts["dense"].watched[-1], found)
    for ax in axes.flat[:5]:
        ax.spines[["top", "right"]].set_visible(False)
        ax.title.set_fontsize(11.5)
    figure.suptitle(
        "HAMUX's networks in attrax: the energy falls, layer by layer and step by step",
        fontsize=13,
    )
    figure.savefig(path, format="png", dpi=100)


def _readme(ax, descent: hg.Descent) -> None:
    for i, energies in enumerate(descent.energies):
        ax.plot(energies, label=f"start {i + 1}")
    ax.axhline(-4.277, color="grey", lw=1, ls="--", label="−4.277")
    ax.set(
        title="README's three layers, α = 0.5, three random starts",
        xlabel="step",
        ylabel="energy",
    )
    ax.legend(fontsize=9)


def _by_part(ax, seed: int) -> None:
    """The energy of each layer and synapse along one run."""
    network = hg.readme_network(jax.random.key(0))
    key = jax.random.fold_in(jax.random.key(seed), 42)
    start = {name: 3 * state[0] for name, state in hg.drawn(network, key, 1).items()}
    energies = hg.energies_by_part(network, start, 0.2, 40)
    total = np.sum(list(energies.values()), axis=0)
    for name, values in energies.items():
        ax.plot(values, label=name.replace("-", "–"), ls="--" if "-" in name else "-")
    ax.plot(total, "k", lw=2, label="total")
    ax.set(title="By part, α = 0.2, states three times as large", xlabel="step")
    ax.legend(fontsize=9)


def _graphs(ax, graphs: list[hg.Descent]) -> None:
    for i, graph in enumerate(graphs):
        falls = graph.energies - graph.energies[:, -1:]
        ax.plot((falls / falls[:, :1]).T, color=f"C{i % 10}", lw=0.7, alpha=0.7)
    runs = sum(len(graph.energies) for graph in graphs)
    ax.set(
        title=f"{runs} runs in {len(graphs)} random graphs, α = 0.05",
        xlabel="step",
        ylabel="energy above the end, share of the start",
        ylim=(-0.02, 1.02),
    )


_BARS = (
    ("dense", "logistic regression", "logistic\nregression", "C7"),
    ("dense", "feed-forward", "MLP", "C1"),
    ("dense", "at rest", "at rest", "C0"),
    ("convolutional", "MLP", "MLP", "C7"),
    ("convolutional", "feed-forward", "feed-\nforward", "C1"),
    ("convolutional", "at rest", "at rest", "C0"),
)


def _accuracies(ax, parts, found: Images) -> None:
    places = [0.0, 1.0, 2.0, 3.5, 4.5, 5.5]
    lowest = 1.0
    for place, (part, name, label, colour) in zip(places, _BARS, strict=True):
        shares = np.asarray(parts[part].accuracies[name])
        lowest = min(lowest, shares.min())
        size = parts[part].sizes["feed-forward" if name == "at rest" else name]
        ax.bar(place, shares.mean(), yerr=shares.std(), color=colour, capsize=4, width=0.8)
        ax.text(place, shares.mean() + 0.003, f"{shares.mean():.3f}", ha="center", fontsize=10)
        label = f"{label}\n{size:,}"
        ax.text(
            place,
            -0.02,
            label,
            ha="center",
            va="top",
            fontsize=9,
            transform=ax.get_xaxis_transform(),
        )
    ax.set_xticks([])
    for place, part in ((1.0, "dense"), (4.5, "convolutional")):
        ax.text(place, 0.98, part, ha="center", va="top", transform=ax.get_xaxis_transform())
    ax.set(
        title=f"Test accuracy on {found.name}, mean ± sd over seeds; below: weights",
        ylim=(np.floor(20 * lowest) / 20 - 0.05, 1.0),
    )


def _relaxing(ax, parts) -> None:
    for part, colour in (("dense", "C0"), ("convolutional", "C2")):
        watched = parts[part].watched[-1]
        energies = watched.energies - watched.energies[:, -1:]
        shown = 1 + int(np.ceil(watched.sweeps * 2))
        lines = ax.plot(np.maximum(energies[:, :shown], 1e-6).T, color=colour, lw=0.6, alpha=0.6)
        lines[0].set_label(f"{part}: {watched.certified:.0%} of all test images certified")
    ax.set(
        title=f"Energy above the fixed point, {len(energies)} test images",
        xlabel="sweep over all layers",
        yscale="log",
    )
    ax.legend(fontsize=9)


def _pictures(ax, watched, found: Images) -> None:
    """Test images, and what they were taken for."""
    count = min(30, len(watched.labels))
    height, width, depth = found.shape
    grey = found.test_x[:count].reshape(count, height, width, depth).mean(-1)
    plot.images(grey.reshape(count, -1), (height, width), ax, columns=6)
    gap = max(1, height // 14)
    for i in range(count):
        right = watched.labels[i] == found.test_y[i]
        ax.text(
            (i % 6) * (width + gap) + 1,
            (i // 6) * (height + gap) + 1,
            str(watched.labels[i]),
            color="limegreen" if right else "red",
            va="top",
            fontsize=10,
            weight="bold",
        )
    ax.set_title("Test images with the label at rest; red: wrong", fontsize=11.5)
