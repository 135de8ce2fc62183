"""Few shapes for many sizes: every new shape would wait for a compiler.

What only changes a shape is done in NumPy where that costs no transfer, since JAX would compile a
small program for each size.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .arrays import aligned
from .checks import is_concrete

# Up to so many rows, others that are left out or zero cost less than a program.
_CHEAP = 1024


def bucket(count: int) -> int:
    """The smallest power of four that is not less than a count."""
    return 4 ** ((max(count - 1, 0).bit_length() + 1) // 2)


def rounded(count: int) -> int:
    """The bucket of a count of rows that are cheap; of more than 1024, the count itself."""
    return bucket(count) if count <= _CHEAP else count


def in_numpy(*arrays: Array) -> bool:
    """Whether arrays are concrete, on one CPU device each, so that NumPy sees them."""
    return is_concrete(*arrays) and all(
        [device.platform for device in array.devices()] == ["cpu"] for array in arrays
    )


def take(array: Array, begin: int, size: int) -> Array:
    """So many rows from `begin`; the last one is repeated where there are no more."""
    count = array.shape[0]
    if size == count:
        return array
    if not in_numpy(array):
        return array[np.minimum(np.arange(begin, begin + size), count - 1)]
    rows = np.asarray(array)
    part = rows[begin : begin + size]
    there = part.shape[0]
    if there < size:
        filled = aligned((size, *rows.shape[1:]), rows.dtype)
        filled[:there], filled[there:] = part, rows[-1]
        part = filled
    return _placed(part, array)


def fill(array: Array, size: int) -> Array:
    """The rows and then zeros, so many rows in all; as they are where NumPy does not see them."""
    missing = size - array.shape[0]
    if missing == 0 or not in_numpy(array):
        return array
    zeros = np.zeros((missing, *array.shape[1:]), array.dtype)
    return _placed(np.concatenate([np.asarray(array), zeros]), array)


def cut(array: Array, leading: tuple[int, ...]) -> Array:
    """The first rows, their axis divided into leading axes of a shape."""
    shape = (*leading, *array.shape[1:])
    if array.shape == shape:
        return array
    count = int(np.prod(leading))
    if in_numpy(array):
        return _placed(np.asarray(array)[:count].reshape(shape), array)
    return array[:count].reshape(shape)


def join(*arrays: Array) -> Array:
    """The rows of all arrays, one after another."""
    if in_numpy(*arrays):
        return _placed(np.concatenate([np.asarray(array) for array in arrays]), arrays[0])
    return jnp.concatenate(arrays)


def _placed(array: np.ndarray, like: Array) -> Array:
    """An array of NumPy on the device of another."""
    return jax.device_put(array, like.sharding if like.committed else None)
