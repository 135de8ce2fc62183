"""Centres of clusters as memories: how they are learnt, and where rows end among them.

Rows, centres and features are filled up with zeros to one of few shapes, so that few programs serve
data of all shapes. What is filled up takes no part: its centres have no weight, and its features
are zero on both sides.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float

from ..separation import Softmax
from ..similarity import Euclidean
from ..stores.rows import Memory
from ..training.completion import filled_in, hidden_error
from .filling import fill_up, next_power

# So many rows run together; centres are filled up to powers of two, and features to powers of four.
_ROWS = 256
# How many masks of each row say which start is kept.
_MASKS = 4


class Centres(eqx.Module):
    """Several sets of centres, filled up, and what they are asked with.

    - `rows` (s, k, d): the sets.
    - `there` (k,): True for what is a centre.
    - `beta`: the inverse temperature.
    - `steps`: T, each of 1/T of a time constant.
    """

    rows: Float[Array, "s k d"]
    there: Bool[Array, " k"]
    beta: Float[Array, ""]
    steps: int = eqx.field(static=True)


class Masked(NamedTuple):
    """Rows to be completed, all of shape (n, d): what they are, what is hidden, where it starts."""

    rows: np.ndarray
    hidden: np.ndarray
    start: np.ndarray


def centres(sets, beta: float, steps: int) -> Centres:
    """Sets of centres (s, k, d) in shapes of which there are few."""
    _, count, width = sets.shape
    wide = next_power(count)
    rows = fill_up(sets, wide, next_power(width, 4))
    there = np.arange(wide) < count
    return Centres(jnp.asarray(rows), jnp.asarray(there), jnp.float32(beta), steps)


def whole(rows: np.ndarray) -> Masked:
    """Rows of which all entries move, from where they are."""
    return Masked(rows, np.ones(rows.shape, bool), rows)


def masked(rows: np.ndarray, share: float, rng: np.random.Generator) -> Masked:
    """Rows with entries hidden at random, one a row at least, that start at zero, the mean."""
    draws = rng.random(rows.shape)
    hidden = (draws < share) | (draws == draws.min(axis=1, keepdims=True))
    return Masked(rows, hidden, np.zeros_like(rows))


class Learning(NamedTuple):
    """How centres are learnt: see `ClAMClusterer`."""

    mask: float | None
    rate: float
    steps: int
    batch: int

    def ask(self, rows: np.ndarray, rng: np.random.Generator) -> Masked:
        """Rows as they are masked, or whole."""
        return whole(rows) if self.mask is None else masked(rows, self.mask, rng)


def learn(sets: Centres, rows: np.ndarray, how: Learning, seed: int) -> tuple[Centres, np.ndarray]:
    """Sets of centres after learning from rows (n, d), side by side, and the error of each."""
    rng = np.random.default_rng(seed)
    state = _adam().init(sets.rows)
    for step in range(how.steps):
        asked = how.ask(rows[rng.integers(len(rows), size=how.batch)], rng)
        rate = np.float32(how.rate * (1 - step / how.steps))
        sets, state = _stepped(sets, state, _as_wide(asked, sets, how.batch), rate)
    return sets, errors(sets, rows, how, seed)


def errors(sets: Centres, rows: np.ndarray, how: Learning, seed: int) -> np.ndarray:
    """The mean squared error of each set on hidden entries, of masks drawn once, shape (s,)."""
    # Of a stream of their own: however long sets have learnt, they are asked with the same masks.
    rng = np.random.default_rng([seed, 1])
    total, count = np.zeros(len(sets.rows)), 0
    for _ in range(1 if how.mask is None else _MASKS):
        asked = how.ask(rows, rng)
        for begin in range(0, len(rows), _ROWS):
            part = Masked(*(x[begin : begin + _ROWS] for x in asked))
            hidden = int(part.hidden.sum())
            # What rows are filled up with is not hidden.
            found = _errors(sets, _as_wide(part, sets, _ROWS))
            total = total + hidden * np.asarray(found, np.float64)
            count += hidden
    return total / count


def weights(sets: Centres, rows: np.ndarray) -> np.ndarray:
    """The weights of the first set's centres where whole rows (n, d) end, shape (n, k)."""
    parts = []
    for begin in range(0, len(rows), _ROWS):
        part = _as_wide(whole(rows[begin : begin + _ROWS]), sets, _ROWS)
        parts.append(np.asarray(_weights(sets, part.rows)))
    found = np.concatenate(parts)[: len(rows), np.asarray(sets.there)]
    return found.astype(np.float64)


def _adam():
    return optax.scale_by_adam()


def _memory(sets: Centres, rows):
    return Memory(rows, similarity=Euclidean(), separation=Softmax(sets.beta), filled=sets.there)


def _each(sets, rows, asked):
    share = jnp.ones((), rows.dtype) / sets.steps
    memory, (x, hidden, start) = _memory(sets, rows), asked
    return hidden_error(memory, x, hidden, start, share, sets.steps)


@eqx.filter_jit
def _stepped(sets, state, asked, rate):
    def total(rows):
        return jnp.sum(jax.vmap(lambda rows: _each(sets, rows, asked))(rows))

    slopes = jax.grad(total)(sets.rows)
    with jax.numpy_dtype_promotion("standard"):
        updates, state = _adam().update(slopes, state)
    return eqx.tree_at(lambda sets: sets.rows, sets, sets.rows - rate * updates), state


@eqx.filter_jit
def _errors(sets, asked):
    return jax.lax.map(lambda rows: _each(sets, rows, asked), sets.rows)


@eqx.filter_jit
def _weights(sets, rows):
    memory = _memory(sets, sets.rows[0])
    share = jnp.ones((), rows.dtype) / sets.steps
    ends = filled_in(memory, rows, jnp.ones(rows.shape, bool), rows, share, sets.steps)
    return jax.vmap(lambda end: memory.separation(memory.state_scores(end), memory.filled))(ends)


def _as_wide(asked: Masked, sets: Centres, count: int) -> Masked:
    """Rows as wide as centres are, and as many as a program takes."""
    return Masked(*(fill_up(x, count, sets.rows.shape[2]) for x in asked))
