"""A small language model whose layers read memories: tokens in, the next token out."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from ..common.checks import as_array, is_concrete, one_key, whole_number
from . import association
from .blocks import Feedforward, Residual
from .contexts import AbstractContext, Step, beside, cleared
from .hopfield import HopfieldAttention
from .projections import each, normal


class Predicted(NamedTuple):
    """What a language model gives for one segment.

    - `logits` (T, V): of the token that follows each.
    - `state`: what the next segment of the document reads.
    - `loss` (): of parts that learn by a loss of their own, such as compressions; else 0.
    """

    logits: Float[Array, "t v"]
    state: Any
    loss: Float[Array, ""]


class LanguageBlock(eqx.Module):
    """x ← x + attention(norm x), x ← x + feedforward(norm x), with what the attention remembers.

    **Arguments:** as of `LanguageModel`, which makes its blocks.
    """

    attention: HopfieldAttention
    context: AbstractContext | None
    feedforward: Feedforward
    around_attention: Residual
    around_feedforward: Residual

    def __init__(self, size, heads, feedforward, context, rotary, dropout, key):
        one, two = jax.random.split(key)
        # Maps that keep the size of rows, so that scores tell rows apart from the start.
        self.attention = HopfieldAttention(
            size, heads=heads, rotary=rotary, deviation=size**-0.5, key=one
        )
        self.context = context
        self.feedforward = Feedforward(size, feedforward, dropout, jax.nn.gelu, two)
        self.around_attention = _residual(size, dropout)
        self.around_feedforward = _residual(size, dropout)

    def start(self) -> Any:
        """The state before the first segment."""
        return None if self.context is None else self.context.start(self.attention)

    def __call__(self, rows: Float[Array, "t d"], state: Any, *, key=None, inference=None) -> Step:
        """The rows of a segment, changed by what they read."""
        seen = each(self.around_attention.norm, rows)
        return self.joined(rows, self.read(seen, state), key=key, inference=inference)

    def read(self, seen: Float[Array, "t d"], state: Any) -> Step:
        """What normed rows read."""
        if self.context is not None:
            return self.context.step(self.attention, seen, state)
        given = beside(self.attention, seen)
        read = association.attended(self.attention, given, given.states, given.values)
        return Step(self.attention.joined(read.value, seen), None, jnp.zeros(()))

    def joined(self, rows, step: Step, *, key=None, inference=None) -> Step:
        """The rows with what they read, through the two maps."""
        keys = (None,) * 3 if key is None else jax.random.split(one_key(key), 3)
        change = self.around_attention.drop(step.output, key=keys[0], inference=inference)
        rows = rows + change.astype(rows.dtype)
        fed = self.around_feedforward(
            rows, lambda rows: self.feedforward(rows, keys[1], inference), keys[2], inference
        )
        return step._replace(output=fed)


class LanguageModel(eqx.Module):
    """A decoder of tokens whose blocks may have a memory beyond the segment.

    ```python
    model = LanguageModel(256, 64, layers=3, heads=4, key=key)                # sees its segment
    memory = NearestMemory(65_536, heads=4)
    model = LanguageModel(256, 64, layers=3, heads=4, contexts=(None, memory, None), key=key)
    state = model.start()
    logits, state, _ = model(tokens, state)                                   # (T,) -> (T, 256)
    ```

    Positions are rotary, so that any number of segments may follow. Logits are the products of the
    last rows with the embeddings.

    **Arguments:**

    - `vocabulary`: V, the number of tokens.
    - `size`: d, entries of a row.
    - `layers`: the number of blocks.
    - `heads`: of attention, H.
    - `feedforward`: entries between the two linear maps of a block; 4d if `None`.
    - `contexts`: an `AbstractContext` for each block or `None` for it, in a sequence; one alone is
      for all blocks, and `None` for none.
    - `rotary`: as of `HopfieldAttention`; False for no positions at all.
    - `dropout`: the share dropped of what attention and maps add, in training.
    - `key`: of the weights at the start.

    **Raises:** `ValueError` for sizes that do not fit; `TypeError` for contexts of another kind.

    **Source:** [vaswani2017attention]; rotary positions [su2024roformer]
    """

    embedding: Float[Array, "v d"]
    blocks: tuple[LanguageBlock, ...]
    norm: eqx.nn.LayerNorm

    def __init__(
        self,
        vocabulary: int,
        size: int,
        *,
        layers: int,
        heads: int = 1,
        feedforward: int | None = None,
        contexts: AbstractContext | Sequence[AbstractContext | None] | None = None,
        rotary: bool | float = True,
        dropout: float = 0.0,
        key: Array,
    ):
        size, layers = whole_number("size", size), whole_number("layers", layers)
        width = 4 * size if feedforward is None else whole_number("feedforward", feedforward)
        own = _contexts(contexts, layers)
        keys = jax.random.split(one_key(key), layers + 1)
        self.embedding = normal((whole_number("vocabulary", vocabulary), size), size**-0.5, keys[0])
        self.blocks = tuple(
            LanguageBlock(size, heads, width, context, rotary, dropout, key)
            for context, key in zip(own, keys[1:], strict=True)
        )
        self.norm = eqx.nn.LayerNorm(size)

    def start(self) -> tuple[Any, ...]:
        """The state before the first segment of a document: one part a block."""
        return tuple(block.start() for block in self.blocks)

    def clear(self, state: tuple[Any, ...], when: Any = True) -> tuple[Any, ...]:
        """The state without anything remembered, where `when` is True; it may be traced."""
        return cleared(state, when)

    def __call__(
        self,
        tokens: ArrayLike,
        state: tuple[Any, ...] | None = None,
        *,
        key: Array | None = None,
        inference: bool | None = None,
    ) -> Predicted:
        """Logits of the token after each of a segment, and the state after it.

        **Arguments:**

        - `tokens`: whole numbers below V, shape (T,).
        - `state`: of the segments before; `start()` if `None`.
        - `key`: of the dropout.
        - `inference`: whether dropout is off.

        **Returns:** a `Predicted`.

        **Raises:** `ValueError` for wrong tokens.
        """
        rows, states, loss = self.run(tokens, state, key=key, inference=inference)
        return Predicted(self.logits(rows[-1]), states, loss)

    def run(self, tokens, state=None, *, key=None, inference=None):
        """The rows before the first block and after each, and the state and loss after all."""
        rows = [self.embed(tokens)]
        state = self.start() if state is None else state
        keys = _keys(key, len(self.blocks))
        new, loss = [], jnp.zeros(())
        for block, own, seed in zip(self.blocks, state, keys, strict=True):
            step = block(rows[-1], own, key=seed, inference=inference)
            rows.append(step.output)
            new.append(step.state)
            loss = loss + step.loss
        return rows, tuple(new), loss

    def embed(self, tokens) -> Float[Array, "t d"]:
        """Rows of tokens, √d times their embeddings, so that entries are of order one."""
        found = checked_tokens(tokens, self.embedding.shape[0])
        return self.embedding[found] * self.embedding.shape[1] ** 0.5

    def logits(self, rows: Float[Array, "t d"]) -> Float[Array, "t v"]:
        """The logits of rows after the last block."""
        return each(self.norm, rows) @ self.embedding.T


def token_losses(model: Any, tokens: ArrayLike, length: int) -> Float[Array, " n"]:
    """−ln p of each token but the first of a document, read in segments one after another.

    **Arguments:**

    - `model`: a `LanguageModel`, or another with `start` and the same call.
    - `tokens`: shape (N + 1,), N a multiple of `length`.
    - `length`: T, tokens of a segment.

    **Returns:** nats, shape (N,).

    **Raises:** `ValueError` for other numbers of tokens.
    """
    return _through(model, tokens, length, None, True)[0]


def language_loss(
    model: Any,
    tokens: ArrayLike,
    length: int,
    *,
    key: Array | None = None,
    inference: bool | None = None,
) -> Float[Array, ""]:
    """The mean of −ln p of the tokens of a document, and losses of parts that have their own.

    It is what `attrax.training.train` lowers. Gradients do not reach from one segment into those
    before it, which are remembered as they were.

    **Arguments:** as of `token_losses`, and `key` and `inference` of the model.

    **Returns:** nats per token.

    **Raises:** `ValueError` for other numbers of tokens.
    """
    nats, own = _through(model, tokens, length, key, inference)
    return jnp.mean(nats) + jnp.mean(own)


def _through(model, tokens, length, key, inference):
    """Nats of all tokens, and losses of all segments."""
    length = whole_number("length", length)
    tokens = as_array("tokens", tokens)
    if tokens.ndim != 1 or tokens.shape[0] < length + 1 or (tokens.shape[0] - 1) % length:
        raise ValueError(
            f"`tokens` must have shape (N + 1,), N a multiple of `length`, {length}, but their "
            f"shape is {tokens.shape}." + (" For a batch, use jax.vmap." if tokens.ndim > 1 else "")
        )
    count = (tokens.shape[0] - 1) // length
    given, wanted = (part.reshape(count, length) for part in (tokens[:-1], tokens[1:]))

    def step(state, inputs):
        given, wanted, key = inputs
        found = model(given, state, key=key, inference=inference)
        logs = jax.nn.log_softmax(found.logits)
        nats = -jnp.take_along_axis(logs, wanted[:, None], axis=1)[:, 0]
        return found.state, (nats, found.loss)

    keys = None if key is None else jax.random.split(one_key(key), count)
    _, (nats, own) = jax.lax.scan(step, model.start(), (given, wanted, keys))
    return nats.reshape(-1), own


def checked_tokens(tokens, vocabulary: int) -> Int[Array, " t"]:
    """`tokens` as whole numbers below the vocabulary.

    **Raises:** `ValueError` that says what they are.
    """
    tokens = as_array("tokens", tokens)
    if tokens.ndim != 1 or not tokens.shape[0] or not jnp.issubdtype(tokens.dtype, jnp.integer):
        raise ValueError(
            f"`tokens` must be whole numbers of shape (T,), but they are {tokens.dtype} of shape "
            f"{tokens.shape}." + (" For a batch, use jax.vmap." if tokens.ndim > 1 else "")
        )
    if is_concrete(tokens):
        found = np.asarray(tokens)
        if found.min() < 0 or found.max() >= vocabulary:
            raise ValueError(
                f"`tokens` must be from 0 to {vocabulary - 1}, but they reach from {found.min()} "
                f"to {found.max()}."
            )
    return tokens.astype(jnp.int32)


def _contexts(contexts, layers) -> tuple[AbstractContext | None, ...]:
    if contexts is None or isinstance(contexts, AbstractContext):
        return (contexts,) * layers
    own = tuple(contexts)
    if len(own) != layers:
        raise ValueError(f"`contexts` must have one entry a layer, {layers}, but has {len(own)}.")
    for context in own:
        if context is not None and not isinstance(context, AbstractContext):
            raise TypeError(
                "`contexts` must be contexts such as SegmentCache(64), or None, but one is "
                f"{type(context).__name__}."
            )
    return own


def _residual(size, dropout):
    return Residual(eqx.nn.LayerNorm(size), eqx.nn.Dropout(dropout), True)


def _keys(key, count):
    return [None] * count if key is None else list(jax.random.split(one_key(key), count))
