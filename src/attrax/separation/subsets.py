"""The separation that gives the k best scores together, with weights between 0 and 1."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from ..common.arithmetic import Range
from ..common.checks import POSITIVE, positive, whole_number
from .base import AbstractImplicit
from .entmax import Level, masses, solve_mass
from .selection import best_scores

# How far τ is kept from other scores where none is near.
_MARGIN = 0.03125


class KSubsets(AbstractImplicit):
    """w = the point of {0 ≤ w ≤ 1, Σ w = k} that is nearest to β s: k memories at once.

    w = min(max(β s − τ, 0), 1) with τ such that Σ w = k. Where the k best scores are 1/β above all
    others, they weigh exactly 1 and the others exactly 0, and a read is the sum of their rows; in
    between, weights are shared. With k = 1 it is sparsemax, `Entmax(2.0, β)`.

    Potential: Φ(s) = max over those w of w·s + (k − |w|²)/(2β), the Fenchel conjugate of half a
    square on the hypersimplex, so that its memories have the energy of a
    Hopfield-Fenchel-Young network.

    **Arguments:**

    - `k`: how many memories make an answer, ≥ 1; all of them if fewer are stored.
    - `beta`: inverse temperature β > 0, in units of 1/score.

    **Raises:** `ValueError` if `k` is not a positive whole number, or `beta` not positive.

    **Source:** [santos2024hopfield]
    """

    k: int = eqx.field(static=True)
    beta: Float[Array, ""] = eqx.field(metadata=POSITIVE)
    fixed: ClassVar = "weights"
    reference: ClassVar = "implicit"
    domain: ClassVar[Range] = "signed"
    non_negative: ClassVar = True
    lacks_potential: ClassVar = None
    lacks_density: ClassVar = (
        "weights of KSubsets are constant where scores move, so have no density; take Softmax() or "
        "Sigmoid()."
    )

    def __init__(self, k: int, beta: ArrayLike = 1.0):
        self.k, self.beta = whole_number("k", k), positive("beta", beta)

    @property
    def normalised(self) -> bool:
        """Of a single memory."""
        return self.k == 1

    @property
    def ignores_shifts(self) -> bool:
        """Of a single memory: Φ(s + c) = Φ(s) + k c."""
        return self.k == 1

    @property
    def rank(self) -> int:
        """τ is counted from the best score that is not among the k best."""
        return self.k + 1

    def terms(self, scores, reference):
        """The weights at threshold τ, and w (s − s′) + (w − w²)/(2β), s′ what is counted from."""
        # Its own derivative is none of the terms'.
        base, few = _base(reference)
        # Infinite scores tie.
        apart = jnp.where(jnp.isinf(scores) & (scores == base), 0.0, scores - base)
        above = self.beta * jnp.where(jnp.isinf(apart), 0.0, apart) - reference.depth
        full = (((above >= 1) | few) & (apart > -jnp.inf)) | (apart == jnp.inf)
        empty = ((above <= 0) & ~few) | (apart == -jnp.inf)
        weights = jnp.where(full, 1.0, jnp.where(empty, 0.0, above))
        gain = weights * jnp.where(weights == 0, 0.0, apart)
        return weights, gain + (weights - weights**2) / (2 * self.beta)

    def rescale(self, old, new):
        """Nothing to rescale: τ is known before the sums are taken."""
        return jnp.ones_like(new.depth)

    def finish(self, reference, mass, potential):
        """The weights as they are; Φ from where scores are counted."""
        base = jnp.where(mass == 0, 0.0, _base(reference)[0])
        return jnp.ones_like(mass), base * mass + potential

    def solve(self, mass_and_slope, largest):
        """τ by Newton steps, in [−1, 0] from the next best β s; all weigh 1 where there is none.

        Where τ = 0 is too low, the k best weigh 1, and τ keeps away from all scores if it can.
        """

        def at(depth):
            return mass_and_slope(Level(largest, depth))

        zero = jnp.zeros_like(largest)
        apart, full = (at(depth)[0] >= self.k for depth in (zero + _MARGIN, zero))
        done = full | (largest == -jnp.inf)

        def unless_done(depth):
            mass, slope = at(depth)
            return jnp.where(done, self.k, mass), slope

        depth = solve_mass(unless_done, zero - 1, zero, self.k)
        return Level(largest, jnp.where(done, jnp.where(apart, _MARGIN / 2, 0.0), depth))

    def threshold(self, scores: Float[Array, " n"], mask: Bool[Array, " n"] | None) -> Level:
        """As `solve`, of scores that are all at hand."""
        scores = jax.lax.stop_gradient(scores)
        there = scores if mask is None else jnp.where(mask, scores, -jnp.inf)
        return self.solve(masses(self, scores, mask), best_scores(self.rank, there)[-1])


def _base(reference: Level):
    """The score to count from, and whether there are too few for one."""
    top = jax.lax.stop_gradient(reference.top)
    few = top == -jnp.inf
    return jnp.where(few, 0.0, top), few
