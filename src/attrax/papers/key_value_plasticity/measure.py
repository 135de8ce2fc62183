"""Accuracies along streams, replays, forgetting by theory, and coefficients that are learnt."""

import functools
from dataclasses import replace
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from attrax import learning
from attrax.learning import AffineThreeFactor, RandomSlots, SequentialSlots, ThreeFactor
from attrax.models import plastic_memory
from attrax.training import train

from ..contract import Evidence, NotRun, wide

# Entries of a pattern that its query has; the others are zero.
KNOWN = 0.4
SLOTS = 40
# Of rules that are trained, and the items of sequences.
FEW = 20
LENGTHS = (5, 10, 20, 41)
# What counts as recalled, by share of right entries.
RIGHT = 0.98


def signs(rng, *shape) -> np.ndarray:
    """Patterns of −1 and +1."""
    return rng.choice(np.array([-1, 1], np.float32), shape)


def cues(rng, patterns) -> np.ndarray:
    """Queries: patterns with most entries set to zero."""
    return patterns * (rng.random(patterns.shape) < KNOWN)


def right(reads, targets):
    """Share of entries whose sign is that of the target."""
    return jnp.mean((jnp.sign(reads) == targets).astype(jnp.float32), axis=-1)


@eqx.filter_jit
def shares(rule, memory, stream, asked, every, seeds):
    """Of each draw, share of right entries of each query after every so many steps of its stream.

    **Arguments:**

    - `stream`: inputs (draws, L, d), targets (draws, L, v) and strengths (draws, L).
    - `asked`: queries (draws, A, d) and what is right for them (draws, A, v).

    **Returns:** shape (draws, L / every, A).
    """

    def one(parts, queries, targets, seed):
        state = rule.begin(memory, key=jax.random.key(seed))
        pieces = jax.tree.map(lambda x: x.reshape(-1, every, *x.shape[1:]), parts)

        def go(state, piece):
            state, _ = rule.run(state, *piece)
            return state, right(jax.vmap(state.memory)(queries), targets)

        return jax.lax.scan(go, state, pieces)[1]

    return jax.vmap(one)(stream, asked[0], asked[1], seeds)


def seeds(run, draws) -> np.ndarray:
    """A number for the random key of each draw."""
    return np.random.default_rng([run.seed, 1]).integers(0, 1 << 31, draws).astype(np.uint32)


class Curve(NamedTuple):
    """Accuracy by number of items T: of the items, of patterns never stored, and by theory."""

    counts: np.ndarray
    accuracy: np.ndarray
    unknown: np.ndarray
    theory: np.ndarray

    def capacity(self) -> tuple[float, float]:
        """The largest T with a mean accuracy of 98 %, and its standard error by resampling."""

        def largest(rows):
            return np.max(self.counts, where=rows.mean(0) >= RIGHT, initial=0)

        picked = np.random.default_rng(0).integers(0, len(self.accuracy), (200, len(self.accuracy)))
        spread = [largest(self.accuracy[rows]) for rows in picked]
        return float(largest(self.accuracy)), float(np.std(spread))

    def over(self, slots) -> Evidence:
        """The capacity over the number of slots."""
        capacity, error = self.capacity()
        return Evidence(capacity / slots, f"It is {capacity:.0f} items.", error=error / slots)


def survival(name, slots, ages) -> np.ndarray:
    """The chance that an item is still in some slot, so many items after it."""
    if name == "sequential":
        return np.where(ages < slots, 1.0, 0.0)
    p = 4 / slots
    return 1 - (1 - p * (1 - p) ** ages) ** slots


def curve(run, name: str, slots: int, length: int) -> Curve:
    """Items one after another, and all that are stored asked after each, or each second of 160.

    By theory an item that is in a slot is right, and any other as a pattern never stored.
    """
    sizes = {"quick": 20, "full": 100} if length == 160 else {"quick": 200, "full": 500}
    draws = run.pick(f"curve.{name}.{slots}.{length}", **sizes)
    rng, every = np.random.default_rng(run.seed), max(length // 80, 1)
    items, others = signs(rng, draws, length, slots), signs(rng, draws, 20, slots)
    every_one = np.concatenate([items, others], 1)
    stream = items, items, np.ones((draws, length), np.float32)
    selector = SequentialSlots() if name == "sequential" else RandomSlots(4 / slots)
    rule, memory = ThreeFactor(selector), plastic_memory(slots, slots)
    asked = cues(rng, every_one), every_one
    found = np.asarray(shares(rule, memory, stream, asked, every, seeds(run, draws)))
    counts = np.arange(every, length + 1, every)
    stored = np.arange(length) < counts[:, None]
    accuracy = (found[..., :length] * stored).sum(-1) / counts
    unknown = found[..., length:].mean((0, 2))
    kept = np.cumsum(survival(name, slots, np.arange(length)))[counts - 1] / counts
    return Curve(counts, accuracy, unknown, kept + (1 - kept) * unknown)


def slopes(run) -> tuple[np.ndarray, list[float], str]:
    """Random slots, p = 4/N: slopes of capacities over N by `search`, and what mean accuracies say.

    As in the code of the paper, each number of slots is searched 50 times, and a line is fitted.
    """
    sizes = run.pick("slopes.slots", quick=(40, 80), full=(20, 40, 80, 160))
    lengths = [80 if slots == 40 else slots // 2 for slots in sizes]
    curves = [run(curve, "random", *each) for each in zip(sizes, lengths, strict=True)]
    rng = np.random.default_rng(run.seed)
    found = [[search(rng, each.accuracy) for _ in range(1000)] for each in curves]
    means = np.reshape(found, (len(sizes), 20, 50)).mean(2)
    averages = [each.capacity()[0] / slots for each, slots in zip(curves, sizes, strict=True)]
    return np.polyfit(sizes, means, 1)[0], averages, ", ".join(map(str, sizes))


def search(rng, accuracy) -> int:
    """A capacity as the code of the paper finds it: T doubles where a single stream has 98 %, and
    else goes back halfway to the last that had. Streams that are lucky make it too large."""
    low, high = 1, 2
    while low < high:
        there = high <= accuracy.shape[1]
        if there and accuracy[rng.integers(len(accuracy)), high - 1] >= RIGHT:
            low, high = high, 2 * high
        else:
            high = (low + high) // 2
    return high


def hopfield(run, slots: int) -> Curve:
    """Hebb's rule without diagonal: reads of all units at once, 20 times, from the same queries."""
    rng, draws = np.random.default_rng(run.seed), run.pick(f"hopfield.{slots}", quick=100, full=500)
    items = signs(rng, draws, slots // 2, slots)
    rows = np.asarray(classical(items, cues(rng, items)))
    counts = np.arange(1, slots // 2 + 1)
    return Curve(counts, rows, np.full(len(counts), np.nan), np.full(len(counts), np.nan))


@jax.jit
def classical(items, queries):
    """Accuracy of networks of the first T items, for all T, of each draw."""

    def one(items, queries, count):
        there = (jnp.arange(items.shape[0]) < count).astype(items.dtype)
        memory = learning.Hebb()(items * there[:, None])
        drive = memory.matrix - jnp.diag(jnp.diag(memory.matrix))

        def step(_, states):
            return jnp.where(states @ drive >= 0, 1.0, -1.0)

        states = jax.lax.fori_loop(0, 20, step, queries)
        return jnp.sum(right(states, items) * there) / jnp.sum(there)

    counts = jnp.arange(1, items.shape[1] + 1)
    each = jax.vmap(one, (None, None, 0))
    return jax.lax.map(lambda given: each(given[0], given[1], counts), (items, queries))


@wide
def apart(run) -> float:
    """40 steps, 12 slots in turn, strengths of 0 to 10: keys, values and reads less those of the
    equations, taken one by one, over the largest of the numbers."""
    rng, slots, length = np.random.default_rng(run.seed), 12, 40
    x, y = rng.normal(size=(length, 9)), rng.normal(size=(length, 5))
    q = rng.choice([0.0, 0.5, 1.0], length)
    q[[5, 20]] = 10
    rule = ThreeFactor(skip_stable=False)
    state, reads = rule.run(rule.begin(plastic_memory(slots, 9, 5, count_empty=True)), x, y, q)
    keys, values, stable = np.zeros((slots, 9)), np.zeros((slots, 5)), np.zeros(slots, bool)
    worst, reads = 0.0, np.asarray(reads)
    for t in range(length):
        weights = np.exp(keys @ x[t])
        worst = max(worst, np.abs(weights / weights.sum() @ values - reads[t]).max())
        rate = (~stable * (np.arange(slots) == t % slots) * q[t])[:, None]
        amount = np.minimum(rate, 1)
        keys = (1 - amount) * keys + amount * x[t]
        weights = np.exp(keys @ x[t])[:, None]
        values = (1 - amount) * values + amount * weights / weights.sum() * y[t]
        stable |= rate[:, 0] > 1
    worst = max(worst, np.abs(state.memory.keys - keys).max())
    worst = max(worst, np.abs(np.asarray(state.memory.values) - values).max())
    return float(worst / max(np.abs(keys).max(), np.abs(values).max()))


def unwritten(run) -> np.ndarray:
    """Share of single items that no slot of 40 takes with p = 4/N, of 20 parts."""
    count = run.pick("unwritten.items", quick=5_000, full=50_000)
    rule, item = ThreeFactor(RandomSlots(4 / SLOTS)), np.ones((1, 1))

    @jax.jit
    @jax.vmap
    def nothing(seed):
        state = rule.begin(plastic_memory(SLOTS, 1), key=jax.random.key(seed))
        return jnp.all(rule.run(state, item)[0].memory.keys == 0)

    return np.asarray(nothing(seeds(run, 20 * count))).reshape(20, count).mean(1)


class Staircase(NamedTuple):
    """Accuracy by delay R (R,), of streams of each selector (streams, R)."""

    delays: np.ndarray
    step: np.ndarray
    store: np.ndarray

    def at(self, delay) -> np.ndarray:
        """Of slots that move on at every step, at one delay, by stream."""
        return self.step[:, int(np.argmax(self.delays == delay))]


DELAYS = np.array([10, 25, 39, 40, 41, 50, 60, 70, 79, 80, 81, 100, 119])


def staircase(run) -> Staircase:
    """Streams that store new items and, at every second step, ask for what came R steps before."""
    rng = np.random.default_rng(run.seed)
    streams = run.pick("staircase.streams", quick=8, full=20)
    length = run.pick("staircase.length", quick=1000, full=20 * int(DELAYS.max()))
    drawn = [schedule(rng, length, delay) for _ in range(streams) for delay in DELAYS]
    inputs, targets, store = (np.stack(each) for each in zip(*drawn, strict=True))
    asked = store == 0
    memory, rows = plastic_memory(SLOTS, SLOTS), []
    for advance in ("step", "store"):
        reads = answers(ThreeFactor(SequentialSlots(advance)), memory, inputs, store)
        means = (np.asarray(right(reads, targets)) * asked).sum(1) / asked.sum(1)
        rows.append(means.reshape(streams, len(DELAYS)))
    return Staircase(DELAYS, *rows)


def schedule(rng, length, delay):
    """Inputs, what should be read, and whether to store; nothing is asked for twice."""
    items = signs(rng, length, SLOTS)
    store = np.ones(length, np.float32)
    for i in range(delay, length):
        if store[i - delay] and rng.random() < 0.5:
            store[i] = 0
    before = np.maximum(np.arange(length) - delay, 0)
    asked = (store == 0)[:, None]
    targets = np.where(asked, items[before], items)
    return np.where(asked, cues(rng, targets), items), targets, store


@eqx.filter_jit
def answers(rule, memory, inputs, store):
    """What is read at each step of each stream."""
    state = rule.begin(memory)
    return jax.vmap(lambda x, q: rule.run(state, x, None, q)[1])(inputs, store)


class Flashes(NamedTuple):
    """Of 400 items, accuracy (draws, 40, 400) after every ten; and the times of five flashbulbs."""

    shares: np.ndarray
    times: np.ndarray

    def kept(self) -> np.ndarray:
        """At the end, of flashbulbs, by draw."""
        return np.take_along_axis(self.shares[:, -1], self.times, 1).mean(1)

    def recent(self) -> np.ndarray:
        """At the end, of the last 35 items, by draw."""
        return self.shares[:, -1, -35:].mean(1)


# Strength of flashbulbs, whether stable slots are passed over, whether amplitudes are clipped.
FLASHES = {
    "none": (1, True, True),
    "rule": (10, True, True),
    "turns": (10, False, True),
    "literal": (10, False, False),
}


def flashes(run, name: str) -> Flashes:
    """400 items into 40 slots, five of the first 200 with a strength of 10, of other turns each."""
    rng, length = np.random.default_rng(run.seed), 400
    draws = run.pick("flashes.draws", quick=10, full=40)
    items, store = signs(rng, draws, length, SLOTS), np.ones((draws, length), np.float32)
    turns = np.stack([rng.permutation(SLOTS)[:5] for _ in range(draws)])
    times = np.sort(turns + SLOTS * rng.integers(0, 5, turns.shape), axis=1)
    strength, skip, clipped = FLASHES[name]
    np.put_along_axis(store, times, strength, 1)
    rule = ThreeFactor(skip_stable=skip, clipped=clipped)
    stream, asked = (items, items, store), (cues(rng, items), items)
    found = shares(rule, plastic_memory(SLOTS, SLOTS), stream, asked, 10, seeds(run, draws))
    return Flashes(np.asarray(found), times)


def correlated(run, kept: float) -> np.ndarray:
    """40 items in 40 slots that keep entries of a template with a chance, and are drawn else."""
    rng, draws = np.random.default_rng(run.seed), run.pick("pairs.draws", quick=50, full=200)
    fresh, template = signs(rng, draws, SLOTS, SLOTS), signs(rng, draws, 1, SLOTS)
    items = np.where(rng.random(fresh.shape) < kept, template, fresh)
    return recalled(run, items, items, cues(rng, items))


def pairs(run) -> tuple[np.ndarray, np.ndarray]:
    """40 pairs of 40 and 20 entries: accuracy of slots, and of a bidirectional memory, by draw."""
    rng, draws = np.random.default_rng(run.seed), run.pick("pairs.draws", quick=50, full=200)
    items, targets = signs(rng, draws, SLOTS, SLOTS), signs(rng, draws, SLOTS, 20)
    queries = cues(rng, items)
    states, couplings = queries, np.einsum("nti,ntj->nij", items, targets)
    for _ in range(20):
        found = np.where(states @ couplings >= 0, 1, -1)
        states = np.where(found @ couplings.swapaxes(1, 2) >= 0, 1, -1)
    return recalled(run, items, targets, queries), (found == targets).mean((1, 2))


def recalled(run, items, targets, queries) -> np.ndarray:
    """Accuracy of 40 items in 40 slots, by draw."""
    draws, count, size = targets.shape
    stream = items, targets, np.ones((draws, count), np.float32)
    memory, asked = plastic_memory(SLOTS, SLOTS, size), (queries, targets)
    found = shares(ThreeFactor(), memory, stream, asked, count, seeds(run, draws))
    return np.asarray(found).mean((1, 2))


def replays(run) -> tuple[np.ndarray, np.ndarray]:
    """Sequences replayed from their first item: share of right entries (draws, lengths), by slots
    and by one matrix of products of successive items."""
    rng, draws = np.random.default_rng(run.seed), run.pick("replays.draws", quick=30, full=200)
    items = jnp.asarray(signs(rng, draws, max(LENGTHS), SLOTS))
    found = jax.vmap(jax.vmap(replayed, (None, 0)), (0, None))(items, jnp.asarray(LENGTHS))
    return np.asarray(found[0]), np.asarray(found[1])


@jax.jit
def replayed(items, length):
    """What is read is made signs and asked next; of slots, and of a matrix."""
    store = (jnp.arange(items.shape[0] - 1) < length - 1).astype(items.dtype)
    rule = ThreeFactor()
    state = rule.begin(plastic_memory(SLOTS, items.shape[1]))
    state, _ = rule.run(state, items[:-1], items[1:], store)
    couplings = (items[1:] * store[:, None]).T @ items[:-1]

    def path(read):
        def go(state, _):
            state = jnp.where(read(state) >= 0, 1.0, -1.0)
            return state, state

        states = jax.lax.scan(go, items[0], None, items.shape[0] - 1)[1]
        return jnp.sum(right(states, items[1:]) * store) / jnp.sum(store)

    return path(state.memory), path(lambda state: couplings @ state)


class Learnt(NamedTuple):
    """Rules before and after training, all networks in one; accuracies (networks,) of what was
    learnt, of its keys written by the input alone, and of the rule written by hand."""

    start: AffineThreeFactor
    rule: AffineThreeFactor
    accuracy: np.ndarray
    input_alone: np.ndarray
    by_hand: np.ndarray


def sizes_of(rule: AffineThreeFactor) -> np.ndarray:
    """|b/a| of the input, |a|h/|b| of the activity that keys see at its mean h = 1/N, and |b/a| of
    that which values see, and of targets: what the rule written by hand lacks (networks, 4)."""
    pairs = rule.key_input, rule.key_activity[:, ::-1], rule.value_activity, rule.value_target
    ratios = [np.abs(each[:, 1] / each[:, 0]) for each in map(np.asarray, pairs)]
    return np.stack(ratios, 1) / (1, FEW, 1, 1)


def learnt(run, rate: float) -> Learnt:
    """Coefficients drawn from (0, 1), trained on streams of 10 to 40 items, 20 random slots."""
    steps = run.pick(f"learnt.{rate}", quick=0, full={0.03: 1500, 0.01: 400}[rate])
    if not steps:
        raise NotRun("needs minutes: attrax reproduce key-value-plasticity --profile full")
    return learn(run.seed, rate, steps, networks=4)


def learn(seed, rate, steps, networks) -> Learnt:
    """By Adam at a rate on squared errors of reads, eight streams a step."""
    rng, random = np.random.default_rng(seed), RandomSlots(4 / FEW)

    def draw():
        names = "key_input", "key_activity", "value_activity", "value_target"
        rule = AffineThreeFactor(random, key_rate=0.5, value_rate=0.5, decay=0.9)
        return replace(rule, **{name: jnp.asarray(rng.uniform(size=2), float) for name in names})

    start = together([draw() for _ in range(networks)])
    batches = functools.partial(streams, seed, networks, 8)

    def loss(rules, batch):
        return jnp.sum(of_stored(rules, batch, lambda x, y: jnp.mean((x - y) ** 2, axis=-1)))

    rule = train(start, loss, batches, steps=steps, optimizer=optax.adam(rate)).model
    alone = eqx.tree_at(
        lambda each: (each.key_input, each.key_activity),
        rule,
        (rule.key_input.at[:, 1].set(0), rule.key_activity.at[:, 0].set(0)),
    )
    fresh = streams(seed, networks, 64, steps)
    by_hand = together([ThreeFactor(random)] * networks)
    score = eqx.filter_jit(of_stored)
    found = [np.asarray(score(each, fresh, right)) for each in (rule, alone, by_hand)]
    return Learnt(start, rule, *found)


def together(rules):
    """Rules of one kind as one, whose arrays have an axis more."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *rules)


def streams(seed, networks, count, step):
    """Items, strengths that are zero after the last one, queries, and numbers for random keys."""
    rng, shape = np.random.default_rng([seed, int(step)]), (networks, count)
    items = signs(rng, *shape, 2 * FEW, SLOTS)
    stored = np.arange(2 * FEW) < rng.integers(FEW // 2, 2 * FEW + 1, (*shape, 1))
    numbers = rng.integers(0, 1 << 31, shape).astype(np.uint32)
    return items, stored.astype(np.float32), cues(rng, items), numbers


def reads_of(rule, batch):
    """What is read for all queries after each stream, by one rule."""
    memory = plastic_memory(FEW, SLOTS, count_empty=True)

    def one(items, store, queries, number):
        state = rule.begin(memory, key=jax.random.key(number))
        return jax.vmap(rule.run(state, items, None, store)[0].memory)(queries)

    return jax.vmap(one)(*batch)


@eqx.filter_vmap
def of_stored(rule, batch, score):
    """The mean score of the items stored, of each network."""
    return jnp.sum(score(reads_of(rule, batch), batch[0]) * batch[1]) / jnp.sum(batch[1])
