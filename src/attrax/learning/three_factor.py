"""Rules of three factors: the hand-written one, and its form with coefficients to be learnt."""

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.checks import as_floats, is_concrete, number
from .plasticity import AbstractPlasticity
from .slots import AbstractSlotSelector, SequentialSlots


class ThreeFactor(AbstractPlasticity):
    """Chosen slots copy the input into their keys, and the target, by Hebb's rule, into values.

        K_i ← (1 − η_i) K_i + η_i x,    V_i ← λ_q (1 − η_i) V_i + η_i h'_i y,

    with λ_q = 1 − min(q, 1) (1 − λ). A key is written by the input alone, whatever its neuron does:
    that is what lets a single presentation suffice. A value is written by the neuron's activity h'
    after that, so that several slots chosen at once share the target between them. See
    `AbstractPlasticity` for the steps and symbols.

    ```python
    memory = attrax.models.plastic_memory(slots=40, width=40)
    rule = attrax.learning.ThreeFactor(attrax.learning.SequentialSlots())
    state, reads = rule.run(rule.begin(memory), patterns)    # (T, 40), each stored once
    attrax.retrieve(state.memory, queries)
    ```

    A strength q > 1 is a flashbulb: its slots become stable and keep what they have for ever. Where
    all slots are stable, nothing is written any more.

    **Arguments:**

    - `selector`: of `attrax.learning`, or your own; `SequentialSlots()` if `None`.
    - `decay`: λ, in [0, 1]: what share of all values is left after an item is stored.
    - `skip_stable`: whether stable slots are passed over. If not, as in the paper, an item whose
      turn falls on a stable slot is lost.
    - `clipped`: whether a strength above 1 writes as 1 does, and only makes the slots stable. If
      not, as in the paper, q = 10 makes a key ten times too long, K ← −9K + 10x, which then wins
      most reads of other items.

    **Raises:** `ValueError` for a decay out of its range; `TypeError` if `selector` is none.

    **Source:** [tyulmankov2021biological]
    """

    selector: AbstractSlotSelector
    decay: Float[Array, ""]
    skip_stable: bool = eqx.field(static=True)
    clipped: bool = eqx.field(static=True)

    def __init__(
        self,
        selector: AbstractSlotSelector | None = None,
        *,
        decay: ArrayLike = 1.0,
        skip_stable: bool = True,
        clipped: bool = True,
    ):
        self.selector = _checked_selector(selector)
        self.decay = number("decay", decay)
        if is_concrete(self.decay) and not 0 <= float(self.decay) <= 1:
            raise ValueError(
                "`decay` is the share of values that is left and must lie in [0, 1], "
                f"but it is {float(self.decay):g}."
            )
        self.skip_stable = bool(skip_stable)
        self.clipped = bool(clipped)

    def write_keys(self, keys, input, weights, rate):
        """See the formula."""
        rate = self._amplitude(rate)[:, None]
        return (1 - rate) * keys + rate * input[None]

    def write_values(self, values, target, weights, rate, store):
        """See the formula."""
        rate = self._amplitude(rate)
        left = 1 - jnp.minimum(store, 1.0) * (1 - self.decay.astype(values.dtype))
        return left * (1 - rate)[:, None] * values + (rate * weights)[:, None] * target[None]

    def _amplitude(self, rate):
        return jnp.minimum(rate, 1.0) if self.clipped else rate


class AffineThreeFactor(AbstractPlasticity):
    """A rule whose coefficients can be learnt, by gradients through the streams that it writes.

        K_i ← (1 − κ_i) K_i + κ_i g(h_i) f(x),    κ = a_K η,
        V_i ← λ_q V_i + q a_V f'(h'_i) g'(y),   λ_q = 1 − min(q, 1) (1 − λ),

    where f, g, f' and g' are affine, z ↦ a z + b, and each is given as (a, b). The values have no
    local factor: of all slots it is those active after the keys were written that learn. The
    defaults are the rule written by hand: keys from the input alone (a = 0 in g, b = 0 in f), and
    values by Hebb (b = 0 in f' and g'). Training comes near it, up to scales that do not matter.

    ```python
    def loss(rule, streams):                    # (B, T, d), stored and then asked for
        states, _ = jax.vmap(lambda x: rule.run(rule.begin(memory), x))(streams)
        ...
    attrax.training.train(rule, loss, batches, steps=500)
    ```

    **Arguments:**

    - `selector`: as for `ThreeFactor`.
    - `key_input`, `key_activity`: (a, b) of f, of the entries of x, and of g, of h; shape (2,).
    - `value_activity`, `value_target`: (a, b) of f', of h', and of g', of the entries of y.
    - `key_rate`, `value_rate`: a_K and a_V.
    - `decay`: λ, what share of all values is left after an item is stored.
    - `skip_stable`: as for `ThreeFactor`.

    **Raises:** `ValueError` for wrong shapes; `TypeError` if `selector` is none.

    **Source:** [tyulmankov2021biological]
    """

    selector: AbstractSlotSelector
    key_input: Float[Array, "2"]
    key_activity: Float[Array, "2"]
    value_activity: Float[Array, "2"]
    value_target: Float[Array, "2"]
    key_rate: Float[Array, ""]
    value_rate: Float[Array, ""]
    decay: Float[Array, ""]
    skip_stable: bool = eqx.field(static=True)

    def __init__(
        self,
        selector: AbstractSlotSelector | None = None,
        *,
        key_input: ArrayLike | tuple[float, float] = (1.0, 0.0),
        key_activity: ArrayLike | tuple[float, float] = (0.0, 1.0),
        value_activity: ArrayLike | tuple[float, float] = (1.0, 0.0),
        value_target: ArrayLike | tuple[float, float] = (1.0, 0.0),
        key_rate: ArrayLike = 1.0,
        value_rate: ArrayLike = 1.0,
        decay: ArrayLike = 1.0,
        skip_stable: bool = True,
    ):
        self.selector = _checked_selector(selector)
        self.key_input = _affine("key_input", key_input)
        self.key_activity = _affine("key_activity", key_activity)
        self.value_activity = _affine("value_activity", value_activity)
        self.value_target = _affine("value_target", value_target)
        self.key_rate = number("key_rate", key_rate)
        self.value_rate = number("value_rate", value_rate)
        self.decay = number("decay", decay)
        self.skip_stable = bool(skip_stable)

    def write_keys(self, keys, input, weights, rate):
        """See the formula."""
        rate = (self.key_rate.astype(keys.dtype) * rate)[:, None]
        written = _apply(self.key_activity, weights)[:, None] * _apply(self.key_input, input)[None]
        return (1 - rate) * keys + rate * written

    def write_values(self, values, target, weights, rate, store):
        """See the formula."""
        kind = values.dtype
        left = 1 - jnp.minimum(store, 1.0) * (1 - self.decay.astype(kind))
        active = store * self.value_rate.astype(kind) * _apply(self.value_activity, weights)
        return left * values + active[:, None] * _apply(self.value_target, target)[None]


def _apply(affine, value):
    slope, offset = affine.astype(value.dtype)
    return slope * value + offset


def _affine(name: str, value) -> Array:
    array = as_floats(name, value, ndim=1)
    if array.shape != (2,):
        raise ValueError(f"`{name}` must be slope and offset, (a, b), but has {array.shape[0]}.")
    return array


def _checked_selector(selector) -> AbstractSlotSelector:
    if selector is None:
        return SequentialSlots()
    if not isinstance(selector, AbstractSlotSelector):
        kind = selector.__name__ if isinstance(selector, type) else type(selector).__name__
        raise TypeError(
            f"`selector` must be a slot selector such as SequentialSlots(), but it is {kind}."
        )
    return selector
