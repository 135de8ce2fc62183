"""Learning rules, graded units and images, measured for `hopfield-1982`."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..data import load
from ..dynamics import Euler
from ..learning import Hebb, Perceptron, PseudoInverse, Storkey
from ..models import graded_network, hopfield_network
from ..retrieval import retrieve

RULES = {"Hebb": Hebb(), "Storkey": Storkey(), "projection": PseudoInverse(dependent="ignore")}
LOADS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.35, 0.5, 0.7, 0.9)
FLIPPED = 0.1
# Gains of graded units, in units of 1/current.
GAINS = (2.0, 10.0, 50.0)


class Recalled(NamedTuple):
    """Shares of cues, a tenth of their units flipped, that come back exactly.

    - `loads` (L,): patterns a unit.
    - `shares`: for each rule (loads, draws).
    """

    loads: tuple[float, ...]
    shares: dict[str, np.ndarray]


@partial(jax.jit, static_argnames=("name", "n", "d", "probes"))
def _recalled(keys, *, name, n, d, probes):
    def one(key):
        drawn, flipped = jax.random.split(key)
        rows = jax.random.rademacher(drawn, (n, d), jnp.float32)
        starts = rows[:probes]
        ranks = jnp.argsort(jnp.argsort(jax.random.uniform(flipped, starts.shape), axis=1), axis=1)
        cues = jnp.where(ranks < round(FLIPPED * d), -starts, starts)
        found = retrieve(RULES[name](rows), cues).state
        return jnp.mean(jnp.all(found == starts, axis=1))

    return jax.lax.map(one, keys)


def recalled(loads: tuple[float, ...], d: int, draws: int, seed: int) -> Recalled:
    """Each rule at some loads, over random patterns."""
    keys = jax.random.split(jax.random.key(seed + 10), draws)
    shares = {
        name: np.stack(
            [
                np.asarray(_recalled(keys, name=name, n=round(x * d), d=d, probes=20), np.float64)
                for x in loads
            ]
        )
        for name in RULES
    }
    return Recalled(loads, shares)


def incremental(d: int, n: int, seed: int) -> dict[str, float]:
    """Largest difference between couplings written one by one and at once, over the largest.

    For Storkey's rule, which is one by one, also from its definition in double precision.
    """
    rows = np.asarray(jax.random.rademacher(jax.random.key(seed + 11), (n, d), jnp.float32))
    others = ~np.eye(d, dtype=bool)
    apart = {}
    for name in ("Hebb", "Storkey", "projection"):
        rule = RULES[name]
        at_once, memory = rule(rows).matrix, rule(rows[:1])
        for row in rows[1:]:
            memory = rule.write(memory, row)
        whole = [np.asarray(at_once, np.float64)]
        if name == "Storkey":
            whole.append(d * storkey(rows))
        written = np.asarray(memory.matrix, np.float64)
        apart[name] = max(
            float(np.abs(written - each)[others].max() / np.abs(each)[others].max())
            for each in whole
        )
    return apart


def storkey(rows: np.ndarray) -> np.ndarray:
    """Couplings by Storkey's definition: d Δw_ij = ξ_i ξ_j − ξ_i h_ji − h_ij ξ_j.

    h_ij is the field at i without the contributions of i and j.
    """
    d = rows.shape[1]
    w = np.zeros((d, d))
    for row in rows.astype(np.float64):
        parts = w * row
        own = np.diagonal(parts)[:, None]
        # Of i itself the part is taken off once.
        h = parts.sum(1, keepdims=True) - own - np.where(np.eye(d, dtype=bool), 0.0, parts)
        w = w + (np.outer(row, row) - row[:, None] * h.T - h * row) / d
    return w


def gardner(d: int, load_: float, seed: int) -> tuple[float, float]:
    """The share of patterns that are stable at a load, by the perceptron and by Hebb's rule."""
    n = round(load_ * d)
    rows = jax.random.rademacher(jax.random.key(seed + 12), (n, d), jnp.float32)

    def stable(memory):
        return float(jnp.mean(jnp.all(jax.vmap(memory.pull)(rows) == rows, axis=1)))

    return stable(Perceptron(partial=True)(rows)), stable(Hebb()(rows))


class Graded(NamedTuple):
    """Graded units along Euler's steps, in double precision.

    - `energy` (runs, steps + 1): of the first gain's runs.
    - `rise`: largest rise of a step, over the largest |E|, all gains.
    - `agree` (gains,): the share of units at rest on the side of the two-state ones.
    """

    energy: np.ndarray
    rise: float
    agree: tuple[float, ...]


def graded(starts: int, steps: int, seed: int, d: int = 40, n: int = 4) -> Graded:
    """The network of 1984 with Hebb's couplings, from damaged patterns."""
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(seed + 13), 3)
        rows = jax.random.rademacher(keys[0], (n, d), float)
        memory = hopfield_network(rows)
        which = jax.random.randint(keys[1], (starts,), 0, n)
        cues = jnp.where(jax.random.bernoulli(keys[2], 0.15, (starts, d)), -1.0, 1.0) * rows[which]
        settled = retrieve(memory, cues).state
        energies, rises, agree = [], [], []
        for gain in GAINS:
            network = graded_network(memory, gain)
            # No step is turned back: Euler's plain steps must fall by themselves.
            dynamics = Euler(1e-3 * 50 / gain, max_steps=steps, backtracking=False)
            found = retrieve(network, cues / gain, dynamics, path=True)
            energy = np.asarray(found.energies)
            energies.append(energy)
            rises.append(np.diff(energy, axis=1).max() / np.abs(energy).max())
            agree.append(float(jnp.mean(jnp.sign(found.state) == settled)))
        return Graded(energies[0], float(max(rises)), tuple(agree))


class Images(NamedTuple):
    """Real images as signs.

    - `stored`, `cues` (n, d); `found`: for each rule (n, d).
    - `shape`: of an image.
    - `exact`: for each rule the share that came back.
    - `correlation`: mean |overlap| of two images.
    """

    stored: np.ndarray
    cues: np.ndarray
    found: dict[str, np.ndarray]
    shape: Any
    exact: dict[str, float]
    correlation: float


def images(count: int, data: str | None, seed: int) -> Images:
    """Images above their median are +1; a tenth of the units of each cue is flipped."""
    sample = load("sample" if data is None else data)
    pixels = np.asarray(sample.x[:count])
    signs = np.where(pixels > np.median(pixels, axis=1, keepdims=True), 1.0, -1.0)
    rng = np.random.default_rng(seed)
    cues = np.where(rng.random(signs.shape) < FLIPPED, -signs, signs)
    found, exact = {}, {}
    for name in ("Hebb", "projection"):
        rule = RULES[name]
        state = np.asarray(retrieve(rule(signs), cues).state)
        found[name], exact[name] = state, float((state == signs).all(1).mean())
    overlaps = np.abs(signs @ signs.T / signs.shape[1])[~np.eye(count, dtype=bool)]
    return Images(signs, cues, found, sample.shape, exact, float(overlaps.mean()))
