"""How a memory keeps its rows: capacity, blocks, writing, forgetting, placing on devices."""

import dataclasses
from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Float

from ..common.checks import is_concrete, native, whole_number
from ..separation import AbstractAdditive, AbstractSelective, AbstractSeparation
from ..separation.fold import Query, Reading, Rows, fold

# Blocks of about a megabyte of keys stay in a core's cache while all queries pass over them, and
# so do the scores of no more than 1024 rows. Products of fewer than 256 rows are slow. Up to a few
# megabytes in all, one product is faster.
_BLOCK_BYTES = 5 << 18
_BLOCK_ROWS = (256, 1024)
_BLOCK_STEP = 16
_WHOLE_BYTES = 4 << 20
_WHOLE_ROWS = 4096


class Placement(NamedTuple):
    """The mesh and its axis over which a memory's rows are spread."""

    mesh: Mesh
    axis: str


def streams(separation: AbstractSeparation) -> bool:
    """Whether a separation can be read in blocks."""
    return isinstance(separation, AbstractAdditive | AbstractSelective)


def choose_block(
    patterns: Float[Array, "n d"], block: int | None, capacity: int | None, whole: bool
) -> int | None:
    """Rows read at a time, or `None` for all at once."""
    if block is not None:
        block = whole_number("block", block)
        if whole:
            raise ValueError(
                "`block` was given, but this similarity or separation must be read whole; a "
                "similarity function may be declared SimilarityFunction(fn, rowwise=True)."
            )
        return block
    rows = max(patterns.shape[0], capacity or 0)
    bytes_a_row = patterns.dtype.itemsize * patterns.shape[1]
    if whole or (rows <= _WHOLE_ROWS and rows * bytes_a_row <= _WHOLE_BYTES):
        return None
    smallest, largest = _BLOCK_ROWS
    largest = min(max(_BLOCK_BYTES // bytes_a_row // _BLOCK_STEP * _BLOCK_STEP, smallest), largest)
    # Rows that fill their blocks need no mask; of blocks that leave as few places empty, the
    # largest, which is at least half of what there is room for.
    sizes = range(largest, max(smallest, largest // 2) - 1, -_BLOCK_STEP)
    return min(sizes, key=lambda size: -rows % size)


def round_up(count: int, block: int | None) -> int:
    """The smallest multiple of the block that holds `count` rows."""
    return count if block is None else -(-count // block) * block


def checked_capacity(capacity: int | None, count: int) -> int:
    """The capacity, which must hold the rows that are there."""
    if capacity is None:
        return count
    if isinstance(capacity, bool) or not isinstance(capacity, int) or capacity < count:
        raise ValueError(
            f"`capacity` must be a whole number of at least {count} rows, but it is {capacity!r}."
        )
    return capacity


def pad_rows(rows: Float[Array, "n d"], size: int) -> Float[Array, "c d"]:
    """Rows of zeros behind the rows that are there."""
    missing = size - rows.shape[0]
    return rows if missing == 0 else _padded(rows, missing)


@partial(jax.jit, static_argnums=1)
def _padded(rows, missing):
    return jnp.pad(rows, ((0, missing), (0, 0)))


def pad_mask(filled: Bool[Array, " n"] | None, count: int, size: int) -> Bool[Array, " c"] | None:
    """Which of `size` rows are filled; `None` where all are."""
    if filled is None:
        return None if size == count else jnp.asarray(np.arange(size) < count)
    return jnp.pad(filled, (0, size - count))


def replaced(memory, **changes):
    """A copy of a module with some of its fields changed, static ones too."""
    copy = object.__new__(type(memory))
    for field in dataclasses.fields(memory):
        value = changes.get(field.name, getattr(memory, field.name))
        object.__setattr__(copy, field.name, value)
    return copy


def written(memory, key, value):
    """The memory with one more row, in the first free place."""
    memory = _with_room(memory)
    filled = memory.filled
    place = jnp.argmin(filled)
    full = filled[place]
    if not is_concrete(full):
        place = eqx.error_if(
            place,
            full,
            "The memory is full. Make it with a larger `capacity`, or write outside jit.",
        )
    keys, values, filled = _put(
        (memory.keys, memory.values, filled), (key, value, jnp.asarray(True)), place
    )
    return replaced(memory, keys=keys, values=values, filled=filled)


@eqx.filter_jit
def _put(rows, new, place):
    return jax.tree.map(lambda array, row: array.at[place].set(row.astype(array.dtype)), rows, new)


def _with_room(memory):
    """The memory with a mask, and outside jit with at least one free place."""
    size = memory.keys.shape[0]
    filled = jnp.ones((size,), bool) if memory.filled is None else memory.filled
    grown = size
    if memory.filled is None or (is_concrete(filled) and bool(filled.all())):
        grown = round_up(2 * size, memory.block)
    values = None if memory.values is None else pad_rows(memory.values, grown)
    return replaced(
        memory,
        keys=pad_rows(memory.keys, grown),
        values=values,
        filled=pad_mask(filled, size, grown),
    )


def forgotten(memory, index):
    """The memory with the rows of an index or mask no longer filled."""
    size = memory.keys.shape[0]
    filled = jnp.ones((size,), bool) if memory.filled is None else memory.filled
    index = native("index", index)
    if index.dtype == np.bool_:
        if index.shape != (size,):
            raise IndexError(
                f"A mask for `forget` must have shape ({size},), but its shape is {index.shape}."
            )
        filled = filled & ~index
    else:
        if not jnp.issubdtype(index.dtype, jnp.integer):
            raise IndexError(f"`index` must be whole numbers or a mask, but it is {index.dtype}.")
        if is_concrete(index, filled):
            _check_present(np.atleast_1d(np.asarray(index)), np.asarray(filled))
        filled = filled.at[index].set(False)
    return replaced(memory, filled=filled)


def _check_present(index, filled):
    for i in index.tolist():
        if not -len(filled) <= i < len(filled) or not filled[i]:
            raise IndexError(f"There is no memory at row {i} of {len(filled)}.")


def sharded(memory, mesh: Mesh, axis: str):
    """The memory with its rows spread over the devices of one axis of a mesh."""
    if not isinstance(mesh, Mesh):
        raise TypeError(
            f"`mesh` must be a jax.sharding.Mesh, but it is {type(mesh).__name__}; "
            'make one with jax.make_mesh((jax.device_count(),), ("rows",)).'
        )
    if axis not in mesh.shape:
        raise ValueError(f"`axis` must be one of {tuple(mesh.shape)}, but it is {axis!r}.")
    if not (memory.similarity.rowwise and streams(memory.separation)):
        raise ValueError(
            "This memory must be read whole, so its rows cannot be spread; use a similarity that "
            "scores row by row and an additive or selective separation."
        )
    # Axes of explicit type would pass on to all that is computed from a read.
    mesh = Mesh(mesh.devices, mesh.axis_names, axis_types=(AxisType.Auto,) * mesh.devices.ndim)
    count, parts = memory.keys.shape[0], mesh.shape[axis]
    block = memory.block or -(-count // parts)
    size = round_up(count, block * parts)
    spread = NamedSharding(mesh, PartitionSpec(axis))

    def place(rows):
        return None if rows is None else jax.device_put(rows, spread)

    return replaced(
        memory,
        keys=place(pad_rows(memory.keys, size)),
        values=None if memory.values is None else place(pad_rows(memory.values, size)),
        filled=place(pad_mask(memory.filled, count, size)),
        block=block,
        placement=Placement(mesh, axis),
    )


def sharded_fold(
    separation: AbstractSeparation, query: Query, rows: Rows, *, block, placement: Placement
) -> Reading:
    """The fold of each device's own rows, merged."""
    arrays, rest = eqx.partition((separation, query), eqx.is_array)
    spread, everywhere = PartitionSpec(placement.axis), PartitionSpec()

    def local(arrays, rows):
        separation, query = eqx.combine(arrays, rest)
        return fold(separation, query, rows, block=block, axis=placement.axis)

    read = jax.shard_map(
        local,
        mesh=placement.mesh,
        in_specs=(everywhere, spread),
        out_specs=everywhere,
        check_vma=False,
    )
    return read(arrays, rows)
