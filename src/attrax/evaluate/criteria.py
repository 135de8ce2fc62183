"""When a pattern counts as retrieved."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from ..common.arithmetic import accumulate
from ..common.checks import as_array, as_floats, native


def squared_error(state: ArrayLike, target: ArrayLike) -> Float[Array, "*n"]:
    """Σ_i (state_i − target_i)², in the squared unit of the entries.

    **Arguments:**

    - `state`: what was read, shape (..., d).
    - `target`: what should have been, shape (..., d).

    **Returns:** one error a state, shape (...).

    **Raises:** `TypeError` for what holds no numbers.
    """
    return jnp.sum(jnp.square(_difference(state, target)), axis=-1)


def _difference(state: Any, target: Any) -> Array:
    """Theirs, in a type that holds its square; what NumPy holds exactly is subtracted there."""
    pair = {"state": native("state", state, missing=True)}
    pair["target"] = native("target", target, missing=True)
    arrays = list(pair.values())
    if all(isinstance(x, np.ndarray) and x.dtype.kind in "biuf" for x in arrays) and any(
        x.dtype.itemsize > 4 for x in arrays
    ):
        one, other = (x.astype(np.float64) for x in arrays)
        return as_floats("state − target", one - other, finite=False)
    one, other = (as_floats(name, x, finite=False) for name, x in pair.items())
    dtype = accumulate(jnp.promote_types(one.dtype, other.dtype))
    return one.astype(dtype) - other.astype(dtype)


def retrieved(state: ArrayLike, target: ArrayLike, threshold: ArrayLike) -> Bool[Array, "*n"]:
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
    limit = as_floats("threshold", threshold, finite=False)
    return squared_error(state, target) <= limit


def exact_row(scores: ArrayLike, index: ArrayLike) -> Bool[Array, "*m"]:
    """Whether the best of the scores (or weights) is that of the row that should be found.

    It is the same for every increasing separation, so it isolates the similarity. Ties go to the
    row stored first, and NaN counts as best, as with `argmax`.

    **Arguments:**

    - `scores`: scores or weights of the stored rows, shape (..., N).
    - `index`: the row that should be found, shape (...) or its last axes.

    **Returns:** shape (...), True where that row is the best.

    **Raises:** `TypeError` for an index that is not of whole numbers.
    """
    scores = native("scores", scores)
    # In NumPy no two scores become equal by rounding.
    find = jnp.argmax if isinstance(scores, jax.Array) else np.argmax
    best = jnp.asarray(find(scores, axis=-1))
    rows = as_array("index", index)
    if not jnp.issubdtype(rows.dtype, jnp.integer):
        raise TypeError(f"`index` must hold whole numbers, but its entries are {rows.dtype}.")
    return best == jnp.broadcast_to(rows.astype(best.dtype), best.shape)


def fractions(errors: Float[Array, " n"], thresholds: Float[Array, " t"]) -> Float[Array, " t"]:
    """The share of errors at or below each threshold."""
    return jnp.mean(errors[:, None] <= thresholds[None], axis=0)
