import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from attrax.theory import entropy_gap, exponential_flip_probability, exponential_rate
from jitted import jitted


def test_the_entropy_gap_is_a_relative_entropy():
    mean = np.asarray([-1.0, -0.7, -0.5, -1e-3, 0, 1e-4, 0.2, 0.499, 0.501, 0.9, 1])
    expected = np.asarray([math.log(2) - stats.bernoulli((1 + a) / 2).entropy() for a in mean])
    # Where that difference cancels: a²/2 + a⁴/12.
    expected = np.where(abs(mean) < 0.01, mean**2 / 2 + mean**4 / 12, expected)
    np.testing.assert_allclose(jitted(entropy_gap, mean), expected, rtol=1e-6, atol=1e-12)
    slopes = jax.jit(jax.vmap(jax.grad(entropy_gap)))(mean[1:-1])
    np.testing.assert_allclose(slopes, np.arctanh(mean[1:-1]), rtol=1e-5, atol=1e-12)


def test_rates_by_hand():
    found = exponential_rate([0, 0.1, 0.2, 0.3, 0.5])
    np.testing.assert_allclose(found, [math.log(2) / 2, 0.1840, 0.0964, 0.0411, 0], atol=6e-5)
    one = exponential_rate([0, 0.1, 0.5], "one_pattern")
    np.testing.assert_allclose(one, [2 - math.log(math.cosh(2)), 2 * found[1], 0], rtol=1e-5)


def test_rates_have_slopes_where_they_are_smooth():
    """Without damage the rate of one pattern is that of a straight line, 2(1 − 2ρ) − ln cosh 2."""
    slope = jax.jit(jax.grad(lambda damage: exponential_rate(damage, "one_pattern")))
    assert float(slope(0.0)) == float(slope(0.005)) == -4.0
    assert float(slope(0.2)) == pytest.approx(-2 * math.atanh(0.6), rel=1e-5)


def test_the_rate_of_one_pattern_is_a_supremum():
    # Typical noise e^{d max[a + (α − I(a))/2]}, over overlaps a that occur, against e^{d signal}.
    a = np.linspace(0, 1, 200_001)
    gap = np.asarray(jitted(entropy_gap, a), np.float64)
    for damage in (0.0, 0.005, 0.02, 0.2):
        rate = float(exponential_rate(damage, "one_pattern"))
        for load, lost in ((rate - 1e-3, False), (rate + 1e-3, True)):
            noise = np.max((a + (load - gap) / 2)[gap <= load])
            assert (noise > 1 - 2 * damage) is np.bool_(lost)


def share_of_wrong_units(rng, n_patterns, d, flips, networks):
    """Mean and standard error over networks of one update of all units of every pattern."""
    shares = []
    for _ in range(networks):
        patterns = rng.choice([-1, 1], (n_patterns, d))
        flipped = np.argsort(rng.random(patterns.shape)) < flips
        cues = np.where(flipped, -patterns, patterns)
        overlaps = cues @ patterns.T
        # exp(overlap without unit i), the last axis; the largest is within range of doubles.
        rest = overlaps[..., None] - cues[:, None] * patterns[None]
        fields = (np.exp(rest.astype(float)) * patterns[None]).sum(1)
        shares.append(np.mean(fields * patterns < 0))
    return np.mean(shares), np.std(shares) / math.sqrt(networks)


NETWORKS = [(150, 20, 0, 60), (150, 20, 4, 40), (20, 12, 2, 400), (200, 30, 6, 30), (3, 6, 1, 2000)]


@pytest.fixture(scope="module")
def wrong():
    """The flip probability of all networks, of several sizes at once."""
    n_patterns, d, flips, _ = np.transpose(NETWORKS)
    found = exponential_flip_probability(np.log(n_patterns), d, flips / d)
    return dict(zip(NETWORKS, np.asarray(found), strict=True))


@pytest.mark.parametrize("case", NETWORKS)
def test_the_flip_probability_is_that_of_networks(wrong, case):
    rng = np.random.default_rng(0)
    mean, error = share_of_wrong_units(rng, *case)
    # 4 standard errors, and 2 % for the blur; units of one network err together.
    assert abs(mean - wrong[case]) < 4 * error + 0.02 * wrong[case]


def test_large_numbers_of_patterns_by_their_counts():
    # The numbers of patterns at each overlap are multinomial, and half of each have either sign.
    rng = np.random.default_rng(0)
    d, flips, n_patterns, draws = 40, 8, 20_000, 20_000
    chances = stats.binom.pmf(np.arange(d), d - 1, 0.5)
    wrong = []
    for flipped, share in ((flips, 1 - flips / d), (flips - 1, flips / d)):
        counts = rng.multinomial(n_patterns - 1, chances, draws)
        surplus = 2 * rng.binomial(counts, 0.5) - counts
        sums = surplus @ np.exp(2.0 * (flipped - np.arange(d)))
        wrong.append(share * np.mean(sums > 1))
    expected = float(exponential_flip_probability(math.log(n_patterns), d, flips / d))
    error = math.sqrt(expected / draws)
    assert abs(sum(wrong) - expected) < 4 * error + 0.01 * expected


def test_errors_vanish_exponentially_up_to_the_rate_of_one_pattern():
    # −ln P(wrong)/d → I(1 − 2ρ) − α, also beyond the rate at which all patterns are repaired.
    damage, load = 0.2, 0.15
    assert exponential_rate(damage) < load < exponential_rate(damage, "one_pattern")
    with jax.enable_x64():
        d = np.asarray([400, 600])
        logs = np.log(exponential_flip_probability(load * d, d, damage))
        slope = -(logs[1] - logs[0]) / 200
        gap = float(entropy_gap(1 - 2 * damage)) - load
    # The prefactor d^{−1/2} adds ln(1.5)/400 = 0.001.
    assert slope == pytest.approx(gap + math.log(1.5) / 400, rel=0.01)


@pytest.mark.parametrize("damage", [0.0, 0.2])
def test_beyond_the_rate_of_one_pattern_units_are_random(damage):
    d = 200
    rate = float(exponential_rate(damage, "one_pattern"))
    below, above = exponential_flip_probability([0.85 * rate * d, 1.15 * rate * d], d, damage)
    assert below < 0.02
    assert above > 0.45


def test_shapes_transformations_and_limits():
    found = exponential_flip_probability([[2.0], [5.0]], [10, 20, 40], [0.1, 0.2, 0.0])
    assert found.shape == (2, 3)
    one = exponential_flip_probability(5.0, 20, 0.2)
    assert one.shape == ()
    np.testing.assert_allclose(found[1, 1], one, rtol=1e-3)

    def at(log_n, damage):
        return exponential_flip_probability(log_n, 20, damage)

    mapped = jax.jit(jax.vmap(at))(jnp.asarray([2.0, 5.0]), jnp.asarray([0.2, 0.2]))
    np.testing.assert_allclose(mapped, found[:, 1], rtol=1e-3)
    slope = jax.grad(at)(5.0, 0.2)
    assert slope == pytest.approx(float(at(5.1, 0.2) - at(4.9, 0.2)) / 0.2, rel=0.02)
    assert at(0.0, 0.5) == 0
    assert np.isfinite(jax.grad(at)(0.0, 0.2))


def test_more_patterns_than_floats_can_count():
    # e^{300} patterns of 1000 units, in float32.
    assert exponential_flip_probability(300.0, 1000, 0.0) < 1e-5
    assert exponential_flip_probability(300.0, 1000, 0.2) > 0.45


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: entropy_gap(1.5), "`mean` must be between -1 and 1, but it is 1.5"),
        (lambda: exponential_rate(0.6), "`damage` must be between 0 and 0.5, but it is 0.6"),
        (lambda: exponential_rate(0.1, "both"), "`criterion` must be one of 'all_patterns'"),
        (lambda: exponential_flip_probability(-1.0, 10), "`log_n_patterns` must be at least 0"),
        (
            lambda: exponential_flip_probability(1.0, 0),
            "`d` must be a whole number.*is 0",
        ),
        (lambda: exponential_flip_probability(1.0, 9.5), "`d` must be a whole number"),
        (lambda: exponential_flip_probability(1.0, 10, -0.1), "`damage` must be between 0 and 0.5"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_traced_size_is_an_error_that_says_what_to_do():
    with pytest.raises(TypeError, match=r"`d` is traced.*static"):
        jax.jit(lambda d: exponential_flip_probability(1.0, d))(10)
