"""Separations of exponentials: softmax, its ghost, and the plain exponential."""

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import Range, inverse, log_sum_exp, match, shift
from ..common.checks import POSITIVE, positive
from .base import AbstractAdditive, Shares


def _checked_beta(beta: ArrayLike) -> Array:
    return positive("beta", beta)


class AbstractExponential(AbstractAdditive):
    """Separations whose terms are exp(β (s − r)) at the largest score r.

    **Arguments:**

    - `beta`: inverse temperature β > 0, in units of 1/score.

    **Raises:** `ValueError` if `beta` is not positive and finite.
    """

    beta: Float[Array, ""] = eqx.field(converter=_checked_beta, default=1.0, metadata=POSITIVE)
    domain: ClassVar[Range] = "signed"
    non_negative: ClassVar = True
    lacks_potential: ClassVar = None

    @property
    def reach(self) -> Array:
        """1/β."""
        return 1 / self.beta

    def at_beta(self, beta):
        """The same at another temperature."""
        return eqx.tree_at(lambda leaf: leaf.beta, self, beta)

    def terms(self, scores, reference):
        """exp(β (s − r)); the potential needs no terms of its own."""
        return _exp(self.beta, shift(scores, reference)), jnp.zeros_like(scores)

    def rescale(self, old, new):
        """exp(β (r − r′))."""
        return _exp(self.beta, shift(old, new))


class Softmax(AbstractExponential):
    """w = exp(β s) / Σ exp(β s), the separation of modern Hopfield networks and of attention.

    Potential: Φ(s) = ln Σ exp(β s) / β. Tied infinite scores share the weight.

    **Arguments:**

    - `beta`: inverse temperature β > 0, in units of 1/score. Large: the best memory alone;
      small: the mean of all.

    **Raises:** `ValueError` if `beta` is not positive.

    **Source:** [ramsauer2021hopfield]
    """

    normalised: ClassVar = True
    elementwise: ClassVar = False
    ignores_shifts: ClassVar = True
    reference: ClassVar = "max"

    def finish(self, reference, mass, potential):
        """Weights by 1/mass; Φ = r + ln(mass)/β."""
        return inverse(mass), reference + jnp.log(mass) / self.beta

    def shares(self, scores, axis=None):
        """The weights themselves."""
        beta = match(self, scores.dtype).beta
        total = log_sum_exp(beta, scores, axis)
        return Shares(beta, jnp.log(beta) + beta * shift(scores, total), None, axis)


class GhostSoftmax(AbstractExponential):
    """w = exp(β s) / (1 + Σ exp(β s)): softmax beside a silent memory of score zero.

    Potential: Φ(s) = ln(1 + Σ exp(β s)) / β. A query like nothing that is stored reads zero
    rather than a mixture.

    **Arguments:**

    - `beta`: inverse temperature β > 0, in units of 1/score.

    **Raises:** `ValueError` if `beta` is not positive.

    **Source:** [hoover2022universal]; [hu2024outlier]
    """

    normalised: ClassVar = False
    elementwise: ClassVar = False
    ignores_shifts: ClassVar = False
    reference: ClassVar = "ghost"

    def finish(self, reference, mass, potential):
        """Weights by 1/(mass + exp(−β r)); Φ = r + ln(mass + exp(−β r))/β."""
        total = mass + _exp(self.beta, -reference)
        return inverse(total), reference + jnp.log(total) / self.beta

    def shares(self, scores, axis=None):
        """The weights themselves, beside the silent memory's."""
        beta = match(self, scores.dtype).beta
        total = log_sum_exp(beta, scores, axis)
        total = log_sum_exp(beta, jnp.stack([total, jnp.zeros_like(total)]), 0)[0]
        logs = jnp.log(beta) + beta * shift(scores, total)
        return Shares(beta, logs, jnp.log(beta) - beta * total, axis)


class Exponential(AbstractExponential):
    """w = exp(β s), the separation of exponential memories.

    Potential: Φ(s) = Σ exp(β s) / β. Sums are kept relative to the largest score; only the
    finished weights can leave the floating-point range, and `SumNormalised` keeps them within.

    **Arguments:**

    - `beta`: inverse temperature β > 0, in units of 1/score.

    **Raises:** `ValueError` if `beta` is not positive.

    **Source:** [demircigil2017model]
    """

    normalised: ClassVar = False
    elementwise: ClassVar = True
    ignores_shifts: ClassVar = False
    reference: ClassVar = "max"

    def finish(self, reference, mass, potential):
        """Weights by exp(β r); Φ = exp(β r) mass/β."""
        factor = _exp(self.beta, reference)
        return factor, jnp.where(mass == 0, 0.0, factor * mass / self.beta)

    def log_slope(self, scores):
        """It is ln β + β s, where the weights themselves would overflow."""
        beta = match(self, scores.dtype).beta
        return jnp.log(beta) + beta * scores


def _exp(beta, difference):
    """exp(β x), and 0 with derivative 0 at x = −∞."""
    gone = difference == -jnp.inf
    return jnp.where(gone, 0.0, jnp.exp(beta * jnp.where(gone, 0.0, difference)))
