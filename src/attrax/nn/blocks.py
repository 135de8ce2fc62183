"""Blocks of transformers around Hopfield layers."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.checks import as_floats, one_key, whole_number
from .hopfield import HopfieldAttention
from .projections import as_share, checked_rows, each, mapped


class Residual(eqx.Module):
    """x + f(x) with dropout, and a layer norm before f or after the sum."""

    norm: eqx.nn.LayerNorm
    drop: eqx.nn.Dropout
    norm_first: bool = eqx.field(static=True)

    def __call__(self, rows, function, key, inference):
        """The rows with what the function adds to them."""
        inner = each(self.norm, rows) if self.norm_first else rows
        change = self.drop(function(inner), key=key, inference=inference)
        rows = rows + change.astype(rows.dtype)
        return rows if self.norm_first else each(self.norm, rows)


class Feedforward(eqx.Module):
    """Two linear maps with an activation between them."""

    wide: eqx.nn.Linear
    narrow: eqx.nn.Linear
    drop: eqx.nn.Dropout
    activation: Callable

    def __init__(self, size, width, dropout, activation, key):
        one, two = jax.random.split(key)
        self.wide = eqx.nn.Linear(size, whole_number("feedforward", width), key=one)
        self.narrow = eqx.nn.Linear(width, size, key=two)
        self.drop, self.activation = eqx.nn.Dropout(dropout), activation

    def __call__(self, rows, key, inference):
        """The rows through both maps."""
        inner = self.activation(mapped(self.wide, rows))
        return mapped(self.narrow, self.drop(inner, key=key, inference=inference))


class EncoderBlock(eqx.Module):
    """A transformer's encoder block: rows ask one another, then each goes through two linear maps.

    x ← norm(x + attention(x)), x ← norm(x + feedforward(x)); with `norm_first` norms stand before
    the attention and the maps instead, as in most transformers of today.

    ```python
    block = EncoderBlock(HopfieldAttention(64, heads=4, key=one), key=two)
    block(x)                               # (S, 64) -> (S, 64)
    ```

    **Arguments:**

    - `attention`: a `HopfieldAttention` whose output has the size of its queries.
    - `feedforward`: entries between the two linear maps.
    - `dropout`: the share dropped of what attention and maps add, and between the maps.
    - `activation`: between the maps; ReLU if `None`.
    - `norm_first`: whether norms stand first.
    - `key`: of the weights at the start.

    **Raises:** `TypeError` or `ValueError` for an attention that does not fit.

    **Source:** [ramsauer2021hopfield]; [vaswani2017attention]
    """

    attention: HopfieldAttention
    feedforward: Feedforward
    around_attention: Residual
    around_feedforward: Residual

    def __init__(
        self,
        attention: HopfieldAttention,
        *,
        feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Callable | None = None,
        norm_first: bool = False,
        key: Array,
    ):
        size = _size("attention", attention)
        dropout = as_share("dropout", dropout)
        activation = jax.nn.relu if activation is None else activation
        self.attention = attention
        self.feedforward = Feedforward(size, feedforward, dropout, activation, one_key(key))
        self.around_attention = _part(size, dropout, norm_first)
        self.around_feedforward = _part(size, dropout, norm_first)

    def __call__(
        self,
        rows: ArrayLike,
        *,
        memory: ArrayLike | None = None,
        mask=None,
        causal: bool = False,
        key: Array | None = None,
        inference: bool | None = None,
    ) -> Float[Array, "s d"]:
        """The rows, each changed by the others, and by those of a memory where there is one.

        **Arguments:**

        - `rows`: shape (S, d).
        - `memory`: rows that are read beside the others, shape (m, d). They are keys and values
          only, so that nothing is asked for them and none comes back. The norm that stands before
          the attention is taken of them too.
        - `mask`: as of `HopfieldAttention`, with N = S + m keys, those of the memory last.
        - `causal`, `key`, `inference`: as of `HopfieldAttention`. `causal` is for rows without a
          memory.

        **Raises:** `ValueError` for wrong shapes, or a missing `key` in training.
        """
        keys = _keys(key, 4)
        within = {"mask": mask, "causal": causal, "inference": inference}
        rows = _rows(self, rows)
        stored = None
        if memory is not None:
            if causal:
                raise ValueError("`causal` must be False with a `memory`; pass a `mask` instead.")
            part = self.around_attention
            size = self.attention.query_size
            beside = as_floats("memory", memory, ndim=2)
            if beside.shape[1] != size:
                raise ValueError(
                    f"`memory` must have shape (m, {size}), but its shape is {beside.shape}."
                )
            inner = [each(part.norm, x) if part.norm_first else x for x in (rows, beside)]
            stored = jnp.concatenate([x.astype(rows.dtype) for x in inner])
        rows = _asked(self.around_attention, self.attention, rows, stored, keys[:2], within)
        return _fed(self, rows, keys[2:], inference)


class DecoderBlock(eqx.Module):
    """A transformer's decoder block: rows ask those before them, then what an encoder gave.

    **Arguments:**

    - `attention`: a `HopfieldAttention` within the rows.
    - `cross`: a `HopfieldAttention` of the rows to the encoder's.
    - others: as of `EncoderBlock`.

    **Raises:** `TypeError` or `ValueError` for attentions that do not fit.

    **Source:** [ramsauer2021hopfield]; [vaswani2017attention]
    """

    attention: HopfieldAttention
    cross: HopfieldAttention
    feedforward: Feedforward
    around_attention: Residual
    around_cross: Residual
    around_feedforward: Residual

    def __init__(
        self,
        attention: HopfieldAttention,
        cross: HopfieldAttention,
        *,
        feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Callable | None = None,
        norm_first: bool = False,
        key: Array,
    ):
        size = _size("attention", attention)
        if _size("cross", cross) != size:
            raise ValueError(
                f"`cross` must have the `query_size` of `attention`, {size}, but it has "
                f"{cross.query_size}."
            )
        dropout = as_share("dropout", dropout)
        activation = jax.nn.relu if activation is None else activation
        self.attention, self.cross = attention, cross
        self.feedforward = Feedforward(size, feedforward, dropout, activation, one_key(key))
        self.around_attention = _part(size, dropout, norm_first)
        self.around_cross = _part(size, dropout, norm_first)
        self.around_feedforward = _part(size, dropout, norm_first)

    def __call__(
        self,
        rows: ArrayLike,
        encoded: ArrayLike,
        *,
        mask=None,
        encoded_mask=None,
        causal: bool = True,
        key: Array | None = None,
        inference: bool | None = None,
    ) -> Float[Array, "s d"]:
        """The rows, each changed by those before it and by the encoder's.

        **Arguments:**

        - `rows`: shape (S, d).
        - `encoded`: what the encoder gave, shape (N, key_size of `cross`).
        - `mask`: rows that take part, as of `HopfieldAttention`.
        - `encoded_mask`: likewise of the encoder's.
        - `causal`: whether a row asks only itself and those before it.
        - `key`, `inference`: as of `HopfieldAttention`.

        **Raises:** `ValueError` for wrong shapes, or a missing `key` in training.
        """
        keys = _keys(key, 6)
        within = {"mask": mask, "causal": causal, "inference": inference}
        rows = _rows(self, rows)
        rows = _asked(self.around_attention, self.attention, rows, None, keys[:2], within)
        across = {"mask": encoded_mask, "inference": inference}
        rows = _asked(self.around_cross, self.cross, rows, encoded, keys[2:4], across)
        return _fed(self, rows, keys[4:], inference)


def _asked(part, attention, rows, encoded, keys, options):
    """Rows and what an attention adds to them."""

    def ask(rows):
        return attention(rows, encoded, key=keys[0], **options)

    return part(rows, ask, keys[1], options["inference"])


def _fed(block, rows, keys, inference):
    return block.around_feedforward(
        rows, lambda rows: block.feedforward(rows, keys[0], inference), keys[1], inference
    )


def _rows(block, rows):
    return checked_rows("rows", rows, block.attention.query_size)


def _part(size, dropout, norm_first):
    return Residual(eqx.nn.LayerNorm(size), eqx.nn.Dropout(dropout), bool(norm_first))


def _keys(key, count):
    return [None] * count if key is None else list(jax.random.split(one_key(key), count))


def _size(name, attention) -> int:
    if not isinstance(attention, HopfieldAttention):
        raise TypeError(
            f"`{name}` must be a HopfieldAttention, but it is {type(attention).__name__}."
        )
    out = attention.output_size
    if out != attention.query_size:
        raise ValueError(
            f"`{name}` must give rows of its `query_size`, {attention.query_size}, which are added "
            f"to its input, but it gives rows of {out}."
        )
    return attention.query_size
