"""Two-state units: what states they have, and what dynamics see of a memory made of them."""

from abc import abstractmethod
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree, Shaped

from ..common.checks import NoEnergyError, is_concrete
from .base import Answer, Measured, Reading

Units = Literal["real", "signs", "bits"]
LEVELS = {"signs": (-1.0, 1.0), "bits": (0.0, 1.0)}


class AbstractUnitSpace(Measured):
    """States of two-state units for one query.

    Updates of single units need a unit's *gap*, E(low) − E(high), by which it prefers its high
    state, or its *field*, the drive that it feels, its own state counted where the memory has a
    self-term. A space offers them in one of three ways: as `PairedUnits` where units are coupled in
    pairs, so that a change of one moves the others' sums; as `OverlappingUnits` where they follow
    from overlaps with memories; or as `SetwiseUnits`, where each unit's is taken in its turn.

    **Arguments:**

    - `memory`: the store.
    - `query`: shape (d,).
    - `known`: shape (d,), True for units that are held; `None` where none is.
    """

    memory: Any
    query: Float[Array, " d"]
    known: Bool[Array, " d"] | None

    @property
    def levels(self) -> tuple[float, float]:
        """The low and the high state."""
        return LEVELS[self.memory.units]

    @property
    def initial(self) -> Float[Array, " d"]:
        """The query; units that are not known start on the side that the known ones drive them to.

        A unit that these leave undecided starts high.
        """
        if self.known is None:
            return self.query
        seen = jnp.where(self.known, self.query, 0.0)
        high = jnp.full_like(seen, self.levels[1])
        start = decided(self.drive(seen), high, self.memory.units)
        return jnp.where(self.known, self.query, start)

    @property
    def lacks_energy(self) -> str | None:
        """As of the memory."""
        return self.memory.lacks_energy

    def read(self, state: Float[Array, " d"]) -> Reading:
        """All units at once to the side that their drive points to; known ones stay."""
        return Reading(state, self._kept(self.memory.pull(state), state))

    def energy(self, state: Float[Array, " d"]) -> Float[Array, ""]:
        """The memory's energy of a state.

        **Raises:** `NoEnergyError` where there is none.
        """
        if self.lacks_energy is not None:
            raise NoEnergyError(self.lacks_energy)
        return self.memory.state_energy(state)

    def magnitude(self, state: Float[Array, " d"]) -> Float[Array, ""]:
        """The size of the energy, by which its rounding is measured."""
        return jnp.abs(self.energy(state))

    def answer(self, state: Float[Array, " d"], reading: Reading | None = None) -> Answer:
        """The state itself, with its energy."""
        energy = None if self.lacks_energy is not None else self.memory.state_energy(state)
        return Answer(state, energy, None, self.best(state))

    def record(self, path: Float[Array, "s d"]) -> Float[Array, "s d"]:
        """The states of a run, the start first."""
        return path

    @abstractmethod
    def best(self, state: Float[Array, " d"]) -> Int[Array, ""] | None:
        """The index of the memory that a state is most like; `None` where none is kept."""

    @abstractmethod
    def drive(self, state: Float[Array, " d"]) -> Float[Array, " d"]:
        """What points a unit to its high state if positive, for all units at once."""

    def _kept(self, new: Float[Array, " d"], old: Float[Array, " d"]) -> Float[Array, " d"]:
        return new if self.known is None else jnp.where(self.known, old, new)


class PairedUnits(AbstractUnitSpace):
    """Units coupled in pairs: their sums Σ_j W_ij σ_j follow a change of one by its couplings."""

    def best(self, state: Float[Array, " d"]) -> None:
        """No memory is kept by itself."""
        return None

    @abstractmethod
    def coupled(
        self, state: Float[Array, " d"], index: Int[Array, " b"]
    ) -> tuple[Float[Array, " b"], Float[Array, "b b"], Float[Array, " b"]]:
        """Of a few units the sums without their own terms, their couplings and self-couplings.

        Row j of the couplings is what a change of unit j adds to the sums. With them sums can
        follow changes within these units, which makes one product of what would be many.
        """

    @abstractmethod
    def gap(
        self, sums: Float[Array, "*b"], own: Float[Array, "*b"], threshold: Float[Array, "*b"]
    ) -> Float[Array, "*b"]:
        """E(low) − E(high) from sums without own terms, elementwise."""

    @abstractmethod
    def felt(
        self,
        sums: Float[Array, "*b"],
        own: Float[Array, "*b"],
        state: Float[Array, "*b"],
        threshold: Float[Array, "*b"],
    ) -> Float[Array, "*b"]:
        """The drive from sums without own terms, elementwise."""

    @abstractmethod
    def threshold(self, index: Int[Array, "*b"]) -> Float[Array, "*b"]:
        """θ of some units."""


class OverlappingUnits(AbstractUnitSpace):
    """Units whose drives are taken from overlaps with the memories, anew after each change."""

    def best(self, state: Float[Array, " d"]) -> Int[Array, ""]:
        """The memory of the largest overlap, the first of several."""
        return jnp.argmax(jnp.atleast_2d(self.overlaps(state))[0]).astype(jnp.int32)

    @abstractmethod
    def overlaps(self, state: Float[Array, " d"]) -> Float[Array, "*k n"]:
        """The overlap of a state with each memory, the first of k sums where others are needed."""

    @abstractmethod
    def columns(self) -> Float[Array, "d *k n"]:
        """What a change of each unit adds to the overlaps, per unit of its change."""

    @abstractmethod
    def drives(
        self,
        columns: Float[Array, "b *k n"],
        overlaps: Float[Array, "*k n"],
        state: Float[Array, " b"],
        rule: str,
    ) -> Float[Array, " b"]:
        """What drives some units, each if no other moved: their gaps, or their fields.

        **Arguments:**

        - `columns`: those of these units.
        - `overlaps`: of the present state.
        - `state`: of these units.
        - `rule`: "energy" for gaps, or "field".
        """


class SetwiseUnits(AbstractUnitSpace):
    """Units coupled in sets of several, whose drives are taken anew when it is their turn."""

    def best(self, state: Float[Array, " d"]) -> None:
        """No memory is kept by itself."""
        return None

    @abstractmethod
    def connections(self) -> PyTree[Shaped[Array, "d ..."]]:
        """What each unit's drive is made of beside the state: arrays of an entry a unit."""

    @abstractmethod
    def turn(
        self, connections: PyTree[Shaped[Array, "..."]], state: Float[Array, " d"], rule: str
    ) -> Float[Array, ""]:
        """What drives one unit: its gap, or its field.

        **Arguments:**

        - `connections`: those of this unit.
        - `state`: of all units.
        - `rule`: "energy" for the gap, or "field".
        """


def decided(
    drive: Shaped[Array, "*d"], state: Float[Array, "*d"], units: Units
) -> Float[Array, "*d"]:
    """High where the drive is positive, low where it is negative, else as it was."""
    low, high = LEVELS[units]
    settled = jnp.where(drive > 0, high, jnp.where(drive < 0, low, state))
    return settled.astype(state.dtype)


def check_states(name: str, states: Array, units: Units, known: Array | None = None) -> None:
    """Refuse states other than the two that units have; nothing is checked under jit.

    **Arguments:**

    - `name`: of the argument, for the error.
    - `states`: shape (..., d).
    - `units`: "signs" or "bits".
    - `known`: entries that are looked at; all if `None`.

    **Raises:** `ValueError` that names the first other value and the remedy.
    """
    if not is_concrete(states) or (known is not None and not is_concrete(known)):
        return
    values = np.asarray(states)
    low, high = LEVELS[units]
    wrong = (values != low) & (values != high)
    if known is not None:
        wrong = wrong & np.broadcast_to(np.asarray(known), values.shape)
    if not wrong.any():
        return
    where = tuple(int(i) for i in np.argwhere(wrong)[0])
    remedy = {
        "signs": "jnp.where(x > 0, 1, -1) makes signs; for graded states use "
        "attrax.models.graded_network",
        "bits": "jnp.where(x > 0, 1, 0) makes bits; for −1 and +1 use units='signs'",
    }
    raise ValueError(
        f"`{name}` must hold {low:g} and {high:g} only, but is {values[where]:g} at index "
        f"{where}: {remedy[units]}."
    )
