"""Training the networks that classify, and what they then say of test images."""

from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from ..dynamics import Outcome, certify
from ..hierarchical import HierarchicalMemory, SeparationLagrangian
from ..separation import Softmax
from ..training import train
from . import hamux_networks as hn
from .hamux_images import Images, images

BATCH, RATE = 200, 2e-3
# The implicit gradient grows without bound where a fixed point is about to split in two; unclipped,
# one such step makes the labels a winner-take-all, from which training does not come back.
CLIP = 1.0
DIGITS_BATCH, DIGITS_RATE = 100, 1e-2
# Images that are looked at together.
_TOGETHER = 250


def _loss(reading, network, batch):
    rows, labels = batch
    found = jax.nn.log_softmax(jax.vmap(reading, (None, 0))(network, rows))
    chosen = jnp.take_along_axis(found, labels[:, None], axis=1)
    return -jnp.mean(chosen)


# One object a reading, since every other function would be compiled anew.
LOSSES: dict[hn.Reading, Any] = {
    reading: partial(_loss, reading) for reading in (hn.at_start, hn.at_rest, hn.after_steps)
}


def fit(
    network: HierarchicalMemory,
    reading: hn.Reading,
    x: np.ndarray,
    y: np.ndarray,
    *,
    optimizer: optax.GradientTransformation,
    steps: int,
    key: jax.Array,
    batch: int = BATCH,
) -> HierarchicalMemory:
    """The network with the least cross-entropy of its labels that so many steps find."""
    return train(
        network,
        LOSSES[reading],
        (x, y),
        optimizer=optimizer,
        steps=steps,
        batch_size=min(batch, len(x)),
        key=key,
    ).model


def accuracy(network: HierarchicalMemory, reading: hn.Reading, x, y) -> float:
    """The share of images whose label is read right."""
    return float(np.mean(np.asarray(_labels(network, reading, x)) == y))


@eqx.filter_jit
def _labels(network, reading, rows):
    return jax.lax.map(lambda row: jnp.argmax(reading(network, row)), rows, batch_size=_TOGETHER)


class Watched(NamedTuple):
    """What a network says of test images at its fixed points, the image being held.

    - `accuracy`: the share of right labels.
    - `certified`: the share of images on which no sweep to the fixed point raised the energy.
    - `rested`: the share that came to rest; `sweeps`: how many sweeps that took on the average.
    - `rise`: the largest rise in a sweep, relative to the largest term of the energy.
    - `energies` (some, sweeps + 1): along the runs of the first images.
    - `labels` (some,): what these were taken for.
    """

    accuracy: float
    certified: float
    rested: float
    sweeps: float
    rise: float
    energies: np.ndarray
    labels: np.ndarray


def watch(network: HierarchicalMemory, x, y, shown: int = 60) -> Watched:
    """Relax the whole network from every test image, and watch the energy."""
    found = map(np.asarray, _watched(network, x))
    labels, certified, rise, steps, rested, energies = found
    return Watched(
        float(np.mean(labels == y)),
        float(np.mean(certified)),
        float(np.mean(rested)),
        float(np.mean(steps)),
        float(np.max(rise)),
        energies[:shown],
        labels[:shown],
    )


@eqx.filter_jit
def _watched(network, rows):
    def one(row):
        model: Any = network.space(row)
        run = hn.SWEEPS.run(model, model.initial, path=True)
        found = certify(model, run.path)
        label = jnp.argmax(run.state["label"])
        rested = run.outcome == Outcome.converged
        energies = jax.lax.map(model.energy, run.path)
        return label, found.certified, found.rise / found.scale, run.steps, rested, energies

    return jax.lax.map(one, rows, batch_size=_TOGETHER)


class Compared(NamedTuple):
    """Accuracies by name of the model, one a seed, and what the relaxing network showed.

    - `accuracies`: name → one number a seed; the network at rest is the last.
    - `watched`: of each seed.
    - `sizes`: name → how many weights and biases.
    - `network`: of the last seed.
    """

    accuracies: dict[str, list[float]]
    watched: list[Watched]
    sizes: dict[str, int]
    network: HierarchicalMemory


def compare(make, rivals, found: Images, seeds: int, steps: int, seed: int) -> Compared:
    """A network at rest beside the same layers feed-forward and other rivals, seed by seed.

    **Arguments:**

    - `make`: key → network.
    - `rivals`: name → (key → network), read feed-forward.
    - `found`: the images; `seeds`, `steps`, `seed`: how often, how long, and from where.
    """
    adam = optax.adam(optax.cosine_decay_schedule(RATE, steps))
    optimizer = optax.chain(optax.clip_by_global_norm(CLIP), adam)
    models = {**rivals, "feed-forward": make}
    accuracies: dict[str, list[float]] = {name: [] for name in (*models, "at rest")}
    watched, sizes = [], {}
    network = eqx.filter_eval_shape(make, jax.random.key(seed))
    for number in range(seeds):
        drawn, order = jax.random.split(jax.random.fold_in(jax.random.key(seed), number))
        learn = partial(fit, x=found.x, y=found.y, optimizer=optimizer, steps=steps, key=order)
        for name, model in models.items():
            network = learn(eqx.filter_jit(model)(drawn), hn.at_start)
            sizes[name] = hn.learnt(network)
            share = accuracy(network, hn.at_start, found.test_x, found.test_y)
            accuracies[name].append(share)
        network = learn(eqx.filter_jit(make)(drawn), hn.at_rest)
        watched.append(watch(network, found.test_x, found.test_y))
        accuracies["at rest"].append(watched[-1].accuracy)
    return Compared(accuracies, watched, sizes, network)


def dense_comparison(found: Images, hidden: int, seeds: int, steps: int, seed: int) -> Compared:
    """Image, hidden and labels, beside logistic regression and the MLP of the same weights."""
    pixels = found.x.shape[1]
    return compare(
        lambda key: hn.dense_network(key, pixels, found.classes, hidden),
        {"logistic regression": lambda key: hn.linear_network(key, pixels, found.classes)},
        found,
        seeds,
        steps,
        seed,
    )


def convolutional_comparison(
    found: Images, channels: int, seeds: int, steps: int, seed: int
) -> Compared:
    """A convolution with pooling, beside an MLP of as many weights and the feed-forward layers."""
    pixels = found.x.shape[1]

    def make(key):
        return hn.convolutional_network(key, found.shape, found.classes, channels)

    weights = hn.learnt(eqx.filter_eval_shape(make, jax.random.key(0)))
    hidden = max(1, round((weights - found.classes) / (pixels + found.classes + 1)))
    return compare(
        make,
        {"MLP": lambda key: hn.dense_network(key, pixels, found.classes, hidden)},
        found,
        seeds,
        steps,
        seed,
    )


HIDDEN = {
    "hn_relu": hn.relu,
    "hn_softmax": lambda: SeparationLagrangian(Softmax()),
}


def digits(name: str, seeds: int, steps: int, seed: int) -> list[float]:
    """Accuracies of HAMUX 0.1.1's `hn_relu` or `hn_softmax` with 100 hidden neurons.

    Labels are read, and gradients taken, after ten steps of 0.4.
    """
    optimizer = optax.adam(optax.cosine_decay_schedule(DIGITS_RATE, steps))
    shares = []
    for number in range(seeds):
        found = images("digits", 1797, 450, seed + number)
        drawn, order = jax.random.split(jax.random.fold_in(jax.random.key(seed), number))
        network = eqx.filter_jit(hn.fast_network)(
            drawn, found.x.shape[1], found.classes, 100, HIDDEN[name]()
        )
        learn = partial(fit, optimizer=optimizer, steps=steps, key=order, batch=DIGITS_BATCH)
        network = learn(network, hn.after_steps, found.x, found.y)
        shares.append(accuracy(network, hn.after_steps, found.test_x, found.test_y))
    return shares
