"""What a separation is, and the one fold behind every separation that is a sum over memories."""

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..common.arithmetic import Range, match, ratio, times
from ..common.checks import NoEnergyError
from ..common.display import described
from .selection import best

# What leaves must declare, as a class variable, a property or a field; a type checker that took
# these for fields would want them as arguments of every leaf.
if TYPE_CHECKING:
    from typing import ClassVar as Declared
else:
    from equinox import AbstractVar as Declared


# A number, or for an implicit reference a tuple of several.
Reference = Any


class Sums(NamedTuple):
    """What a fold over memories carries: sums of terms taken at one common reference.

    - `reference` (): the shift or scale that keeps the terms within the floating-point range.
    - `mass` (): the sum of the terms.
    - `square` (): the sum of their squares.
    - `value` (v,): the sum of the terms times the value rows.
    - `potential` (): the sum of the potential's terms.
    """

    reference: Reference
    mass: Float[Array, ""]
    square: Float[Array, ""]
    value: Float[Array, " v"]
    potential: Float[Array, ""]


class Shares(NamedTuple):
    """Weights that are the shares p of one whole: ∂w/∂s = β (diag p − p pᵀ).

    - `beta` (): the inverse temperature β.
    - `logs` (...,): ln β p of each score.
    - `ghost`: ln β p of a silent memory of score zero, one for each whole; `None` without one.
    - `axis`: the axis along which they share a whole; `None` for all together.
    """

    beta: Float[Array, ""]
    logs: Float[Array, "..."]
    ghost: Float[Array, "..."] | None
    axis: int | None


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

    lacks_density: ClassVar[str | None] = None
    """Why scores drawn at random give weights without a density, as where weights are constant;
    `None` where weights have one."""

    convex: ClassVar[bool] = True
    """Whether the potential is convex, and the weights are its slope. If not, it rises with a
    convex function, of whose slope the weights have the direction: a read then still lowers
    energies that are without a term of the state."""

    compact: ClassVar[bool] = False
    """Whether scores can be so low that no memory weighs anything: `attrax.retrieve` then leaves
    the state where it is, and says `Outcome.unreached`."""

    elementwise: Declared[bool]
    """Whether each weight depends on its own score alone."""

    ignores_shifts: Declared[bool]
    """Whether Φ(s + c) = Φ(s) + c for every number c that is added to all scores."""

    linear: ClassVar[bool] = False
    """Whether the weights are the scores, divided by their sum if `normalised`."""

    wider: ClassVar[str | None] = None
    """How the form of it that takes any score is written; `None` where there is none."""

    reach: ClassVar[Any] = 1.0
    """The length along which the slope of the weights changes, in units of the score; `None` where
    it is the same everywhere. Noise keeps its steps shorter."""

    def __repr__(self) -> str:
        """Its name, with the numbers that it was given."""
        return described(self)

    @property
    def label(self) -> str:
        """What it is called in a drawing."""
        return type(self).__name__

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

    def log_slope(self, scores: Float[Array, " n"]) -> Float[Array, " n"]:
        """ln ∂w/∂s of each score, where weights are `elementwise`."""
        slope = jax.jvp(lambda scores: self(scores), (scores,), (jnp.ones_like(scores),))[1]
        return jnp.log(slope)

    def at_beta(self, beta: Float[Array, ""]) -> "AbstractSeparation | None":
        """This separation with another inverse temperature; `None` where it has none.

        **Arguments:**

        - `beta`: β > 0.
        """
        return None

    def shares(self, scores: Float[Array, "..."], axis: int | None = None) -> Shares | None:
        """The shares that a softmax's weights are; `None` for any other separation.

        **Arguments:**

        - `scores`: an array of any shape.
        - `axis`: see `Shares`.
        """
        return None

    def support(self, scores: Float[Array, " n"]) -> tuple[Array | None, Float[Array, " m"]]:
        """The memories that can weigh anything, and their weights; `None` stands for all."""
        return None, self(scores)


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
        self, scores: Float[Array, " n"], reference: Reference
    ) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
        """Elementwise: the unfinished weights and the potential's terms."""

    @abstractmethod
    def rescale(self, old: Reference, new: Reference) -> Float[Array, ""]:
        """The factor that turns terms taken at `old` into terms at `new`."""

    @abstractmethod
    def finish(
        self, reference: Reference, mass: Float[Array, ""], potential: Float[Array, ""]
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """The factor from terms to weights, and the potential."""

    @property
    def unnormalised(self) -> "AbstractAdditive":
        """The separation whose weights these are once they are divided by their sum, or itself."""
        return self

    def exact_reference(self, reference: Reference) -> Float[Array, ""]:
        """A reference at least as large, at which terms of whole scores are not rounded."""
        return reference

    def difference_terms(
        self, scores: Float[Array, " n"], reference: Reference
    ) -> tuple[Float[Array, " n"], ...]:
        """Elementwise: the terms of which `difference` takes sums, for scores that are finite."""
        return self.terms(scores, reference)

    def difference(self, reference: Reference, *sums: Float[Array, " b"]) -> Float[Array, " b"]:
        """How much potentials differ, by the sums of differences of their `difference_terms`.

        It is meant for `elementwise` separations, whose potential is a sum over memories.

        **Arguments:**

        - `reference`: at which the terms were taken.
        - `sums`: one for each of the terms, each of one number a difference.
        """
        return jax.vmap(lambda mass, part: self.finish(reference, mass, part)[1])(*sums)

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
    elementwise: ClassVar = True
    ignores_shifts: ClassVar = False
    reference: ClassVar = "none"

    def rescale(self, old: Reference, new: Reference) -> Float[Array, ""]:
        """Nothing to rescale."""
        return jnp.ones_like(new)

    def finish(
        self, reference: Reference, mass: Float[Array, ""], potential: Float[Array, ""]
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """The sums as they are."""
        return jnp.ones_like(mass), potential


class AbstractImplicit(AbstractAdditive):
    """An additive separation whose reference τ is the threshold at which its mass is one.

    The mass may be another sum of its terms than that of its weights, and given as another number.
    τ moves with the scores; its derivative follows from the condition:
    dτ = −∂mass·ds / ∂mass/∂τ. It is a number, or a tuple of numbers, such as what it is counted
    from; terms then have a derivative by the one that moves, and none by the others.
    """

    elementwise: ClassVar = False

    rank: ClassVar[int] = 1
    """From which of the best scores τ is counted: 1 is the largest, k the k-th largest."""

    fixed: ClassVar[Literal["weights", "potential"]] = "weights"
    """Which of the `terms` have the sum that is given at τ, and is called mass here."""

    @abstractmethod
    def solve(self, mass_and_slope: Callable, largest: Float[Array, ""]) -> Reference:
        """τ of scores that are not all at hand.

        **Arguments:**

        - `mass_and_slope`: a threshold to the mass there and its slope, by one pass.
        - `largest`: the largest score, or that of the `rank`; −∞ if there are fewer.
        """

    @abstractmethod
    def threshold(self, scores: Float[Array, " n"], mask: Bool[Array, " n"] | None) -> Reference:
        """τ of scores that are all at hand."""


class AbstractSelective(AbstractSeparation):
    """A separation of the `k` best scores alone.

    Blocks are merged by carrying the best scores and their rows' indices; the rows found are
    then scored again, so that the result is differentiable.
    """

    k: Declared[int]
    elementwise: ClassVar = False

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

    def support(self, scores: Float[Array, " n"]) -> tuple[Array | None, Float[Array, " k"]]:
        """The indices of the `k` best scores, and their weights."""
        index, valid = best(scores, None, self.k)
        return index, self.chosen(scores[index], valid)[0]


def masked_terms(
    separation: AbstractAdditive,
    scores: Float[Array, " n"],
    mask: Bool[Array, " n"] | None,
    reference: Reference,
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Terms with absent memories at zero, and no NaN from them in values or derivatives."""
    if mask is None:
        return separation.terms(scores, reference)
    weights, potential = separation.terms(jnp.where(mask, scores, 1.0), reference)
    return jnp.where(mask, weights, 0.0), jnp.where(mask, potential, 0.0)


def fixed_mass(
    separation: AbstractImplicit,
    scores: Float[Array, " n"],
    mask: Bool[Array, " n"] | None,
    threshold: Reference,
) -> Float[Array, ""]:
    """The sum of terms that is given at the threshold."""
    weights, potential = masked_terms(separation, scores, mask, threshold)
    return jnp.sum(weights if separation.fixed == "weights" else potential)


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
) -> Reference:
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
        return threshold, jax.tree.map(jnp.zeros_like, threshold)
    mass_by_inputs, mass_by_threshold = mass_tangents(
        lambda part, scores, threshold: fixed_mass(part, scores, mask, threshold),
        (separation, scores),
        (d_separation, d_scores),
        threshold,
    )
    moved = -ratio(mass_by_inputs, mass_by_threshold)
    return threshold, jax.tree.map(lambda leaf: moved, threshold)


def mass_tangents(mass, primals, tangents, threshold):
    """Directional derivatives of `mass(*primals, threshold)`, by the inputs and the threshold."""
    moving, still = eqx.partition(primals, present(tangents))
    by_inputs = jax.jvp(
        lambda moving: mass(*eqx.combine(moving, still), threshold), (moving,), (tangents,)
    )[1]
    return by_inputs, along_threshold(lambda threshold: mass(*primals, threshold), threshold)[1]


def along_threshold(mass: Callable, threshold: Any) -> tuple[Array, Array]:
    """The mass at a threshold, and its slope; of several parts, those that it depends on move."""
    return jax.jvp(mass, (threshold,), (jax.tree.map(jnp.ones_like, threshold),))


def present(tangents):
    """A mask over a tree of tangents in which `None` stands for: does not move."""
    return jax.tree.map(lambda leaf: leaf is not None, tangents, is_leaf=lambda leaf: leaf is None)
