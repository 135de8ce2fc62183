"""Overlaps and information of scaffolds, against numbers by other means, and wrong calls."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf
from scipy.stats import norm

from attrax import theory

pytestmark = pytest.mark.usefixtures("x64")
PATTERNS = np.array([1, 200, 300, 301, 400, 816])


def test_overlaps_are_those_of_a_signal_in_normal_noise():
    share = 300 / PATTERNS[3:]
    exact = 1 - 2 * norm.cdf(-share / np.sqrt(share * (1 - share)))
    found = theory.scaffold_overlap(PATTERNS, 300)
    np.testing.assert_allclose(found[3:], exact, rtol=1e-12)
    np.testing.assert_array_equal(found[:3], 1)
    hebb = theory.scaffold_overlap(PATTERNS, 300, "hebb")
    np.testing.assert_allclose(hebb, erf(np.sqrt(300 / (2 * PATTERNS))), rtol=1e-12)


def test_a_projection_of_random_signs_has_the_overlap():
    rng = np.random.default_rng(0)
    keys, values = rng.normal(size=(100, 250)), rng.choice([-1.0, 1.0], (400, 250))
    read = values @ np.linalg.pinv(keys) @ keys
    overlap = np.mean(np.sign(read) * values)
    assert overlap == pytest.approx(float(theory.scaffold_overlap(250, 100)), abs=0.01)


def test_information_is_one_less_the_entropy():
    m = np.array([-0.5, 0.1, 0.9])
    coin = np.stack([(1 + m) / 2, (1 - m) / 2])
    np.testing.assert_allclose(
        theory.overlap_information(m), 1 + np.sum(coin * np.log2(coin), axis=0), rtol=1e-12
    )
    np.testing.assert_array_equal(theory.overlap_information([0.0, 1.0, -1.0]), [0, 1, 1])
    small = theory.overlap_information(1e-5)
    assert float(small) == pytest.approx(1e-10 / (2 * np.log(2)), rel=1e-6)
    real = theory.overlap_information(m, "real")
    np.testing.assert_allclose(real, np.log2(np.sqrt(1 / (1 - m**2))), rtol=1e-12)
    assert np.isinf(theory.overlap_information(1.0, "real"))


def test_information_rises_to_its_bound_and_falls_to_its_limit():
    np.testing.assert_allclose(theory.scaffold_information([30, 300], 300), [0.1, 1])
    patterns = np.arange(300, 400)
    curve = np.asarray(theory.scaffold_information(patterns, 300))
    assert 1.099 < curve.max() < 1.1
    assert patterns[curve.argmax()] == 342
    assert float(theory.scaffold_information(1e9, 300)) == pytest.approx(1 / (np.pi * np.log(2)))
    lower = theory.scaffold_information(PATTERNS, 300, "hebb")
    assert (np.asarray(lower) <= theory.scaffold_information(PATTERNS, 300) + 1e-12).all()


def test_slopes_are_finite_on_both_sides_of_the_edge():
    slope = jax.vmap(jax.grad(lambda p: theory.scaffold_overlap(p, 300.0)))
    found = slope(jnp.array([200.0, 300.0, 400.0]))
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[:2], 0)
    assert float(found[2]) < 0
    ends = jax.vmap(jax.grad(theory.overlap_information))(jnp.array([0.0, 0.5]))
    np.testing.assert_allclose(ends, [0, np.arctanh(0.5) / np.log(2)], atol=1e-12)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: theory.scaffold_overlap(0, 300), "`patterns` must be at least 1, but it is 0"),
        (lambda: theory.scaffold_overlap(9, 0.5), "`hidden` must be at least 1, but it is 0.5"),
        (lambda: theory.scaffold_overlap(9, 9, "delta"), "`rule` must be one of 'pseudo_inverse'"),
        (lambda: theory.scaffold_overlap([1, 2], [1, 2, 3]), "do not go together"),
        (lambda: theory.scaffold_information(0, 300), "`patterns` must be at least 1"),
        (lambda: theory.overlap_information(1.5), "`overlap` must be between -1 and 1"),
        (lambda: theory.overlap_information(0.5, "bits"), "`states` must be one of 'signs', 'real"),
    ],
)
def test_wrong_calls_say_what_is_wrong(call, text):
    with pytest.raises(ValueError, match=text):
        call()
