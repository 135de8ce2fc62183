"""Steps and slopes beside theirs by hand, stationary laws, and energies trained on data."""

import functools
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from attrax import evaluate
from attrax.dynamics import Euler, Langevin
from attrax.models import EnergySum, energy_model
from attrax.nn import bound_spectral_norms
from attrax.retrieval import retrieve
from attrax.separation import Softmax
from attrax.similarity import Euclidean
from attrax.stores.rows import Memory
from attrax.training import (
    LangevinSampler,
    ReplayBuffer,
    contrastive_energy_loss,
    train,
    train_energy,
)

from ..contract import NotRun, wide

# Eight modes on a circle of radius 1 in a square, with their standard deviation.
ANGLES = np.arange(8) * np.pi / 4
MODES, SPREAD, SIDE = np.stack([np.cos(ANGLES), np.sin(ANGLES)], 1), 0.1, 2.0
# Of the Gaussian energies: curvatures, and the product ηk of step and the largest curvature.
CURVATURES, STEP = np.array([1.0, 4.0]), 0.125


def quartic(state):
    """An energy of two valleys in each entry, whose slope is x³ − x."""
    return jnp.sum(state**4 / 4 - state**2 / 2)


@wide
def steps(run) -> float:
    """Chains beside a loop in NumPy: noise, slope, clipping of both, in the order of the code."""
    starts = np.random.default_rng(run.seed).normal(size=(50, 6))
    key, bounds = jax.random.key(run.seed), (-0.9, 1.1)
    sampler = LangevinSampler(30, step=0.3, noise=0.1, limit=0.2, bounds=bounds)
    found, rows = sampler(quartic, starts, key=key), starts
    for i in range(30):
        noise = np.asarray(jax.random.normal(jax.random.fold_in(key, i), rows.shape))
        rows = rows + 0.1 * noise
        rows = np.clip(rows - 0.3 * np.clip(rows**3 - rows, -0.2, 0.2), *bounds)
    return float(np.abs(np.asarray(found) - rows).max())


@wide
def slopes(run) -> dict[str, float]:
    """The slope of the loss less that of −ln p, of energies of 40 states, by objective.

    The states have probabilities n/Σn of whole numbers n at θ = 0, so that a list in which each
    stands n times has exactly the model's density. "logsumexp" is given every state once.
    """
    rng = np.random.default_rng(run.seed)
    counts, features = rng.integers(1, 6, 40), rng.normal(size=(40, 7))
    seen = rng.integers(0, 40, 25)
    drawn = np.repeat(np.arange(40), counts)

    def energies(theta):
        return -jnp.log(jnp.asarray(counts, float)) + jnp.tanh(features @ theta)

    def surprise(theta):
        every = energies(theta)
        return jnp.mean(every[seen]) + jax.nn.logsumexp(-every)

    def loss(theta, objective, states):
        every = energies(theta)
        return contrastive_energy_loss(every[seen], every[states], objective=objective, penalty=0.0)

    theta = jnp.zeros(7)
    wanted, found = jax.grad(surprise)(theta), {}
    for objective, states in (("contrastive", drawn), ("logsumexp", np.arange(40))):
        slope = jax.grad(loss)(theta, objective, states)
        found[objective] = float(jnp.max(jnp.abs(slope - wanted)))
    return found


def valley(state):
    """½ Σ k x²."""
    return jnp.sum(jnp.asarray(CURVATURES, state.dtype) * state**2) / 2


class Variances(NamedTuple):
    """Stationary variances in a valley over T/k, (draws, curvatures), by sampler."""

    jitter: np.ndarray
    plain: np.ndarray
    adjusted: np.ndarray


def variances(run) -> Variances:
    """Chains of the sampler, of the steps that the paper prints, and of those with refusals, at
    T = 1, step η = 1/8 and curvatures of 1 and 4."""
    draws = run.pick("variances.draws", quick=6, full=30)
    rows, noise = np.zeros((4000, 2), np.float32), (2 * STEP) ** 0.5
    sampler = LangevinSampler(150, step=STEP, noise=noise, limit=None, bounds=None)
    follow = eqx.filter_jit(lambda key: sampler(valley, rows, key=key))
    model, found = energy_model(valley, 2), []
    for draw in range(draws):
        key = jax.random.key(run.seed + draw)
        states = [follow(key)]
        for adjusted in (False, True):
            dynamics = Langevin(1.0, step=STEP, steps=150, adjusted=adjusted)
            states.append(retrieve(model, rows, dynamics, key=key).state)
        found.append([np.mean(np.asarray(x) ** 2, axis=0) * CURVATURES for x in states])
    return Variances(*np.array(found).transpose(1, 0, 2))


class Product(NamedTuple):
    """The sum of two Gaussian energies: how far it is from that of the product, and over theory
    the variances of its samples along the axes of the product, by draw."""

    difference: float
    ratios: np.ndarray


@wide
def product(run) -> Product:
    """Sums of two Gaussian energies that are not aligned, and chains down the sum."""
    rng = np.random.default_rng(run.seed)
    first, second = (x @ x.T + np.eye(3) for x in rng.normal(size=(2, 3, 3)))
    means = rng.normal(size=(2, 3))
    joint = first + second
    centre = np.linalg.solve(joint, first @ means[0] + second @ means[1])

    def gaussian(precision, mean):
        return lambda x: (x - mean) @ jnp.asarray(precision) @ (x - mean) / 2

    both = EnergySum([gaussian(first, means[0]), gaussian(second, means[1])])
    points = rng.normal(size=(100, 3))
    apart = jax.vmap(both)(jnp.asarray(points)) - jax.vmap(gaussian(joint, centre))(points)
    curvatures, axes = np.linalg.eigh(joint)
    step = 0.5 / curvatures.max()
    sampler = LangevinSampler(200, step=step, noise=(2 * step) ** 0.5, limit=None, bounds=None)
    expected = (1 - step * curvatures) ** 2 / (1 - step * curvatures / 2) / curvatures
    starts, ratios = np.tile(centre, (4000, 1)), []
    follow = eqx.filter_jit(lambda key: sampler(both, starts, key=key))
    for draw in range(run.pick("product.draws", quick=6, full=30)):
        states = np.asarray(follow(jax.random.key(run.seed + draw)))
        ratios.append(np.mean(((states - centre) @ axes) ** 2, axis=0) / expected)
    return Product(float(jnp.max(apart) - jnp.min(apart)), np.array(ratios))


def modes(count: int, rng) -> np.ndarray:
    """Points of the eight modes."""
    drawn = MODES[rng.integers(0, 8, count)] + SPREAD * rng.normal(size=(count, 2))
    return drawn.astype(np.float32)


def energy_of_memory(memory):
    """−ln Σ_μ exp(−½β |x − ξ_μ|²), of density exp(−E) but for a constant."""
    return functools.partial(scaled, memory)


def scaled(memory, state):
    """β times the energy of a memory."""
    return memory.separation.beta * memory.energy(state)


def log_density(memory, rows):
    """ln p of rows under the density of a memory: a mixture of N Gaussians of variance 1/β."""
    beta, width = memory.separation.beta, memory.width
    norm = 0.5 * width * jnp.log(2 * jnp.pi / beta) + jnp.log(float(len(memory.keys)))
    return -jax.vmap(energy_of_memory(memory))(rows) - norm


def surprise(memory, rows):
    """Mean −ln p, which is known here, for energies of networks are not."""
    return -jnp.mean(log_density(memory, rows))


class Mixtures(NamedTuple):
    """By seed: mean ln p of new data at the start, after training by samples from a buffer, from
    noise alone, and after training by −ln p itself; the least share of a mode among chains, and the
    share of chains of the sum with a bar that lie in both supports; and states of the last seed."""

    start: np.ndarray
    buffer: np.ndarray
    noise: np.ndarray
    exact: np.ndarray
    truth: float
    least: np.ndarray
    both: np.ndarray
    samples: np.ndarray
    joint: np.ndarray
    memory: Memory


def bar(state):
    """A band about the first axis, of standard deviation 0.1."""
    return state[1] ** 2 / (2 * SPREAD**2)


def mixtures(run) -> Mixtures:
    """Memories of 32 rows that learn eight modes, by Adam at 0.01 and 10 steps of chains."""
    steps = run.pick("mixtures.steps", quick=600, full=2000)
    optimizer, table = optax.adam(1e-2, b1=0.0, b2=0.999), []
    bounds, eta = (-SIDE, SIDE), 0.001
    sampler = LangevinSampler(10, step=eta, noise=(2 * eta) ** 0.5, limit=None, bounds=bounds)
    long = LangevinSampler(1000, step=eta, noise=(2 * eta) ** 0.5, limit=None, bounds=bounds)
    follow = eqx.filter_jit(lambda energy, rows, key: long(energy, rows, key=key))
    value = eqx.filter_jit(lambda memory, rows: jnp.mean(log_density(memory, rows)))
    for seed in range(run.seed, run.seed + 3):
        rng = np.random.default_rng(seed)
        data, new = modes(5000, rng), modes(5000, rng)
        start = Memory(
            rng.uniform(-1, 1, (32, 2)).astype(np.float32),
            similarity=Euclidean(),
            separation=Softmax(10.0),
        )
        options = {
            **{"steps": steps, "batch_size": 256, "every": 200, "optimizer": optimizer},
            "key": jax.random.key(seed),
        }
        learnt = [
            train_energy(
                start,
                data,
                energy=energy_of_memory,
                sampler=sampler,
                penalty=0.0,
                buffer=ReplayBuffer(5000, 2, bounds=bounds, restart=restart),
                **options,
            ).model
            for restart in (0.05, 1.0)
        ]
        del options["every"]
        exact = train(start, surprise, data, **options).model
        values = [float(value(memory, new)) for memory in (start, *learnt, exact)]
        starts = rng.uniform(-SIDE, SIDE, (1000, 2)).astype(np.float32)
        key = jax.random.key(seed)
        samples = np.asarray(follow(functools.partial(scaled, learnt[0]), starts, key))
        both = EnergySum([functools.partial(scaled, learnt[0]), bar])
        joint = np.asarray(follow(both, starts, key))
        table.append([*values, shares(samples).min(), inside(joint).mean()])
    before, buffer, noise, exact, least, inside_both = np.array(table).T
    distance = np.sum((new[:, None] - MODES) ** 2, axis=-1) / (2 * SPREAD**2)
    density = np.mean(np.exp(-distance), axis=1) / (2 * np.pi * SPREAD**2)
    truth = float(np.mean(np.log(density)))
    return Mixtures(
        before, buffer, noise, exact, truth, least, inside_both, samples, joint, learnt[0]
    )


def shares(samples) -> np.ndarray:
    """How many samples are nearest to each mode, of all."""
    nearest = np.sum((samples[:, None] - MODES) ** 2, axis=-1).argmin(1)
    return np.bincount(nearest, minlength=8) / len(samples)


def inside(samples) -> np.ndarray:
    """Whether a sample lies within four standard deviations of a mode, and of the bar."""
    away = np.sqrt(np.sum((samples[:, None] - MODES) ** 2, axis=-1)).min(1)
    return (away < 4 * SPREAD) & (np.abs(samples[:, 1]) < 4 * SPREAD)


class Images(NamedTuple):
    """By seed: areas under the ROC curve of noise and of clothes; squared errors a pixel before
    and after restoration of noisy and of half-hidden images, and of the latter also after a descent
    that no bounds hold; gaps of the last quarter of steps; and the largest slope over data and
    noise. Then rows of pictures: images, damaged, restored."""

    noise: np.ndarray
    clothes: np.ndarray
    noisy: np.ndarray
    hidden: np.ndarray
    gap: np.ndarray
    slope: np.ndarray
    energies: tuple[np.ndarray, ...]
    pictures: np.ndarray


def digits(run) -> tuple[np.ndarray, np.ndarray]:
    """The digits of scikit-learn, 8 × 8, shuffled: to train on and to test with."""
    rows = np.asarray(run.load("digits").x).reshape(-1, 64)
    rows = rows[np.random.default_rng(0).permutation(len(rows))]
    return rows[:1400], rows[1400:]


def clothes(run) -> np.ndarray:
    """Fashion-MNIST with a border of two pixels, averaged to 8 × 8."""
    images = np.asarray(run.load("sample").x).reshape(-1, 28, 28)
    wide = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    return wide.reshape(-1, 8, 4, 8, 4).mean((2, 4)).reshape(-1, 64)


def images(run, bounded: bool = True) -> Images:
    """Networks of 64, 128, 128 and 1 units, with spectral norms of at most 1 or without bound, by
    20 steps of chains as published for CIFAR-10."""
    if not bounded and run.profile == "quick":
        raise NotRun("needs minutes: attrax reproduce implicit-ebm --profile full")
    rows, test = digits(run)
    known = np.arange(64) < 32
    sampler, fill = LangevinSampler(20), LangevinSampler(60)
    steps = run.pick("images.steps", quick=300, full=1500)
    table, seeds = [], run.pick("images.seeds", quick=2, full=3)
    for seed in range(run.seed, run.seed + seeds):
        key, rng = jax.random.key(seed), np.random.default_rng(seed)
        network = eqx.nn.MLP(64, "scalar", 128, 2, jax.nn.silu, key=key)
        trained = train_energy(
            *(network, rows),
            steps=steps,
            batch_size=64,
            energy=bound_spectral_norms if bounded else None,
            sampler=sampler,
            optimizer=adam(),
            key=key,
        )
        energy = bound_spectral_norms(trained.model) if bounded else trained.model
        uniform = rng.random(test.shape).astype(np.float32)
        values = [np.asarray(evaluated(energy, x)[0]) for x in (test, uniform, clothes(run))]
        slope = max(float(evaluated(energy, x)[1].max()) for x in (test, uniform))
        noisy = np.clip(test + 0.3 * rng.normal(size=test.shape), 0, 1).astype(np.float32)
        cleaned = np.asarray(chains(sampler, energy, noisy, key))
        hidden = np.where(known, test, 0)
        # Chains start from noise where nothing is known, as in training.
        filled = np.asarray(chains(fill, energy, np.where(known, test, uniform), key, known))
        dynamics = Euler(10.0, backtracking=True, max_steps=60)
        free = np.asarray(retrieve(energy_model(energy, 64), hidden, dynamics, known=known).state)
        areas = [float(evaluate.auroc(values[0], x)) for x in values[1:]]
        noisily = error(noisy, test), error(cleaned, test)
        halves = error(hidden, test), error(filled, test), error(free, test)
        gap = float(np.mean(np.asarray(trained.gaps)[-steps // 4 :]))
        table.append((*areas, noisily, halves, gap, slope))
    strange, dressed, restored, completed, gaps, slopes = (
        np.array(x) for x in zip(*table, strict=True)
    )
    shown = np.stack([test, noisy, cleaned, hidden, filled])[:, :8].reshape(5, 8, 8, 8)
    return Images(strange, dressed, restored, completed, gaps, slopes, tuple(values), shown)


@functools.cache
def adam():
    """As published, but three times as fast, for a small network."""
    return optax.adam(1e-3, b1=0.0, b2=0.999)


@eqx.filter_jit
def evaluated(energy, rows):
    """Energies of rows, and the lengths of their slopes."""
    values, slopes = jax.vmap(jax.value_and_grad(energy))(rows)
    return values, jnp.sqrt(jnp.sum(slopes**2, axis=1))


@eqx.filter_jit
def chains(sampler, energy, rows, key, known=None):
    """Where chains from rows end."""
    return sampler(energy, rows, known=known, key=key)


def error(rows, others) -> float:
    """The mean squared error of a pixel."""
    return float(np.mean((rows - others) ** 2))


class Baselines(NamedTuple):
    """Squared errors a pixel of what needs no energy: the best filter of each pixel by itself for
    noise, and the mean image, and the nearest training image by known pixels, for hidden ones."""

    filtered: float
    mean: float
    nearest: float


def baselines(run) -> Baselines:
    """The same damages of the same images, mended otherwise."""
    rows, test = digits(run)
    noisy = np.clip(test + 0.3 * np.random.default_rng(run.seed).normal(size=test.shape), 0, 1)
    mean, variance, known = rows.mean(0), rows.var(0), np.arange(64) < 32
    share = variance / (variance + 0.3**2)
    nearest = rows[((test[:, None, :32] - rows[None, :, :32]) ** 2).sum(-1).argmin(1)]
    filled = [np.where(known, test, other) for other in (mean, nearest)]
    return Baselines(error(mean + share * (noisy - mean), test), *(error(x, test) for x in filled))


def largest_slope(run) -> float:
    """The largest |∇E| of networks with weights of every size, spectral norms brought to 1, over
    1.1², twice the largest slope of swish."""
    worst = 0.0
    points = np.random.default_rng(run.seed).normal(size=(2000, 16)).astype(np.float32)
    for scale in (1.0, 10.0, 100.0):
        network = eqx.nn.MLP(16, "scalar", 32, 2, jax.nn.silu, key=jax.random.key(run.seed))
        network = jax.tree.map(lambda x, c=scale: c * x if eqx.is_array(x) else x, network)
        worst = max(worst, float(evaluated(bound_spectral_norms(network), points)[1].max()))
    return worst / 1.0998394**2
