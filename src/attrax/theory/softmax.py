"""How many random patterns a read by softmax tells apart, and from how far: thresholds."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..common.checks import is_concrete
from .arguments import Numbers, bounded, one_of, reals
from .random_energy import ENSEMBLES, free_entropy, overlap_rate, spherical_overlap


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
        overlap = spherical_overlap(beta)
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


def separation_rate(
    log_weight: Callable[[Array], Array], overlap: Numbers = 1.0, ensemble: str = "spherical"
) -> Float[Array, "..."]:
    """α(m) = min over ε in [0, m] of I(ε) + ψ(m) − ψ(ε), for any separation of weights e^{Nψ(ε)}.

    It is the largest α at which a query with overlap m is drawn to its pattern among e^{αN} random
    ones, as for `softmax_basin`. For softmax ψ(ε) = βε, and α(1) is `softmax_rate` of one pattern.
    A power of degree κN has ψ(ε) = κ ln ε, and compact support has ψ = −∞ outside of it.

    ```python
    separation_rate(lambda overlap: 0.5 * jnp.log(overlap), ensemble="gaussian")  # 0.423
    ```

    **Arguments:**

    - `log_weight`: ψ, a function of overlaps, shape (K, ...) -> the same shape, that does not
      fall with them.
    - `overlap`: m in (0, 1], any shape.
    - `ensemble`: as of `overlap_rate`.

    **Returns:** α in nats an entry, shape of `overlap`. It is found on a grid, to some 1e-6.

    **Raises:** `ValueError` for an overlap out of its range, an unknown ensemble, or a function
    that falls, is NaN or changes the shape.

    **Source:** [lucibello2024exponential]
    """
    one_of("ensemble", ensemble, ENSEMBLES)
    (overlap,) = reals(overlap=overlap)
    bounded("overlap", overlap, 0, 1)
    if is_concrete(overlap) and not (np.asarray(overlap) > 0).all():
        raise ValueError("`overlap` must be positive, but there is one of 0.")
    share = jnp.linspace(0, 1, 4097, dtype=overlap.dtype)
    grid = share.reshape(-1, *[1] * overlap.ndim) * overlap[None]
    log = jnp.asarray(log_weight(grid))
    if log.shape != grid.shape:
        raise ValueError(
            f"`log_weight` must return the shape of the overlaps, {grid.shape}, but it returns "
            f"{log.shape}."
        )
    if is_concrete(log) and not (np.asarray(log)[1:] >= np.asarray(log)[:-1]).all():
        raise ValueError("`log_weight` must not fall with the overlap, nor be NaN, but it does.")
    # Where there is no weight, there is no noise.
    some = log > -jnp.inf
    lead = jnp.where(some, log[-1:] - jnp.where(some, log, 0), jnp.inf)
    return jnp.min(overlap_rate(grid, ensemble) + lead, axis=0)


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
