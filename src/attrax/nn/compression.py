"""Compressions: fewer rows in place of those that leave a memory."""

from abc import abstractmethod
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.checks import as_floats, one_key, whole_number
from .projections import normal


class AbstractCompression(eqx.Module):
    """c rows become one: shape (n, d) → (n/c, d), in the order in which they stand."""

    rate: eqx.AbstractVar[int]
    # Whether it asks how much each row was read.
    needs_usage: eqx.AbstractClassVar[bool]

    def __check_init__(self):
        """Refuse a rate that is not a positive whole number."""
        whole_number("rate", self.rate)

    @abstractmethod
    def __call__(self, rows: ArrayLike, usage: ArrayLike | None = None) -> Float[Array, "m d"]:
        """The rows, compressed.

        **Arguments:**

        - `rows`: shape (n, d), n a multiple of the rate.
        - `usage`: the weight with which each row was read, shape (n,), where it `needs_usage`.

        **Raises:** `ValueError` for other shapes.
        """


class MeanCompression(AbstractCompression):
    """The mean of every c rows.

    **Arguments:**

    - `rate`: c.

    **Raises:** `ValueError` if it is not a positive whole number.

    **Source:** [rae2020compressive]
    """

    rate: int = eqx.field(static=True)
    needs_usage: ClassVar[bool] = False

    def __call__(self, rows, usage=None):
        """See `AbstractCompression.__call__`."""
        return jnp.mean(_groups(self, rows), axis=1)


class MaxCompression(AbstractCompression):
    """The largest of every c rows, entry by entry.

    **Arguments:**

    - `rate`: c.

    **Raises:** `ValueError` if it is not a positive whole number.

    **Source:** [rae2020compressive]
    """

    rate: int = eqx.field(static=True)
    needs_usage: ClassVar[bool] = False

    def __call__(self, rows, usage=None):
        """See `AbstractCompression.__call__`."""
        return jnp.max(_groups(self, rows), axis=1)


class MostUsedCompression(AbstractCompression):
    """The n/c rows that were read with the largest weights, in the order in which they stood.

    **Arguments:**

    - `rate`: c.

    **Raises:** `ValueError` if it is not a positive whole number; when called, without `usage`.

    **Source:** [rae2020compressive]
    """

    rate: int = eqx.field(static=True)
    needs_usage: ClassVar[bool] = True

    def __call__(self, rows, usage=None):
        """See `AbstractCompression.__call__`."""
        groups = _groups(self, rows)
        rows = groups.reshape(-1, groups.shape[2])
        usage = None if usage is None else as_floats("usage", usage)
        if usage is None or usage.shape != rows.shape[:1]:
            found = "there is none" if usage is None else f"its shape is {usage.shape}"
            raise ValueError(f"`usage` must have shape {rows.shape[:1]}, but {found}.")
        count = groups.shape[0]
        return rows[jnp.sort(jax.lax.top_k(usage, count)[1])]


class ConvolutionCompression(AbstractCompression):
    """Σ_j W_j row_j + b of every c rows: a convolution whose kernel and stride are c.

    It starts as their mean, up to small random weights, and learns from a loss of its own: see
    `CompressiveMemory`.

    **Arguments:**

    - `size`: d.
    - `rate`: c.
    - `decoder`: whether it also has weights that give the rows back, one d × d matrix for each of
      the c, which the loss "autoencoding" needs.
    - `deviation`: standard deviation of what is added to the weights of the mean.
    - `key`: of these.

    **Raises:** `ValueError` for sizes that are not positive whole numbers.

    **Source:** [rae2020compressive]
    """

    weights: Float[Array, "c d d"]
    bias: Float[Array, " d"]
    decoder: Float[Array, "c d d"] | None
    rate: int = eqx.field(static=True)
    needs_usage: ClassVar[bool] = False

    def __init__(
        self, size: int, rate: int, *, decoder: bool = False, deviation: float = 0.02, key: Array
    ):
        size, self.rate = whole_number("size", size), whole_number("rate", rate)
        one, two = jax.random.split(one_key(key))
        shape, same = (self.rate, size, size), jnp.eye(size)[None]
        self.weights = same / self.rate + normal(shape, deviation, one)
        self.bias = jnp.zeros(size)
        self.decoder = same + normal(shape, deviation, two) if decoder else None

    def __call__(self, rows, usage=None):
        """See `AbstractCompression.__call__`."""
        groups = _groups(self, rows)
        if groups.shape[2] != self.bias.shape[0]:
            raise ValueError(
                f"`rows` must have {self.bias.shape[0]} entries, but they have {groups.shape[2]}."
            )
        dtype = jnp.promote_types(groups.dtype, self.weights.dtype)
        out = jnp.einsum("ncd,ced->ne", groups.astype(dtype), self.weights.astype(dtype))
        return (out + self.bias.astype(dtype)[None]).astype(groups.dtype)

    def decode(self, compressed: ArrayLike) -> Float[Array, "n d"]:
        """Rows from compressed ones, c from each.

        **Raises:** `ValueError` without a `decoder`.
        """
        if self.decoder is None:
            raise ValueError("This compression has no `decoder`; make it with decoder=True.")
        compressed = as_floats("compressed", compressed, ndim=2)
        rows = jnp.einsum("md,ced->mce", compressed, self.decoder.astype(compressed.dtype))
        return rows.reshape(-1, compressed.shape[1])


def _groups(compression: AbstractCompression, rows) -> Float[Array, "m c d"]:
    rows = as_floats("rows", rows)
    if rows.ndim != 2 or rows.shape[0] % compression.rate:
        raise ValueError(
            f"`rows` must have shape (n, d), n a multiple of the rate, {compression.rate}, but "
            f"their shape is {rows.shape}."
        )
    return rows.reshape(-1, compression.rate, rows.shape[1])
