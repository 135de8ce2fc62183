"""What a language model reads besides its segment: contexts, and the cache of the last rows."""

from abc import abstractmethod
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..common.checks import whole_number
from . import association
from .bank import Bank
from .hopfield import HopfieldAttention


class Step(NamedTuple):
    """What a context gives for one segment.

    - `output` (T, d): what attention read.
    - `state`: of the context, for the next segment.
    - `loss` (): of parts that learn by a loss of their own, such as a compression; else 0.
    """

    output: Float[Array, "t d"]
    state: Any
    loss: Float[Array, ""]


class AbstractContext(eqx.Module):
    """What rows of a segment read besides themselves, and what is kept of them for the next one.

    The state is made of `Bank`s. What is kept has no gradient, and is never read within the segment
    that wrote it.
    """

    @abstractmethod
    def start(self, attention: HopfieldAttention) -> Any:
        """The state before the first segment of a document."""

    @abstractmethod
    def step(self, attention: HopfieldAttention, rows: Float[Array, "t d"], state: Any) -> Step:
        """Read for the rows of one segment, then keep them.

        **Arguments:**

        - `attention`: the layer that reads, causal within the segment.
        - `rows`: its input, shape (T, d).
        - `state`: of this context.
        """


class SegmentCache(AbstractContext):
    """The inputs of the last `length` tokens, which attention reads as if they stood before.

    Keys and values are made of them anew by the weights of each read.

    **Arguments:**

    - `length`: how many rows are kept; a segment must not be longer.

    **Raises:** `ValueError` if it is not a positive whole number.

    **Source:** [dai2019transformer]
    """

    length: int = eqx.field(static=True)

    def __init__(self, length: int):
        self.length = whole_number("length", length)

    def start(self, attention):
        """A bank of no rows."""
        return Bank(self.length, attention.key_size)

    def step(self, attention, rows, state):
        """See `AbstractContext.step`."""
        check_segment(rows, self.length)
        given = beside(attention, rows, before(state))
        read = association.attended(attention, given, given.states, given.values)
        state = state.write(rows[None])
        return Step(attention.joined(read.value, rows), state, jnp.zeros(()))


class Before(NamedTuple):
    """Rows that stand before a segment: shape (N, d), their places, and which are there."""

    rows: Float[Array, "n d"]
    places: Int[Array, " n"]
    there: Bool[Array, " n"]


def before(bank: Bank, offset: int = 0) -> Before:
    """The rows of a bank of one head, the newest at the place −1 − offset."""
    return Before(bank.keys[0], -1 - offset - bank.ages, bank.filled)


def beside(
    attention: HopfieldAttention, rows: Float[Array, "t d"], *kept: Before
) -> association.Inputs:
    """What a layer is given for the rows of a segment and those that stand before it.

    Rows of the segment see all that stand before it, and of the segment themselves and those
    before them.
    """
    count = rows.shape[0]
    own = jnp.arange(count, dtype=jnp.int32)
    keys = jnp.concatenate([*(part.rows.astype(rows.dtype) for part in kept), rows])
    seen = jnp.tril(jnp.ones((count, count), bool))
    earlier = [jnp.broadcast_to(part.there[None], (count, part.there.shape[0])) for part in kept]
    places = None
    if attention.rotary is not None:
        places = association.Places(own, jnp.concatenate([*(part.places for part in kept), own]))
    mask = jnp.concatenate([*earlier, seen], axis=1)
    return association.inputs(attention, rows, keys, None, mask=mask, places=places)


def check_segment(rows, length: int) -> None:
    """Refuse a segment that a cache of a length cannot hold.

    **Raises:** `ValueError`.
    """
    if rows.shape[0] > length:
        raise ValueError(
            f"A segment must be no longer than the cache, {length}, but it has {rows.shape[0]} "
            "tokens."
        )


def cleared(state: Any, when: Any = True) -> Any:
    """A state whose banks hold no rows; `when` may be traced."""
    return jax.tree.map(
        lambda leaf: leaf.clear(when) if isinstance(leaf, Bank) else leaf,
        state,
        is_leaf=lambda leaf: isinstance(leaf, Bank),
    )
