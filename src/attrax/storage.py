"""How a memory keeps its rows: capacity, blocks, writing, forgetting, placing on devices."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Float

from .errors import is_concrete
from .separation import AbstractAdditive, AbstractSelective, AbstractSeparation
from .separation.fold import Query, Reading, Rows, fold

# A block's keys then stay in a core's second-level cache while all queries pass over them.
_BLOCK_BYTES = 1 << 20
_SMALLEST_BLOCK = 256


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
        if isinstance(block, bool) or not isinstance(block, int) or block < 1:
            raise ValueError(f"`block` must be a positive whole number, but it is {block!r}.")
        if whole:
            raise ValueError(
                "`block` was given, but this similarity or separation must be read whole; a "
                "similarity function may be declared SimilarityFunction(fn, rowwise=True)."
            )
        return block
    rows = max(patterns.shape[0], capacity or 0)
    fitting = _BLOCK_BYTES // (patterns.dtype.itemsize * patterns.shape[1])
    fitting = max(_SMALLEST_BLOCK, fitting // 128 * 128)
    return None if whole or rows <= 2 * fitting else fitting


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
    return rows if missing == 0 else jnp.pad(rows, ((0, missing), (0, 0)))


def pad_mask(filled: Bool[Array, " n"] | None, count: int, size: int) -> Bool[Array, " c"] | None:
    """Which of `size` rows are filled; `None` where all are."""
    if filled is None:
        return None if size == count else jnp.arange(size) < count
    return jnp.pad(filled, (0, size - count))


def written(memory, key: Float[Array, " d"], value: Float[Array, " v"] | None):
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
    return eqx.tree_at(
        lambda memory: (memory.keys, memory.values, memory.filled),
        memory,
        (keys, values, filled),
        is_leaf=lambda leaf: leaf is None,
    )


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
    rows = pad_rows(memory.keys, grown), values, pad_mask(filled, size, grown)
    return eqx.tree_at(
        lambda memory: (memory.keys, memory.values, memory.filled),
        memory,
        rows,
        is_leaf=lambda leaf: leaf is None,
    )


def forgotten(memory, index):
    """The memory with the rows of an index or mask no longer filled."""
    size = memory.keys.shape[0]
    filled = jnp.ones((size,), bool) if memory.filled is None else memory.filled
    index = jnp.asarray(index)
    if index.dtype == jnp.bool_:
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
    return eqx.tree_at(
        lambda memory: memory.filled, memory, filled, is_leaf=lambda leaf: leaf is None
    )


def _check_present(index, filled):
    for i in index.tolist():
        if not -len(filled) <= i < len(filled) or not filled[i]:
            raise IndexError(f"There is no memory at row {i} of {len(filled)}.")


def sharded(memory, mesh: Mesh, axis: str):
    """The memory with its rows spread over the devices of one axis of a mesh."""
    if axis not in mesh.shape:
        raise ValueError(f"`axis` must be one of {tuple(mesh.shape)}, but it is {axis!r}.")
    if not (memory.similarity.rowwise and streams(memory.separation)):
        raise ValueError(
            "This memory must be read whole, so its rows cannot be spread; use a similarity that "
            "scores row by row and an additive or selective separation."
        )
    count, parts = memory.keys.shape[0], mesh.shape[axis]
    block = memory.block or -(-count // parts)
    size = round_up(count, block * parts)
    spread = NamedSharding(mesh, PartitionSpec(axis))

    def place(rows):
        return None if rows is None else jax.device_put(rows, spread)

    rows = (
        place(pad_rows(memory.keys, size)),
        None if memory.values is None else place(pad_rows(memory.values, size)),
        place(pad_mask(memory.filled, count, size)),
    )
    return eqx.tree_at(
        lambda memory: (memory.keys, memory.values, memory.filled, memory.block, memory.placement),
        memory,
        (*rows, block, Placement(mesh, axis)),
        is_leaf=lambda leaf: leaf is None,
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
