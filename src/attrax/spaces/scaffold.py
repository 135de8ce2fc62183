"""Hidden units of a scaffold as a dynamical system."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..common.checks import NoEnergyError
from .base import AbstractSpace, Answer, Reading


class ScaffoldSpace(AbstractSpace):
    """Hidden units of a `ScaffoldMemory` for one query: features are read from them at the end.

    States, h of shape (N_H,), so stay on the scaffold. Were features read and fed back instead,
    what they lack would add up, and beyond N_H patterns none would stay.

    **Arguments:**

    - `memory`: the store.
    - `query`: shape (d,).
    - `known`: shape (d,), True for features that are kept, which alone are a cue; all if `None`.
    """

    memory: Any
    query: Float[Array, " d"]
    known: Bool[Array, " d"] | None

    @property
    def initial(self) -> Float[Array, " h"]:
        """The hidden units that the cue leads to, not yet cleaned."""
        seen = self.query if self.known is None else jnp.where(self.known, self.query, 0.0)
        return self.memory.lead(seen)

    @property
    def lacks_energy(self) -> str:
        """As of the memory."""
        return self.memory.lacks_energy

    def read(self, state: Float[Array, " h"]) -> Reading:
        """One read: the hidden units of the label that these have."""
        label, hidden = self.memory.clean(state)
        # A state that is not a number has no winners, and must not seem to have some.
        lost = jnp.isnan(jnp.sum(state))
        place = jnp.where(lost, -1, self.memory.place(label))
        return Reading(state, jnp.where(lost, jnp.nan, hidden), best=place)

    def energy(self, state: Float[Array, " h"]) -> Float[Array, ""]:
        """There is none.

        **Raises:** `NoEnergyError` with the reason, `lacks_energy`.
        """
        raise NoEnergyError(self.lacks_energy)

    def answer(self, state: Float[Array, " h"], reading: Reading | None = None) -> Answer:
        """The features of the state, and which pattern its label was given to."""
        best = self.read(state).best if reading is None else reading.best
        return Answer(self.features(state), None, None, best)

    def features(self, state: Float[Array, " h"]) -> Float[Array, " d"]:
        """What the state stands for; known features as they are."""
        found = self.memory.read_out(state).astype(self.memory.dtype)
        return found if self.known is None else jnp.where(self.known, self.query, found)

    def record(self, path: Float[Array, "s h"]) -> Float[Array, "s d"]:
        """The features of the states of a run, those of the uncleaned cue first."""
        return jax.vmap(self.features)(path)
