"""Classifiers made of mixing blocks, several at once, trained on small images in one program."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from attrax.nn import MixerClassifier
from attrax.training import train

from .classifiers import adam, load_images

_TEST = 400


class Learnt(NamedTuple):
    """Classifiers that were trained side by side, each with a division of its own.

    - `models`: stacked along a leading axis.
    - `losses` (steps,): the mean cross-entropy over all of them.
    - `accuracy` (members,): on the images left out.
    """

    models: Any
    losses: np.ndarray
    accuracy: np.ndarray


def learn_digits(
    load: Callable[..., Any],
    block: Callable[..., Any],
    *,
    members: int,
    depth: int,
    channels: int,
    steps: int,
    seed: int,
    batch: int = 64,
    rate: float = 1e-2,
) -> Learnt:
    """Train classifiers of scikit-learn's digits, patches of 2 × 2, and test them on 400 images.

    Members differ in the drawn weights, in which images are left out, and in those that each step
    draws. Pixels have mean 0 and deviation 1. `load` is `Run.load`, `block` a function of (tokens,
    channels, key=key).
    """
    sets = [load_images(load, "digits", 2000, _TEST, seed + i) for i in range(members)]
    x, test_x = (
        np.stack([getattr(each, name) for each in sets]).reshape(members, -1, 8, 8)
        for name in ("x", "test_x")
    )
    middle, spread = x.mean(), x.std()
    x, test_x = (x - middle) / spread, (test_x - middle) / spread
    y, test_y = (np.stack([getattr(s, n) for s in sets]).astype(np.int32) for n in ("y", "test_y"))
    # Members of runs with other seeds have other weights.
    keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), members), members)
    models = _make(keys, _Recipe(block, depth, channels))
    rows = np.arange(members)[:, None]

    def batches(step: int):
        rng = np.random.default_rng((seed, step))
        index = rng.integers(0, x.shape[1], (members, batch))
        return x[rows, index], y[rows, index]

    trained = train(models, _loss, batches, steps=steps, optimizer=adam(rate, steps))
    right = np.asarray(_classify(trained.model, test_x)) == test_y
    return Learnt(trained.model, np.asarray(trained.losses), right.mean(1))


class _Recipe(NamedTuple):
    block: Callable[..., Any]
    depth: int
    channels: int


@eqx.filter_jit
def _make(keys, recipe):
    def one(key):
        return MixerClassifier(
            (8, 8),
            10,
            recipe.block,
            patch=2,
            channels=recipe.channels,
            depth=recipe.depth,
            key=key,
        )

    return eqx.filter_vmap(one)(keys)


def _logits(models, images):
    return eqx.filter_vmap(lambda model, rows: jax.vmap(model)(rows))(models, images)


def _loss(models, batch):
    logits = _logits(models, batch[0])
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]))


@eqx.filter_jit
def _classify(models, images):
    return jnp.argmax(_logits(models, images), -1)
