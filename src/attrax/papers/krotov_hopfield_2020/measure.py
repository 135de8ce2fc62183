"""The models A, A′, B and C of random memories, their energies, limits and capacity, measured."""

from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from attrax import evaluate, models
from attrax.dynamics import Euler, Iterate, Outcome
from attrax.evaluate import Descent, velocity
from attrax.hierarchical import AbstractLagrangian, HierarchicalMemory, Neurons
from attrax.retrieval import retrieve
from attrax.separation import Power

from ..contract import wide

MODELS = ("A", "A′", "B", "C")
FEATURES, MEMORIES = 40, 12
GAIN = 2.0
# Time constant of memory neurons and Euler's step, in units of the features' τ_f.
TAU, STEP = 0.2, 1e-3
TAUS = (1.0, 0.1, 0.01, 0.001, 0.0001)
DECAYS = (0.0, 0.3, 1.0)
# The length of the memories, so that in every model what drives a feature is of the order of its
# state: then no rate is much faster than 1/τ_f, and neither is τ_h = 0.1 slow.
_LENGTHS = {"A": 1.0, "A′": 1.5, "B": 3.0, "C": 2.0}
_MAKE = {
    "A": models.binary_dense_memory,
    "A′": models.graded_network,
    "B": models.log_sum_exp_memory,
    "C": models.spherical_memory,
}


def memories(run, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Random memories ξ (MEMORIES, FEATURES) and a constant input I (FEATURES,)."""
    rng = np.random.default_rng([run.seed, 0])
    rows = rng.standard_normal((MEMORIES, FEATURES)) * (_LENGTHS[name] / np.sqrt(FEATURES))
    return rows, 0.3 * rng.standard_normal(FEATURES)


def network(run, name: str, tau: float = TAU, **options: Any) -> HierarchicalMemory:
    """Model A (with smooth features), A′, B or C."""
    rows, drive = memories(run, name)
    own = {"gain": GAIN} if name == "A" else {}
    return _MAKE[name](rows, **{"tau": tau, "input": drive, **own, **options})


def starts(run) -> int:
    """How many runs begin at random states."""
    return run.pick("starts", quick=4, full=32)


def points(run, memory: HierarchicalMemory) -> dict[str, np.ndarray]:
    """Random states at which equations are compared."""
    return evaluate.draw_states(memory, run.pick("points", quick=32, full=512), run.seed + 1)


@wide
def descent(run, name: str, step: float = STEP) -> Descent:
    """Euler's steps for 8 τ_f."""
    memory = network(run, name)
    begin = evaluate.draw_states(memory, starts(run), run.seed + 1)
    return evaluate.record_energies(memory, begin, step, run.pick("steps", quick=8000, full=8000))


@wide
def decays(run) -> tuple[Descent, ...]:
    """Model C with each decay, from the same states; without any, it is taken off by hand."""
    plain, steps = network(run, "C"), run.pick("steps", quick=8000, full=8000)
    begin = evaluate.draw_states(plain, starts(run), run.seed + 1)

    def free(states):
        moved = velocity(plain, states)
        return {**moved, "feature": moved["feature"] + states["feature"]}

    def follow(decay):
        if decay == 0:
            return evaluate.record_energies(plain, begin, STEP, steps, field=free)
        return evaluate.record_energies(network(run, "C", decay=decay), begin, STEP, steps)

    return tuple(follow(decay) for decay in DECAYS)


@wide
def rates(run, name: str) -> evaluate.EnergyRates:
    """Ė in two ways at random states."""
    memory = network(run, name)
    return evaluate.energy_rates(memory, points(run, memory))


@wide
def effective(run, name: str) -> float:
    """The largest relative difference of the effective energy from the formula of the table, of
    the network and of the one with fast memory neurons."""
    whole, fast = network(run, name), network(run, name, tau=0.0)
    states = points(run, fast)

    @eqx.filter_jit
    def both(whole, fast, states):
        ours = jax.vmap(lambda x: models.effective_energy(whole, x))(states)
        return ours, jax.vmap(fast.energy)(states)

    expected = FORMULAS[name](states["feature"], *memories(run, name))
    apart = [np.abs(np.asarray(ours) - expected) for ours in both(whole, fast, states)]
    return float(np.max(apart / np.maximum(np.abs(expected), 1)))


def _graded(v, rows, drive):
    """Hopfield's energy of 1984, with the integral of the inverse activation in closed form."""
    g = np.tanh(v)
    # ∫₀^g arctanh, written so that nothing is lost where g is next to ±1.
    inverse = 0.5 * ((1 + g) * np.log1p(g) + (1 - g) * np.log1p(-g))
    return -0.5 * np.square(g @ rows.T).sum(-1) + inverse.sum(-1) - g @ drive


def _dense(v, rows, drive):
    """F(h) = max(h, 0)³/3 of smooth features, whose own energy stays beside it."""
    g = np.tanh(GAIN * v)
    own = (v * g - np.log(np.cosh(GAIN * v)) / GAIN).sum(-1)
    return own - g @ drive - (np.maximum(g @ rows.T, 0) ** 3).sum(-1) / 3


def _log_sum_exp(v, rows, drive):
    return 0.5 * np.square(v).sum(-1) - v @ drive - np.log(np.exp(v @ rows.T).sum(-1))


def _spherical(v, rows, drive):
    g = v / np.linalg.norm(v, axis=-1, keepdims=True)
    return -np.exp(g @ rows.T).sum(-1) - g @ drive


FORMULAS = {"A": _dense, "A′": _graded, "B": _log_sum_exp, "C": _spherical}


@wide
def limit(run, name: str) -> evaluate.AdiabaticLimit:
    """The distance from the effective theory for memory neurons that are faster and faster."""
    whole, fast = network(run, name), network(run, name, tau=0.0)
    begin = evaluate.draw_states(fast, run.pick("limit.starts", quick=4, full=8), run.seed + 1)
    return evaluate.adiabatic_limit(whole, fast, begin, TAUS, time=5.0, steps=25_000)


@wide
def attention(run, step: float = 1.0) -> float:
    """The largest difference of one Euler step, dt = τ_f, from softmax attention in NumPy."""
    memory, (rows, _) = network(run, "B", tau=0.0, input=None), memories(run, "B")
    queries = points(run, memory)["feature"]
    state = retrieve(memory, queries, Euler(step, max_steps=1)).state
    scores = queries @ rows.T
    weights = np.exp(scores - scores.max(1, keepdims=True))
    expected = weights / weights.sum(1, keepdims=True) @ rows
    return float(np.max(np.abs(np.asarray(state) - expected)))


class Capacity(NamedTuple):
    """Shares (sizes, draws) of stored patterns that come back exactly, by numbers of neurons."""

    neurons: tuple[int, ...]
    features: int
    recalled: np.ndarray

    def at(self, least: float, most: float) -> np.ndarray:
        """By draw, the mean share where N_h/N_f² lies from `least` to `most`."""
        loads = np.array(self.neurons) / self.features**2
        return self.recalled[(loads >= least) & (loads <= most)].mean(0)


def capacity(run, flips: float = 0.1) -> Capacity:
    """Model A of degree three with one ±1 pattern a neuron, recalled from damaged cues."""
    features, probes = 100, 100
    neurons = run.pick(
        "capacity.neurons",
        quick=(5, 25, 100, 400, 1200),
        full=(5, 10, 25, 50, 100, 200, 400, 800, 1200),
    )

    def share(memory, patterns, key):
        probed = patterns[:probes]
        flipped = jax.random.bernoulli(key, flips, probed.shape)
        ends = retrieve(memory, jnp.where(flipped, -probed, probed), Iterate()).state
        stored = probed[:, 0] != 0
        return jnp.sum(jnp.all(ends == probed, axis=1) & stored) / jnp.sum(stored)

    draws, key = run.pick("capacity.draws", quick=4, full=20), jax.random.key(run.seed)
    shares = evaluate.ensemble(
        models.binary_dense_memory, share, neurons, features, draws=draws, key=key
    )
    return Capacity(neurons, features, shares)


class Cubic(AbstractLagrangian):
    """F = x³/3 without rectification, whose Hessian 2x is negative for negative states.

    The class says that it is convex, so that nothing refuses it.
    """

    lacks_convexity: ClassVar = None
    domain: ClassVar = "signed"
    non_negative: ClassVar = True
    elementwise: ClassVar = True

    def value(self, state):
        """Σ x³/3."""
        return jnp.sum(state**3) / 3

    def activation(self, state):
        """x²."""
        return state**2


@wide
def indefinite(run, rectified: bool = False) -> np.ndarray:
    """Whether the energy rises somewhere, run by run, if memory neurons are cubic."""
    good, own = network(run, "A"), Power(2, rectified=True) if rectified else Cubic()
    layers = {"feature": good.neurons["feature"], "memory": Neurons(MEMORIES, own, TAU)}
    bad = HierarchicalMemory(layers, {("feature", "memory"): good.synapses[0]})
    runs = run.pick("indefinite.runs", quick=64, full=256)
    begin = evaluate.draw_states(bad, runs, run.seed + 1)
    energy = evaluate.record_energies(
        bad, begin, STEP, run.pick("indefinite.steps", quick=2000, full=2000)
    )
    changes = np.diff(energy.energy, axis=1)
    # Runs whose energy leaves the range count by what they did before.
    rises = np.nanmax(np.where(np.isfinite(changes), changes, np.nan), axis=1)
    return (rises > 1e-9).astype(float)


@wide
def unbounded(run, norm: float) -> tuple[float, float, float]:
    """Shares of starts that diverge and that converge, and the energy of one after 50 τ_f: ReLU
    features in A′, with memories scaled to a largest eigenvalue `norm` of ξᵀξ."""
    rng = np.random.default_rng([run.seed, 2])
    # Positive memories, so that ReLU reaches the leading direction.
    rows = rng.random((MEMORIES, FEATURES))
    rows = rows * np.sqrt(norm) / np.linalg.norm(rows, 2)
    states = np.abs(rng.standard_normal((starts(run), FEATURES)))
    memory = models.graded_network(rows, Power(1, rectified=True))
    outcome = retrieve(memory, states, Euler(0.5, atol=1e-9, max_steps=20_000)).outcome
    ends = [float(jnp.mean(outcome == each)) for each in (Outcome.diverged, Outcome.converged)]
    energy = evaluate.record_energies(memory, {"feature": states[:1]}, 0.05, 1000).energy[0, -1]
    return ends[0], ends[1], float(energy)


class LongSteps(NamedTuple):
    """Euler's method with steps in units of τ_h: the largest rise over all starts, the energies of
    one start, and what the certificate says of the longest step."""

    steps: tuple[float, ...]
    rise: np.ndarray
    energies: tuple[np.ndarray, ...]
    summary: str


@wide
def long_steps(run, tau: float = TAU) -> LongSteps:
    """Run model A with steps of up to 2 τ_h; memory neurons are eliminated if `tau` is 0."""
    memory, steps = network(run, "A", tau=tau), (0.1, 1.0, 1.5, 2.0)
    queries = evaluate.draw_states(memory, starts(run), run.seed + 1)["feature"]

    def certified(step):
        dynamics = Euler(TAU * step, rtol=0.0, atol=1e-300, max_steps=400)
        return retrieve(memory, queries, dynamics, path=True, certify=True)

    runs = [certified(step) for step in steps]
    rise = np.array([evaluate.largest_rise(each).max() for each in runs])
    certificate = runs[-1].certificate
    summary = "" if certificate is None else certificate.summary()
    return LongSteps(steps, rise, tuple(np.asarray(each.energies)[0] for each in runs), summary)


@wide
def driven(run, changing: float = 1.0) -> float:
    """How far Ė under an input that changes at the rate İ is from the quadratic form − İᵀg.

    The rate that the energy is differentiated by is `changing` times that of the formula.
    """
    memory = network(run, "A′")
    states = points(run, memory)
    rate = np.random.default_rng([run.seed, 3]).standard_normal(FEATURES)

    @eqx.filter_jit
    def differentiate(memory, states, rate):
        def energy(drive, states):
            changed = eqx.tree_at(lambda n: n.neurons["feature"].input, memory, drive)
            return changed.energy(states)

        def one(states):
            drive = memory.neurons["feature"].input
            return jax.jvp(energy, (drive, states), (rate, velocity(memory, states)))[1]

        return jax.vmap(one)(states)

    whole = np.asarray(differentiate(memory, states, changing * rate))
    expected = run(rates, "A′").form - np.tanh(states["feature"]) @ rate
    return float(np.max(np.abs(whole - expected) / np.maximum(np.abs(expected), 1)))


@wide
def monitor(run, tau: float = 1.0) -> tuple[float, float]:
    """The largest rise along the same runs of the effective energy, and of that of both layers.

    Features of model B start at one memory, and slow memory neurons where another one puts them.
    """
    memory, (rows, _) = network(run, "B", tau=tau), memories(run, "B")
    begin = {"feature": rows, "memory": np.roll(rows, 1, 0) @ rows.T}

    def watch(states):
        return models.effective_energy(memory, {"feature": states["feature"]})

    whole = evaluate.record_energies(memory, begin, 10 * STEP, 800, watch=watch)
    reduced = Descent({"effective": whole.watched}, None)
    return float(reduced.rise.max()), float(whole.rise.max())
