"""A memory of sequences and one cue as a dynamical system: states and what comes after them."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..common.arithmetic import accumulate, in_range, match, standardise, weighted
from ..common.checks import NoEnergyError
from ..separation.base import largest, masked_terms
from ..separation.fold import Query, Rows, fold
from .base import Answer, Reading, Succeeding
from .units import decided

# Drives of so many units are computed together where each needs all scores anew.
_TOGETHER = 32


class SequenceSpace(Succeeding):
    """States of a `SequenceMemory` for one cue.

    **Arguments:**

    - `memory`: the store.
    - `query`: the cue, shape (d,).
    - `paired`: the products of rows and successors, entry by entry, shape (N, d); `None` where
      units act on themselves.
    - `size`: the root mean square distance of the successors from the first, for real entries;
      else `None`.
    """

    memory: Any
    query: Float[Array, " d"]
    paired: Float[Array, "n d"] | None
    size: Float[Array, ""] | None

    @property
    def initial(self) -> Float[Array, " d"]:
        """The cue."""
        return self.query

    @property
    def lacks_energy(self) -> str:
        """Why there is none."""
        return "A sequence is driven on by weights that are not symmetric, so it has no energy."

    @property
    def spread(self) -> Float[Array, ""] | None:
        """How far rows of real entries are apart."""
        return self.size

    @property
    def window(self) -> int:
        """The length of the trace."""
        return 1 if self.memory.trace is None else self.memory.trace.shape[0]

    def energy(self, state: Float[Array, " d"]) -> Float[Array, ""]:
        """None.

        **Raises:** `NoEnergyError`.
        """
        raise NoEnergyError(self.lacks_energy)

    def read(self, state: Float[Array, " d"]) -> Reading:
        """What comes after a state that has lasted."""
        return self.succeed(jnp.broadcast_to(state, (self.window, *state.shape)))

    def succeed(self, history: Float[Array, "w d"]) -> Reading:
        """See `Succeeding.succeed`."""
        memory, state = self.memory, history[0]
        seen = state
        if memory.trace is not None:
            trace = memory.trace.astype(accumulate(history.dtype))
            seen = jnp.matmul(trace, history.astype(trace.dtype)).astype(state.dtype)
        drive, best, shared = self._driven(memory.separation, memory.values, seen)
        if memory.hold is not None:
            holding, best, _ = self._driven(memory.hold, self._rows, state)
            strength = memory.strength.astype(drive.dtype)
            drive = holding + strength * drive
            if memory.units == "real":
                drive = drive / (1 + strength)
        elif memory.trace is not None:
            best = self._best(state)
        if memory.units == "signs":
            return Reading(state, decided(drive, state, "signs"), None, best)
        return Reading(state, drive.astype(state.dtype), shared, best)

    def follows(self, reading: Reading, tolerance: float) -> Bool[Array, ""]:
        """See `Succeeding.follows`; a memory that holds patterns may stay where it is."""
        memory = self.memory
        near = self._near(reading.value, memory.values[reading.best], tolerance)
        if memory.hold is None:
            return near
        return near | self._near(reading.value, self._rows[reading.best], tolerance)

    def answer(self, state: Float[Array, " d"], reading: Reading | None = None) -> Answer:
        """The state itself, with the row that it is most like."""
        if self.memory.units == "signs":
            return Answer(state, None, None, self._best(state))
        read = self.read(state)
        return Answer(state, None, read.memories, read.best)

    def record(self, path: Float[Array, "s d"]) -> Float[Array, "s d"]:
        """The states of a run, the cue first."""
        return path

    @property
    def _rows(self):
        """The patterns as they are read."""
        return self.memory.keys if self.memory.held is None else self.memory.held

    def _driven(self, separation, values, state):
        """Σ_μ value f(score), the best row, and how many share the weight, where that is known."""
        memory = self.memory
        if memory.self_term:
            rows = Rows(memory.keys, values, memory.filled)
            query = Query(memory.similarity, self._encoded(state), None)
            read = fold(separation, query, rows, block=memory.block)
            shared = read.effective if separation.normalised else None
            return read.value.astype(accumulate(state.dtype)), read.best, shared
        scores = memory.similarity(memory.keys, state)
        part = match(separation, scores.dtype)
        if memory.trace is None or values is not memory.values:
            paired = self.paired if values is memory.values else None
            drive = self._signed(part, scores, values, paired, state)
        else:
            drive = self._mixed(part, scores, values, state)
        return drive, self._highest(scores), None

    def _signed(self, part, scores, values, paired, state):
        """Drives of units in states −1 and +1: a unit's own share of a score is one of two.

        Of two drives, with its share taken from all scores as if it agreed with every row, or with
        none, its own is made: of the rows with which it agrees from the first, else the second.
        """
        agrees, differs = (self._own(1.0, sign, scores.dtype) for sign in (1.0, -1.0))
        both = scores - agrees, scores - differs
        reference = self._reference(part, *both)
        terms = [masked_terms(part, x, self.memory.filled, reference)[0] for x in both]
        mean, apart = 0.5 * (terms[0] + terms[1]), 0.5 * (terms[0] - terms[1])
        drive = weighted(mean, values.astype(mean.dtype))
        state = state.astype(drive.dtype)
        if paired is None:
            # Rows that are read themselves: their entries' squares are one.
            drive = drive + state * jnp.sum(apart)
        else:
            drive = drive + state * weighted(apart, paired.astype(mean.dtype))
        return self._matched(part, reference, drive)

    def _mixed(self, part, scores, values, state):
        """Drives where entries of the state are any numbers: each unit needs all scores anew."""
        columns = self.memory.keys.T.astype(scores.dtype), values.T.astype(scores.dtype)
        reference = self._reference(part, scores)

        def one(inputs):
            keys, values, own = inputs
            rest = scores - jax.vmap(self._own, (0, None, None))(keys, own, scores.dtype)
            terms = masked_terms(part, rest, self.memory.filled, reference)[0]
            return jnp.sum(terms * values)

        inputs = (*columns, state.astype(scores.dtype))
        drive = jax.lax.map(one, inputs, batch_size=_TOGETHER)
        return self._matched(part, reference, drive)

    def _matched(self, part, reference, drive):
        """A drive in units of the weight of a row that is matched, by which terms are compared."""
        score = (self.memory.width - 1) * self._own(1.0, 1.0, drive.dtype)
        unit = part.terms(score, score)[0]
        return in_range(part.rescale(reference, score) / unit, drive)

    def _reference(self, part, *scores):
        found = [largest(part, x, self.memory.filled) for x in scores]
        largest_of = found[0] if len(found) == 1 else jnp.maximum(*found)
        # Of whole scores sums are then exact, so that ties are ties.
        return part.exact_reference(largest_of)

    def _own(self, key, entry, dtype):
        """What one entry adds to a score."""
        key, entry = (jnp.asarray(x, dtype).reshape(1) for x in (key, entry))
        return self.memory.similarity(key[None], entry)[0]

    def _encoded(self, state):
        if not self.memory.similarity.encoded:
            return state
        return standardise(state).astype(self.memory.dtype)

    def _best(self, state):
        return self._highest(self.memory.similarity(self.memory.keys, self._encoded(state)))

    def _highest(self, scores):
        if self.memory.filled is not None:
            scores = jnp.where(self.memory.filled, scores, -jnp.inf)
        return jnp.argmax(scores).astype(jnp.int32)

    def _near(self, state, target, tolerance):
        wide = accumulate(state.dtype)
        if self.size is None:
            return jnp.mean((state != target).astype(wide)) <= tolerance
        # Norms of differences that are far beyond the unit would leave the range of floats.
        away = (state.astype(wide) - target.astype(wide)) / jnp.where(self.size > 0, self.size, 1.0)
        return jnp.sqrt(jnp.sum(jnp.square(away))) <= tolerance
