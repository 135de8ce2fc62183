"""Networks with setwise connections: diluted ones with a list of sets, and full skeletons."""

from typing import Any

from jax.typing import ArrayLike

from ..common.checks import as_floats, whole_number
from ..separation.symmetric import ElementarySymmetric
from ..stores.binary import BinaryMemory
from ..stores.simplicial import SimplicialMemory


def simplicial_network(patterns: ArrayLike, simplices: Any) -> SimplicialMemory:
    """The simplicial Hopfield network: Hebb's rule for pairs, triples and larger sets of units.

    w(σ) = Σ_μ Π_{i∈σ} ξ_μi / d, and E(S) = −Σ_σ w(σ) Π_{i∈σ} S_i. The same number of connections
    stores more patterns if some of them join three units than if all join two.

    **Arguments:**

    - `patterns`: ξ, rows to be stored, shape (N, d), of −1 and +1.
    - `simplices`: the sets that have a connection, an array (n, k) for each size k of sets:
      `full_skeleton(d)` or `random_simplices(d, counts, key=key)`.

    **Returns:** a `SimplicialMemory`, which `retrieve` runs one unit after another.

    **Raises:** `ValueError` for rows that are not of −1 and +1, and what `SimplicialMemory` raises.

    **Source:** [burns2023simplicial]
    """
    rows = as_floats("patterns", patterns, ndim=2)
    if rows.size == 0:
        raise ValueError(f"`patterns` are empty: their shape is {rows.shape}.")
    memory = SimplicialMemory(rows.shape[1], simplices)
    return memory.write(rows)


def skeleton_memory(patterns: ArrayLike, dimension: int = 2) -> BinaryMemory:
    """The simplicial network of all pairs and triples of units, without a list of them.

    The sum of Π ξ_μi S_i over all sets of a size is the elementary symmetric polynomial e_p of
    ξ_μ∘S, and that of signs follows from the overlap s = ξ_μ·S: e₂ = (s² − d)/2 and
    e₃ = (s³ − (3d − 2)s)/6. So a sweep costs N·d, however many sets there are.

    **Arguments:**

    - `patterns`: ξ, rows to be stored, shape (N, d), of −1 and +1.
    - `dimension`: 1 for all pairs, which is Hebb's network; 2 for all pairs and triples.

    **Returns:** a `BinaryMemory` with the energy of
    `simplicial_network(patterns, full_skeleton(d, dimension))`.

    **Raises:** `ValueError` for other dimensions, or rows that are not of −1 and +1.

    **Source:** [burns2023simplicial]
    """
    dimension = whole_number("dimension", dimension)
    if dimension > 2:
        raise ValueError(
            "`dimension` must be 1 or 2, as sums over larger sets have no convex potential, but it "
            f"is {dimension}; list them, simplicial_network(patterns, full_skeleton(d, "
            f"{dimension}))."
        )
    rows = as_floats("patterns", patterns, ndim=2)
    sizes = tuple(range(2, dimension + 2))
    return BinaryMemory(rows, ElementarySymmetric(max(2, rows.shape[1]), sizes))
