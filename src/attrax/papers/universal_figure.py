"""The figure sheet of Universal Hopfield Networks."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from .. import data as datasets
from .. import plot
from ..evaluate import scores
from ..evaluate.sweeps import read
from . import universal_experiments as ux

_NAMES = {
    "euclidean": "Euclidean",
    "manhattan": "Manhattan",
    "dot": "dot (L1)",
    "kl": "KL",
    "reverse_kl": "reverse KL",
    "jensen_shannon": "Jensen-Shannon, as coded",
    "tenth": "10th power",
    "sqrt": "square root",
    "auto": "auto",
    "hetero": "hetero",
}
_SIMILARITY = dict(zip(ux.SIMILARITIES, ("C0", "C1", "C2", "C3", "C4", "C7"), strict=True))
# Separations from gentle to sharp.
_SHADES = np.linspace(0.05, 0.92, len(ux.SEPARATIONS))


def draw(path: Path, panels, loaded, sizes: ux.Profile, key: jax.Array) -> None:
    """Write the sheet to `path`: nine panels of curves, and pictures of what was retrieved."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    figure = Figure(figsize=(16, 11.5), layout="constrained")
    grid = figure.add_gridspec(3, 4)
    axes = [figure.add_subplot(grid[i // 4, i % 4]) for i in range(8)]
    axes.append(figure.add_subplot(grid[2, 0]))
    separation = {
        name: colormaps["viridis"](shade)
        for name, shade in zip(ux.SEPARATIONS, _SHADES, strict=True)
    }
    half = "half mask"
    kinds = (
        ("similarity", 0, "Similarity, noise σ = 0.5", "memories N", _SIMILARITY, "log"),
        ("noise", 0, f"Noise, N = {sizes.noise}", "standard deviation σ", _SIMILARITY, "linear"),
        ("masking", 0, f"Rows masked, N = {sizes.masking}", "fraction", _SIMILARITY, "linear"),
        (
            "threshold",
            0,
            f"Threshold, {half}, N = {sizes.threshold}",
            "threshold T",
            _SIMILARITY,
            "log",
        ),
        ("random mask", 0, f"Pixels lost, N = {sizes.pixels}", "fraction", _SIMILARITY, "linear"),
        ("inpainting", 0, f"Border lost, N = {sizes.pixels}", "fraction", _SIMILARITY, "linear"),
        ("separation", 0, f"Separation, {half}, T = 60", "memories N", separation, "log"),
        ("separation", 1, f"Separation, {half}, T = 10", "memories N", separation, "log"),
        (
            "association",
            0,
            "Auto and hetero, σ = 0.3",
            "memories N",
            {"auto": "C0", "hetero": "C1"},
            "log",
        ),
    )
    for ax, (panel, limit, title, label, colours, scale) in zip(axes, kinds, strict=True):
        _panel(ax, panels[panel], limit, title, label, colours, scale)
    # The similarities are explained where their panels have room.
    axes[3].legend(*axes[0].get_legend_handles_labels(), fontsize=8.5, loc="upper left")
    axes[6].legend(fontsize=7.5, loc="lower left", ncols=3, columnspacing=0.8, handlelength=1.2)
    association = panels["association"].curves["auto"]
    axes[8].plot(
        panels["association"].x,
        np.asarray(association.exact).mean(0),
        "k:",
        label="exact row, both",
    )
    axes[8].plot(
        panels["association"].x,
        np.asarray(panels["association"].curves["hetero"].baseline)[:, :, 0].mean(0),
        "--",
        color="C1",
        lw=1.2,
        label="mean image, hetero",
    )
    axes[8].legend(fontsize=8.5, loc="lower left")
    axes[3].axvline(ux.THRESHOLD, color="grey", lw=1, ls="--")
    pictures = figure.add_subplot(grid[2, 1:])
    _pictures(pictures, loaded, sizes, key)
    figure.suptitle(
        f"Universal Hopfield networks: fraction retrieved on {loaded.name}, by the rules of the "
        "official code (mean ± sd over runs; dashed black: the mean image)",
        fontsize=13,
    )
    figure.savefig(path, format="png", dpi=100)


def _panel(ax, panel: ux.Experiment, limit: int, title, label, colours, scale) -> None:
    for name, sweep in panel.curves.items():
        rate = np.asarray(sweep.fraction, np.float64)[:, :, limit]
        text = _NAMES.get(name, name)
        plot.curves(panel.x, rate.mean(0), rate.std(0), text, ax, color=colours[name], lw=1.5)
    base = np.asarray(next(iter(panel.curves.values())).baseline)[:, :, limit].mean(0)
    ax.plot(panel.x, base, "k--", lw=1.2, label="mean image")
    ax.set(title=title, xlabel=label, ylim=(-0.02, 1.03), xscale=scale)
    ax.title.set_fontsize(11)
    if scale == "log":
        ax.xaxis.set_major_formatter("{x:g}")
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)


def _pictures(ax, loaded, sizes: ux.Profile, key: jax.Array) -> None:
    """Stored, damaged and retrieved images: Manhattan's distance, max, by kind of damage."""
    shape = loaded.shape
    rows = ux.runs_of(loaded.x, sizes.masking, 1)[0]
    kinds = (
        *(("noise", ux.folded_noise, sigma) for sigma in (0.2, 0.5, 1.0)),
        *(("mask", ux.hide, datasets.known_rows(share, shape)) for share in (0.3, 0.5, 0.7)),
        *(("lost", ux.lost_pixels(shape), share) for share in (0.2, 0.4, 0.6)),
        *(("border", ux.hide, datasets.known_inpaint(share, shape)) for share in (0.2, 0.4, 0.6)),
    )
    # A different image for each column, in file order.
    chosen = [i % len(rows) for i in range(len(kinds))]
    damaged = np.stack(
        [
            np.asarray(damage(rows[i], level, key=jax.random.fold_in(key, i)))
            for i, (_, damage, level) in zip(chosen, kinds, strict=True)
        ]
    )
    every = scores(ux.SIMILARITIES["manhattan"], rows, jnp.asarray(damaged))
    found = jax.vmap(lambda row: read(ux.SEPARATIONS["max"], row, rows))(every)
    sheet = np.stack([np.asarray(rows)[chosen], damaged, np.asarray(found)])
    plot.images(sheet, shape, ax, labels=("stored", "damaged", "retrieved"))
    ax.set_title(
        f"Manhattan and max, N = {len(rows)}: noise σ = 0.2, 0.5, 1; rows masked 0.3, 0.5, 0.7; "
        "pixels lost 0.2, 0.4, 0.6; border lost 0.2, 0.4, 0.6",
        fontsize=10.5,
    )
