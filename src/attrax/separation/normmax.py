"""The sparse separation of a norm: the larger its order, the more even the weights."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from ..common.arithmetic import Range, inverse, shift
from ..common.checks import POSITIVE, plain_number, positive
from .base import AbstractImplicit
from .entmax import Level, masses, solve_mass


class Normmax(AbstractImplicit):
    """w = z/Σ z for z = max(β s − τ, 0)^(1/(α−1)), with τ such that Σ z^α = 1.

    Memories far from the best weigh exactly zero, as with `Entmax`, and those that take part weigh
    more evenly, all alike as α → ∞. Potential: Φ(s) = max over the simplex of
    w·s − (|w|_α − 1)/β, with |w|_α = (Σ w^α)^(1/α); it is (τ + 1)/β.

    τ is found by Newton steps kept within a bracket.

    **Arguments:**

    - `alpha`: α > 1, the order of the norm.
    - `beta`: inverse temperature β > 0, in units of 1/score.

    **Raises:** `ValueError` for `alpha` ≤ 1 or `beta` ≤ 0.

    **Source:** [santos2024hopfield]; [blondel2020learning]
    """

    alpha: float = eqx.field(static=True)
    beta: Float[Array, ""] = eqx.field(metadata=POSITIVE)
    fixed: ClassVar = "potential"
    normalised: ClassVar = True
    reference: ClassVar = "implicit"
    domain: ClassVar[Range] = "signed"
    non_negative: ClassVar = True
    lacks_potential: ClassVar = None
    ignores_shifts: ClassVar = True
    lacks_density: ClassVar = (
        "weights of Normmax are constant where scores move, so have no density; take Softmax() or "
        "Sigmoid()."
    )

    def __init__(self, alpha: float = 2.0, beta: ArrayLike = 1.0):
        self.alpha = plain_number("alpha", alpha)
        if not 1 < self.alpha < float("inf"):
            raise ValueError(f"`alpha` must exceed 1 and be finite, but it is {self.alpha}.")
        self.beta = positive("beta", beta)

    def terms(self, scores, reference):
        """z, and z^α."""
        # The largest score is where to count from, so its own derivative is none of the terms'.
        top = jax.lax.stop_gradient(reference.top)
        below = shift(scores, top)
        # Nothing weighs where there is no score, or none but −∞.
        gone = (below == -jnp.inf) | (top == -jnp.inf)
        above = self.beta * jnp.where(gone, 0.0, below) - reference.depth
        inside = ~(above <= 0) & ~gone
        above = jnp.where(inside, above, 1.0)
        return tuple(
            jnp.where(inside, above ** (power / (self.alpha - 1)), 0.0) for power in (1, self.alpha)
        )

    def rescale(self, old, new):
        """Nothing to rescale: τ is known before the sums are taken."""
        return jnp.ones_like(new.depth)

    def finish(self, reference, mass, potential):
        """Weights by 1/Σ z; Φ from the largest score upwards, (τ + Σ z^α)/β."""
        top = jax.lax.stop_gradient(reference.top)
        top, depth = (jnp.where(mass == 0, 0.0, x) for x in (top, reference.depth))
        return inverse(mass), top + (depth + potential) / self.beta

    def solve(self, mass_and_slope, largest):
        """τ by Newton steps; it lies at most 1 below the largest β s."""

        def at(depth):
            return mass_and_slope(Level(largest, depth))

        return Level(largest, solve_mass(at, -jnp.ones_like(largest), jnp.zeros_like(largest)))

    def threshold(self, scores: Float[Array, " n"], mask: Bool[Array, " n"] | None) -> Level:
        """As `solve`, of scores that are all at hand."""
        scores = jax.lax.stop_gradient(scores)
        there = scores if mask is None else jnp.where(mask, scores, -jnp.inf)
        return self.solve(masses(self, scores, mask), jnp.max(there))
