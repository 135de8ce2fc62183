"""The k best of many scores beside a sort of all of them."""

import jax
import numpy as np
import pytest

from attrax.separation.selection import best

DRAWS = 6
found = jax.jit(jax.vmap(best, in_axes=(0, 0, None)), static_argnums=2)


def drawn(rng, kind, count):
    scores, mask = rng.normal(size=(DRAWS, count)), rng.random((DRAWS, count)) < 0.7
    if kind == "ties":
        scores = np.round(scores)
    elif kind == "NaN and infinities":
        scores[:, rng.integers(0, count, 5)] = np.nan
        scores[0], scores[1, ::7] = -np.inf, np.inf
    elif kind == "few rows":
        mask = rng.random(mask.shape) < 2 / count
    return scores.astype(np.float32), mask


# Few scores are sorted, and of many those of the best groups.
@pytest.mark.parametrize(("count", "k"), [(100, 3), (1000, 3), (5003, 31)])
@pytest.mark.parametrize("kind", ["plain", "ties", "NaN and infinities", "few rows"])
def test_the_best_are_those_of_a_sort(kind, count, k):
    scores, mask = drawn(np.random.default_rng(count + k), kind, count)
    index, there = map(np.asarray, found(scores, mask, k))
    order = np.where(np.isnan(scores), np.inf, np.maximum(scores, np.finfo(np.float32).min))
    order = np.where(mask, order, -np.inf)
    wanted = np.argsort(-order, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(index, wanted)
    np.testing.assert_array_equal(there, np.take_along_axis(mask, wanted, axis=1))
