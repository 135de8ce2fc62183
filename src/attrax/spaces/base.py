"""What a space is: what dynamics and `attrax.retrieve` may ask of a store and one query."""

from abc import abstractmethod
from typing import TYPE_CHECKING, NamedTuple

import equinox as eqx
from jaxtyping import Array, Bool, Float, Int, PyTree

# What leaves must declare, as a class variable, a property or a field; see attrax.separation.base.
if TYPE_CHECKING:
    from typing import ClassVar as Declared
else:
    from equinox import AbstractVar as Declared


class Reading(NamedTuple):
    """What one read of a state gives.

    - `state`: the state that was read.
    - `value`: where it is drawn to.
    - `memories` (): how many memories share the weight; `None` where that says nothing.
    - `best` (): the index of the row that the state is most like; `None` where there are no rows,
      or `answer` finds it.
    """

    state: PyTree
    value: PyTree
    memories: Float[Array, ""] | None = None
    best: Int[Array, ""] | None = None


class Answer(NamedTuple):
    """What a space makes of the end of a run.

    - `state` (v,): what the memory answers.
    - `energy` (): of the state in which the run ended; `None` where there is none.
    - `memories` (): how many memories share the weight; `None` where that says nothing.
    - `best` (): the index of the row that the answer stands for, −1 if no row takes part; `None`
      where there are no rows.
    """

    state: Float[Array, " v"]
    energy: Float[Array, ""] | None
    memories: Float[Array, ""] | None
    best: Int[Array, ""] | None = None


class AbstractSpace(eqx.Module):
    """A store and one query as a dynamical system, τ ẋ = pull(x) − x, which dynamics run.

    States are unbatched arrays, or pytrees of arrays. What only some spaces can do is a class of
    its own, and dynamics ask for it by `isinstance`: `Relaxing`, `Sweeping`, `Noisy`, `Measured`.
    """

    initial: Declared[PyTree]
    """The state that a run starts from."""

    lacks_energy: Declared[str | None]
    """Why there is no energy that descends; `None` where there is one."""

    @property
    def spread(self) -> Float[Array, ""] | None:
        """How far apart states of different memories are, by which a state's rest is measured;
        `None` where that is their own norm."""
        return None

    @abstractmethod
    def read(self, state: PyTree) -> Reading:
        """One read: where a state is drawn to, entries that are known staying as they are."""

    def pull(self, state: PyTree) -> PyTree:
        """Where a state is drawn to, the `value` of a read."""
        return self.read(state).value

    @abstractmethod
    def energy(self, state: PyTree) -> Float[Array, ""]:
        """The energy of a state.

        **Raises:** `NoEnergyError` where there is none; the reason is `lacks_energy`.
        """

    @abstractmethod
    def answer(self, state: PyTree, reading: Reading | None = None) -> Answer:
        """What the end of a run stands for.

        **Arguments:**

        - `state`: where the run ended.
        - `reading`: the last read of the run, which led there; `None` where `state` is yet to be
          read.
        """

    @abstractmethod
    def record(self, path: PyTree) -> Float[Array, "s v"]:
        """The states of a run as they are shown to the user.

        **Arguments:**

        - `path`: all states with a leading axis, the start first.
        """


class Measured(AbstractSpace):
    """A space that knows how large the terms of its energy are.

    The energy of any other space is taken for its own largest term.
    """

    @abstractmethod
    def magnitude(self, state: PyTree) -> Float[Array, ""]:
        """The size of the largest term of the energy, by which its rounding is measured."""


class Counting(AbstractSpace):
    """A space that can tell memories that are equal from others."""

    @abstractmethod
    def count_different(
        self, reading: Reading, best: Int[Array, ""] | None
    ) -> Float[Array, ""] | None:
        """How many memories share the weight of a read, of which `best` scored best: one where all
        are equal to it; `None` where weights say nothing."""


class Reaching(AbstractSpace):
    """A space whose memories may reach only so far: beyond, a state is drawn nowhere, and stays."""

    @abstractmethod
    def unreached(self, state: PyTree, reading: Reading | None = None) -> Bool[Array, ""] | None:
        """Whether no memory reaches a state; `None` where memories reach everywhere.

        **Arguments:**

        - `state`: where a run ended.
        - `reading`: the read that led there; `None` where `state` is yet to be read.
        """


class Tempered(AbstractSpace):
    """A space whose energy has an inverse temperature, which dynamics can change step by step."""

    lacks_beta: Declared[str | None]
    """Why it has none; `None` where there is one."""

    @abstractmethod
    def at_beta(self, beta: Float[Array, ""]) -> AbstractSpace:
        """The space of the same query and rows at another inverse temperature.

        **Arguments:**

        - `beta`: β > 0, in units of 1/score.
        """


class Comparing(AbstractSpace):
    """A space whose store keeps rows, each of which scores a state."""

    @property
    @abstractmethod
    def there(self) -> Bool[Array, " n"]:
        """The rows that take part."""

    @abstractmethod
    def row(self, index: Int[Array, ""]) -> Float[Array, " d"]:
        """A stored row as a state, as if it had been the query."""

    @abstractmethod
    def compare(self, state: Float[Array, " d"]) -> Float[Array, " n"]:
        """The score of each row with a state, larger ones closer; by known entries alone."""

    @abstractmethod
    def compare_with_itself(self, state: Float[Array, " d"]) -> Float[Array, ""]:
        """The score that a row would have which were the state itself."""


class Succeeding(AbstractSpace):
    """A space in which what is read for a state is what comes after it, and can be fed back."""

    @property
    @abstractmethod
    def window(self) -> int:
        """W, how many states, the newest first, decide what comes next: 1 without delays."""

    @abstractmethod
    def succeed(self, history: Float[Array, "w d"]) -> Reading:
        """What comes next: its `value` is the next state, its `best` the row of the present one.

        **Arguments:**

        - `history`: the last W states, the newest first, shape (W, d).
        """

    @abstractmethod
    def follows(self, reading: Reading, tolerance: float) -> Bool[Array, ""]:
        """Whether what was read is what is stored to come after the row of the present state.

        **Arguments:**

        - `reading`: of `succeed`.
        - `tolerance`: how far off it may be: the share of two-state units that differ, or the
          distance divided by how far what is stored is apart, its root mean square distance from
          the first.
        """


class Relaxing(AbstractSpace):
    """A space of parts with an exact update each, made in turn.

    All parts at once could cycle with rising energy.
    """

    groups: Declared[tuple[tuple[str, ...], ...]]
    """Names of the parts that are updated together, the first group first."""

    @abstractmethod
    def relax(self, state: PyTree) -> PyTree:
        """Every part to its state of least energy given the others, in turn.

        **Raises:** `ValueError` where no exact update of a part is known.
        """

    @abstractmethod
    def rest(self, state: PyTree) -> PyTree:
        """The pull itself, whatever the time constants of the parts: where a state at rest is."""


class Sweeping(AbstractSpace):
    """A space of neurons that can be updated exactly, one after another."""

    @abstractmethod
    def sweep(self, state: PyTree, key: PyTree = None) -> PyTree:
        """Every neuron to its state of least energy given all others, one after another.

        **Arguments:**

        - `state`: where the sweep starts.
        - `key`: of a random order; by index if `None`.

        **Raises:** `ValueError` where no exact update of a neuron is known.
        """
