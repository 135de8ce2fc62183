"""The optimiser of Krotov and Hopfield, against its formulas."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from attrax.training import krotov_hopfield

RNG = np.random.default_rng(0)
START = RNG.uniform(-1, 1, (4, 7))


def steps(optimizer, slopes):
    params = {"a": jnp.asarray(START)}
    state = optimizer.init(params)
    for slope in slopes:
        updates, state = optimizer.update({"a": jnp.asarray(slope)}, state, params)
        params = optax.apply_updates(params, updates)
    return np.asarray(params["a"])


def test_every_memory_moves_by_the_same_largest_step():
    scales = np.array([[1e-6], [1.0], [1e3], [1e12]])
    # Towards zero, where nothing is clipped.
    slope = -np.sign(START) * np.abs(RNG.normal(size=(4, 7))) * scales
    found = steps(krotov_hopfield(0.01, 0.0), [-slope])
    np.testing.assert_allclose(np.abs(found - START).max(1), 0.01, rtol=1e-4)
    np.testing.assert_allclose(
        found - START, 0.01 * slope / np.abs(slope).max(1, keepdims=True), rtol=1e-3, atol=1e-7
    )


def test_it_follows_its_formulas():
    slopes = RNG.normal(size=(6, 4, 7))
    velocity, expected = np.zeros((4, 7)), START
    for t, slope in enumerate(slopes):
        velocity = 0.6 * velocity - slope
        move = 0.3 * 0.5**t * velocity / np.abs(velocity).max(1, keepdims=True)
        expected = np.clip(expected + move, -1, 1)
    found = steps(krotov_hopfield(lambda count: 0.3 * 0.5**count), slopes)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    # The bounds were reached, and nothing is beyond them.
    assert np.abs(found).max() == 1
    other = steps(krotov_hopfield(lambda count: 0.3 * 0.5**count, 0.5), slopes)
    assert np.abs(other - expected).max() > 0.01


def test_the_scale_of_a_loss_does_not_matter_above_the_floor():
    slopes = RNG.normal(size=(3, 4, 7))
    one, other = (steps(krotov_hopfield(), factor * slopes) for factor in (1.0, 1e-8))
    np.testing.assert_allclose(one, other, atol=1e-6)
    still = steps(krotov_hopfield(floor=1.0), 1e-8 * slopes)
    np.testing.assert_allclose(still, START, atol=1e-6)
    np.testing.assert_allclose(steps(krotov_hopfield(), 0 * slopes), START, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"learning_rate": 0.0}, "`learning_rate` must be positive"),
        ({"learning_rate": float("inf")}, "`learning_rate` must be positive"),
        ({"momentum": -0.1}, "`momentum` must be at least 0"),
        ({"momentum": 1.0}, "`momentum` must be at least 0"),
        ({"floor": 0.0}, "`floor` must be positive"),
    ],
)
def test_wrong_numbers(options, text):
    with pytest.raises(ValueError, match=text):
        krotov_hopfield(**options)


def test_wrong_arrays():
    with pytest.raises(ValueError, match=r"one a row, but was given an array of shape \(\)"):
        krotov_hopfield().init({"temperature": jnp.ones(())})
    optimizer = krotov_hopfield()
    state = optimizer.init(jnp.ones((2, 3)))
    with pytest.raises(ValueError, match="needs the parameters"):
        optimizer.update(jnp.ones((2, 3)), state)
