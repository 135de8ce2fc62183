"""How much a memory holds as patterns are written one after another, in bits per synapse."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from ..common.arithmetic import accumulate
from ..common.checks import as_floats, as_type, check_function, positive
from ..common.display import results
from ..dynamics.base import AbstractDynamics, check_dynamics
from ..retrieval import retrieve
from ..spaces.store import AbstractStore
from ..spaces.units import check_states
from .probes import whole_numbers

# So many cues are read together.
_TOGETHER = 128


@results
class InformationCurve(eqx.Module):
    """What `information_curve` measured; S numbers of patterns.

    - `sizes` (S,): P, how many patterns were written.
    - `overlap` (S,): m of what is read with what was written, the mean of the P patterns.
    - `information` (S,): P d I(m) over the synapses, in bits per synapse, I(m) = 1 − H₂((1 + m)/2).
    """

    sizes: Int[Array, " size"]
    overlap: Float[Array, " size"]
    information: Float[Array, " size"]


def information_curve(
    memory: AbstractStore,
    patterns: ArrayLike,
    sizes: ArrayLike | list | tuple | range,
    *,
    synapses: ArrayLike,
    write: Callable | None = None,
    cues: ArrayLike | None = None,
    dynamics: AbstractDynamics | None = None,
) -> InformationCurve:
    """Write patterns one after another, and at each size read all that were written.

    No more than some bits per synapse can be held, and a memory whose overlaps fall with a cliff
    is far below that beyond it. The whole curve is one compiled program.

    ```python
    memory = scaffold_memory(816, key=key)
    curve = information_curve(memory, patterns, range(50, 817, 50), synapses=memory.synapses)
    rule = attrax.learning.PseudoInverse("ignore")
    empty = MatrixMemory(np.zeros((708, 708)), units="signs", rule="PseudoInverse")
    information_curve(empty, patterns, sizes, synapses=708**2, write=rule.write)
    ```

    **Arguments:**

    - `memory`: what is written to, of units of −1 and +1.
    - `patterns`: shape (N, d), of −1 and +1.
    - `sizes`: numbers of patterns, increasing, at most N.
    - `synapses`: how many the memory has.
    - `write`: (memory, pattern (d,)) -> memory, traced by JAX, with fields that are no arrays left
      as they are; `memory.write(pattern)` if `None`.
    - `cues`: what is asked, shape (N, d); the patterns themselves if `None`.
    - `dynamics`: how cues are run; what `attrax.retrieve` takes if `None`. Not a random one.

    **Returns:** an `InformationCurve`.

    **Raises:** `ValueError` or `TypeError` for wrong shapes and states, sizes that do not increase
    or are out of range, memories of other units, and random dynamics.

    **Source:** [sharma2022content]
    """
    if not isinstance(memory, AbstractStore) or memory.units != "signs":
        raise TypeError(
            "`memory` must be a memory of units='signs', such as attrax.models.scaffold_memory("
            f"d, key=key), but it is {type(memory).__name__}."
        )
    rows = _rows("patterns", patterns, memory)
    asked = rows if cues is None else _rows("cues", cues, memory)
    if asked.shape != rows.shape:
        raise ValueError(f"`cues` must have shape {rows.shape}, but it is {asked.shape}.")
    numbers = whole_numbers(sizes)
    good = numbers is not None and numbers[0] > 0 and (np.diff(numbers) > 0).all()
    if numbers is None or not good or numbers[-1] > len(rows):
        raise ValueError(
            f"`sizes` must be whole numbers that increase, from 1 to the {len(rows)} patterns that "
            f"there are, but it is {sizes!r}."
        )
    if write is not None:
        check_function("write", write)
    if dynamics is not None:
        check_dynamics(dynamics, memory.units)
        if dynamics.random:
            raise ValueError(
                f"{type(dynamics).__name__} is random, and a curve is of one run: leave out "
                "`dynamics`, or pass one that is not, such as attrax.dynamics.OneRead()."
            )
    synapses, numbers = positive("synapses", synapses), jnp.asarray(numbers, jnp.int32)
    overlap = _overlaps(memory, write, dynamics, rows, asked, numbers)
    bits = numbers.astype(overlap.dtype) * rows.shape[1] * _bits(overlap)
    return InformationCurve(numbers, overlap, bits / synapses.astype(overlap.dtype))


@jax.jit
def _bits(m):
    """1 − H₂((1 + m)/2)."""
    sides = [0.5 * jax.scipy.special.xlog1py(1 + x, x) for x in (m, -m)]
    return (sides[0] + sides[1]) / np.log(2)


@eqx.filter_jit
def _overlaps(memory: Any, write, dynamics: Any, patterns, cues, sizes) -> Float[Array, " size"]:
    """The mean overlap at each size."""
    total, width = patterns.shape
    block = min(_TOGETHER, total)
    rows, asked = (jnp.pad(x, ((0, -total % block), (0, 0)), mode="edge") for x in (patterns, cues))
    arrays, rest = eqx.partition(memory, eqx.is_array)

    def put(i, arrays):
        memory, row = eqx.combine(arrays, rest), patterns[i]
        memory = memory.write(row) if write is None else write(memory, row)
        return eqx.filter(memory, eqx.is_array)

    def grow(carry, size):
        arrays, done = carry
        arrays = jax.lax.fori_loop(done, size, put, arrays)
        memory = eqx.combine(arrays, rest)

        def ask(number, summed):
            wanted, given = (
                jax.lax.dynamic_slice_in_dim(x, number * block, block) for x in (rows, asked)
            )
            state = retrieve(memory, given, dynamics).state
            each = jnp.sum(state * wanted, axis=1, dtype=accumulate(state.dtype))
            there = number * block + jnp.arange(block) < size
            return summed + jnp.sum(jnp.where(there, each, 0))

        start = jnp.zeros((), accumulate(patterns.dtype))
        summed = jax.lax.fori_loop(0, -(-size // block), ask, start)
        return (arrays, size), summed / (size.astype(summed.dtype) * width)

    return jax.lax.scan(grow, (arrays, jnp.zeros((), sizes.dtype)), sizes)[1]


def _rows(name: str, value, memory) -> Float[Array, "n d"]:
    rows = as_floats(name, value, ndim=2)
    if rows.size == 0 or rows.shape[1] != memory.width:
        raise ValueError(
            f"`{name}` must have shape (N, {memory.width}), but its shape is {rows.shape}."
        )
    check_states(name, rows, "signs")
    return as_type(name, rows, memory.dtype)
