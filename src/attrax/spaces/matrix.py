"""A matrix memory and one query as a dynamical system."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..common.arithmetic import accumulate, products
from ..common.checks import NoEnergyError
from .base import Answer, Measured, Reading
from .noise import Noisy, PlainNoise
from .units import PairedUnits


class MatrixSpace(Measured, Noisy):
    """Real states of a `MatrixMemory` for one query.

    **Arguments:**

    - `memory`: the store.
    - `query`: shape (d,).
    - `known`: shape (d,), True for entries that are held; the others start at zero.
    """

    memory: Any
    query: Float[Array, " d"]
    known: Bool[Array, " d"] | None

    @property
    def initial(self) -> Float[Array, " d"]:
        """The query, zero where it is not known."""
        return self.query if self.known is None else jnp.where(self.known, self.query, 0.0)

    @property
    def lacks_energy(self) -> str | None:
        """As of the memory."""
        return self.memory.lacks_energy

    def read(self, state: Float[Array, " d"]) -> Reading:
        """One read; known entries stay as they are."""
        pulled = self.memory.pull(state)
        if self.known is not None:
            pulled = jnp.where(self.known, self.query, pulled)
        return Reading(state, pulled)

    def energy(self, state: Float[Array, " d"]) -> Float[Array, ""]:
        """The memory's energy of a state.

        **Raises:** `NoEnergyError` where there is none.
        """
        if self.lacks_energy is not None:
            raise NoEnergyError(self.lacks_energy)
        return self.memory.state_energy(state)

    def magnitude(self, state: Float[Array, " d"]) -> Float[Array, ""]:
        """The size of the largest term of the energy, by which its rounding is measured."""
        own = 0.5 * jnp.sum(jnp.square(state.astype(accumulate(state.dtype))))
        return jnp.maximum(own, jnp.abs(self.energy(state) - own))

    def answer(self, state: Float[Array, " v"], reading: Reading | None = None) -> Answer:
        """The state itself, with its energy."""
        energy = None if self.lacks_energy is not None else self.memory.state_energy(state)
        return Answer(state, energy, None)

    def record(self, path: Float[Array, "s d"]) -> Float[Array, "s d"]:
        """The states of a run, the start first."""
        return path

    @property
    def lacks_noise(self) -> None:
        """Nothing: the states themselves are sampled."""
        return None

    def geometry(self, state, temperature, step) -> PlainNoise:
        """See `Noisy.geometry`."""
        return PlainNoise(temperature, step, self.known)


class UnitMatrixSpace(PairedUnits):
    """Two-state units joined by a matrix, for one query.

    Sums Σ_j W_ij σ_j are kept unscaled: of whole numbers they are exact, so that ties are ties.
    They are taken for some units at a time, see `coupled`.
    """

    def drive(self, state: Float[Array, " d"]) -> Float[Array, " d"]:
        """The drive of every unit."""
        return self.memory.drive(state)

    def coupled(self, state, index):
        """See `PairedUnits.coupled`."""
        rows = self.memory.matrix[index]
        sums = products(rows, state)
        couplings = rows[:, index].T.astype(sums.dtype)
        own = jnp.diagonal(couplings)
        sums = sums - own * state[index].astype(sums.dtype)
        return sums, couplings - jnp.diag(own), own

    def gap(self, sums, own, threshold):
        """See `PairedUnits.gap`."""
        low, high = self.levels
        if self.memory.self_term:
            sums = sums + own * (0.5 * (low + high))
        total = self.memory.scale.astype(sums.dtype) * sums
        return (high - low) * (total - threshold)

    def felt(self, sums, own, state, threshold):
        """See `PairedUnits.felt`."""
        total = sums + own * state if self.memory.self_term else sums
        return self.memory.scale.astype(total.dtype) * total - threshold

    def threshold(self, index: Int[Array, "*b"]) -> Float[Array, "*b"]:
        """θ of some units."""
        wide = accumulate(self.memory.dtype)
        if self.memory.threshold is None:
            return jnp.zeros(jnp.shape(index), wide)
        return self.memory.threshold[index].astype(wide)
