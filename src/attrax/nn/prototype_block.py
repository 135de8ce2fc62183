"""`PrototypeBlock`: a transformer's block that reads learnt prototypes in place of an MLP."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from ..common.checks import one_key, one_of, plain_number, whole_number
from . import association
from .blocks import Feedforward, Residual
from .hopfield import HopfieldAttention
from .pooling import HopfieldLookup
from .projections import as_share, checked_rows, each

FEEDFORWARDS = ("prototypes", "mlp", "none")


class PrototypeBlock(eqx.Module):
    """A transformer's block in which each row reads a memory of learnt prototypes, and no MLP.

    x ← x + λ ⊙ C softmax(β L norm(x)), then x ← x + λ' ⊙ attention(norm(x)). The prototypes are
    the rows of L (n, d), and what they stand for the columns of C (d, n); both are learnt, so the
    read is that of an MLP with n hidden units and a softmax for its activation. It is one read,
    without an energy, as what is read is not what is compared. In the attention the values are
    the keys, K = x W_k: each head retrieves its keys.

    ```python
    block = PrototypeBlock(64, heads=4, head_size=16, prototypes=128, dropout=0.0, key=key)
    block(x)                               # (S, 64) -> (S, 64), each row of those before it
    block.feedforward.memory()             # the prototypes as an attrax.Memory
    ```

    **Arguments:**

    - `size`: d, entries of a row.
    - `heads`, `head_size`: H heads of the attention and z, the entries of a key of each.
    - `prototypes`: n, how many prototypes there are, or hidden units of the MLP.
    - `feedforward`: "prototypes"; or one of two baselines, "mlp", which is C gelu(L x + b) + c
      with as many weights, and "none", which leaves the first half out.
    - `scale`: the entries of λ and λ' at the start, which are learnt.
    - `dropout`: the share of entries of what both halves add that is dropped in training.
    - `key`: of the weights at the start, normal numbers of variance 1/(3 d).

    The inverse temperatures start at β = 1/√d for the prototypes, and 1/√z for the attention. They
    are learnt too, which only repeats what the gain of the layer norm can do.

    **Raises:** `ValueError` for numbers out of bounds, or another `feedforward`.

    **Source:** [xu2022txt]
    """

    feedforward: HopfieldLookup | Feedforward | None
    attention: HopfieldAttention
    around_feedforward: Residual | None
    around_attention: Residual
    feedforward_scale: Float[Array, " d"] | None
    attention_scale: Float[Array, " d"]

    def __init__(
        self,
        size: int,
        *,
        heads: int = 8,
        head_size: int = 48,
        prototypes: int = 1000,
        feedforward: str = "prototypes",
        scale: float = 0.1,
        dropout: float = 0.1,
        key: Array,
    ):
        size = whole_number("size", size)
        prototypes = whole_number("prototypes", prototypes, 2)
        one_of("feedforward", feedforward, FEEDFORWARDS)
        scales = jnp.full((size,), plain_number("scale", scale), float)
        dropout = as_share("dropout", dropout)
        one, two = jax.random.split(one_key(key))
        options = {"bias": False, "deviation": (3 * size) ** -0.5}
        self.feedforward = None
        if feedforward == "prototypes":
            self.feedforward = HopfieldLookup(
                size, memories=prototypes, values=size, project=(), key=one, **options
            )
        elif feedforward == "mlp":
            self.feedforward = Feedforward(size, prototypes, 0.0, jax.nn.gelu, one)
        self.attention = HopfieldAttention(
            size,
            heads=whole_number("heads", heads),
            head_size=whole_number("head_size", head_size),
            project=("query", "key", "output"),
            connected=True,  # values are the projected keys
            key=two,
            **options,
        )
        there = self.feedforward is not None
        self.around_feedforward = _around(size, dropout) if there else None
        self.around_attention = _around(size, dropout)
        self.feedforward_scale = scales if there else None
        self.attention_scale = scales

    def __call__(
        self,
        rows: ArrayLike,
        *,
        mask=None,
        causal: bool = True,
        key: Array | None = None,
        inference: bool | None = None,
    ) -> Float[Array, "s d"]:
        """The rows, each changed by its prototypes, then by the rows before it.

        **Arguments:**

        - `rows`: shape (S, d).
        - `mask`: True for rows that take part in the attention, as of `HopfieldAttention`.
        - `causal`: whether a row reads only itself and those before it.
        - `key`: of the dropout, needed in training where there is some.
        - `inference`: whether dropout is off; as `eqx.nn.inference_mode` has set it if `None`.

        **Raises:** `ValueError` for wrong shapes, or a missing `key`.
        """
        rows = checked_rows("rows", rows, self.attention.query_size)
        drop = self.around_attention.drop
        off = drop.inference if inference is None else inference
        if key is None and drop.p and not off:
            raise ValueError("`key` is needed for dropout; without it, pass inference=True.")
        one, two = (None, None) if key is None else jax.random.split(one_key(key))
        rows = _fed(self, rows, one, inference)

        def attend(inner):
            return self.attention_scale[None] * self.attention(inner, mask=mask, causal=causal)

        return self.around_attention(rows, attend, two, inference)


def advance(
    block: PrototypeBlock,
    row: Float[Array, " d"],
    kept: Float[Array, "h l z"],
    position: Int[Array, ""],
) -> tuple[Float[Array, " d"], Float[Array, "h l z"]]:
    """A row through the block when the keys of those before it are kept, without dropout.

    Values are keys, so keys are all that has to be kept.

    **Returns:** what the row becomes, and the keys with its own at its position.
    """
    rows, attention = _fed(block, row[None], None, True), block.attention
    inner = each(block.around_attention.norm, rows)
    given = association.inputs(attention, inner, None, None, mask=None)
    kept = jax.lax.dynamic_update_slice_in_dim(kept, given.keys.astype(kept.dtype), position, 1)
    filled = jnp.arange(kept.shape[1], dtype=jnp.int32) <= position
    given = given._replace(keys=kept, values=kept, filled=filled)
    read = association.attended(attention, given, given.states)
    change = block.attention_scale[None] * attention.joined(read.value, inner)
    return (rows + change.astype(rows.dtype))[0], kept


def _fed(block, rows, key, inference):
    """Rows and what the prototypes, or the MLP, add to them."""
    feedforward, around = block.feedforward, block.around_feedforward
    if feedforward is None:
        return rows

    def change(inner):
        if isinstance(feedforward, HopfieldLookup):
            found = feedforward(inner)
        else:
            found = feedforward(inner, None, True)
        return block.feedforward_scale[None] * found.astype(inner.dtype)

    return around(rows, change, key, inference)


def _around(size, dropout):
    return Residual(eqx.nn.LayerNorm(size), eqx.nn.Dropout(dropout), norm_first=True)
