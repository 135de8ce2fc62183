"""How well a score tells strange rows from familiar ones."""

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.checks import as_floats


def auroc(inside: ArrayLike, outside: ArrayLike) -> Float[Array, ""]:
    """The area under the ROC curve: how often a strange row scores above a familiar one.

    It is P(s_out > s_in) + ½ P(s_out = s_in) over all pairs: 1 if a threshold tells them apart, ½
    if the score says nothing, and below ½ if strange rows score *less*. The energy of a trained
    model is such a score.

    **Arguments:**

    - `inside`: scores of familiar rows, shape (n,).
    - `outside`: scores of strange rows, shape (m,).

    **Returns:** a scalar between 0 and 1; NaN where a score is NaN.

    **Raises:** `ValueError` for another rank, or where there is none.

    **Source:** [fawcett2006introduction]
    """
    low, high = (
        as_floats(name, x, ndim=1, finite=False)
        for name, x in (("inside", inside), ("outside", outside))
    )
    if not low.size or not high.size:
        raise ValueError(
            "`inside` and `outside` must have scores, but their shapes are "
            f"{low.shape} and {high.shape}."
        )
    dtype = jnp.promote_types(low.dtype, high.dtype)
    low, high = jnp.sort(low.astype(dtype)), high.astype(dtype)
    # Means of shares, since counts of pairs may be beyond whole numbers of 32 bits.
    below = jnp.searchsorted(low, high, side="left").astype(jnp.result_type(float)) / low.size
    upto = jnp.searchsorted(low, high, side="right").astype(below.dtype) / low.size
    broken = jnp.any(jnp.isnan(low)) | jnp.any(jnp.isnan(high))
    return jnp.where(broken, jnp.nan, jnp.mean((below + upto) / 2))
