"""What people hold numbers in, as arrays that JAX takes: the one gate of all that comes in.

JAX drops the masks of masked arrays or refuses them, wraps whole numbers beyond its own, and knows
no other byte order, no long doubles and no objects. All of these are settled here, in NumPy.
"""

import decimal
import fractions
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

# What an entry of an array of objects may be.
_WHOLE = (bool, np.bool_, int, np.integer)
_REAL = (*_WHOLE, float, np.floating, decimal.Decimal, fractions.Fraction)
# Below this XLA takes single precision, and what is narrower, for zero.
_TINY = float(np.finfo(np.float32).tiny)
# The bytes at whose multiples arrays of XLA begin.
_ALIGNMENT = 64


def native(name: str, value: Any, *, missing: bool = False) -> jax.Array | np.ndarray:
    """`value` as an array of booleans, whole numbers or floats that JAX can take.

    **Arguments:**

    - `name`: what the caller calls it, for the error.
    - `value`: an array of JAX, which stays as it is, or anything that NumPy makes an array of:
      nested lists, frames and columns of pandas, in any byte order, of long doubles or of objects.
    - `missing`: whether masked entries become NaN, as those that are `None` or pandas' `NA` do;
      otherwise they are refused.

    **Returns:** an array of JAX if it was one, else of NumPy; doubles and 64-bit integers stay.

    **Raises:** `TypeError` for what holds no numbers; `ValueError` for ragged lists, masked
    entries, and numbers beyond double precision.
    """
    if isinstance(value, jax.Array):
        return value
    if value is None:
        raise TypeError(f"`{name}` must hold numbers, but it is None.")
    try:
        masked = _masked_form(value)
        array = np.asarray(value if masked is None else masked)
    except ValueError as error:
        raise ValueError(f"`{name}` must be a rectangular array of numbers: {error}") from None
    if array.dtype.names is not None:
        raise TypeError(
            f"`{name}` must hold numbers, but it is a table with the fields {array.dtype.names}; "
            "numpy.lib.recfunctions.structured_to_unstructured makes an array of it."
        )
    covered = None if masked is None else np.ma.getmaskarray(masked)
    if covered is not None and covered.any():
        if not missing:
            raise ValueError(_masked_text(name, covered))
        # What lies under a mask may be of any kind.
        array = np.where(covered, np.nan, array)
    if array.dtype == object:
        array = _numbers_of(name, array, value)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = _in_doubles(name, array, missing)
    return array


def _in_doubles(name: str, array: np.ndarray, missing: bool) -> np.ndarray:
    if not missing:
        return narrowed(name, array, np.dtype(np.float64))
    # Where entries may be missing, those beyond doubles are infinite, and may be hidden yet.
    with np.errstate(over="ignore", under="ignore"):
        return array.astype(np.float64)


def to_jax(array: jax.Array | np.ndarray) -> jax.Array:
    """An array on the device, a copy which later changes of one of NumPy do not reach.

    Nothing is compiled for its shape, as `jax.numpy.asarray` would; and that would let large arrays
    share their memory with those of NumPy.
    """
    if isinstance(array, jax.Array):
        return array
    copy = aligned(array.shape, array.dtype)
    copy[...] = array
    return jax.device_put(copy)


def aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array of NumPy, not filled yet, whose memory JAX on a CPU takes over without a copy.

    Nobody may write to it once it is on the device.
    """
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    begin = -memory.ctypes.data % _ALIGNMENT
    return memory[begin : begin + size].view(dtype).reshape(shape)


def covered_by(value: Any) -> np.ndarray | None:
    """Which entries of a masked array, or of lists of such, are masked; `None` of others."""
    masked = None if isinstance(value, jax.Array) else _masked_form(value)
    return None if masked is None else np.ma.getmaskarray(masked)


def narrowed(name: str, array: np.ndarray, dtype: Any, *, zeros: bool = False) -> np.ndarray:
    """Floats of NumPy in another type, if that can hold them.

    **Arguments:**

    - `name`: what the caller calls it, for the error.
    - `array`: of floats.
    - `dtype`: the type to bring it to.
    - `zeros`: whether numbers too small for the type may all become zero.

    **Raises:** `ValueError` for an entry beyond its range, and for an array, or a row of patterns
    or queries, of which nothing but zeros would be left.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        narrow = array.astype(dtype)
    if not narrow.size or _largest(dtype) >= _largest(array.dtype):
        return narrow
    rows = narrow.ndim > 1 and name in ("patterns", "queries")
    size = np.max(np.abs(narrow), axis=-1 if rows else None)
    if not np.isfinite(size).all() and (over := ~np.isfinite(narrow) & np.isfinite(array)).any():
        raise ValueError(
            f"`{name}` holds {_shown(array[over][0])}{_place(over)}, which is too large for "
            f"{np.dtype(dtype).name}, whose largest is {float(jnp.finfo(dtype).max):.2g}: "
            f"{_remedy(dtype)}."
        )
    gone = size < _TINY
    if not zeros and gone.any() and (lost := gone & np.any(array != 0, -1 if rows else None)).any():
        index = tuple(int(i) for i in np.argwhere(lost)[0]) if rows else ()
        first = array[index]
        where = f" at index {index}" if rows else ""
        raise ValueError(
            f"`{name}` holds nothing above {np.max(np.abs(first)):.3g}{where}, which is too small "
            f"for {np.dtype(dtype).name} and would become zero: {_remedy(dtype)}."
        )
    return narrow


def _largest(dtype: Any) -> Any:
    kind = np.dtype(dtype)
    return (np.finfo if kind.kind == "f" else jnp.finfo)(kind).max


def _remedy(dtype) -> str:
    bits = jnp.finfo(dtype).bits
    if bits < 32:
        return "divide it by its scale, or keep everything in float32"
    double = 'jax.config.update("jax_enable_x64", True)'
    return "divide it by its scale" + (f", or compute in doubles, {double}" if bits < 64 else "")


def _shown(entry: Any) -> str:
    """A float of three figures; long doubles too, which `format` would round to infinity."""
    wide = type(entry) is np.longdouble and not np.isfinite(float(entry))
    return np.format_float_scientific(entry, 3) if wide else f"{float(entry):.3g}"


def _place(wrong: np.ndarray) -> str:
    """Where the first is, for an error; nothing for a single number."""
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    return f" at index {index}" if index else ""


def _masked_form(value: Any) -> np.ma.MaskedArray | None:
    """The masked array that a value is, or that lists of such make; `None` if none is masked."""
    if isinstance(value, np.ma.MaskedArray):
        return value
    return np.ma.asarray(value) if isinstance(value, list | tuple) and _any_masked(value) else None


def _any_masked(values: Any) -> bool:
    return any(
        isinstance(entry, np.ma.MaskedArray)
        or (isinstance(entry, list | tuple) and _any_masked(entry))
        for entry in values
    )


def _masked_text(name: str, covered: np.ndarray) -> str:
    count = int(covered.sum())
    many = "one masked entry" if count == 1 else f"{count} masked entries"
    text = f"`{name}` has {many}, the first{_place(covered)}; what a mask hides is no datum"
    if name in ("queries", "query"):
        return (
            f"{text}: complete them, attrax.retrieve(memory, {name}.filled(0), "
            f"known=~numpy.ma.getmaskarray({name}))."
        )
    if name == "patterns":
        return (
            f"{text}: stored rows must be whole, so impute masked entries, or leave out their rows "
            "by numpy.ma.compress_rows(patterns)."
        )
    return f"{text}: fill them first, {name}.filled(value)."


def _numbers_of(name: str, array: np.ndarray, value: Any) -> np.ndarray:
    """An array of objects that are plain numbers, or missing, as one of numbers."""
    entries = [_plain(entry) for entry in array.reshape(-1).tolist()]
    whole = boolean = True
    for i, entry in enumerate(entries):
        if entry is None:
            whole = boolean = False
        elif not isinstance(entry, _REAL):
            raise TypeError(_object_text(name, entry, np.unravel_index(i, array.shape), value))
        else:
            whole = whole and isinstance(entry, _WHOLE)
            boolean = boolean and isinstance(entry, bool | np.bool_)
    if boolean:
        return np.array(entries, bool).reshape(array.shape)
    if whole and all(-(1 << 63) <= entry < 1 << 63 for entry in entries):
        return np.array([int(entry) for entry in entries], np.int64).reshape(array.shape)
    floats = np.array([_double(name, entry) for entry in entries], np.float64)
    return floats.reshape(array.shape)


def _plain(entry: Any) -> Any:
    """An entry as it is, `None` if it is missing, and the number in an array of no axes."""
    # Pandas need not be there, and so is known by name.
    if entry is None or entry is np.ma.masked or type(entry).__name__ == "NAType":
        return None
    if isinstance(entry, jax.Array | np.ndarray):
        return entry.item() if entry.shape == () else entry
    return entry


def _double(name: str, entry: Any) -> float:
    if entry is None:
        return math.nan
    try:
        number = float(entry)
    except OverflowError:
        number = math.inf
    except ValueError:
        return math.nan
    finite = not isinstance(entry, decimal.Decimal) or entry.is_finite()
    if math.isinf(number) and finite and not isinstance(entry, float | np.floating):
        raise ValueError(
            f"`{name}` holds a number that is too large for double precision: rescale."
        )
    return number


def _object_text(name: str, entry: Any, index: tuple, value: Any) -> str:
    place = tuple(int(i) for i in index)
    kind = type(entry).__name__
    if not place:
        remedy = " Pass x.toarray()." if "sparse" in type(entry).__module__ else ""
        return f"`{name}` must hold numbers, but it is of type {kind}.{remedy}"
    remedy = ""
    if type(value).__name__ == "DataFrame":
        remedy = " Keep its columns of numbers, frame.select_dtypes(['number', 'bool'])."
    elif isinstance(entry, str):
        remedy = " If all are numbers, .astype(float) reads them."
    return f"`{name}` must hold numbers, but at index {place} is {entry!r:.40}, a {kind}.{remedy}"
