"""Two-state units at a temperature."""

from collections.abc import Callable
from typing import ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import accumulate
from ..common.checks import is_concrete, number, whole_number
from ..spaces.units import decided
from .base import Outcome, scheduled
from .engine import AbstractStepping
from .sweeps import Order, Units, sweep, units_of


class Glauber(AbstractStepping):
    """Each unit in turn at a temperature: samples of exp(−E/T), where there is an energy.

    "heat_bath" sets a unit high with probability 1/(1 + exp(−ΔE/T)), ΔE being the energy of its
    low state above that of its high one. "metropolis" changes a unit with probability
    min(1, exp(−(E′ − E)/T)): more changes, but at a high temperature states can alternate.

    ```python
    cooled = Glauber(lambda sweep: 1.0 - sweep / 100, sweeps=100)
    found = attrax.retrieve(memory, queries, cooled, key=jax.random.key(0))
    ```

    **Arguments:**

    - `temperature`: T ≥ 0, in units of the energy, or a function of the number of the sweep, from
      0 to `sweeps` − 1, which is traced: `jnp.where(sweep < 10, 2.0, 0.5)`, not `if`. At 0 a unit
      takes the side of lower energy.
    - `sweeps`: how many times each unit is visited, ≥ 1.
    - `rule`: "heat_bath" or "metropolis".
    - `order`: as of `Asynchronous`.
    - `seed`: of random orders; the units' own chances come from the `key` of `retrieve`.

    **Raises:** `ValueError` or `TypeError` for values outside these bounds; on a run `TypeError`
    for a memory without two-state units.

    **Source:** [glauber1963time]; [metropolis1953equation] for "metropolis"
    """

    temperature: Float[Array, ""] | Callable
    sweeps: int = eqx.field(static=True)
    rule: str = eqx.field(static=True)
    order: Order
    random: ClassVar = True
    graded: ClassVar = False
    loop: ClassVar = "fixed"
    limit: ClassVar = Outcome.sampled

    def __init__(
        self,
        temperature: ArrayLike | Callable,
        *,
        sweeps: int,
        rule: Literal["heat_bath", "metropolis"] = "heat_bath",
        order: ArrayLike | str = "random",
        seed: ArrayLike = 0,
    ):
        if rule not in ("heat_bath", "metropolis"):
            raise ValueError(f"`rule` must be 'heat_bath' or 'metropolis', but it is {rule!r}.")
        self.sweeps, self.rule = whole_number("sweeps", sweeps), rule
        self.order = Order(order, seed)
        self.temperature = (
            temperature if callable(temperature) else number("temperature", temperature)
        )
        drawn = self.temperatures
        if is_concrete(drawn) and not bool(jnp.all((drawn >= 0) & jnp.isfinite(drawn))):
            raise ValueError(
                f"`temperature` must be at least 0 and finite in every sweep, but it is {drawn}."
            )

    @property
    def temperatures(self) -> Float[Array, " sweeps"]:
        """T of every sweep."""
        return scheduled(self.temperature, self.sweeps)

    @property
    def max_steps(self) -> int:
        """A step is a sweep."""
        return self.sweeps

    def begin(self, space, state):
        """The temperatures of all sweeps.

        **Raises:** `TypeError` for a memory without two-state units.
        """
        units_of(space, "Glauber")
        return self.temperatures

    def step(self, space: Units, state, memo, number, key):
        """A sweep at its temperature."""
        low, high = space.levels
        # Few bits would cut the tails, where the rare steps uphill are.
        wide = accumulate(state.dtype)
        heat_bath = self.rule == "heat_bath"
        draw = jax.random.logistic if heat_bath else jax.random.exponential
        noise, warmth = draw(key, state.shape, wide), memo[number].astype(wide)

        def decide(gap, before, noise):
            if heat_bath:
                # u < 1/(1 + exp(−gap/T)) in a form that T = 0 leaves right.
                return decided(gap.astype(wide) - warmth * noise, before, space.memory.units)
            up = before > 0.5 * (low + high)
            rise = jnp.where(up, gap, -gap)
            other = jnp.where(up, low, high).astype(before.dtype)
            return jnp.where(rise.astype(wide) < warmth * noise, other, before)

        # Of units that are warm many change, and looking at more of them would be in vain.
        order = self.order(state.shape[0], number)
        return sweep(space, state, order, decide, noise, ahead=4), memo, self.limit
