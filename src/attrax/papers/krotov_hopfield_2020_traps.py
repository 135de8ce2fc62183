"""Where the theory's conditions are broken: each must be seen, or the checks see nothing."""

from typing import ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..dynamics import Euler
from ..dynamics.base import Outcome
from ..hierarchical import (
    AbstractLagrangian,
    ConvexFunction,
    HierarchicalMemory,
    Neurons,
    check_convex,
)
from ..models import effective_energy, graded_network
from ..retrieval import Retrieval, retrieve
from ..separation import Power
from .krotov_hopfield_2020_energy import (
    Descent,
    descend,
    drawing,
    drawn_states,
    velocity,
    weights_of,
)
from .krotov_hopfield_2020_measures import FEATURES, MEMORIES, STEP, TAU, network


class Cubic(AbstractLagrangian):
    """F = x³/3 without rectification: its Hessian 2x is negative for negative states.

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


class Indefinite(NamedTuple):
    """The cubic without rectification.

    - `least`: the least eigenvalue of its Hessian at random states.
    - `refused`: whether attrax refuses it as a Lagrangian.
    - `rises`: the share of runs in which the energy rises.
    """

    least: float
    refused: bool
    rises: float


def indefinite(starts: int, steps: int, seed: int) -> Indefinite:
    """Run a network with a cubic Lagrangian."""
    good = network("A", seed)
    layers = {"feature": good.neurons["feature"], "memory": Neurons(MEMORIES, Cubic(), TAU)}
    bad = HierarchicalMemory(layers, {("feature", "memory"): good.synapses[0]})
    states = drawn_states(bad, starts, drawing(seed))
    run = descend(bad, states, STEP, steps)
    try:
        check_convex(ConvexFunction(Cubic().value), (MEMORIES,))
        refused = False
    except ValueError as error:
        refused = "not convex" in str(error)
    # Runs whose energy leaves the range count by what they did before.
    changes = np.diff(run.energy, axis=1)
    rises = np.nanmax(np.where(np.isfinite(changes), changes, np.nan), axis=1)
    return Indefinite(float(2 * np.min(states["memory"])), refused, float(np.mean(rises > 1e-9)))


class Dead(NamedTuple):
    """Rectified memory neurons below zero.

    - `change`: of the energy when their states are moved, in units of its largest term.
    - `speed`: |ḣ| of these neurons there.
    - `share`: of all memory neurons.
    """

    change: float
    speed: float
    share: float


def dead(points: int, seed: int) -> Dead:
    """Move the states of silent memory neurons of model A, and look at the energy."""
    memory, rng = network("A", seed), drawing(seed)
    states = drawn_states(memory, points, rng)
    silent = states["memory"] < 0
    lower = 10 * np.abs(rng.standard_normal(silent.shape))
    moved = {**states, "memory": np.where(silent, states["memory"] - lower, states["memory"])}

    @eqx.filter_jit
    def measure(memory, states, moved):
        energies = [jax.vmap(memory.energies)(each) for each in (states, moved)]
        return energies, jax.vmap(lambda x: velocity(memory, x)["memory"])(states)

    (before, after), speed = measure(memory, states, moved)
    change = sum(np.asarray(after[name] - before[name]) for name in before)
    scale = np.max([np.abs(part) for part in before.values()], axis=0)
    return Dead(
        float(np.max(np.abs(change) / scale)),
        float(np.mean(np.abs(speed)[silent])),
        float(np.mean(silent)),
    )


class Unbounded(NamedTuple):
    """ReLU features in A′, with T scaled below and above one.

    - `norms`: ‖T‖.
    - `diverged`, `converged`: shares of starts, by norm.
    - `runs`: the first steps.
    """

    norms: tuple[float, ...]
    diverged: np.ndarray
    converged: np.ndarray
    runs: tuple[Descent, ...]


def unbounded(starts: int, seed: int, norms: tuple[float, ...] = (0.8, 1.25)) -> Unbounded:
    """Scale T = ξᵀξ by its largest eigenvalue; positive memories, so that features reach it."""
    rng = drawing(seed)
    rows = rng.random((MEMORIES, FEATURES))
    rows = rows / np.linalg.norm(rows, 2)
    states = np.abs(rng.standard_normal((starts, FEATURES)))
    diverged, converged, runs = [], [], []
    for norm in norms:
        relu = Power(1, rectified=True)
        memory = graded_network(rows * np.sqrt(norm), relu)
        found = retrieve(memory, states, Euler(0.5, atol=1e-9, max_steps=20_000))
        diverged.append(float(jnp.mean(found.outcome == Outcome.diverged)))
        converged.append(float(jnp.mean(found.outcome == Outcome.converged)))
        runs.append(descend(memory, {"feature": states[:1]}, 0.05, 1000))
    return Unbounded(norms, np.asarray(diverged), np.asarray(converged), tuple(runs))


class Coarse(NamedTuple):
    """Euler's method with long steps.

    - `steps`: in units of τ_h.
    - `rise`: the largest rise of the energy over starts, in units of its largest term.
    - `eliminated`: likewise with h = ξg, memory neurons eliminated.
    - `summary`: what the certificate says of the first step that is too long.
    - `energies`: of one start, by step.
    """

    steps: tuple[float, ...]
    rise: np.ndarray
    eliminated: np.ndarray
    summary: str
    energies: tuple[np.ndarray, ...]


def coarse(starts: int, seed: int) -> Coarse:
    """Run model A with steps of up to 2 τ_h."""
    queries = drawing(seed).standard_normal((starts, FEATURES))
    steps = (0.1, 0.5, 1.0, 1.5, 2.0)
    certificates, energies = [], []
    for memory in (network("A", seed), network("A", seed, tau=0.0)):
        found = [_certified(memory, queries, TAU * step) for step in steps]
        certificates.append([each.certificate for each in found])
        energies.append([np.asarray(each.energies)[0] for each in found])
    rises = [[float(jnp.max(c.rise / c.scale)) for c in group] for group in certificates]
    rising = next((c for c in certificates[0] if not bool(jnp.all(c.certified))), None)
    return Coarse(
        steps,
        np.asarray(rises[0]),
        np.asarray(rises[1]),
        "" if rising is None else rising.summary(),
        tuple(energies[0]),
    )


def _certified(memory, queries, step) -> Retrieval:
    dynamics = Euler(step, rtol=0.0, atol=1e-300, max_steps=400)
    return retrieve(memory, queries, dynamics, path=True, certify=True)


def driven(points: int, seed: int) -> float:
    """How far Ė under an input that changes is from the quadratic form − İᵀg, relative."""
    memory, rng = network("A′", seed), drawing(seed)
    states = drawn_states(memory, points, rng)
    rate = rng.standard_normal(FEATURES)

    @eqx.filter_jit
    def measure(memory, states, rate):
        def energy(drive, states):
            changed = eqx.tree_at(lambda n: n.neurons["feature"].input, memory, drive)
            return changed.energy(states)

        def one(states):
            moved = velocity(memory, states)
            drive = memory.neurons["feature"].input
            whole = jax.jvp(energy, (drive, states), (rate, moved))[1]
            still = jax.jvp(memory.energy, (states,), (moved,))[1]
            return whole, still - jnp.vdot(rate, memory.activations(states)["feature"])

        return jax.vmap(one)(states)

    whole, expected = (np.asarray(each) for each in measure(memory, states, rate))
    return float(np.max(np.abs(whole - expected) / np.maximum(np.abs(expected), 1)))


def wrong_monitor(steps: int, seed: int) -> tuple[float, float]:
    """The largest rise of the reduced energy, and of the whole one, at τ_h = τ_f.

    Features of model B start at one memory, and memory neurons where another one puts them.
    """
    memory = network("B", seed, tau=1.0)
    rows = weights_of(memory)[0]
    starts = {"feature": rows, "memory": np.roll(rows, 1, 0) @ rows.T}
    run = descend(memory, starts, 10 * STEP, steps // 10)

    @eqx.filter_jit
    def reduced(memory, path):
        energy = lambda v: effective_energy(memory, {"feature": v})  # noqa: E731
        return jax.lax.map(jax.vmap(energy), path)

    energies = np.asarray(reduced(memory, jnp.asarray(run.visible)))
    scale = np.abs(energies).max(1)
    return float(np.max(np.diff(energies, axis=1).max(1) / scale)), float(run.rise.max())
