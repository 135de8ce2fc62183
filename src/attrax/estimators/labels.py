"""Classes and numbers that a memory of labelled rows gives to others."""

from abc import abstractmethod
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from .reads import Left, attend, leave_one_out, read, store
from .scaling import FLOATS, Units, seen, units_of, wanted_beta


class _AbstractLabelled(BaseEstimator):
    """Rows and what they are worth, read by softmax of their distances."""

    beta: Any
    random_state: Any
    _units: Units

    def _store(self, X, values):
        """Keep rows with values (n, v), and choose beta by leaving out each row."""
        self._units = units_of(X)
        given = wanted_beta(self.beta, self._units.scale)
        self._values = values
        self._rows = store(self._units.of(X), values.astype(np.float32))
        if given is None:
            random = check_random_state(self.random_state)
            left = leave_one_out(self._rows, len(X), values.shape[1], random)
            errors = self._errors(left, values)
            best = int(np.argmin(errors))
            given = float(left.betas[best])
            self.loss_ = float(errors[best])
        self.beta_ = given / self._units.scale**2

    @abstractmethod
    def _errors(self, left: Left, values) -> np.ndarray:
        """How wrong the reads of what is left out are, by beta."""

    def _read(self, X):
        X = seen(self, X)
        beta = self.beta_ * self._units.scale**2
        return read(self._rows, self._units.of(X), beta, self._values.shape[1]).values

    def attend(self, X):
        """The weight of each row of `fit` for each row given.

        **Arguments:**

        - `X`: rows of data, shape (m, d).

        **Returns:** weights that sum to one, shape (m, n).
        """
        X = seen(self, X)
        beta = self.beta_ * self._units.scale**2
        return attend(self._rows, self._units.of(X), beta)[:, : len(self._values)]


class HopfieldClassifier(ClassifierMixin, _AbstractLabelled):
    """Classes by a memory of labelled rows: the weight of a class is that of its rows.

    p(c | x) = Σ_i w_i [y_i = c], w = softmax(−β |x − x_i|²/2): one read of a memory of the rows
    with their classes as values. It is the kernel regression of Nadaraya and Watson; at large β it
    is the nearest neighbour's class. Nothing is learnt but β: with "auto" each row is read from all
    others, at 24 values of β from one set of distances, and the β whose log loss is least is taken,
    where the shares of classes count as one row more. Of more than 2048 rows that many are drawn to
    be read.

    Rows are centred, and divided by one number, so that units do not count but distances keep their
    proportions; standardise features whose units differ. A row takes n d multiplications.

    **Arguments:**

    - `beta`: β > 0, in units of 1/(squared unit of the data), or "auto".
    - `random_state`: a whole number, a `numpy.random.RandomState`, or `None`; it draws which rows
      are left out where there are more than 2048.

    **Attributes:** after `fit`,

    - `classes_`: the classes, sorted.
    - `beta_`: β, in units of 1/(squared unit of the data).
    - `loss_`: with "auto", nats of a class that is left out.
    - `n_features_in_`: d.

    **Raises:** in `fit`, `ValueError` or `TypeError` for arguments outside these bounds, NaN, and
    classes that are numbers without end.

    **Source:** [ramsauer2021hopfield]
    """

    def __init__(self, beta: Any = "auto", *, random_state: Any = None):
        self.beta = beta
        self.random_state = random_state

    def fit(self, X, y):
        """Store the rows, and choose β.

        **Arguments:**

        - `X`: rows of data, shape (n, d).
        - `y`: their classes, shape (n,).

        **Returns:** the estimator itself.
        """
        checked: Any = validate_data(self, X, y, dtype=FLOATS)
        X, y = checked
        check_classification_targets(y)
        self.classes_, own = np.unique(y, return_inverse=True)
        self._store(X, np.eye(len(self.classes_))[own])
        return self

    def predict_proba(self, X):
        """The weight of each class.

        **Arguments:**

        - `X`: rows of data, shape (m, d).

        **Returns:** weights that sum to one, shape (m, classes), in the order of `classes_`.
        """
        shares = self._read(X)
        return shares / shares.sum(axis=1, keepdims=True)

    def predict(self, X):
        """The class of the largest weight.

        **Arguments:**

        - `X`: rows of data, shape (m, d).

        **Returns:** classes, shape (m,).
        """
        shares = self.predict_proba(X)
        return self.classes_[shares.argmax(axis=1)]

    def _errors(self, left, values):
        priors, count = values.mean(axis=0), len(values)
        shares = (count * left.values + priors) / (count + 1)
        own = np.sum(shares * values[left.probes], axis=2)
        return -np.log(np.maximum(own, np.finfo(float).tiny)).mean(axis=1)


class HopfieldRegressor(RegressorMixin, MultiOutputMixin, _AbstractLabelled):
    """Numbers by a memory of rows: the mean of their targets, weighted by nearness.

    ŷ(x) = Σ_i w_i y_i, w = softmax(−β |x − x_i|²/2): one read of a memory of the rows with targets
    as values, the kernel regression of Nadaraya and Watson. With "auto" each row is read from all
    others, at 24 values of β from one set of distances, and the β whose squared error is least is
    taken; several targets count by their variances. Of more than 2048 rows that many are drawn to
    be read. A target beyond those of `fit` is never predicted.

    Rows are centred, and divided by one number, as in `HopfieldClassifier`.

    **Arguments:**

    - `beta`: β > 0, in units of 1/(squared unit of the data), or "auto".
    - `random_state`: a whole number, a `numpy.random.RandomState`, or `None`; it draws which rows
      are left out where there are more than 2048.

    **Attributes:** after `fit`,

    - `beta_`: β, in units of 1/(squared unit of the data).
    - `loss_`: with "auto", the squared error of what is left out, over the variance.
    - `n_features_in_`: d.

    **Raises:** in `fit`, `ValueError` or `TypeError` for arguments outside these bounds, and NaN.

    **Source:** [ramsauer2021hopfield]
    """

    def __init__(self, beta: Any = "auto", *, random_state: Any = None):
        self.beta = beta
        self.random_state = random_state

    def fit(self, X, y):
        """Store the rows, and choose β.

        **Arguments:**

        - `X`: rows of data, shape (n, d).
        - `y`: their targets, shape (n,) or (n, t).

        **Returns:** the estimator itself.
        """
        checked: Any = validate_data(self, X, y, dtype=FLOATS, multi_output=True, y_numeric=True)
        X, y = checked
        targets = np.asarray(y, np.float64)
        self._flat = targets.ndim == 1
        targets = targets.reshape(len(targets), -1)
        # What is read has 32 bits: targets are stored as deviations in units of their own.
        self._targets = [targets.mean(axis=0), targets.std(axis=0)]
        self._targets[1][self._targets[1] == 0] = 1.0
        self._store(X, (targets - self._targets[0]) / self._targets[1])
        return self

    def predict(self, X):
        """The mean target, weighted by nearness.

        **Arguments:**

        - `X`: rows of data, shape (m, d).

        **Returns:** targets, shape (m,) or (m, t).
        """
        found = self._read(X)
        mean, deviation = self._targets
        found = mean + deviation * found
        return found[:, 0] if self._flat else found

    def _errors(self, left, values):
        return np.square(left.values - values[left.probes]).mean(axis=(1, 2))
