"""Kernels that move rows apart."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import attrax
from attrax.similarity import Dot, LinearKernel
from attrax.training import learn_kernel, separation_loss

N, D = 12, 16
# Crowded: much that all share, and little of their own.
ROWS = (1 + 0.5 * np.random.default_rng(0).normal(size=(N, D))).astype(np.float32)


def test_the_loss_is_the_mean_over_pairs():
    rows = ROWS.astype(np.float64)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    terms = [
        np.exp(-3.0 * np.sum((unit[i] - unit[j]) ** 2))
        for i in range(N)
        for j in range(N)
        if i != j
    ]
    np.testing.assert_allclose(separation_loss(rows, 3.0), np.log(np.mean(terms)), rtol=1e-4)
    assert abs(separation_loss(np.ones((3, 4)))) < 1e-6
    simplex = np.eye(N) - 1 / N
    np.testing.assert_allclose(separation_loss(simplex), -4 * N / (N - 1), rtol=1e-5)


def test_rows_move_apart_and_are_told_apart():
    learnt = learn_kernel(ROWS)
    assert isinstance(learnt.model, LinearKernel)
    assert learnt.losses.shape == (100,)
    lifted = learnt.model.features(jnp.asarray(ROWS))
    assert separation_loss(lifted) < -3.5 < -1.5 < separation_loss(ROWS)
    memory = attrax.Memory(ROWS, similarity=learnt.model)
    cues = ROWS + 0.02 * np.random.default_rng(1).normal(size=ROWS.shape)
    found = attrax.retrieve(memory, cues)
    np.testing.assert_allclose(found.state, ROWS, atol=0.01)
    np.testing.assert_array_equal(found.index, np.arange(N))
    assert memory.lacks_energy is None


def test_steps_are_those_of_gradient_descent():
    weights = jnp.eye(D)
    slope = jax.jit(jax.grad(lambda w: separation_loss(ROWS @ w.T)))
    for _ in range(3):
        weights = weights - 0.1 * slope(weights)
    np.testing.assert_allclose(learn_kernel(ROWS, steps=3).model.weights, weights, atol=1e-5)


def test_batches_and_optimisers_are_taken():
    key = jax.random.key(0)
    learnt = learn_kernel(ROWS, steps=4, batch_size=5, optimizer=optax.adam(1e-2), key=key)
    assert learnt.losses.shape == (4,)
    assert np.isfinite(learnt.losses).all()


@pytest.mark.usefixtures("x64")
def test_the_identity_is_the_dot_product():
    rows = np.asarray(ROWS, np.float64)
    memory, plain = (
        attrax.Memory(rows, similarity=part, separation=attrax.separation.Softmax(3.0))
        for part in (LinearKernel(np.eye(D)), Dot())
    )
    known = np.arange(D) < 5
    for store in (memory, plain):
        assert store.lacks_energy is None
    ours, theirs = (
        attrax.retrieve(store, rows, known=known, path=True) for store in (memory, plain)
    )
    np.testing.assert_allclose(ours.state, theirs.state, rtol=1e-9)
    np.testing.assert_allclose(ours.energies, theirs.energies, rtol=1e-9)


SETTING = """
import numpy as np
from attrax import Memory
from attrax.separation import Softmax
from attrax.similarity import LinearKernel
from attrax.training import learn_kernel, separation_loss
rows = np.eye(3, 4)
"""
CASES = {
    "learn_kernel(rows[:1])": "ValueError: `patterns` must have at least two rows",
    "learn_kernel(rows[0])": "ValueError: `patterns` must have 2 axes",
    "learn_kernel(rows - rows[1])": "ValueError: Row 1 of `patterns` is zero throughout",
    "learn_kernel(rows, t=0.0)": "ValueError: `t` must be positive",
    "learn_kernel(rows, t='2')": "TypeError: `t` must be a number",
    "learn_kernel(rows, steps=0)": "ValueError: `steps` must be a positive whole number",
    "learn_kernel(rows, batch_size=2)": "ValueError: `key` is needed to shuffle",
    "learn_kernel(rows, batch_size=9)": "ValueError: `batch_size` is 9, but `batches` has 3 rows",
    "learn_kernel(rows, optimizer=0.1)": "TypeError: `optimizer` must be an optax.Gradient",
    "separation_loss(rows[:1])": "ValueError: `features` must have at least two rows",
    "LinearKernel([1.0, 2.0])": "ValueError: `weights` must have 2 axes",
    "Memory(rows, similarity=LinearKernel(np.eye(3)), separation=Softmax())(rows[0])": (
        r"ValueError: `weights` of LinearKernel must have one column an entry of a row, 4"
    ),
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_calls_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}")
