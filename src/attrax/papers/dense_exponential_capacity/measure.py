"""Thresholds by draws of scores, memories that are read, and the first pattern that is lost."""

import functools
import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from attrax.dynamics import Iterate
from attrax.evaluate import draw_softmax_reads, draw_softmax_thresholds, retrieved
from attrax.retrieval import retrieve
from attrax.separation import Softmax
from attrax.similarity import Dot
from attrax.stores.rows import Memory
from attrax.theory import (
    free_entropy,
    softmax_basin,
    softmax_rate,
)

ENSEMBLES = ("spherical", "gaussian", "binary")
# Inverse temperatures at which thresholds of one pattern are measured. Signs fill all states near
# α = ln 2: at β = 2 the threshold is so near that sizes below some hundreds follow another law.
BETAS = {
    "spherical": (0.5, 1.0, 2.0, 5.0),
    "gaussian": (0.25, 0.5, 2.0, 4.0),
    "binary": (0.25, 0.5, 1.0, 1.4),
}
# Loads and inverse temperatures of queries that are not patterns: condensed, and not.
READS = {
    "spherical": ((0.1, 2.0), (0.3, 0.5)),
    "gaussian": ((0.1, 2.0), (0.2, 0.3)),
    "binary": ((0.1, 2.0), (0.3, 0.5)),
}
# Size and loads of memories that are read, as wide as their thresholds vary.
MEMORIES = {
    "spherical": {"quick": (20, 0.34, 0.44), "full": (24, 0.35, 0.43)},
    "gaussian": {"quick": (12, 0.3, 0.95), "full": (13, 0.3, 0.9)},
}
# Sizes and draws until the first pattern is lost.
FAILURES = {
    ("gaussian", 2.0): (((16, 22, 28, 36), 200), ((16, 24, 32, 40), 400)),
    ("gaussian", 0.3): (((24, 32, 44, 56), 250), ((24, 40, 56, 64), 300)),
    ("spherical", 0.5): (((12, 16, 20, 24), 16), ((12, 16, 20, 24, 26), 24)),
}


def key_of(run, *numbers: int | float):
    """A random key of its own for each setting."""
    key = jax.random.key(run.seed)
    for number in numbers:
        key = jax.random.fold_in(key, round(1000 * number))
    return key


class Series(NamedTuple):
    """Numbers of draws (S, D) at sizes (S,), and terms (S, K) by which they near their limit."""

    sizes: np.ndarray
    values: np.ndarray
    terms: np.ndarray

    def means(self) -> tuple[np.ndarray, np.ndarray]:
        """Of the draws of each size, with standard errors; levels are as fine as 1e-6."""
        error = self.values.std(1, ddof=1) / math.sqrt(self.values.shape[1])
        return self.values.mean(1), np.maximum(error, 1e-6)

    def limit(self) -> tuple[float, float]:
        """The value for N → ∞ and its error, by least squares of 1 and the terms.

        The error has two parts: that of the draws, larger where sizes do not lie on the curve, and
        by how much the value moves if the least size is left out.
        """
        columns = np.insert(self.terms, 0, 1, axis=1)
        mean, error = self.means()
        (value, drawn), (other, _) = (_fit(columns[k:], mean[k:], error[k:]) for k in (0, 1))
        return value, math.hypot(drawn, value - other)


def nearing(sizes: np.ndarray, degree: int = 1) -> np.ndarray:
    """ln N/N and 1/N, and up to that degree powers of the first.

    A number of overlaps in N^{−½} e^{−NI} puts ½ ln N/N to α, and by that their largest one,
    which is a curved function of α, has powers of it.
    """
    first = np.log(sizes) / sizes
    return np.stack([1 / sizes, *(first**k for k in range(1, degree + 1))], axis=1)


def _fit(columns, mean, error):
    """The first coefficient and its error, by weighted least squares."""
    inverse = np.linalg.pinv(columns / error[:, None])
    fitted = inverse @ (mean / error)
    free = len(mean) - columns.shape[1]
    off = np.sum(np.square((columns @ fitted - mean) / error)) / max(free, 1)
    return float(fitted[0]), float(np.linalg.norm(inverse[0]) * max(1.0, math.sqrt(off)))


def sizes(run) -> tuple[int, ...]:
    """Numbers of entries of what is extrapolated."""
    return run.pick("sizes", quick=(64, 128, 256, 512, 1024), full=(64, 128, 256, 512, 1024, 2048))


def one_pattern(run, ensemble: str, beta: float) -> Series:
    """α up to which a pattern of squared length N outweighs the sum of all others."""
    draws = run.pick("thresholds", quick=200, full=1000)
    key = key_of(run, beta, ENSEMBLES.index(ensemble))
    rows = [
        draw_softmax_thresholds(ensemble, n, beta, draws=draws, key=jax.random.fold_in(key, n)) / n
        for n in sizes(run)
    ]
    lengths = np.array(sizes(run))
    return Series(lengths, np.array(rows), nearing(lengths))


class Read(NamedTuple):
    """What softmax reads at a query independent of all patterns: `SoftmaxReads` by size.

    The log-sum is divided by N.
    """

    entropy: Series
    overlap: Series
    squares: Series


def read(run, ensemble: str, load: float, beta: float) -> Read:
    """A query that is no pattern, of squared length N."""
    draws = run.pick("reads", quick=4000, full=10_000)
    key = key_of(run, beta, load, ENSEMBLES.index(ensemble))
    lengths = np.array(sizes(run))
    reads = [
        draw_softmax_reads(ensemble, load * n, n, beta, draws=draws, key=jax.random.fold_in(key, n))
        for n in lengths.tolist()
    ]
    entropy, overlap, squares = (np.array(column) for column in zip(*reads, strict=True))
    columns = (entropy / lengths[:, None], 2), (overlap, 2), (squares, 1)
    return Read(*(Series(lengths, x, nearing(lengths, degree)) for x, degree in columns))


def attention(run, ensemble: str, scale: float) -> Series:
    """ln P/√N up to which a pattern outweighs all others at β = scale/√N; sizes are √N."""
    draws = run.pick("attention", quick=100, full=1000)
    roots = np.array([16, 32, 64, 128])
    rows = [
        draw_softmax_thresholds(ensemble, n * n, scale / n, draws=draws, key=key_of(run, scale, n))
        / n
        for n in roots.tolist()
    ]
    return Series(roots, np.array(rows), np.stack([1 / roots, 1 / roots**2], axis=1))


class Limit(NamedTuple):
    """A number for N → ∞, its error, and what theory says."""

    name: str
    value: float
    error: float
    theory: float


def limits(run) -> list[Limit]:
    """Everything that was extrapolated: thresholds, log-sums and overlaps of reads."""
    found = []

    def compare(name: str, series: Series, theory) -> None:
        value, error = series.limit()
        found.append(Limit(name, value, error, float(theory)))

    for ensemble in ENSEMBLES:
        for beta in BETAS[ensemble]:
            theory = softmax_rate(beta, ensemble, "one_pattern")
            compare(f"{ensemble} α₁, β = {beta:g}", run(one_pattern, ensemble, beta), theory)
        for load, beta in READS[ensemble]:
            reads, at = run(read, ensemble, load, beta), f"α = {load:g}, β = {beta:g}"
            compare(f"{ensemble} Φ, {at}", reads.entropy, free_entropy(load, beta, ensemble))
            slope = jax.grad(lambda b, a, e=ensemble: free_entropy(a, b, e))(beta, load)
            compare(f"{ensemble} overlap, {at}", reads.overlap, slope)
    return found


def sample(ensemble: str, key, shape: tuple[int, int]):
    """Random patterns."""
    if ensemble == "binary":
        return jax.random.rademacher(key, shape, float)
    rows = jax.random.normal(key, shape)
    return _to_length(rows) if ensemble == "spherical" else rows


def _to_length(rows):
    """Rows of squared length N."""
    return rows * math.sqrt(rows.shape[1]) / jnp.linalg.norm(rows, axis=1, keepdims=True)


def tilt(key, patterns, overlap):
    """Queries of squared length N with an overlap with their patterns, else at random."""
    other = jax.random.normal(key, patterns.shape)
    own = jnp.sum(other * patterns, axis=1, keepdims=True)
    other = _to_length(other - own * patterns / patterns.shape[1])
    return overlap * patterns + jnp.sqrt(1 - overlap**2) * other


@eqx.filter_jit
def _ask(make: Callable, ensemble: str, shape, probes: int, runs: bool, counts, overlaps, keys):
    """Whether queries are kept, by the weight of one read and by where runs end.

    Shapes (draws, points, probes). The first `probes` patterns have squared length N; at each
    point their queries have an overlap with them, and a number of patterns is stored.
    """

    def draw(key):
        drawing, tilting = jax.random.split(key)
        rows = sample(ensemble, drawing, shape)
        patterns = _to_length(rows[:probes])
        rows = rows.at[:probes].set(patterns)

        def point(inputs):
            count, overlap = inputs
            memory = make(rows, filled=jnp.arange(shape[0]) < count)
            cues = tilt(tilting, patterns, overlap)
            kept = jnp.diagonal(jax.vmap(memory.weights)(cues)) > 0.5
            if not runs:
                return kept, kept
            ends = retrieve(memory, cues, Iterate(max_steps=30)).state
            return kept, retrieved(ends, patterns, shape[1] / 4)

        return jax.lax.map(point, (counts, overlaps))

    return jax.lax.map(draw, keys)


def _asked(run, make: Callable, ensemble: str, n: int, counts, overlaps, runs: bool):
    """What `_ask` says of 16 queries of each memory, by numbers of patterns beside the query's."""
    draws = run.pick("memories", quick=40, full=60)
    keys = jax.random.split(jax.random.key(run.seed), draws)
    shape = int(counts.max()) + 1, n
    points = jnp.asarray(counts + 1), jnp.asarray(overlaps)
    return _ask(make, ensemble, shape, 16, runs, *points, keys)


class Kept(NamedTuple):
    """Which queries of memories are kept, and where that ends.

    - `n`: the size.
    - `points`: loads α or overlaps m.
    - `shares`: of queries whose own pattern has most of the weight in one read, (points,).
    - `weight`: where that ends over where random energies say, (draws,).
    - `ends`: the same of queries whose run ends in their pattern.
    - `energies`: where random energies say, by their draws.
    """

    n: int
    points: np.ndarray
    shares: np.ndarray
    weight: np.ndarray
    ends: np.ndarray
    energies: np.ndarray


def build(beta: float) -> Callable:
    """A memory of dot products and softmax."""
    return functools.partial(Memory, similarity=Dot(), separation=Softmax(beta))


def loads_kept(run, ensemble: str, beta: float, make: Callable = build) -> Kept:
    """The load up to which patterns are kept that are their own queries."""
    n, low, high = run.pick(f"memories, {ensemble}", **MEMORIES[ensemble])
    counts = np.unique(np.round(np.exp(np.linspace(low, high, 12) * n)).astype(int))
    loads = np.log(counts) / n
    kept, _ = _asked(run, make(beta), ensemble, n, counts, np.ones(counts.size), runs=False)
    key = key_of(run, beta, n, 1)
    energies = draw_softmax_thresholds(ensemble, n, beta, draws=2000, key=key) / n
    edges = (loads[0] + _area(loads, kept)) / energies.mean()
    return Kept(n, loads, np.asarray(kept).mean((0, 2)), edges, edges, energies)


def overlaps_kept(run, ensemble: str, load: float, beta: float, make: Callable = build) -> Kept:
    """The overlap from which queries are kept."""
    n = run.pick("basins", quick=60, full=80)
    count = round(math.exp(load * n))
    middle = float(softmax_basin(load, beta, ensemble))
    overlaps = np.linspace(0.4 * middle, min(1.4 * middle, 1), 16)
    counts = np.full(overlaps.size, count)
    shares = _asked(run, make(beta), ensemble, n, counts, overlaps, runs=True)
    key = key_of(run, beta, n, 2)
    reads = draw_softmax_reads(ensemble, math.log(count), n, beta, draws=2000, key=key)
    energies = reads.log_sum / (beta * n)
    weight, ends = ((overlaps[-1] - _area(overlaps, kept)) / energies.mean() for kept in shares)
    return Kept(n, overlaps, np.asarray(shares[0]).mean((0, 2)), weight, ends, energies)


def _area(points, kept):
    """Under the share of queries that are kept, of each draw."""
    return np.trapezoid(np.asarray(kept).mean(2), points, axis=1)


def first_lost(blocks: Iterable[np.ndarray], beta: float) -> float:
    """How many patterns are stored when the first has no more than half of its own weight.

    Patterns are stored in the order of the blocks; NaN if none is lost.
    """
    stored, own, noise = np.zeros((0, 0), np.float32), np.zeros(0), np.zeros(0)
    for block in blocks:
        before = len(stored)
        stored = np.concatenate([stored.reshape(-1, block.shape[1]), block])
        own = np.concatenate([own, beta * np.sum(block * block, axis=1)])
        places = before + np.arange(len(block))
        scores = beta * (block @ stored.T)
        scores[np.arange(len(block)), places] = -np.inf
        # What new patterns hear of all others, and what older ones hear of them, as they come.
        heard = np.exp(np.minimum(scores - own[before:, None], 1))
        sounds = np.exp(np.minimum(scores[:, :before] - own[:before], 1))
        new, old = heard.sum(1) >= 1, noise + sounds.sum(0) >= 1
        if new.any() or old.any():
            reached = np.argmax(np.cumsum(heard[new], axis=1) >= 1, axis=1)
            after = np.argmax(np.cumsum(sounds[:, old], axis=0) + noise[old] >= 1 - 1e-6, axis=0)
            first = np.concatenate([np.maximum(reached, places[new]), before + after])
            return float(first.min() + 1)
        noise = np.concatenate([noise + sounds.sum(0), heard.sum(1)])
    return math.nan


def draw_blocks(rng: np.random.Generator, ensemble: str, n: int, most: int, size: int = 64):
    """Random patterns, as many blocks as are asked for, up to a number of patterns."""
    for _ in range(0, most, size):
        patterns = rng.standard_normal((size, n), np.float32)
        if ensemble == "spherical":
            patterns *= math.sqrt(n) / np.linalg.norm(patterns, axis=1, keepdims=True)
        yield patterns


def all_patterns(run, ensemble: str, beta: float) -> Series:
    """ln of the number of patterns at which the first is lost, by draw."""
    quick, full = FAILURES[ensemble, beta]
    sizes, draws = run.pick(f"all patterns, {ensemble}, β = {beta:g}", quick=quick, full=full)
    rows = []
    for n in sizes:
        rng = np.random.default_rng([run.seed, n, round(1000 * beta)])
        numbers = [first_lost(draw_blocks(rng, ensemble, n, 1 << 15), beta) for _ in range(draws)]
        rows.append(np.log(numbers))
    return Series(np.array(sizes), np.array(rows), nearing(np.array(sizes)))


def growth(series: Series, log_terms: float) -> tuple[float, float]:
    """By how much means less a multiple of ln N grow with N, and the error, by least squares."""
    mean, error = series.means()
    columns = np.stack([series.sizes, np.ones(series.sizes.size)], axis=1)
    return _fit(columns, mean - log_terms * np.log(series.sizes), error)


def gaps(run, ensemble: str, beta: float) -> Series:
    """α₁ − α_c at each size: a typical pattern's threshold less that of the first lost."""
    first = run(all_patterns, ensemble, beta)
    rows = []
    for n, logs in zip(first.sizes.tolist(), first.values, strict=True):
        key = key_of(run, beta, n, 3)
        typical = draw_softmax_thresholds(ensemble, n, beta, draws=400, key=key)
        rows.append((typical.mean() - logs) / n)
    return first._replace(values=np.array(rows))
