"""What many queries read of stored rows, and each stored row of the others, at any beta.

Rows and features are filled up to one of few shapes, so that few programs serve data of all shapes.
What is filled up takes no part.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ..separation import Softmax
from ..similarity import Euclidean
from ..stores.rows import Memory
from .filling import fill_up, next_power, next_size

# So many queries run together.
_QUERIES = 256
# Rows of which each is read from all others, and how many values of beta are tried.
_PROBES, _BETAS = 2048, 24
# The largest beta tried gives the nearest row e²⁵ times the weight of one that is twice as far.
_SHARPEST = 50.0


class Stored(eqx.Module):
    """Rows and their values, filled up.

    - `rows` (n, d), `values` (n, v).
    - `there` (n,): True for what is a row.
    """

    rows: Float[Array, "n d"]
    values: Float[Array, "n v"]
    there: Bool[Array, " n"]


class Read(NamedTuple):
    """What queries read: values (q, v), and ln Σ exp(−β |x − row|²/2), shape (q,)."""

    values: np.ndarray
    log_mass: np.ndarray


def store(rows: np.ndarray, values: np.ndarray) -> Stored:
    """Rows (n, d) and values (n, v), in shapes of which there are few."""
    count, width = next_size(len(rows)), next_power(rows.shape[1], 4)
    there = np.arange(count) < len(rows)
    worth = fill_up(values, count, next_power(values.shape[1], 4))
    return Stored(*map(jnp.asarray, (fill_up(rows, count, width), worth, there)))


def read(stored: Stored, queries: np.ndarray, beta: float, width: int) -> Read:
    """What queries (q, d) read; of the values the first `width`."""
    parts = []
    for begin in range(0, len(queries), _QUERIES):
        part = fill_up(queries[begin : begin + _QUERIES], _QUERIES, stored.rows.shape[1])
        parts.append([np.asarray(x, np.float64) for x in _read(stored, part, np.float32(beta))])
    values, masses = (np.concatenate(each)[: len(queries)] for each in zip(*parts, strict=True))
    return Read(values[:, :width], masses)


def attend(stored: Stored, queries: np.ndarray, beta: float) -> np.ndarray:
    """The weights of all rows for queries (q, d), those that are filled up too: (q, n)."""
    parts = []
    for begin in range(0, len(queries), _QUERIES):
        part = fill_up(queries[begin : begin + _QUERIES], _QUERIES, stored.rows.shape[1])
        parts.append(np.asarray(_attend(stored, part, np.float32(beta)), np.float64))
    return np.concatenate(parts)[: len(queries)]


class Left(NamedTuple):
    """What probes, some of the rows, read of all rows but themselves, at every beta.

    - `probes` (p,): which rows.
    - `betas` (b,).
    - `values` (b, p, v), `log_mass` (b, p): as of `Read`.
    """

    probes: np.ndarray
    betas: np.ndarray
    values: np.ndarray
    log_mass: np.ndarray


def leave_one_out(stored: Stored, count: int, width: int, random, betas=None) -> Left:
    """The reads of at most 2048 rows of all others; each takes its distances once for all betas.

    Betas go from where all rows weigh nearly alike to where the nearest row is read alone.

    **Arguments:**

    - `stored`: rows, the first `count` of which are there.
    - `width`: how many of the values are wanted.
    - `random`: a `numpy.random.RandomState` that draws the probes.
    - `betas`: the values that are tried; those above if `None`.
    """
    probes = np.arange(count)
    if count > _PROBES:
        probes = np.sort(random.choice(count, _PROBES, replace=False))
    betas = _betas(stored, probes) if betas is None else betas
    parts = []
    for begin in range(0, len(probes), _QUERIES):
        part = probes[begin : begin + _QUERIES]
        found = _left_out(stored, fill_up(part, _QUERIES), betas.astype(np.float32))
        parts.append([np.asarray(x, np.float64) for x in found])
    values, masses = (np.concatenate(x, axis=1)[:, : len(probes)] for x in zip(*parts, strict=True))
    return Left(probes, betas, values[:, :, :width], masses)


def _betas(stored, probes) -> np.ndarray:
    """Geometric, between the inverses of half the mean and half the least squared distances."""
    near, far = np.asarray(_extremes(stored, fill_up(probes[:_QUERIES], _QUERIES)), np.float64)
    near, far = (x[: min(len(probes), _QUERIES)] for x in (near, far))
    near = near[near > 0]
    if not near.size:
        return np.ones(_BETAS)
    return np.geomspace(0.5 / far.mean(), _SHARPEST / np.median(near), _BETAS)


def _memory(stored, beta):
    return Memory(
        stored.rows,
        stored.values,
        similarity=Euclidean(),
        separation=Softmax(beta),
        filled=stored.there,
    )


@eqx.filter_jit
def _read(stored, queries, beta):
    memory = _memory(stored, beta)
    found = jax.vmap(memory.read)(queries)
    return found.value, beta * found.potential


@eqx.filter_jit
def _attend(stored, queries, beta):
    return jax.vmap(_memory(stored, beta).weights)(queries)


def _of_others(stored, index):
    """Scores of a row with all, and which are others."""
    scores = _memory(stored, 1.0).state_scores(stored.rows[index])
    return scores, stored.there & (jnp.arange(stored.rows.shape[0]) != index)


@eqx.filter_jit
def _left_out(stored, probes, betas):
    scores, others = jax.vmap(lambda index: _of_others(stored, index))(probes)

    def at(beta):
        separation = Softmax(beta)
        weights = jax.vmap(separation)(scores, others)
        return weights @ stored.values, beta * jax.vmap(separation.potential)(scores, others)

    return jax.lax.map(at, betas)


@eqx.filter_jit
def _extremes(stored, probes):
    """Half the least positive squared distance of each row to another, and half the mean."""

    def one(index):
        scores, others = _of_others(stored, index)
        apart = others & (scores < 0)
        near = jnp.min(jnp.where(apart, -scores, jnp.inf))
        count = jnp.sum(apart, dtype=scores.dtype)
        far = jnp.sum(jnp.where(apart, -scores, 0.0)) / jnp.maximum(count, 1.0)
        return jnp.where(jnp.isfinite(near), near, 0.0), far

    return jax.vmap(one)(probes)
