"""Identities of banks and gates, searches, documents with lookups, and real text."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int

from attrax.nn import (
    Bank,
    HopfieldAttention,
    LanguageModel,
    NearestMemory,
    SegmentCache,
    token_losses,
)
from attrax.separation import Softmax, TopK
from attrax.training import train

from .. import language
from ..contract import NotRun, wide


class Identities(NamedTuple):
    """The largest differences of what should be equal, over the largest of the numbers."""

    dense: float
    joint: float


@wide
def identities(run) -> Identities:
    """All rows as the best k beside a softmax in NumPy, and the joint gate beside one softmax."""
    rng = np.random.default_rng(run.seed)
    heads, rows, size = 4, 96, 8
    keys, values, queries = rng.normal(size=(3, heads, rows, size))
    bank = Bank(rows, size, size, heads=heads, dtype=float).write(keys, values)
    found = bank.read(queries, TopK(rows, Softmax(1.5))).value
    dense = apart(found, softmax(1.5 * queries @ keys.swapaxes(1, 2)) @ values)

    attention = HopfieldAttention(heads * size, heads=heads, key=jax.random.key(run.seed))
    memory = NearestMemory(rows, heads=heads, k=rows, gate="joint", normalised=False)
    before, segment = rng.normal(size=(rows, heads * size)), rng.normal(size=(32, heads * size))
    bank = Bank(rows, size, size, heads=heads, dtype=float)
    bank = bank.write(*memory.pairs(attention, jnp.asarray(before)))
    found = memory.read(attention, jnp.asarray(segment), bank)
    return Identities(dense, apart(found, whole_softmax(attention, before, segment)))


def whole_softmax(attention, before, segment):
    """What the heads of a layer read of all rows before, and of a segment up to each row."""
    rows = np.concatenate([before, segment])

    def projected(layer, rows):
        out = rows @ np.asarray(layer.weight).T
        out = out if layer.bias is None else out + np.asarray(layer.bias)
        return out.reshape(len(rows), attention.heads, -1).swapaxes(0, 1)

    queries = projected(attention.query_map, segment)
    keys, values = projected(attention.key_map, rows), projected(attention.value_map, rows)
    scores = np.asarray(attention.beta)[:, None, None] * queries @ keys.swapaxes(1, 2)
    seen = np.tri(len(segment), len(rows), len(before), dtype=bool)
    return softmax(np.where(seen, scores, -np.inf)) @ values


def softmax(scores):
    """Along the last axis."""
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def apart(a, b) -> float:
    """The largest difference over the largest number."""
    return float(np.max(np.abs(np.asarray(a) - b)) / np.max(np.abs(b)))


# How many of the rows are read, and inverse temperatures of keys with 16 entries.
BEST, BETAS = (8, 32, 128, 512), (0.25, 1.0)


class Truncation(NamedTuple):
    """Of reads of the best k of 4096 rows, by β, k and query: the error, and the weight ε of the
    rows that are left out; and the largest norm of a value."""

    errors: np.ndarray
    left_out: np.ndarray
    largest: float


@wide
def truncation(run) -> Truncation:
    """Normal keys, queries and values of 16 entries."""
    rng = np.random.default_rng(run.seed)
    keys, values = rng.normal(size=(2, 1, 4096, 16))
    queries = rng.normal(size=(1, run.pick("truncation.queries", quick=64, full=256), 16))
    bank = Bank(4096, 16, 16, dtype=float).write(keys, values)
    errors, left_out = [], []
    for beta in BETAS:
        weights = softmax(beta * queries[0] @ keys[0].T)
        best = np.sort(weights, axis=1)[:, ::-1]
        whole = weights @ values[0]
        for k in BEST:
            found = np.asarray(bank.read(queries, TopK(k, Softmax(beta))).value[0])
            errors.append(np.linalg.norm(found - whole, axis=1))
            left_out.append(best[:, k:].sum(1))
    shape = (len(BETAS), len(BEST), -1)
    largest = float(np.linalg.norm(values[0], axis=1).max())
    return Truncation(np.reshape(errors, shape), np.reshape(left_out, shape), largest)


class Overflow(NamedTuple):
    """Of reads of single rows by their own keys: values that are not those stored with the key,
    and rows that are found although later ones are in their place, or are not found."""

    wrong: int
    misplaced: int
    reads: int


def overflow(run) -> Overflow:
    """Writes of random sizes into 100 places, and all keys that were ever written as queries."""
    rng, capacity, total = np.random.default_rng(run.seed), 100, 1500
    keys = rng.normal(size=(1, total, 8)).astype(np.float32)
    keys /= np.linalg.norm(keys, axis=-1, keepdims=True)
    numbers = np.arange(total, dtype=np.float32).reshape(1, total, 1)
    values = np.concatenate([numbers, keys], axis=-1)
    bank, written, wrong, misplaced, reads = Bank(capacity, 8, 9), 0, 0, 0, 0
    while written < total:
        count = int(rng.integers(1, 61))
        part = np.arange(written, written + 60) % total
        count = min(count, total - written)
        bank = bank.write(keys[:, part], values[:, part], count=np.int32(count))
        written += count
        found = np.asarray(bank.read(keys, TopK(1, Softmax(1.0))).value)[0]
        number = found[:, 0].astype(int)
        wrong += int(np.sum(np.any(found[:, 1:] != keys[0][number], axis=1)))
        held = np.arange(total) >= written - capacity
        held &= np.arange(total) < written
        misplaced += int(np.sum((number == np.arange(total)) != held))
        reads += total
    return Overflow(wrong, misplaced, reads)


def recall(run) -> np.ndarray:
    """The share of the best 128 of 8192 scores that are the best of their bucket, by draw, where
    every 128th row is in the same one of 128 buckets."""
    rng, k, rows = np.random.default_rng(run.seed), 128, 8192
    shares = []
    for _ in range(run.pick("recall.draws", quick=100, full=1000)):
        best = np.argpartition(-rng.normal(size=rows), k)[:k]
        shares.append(len(np.unique(best % k)) / k)
    return np.array(shares)


# A segment is 4 definitions, then 14 lookups: a key, and its value as the next token.
SEGMENT, SEGMENTS, DEFINED, ASKED, GAP = 32, 5, 4, 14, 4
KEYS, VALUES = DEFINED * SEGMENTS, 4
# One token a definition, one a key that is asked, one a value.
VOCABULARY = KEYS * VALUES + KEYS + VALUES
CHANCE = 1 / VALUES
# Tokens between a definition and its last lookup.
TRAINED = GAP * SEGMENT


def documents(rng: np.random.Generator, count: int) -> Int[np.ndarray, "b n"]:
    """Documents in which every key is defined once, with a value that is drawn for it alone.

    A segment asks its own keys, but the last one first asks those that were defined 4 before it.
    """
    order = np.broadcast_to(np.arange(KEYS), (count, KEYS))
    keys = rng.permuted(order, axis=1).reshape(count, SEGMENTS, DEFINED)
    values = rng.integers(0, VALUES, keys.shape)
    own = rng.integers(0, DEFINED, (count, SEGMENTS, ASKED))
    begin = np.repeat(np.arange(SEGMENTS)[:, None], ASKED, axis=1)
    own[:, GAP, :DEFINED] = np.arange(DEFINED)
    begin[GAP, :DEFINED] = 0
    rows = np.arange(count)[:, None, None]
    asked = KEYS * VALUES + keys[rows, begin[None], own]
    answers = KEYS * VALUES + KEYS + values[rows, begin[None], own]
    defined = keys * VALUES + values
    lookups = np.stack([asked, answers], axis=-1).reshape(count, SEGMENTS, -1)
    tokens = np.concatenate([defined, lookups], axis=2).reshape(count, -1)
    return np.concatenate([tokens, tokens[:, :1]], axis=1).astype(np.int32)


def lookups(per_token: Any) -> Any:
    """What stands at the key of each lookup, where its value is predicted: (..., segment, 14)."""
    shape = (*per_token.shape[:-1], SEGMENTS, SEGMENT)
    return per_token.reshape(shape)[..., DEFINED::2]


def far(per_token: Any) -> Any:
    """What stands at the keys of the last segment that were defined in the first one."""
    return lookups(per_token)[..., GAP, :DEFINED]


def model_of(capacity: int, seed: int) -> LanguageModel:
    """One layer that has a bank of so many pairs; none of capacity 0.

    A definition is embedded as the sum of its key and its value, and embeddings stay as they are.
    At the start maps of queries and keys are the same.
    """
    memory, key = NearestMemory(capacity, heads=4, k=4) if capacity else None, jax.random.key(seed)
    model = LanguageModel(VOCABULARY, 48, layers=1, heads=4, contexts=memory, key=key)
    asked, answers = model.embedding[-KEYS - VALUES : -VALUES], model.embedding[-VALUES:]
    defined = (asked[:, None] + answers[None]).reshape(-1, 48)

    def chosen(model):
        return model.embedding, model.blocks[0].attention.key_map.weight

    embedding, queries = (
        jnp.concatenate([defined, asked, answers]),
        model.blocks[0].attention.query_map,
    )
    assert queries is not None
    return eqx.tree_at(chosen, model, (embedding, queries.weight))


def enlarged(model: LanguageModel, capacity: int, at: int) -> LanguageModel:
    """The same weights with a bank of another capacity."""
    old = model.blocks[at].context
    assert isinstance(old, NearestMemory)
    heads = model.blocks[at].attention.heads
    new = NearestMemory(capacity, heads=heads, k=old.k, gate=old.gate, cache=old.cache)
    new = eqx.tree_at(lambda new: (new.bias, new.beta), new, (old.bias, old.beta))
    return eqx.tree_at(lambda model: model.blocks[at].context, model, new)


def loss(model: LanguageModel, batch: Int[Array, "b n"]) -> Float[Array, ""]:
    """Nats of values that are looked up far away, and of all, in equal parts."""
    nats = jax.vmap(lambda tokens: token_losses(model, tokens, SEGMENT))(batch)
    return jnp.mean(far(nats)) + jnp.mean(lookups(nats))


class Learnt(NamedTuple):
    """A model after training, and its loss in each step."""

    model: LanguageModel
    losses: Float[np.ndarray, " steps"]


def learn(capacity: int, seed: int, steps: int, rate: float = 1e-2) -> Learnt:
    """A model that has seen 8 documents a step."""

    def batches(step):
        return documents(np.random.default_rng((seed, int(step))), 8)

    schedule = optax.cosine_decay_schedule(rate, steps, 0.1)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(schedule))
    found = train(
        model_of(capacity, seed),
        loss,
        batches,
        steps=steps,
        optimizer=optimizer,
        trainable=lambda model: (model.blocks, model.norm),
    )
    return Learnt(found.model, np.asarray(found.losses))


def answered(model: LanguageModel, documents: Int[np.ndarray, "b n"]) -> Bool[np.ndarray, "b f"]:
    """Which far lookups have their value as the most probable token."""
    return far(np.asarray(right(model, jnp.asarray(documents))))


@eqx.filter_jit
def right(model, documents):
    """Which tokens are the most probable ones, of each document."""

    def step(state, inputs):
        given, wanted = inputs
        found = model(given, state)
        return found.state, jnp.argmax(found.logits, axis=-1) == wanted

    def one(tokens):
        given, wanted = (x.reshape(SEGMENTS, SEGMENT) for x in (tokens[:-1], tokens[1:]))
        return jax.lax.scan(step, model.start(), (given, wanted))[1].reshape(-1)

    return jax.lax.map(one, documents, batch_size=8)


def first_segment(run) -> float:
    """The largest difference of logits, of models whose other weights are the same."""
    tokens = np.random.default_rng(run.seed).integers(0, VOCABULARY, SEGMENT)
    one, two = (model_of(capacity, run.seed) for capacity in (TRAINED, 0))
    return apart(one(tokens).logits, np.asarray(two(tokens).logits))


class Copied(NamedTuple):
    """Of models that were trained, by seed: the share of far lookups that are answered, by
    capacity, and of a model without a bank; and losses in training."""

    capacities: tuple[int, ...]
    shares: np.ndarray
    without: np.ndarray
    losses: np.ndarray

    def at(self, capacity: int) -> np.ndarray:
        """The share by seed, with a bank of so many pairs."""
        return self.shares[:, self.capacities.index(capacity)]


def copied(run) -> Copied:
    """Models with a bank of as many tokens as there are in the gap, read with banks of others."""
    steps = run.pick("copied.steps", quick=500, full=600)
    capacities = run.pick(
        "copied.capacities", quick=(96, 128), full=(32, 64, 96, 104, 112, 120, 124, 126, 128, 160)
    )
    rng = np.random.default_rng((run.seed, steps))
    asked = documents(rng, run.pick("copied.documents", quick=128, full=256))
    shares, without, losses = [], [], []
    for seed in range(run.seed, run.seed + run.pick("copied.seeds", quick=1, full=3)):
        learnt = learn(TRAINED, seed, steps)
        losses.append(learnt.losses)
        models = [enlarged(learnt.model, capacity, 0) for capacity in capacities]
        shares.append([answered(model, asked).mean() for model in models])
        plain = learn(0, seed, steps).model
        without.append(answered(plain, asked).mean())
    return Copied(capacities, np.array(shares), np.array(without), np.array(losses))


# Segments of what is learnt from; pairs of the bank in training, and after it.
PARTS, HELD = 8, 256
LARGER = (32, 64, 128, 256, 512, 1024)
CONTEXTS = {
    "plain": None,
    "cache": SegmentCache(SEGMENT),
    "scalar": (None, NearestMemory(HELD, heads=4, k=16)),
    "joint": (None, NearestMemory(HELD, heads=4, k=16, gate="joint")),
}
COMMAND = "needs some minutes: attrax reproduce memorizing-transformer --profile full"


def corpus(run) -> language.Corpus:
    """Python's library; documents of 1024 bytes are asked."""
    return language.library(1024, run.pick("text.documents", quick=8, full=48), run.seed)


class Read(NamedTuple):
    """Of models of bytes, by seed: nats per byte of documents that were not learnt, by capacity
    for one with a bank."""

    nats: np.ndarray
    parameters: int

    @property
    def held(self) -> np.ndarray:
        """Nats by seed, with the bank of training."""
        return self.nats[:, LARGER.index(HELD) if self.nats.shape[1] > 1 else 0]


def learn_text(run, name: str, seed: int, steps: int) -> language.Learnt:
    """A model of a kind after so many steps."""
    model = language.decoder(CONTEXTS[name], seed=seed, size=48, layers=2, heads=4)
    sizes = {"segment": SEGMENT, "segments": PARTS, "batch": 8}
    return language.learn(model, run(corpus).learnt, steps=steps, seed=seed, **sizes)


def read(run, name: str, times: float = 1.0) -> Read:
    """Models of a kind, trained for so many times the steps of the others."""
    steps = run.pick("text.steps", quick=0, full=800)
    if not steps:
        raise NotRun(COMMAND)
    known, nats = run(corpus), []
    for seed in range(run.seed, run.seed + run.pick("text.seeds", quick=2, full=3)):
        learnt = learn_text(run, name, seed, round(times * steps))
        models = [learnt.model]
        if name == "scalar":
            models = [enlarged(learnt.model, capacity, 1) for capacity in LARGER]
        nats.append([language.nats(one, known.asked, SEGMENT).mean() for one in models])
    return Read(np.array(nats), parameters(learnt.model))


def longer(run) -> Read:
    """The plain model, trained as long as the model with a bank takes.

    Some steps of both are timed in turns, so that what else the machine does is in both.
    """
    run(read, "scalar")
    ratios = [
        learn_text(run, "scalar", run.seed, 10).seconds
        / learn_text(run, "plain", run.seed, 10).seconds
        for _ in range(run.pick("text.turns", quick=1, full=7))
    ]
    times = max(1.0, float(np.median(ratios)))
    run.config["text.times"] = round(times, 3)
    return read(run, "plain", times)


def parameters(model) -> int:
    """How many numbers are learnt."""
    return sum(leaf.size for leaf in jax.tree.leaves(model) if hasattr(leaf, "size"))
