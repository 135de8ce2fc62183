"""What dynamics are, how their runs end, and what several of them compute."""

import functools
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from ..common.arithmetic import accumulate, range_scale
from ..common.checks import check_index, is_concrete, number, whole_number
from ..common.display import shaped
from ..spaces.base import AbstractSpace, Measured, Reading, Relaxing

# See attrax.separation.base: declared by leaves as class variable, property or field.
if TYPE_CHECKING:
    from typing import ClassVar as Declared
else:
    from equinox import AbstractVar as Declared


class Outcome(eqx.Module):
    """How retrievals ended, one or an array of them; the texts carry the remedy.

    ```python
    found.outcome == Outcome.converged   # boolean, of the shape of the queries; under jit too
    found.outcome[0]                     # of one query, or of a slice
    Outcome[found.outcome[0]]            # its text
    found.outcome.counts()               # {"converged": 995, "mixture": 5}
    ```
    """

    _value: Int[Array | np.ndarray, "..."]

    converged: ClassVar["Outcome"]
    one_read: ClassVar["Outcome"]
    mixture: ClassVar["Outcome"]
    cycle: ClassVar["Outcome"]
    step_limit: ClassVar["Outcome"]
    sampled: ClassVar["Outcome"]
    stalled: ClassVar["Outcome"]
    diverged: ClassVar["Outcome"]
    unreached: ClassVar["Outcome"]
    replayed: ClassVar["Outcome"]
    lost: ClassVar["Outcome"]

    def __class_getitem__(cls, outcome: "Outcome") -> str:
        """The text of a single one; "traced" under jit."""
        if not isinstance(outcome, Outcome):
            raise TypeError(f"An Outcome has a text, but this is {type(outcome).__name__}.")
        if not is_concrete(outcome._value):
            return "traced"
        if outcome.shape:
            raise ValueError(
                f"These are outcomes of shape {outcome.shape}: take one, outcome[0], or print "
                "found.summary()."
            )
        return _TEXTS[_NAMES[int(outcome._value)]]

    @staticmethod
    def where(condition, a: "Outcome", b: "Outcome") -> "Outcome":
        """A where the condition holds, else b; all may be arrays.

        **Arguments:**

        - `condition`: booleans.
        - `a`, `b`: outcomes of shapes that go together.
        """
        return Outcome(jnp.where(condition, a._value, b._value))

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the queries."""
        return jnp.shape(self._value)

    @property
    def name(self) -> str:
        """The name of a single one, such as "converged"."""
        if self.shape:
            raise ValueError(f"These are outcomes of shape {self.shape}: take one, outcome[0].")
        return _NAMES[int(self._value)]

    def counts(self) -> dict[str, int]:
        """How many ended in which way, by name, in the order of the members; not under jit."""
        codes, numbers = np.unique(np.asarray(self._value), return_counts=True)
        return {_NAMES[code]: int(number) for code, number in zip(codes, numbers, strict=True)}

    def __getitem__(self, index) -> "Outcome":
        """The outcome of one query, of a slice, or of a mask."""
        if not self.shape:
            raise IndexError("This is the outcome of one query, which cannot be indexed.")
        check_index(index, self.shape)
        return Outcome(jnp.asarray(self._value)[index])

    def __len__(self) -> int:
        """How many there are along the first axis."""
        if not self.shape:
            raise TypeError("This is the outcome of one query, which has no length.")
        return self.shape[0]

    def __iter__(self):
        """One after another along the first axis."""
        return (self[i] for i in range(len(self)))

    def __eq__(self, other) -> Any:
        """Whether each is the other: booleans, of the joint shape."""
        return self._compared(other)

    def __ne__(self, other) -> Any:
        """Whether each is another."""
        return ~self._compared(other)

    def _compared(self, other):
        if not isinstance(other, Outcome):
            raise ValueError(
                "An Outcome can only be compared with another, such as Outcome.converged, but "
                f"this is {type(other).__name__}."
            )
        with jax.ensure_compile_time_eval():
            return jnp.asarray(self._value == other._value)

    def __repr__(self) -> str:
        """The text of a single one, counts of several."""
        readable = isinstance(self._value, np.ndarray | np.generic | jax.Array)
        if not readable or not is_concrete(self._value):
            return f"Outcome({shaped(self._value)})"
        if not self.shape:
            return f"Outcome.{self.name}: {Outcome[self]}"
        counted = ", ".join(f"{number} {name}" for name, number in self.counts().items())
        return f"Outcome of shape {self.shape}: {counted or 'none'}"


_TEXTS = {
    "converged": "Converged: the state no longer moves.",
    "one_read": "One read was asked for and made; iterate to see whether it converges.",
    "mixture": (
        "Converged to a metastable mixture of memories (see `memories` for how many): "
        "raise beta, or sharpen the separation, to recall a single one. Where entries are filled "
        "in from several rows, as in imputation, a mixture is what is wanted; and no beta parts "
        "rows that are equal in what is compared: look at `memory.weights` of the state."
    ),
    "cycle": (
        "A cycle of two states: update two-state units one after another (Asynchronous()), and "
        "damp the iteration of others (Iterate(damping=0.5))."
    ),
    "step_limit": (
        "The limit of steps, or of a Flow's time, was reached while the state still moved: "
        "raise `max_steps` (or `time`)."
    ),
    "sampled": "A random run has taken all its steps; its states are samples, not attractors.",
    "stalled": (
        "No step along the pull, however short, lowered the energy: the state sits at a kink; "
        "update layer by layer (Iterate()) where layers have an exact update."
    ),
    "diverged": (
        "The state left the floating-point range or became NaN: the weights do not sum to one, "
        "so use Softmax or SumNormalised, or a smaller scale of patterns."
    ),
    "unreached": (
        "Out of reach: no memory weighs anything for the state, which stays where it is. Lower "
        "beta, so that memories reach further, or start nearer to one."
    ),
    "replayed": "Replayed: all steps were taken, and each state was followed by its successor.",
    "lost": (
        "The sequence was lost in the last of `steps`, which read something else than the stored "
        "successor: sharpen the separation (a higher degree, Softmax, a larger beta), store fewer "
        "patterns, whiten correlated ones (attrax.similarity.whitened), start nearer to a "
        "pattern, or raise Replay's `tolerance` if small errors do not matter."
    ),
}
_NAMES = tuple(_TEXTS)
for _code, _name in enumerate(_NAMES):
    setattr(Outcome, _name, Outcome(np.asarray(_code, np.int32)))


class Run(NamedTuple):
    """What running a dynamics gives.

    - `state`: where it ended.
    - `reading`: the last read that was made, of the state that it was made from; `None` where the
      end was not found by reading, or nothing of it is left.
    - `outcome`: how it ended, an `Outcome`.
    - `steps` (): how many steps were taken.
    - `path`: all states with a leading axis of steps + 1, the first being the start; `None`
      unless asked for. After the end the last state repeats.
    """

    state: PyTree
    reading: Reading | None
    outcome: Any
    steps: Int[Array, ""]
    path: PyTree | None


class AbstractDynamics(eqx.Module):
    """How a state moves to an attractor: a description, without state of its own.

    Dynamics that are made of steps are `AbstractStepping`, whose loop is written already. Others
    hand their loop to a library, as `Flow` and `FixedPoint` do.
    """

    random: Declared[bool]
    """Whether a run draws random numbers, and so needs a key."""

    graded: Declared[bool]
    """Whether it moves states a part of the way, which those of two-state units cannot go."""

    single: ClassVar[bool] = False
    """Whether it is a single read, whose end is an answer and not a state to go on from."""

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


def check_key(dynamics: AbstractDynamics, key: Any) -> None:
    """Refuse random dynamics without a key.

    **Raises:** `ValueError` that says how to make one.
    """
    if dynamics.random and key is None:
        raise ValueError(
            f"{type(dynamics).__name__} draws random numbers; pass key=jax.random.key(0), say."
        )


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


def advance(space: AbstractSpace, state: PyTree) -> Reading:
    """One step without time constants: parts that can relax do so in turn, others are read."""
    if isinstance(space, Relaxing):
        return Reading(state, space.relax(state))
    return space.read(state)


def resting(space: AbstractSpace, state: PyTree) -> PyTree:
    """Where a state would have to be to rest: its pull, whatever the time constants."""
    return space.rest(state) if isinstance(space, Relaxing) else space.pull(state)


def magnitude(space: AbstractSpace, state: PyTree) -> Float[Array, ""]:
    """The size of the largest term of the energy, by which its rounding is measured."""
    measured = isinstance(space, Measured)
    return space.magnitude(state) if measured else jnp.abs(space.energy(state))


def norm(state: PyTree) -> Float[Array, ""]:
    """The Euclidean norm over all leaves, in at least 32 bits and of numbers of any size."""
    leaves = [leaf.reshape(-1).astype(accumulate(leaf.dtype)) for leaf in jax.tree.leaves(state)]
    scale = functools.reduce(jnp.minimum, (range_scale(leaf)[0] for leaf in leaves))
    squares = [jnp.sum(jnp.square(leaf * scale)) for leaf in leaves]
    return jnp.sqrt(sum(squares[1:], squares[0])) / scale


def rests(
    change: PyTree,
    state: PyTree,
    rtol: float,
    atol: float,
    spread: Float[Array, ""] | None = None,
):
    """Whether |change| ≤ atol + rtol |state|; never where either has left the range of floats.

    Where states differ by little beside what they share, or are small altogether, the tolerances
    are of a hundred times their `spread` instead: rounding alone may be more.
    """
    size = norm(state)
    limit = atol + rtol * size
    if spread is not None:
        unit = jnp.where(spread > 0, 100 * spread, jnp.inf).astype(size.dtype)
        rounding = 8 * float(jnp.finfo(size.dtype).eps) * size
        limit = atol * jnp.minimum(1, unit) + jnp.maximum(rtol * jnp.minimum(size, unit), rounding)
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


def scheduled(value: Any, steps: int, name: str = "temperature") -> Float[Array, " steps"]:
    """The temperature of each step: always the same, or a function of the step's number."""
    if not callable(value):
        return jnp.full(steps, value)
    # Schedules of optax mix integers and floats.
    with jax.numpy_dtype_promotion("standard"):
        values = jax.vmap(lambda i: number(name, value(i)))(jnp.arange(steps))
    return values.astype(jnp.result_type(float))


def checked_limits(rtol: float, atol: float, max_steps: int) -> tuple[float, float, int]:
    """The limits; refuse tolerances below zero, both zero, and step limits below one."""
    if rtol < 0 or atol < 0 or (rtol == 0 and atol == 0):
        raise ValueError(
            f"`rtol` and `atol` must not be negative, nor both zero, but are {rtol}, {atol}."
        )
    return rtol, atol, whole_number("max_steps", max_steps)
