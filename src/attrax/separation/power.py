"""Separations by elementwise powers and the logarithm."""

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..arithmetic import Range
from ..checks import positive
from .base import AbstractAdditive, AbstractElementwise


class Identity(AbstractElementwise):
    """w = s, the separation of the classical Hopfield network.

    Potential: Φ(s) = ½ Σ s².

    **Source:** [hopfield1982neural]
    """

    domain: ClassVar[Range] = "signed"
    non_negative: ClassVar = False
    lacks_potential: ClassVar = None

    def terms(self, scores, reference):
        """S and ½ s²."""
        return scores, 0.5 * scores**2


class Log(AbstractElementwise):
    """w = ln s for positive scores, the gentlest separation of the framework's comparison.

    Potential: Φ(s) = Σ (s ln s − s), convex for s > 0; a zero score weighs −∞.

    **Source:** [millidge2022universal]
    """

    domain: ClassVar[Range] = "positive"
    non_negative: ClassVar = False
    lacks_potential: ClassVar = None

    def terms(self, scores, reference):
        """Ln s and s ln s − s."""
        logs = jnp.log(scores)
        return logs, jnp.where(scores == 0, 0.0, scores * logs - scores)


class Power(AbstractAdditive):
    """w = (s/scale)^degree, the separation of dense associative memories.

    Potential: Φ(s) = scale Σ (s/scale)^(degree+1) / (degree+1), so the energy's degree is one
    higher than the weights'. With `rectified` negative scores weigh zero.

    Terms are kept relative to the largest |score|, so sums never overflow; finished weights can:
    784²⁰ exceeds float32. Divide by `scale` (the entries of a ±1 pattern, say), or wrap in
    `SumNormalised`.

    **Arguments:**

    - `degree`: exponent of the weights, > 0; whole numbers are kept exact.
    - `rectified`: use max(s, 0). Without it, only odd whole degrees have a convex potential for
      negative scores, so every other degree asks for non-negative ones.
    - `scale`: the score that weighs one, > 0, in units of the score.

    **Raises:** `ValueError` if `degree` or `scale` is not positive.

    **Source:** [krotov2016dense]
    """

    degree: int | float = eqx.field(static=True)
    rectified: bool = eqx.field(static=True)
    scale: Float[Array, ""]
    normalised: ClassVar = False
    lacks_potential: ClassVar = None

    def __init__(self, degree: int | float, *, rectified: bool = False, scale: ArrayLike = 1.0):
        if not degree > 0:
            raise ValueError(f"`degree` must be positive, but it is {degree}.")
        self.degree = int(degree) if float(degree).is_integer() else float(degree)
        self.rectified = rectified
        self.scale = positive("scale", scale)

    @property
    def reference(self):
        """The largest score of those that weigh anything, or the largest |score|."""
        return "ghost" if self.rectified else "magnitude"

    @property
    def domain(self) -> Range:
        """Any score if rectified or of odd degree, else non-negative ones."""
        odd = isinstance(self.degree, int) and self.degree % 2 == 1
        return "signed" if self.rectified or odd else "non-negative"

    @property
    def non_negative(self) -> bool:
        """True unless an odd power passes negative scores on."""
        return self.rectified or self.domain == "non-negative"

    def terms(self, scores, reference):
        """(s/r)^degree, and that times s/(degree+1)."""
        counts = scores > 0 if self.rectified else jnp.ones_like(scores, bool)
        scores = jnp.where(counts, scores, 1.0)
        scale = jnp.where(reference == 0, 1.0, reference)
        infinite = jnp.isinf(scale)
        # Compilers multiply by 1/scale, which for the largest numbers would be rounded to zero.
        shrink = jnp.where(scale > 1, jnp.asarray(0.0625, scale.dtype), jnp.ones_like(scale))
        ratio = jnp.where(infinite, 0.0, scores * shrink) / jnp.where(infinite, 1.0, scale * shrink)
        extreme = jnp.where(jnp.abs(scores) == scale, jnp.sign(scores), 0.0)
        powers = jnp.where(counts, jnp.where(infinite, extreme, ratio) ** self.degree, 0.0)
        return powers, powers * scores / (self.degree + 1)

    def rescale(self, old, new):
        """(r/r′)^degree."""
        return jnp.where(new == old, 1.0, old / jnp.where(new == 0, 1.0, new)) ** self.degree

    def finish(self, reference, mass, potential):
        """Both by (r/scale)^degree."""
        factor = (jnp.where(reference == 0, 1.0, reference) / self.scale) ** self.degree
        return factor, factor * potential
