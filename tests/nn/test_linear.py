import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.nn import LinearAttentionState, causal_linear_attention, linear_attention
from attrax.similarity import RectifiedFeatures, SoftmaxFeatures

KEY = jax.random.key(0)
D, V = 6, 3
MAPS = {
    "positive": SoftmaxFeatures(D, 20, 0.4, key=KEY),
    "hyperbolic": SoftmaxFeatures(D, 10, 0.4, "hyperbolic", key=KEY),
    "rectified": RectifiedFeatures(D, 20, key=KEY),
    "plain": lambda row: jax.nn.elu(row) + 1,
}


def drawn(queries=23, keys=31, seed=0, dtype=np.float32):
    rng = np.random.default_rng(seed)
    sizes = (queries, D), (keys, D), (keys, V)
    return tuple(rng.normal(size=size).astype(dtype) for size in sizes)


def quadratic(feature_map, queries, keys, values, seen=None):
    """By the table of all queries and keys, in double precision."""
    asked, stored = (np.asarray(jax.vmap(feature_map)(x), float) for x in (queries, keys))
    scores = asked @ stored.T
    scores = scores if seen is None else np.where(seen, scores, 0)
    return scores @ values / scores.sum(1, keepdims=True)


@pytest.mark.parametrize("name", MAPS)
def test_reads_are_those_of_the_table(name):
    feature_map = MAPS[name]
    queries, keys, values = drawn()
    mask = np.arange(31) % 3 != 0
    every = linear_attention(queries, keys, values, feature_map)
    np.testing.assert_allclose(every, quadratic(feature_map, queries, keys, values), 2e-5, 2e-6)
    some = linear_attention(queries, keys, values, feature_map, mask=mask)
    np.testing.assert_allclose(
        some, quadratic(feature_map, queries, keys, values, mask[None]), 2e-5, 2e-6
    )
    # Keys that take no part may be anything.
    bad = np.where(mask[:, None], keys, 1e30)
    np.testing.assert_array_equal(
        linear_attention(queries, bad, values, feature_map, mask=mask), some
    )


@pytest.mark.parametrize("name", MAPS)
def test_causal_reads_are_those_of_the_lower_triangle(name):
    feature_map = MAPS[name]
    queries, keys, values = drawn(31)
    mask = np.arange(31) != 4
    expected = quadratic(feature_map, queries, keys, values, np.tri(31, dtype=bool) & mask[None])
    for chunk in (1, 8, 31, 400):
        found, state = causal_linear_attention(
            queries, keys, values, feature_map, mask=mask, chunk=chunk
        )
        np.testing.assert_allclose(found, expected, 2e-5, 2e-6)
    # Whatever the parts that tokens come in.
    first, before = causal_linear_attention(
        queries[:9], keys[:9], values[:9], feature_map, mask=mask[:9], chunk=4
    )
    rest, after = causal_linear_attention(
        queries[9:], keys[9:], values[9:], feature_map, mask=mask[9:], chunk=4, state=before
    )
    np.testing.assert_allclose(np.concatenate([first, rest]), expected, 2e-5, 2e-6)
    for a, b in zip(jax.tree.leaves(after), jax.tree.leaves(state), strict=True):
        np.testing.assert_allclose(a, b, 1e-5, 1e-5)
    # The state is a matrix memory.
    read = jax.vmap(after.memory(feature_map, D))(queries)
    every = linear_attention(queries, keys, values, feature_map, mask=mask)
    np.testing.assert_allclose(read, every, 2e-5, 2e-6)


def test_gradients_are_those_of_the_table():
    feature_map = MAPS["positive"]
    queries, keys, values = (jnp.asarray(x) for x in drawn(31))
    weights = jnp.asarray(np.random.default_rng(1).normal(size=(31, V)), jnp.float32)
    seen = jnp.tril(jnp.ones((31, 31), bool))

    def table(queries, keys, values):
        scores = jax.vmap(feature_map)(queries) @ jax.vmap(feature_map)(keys).T
        scores = jnp.where(seen, scores, 0.0)
        return jnp.sum(weights * (scores @ values) / jnp.sum(scores, 1, keepdims=True))

    def scan(queries, keys, values):
        found, _ = causal_linear_attention(queries, keys, values, feature_map, chunk=8)
        return jnp.sum(weights * found)

    found, expected = (
        jax.jit(jax.grad(f, argnums=(0, 1, 2)))(queries, keys, values) for f in (scan, table)
    )
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, 1e-4, 1e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_large_scores_and_half_precision_stay_within_the_values(causal):
    """Where plain features would overflow; a read is a mean of values whatever the scale."""
    for scale in (1.0, 30.0, 1e3):
        for name in ("positive", "hyperbolic"):
            queries, keys, values = drawn(31, dtype=np.float16)
            queries, keys = queries * np.float16(scale), keys * np.float16(scale)
            if causal:
                found, _ = causal_linear_attention(queries, keys, values, MAPS[name])
            else:
                found = linear_attention(queries, keys, values, MAPS[name])
            assert found.dtype == jnp.float16
            assert np.isfinite(found).all()
            assert (np.abs(found) <= np.abs(values).max() * 1.001).all()


def test_a_sum_that_is_not_positive_reads_nothing():
    features = SoftmaxFeatures(D, 4, 1.0, "trigonometric", key=KEY)
    queries, keys, values = drawn(200, 3)
    queries, keys = 2 * queries, 2 * keys
    asked, stored = (np.asarray(jax.vmap(features)(jnp.asarray(x))) for x in (queries, keys))
    sums = (asked @ stored.T).sum(1) / np.abs(asked @ stored.T).sum(1)
    found = np.asarray(linear_attention(queries, keys, values, features))
    assert np.isfinite(found).all()
    assert (sums < -1e-3).any()
    assert (found[sums < -1e-3] == 0).all()
    assert (np.abs(found[sums > 1e-3]).max(1) > 0).all()
    slope = jax.grad(lambda q: jnp.sum(linear_attention(q, keys, values, features)))(queries)
    assert np.isfinite(slope).all()


def test_without_keys_nothing_is_read_and_what_is_not_a_number_shows():
    queries, keys, values = drawn(31)
    for name, feature_map in MAPS.items():
        found = linear_attention(queries, keys, values, feature_map, mask=np.zeros(31, bool))
        assert (np.asarray(found) == 0).all(), name
        mask = np.arange(31) > 2
        found, _ = causal_linear_attention(queries, keys, values, feature_map, mask=mask, chunk=2)
        assert (np.asarray(found[:3]) == 0).all(), name
        assert (np.abs(found[3:]).max(1) > 0).all(), name
    rows = jnp.asarray(queries).at[3, 0].set(jnp.nan)
    found = jax.jit(lambda q: linear_attention(q, keys, values, MAPS["positive"]))(rows)
    assert np.isnan(found[3]).all()
    assert np.isfinite(np.delete(found, 3, 0)).all()


def test_no_table_and_no_sum_of_every_token_is_kept():
    """Beside its own arrays a causal read holds a multiple of what its features need, if that."""
    length, size, wide = 4096, 64, 64
    features = SoftmaxFeatures(16, size, key=KEY)
    shapes = [jax.ShapeDtypeStruct((length, n), jnp.float32) for n in (16, 16, wide)]

    def loss(queries, keys, values):
        return jnp.sum(causal_linear_attention(queries, keys, values, features)[0] ** 2)

    program = jax.jit(jax.grad(loss, argnums=(0, 1, 2))).lower(*shapes).compile()
    used = program.memory_analysis().temp_size_in_bytes
    assert used < 4 * length * (size + wide) * 4
    assert used < length * size * wide * 4 / 20


def test_states_start_empty():
    state = LinearAttentionState.empty(4, 2)
    assert (state.matrix.shape, state.mass.shape) == ((4, 2), (4,))
    assert (np.asarray(state.exponent) == -np.inf).all()
    queries, keys, values = drawn(5, 5)
    start = LinearAttentionState.empty(20, V)
    a = causal_linear_attention(queries, keys, values, MAPS["positive"], state=start)
    b = causal_linear_attention(queries, keys, values, MAPS["positive"])
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_array_equal(x, y)


SETTING = """
import jax, numpy as np
from attrax.nn import *
from attrax.similarity import SoftmaxFeatures
q, k, v = np.ones((3, 4)), np.ones((5, 4)), np.ones((5, 2))
f = SoftmaxFeatures(4, 8, key=jax.random.key(0))
"""
WRONG = {
    "linear_attention(q, k[:, :3], v, f)": "ValueError: `queries` and `keys` must have rows of o",
    "linear_attention(q, k, v[:4], f)": "ValueError: `values` must have one row a key, 5, but",
    "linear_attention(q, k, v, 'softmax')": "TypeError: `feature_map` must be a function of one",
    "linear_attention(q[0], k, v, f)": "ValueError: `queries` must have 2 axes, but its shape is",
    "linear_attention(q, k[:0], v[:0], f)": "ValueError: `keys` are empty: their shape is (0, 4).",
    "linear_attention(q, k, v, f, mask=np.ones((3, 5), bool))": (
        "ValueError: `mask` must have shape (5,), True for keys that take part, but its shape is "
    ),
    "linear_attention(q, k, v, f, mask=np.ones(5))": "TypeError: `mask` must be boolean",
    "causal_linear_attention(q, k, v, f)": "ValueError: `queries` and `keys` must have one shape",
    "causal_linear_attention(k, k, v, f, chunk=0)": "ValueError: `chunk` must be a positive whole",
    "causal_linear_attention(k, k, v, f, state=v)": "TypeError: `state` must be a LinearAttention",
    "causal_linear_attention(k, k, v, f, state=LinearAttentionState.empty(8, 3))": (
        "ValueError: `state` must have a matrix of shape (8, 2) (features, entries of a value), but"
    ),
    "LinearAttentionState.empty(8, 0)": "ValueError: `values` must be a positive whole number",
}


@pytest.mark.plain(SETTING, WRONG)
@pytest.mark.parametrize("call", WRONG)
def test_wrong_calls_are_told_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert f"{kinds[0]}: {text}".startswith(WRONG[call]), text
