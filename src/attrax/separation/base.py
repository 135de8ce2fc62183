"""What a separation is, and the one fold behind every separation that is a sum over memories."""

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..arithmetic import Range, match, ratio, times
from ..checks import NoEnergyError

# What leaves must declare, as a class variable, a property or a field; a type checker that took
# these for fields would want them as arguments of every leaf.
if TYPE_CHECKING:
    from typing import ClassVar as Declared
else:
    from equinox import AbstractVar as Declared


class Sums(NamedTuple):
    """What a fold over memories carries: sums of terms taken at one common reference.

    - `reference` (): the shift or scale that keeps the terms within the floating-point range.
    - `mass` (): the sum of the terms.
    - `square` (): the sum of their squares.
    - `value` (v,): the sum of the terms times the value rows.
    - `potential` (): the sum of the potential's terms.
    """

    reference: Float[Array, ""]
    mass: Float[Array, ""]
    square: Float[Array, ""]
    value: Float[Array, " v"]
    potential: Float[Array, ""]


class AbstractSeparation(eqx.Module):
    """Sharpens scores into weights, `separation(scores (N,)) -> weights (N,)`.

    Every separation is one of two kinds. An `AbstractAdditive` is a sum over memories of
    elementwise terms; an `AbstractSelective` looks at the `k` best scores alone. Both can be read
    block by block. A plain function becomes a `SeparationFunction`, which is read whole.
    """

    normalised: Declared[bool]
    """Whether the weights of any scores sum to one."""

    domain: Declared[Range]
    """The scores it is defined for; a similarity's range must lie within."""

    non_negative: Declared[bool]
    """Whether the weights are never negative, for scores of its domain."""

    lacks_potential: Declared[str | None]
    """Why the weights are not the gradient of a convex potential; `None` where they are."""

    @abstractmethod
    def __call__(
        self, scores: Float[Array, " n"], mask: Bool[Array, " n"] | None = None
    ) -> Float[Array, " n"]:
        """The weights of the scores.

        **Arguments:**

        - `scores`: one a memory, shape (N,).
        - `mask`: shape (N,), True for the memories that take part; all if `None`.

        **Returns:** weights, shape (N,), zero outside the mask.
        """

    @abstractmethod
    def potential(
        self, scores: Float[Array, " n"], mask: Bool[Array, " n"] | None = None
    ) -> Float[Array, ""]:
        """The convex function Φ of which the weights are the (sub)gradient.

        **Raises:** `NoEnergyError` with the reason where there is none.
        """


class AbstractAdditive(AbstractSeparation):
    """A separation made of sums over memories, so that blocks of memories can be merged.

    A leaf gives the mathematics: `terms` of the scores at a common `reference`, how terms
    `rescale` from one reference to the next, and how the sums `finish` into weights and
    potential. Results never depend on the reference, which is why derivatives may hold it fixed;
    the one exception, an `implicit` reference, is defined by `mass == 1` and differentiated
    through that condition.
    """

    reference: Declared[Literal["none", "max", "ghost", "magnitude", "implicit"]]
    """What the terms are taken at: 0; the largest score; that or 0; the largest |score|; or the
    threshold at which the mass is one."""

    @abstractmethod
    def terms(
        self, scores: Float[Array, " n"], reference: Float[Array, ""]
    ) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
        """Elementwise: the unfinished weights and the potential's terms."""

    @abstractmethod
    def rescale(self, old: Float[Array, ""], new: Float[Array, ""]) -> Float[Array, ""]:
        """The factor that turns terms taken at `old` into terms at `new`."""

    @abstractmethod
    def finish(
        self, reference: Float[Array, ""], mass: Float[Array, ""], potential: Float[Array, ""]
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """The factor from terms to weights, and the potential."""

    def __call__(
        self, scores: Float[Array, " n"], mask: Bool[Array, " n"] | None = None
    ) -> Float[Array, " n"]:
        """See `AbstractSeparation.__call__`."""
        part = match(self, scores.dtype)
        reference = reference_of(part, scores, mask)
        weights, potential = masked_terms(part, scores, mask, reference)
        factor, _ = part.finish(reference, jnp.sum(weights), jnp.sum(potential))
        return times(factor, weights)

    def potential(
        self, scores: Float[Array, " n"], mask: Bool[Array, " n"] | None = None
    ) -> Float[Array, ""]:
        """See `AbstractSeparation.potential`."""
        if self.lacks_potential is not None:
            raise NoEnergyError(self.lacks_potential)
        part = match(self, scores.dtype)
        reference = reference_of(part, scores, mask)
        weights, potential = masked_terms(part, scores, mask, reference)
        return part.finish(reference, jnp.sum(weights), jnp.sum(potential))[1]


class AbstractElementwise(AbstractAdditive):
    """An additive separation whose terms are the weights themselves, at no reference."""

    normalised: ClassVar = False
    reference: ClassVar = "none"

    def rescale(self, old: Float[Array, ""], new: Float[Array, ""]) -> Float[Array, ""]:
        """Nothing to rescale."""
        return jnp.ones_like(new)

    def finish(
        self, reference: Float[Array, ""], mass: Float[Array, ""], potential: Float[Array, ""]
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """The sums as they are."""
        return jnp.ones_like(mass), potential


class AbstractImplicit(AbstractAdditive):
    """An additive separation whose reference τ is the threshold at which its mass is one.

    τ moves with the scores; its derivative follows from the condition: dτ = −∂mass·ds / ∂mass/∂τ.
    """

    @abstractmethod
    def solve(self, mass_and_slope: Callable, largest: Float[Array, ""]) -> Float[Array, ""]:
        """τ of scores that are not all at hand.

        **Arguments:**

        - `mass_and_slope`: a threshold to the mass there and its slope, by one pass.
        - `largest`: the largest score.
        """

    @abstractmethod
    def threshold(
        self, scores: Float[Array, " n"], mask: Bool[Array, " n"] | None
    ) -> Float[Array, ""]:
        """τ of scores that are all at hand."""


class AbstractSelective(AbstractSeparation):
    """A separation of the `k` best scores alone.

    Blocks are merged by carrying the best scores and their rows' indices; the rows found are
    then scored again, so that the result is differentiable.
    """

    k: Declared[int]

    @abstractmethod
    def chosen(
        self, scores: Float[Array, " k"], mask: Bool[Array, " k"]
    ) -> tuple[Float[Array, " k"], Float[Array, ""]]:
        """Weights and potential of the `k` best scores; `mask` is False for absent ones."""

    def __call__(
        self, scores: Float[Array, " n"], mask: Bool[Array, " n"] | None = None
    ) -> Float[Array, " n"]:
        """See `AbstractSeparation.__call__`."""
        index, valid = best(scores, mask, self.k)
        weights, _ = self.chosen(scores[index], valid)
        return jnp.zeros_like(scores).at[index].set(weights)

    def potential(
        self, scores: Float[Array, " n"], mask: Bool[Array, " n"] | None = None
    ) -> Float[Array, ""]:
        """See `AbstractSeparation.potential`."""
        if self.lacks_potential is not None:
            raise NoEnergyError(self.lacks_potential)
        index, valid = best(scores, mask, self.k)
        return self.chosen(scores[index], valid)[1]


def masked_terms(
    separation: AbstractAdditive,
    scores: Float[Array, " n"],
    mask: Bool[Array, " n"] | None,
    reference: Float[Array, ""],
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Terms with absent memories at zero, and no NaN from them in values or derivatives."""
    if mask is None:
        return separation.terms(scores, reference)
    weights, potential = separation.terms(jnp.where(mask, scores, 1.0), reference)
    return jnp.where(mask, weights, 0.0), jnp.where(mask, potential, 0.0)


def start(separation: AbstractAdditive, dtype: jnp.dtype) -> Float[Array, ""]:
    """The reference of no memories at all."""
    lowest = separation.reference in ("max", "implicit")
    return jnp.asarray(-jnp.inf if lowest else 0.0, dtype)


def largest(
    separation: AbstractAdditive, scores: Float[Array, " n"], mask: Bool[Array, " n"] | None
) -> Float[Array, ""]:
    """The largest score, or size of a score, that the reference goes by; 0 if by none."""
    scores = jax.lax.stop_gradient(scores)
    low = start(separation, scores.dtype)
    if separation.reference == "none":
        return low
    size = jnp.abs(scores) if separation.reference == "magnitude" else scores
    if mask is not None:
        size = jnp.where(mask, size, low)
    return jnp.maximum(jnp.max(size), low)


def reference_of(
    separation: AbstractAdditive, scores: Float[Array, " n"], mask: Bool[Array, " n"] | None
) -> Float[Array, ""]:
    """The reference of scores that are all at hand."""
    if isinstance(separation, AbstractImplicit):
        return _threshold(separation, scores, mask)
    return largest(separation, scores, mask)


@eqx.filter_custom_jvp
def _threshold(separation, scores, mask):
    return separation.threshold(scores, mask)


@_threshold.def_jvp
def _threshold_jvp(primals, tangents):
    threshold = _threshold(*primals)
    (separation, scores, mask), (d_separation, d_scores, _) = primals, tangents
    if d_scores is None and not jax.tree.leaves(d_separation):
        return threshold, jnp.zeros_like(threshold)
    mass_by_inputs, mass_by_threshold = mass_tangents(
        lambda part, scores, threshold: jnp.sum(masked_terms(part, scores, mask, threshold)[0]),
        (separation, scores),
        (d_separation, d_scores),
        threshold,
    )
    return threshold, -ratio(mass_by_inputs, mass_by_threshold)


def mass_tangents(mass, primals, tangents, threshold):
    """Directional derivatives of `mass(*primals, threshold)`, by the inputs and the threshold."""
    moving, still = eqx.partition(primals, present(tangents))
    by_inputs = jax.jvp(
        lambda moving: mass(*eqx.combine(moving, still), threshold), (moving,), (tangents,)
    )[1]
    by_threshold = jax.grad(lambda threshold: mass(*primals, threshold))(threshold)
    return by_inputs, by_threshold


def present(tangents):
    """A mask over a tree of tangents in which `None` stands for: does not move."""
    return jax.tree.map(lambda leaf: leaf is not None, tangents, is_leaf=lambda leaf: leaf is None)


def best(
    scores: Float[Array, " n"], mask: Bool[Array, " n"] | None, k: int
) -> tuple[Array, Bool[Array, " k"]]:
    """Indices of the k best scores, best first, ties to the lower index; NaN counts as best."""
    scores = jax.lax.stop_gradient(scores)
    # A memory that is there comes before one that is not, however low its score.
    scores = jnp.where(scores == -jnp.inf, jnp.finfo(scores.dtype).min, scores)
    if mask is not None:
        scores = jnp.where(mask, scores, -jnp.inf)
    if k == 1:
        index = jnp.argmax(scores).astype(jnp.int32)[None]
    else:
        _, index = jax.lax.top_k(scores, min(k, scores.shape[0]))
    valid = jnp.ones(index.shape, bool) if mask is None else mask[index]
    return index, valid
