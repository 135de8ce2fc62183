"""Wrappers that divide by a sum over memories."""

from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..common.arithmetic import Range, inverse
from ..common.checks import NoEnergyError
from .base import AbstractAdditive, AbstractImplicit, AbstractSeparation

_NO_GRADIENT = (
    "Weights divided by their own sum are in general no gradient of a convex function; those of "
    "exponentials are, and Softmax is what to use for them."
)


class SumNormalised(AbstractAdditive):
    """w = v / Σ v with v the weights of an inner separation, such as `Power(2)`.

    Without potential, except where the inner weights sum to one already. Sums are taken relative
    to the largest score, so no degree overflows.

    **Arguments:**

    - `inner`: an additive separation.

    **Raises:** `TypeError` if `inner` is not additive.

    **Source:** [millidge2022universal]
    """

    inner: AbstractAdditive
    normalised: ClassVar = True
    elementwise: ClassVar = False

    def __init__(self, inner: AbstractAdditive):
        if isinstance(inner, AbstractImplicit):
            raise TypeError(
                f"The weights of {type(inner).__name__} sum to one already; use it as it is."
            )
        if not isinstance(inner, AbstractAdditive):
            raise TypeError(
                "`inner` must be an additive separation such as Power(2) or Exponential(), "
                f"but it is {type(inner).__name__}."
            )
        self.inner = inner

    @property
    def reference(self):
        """As of the inner separation."""
        return self.inner.reference

    @property
    def domain(self) -> Range:
        """As of the inner separation."""
        return self.inner.domain

    @property
    def non_negative(self) -> bool:
        """As of the inner separation."""
        return self.inner.non_negative

    @property
    def ignores_shifts(self) -> bool:
        """As of the inner separation."""
        return self.inner.ignores_shifts

    @property
    def linear(self) -> bool:
        """As of the inner separation."""
        return self.inner.linear

    @property
    def unnormalised(self) -> AbstractAdditive:
        """That of the inner separation."""
        return self.inner.unnormalised

    @property
    def lacks_potential(self) -> str | None:
        """Why weights divided by their own sum are not a gradient."""
        return self.inner.lacks_potential if self.inner.normalised else _NO_GRADIENT

    @property
    def reach(self):
        """As of the inner separation."""
        return self.inner.reach

    @property
    def lacks_density(self) -> str | None:
        """As of the inner separation."""
        return self.inner.lacks_density

    def shares(self, scores, axis=None):
        """Those of the inner separation, where its weights sum to one already."""
        return self.inner.shares(scores, axis) if self.inner.normalised else None

    def terms(self, scores, reference):
        """Those of the inner separation."""
        return self.inner.terms(scores, reference)

    def rescale(self, old, new):
        """That of the inner separation."""
        return self.inner.rescale(old, new)

    def finish(self, reference, mass, potential):
        """Weights by 1/mass; the reference cancels."""
        return inverse(mass), self.inner.finish(reference, mass, potential)[1]


class ScoreNormalised(AbstractSeparation):
    """w = inner(s / Σ s): scores are divided by their sum before they are separated.

    The official code of Universal Hopfield Networks does so everywhere. Scores become of order
    1/N, so an inner β is an inverse temperature relative to 1/N. All scores are read whole. An
    infinite score makes its own share NaN, which `Max` takes for the best.

    **Arguments:**

    - `inner`: any separation.

    **Raises:** `TypeError` if `inner` is not a separation.

    **Source:** [millidge2022universal]
    """

    inner: AbstractSeparation
    elementwise: ClassVar = False
    ignores_shifts: ClassVar = False

    def __check_init__(self):
        """Refuse anything but a separation."""
        if not isinstance(self.inner, AbstractSeparation):
            raise TypeError(
                "`inner` must be a separation such as Softmax(1000), "
                f"but it is {type(self.inner).__name__}."
            )

    @property
    def domain(self) -> Range:
        """Non-negative scores, positive ones where the inner separation needs them."""
        return "positive" if self.inner.domain == "positive" else "non-negative"

    @property
    def normalised(self) -> bool:
        """As of the inner separation."""
        return self.inner.normalised

    @property
    def non_negative(self) -> bool:
        """As of the inner separation."""
        return self.inner.non_negative

    @property
    def lacks_potential(self) -> str | None:
        """Why scores divided by their own sum have no potential."""
        return (
            "Scores divided by their own sum make each weight depend on every score unevenly: "
            "the weights are no gradient. Use the inner separation alone."
        )

    def __call__(
        self, scores: Float[Array, " n"], mask: Bool[Array, " n"] | None = None
    ) -> Float[Array, " n"]:
        """See `AbstractSeparation.__call__`."""
        present = scores if mask is None else jnp.where(mask, scores, 0.0)
        return self.inner(scores * inverse(jnp.sum(present)), mask)

    def potential(
        self, scores: Float[Array, " n"], mask: Bool[Array, " n"] | None = None
    ) -> Float[Array, ""]:
        """None; see `lacks_potential`."""
        raise NoEnergyError(self.lacks_potential)

    def support(self, scores):
        """That of the inner separation."""
        return self.inner.support(scores / jnp.sum(scores))
