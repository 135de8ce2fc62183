"""Images to learn from and to be judged by, ordinary classifiers, and networks read as such.

A classifier is an `equinox.Module` that maps a row of pixels to one logit a class.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import PRNGKeyArray

from attrax.data import Dataset
from attrax.dynamics import FixedPoint
from attrax.hierarchical import HierarchicalMemory
from attrax.training import train

# Sets that are published without a test split.
_UNDIVIDED = ("sample", "digits")
# How many images are classified together.
_TOGETHER = 250
# While weights still change much, the gradient of a fixed point needs no better.
_SOLVER = FixedPoint(rtol=1e-3, atol=1e-4, max_steps=20)


class Images(NamedTuple):
    """Images with labels, as flat rows of pixels in the order (height, width, channels).

    - `name`: of the data set.
    - `x` (n, d), `y` (n,): to learn from.
    - `test_x` (m, d), `test_y` (m,): to be judged by.
    - `shape`: (height, width, channels), whose product is d.
    - `classes`: how many classes there are; labels count from 0.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    shape: tuple[int, int, int]
    classes: int


def load_images(
    load: Callable[..., Dataset], name: str, count: int, test: int, seed: int = 0
) -> Images:
    """The first images of a set's training and test split, with pixels in [0, 1].

    `load` is `Run.load` or `attrax.data.load`; `count` and `test` are how many images there are at
    most to learn from, and to be judged by. A set without a test split is divided at random by
    `seed`, and no more than a quarter of it is for testing.

    **Raises:** `ValueError` for a set that is not of images with labels; what `load` raises.
    """
    loaded = load(name)
    if len(loaded.shape) < 2 or len(loaded.classes) < 2:
        raise ValueError(f"`data` must be a set of images with labels, but {loaded.name!r} is not.")
    x, y = _rows(loaded), loaded.y
    if loaded.name in _UNDIVIDED:
        order = np.random.default_rng(seed).permutation(len(x))
        test = min(test, len(x) // 4)
        held, kept = order[:test], order[test:][:count]
        x, y, test_x, test_y = x[kept], y[kept], x[held], y[held]
    else:
        split = "val" if loaded.name == "tiny-imagenet" else "test"
        others = load(name, split=split, limit=test)
        x, y, test_x, test_y = x[:count], y[:count], _rows(others), others.y
    channels = loaded.shape[0] if len(loaded.shape) == 3 else 1
    height, width = loaded.shape[-2:]
    shape = (height, width, channels)
    return Images(loaded.name, x, y, test_x, test_y, shape, len(loaded.classes))


def _rows(loaded: Dataset) -> np.ndarray:
    pictures = loaded.images
    last = pictures if pictures.ndim == 3 else np.moveaxis(pictures, 1, -1)
    return np.ascontiguousarray(last.reshape(len(last), -1))


def logistic_regression(key: PRNGKeyArray, pixels: int, classes: int) -> eqx.nn.Linear:
    """Logits W x + b of a row x of pixels, with one logit a class."""
    return eqx.nn.Linear(pixels, classes, key=key)


def mlp(key: PRNGKeyArray, pixels: int, classes: int, hidden: int) -> eqx.nn.MLP:
    """Logits V max(W x + b, 0) + c of a row x of pixels, with one hidden layer."""
    return eqx.nn.MLP(pixels, classes, hidden, depth=1, key=key)


class Reader(eqx.Module):
    """A network as a classifier: the logits are β x of its layer "label", a softmax of β.

    The states that are read are a function of the network and an image (d,), such as `at_rest`.
    """

    network: HierarchicalMemory
    states: Callable = eqx.field(static=True)

    def __call__(self, image):
        """The logits of an image (d,), whose softmax is the activation of the labels."""
        labels: Any = self.network.neurons["label"].lagrangian
        return labels.separation.beta * self.states(self.network, image)["label"]


def at_start(network: HierarchicalMemory, image):
    """The states after one pass up, as in a feed-forward network."""
    return network.space(image).initial


def at_rest(network: HierarchicalMemory, image):
    """The states at the fixed point, whose gradient is implicit.

    The first layer must be the image and drive the second layer alone. Such a drive is a constant
    input: without the image layer the pulls are the same, and the energy differs by a constant.
    """
    image_layer, driven = network.names[:2]
    drive = network.space(image).initial[driven]
    rest = eqx.tree_at(
        lambda rest: rest.neurons[driven].input,
        network.without(image_layer),
        drive,
        is_leaf=lambda leaf: leaf is None,
    )
    space: Any = rest.space(drive.reshape(-1))
    return _SOLVER.run(space, space.initial).state


def count_weights(model: Any) -> int:
    """How many weights and biases a classifier has."""
    return sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(model, eqx.is_inexact_array)))


@functools.cache
def adam(rate: float, steps: int, clip: float | None = None) -> optax.GradientTransformation:
    """Adam with a learning rate that falls to zero along a cosine, and gradients no longer than
    `clip`."""
    optimizer = optax.adam(optax.cosine_decay_schedule(rate, steps))
    if clip is None:
        return optimizer
    return optax.chain(optax.clip_by_global_norm(clip), optimizer)


def fit(
    model: Any,
    x: np.ndarray,
    y: np.ndarray,
    *,
    optimizer: optax.GradientTransformation,
    steps: int,
    batch_size: int,
    key: PRNGKeyArray,
) -> Any:
    """The classifier after some steps down the mean cross-entropy −ln softmax(logits)_y.

    Each step sees `batch_size` of the images x (n, d), or all if there are fewer, in an order that
    `key` draws.
    """
    batch_size = min(batch_size, len(x))
    data = x, y
    trained = train(
        model, _loss, data, optimizer=optimizer, steps=steps, batch_size=batch_size, key=key
    )
    return trained.model


def _loss(model, batch):
    rows, labels = batch
    logits = jax.vmap(model)(rows)
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, labels))


def accuracy(model: Any, x: np.ndarray, y: np.ndarray) -> float:
    """The share of images x (n, d) for which the largest logit is that of the label y (n,)."""
    return float(np.mean(np.asarray(_classify(model, x)) == y))


@eqx.filter_jit
def _classify(model, rows):
    return jax.lax.map(lambda row: jnp.argmax(model(row)), rows, batch_size=_TOGETHER)
