"""Dense associative memory in a vector of random features."""

import jax
from jax.typing import ArrayLike

from ..common.checks import as_floats
from ..similarity import RandomFeatures
from ..stores.random_features import RandomFeatureMemory


def random_feature_memory(
    patterns: ArrayLike,
    beta: ArrayLike,
    count: int,
    *,
    clip: ArrayLike = 1e-5,
    key: jax.Array,
) -> RandomFeatureMemory:
    """Patterns in a vector of 2 Y random features, of the energy −ln Σ exp(−½ β |x − ξ|²)/β.

    **Arguments:**

    - `patterns`: the rows ξ to be stored, shape (N, d).
    - `beta`: inverse temperature β > 0, in units of 1/entry². Features tell patterns apart up to
      distances of a few 1/√β.
    - `count`: Y, how many frequencies are drawn: the error falls as 1/√Y.
    - `clip`: the least sum of features that counts, > 0; see `RandomFeatureMemory`.
    - `key`: of the frequencies, `jax.random.key(0)` say.

    **Returns:** a `RandomFeatureMemory`, to which `write` adds patterns, and from which `remove`
    takes them.

    **Raises:** `ValueError` for patterns that are no table of numbers, or numbers that are not
    positive; `TypeError` if `key` is not a random key.

    **Source:** [hoover2024dense]
    """
    rows = as_floats("patterns", patterns, ndim=2)
    if rows.size == 0:
        raise ValueError(f"`patterns` are empty: their shape is {rows.shape}.")
    features = RandomFeatures(rows.shape[1], count, beta, key=key)
    return RandomFeatureMemory(features, clip=clip).write(rows)
