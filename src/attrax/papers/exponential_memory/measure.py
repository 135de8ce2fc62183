"""One update of every unit, counted; chances of an error beyond what can be stored; energies."""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from attrax.data import random_patterns
from attrax.dynamics import Asynchronous, Iterate
from attrax.evaluate import ensemble
from attrax.models import dense_memory, exponential_memory
from attrax.retrieval import retrieve
from attrax.theory import exponential_rate

from ..contract import wide

# The map: its units, and numbers of patterns.
UNITS = 20
PATTERNS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
# Sizes in the quick and in the full profile by (ρ, α), and how many patterns are tried.
SERIES = {
    (0.0, 0.3): ((12, 26), (12, 16, 20, 26), 2**20),
    (0.1, 0.15): ((20, 50), (20, 30, 40, 50), 2**20),
    (0.2, 0.145): ((20, 60), (20, 40, 60), 256),
}
# Beyond what can be stored: ρ, and ln M around where single patterns are lost.
FAR, STEPS = 0.1, tuple(np.arange(-5, 2.1, 0.5))


def cubic(rows):
    """A memory of degree 3, F(x) = x³."""
    return dense_memory(rows, 3, rectified=False)


def stored(alpha: float, d: int) -> int:
    """M = e^{αN} + 1, down to a whole number."""
    return int(math.exp(alpha * d)) + 1


class Repaired(NamedTuple):
    """How many patterns came back whole, (numbers, draws), of how many that were tried and stored,
    both (numbers, 1)."""

    exact: np.ndarray
    tried: np.ndarray
    patterns: np.ndarray

    @property
    def one(self) -> np.ndarray:
        """The share of single patterns, by draw."""
        return self.exact / self.tried

    @property
    def all(self) -> np.ndarray:
        """1 for networks that repair all patterns, else 0; NaN if that was not tried to the end."""
        whole = np.where(self.tried < self.patterns, np.nan, 1.0)
        return np.where(self.exact < self.tried, 0.0, whole)


def count(flips, probes: int, memory, patterns, key):
    """How many patterns one update of every unit repairs, after some of their units are flipped."""
    patterns = patterns[:probes]
    places = jnp.argsort(jax.random.uniform(key, patterns.shape), axis=1)
    cues = jnp.where(places < flips, -patterns, patterns)

    def whole(pair):
        cue, pattern = pair
        return jnp.all(memory.pull(cue) == pattern) & jnp.any(pattern != 0)

    return jnp.sum(jax.lax.map(whole, (cues, patterns), batch_size=min(256, len(cues))))


def repaired(
    run, d: int, patterns: Any, flips: int, draws: int, probes: int = 2**20, make=exponential_memory
) -> Repaired:
    """Draw networks with each of some numbers of patterns; the first `probes` are tried."""
    number, key = patterns[-1], jax.random.key(run.seed)
    key = jax.random.fold_in(jax.random.fold_in(key, d), number)
    measure: Any = eqx.Partial(count, jnp.asarray(flips), min(probes, number))
    exact = ensemble(make, measure, patterns, d, draws=draws, key=key)
    totals = np.array(patterns)[:, None]
    return Repaired(exact, np.minimum(totals, probes), totals)


def pair_law(d: int, flips: int, patterns: Any) -> tuple[Any, Any]:
    """The chances that a given pattern is repaired, and that all are, if pairs alone decide.

    Of two patterns that differ in D units, o of which are flipped, one is lost if o ≥ D/2. If
    o = (D − 1)/2, there is a tie at the b = D − o others, which a third pattern decides: with
    chance 1 − 2^{−b} one is wrong. For large d these chances fall at the rates I(1 − 2ρ) and
    ½ I(1 − 2ρ).
    """
    total = np.asarray(patterns, np.float64)
    one, both = np.full(total.shape, 0.5**d), np.full(total.shape, 0.5**d)
    for far in range(1, d + 1):
        chance = [math.comb(far, o) * math.comb(d - far, flips - o) for o in range(flips + 1)]
        more = sum(chance[(far + 1) // 2 :])
        tied = sum(chance[o] * (1 - 0.5 ** (far - o)) for o in range(flips + 1) if 2 * o == far - 1)
        lost = (more + tied * (total > 2)) / math.comb(d, flips)
        weight = math.comb(d, far) / 2**d
        one += weight * (1 - lost)
        # Without flips both have the same tie, and the loss of one is the other's gain.
        both += weight * ((1 - lost) ** 2 if flips else 1 - 2 * lost)
    return one ** (total - 1), both ** (total * (total - 1) / 2)


def threshold(shares: np.ndarray) -> Any:
    """The mean of ln M up to which patterns are repaired: the area under the share, (numbers, ...).

    A single pattern always is.
    """
    x = np.log([1, *PATTERNS])
    return np.trapezoid(np.concatenate([np.ones_like(shares[:1]), shares]), x, axis=0)


def success(run, flips: int) -> Repaired:
    """The map's success at all numbers of patterns, with this many units flipped."""
    draws = run.pick("map.networks", quick=100, full=400)
    few, many = PATTERNS[:12], PATTERNS[12:]
    parts = [run(repaired, UNITS, part, flips, draws, 256) for part in (few, many)]
    return Repaired(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def edges(run, which: str, law: str, *damaged: int) -> np.ndarray:
    """Where success ends for "one" pattern or "all", over where the law of pairs says that it ends.

    Both as mean α; the mean over numbers of flipped units, by draw.
    """
    ratios = []
    for flips in damaged:
        measured = getattr(run(success, flips), which)
        expected = pair_law(UNITS, flips, PATTERNS)[("one", "all").index(law)]
        ratios.append(threshold(measured) / threshold(expected))
    return np.mean(ratios, axis=0)


class Growth(NamedTuple):
    """½ ln M(M − 1) at which half of the networks keep all patterns, with errors, by size."""

    sizes: np.ndarray
    logs: np.ndarray
    errors: np.ndarray

    def slope(self, correction: int | float) -> tuple[float, float]:
        """By which logs + correction · ln N grow with N, and its standard error."""
        lever = (self.sizes - self.sizes.mean()) / np.sum((self.sizes - self.sizes.mean()) ** 2)
        slope = lever @ (self.logs + correction * np.log(self.sizes))
        return float(slope), float(np.sqrt(np.sum((lever * self.errors) ** 2)))


def growth(run) -> Growth:
    """From the share at one M near the law's, exp(−c M(M − 1)), with c measured."""
    sizes = run.pick("growth.sizes", quick=(12, 16, 20, 24), full=(12, 16, 20, 24, 28))
    draws = run.pick(
        "growth.networks", quick=(4000, 2000, 1000, 500), full=(9000, 9000, 9000, 2000, 400)
    )
    logs, errors = [], []
    for d, count in zip(sizes, draws, strict=True):
        number = round(math.sqrt(2 * math.log(2) * 2**d / d))
        share = run(repaired, d, (number,), 0, count).all.mean()
        logs.append(math.log(number * (number - 1) * math.log(0.5) / math.log(share)) / 2)
        errors.append(math.sqrt((1 - share) / share / count) / -math.log(share) / 2)
    return Growth(np.array(sizes), np.array(logs), np.array(errors))


def series(run, damage: float, alpha: float) -> dict[int, Repaired]:
    """Networks of several sizes at one α."""
    quick, full, probes = SERIES[damage, alpha]
    small, large = run.pick("series.networks", quick=(2000, 150), full=(4000, 600))
    return {
        d: run(
            repaired,
            d,
            (stored(alpha, d),),
            round(damage * d),
            small if stored(alpha, d) < 300 else large,
            probes,
        )
        for d in run.pick(f"series.sizes ρ = {damage:g}", quick=quick, full=full)
    }


def wrong_unit(rng, log_others: float, d: int, flips: int, draws: int) -> float:
    """The chance of a wrong unit, from drawn numbers of patterns in place of patterns.

    In units of the signal, each other pattern that differs from the cue in j of the other units
    adds ±e^{2(k − j)}. There are about M C(N − 1, j) 2^{1−N} of them, Poisson variables split by
    sign; where there are more than a hundred, all such levels add up to one normal variable.
    """
    j = np.arange(d)
    log_comb = np.array([math.lgamma(d) - math.lgamma(i + 1) - math.lgamma(d - i) for i in j])
    log_mean = log_others + log_comb - (d - 1) * math.log(2)
    few = (log_mean < math.log(100)) & (log_mean > math.log(1e-7)) & (j < d / 2)
    many = log_mean >= math.log(100)
    wrong = 0.0
    for flipped, part in ((flips, 1 - flips / d), (max(flips - 1, 0), flips / d)):
        size = 2.0 * (flipped - j)
        halves = rng.poisson(np.exp(log_mean[few]) / 2, (2, draws, few.sum()))
        spread = np.logaddexp.reduce((log_mean + 2 * size)[many]) / 2 if many.any() else -np.inf
        amount = np.concatenate([halves[0] - halves[1], rng.standard_normal((draws, 1))], axis=1)
        exponent = np.append(size[few], spread)
        # Where nothing is, nothing is the largest; the signal is 1 = e⁰.
        largest = np.where(amount != 0, exponent, 0).max(axis=1, initial=0, keepdims=True)
        total = np.exp(-largest[:, 0]) + np.sum(amount * np.exp(exponent - largest), axis=1)
        wrong += part * (np.mean(total < 0) + np.mean(total == 0) / 2)
    return float(wrong)


class Far(NamedTuple):
    """Chances of a wrong unit, (repeats, sizes, steps), at ln M, (sizes, steps)."""

    sizes: np.ndarray
    logs: np.ndarray
    shares: np.ndarray

    def slopes(self, level: float) -> np.ndarray:
        """By which ln M − ½ ln N at this chance of an error grows with N, by repeat.

        NaN where the chance is not met.
        """
        corrected = self.logs - np.log(self.sizes)[:, None] / 2
        met = [
            [
                np.interp(level, *pair, left=np.nan, right=np.nan)
                for pair in zip(repeat, corrected, strict=True)
            ]
            for repeat in self.shares
        ]
        return np.polyfit(self.sizes, np.array(met).T, 1)[0]


def far(run, damage: float = FAR) -> Far:
    """Drawn numbers of patterns, with a share of units flipped, around the rate of one pattern."""
    sizes = np.array(run.pick("far.sizes", quick=(60, 400), full=(60, 100, 200, 400)))
    repeats, draws = run.pick("far.draws", quick=(5, 4000), full=(8, 20_000))
    rng = np.random.default_rng(run.seed)
    rate = float(exponential_rate(FAR, "one_pattern"))
    logs = (rate * sizes + np.log(sizes) / 2)[:, None] + np.array(STEPS)
    shares = [
        [[wrong_unit(rng, x, d, round(damage * d), draws) for x in row] for d, row in points]
        for points in [list(zip(sizes.tolist(), logs.tolist(), strict=True))] * repeats
    ]
    return Far(sizes, logs, np.array(shares))


class Descent(NamedTuple):
    """Energies −ln Σ exp(ξ·σ) from random starts.

    - `single`: after each unit, (starts, updates + 1).
    - `together`: after each update of all units at once, (starts, steps + 1).
    - `agree`: the share of sweeps that are those of the rule.
    """

    single: np.ndarray
    together: np.ndarray
    agree: float


def largest_rise(energies: np.ndarray) -> float:
    """In one step, in units of the largest energy."""
    return float(np.maximum(np.diff(energies, axis=1).max() / np.abs(energies).max(), 0))


@wide
def descent(run, beta: float = 1.0, d: int = 24, n: int = 1001) -> Descent:
    """Sweeps of a memory of exp(βx), and the rule T_i again in NumPy, from each state."""
    keys = jax.random.split(jax.random.key(run.seed))
    starts, sweeps = run.pick("descent.starts", quick=8, full=16), 8
    patterns, begun = (
        random_patterns(k, d, key=key) for k, key in zip((n, starts), keys, strict=True)
    )
    order = np.random.default_rng(run.seed).permutation(d)
    memory = exponential_memory(patterns, beta)
    path = retrieve(memory, begun, Asynchronous(order, max_steps=sweeps), path=True).path
    together = retrieve(memory, begun, Iterate(max_steps=sweeps), path=True).energies
    rows = np.asarray(patterns)
    single, agree = [], []
    for states in np.asarray(path):
        state, energies = states[0].copy(), [-np.logaddexp.reduce(rows @ states[0])]
        for after in states[1:]:
            for i in order:
                others = rows @ state - rows[:, i] * state[i]
                state[i] = np.sign(rows[:, i] @ np.exp(others - others.max())) or state[i]
                energies.append(-np.logaddexp.reduce(rows @ state))
            agree.append(np.array_equal(state, after))
            state = after.copy()
        single.append(energies)
    return Descent(np.array(single), np.asarray(together), float(np.mean(agree)))
