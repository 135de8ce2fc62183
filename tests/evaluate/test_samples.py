"""Samples that are stored, shared by many, or new; and wrong calls."""

import numpy as np
import pytest

from attrax.evaluate import SampleKind, classify_samples

ROWS = np.array([[0.0, 0.0], [3.0, 0.0]])


def test_each_kind_is_told():
    samples = np.array(
        [[0.01, 0], [1.5, 0], [1.5, 0.02], [9, 9], [3, 0.1], [3, 0.101], [np.nan, 0]]
    )
    found = classify_samples(samples, ROWS, 0.05)
    kinds = SampleKind.memorised, SampleKind.spurious, SampleKind.new
    told = [np.asarray(found.kind == kind) for kind in kinds]
    expected = [[1, 0, 0, 0, 0, 0, 0], [0, 1, 1, 0, 1, 1, 0], [0, 0, 0, 1, 0, 0, 1]]
    np.testing.assert_array_equal(told, np.asarray(expected, bool))
    assert found.index[:6].tolist() == [0, 0, 0, 1, 1, 1]
    np.testing.assert_allclose(found.to_pattern[:3], [0.01, 1.5, np.hypot(1.5, 0.02)], rtol=1e-6)
    np.testing.assert_allclose(found.to_sample[1:3], 0.02, rtol=1e-5)
    assert "1 memorised, 4 spurious, 2 new" in repr(found)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: classify_samples(ROWS[:1], ROWS, 0.1), "`samples` must be two or more"),
        (lambda: classify_samples(ROWS[:, :1], ROWS, 0.1), "must have 2 entries each"),
        (lambda: classify_samples(ROWS, ROWS, 0.0), "`tolerance` must be positive"),
        (lambda: classify_samples(ROWS, ROWS[0], 0.1), "`patterns` must have 2 axes"),
        (lambda: classify_samples(ROWS, ROWS * np.nan, 0.1), "`patterns` holds NaN"),
    ],
)
def test_wrong_calls_are_answered(make, text):
    with pytest.raises(ValueError, match=text):
        make()
