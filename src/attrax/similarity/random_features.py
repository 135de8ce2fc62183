"""Random features of the Gaussian kernel."""

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import accumulate, products
from ..common.checks import GIVEN, one_key, positive, whole_number
from .directions import random_directions


class RandomFeatures(eqx.Module):
    """φ(x) = (cos √β ωx, sin √β ωx)/√Y, whose products are the Gaussian kernel but for noise.

    E φ(x)·φ(y) = exp(−½ β |x − y|²) over the Y normal frequencies ω, and φ(x)·φ(x) = 1. A product
    is off by about √(1/(2Y)) where rows are far apart, whatever their distance: it may be negative.

    ```python
    features = RandomFeatures(784, 4096, beta=0.1, key=jax.random.key(0))
    similarity = Kernel(features)
    ```

    **Arguments:**

    - `width`: d, the number of entries of a row.
    - `count`: Y, how many frequencies are drawn; there are 2 Y features.
    - `beta`: β > 0, the kernel's inverse temperature, in units of 1/entry².
    - `orthogonal`: whether frequencies are orthogonal in blocks of d, by which errors of rows that
      are near become smaller; see `random_directions`.
    - `key`: of the frequencies.

    **Raises:** `ValueError` for numbers that are not whole or not positive; `TypeError` if `key` is
    not a random key.

    **Source:** [rahimi2007random]; orthogonal ones [yu2016orthogonal]
    """

    frequencies: Float[Array, "y d"]
    beta: Float[Array, ""] = eqx.field(metadata=GIVEN)

    def __init__(
        self, width: int, count: int, beta: ArrayLike, *, orthogonal: bool = False, key: Array
    ):
        shape = whole_number("count", count), whole_number("width", width)
        self.beta = positive("beta", beta)
        self.frequencies = random_directions(*shape, orthogonal=orthogonal, key=one_key(key))

    @property
    def width(self) -> int:
        """d, the number of entries of a row."""
        return self.frequencies.shape[1]

    @property
    def count(self) -> int:
        """Y, the number of frequencies."""
        return self.frequencies.shape[0]

    def __call__(self, row: Float[Array, " d"]) -> Float[Array, " m"]:
        """Features of one row, shape (2 Y,), in at least 32 bits.

        **Arguments:**

        - `row`: shape (d,).
        """
        dtype = accumulate(row.dtype)
        frequencies = self.frequencies.astype(dtype)
        angles = jnp.sqrt(self.beta.astype(dtype)) * products(frequencies, row.astype(dtype))
        both = jnp.concatenate([jnp.cos(angles), jnp.sin(angles)])
        return both / jnp.sqrt(jnp.asarray(self.count, dtype))
