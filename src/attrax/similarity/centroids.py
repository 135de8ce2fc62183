"""Where weighted memories agree: the state v that makes R(v) − Σ w s(k, v) smallest."""

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..common.arithmetic import accumulate, inverse, standardise, unit, weighted

# See attrax.separation.base: declared by leaves as class variable, property or field.
if TYPE_CHECKING:
    from typing import ClassVar as Declared
else:
    from equinox import AbstractVar as Declared


class AbstractCentroid(eqx.Module):
    """The state that weighted memories agree on: it makes R(v) − Σ w s(k, v) smallest.

    One that follows from a sum over memories is an `AbstractSummedCentroid`, and is found in
    blocks and over several devices; any other needs all memories at once.
    """

    signed: Declared[bool]
    """Whether weights may be negative."""

    plain: ClassVar[Literal["never", "normalised", "always"]] = "never"
    """Whether it is Σ w k itself: for weights that sum to one, for any weights, or never."""

    @abstractmethod
    def agree(self, keys: Float[Array, "n d"], weights: Float[Array, " n"]) -> Float[Array, " d"]:
        """The centroid of weighted memories; zero where nothing weighs anything.

        **Arguments:**

        - `keys`: stored rows, shape (N, d).
        - `weights`: shape (N,).

        **Returns:** the state, shape (d,).
        """


class AbstractSummedCentroid(AbstractCentroid):
    """A centroid that follows from Σ w r, for some row r that each key has, and from Σ w."""

    @abstractmethod
    def carrier(self, keys: Float[Array, "n d"]) -> Float[Array, "n d"]:
        """The rows r that are summed."""

    @abstractmethod
    def settle(self, total: Float[Array, " d"], mass: Float[Array, ""]) -> Float[Array, " d"]:
        """The centroid, from the weighted sum of rows and the weights' sum."""

    def agree(self, keys: Float[Array, "n d"], weights: Float[Array, " n"]) -> Float[Array, " d"]:
        """See `AbstractCentroid.agree`."""
        total = weighted(weights, self.carrier(keys))
        return self.settle(total, jnp.sum(weights, dtype=total.dtype))


class WeightedSum(AbstractSummedCentroid):
    """Σ w k, for weights of any sign: of a dot product with state term ½|v|²."""

    signed: ClassVar[bool] = True
    plain: ClassVar = "always"

    def carrier(self, keys):
        """See `AbstractSummedCentroid.carrier`."""
        return keys

    def settle(self, total, mass):
        """See `AbstractSummedCentroid.settle`."""
        return total


class WeightedMean(AbstractSummedCentroid):
    """Σ w k / Σ w: of a squared distance."""

    signed: ClassVar[bool] = False
    plain: ClassVar = "normalised"

    def carrier(self, keys):
        """See `AbstractSummedCentroid.carrier`."""
        return keys

    def settle(self, total, mass):
        """See `AbstractSummedCentroid.settle`."""
        return total * inverse(mass)


class DirectionSum(AbstractSummedCentroid):
    """Σ w k̂ with k̂ of unit norm, its mean removed first if `centred`: of cosine and correlation."""

    centred: bool = eqx.field(static=True, default=False)
    signed: ClassVar[bool] = True

    def carrier(self, keys):
        """See `AbstractSummedCentroid.carrier`."""
        if self.centred:
            return standardise(keys)
        return unit(keys)

    def settle(self, total, mass):
        """See `AbstractSummedCentroid.settle`."""
        return total


class DistributionMean(AbstractSummedCentroid):
    """The mean of rows divided by their sums, arithmetic or geometric: of the two divergences.

    **Arguments:**

    - `geometric`: exp(Σ w ln k̂ / Σ w), divided by its sum, rather than Σ w k̂ / Σ w.
    - `epsilon`: what each k̂ is smoothed by, to (k̂ + ε)/(1 + d ε).
    """

    geometric: bool = eqx.field(static=True)
    epsilon: float = eqx.field(static=True)
    signed: ClassVar[bool] = False

    def carrier(self, keys):
        """See `AbstractSummedCentroid.carrier`."""
        rows = distributions(keys, self.epsilon)
        return jnp.log(rows) if self.geometric else rows

    def settle(self, total, mass):
        """See `AbstractSummedCentroid.settle`."""
        mean = total * inverse(mass)
        smoothed = jax.nn.softmax(mean) if self.geometric else mean
        # Scoring smooths the state again; what is returned is smoothed to the mean by that.
        spread = 1 + smoothed.shape[0] * self.epsilon
        return jnp.where(mass == 0, 0.0, jnp.maximum(smoothed * spread - self.epsilon, 0.0))


class WeightedMedian(AbstractCentroid):
    """In each entry the weighted median: of Manhattan's distance."""

    signed: ClassVar[bool] = False

    def agree(self, keys, weights):
        """For each column the smallest entry below and at which half of the weight lies."""
        order = jnp.argsort(keys, axis=0)
        heights = jnp.cumsum(weights[order], axis=0)
        # The last height is the total as this order of summation gives it: half is always met.
        place = jnp.argmax(heights >= 0.5 * heights[-1:], axis=0)
        middle = jnp.take_along_axis(keys, jnp.take_along_axis(order, place[None], 0), 0)[0]
        return jnp.where(heights[-1] > 0, middle, 0.0)


class WeightedMode(AbstractCentroid):
    """In each entry the value with the largest total weight: of Hamming's distance."""

    signed: ClassVar[bool] = False

    def agree(self, keys, weights):
        """For each column the entry with the largest total weight; of two alike the smaller."""
        order = jnp.argsort(keys, axis=0)
        ordered = jnp.take_along_axis(keys, order, 0)
        heights = jnp.cumsum(weights[order], axis=0)
        changes = ordered[1:] != ordered[:-1]
        edge = jnp.ones_like(ordered[:1], bool)
        below = jnp.concatenate([jnp.zeros_like(heights[:1]), heights[:-1]])
        begun = jnp.where(jnp.concatenate([edge, changes]), below, -jnp.inf)
        begun = jax.lax.cummax(begun, axis=0)
        share = jnp.where(jnp.concatenate([changes, edge]), heights - begun, -jnp.inf)
        most = jnp.take_along_axis(ordered, jnp.argmax(share, axis=0)[None], 0)[0]
        return jnp.where(heights[-1] > 0, most, 0.0)


def distributions(rows: Float[Array, "*n d"], epsilon: float = 0.0) -> Float[Array, "*n d"]:
    """Rows divided by their sums, then smoothed to (r + ε)/(1 + d ε), which still sums to one.

    The shares are of at least 32 bits, for those of long rows are below half precision.
    """
    rows = rows.astype(accumulate(rows.dtype))
    shares = rows * inverse(jnp.sum(rows, -1, keepdims=True))
    return (shares + epsilon) / (1 + rows.shape[-1] * epsilon) if epsilon else shares
