"""Chances of a wrong unit with more patterns than can be stored, by drawing their numbers."""

import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ..evaluate.bands import weighted_bands
from ..theory import exponential_flip_probability, exponential_rate
from ..theory.noise import log_binomial
from .exponential_memory_measures import Repair, others_at, repair

# Levels with more than e^MANY patterns on average are normal, those with less than e^NEVER empty;
# at LEVELS between, numbers are whole, less than COUNTS of either sign.
LEVELS, MANY, NEVER, COUNTS = 32, math.log(100.0), math.log(1e-7), 128
# What a pattern adds, as a logarithm in units of the signal, does not count below MINUTE.
MINUTE, _DRAWS = -40.0, 2000


class Flips(NamedTuple):
    """Counts of wrong units beside theory; of shape (points,).

    - `units`, `damage`, `log_others`: N, the share ρ of units that are flipped, and ln(M − 1).
    - `wrong`: how many units end up wrong, shape (2, points): of those that are not flipped in the
      cue, and of those that are.
    - `draws`: how many of either kind were looked at.
    - `theory`: `exponential_flip_probability`.
    """

    units: np.ndarray
    damage: np.ndarray
    log_others: np.ndarray
    wrong: np.ndarray
    draws: np.ndarray
    theory: np.ndarray

    @property
    def kinds(self) -> np.ndarray:
        """The share of all units that each kind is, shape (2, points)."""
        return np.stack([1 - self.damage, self.damage])

    @property
    def share(self) -> np.ndarray:
        """Of wrong units."""
        return (self.kinds * self.wrong / self.draws).sum(0)

    @property
    def error(self) -> np.ndarray:
        """The standard error of `share`."""
        parts = self.wrong / self.draws
        return np.sqrt((self.kinds**2 * parts * (1 - parts) / self.draws).sum(0))

    def bands(self, confidence: float) -> tuple[np.ndarray, np.ndarray]:
        """Wilson's intervals, low and high, that hold at all points at once.

        Each has the confidence 1 − (1 − confidence)/points.
        """
        each = 1 - (1 - confidence) / self.units.size
        found = weighted_bands(self.wrong, self.draws[None], self.kinds, each)
        return np.asarray(found.low), np.asarray(found.high)

    def within(self, confidence: float, blur: float) -> np.ndarray:
        """Where theory, known to a share `blur` of itself, meets the interval."""
        low, high = self.bands(confidence)
        return (self.theory * (1 + blur) >= low) & (self.theory * (1 - blur) <= high)


def levels(log_others: float, units: int, flips: int) -> tuple[np.ndarray, np.ndarray, float]:
    """What the sampler draws from, with `flips` of the other N − 1 units flipped.

    Another pattern differs from the cue in j of these with chance C(N−1, j) 2^{1−N}, and then adds
    ±e^{2(flips − j)}, in units of the signal.

    **Returns:** for `LEVELS` levels with few patterns, how likely there are more of one sign than
    COUNTS − 1, …, 1, 0, shape (LEVELS, COUNTS), and the logarithms of the sizes, shape (LEVELS,);
    and that of the standard deviation of what all levels with many add up to.
    """
    expected = log_others + log_binomial(np.asarray([units]))[0]
    sizes = 2.0 * (flips - np.arange(units))
    # What is far from the cue adds nothing that counts, however few there are.
    far = (sizes < MINUTE) | (np.arange(units) > (units - 1) // 2)
    many = (expected > MANY) | far
    few = np.flatnonzero(~many & (expected > NEVER))
    if few.size > LEVELS:
        raise ValueError(f"{few.size} levels hold few patterns, but there is room for {LEVELS}.")
    spread = (expected + 2 * sizes)[many]
    top = spread.max(initial=-np.inf)
    total = top + math.log(np.exp(spread - top).sum()) if spread.size else -np.inf
    missing = LEVELS - few.size
    numbers = np.arange(2 * COUNTS)
    factorials = np.cumsum(np.log(np.maximum(numbers, 1)))
    log_mean = expected[few, None] - math.log(2)
    chances = np.exp(numbers * log_mean - np.exp(log_mean) - factorials)
    # Summed from the rare end, so that small chances keep their digits.
    more = np.cumsum(chances[:, :0:-1], axis=1)[:, -COUNTS:]
    return np.pad(more, ((0, missing), (0, 0))), np.pad(sizes[few], (0, missing)), total / 2


def wrong_units(
    key: PRNGKeyArray,
    more: Float[Array, "l counts"],
    log_sizes: Float[Array, " l"],
    log_spread: Float[Array, ""],
    draws: int,
) -> Int[Array, ""]:
    """How many units are wrong, of `draws`: the sampler.

    The numbers of other patterns at each level are independent Poisson variables, as good as the
    multinomial ones where single levels hold a small share of all patterns. Split at random by
    sign, each is the difference of two Poisson variables of half the mean, drawn by inversion. All
    levels with many patterns add up to one normal variable. Terms are held as signs and logarithms
    and summed in units of the largest, or of the signal if that is larger: nothing overflows.

    **Arguments:**

    - `key`: the random key.
    - `more`, `log_sizes`, `log_spread`: as of `levels`.
    - `draws`: how many units.

    **Returns:** twice their number; a sum that is exactly zero is half wrong.
    """
    signs, rest = jax.random.split(key)
    # Never zero, which would be below chances of any size.
    uniform = jax.random.uniform(signs, (2, draws, log_sizes.size)) + 2.0**-24
    find = jax.vmap(lambda table, some: jnp.searchsorted(table, some, side="right"), (0, 2), 2)
    # The number is that of entries above the uniform variable.
    ups, downs = COUNTS - find(more, uniform)
    surplus = ups - downs
    normal = jax.random.normal(rest, (draws, 1))
    amounts = jnp.concatenate([surplus.astype(normal.dtype), normal], axis=1)
    logs = jnp.log(jnp.abs(amounts)) + jnp.append(log_sizes, log_spread)[None]
    reference = jnp.maximum(jnp.max(logs, axis=1, keepdims=True), 0.0)
    noise = jnp.sum(jnp.sign(amounts) * jnp.exp(logs - reference), axis=1)
    total = jnp.exp(-reference[:, 0]) + noise
    return 2 * jnp.sum(total < 0, dtype=jnp.int32) + jnp.sum(total == 0, dtype=jnp.int32)


@partial(jax.jit, static_argnames="calls")
def _sampled(keys, tables, calls: int):
    def point(inputs):
        key, more, sizes, spread = inputs

        def some(key):
            return wrong_units(key, more, sizes, spread, _DRAWS)

        return jnp.sum(jax.lax.map(some, jax.random.split(key, calls)))

    return jax.lax.map(point, (keys, *tables))


def sampled(points: Sequence[tuple[int, float, float]], draws: int, seed: int) -> Flips:
    """The share of wrong units at points (N, ρ, ln(M − 1)), by drawing numbers of patterns.

    A unit that is one of the flipped sees one flip less among the others, as in theory.

    **Arguments:**

    - `points`: N, ρ and ln(M − 1) of each.
    - `draws`, `seed`: of each kind of units at a point, a multiple of 2000, and of all draws.
    """
    calls = -(-draws // _DRAWS)
    units, damage, logs = (np.asarray(column) for column in zip(*points, strict=True))
    flips = np.round(damage * units).astype(int)
    damage = flips / units
    wrong = np.zeros((2, len(units)))
    for lost in range(2):
        tables = [
            levels(float(log), int(n), max(int(k) - lost, 0))
            for log, n, k in zip(logs, units, flips, strict=True)
        ]
        columns = [jnp.asarray(np.asarray(c), float) for c in zip(*tables, strict=True)]
        key = jax.random.fold_in(jax.random.key(seed), lost)
        twice = _sampled(jax.random.split(key, len(units)), columns, calls)
        wrong[lost] = np.asarray(twice, np.float64) / 2
    theory = exponential_flip_probability(logs + np.log1p(np.exp(-logs)), units, damage)
    number = np.full(len(units), calls * _DRAWS)
    return Flips(units, damage, logs, wrong, number, np.asarray(theory, np.float64))


def grid(sizes: Sequence[int], step: int) -> list[tuple[int, float, float]]:
    """Points around the rate of one pattern, where chances are neither zero nor one half.

    From ln M six below the rate to four above, by `step`. Where one other pattern is enough for an
    error, ρ > 0, the rate is that of ln M − ½ ln N.
    """
    steps = np.arange(-6.0, 4.5, step)
    damages = (0.0, 0.1, 0.2)
    rates = np.asarray(exponential_rate(damages, "one_pattern"), np.float64)
    return [
        (n, damage, float(rate * n + (math.log(n) / 2 if damage else 0) + more))
        for n in sizes
        for damage, rate in zip(damages, rates, strict=True)
        for more in steps
    ]


def growth(found: Flips, damage: float, level: float) -> tuple[np.ndarray, np.ndarray, float]:
    """N, ln M at which a share `level` of units is wrong, and its slope over N."""
    sizes = np.unique(found.units)
    logs = []
    for units in sizes:
        here = (found.units == units) & np.isclose(found.damage, damage) & (found.share > 0)
        logs.append(np.interp(math.log(level), np.log(found.share[here]), found.log_others[here]))
    return sizes, np.asarray(logs), float(np.polyfit(sizes, logs, 1)[0])


class Beside(NamedTuple):
    """The sampler beside networks that store their patterns.

    - `points`: N, ρ, and ln(M − 1) of each.
    - `direct`, `error`: the share of wrong units in stored networks, and its standard error over
      networks.
    - `flips`: the sampler.
    """

    points: list[tuple[int, float, float]]
    direct: np.ndarray
    error: np.ndarray
    flips: Flips

    def within(self, quantile: float) -> np.ndarray:
        """Where the two differ by at most `quantile` standard errors of their difference."""
        error = np.hypot(self.error, self.flips.error)
        return np.abs(self.direct - self.flips.share) <= quantile * error


# N, flips and α of networks that store their patterns.
STORED = ((20, 2, 0.3), (20, 4, 0.15), (24, 5, 0.15), (30, 3, 0.28), (30, 6, 0.2))


def compared(
    sizes: Sequence[int], step: int, networks: int, draws: int, seed: int
) -> tuple[Beside, Flips]:
    """The sampler at the points `STORED`, beside networks, and at those of `grid`.

    **Arguments:**

    - `sizes`, `step`: as of `grid`.
    - `networks`, `draws`: for each point of `STORED`, and of the sampler for each point.
    - `seed`: of all draws.
    """
    found: list[Repair] = [
        repair(n, others_at(alpha, n), k, networks, seed, 512) for n, k, alpha in STORED
    ]
    shares = [each.wrong / (each.probed * each.units) for each in found]
    points = [(each.units, each.flips / each.units, math.log(each.others)) for each in found]
    every, count = sampled(points + grid(sizes, step), draws, seed), len(points)
    near, far = (
        Flips(*(column[..., part] for column in every))
        for part in (slice(count), slice(count, None))
    )
    return Beside(
        points,
        np.asarray([share.mean() for share in shares]),
        np.asarray([share.std(ddof=1) / math.sqrt(share.size) for share in shares]),
        near,
    ), far
