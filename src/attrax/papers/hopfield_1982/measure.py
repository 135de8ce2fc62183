"""Networks of random patterns, rules, graded units and images, measured."""

import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from attrax.dynamics import Asynchronous, Euler, Glauber, Iterate, Outcome
from attrax.evaluate import ensemble, extrapolate
from attrax.learning import Hebb, PseudoInverse, Storkey
from attrax.models import graded_network, hopfield_network
from attrax.retrieval import retrieve
from attrax.stores.matrix import MatrixMemory
from attrax.theory import critical_load, hebb_order_parameters

HEBB = Hebb()
RULES = {"Hebb": HEBB, "Storkey": Storkey(), "Projection": PseudoInverse(dependent="ignore")}
LOADS = (0.05, 0.08, 0.10, 0.12, 0.13, 0.15, 0.18, 0.25)
PROBES = 12
WARM = 0.05
TEMPERATURES = (0.1, 0.2, 0.3, 0.4)
FLIPPED = 0.1
# Gains of graded units, in units of 1/current.
GAINS = (2.0, 10.0, 50.0)
_POINTS = 24  # of theory at a time: another number would be another program


def key(run, number: int):
    """The random key of a measurement, by its number."""
    return jax.random.fold_in(jax.random.key(run.seed), number)


def lines(run) -> tuple[np.ndarray, ...]:
    """Replica theory's lines: loads and overlaps at T = 0, temperatures and critical loads."""
    temperatures = 1 - np.linspace(1, 0.04, _POINTS) ** 1.5
    critical = np.asarray(critical_load(temperatures), np.float64)
    loads = critical[0] * (1 - np.linspace(1, 0, _POINTS) ** 2)
    return loads, expected(loads, np.zeros(_POINTS)), temperatures, critical


def expected(loads: np.ndarray, temperatures: np.ndarray) -> np.ndarray:
    """Replica theory's overlaps at some loads and temperatures, no more than `_POINTS`."""
    rest = _POINTS - len(loads)
    solved = hebb_order_parameters(np.pad(loads, (0, rest)), np.pad(temperatures, (0, rest)))
    return np.asarray(solved.overlap, np.float64)[: len(loads)]


class Overlaps(NamedTuple):
    """Mean overlaps at rest, started at stored patterns: an array (loads, draws) for each size."""

    sizes: tuple[int, ...]
    drawn: tuple[np.ndarray, ...]

    def at(self, size: int, load: float) -> np.ndarray:
        """The overlap of each draw."""
        return self.drawn[self.sizes.index(size)][LOADS.index(load)]

    @property
    def mean(self) -> np.ndarray:
        """Over draws, (sizes, loads)."""
        return np.stack([each.mean(1) for each in self.drawn])

    @property
    def error(self) -> np.ndarray:
        """Standard error of the mean, (sizes, loads)."""
        return np.stack([each.std(1, ddof=1) / np.sqrt(each.shape[1]) for each in self.drawn])


def _overlap_at_rest(memory, patterns, key):
    starts = patterns[:PROBES]
    ends = retrieve(memory, starts, Asynchronous(max_steps=500))
    return jnp.mean(ends.state * starts), jnp.all(ends.outcome == Outcome.converged)


def overlaps(run, make=HEBB) -> Overlaps:
    """Networks of some sizes at `LOADS`; NaN above α_c for those of more than 2000 units."""
    sizes = run.pick("overlaps.sizes", quick=(250, 500), full=(500, 1000, 2000, 4000))
    draws = run.pick("overlaps.draws", quick=(20, 10), full=(160, 80, 40, 20))
    drawn = []
    for d, count in zip(sizes, draws, strict=True):
        loads = np.array([load for load in LOADS if load < 0.14 or d <= 2000])
        stored = np.rint(loads * d).astype(int)
        mean, rested = ensemble(
            make, _overlap_at_rest, stored.tolist(), d, draws=count, key=key(run, d)
        )
        if not rested.all():
            raise RuntimeError("An asynchronous run did not come to rest in 500 sweeps.")
        each = np.full((len(LOADS), count), np.nan)
        each[: loads.size] = mean
        drawn.append(each)
    return Overlaps(sizes, tuple(drawn))


class Limit(NamedTuple):
    """What overlaps tend to as 1/N → 0, with slope and standard error, beside theory."""

    loads: np.ndarray
    limit: np.ndarray
    slope: np.ndarray
    error: np.ndarray
    theory: np.ndarray

    @property
    def z(self) -> np.ndarray:
        """Distance from theory in standard errors."""
        return np.abs(self.limit - self.theory) / self.error

    def describe(self) -> str:
        """Limit and theory at each load, as a sentence."""
        rows = zip(self.loads, self.limit, self.error, self.theory, strict=True)
        listed = [f"α = {a:g}: {x:.4f} ± {e:.4f}, theory {t:.4f}" for a, x, e, t in rows]
        return f"{'; '.join(listed)}."


def limit(run, most: float = 0.13) -> Limit:
    """Weighted straight lines through the mean overlaps over 1/N, and their values at 1/N = 0.

    Errors are those of the means, no smaller than what one wrong unit in all probes would be.
    """
    measured = run(overlaps)
    loads = np.array([load for load in LOADS if load <= most])
    sizes = np.array(measured.sizes, float)
    probed = np.array([PROBES * each.shape[1] for each in measured.drawn])
    error = np.maximum(measured.error[:, : loads.size], (2 / (sizes * probed))[:, None])
    line = extrapolate(sizes, measured.mean[:, : loads.size], error)
    return Limit(loads, *line, expected(loads, np.zeros_like(loads)))


def cooled(run, start: float = 0.08, load: float = 0.12) -> tuple[np.ndarray, np.ndarray]:
    """Settled at once less cooled down from T = `start`: overlap, and energy a unit, by draw."""
    d = run.pick("cooled.units", quick=500, full=2000)
    draws = run.pick("cooled.draws", quick=10, full=40)
    sweeps = 60
    cooling = Glauber(lambda sweep: start * (1 - sweep / sweeps), sweeps=sweeps)

    def compare(memory, patterns, key):
        starts = patterns[:PROBES]
        warm = retrieve(memory, starts, cooling, key=key).state
        at_once, slowly = (retrieve(memory, x, Asynchronous(max_steps=500)) for x in (starts, warm))
        energy = jnp.mean(jnp.asarray(at_once.energy) - jnp.asarray(slowly.energy)) / d
        return jnp.mean(at_once.state * starts - slowly.state * starts), energy

    n = round(load * d)
    return ensemble(HEBB, compare, n, d, draws=draws, key=key(run, 7))


def median_interval(values: np.ndarray) -> tuple[float, ...]:
    """The median between the ends of its 95 % interval, by ranks."""
    middle, half = values.size / 2, 0.98 * np.sqrt(values.size)
    ranks = np.clip(np.rint([middle - half, middle, middle + half]), 0, values.size - 1)
    return tuple(np.sort(values)[ranks.astype(int)])


def warm(run, make=HEBB) -> tuple[np.ndarray, np.ndarray]:
    """Overlaps (temperatures, draws) at a load of `WARM`, and theory's (temperatures,)."""
    d = run.pick("warm.units", quick=1000, full=4000)
    draws = run.pick("warm.draws", quick=1, full=4)
    sweeps = 60

    def overlap(memory, patterns, key):
        def at(temperature, key):
            glauber = Glauber(temperature, sweeps=sweeps)
            samples = retrieve(memory, patterns[:4], glauber, key=key, path=True)
            visited = jnp.asarray(samples.path)[:, sweeps // 2 :]
            return jnp.mean(visited * patterns[:4, None])

        keys = jax.random.split(key, len(TEMPERATURES))
        return jax.lax.map(lambda each: at(*each), (jnp.asarray(TEMPERATURES), keys))

    measured = ensemble(make, overlap, int(WARM * d), d, draws=draws, key=key(run, 1))
    temperatures = np.array(TEMPERATURES)
    return measured.T, expected(np.full(temperatures.shape, int(WARM * d) / d), temperatures)


class Flips(NamedTuple):
    """Changes at which energy did not fall, all changes, and the share of sweeps that agree."""

    rises: int
    changes: int
    agree: float


def flips(run, d: int = 200, starts: int = 5, antisymmetric: bool = False) -> Flips:
    """Sweeps made again, unit by unit in whole numbers of NumPy, from each state of some paths."""
    rng = np.random.default_rng(run.seed)
    half = rng.integers(-9, 10, (d, d))
    matrix = half - half.T if antisymmetric else half + half.T
    np.fill_diagonal(matrix, 0)
    states, order = rng.choice([-1, 1], (starts, d)), rng.permutation(d)
    memory = MatrixMemory(matrix.astype(np.float32), units="signs")
    ends = retrieve(memory, states, Asynchronous(order, max_steps=40), path=True)
    rises = changes = 0
    agree = []
    for path in np.asarray(ends.path).astype(np.int64):
        for before, after in itertools.pairwise(path):
            state = before.copy()
            energy = -(state @ matrix @ state)
            for i in order:
                field = int(matrix[i] @ state)
                side = state[i] if field == 0 else (1 if field > 0 else -1)
                if side != state[i]:
                    state[i] = side
                    changed = -(state @ matrix @ state)
                    changes, rises = changes + 1, rises + int(changed >= energy)
                    energy = changed
            agree.append(np.array_equal(state, after))
            if np.array_equal(before, after):
                break
    return Flips(rises, changes, float(np.mean(agree)))


def synchronous(run, d: int = 100, starts: int = 100, symmetric: bool = True):
    """The share of runs, all units at once, that rest, and that end in a cycle of two."""
    drawn, begun = jax.random.split(key(run, 2))
    matrix = jax.random.randint(drawn, (d, d), -9, 10).astype(jnp.float32)
    matrix = matrix + matrix.T if symmetric else matrix
    states = jax.random.rademacher(begun, (starts, d), jnp.float32)
    outcome = retrieve(MatrixMemory(matrix, units="signs"), states, Iterate(max_steps=1000)).outcome
    return tuple(float(np.mean(outcome == each)) for each in (Outcome.converged, Outcome.cycle))


def stability(run, units: Any) -> tuple[np.ndarray, np.ndarray]:
    """Shares, by draw, of units that are unstable in ten stored patterns of 100 units, and of
    patterns all of whose units are stable."""

    def unstable(memory, patterns, key):
        wrong = jax.vmap(memory.pull)(patterns) != patterns
        return jnp.mean(wrong), 1 - jnp.mean(jnp.any(wrong, axis=1))

    draws = run.pick("stability.networks", quick=6000, full=6000)
    sample = _bits if units == "bits" else None
    return ensemble(
        Hebb(units), unstable, 10, 100, draws=draws, key=key(run, 3), sample=sample, batch=50
    )


def _bits(key, shape):
    return jax.random.bernoulli(key, 0.5, shape).astype(jnp.result_type(float))


class Basins(NamedTuple):
    """Shares (distances, draws) of cues that end nearest to their pattern, and in it exactly."""

    nearest: np.ndarray
    exact: np.ndarray


def basins(run, d: int, units: Any = "signs", make: Any = None) -> Basins:
    """Cues up to 5 units off, from networks of five patterns."""

    def shares(memory, patterns, key):
        order = jnp.argsort(jax.random.uniform(key, patterns.shape), axis=1)
        high, low = 1.0, -1.0 if units == "signs" else 0.0
        away = jnp.arange(6)[:, None, None]
        cues = jnp.where(order[None] < away, high + low - patterns[None], patterns[None])
        ends = retrieve(memory, cues).state
        wrong = jnp.sum(ends[:, :, None] != patterns[None, None], axis=-1)
        own = jnp.argmin(wrong, axis=-1) == jnp.arange(5)[None]
        exact = jnp.all(ends == patterns[None], axis=-1)
        return jnp.mean(own, axis=1), jnp.mean(exact, axis=1)

    draws = run.pick("basins.networks", quick=200, full=600)
    sample = _bits if units == "bits" else None
    make = Hebb(units) if make is None else make
    nearest, exact = ensemble(make, shares, 5, d, draws=draws, key=key(run, d), sample=sample)
    return Basins(nearest.T, exact.T)


def recalled(run, rule: str, load: float, d: int = 500, probes: int = 20) -> np.ndarray:
    """The share, by draw, of cues with a tenth of their units flipped that come back exactly."""

    def share(memory, patterns, key):
        starts = patterns[:probes]
        order = jnp.argsort(jax.random.uniform(key, starts.shape), axis=1)
        cues = jnp.where(order < round(FLIPPED * d), -starts, starts)
        return jnp.mean(jnp.all(retrieve(memory, cues).state == starts, axis=1))

    draws = run.pick("recalled.networks", quick=6, full=10)
    return ensemble(RULES[rule], share, round(load * d), d, draws=draws, key=key(run, 10))


def incremental(run, name: str, d: int = 200, n: int = 30) -> float:
    """Largest difference between couplings written one by one and at once, over the largest; of
    Storkey's rule, which is one by one, also from its definition in double precision."""
    rows = np.random.default_rng(run.seed + 11).choice([-1.0, 1.0], (n, d)).astype(np.float32)
    rule: Any = RULES[name]
    memory = rule(rows[:1])
    for row in rows[1:]:
        memory = rule.write(memory, row)
    whole = [np.asarray(rule(rows).matrix, np.float64)]
    if name == "Storkey":
        whole.append(d * define_storkey(rows))
    others, written = ~np.eye(d, dtype=bool), np.asarray(memory.matrix, np.float64)
    return max(
        float(np.abs(written - each)[others].max() / np.abs(each)[others].max()) for each in whole
    )


def define_storkey(rows: np.ndarray) -> np.ndarray:
    """Couplings by Storkey's definition: d Δw_ij = ξ_i ξ_j − ξ_i h_ji − h_ij ξ_j.

    h_ij is the field at i without the contributions of i and j.
    """
    d = rows.shape[1]
    w = np.zeros((d, d))
    for row in rows.astype(np.float64):
        parts = w * row
        own = np.diagonal(parts)[:, None]
        # Of i itself the part is taken off once.
        h = parts.sum(1, keepdims=True) - own - np.where(np.eye(d, dtype=bool), 0.0, parts)
        w = w + (np.outer(row, row) - row[:, None] * h.T - h * row) / d
    return w


def mixtures(run, make=HEBB, d: int = 1000, n: int = 10, draws: int = 20):
    """Started at the sign of the sum of three patterns: the share of units that stay, by draw, and
    the overlaps at rest with each of the three (draws, 3)."""

    def rest(memory, patterns, key):
        mixture = jnp.sign(jnp.sum(patterns[:3], axis=0))
        end = retrieve(memory, mixture).state
        return jnp.mean(end == mixture), patterns[:3] @ end / d

    return ensemble(make, rest, n, d, draws=draws, key=key(run, 5))


def boltzmann(run, law: float, sampled: float = 1.0, d: int = 6) -> float:
    """χ² of Glauber's samples at T = `sampled` against exp(−E/T) at T = `law`, of all 2^d states:
    its excess over the degrees of freedom in its standard deviations."""
    counted, energies = run(_sample, sampled, d)
    chains = counted.sum()
    weights = np.exp(-energies / law)
    weights /= weights.sum()
    rare = chains * weights < 5
    seen, due = (np.append(x[~rare], x[rare].sum()) for x in (counted / chains, weights))
    chi = chains * ((seen - due) ** 2 / due).sum()
    freedom = (~rare).sum()
    return float((chi - freedom) / np.sqrt(2 * freedom))


def _sample(run, temperature: float, d: int) -> tuple[np.ndarray, np.ndarray]:
    """How often each of the 2^d states was sampled, and their energies."""
    rng = np.random.default_rng(run.seed + 6)
    couplings = rng.normal(size=(d, d)).astype(np.float32)
    couplings = (couplings + couplings.T) / 2
    np.fill_diagonal(couplings, 0)
    states = np.array(list(itertools.product([-1, 1], repeat=d)))
    energies = -0.5 * np.einsum("si,ij,sj->s", states, couplings.astype(np.float64), states)
    chains = run.pick("boltzmann.chains", quick=4000, full=20_000)
    ends = retrieve(
        MatrixMemory(couplings, units="signs"),
        rng.choice([-1, 1], (chains, d)),
        Glauber(temperature, sweeps=150),
        key=jax.random.key(run.seed),
        chunk=chains,
    )
    index = ((np.asarray(ends.state)[:, None] == states[None]).all(-1)).argmax(1)
    return np.bincount(index, minlength=len(states)), energies


class Graded(NamedTuple):
    """Graded units along Euler's steps: energies (runs, steps + 1) of the first gain, the largest
    rise of a step over the largest |E|, and by gain the share of units on the two-state side."""

    energy: np.ndarray
    rise: float
    agree: tuple[float, ...]


def graded(run, stretch: float, d: int = 40, n: int = 4) -> Graded:
    """The network of 1984 with Hebb's couplings, from damaged patterns, in double precision.

    Steps are `stretch` times as long as 1/(20 gain).
    """
    starts = run.pick("graded.starts", quick=4, full=16)
    steps = run.pick("graded.steps", quick=300, full=4000)
    rng = np.random.default_rng(run.seed + 13)
    with jax.enable_x64(True):
        rows = rng.choice([-1.0, 1.0], (n, d))
        memory = hopfield_network(rows)
        damaged = np.where(rng.random((starts, d)) < 0.15, -1.0, 1.0)
        cues = damaged * rows[rng.integers(0, n, starts)]
        settled = np.asarray(retrieve(memory, cues).state)
        energies, rises, agree = [], [], []
        for gain in GAINS:
            # No step is turned back: Euler's plain steps must fall by themselves.
            dynamics = Euler(stretch * 0.05 / gain, max_steps=steps, backtracking=False)
            ends = retrieve(graded_network(memory, gain), cues / gain, dynamics, path=True)
            energy = np.asarray(ends.energies)
            energies.append(energy)
            rises.append(np.diff(energy, axis=1).max() / np.abs(energy).max())
            agree.append(float(np.mean(np.sign(ends.state) == settled)))
    return Graded(energies[0], float(max(rises)), tuple(agree))


class Images(NamedTuple):
    """Real images as signs, stored and cued (n, d), what each rule made of the cues, the share that
    came back, and the mean |overlap| of two."""

    stored: np.ndarray
    cues: np.ndarray
    ends: dict[str, np.ndarray]
    shape: tuple[int, ...]
    exact: dict[str, float]
    correlation: float


def images(run, rules=("Hebb", "Projection"), count: int = 30) -> Images:
    """Images above their median are +1; a tenth of the units of each cue is flipped."""
    dataset = run.load()
    pixels = np.asarray(dataset.x[:count])
    signs = np.where(pixels > np.median(pixels, axis=1, keepdims=True), 1.0, -1.0)
    rng = np.random.default_rng(run.seed)
    cues = np.where(rng.random(signs.shape) < FLIPPED, -signs, signs)
    ends = {name: np.asarray(retrieve(RULES[name](signs), cues).state) for name in rules}
    exact = {name: float((state == signs).all(1).mean()) for name, state in ends.items()}
    overlaps = np.abs(signs @ signs.T / signs.shape[1])[~np.eye(count, dtype=bool)]
    return Images(signs, cues, ends, dataset.shape, exact, float(overlaps.mean()))
