"""Reads by softmax of so many random patterns that none could hold them: their scores, by draws."""

import math
from typing import NamedTuple

import jax
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import PRNGKeyArray

from ..common.checks import as_doubles, one_key, one_of, plain_number, whole_number

ENSEMBLES = ("spherical", "gaussian", "binary")
# So many of the largest overlaps are drawn one by one.
_LARGEST = 128
# Overlaps are resolved in as many levels as let e^{β d ε} change by this from one to the next, but
# in no fewer or more than these.
_FINE, _FEWEST, _MOST = 0.1, 1 << 14, 1 << 20


class SoftmaxReads(NamedTuple):
    """Reads of a query by many random patterns, shape (draws,) or (numbers, draws).

    - `log_sum`: ln Σ e^{β ξ·x} over all patterns ξ.
    - `overlap`: of what is read with the query, Σ w ξ·x/d.
    - `squares`: Σ w², one over the number of patterns that share the weight.
    """

    log_sum: np.ndarray
    overlap: np.ndarray
    squares: np.ndarray


def draw_softmax_reads(
    ensemble: str,
    log_n_patterns: ArrayLike | list | tuple,
    d: int,
    beta: ArrayLike,
    *,
    draws: int,
    key: PRNGKeyArray,
) -> SoftmaxReads:
    """Draw what softmax reads from random patterns that are independent of the query.

    The query x has the squared length d. Only overlaps ε = ξ·x/d are drawn, in log space, so the
    number of patterns may be e^{1000}. The largest ones are a Poisson process and are drawn one
    by one. All others add up to a normal variable, of their mean and variance below the last that
    is drawn. The number of patterns is a Poisson variable too, which counts where it is small: of
    none the log-sum is −∞ and the rest zero.

    **Arguments:**

    - `ensemble`: `"spherical"` for patterns of squared length d, `"gaussian"` for normal entries
      of variance 1, `"binary"` for fair signs.
    - `log_n_patterns`: natural logarithms of numbers of patterns, ≥ 0, one or shape (K,). Draws
      are the same for all, with further patterns.
    - `d`: number of entries.
    - `beta`: inverse temperature β > 0 of scores ξ·x.
    - `draws`: how many.
    - `key`: the random key.

    **Returns:** `SoftmaxReads`.

    **Raises:** `ValueError` or `TypeError` for an argument out of its range or an unknown ensemble.

    **Source:** [lucibello2024exponential], [derrida1981random]
    """
    logs = as_doubles("log_n_patterns", log_n_patterns)
    if logs.ndim > 1 or logs.size == 0 or not (logs >= 0).all():
        raise ValueError(
            "`log_n_patterns` must be logarithms of numbers of patterns, at least 0, one or "
            f"several, but it is {log_n_patterns!r}."
        )
    energies = _Energies(ensemble, d, beta, draws, key)
    # Overlaps plus this are positive.
    shift = 1 - energies.overlap[-1]
    terms = energies.terms(), energies.terms(gain=energies.overlap + shift), energies.terms(2)
    reads = []
    for log in np.atleast_1d(logs):
        total, lifted, squares = (energies.log_sum(log, *each) for each in terms)
        # What no pattern has is zero.
        some = np.isfinite(total)
        safe = np.where(some, total, 0)
        overlap = np.where(some, np.exp(lifted - safe) - shift, 0)
        reads.append((total, overlap, np.exp(squares - 2 * safe)))
    columns = (np.array(column) for column in zip(*reads, strict=True))
    return SoftmaxReads(*(column if logs.ndim else column[0] for column in columns))


def draw_softmax_thresholds(
    ensemble: str,
    d: int,
    beta: ArrayLike,
    *,
    overlap: ArrayLike = 1.0,
    draws: int,
    key: PRNGKeyArray,
) -> np.ndarray:
    """Draw the number of patterns at which a query's own has half of the weight of softmax.

    The query x has the squared length d and an overlap m = ξ·x/d with its pattern. All others are
    random, as for `draw_softmax_reads`, and more and more are stored until their log-sum is β m d.
    The share of draws above α d is that of queries which e^{αd} patterns leave with their own.

    **Arguments:**

    - `ensemble`, `d`, `beta`, `draws`, `key`: as of `draw_softmax_reads`.
    - `overlap`: m > 0; 1 for a pattern as its own query.

    **Returns:** natural logarithms of numbers of patterns, shape (draws,).

    **Raises:** `ValueError` or `TypeError` for an argument out of its range or an unknown ensemble.

    **Source:** [lucibello2024exponential]
    """
    own = plain_number("overlap", overlap)
    if not own > 0:
        raise ValueError(f"`overlap` must be positive, but it is {own:g}.")
    energies = _Energies(ensemble, d, beta, draws, key)
    target, terms = energies.beta * own * energies.d, energies.terms()
    # The mean score is zero, so that so many patterns suffice.
    low, high = np.zeros(draws), np.full(draws, target + 8)
    for _ in range(28):
        middle = (low + high) / 2
        reached = energies.log_sum(middle, *terms) >= target
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
    return (low + high) / 2


class _Energies:
    """Sums over random patterns of what depends on their overlaps with one query, by draw."""

    def __init__(self, ensemble, d, beta, draws, key):
        one_of("ensemble", ensemble, ENSEMBLES)
        self.d, self.beta = whole_number("d", d), plain_number("beta", beta)
        draws = whole_number("draws", draws)
        if not 0 < self.beta < math.inf:
            raise ValueError(f"`beta` must be positive and finite, but it is {self.beta:g}.")
        if self.d < 3 and ensemble == "spherical":
            raise ValueError(f"`d` must be at least 3 for spherical patterns, but it is {d}.")
        rng = np.random.default_rng(np.asarray(jax.random.key_data(one_key(key))).ravel())
        self.overlap, self.log = _levels(ensemble, self.d, self.beta)
        self.above = np.logaddexp.accumulate(self.log)
        self.arrivals = np.log(np.cumsum(rng.exponential(size=(draws, _LARGEST)), axis=1))
        self.noise = rng.standard_normal(draws)

    def terms(self, power=1, gain=None):
        """ln[gain(ε) e^{power β d ε}] by level, for gains > 0, and what lies below each level.

        That is ln of the expected term of a pattern that is there, and of its square.
        """
        terms = power * self.beta * self.d * self.overlap
        terms = terms if gain is None else terms + np.log(gain)
        below = (
            np.append(np.logaddexp.accumulate((self.log + k * terms)[::-1])[::-1], -np.inf)
            for k in (1, 2)
        )
        return terms, *below

    def log_sum(self, log_numbers, terms, mean, square):
        """ln of the sum of terms over all patterns of each draw, shape (draws,)."""
        log_numbers = np.broadcast_to(log_numbers, self.noise.shape)
        ranks = self.arrivals - log_numbers[:, None]
        place = np.searchsorted(self.above, ranks)
        drawn = np.where(place < terms.size, terms[np.minimum(place, terms.size - 1)], -np.inf)
        # Of the last level some patterns are drawn and some are not.
        last = np.minimum(place[:, -1], terms.size - 1)
        share = -np.expm1(np.minimum(ranks[:, -1] - self.above[last], 0))
        with np.errstate(divide="ignore"):
            part = self.above[last] + np.log(share)
        more = place[:, -1] < terms.size
        mean, square = (
            np.where(more, log_numbers + np.logaddexp(part + k * terms[last], x[last + 1]), -np.inf)
            for k, x in ((1, mean), (2, square))
        )
        some = np.isfinite(mean)
        spread = np.exp(np.minimum(np.where(some, square / 2, 0) - np.where(some, mean, 0), 50))
        rest = mean + np.log(np.maximum(1 + spread * self.noise, 1e-3))
        return np.logaddexp(np.logaddexp.reduce(drawn, axis=1), rest)


def _levels(ensemble, d, beta):
    """Overlaps that a pattern may have, falling, and the logarithms of their chances."""
    if ensemble == "binary":
        factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, d + 1)))])
        chances = factorial[d] - factorial - factorial[::-1] - d * math.log(2)
        return 1 - 2 * np.arange(d + 1) / d, chances
    most = 1.0 if ensemble == "spherical" else max(3.0, 9 / math.sqrt(d))
    number = int(np.clip(2 * most * beta * d / _FINE, _FEWEST, _MOST))
    edges = np.linspace(most, -most, number + 1)
    overlap = (edges[1:] + edges[:-1]) / 2
    if ensemble == "spherical":
        log = (d - 3) / 2 * np.log1p(-(overlap**2))
    else:
        log = -d * overlap**2 / 2
    return overlap, log - np.logaddexp.reduce(log)
