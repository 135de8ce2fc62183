"""Gaps of tables, filled in by what similar rows have there."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from . import gaps, gaussian
from .scaling import FLOATS, automatic, refuse_far, within

# Rows of which each known entry is read from all others, and the values of beta that are tried: in
# units in which unrelated rows differ by 2, from a mean of all to the nearest row.
_PROBES, _BETAS = 512, np.geomspace(0.1, 300.0, 24)
# With more features than these the linear part is left out: it takes d³ a row.
_WIDEST = 128
# What a feature without any correlation counts beside one that is a copy.
_LEAST = 0.02


class _Column(NamedTuple):
    """How a feature is filled in: what is read, at which beta, beside the linear part or not."""

    part: gaps.Feature
    residuals: np.ndarray
    beta: float
    linear: bool


class HopfieldImputer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Missing entries, filled in by a memory of rows that may have gaps themselves.

    A missing entry j of a row x is x̂_j = ℓ_j(x) + Σ_i w_i (x_ij − ℓ_j(x_i)), the sum over all rows
    of `fit` that have it, with w = softmax(−β D_i / 2). D_i is the mean squared difference of the
    features that both rows have, each weighted by its squared correlation with j and 0.02. ℓ is
    the mean of a Gaussian given the known entries of a row, whose covariance is learnt from rows
    with gaps by six rounds of expectation and maximisation; the memory adds what is not linear.

    β, and whether ℓ is there, are chosen for each feature: of at most 512 rows each known entry is
    left out and read from all other rows, and what has the least squared error is taken. Features
    are standardised for this. For n rows a gap takes 3 n d multiplications.

    **Arguments:**

    - `beta`: β > 0 for all features, in standard units, or "auto".
    - `linear`: whether ℓ is tried; "auto" is `True` for at most 128 features, as it takes d³ a row.
    - `random_state`: a whole number, a `numpy.random.RandomState`, or `None`; it draws which rows
      are left out where there are more than 512.

    **Attributes:** after `fit`,

    - `beta_` (d,): β of each feature.
    - `linear_` (d,): whether the linear part is used.
    - `error_` (d,): squared errors of entries that were left out, over the feature's variance.
    - `n_features_in_`: d.

    **Raises:** in `fit`, `ValueError` or `TypeError` for arguments outside these bounds, infinite
    entries, and features without any known entry.

    **Source:** the linear part [dempster1977maximum]; [ramsauer2021hopfield]
    """

    def __init__(self, beta: Any = "auto", *, linear: Any = "auto", random_state: Any = None):
        self.beta = beta
        self.linear = linear
        self.random_state = random_state

    def fit(self, X, y=None):
        """Store the rows, and choose how each feature is read.

        **Arguments:**

        - `X`: rows of data, NaN where an entry is missing, shape (n, d).
        - `y`: ignored.

        **Returns:** the estimator itself.
        """
        checked: Any = validate_data(self, X, dtype=FLOATS, ensure_all_finite="allow-nan")
        known = ~np.isnan(checked)
        if not known.any(axis=0).all():
            lacking = np.flatnonzero(~known.any(axis=0))
            raise ValueError(
                f"`X` has no known entry in feature {lacking[0]}: leave such features out."
            )
        betas = _BETAS if automatic(self.beta) else np.array([within("beta", self.beta)])
        linear = checked.shape[1] <= _WIDEST if automatic(self.linear) else self.linear
        if not isinstance(linear, bool | np.bool_):
            raise TypeError(f"`linear` must be True, False or 'auto', but it is {linear!r}.")
        self._mean = np.asarray(np.nanmean(checked, axis=0, dtype=np.float64))
        deviation = np.asarray(np.nanstd(checked, axis=0, dtype=np.float64))
        self._scale = np.where(deviation > 0, deviation, 1.0)
        rows = self._standard(checked, known)
        self._covariance = gaussian.learn_covariance(rows, known)
        means = gaussian.expected(self._covariance, rows, known).means if linear else None
        self._rows = gaps.donors(rows, known)
        random = check_random_state(self.random_state)
        found = [self._choose(j, rows, known, means, betas, random) for j in range(rows.shape[1])]
        self._columns = [column for column, _ in found]
        self.error_ = np.array([error for _, error in found])
        self.beta_ = np.array([column.beta for column in self._columns])
        self.linear_ = np.array([column.linear for column in self._columns])
        return self

    def transform(self, X):
        """The rows with gaps filled in; what is known stays as it is.

        **Arguments:**

        - `X`: rows of data, NaN where an entry is missing, shape (m, d).

        **Returns:** rows without gaps, shape (m, d).
        """
        checked, known, rows, means = self._asked(X)
        out = np.array(checked)
        for j, column in enumerate(self._columns):
            gap = ~known[:, j]
            if gap.any():
                betas = [column.beta]
                found = gaps.read(self._rows, column.part, rows[gap], known[gap], betas)[0]
                base = means[gap, j] if column.linear else 0.0
                out[gap, j] = self._mean[j] + self._scale[j] * (base + found)
        return out

    def quantiles(self, X, q):
        """Quantiles of missing entries, by the weights of the rows that they are read from.

        **Arguments:**

        - `X`: rows of data, NaN where an entry is missing, shape (m, d).
        - `q`: probabilities between 0 and 1, shape (k,).

        **Returns:** shape (k, m, d); known entries are themselves in all quantiles.

        **Raises:** `ValueError` for probabilities outside [0, 1].
        """
        checked, known, rows, means = self._asked(X)
        wanted = np.atleast_1d(np.asarray(q, np.float64))
        if wanted.ndim != 1 or not np.all((wanted >= 0) & (wanted <= 1)):
            raise ValueError(f"`q` must be probabilities between 0 and 1, but it is {q!r}.")
        out = np.repeat(np.asarray(checked, np.float64)[None], len(wanted), axis=0)
        for j, column in enumerate(self._columns):
            gap = ~known[:, j]
            if not gap.any():
                continue
            weights = gaps.attend(self._rows, column.part, rows[gap], known[gap], column.beta)
            order = np.argsort(column.residuals)
            mass = np.cumsum(weights[:, : len(order)][:, order], axis=1)
            base = means[gap, j] if column.linear else 0.0
            for place, share in enumerate(wanted):
                # Without a row that compares, the mass is zero and the middle is taken.
                at = np.sum(mass < share * mass[:, -1:], axis=1).clip(max=len(order) - 1)
                value = np.where(mass[:, -1] > 0, column.residuals[order][at], 0.0)
                out[place, gap, j] = self._mean[j] + self._scale[j] * (base + value)
        return out

    def __sklearn_tags__(self):
        """What scikit-learn may expect."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _standard(self, X, known):
        """Rows in standard units, zero where an entry is missing."""
        rows = (np.asarray(X, np.float64) - self._mean) / self._scale
        return refuse_far(np.where(known, rows, 0.0))

    def _asked(self, X):
        """What `transform` was given, checked, its mask, standard rows, and linear parts."""
        check_is_fitted(self)
        checked: Any = validate_data(
            self, X, dtype=FLOATS, ensure_all_finite="allow-nan", reset=False
        )
        known = ~np.isnan(checked)
        rows = self._standard(checked, known)
        means = np.zeros_like(rows)
        if self.linear_.any():
            gap = ~known.all(axis=1)
            means[gap] = gaussian.expected(self._covariance, rows[gap], known[gap]).means
        return checked, known, rows, means

    def _choose(self, j, rows, known, means, betas, random):
        """The column with the least error of known entries that are left out, and this error."""
        have = known[:, j]
        relevance = np.square(self._covariance[j]) + _LEAST
        relevance[j] = 0.0
        probes = np.flatnonzero(have)
        if len(probes) > _PROBES:
            probes = np.sort(random.choice(probes, _PROBES, replace=False))
        best: Any = None
        for linear, base in ((False, None), (True, means)):
            if linear and base is None:
                continue
            less = 0.0 if base is None else base[:, j]
            residuals = np.where(have, rows[:, j] - less, 0.0)
            part = gaps.feature(self._rows, residuals, have, relevance)
            found = gaps.read(self._rows, part, rows[probes], known[probes], betas, probes)
            errors = np.square(found - residuals[probes]).mean(axis=1)
            at = int(np.argmin(errors))
            if best is None or errors[at] < best[1]:
                best = _Column(part, residuals, float(betas[at]), linear), float(errors[at])
        return best
