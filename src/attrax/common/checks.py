"""Errors of attrax, and the checks made where values enter it."""

from collections.abc import Callable
from typing import Any

import jax
import jax.core
import jax.dtypes
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .arrays import covered_by, narrowed, native, to_jax

# Marks of fields, `eqx.field(metadata=POSITIVE)`: values that stay above zero in learning, and
# those that are given from outside and do not learn.
POSITIVE = {"positive": True}
GIVEN = {"given": True}
# Arrays of other libraries that results may hold, and how NumPy gets their numbers to print them;
# the room that makes such results adds its own.
FOREIGN: dict[type, Callable[[Any], np.ndarray]] = {}


class NoEnergyError(ValueError):
    """Raised by `energy` of a memory or model for which no energy is known to descend.

    The message is the reason, the same text as the object's `lacks_energy`.
    """


class FileFormatError(ValueError):
    """Raised when a file is not one that attrax wrote, or is damaged."""


def is_concrete(*arrays: Any) -> bool:
    """Whether values (not only shapes) of all `arrays` can be looked at."""
    return not any(isinstance(array, jax.core.Tracer) for array in arrays)


def as_floats(
    name: str,
    value: Any,
    ndim: int | None = None,
    *,
    dtype: Any = None,
    finite: bool = True,
    known: Array | None = None,
) -> Array:
    """`value` as a floating-point array; integers and booleans become floats.

    **Arguments:**

    - `name`: what the caller calls it, for the error.
    - `value`: what `arrays.native` takes: an array, nested lists of numbers, a frame.
    - `ndim`: how many axes it must have; any if `None`.
    - `dtype`: the type to bring it to; JAX's own float, or its own if it is floating, if `None`.
    - `finite`: whether NaN and infinity are refused. Otherwise masked entries become NaN too.
    - `known`: a mask, of its shape or that of its last axis: only entries where it is True are
      looked at, and others, which may be missing, become 0.

    **Returns:** an array of floats; `float32` unless it came as another float.

    **Raises:** `TypeError` if it is not numeric; `ValueError` for a wrong rank, a NaN, or numbers
    beyond the type.
    """
    array = native(name, value, missing=known is not None or not finite)
    _check_real(name, array)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        # In NumPy, where whole numbers of 64 bits do not wrap.
        own = jnp.result_type(float)
        wide = own if isinstance(array, jax.Array) or array.dtype.itemsize < 8 else np.float64
        array = array.astype(wide)
    given = array
    if known is not None:
        array = _hide(name, given, known, covered_by(value))
    if ndim is not None and array.ndim != ndim:
        raise ValueError(
            f"`{name}` must have {ndim} {'axis' if ndim == 1 else 'axes'}, "
            f"but its shape is {array.shape}.{_reshaped(name, array.shape, ndim)}"
        )
    array = as_type(name, array, dtype)
    if finite and is_concrete(array) and not (good := np.isfinite(np.asarray(array))).all():
        text = _not_finite(name, np.asarray(array), np.asarray(good))
        inverted = known is not None and _whole_elsewhere(given, known)
        remedy = " where `known` is True: is the mask inverted? Pass known=~mask."
        raise ValueError(text + (remedy if inverted else f". {_remedy(name)}"))
    return array


def _check_real(name: str, array: Any) -> None:
    dtype = None
    if jnp.issubdtype(array.dtype, jax.dtypes.extended):
        raise TypeError(f"`{name}` must hold numbers, but it is a random key.")
    if array.dtype.kind not in "OUSMm":
        dtype = jax.dtypes.canonicalize_dtype(array.dtype)
    if dtype is None or not (jnp.issubdtype(dtype, jnp.number) or dtype == jnp.bool_):
        raise TypeError(f"`{name}` must hold numbers, but its entries are {array.dtype}.")
    if jnp.issubdtype(dtype, jnp.complexfloating):
        raise TypeError(f"`{name}` is complex; attrax works on real numbers.")


def as_type(name: str, array: Any, dtype: Any) -> Array:
    """Floats in a type, their own if `None`, or as much of it as JAX has.

    **Raises:** `ValueError` for numbers beyond its range.
    """
    dtype = jax.dtypes.canonicalize_dtype(array.dtype if dtype is None else dtype)
    if array.dtype == dtype:
        return to_jax(array)
    if not is_concrete(array):
        return array.astype(dtype)
    return to_jax(narrowed(name, np.asarray(array), dtype))


def _hide(name: str, array: Any, known: Array, covered: np.ndarray | None) -> Any:
    """The array with zeros where it is not known."""
    if known.shape not in (array.shape, array.shape[-1:]):
        raise ValueError(
            f"`known` must have shape {array.shape[-1:]} or {array.shape}, "
            f"but its shape is {known.shape}."
        )
    if array.ndim == 0:
        raise ValueError(f"`{name}` must have at least one axis, but are a single number.")
    if not is_concrete(known):
        array = to_jax(array)
        return jnp.where(known, array, jnp.zeros((), array.dtype))
    mask = np.asarray(known)
    if not mask.any(axis=-1).all():
        raise ValueError("`known` must know at least one entry of every query.")
    if covered is not None and (covered & mask).any():
        raise ValueError(
            f"`{name}` is masked in entries that are `known`: pass "
            f"known=~numpy.ma.getmaskarray({name})."
        )
    hide = jnp.where if isinstance(array, jax.Array) else np.where
    return hide(mask, array, np.zeros((), array.dtype))


def _whole_elsewhere(array: Any, known: Array) -> bool:
    """Whether it is just the entries that are not known that are numbers."""
    if not is_concrete(array, known):
        return False
    good, mask = np.isfinite(np.asarray(array)), np.asarray(known)
    mask = np.broadcast_to(mask, good.shape)
    return bool(good[~mask].all() and (~mask).any(axis=-1).all() and not good[mask].all())


def _not_finite(name: str, array: np.ndarray, good: np.ndarray) -> str:
    where = tuple(int(i) for i in np.argwhere(~good)[0])
    what = "NaN" if np.isnan(array[where]) else "infinity"
    return f"`{name}` holds {what}" + (f", first at index {where}" if where else "")


def _remedy(name: str) -> str:
    if name in ("queries", "query"):
        return "Replace missing entries, and pass `known=` to `attrax.retrieve` to complete them."
    if name == "patterns":
        return (
            "Stored rows must be whole: impute missing entries, or drop their rows "
            "(`known=` of `attrax.retrieve` completes queries, not rows)."
        )
    return "Replace such entries."


def _reshaped(name: str, shape: tuple[int, ...], ndim: int) -> str:
    """How a wrong number of axes is mended, where that is known."""
    if ndim == 2 and len(shape) > 2 and name in ("patterns", "images", "memories"):
        return f" Flatten each: {name}.reshape(len({name}), -1)."
    if ndim == 2 and len(shape) == 1 and name == "values":
        return " Of labels make jax.nn.one_hot(values, classes), of numbers values[:, None]."
    if ndim == 2 and len(shape) == 1 and name == "patterns":
        return " Of a single row make patterns[None]."
    return ""


def as_array(name: str, value: Any) -> Array:
    """`value` as an array of JAX that stays boolean, whole or floating, as it came.

    **Raises:** `TypeError` if it is not numeric; `ValueError` for numbers beyond JAX's own types.
    """
    array = native(name, value, missing=True)
    _check_real(name, array)
    if isinstance(array, jax.Array) or array.dtype == np.bool_:
        return to_jax(array)
    dtype = jax.dtypes.canonicalize_dtype(array.dtype)
    if array.dtype.kind not in "iu":
        return as_type(name, array, dtype)
    limits = np.iinfo(dtype)
    if array.size and not limits.min <= array.min() <= array.max() <= limits.max:
        raise ValueError(
            f"`{name}` holds whole numbers beyond {dtype}: pass floats, or compute in 64 bits, "
            'jax.config.update("jax_enable_x64", True).'
        )
    return to_jax(array)


def as_doubles(name: str, value: Any, *, missing: bool = False) -> np.ndarray:
    """`value` as doubles of NumPy; masked entries as NaN if they may be missing, else refused.

    **Raises:** `TypeError` if it is not numeric.
    """
    array = native(name, value, missing=missing)
    _check_real(name, array)
    return np.asarray(array).astype(np.float64)


def as_mask(
    name: str, value: Any, shape: tuple[int, ...] | None, means: str = "takes part"
) -> Array:
    """`value` as a boolean array of a shape, or any if `None`; the text says what True means."""
    array = native(name, value)
    if isinstance(array, np.ndarray) and array.dtype.kind == "f" and np.isnan(array).any():
        raise ValueError(f"`{name}` has missing entries: say what they are, {name}.fillna(False).")
    if array.dtype != np.bool_:
        raise TypeError(
            f"`{name}` must be boolean (True = {means}), but its entries are {array.dtype}."
        )
    array = to_jax(array)
    if shape is not None and array.shape != shape:
        raise ValueError(f"`{name}` must have shape {shape}, but its shape is {array.shape}.")
    return array


def as_indices(name: str, value: Any, count: int | None, shape: tuple[int, ...] | None = None):
    """`value` as whole numbers from 0 to below a count, of a shape or along one axis if `None`.

    Without a count there is no upper bound. Values are checked where they are concrete.

    **Raises:** `ValueError` that names it.
    """
    array = as_array(name, native(name, value))
    fits = array.ndim == 1 if shape is None else array.shape == shape
    if not jnp.issubdtype(array.dtype, jnp.integer) or not fits:
        where = "along one axis" if shape is None else f"of shape {shape}"
        raise ValueError(
            f"`{name}` must be whole numbers {where}, but their type is {array.dtype} and "
            f"their shape {array.shape}. For a batch, use jax.vmap."
        )
    if is_concrete(array) and array.size:
        low, high = int(array.min()), int(array.max())
        if low < 0 or (count is not None and high >= count):
            bounds = "be at least 0" if count is None else f"lie between 0 and {count - 1}"
            raise ValueError(f"`{name}` must {bounds}, but they lie between {low} and {high}.")
    return array


def positive(name: str, value: Any) -> Array:
    """`value` as a floating-point scalar, checked to be positive when it is concrete."""
    array = number(name, value)
    if is_concrete(array, value) and not 0 < float(array) < np.inf:
        if float(native(name, value)) > 0 and float(array) == 0:
            raise ValueError(f"`{name}` is {value}, which is too small for {array.dtype}.")
        raise ValueError(f"`{name}` must be positive and finite, but it is {float(array)}.")
    return array


def is_marked(field: Any, mark: dict[str, bool]) -> bool:
    """Whether a field of a dataclass bears a mark, `POSITIVE` or `GIVEN`."""
    return mark.items() <= field.metadata.items()


def number(name: str, value: Any) -> Array:
    """`value` as a floating-point scalar.

    **Raises:** `TypeError` if it is not a number; `ValueError` for an array of several, NaN, or a
    finite number beyond JAX's own.
    """
    array = _scalar(name, value)
    if not isinstance(array, jax.Array):
        array = narrowed(name, array.astype(np.float64), jnp.result_type(float), zeros=True)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        array = array.astype(jnp.result_type(float))
    return to_jax(array)


def _scalar(name: str, value: Any) -> Any:
    try:
        array = native(name, value)
    except TypeError:
        raise TypeError(f"`{name}` must be a number, but it is {value!r}.") from None
    if array.dtype.kind not in "biuf" and not jnp.issubdtype(array.dtype, jnp.floating):
        raise TypeError(f"`{name}` must be a number, but it is {value!r}.")
    if array.shape != ():
        raise ValueError(f"`{name}` must be one number, but its shape is {array.shape}.")
    if is_concrete(array) and np.isnan(np.asarray(array, np.float64)):
        raise ValueError(f"`{name}` must be a number, but it is NaN.")
    return array


def plain_number(name: str, value: Any) -> float:
    """`value` as a number of Python's, unrounded: for what is known before a program is compiled.

    **Raises:** `TypeError` if it is not a number; `ValueError` for an array of several, or NaN.
    """
    return float(_scalar(name, value))


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
    arrays = (jax.Array, jax.ShapeDtypeStruct, np.ndarray, np.generic, *FOREIGN)
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
