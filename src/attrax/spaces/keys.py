"""A memory and one query as a dynamical system in key space."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..checks import NoEnergyError
from .base import Answer, Measured
from .noise import Noisy, PlainNoise


class KeySpace(Measured, Noisy):
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

    def pull(self, state: Float[Array, " d"]) -> Float[Array, " d"]:
        """One read; known entries stay as they are."""
        pulled = self.memory.pull(state, self.known)
        return pulled if self.known is None else jnp.where(self.known, self.initial, pulled)

    def energy(self, state: Float[Array, " d"]) -> Float[Array, ""]:
        """The memory's energy of a state in key space.

        **Raises:** `NoEnergyError` where there is none.
        """
        if self.lacks_energy is not None:
            raise NoEnergyError(self.lacks_energy)
        return self.memory.state_energy(state)

    def magnitude(self, state: Float[Array, " d"]) -> Float[Array, ""]:
        """The size of the largest term of the energy, by which its rounding is measured."""
        own = jnp.abs(self.memory.similarity.state_term(state))
        return jnp.maximum(own, jnp.abs(self.energy(state) - own))

    def answer(self, state: Float[Array, " d"], origin: Float[Array, " d"]) -> Answer:
        """What the end of a run stands for.

        **Arguments:**

        - `state`: where the run ended, shape (d,).
        - `origin`: the state that the last read was made from, shape (d,).

        **Returns:** the state itself where keys are what is read, else what was read from
        `origin`, with the energy of the state.
        """
        energy = reading = None
        if self.lacks_energy is None:
            energy = self.memory.state_energy(state)
        if self.memory.values is not None or self.memory.separation.normalised:
            reading = self.memory.read(origin, self.known)
        memories = None
        if self.memory.separation.normalised and reading is not None:
            memories = reading.effective
        if self.memory.values is None or reading is None:
            return Answer(state, energy, memories)
        return Answer(self._completed(reading.value), energy, memories)

    def record(self, path: Float[Array, "s d"]) -> Float[Array, "s v"]:
        """The states of a run as they are to be seen, the start first.

        Where keys are what is read, the states themselves; else the query, if it is of the
        answers' kind, and what a read of each state but the last gave.
        """
        if self.memory.values is None:
            return path
        read = jax.lax.map(
            lambda state: self._completed(self.memory.read(state, self.known).value), path
        )
        if self.memory.heteroassociative:
            return read
        return jnp.concatenate([self.query[None], read[:-1]])

    @property
    def lacks_noise(self) -> None:
        """Nothing: the states themselves are sampled."""
        return None

    def geometry(self, state, temperature, step) -> PlainNoise:
        """See `Noisy.geometry`."""
        return PlainNoise(temperature, step, self.known)

    def _completed(self, value):
        if self.known is None or self.memory.heteroassociative:
            return value
        return jnp.where(self.known, self.query, value)
