"""A memory and one query as a dynamical system in key space."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..common.arithmetic import accumulate, range_scale
from ..common.checks import NoEnergyError
from .base import Answer, Comparing, Counting, Measured, Reaching, Reading, Tempered
from .noise import Noisy, PlainNoise

# What is read of equal rows differs by so much of the distance of rows from what one of them gives,
# and their number by so much from a whole one.
_EQUAL, _WHOLE = 1e-3, 1e-2
# How many rows tell how far apart they all are.
_SOME = 16


class KeySpace(Comparing, Counting, Measured, Noisy, Reaching, Tempered):
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
    def spread(self) -> Float[Array, ""] | None:
        """The largest distance of some rows from the first; those of unit norm differ by it."""
        memory = self.memory
        if memory.similarity.encoded:
            return None
        rows = memory.keys[:: max(memory.keys.shape[0] // _SOME, 1)][:_SOME]
        apart = rows.astype(accumulate(rows.dtype)) - rows[:1].astype(accumulate(rows.dtype))
        scale = range_scale(apart.reshape(-1))[0]
        return jnp.sqrt(jnp.max(jnp.sum(jnp.square(apart * scale), axis=-1))) / scale

    def read(self, state: Float[Array, " d"]) -> Reading:
        """One read that stays in key space; known entries stay as they are."""
        reading = self.memory.read_key(state, self.known)
        value = reading.value
        if self.memory.separation.compact:
            value = jnp.where(reading.effective == 0, state, value)
        if self.known is not None:
            value = jnp.where(self.known, self.initial, value)
        if self.memory.separation.lacks_potential is None:
            # Of NaN scores `Max` answers a row, as argmax does; a run is not to rest on that.
            value = jnp.where(jnp.isnan(reading.potential), jnp.nan, value)
        # Where `answer` passes over the rows once more, no step need look for the best of them.
        best = reading.best if self.memory.values is None else None
        return Reading(state, value, self._memories(reading), best)

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

    def answer(self, state: Float[Array, " d"], reading: Reading | None = None) -> Answer:
        """The state itself where keys are what is read, else the values for the state last read.

        Rows are passed over once more for values, which are not taken along a run, and once for the
        energy of a state that no read was made from.
        """
        reading = self.read(state) if reading is None else reading
        energy = self.memory.state_energy(state) if self.lacks_energy is None else None
        if self.memory.values is None:
            return Answer(state, energy, reading.memories, reading.best)
        values = self.memory.read(reading.state, self.known)
        # All of this pass, so that of a single read nothing is left of the one in key space.
        memories = self._memories(values)
        return Answer(self._completed(values.value), energy, memories, values.best)

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
        return jnp.concatenate([self.query[None].astype(read.dtype), read[:-1]])

    @property
    def there(self) -> Bool[Array, " n"]:
        """The rows that are filled."""
        filled = self.memory.filled
        return jnp.ones(self.memory.keys.shape[:1], bool) if filled is None else filled

    def row(self, index: Int[Array, ""]) -> Float[Array, " d"]:
        """See `Comparing.row`."""
        state = self.memory.encode(self.memory.keys[index], self.known)
        return state if self.known is None else jnp.where(self.known, state, 0.0)

    def compare(self, state: Float[Array, " d"]) -> Float[Array, " n"]:
        """See `Comparing.compare`."""
        return self.memory.state_scores(state, self.known)

    def compare_with_itself(self, state: Float[Array, " d"]) -> Float[Array, ""]:
        """See `Comparing.compare_with_itself`."""
        similarity, rows = self.memory.similarity, state[None]
        if self.known is None:
            return similarity(rows, state)[0]
        return similarity(rows, state, self.known.astype(state.dtype))[0]

    @property
    def lacks_noise(self) -> None:
        """Nothing: the states themselves are sampled."""
        return None

    def geometry(self, state, temperature, step) -> PlainNoise:
        """See `Noisy.geometry`."""
        return PlainNoise(temperature, step, self.known)

    @property
    def lacks_beta(self) -> str | None:
        """Where the separation has none."""
        separation = self.memory.separation
        if separation.at_beta(jnp.ones(())) is not None:
            return None
        return (
            f"{type(separation).__name__} has no inverse temperature that could be changed; "
            "Softmax(), Entmax() and LogSumReLU() have one."
        )

    def at_beta(self, beta: Float[Array, ""]) -> "KeySpace":
        """See `Tempered.at_beta`."""
        tempered = self.memory.separation.at_beta(beta)
        memory = eqx.tree_at(lambda memory: memory.separation, self.memory, tempered)
        return KeySpace(memory, self.query, self.known)

    def unreached(
        self, state: Float[Array, " d"], reading: Reading | None = None
    ) -> Bool[Array, ""] | None:
        """See `Reaching.unreached`."""
        if not self.memory.separation.compact:
            return None
        reading = self.read(state) if reading is None else reading
        return reading.memories == 0

    def _memories(self, reading):
        return reading.effective if self.memory.separation.normalised else None

    def count_different(
        self, reading: Reading, best: Int[Array, ""] | None
    ) -> Float[Array, ""] | None:
        """See `Counting.count_different`.

        Equal rows have equal weights, so their number is whole, and what is read of them is what
        one of them alone would give.
        """
        count = reading.memories
        if count is None or best is None:
            return count
        alone = self.memory.read_alone(best)
        change = reading.value.astype(alone.dtype) - alone
        if self.known is not None:
            change = jnp.where(self.known, 0.0, change)
        size, away = (jnp.sqrt(jnp.sum(jnp.square(x))) for x in (alone, change))
        unit = size if self.spread is None else jnp.minimum(size, self.spread.astype(size.dtype))
        rounding = 8 * float(jnp.finfo(size.dtype).eps) * size
        whole = jnp.abs(count - jnp.round(count)) <= _WHOLE
        same = whole & (away <= jnp.maximum(_EQUAL * unit, rounding))
        return jnp.where(same, jnp.ones_like(count), count)

    def _completed(self, value):
        if self.known is None or self.memory.heteroassociative:
            return value
        return jnp.where(self.known, self.query.astype(value.dtype), value)
