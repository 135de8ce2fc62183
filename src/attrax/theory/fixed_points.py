"""What theory says of the fixed points of a modern Hopfield network with given patterns."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..common.arithmetic import accumulate, products
from ..common.checks import as_floats, positive
from .arguments import Numbers
from .modern import modern_required_separation

# Patterns whose scores with all others are held at a time.
_TOGETHER = 256


def modern_separation(patterns: Numbers) -> Float[Array, " n"]:
    """Δ_i = x_i·x_i − max_{j≠i} x_i·x_j, how far a pattern stands out from all others.

    The word is the paper's; it has nothing to do with the functions of `attrax.separation`.
    Computed from patterns less their mean, so that a part which all share costs no figures.

    **Arguments:**

    - `patterns`: x, one a row, shape (N, d).

    **Returns:** shape (N,), in units of x·x; ∞ for one pattern alone, negative where another,
    longer pattern scores more than the pattern itself.

    **Raises:** `ValueError` for another number of axes, an empty array, or entries not finite.

    **Source:** [ramsauer2021hopfield]
    """
    return _separations(_rows(patterns))


def modern_well_separated(patterns: Numbers, beta: Numbers) -> Bool[Array, " n"]:
    """Which patterns stand out so far, Δ_i ≥ `modern_required_separation`, that they are stored.

    **Arguments:**

    - `patterns`: x, one a row, shape (N, d).
    - `beta`: β > 0, in units of 1/(x·x).

    **Returns:** shape (N,).

    **Raises:** `ValueError` as of `modern_separation`, and for a β that is not positive.

    **Source:** [ramsauer2021hopfield]
    """
    rows = _rows(patterns)
    largest = jnp.max(jnp.linalg.norm(rows, axis=1))
    required = modern_required_separation(rows.shape[0], positive("beta", beta), largest)
    return _separations(rows) >= required


def modern_global_beta(patterns: Numbers) -> Float[Array, ""]:
    """β = 4/D², below which all states are drawn to one fixed point, near the mean pattern.

    D is the largest distance of two patterns. The Jacobian of a read is β times the covariance of
    the patterns under their weights, and no variance is above a quarter of the squared range. So
    below this β a read brings any two states closer together. The condition is sufficient: the
    fixed point may be the only one up to a larger β.

    **Arguments:**

    - `patterns`: x, one a row, shape (N, d).

    **Returns:** a scalar, in units of 1/(x·x); ∞ where all patterns are the same.

    **Raises:** `ValueError` as of `modern_separation`.

    **Source:** [ramsauer2021hopfield] for the fixed point
    """
    return _global_beta(_rows(patterns))


def modern_jacobian_norm(patterns: Numbers, state: Numbers, beta: Numbers) -> Float[Array, ""]:
    """‖J‖ = β λ_max(Cov_p(x)), by which a read at a state stretches or shrinks distances.

    p = softmax(β X ξ), and J = β Xᵀ(diag p − p pᵀ)X is the Jacobian of the read. At a fixed point
    it is the ratio of the last steps: 0.5 halves the distance with every read.

    **Arguments:**

    - `patterns`: x, the rows of X, shape (N, d).
    - `state`: ξ, shape (d,); use `jax.vmap` for several.
    - `beta`: β > 0, in units of 1/(x·ξ).

    **Returns:** a scalar.

    **Raises:** `ValueError` for shapes that do not go together, or a β that is not positive.

    **Source:** [ramsauer2021hopfield]
    """
    rows, state = _rows(patterns), as_floats("state", state, ndim=1)
    if state.shape != rows.shape[1:]:
        raise ValueError(
            f"`state` must have shape {rows.shape[1:]} like the patterns, but its shape is "
            f"{state.shape}. Use jax.vmap for several states."
        )
    dtype = jnp.promote_types(rows.dtype, accumulate(state.dtype))
    return _norm(rows.astype(dtype), state.astype(dtype), positive("beta", beta).astype(dtype))


def _rows(patterns):
    rows = as_floats("patterns", patterns, ndim=2)
    if 0 in rows.shape:
        raise ValueError(f"`patterns` are empty: their shape is {rows.shape}.")
    return rows.astype(accumulate(rows.dtype))


@jax.jit
def _separations(rows):
    centre = jnp.mean(rows, axis=0)
    offsets = rows - centre[None]
    along = products(offsets, centre)
    index = jnp.arange(len(rows))

    def one(i):
        scores = products(offsets, offsets[i]) + along
        return scores[i] - jnp.max(jnp.where(index == i, -jnp.inf, scores))

    return jax.lax.map(one, index, batch_size=min(_TOGETHER, len(rows)))


@jax.jit
def _global_beta(rows):
    offsets = rows - jnp.mean(rows, axis=0, keepdims=True)
    # Squares are taken of numbers of order one.
    scale = jnp.max(jnp.abs(offsets))
    offsets = offsets / jnp.where(scale > 0, scale, 1)
    squares = jnp.sum(jnp.square(offsets), axis=1)

    def one(i):
        return jnp.max(squares + squares[i] - 2 * products(offsets, offsets[i]))

    far = jax.lax.map(one, jnp.arange(len(rows)), batch_size=min(_TOGETHER, len(rows)))
    largest = jnp.where(scale > 0, jnp.max(far), 0)
    return 4 / largest / scale / scale


@jax.jit
def _norm(rows, state, beta):
    weights = jax.nn.softmax(beta * products(rows, state))
    spread = jnp.sqrt(weights)[:, None] * (rows - (weights @ rows)[None])
    n, d = spread.shape
    gram = spread.T @ spread if d <= n else spread @ spread.T
    return beta * jnp.linalg.eigvalsh(gram)[-1]
