"""Classes and numbers from a memory of rows: beside NumPy, and scikit-learn's own checks."""

import re

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from attrax.estimators import HopfieldClassifier, HopfieldRegressor

IRIS, KINDS = load_iris(return_X_y=True)
BODIES, GROWTH = load_diabetes(return_X_y=True)


@parametrize_with_checks([HopfieldClassifier(random_state=0), HopfieldRegressor(random_state=0)])
def test_the_checks_of_scikit_learn_pass(estimator, check, monkeypatch):
    # Without it one of the checks is skipped.
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    check(estimator)


def weights(rows, queries, beta):
    apart = np.square(queries[:, None] - rows).sum(2)
    found = np.exp(-beta / 2 * (apart - apart.min(1, keepdims=True)))
    return found / found.sum(1, keepdims=True)


def test_a_read_is_a_kernel_regression():
    fitted = HopfieldClassifier(beta=2.0).fit(IRIS[::2], KINDS[::2])
    expected = weights(IRIS[::2], IRIS[1::2], 2.0)
    np.testing.assert_allclose(fitted.attend(IRIS[1::2]), expected, atol=1e-5)
    shares = expected @ np.eye(3)[KINDS[::2]]
    np.testing.assert_allclose(fitted.predict_proba(IRIS[1::2]), shares, atol=1e-5)
    targets = np.stack([GROWTH, 3 - 2 * GROWTH], axis=1)
    numbers = HopfieldRegressor(beta=300.0).fit(BODIES[:99], targets[:99]).predict(BODIES[99:150])
    expected = weights(BODIES[:99], BODIES[99:150], 300.0) @ targets[:99]
    np.testing.assert_allclose(numbers, expected, rtol=1e-4)


def left_out(rows, values, beta):
    """What each row reads of all others."""
    apart = np.square(rows[:, None] - rows).sum(2)
    apart[np.diag_indices(len(rows))] = np.inf
    found = np.exp(-beta / 2 * (apart - apart.min(1, keepdims=True)))
    return found / found.sum(1, keepdims=True) @ values


def test_beta_is_that_of_the_least_error_of_rows_left_out():
    fitted = HopfieldRegressor().fit(BODIES[:140], GROWTH[:140])
    rows, targets = BODIES[:140], GROWTH[:140]
    means = {
        factor: np.square(left_out(rows, targets, fitted.beta_ * factor) - targets).mean()
        / targets.var()
        for factor in (0.25, 1.0, 4.0)
    }
    assert min(means, key=means.get) == 1
    assert fitted.loss_ == pytest.approx(means[1.0], rel=1e-4)
    assert fitted.score(BODIES[140:280], GROWTH[140:280]) > 0.3


def test_unrelated_classes_take_a_soft_beta_and_clear_ones_a_sharp_one():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(120, 3))
    clear = HopfieldClassifier().fit(rows, rows[:, 0] > 0)
    chance = HopfieldClassifier().fit(rows, rng.permutation(rows[:, 0] > 0))
    assert clear.beta_ > 3 * chance.beta_
    assert clear.loss_ < 0.5 < chance.loss_
    assert cross_val_score(HopfieldClassifier(), IRIS, KINDS, cv=5).mean() > 0.93


def test_units_and_the_origin_make_no_difference():
    one, other = (HopfieldClassifier().fit(a * IRIS + b, KINDS) for a, b in ((1, 0), (1e3, 5e3)))
    assert other.beta_ == pytest.approx(one.beta_ / 1e6, rel=1e-3)
    np.testing.assert_allclose(
        other.predict_proba(1e3 * IRIS + 5e3), one.predict_proba(IRIS), atol=1e-3
    )


def test_equal_rows_and_one_class_have_answers():
    same = HopfieldRegressor().fit(np.ones((6, 2)), np.arange(6.0))
    np.testing.assert_allclose(same.predict([[1.0, 1.0]]), 2.5)
    fitted = HopfieldClassifier().fit(IRIS[:50], KINDS[:50])
    assert set(fitted.predict(IRIS)) == {0}


def test_pipelines_searches_and_clones_work():
    pipeline = make_pipeline(StandardScaler(), HopfieldClassifier())
    search = GridSearchCV(pipeline, {"hopfieldclassifier__beta": [1e-4, "auto"]}, cv=3)
    found = search.fit(IRIS, KINDS).best_params_
    assert found == {"hopfieldclassifier__beta": "auto"}
    assert clone(search.best_estimator_[-1]).get_params()["beta"] == "auto"


SETTING = """
import numpy as np
from attrax.estimators import HopfieldClassifier as C, HopfieldRegressor as R
x = np.random.default_rng(0).normal(size=(20, 3))
y = np.arange(20) % 3
"""
CASES = {
    "C().predict(x)": "NotFittedError",
    "C().attend(x)": "NotFittedError",
    "C(0.0).fit(x, y)": "ValueError: `beta` must be positive and finite, but it is 0.0",
    "C(beta='best').fit(x, y)": "TypeError: `beta`",
    "C(beta=np.nan).fit(x, y)": "ValueError: `beta`",
    "C().fit(x, x[:, 0])": "ValueError: Unknown label type: continuous",
    "C().fit(x, y[:5])": "ValueError: Found input variables with inconsistent numbers",
    "C().fit(x * np.nan, y)": "ValueError: Input X contains NaN",
    "C().fit(x, y).predict(x[:, :2])": "ValueError: X has 2 features, but",
    "C().fit(x, y).predict([[0, 1e300, 0]])": "ValueError: `X` has an entry in row 0, feature 1, t",
    "R().fit(x, y * np.nan)": "ValueError: Input y contains NaN",
    "R(-1).fit(x, y)": "ValueError: `beta` must be positive",
    "R().fit(x, y).predict(x[0])": "ValueError: Expected 2D array",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_calls_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}"), text
