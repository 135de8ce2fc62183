"""ClAM on the interface of scikit-learn: its own checks, what is learnt, and wrong calls."""

import re

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from attrax.estimators import ClAMClusterer

FAST = {"n_init": 2, "max_iter": 60, "random_state": 0}
ROWS, OWN = make_blobs(300, 5, centers=4, cluster_std=0.6, random_state=3)
FITTED = ClAMClusterer(4, **FAST).fit(ROWS)


SMALL = ClAMClusterer(n_clusters=3, n_init=2, max_iter=10, random_state=0)


@pytest.mark.parametrize(
    ("estimator", "check"),
    [pytest.param(*pair, id=pair[1].func.__name__) for pair in estimator_checks_generator(SMALL)],
)
def test_the_checks_of_scikit_learn_pass(estimator, check, monkeypatch):
    # Without it one of the checks is skipped.
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    check(estimator)


def test_blobs_are_found_by_soft_and_hard_labels_alike():
    assert adjusted_rand_score(OWN, FITTED.labels_) > 0.99
    weights = FITTED.predict_proba(ROWS)
    np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-5)
    np.testing.assert_array_equal(weights.argmax(1), FITTED.labels_)
    np.testing.assert_array_equal(FITTED.predict(ROWS), FITTED.labels_)
    centres = FITTED.cluster_centers_
    apart = np.linalg.norm(ROWS[:, None] - centres, axis=2)
    np.testing.assert_allclose(FITTED.transform(ROWS), apart, rtol=1e-6)
    assert FITTED.inertia_ == pytest.approx(
        np.square(apart[np.arange(300), FITTED.labels_]).sum(), rel=1e-6
    )


def test_rows_that_were_not_seen_are_labelled_likewise():
    half = ClAMClusterer(4, **FAST).fit(ROWS[:150])
    assert adjusted_rand_score(OWN[150:], half.predict(ROWS[150:])) > 0.99


def test_units_and_the_origin_make_no_difference():
    moved = ClAMClusterer(4, **FAST).fit(1000 * ROWS + 5000)
    assert adjusted_rand_score(moved.labels_, FITTED.labels_) == 1
    assert moved.beta_ == pytest.approx(FITTED.beta_ / 1e6, rel=1e-3)
    assert moved.loss_ == pytest.approx(FITTED.loss_ * 1e6, rel=0.01)
    given = ClAMClusterer(4, beta=FITTED.beta_, **FAST).fit(ROWS)
    np.testing.assert_allclose(given.cluster_centers_, FITTED.cluster_centers_, rtol=1e-4)


def test_learning_lowers_the_error_and_masks_differ_from_none():
    first = ClAMClusterer(4, **{**FAST, "max_iter": 1}).fit(ROWS)
    assert FITTED.loss_ < 0.95 * first.loss_
    whole = ClAMClusterer(4, mask=None, **FAST).fit(ROWS)
    assert whole.loss_ < FITTED.loss_
    one = ClAMClusterer(2, **FAST).fit(ROWS[:, :1])
    assert set(one.labels_) == {0, 1}
    assert set(ClAMClusterer(1, **FAST).fit(ROWS).labels_) == {0}


def silhouette(estimator, rows, _=None):
    labels = estimator.predict(rows)
    return silhouette_score(rows, labels) if len(set(labels)) > 1 else -1.0


def test_pipelines_searches_clones_and_data_frames_work():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(ROWS, columns=list("abcde"))
    pipeline = make_pipeline(StandardScaler(), ClAMClusterer(4, **FAST)).fit(frame)
    assert adjusted_rand_score(OWN, pipeline.predict(frame)) > 0.99
    found = clone(FITTED).set_output(transform="pandas").fit(frame)
    expected = [f"clamclusterer{i}" for i in range(4)]
    assert list(found.transform(frame).columns) == expected
    search = GridSearchCV(ClAMClusterer(**FAST), {"n_clusters": [2, 4]}, scoring=silhouette, cv=2)
    assert search.fit(ROWS).best_params_ == {"n_clusters": 4}


SETTING = """
import numpy as np
from attrax.estimators import ClAMClusterer as C
x = np.random.default_rng(0).normal(size=(20, 3))
"""
CASES = {
    "C(3).predict(x)": "NotFittedError",
    "C(30).fit(x)": "ValueError: n_samples=20 should be >= n_clusters=30: ask for fewer",
    "C(0).fit(x)": "ValueError: `n_clusters`",
    "C(2.5).fit(x)": "ValueError: `n_clusters` must be a positive whole number",
    "C(3, beta=0.0).fit(x)": "ValueError: `beta` must be positive and finite, but it is 0.0",
    "C(3, beta='best').fit(x)": "TypeError: `beta`.*best",
    "C(3, mask=1.0).fit(x)": "ValueError: `mask` must lie between 0 and 1, but it is 1.0",
    "C(3, mask=0).fit(x)": "ValueError: `mask` must lie between 0 and 1",
    "C(3, learning_rate=-1.0).fit(x)": "ValueError: `learning_rate` must be positive",
    "C(3, steps=0).fit(x)": "ValueError: `steps`",
    "C(3, n_init=0).fit(x)": "ValueError: `n_init`",
    "C(3, max_iter=0).fit(x)": "ValueError: `max_iter`",
    "C(3, batch_size=1.5).fit(x)": "ValueError: `batch_size` must be a positive whole number",
    "C(3, max_iter=1, n_init=1).fit(x).predict(x + 1e9)": "ValueError: `X` has an entry in row 0",
    "C(3).fit(x * np.nan)": "ValueError: Input X contains NaN",
    "C(3).fit(x[0])": "ValueError: Expected 2D array",
    "C(3, max_iter=1, n_init=1).fit(x).predict(x[:, :2])": "ValueError: X has 2 features, but",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_calls_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}")
