"""Separations of the best scores alone."""

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp

from ..common.arithmetic import Range
from ..common.checks import whole_number
from .base import AbstractAdditive, AbstractSelective


class Max(AbstractSelective):
    """w = 1 for the best score, else 0: the limit β → ∞ of softmax.

    Potential: Φ(s) = max s. Ties go to the memory stored first, as with `argmax`, and as there a
    NaN is the best score.

    **Source:** [millidge2022universal]
    """

    k: ClassVar[int] = 1
    normalised: ClassVar = True
    domain: ClassVar[Range] = "signed"
    non_negative: ClassVar = True
    lacks_potential: ClassVar = None
    ignores_shifts: ClassVar = True
    lacks_density: ClassVar = (
        "weights of Max are constant where scores move, so have no density; take Softmax() or "
        "Sigmoid()."
    )

    def chosen(self, scores, mask):
        """Weight one; the score itself is the potential."""
        return mask.astype(scores.dtype), jnp.where(mask[0], scores[0], -jnp.inf)


class TopK(AbstractSelective):
    """The separation `then` of the k best scores, zero for all others.

    Potential: Φ(s) = Φ_then of the k best. It is convex where `then` gives no negative weights,
    being the largest Φ_then over all choices of k. Ties go to the memories stored first.

    **Arguments:**

    - `k`: how many memories take part, ≥ 1; all of them if fewer are stored.
    - `then`: an additive separation of those, such as `Softmax(beta)`.

    **Raises:** `ValueError` if `k` is not a positive whole number; `TypeError` if `then` cannot
    serve.
    """

    k: int = eqx.field(static=True)
    then: AbstractAdditive
    lacks_density: ClassVar = (
        "weights of TopK are constant where scores move, so have no density; take Softmax() or "
        "Sigmoid()."
    )

    def __init__(self, k: int, then: AbstractAdditive):
        k = whole_number("k", k)
        if not isinstance(then, AbstractAdditive):
            raise TypeError(
                "`then` must be an additive separation such as Softmax(beta) or Power(2), "
                f"but it is {type(then).__name__}."
            )
        self.k, self.then = k, then

    @property
    def normalised(self) -> bool:
        """As of `then`."""
        return self.then.normalised

    @property
    def domain(self) -> Range:
        """As of `then`."""
        return self.then.domain

    @property
    def non_negative(self) -> bool:
        """As of `then`."""
        return self.then.non_negative

    @property
    def ignores_shifts(self) -> bool:
        """As of `then`."""
        return self.then.ignores_shifts

    @property
    def lacks_potential(self) -> str | None:
        """That of `then`, or that its weights can be negative."""
        if self.then.lacks_potential is None and not self.then.non_negative:
            return (
                f"The best scores under {type(self.then).__name__} have no convex potential, "
                "since its weights can be negative; use Softmax, Max or a rectified Power."
            )
        return self.then.lacks_potential

    def chosen(self, scores, mask):
        """Those of `then`."""
        potential = jnp.asarray(0.0, scores.dtype)
        if self.lacks_potential is None:
            potential = self.then.potential(scores, mask)
        return self.then(scores, mask), potential
