"""`ImageEnergyTransformer`: images completed patch by patch, by descent on an energy."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..common.arithmetic import accumulate
from ..common.checks import as_floats, as_mask, one_key, whole_number
from .energy_transformer import EnergyTransformer
from .patches import count_patches, cut, divided, join


class ImageEnergyTransformer(eqx.Module):
    """Hidden patches of an image filled in by an energy transformer.

    Patches are encoded as tokens, hidden ones replaced by a learnt vector, a token for the whole
    image put first and learnt positions added. After the steps of the block each token is
    normalised once and decoded.

    ```python
    block = EnergyTransformer(64, heads=4, key=jax.random.key(0))
    model = ImageEnergyTransformer(block, (28, 28), 4, key=jax.random.key(1))
    known, counted = hide_patches(model.patches, 24, key=key)
    model(image, known)                           # the image, hidden patches filled in
    model.squared_error(image, known, counted)    # what training lowers
    ```

    **Arguments:**

    - `block`: an `EnergyTransformer`, of the size that tokens have.
    - `shape`: of an image, (height, width) or (height, width, channels).
    - `patch`: side of a patch, in pixels; height and width are multiples of it.
    - `key`: draws the encoder, the decoder, both tokens and the positions.

    **Raises:** `ValueError` for shapes that do not fit; `TypeError` for anything but a block.

    **Source:** [hoover2023energy]
    """

    block: EnergyTransformer
    encoder: eqx.nn.Linear
    decoder: eqx.nn.Linear
    whole: Float[Array, " d"]
    hidden: Float[Array, " d"]
    positions: Float[Array, "p d"]
    shape: tuple[int, ...] = eqx.field(static=True)
    patch: int = eqx.field(static=True)

    def __init__(self, block, shape: tuple[int, ...], patch: int, *, key):
        self.block = checked_block("block", block)
        self.shape, self.patch = divided(shape, patch)
        size, entries = block.size, self.patch**2 * math.prod(self.shape[2:])
        keys = jax.random.split(one_key(key), 5)
        self.encoder = eqx.nn.Linear(entries, size, key=keys[0])
        self.decoder = eqx.nn.Linear(size, entries, key=keys[1])
        # The published code starts from 0.002, with which learning is long at the mean image.
        self.whole = jax.random.normal(keys[2], (size,))
        self.hidden = jax.random.normal(keys[3], (size,))
        self.positions = jax.random.normal(keys[4], (1 + self.patches, size))

    @property
    def patches(self) -> int:
        """P, how many patches an image has, line by line."""
        return count_patches(self.shape, self.patch)

    def cut(self, image) -> Float[Array, "p e"]:
        """An image as patches, line by line, each as one row of its pixels.

        **Arguments:**

        - `image`: of the model's shape.

        **Returns:** shape (P, patch · patch · channels).
        """
        return cut(image, self.shape, self.patch)

    def join(self, patches) -> Float[Array, "..."]:
        """The image of patches, the inverse of `cut`.

        **Arguments:**

        - `patches`: shape (P, patch · patch · channels).
        """
        patches = as_floats("patches", patches, ndim=2, finite=False)
        expected = self.patches, self.encoder.in_features
        if patches.shape != expected:
            raise ValueError(
                f"`patches` must have shape {expected}, but their shape is {patches.shape}."
            )
        return join(patches, self.shape, self.patch)

    def tokens(self, image, known=None) -> Float[Array, "n d"]:
        """The tokens of an image before the first step: one for the whole, then its patches.

        **Arguments:** see `__call__`.

        **Returns:** shape (1 + P, D).
        """
        tokens = jax.vmap(self.encoder)(self.cut(image))
        if known is not None:
            known = as_mask("known", known, (self.patches,), "known")
            hidden = jnp.broadcast_to(self.hidden.astype(tokens.dtype), tokens.shape)
            tokens = jnp.where(known[:, None], tokens, hidden)
        tokens = jnp.concatenate([self.whole.astype(tokens.dtype)[None], tokens])
        return tokens + self.positions.astype(tokens.dtype)

    def decode(self, tokens) -> Float[Array, "..."]:
        """The image that tokens stand for, that of the whole left out.

        **Arguments:**

        - `tokens`: shape (1 + P, D).
        """
        return self.join(jax.vmap(self.decoder)(self.block.activation(tokens)[1:]))

    def __call__(self, image, known=None, *, key=None) -> Float[Array, "..."]:
        """The image as it is decoded after all steps, known patches too.

        **Arguments:**

        - `image`: of the model's shape; nothing is seen of the patches that are not known.
        - `known`: shape (P,), True for patches that are seen; all if `None`.
        - `key`: a `jax.random.key` for the block's noise; there is none without.

        **Returns:** an image of the same shape.

        **Raises:** `ValueError` for wrong shapes.
        """
        return self.decode(self.block(self.tokens(image, known), key=key))

    def squared_error(self, image, known, counted, *, key=None) -> Float[Array, ""]:
        """The mean square by which the pixels of some patches are missed.

        **Arguments:**

        - `image`, `known`, `key`: see `__call__`.
        - `counted`: shape (P,), True for the patches that count; at least one.
        """
        counted = as_mask("counted", counted, (self.patches,), "counts")
        dtype = accumulate(jnp.result_type(self.decoder.weight))
        missed = self.cut(self(image, known, key=key)) - self.cut(image)
        squares = jnp.mean(jnp.square(missed.astype(dtype)), axis=1)
        return jnp.sum(jnp.where(counted, squares, 0.0)) / jnp.sum(counted).astype(dtype)


def hide_patches(
    patches: int, selected: int, hidden: int | None = None, *, key
) -> tuple[Bool[Array, " p"], Bool[Array, " p"]]:
    """Some patches at random, to be filled in, of which a few may still be seen.

    The published training selects 100 of 196, shows 10 of them, and counts errors in all 100.

    **Arguments:**

    - `patches`: P, how many patches there are.
    - `selected`: how many count.
    - `hidden`: how many of these are not seen; all if `None`.
    - `key`: a `jax.random.key`.

    **Returns:** `known` and `counted`, both of shape (P,): True for patches that are seen, and
    for those that count.

    **Raises:** `ValueError` for numbers that do not fit.

    **Source:** [hoover2023energy]
    """
    patches, selected = whole_number("patches", patches), whole_number("selected", selected)
    hidden = selected if hidden is None else whole_number("hidden", hidden, 0)
    if not hidden <= selected <= patches:
        raise ValueError(
            f"`selected` must be at most {patches} patches and `hidden` at most `selected`, but "
            f"they are {selected} and {hidden}."
        )
    place = jax.random.permutation(one_key(key), jnp.arange(patches, dtype=jnp.int32))
    return place >= hidden, place < selected


def checked_block(name: str, block) -> EnergyTransformer:
    """A block.

    **Raises:** `TypeError` for anything else.
    """
    if not isinstance(block, EnergyTransformer):
        raise TypeError(f"`{name}` must be an EnergyTransformer, but it is {type(block).__name__}.")
    return block
