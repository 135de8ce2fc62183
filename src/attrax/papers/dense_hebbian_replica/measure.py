"""Energies against enumeration, first steps, Monte Carlo at several sizes, and states at rest."""

import itertools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from attrax import theory
from attrax.dynamics import Asynchronous, Glauber
from attrax.evaluate import extrapolate
from attrax.models import BinaryMemory, ManyBodyMemory, dense_hebbian_memory
from attrax.retrieval import retrieve
from attrax.separation import Power

from ..contract import NotRun, wide


class Network(NamedTuple):
    """P, quality r and number M of examples, α, and whether there is a teacher."""

    degree: int
    quality: float
    examples: int
    load: float
    teacher: bool = True

    @property
    def entropy(self) -> float:
        """ρ."""
        return float(theory.dataset_entropy(self.quality, self.examples))

    @property
    def noise_load(self) -> float:
        """The load of the network with a teacher that has as much noise."""
        if self.teacher:
            return self.load
        return float(theory.unsupervised_load(self.load, *self[1:3], self.degree))

    def archetypes(self, d: int) -> int:
        """K = α d^{P−1}, and 4 for a load of zero."""
        return round(self.load * d ** (self.degree - 1)) or 4


FEW = Network(4, 0.1, 1000, 0.0)
LOADED = Network(4, 0.1, 1000, 0.005)
TAUGHT = Network(3, 3**-0.5, 20, 0.04)
ALONE = TAUGHT._replace(teacher=False)
STEPS = {
    "perfect": Network(4, 1.0, 1, 0.03),
    "noisy": Network(4, 0.3, 60, 0.02),
    "alone": Network(4, 0.6, 20, 0.01, teacher=False),
}
SIGNS = np.array([-1, 1], np.float32)
TEMPERATURES = tuple(np.arange(1, 9) / 100)
LOADS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.12)


def draw(rng, network: Network, d: int) -> tuple[Any, np.ndarray, np.ndarray]:
    """A memory, its archetypes, and the mean of the examples of each.

    With a teacher only means count, which are binomial.
    """
    count, m, chance = network.archetypes(d), network.examples, (1 + network.quality) / 2
    archetypes = rng.choice(SIGNS, (count, d))
    if network.teacher:
        right = 2 * rng.binomial(m, chance, (count, d)) / m - 1
        means = (archetypes * right).astype(np.float32)
        return dense_hebbian_memory(means[:, None], network.degree), archetypes, means
    kept = rng.random((count, m, d), np.float32) < chance
    examples = np.where(kept, archetypes[:, None], -archetypes[:, None])
    memory = dense_hebbian_memory(examples, network.degree, supervised=False)
    return memory, archetypes, examples.mean(axis=1)


@wide
def enumeration(run) -> float:
    """Energies and gaps against sums over all groups: the largest error, over the largest term."""
    rng, d, off = np.random.default_rng(run.seed), 10, 0.0
    examples = rng.choice([-1.0, 1.0], (3, 4, d))
    states = rng.choice([-1.0, 1.0], (5, d))
    for degree, teacher in itertools.product((2, 3, 4, 6), (True, False)):
        memory: Any = dense_hebbian_memory(examples, degree, supervised=teacher)
        scale = np.mean(examples.mean(axis=1) ** 2) ** (degree / 2) * d ** (degree - 1)
        rows = examples.mean(axis=1) if teacher else examples.reshape(-1, d)
        groups = np.array(list(itertools.combinations(range(d), degree)))

        def energy(state, rows=rows, groups=groups, teacher=teacher, scale=scale):
            products = np.prod((rows * state)[:, groups], axis=2)
            return -products.sum() / scale / (1 if teacher else examples.shape[1])

        energies, drives = (np.asarray(a) for a in _energies_and_drives(memory, states))
        for state, mine, drive in zip(states, energies, drives, strict=True):
            flips = np.where(np.eye(d, dtype=bool), -state, state)
            rises = np.array([energy(flip) for flip in flips]) - energy(state)
            right = np.append(energy(state), rises * state)
            error = np.abs(np.append(mine, 2 * drive) - right)
            off = max(off, float(np.max(error) / np.max(np.abs(right))))
    return off


def sampled(run, temperature: float = 0.1) -> np.ndarray:
    """Mean energy of samples less that of all states, in standard deviations, by network."""
    chains = run.pick("sampled.chains", quick=1000, full=4000)
    rng, d, ratios = np.random.default_rng(run.seed), 10, []
    states = np.array(list(itertools.product((-1, 1), repeat=d)), np.float32)
    for i in range(8):
        memory = dense_hebbian_memory(rng.choice([-1.0, 1.0], (3, 5, d)))
        energies = np.asarray(_energies(memory, states), np.float64)
        chances = np.exp(-(energies - energies.min()) / 0.1)
        chances /= chances.sum()
        mean = chances @ energies
        starts, key = states[rng.integers(0, len(states), chains)], jax.random.key(run.seed)
        found = retrieve(
            memory, starts, Glauber(temperature, sweeps=100), key=jax.random.fold_in(key, i)
        )
        spread = math.sqrt(chances @ (energies - mean) ** 2)
        ratios.append((float(np.mean(np.asarray(found.energy))) - mean) / spread)
    return np.array(ratios)


@jax.jit
def _energies(memory, states):
    return jax.vmap(memory.state_energy)(states)


@jax.jit
def _energies_and_drives(memory, states):
    return jax.vmap(memory.state_energy)(states), jax.vmap(memory.drive)(states)


@jax.jit
def _pulled(memory, states):
    return jax.vmap(memory.pull)(states)


class Sized(NamedTuple):
    """A number at several sizes: means and standard errors, (sizes, ...)."""

    sizes: np.ndarray
    means: np.ndarray
    errors: np.ndarray

    def limit(self) -> tuple[np.ndarray, np.ndarray]:
        """What it tends to as d → ∞, by a line in 1/d, and the standard error."""
        line = extrapolate(self.sizes, self.means, self.errors)
        return np.asarray(line.value), np.asarray(line.error)


def gather(sizes, samples) -> Sized:
    """From samples of each size, (n, ...)."""
    means = np.array([sample.mean(axis=0) for sample in samples])
    spread = [sample.std(axis=0, ddof=1) / math.sqrt(len(sample)) for sample in samples]
    return Sized(np.array(sizes), means, np.maximum(spread, 1e-5))


def first_step(run, name: str) -> Sized:
    """The overlap with an archetype after one step from it, all units at once."""
    sizes = run.pick("step.sizes", quick=(40, 64), full=(40, 64, 96))
    draws, probes = run.pick("step.draws", quick=20, full=20), 32
    rng, samples = np.random.default_rng(run.seed), []
    for d in sizes:
        found = []
        for _ in range(draws):
            memory, archetypes, _ = draw(rng, STEPS[name], d)
            starts = archetypes[:probes]
            found.append(np.mean(np.asarray(_pulled(memory, starts)) * starts, axis=1))
        samples.append(np.concatenate(found))
    return gather(sizes, samples)


def warm(run, network, d, dynamics, skip, chains, number) -> tuple[np.ndarray, np.ndarray]:
    """Overlaps with archetypes and means of their examples, by chain and sweep, started there."""
    rng = np.random.default_rng((run.seed, d, number))
    memory, archetypes, means = draw(rng, network, d)
    starts = archetypes[:chains]
    key = jax.random.fold_in(jax.random.key(run.seed), 1000 * d + number)
    path = np.asarray(retrieve(memory, starts, dynamics, key=key, path=True).path)[:, 1 + skip :]
    level = math.sqrt(np.mean(means**2)) * d
    return (
        np.einsum("csd,cd->cs", path, starts) / d,
        np.einsum("csd,cd->cs", path, means[:chains]) / level,
    )


def heated(run) -> Sized:
    """m and z of few archetypes at each temperature, (sizes, 2, temperatures), heated slowly."""
    sizes = run.pick("heated.sizes", quick=(192, 384), full=(256, 512, 768))
    draws, sweeps = run.pick("heated.draws", quick=(16, 8), full=(8, 40))
    levels = jnp.asarray(TEMPERATURES)
    dynamics = Glauber(lambda sweep: levels[sweep // sweeps], sweeps=sweeps * levels.size)
    samples = []
    for d in sizes:
        found = [np.stack(warm(run, FEW, d, dynamics, 0, 4, i), 1) for i in range(draws)]
        parted = np.concatenate(found).reshape(-1, 2, levels.size, sweeps)
        samples.append(parted[..., sweeps // 3 :].mean(axis=-1))
    return gather(sizes, samples)


def magnetised(run, network: Network, temperature: float) -> Sized:
    """M and z of an archetype among many at a temperature, (sizes, 2), of chains that stay."""
    many = {3: ((100, 200), (100, 160, 240)), 4: ((64, 112), (80, 112, 160))}
    quick, full = many[network.degree]
    sizes = run.pick(f"magnetised.sizes P = {network.degree}", quick=quick, full=full)
    # Without a teacher there is more noise, and more draws have to be made.
    few = 5 if network.teacher else 0
    draws, chains, sweeps = run.pick(
        f"magnetised.draws, teacher: {network.teacher}", quick=(few, 16, 9), full=(20, 16, 12)
    )
    if not draws:
        raise NotRun("needs a minute: attrax reproduce dense-hebbian-replica --profile full")
    samples = []
    for d in sizes:
        dynamics = Glauber(temperature, sweeps=sweeps)
        found = []
        for i in range(draws):
            overlaps = warm(run, network, d, dynamics, sweeps // 3, chains, i)
            # Small networks leave the state that theory is about, which is metastable.
            stayed = overlaps[0].min(axis=1) > 0.5
            found.append(np.stack([x[stayed].mean(axis=1) for x in overlaps], axis=1))
        samples.append(np.concatenate(found))
    return gather(sizes, samples)


def expected(network: Network, temperature: Any) -> theory.TaughtOrderParameters:
    """The order parameters of theory."""
    # As many points at a time as `heated` has: one program serves all claims.
    count, shape = np.size(temperature), np.shape(temperature)
    points = np.resize(temperature, max(len(TEMPERATURES), count))
    solved = theory.dense_hebbian_order_parameters(
        network.noise_load, points, network.degree, network.entropy
    )
    return theory.TaughtOrderParameters(*(a[:count].reshape(shape) for a in solved))


def at_rest(run, d: int) -> np.ndarray:
    """Overlaps with perfect archetypes, one unit after another from there, (draws, loads)."""
    draws, chains = run.pick("rest.draws", quick=6, full=20), 16
    rng, overlaps = np.random.default_rng(run.seed), []
    for _ in range(draws):
        archetypes = rng.choice(SIGNS, (round(max(LOADS) * d**3), d))
        row = []
        for load in LOADS:
            # Rows of zeros add nothing, and let one program serve all loads.
            stored = np.arange(len(archetypes))[:, None] < round(load * d**3)
            memory = ManyBodyMemory(np.where(stored, archetypes, 0), 4)
            rest = retrieve(memory, archetypes[:chains], Asynchronous(max_steps=50)).state
            row.append(np.mean(np.asarray(rest) * archetypes[:chains]))
        overlaps.append(row)
    return np.array(overlaps)


def repeated(run, load: float, d: int = 32) -> np.ndarray:
    """Overlaps after a step of all units, (draws, 3 memories, 2 starts).

    By groups of four different units, by fourth powers without self-term and with it; started at
    an archetype, and at random.
    """
    rng, overlaps = np.random.default_rng(run.seed), []
    for _ in range(run.pick("repeated.draws", quick=20, full=20)):
        archetypes = rng.choice(SIGNS, (round(load * d**3), d))
        starts = np.stack([archetypes[:8], rng.choice(SIGNS, (8, d))])
        power = Power(3, scale=float(d))
        memories = [ManyBodyMemory(archetypes, 4)]
        memories += [BinaryMemory(archetypes, power, self_term=own) for own in (False, True)]
        steps = [np.asarray(_pulled(memory, starts.reshape(16, d))) for memory in memories]
        overlaps.append([np.mean(step.reshape(starts.shape) * starts, (1, 2)) for step in steps])
    return np.array(overlaps)


def pictures(run, degree: int, rows: str = "archetypes") -> np.ndarray:
    """The share of images of classes that come back, by level of noise and draw.

    A pixel is bright if it is brighter than the median of the classes' means there. Rows are the
    means themselves so cut ("archetypes"), or means of single images so cut ("examples").
    """
    dataset = run.load()
    labels = np.unique(dataset.y)
    means = np.stack([dataset.x[dataset.y == label].mean(axis=0) for label in labels])
    if rows == "examples":
        bright = np.where(dataset.x > np.median(means, axis=0), 1.0, -1.0)
        means = np.stack([bright[dataset.y == label].mean(axis=0) for label in labels])
        kept, archetypes = means, np.where(means > 0, np.float32(1), np.float32(-1))
    else:
        kept = archetypes = np.where(
            means > np.median(means, axis=0), np.float32(1), np.float32(-1)
        )
    memory = dense_hebbian_memory(kept[:, None].astype(np.float32), degree)
    draws = run.pick("pictures.draws", quick=5, full=20)
    rng, shares = np.random.default_rng(run.seed), []
    for level in NOISE:
        flips = rng.random((draws, *archetypes.shape)) < level
        cues = np.where(flips, -archetypes, archetypes).reshape(-1, archetypes.shape[1])
        rest = np.asarray(retrieve(memory, cues, Asynchronous()).state).reshape(flips.shape)
        shares.append(np.mean(np.mean(rest * archetypes, axis=2) > 0.95, axis=1))
    return np.array(shares)


NOISE = (0.1, 0.2, 0.3, 0.4)
