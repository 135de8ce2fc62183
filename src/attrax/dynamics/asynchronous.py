"""Two-state units that settle one after another."""

from typing import ClassVar, Literal

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike

from ..common.checks import whole_number
from ..spaces.units import decided
from .base import Outcome
from .engine import AbstractStepping, ending
from .sweeps import Order, Units, sweep, units_of


class Asynchronous(AbstractStepping):
    """Each unit in turn to the side of lower energy, until a whole sweep changes none.

    Every change lowers the energy, so the state comes to rest, and cannot cycle as it may when
    all units move at once; couplings that are not symmetric have no energy, and may move it
    forever. What `retrieve` does by default with two-state units.

    All queries see their units in the same order: fields are then taken for blocks of units and
    all queries in one product. In dense memories, where a change of a unit moves the energies of
    all others anew, several units are looked at as if none of them changed, up to the first that
    does. The orders follow from `seed` alone, so no key is needed.

    **Arguments:**

    - `order`: "random", a new permutation each sweep; "cyclic", by index; or indices of all units,
      shape (d,), for every sweep.
    - `rule`: "energy" compares the energies of the unit's two states; "field" takes the side of
      the drive. They differ where a unit acts on itself: in dense memories, and in matrices read
      with their self-term. With "field" the energy may then rise.
    - `ties`: what a unit does that prefers neither state: "keep" the one it has, or go "high" or
      "low", with which the energy still never rises.
    - `seed`: of the random orders, a whole number.
    - `max_steps`: the limit of sweeps, ≥ 1.

    **Raises:** `ValueError` for values outside these bounds; on a run `TypeError` for a memory
    without two-state units.

    **Source:** [hopfield1982neural]; [krotov2016dense] for comparing energies
    """

    order: Order
    rule: str = eqx.field(static=True)
    ties: str = eqx.field(static=True)
    max_steps: int = eqx.field(static=True)
    random: ClassVar = False
    graded: ClassVar = False
    loop: ClassVar = "together"

    def __init__(
        self,
        order: ArrayLike | str = "random",
        *,
        rule: Literal["energy", "field"] = "energy",
        ties: Literal["keep", "high", "low"] = "keep",
        seed: ArrayLike = 0,
        max_steps: int = 100,
    ):
        if rule not in ("energy", "field"):
            raise ValueError(f"`rule` must be 'energy' or 'field', but it is {rule!r}.")
        if ties not in ("keep", "high", "low"):
            raise ValueError(f"`ties` must be 'keep', 'high' or 'low', but it is {ties!r}.")
        max_steps = whole_number("max_steps", max_steps)
        self.order, self.rule, self.ties = Order(order, seed), rule, ties
        self.max_steps = max_steps

    def begin(self, space, state):
        """Nothing is remembered.

        **Raises:** `TypeError` for a memory without two-state units.
        """
        units_of(space, "Asynchronous")

    def step(self, space: Units, state, memo, number, key):
        """A sweep; the last one finds nothing to change."""
        low, high = space.levels
        undecided = {"keep": None, "low": low, "high": high}[self.ties]

        def decide(drive, before, noise):
            default = before if undecided is None else jnp.full_like(before, undecided)
            return decided(drive, default, space.memory.units)

        order = self.order(state.shape[0], number)
        new = sweep(space, state, order, decide, rule=self.rule)
        return new, memo, ending(self.limit, (~jnp.any(new != state), Outcome.converged))
