"""Reads of rows with gaps by rows with gaps, compared by what both have."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ..separation import Softmax
from .filling import fill_up, next_power, next_size

# So many queries run together.
_QUERIES = 256


class Donors(eqx.Module):
    """Rows and which of their entries are known, filled up, both of shape (n, d)."""

    rows: Float[Array, "n d"]
    known: Float[Array, "n d"]


def donors(rows: np.ndarray, known: np.ndarray) -> Donors:
    """Rows (n, d) and a mask, in shapes of which there are few."""
    shape = next_size(len(rows)), next_power(rows.shape[1], 4)
    filled = np.where(known, rows, 0.0).astype(np.float32)
    return Donors(*(jnp.asarray(fill_up(x, *shape)) for x in (filled, known.astype(np.float32))))


class Feature(eqx.Module):
    """What is read of one feature.

    - `values` (n,): what each row has there.
    - `takes_part` (n,): which rows have it.
    - `relevance` (d,): how much a difference of each other feature counts.
    """

    values: Float[Array, " n"]
    takes_part: Bool[Array, " n"]
    relevance: Float[Array, " d"]


def feature(stored: Donors, values, takes_part, relevance) -> Feature:
    """Values (n,), a mask (n,) and weights (d,), filled up as the rows are."""
    count, width = stored.rows.shape
    parts = fill_up(values.astype(np.float32), count), fill_up(takes_part, count)
    return Feature(*map(jnp.asarray, (*parts, fill_up(relevance.astype(np.float32), width))))


def read(stored: Donors, part: Feature, rows, known, betas, leave_out=None) -> np.ndarray:
    """What rows (q, d) read of a feature at every beta, shape (b, q); zero where none compares.

    **Arguments:**

    - `stored`, `part`: what is read.
    - `rows`, `known`: the queries, and which of their entries are compared.
    - `betas`: inverse temperatures (b,).
    - `leave_out`: which stored row each query must not read, shape (q,); none if `None`.
    """
    found = [
        np.asarray(_read(stored, part, *each, np.asarray(betas, np.float32)), np.float64)
        for each in _parts(stored, rows, known, leave_out)
    ]
    return np.concatenate(found, axis=1)[:, : len(rows)]


def attend(stored: Donors, part: Feature, rows, known, beta: float) -> np.ndarray:
    """The weights of all rows for queries (q, d), those that are filled up too: (q, n)."""
    found = [
        np.asarray(_attend(stored, part, *each, np.float32(beta)), np.float64)
        for each in _parts(stored, rows, known, None)
    ]
    return np.concatenate(found)[: len(rows)]


def _parts(stored, rows, known, leave_out):
    left = np.full(len(rows), -1) if leave_out is None else leave_out
    for begin in range(0, len(rows), _QUERIES):
        part = slice(begin, begin + _QUERIES)
        filled = np.where(known[part], rows[part], 0.0).astype(np.float32)
        shape = _QUERIES, stored.rows.shape[1]
        masks = known[part].astype(np.float32)
        yield fill_up(filled, *shape), fill_up(masks, *shape), fill_up(left[part], _QUERIES)


def _scores(stored, part, row, known, leave_out):
    """−½ the mean squared difference of what both have, and which rows are compared."""
    weight = part.relevance * known
    squares = (
        stored.known @ (weight * row * row)
        - 2 * (stored.rows @ (weight * row))
        + (stored.rows * stored.rows) @ weight
    )
    shared = stored.known @ weight
    own = jnp.arange(shared.shape[0]) == leave_out
    compared = part.takes_part & (shared > 0) & ~own
    return -0.5 * jnp.maximum(squares, 0.0) / jnp.where(shared > 0, shared, 1.0), compared


@eqx.filter_jit
def _read(stored, part, rows, known, leave_out, betas):
    each = jax.vmap(_scores, in_axes=(None, None, 0, 0, 0))
    scores, compared = each(stored, part, rows, known, leave_out)
    return jax.lax.map(lambda beta: jax.vmap(Softmax(beta))(scores, compared) @ part.values, betas)


@eqx.filter_jit
def _attend(stored, part, rows, known, leave_out, beta):
    each = jax.vmap(_scores, in_axes=(None, None, 0, 0, 0))
    scores, compared = each(stored, part, rows, known, leave_out)
    return jax.vmap(Softmax(beta))(scores, compared)
