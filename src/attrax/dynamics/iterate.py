"""Reads repeated until the state rests, and the single read."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.checks import is_concrete, positive
from .base import Outcome, advance, checked_limits, difference, rests
from .engine import AbstractStepping, ending, unread


class OneRead(AbstractStepping):
    """Exactly one read, x₁ = pull(x₀): single-shot retrieval, as attention does it.

    `attrax.retrieve` then gives no energy, which would take a second pass over the memories: ask
    for it by `path=True`, or `memory.energy(query)`.

    **Source:** [millidge2022universal]
    """

    random: ClassVar = False
    graded: ClassVar = False
    single: ClassVar = True
    loop: ClassVar = "fixed"
    limit: ClassVar = Outcome.one_read
    max_steps: ClassVar = 1

    def begin(self, space, state):
        """No reading yet."""
        return unread(jax.eval_shape(lambda: advance(space, state)))

    def step(self, space, state, memo, number, key):
        """The read, which is the memo too."""
        reading = advance(space, state)
        return reading.value, reading, self.limit


class Iterate(AbstractStepping):
    """x ← (1 − damping) x + damping · pull(x), until the state rests.

    It rests when a step is no longer than atol + rtol |x|. Where rows differ by less than a
    hundredth of |x|, or of one, a hundred times their difference stands for these. Forward-mode
    derivatives pass through; for reverse mode use `FixedPoint`.

    **Arguments:**

    - `damping`: the share of the *new* state, in (0, 1]; 1 is the plain read.
    - `rtol`, `atol`: the tolerances, relative to the state's norm and absolute.
    - `max_steps`: the step limit, ≥ 1.

    **Raises:** `ValueError` for values outside these bounds.

    **Source:** [ramsauer2021hopfield]
    """

    damping: Float[Array, ""]
    rtol: float = eqx.field(static=True)
    atol: float = eqx.field(static=True)
    max_steps: int = eqx.field(static=True)
    random: ClassVar = False

    def __init__(
        self,
        damping: ArrayLike = 1.0,
        *,
        rtol: float = 1e-4,
        atol: float = 1e-6,
        max_steps: int = 100,
    ):
        self.damping = positive("damping", damping)
        if is_concrete(self.damping) and float(self.damping) > 1:
            raise ValueError(
                f"`damping` is the share of the new state and must lie in (0, 1], not {damping}."
            )
        rtol, atol, max_steps = checked_limits(rtol, atol, max_steps)
        self.rtol, self.atol, self.max_steps = rtol, atol, max_steps

    @property
    def graded(self) -> bool:
        """Where it is damped; under jit that cannot be seen."""
        return is_concrete(self.damping) and float(self.damping) != 1

    def begin(self, space, state):
        """No reading yet."""
        return unread(jax.eval_shape(lambda: advance(space, state)))

    def step(self, space, state, memo, number, key):
        """A read, and the share of it that is taken; the memo is the reading."""
        reading = advance(space, state)
        share = jax.tree.map(lambda leaf: self.damping.astype(leaf.dtype), state)
        new = jax.tree.map(_towards, state, reading.value, share)
        limits = self.rtol, self.atol, space.spread
        done = rests(difference(new, state), state, *limits)
        # Comparing with the state before last finds a cycle of two; the first step has none.
        back = rests(difference(new, memo.state), state, *limits) & (number > 0)
        outcome = ending(self.limit, (done, Outcome.converged), (back, Outcome.cycle))
        return new, reading, outcome


def _towards(x, y, share):
    """A share of the way from x to y; all of it is y itself, which x may be too large to keep."""
    return jnp.where(share == 1, y, x + share * (y - x))
