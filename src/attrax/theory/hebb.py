"""Closed forms for classical networks: the stability of stored patterns, and capacities by rule."""

import functools
import math

import jax.numpy as jnp
from jax.scipy.special import erf, erfc, ndtr
from jax.scipy.stats import norm
from jaxtyping import Array, Float

from .arguments import Numbers, bounded, one_of, reals


def hebb_flip_probability(
    n_patterns: Numbers, d: Numbers, *, states: str = "signs"
) -> Float[Array, "..."]:
    """P(flip) = Q(√(d/(P − 1))), the chance that one unit of a stored pattern is unstable.

    Patterns are random and stored by Hebb's rule with a zero diagonal; Q is the upper tail of the
    standard normal. States 0 and 1 with zero thresholds double the variance of the noise:
    Q(√(d/(2(P − 1)))). The sum of the noise is taken as normal;
    `dense_flip_probability(n_patterns, d, 2, exact=True)` does without that for signs.

    **Arguments:**

    - `n_patterns`: number P ≥ 1 of stored patterns, any shape.
    - `d`: number of units, at least 1, any shape that broadcasts with it.
    - `states`: what a unit may be: `"signs"` (−1, 1) or `"bits"` (0, 1).

    **Returns:** a probability in [0, ½], of the arguments' joint shape.

    **Raises:** `ValueError` for an argument out of its range or an unknown kind of states.

    **Source:** [hopfield1982neural]
    """
    one_of("states", states, ("signs", "bits"))
    n_patterns, d = reals(n_patterns=n_patterns, d=d)
    bounded("n_patterns", n_patterns, 1)
    bounded("d", d, 1)
    others = (n_patterns - 1) * (1 if states == "signs" else 2)
    noisy = others > 0
    ratio = d / jnp.where(noisy, others, 1)
    return jnp.where(noisy, upper_tail(jnp.sqrt(ratio)), 0)


def hebb_first_step(load: Numbers, overlap: Numbers) -> Float[Array, "..."]:
    """m₁ = erf(m₀/√(2α)), the overlap after one synchronous step from a damaged pattern.

    Hebb's rule, signs, random patterns, d → ∞. It holds for the first step only: later states
    depend on the couplings, which makes their noise larger than this.

    **Arguments:**

    - `load`: α = P/d ≥ 0, any shape. Without load the pattern's side is found at once.
    - `overlap`: m₀ in [−1, 1] with the stored pattern, 1 − 2ρ for a share ρ of flipped units.

    **Returns:** an overlap in [−1, 1], of the arguments' joint shape.

    **Raises:** `ValueError` for an argument out of its range.

    **Source:** [amit1985storing]
    """
    load, overlap = reals(load=load, overlap=overlap)
    bounded("load", load, 0)
    bounded("overlap", overlap, -1, 1)
    loaded = load > 0
    noisy = erf(overlap / jnp.sqrt(2 * jnp.where(loaded, load, 1)))
    return jnp.where(loaded, noisy, jnp.sign(overlap))


def hebb_capacity(d: Numbers, criterion: str = "tolerated_error") -> Float[Array, "..."]:
    """The number of random patterns that Hebb's rule stores, by what is asked of them.

    | criterion | number | what is asked, for d → ∞ |
    |---|---|---|
    | `"tolerated_error"` | α_c d, α_c = 0.13791 | attractors close by, 1.6 % of units wrong |
    | `"one_pattern"` | d/(2 ln d) | one given pattern is stable in all units |
    | `"all_patterns"` | d/(4 ln d) | all patterns are |

    α_c is the maximum over x of ½[(erf x − 2x e^{−x²}/√π)/x]², and `critical_load` at zero
    temperature. The two others are leading terms, reached slowly: they lack terms of ln ln d.

    **Arguments:**

    - `d`: number of units, at least 2, any shape.
    - `criterion`: one of the three above.

    **Returns:** a number of patterns, shape of `d`.

    **Raises:** `ValueError` for an argument out of its range or an unknown criterion.

    **Source:** [amit1985storing], [mceliece1987capacity]
    """
    one_of("criterion", criterion, ("tolerated_error", "one_pattern", "all_patterns"))
    d = _units(d)
    if criterion == "tolerated_error":
        return _critical_load() * d
    return d / ((2 if criterion == "one_pattern" else 4) * jnp.log(d))


def storkey_capacity(d: Numbers) -> Float[Array, "..."]:
    """d/√(2 ln d), the number of random patterns that Storkey's rule keeps without an error.

    **Arguments:**

    - `d`: number of units, at least 2, any shape.

    **Returns:** a number of patterns, shape of `d`.

    **Raises:** `ValueError` if `d` is less than 2.

    **Source:** [storkey1997increasing]
    """
    d = _units(d)
    return d / jnp.sqrt(2 * jnp.log(d))


def pseudo_inverse_capacity(d: Numbers) -> Float[Array, "..."]:
    """d, the number of independent patterns that the pseudo-inverse rule keeps.

    It is a bound on what is stable, not on what is repaired: with as many patterns as units the
    couplings are the identity, every state is stable, and nothing is retrieved.

    **Arguments:**

    - `d`: number of units, at least 2, any shape.

    **Returns:** a number of patterns, shape of `d`.

    **Raises:** `ValueError` if `d` is less than 2.

    **Source:** [storkey1997increasing]
    """
    return _units(d)


def gardner_capacity(margin: Numbers = 0.0) -> Float[Array, "..."]:
    """α(κ) = 1/[(1 + κ²) Φ(κ) + κ φ(κ)], the most random patterns a unit by any rule at all.

    Couplings exist for which every unit of every pattern has a field of at least κ times the
    couplings' norm; φ and Φ are density and distribution of the standard normal. 2 at κ = 0.

    **Arguments:**

    - `margin`: κ ≥ 0, in units of the norm of a unit's couplings, any shape.

    **Returns:** a load P/d, shape of `margin`.

    **Raises:** `ValueError` if `margin` is negative, where the formula does not hold.

    **Source:** [gardner1988space]
    """
    (margin,) = reals(margin=margin)
    bounded("margin", margin, 0)
    return 1 / ((1 + margin**2) * ndtr(margin) + margin * norm.pdf(margin))


def upper_tail(x):
    """Q(x) = P(standard normal > x)."""
    return erfc(x / math.sqrt(2)) / 2


def _units(d):
    (d,) = reals(d=d)
    bounded("d", d, 2)
    return d


@functools.cache
def _critical_load() -> float:
    """α_c at zero temperature: bisection for the place where the derivative vanishes."""

    def numerator(x):
        return math.erf(x) - 2 * x * math.exp(-x * x) / math.sqrt(math.pi)

    low, high = 1.0, 2.0
    for _ in range(60):
        x = (low + high) / 2
        rising = 4 * x**3 * math.exp(-x * x) / math.sqrt(math.pi) > numerator(x)
        low, high = (x, high) if rising else (low, x)
    return (numerator(low) / low) ** 2 / 2
