"""Many memories of random patterns, and a number from each."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray, PyTree

from ..common.checks import as_doubles, one_key, whole_number
from ..common.display import results
from .probes import whole_numbers


def ensemble(
    make: Callable,
    measure: Callable,
    n: int | Sequence[int],
    d: int,
    *,
    draws: int,
    key: PRNGKeyArray,
    sample: Callable | None = None,
    batch: int | None = None,
) -> PyTree:
    """Draw random patterns, make a memory of them, measure it; again and again.

    ```python
    def at_rest(memory, patterns, key):
        return jnp.mean(jax.vmap(memory.pull)(patterns) == patterns)

    shares = ensemble(Hebb(), at_rest, 12, 100, draws=50, key=jax.random.key(0))  # (50,)
    ```

    All draws are one compiled program, and so are all numbers of patterns if several are given:
    rows of zeros then stand for those that are not stored, which Hebb's rule and other sums over
    patterns do not see.

    **Arguments:**

    - `make`: patterns (n, d) -> memory; the same function again compiles nothing anew.
    - `measure`: (memory, patterns (n, d), key) -> a number, an array or a tree of arrays.
    - `n`: how many patterns, or several such numbers.
    - `d`: how many entries each has.
    - `draws`: how many memories for each n.
    - `key`: the random key.
    - `sample`: (key, (n, d)) -> patterns; independent and fair signs if `None`.
    - `batch`: how many memories are measured together; one after another if `None`.

    **Returns:** what `measure` gives as NumPy arrays, with a leading axis of draws, after one of
    numbers of patterns where several are given.

    **Raises:** `ValueError` or `TypeError` for numbers that are not whole and positive.

    **Source:** [amit1985storing] for the ensemble
    """
    several = whole_numbers([n] if isinstance(n, int | np.integer) else n)
    if several is None or several.min() < 1:
        raise ValueError(f"`n` must be whole numbers of patterns, at least 1, but it is {n!r}.")
    d, draws, key = whole_number("d", d), whole_number("draws", draws), one_key(key)
    keys = jax.random.split(key, several.size * draws)
    counts = jnp.asarray(np.repeat(several, draws), jnp.int32)
    alike = several.min() == several.max()
    shape = (int(several.max()), d)
    measured = _measure_all(make, measure, sample, shape, batch, keys, None if alike else counts)
    leading = (draws,) if isinstance(n, int | np.integer) else (several.size, draws)
    return jax.tree.map(lambda leaf: np.asarray(leaf).reshape(*leading, *leaf.shape[1:]), measured)


@eqx.filter_jit
def _measure_all(make, measure, sample, shape, batch, keys, counts) -> Any:
    def one(inputs):
        key, count = inputs
        drawn, further = jax.random.split(key)
        if sample is None:
            patterns = jax.random.rademacher(drawn, shape, jnp.result_type(float))
        else:
            patterns = sample(drawn, shape)
        if count is not None:
            stored = jnp.arange(shape[0])[:, None] < count
            patterns = jnp.where(stored, patterns, jnp.zeros((), patterns.dtype))
        return measure(make(patterns), patterns, further)

    return jax.lax.map(one, (keys, counts), batch_size=batch)


@results
class Extrapolation(NamedTuple):
    """What numbers tend to as the size grows; arrays of one shape.

    - `value`: the limit.
    - `slope`: by 1/size.
    - `error`: the standard error of the limit.
    """

    value: np.ndarray
    slope: np.ndarray
    error: np.ndarray


def extrapolate(sizes: Any, values: Any, errors: Any) -> Extrapolation:
    """Lay weighted straight lines through numbers over 1/size, and take their values at 0.

    y = value + slope/size by least squares, with weights 1/error².

    **Arguments:**

    - `sizes`: shape (S,), two different ones at least.
    - `values`: y, shape (S, ...).
    - `errors`: standard errors, > 0, of that shape.

    **Returns:** an `Extrapolation` of shape (...).

    **Raises:** `ValueError` for shapes that do not fit, fewer than two sizes, or sizes or errors
    that are not positive.
    """
    lengths = as_doubles("sizes", sizes)
    if lengths.ndim != 1 or np.unique(lengths).size < 2 or not (lengths > 0).all():
        raise ValueError(
            f"`sizes` must be two different sizes at least, all positive, but it is {sizes!r}."
        )
    inverse = 1 / lengths
    y, sigma = as_doubles("values", values), as_doubles("errors", errors)
    if y.shape != sigma.shape or y.shape[:1] != inverse.shape:
        raise ValueError(
            f"`values` and `errors` must both begin with {inverse.size} sizes, but their shapes "
            f"are {y.shape} and {sigma.shape}."
        )
    if not (sigma > 0).all():
        raise ValueError("`errors` must be positive, but some are not.")
    weight = 1 / np.square(sigma)
    x = inverse.reshape(-1, *[1] * (y.ndim - 1))
    one, first, second = (np.sum(weight * x**k, axis=0) for k in range(3))
    level, tilt = np.sum(weight * y, axis=0), np.sum(weight * x * y, axis=0)
    determinant = one * second - np.square(first)
    value = (second * level - first * tilt) / determinant
    slope = (one * tilt - first * level) / determinant
    return Extrapolation(value, slope, np.sqrt(second / determinant))
