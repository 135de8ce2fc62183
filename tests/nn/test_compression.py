"""Compressions of rows."""

import re

import jax
import numpy as np
import pytest

from attrax.nn import (
    ConvolutionCompression,
    MaxCompression,
    MeanCompression,
    MostUsedCompression,
)

ROWS = np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32)


def test_pools_are_of_every_c_rows():
    groups = ROWS.reshape(4, 3, 5)
    np.testing.assert_allclose(MeanCompression(3)(ROWS), groups.mean(1), atol=1e-6)
    np.testing.assert_array_equal(MaxCompression(3)(ROWS), groups.max(1))


def test_the_most_used_stay_in_order():
    usage = np.array([0, 5, 0, 1, 9, 0, 0, 0, 7, 0, 0, 2], np.float32)
    np.testing.assert_array_equal(MostUsedCompression(3)(ROWS, usage), ROWS[[1, 4, 8, 11]])


def test_a_convolution_has_kernel_and_stride_of_the_rate():
    compress = ConvolutionCompression(5, 3, decoder=True, deviation=0.5, key=jax.random.key(0))
    weights = np.asarray(compress.weights)
    wanted = [sum(weights[j] @ ROWS[3 * i + j] for j in range(3)) for i in range(4)]
    np.testing.assert_allclose(compress(ROWS), wanted, atol=1e-5)
    decoded = compress.decode(compress(ROWS))
    np.testing.assert_allclose(decoded[4], np.asarray(compress.decoder)[1] @ wanted[1], atol=1e-5)
    mean = ConvolutionCompression(5, 3, deviation=0.0, key=jax.random.key(0))
    np.testing.assert_allclose(mean(ROWS), MeanCompression(3)(ROWS), atol=1e-6)


SETTING = """
import jax, numpy as np
from attrax.nn import ConvolutionCompression, MeanCompression, MostUsedCompression
KEY, x = jax.random.key(0), np.ones((12, 5), np.float32)
"""
CASES = {
    "MeanCompression(0)": "ValueError: `rate` must be a positive whole",
    "MeanCompression(5)(x)": r"ValueError: `rows` must have shape \(n, d\), n a multiple",
    "MostUsedCompression(3)(x)": r"ValueError: `usage` must have shape \(12,\), but there is none",
    "MostUsedCompression(3)(x, np.ones(3))": "ValueError: `usage` must have shape",
    "ConvolutionCompression(4, 3, key=KEY)(x)": "ValueError: `rows` must have 4 entries, but they",
    "ConvolutionCompression(5, 3, key=0)": "TypeError: `key` must be one key",
    "ConvolutionCompression(5, 3, key=KEY).decode(x)": "ValueError: This compression has no",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_calls_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}"), text
