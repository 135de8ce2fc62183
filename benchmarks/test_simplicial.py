"""Setwise connections: sweeps of a mixed network beside NumPy, one query and unit at a time."""

import jax
import jax.numpy as jnp
import numpy as np

from attrax import models
from attrax.dynamics import Asynchronous
from attrax.retrieval import retrieve

UNITS, PATTERNS, QUERIES = 200, 40, 256


def test_sweeps_beside_numpy(versus):
    """Half pairs and half triples, as many as there are pairs: runs to rest from damaged cues."""
    rng, half = np.random.default_rng(0), UNITS * (UNITS - 1) // 4
    simplices = models.random_simplices(UNITS, {1: half, 2: half}, key=jax.random.key(0))
    patterns = rng.choice([-1.0, 1.0], (PATTERNS, UNITS)).astype(np.float32)
    cues = patterns[np.arange(QUERIES) % PATTERNS]
    cues = np.where(rng.random(cues.shape) < 0.1, -cues, cues)
    memory = models.simplicial_network(patterns, simplices)
    order = np.arange(UNITS)
    sets = [np.asarray(x) for x in simplices]
    weights = [np.prod(patterns[:, x], axis=2).sum(0) for x in sets]
    # What each unit is in is listed beforehand, as a NumPy program would.
    members = []
    for i in range(UNITS):
        entries = []
        for x, w in zip(sets, weights, strict=True):
            rows = (x == i).any(1)
            others = x[rows][x[rows] != i].reshape(rows.sum(), -1)
            entries.append((w[rows], others))
        members.append(entries)

    def theirs():
        ends = []
        for cue in cues:
            state, moved = cue.copy(), True
            while moved:
                moved = False
                for i in order:
                    drive = sum(w @ np.prod(state[x], axis=1) for w, x in members[i])
                    new = state[i] if drive == 0 else np.sign(drive)
                    moved, state[i] = moved or new != state[i], new
            ends.append(state)
        return np.array(ends)

    queries, dynamics = jnp.asarray(cues), Asynchronous("cyclic")

    def ours():
        return retrieve(memory, queries, dynamics).state

    np.testing.assert_array_equal(ours(), theirs())
    versus(ours, theirs, "NumPy", 1 / 10, rounds=6)
