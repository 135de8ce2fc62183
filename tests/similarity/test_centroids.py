"""The centroid makes R(v) − Σ w s(k, v) smallest; that is what an energy's descent rests on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax.separation import Softmax
from attrax.similarity import Hamming, KullbackLeibler, Manhattan
from attrax.similarity.centroids import distributions
from conformance import registry
from jitted import jitted

WITH = [n for n, part in registry.SIMILARITIES.items() if part.centroid is not None]


def loss(part, rows, weights, states):
    return jax.vmap(lambda state: part.state_term(state) - weights @ part(rows, state))(states)


def agreed(part, rows, weights):
    centroid = part.centroid
    if hasattr(centroid, "agree"):
        return centroid.agree(rows, weights)
    return centroid.settle(weights @ centroid.carrier(rows), jnp.sum(weights))


@pytest.mark.parametrize("name", WITH)
def test_no_drawn_state_is_better(name):
    with jax.enable_x64():
        part = registry.SIMILARITIES[name]
        rng = np.random.default_rng(0)
        rows = registry.rows_of(part, rng, np.float64)
        if name == "correlation_encoded":
            from attrax.common.arithmetic import standardise

            rows = jitted(standardise, rows)
        for signed in (False, True):
            if signed and not part.centroid.signed:
                continue
            weights = rng.normal(size=registry.ROWS)
            weights = jnp.asarray(weights if signed else np.abs(weights))
            centroid = np.asarray(jitted(agreed, part, rows, weights))
            others = [registry.rows_of(part, rng, np.float64, size=200), rows]
            for size in (1e-3, 1e-2, 0.1):
                steps = rng.normal(size=(100, registry.WIDTH))
                others.append(centroid + size * steps)
                if part.rows == "non-negative":
                    others[-1] = np.maximum(others[-1], 1e-6)
            states = jnp.asarray(np.concatenate([centroid[None], *others]))
            here, *there = np.asarray(jitted(loss, part, rows, weights, states))
            assert min(there) >= here - 1e-12 * (1 + abs(here))
            # The drawn states differ from it, so that the comparison says something.
            assert np.median(there) > here


def test_the_geometric_mean_comes_back_through_the_smoothing_of_scores():
    """What is scored, (v + ε)/(1 + d ε), is the mean; a large ε shows whether v allows for it."""
    epsilon = 0.05
    part = KullbackLeibler(reverse=True, epsilon=epsilon)
    rng = np.random.default_rng(0)
    with jax.enable_x64():
        rows = rng.random((registry.ROWS, registry.WIDTH)) + 0.2
        weights = rng.random(registry.ROWS)
        found = np.asarray(jitted(agreed, part, jnp.asarray(rows), jnp.asarray(weights)))

        def smoothed(shares):
            return (shares + epsilon) / (1 + registry.WIDTH * epsilon)

        logs = np.log(smoothed(rows / rows.sum(1, keepdims=True)))
        mean = np.exp(weights @ logs / weights.sum())
        np.testing.assert_allclose(smoothed(found), mean / mean.sum(), rtol=1e-12)


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4)])
def test_distributions_are_smoothed_by_the_length_of_a_row(shape):
    rows = np.random.default_rng(0).random(shape)
    shares = rows / rows.sum(-1, keepdims=True)
    with jax.enable_x64():
        smoothed = jitted(distributions, jnp.asarray(rows), 0.1)
    np.testing.assert_allclose(smoothed, (shares + 0.1) / 1.4, rtol=1e-12)


def weighted_median(column, weights):
    order = np.argsort(column)
    heights = np.cumsum(weights[order])
    return column[order][np.searchsorted(heights, 0.5 * heights[-1])]


def weighted_mode(column, weights):
    values = np.unique(column)
    return values[np.argmax([weights[column == value].sum() for value in values])]


@pytest.mark.parametrize(
    ("part", "formula"), [(Manhattan(), weighted_median), (Hamming(), weighted_mode)]
)
def test_medians_and_modes_are_those_of_numpy(part, formula):
    with jax.enable_x64():
        agree = jax.jit(part.centroid.agree)
        rng = np.random.default_rng(0)
        for _ in range(50):
            rows = np.round(2 * rng.normal(size=(registry.ROWS, registry.WIDTH)))
            weights = rng.random(registry.ROWS) * (rng.random(registry.ROWS) < 0.7)
            found = agree(jnp.asarray(rows), jnp.asarray(weights))
            expected = [formula(column, weights) for column in rows.T]
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("part", [Manhattan(), Hamming()])
def test_absent_rows_have_no_say(part):
    """Zeros that pad the capacity are no entries."""
    rows = np.round(10 + np.random.default_rng(0).normal(size=(3, 6)))
    options = {"similarity": part, "separation": Softmax(1.0), "projection": "centroid"}
    plain, roomy = attrax.Memory(rows, **options), attrax.Memory(rows, capacity=12, **options)
    query = jnp.asarray(rows[0] + 1, jnp.float32)
    np.testing.assert_array_equal(roomy(query), plain(query))
