"""Gaps filled in: beside NumPy, beside other imputers, scikit-learn's checks, and wrong calls."""

import re

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.impute import KNNImputer
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from attrax.estimators import HopfieldClassifier, HopfieldImputer, gaussian

IRIS, KINDS = load_iris(return_X_y=True)


def with_gaps(rows, share, seed=0):
    hidden = np.random.default_rng(seed).random(rows.shape) < share
    return np.where(hidden, np.nan, rows), hidden


GAPS, HIDDEN = with_gaps(IRIS, 0.3)
FITTED = HopfieldImputer(random_state=0).fit(GAPS)


@parametrize_with_checks([HopfieldImputer(random_state=0)])
def test_the_checks_of_scikit_learn_pass(estimator, check, monkeypatch):
    # Without it one of the checks is skipped.
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    check(estimator)


def test_what_is_known_stays_and_the_rest_is_a_read_of_rows_that_have_it():
    fitted = HopfieldImputer(beta=2.0, linear=False).fit(GAPS)
    found = fitted.transform(GAPS)
    np.testing.assert_array_equal(found[~HIDDEN], IRIS[~HIDDEN])
    mean, scale = np.nanmean(GAPS, 0), np.nanstd(GAPS, 0)
    rows, known = (GAPS - mean) / scale, ~HIDDEN
    covariance = gaussian.learn_covariance(np.where(known, rows, 0), known)
    for i, j in np.argwhere(HIDDEN)[:40]:
        both = known & known[i]
        weight = np.square(covariance[j]) + 0.02
        weight[j] = 0
        # A row without any entry but this one is like none.
        shared = both @ weight
        apart = np.where(both, np.square(rows - rows[i]), 0) @ weight
        use = known[:, j] & (shared > 0)
        mass = np.exp(-apart[use] / shared[use])
        value = mass @ rows[use, j] / mass.sum() if use.any() else 0.0
        assert found[i, j] == pytest.approx(mean[j] + scale[j] * value, rel=1e-4, abs=1e-4)


def test_the_covariance_is_that_of_whole_rows_and_near_it_where_some_lack():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 4)) @ rng.normal(size=(4, 4))
    rows -= rows.mean(0)
    whole = gaussian.learn_covariance(rows, np.ones(rows.shape, bool))
    np.testing.assert_allclose(whole, rows.T @ rows / 400, rtol=1e-9, atol=1e-9)
    known = rng.random(rows.shape) > 0.2
    pairs = np.where(known, rows, 0)
    simple = pairs.T @ pairs / (known.T.astype(float) @ known)
    learnt = gaussian.learn_covariance(np.where(known, rows, 0), known)
    assert np.linalg.norm(learnt - whole) < np.linalg.norm(simple - whole)


def test_means_leave_out_the_entry_itself():
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(5, 3))
    covariance = np.cov(rng.normal(size=(3, 50)))
    ridge = covariance + 0.01 * np.eye(3)
    means = gaussian.expected(covariance, rows, np.ones(rows.shape, bool)).means
    others = [1, 2]
    wanted = rows[:, others] @ np.linalg.solve(ridge[np.ix_(others, others)], covariance[others, 0])
    np.testing.assert_allclose(means[:, 0], wanted, rtol=1e-9)


def error(imputer, rows, gaps, hidden):
    return np.sqrt(np.mean(np.square((imputer.fit_transform(gaps) - rows) / rows.std(0))[hidden]))


def test_it_is_better_than_neighbours_and_the_linear_part_helps_where_features_are_linear():
    rows = load_breast_cancer().data[:300, :12]
    gaps, hidden = with_gaps(rows, 0.2)
    ours = error(HopfieldImputer(random_state=0), rows, gaps, hidden)
    scaled = error(KNNImputer(), rows / rows.std(0), gaps / rows.std(0), hidden)
    assert ours < 0.95 * scaled
    alone = HopfieldImputer(linear=False, random_state=0)
    assert ours < 0.95 * error(alone, rows, gaps, hidden)
    assert error(alone, rows, gaps, hidden) < scaled


def test_left_out_errors_are_those_of_what_is_hidden():
    found = np.square((FITTED.transform(GAPS) - IRIS) / IRIS.std(0))[HIDDEN].mean()
    assert FITTED.error_.mean() == pytest.approx(found, rel=0.3)
    assert FITTED.beta_.shape == FITTED.linear_.shape == (4,)


def test_quantiles_hold_what_is_hidden_about_as_often_as_asked():
    low, middle, high = FITTED.quantiles(GAPS, [0.05, 0.5, 0.95])
    assert (low <= middle).all()
    assert (middle <= high).all()
    np.testing.assert_array_equal(middle[~HIDDEN], IRIS[~HIDDEN])
    held = ((low <= IRIS) & (high >= IRIS))[HIDDEN].mean()
    assert 0.8 <= held <= 0.96
    # The least and largest values that any row gives.
    ends = FITTED.quantiles(GAPS, [0.0, 1.0])
    assert (ends[0] <= low).all()
    assert (ends[1] >= high).all()


def test_rows_that_know_nothing_are_the_mean_and_constant_features_stay():
    rows = np.column_stack([GAPS, np.full(150, 7.0)])
    rows[3, 4] = np.nan
    fitted = HopfieldImputer(random_state=0).fit(rows)
    assert fitted.transform(rows)[3, 4] == pytest.approx(7.0)
    nothing = FITTED.transform(np.full((1, 4), np.nan))
    np.testing.assert_allclose(nothing[0], np.nanmean(GAPS, 0), rtol=1e-5)


def test_data_frames_and_pipelines_work():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(GAPS, columns=list("abcd"))
    found = HopfieldImputer(random_state=0).set_output(transform="pandas").fit_transform(frame)
    assert list(found.columns) == list("abcd")
    assert not found.isna().any(axis=None)
    pipeline = make_pipeline(HopfieldImputer(random_state=0), HopfieldClassifier())
    assert pipeline.fit(frame, KINDS).score(frame, KINDS) > 0.9


SETTING = """
import numpy as np
from attrax.estimators import HopfieldImputer as H
x = np.random.default_rng(0).normal(size=(20, 3))
x[::4, 0] = np.nan
"""
CASES = {
    "H().transform(x)": "NotFittedError",
    "H(beta=0.0).fit(x)": "ValueError: `beta` must be positive and finite, but it is 0.0",
    "H(beta='best').fit(x)": "TypeError: `beta`",
    "H(linear='yes').fit(x)": "TypeError: `linear` must be True, False or 'auto', but it is 'yes'",
    "H(linear=1).fit(x)": "TypeError: `linear` must be True, False or 'auto', but it is 1",
    "H().fit(x * [np.nan, 1, 1])": "ValueError: `X` has no known entry in feature 0",
    "H().fit(np.where(np.isnan(x), np.inf, x))": "ValueError: Input X contains infinity",
    "H().fit(x).transform(x[:, :2])": "ValueError: X has 2 features, but",
    "H().fit(x).quantiles(x, 1.5)": "ValueError: `q` must be probabilities between 0 and 1",
    "H().fit(x).transform([[np.nan, 1e20, 0]])": "ValueError: `X` has an entry in row 0, feature 1",
    "H().fit(x[0])": "ValueError: Expected 2D array",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_calls_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}"), text
