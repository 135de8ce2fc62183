"""Layered networks: shapes, equations and energies, and the network of blocks and rules."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax.dynamics import Euler, Iterate
from attrax.hierarchical import ConvolutionSynapse, DenseSynapse, PoolingSynapse, Tanh
from attrax.models import (
    ConvolutionLayer,
    DenseLayer,
    PoolingLayer,
    blocks_and_rules,
    layered,
)
from attrax.separation import Power, Softmax

RELU = Power(1, rectified=True)
KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def images():
    return layered(
        (9, 9, 2),
        [
            ConvolutionLayer(3, (3, 3), RELU, tau=0.5, stride=2),
            PoolingLayer((2, 2), "max", Tanh()),
            DenseLayer(4, Softmax(2.0), tau=0.2),
        ],
        lagrangian=Tanh(),
        key=KEY,
    )


def test_layers_are_stacked(images):
    names = ("visible", "hidden 1", "hidden 2", "hidden 3")
    assert images.names == names
    shapes = [images.neurons[name].shape for name in names]
    assert shapes == [(9, 9, 2), (4, 4, 3), (2, 2, 3), (4,)]
    assert [images.neurons[name].tau for name in names] == [1.0, 0.5, 1.0, 0.2]
    kinds = [type(synapse) for synapse in images.synapses]
    assert kinds == [ConvolutionSynapse, PoolingSynapse, DenseSynapse]
    assert [layers for layers, _ in images.edges] == list(itertools.pairwise(names))


def test_the_energy_of_a_network_with_max_pooling_falls(images):
    queries = np.random.default_rng(0).standard_normal((4, images.width))
    dynamics = Euler(0.05, max_steps=100)
    found = attrax.retrieve(images, queries, dynamics, certify=True)
    assert bool(jnp.all(found.certificate.certified))
    assert bool(jnp.all(found.certificate.scale > 1))


def test_weights_are_drawn_by_the_number_of_inputs():
    network = layered(400, [DenseLayer(100), DenseLayer((5, 20))], key=KEY)
    first, second = (np.asarray(synapse.weights) for synapse in network.synapses)
    assert first.std() == pytest.approx(400**-0.5, rel=0.02)
    assert second.std() == pytest.approx(100**-0.5, rel=0.03)
    again = layered(400, [DenseLayer(100), DenseLayer((5, 20))], key=KEY)
    np.testing.assert_array_equal(first, again.synapses[0].weights)
    assert again.neurons["hidden 2"].shape == (5, 20)


def test_weights_that_are_given_need_no_key():
    up, over = np.ones((3, 2)), 2 * np.ones((4, 3))
    network = layered(2, [DenseLayer(3, weights=up), DenseLayer(4, weights=over)])
    states = {"visible": jnp.ones(2), "hidden 1": jnp.ones(3), "hidden 2": jnp.ones(4)}
    pulled = network.pull(states)
    np.testing.assert_allclose(pulled["visible"], up.T @ np.ones(3))
    np.testing.assert_allclose(pulled["hidden 1"], up @ np.ones(2) + over.T @ np.ones(4))
    np.testing.assert_allclose(pulled["hidden 2"], over @ np.ones(3))


def test_one_dimensional_convolutions_stack_too():
    kernel = np.ones((3, 1, 2))
    layers = [ConvolutionLayer(2, (3,), padding="SAME", kernel=kernel), PoolingLayer((5,), "mean")]
    network = layered((10, 1), layers)
    assert [network.neurons[name].shape for name in network.names] == [(10, 1), (10, 2), (2, 2)]


PRIMITIVES = np.random.default_rng(0).choice((-1.0, 1.0), (2, 3, 30))
RULES = np.array([[0, 1], [1, 2], [2, 0]])


@pytest.fixture(scope="module")
def pairs():
    return blocks_and_rules(PRIMITIVES, RULES)


def test_primitives_see_their_own_block_and_rules_their_primitives(pairs):
    below = np.asarray(pairs.synapses[0].weights).reshape(2, 3, 2, 30)
    np.testing.assert_array_equal(below[0, :, 0], PRIMITIVES[0])
    np.testing.assert_array_equal(below[1, :, 1], PRIMITIVES[1])
    assert not below[0, :, 1].any()
    assert not below[1, :, 0].any()
    above = np.asarray(pairs.synapses[1].weights).reshape(3, 2, 3) / 30
    np.testing.assert_allclose(above[:, 0], np.eye(3))
    np.testing.assert_allclose(above[:, 1], np.eye(3)[[1, 2, 0]])
    states = {name: jnp.zeros(pairs.neurons[name].shape) for name in pairs.names}
    # A softmax chooses within each block by itself.
    np.testing.assert_allclose(pairs.activations(states)["primitives"].sum(-1), [1, 1], rtol=1e-6)


def test_a_block_that_is_lost_is_completed_by_the_rule(pairs):
    words = PRIMITIVES[np.arange(2), RULES]
    cues = words.copy()
    cues[:, 1] = 0
    found = attrax.retrieve(pairs, cues.reshape(3, -1), Iterate(), certify=True)
    np.testing.assert_array_equal(np.sign(found.state).reshape(words.shape), words)
    assert bool(jnp.all(found.certificate.certified))


WRONG = {
    "empty": (lambda: layered(3, []), TypeError, "must be a list"),
    "no key": (lambda: layered(3, [DenseLayer(2)]), ValueError, "`key` is needed .* 'hidden 1'"),
    "size": (lambda: layered(0, [DenseLayer(2)], key=KEY), ValueError, "`shape` must be a pos"),
    "upper size": (lambda: layered(3, [DenseLayer(-2)], key=KEY), ValueError, "`shape` must be"),
    "weights": (
        lambda: layered(3, [DenseLayer(2, weights=np.ones((3, 2)))]),
        ValueError,
        r"`weights` between layers 'visible' of shape \(3,\)",
    ),
    "convolution of a row": (
        lambda: layered(9, [ConvolutionLayer(2, (3,))], key=KEY),
        ValueError,
        "`window` of 'hidden 1' must have one size for each axis",
    ),
    "window": (
        lambda: layered((4, 4, 1), [ConvolutionLayer(2, (0, 3))], key=KEY),
        ValueError,
        "`window` and `channels` of 'hidden 1' must be positive",
    ),
    "too large": (
        lambda: layered((4, 4, 1), [PoolingLayer((5, 5))], key=KEY),
        ValueError,
        "does not fit into the layer below",
    ),
    "kernel": (
        lambda: layered((4, 4, 1), [ConvolutionLayer(2, (3, 3), kernel=np.ones((3, 3, 2, 2)))]),
        ValueError,
        r"`kernel` of 'hidden 1' must have shape \(3, 3, 1, 2\)",
    ),
    "fast and joined": (
        lambda: layered(3, [DenseLayer(2, tau=0.0), DenseLayer(2, tau=0.0)], key=KEY),
        ValueError,
        "are both fast and joined",
    ),
    "primitives": (
        lambda: blocks_and_rules(np.ones((3, 4)), np.zeros((1, 3), int)),
        ValueError,
        "`primitives` must have 3 axes",
    ),
    "rules": (
        lambda: blocks_and_rules(PRIMITIVES, np.array([[0, 1, 2]])),
        ValueError,
        r"`rules` must have shape \(rules, 2\)",
    ),
    "fractional rules": (
        lambda: blocks_and_rules(PRIMITIVES, np.array([[0.0, 1.0]])),
        TypeError,
        "must hold whole numbers",
    ),
    "unknown primitive": (
        lambda: blocks_and_rules(PRIMITIVES, np.array([[0, 3]])),
        ValueError,
        "from 0 to 2, but holds 0 to 3",
    ),
    "strength": (
        lambda: blocks_and_rules(PRIMITIVES, RULES, strength=0.0),
        ValueError,
        "`strength` must be positive",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_calls_say_what_is_wrong(case):
    call, error, text = WRONG[case]
    with pytest.raises(error, match=text):
        call()
