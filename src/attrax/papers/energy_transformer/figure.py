"""Energies that fall, digits that are filled in, memories, and what is told of graphs."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..panels import panel
from . import measure as m


@eqx.filter_jit
def _states(model, images, known):
    """Tokens along two runs, one after the other, (images, 2 T + 1, 17, D)."""

    def one(image, known):
        first = model.block.trajectory(model.tokens(image, known))
        return jnp.concatenate([first, model.block.trajectory(first[-1])[1:]])

    return jax.vmap(one)(images, known)


@eqx.filter_jit
def _decoded(model, states):
    """Their patches."""
    return jax.vmap(jax.vmap(lambda x: model.cut(model.decode(x))))(states)


@panel(xlabel="step", ylabel="E − its last value", xscale="symlog", yscale="log")
def energies(ax, run):
    """Energy along the steps, random weights"""
    energies = run(m.descents, "ReLU")[:, 0]
    for alpha, energy in zip(m.ALPHAS, energies, strict=True):
        left = energy - energies.min()
        ax.plot(np.where(left > 1e-9, left, np.nan), label=f"α = {alpha:g}")


@panel(bare=True)
def digits(ax, run):
    """Half of the patches hidden, then filled in step by step"""
    from matplotlib import colormaps

    done = run(m.completion, m.depth(run))
    model, known, images = done.model, done.known[0, :6, :, None], done.images[:6]
    count = model.block.steps + 1
    whole = np.asarray(jax.vmap(model.cut)(images))[:, None]
    seen = np.where(known[:, None], whole, np.nan)
    filled = _decoded(model, _states(model, images, known[..., 0]))[:, :count]
    columns = np.concatenate([seen, np.where(np.isnan(seen), filled, seen), whole], axis=1)
    rows = columns.reshape(6, count + 2, 4, 4, 2, 2).swapaxes(3, 4).reshape(6, count + 2, 8, 8)
    picture = np.stack([[np.pad(x, 1, constant_values=np.nan) for x in row] for row in rows])
    picture = picture.transpose(0, 2, 1, 3).reshape(len(rows) * 10, -1)
    colours = colormaps["gray_r"].with_extremes(bad="#f2d7b6")
    ax.imshow(np.clip(picture, 0, 1), cmap=colours)
    names = ["given", *map(str, range(count)), "whole"]
    ax.set_xticks(10 * np.arange(len(names)) + 4.5, names, fontsize=8)
    ax.set_yticks([])
    ax.tick_params(length=0)


@panel(xlabel="step", ylabel="squared error of hidden pixels", ylim=(0, None))
def errors(ax, run):
    """Hidden pixels along the steps, and beyond those trained"""
    done, none = run(m.completion, m.depth(run)), run(m.completion, 0)
    model, images, known = done.model, done.images, done.known[0]
    whole = np.asarray(jax.vmap(model.cut)(images))[:, None]
    missed = np.square(np.asarray(_decoded(model, _states(model, images, known))) - whole)
    hidden = ~known[:, None, :, None]
    along = np.sum(missed * hidden, (0, 2, 3)) / (4 * hidden.sum())
    ax.plot(along, marker="o", ms=4, label="energy transformer")
    ax.axvline(model.block.steps, color="0.6", lw=1)
    ax.axhline(none.errors.mean(), color="C1", ls="--", label="trained without steps")
    ax.axhline(done.mean.mean(), color="C2", ls=":", lw=2, label="mean image")


@panel(bare=True)
def memories(ax, run):
    """What memories draw in a patch, the strongest of them"""
    model = run(m.completion, m.depth(run)).model
    strokes = np.asarray(model.block.memories) @ np.asarray(model.decoder.weight).T
    strongest = np.argsort(-np.linalg.norm(strokes, axis=1))[:60]
    tiles = strokes[strongest] / np.abs(strokes[strongest]).max(1, keepdims=True)
    tiles = [np.pad(x.reshape(2, 2), 1, constant_values=np.nan) for x in tiles]
    picture = np.stack(tiles).reshape(6, 10, 4, 4).transpose(0, 2, 1, 3).reshape(24, 40)
    ax.imshow(picture, cmap="RdBu_r", vmin=-1, vmax=1)
    ax.set_axis_off()


@panel(
    xlabel="macro-F1 by features alone",
    ylabel="macro-F1 of the model",
    xlim=(0.3, 1),
    ylim=(0.3, 1),
)
def anomalies(ax, run):
    """Anomalous nodes: 150 nodes a graph, 40 % of labels"""
    found = run(m.anomalies)
    ax.plot([0.3, 1], [0.3, 1], color="0.6", lw=1)
    ax.scatter(found.regression, found.steps, label="two steps along edges")
    ax.scatter(found.regression, found.none, marker="x", label="no steps")
    ax.set_aspect("equal")


@panel(bare=True)
def graphs(ax, run):
    """Trees and cycles, told apart"""
    rng, accuracies = np.random.default_rng(1), run(m.cycles)
    for place in range(8):
        cyclic = place % 2 == 1
        edges, mask = m.drawn_graph(rng, cyclic)
        at = _layout(edges[mask][:, mask]) + np.array([place // 2, -(place % 2)]) * 2.6
        for i, j in np.argwhere(np.triu(edges)):
            ax.plot(*at[[i, j]].T, color="0.5", lw=1.2, zorder=1)
        ax.scatter(*at.T, s=22, color=f"C{int(cyclic)}", zorder=2)
    ax.set_aspect("equal")
    ax.set_axis_off()
    text = f"accuracy on other graphs: {accuracies.mean():.2f}"
    ax.text(0.5, -0.02, text, ha="center", va="top", transform=ax.transAxes, fontsize=9)


def _layout(edges):
    """Places of nodes in the plane: springs of length one between all, by steps along edges."""
    count = len(edges)
    far = np.where(edges > 0, 1.0, 99.0)
    np.fill_diagonal(far, 0)
    for k in range(count):
        far = np.minimum(far, far[:, [k]] + far[[k]])
    at = np.random.default_rng(0).normal(size=(count, 2)) * far.max() / 2
    for _ in range(300):
        apart = at[:, None] - at
        length = np.linalg.norm(apart, axis=-1) + np.eye(count)
        pull = (length - far) / length / np.maximum(far, 1) ** 2
        np.fill_diagonal(pull, 0)
        at = at - 0.1 * np.einsum("ij,ijk->ik", pull, apart)
    at = at - (at.max(0) + at.min(0)) / 2
    return at / np.abs(at).max()
