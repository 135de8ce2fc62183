"""Euler's method, plain or with backtracking."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import accumulate
from ..common.checks import positive
from .base import (
    Outcome,
    checked_limits,
    choose,
    difference,
    magnitude,
    norm,
    resting,
    rests,
    still,
)
from .engine import AbstractStepping, ending

_HALVINGS = 30


class Euler(AbstractStepping):
    """x ← x + step · (pull(x) − x), all layers at once, until the speed |pull(x) − x| is small.

    In a network it is x ← x − step · ∂E/∂g, with each layer's step divided by its time constant.
    Steps must stay below the fastest τ, or energy can rise. Reverse mode passes through the steps,
    with checkpoints; `FixedPoint` needs the memory of one step only.

    **Arguments:**

    - `step`: step size, > 0, in units of the slowest layer's time constant.
    - `backtracking`: halve a step, up to 30 times, until it does not raise the energy beyond
      rounding: what kinked energies (max pooling, |x|) need, and long steps. No layer is then moved
      beyond its pull. Where no step lowers the energy the run ends as `Outcome.stalled`.
    - `rtol`, `atol`: at rest once |pull(x) − x| ≤ atol + rtol |x|, whatever the time constants.
    - `max_steps`: the step limit, ≥ 1.

    **Raises:** `ValueError` for values outside these bounds.

    **Source:** [krotov2021large]; [hoover2022universal]
    """

    size: Float[Array, ""]
    backtracking: bool = eqx.field(static=True)
    rtol: float = eqx.field(static=True)
    atol: float = eqx.field(static=True)
    max_steps: int = eqx.field(static=True)
    random: ClassVar = False
    graded: ClassVar = True
    loop: ClassVar = "bounded"
    counts_rest: ClassVar = False

    def __init__(
        self,
        step: ArrayLike = 0.1,
        *,
        backtracking: bool = False,
        rtol: float = 1e-4,
        atol: float = 1e-6,
        max_steps: int = 1000,
    ):
        self.size, self.backtracking = positive("step", step), bool(backtracking)
        rtol, atol, max_steps = checked_limits(rtol, atol, max_steps)
        self.rtol, self.atol, self.max_steps = rtol, atol, max_steps

    def begin(self, space, state):
        """Nothing is remembered.

        **Raises:** `NoEnergyError` if `backtracking` is to go by an energy that is not there.
        """
        if self.backtracking:
            # Raises where there is no energy, before anything is run.
            jax.eval_shape(space.energy, state)

    def step(self, space, state, memo, number, key):
        """A step towards the pull; at rest the state stays where it was measured."""
        ahead = difference(space.pull(state), state)
        away = difference(resting(space, state), state)
        new = self._moved(state, ahead, away, self._length(space, state, ahead, away))
        done = rests(away, state, self.rtol, self.atol, space.spread)
        # At a kink steps shrink until they are lost in the rounding of the state.
        size = norm(state)
        least = 4 * float(jnp.finfo(size.dtype).eps) * size
        stuck = self.backtracking & (norm(difference(new, state)) <= least)
        outcome = ending(self.limit, (done, Outcome.converged), (stuck, Outcome.stalled))
        return choose(done, state, new), memo, outcome

    def _length(self, space, state, ahead, away):
        """The step, halved until the energy does not rise; 0 where it always does."""
        if not self.backtracking:
            return self.size
        # How long a step is has no gradient: derivatives follow the steps that were taken.
        space, state, ahead, away, step = still((space, state, ahead, away, self.size))
        energy, slopes = jax.value_and_grad(space.energy)(state)
        room = 8 * jnp.finfo(energy.dtype).eps * magnitude(space, state)

        def refused(carry):
            step, halvings = carry
            new = self._moved(state, ahead, away, step)
            move = difference(new, state)
            there, beyond = jax.value_and_grad(space.energy)(new)
            change = there - energy
            # Where the change is lost in rounding its slope must tell: across a valley it rises.
            falls = _along(beyond, move) <= jnp.abs(_along(slopes, move)) / 2
            lower = (change < -room) | ((change <= room) & falls)
            return ~lower & (halvings < _HALVINGS)

        step, halvings = jax.lax.while_loop(
            refused, lambda carry: (carry[0] / 2, carry[1] + 1), (step, jnp.zeros((), jnp.int32))
        )
        return jnp.where(halvings < _HALVINGS, step, jnp.zeros_like(step))

    def _moved(self, state, ahead, away, step):
        def one(x, ahead, away):
            change = step.astype(x.dtype) * ahead
            if self.backtracking:
                # The energy cannot see a saturated layer that is thrown beyond its pull.
                change = jnp.where(jnp.abs(change) > jnp.abs(away), away, change)
            return x + change

        return jax.tree.map(one, state, ahead, away)


def _along(slopes, move):
    """slopes · move over all leaves."""
    parts = [
        jnp.sum(a.astype(accumulate(a.dtype)) * b.astype(accumulate(b.dtype)))
        for a, b in zip(jax.tree.leaves(slopes), jax.tree.leaves(move), strict=True)
    ]
    return sum(parts[1:], parts[0])
