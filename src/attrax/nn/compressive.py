"""`CompressiveMemory`: rows that leave a cache go on in a coarser one."""

from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..common.checks import one_of, whole_number
from . import association
from .bank import Bank
from .compression import AbstractCompression, ConvolutionCompression
from .contexts import AbstractContext, Step, before, beside
from .hopfield import HopfieldAttention
from .projections import in_heads


class CompressiveMemory(AbstractContext):
    """The inputs of the last tokens, and of those before them c in one.

    Attention reads [compressed; recent; segment]. Then the oldest rows leave the recent ones to
    make room for the segment, are compressed, and go on as the newest compressed rows. A token is
    in reach of one layer for `length` + c · `compressed` tokens. A compressed row takes one place.

    A compression with weights learns by a loss of its own, in which all else is fixed, see
    `reconstruction_loss`; the loss of the task has no gradient for it.

    **Arguments:**

    - `length`: recent rows that are kept, a multiple of the segment's length T.
    - `compressed`: compressed rows that are kept.
    - `compression`: an `AbstractCompression`; its rate must divide T.
    - `loss`: "attention" or "autoencoding", of a `ConvolutionCompression`; others have none.

    **Raises:** `ValueError` for sizes that are not positive whole numbers and unknown losses;
    `TypeError` for another kind of compression.

    **Source:** [rae2020compressive]
    """

    compression: AbstractCompression
    length: int = eqx.field(static=True)
    compressed: int = eqx.field(static=True)
    loss: Literal["attention", "autoencoding"] = eqx.field(static=True)

    def __init__(
        self,
        length: int,
        compressed: int,
        compression: AbstractCompression,
        *,
        loss: Literal["attention", "autoencoding"] = "attention",
    ):
        if not isinstance(compression, AbstractCompression):
            raise TypeError(
                "`compression` must be a compression such as MeanCompression(4), but it is "
                f"{type(compression).__name__}."
            )
        one_of("loss", loss, ("attention", "autoencoding"))
        learns = isinstance(compression, ConvolutionCompression)
        if loss == "autoencoding" and learns and compression.decoder is None:
            raise ValueError('`loss="autoencoding"` needs a compression with a `decoder`.')
        self.length = whole_number("length", length)
        self.compressed = whole_number("compressed", compressed)
        self.compression, self.loss = compression, loss

    def start(self, attention):
        """Two banks of no rows: the recent ones, and the compressed."""
        size = attention.key_size
        return Bank(self.length, size), Bank(self.compressed, size)

    def step(self, attention, rows, state):
        """See `AbstractContext.step`."""
        count = rows.shape[0]
        if self.length % count or count % self.compression.rate:
            raise ValueError(
                f"`length`, {self.length}, must be a multiple of the segment, and that of the rate "
                f"of the compression, {self.compression.rate}, but it has {count} tokens."
            )
        recent, compressed = state
        given = beside(attention, rows, before(compressed, self.length), before(recent))
        read = association.attended(attention, given, given.states, given.values)
        leaving, there = recent.oldest(count)
        usage = self._usage(attention, given, recent, count)
        old = leaving.keys[0]
        new = self.compression(old, usage)
        # All of the leaving rows are there, or none.
        there = there[0]
        held = jnp.where(there, new.shape[0], 0)
        state = recent.write(rows[None]), compressed.write(new[None], count=held)
        loss = jnp.where(there, self._loss(attention, rows, old), 0.0)
        return Step(attention.joined(read.value, rows), state, loss)

    def _loss(self, attention, rows, old):
        if not isinstance(self.compression, ConvolutionCompression):
            return jnp.zeros(())
        return reconstruction_loss(attention, self.compression, rows, old, of=self.loss)

    def _usage(self, attention, given, recent: Bank, count: int):
        """The mean weight with which the leaving rows were read."""
        if not self.compression.needs_usage:
            return None
        weights = association.weights(attention, given, given.states)
        places = self.compressed + (recent.place + jnp.arange(count, dtype=jnp.int32)) % self.length
        return jax.lax.stop_gradient(jnp.mean(weights, axis=(0, 1))[places])


def reconstruction_loss(
    attention: HopfieldAttention,
    compression: ConvolutionCompression,
    rows: Float[Array, "t d"],
    old: Float[Array, "n d"],
    *,
    of: Literal["attention", "autoencoding"] = "attention",
) -> Float[Array, ""]:
    """What a compression loses, for gradients of its own weights alone.

    "attention": the mean square of attn(rows, old) − attn(rows, f(old)), with attn the softmax
    read of each head by the layer's weights and β, without positions and output map.
    "autoencoding": the mean square of old − g(f(old)), with g the decoder.

    **Arguments:**

    - `attention`: the layer that reads.
    - `compression`: f, with the decoder g for "autoencoding".
    - `rows`: inputs of the layer that read, shape (T, d).
    - `old`: rows to compress, shape (n, d).
    - `of`: which of the two.

    **Returns:** a number ≥ 0. All arguments but the compression are fixed.

    **Raises:** `ValueError` for an unknown `of`, or no decoder.

    **Source:** [rae2020compressive]
    """
    one_of("of", of, ("attention", "autoencoding"))
    rows, old = jax.lax.stop_gradient((rows, old))
    new = compression(old)
    if of == "autoencoding":
        return jnp.mean(jnp.square(old - compression.decode(new)))
    weights, rest = eqx.partition(attention, eqx.is_array)
    fixed: Any = eqx.combine(jax.lax.stop_gradient(weights), rest)
    return jnp.mean(jnp.square(_content(fixed, rows, old) - _content(fixed, rows, new)))


def _content(attention, rows, kept) -> Float[Array, "h t v"]:
    """What rows read of others by content alone, head by head."""
    states, keys, values = (
        in_heads(part, given, attention.heads)
        for part, given in (
            (attention.query_map, rows),
            (attention.key_map, kept),
            (attention.value_map, kept),
        )
    )
    given = association.Inputs(states, keys, values, None, None, False)
    return association.attended(attention, given, states, values).value
