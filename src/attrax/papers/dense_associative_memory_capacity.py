"""How many random patterns a dense memory holds: single flips, random starts, and K of one half."""

from collections.abc import Sequence
from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammainc, gammaincc, ndtri

from ..dynamics import Asynchronous
from ..dynamics.base import Outcome
from ..evaluate.capacity import falls
from ..models import BinaryMemory, dense_memory
from ..retrieval import retrieve
from ..theory import dense_flip_probability

Rule = Literal["energy", "field"]

# N of the first two experiments.
UNITS = 100
# K by degree n: few enough, and too many, for single units to stay; and how many are tried.
STORED = {2: (7, 14, 21), 3: (360, 1000, 3000), 4: (2000, 5000, 8000)}
PROBES = {2: 20, 3: 20, 4: 10}
_POINTS = 12
CROWD = 2000
# (degree, rectified) of the networks started at random.
KINDS = ((2, False), (3, False), (3, True), (4, False), (4, True), (5, False), (5, True))
STEEP = ((10, True), (20, True), (30, True))


class Flips(NamedTuple):
    """Units of stored patterns that would flip, N = `UNITS`, at degree n.

    - `stored`: K; `looked`: how many units were looked at.
    - `share`, `error`: measured share of units, mean over networks and its standard error.
    - `exact`: the chance by the exact law of the noise; `normal`: by the paper's formula.
    - `line`: numbers of patterns about those; then the same two of them.
    """

    stored: np.ndarray
    looked: np.ndarray
    share: np.ndarray
    error: np.ndarray
    exact: np.ndarray
    normal: np.ndarray
    line: tuple[np.ndarray, np.ndarray, np.ndarray]

    @property
    def z(self) -> np.ndarray:
        """Distance of the share from the exact law, in standard errors.

        Of fewer than ten expected flips the standard error says little: there it is the normal
        quantile of the chance of a Poisson number at least as far off, to either side.
        """
        expected = self.looked * self.exact
        far = np.abs(self.share - self.exact) / self.error
        return np.where(expected < 10, _rare(self.looked * self.share, expected), far)


def _rare(count: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Units that are undecided count half: then the tail with the whole number nearer by."""
    least, most = np.floor(count), np.ceil(count)
    low = gammaincc(most + 1, expected)
    high = np.where(least > 0, gammainc(np.maximum(least, 1), expected), 1.0)
    return -np.asarray(ndtri(jnp.minimum(jnp.minimum(low, high), 0.5)))


@partial(jax.jit, static_argnames=("degree", "most"))
def _flipped(keys, counts, *, degree: int, most: int):
    """Units that would flip, of all units of the first patterns of each network."""
    probes = PROBES[degree]

    def one(inputs):
        key, count = inputs
        there = jnp.arange(most) < count
        rows = jax.random.rademacher(key, (most, UNITS), jnp.float32)
        memory = dense_memory(jnp.where(there[:, None], rows, 0), degree, rectified=False)

        def wrong(row):
            # The law counts an undecided unit as half a flip; energies are whole numbers.
            sides = row * memory.drive(row)
            return jnp.sum(jnp.where(sides == 0, 0.5, (sides < 0).astype(row.dtype)))

        return jnp.sum(jnp.where(there[:probes], jax.lax.map(wrong, rows[:probes]), 0))

    return jax.lax.map(one, (keys, counts))


def flips(degree: int, draws: int, seed: int) -> Flips:
    """Let every unit of stored patterns choose its side once, in networks of random patterns."""
    stored = np.array(STORED[degree])
    probed = np.minimum(stored, PROBES[degree])
    key = jax.random.fold_in(jax.random.key(seed), degree)
    keys = jax.random.split(key, stored.size * draws)
    counts = np.repeat(stored, draws).astype(np.int32)
    wrong = np.asarray(_flipped(keys, counts, degree=degree, most=int(stored.max())))
    shares = wrong.reshape(stored.size, draws) / (probed * UNITS)[:, None]
    line = np.rint(np.geomspace(stored[0] / 2, stored[-1] * 1.5, _POINTS))
    # Together, for other shapes would be another program.
    points = np.concatenate([stored, line])
    exact, normal = (
        np.asarray(dense_flip_probability(points, UNITS, degree, exact=flag), np.float64)
        for flag in (True, False)
    )
    count = stored.size
    # Where no unit flipped in all networks, one in all would have been seen.
    looked = draws * probed * UNITS
    error = np.maximum(shares.std(1, ddof=1) / np.sqrt(draws), 1 / looked)
    line = line, exact[count:], normal[count:]
    return Flips(stored, looked, shares.mean(1), error, exact[:count], normal[:count], line)


class Starts(NamedTuple):
    """Where random starts end, N = `UNITS`, K = `CROWD`; each of shape (draws, starts).

    - `overlap`: the largest with a stored pattern, in units: N is perfect.
    - `either`: the largest with a stored pattern or its reverse.
    """

    overlap: np.ndarray
    either: np.ndarray

    @property
    def perfect(self) -> float:
        """The share that ends in a stored pattern."""
        return float(np.mean(self.overlap == UNITS))

    @property
    def reversed(self) -> float:
        """The share that ends in a stored pattern or its reverse."""
        return float(np.mean(self.either == UNITS))


def random_starts(
    degree: int, rectified: bool, draws: int, starts: int, seed: int, rule: Rule = "energy"
) -> Starts:
    """Run random states to rest, one unit after another."""
    key = jax.random.fold_in(jax.random.key(seed), 100 + degree)
    ends, rested = _ends(
        jax.random.split(key, draws), degree=degree, rectified=rectified, starts=starts, rule=rule
    )
    # A rule without an energy need not rest.
    if rule == "energy" and not bool(rested):
        raise RuntimeError("An asynchronous run did not come to rest in 200 sweeps.")
    overlap, either = (np.asarray(end) for end in ends)
    return Starts(overlap, either)


@partial(jax.jit, static_argnames=("degree", "rectified", "starts", "rule"))
def _ends(keys, *, degree: int, rectified: bool, starts: int, rule: Rule):
    def one(key):
        stored, begun = jax.random.split(key)
        rows = jax.random.rademacher(stored, (CROWD, UNITS), jnp.float32)
        states = jax.random.rademacher(begun, (starts, UNITS), jnp.float32)
        memory = dense_memory(rows, degree, rectified=rectified)
        found = retrieve(memory, states, Asynchronous(rule=rule, max_steps=200))
        overlaps = found.state @ rows.T
        ends = jnp.max(overlaps, 1), jnp.max(jnp.abs(overlaps), 1)
        return ends, jnp.all(found.outcome == Outcome.converged)

    ends, rested = jax.lax.map(one, keys)
    return ends, jnp.all(rested)


class Half(NamedTuple):
    """Random starts that end in a stored pattern, n = 3, by N and K.

    - `sizes` (S,): N; `stored` (S, L): K.
    - `share`: of starts, shape (S, L).
    - `half` (S,): K at which the share falls to one half, between measured ones by a straight line.
    - `drawn`: the same, shape (R, S), of networks drawn again from those that there are.
    """

    sizes: np.ndarray
    stored: np.ndarray
    share: np.ndarray
    half: np.ndarray
    drawn: np.ndarray

    @property
    def slope(self) -> float:
        """Of ln K over ln N."""
        return float(self._slopes(np.log(self.half)))

    @property
    def slope_error(self) -> float:
        """The standard error of `slope`."""
        return float(self._slopes(np.log(self.drawn)).std())

    @property
    def rise(self) -> tuple[float, float]:
        """By how much the slope is larger above the middle N than below, and its standard error.

        Of two sizes there is but one slope, and it does not rise.
        """
        if len(self.sizes) < 3:
            return 0.0, np.inf
        middle = len(self.sizes) // 2

        def rises(logs):
            upper = self._slopes(logs[..., middle:], slice(middle, None))
            return upper - self._slopes(logs[..., : middle + 1], slice(middle + 1))

        return float(rises(np.log(self.half))), float(rises(np.log(self.drawn)).std())

    def _slopes(self, logs, part=slice(None)):
        places = np.log(self.sizes[part])
        return np.polyfit(places, np.moveaxis(logs, -1, 0), 1)[0]


@partial(jax.jit, static_argnames=("d", "most", "rectified", "starts"))
def _shares(keys, counts, *, d: int, most: int, rectified: bool, starts: int):
    def one(inputs):
        key, count = inputs
        stored, begun = jax.random.split(key)
        there = jnp.arange(most) < count
        rows = jax.random.rademacher(stored, (most, d), jnp.float32)
        rows = jnp.where(there[:, None], rows, 0)
        states = jax.random.rademacher(begun, (starts, d), jnp.float32)
        memory: BinaryMemory = dense_memory(rows, 3, rectified=rectified)
        found = retrieve(memory, states, Asynchronous(max_steps=200))
        return jnp.mean((jnp.max(found.state @ rows.T, 1) == d).astype(jnp.float32))

    return jax.lax.map(one, (keys, counts))


def half_recalled(
    sizes: Sequence[int],
    loads: Sequence[float],
    rectified: bool,
    draws: int,
    starts: int,
    seed: int,
) -> Half:
    """The number of patterns of degree 3 at which half of all random starts end in one.

    **Arguments:**

    - `sizes`: N; `loads`: K/N² to be tried, increasing.
    - `rectified`: of F.
    - `draws`, `starts`: networks for each K, and starts for each.
    - `seed`: of the draws.
    """
    stored = np.rint(np.outer(np.square(sizes), loads)).astype(np.int32)
    every = np.zeros((*stored.shape, draws))
    for i, d in enumerate(sizes):
        key = jax.random.fold_in(jax.random.key(seed), 1000 + d)
        keys = jax.random.split(key, stored.shape[1] * draws)
        found = _shares(
            keys,
            np.repeat(stored[i], draws),
            d=d,
            most=int(stored[i].max()),
            rectified=rectified,
            starts=starts,
        )
        every[i] = np.asarray(found).reshape(-1, draws)
    rng, share = np.random.default_rng(seed), every.mean(2)

    def again():
        return [
            _half(k, np.take(every[i], rng.integers(draws, size=draws), axis=1).mean(1))
            for i, k in enumerate(stored)
        ]

    drawn = np.array([again() for _ in range(200)])
    half = np.array([_half(k, s) for k, s in zip(stored, share, strict=True)])
    if not np.isfinite(half).all():
        raise ValueError(f"Not all shares fall through one half: {share} at K = {stored}.")
    return Half(np.array(sizes), stored, share, half, drawn[np.isfinite(drawn).all(1)])


def _half(stored: np.ndarray, share: np.ndarray) -> float:
    """Where the share last falls through one half, on a straight line in ln K; or NaN."""
    last = float(falls(np.log(stored), share, 0.5)[1])
    return np.exp(last) if np.isfinite(last) else np.nan
