"""Replayed cycles, dwell times, energies at each delay, and what leaves them as they are."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from attrax.dynamics import Euler
from attrax.hierarchical import Quadratic, Tanh
from attrax.models import episodic_memory, modern_memory, transition_graph
from attrax.retrieval import retrieve
from attrax.separation import Softmax
from attrax.theory import episodic_dwell, episodic_first_dwell

from ..contract import wide

WIDTH, COUNT, GAIN = 100, 7, 7.0
CYCLE = transition_graph([range(COUNT)])
PAIR = transition_graph([[0, 1, 2], [3, 4, 5, 6]])
DELAYS = (20.0, 50.0, 100.0, 200.0)
# A visit is to a pattern that is reached: an overlap above this.
REACHED = 0.9
STRONG: dict[str, Any] = {"cross_strength": 4.9, "delay": 20.0}
LINEAR: dict[str, Any] = {
    "hidden": Quadratic(),
    "features": Tanh(),
    "self_strength": 0.045,
    "delay": 20.0,
}
# What the official code, arjun23496/gsemm, makes of three settings: which pattern, for how long.
# Networks are `initialize(seed=0, n_patterns=…, T_d=20)`, run from the first pattern, step 0.01.
OFFICIAL = {
    "DSEM": (
        {"delay": 20.0},
        [(0, 6.28), (1, 10.07), (2, 10.36), (3, 14.20), (4, 14.81), (5, 13.50), (6, 12.29)],
    ),
    "DSEM, strong": (
        STRONG,
        [(0, 1.41), (1, 3.01), (2, 3.79), (3, 5.17), (4, 6.36), (5, 6.17), (6, 5.84)],
    ),
    "LISEM": (
        {**LINEAR, "cross_strength": 0.01 / np.sqrt(0.045)},
        [(0, 9.43), (1, 16.44), (2, 22.18), (3, 18.13), (4, 34.60)],
    ),
}


class Visits(NamedTuple):
    """Which patterns were reached one after another, for how long, and with which overlap."""

    order: np.ndarray
    times: np.ndarray
    peaks: np.ndarray


def drawn(rng, count: int = COUNT, width: int = WIDTH) -> np.ndarray:
    """Patterns of fair signs."""
    return np.where(rng.random((count, width)) < 0.5, -1, 1).astype(np.float32)


def orthogonal(count: int = COUNT, order: int = 7) -> np.ndarray:
    """Patterns of 2^order signs without any overlap, rows of Hadamard's matrix."""
    rows = np.ones((1, 1), np.float32)
    for _ in range(order):
        rows = np.block([[rows, rows], [rows, -rows]])
    return rows[1 : 1 + count]


def replayed(memory, rows, cue, step: float, steps: int) -> np.ndarray:
    """Overlaps with all patterns in each step of Euler's method, the cue first."""
    # No rest is short enough for a run to end before its time.
    dynamics = Euler(step, max_steps=steps, rtol=0.0, atol=1e-30)
    found = retrieve(memory, cue, dynamics, path=True)
    return np.asarray(found.path) @ rows.T / rows.shape[1]


def visits(overlaps: np.ndarray, step: float) -> Visits:
    """The stretches in which one pattern leads, those in which it is reached; the last one, which
    the end of the run cuts off, is left out."""
    leading = np.argmax(overlaps, axis=1)
    ends = np.flatnonzero(np.diff(leading)) + 1
    starts = np.concatenate([[0], ends])
    peaks = np.array(
        [overlaps[a:b, leading[a]].max() for a, b in zip(starts[:-1], ends, strict=True)]
    )
    kept = peaks > REACHED
    order = leading[starts[:-1]]
    return Visits(order[kept], step * np.diff(starts)[kept], peaks[kept])


def in_order(order: np.ndarray, graph=CYCLE) -> float:
    """The share of visits that the graph has after the visit before; 0 if there are none."""
    follows = np.asarray(graph)[order[:-1], order[1:]] > 0
    return float(follows.mean()) if follows.size else 0.0


class Cycles(NamedTuple):
    """By draw: the share of visits in order, how many there were, the mean dwell of the last seven
    in the unit of features, and how long an overlap takes from a half to nine tenths; overlaps of
    the first draw."""

    ordered: np.ndarray
    counts: np.ndarray
    dwells: np.ndarray
    rises: np.ndarray
    overlaps: np.ndarray
    step: float


def cycles(run, delay: float) -> Cycles:
    """Seven random patterns in a cycle, at the strengths of the code's defaults."""
    rng, rows = np.random.default_rng(run.seed), []
    step, steps = delay / 2000, 20000
    first = None
    for _ in range(run.pick("cycles.draws", quick=6, full=40)):
        patterns = drawn(rng)
        memory = episodic_memory(patterns, CYCLE, delay=delay)
        overlaps = replayed(memory, patterns, patterns[0], step, steps)
        seen = visits(overlaps, step)
        first = overlaps if first is None else first
        rise = np.mean(risen(overlaps, step))
        rows.append((in_order(seen.order), len(seen.order), seen.times[-COUNT:].mean(), rise))
    ordered, counts, dwells, rises = np.array(rows).T
    assert first is not None
    return Cycles(ordered, counts, dwells, rises, first, step)


def risen(overlaps: np.ndarray, step: float) -> list[float]:
    """How long each pattern takes from half of its overlap to nine tenths, whenever it is reached;
    ln 5 for features that are drawn to it alone."""
    times = []
    for trace in overlaps.T:
        for end in np.flatnonzero((trace[1:] >= 0.9) & (trace[:-1] < 0.9)) + 1:
            below = np.flatnonzero(trace[:end] < 0.5)
            if below.size:
                times.append(step * (end - below[-1]))
    return times


class Sharp(NamedTuple):
    """Of patterns without overlap, by strength and delay: dwells over the formula, first dwells
    over theirs, and dwells of the default, softer hidden neurons."""

    ratios: np.ndarray
    firsts: np.ndarray
    softer: np.ndarray


def sharp(run) -> Sharp:
    """Long runs at two strengths and three delays; the softmax is ten times as sharp as usual."""
    patterns, rows = orthogonal(), []
    hidden = Softmax(1000 / patterns.shape[1])
    for cross in (0.7, 4.9):
        for delay in (5.0, 20.0, 100.0):
            options: dict[str, Any] = {"cross_strength": cross, "delay": delay}
            strength, step = cross * GAIN, delay / 2000
            formula = float(episodic_dwell(strength, delay, features=1.0, cycle=COUNT))
            first = float(episodic_first_dwell(strength, delay))
            seen = [
                visits(
                    replayed(
                        episodic_memory(patterns, CYCLE, hidden=each, **options),
                        *(patterns, patterns[0], step, 30000),
                    ),
                    step,
                )
                for each in (hidden, Softmax(100 / patterns.shape[1]))
            ]
            # Overlaps cross when features have gone half of the way.
            rows.append(
                (
                    seen[0].times[-COUNT:].mean() / formula,
                    (seen[0].times[0] - np.log(2)) / first,
                    seen[1].times[-COUNT:].mean() / formula,
                )
            )
    return Sharp(*np.array(rows).T)


class Thresholds(NamedTuple):
    """How many visits ended at strengths below and above one, and of random patterns at 0.7."""

    below: np.ndarray
    above: np.ndarray
    random: np.ndarray


def thresholds(run) -> Thresholds:
    """Ten delays' time from a pattern: sharp and without overlap, and as usual and random."""
    patterns = orthogonal()
    hidden = Softmax(1000 / patterns.shape[1])

    def left(rows, strength, **options):
        memory = episodic_memory(rows, CYCLE, cross_strength=strength / GAIN, delay=20.0, **options)
        overlaps = replayed(memory, rows, rows[0], 0.1, 2000)
        return int(np.sum(np.diff(np.argmax(overlaps, axis=1)) != 0))

    rng = np.random.default_rng(run.seed)
    draws = run.pick("thresholds.draws", quick=10, full=50)
    return Thresholds(
        np.array([left(patterns, a, hidden=hidden) for a in (0.5, 0.8, 0.95)]),
        np.array([left(patterns, a, hidden=hidden) for a in (1.05, 1.2, 2.0)]),
        np.array([left(drawn(rng), 0.7) for _ in range(draws)]),
    )


class Pairs(NamedTuple):
    """By draw and cue: visits to the other cycle, and the share of visits in order; overlaps of
    the first draw, by cue."""

    outside: np.ndarray
    ordered: np.ndarray
    overlaps: list[np.ndarray]


def pairs(run) -> Pairs:
    """Cycles of three and four patterns in one memory; a quarter of the cue is zero."""
    rng, rows, shown = np.random.default_rng(run.seed), [], []
    for _ in range(run.pick("pairs.draws", quick=6, full=40)):
        patterns = drawn(rng)
        memory = episodic_memory(patterns, PAIR, **STRONG)
        for start, own in ((1, range(3)), (4, range(3, 7))):
            cue = patterns[start] * (np.arange(WIDTH) < 0.75 * WIDTH)
            overlaps = replayed(memory, patterns, cue, 0.02, 5000)
            order = visits(overlaps, 0.02).order
            rows.append((np.sum(~np.isin(order, own)), in_order(order, PAIR)))
            shown.append(overlaps)
    outside, ordered = np.array(rows).T
    return Pairs(outside, ordered, shown[:2])


class Energies(NamedTuple):
    """The largest rise of a step at fixed delay over the largest energy of the run; by draw, means
    over visits of the rise between transitions and of the fall at the next one, in units of
    α_s |ξ|²; and the energy at the delay of each step of the first draw."""

    rise: float
    between: np.ndarray
    falls: np.ndarray
    path: np.ndarray
    step: float


@wide
def energies(run) -> Energies:
    """Each step in two: features at the delay that is there, and then the delay."""
    rng, step, rows, shown = np.random.default_rng(run.seed), 0.05, [], []
    for _ in range(run.pick("energies.draws", quick=4, full=20)):
        patterns = drawn(rng).astype(float)
        path = walked(episodic_memory(patterns, CYCLE), jnp.asarray(patterns[0]), step, 10000)
        here, moved = map(np.asarray, split_energies(episodic_memory(patterns, CYCLE), path))
        leading = np.argmax(np.asarray(path["features"]) @ patterns.T, axis=1)
        ends = np.flatnonzero(np.diff(leading)) + 1
        # Five units after a switch features have arrived; two before the next they still rest.
        starts, stops = ends[:-1] + int(5 / step), ends[1:] - int(2 / step)
        between = np.mean(here[stops] - here[starts]) / WIDTH
        falls = np.mean(here[stops[:-1]] - here[starts[1:]]) / WIDTH
        rows.append((np.max(moved - here[:-1]) / np.abs(here).max(), between, falls))
        shown.append(here)
    rises, between, falls = np.array(rows).T
    return Energies(float(rises.max()), between, falls, shown[0], step)


@eqx.filter_jit
def walked(memory, cue, step: float, steps: int) -> Any:
    """States of all layers in each step."""
    space = memory.space(cue)
    dynamics = Euler(step, max_steps=steps, rtol=0.0, atol=1e-30)
    return dynamics.run(space, space.initial, path=True).path


@eqx.filter_jit
def split_energies(memory, path):
    """The energy of each state, and that of the features of the next one at its delay."""
    ahead = {"features": path["features"][1:], "delay": path["delay"][:-1]}
    return tuple(jax.lax.map(memory.energy_at_delay, states) for states in (path, ahead))


class Invariants(NamedTuple):
    """What must not change: by how much trajectories do when patterns are numbered otherwise,
    dwell times when the step is halved, and what is left of the modern network without delay."""

    numbered: float
    halved: float
    modern: float


@wide
def invariants(run) -> Invariants:
    """Seven random patterns, at a delay of 20; softer hidden neurons, which mix patterns."""
    rng = np.random.default_rng(run.seed)
    patterns, graph, mixed = drawn(rng).astype(float), np.asarray(CYCLE), rng.permutation(COUNT)
    softer, cue = Softmax(20 / WIDTH), patterns[0] * (np.arange(WIDTH) < 0.75 * WIDTH)

    def walk(memory, step=0.01, steps=15000):
        return replayed(memory, patterns, cue, step, steps)

    memory = episodic_memory(patterns, graph, hidden=softer, delay=20.0)
    shuffled = graph[np.ix_(mixed, mixed)]
    walks = (
        walk(memory),
        walk(episodic_memory(patterns[mixed], shuffled, hidden=softer, delay=20.0)),
    )
    fine = visits(walk(memory, 0.005, 30000), 0.005).times
    coarse = visits(walks[0], 0.01).times
    count = min(len(fine), len(coarse))
    still = walk(episodic_memory(patterns, graph, hidden=softer, cross_strength=0.0))
    modern = walk(modern_memory(patterns, softer.beta))
    return Invariants(
        float(np.max(np.abs(walks[0] - walks[1]))),
        float(np.max(np.abs(coarse[:count] / fine[:count] - 1))) if count else np.nan,
        float(np.max(np.abs(still - modern))),
    )


def official(run) -> dict[str, float]:
    """Dwell times less those of the official code, the largest of each setting; in steps of 0.01,
    which is by how much either may be off by its grid. NaN where patterns differ."""
    found = {}
    for name, (options, expected) in OFFICIAL.items():
        count = len(expected)
        patterns = np.random.RandomState(0).choice([-1, 1], (WIDTH, count)).T.astype(np.float32)
        memory = episodic_memory(patterns, transition_graph([range(count)]), **options)
        overlaps = replayed(memory, patterns, patterns[0], 0.01, 12000)
        seen = visits(overlaps, 0.01)
        order, times = np.array(expected).T
        same = np.array_equal(seen.order[:count], order)
        found[name] = float(np.max(np.abs(seen.times[:count] - times))) if same else np.nan
    return found


class Linear(NamedTuple):
    """By draw, the share of visits of LISEM in order, and how many."""

    ordered: np.ndarray
    counts: np.ndarray


def linear(run, cross: float) -> Linear:
    """Five random patterns in a cycle: graded features and linear interactions."""
    rng, rows = np.random.default_rng(run.seed), []
    graph = transition_graph([range(5)])
    for _ in range(run.pick("linear.draws", quick=6, full=40)):
        patterns = drawn(rng, 5)
        options = {**LINEAR, "cross_strength": cross / np.sqrt(0.045)}
        overlaps = replayed(
            episodic_memory(patterns, graph, **options), patterns, patterns[0], 0.05, 6000
        )
        order = visits(overlaps, 0.05).order
        rows.append((in_order(order, graph), len(order)))
    return Linear(*np.array(rows).T)


class Capacity(NamedTuple):
    """By width and number of patterns, the share of draws whose first transition is right; and the
    number at which it is half, with its logarithm's growth by neuron in each part of the draws."""

    widths: np.ndarray
    counts: np.ndarray
    shares: np.ndarray
    halves: np.ndarray
    growth: np.ndarray


def capacity(run) -> Capacity:
    """The first transition in a cycle of many random patterns of few neurons."""
    widths = np.array(run.pick("capacity.widths", quick=(8, 11, 14), full=(8, 11, 14, 17)))
    counts = 2 ** np.arange(1, 1 + run.pick("capacity.doublings", quick=8, full=10))
    draws = run.pick("capacity.draws", quick=80, full=400)
    right = np.array(
        [[moved(run.seed, int(w), int(c), draws, counts, widths) for c in counts] for w in widths]
    )
    parts = right.reshape(*right.shape[:2], 4, -1).mean(-1)
    halves = np.array([[half(counts, row) for row in part.T] for part in parts])
    growth = np.polyfit(widths, np.log(halves), 1)[0]
    shares = right.mean(-1)
    return Capacity(widths, counts, shares, np.array([half(counts, x) for x in shares]), growth)


def half(counts, shares) -> float:
    """Where the share falls below a half, interpolated in the logarithm of the number."""
    return float(np.exp(np.interp(-0.5, -np.minimum.accumulate(shares), np.log(counts))))


def moved(seed: int, width: int, count: int, draws: int, counts, widths) -> np.ndarray:
    """By draw, whether the second pattern is the first that is reached from the first.

    Rows and columns of zeros fill patterns up to one size, so that one program serves all.
    """
    rng, most = np.random.default_rng([seed, width, count]), int(counts[-1])
    patterns = np.zeros((draws, most, int(widths[-1])), np.float32)
    patterns[:, :count, :width] = np.where(rng.random((draws, count, width)) < 0.5, -1, 1)
    graph = transition_graph([range(count)], most)
    paths = np.asarray(first_moves(patterns, graph, jnp.float32(100 / width)))
    overlaps = np.einsum("dsn,dkn->dsk", paths, patterns[:, :count]) / width
    reached = overlaps > REACHED
    when = np.where(reached.any(1), np.argmax(reached, axis=1), len(paths[0]))
    others = np.min(when[:, 2:], axis=1, initial=len(paths[0]))
    return (when[:, 1] < len(paths[0])) & (when[:, 1] <= others)


@jax.jit
def first_moves(patterns, graph, beta):
    """Features along each draw's run from its first pattern, in half a delay's time."""

    def path(rows):
        memory = episodic_memory(rows, graph, hidden=Softmax(beta), delay=20.0)
        dynamics = Euler(0.1, max_steps=100, rtol=0.0, atol=1e-30)
        return retrieve(memory, rows[0], dynamics, path=True).path

    return jax.vmap(path)(patterns)
