"""The layer of fast weights: heads against `fast_weights`, states, masks and what is refused."""

import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from attrax.nn import FastWeight, fast_weights
from attrax.similarity import DPFP, ELUFeatures
from attrax.training import train

KEY = jax.random.key(0)
X = np.random.default_rng(0).normal(size=(21, 8))
LAYERS = {
    "linear transformer": {"rule": "sum", "feature_map": ELUFeatures(), "norm": "attention"},
    "gated linear": {"rule": "sum", "feature_map": None, "norm": None, "decay": "feature"},
    "programmer": {"feature_map": DPFP(2), "norm": "sum"},
    "deltanet": {},
    "gated deltanet": {"decay": "head", "negative_eigenvalues": True},
    "kimi": {"decay": "feature", "key_size": 3, "value_size": 5, "output_size": 6},
}


project = eqx.filter_jit(lambda layer, x: layer.project(x))
run = eqx.filter_jit(lambda layer, x, state=None, mask=None: layer.run(x, state, mask=mask))
step = eqx.filter_jit(lambda layer, x, state: layer.step(x, state))


def layer_of(name, **options):
    return FastWeight(8, heads=2, chunk=4, key=KEY, **{**LAYERS[name], **options})


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", LAYERS)
def test_heads_are_fast_weights_of_projections(name):
    layer = layer_of(name)
    tokens, outputs = project(layer, X), []
    for head in range(2):
        of_head = [None if x is None else x[head] for x in tokens]
        queries, keys = (jax.vmap(layer.features)(x) for x in of_head[:2])
        options = {"rule": layer.rule, "rate": of_head[3], "log_decay": of_head[4], "chunk": None}
        read, _ = fast_weights(queries, keys, of_head[2], **options)
        if layer.norm == "attention":
            read = read / jnp.sum(jnp.cumsum(keys, 0) * queries, 1, keepdims=True)
        outputs.append(read)
    expected = np.concatenate(outputs, 1) @ layer.output_proj.weight.T
    np.testing.assert_allclose(run(layer, X)[0], expected, atol=1e-12)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", LAYERS)
def test_it_goes_on_token_by_token_and_its_memory_reads_alike(name):
    layer = layer_of(name)
    whole, last = run(layer, X)
    outputs, state = run(layer, X[:15])
    for x in X[15:]:
        output, state = step(layer, x, state)
        outputs = jnp.concatenate([outputs, output[None]])
    np.testing.assert_allclose(outputs, whole, atol=1e-12)
    for ours, theirs in zip(jax.tree.leaves(state), jax.tree.leaves(last), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
    queries = project(layer, X).queries[:, -1]
    reads = [layer.memory(state, head)(queries[head]) for head in range(2)]
    np.testing.assert_allclose(layer.output_proj(jnp.concatenate(reads)), whole[-1], atol=1e-12)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", LAYERS)
def test_tokens_that_take_no_part_change_nothing(name):
    layer, mask = layer_of(name), np.arange(21) % 3 != 1
    outputs, state = run(layer, X, mask=mask)
    expected, last = run(layer, X[mask])
    np.testing.assert_allclose(outputs[mask], expected, atol=1e-12)
    for ours, theirs in zip(jax.tree.leaves(state), jax.tree.leaves(last), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_rates_and_decays_have_their_ranges():
    rate = project(layer_of("gated deltanet"), 100 * X).rate
    assert rate.max() > 1.9
    assert project(layer_of("deltanet"), 100 * X).rate.max() <= 1
    decays = np.exp(project(layer_of("kimi"), np.zeros((1, 8))).log_decay)
    assert decays.shape == (2, 1, 3)
    np.testing.assert_allclose(1 - decays[:, 0], [[0.001, 0.01, 0.1]] * 2, rtol=1e-3)
    sizes = layer_of("kimi", feature_map=DPFP(2))
    assert (sizes.size, sizes.key_size, sizes.value_size, sizes.feature_size) == (8, 3, 5, 12)


def test_narrow_floats_and_batches():
    layer = jax.tree.map(
        lambda x: x.astype(jnp.bfloat16) if eqx.is_inexact_array(x) else x, layer_of("kimi")
    )
    batch = jnp.asarray(np.stack([X, X[::-1]]), jnp.bfloat16)
    outputs, state = eqx.filter_jit(lambda layer, x: jax.vmap(layer.run)(x))(layer, batch)
    assert (outputs.shape, outputs.dtype) == ((2, 21, 6), jnp.bfloat16)
    assert state.matrix.dtype == jnp.float32
    # Floats of another type are brought to that of the weights.
    output, _ = step(layer, X[0].astype(np.float32), layer.init_state())
    assert output.dtype == jnp.bfloat16
    np.testing.assert_allclose(output.astype(float), outputs[0, 0].astype(float), atol=0.02)


def test_it_learns_to_say_what_followed_a_token_before():
    def loss(layer, batch):
        return jnp.mean((jax.vmap(layer)(batch[0]) - batch[1]) ** 2)

    rng = np.random.default_rng(0)
    keys, values = rng.normal(size=(2, 16, 4, 4))
    pairs = np.concatenate([np.concatenate([keys, values], -1)] * 2, 1)
    asked = np.where(np.arange(8)[:, None] < 4, pairs, pairs * (np.arange(8) < 4))
    layer = FastWeight(8, heads=2, key_size=8, output_size=4, feature_map=None, key=KEY)
    batch = asked.astype(np.float32), np.concatenate([values] * 2, 1).astype(np.float32)
    trained = train(layer, loss, batch, steps=60, optimizer=optax.adam(2e-2))
    assert trained.losses[-1] < 0.5 * trained.losses[0]


def test_what_is_wrong_in_a_call_is_named():
    layer = layer_of("deltanet")
    state, other = layer.init_state(), layer_of("linear transformer").init_state()
    for call, text in [
        (lambda: layer(X[:, 1:]), r"`x` must have shape \(L, 8\), but its shape is \(21, 7\)"),
        (lambda: layer(X[0]), "`x` must have 2 axes"),
        (lambda: layer(X[:0]), r"`x` must have shape \(L, 8\)"),
        (lambda: layer(X, mask=np.ones(20, bool)), r"`mask` must have shape \(21,\)"),
        (lambda: layer(X, mask=np.ones(21)), "`mask` must be boolean"),
        (lambda: layer.step(X[0, 1:], state), r"`x` must have shape \(8,\)"),
        (lambda: layer.step(X[0], other), "`state` must have arrays of shape"),
        (lambda: layer.run(X, layer_of("kimi").init_state()), "`state` must have arrays of shape"),
        (lambda: layer.memory(state, 2), "`head` is 2, but the layer has 2"),
    ]:
        with pytest.raises((ValueError, TypeError, IndexError), match=text):
            call()


SETTING = """
import jax
from attrax.nn import FastWeight, fast_weights
from attrax.similarity import DPFP, NormalisedFeatures
import numpy as np
KEY = jax.random.key(0)
rows = np.eye(4)
layer = FastWeight(4, key=KEY)
"""
CASES = {
    "fast_weights(rows, rows, rows, rule='hebb')": "ValueError: `rule` must be one of 'delta'",
    "fast_weights(rows, 'keys', rows)": "TypeError: `keys` must hold numbers",
    "fast_weights(rows, rows, rows, chunk=2.5)": "ValueError: `chunk` must be a positive whole",
    "FastWeight(4, key=0)": "TypeError: `key` must be one key",
    "FastWeight(0, key=KEY)": "ValueError: `size` must be a positive whole number",
    "FastWeight(4, heads=3, key=KEY)": "ValueError: `heads` is 3, by which `size`, 4, cannot be",
    "FastWeight(4, rule='hebb', key=KEY)": "ValueError: `rule` must be one of 'delta', 'sum'",
    "FastWeight(4, norm='layer', key=KEY)": "ValueError: `norm` must be one of 'l2', 'sum'",
    "FastWeight(4, norm='attention', key=KEY)": "ValueError: `norm` is 'attention', which is for",
    "FastWeight(4, decay='token', key=KEY)": "ValueError: `decay` must be one of 'head', 'featu",
    "FastWeight(4, chunk=0, key=KEY)": "ValueError: `chunk` must be a positive whole number",
    "NormalisedFeatures(DPFP(1), 'max')": "ValueError: `norm` must be one of 'sum', 'l2'",
    "FastWeight(4, feature_map=3, key=KEY)": "TypeError: `feature_map` must be a function",
    "FastWeight(4, feature_map=lambda x: x[None], norm=None, key=KEY)": (
        "ValueError: `feature_map` must give features of one axis"
    ),
    "FastWeight(4, rule='sum', negative_eigenvalues=True, key=KEY)": (
        "ValueError: `negative_eigenvalues` are for the delta rule"
    ),
    "layer.step(rows[0], 3)": "TypeError: `state` must be a FastWeightState, but it is int",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_types_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}")
