"""Errors of random features, minima of compact support, scores, and samples by phase."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from attrax.dynamics import Iterate
from attrax.evaluate import SampleKind, classify_samples
from attrax.models import (
    diffusion_memory,
    diffusion_sampler,
    diffusion_score,
    random_feature_memory,
)
from attrax.retrieval import retrieve
from attrax.separation import LogSumReLU, Softmax
from attrax.similarity import Euclidean
from attrax.stores.rows import Memory

from ..contract import wide

# Numbers of frequencies Y.
FEATURES = (256, 2048, 16384)
# Starts of searches for minima along each axis, and β at which Gaussian ones are looked for, in
# units of that at which all rows are minima.
GRID = 41
GAUSSIAN = (0.5, 1.0, 2.0, 8.0)
SIGMAS = (0.1, 0.3, 1.0, 3.0, 10.0)
# Numbers of data: few, some, many; and others, that the figure shows.
PHASES = (3, 64, 2048)
BETWEEN = (2, 5, 8, 16, 32, 128, 256, 512, 1024, 4096)
SAMPLES, SIGMA = 256, 0.05
KINDS = ("memorised", "spurious", "new")


def compact_memory(rows, beta) -> Memory:
    """Rows under log-sum-ReLU."""
    return Memory(rows, similarity=Euclidean(), separation=LogSumReLU(beta))


def gaussian_memory(rows, beta) -> Memory:
    """Rows under log-sum-exp."""
    return Memory(rows, similarity=Euclidean(), separation=Softmax(beta))


def threshold(rows) -> float:
    """β = 2/min|ξ − ξ′|², above which no row reaches another."""
    squares = np.sum(np.square(rows[:, None] - rows[None]), axis=-1)
    return float(2 / np.min(squares[~np.eye(len(rows), dtype=bool)]))


def exponents(sizes, errors) -> np.ndarray:
    """The slope of ln error with ln size, of each line of errors."""
    return np.polyfit(np.log(sizes), np.log(errors).T, 1)[0]


def feature_errors(run, beta: float = 0.1) -> np.ndarray:
    """Relative errors of ∇E by draw and number of features, in the mean over queries."""
    rng = np.random.default_rng(run.seed)
    draws = run.pick("feature_errors.draws", quick=6, full=40)
    keys = jax.random.split(jax.random.key(run.seed), draws)
    errors = np.zeros((draws, len(FEATURES)))
    for i, key in enumerate(keys):
        rows, queries = rng.standard_normal((20, 16)), rng.standard_normal((32, 16))
        exact = queries - np.asarray(jax.vmap(gaussian_memory(rows, 0.1))(queries))
        for j, count in enumerate(FEATURES):
            memory = random_feature_memory(rows, beta, count, key=jax.random.fold_in(key, count))
            gap = queries - np.asarray(jax.vmap(memory)(queries)) - exact
            norms = np.linalg.norm(gap, axis=1) / np.linalg.norm(exact, axis=1)
            errors[i, j] = norms.mean()
    return errors


@wide
def removals(run, kept: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """What is left of patterns that were added and removed, in T and in reads, by draw.

    **Arguments:**

    - `kept`: how many of the added patterns are not removed.
    """
    changes, drifts = [], []
    for draw in range(run.pick("removals.draws", quick=3, full=10)):
        rng = np.random.default_rng((run.seed, draw))
        rows, more = rng.standard_normal((20, 16)), rng.standard_normal((1000, 16))
        before = random_feature_memory(rows, 0.1, 1024, key=jax.random.key(draw))
        full = before.write(more)
        order = rng.permutation(1000)[kept:]
        after = full.remove(more[order[:500]]).remove(more[order[500:]])
        largest = np.abs(full.total).max()
        changes.append(np.abs(after.total - before.total).max() / largest)
        drifts.append(np.abs(after(rows[0]) - before(rows[0])).max())
    return np.array(changes), np.array(drifts)


class RowGradients(NamedTuple):
    """|∇E| at rows, by draw and row, in units of the least distance of two rows.

    - `above`, `below`: of log-sum-ReLU at 1.01 and 0.99 times the threshold.
    - `gaussian`: of log-sum-exp at 1.01 times it.
    """

    above: np.ndarray
    below: np.ndarray
    gaussian: np.ndarray


@wide
def row_gradients(run, factor: float = 1.01) -> RowGradients:
    """Slopes of both energies at their stored rows."""
    rng = np.random.default_rng(run.seed)
    found = []
    for _ in range(run.pick("row_gradients.draws", quick=20, full=200)):
        rows = rng.standard_normal((20, 16))
        beta = threshold(rows)
        memories = (
            compact_memory(rows, factor * beta),
            compact_memory(rows, 0.99 * beta),
            gaussian_memory(rows, factor * beta),
        )
        unit = np.sqrt(2 / beta)
        found.append([np.asarray(_slopes(each, jnp.asarray(rows))) / unit for each in memories])
    return RowGradients(*np.swapaxes(found, 0, 1))


@jax.jit
def _slopes(memory, states):
    return jnp.linalg.norm(jax.vmap(jax.grad(memory.state_energy))(states), axis=-1)


class Minima(NamedTuple):
    """Minima of 8 rows in the plane, by draw.

    - `kept`: whether all rows are minima of log-sum-ReLU.
    - `emergent`: how many minima are no row.
    - `wider`, `rows`: minima that are no row, and rows that are minima, at half of the β.
    - `gaussian`: the most minima that log-sum-exp has at any β.
    """

    kept: np.ndarray
    emergent: np.ndarray
    wider: np.ndarray
    rows: np.ndarray
    gaussian: np.ndarray


def ends(memory, starts, **limits) -> np.ndarray:
    """The different states that are reached from some starts, shape (n, d)."""
    found = retrieve(memory, starts, Iterate(**limits))
    reached = np.asarray(found.state)[np.asarray(found.memories) > 0]
    return np.unique(np.round(reached, 3), axis=0)


def split(states, rows) -> tuple[int, int]:
    """How many states are rows, and how many are not."""
    apart = np.linalg.norm(states[:, None] - rows[None], axis=-1).min(axis=1)
    return int(np.sum(apart < 1e-3)), int(np.sum(apart >= 1e-3))


@wide
def minima(run, factor: float = 1.01) -> Minima:
    """Count minima from a grid of starts, and from the rows."""
    line = np.linspace(-1.1, 1.1, GRID)
    grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    counts = []
    for draw in range(run.pick("minima.draws", quick=6, full=120)):
        rows = np.random.default_rng((run.seed, draw)).uniform(-1, 1, (8, 2))
        beta, starts = threshold(rows), np.concatenate([grid, rows])
        kept, emergent = split(ends(compact_memory(rows, factor * beta), starts), rows)
        left, wider = split(ends(compact_memory(rows, 0.5 * beta), starts), rows)
        tight = {"rtol": 1e-9, "atol": 1e-9, "max_steps": 2000}
        coarse = np.concatenate([starts[::7], rows])
        most = max(len(ends(gaussian_memory(rows, f * beta), coarse, **tight)) for f in GAUSSIAN)
        counts.append((kept == 8, emergent, wider, left, most))
    return Minima(*(np.array(column) for column in zip(*counts, strict=True)))


@wide
def score_gaps(run, error: float = 1.0) -> np.ndarray:
    """Differences of three scores, by σ: of the energy, of `diffusion_score`, and of a mixture.

    **Arguments:**

    - `error`: what the σ of the energy is multiplied by.
    """
    rng = np.random.default_rng(run.seed)
    data, states = rng.standard_normal((100, 16)), 2 * rng.standard_normal((200, 16))
    apart = states[:, None] - data[None]
    squares = np.sum(np.square(apart), axis=-1)
    gaps = []
    for sigma in SIGMAS:
        logs = -0.5 * squares / sigma**2
        weights = np.exp(logs - logs.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        expected = -np.einsum("nk,nkd->nd", weights, apart) / sigma**2
        memory = diffusion_memory(data, error * sigma)
        slope = -np.asarray(_energy_slopes(memory, jnp.asarray(states))) / sigma**2
        score = np.asarray(diffusion_score(data, states, error * sigma))
        size = np.sqrt(squares.max()) / sigma**2
        gaps.append([np.abs(each - expected).max() / size for each in (slope, score)])
    return np.array(gaps)


@jax.jit
def _energy_slopes(memory, states):
    return jax.vmap(jax.grad(memory.state_energy))(states)


class Phase(NamedTuple):
    """Samples of memories of so many data.

    - `shares`: of memorised, spurious and new ones, by draw.
    - `away`: the mean distance of a sample from the circle, by draw.
    - `samples`, `data`: of the first draw.
    """

    shares: np.ndarray
    away: np.ndarray
    samples: np.ndarray
    data: np.ndarray


def circle(rng, count: int) -> np.ndarray:
    """Random points of the unit circle."""
    angles = rng.uniform(0, 2 * np.pi, count)
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1)


def phases(run, count: int, reads: int = 10, steps: int = 40) -> Phase:
    """Draw samples by annealing from σ = 2 to 0.05, and read ten times at the last β."""
    shares, away, shown = [], [], []
    kinds = [getattr(SampleKind, kind) for kind in KINDS]
    sampler = diffusion_sampler(2.0, SIGMA, steps)
    for draw in range(run.pick("phases.draws", quick=10, full=30)):
        rng = np.random.default_rng((run.seed, draw))
        data = circle(rng, count)
        memory = diffusion_memory(data, SIGMA)
        noise = 2 * rng.standard_normal((SAMPLES, 2))
        annealed = retrieve(memory, noise, sampler, key=jax.random.key(draw)).state
        samples = retrieve(memory, annealed, Iterate(max_steps=reads)).state
        found = classify_samples(samples, data, SIGMA / 50)
        shares.append([np.mean(found.kind == kind) for kind in kinds])
        away.append(np.mean(np.abs(np.linalg.norm(samples, axis=1) - 1)))
        shown.append((np.asarray(samples), data))
    return Phase(np.array(shares), np.array(away), *shown[0])


def landscape(run) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[float, float]]:
    """Rows, energies on a grid, minima, and the range of the picture."""
    rows = np.random.default_rng((run.seed, 1)).uniform(-1, 1, (8, 2))
    memory = compact_memory(rows, 1.01 * threshold(rows))
    line = np.linspace(-1.4, 1.4, run.pick("landscape.points", quick=120, full=300))
    grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    energies = np.asarray(jax.vmap(memory.energy)(grid)).reshape(len(line), -1)
    return rows, energies, ends(memory, np.concatenate([grid, rows])), (-1.4, 1.4)
