"""Law 1: a separation is the gradient of a convex potential, or says why it is none."""

import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax import NoEnergyError
from attrax.separation import Power, Softmax, SumNormalised, Threshold

REGISTRY = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "registry.py")))
WITH = [n for n, part in REGISTRY.SEPARATIONS.items() if part.lacks_potential is None]
WITHOUT = [n for n, part in REGISTRY.SEPARATIONS.items() if part.lacks_potential is not None]
DRAWS = 200


def gradient_gap(weights, potential, scores):
    """The largest |∇Φ(s) − w(s)| over draws, relative to the largest weight of each."""
    expected = jax.jit(jax.vmap(weights))(scores)
    found = jax.jit(jax.vmap(jax.grad(potential)))(scores)
    size = 1 + jnp.max(jnp.abs(expected), axis=-1, keepdims=True)
    return float(jnp.max(jnp.abs(found - expected) / size))


def convexity_gap(potential, scores):
    """The largest Φ((a+b)/2) − (Φ(a)+Φ(b))/2 over pairs of draws, relative to |Φ|."""
    left, right = scores[::2], scores[1::2]
    value = jax.jit(jax.vmap(potential))
    ends = 0.5 * (value(left) + value(right))
    size = 1 + jnp.abs(value(left)) + jnp.abs(value(right))
    return float(jnp.max((value(0.5 * (left + right)) - ends) / size))


def draws(part, dtype):
    return REGISTRY.scores_of(part, DRAWS, np.random.default_rng(0), dtype)


@pytest.mark.parametrize("name", WITH)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_are_the_gradient_of_a_convex_potential(name, dtype):
    with jax.enable_x64(dtype is np.float64):
        part = REGISTRY.SEPARATIONS[name]
        scores = draws(part, dtype)
        eps = float(jnp.finfo(dtype).eps)
        # Slopes of a few units a score, and sums of a dozen terms.
        assert gradient_gap(part, part.potential, scores) < 1000 * eps
        assert convexity_gap(part.potential, scores) < 100 * eps


@pytest.mark.parametrize("name", WITH)
def test_the_potential_rises_as_the_weights_say(name):
    """Without derivatives: finite differences of Φ between nearby scores are w · ds."""
    with jax.enable_x64():
        part = REGISTRY.SEPARATIONS[name]
        scores = draws(part, np.float64)
        step = 1e-6 * jnp.asarray(np.random.default_rng(1).normal(size=scores.shape))
        value, weights = jax.jit(jax.vmap(part.potential)), jax.jit(jax.vmap(part))
        rise = value(scores + step) - value(scores - step)
        expected = 2 * jnp.sum(weights(scores) * step, axis=-1)
        size = 1e-6 * (1 + jnp.max(jnp.abs(weights(scores)), axis=-1))
        # Kinks (threshold, best score) lie within a step for next to none of the draws.
        close = jnp.abs(rise - expected) < 1e-4 * size
        assert float(jnp.mean(close)) > 0.98


@pytest.mark.parametrize("name", WITHOUT)
def test_those_without_a_potential_say_why(name):
    part = REGISTRY.SEPARATIONS[name]
    with pytest.raises(NoEnergyError, match=re.escape(part.lacks_potential)):
        part.potential(draws(part, np.float32)[0])


# The exponential alone is a gradient even when it is normalised: it is then the softmax.
@pytest.mark.parametrize("name", ["sum_power", "sum_rectified", "sum_sum_power", "score_softmax"])
def test_those_without_a_potential_have_none(name):
    """A gradient has a symmetric derivative; these do not."""
    with jax.enable_x64():
        part = REGISTRY.SEPARATIONS[name]
        slopes = jax.jit(jax.vmap(jax.jacobian(part)))(draws(part, np.float64)[:5])
        assert float(jnp.max(jnp.abs(slopes - slopes.mT))) > 1e-3


def test_normalised_exponentials_are_softmax():
    scores = draws(Softmax(2.0), np.float32)
    ours = jax.vmap(REGISTRY.SEPARATIONS["sum_exponential"])(scores)
    np.testing.assert_allclose(ours, jax.vmap(Softmax(2.0))(scores), rtol=1e-6)


def test_negative_weights_make_the_best_scores_non_convex():
    """Why `TopK(3, Identity())` states no potential: the sum over the best three is no convex."""
    with jax.enable_x64():
        scores = jnp.asarray(np.random.default_rng(0).normal(size=(DRAWS, 4)))

        def potential(scores):
            return 0.5 * jnp.sum(jax.lax.top_k(scores, 3)[0] ** 2)

        assert convexity_gap(potential, scores) > 1e-3


def test_wrong_potentials_are_caught():
    with jax.enable_x64():
        scores = draws(Softmax(2.0), np.float64)
        half = Softmax(2.0)
        # β forgotten; the sign turned; the potential of the weights before they are normalised.
        assert gradient_gap(half, lambda s: 2 * half.potential(s), scores) > 0.1
        assert convexity_gap(lambda s: -half.potential(s), scores) > 0.01
        normalised = SumNormalised(Power(2))
        assert gradient_gap(normalised, Power(2).potential, jnp.abs(scores)) > 0.1
        # The integral of an even power is no convex function of negative scores.
        assert convexity_gap(Power(2).potential, scores) > 0.01
        # Σ max(s, θ) is right, Σ max(s, 0) − θ is not, though it is convex.
        wrong = Threshold(0.4)
        assert gradient_gap(wrong, lambda s: jnp.sum(jnp.maximum(s, 0.0)), scores) > 0.1
