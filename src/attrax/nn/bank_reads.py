"""What a `Bank` does: write, search, read."""

from typing import TYPE_CHECKING, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..common.arithmetic import accumulate, products
from ..separation import AbstractSelective
from ..separation.attention import attend
from ..separation.fold import Query, Reading, Rows, fold
from ..separation.selection import best
from ..similarity import Dot

if TYPE_CHECKING:
    from .bank import Bank

# So many scores are held at a time, 4 MiB, but never those of fewer queries than these.
_SCORES, _QUERIES = 1 << 20, 32


class BankReading(NamedTuple):
    """What queries read of a bank, head by head.

    - `value` (H, S, v): Σ w value; zero where no row takes part.
    - `potential` (H, S): Φ of the scores; −∞ where no row takes part, NaN where the separation has
      no potential.
    """

    value: Float[Array, "h s v"]
    potential: Float[Array, "h s"]


@eqx.filter_jit
def written(bank: "Bank", keys, values, count) -> "Bank":
    """The first `count` rows in the next places."""
    step = jnp.arange(keys.shape[1], dtype=jnp.int32)
    # What a later row of the same write would cover is left out, as scatter has no order.
    kept = (step < count) & (step >= count - bank.capacity)
    places = jnp.where(kept, (bank.place + step) % bank.capacity, bank.capacity)
    new = bank.keys.at[:, places].set(keys, mode="drop")
    worth = None
    if bank.values is not None:
        worth = bank.values.at[:, places].set(values, mode="drop")
    held = jnp.minimum(bank.count + jnp.minimum(count, bank.capacity), bank.capacity)
    return changed(bank, new, worth, (bank.place + count) % bank.capacity, held)


@eqx.filter_jit
def nearest(bank: "Bank", queries, k: int, chunk: int):
    """Places of the best groups, and whether they are full."""
    keys, filled = bank.keys, bank.filled
    if chunk > 1:
        keys = keys.reshape(bank.heads, -1, chunk, keys.shape[-1])
        keys = jnp.mean(keys, axis=2, dtype=accumulate(keys.dtype))
        filled = jnp.all(filled.reshape(-1, chunk), axis=1)

    def one(queries, keys):
        return _by_query(
            lambda query: best(products(keys, query), filled, k // chunk), queries, keys
        )

    index, there = jax.lax.stop_gradient(_by_head(one, queries, keys))
    if chunk == 1:
        return index, there
    shape = (*index.shape[:2], -1)
    places = index[..., None] * chunk + jnp.arange(chunk, dtype=jnp.int32)[None, None, None]
    return places.reshape(shape), jnp.repeat(there, chunk, axis=-1)


@eqx.filter_jit
def read(bank: "Bank", queries, separation, similarity, places) -> BankReading:
    """What queries read of all rows, or of those in some places."""
    plain = similarity is None
    similarity = Dot() if similarity is None else similarity
    if places is not None:
        return _read_places(bank, queries, separation, similarity, places, places >= 0)
    if isinstance(separation, AbstractSelective) and plain:
        # What is not among the best has no part in the derivative: only these are read again.
        found = nearest(bank, queries, min(separation.k, bank.capacity), 1)
        return _read_places(bank, queries, separation, similarity, *found)

    def one(queries, keys, values):
        if plain:
            read = attend(separation, queries, keys, values, filled=bank.filled)
            return BankReading(read.value, read.potential)
        rows = Rows(keys, values, bank.filled)
        found = _by_query(lambda query: _fold(separation, similarity, query, rows), queries, keys)
        return BankReading(found.value, found.potential)

    return _by_head(one, queries, bank.keys, bank.values)


def _read_places(bank: "Bank", queries, separation, similarity, places, there) -> BankReading:
    """What each query reads of the rows in some places."""
    index = jnp.maximum(places, 0)
    taken = jax.vmap(lambda rows, index: rows[index])
    keys = taken(bank.keys, index)
    values = None if bank.values is None else taken(bank.values, index)
    return _read_rows(separation, similarity, queries, keys, values, there)


@eqx.filter_jit
def read_gathered(separation, queries, keys, values, there) -> BankReading:
    """What each query reads of rows of its own by their products, shape (H, S, k, z)."""
    return _read_rows(separation, Dot(), queries, keys, values, there)


def _read_rows(separation, similarity, queries, keys, values, there) -> BankReading:
    def one(query, keys, values, there):
        found = _fold(separation, similarity, query, Rows(keys, values, there))
        return BankReading(found.value, found.potential)

    return jax.vmap(jax.vmap(one))(queries, keys, values, there)


def _by_query(function, queries, keys):
    """A function of each query, as many at a time as the scores of may be held."""
    together = min(max(_QUERIES, _SCORES // keys.shape[0]), queries.shape[0])
    return jax.lax.map(function, queries, batch_size=together)


def _fold(separation, similarity, query, rows) -> Reading:
    return fold(separation, Query(similarity, query, None), rows)


def _by_head(function, *inputs):
    """A function of each head in turn, so that a CPU has the rows of one in its cache."""
    return jax.lax.map(lambda parts: function(*parts), inputs)


def changed(bank: "Bank", keys, values, place, count) -> "Bank":
    """A bank that holds these rows."""
    return eqx.tree_at(
        lambda bank: (bank.keys, bank.values, bank.place, bank.count),
        bank,
        (keys, values, place, count),
        is_leaf=lambda leaf: leaf is None,
    )
