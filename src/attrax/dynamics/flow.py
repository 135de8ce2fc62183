"""The continuous-time dynamics τ ẋ = pull(x) − x."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp

from ..spaces.base import AbstractSpace
from .base import AbstractDynamics, Outcome, Run, checked_limits, difference, finite, resting, rests
from .engine import ending


class Flow(AbstractDynamics):
    """τ ẋ = pull(x) − x in units of τ, by any diffrax solver, until it rests.

    The step size is chosen by the error it makes. The flow is at rest once |pull(x) − x| is below
    atol + rtol |x|; `time` is how long to wait for that.

    **Arguments:**

    - `time`: the end of the integration, > 0, in units of τ.
    - `solver`: a `diffrax.AbstractSolver`; `Tsit5` if `None`.
    - `rtol`, `atol`: tolerances of rest; the error of an explicit solver's step is kept below a
      tenth of them, that of an implicit one below them.
    - `max_steps`: the step limit, ≥ 1.
    - `adjoint`: a `diffrax.AbstractAdjoint` for reverse mode; diffrax's default if `None`.

    **Raises:** `ValueError` for values outside these bounds.

    **Source:** [krotov2021large]
    """

    time: float = eqx.field(static=True)
    solver: Any
    adjoint: Any
    rtol: float = eqx.field(static=True)
    atol: float = eqx.field(static=True)
    max_steps: int = eqx.field(static=True)
    random: ClassVar = False
    graded: ClassVar = True

    def __init__(
        self,
        time: float = 100.0,
        *,
        solver: Any = None,
        rtol: float = 1e-4,
        atol: float = 1e-6,
        max_steps: int = 1000,
        adjoint: Any = None,
    ):
        rtol, atol, max_steps = checked_limits(rtol, atol, max_steps)
        if not time > 0:
            raise ValueError(f"`time` must be positive, in units of τ, but it is {time}.")
        self.time, self.solver, self.adjoint = float(time), solver, adjoint
        self.rtol, self.atol, self.max_steps = rtol, atol, max_steps

    def run(self, space: AbstractSpace, state, *, path: bool = False, key=None) -> Run:
        """See `AbstractDynamics.run`; the path holds `max_steps` + 1 states."""
        import diffrax

        def field(t, state, space):
            return difference(space.pull(state), state)

        solver = diffrax.Tsit5() if self.solver is None else self.solver
        # An explicit solver of a stiff network jitters by the error of its steps. An implicit one
        # does not, and single precision has no room for the tenth in its nonlinear systems.
        share = 1.0 if isinstance(solver, diffrax.AbstractImplicitSolver) else 0.1
        kept = {"saveat": diffrax.SaveAt(t0=True, steps=True)} if path else {}
        adjoint = {} if self.adjoint is None else {"adjoint": self.adjoint}
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(field),
            solver,
            t0=0.0,
            t1=self.time,
            dt0=None,
            y0=state,
            args=space,
            stepsize_controller=diffrax.PIDController(
                rtol=share * self.rtol, atol=share * self.atol
            ),
            event=diffrax.Event(self._rests),
            max_steps=self.max_steps,
            throw=False,
            **kept,
            **adjoint,
        )
        rested = diffrax.is_event(solution.result)
        limited = solution.result == diffrax.RESULTS.max_steps_reached
        ended = solution.result == diffrax.RESULTS.successful
        steps = jnp.asarray(solution.stats["num_accepted_steps"], jnp.int32)
        states = _held(solution.ys, steps) if path else None
        last = _at(solution.ys, steps if path else 0)
        outcome = ending(
            Outcome.diverged,
            (~finite(last), Outcome.diverged),
            (rested, Outcome.converged),
            (limited | ended, Outcome.step_limit),
        )
        return Run(last, None, outcome, steps, states)

    def _rests(self, t, state, space, **kwargs):
        # Fast layers are as far from rest as others, however fast they move.
        away = difference(resting(space, state), state)
        return rests(away, state, self.rtol, self.atol, space.spread)


def _at(states, index):
    return jax.tree.map(lambda leaf: leaf[index], states)


def _held(states, steps):
    """The path with its last state in place of the unused ones."""
    return jax.tree.map(
        lambda leaf: leaf[jnp.minimum(jnp.arange(leaf.shape[0], dtype=steps.dtype), steps)], states
    )
