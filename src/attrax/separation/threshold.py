"""The separation of sparse distributed memory."""

from typing import ClassVar

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import Range
from ..common.checks import number
from .base import AbstractElementwise


class Threshold(AbstractElementwise):
    """w = 1 where s ≥ θ, else 0: every memory within a radius, alike.

    Potential: Φ(s) = Σ max(s − θ, 0), whose subgradient at s = θ is taken as 1.

    **Arguments:**

    - `theta`: the lowest score that counts, in units of the score.

    **Raises:** `TypeError` or `ValueError` if `theta` is not one number.

    **Source:** [kanerva1988sparse]
    """

    theta: Float[Array, ""]
    domain: ClassVar[Range] = "signed"
    non_negative: ClassVar = True
    lacks_potential: ClassVar = None
    lacks_density: ClassVar = (
        "weights of Threshold are constant where scores move, so have no density; take Sigmoid() "
        "or Softmax()."
    )

    def __init__(self, theta: ArrayLike):
        self.theta = number("theta", theta)

    def terms(self, scores, reference):
        """1 where s ≥ θ, and max(s − θ, 0)."""
        above = scores >= self.theta
        return above.astype(scores.dtype), jnp.where(above, scores - self.theta, 0.0)
