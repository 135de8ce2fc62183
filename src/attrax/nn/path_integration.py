"""Path integration: position codes that follow what an agent does."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import accumulate
from ..common.checks import as_floats, check_function


def rotate_code(code: ArrayLike, angles: ArrayLike) -> Float[Array, " g"]:
    """A position code of m phases, each turned by its angle.

    The code is g = (cos φ_1, …, cos φ_m, sin φ_1, …, sin φ_m). A step r of the path turns the
    phase j by k_j·r, for a frequency k_j, so that the code depends on the place and not on the
    path that led there. Turning is linear: g ↦ g W_r with an orthogonal W_r.

    **Arguments:**

    - `code`: g, shape (2m,).
    - `angles`: by how much each phase is turned, in radians, shape (m,).

    **Returns:** shape (2m,).

    **Raises:** `ValueError` for a code that is not twice as long as the angles.

    **Source:** [whittington2022relating], whose matrices are learnt
    """
    code, angles = as_floats("code", code, ndim=1), as_floats("angles", angles, ndim=1)
    if len(code) != 2 * len(angles):
        raise ValueError(
            f"`code` must have two entries an angle, {2 * len(angles)}, but has {len(code)}."
        )
    code, angles = one_type(code, angles)
    real, imaginary = jnp.split(code, 2)
    cosine, sine = jnp.cos(angles), jnp.sin(angles)
    return jnp.concatenate([real * cosine - imaginary * sine, real * sine + imaginary * cosine])


def integrate_path(move: Callable, moves: Any, start: ArrayLike) -> Float[Array, "t g"]:
    """The position codes of a path, g_{t+1} = move(g_t, a_t), from the first one on.

    **Arguments:**

    - `move`: a function of (code, move) to the code after it, such as `rotate_code`.
    - `moves`: what each of T − 1 steps does, an array, or several of them in a pytree, along whose
      first axis the steps are.
    - `start`: the first code, shape (g,).

    **Returns:** shape (T, g).

    **Raises:** `TypeError` if `move` is not a function, `ValueError` for a start of another shape.

    **Source:** [whittington2022relating], Eq. 2
    """
    check_function("move", move)
    (start,) = one_type(as_floats("start", start, ndim=1))

    def step(code, each):
        code = move(code, each).astype(start.dtype)
        return code, code

    return jnp.concatenate([start[None], jax.lax.scan(step, start, moves)[1]])


def one_type(*arrays: Float[Array, "..."]) -> tuple[Float[Array, "..."], ...]:
    """Arrays in one floating-point type, of at least 32 bits."""
    dtype = max((accumulate(array.dtype) for array in arrays), key=lambda dtype: dtype.itemsize)
    return tuple(array.astype(dtype) for array in arrays)
