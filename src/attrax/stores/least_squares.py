"""Least squares, one pair after another: how a matrix memory is written by the pseudo-inverse."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ..common.arithmetic import products


def written_pairs(
    matrix: Float[Array, "v m"],
    inverse: Float[Array, "m m"],
    keys: Float[Array, "n m"],
    values: Float[Array, "n v"],
    count: Int[Array, ""],
) -> tuple[Float[Array, "v m"], Float[Array, "m m"]]:
    """The matrix W of least Σ |W k − v|² + λ|W|² after more pairs, in O(m² + m v) for each.

    With Θ = (Σ k kᵀ + λ)⁻¹ of the keys before, a pair adds (v − W k)(Θk)ᵀ/(1 + kᵀΘk) to W, and
    takes Θk(Θk)ᵀ/(1 + kᵀΘk) from Θ. As λ → 0 that is the pseudo-inverse.

    **Arguments:**

    - `matrix`: W, shape (v, m).
    - `inverse`: Θ, symmetric, shape (m, m); the identity over λ where nothing is written.
    - `keys`, `values`: one pair a row, shapes (N, m) and (N, v).
    - `count`: how many of the rows are written, the first ones.

    **Returns:** the new W and Θ.
    """

    def write(i, state):
        matrix, inverse = state
        key, value = keys[i], values[i]
        moved = products(inverse, key)
        mass = 1 + jnp.sum(key * moved)
        error = value - products(matrix, key)
        # A product of a vector with itself keeps the inverse symmetric.
        half = moved / jnp.sqrt(mass)
        gain = moved / mass
        return matrix + error[:, None] * gain[None], inverse - half[:, None] * half[None]

    return jax.lax.fori_loop(0, count, write, (matrix, inverse))
