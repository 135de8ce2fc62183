"""What one update of all units repairs: of patterns singly, and of all patterns at once."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ..data import random_patterns
from ..models import exponential_memory

# Programs are compiled for these numbers of patterns and units; rows and columns that are not
# there are masked.
CAPACITIES = (64, 512, 2048, 4096, 8192, 32768)
WIDTHS = (28, 40, 64, 100)
# Scores that are held at a time, 8 MB.
_SCORES = 2**21


class Repair(NamedTuple):
    """What one update made of the damaged patterns of several networks.

    - `units`, `others`, `flips`: N, the number M − 1 of other patterns, and the units flipped.
    - `probed`: of how many of the M patterns.
    - `exact`: how many came back without an error; shape (draws,).
    - `wrong`: how many units are wrong in all that were probed; shape (draws,).
    """

    units: int
    others: int
    flips: int
    probed: int
    exact: np.ndarray
    wrong: np.ndarray

    @property
    def alpha(self) -> float:
        """α of M = e^{αN} + 1."""
        return math.log(self.others) / self.units

    @property
    def single(self) -> np.ndarray:
        """The share of single patterns repaired, by draw."""
        return self.exact / self.probed

    @property
    def all(self) -> np.ndarray:
        """1 for draws in which all patterns are repaired, else 0.

        NaN where all that were probed are, but some were not.
        """
        whole = np.nan if self.probed <= self.others else 1.0
        return np.where(self.exact < self.probed, 0.0, whole)


def updated(
    patterns: Float[Array, "m d"], stored: Bool[Array, " m"], cues: Float[Array, "b d"]
) -> Float[Array, "b d"]:
    """The theorem's T of all units, for many cues, as attention.

    ξ_i e^{−ξ_i σ_i} = cosh(1) ξ_i − sinh(1) σ_i for signs, so that

        sgn Σ_μ ξ_μi exp(ξ_μ·σ − ξ_μi σ_i) = sgn((ξᵀ softmax(ξσ))_i − tanh(1) σ_i):

    two products in place of d M exponentials a cue.

    **Arguments:**

    - `patterns`: ξ, shape (M, d); columns of zeros for units that are not there.
    - `stored`: which rows are, shape (M,).
    - `cues`: shape (B, d).
    """
    scores = jnp.where(stored[None], cues @ patterns.T, -jnp.inf)
    weights = jnp.exp(scores - jnp.max(scores, axis=1, keepdims=True))
    own = math.tanh(1) * jnp.sum(weights, axis=1, keepdims=True)
    drive = weights @ patterns - own * cues
    return jnp.where(drive > 0, 1.0, jnp.where(drive < 0, -1.0, cues))


@jax.jit
def _errors(patterns, cues, total, probed):
    """How many of the first `probed` patterns are not what their cue becomes; in how many units."""
    stored = jnp.arange(len(patterns)) < total
    chunk = min(len(cues), max(32, _SCORES // len(patterns)))

    def count(i, counts):
        # The last chunk may go beyond the end, where it repeats the last row and counts nothing.
        places = i * chunk + jnp.arange(chunk)
        inside = jnp.minimum(places, len(cues) - 1)
        wrong = jnp.sum(updated(patterns, stored, cues[inside]) != patterns[inside], axis=1)
        wrong = jnp.where(places < probed, wrong, 0)
        return counts[0] + jnp.sum(wrong > 0), counts[1] + jnp.sum(wrong)

    # Chunks of rows that are not there are left out.
    return jax.lax.fori_loop(0, -(-probed // chunk), count, (0, 0))


def _drawn(rng, shape, flips, capacity, width, probes):
    """Patterns and damaged ones, filled with zeros; by NumPy, as each shape is a program in JAX."""
    patterns = np.zeros((capacity, width), np.float32)
    patterns[: shape[0], : shape[1]] = 2.0 * rng.integers(0, 2, shape, np.int8) - 1
    cues = patterns[:probes].copy()
    if flips:
        inner = cues[: shape[0], : shape[1]]
        places = np.argpartition(rng.random(inner.shape, np.float32), flips - 1, axis=1)[:, :flips]
        rows = np.arange(len(inner))[:, None]
        inner[rows, places] *= -1
    return patterns, cues


def repair(
    units: int, others: int, flips: int, draws: int, seed: int, probes: int | None = None
) -> Repair:
    """Store M = `others` + 1 random patterns, flip units of each, and update all units once.

    **Arguments:**

    - `units`: N.
    - `others`: M − 1.
    - `flips`: how many units of a pattern are flipped, at random.
    - `draws`: how many networks.
    - `seed`: of the draws.
    - `probes`: how many of the patterns are tried, 512, say; all if `None`.
    """
    total = others + 1
    capacity = next(size for size in CAPACITIES if size >= total)
    probes = capacity if probes is None else min(probes, capacity)
    width = next(size for size in WIDTHS if size >= units)
    rng = np.random.default_rng([seed, units, others])
    probed = min(probes, total)
    counts = np.empty((draws, 2), int)
    for draw in range(draws):
        rows = _drawn(rng, (total, units), flips, capacity, width, probes)
        counts[draw] = _errors(*rows, total, probed)
    return Repair(units, others, flips, probed, probed - counts[:, 0], counts[:, 1])


def others_at(alpha: float, units: int) -> int:
    """M − 1 = e^{αN}, down to a whole number."""
    return int(math.exp(alpha * units))


def series(
    alpha: float,
    damage: float,
    sizes: Sequence[int],
    draws: int,
    few: int,
    seed: int,
    probes: int | None = None,
) -> list[Repair]:
    """At one α, with the number of units.

    `draws` networks each, or `few` if they have more than `CAPACITIES[2]` patterns; the others are
    as of `repair`.
    """
    numbers = {units: others_at(alpha, units) for units in sizes}
    return [
        repair(n, m, round(damage * n), draws if m < CAPACITIES[2] else few, seed, probes)
        for n, m in numbers.items()
    ]


def agreement(units: int, others: int, states: int, seed: int) -> float:
    """The share of units on which attention and `exponential_memory` agree.

    At random states, and at patterns with a quarter of their units flipped.
    """
    keys = jax.random.split(jax.random.key(seed), 3)
    patterns = random_patterns(others + 1, units, key=keys[0])
    lost = jax.random.bernoulli(keys[1], 0.25, (states, units))
    damaged = jnp.where(lost, -patterns[:states], patterns[:states])
    cues = jnp.concatenate([random_patterns(states, units, key=keys[2]), damaged])
    memory = exponential_memory(patterns)
    slow = jax.jit(lambda some: jax.lax.map(memory.pull, some))(cues)
    return float(jnp.mean(slow == updated(patterns, jnp.ones(len(patterns), bool), cues)))
