"""Lambert's function, which solves w e^w = x, of arguments beyond the range of floats."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .arguments import Numbers, reals


def wright_omega(y: Numbers) -> Float[Array, "..."]:
    """ω(y) = W₀(e^y), Lambert's function of an exponential: the solution of ω + ln ω = y.

    **Arguments:**

    - `y`: any number, any shape; e^y need not be within the range of floats.

    **Returns:** ω > 0, shape of `y`; 0 where it is too small for its type.

    **Raises:** `TypeError` or `ValueError` if `y` is not an array of finite numbers.

    **Source:** [corless2002wright]
    """
    (y,) = reals(y=y)
    return _omega(y)


@jax.custom_jvp
def _omega(y):
    # For u = ln ω, u + e^u = y is convex: Newton's steps from above fall to the root.
    u = jnp.where(y > 1, jnp.log(jnp.maximum(y, 1)), y)

    def step(_, u):
        grown = jnp.exp(u)
        return u - (u + grown - y) / (1 + grown)

    u = jax.lax.fori_loop(0, 8, step, u)
    return jnp.where(y > 1, y - u, jnp.exp(u))


@_omega.defjvp
def _omega_jvp(primals, tangents):
    omega = _omega(*primals)
    return omega, omega / (1 + omega) * tangents[0]
