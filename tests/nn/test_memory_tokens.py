"""A vision transformer and its tasks: rows are keys and values, and masks keep tasks apart."""

import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from attrax.nn import (
    AdaptedTransformer,
    EncoderBlock,
    HopfieldAttention,
    ImageTransformer,
    MemoryTokens,
)
from attrax.separation import Entmax
from attrax.training import train

KEY = jax.random.key(0)
D, L, P = 6, 2, 4
IMAGES = np.random.default_rng(0).random((3, 4, 4)).astype(np.float32)


def small(**options):
    return ImageTransformer((4, 4), 3, patch=2, size=D, heads=2, depth=L, key=KEY, **options)


BACKBONE = small()
# Of other sizes, and one that has no rows.
TASKS = [
    MemoryTokens(BACKBONE, classes, rows, deviation=1.0, key=jax.random.key(i))
    for i, (classes, rows) in enumerate(((2, 3), (4, 0), (2, 1)))
]


@eqx.filter_jit
def asked(model, images):
    return jax.vmap(model)(images)


@eqx.filter_jit
def passed(block, *given, **options):
    return block(*given, **options)


@pytest.mark.parametrize("norm_first", [False, True])
def test_a_blocks_memory_is_read_and_asks_nothing(norm_first):
    attention = HopfieldAttention(D, heads=2, deviation=0.5, key=KEY)
    options = {"dropout": 0.0, "feedforward": 8, "norm_first": norm_first, "key": KEY}
    block = EncoderBlock(attention, **options)
    rows, memory = np.split(np.random.default_rng(1).normal(size=(8, D)).astype(np.float32), [5])
    mask = np.random.default_rng(2).random((5, 8)) < 0.7
    whole = np.concatenate([mask, np.ones((3, 8), bool)])
    found = passed(block, rows, memory=memory, mask=mask)
    square = passed(block, np.concatenate([rows, memory]), mask=whole)
    assert found.shape == (5, D)
    np.testing.assert_allclose(found, square[:5], atol=2e-6)
    none = passed(block, rows, memory=memory[:0])
    np.testing.assert_allclose(none, passed(block, rows), atol=2e-6)


def test_a_mask_says_who_reads_whom():
    image, others = np.ones((5, 5), bool), np.zeros((5, 7), bool)
    alone = np.array([[1, 0, 0, 1, 1, 1, 0], [0, 1, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0, 1]], bool)
    lower = np.array([[1, 0, 0, 1, 1, 1, 0], [1, 1, 0, 1, 1, 1, 0], [1, 1, 1, 1, 1, 1, 1]], bool)
    concatenated = AdaptedTransformer(BACKBONE, TASKS)
    extended = AdaptedTransformer(BACKBONE, TASKS, "extended")
    for model, tasks in ((concatenated, alone), (extended, lower)):
        below = np.concatenate([np.ones((3, 5), bool), tasks], axis=1)
        expected = np.concatenate([np.concatenate([image, others], axis=1), below])
        np.testing.assert_array_equal(model.mask, expected)
    assert np.all(AdaptedTransformer(BACKBONE, TASKS, "full").mask)


def test_tasks_of_several_sizes_answer_in_one_pass_as_alone():
    bare = asked(BACKBONE, IMAGES)
    both = asked(AdaptedTransformer(BACKBONE, TASKS), IMAGES)
    assert [x.shape for x in both] == [(3, 3), (3, 2), (3, 4), (3, 2)]
    np.testing.assert_allclose(both[0], bare, atol=1e-6)
    extended = asked(AdaptedTransformer(BACKBONE, TASKS, "extended"), IMAGES)
    np.testing.assert_allclose(extended[0], bare, atol=1e-6)
    for i, task in enumerate(TASKS):
        alone = asked(AdaptedTransformer(BACKBONE, [task]), IMAGES)
        np.testing.assert_allclose(both[1 + i], alone[1], atol=1e-6)
        assert (np.abs(extended[1 + i] - alone[1]).max() > 1e-3) == (i > 0)
    full = asked(AdaptedTransformer(BACKBONE, TASKS, "full"), IMAGES)
    assert np.abs(full[0] - bare).max() > 1e-3


def test_old_logits_have_no_slope_in_a_task_and_training_moves_the_task_alone():
    model = AdaptedTransformer(BACKBONE, TASKS[:1])

    def loss(model, images):
        old, new = jax.vmap(model)(images)
        return jnp.sum(jnp.sin(new)), jnp.sum(jnp.sin(old))

    @eqx.filter_jit
    def slopes(model, images):
        _, pull = eqx.filter_vjp(
            lambda tasks: loss(eqx.tree_at(lambda m: m.tasks, model, tasks), images), model.tasks
        )
        return pull((jnp.zeros(()), jnp.ones(())))[0], pull((jnp.ones(()), jnp.zeros(())))[0]

    old, new = slopes(model, IMAGES)
    assert all(np.all(leaf == 0) for leaf in jax.tree.leaves(old))
    assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(new))
    found = train(
        model,
        lambda model, images: loss(model, images)[0],
        IMAGES,
        steps=2,
        optimizer=optax.sgd(0.1),
        trainable=lambda model: model.tasks,
    ).model
    assert eqx.tree_equal(found.backbone, model.backbone)
    assert np.abs(found.tasks[0].rows - model.tasks[0].rows).max() > 0
    assert found.tasks[0].rows.shape == (L, 3, D)


def test_patches_and_their_positions_may_change_places_together():
    order = np.array([2, 0, 3, 1])
    pieces = IMAGES.reshape(3, 2, 2, 2, 2).swapaxes(2, 3).reshape(3, 4, 2, 2)[:, order]
    moved = pieces.reshape(3, 2, 2, 2, 2).swapaxes(2, 3).reshape(3, 4, 4)
    places = np.concatenate([[0], 1 + order])
    other = eqx.tree_at(lambda m: m.positions, BACKBONE, BACKBONE.positions[places])
    np.testing.assert_allclose(asked(other, moved), asked(BACKBONE, IMAGES), atol=1e-6)
    assert np.abs(asked(BACKBONE, moved) - asked(BACKBONE, IMAGES)).max() > 1e-5


def test_another_separation_reads_otherwise_and_nan_stays():
    sparse = small(separation=Entmax(1.5))
    np.testing.assert_array_equal(sparse.embedding.weight, BACKBONE.embedding.weight)
    assert np.abs(asked(sparse, IMAGES) - asked(BACKBONE, IMAGES)).max() > 1e-6
    assert np.isnan(asked(BACKBONE, np.full_like(IMAGES, np.nan))).all()


SETTING = """
import jax, numpy as np
from attrax import nn
KEY = jax.random.key(0)
def model(shape=(4, 4), classes=3, patch=2, size=6, heads=2, depth=2, key=KEY, **more):
    return nn.ImageTransformer(
        shape, classes, patch=patch, size=size, heads=heads, depth=depth, key=key, **more
    )
own = model()
task = nn.MemoryTokens(own, 2, key=KEY)
block = nn.EncoderBlock(
    nn.HopfieldAttention(6, key=KEY), feedforward=8, dropout=0.0, key=KEY
)
rows = np.ones((3, 6))
"""
CASES = {
    "model((4,))": r"ValueError: `shape` must be \(height, width\)",
    "model(patch=3)": "ValueError: `patch` must divide height and width",
    "model(classes=0)": "ValueError: `classes` must be a positive",
    "model(heads=4)": "ValueError: `heads` must divide `size`, 6, but it is 4",
    "model(depth=1.5)": "ValueError: `depth`",
    "model(key=0)": "TypeError: `key` must be one key",
    "model(separation='softmax')": "TypeError: `separation` must be one of",
    "own(np.ones((4, 5)))": r"ValueError: `image` must have shape \(4, 4\)",
    "own(np.ones((2, 4, 4)))": r"ValueError: `image` must have .* jax.vmap takes a batch",
    "own.encode(np.ones((5, 7)))": r"ValueError: `tokens` must have shape \(n, 6\)",
    "own.encode(np.ones((5, 6)), np.ones((3, 2, 6)))": r"ValueError: `memory` .* \(2, m, 6\)",
    "nn.MemoryTokens(task, 2, key=KEY)": "TypeError: `backbone` must be an ImageTransformer",
    "nn.MemoryTokens(own, 2, -1, key=KEY)": "ValueError: `rows` must be a whole number of at",
    "nn.MemoryTokens(own, 0, key=KEY)": "ValueError: `classes`",
    "nn.AdaptedTransformer(task, [task])": "TypeError: `backbone` must be an ImageTransformer",
    "nn.AdaptedTransformer(own, [])": "TypeError: `tasks` must be a list .* but it is empty",
    "nn.AdaptedTransformer(own, task)": "TypeError: `tasks` must be a list .* MemoryTokens",
    "nn.AdaptedTransformer(own, [own])": r"TypeError: `tasks\[0\]` must be a MemoryTokens",
    "nn.AdaptedTransformer(model(depth=1), [task])": r"ValueError: `tasks\[0\]` .* of 1 layers",
    "nn.AdaptedTransformer(own, [task], 'masked')": "ValueError: `attention` must be one of",
    "block(rows, memory=np.ones((2, 5)))": r"ValueError: `memory` must have shape \(m, 6\)",
    "block(rows, memory=rows, causal=True)": "ValueError: `causal` must be False with a `memory`",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_a_wrong_call_says_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}"), text
