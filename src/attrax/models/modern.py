"""The modern Hopfield network: states and patterns of real numbers, read by softmax."""

from jax.typing import ArrayLike

from ..separation import Softmax
from ..similarity import Dot
from ..stores.rows import Memory


def modern_memory(patterns: ArrayLike, beta: ArrayLike | None = None) -> Memory:
    """The modern Hopfield network, ξ ← Xᵀ softmax(β X ξ), of energy ½|ξ|² − ln Σ_i exp(β x_i·ξ)/β.

    One read is the attention of the query to the patterns, and `retrieve` repeats it until the
    state rests: by CCCP, for a read is the minimum of the convex part ½|ξ|² of the energy plus the
    tangent of its concave part. `Iterate(damping)` takes a share of every step, which lowers the
    energy too. `theory.modern_energy_offset` is the constant of the paper's energy, and
    `log_sum_exp_memory` the same network with memory neurons.

    **Arguments:**

    - `patterns`: x, the rows of X, shape (N, d). Their norms count: the longest has the largest
      overlaps. Remove what all share, and divide by norms, or take `Memory(patterns)`.
    - `beta`: β > 0, in units of 1/(x·ξ); 1/√d for attention. If `None`, ln(1000 N)/g with g the 5 %
      quantile of `theory.modern_separation`, estimated from 256 rows; by Theorem 5 a pattern so
      far from others, or farther, is read with an error of at most M/500.

    **Returns:** an `attrax.Memory`.

    **Raises:** `ValueError` for a β that is not positive, wrong shapes, or rows too alike to choose
    β for.

    **Source:** [ramsauer2021hopfield]
    """
    return Memory(patterns, similarity=Dot(), separation=None if beta is None else Softmax(beta))
