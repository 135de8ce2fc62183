"""Fixed points of the polynomial energy −Σ (ξ_μ·σ)³, with M = N²/(c ln N) patterns."""

import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..models import dense_memory
from ..theory import dense_flip_probability

DEGREE = 3


class Polynomial(NamedTuple):
    """Patterns of a network of degree 3 that are fixed points, by constant c and size N.

    - `constants`, `sizes`: c and N.
    - `patterns`: M, shape (constants, sizes).
    - `probed`: of how many patterns a network; likewise.
    - `stable`: the number of these that are fixed points, shape (draws, constants, sizes).
    - `theory`: the chance that N independent units with the exact chance of an error are right.
    """

    constants: tuple[float, ...]
    sizes: tuple[int, ...]
    patterns: np.ndarray
    probed: np.ndarray
    stable: np.ndarray
    theory: np.ndarray

    def single(self, constant: float) -> np.ndarray:
        """The share of single patterns that are fixed points at a c, shape (draws, sizes)."""
        i = self.constants.index(constant)
        return self.stable[:, i] / self.probed[i]

    def all(self, constant: float) -> np.ndarray:
        """1 for draws in which all patterns are fixed points; NaN if some were not probed."""
        i = self.constants.index(constant)
        whole = (self.probed[i] == self.patterns[i])[None]
        return np.where(whole, (self.stable[:, i] == self.probed[i]).astype(float), np.nan)


def polynomial(
    constants: Sequence[float], sizes: Sequence[int], draws: int, probes: int, seed: int
) -> Polynomial:
    """Store M = N²/(c ln N) random patterns, and update all units of patterns once.

    **Arguments:**

    - `constants`: c.
    - `sizes`: N.
    - `draws`: networks for each.
    - `probes`: how many patterns of a network are tried.
    - `seed`: of the draws.
    """
    patterns = np.asarray([[int(n**2 / (c * math.log(n))) for n in sizes] for c in constants])
    stable = np.zeros((draws, len(constants), len(sizes)), int)
    for j, units in enumerate(sizes):
        # Largest first, so that all sizes of network share one program.
        capacity = int(patterns[:, j].max())
        keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), units), draws)
        counts = _stable(
            keys, jnp.asarray(patterns[:, j]), units=units, capacity=capacity, probes=probes
        )
        stable[:, :, j] = np.asarray(counts)
    wrong = dense_flip_probability(patterns, np.asarray(sizes)[None], DEGREE, exact=True)
    theory = (1 - np.asarray(wrong, np.float64)) ** np.asarray(sizes)[None]
    probed = np.minimum(patterns, probes)
    return Polynomial(tuple(constants), tuple(sizes), patterns, probed, stable, theory)


@partial(jax.jit, static_argnames=("units", "capacity", "probes"))
def _stable(keys, totals, *, units: int, capacity: int, probes: int):
    probes = min(probes, capacity)

    def draw(key):
        patterns = jax.random.rademacher(key, (capacity, units), float)

        def network(total):
            # Rows of zeros have no energy, as if they were not there.
            there = jnp.arange(capacity) < total
            rows = jnp.where(there[:, None], patterns, 0)
            memory = dense_memory(rows, DEGREE, rectified=False)
            fixed = jax.lax.map(lambda row: jnp.all(memory.pull(row) == row), patterns[:probes])
            return jnp.sum(fixed & there[:probes])

        return jax.lax.map(network, totals)

    return jax.lax.map(draw, keys)
