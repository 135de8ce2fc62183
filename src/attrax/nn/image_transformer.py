"""`ImageTransformer`: a vision transformer, whose attention is a Hopfield layer."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.checks import as_floats, one_key, whole_number
from ..separation import AbstractSeparation
from .blocks import EncoderBlock
from .hopfield import HopfieldAttention
from .patches import count_patches, cut, divided
from .projections import each, mapped, normal

# Of the class token and the positions at the start, as in the published model.
_DEVIATION = 0.02


class ImageTransformer(eqx.Module):
    """Logits of an image: patches and a class token go through encoder blocks, then a linear map.

    y₀ = [c; E x₁; …; E x_P] + positions, y_ℓ = Block_ℓ(y_{ℓ−1}), logits = W LN(y_L)₀ + b, with
    layer norms before the attention and before the linear maps of a block, and GELU between the
    maps. The attention is a `HopfieldAttention`.

    ```python
    model = ImageTransformer((8, 8), 10, patch=2, size=32, heads=4, depth=3, key=jax.random.key(0))
    jax.vmap(model)(images)                # (B, 8, 8) -> (B, 10)
    ```

    **Arguments:**

    - `shape`: of an image, (height, width) or (height, width, channels).
    - `classes`: C, how many logits there are.
    - `patch`: the side of a patch in pixels, which divides height and width.
    - `size`: D, entries of a token.
    - `heads`: the number of heads, which divides D.
    - `depth`: L, how many blocks, each with weights of its own.
    - `feedforward`: entries between the two linear maps of a block; 4 D if `None`.
    - `separation`: how scores become weights in all heads, such as `Entmax(1.5)`; `None` is
      `Softmax()`.
    - `key`: a `jax.random.key` that draws all weights.

    **Raises:** `ValueError` for sizes that do not fit; `TypeError` for other kinds of things.

    **Source:** [dosovitskiy2021image]
    """

    embedding: eqx.nn.Linear
    token: Float[Array, " d"]
    positions: Float[Array, "n d"]
    blocks: EncoderBlock
    norm: eqx.nn.LayerNorm
    head: eqx.nn.Linear
    shape: tuple[int, ...] = eqx.field(static=True)
    patch: int = eqx.field(static=True)
    size: int = eqx.field(static=True)
    depth: int = eqx.field(static=True)

    def __init__(
        self,
        shape: tuple[int, ...],
        classes: int,
        *,
        patch: int,
        size: int,
        heads: int,
        depth: int,
        feedforward: int | None = None,
        separation: AbstractSeparation | None = None,
        key: Array,
    ):
        self.shape, self.patch = divided(shape, patch)
        self.size, self.depth = whole_number("size", size), whole_number("depth", depth)
        if self.size % whole_number("heads", heads):
            raise ValueError(f"`heads` must divide `size`, {size}, but it is {heads}.")
        width = 4 * size if feedforward is None else whole_number("feedforward", feedforward)
        pixels = self.patch**2 * math.prod(self.shape[2:])
        keys = jax.random.split(one_key(key), 5)
        self.embedding = eqx.nn.Linear(pixels, size, key=keys[0])
        self.token = normal((size,), _DEVIATION, keys[1])
        self.positions = normal((1 + self.patches, size), _DEVIATION, keys[2])

        def block(key):
            one, two = jax.random.split(key)
            attention = HopfieldAttention(
                size, heads=heads, separation=separation, deviation=size**-0.5, key=one
            )
            return EncoderBlock(
                attention,
                feedforward=width,
                dropout=0.0,
                activation=jax.nn.gelu,
                norm_first=True,
                key=two,
            )

        self.blocks = eqx.filter_vmap(block)(jax.random.split(keys[3], self.depth))
        self.norm = eqx.nn.LayerNorm(size)
        self.head = eqx.nn.Linear(size, whole_number("classes", classes), key=keys[4])

    @property
    def patches(self) -> int:
        """P, how many patches an image has, line by line."""
        return count_patches(self.shape, self.patch)

    def tokens(self, image: ArrayLike) -> Float[Array, "n d"]:
        """The tokens of an image before the first block: the class token, then the patches.

        **Arguments:**

        - `image`: of the model's shape.

        **Returns:** shape (1 + P, D).

        **Raises:** `ValueError` for an image of another shape.
        """
        dtype = self.embedding.weight.dtype
        patches = mapped(self.embedding, cut(image, self.shape, self.patch, dtype)).astype(dtype)
        return jnp.concatenate([self.token[None], patches]) + self.positions

    def encode(self, tokens: ArrayLike, memory: ArrayLike | None = None) -> Float[Array, "n d"]:
        """The tokens after all blocks, each through the last layer norm.

        **Arguments:**

        - `tokens`: shape (n, D).
        - `memory`: further rows that tokens read in each block, shape (L, m, D); see
          `EncoderBlock`. There are none if `None`.

        **Returns:** shape (n, D).

        **Raises:** `ValueError` for wrong shapes.
        """
        tokens = as_floats("tokens", tokens, ndim=2, finite=False)
        if tokens.shape[1] != self.size:
            raise ValueError(
                f"`tokens` must have shape (n, {self.size}), but their shape is {tokens.shape}."
            )
        if memory is not None:
            memory = as_floats("memory", memory, ndim=3, finite=False)
            if memory.shape[::2] != (self.depth, self.size):
                raise ValueError(
                    f"`memory` must have shape ({self.depth}, m, {self.size}), but its shape is "
                    f"{memory.shape}."
                )
        # One block is compiled, however many there are.
        stacked, rest = eqx.partition(self.blocks, eqx.is_array)

        def pass_block(rows, given):
            arrays, beside = given
            block: Any = eqx.combine(arrays, rest)
            return block(rows, memory=beside), None

        rows, _ = jax.lax.scan(pass_block, tokens, (stacked, memory), length=self.depth)
        return each(self.norm, rows).astype(tokens.dtype)

    def __call__(self, image: ArrayLike) -> Float[Array, " c"]:
        """The logits of an image of the shape that was given, shape (C,)."""
        return self.head(self.encode(self.tokens(image))[0])
