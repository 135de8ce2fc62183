"""Separations by elementwise powers and the logarithm."""

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import Range, in_range
from ..common.checks import POSITIVE, positive
from .base import AbstractAdditive, AbstractElementwise


class Identity(AbstractElementwise):
    """w = s, the separation of the classical Hopfield network.

    Potential: Φ(s) = ½ Σ s².

    **Source:** [hopfield1982neural]
    """

    domain: ClassVar[Range] = "signed"
    non_negative: ClassVar = False
    lacks_potential: ClassVar = None
    linear: ClassVar = True
    reach: ClassVar = None

    def terms(self, scores, reference):
        """The terms s and ½ s²."""
        return scores, 0.5 * scores**2


class Log(AbstractElementwise):
    """w = ln s for positive scores, the gentlest separation of the framework's comparison.

    Potential: Φ(s) = Σ (s ln s − s), convex for s > 0; a zero score weighs −∞.

    **Source:** [millidge2022universal]
    """

    domain: ClassVar[Range] = "positive"
    non_negative: ClassVar = False
    lacks_potential: ClassVar = None
    reach: ClassVar = None

    def terms(self, scores, reference):
        """The terms ln s and s ln s − s."""
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
    scale: Float[Array, ""] = eqx.field(metadata=POSITIVE)
    normalised: ClassVar = False
    elementwise: ClassVar = True
    ignores_shifts: ClassVar = False
    lacks_potential: ClassVar = None
    wider: ClassVar = "Power(..., rectified=True)"

    def __init__(self, degree: int | float, *, rectified: bool = False, scale: ArrayLike = 1.0):
        if not degree > 0:
            raise ValueError(f"`degree` must be positive, but it is {degree}.")
        self.degree = int(degree) if float(degree).is_integer() else float(degree)
        self.rectified = rectified
        self.scale = positive("scale", scale)

    @property
    def label(self) -> str:
        """With its degree; ReLU for the rectified one of degree 1."""
        plain = f"Power({self.degree:g})"
        return plain if not self.rectified else "ReLU" if self.degree == 1 else f"rectified {plain}"

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

    @property
    def reach(self) -> Array | None:
        """The scale; `None` where weights are the scores up to a factor."""
        return None if self.degree == 1 else self.scale

    @property
    def lacks_density(self) -> str | None:
        """Why only odd powers that are not rectified have one."""
        if self.domain == "signed" and not self.rectified:
            return None
        why = "take no negative scores, but noise gives them"
        if self.rectified:
            why = "are constant where scores are negative, so have no density"
        return (
            f"weights of Power {why}; take Tanh(), Sigmoid() or a Power of odd degree, not "
            "rectified."
        )

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

    def exact_reference(self, reference):
        """The next power of two, by which whole scores are divided without rounding."""
        reference = jnp.maximum(reference, 1.0)
        # x = m 2^e, and the quotient x/m is exact; exp2 of e need not be.
        return reference / jnp.frexp(reference)[0]

    def difference_terms(self, scores, reference):
        """(s/r)^(degree+1), not yet divided by degree + 1, which whole numbers would not survive.

        They lack the care of `terms` for infinite scores, which takes time.
        """
        ratio = scores * (1 / reference)
        ratio = jnp.maximum(ratio, 0) if self.rectified else ratio
        return (ratio**self.degree * ratio,)

    def difference(self, reference, *sums):
        """The sum times scale (r/scale)^(degree+1) / (degree+1)."""
        share = reference / (self.degree + 1)
        factor = self.finish(reference, jnp.ones_like(share), share)[1]
        return in_range(factor, sums[0])
