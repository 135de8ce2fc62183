"""`PrototypeGenerator`: images of tokens from captions, by blocks that read prototypes."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from ..common.arithmetic import accumulate
from ..common.checks import as_indices, one_key, one_of, plain_number, positive, whole_number
from .pooling import HopfieldLookup
from .projections import each, linear, mapped, normal
from .prototype_block import PrototypeBlock, advance

OUTPUTS = ("prototypes", "linear")


class PrototypeGenerator(eqx.Module):
    """Images of tokens, drawn one token after the other from a caption.

    A sequence is a start, the T words of a caption and the P = height · width tokens of an image,
    line by line. Each is a learnt vector plus that of its position; an image's position has one
    for its line plus one for its column. `PrototypeBlock`s follow, and each row then says what
    comes next: with prototypes, logits = norm(C softmax(β L x)), where each column of C is one
    prototype's own logits. Words follow words and image tokens follow the caption, so that all
    other logits are −∞.

    ```python
    model = PrototypeGenerator((8, 8), 4, words=11, size=64, blocks=2, heads=4, head_size=16,
                               prototypes=64, dropout=0.0, key=key)
    model.cross_entropy(caption, image)     # nats a token, what training lowers
    model.generate(caption, key=key)        # (8, 8) tokens
    model.top_tokens(2)                     # (64, 2): what each prototype stands for
    ```

    **Arguments:**

    - `shape`: of an image in tokens, (height, width).
    - `tokens`: how many tokens images are made of, such as the codes of a VQ-VAE, or grey levels.
    - `words`: how many words captions are made of, word 0 among them, which stands for none:
      every position of a caption has its own vector for it.
    - `length`: T, words of a caption.
    - `size`, `heads`, `head_size`, `prototypes`, `feedforward`, `dropout`: see `PrototypeBlock`.
    - `blocks`: how many blocks, each with weights of its own.
    - `output`: "prototypes", or "linear" for a linear map of norm(x).
    - `key`: of the weights at the start.

    **Raises:** `ValueError` for numbers out of bounds, or other words for `feedforward` and
    `output`.

    **Source:** [xu2022txt]
    """

    word_vectors: Float[Array, "w d"]
    token_vectors: Float[Array, "v d"]
    word_positions: Float[Array, "t d"]
    line_positions: Float[Array, "y d"]
    column_positions: Float[Array, "x d"]
    stacked: Any
    lookup: HopfieldLookup | None
    linear: eqx.nn.Linear | None
    norm: eqx.nn.LayerNorm
    shape: tuple[int, int] = eqx.field(static=True)
    tokens: int = eqx.field(static=True)
    words: int = eqx.field(static=True)
    length: int = eqx.field(static=True)
    blocks: int = eqx.field(static=True)

    def __init__(
        self,
        shape: tuple[int, int],
        tokens: int,
        *,
        words: int,
        length: int = 1,
        size: int = 512,
        blocks: int = 10,
        heads: int = 8,
        head_size: int = 48,
        prototypes: int = 1000,
        feedforward: str = "prototypes",
        output: str = "prototypes",
        dropout: float = 0.1,
        key: Array,
    ):
        if not isinstance(shape, tuple | list) or len(shape) != 2:
            raise ValueError(f"`shape` must be (height, width) in tokens, but it is {shape!r}.")
        self.shape = whole_number("shape", shape[0]), whole_number("shape", shape[1])
        self.tokens, self.words = whole_number("tokens", tokens, 2), whole_number("words", words)
        self.length, self.blocks = whole_number("length", length), whole_number("blocks", blocks)
        size = whole_number("size", size)
        one_of("output", output, OUTPUTS)
        keys = jax.random.split(one_key(key), 7)

        def block(key):
            sizes = {"heads": heads, "head_size": head_size, "prototypes": prototypes}
            return PrototypeBlock(size, **sizes, feedforward=feedforward, dropout=dropout, key=key)

        self.stacked = eqx.filter_vmap(block)(jax.random.split(keys[0], self.blocks))
        self.word_vectors = normal((self.words + self.length, size), 1.0, keys[1])
        self.token_vectors = normal((self.tokens, size), 1.0, keys[2])
        self.word_positions = normal((self.length + 1, size), 1.0, keys[3])
        self.line_positions = normal((self.shape[0], size), 1.0, keys[4])
        self.column_positions = normal((self.shape[1], size), 1.0, keys[5])
        self.lookup = self.linear = None
        choices, deviation = self.words + self.length + self.tokens, (3 * size) ** -0.5
        if output == "prototypes":
            rows = {"memories": prototypes, "values": choices, "project": ()}
            self.lookup = HopfieldLookup(size, **rows, deviation=deviation, key=keys[6])
        else:
            self.linear = linear(size, choices, bias=True, deviation=deviation, key=keys[6])
        self.norm = eqx.nn.LayerNorm(choices if output == "prototypes" else size)

    def block(self, index: int) -> PrototypeBlock:
        """One of the blocks, from 0, by itself.

        **Raises:** `IndexError` if there is no such block.
        """
        if not -self.blocks <= index < self.blocks:
            raise IndexError(f"There is no block {index} among {self.blocks}.")
        return jax.tree.map(lambda x: x[index] if eqx.is_array(x) else x, self.stacked)

    def __call__(
        self,
        caption: ArrayLike,
        image: ArrayLike,
        *,
        key: Array | None = None,
        inference: bool | None = None,
    ) -> Float[Array, "s v"]:
        """The logits of what follows each position: first of words, then of an image's tokens.

        **Arguments:**

        - `caption`: words, whole numbers from 0, shape (T,).
        - `image`: tokens, whole numbers from 0, of the model's shape.
        - `key`, `inference`: of the dropout, as of `PrototypeBlock`.

        **Returns:** shape (T + P, words + T + tokens), −∞ for what cannot follow. The T entries
        after the words are those of word 0, by position.

        **Raises:** `ValueError` for wrong shapes and numbers, or a missing `key`.
        """
        logits = self.logits(self.hidden(caption, image, key=key, inference=inference))
        of_image = jnp.arange(logits.shape[0], dtype=jnp.int32) >= self.length
        is_token = jnp.arange(logits.shape[1], dtype=jnp.int32) >= self.words + self.length
        return jnp.where(of_image[:, None] == is_token[None], logits, -jnp.inf)

    def cross_entropy(
        self,
        caption: ArrayLike,
        image: ArrayLike,
        *,
        key: Array | None = None,
        inference: bool | None = None,
    ) -> Float[Array, ""]:
        """−ln p of an image's tokens given those before and the caption: the mean, in nats a token.

        Words are not predicted, though they have logits.

        **Arguments:** see `__call__`.
        """
        hidden = self.hidden(caption, image, key=key, inference=inference)
        logits = self._image_logits(hidden[self.length :])
        logits = logits.astype(accumulate(logits.dtype))
        wanted = as_indices("image", image, self.tokens, self.shape).reshape(-1, 1)
        found = jnp.take_along_axis(jax.nn.log_softmax(logits), wanted, axis=1)
        return -jnp.mean(found)

    def hidden(
        self,
        caption: ArrayLike,
        image: ArrayLike,
        *,
        key: Array | None = None,
        inference: bool | None = None,
    ) -> Float[Array, "s d"]:
        """What the last block makes of each position; `logits` reads it.

        **Arguments:** see `__call__`.

        **Returns:** shape (T + P, size). Row s has seen all that comes before what it predicts.
        """
        image = as_indices("image", image, self.tokens, self.shape)
        pixels = self.token_vectors[image.reshape(-1)] + self._places()
        rows = jnp.concatenate([self._start(caption), pixels])[:-1]
        arrays, rest = eqx.partition(self.stacked, eqx.is_array)
        keys = None if key is None else jax.random.split(one_key(key), self.blocks)

        def through(rows, parts):
            arrays, key = parts
            return eqx.combine(arrays, rest)(rows, key=key, inference=inference), None

        # One block is compiled, however many there are.
        return jax.lax.scan(through, rows, (arrays, keys))[0]

    def logits(self, hidden: Float[Array, "s d"]) -> Float[Array, "s v"]:
        """The logits of all words and tokens for what `hidden` gives, before any is left out."""
        if self.lookup is not None:
            return each(self.norm, self.lookup(hidden))
        assert self.linear is not None
        return mapped(self.linear, each(self.norm, hidden)).astype(hidden.dtype)

    def generate(
        self,
        caption: ArrayLike,
        *,
        temperature: ArrayLike = 1.0,
        keep: float = 1.0,
        key: Array,
    ) -> Int[Array, "y x"]:
        """An image drawn token by token, in one compiled program.

        Keys are kept, so that each token goes through the blocks once. The paper's code keeps the
        better half of all logits, words among them, which are −∞ here: with more words than
        tokens this leaves no token out, as does `keep=1`.

        **Arguments:**

        - `caption`: words, whole numbers from 0, shape (T,).
        - `temperature`: > 0, what logits are divided by.
        - `keep`: the share of tokens that can be drawn at each position, those with the largest
          logits; above 0, at most 1.
        - `key`: a `jax.random.key` for the draws.

        **Returns:** tokens, whole numbers from 0, of the model's shape.

        **Raises:** `ValueError` for wrong shapes and numbers.
        """
        share = plain_number("keep", keep)
        if not 0 < share <= 1:
            raise ValueError(f"`keep` must be a share above 0 and at most 1, but it is {keep!r}.")
        left_out = jnp.asarray(int(self.tokens * (1 - share)), jnp.int32)
        caption = as_indices("caption", caption, self.words, (self.length,))
        return _drawn(self, caption, positive("temperature", temperature), left_out, one_key(key))

    def token_probabilities(self) -> Float[Array, "m v"]:
        """The image tokens that each output prototype would predict alone, shape (M, tokens).

        Row μ is softmax(norm(C_μ)) over the image's tokens, for a weight of 1 on prototype μ.

        **Raises:** `ValueError` if the output has no prototypes.
        """
        if self.lookup is None or self.lookup.values is None:
            raise ValueError("`output` is 'linear', which has no prototypes to look at.")
        logits = each(self.norm, self.lookup.values)[:, self.words + self.length :]
        return jax.nn.softmax(logits.astype(accumulate(logits.dtype)))

    def top_tokens(self, count: int) -> Int[Array, "m n"]:
        """The image tokens that each output prototype makes most likely, the likeliest first.

        **Arguments:**

        - `count`: how many, at most all.

        **Returns:** whole numbers, shape (M, count).

        **Raises:** `ValueError` for a wrong number, or if the output has no prototypes.
        """
        if whole_number("count", count) > self.tokens:
            raise ValueError(f"`count` must be at most {self.tokens} tokens, but it is {count}.")
        return jax.lax.top_k(self.token_probabilities(), count)[1]

    def _image_logits(self, hidden):
        return self.logits(hidden)[:, self.words + self.length :]

    def _start(self, caption) -> Float[Array, "t d"]:
        """The rows of the start and the caption."""
        caption = as_indices("caption", caption, self.words, (self.length,)).astype(jnp.int32)
        absent = self.words + jnp.arange(self.length, dtype=jnp.int32)
        caption = jnp.where(caption == 0, absent, caption)
        # Nothing else uses the vector of word 0, which is that of the start.
        return self.word_vectors[jnp.pad(caption, (1, 0))] + self.word_positions

    def _places(self) -> Float[Array, "p d"]:
        places = self.line_positions[:, None] + self.column_positions[None]
        return places.reshape(-1, places.shape[-1])


@eqx.filter_jit
def _drawn(model: PrototypeGenerator, caption, temperature, left_out, key):
    arrays, rest = eqx.partition(model.stacked, eqx.is_array)
    start, places = model._start(caption), model._places()
    attention = model.stacked.attention
    kept = jnp.zeros(
        (model.blocks, attention.heads, len(start) + len(places), attention.head_size),
        accumulate(start.dtype),
    )

    def through(row, kept, position):
        """One row through all blocks."""

        def one(row, parts):
            arrays, kept = parts
            return advance(eqx.combine(arrays, rest), row, kept, position)

        return jax.lax.scan(one, row, (arrays, kept))

    def read(state, row):
        kept, _, position = state
        row, kept = through(row, kept, position)
        return (kept, row, position + 1), None

    def draw(state, inputs):
        place, key = inputs
        logits = model._image_logits(state[1][None])[0]
        lowest = jnp.sort(logits)[left_out]
        logits = jnp.where(logits >= lowest, logits.astype(kept.dtype), -jnp.inf)
        token = jax.random.categorical(key, logits / temperature.astype(kept.dtype))
        return read(state, model.token_vectors[token] + place)[0], token

    state = kept, jnp.zeros_like(start[0]), jnp.asarray(0, jnp.int32)
    state, _ = jax.lax.scan(read, state, start)
    _, drawn = jax.lax.scan(draw, state, (places, jax.random.split(key, len(places))))
    return drawn.astype(jnp.int32).reshape(model.shape)
