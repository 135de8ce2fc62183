"""The type that sums are taken in."""

import jax.numpy as jnp


def accumulate(dtype) -> jnp.dtype:
    """The type to sum entries of a floating-point type in: itself, or float32 if narrower."""
    return jnp.dtype(dtype) if jnp.finfo(dtype).bits >= 32 else jnp.dtype(jnp.float32)
