"""Energies along the steps, exact identities, and what small models learn of digits and graphs."""

import functools
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import scipy.optimize

from attrax.hierarchical import LayerNorm
from attrax.nn import (
    EnergyTransformer,
    GraphEnergyTransformer,
    ImageEnergyTransformer,
    hide_patches,
)
from attrax.separation import Power, Softmax
from attrax.training import train

from ..contract import wide

ALPHAS = (0.01, 0.1, 0.5, 1.0)
FORMS = {"ReLU": Power(1, rectified=True), "cubic": Power(2, rectified=True), "softmax": Softmax()}
# Digits of 8 × 8 in patches of 2 × 2: half of 16 count, and training shows one of those.
PATCHES, SELECTED, HIDDEN = 16, 8, 7
# Largest of the graphs to be classified, and nodes of those with anomalies.
LARGEST, NODES = 10, 150


@eqx.filter_jit
def _energies(block, alphas, weights, tokens):
    """Energies of runs, (alphas, draws, steps + 1)."""

    def one(alpha, weights, tokens):
        where = lambda b: (b.alpha, b.attention.queries, b.attention.keys, b.memories)  # noqa: E731
        return eqx.tree_at(where, block, (alpha, *weights)).energies(tokens)

    return jax.vmap(jax.vmap(one, (None, 0, 0)), (0, None, None))(alphas, weights, tokens)


def _descend(run, form, alphas, count, draws, steps) -> np.ndarray:
    """Runs of tokens of 12 entries, two heads of width 6 and 24 memories, all of variance one."""
    rng, shape = np.random.default_rng(run.seed), (draws, 2, 6, 12)
    weights = rng.normal(size=shape), rng.normal(size=shape), rng.normal(size=(draws, 24, 12))
    options = {"heads": 2, "memories": 24, "separation": FORMS[form], "steps": steps}
    block = EnergyTransformer(12, **options, key=jax.random.key(0))
    tokens = rng.normal(size=(draws, count, 12))
    return np.asarray(_energies(block, np.array(alphas), weights, tokens))


@wide
def descents(run, form: str) -> np.ndarray:
    """Energies along steps of each length, 9 tokens, (alphas, draws, steps + 1)."""
    steps = run.pick("descents.steps", quick=100, full=300)
    draws = run.pick("descents.draws", quick=4, full=20)
    return _descend(run, form, ALPHAS, 9, draws, steps)


@wide
def notebook(run) -> np.ndarray:
    """The same at the sizes of the published notebook, (1, 1, steps + 1)."""
    steps = run.pick("notebook.steps", quick=300, full=3000)
    return _descend(run, "ReLU", (0.5,), 100, 1, steps)


def rise(energies: np.ndarray) -> float:
    """The largest rise in one step, over the largest energy of its run; 0 if there is none."""
    largest = np.abs(energies).max(-1)
    return float(np.max(np.maximum(np.diff(energies).max(-1), 0) / largest))


def by_hand(block: EnergyTransformer, tokens: np.ndarray) -> np.ndarray:
    """−∂E/∂g as the paper writes it, for memories that ReLU weighs."""
    centred = tokens - tokens.mean(1, keepdims=True)
    g = centred / np.sqrt(np.mean(centred**2, 1, keepdims=True) + 1e-5)
    memories, beta = np.asarray(block.memories), float(block.attention.beta)
    drive = np.maximum(g @ memories.T, 0) @ memories
    for queries, keys in zip(block.attention.queries, block.attention.keys, strict=True):
        q, k = g @ np.asarray(queries).T, g @ np.asarray(keys).T
        shares = np.exp(beta * (q @ k.T))
        np.fill_diagonal(shares, 0)
        shares /= shares.sum(1, keepdims=True)
        drive += shares @ k @ np.asarray(queries) + shares.T @ q @ np.asarray(keys)
    return drive


class Identities(NamedTuple):
    """Largest differences: closed form, network, permuted tokens; and what leaks backwards."""

    closed: float
    network: float
    permuted: float
    leak: float


@wide
def identities(run) -> Identities:
    """Of a block of 10 tokens."""
    rng, key = np.random.default_rng(run.seed), jax.random.key(run.seed)
    tokens, order = rng.normal(size=(10, 12)), rng.permutation(10)
    changed = tokens.copy()
    changed[-1] = rng.normal(size=12)
    block, whole = EnergyTransformer(12, heads=2, key=key), np.ones((10, 10), bool)
    triangle = np.tri(10, dtype=bool)
    drive = np.asarray(_drive(block, tokens, whole))
    pulled = np.asarray(block.network(10).pull({"tokens": jnp.asarray(tokens)})["tokens"])
    last, permuted = (np.asarray(_last(block, x)) for x in (tokens, tokens[order]))
    first, other = (np.asarray(_drive(block, x, triangle))[0] for x in (tokens, changed))
    return Identities(
        closed=float(np.abs(drive - by_hand(block, tokens)).max()),
        network=float(np.abs(drive - pulled).max()),
        permuted=float(np.abs(permuted - last[order]).max()),
        leak=float(np.linalg.norm(first - other) / np.linalg.norm(first)),
    )


@eqx.filter_jit
def _drive(block, tokens, edges):
    return block.drive(tokens, edges=edges)


@eqx.filter_jit
def _last(block, tokens):
    return block(tokens)


@wide
def flat_directions(run) -> np.ndarray:
    """|H v − λ v| over |H| |v| for v = 1, λ = 0, and v = x − x̄, λ = γ ε/s³, by draw."""
    norm, rng = LayerNorm(1.5), np.random.default_rng(run.seed)
    hessian = jax.jit(jax.hessian(norm.value))
    gaps = []
    for x in rng.normal(size=(5, 12)) * rng.uniform(0.5, 5, (5, 1)):
        h, centred = np.asarray(hessian(x)), x - x.mean()
        value = 1.5 * 1e-5 / (np.mean(centred**2) + 1e-5) ** 1.5
        for v, eigenvalue in ((np.ones(12), 0.0), (centred, value)):
            off = np.linalg.norm(h @ v - eigenvalue * v)
            gaps.append(off / (np.linalg.norm(h, 2) * np.linalg.norm(v)))
    return np.array(gaps)


def parameter_ratio(run) -> float:
    """Parameters of a block of the paper's size over those of a transformer block."""

    def count(make):
        shapes = eqx.filter_eval_shape(make, jax.random.key(0))
        arrays = jax.tree.leaves(eqx.filter(shapes, lambda x: isinstance(x, jax.ShapeDtypeStruct)))
        return sum(x.size for x in arrays)

    def ours(key):
        block = EnergyTransformer(768, heads=12, key=key)
        return block.attention.queries, block.attention.keys, block.memories, block.norm

    def transformer(key):
        biases = dict.fromkeys((f"use_{name}_bias" for name in ("query", "key", "value")), True)
        norms = eqx.nn.LayerNorm(768), eqx.nn.LayerNorm(768)
        attention = eqx.nn.MultiheadAttention(
            12, 768, **biases, use_output_bias=True, dropout_p=0.0, inference=False, key=key
        )
        return attention, eqx.nn.MLP(768, 768, 3072, 1, key=key), norms

    return count(ours) / count(transformer)


def completion_loss(model, images, key):
    """Mean square error of patches that count, anew at each step."""
    keys = jax.random.split(key, len(images))
    known, counted = jax.vmap(lambda key: hide_patches(PATCHES, SELECTED, HIDDEN, key=key))(keys)
    return jnp.mean(jax.vmap(model.squared_error)(images, known, counted))


class Completion(NamedTuple):
    """A trained model, test images and what of each is known, (draws, images, …), and the errors.

    Errors are mean squares of hidden pixels by draw: of the model, and of the mean image.
    """

    model: ImageEnergyTransformer
    images: np.ndarray
    known: np.ndarray
    errors: np.ndarray
    mean: np.ndarray


@eqx.filter_jit
def _errors(model, images, known):
    return jnp.mean(jax.vmap(model.squared_error)(images, known, ~known))


def completion(run, steps: int) -> Completion:
    """A model of so many steps that learns to fill in digits."""
    digits = run.load("digits")
    order = np.random.default_rng(run.seed).permutation(len(digits.x))
    images = np.asarray(digits.x, np.float32).reshape(-1, 8, 8)[order]
    train_, test = images[:-400], images[-400:]
    own, shell, learning, hiding = jax.random.split(jax.random.key(run.seed), 4)
    block = EnergyTransformer(32, heads=4, steps=steps, alpha=1.5 / max(steps, 1), key=own)
    model = ImageEnergyTransformer(block, (8, 8), 2, key=shell)
    count = run.pick("completion.steps", quick=500, full=1500)
    optimizer = _optimizer(0.01, count)
    options = {"steps": count, "batch_size": 32, "optimizer": optimizer, "key": learning}
    model = train(model, completion_loss, train_, **options).model
    draws = run.pick("completion.draws", quick=6, full=10)
    keys = jax.random.split(hiding, (draws, len(test)))
    known = jax.vmap(jax.vmap(lambda key: hide_patches(PATCHES, SELECTED, key=key)[0]))(keys)
    errors = [float(_errors(model, test, each)) for each in known]
    squares = np.square(np.asarray(jax.vmap(model.cut)(test - train_.mean(0)))).mean(-1)
    mean = [squares[~each].mean() for each in np.asarray(known)]
    return Completion(model, test, np.asarray(known), np.array(errors), np.array(mean))


@functools.cache
def _optimizer(rate, steps):
    return optax.adamw(optax.cosine_decay_schedule(rate, steps), weight_decay=0.01)


def depth(run) -> int:
    """T of the model that fills in digits."""
    return run.pick("completion.depth", quick=2, full=4)


def drawn_graph(rng, cyclic: bool) -> tuple[np.ndarray, np.ndarray]:
    """A cycle, or a random tree, of 6 to 10 nodes."""
    count = rng.integers(6, LARGEST + 1)
    edges, order = np.zeros((LARGEST, LARGEST), bool), rng.permutation(count)
    for i in range(1, count):
        edges[order[i], order[i - 1 if cyclic else rng.integers(i)]] = True
    edges[order[0], order[-1]] |= cyclic
    return (edges | edges.T).astype(np.float32), np.arange(LARGEST) < count


def graph_logits(model, adjacency, mask):
    """Logits of graphs whose nodes are all alike."""
    return jax.vmap(lambda a, m: model(jnp.ones((LARGEST, 1)), a, m))(adjacency, mask)


def graph_loss(model, batch):
    """Cross-entropy of graphs."""
    adjacency, mask, labels = batch
    logits = jax.nn.log_softmax(graph_logits(model, adjacency, mask))
    return -jnp.mean(jnp.take_along_axis(logits, labels[:, None], axis=1))


def cycles(run) -> np.ndarray:
    """Accuracy of telling cycles from trees, on graphs that were not seen before, by model."""
    rng = np.random.default_rng(run.seed)
    total, accuracies = run.pick("cycles.graphs", quick=400, full=800), []
    labels = np.arange(total, dtype=np.int32) % 2
    graphs = [drawn_graph(rng, bool(label)) for label in labels]
    parts = [np.stack(part) for part in zip(*graphs, strict=True)] + [labels]
    seen, unseen = (
        [part[half] for part in parts] for half in (slice(0, total // 2), slice(total // 2, None))
    )
    steps = run.pick("cycles.steps", quick=200, full=300)
    for key in jax.random.split(
        jax.random.key(run.seed), run.pick("cycles.models", quick=1, full=3)
    ):
        own, shell, learning = jax.random.split(key, 3)
        block = EnergyTransformer(16, heads=2, memories=32, steps=2, alpha=0.5, key=own)
        model = GraphEnergyTransformer(block, 1, 2, read="graph", key=shell)
        options = {"steps": steps, "batch_size": 32, "optimizer": _optimizer(0.005, steps)}
        model = train(model, graph_loss, tuple(seen), **options, key=learning).model
        found = np.argmax(eqx.filter_jit(graph_logits)(model, *unseen[:2]), axis=1)
        accuracies.append(np.mean(found == unseen[2]))
    return np.array(accuracies)


class Anomalies(NamedTuple):
    """Macro-F1 by graph: of the model, of the model without steps, and of logistic regression."""

    steps: np.ndarray
    none: np.ndarray
    regression: np.ndarray


def planted(rng) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, edges and labels of two communities, in which some show features of the other."""
    side, odd = rng.integers(0, 2, NODES), rng.random(NODES) < 0.15
    chance = np.where(side[:, None] == side, 00.1, 0.012)
    edges = np.triu(rng.random((NODES, NODES)) < chance, 1)
    features = 0.5 * rng.normal(size=(NODES, 4))
    features[:, :2] += np.where(odd, 1 - 2 * side, 2 * side - 1)[:, None]
    features[:, 2] += 0.5 * odd
    return features.astype(np.float32), (edges | edges.T).astype(np.float32), odd.astype(np.int32)


def macro_f1(found: np.ndarray, labels: np.ndarray) -> float:
    """The mean over both classes of the harmonic mean of precision and recall."""
    scores = []
    for label in (0, 1):
        right = np.sum((found == label) & (labels == label))
        scores.append(2 * right / max(1, np.sum(found == label) + np.sum(labels == label)))
    return float(np.mean(scores))


def balanced(labels, seen) -> np.ndarray:
    """Weights of nodes with known labels, by which both classes weigh as much."""
    return seen * np.where(labels == 1, 1 / np.sum(seen * labels), 1 / np.sum(seen * (1 - labels)))


def anomaly_loss(models, batch):
    """Weighed cross-entropy, summed over models that each learn a graph of their own."""

    def one(model, features, edges, labels, weights):
        logits = jax.nn.log_softmax(model(features, edges))
        return -jnp.sum(weights * jnp.take_along_axis(logits, labels[:, None], axis=1)[:, 0])

    return jnp.sum(eqx.filter_vmap(one)(models, *batch))


@eqx.filter_jit
def _classes(models, features, edges):
    logits = eqx.filter_vmap(lambda model, x, a: model(x, a))(models, features, edges)
    return jnp.argmax(logits, axis=-1)


def anomalies(run) -> Anomalies:
    """Nodes that are unlike their neighbours, found with the labels of 40 %."""
    rng, draws = np.random.default_rng(run.seed), run.pick("anomalies.graphs", quick=6, full=10)
    parts = [np.stack(part) for part in zip(*(planted(rng) for _ in range(draws)), strict=True)]
    features, edges, labels = parts
    seen = np.stack([rng.permutation(NODES) < 0.4 * NODES for _ in range(draws)])
    weights = np.stack([balanced(y, s) for y, s in zip(labels, seen, strict=True)])
    batch: Any = (features, edges, labels, weights.astype(np.float32))

    def scores(found):
        rows = zip(found, labels, seen, strict=True)
        return np.array([macro_f1(f[~s], y[~s]) for f, y, s in rows])

    def learnt(steps):
        def make(key):
            own, shell = jax.random.split(key)
            block = EnergyTransformer(16, heads=2, memories=32, steps=steps, alpha=0.3, key=own)
            return GraphEnergyTransformer(block, 4, 2, key=shell)

        models = eqx.filter_vmap(make)(jax.random.split(jax.random.key(run.seed), draws))
        count = run.pick("anomalies.steps", quick=60, full=60)
        options = {"steps": count, "optimizer": _optimizer(0.005, count)}
        models = train(models, anomaly_loss, lambda step: batch, **options).model
        return scores(np.asarray(_classes(models, features, edges)))

    by_features = [regressed(*each) for each in zip(features, labels, weights, strict=True)]
    return Anomalies(learnt(2), learnt(0), scores(by_features))


def regressed(features, labels, weights) -> np.ndarray:
    """The classes that logistic regression on features finds, by the weights of known labels."""
    rows = np.concatenate([features, np.ones((len(features), 1))], axis=1)

    def loss(w):
        margins = (2 * labels - 1) * (rows @ w)
        return np.sum(weights * np.logaddexp(0, -margins)) + 1e-3 * w @ w

    return (rows @ scipy.optimize.minimize(loss, np.zeros(rows.shape[1])).x > 0).astype(int)
