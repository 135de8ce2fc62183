"""Theorems on the modern Hopfield network, ξ ← Xᵀ softmax(β X ξ), as functions of numbers.

N patterns of norm at most M, the rows of X, of which one has the separation Δ from all others. All
bounds are computed from their logarithms, which `log=True` returns.
"""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .arguments import Numbers, above_zero, bounded, one_of, reals
from .lambert import wright_omega


class ModernCapacity(NamedTuple):
    """What `modern_capacity` returns, arrays of one shape.

    - `base`: c; the guaranteed number of patterns grows as c^(d/4).
    - `exponent`: a + ln b, of which c = b/W₀(exp(a + ln b)) is made.
    - `log_n_patterns`: natural logarithm of the guaranteed number, ln(√p c^((d−1)/4)).
    - `proven`: whether c ≥ (2/√p)^(4/(d−1)), which the theorem asks for.
    """

    base: Float[Array, "..."]
    exponent: Float[Array, "..."]
    log_n_patterns: Float[Array, "..."]
    proven: Bool[Array, "..."]


def modern_energy_offset(
    n_patterns: Numbers, beta: Numbers, largest_norm: Numbers
) -> Float[Array, "..."]:
    """ln N/β + M²/2, the constant by which the paper's energy is above that of a `Memory`.

        E = −lse(β, X ξ) + ½|ξ|² + ln N/β + ½ M²
          = −ln[(1/N) Σ_i exp(−½β(M² − |x_i|²)) exp(−½β|x_i − ξ|²)]/β

    With this constant 0 ≤ E for all ξ, and E ≤ min(ln N/β + M²/2, 2 M²) within the convex hull of
    the patterns, where every read leads. `Memory.energy` is ½|ξ|² − lse(β, X ξ).

    **Arguments:**

    - `n_patterns`: N ≥ 1, any shape.
    - `beta`: β > 0, in units of 1/(x·ξ), any shape.
    - `largest_norm`: M ≥ 0, the norm of the longest pattern, any shape.

    **Returns:** the constant, in units of x·ξ, of the arguments' joint shape.

    **Raises:** `ValueError` for an argument out of its range.

    **Source:** [ramsauer2021hopfield]
    """
    n_patterns, beta, largest_norm = _checked(n_patterns, beta, largest_norm)
    return jnp.log(n_patterns) / beta + largest_norm**2 / 2


def modern_required_separation(
    n_patterns: Numbers, beta: Numbers, largest_norm: Numbers
) -> Float[Array, "..."]:
    """2/(βN) + ln(2 (N − 1) N β M²)/β, from which separation on a pattern is surely stored.

    Then the sphere of `modern_sphere_radius` around the pattern is mapped into itself, holds
    exactly one fixed point, and every state in it is drawn there; spheres of two such patterns do
    not meet. The condition is sufficient: patterns of a much smaller separation may be stored.

    **Arguments:** as of `modern_energy_offset`.

    **Returns:** a separation Δ, in units of x·x, of the arguments' joint shape; −∞ for N = 1.

    **Raises:** `ValueError` for an argument out of its range.

    **Source:** [ramsauer2021hopfield]
    """
    n_patterns, beta, largest_norm = _checked(n_patterns, beta, largest_norm)
    logs = _log_others(n_patterns) + jnp.log(n_patterns) + _log_spread(beta, largest_norm)
    return 2 / (beta * n_patterns) + (math.log(2) + logs) / beta


def modern_sphere_radius(
    n_patterns: Numbers, beta: Numbers, largest_norm: Numbers
) -> Float[Array, "..."]:
    """1/(β N M), the radius of the sphere around a well separated pattern that is its basin.

    The whole basin is larger. See `modern_required_separation`.

    **Arguments:** as of `modern_energy_offset`.

    **Returns:** a distance, in units of |x|, of the arguments' joint shape.

    **Raises:** `ValueError` for an argument out of its range.

    **Source:** [ramsauer2021hopfield]
    """
    n_patterns, beta, largest_norm = _checked(n_patterns, beta, largest_norm)
    return 1 / (beta * n_patterns * largest_norm)


def modern_error_bound(
    separation: Numbers,
    n_patterns: Numbers,
    beta: Numbers,
    largest_norm: Numbers,
    distance: Numbers = 0.0,
    *,
    log: bool = False,
) -> Float[Array, "..."]:
    """2 (N − 1) M exp(−β(Δ − 2 δ M)), a bound on the distance from a pattern after one read.

    A state at a distance δ of x_i is read as f(ξ) with |f(ξ) − x_i| below this bound (Theorem 5).
    A bound above 2 M says nothing. At δ = 1/(2βM) it is 2e (N − 1) M exp(−βΔ), which bounds the
    distance of the fixed point itself, if that is no farther than this δ.

    **Arguments:**

    - `separation`: Δ of the pattern, see `modern_separation`, in units of x·x, any shape.
    - `n_patterns`, `beta`, `largest_norm`: N, β and M, as of `modern_energy_offset`.
    - `distance`: δ = |ξ − x_i| ≥ 0, in units of |x|, any shape.
    - `log`: return the natural logarithm, which a large βΔ needs.

    **Returns:** a distance or its logarithm, of the arguments' joint shape.

    **Raises:** `ValueError` for an argument out of its range.

    **Source:** [ramsauer2021hopfield]
    """
    log_others, _, largest_norm, _ = _others(separation, n_patterns, beta, largest_norm, distance)
    return _result(math.log(2) + jnp.log(largest_norm) + log_others, log)


def modern_contraction_bound(
    separation: Numbers,
    n_patterns: Numbers,
    beta: Numbers,
    largest_norm: Numbers,
    distance: Numbers = 0.0,
    *,
    constant: str = "variance",
    log: bool = False,
) -> Float[Array, "..."]:
    """How much a read shrinks the distance to the fixed point near a pattern, at least.

    |f(ξ) − x*| ≤ ‖J‖ |ξ − x*|, with ‖J‖ at most, for r = (N − 1) exp(−β(Δ − 2 δ M)),

    | constant | bound | where it is from |
    |---|---|---|
    | `"paper"` | 2 β N M² r | Theorem 4 |
    | `"variance"` | β M² min(4 r, 1) | J = β Cov(x), r bounds the weight of the other patterns |

    The second is smaller, by N/2 for well separated patterns. For it let u be a unit vector: the
    variance of u·x is at most the mean of (u·(x − x_i))², hence at most r (2M)², and at most a
    quarter of the squared range 2M. Below one, reads converge at least as fast as a geometric
    series of this ratio.

    **Arguments:**

    - `separation`, `n_patterns`, `beta`, `largest_norm`: Δ, N, β and M, as of `modern_error_bound`.
    - `distance`: δ = max(|ξ − x_i|, |x* − x_i|) ≥ 0, in units of |x|, any shape.
    - `constant`: one of the two above.
    - `log`: return the natural logarithm.

    **Returns:** a ratio or its logarithm, of the arguments' joint shape.

    **Raises:** `ValueError` for an argument out of its range or an unknown constant.

    **Source:** [ramsauer2021hopfield]
    """
    one_of("constant", constant, ("paper", "variance"))
    log_others, n_patterns, largest_norm, beta = _others(
        separation, n_patterns, beta, largest_norm, distance
    )
    if constant == "paper":
        factor = math.log(2) + jnp.log(n_patterns) + log_others
    else:
        factor = jnp.minimum(math.log(4) + log_others, 0)
    return _result(factor + _log_spread(beta, largest_norm), log)


def modern_capacity(
    d: Numbers, beta: Numbers = 1.0, radius: Numbers = 1.0, failure: Numbers = 0.001
) -> ModernCapacity:
    """√p c^((d−1)/4), a number of random patterns that are all stored with probability 1 − p.

    Theorem 3, of patterns drawn evenly from the sphere of radius M = K √(d − 1):

        a = 2 (1 + ln(2 β K² p (d − 1)))/(d − 1),   b = 2 K² β/5,   c = b/W₀(exp(a + ln b))

    with the upper branch W₀ of Lambert's function. It is a lower bound, and a loose one: for
    d → ∞ at βK² = 1 it grows as e^(0.074 d), the number of patterns that are as well separated as
    the proof asks for as e^(0.16 d), and that of patterns which a read returns as e^(0.62 d).

    **Arguments:**

    - `d`: dimension, at least 2, any shape.
    - `beta`: β > 0, any shape.
    - `radius`: K > 0, the norm of patterns in units of √(d − 1), any shape.
    - `failure`: p in (0, 1], the probability that some pattern is not stored, any shape.

    **Returns:** a `ModernCapacity`.

    **Raises:** `ValueError` for an argument out of its range.

    **Source:** [ramsauer2021hopfield]
    """
    d, beta, radius, failure = reals(d=d, beta=beta, radius=radius, failure=failure)
    bounded("d", d, 2)
    above_zero("beta", beta)
    above_zero("radius", radius)
    above_zero("failure", failure)
    bounded("failure", failure, 0, 1)
    spread = jnp.log(2 * failure * (d - 1)) + _log_spread(beta, radius)
    a = 2 / (d - 1) * (1 + spread)
    exponent = a + math.log(2 / 5) + _log_spread(beta, radius)
    # W₀ + ln W₀ = a + ln b, hence ln c = ln b − ln W₀ = W₀ − a.
    log_base = wright_omega(exponent) - a
    log_n = jnp.log(failure) / 2 + (d - 1) / 4 * log_base
    least = 4 / (d - 1) * (math.log(2) - jnp.log(failure) / 2)
    return ModernCapacity(jnp.exp(log_base), exponent, log_n, log_base >= least)


def _checked(n_patterns, beta, largest_norm):
    n_patterns, beta, largest_norm = reals(
        n_patterns=n_patterns, beta=beta, largest_norm=largest_norm
    )
    bounded("n_patterns", n_patterns, 1)
    above_zero("beta", beta)
    bounded("largest_norm", largest_norm, 0)
    return n_patterns, beta, largest_norm


def _others(separation, n_patterns, beta, largest_norm, distance):
    """ln[(N − 1) exp(−β(Δ − 2 δ M))], which bounds the weight of all other patterns; N, M, β."""
    separation, n_patterns, beta, largest_norm, distance = reals(
        separation=separation,
        n_patterns=n_patterns,
        beta=beta,
        largest_norm=largest_norm,
        distance=distance,
    )
    _checked(n_patterns, beta, largest_norm)
    bounded("distance", distance, 0)
    log_others = _log_others(n_patterns) - beta * (separation - 2 * distance * largest_norm)
    return log_others, n_patterns, largest_norm, beta


def _log_others(n_patterns):
    """ln(N − 1), −∞ for one pattern alone."""
    several = n_patterns > 1
    return jnp.where(several, jnp.log(jnp.where(several, n_patterns - 1, 1)), -jnp.inf)


def _log_spread(beta, norm):
    """ln(β M²), where M² may be too large for a number."""
    return jnp.log(beta) + 2 * jnp.log(norm)


def _result(log_bound, log):
    return log_bound if log else jnp.exp(log_bound)
