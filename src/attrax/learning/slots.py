"""Slot selectors: the local third factor, which says what slots of a memory may be written."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from ..common.checks import is_concrete, number, one_of

# See attrax.separation.base: declared by leaves as class variable, property or field.
if TYPE_CHECKING:
    from typing import ClassVar as Declared
else:
    from equinox import AbstractVar as Declared


class SlotOffer(NamedTuple):
    """What a selector sees of one time step.

    - `store`: q ≥ 0, the global third factor; nothing is written where it is zero.
    - `free` (N,): True for slots that may be chosen.
    - `weights` (N,): h, what the slots weigh in the read of this step's input.
    """

    store: Float[Array, ""]
    free: Bool[Array, " N"]
    weights: Float[Array, " N"]


class AbstractSlotSelector(eqx.Module):
    """The local third factor γ: which of N slots a step may write.

    In a neuron it is a dendritic spike, which comes without regard to the neuron's own activity. A
    selector is a description without state; the state is made by `begin` and handed on.
    """

    random: Declared[bool]
    """Whether slots are drawn, so that streams need a key of their own."""

    @abstractmethod
    def begin(self, slots: int) -> Any:
        """The state before the first step.

        **Arguments:**

        - `slots`: N, the number of slots.

        **Returns:** any pytree of arrays.
        """

    @abstractmethod
    def select(
        self, state: Any, offer: SlotOffer, key: PRNGKeyArray
    ) -> tuple[Bool[Array, " N"], Any]:
        """Choose slots at one time step.

        **Arguments:**

        - `state`: of `begin`, or of the step before.
        - `offer`: what is known of the step.
        - `key`: a random key of this step.

        **Returns:** γ, shape (N,), True for slots to be written if something is stored, and the
        state for the next step.
        """


class SequentialSlots(AbstractSlotSelector):
    """One slot after another, γ_i = 1 for i = t mod N; slots that are not free are passed over.

    Each slot keeps what it has for N steps, so that a memory holds just the last N items.

    **Arguments:**

    - `advance`: "step" moves on at every step, whether or not something is stored, as in the paper:
      an item is replaced N, 2N, … steps later, if something is stored just then. "store" moves on
      only when something is stored: an item is replaced after N further items.

    **Raises:** `ValueError` for another `advance`.

    **Source:** [tyulmankov2021biological]
    """

    advance: Literal["step", "store"] = eqx.field(static=True, default="step")
    random: ClassVar = False

    def __check_init__(self):
        one_of("advance", self.advance, ("step", "store"))

    def begin(self, slots: int) -> Int[Array, ""]:
        """The first slot."""
        return jnp.zeros((), jnp.int32)

    def select(self, state, offer: SlotOffer, key):
        """The next slot that is free."""
        count = offer.free.shape[0]
        indices = jnp.arange(count, dtype=jnp.int32)
        away = jnp.where(offer.free, (indices - state) % count, count)
        place = jnp.argmin(away).astype(jnp.int32)
        moved = (place + 1) % count
        if self.advance == "store":
            moved = jnp.where(offer.store > 0, moved, state)
        return (indices == place) & offer.free, moved


class RandomSlots(AbstractSlotSelector):
    """Each slot by itself with probability p, γ_i ~ Bernoulli(p).

    An item goes into pN slots on average, and is there as long as one of them has it; with
    probability (1 − p)^N it is not written at all. So take p = 4/N, with which that happens to
    one item in 50.

    **Arguments:**

    - `probability`: p, in (0, 1].

    **Raises:** `ValueError` for a probability out of its range.

    **Source:** [tyulmankov2021biological]
    """

    probability: Float[Array, ""]
    random: ClassVar = True

    def __init__(self, probability: ArrayLike):
        self.probability = number("probability", probability)
        if is_concrete(self.probability) and not 0 < float(self.probability) <= 1:
            raise ValueError(
                "`probability` is the chance of a slot and must lie in (0, 1], "
                f"but it is {float(self.probability):g}; 4/N is good for N slots."
            )

    def begin(self, slots: int) -> None:
        """None: draws do not depend on those before."""
        return

    def select(self, state, offer: SlotOffer, key):
        """Free slots, drawn."""
        return jax.random.bernoulli(key, self.probability, offer.free.shape) & offer.free, state


class SlotUse(NamedTuple):
    """When slots were last used, shape (N,), and the number of this step."""

    last: Int[Array, " N"]
    step: Int[Array, ""]


class LeastRecentlyUsedSlots(AbstractSlotSelector):
    """The free slot that was last used the longest ago, at first one after another.

    A slot is used when it is written, and when it answers a query: when it weighs more than a half
    in the read of a step that stores nothing. So what is asked for again and again stays.

    **Source:** [tyulmankov2021biological]
    """

    random: ClassVar = False

    def begin(self, slots: int) -> SlotUse:
        """No slot has been used; the first come first."""
        return SlotUse(jnp.arange(-slots, 0, dtype=jnp.int32), jnp.zeros((), jnp.int32))

    def select(self, state, offer: SlotOffer, key):
        """The slot of the oldest use."""
        last, step = state
        never = jnp.iinfo(jnp.int32).max
        place = jnp.argmin(jnp.where(offer.free, last, never))
        gate = (jnp.arange(last.shape[0], dtype=place.dtype) == place) & offer.free
        used = jnp.where(offer.store > 0, gate, offer.weights > 0.5)
        return gate, SlotUse(jnp.where(used, step, last), step + 1)
