"""Similarities by an explicit feature map, and the change of a similarity's sign."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import Range, accumulate, products
from ..common.checks import as_floats, one_of
from .base import AbstractSimilarity
from .centroids import WeightedSum


class FeatureFunction(eqx.Module):
    """A plain function of one row as a feature map: static, so that memories are trees of arrays.

    **Arguments:**

    - `fn`: the function, (d,) to (m,).
    """

    fn: Callable = eqx.field(static=True)

    def __call__(self, row):
        """Features of one row, shape (m,)."""
        return self.fn(row)


def as_feature_map(value: Any) -> Callable:
    """A module as it is, a plain function as a static one.

    **Raises:** `TypeError` for what cannot be called.
    """
    if not callable(value):
        raise TypeError(
            f"`feature_map` must be a function of one row, but it is {type(value).__name__}."
        )
    if isinstance(value, eqx.Module):
        return value  # pyright: ignore[reportReturnType]: it can be called, as was seen.
    return FeatureFunction(value)


class Kernel(AbstractSimilarity):
    """s = φ(k)·φ(q), for a feature map φ.

    Centroids live in feature space, so a read has no energy in general.

    **Arguments:**

    - `feature_map`: φ, a function or module of one row (d,) to features (m,); parameters of a
      module are differentiated like any others.
    - `range`: the sign of the scores; "non-negative" if φ is.

    With `known=`, entries that are not known are zero in key and query before φ.

    **Raises:** `TypeError` if `feature_map` cannot be called.
    """

    feature_map: Callable = eqx.field(converter=as_feature_map)
    range: Range = eqx.field(static=True, default="signed")
    rowwise: ClassVar[bool] = True
    centroid: ClassVar = None

    def features(self, rows):
        """φ of each row."""
        return jax.vmap(self.feature_map)(rows)

    def __call__(self, keys, query, weight=None):
        """See `AbstractSimilarity.__call__`."""
        if weight is not None:
            weight = weight.astype(keys.dtype)
            keys, query = keys * weight[None], query * weight
        return products(jax.vmap(self.feature_map)(keys), self.feature_map(query))


class LinearKernel(AbstractSimilarity):
    """s = (W k)·(W q), the inner product of rows and queries under a linear map W.

    State term ½|W v|²; centroid Σ w k, since the sum of rows makes it least whatever W is. So a
    read lowers the energy as under `Dot`, which is W = 1. `attrax.training.learn_kernel` finds a W
    that moves crowded rows apart.

    **Arguments:**

    - `weights`: W, shape (m, d), for rows of d entries.

    With `known=`, entries that are not known are zero in key and query before W.

    **Raises:** `ValueError` if `weights` are no matrix; on a call, for rows of another width.

    **Source:** [wu2024uniform]
    """

    weights: Float[Array, "m d"]
    range: ClassVar[Range] = "signed"
    terms: ClassVar = "products"
    rowwise: ClassVar[bool] = True
    centroid: ClassVar = WeightedSum()

    def __init__(self, weights: ArrayLike):
        self.weights = as_floats("weights", weights, ndim=2)
        if self.weights.size == 0:
            raise ValueError(f"`weights` are empty: their shape is {self.weights.shape}.")

    def features(self, rows):
        """W row, of each row."""
        self._check_width(rows)
        weights = self.weights.astype(rows.dtype)
        dtype = accumulate(rows.dtype)
        return jnp.matmul(rows, weights.T, preferred_element_type=dtype).astype(rows.dtype)

    def state_term(self, state):
        """½|W v|²."""
        lifted = self._lifted(state)
        return 0.5 * jnp.sum(jnp.square(lifted))

    def __call__(self, keys, query, weight=None):
        """See `AbstractSimilarity.__call__`."""
        self._check_width(keys)
        weight = None if weight is None else weight.astype(query.dtype)
        query = query if weight is None else query * weight
        # Wᵀ W q once, rather than W k of every key.
        wide = accumulate(query.dtype)
        direction = products(self.weights.astype(wide).T, self._lifted(query))
        direction = direction if weight is None else direction * weight.astype(wide)
        return jnp.matmul(keys.astype(wide), direction)

    def _lifted(self, state):
        wide = accumulate(state.dtype)
        return products(self.weights.astype(wide), state.astype(wide))

    def _check_width(self, rows):
        if rows.shape[-1] != self.weights.shape[1]:
            raise ValueError(
                f"`weights` of LinearKernel must have one column an entry of a row, "
                f"{rows.shape[-1]}, but their shape is {self.weights.shape}."
            )


class NonNegative(AbstractSimilarity):
    """Another similarity, brought to scores that are never negative; see `non_negative`.

    **Arguments:**

    - `inner`: a similarity that scores row by row.
    - `how`: "rectify" is max(s, 0); "bounded" is 1/(1 − s), for scores that are never positive;
      "reciprocal" is −1/s for those, infinite at an exact match.
    """

    inner: AbstractSimilarity
    how: Literal["rectify", "bounded", "reciprocal"] = eqx.field(static=True)
    centroid: ClassVar = None

    def __check_init__(self):
        """Refuse unknown ways, and reciprocals of scores that change sign."""
        one_of("how", self.how, ("rectify", "bounded", "reciprocal"))
        if self.how != "rectify" and self.inner.range != "non-positive":
            raise ValueError(
                f"how={self.how!r} is for scores that are never positive, and "
                f"{type(self.inner).__name__}'s are {self.inner.range}; use how='rectify'."
            )

    @property
    def range(self) -> Range:
        """Non-negative, or positive where no score can be zero."""
        return "non-negative" if self.how == "rectify" else "positive"

    @property
    def rowwise(self) -> bool:
        """As of the inner similarity."""
        return self.inner.rowwise

    @property
    def rows(self):
        """As of the inner similarity."""
        return self.inner.rows

    @property
    def steep(self) -> bool:
        """The two reciprocals."""
        return self.how != "rectify"

    @property
    def terms(self):
        """As of the inner similarity."""
        return self.inner.terms

    def rounding(self, rows):
        """As of the inner similarity, whose scores change no less."""
        return self.inner.rounding(rows)

    def __call__(self, keys, query, weight=None):
        """See `AbstractSimilarity.__call__`."""
        scores = self.inner(keys, query, weight)
        if self.how == "rectify":
            return jnp.maximum(scores, 0)
        # Of zero the sign may be lost, and an exact match is to be +inf.
        return 1 / (1 - scores) if self.how == "bounded" else 1 / jnp.abs(scores)


def non_negative(
    similarity: AbstractSimilarity,
    how: Literal["rectify", "bounded", "reciprocal"] | None = None,
) -> AbstractSimilarity:
    """A similarity with scores that are never negative, as logarithms and even powers need.

    **Arguments:**

    - `similarity`: the similarity to be changed; returned as it is if it is non-negative already.
    - `how`: "rectify" is max(s, 0), the default for signed scores; "bounded" is 1/(1 − s), the
      default for negative distances; "reciprocal" is −1/s.

    **Returns:** a similarity of the same order of memories, as far as `how` keeps it.
    """
    if similarity.range in ("non-negative", "positive"):
        return similarity
    if how is None:
        how = "bounded" if similarity.range == "non-positive" else "rectify"
    return NonNegative(similarity, how)
