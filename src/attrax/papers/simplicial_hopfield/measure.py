"""Energies by enumeration, sweeps flip by flip, and what networks of equal budgets recall."""

import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from attrax import models, theory
from attrax.dynamics import Asynchronous
from attrax.retrieval import retrieve
from attrax.similarity import CumulativeEuclidean, Dot, Euclidean, Manhattan

from ..contract import wide

UNITS = 100
BUDGET = UNITS * (UNITS - 1) // 2
LOADS = (0.05, 0.1, 0.15, 0.2, 0.3)
# Shares of the budget that are triples; the others are pairs.
SHARES = {"K1": 0.0, "R12̄": 0.25, "R12": 0.5, "R1̄2": 0.75, "R2": 1.0}


@wide
def enumerated(run) -> float:
    """The largest difference of energies and drives from sums over sets in whole numbers, over the
    largest of each: all states of eight units, a full list, a random one, and none."""
    rng, units = np.random.default_rng(run.seed), 8
    states = np.array(list(itertools.product([-1, 1], repeat=units)))
    patterns = rng.choice([-1, 1], (4, units))
    some = models.random_simplices(units, {1: 12, 2: 25, 3: 20}, key=jax.random.key(run.seed))
    both, full = models.full_skeleton(units), models.full_skeleton(units, 3)
    worst = 0.0
    for simplices in (both, full, some):
        energies, fields = np.zeros(len(states)), np.zeros(states.shape)
        for each in (row for sets in simplices for row in np.asarray(sets)):
            term = patterns[:, each].prod(1).sum() * states[:, each].prod(1)
            energies -= term
            fields[:, each] += term[:, None] * states[:, each]
        memories: list[Any] = [(models.simplicial_network(patterns * 1.0, simplices), 1)]
        if simplices is both:
            # The gap between a unit's states is twice its field.
            memories.append((models.skeleton_memory(patterns * 1.0), 2))
        for memory, factor in memories:
            given = jnp.asarray(states, memory.dtype)
            found, drives = all_energies(memory, given), all_drives(memory, given)
            for one, other in ((found, energies), (drives, factor * fields)):
                difference = np.max(np.abs(units * np.asarray(one) - other))
                worst = max(worst, float(difference / np.max(np.abs(other))))
    return worst


class Flips(NamedTuple):
    """Changes of single units: how many there were, how many did not lower the energy, and how many
    sweeps of the library end elsewhere than these flips lead."""

    changes: int
    rises: int
    strays: int


def flips(run, condition: str) -> Flips:
    """Sweeps of the library made again, unit by unit in whole numbers of NumPy."""
    rng, units = np.random.default_rng(run.seed), 60
    starts = run.pick("flips.starts", quick=6, full=20)
    simplices = drawn(units, units * (units - 1) // 2, SHARES[condition], run.seed)
    patterns, order = rng.choice([-1, 1], (15, units)), rng.permutation(units)
    memory = models.simplicial_network(patterns * 1.0, simplices)
    states = rng.choice([-1.0, 1.0], (starts, units))
    paths = retrieve(memory, states, Asynchronous(order), path=True).path
    sets = [np.asarray(each) for each in simplices]
    weights = [patterns[:, each].prod(2).sum(0) for each in sets]
    joins = [[(each == i).any(1) for each in sets] for i in range(units)]

    def total(state, inside=(..., ...)):
        parts = zip(weights, sets, inside * len(sets), strict=False)
        return sum(int(w[chosen] @ state[x[chosen]].prod(1)) for w, x, chosen in parts)

    changes = rises = strays = 0
    for path in np.asarray(paths).astype(int):
        for before, after in itertools.pairwise(path):
            state = before.copy()
            energy = -total(state)
            for i in order:
                if state[i] * (field := state[i] * total(state, tuple(joins[i]))) < 0:
                    state[i] = np.sign(field)
                    changed = -total(state)
                    changes, rises = changes + 1, rises + int(changed >= energy)
                    energy = changed
            strays += int(not np.array_equal(state, after))
            if np.array_equal(before, after):
                break
    return Flips(changes, rises, strays)


def drawn(units: int, budget: int, share: float, seed: int):
    """Random pairs and triples, of which a share are triples; all pairs without any."""
    if share == 0 and budget == units * (units - 1) // 2:
        return models.full_skeleton(units, 1)
    triples = round(share * budget)
    counts = {1: budget - triples, 2: triples}
    return models.random_simplices(units, counts, key=jax.random.key(seed))


class Recall(NamedTuple):
    """Mean overlaps at rest with the pattern whose damaged copy began, (networks, loads)."""

    overlaps: np.ndarray

    def at(self, load: float) -> np.ndarray:
        """Those at a load, by network."""
        return self.overlaps[:, LOADS.index(load)]

    def load(self, least: float = 0.95) -> np.ndarray:
        """The load at which the overlap falls to so much, between loads by straight lines; by
        network, the largest load where it does not."""
        found = []
        for row in self.overlaps:
            below = np.flatnonzero(row < least)
            i = below[0] if below.size else 0
            if not below.size or i == 0:
                found.append(LOADS[-1] if not below.size else LOADS[0])
                continue
            part = (row[i - 1] - least) / (row[i - 1] - row[i])
            found.append(LOADS[i - 1] + part * (LOADS[i] - LOADS[i - 1]))
        return np.array(found)


@jax.jit
def overlaps_at_rest(memory, cues, patterns, seed):
    """ξ·S/N where each cue ends."""
    ends = retrieve(memory, cues, Asynchronous(seed=seed)).state
    return jnp.mean(ends * patterns, axis=1)


def recall(run, condition: str, matched: str = "simplices", scaling: str = "common") -> Recall:
    """What damaged patterns come to, a tenth of their units flipped.

    - `condition`: one of `SHARES`, or "K2", all pairs and triples.
    - `matched`: "simplices" for as many connections as there are pairs; "incidences" for as many
      connections at each unit.
    - `scaling`: "dense" gives triples weights 1/N², as dense memories have, beside 1/N of pairs.
    """
    networks = run.pick("recall.networks", quick=6, full=60)
    counts = [round(load * UNITS) for load in LOADS]
    found = np.zeros((networks, len(LOADS)))
    for network in range(networks):
        rng, seed = np.random.default_rng([run.seed, network]), 1000 * run.seed + network
        patterns = rng.choice([-1.0, 1.0], (counts[-1], UNITS)).astype(np.float32)
        order = np.argsort(rng.random(patterns.shape), axis=1)
        cues = np.where(order < UNITS // 10, -patterns, patterns)
        written = None
        if condition != "K2":
            share = SHARES[condition]
            budget = BUDGET if matched == "simplices" else round(2 * BUDGET / (2 + share))
            written = models.SimplicialMemory(UNITS, drawn(UNITS, budget, share, seed))
        for i, (before, count) in enumerate(zip([0, *counts], counts, strict=False)):
            if written is None:
                memory = models.skeleton_memory(patterns[:count])
            else:
                for pattern in patterns[before:count]:
                    written = written.write(pattern)
                memory = quieter(written) if scaling == "dense" else written
            overlaps = overlaps_at_rest(memory, cues, patterns, jnp.asarray(seed))
            found[network, i] = np.mean(overlaps[:count])
    return Recall(found)


def quieter(memory: models.SimplicialMemory) -> models.SimplicialMemory:
    """The memory with weights of triples divided by N."""
    pairs, triples = memory.weights
    return models.SimplicialMemory(UNITS, memory.simplices, (pairs, triples / UNITS))


class Stability(NamedTuple):
    """Shares of unstable units in stored patterns, and of mirror images that are at rest, by
    network; and the first by theory."""

    unstable: np.ndarray
    mirrored: np.ndarray
    theory: float


def stability(run, condition: str, count: int) -> Stability:
    """All units of so many stored patterns, and of their mirror images, asked once."""
    networks = run.pick("stability.networks", quick=60, full=300)
    unstable, mirrored, degrees = [], [], []
    for network in range(networks):
        rng = np.random.default_rng([run.seed, network, 1])
        patterns = rng.choice([-1.0, 1.0], (count, UNITS)).astype(np.float32)
        simplices = drawn(UNITS, BUDGET, SHARES[condition], 1000 * run.seed + network)
        memory = models.SimplicialMemory(UNITS, simplices).write(patterns)
        drives = np.asarray(all_drives(memory, np.concatenate([patterns, -patterns])))
        own, mirror = drives[:count] * patterns, -drives[count:] * patterns
        # A unit without a drive is as likely on either side.
        unstable.append(np.mean(own < 0) + np.mean(own == 0) / 2)
        mirrored.append(np.mean((mirror >= 0).all(1)))
        degrees.append(np.bincount(np.concatenate([np.ravel(x) for x in simplices])))
    chance = np.asarray(theory.hebb_flip_probability(count, np.concatenate(degrees)))
    return Stability(np.array(unstable), np.array(mirrored), float(chance.mean()))


@jax.jit
def all_drives(memory, states):
    """The drives of all units, state by state."""
    return jax.lax.map(memory.drive, states)


@jax.jit
def all_energies(memory, states):
    """The energies of states."""
    return jax.lax.map(memory.state_energy, states)


class Images(NamedTuple):
    """Shares of digits that come back, (draws, similarities)."""

    names: tuple[str, ...]
    shares: np.ndarray

    def of(self, name: str) -> np.ndarray:
        """Those of a similarity, by draw."""
        return self.shares[:, self.names.index(name)]


def images(run, kind: str = "zeros") -> Images:
    """A hundred digits, asked with half of their pixels set to zero: which row scores best.

    - `kind`: "zeros", or "noise", salt and pepper in half of the pixels.
    """
    digits = run.load("digits").x
    draws = run.pick("images.draws", quick=20, full=100)
    width = digits.shape[1]
    names = ("dot", "euclidean", "manhattan", "cumulative")
    parts = Dot(), Euclidean(), Manhattan()
    shares = np.zeros((draws, len(names)))
    for draw in range(draws):
        rng = np.random.default_rng([run.seed, draw, 2])
        rows = np.asarray(digits[rng.choice(len(digits), 100, replace=False)], np.float32)
        queries = rows.copy()
        if kind == "zeros":
            queries[:, width // 2 :] = 0
        else:
            hit = rng.random(rows.shape) < 0.5
            queries = np.where(hit, rng.integers(0, 2, rows.shape), rows).astype(np.float32)
        simplices = drawn(width, width * (width - 1) // 2, 0.5, 1000 * run.seed + draw)
        for i, similarity in enumerate((*parts, CumulativeEuclidean(simplices))):
            shares[draw, i] = np.mean(best_row(similarity, rows, queries) == np.arange(100))
    return Images(names, shares)


@jax.jit
def best_row(similarity, rows, queries):
    """The row of the best score."""
    return jax.lax.map(lambda query: jnp.argmax(similarity(rows, query)), queries)
