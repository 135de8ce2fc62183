"""Circles counted and sampled, reads by circles and by attention, hard locations by radius."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from attrax import theory
from attrax.dynamics import Iterate
from attrax.models import SparseDistributedMemory, sparse_distributed_memory
from attrax.retrieval import retrieve
from attrax.separation import CircleIntersection, Softmax
from attrax.similarity import Hamming
from attrax.stores.rows import Memory

from ..contract import NotRun, wide

# n, r, m of the two settings of the paper: Kanerva's, and that of attention.
CANONICAL, ATTENTION = (1000, 10**6, 10**4), (64, 2.0**64, 1024)
FLIPS = (0, 4, 8, 11, 12, 13, 15, 16, 18, 20, 24)
CRITERIA = ("signal_to_noise", "capacity", "critical_distance")


@wide
def counted(run) -> float:
    """The largest relative error of circles in common, of the counts of all addresses."""
    worst = 0.0
    for n in run.pick("counted.bits", quick=(6, 9, 12, 15), full=(6, 9, 12, 15)):
        addresses = np.arange(2**n)
        ones = np.array([address.bit_count() for address in addresses.tolist()])
        apart = [ones[addresses ^ (2**k - 1)] for k in range(n + 1)]
        for radius in range((n + 1) // 2):
            counts = np.array([np.sum((ones <= radius) & (other <= radius)) for other in apart])
            found = 2**n * np.asarray(theory.circle_intersection(np.arange(n + 1), n, radius))
            worst = max(worst, float(np.max(np.abs(found - counts) / np.maximum(counts, 1))))
    return worst


class Sampled(NamedTuple):
    """Locations that two points have in common, (draws, distances), and how many are expected."""

    distances: np.ndarray
    expected: np.ndarray
    counts: np.ndarray

    def ratio(self) -> np.ndarray:
        """Counted over expected, all distances together, by draw."""
        return self.counts.sum(1) / self.expected.sum()


def sampled(run) -> Sampled:
    """10 000 drawn locations of 100 bits, radius 35."""
    n, r, radius = 100, 10_000, 35
    distances = np.arange(0, 31, 2)
    expected = r * np.asarray(theory.circle_intersection(distances, n, radius), np.float64)
    rng = np.random.default_rng(run.seed)
    counts = []
    for _ in range(run.pick("sampled.draws", quick=800, full=2000)):
        ones = np.unpackbits(rng.integers(0, 256, (r, 13), np.uint8), axis=1)[:, :n]
        # The points are 0 and one with δ ones in front, two more each time.
        own, pairs = ones.sum(1, dtype=int), ones[:, 0:30:2].astype(int) + ones[:, 1:30:2]
        inside = np.cumsum(np.concatenate([np.zeros((r, 1), int), pairs], axis=1), axis=1)
        other = own[:, None] + distances - 2 * inside
        counts.append(np.sum((own[:, None] <= radius) & (other <= radius), axis=0))
    return Sampled(distances, expected, np.array(counts))


def disagreement(run) -> float:
    """The largest difference of sums of counters from sums over patterns of what they have in
    common with the query, times their votes."""
    rng = np.random.default_rng(run.seed)
    addresses = rng.integers(0, 2, (2000, 128))
    patterns = rng.integers(0, 2, (100, 128))
    queries = np.where(rng.random(patterns.shape) < 0.1, 1 - patterns, patterns)
    memory = SparseDistributedMemory(addresses, 52).write(patterns)
    sums = np.asarray(drives(memory, jnp.asarray(queries, memory.dtype)))
    reached = jax.jit(jax.vmap(memory.reached))
    written, read = (np.asarray(reached(x), int) for x in (patterns * 1.0, queries * 1.0))
    return float(np.max(np.abs(sums - read @ written.T @ (2 * patterns - 1))))


def radii(run, setting: str) -> tuple[int, ...]:
    """The best radius of a setting by each criterion."""
    sizes = {"canonical": CANONICAL, "attention": ATTENTION}[setting]
    n, locations, patterns = sizes
    return tuple(theory.optimal_radius(n, locations, patterns, by) for by in CRITERIA)


def fit(run, radius: int, estimator: str = "least_squares") -> theory.ExponentialFit:
    """The straight line through ln I of 64 bits."""
    return theory.fit_beta(64, radius, estimator=estimator)


def vote(part, rows, cues, reads):
    """States after repeated votes of the rows, weighed by their cosines; a tie keeps a bit."""

    def read(_, states):
        cosines = states @ rows.T / rows.shape[1]
        sums = jax.vmap(part)(cosines) @ rows
        return jnp.where(sums == 0, states, jnp.sign(sums))

    return jax.lax.fori_loop(0, reads, read, cues)


class Staircase(NamedTuple):
    """Circles of bits, asked with cosines."""

    circles: CircleIntersection

    def __call__(self, cosines):
        """The weights at δ = n(1 − cos)/2."""
        return self.circles(-jnp.round(self.circles.n * (1 - cosines) / 2))


class Recall(NamedTuple):
    """Shares of patterns that come back, (draws, flips): by circles of bits, by attention at the β
    that fits them up to d, and at that which fits them wherever they meet, and by caps."""

    circles: np.ndarray
    attention: np.ndarray
    wide: np.ndarray
    caps: np.ndarray

    def apart(self, other: str, flips: int) -> np.ndarray:
        """The share by circles less another, where they differ most, up to so many flips; by
        draw."""
        differences = (self.circles - getattr(self, other))[:, np.array(FLIPS) <= flips]
        return differences[:, np.argmax(np.abs(differences.mean(0)))]


def recall(run, radius: int) -> Recall:
    """1024 patterns of 64 random bits, started with some of them flipped."""
    n, patterns = 64, 1024
    draws = run.pick("recall.draws", quick=4, full=16)
    asked = run.pick("recall.queries", quick=256, full=1024)
    parts = (
        Staircase(CircleIntersection(n, radius)),
        Softmax(run(fit, radius).beta),
        Softmax(theory.fit_beta(n, radius, reach=2 * radius + 1).beta),
        CircleIntersection(n, radius, "cosine"),
    )
    programs = [jax.jit(lambda rows, cues, part=part: vote(part, rows, cues, 20)) for part in parts]
    rng = np.random.default_rng(run.seed)
    shares = np.zeros((len(parts), draws, len(FLIPS)))
    for draw in range(draws):
        rows = rng.choice([-1.0, 1.0], (patterns, n)).astype(np.float32)
        order = np.argsort(rng.random((asked, n)), axis=1)
        for i, flips in enumerate(FLIPS):
            cues = np.where(order < flips, -rows[:asked], rows[:asked])
            for shares_of, program in zip(shares, programs, strict=True):
                states = np.asarray(program(rows, cues))
                shares_of[draw, i] = np.mean((states == rows[:asked]).all(1))
    return Recall(*shares)


class Radii(NamedTuple):
    """Shares of patterns that come back, (networks, radii, flips)."""

    radii: np.ndarray
    flips: np.ndarray
    shares: np.ndarray
    best: int

    def at(self, radius: int) -> np.ndarray:
        """Shares at a radius, over flips, by network."""
        return self.shares[:, list(self.radii).index(radius)].mean(1)


def neurons(run) -> Radii:
    """256 bits, 2000 hard locations, 50 patterns; up to ten reads of what was read."""
    n, locations, patterns = 256, 2000, 50
    radii, flips = np.arange(103, 118), np.array([0, 20, 40])
    networks = run.pick("neurons.networks", quick=6, full=40)
    rng = np.random.default_rng(run.seed)
    shares = np.zeros((networks, radii.size, flips.size))
    read = Iterate(max_steps=10)
    for shares_of in shares:
        addresses, rows = rng.integers(0, 2, (locations, n)), rng.integers(0, 2, (patterns, n))
        order = np.argsort(rng.random(rows.shape), axis=1)
        cues = np.where(order < flips[:, None, None], 1 - rows, rows)
        for i, radius in enumerate(radii.tolist()):
            memory = SparseDistributedMemory(addresses, radius).write(rows)
            states = np.asarray(retrieve(memory, cues, read).state)
            shares_of[i] = (states == rows).all(2).mean(1)
    return Radii(radii, flips, shares, theory.optimal_radius(n, locations, patterns))


class Reads(NamedTuple):
    """Bits wrong after a read, (draws, flips), and by theory, with its critical distance."""

    flips: np.ndarray
    after: np.ndarray
    theory: np.ndarray
    critical: int

    def crossing(self) -> np.ndarray:
        """Flips at which a read is no longer nearer, over theory, by draw: where a parabola through
        what it gains is zero; NaN where that is not among the flips."""
        ends = self.flips[0], self.flips[-1]
        places = []
        for gain in self.after - self.flips:
            roots = np.roots(np.polyfit(self.flips, gain, 2))
            inside = [x.real for x in roots if x.imag == 0 and ends[0] < x.real < ends[1]]
            places.append(min(inside, default=math.nan))
        return np.array(places) / self.critical


def canonical(run, auto: bool = True) -> Reads:
    """A million hard locations, a hundred thousand at a time: sums of counters add up."""
    parts = run.pick("canonical.parts", quick=0, full=10)
    if not parts:
        raise NotRun("needs some minutes: attrax reproduce sdm-attention --profile full")
    flips = np.arange(140, 221, 10)
    reads = one_read(run.seed, *CANONICAL, 448, flips, auto, parts)
    return reads._replace(after=reads.after.reshape(8, -1, flips.size).mean(1))


def scaled(run, auto: bool = True) -> Reads:
    """256 bits, 20 000 locations, 200 patterns, in several networks."""
    sizes = 256, 20_000, 200
    radius, flips = theory.optimal_radius(*sizes, "critical_distance"), np.arange(54, 109, 6)
    networks = range(run.pick("scaled.networks", quick=6, full=30))
    each = [one_read(1000 * run.seed + i, *sizes, radius, flips, auto) for i in networks]
    return each[0]._replace(after=np.stack([reads.after.mean(0) for reads in each]))


def one_read(seed, n, locations, patterns, radius, flips, auto, parts=1) -> Reads:
    """One read of 200 queries that are some flips away from a pattern, of which a pattern itself
    is the value, or a random one."""
    rng, asked = np.random.default_rng(seed), 200
    rows = rng.integers(0, 2, (patterns, n)).astype(np.float32)
    values = rows if auto else rng.integers(0, 2, rows.shape).astype(np.float32)
    order = np.argsort(rng.random((asked, n)), axis=1)
    own = rows[:asked, None]
    cues = np.where(order[:, None] < flips[:, None], 1 - own, own)
    sums = np.zeros((asked * flips.size, n))
    for part in range(parts):
        key = jax.random.fold_in(jax.random.key(seed), part)
        memory = sparse_distributed_memory(n, locations // parts, radius, key=key)
        memory = memory.write(rows, values)
        sums += np.asarray(drives(memory, cues.reshape(-1, n)))
    wrong = ((sums > 0).reshape(cues.shape) != values[:asked, None]).sum(2)
    ratio = theory.signal_to_noise(flips, n, radius, locations, patterns)
    away = n * np.asarray(jax.scipy.special.ndtr(-ratio))
    return Reads(flips, wrong, away, theory.critical_distance(n, radius, locations, patterns))


@jax.jit
def drives(memory, cues):
    """The sums of counters, query by query."""
    return jax.lax.map(memory.drive, cues)


def largest_rise(energies: np.ndarray) -> float:
    """Of one step, over the largest |energy|."""
    return float(np.max(np.diff(energies, axis=1)) / np.max(np.abs(energies)))


def descents(run) -> np.ndarray:
    """Energies along votes by circles of 300 patterns of 64 bits, (starts, steps), from near and
    far."""
    rng = np.random.default_rng(run.seed)
    rows = rng.integers(0, 2, (300, 64))
    starts = run.pick("descents.starts", quick=100, full=400)
    near = rows[rng.integers(0, len(rows), starts)]
    cues = np.where(rng.random(near.shape) < rng.uniform(0.1, 0.5, (starts, 1)), 1 - near, near)
    circles = CircleIntersection(64, 15)
    memory = Memory(rows, similarity=Hamming(), separation=circles, projection="centroid")
    dynamics = Iterate(max_steps=20)
    found = retrieve(memory, cues, dynamics, path=True)
    return np.asarray(found.energies, np.float64)
