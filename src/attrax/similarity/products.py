"""Similarities that are inner products: dot, cosine and correlation."""

from typing import ClassVar, Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..common.arithmetic import (
    Range,
    accumulate,
    inverse_root,
    is_constant,
    is_far,
    products,
    range_scale,
    standardise,
)
from ..common.checks import one_of
from .base import AbstractSimilarity
from .centroids import DirectionSum, WeightedSum


class Dot(AbstractSimilarity):
    """s = k·q, the similarity of Hopfield networks and of attention.

    State term ½|v|², centroid Σ w k. On images without preparation the brightest memory wins
    whatever the query; `Correlation` does not have that fault.

    **Arguments:**

    - `normalised`: "none"; or "sum", for which key and query are divided by the sum of their
      entries first, as the official code of Universal Hopfield Networks does. That is meant for
      non-negative data, and has no energy; a key or query that sums to zero scores 0.

    **Source:** [hopfield1982neural]; [millidge2022universal] for the normalised form
    """

    normalised: Literal["none", "sum"] = eqx.field(static=True, default="none")
    rowwise: ClassVar[bool] = True

    def __check_init__(self):
        """Refuse unknown forms."""
        one_of("normalised", self.normalised, ("none", "sum"))

    @property
    def range(self) -> Range:
        """Signed; the sum-normalised form is for non-negative data and so non-negative."""
        return "signed" if self.normalised == "none" else "non-negative"

    @property
    def terms(self):
        """Products; the other form scales the query first."""
        return "products" if self.normalised == "none" else "differences"

    @property
    def quadratic(self) -> bool:
        """The plain form has the state term ½|v|²."""
        return self.normalised == "none"

    @property
    def bilinear(self):
        """Plain, unless rows are divided by their sums."""
        return "plain" if self.normalised == "none" else "no"

    @property
    def centroid(self) -> WeightedSum | None:
        """The sum, for the plain form."""
        return WeightedSum() if self.normalised == "none" else None

    def features(self, rows):
        """The rows, divided by their sums in that form."""
        if self.normalised == "none":
            return rows
        total = jnp.sum(rows, axis=-1, keepdims=True, dtype=accumulate(rows.dtype))
        shares = jnp.where(
            total != 0, rows.astype(total.dtype) / jnp.where(total != 0, total, 1.0), 0.0
        )
        return shares.astype(rows.dtype)

    def __call__(self, keys, query, weight=None):
        """See `AbstractSimilarity.__call__`."""
        if weight is not None:
            query = query * weight.astype(query.dtype)
        if self.normalised == "none":
            return products(keys, query)
        query = _scaled(query, range_scale(query))
        scores = products(keys, query)
        counted = jnp.ones_like(query) if weight is None else weight.astype(query.dtype)
        own = jnp.sum(query, dtype=scores.dtype)
        # Rows that are not filled sum to zero; divided by it their slopes would be NaN.
        total = products(keys, counted) * own
        apart = total != 0
        return jnp.where(apart, scores / jnp.where(apart, total, 1.0), 0.0)


def _scaled(row, scale):
    return (row.astype(scale.dtype) * scale).astype(row.dtype)


class Cosine(AbstractSimilarity):
    """s = k·q / (|k| |q|), in [−1, 1]; a row or query of zeros scores 0.

    No state term; centroid Σ w k/|k|, as the length of a state does not count.

    **Source:** [millidge2022universal]
    """

    range: ClassVar[Range] = "signed"
    rowwise: ClassVar[bool] = True
    centroid: ClassVar = DirectionSum()

    def features(self, rows):
        """The rows, of unit norm."""
        return DirectionSum().carrier(rows)

    def __call__(self, keys, query, weight=None):
        """See `AbstractSimilarity.__call__`."""
        dtype = accumulate(keys.dtype)
        # Squares alone need keys to be scaled; the products are brought to scale by row.
        scale = range_scale(keys, weight)
        wide, query = keys.astype(dtype) * scale, query.astype(dtype) * range_scale(query, weight)
        if weight is None:
            squares, own = jnp.sum(jnp.square(wide), axis=-1), jnp.sum(jnp.square(query))
        else:
            counted = weight.astype(dtype)
            # Entries that do not count may be too large for the scale of those that do.
            wide = jnp.where(counted[None] != 0, wide, 0.0)
            squares = products(jnp.square(wide), counted)
            query = jnp.where(counted != 0, query, 0.0)
            own = jnp.sum(counted * jnp.square(query))
            query = query * counted
        scores = products(keys, query.astype(keys.dtype)) * scale[:, 0]
        return scores * inverse_root(squares) * inverse_root(own)


class Correlation(AbstractSimilarity):
    """Pearson's correlation of key and query: own mean removed, unit norm. In [−1, 1].

    Blind to brightness and contrast, and sharp on real images, where dot and cosine are not.
    It is what `Memory(patterns)` uses, `encoded`: rows are standardised once, when they are
    stored, queries when they come, and the score of such a state v is the dot product k·v with
    state term ½|v|² and centroid Σ w k. Not encoded, it works on rows as they are; then it has no
    state term and its centroid is the sum of standardised rows.

    **Arguments:**

    - `encoded`: whether keys are standardised when stored.

    **Source:** [millidge2022universal]
    """

    encoded: bool = eqx.field(static=True, default=False)
    range: ClassVar[Range] = "signed"
    rowwise: ClassVar[bool] = True
    rows: ClassVar = "varied"

    @property
    def quadratic(self) -> bool:
        """Encoded states have the state term ½|v|²."""
        return self.encoded

    @property
    def bilinear(self):
        """Plain, of encoded rows and states."""
        return "plain" if self.encoded else "no"

    @property
    def centroid(self) -> WeightedSum | DirectionSum:
        """The sum of rows; of rows yet to be standardised unless they are encoded."""
        return WeightedSum() if self.encoded else DirectionSum(centred=True)

    def features(self, rows):
        """The rows, standardised."""
        return standardise(rows)

    def __call__(self, keys, query, weight=None):
        """See `AbstractSimilarity.__call__`."""
        if self.encoded and weight is None:
            return products(keys, query)
        # Sums of squares need more figures than half precision has.
        dtype = accumulate(keys.dtype)
        keys, query = keys.astype(dtype), query.astype(dtype)
        weight = jnp.ones_like(query) if weight is None else weight.astype(dtype)
        count = jnp.sum(weight)
        constant = is_constant(query, weight)[0]
        # Where entries are constant their variance is made of rounding errors, and counts as zero.
        rounding = 8 * jnp.finfo(dtype).eps
        offset = jnp.zeros(keys.shape[:1], dtype)
        if not self.encoded:
            keys = jnp.where(weight[None] != 0, keys * range_scale(keys, weight), 0.0)
            query = jnp.where(weight != 0, query * range_scale(query, weight), 0.0)
            # An offset common to a row's entries would cancel with a loss of all figures below.
            alike = is_constant(keys, weight)
            offset = jnp.sum(keys * weight[None], axis=-1) / count
            keys = jnp.where(alike | (weight[None] == 0), 0.0, keys - offset[:, None])
            left, around = products(keys, weight) / count, products(jnp.abs(keys), weight) / count
            far = is_far(offset, around)
            offset = jnp.where(far, left, offset)
            left = jnp.where(far, left, 0.0)
            keys = jnp.where(alike | (weight[None] == 0), 0.0, keys - left[:, None])
        else:
            keys = keys - _pivot(keys)[:, None]
        sums = products(keys, weight)
        raw = products(jnp.square(keys), weight)
        floor = rounding * raw + count * jnp.square(rounding * offset)
        spread = inverse_root(_above(floor, raw - sums**2 / count))
        middle = jnp.sum(weight * query) / count
        centred = query - middle
        left, around = (jnp.sum(weight * x) / count for x in (centred, jnp.abs(centred)))
        centred = jnp.where(is_far(middle, around), centred - left, centred)
        own = jnp.sum(weight * jnp.square(centred))
        centred = weight * centred
        own = jnp.where(constant, 0.0, own)
        length = jnp.ones_like(own) if self.encoded else inverse_root(own)
        return jnp.where(constant, 0.0, products(keys, centred) * spread * length)


def _above(floor: Float[Array, "*n"], squares: Float[Array, "*n"]) -> Float[Array, "*n"]:
    return jnp.where(squares > floor, squares, 0.0)


def _pivot(keys: Float[Array, "n d"]) -> Float[Array, " n"]:
    """What most entries of a row have in common, where that is much; else nothing.

    A few entries far off, which may not be known, leave the others next to one another and far from
    the mean of all: their spread would be lost in its square.
    """
    some = keys[:, :: max(keys.shape[1] // 9, 1)]
    middle = jnp.median(some, axis=-1)
    around = jnp.median(jnp.abs(some - middle[:, None]), axis=-1)
    return jnp.where((around > 0) & is_far(middle, around), middle, 0.0)
