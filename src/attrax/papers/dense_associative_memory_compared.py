"""Dense classifiers of several degrees on one set of images, beside networks by other means."""

import dataclasses
import functools
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from ..models import DenseClassifier
from . import hamux_networks as hn
from .dense_associative_memory_training import TOGETHER, Learnt, Recipe, learn
from .hamux_images import Images, images
from .hamux_training import accuracy, fit

# A memory is strongly activated if it adds this share of what the most active one adds.
STRONG = 0.9


@dataclasses.dataclass(frozen=True)
class Runs:
    """Trainings on one set of images.

    - `images`, `test`: how many there are to learn from, and to be judged by.
    - `recipes`: one a degree; `memories`, `epochs`, `seeds`: K, and so on.
    - `rival_epochs`: of logistic regression and an MLP.
    - `large`: a recipe, K and epochs of two more trainings, with K and with `memories`, or `None`.
    """

    images: int
    test: int
    recipes: tuple[Recipe, ...]
    memories: int
    epochs: int
    seeds: int
    rival_epochs: int
    large: tuple[Recipe, int, int] | None = None

    @property
    def degrees(self) -> dict[int, Recipe]:
        """The recipes by n."""
        return {recipe.degree: recipe for recipe in self.recipes}


@functools.lru_cache(maxsize=6)
def pictures(name: str, runs: Runs, seed: int) -> Images:
    """Images with pixels in [−1, 1]; sets without a test split are divided by the seed."""
    found = images(name, runs.images, runs.test, seed)
    return found._replace(x=2 * found.x - 1, test_x=2 * found.test_x - 1)


def positive_votes(classifier: DenseClassifier) -> np.ndarray:
    """How many classes each memory votes for, shape (K,)."""
    return np.asarray(jnp.sum(classifier.votes > 0, axis=1))


def strongly_active(classifier: DenseClassifier, x: np.ndarray) -> np.ndarray:
    """By how many memories each image is decided, shape (images,).

    A memory's part is what it adds to the logit of the label that is read; those count that add no
    less than `STRONG` of the largest part.
    """
    return np.asarray(_active(classifier, x))


@eqx.filter_jit
def _active(classifier, rows):
    def one(row):
        label = classifier.predict(row)
        parts = classifier.parts(row, label)
        return jnp.sum(parts >= STRONG * jnp.max(parts))

    return jax.lax.map(one, rows, batch_size=TOGETHER)


RIVALS = {
    "logistic regression": lambda key, pixels, classes, _: hn.linear_network(key, pixels, classes),
    "MLP": hn.dense_network,
}


def rivals(found: Images, hidden: int, epochs: int, seed: int) -> dict[str, float]:
    """Errors of logistic regression and of an MLP with as many weights, by Adam."""
    steps = max(1, epochs * len(found.x) // 200)
    optimizer = optax.adam(optax.cosine_decay_schedule(2e-3, steps))
    drawn, order = jax.random.split(jax.random.key(seed))
    errors = {}
    for name, make in RIVALS.items():
        network = make(drawn, found.x.shape[1], found.classes, hidden)
        network = fit(
            network, hn.at_start, found.x, found.y, optimizer=optimizer, steps=steps, key=order
        )
        errors[name] = 1 - accuracy(network, hn.at_start, found.test_x, found.test_y)
    return errors


class Compared(NamedTuple):
    """All trainings on one set, one a seed.

    - `learnt`: by degree; `large`: with as many memories and with more, or `None`.
    - `rivals`: errors by name.
    - `votes`, `active`: by degree, how many classes memories vote for, and how many memories
      decide test images.
    - `found`: the images of the first seed.
    """

    learnt: dict[int, list[Learnt]]
    large: tuple[Learnt, Learnt] | None
    rivals: dict[str, list[float]]
    votes: dict[int, list[np.ndarray]]
    active: dict[int, list[np.ndarray]]
    found: Images

    def errors(self, degree: int) -> np.ndarray:
        """Test errors at the end, one a seed."""
        return np.array([float(run.error[-1]) for run in self.learnt[degree]])


def tasks(name: str, runs: Runs, seed: int, folder: Path | None) -> dict[str, Any]:
    """What is to be run on one set, by name: trainings of each degree, rivals, those of `large`."""
    numbers = range(seed, seed + runs.seeds)

    def train(recipe):
        return [
            learn(pictures(name, runs, i), recipe, runs.memories, runs.epochs, i, folder)
            for i in numbers
        ]

    def compare():
        each = [
            rivals(pictures(name, runs, i), runs.memories, runs.rival_epochs, i) for i in numbers
        ]
        return {rival: [errors[rival] for errors in each] for rival in RIVALS}

    found: dict[str, Any] = {str(n): partial(train, recipe) for n, recipe in runs.degrees.items()}
    found["rivals"] = compare
    if runs.large is not None:
        recipe, memories, epochs = runs.large
        found["large"] = lambda: tuple(
            learn(pictures(name, runs, seed), recipe, count, epochs, seed, folder)
            for count in (runs.memories, memories)
        )
    return found


def compared(name: str, runs: Runs, seed: int, done: dict[str, Any]) -> Compared:
    """What the tasks of one set have found, and what the memories look at."""
    learnt = {degree: done[str(degree)] for degree in runs.degrees}
    votes = {n: [positive_votes(run.classifier) for run in each] for n, each in learnt.items()}
    active = {
        n: [
            strongly_active(run.classifier, pictures(name, runs, seed + i).test_x)
            for i, run in enumerate(each)
        ]
        for n, each in learnt.items()
    }
    return Compared(
        learnt,
        done.get("large"),
        done["rivals"],
        votes,
        active,
        pictures(name, runs, seed),
    )
