"""Identities of side networks, chunks found, recall beyond the window, and nats of texts."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from attrax.nn import Bank, LanguageModel, NearestMemory, SideNetwork, language_loss, token_losses
from attrax.nn.projections import in_heads
from attrax.separation import Softmax, TopK
from attrax.training import train

from .. import language
from ..contract import NotRun

COMMAND = "attrax reproduce longmem --profile full"


class Exact(NamedTuple):
    """Largest differences of what should be equal, over the largest of the numbers.

    - `still`: logits of a side network whose blocks change nothing, and of its model.
    - `read`: of a block of chunks, less the formula; `alone` with fewer chunks than asked for.
    - `tokens`: what chunks of one token give, less the k nearest tokens.
    - `unseen`: changes of the read by what stands in places that were never written.
    - `empty`: logits with an empty bank, less those of blocks without one.
    - `frozen`, `learns`: the largest slope of the model, and the smallest of matrices and gates
      of the side network.
    - `stored`: keys and values of a text, before and after 100 steps of the side network.
    """

    still: float
    read: float
    alone: float
    tokens: float
    unseen: float
    empty: float
    frozen: float
    learns: float
    stored: float


VOCABULARY, SEGMENT, RATE = 20, 8, 0.01


def small(seed: int) -> SideNetwork:
    """A side network whose bank holds 32 tokens and reads 8."""
    model = LanguageModel(VOCABULARY, 16, layers=4, heads=2, key=jax.random.key(seed))
    return SideNetwork(model, memory=near(2), at=2)


def near(chunk: int) -> NearestMemory:
    """A memory of chunks, as in the paper."""
    return NearestMemory(32, heads=2, k=8, chunk=chunk, normalised=False)


def exact(run) -> Exact:
    """One side network of 4 blocks, and texts of 4 segments of 8 tokens."""
    rng = np.random.default_rng(run.seed)
    side = small(run.seed)
    tokens = rng.integers(0, VOCABULARY, (4, SEGMENT)).astype(np.int32)
    bank = side.start()
    copy = call(changing_nothing(side), tokens[0], bank).logits
    still = apart(copy, alone(side, tokens[0]))
    rows, found = rng.normal(size=(SEGMENT, 16)).astype(np.float32), []
    attention = side.blocks[0].attention
    for segment in tokens[:3]:
        bank = call(side, segment, bank).state
        found.append(difference(side.memory, attention, rows, bank))
    assert bank.values is not None
    few = bank.clear().write(bank.keys[:, :4], bank.values[:, :4])
    assert few.values is not None
    # Places that were never written hold rows that no softmax would overlook.
    loud = eqx.tree_at(
        lambda bank: (bank.keys, bank.values),
        few,
        [jnp.where(few.filled[None, :, None], x, 100.0) for x in (few.keys, few.values)],
    )
    reads = [np.asarray(read(side.memory, attention, rows, part)) for part in (few, loud)]
    text = np.append(tokens[:2].ravel(), 0).astype(np.int32)
    learnt, frozen, learns = descent(side, text)
    after = call(learnt, tokens[0], side.start()).state
    before = call(side, tokens[0], side.start()).state
    return Exact(
        still,
        max(found),
        difference(side.memory, attention, rows, few),
        nearest_tokens(near(1), attention, rows, bank),
        float(np.abs(reads[0] - reads[1]).max()),
        apart(call(side, tokens[3], side.start()).logits, without_bank(side, tokens[3])),
        frozen,
        learns,
        max(apart(before.keys, after.keys), apart(before.values, after.values)),
    )


@eqx.filter_jit
def call(network, tokens, state):
    """A segment through a network."""
    return network(tokens, state)


@eqx.filter_jit
def alone(side, tokens):
    """What the frozen model says by itself."""
    return side.model(tokens).logits


def changing_nothing(side: SideNetwork) -> SideNetwork:
    """A side network whose blocks add zero."""

    def ends(side):
        blocks = side.blocks
        return [part for b in blocks for part in (b.attention.output_map, b.feedforward.narrow)]

    zeros = jax.tree.map(lambda x: 0 * x if eqx.is_array(x) else x, ends(side))
    return eqx.tree_at(ends, side, zeros)


@eqx.filter_jit
def without_bank(side, tokens):
    """The logits of blocks that are those of a plain model, with the differences of the model."""
    below, *_ = side.model.run(tokens)
    rows = below[0]
    for number, block in enumerate(side.blocks):
        rows = block(rows, None).output + below[2 * number + 2] - below[2 * number]
    return side.model.logits(rows)


@eqx.filter_jit
def read(memory, attention, rows, bank):
    """What each head of a block reads."""
    return memory.read(attention, rows, bank)


def difference(memory, attention, rows, bank) -> float:
    """What a block reads, less (1 − σ(b)) A + σ(b) M, M of the best chunks, in NumPy."""
    local = np.asarray(read(memory, attention, rows, bank.clear()), float)
    queries = np.asarray(in_heads(attention.query_map, jnp.asarray(rows), 2), float)
    count, size = int(bank.count), memory.chunk
    far = np.zeros_like(local)
    for head in range(2):
        keys, values = (np.asarray(x[head, :count], float) for x in (bank.keys, bank.values))
        means = keys.reshape(-1, size, keys.shape[-1]).mean(1)
        for place, query in enumerate(queries[head]):
            best = np.argsort(-means @ query)[: memory.k // size]
            chosen = (best[:, None] * size + np.arange(size)).ravel()
            weights = np.exp(keys[chosen] @ query / np.sqrt(len(query)))
            far[head, place] = weights @ values[chosen] / weights.sum()
    gate = 1 / (1 + np.exp(-np.asarray(memory.bias, float)))[:, None, None]
    return apart(read(memory, attention, rows, bank), (1 - gate) * local + gate * far)


def nearest_tokens(memory, attention, rows, bank) -> float:
    """Reads of chunks of one token, less reads of the k tokens of the largest products."""
    queries = in_heads(attention.query_map, jnp.asarray(rows), 2)
    places, there = bank.nearest(queries, memory.k, chunk=memory.chunk)
    queries = attention.beta[:, None, None] * queries
    chunks = bank.read(queries, Softmax(1.0), candidates=jnp.where(there, places, -1))
    return apart(chunks.value, bank.read(queries, TopK(memory.k, Softmax(1.0))).value)


def descent(side, tokens, steps: int = 100) -> tuple[SideNetwork, float, float]:
    """A side network after steps down the slope, and slopes of the model and of the rest."""
    first = slope(side, tokens)
    own = [x for x in jax.tree.leaves(first.blocks) if x.ndim == 2] + [first.memory.bias]
    learns = min(float(np.abs(x).max()) for x in own)
    largest, learnt = 0.0, side
    for _ in range(steps):
        found = slope(learnt, tokens)
        largest = max(largest, *(float(np.abs(x).max()) for x in jax.tree.leaves(found.model)))
        learnt = eqx.apply_updates(learnt, jax.tree.map(lambda slope: -RATE * slope, found))
    return learnt, largest, learns


@eqx.filter_jit
def slope(network, tokens):
    """The gradient of the loss of a text."""
    return eqx.filter_grad(lambda network: language_loss(network, tokens, SEGMENT))(network)


def writer_that_learns(run) -> float:
    """The change of stored keys and values after 100 such steps of a model with its own bank."""
    memory = NearestMemory(32, heads=2, k=8)
    key = jax.random.key(run.seed)
    model = LanguageModel(VOCABULARY, 16, layers=1, heads=2, contexts=memory, key=key)
    rng = np.random.default_rng(run.seed)
    tokens = rng.integers(0, VOCABULARY, 2 * SEGMENT + 1).astype(np.int32)
    learnt = model
    for _ in range(100):
        found = slope(learnt, tokens)
        learnt = eqx.apply_updates(learnt, jax.tree.map(lambda slope: -RATE * slope, found))
    banks = [call(x, tokens[:SEGMENT], x.start()).state[0][0] for x in (model, learnt)]
    pairs = ((banks[0].keys, banks[1].keys), (banks[0].values, banks[1].values))
    return min(float(np.linalg.norm(a - b) / np.linalg.norm(a)) for a, b in pairs)


def apart(a, b) -> float:
    """The largest difference over the largest number."""
    return float(np.max(np.abs(np.asarray(a) - np.asarray(b))) / np.max(np.abs(np.asarray(b))))


# Tokens of a bank, entries of a key, tokens that are retrieved, and queries a draw.
STORED, ENTRIES, K, ASKED = 1024, 64, 32, 64
SIZES = (1, 2, 4, 8, 16)


def chunks(run, kind: str) -> np.ndarray:
    """The share of queries whose true key is among the K retrieved, (draws, sizes of chunks).

    Keys are normal, of norm one on average. "unrelated": a query is its key and as much noise.
    "topics": of 16 keys in a row, a tenth of the variance is shared, and a query is what is
    shared and noise. "keys of topics": these keys, and queries as of "unrelated".
    """
    draws = run.pick("chunks.draws", quick=10, full=40)
    rng = np.random.default_rng([run.seed, len(kind)])
    keys = rng.normal(size=(draws, STORED, ENTRIES))
    topics = np.repeat(rng.normal(size=(draws, STORED // 16, ENTRIES)), 16, axis=1)
    if kind != "unrelated":
        keys = np.sqrt(0.1) * topics + np.sqrt(0.9) * keys
    true = rng.integers(0, STORED, (draws, ASKED))
    source = topics if kind == "topics" else keys
    queries = np.take_along_axis(source, true[:, :, None], axis=1)
    queries = queries + rng.normal(size=queries.shape)
    keys, queries = (jnp.asarray(x / 8.0, jnp.float32) for x in (keys, queries))
    bank = Bank(STORED, ENTRIES, heads=draws).write(keys)
    found = []
    for size in SIZES:
        places, there = (np.asarray(x) for x in bank.nearest(queries, K, chunk=size))
        found.append(((places == true[:, :, None]) & there).any(-1).mean(1))
    return np.stack(found, 1)


# Symbols, what they may stand for, facts that are told, tokens of a window, and windows of a text
# that is not learnt. A token is a fact (a symbol and what it stands for), a question, an answer or
# a filler, in this order.
SYMBOLS, ANSWERS, FACTS, WINDOW, LENGTH = 8, 8, 4, 16, 11
QUESTION = SYMBOLS * ANSWERS
ANSWER = QUESTION + SYMBOLS
FILLER = ANSWER + ANSWERS
TOKENS = FILLER + 8


def window(rng, *parts) -> np.ndarray:
    """Tokens, the last of them in order after fillers and the others in any order."""
    last = parts[-1]
    fillers = rng.integers(FILLER, TOKENS, WINDOW - sum(map(len, parts)))
    return np.concatenate([rng.permutation(np.concatenate([fillers, *parts[:-1]])), last])


def within(rng, length: int = 1) -> np.ndarray:
    """A window of facts and questions after them, the last of so many."""
    known, table, asked = told(rng)
    fillers = rng.integers(FILLER, TOKENS, (length - 1) * WINDOW)
    return np.concatenate([fillers, window(rng, known * ANSWERS + table, asked), [FILLER]])


def beyond(rng, length: int = 4, times: int = 1, wrong: float = 0.0) -> np.ndarray:
    """Windows of facts, each said so many times, then of fillers, and one of questions."""
    known, table, asked = told(rng)
    text = []
    for _ in range(times):
        said = np.where(rng.random(FACTS) < wrong, rng.integers(0, ANSWERS, FACTS), table)
        text.append(window(rng, known * ANSWERS + said, []))
    fillers = rng.integers(FILLER, TOKENS, (length - times - 1) * WINDOW)
    return np.concatenate([*text, fillers, window(rng, asked), [FILLER]]).astype(int)


def told(rng) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Symbols, what they stand for, and questions with answers in another order."""
    known, table = rng.permutation(SYMBOLS)[:FACTS], rng.integers(0, ANSWERS, FACTS)
    order = rng.permutation(FACTS)
    pairs = np.stack([QUESTION + known[order], ANSWER + table[order]], axis=1)
    return known, table, pairs.reshape(-1)


class Beside(eqx.Module):
    """A side network; where it forgets, its bank is empty in every segment."""

    side: SideNetwork
    forgets: jax.Array

    def start(self) -> Bank:
        """An empty bank."""
        return self.side.start()

    def __call__(self, tokens, state=None, *, key=None, inference=None):
        """As of the side network, with what it is left."""
        state = self.side.clear(self.start() if state is None else state, self.forgets)
        return self.side(tokens, state, key=key, inference=inference)

    @staticmethod
    def learns(network: "Beside") -> tuple[Any, ...]:
        """The parts that learn."""
        return SideNetwork.learns(network.side)


def both(side: SideNetwork) -> list[Beside]:
    """A side network that forgets, and one that remembers, of the same program."""
    return [Beside(side, jnp.asarray(forgets)) for forgets in (True, False)]


def fit(model: Any, draw: Callable, steps: int, batch: int, seed: int, trainable=None) -> Any:
    """A model after so many steps of Adam on texts that are drawn."""

    def batches(step):
        rng = np.random.default_rng([seed, int(step)])
        return np.stack([draw(rng) for _ in range(batch)]).astype(np.int32)

    rates = optax.cosine_decay_schedule(5e-3, steps, 0.1)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rates))
    return train(
        model, unanswered, batches, steps=steps, optimizer=optimizer, trainable=trainable
    ).model


def unanswered(model, texts):
    """The mean of −ln p of the answers."""
    nats = jax.vmap(lambda tokens: token_losses(model, tokens, WINDOW))(texts)
    return jnp.mean(nats[:, -2 * FACTS :: 2])


@eqx.filter_jit
def right(model, texts):
    """The share of answers of each text's last window that are right."""

    def one(tokens):
        def step(state, segment):
            found = model(segment, state)
            return found.state, jnp.argmax(found.logits[-2 * FACTS :: 2], axis=1)

        _, best = jax.lax.scan(step, model.start(), tokens[:-1].reshape(-1, WINDOW))
        return jnp.mean(best[-1] == tokens[-2 * FACTS :: 2])

    return jnp.mean(jax.lax.map(one, texts, batch_size=20))


class Recall(NamedTuple):
    """Shares of answers that are right, by seed.

    - `inside`: of the frozen model, facts and questions in one window.
    - `model`, `forgets`, `untrained`, `remembers`: of the model, of the side network with an empty
      bank, with its bank as a copy of the model, and with its bank, questions 9 windows after the
      facts.
    - `told` (seeds, times): with its bank, facts said so many times, each wrong with a chance.
    - `softer` (seeds, 2): the first and the last of these with a quarter of the bank's β.
    """

    inside: np.ndarray
    model: np.ndarray
    forgets: np.ndarray
    untrained: np.ndarray
    remembers: np.ndarray
    told: np.ndarray
    softer: np.ndarray


TIMES, WRONG = (1, 2, 4, 8), 0.6


def recall(run) -> Recall:
    """A frozen model that learnt to answer within its window, and a side network beside it."""
    seeds = run.pick("recall.seeds", quick=0, full=3)
    if not seeds:
        raise NotRun(f"needs a minute: {COMMAND}")
    steps = run.pick("recall.steps", quick=(0, 0), full=(1200, 300))
    texts = run.pick("recall.texts", quick=0, full=200)
    rows = [recalled(run.seed + seed, steps, texts) for seed in range(seeds)]
    return Recall(*map(np.array, zip(*rows, strict=True)))


def recalled(seed: int, steps: tuple[int, int], texts: int) -> tuple[Any, ...]:
    """One seed of `recall`."""
    model = LanguageModel(TOKENS, 32, layers=2, heads=2, key=jax.random.key(seed))
    model = fit(model, within, steps[0], 64, seed)
    memory = NearestMemory(256, heads=2, k=16, chunk=2)
    # Questions find facts by keys of the first block; those of the second do not tell them apart.
    first = SideNetwork(model, memory=memory, at=1, reduction=1)
    untrained = both(first)[1]
    side = fit(untrained, beyond, steps[1], 16, seed + 1000, Beside.learns).side
    forgets, remembers = both(side)
    softer = eqx.tree_at(lambda x: x.side.memory.beta, remembers, side.memory.beta / 4)
    rng = np.random.default_rng([seed, 1])

    def share(network, draw=beyond, **options):
        drawn = np.stack([draw(rng, LENGTH, **options) for _ in range(texts)]).astype(np.int32)
        return float(right(network, drawn))

    return (
        share(model, within),
        share(model),
        share(forgets),
        share(untrained),
        share(remembers),
        [share(remembers, times=times, wrong=WRONG) for times in TIMES],
        [share(softer, times=times, wrong=WRONG) for times in (TIMES[0], TIMES[-1])],
    )


class Texts(NamedTuple):
    """Nats a byte of documents that were not learnt, by seed.

    - `model`: the frozen model alone.
    - `forgets`, `remembers`: a side network without and with a bank.
    - `places` (3, 8): of these three, by eighths of a document.
    """

    model: np.ndarray
    forgets: np.ndarray
    remembers: np.ndarray
    places: np.ndarray


# Bytes of a segment, and of a document.
BYTES, DOCUMENT = 16, 1024
# Of the frozen model, and of side networks.
TEXT_STEPS = (1000, 300)


def texts(run) -> Texts:
    """Modules of Python's library, in segments of 16 bytes."""
    seeds = run.pick("texts.seeds", quick=0, full=3)
    if not seeds:
        raise NotRun(f"needs some minutes: {COMMAND}")
    steps = run.pick("texts.steps", quick=(0, 0), full=TEXT_STEPS)
    corpus = language.library(DOCUMENT, run.pick("texts.documents", quick=0, full=16), run.seed)
    nats = np.array([learnt(corpus, run.seed + seed, steps) for seed in range(seeds)])
    places = nats.mean((0, 2)).reshape(3, -1, DOCUMENT // 8).mean(-1)
    model, forgets, remembers = nats.mean((2, 3)).T
    return Texts(model, forgets, remembers, places)


def learnt(corpus, seed: int, steps: tuple[int, int]) -> list[np.ndarray]:
    """Nats of a frozen model, and of side networks without and with a bank, by document."""
    options = {"segment": BYTES, "segments": 16, "batch": 4, "seed": seed}
    model = language.decoder(None, seed=seed, size=32, layers=4, heads=2)
    model = language.learn(model, corpus.learnt, steps=steps[0], **options).model
    memory = NearestMemory(DOCUMENT, heads=2, k=16, chunk=4)
    side = SideNetwork(model, memory=memory, at=4)
    fitted = functools.partial(language.learn, tokens=corpus.learnt, steps=steps[1], **options)
    sides = [fitted(part, trainable=Beside.learns).model for part in both(side)]
    return [language.nats(part, corpus.asked, BYTES) for part in (model, *sides)]
