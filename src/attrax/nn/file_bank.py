"""`FileBank`: a bank whose rows lie in files, for more of them than memory holds."""

import json
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from ..common.checks import FileFormatError, whole_number
from ..separation import AbstractSelective, AbstractSeparation, Softmax
from ..separation.attention import attend, is_softmax
from . import bank_reads
from .bank import Bank, asked, stored
from .bank_reads import BankReading

_STATE = "bank.json"


class FileBank:
    """Pairs of keys and values in M places of a folder's files, written and read as a `Bank` is.

    Rows pass through memory a block at a time, through the same read as those of a `Bank`. It is
    changed in place, by one process at a time, and works outside `jax.jit`; gradients do not flow
    through it. A write that is cut off, whenever that is, loses its own rows and those that it
    began to cover, and none else: all that are read are whole.

    ```python
    bank = FileBank("rows", 10_000_000, 64, heads=8)    # makes the folder, or opens it
    bank.write(keys, values)
    read = bank.read(queries, TopK(32, Softmax(β)))
    ```

    **Arguments:**

    - `path`: a folder; it is made if it is not there, and else opened.
    - `capacity`, `key_size`, `value_size`, `heads`, `dtype`: as of `Bank`. All but the path may be
      left out where the folder is there, and must fit it where they are given.
    - `block`: rows that are in memory at a time, a head.

    **Raises:** `ValueError` for sizes that do not fit; `FileNotFoundError` without a capacity where
    there is no folder; `FileFormatError` for a folder of another kind.

    **Source:** [wu2022memorizing]
    """

    def __init__(
        self,
        path: str | os.PathLike,
        capacity: int | None = None,
        key_size: int | None = None,
        value_size: int | None = None,
        *,
        heads: int | None = None,
        dtype=None,
        block: int = 1 << 16,
    ):
        self.path, self.block = Path(path), whole_number("block", block)
        if not self.path.exists():
            if capacity is None or key_size is None:
                raise FileNotFoundError(
                    f"There is no folder {self.path}; give a `capacity` and a `key_size` to make "
                    "one."
                )
            self._make(capacity, key_size, value_size, heads, dtype)
        self.place, self.count = self._state()
        self._keys = self._mapped("keys.npy")
        named = self.path / "values.npy"
        self._values = self._mapped("values.npy") if named.exists() else None
        own = {
            "heads": self._keys.shape[0],
            "capacity": self._keys.shape[1],
            "key_size": self._keys.shape[2],
            "value_size": None if self._values is None else self._values.shape[2],
        }
        given = {
            "heads": heads,
            "capacity": capacity,
            "key_size": key_size,
            "value_size": value_size,
        }
        for name, value in given.items():
            if value is not None and value != own[name]:
                raise ValueError(
                    f"`{name}` is {value}, but the bank in {self.path} has {own[name]}."
                )

    @property
    def capacity(self) -> int:
        """M, the number of places."""
        return self._keys.shape[1]

    def write(self, keys: ArrayLike, values: ArrayLike | None = None) -> None:
        """Write rows into the next places, the last being the newest; see `Bank.write`.

        **Arguments:**

        - `keys`: shape (H, T, z).
        - `values`: shape (H, T, v); for a bank that has values.

        **Raises:** `ValueError` for wrong shapes.
        """
        rows = np.asarray(stored("keys", keys, self._keys))
        if (values is None) != (self._values is None):
            raise ValueError("`values` must be given for a bank that has some, and only for one.")
        worth = None if values is None else np.asarray(stored("values", values, self._values))
        count = rows.shape[1]
        if worth is not None and worth.shape[1] != count:
            raise ValueError(
                f"`values` must have one row a key, {count}, but have {worth.shape[1]}."
            )
        kept = min(count, self.capacity)
        places = (self.place + np.arange(count - kept, count)) % self.capacity
        # What is about to be covered is given up before it is.
        self._commit(self.place, min(self.count, self.capacity - kept))
        self._keys[:, places] = rows[:, count - kept :]
        self._keys.flush()
        if worth is not None and self._values is not None:
            self._values[:, places] = worth[:, count - kept :]
            self._values.flush()
        self._commit((self.place + count) % self.capacity, self.count + kept)

    def clear(self) -> None:
        """Forget all rows."""
        self._commit(0, 0)

    def read(self, queries: ArrayLike, separation: AbstractSeparation | None = None) -> BankReading:
        """What queries read of the rows; see `Bank.read`.

        **Arguments:**

        - `queries`: shape (H, S, z).
        - `separation`: a softmax, or the best k of one; `Softmax()` if `None`.

        **Returns:** a `BankReading`.

        **Raises:** `ValueError` for wrong shapes; `TypeError` for other separations.
        """
        queries = asked(self._keys, queries)
        separation = Softmax() if separation is None else separation
        if isinstance(separation, AbstractSelective):
            return self._read_best(queries, separation)
        if not is_softmax(separation):
            raise TypeError(
                "`separation` of a FileBank must be a Softmax or TopK(k, ...), but it is "
                f"{type(separation).__name__}; `load` gives a Bank, which takes any."
            )
        empty = -jnp.inf * jnp.ones(queries.shape[:2], queries.dtype)
        value = jnp.zeros((*queries.shape[:2], self._row_values.shape[2]), queries.dtype)
        total = BankReading(value, empty)
        for keys, values, filled, _ in self._blocks():
            total = _merged(separation, total, _softmax(separation, queries, keys, values, filled))
        return total

    def nearest(self, queries: ArrayLike, k: int) -> tuple[Int[Array, "h s k"], Array]:
        """Places of the rows with the largest q·k, best first; see `Bank.nearest`."""
        queries = asked(self._keys, queries)
        k = min(whole_number("k", k), self.capacity)
        shape = (*queries.shape[:2], k)
        places, scores = jnp.full(shape, -1, jnp.int32), jnp.full(shape, -jnp.inf, queries.dtype)
        for keys, _, filled, begin in self._blocks():
            places, scores = _best(queries, keys, filled, begin, places, scores)
        return places, places >= 0

    def load(self) -> Bank:
        """A `Bank` in memory of the same rows."""
        heads, capacity, size = self._keys.shape
        width = None if self._values is None else self._values.shape[2]
        bank = Bank(capacity, size, width, heads=heads, dtype=self._keys.dtype)
        values = None if self._values is None else jnp.asarray(self._values)
        place, count = (jnp.asarray(x, jnp.int32) for x in (self.place, self.count))
        return bank_reads.changed(bank, jnp.asarray(self._keys), values, place, count)

    @property
    def _row_values(self):
        return self._keys if self._values is None else self._values

    def _read_best(self, queries, separation) -> BankReading:
        places, there = self.nearest(queries, separation.k)
        index = np.maximum(np.asarray(places), 0)
        heads = np.arange(index.shape[0])[:, None, None]
        keys, values = (jnp.asarray(rows[heads, index]) for rows in (self._keys, self._row_values))
        return bank_reads.read_gathered(separation, queries, keys, values, there)

    def _blocks(self):
        """Keys, values and which are there, of some places at a time, and the first of them."""
        ages = (self.place - 1 - np.arange(self.capacity)) % self.capacity
        for begin in range(0, self.capacity, self.block):
            part = slice(begin, begin + self.block)
            filled = ages[part] < self.count
            if filled.any():
                yield self._keys[:, part], self._row_values[:, part], filled, begin

    def _make(self, capacity, key_size, value_size, heads, dtype):
        shape = (
            whole_number("heads", 1 if heads is None else heads),
            whole_number("capacity", capacity),
        )
        sizes = {"keys.npy": whole_number("key_size", key_size)}
        if value_size is not None:
            sizes["values.npy"] = whole_number("value_size", value_size)
        dtype = np.dtype(np.float32 if dtype is None else dtype)
        if dtype not in (np.float32, np.float64, np.float16):
            raise ValueError(f"`dtype` must be float16, float32 or float64, but it is {dtype}.")
        self.path.mkdir(parents=True)
        for name, size in sizes.items():
            np.lib.format.open_memmap(self.path / name, "w+", dtype, (*shape, size)).flush()
        self._commit(0, 0)

    def _mapped(self, name: str) -> np.memmap:
        try:
            found = np.load(self.path / name, mmap_mode="r+", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise FileFormatError(f"{self.path / name} is no file of a bank: {error}.") from error
        if found.ndim != 3 or found.dtype.kind != "f":
            raise FileFormatError(f"{self.path / name} is no file of a bank.")
        return found

    def _state(self) -> tuple[int, int]:
        try:
            state = json.loads((self.path / _STATE).read_text(encoding="utf-8"))
            return int(state["place"]), int(state["count"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FileFormatError(f"{self.path} is no folder of a bank: {error}.") from error

    def _commit(self, place: int, count: int) -> None:
        """Say what is there: at once, or not at all."""
        new = self.path / f".{_STATE}.new"
        with new.open("w", encoding="utf-8") as file:
            json.dump({"place": int(place), "count": int(count)}, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path / _STATE)
        self.place, self.count = int(place), int(count)


@jax.jit
def _softmax(separation, queries, keys, values, filled) -> BankReading:
    read = jax.vmap(lambda q, k, v: attend(separation, q, k, v, filled=filled))(
        queries, keys, values
    )
    return BankReading(read.value.astype(queries.dtype), read.potential)


@jax.jit
def _merged(separation, old: BankReading, new: BankReading) -> BankReading:
    """The read of all rows of two parts, from the reads of each."""
    highest = jnp.maximum(old.potential, new.potential)
    level = jnp.where(jnp.isfinite(highest), highest, 0.0)
    beta = separation.beta.astype(level.dtype)
    masses = [jnp.exp(beta * (part.potential - level)) for part in (old, new)]
    total = masses[0] + masses[1]
    share = jnp.where(total > 0, masses[1] / jnp.where(total > 0, total, 1.0), 0.0)[..., None]
    value = (1 - share) * old.value + share * new.value
    return BankReading(value, level + jnp.log(total) / beta)


@jax.jit
def _best(
    queries, keys, filled, begin, places, scores
) -> tuple[Int[Array, "..."], Float[Array, "..."]]:
    """The best of those so far and of a block."""
    new = jnp.einsum("hsz,hnz->hsn", queries, keys.astype(queries.dtype))
    new = jnp.where(filled[None, None], new, -jnp.inf)
    both = jnp.concatenate([scores, new], axis=-1)
    own = jnp.broadcast_to(
        begin + jnp.arange(new.shape[-1], dtype=jnp.int32)[None, None], new.shape
    )
    index = jax.lax.top_k(both, scores.shape[-1])
    named = jnp.take_along_axis(jnp.concatenate([places, own], axis=-1), index[1], axis=-1)
    return jnp.where(jnp.isfinite(index[0]), named, -1), index[0]
