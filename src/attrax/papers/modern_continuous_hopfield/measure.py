"""Energies along reads, bounds on one read, numbers of patterns, and sizes of fixed points."""

import functools
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from attrax import theory
from attrax.dynamics import Iterate
from attrax.evaluate import largest_rise, metastable_size
from attrax.models import modern_memory
from attrax.retrieval import retrieve

from ..contract import wide

# Patterns with entries of the standard normal, from averages of all of them to single ones.
BETAS = (0.1, 0.25, 0.5, 1.0, 4.0, 16.0)
DAMPINGS = (1.0, 0.5, 0.1)
# Random patterns on spheres of radius K √(d − 1): d, N, K, β.
SETTINGS = (
    (10, 10, 1.0, 2.0),
    (20, 7, 3.0, 1.0),
    (20, 100, 1.0, 1.0),
    (50, 1000, 1.0, 1.0),
    (75, 10, 1.0, 1.0),
)
# The engine is run until no figure of doubles changes any more.
TIGHT: dict[str, Any] = {"rtol": 1e-14, "atol": 1e-14, "max_steps": 1000}
# β of the phases, of patterns of unit norm.
PHASES = tuple(round(float(x), 6) for x in np.geomspace(1, 512, 19))
# Near-duplicates: β at which all, three, and one pattern make the state.
DUPLICATES = (0.05, 1.0, 100.0)


def sphere(rng, n: int, d: int, radius: float = 1.0) -> np.ndarray:
    """Random patterns of one norm."""
    rows = rng.standard_normal((n, d))
    return radius * rows / np.linalg.norm(rows, axis=1, keepdims=True)


class Descents(NamedTuple):
    """Runs at `BETAS` by `DAMPINGS`; the largest of all starts.

    - `rises`: rise of the energy in a step, over its largest term, by β and damping.
    - `excess`: how far energies left their bounds, over the upper one, by β; < 0 if within.
    - `reads`: how many whole reads until rest, by β.
    - `last`: the length of a further read, over that of the longest pattern, by β.
    - `rates`: the share of a small distance from the end that a read leaves, in the direction in
      which it leaves most, over the norm of the Jacobian, by run; of runs that end where that is
      above 0.01.
    """

    rises: np.ndarray
    excess: np.ndarray
    reads: np.ndarray
    last: np.ndarray
    rates: np.ndarray


@wide
def descents(run, n: int = 200, d: int = 20) -> Descents:
    """Follow the energy from states within the hull of the patterns, and from far outside."""
    rng = np.random.default_rng(run.seed)
    half = run.pick("descents.starts", quick=16, full=64)
    rows = rng.standard_normal((n, d))
    far = 10 ** rng.uniform(-1, 2, (half, 1)) * rng.standard_normal((half, d))
    starts = np.concatenate([rng.dirichlet(np.full(n, 0.05), half) @ rows, far])
    largest = np.linalg.norm(rows, axis=1).max()
    rises, excess, reads, last, rates = [], [], [], [], []
    for beta in BETAS:
        memory = modern_memory(rows, beta)
        runs = [
            retrieve(memory, starts, Iterate(damping, **TIGHT), path=True, certify=True)
            for damping in map(jnp.asarray, DAMPINGS)
        ]
        rises.append([largest_rise(found).max() for found in runs])
        ends = np.asarray(runs[0].state)
        offset = float(theory.modern_energy_offset(n, beta, largest))
        upper, energies = min(offset, 2 * largest**2), np.asarray(runs[0].energies) + offset
        # A read leads into the hull, from wherever it starts.
        excess.append(max(-energies.min(), energies[:, 1:].max() - upper) / upper)
        reads.append(np.max(runs[0].steps))
        last.append(np.linalg.norm(jax.vmap(memory)(ends) - ends, axis=1).max() / largest)
        norms = jax.vmap(theory.modern_jacobian_norm, (None, 0, None))(rows, ends, beta)
        stretched = _stretch(memory, ends, 1e-6 * largest * rng.standard_normal(ends.shape))
        # A read that takes away nearly all of a distance leaves rounding of the rest.
        rates.append((stretched / norms)[norms > 0.01])
    largest_of = np.array(rises), np.array(excess), np.array(reads), np.array(last)
    return Descents(*largest_of, np.concatenate(rates))


@eqx.filter_jit
def _stretch(memory, ends, away, reads: int = 200):
    """The share of a small distance from an end that is left after a read, the last of many."""

    def one(end, away):
        size, rest = jnp.linalg.norm(away), memory.pull(end)

        def read(_, carry):
            away = memory.pull(end + size * carry[0]) - rest
            length = jnp.linalg.norm(away)
            return away / length, length / size

        return jax.lax.fori_loop(0, reads, read, (away / size, size))[1]

    return jax.vmap(one)(ends, away)


class Setting(NamedTuple):
    """Random patterns on a sphere, the nearest of each, and the fixed points they lead to."""

    rows: np.ndarray
    beta: float
    largest: float
    memory: Any
    separation: np.ndarray
    nearest: np.ndarray
    fixed: np.ndarray

    @property
    def numbers(self) -> tuple[int, float, float]:
        """N, β and M, as bounds take them."""
        return len(self.rows), self.beta, self.largest

    def around(self, rng, index: np.ndarray, distance: np.ndarray) -> np.ndarray:
        """States at a distance from patterns, half of them towards the pattern nearest by."""
        ways = sphere(rng, len(index), self.rows.shape[1])
        towards = (self.rows[self.nearest[index]] - self.rows[index])[::2]
        ways[::2] = towards / np.linalg.norm(towards, axis=1, keepdims=True)
        return self.rows[index] + distance[:, None] * ways

    def read(self, states: np.ndarray, index: np.ndarray) -> np.ndarray:
        """f(ξ) − x_i, which keeps its figures however small it is."""
        return np.asarray(_offsets(self.memory, self.rows, states, index))


@wide
def setting(run, d: int, n: int, radius: float, beta: float) -> Setting:
    """Draw patterns, and start at each."""
    rng = np.random.default_rng((run.seed, d, n))
    largest = radius * np.sqrt(d - 1)
    rows = sphere(rng, n, d, largest)
    memory, gram = modern_memory(rows, beta), rows @ rows.T - 2 * largest**2 * np.eye(n)
    fixed = np.asarray(retrieve(memory, rows, Iterate(**TIGHT)).state)
    separation = np.asarray(theory.modern_separation(rows))
    return Setting(rows, beta, largest, memory, separation, gram.argmax(1), fixed)


@eqx.filter_jit
def _offsets(memory, rows, states, index):
    """Σ_{j≠i} p_j (x_j − x_i) = f(ξ) − x_i."""

    def one(pair):
        state, i = pair
        others = memory.weights(state).at[i].set(0.0)
        return others @ rows - jnp.sum(others) * rows[i]

    return jax.lax.map(one, (states, index), batch_size=min(1024, len(states)))


def worst(pairs: np.ndarray) -> float:
    """The largest share of a bound that was reached; NaN if there is none."""
    return float(np.exp(np.max(pairs[1] - pairs[0]))) if pairs.size else np.nan


@wide
def bounds(run) -> tuple[np.ndarray, np.ndarray]:
    """Compare one read with Theorems 5 and 4, at distances up to where they say nothing.

    Logarithms of bounds and of what was measured: of |f(ξ) − x_i| / M, shape (2, states), and of
    |f(ξ) − x*| / |ξ − x*|, shape (3, states), of which the last is the bound without N/2.
    """
    count = run.pick("bounds.states", quick=50_000, full=600_000) // len(SETTINGS)
    rng = np.random.default_rng(run.seed)
    errors, ratios = [], []
    for numbers in SETTINGS:
        drawn = run(setting, *numbers)
        n, beta, largest = drawn.numbers
        # Where the bound on the error is 2 M, and where that on the contraction is 1.
        logs = np.log(n - 1), np.log(2 * beta * n * (n - 1) * largest**2)
        error_at, shrinks_at = ((drawn.separation - x / beta) / (2 * largest) for x in logs)
        index = rng.choice(np.flatnonzero(error_at > 0), count)
        use_error = (rng.random(count) < 0.3) | (shrinks_at[index] <= 0)
        most = np.where(use_error, error_at[index], shrinks_at[index])
        distance = most * 10 ** rng.uniform(-3, 0, count)
        states = drawn.around(rng, index, distance)
        read = drawn.read(*map(np.concatenate, ((states, drawn.fixed), (index, np.arange(n)))))
        # A fixed point is where it is read from.
        offsets, fixed = read[:count], read[count:][index]
        start = np.linalg.norm(states - drawn.rows[index] - fixed, axis=1)
        error, apart = (np.linalg.norm(x, axis=1) for x in (offsets, offsets - fixed))
        # What is below the least positive double cannot be measured.
        seen = np.minimum(error, apart) > 1e-300
        reach = np.maximum(distance, np.linalg.norm(fixed, axis=1))
        given = drawn.separation[index][seen], n, beta, largest, reach[seen]
        contraction = functools.partial(theory.modern_contraction_bound, *given, log=True)
        bound = np.asarray(theory.modern_error_bound(*given, log=True))
        paper, sharper = (np.asarray(contraction(constant=x)) for x in ("paper", "variance"))
        told, shrinks = bound < np.log(2 * largest), paper < 0
        errors.append((np.stack([bound, np.log(error[seen])]) - np.log(largest))[:, told])
        ratios.append(np.stack([paper, np.log((apart / start)[seen]), sharper])[:, shrinks])
    return np.concatenate(errors, axis=1), np.concatenate(ratios, axis=1)


def tell(pairs: np.ndarray) -> str:
    """Of how many states a bound says something, and how far below it they are."""
    below = np.median(pairs[0] - pairs[1]) / np.log(10) if pairs.size else np.nan
    return f"{pairs.shape[1]} states, by a median factor of 10^{below:.1f} below the bound."


@wide
def spheres(run, reach: float = 1.0) -> tuple[np.ndarray, np.ndarray, str]:
    """Read states at `reach` times the radius 1/(βNM) of patterns, and run them to rest.

    By state and over the radius, |f(ξ) − x_i| and how far from the fixed point it ends; and how
    many of the patterns are well separated.
    """
    rng = np.random.default_rng(run.seed)
    reads, ends, stored, total = [], [], 0, 0
    for numbers in SETTINGS:
        drawn = run(setting, *numbers)
        n, beta, largest = drawn.numbers
        radius = float(theory.modern_sphere_radius(n, beta, largest))
        good = np.flatnonzero(theory.modern_well_separated(drawn.rows, beta))
        stored, total = stored + good.size, total + n
        if good.size:
            index = rng.choice(good, run.pick("spheres.states", quick=500, full=4000))
            states = drawn.around(rng, index, np.full(index.size, reach * radius))
            reads.append(np.linalg.norm(drawn.read(states, index), axis=1) / radius)
            rest = np.asarray(retrieve(drawn.memory, states, Iterate(**TIGHT)).state)
            ends.append(np.linalg.norm(rest - drawn.fixed[index], axis=1) / radius)
    return np.concatenate(reads), np.concatenate(ends), f"{stored} of {total}"


@wide
def constants(run, beta: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """c and a + ln b of Theorem 3 at the two settings that the paper prints."""
    found = theory.modern_capacity(np.array([20.0, 75.0]), beta, np.array([3.0, 1.0]))
    return np.asarray(found.base), np.asarray(found.exponent)


@wide
def guaranteed(run, d: int, radius: float) -> np.ndarray:
    """Whether all of a guaranteed number of random patterns are well separated, by draw."""
    rng, n = np.random.default_rng(run.seed), guaranteed_number(d, radius)
    largest = radius * np.sqrt(d - 1)
    required = float(theory.modern_required_separation(n, 1.0, largest))
    kept = []
    for _ in range(run.pick("guaranteed.thousands", quick=10, full=100)):
        rows = sphere(rng, 1000 * n, d).reshape(1000, n, d)
        overlaps = rows @ rows.swapaxes(1, 2) - 2 * np.eye(n)
        kept.append(largest**2 * (1 - overlaps.max(axis=(1, 2))) >= required)
    return np.concatenate(kept)


def guaranteed_number(d: int, radius: float) -> int:
    """The number of patterns of Theorem 3 at β = 1, down to a whole number."""
    return int(np.exp(float(theory.modern_capacity(d, 1.0, radius).log_n_patterns)))


class Growth(NamedTuple):
    """Logarithms of numbers of patterns at K = β = 1, by repeat and dimension."""

    sizes: np.ndarray
    logs: np.ndarray

    @property
    def slopes(self) -> np.ndarray:
        """The growth with the dimension, by repeat."""
        return np.polyfit(self.sizes, self.logs.T, 1)[0]


def growth(run, which: str, beta: float = 1.0) -> Growth:
    """Add random patterns one by one until a pattern is lost; see `last_read`, `last_separated`."""
    rng = np.random.default_rng(run.seed)
    repeats, draws = run.pick("growth.draws", quick=(5, 10), full=(10, 20))
    read = run.pick("growth.read", quick=(8, 12, 16), full=(8, 12, 16, 20))
    sizes, last = {"read": (read, last_read), "separated": ((20, 30, 40), last_separated)}[which]
    logs = [[[last(rng, d, beta) for _ in range(draws)] for d in sizes] for _ in range(repeats)]
    return Growth(np.array(sizes), np.mean(logs, axis=2))


def last_read(rng, d: int, beta: float) -> float:
    """ln N up to which all others weigh less than a pattern itself, when it is read.

    Only overlaps with the one pattern count. Their squared cosines are drawn from their law, the
    beta distribution of ½ and (d − 1)/2.
    """
    most = int(10 * np.exp(0.63 * d))
    cosine = np.sqrt(rng.beta(0.5, (d - 1) / 2, most)) * rng.choice([-1, 1], most)
    others = np.cumsum(np.exp(beta * (d - 1) * (cosine - 1)))
    return float(np.log(1 + np.searchsorted(others, 1.0)))


def last_separated(rng, d: int, beta: float) -> float:
    """ln N up to which all patterns are well separated."""
    rows, number = sphere(rng, 1024, d, np.sqrt(d - 1)), np.arange(2, 1025)
    largest = np.maximum.accumulate(np.tril(rows @ rows.T, -1).max(axis=1)[1:])
    required = np.asarray(theory.modern_required_separation(number, beta, np.sqrt(d - 1)))
    kept = d - 1 - largest >= required
    return float(np.log(1 + (kept.size if kept.all() else np.argmin(kept))))


@wide
def duplicates(run, noise: float = 0.1) -> np.ndarray:
    """Sizes of the states that three near-duplicates among twenty random patterns end in.

    Shape (draws, `DUPLICATES`, 3), d = 50, all patterns of norm √50.
    """
    rng, sizes = np.random.default_rng(run.seed), []
    for _ in range(run.pick("duplicates.draws", quick=10, full=40)):
        near = rng.standard_normal(50) + noise * rng.standard_normal((3, 50))
        rows = np.concatenate([near, rng.standard_normal((20, 50))])
        rows *= np.sqrt(50) / np.linalg.norm(rows, axis=1, keepdims=True)
        sizes.append([run_to_rest(modern_memory(rows, beta), rows[:3])[1] for beta in DUPLICATES])
    return np.array(sizes)


def run_to_rest(memory, queries) -> tuple[np.ndarray, np.ndarray]:
    """Where states come to rest, and of how many patterns that is the mean."""
    state = retrieve(memory, queries, Iterate(rtol=1e-6, max_steps=2000)).state
    return np.asarray(state), np.asarray(metastable_size(jax.vmap(memory.weights)(state)))


def patterns(run, which: str) -> np.ndarray:
    """Rows of unit norm: random ones of 100 entries, or images less their mean image."""
    rng, n = np.random.default_rng(run.seed), run.pick("phases.patterns", quick=100, full=300)
    if which == "random":
        return sphere(rng, n, 100).astype(np.float32)
    return unit(choose(run, rng, n))


def choose(run, rng, n: int) -> np.ndarray:
    """Some images, one a row."""
    images = np.asarray(run.load("sample").x)
    return images[rng.choice(len(images), n, replace=False)]


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows less their mean, of unit norm."""
    rows = rows - rows.mean(axis=0)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def phases(run, which: str) -> np.ndarray:
    """Of how many patterns the state is the mean that each pattern ends in, (`PHASES`, N)."""
    rows = run(patterns, which)
    return np.array([run_to_rest(modern_memory(rows, beta), rows)[1] for beta in PHASES])


def metastable(sizes: np.ndarray) -> np.ndarray:
    """The share of states that are neither a pattern nor the mean of more than half of all."""
    return np.mean((sizes > 1) & (2 * sizes <= sizes.shape[-1]), axis=-1)


@wide
def hot(run, which: str, share: float = 0.99) -> float:
    """How far apart patterns end at a share of 4/D², the β below which there is one fixed point.

    In units of the largest distance D of two patterns.
    """
    rows = run(patterns, which).astype(np.float64)
    beta = float(theory.modern_global_beta(rows))
    ends = np.asarray(retrieve(modern_memory(rows, share * beta), rows, Iterate(**TIGHT)).state)
    return float(np.linalg.norm(ends - ends[0], axis=1).max() * np.sqrt(beta / 4))


@wide
def landscape(run) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Follow states between five patterns in the plane to their fixed points.

    The patterns; at β = 8 energies on a grid from −1.2 to 1.2, (61, 61), and damped runs, (states,
    steps, 2); and fixed points, as β, angle and size, (points, 3).
    """
    angles = np.deg2rad([0, 28, 56, 150, 235])
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    memory = modern_memory(rows, 8.0)
    grid, starts = (
        np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
        for line in (np.linspace(-1.2, 1.2, 61), np.linspace(-1.1, 1.1, 7))
    )
    damped = Iterate(jnp.asarray(0.2), max_steps=200)
    paths = np.asarray(retrieve(memory, starts, damped, path=True).path)
    points = []
    for beta in np.geomspace(1, 64, run.pick("landscape.betas", quick=40, full=120)):
        hot = modern_memory(rows, beta)
        found = retrieve(hot, starts, Iterate(rtol=1e-9, atol=1e-9, max_steps=5000)).state
        counts = np.asarray(metastable_size(jax.vmap(hot.weights)(found)))
        states, first = np.unique(np.round(np.asarray(found), 3), axis=0, return_index=True)
        angle = np.rad2deg(np.arctan2(states[:, 1], states[:, 0]))
        points.append(np.stack([np.full(len(states), beta), angle, counts[first]], axis=1))
    energies = np.asarray(jax.vmap(memory.energy)(grid)).reshape(61, 61)
    return rows, energies, paths, np.concatenate(points)


def masked(run, lost: float = 0.5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Retrieve images with some lines at the bottom put to the mean image.

    The share that ends as the image itself, (sets, `PHASES`); sizes of the states they end in,
    (sets, `PHASES`, 24); and of one set what is stored, damaged and retrieved at each β.
    """
    rng, n = np.random.default_rng(run.seed), 24
    right, sizes, pictures = [], [], []
    for _ in range(run.pick("masked.sets", quick=8, full=40)):
        images = choose(run, rng, n)
        rows, mean = unit(images), images.mean(axis=0)
        norms = np.linalg.norm(images - mean, axis=1, keepdims=True)
        cues = rows.copy()
        cues[:, round((1 - lost) * rows.shape[1]) :] = 0
        states, counts = zip(
            *(run_to_rest(modern_memory(rows, beta), cues) for beta in PHASES), strict=True
        )
        best = np.argmax(np.stack(states) @ rows.T, axis=2)
        right.append(np.mean((best == np.arange(n)) & (np.array(counts) == 1), axis=1))
        sizes.append(counts)
        if not pictures:
            pictures = [mean + norms * x for x in (rows, cues, *states)]
    return np.array(right), np.array(sizes), np.array(pictures)
