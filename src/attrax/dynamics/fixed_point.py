"""Fixed points of a read, with the implicit gradient."""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from ..spaces.base import AbstractSpace
from .base import (
    AbstractDynamics,
    Outcome,
    Run,
    advance,
    checked_limits,
    difference,
    finite,
    norm,
    resting,
    still,
)
from .engine import ending
from .iterate import Iterate


class FixedPoint(AbstractDynamics):
    """The state with pull(x) = x, by any solver or other dynamics, differentiable in both modes.

    The gradient is that of the fixed point itself, by the implicit function theorem: one linear
    system with I − ∂pull/∂x at the end, whose cost and memory do not depend on how many steps
    were taken. The start has no gradient. Where plain iteration came to rest, the system is solved
    by the same iteration, for at most `max_steps` steps, which is the gradient through as many last
    steps; after other dynamics, which may rest where iteration would not, by GMRES, and a gradient
    that is further off than a hundredth is NaN.

    **Arguments:**

    - `solver`: an `optimistix.AbstractFixedPointSolver`, or another of `attrax.dynamics`, such
      as `Flow()` for networks without an exact update of every layer; plain iteration if `None`.
      Its own tolerances then hold, and for dynamics their outcome.
    - `rtol`, `atol`: tolerances of plain iteration, and of the linear system.
    - `max_steps`: the step limit, ≥ 1.
    - `adjoint`: an `optimistix.AbstractAdjoint`, for its solvers; implicit with GMRES if `None`.
      `optimistix.RecursiveCheckpointAdjoint()` differentiates through the steps instead.

    **Raises:** `ValueError` for tolerances or limits out of bounds, and for an adjoint beside
    other dynamics.

    **Source:** [ramsauer2021hopfield]
    """

    solver: Any
    adjoint: Any
    rtol: float = eqx.field(static=True)
    atol: float = eqx.field(static=True)
    max_steps: int = eqx.field(static=True)

    @property
    def random(self) -> bool:
        """As of the dynamics that it follows."""
        return isinstance(self.solver, AbstractDynamics) and self.solver.random

    @property
    def graded(self) -> bool:
        """As of the dynamics that it follows; solvers take any steps."""
        if isinstance(self.solver, AbstractDynamics):
            return self.solver.graded
        return self.solver is not None

    def __init__(
        self,
        solver: Any = None,
        *,
        rtol: float = 1e-5,
        atol: float = 1e-6,
        max_steps: int = 256,
        adjoint: Any = None,
    ):
        rtol, atol, max_steps = checked_limits(rtol, atol, max_steps)
        if isinstance(solver, AbstractDynamics) and adjoint is not None:
            raise ValueError(
                "`adjoint` is for optimistix solvers; after other dynamics it is implicit."
            )
        self.solver, self.adjoint = solver, adjoint
        self.rtol, self.atol, self.max_steps = rtol, atol, max_steps

    def run(self, space: AbstractSpace, state, *, path: bool = False, key=None) -> Run:
        """See `AbstractDynamics.run`; no path is kept.

        **Raises:** `ValueError` if a path is asked for.
        """
        if path:
            raise ValueError("FixedPoint keeps no path; use dynamics=attrax.dynamics.Iterate().")
        follows = isinstance(self.solver, AbstractDynamics)
        if not follows and (self.solver is not None or self.adjoint is not None):
            return self._by_optimistix(space, state)
        plain = Iterate(rtol=self.rtol, atol=self.atol, max_steps=self.max_steps)
        forward: Any = self.solver if follows else plain
        run = forward.run(*still((space, state)), key=key)
        how = _How(self.rtol, self.atol, self.max_steps, not follows)
        rest = _root(how, run.state, space)
        return Run(rest, None, run.outcome, run.steps, None)

    def _by_optimistix(self, space, state) -> Run:
        import optimistix

        solver = self.solver
        if solver is None:
            solver = optimistix.FixedPointIteration(rtol=self.rtol, atol=self.atol)
        adjoint = self.adjoint
        if adjoint is None:
            adjoint = optimistix.ImplicitAdjoint(_gmres(self.rtol, self.atol, state))
        solution = optimistix.fixed_point(
            lambda state, space: advance(space, state).value,
            solver,
            state,
            args=space,
            max_steps=self.max_steps,
            adjoint=adjoint,
            throw=False,
        )
        stopped = optimistix.RESULTS.nonlinear_max_steps_reached
        outcome = ending(
            Outcome.diverged,
            (~finite(solution.value), Outcome.diverged),
            (solution.result == optimistix.RESULTS.successful, Outcome.converged),
            (solution.result == stopped, Outcome.step_limit),
        )
        steps = jnp.asarray(solution.stats["num_steps"], jnp.int32)
        return Run(solution.value, None, outcome, steps, None)


class _How(eqx.Module):
    """How the linear system is solved: its tolerances, and whether by iteration."""

    rtol: float = eqx.field(static=True)
    atol: float = eqx.field(static=True)
    max_steps: int = eqx.field(static=True)
    iterate: bool = eqx.field(static=True)

    def step(self, space, state):
        """The map whose fixed point the state is."""
        return advance(space, state).value if self.iterate else resting(space, state)


@eqx.filter_custom_jvp
def _root(how, state, space):
    """The state, taken for a fixed point."""
    return state


@_root.def_jvp
def _root_jvp(primals, tangents):
    (how, state, space), (_, _, moved) = primals, tangents
    if not jax.tree.leaves(moved):
        return state, jax.tree.map(jnp.zeros_like, state)
    moving, fixed = eqx.partition(
        space, jax.tree.map(lambda t: t is not None, moved, is_leaf=lambda t: t is None)
    )
    by_model = jax.jvp(
        lambda moving: how.step(eqx.combine(moving, fixed), state), (moving,), (moved,)
    )[1]

    def residual(change):
        stepped = jax.jvp(lambda x: how.step(still(space), x), (state,), (change,))[1]
        return difference(change, stepped)

    if how.iterate:
        solve = functools.partial(_iterated, how)
        return state, jax.lax.custom_linear_solve(residual, by_model, solve, solve)
    import lineax

    operator = lineax.FunctionLinearOperator(residual, jax.eval_shape(lambda: state))
    solver = _gmres(how.rtol, how.atol, state)
    return state, lineax.linear_solve(operator, by_model, solver, throw=False).value


def _iterated(how: _How, residual, vector):
    """(I − J) u = b by u ← b + J u, which ends where the iteration with slope J did.

    GMRES would keep a basis of states, which vmap copies in every step.
    """
    rtol, atol = _tolerances(how.rtol, how.atol, vector)
    limit = atol + rtol * norm(vector)

    def advance(carry):
        solution, _, steps = carry
        gap = difference(vector, residual(solution))
        return jax.tree.map(jnp.add, solution, gap), norm(gap), steps + 1

    def goes_on(carry):
        _, gap, steps = carry
        return (gap > limit) & jnp.isfinite(gap) & (steps < how.max_steps)

    start = (vector, limit + 1, jnp.zeros((), jnp.int32))
    return jax.lax.while_loop(goes_on, advance, start)[0]


def _tolerances(rtol: float, atol: float, state) -> tuple[float, float]:
    # Asked for more than its type can hold, no solver comes to an end.
    finest = max(100 * float(jnp.finfo(leaf.dtype).eps) for leaf in jax.tree.leaves(state))
    return max(rtol, finest), max(atol, finest)


def _gmres(rtol: float, atol: float, state):
    import lineax

    rtol, atol = _tolerances(rtol, atol, state)
    return _careful()(lineax.GMRES(rtol=rtol, atol=atol))


@functools.cache
def _careful():
    """A linear solver that never raises in a compiled program, made when lineax is needed."""
    import lineax

    class Careful(lineax.AbstractLinearSolver):
        """Another solver, with NaN in place of what is no solution."""

        solver: lineax.GMRES

        def init(self, operator, options):
            return lineax.linearise(operator)

        def transpose(self, state, options):
            return state.transpose(), {}

        def conj(self, state, options):
            return state, {}

        def assume_full_rank(self):
            return True

        def compute(self, state, vector, options):
            solution, _, stats = self.solver.compute(state, vector, {})
            gap = norm(difference(vector, state.mv(solution)))
            sound = gap <= 0.01 * norm(vector) + self.solver.atol
            solution = jax.tree.map(lambda x: jnp.where(sound, x, jnp.nan), solution)
            return solution, lineax.RESULTS.successful, stats

    return Careful
