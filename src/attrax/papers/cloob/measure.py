"""Slopes and sums of contrastive losses, what a batch retrieves, and encoders of half digits."""

import functools
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from attrax.common.arithmetic import unit
from attrax.models import modern_memory
from attrax.training import (
    cloob_loss,
    info_loob,
    info_nce,
    leave_one_out_logsumexp,
    retrieve_batch,
    train,
)

from ..classifiers import load_images
from ..contract import NotRun, wide

# Of the loss and of the memories, as published for Conceptual Captions, and β of the code.
INVERSE, BETA, LARGER = 30.0, 8.0, 14.3
LOGITS = np.array([0.0, 2.0, 5.0, 10.0])
LOSSES = {"InfoNCE": info_nce, "InfoLOOB": info_loob}
# The loss, and whether the batch is read.
ARMS = {
    "CLIP": ("InfoNCE", False),
    "InfoLOOB alone": ("InfoLOOB", False),
    "retrieval alone": ("InfoNCE", True),
    "CLOOB": ("InfoLOOB", True),
}
BETAS = tuple(np.geomspace(0.1, 1000, 13).tolist())
_SIZE, _HIDDEN, _BATCH, _LOOKS = 32, 64, 128, 20


@wide
def slopes(run, loss: str, logits: tuple[float, ...] = tuple(LOGITS.tolist())) -> np.ndarray:
    """The slope of a loss in the logit of each of 16 equal pairs, by `logits`, all others being 0.

    Candidates share cos φ with their own anchor and nothing with others: at 1/τ = 20, the logit of
    a pair is 20 cos φ.
    """
    rows = jnp.eye(16, 32)

    def value(logit):
        cosine = logit / 20
        candidates = cosine * rows + jnp.sqrt(1 - cosine**2) * jnp.roll(rows, 16, axis=1)
        return LOSSES[loss](rows, candidates, 20.0)

    return np.asarray(jax.jit(jax.vmap(jax.grad(value)))(jnp.asarray(logits)))


def share(logits: np.ndarray) -> np.ndarray:
    """p of a pair beside 15 others of logit 0."""
    return np.exp(logits) / (np.exp(logits) + 15)


class Sums(NamedTuple):
    """Leave-one-out sums, by draw.

    - `errors`: the largest difference from sums in long doubles, over the largest exponent.
    - `lost`: the share of rows in which taking the own term off the sum of all leaves nothing.
    """

    errors: np.ndarray
    lost: np.ndarray


@wide
def sums(run) -> Sums:
    """64 pairs of 16 entries, of which row i has i/4 times the scale: exponents of thousands."""
    rng, errors, lost = np.random.default_rng(run.seed), [], []
    for _ in range(run.pick("sums.draws", quick=4, full=20)):
        anchors = rng.normal(size=(64, 16)) * (np.arange(64)[:, None] / 4)
        candidates = anchors + 0.1 * rng.normal(size=(64, 16))
        exponents = (anchors.astype(np.longdouble) @ candidates.astype(np.longdouble).T) / 2
        own, rest = np.eye(64, dtype=bool), exponents.copy()
        rest[own] = -np.inf
        top = rest.max(1)
        expected = top + np.log(np.sum(np.exp(rest - top[:, None]), 1))
        found = np.asarray(_leave_one_out(anchors, candidates))
        errors.append(np.max(np.abs(found - expected)) / np.max(np.abs(exponents)))
        whole = np.logaddexp.reduce(exponents.astype(float), axis=1)
        lost.append(np.mean(whole - exponents.astype(float)[own] <= 0))
    return Sums(np.array(errors, float), np.array(lost))


@jax.jit
def _leave_one_out(anchors, candidates):
    return leave_one_out_logsumexp(anchors, candidates, 0.5)


@wide
def published(run) -> np.ndarray:
    """`cloob_loss` less the sums of the paper, term by term in NumPy, over them, by draw."""
    rng, found = np.random.default_rng(run.seed), []
    loss = jax.jit(cloob_loss)
    for _ in range(run.pick("published.draws", quick=4, full=20)):
        x, y = rng.normal(size=(2, 50, 16))
        value = float(loss(x, y, inverse_temperature=INVERSE, beta=BETA))
        expected = _sums_of_the_paper(_unit(x), _unit(y))
        found.append(abs(value - expected) / abs(expected))
    return np.array(found)


def _sums_of_the_paper(x, y):
    def read(memory, query):
        weights = np.exp(BETA * memory @ query)
        return _unit(memory.T @ (weights / weights.sum()))

    total, count = 0.0, len(x)
    ux, uy = [read(x, row) for row in x], [read(x, row) for row in y]
    vx, vy = [read(y, row) for row in x], [read(y, row) for row in y]
    for i in range(count):
        images = sum(np.exp(INVERSE * ux[i] @ uy[j]) for j in range(count) if j != i)
        texts = sum(np.exp(INVERSE * vx[j] @ vy[i]) for j in range(count) if j != i)
        total -= INVERSE * (ux[i] @ uy[i] + vx[i] @ vy[i]) - np.log(images) - np.log(texts)
    return total / count


def _unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


@wide
def covariances(run) -> np.ndarray:
    """The slope of a read less β times the covariance under its weights, largest entry over largest
    entry, at 20 states; the first is 0, where all weights are 1/N."""
    rng = np.random.default_rng(run.seed)
    rows, states = _unit(rng.normal(size=(50, 16))), _unit(rng.normal(size=(20, 16)))
    states[0] = 0
    found = np.asarray(_read_slopes(modern_memory(rows, BETA), states))
    differences = []
    for state, slope in zip(states, found, strict=True):
        weights = np.exp(BETA * rows @ state)
        weights /= weights.sum()
        centred = rows - weights @ rows
        expected = BETA * (weights[:, None] * centred).T @ centred
        differences.append(np.abs(slope - expected).max() / np.abs(expected).max())
    return np.array(differences)


@jax.jit
def _read_slopes(memory, states):
    return jax.vmap(jax.jacfwd(memory))(states)


class Retrieved(NamedTuple):
    """What a batch of 8 groups retrieves, by draw: cosines with the feature of the own group,
    before and after, and between rows of different groups after it."""

    before: np.ndarray
    after: np.ndarray
    between: np.ndarray


def retrieved(run, beta: float) -> Retrieved:
    """128 rows of 32 entries: a feature of a group and noise of the same length, of unit norm."""
    rng, rows = np.random.default_rng(run.seed), []
    group = np.arange(128) % 8
    other = group[:, None] != group
    for _ in range(run.pick("retrieved.draws", quick=10, full=50)):
        features = _unit(rng.normal(size=(8, 32)))
        stored = _unit(features[group] + _unit(rng.normal(size=(128, 32)))).astype(np.float32)
        # As an array, so that one program serves all of them.
        read = np.asarray(_retrieve(stored, np.float32(beta)))
        cosines = (np.sum(x * features[group], 1).mean() for x in (stored, read))
        rows.append([*cosines, (read @ read.T)[other].mean()])
    return Retrieved(*np.array(rows).T)


@jax.jit
def _retrieve(rows, beta):
    return retrieve_batch(rows, rows, beta)


class Halves(NamedTuple):
    """Left and right halves of digits, a division of its own for each member.

    - `seen` (members, n, 2, 32), `labels` (members, n): to learn from.
    - `test` (members, m, 2, 32), `test_labels` (members, m).
    """

    seen: np.ndarray
    labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray


def halves(run, members: int) -> Halves:
    """Digits of scikit-learn, pixels of mean 0 and deviation 1, cut in the middle."""
    sets = [load_images(run.load, "digits", 2000, 400, run.seed + i) for i in range(members)]
    tables = []
    for name in ("x", "test_x"):
        x = np.stack([getattr(each, name) for each in sets])
        x = (x - sets[0].x.mean()) / sets[0].x.std()
        images = x.reshape(members, -1, 8, 2, 4).swapaxes(2, 3)
        tables.append(images.reshape(members, -1, 2, 32).astype(np.float32))
    y, test_y = (np.stack([getattr(each, name) for each in sets]) for name in ("y", "test_y"))
    return Halves(tables[0], y, tables[1], test_y)


class Encoders(eqx.Module):
    """Two networks with one hidden layer, one for each half."""

    left: eqx.nn.MLP
    right: eqx.nn.MLP

    def __init__(self, key):
        keys = jax.random.split(key)
        self.left, self.right = (
            eqx.nn.MLP(32, _SIZE, _HIDDEN, depth=1, key=keys[i]) for i in range(2)
        )

    def __call__(self, pair):
        """Embeddings of both halves of an image, shape (2, 32)."""
        return jnp.stack([self.left(pair[0]), self.right(pair[1])])


def embed(model, pairs):
    """Embeddings of both halves of images, shape (2, n, 32)."""
    return jnp.moveaxis(jax.vmap(model)(pairs), 1, 0)


def compared(arm: str, x, y):
    """Anchors and candidates of both terms of an arm's loss."""
    if not ARMS[arm][1]:
        return (x, y), (y, x)
    (ux, vx), (uy, vy) = (
        [retrieve_batch(rows, memory, BETA) for memory in (x, y)] for rows in (x, y)
    )
    return (ux, uy), (vy, vx)


def objective(arm: str, x, y):
    """The loss of an arm: both directions, added."""
    if arm == "CLOOB":
        return cloob_loss(x, y, inverse_temperature=INVERSE, beta=BETA)
    return sum(LOSSES[ARMS[arm][0]](*pair, INVERSE) for pair in compared(arm, x, y))


@functools.cache
def _loss_of(arm: str):
    """One function for each arm, since a step is compiled anew for every other."""

    def loss(models, batch):
        # Members do not share anything: each is trained as if alone.
        return jnp.sum(
            eqx.filter_vmap(lambda m, pairs: objective(arm, *embed(m, pairs)))(models, batch)
        )

    return loss


@eqx.filter_jit
def _gradient_norms(loss, models, batch):
    """The norm of the gradient of each member."""
    slopes = jax.tree.leaves(eqx.filter_grad(loss)(models, batch))
    return jnp.sqrt(sum(jnp.sum(x.reshape(x.shape[0], -1) ** 2, 1) for x in slopes))


@eqx.filter_jit
def _embedded(models, pairs):
    return eqx.filter_vmap(embed)(models, pairs)


class Learnt(NamedTuple):
    """Encoders of an arm.

    - `steps` (looks,), `gradients` (looks, members), `eigenvalues` (looks, members): along
      training, the norm of the gradient, and the effective number of eigenvalues.
    - `accuracy` (members,): of left halves by the mean right half of each class.
    - `found` (members,): the share of left halves whose nearest right half is their own.
    - `embeddings` (members, 2, m, 32): of test images, of unit norm.
    """

    steps: np.ndarray
    gradients: np.ndarray
    eigenvalues: np.ndarray
    accuracy: np.ndarray
    found: np.ndarray
    embeddings: np.ndarray

    def last(self) -> np.ndarray:
        """The norm of the gradient over the last fifth of training, by member."""
        return self.gradients[-_LOOKS // 5 :].mean(0)


def learnt(run, arm: str) -> Learnt:
    """Encoders trained by Adam at 0.001 with 128 pairs a step, drawn at random."""
    members, steps = _sizes(run)
    data, loss = run(halves, members), _loss_of(arm)
    rows = np.arange(members)[:, None]

    def batches(step):
        rng = np.random.default_rng([run.seed, int(step)])
        return data.seen[rows, rng.integers(0, data.seen.shape[1], (members, _BATCH))]

    looks: list[tuple[int, Any, Any]] = []

    def look(done, steps, value, model=None):
        if done % (steps // _LOOKS) == 0:
            # Batches that training does not draw.
            norms = _gradient_norms(loss, model, batches(steps + done))
            seen = np.asarray(_embedded(model, data.test))[:, 0]
            looks.append((done, np.asarray(norms), [effective(_unit(x)) for x in seen]))

    model = train(_begin(run, members), loss, batches, steps=steps, progress=look).model
    numbers, norms, counts = (np.array(each) for each in zip(*looks, strict=True))
    return Learnt(numbers, norms, counts, *judged(model, data))


def apart(run, arm: str, batch: str) -> np.ndarray:
    """The accuracy of encoders trained likewise in other batches, by member.

    `batch` is "one of each class", ten pairs; "ten", pairs drawn at random; or "others of the class
    left out", 128 pairs, of which those of one class do not stand in each other's denominators.
    """
    if run.profile == "quick":
        raise NotRun("needs some minutes: attrax reproduce cloob --profile full")
    members, steps = _sizes(run)
    data = run(halves, members)
    rows = np.arange(members)[:, None]
    by_class = [[np.flatnonzero(y == label) for label in range(10)] for y in data.labels]

    def batches(step):
        rng, size = np.random.default_rng([run.seed, int(step)]), data.seen.shape[1]
        if batch == "one of each class":
            index = np.array([[rng.choice(each) for each in own] for own in by_class])
        else:
            index = rng.integers(0, size, (members, 10 if batch == "ten" else _BATCH))
        pairs, labels = data.seen[rows, index], data.labels[rows, index]
        return (pairs, labels.astype(np.int32)) if batch.endswith("left out") else pairs

    loss = _loss_without_class(arm) if batch.endswith("left out") else _loss_of(arm)
    return judged(train(_begin(run, members), loss, batches, steps=steps).model, data)[0]


@functools.cache
def _loss_without_class(arm: str):
    """The loss of an arm, in whose denominators no other pair of the anchor's class stands."""

    def one(model, pairs, labels):
        counted = labels[:, None] != labels[None]
        if ARMS[arm][0] == "InfoNCE":
            counted = counted | jnp.eye(len(labels), dtype=bool)
        return sum(masked(*pair, counted) for pair in compared(arm, *embed(model, pairs)))

    def loss(models, batch):
        return jnp.sum(eqx.filter_vmap(one)(models, *batch))

    return loss


def masked(anchors, candidates, counted):
    """The mean over anchors of ln Σ_j exp(a_i·c_j/τ) − a_i·c_i/τ, with the terms that count."""
    exponents = INVERSE * unit(anchors) @ unit(candidates).T
    sums = jax.nn.logsumexp(exponents, axis=1, where=counted)
    return jnp.mean(sums - jnp.diagonal(exponents))


def _sizes(run) -> tuple[int, int]:
    """How many encoders are trained side by side, and in how many steps."""
    members = run.pick("learnt.members", quick=3, full=16)
    return members, run.pick("learnt.steps", quick=400, full=1500)


def _begin(run, members: int):
    return eqx.filter_vmap(Encoders)(jax.random.split(jax.random.key(run.seed), members))


def judged(model, data: Halves) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`accuracy`, `found` and `embeddings` of `Learnt`."""
    seen, tested = (_unit(np.asarray(_embedded(model, pairs))) for pairs in (data.seen, data.test))
    accuracy, found = [], []
    for i, labels in enumerate(data.labels):
        means = np.stack([seen[i, 1, labels == label].mean(0) for label in range(10)])
        accuracy.append(np.mean((tested[i, 0] @ _unit(means).T).argmax(1) == data.test_labels[i]))
        nearest = (tested[i, 0] @ tested[i, 1].T).argmax(1)
        found.append(np.mean(nearest == np.arange(len(nearest))))
    return np.array(accuracy), np.array(found), tested


def effective(rows: np.ndarray, kept: float = 0.99) -> int:
    """How many of the largest eigenvalues of the covariance hold so much of its trace."""
    values = np.linalg.eigvalsh(np.cov(rows.T))[::-1]
    return int(np.searchsorted(np.cumsum(values) / values.sum(), kept) + 1)


def saturation(run, beta: float) -> np.ndarray:
    """1 − p of what embeddings of CLIP retrieve, over that of the embeddings, by member: test
    images, as many at a time as in training, and what is left over is not looked at."""
    ratios = []
    for x, y in run(learnt, "CLIP").embeddings:
        starts = range(0, len(x) - _BATCH + 1, _BATCH)
        pairs = [(x[i : i + _BATCH], y[i : i + _BATCH], np.float32(beta)) for i in starts]
        both = np.array([_unsaturated(*pair) for pair in pairs]).mean(0)
        ratios.append(both[1] / both[0])
    return np.array(ratios)


@jax.jit
def _unsaturated(x, y, beta):
    """The mean of 1 − p over pairs in both directions: of unit rows, and of what they retrieve."""
    read = [[retrieve_batch(rows, memory, beta) for rows in (x, y)] for memory in (x, y)]

    def mean(anchors, candidates):
        return 1 - jnp.mean(jnp.diagonal(jax.nn.softmax(INVERSE * anchors @ candidates.T)))

    plain = (mean(x, y) + mean(y, x)) / 2
    return plain, (mean(*read[0]) + mean(*read[1][::-1])) / 2
