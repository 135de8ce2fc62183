"""Exact reads, energies of Fenchel-Young pairs, margins, learnt kernels, silence, product keys."""

import functools
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from attrax.dynamics import Iterate, OneRead
from attrax.hierarchical import Quadratic, SphericalNorm
from attrax.models import ProductKeyMemory, fenchel_young_memory
from attrax.retrieval import retrieve
from attrax.separation import Entmax, GhostSoftmax, KSubsets, Normmax, Softmax, TopK
from attrax.similarity import Dot, LinearKernel
from attrax.stores.rows import Memory
from attrax.training import learn_kernel, separation_loss, train

from ..contract import wide

# The setting of the survey: patterns of unit norm.
PATTERNS, WIDTH, BETA = 20, 64, 20.0
SPARSE = {"softmax": Softmax, "1.5-entmax": Entmax, "sparsemax": functools.partial(Entmax, 2.0)}
HIDDEN = {
    "Shannon": lambda: Softmax(BETA),
    "Tsallis 1.5": lambda: Entmax(1.5, BETA),
    "Gini": lambda: Entmax(2.0, BETA),
    "3-subsets": lambda: KSubsets(3, BETA),
}
VISIBLE = {"identity": Quadratic, "ball": lambda: SphericalNorm(epsilon=0.0)}
# By how much β s of the k-th best exceeds the next where weights are 0 and 1: part, k, margin.
MARGINS = {
    "1.5-entmax": (lambda: Entmax(1.5), 1, 2.0),
    "sparsemax": (lambda: Entmax(2.0), 1, 1.0),
    "2-normmax": (lambda: Normmax(2.0), 1, 1.0),
    "3-subsets": (lambda: KSubsets(3), 3, 1.0),
}
# β times the mean square of W ξ.
BETAS = np.geomspace(1, 1e4, 9)
LEVELS = np.linspace(4, -40, 23)


def unit_rows(rng, n: int, d: int) -> np.ndarray:
    """Random patterns of unit norm."""
    rows = rng.standard_normal((n, d))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@wide
def exact_reads(run) -> np.ndarray:
    """How far states are from a pattern after each read, started near it, by `SPARSE`.

    Shape (3, runs, reads + 1).
    """
    rng, sets = np.random.default_rng(run.seed), run.pick("exact_reads.sets", quick=10, full=100)
    residuals = np.zeros((len(SPARSE), sets, PATTERNS, 9))
    for i in range(sets):
        rows = unit_rows(rng, PATTERNS, WIDTH)
        cues = rows + 0.5 * unit_rows(rng, PATTERNS, WIDTH)
        for j, make in enumerate(SPARSE.values()):
            memory = Memory(rows, similarity=Dot(), separation=make(beta=BETA))
            path = np.concatenate([cues[None], _reads(memory, jnp.asarray(cues), 8)])
            residuals[j, i] = np.linalg.norm(path - rows, axis=2).T
    return residuals.reshape(len(SPARSE), -1, 9)


@eqx.filter_jit
def _reads(memory, states, number: int):
    def read(states, _):
        states = jax.vmap(memory.pull)(states)
        return states, states

    return jax.lax.scan(read, states, length=number)[1]


@wide
def pair_rises(run) -> np.ndarray:
    """The largest rise of the energy in a step over its largest term, by `HIDDEN` and `VISIBLE`."""
    rng, starts = np.random.default_rng(run.seed), run.pick("pair_rises.starts", quick=50, full=500)
    rows = unit_rows(rng, PATTERNS, WIDTH)
    near = rng.dirichlet(np.full(PATTERNS, 0.1), starts) @ rows
    far = 10 ** rng.uniform(-2, 1, (starts, 1)) * rng.standard_normal(near.shape)
    states = np.concatenate([near, far])
    return np.array(
        [
            [
                np.max(_rises(fenchel_young_memory(rows, hidden(), feature()), states))
                for feature in VISIBLE.values()
            ]
            for hidden in HIDDEN.values()
        ]
    )


@eqx.filter_jit
def _rises(network, states):
    """The largest rise in thirty updates over the largest term of the energy, by state."""

    def update(states, _):
        parts = network.energies({"feature": states})
        parts = jnp.stack(list(parts.values()))
        following = network.relax({"feature": states})["feature"]
        return following, (jnp.sum(parts), jnp.max(jnp.abs(parts)))

    def one(state):
        energies, sizes = jax.lax.scan(update, state, length=30)[1]
        return jnp.max(jnp.diff(energies)) / jnp.max(sizes)

    return jnp.maximum(jax.vmap(one)(states), 0.0)


@wide
def subset_sums(run, noise: float = 0.5, k: int = 3) -> np.ndarray:
    """Whether a noisy sum of k patterns is read as just these, weights exactly 0 and 1, by draw."""
    rng, exact = np.random.default_rng(run.seed), []
    for _ in range(run.pick("subset_sums.sets", quick=20, full=200)):
        rows = unit_rows(rng, PATTERNS, WIDTH)
        members = np.argsort(rng.random((50, PATTERNS)), axis=1) < k
        cues = members @ rows + noise * unit_rows(rng, 50, WIDTH)
        memory = Memory(rows, similarity=Dot(), separation=KSubsets(3, BETA))
        state = retrieve(memory, cues, Iterate(max_steps=20)).state
        weights = np.asarray(jax.vmap(memory.weights)(state))
        exact.append((weights == members).all(axis=1))
    return np.concatenate(exact)


class Margins(NamedTuple):
    """Draws of scores by `MARGINS`, shape (4, draws).

    - `gaps`: by how much the k-th best score exceeds the next, over the margin.
    - `exact`: whether weights are exactly 1 for the k best and 0 for all others.
    - `best`: the weight of the k-th best.
    """

    gaps: np.ndarray
    exact: np.ndarray
    best: np.ndarray

    @property
    def wrong(self) -> np.ndarray:
        """Where weights are exact below the margin, or not above it."""
        return (self.exact != (self.gaps > 1)) & (np.abs(self.gaps - 1) > 1e-9)


@wide
def margins(run, shrink: float = 1.0) -> Margins:
    """Draw scores of ten memories about as far apart as the margins, β = 1."""
    rng = np.random.default_rng(run.seed)
    draws = run.pick("margins.draws", quick=100_000, full=1_000_000)
    seen = []
    for make, k, margin in MARGINS.values():
        scores = rng.uniform(0.5, 4, (draws, 1)) * margin * rng.standard_normal((draws, 10))
        ordered = -np.sort(-scores, axis=1)
        # Every other draw lies within a thousandth of the margin.
        close = ordered[:, k] + margin * (1 + rng.uniform(-1e-3, 1e-3, draws))
        ordered[::2, :k] = (close[:, None] + np.arange(k)[::-1])[::2]
        weights = np.asarray(_weights(make(), jnp.asarray(shrink * ordered)))
        gaps = (ordered[:, k - 1] - ordered[:, k]) / margin
        exact = (weights[:, :k] == 1).all(axis=1) & (weights[:, k:] == 0).all(axis=1)
        seen.append((gaps, exact, weights[:, k - 1]))
    return Margins(*map(np.array, zip(*seen, strict=True)))


@eqx.filter_jit
def _weights(separation, scores):
    return jax.vmap(separation)(scores)


class Learnt(NamedTuple):
    """Squared errors of one read over the rows' mean square, by set, kernel and `BETAS`.

    - `whole`: of plain products and of a learnt kernel, with all entries of a cue.
    - `known`: likewise, by the entries that are right alone.
    - `unit`: of plain products where rows are of unit norm, by set and `BETAS`.
    """

    whole: np.ndarray
    known: np.ndarray
    unit: np.ndarray

    def ratios(self, errors: np.ndarray) -> np.ndarray:
        """Errors under the learnt kernel over those under products, each at its best β, by set."""
        plain, learnt = (each[:, each.mean(axis=0).argmin()] for each in errors.swapaxes(0, 1))
        return learnt / plain


def learnt_kernels(run, name: str, steps: int = 100) -> Learnt:
    """Read 100 images of which half of the pixels are dropped, as they are and by a kernel."""
    rng, data = np.random.default_rng(run.seed), np.asarray(run.load(name).x)
    whole, known, unit = [], [], []
    for _ in range(run.pick("learnt_kernels.sets", quick=6, full=20)):
        rows = data[rng.choice(len(data), 100, replace=False)]
        right = rng.random(rows.shape) < 0.5
        kernels = LinearKernel(np.eye(rows.shape[1])), learn_kernel(rows, steps=steps).model
        whole.append([errors(kernel, rows, right) for kernel in kernels])
        known.append([errors(kernel, rows, right, known=right) for kernel in kernels])
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        unit.append(errors(kernels[0], rows, right))
    return Learnt(*map(np.array, (whole, known, unit)))


def errors(kernel, rows, right, known=None) -> np.ndarray:
    """Squared errors of one read over the rows' mean square, by `BETAS`.

    As dropout has it, entries that are left are doubled, which is another β.
    """
    lifted = np.asarray(kernel.features(jnp.asarray(rows)))
    scale, size = np.mean(np.sum(lifted**2, axis=1)), np.mean(np.sum(rows**2, axis=1))
    found = []
    for beta in BETAS / scale:
        memory = Memory(rows, similarity=kernel, separation=Softmax(beta))
        state = _read(memory, jnp.asarray(2 * rows * right), known)
        found.append(np.mean(np.sum((np.asarray(state) - rows) ** 2, axis=1)) / size)
    return np.array(found)


@eqx.filter_jit
def _read(memory, cues, known):
    return jax.vmap(lambda cue, right: memory.read(cue, right).value)(cues, known)


def drawn_kernels(run) -> np.ndarray:
    """Errors after learning by the published start and rates over those before it, by set."""
    rng, data = np.random.default_rng(run.seed), np.asarray(run.load().x)
    ratios = []
    for _ in range(run.pick("drawn_kernels.sets", quick=2, full=10)):
        rows = data[rng.choice(len(data), 100, replace=False)]
        right = rng.random(rows.shape) < 0.5
        drawn = LinearKernel(rng.standard_normal((rows.shape[1],) * 2).astype(np.float32))
        learnt = train(drawn, _spread, rows, steps=15, optimizer=_published()).model
        before, after = (errors(kernel, rows, right).min() for kernel in (drawn, learnt))
        ratios.append(after / before)
    return np.array(ratios)


def _spread(kernel, rows):
    return separation_loss(kernel.features(rows))


@functools.cache
def _published():
    """Rates 1, 1, 1/√2, 1/√6, …: one is divided by √i after each step."""
    return optax.sgd(lambda step: jnp.exp(-0.5 * jax.lax.lgamma(step + 1.0)))


def silence(run, part: Any = GhostSoftmax) -> tuple[np.ndarray, np.ndarray]:
    """Norms of what is read where β s of all patterns is one of `LEVELS`, and of random queries."""
    rng = np.random.default_rng(run.seed)
    rows = unit_rows(rng, PATTERNS, WIDTH)
    away = np.linalg.lstsq(rows, np.ones(PATTERNS), rcond=None)[0]
    queries = np.concatenate([LEVELS[:, None] / BETA * away, unit_rows(rng, 1000, WIDTH)])
    memory = Memory(rows, similarity=Dot(), separation=part(BETA))
    norms = np.linalg.norm(retrieve(memory, queries, OneRead()).state, axis=1)
    return norms[: len(LEVELS)], norms[len(LEVELS) :]


@wide
def product_reads(run, k: int = 32) -> tuple[np.ndarray, int]:
    """Whether a read of pairs of two tables' rows is the best of all, by query; how many pairs.

    All keys are there for comparison, and their k best scores are found by sorting.
    """
    rng = np.random.default_rng(run.seed)
    size = run.pick("product_reads.rows", quick=1000, full=1000)
    first, second = rng.standard_normal((2, size, 8))
    queries = rng.standard_normal((run.pick("product_reads.queries", quick=10, full=200), 16))
    values = rng.standard_normal((size * size, 4))
    memory = ProductKeyMemory(first, second, values, separation=TopK(32, Softmax(1.0)))
    index, _ = map(np.asarray, _supports(memory, queries))
    read = np.asarray(retrieve(memory, queries).state)
    keys = np.concatenate([np.repeat(first, size, axis=0), np.tile(second, (size, 1))], axis=1)
    right = []
    for query, found, value in zip(queries, index, read, strict=True):
        scores = keys @ query
        best = np.argpartition(-scores, k)[:k]
        shares = np.exp(scores[best] - scores[best].max())
        same = np.allclose(value, shares @ values[best] / shares.sum(), rtol=1e-9, atol=1e-12)
        right.append(set(best) == set(found) and same)
    return np.array(right), len(memory)


@eqx.filter_jit
def _supports(memory, queries):
    return jax.vmap(memory.support)(queries)
