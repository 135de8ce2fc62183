"""Bags and sequences that hide a signal: tests of layers that have to find it."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ..common.checks import one_key


class Bags(NamedTuple):
    """Bags of rows, or sequences of them, and their labels.

    - `x` (n, rows, d): the rows, zeros and ones.
    - `y` (n,): 0 or 1.
    """

    x: Float[Array, "n r d"]
    y: Int[Array, " n"]


def bit_pattern_bags(
    n: int, *, rows: int = 16, signals: int = 8, bits: int = 8, key: PRNGKeyArray
) -> Bags:
    """Bags of bit patterns, half of which hold one row that is a signal.

    Some patterns other than zero are the signals. All other rows are drawn from the patterns that
    are neither zero nor a signal, and in a bag of label 1, the first half of the bags, one row is a
    signal. So a bag is told by one row that is like no other, and by nothing else.

    **Arguments:**

    - `n`: how many bags.
    - `rows`: rows of a bag.
    - `signals`: how many patterns are signals, below 2^bits − 1.
    - `bits`: d, entries of a row, ≤ 16.
    - `key`: the random key.

    **Returns:** `Bags`.

    **Raises:** `ValueError` for numbers out of bounds.

    **Source:** [ramsauer2021hopfield], official code
    """
    _check({"n": n, "rows": rows, "signals": signals, "bits": bits})
    if bits > 16 or signals >= 2**bits - 1:
        raise ValueError(
            f"signals is {signals} and bits {bits}: there must be at most 16 bits, and fewer "
            "signals than patterns other than zero, 2^bits − 1."
        )
    of_signals, of_rows, of_places, of_bags = jr.split(one_key(key), 4)
    codes = jr.permutation(of_signals, jnp.arange(1, 2**bits, dtype=jnp.int32))
    found, others = codes[:signals], codes[signals:]
    drawn = jr.choice(of_rows, others, (n, rows))
    y = (jnp.arange(n, dtype=jnp.int32) < -(-n // 2)).astype(jnp.int32)
    places = jax.nn.one_hot(jr.randint(of_places, (n,), 0, rows), rows, dtype=jnp.int32)
    signal = jr.choice(of_bags, found, (n,))
    drawn = jnp.where((places * y[:, None]) == 1, signal[:, None], drawn)
    shifts = jnp.arange(bits, dtype=jnp.int32)[::-1]
    digits = (drawn[..., None] >> shifts[None, None]) & 1
    return Bags(digits.astype(float), y)


def latch_sequences(n: int, *, length: int = 32, symbols: int = 20, key: PRNGKeyArray) -> Bags:
    """Sequences whose first symbol is the label, and all others distract.

    The first symbol is 0 or 1 and later ones are drawn from the others: whoever reads the sequence
    has to keep the first to its end.

    **Arguments:**

    - `n`: how many sequences.
    - `length`: symbols of a sequence, ≥ 2.
    - `symbols`: how many symbols there are, ≥ 3.
    - `key`: the random key.

    **Returns:** `Bags`, whose rows are symbols as one-hot vectors, shape (n, length, symbols).

    **Raises:** `ValueError` for numbers out of bounds.

    **Source:** [hochreiter1997long]
    """
    _check({"n": n, "length": length - 1, "symbols": symbols - 2})
    of_labels, of_rows = jr.split(one_key(key))
    y = jr.randint(of_labels, (n,), 0, 2, dtype=jnp.int32)
    rest = jr.randint(of_rows, (n, length - 1), 2, symbols, dtype=jnp.int32)
    return Bags(jax.nn.one_hot(jnp.concatenate([y[:, None], rest], axis=1), symbols), y)


def _check(sizes):
    for name, value in sizes.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} is too small, or no whole number.")
