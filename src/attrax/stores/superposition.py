"""A memory of rows as one matrix."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..common.arithmetic import accumulate
from ..similarity import AbstractSimilarity
from .matrix import MatrixMemory


class Features(eqx.Module):
    """φ of one query, as a similarity has it; what is not of the query's kind is static.

    **Arguments:**

    - `similarity`: one whose scores are s = φ(k)·φ(q).
    """

    similarity: AbstractSimilarity

    def __call__(self, query: Float[Array, " d"]) -> Float[Array, " m"]:
        """φ(query)."""
        features = self.similarity.features(query[None])
        if features is None:
            raise ValueError(f"{self.similarity!r} has no features.")
        return features[0]


def superposed(memory: Any) -> MatrixMemory:
    """The matrix of a `Memory`; see `Memory.superpose`."""
    similarity, separation = memory.similarity, memory.separation
    if not separation.linear:
        raise ValueError(
            f"{type(separation).__name__} weighs each row by itself, so rows cannot be added up: "
            "use separation=attrax.separation.Identity(), or SumNormalised(Identity())."
        )
    centroid = similarity.centroid
    if memory.projection == "centroid" and (centroid is None or centroid.plain != "always"):
        raise ValueError('projection="centroid" is no sum of rows; use projection="sum".')
    if memory.placement is not None:
        raise ValueError("This memory is spread over devices; superpose it before `shard`.")
    # Keys that are encoded are features already; queries are yet to be.
    features = memory.keys if similarity.encoded else similarity.features(memory.keys)
    if features is None:
        raise ValueError(
            f"{similarity!r} is no inner product of features, so rows cannot be added up: use "
            "Dot(), Cosine(), Correlation() or Kernel(feature_map)."
        )
    values = memory.keys if memory.values is None else memory.values
    if memory.filled is not None:
        features = jnp.where(memory.filled[:, None], features, 0.0)
        values = jnp.where(memory.filled[:, None], values, 0.0)
    dtype = accumulate(values.dtype)
    matrix = jnp.matmul(values.T, features, preferred_element_type=dtype)
    plain = similarity.bilinear == "plain" and not similarity.encoded
    tied = plain and memory.values is None
    return MatrixMemory(
        matrix,
        feature_map=None if plain else Features(similarity),
        normaliser=jnp.sum(features, axis=0, dtype=dtype) if separation.normalised else None,
        width=memory.width,
        symmetry="positive" if tied else "none",
    )
