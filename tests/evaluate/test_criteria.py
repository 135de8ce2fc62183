import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.evaluate import baseline_mean_image, exact_row, retrieved, squared_error


def test_the_squared_error_is_that_of_numpy():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 7, 5)).astype(np.float32)
    np.testing.assert_allclose(squared_error(a, b), ((a - b) ** 2).sum(1), rtol=1e-6)
    assert squared_error(jnp.zeros(5), jnp.ones(5)) == 5


def test_an_error_at_the_threshold_counts_and_nan_never():
    target = jnp.zeros((3, 4))
    state = jnp.asarray([[1.0, 1, 1, 1], [1, 1, 1, 1.01], [0, 0, 0, jnp.nan]])
    assert retrieved(state, target, 4).tolist() == [True, False, False]
    assert not retrieved(state[2], target[2], jnp.inf)


def test_the_exact_row_is_the_first_best():
    scores = jnp.asarray([[1.0, 3, 3], [3, 1, 2], [0, jnp.nan, 5]])
    assert exact_row(scores, jnp.asarray([1, 2, 1])).tolist() == [True, False, True]
    assert bool(exact_row(scores[0], jnp.asarray(1)))
    assert not exact_row(scores[0], jnp.asarray(2))


def test_the_mean_image_by_hand():
    rows = jnp.asarray([[0.0, 0], [0, 2], [4, 0], [0, 2]])
    # The mean is (1, 1): squared errors 2, 2, 10, 2.
    assert baseline_mean_image(rows, 2) == 0.75
    assert baseline_mean_image(rows, (1, 2, 10)).tolist() == [0, 0.75, 1]
    assert jax.jit(baseline_mean_image)(rows, jnp.asarray([9.9])).tolist() == [0.75]


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_one_pattern_is_its_own_mean(shift):
    rows = jnp.asarray([[0.3, 0.7, shift]])
    assert baseline_mean_image(rows, 0.0) == 1
