"""Identities of prototype layers, what a position sees, and generators trained on digits."""

import functools
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from attrax.evaluate import zero_shot_accuracy
from attrax.nn import HopfieldLookup, PrototypeGenerator
from attrax.training import train

from ..classifiers import Images, adam, fit, load_images, logistic_regression
from ..contract import NotRun, wide

LEVELS, CLASSES, SIZE, PROTOTYPES = 4, 10, 64, 64
# The learning rate of the paper's code.
RATE = 4.5e-3
SIZES: dict[str, Any] = {
    "size": SIZE,
    "blocks": 2,
    "heads": 4,
    "head_size": 16,
    "prototypes": PROTOTYPES,
}


class Layer(NamedTuple):
    """Of layers of random prototypes.

    - `difference`: of a layer with contents of its own from an MLP with a softmax, over the
      largest output.
    - `outside`: of a layer that reads its prototypes, how far outputs lie beyond their hull in any
      of many directions, over the largest product; below zero inside.
    - `rise`: the largest change of the energy under a read, over the largest energy.
    """

    difference: float
    outside: float
    rise: float


@wide
def layer(run) -> Layer:
    """Rows of 16 entries and 40 prototypes, sharp and blurred."""
    rng = np.random.default_rng(run.seed)
    rows, lookup, content = (rng.normal(size=(n, 16)) for n in (200, 40, 40))
    directions = rng.normal(size=(500, 16))
    found = []
    for beta in (0.25, 1.0, 4.0):
        options = {"memories": lookup, "project": (), "beta": beta, "key": jax.random.key(0)}
        free, tied = HopfieldLookup(16, values=content, **options), HopfieldLookup(16, **options)
        hidden = np.exp(beta * rows @ lookup.T)
        expected = hidden / hidden.sum(1, keepdims=True) @ content
        difference = np.abs(np.asarray(free(rows)) - expected).max() / np.abs(expected).max()
        read, reach = np.asarray(tied(rows)), directions @ lookup.T
        outside = (directions @ read.T - reach.max(1, keepdims=True)).max() / np.abs(reach).max()
        before, after = (np.asarray(energies(tied, states)) for states in (rows, read))
        found.append((difference, outside, (after - before).max() / np.abs(before).max()))
    return Layer(*np.array(found).max(0).tolist())


def energies(lookup, states):
    """The energy of states, shape (S,)."""
    return lookup.attention.energy(states, lookup.memories)[0]


class Sight(NamedTuple):
    """What positions of a generator see and may predict.

    - `ahead`: the largest change of what predicts a token, by other tokens from that one on.
    - `behind`: the smallest change of the largest entry of what comes after, by the same tokens.
    - `masked`: the share of logits that are −∞ although they can follow, or finite and cannot.
    - `apart`: the share of tokens drawn nearly without noise that are not the likeliest after
      those before them, as a pass over the whole image says.
    """

    ahead: float
    behind: float
    masked: float
    apart: float


def sight(run) -> Sight:
    """Generators of 5 × 6 tokens from captions of three words, at their start."""
    rng = np.random.default_rng(run.seed)
    sizes: dict[str, Any] = SIZES | {"size": 32, "words": 9, "length": 3}
    model = PrototypeGenerator((5, 6), 7, **sizes, dropout=0.0, key=one_key(run))
    caption, image = np.array([4, 8, 0]), rng.integers(0, 7, (5, 6))
    hidden = eqx.filter_jit(model.hidden)
    before, ahead, behind = np.asarray(hidden(caption, image)), 0.0, np.inf
    for first in (0, 1, 13, 28):
        other = (image.reshape(-1) + 3 * (np.arange(30) >= first)) % 7
        change = np.abs(np.asarray(hidden(caption, other.reshape(5, 6))) - before).max(1)
        # Row 3 + n predicts token n.
        ahead = max(ahead, float(change[: 4 + first].max()))
        behind = min(behind, float(change[4 + first :].max()))
    drawn = model.generate(caption, temperature=1e-6, key=one_key(run))
    logits = np.asarray(eqx.filter_jit(model)(caption, drawn))
    can = (np.arange(33) >= 3)[:, None] == (np.arange(9 + 3 + 7) >= 12)
    likeliest = logits[3:].argmax(1) - 12
    masked, apart = np.isfinite(logits) != can, likeliest != np.asarray(drawn).reshape(-1)
    return Sight(ahead, behind, float(masked.mean()), float(apart.mean()))


def one_key(run):
    """A random key of the run."""
    return jax.random.key(run.seed)


def left_out(run, words: int = 5040, tokens: int = 2048) -> int:
    """How many image tokens the better half of all logits leaves out, those of words at −∞."""
    logits = np.full(words + tokens, -np.inf)
    logits[words:] = np.random.default_rng(run.seed).normal(size=tokens)
    kept = np.argsort(-logits, kind="stable")[: len(logits) // 2]
    return tokens - int((kept >= words).sum())


class Reading(NamedTuple):
    """What output prototypes stand for, where they lead: where their weight is the largest of all.

    - `agreement`: how often the token that follows is the top token of the leading prototype.
    - `control`: the same with each prototype given another's top token, mean of 100 permutations.
    - `tops` (M,): the top token of each prototype.
    - `places` (M, 8, 8): how often each leads, by the pixel that follows.
    """

    agreement: float
    control: float
    tops: np.ndarray
    places: np.ndarray


class Trained(NamedTuple):
    """A generator after training, and what it was not shown.

    - `model`: the generator.
    - `losses` (steps,): nats a token, at each step.
    - `nats`: of the tokens of test images.
    - `table`: the same for the frequencies of levels by class and pixel in the training images.
    - `accuracy`: zero-shot, for samples from all logits; `halved`: from the better half.
    - `shuffled`: zero-shot, with the captions of samples in another order.
    - `real`: of the same classifier, trained on the training images.
    - `samples` (300, 8, 8), `labels` (300,): what was drawn from all logits, and for which class.
    - `reading`: what output prototypes stand for; `None` where there are none.
    """

    model: PrototypeGenerator
    losses: np.ndarray
    nats: float
    table: float
    accuracy: float
    halved: float
    shuffled: float
    real: float
    samples: np.ndarray
    labels: np.ndarray
    reading: Reading | None


# Feed-forward part and output, by what is compared.
MODELS = {
    "prototypes": ("prototypes", "prototypes"),
    "linear": ("prototypes", "linear"),
    "mlp": ("mlp", "linear"),
}


def trained(run, name: str) -> list[Trained]:
    """Generators of one kind, each with weights, order and a division of the digits of its own."""
    steps = run.pick("steps", quick=0, full=800)
    if not steps:
        raise NotRun("needs some minutes: attrax reproduce xu-2022 --profile full")
    count = run.pick("networks", quick=0, full=3)
    return [learn(run.load, run.seed + i, *MODELS[name], steps) for i in range(count)]


def learn(load, seed: int, feedforward: str, output: str, steps: int) -> Trained:
    """Train on 1400 digits of four grey levels, and measure on 397 others."""
    images = load_images(load, "digits", 1400, 397, seed)
    keys = jax.random.split(jax.random.key(seed), 4)
    kind = {"feedforward": feedforward, "output": output, "dropout": 0.0}
    model = PrototypeGenerator((8, 8), LEVELS, words=1 + CLASSES, **SIZES, **kind, key=keys[0])
    shown, held = pairs(images.x, images.y), pairs(images.test_x, images.test_y)
    result = train(
        model, loss, shown, steps=steps, batch_size=16, optimizer=adam(RATE, steps), key=keys[1]
    )
    labels = np.tile(np.arange(CLASSES, dtype=np.int32), 30)
    samples, halved = (np.asarray(sample(result.model, labels, keys[2], x)) for x in (1.0, 0.5))
    score = functools.partial(scored, images)
    mixed = np.random.default_rng(seed).permutation(labels)
    return Trained(
        result.model,
        np.asarray(result.losses),
        float(nats(result.model, held)),
        table(shown, held),
        score(samples, labels),
        score(halved, labels),
        score(samples, mixed),
        score(shown[1], images.y),
        samples,
        labels,
        read(result.model, held, seed) if output == "prototypes" else None,
    )


def pairs(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Captions of one word, the class, and images of levels."""
    levels = np.round((LEVELS - 1) * x).astype(np.int32)
    return (y + 1).astype(np.int32)[:, None], levels.reshape(-1, 8, 8)


def loss(model, batch):
    """The mean over images of nats a token."""
    return jnp.mean(jax.vmap(model.cross_entropy)(*batch))


nats = eqx.filter_jit(loss)


def sample(model, labels, key, keep):
    """One image a label, from a share of the logits of tokens; compiled once for all shares."""
    keys = jax.random.split(key, len(labels))
    return jax.vmap(lambda label, key: model.generate(label[None] + 1, keep=keep, key=key))(
        labels, keys
    )


def scored(images: Images, levels: np.ndarray, labels: np.ndarray) -> float:
    """Zero-shot accuracy by logistic regression, on test images of as many levels."""
    test = pairs(images.test_x, images.test_y)[1]
    given = (x.astype(np.float32) / (LEVELS - 1) for x in (levels, test))
    rows, real = (x.reshape(len(x), -1) for x in given)
    return float(zero_shot_accuracy(classifier, rows, labels, real, images.test_y))


def classifier(rows, labels):
    """Logistic regression, after 300 steps of Adam with 300 images each."""
    model = logistic_regression(jax.random.key(0), rows.shape[1], CLASSES)
    options = {"optimizer": adam(0.01, 300), "steps": 300, "batch_size": 300}
    model = fit(model, np.asarray(rows), np.asarray(labels), **options, key=jax.random.key(1))
    weights, bias = (np.asarray(x) for x in (model.weight, model.bias))
    return lambda rows: (np.asarray(rows) @ weights.T + bias).argmax(1)


def table(shown, held) -> float:
    """Nats a token of frequencies by class and pixel, with one of each level added."""
    counts = np.ones((CLASSES, 8, 8, LEVELS))
    seen = np.eye(LEVELS)[shown[1]]
    np.add.at(counts, shown[0][:, 0] - 1, seen)
    logs = np.log(counts / counts.sum(-1, keepdims=True))[held[0][:, 0] - 1]
    return float(-np.take_along_axis(logs, held[1][..., None], axis=-1).mean())


@eqx.filter_jit
def weights(model, captions, images):
    """The weights of output prototypes for each token, shape (n, 64, M)."""

    def one(caption, image):
        rows = model.hidden(caption, image)[model.length :]
        return model.lookup.read(rows).weights[0]

    return jax.vmap(one)(captions, images)


def read(model, held, seed: int) -> Reading:
    """What the output prototypes of a generator stand for on images that it was not shown."""
    leading = np.asarray(weights(model, *held)).argmax(-1)
    wanted, tops = held[1].reshape(leading.shape), np.asarray(model.top_tokens(1))[:, 0]
    rng = np.random.default_rng(seed)
    others = [(rng.permutation(tops)[leading] == wanted).mean() for _ in range(100)]
    places = (leading[..., None] == np.arange(PROTOTYPES)).sum(0).T.reshape(-1, 8, 8)
    share = float((tops[leading] == wanted).mean())
    return Reading(share, float(np.mean(others)), tops, places)
