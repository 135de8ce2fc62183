"""The sweeps against loops in NumPy, one query at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.evaluate import capacity_sweep, level_sweep, scores
from attrax.separation import Max, Power, ScoreNormalised, Softmax, SumNormalised, TopK
from attrax.similarity import Dot, Euclidean, Manhattan

RUNS, N, D = 2, 12, 10
SIZES = (1, 5, 12)
LIMITS = (0.0, 0.2, 1.0)
PATTERNS = np.random.default_rng(1).random((RUNS, N, D)).astype(np.float32)
KNOWN = np.arange(D) < 3
KEY = jax.random.key(3)


def hide(x, known, *, key):
    return jnp.where(known, x, 0)


def shake(x, sigma, *, key):
    return x + sigma * jax.random.normal(key, x.shape)


def by_hand(weigh, queries, stored, values):
    """Squared errors of one read of each query, in double precision."""
    found = np.stack([weigh(1 / np.abs(stored - q).sum(1)) @ values for q in queries])
    return ((found - values) ** 2).sum(1)


def one_hot(s):
    return np.eye(len(s))[np.argmax(s)]


def square(s):
    return (s / s.sum()) ** 2 / ((s / s.sum()) ** 2).sum()


def best_two(s):
    kept = np.where(s >= np.sort(s)[-2:][0], s, 0)
    return kept / kept.sum()


CASES = [
    (ScoreNormalised(Max()), one_hot),
    (Max(), one_hot),
    (ScoreNormalised(SumNormalised(Power(2))), square),
    (TopK(2, SumNormalised(Power(1))), best_two),
    (lambda s: s**2 / jnp.sum(s**2), square),
]


@pytest.mark.parametrize(
    ("separation", "weigh", "hetero"), [*((*case, False) for case in CASES), (*CASES[0], True)]
)
def test_capacity_is_what_a_loop_counts(separation, weigh, hetero):
    values = PATTERNS[..., ::-1] * 0.5 if hetero else PATTERNS
    found = capacity_sweep(
        PATTERNS,
        SIZES,
        similarity=Manhattan("reciprocal"),
        separation=separation,
        corrupt=hide,
        level=KNOWN,
        thresholds=LIMITS,
        values=values if hetero else None,
        key=KEY,
    )
    assert found.fraction.shape == found.baseline.shape == (RUNS, len(SIZES), len(LIMITS))
    wide = PATTERNS.astype(np.float64)
    for r in range(RUNS):
        for i, n in enumerate(SIZES):
            stored, target = wide[r, :n], values[r, :n].astype(np.float64)
            queries = np.where(KNOWN, stored, 0)
            errors = by_hand(weigh, queries, stored, target)
            # A threshold of zero asks for the row itself, to the rounding of its entries.
            limits = np.maximum(LIMITS, 1e-10)
            expected = [(errors <= limit).mean() for limit in limits]
            np.testing.assert_allclose(found.fraction[r, i], expected, atol=1e-6)
            own = [np.argmin(np.abs(stored - q).sum(1)) for q in queries] == np.arange(n)
            np.testing.assert_allclose(found.exact[r, i], own.mean(), atol=1e-6)
            flat = ((target.mean(0) - target) ** 2).sum(1)
            expected = [(flat <= max(limit, 1e-10)).mean() for limit in LIMITS]
            np.testing.assert_allclose(found.baseline[r, i, 1:], expected[1:], atol=1e-6)


def sweep(**changes):
    parts = {
        "similarity": Euclidean(),
        "separation": Softmax(20.0),
        "corrupt": shake,
        "level": 0.2,
        "thresholds": LIMITS,
        "key": KEY,
    }
    return capacity_sweep(PATTERNS, SIZES, **{**parts, **changes})


def levels(values, **changes):
    parts = {
        "similarity": Euclidean(),
        "separation": Softmax(20.0),
        "corrupt": shake,
        "thresholds": LIMITS,
        "key": KEY,
    }
    return level_sweep(PATTERNS, values, **{**parts, **changes})


def test_a_level_is_the_largest_size_under_the_same_key():
    by_level = levels((0.05, 0.2))
    assert by_level.fraction.shape == (RUNS, 2, len(LIMITS))
    by_size = sweep()
    assert jnp.array_equal(by_level.fraction[:, 1], by_size.fraction[:, -1])
    assert jnp.array_equal(by_level.exact[:, 1], by_size.exact[:, -1])
    assert jnp.array_equal(by_level.baseline[:, 1], by_size.baseline[:, -1])


def test_a_level_may_be_a_mask_or_a_tree():
    masks = jnp.stack([KNOWN, jnp.ones(D, bool)])
    whole = levels(masks, corrupt=hide, separation=Max())
    assert jnp.all(whole.fraction[:, 1] == 1)
    assert jnp.all(whole.exact[:, 1] == 1)

    def both(x, level, *, key):
        return shake(hide(x, level["known"], key=key), level["sigma"], key=key)

    tree = {"known": masks, "sigma": jnp.zeros(2)}
    same = levels(tree, corrupt=both, separation=Max())
    assert jnp.array_equal(same.fraction, whole.fraction)


def test_the_key_decides_everything():
    assert all(jnp.array_equal(a, b) for a, b in zip(sweep(), sweep(), strict=True))
    other = sweep(key=jax.random.key(4), level=0.8)
    assert not jnp.array_equal(other.exact, sweep(level=0.8).exact)


def test_runs_draw_different_noise():
    twice = jnp.stack([PATTERNS[0], PATTERNS[0]])
    found = capacity_sweep(
        twice,
        (N,),
        similarity=Dot(),
        separation=Max(),
        corrupt=shake,
        level=0.8,
        thresholds=(1.0,),
        key=KEY,
    )
    assert found.exact[0] != found.exact[1]


def test_the_output_is_applied_to_what_is_read():
    zero = sweep(output=lambda read: 0 * read, separation=Max())
    errors = (PATTERNS**2).sum(-1)
    expected = [(errors <= limit).mean(1) for limit in LIMITS]
    np.testing.assert_allclose(zero.fraction[:, -1], np.stack(expected, 1), atol=1e-6)


def test_scores_in_chunks_are_those_of_single_queries():
    keys = jnp.asarray(PATTERNS[0])
    queries = jax.random.uniform(KEY, (1031, D))
    found = scores(Manhattan(), keys, queries)
    assert found.shape == (1031, N)
    single = jax.vmap(Manhattan(), (None, 0))(keys, queries)
    np.testing.assert_allclose(found, single, rtol=1e-6)


def test_new_numbers_trace_nothing_anew():
    traced = []

    def noted(x, sigma, *, key):
        traced.append("damage")
        return shake(x, sigma, key=key)

    def similarity(keys, query):
        traced.append("similarity")
        return Dot()(keys, query)

    sweep(corrupt=noted, similarity=similarity)
    assert set(traced) == {"damage", "similarity"}
    traced.clear()
    sweep(corrupt=noted, similarity=similarity, level=0.4, thresholds=(0.1, 0.5, 2.0))
    assert not traced
    # Another similarity is a new program for the scores, not for the damage.
    sweep(corrupt=noted, similarity=Euclidean())
    assert not traced


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"sizes": (0,)}, "`sizes` must hold numbers from 1 to 12"),
        ({"sizes": (13,)}, "`sizes` must hold numbers from 1 to 12"),
        ({"sizes": ()}, "`sizes` must hold"),
        ({"patterns": PATTERNS[0]}, "`patterns` must have shape"),
        ({"patterns": PATTERNS[:0]}, "`patterns` must have shape"),
        ({"values": PATTERNS[:, :3]}, "`values` must have one row a pattern"),
        ({"thresholds": ()}, "`thresholds` must be a sequence"),
    ],
)
def test_wrong_calls_say_what_is_wrong(change, text):
    parts = {
        "patterns": PATTERNS,
        "sizes": SIZES,
        "similarity": Dot(),
        "separation": Max(),
        "corrupt": hide,
        "level": KNOWN,
        "thresholds": LIMITS,
        "key": KEY,
    }
    with pytest.raises(Exception, match=text):
        capacity_sweep(**{**parts, **change})
