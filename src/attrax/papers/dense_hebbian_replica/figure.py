"""Loads and temperatures of retrieval, overlaps by both, and what teachers and groups are for."""

import numpy as np

from attrax import theory

from ..panels import panel
from . import measure as m


@panel(xlabel="temperature T", ylabel="critical load α = K/N³", xlim=(0, None), ylim=(0, None))
def phases(ax, run):
    """P = 4: archetypes are retrieved below these lines"""
    temperatures = np.linspace(0, 0.09, 51)
    entropies = (0.0, 0.05, 0.1, 0.2, 0.4)
    loads = theory.dense_hebbian_critical_load(temperatures, 4, np.array(entropies)[:, None])
    for entropy, row in zip(entropies, np.asarray(loads), strict=True):
        # A line through the last two points has its zero between points.
        there = np.flatnonzero(row > 0)
        slope = (row[there[-2]] - row[there[-1]]) / temperatures[1]
        end = temperatures[there[-1]] + row[there[-1]] / slope
        x, y = np.append(temperatures[there], end), np.append(row[there], 0)
        ax.plot(x, y, label=f"ρ = {entropy:g}")


@panel(xlabel="temperature T", ylabel="overlap", ylim=(-0.05, 1.05))
def heating(ax, run):
    """Four archetypes, ρ = 0.1, heated slowly (line: theory)"""
    sized = run(m.heated)
    for i, d in enumerate(sized.sizes):
        ax.errorbar(
            m.TEMPERATURES,
            sized.means[i, 0],
            sized.errors[i, 0],
            fmt="o",
            ms=4,
            lw=1,
            color=f"C{i}",
            label=f"N = {d}",
        )
    smooth = np.linspace(0, 0.09, 256)
    overlap = np.array(m.expected(m.FEW, smooth).overlap)
    ax.plot(smooth, np.where(overlap > 0, overlap, np.nan), "k", lw=1.2, label="m, N → ∞")


@panel(xlabel="1/N", ylabel="overlap m", xlim=(-0.0006, 0.0165), ylim=(0.8, 1.01))
def sizes(ax, run):
    """Extrapolated to N → ∞ (crosses: theory)"""
    for i, (network, temperature, label) in enumerate(
        (
            (m.LOADED, 0.02, "P = 4, with teacher"),
            (m.TAUGHT, 0.1, "P = 3, with teacher"),
            (m.ALONE, 0.1, "P = 3, without"),
        )
    ):
        sized = run(m.magnetised, network, temperature)
        limit, error = (x[0] for x in sized.limit())
        x = np.append(1 / sized.sizes, 0)
        y, spread = np.append(sized.means[:, 0], limit), np.append(sized.errors[:, 0], error)
        ax.errorbar(x, y, spread, fmt="o", ms=4, lw=1, color=f"C{i}", label=label)
        slope = (y[0] - limit) * sized.sizes[0]
        ax.plot([0, x[0]], [limit, limit + slope * x[0]], f"C{i}:", lw=1)
        law = float(m.expected(network, temperature).overlap)
        ax.plot(0, law, "x", color=f"C{i}", ms=10, mew=2)


@panel(
    xlabel="examples M, at α = 0.005, T = 0.02, P = 4",
    ylabel="overlap m",
    xscale="log",
    ylim=(-0.03, 1.03),
)
def teachers(ax, run):
    """Theory with a teacher (lines) and without (dashed)"""
    examples, qualities = np.geomspace(2, 20000, 42), np.array([[0.8], [0.5], [0.3]])
    taught = np.full((3, 42), 0.005)
    alone = theory.unsupervised_load(taught, qualities, examples, 4)
    entropies = theory.dataset_entropy(qualities, examples)
    overlaps = theory.dense_hebbian_order_parameters(np.stack([taught, alone]), 0.02, 4, entropies)
    for i, (quality,) in enumerate(qualities):
        with_teacher, without = np.asarray(overlaps.overlap)[:, i]
        ax.plot(examples, with_teacher, f"C{i}", label=f"r = {quality:g}")
        ax.plot(examples, without, f"C{i}--")


@panel(xlabel="load α = K/N³", ylabel="overlap at rest", ylim=(0, 1.05))
def storage(ax, run):
    """Perfect archetypes, P = 4, zero temperature (line: theory)"""
    overlaps = run(m.at_rest, 32)
    error = overlaps.std(axis=0, ddof=1) / np.sqrt(len(overlaps))
    ax.errorbar(m.LOADS, overlaps.mean(axis=0), error, fmt="o", ms=4, lw=1, label="N = 32")
    loads = np.linspace(0, 0.12, 256)
    ax.plot(loads, theory.dense_hebbian_order_parameters(loads).overlap, "k", lw=1.2, label="N → ∞")


@panel(xlabel="share of pixels flipped", ylabel="classes that come back", ylim=(-0.03, 1.03))
def pictures(ax, run):
    """Means of ten classes of Fashion-MNIST, binarised"""
    for degree in (2, 4):
        shares = run(m.pictures, degree)
        ax.plot(m.NOISE, shares.mean(axis=1), "o-", ms=4, lw=1.2, label=f"P = {degree}")
