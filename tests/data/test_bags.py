"""Bags and sequences whose label is a single row."""

import jax
import numpy as np
import pytest

from attrax.data import bit_pattern_bags, latch_sequences

KEY = jax.random.key(0)


def codes(x):
    return np.asarray(x).astype(int) @ (1 << np.arange(x.shape[-1])[::-1])


def test_one_row_of_half_the_bags_is_a_signal():
    bags = bit_pattern_bags(200, key=KEY)
    x, y = codes(bags.x), np.asarray(bags.y)
    assert bags.x.shape == (200, 16, 8)
    assert np.array_equal(y, np.arange(200) < 100)
    assert not np.any(x == 0)
    # Signals are the patterns of no bag of label 0.
    background = set(x[y == 0].ravel())
    signals = [set(row) - background for row in x[y == 1]]
    strange = np.array([np.sum(~np.isin(row, list(background))) for row in x[y == 1]])
    assert np.all(strange == 1)
    assert len(set().union(*signals)) == 8
    assert len(background) == 2**8 - 1 - 8


def test_the_first_symbol_is_the_label_and_no_other_says_it():
    bags = latch_sequences(300, key=KEY)
    symbols = np.argmax(bags.x, axis=-1)
    assert bags.x.shape == (300, 32, 20)
    assert np.array_equal(symbols[:, 0], bags.y)
    assert 100 < np.sum(bags.y) < 200
    assert symbols[:, 1:].min() == 2
    assert symbols.max() == 19


@pytest.mark.parametrize(
    "call",
    [
        lambda: bit_pattern_bags(0, key=KEY),
        lambda: bit_pattern_bags(4, bits=3, signals=7, key=KEY),
        lambda: bit_pattern_bags(4, bits=17, key=KEY),
        lambda: bit_pattern_bags(4, rows=0, key=KEY),
        lambda: latch_sequences(4, length=1, key=KEY),
        lambda: latch_sequences(4, symbols=2, key=KEY),
    ],
)
def test_numbers_out_of_bounds_are_refused(call):
    with pytest.raises(ValueError, match="is"):
        call()
