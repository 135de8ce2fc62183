"""Law 1: a separation is the gradient of a convex potential, or says why it is none."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax import NoEnergyError
from attrax.separation import Power, Softmax, SumNormalised, Threshold
from conformance import registry

POTENTIAL = [n for n, part in registry.ALL_SEPARATIONS.items() if part.lacks_potential is None]
WITH = [n for n in POTENTIAL if registry.ALL_SEPARATIONS[n].convex]
OTHER = [n for n in POTENTIAL if n not in WITH]
WITHOUT = [n for n, part in registry.ALL_SEPARATIONS.items() if part.lacks_potential is not None]
DRAWS = 200


def gaps(weights, potential, scores):
    """How far weights are from slopes of the potential, and how far it is from convex.

    The largest |∇Φ(s) − w(s)| over draws, relative to the largest weight of each; and the largest
    Φ((a+b)/2) − (Φ(a)+Φ(b))/2 over pairs of draws, relative to |Φ|.
    """
    count = len(scores)
    middles = 0.5 * (scores[::2] + scores[1::2])

    @jax.jit
    @jax.vmap
    def look(scores):
        return weights(scores), *jax.value_and_grad(potential)(scores)

    expected, values, slopes = map(np.asarray, look(jnp.concatenate([scores, middles])))
    expected, slopes = expected[:count], slopes[:count]
    size = 1 + np.max(np.abs(expected), axis=-1, keepdims=True)
    left, right, middle = values[:count:2], values[1:count:2], values[count:]
    bend = (middle - 0.5 * (left + right)) / (1 + np.abs(left) + np.abs(right))
    return float(np.max(np.abs(slopes - expected) / size)), float(np.max(bend))


def draws(part, dtype):
    return registry.scores_of(part, DRAWS, np.random.default_rng(0), dtype)


@pytest.mark.parametrize("name", registry.cases(WITH))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_are_the_gradient_of_a_convex_potential(name, dtype):
    with jax.enable_x64(dtype is np.float64):
        part = registry.ALL_SEPARATIONS[name]
        scores = draws(part, dtype)
        eps = float(jnp.finfo(dtype).eps)
        # Slopes of a few units a score, and sums of a dozen terms.
        by_slopes, by_middles = gaps(part, part.potential, scores)
        assert by_slopes < 1000 * eps
        assert by_middles < 100 * eps


@pytest.mark.parametrize("name", WITH)
def test_the_potential_rises_as_the_weights_say(name):
    """Without derivatives: finite differences of Φ between nearby scores are w · ds."""
    with jax.enable_x64():
        part = registry.ALL_SEPARATIONS[name]
        scores = draws(part, np.float64)
        step = 1e-6 * np.random.default_rng(1).normal(size=scores.shape)

        @jax.jit
        def look(scores):
            values = jax.vmap(part.potential)(jnp.concatenate([scores + step, scores - step]))
            return values[:DRAWS] - values[DRAWS:], jax.vmap(part)(scores)

        rise, weights = map(np.asarray, look(scores))
        expected = 2 * np.sum(weights * step, axis=-1)
        size = 1e-6 * (1 + np.max(np.abs(weights), axis=-1))
        # Kinks (threshold, best score) lie within a step for next to none of the draws.
        assert np.mean(np.abs(rise - expected) < 1e-4 * size) > 0.98


@pytest.mark.parametrize("name", OTHER)
def test_weights_have_the_direction_of_the_slope_where_a_potential_is_not_convex(name):
    """It rises with a convex function: between two states it is never above the higher of them."""
    with jax.enable_x64():
        part = registry.ALL_SEPARATIONS[name]
        scores = draws(part, np.float64)
        middles = 0.5 * (scores[::2] + scores[1::2])

        @jax.jit
        @jax.vmap
        def look(scores):
            return part(scores), *jax.value_and_grad(part.potential)(scores)

        weights, values, slopes = map(np.asarray, look(jnp.concatenate([scores, middles])))
        sums = slopes.sum(axis=-1, keepdims=True)
        assert sums.min() > 0
        np.testing.assert_allclose(slopes / sums, weights, atol=1e-12)
        left, right, middle = values[:DRAWS:2], values[1:DRAWS:2], values[DRAWS:]
        assert (middle <= np.maximum(left, right) + 1e-12).all()
        # Above the mean of the two, as no convex function is.
        assert (middle > 0.5 * (left + right) + 1e-3).any()


@pytest.mark.parametrize("name", WITHOUT)
def test_those_without_a_potential_say_why(name):
    part = registry.ALL_SEPARATIONS[name]
    with pytest.raises(NoEnergyError, match=re.escape(part.lacks_potential)):
        part.potential(draws(part, np.float32)[0])


# The exponential alone is a gradient even when it is normalised: it is then the softmax.
@pytest.mark.parametrize("name", ["sum_power", "sum_rectified", "sum_sum_power", "score_softmax"])
def test_those_without_a_potential_have_none(name):
    """A gradient has a symmetric derivative; these do not."""
    with jax.enable_x64():
        part = registry.ALL_SEPARATIONS[name]
        slopes = jax.jit(jax.vmap(jax.jacobian(part)))(draws(part, np.float64)[:5])
        assert float(jnp.max(jnp.abs(slopes - slopes.mT))) > 1e-3


def test_normalised_exponentials_are_softmax():
    scores = draws(Softmax(2.0), np.float32)
    ours = jax.vmap(registry.ALL_SEPARATIONS["sum_exponential"])(scores)
    np.testing.assert_allclose(ours, jax.vmap(Softmax(2.0))(scores), rtol=1e-6)


def test_negative_weights_make_the_best_scores_non_convex():
    """Why `TopK(3, Identity())` states no potential: the sum over the best three is no convex."""
    with jax.enable_x64():
        scores = jnp.asarray(np.random.default_rng(0).normal(size=(DRAWS, 4)))

        def potential(scores):
            return 0.5 * jnp.sum(jax.lax.top_k(scores, 3)[0] ** 2)

        assert gaps(jax.grad(potential), potential, scores)[1] > 1e-3


def test_wrong_potentials_are_caught():
    with jax.enable_x64():
        scores = draws(Softmax(2.0), np.float64)
        half = Softmax(2.0)
        # β forgotten; the sign turned; the potential of the weights before they are normalised.
        assert gaps(half, lambda s: 2 * half.potential(s), scores)[0] > 0.1
        assert gaps(half, lambda s: -half.potential(s), scores)[1] > 0.01
        normalised = SumNormalised(Power(2))
        assert gaps(normalised, Power(2).potential, jnp.abs(scores))[0] > 0.1
        # The integral of an even power is no convex function of negative scores.
        assert gaps(Power(2), Power(2).potential, scores)[1] > 0.01
        # Σ max(s, θ) is right, Σ max(s, 0) − θ is not, though it is convex.
        wrong = Threshold(0.4)
        assert gaps(wrong, lambda s: jnp.sum(jnp.maximum(s, 0.0)), scores)[0] > 0.1
