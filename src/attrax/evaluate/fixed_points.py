"""What a state of a memory of weights is: one pattern, a mixture of some, or the mean of all."""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Int

from ..common.arithmetic import accumulate
from ..common.checks import as_floats, is_concrete, plain_number
from ..common.display import facts, results, summed

# What weights may miss to one, as those of half precision do.
_ONE = 0.02


class FixedPointKind(eqx.Enumeration):
    """What a fixed point averages; the texts say what that means."""

    pattern = "Pattern: one pattern has the weight, and the state is that pattern."
    metastable = "Metastable: the state averages some of the patterns, at most half of all."
    average = "Average: more than half of all patterns share the weight."
    undefined = "Undefined: the weights are NaN."


@results
class FixedPoints(NamedTuple):
    """What `classify_fixed_points` found; leading axes are those of the weights.

    - `kind` (...): a `FixedPointKind`; compare with a member, `kind == FixedPointKind.pattern`.
    - `size` (...): how many patterns share the weight, see `metastable_size`.
    - `index` (...): the pattern of the largest weight.
    """

    kind: Any
    size: Int[Array, "*batch"]
    index: Int[Array, "*batch"]


@facts.register
def _(found: FixedPoints) -> list[tuple[str, str]]:
    rows = [(name, summed(getattr(found, name))) for name in found._fields[1:]]
    if not is_concrete(found.size):
        return rows
    kinds = ("pattern", "metastable", "average", "undefined")
    counts = [(name, int(np.sum(found.kind == getattr(FixedPointKind, name)))) for name in kinds]
    return [("kind", ", ".join(f"{count} {name}" for name, count in counts if count)), *rows]


def metastable_size(
    weights: ArrayLike | list | tuple, mass: ArrayLike = 0.9
) -> Int[Array, "*batch"]:
    """k, the smallest number of weights that sum to the mass.

    One for a state that is a single pattern, N · mass for the mean of all. The effective number
    1/Σ w², which `retrieve` returns as `memories`, is a smooth relative of it.

    ```python
    found = attrax.retrieve(memory, queries)
    sizes = metastable_size(jax.vmap(memory.weights)(found.state))
    ```

    **Arguments:**

    - `weights`: of the patterns, not negative and of sum one along the last axis, shape (..., N).
    - `mass`: in (0, 1].

    **Returns:** shape (...); 0 where weights are NaN.

    **Raises:** `ValueError` for weights that are negative or do not sum to one, an empty array, or
    a mass outside (0, 1]; under jit weights are not looked at.

    **Source:** [ramsauer2021hopfield]
    """
    return _sizes(_checked(weights), _share(mass))


def classify_fixed_points(weights: ArrayLike | list | tuple, mass: ArrayLike = 0.9) -> FixedPoints:
    """Tell single patterns, metastable states and averages of nearly all patterns apart.

    By the `metastable_size` k of N patterns: a pattern for k = 1, an average for k > N/2, else a
    metastable state. The paper divides the last kind further, at N/8 and N/32. The weights decide,
    whether or not the state is at rest.

    **Arguments:**

    - `weights`: of the N patterns, not negative and of sum one along the last axis, shape (..., N).
    - `mass`: in (0, 1].

    **Returns:** a `FixedPoints`.

    **Raises:** as `metastable_size`.

    **Source:** [ramsauer2021hopfield]
    """
    weights = _checked(weights)
    size = _sizes(weights, _share(mass))
    kind = jax.vmap(lambda k: _kind(k, weights.shape[-1]))(size.reshape(-1))
    kind = jax.tree.map(lambda leaf: leaf.reshape(size.shape), kind)
    return FixedPoints(kind, size, jnp.argmax(weights, axis=-1))


def _checked(weights):
    weights = as_floats("weights", weights)
    if weights.ndim == 0 or weights.size == 0:
        raise ValueError(
            f"`weights` must be rows of at least one weight, but their shape is {weights.shape}."
        )
    weights = weights.astype(accumulate(weights.dtype))
    if is_concrete(weights):
        values = np.asarray(weights)
        if values.min() < 0:
            raise ValueError(f"`weights` must not be negative, but one is {values.min():g}.")
        sums = values.sum(axis=-1)
        wrong = sums[np.abs(sums - 1) > _ONE]
        if wrong.size:
            raise ValueError(
                f"`weights` must sum to one along their last axis, but a sum is {wrong[0]:g}: "
                "divide them by it."
            )
    return weights


def _share(mass):
    mass = plain_number("mass", mass)
    if not 0 < mass <= 1:
        raise ValueError(f"`mass` is a share of the weight, in (0, 1], but it is {mass!r}.")
    return mass


@jax.jit
def _sizes(weights, mass):
    count = weights.shape[-1]
    falling = -jnp.sort(-weights, axis=-1)
    sums = jnp.cumsum(falling, axis=-1)
    # Sums of equal weights miss a mass by rounding alone; and weights of a sum below one.
    rounding = (8 + math.log2(count)) * jnp.finfo(weights.dtype).eps
    least = mass * sums[..., -1:] * (1 - rounding)
    size = 1 + jnp.sum(sums[..., :-1] < least, axis=-1, dtype=jnp.int32)
    return jnp.where(jnp.isnan(sums[..., -1]), 0, size)


def _kind(size, count: int):
    kind = FixedPointKind.where(2 * size > count, FixedPointKind.average, FixedPointKind.metastable)
    kind = FixedPointKind.where(size == 1, FixedPointKind.pattern, kind)
    return FixedPointKind.where(size == 0, FixedPointKind.undefined, kind)
