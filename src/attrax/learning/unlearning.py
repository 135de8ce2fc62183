"""Unlearning: spurious states are weakened by dreaming of them."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array, Float, PRNGKeyArray

from ..common.checks import one_key, positive, whole_number
from ..dynamics.asynchronous import Asynchronous
from ..stores.matrix import MatrixMemory
from .rules import checked_memory


def _checked_rate(rate: Any) -> Array:
    return positive("rate", rate)


def _checked_steps(steps: Any) -> int:
    return whole_number("steps", steps)


class Unlearning(eqx.Module):
    """W −= (ε/d) σ σᵀ, again and again, σ being where the network settles from a random state.

    This is for signs, and for memories that `Hebb` has made of N patterns. Random states settle in
    spurious states more often than in patterns, so patterns are weakened less, and those that the
    load had made unstable come back. The product ε · steps matters. At ε · steps = N everything
    stored has been removed. Good values: N/2 for loads up to 0.3, rising to 2N/3 at load 0.5. With
    d = 100, ε = 0.01 and steps = N/(2ε), the overlap of patterns with the states they settle in
    rises from 0.88 to 1.00 at a load of 0.2.

    **Arguments:**

    - `rate`: ε > 0, the share of what Hebb's rule adds for a pattern; 0.01, say.
    - `steps`: how many states are unlearnt, one after another, ≥ 1.

    **Raises:** `ValueError` for a rate or a number of steps out of range; on a call `TypeError` or
    `ValueError` for memories of other units or without an energy, and if `key` is not a key.

    **Source:** [hopfield1983unlearning]
    """

    rate: Float[Array, ""] = eqx.field(converter=_checked_rate)
    steps: int = eqx.field(static=True, converter=_checked_steps)

    def __call__(self, memory: MatrixMemory, *, key: PRNGKeyArray) -> MatrixMemory:
        """A memory that has unlearnt; the one given is unchanged.

        **Arguments:**

        - `memory`: of signs, with an energy.
        - `key`: of the random states and orders of updates.
        """
        memory = checked_memory(memory, "signs")
        if memory.lacks_energy is not None:
            raise ValueError(f"`memory` has no energy to settle in: {memory.lacks_energy}")
        key = one_key(key)
        memory = dataclasses.replace(memory, symmetry="symmetric")
        # The matrix is that before it is scaled.
        rate = self.rate.astype(memory.dtype) / (memory.width * memory.scale)
        return _unlearnt(memory, rate, key, self.steps)


@eqx.filter_jit
def _unlearnt(memory: MatrixMemory, rate, key, steps: int) -> MatrixMemory:
    def dream(memory, key):
        start, order = jax.random.split(key)
        state = jax.random.rademacher(start, (memory.width,), memory.dtype)
        settle = Asynchronous(seed=jax.random.randint(order, (), 0, 1 << 20))
        state = settle.run(memory.space(state, None), state).state
        matrix = memory.matrix - rate * (state[:, None] * state[None])
        return dataclasses.replace(memory, matrix=matrix), None

    return jax.lax.scan(dream, memory, jax.random.split(key, steps))[0]
