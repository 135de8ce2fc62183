"""Energies of the exponential memory: one unit at a time, and all at once."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..data import random_patterns
from ..dynamics import Asynchronous, Iterate
from ..dynamics.base import Outcome
from ..dynamics.sweeps import Order
from ..models import exponential_memory
from ..retrieval import retrieve
from ..spaces.units import decided

# What rounding may raise an energy by, in units of its largest term; as in `Certificate`.
ROUNDING = 32 * float(np.finfo(np.float64).eps)


class Descent(NamedTuple):
    """Energies −ln Σ exp(ξ_μ·σ) from random starts, in double precision.

    - `single`: after each update of a single unit, shape (starts, updates + 1).
    - `together`: after each update of all units at once, shape (starts, steps + 1).
    - `certified`: whether `retrieve` certified the energy, sweep by sweep; shape (starts,).
    - `rested`, `stored`: the shares that came to rest one unit at a time, and at a pattern.
    """

    units: int
    others: int
    single: np.ndarray
    together: np.ndarray
    certified: np.ndarray
    rested: float
    stored: float

    def rise(self, which: str) -> np.ndarray:
        """The largest rise in one step, in units of the largest energy; by start.

        **Arguments:**

        - `which`: "single" or "together".
        """
        energies = getattr(self, which)
        return np.maximum(np.diff(energies, axis=1).max(1), 0) / np.abs(energies).max(1)


def descent(units: int, others: int, starts: int, sweeps: int, seed: int) -> Descent:
    """Run random states one unit at a time, and all units at once.

    **Arguments:**

    - `units`: N.
    - `others`: M − 1.
    - `starts`: random states.
    - `sweeps`: updates of every unit.
    - `seed`: of the draws.
    """
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(seed), 2)
        patterns = random_patterns(others + 1, units, key=keys[0])
        states = random_patterns(starts, units, key=keys[1])
        memory = exponential_memory(patterns)
        found = retrieve(memory, states, Asynchronous(max_steps=sweeps), certify=True)
        if found.certificate is None:
            raise ValueError("`retrieve` gave no certificate though it was asked to.")
        together = retrieve(memory, states, Iterate(max_steps=sweeps), path=True)
        overlaps = found.state @ patterns.T
        return Descent(
            units,
            others,
            np.asarray(_single(memory, states, sweeps)),
            np.asarray(together.energies),
            np.asarray(found.certificate.certified),
            float(jnp.mean(found.outcome == Outcome.converged)),
            float(jnp.mean(jnp.max(overlaps, axis=1) == units)),
        )


@eqx.filter_jit
def _single(memory, states, sweeps: int):
    """Energies after every update of a single unit, in the orders that `retrieve` takes."""
    order = Order("random", 0)
    units = jnp.concatenate([order(memory.width, jnp.asarray(i)) for i in range(sweeps)])

    def run(start):
        model = memory.space(start)

        def step(state, unit):
            own, columns = state[unit[None]], model.columns()[unit[None]]
            drive = model.drives(columns, model.overlaps(state), own, "energy")
            after = state.at[unit[None]].set(decided(drive, own, memory.units))
            return after, memory.state_energy(after)

        return jnp.append(memory.state_energy(start), jax.lax.scan(step, start, units)[1])

    return jax.lax.map(run, states)
