"""Kernels that move crowded rows apart, learnt before anything is retrieved: U-Hop."""

import functools
import math

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import accumulate, unit
from ..common.checks import as_floats, plain_number
from ..similarity import LinearKernel
from .train import Trained, train


def separation_loss(features: ArrayLike, t: float = 2.0) -> Float[Array, ""]:
    """ln mean_{μ≠ν} exp(−t |u_μ − u_ν|²), of features u brought to unit norm.

    It is 0 where all point the same way, and at its least, −2 t N/(N − 1), where N ≤ m + 1 of them
    are the corners of a regular simplex. Lower it with `train` to learn a feature map of your own;
    `learn_kernel` does so for a linear one.

    **Arguments:**

    - `features`: one row a memory, shape (N, m), N ≥ 2.
    - `t`: > 0, how much near pairs count before others.

    **Returns:** a scalar.

    **Raises:** `ValueError` for fewer than two rows, or a `t` that is not positive.

    **Source:** [wu2024uniform]
    """
    rows = _several("features", features)
    t = _positive(t)
    rows = unit(rows.astype(accumulate(rows.dtype)))
    count = rows.shape[0]
    closeness = 2 * t * (jnp.matmul(rows, rows.T) - 1)
    others = ~jnp.eye(count, dtype=bool)
    total = jax.nn.logsumexp(closeness, where=others)
    return total - math.log(count * (count - 1))


def learn_kernel(
    patterns: ArrayLike,
    *,
    steps: int = 100,
    t: float = 2.0,
    batch_size: int | None = None,
    optimizer: optax.GradientTransformation | None = None,
    key: Array | None = None,
) -> Trained:
    """Learn a linear map W under which stored rows are far apart, before anything is retrieved.

    ```python
    learnt = attrax.training.learn_kernel(patterns)
    memory = attrax.Memory(patterns, similarity=learnt.model)
    attrax.retrieve(memory, queries, known=mask)
    ```

    W starts as the identity, and follows the slope of `separation_loss` of all W ξ_μ: what all
    rows share is taken away, so that long rows no longer win over all others. Entries of a query
    that are damaged pass through W too. Whether `known=` then helps depends on the rows: without
    the others, W may no longer take away what they share.

    **Arguments:**

    - `patterns`: ξ, rows to be stored, shape (N, d), N ≥ 2.
    - `steps`: how many steps to make, ≥ 1.
    - `t`: of the loss, > 0.
    - `batch_size`: how many rows a step sees; all if `None`, in N² products a step.
    - `optimizer`: an `optax.GradientTransformation`; gradient descent at the rate 0.1 if `None`.
      The published code starts at W of standard normal entries with the rates 1, 1, 1/√2, 1/√6,
      1/√24, …, which move such a W by little.
    - `key`: a `jax.random.key`, for the order of rows in batches.

    **Returns:** a `Trained` of the similarity, `model`, and the losses.

    **Raises:** `ValueError` or `TypeError` for wrong arguments, and for a row of zeros, which has
    no direction.

    **Source:** [wu2024uniform]
    """
    rows = _several("patterns", patterns)
    empty = jnp.flatnonzero(~jnp.any(rows != 0, axis=1))
    if empty.size:
        raise ValueError(
            f"Row {int(empty[0])} of `patterns` is zero throughout, so has no direction: leave it "
            "out."
        )
    kernel = LinearKernel(jnp.eye(rows.shape[1], dtype=rows.dtype))
    optimizer = _descent() if optimizer is None else optimizer
    loss = _loss_of(_positive(t))
    return train(
        kernel, loss, rows, steps=steps, batch_size=batch_size, optimizer=optimizer, key=key
    )


@functools.cache
def _loss_of(t: float):
    """One function for each t, since a step is compiled anew for every other."""

    def loss(kernel, rows):
        return separation_loss(kernel.features(rows), t)

    return loss


@functools.cache
def _descent() -> optax.GradientTransformation:
    """One object, since a step is compiled anew for every other optimiser."""
    return optax.sgd(0.1)


def _several(name: str, rows: ArrayLike) -> Array:
    array = as_floats(name, rows, ndim=2)
    if array.shape[0] < 2 or array.shape[1] == 0:
        raise ValueError(
            f"`{name}` must have at least two rows, to move apart, but the shape is {array.shape}."
        )
    return array


def _positive(t: float) -> float:
    number = plain_number("t", t)
    if not 0 < number < math.inf:
        raise ValueError(f"`t` must be positive and finite, but it is {number}.")
    return number
