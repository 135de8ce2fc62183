"""The system `hamux`: the README's numbers, classifiers that learn, and the verdicts."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from attrax.papers import hamux_graphs, hamux_lagrangians
from attrax.papers import hamux_networks as hn
from attrax.papers import hamux_training as ht
from attrax.papers.hamux import CLAIMS
from attrax.papers.hamux_images import Images, images
from attrax.papers.hamux_verdicts import judge


def close(found, expected):
    """Equal to 1e-5 of the largest entry, or of one."""
    scale = max(1.0, np.abs(np.asarray(expected)).max())
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * scale)


def test_the_readme_gives_its_printed_numbers():
    @jax.jit
    def at_zero():
        network = hamux_graphs.readme_network(jax.random.key(0), -1.0)
        zeros = {name: jnp.zeros(network.neurons[name].shape) for name in network.names}
        return network.energy(zeros), network.pull(zeros)["hidden"]

    energy, pulled = at_zero()
    assert float(energy) == pytest.approx(hamux_graphs.PRINTED_ENERGY, abs=1e-6)
    np.testing.assert_allclose(-pulled, hamux_graphs.PRINTED_SLOPE, atol=1e-8)


@pytest.fixture(scope="module")
def toy():
    """Two hundred bright or dark images of 9 × 9, with noise."""
    rng = np.random.default_rng(0)
    labels = (np.arange(240) % 2).astype(np.int32)
    rows = rng.random((240, 81)) * 0.5 + 0.5 * labels[:, None]
    rows = rows.astype(np.float32)
    return Images("toy", rows[:200], labels[:200], rows[200:], labels[200:], (9, 9, 1), 2)


def test_a_network_read_at_the_start_is_a_feed_forward_network(toy):
    network = eqx.filter_jit(hn.dense_network)(jax.random.key(0), 81, 2, 5)
    lower, upper = (jax.tree.map(np.asarray, synapse) for synapse in network.synapses)
    hidden = np.maximum(lower.weights @ toy.x[0] + lower.bias, 0)
    found = eqx.filter_jit(hn.at_start)(network, jnp.asarray(toy.x[0]))
    close(found, 10 * (upper.weights @ hidden + upper.bias))
    assert hn.learnt(network) == 5 * 82 + 2 * 6
    shapes = eqx.filter_eval_shape(hn.dense_network, jax.random.key(0), 81, 2, 5)
    assert hn.learnt(shapes) == hn.learnt(network)


def test_a_held_image_is_a_constant_input(toy):
    """Read without its image layer, a network has the labels of the whole."""
    network = eqx.filter_jit(hn.convolutional_network)(jax.random.key(0), toy.shape, 2, 2)

    @eqx.filter_jit
    def both(network, image):
        whole, rest = network.space(image), hn.without_image(network, image)
        pulled = rest.pull(rest.initial)
        return whole.initial, whole.pull(whole.initial), rest.initial, pulled

    first, pulled, inner, inner_pulled = both(network, jnp.asarray(toy.x[0]))
    assert set(inner) == set(first) - {"image"}
    for name in inner:
        close(inner[name], first[name])
        close(inner_pulled[name], pulled[name])


def test_a_classifier_learns_at_its_fixed_points_and_descends_to_each(toy):
    network = eqx.filter_jit(hn.dense_network)(jax.random.key(0), 81, 2, 4)
    learn = functools.partial(ht.fit, optimizer=optax.adam(1e-2), steps=30, key=jax.random.key(1))
    watched = ht.watch(learn(network, hn.at_rest, toy.x, toy.y), toy.test_x, toy.test_y)
    assert watched.accuracy > 0.9
    assert watched.certified == watched.rested == 1
    assert watched.energies.shape == (40, 31)
    assert (np.diff(watched.energies, axis=1) <= 1e-5).all()


def test_images_of_one_split_are_divided_and_colours_come_last():
    found = images("sample", 10_000, 100)
    assert found.x.shape == (900, 784)
    assert found.test_x.shape == (100, 784)
    assert found.shape == (28, 28, 1)
    assert not {row.tobytes() for row in found.x} & {row.tobytes() for row in found.test_x}


def parts(accuracy):
    """Measurements as a run gives them, with one accuracy of all networks at rest."""
    watched = ht.Watched(accuracy, 1.0, 1.0, 3.0, 1e-7, np.zeros((1, 2)), np.zeros(1))
    rivals = {"logistic regression": [0.8], "feed-forward": [0.85], "MLP": [0.7]}
    compared = ht.Compared(
        {**rivals, "at rest": [accuracy]}, [watched], dict.fromkeys(rivals, 100), None
    )
    descent = hamux_graphs.Descent(np.full((3, 2), -4.277), 0, 0.0)
    long = hamux_graphs.Descent(np.zeros((3, 2)), 3, 1.0)
    slope = np.array(hamux_graphs.PRINTED_SLOPE)
    return {
        "lagrangians": {"tanh": hamux_lagrangians.Errors(1e-9, 1e-9)},
        "readme": hamux_graphs.Readme(-4.275979, slope, descent, long, True),
        "convolution": 0.0,
        "graphs": [descent],
        "hn_relu": None,
        "hn_softmax": [0.95, 0.97],
        "dense": compared,
        "convolutional": compared,
    }


def test_verdicts_follow_from_the_measurements():
    good = judge(CLAIMS, parts(0.86))
    assert [result.name for result in good] == [claim.name for claim in CLAIMS]
    verdicts = [result.verdict for result in good]
    assert verdicts.count("not run") == 1
    assert verdicts.count("holds") == len(CLAIMS) - 1
    bad = judge(CLAIMS, parts(0.75))
    assert [result.verdict for result in bad].count("fails") == 4
    assert "MLP 0.700 ± 0.000 (100 weights)" in bad[12].note
