"""Data sets in tasks of a few classes."""

import dataclasses
import re

import numpy as np
import pytest

from attrax.data import load, split_by_class


def test_tasks_have_their_classes_and_all_rows_in_their_order():
    dataset = load("sample", limit=200)
    tasks = split_by_class(dataset)
    assert [sorted(set(task.y.tolist())) for task in tasks] == [[i, i + 1] for i in range(0, 10, 2)]
    assert sum(len(task) for task in tasks) == 200
    for task in tasks:
        np.testing.assert_array_equal(task.x, dataset.x[np.isin(dataset.y, task.y)])
        assert task.shape == dataset.shape
        assert task.classes == dataset.classes


def test_order_and_size_are_followed():
    tasks = split_by_class(load("sample", limit=200), 4, order=(9, 1, 0, 3, 2, 5, 4, 7, 6, 8))
    assert [set(task.y.tolist()) for task in tasks] == [{9, 1, 0, 3}, {2, 5, 4, 7}, {6, 8}]


SETTING = """
import dataclasses
import numpy as np
from attrax.data import load, split_by_class
sample = load("sample", limit=50)
unlabelled = dataclasses.replace(sample, y=np.full(50, -1, np.int32))
"""
CASES = {
    "split_by_class(sample.x)": "TypeError: `dataset` must be a Dataset",
    "split_by_class(sample, 0)": "ValueError: `size` must be a positive whole number",
    "split_by_class(sample, 2.0)": "ValueError: `size` must be a positive whole number",
    "split_by_class(sample, order=(0, 1))": "ValueError: `order` must hold each of the labels",
    "split_by_class(unlabelled)": "ValueError: `dataset` has rows without labels",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_calls_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}"), text


def test_files_go_with_their_rows(tmp_path):
    dataset = load("sample", limit=6)
    files = tuple(tmp_path / f"{i}.png" for i in range(6))
    tasks = split_by_class(dataclasses.replace(dataset, files=files), 5)
    for task in tasks:
        places = [files.index(file) for file in task.files]
        np.testing.assert_array_equal(dataset.x[places], task.x)
