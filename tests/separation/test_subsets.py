"""Weights of k memories at once, and of norms, against solvers that know nothing of thresholds."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq, minimize

from attrax import Memory
from attrax.separation import Entmax, GhostSoftmax, KSubsets, Normmax
from attrax.similarity import Dot

N = 12
SCORES = np.random.default_rng(0).normal(size=(30, N))


def nearest(scores, k, beta):
    """The point of {0 ≤ w ≤ 1, Σ w = k} nearest to β s."""
    if k >= len(scores):
        return np.ones(len(scores))

    def excess(tau):
        return np.clip(beta * scores - tau, 0, 1).sum() - k

    low, high = beta * scores.min() - 2, beta * scores.max()
    return np.clip(beta * scores - brentq(excess, low, high, xtol=1e-14), 0, 1)


@pytest.mark.parametrize("k", [1, 2, 5, N - 1, N, N + 3])
def test_weights_of_subsets_are_the_nearest_point(k):
    with jax.enable_x64():
        found = jax.jit(jax.vmap(KSubsets(k, 1.5)))(jnp.asarray(SCORES))
        expected = [nearest(scores, k, 1.5) for scores in SCORES]
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_subsets_of_one_are_sparsemax():
    with jax.enable_x64():
        for scores in jnp.asarray(SCORES[:3]):
            subsets, sparse = KSubsets(1, 1.5), Entmax(2.0, 1.5)
            np.testing.assert_allclose(subsets(scores), sparse(scores), atol=1e-14)
            np.testing.assert_allclose(subsets.potential(scores), sparse.potential(scores))
    assert KSubsets(1).normalised
    assert not KSubsets(2).normalised


@pytest.mark.parametrize("block", [None, 4])
def test_the_best_rows_are_summed_exactly_where_a_gap_is_wide(block):
    """The k-th best score is 1/β above the next, and the best far above that: ones and zeros."""
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(N, 5)).astype(np.float32)
    keys = np.zeros((N, 5), np.float32)
    keys[:, 0] = [7, 1e4, -3, 2, 8, 0, 1, 4, -9, -2, 3, -1]
    memory = Memory(keys, rows, similarity=Dot(), separation=KSubsets(3, 0.5), block=block)
    query = np.array([1, 0, 0, 0, 0], np.float32)
    chosen = np.isin(np.arange(N), [0, 1, 4]).astype(np.float32)
    np.testing.assert_array_equal(memory.weights(query), chosen)
    np.testing.assert_array_equal(memory(query), chosen @ rows)


@pytest.mark.parametrize("separation", [KSubsets(2, 50.0), Normmax(3.0, 50.0), Entmax(1.5, 50.0)])
def test_scores_out_of_the_usual_range(separation):
    """Ties, infinite scores, none but −∞, and NaN, which must not turn into a number."""
    inf = np.inf
    for scores in ([inf, inf, 1, 2], [-inf, 1, 2, -inf], [3e38, 1, 1, -3e38], [1, 1, 1, 1]):
        weights = np.asarray(separation(jnp.asarray(scores, jnp.float32)))
        total = separation.k if isinstance(separation, KSubsets) else 1
        np.testing.assert_allclose(weights.sum(), total, rtol=1e-6)
        assert (weights[np.isneginf(scores)] == 0).all()
    np.testing.assert_array_equal(separation(jnp.full(4, -jnp.inf)), np.zeros(4))
    assert np.isnan(separation(jnp.asarray([jnp.nan, 1, 2, 3]))).any()


@pytest.mark.parametrize("alpha", [1.5, 2.0, 5.0])
def test_weights_of_norms_maximise_what_they_should(alpha):
    with jax.enable_x64():
        part = Normmax(alpha, 1.5)
        look = jax.jit(lambda scores: (part(scores), part.potential(scores)))
        for scores in SCORES[:3]:

            def loss(w, scores=scores):
                return np.sum(np.abs(w) ** alpha) ** (1 / alpha) - 1 - 1.5 * w @ scores

            whole = {"type": "eq", "fun": lambda w: w.sum() - 1}
            start, bounds = np.full(N, 1 / N), [(0, 1)] * N
            best = minimize(loss, start, bounds=bounds, constraints=whole, tol=1e-14)
            weights, potential = look(jnp.asarray(scores))
            np.testing.assert_allclose(weights, best.x, atol=1e-5)
            np.testing.assert_allclose(1.5 * potential, -best.fun, atol=1e-9)


def test_large_norms_share_evenly():
    scores = jnp.asarray([1.0, 0.9, 0.8, -5.0])
    np.testing.assert_allclose(Normmax(500.0, 2.0)(scores), [1 / 3, 1 / 3, 1 / 3, 0], atol=2e-3)


@pytest.mark.parametrize("scores", [[-1e3, -1e3], [-1e30, -2e30], [1e3, 1e3], [1e30, 0.0]])
def test_the_ghost_is_stable_at_both_ends(scores):
    """e^p/(1 + Σ e^p) and ln(1 + Σ e^p), for all p far below zero as for p far above."""
    ghost, scores = GhostSoftmax(), jnp.asarray(scores, jnp.float32)
    wide = np.append(np.asarray(scores, np.float64), 0.0)
    terms = np.exp(wide - wide.max())
    value, slope = jax.value_and_grad(ghost.potential)(scores)
    np.testing.assert_allclose(ghost(scores), (terms / terms.sum())[:2], atol=1e-6)
    np.testing.assert_allclose(slope, ghost(scores), atol=1e-6)
    np.testing.assert_allclose(value, wide.max() + np.log(terms.sum()), rtol=1e-6, atol=1e-6)


SETTING = """
import numpy as np
from attrax.separation import *
"""

CASES = {
    "KSubsets(0)": "ValueError: `k` must be a positive whole number",
    "KSubsets(1.5)": "ValueError: `k` must be a positive whole number",
    "KSubsets(True)": "ValueError: `k` must be a positive whole number",
    "KSubsets(2, -1.0)": "ValueError: `beta` must be positive",
    "KSubsets(2, np.ones(3))": "ValueError: `beta` must be one number",
    "Normmax(1)": "ValueError: `alpha` must exceed 1",
    "Normmax(np.inf)": "ValueError: `alpha` must exceed 1 and be finite",
    "Normmax('2')": "TypeError: `alpha` must be a number",
    "Normmax(2.0, 0.0)": "ValueError: `beta` must be positive",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_separations_are_refused(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}")
