"""Confidence bands of shares that were counted."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import betainc, ndtr, ndtri
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from ..common.checks import as_floats, is_concrete, number, plain_number
from ..common.display import results


@results
class Band(NamedTuple):
    """An estimate and its confidence interval, all of one shape.

    - `value`: the estimate.
    - `low`, `high`: the ends of its confidence interval.
    """

    value: Float[Array, "..."]
    low: Float[Array, "..."]
    high: Float[Array, "..."]


def success_bands(
    successes: ArrayLike | list | tuple,
    trials: ArrayLike | list | tuple,
    confidence: ArrayLike = 0.95,
) -> Band:
    """Wilson's interval of the probability of success, from k successes in n independent trials.

        (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n),    p = k/n

    with z the normal quantile of (1 + confidence)/2. It covers the truth as often as it says on
    average over probabilities, stays within [0, 1], and says something at no success at all, where
    p ± z √(p(1 − p)/n) has no width. The interval of Clopper and Pearson never covers too seldom,
    but is wider for that.

    **Arguments:**

    - `successes`: k, whole numbers from 0 to n, any shape.
    - `trials`: n, whole numbers from 1 on: one, or a shape that broadcasts.
    - `confidence`: in (0, 1).

    **Returns:** a `Band`, value p, of the joint shape.

    **Raises:** `ValueError` for counts that are not whole or out of their range, shapes that do not
    go together, empty arrays, and a confidence outside (0, 1); values are not looked at under jit.

    **Source:** [wilson1927probable]
    """
    hits, total = as_floats("successes", successes), as_floats("trials", trials)
    dtype = jnp.promote_types(jnp.promote_types(hits.dtype, total.dtype), jnp.float32)
    try:
        shape = jnp.broadcast_shapes(hits.shape, total.shape)
    except ValueError:
        raise ValueError(
            "The shapes of `successes` and `trials` do not go together: they are "
            f"{hits.shape} and {total.shape}."
        ) from None
    hits, total = (jnp.broadcast_to(x.astype(dtype), shape) for x in (hits, total))
    if hits.size == 0:
        raise ValueError(f"`successes` or `trials` is empty: their joint shape is {shape}.")
    if is_concrete(total) and not (np.asarray(total) > 0).all():
        raise ValueError("`trials` must be positive, but some are not: nothing was counted there.")
    for name, counts in (("successes", hits), ("trials", total)):
        if is_concrete(counts) and (odd := np.asarray(counts % 1 != 0)).any():
            raise ValueError(
                f"`{name}` are counts, whole numbers, but there is {np.asarray(counts)[odd][0]:g}: "
                "multiply a share by its trials and round."
            )
    if is_concrete(hits, total):
        counted, of = np.asarray(hits), np.asarray(total)
        wrong = (counted < 0) | (counted > of)
        if wrong.any():
            raise ValueError(
                "`successes` must lie between 0 and `trials`, but there are "
                f"{counted[wrong][0]:g} of {of[wrong][0]:g}."
            )
    return _wilson(hits / total, total, _quantile(confidence, dtype))


def weighted_bands(
    successes: ArrayLike, trials: ArrayLike, weights: ArrayLike, confidence: ArrayLike
) -> Band:
    """Wilson's interval of Σ_s w_s p_s, from k_s successes in n_s trials of each part s.

    The estimate Σ_s w_s k_s/n_s has the variance Σ_s w_s² p_s (1 − p_s)/n_s; n is the number of
    trials, all of one kind, that would have as much. For that p_s is (k_s + 1)/(n_s + 2), since
    counts of zero show no variance.

    **Arguments:**

    - `successes`: k, shape (parts, ...).
    - `trials`: n, of that shape or one that broadcasts.
    - `weights`: w, likewise, summing to one over parts.
    - `confidence`: in (0, 1).

    **Returns:** a `Band` of shape (...).
    """
    successes, trials, weights = (jnp.asarray(x, float) for x in (successes, trials, weights))
    value = jnp.sum(weights * successes / trials, axis=0)
    shares = (successes + 1) / (trials + 2)
    mean = jnp.sum(weights * shares, axis=0)
    variance = jnp.sum(jnp.square(weights) * shares * (1 - shares) / trials, axis=0)
    return _wilson(value, mean * (1 - mean) / variance, _quantile(confidence, value.dtype))


def check_confidence(confidence: ArrayLike) -> None:
    """Refuse a confidence outside (0, 1)."""
    _quantile(confidence, jnp.result_type(float))


def pooled_bands(
    successes: Int[Array, "*points run"], trials: Int[Array, "*points"], confidence: ArrayLike
) -> Band:
    """Wilson's interval from runs of several trials each, which share what is random in a run.

    Trials of one run are alike, so that they say less than as many independent ones: n is divided
    by the variance of a run's share over that of independent trials, where runs show it to be
    larger, and the normal quantile z is then Student's, of runs − 1 degrees of freedom. One run
    cannot show it, nor do runs without any success or failure; two show it so badly that intervals
    of 95 % cover some 87 %.

    **Arguments:**

    - `successes`: counts, shape (..., runs).
    - `trials`: of each run, shape (...).
    - `confidence`: in (0, 1).

    **Returns:** a `Band` of shape (...).
    """
    value, total, alike = _pooled(successes, trials)
    z = _quantile(confidence, value.dtype)
    runs = successes.shape[-1]
    if runs > 1:
        z = jnp.where(alike, _student(z, runs - 1), z)
    return _wilson(value, total, z)


@functools.partial(jax.jit, static_argnames="degrees")
def _student(z: Array, degrees: int) -> Array:
    """Student's quantile where the normal one is z."""

    def halve(_, ends):
        low, high = ends
        middle = (low + high) / 2
        # Both tails of x = ν/(ν + t²); t falls as x rises.
        below = betainc(degrees / 2, 0.5, middle) < 2 * ndtr(-z)
        return jnp.where(below, middle, low), jnp.where(below, high, middle)

    ends = jnp.zeros_like(z), jnp.ones_like(z)
    x = jax.lax.fori_loop(0, 2 * jnp.finfo(z.dtype).nmant, halve, ends)[0]
    return jnp.sqrt(degrees * (1 - x) / x)


@jax.jit
def _pooled(successes: Array, trials: Array) -> tuple[Array, Array, Array]:
    """The share of successes, how many independent trials would tell as much, and whether those
    are fewer."""
    runs = successes.shape[-1]
    dtype = jnp.result_type(float)
    each = trials.astype(dtype)
    total = each * runs
    value = jnp.sum(successes, axis=-1).astype(dtype) / total
    if runs > 1:
        shares = successes.astype(dtype) / each[..., None]
        seen = jnp.var(shares, axis=-1, ddof=1) / runs
        independent = value * (1 - value) / total
        varied = independent > 0
        alike = jnp.where(varied, seen / jnp.where(varied, independent, 1), 1)
        return value, total / jnp.maximum(alike, 1), alike > 1
    return value, total, jnp.zeros(value.shape, bool)


@jax.jit
def _wilson(share: Array, total: Array, z: Array) -> Band:
    z = jnp.broadcast_to(z, share.shape)
    bend = jnp.square(z) / total
    middle = (share + bend / 2) / (1 + bend)
    half = z * jnp.sqrt(share * (1 - share) / total + bend / (4 * total)) / (1 + bend)
    # Of counts at an end, the interval's end is that end; rounding would miss it.
    low = jnp.where(share <= 0, 0, middle - half)
    high = jnp.where(share >= 1, 1, middle + half)
    return Band(share, jnp.clip(low, 0, share), jnp.clip(high, share, 1))


def _quantile(confidence: ArrayLike, dtype) -> Array:
    level = number("confidence", confidence).astype(dtype)
    if is_concrete(level) and not 0 < float(level) < 1:
        raise ValueError(f"`confidence` must lie between 0 and 1, but it is {float(level):g}.")
    # The tail as it is given: after rounding to 32 bits nothing would be left of a small one.
    tail = (
        (1 - plain_number("confidence", confidence)) / 2
        if is_concrete(confidence)
        else (1 - level) / 2
    )
    return -ndtri(jnp.asarray(tail, dtype))
