"""The random-energy analysis of softmax memories: how many random patterns one read can tell apart.

A query of N entries and squared length N is compared with e^{αN} random patterns of that length.
Each score is β N ε at an overlap ε, and the scores are those of a random energy model: up to a
temperature very many patterns share the weight, and below it the few nearest ones have it all.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..checks import is_concrete
from .arguments import Numbers, bounded, one_of, reals
from .exponential import entropy_gap

ENSEMBLES = ("spherical", "gaussian", "binary")


def overlap_rate(overlap: Numbers, ensemble: str = "spherical") -> Float[Array, "..."]:
    """I(ε), the rate at which overlaps of random patterns are rare: P(overlap ≥ ε) ≈ e^{−N I(ε)}.

    | ensemble | entries of a pattern | I(ε) |
    |---|---|---|
    | `"spherical"` | uniform on the sphere of squared length N | −½ ln(1 − ε²) |
    | `"gaussian"` | independent normal ones of variance 1 | ε²/2 |
    | `"binary"` | independent fair signs | `entropy_gap`(ε) |

    The overlap is ε = ξ·x/N of a pattern ξ with a given x of squared length N, made of signs where
    patterns are. For another length |x|² = ρN it is I(ε/√ρ), not of signs.

    **Arguments:**

    - `overlap`: ε, any shape; in [−1, 1] unless patterns are Gaussian.
    - `ensemble`: one of the three above.

    **Returns:** nats an entry, shape of `overlap`; infinite at ±1 on the sphere.

    **Raises:** `ValueError` for an overlap that cannot be or an unknown ensemble.

    **Source:** [lucibello2024exponential]
    """
    one_of("ensemble", ensemble, ENSEMBLES)
    (overlap,) = reals(overlap=overlap)
    if ensemble == "gaussian":
        return jnp.square(overlap) / 2
    bounded("overlap", overlap, -1, 1)
    if ensemble == "binary":
        return entropy_gap(overlap)
    return -jnp.log1p(-jnp.square(overlap)) / 2


def overlap_cumulant(beta: Numbers, ensemble: str = "spherical") -> Float[Array, "..."]:
    """ζ(β) = max_ε [βε − I(ε)], the cumulant generating function of an overlap: E e^{βNε} ≈ e^{Nζ}.

    | ensemble | ζ(β) | ζ′(β), the overlap that counts most |
    |---|---|---|
    | `"spherical"` | βε − ½ ln(1 + βε) | ε = 2β/(1 + √(1 + 4β²)) |
    | `"gaussian"` | β²/2 | β |
    | `"binary"` | ln cosh β | tanh β |

    **Arguments:**

    - `beta`: inverse temperature β ≥ 0 of scores ξ·x, any shape.
    - `ensemble`: as of `overlap_rate`.

    **Returns:** nats an entry, shape of `beta`.

    **Raises:** `ValueError` for a negative β or an unknown ensemble.

    **Source:** [lucibello2024exponential]
    """
    one_of("ensemble", ensemble, ENSEMBLES)
    (beta,) = reals(beta=beta)
    bounded("beta", beta, 0)
    if ensemble == "gaussian":
        return jnp.square(beta) / 2
    if ensemble == "binary":
        return _log_cosh(beta)
    product = beta * _spherical_overlap(beta)
    return product - jnp.log1p(product) / 2


def largest_overlap(load: Numbers, ensemble: str = "spherical") -> Float[Array, "..."]:
    """ε_*(α), the largest overlap of e^{αN} random patterns with a given state: I(ε_*) = α.

    It is √(1 − e^{−2α}) on the sphere and √(2α) for Gaussian patterns. Signs are solved for, and
    all states are there from α = ln 2 on: then it is 1.

    **Arguments:**

    - `load`: α = ln(number of patterns)/N ≥ 0, any shape.
    - `ensemble`: as of `overlap_rate`.

    **Returns:** an overlap, shape of `load`.

    **Raises:** `ValueError` for a negative load or an unknown ensemble.

    **Source:** [lucibello2024exponential]
    """
    one_of("ensemble", ensemble, ENSEMBLES)
    (load,) = reals(load=load)
    bounded("load", load, 0)
    if ensemble == "gaussian":
        return jnp.sqrt(2 * load)
    if ensemble == "spherical":
        return jnp.sqrt(-jnp.expm1(-2 * load))
    return jnp.tanh(condensation_beta(load, ensemble))


def condensation_beta(load: Numbers, ensemble: str = "spherical") -> Float[Array, "..."]:
    """β_*(α) = I′(ε_*), the inverse temperature from which the nearest patterns have all weight.

    Up to it exponentially many patterns share the weight of softmax, Σ w² → 0. Beyond it the
    weights of the few nearest ones count, and Σ w² is 1 − β_*/β on average over draws, as in the
    random energy model of Derrida.

    | ensemble | β_*(α) |
    |---|---|
    | `"spherical"` | ε_* e^{2α} |
    | `"gaussian"` | √(2α) |
    | `"binary"` | artanh ε_*, infinite from α = ln 2 on |

    **Arguments:**

    - `load`: α = ln(number of patterns)/N ≥ 0, any shape.
    - `ensemble`: as of `overlap_rate`.

    **Returns:** an inverse temperature of scores ξ·x, shape of `load`.

    **Raises:** `ValueError` for a negative load or an unknown ensemble.

    **Source:** [lucibello2024exponential], [derrida1981random]
    """
    one_of("ensemble", ensemble, ENSEMBLES)
    (load,) = reals(load=load)
    bounded("load", load, 0)
    if ensemble == "gaussian":
        return jnp.sqrt(2 * load)
    if ensemble == "spherical":
        return jnp.sqrt(-jnp.expm1(-2 * load)) * jnp.exp(2 * load)
    some = load < math.log(2)
    return jnp.where(some, _binary_field(jnp.where(some, load, 0.5)), jnp.inf)


def free_entropy(load: Numbers, beta: Numbers, ensemble: str = "spherical") -> Float[Array, "..."]:
    """Φ = lim (1/N) ln Σ_μ e^{β ξ_μ·x}, the log-sum of the scores of e^{αN} random patterns.

        Φ = max over ε with I(ε) ≤ α of α − I(ε) + βε

    That is α + ζ(β) for β < β_*(α), and β ε_*(α) beyond. Patterns are independent of the query x,
    of squared length N; for Gaussian and spherical patterns and |x|² = ρN, pass β√ρ. The slope by
    β is the overlap with x of what softmax reads.

    **Arguments:**

    - `load`: α = ln(number of patterns)/N ≥ 0, any shape.
    - `beta`: inverse temperature β ≥ 0 of scores ξ·x, any shape.
    - `ensemble`: as of `overlap_rate`.

    **Returns:** nats an entry, of the arguments' joint shape.

    **Raises:** `ValueError` for an argument out of its range or an unknown ensemble.

    **Source:** [lucibello2024exponential]
    """
    one_of("ensemble", ensemble, ENSEMBLES)
    load, beta = reals(load=load, beta=beta)
    bounded("beta", beta, 0)
    condensed = beta * largest_overlap(load, ensemble)
    frozen = beta >= condensation_beta(load, ensemble)
    return jnp.where(frozen, condensed, load + overlap_cumulant(beta, ensemble))


def softmax_rate(
    beta: Numbers, ensemble: str = "spherical", criterion: str = "all_patterns"
) -> Float[Array, "..."]:
    """The largest α at which e^{αN} random patterns are fixed points of reading by softmax.

    A pattern reads itself if its own score β N outweighs the log-sum N Φ of all others.

    | ensemble | `"one_pattern"`, β = Φ(α, β) | `"all_patterns"` |
    |---|---|---|
    | `"spherical"` | β − ζ(β), without limit | the same |
    | `"gaussian"` | β − β²/2, and ½ from β = 1 on | at most ¼ ln 2 |
    | `"binary"` | β − ln cosh β, up to ln 2 | at most ½ ln 2 |

    For one pattern the threshold is sharp, and one that is Gaussian has squared length N. For all
    patterns it is that of the first moment: below it the expected number of patterns that fail
    vanishes. Of Gaussian patterns short ones fail first. One of squared length ρN, of which there
    are e^{(α − r) N} with r = ½(ρ − 1 − ln ρ), is drowned by all others at
    α = ρ (β − β²/2), or ρ/2 from β = 1 on. Or a single other pattern is nearer than itself, at
    2α ≥ min_ρ [r + ρ/2] = ½ ln 2. Of signs, two equal patterns occur from ½ ln 2 on.

    With β = b/√N, as in attention, scores are normal variables, there is no condensation, and
    one and all patterns are kept up to e^{b√N} of each ensemble.

    **Arguments:**

    - `beta`: inverse temperature β ≥ 0 of scores ξ·x, any shape. For unit rows β of `Softmax` is
      N times as large.
    - `ensemble`: as of `overlap_rate`.
    - `criterion`: `"all_patterns"` or `"one_pattern"`.

    **Returns:** α in nats an entry, shape of `beta`.

    **Raises:** `ValueError` for a negative β, an unknown ensemble or an unknown criterion.

    **Source:** [lucibello2024exponential]
    """
    one_of("ensemble", ensemble, ENSEMBLES)
    one_of("criterion", criterion, ("all_patterns", "one_pattern"))
    (beta,) = reals(beta=beta)
    bounded("beta", beta, 0)
    if ensemble == "spherical":
        overlap = _spherical_overlap(beta)
        return overlap / (1 + overlap) + jnp.log1p(beta * overlap) / 2
    if ensemble == "binary":
        rate = -jnp.log1p(jnp.expm1(-2 * beta) / 2)
        return rate if criterion == "one_pattern" else jnp.minimum(rate, math.log(2) / 2)
    rate = jnp.where(beta < 1, beta * (1 - beta / 2), 0.5)
    if criterion == "one_pattern":
        return rate
    return jnp.minimum(rate * _shortest(1 - 2 * rate), math.log(2) / 4)


def softmax_basin(load: Numbers, beta: Numbers, ensemble: str = "spherical") -> Float[Array, "..."]:
    """m₀ = Φ(α, β)/β, the overlap from which a query is drawn to its pattern.

    The query x has squared length N, overlap m = ξ·x/N with one pattern, and is otherwise
    independent of them. One read ends in the pattern for m > m₀. Beyond β_*(α) that is ε_*(α),
    whatever β: no other pattern may be nearer. Further reads help none of the others: up to
    β_*(α) each read shortens them, which acts as a smaller β, and m₀ falls with β.

    **Arguments:**

    - `load`: α = ln(number of patterns)/N ≥ 0, any shape.
    - `beta`: inverse temperature β > 0 of scores ξ·x, any shape.
    - `ensemble`: as of `overlap_rate`.

    **Returns:** an overlap, of the arguments' joint shape; above 1, patterns of squared length N
    are not even retrieved from themselves.

    **Raises:** `ValueError` for an argument out of its range or an unknown ensemble.

    **Source:** [lucibello2024exponential]
    """
    load, beta = reals(load=load, beta=beta)
    if is_concrete(beta) and not (np.asarray(beta) > 0).all():
        raise ValueError(f"`beta` must be positive, but it is {np.asarray(beta).min():g}.")
    return free_entropy(load, beta, ensemble) / beta


def _spherical_overlap(beta):
    """ε with β = I′(ε) = ε/(1 − ε²)."""
    return 2 * beta / (1 + jnp.hypot(1, 2 * beta))


def _log_cosh(x):
    """ln cosh x for x ≥ 0; the second form is exact near zero."""
    far = x > 1
    small = jnp.log1p(2 * jnp.square(jnp.sinh(jnp.where(far, 0, x) / 2)))
    return jnp.where(far, x + jnp.log1p(jnp.exp(-2 * x)) - math.log(2), small)


@jax.custom_jvp
def _binary_field(load):
    """u with I(tanh u) = u tanh u − ln cosh u = load, for load in [0, ln 2)."""

    def halve(_, ends):
        low, high = ends
        middle = (low + high) / 2
        below = middle * jnp.tanh(middle) - _log_cosh(middle) < load
        return jnp.where(below, middle, low), jnp.where(below, high, middle)

    ends = jnp.zeros_like(load), jnp.full_like(load, 20)
    return jax.lax.fori_loop(0, 64, halve, ends)[0]


@_binary_field.defjvp
def _differentiate_field(primals, tangents):
    field = _binary_field(*primals)
    return field, tangents[0] * jnp.square(jnp.cosh(field)) / field


@jax.custom_jvp
def _shortest(slope):
    """ρ in [1/e, 1] with ln ρ = slope ρ − 1, for slope in [0, 1]."""

    def improve(_, rho):
        # Newton's method, from below, for a convex function.
        change = (slope * rho - 1 - jnp.log(rho)) / (1 / rho - slope)
        return jnp.where(1 / rho > slope, jnp.minimum(rho + change, 1), rho)

    return jax.lax.fori_loop(0, 60, improve, jnp.full_like(slope, math.exp(-1)))


@_shortest.defjvp
def _differentiate_shortest(primals, tangents):
    rho = _shortest(*primals)
    return rho, tangents[0] * jnp.square(rho) / (1 - primals[0] * rho)
