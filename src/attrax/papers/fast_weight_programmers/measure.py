"""Identities of fast weights, features, raw memories, and networks trained to recall pairs."""

import functools
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from attrax.nn import FastWeight, fast_weights
from attrax.similarity import DPFP, ELUFeatures, NormalisedFeatures
from attrax.training import train

from ..contract import NotRun, wide

PASSES = 20
FEATURES = {"linear": ELUFeatures(), "dpfp1": DPFP(1)}


class Differences(NamedTuple):
    """The largest differences of what should be equal, over the largest of the numbers."""

    chunks: float
    gradient: float
    attention: float


@wide
def differences(run) -> Differences:
    """Chunks beside tokens, a write beside a step down the slope, a matrix beside attention."""
    rng, length, size = np.random.default_rng(run.seed), 200, 16
    queries, keys, values = rng.normal(size=(3, length, size))
    keys = keys / np.linalg.norm(keys, axis=1, keepdims=True)
    rate, decay = rng.uniform(size=length), -rng.exponential(size=(length, size))
    worst = 0.0
    for log_decay in (None, decay[:, 0], decay):
        both = [
            fast_weights(queries, keys, values, rate=rate, log_decay=log_decay, chunk=chunk)[0]
            for chunk in (16, None)
        ]
        worst = max(worst, apart(*both))
    memory = jnp.asarray(rng.normal(size=(size, size)))

    def error(memory):
        return 0.5 * jnp.sum((memory @ keys[0] - values[0]) ** 2)

    first = (x[:1] for x in (queries, keys, values))
    _, after = fast_weights(*first, rate=rate[:1], state=memory)
    gradient = apart(after, memory - rate[0] * jax.grad(error)(memory))
    return Differences(worst, gradient, attention(run.seed))


def attention(seed: int) -> float:
    """What a layer of the sum rule reads, beside causal linear attention of all pairs of tokens."""
    options = {"rule": "sum", "feature_map": ELUFeatures(), "norm": "attention"}
    layer = FastWeight(16, key=jax.random.key(seed), **options)
    tokens = jax.random.normal(jax.random.key(seed + 1), (100, 16))
    queries, keys, values, _, _ = layer.project(tokens)
    queries, keys = (jax.vmap(ELUFeatures())(x[0]) for x in (queries, keys))
    weights = jnp.tril(queries @ keys.T)
    weights = weights / jnp.sum(weights, axis=1, keepdims=True)
    return apart(layer(tokens), jax.vmap(layer.output_proj)(weights @ values[0]))


def apart(a, b) -> float:
    """The largest difference over the largest number."""
    return float(jnp.max(jnp.abs(a - b)) / jnp.max(jnp.abs(b)))


class Features(NamedTuple):
    """Of DPFP-ν, ν = 1, 2, 3: features less their rank, and the share that is not zero, by draw."""

    missing: list[int]
    active: np.ndarray


def features(run) -> Features:
    """Features of normal rows of 16 entries."""
    rng = np.random.default_rng(run.seed)
    draws = jnp.asarray(rng.normal(size=(run.pick("features.draws", quick=10, full=50), 1000, 16)))
    mapped = [np.asarray(jax.vmap(jax.vmap(DPFP(order)))(draws)) for order in (1, 2, 3)]
    missing = [x.shape[-1] - int(np.linalg.matrix_rank(x[0])) for x in mapped]
    return Features(missing, np.stack([(x > 0).mean((1, 2)) for x in mapped], 1))


class Raw(NamedTuple):
    """Halves of squared errors of n pairs, mean of pairs, by draw, and for `right` the share of
    pairs whose largest entry is that of the value, of sums and of the delta rule."""

    sums: np.ndarray
    once: np.ndarray
    repeated: np.ndarray
    best: np.ndarray
    right: np.ndarray


def raw(run, count: int, size: int = 64) -> Raw:
    """Pairs of random unit keys and one-hot values, written once, many times, or by least squares:
    the identity maps keys to features."""
    rng, rows = np.random.default_rng(run.seed), []
    values = np.eye(count, dtype=np.float32)
    for _ in range(run.pick("raw.draws", quick=10, full=50)):
        keys = rng.normal(size=(count, size))
        keys = (keys / np.linalg.norm(keys, axis=1, keepdims=True)).astype(np.float32)
        sums, once, repeated = (np.asarray(x) for x in written(keys, values))
        best = np.linalg.pinv(keys.astype(float)) @ values
        reads = [keys @ x.T for x in (sums, once, repeated)] + [keys @ best]
        errors = [0.5 * np.mean(np.sum((read - values) ** 2, axis=1)) for read in reads]
        rows.append(errors + [np.mean(read.argmax(1) == np.arange(count)) for read in reads[:2]])
    table = np.array(rows)
    sums, once, repeated, best = table[:, :4].T
    return Raw(sums, once, repeated, best, table[:, 4:])


@jax.jit
def written(keys, values):
    """Matrices of the sum rule, and of the delta rule at full rate after one pass and after all."""
    _, sums = fast_weights(keys, keys, values, rule="sum")
    _, once = fast_weights(keys, keys, values)

    def again(_, state):
        return fast_weights(keys, keys, values, state=state)[1]

    return sums, once, jax.lax.fori_loop(1, PASSES, again, once)


class Retriever(eqx.Module):
    """The network of the task: embedded keys, mapped with their values to keys of a memory."""

    embedding: jax.Array
    key_map: eqx.nn.Linear
    query_map: eqx.nn.Linear
    rate_map: eqx.nn.Linear
    symbols: int = eqx.field(static=True)
    rule: str = eqx.field(static=True)
    features: str = eqx.field(static=True)

    def __init__(self, symbols, size, rule, features, *, key):
        keys = jax.random.split(key, 4)
        width = int(1.1 * 2 * symbols)
        self.embedding = jax.random.normal(keys[0], (symbols, width))
        self.key_map = eqx.nn.Linear(width + symbols, size, key=keys[1])
        self.query_map = eqx.nn.Linear(width, size, key=keys[2])
        self.rate_map = eqx.nn.Linear(width + symbols, 1, key=keys[3])
        self.symbols, self.rule, self.features = symbols, rule, features

    def __call__(self, keys, values, queries):
        """What is read for each query of a sequence of pairs; all are whole numbers."""
        values = jax.nn.one_hot(values, self.symbols)
        pairs = jnp.concatenate([values, self.embedding[keys]], axis=1)
        rows = jax.vmap(self.key_map)(pairs)
        asked = jax.vmap(self.query_map)(self.embedding[queries])
        if self.rule == "softmax":
            weights = jax.nn.softmax(asked @ rows.T / np.sqrt(rows.shape[1]), axis=1)
            return weights @ values
        mapped = FEATURES[self.features]
        if self.rule == "delta":
            mapped = NormalisedFeatures(mapped, "sum")
            rate = jax.nn.sigmoid(jax.vmap(self.rate_map)(pairs)[:, 0])
            rows, asked = jax.vmap(mapped)(rows), jax.vmap(mapped)(asked)
            return asked @ fast_weights(rows, rows, values, rate=rate)[1].T
        rows, asked = jax.vmap(mapped)(rows), jax.vmap(mapped)(asked)
        # The total of all weights is one value more, of ones.
        values = jnp.concatenate([values, jnp.ones_like(values[:, :1])], axis=1)
        read = asked @ fast_weights(rows, rows, values, rule="sum")[1].T
        return read[:, :-1] / (read[:, -1:] + 1e-6)


def draw(rng, shape, symbols, length, replace):
    """Sequences of pairs: keys and values, drawn with or without replacement."""
    if replace:
        return rng.integers(0, symbols, (2, *shape, length), np.int32)
    order = np.broadcast_to(np.arange(symbols, dtype=np.int32), (2, *shape, symbols))
    return rng.permuted(order, axis=-1)


def targets(keys, values, queries):
    """The last value of each query's key in its sequence, and whether there is one."""
    same = keys[..., None, :] == queries[..., None]
    last = keys.shape[-1] - 1 - np.argmax(same[..., ::-1], axis=-1)
    return np.take_along_axis(values, last, axis=-1), same.any(-1)


@eqx.filter_vmap
def losses(model, keys, values, queries, wanted):
    """½|ŷ − y|² of each query of each sequence, of one network."""
    read = jax.vmap(model)(keys, values, queries)
    return 0.5 * jnp.sum((read - jax.nn.one_hot(wanted, model.symbols)) ** 2, axis=-1)


def total(models, batch):
    """The loss of all networks, which do not share anything: each is trained as if alone."""
    return jnp.sum(jnp.mean(losses(models, *batch), axis=(1, 2)))


class Trained(NamedTuple):
    """The loss of each network on new sequences, and the mean loss of each step of training."""

    losses: np.ndarray
    steps: np.ndarray


# Symbols, entries of keys and whether keys are drawn with replacement, by what is asked.
TASKS = {
    "within": ("sum", "linear", 40, False),
    "beyond": ("sum", "linear", 80, False),
    "projected": ("sum", "dpfp1", 100, False),
    "softmax": ("softmax", "linear", 100, False),
    "sum": ("sum", "dpfp1", 20, True),
    "delta": ("delta", "dpfp1", 20, True),
}
STEPS = {"within": 1500, "beyond": 1500, "softmax": 300}
QUICK = {"within": 600, "sum": 400, "delta": 500}


def trained(run, name: str) -> Trained:
    """Networks of a task, with keys of 64 entries, by Adam at 0.001 and 32 sequences a step."""
    steps = run.pick(f"{name}.steps", quick=QUICK.get(name, 0), full=STEPS.get(name, 1000))
    if not steps:
        command = "attrax reproduce fast-weight-programmers --profile full"
        raise NotRun(f"needs some minutes: {command}")
    return learn(run.seed, *TASKS[name], steps, run.pick("networks", quick=3, full=4))


def learn(seed, rule, features, symbols, replace, steps, networks, size=64) -> Trained:
    """As in the code of the paper, networks train on S pairs and one query each, or on 2 S pairs
    with replacement, and then see 20 new sequences of S pairs, of which all keys are asked."""
    keys = jax.random.split(jax.random.key(seed), networks)
    make = functools.partial(Retriever, symbols, size, rule, features)
    models = eqx.filter_vmap(lambda key: make(key=key))(keys)
    length = 2 * symbols if replace else symbols

    def batches(step):
        rng = np.random.default_rng([seed, int(step)])
        keys, values = draw(rng, (networks, 32), symbols, length, replace)
        place = rng.integers(0, length, (networks, 32, 1))
        queries = np.take_along_axis(keys, place, axis=-1)
        return keys, values, queries, targets(keys, values, queries)[0]

    result = train(models, total, batches, steps=steps)
    rng = np.random.default_rng([seed, steps])
    keys, values = draw(rng, (networks, 20), symbols, symbols, replace)
    queries = np.broadcast_to(np.arange(symbols, dtype=np.int32), (networks, 20, symbols))
    wanted, counts = targets(keys, values, queries)
    errors = np.asarray(eqx.filter_jit(losses)(result.model, keys, values, queries, wanted))
    final = (errors * counts).sum((1, 2)) / counts.sum((1, 2))
    return Trained(final, np.asarray(result.losses) / networks)
