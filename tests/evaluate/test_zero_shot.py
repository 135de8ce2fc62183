"""Generators judged by a classifier that saw their samples alone."""

import re

import numpy as np
import pytest

from attrax.evaluate import zero_shot_accuracy


def nearest_mean(rows, labels):
    rows, labels = np.asarray(rows), np.asarray(labels)
    means = np.stack([rows[labels == label].mean(0) for label in range(3)])
    return lambda rows: np.argmin(np.sum((np.asarray(rows)[:, None] - means) ** 2, 2), 1)


def images(count, noise, seed):
    """Pictures of 4 × 4 pixels whose bright line is their class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    lines = np.arange(4)[:, None] == labels[:, None, None]
    return lines + noise * rng.normal(size=(count, 4, 4)), labels


def test_good_samples_teach_and_others_do_not():
    real, truth = images(300, 0.3, 0)
    drawn, labels = images(90, 0.3, 1)
    assert zero_shot_accuracy(nearest_mean, drawn, labels, real, truth) > 0.95
    mixed = np.random.default_rng(2).permutation(labels)
    assert zero_shot_accuracy(nearest_mean, drawn, mixed, real, truth) < 0.7
    swapped = zero_shot_accuracy(nearest_mean, drawn, (labels + 1) % 3, real, truth)
    assert swapped < 0.05


def test_it_is_the_share_of_labels_that_are_right():
    def fit(rows, labels):
        assert rows.shape == (2, 4)
        return lambda rows: [0, 1, 1, 2]

    real, labels, truth = np.zeros((4, 2, 2)), np.array([0, 1]), np.array([0, 1, 2, 2])
    assert zero_shot_accuracy(fit, real[:2], labels, real, truth) == 0.75


SETTING = """
import numpy as np
from attrax.evaluate import zero_shot_accuracy as score
fit = lambda rows, labels: lambda rows: np.zeros(len(rows), int)
rows, labels = np.ones((3, 2)), np.zeros(3, int)
"""
CASES = {
    "score(None, rows, labels, rows, labels)": "TypeError: `fit` must be a function",
    "score(lambda x, y: 3, rows, labels, rows, labels)": "TypeError: `fit` must return a function",
    "score(fit, rows, labels, np.ones((3, 4)), labels)": "ValueError: `images` must have 2 entries",
    "score(fit, rows, labels[:2], rows, labels)": r"ValueError: `labels` .* shape \(3,\)",
    "score(fit, rows, labels, rows, labels - 1)": "ValueError: `truth` must be at least 0",
    "score(fit, rows[0], labels, rows, labels)": "ValueError: `generated` must be one or more",
    "score(lambda x, y: lambda x: x, rows, labels, rows, labels)": "ValueError: `labels of the cl",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_calls_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}"), text
