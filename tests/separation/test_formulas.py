"""Separations against independent formulas in NumPy and SciPy, on drawn scores of any size."""

from functools import partial

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from hypothesis.extra.numpy import arrays

from attrax import separation as sep
from jitted import jitted

SIZE = 8


def scores(low=-50.0, high=50.0):
    """Scores with ties, zeros and large steps."""
    each = st.one_of(
        st.floats(low, high, allow_subnormal=False),
        st.integers(1 if low > 0 else -3, 3).map(float),
    )
    return arrays(np.float64, SIZE, elements=each)


def masks():
    return arrays(bool, SIZE)


def entmax(alpha, beta, s):
    """By halving the interval of the threshold."""
    if s.size == 0:
        return s
    inputs = (alpha - 1) * beta * s
    low, high = inputs.max() - 1, inputs.max()
    for _ in range(200):
        middle = (low + high) / 2
        mass = np.sum(np.maximum(inputs - middle, 0) ** (1 / (alpha - 1)))
        low, high = (middle, high) if mass >= 1 else (low, middle)
    return np.maximum(inputs - low, 0) ** (1 / (alpha - 1))


def entmax_potential(alpha, beta, s):
    w = entmax(alpha, beta, s)
    return w @ s + (1 - np.sum(w**alpha)) / (alpha * (alpha - 1) * beta)


def best(k, then, s):
    chosen = np.argsort(-s, kind="stable")[:k]
    weights = np.zeros_like(s)
    weights[chosen] = then(s[chosen])
    return weights


def first_best(s):
    return np.eye(1, s.size, np.argmax(s))[0] if s.size else s


def softmax(beta, s):
    return scipy.special.softmax(beta * s) if s.size else s


def share(values):
    return values / values.sum() if values.sum() else np.zeros_like(values)


def relu(s):
    return np.maximum(s, 0)


# Each with its weights, its potential (or None), and the lowest score it is tried on.
CASES = {
    "softmax": (
        sep.Softmax(0.75),
        lambda s: softmax(0.75, s),
        lambda s: scipy.special.logsumexp(0.75 * s) / 0.75 if s.size else -np.inf,
        -50.0,
    ),
    "ghost": (
        sep.GhostSoftmax(0.75),
        lambda s: scipy.special.softmax(np.append(0.75 * s, 0.0))[:-1],
        lambda s: scipy.special.logsumexp(np.append(0.75 * s, 0.0)) / 0.75,
        -50.0,
    ),
    "exponential": (
        sep.Exponential(0.75),
        lambda s: np.exp(0.75 * s),
        lambda s: np.sum(np.exp(0.75 * s)) / 0.75,
        -50.0,
    ),
    "identity": (sep.Identity(), lambda s: s, lambda s: 0.5 * s @ s, -50.0),
    "log": (sep.Log(), np.log, lambda s: np.sum(s * np.log(s) - s), 0.01),
    "power 3": (sep.Power(3), lambda s: s**3, lambda s: np.sum(s**4) / 4, -50.0),
    "power 2.5": (sep.Power(2.5), lambda s: s**2.5, lambda s: np.sum(s**3.5) / 3.5, 0.01),
    "power 20": (
        sep.Power(20, rectified=True),
        lambda s: relu(s) ** 20,
        lambda s: np.sum(relu(s) ** 21) / 21,
        -50.0,
    ),
    "scaled power": (
        sep.Power(4, rectified=True, scale=3.0),
        lambda s: (relu(s) / 3) ** 4,
        lambda s: 3 * np.sum((relu(s) / 3) ** 5) / 5,
        -50.0,
    ),
    "log-sum-ReLU": (
        sep.LogSumReLU(0.25, epsilon=2.0**-10),
        lambda s: share((0.25 * s > -1).astype(float)),
        lambda s: np.log(2.0**-10 + np.sum(relu(1 + 0.25 * s))) / 0.25,
        -50.0,
    ),
    "threshold": (
        sep.Threshold(1.0),
        lambda s: (s >= 1).astype(float),
        lambda s: np.sum(relu(s - 1)),
        -50.0,
    ),
    "sparsemax": (
        sep.Entmax(2.0, 0.75),
        lambda s: entmax(2.0, 0.75, s),
        lambda s: entmax_potential(2.0, 0.75, s) if s.size else None,
        -50.0,
    ),
    "entmax 1.5": (
        sep.Entmax(1.5, 0.75),
        lambda s: entmax(1.5, 0.75, s),
        lambda s: entmax_potential(1.5, 0.75, s) if s.size else None,
        -50.0,
    ),
    "entmax 1.25": (
        sep.Entmax(1.25, 0.75),
        lambda s: entmax(1.25, 0.75, s),
        lambda s: entmax_potential(1.25, 0.75, s) if s.size else None,
        -50.0,
    ),
    "max": (sep.Max(), first_best, lambda s: s.max() if s.size else -np.inf, -50.0),
    "top 3": (
        sep.TopK(3, sep.Softmax(0.75)),
        lambda s: best(3, lambda t: softmax(0.75, t), s),
        lambda s: scipy.special.logsumexp(0.75 * np.sort(s)[-3:]) / 0.75 if s.size else -np.inf,
        -50.0,
    ),
    "top of more than there are": (
        sep.TopK(SIZE + 3, sep.Exponential(0.25)),
        lambda s: np.exp(0.25 * s),
        lambda s: np.sum(np.exp(0.25 * s)) / 0.25,
        -50.0,
    ),
    "sum of powers": (
        sep.SumNormalised(sep.Power(20, rectified=True)),
        lambda s: share(relu(s) ** 20),
        None,
        -50.0,
    ),
    "sum of exponentials": (
        sep.SumNormalised(sep.Exponential(0.75)),
        lambda s: softmax(0.75, s),
        None,
        -50.0,
    ),
    "shares": (
        sep.ScoreNormalised(sep.Softmax(5.0)),
        lambda s: softmax(5.0, s / s.sum()) if s.size else s,
        None,
        0.01,
    ),
}
# A bound method or module cannot be hashed, as `jax.jit` demands; what wraps it can.
JITTED = {
    name: (
        jax.jit(partial(type(part).__call__, part)),
        jax.jit(partial(type(part).potential, part)),
    )
    for name, (part, _, _, _) in CASES.items()
}


@pytest.mark.parametrize("name", CASES)
def test_weights_and_potential_are_the_formula(name):
    _, formula, potential, low = CASES[name]
    weights_of, potential_of = JITTED[name]

    @hypothesis.given(scores(low), masks())
    def check(s, mask):
        expected = np.zeros(SIZE)
        expected[mask] = formula(s[mask])
        with jax.enable_x64():
            found = weights_of(jnp.asarray(s), jnp.asarray(mask))
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
            theirs = potential(s[mask]) if potential else None
            if theirs is not None:
                ours = potential_of(jnp.asarray(s), jnp.asarray(mask))
                scale = 1 + np.abs(s).max()
                np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12 * scale)

    check()


@pytest.mark.parametrize("name", CASES)
def test_single_precision_keeps_its_digits(name):
    """The same in float32, where careless sums over- and underflow."""
    _, formula, _, low = CASES[name]
    weights_of, _ = JITTED[name]
    everything = jnp.ones(SIZE, bool)

    @hypothesis.given(scores(low))
    def check(s):
        single = s.astype(np.float32)
        expected = formula(single.astype(np.float64))
        hypothesis.assume(np.abs(expected).max() < 1e38)
        found = weights_of(jnp.asarray(single), everything)
        # Exponents reach 35, powers 20: relative errors of so many ε.
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * scale + 1e-37)

    check()


def test_high_powers_of_long_patterns_stay_within_range():
    """±1 patterns of 784 entries score up to 784, and 784²⁰ is no float32."""
    rng = np.random.default_rng(0)
    rows = np.sign(rng.normal(size=(12, 784))).astype(np.float32)
    scores = jnp.asarray(np.abs(rows @ rows[0]))
    for part in (sep.SumNormalised(sep.Power(20, rectified=True)), sep.Power(20, scale=784.0)):
        weights = np.asarray(jitted(part, scores))
        assert np.isfinite(weights).all()
        np.testing.assert_allclose(weights[0], 1.0, rtol=1e-5)
    assert np.asarray(jitted(sep.Power(20), scores))[0] == np.inf
    with jax.enable_x64():
        found = jitted(sep.Power(20), jnp.asarray([784.0]))
        np.testing.assert_allclose(found, [784.0**20])


INFINITE = {
    "softmax": sep.Softmax(2.0),
    "ghost": sep.GhostSoftmax(2.0),
    "sum of powers": sep.SumNormalised(sep.Power(3, rectified=True)),
    "sparsemax": sep.Entmax(2.0),
    "entmax 1.5": sep.Entmax(1.5),
    "entmax 1.25": sep.Entmax(1.25),
    "max": sep.Max(),
    "top 2": sep.TopK(2, sep.Softmax(2.0)),
}


@pytest.mark.parametrize("name", INFINITE)
def test_an_infinite_score_wins(name):
    """A reciprocal distance of an exact match."""
    weights = jitted(INFINITE[name], jnp.asarray([1.0, np.inf, 3.0, -np.inf]))
    np.testing.assert_array_equal(weights, [0, 1, 0, 0])


@pytest.mark.parametrize("name", INFINITE)
def test_infinite_scores_share_or_the_first_wins(name):
    weights = jitted(INFINITE[name], jnp.asarray([1.0, np.inf, 3.0, np.inf]))
    first = [0, 1, 0, 0] if name == "max" else [0, 0.5, 0, 0.5]
    np.testing.assert_allclose(weights, first)


def test_nan_is_the_best_score_as_in_argmax():
    scores = jnp.asarray([1.0, np.nan, 3.0, np.nan])
    np.testing.assert_array_equal(jitted(sep.Max(), scores), [0, 1, 0, 0])
    weights = jitted(sep.TopK(2, sep.Identity()), scores)
    np.testing.assert_array_equal(weights, [0, np.nan, 0, np.nan])
    masked = jitted(sep.Max(), scores, jnp.asarray([True, False, True, False]))
    np.testing.assert_array_equal(masked, [0, 0, 1, 0])


def test_a_row_of_score_minus_infinity_is_still_a_row():
    scores = jnp.asarray([5.0, -np.inf, -np.inf])
    mask = jnp.asarray([False, True, True])
    for part in (sep.Max(), sep.TopK(1, sep.Softmax())):
        np.testing.assert_array_equal(jitted(part, scores, mask), [0, 1, 0])


def test_limits_of_the_sparse_family():
    """α → 1 is softmax; large β is the best score alone."""
    with jax.enable_x64():
        scores = jnp.asarray(np.random.default_rng(0).normal(size=SIZE))
        near = jitted(sep.Entmax(1.001, 2.0), scores)
        np.testing.assert_allclose(near, jitted(sep.Softmax(2.0), scores), atol=2e-3)
        sharp = jitted(sep.Entmax(1.5, 1e4), scores)
        np.testing.assert_allclose(sharp, jitted(sep.Max(), scores), atol=1e-12)


@pytest.mark.parametrize("degree", [0.5, 1.5, 2.5])
def test_rectified_fractional_powers_have_no_slope_below_zero(degree):
    part = sep.Power(degree, rectified=True)
    scores = jnp.asarray([-1.0, 2.0, 3.0])
    for order in (part.potential, lambda s: jnp.sum(jnp.sin(jax.grad(part.potential)(s)))):
        slope = np.asarray(jax.jit(jax.grad(order))(scores))
        assert np.isfinite(slope).all()
        assert slope[0] == 0


@pytest.mark.parametrize(
    ("part", "reach"),
    [
        (sep.Softmax(4.0), 0.25),
        (sep.GhostSoftmax(0.5), 2.0),
        (sep.Exponential(8.0), 0.125),
        (sep.Power(3, scale=2.0), 2.0),
        (sep.Power(0.5, rectified=True, scale=3.0), 3.0),
        (sep.Power(1, scale=2.0), None),
        (sep.Power(1, rectified=True, scale=2.0), None),
        (sep.SumNormalised(sep.Exponential(4.0)), 0.25),
    ],
)
def test_scores_have_a_unit_unless_weights_are_proportional_to_them(part, reach):
    """Steps of noise are chosen by it."""
    scores = jnp.asarray([0.5, 1.0, 2.0])
    proportional = np.allclose(jitted(part, 2 * scores), 2 * jitted(part, scores), rtol=1e-6)
    assert proportional == (reach is None)
    assert part.reach is None if reach is None else part.reach == reach


def test_plain_functions():
    part = sep.SeparationFunction(lambda scores, mask=None: scores * 2)
    np.testing.assert_array_equal(part(jnp.ones(3)), [2, 2, 2])
    assert "plain function" in part.lacks_potential
