"""Theory of sparse distributed memories, against enumeration, quadrature and drawn points."""

import math

import jax
import numpy as np
import pytest
from scipy import integrate, stats

from attrax.theory import (
    circle_intersection,
    critical_distance,
    fit_beta,
    optimal_radius,
    signal_to_noise,
)

pytestmark = pytest.mark.usefixtures("x64")
CANONICAL, ATTENTION = (1000, 1e6, 1e4), (64, 2.0**64, 1024)


def double_sum(distance, n, radius):
    """Equation 2 of Bricken and Pehlevan (2021), in whole numbers."""
    total = 0
    for a in range(n - radius - distance // 2, n - distance + 1):
        lowest = max(0, n - radius - a)
        for c in range(lowest, distance - (n - radius - a) + 1):
            total += math.comb(n - distance, a) * math.comb(distance, c)
    return total


@pytest.mark.parametrize(("n", "radius"), [(9, 4), (12, 5), (64, 11), (101, 0), (300, 140)])
def test_circles_are_counted_exactly(n, radius):
    distances = np.arange(0, n + 1, max(1, n // 40))
    expected = [double_sum(int(d), n, radius) for d in distances]
    found = np.asarray(circle_intersection(distances, n, radius, log=True))
    logs = [math.log(x) - n * math.log(2) if x else -math.inf for x in expected]
    np.testing.assert_allclose(found, logs, atol=1e-11)


def test_circles_are_counted_by_enumeration():
    n, radius = 11, 3
    addresses = np.arange(2**n)
    ones = np.array([address.bit_count() for address in addresses.tolist()])
    near = ones <= radius
    counts = [np.sum(near & (ones[addresses ^ (2**k - 1)] <= radius)) for k in range(n + 1)]
    found = 2**n * circle_intersection(np.arange(n + 1), n, radius)
    np.testing.assert_allclose(found, counts, rtol=1e-12)
    assert found.shape == (n + 1,)
    assert float(circle_intersection(0, n, radius)) == pytest.approx(
        stats.binom(n, 0.5).cdf(radius)
    )


def test_caps_are_shares_of_the_sphere():
    rng = np.random.default_rng(0)
    for n, radius in ((5, 1), (12, 4)):
        points = rng.normal(size=(400_000, n))
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        for distance in (0, 1, 2.5):
            cosine, height = 1 - 2 * distance / n, 1 - 2 * radius / n
            other = cosine * points[:, 0] + math.sqrt(1 - cosine**2) * points[:, 1]
            share = np.mean((points[:, 0] >= height) & (other >= height))
            expected = float(circle_intersection(distance, n, radius, form="caps"))
            assert abs(share - expected) < 4 * math.sqrt(expected / 400_000) + 1e-12
    # Caps touch at twice their half-angle, and have nothing in common beyond.
    touch = 32 * (1 - math.cos(2 * math.acos(1 - 2 * 11 / 64)))
    assert float(circle_intersection(touch + 1e-9, 64, 11, form="caps")) == 0
    assert float(circle_intersection(touch - 1, 64, 11, form="caps")) > 0


def test_normal_variables_are_those_of_kanerva():
    n, radius = 1000, 451
    height = (radius - n / 2) / math.sqrt(n / 4)

    def density(x):
        return math.exp(-(height**2) / 2 / (1 - x)) / (2 * math.pi * math.sqrt(x * (1 - x)))

    for distance in (10, 200, 700):
        expected = integrate.quad(density, distance / n, 1)[0]
        found = float(circle_intersection(distance, n, radius, form="normal"))
        assert found == pytest.approx(expected, rel=1e-7)
    # They leave out half a bit at the edge of a circle.
    ratio = circle_intersection(200, n, radius) / circle_intersection(200, n, radius, form="normal")
    assert 1.05 < float(ratio) < 1.2


def test_the_slope_is_that_of_a_straight_line():
    cosines = 1 - 2 * np.arange(11) / 64
    logs = np.asarray(circle_intersection(np.arange(11), 64, 11, log=True))
    slope, height = np.polyfit(cosines, logs, 1)
    fit = fit_beta(64, 11)
    assert (fit.beta, fit.log_scale) == pytest.approx((slope, height))
    assert fit.r_squared == pytest.approx(np.corrcoef(cosines, logs)[0, 1] ** 2)
    # The code of the paper, and the number that it prints for the radius of highest capacity.
    theirs = np.cov(cosines, logs)[0, 1] / np.var(cosines)
    assert fit_beta(64, 11, estimator="sample_covariance").beta == pytest.approx(theirs)
    assert fit_beta(64, 5, estimator="sample_covariance").beta == pytest.approx(35.5, abs=0.05)
    assert fit_beta(64, 11, reach=23).beta > 1.3 * fit.beta


def test_best_radii_are_those_of_the_paper():
    for sizes, expected in ((CANONICAL, (447, 444, 448)), (ATTENTION, (11, 5, 15))):
        criteria = ("signal_to_noise", "capacity", "critical_distance")
        assert tuple(optimal_radius(*sizes, c) for c in criteria) == expected
    # More patterns want fewer locations each; a better recall wants more.
    assert optimal_radius(1000, 1e6, 1e5) < 447
    assert optimal_radius(1000, 1e6, 1e4, "capacity", recalled=0.99) >= 444
    # Few locations want the largest circle there is, below n/2.
    assert optimal_radius(7, 10, 1, "critical_distance") == 3


def test_the_ratio_of_signal_to_noise_is_that_of_drawn_locations():
    n, radius, locations, patterns = 40, 13, 1000, 30
    rng = np.random.default_rng(0)
    sums = []
    for _ in range(300):
        addresses = rng.integers(0, 2, (locations, n))
        stored = rng.integers(0, 2, (patterns, n))
        query = stored[0].copy()
        query[:3] ^= 1
        near = [np.sum(addresses != row, axis=1) <= radius for row in (query, *stored)]
        common = np.array(near[1:]) @ near[0].astype(float)
        sums.append(common[0] + common[1:] @ rng.choice([-1, 1], (patterns - 1, 50)))
    sums = np.array(sums)
    measured = sums.mean() / math.sqrt(sums.mean(1).var() + sums.var(1).mean())
    expected = float(signal_to_noise(3, n, radius, locations, patterns))
    # What other patterns add is uneven, by their distances, which the formula leaves out.
    assert measured == pytest.approx(expected, rel=0.15)
    assert measured < expected


def test_the_critical_distance_is_where_a_read_stops_to_help():
    n, locations, patterns = CANONICAL
    distances = np.arange(0, 500)
    ratio = np.asarray(signal_to_noise(distances, n, 448, locations, patterns))
    away = n * stats.norm.sf(ratio)
    critical = critical_distance(n, 448, locations, patterns)
    assert critical == 172
    assert (away[1 : critical + 1] <= distances[1 : critical + 1]).all()
    assert away[critical + 1] > critical + 1
    assert critical_distance(n, 430, locations, patterns) == 0
    assert critical_distance(n, 448, locations, 1) > 400


WRONG = [
    (lambda: circle_intersection(1, 10, 5), ValueError, "less than n/2"),
    (lambda: circle_intersection(11, 10, 3), ValueError, "between 0 and 10, but it is 11"),
    (lambda: circle_intersection(1.5, 10, 3), ValueError, "whole number for form"),
    (lambda: circle_intersection(1, 10, 3, form="cap"), ValueError, "'exact', 'caps', 'normal'"),
    (lambda: circle_intersection(math.nan, 10, 3), ValueError, "`distance`"),
    (lambda: jax.jit(lambda d: circle_intersection(d, 9, 2))(1), TypeError, "`distance` is traced"),
    (lambda: fit_beta(64, 11, reach=24), ValueError, "at most 2d \\+ 1 = 23"),
    (lambda: fit_beta(64, 1), ValueError, "`reach` must be a whole number of at least 2"),
    (lambda: fit_beta(64, 11, estimator="ols"), ValueError, "`estimator`"),
    (lambda: signal_to_noise(0, 64, 11, 0, 10), ValueError, "`locations` must be positive"),
    (lambda: critical_distance(64, 11, 1e6, 0.5), ValueError, "`patterns` must be at least 1"),
    (lambda: optimal_radius(64, 1e6, 100, "noise"), ValueError, "`criterion`"),
    (lambda: optimal_radius(64, 1e6, 100, "capacity", recalled=2), ValueError, "`recalled`"),
    (lambda: optimal_radius(8, 1, 1), ValueError, "take more locations"),
]


@pytest.mark.parametrize("call", WRONG, ids=lambda call: call[2])
def test_wrong_arguments_are_refused(call):
    function, kind, text = call
    with pytest.raises(kind, match=text):
        function()
