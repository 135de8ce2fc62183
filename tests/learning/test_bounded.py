"""Hebb's rule with bounded couplings."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax.data import random_patterns
from attrax.dynamics import Iterate
from attrax.learning import BoundedHebb, Hebb

SIGNS = random_patterns(9, 16, key=jax.random.key(0))


def formula(patterns, bound):
    matrix = np.zeros((patterns.shape[1],) * 2)
    limit = bound * np.sqrt(patterns.shape[1])
    for row in np.asarray(patterns):
        matrix = np.clip(matrix + np.outer(row, row), -limit, limit)
    return matrix


@pytest.mark.parametrize("bound", [0.3, 0.5, 10.0])
def test_couplings_are_clipped_after_each_pattern(bound):
    memory = BoundedHebb(bound)(SIGNS)
    np.testing.assert_allclose(memory.matrix, formula(SIGNS, bound), rtol=1e-6)
    assert float(memory.scale) == 1 / 16
    assert memory.lacks_energy is None
    one = BoundedHebb(bound)(SIGNS[:1])
    for row in SIGNS[1:]:
        one = BoundedHebb(bound).write(one, row)
    np.testing.assert_array_equal(one.matrix, memory.matrix)


def test_without_a_bound_that_is_reached_it_is_hebbs_rule():
    np.testing.assert_array_equal(BoundedHebb(10.0)(SIGNS).matrix, Hebb()(SIGNS).matrix)
    assert np.abs(BoundedHebb(0.3)(SIGNS).matrix - Hebb()(SIGNS).matrix).max() > 1


def test_the_last_patterns_stay_where_hebbs_rule_loses_all():
    patterns = random_patterns(200, 300, key=jax.random.key(1))
    overlaps = []
    for rule in (BoundedHebb(), Hebb()):
        state = attrax.retrieve(rule(patterns), patterns, Iterate(max_steps=50)).state
        overlaps.append(np.asarray(jnp.mean(state * patterns, axis=1)))
    assert overlaps[0][-10:].mean() > 0.97 > 0.5 > overlaps[1][-10:].mean()
    assert overlaps[0][:100].mean() < 0.4


def test_jit_and_vmap():
    rule = BoundedHebb(0.4)
    whole = rule(SIGNS).matrix
    np.testing.assert_allclose(jax.jit(lambda p: rule(p).matrix)(SIGNS), whole)
    draws = jnp.stack([SIGNS, SIGNS[:, ::-1]])
    np.testing.assert_allclose(jax.vmap(lambda p: rule(p).matrix)(draws)[1], whole[::-1, ::-1])
    bounds = jax.vmap(lambda bound: BoundedHebb(bound)(SIGNS).matrix)(jnp.array([0.4, 0.5]))
    np.testing.assert_allclose(bounds[0], whole)


SETTING = """
import jax.numpy as jnp
from attrax.learning import BoundedHebb, Hebb
signs = jnp.ones((3, 5))
"""
CASES = {
    "BoundedHebb(0)": "ValueError: `bound` must be positive and finite",
    "BoundedHebb('1')": "TypeError: `bound` must be a number",
    "BoundedHebb()(signs / 2)": "ValueError: `patterns` must hold -1 and 1 only",
    "BoundedHebb()(signs[0])": "ValueError: `patterns` must have 2 axes",
    "BoundedHebb().write(Hebb()(signs), signs[0])": "ValueError: `memory` must be one that Bounded",
    "BoundedHebb()(signs).write(signs[0])": "ValueError: BoundedHebb made this memory",
    "BoundedHebb()(signs).remove(signs[0])": "ValueError: BoundedHebb made this memory",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_calls_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert f"{kinds[0]}: {text}".startswith(CASES[call])
