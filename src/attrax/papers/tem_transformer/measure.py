"""Paths with exact and noisy position codes, memories as matrices, units, and trained networks."""

import functools
import tempfile
from pathlib import Path
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy import ndimage

from attrax.data import graph_world, random_walk
from attrax.nn import (
    TolmanEichenbaum,
    conjunctions,
    integrate_path,
    locate_path,
    recall_path,
    rotate_code,
    write_gate,
)
from attrax.separation import Identity, Softmax
from attrax.similarity import Dot
from attrax.stores.rows import Memory
from attrax.training import train

from ..contract import wide

SIDE, SYMBOLS, STEPS, PHASES = 8, 45, 500, 32
START = np.repeat(np.array([1, 0], np.float32), PHASES) / np.float32(PHASES) ** 0.5


class Paths(NamedTuple):
    """Walks, (draws, T): where the prediction was right, and kinds of steps; and how many steps
    were stored beyond the nodes that were visited, by draw."""

    right: np.ndarray
    visited: np.ndarray
    untaken: np.ndarray
    surplus: np.ndarray

    def accuracy(self) -> np.ndarray:
        """The share of steps by untaken links to visited nodes that are right, by draw."""
        return (self.right & self.untaken).sum(1) / self.untaken.sum(1)


@functools.cache
def _walked(corrected):
    """One walk with random frequencies, whose phases err by a normal number at each step."""

    def one(key, noise):
        of_world, of_walk, of_code, of_noise = jax.random.split(key, 4)
        world = graph_world(SIDE, symbols=SYMBOLS, key=of_world)
        walk = random_walk(world, STEPS, key=of_walk)
        frequencies = jax.random.uniform(of_code, (2, PHASES), minval=-np.pi, maxval=np.pi)
        errors = jax.random.normal(of_noise, (STEPS - 1, PHASES))
        angles = world.moves[walk.actions] @ frequencies + noise * errors
        seen = jax.nn.one_hot(walk.observations, SYMBOLS)
        if corrected:
            predictions, _, written = locate_path(rotate_code, angles, START, seen)
        else:
            codes = integrate_path(rotate_code, angles, START)
            written = write_gate(codes, seen)
            predictions = recall_path(codes, seen, written=written)
        right = jnp.argmax(predictions, axis=1) == walk.observations
        surplus = jnp.sum(written) - jnp.sum(~walk.visited)
        return right, walk.visited, walk.untaken, surplus

    return jax.jit(jax.vmap(one, in_axes=(0, None)))


def paths(run, noise: float, corrected: bool) -> Paths:
    """Walks on grids of 8 × 8 nodes, the same ones for every noise."""
    keys = jax.random.split(jax.random.key(run.seed), run.pick("paths.draws", quick=10, full=40))
    found = _walked(corrected)(keys, jnp.asarray(noise, jnp.float32))
    return Paths(*map(np.asarray, found))


@wide
def disagreement(run) -> float:
    """The read of a matrix of conjunctions, less linear attention with gains, over the largest."""
    rng = np.random.default_rng(run.seed)
    codes, stimuli = rng.normal(size=(200, 16)), rng.normal(size=(200, 10))
    asked = rng.normal(size=(50, 16))
    parts = {"similarity": Dot(), "separation": Identity()}
    matrix = Memory(conjunctions(codes, stimuli), **parts).superpose()
    read = jax.vmap(matrix)(conjunctions(asked, np.ones((50, 10))))
    read = np.asarray(read).reshape(50, 10, 16).sum(2)
    gains = stimuli.sum(1) * codes.sum(1)
    attention = np.asarray(jax.vmap(Memory(codes, gains[:, None] * stimuli, **parts))(asked))
    return float(np.abs(read - attention).max() / np.abs(attention).max())


def looks_ahead(run) -> float:
    """The largest change of predictions up to a step by other observations from that step on."""
    rng = np.random.default_rng(run.seed)
    actions, seen = rng.integers(0, 4, 39), rng.integers(0, 12, 40)
    angles = rng.normal(size=(39, PHASES)).astype(np.float32)
    model = TolmanEichenbaum(4, 12, 32, threshold=0.9, key=jax.random.key(run.seed))

    @jax.jit
    def predict(seen):
        stimuli = jax.nn.one_hot(seen, 12)
        return model(actions, seen), locate_path(rotate_code, angles, START, stimuli).predictions

    before, worst = predict(seen), 0.0
    for step in (0, 7, 20, 39):
        other = np.where(np.arange(40) < step, seen, (seen + 5) % 12)
        for a, b in zip(before, predict(other), strict=True):
            worst = max(worst, float(np.abs(a - b)[: step + 1].max()))
    return worst


SIZES = (16, 64, 256, 1024)


def sharpness(run, growing: bool) -> np.ndarray:
    """The weight of the memory whose code is asked among n of random unit codes, (draws, sizes).

    One path asks for its first code after n steps. Only that one has a stimulus other than zero,
    so that what is read is its weight.
    """
    rng = np.random.default_rng(run.seed)
    asking = np.array(SIZES) + np.arange(len(SIZES))
    stored = np.ones(asking[-1] + 1, bool)
    stored[asking] = False
    draws = run.pick("sharpness.draws", quick=8, full=32)
    codes = rng.normal(size=(draws, len(stored), 512)).astype(np.float32)
    codes /= np.linalg.norm(codes, axis=2, keepdims=True)
    codes[:, asking] = codes[:, :1]
    stimuli = np.eye(len(stored), 1, dtype=np.float32)
    beta = 1.5 if growing else 1.5 * np.log(SIZES[0])

    @jax.jit
    def read(codes):
        options = {"beta": beta, "written": stored, "growing": growing}
        return recall_path(codes, stimuli, **options)[asking, 0]

    return np.asarray(jax.lax.map(read, jnp.asarray(codes)))


class Units(NamedTuple):
    """Activity of each memory unit at each node, (draws, units, nodes), of units in the order in
    which they were written, and how many of them there are; walks, (draws, T), and the
    observations of the nodes, (draws, nodes)."""

    activity: np.ndarray
    counts: np.ndarray
    walks: np.ndarray
    observations: np.ndarray

    def fields(self) -> np.ndarray:
        """The share of units whose activity above a fifth of its peak is connected, by draw."""
        return np.array(
            [
                np.mean([_pieces(unit) == 1 for unit in units[:count]])
                for units, count in zip(self.activity, self.counts, strict=True)
            ]
        )

    def correlations(self) -> np.ndarray:
        """The mean correlation of the map of a unit in two worlds, by pair of worlds."""
        pairs = zip(self.activity[::2], self.activity[1::2], strict=True)
        counts = np.minimum(self.counts[::2], self.counts[1::2])
        return np.array(
            [
                np.mean([np.corrcoef(a[i], b[i])[0, 1] for i in range(count)])
                for (a, b), count in zip(pairs, counts, strict=True)
            ]
        )


def _pieces(unit):
    grid = unit.reshape(SIDE, SIDE)
    labels = np.empty(grid.shape, np.int32)
    return ndimage.label(grid > 0.2 * grid.max(), output=labels)


def units(run) -> Units:
    """Memory units of softmax at β = ln n, whose phases have normal frequencies.

    They are the same ones in all worlds, as an agent keeps its code and empties its memory.
    """
    frequencies = 0.6 * jax.random.normal(jax.random.key(run.seed + 1), (2, PHASES))
    nodes = SIDE**2

    @jax.jit
    @jax.vmap
    def one(key):
        of_world, of_walk = jax.random.split(key)
        world = graph_world(SIDE, symbols=SYMBOLS, key=of_world)
        walk = random_walk(world, STEPS, key=of_walk)
        seen = jax.nn.one_hot(walk.observations, SYMBOLS)
        codes = integrate_path(rotate_code, world.moves[walk.actions] @ frequencies, START)
        written = write_gate(codes, seen, 0.99)
        # Rows that were written come first, in their order.
        order = jnp.argsort(~written, stable=True)[:nodes]
        count = jnp.sum(written)
        softmax = Softmax(jnp.log(count.astype(jnp.float32)))
        stored = Memory(codes[order], similarity=Dot(), separation=softmax, filled=written[order])
        places = (world.places - world.places[walk.nodes[0]][None]) @ frequencies
        at = jax.vmap(lambda angles: rotate_code(START, angles))(places)
        return jax.vmap(stored.weights)(at).T, count, walk.nodes, world.observations

    draws = run.pick("units.draws", quick=60, full=200)
    return Units(*map(np.asarray, one(jax.random.split(jax.random.key(run.seed), draws))))


class Recurrent(eqx.Module):
    """A gated recurrent network that sees the last observation and the action since."""

    cell: eqx.nn.GRUCell
    head: eqx.nn.Linear
    start: jax.Array

    def __init__(self, actions, symbols, size, *, key):
        of_cell, of_head = jax.random.split(key)
        self.cell = eqx.nn.GRUCell(actions + symbols, size, key=of_cell)
        self.head = eqx.nn.Linear(size, symbols, key=of_head)
        self.start = jnp.zeros(size)

    def __call__(self, actions, observations):
        """The logits of each observation."""
        symbols = self.head.weight.shape[0]
        acted = jax.nn.one_hot(actions, self.cell.input_size - symbols)
        inputs = jnp.concatenate([acted, jax.nn.one_hot(observations[:-1], symbols)], axis=1)

        def step(state, row):
            state = self.cell(row, state)
            return state, state

        states = jax.lax.scan(step, self.start, inputs)[1]
        return jax.vmap(self.head)(jnp.concatenate([self.start[None], states]))


# Worlds of training: nodes a side, observations, steps of a walk, walks of a batch.
TASK = {"side": 5, "symbols": 12, "steps": 40, "batch": 16}
NETWORKS = {
    "transformer": functools.partial(TolmanEichenbaum, 4, TASK["symbols"], 32),
    "recurrent": functools.partial(Recurrent, 4, TASK["symbols"], 37),
}


@functools.partial(jax.jit, static_argnums=1)
def walks(key, count):
    """Walks, each in a world of its own."""

    def one(key):
        of_world, of_walk = jax.random.split(key)
        world = graph_world(TASK["side"], symbols=TASK["symbols"], key=of_world)
        return random_walk(world, TASK["steps"], key=of_walk)

    return jax.vmap(one)(jax.random.split(key, count))


def total(models, batch):
    """Cross-entropies of observations at visited nodes, of networks that do not share anything."""

    def one(model, walk):
        logits = jax.vmap(model)(walk.actions, walk.observations)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, walk.observations)
        return jnp.mean(losses, where=walk.visited)

    return jnp.sum(eqx.filter_vmap(one)(models, batch))


@eqx.filter_jit
def shares(models, walk):
    """The share of right predictions of each network, at untaken links and at those taken."""

    def one(model):
        logits = jax.vmap(model)(walk.actions, walk.observations)
        right = jnp.argmax(logits, axis=-1) == walk.observations
        taken = walk.visited & ~walk.untaken
        return tuple(jnp.mean(right, where=kind) for kind in (walk.untaken, taken))

    return eqx.filter_vmap(one)(models)


class Trained(NamedTuple):
    """Accuracies of each network by steps of training, (points, networks), at untaken links and
    at taken ones, of how many links each; and the number of parameters."""

    steps: np.ndarray
    untaken: np.ndarray
    taken: np.ndarray
    links: tuple[int, int]
    parameters: int


def trained(run, name: str) -> Trained:
    """Networks trained by Adam at 0.003 on new worlds in every step, and tested on others."""
    steps = run.pick("trained.steps", quick=500, full=3000)
    return learn(run.seed, NETWORKS[name], steps, run.pick("networks", quick=3, full=6))


def learn(seed, make, steps, networks, points=10, tests=12) -> Trained:
    """Train in parts, each of which goes on from the checkpoint of the one before."""
    build = eqx.filter_jit(eqx.filter_vmap(lambda key: make(key=key)))
    models = build(jax.random.split(jax.random.key(seed), networks))
    of_training, of_test = jax.random.split(jax.random.key(seed + 1))

    def batches(step):
        drawn = walks(jax.random.fold_in(of_training, step), networks * TASK["batch"])
        return jax.tree.map(lambda x: x.reshape(networks, -1, *x.shape[1:]), drawn)

    # As many at a time as in training, by the same program.
    test = [walks(key, networks * TASK["batch"]) for key in jax.random.split(of_test, tests)]
    test = jax.tree.map(lambda *parts: np.concatenate(parts), *test)
    optimizer = optax.adam(0.003)
    at, found = np.rint(np.geomspace(20, steps, points)).astype(int), [shares(models, test)]
    with tempfile.TemporaryDirectory() as folder:
        for count in at.tolist():
            result = train(
                *(models, total, batches),
                steps=count,
                optimizer=optimizer,
                checkpoint=Path(folder) / "run.attrax",
                every=steps,
            )
            found.append(shares(result.model, test))
    untaken, taken = (np.asarray(kind) for kind in zip(*found, strict=True))
    links = int(test.untaken.sum()), int((test.visited & ~test.untaken).sum())
    weights = jax.tree.leaves(eqx.filter(models, eqx.is_inexact_array))
    return Trained(
        np.append(0, at), untaken, taken, links, sum(x.size for x in weights) // networks
    )
