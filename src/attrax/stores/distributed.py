"""Sparse distributed memory: hard locations with counters, shared by all that is written."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int, UInt32

from ..common.arithmetic import accumulate
from ..common.checks import NoEnergyError, as_floats, is_floats, shape_of, whole_number
from ..common.display import facts
from ..spaces.base import AbstractSpace, Answer, Reading
from ..spaces.store import AbstractStore
from ..spaces.units import check_states
from .locations import (
    WORD,
    near,
    packed,
    product_sum,
    product_write,
    walked_sum,
    walked_write,
)
from .storage import replaced


class SparseDistributedMemory(AbstractStore):
    """Kanerva's memory of bits: what is written goes into all hard locations near its address.

    Each of r locations has a fixed address A of d bits and v counters C. A key reaches the
    locations that differ from it in at most `radius` bits, y = 1[δ(A, key) ≤ radius]. A write adds
    y (2 value − 1)ᵀ to the counters, and a read is a majority vote, z = 1[yᵀC > 0]: a bit without
    a majority is 0, and so are all where no location is reached.

    ```python
    memory = attrax.models.sparse_distributed_memory(256, 2000, patterns=50, key=key)
    memory = memory.write(patterns)           # (N, d) of 0 and 1, all at once, or one of (d,)
    memory(query)                             # one read: (d,) -> (v,)
    attrax.retrieve(memory, queries)          # reads of what was read, until nothing changes
    ```

    Addresses are kept as bits, 32 to a word. A location that is not reached costs nothing on a
    CPU: reads and writes walk through those that are. Elsewhere they are products of matrices.

    **Arguments:**

    - `addresses`: A, shape (r, d), of 0 and 1.
    - `radius`: the largest distance that is reached, in bits, from 0 to d.
    - `counters`: C, whole numbers, shape (r, v); zeros of shape (r, d) if `None`. As floats they
      are exact up to 2²⁴.

    **Raises:** `ValueError` for addresses that are not bits, a radius out of bounds, or counters
    of another number of locations.

    **Source:** [kanerva1988sparse]
    """

    addresses: UInt32[Array, "w r"]
    counters: Float[Array, "r v"]
    radius: Int[Array, ""]
    width: int = eqx.field(static=True)
    units: ClassVar = "bits"
    sequential: ClassVar = False
    lacks_energy: ClassVar[str] = (
        "A vote of hard locations is not known to lower any energy. That of all the space in their "
        "place has one: Memory(bits, similarity=Hamming(), separation=CircleIntersection(d, "
        'radius), projection="centroid").'
    )

    def __init__(
        self, addresses: ArrayLike, radius: int | np.integer, counters: ArrayLike | None = None
    ):
        bits = as_floats("addresses", addresses, ndim=2)
        if bits.size == 0:
            raise ValueError(f"`addresses` are empty: their shape is {bits.shape}.")
        check_states("addresses", bits, "bits")
        count, self.width = bits.shape
        radius = whole_number("radius", radius, 0)
        if radius > self.width:
            raise ValueError(
                f"`radius` must be at most the {self.width} bits of an address, but it is {radius}."
            )
        self.addresses = packed(bits).T
        self.radius = jnp.asarray(radius, jnp.int32)
        if counters is None:
            self.counters = jnp.zeros((count, self.width), jnp.result_type(float))
            return
        counters = as_floats("counters", counters, ndim=2)
        if counters.shape[0] != count or counters.size == 0:
            raise ValueError(
                f"`counters` must have a row for each of {count} locations, but their shape is "
                f"{counters.shape}."
            )
        self.counters = counters.astype(accumulate(counters.dtype))

    def check_loaded(self) -> None:
        """Refuse fields that do not fit together, as a file may describe them.

        **Raises:** `ValueError` that says so.
        """
        width, radius = self.width, self.radius
        fits = (
            type(width) is int
            and width > 0
            and is_floats(self.counters, None, None)
            and shape_of(self.addresses) == (-(-width // WORD), self.counters.shape[0])
            and self.addresses.dtype == jnp.uint32
            and shape_of(radius) == ()
            and radius.dtype == jnp.int32
        )
        if not fits:
            raise ValueError("its fields make no sparse distributed memory")

    @property
    def dtype(self) -> jnp.dtype:
        """The floating-point type of the counters, and of states."""
        return self.counters.dtype

    @property
    def recurrent(self) -> bool:
        """Whether what is read is an address again: v = d."""
        return self.counters.shape[1] == self.width

    def __len__(self) -> int:
        """How many hard locations there are."""
        return self.counters.shape[0]

    def __call__(self, query: ArrayLike) -> Float[Array, " v"]:
        """Exactly one read: the vote of the locations that are reached.

        **Arguments:**

        - `query`: shape (d,), of 0 and 1.

        **Returns:** bits, shape (v,).

        **Raises:** `ValueError` for a wrong shape, or other states; states are not looked at under
        jit and vmap.
        """
        return _call(self, self._keys("query", query, ndim=1))

    def reached(self, query: ArrayLike) -> Bool[Array, " r"]:
        """Which locations lie within the radius of an address of shape (d,), shape (r,)."""
        return _reached(self, self._keys("query", query, ndim=1))

    def pull(self, state: Float[Array, " d"]) -> Float[Array, " v"]:
        """What is read at an address."""
        drive = self.drive(state)
        return jnp.where(jnp.isnan(drive), drive, (drive > 0).astype(self.dtype))

    def drive(self, state: Float[Array, " d"]) -> Float[Array, " v"]:
        """The sums of the counters of all locations that are reached, yᵀC."""
        sums = jax.lax.platform_dependent(
            self.addresses,
            self.counters,
            self.radius,
            packed(state),
            cpu=walked_sum,
            default=product_sum,
        )
        return jnp.where(jnp.isnan(jnp.sum(state)), jnp.nan, sums)

    def space(
        self, query: Float[Array, " d"], known: Bool[Array, " d"] | None = None
    ) -> "DistributedSpace":
        """The dynamical system of one query.

        **Raises:** `ValueError` for `known` entries, as locations are chosen by all bits.
        """
        if known is not None:
            raise ValueError(
                "`known` cannot be used here, as hard locations are chosen by all bits: fill in "
                "the others, at random say, or take Memory(bits, similarity=Hamming())."
            )
        return DistributedSpace(self, query)

    def write(self, keys: ArrayLike, values: ArrayLike | None = None) -> "SparseDistributedMemory":
        """A memory in which these are written too; this one is unchanged.

        **Arguments:**

        - `keys`: addresses, shape (d,), or (N, d) for many at once; of 0 and 1.
        - `values`: what to read there, shape (v,) or (N, v), of 0 and 1, such as the next pattern
          of a sequence; the keys if `None`.

        **Raises:** `ValueError` for wrong shapes and other states, and where values are missing.
        """
        return self._changed(keys, values, 1.0)

    def remove(self, keys: ArrayLike, values: ArrayLike | None = None) -> "SparseDistributedMemory":
        """A memory without what was written before: what `write` does, undone.

        This cannot check that it was written; removing what was not adds noise.

        **Arguments:**

        - `keys`, `values`: as they were written.

        **Raises:** as `write`.
        """
        return self._changed(keys, values, -1.0)

    def _changed(self, keys, values, sign):
        keys = self._keys("keys", keys)
        if values is None:
            if not self.recurrent:
                raise ValueError("`values` must be given: what is read is not of the kind of keys.")
            values = keys
        values = as_floats("values", values, dtype=self.dtype)
        if values.shape != (*keys.shape[:-1], self.counters.shape[1]):
            raise ValueError(
                f"`values` must have shape {(*keys.shape[:-1], self.counters.shape[1])}, but "
                f"their shape is {values.shape}."
            )
        check_states("values", values, "bits")
        votes = sign * (2 * values - 1)
        return replaced(self, counters=_write(self, jnp.atleast_2d(keys), votes))

    def _keys(self, name, keys, ndim=None):
        keys = as_floats(name, keys, dtype=self.dtype)
        one = keys.ndim == 1 and ndim == 1
        if not (one or (ndim is None and keys.ndim in (1, 2))) or keys.shape[-1] != self.width:
            many = "" if ndim == 1 else f", or (N, {self.width}) for many"
            raise ValueError(
                f"`{name}` must have shape ({self.width},){many}, but its shape is {keys.shape}."
            )
        self.check_queries(name, keys)
        return keys


class DistributedSpace(AbstractSpace):
    """Bits of a `SparseDistributedMemory` for one query, which all move at once.

    **Arguments:**

    - `memory`: the store.
    - `initial`: the query, shape (d,).
    """

    memory: Any
    initial: Float[Array, " d"]

    @property
    def lacks_energy(self) -> str:
        """As of the memory."""
        return self.memory.lacks_energy

    def read(self, state: Float[Array, " d"]) -> Reading:
        """One vote."""
        return Reading(state, self.memory.pull(state))

    def energy(self, state: Float[Array, " d"]) -> Float[Array, ""]:
        """There is none.

        **Raises:** `NoEnergyError` with the reason, `lacks_energy`.
        """
        raise NoEnergyError(self.lacks_energy)

    def answer(self, state: Float[Array, " v"], reading: Reading | None = None) -> Answer:
        """The state itself."""
        return Answer(state, None, None)

    def record(self, path: Float[Array, "s d"]) -> Float[Array, "s d"]:
        """The states of a run, the start first."""
        return path


@facts.register
def _(memory: SparseDistributedMemory) -> list[tuple[str, str]]:
    shape = shape_of(memory.counters)
    if shape is None:
        return facts.dispatch(object)(memory)
    return [
        ("locations r", f"{shape[0]}"),
        ("bits d", f"{memory.width}"),
        ("counters v", f"{shape[1]}, {memory.dtype}"),
        ("radius", f"{memory.radius} bits"),
    ]


@eqx.filter_jit
def _write(memory: SparseDistributedMemory, keys, votes):
    return jax.lax.platform_dependent(
        memory.addresses,
        memory.counters,
        memory.radius,
        packed(keys),
        jnp.atleast_2d(votes),
        cpu=walked_write,
        default=product_write,
    )


@eqx.filter_jit
def _call(memory: SparseDistributedMemory, query):
    return memory.pull(query)


@eqx.filter_jit
def _reached(memory: SparseDistributedMemory, query):
    return near(memory.addresses, memory.radius, packed(query))
