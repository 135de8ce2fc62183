"""Blocks of prototypes, and images that are drawn with them."""

import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.nn import PrototypeBlock, PrototypeGenerator
from jitted import jitted

KEY = jax.random.key(0)
D, N = 8, 5
BLOCK = PrototypeBlock(D, heads=2, head_size=3, prototypes=N, scale=0.7, dropout=0.0, key=KEY)
SIZES = {"size": D, "blocks": 2, "heads": 2, "head_size": 3, "prototypes": N}
MODEL = PrototypeGenerator((2, 3), 4, words=5, length=2, **SIZES, dropout=0.0, key=KEY)
CAPTION, IMAGE = np.array([3, 0]), np.array([[0, 3, 2], [1, 1, 0]])


def rows(count, seed=1):
    return np.random.default_rng(seed).standard_normal((count, D)).astype(np.float32)


def softmax(scores):
    raised = np.exp(scores - scores.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)


def normed(x):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def test_a_block_reads_prototypes_and_then_its_keys():
    x = rows(6)
    lookup, content = np.asarray(BLOCK.feedforward.memories), np.asarray(BLOCK.feedforward.values)
    expected = x + 0.7 * softmax(normed(x) @ lookup.T / np.sqrt(D)) @ content
    attention, inner, heads = BLOCK.attention, normed(expected), []
    queries, keys = (
        np.asarray(inner @ layer.weight.T).reshape(6, 2, 3)
        for layer in (attention.query_map, attention.key_map)
    )
    assert attention.value_map is None
    for q, k in zip(np.moveaxis(queries, 1, 0), np.moveaxis(keys, 1, 0), strict=True):
        scores = np.where(np.tri(6, dtype=bool), q @ k.T / np.sqrt(3), -np.inf)
        heads.append(softmax(scores) @ k)
    expected = expected + 0.7 * np.concatenate(heads, 1) @ attention.output_map.weight.T
    np.testing.assert_allclose(jitted(BLOCK, x), expected, atol=1e-5)


def size_of(block):
    return sum(x.size for x in jax.tree.leaves(eqx.filter(block, eqx.is_inexact_array)))


def test_baselines_are_an_mlp_of_the_same_size_and_none():
    options = {"heads": 2, "head_size": 3, "prototypes": N, "dropout": 0.0, "key": KEY}
    mlp, none = (PrototypeBlock(D, feedforward=kind, **options) for kind in ("mlp", "none"))
    # The MLP has biases; the memory has an inverse temperature, and one of its separation, unused.
    assert size_of(mlp) - size_of(BLOCK) == N + D - 2
    assert size_of(BLOCK) - size_of(none) == 2 * N * D + 2 + 3 * D
    x, feedforward = rows(6), mlp.feedforward
    hidden = jax.nn.gelu(normed(x) @ feedforward.wide.weight.T + feedforward.wide.bias[None])
    added = 0.1 * (hidden @ feedforward.narrow.weight.T + feedforward.narrow.bias[None])
    same = eqx.tree_at(lambda b: b.attention, none, mlp.attention)
    np.testing.assert_allclose(jitted(mlp, x), jitted(same, np.asarray(x + added)), atol=1e-5)


def test_dropout_needs_a_key_in_training_alone():
    block = PrototypeBlock(D, heads=1, head_size=3, prototypes=N, key=KEY)
    with pytest.raises(ValueError, match="`key` is needed for dropout"):
        block(rows(3))
    plain = jitted(lambda: block(rows(3), inference=True))
    assert not np.allclose(plain, jitted(lambda: block(rows(3), key=KEY)))


def logits_of(model, image):
    return model(CAPTION, image)


def test_logits_are_masked_by_position_and_their_loss_is_of_the_image():
    logits = np.asarray(jitted(logits_of, MODEL, IMAGE))
    assert logits.shape == (2 + 6, 5 + 2 + 4)
    assert np.isneginf(logits[:2, 7:]).all()
    assert np.isneginf(logits[2:, :7]).all()
    assert np.isfinite(logits[:2, :7]).all()
    chosen = np.log(softmax(logits[2:, 7:]))[np.arange(6), IMAGE.reshape(-1)]
    np.testing.assert_allclose(MODEL.cross_entropy(CAPTION, IMAGE), -chosen.mean(), rtol=1e-5)


def test_a_word_that_is_none_has_a_vector_for_each_position():
    start = np.asarray(MODEL._start(np.array([0, 0])) - MODEL.word_positions)
    vectors = np.asarray(MODEL.word_vectors)
    np.testing.assert_allclose(start, vectors[[0, 5, 6]], atol=1e-6)


@pytest.mark.parametrize("output", ["prototypes", "linear"])
def test_an_image_is_drawn_from_the_logits_of_the_whole_pass(output):
    model = PrototypeGenerator(
        (2, 3), 4, words=5, length=2, **SIZES, output=output, dropout=0.0, key=KEY
    )
    draw = jax.vmap(lambda key: model.generate(CAPTION, key=key))
    images = np.asarray(draw(jax.random.split(KEY, 4000)))
    assert np.array_equal(images[0], model.generate(CAPTION, key=jax.random.split(KEY, 4000)[0]))
    expected = softmax(np.asarray(jitted(logits_of, model, IMAGE))[2, 7:])
    # The standard error of a share is below 0.008.
    first = np.bincount(images[:, 0, 0], minlength=4) / 4000
    np.testing.assert_allclose(first, expected, atol=0.04)
    cold = np.asarray(model.generate(CAPTION, temperature=1e-6, key=KEY))
    likeliest = np.asarray(jitted(logits_of, model, cold))[2:, 7:].argmax(1)
    np.testing.assert_array_equal(cold.reshape(-1), likeliest)
    kept = jax.vmap(lambda key: model.generate(CAPTION, keep=0.5, key=key))
    halved = np.asarray(kept(jax.random.split(KEY, 4000)))[:, 0, 0]
    assert set(halved) == set(np.argsort(-expected)[:2])


def test_top_tokens_are_those_of_each_prototype_alone():
    content = jnp.zeros((N, 11)).at[jnp.arange(N), 7 + jnp.arange(N) % 4].set(1.0)
    model = eqx.tree_at(lambda m: m.lookup.value_rows.learnt, MODEL, content)
    tops = np.asarray(model.top_tokens(4))
    np.testing.assert_array_equal(tops[:, 0], np.arange(N) % 4)
    np.testing.assert_array_equal(np.sort(tops, 1), np.tile(np.arange(4), (N, 1)))
    np.testing.assert_allclose(model.token_probabilities().sum(1), 1, rtol=1e-5)


def test_blocks_are_there_one_by_one():
    assert isinstance(MODEL.block(1), PrototypeBlock)
    with pytest.raises(IndexError, match="no block 2 among 2"):
        MODEL.block(2)


SETTING = """
import functools
import jax
import numpy as np
from attrax import nn
key = jax.random.key(0)
sizes = dict(size=8, blocks=1, heads=1, head_size=3, prototypes=5, dropout=0.0, key=key)
make = functools.partial(nn.PrototypeGenerator, words=5, **sizes)
model, linear = make((2, 3), 4), make((2, 3), 4, output='linear')
block = functools.partial(nn.PrototypeBlock, 8, heads=1, head_size=3, key=key)
image = np.zeros((2, 3), int)
"""
CASES = {
    "block(prototypes=1)": "ValueError: `prototypes` must be a whole number of at least 2",
    "block(feedforward='gelu')": "ValueError: `feedforward` must be one of 'prototypes', 'mlp'",
    "block(dropout=1.0)": "ValueError: `dropout` must be a number from 0 to below 1",
    "block(dropout=0.0)(np.ones((3, 7)))": r"ValueError: `rows` must have shape \(rows, 8\)",
    "make(6, 4)": r"ValueError: `shape` must be \(height, width\) in tokens, but it is 6",
    "make((2, 3), 1)": "ValueError: `tokens` must be a whole number of at least 2",
    "make((2, 3), 4, output='memory')": "ValueError: `output` must be one of 'prototypes'",
    "model(np.array([5]), image)": "ValueError: `caption` must lie between 0 and 4",
    "model(np.array([1, 2]), image)": r"ValueError: `caption` must be whole .* \(1,\)",
    "model(np.array([1]), image + 0.5)": "ValueError: `image` must be whole numbers of shape",
    "model(np.array([1]), image + 4)": "ValueError: `image` must lie between 0 and 3",
    "model.generate(np.array([1]), keep=0, key=key)": "ValueError: `keep` must be a share above 0",
    "model.generate(np.array([1]), temperature=0, key=key)": "ValueError: `temperature` must be",
    "model.generate(np.array([1]), key=0)": "TypeError: `key` must be one key",
    "model.top_tokens(5)": "ValueError: `count` must be at most 4 tokens, but it is 5",
    "linear.top_tokens(1)": "ValueError: `output` is 'linear', which has no prototypes",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_calls_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}"), text
