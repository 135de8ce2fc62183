"""Feature maps of linear attention and fast weights, which `Kernel` and matrix memories take."""

from collections.abc import Callable
from typing import Literal, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..common.arithmetic import accumulate, inverse, unit
from ..common.checks import one_of, whole_number
from .kernels import as_feature_map

Norm = Literal["sum", "l2"]


class DPFP(eqx.Module):
    """φ(x) = (r ⊙ roll(r, 1), …, r ⊙ roll(r, ν)) of r = (max(x, 0), max(−x, 0)): 2 d ν features.

    The deterministic parameter-free projection: no feature is negative, and of normal entries a
    quarter differ from zero. roll(r, i) moves entries by i places towards the end.

    ```python
    similarity = Kernel(DPFP(2), "non-negative")
    ```

    **Arguments:**

    - `order`: ν ≥ 1. From ν = d on some features are zero whatever x is, those of an entry and its
      own negative.

    **Raises:** `ValueError` if the order is not a whole number ≥ 1.

    **Source:** [schlag2021linear]
    """

    order: int = eqx.field(static=True)

    def __init__(self, order: int = 1):
        self.order = whole_number("order", order)

    def __call__(self, row: Float[Array, " d"]) -> Float[Array, " m"]:
        """Features of one row, shape (2 d ν,).

        **Arguments:**

        - `row`: shape (d,).
        """
        halves = jax.nn.relu(jnp.concatenate([row, -row]))
        rolls = range(1, self.order + 1)
        return jnp.concatenate([halves * jnp.roll(halves, places) for places in rolls])


class ELUFeatures(eqx.Module):
    """φ(x) = elu(x) + 1: 1 + x where x is positive, and eˣ elsewhere. All features are positive.

    ```python
    similarity = Kernel(ELUFeatures(), "positive")
    ```

    **Source:** [katharopoulos2020transformers]
    """

    def __call__(self, row: Float[Array, " d"]) -> Float[Array, " d"]:
        """Features of one row, shape (d,).

        **Arguments:**

        - `row`: shape (d,).
        """
        # Unlike eˣ − 1 + 1, eˣ does not round to zero.
        return jnp.where(row > 0, 1 + row, jnp.exp(jnp.where(row > 0, 0, row)))


class NormalisedFeatures(eqx.Module):
    """Another feature map, divided by the sum or by the length of its features.

    A row without features keeps none: 0/0 is 0.

    **Arguments:**

    - `feature_map`: φ, a function or module of one row (d,) to (m,).
    - `norm`: "sum" is φ/Σ_j φ_j, for features that are not negative; "l2" is φ/|φ|.

    **Raises:** `TypeError` if `feature_map` cannot be called; `ValueError` for another norm.

    **Source:** [schlag2021linear]
    """

    feature_map: Callable = eqx.field(converter=as_feature_map)
    norm: Norm = eqx.field(static=True, default="l2")

    def __check_init__(self):
        """Refuse other norms."""
        one_of("norm", self.norm, get_args(Norm))

    def __call__(self, row: Float[Array, " d"]) -> Float[Array, " m"]:
        """Features of one row, shape (m,).

        **Arguments:**

        - `row`: shape (d,).
        """
        features = self.feature_map(row)
        if self.norm == "l2":
            return unit(features)
        wide = features.astype(accumulate(features.dtype))
        return (wide * inverse(jnp.sum(wide))).astype(features.dtype)
