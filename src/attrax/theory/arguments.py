"""What the formulas of this room share: arguments of one type and shape, checked where concrete."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array

from ..common.arithmetic import accumulate
from ..common.checks import as_floats, is_concrete, native

# What a formula takes: a number, an array, or nested lists of numbers.
Numbers = ArrayLike | list | tuple


def reals(**arguments: Numbers) -> tuple[Array, ...]:
    """The arguments as arrays of one floating-point type, broadcast to one shape.

    The widest type of those that came as floating-point arrays, and at least float32.

    **Raises:** `TypeError` or `ValueError` naming the argument, if it is not an array of finite
    numbers; `ValueError` if the shapes do not go together.
    """
    arrays = {name: as_floats(name, value) for name, value in arguments.items()}
    strong = [
        array.dtype
        for value, array in zip(arguments.values(), arrays.values(), strict=True)
        if isinstance(value, jax.Array | np.ndarray | np.generic)
        and jnp.issubdtype(value.dtype, jnp.floating)
    ]
    widest = max(strong, key=lambda dtype: jnp.finfo(dtype).bits, default=jnp.result_type(float))
    shapes = {name: array.shape for name, array in arrays.items()}
    try:
        shape = jnp.broadcast_shapes(*shapes.values())
    except ValueError:
        raise ValueError(f"The shapes of the arguments do not go together: {shapes}.") from None
    dtype = accumulate(widest)
    return tuple(jnp.broadcast_to(array.astype(dtype), shape) for array in arrays.values())


def bounded(name: str, array: Array, low: int | float, high: int | float = np.inf) -> None:
    """Checks that all entries of a concrete array lie in [low, high].

    **Raises:** `ValueError` naming the argument, its bounds and the first entry outside of them.
    """
    if not is_concrete(array):
        return
    values = np.asarray(array).ravel()
    # The bounds are rounded as the entries were.
    wrong = values[(values < values.dtype.type(low)) | (values > values.dtype.type(high))]
    if wrong.size:
        bounds = f"at least {low:g}" if high == np.inf else f"between {low:g} and {high:g}"
        raise ValueError(f"`{name}` must be {bounds}, but it is {wrong[0]:g}.")


def above_zero(name: str, array: Array) -> None:
    """Checks that all entries of a concrete array are positive.

    **Raises:** `ValueError` naming the argument and the first entry that is not.
    """
    if not is_concrete(array):
        return
    values = np.asarray(array).ravel()
    wrong = values[~(values > 0)]
    if wrong.size:
        raise ValueError(f"`{name}` must be positive, but it is {wrong[0]:g}.")


def whole(name: str, array: Array) -> None:
    """Checks that all entries of a concrete array are whole numbers.

    **Raises:** `ValueError` naming the argument and the first entry that is wrong.
    """
    if not is_concrete(array):
        return
    values = np.asarray(array).ravel()
    wrong = values[values != np.round(values)]
    if wrong.size:
        raise ValueError(f"`{name}` must be a whole number, but it is {wrong[0]:g}.")


def padded(points: Array) -> Array:
    """A flat array, its last point repeated up to a power of two: few programs serve all sizes.

    To compile one takes seconds, to solve for a point some milliseconds.
    """
    count = points.size
    more = 2 ** max(count - 1, 0).bit_length() - count if count else 0
    return jnp.pad(points.ravel(), (0, more), mode="edge")


def trimmed(solved: Array, points: Array) -> Array:
    """Without the padding, and of the shape of the points."""
    return solved[: points.size].reshape(points.shape)


def known_size(name: str, value: Numbers) -> np.ndarray:
    """A number of units that sizes a sum, as an integer array of NumPy.

    **Raises:** `TypeError` if it is traced; `ValueError` if it is not a whole number of at least 1.
    """
    if not is_concrete(value):
        raise TypeError(
            f"`{name}` is traced, but it sizes the sum over overlaps. Close over it, or pass it "
            "to jax.jit as a static argument."
        )
    # In NumPy throughout: under jit even constants of JAX are traced.
    array = np.asarray(native(name, value))
    if array.dtype.kind not in "iuf":
        raise TypeError(f"`{name}` must hold whole numbers, but its entries are {array.dtype}.")
    wrong = array[~(np.isfinite(array) & (array >= 1) & (array == np.round(array)))]
    if wrong.size:
        raise ValueError(f"`{name}` must be a whole number of at least 1, but it is {wrong[0]:g}.")
    return array.astype(np.int64)


def one_of(name: str, value: str, options: Sequence[str]) -> None:
    """Checks that `value` is one of the options.

    **Raises:** `ValueError` naming the argument and the options.
    """
    if value not in options:
        listed = ", ".join(repr(option) for option in options)
        raise ValueError(f"`{name}` must be one of {listed}, but it is {value!r}.")
