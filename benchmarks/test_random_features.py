"""Reads by random features beside exact reads of N rows, and the N at which they take as long."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax import Memory
from attrax.models import random_feature_memory
from attrax.separation import Softmax
from attrax.similarity import Euclidean

D, FREQUENCIES, QUERIES, BETA = 784, 4096, 256, 0.01
ROWS = (1000, 4000, 16_000)
RATIOS: dict[int, float] = {}


@pytest.mark.parametrize("count", ROWS)
def test_reads_beside_exact_reads(versus, count):
    """One read of each query: the first is the same work for any N, the other grows with it."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((count, D)).astype(np.float32)
    queries = jnp.asarray(rows[:QUERIES] + 0.1)
    summed = random_feature_memory(rows, BETA, FREQUENCIES, key=jax.random.key(0))
    exact = Memory(rows, similarity=Euclidean(), separation=Softmax(BETA))
    read = jax.jit(lambda memory, queries: jax.vmap(memory.pull)(queries))
    RATIOS[count] = versus(
        lambda: read(summed, queries), lambda: read(exact, queries), f"exact, N = {count}"
    )


def test_where_they_take_as_long(amounts):
    """N of equal times, between sizes that were timed or beyond, along a line in logarithms."""
    if len(RATIOS) < 2:
        pytest.skip("needs the times of two numbers of rows")
    sizes, ratios = np.log(list(RATIOS)), np.log(list(RATIOS.values()))
    slope, level = np.polyfit(ratios, sizes, 1)
    amounts(float(np.exp(level)), FREQUENCIES, "Y frequencies", None, "rows")
    assert slope < 0
