"""Novelty as an energy: beside a kernel density, shares of false alarms, and wrong calls."""

import re

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KernelDensity
from sklearn.utils.estimator_checks import parametrize_with_checks

from attrax.estimators import HopfieldNovelty

IRIS, KINDS = load_iris(return_X_y=True)


@parametrize_with_checks([HopfieldNovelty(random_state=0)])
def test_the_checks_of_scikit_learn_pass(estimator, check, monkeypatch):
    # Without it one of the checks is skipped.
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    check(estimator)


def test_the_score_is_the_logarithm_of_a_kernel_density():
    rows, asked = 10 * IRIS[:100] + 7, 10 * IRIS + 7
    fitted = HopfieldNovelty(beta=0.03).fit(rows)
    assert fitted.beta_ == pytest.approx(0.03)
    density = KernelDensity(bandwidth=0.03**-0.5).fit(rows)
    np.testing.assert_allclose(fitted.score_samples(asked), density.score_samples(asked), atol=1e-4)


def test_beta_is_that_of_the_largest_density_of_rows_left_out():
    rows = IRIS[:100]
    fitted = HopfieldNovelty().fit(rows)

    def score(beta):
        apart = np.square(rows[:, None] - rows).sum(2)
        apart[np.diag_indices(100)] = np.inf
        mass = np.exp(-beta / 2 * apart).sum(1) / 99
        return np.mean(np.log(mass) + 2 * np.log(beta / (2 * np.pi)))

    scores = [score(fitted.beta_ * factor) for factor in (0.4, 1, 2.5)]
    assert np.argmax(scores) == 1


def test_new_rows_of_the_kind_are_called_novel_as_often_as_asked():
    rng = np.random.default_rng(0)
    fitted = HopfieldNovelty(false_alarms=0.1).fit(rng.normal(size=(500, 3)))
    assert np.mean(fitted.predict(rng.normal(size=(2000, 3))) < 0) == pytest.approx(0.1, abs=0.03)
    assert np.mean(fitted.predict(rng.normal(4, 1, size=(500, 3))) < 0) > 0.95


def test_another_species_is_novel():
    fitted = HopfieldNovelty().fit(IRIS[:50:2])
    scores = fitted.score_samples(np.concatenate([IRIS[1:50:2], IRIS[50:]]))
    assert roc_auc_score(np.arange(125) < 25, scores) > 0.99


def test_what_is_farther_than_can_be_compared_is_novel():
    fitted = HopfieldNovelty().fit(IRIS)
    scores = fitted.score_samples(IRIS[:1] + 10.0 ** np.array([[1], [5], [9], [300]]))
    assert np.isfinite(scores).all()
    assert (np.diff(scores) <= 0).all()
    assert (scores < fitted.offset_).all()


SETTING = """
import numpy as np
from attrax.estimators import HopfieldNovelty as H
x = np.random.default_rng(0).normal(size=(20, 3))
"""
CASES = {
    "H().predict(x)": "NotFittedError",
    "H(beta=-1).fit(x)": "ValueError: `beta` must be positive and finite",
    "H(beta='best').fit(x)": "TypeError: `beta`",
    "H(false_alarms=0.0).fit(x)": "ValueError: `false_alarms` must lie between 0 and 1",
    "H(false_alarms=1).fit(x)": "ValueError: `false_alarms` must lie between 0 and 1",
    "H(false_alarms='few').fit(x)": "TypeError: `false_alarms`",
    "H().fit(x[:1])": "ValueError: Found array with 1 sample",
    "H().fit(x + np.inf)": "ValueError: Input X contains infinity",
    "H().fit(x).score_samples(x[:, :2])": "ValueError: X has 2 features, but",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_calls_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}"), text
