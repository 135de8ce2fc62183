"""Retrieval by similarity, background, damage and separation, and pictures of it."""

from functools import partial

import jax
import numpy as np

from attrax import plot
from attrax.stores.rows import Memory

from ..panels import panel
from . import measure as m

_COLOURS = dict(zip(m.SIMILARITIES, ("C0", "C1", "C2", "C3", "C4", "C7"), strict=True))
# Room for the legend above the curves.
_RATES = {"ylim": (-0.02, 1.42), "yticks": (0, 0.2, 0.4, 0.6, 0.8, 1)}
_SIMILARITY = {"ylabel": "share retrieved, T = 60", **_RATES}


def draw(ax, curves: m.Curves, colours, style: str = "-", label: str = "{}") -> None:
    """Means over runs with their standard deviation, a line a name."""
    for name, colour in colours.items():
        mean, sd = curves.rates[name].mean(0), curves.rates[name].std(0, ddof=1)
        ax.plot(curves.x, mean, style, color=colour, lw=1.5, label=label.format(name))
        ax.fill_between(curves.x, mean - sd, mean + sd, color=colour, alpha=0.12, lw=0)


def finish(ax, curves: m.Curves) -> None:
    """What the mean of all stored images alone would retrieve, and the legend."""
    ax.plot(curves.x, curves.mean_image, "k:", lw=1.2, label="mean image")
    if curves.x[-1] > 2:
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter("{x:g}")
    ax.legend(fontsize=8, ncols=3, loc="upper center")


@panel(xlabel="memories N", **_SIMILARITY)
def capacity(ax, run):
    """Similarities, noise σ = 0.5"""
    measured = run(m.capacity, "images")
    draw(ax, measured, _COLOURS)
    finish(ax, measured)


@panel(xlabel="memories N", **_SIMILARITY)
def background(ax, run):
    """The same folded noise, black and white backgrounds"""
    three = {name: _COLOURS[name] for name in m.THREE}
    black, white = run(m.capacity, "images"), run(m.capacity, "images", True)
    draw(ax, black, three, "-", "{}, black")
    draw(ax, white, three, "--", "{}, white")
    finish(ax, black)


@panel(xlabel="standard deviation σ of the noise", **_SIMILARITY)
def noise(ax, run):
    """Noise, N = 100"""
    measured = run(m.noise, "images")
    draw(ax, measured, _COLOURS)
    draw(ax, measured, {"true Jensen-Shannon": "C7"}, "--")
    finish(ax, measured)


@panel(xlabel="share of rows masked", **_SIMILARITY)
def rows(ax, run):
    """Rows masked from the bottom, N = 50"""
    measured = run(m.hidden, "images", "rows")
    draw(ax, measured, _COLOURS)
    finish(ax, measured)


@panel(xlabel="memories N", ylabel="share retrieved", **_RATES)
def separations(ax, run):
    """Half masked: T = 10 (lines) and T = 60 (dotted)"""
    from matplotlib import colormaps

    loose, strict = run(m.separations, "images")
    left_out = ("log", "square root", "cube")
    names = [name for name in m.SEPARATIONS if name in strict.rates and name not in left_out]
    shades = colormaps["viridis"](np.linspace(0.05, 0.9, len(names)))
    colours = dict(zip(names, shades, strict=True))
    draw(ax, strict, colours)
    for name in ("identity", "max"):
        ax.plot(loose.x, loose.rates[name].mean(0), ":", color=colours[name], lw=1.5)
    finish(ax, strict)


@panel(bare=True)
def images(ax, run):
    """Manhattan's distance and max, N = 50"""
    shape, stored = run(m.images, "images").shape, m.stacked(run, "images", 50)[0]
    known = [m.known_rows(0.3, shape), m.known_rows(0.6, shape), m.known_inpaint(0.5, shape)]
    damages = [
        *(partial(m.FOLDED, sigma=sigma) for sigma in (0.2, 0.5, 1.0)),
        *(partial(m.hide, known=each) for each in known),
        *(partial(m.drop, fraction=share, shape=shape) for share in (0.3, 0.6)),
    ]
    keys = jax.random.split(m.key(run), len(damages))
    cues = np.stack([d(x, key=k) for d, x, k in zip(damages, stored, keys, strict=False)])
    memory = Memory(stored, similarity=m.sim.Manhattan(), separation=m.sep.Max())
    sheet = np.stack([np.asarray(stored[: len(cues)]), cues, np.asarray(jax.vmap(memory)(cues))])
    plot.images(sheet, shape, ax, labels=("stored", "damaged", "retrieved"))
