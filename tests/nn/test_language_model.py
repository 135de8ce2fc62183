"""Language models and their contexts: what is in reach, and what is not."""

import functools
import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.nn import (
    CompressiveMemory,
    ConvolutionCompression,
    LanguageModel,
    MostUsedCompression,
    NearestMemory,
    SegmentCache,
    SideNetwork,
    language_loss,
    token_losses,
)

KEY = jax.random.key(0)
V, D, T, N = 20, 8, 4, 33
TOKENS = np.random.default_rng(0).integers(0, V, N).astype(np.int32)


def make(contexts=None, layers=2, **options):
    options = {"heads": 2, "feedforward": 16, "contexts": contexts, "key": KEY, **options}
    return LanguageModel(V, D, layers=layers, **options)


def convolution(**options):
    return ConvolutionCompression(D, 2, key=KEY, **options)


CONTEXTS = {
    "none": None,
    "cache": SegmentCache(T),
    "compressive": CompressiveMemory(T, 2, convolution()),
    "most used": CompressiveMemory(T, 2, MostUsedCompression(2)),
    "nearest": NearestMemory(8, heads=2, k=4),
    "joint": NearestMemory(8, heads=2, k=4, gate="joint", cache=T),
    "chunks": NearestMemory(8, heads=2, k=4, chunk=2, normalised=False),
}
# How many tokens before its segment a token of one layer can see.
REACH = {
    "none": 0,
    "cache": T,
    "compressive": T + 2 * 2,
    "most used": T + 2 * 2,
    "nearest": 8,
    "joint": 8,
    "chunks": 8,
}


@functools.cache
def model_of(name, layers=1):
    return make(CONTEXTS[name], layers)


losses = eqx.filter_jit(token_losses)


@pytest.mark.parametrize("name", CONTEXTS)
def test_a_token_sees_what_is_in_reach_and_nothing_else(name):
    """The last segment, with one token changed at each place before it."""
    model, begin = model_of(name), N - 1 - T
    plain = np.asarray(losses(model, TOKENS, T))
    seen = []
    for place in range(begin):
        changed = TOKENS.copy()
        changed[place] = (changed[place] + 7) % V
        new = np.asarray(losses(model, changed, T))
        # What comes before the change is as it was, to the last bit: nothing looks ahead.
        np.testing.assert_array_equal(new[: max(0, place - 1)], plain[: max(0, place - 1)])
        seen.append(np.abs(new[begin:] - plain[begin:]).max() > 0)
    reach = REACH[name]
    assert not any(seen[: begin - reach])
    if name in ("nearest", "joint", "chunks", "most used"):
        assert sum(seen[begin - reach :]) >= reach // 2
    else:
        assert all(seen[begin - reach :])


def test_a_cache_as_long_as_the_document_is_attention_to_all_of_it():
    cached = losses(make(SegmentCache(N - 1), 1), TOKENS, T)
    np.testing.assert_allclose(cached, losses(make(None, 1), TOKENS, N - 1), atol=2e-5)


def test_a_joint_gate_is_one_softmax_over_all():
    """With raw keys, β of the layer and no positions, a bank of all is attention to all."""
    memory = NearestMemory(N - 1, heads=2, k=N - 1, gate="joint", normalised=False)
    own, cached = (make(part, 1, rotary=False) for part in (memory, SegmentCache(N - 1)))
    np.testing.assert_allclose(losses(own, TOKENS, T), losses(cached, TOKENS, T), atol=2e-5)


def test_segments_with_a_state_are_the_document_and_clearing_forgets():
    model = model_of("nearest", 2)
    state, found = model.start(), []
    for begin in range(0, N - 1, T):
        logits, state, _ = model(TOKENS[begin : begin + T], state)
        found.append(jax.nn.log_softmax(logits)[jnp.arange(T), TOKENS[begin + 1 : begin + T + 1]])
    wanted = np.asarray(losses(model, TOKENS, T))
    np.testing.assert_allclose(-np.concatenate(found), wanted, atol=2e-5)
    fresh = model(TOKENS[:T], model.clear(state)).logits
    np.testing.assert_allclose(fresh, model(TOKENS[:T]).logits, atol=1e-6)
    assert np.abs(fresh - model(TOKENS[:T], state).logits).max() > 1e-3


def test_a_larger_bank_may_be_given_later():
    larger = make(NearestMemory(16, heads=2, k=4), 1)
    small, large = (np.asarray(losses(model, TOKENS, T)) for model in (model_of("nearest"), larger))
    np.testing.assert_allclose(small[: 8 + T], large[: 8 + T], atol=1e-6)
    assert np.abs(small[8 + T :] - large[8 + T :]).max() > 1e-4


def slopes(model, only=lambda model: model):
    return only(eqx.filter_grad(lambda model: language_loss(model, TOKENS, T))(model))


@pytest.mark.parametrize("loss", ["attention", "autoencoding"])
def test_a_compression_learns_from_its_own_loss_and_nothing_else_does(loss):
    memory = CompressiveMemory(T, 2, convolution(decoder=loss == "autoencoding"), loss=loss)
    model = make(memory, 1)

    def task(model):
        return jnp.mean(token_losses(model, TOKENS, T))

    def own(model):
        return language_loss(model, TOKENS, T) - task(model)

    by_task, by_own = (eqx.filter_grad(function)(model) for function in (task, own))

    def compression(model):
        return jax.tree.leaves(model.blocks[0].context)

    assert all(np.all(leaf == 0) for leaf in compression(by_task))
    assert all(np.abs(leaf).max() > 1e-6 for leaf in compression(by_own))
    rest = eqx.tree_at(lambda model: model.blocks[0].context, by_own, None)
    assert all(np.abs(leaf).max() < 1e-6 for leaf in jax.tree.leaves(rest))
    assert own(model) > 0


def test_slopes_reach_gates_and_temperatures_of_banks():
    found = slopes(model_of("nearest"), lambda model: model.blocks[0].context)
    assert min(np.abs(found.bias).min(), np.abs(found.beta).min()) > 1e-6


def test_an_empty_bank_is_no_memory():
    """The first segment of a document, for a gate that starts at one half."""
    own = losses(model_of("nearest"), TOKENS[: T + 1], T)
    np.testing.assert_allclose(own, losses(model_of("none"), TOKENS[: T + 1], T), atol=1e-6)


@functools.cache
def side():
    memory = NearestMemory(8, heads=2, k=4, chunk=2, normalised=False)
    return SideNetwork(make(None, 4), memory=memory, at=2)


def test_a_side_network_whose_blocks_change_nothing_is_its_model():
    """A telescoping sum."""

    def ends(side):
        return [
            part for b in side.blocks for part in (b.attention.output_map, b.feedforward.narrow)
        ]

    still = jax.tree.map(lambda x: 0 * x if eqx.is_array(x) else x, ends(side()))
    network = eqx.tree_at(ends, side(), still)
    found, wanted = (part(TOKENS[:T]).logits for part in (network, side().model))
    np.testing.assert_allclose(found, wanted, atol=2e-5)


def test_a_side_network_learns_alone_and_what_it_stored_stays():
    found = slopes(side())
    assert all(np.all(leaf == 0) for leaf in jax.tree.leaves(found.model))
    assert max(float(np.abs(leaf).max()) for leaf in jax.tree.leaves(found.blocks)) > 1e-5
    assert np.abs(found.memory.bias).min() > 0
    learnt = eqx.apply_updates(side(), jax.tree.map(lambda slope: -slope, found))
    one, two = (network(TOKENS[:T]) for network in (side(), learnt))
    np.testing.assert_array_equal(one.state.keys, two.state.keys)
    assert np.abs(one.logits - two.logits).max() > 1e-4


def test_a_side_network_remembers_and_forgets():
    state = side()(TOKENS[:T]).state
    assert state.count == T
    with_it, fresh = (side()(TOKENS[T : 2 * T], part).logits for part in (state, side().start()))
    assert np.abs(with_it - fresh).max() > 1e-4
    cleared = side()(TOKENS[T : 2 * T], side().clear(state)).logits
    np.testing.assert_allclose(cleared, fresh, atol=1e-6)


SETTING = """
import jax, numpy as np
from attrax.nn import LanguageModel, NearestMemory, SegmentCache, CompressiveMemory, SideNetwork
from attrax.nn import MeanCompression, ConvolutionCompression, language_loss, token_losses
from attrax.nn import reconstruction_loss, HopfieldAttention
KEY = jax.random.key(0)
def make(contexts=None, layers=2):
    return LanguageModel(20, 8, layers=layers, heads=2, feedforward=16, contexts=contexts, key=KEY)
model, near = make(), NearestMemory(8, heads=2, k=4)
x = np.arange(4)
"""
CASES = {
    "LanguageModel(0, 8, layers=2, key=KEY)": "ValueError: `vocabulary`",
    "LanguageModel(20, 8, layers=0, key=KEY)": "ValueError: `layers`",
    "LanguageModel(20, 8, layers=1, heads=3, key=KEY)": "ValueError: `query_size` must be a mul",
    "LanguageModel(20, 6, layers=1, heads=2, key=KEY)": "ValueError: `head_size` must be even",
    "make((near,))": "ValueError: `contexts` must have one entry a layer, 2, but has 1",
    "make(('cache', None))": "TypeError: `contexts` must be contexts such as",
    "model(x / 2)": "ValueError: `tokens` must be whole numbers",
    "model(x[None])": "ValueError: `tokens` must be whole numbers .*For a batch, use jax.vmap",
    "model(x + 17)": "ValueError: `tokens` must be from 0 to 19, but they reach from 17 to 20",
    "model(x - 1)": "ValueError: `tokens` must be from 0 to 19",
    "language_loss(model, x, 4)": r"ValueError: `tokens` must have shape \(N \+ 1,\)",
    "token_losses(model, x, 0)": "ValueError: `length` must be a positive whole",
    "SegmentCache(0)": "ValueError: `length`",
    "make(SegmentCache(2))(x)": "ValueError: A segment must be no longer than the cache, 2",
    "CompressiveMemory(4, 2, 2)": "TypeError: `compression` must be a compression such as",
    "CompressiveMemory(4, 2, MeanCompression(2), loss='x')": "ValueError: `loss` must be one of",
    "CompressiveMemory(4, 2, ConvolutionCompression(8, 2, key=KEY), loss='autoencoding')": (
        'ValueError: `loss="autoencoding"` needs'
    ),
    "make(CompressiveMemory(6, 2, MeanCompression(2)))(x)": "ValueError: `length`, 6, must be a",
    "make(CompressiveMemory(4, 2, MeanCompression(3)))(x)": "ValueError: `length`, 4, must be a",
    "NearestMemory(8, heads=2, gate='tanh')": "ValueError: `gate` must be one of 'scalar', 'joint'",
    "NearestMemory(8, heads=2, k=3, chunk=2)": "ValueError: `k` and `capacity` must be multiples",
    "NearestMemory(8, heads=2, beta=0.0)": "ValueError: `beta` must be positive",
    "make(NearestMemory(9, heads=2, k=3, chunk=3))(x)": "ValueError: A segment must be a multiple",
    "SideNetwork(model, memory=None, at=2)": "TypeError: `model` must be a LanguageModel and",
    "SideNetwork(make(near), memory=near, at=2)": "ValueError: `model` must have no contexts",
    "SideNetwork(model, memory=near, at=1)": "ValueError: `at` must be a multiple of `reduction`",
    "SideNetwork(make(None, 3), memory=near, at=2)": "ValueError: `reduction` must divide",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_calls_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}"), text
