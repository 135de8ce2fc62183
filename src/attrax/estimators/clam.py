"""Clusters whose centres are the memories of an associative memory: ClAM."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.cluster import kmeans_plusplus
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from ..common.checks import whole_number
from .centres import Learning, centres, learn, weights
from .scaling import FLOATS, seen, units_of, wanted_beta, within

# Half of all rows prefer their nearest centre to the next by a factor of e⁵.
_PREFERENCE = 10.0


class ClAMClusterer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):
    """Clustering by completion of masked rows: the centres are the rows of a dense memory.

    A memory of the centres ρ completes rows whose entries are partly hidden, by T steps
    v ← v + α m ⊙ Σ_μ w_μ (ρ_μ − v) with w = softmax(−β |ρ_μ − v|² / 2), and its centres follow the
    slope of the error on what was hidden (see `attrax.training.completion_loss`). A row then
    belongs to the centre of the largest weight where its whole state ends after T steps. It takes
    k distances a step: n k d T multiplications for n rows.

    Rows are centred, and divided by one number, so that units do not count but distances keep
    their proportions; standardise features whose units differ. Starts are drawn by k-means++, run
    side by side, and the one with the least error on masks that are drawn once is kept. The data
    need two features, since a single one that is hidden leaves nothing to go by: with one, whole
    rows are reconstructed.

    The number of clusters is yours to give. To choose it, compare several by scikit-learn's
    `GridSearchCV` with `scoring=` a function of (estimator, X, y), such as the silhouette of
    `estimator.predict(X)`, and look at the sizes of the clusters too: a silhouette prefers one
    large cluster and a few rows far away.

    Centres are not the means of their clusters. Hidden entries start at the mean of all rows and
    go 1 − (1 − 1/T)^T of the way to a centre, 65 % with T = 10, so that centres lie up to 1.5
    times as far from that mean as those of their clusters do.

    **Arguments:**

    - `n_clusters`: k, how many centres there are, ≥ 1.
    - `beta`: β > 0, in units of 1/(squared unit of the data). "auto" is 10/g, where g is the median
      over rows and starts of how much farther, in squares, the second nearest start is than the
      nearest, so that half of all rows prefer theirs by e⁵. In d standardised features it falls
      as 1/d.
    - `steps`: T ≥ 1; α is 1/T, one time constant in all.
    - `n_init`: how many starts there are, ≥ 1.
    - `mask`: the share of entries that are hidden, in (0, 1); at least one a row is. `None` hides
      nothing, and reconstructs whole rows from themselves.
    - `learning_rate`: of Adam > 0, in units of the deviation of a feature; it falls to 0 linearly.
    - `max_iter`: how many steps of Adam are made, ≥ 1.
    - `batch_size`: how many rows a step sees, ≥ 1, each with a mask of its own.
    - `random_state`: a whole number, a `numpy.random.RandomState`, or `None`.

    **Attributes:** after `fit`,

    - `cluster_centers_` (k, d): the centres, in the units of the data.
    - `labels_` (n,): of the rows of `fit`, as `predict` gives them.
    - `inertia_`: the sum of squared distances of rows to the centre of their label.
    - `loss_`: the mean squared error on hidden entries of the start that was kept.
    - `beta_`: β, in units of 1/(squared unit of the data).
    - `n_iter_`: steps made; `n_features_in_`: d.

    **Raises:** in `fit`, `ValueError` or `TypeError` for arguments outside these bounds, NaN, and
    fewer rows than centres.

    **Source:** [saha2023end]
    """

    def __init__(
        self,
        n_clusters=8,
        *,
        beta="auto",
        steps=10,
        n_init=10,
        mask=0.2,
        learning_rate=0.02,
        max_iter=1000,
        batch_size=64,
        random_state=None,
    ):
        self.n_clusters = n_clusters
        self.beta = beta
        self.steps = steps
        self.n_init = n_init
        self.mask = mask
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.random_state = random_state

    def fit(self, X, y=None):
        """Learn the centres.

        **Arguments:**

        - `X`: rows of data, shape (n, d), n ≥ k.
        - `y`: ignored.

        **Returns:** the estimator itself.
        """
        checked: Any = validate_data(self, X, dtype=FLOATS)
        X = checked
        wanted = self._wanted(*X.shape)
        random = check_random_state(self.random_state)
        self._units = units_of(X)
        mean, scale = self._units
        rows, given = self._units.of(X), wanted_beta(self.beta, scale)
        starts = np.stack(
            [
                kmeans_plusplus(rows, wanted.clusters, random_state=random)[0]
                for _ in range(wanted.n_init)
            ]
        )
        beta = _beta(rows, starts) if given is None else given
        self.beta_ = beta / scale**2
        seed = int(random.randint(2**31 - 1))
        sets, losses = learn(centres(starts, beta, wanted.steps), rows, wanted.learning, seed)
        best = int(np.argmin(losses))
        learnt = np.asarray(sets.rows[best], np.float64)[: wanted.clusters, : X.shape[1]]
        found = mean + scale * learnt
        self.cluster_centers_ = found.astype(X.dtype)
        self.loss_ = float(losses[best]) * scale**2
        self.n_iter_ = wanted.learning.steps
        self._n_features_out = wanted.clusters
        self.labels_ = self._weights(rows).argmax(axis=1).astype(np.int32)
        nearest = X.astype(np.float64) - self.cluster_centers_[self.labels_]
        self.inertia_ = float(np.sum(np.square(nearest)))
        return self

    def predict(self, X):
        """The label of each row: the centre of the largest weight after T steps.

        **Arguments:**

        - `X`: rows of data, shape (n, d).

        **Returns:** whole numbers from 0 to k − 1, shape (n,).
        """
        return self.predict_proba(X).argmax(axis=1).astype(np.int32)

    def predict_proba(self, X):
        """The weight of each centre after T steps from each row.

        **Arguments:**

        - `X`: rows of data, shape (n, d).

        **Returns:** weights that sum to one, shape (n, k).
        """
        X = seen(self, X)
        return self._weights(self._units.of(X))

    def transform(self, X):
        """The distance of each row to each centre, as of `sklearn.cluster.KMeans`.

        **Arguments:**

        - `X`: rows of data, shape (n, d).

        **Returns:** distances in the units of the data, shape (n, k).
        """
        return _distances(seen(self, X), self.cluster_centers_)

    def __sklearn_tags__(self):
        """What scikit-learn may expect."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _weights(self, rows):
        sets = self._units.of(self.cluster_centers_)[None]
        beta = self.beta_ * self._units.scale**2
        return weights(centres(sets, beta, whole_number("steps", self.steps)), rows)

    def _wanted(self, count, width):
        """The arguments, checked."""
        clusters = whole_number("n_clusters", self.n_clusters)
        if count < clusters:
            raise ValueError(
                f"n_samples={count} should be >= n_clusters={clusters}: ask for fewer clusters."
            )
        mask = None if self.mask is None else within("mask", self.mask, 1.0)
        learning = Learning(
            None if width == 1 else mask,
            within("learning_rate", self.learning_rate),
            whole_number("max_iter", self.max_iter),
            whole_number("batch_size", self.batch_size),
        )
        return _Wanted(
            clusters,
            whole_number("steps", self.steps),
            whole_number("n_init", self.n_init),
            learning,
        )


class _Wanted(NamedTuple):
    clusters: int
    steps: int
    n_init: int
    learning: Learning


def _beta(rows, starts) -> float:
    """10 over the median of how much farther the second nearest start is, in squares."""
    if starts.shape[1] == 1:
        return 1.0
    nearest = [np.sort(np.square(_distances(rows, each)), axis=1)[:, :2] for each in starts]
    apart = np.diff(np.concatenate(nearest), axis=1)
    apart = apart[apart > 0]
    return _PREFERENCE / float(np.median(apart)) if apart.size else 1.0


def _distances(rows, centres):
    """Distances (n, k), of each row by itself."""
    return euclidean_distances(rows, centres)
