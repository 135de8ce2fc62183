"""The one loop around the steps of a dynamics: counting, recording, and knowing the end."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, PyTree

from ..spaces.base import AbstractSpace, Reading
from .base import AbstractDynamics, Outcome, Run, check_key, choose, finite

# See attrax.separation.base: declared by leaves as class variable, property or field.
if TYPE_CHECKING:
    from typing import ClassVar as Declared
else:
    from equinox import AbstractVar as Declared

QUERIES = "queries"
"""The name of the axis along which `attrax.retrieve` runs queries together."""


class AbstractStepping(AbstractDynamics):
    """Dynamics made of steps: `begin` once, then `step` until one says how the run ended.

    The loop, the path, the count of steps and states that leave the range of floats are the
    engine's. What a step must remember of those before it is its memo: any pytree of arrays, such
    as a state of some steps ago, or a trace. The last `Reading` in the memo, wherever it stands
    there, is what the answer is taken from, so that nothing is read twice.

    A run can be made by hand, one step at a time:

    ```python
    space = memory.space(query)
    state, memo = space.initial, dynamics.begin(space, space.initial)
    state, memo, outcome = dynamics.step(space, state, memo, 0, None)
    ```
    """

    max_steps: Declared[int]
    """The limit of steps."""

    limit: ClassVar[Any] = Outcome.step_limit
    """The outcome once all steps are taken. A step that gives it lets the run go on."""

    loop: ClassVar[Literal["until", "bounded", "together", "fixed"]] = "until"
    """How long steps are made. "until" a step ends the run; "bounded" likewise, with derivatives in
    reverse mode and the memory of `max_steps` states; "together" until the runs of all queries have
    ended, for states that further steps leave as they are; "fixed" for all of `max_steps`."""

    counts_rest: ClassVar[bool] = True
    """Whether a step that finds the state at rest counts: not where it leaves it as it was."""

    @abstractmethod
    def begin(self, space: AbstractSpace, state: PyTree) -> PyTree:
        """The memo of the first step.

        **Arguments:**

        - `space`: what is run.
        - `state`: where it starts.

        **Raises:** `TypeError`, `ValueError` or `NoEnergyError` for spaces that it cannot run.
        """

    @abstractmethod
    def step(
        self, space: AbstractSpace, state: PyTree, memo: PyTree, number: Int[Array, ""], key: Any
    ) -> tuple[PyTree, PyTree, Any]:
        """One step.

        **Arguments:**

        - `space`: what is run.
        - `state`: where it is.
        - `memo`: what the step before left, or `begin`.
        - `number`: how many steps were made before this one.
        - `key`: of this step; `None` for dynamics that are not random.

        **Returns:** the new state, the new memo in the shapes of the old, and an `Outcome`: `limit`
        to go on. A state that is not finite ends the run as diverged, unless its loop is "fixed".
        """

    def run(
        self, space: AbstractSpace, state: PyTree, *, path: bool = False, key: Any = None
    ) -> Run:
        """See `AbstractDynamics.run`."""
        check_key(self, key)
        zero = jnp.zeros((), jnp.int32)
        start = _Progress(state, self.begin(space, state), zero, zero, self.limit)
        end, states = self._looped(space, start, key, path)
        if path:
            states = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), state, states)
        return Run(end.state, _last_reading(end.memo), end.outcome, end.steps, states)

    def _looped(self, space, start, key, path):
        def advance(progress):
            return self._advanced(space, progress, key)

        def goes_on(progress):
            return progress.outcome == self.limit

        if path:
            # What rests for good need not be held.
            held = self.loop in ("until", "bounded")

            def record(progress, _):
                new = advance(progress)
                new = choose(goes_on(progress), new, progress) if held else new
                return new, new.state

            return jax.lax.scan(record, start, length=self.max_steps)
        if self.loop == "fixed":
            if self.max_steps == 1:
                return advance(start), None
            return jax.lax.scan(lambda p, _: (advance(p), None), start, length=self.max_steps)
        if self.loop == "bounded":
            # Not kind="checkpointed", whose derivative holds a copy of shared parameters for each
            # query of a batch: forty times as long for one step of a hundred queries.
            end = eqx.internal.while_loop(
                goes_on, advance, start, max_steps=self.max_steps, kind="bounded"
            )
            return end, None
        more = anywhere if self.loop == "together" else lambda flag: flag
        end = jax.lax.while_loop(
            lambda p: (p.number < self.max_steps) & more(goes_on(p)), advance, start
        )
        state, memo = forward_only((end.state, end.memo), type(self).__name__)
        return end._replace(state=state, memo=memo), None

    def _advanced(self, space, progress, key):
        state, memo, number, steps, outcome = progress
        drawn = jax.random.fold_in(key, number) if self.random else None
        state, memo, new = self.step(space, state, memo, number, drawn)
        if self.loop in ("until", "bounded"):
            new = Outcome.where(finite(state), new, Outcome.diverged)
        counted = jnp.ones((), jnp.int32)
        if self.loop == "together":
            counted = (outcome == self.limit).astype(jnp.int32)
        elif not self.counts_rest:
            counted = (new != Outcome.converged).astype(jnp.int32)
        return _Progress(state, memo, number + 1, steps + counted, new)


class _Progress(NamedTuple):
    """Where a run is: `number` is shared by queries that run together, `steps` are its own."""

    state: PyTree
    memo: PyTree
    number: Int[Array, ""]
    steps: Int[Array, ""]
    outcome: Any


def ending(limit: Any, *cases: tuple[Any, Any]) -> Any:
    """The outcome of the first case whose condition holds, else the limit's: the run goes on.

    **Arguments:**

    - `limit`: the outcome where none holds.
    - `cases`: pairs of a condition and an outcome.
    """
    for condition, outcome in reversed(cases):
        limit = Outcome.where(condition, outcome, limit)
    return limit


def unread(read: Reading) -> Reading:
    """Zeros in the place of a reading that is yet to be made.

    **Arguments:**

    - `read`: its shapes, as `jax.eval_shape` gives them.
    """
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), read)


def anywhere(flag: Bool[Array, ""]) -> Bool[Array, ""]:
    """Whether a flag is set for this query or any that runs beside it.

    A loop over sweeps that ends for all queries at once has one counter, and so one order.
    """
    try:
        return jax.lax.pmax(flag.astype(jnp.int32), QUERIES) > 0
    except NameError:
        # Run outside `retrieve`, there is no such axis.
        return flag


def forward_only(tree: PyTree, name: str) -> PyTree:
    """The values, with an error that names the remedy where reverse mode comes through."""
    return eqx.internal.nondifferentiable_backward(
        tree,
        msg=(
            f"{name} runs until the state rests and cannot be differentiated in reverse mode. "
            "Pass dynamics=attrax.dynamics.FixedPoint() to attrax.retrieve: its gradient is that "
            "of the fixed point, and needs memory for one step only."
        ),
    )


def _last_reading(memo):
    """The reading in a memo, or `None`."""
    leaves = jax.tree.leaves(memo, is_leaf=lambda leaf: isinstance(leaf, Reading))
    return next((leaf for leaf in leaves if isinstance(leaf, Reading)), None)
