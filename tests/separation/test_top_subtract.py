"""The k best scores less the next."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax import Memory
from attrax.separation import Power, TopKSubtract
from attrax.separation.top import ranked
from attrax.similarity import Dot

SCORES = np.random.default_rng(0).normal(size=(40, 15)).astype(np.float32)


def expected(scores, k):
    level = max(np.sort(scores)[::-1][k], 0) if k < len(scores) else 0.0
    return np.maximum(scores - level, 0)


@pytest.mark.parametrize("k", [1, 3, 14, 15, 20])
def test_weights_are_what_is_above_the_next(k):
    found = np.asarray(jax.jit(jax.vmap(TopKSubtract(k)))(jnp.asarray(SCORES)))
    np.testing.assert_array_equal(found, [expected(scores, k) for scores in SCORES])


def test_k_are_positive_where_more_are_above_zero_and_fewer_else():
    few = jnp.array([0.5, -1.0, 0.2, -3.0, -0.1])
    np.testing.assert_array_equal(TopKSubtract(3)(few), np.maximum(few, 0))
    many = jnp.abs(jnp.asarray(SCORES[0]))
    assert int(jnp.sum(TopKSubtract(4)(many) > 0)) == 4
    # Where the next is as good as the best, nothing is left.
    np.testing.assert_array_equal(TopKSubtract(2)(jnp.ones(5)), np.zeros(5))


@pytest.mark.parametrize("rank", [1, 2, 5, 9, 12])
def test_ranks_count_equal_scores(rank):
    scores = np.array([3, 1, 3, 2, 2, 2, 0, -1, -np.inf, 5, 5, 0], np.float32)
    assert float(ranked(jnp.asarray(scores), rank)) == np.sort(scores)[::-1][rank - 1]


def test_a_frozen_threshold_has_a_potential_and_a_moving_one_has_none():
    scores = jnp.asarray(SCORES[1])
    level = ranked(scores, 5)
    np.testing.assert_allclose(
        TopKSubtract(4)(scores), Power(1, rectified=True)(scores - level), atol=1e-7
    )

    # The slope of what moves: by finite differences it is not symmetric, by derivatives it is.
    def moved(i, size=1e-2):
        return (TopKSubtract(4)(scores.at[i].add(size)) - TopKSubtract(4)(scores)) / size

    slopes = np.stack([moved(i) for i in range(15)], axis=1)
    assert np.abs(slopes - slopes.T).max() > 0.9
    frozen = jax.jacobian(TopKSubtract(4))(scores)
    np.testing.assert_array_equal(frozen, np.diag(TopKSubtract(4)(scores) > 0).astype(float))


def test_blocks_and_absent_rows_read_alike():
    rng = np.random.default_rng(1)
    keys, values = rng.normal(size=(20, 6)), rng.normal(size=(20, 3))
    query = rng.normal(size=6).astype(np.float32)
    whole, blocks = (
        Memory(keys, values, similarity=Dot(), separation=TopKSubtract(3), block=block)
        for block in (None, 5)
    )
    weights = expected(keys.astype(np.float32) @ query, 3)
    np.testing.assert_allclose(whole(query), weights @ values, atol=1e-5)
    np.testing.assert_allclose(blocks(query), weights @ values, atol=1e-5)
    here = np.arange(20) % 3 > 0
    masked = np.asarray(TopKSubtract(3)(jnp.asarray(keys[:, 0]), jnp.asarray(here)))
    np.testing.assert_allclose(masked[here], expected(keys[here, 0], 3), atol=1e-6)
    assert not masked[~here].any()
