"""Rows that are unlike all that is stored: the energy of a memory as a score."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from .reads import leave_one_out, read, store
from .scaling import FLOATS, seen, units_of, wanted_beta, within


class HopfieldNovelty(OutlierMixin, BaseEstimator):
    """Novelty by the energy of a memory of ordinary rows: what no row is near is novel.

    The score of a row is −β E(x) = ln Σ_i exp(−β |x − x_i|²/2), and a constant that makes it
    the logarithm of a density: that of `sklearn.neighbors.KernelDensity` with a Gaussian kernel of
    the bandwidth β^-½. With "auto" each row is read from all others, at 24 values of β from one
    set of distances, and the β is taken at which what is left out has the largest mean score. Of
    more than 2048 rows that many are drawn to be read.

    A row is called novel if its score is below that of a given share of the rows of `fit`, each of
    them scored by all others: of new rows of their kind about this share is then called so too.
    Rows of `fit` themselves score higher, as each is near itself.

    Rows are centred, and divided by one number; standardise features whose units differ.

    **Arguments:**

    - `beta`: β > 0, in units of 1/(squared unit of the data), or "auto".
    - `false_alarms`: the share of ordinary rows that are called novel, in (0, 1).
    - `random_state`: a whole number, a `numpy.random.RandomState`, or `None`; it draws which rows
      are left out where there are more than 2048.

    **Attributes:** after `fit`,

    - `beta_`: β, in units of 1/(squared unit of the data).
    - `offset_`: the score below which a row is novel.
    - `n_features_in_`: d.

    **Raises:** in `fit`, `ValueError` or `TypeError` for arguments outside these bounds, NaN, and
    a single row.

    **Source:** [hofmann2024energy]
    """

    def __init__(self, beta: Any = "auto", *, false_alarms: Any = 0.05, random_state: Any = None):
        self.beta = beta
        self.false_alarms = false_alarms
        self.random_state = random_state

    def fit(self, X, y=None):
        """Store the rows, choose β, and find the score below which a row is novel.

        **Arguments:**

        - `X`: ordinary rows, shape (n, d), n ≥ 2.
        - `y`: ignored.

        **Returns:** the estimator itself.
        """
        checked: Any = validate_data(self, X, dtype=FLOATS, ensure_min_samples=2)
        X = checked
        share = within("false_alarms", self.false_alarms, 1.0)
        self._units, self._count = units_of(X), len(X)
        given = wanted_beta(self.beta, self._units.scale)
        self._rows = store(self._units.of(X), np.zeros((len(X), 1), np.float32))
        random = check_random_state(self.random_state)
        left = leave_one_out(
            self._rows, len(X), 1, random, None if given is None else np.array([given])
        )
        scores = self._density(left.log_mass, left.betas[:, None], len(X) - 1, X.shape[1])
        best = int(np.argmax(scores.mean(axis=1)))
        self.beta_ = float(left.betas[best]) / self._units.scale**2
        self.offset_ = float(np.quantile(scores[best], share))
        return self

    def score_samples(self, X):
        """The logarithm of a density: large for what is near to stored rows.

        Entries that are more than 10⁶ deviations from the mean count as if they were there.

        **Arguments:**

        - `X`: rows of data, shape (m, d).

        **Returns:** scores, shape (m,).
        """
        X = seen(self, X)
        beta = self.beta_ * self._units.scale**2
        found = read(self._rows, self._units.nearly(X), beta, 1).log_mass
        return self._density(found, beta, self._count, X.shape[1])

    def decision_function(self, X):
        """The score less `offset_`: negative for what is novel.

        **Arguments:**

        - `X`: rows of data, shape (m, d).

        **Returns:** differences of scores, shape (m,).
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Which rows are novel.

        **Arguments:**

        - `X`: rows of data, shape (m, d).

        **Returns:** −1 for what is novel and 1 for all else, shape (m,).
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def _density(self, log_mass, beta, count, width):
        """ln of a density in the data's units."""
        unit = 0.5 * width * np.log(beta / (2 * np.pi)) - width * np.log(self._units.scale)
        return log_mass - np.log(count) + unit
