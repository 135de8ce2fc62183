"""The family between softmax and the best score alone that gives exact zeros."""

from collections.abc import Callable
from typing import ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from ..common.arithmetic import Range, inverse, shift
from ..common.checks import POSITIVE, positive
from .base import AbstractImplicit, along_threshold, fixed_mass

_STEPS = 60


class Level(NamedTuple):
    """A threshold as the largest score, and τ of what scores lie below it.

    Apart, since τ ≥ −1 stays exact where the largest score, times β, has no figures left for it.

    - `top` (): max s.
    - `depth` (): τ of (α−1) β (s − max s), in [−1, 0].
    """

    top: Float[Array, ""]
    depth: Float[Array, ""]


class Entmax(AbstractImplicit):
    """w = max((α−1) β (s − max s) − τ, 0)^(1/(α−1)) with τ such that Σ w = 1: sparse softmax.

    α = 2 is sparsemax, α = 1.5 the usual entmax, α → 1 softmax. Memories far from the best weigh
    exactly zero. Potential: Φ(s) = max over the simplex of w·s + (1 − Σ w^α)/(α(α−1) β).

    τ is exact, by sorting, for α = 2 and 1.5 read whole; otherwise it is found by Newton steps
    kept within a bracket.

    **Arguments:**

    - `alpha`: sparsity α > 1.
    - `beta`: inverse temperature β > 0, in units of 1/score.

    **Raises:** `ValueError` for `alpha` ≤ 1 or `beta` ≤ 0.

    **Source:** [peters2019sparse]; [martins2016softmax] for α = 2; in memories [hu2023sparse]
    """

    alpha: float = eqx.field(static=True)
    beta: Float[Array, ""] = eqx.field(metadata=POSITIVE)
    normalised: ClassVar = True
    reference: ClassVar = "implicit"
    domain: ClassVar[Range] = "signed"
    non_negative: ClassVar = True
    lacks_potential: ClassVar = None
    ignores_shifts: ClassVar = True
    lacks_density: ClassVar = (
        "weights of Entmax are constant where scores move, so have no density; take Softmax() or "
        "Sigmoid()."
    )

    def __init__(self, alpha: float = 1.5, beta: ArrayLike = 1.0):
        if not alpha > 1:
            raise ValueError(f"`alpha` must exceed 1 (1 is Softmax), but it is {alpha}.")
        self.alpha = float(alpha)
        self.beta = positive("beta", beta)

    def at_beta(self, beta):
        """The same at another temperature."""
        return eqx.tree_at(lambda leaf: leaf.beta, self, beta)

    def terms(self, scores, reference):
        """The weights at threshold τ, and w (s − max s) − w^α / (α(α−1) β)."""
        # The largest score is where to count from, so its own derivative is none of the terms'.
        top = jax.lax.stop_gradient(reference.top)
        below = shift(scores, top)
        # Nothing weighs where there is no score, or none but −∞.
        gone = (below == -jnp.inf) | (top == -jnp.inf)
        below = jnp.where(gone, 0.0, below)
        above = (self.alpha - 1) * self.beta * below - reference.depth
        inside = ~(above <= 0) & ~gone
        above = jnp.where(inside, above, 1.0)
        weights = jnp.where(inside, above ** (1 / (self.alpha - 1)), 0.0)
        loss = jnp.where(inside, above ** (self.alpha / (self.alpha - 1)), 0.0)
        gain = weights * below
        return weights, gain - loss / (self.alpha * (self.alpha - 1) * self.beta)

    def rescale(self, old, new):
        """Nothing to rescale: τ is known before the sums are taken."""
        return jnp.ones_like(new.depth)

    def finish(self, reference, mass, potential):
        """Weights by 1/mass, which is one but for rounding; Φ from the largest score upwards."""
        constant = 1 / (self.alpha * (self.alpha - 1) * self.beta)
        top = jax.lax.stop_gradient(jnp.where(mass == 0, 0.0, reference.top))
        return inverse(mass), top + (potential + mass * constant)

    def solve(self, mass_and_slope, largest):
        """τ by Newton steps; it lies at most 1 below the largest (α−1) β s."""

        def at(depth):
            mass, slope = mass_and_slope(Level(largest, depth))
            return mass, slope

        return Level(largest, solve_mass(at, -jnp.ones_like(largest), jnp.zeros_like(largest)))

    def threshold(self, scores: Float[Array, " n"], mask: Bool[Array, " n"] | None) -> Level:
        """τ by sorting for α = 2 and 1.5, by Newton steps otherwise."""
        scores = scores if mask is None else jnp.where(mask, scores, -jnp.inf)
        scores = jax.lax.stop_gradient(scores)
        largest = jnp.max(scores)
        if self.alpha in (1.5, 2.0):
            below = (self.alpha - 1) * self.beta * shift(scores, largest)
            return Level(largest, _by_sorting(self.alpha, below))

        return self.solve(masses(self, scores, mask), largest)


def masses(
    separation: AbstractImplicit, scores: Float[Array, " n"], mask: Bool[Array, " n"] | None
) -> Callable:
    """A function of a threshold to the mass there and its slope, of scores that are at hand."""

    def mass_and_slope(threshold):
        def mass(threshold):
            return fixed_mass(separation, scores, mask, threshold)

        return along_threshold(mass, threshold)

    return mass_and_slope


def solve_mass(
    mass_and_slope: Callable, low: Float[Array, ""], high: Float[Array, ""], total: int = 1
) -> Float[Array, ""]:
    """τ with mass(τ) = total, the mass falling from ≥ total at `low` to less at `high`.

    Newton steps where they stay within the bracket, halving where they do not.
    """
    rounding = 4 * jnp.finfo(low.dtype).eps
    tolerance = rounding * total

    def unfinished(carry):
        step, low, high, _, off = carry
        room = rounding * jnp.maximum(1, jnp.abs(low))
        return (step < _STEPS) & (off > tolerance) & (high - low > room)

    def step(carry):
        step, low, high, point, _ = carry
        mass, slope = mass_and_slope(point)
        low = jnp.where(mass >= total, point, low)
        high = jnp.where(mass >= total, high, point)
        newton = point - (mass - total) / jnp.where(slope == 0, -1.0, slope)
        inside = (newton > low) & (newton < high) & (slope < 0)
        settled = jnp.abs(mass - total) <= tolerance
        following = jnp.where(inside, newton, 0.5 * (low + high))
        return step + 1, low, high, jnp.where(settled, point, following), jnp.abs(mass - total)

    far = jnp.full_like(low, jnp.inf)
    return jax.lax.while_loop(unfinished, step, (0, low, high, low, far))[3]


def _by_sorting(alpha: float, inputs: Float[Array, " n"]) -> Float[Array, ""]:
    """τ of inputs of which the largest is 0."""
    ordered = jnp.flip(jnp.sort(inputs))
    present = jnp.isfinite(ordered)
    ordered = jnp.where(present, ordered, 0.0)
    count = jnp.arange(1, inputs.shape[0] + 1).astype(inputs.dtype)
    mean = jnp.cumsum(ordered) / count
    if alpha == 2.0:
        thresholds = mean - 1 / count
    else:
        spread = jnp.cumsum(ordered**2) / count - mean**2
        thresholds = mean - jnp.sqrt(jnp.maximum(1 / count - spread, 0.0))
    support = jnp.sum(present & (thresholds < ordered))
    return thresholds[jnp.maximum(support - 1, 0)]
