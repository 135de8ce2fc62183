"""Networks of random patterns, simulated for `hopfield-1982`."""

import itertools
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..dynamics import Asynchronous, Glauber, Iterate
from ..dynamics.base import Outcome
from ..matrix import MatrixMemory
from ..retrieval import retrieve
from ..theory import critical_load, hebb_order_parameters, transition_load

LOADS = (0.05, 0.08, 0.10, 0.12, 0.13, 0.15, 0.18, 0.25)
PROBES = 12
WARM = 0.05
TEMPERATURES = (0.1, 0.2, 0.3, 0.4)


# So many points of theory at a time: another number would be another program.
_POINTS = 24


class Lines(NamedTuple):
    """Replica theory's lines.

    - `loads`, `overlaps`: of retrieval states at T = 0, up to α_c.
    - `temperatures`, `critical`, `transition`: where retrieval states end, and where they are the
      ground states; the latter `None` unless asked for.
    """

    loads: np.ndarray
    overlaps: np.ndarray
    temperatures: np.ndarray
    critical: np.ndarray
    transition: np.ndarray | None


def lines(whole: bool) -> Lines:
    """What the figure draws beside the points; `whole` with the line of ground states."""
    temperatures = 1 - np.linspace(1, 0.04, _POINTS) ** 1.5
    critical = np.asarray(critical_load(temperatures), np.float64)
    loads = critical[0] * (1 - np.linspace(1, 0, _POINTS) ** 2)
    transition = np.asarray(transition_load(temperatures), np.float64) if whole else None
    return Lines(loads, expected(loads, np.zeros(_POINTS)), temperatures, critical, transition)


def expected(loads: np.ndarray, temperatures: np.ndarray) -> np.ndarray:
    """Replica theory's overlaps at some loads and temperatures, no more than `_POINTS`."""
    rest = _POINTS - len(loads)
    found = hebb_order_parameters(np.pad(loads, (0, rest)), np.pad(temperatures, (0, rest)))
    return np.asarray(found.overlap, np.float64)[: len(loads)]


class Overlaps(NamedTuple):
    """Mean overlaps at rest, started at stored patterns.

    - `sizes` (S,): numbers of units.
    - `drawn`: for each size an array (loads, draws).
    """

    sizes: tuple[int, ...]
    drawn: tuple[np.ndarray, ...]

    @property
    def mean(self) -> np.ndarray:
        """Over draws, (sizes, loads)."""
        return np.stack([each.mean(1) for each in self.drawn])

    @property
    def error(self) -> np.ndarray:
        """Standard error of the mean, (sizes, loads)."""
        return np.stack([each.std(1, ddof=1) / np.sqrt(each.shape[1]) for each in self.drawn])


class Limit(NamedTuple):
    """What overlaps tend to as 1/N → 0, beside theory; arrays over loads below α_c.

    - `slope`: of the fitted line, by 1/N.
    """

    loads: np.ndarray
    limit: np.ndarray
    slope: np.ndarray
    error: np.ndarray
    theory: np.ndarray

    @property
    def z(self) -> np.ndarray:
        """Distance from theory in standard errors."""
        return np.abs(self.limit - self.theory) / self.error


@partial(jax.jit, static_argnames=("d", "most"))
def _overlaps(keys, counts, *, d, most):
    """One network after another; rows of zeros stand for patterns that are not stored."""

    def one(inputs):
        key, count = inputs
        rows = jax.random.rademacher(key, (most, d), jnp.float32)
        rows = rows * (jnp.arange(most) < count)[:, None].astype(rows.dtype)
        memory = MatrixMemory(rows.T @ rows, scale=1 / d, units="signs", symmetry="positive")
        starts = rows[:PROBES]
        found = retrieve(memory, starts, Asynchronous(max_steps=500))
        return jnp.mean(found.state * starts), jnp.all(found.outcome == Outcome.converged)

    return jax.lax.map(one, (keys, counts))


def overlaps(sizes: tuple[int, ...], draws: tuple[int, ...], seed: int) -> Overlaps:
    """Hebb's networks of some sizes at `LOADS`, so many of each.

    Above 2000 units only loads below α_c are run; NaN stands for the others.
    """
    drawn = []
    for d, count in zip(sizes, draws, strict=True):
        loads = np.array([load for load in LOADS if load < 0.14 or d <= 2000])
        stored = np.rint(loads * d).astype(np.int32)
        if stored.min() < PROBES:
            raise ValueError(f"{d} units hold fewer than {PROBES} patterns at the least load.")
        keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), d), stored.size * count)
        mean, rested = _overlaps(keys, np.repeat(stored, count), d=d, most=int(stored.max()))
        if not bool(jnp.all(rested)):
            raise RuntimeError("An asynchronous run did not come to rest in 500 sweeps.")
        each = np.full((len(LOADS), count), np.nan)
        each[: loads.size] = np.asarray(mean).reshape(loads.size, count)
        drawn.append(each)
    return Overlaps(sizes, tuple(drawn))


def limit(found: Overlaps, most: float = 0.13) -> Limit:
    """Weighted straight lines through the mean overlaps over 1/N, and their values at 1/N = 0.

    Errors are those of the means, no smaller than what one wrong unit in all probes would be.
    """
    loads = np.array([load for load in LOADS if load <= most])
    sizes = np.array(found.sizes, float)
    floor = np.array(
        [2 / (d * PROBES * each.shape[1]) for d, each in zip(sizes, found.drawn, strict=True)]
    )
    values, errors = [], []
    for i in range(loads.size):
        weight = 1 / np.maximum(found.error[:, i], floor)
        design = np.stack([np.ones_like(sizes), 1 / sizes], 1) * weight[:, None]
        covariance = np.linalg.inv(design.T @ design)
        values.append(covariance @ design.T @ (weight * found.mean[:, i]))
        errors.append(np.sqrt(covariance[0, 0]))
    exact = expected(loads, np.zeros_like(loads))
    ends, slopes = np.transpose(values)
    return Limit(loads, ends, slopes, np.array(errors), exact)


@partial(jax.jit, static_argnames=("d", "n", "sweeps"))
def _cooled(keys, *, d, n, sweeps):
    def one(key):
        drawn, noise = jax.random.split(key)
        rows = jax.random.rademacher(drawn, (n, d), jnp.float32)
        memory = MatrixMemory(rows.T @ rows, scale=1 / d, units="signs", symmetry="positive")
        starts = rows[:PROBES]
        cooling = Glauber(lambda sweep: 0.08 * (1 - sweep / sweeps), sweeps=sweeps)
        warm = retrieve(memory, starts, cooling, key=noise).state
        ends = [retrieve(memory, x, Asynchronous(max_steps=500)) for x in (starts, warm)]
        return [
            (jnp.mean(end.state * starts), jnp.mean(jnp.asarray(end.energy)) / d) for end in ends
        ]

    return jax.lax.map(one, keys)


def cooled(d: int, draws: int, seed: int, load: float = 0.12) -> tuple[np.ndarray, np.ndarray]:
    """What starting at a pattern and settling at once has above cooling down from T = 0.08.

    Of the mean overlap and of the energy a unit, each (draws,): a start at a pattern ends in the
    first minimum on the way, theory is of those that are typical of the valley.
    """
    keys = jax.random.split(jax.random.key(seed + 7), draws)
    at_once, slowly = _cooled(keys, d=d, n=round(load * d), sweeps=60)
    overlap, energy = (
        np.asarray(a, np.float64) - np.asarray(b, np.float64)
        for a, b in zip(at_once, slowly, strict=True)
    )
    return overlap, energy


@partial(jax.jit, static_argnames=("d", "sweeps"))
def _warm(key, temperature, *, d, sweeps):
    drawn, noise = jax.random.split(key)
    rows = jax.random.rademacher(drawn, (int(WARM * d), d), jnp.float32)
    memory = MatrixMemory(rows.T @ rows, scale=1 / d, units="signs", symmetry="positive")
    found = retrieve(memory, rows[:4], Glauber(temperature, sweeps=sweeps), key=noise, path=True)
    late = jnp.asarray(found.path)[:, sweeps // 2 :]
    return jnp.mean(late * rows[:4, None])


def warm(d: int, draws: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Overlaps (temperatures, draws) at a load of `WARM`, and theory's (temperatures,)."""
    keys = jax.random.split(jax.random.key(seed + 1), draws)
    found = [
        [float(_warm(key, jnp.asarray(t, jnp.float32), d=d, sweeps=60)) for key in keys]
        for t in TEMPERATURES
    ]
    temperatures = np.array(TEMPERATURES)
    theory = expected(np.full(temperatures.shape, int(WARM * d) / d), temperatures)
    return np.array(found), theory


def flips(d: int, starts: int, seed: int) -> tuple[int, int, float]:
    """How often a single update in whole numbers raises the energy, of how many changes.

    The third number is the share of sweeps of `Asynchronous` that agree; see `revisited`.
    """
    rng = np.random.default_rng(seed)
    matrix = rng.integers(-9, 10, (d, d))
    matrix = matrix + matrix.T
    np.fill_diagonal(matrix, 0)
    states, order = rng.choice([-1, 1], (starts, d)), rng.permutation(d)
    memory = MatrixMemory(matrix.astype(np.float32), units="signs")
    found = retrieve(memory, states, Asynchronous(order, max_steps=40), path=True)
    rises, changes, agree = revisited(matrix, np.asarray(found.path).astype(np.int64), order)
    rested = bool(jnp.all(found.outcome == Outcome.converged))
    return rises, changes, agree if rested else 0.0


def revisited(matrix: np.ndarray, paths: np.ndarray, order: np.ndarray) -> tuple[int, int, float]:
    """Sweeps made again, unit by unit in whole numbers of NumPy, from each state of some paths.

    Changes at which −σᵀWσ does not fall, all changes, and the share of sweeps that end in the
    path's next state.
    """
    rises = changes = 0
    agree = []
    for path in paths:
        for before, after in itertools.pairwise(path):
            state = before.copy()
            energy = -(state @ matrix @ state)
            for i in order:
                field = int(matrix[i] @ state)
                side = state[i] if field == 0 else (1 if field > 0 else -1)
                if side != state[i]:
                    state[i] = side
                    changed = -(state @ matrix @ state)
                    changes += 1
                    rises += int(changed >= energy)
                    energy = changed
            agree.append(np.array_equal(state, after))
            if np.array_equal(before, after):
                break
    return rises, changes, float(np.mean(agree))


def synchronous(d: int, starts: int, seed: int) -> tuple[float, float]:
    """The share of runs, all units at once, that rest, and that end in a cycle of two."""
    keys = jax.random.split(jax.random.key(seed + 2), 2)
    matrix = jax.random.randint(keys[0], (d, d), -9, 10).astype(jnp.float32)
    states = jax.random.rademacher(keys[1], (starts, d), jnp.float32)
    memory = MatrixMemory(matrix + matrix.T, units="signs", symmetry="symmetric")
    found = retrieve(memory, states, Iterate(max_steps=1000))
    rest, cycle = (
        float(jnp.mean((found.outcome == outcome).astype(jnp.float32)))
        for outcome in (Outcome.converged, Outcome.cycle)
    )
    return rest, cycle


@partial(jax.jit, static_argnames=("d", "most", "units"))
def _stability(keys, counts, *, d, most, units):
    def one(inputs):
        key, count = inputs
        rows = jax.random.rademacher(key, (most, d), jnp.float32)
        there = jnp.arange(most) < count
        rows = rows * there[:, None].astype(rows.dtype)
        memory = MatrixMemory(rows.T @ rows, units=units, symmetry="positive")
        states = rows if units == "signs" else (rows + 1) / 2
        wrong = (jax.vmap(memory.pull)(states) != states) & there[:, None]
        total = jnp.asarray(count, jnp.float32)
        whole = jnp.sum((there & ~jnp.any(wrong, axis=1)).astype(jnp.float32)) / total
        return jnp.sum(wrong.astype(jnp.float32)) / (d * total), whole

    return jax.lax.map(one, (keys, counts), batch_size=50)


def stability(
    d: int, sizes: tuple[int, ...], units: str, draws: int, seed: int
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """By number of patterns: shares, by draw, of units that are unstable in a stored pattern, and
    of patterns all of whose units are stable."""
    counts = np.repeat(sizes, draws)
    keys = jax.random.split(jax.random.key(seed + 3), counts.size)
    units_, patterns = (
        np.asarray(x, np.float64).reshape(len(sizes), draws)
        for x in _stability(keys, counts, d=d, most=max(sizes), units=units)
    )
    return {n: (units_[i], patterns[i]) for i, n in enumerate(sizes)}


def unchanged(
    d: int, sizes: tuple[int, ...], units: str, draws: int, seed: int
) -> list[np.ndarray]:
    """The second of `stability`'s shares, in whole numbers of NumPy: nothing of attrax in it."""
    rng = np.random.default_rng(seed + 3)

    def share(n: int) -> float:
        signs = rng.choice([-1, 1], (n, d))
        couplings = signs.T @ signs
        np.fill_diagonal(couplings, 0)
        states = signs if units == "signs" else (signs + 1) // 2
        fields = states @ couplings
        return (np.where(fields == 0, signs, np.sign(fields)) == signs).all(1).mean()

    return [np.array([share(n) for _ in range(draws)]) for n in sizes]


@partial(jax.jit, static_argnames=("d", "n"))
def _repaired(keys, distances, *, d, n):
    def one(key):
        drawn, flipped = jax.random.split(key)
        rows = jax.random.rademacher(drawn, (n, d), jnp.float32)
        memory = MatrixMemory(rows.T @ rows, units="signs", symmetry="positive")
        ranks = jnp.argsort(jnp.argsort(jax.random.uniform(flipped, (n, d)), axis=1), axis=1)
        cues = jnp.where(ranks[None] < distances[:, None, None], -rows[None], rows[None])
        found = retrieve(memory, cues).state
        stable = jax.vmap(memory.pull)(rows) == rows
        exact = jnp.all(found == rows[None], axis=-1)
        return jnp.mean(exact, axis=1), jnp.mean(jnp.all(stable, axis=1))

    return jax.lax.map(one, keys)


def repaired(
    d: int, n: int, distances: tuple[int, ...], draws: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Shares of cues so many units off that come back, (draws, distances), and of patterns that
    are at rest themselves, (draws,)."""
    keys = jax.random.split(jax.random.fold_in(jax.random.key(seed + 4), d), draws)
    back, stable = _repaired(keys, jnp.asarray(distances), d=d, n=n)
    return np.asarray(back, np.float64), np.asarray(stable, np.float64)


@partial(jax.jit, static_argnames=("d", "n"))
def _mixtures(keys, mixed, *, d, n):
    def one(key):
        drawn, tied = jax.random.split(key)
        rows = jax.random.rademacher(drawn, (n, d), jnp.float32)
        memory = MatrixMemory(rows.T @ rows, units="signs", symmetry="positive")
        total = jnp.sum(jnp.where(jnp.arange(n)[:, None] < mixed, rows, 0.0), axis=0)
        # Where as many patterns say one thing as the other, an even mixture has no sign.
        chance = jax.random.rademacher(tied, (d,), jnp.float32)
        mixture = jnp.where(total == 0, chance, jnp.sign(total))
        end = retrieve(memory, mixture).state
        return jnp.mean(end == mixture), rows @ end / d

    return jax.lax.map(one, keys)


def mixtures(
    d: int, n: int, draws: int, seed: int, mixed: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """Of mixtures of some patterns, the share of units that stay, by draw, and the overlaps at
    rest with each of them, (draws, mixed)."""
    keys = jax.random.split(jax.random.key(seed + 5), draws)
    stay, ends = _mixtures(keys, jnp.asarray(mixed), d=d, n=n)
    return np.asarray(stay, np.float64), np.asarray(ends, np.float64)[:, :mixed]


def boltzmann(chains: int, seed: int, d: int = 6, temperature: float = 1.0) -> tuple[float, float]:
    """χ² of Glauber's samples against exp(−E/T) of all 2^d states, in its standard deviations.

    The second number is that against the law of a temperature a tenth lower: the control.
    """
    rng = np.random.default_rng(seed + 6)
    couplings = rng.normal(size=(d, d)).astype(np.float32)
    couplings = (couplings + couplings.T) / 2
    np.fill_diagonal(couplings, 0)
    states = np.array(list(itertools.product([-1, 1], repeat=d)))
    energies = -0.5 * np.einsum("si,ij,sj->s", states, couplings.astype(np.float64), states)
    memory = MatrixMemory(couplings, units="signs")
    starts = rng.choice([-1, 1], (chains, d))
    found = retrieve(
        memory, starts, Glauber(temperature, sweeps=150), key=jax.random.key(seed), chunk=chains
    )
    index = ((np.asarray(found.state)[:, None] == states[None]).all(-1)).argmax(1)
    counted = np.bincount(index, minlength=len(states)) / chains

    def distance(t):
        law = np.exp(-energies / t)
        law /= law.sum()
        rare = chains * law < 5
        pooled = [np.append(x[~rare], x[rare].sum()) for x in (counted, law)]
        chi = chains * ((pooled[0] - pooled[1]) ** 2 / pooled[1]).sum()
        freedom = (~rare).sum()
        return float((chi - freedom) / np.sqrt(2 * freedom))

    return distance(temperature), distance(0.9 * temperature)
