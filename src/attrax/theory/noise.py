"""The exact law of crosstalk: a sum over independent patterns of terms of few sizes."""

import math

import jax
import jax.numpy as jnp
import numpy as np

# Sums are resolved on a circle of this half circumference, in units of the signal, at frequencies
# up to π NODES/HALF_PERIOD = 151.
HALF_PERIOD = 200
NODES = 9600
# Terms larger than this decide alone; terms smaller than the other add up to a normal variable.
LARGE, SMALL = 64.0, 1e-4
# exp of this times a few hundred levels is finite in float32.
CEILING = 70.0


def exceeds(log_count, log_weights, log_sizes, window):
    """P(Σ ±y > 1) for a number of independent terms, signs and sizes y random, ties as half.

    By inversion of the characteristic function, P = ½ − (1/π)∫ φ(t)^count sin(t)/t dt with
    φ(t) = Σ w cos(t y). It is summed by the trapezoidal rule, which wraps the sum around a
    circle; what is far from the signal may lie anywhere there, so that costs nothing. High
    frequencies fade out, which blurs sums by a twentieth of the signal, or of their own spread
    where that is larger, without bias to the seventh order. Absolute error: some 1e-6 in float32;
    the blur counts where fewer than some ten terms make up the sum.

    **Arguments:**

    - `log_count`: natural logarithm of the number of terms, scalar; −∞ for none.
    - `log_weights`: logarithms of the probabilities of the sizes, shape (n,).
    - `log_sizes`: logarithms of the sizes in units of the signal, falling, shape (n,).
    - `window`: at most so many sizes lie between `SMALL` and `LARGE`; static.

    **Returns:** a probability, scalar.
    """
    dtype = log_weights.dtype
    wins = log_sizes > math.log(LARGE)
    minute = log_sizes < math.log(SMALL)
    squares = jnp.where(wins, -jnp.inf, log_weights + 2 * log_sizes)
    variance = jnp.sum(_exp(log_count + squares))
    # Wide sums need a wider circle, and no high frequencies.
    scale = jnp.sqrt(jnp.maximum(variance, 64)) / 8
    step = math.pi / (HALF_PERIOD * scale)
    t = jnp.arange(1, NODES + 1, dtype=dtype) * step

    padded = [jnp.pad(a, (0, window), constant_values=-jnp.inf) for a in (log_weights, log_sizes)]
    start = jnp.sum(wins)
    log_weights_in, log_sizes_in = (jax.lax.dynamic_slice(a, (start,), (window,)) for a in padded)
    inside = log_sizes_in >= math.log(SMALL)
    log_weights_in = jnp.where(inside, log_weights_in, -jnp.inf)
    sizes = jnp.exp(jnp.where(inside, log_sizes_in, 0))
    waves = 2 * jnp.sin(t[:, None] * sizes[None] / 2) ** 2

    def missing(log_factor):
        """factor × (1 − φ), at t = 0 (where the winning terms alone are missing) and at t."""
        lost = jnp.sum(jnp.where(wins, _exp(log_factor + log_weights), 0))
        small = jnp.sum(jnp.where(minute, _exp(log_factor + squares), 0))
        return lost, lost + waves @ _exp(log_factor + log_weights_in) + small * t**2 / 2

    odd = jnp.round(_exp(jnp.minimum(log_count, 30.0))) % 2 == 1
    at_zero, at_t = (
        _power(x, total, odd)
        for x, total in zip(missing(jnp.zeros_like(log_count)), missing(log_count), strict=True)
    )
    u = 30 * (t / t[-1]) ** 2
    fade = jnp.exp(-u) * (1 + u + u**2 / 2 + u**3 / 6)
    weights = fade * jnp.sin(t) / t * (step / math.pi)
    share = step / (2 * math.pi)
    # Without noise the sum is ½; written as a difference from that, small chances stay precise.
    rest = jnp.where(scale > 1, 0.5 - share - jnp.sum(weights), 0)
    return jnp.clip(weights @ (1 - at_t) + share * (1 - at_zero) + rest, 0, 0.5)


def log_binomial(sizes: np.ndarray) -> np.ndarray:
    """ln[C(d−1, j) 2^{1−d}] for j = 0, 1, … in a row for each d; −∞ beyond j = d − 1."""
    largest = int(sizes.max(initial=1))
    factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, largest)))])
    j = np.arange(largest)[None]
    others = sizes[:, None] - 1
    rest = np.maximum(others - j, 0)
    log = factorial[others] - factorial[j] - factorial[rest] - others * math.log(2)
    return np.where(j <= others, log, -np.inf)


def _exp(x):
    return jnp.exp(jnp.minimum(x, CEILING))


def _power(x, total, odd):
    """(1 − x)^count from x and count × x; the count may be too large for a number."""
    close = x < 1e-3
    far = jnp.where(close, 1, x)
    log = -jnp.log(jnp.maximum(jnp.abs(1 - far), 1e-30)) / far
    power = jnp.exp(-total * jnp.where(close, 1 + x / 2 + x**2 / 3, log))
    return jnp.where((x > 1) & odd, -power, power)
