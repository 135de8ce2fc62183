"""Densities that were learnt, their sum, variances, energies of strange images, and repairs."""

import jax
import jax.numpy as jnp
import numpy as np

from ..panels import panel
from . import measure as m

_ACROSS, _UP = np.linspace(-1.8, 1.8, 120), np.linspace(-1.5, 2.1, 120)


def landscape(ax, energy):
    """A picture of an energy of two entries."""
    points = np.stack(np.meshgrid(_ACROSS, _UP), -1).reshape(-1, 2).astype(np.float32)
    values = np.asarray(jax.jit(jax.vmap(energy))(jnp.asarray(points)))
    values = np.clip(values - values.min(), 0, 12).reshape(120, 120)
    ax.contourf(_ACROSS, _UP, values, 16, cmap="Blues_r")
    ax.set_aspect("equal")


@panel(xlabel="x₁", ylabel="x₂", xlim=(-1.8, 1.8), ylim=(-1.5, 2.1))
def density(ax, run):
    """A memory's energy, trained by its samples"""
    found = run(m.mixtures)
    landscape(ax, m.energy_of_memory(found.memory))
    ax.plot(*found.samples[:300].T, "k.", ms=2, label="chains from noise")
    ax.plot(*np.asarray(found.memory.keys).T, "x", color="#d62728", ms=5, label="rows that learnt")
    ax.legend(fontsize=8, loc="upper center", ncols=2, columnspacing=1, handletextpad=0.2)


@panel(xlabel="x₁", ylabel="x₂", xlim=(-1.8, 1.8), ylim=(-1.5, 2.1))
def composed(ax, run):
    """The same plus the energy of a band: both at once"""
    found = run(m.mixtures)
    memory = m.energy_of_memory(found.memory)
    landscape(ax, lambda x: memory(x) + m.bar(x))
    ax.plot(*found.joint[:300].T, "k.", ms=2, label="chains down the sum")
    ax.legend(fontsize=8, loc="upper center")


@panel(xlabel="step × curvature, ηk", ylabel="variance over T/k", ylim=(0, 2))
def variance(ax, run):
    """In a valley: what steps make of the temperature"""
    found, x = run(m.variances), np.linspace(0, 0.9, 100)
    products = m.STEP * m.CURVATURES
    for i, (name, label, line) in enumerate(
        (
            ("plain", "slope, then noise (paper)", 1 / (1 - x / 2)),
            ("adjusted", "with refusals", np.ones_like(x)),
            ("jitter", "noise, then slope (code)", (1 - x) ** 2 / (1 - x / 2)),
        )
    ):
        ax.plot(x, line, f"C{i}", lw=1)
        ax.plot(products, getattr(found, name).mean(0), f"C{i}o", ms=5, label=label)


@panel(xlabel="energy", ylabel="share of images")
def strange(ax, run):
    """Energies of a network trained on digits"""
    values = run(m.images).energies
    edges = np.linspace(min(map(np.min, values)), max(map(np.max, values)), 60)
    for value, label in zip(values, ("new digits", "uniform noise", "clothes"), strict=True):
        weights = np.full(len(value), 1 / len(value))
        ax.hist(value, edges, weights=weights, alpha=0.6, label=label)


@panel(bare=True)
def repairs(ax, run):
    """Digits, with noise, after chains, half hidden, filled in"""
    rows = run(m.images).pictures
    lines = [np.concatenate(list(np.pad(row, ((0, 0), (0, 1), (0, 1)))), axis=1) for row in rows]
    ax.imshow(np.concatenate(lines), cmap="gray_r", vmin=0, vmax=1)
    ax.set_axis_off()
