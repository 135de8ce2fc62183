"""Whitening: the inner product under which stored rows are orthogonal."""

import jax.numpy as jnp
from jax.typing import ArrayLike

from ..common.arithmetic import accumulate
from ..common.checks import as_floats
from .kernels import LinearKernel


def whitened(patterns: ArrayLike, rtol: float | None = None) -> LinearKernel:
    """s = kᵀ C⁺ q with C = Σ_μ ξ_μ ξ_μᵀ: the inner product under which rows are orthogonal.

    It is the generalised pseudo-inverse rule: with the matrix of overlaps O = Ξ Ξᵀ/d, the scores of
    a state S are O⁺ Ξ S/d. For N linearly independent rows, s(ξ_μ, ξ_ν) = δ_μν whatever their
    correlations, so that a memory under it makes no errors as long as the separation has
    |f(0)| < f(1)/(N − 1). C⁺ = Wᵀ W, so this is a `LinearKernel` of W = S⁻¹ Vᵀ, from the singular
    value decomposition Ξ = U S Vᵀ. It belongs to these rows; more rows need another.

    ```python
    memory = attrax.Memory(patterns, similarity=whitened(patterns), separation=Softmax(20))
    ```

    **Arguments:**

    - `patterns`: Ξ, the rows to be stored, shape (N, d). Where N > d scores are a projection
      instead, with less than 1 of a row with itself.
    - `rtol`: singular values smaller than this share of the largest count as zero; if `None`, the
      larger of N and d times the rounding of the type of sums.

    **Returns:** a `LinearKernel` with W of shape (m, d), m being the smaller of N and d.

    **Raises:** `ValueError` for wrong shapes, NaN, or rows that are all zero.

    **Source:** [personnaz1985information]; with a separation [chaudhry2023long]
    """
    rows = as_floats("patterns", patterns, ndim=2)
    if rows.size == 0:
        raise ValueError(f"`patterns` are empty: their shape is {rows.shape}.")
    wide = rows.astype(accumulate(rows.dtype))
    _, sizes, directions = jnp.linalg.svd(wide, full_matrices=False)
    share = max(rows.shape) * float(jnp.finfo(wide.dtype).eps) if rtol is None else rtol
    there = sizes > share * sizes[0]
    inverse = jnp.where(there, 1 / jnp.where(there, sizes, 1.0), 0.0)
    return LinearKernel(inverse[:, None] * directions)
