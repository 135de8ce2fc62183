"""Traces, thresholds of length, correlated patterns, dwell times, images and a recording."""

import functools
import importlib.util
import math
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from attrax import theory
from attrax.dynamics import Replay
from attrax.evaluate import CapacityScan, success_bands
from attrax.evaluate.bands import pooled_bands
from attrax.models import SequenceMemory, sequence_memory
from attrax.retrieval import retrieve
from attrax.separation import Power, Softmax
from attrax.similarity import Euclidean, whitened

from ..contract import NotRun

# Units of memories by degree, in the two profiles; `None` is the exponential.
UNITS = {
    1: {"quick": (10, 18, 32, 56, 100), "full": (10, 18, 32, 56, 100)},
    2: {"quick": (10, 18, 32, 56, 100), "full": (10, 18, 32, 56, 100)},
    3: {"quick": (10, 18, 32), "full": (10, 18, 32, 56, 100)},
    4: {"quick": (10, 18), "full": (10, 18, 32, 56, 100)},
    None: {"quick": (5, 10, 15), "full": (5, 10, 15, 20, 25)},
}
LARGE = 15  # units of the exponential memory that is asked for as many patterns as Eq. 10 has
STATES = 6  # of the flat window, τ + 1
EEG = "mpl-data/sample_data/eeg.dat"


def separation(degree):
    """That of a degree; the exponential if `None`."""
    return Softmax(1.0) if degree is None else Power(degree)


def every(run) -> list[tuple[int | None, int]]:
    """All degrees with their numbers of units."""
    return [(degree, units) for degree, by in UNITS.items() for units in by[run.profile]]


def signs(rng, *shape, dtype: Any = np.float32) -> np.ndarray:
    """Fair and independent."""
    return (2 * rng.integers(0, 2, shape, np.int8) - 1).astype(dtype, copy=False)


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


def normal(degree: int | None, units: int, whole: bool = False) -> float:
    """The length at which half of steps, or of whole sequences, are right if noise is normal."""
    sizes = np.geomspace(2, 20 * float(theory.sequence_capacity(units, degree, "transition")), 2000)
    wrong = np.asarray(theory.sequence_flip_probability(sizes, units, degree), np.float64)
    right = np.exp(units * np.where(whole, sizes, 1) * np.log1p(-wrong))
    return float(np.interp(-0.5, -right, sizes))


class Lengths(NamedTuple):
    """Random sequences of S lengths, R draws of each.

    - `units`: d.
    - `scan`: shares of steps and of whole sequences with their bands, as of `capacity_scan`.
    - `whole`: whether whole sequences count, or single steps.
    - `wrong` (S, R): the share of units that are wrong, by draw.
    """

    units: int
    scan: CapacityScan
    whole: bool
    wrong: np.ndarray

    def at(self, size) -> int:
        """The place of the length that is closest."""
        return int(np.argmin(np.abs(np.asarray(self.scan.sizes) - float(size))))

    def right(self, size) -> np.ndarray:
        """Of each draw, whether the sequence of the length that is closest is without error."""
        return np.asarray(self.scan.successes == self.scan.sizes[:, None], float)[self.at(size)]

    @property
    def half(self) -> np.ndarray:
        """The length at which half succeed, and the ends of its confidence band."""
        band = self.scan.capacity("every" if self.whole else "each")
        return self.units * np.array([float(x) for x in band])

    @property
    def log_error(self) -> float:
        """The standard error of the logarithm of that length: a band of 95 % has four of them."""
        return float(np.log(self.half[2] / self.half[1])) / 3.92


def affordable(run, degree: int | None) -> list[int]:
    """Numbers of units for which all steps of sequences as long as predicted are not too many."""
    units = UNITS[degree][run.profile]
    sizes = np.asarray(theory.sequence_capacity(np.array(units), degree or 1))
    return [n for n, size in zip(units, sizes, strict=True) if size**2 * n < products(run)]


def products(run) -> float:
    """The most products of patterns, cues and units of a sequence; four powers take up to 4e10."""
    return run.pick("lengths.products", quick=2e7, full=5e8)


def tried(run, degree: int | None, units: int, whole: bool) -> np.ndarray:
    """Lengths around that at which half fail, up to those that are too many.

    Patterns that are all but equal limit exponential sequences, from √(number of states) on.
    """
    if whole and degree is None:
        sizes = 2 ** (units / 2 + np.arange(-3.5, 0.6))
    else:
        # Beyond a million patterns it is memory that ends them.
        around = normal(degree, units, whole)
        steps = (-1, -0.5, 0, 0.5, 1) if degree else (-2, -1, 0, 1 if around < 1e6 else 0.5)
        sizes = around * 2.0 ** np.array(steps)
    if whole:
        predicted = float(theory.sequence_capacity(units, degree))
        sizes = np.append(sizes, [predicted] if degree or units == LARGE else [])
        sizes = sizes[np.square(sizes) * units < products(run)]
    return np.unique(np.maximum(2, np.round(sizes)).astype(np.int64))


def lengths(run, degree: int | None, units: int, whole: bool = False) -> Lengths:
    """How many steps of sequences of several lengths are right: all of them, or some of many."""
    sizes = tried(run, degree, units, whole)
    cues = sizes[-1] if whole else min(64, sizes[len(sizes) // 2])
    draws = run.pick("lengths.draws", quick=32, full=96)
    draws = 4 * draws if degree is None and units <= LARGE else draws
    if not whole:
        draws = run.pick("lengths.cues", quick=1000, full=2500) / cues
        draws = draws / 6 if sizes[-1] > 1e6 else draws / 3 if sizes[-1] > 1e5 else draws
    chunk, trials = 8 if sizes[-1] < 2**19 else 2, np.minimum(sizes, cues)
    rng, found = np.random.default_rng([run.seed, units, degree or 0, whole]), []
    for _ in range(int(np.ceil(draws / chunk))):
        rows = signs(rng, chunk, sizes[-1], units, dtype=np.int8)
        parts = zip(sizes, trials, strict=True)
        found.append([counted(padded(rows[:, :n], degree, whole), n, k, degree) for n, k in parts])
    # Chunks, sizes, draws, counts -> counts, sizes, draws.
    good, wrong = np.array(found).transpose(3, 1, 0, 2).reshape(2, len(sizes), -1)
    wrong = wrong / (trials[:, None] * units)
    return Lengths(units, scanned(sizes, units, trials, good), whole, wrong)


def padded(rows, degree, whole) -> np.ndarray:
    """Rows with zeros behind and beside them, in one of few shapes."""
    draws, size, units = rows.shape
    shapes = (256, 2048) if whole else (256, 2048, 16384)
    width = max(units, 100 if degree else 25) if size <= shapes[-1] else units
    most = next((x for x in shapes if size <= x), 1 << int(size - 1).bit_length())
    wide = np.zeros((draws, most, width), np.int8)
    wide[:, :size, :units] = rows
    return wide


@functools.partial(jax.jit, static_argnames="degree")
def counted(rows, size, cues, degree):
    """How many of the first steps are right, and how many of their units wrong, by draw."""
    place = jnp.arange(rows.shape[1])
    some = jnp.arange(64 if len(place) < 2**19 else 8)

    def draw(patterns):
        # Rows and columns of zeros add nothing to drives, so that many lengths are one program.
        kept = patterns.astype(jnp.float32)
        after = jnp.where((place < size)[:, None], kept[(place + 1) % size], 0)
        memory = SequenceMemory(kept, after, separation=separation(degree), units="signs")
        space = memory.space(kept[0])

        def more(i, found):
            cue = i * len(some) + some
            read = jax.vmap(lambda state: space.succeed(state[None]).value)(kept[cue % size])
            off = jnp.sum(read != after[cue % size], axis=1)
            good, off = (off == 0) & (cue < cues), jnp.where(cue < cues, off, 0)
            return found + jnp.stack([jnp.sum(good), jnp.sum(off)])

        return jax.lax.fori_loop(0, -(-cues // len(some)), more, jnp.zeros(2, int))

    return jax.lax.map(draw, rows)


def scanned(sizes, units, trials, good) -> CapacityScan:
    """Counts of some cues of each memory, as `capacity_scan` has those of all of them."""
    numbers, counts, trials = (jnp.asarray(x, int) for x in (sizes, good, trials))
    load, unknown = jnp.asarray(sizes / units, float), jnp.full(len(sizes), jnp.nan)
    each = pooled_bands(counts, trials, 0.95)
    every = success_bands(jnp.sum(counts == trials[:, None], axis=1), counts.shape[1])
    return CapacityScan("transition", numbers, load, each, every, unknown, unknown, counts)


def law(run, degree: int | None, units: int) -> Lengths:
    """The law of one step, for the same lengths, from counts of patterns by their distance.

    Given how many patterns differ from the cue in h units, drives are sums of random signs. Counts
    are drawn once for all units of a step, so that errors come together, near a close pattern.
    """
    sizes, n = tried(run, degree, units, False), units - 1
    rng = np.random.default_rng([run.seed, units, degree or 0, 2])
    apart = np.arange(units + 1)
    chances = np.array([math.comb(units, h) / 2**units for h in apart])
    overlaps = n - 2.0 * np.arange(units)
    weights = (overlaps / n) ** degree if degree else np.exp(overlaps - n)
    draws, good = max(300, int(run.pick("law.draws", quick=3e5, full=2e6) / units**2)), []
    for size in sizes:
        counts = rng.multinomial(size - 1, chances / chances.sum(), draws)[:, None]
        # Of those at a distance, the ones that differ in this unit are closer in all others.
        differ = rng.binomial(counts, apart / units, (draws, units, units + 1))
        for h in (1, 2, 3):
            spread = rng.multinomial(h * counts[:, 0, h], np.full(units, 1 / units))
            differ[..., h] = np.minimum(spread, counts[..., h])
        seen = (counts - differ)[..., :-1] + differ[..., 1:]
        drives = 1 + (2 * rng.binomial(seen, 0.5) - seen) @ weights
        # A unit with a drive of zero keeps its state, which is right half the time.
        drives = np.where(np.abs(drives) < 1e-9, rng.random(drives.shape) - 0.5, drives)
        good.append(np.all(drives > 0, axis=1))
    scan = scanned(sizes, units, np.ones(len(sizes), int), np.array(good, int))
    return Lengths(units, scan, False, np.empty((len(sizes), 0)))


def replays(run) -> dict[int | None, np.ndarray]:
    """Overlaps with each of 900 patterns of 100 units (steps, patterns) of replays, by degree."""
    patterns = signs(np.random.default_rng(run.seed), 900, 100)
    replay, found = Replay(39, tolerance=np.inf), {}
    for degree in (1, 2, None):
        memory = sequence_memory(patterns, separation(degree), units="signs", cyclic=True)
        path = np.asarray(retrieve(memory, patterns[0], replay, path=True).path)
        found[degree] = path @ patterns.T / 100
    return found


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
