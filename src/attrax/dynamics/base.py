"""What dynamics see of a memory, and what they give back."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from ..arithmetic import accumulate
from ..checks import number
from ..spaces.base import AbstractSpace, Measured, Relaxing

# See attrax.separation.base: declared by leaves as class variable, property or field.
if TYPE_CHECKING:
    from typing import ClassVar as Declared
else:
    from equinox import AbstractVar as Declared


class Outcome(eqx.Enumeration):
    """How a retrieval ended; the texts carry the remedy.

    Members can be compared under jit and vmap, `found.outcome == Outcome.converged`, and
    `Outcome[found.outcome]` is the text of a single one.
    """

    converged = "Converged: the state no longer moves."
    one_read = "One read was asked for and made; iterate to see whether it converges."
    mixture = (
        "Converged to a metastable mixture of memories (see `memories` for how many): "
        "raise beta, or sharpen the separation."
    )
    cycle = (
        "A cycle of two states: update two-state units one after another (Asynchronous()), and "
        "damp the iteration of others (Iterate(damping=0.5))."
    )
    step_limit = (
        "The limit of steps, or of a Flow's time, was reached while the state still moved: "
        "raise `max_steps` (or `time`)."
    )
    sampled = "A random run has taken all its steps; its states are samples, not attractors."
    stalled = (
        "No step along the pull, however short, lowered the energy: the state sits at a kink; "
        "update layer by layer (Iterate()) where layers have an exact update."
    )
    diverged = (
        "The state left the floating-point range or became NaN: the weights do not sum to one, "
        "so use Softmax or SumNormalised, or a smaller scale of patterns."
    )


class Run(NamedTuple):
    """What running a dynamics gives.

    - `state`: where it ended.
    - `origin`: the state that the last read was made from.
    - `outcome`: how, an `Outcome`.
    - `steps` (): how many steps were taken.
    - `path`: all states with a leading axis of steps + 1, the first being the start; `None`
      unless asked for. After the end the last state repeats.
    """

    state: PyTree
    origin: PyTree
    outcome: Any
    steps: Int[Array, ""]
    path: PyTree | None


class AbstractDynamics(eqx.Module):
    """How a state moves to an attractor: a description, without state of its own."""

    random: Declared[bool]
    """Whether a run draws random numbers, and so needs a key."""

    graded: Declared[bool]
    """Whether it moves states a part of the way, which those of two-state units cannot go."""

    @abstractmethod
    def run(
        self, space: AbstractSpace, state: PyTree, *, path: bool = False, key: Any = None
    ) -> Run:
        """Run from a state.

        **Arguments:**

        - `space`: what is run: a store and one query, `memory.space(query)`.
        - `state`: where to start, unbatched.
        - `path`: whether to keep every state.
        - `key`: of the random numbers, for dynamics that are `random`.

        **Returns:** a `Run`.
        """


def check_dynamics(dynamics: Any, units: str) -> None:
    """Refuse anything but dynamics, and those that would leave the states of two-state units.

    **Arguments:**

    - `dynamics`: what was given.
    - `units`: of the memory: "real", "signs" or "bits".

    **Raises:** `TypeError` that names the dynamics to take instead.
    """
    if not isinstance(dynamics, AbstractDynamics):
        what = dynamics.__name__ if isinstance(dynamics, type) else type(dynamics).__name__
        raise TypeError(
            "`dynamics` must be one of attrax.dynamics, such as Iterate() or Asynchronous(), "
            f"but it is {what}."
        )
    if units != "real" and dynamics.graded:
        raise TypeError(
            f"{type(dynamics).__name__} moves states a part of the way, and two-state units have "
            "no states between: use Asynchronous(), Glauber(...) or the undamped Iterate(), or "
            "attrax.models.graded_network(memory) for graded units."
        )


def advance(space: AbstractSpace, state: PyTree) -> PyTree:
    """One step without time constants: parts that can relax do so in turn, others are read."""
    return space.relax(state) if isinstance(space, Relaxing) else space.pull(state)


def resting(space: AbstractSpace, state: PyTree) -> PyTree:
    """Where a state would have to be to rest: its pull, whatever the time constants."""
    return space.rest(state) if isinstance(space, Relaxing) else space.pull(state)


def magnitude(space: AbstractSpace, state: PyTree) -> Float[Array, ""]:
    """The size of the largest term of the energy, by which its rounding is measured."""
    measured = isinstance(space, Measured)
    return space.magnitude(state) if measured else jnp.abs(space.energy(state))


def norm(state: PyTree) -> Float[Array, ""]:
    """The Euclidean norm over all leaves, in at least 32 bits."""
    squares = [
        jnp.sum(jnp.square(leaf), dtype=accumulate(leaf.dtype)) for leaf in jax.tree.leaves(state)
    ]
    return jnp.sqrt(sum(squares[1:], squares[0]))


def rests(change: PyTree, state: PyTree, rtol: float, atol: float):
    """Whether |change| ≤ atol + rtol |state|; never where either has left the range of floats."""
    limit = atol + rtol * norm(state)
    return (norm(change) <= limit) & jnp.isfinite(limit)


def difference(a: PyTree, b: PyTree) -> PyTree:
    """A − b, leaf by leaf."""
    return jax.tree.map(jnp.subtract, a, b)


def choose(condition, a: PyTree, b: PyTree) -> PyTree:
    """A where the condition holds, else b, leaf by leaf."""
    return jax.tree.map(lambda x, y: jnp.where(condition, x, y), a, b)


def finite(state: PyTree):
    """Whether every entry of a state is finite."""
    checks = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(state)]
    return jnp.all(jnp.stack(checks))


def still(tree: PyTree) -> PyTree:
    """The same values, with no gradient."""
    return jax.tree.map(lambda x: jax.lax.stop_gradient(x) if eqx.is_array(x) else x, tree)


def scheduled(temperature: Any, steps: int) -> Float[Array, " steps"]:
    """The temperature of each step: always the same, or a function of the step's number."""
    if not callable(temperature):
        return jnp.full(steps, temperature)
    # Schedules of optax mix integers and floats.
    with jax.numpy_dtype_promotion("standard"):
        values = jax.vmap(lambda i: number("temperature", temperature(i)))(jnp.arange(steps))
    return values.astype(jnp.result_type(float))


def recorded(advance, start, length: int):
    """The last carry of a loop and all its states, the start first.

    A carry holds the state first and whether the run is over last; then it stays as it is.
    """

    def step(carry, _):
        following = choose(carry[-1], carry, advance(carry))
        return following, following[0]

    last, states = jax.lax.scan(step, start, length=length)
    path = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), start[0], states)
    return last, path
