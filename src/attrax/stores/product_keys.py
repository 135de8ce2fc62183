"""Product keys: a memory of all pairs of two tables' rows, read by the k best of them."""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from ..common.arithmetic import accumulate, products, weighted
from ..common.checks import NoEnergyError, as_floats, is_floats, shape_of
from ..common.display import facts
from ..separation import AbstractSelective
from ..separation.fold import Reading as FoldReading
from ..separation.selection import best
from ..similarity import Dot
from ..spaces.base import Answer, Measured, Reading
from ..spaces.store import AbstractStore
from .rows import Memory


class ProductKeyMemory(AbstractStore):
    """A memory whose keys are all pairs (a_i, b_j) of rows of two tables: n m keys of n + m rows.

    The score of a key is the sum of two, s_ij = a_i·q_a + b_j·q_b, so the k best keys are among the
    pairs of the k best rows of either table: (n + m) d/2 products and k² sums find what scores of
    all n m keys would, exactly. The read is that of `Memory` under the same separation.

    ```python
    memory = attrax.models.ProductKeyMemory(
        first, second, values, separation=TopK(32, Softmax(1.0))
    )
    memory(query)                 # a million keys of two tables of a thousand rows
    memory.support(query)         # which keys, and how much they weigh
    ```

    It is a store of its own and no separation of a `Memory`: a memory passes over keys that are
    there, and here they never are. Any separation of the best scores alone will do.

    **Arguments:**

    - `first`: a, shape (n, d_a).
    - `second`: b, shape (m, d_b), d = d_a + d_b.
    - `values`: what is read, shape (n m, v), that of key (i, j) at i m + j. It is read once; with
      `None` the keys are read, and can be read again.
    - `separation`: a separation of the best scores alone, `TopK(k, Softmax(beta))` or `Max()`.

    **Raises:** `ValueError` for wrong shapes, NaN or empty tables; `TypeError` for a separation
    that weighs all scores.

    **Source:** [lample2019large]
    """

    first: Float[Array, "n a"]
    second: Float[Array, "m b"]
    values: Float[Array, "nm v"] | None
    separation: AbstractSelective
    units: ClassVar = "real"

    def __init__(
        self,
        first: ArrayLike,
        second: ArrayLike,
        values: ArrayLike | None = None,
        *,
        separation: AbstractSelective,
    ):
        self.first = as_floats("first", first, ndim=2)
        self.second = as_floats("second", second, ndim=2, dtype=self.first.dtype)
        for name, table in (("first", self.first), ("second", self.second)):
            if table.size == 0:
                raise ValueError(f"`{name}` is empty: its shape is {table.shape}.")
        if len(self) >= 1 << 31:
            raise ValueError(f"{len(self)} keys are more than the 2³¹ − 1 that indices can count.")
        self.values = None
        if values is not None:
            self.values = as_floats("values", values, ndim=2, dtype=self.first.dtype)
            if self.values.shape[0] != len(self) or self.values.size == 0:
                raise ValueError(
                    f"`values` must have a row for each of {len(self.first)} · {len(self.second)} "
                    f"= {len(self)} keys, but their shape is {self.values.shape}."
                )
        if not isinstance(separation, AbstractSelective):
            raise TypeError(
                "`separation` must weigh the best scores alone, such as TopK(32, Softmax(1.0)) or "
                f"Max(), but it is {type(separation).__name__}."
            )
        if separation.domain != "signed":
            raise ValueError(
                f"{separation!r} is defined for {separation.domain} scores, and those of products "
                "are signed; use TopK(k, Softmax(beta))."
            )
        self.separation = separation

    def check_loaded(self) -> None:
        """Refuse fields that do not fit together, as a file may describe them.

        **Raises:** `ValueError` that says so.
        """
        fits = (
            isinstance(self.separation, AbstractSelective)
            and is_floats(self.first, None, None)
            and is_floats(self.second, None, None)
            and self.first.dtype == self.second.dtype
            and (self.values is None or is_floats(self.values, len(self), None))
        )
        if not fits:
            raise ValueError("its fields make no memory of product keys")

    @property
    def width(self) -> int:
        """d, the number of entries of a query: those for the first table, then for the second."""
        return self.first.shape[1] + self.second.shape[1]

    @property
    def dtype(self) -> jnp.dtype:
        """The floating-point type of the tables; queries are brought to it."""
        return self.first.dtype

    @property
    def recurrent(self) -> bool:
        """Whether what is read is a key again."""
        return self.values is None

    @property
    def lacks_energy(self) -> str | None:
        """Why no energy is known to descend; `None` where keys are what is read."""
        if self.values is not None:
            return "What is read are values and not keys, so nothing descends; leave out `values`."
        return self.separation.lacks_potential

    def __len__(self) -> int:
        """How many keys there are, n m."""
        return self.first.shape[0] * self.second.shape[0]

    def __call__(self, query: ArrayLike) -> Float[Array, " v"]:
        """Exactly one read: Σ w value over the best keys.

        **Arguments:**

        - `query`: shape (d,).

        **Returns:** what is read, shape (v,), or (d,) where there are no values.

        **Raises:** `ValueError` for a wrong shape.
        """
        return _call(self, self._query(query))

    def support(self, query: ArrayLike) -> tuple[Int[Array, " k"], Float[Array, " k"]]:
        """The indices i m + j of the k best keys, the best first, and their weights."""
        return _support(self, self._query(query))

    def energy(self, query: ArrayLike) -> Float[Array, ""]:
        """E(v) = ½|v|² − Φ(s(v)), which a read never raises.

        **Raises:** `NoEnergyError` where that is not so; the reason is `lacks_energy`.
        """
        if self.lacks_energy is not None:
            raise NoEnergyError(self.lacks_energy)
        return _energy(self, self._query(query))

    def as_memory(self) -> Memory:
        """The same memory with all n m keys there, for tables that are small."""
        count, others = self.first.shape[0], self.second.shape[0]
        pairs = jnp.repeat(self.first, others, axis=0), jnp.tile(self.second, (count, 1))
        keys = jnp.concatenate(pairs, axis=1)
        return Memory(keys, self.values, similarity=Dot(), separation=self.separation)

    def read(
        self, state: Float[Array, " d"], known: Bool[Array, " d"] | None = None
    ) -> FoldReading:
        """One pass over both tables: value, potential, mass.

        **Arguments:**

        - `state`: shape (d,).
        - `known`: the entries that are compared, shape (d,); all if `None`.
        """
        index, weights, potential = self.chosen(state, known)
        if self.values is not None:
            value = weighted(weights, self.values[index])
        else:
            rows = jnp.divmod(index, self.second.shape[0])
            tables = zip((self.first, self.second), rows, strict=True)
            value = jnp.concatenate([weighted(weights, table[row]) for table, row in tables])
        squares = jnp.sum(jnp.square(weights))
        mass = jnp.sum(weights)
        effective = jnp.where(squares == 0, 0.0, mass**2 / jnp.where(squares == 0, 1.0, squares))
        return FoldReading(value.astype(self.dtype), potential, mass, effective, index[0])

    def chosen(self, state: Float[Array, " d"], known: Bool[Array, " d"] | None = None):
        """Indices and weights of the k best keys, the best first, and the potential."""
        if known is not None:
            state = jnp.where(known, state, 0.0)
        parts = jnp.split(state, [self.first.shape[1]])
        scores = [
            products(table, part)
            for table, part in zip((self.first, self.second), parts, strict=True)
        ]
        k, others = min(self.separation.k, len(self)), self.second.shape[0]
        # The smaller index first, so that keys that tie stand in order.
        rows = [jnp.sort(best(each, None, k)[0]) for each in scores]
        pairs = (scores[0][rows[0]][:, None] + scores[1][rows[1]][None]).reshape(-1)
        place = best(pairs, None, k)[0]
        index = (rows[0][:, None] * others + rows[1][None]).reshape(-1)[place]
        there = jnp.ones(place.shape, bool)
        weights, potential = self.separation.chosen(pairs[place], there)
        if self.separation.lacks_potential is not None:
            potential = jnp.full_like(potential, jnp.nan)
        return index, weights, potential

    def state_energy(self, state: Float[Array, " d"]) -> Float[Array, ""]:
        """½|v|² − Φ."""
        wide = state.astype(accumulate(state.dtype))
        return 0.5 * jnp.sum(jnp.square(wide)) - self.chosen(state)[2]

    def space(
        self, query: Float[Array, " d"], known: Bool[Array, " d"] | None = None
    ) -> "ProductKeySpace":
        """The dynamical system of one query; keys are compared by known entries alone."""
        return ProductKeySpace(self, query, known)

    def _query(self, query):
        query = as_floats("query", query, dtype=self.dtype)
        if query.shape != (self.width,):
            raise ValueError(
                f"`query` must have shape ({self.width},), the widths of both tables, but its "
                f"shape is {query.shape}."
            )
        return query


class ProductKeySpace(Measured):
    """States of a `ProductKeyMemory` for one query, with the query's known entries held.

    **Arguments:**

    - `memory`: the store.
    - `query`: shape (d,); entries that are not known are ignored.
    - `known`: shape (d,), True for entries to be kept; `None` where none is held.
    """

    memory: Any
    query: Float[Array, " d"]
    known: Bool[Array, " d"] | None

    @property
    def initial(self) -> Float[Array, " d"]:
        """The query, zero where it is not known."""
        return self.query if self.known is None else jnp.where(self.known, self.query, 0.0)

    @property
    def lacks_energy(self) -> str | None:
        """As of the memory."""
        return self.memory.lacks_energy

    def read(self, state: Float[Array, " d"]) -> Reading:
        """One read; known entries stay as they are."""
        found = self.memory.read(state, self.known)
        value = found.value
        if self.known is not None and self.memory.recurrent:
            value = jnp.where(self.known, self.query, value)
        shared = found.effective if self.memory.separation.normalised else None
        return Reading(state, value, shared, found.best)

    def energy(self, state: Float[Array, " d"]) -> Float[Array, ""]:
        """The memory's energy of a state.

        **Raises:** `NoEnergyError` where there is none.
        """
        if self.lacks_energy is not None:
            raise NoEnergyError(self.lacks_energy)
        return self.memory.state_energy(state)

    def magnitude(self, state: Float[Array, " d"]) -> Float[Array, ""]:
        """The size of the largest term of the energy, by which its rounding is measured."""
        own = 0.5 * jnp.sum(jnp.square(state.astype(accumulate(state.dtype))))
        return jnp.maximum(own, jnp.abs(self.energy(state) - own))

    def answer(self, state: Float[Array, " v"], reading: Reading | None = None) -> Answer:
        """The state itself, or where that was a single read, what was read."""
        energy = None if self.lacks_energy is not None else self.memory.state_energy(state)
        if reading is None:
            reading = self.read(state)
        return Answer(state, energy, reading.memories, reading.best)

    def record(self, path: Float[Array, "s d"]) -> Float[Array, "s d"]:
        """The states of a run, the start first."""
        return path


@facts.register
def _(memory: ProductKeyMemory) -> list[tuple[str, str]]:
    first, second = shape_of(memory.first), shape_of(memory.second)
    if first is None or second is None:
        return facts.dispatch(object)(memory)
    return [
        ("keys n m", f"{first[0]} · {second[0]}"),
        ("entries d", f"{first[1]} + {second[1]}, {memory.dtype}"),
        ("values", "keys" if memory.values is None else f"{shape_of(memory.values)}"),
        ("separation", repr(memory.separation)),
    ]


@eqx.filter_jit
def _call(memory: ProductKeyMemory, query):
    return memory.read(query).value


@eqx.filter_jit
def _support(memory: ProductKeyMemory, query):
    index, weights, _ = memory.chosen(query)
    return index, weights


@eqx.filter_jit
def _energy(memory: ProductKeyMemory, query):
    return memory.state_energy(query)
