"""A classifier that reads a sparse distributed memory."""

import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.nn import SDMClassifier

ROWS = np.random.default_rng(0).uniform(size=(30, 12)).astype(np.float32)


def make(activations=0.0, **options):
    options = {"k": 4, "switch": 10.0, "key": jax.random.key(0), **options}
    model = SDMClassifier(12, 40, 5, **options)
    counts = jnp.full(40, activations)
    return eqx.tree_at(lambda model: model.activations, model, counts)


def by_hand(model, row):
    """As the formulas say, in NumPy."""
    scores = np.maximum(np.asarray(model.addresses) @ (row / np.linalg.norm(row)), 0)
    gamma = np.clip(-1 + 2 * np.asarray(model.activations) / float(model.switch), -1, 1)
    weights = np.maximum(scores - gamma * np.sort(scores)[::-1][model.k], 0)
    return weights, np.asarray(model.values) @ weights


@pytest.mark.parametrize("activations", [0.0, 2.0, 7.0, 30.0])
def test_logits_follow_the_formulas(activations):
    model = make(activations)
    for row in ROWS:
        weights, logits = by_hand(model, row)
        np.testing.assert_allclose(model.weights(row), weights, atol=1e-6)
        np.testing.assert_allclose(model(row), logits, atol=1e-6)


def test_as_many_are_active_as_the_coefficients_say():
    active = [np.asarray(jax.vmap(make(c).weights)(ROWS) > 0).sum(1) for c in (0.0, 30.0)]
    np.testing.assert_array_equal(active[0], 40)
    np.testing.assert_array_equal(active[1], 4)


def test_a_settled_network_is_its_memory():
    model = make(30.0)
    memory = model.memory()
    for row in ROWS[:5]:
        np.testing.assert_allclose(memory(row), model(row), atol=1e-5)
    assert "TopKSubtract" in memory.lacks_energy


def test_counters_count_rows_that_count_and_are_not_learnt():
    model = make(30.0)
    counted = jnp.asarray(np.arange(30) < 20, jnp.float32)
    after = model.observe(jnp.asarray(ROWS), counted)
    active = np.asarray(jax.vmap(model.weights)(ROWS[:20]) > 0).sum(0)
    np.testing.assert_array_equal(after.activations, 30 + active)
    for row in ROWS:  # a call counts nothing
        model(row)
    assert model.activations.max() == 30

    def loss(model):
        return jnp.sum(model(ROWS[0]))

    slopes = eqx.filter_grad(loss)(model)
    weights, _ = by_hand(model, ROWS[0])
    # The threshold is a constant: only active neurons have a slope.
    np.testing.assert_array_equal(np.abs(slopes.addresses).sum(1) > 0, weights > 0)


def test_constraints_are_kept_and_rows_of_zeros_stay_finite():
    model = make()
    below = model.addresses.at[0].set(-1.0).at[1].add(-0.2)
    moved = eqx.tree_at(lambda m: (m.addresses, m.values), model, (below, model.values - 0.1))
    kept = moved.constrain()
    norms = np.linalg.norm(kept.addresses, axis=1)
    np.testing.assert_allclose(norms[1:], 1, atol=1e-6)
    assert norms[0] == 0
    assert min(kept.addresses.min(), kept.values.min()) == 0
    logits, slopes = eqx.filter_value_and_grad(lambda model: jnp.sum(model(np.zeros(12))))(kept)
    assert np.isfinite(logits)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(slopes))
    # About half of the entries start at zero.
    assert 0.4 < float(jnp.mean(model.addresses == 0)) < 0.6


def test_half_precision_sums_wide():
    model = make(30.0)
    half = jax.tree.map(lambda x: x.astype(jnp.bfloat16) if x.ndim == 2 else x, model)
    np.testing.assert_allclose(
        half(ROWS[0]).astype(jnp.float32), model(ROWS[0]), rtol=0.05, atol=0.01
    )


SETTING = """
import jax, numpy as np
from attrax.nn import SDMClassifier
KEY = jax.random.key(0)
model = SDMClassifier(6, 20, 3, k=2, switch=5.0, key=KEY)
"""
CASES = {
    "SDMClassifier(0, 20, 3, switch=5.0, key=KEY)": "ValueError: `size` must be a positive whole",
    "SDMClassifier(6, 20, 1, switch=5.0, key=KEY)": "ValueError: `classes`",
    "SDMClassifier(6, 20, 3, k=20, switch=5.0, key=KEY)": "ValueError: `k` must be below `neurons`",
    "SDMClassifier(6, 20, 3, k=0, switch=5.0, key=KEY)": "ValueError: `k` must be a positive whole",
    "SDMClassifier(6, 20, 3, switch=0.0, key=KEY)": "ValueError: `switch` must be positive",
    "SDMClassifier(6, 20, 3, key=KEY)": "TypeError: .*missing .* 'switch'",
    "SDMClassifier(6, 20, 3, switch=5.0, key=0)": "TypeError: `key` must be one key",
    "model(np.ones(5))": r"ValueError: `row` must have shape \(6,\)",
    "model(np.ones((2, 6)))": "ValueError: `row` must have 1 axis",
    "model(-np.ones(6))": "ValueError: `row` must not be negative.* instead of standardising",
    "model('row')": "TypeError: `row`",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_calls_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}"), text
