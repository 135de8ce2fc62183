"""A memory and one query as a dynamical system in key space."""

from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .errors import NoEnergyError


class Answer(NamedTuple):
    """What a state stands for, at the end of a retrieval.

    - `state` (v,): what the memory answers.
    - `energy` (): of the state; `None` where there is none.
    - `memories` (): how many memories share the weight; `None` where that says nothing.
    """

    state: Float[Array, " v"]
    energy: Float[Array, ""] | None
    memories: Float[Array, ""] | None


class KeySpace(eqx.Module):
    """States of a `Memory` for one query, with the query's known entries held.

    Reads stay in key space; values are applied once, in `answer`. Where only some entries are
    known, memories are compared by those alone, so that a damaged half says nothing.

    **Arguments:**

    - `memory`: the memory.
    - `query`: shape (d,); entries that are not known are ignored.
    - `known`: shape (d,), True for entries to be kept; `None` where none is held.
    """

    memory: Any
    query: Float[Array, " d"]
    known: Bool[Array, " d"] | None

    @property
    def initial(self) -> Float[Array, " d"]:
        """The query's key, zero where it is not known."""
        state = self.memory.encode(self.query, self.known)
        return state if self.known is None else jnp.where(self.known, state, 0.0)

    @property
    def lacks_energy(self) -> str | None:
        """As of the memory."""
        return self.memory.lacks_energy

    @property
    def begins_with_query(self) -> bool:
        """Whether queries and answers are of one kind, so that a path begins with the query."""
        return not self.memory.heteroassociative

    def pull(self, state: Float[Array, " d"]) -> Float[Array, " d"]:
        """One read; known entries stay as they are."""
        pulled = self.memory.pull(state, self.known)
        return pulled if self.known is None else jnp.where(self.known, state, pulled)

    def energy(self, state: Float[Array, " d"]) -> Float[Array, ""]:
        """The memory's energy of a state in key space.

        **Raises:** `NoEnergyError` where there is none.
        """
        if self.lacks_energy is not None:
            raise NoEnergyError(self.lacks_energy)
        return self.memory.state_energy(state)

    def value(self, state: Float[Array, " d"]) -> Float[Array, " v"]:
        """What one read from this state answers, shape (v,)."""
        return self._completed(self.memory.read(state, self.known).value)

    def answer(self, state: Float[Array, " d"]) -> Answer:
        """The answer of a state at rest: its read, energy and number of memories."""
        reading = self.memory.read(state, self.known)
        energy = None
        if self.lacks_energy is None:
            energy = self.memory.state_energy(state, reading if self.known is None else None)
        memories = reading.effective if self.memory.separation.normalised else None
        return Answer(self._completed(reading.value), energy, memories)

    def _completed(self, value):
        if self.known is None or self.memory.heteroassociative:
            return value
        return jnp.where(self.known, self.query, value)
