"""Two-state units updated one after another: what asynchronous and random dynamics share."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..common.checks import as_array, is_concrete, native
from ..spaces.base import AbstractSpace
from ..spaces.units import OverlappingUnits, PairedUnits, SetwiseUnits
from .engine import anywhere

# Spaces whose units can be updated one after another.
Units = PairedUnits | OverlappingUnits | SetwiseUnits

# Units whose sums are taken in one product. Within a block sums follow single changes by the
# couplings, of which there are as many as the square of the block.
_BLOCK = 40


class Order(eqx.Module):
    """In which order units are visited: a new permutation each sweep, by index, or a given one.

    All queries have the same one, so that their sums are one product.

    **Arguments:**

    - `order`: "random", "cyclic", or indices of all units, shape (d,).
    - `seed`: of random orders, a whole number from 0 to 2³² − 1.

    **Raises:** `ValueError` for anything else, and for indices that are not a permutation;
    `TypeError` for a seed that is not a whole number.
    """

    kind: str = eqx.field(static=True)
    given: Int[Array, " d"] | None
    seed: Int[Array, ""]

    def __init__(self, order: Any, seed: Any):
        self.seed = _as_seed(seed)
        if isinstance(order, str):
            if order not in ("random", "cyclic"):
                raise ValueError(
                    "`order` must be 'random', 'cyclic' or a permutation of units, but it is "
                    f"{order!r}."
                )
            self.kind, self.given = order, None
            return
        array = as_array("order", order)
        whole = jnp.issubdtype(array.dtype, jnp.integer) and array.ndim == 1
        if whole and is_concrete(array):
            whole = np.array_equal(np.sort(np.asarray(array)), np.arange(array.size))
        if not whole:
            raise ValueError(
                "`order` must be 'random', 'cyclic', or all indices of units, each once, but it "
                f"is an array of {array.dtype} and shape {array.shape} that is none."
            )
        self.kind, self.given = "given", array.astype(jnp.int32)

    def __call__(self, count: int, sweep: Int[Array, ""]) -> Int[Array, " d"]:
        """The order of one sweep.

        **Arguments:**

        - `count`: how many units there are.
        - `sweep`: the number of the sweep.

        **Raises:** `ValueError` for an order of another number of units.
        """
        if self.given is not None:
            if self.given.shape != (count,):
                raise ValueError(f"`order` is of {self.given.size} units, but there are {count}.")
            return self.given
        if self.kind == "cyclic":
            return jnp.arange(count, dtype=jnp.int32)
        key = jax.random.fold_in(jax.random.key(self.seed), sweep)
        return jax.random.permutation(key, count).astype(jnp.int32)


def _as_seed(seed: Any) -> Int[Array, ""]:
    """All 32 bits of a whole number, of which a float would keep 24."""
    array: Any = native("seed", seed)
    if array.shape != () or array.dtype.kind not in "iu":
        raise TypeError(f"`seed` must be a whole number, but it is {seed!r}.")
    if not is_concrete(array):
        return array.astype(jnp.int32)
    if not 0 <= int(array) < 1 << 32:
        raise ValueError(f"`seed` must be from 0 to {(1 << 32) - 1}, but it is {int(array)}.")
    return jnp.asarray(np.asarray(array).astype(np.uint32).view(np.int32))


def units_of(space: AbstractSpace, name: str) -> Units:
    """The space, if it is made of two-state units.

    **Raises:** `TypeError` that names the dynamics for other models.
    """
    if not isinstance(space, Units):
        raise TypeError(
            f"{name} updates two-state units, and this memory has none: use Coordinates() for a "
            "HierarchicalMemory, Iterate() for a Memory, or make units with "
            "attrax.models.hopfield_network(patterns)."
        )
    return space


def sweep(
    space: Units,
    state: Float[Array, " d"],
    order: Int[Array, " d"],
    decide: Callable,
    noise: Float[Array, " d"] | None = None,
    rule: str = "energy",
    ahead: int = 16,
) -> Float[Array, " d"]:
    """Every unit once, in the given order, each seeing the changes before it.

    **Arguments:**

    - `space`: units; `PairedUnits`, `OverlappingUnits` or `SetwiseUnits` of `attrax.spaces`.
    - `state`: shape (d,).
    - `order`: indices of units.
    - `decide`: (drive, state of the unit, its noise) → its new state.
    - `noise`: a number for each unit, shape (d,); `None` passes zeros.
    - `rule`: what the drive is: "energy", the gap between the unit's two states, or "field".
    - `ahead`: how many units that follow overlaps are looked at together; the fewer, the more of
      them change. Nothing but time depends on it.

    **Returns:** the state after the sweep.
    """
    noise = jnp.zeros_like(state) if noise is None else noise
    held = jnp.zeros(state.shape, bool) if space.known is None else space.known
    if isinstance(space, SetwiseUnits):
        return _in_turn(space, state, order, decide, noise, held, rule)
    if isinstance(space, OverlappingUnits):
        return _look_ahead(space, state, order, decide, noise, held, rule, ahead)

    def step(state, index):
        return _block_update(space, state, index, decide, noise, held, rule), None

    whole = order.shape[0] // _BLOCK * _BLOCK
    if whole:
        state = jax.lax.scan(step, state, order[:whole].reshape(-1, _BLOCK))[0]
    return state if whole == order.shape[0] else step(state, order[whole:])[0]


def _block_update(space, state, index, decide, noise, held, rule):
    sums, couplings, own = space.coupled(state, index)
    threshold = space.threshold(index)
    before = state[index].astype(sums.dtype)

    def step(sums, inputs):
        place, row, own, before, noise, held, threshold = inputs
        if rule == "energy":
            drive = space.gap(sums[place], own, threshold)
        else:
            drive = space.felt(sums[place], own, before, threshold)
        after = jnp.where(held, before, decide(drive, before, noise))
        return sums + row * (after - before), after

    places = jnp.arange(index.shape[0])
    inputs = (places, couplings, own, before, noise[index], held[index], threshold)
    after = jax.lax.scan(step, sums, inputs)[1].astype(state.dtype)
    return state.at[index].set(after, unique_indices=True)


def _in_turn(space, state, order, decide, noise, held, rule):
    connections = space.connections()

    def step(state, index):
        own = jax.tree.map(lambda leaf: leaf[index], connections)
        before = state[index]
        after = decide(space.turn(own, state, rule), before, noise[index])
        return state.at[index].set(jnp.where(held[index], before, after)), None

    return jax.lax.scan(step, state, order)[0]


def _look_ahead(space, state, order, decide, noise, held, rule, ahead):
    """Some units at a time: as long as none changes, their drives are those of the same state.

    Then the first that changes does, and the units behind it are looked at again. Most keep their
    states, so that a block takes a few products where its units would each take one.
    """
    count = order.shape[0]
    columns = space.columns()
    places = jnp.arange(min(ahead, count), dtype=jnp.int32)
    # The last block is filled with units that are not there.
    order = jnp.pad(order, (0, -count % places.size), constant_values=count)

    def block(carry, index):
        state, overlaps = carry
        inside = jnp.minimum(index, count - 1)
        rows, own, quiet = columns[inside], state[inside], held[inside] | (index == count)

        def step(carry):
            own, overlaps, done = carry
            new = decide(space.drives(rows, overlaps, own, rule), own, noise[inside])
            moves = (new != own) & ~quiet & (places >= done)
            first = jnp.argmax(moves).astype(places.dtype)
            moved = jnp.where((places == first) & moves, new, own)
            overlaps = overlaps + rows[first] * (moved - own)[first].astype(overlaps.dtype)
            return moved, overlaps, jnp.where(jnp.any(moves), first + 1, places.size)

        start = own, overlaps, jnp.zeros((), places.dtype)
        own, overlaps, _ = jax.lax.while_loop(
            lambda carry: anywhere(carry[2] < places.size), step, start
        )
        return (state.at[index].set(own, mode="drop"), overlaps), None

    blocks = order.reshape(-1, places.size)
    return jax.lax.scan(block, (state, space.overlaps(state)), blocks)[0][0]
