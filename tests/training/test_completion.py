"""Masked rows, filled in: the steps, their energy and slopes, and wrong calls."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax.separation import Softmax
from attrax.similarity import Euclidean
from attrax.training import complete, completion_loss

BETA, ALPHA, STEPS = 1.5, 0.25, 6
RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(5, 4)).astype(np.float32)
X = RNG.normal(size=(7, 4)).astype(np.float32)
HIDDEN = RNG.random((7, 4)) < 0.5
HIDDEN[0] = False
HIDDEN[1] = True
START = np.array([0.1, -0.2, 0.3, 0.0], np.float32)


def memory(rows=ROWS, beta=BETA):
    return attrax.Memory(rows, similarity=Euclidean(), separation=Softmax(beta))


@jax.jit
def loss(rows):
    return completion_loss(memory(rows), X, HIDDEN, start=START, alpha=ALPHA, steps=STEPS)


def by_hand(rows, x, hidden, start, steps):
    """States of NumPy in double precision, (n, d)."""
    rows, x = rows.astype(np.float64), x.astype(np.float64)
    state = np.where(hidden, start, x)
    for _ in range(steps):
        scores = -BETA / 2 * np.square(rows[None] - state[:, None]).sum(2)
        weights = np.exp(scores - scores.max(1, keepdims=True))
        read = weights @ rows / weights.sum(1, keepdims=True)
        state = np.where(hidden, state + ALPHA * (read - state), state)
    return state


def test_hidden_entries_take_the_steps_that_are_said():
    found = np.asarray(complete(memory(), X, HIDDEN, start=START, alpha=ALPHA, steps=STEPS))
    np.testing.assert_allclose(found, by_hand(ROWS, X, HIDDEN, START, STEPS), atol=2e-6)
    np.testing.assert_array_equal(found[~HIDDEN], X[~HIDDEN])


def test_the_loss_is_the_mean_over_hidden_entries_and_its_slopes_those_of_differences():
    def expected(rows):
        error = X - by_hand(rows, X, HIDDEN, START, STEPS)
        return np.square(error)[HIDDEN].mean()

    assert float(loss(ROWS)) == pytest.approx(expected(ROWS), rel=1e-5)
    slopes = np.asarray(jax.jit(jax.grad(loss))(ROWS))
    step = 1e-4
    for place in [(0, 0), (2, 3), (4, 1)]:
        moved = [ROWS.astype(np.float64) for _ in range(2)]
        moved[0][place] += step
        moved[1][place] -= step
        slope = (expected(moved[0]) - expected(moved[1])) / (2 * step)
        assert slopes[place] == pytest.approx(slope, rel=1e-3, abs=1e-5)
    forwards = jax.jit(lambda at: jax.jvp(loss, (at,), (jnp.ones_like(at),))[1])(ROWS)
    assert float(forwards) == pytest.approx(slopes.sum(), rel=1e-4)


def test_a_row_may_be_hidden_whole_or_one_mask_serve_all():
    whole = complete(memory(), X, np.ones(4, bool), start=X, alpha=ALPHA, steps=STEPS)
    expected = by_hand(ROWS, X, np.ones_like(HIDDEN), X, STEPS)
    np.testing.assert_allclose(whole, expected, atol=2e-6)
    np.testing.assert_array_equal(complete(memory(), X, np.zeros(4, bool)), X)


def test_nan_is_passed_on_and_half_precision_is_kept():
    rows = jnp.asarray(ROWS).at[0, 0].set(jnp.nan)
    traced = jax.jit(lambda rows: complete(memory(rows), X, HIDDEN, alpha=ALPHA, steps=STEPS))
    found = np.asarray(traced(rows))
    assert np.isnan(found[HIDDEN]).all()
    assert not np.isnan(found[~HIDDEN]).any()
    half = complete(memory(ROWS.astype(jnp.bfloat16)), X, HIDDEN, alpha=ALPHA, steps=STEPS)
    assert half.dtype == jnp.bfloat16
    np.testing.assert_allclose(half.astype(np.float32), traced(jnp.asarray(ROWS)), atol=0.1)


SETTING = """
import numpy as np, attrax
from attrax.separation import Softmax
from attrax.similarity import Euclidean
from attrax.training import complete, completion_loss
x, hidden = np.zeros((3, 4)), np.ones((3, 4), bool)
memory = attrax.Memory(np.eye(4), similarity=Euclidean(), separation=Softmax(1.0))
pairs = attrax.Memory(np.eye(4), np.eye(4), similarity=Euclidean(), separation=Softmax(1.0))
"""
CASES = {
    "complete(np.eye(4), x, hidden)": "TypeError: `memory` must be an attrax.Memory.*ndarray",
    "complete(pairs, x, hidden)": "ValueError: `memory` must be read in the units.*leave out `val",
    "complete(memory, x[:, :3], hidden)": "ValueError: `rows` must have.* 4 entries.*\\(3, 3\\)",
    "complete(memory, x[0], hidden)": "ValueError: `rows`.*",
    "complete(memory, x[:0], hidden[:0])": "ValueError: `rows` must have at least one row",
    "complete(memory, x * np.nan, hidden)": "ValueError: `rows`.*NaN",
    "complete(memory, x, hidden[:2])": "ValueError: `hidden` must have the shape.*\\(2, 4\\)",
    "complete(memory, x, hidden * 1.0)": "TypeError: `hidden`.*bool",
    "complete(memory, x, hidden, start=np.zeros(3))": "ValueError: `start` must be a number, or",
    "complete(memory, x, hidden, alpha=1.5)": "ValueError: `alpha`.*\\(0, 1\\].*1.5",
    "complete(memory, x, hidden, alpha=0.0)": "ValueError: `alpha`.*",
    "complete(memory, x, hidden, steps=0)": "ValueError: `steps`.*",
    "completion_loss(memory, x, ~hidden)": "ValueError: `hidden` hides nothing",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_calls_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}")
