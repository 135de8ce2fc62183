"""Mixing layers against NumPy, and against the networks of which they are steps."""

import functools
import math
import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from attrax.common.checks import NoEnergyError
from attrax.hierarchical import Neurons
from attrax.nn import HopfieldMixer, IMixer, MixerClassifier, MixingLayer
from attrax.training import train
from jitted import jitted

KEY = jax.random.key(0)
X = np.random.default_rng(0).normal(size=(6, 5))
PAIRS = [(axis, activation) for axis in ("tokens", "channels") for activation in ("relu", "gelu")]


def layer(axis="tokens", activation="relu", *, tied=True):
    made = MixingLayer(6, 5, 9, axis=axis, tied=tied, activation=activation, key=KEY)
    if made.outer is not None:
        return made
    # No parameter where it starts from, so that each counts.
    shift = jnp.linspace(-0.5, 0.5, 5)
    return eqx.tree_at(lambda m: (m.norm.gamma, m.norm.delta), made, (jnp.asarray(1.3), shift))


def sigma(activation, x):
    if activation == "relu":
        return np.maximum(x, 0)
    return x * (1 + np.vectorize(math.erf)(x / np.sqrt(2))) / 2


def by_hand(made, x):
    """x + W₂ σ(W₁ LN(x) + b₁) + b₂ in NumPy."""
    centred = x - x.mean(1, keepdims=True)
    g = centred / np.sqrt(np.mean(centred**2, 1, keepdims=True) + 1e-5)
    g = g * np.asarray(made.norm.gamma) + np.asarray(made.norm.delta) if made.tied else g
    table = g if made.axis == "tokens" else g.T
    hidden = np.asarray(made.inner.weight) @ table
    if made.tied:
        step = np.asarray(made.inner.weight).T @ sigma(made.activation, hidden)
    else:
        hidden = sigma(made.activation, hidden + np.asarray(made.inner.bias)[:, None])
        step = np.asarray(made.outer.weight) @ hidden + np.asarray(made.outer.bias)[:, None]
    return x + (step if made.axis == "tokens" else step.T)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize(("axis", "activation"), PAIRS)
@pytest.mark.usefixtures("x64")
def test_a_layer_is_its_formula(axis, activation, tied):
    made = layer(axis, activation, tied=tied)
    np.testing.assert_allclose(
        jitted(made, jnp.asarray(X)), by_hand(made, X), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize(("axis", "activation"), PAIRS)
@pytest.mark.usefixtures("x64")
def test_a_tied_layer_is_a_step_of_its_network(axis, activation):
    made = layer(axis, activation)
    network, x = made.network(), jnp.asarray(X)
    step = network.pull({"visible": x})["visible"]
    np.testing.assert_allclose(jitted(made, x), X + step, rtol=1e-13, atol=1e-13)
    assert (network.lacks_energy is None) == (activation == "relu")
    if activation == "relu":
        energy = network.energy({"visible": x})
        np.testing.assert_allclose(jitted(made.energy, x), energy, rtol=1e-13)


def slopes(made, x):
    return jax.grad(made.energy)(x), jax.vjp(made.norm.activation, x)[1](x - (made(x) - x))[0]


@pytest.mark.parametrize(("axis", "activation"), PAIRS)
@pytest.mark.usefixtures("x64")
def test_the_step_is_the_slope_of_the_energy_in_the_activation(axis, activation):
    """∂E/∂x = ∇²L (x − pull) at fast hidden neurons, for GELU as for ReLU."""
    slope, back = jitted(slopes, layer(axis, activation), jnp.asarray(X))
    np.testing.assert_allclose(slope, back, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("x64")
def test_the_lagrangian_of_gelu_has_gelu_for_a_slope_and_is_zero_at_zero():
    potential = layer(activation="gelu").network().neurons["hidden"].lagrangian
    x = jnp.linspace(-8, 8, 33)
    slope = jitted(lambda p, x: jax.grad(p.value)(x), potential, x)
    np.testing.assert_allclose(slope, potential.activation(x), atol=1e-14)
    assert float(potential.value(jnp.zeros(3))) == 0
    assert "GELU falls" in str(potential.lacks_convexity)


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
@pytest.mark.usefixtures("x64")
def test_no_step_of_relu_raises_the_energy_however_long(scale):
    made = eqx.tree_at(lambda m: m.inner.weight, layer(), scale * layer().inner.weight)
    made = eqx.tree_at(lambda m: m.norm, made, made.norm.__class__(1.3, axis=-1, epsilon=1e-30))

    def lengths(made, x):
        energies = [made.energy(x)]
        for length in (0.05, 1.0, 100.0):
            x = x + length * (made(x) - x)
            energies.append(made.energy(x))
        return jnp.stack(energies)

    energies = jitted(lengths, made, jnp.asarray(X))
    assert np.diff(energies).max() <= 1e-12 * np.abs(energies).max()


def test_untied_layers_say_why_they_have_no_energy():
    made = layer(tied=False)
    assert "tied=True" in str(made.lacks_energy)
    for call in (lambda: made.energy(X), made.network):
        with pytest.raises(NoEnergyError, match="slopes of no common energy"):
            call()
    assert layer().lacks_energy is None
    assert "of their own" in HopfieldMixer(6, 5, key=KEY).lacks_energy
    assert "tied=True" in HopfieldMixer(6, 5, tied=False, key=KEY).lacks_energy


def test_a_block_mixes_tokens_then_channels_in_the_widths_of_mlp_mixer():
    block = HopfieldMixer(6, 8, key=KEY)
    x = jnp.ones((6, 8)).at[0, 0].set(2)
    halves = jitted(block.channel_mixing, jitted(block.token_mixing, x))
    np.testing.assert_allclose(jitted(block, x), halves, rtol=1e-6)
    assert block.token_mixing.inner.weight.shape == (4, 6)
    assert block.channel_mixing.inner.weight.shape == (32, 8)
    assert HopfieldMixer(6, 8, 3, 7, key=KEY).channel_mixing.inner.weight.shape == (7, 8)


@pytest.fixture(scope="module")
def classifier():
    block = functools.partial(HopfieldMixer, token_width=3, channel_width=7)
    return MixerClassifier((4, 6, 2), 3, block, patch=2, channels=5, depth=2, key=KEY)


def test_a_classifier_cuts_patches_and_runs_its_blocks_in_turn(classifier):
    image = np.random.default_rng(1).normal(size=(4, 6, 2)).astype(np.float32)
    table = jitted(classifier.tokens, image)
    patch = image[2:4, 0:2].reshape(-1)
    np.testing.assert_allclose(table[3], classifier.embedding(patch), rtol=1e-5, atol=1e-6)
    for index in range(classifier.depth):
        table = jitted(classifier.block(index), table)
    logits = classifier.head(jnp.mean(jax.vmap(classifier.norm)(table), 0))
    np.testing.assert_allclose(jitted(classifier, image), logits, rtol=1e-5, atol=1e-6)
    assert logits.shape == (3,)


def test_a_classifier_learns_and_its_gains_stay_positive(classifier):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 60)
    images = rng.normal(size=(60, 4, 6, 2)).astype(np.float32) + labels[:, None, None, None]

    def loss(model, batch):
        logits = jax.nn.log_softmax(jax.vmap(model)(batch[0]))
        return -jnp.mean(jnp.take_along_axis(logits, batch[1][:, None], 1))

    data = images, labels.astype(np.int32)
    trained = train(classifier, loss, data, steps=15, optimizer=optax.adam(1e-2))
    assert trained.losses[-1] < 0.8 * trained.losses[0]
    gains = trained.model.blocks.token_mixing.norm.gamma
    assert gains.shape == (2,)
    assert (gains > 0).all()


def test_halves_keep_their_type_and_nan_stays_nan(classifier):
    half = jax.tree.map(
        lambda x: x.astype(jnp.bfloat16) if eqx.is_inexact_array(x) else x, classifier
    )
    image = jnp.ones((4, 6, 2), jnp.bfloat16).at[0, 0, 0].set(3)
    logits, wide = jitted(half, image), jitted(classifier, image)
    assert logits.dtype == jnp.bfloat16
    np.testing.assert_allclose(logits.astype(float), wide, atol=0.05)
    assert jnp.isnan(jitted(classifier, image.at[0, 0, 0].set(jnp.nan))).all()


def test_a_layer_of_neurons_is_the_lagrangian_of_the_norm():
    network = layer().network()
    assert isinstance(network.neurons["visible"], Neurons)
    assert network.neurons["hidden"].tau == 0
    assert "MixingSynapse" in repr(network)


MAKE = functools.partial(MixerClassifier, patch=2, channels=4, depth=1, key=KEY)


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: layer()(X.T), ValueError, r"`x` must be a table of shape \(6, 5\)"),
        (lambda: layer()(X[None]), ValueError, "use jax.vmap for several"),
        (lambda: HopfieldMixer(6, 5, 0, key=KEY), ValueError, "`token_width` must be a positive"),
        (lambda: HopfieldMixer(6, 0, key=KEY), ValueError, "`channels` must be a positive"),
        (lambda: HopfieldMixer(6, 5, key=jax.random.split(KEY)), TypeError, "`key` must be one"),
        (lambda: MAKE((5, 4), 3), ValueError, "`patch` must divide"),
        (lambda: MAKE((4,), 3), ValueError, "`shape` must be"),
        (lambda: MAKE((4, 4), 0), ValueError, "`classes` must be a positive"),
        (
            lambda: MAKE((4, 4), 3, lambda s, c, key: eqx.nn.Linear(c, 2, key=key)),
            ValueError,
            "`block` must make a function of a table",
        ),
        (
            lambda: MAKE((4, 4), 3, lambda s, c, key: eqx.nn.Lambda(lambda x: x[:2])),
            ValueError,
            "to one like it",
        ),
        (lambda: MAKE((4, 4), 3)(np.ones((4, 5))), ValueError, "`image` must have shape"),
        (lambda: MAKE((4, 4), 3).block(1), IndexError, "no block 1 among 1"),
    ],
)
def test_wrong_calls_say_what_is_wrong(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


SETTING = """
import jax
import attrax.nn as nn
key = jax.random.key(0)
make = lambda block: nn.MixerClassifier((4, 4), 3, block, patch=2, channels=4, depth=1, key=key)
"""
CASES = {
    "nn.MixingLayer(6, 5, 9, axis='rows', key=key)": "ValueError: `axis` must be one of 'tokens', ",
    "nn.HopfieldMixer(6, 5, activation='tanh', key=key)": "ValueError: `activation` must be one of",
    "nn.HopfieldMixer(6, 5, tied=1, key=key)": "TypeError: `tied` must be True or False",
    "nn.HopfieldMixer(6.0, 5, key=key)": "ValueError: `tokens` must be a positive whole number",
    "nn.HopfieldMixer(6, 5, key=0)": "TypeError: `key` must be one key",
    "make(None)": "TypeError: `block` must be a function",
    "nn.IMLP(7, 8, n_iter='rest', key=key)": r"ValueError: `n_iter` .* dynamics.FixedPoint\(\)",
    "nn.IMLP(7, 8, n_iter=True, key=key)": "ValueError: `n_iter` must be a whole number",
    "nn.IMLP(7, 8, activation='silu', key=key)": "ValueError: `activation` must be one of",
    "nn.IMixer(6, 5, bound='c', key=key)": "TypeError: `bound` must be a number",
    "nn.spectral_norm('w')": "TypeError: `weights` must hold numbers",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_types_are_refused_with_the_remedy(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}")


def test_other_blocks_fit():
    assert jitted(MAKE((4, 4), 3, IMixer), jnp.ones((4, 4))).shape == (3,)
