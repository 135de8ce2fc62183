"""How alike two states of two-state units are."""

from typing import Any

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import accumulate
from ..common.checks import as_floats
from ..spaces.units import Units, check_states


def overlap(
    state: ArrayLike, pattern: ArrayLike, *, units: str = "signs"
) -> Float[Array, "*batch"]:
    """m = ξ·σ/d, the overlap of a state σ with a pattern ξ: 1 if equal, −1 if reversed.

    Two that are independent and fair have an overlap of 0 up to 1/√d. For bits it is that of the
    signs 2V − 1 which they stand for, so that it again says how many units agree; sparse patterns
    that are independent then overlap too. States may be graded, such as those of `Tanh` or means
    over time: their overlap is that of their sides only once they are saturated.

    **Arguments:**

    - `state`: shape (..., d).
    - `pattern`: of two states, shape (..., d). Leading axes are broadcast against those of `state`.
    - `units`: what patterns consist of: "signs" (−1 and +1) or "bits" (0 and 1).

    **Returns:** shape (...); in [−1, 1] unless states exceed the levels of units.

    **Raises:** `ValueError` for shapes that do not go together, empty arrays, NaN, unknown units
    and patterns of other values; values are not looked at under jit.

    **Source:** [amit1985storing]
    """
    state, pattern = _pair(state, pattern, checked_units(units))
    if units == "bits":
        state, pattern = 2 * state - 1, 2 * pattern - 1
    dtype = accumulate(state.dtype)
    return jnp.sum(state.astype(dtype) * pattern.astype(dtype), axis=-1) / state.shape[-1]


def bit_error(
    state: ArrayLike, pattern: ArrayLike, *, units: str = "signs"
) -> Float[Array, "*batch"]:
    """The share of units in which a state differs from a pattern, (1 − m)/2 by its overlap m.

    **Arguments:**

    - `state`: of two states, shape (..., d). NaN entries (possible under jit) count as
      different.
    - `pattern`: likewise. Leading axes are broadcast against those of `state`.
    - `units`: "signs" (−1 and +1) or "bits" (0 and 1).

    **Returns:** shape (...), in [0, 1]: 0 if equal, 1 if reversed, about ½ if independent.

    **Raises:** as `overlap`, and `ValueError` for graded states.
    """
    states = checked_units(units)
    state, pattern = _pair(state, pattern, states)
    check_states("state", state, states)
    return jnp.mean(state != pattern, axis=-1, dtype=state.dtype)


def checked_units(units: Any) -> Units:
    """The units, if they are signs or bits.

    **Raises:** `ValueError` for others.
    """
    if units not in ("signs", "bits"):
        raise ValueError(f"`units` must be 'signs' or 'bits', but it is {units!r}.")
    return units


def _pair(state, pattern, units: Units) -> tuple[Array, Array]:
    """Both as floats of one type and shape, the pattern of two states."""
    state, pattern = as_floats("state", state), as_floats("pattern", pattern)
    widths = state.shape[-1:], pattern.shape[-1:]
    if widths[0] != widths[1] or widths[0] == ():
        raise ValueError(
            "`state` and `pattern` must have as many entries along their last axis, but their "
            f"shapes are {state.shape} and {pattern.shape}."
        )
    if 0 in (state.size, pattern.size):
        raise ValueError(
            f"`state` or `pattern` is empty: their shapes are {state.shape} and {pattern.shape}."
        )
    try:
        shape = jnp.broadcast_shapes(state.shape, pattern.shape)
    except ValueError:
        raise ValueError(
            "The leading axes of `state` and `pattern` do not go together: their shapes are "
            f"{state.shape} and {pattern.shape}."
        ) from None
    check_states("pattern", pattern, units)
    dtype = accumulate(jnp.promote_types(state.dtype, pattern.dtype))
    state, pattern = (jnp.broadcast_to(x.astype(dtype), shape) for x in (state, pattern))
    return state, pattern
