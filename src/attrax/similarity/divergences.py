"""Similarities of rows taken as distributions: the divergences and Jaccard's index."""

from typing import ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..common.arithmetic import Range, accumulate, inverse, products
from ..common.checks import one_of
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
      denominator can come out slightly negative, and the score with the wrong sign. There, as in
      that code, a query of zeros has NaN for scores, of which `Max` takes the first row;
      `retrieve` answers NaN and says `diverged`.

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
    terms: ClassVar = "differences"

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

    def rounding(self, rows):
        """Of the largest of the terms about the first row, by which the rows are compared."""
        if self.form == "reciprocal":
            return 0.0
        shares = rows.astype(np.float64)
        shares = shares / shares.sum(-1, keepdims=True)
        shares = (shares + self.epsilon) / (1 + rows.shape[1] * self.epsilon)
        both = (shares > 0) & (shares[0] > 0)
        ratio = np.where(both, shares, 1.0) / np.where(both, shares[0], 1.0)
        changes = np.abs(shares * np.log(ratio)) + np.abs(shares - shares[0])
        return float(changes.sum(-1).max() * jnp.finfo(accumulate(rows.dtype)).eps)

    def __call__(self, keys, query, weight=None):
        """See `AbstractSimilarity.__call__`."""
        keys, query = _shares(keys, weight), _shares(query, weight)
        if self.form == "reciprocal":
            # There, a query without a single count is divided by zero and scores NaN.
            query = jnp.where(jnp.sum(query) == 0, jnp.nan, query).astype(keys.dtype)
            logs = jnp.log(keys + self.epsilon), jnp.log(query + self.epsilon)
            return 1 / _coded(keys, query, *logs, self.reverse)
        keys, query = _smooth(keys, self.epsilon, weight), _smooth(query, self.epsilon, weight)
        absent = jnp.zeros(keys.shape[:1], bool)
        if self.epsilon == 0:
            # 0 · ln 0 = 0, but what one has and the other lacks diverges.
            other = query[None]
            lacking = (keys == 0) & (other > 0) if self.reverse else (keys > 0) & (other == 0)
            absent = jnp.any(lacking, axis=-1)
        divergence = _divergences(keys, query, self.reverse)
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
    terms: ClassVar = "differences"
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
        # Term by term, since entropies of rows that share a large part leave no figures.
        return -over_features(_jensen_term, keys, query, None)


class Jaccard(AbstractSimilarity):
    """s = Σ min(k, q) / Σ max(k, q) for non-negative rows: shared over joint extent, in [0, 1].

    No centroid in closed form, hence no energy under a read.

    **Source:** [jaccard1912distribution]
    """

    range: ClassVar[Range] = "non-negative"
    rowwise: ClassVar[bool] = True
    rows: ClassVar = "non-negative"
    terms: ClassVar = "differences"
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


def _coded(keys, query, log_keys, log_query, reverse):
    """Σ k (ln k − ln q), or with both exchanged, of logarithms that were smoothed."""
    if reverse:
        own = jnp.sum(query * log_query, dtype=accumulate(query.dtype))
        return own - products(log_keys, query)
    own = jnp.sum(keys * log_keys, axis=-1, dtype=accumulate(keys.dtype))
    return own - products(keys, log_query)


def _divergences(keys, query, reverse):
    """KL of each key and the query, or with both exchanged, by one product.

    D(k, q) = Σ k ln(k/q) − k + q, which is KL but for the rounding of sums to one, is
    D(k, m) + D(m, q) − Σ (k − m) ln(q/m) for any m. For the first row as m, what all rows have in
    common drops out of each term, and costs no figures.
    """
    dtype = accumulate(keys.dtype)
    origin = jax.lax.stop_gradient(keys[0])
    key_change, to_key, key_from, from_key = _about(keys, origin[None])
    query_change, to_query, query_from, from_query = _about(query, origin)
    if reverse:
        own, other = jnp.sum(query_from, dtype=dtype), jnp.sum(from_key, axis=-1, dtype=dtype)
        return own + other - products(to_key, query_change)
    own, other = jnp.sum(key_from, axis=-1, dtype=dtype), jnp.sum(from_query, dtype=dtype)
    return own + other - products(key_change, to_query)


def _about(shares, origin):
    """Shares p about others m: p − m, ln (p/m), and the terms of D(p, m) and of D(m, p).

    No figures are lost where the two are close. There all but the first are functions of one
    (p − m)/m: of a difference that is taken twice, compilers may round one and not the other.
    """
    change = shares - origin
    near = jnp.abs(change) < 0.5 * origin
    part = jnp.where(near, change / jnp.where(origin > 0, origin, 1.0), 0.0)
    small = jnp.log1p(part)
    # Taking 0 for ln 0.
    log = jnp.where(near, small, _logs(shares) - _logs(origin))
    of = jnp.where(near, origin * ((1 + part) * small - part), shares * log - change)
    back = jnp.where(near, origin * (part - small), change - origin * log)
    return change, log, of, back


def _jensen_term(key, query):
    """½ k ln(k/a) + ½ q ln(q/a) with a = ½ (k + q), by their difference."""
    total = key + query
    there = total > 0
    part = jnp.where(there, (key - query) / jnp.where(there, total, 1.0), 0.0)
    return 0.25 * total * (_entropy_about_one(part) + _entropy_about_one(-part))


def _entropy_about_one(change):
    """(1 + x) ln(1 + x), 0 at x = −1."""
    inside = change > -1
    safe = jnp.where(inside, change, 0.0)
    return jnp.where(inside, (1 + safe) * jnp.log1p(safe), 0.0)
