"""The separation of sparse distributed memory as its patterns see it: circles in common."""

import functools
import math
from typing import ClassVar, Literal

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ..common.arithmetic import Range
from ..common.checks import one_of, whole_number
from .base import AbstractElementwise

# Weights of cosines are tabulated at so many distances for each bit.
_FINE = 8
_NODES = 128
_AT_ONCE = 1 << 14


class CircleIntersection(AbstractElementwise):
    """w = I(δ)/I(0): the share of the hard locations around a memory that the query reaches too.

    A sparse distributed memory writes a memory into all locations within a radius d of it, and
    reads all those within d of the query. I(δ) counts the addresses of n bits within d of two
    points that differ in δ bits; it falls nearly exponentially with δ, and is 0 for δ > 2d.

    Potential: Φ(s) = Σ ∫ w ds, which is convex, since a weight never falls with its score. So
    under `Hamming` and with the projection "centroid", a vote of all memories by their weights,
    reads have an energy and never raise it.

    ```python
    circles = CircleIntersection(64, 11)
    memory = attrax.Memory(bits, similarity=Hamming(), separation=circles, projection="centroid")
    ```

    **Arguments:**

    - `n`: number of bits of an address.
    - `radius`: d, in bits, at least 0 and less than n/2.
    - `scores`: what scores are. "hamming": s = −δ, by exact counts; between whole distances
      weights are interpolated. "cosine": the cosine of two directions, with I the share of the
      unit sphere of n dimensions within two caps of half-angle arccos(1 − 2d/n), an angle
      arccos(s) apart; from a table of eight distances a bit.

    **Raises:** `ValueError` for sizes that are not whole or out of bounds, or unknown scores.

    **Source:** [kanerva1988sparse]; [bricken2021attention]
    """

    n: int = eqx.field(static=True)
    radius: int = eqx.field(static=True)
    scores: Literal["hamming", "cosine"] = eqx.field(static=True, default="hamming")
    domain: ClassVar[Range] = "signed"
    non_negative: ClassVar = True
    lacks_potential: ClassVar = None
    lacks_density: ClassVar = (
        "weights of CircleIntersection are constant where circles do not meet and between some "
        "distances, so have no density; take Softmax, with a β of attrax.theory.fit_beta."
    )

    def __check_init__(self):
        """Refuse sizes that make no circle."""
        check_circle(self.n, self.radius)
        one_of("scores", self.scores, ("hamming", "cosine"))

    def terms(self, scores, reference):
        """I(δ)/I(0), and its integral from the other end of the space."""
        weights, integrals, knots = _tables(self.n, self.radius, self.scores)
        dtype = scores.dtype
        # Places in the table, a distance of zero first.
        place = -knots * scores if self.scores == "hamming" else knots * (1 - scores)
        inside = jnp.clip(place, 0, len(weights) - 1)
        below = jnp.clip(jnp.floor(inside), 0, len(weights) - 2).astype(jnp.int32)
        part = inside - below.astype(dtype)
        low = jnp.asarray(weights[:-1], dtype)[below]
        step = jnp.asarray(np.diff(weights), dtype)[below]
        beyond = jnp.maximum(-place, 0)
        integral = jnp.asarray(integrals[:-1], dtype)[below] - part * low - 0.5 * part**2 * step
        return low + part * step, (integral + beyond) / knots


def check_circle(n: int, radius: int) -> None:
    """Refuse sizes that make no circle smaller than half of the space.

    **Raises:** `ValueError` that names the argument.
    """
    whole_number("n", n)
    whole_number("radius", radius, 0)
    if not 2 * radius < n:
        raise ValueError(f"`radius` must be less than n/2 = {n / 2:g}, but it is {radius}.")


@functools.lru_cache(maxsize=64)
def log_intersections(n: int, radius: int) -> np.ndarray:
    """ln I(δ) for δ = 0, …, n: of addresses of n bits within a radius of two points δ bits apart.

    I(δ) = Σ_{k ≥ δ/2} C(2k, k) C(n − 2k − 1, d − k), the sum of what each further pair of bits
    takes off, in which all terms are positive; −∞ where circles have nothing in common.

    **Returns:** doubles, shape (n + 1,), exact to some 1e-12.
    """
    log_factorial = np.array([math.lgamma(i + 1) for i in range(n + 1)])
    k = np.arange(radius + 1)
    log_terms = (
        log_factorial[2 * k]
        - 2 * log_factorial[k]
        + log_factorial[n - 2 * k - 1]
        - log_factorial[radius - k]
        - log_factorial[n - k - radius - 1]
    )
    log_sums = np.logaddexp.accumulate(log_terms[::-1])[::-1]
    table = np.full(n + 1, -np.inf)
    table[: 2 * radius + 1] = log_sums[(np.arange(2 * radius + 1) + 1) // 2]
    table.flags.writeable = False
    return table


def log_integrals(distance: np.ndarray, n: int, radius: int, form: str) -> np.ndarray:
    """ln of the share of the space within two circles, where it is an integral over an angle.

    With c = 1 − 2d/n and θ = arccos(1 − 2δ/n), it is (1/2π) ∫_θ^end h(c²/cos²(φ/2)) dφ. For caps
    of the unit sphere in n dimensions h(x) = (1 − x)^{n/2 − 1}, up to twice their half-angle; for
    binomials replaced by normal variables h(x) = exp(−n x/2), up to π.

    **Arguments:**

    - `distance`: δ in [0, n], of any shape.
    - `form`: "caps" or "normal".

    **Returns:** doubles, shape of `distance`; −∞ where there is nothing in common.
    """
    cosine = 1 - 2 * radius / n
    start = np.arccos(np.clip(1 - 2 * np.asarray(distance, np.float64) / n, -1, 1))
    end = 2 * math.acos(cosine) if form == "caps" else math.pi
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    half = np.maximum(end - start, 0)[..., None] / 2
    angle = end - half * (1 - nodes)
    ratio = cosine**2 / np.cos(angle / 2) ** 2
    caps = form == "caps"
    with np.errstate(divide="ignore"):
        logs = (n / 2 - 1) * np.log1p(-np.minimum(ratio, 1)) if caps else -n * ratio / 2
        terms = logs + np.log(weights * half / (2 * math.pi))
        return np.asarray(np.logaddexp.reduce(terms, axis=-1))


@functools.lru_cache(maxsize=64)
def _tables(n: int, radius: int, scores: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Weights at evenly spaced distances, their integrals from each to the largest, in units of
    the spacing, and how many spacings there are in a unit of the score."""
    if scores == "hamming":
        logs, knots = log_intersections(n, radius), 1.0
    else:
        places = np.array_split(np.arange(_FINE * n + 1) / _FINE, 1 + _FINE * n // _AT_ONCE)
        logs = np.concatenate([log_integrals(part, n, radius, "caps") for part in places])
        knots = _FINE * n / 2
    weights = np.exp(logs - logs[0])
    middles = (weights[1:] + weights[:-1]) / 2
    integrals = np.append(np.cumsum(middles[::-1])[::-1], 0.0)
    return weights, integrals, knots
