"""Closed forms for memories of sequences: errors, capacities, and where noise is not normal."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from jaxtyping import Array, Float

from .arguments import Numbers, bounded, known_size, one_of, reals, whole
from .hebb import upper_tail
from .noise import exceeds, log_binomial

# ln β, with 1/β = E exp(2 (ξ_j x_j − 1)) of one random unit: the square of the noise of one pattern
# shrinks by β for each unit.
LOG_BETA = 2 - math.log(math.cosh(2))
_CRITERIA = ("transition", "sequence")


def sequence_flip_probability(
    n_patterns: Numbers, d: Numbers, degree: Numbers | None = None, *, exact: bool = False
) -> Float[Array, "..."]:
    """P(flip), the chance that one unit of a pattern's successor is wrong after one step.

    The signal is f(1) = 1, and each of the N − 1 other patterns adds ±f(m) with m its overlap with
    the pattern over d − 1 units. If these sums are normal, P(flip) = Q(1/√((N − 1) E f²)) with
    E f² = (2n − 1)!!/dⁿ for f(m) = mⁿ, and β^{−(d−1)}, β = e²/cosh 2, for f(m) =
    exp((d − 1)(m − 1)). They are not where few patterns make up the noise: see
    `sequence_kurtosis`.

    **Arguments:**

    - `n_patterns`: number N ≥ 1 of random patterns of signs, any shape.
    - `d`: number of units, at least 2, any shape; whole if `exact`, and then not traced.
    - `degree`: n ≥ 1, any shape; `None` is the exponential.
    - `exact`: the law of the sum itself, from its characteristic function, blurred by a twentieth
      of the signal; a sum that is exactly zero counts as half.

    **Returns:** a probability in [0, ½], of the arguments' joint shape.

    **Raises:** `ValueError` for an argument out of its range; `TypeError` if `exact` and `d` is
    traced.

    **Source:** [chaudhry2023long]
    """
    size = known_size("d", d) if exact else d
    exponential = degree is None
    n, units, power = reals(n_patterns=n_patterns, d=size, degree=1.0 if exponential else degree)
    bounded("n_patterns", n, 1)
    bounded("d", units, 2)
    bounded("degree", power, 1)
    several = n > 1
    log_others = jnp.where(several, jnp.log(jnp.where(several, n - 1, 1)), -jnp.inf)
    if not exact:
        variance = log_others + _log_square(units, power, exponential)
        return upper_tail(jnp.exp(-variance / 2))
    if not exponential:
        whole("degree", power)
    shape = n.shape
    table = log_binomial(np.broadcast_to(size, shape).ravel())
    columns = (a.ravel() for a in (log_others, units, power))
    table = jnp.asarray(table, n.dtype)
    return _exact((*columns, table), exponential).reshape(shape)


def sequence_capacity(
    d: Numbers, degree: Numbers | None = None, criterion: str = "sequence", *, log: bool = False
) -> Float[Array, "..."]:
    """The length of a random sequence that a memory of d units holds, if noise is normal.

    | separation | `"transition"`: one step without errors | `"sequence"`: all steps |
    |---|---|---|
    | f(m) = mⁿ | dⁿ/(2 (2n − 1)!! ln d) | dⁿ/(2 (n + 1)(2n − 1)!! ln d) |
    | f(m) = exp((d − 1)(m − 1)) | β^{d−1}/(2 ln d) | β^{d−1}/(2 d ln β) |

    with β = e²/cosh 2 = 1.964. These are leading terms for large d, and powers reach theirs from
    below. For exponentials with d up to some 25 the noise is far from normal and capacities are
    much smaller: see `sequence_kurtosis`.

    **Arguments:**

    - `d`: number of units, at least 2, any shape.
    - `degree`: n ≥ 1, any shape; `None` is the exponential.
    - `criterion`: "transition" or "sequence".
    - `log`: return the natural logarithm, which exponentials of more than 130 units need in
      float32.

    **Returns:** a number of patterns or its logarithm, of the arguments' joint shape.

    **Raises:** `ValueError` for an argument out of its range, or an unknown criterion.

    **Source:** [chaudhry2023long]
    """
    one_of("criterion", criterion, _CRITERIA)
    exponential = degree is None
    units, power = reals(d=d, degree=1.0 if exponential else degree)
    bounded("d", units, 2)
    bounded("degree", power, 1)
    log_n = -_log_square(units, power, exponential) - _log_margin(
        units, power, exponential, criterion
    )
    return log_n if log else jnp.exp(log_n)


def mixed_sequence_capacity(
    d: Numbers,
    strength: Numbers,
    degree: Numbers | None = None,
    hold_degree: Numbers | None = None,
    criterion: str = "sequence",
    *,
    log: bool = False,
) -> Float[Array, "..."]:
    """The same for mixed networks, when a pattern has lasted and λ drives it on against the hold.

    The signal is λ − 1 and the noise that of both terms. For powers n of the successors and n_S of
    the hold, with k the smaller, that is (λ − 1)² dᵏ/(2 γ ln d), divided by k + 1 for all steps:

        γ = λ² (2n − 1)!! if n < n_S,    γ = (2n_S − 1)!! if n_S < n,
        γ = (λ² + 1)(2n − 1)!!, and 2λ ((n − 1)!!)² more if n is even, if they are equal.

    For exponentials it is (λ − 1)²/(λ² + 1) times `sequence_capacity`.

    **Arguments:**

    - `d`: number of units, at least 2, any shape.
    - `strength`: λ > 1, any shape.
    - `degree`, `hold_degree`: n and n_S, whole, ≥ 1, any shape; `None` for both is the
      exponential.
    - `criterion`, `log`: as of `sequence_capacity`.

    **Returns:** a number of patterns or its logarithm, of the arguments' joint shape.

    **Raises:** `ValueError` for an argument out of its range, one degree alone, or an unknown
    criterion.

    **Source:** [chaudhry2023long]
    """
    one_of("criterion", criterion, _CRITERIA)
    if (degree is None) != (hold_degree is None):
        raise ValueError("`degree` and `hold_degree` must both be given, or neither.")
    exponential = degree is None or hold_degree is None
    units, strong, power, held = reals(
        d=d,
        strength=strength,
        degree=1.0 if degree is None else degree,
        hold_degree=1.0 if hold_degree is None else hold_degree,
    )
    bounded("d", units, 2)
    bounded("strength", strong, 1)
    for name, values in (("degree", power), ("hold_degree", held)):
        bounded(name, values, 1)
        whole(name, values)
    least = jnp.minimum(power, held)
    signal = 2 * jnp.log(strong - 1)
    if exponential:
        gamma = jnp.square(strong) + 1
    else:
        both = jnp.square(strong) + 1
        crossed = 2 * strong * jnp.exp(2 * _log_odd(power / 2) - _log_odd(power))
        both = both + jnp.where(power % 2 == 0, crossed, 0.0)
        gamma = jnp.where(power < held, jnp.square(strong), jnp.where(held < power, 1.0, both))
    log_n = signal - jnp.log(gamma) - _log_square(units, least, exponential)
    log_n = log_n - _log_margin(units, least, exponential, criterion)
    return log_n if log else jnp.exp(log_n)


def sequence_kurtosis(
    n_patterns: Numbers, d: Numbers, degree: Numbers | None = None
) -> Float[Array, "..."]:
    """The excess kurtosis of the noise: (E f⁴/(E f²)² − 3)/(N − 1), which is 0 if it is normal.

    For f(m) = mⁿ the first term tends to (4n − 1)!!/((2n − 1)!!)², so that sums of many patterns
    are normal. For the exponential it is (cosh 4/cosh² 2)^{d−1} = 1.929^{d−1}, hardly less than
    the number 1.964^{d−1} of patterns that could be held: at `sequence_capacity` the kurtosis
    grows until d = 56, and vanishes from d of some hundreds on.

    **Arguments:**

    - `n_patterns`: number N > 1 of random patterns of signs, any shape.
    - `d`: number of units, at least 2, any shape.
    - `degree`: n ≥ 1, any shape; `None` is the exponential.

    **Returns:** the excess kurtosis, of the arguments' joint shape.

    **Raises:** `ValueError` for an argument out of its range.

    **Source:** [chaudhry2023long]
    """
    exponential = degree is None
    n, units, power = reals(n_patterns=n_patterns, d=d, degree=1.0 if exponential else degree)
    bounded("n_patterns", n, 1)
    bounded("d", units, 2)
    bounded("degree", power, 1)
    if exponential:
        log_ratio = (units - 1) * (math.log(math.cosh(4)) - 2 * math.log(math.cosh(2)))
    else:
        log_ratio = _log_odd(2 * power) - 2 * _log_odd(power)
    log_others = jnp.log(n - 1)
    return jnp.exp(log_ratio - log_others) - 3 * jnp.exp(-log_others)


def _log_square(d, degree, exponential):
    """ln E f² of one random pattern."""
    return (1 - d) * LOG_BETA if exponential else _log_odd(degree) - degree * jnp.log(d)


def _log_odd(n):
    """ln (2n − 1)!!."""
    return n * math.log(2) + gammaln(n + 0.5) - math.log(math.pi) / 2


def _log_margin(d, degree, exponential, criterion):
    """ln of the number of standard deviations, squared, that all units of all steps must keep."""
    once = jnp.log(2 * jnp.log(d))
    if criterion == "transition":
        return once
    return jnp.log(2 * d * LOG_BETA) if exponential else once + jnp.log(degree + 1)


def _exact(arguments, exponential):
    return (_of_exponentials if exponential else _of_powers)(arguments)


@jax.jit
def _of_exponentials(arguments):
    def one(argument):
        log_others, _, _, log_weights = argument
        differing = jnp.arange(log_weights.size, dtype=log_weights.dtype)
        # Sizes fall by e² from level to level, so that few of them are neither large nor minute.
        return exceeds(log_others, log_weights, -2 * differing, 8)

    return jax.lax.map(one, arguments)


@jax.jit
def _of_powers(arguments):
    def one(argument):
        log_others, d, degree, log_weights = argument
        overlap = jnp.abs(d - 1 - 2 * jnp.arange(log_weights.size, dtype=log_weights.dtype))
        there = overlap > 0
        sizes = degree * (jnp.log(jnp.where(there, overlap, 1.0)) - jnp.log(d - 1))
        order = jnp.argsort(-jnp.where(there, sizes, -jnp.inf))
        sizes = jnp.where(there, sizes, -jnp.inf)[order]
        return exceeds(log_others, log_weights[order], sizes, log_weights.size)

    # One at a time: each holds an array of frequencies × levels.
    return jax.lax.map(one, arguments)
