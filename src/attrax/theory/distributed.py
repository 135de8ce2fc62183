"""Sparse distributed memory: circles in common, critical distances, best radii, fitted betas.

Sizes are whole numbers that are not traced, and everything is computed in double precision.
"""

import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import ndtr, ndtri

from ..common.checks import as_doubles, is_concrete, plain_number, whole_number
from ..separation.circles import check_circle, log_integrals, log_intersections
from .arguments import Numbers, one_of

_FORMS = ("exact", "caps", "normal")
_CRITERIA = ("signal_to_noise", "capacity", "critical_distance")


def circle_intersection(
    distance: Numbers, n: int, radius: int, *, form: str = "exact", log: bool = False
) -> Float[Array, "..."]:
    """I(δ)/2ⁿ, the share of all addresses of n bits within d of two points δ bits apart.

    It is what a pattern at distance δ of the query weighs in a read of a sparse distributed memory;
    of r hard locations at random addresses, r I(δ)/2ⁿ are expected there. With
    I(δ) = Σ_{k ≥ δ/2} C(2k, k) C(n − 2k − 1, d − k), I(2k − 1) = I(2k), and I(δ) = 0 for δ > 2d.

    | `form` | what is counted |
    |---|---|
    | `"exact"` | addresses, by the sum above, in logarithms |
    | `"caps"` | the unit sphere of n dimensions within caps of half-angle arccos(1 − 2d/n) |
    | `"normal"` | addresses, with binomials replaced by normal variables (Kanerva) |

    The last two are (1/2π) ∫_θ h(c²/cos²(φ/2)) dφ with c = 1 − 2d/n from θ = arccos(1 − 2δ/n) on,
    with h(x) = (1 − x)^{n/2−1} for caps and e^{−nx/2} for normal variables.

    **Arguments:**

    - `distance`: δ, in bits, from 0 to n, any shape; whole for the exact form.
    - `n`: number of bits.
    - `radius`: d, in bits, at least 0 and less than n/2.
    - `form`: one of the three above.
    - `log`: return the natural logarithm, which many bits need; −∞ where there is none in common.

    **Returns:** a share in [0, ½] or its logarithm, shape of `distance`.

    **Raises:** `ValueError` for an argument out of its range or an unknown form; `TypeError` if
    one is traced.

    **Source:** [kanerva1988sparse]; [bricken2021attention]
    """
    _sizes(n, radius)
    one_of("form", form, _FORMS)
    if not is_concrete(distance):
        raise TypeError("`distance` is traced, but circles are counted before a program runs.")
    distances = as_doubles("distance", distance)
    wrong = distances[~((distances >= 0) & (distances <= n))]
    if wrong.size:
        raise ValueError(f"`distance` must be between 0 and {n}, but it is {wrong[0]:g}.")
    logs = _logs(distances, n, radius, form)
    return jnp.asarray(logs if log else np.exp(logs), jnp.result_type(float))


class ExponentialFit(NamedTuple):
    """A straight line through ln I(δ): I(δ)/2ⁿ ≈ exp(log_scale + β cos), cos = 1 − 2δ/n.

    - `beta`: β, the inverse temperature at which attention over unit vectors reads alike.
    - `log_scale`: the logarithm at a cosine of 0.
    - `r_squared`: the share of the variance of ln I that the line explains.
    """

    beta: float
    log_scale: float
    r_squared: float


def fit_beta(
    n: int,
    radius: int,
    *,
    form: str = "exact",
    reach: int | None = None,
    estimator: str = "least_squares",
) -> ExponentialFit:
    """The β at which softmax attention approximates a sparse distributed memory of a radius.

    ln I(δ) is regressed on the cosine 1 − 2δ/n over δ = 0, …, `reach` − 1. It is no straight line,
    and falls ever more steeply towards its end at 2d, so β depends on the reach.

    **Arguments:**

    - `n`, `radius`, `form`: as for `circle_intersection`.
    - `reach`: how many distances are fitted, from 2 to 2d + 1; d if `None`, as in the paper.
    - `estimator`: "least_squares"; or "sample_covariance", the slope of the paper's code, in which
      a covariance over k − 1 is divided by a variance over k, so that it is k/(k − 1) times that.

    **Returns:** an `ExponentialFit`.

    **Raises:** `ValueError` for an argument out of its range or an unknown name.

    **Source:** [bricken2021attention]
    """
    _sizes(n, radius)
    one_of("form", form, _FORMS)
    one_of("estimator", estimator, ("least_squares", "sample_covariance"))
    reach = whole_number("reach", radius if reach is None else reach, 2)
    if reach > 2 * radius + 1:
        raise ValueError(f"`reach` must be at most 2d + 1 = {2 * radius + 1}, but it is {reach}.")
    distances = np.arange(reach)
    cosines, logs = 1 - 2 * distances / n, _logs(distances, n, radius, form)
    spread, rise = cosines - cosines.mean(), logs - logs.mean()
    slope = float(spread @ rise / (spread @ spread))
    if estimator == "sample_covariance":
        slope *= reach / (reach - 1)
    rest = rise - slope * spread
    total = float(rise @ rise)
    share = 1.0 if total == 0 else 1 - float(rest @ rest) / total
    return ExponentialFit(slope, float(logs.mean() - slope * cosines.mean()), share)


def signal_to_noise(
    distance: Numbers, n: int, radius: int, locations: int | float, patterns: int | float
) -> Float[Array, "..."]:
    """λ(δ)/√(λ(δ) + (m − 1)(μ + μ²)), of the sum that decides a bit of a read.

    The query differs in δ bits from one of m random patterns, with which it has λ = r I(δ)/2ⁿ
    locations in common; with each other pattern μ = r p² on average, where p = I(0)/2ⁿ. A bit is
    wrong with chance Q(ratio), the upper tail of the standard normal.

    **Arguments:**

    - `distance`: δ, whole, in bits, from 0 to n, any shape; 0 for a query without noise.
    - `n`, `radius`: as for `circle_intersection`.
    - `locations`: r > 0, number of hard locations at random addresses; any number, as 2ⁿ may be.
    - `patterns`: m ≥ 1, number of patterns written.

    **Returns:** the ratio, shape of `distance`.

    **Raises:** `ValueError` for an argument out of its range.

    **Source:** [bricken2021attention]; [kanerva1988sparse]
    """
    logs = np.asarray(circle_intersection(distance, n, radius, log=True), np.float64)
    return jnp.asarray(_ratio(logs, n, radius, locations, patterns), jnp.result_type(float))


def critical_distance(n: int, radius: int, locations: int | float, patterns: int | float) -> int:
    """How many bits of a stored pattern may be flipped so that one read still brings it nearer.

    A read of a query δ bits away is expected to be n Q(ratio) bits away, with the ratio of
    `signal_to_noise`. Up to the critical distance, repeated reads approach the pattern; beyond it
    they wander off.

    **Arguments:**

    - `n`, `radius`, `locations`, `patterns`: as for `signal_to_noise`.

    **Returns:** whole bits; 0 where even a single flipped bit is not repaired.

    **Raises:** `ValueError` for an argument out of its range.

    **Source:** [kanerva1988sparse]
    """
    _sizes(n, radius)
    distances = np.arange((n + 1) // 2)
    logs = log_intersections(n, radius)[distances] - n * math.log(2)
    away = n * ndtr(-_ratio(logs, n, radius, locations, patterns))
    further = np.flatnonzero(away[1:] > distances[1:])
    return int(further[0]) if further.size else int(distances[-1])


def optimal_radius(
    n: int,
    locations: int | float,
    patterns: int | float,
    criterion: str = "signal_to_noise",
    *,
    recalled: int | float = 0.5,
) -> int:
    """The radius at which a sparse distributed memory of random patterns reads best.

    | criterion | what is best |
    |---|---|
    | `"signal_to_noise"` | the ratio of a query without noise: p = (2mr)^{−1/3} |
    | `"capacity"` | the number of patterns of which a share `recalled` is read without error |
    | `"critical_distance"` | the noise of a query that is repaired, `critical_distance` |

    The first two are shares p of the locations, and the radius is the smallest that reaches as
    many. For the second, with z the ratio at which all n bits are right with chance `recalled`,
    p solves 2r²p³ = z²(3rp² + 1). For the third it is the smallest of the best radii.

    **Arguments:**

    - `n`, `locations`, `patterns`: as for `signal_to_noise`; `patterns` does not matter to
      "capacity".
    - `criterion`: one of the three above.
    - `recalled`: between 0 and 1.

    **Returns:** d, in bits.

    **Raises:** `ValueError` for an argument out of its range or an unknown criterion, or if so
    large a share of the locations is best that the radius is not less than n/2.

    **Source:** [bricken2021attention]; [kanerva1988sparse]
    """
    one_of("criterion", criterion, _CRITERIA)
    _sizes(n, 0)
    r, m = _numbers(locations, patterns)
    recalled = plain_number("recalled", recalled)
    if not 0 < recalled < 1:
        raise ValueError(f"`recalled` must be between 0 and 1, but it is {recalled:g}.")
    if criterion == "critical_distance":
        return int(np.argmax([critical_distance(n, d, r, m) for d in range((n + 1) // 2)]))
    share = (2 * m * r) ** (-1 / 3)
    if criterion == "capacity":
        z = float(ndtri(recalled ** (1 / n)))
        # With q = r p: 2 q³ = z²(3 q² + r), of which one root is real and positive.
        roots = np.roots([2, -3 * z**2, 0, -(z**2) * r])
        share = max(root.real for root in roots) / r
    logs = [log_intersections(n, d)[0] for d in range((n + 1) // 2)]
    enough = np.flatnonzero(np.array(logs) - n * math.log(2) >= math.log(share))
    if not enough.size:
        raise ValueError(
            f"A share {share:.3g} of the locations would be best, which no radius below n/2 "
            f"reaches: take more locations than {r:g}, or more bits than {n}."
        )
    return int(enough[0])


def _sizes(n, radius):
    for name, value in (("n", n), ("radius", radius)):
        if not is_concrete(value):
            raise TypeError(f"`{name}` is traced, but it sizes a sum: pass a whole number.")
    check_circle(n, radius)


def _logs(distances, n, radius, form):
    """ln I(δ)/2ⁿ."""
    if form != "exact":
        return log_integrals(distances, n, radius, form)
    whole = np.asarray(distances).astype(np.int64)
    wrong = np.asarray(distances)[whole != distances]
    if wrong.size:
        raise ValueError(
            f'`distance` must be a whole number for form="exact", but it is {wrong[0]:g}.'
        )
    return log_intersections(n, radius)[whole] - n * math.log(2)


def _numbers(locations, patterns):
    r, m = plain_number("locations", locations), plain_number("patterns", patterns)
    if not 0 < r < math.inf:
        raise ValueError(f"`locations` must be positive and finite, but it is {r:g}.")
    if not 1 <= m < math.inf:
        raise ValueError(f"`patterns` must be at least 1 and finite, but it is {m:g}.")
    return r, m


def _ratio(logs, n, radius, locations, patterns):
    """The ratio from ln I(δ)/2ⁿ."""
    r, m = _numbers(locations, patterns)
    common = np.exp(math.log(r) + logs)
    other = np.exp(math.log(r) + 2 * (log_intersections(n, radius)[0] - n * math.log(2)))
    noise = common + (m - 1) * (other + other**2)
    return np.divide(common, np.sqrt(noise), out=np.zeros_like(common), where=noise > 0)
