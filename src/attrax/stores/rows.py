"""`Memory`: rows that are stored, scored by a similarity, separated and projected."""

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from ..common.arithmetic import accumulate, standardise
from ..common.checks import NoEnergyError, as_floats, as_mask, is_concrete, shape_of
from ..common.display import facts, table, valued
from ..separation import AbstractSeparation, Max, SeparationFunction, Softmax
from ..separation.fold import Query, Reading, Rows, fold
from ..similarity import AbstractSimilarity, Correlation, SimilarityFunction
from ..similarity.calibrate import default_beta
from ..similarity.centroids import AbstractSummedCentroid
from ..spaces.keys import KeySpace
from ..spaces.store import AbstractStore
from . import storage
from .checks import (
    check_codes,
    check_domain,
    check_fields,
    check_steep,
    why_no_distribution,
    why_no_energy,
    why_out_of_range,
)
from .storage import Placement

if TYPE_CHECKING:
    from ..hierarchical import HierarchicalMemory
    from .matrix import MatrixMemory


class Memory(AbstractStore):
    """An associative memory of rows: similarity → separation → projection.

    `memory(query)` is exactly one read, z = Σ_μ w_μ value_μ with w = separation(s) and
    s_μ = similarity(key_μ, query). With no options it works on real data: rows are compared by
    `Correlation`, and the inverse temperature follows from how far apart they are.

    ```python
    memory = attrax.Memory(patterns)          # (N, d)
    memory(query)                             # one read: (d,) -> (d,)
    attrax.retrieve(memory, queries)          # (..., d): run to an attractor
    ```

    A memory is unbatched, immutable and a pytree: use `jax.vmap(memory)` or `attrax.retrieve`
    for many queries, and `write` to get a memory with one more row.

    **Arguments:**

    - `patterns`: the rows to be compared with queries, shape (N, d); integers and booleans become
      floats.
    - `values`: what is read instead of the patterns, shape (N, v); the patterns if `None`.
    - `similarity`: one of `attrax.similarity`, or a function of (keys (N, d), query (d,)), which
      then gets rows and queries as they are. `None` is `Correlation`, of rows standardised once.
    - `separation`: one of `attrax.separation`, or a function of scores (N,). `None` is softmax
      with β = ln(1000 N)/g, g the 5 % quantile over at most 256 rows of a row's own score minus
      the best score of another.
    - `projection`: "sum" is Σ w value; "centroid" is the state that the weighted keys agree on
      under the similarity, such as the mean or the median, and makes every energy descend. `None`
      is "sum", and "centroid" for `Hamming` with weights that sum to one: to it a sum that is off
      by rounding is another state in every entry.
    - `filled`: shape (N,), True for rows that take part; all if `None`.
    - `capacity`: room for this many rows, ≥ N, so that `write` need not grow.
    - `block`: rows read at a time. `None` chooses: about a megabyte of keys once there are many.

    **Raises:** `ValueError` for wrong shapes, NaN, no rows at all, scores outside the separation's
    domain or the range of floats, or rows too alike to choose β for; `TypeError` if `similarity`
    or `separation` is neither.

    **Source:** [millidge2022universal]
    """

    keys: Float[Array, "c d"]
    values: Float[Array, "c v"] | None
    filled: Bool[Array, " c"] | None
    similarity: AbstractSimilarity
    separation: AbstractSeparation
    projection: Literal["sum", "centroid"] = eqx.field(static=True)
    heteroassociative: bool = eqx.field(static=True)
    block: int | None = eqx.field(static=True)
    placement: Placement | None = eqx.field(static=True)
    units: ClassVar = "real"
    recurrent: ClassVar = True

    def __init__(
        self,
        patterns,
        values=None,
        *,
        similarity: AbstractSimilarity | Callable | None = None,
        separation: AbstractSeparation | Callable | None = None,
        projection: Literal["sum", "centroid"] | None = None,
        filled=None,
        capacity: int | None = None,
        block: int | None = None,
    ):
        given, patterns = patterns, as_floats("patterns", patterns, ndim=2)
        count, width = patterns.shape
        if count == 0 or width == 0:
            raise ValueError(
                f"`patterns` must have at least one row and one column, but its shape is "
                f"{patterns.shape}."
            )
        if values is not None:
            _check_values(values)
            values = as_floats("values", values, ndim=2)
            if values.shape[0] != count:
                raise ValueError(
                    f"`values` must have one row a pattern, {count}, but has {values.shape[0]}."
                )
        if filled is not None:
            filled = as_mask("filled", filled, (count,))
        if projection not in (None, "sum", "centroid"):
            raise ValueError(f'`projection` must be "sum" or "centroid", but it is {projection!r}.')
        if similarity is None:
            similarity = Correlation(encoded=True)
        elif not isinstance(similarity, AbstractSimilarity):
            similarity = SimilarityFunction(similarity)
        if similarity.discrete:
            check_codes(given, patterns)
        there = _taking_part(patterns, filled)
        similarity.check("patterns", there)
        if is_concrete(there) and (
            why := why_out_of_range(similarity, "patterns", np.asarray(there))
        ):
            raise ValueError(why)
        self.heteroassociative = values is not None
        given = patterns
        if similarity.encoded:
            values = patterns if values is None else values
            patterns = _standardised(patterns)
        if separation is None:
            check_steep(similarity)
            separation = Softmax(default_beta(similarity, patterns, filled, given))
        elif not isinstance(separation, AbstractSeparation):
            separation = SeparationFunction(separation)
        check_domain(similarity, separation)
        whole = not (similarity.rowwise and storage.streams(separation))
        block = storage.choose_block(patterns, block, capacity, whole)
        size = storage.round_up(storage.checked_capacity(capacity, count), block)
        self.keys = storage.pad_rows(patterns, size)
        self.values = None if values is None else storage.pad_rows(values, size)
        self.filled = storage.pad_mask(filled, count, size)
        self.similarity = similarity
        self.separation = separation
        if projection is None:
            states = similarity.discrete and separation.normalised
            projection = "centroid" if states else "sum"
        self.projection = projection
        self.block = block
        self.placement = None

    def check_loaded(self) -> None:
        """Refuse a memory whose fields do not fit together, as a file may describe one.

        **Raises:** `ValueError` that says what does not fit.
        """
        check_fields(self)

    def _repr_html_(self) -> str:
        """What is printed, as a table for notebooks."""
        return table(type(self).__name__, facts(self))

    def __call__(self, query: ArrayLike) -> Float[Array, " v"]:
        """Exactly one read.

        **Arguments:**

        - `query`: shape (d,), in the units of the patterns.

        **Returns:** what is read, shape (v,), or (d,) where nothing else was stored.

        **Raises:** `ValueError` for a wrong shape.
        """
        return _call(self, self._query(query))

    def scores(self, query: ArrayLike) -> Float[Array, " c"]:
        """The similarity of each stored row to the query, shape (capacity,)."""
        return _evaluate(self, self._query(query), None, "scores")

    def weights(self, query: ArrayLike) -> Float[Array, " c"]:
        """The weight of each stored row for the query, shape (capacity,)."""
        return _evaluate(self, self._query(query), None, "weights")

    def best(self, query: ArrayLike) -> Int[Array, ""]:
        """The index of the row with the largest score."""
        return jnp.argmax(_evaluate(self, self._query(query), None, "best"))

    def energy(self, query: ArrayLike) -> Float[Array, ""]:
        """E(v) = R(v) − Φ(s(v)) at the query's key v; a read never raises it.

        **Raises:** `NoEnergyError` where that is not so; the reason is `lacks_energy`.
        """
        if self.lacks_energy is not None:
            raise NoEnergyError(self.lacks_energy)
        return _evaluate(self, self._query(query), None, "energy")

    @property
    def lacks_energy(self) -> str | None:
        """Why no energy is known to descend under this memory's read; `None` where one is."""
        return why_no_energy(self.similarity, self.separation, self.projection)

    @property
    def width(self) -> int:
        """d, the number of entries of a query."""
        return self.keys.shape[1]

    @property
    def dtype(self) -> jnp.dtype:
        """The floating-point type of the rows; queries are brought to it."""
        return self.keys.dtype

    @property
    def query_dtype(self) -> jnp.dtype:
        """That of the rows; at least 32 bits where queries are standardised first."""
        return accumulate(self.dtype) if self.similarity.encoded else self.dtype

    @property
    def lacks_scores(self) -> Callable[[str, Array, Array | None], str | None]:
        """See `AbstractStore.lacks_scores`; nothing is said under jit."""

        def why(name, queries, known=None):
            if not is_concrete(self.keys, self.filled, queries, known):
                return None
            rows = np.asarray(self.keys)
            mask = None if known is None else np.asarray(known)
            asked = np.asarray(queries)
            why = why_no_distribution(self.similarity, name, asked, mask)
            return why or why_out_of_range(self.similarity, name, rows, asked, mask)

        return why

    def __len__(self) -> int:
        """How many rows are filled."""
        return self.keys.shape[0] if self.filled is None else int(jnp.sum(self.filled))

    def encode(
        self, query: Float[Array, "*n d"], known: Bool[Array, "*m d"] | None = None
    ) -> Float[Array, "*n d"]:
        """Queries as keys: standardised under the default similarity, else as they are."""
        if not self.similarity.encoded:
            return query
        return standardise(query, known).astype(self.keys.dtype)

    def read(self, state: Float[Array, " d"], known: Bool[Array, " d"] | None = None) -> Reading:
        """One pass over the memories with a state in key space: value, potential, mass.

        **Arguments:**

        - `state`: a key, shape (d,); see `encode`.
        - `known`: the entries that are compared, shape (d,); all if `None`.

        **Returns:** a `Reading`; its `value` is what the memory answers.
        """
        return self._read(state, known, self.values)

    def read_key(
        self, state: Float[Array, " d"], known: Bool[Array, " d"] | None = None
    ) -> Reading:
        """One pass that stays in key space: its `value` is where the state is drawn to."""
        return self._read(state, known, None)

    def read_alone(self, index: Int[Array, ""]) -> Float[Array, " d"]:
        """What `read_key` would give were all weight on one row, in at least 32 bits."""
        row = self.keys[index].astype(accumulate(self.keys.dtype))
        centroid = self.similarity.centroid
        if self.projection == "sum" or centroid is None:
            return row
        return centroid.agree(row[None], jnp.ones((1,), row.dtype))

    def pull(
        self, state: Float[Array, " d"], known: Bool[Array, " d"] | None = None
    ) -> Float[Array, " d"]:
        """Where a state in key space is drawn to, the `value` of `read_key`."""
        return self.read_key(state, known).value

    def state_energy(
        self, state: Float[Array, " d"], reading: Reading | None = None
    ) -> Float[Array, ""]:
        """E of a state in key space, from a reading of it where there is one already."""
        reading = self._read(state, None, None) if reading is None else reading
        return self.similarity.state_term(state) - reading.potential

    def state_scores(
        self, state: Float[Array, " d"], known: Bool[Array, " d"] | None = None
    ) -> Float[Array, " c"]:
        """The similarity of each stored row to a state in key space, shape (capacity,)."""
        weight = None if known is None else known.astype(state.dtype)
        if self.block is None or self.placement is not None:
            return self._scores(self.keys, state, weight)
        blocks = self.keys.reshape(-1, self.block, self.width)
        return jax.lax.map(lambda keys: self._scores(keys, state, weight), blocks).reshape(-1)

    def space(self, query: Float[Array, " d"], known: Bool[Array, " d"] | None = None) -> KeySpace:
        """The dynamical system of one query: states in key space."""
        return KeySpace(self, query, known)

    def write(self, key: ArrayLike, value: ArrayLike | None = None) -> "Memory":
        """A memory with one more row; this one is unchanged.

        Outside jit a full memory grows to twice its capacity. β stays as it is.

        **Arguments:**

        - `key`: the pattern to store, shape (d,).
        - `value`: what to read for it, shape (v,), for memories that were given values.

        **Raises:** `ValueError` for wrong shapes, or, at run time under jit, if there is no room.
        """
        key = as_floats("key", key, ndim=1, dtype=self.keys.dtype)
        self._check_width("key", key)
        self.similarity.check("key", key[None])
        self.check_queries("key", key)
        if self.heteroassociative != (value is not None):
            raise ValueError(
                "`value` must be given: this memory was made with values."
                if self.heteroassociative
                else "`value` must not be given: this memory reads its patterns. "
                "Make it with Memory(patterns, values)."
            )
        if self.values is not None:
            value = key if value is None else as_floats("value", value, ndim=1)
            if value.shape != self.values.shape[1:]:
                raise ValueError(
                    f"`value` must have shape {self.values.shape[1:]}, but has {value.shape}."
                )
        return storage.written(self, self.encode(key), value)

    def forget(self, index) -> "Memory":
        """A memory without the rows of an index or of a boolean mask; this one is unchanged.

        Their places are free for `write`.

        **Arguments:**

        - `index`: a whole number, several of them, or a mask of shape (capacity,), True for rows
          to be forgotten.

        **Raises:** `IndexError` for a row that is not there.
        """
        return storage.forgotten(self, index)

    def as_network(self, *, tau: float = 0.0) -> "HierarchicalMemory":
        """This memory as two layers of neurons, "value" and "memory", joined by one synapse.

        Its energy is this memory's up to a constant, and where reads descend, one read is one
        `relax` of it. States are keys: pass queries through `encode`. Rows that are not filled
        are left out.

        **Arguments:**

        - `tau`: time constant of the memory neurons, in units of the value neurons'; with 0 they
          are fast and follow from the value neurons.

        **Returns:** an `attrax.hierarchical.HierarchicalMemory`.

        **Raises:** `ValueError` for a memory with values, or without rows, and under jit for one
        with a mask.

        **Source:** [krotov2021large]; [millidge2022universal]
        """
        from ..hierarchical.tied import tied_network

        return tied_network(self, tau=tau)

    def superpose(self) -> "MatrixMemory":
        """This memory as one matrix, W = Σ value φ(key)ᵀ, of a size that does not grow with rows.

        It answers as this memory does wherever scores are inner products of features,
        s = φ(k)·φ(q), and weigh as they are (`Identity`) or divided by their sum (linear
        attention). Rows that are not filled are left out. The matrix can be written to, and
        patterns be removed.

        **Returns:** an `attrax.MatrixMemory`.

        **Raises:** `ValueError` for other similarities, separations and projections, with which
        rows cannot be added up.

        **Source:** [hopfield1982neural]; [katharopoulos2020transformers]
        """
        from .superposition import superposed

        return superposed(self)

    def shard(self, mesh: jax.sharding.Mesh, axis: str) -> "Memory":
        """This memory with its rows spread over the devices of one axis of a mesh.

        Each device folds its own rows; what is exchanged does not depend on their number.

        **Raises:** `ValueError` if the mesh has no such axis, or the memory must be read whole.
        """
        return storage.sharded(self, mesh, axis)

    def _read(self, state, known, values) -> Reading:
        weight = None if known is None else known.astype(state.dtype)
        query = Query(self.similarity, state, weight)
        centroid = self.similarity.centroid
        if self.projection == "sum" or values is not None or centroid is None:
            return self._fold(query, Rows(self.keys, values, self.filled))
        if not isinstance(centroid, AbstractSummedCentroid):
            reading = self._fold(query, Rows(self.keys, None, self.filled))
            weights = self.separation(self._scores(self.keys, state, weight), self.filled)
            return reading._replace(value=centroid.agree(self.keys, weights))
        reading = self._fold(query, Rows(self.keys, centroid.carrier(self.keys), self.filled))
        value = centroid.settle(reading.value, reading.mass)
        return reading._replace(value=value.astype(self.keys.dtype))

    def _fold(self, query: Query, rows: Rows) -> Reading:
        if self.placement is None:
            return fold(self.separation, query, rows, block=self.block)
        return storage.sharded_fold(
            self.separation, query, rows, block=self.block, placement=self.placement
        )

    def _scores(self, keys, state, weight):
        if weight is None:
            return self.similarity(keys, state)
        return self.similarity(keys, state, weight)

    def _query(self, query):
        query = as_floats("query", query, dtype=self.query_dtype)
        if query.ndim > 1 and query.shape[-1] == self.keys.shape[1]:
            raise ValueError(
                f"`query` must be one state of shape ({self.keys.shape[1]},), but its shape is "
                f"{query.shape}. Use jax.vmap(memory)(queries) or attrax.retrieve."
            )
        self._check_width("query", query)
        self.check_queries("query", query)
        return query

    def _check_width(self, name, array):
        if array.shape != self.keys.shape[1:]:
            raise ValueError(
                f"`{name}` must have shape {self.keys.shape[1:]} like the stored patterns, "
                f"but its shape is {array.shape}."
            )


_standardised = jax.jit(standardise)


@facts.register
def _(memory: Memory) -> list[tuple[str, str]]:
    shape = shape_of(memory.keys)
    if shape is None:
        return facts.dispatch(object)(memory)
    room, width = shape
    rows = f"{room}"
    if memory.filled is not None:
        known = isinstance(memory.filled, np.ndarray | jax.Array) and is_concrete(memory.filled)
        rows = f"{len(memory) if known else 'some'} of {room} places"
    sizes = [("rows N", rows), ("entries d", f"{width}, {memory.keys.dtype}")]
    if memory.heteroassociative:
        sizes.append(("values", valued(memory.values)))
    parts = [("similarity", repr(memory.similarity)), ("separation", repr(memory.separation))]
    return [*sizes, *parts, ("projection", memory.projection)]


def _check_values(values) -> None:
    """Refuse a similarity or separation in the place of values."""
    for kind, option in (AbstractSimilarity, "similarity"), (AbstractSeparation, "separation"):
        known = isinstance(values, kind) or (isinstance(values, type) and issubclass(values, kind))
        if known:
            name = values.__name__ if isinstance(values, type) else type(values).__name__
            article = "an" if name[0] in "AEIO" else "a"
            raise TypeError(f"`values` is {article} {name}; write {option}={name}(...).")


def _taking_part(patterns, filled):
    """The rows to be checked, at their places: one that takes part stands for any that does not."""
    if filled is None or not is_concrete(patterns, filled) or not np.any(filled):
        return patterns
    rows, there = np.asarray(patterns), np.asarray(filled)
    return jnp.asarray(np.where(there[:, None], rows, rows[np.argmax(there)]))


@eqx.filter_jit
def _call(memory: Memory, query):
    return memory.read(memory.encode(query)).value


@eqx.filter_jit
def _evaluate(memory: Memory, query, known, what: str):
    state = memory.encode(query, known)
    if what == "energy":
        return memory.state_energy(state)
    weight = None if known is None else known.astype(state.dtype)
    scores = memory._scores(memory.keys, state, weight)
    if what == "scores":
        return scores
    separation = Max() if what == "best" else memory.separation
    return separation(scores, memory.filled)
