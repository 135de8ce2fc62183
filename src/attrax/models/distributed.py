"""Sparse distributed memory with hard locations drawn at random."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ..common.checks import one_key, whole_number
from ..stores.distributed import SparseDistributedMemory
from ..theory import optimal_radius


def sparse_distributed_memory(
    width: int,
    locations: int,
    radius: int | None = None,
    *,
    patterns: int | None = None,
    values: int | None = None,
    key: Array,
) -> SparseDistributedMemory:
    """Kanerva's memory of bits, empty, with hard locations at random addresses.

    **Arguments:**

    - `width`: d, number of bits of an address.
    - `locations`: r, number of hard locations.
    - `radius`: the largest distance of a location that is reached, in bits. Recall is sharp in it:
      three bits too many can halve it. `None` takes the best for `patterns` random patterns,
      `attrax.theory.optimal_radius(width, locations, patterns)`.
    - `patterns`: how many will be written; needed without a `radius`.
    - `values`: v, number of bits that are read; `width` if `None`, which can be read again.
    - `key`: of the addresses, `jax.random.key(0)` say.

    **Returns:** a `SparseDistributedMemory`, to which `write` adds patterns.

    **Raises:** `ValueError` for sizes that are not whole or positive, a radius beyond `width`, or
    neither `radius` nor `patterns`; `TypeError` if `key` is not a random key.

    **Source:** [kanerva1988sparse]
    """
    width, locations = whole_number("width", width), whole_number("locations", locations)
    size = width if values is None else whole_number("values", values)
    if radius is None:
        if patterns is None:
            raise ValueError("`patterns`, how many will be written, is needed to choose `radius`.")
        radius = optimal_radius(width, locations, whole_number("patterns", patterns))
    addresses = jax.random.bernoulli(one_key(key), 0.5, (locations, width))
    return SparseDistributedMemory(addresses, radius, jnp.zeros((locations, size)))
