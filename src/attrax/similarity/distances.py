"""Similarities that are negative distances: Euclidean, Manhattan, Minkowski, Hamming."""

from math import inf
from typing import ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..common.arithmetic import Range, accumulate, products, range_scale
from ..common.checks import one_of
from .base import AbstractSimilarity
from .centroids import WeightedMean, WeightedMedian, WeightedMode
from .sums import over_features

# Products of rows this narrow are no faster than sums of squared differences.
_NARROW = 16


class Euclidean(AbstractSimilarity):
    """s = −½ |k − q|², the similarity whose energy minima are means of memories.

    No state term; centroid Σ w k / Σ w.

    **Arguments:**

    - `form`: "half_square" is −½|k−q|²; "square" is −|k−q|²; "distance" is −|k−q|; "reciprocal"
      is 1/|k−q|², which the official code of Universal Hopfield Networks uses: non-negative,
      infinite for an exact match, the same order of memories but other weights.
    - `exact`: sum squared differences instead of expanding them into one matrix product. Several
      times slower; differences of near duplicates are then free of cancellation. The reciprocal
      form always does so, and so do rows of up to 16 entries. A part that all rows share, such as
      the origin of a map, costs no figures either way: rows are expanded about the first of them.

    **Source:** [millidge2022universal]
    """

    form: Literal["half_square", "square", "distance", "reciprocal"] = eqx.field(
        static=True, default="half_square"
    )
    exact: bool = eqx.field(static=True, default=False)
    rowwise: ClassVar[bool] = True

    def __check_init__(self):
        """Refuse unknown forms."""
        one_of("form", self.form, ("half_square", "square", "distance", "reciprocal"))

    @property
    def range(self) -> Range:
        """Non-positive; positive for the reciprocal."""
        return "positive" if self.form == "reciprocal" else "non-positive"

    @property
    def steep(self) -> bool:
        """The reciprocal, which is infinite at a match."""
        return self.form == "reciprocal"

    @property
    def terms(self):
        """Squares, but for exact distances, which are taken of scaled differences."""
        return "differences" if self.exact and self.form == "distance" else "squares"

    @property
    def bilinear(self):
        """Half the square is k·v − ½|k|² − ½|v|²."""
        return "shifted" if self.form == "half_square" else "no"

    @property
    def centroid(self) -> WeightedMean | None:
        """The mean, for the squared forms."""
        return WeightedMean() if self.form in ("half_square", "square") else None

    def rounding(self, rows):
        """Of the largest square about the first row, where squares are expanded."""
        if self.exact or self.form == "reciprocal" or rows.shape[1] <= _NARROW:
            return 0.0
        wide = rows.astype(np.float64)
        square = np.square(wide - wide[0]).sum(-1).max() * jnp.finfo(accumulate(rows.dtype)).eps
        return float(np.sqrt(square) if self.form == "distance" else square)

    def __call__(self, keys, query, weight=None):
        """See `AbstractSimilarity.__call__`."""
        if self.exact and self.form == "distance":
            return -_scaled_distance(keys, query, weight)
        if self.exact or self.form == "reciprocal" or keys.shape[1] <= _NARROW:
            squares = over_features(_squared, keys, query, weight)
            half = -0.5 * squares
        else:
            half = _expanded(keys, query, weight)
            squares = -2 * half
        if self.form == "half_square":
            return half
        if self.form == "square":
            return -squares
        return 1 / squares if self.form == "reciprocal" else -root(squares)


class Manhattan(AbstractSimilarity):
    """s = −Σ |k − q|, robust where few entries are far off, as under a mask.

    No state term; centroid: the weighted median of each entry.

    **Arguments:**

    - `form`: "negative" is −Σ|k−q|; "reciprocal" is 1/Σ|k−q|, which the official code of
      Universal Hopfield Networks uses: non-negative, infinite for an exact match.

    **Source:** [millidge2022universal]
    """

    form: Literal["negative", "reciprocal"] = eqx.field(static=True, default="negative")
    terms: ClassVar = "differences"
    rowwise: ClassVar[bool] = True

    def __check_init__(self):
        """Refuse unknown forms."""
        one_of("form", self.form, ("negative", "reciprocal"))

    @property
    def steep(self) -> bool:
        """The reciprocal, which is infinite at a match."""
        return self.form == "reciprocal"

    @property
    def range(self) -> Range:
        """Non-positive; positive for the reciprocal."""
        return "positive" if self.form == "reciprocal" else "non-positive"

    @property
    def centroid(self) -> WeightedMedian | None:
        """The weighted median, for the negative distance."""
        return WeightedMedian() if self.form == "negative" else None

    def __call__(self, keys, query, weight=None):
        """See `AbstractSimilarity.__call__`."""
        distance = over_features(_absolute, keys, query, weight)
        return -distance if self.form == "negative" else 1 / distance


class Minkowski(AbstractSimilarity):
    """s = −(Σ |k − q|^p)^(1/p); p = 1 is Manhattan's distance, p = 2 Euclid's, p = ∞ Chebyshev's.

    The distance for p = ∞ is the largest |k − q|. Powers are taken relative to it, so that they
    stay within the range of floats for every p and unit.

    No centroid in closed form, hence no energy under a read.

    **Arguments:**

    - `p`: order of the norm, ≥ 1; `math.inf` for the largest difference.

    **Raises:** `ValueError` for `p` < 1, where the triangle inequality fails.
    """

    p: float = eqx.field(static=True)
    terms: ClassVar = "differences"
    range: ClassVar[Range] = "non-positive"
    rowwise: ClassVar[bool] = True
    centroid: ClassVar = None

    def __check_init__(self):
        """Refuse orders below one."""
        if not self.p >= 1:
            raise ValueError(f"`p` must be at least 1, but it is {self.p}.")

    def __call__(self, keys, query, weight=None):
        """See `AbstractSimilarity.__call__`."""
        if self.p == 1:
            return -over_features(_absolute, keys, query, weight)
        size = over_features(_absolute, keys, query, weight, largest=True)
        if self.p == inf:
            return -size
        apart = size > 0
        size = jnp.where(apart, jax.lax.stop_gradient(size), 1.0)
        share = 1 / size
        total = over_features(lambda k, q: (jnp.abs(k - q) * share) ** self.p, keys, query, weight)
        apart = apart & (total > 0)
        return jnp.where(apart, -size * jnp.where(apart, total, 1.0) ** (1 / self.p), 0.0)


class Hamming(AbstractSimilarity):
    """s = −#(k ≠ q), the number of entries that differ; for binary or other discrete rows.

    No state term; centroid: in each entry the value with the largest total weight.

    **Source:** [kanerva1988sparse]
    """

    discrete: ClassVar[bool] = True
    range: ClassVar[Range] = "non-positive"
    rowwise: ClassVar[bool] = True
    centroid: ClassVar = WeightedMode()

    def __call__(self, keys, query, weight=None):
        """See `AbstractSimilarity.__call__`."""
        dtype = accumulate(keys.dtype)
        return -over_features(lambda k, q: (k != q).astype(dtype), keys, query, weight)


def _squared(key, query):
    return jnp.square(key - query)


def _absolute(key, query):
    return jnp.abs(key - query)


def _scaled_distance(keys, query, weight):
    """|k − q|, whose square may be out of the range of floats."""
    sizes = range_scale(keys, weight)[:, 0], range_scale(query, weight)
    # The smaller scale is that of the larger of the two.
    scale = jnp.minimum(*sizes)
    squares = over_features(lambda k, q: jnp.square((k - q) * scale), keys, query, weight)
    return root(squares) / scale


def _expanded(keys, query, weight):
    """−½ |k − q|², from norms and one product."""
    dtype = accumulate(keys.dtype)
    # What all rows have in common would leave no figures for their differences, which narrow types
    # would round: equal rows would no longer be at no distance.
    origin = jax.lax.stop_gradient(keys[0]).astype(dtype)
    keys, query = keys.astype(dtype) - origin[None], query.astype(dtype) - origin
    # The keys' norms as a product: on a CPU their sums would be fused with the product of keys and
    # query into one slow loop. Those of queries would not, and a product of one row is slow.
    counted = jnp.ones(query.shape, dtype) if weight is None else weight.astype(dtype)
    rows = products(jnp.square(keys), counted)
    own = jnp.sum(jnp.square(query) * counted)
    if weight is not None:
        query = query * counted
    # Rounding must not make the distance of a row to itself negative.
    return jnp.minimum(products(keys, query) - (0.5 * rows + 0.5 * own), 0)


def root(squares: Float[Array, "..."]) -> Float[Array, "..."]:
    """√, whose slope at zero is zero."""
    apart = squares > 0
    return jnp.where(apart, jnp.sqrt(jnp.where(apart, squares, 1.0)), 0.0)
