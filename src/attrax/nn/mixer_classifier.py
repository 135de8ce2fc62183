"""Images classified by mixing blocks."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import accumulate
from ..common.checks import check_function, one_key, shape_of, whole_number
from .mixer import HopfieldMixer, Table, biased, normalised
from .patches import count_patches, cut, divided


class MixerClassifier(eqx.Module):
    """Logits of an image: patches as tokens, mixing blocks, layer norm, the mean, a linear map.

    ```python
    block = functools.partial(attrax.nn.HopfieldMixer, tied=False, activation="gelu")
    model = attrax.nn.MixerClassifier((8, 8), 10, block, patch=2, channels=32, depth=4, key=key)
    logits = jax.vmap(model)(images)  # (batch, 8, 8) -> (batch, 10)
    ```

    **Arguments:**

    - `shape`: of an image, (height, width) or (height, width, channels).
    - `classes`: how many logits there are.
    - `block`: a function of (tokens, channels, key=key) to a block, which maps tables to tables:
      `HopfieldMixer`, `IMixer`, or one of them with other arguments filled in.
    - `patch`: the side of a patch in pixels, which divides height and width.
    - `channels`: numbers a token.
    - `depth`: how many blocks, each with weights of its own.
    - `key`: a `jax.random.key`.

    **Raises:** `ValueError` or `TypeError` for values outside these bounds, and for a block that
    does not map tables to tables.

    **Source:** [tolstikhin2021mixer]
    """

    embedding: eqx.nn.Linear
    blocks: Any
    norm: eqx.nn.LayerNorm
    head: eqx.nn.Linear
    shape: tuple[int, ...] = eqx.field(static=True)
    patch: int = eqx.field(static=True)
    depth: int = eqx.field(static=True)

    def __init__(
        self,
        shape: tuple[int, ...],
        classes: int,
        block: Callable[..., Any] = HopfieldMixer,
        *,
        patch: int,
        channels: int,
        depth: int,
        key: Array,
    ):
        self.shape, self.patch = divided(shape, patch)
        tokens = count_patches(self.shape, self.patch)
        check_function("block", block)
        channels = whole_number("channels", channels)
        keys = jax.random.split(one_key(key), 3)
        pixels = self.patch**2 * (1 if len(self.shape) == 2 else self.shape[2])
        self.embedding = eqx.nn.Linear(pixels, channels, key=keys[0])
        self.depth = whole_number("depth", depth)
        each = jax.random.split(keys[1], self.depth)
        self.blocks = eqx.filter_vmap(lambda key: block(tokens, channels, key=key))(each)
        self.norm = eqx.nn.LayerNorm(channels)
        self.head = eqx.nn.Linear(channels, whole_number("classes", classes), key=keys[2])
        _check_block(self.block(0), (tokens, channels))

    def block(self, index: int) -> Any:
        """One of the blocks, from 0, by itself.

        **Raises:** `IndexError` if there is no such block.
        """
        if not -self.depth <= index < self.depth:
            raise IndexError(f"There is no block {index} among {self.depth}.")
        return jax.tree.map(lambda x: x[index] if eqx.is_array(x) else x, self.blocks)

    def tokens(self, image: ArrayLike) -> Table:
        """The table that the first block is given: patches, embedded.

        **Raises:** `ValueError` for an image of another shape.
        """
        weights = self.embedding.weight
        patches = cut(image, self.shape, self.patch, weights.dtype)
        return biased(self.embedding, patches, 1).astype(weights.dtype)

    def __call__(self, image: ArrayLike) -> Float[Array, " classes"]:
        """The logits of an image of the shape that was given, shape (classes,)."""
        # One block is compiled, however many there are.
        stacked, rest = eqx.partition(self.blocks, eqx.is_array)
        table, _ = jax.lax.scan(
            lambda x, arrays: (eqx.combine(arrays, rest)(x), None),
            self.tokens(image),
            stacked,
            length=self.depth,
        )
        wide = normalised(self.norm, table, tied=False).astype(accumulate(table.dtype))
        return self.head(jnp.mean(wide, axis=0).astype(table.dtype))


def _check_block(block: Any, shape: tuple[int, int]) -> None:
    """Refuse a block that does not map tables to tables."""
    table = jax.ShapeDtypeStruct(shape, jnp.zeros(()).dtype)
    try:
        mapped = eqx.filter_eval_shape(block, table)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`block` must make a function of a table {shape}: {error}") from error
    if shape_of(mapped) != shape:
        raise ValueError(
            f"`block` must make a function of a table {shape} to one like it, but that gives "
            f"{mapped}."
        )
