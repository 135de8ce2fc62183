"""Rotary positions: only distances count."""

import re

import jax
import numpy as np
import pytest

from attrax.nn import HopfieldAttention, rotate_positions

ROWS = np.random.default_rng(0).normal(size=(2, 5, 8)).astype(np.float32)
PLACES = np.array([0, 3, 4, 9, -2])


def test_a_pair_of_entries_is_a_complex_number_that_turns():
    turned = np.asarray(rotate_positions(ROWS, PLACES, base=100.0))
    numbers = ROWS[..., :4] + 1j * ROWS[..., 4:]
    angles = PLACES[:, None] * 100.0 ** (-2 * np.arange(4) / 8)
    wanted = numbers * np.exp(1j * angles)
    np.testing.assert_allclose(turned[..., :4], wanted.real, atol=1e-5)
    np.testing.assert_allclose(turned[..., 4:], wanted.imag, atol=1e-5)


def test_products_depend_on_distances_alone():
    def products(shift):
        turned = np.asarray(rotate_positions(ROWS, PLACES + shift))
        return turned @ np.swapaxes(turned, -1, -2)

    np.testing.assert_allclose(products(0), products(117), atol=1e-4)
    moved = np.asarray(rotate_positions(ROWS, 2 * PLACES))
    assert np.abs(moved @ np.swapaxes(moved, -1, -2) - products(0)).max() > 0.1


def test_attention_sees_distances_and_takes_places():
    layer = HopfieldAttention(6, heads=1, rotary=True, deviation=0.5, key=jax.random.key(0))
    rows = np.random.default_rng(1).normal(size=(5, 6)).astype(np.float32)
    plain = layer(rows, causal=True)
    np.testing.assert_allclose(
        layer(rows, causal=True, positions=np.arange(5) + 40), plain, atol=1e-5
    )
    queries = layer(rows[3:], rows, positions=np.array([3, 4]), mask=np.tri(2, 5, 3, dtype=bool))
    np.testing.assert_allclose(queries, plain[3:], atol=1e-5)
    far = layer(rows[3:], rows, positions=np.array([3, 4]), key_positions=3 * np.arange(5))
    assert np.abs(far - layer(rows[3:], rows, positions=np.array([3, 4]))).max() > 1e-3


SETTING = """
import jax, numpy as np
from attrax.nn import HopfieldAttention, rotate_positions
x, KEY = np.ones((5, 6)), jax.random.key(0)
turned, plain = (HopfieldAttention(6, rotary=r, key=KEY) for r in (True, False))
"""
CASES = {
    "rotate_positions(np.ones((5, 3)), np.arange(5))": r"ValueError: `rows` must have shape .*even",
    "rotate_positions(x, np.arange(4))": r"ValueError: `positions` must have shape \(5,\)",
    "rotate_positions(x, np.arange(5), base=1.0)": "ValueError: `base` must be above 1",
    "HopfieldAttention(6, heads=2, rotary=True, key=KEY)": "ValueError: `head_size` must be even",
    "HopfieldAttention(6, rotary=0.5, key=KEY)": "ValueError: `rotary` must be True, False or a",
    "plain(x, positions=np.arange(5))": "ValueError: `positions` are for a layer with a `rotary`",
    "turned(x, positions=np.arange(4))": r"ValueError: `positions` must have shape \(5,\)",
    "turned(x, key_positions=np.arange(5))": "ValueError: `key_positions` are for `keys` of their",
    "turned(x, x[:3], key_positions=np.arange(5))": r"ValueError: `key_positions` must have shape",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_calls_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}"), text
