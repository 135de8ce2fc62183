import math
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from attrax.theory import dense_capacity, dense_flip_probability, hebb_flip_probability


def share_of_unstable_units(rng, n_patterns, d, degree, networks):
    """Mean and standard error over networks, by differences of energy; a tie counts as half."""
    shares = []
    for _ in range(networks):
        patterns = rng.choice([-1, 1], (n_patterns, d))
        overlaps = patterns @ patterns.T
        products = patterns[:, None] * patterns[None]
        rest = overlaps[..., None] - products
        # The energy gained by a flip of unit i of pattern μ, a term a stored pattern.
        rise = ((rest + products) ** degree - (rest - products) ** degree).sum(1)
        shares.append(np.mean(rise < 0) + np.mean(rise == 0) / 2)
    return np.mean(shares), np.std(shares) / math.sqrt(networks)


NETWORKS = [(2, 7, 3, 2000), (9, 30, 2, 400), (40, 20, 3, 100), (80, 16, 4, 60), (80, 12, 5, 60)]


@pytest.fixture(scope="module")
def flips():
    """The exact flip probability of all networks, of several sizes at once."""
    found = dense_flip_probability(*np.transpose(NETWORKS)[:3], exact=True)
    return dict(zip(NETWORKS, np.asarray(found), strict=True))


@pytest.mark.parametrize("case", NETWORKS)
def test_the_exact_flip_probability_is_that_of_networks(flips, case):
    rng = np.random.default_rng(0)
    mean, error = share_of_unstable_units(rng, *case)
    # 4 standard errors; where two patterns make the sum, the blur counts.
    assert abs(mean - flips[case]) < 4 * error + 0.01 * flips[case]


def law_of_small_networks(n_patterns, d, degree):
    """P(flip) from the law of the sum of N whole numbers, every value with its chance."""
    term = Counter()
    for ups in range(d):
        rest = d - 1 - 2 * ups
        for unit in (1, -1):
            rise = (rest + unit) ** degree - (rest - unit) ** degree
            term[rise] += math.comb(d - 1, ups) / 2**d
    total = Counter({d**degree - (d - 2) ** degree: 1.0})
    for _ in range(n_patterns - 1):
        longer = Counter()
        for value, chance in total.items():
            for rise, share in term.items():
                longer[value + rise] += chance * share
        total = longer
    return sum(chance for value, chance in total.items() if value < 0) + total[0] / 2


@pytest.mark.parametrize("case", [(2, 3, 1), (9, 5, 1), (12, 5, 3), (20, 5, 3)])
def test_overlaps_of_zero_count_where_degree_and_units_are_odd(case):
    """There (0 + 1)ⁿ − (0 − 1)ⁿ is 2: without it the last case would be wrong by 0.7 %."""
    found = dense_flip_probability(*case, exact=True)
    assert found == pytest.approx(law_of_small_networks(*case), rel=2e-3)


def test_the_normal_approximation_is_far_off_at_higher_degrees():
    rng = np.random.default_rng(0)
    mean, error = share_of_unstable_units(rng, 20, 16, 4, 600)
    assert mean - 4 * error > 10 * dense_flip_probability(20, 16, 4)
    assert abs(mean - dense_flip_probability(20, 16, 4, exact=True)) < 4 * error


@pytest.mark.parametrize(
    ("n_patterns", "d", "rel"),
    [(2, 20, 1e-3), (5, 20, 2e-2), (15, 100, 2e-3), (16, 100, 2e-3), (160, 1000, 3e-5)],
)
def test_degree_two_is_the_binomial(n_patterns, d, rel):
    # A sum of (N − 1)(d − 1) signs below −(d − 1), ties half. The blur hides that it is a lattice,
    # which counts in the order of the squared step, 1/d².
    n, signal = (n_patterns - 1) * (d - 1), d - 1
    below = stats.binom.cdf(math.ceil((n - signal) / 2) - 1, n, 0.5)
    at_most = stats.binom.cdf(math.floor((n - signal) / 2), n, 0.5)
    with jax.enable_x64():
        found = float(dense_flip_probability(n_patterns, d, 2, exact=True))
    assert found == pytest.approx((below + at_most) / 2, rel=rel)


def test_the_normal_approximation_is_the_limit():
    # At a fixed load of 0.2 d^{n−1}/(2n − 3)!!.
    for degree, odd in ((2, 1), (3, 3)):
        gaps = []
        for d in (20, 80, 320):
            n_patterns = round(0.2 * d ** (degree - 1) / odd)
            normal = dense_flip_probability(n_patterns, d, degree)
            gaps.append(abs(dense_flip_probability(n_patterns, d, degree, exact=True) / normal - 1))
        assert gaps[0] > 2 * gaps[1] > 4 * gaps[2]
        assert gaps[2] < 0.04


def test_the_flip_probability_is_that_of_scipy():
    n_patterns, degree = np.asarray([[10], [5000]]), np.asarray([1, 2, 3, 4])
    double_factorial = np.asarray([1, 1, 3, 15])
    expected = stats.norm.sf(np.sqrt(100.0 ** (degree - 1) / (double_factorial * n_patterns)))
    found = dense_flip_probability(n_patterns, 100, degree)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-30)
    np.testing.assert_allclose(
        dense_flip_probability(14, 100, 2), hebb_flip_probability(15, 100), 1e-5
    )
    mapped = jax.jit(jax.vmap(dense_flip_probability, (None, None, 0)))(5000, 100, degree)
    np.testing.assert_allclose(mapped, found[1], rtol=1e-5)


def test_transformations_of_the_exact_one():
    def exact(n_patterns, degree=3):
        return dense_flip_probability(n_patterns, 20, degree, exact=True)

    both = exact([30, 60], [[2], [3]])
    assert both.shape == (2, 2)
    np.testing.assert_allclose(jax.jit(jax.vmap(exact))(jnp.asarray([30, 60])), both[1], rtol=1e-4)
    slope = jax.grad(exact)(60.0)
    assert slope == pytest.approx(float(exact(61) - exact(59)) / 2, rel=0.02)
    assert exact(1) == 0
    assert np.isfinite(jax.grad(exact)(1.0))
    # Far above capacity a unit is as good as random.
    assert exact(1e12, 2) == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("degree", [2, 3, 7, 30])
def test_the_capacity_has_the_tolerated_error(degree):
    log_n = dense_capacity(200, degree, error=0.01, log=True)
    if degree < 10:
        n_patterns = dense_capacity(200, degree, error=0.01)
        assert dense_flip_probability(n_patterns, 200, degree) == pytest.approx(0.01, rel=1e-3)
    expected = (degree - 1) * math.log(200) - 2 * math.log(stats.norm.isf(0.01))
    expected -= sum(math.log(k) for k in range(1, 2 * degree - 2, 2))
    assert log_n == pytest.approx(expected, rel=1e-5)


def test_capacities_by_hand():
    # The published 11, 360 and 7240 patterns of 100 units without errors.
    found = dense_capacity(100, [2, 3, 4], "no_errors")
    np.testing.assert_allclose(found, [10.857, 361.9, 7238.2], rtol=1e-4)
    np.testing.assert_allclose(dense_capacity(100, 2, "all_patterns"), 5.42868, rtol=1e-5)
    np.testing.assert_allclose(dense_capacity(100, 2), 15.07, rtol=1e-3)
    np.testing.assert_allclose(dense_capacity(100, 2, error=stats.norm.sf(0.14**-0.5)), 14, 1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dense_flip_probability(0, 10, 2), "`n_patterns` must be at least 1"),
        (lambda: dense_flip_probability(5, 10, 0), "`degree` must be at least 1"),
        (lambda: dense_flip_probability(5, 10.5, 2, exact=True), "`d` must be a whole number"),
        (lambda: dense_flip_probability(5, 10, 2.5, exact=True), "`degree` must be a whole number"),
        (lambda: dense_capacity(1, 2), "`d` must be at least 2"),
        (lambda: dense_capacity(10, 2, "any"), "`criterion` must be one of 'tolerated_error'"),
        (lambda: dense_capacity(10, 2, error=0.5), "`error` must lie between 0 and 1/2"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_traced_size_is_an_error_that_says_what_to_do():
    with pytest.raises(TypeError, match=r"`d` is traced.*static"):
        jax.jit(lambda d: dense_flip_probability(5, d, 2, exact=True))(10)
