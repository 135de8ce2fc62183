"""Closed forms for dense memories of energy −Σ (overlap)ⁿ: stability of patterns and capacity."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln, ndtri
from jaxtyping import Array, Float

from ..common.checks import is_concrete
from .arguments import Numbers, bounded, known_size, one_of, reals, whole
from .hebb import upper_tail
from .noise import exceeds, log_binomial


def dense_flip_probability(
    n_patterns: Numbers, d: Numbers, degree: Numbers, *, exact: bool = False
) -> Float[Array, "..."]:
    """P(flip) = Q(√(d^{n−1}/((2n − 3)!! N))), the chance that a unit of a stored pattern flips.

    The energy is −Σ_μ (ξ^μ·σ)ⁿ with random patterns of signs, and a unit takes the value of lower
    energy. Q is the upper tail of the standard normal: the energy differences of the N − 1 other
    patterns are added up as a normal variable, with leading terms in d of signal and variance.
    That is good to a few per cent where d is some hundreds. With fewer units or rare errors the
    heavy tails of the true noise count, the more so the higher the degree: of 30 units at degree 4
    with 100 patterns, ten times as many are unstable.

    **Arguments:**

    - `n_patterns`: number N ≥ 1 of stored patterns, any shape.
    - `d`: number of units, at least 2, any shape.
    - `degree`: n ≥ 1, any shape; whole if `exact`. 2 is the classical network.
    - `exact`: use the signal dⁿ − (d − 2)ⁿ and the noise of binomial overlaps at this d and N, by
      its characteristic function, in place of their limits for many units; a sum that is exactly
      zero counts as half. Then `d` must be whole and not traced. A small error is left: some 1e-6
      in float32, and at degree 2 a share of 20/d² to 40/d² where one unit in a thousand errs (0.2
      to 0.4 % for d = 100), less where more do.

    **Returns:** a probability in [0, ½], of the arguments' joint shape.

    **Raises:** `ValueError` for an argument out of its range; `TypeError` if `exact` and `d` is
    traced.

    **Source:** [krotov2016dense]
    """
    size = known_size("d", d) if exact else d
    n_patterns, units, degree = reals(n_patterns=n_patterns, d=size, degree=degree)
    bounded("n_patterns", n_patterns, 1)
    bounded("d", units, 2)
    bounded("degree", degree, 1)
    if not exact:
        return upper_tail(jnp.exp(_log_load(units, degree, jnp.log(n_patterns)) / 2))
    whole("degree", degree)
    shape = units.shape
    table = log_binomial(np.broadcast_to(size, shape).ravel())
    # Overlaps ±r have terms of one size, and the sign of a term is random: half the table will do.
    table = jnp.asarray(table[:, : (table.shape[1] + 1) // 2], units.dtype)
    several = n_patterns > 1
    log_others = jnp.where(several, jnp.log(jnp.where(several, n_patterns - 1, 1)), -jnp.inf)
    columns = (a.ravel() for a in (log_others, units, degree))
    return _exact((*columns, table)).reshape(shape)


def dense_capacity(
    d: Numbers,
    degree: Numbers,
    criterion: str = "tolerated_error",
    *,
    error: Numbers = 0.005,
    log: bool = False,
) -> Float[Array, "..."]:
    """The number of random patterns of a dense memory, by what is asked of them.

    | criterion | number | what is asked |
    |---|---|---|
    | `"tolerated_error"` | d^{n−1}/((2n − 3)!! z²), Q(z) = error | P(flip) of a unit is `error` |
    | `"no_errors"` | d^{n−1}/(2 (2n − 3)!! ln d) | a given pattern is stable in all units |
    | `"all_patterns"` | d^{n−1}/(2n (2n − 3)!! ln d) | all patterns are |

    The first solves `dense_flip_probability` for N: 0.1507 d at degree 2 and an error of 0.005
    (the 0.14 d of the paper is that of an error of 0.0038). It asks about the first update only;
    errors may grow in later ones.

    **Arguments:**

    - `d`: number of units, at least 2, any shape.
    - `degree`: n ≥ 1, any shape.
    - `criterion`: one of the three above.
    - `error`: for `"tolerated_error"`, the probability that a unit is unstable, between 0 and ½,
      any shape.
    - `log`: return the natural logarithm, which a high degree needs in float32.

    **Returns:** a number of patterns or its logarithm, of the arguments' joint shape.

    **Raises:** `ValueError` for an argument out of its range or an unknown criterion.

    **Source:** [krotov2016dense], [demircigil2017model]
    """
    one_of("criterion", criterion, ("tolerated_error", "no_errors", "all_patterns"))
    d, degree, error = reals(d=d, degree=degree, error=error)
    bounded("d", d, 2)
    bounded("degree", degree, 1)
    if is_concrete(error) and not ((np.asarray(error) > 0) & (np.asarray(error) < 0.5)).all():
        raise ValueError(f"`error` must lie between 0 and 1/2, both excluded, but it is {error}.")
    if criterion == "tolerated_error":
        log_margin = 2 * jnp.log(-ndtri(error))
    else:
        log_margin = jnp.log(2 * jnp.log(d))
    if criterion == "all_patterns":
        log_margin = log_margin + jnp.log(degree)
    log_n = _log_load(d, degree, log_margin)
    return log_n if log else jnp.exp(log_n)


def _log_load(d, degree, log_n):
    """ln[d^{n−1}/((2n − 3)!! N)]; (2n − 3)!! = 2^{n−1} Γ(n − ½)/√π."""
    double_factorial = gammaln(degree - 0.5) - math.log(math.pi) / 2
    return (degree - 1) * jnp.log(d / 2) - double_factorial - log_n


@jax.jit
def _exact(arguments):
    def one(argument):
        log_others, d, degree, log_weights = argument
        overlap = d - 1 - 2 * jnp.arange(log_weights.size, dtype=log_weights.dtype)
        log_weights = jnp.where(overlap >= 0, log_weights, -jnp.inf)
        log_weights = log_weights + jnp.where(overlap > 0, math.log(2), 0)
        log_sizes = _log_difference(overlap, degree) - _log_difference(d - 1, degree)
        return exceeds(log_others, log_weights, log_sizes, log_weights.size)

    # One at a time: each holds an array of frequencies × levels.
    return jax.lax.map(one, arguments)


def _log_difference(r, n):
    """ln |(r + 1)ⁿ − (r − 1)ⁿ| for whole r ≥ 0."""
    some = jnp.maximum(r, 1)
    log_ratio = jnp.log(jnp.where(some > 1, some - 1, 1)) - jnp.log(some + 1)
    shrunk = jnp.where(some > 1, jnp.exp(n * log_ratio), 0)
    at_zero = jnp.where(n % 2 == 1, math.log(2), -jnp.inf)
    return jnp.where(r > 0, n * jnp.log(some + 1) + jnp.log1p(-shrunk), at_zero)
