"""Where tokens are kept, slopes, errors of compressions, and language models on real text."""

import math
from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from attrax.nn import (
    Bank,
    CompressiveMemory,
    ConvolutionCompression,
    HopfieldAttention,
    LanguageModel,
    MaxCompression,
    MeanCompression,
    MostUsedCompression,
    SegmentCache,
    association,
    contexts,
    reconstruction_loss,
    token_losses,
)
from attrax.nn.projections import each

from .. import language
from ..contract import NotRun

COMMAND = "attrax reproduce compressive-transformer --profile full"
# Of the memory whose rows are ids of tokens: segment, recent and compressed rows, and rate.
IDS, SEGMENT, RECENT, COMPRESSED, RATE = 64, 8, 16, 4, 4


class Kept(NamedTuple):
    """Shares of tokens (N) in the places of a memory, by segment, and what they should be.

    Places are those of attention, the oldest compressed row first: shape (segments, places, N).
    """

    found: np.ndarray
    wanted: np.ndarray


def kept(run) -> Kept:
    """Each token is a row with a one in a place of its own, and compression takes means."""
    attention = HopfieldAttention(IDS, rotary=True, key=jax.random.key(run.seed))
    memory = CompressiveMemory(RECENT, COMPRESSED, MeanCompression(RATE))

    @jax.jit
    def states(rows):
        def step(state, rows):
            recent, compressed = memory.step(attention, rows, state).state
            parts = contexts.before(compressed, RECENT), contexts.before(recent)
            return (recent, compressed), parts

        return jax.lax.scan(step, memory.start(attention), rows)[1]

    found = np.zeros((IDS // SEGMENT, COMPRESSED + RECENT, IDS))
    parts = states(np.eye(IDS, dtype=np.float32).reshape(-1, SEGMENT, IDS))
    for part in parts:
        for i, place in np.ndindex(part.places.shape):
            if part.there[i, place]:
                found[i, part.places[i, place]] += part.rows[i, place]
    wanted = np.zeros_like(found)
    for i in range(len(wanted)):
        for age in range(min((i + 1) * SEGMENT, RECENT + RATE * COMPRESSED)):
            token = (i + 1) * SEGMENT - 1 - age
            if age < RECENT:
                wanted[i, -1 - age, token] = 1
            else:
                wanted[i, -1 - RECENT - (age - RECENT) // RATE, token] = 1 / RATE
    return Kept(found, wanted)


def small(context, layers, seed) -> LanguageModel:
    """A model of 20 tokens."""
    sizes = {"layers": layers, "heads": 2, "feedforward": 16}
    return LanguageModel(20, 8, contexts=context, key=jax.random.key(seed), **sizes)


class Reach(NamedTuple):
    """Which tokens before the last segment change what it gives, and which should, by layers."""

    seen: dict[int, np.ndarray]
    wanted: dict[int, np.ndarray]


def reach(run) -> Reach:
    """Every token before the last segment is changed, one at a time; rate 2, segments of 4."""
    seen, wanted, rng = {}, {}, np.random.default_rng(run.seed)
    for layers in run.pick("reach.layers", quick=(1, 2), full=(1, 2)):
        model = small(CompressiveMemory(4, 2, MeanCompression(2)), layers, run.seed)
        begin = 8 * layers + 8
        tokens = rng.integers(0, 20, begin + 5).astype(np.int32)
        changed = np.tile(tokens, (begin + 1, 1))
        changed[np.arange(1, begin + 1), np.arange(begin)] += 7
        losses = last_losses(model, changed % 20, 4)
        seen[layers] = (losses[1:] != losses[0]).any(1)
        wanted[layers] = begin - np.arange(begin) <= layers * (4 + 2 * 2)
    return Reach(seen, wanted)


def last_losses(model, documents, segment):
    """Nats of the last segment of each document, by one program, one after another."""

    @eqx.filter_jit
    def every(model, documents):
        return jax.lax.map(lambda tokens: token_losses(model, tokens, segment), documents)

    return np.asarray(every(model, documents))[:, -segment:]


class Slopes(NamedTuple):
    """Largest slopes by leaf: of the loss of compressions and of the task, for the weights of
    compressions and for all others."""

    own_compression: np.ndarray
    own_rest: np.ndarray
    task_compression: np.ndarray
    task_rest: np.ndarray


def slopes(run) -> Slopes:
    """A model of one block, whose compression learns from the loss of attention."""
    compression = ConvolutionCompression(8, 2, deviation=0.3, key=jax.random.key(run.seed + 1))
    model = small(CompressiveMemory(4, 2, compression), 1, run.seed)
    tokens = np.random.default_rng(run.seed).integers(0, 20, 21).astype(np.int32)

    def losses(model):
        def step(state, given):
            found = model(given[0], state)
            logs = jax.nn.log_softmax(found.logits)
            nats = -jnp.take_along_axis(logs, given[1][:, None], axis=1)
            return found.state, jnp.stack([jnp.sum(nats), found.loss])

        parts = tokens[:-1].reshape(-1, 4), tokens[1:].reshape(-1, 4)
        return jnp.sum(jax.lax.scan(step, model.start(), parts)[1], axis=0)

    arrays, rest = eqx.partition(model, eqx.is_inexact_array)
    found = jax.jit(jax.jacrev(lambda arrays: losses(eqx.combine(arrays, rest))))(arrays)
    others = eqx.tree_at(lambda found: found.blocks[0].context, found, None)
    largest = [
        np.array([np.abs(leaf).max(tuple(range(1, leaf.ndim))) for leaf in jax.tree.leaves(part)])
        for part in (found.blocks[0].context, others)
    ]
    return Slopes(largest[0][:, 1], largest[1][:, 1], largest[0][:, 0], largest[1][:, 0])


class Empty(NamedTuple):
    """Largest changes of logits by segment, if places without rows hold noise, and if their zeros
    are read as if they were rows."""

    noise: np.ndarray
    zeros: np.ndarray


def empty(run) -> Empty:
    """A document of 8 segments of 4 tokens, for a memory of 8 recent and 4 compressed rows."""
    model = small(CompressiveMemory(8, 4, MeanCompression(2)), 1, run.seed)
    tokens = np.random.default_rng(run.seed).integers(0, 20, (8, 4)).astype(np.int32)

    @eqx.filter_jit
    def changes(model, tokens):
        def step(states, tokens):
            plain, noisy = states
            noisy = in_banks(noisy, filled_with_noise)
            zeros = in_banks(plain, taken_as_full)
            found = [model(tokens, state) for state in (plain, noisy, zeros)]
            apart = [jnp.max(jnp.abs(other.logits - found[0].logits)) for other in found[1:]]
            return (found[0].state, found[1].state), jnp.stack(apart)

        return jax.lax.scan(step, (model.start(), model.start()), tokens)[1]

    return Empty(*np.asarray(changes(model, tokens)).T)


def in_banks(state, change):
    """A state with its banks changed."""
    return jax.tree.map(change, state, is_leaf=lambda leaf: isinstance(leaf, Bank))


def filled_with_noise(bank):
    """Large numbers in place of the rows that are not there."""
    noise = 100 * jax.random.normal(jax.random.key(1), bank.keys.shape)
    there = bank.ages < bank.count
    keys = jnp.where(there[None, :, None], bank.keys, noise)
    return eqx.tree_at(lambda bank: bank.keys, bank, keys)


def taken_as_full(bank):
    """All places as if they held rows."""
    full = jnp.full_like(bank.count, bank.capacity)
    return eqx.tree_at(lambda bank: bank.count, bank, full)


# Segment, recent rows, compressed rows.
SIZES = ((4, 4, 2), (8, 16, 8), (16, 16, 16), (32, 64, 16))


def scores(run) -> np.ndarray:
    """Exponentials that one head takes for a segment, by size, as many as it has scores."""
    attention = HopfieldAttention(8, rotary=True, key=jax.random.key(run.seed))
    counts = []
    for segment, recent, compressed in SIZES:
        memory = CompressiveMemory(recent, compressed, MeanCompression(2))
        program = jax.make_jaxpr(
            lambda rows, state, memory=memory: memory.step(attention, rows, state).output
        )
        counts.append(exponentials(program(jnp.ones((segment, 8)), memory.start(attention)).jaxpr))
    return np.array(counts)


def exponentials(jaxpr) -> int:
    """Exponentials of a program, of branches those of the one that takes most."""
    total = 0
    for equation in jaxpr.eqns:
        if equation.primitive.name == "exp":
            total += math.prod(equation.outvars[0].aval.shape)
        for value in equation.params.values():
            parts = value if isinstance(value, tuple) else (value,)
            parts = [getattr(part, "jaxpr", part) for part in parts]
            inner = [exponentials(part) for part in parts if isinstance(part, type(jaxpr))]
            total += equation.params.get("length", 1) * max(inner, default=0)
    return total


# Of the random stream: entries, those of them that keys and values are made of, and the rate.
ENTRIES, USED, STREAM_RATE = 16, 4, 4


def stream_layer(key) -> HopfieldAttention:
    """One head whose keys and values are made of the first entries alone, of order one."""
    one, two = jax.random.split(key)
    layer = HopfieldAttention(ENTRIES, bias=False, key=one)
    seen = jnp.where(jnp.arange(ENTRIES) < USED, USED**-0.5, 0.0)
    maps = jax.random.normal(two, (3, ENTRIES, ENTRIES)) * seen[None, None]

    def weights(layer):
        return [part.weight for part in (layer.query_map, layer.key_map, layer.value_map)]

    return eqx.tree_at(weights, layer, list(maps))


def stream(key, shape):
    """Normal rows, whose unused entries have twice the standard deviation."""
    spread = jnp.where(jnp.arange(ENTRIES) < USED, 1.0, 2.0)
    return jax.random.normal(key, (*shape, ENTRIES)) * spread.reshape((1,) * len(shape) + (-1,))


class Errors(NamedTuple):
    """The error of what is read of compressed rows, over the square of what is read, by draw."""

    attention: Any
    mean: Any
    used: Any
    autoencoding: Any
    maximum: Any


def errors(run) -> Errors:
    """32 queries read 32 rows; convolutions learn by Adam at 0.003, 8 new blocks a step."""
    draws = run.pick("errors.draws", quick=3, full=8)
    steps = run.pick("errors.steps", quick=500, full=1500)
    keys = jax.random.split(jax.random.key(run.seed), draws)
    return Errors(*(np.asarray(x) for x in compared(keys, steps)))


@eqx.filter_jit
def compared(keys, steps):
    """The errors of each compression, for several draws."""
    return jax.lax.map(lambda key: compare(key, steps), keys)


def compare(key, steps: int) -> Errors:
    """One draw of a layer and a stream."""
    seeds = jax.random.split(key, 4)
    layer = stream_layer(seeds[0])
    learnt = [
        learn_compression(layer, seeds[1], steps, of=of) for of in ("attention", "autoencoding")
    ]
    rows, old = stream(seeds[2], (64, 32)), stream(seeds[3], (64, 32))
    usage = jnp.mean(jax.vmap(lambda rows, old: read(layer, rows, old)[0])(rows, old), axis=1)

    def error(compress):
        """Of a compression of (rows, usage)."""
        new = jax.vmap(compress)(old, usage)
        whole, less = (
            jax.vmap(lambda rows, kept: read(layer, rows, kept)[1])(rows, kept)
            for kept in (old, new)
        )
        return jnp.sum((whole - less) ** 2) / jnp.sum(whole**2)

    return Errors(
        attention=error(learnt[0]),
        mean=error(MeanCompression(STREAM_RATE)),
        used=error(MostUsedCompression(STREAM_RATE)),
        autoencoding=error(learnt[1]),
        maximum=error(MaxCompression(STREAM_RATE)),
    )


def read(layer, rows, kept):
    """Weights, and what rows read of others by content."""
    queries = rows @ layer.query_map.weight.T
    keys, values = (kept @ part.weight.T for part in (layer.key_map, layer.value_map))
    weights = jax.nn.softmax(queries @ keys.T / np.sqrt(ENTRIES), axis=1)
    return weights, weights @ values


def learn_compression(layer, key, steps: int, *, of: Literal["attention", "autoencoding"]):
    """A convolution after its steps."""
    first, rest = jax.random.split(key)
    compression = ConvolutionCompression(
        ENTRIES, STREAM_RATE, decoder=of == "autoencoding", key=first
    )
    arrays, static = eqx.partition(compression, eqx.is_array)
    optimizer = optax.adam(3e-3)

    def loss(arrays, rows, old):
        made = eqx.combine(arrays, static)
        each = jax.vmap(lambda rows, old: reconstruction_loss(layer, made, rows, old, of=of))
        return jnp.mean(each(rows, old))

    def step(carry, number):
        arrays, state = carry
        one, two = jax.random.split(jax.random.fold_in(rest, number))
        slope = jax.grad(loss)(arrays, stream(one, (8, 32)), stream(two, (8, 32)))
        with jax.numpy_dtype_promotion("standard"):
            updates, state = optimizer.update(slope, state, arrays)
        return (optax.apply_updates(arrays, updates), state), None

    (arrays, _), _ = jax.lax.scan(step, (arrays, optimizer.init(arrays)), jnp.arange(steps))
    return eqx.combine(arrays, static)


# Of the language models: tokens of a segment and segments of a part, width, and rows kept. The
# recent and compressed rows of a compressive memory are half of them each.
TEXT, PARTS, WIDTH, ROWS = 16, 16, 32, 64
# Segments after which the longest memory is full.
FULL = ROWS // 2 * (1 + RATE) // TEXT
# Entries between the maps of a block: with a convolution fewer, so that parameters are as many.
NARROW, BROAD = 64, 128
MODELS = {
    "none": BROAD,
    "cache": BROAD,
    "short cache": BROAD,
    "mean": BROAD,
    "most used": BROAD,
    "convolution": NARROW,
    "convolution beside": BROAD,
}


def model_of(name: str, seed: int) -> LanguageModel:
    """A decoder with a memory."""
    half = ROWS // 2

    def compressive(compression):
        return CompressiveMemory(half, half, compression)

    context = {
        "none": None,
        "cache": SegmentCache(ROWS),
        "short cache": SegmentCache(half),
        "mean": compressive(MeanCompression(RATE)),
        "most used": compressive(MostUsedCompression(RATE)),
    }
    keys = jax.random.split(jax.random.key(1000 + seed), 2)
    learnt = [compressive(ConvolutionCompression(WIDTH, RATE, key=key)) for key in keys]
    return language.decoder(
        context.get(name, learnt),
        seed=seed,
        size=WIDTH,
        layers=2,
        heads=2,
        feedforward=MODELS[name],
    )


def parameters(model) -> int:
    """How many numbers a model learns."""
    return sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(model, eqx.is_inexact_array)))


class Trained(NamedTuple):
    """Language models by name.

    - `nats`: of new documents by segment, mean of documents, shape (seeds, segments).
    - `seconds`: of a step, median of those of a seed, shape (seeds,).
    - `sizes`: parameters.
    - `longer`: steps of the model without memory that learns for as long as that with a
      convolution, which is "longer" in `nats`.
    - `mass`: weights of rows by age, mean of heads, queries and documents: compressed ones
      and then recent ones, each from the oldest, shape (seeds, layers, rows).
    """

    nats: dict[str, np.ndarray]
    seconds: dict[str, np.ndarray]
    sizes: dict[str, int]
    longer: int
    mass: np.ndarray

    def full(self, name: str) -> np.ndarray:
        """Nats of tokens whose memories are full, by seed."""
        return self.nats[name][:, FULL:].mean(1)


def trained(run) -> Trained:
    """Each model and seed one after another, so that all have the machine alike."""
    steps = run.pick("language.steps", quick=0, full=900)
    if not steps:
        raise NotRun(f"needs some minutes: {COMMAND}")
    seeds = range(run.seed, run.seed + run.pick("language.seeds", quick=2, full=3))
    corpus = language.library(TEXT * 32, run.pick("language.documents", quick=8, full=64), run.seed)

    def learn(name, seed, steps):
        sizes = {"segment": TEXT, "segments": PARTS, "batch": 4}
        model = model_of(name, seed)
        return language.learn(model, corpus.learnt, steps=steps, seed=seed, **sizes)

    def asked(learnt):
        found = language.nats(learnt.model, corpus.asked, TEXT)
        return found.mean(0).reshape(-1, TEXT).mean(1)

    learnt = {(name, seed): learn(name, seed, steps) for seed in seeds for name in MODELS}
    seconds = {name: np.array([learnt[name, seed].seconds for seed in seeds]) for name in MODELS}
    longer = round(steps * float(np.median(seconds["convolution"] / seconds["none"])))
    nats = {name: np.stack([asked(learnt[name, seed]) for seed in seeds]) for name in MODELS}
    nats["longer"] = np.stack([asked(learn("none", seed, longer)) for seed in seeds])
    mass = [read_mass(learnt["convolution", seed].model, corpus.asked[:8]) for seed in seeds]
    sizes = {name: parameters(model_of(name, run.seed)) for name in MODELS}
    return Trained(nats, seconds, sizes, longer, np.stack(mass))


@eqx.filter_jit
def read_mass(model, documents):
    """Mean weights of rows by age, of segments whose memories are full."""

    def step(state, tokens):
        rows, new, _ = model.run(tokens, state)
        found = []
        for block, row, (recent, compressed) in zip(model.blocks, rows, state, strict=False):
            seen = each(block.around_attention.norm, row)
            parts = contexts.before(compressed, recent.capacity), contexts.before(recent)
            given = contexts.beside(block.attention, seen, *parts)
            weights = jnp.mean(association.weights(block.attention, given, given.states), (0, 1))
            kept = jnp.concatenate([part.places for part in parts])
            found.append(weights[: kept.shape[0]][jnp.argsort(kept)])
        return new, jnp.stack(found)

    def one(tokens):
        return jax.lax.scan(step, model.start(), tokens[:-1].reshape(-1, TEXT))[1][FULL:]

    return jnp.mean(jax.lax.map(one, jnp.asarray(documents)), axis=(0, 1))
