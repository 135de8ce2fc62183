"""The random-energy analysis of softmax memories: overlaps of random patterns, and their log-sum.

A query of N entries and squared length N is compared with e^{αN} random patterns of that length.
Each score is β N ε at an overlap ε, and the scores are those of a random energy model: up to a
temperature very many patterns share the weight, and below it the few nearest ones have it all.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

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
    product = beta * spherical_overlap(beta)
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
    random energy model of Derrida. Signs have scores that are whole numbers, for which that is
    only roughly so.

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


def spherical_overlap(beta: Array) -> Array:
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
