"""The training of dense classifiers."""

import functools
import os
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from ..common.checks import as_floats, positive, whole_number
from ..training import Trained, krotov_hopfield, train
from ..training.batches import Batches, takes
from .classifier import DenseClassifier


def train_dense_classifier(
    classifier: DenseClassifier,
    images: ArrayLike,
    labels: ArrayLike,
    *,
    epochs: int,
    power: int,
    temperature: Any = None,
    batch_size: int = 1000,
    learning_rate: float = 0.04,
    decay: float = 0.998,
    momentum: float = 0.6,
    checkpoint: str | os.PathLike | None = None,
    every: int = 1000,
    progress: Any = None,
    key: jax.Array,
) -> Trained:
    """Train a `DenseClassifier` as its authors do, by `attrax.training.krotov_hopfield`.

    Batches are drawn at random, not of equal numbers of each class.

    **Arguments:**

    - `classifier`: whose memories learn.
    - `images`: shape (n, N), of pixels in [−1, 1]; `labels`: shape (n,), from 0 to C − 1.
    - `epochs`: how often all images are seen, ≥ 1.
    - `power`: m ≥ 1 of the loss: 2 to 4 for n = 2 or 3, about 30 for n ≥ 20.
    - `temperature`: T, or a function of the epoch, a fraction, to T, such as
      `optax.linear_schedule(400, 100, 200)`; the classifier's own throughout if `None`. The model
      that is returned has the temperature of the last step. Where T is so low that (ξ·σ/T)ⁿ
      leaves the range of floats, the loss is NaN.
    - `batch_size`: how many images a step sees; all if there are fewer.
    - `learning_rate`, `decay`: in epoch e = 0, 1, ... the largest change of a weight is
      learning_rate · decayᵉ. A step belongs to the epoch in which its middle lies.
    - `momentum`: see `attrax.training.krotov_hopfield`.
    - `checkpoint`, `every`, `progress`, `key`: see `attrax.training.train`.

    **Returns:** an `attrax.training.Trained`.

    **Raises:** `ValueError` for wrong shapes, pixels outside [−1, 1] and labels that are no
    classes; see also `attrax.training.train`.

    **Source:** [krotov2016dense]
    """
    rows, marks = _checked_images(classifier, images, labels)
    size = min(whole_number("batch_size", batch_size, 1), len(rows))
    exponent = np.asarray(whole_number("power", power, 1), rows.dtype)
    epochs = whole_number("epochs", epochs, 1)
    for name, value in (("learning_rate", learning_rate), ("decay", decay)):
        positive(name, value)
    source = Batches((rows, marks), size, key)

    def warmth(step: int):
        if temperature is None:
            return classifier.temperature
        warm = temperature(step * size / len(rows)) if callable(temperature) else temperature
        return positive("temperature", warm)

    steps = -(-epochs * len(rows) // size)
    trained = train(
        classifier,
        _loss,
        lambda step: (*source(step), warmth(step), exponent),
        steps=steps,
        optimizer=_optimizer(learning_rate, decay, momentum, size, len(rows)),
        trainable=_memories,
        checkpoint=checkpoint,
        every=every,
        progress=_warmed(progress, warmth),
        key=key,
    )
    model = eqx.tree_at(_temperature, trained.model, warmth(steps - 1))
    return Trained(model, trained.losses, trained.steps)


def _warmed(progress, warmth):
    """The same function, given models at the temperature of their step."""
    if not callable(progress) or not takes("progress", progress, "done, steps, loss", "model"):
        return progress

    def report(done, steps, loss, *, model):
        progress(done, steps, loss, model=eqx.tree_at(_temperature, model, warmth(done - 1)))

    return report


def _temperature(model):
    return model.temperature


def _memories(model):
    return model.memories


def _loss(model, batch):
    images, labels, temperature, power = batch
    return eqx.tree_at(_temperature, model, temperature).loss(images, labels, power)


@functools.cache
def _optimizer(learning_rate, decay, momentum, size, count):
    """One object for the same numbers, since a step is compiled anew for every other."""

    def rate(step):
        # Of the epoch that the middle of the step is in, which no rounding moves to another.
        return learning_rate * decay ** jnp.floor((step + 0.5) * (size / count))

    return krotov_hopfield(rate, momentum)


def _checked_images(classifier, images, labels):
    if not isinstance(classifier, DenseClassifier):
        raise TypeError(
            f"`classifier` must be a DenseClassifier, but it is {type(classifier).__name__}."
        )
    rows = np.asarray(as_floats("images", images, ndim=2))
    if rows.shape[1] != classifier.pixels or not len(rows):
        raise ValueError(
            f"`images` must have shape (n, {classifier.pixels}), but its shape is {rows.shape}."
        )
    if np.abs(rows).max() > 1:
        raise ValueError(
            f"`images` must have pixels between -1 and 1, but they go from {rows.min():.3g} to "
            f"{rows.max():.3g}. Map pixels in [0, 1] by 2 * x - 1; do not standardise them, for "
            "the weights begin where overlaps with dark images are positive."
        )
    marks = np.asarray(classifier.check_labels("labels", labels, rows.shape[:1]))
    return rows.astype(classifier.memories.dtype), marks
