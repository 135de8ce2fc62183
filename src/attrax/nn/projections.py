"""What layers share: linear maps with a given spread at the start, and heads."""

from collections.abc import Collection

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..common.arithmetic import accumulate
from ..common.checks import as_floats


def linear(size: int, out: int, *, bias: bool, deviation: float, key: Array) -> eqx.nn.Linear:
    """A linear map with normal weights of a standard deviation, and a bias of zero."""
    layer = eqx.nn.Linear(size, out, use_bias=bias, key=key)
    layer = eqx.tree_at(lambda layer: layer.weight, layer, normal((out, size), deviation, key))
    if not bias:
        return layer
    return eqx.tree_at(lambda layer: layer.bias, layer, jnp.zeros_like(layer.bias))


def normal(shape: tuple[int, ...], deviation: float, key: Array) -> Array:
    """Normal numbers of mean zero."""
    return deviation * jax.random.normal(key, shape)


def each(layer, rows: Float[Array, "n a"]) -> Float[Array, "n b"]:
    """A layer of one row for each of several; rows themselves without one."""
    return rows if layer is None else jax.vmap(layer)(rows)


def mapped(layer: eqx.nn.Linear, rows: Float[Array, "n a"]) -> Float[Array, "n b"]:
    """A linear map of rows, x Wᵀ + b, in at least 32 bits.

    Mapped over rows, W x would come out transposed.
    """
    dtype = accumulate(rows.dtype)
    out = rows.astype(dtype) @ layer.weight.T.astype(dtype)
    return out if layer.bias is None else out + layer.bias.astype(dtype)[None]


def in_heads(layer, rows: Float[Array, "n a"], heads: int) -> Float[Array, "h n z"]:
    """Projections of rows, one a head; the rows themselves for every head without a layer.

    They are of at least 32 bits.
    """
    if layer is None:
        return jnp.broadcast_to(rows.astype(accumulate(rows.dtype)), (heads, *rows.shape))
    out = mapped(layer, rows)
    return jnp.moveaxis(out.reshape(rows.shape[0], heads, -1), 1, 0)


def checked_rows(name: str, value, size: int) -> Float[Array, "n d"]:
    """`value` as rows of a size.

    **Raises:** `ValueError` that names it.
    """
    rows = as_floats(name, value, ndim=2)
    if rows.shape[1] != size:
        raise ValueError(
            f"`{name}` must have shape (rows, {size}), but its shape is {rows.shape}."
            + (" For a batch, use jax.vmap." if rows.ndim > 2 else "")
        )
    if rows.shape[0] == 0:
        raise ValueError(f"`{name}` has no rows: its shape is {rows.shape}.")
    return rows


def chosen(name: str, value, among: tuple[str, ...]) -> tuple[str, ...]:
    """Some of several words, in their order; all for True and none for False.

    **Raises:** `ValueError` for others.
    """
    if isinstance(value, bool):
        return among if value else ()
    given = (value,) if isinstance(value, str) else value
    fits = isinstance(given, Collection) and all(word in among for word in given)
    if not fits:
        raise ValueError(
            f"`{name}` must be True, False or some of {', '.join(map(repr, among))}, "
            f"but it is {value!r}."
        )
    return tuple(word for word in among if word in given)


def as_share(name: str, value) -> float:
    """`value` as a number in [0, 1).

    **Raises:** `ValueError` that names it.
    """
    real = isinstance(value, int | float) and not isinstance(value, bool)
    if not real or not 0 <= value < 1:
        raise ValueError(f"`{name}` must be a number from 0 to below 1, but it is {value!r}.")
    return float(value)
