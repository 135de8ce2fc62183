"""Layers that bring queries, memories or prototypes of their own, and blocks around them."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from attrax import retrieve
from attrax.nn import (
    DecoderBlock,
    EncoderBlock,
    HopfieldAttention,
    HopfieldLookup,
    HopfieldPooling,
    PrototypeLayer,
)
from attrax.training import train

KEY = jax.random.key(0)
D = 6


def rows(count, size=D, seed=1):
    return np.random.default_rng(seed).standard_normal((count, size)).astype(np.float32)


def attention(**options):
    return HopfieldAttention(D, heads=2, deviation=0.5, key=KEY, **options)


def test_pooling_reads_a_bag_with_its_own_queries():
    pool = HopfieldPooling(D, quantity=2, heads=2, deviation=0.5, key=KEY)
    bag = rows(7)
    np.testing.assert_allclose(pool(bag), pool.attention(pool.queries, bag), atol=1e-6)
    assert pool(bag).shape == (2, D)


def test_pooling_does_not_depend_on_the_order_or_on_padding():
    pool = HopfieldPooling(D, quantity=2, heads=2, steps=2, deviation=0.5, key=KEY)
    bag, order = rows(7), np.random.default_rng(0).permutation(7)
    np.testing.assert_allclose(pool(bag), pool(bag[order]), atol=1e-5)
    padded = np.concatenate([bag, 100 * rows(3, seed=2)])
    np.testing.assert_allclose(pool(padded, mask=np.arange(10) < 7), pool(bag), atol=1e-5)


@pytest.mark.parametrize("trainable", [True, False])
def test_what_is_not_trainable_stays(trainable):
    pool = HopfieldPooling(D, deviation=0.5, trainable=trainable, key=KEY)

    def moved(layer):
        """After a step with weight decay, which moves all that learns."""
        loss = lambda layer, x: jnp.sum(layer(x) ** 2)  # noqa: E731
        decay = optax.adamw(0.01, weight_decay=0.1)
        return train(layer, loss, lambda step: rows(5), steps=1, optimizer=decay).model

    assert np.array_equal(moved(pool).queries, pool.queries) != trainable
    lookup = HopfieldLookup(
        D, memories=4, values=3, deviation=0.5, trainable=not trainable,
        trainable_values=trainable, key=KEY,
    )  # fmt: skip
    after = moved(lookup)
    assert np.array_equal(after.memories, lookup.memories) == trainable
    assert np.array_equal(after.values, lookup.values) != trainable


def test_a_lookup_is_a_memory_of_its_table():
    table, x = rows(5, seed=3), rows(4)
    lookup = HopfieldLookup(D, memories=table, project=(), beta=2.0, key=KEY)
    memory = lookup.memory()
    np.testing.assert_array_equal(memory.keys, table)
    np.testing.assert_allclose(lookup(x), jax.vmap(memory)(x), atol=1e-5)
    assert lookup.read(x).weights.shape == (1, 4, 5)


def test_a_lookup_depends_on_its_input():
    """That of hflayers has one memory unless told otherwise, so gives the same for all inputs."""
    lookup = HopfieldLookup(D, memories=2, deviation=0.5, key=KEY)
    assert np.ptp(lookup(rows(4)), axis=0).max() > 1e-3


def test_prototypes_are_one_read_of_a_memory():
    layer = PrototypeLayer(D, classes=3, per_class=2, beta=0.7, key=KEY)
    memory = layer.memory()
    for row in rows(4):
        np.testing.assert_allclose(jnp.exp(layer(row)), memory(row), atol=1e-6)
        np.testing.assert_allclose(layer.energy(row), memory.energy(row), rtol=1e-5)
    far, near = layer.energy(np.full(D, 50.0)), layer.energy(layer.prototypes[0])
    assert far > near + 100


def test_prototypes_learn_classes():
    centres, label = rows(3, seed=7), np.repeat(np.arange(3), 20)
    x = centres[label] + 0.3 * rows(60, seed=8)
    layer = PrototypeLayer(D, classes=3, key=KEY)

    def loss(layer, batch):
        return -jnp.mean(jax.vmap(layer)(batch[0])[jnp.arange(60), batch[1]])

    trained = train(
        layer, loss, lambda step: (x, label), steps=150, optimizer=optax.adam(0.03)
    ).model
    found = np.argmax(jax.vmap(trained)(x), axis=1)
    before = np.argmax(jax.vmap(layer)(x), axis=1)
    assert np.mean(found == label) > max(0.9, np.mean(before == label))
    assert retrieve(trained.memory(), x[:2]).state.shape == (2, 3)


@pytest.mark.parametrize("norm_first", [False, True])
def test_blocks_are_their_parts(norm_first):
    options = {"feedforward": 9, "dropout": 0.5, "norm_first": norm_first, "key": KEY}
    block, x = EncoderBlock(attention(), **options), rows(5)

    def norm(x):
        return jax.vmap(eqx.nn.LayerNorm(D))(jnp.asarray(x))

    def fed(x):
        wide = jax.nn.relu(jax.vmap(block.feedforward.wide)(x))
        return jax.vmap(block.feedforward.narrow)(wide)

    if norm_first:
        inner = x + attention()(norm(x))
        expected = inner + fed(norm(inner))
    else:
        inner = norm(x + attention()(x))
        expected = norm(inner + fed(inner))
    np.testing.assert_allclose(block(x, inference=True), expected, atol=1e-5)
    np.testing.assert_allclose(eqx.nn.inference_mode(block)(x), expected, atol=1e-5)
    assert np.abs(block(x, key=KEY) - expected).max() > 1e-3


def test_a_decoder_does_not_see_what_comes_later():
    cross = HopfieldAttention(D, 4, heads=2, deviation=0.5, key=KEY)
    block = DecoderBlock(attention(), cross, feedforward=9, dropout=0.0, key=KEY)
    x, encoded = rows(5), rows(3, 4, seed=2)
    changed = x.copy()
    changed[3:] += 1
    there = np.array([True, True, False])
    run = eqx.filter_jit(lambda x, e: block(x, e, encoded_mask=there, inference=True))
    np.testing.assert_allclose(run(x, encoded)[:3], run(changed, encoded)[:3], atol=1e-6)
    assert np.abs(run(x, encoded)[3:] - run(changed, encoded)[3:]).max() > 1e-3
    other = encoded.copy()
    other[2] += 5
    np.testing.assert_array_equal(run(x, encoded), run(x, other))
    other[1] += 5
    assert np.abs(run(x, encoded) - run(x, other)).max() > 1e-3
