"""Functions of your own as similarities."""

import jax.numpy as jnp
import numpy as np
import pytest

from attrax import Memory, retrieve
from attrax.separation import Softmax, TopK
from attrax.similarity import SimilarityFunction


@pytest.mark.parametrize("dtype", [np.float16, jnp.bfloat16])
@pytest.mark.parametrize("separation", [Softmax(2.0), TopK(2, Softmax(2.0))])
def test_a_function_of_narrow_rows_is_read_as_others_are(dtype, separation):
    """Its sums are made in 32 bits, though it does not ask for it."""
    rows = jnp.asarray(np.random.default_rng(0).standard_normal((6, 4)), dtype)

    def dot(keys, query):
        return keys @ query

    memory = Memory(rows, similarity=dot, separation=separation)
    large = 100 * rows
    exact = np.asarray(large, np.float64) @ np.asarray(large[0], np.float64)
    scores = SimilarityFunction(dot)(large, large[0])
    assert scores.dtype == jnp.float32
    np.testing.assert_allclose(scores, exact, rtol=1e-5)
    found = retrieve(memory, rows[:2])
    assert found.state.dtype == dtype
    wide = Memory(rows.astype(jnp.float32), similarity=dot, separation=separation)
    np.testing.assert_allclose(
        memory(rows[0]).astype(jnp.float32), wide(rows[0].astype(jnp.float32)), atol=0.05
    )
