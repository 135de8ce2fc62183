"""The separation of compact support: log-sum-ReLU, of Epanechnikov's kernel."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import Range, inverse
from ..common.checks import GIVEN, POSITIVE, is_concrete, number, positive
from .base import AbstractAdditive


def _checked_beta(beta: ArrayLike) -> Array:
    return positive("beta", beta)


def _checked_epsilon(epsilon: ArrayLike) -> Array:
    value = number("epsilon", epsilon)
    if is_concrete(value) and not 0 <= float(value) < float("inf"):
        raise ValueError(f"`epsilon` must be finite and not negative, but it is {float(value)}.")
    return value


class LogSumReLU(AbstractAdditive):
    """w = 1/n for the n scores s > −1/β, else 0: the mean of all memories in reach, alike.

    Potential: Φ(s) = ln(ε + Σ max(1 + β s, 0)) / β. Under `Euclidean()`, where memories reach
    √(2/β) far, −βE is the logarithm of Epanechnikov's kernel estimate of the density of the rows,
    as that of `Softmax` is of the Gaussian one. A row that no other reaches is read exactly, and
    so is the mean of each set of rows that reach a common state: these are minima too, many more
    than there are rows.

    Φ is not convex, but rises with Σ max(s + 1/β, 0), which is; w is its slope, divided by the sum.
    So reads lower energies that have no term of the state: those of distances.

    Where no memory is in reach nothing weighs anything. Then `memory(query)` is zero, the energy is
    −ln(ε)/β, `attrax.retrieve` leaves the state where it is, and says `Outcome.unreached`.

    ```python
    memory = attrax.Memory(rows, similarity=Euclidean(), separation=LogSumReLU(beta))
    ```

    **Arguments:**

    - `beta`: inverse temperature β > 0, in units of 1/score. All rows are minima of the energy
      where it is above 2 over the least squared distance of two rows.
    - `epsilon`: ε ≥ 0; with 0 the energy out of reach is infinite.

    **Raises:** `ValueError` if `beta` is not positive, or `epsilon` is negative.

    **Source:** [hoover2025dense]
    """

    beta: Float[Array, ""] = eqx.field(converter=_checked_beta, default=1.0, metadata=POSITIVE)
    epsilon: Float[Array, ""] = eqx.field(converter=_checked_epsilon, default=1e-6, metadata=GIVEN)
    domain: ClassVar[Range] = "signed"
    normalised: ClassVar = True
    non_negative: ClassVar = True
    elementwise: ClassVar = False
    ignores_shifts: ClassVar = False
    convex: ClassVar = False
    compact: ClassVar = True
    reference: ClassVar = "none"
    lacks_potential: ClassVar = None
    lacks_density: ClassVar = (
        "weights of LogSumReLU are constant where scores move, so have no density; take Softmax()."
    )

    @property
    def reach(self) -> Array:
        """1/β."""
        return 1 / self.beta

    def at_beta(self, beta):
        """With another reach."""
        return eqx.tree_at(lambda leaf: leaf.beta, self, beta)

    def terms(self, scores, reference):
        """1 where 1 + β s > 0, and max(1 + β s, 0)."""
        height = 1 + self.beta * scores
        reached = jnp.where(jnp.isnan(height), height, (height > 0).astype(height.dtype))
        return reached, jax.nn.relu(height)

    def rescale(self, old, new):
        """Nothing to rescale."""
        return jnp.ones_like(new)

    def finish(self, reference, mass, potential):
        """Weights by 1/n; Φ = ln(ε + Σ max(1 + β s, 0))/β."""
        total = self.epsilon + potential
        empty = total == 0
        logs = jnp.log(jnp.where(empty, 1.0, total)) / self.beta
        return inverse(mass), jnp.where(empty, -jnp.inf, logs)
