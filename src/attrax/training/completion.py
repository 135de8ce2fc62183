"""Completion of masked rows: the loss by which prototypes of clusters are learnt."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import accumulate
from ..common.checks import as_floats, as_mask, as_type, is_concrete, positive, whole_number
from ..stores.rows import Memory


def complete(
    memory: Memory,
    rows: ArrayLike,
    hidden: ArrayLike,
    *,
    start: ArrayLike = 0.0,
    alpha: ArrayLike = 0.1,
    steps: int = 10,
) -> Float[Array, "n d"]:
    """Rows whose hidden entries the memory fills in: v ← v + α m ⊙ (read(v) − v), T times.

    The state v starts as the row where it is seen and as `start` where it is hidden. Only hidden
    entries move, but all entries of v are compared with what is stored, the hidden ones as they
    then are. So v follows −∂E/∂v of the memory's own energy within the hidden entries, and the
    energy falls. `attrax.retrieve` with `known=` compares the seen entries alone: what it draws to
    is then the same in every step.

    ```python
    memory = attrax.Memory(centres, similarity=Euclidean(), separation=Softmax(beta))
    filled = attrax.training.complete(memory, rows, hidden)
    ```

    T α is how long the state moves, in units of its time constant. With T α = 1 it is not at rest:
    of a pull that stays where it is, it then has gone 1 − (1 − α)^T of the way.

    **Arguments:**

    - `memory`: what is read, a `Memory` without values. With `Euclidean()` and `Softmax(beta)` its
      rows are the prototypes of clusters.
    - `rows`: x, shape (n, d), in the units of the memory's rows.
    - `hidden`: m, True for entries to be filled in, shape (d,) or (n, d).
    - `start`: what hidden entries start from, such as the mean of each feature; a number, or of
      shape (d,) or (n, d). The rows themselves, with all entries hidden, let whole rows move.
    - `alpha`: α in (0, 1], the share of the way to the read that a step takes.
    - `steps`: T ≥ 1.

    **Returns:** the states after T steps, shape (n, d). Derivatives of both modes pass through all
    steps.

    **Raises:** `ValueError` or `TypeError` for wrong shapes, NaN, masks that are not boolean, an α
    outside its bounds, and memories with values.

    **Source:** [saha2023end]
    """
    rows, hidden, start = _checked(memory, rows, hidden, start)
    return filled_in(memory, rows, hidden, start, _share(alpha), whole_number("steps", steps))


def completion_loss(
    memory: Memory,
    rows: ArrayLike,
    hidden: ArrayLike,
    *,
    start: ArrayLike = 0.0,
    alpha: ArrayLike = 0.1,
    steps: int = 10,
) -> Float[Array, ""]:
    """The mean squared error of hidden entries that `complete` fills in: ClAM.

    L = Σ m ⊙ (x − v^T)² / Σ m over all rows. Its slopes in the memory's rows pass through all T
    steps. Lowered over many masks, it moves the rows to where the centres of clusters are, and a
    row of data belongs to the one that its state moves to.

    ```python
    def loss(memory, batch):
        return attrax.training.completion_loss(memory, *batch)

    attrax.training.train(memory, loss, (rows, hidden), steps=300, batch_size=64, key=key)
    ```

    The published code divides by the number of all entries, hidden or not.

    **Arguments:** as `complete`; of `hidden` at least one entry must be.

    **Returns:** a scalar, in squared units of the rows.

    **Raises:** as `complete`, and `ValueError` where nothing is hidden.

    **Source:** [saha2023end]
    """
    rows, hidden, start = _checked(memory, rows, hidden, start)
    if is_concrete(hidden) and not bool(jnp.any(hidden)):
        raise ValueError("`hidden` hides nothing: it must be True for an entry that is filled in.")
    steps = whole_number("steps", steps)
    return hidden_error(memory, rows, hidden, start, _share(alpha), steps)


def filled_in(memory, rows, hidden, start, alpha, steps):
    """See `complete`; arguments are not checked."""

    def one(row, hidden, start):
        def step(state, _):
            moved = state + alpha.astype(state.dtype) * (memory(state) - state)
            return jnp.where(hidden, moved, state), None

        # Of a fixed number of steps, so that derivatives of both modes pass through all of them.
        return jax.lax.scan(step, jnp.where(hidden, start, row), length=steps)[0]

    return jax.vmap(one)(rows, hidden, start)


def hidden_error(memory, rows, hidden, start, alpha, steps):
    """See `completion_loss`; arguments are not checked."""
    dtype = accumulate(rows.dtype)
    found = filled_in(memory, rows, hidden, start, alpha, steps)
    squares = jnp.where(hidden, jnp.square(rows.astype(dtype) - found.astype(dtype)), 0.0)
    return jnp.sum(squares) / jnp.maximum(jnp.sum(hidden.astype(dtype)), 1.0)


def _share(alpha):
    alpha = positive("alpha", alpha)
    if is_concrete(alpha) and float(alpha) > 1:
        raise ValueError(f"`alpha` is the share of a step and must lie in (0, 1], not {alpha}.")
    return alpha


def _checked(memory, rows, hidden, start):
    """Rows, a mask for each, and the start, in the memory's type."""
    if not isinstance(memory, Memory):
        raise TypeError(
            f"`memory` must be an attrax.Memory, but it is {type(memory).__name__}; make one with "
            "attrax.Memory(patterns, similarity=Euclidean(), separation=Softmax(beta))."
        )
    if memory.values is not None or memory.similarity.encoded:
        raise ValueError(
            "`memory` must be read in the units of its own rows: leave out `values`, and name a "
            "similarity such as Euclidean()."
        )
    rows = as_floats("rows", rows, ndim=2)
    if rows.shape[1] != memory.width or rows.shape[0] == 0:
        raise ValueError(
            f"`rows` must have at least one row, and {memory.width} entries each, like those of "
            f"the memory, but their shape is {rows.shape}."
        )
    hidden = as_mask("hidden", hidden, None, "the entry is filled in")
    if hidden.shape not in (rows.shape, rows.shape[1:]):
        raise ValueError(
            f"`hidden` must have the shape of one row, {rows.shape[1:]}, or of all, {rows.shape}, "
            f"but its shape is {hidden.shape}."
        )
    start = as_floats("start", start)
    if start.shape not in ((), rows.shape[1:], rows.shape):
        raise ValueError(
            f"`start` must be a number, or have the shape of one row, {rows.shape[1:]}, or of all, "
            f"{rows.shape}, but its shape is {start.shape}."
        )
    rows, start = (as_type(n, x, memory.dtype) for n, x in (("rows", rows), ("start", start)))
    return rows, jnp.broadcast_to(hidden, rows.shape), jnp.broadcast_to(start, rows.shape)
