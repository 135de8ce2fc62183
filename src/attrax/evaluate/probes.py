"""Damaged cues and what a memory makes of them: shared by scans of capacity and of basins."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ..common.checks import native, plain_number
from ..retrieval import retrieve
from ..spaces.store import AbstractStore
from ..spaces.units import LEVELS, Units


def units_made(make: Callable, shape: tuple[int, int], dtype: Any) -> Units:
    """What units the memories have that `make` makes: "signs" or "bits".

    **Raises:** `TypeError` where `make` makes no memory; `ValueError` for memories of real states
    or of another number of units.
    """
    if not callable(make) or isinstance(make, type):
        what = f"the class {make.__name__}" if isinstance(make, type) else type(make).__name__
        raise TypeError(
            "`make` must be a function of patterns (N, d) that makes a memory, such as "
            f"attrax.learning.Hebb(), but it is {what}."
        )
    memory = eqx.filter_eval_shape(make, jax.ShapeDtypeStruct(shape, dtype))
    if not isinstance(memory, AbstractStore):
        raise TypeError(f"`make` must make a memory, but it makes {type(memory).__name__}.")
    units = memory.units
    if units not in LEVELS:
        raise ValueError(
            f"`make` makes a {type(memory).__name__} of graded states, but what is counted are "
            "units that are right: make memories of units='signs' or 'bits'."
        )
    if memory.width != shape[1]:
        raise ValueError(
            f"`make` must make memories of {shape[1]} units, but makes some of {memory.width}."
        )
    return units


def allowed_units(tolerance: Any, d: int) -> int:
    """How many of d units may be wrong, from the share that may be.

    **Raises:** `TypeError` if it is not a number; `ValueError` for a share outside [0, ½).
    """
    tolerance = plain_number("tolerance", tolerance)
    if not 0 <= tolerance < 0.5:
        raise ValueError(
            "`tolerance` is the share of units that may be wrong, from 0 to below 0.5, but it is "
            f"{tolerance!r}."
        )
    # 0.29 · 100 is 28.999...
    return int(tolerance * d + 1e-9 * d)


def whole_numbers(values: Any) -> np.ndarray | None:
    """A sequence of whole numbers as an array (n,), n > 0, or `None` if it is something else."""
    try:
        array = np.asarray(native("values", list(values) if isinstance(values, range) else values))
    except (TypeError, ValueError):
        return None
    good = array.size > 0 and array.ndim == 1 and array.dtype.kind in "iu"
    return array if good else None


def flip_order(key: PRNGKeyArray, shape: tuple[int, int]) -> Int[Array, "n d"]:
    """A random order of the units of each row, as ranks from 0: those below k are k units.

    **Arguments:**

    - `key`: the random key.
    - `shape`: (n, d).
    """
    return jnp.argsort(jnp.argsort(jax.random.uniform(key, shape), axis=-1), axis=-1)


def flipped(
    rows: Float[Array, "n d"], order: Int[Array, "n d"], count: Int[Array, ""], units: Units
) -> Float[Array, "n d"]:
    """Rows with exactly `count` of their units flipped, the first in the order."""
    low, high = LEVELS[units]
    return jnp.where(order < count, low + high - rows, rows)


def wrong_units(
    memory: Any, cues: Float[Array, "n d"], targets: Float[Array, "n d"], dynamics: Any, key: Any
) -> Int[Array, " n"]:
    """In how many units each state that a cue ends in differs from its target; NaN differs."""
    random = dynamics is not None and dynamics.random
    found = retrieve(memory, cues, dynamics, key=key if random else None).state
    return jnp.sum(found != targets.astype(found.dtype), axis=-1, dtype=jnp.int32)
