"""Random patterns, the data of capacity theory."""

import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from ..common.buckets import cut, rounded
from ..common.checks import one_key

_KINDS = ("binary", "gaussian", "unit")


def random_patterns(
    n: int,
    d: int,
    *,
    kind: str = "binary",
    key: PRNGKeyArray,
) -> Float[Array, "n d"]:
    """Draw independent random patterns.

    - `"binary"`: entries −1 and +1, equally likely; |x|² = d.
    - `"gaussian"`: entries standard normal; |x|² = d on average.
    - `"unit"`: uniform on the unit sphere; |x| = 1.

    **Arguments:**

    - `n`: how many patterns.
    - `d`: how many entries each has.
    - `kind`: one of the three above.
    - `key`: the random key.

    **Returns:** the patterns, one a row, shape `(n, d)`.

    **Raises:** `ValueError` for an unknown kind or sizes below 1.
    """
    for name, value in (("n", n), ("d", d)):
        if value < 1:
            raise ValueError(f"{name} is {value}; it must be at least 1.")
    key = one_key(key)
    # The first rows of more are the same, and few numbers of rows have to be compiled.
    drawn = rounded(n)
    if kind == "binary":
        return cut(jr.rademacher(key, (drawn, d), float), (n,))
    if kind not in _KINDS:
        raise ValueError(f"kind is {kind!r}; it must be one of {', '.join(map(repr, _KINDS))}.")
    x = cut(jr.normal(key, (drawn, d)), (n,))
    return x if kind == "gaussian" else x / jnp.linalg.norm(x, axis=1, keepdims=True)
