import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from attrax.nn import Performer
from attrax.training import train

KEY = jax.random.key(0)
rng = np.random.default_rng(0)
TOKENS = rng.normal(size=(11, 8)).astype(np.float32)
OTHERS = rng.normal(size=(7, 5)).astype(np.float32)
VALUES = rng.normal(size=(7, 3)).astype(np.float32)


def attention(layer, query, keys, values, seen=True):
    """Softmax attention with the layer's maps, in double precision."""

    def heads(linear, rows):
        rows = rows @ np.asarray(linear.weight, float).T
        rows = rows if linear.bias is None else rows + np.asarray(linear.bias)
        return rows.reshape(len(rows), layer.heads, -1).swapaxes(0, 1)

    q, k, v = (
        heads(linear, rows)
        for linear, rows in (
            (layer.query_map, query),
            (layer.key_map, keys),
            (layer.value_map, values),
        )
    )
    scores = np.where(seen, float(layer.features.beta) * q @ k.swapaxes(1, 2), -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    read = weights / weights.sum(-1, keepdims=True) @ v
    rows = read.swapaxes(0, 1).reshape(len(query), -1)
    out = rows @ np.asarray(layer.output_map.weight, float).T
    return out if layer.output_map.bias is None else out + np.asarray(layer.output_map.bias)


@pytest.mark.parametrize("features", ["positive", "hyperbolic", "trigonometric"])
def test_layers_are_attention_as_features_grow(features):
    layer = Performer(
        8, 5, 3, heads=2, output_size=4, features=features, count=20_000, bias=False, key=KEY
    )
    mask = np.arange(7) != 2
    found = eqx.filter_jit(layer)(TOKENS, OTHERS, VALUES, mask=mask)
    expected = attention(layer, TOKENS, OTHERS, VALUES, mask)
    assert found.shape == (11, 4)
    assert np.abs(found - expected).max() < 0.03 * np.abs(expected).max()
    short = Performer(8, heads=2, features=features, count=20_000, causal=True, key=KEY)
    seen = np.tri(11, dtype=bool)
    expected = attention(short, TOKENS, TOKENS, TOKENS, seen)
    assert np.abs(eqx.filter_jit(short)(TOKENS) - expected).max() < 0.05


def test_steps_give_what_a_call_gives():
    layer = Performer(8, heads=2, value_head_size=3, causal=True, chunk=4, key=KEY)
    step = eqx.filter_jit(layer.step)
    expected = layer(TOKENS)
    state, outputs = layer.initial_state(), []
    for token in TOKENS:
        output, state = step(token[None], state)
        outputs.append(output[0])
    np.testing.assert_allclose(outputs, expected, 1e-4, 1e-5)
    prompt, state = layer.step(TOKENS[:6])
    rest, _ = layer.step(TOKENS[6:], state)
    np.testing.assert_allclose(np.concatenate([prompt, rest]), expected, 1e-4, 1e-5)


def test_a_batch_is_mapped_and_padding_is_not_read():
    layer = Performer(8, heads=4, head_size=5, count=16, key=KEY)
    batch = np.stack([TOKENS, TOKENS[::-1]])
    masks = np.arange(11)[None] < np.array([[11], [6]])
    found = jax.vmap(lambda x, mask: layer(x, mask=mask))(batch, masks)
    np.testing.assert_allclose(found[0], layer(TOKENS), 1e-5, 1e-6)
    np.testing.assert_allclose(found[1][:6], layer(TOKENS[::-1][:6]), 1e-5, 1e-6)


def test_directions_are_not_learnt_and_drawn_anew_by_key():
    layer = Performer(8, heads=2, count=16, key=KEY)

    def loss(layer, x=TOKENS):
        return jnp.mean((layer(x) - 1) ** 2)

    slopes = eqx.filter_grad(loss)(layer)
    assert (np.asarray(slopes.features.directions) == 0).all()
    assert float(slopes.features.beta) == 0
    assert np.abs(slopes.key_map.weight).max() > 0
    adamw = optax.adamw(0.1, weight_decay=0.1)
    trained = train(layer, loss, TOKENS, steps=5, optimizer=adamw).model
    assert eqx.tree_equal(trained.features, layer.features)
    assert loss(trained) < loss(layer)
    again = layer.redraw(jax.random.key(1))
    assert np.abs(again.features.directions - layer.features.directions).max() > 0.1
    assert np.abs(again(TOKENS) - layer(TOKENS)).max() > 1e-4
    assert eqx.tree_equal(again.query_map, layer.query_map)
    assert eqx.tree_equal(layer(TOKENS), layer(TOKENS))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("features", ["positive", "trigonometric", "rectified"])
def test_half_precision_is_read_as_single(features, causal):
    layer = Performer(8, heads=2, features=features, causal=causal, key=KEY)
    single = np.asarray(layer(TOKENS))
    for dtype, error in ((jnp.bfloat16, 0.05), (jnp.float16, 0.01)):
        tokens = jnp.asarray(TOKENS, dtype)
        assert layer(tokens).dtype == dtype
        large = layer(200 * tokens)
        assert np.isfinite(large.astype(jnp.float32)).all()
        if features != "trigonometric":
            assert np.abs(layer(tokens).astype(jnp.float32) - single).max() < error * 4
    with jax.enable_x64():
        wide = layer(jnp.asarray(TOKENS, jnp.float64))
        assert wide.dtype == jnp.float64
        np.testing.assert_allclose(wide, single, 1e-3, 1e-4)


SETTING = """
import jax, numpy as np
from attrax.nn import *
KEY = jax.random.key(0)
layer = Performer(4, 3, 2, heads=2, count=8, key=KEY)
causal = Performer(4, count=8, causal=True, key=KEY)
q, k, v = np.ones((6, 4)), np.ones((5, 3)), np.ones((5, 2))
"""
WRONG = {
    "Performer(5, heads=2, key=KEY)": "ValueError: `heads` must divide `query_size`, 5, but it is",
    "Performer(4, heads=0, key=KEY)": "ValueError: `heads` must be a positive whole number",
    "Performer(4, head_size=2.5, key=KEY)": "ValueError: `head_size` must be a positive whole",
    "Performer(4, head_size=0, key=KEY)": "ValueError: `head_size` must be a positive whole",
    "Performer(4, output_size=0, key=KEY)": "ValueError: `output_size` must be a positive whole",
    "Performer(4, features='softmax', key=KEY)": "ValueError: `features` must be one of 'positiv",
    "Performer(4, features='rectified', beta=1.0, key=KEY)": "ValueError: `beta` is for features",
    "Performer(4, beta=-1.0, key=KEY)": "ValueError: `beta` must be positive",
    "Performer(4, count=0, key=KEY)": "ValueError: `count` must be a positive whole number",
    "Performer(4, key=0)": "TypeError: `key` must be one key, such as jax.random.key(0)",
    "layer.redraw(1)": "TypeError: `key` must be one key, such as jax.random.key(0)",
    "layer(q, q, v)": "ValueError: `keys` must have shape (tokens, 3), but its shape is (6, 4).",
    "layer(q)": "ValueError: `keys` must have shape (tokens, 3), but its shape is (6, 4).",
    "layer(q[None], k, v)": "ValueError: `query` must have 2 axes",
    "layer(q, k, v[:3])": "ValueError: `values` must have one row a key, 5",
    "layer(q, k, v, mask=np.ones(6, bool))": "ValueError: `mask` must have shape (5,), True for",
    "layer.step(q, None, k, v)": "ValueError: Only a layer with causal=True goes step by step.",
    "causal(q, q[:3])": "ValueError: `queries` and `keys` must have one shape where each token",
}


@pytest.mark.plain(SETTING, WRONG)
@pytest.mark.parametrize("call", WRONG)
def test_wrong_calls_are_told_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert f"{kinds[0]}: {text}".startswith(WRONG[call]), text
