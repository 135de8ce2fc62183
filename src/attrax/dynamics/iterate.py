"""Reads repeated until the state rests, and the single read."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..checks import is_concrete, positive, whole_number
from ..spaces.base import AbstractSpace
from .base import (
    AbstractDynamics,
    Outcome,
    Run,
    advance,
    difference,
    finite,
    recorded,
    rests,
)


class OneRead(AbstractDynamics):
    """Exactly one read, x₁ = pull(x₀): single-shot retrieval, as attention does it.

    **Source:** [millidge2022universal]
    """

    random: ClassVar = False
    graded: ClassVar = False

    def run(self, space: AbstractSpace, state, *, path: bool = False, key=None) -> Run:
        """See `AbstractDynamics.run`."""
        new = advance(space, state)
        states = None
        if path:
            states = jax.tree.map(lambda a, b: jnp.stack([a, b]), state, new)
        return Run(new, state, Outcome.one_read, jnp.ones((), jnp.int32), states)


class Iterate(AbstractDynamics):
    """x ← (1 − damping) x + damping · pull(x), until the state rests.

    It rests when a step is no longer than atol + rtol |x|. Forward-mode derivatives pass
    through; for reverse mode use `FixedPoint`.

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

    def run(self, space: AbstractSpace, state, *, path: bool = False, key=None) -> Run:
        """See `AbstractDynamics.run`."""

        def step(carry):
            state, previous, steps, _, _ = carry
            share = jax.tree.map(lambda leaf: self.damping.astype(leaf.dtype), state)
            new = jax.tree.map(lambda x, y, s: x + s * (y - x), state, advance(space, state), share)
            done = rests(difference(new, state), state, self.rtol, self.atol)
            # Comparing with the state before last finds a cycle of two; the first step has none.
            back = rests(difference(new, previous), state, self.rtol, self.atol)
            returns = (steps > 0) & back
            outcome = Outcome.where(
                ~finite(new),
                Outcome.diverged,
                Outcome.where(
                    done,
                    Outcome.converged,
                    Outcome.where(returns, Outcome.cycle, Outcome.step_limit),
                ),
            )
            return new, state, steps + 1, outcome, outcome != Outcome.step_limit

        steps = jnp.zeros((), jnp.int32)
        start = (state, state, steps, Outcome.step_limit, jnp.zeros((), bool))
        if path:
            last, states = recorded(step, start, self.max_steps)
            return Run(*last[:2], last[3], last[2], states)
        state, previous, steps, outcome, _ = jax.lax.while_loop(
            lambda carry: (carry[2] < self.max_steps) & ~carry[4], step, start
        )
        state, previous = forward_only((state, previous))
        return Run(state, previous, outcome, steps, None)


def forward_only(state):
    """The state, with an error that names the remedy where reverse mode comes through."""
    return eqx.internal.nondifferentiable_backward(
        state,
        msg=(
            "Iterate runs until the state rests and cannot be differentiated in reverse mode. "
            "Pass dynamics=attrax.dynamics.FixedPoint() to attrax.retrieve: its gradient is that "
            "of the fixed point, and needs memory for one step only."
        ),
    )


def outcome_of(code):
    """The outcome of a run: 0 reached its limit, 1 rests, anything else diverged."""
    return Outcome.where(
        code == 1,
        Outcome.converged,
        Outcome.where(code == 0, Outcome.step_limit, Outcome.diverged),
    )


def checked_limits(rtol: float, atol: float, max_steps: int) -> tuple[float, float, int]:
    """The limits; refuse tolerances below zero, both zero, and step limits below one."""
    if rtol < 0 or atol < 0 or (rtol == 0 and atol == 0):
        raise ValueError(
            f"`rtol` and `atol` must not be negative, nor both zero, but are {rtol}, {atol}."
        )
    return rtol, atol, whole_number("max_steps", max_steps)
