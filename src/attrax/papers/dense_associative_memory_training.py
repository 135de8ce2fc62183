"""Dense classifiers of images, trained as their authors do, watched, and kept in checkpoints."""

import json
from pathlib import Path
from typing import NamedTuple

import equinox as eqx
import jax
import numpy as np
import optax

from ..files import replace_file
from ..models import DenseClassifier, dense_classifier, train_dense_classifier
from .hamux_images import Images

# Images that are looked at together, and of how many learnt ones errors are taken.
TOGETHER, _LEARNT = 1000, 10_000
BATCH = 1000


class Recipe(NamedTuple):
    """How memories are learnt.

    - `degree`: n of the energy; `power`: m of the loss.
    - `start`, `end`: T for 784 pixels and 100 memories, from the one to the other in the first
      fifth of all epochs.
    - `rate`: ε₀.
    """

    degree: int
    power: int
    start: float
    end: float
    rate: float = 0.04


class Learnt(NamedTuple):
    """One training.

    - `epochs`, `error`, `learnt`: epochs at which the network was looked at; then the share of
      test images, and of the first 10 000 images it learns, whose label it reads wrong.
    - `classifier`: after the last epoch.
    """

    epochs: np.ndarray
    error: np.ndarray
    learnt: np.ndarray
    classifier: DenseClassifier

    def reaches(self, error: float) -> float:
        """The first epoch looked at with no more than some error on test images; or infinity."""
        there = np.flatnonzero(self.error <= error)
        return float(self.epochs[there[0]]) if there.size else float("inf")


def watched(epochs: int) -> list[int]:
    """At which epochs a network is looked at: each at first, then every tenth."""
    return sorted({*range(1, min(epochs, 20) + 1), *range(20, epochs + 1, 10), epochs})


def learn(
    found: Images, recipe: Recipe, memories: int, epochs: int, seed: int, folder: Path | None
) -> Learnt:
    """Train a dense classifier; go on from, and leave behind, a checkpoint in `folder`."""
    degree, size = recipe.degree, found.x.shape[1]
    # Logits are sums over memories of overlaps to the n.
    scale = size / 784 * (memories / 100) ** (1 / degree)
    drawn, order = jax.random.split(jax.random.fold_in(jax.random.key(seed), degree))
    classifier = dense_classifier(
        size,
        found.classes,
        memories=memories,
        degree=degree,
        temperature=scale * recipe.start,
        key=drawn,
    )
    batch = min(BATCH, len(found.x))
    looks = {-(-epoch * len(found.x) // batch): epoch for epoch in watched(epochs)}
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    # With all that decides what is learnt: another recipe must not go on from there.
    name = f"n{degree}-m{recipe.power}-t{recipe.start:g}-{recipe.end:g}-r{recipe.rate:g}"
    name = f"{name}-k{memories}-e{epochs}-seed{seed}"
    notes = None if folder is None else folder / f"{name}.json"
    errors = _read(notes)

    def look(done, steps, loss, *, model):
        if done not in looks:
            return
        errors[looks[done]] = (
            _error(model, found.test_x, found.test_y),
            _error(model, found.x[:_LEARNT], found.y[:_LEARNT]),
        )
        if notes is not None:
            replace_file(notes, lambda path: path.write_text(json.dumps(errors), encoding="utf-8"))

    ramp = optax.linear_schedule(scale * recipe.start, scale * recipe.end, max(1, epochs // 5))
    trained = train_dense_classifier(
        classifier,
        found.x,
        found.y,
        epochs=epochs,
        power=recipe.power,
        temperature=ramp,
        batch_size=batch,
        learning_rate=recipe.rate,
        checkpoint=None if folder is None else folder / f"{name}.train",
        every=10 * max(1, len(found.x) // batch),
        progress=look,
        key=order,
    )
    kept = sorted(errors)
    test, own = np.array([errors[epoch] for epoch in kept]).T
    return Learnt(np.array(kept), test, own, trained.model)


def _read(notes: Path | None) -> dict[int, tuple[float, float]]:
    if notes is None or not notes.exists():
        return {}
    read = json.loads(notes.read_text(encoding="utf-8"))
    return {int(epoch): (float(test), float(own)) for epoch, (test, own) in read.items()}


def _error(classifier: DenseClassifier, x: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean(np.asarray(_labels(classifier, x)) != y))


@eqx.filter_jit
def _labels(classifier, rows):
    return jax.lax.map(classifier.predict, rows, batch_size=TOGETHER)
