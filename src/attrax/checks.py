"""Errors of attrax, and the checks made where values enter it."""

from typing import Any

import jax
import jax.core
import jax.dtypes
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

# Marks of fields, `eqx.field(metadata=POSITIVE)`: values that stay above zero in learning, and
# those that are given from outside and do not learn.
POSITIVE = {"positive": True}
GIVEN = {"given": True}


class NoEnergyError(ValueError):
    """Raised by `energy` of a memory or model for which no energy is known to descend.

    The message is the reason, the same text as the object's `lacks_energy`.
    """


class FileFormatError(ValueError):
    """Raised when a file is not one that attrax wrote, or is damaged."""


def is_concrete(*arrays: Any) -> bool:
    """Whether values (not only shapes) of all `arrays` can be looked at."""
    return not any(isinstance(array, jax.core.Tracer) for array in arrays)


def as_floats(name: str, value: Any, ndim: int | None = None) -> Array:
    """`value` as a floating-point array; integers and booleans become floats.

    **Arguments:**

    - `name`: what the caller calls it, for the error.
    - `value`: an array, or nested lists of numbers.
    - `ndim`: how many axes it must have; any if `None`.

    **Returns:** an array of floats; `float32` unless it came as another float.

    **Raises:** `TypeError` if it is not numeric; `ValueError` for a wrong rank or a NaN.
    """
    try:
        array = value if isinstance(value, jax.Array) else np.asarray(value)
    except ValueError as error:
        raise ValueError(f"`{name}` must be a rectangular array of numbers: {error}") from None
    dtype = None
    if array.dtype.kind not in "OUSMm":
        dtype = jax.dtypes.canonicalize_dtype(array.dtype)
    if dtype is None or not (jnp.issubdtype(dtype, jnp.number) or dtype == jnp.bool_):
        raise TypeError(f"`{name}` must hold numbers, but its entries are {array.dtype}.")
    if jnp.issubdtype(dtype, jnp.complexfloating):
        raise TypeError(f"`{name}` is complex; attrax works on real numbers.")
    if not jnp.issubdtype(dtype, jnp.floating):
        array = array.astype(jnp.result_type(float))
    array = jnp.asarray(array)
    if ndim is not None and array.ndim != ndim:
        raise ValueError(
            f"`{name}` must have {ndim} {'axis' if ndim == 1 else 'axes'}, "
            f"but its shape is {array.shape}."
        )
    if is_concrete(array) and not (finite := np.isfinite(np.asarray(array))).all():
        where = np.argwhere(~finite)[0]
        remedy = "Replace such entries."
        if name in ("patterns", "queries", "query"):
            remedy = (
                "Replace missing entries, and pass `known=` to `attrax.retrieve` to complete them."
            )
        raise ValueError(
            f"`{name}` holds NaN or infinity, first at index {tuple(int(i) for i in where)}. "
            f"{remedy}"
        )
    return array


def as_mask(name: str, value: Any, shape: tuple[int, ...]) -> Array:
    """`value` as a boolean array of the given shape; True means: takes part."""
    array = value if isinstance(value, jax.Array) else np.asarray(value)
    if array.dtype != np.bool_:
        raise TypeError(
            f"`{name}` must be boolean (True = takes part), but its entries are {array.dtype}."
        )
    array = jnp.asarray(array)
    if array.shape != shape:
        raise ValueError(f"`{name}` must have shape {shape}, but its shape is {array.shape}.")
    return array


def positive(name: str, value: Any) -> Array:
    """`value` as a floating-point scalar, checked to be positive when it is concrete."""
    array = number(name, value)
    if is_concrete(array) and not 0 < float(array) < np.inf:
        raise ValueError(f"`{name}` must be positive and finite, but it is {float(array)}.")
    return array


def is_marked(field: Any, mark: dict[str, bool]) -> bool:
    """Whether a field of a dataclass bears a mark, `POSITIVE` or `GIVEN`."""
    return mark.items() <= field.metadata.items()


def number(name: str, value: Any) -> Array:
    """`value` as a floating-point scalar.

    **Raises:** `TypeError` if it is not a number; `ValueError` for an array of several, or NaN.
    """
    array = value if isinstance(value, jax.Array) else np.asarray(value)
    if array.dtype.kind not in "biuf" and not jnp.issubdtype(array.dtype, jnp.floating):
        raise TypeError(f"`{name}` must be a number, but it is {value!r}.")
    if array.shape != ():
        raise ValueError(f"`{name}` must be one number, but its shape is {array.shape}.")
    if is_concrete(array) and np.isnan(np.asarray(array, np.float64)):
        raise ValueError(f"`{name}` must be a number, but it is NaN.")
    if not jnp.issubdtype(array.dtype, jnp.floating) or not isinstance(array, jax.Array):
        array = jnp.asarray(array, jnp.result_type(float))
    return array


def plain_number(name: str, value: Any) -> float:
    """`value` as a number of Python's, unrounded: for what is known before a program is compiled.

    **Raises:** as `number`.
    """
    number(name, value)
    return float(value)


def whole_number(name: str, value: Any, least: int = 1) -> int:
    """`value` as a whole number of at least so much, of Python's or NumPy's.

    **Raises:** `ValueError` that names it.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        kind = "positive whole number" if least == 1 else f"whole number of at least {least}"
        raise ValueError(f"`{name}` must be a {kind}, but it is {value!r}.")
    return int(value)


def one_key(key: Any) -> Array:
    """`key`, if it is one random key.

    **Raises:** `TypeError` that says how to make one.
    """
    typed = isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    if not typed or key.shape != ():
        raise TypeError("`key` must be one key, such as jax.random.key(0).")
    return key


def check_index(index: Any, shape: tuple[int, ...]) -> None:
    """Refuse whole numbers beyond an axis, for which JAX gives another entry.

    **Raises:** `IndexError` that names the length of the axis.
    """
    parts = index if isinstance(index, tuple) else (index,)
    if any(part is None or part is Ellipsis for part in parts):
        return
    for part, size in zip(parts, shape, strict=False):
        if isinstance(part, int | np.integer) and not -size <= part < size:
            raise IndexError(f"There is no index {part} along an axis of length {size}.")


def is_floats(value: Any, *shape: int | None) -> bool:
    """Whether a value is a floating-point array of a shape, `None` being any length but zero.

    For what a file describes, which may be anything.
    """
    return (
        isinstance(value, jax.Array)
        and jnp.issubdtype(value.dtype, jnp.floating)
        and value.ndim == len(shape)
        and all(a > 0 if b is None else a == b for a, b in zip(value.shape, shape, strict=True))
    )


def shape_of(value: Any) -> tuple[int, ...] | None:
    """The shape of an array, or of what stands for one; `None` of anything else."""
    arrays = jax.Array | jax.ShapeDtypeStruct | np.ndarray | np.generic
    return value.shape if isinstance(value, arrays) else None


def name_of(function: Any) -> str:
    """The name of a function, or of the class of what can be called without having a name."""
    return getattr(function, "__name__", type(function).__name__)


def check_function(name: str, value: Any) -> None:
    """Refuse what cannot be called.

    **Raises:** `TypeError` that says what it is.
    """
    if not callable(value):
        raise TypeError(f"`{name}` must be a function, but it is {type(value).__name__}.")


def one_of(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Refuse a value that is not among the choices."""
    if value not in choices:
        listed = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"`{name}` must be one of {listed}, but it is {value!r}.")
