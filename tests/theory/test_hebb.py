import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, optimize, stats

from attrax.theory import (
    gardner_capacity,
    hebb_capacity,
    hebb_first_step,
    hebb_flip_probability,
    pseudo_inverse_capacity,
    storkey_capacity,
)


def share_of_unstable_units(rng, n_patterns, d, states, networks):
    """Mean and standard error over networks of patterns drawn anew, by their fields."""
    shares = []
    for _ in range(networks):
        signs = rng.choice([-1, 1], (n_patterns, d)).astype(np.float32)
        couplings = signs.T @ signs
        np.fill_diagonal(couplings, 0)
        state = signs if states == "signs" else (1 + signs) / 2
        shares.append(np.mean(state @ couplings * signs < 0))
    return np.mean(shares), np.std(shares) / math.sqrt(networks)


@pytest.mark.parametrize(
    ("n_patterns", "d", "states"), [(30, 200, "signs"), (60, 200, "signs"), (30, 200, "bits")]
)
def test_the_flip_probability_is_that_of_networks(n_patterns, d, states):
    mean, error = share_of_unstable_units(np.random.default_rng(0), n_patterns, d, states, 200)
    expected = float(hebb_flip_probability(n_patterns, d, states=states))
    # 4 standard errors, and 4 % for terms of order 1/d.
    assert abs(mean - expected) < 4 * error + 0.04 * expected
    other = "bits" if states == "signs" else "signs"
    wrong = float(hebb_flip_probability(n_patterns, d, states=other))
    assert abs(mean - wrong) > 4 * error + 0.04 * wrong


@pytest.mark.contract
def test_the_flip_probability_broadcasts_and_is_that_of_scipy():
    n_patterns, d = np.asarray([[2], [15], [400]]), np.asarray([10, 100, 1000, 10_000])
    found = hebb_flip_probability(n_patterns, d)
    expected = stats.norm.sf(np.sqrt(d / (n_patterns - 1)))
    np.testing.assert_allclose(found, expected, rtol=3e-5, atol=1e-37)
    mapped = jax.jit(jax.vmap(hebb_flip_probability, (0, None)))(jnp.asarray(n_patterns), 100)
    np.testing.assert_allclose(mapped[:, 0], found[:, 1], rtol=1e-6)
    # At the number printed for 100 units of 0 and 1 and ten patterns.
    assert round(float(hebb_flip_probability(10, 100, states="bits")), 4) == 0.0092


def test_one_pattern_is_stable_and_has_a_derivative():
    assert hebb_flip_probability(1, 100) == 0
    assert jax.grad(hebb_flip_probability)(1.0, 100.0) == 0
    assert jax.grad(hebb_flip_probability)(2.0, 3.0) > 0


def test_the_first_step_is_that_of_networks():
    rng = np.random.default_rng(1)
    d, load, overlap = 1000, 0.2, 0.6
    signs = rng.choice([-1, 1], (int(load * d), d)).astype(np.float32)
    kept = np.argsort(rng.random(signs.shape)) < (1 + overlap) / 2 * d
    cues = np.where(kept, signs, -signs)
    fields = cues @ (signs.T @ signs) - len(signs) * cues
    found = np.mean(np.sign(fields) * signs)
    # 200 cues of 1000 units: a standard error of at most 0.003 if they were alike in tens.
    assert found == pytest.approx(float(hebb_first_step(load, overlap)), abs=0.01)
    assert hebb_first_step(load, overlap) == pytest.approx(math.erf(0.6 / math.sqrt(0.4)))


def test_the_first_step_without_load_or_overlap():
    np.testing.assert_array_equal(hebb_first_step(0.0, [-0.5, 0, 0.2]), [-1, 0, 1])
    assert hebb_first_step(0.1, 0.0) == 0
    assert np.isfinite(jax.grad(hebb_first_step)(0.0, 0.3))


def test_the_critical_load_is_the_maximum():
    def negative(x):
        numerator = math.erf(x) - 2 * x * math.exp(-x * x) / math.sqrt(math.pi)
        return -((numerator / (math.sqrt(2) * x)) ** 2)

    best = optimize.minimize_scalar(negative, (1, 1.5, 2), tol=1e-12)
    assert hebb_capacity(1e6) == pytest.approx(-1e6 * best.fun, rel=1e-6)
    assert round(float(hebb_capacity(1.0e5))) == 13791


def test_capacities_by_hand():
    d = np.asarray([10.0, 1000.0])
    np.testing.assert_allclose(hebb_capacity(d, "one_pattern"), d / (2 * np.log(d)), rtol=1e-6)
    np.testing.assert_allclose(hebb_capacity(d, "all_patterns"), d / (4 * np.log(d)), rtol=1e-6)
    np.testing.assert_allclose(storkey_capacity(d), d / np.sqrt(2 * np.log(d)), rtol=1e-6)
    np.testing.assert_array_equal(pseudo_inverse_capacity(d), d)


@pytest.mark.parametrize(("criterion", "power"), [("one_pattern", 1), ("all_patterns", 2)])
def test_errors_at_a_capacity_fall_at_the_rate_that_defines_it(criterion, power):
    # P(flip) ~ d^−power up to the factor 1/√(4π power ln d) of the tail.
    d = np.asarray([1e4, 1e6])
    flips = hebb_flip_probability(1 + hebb_capacity(d, criterion), d)
    expected = d**-power / np.sqrt(4 * np.pi * power * np.log(d))
    np.testing.assert_allclose(flips, expected, rtol=0.06)


def test_the_gardner_capacity_is_its_integral():
    margins = [0.0, 0.5, 1.0, 3.0]
    integrals = [
        integrate.quad(lambda t, k=k: stats.norm.pdf(t) * (t + k) ** 2, -k, np.inf)[0]
        for k in margins
    ]
    np.testing.assert_allclose(gardner_capacity(margins), 1 / np.asarray(integrals), rtol=1e-5)
    assert gardner_capacity() == 2
    assert jax.jit(jax.grad(gardner_capacity))(0.0) == pytest.approx(-8 / math.sqrt(2 * math.pi))


def test_double_precision():
    with jax.enable_x64():
        found = hebb_flip_probability(np.asarray([15]), 100)
        assert found.dtype == jnp.float64
        np.testing.assert_allclose(found, stats.norm.sf(math.sqrt(100 / 14)), rtol=1e-13)
        narrow = hebb_flip_probability(jnp.asarray(15, jnp.float32), 100)
        assert narrow.dtype == jnp.float32


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hebb_flip_probability(0, 10), "`n_patterns` must be at least 1, but it is 0"),
        (lambda: hebb_flip_probability([3, -2], 10), "`n_patterns` must be at least 1.*-2"),
        (lambda: hebb_flip_probability(3, 10, states="spins"), "`states` must be one of 'signs'"),
        (lambda: hebb_flip_probability([1, 2], [1, 2, 3]), "do not go together"),
        (lambda: hebb_first_step(-0.1, 0.5), "`load` must be at least 0, but it is -0.1"),
        (lambda: hebb_first_step(0.1, 1.5), "`overlap` must be between -1 and 1, but it is 1.5"),
        (lambda: hebb_capacity(1), "`d` must be at least 2, but it is 1"),
        (lambda: hebb_capacity(10, "all"), "`criterion` must be one of.*but it is 'all'"),
        (lambda: storkey_capacity(0), "`d` must be at least 2"),
        (lambda: pseudo_inverse_capacity(float("nan")), "`d` holds NaN"),
        (lambda: gardner_capacity(-1.0), "`margin` must be at least 0, but it is -1"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
