"""When a pattern counts as retrieved."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

Rows = Array | np.ndarray


def squared_error(state: Float[Rows, "*n d"], target: Float[Rows, "*n d"]) -> Float[Array, "*n"]:
    """Σ_i (state_i − target_i)², in the squared unit of the entries.

    **Arguments:**

    - `state`: what was read, shape (..., d).
    - `target`: what should have been, shape (..., d).

    **Returns:** one error a state, shape (...).
    """
    return jnp.sum(jnp.square(jnp.asarray(state) - target), axis=-1)


def retrieved(
    state: Float[Rows, "*n d"], target: Float[Rows, "*n d"], threshold: int | float | Rows
) -> Bool[Array, "*n"]:
    """Whether the squared error is at most a threshold; a state with NaN is not retrieved.

    The threshold decides much. On images in [0, 1] with 784 pixels the published 60 is generous:
    the mean of all stored images meets it for four in ten. Read it beside `baseline_mean_image`,
    at 10 or less, and beside `exact_row`.

    **Arguments:**

    - `state`: what was read, shape (..., d).
    - `target`: what should have been, shape (..., d).
    - `threshold`: the largest squared error that counts, ≥ 0.

    **Returns:** shape (...), True where retrieved.

    **Source:** [millidge2022universal]
    """
    return squared_error(state, target) <= threshold


def exact_row(scores: Float[Rows, "*m n"], index: Int[Rows, "*k"]) -> Bool[Array, "*m"]:
    """Whether the best of the scores (or weights) is that of the row that should be found.

    It is the same for every increasing separation, so it isolates the similarity. Ties go to the
    row stored first, and NaN counts as best, as with `argmax`.

    **Arguments:**

    - `scores`: scores or weights of the stored rows, shape (..., N).
    - `index`: the row that should be found, shape (...) or its last axes.

    **Returns:** shape (...), True where that row is the best.
    """
    found = jnp.argmax(scores, axis=-1)
    return found == jnp.broadcast_to(index, found.shape)


def fractions(errors: Float[Array, " n"], thresholds: Float[Array, " t"]) -> Float[Array, " t"]:
    """The share of errors at or below each threshold."""
    return jnp.mean(errors[:, None] <= thresholds[None], axis=0)
