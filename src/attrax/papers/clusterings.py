"""Real sets that ship with scikit-learn, clusters of several kinds, and what they are scored by."""

import functools
import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn import cluster, datasets, metrics
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

from attrax.estimators import ClAMClusterer

LOADED = {
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
}
LINKAGES = ("ward", "average", "complete", "single")
METHODS = ("ClAM", "k-means", "mixture", "spectral", *LINKAGES)
_SILHOUETTES = 3000


class Rows(NamedTuple):
    """Rows (n, d) of mean zero and deviation one, their classes (n,), and how many there are."""

    x: np.ndarray
    own: np.ndarray
    k: int


class Scores(NamedTuple):
    """Of labels: silhouette, agreement with classes by two measures, the share of the largest."""

    silhouette: float
    nmi: float
    ari: float
    largest: float


def standardised(x, own) -> Rows:
    """Rows in units of their features' deviations."""
    scaled = StandardScaler().fit_transform(x.astype(np.float64))
    return Rows(scaled, own, len(set(own.tolist())))


def real(name: str, most: int) -> Rows:
    """A set that ships with scikit-learn, or its first rows."""
    found = LOADED[name]()
    return standardised(found.data[:most], found.target[:most])


def blobs(seed: int, width: int, centres: int, deviation: float) -> Rows:
    """Gaussian blobs of 400 rows in all."""
    x, own = datasets.make_blobs(
        400, width, centers=centres, cluster_std=deviation, random_state=seed
    )[:2]
    return standardised(x, own)


def labels(method: str, rows: Rows, starts: int, seed: int, **options) -> np.ndarray:
    """Labels by a method with its own defaults, as many starts as all others, and the true k."""
    k, again = rows.k, dict[str, Any](n_init=starts, random_state=seed)
    made = {
        "ClAM": lambda: ClAMClusterer(k, **again, **options),
        "k-means": lambda: cluster.KMeans(k, **again),
        "mixture": lambda: GaussianMixture(k, init_params="k-means++", **again),
        "spectral": lambda: cluster.SpectralClustering(k, gamma=1 / rows.x.shape[1], **again),
        **{
            name: functools.partial(cluster.AgglomerativeClustering, k, linkage=name)
            for name in LINKAGES
        },
    }
    with warnings.catch_warnings():
        # Mixtures of digits do not settle within the steps that are their default.
        warnings.simplefilter("ignore")
        return made[method]().fit_predict(rows.x)


def scores(rows: Rows, found: np.ndarray) -> Scores:
    """What labels are worth; −1 is the silhouette of a single cluster."""
    counts = np.bincount(found)
    some = min(_SILHOUETTES, len(found))
    silhouette = -1.0
    if np.count_nonzero(counts) > 1:
        silhouette = metrics.silhouette_score(rows.x, found, sample_size=some, random_state=0)
    return Scores(
        float(silhouette),
        float(metrics.normalized_mutual_info_score(rows.own, found)),
        float(metrics.adjusted_rand_score(rows.own, found)),
        float(counts.max() / len(found)),
    )


def seen_and_not(rows: Rows, starts: int, seed: int, **options) -> tuple[float, float]:
    """Agreement with the classes, adjusted for chance, of rows of a fit and of other rows."""
    order = np.random.default_rng(seed).permutation(len(rows.x))
    half = len(order) // 2
    model = ClAMClusterer(rows.k, n_init=starts, random_state=seed, **options)
    model.fit(rows.x[order[:half]])
    seen, unseen = (
        float(metrics.adjusted_rand_score(rows.own[part], model.predict(rows.x[part])))
        for part in (order[:half], order[half:])
    )
    return seen, unseen


def reach(rows: Rows, starts: int, seed: int, **options) -> float:
    """How far prototypes lie from the mean of all rows, over the means of their clusters."""
    model = ClAMClusterer(rows.k, n_init=starts, random_state=seed, **options).fit(rows.x)
    means = np.stack([rows.x[model.labels_ == i].mean(0) for i in np.unique(model.labels_)])
    own = model.cluster_centers_[np.unique(model.labels_)]
    return float(np.sum(own * means) / np.sum(np.square(means)))


def mixture_of(centres: np.ndarray, beta: float) -> GaussianMixture:
    """An isotropic mixture of equal weights and precision β."""
    k, _ = centres.shape
    mixture = GaussianMixture(k, covariance_type="spherical")
    mixture.means_, mixture.weights_ = centres, np.full(k, 1 / k)
    mixture.precisions_cholesky_ = np.full(k, np.sqrt(beta))
    return mixture
