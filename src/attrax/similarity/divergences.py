"""Similarities of rows taken as distributions: the divergences and Jaccard's index."""

from typing import ClassVar, Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..arithmetic import Range, accumulate, inverse, products
from ..checks import one_of
from .base import AbstractSimilarity
from .centroids import DistributionMean, distributions
from .sums import over_features


class KullbackLeibler(AbstractSimilarity):
    """s = −KL(k̂ ‖ q̂) = −Σ k̂ ln(k̂/q̂), hats: entries divided by their sum.

    No state term; centroid: the arithmetic mean of the k̂, or, `reverse`, the geometric one.

    **Arguments:**

    - `reverse`: −KL(q̂ ‖ k̂) instead.
    - `epsilon`: distributions are smoothed to (k̂ + ε)/(1 + d ε), so that an entry absent from
      one of the two costs a finite amount; 0 makes that cost infinite.
    - `form`: "negative"; or "reciprocal", 1/Σ k̂ (ln(k̂+ε) − ln(q̂+ε)), which the official code of
      Universal Hopfield Networks uses: ε stands within the logarithms only, so that the
      denominator can come out slightly negative, and the score with the wrong sign.

    **Raises:** `ValueError` for a negative `epsilon`; at construction of a memory, for rows that
    are negative somewhere or zero throughout.

    **Source:** [kullback1951information]; [millidge2022universal] for the reciprocal
    """

    reverse: bool = eqx.field(static=True, default=False)
    epsilon: float = eqx.field(static=True, default=1e-4, kw_only=True)
    form: Literal["negative", "reciprocal"] = eqx.field(
        static=True, default="negative", kw_only=True
    )
    rowwise: ClassVar[bool] = True
    rows: ClassVar = "non-negative"

    def __check_init__(self):
        """Refuse unknown forms and negative smoothing."""
        one_of("form", self.form, ("negative", "reciprocal"))
        _check_epsilon(self.epsilon)

    @property
    def range(self) -> Range:
        """Non-positive; non-negative for the reciprocal."""
        return "non-negative" if self.form == "reciprocal" else "non-positive"

    @property
    def centroid(self) -> DistributionMean | None:
        """The mean of distributions, for the negative divergence."""
        if self.form == "reciprocal" or (self.reverse and self.epsilon == 0):
            return None
        return DistributionMean(self.reverse, self.epsilon)

    def __call__(self, keys, query, weight=None):
        """See `AbstractSimilarity.__call__`."""
        keys, query = _shares(keys, weight), _shares(query, weight)
        absent = jnp.zeros(keys.shape[:1], bool)
        if self.form == "reciprocal":
            # There, a query without a single count is divided by zero and scores NaN.
            query = jnp.where(jnp.sum(query) == 0, jnp.nan, query).astype(keys.dtype)
            logs = jnp.log(keys + self.epsilon), jnp.log(query + self.epsilon)
        else:
            keys, query = _smooth(keys, self.epsilon, weight), _smooth(query, self.epsilon, weight)
            logs = _logs(keys), _logs(query)
            if self.epsilon == 0:
                # 0 · ln 0 = 0, but what one has and the other lacks diverges.
                other = query[None]
                lacking = (keys == 0) & (other > 0) if self.reverse else (keys > 0) & (other == 0)
                absent = jnp.any(lacking, axis=-1)
        if self.reverse:
            own = jnp.sum(query * logs[1], dtype=accumulate(query.dtype))
            divergence = own - products(logs[0], query)
        else:
            own = jnp.sum(keys * logs[0], axis=-1, dtype=accumulate(keys.dtype))
            divergence = own - products(keys, logs[1])
        if self.form == "reciprocal":
            return 1 / divergence
        # Rounding must not make the divergence of a row from itself negative.
        return -jnp.where(absent, jnp.inf, jnp.maximum(divergence, 0))


class JensenShannon(AbstractSimilarity):
    """s = −½ KL(k̂ ‖ a) − ½ KL(q̂ ‖ a) with a = ½(k̂ + q̂): symmetric, and finite: ≥ −ln 2.

    No centroid in closed form, hence no energy under a read.

    **Arguments:**

    - `form`: "negative"; or "inverted", 1/(½/KL + ½/rKL) of the two divergences, which the
      official code of Universal Hopfield Networks uses. That is the harmonic mean of two
      distances: with it the most distant memory wins.
    - `epsilon`: of the divergences of the inverted form, within their logarithms.

    **Source:** [lin1991divergence]; [millidge2022universal] for the inverted form
    """

    form: Literal["negative", "inverted"] = eqx.field(static=True, default="negative")
    epsilon: float = eqx.field(static=True, default=1e-4, kw_only=True)
    rowwise: ClassVar[bool] = True
    rows: ClassVar = "non-negative"
    centroid: ClassVar = None

    def __check_init__(self):
        """Refuse unknown forms and negative smoothing."""
        one_of("form", self.form, ("negative", "inverted"))
        _check_epsilon(self.epsilon)

    @property
    def range(self) -> Range:
        """Non-positive; non-negative for the inverted form."""
        return "non-negative" if self.form == "inverted" else "non-positive"

    def __call__(self, keys, query, weight=None):
        """See `AbstractSimilarity.__call__`."""
        if self.form == "inverted":
            forward, backward = (
                KullbackLeibler(reverse, epsilon=self.epsilon, form="reciprocal")
                for reverse in (False, True)
            )
            return 1 / (0.5 * forward(keys, query, weight) + 0.5 * backward(keys, query, weight))
        keys, query = _shares(keys, weight), _shares(query, weight)
        own = jnp.sum(_entropy(keys), axis=-1, dtype=accumulate(keys.dtype))
        mixed = over_features(lambda k, q: _entropy(0.5 * (k + q)), keys, query, None)
        total = own + jnp.sum(_entropy(query), dtype=own.dtype)
        return mixed - 0.5 * total


class Jaccard(AbstractSimilarity):
    """s = Σ min(k, q) / Σ max(k, q) for non-negative rows: shared over joint extent, in [0, 1].

    No centroid in closed form, hence no energy under a read.

    **Source:** [jaccard1912distribution]
    """

    range: ClassVar[Range] = "non-negative"
    rowwise: ClassVar[bool] = True
    rows: ClassVar = "non-negative"
    centroid: ClassVar = None

    def __call__(self, keys, query, weight=None):
        """See `AbstractSimilarity.__call__`."""
        # min + max is the sum of both, so one pass over the features gives the two.
        shared = over_features(jnp.minimum, keys, query, weight)
        counted = jnp.ones_like(query) if weight is None else weight.astype(query.dtype)
        own = jnp.sum(counted * query, dtype=shared.dtype)
        joint = products(keys, counted) + own - shared
        return shared * inverse(joint)


def _check_epsilon(epsilon):
    if not epsilon >= 0:
        raise ValueError(f"`epsilon` must not be negative, but it is {epsilon}.")


def _shares(rows: Float[Array, "*n d"], weight: Array | None) -> Float[Array, "*n d"]:
    if weight is None:
        return distributions(rows)
    return distributions(rows * jnp.broadcast_to(weight, rows.shape).astype(rows.dtype))


def _smooth(shares, epsilon, weight):
    if not epsilon:
        return shares
    counted = jnp.ones_like(shares)
    if weight is not None:
        counted = jnp.broadcast_to(weight != 0, shares.shape).astype(shares.dtype)
    return (shares + epsilon * counted) / (1 + epsilon * jnp.sum(counted, -1, keepdims=True))


def _logs(shares):
    return jnp.log(jnp.where(shares > 0, shares, 1.0))


def _entropy(shares):
    positive = shares > 0
    return jnp.where(positive, shares * jnp.log(jnp.where(positive, shares, 1.0)), 0.0)
