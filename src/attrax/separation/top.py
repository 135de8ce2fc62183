"""Separations of the best scores alone."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

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


class TopKSubtract(AbstractSelective):
    """w = max(s − I, 0), with I the (k+1)-th best score, or 0 if that is negative.

    At most k weights are positive, and just k if the k-th best score is above the next and above
    zero: I is what uniform lateral inhibition takes from every neuron of a layer so that k stay
    active. I is held fixed in derivatives, as it is where sparse distributed memories are trained.

    It has no potential, since ∂w/∂s with a moving I is not symmetric. For a frozen I the weights
    are the gradient of ½ Σ max(s − I, 0)².

    **Arguments:**

    - `k`: how many memories take part, ≥ 1. If no more are stored, I = 0.

    **Raises:** `ValueError` if it is not a positive whole number.

    **Source:** [bricken2023sparse]
    """

    kept: int = eqx.field(static=True)
    normalised: ClassVar = False
    domain: ClassVar[Range] = "signed"
    non_negative: ClassVar = True
    ignores_shifts: ClassVar = False
    lacks_potential: ClassVar = (
        "The threshold of TopKSubtract moves with the scores, so that its weights are not the "
        "gradient of any function; use TopK(k, Softmax(beta)) for a memory with an energy."
    )
    lacks_density: ClassVar = (
        "weights of TopKSubtract are zero for most scores, so have no density; take Sigmoid() or "
        "Softmax()."
    )

    def __init__(self, k: int):
        self.kept = whole_number("k", k)

    @property
    def k(self) -> int:
        """One more than take part: the last is the threshold."""
        return self.kept + 1

    def chosen(self, scores, mask):
        """What is above the threshold."""
        threshold = jnp.zeros((), scores.dtype)
        if scores.shape[0] > self.kept:
            threshold = jnp.where(mask[-1], jnp.maximum(scores[-1], 0), 0.0)
        # The score that is the threshold has no slope, as it would by half of `jnp.maximum`.
        weights = jax.nn.relu(scores - jax.lax.stop_gradient(threshold))
        return jnp.where(mask, weights, 0.0), jnp.zeros((), scores.dtype)


def ranked(scores: Float[Array, " n"], rank: int) -> Float[Array, ""]:
    """The score of a rank, 1 being the largest; equal scores have as many ranks as there are.

    On CPUs it takes an eighteenth of the time of a sort of the best, of a batch of 32 rows of 1000
    scores and the rank 11.
    """

    def next_lower(_, carry):
        level, count = carry
        lower = jnp.max(jnp.where(scores < level, scores, -jnp.inf))
        more = count + jnp.sum(scores == lower, dtype=jnp.int32)
        return jnp.where(count < rank, lower, level), jnp.where(count < rank, more, count)

    start = jnp.asarray(jnp.inf, scores.dtype), jnp.zeros((), jnp.int32)
    return jax.lax.fori_loop(0, rank, next_lower, start)[0]
