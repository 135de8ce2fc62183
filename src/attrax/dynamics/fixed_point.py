"""Fixed points of a read, with the implicit gradient."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from .base import AbstractDynamics, Model, Outcome, Run, advanced, finite
from .iterate import check_limits


class FixedPoint(AbstractDynamics):
    """The state with pull(x) = x, by any optimistix solver, differentiable in both modes.

    The gradient is that of the fixed point itself, by the implicit function theorem: one linear
    system with I − ∂pull/∂x at the end, whose cost and memory do not depend on how many steps
    were taken. The start has no gradient.

    **Arguments:**

    - `solver`: an `optimistix.AbstractFixedPointSolver`; plain iteration if `None`. Its own
      tolerances then hold.
    - `rtol`, `atol`: tolerances of plain iteration, and of the linear system.
    - `max_steps`: the step limit, ≥ 1.
    - `adjoint`: an `optimistix.AbstractAdjoint`; implicit with GMRES if `None`.
      `optimistix.RecursiveCheckpointAdjoint()` differentiates through the steps instead.

    **Raises:** `ValueError` for tolerances or limits out of bounds.

    **Source:** [ramsauer2021hopfield]
    """

    solver: Any
    adjoint: Any
    rtol: float = eqx.field(static=True)
    atol: float = eqx.field(static=True)
    max_steps: int = eqx.field(static=True)

    def __init__(
        self,
        solver: Any = None,
        *,
        rtol: float = 1e-5,
        atol: float = 1e-6,
        max_steps: int = 256,
        adjoint: Any = None,
    ):
        check_limits(rtol, atol, max_steps)
        self.solver, self.adjoint = solver, adjoint
        self.rtol, self.atol, self.max_steps = rtol, atol, max_steps

    def run(self, model: Model, state, *, path: bool = False) -> Run:
        """See `AbstractDynamics.run`; no path is kept.

        **Raises:** `ValueError` if a path is asked for.
        """
        import lineax
        import optimistix

        if path:
            raise ValueError("FixedPoint keeps no path; use dynamics=attrax.dynamics.Iterate().")
        solver = self.solver
        if solver is None:
            solver = optimistix.FixedPointIteration(rtol=self.rtol, atol=self.atol)
        adjoint = self.adjoint
        if adjoint is None:
            # Asked for more than its type can hold, GMRES reports that it stagnates.
            finest = max(100 * float(jnp.finfo(leaf.dtype).eps) for leaf in jax.tree.leaves(state))
            linear = lineax.GMRES(rtol=max(self.rtol, finest), atol=max(self.atol, finest))
            adjoint = optimistix.ImplicitAdjoint(linear)
        solution = optimistix.fixed_point(
            lambda state, model: advanced(model, state),
            solver,
            state,
            args=model,
            max_steps=self.max_steps,
            adjoint=adjoint,
            throw=False,
        )
        stopped = optimistix.RESULTS.nonlinear_max_steps_reached
        outcome = Outcome.where(
            solution.result == optimistix.RESULTS.successful,
            Outcome.converged,
            Outcome.where(solution.result == stopped, Outcome.step_limit, Outcome.diverged),
        )
        outcome = Outcome.where(finite(solution.value), outcome, Outcome.diverged)
        steps = jnp.asarray(solution.stats["num_steps"], jnp.int32)
        return Run(solution.value, solution.value, outcome, steps, None)
