import math

import jax
import numpy as np
import pytest

from attrax.evaluate import draw_softmax_reads, draw_softmax_thresholds

KEY = jax.random.key(0)


def rows(rng, ensemble, number, d):
    if ensemble == "binary":
        return rng.choice([-1.0, 1.0], (number, d))
    patterns = rng.standard_normal((number, d))
    if ensemble == "spherical":
        patterns *= math.sqrt(d) / np.linalg.norm(patterns, axis=1, keepdims=True)
    return patterns


@pytest.mark.parametrize("ensemble", ["spherical", "gaussian", "binary"])
@pytest.mark.parametrize("beta", [0.4, 2.0])
def test_reads_are_those_of_patterns(ensemble, beta):
    rng, number, d, draws = np.random.default_rng(0), 1500, 14, 300
    query = np.ones(d)
    expected = []
    for _ in range(draws):
        overlap = rows(rng, ensemble, rng.poisson(number), d) @ query / d
        weight = np.exp(beta * d * overlap)
        total = weight.sum()
        share = weight / total
        expected.append((math.log(total), share @ overlap, share @ share))
    found = draw_softmax_reads(ensemble, math.log(number), d, beta, draws=4 * draws, key=KEY)
    for drawn, true in zip(found, np.transpose(expected), strict=True):
        assert drawn.shape == (4 * draws,)
        error = math.hypot(drawn.std() / math.sqrt(drawn.size), true.std() / math.sqrt(draws))
        assert abs(drawn.mean() - true.mean()) < 4 * error
        # And they vary as much, in the middle: squares have a long tail.
        spread = [np.subtract(*np.quantile(x, [0.75, 0.25])) for x in (drawn, true)]
        assert spread[0] == pytest.approx(spread[1], rel=0.3)


def test_few_patterns_are_all_drawn_one_by_one():
    found = draw_softmax_reads("gaussian", 0.0, 20, 1.0, draws=4000, key=KEY)
    none = np.isneginf(found.log_sum)
    assert np.mean(none) == pytest.approx(math.exp(-1), abs=0.03)
    assert (found.squares[none] == 0).all()
    assert (found.overlap[none] == 0).all()
    # All weights alike: their sum is the number of patterns, a Poisson variable.
    cold = draw_softmax_reads("gaussian", math.log(30), 20, 1e-6, draws=4000, key=KEY)
    number = np.exp(cold.log_sum)
    assert number.mean() == pytest.approx(30, abs=0.4)
    assert number.std() == pytest.approx(math.sqrt(30), rel=0.05)
    assert abs(cold.overlap.mean()) < 4 * cold.overlap.std() / math.sqrt(4000)
    np.testing.assert_allclose(cold.squares, 1 / number, rtol=1e-3)


def test_numbers_of_patterns_share_their_draws():
    logs = [2.0, 5.0, 400.0]
    found = draw_softmax_reads("spherical", logs, 1000, 1.0, draws=50, key=KEY)
    assert found.log_sum.shape == (3, 50)
    assert (np.diff(found.log_sum, axis=0) > 0).all()
    one = draw_softmax_reads("spherical", 5.0, 1000, 1.0, draws=50, key=KEY)
    np.testing.assert_array_equal(one.overlap, found.overlap[1])
    # Of very many, the sum is as good as its mean.
    assert found.log_sum[2].std() < 1e-3


@pytest.mark.parametrize("ensemble", ["spherical", "gaussian", "binary"])
def test_thresholds_are_where_the_log_sum_is_the_signal(ensemble):
    found = draw_softmax_thresholds(ensemble, 12, 1.0, overlap=0.7, draws=200, key=KEY)
    for shift, side in ((1e-4, 1), (-1e-4, -1)):
        again = [
            draw_softmax_reads(ensemble, x + shift, 12, 1.0, draws=200, key=KEY).log_sum[k]
            for k, x in enumerate(found[:5])
            if x > 0.01
        ]
        assert again
        assert (side * (np.array(again) - 0.7 * 12) > 0).all()


def test_a_pattern_is_kept_as_often_as_among_real_ones():
    rng, d, draws = np.random.default_rng(1), 10, 400
    logs = draw_softmax_thresholds("gaussian", d, 2.0, draws=4000, key=KEY)
    number = 200
    kept = []
    for _ in range(draws):
        scores = 2 * rows(rng, "gaussian", number, d) @ np.ones(d)
        kept.append(np.logaddexp.reduce(scores) < 2 * d)
    share, error = np.mean(kept), math.sqrt(0.25 / draws)
    assert abs(np.mean(logs > math.log(number)) - share) < 4 * error
    assert abs(np.mean(logs > math.log(4 * number)) - share) > 4 * error


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ensemble": "normal"}, "`ensemble` must be one of"),
        ({"beta": 0.0}, "`beta` must be positive and finite, but it is 0"),
        ({"d": 0}, "`d` must be"),
        ({"draws": 0}, "`draws` must be"),
        ({"d": 2}, "`d` must be at least 3 for spherical patterns, but it is 2"),
        ({"log_n_patterns": -1.0}, "`log_n_patterns` must be logarithms"),
        ({"log_n_patterns": [[1.0]]}, "`log_n_patterns` must be logarithms"),
        ({"overlap": -0.5}, "`overlap` must be positive, but it is -0.5"),
    ],
)
def test_bad_arguments_are_named(change, message):
    asked = {"ensemble": "spherical", "d": 10, "beta": 1.0, "draws": 2, "key": KEY} | change
    if "overlap" in change:
        draw = draw_softmax_thresholds
    else:
        draw, asked = draw_softmax_reads, {"log_n_patterns": 1.0} | asked
    with pytest.raises(ValueError, match=message):
        draw(**asked)
