"""Images split for training and test, and the classifiers to compare with."""

import jax
import numpy as np
import pytest

from attrax import data
from attrax.papers import classifiers as cf

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def images():
    return cf.load_images(data.load, "sample", 300, 100)


def test_a_set_of_one_split_is_divided(images):
    assert images.x.shape == (300, 784)
    assert images.test_x.shape == (100, 784)
    assert (images.shape, images.classes) == ((28, 28, 1), 10)
    assert not {row.tobytes() for row in images.x} & {row.tobytes() for row in images.test_x}
    again = cf.load_images(data.load, "sample", 300, 100, seed=1)
    assert (again.test_y != images.test_y).any()
    whole = data.load("sample")
    place = np.flatnonzero((whole.x == images.test_x[7]).all(1))
    assert whole.y[place[0]] == images.test_y[7]


def test_a_published_split_is_kept_and_colours_come_last():
    rng = np.random.default_rng(0)
    sets = {
        split: data.Dataset(
            rng.random((5, 12), np.float32),
            np.arange(5, dtype=np.int32),
            (3, 2, 2),
            "x",
            ("a", "b"),
        )
        for split in ("train", "test")
    }
    images = cf.load_images(lambda name, split="train", limit=None: sets[split], "x", 4, 5)
    assert images.shape == (2, 2, 3)
    np.testing.assert_array_equal(images.x[1, :3], sets["train"].images[1, :, 0, 0])
    np.testing.assert_array_equal(images.test_x[4, 3:6], sets["test"].images[4, :, 0, 1])


def test_what_has_no_labels_is_refused():
    rows = data.Dataset(np.zeros((2, 4), np.float32), np.zeros(2, np.int32), (4,), "rows")
    with pytest.raises(ValueError, match="images with labels"):
        cf.load_images(lambda name: rows, "rows", 2, 2)


def test_logits_are_those_of_the_formulas(images):
    x = images.x[0]
    linear, network = cf.logistic_regression(KEY, 784, 10), cf.mlp(KEY, 784, 10, 7)
    np.testing.assert_allclose(linear(x), linear.weight @ x + linear.bias, atol=1e-5)
    lower, upper = network.layers
    hidden = np.maximum(lower.weight @ x + lower.bias, 0)
    np.testing.assert_allclose(network(x), upper.weight @ hidden + upper.bias, atol=1e-5)
    assert cf.count_weights(linear) == 7850
    assert cf.count_weights(network) == 785 * 7 + 8 * 10


def test_classifiers_learn_labels_and_not_others(images):
    network = cf.mlp(KEY, 784, 10, 32)
    how = {"optimizer": cf.adam(1e-2, 60, 1.0), "steps": 60, "batch_size": 100, "key": KEY}
    learnt = cf.fit(network, images.x, images.y, **how)
    assert cf.accuracy(learnt, images.test_x, images.test_y) > 0.7
    assert cf.accuracy(network, images.test_x, images.test_y) < 0.4
    shuffled = cf.fit(network, images.x, np.roll(images.y, 1), **how)
    assert cf.accuracy(shuffled, images.test_x, images.test_y) < 0.4
