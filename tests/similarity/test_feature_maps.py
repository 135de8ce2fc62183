"""Feature maps of linear attention: their features written out, norms, and kernels of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.similarity import DPFP, ELUFeatures, Kernel, NormalisedFeatures

ROWS = np.random.default_rng(0).normal(size=(400, 5)).astype(np.float32)


@pytest.mark.parametrize("order", [1, 3])
def test_features_are_products_of_halves_moved_towards_the_end(order):
    halves = np.maximum(np.concatenate([ROWS, -ROWS], 1), 0)
    moved = [np.concatenate([halves[:, -i:], halves[:, :-i]], 1) for i in range(1, order + 1)]
    found = np.asarray(jax.vmap(DPFP(order))(ROWS))
    assert found.shape == (400, 10 * order)
    np.testing.assert_array_equal(found, np.concatenate([halves * each for each in moved], 1))
    assert np.linalg.matrix_rank(found) == 10 * order
    assert np.mean(found > 0) == pytest.approx(0.25, abs=0.01)


def test_an_entry_and_its_negative_share_no_feature():
    found = np.asarray(jax.vmap(DPFP(9))(ROWS))
    assert np.sum(found.any(0)) == 9 * 10 - 10


def test_elu_features_are_positive_and_smooth_at_zero():
    features = ELUFeatures()
    expected = np.where(ROWS > 0, 1 + ROWS, np.exp(ROWS))
    np.testing.assert_allclose(jax.vmap(features)(ROWS), expected, rtol=1e-6)
    np.testing.assert_allclose(jax.jacobian(features)(jnp.zeros(2)), np.eye(2))


@pytest.mark.parametrize("norm", ["sum", "l2"])
def test_normalised_features_have_that_norm_or_are_zero(norm):
    features = NormalisedFeatures(DPFP(1), norm)
    found = np.asarray(jax.vmap(features)(ROWS))
    norms = found.sum(1) if norm == "sum" else np.linalg.norm(found, axis=1)
    # Without a neighbour of the same sign in (x, −x) there is no feature, as of five signs in turn.
    some = np.asarray(jax.vmap(DPFP(1))(ROWS)).any(1)
    assert 0.9 < some.mean() < 1
    np.testing.assert_allclose(norms, some, rtol=1e-6)
    lone = jnp.array([0.0, 1.0, 0.0, 0.0, 0.0])
    np.testing.assert_array_equal(features(lone), np.zeros(10))
    assert np.isfinite(jax.jacobian(features)(lone)).all()
    similarity = Kernel(features, "non-negative")
    query = jnp.asarray(ROWS[0])
    np.testing.assert_allclose(similarity(jnp.asarray(ROWS), query), found @ found[0], rtol=1e-5)
    half = features(query.astype(jnp.bfloat16))
    assert half.dtype == jnp.bfloat16


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: DPFP(0), "`order` must be a positive whole number"),
        (lambda: DPFP(True), "`order` must be a positive whole number"),
        (lambda: NormalisedFeatures(3), "`feature_map` must be a function"),
    ],
)
def test_wrong_arguments_are_named(call, text):
    with pytest.raises((ValueError, TypeError), match=text):
        call()
