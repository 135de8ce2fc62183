"""The optimiser of Krotov and Hopfield: every memory moves by the same largest step."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int

from ..common.checks import number


class MomentumState(NamedTuple):
    """What the optimiser remembers: the velocity of each array, and how many steps were made."""

    velocity: optax.Updates
    count: Int[Array, ""]


def krotov_hopfield(
    learning_rate: optax.ScalarOrSchedule = 0.04,
    momentum: float = 0.6,
    *,
    floor: float = 1e-30,
) -> optax.GradientTransformation:
    """V ← pV − ∂C, then ξ_μ ← clip(ξ_μ + ε V_μ / max_J |V_μJ|, −1, 1), memory by memory.

    Each memory moves by ε in the entry that is pulled most, however small its slopes are. Those of
    a steep energy differ between memories by many powers of ten, so that plain gradient descent
    would move a few and leave the rest. Multiplying the loss by a constant changes nothing, except
    for rows whose velocity is below `floor`. Entries stay between −1 and 1.

    For arrays of one memory a row, as `attrax.models.DenseClassifier.memories`:

    ```python
    rate = optax.exponential_decay(0.04, steps_per_epoch, 0.998, staircase=True)
    train(classifier, loss, batches, steps=1000, optimizer=krotov_hopfield(rate),
          trainable=lambda model: model.memories)
    ```

    **Arguments:**

    - `learning_rate`: ε > 0, or a function of the step to it; the largest change of an entry in
      a step. 0.01 to 0.04 in the paper, falling by a factor of 0.998 an epoch.
    - `momentum`: p, 0 ≤ p < 1; 0.6 to 0.95 in the paper.
    - `floor`: velocities whose largest entry is below it are divided by it instead, > 0.

    **Returns:** an `optax.GradientTransformation`, whose `update` needs the parameters.

    **Raises:** `ValueError` for a number out of range; by `init`, for arrays without rows.

    **Source:** [krotov2016dense]
    """
    if not callable(learning_rate) and not 0 < number("learning_rate", learning_rate) < jnp.inf:
        raise ValueError(f"`learning_rate` must be positive, but it is {learning_rate}.")
    if not 0 <= number("momentum", momentum) < 1:
        raise ValueError(f"`momentum` must be at least 0 and below 1, but it is {momentum}.")
    if not number("floor", floor) > 0:
        raise ValueError(f"`floor` must be positive, but it is {floor}.")

    def init(params):
        for array in jax.tree.leaves(params):
            if jnp.ndim(array) < 2:
                raise ValueError(
                    "krotov_hopfield moves memories, one a row, but was given an array of shape "
                    f"{jnp.shape(array)}; pass trainable=lambda model: model.memories to train."
                )
        return MomentumState(jax.tree.map(jnp.zeros_like, params), jnp.zeros((), jnp.int32))

    def update(updates, state, params=None):
        if params is None:
            raise ValueError("krotov_hopfield needs the parameters: update(grads, state, params).")
        rate = learning_rate(state.count) if callable(learning_rate) else learning_rate
        velocity = jax.tree.map(lambda v, g: momentum * v - g, state.velocity, updates)

        def step(array, v):
            largest = jnp.max(jnp.abs(v), axis=tuple(range(1, v.ndim)), keepdims=True)
            moved = array + jnp.asarray(rate, v.dtype) * (v / jnp.maximum(largest, floor))
            return jnp.clip(moved, -1, 1) - array

        moves = jax.tree.map(step, params, velocity)
        return moves, MomentumState(velocity, state.count + 1)

    return optax.GradientTransformation(init, update)
