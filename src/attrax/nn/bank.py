"""`Bank`: rows that a network writes and reads again, without a gradient to those who wrote."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from ..common.arithmetic import accumulate
from ..common.checks import as_array, as_floats, is_concrete, whole_number
from ..separation import AbstractSeparation, Softmax
from ..similarity import AbstractSimilarity, Dot
from ..stores.checks import check_domain
from ..stores.rows import Memory
from . import bank_reads
from .bank_reads import BankReading


class Bank(eqx.Module):
    """Pairs of keys and values of H heads, in M places that are written one after another.

    A write fills the next places, and when all are full those of the oldest rows. A row stays in
    the place where it was written, which is its index in every search. Gradients stop at what is
    written; they flow to the queries.

    ```python
    bank = Bank(65_536, 64, heads=8)
    bank = bank.write(keys, values)                    # (8, T, 64) each
    read = bank.read(queries, TopK(32, Softmax(β)))    # (8, S, 64): the 32 best of each query
    read.value                                         # (8, S, 64)
    ```

    A bank is one example's: `jax.vmap` makes one for each of a batch. Under `jax.jit` a write takes
    the same time for any M if the bank is donated, and so it does inside `jax.lax.scan`; elsewhere
    the bank is copied.

    **Arguments:**

    - `capacity`: M, the number of places.
    - `key_size`: z, entries of a key.
    - `value_size`: v, entries of a value; None stores keys alone, which are then their own values.
    - `heads`: H.
    - `dtype`: of what is stored; float32 if `None`.

    **Raises:** `ValueError` for sizes that are not positive whole numbers.

    **Source:** [wu2022memorizing]
    """

    keys: Float[Array, "h m z"]
    values: Float[Array, "h m v"] | None
    place: Int[Array, ""]
    count: Int[Array, ""]

    def __init__(
        self,
        capacity: int,
        key_size: int,
        value_size: int | None = None,
        *,
        heads: int = 1,
        dtype=None,
    ):
        shape = whole_number("heads", heads), whole_number("capacity", capacity)
        dtype = jnp.dtype(jnp.float32 if dtype is None else dtype)
        if not jnp.issubdtype(dtype, jnp.floating):
            raise ValueError(f"`dtype` must be a floating-point type, but it is {dtype}.")
        self.keys = jnp.zeros((*shape, whole_number("key_size", key_size)), dtype)
        self.values = None
        if value_size is not None:
            self.values = jnp.zeros((*shape, whole_number("value_size", value_size)), dtype)
        # Two arrays, as one cannot be donated twice.
        self.place, self.count = jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32)

    @property
    def capacity(self) -> int:
        """M, the number of places."""
        return self.keys.shape[1]

    @property
    def heads(self) -> int:
        """H, the number of heads."""
        return self.keys.shape[0]

    @property
    def ages(self) -> Int[Array, " m"]:
        """How many rows were written after that of each place, shape (M,); 0 is the newest."""
        return (self.place - 1 - jnp.arange(self.capacity, dtype=jnp.int32)) % self.capacity

    @property
    def filled(self) -> Bool[Array, " m"]:
        """Which places hold rows, shape (M,)."""
        return self.ages < self.count

    def write(
        self, keys: ArrayLike, values: ArrayLike | None = None, *, count: ArrayLike | None = None
    ) -> "Bank":
        """A bank that also holds these rows, the last being the newest.

        **Arguments:**

        - `keys`: shape (H, T, z).
        - `values`: shape (H, T, v); for a bank that has values.
        - `count`: how many of the T rows are written, the first of them; all if `None`. It may be
          traced, so that writes of different sizes share a program.

        **Returns:** a `Bank`. Of more than M rows the last M are kept.

        **Raises:** `ValueError` for wrong shapes, or a `count` beyond T.
        """
        keys = stored("keys", keys, self.keys)
        if (values is None) != (self.values is None):
            raise ValueError(
                "`values` are needed, as this bank has some."
                if values is None
                else "`values` are given, but this bank has none; make it with a `value_size`."
            )
        rows = keys.shape[1]
        count = _counted(count, rows)
        worth = None
        if values is not None:
            worth = stored("values", values, self.values)
            if worth.shape[1] != rows:
                raise ValueError(
                    f"`values` must have one row a key, {rows}, but have {worth.shape[1]}."
                )
        return bank_reads.written(self, keys, worth, count)

    def clear(self, when: Any = True) -> "Bank":
        """A bank without rows, such as at the start of a document.

        **Arguments:**

        - `when`: whether to clear; it may be traced.

        **Returns:** a `Bank`; what was stored is no longer read, and is written over.
        """
        when = as_array("when", when)
        if when.shape != () or when.dtype != bool:
            raise ValueError(f"`when` must be one True or False, but it is {when!r}.")
        zero = jnp.zeros((), jnp.int32)
        place, count = jnp.where(when, zero, self.place), jnp.where(when, zero, self.count)
        return bank_reads.changed(self, self.keys, self.values, place, count)

    def oldest(self, rows: int) -> tuple["Bank", Bool[Array, " n"]]:
        """The rows that the next write of so many rows covers, oldest first.

        **Arguments:**

        - `rows`: n, how many; at most M.

        **Returns:** a `Bank` of n places that holds them in order, and which of the n are rows,
        shape (n,): in a bank that is not full those places are empty.

        **Raises:** `ValueError` for more rows than the bank has.
        """
        if whole_number("rows", rows) > self.capacity:
            raise ValueError(
                f"`rows` must be at most the capacity, {self.capacity}, but it is {rows}."
            )
        places = (self.place + jnp.arange(rows, dtype=jnp.int32)) % self.capacity
        there = self.filled[places]
        values = None if self.values is None else self.values[:, places]
        held = jnp.sum(there, dtype=jnp.int32)
        taken = bank_reads.changed(
            self, self.keys[:, places], values, jnp.zeros((), jnp.int32), held
        )
        return taken, there

    def nearest(
        self, queries: ArrayLike, k: int, *, chunk: int = 1
    ) -> tuple[Int[Array, "h s k"], Bool[Array, "h s k"]]:
        """Places of the rows with the largest q·k, and which of them hold rows.

        **Arguments:**

        - `queries`: shape (H, S, z).
        - `k`: how many rows of each query; all if fewer are stored.
        - `chunk`: c, of how many rows written together the mean is compared; k/c groups of c rows
          are found. Groups stand at multiples of c, and one that is not full takes no part.

        **Returns:** places, shape (H, S, k), best first, and whether a row is there; places
        where none is must not be used.

        **Raises:** `ValueError` for wrong shapes, or where `k` or M is not a multiple of `chunk`.
        """
        queries = asked(self.keys, queries)
        k, chunk = min(whole_number("k", k), self.capacity), whole_number("chunk", chunk)
        if k % chunk or self.capacity % chunk:
            raise ValueError(
                f"`k` and the capacity must be multiples of `chunk`, {chunk}, but they are {k} and "
                f"{self.capacity}."
            )
        return bank_reads.nearest(self, queries, k, chunk)

    def read(
        self,
        queries: ArrayLike,
        separation: AbstractSeparation | None = None,
        *,
        similarity: AbstractSimilarity | None = None,
        candidates: ArrayLike | None = None,
    ) -> BankReading:
        """What queries read of the rows: Σ sep(sim(keys, q)) · values.

        **Arguments:**

        - `queries`: shape (H, S, z).
        - `separation`: such as `TopK(32, Softmax(β))` for the 32 best rows; `Softmax()` of all
          rows if `None`.
        - `similarity`: of keys and queries; `Dot()` if `None`.
        - `candidates`: places of the rows that are read by each query instead of all, shape
          (H, S, c) or (S, c), from `nearest` or an index of your own; −1 for none.

        **Returns:** a `BankReading`.

        **Raises:** `ValueError` for wrong shapes or places; `TypeError` for parts that are not
        attrax's.
        """
        queries = asked(self.keys, queries)
        separation = Softmax() if separation is None else separation
        _check_parts(Dot() if similarity is None else similarity, separation)
        places = None
        if candidates is not None:
            places = _places(self, candidates, queries.shape[1])
        return bank_reads.read(self, queries, separation, similarity, places)

    def memory(self, head: int = 0, **options: Any) -> Memory:
        """One head as an `attrax.Memory` of its rows, with `options` such as a separation."""
        if whole_number("head", head, 0) >= self.heads:
            raise ValueError(f"`head` must be below {self.heads}, but it is {head}.")
        values = None if self.values is None else self.values[head]
        options = {"similarity": Dot(), "separation": Softmax(), **options}
        return Memory(self.keys[head], values, filled=self.filled, **options)


def stored(name: str, rows, like):
    """Rows in the type of those stored, without a gradient."""
    rows = as_floats(name, rows, ndim=3)
    if (rows.shape[0], rows.shape[2]) != (like.shape[0], like.shape[2]):
        raise ValueError(
            f"`{name}` must have shape ({like.shape[0]}, rows, {like.shape[2]}), but its shape is "
            f"{rows.shape}."
        )
    return jax.lax.stop_gradient(rows.astype(like.dtype))


def _counted(count, rows) -> Int[Array, ""]:
    if count is None:
        return jnp.asarray(rows, jnp.int32)
    count = as_array("count", count)
    if count.shape != () or not jnp.issubdtype(count.dtype, jnp.integer):
        raise ValueError(f"`count` must be one whole number, but it is {count!r}.")
    if is_concrete(count) and not 0 <= int(count) <= rows:
        raise ValueError(f"`count` must be from 0 to the rows given, {rows}, but it is {count}.")
    return jnp.clip(count.astype(jnp.int32), 0, rows)


def asked(keys, queries) -> Float[Array, "h s z"]:
    """Queries of the shape that keys have, in at least 32 bits."""
    queries = as_floats("queries", queries, ndim=3)
    heads, _, size = keys.shape
    if (queries.shape[0], queries.shape[2]) != (heads, size):
        raise ValueError(
            f"`queries` must have shape ({heads}, queries, {size}), but their shape is "
            f"{queries.shape}." + (" For a batch, use jax.vmap." if queries.ndim > 3 else "")
        )
    return queries.astype(jnp.promote_types(queries.dtype, accumulate(keys.dtype)))


def _places(bank: Bank, candidates, queries: int) -> Int[Array, "h s c"]:
    places = as_array("candidates", candidates)
    if not jnp.issubdtype(places.dtype, jnp.integer):
        raise ValueError(
            f"`candidates` must be places, whole numbers, but their type is {places.dtype}."
        )
    if places.ndim not in (2, 3) or places.shape[:-1] not in (
        (queries,),
        (bank.heads, queries),
    ):
        raise ValueError(
            f"`candidates` must have shape ({bank.heads}, {queries}, rows) or ({queries}, rows), "
            f"but their shape is {places.shape}."
        )
    if is_concrete(places) and places.size:
        found = np.asarray(places)
        if found.max() >= bank.capacity or found.min() < -1:
            raise ValueError(
                f"`candidates` must be places from 0 to {bank.capacity - 1}, or −1 for none, but "
                f"they reach from {found.min()} to {found.max()}."
            )
    places = jnp.broadcast_to(places.astype(jnp.int32), (bank.heads, queries, places.shape[-1]))
    empty = ~bank.filled[jnp.clip(places, 0, bank.capacity - 1)] | (places >= bank.capacity)
    return jnp.where(empty, -1, places)


def _check_parts(similarity, separation) -> None:
    for name, part, kind in (
        ("separation", separation, AbstractSeparation),
        ("similarity", similarity, AbstractSimilarity),
    ):
        if not isinstance(part, kind):
            raise TypeError(
                f"`{name}` must be one of attrax.{name}, but it is {type(part).__name__}."
            )
    check_domain(similarity, separation)
