"""Memories of random patterns drawn and measured, and what numbers tend to as sizes grow."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.data import random_patterns
from attrax.evaluate import ensemble, extrapolate
from attrax.learning import Hebb

KEY = jax.random.key(0)
HEBB = Hebb()


def look(memory, patterns, key):
    """What was stored, and a number of the key."""
    return memory.matrix, patterns, jax.random.uniform(key)


def test_each_draw_stores_its_own_patterns():
    matrices, patterns, drawn = ensemble(HEBB, look, 3, 8, draws=4, key=KEY)
    assert (matrices.shape, patterns.shape, drawn.shape) == ((4, 8, 8), (4, 3, 8), (4,))
    assert set(np.unique(patterns)) == {-1, 1}
    off = ~np.eye(8, dtype=bool)
    whole = np.einsum("sni,snj->sij", patterns, patterns)
    np.testing.assert_array_equal(matrices[:, off], whole[:, off])
    assert np.unique(drawn).size == 4
    assert not np.array_equal(patterns[0], patterns[1])


def test_several_numbers_of_patterns_leave_zeros_behind():
    _, patterns, _ = ensemble(HEBB, look, [2, 5], 8, draws=3, key=KEY, batch=2)
    assert patterns.shape == (2, 3, 5, 8)
    assert not patterns[0, :, 2:].any()
    assert np.abs(patterns[0, :, :2]).all()
    assert np.abs(patterns[1]).all()


def test_patterns_may_be_drawn_by_others():
    def sample(key, shape):
        return random_patterns(*shape, kind="unit", key=key)

    lengths = ensemble(
        lambda rows: rows,
        lambda memory, rows, key: jnp.sum(rows**2, 1),
        2,
        6,
        draws=3,
        key=KEY,
        sample=sample,
    )
    np.testing.assert_allclose(lengths, 1, rtol=1e-5)


@pytest.mark.parametrize("n", [0, [3, 0], []])
def test_numbers_of_patterns_are_whole_and_positive(n):
    with pytest.raises(ValueError, match="`n` must be whole numbers"):
        ensemble(HEBB, look, n, 8, draws=2, key=KEY)


def test_lines_over_the_inverse_size_find_their_limit():
    sizes, errors = np.array([10, 20, 40]), np.full((3, 2), 0.1)
    values = np.array([1.0, 2.0]) + np.array([3.0, -4.0]) / sizes[:, None]
    line = extrapolate(sizes, values, errors)
    np.testing.assert_allclose(line.value, [1, 2], atol=1e-12)
    np.testing.assert_allclose(line.slope, [3, -4], atol=1e-10)
    rng = np.random.default_rng(0)
    noisy = values[:, :1] + 0.1 * rng.normal(size=(3, 2000))
    spread = extrapolate(sizes, noisy, np.full((3, 2000), 0.1))
    np.testing.assert_allclose(spread.value.std(), line.error[0], rtol=0.1)


@pytest.mark.parametrize(
    ("sizes", "errors", "text"),
    [
        (np.array([10, 10]), [1.0, 1.0], "two different sizes"),
        (np.array([0, 20]), [1.0, 1.0], "all positive"),
        (np.array([10, 20]), [1.0, 0.0], "must be positive"),
        (np.array([10, 20, 30]), [1.0, 1.0], "must both begin with 3"),
    ],
)
def test_lines_need_sizes_and_errors(sizes, errors, text):
    with pytest.raises(ValueError, match=text):
        extrapolate(sizes, np.array([1.0, 2.0]), np.array(errors))
