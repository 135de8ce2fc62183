"""Attention by random features: its time as tokens double, and beside exact attention."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.nn import causal_linear_attention, linear_attention
from attrax.similarity import SoftmaxFeatures

D, DIRECTIONS = 64, 256
LENGTHS = (2048, 4096, 8192, 16_384, 32_768)
EXACT = (128, 256, 512, 1024, 2048, 8192)
FEATURES = SoftmaxFeatures(D, DIRECTIONS, D**-0.5, key=jax.random.key(0))
RATIOS: dict[int, float] = {}


def tokens(length):
    """Queries, keys and values of one head."""
    drawn = np.random.default_rng(0).standard_normal((3, length, D), np.float32)
    return tuple(jnp.asarray(part) for part in drawn)


@jax.jit
def linear(queries, keys, values):
    return linear_attention(queries, keys, values, FEATURES)


@jax.jit
def causal(queries, keys, values):
    return causal_linear_attention(queries, keys, values, FEATURES)[0]


@jax.jit
def exact(queries, keys, values):
    heads = (part[:, None] for part in (queries, keys, values))
    return jax.nn.dot_product_attention(*heads)[:, 0]


@pytest.mark.parametrize("length", LENGTHS)
def test_time_of_twice_as_many_tokens(versus, length):
    """The ratio is 2 where time is linear, and 4 of exact attention."""
    whole, half = tokens(length), tokens(length // 2)
    versus(lambda: linear(*whole), lambda: linear(*half), "half as many", 2.3)


@pytest.mark.parametrize("length", [4096, 32_768])
def test_time_of_twice_as_many_tokens_causal(versus, length):
    whole, half = tokens(length), tokens(length // 2)
    versus(lambda: causal(*whole), lambda: causal(*half), "half as many", 2.3)


@pytest.mark.parametrize("length", EXACT)
def test_reads_beside_exact_attention(versus, length):
    given = tokens(length)
    RATIOS[length] = versus(
        lambda: linear(*given), lambda: exact(*given), f"exact, L = {length}", None
    )


def test_where_they_take_as_long(amounts):
    """L of equal times, between lengths that were timed, along lines in logarithms."""
    sizes, ratios = np.log(list(RATIOS)), np.log(list(RATIOS.values()))
    before = np.flatnonzero(ratios > 0)
    if not 0 < before.size < ratios.size:
        pytest.skip("needs times of lengths at which either is faster")
    last = before[-1]
    share = ratios[last] / (ratios[last] - ratios[last + 1])
    level = sizes[last] + share * (sizes[last + 1] - sizes[last])
    amounts(float(np.exp(level)), DIRECTIONS, "Y directions", None, "tokens")
