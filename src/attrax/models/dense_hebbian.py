"""Dense Hebbian networks: memories of many-body interactions, taught by noisy examples."""

import jax.numpy as jnp
from jax.typing import ArrayLike

from ..common.checks import as_floats, is_concrete
from ..stores.many_body import ManyBodyMemory


def dense_hebbian_memory(
    examples: ArrayLike, degree: int = 4, *, supervised: bool = True
) -> ManyBodyMemory:
    """A memory of archetypes that are known by noisy examples alone, in groups of P units.

    With the mean η̄_μ of the examples of a class and R = mean of η̄_μi²,

        supervised:    E(σ) = −1/(R^{P/2} d^{P−1}) Σ_μ e_P(η̄_μ ⊙ σ),
        unsupervised:  E(σ) = −1/(R^{P/2} d^{P−1}) Σ_μ (1/M) Σ_a e_P(η_μa ⊙ σ).

    A teacher who knows the classes averages before products are taken, and N = K rows are kept;
    without one all N = K M examples are, in any order. R makes temperatures mean the same for all
    numbers and qualities of examples. `theory.dense_hebbian_order_parameters` says what is
    retrieved.

    **Arguments:**

    - `examples`: η, shape (K, M, d): M examples of each of K archetypes, of −1 and +1 or any real
      numbers. Means of many examples may be given as one, for the supervised network.
    - `degree`: P, the number of units in a group, from 2 to d; even, so that σ and −σ are alike,
      in the publications.
    - `supervised`: whether a teacher averages the examples of a class.

    **Returns:** a `ManyBodyMemory`, which `retrieve` runs one unit after another.

    **Raises:** `ValueError` for examples of another shape, or whose means are all zero, and for a
    degree out of bounds.

    **Source:** [agliari2023supervised]; unsupervised [agliari2023unsupervised]
    """
    examples = as_floats("examples", examples, ndim=3)
    if examples.size == 0:
        raise ValueError(f"`examples` are empty: their shape is {examples.shape}.")
    means = jnp.mean(examples, axis=1)
    level = jnp.sqrt(jnp.mean(jnp.square(means)))
    if is_concrete(level) and not level > 0:
        raise ValueError("`examples` must not cancel: the mean of every class is zero.")
    if supervised:
        return ManyBodyMemory(means / level, degree)
    rows = (examples / level).reshape(-1, examples.shape[2])
    return ManyBodyMemory(rows, degree, scale=1 / examples.shape[1])
