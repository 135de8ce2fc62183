"""Traces, thresholds of length, correlated patterns, dwell times, images and a recording."""

import functools
import importlib.util
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from attrax import theory
from attrax.dynamics import Replay
from attrax.models import SequenceMemory, sequence_memory
from attrax.retrieval import retrieve
from attrax.separation import Power, Softmax
from attrax.similarity import Euclidean, whitened

from ..contract import NotRun

# Units of polynomial memories by degree, in the two profiles.
UNITS = {
    1: {"quick": 100, "full": 100},
    2: {"quick": 60, "full": 100},
    3: {"quick": 40, "full": 100},
    4: {"quick": 30, "full": 50},
}
SMALL, LARGE = 9, 15  # units of exponential memories
STATES = 6  # of the flat window, τ + 1
EEG = "mpl-data/sample_data/eeg.dat"


def separation(degree):
    """That of a degree; the exponential if `None`."""
    return Softmax(1.0) if degree is None else Power(degree)


def signs(rng, *shape) -> np.ndarray:
    """Fair and independent."""
    return rng.choice(np.array([-1, 1], np.float32), shape)


def stepped(memory, states):
    """One step from each state."""
    return jax.vmap(lambda state: memory.space(state).read(state).value)(states)


def matrix_errors(run) -> int:
    """Units in which one step of the linear memory differs from sgn(JS), J without a diagonal."""
    rng = np.random.default_rng(run.seed)
    patterns, states = signs(rng, 40, 100), signs(rng, 200, 100)
    couplings = np.roll(patterns, -1, 0).T @ patterns
    np.fill_diagonal(couplings, 0)
    drives = states @ couplings.T
    memory = sequence_memory(patterns, Power(1), units="signs", cyclic=True)
    read = np.asarray(jax.jit(jax.vmap(memory))(states))
    return int(np.sum(read != np.where(drives == 0, states, np.sign(drives))))


def traces(run, degree: int) -> np.ndarray:
    """Overlaps with the pattern whose turn it is, of draws, at each of 100 steps (300 units)."""
    rng, rows = np.random.default_rng(run.seed), []
    for _ in range(run.pick("traces.draws", quick=5, full=20)):
        patterns = signs(rng, 100, 300)
        memory = sequence_memory(patterns, Power(degree), units="signs", cyclic=True)
        replay = Replay(99, tolerance=np.inf)
        path = np.asarray(retrieve(memory, patterns[0], replay, path=True).path)
        rows.append(np.mean(path * patterns, axis=1))
    return np.array(rows)


class Lengths(NamedTuple):
    """Random sequences of S lengths, R draws each.

    - `units`, `predicted`: d, and the length of Eq. 9 or 10 for all steps to be right.
    - `sizes` (S,): the lengths.
    - `each`, `every` (S, R): the share of steps that are right, and whether all are.
    - `wrong` (S, R): the share of units that are wrong.
    """

    units: int
    predicted: float
    sizes: np.ndarray
    each: np.ndarray
    every: np.ndarray
    wrong: np.ndarray

    @property
    def at_prediction(self) -> np.ndarray:
        """Of each draw, whether the sequence of the predicted length is without error."""
        return self.every[np.argmin(np.abs(self.sizes - self.predicted))]

    def threshold(self, shares) -> np.ndarray:
        """The logarithm of the length at which shares fall from 1 to 0, on average, by draw."""
        logs = np.log(self.sizes)
        middles = np.concatenate([logs[:1], (logs[1:] + logs[:-1]) / 2, logs[-1:]])
        edges = np.concatenate([np.ones_like(shares[:1]), shares, np.zeros_like(shares[:1])])
        return middles @ (edges[:-1] - edges[1:])


def law(units, degree, sizes, exact=True) -> np.ndarray:
    """The share of sequences of which all steps are right, if errors of units were independent."""
    wrong = theory.sequence_flip_probability(sizes, units, degree, exact=exact)
    wrong = np.clip(np.asarray(wrong, np.float64), 0, 0.5)
    return np.exp(sizes * units * np.log1p(-wrong))


def lengths(run, degree: int | None, units: int | None = None) -> Lengths:
    """How many steps of sequences are right, for lengths around that at which half the draws fail.

    That length is from the exact law. The length of Eq. 9 is one of them, and that of Eq. 10 is
    for `LARGE` units.
    """
    if units is None:
        units = UNITS[degree or 1][run.profile]
    predicted = float(theory.sequence_capacity(units, degree))
    tried = np.unique(np.round(np.geomspace(2, 4 * predicted, 60)))
    half = tried[np.argmax(law(units, degree, tried) < 0.5)]
    factors = 2.0 ** np.arange(-2.5, 2.6, 0.5) if degree is None else 2.0 ** np.arange(-1, 1.1, 0.4)
    sizes = [*(half * factors), predicted] if degree or units == LARGE else half * factors
    if degree == 2:
        sizes = [*sizes, 3 * half, 4 * half, 5 * half, 7 * half]
    sizes = np.unique(np.maximum(2, np.round(sizes)).astype(np.int32))
    draws = run.pick("lengths.draws", quick=30, full=100)
    if degree is None:
        draws = run.pick("lengths.draws_of_exponentials", quick=150, full=600)
    if sizes[-1] > 2000:
        draws = run.pick("lengths.draws_of_long_ones", quick=10, full=20)
    rng = np.random.default_rng(run.seed + units)
    rows = np.stack([signs(rng, sizes[-1], units) for _ in range(draws)])
    good, wrong = (np.asarray(x).T / sizes[:, None] for x in counted(rows, sizes, degree))
    return Lengths(units, predicted, sizes, good, (good == 1) * 1.0, wrong / units)


@functools.partial(jax.jit, static_argnames="degree")
def counted(rows, sizes, degree):
    """How many steps are right, and how many units wrong, by draw and length.

    A sequence is the first rows of a draw.
    """

    def draw(patterns):
        place = jnp.arange(len(patterns))

        def one(size):
            # Rows of zeros add nothing to drives, so that all lengths are one program.
            there = (place < size)[:, None]
            kept = jnp.where(there, patterns, 0)
            after = jnp.where(there, patterns[(place + 1) % size], 0)
            memory = SequenceMemory(kept, after, separation=separation(degree), units="signs")
            off = jnp.sum((stepped(memory, patterns) != after) & there, axis=1)
            return jnp.sum((off == 0) & there[:, 0]), jnp.sum(off)

        return jax.lax.map(one, sizes)

    return jax.lax.map(draw, rows)


class Correlated(NamedTuple):
    """Shares of units that are right after one step, by draw, plain and whitened."""

    plain: np.ndarray
    whitened: np.ndarray


def correlated(run, degree: int) -> Correlated:
    """40 patterns of 60 units, of which nine in ten are +1."""
    rng, draws = np.random.default_rng(run.seed), run.pick("correlated.draws", quick=10, full=50)
    rows = np.where(rng.random((draws, 40, 60)) < 0.9, 1, -1).astype(np.float32)
    return Correlated(*np.asarray(biased(rows, degree), np.float64).T)


@functools.partial(jax.jit, static_argnames="degree")
def biased(rows, degree):
    """Shares of units that are right, of one draw after another."""

    def draw(patterns):
        after, shares = jnp.roll(patterns, -1, axis=0), []
        for similarity in (None, whitened(patterns)):
            memory = SequenceMemory(
                patterns, after, similarity=similarity, separation=Power(degree), units="signs"
            )
            shares.append(jnp.mean(stepped(memory, patterns) == after))
        return jnp.stack(shares)

    return jax.lax.map(draw, rows)


class Dwells(NamedTuple):
    """Mixed networks: the pattern that each state is most like (R, T), and its overlap."""

    best: np.ndarray
    overlaps: np.ndarray

    @property
    def ordered(self) -> np.ndarray:
        """Of each draw, whether patterns came in their order, none of them left out."""
        steps = np.diff(self.best, axis=1) % 40
        return np.all((steps == 0) | (steps == 1), axis=1)

    @property
    def timed(self) -> np.ndarray:
        """Of each draw, the share of states that are the pattern of the time, without errors."""
        times = np.arange(1, self.best.shape[1])
        turn = (times - 1) // STATES + 1
        return np.mean((self.best[:, 1:] == turn) & (self.overlaps[:, 1:] == 1), axis=1)


def dwells(run, degree: int) -> Dwells:
    """40 patterns of 100 units, λ = 2.5, and a flat window of six states."""
    rng, found = np.random.default_rng(run.seed), []
    for _ in range(run.pick("dwells.draws", quick=5, full=20)):
        patterns = signs(rng, 40, 100)
        memory = sequence_memory(
            patterns,
            Power(degree),
            units="signs",
            cyclic=True,
            hold=Power(degree),
            strength=2.5,
            trace=np.ones(STATES),
        )
        replay = Replay(39 * STATES, tolerance=np.inf)
        path = np.asarray(retrieve(memory, patterns[0], replay, path=True).path)
        overlaps = path @ patterns.T / 100
        found.append((overlaps.argmax(1), overlaps.max(1)))
    return Dwells(*(np.array(x) for x in zip(*found, strict=True)))


def frames(run) -> np.ndarray:
    """Binarised images of Fashion-MNIST, in the order of their file, as signs."""
    name = "sample" if run.profile == "quick" else "fashion-mnist"
    images = run.load(name).x[: run.pick("frames", quick=1000, full=2000)]
    return np.where(images > 0.5, 1, -1).astype(np.float32)


def transitions(run, degree: int | None) -> float:
    """The share of images that give the next one, of those that are in the sequence once."""
    rows = frames(run)
    _, inverse, times = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    after = np.roll(rows, -1, 0)
    good = followed(rows, after, degree)
    return float(np.mean(np.asarray(good)[times[inverse.reshape(-1)] == 1]))


@functools.partial(jax.jit, static_argnames="degree")
def followed(rows, after, degree):
    """Whether one step from each image is right; some at a time, as they are many."""
    memory = SequenceMemory(rows, after, separation=separation(degree), units="signs")
    space = memory.space(rows[0])

    def one(pair):
        return jnp.all(space.succeed(pair[0][None]).value == pair[1])

    return jax.lax.map(one, (rows, after), batch_size=500)


class Strip(NamedTuple):
    """Damaged images as cues, what followed (R, T, d), what should have (R, T, d), and the chance
    of each cue to be closest to its own image."""

    path: np.ndarray
    expected: np.ndarray
    expected_share: np.ndarray

    @property
    def good(self) -> np.ndarray:
        """Of each cue, whether every later state is the stored image, in all its pixels."""
        return np.all(self.path[:, 1:] == self.expected[:, 1:], axis=(1, 2))


def strip(run, steps: int = 100) -> Strip:
    """Exponential memory of all images: replays of cues of which 30 % of pixels are flipped."""
    rows, rng = frames(run), np.random.default_rng(run.seed)
    starts = rng.choice(len(rows), run.pick("strip.cues", quick=256, full=512), replace=False)
    cues = np.where(rng.random((len(starts), rows.shape[1])) < 0.3, -1, 1) * rows[starts]
    memory = sequence_memory(rows, units="signs", cyclic=True)
    replay = Replay(steps, tolerance=np.inf)
    path = np.asarray(retrieve(memory, cues.astype(np.float32), replay, path=True).path)
    turns = (starts[:, None] + np.arange(steps + 1)) % len(rows)
    apart = np.round((rows.shape[1] - rows[starts] @ rows.T) / 2).astype(int)
    kept = np.array([1 - half_flipped(h, 0.3) for h in range(apart.max() + 1)])[apart]
    kept[np.arange(len(starts)), starts] = 1
    return Strip(path, rows[turns], np.prod(kept, axis=1))


def half_flipped(count: int, chance: float) -> float:
    """The chance that at least half of some pixels are flipped."""
    k = np.arange(count + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count + 1)))])
    logs = logs[count] - logs[k] - logs[count - k] + k * np.log(chance)
    share = np.exp(logs + (count - k) * np.log(1 - chance))
    return float(share[2 * k >= count].sum())


def recording() -> np.ndarray:
    """800 samples of four channels of an electroencephalogram, which Matplotlib ships."""
    found = importlib.util.find_spec("matplotlib")
    folders = [] if found is None else found.submodule_search_locations or []
    path = next((Path(x) / EEG for x in folders if (Path(x) / EEG).exists()), None)
    if path is None:
        raise NotRun('needs the recording that Matplotlib ships: pip install "attrax[plot]"')
    series = np.fromfile(path).reshape(800, 4)
    return ((series - series.mean(0)) / series.std(0)).astype(np.float32)


def replayed(run) -> np.ndarray:
    """The root mean square error of 100 samples that follow noisy cues, in deviations, by cue.

    A state is eight samples of all channels, and cues have noise of half a deviation.
    """
    series, rng = recording(), np.random.default_rng(run.seed)
    windows = np.lib.stride_tricks.sliding_window_view(series, 8, axis=0).reshape(793, 32)
    memory = sequence_memory(windows, Softmax(20.0), similarity=Euclidean())
    starts = rng.choice(692, run.pick("replayed.cues", quick=64, full=512), replace=False)
    cues = windows[starts] + 0.5 * rng.normal(size=(len(starts), 32)).astype(np.float32)
    replay = Replay(100, tolerance=np.inf)
    path = np.asarray(retrieve(memory, cues, replay, path=True).path)
    expected = windows[starts[:, None] + np.arange(1, 101)]
    return np.sqrt(np.mean(np.square(path[:, 1:] - expected), axis=(1, 2)))
