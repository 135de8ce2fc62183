"""How noise moves the states of a space, for dynamics that sample an energy."""

from abc import abstractmethod
from typing import TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from ..common.arithmetic import accumulate
from .base import AbstractSpace

# What leaves must declare, as a class variable, a property or a field; see attrax.separation.base.
if TYPE_CHECKING:
    from typing import ClassVar as Declared
else:
    from equinox import AbstractVar as Declared


class AbstractGeometry(eqx.Module):
    """The shape of noise at one state: a variance v = 2 T η and a metric M, η being the step."""

    @abstractmethod
    def drift(self, change: PyTree) -> PyTree:
        """A step towards the pull as the noise makes it, with the drift of its own."""

    @abstractmethod
    def noise(self, normal: PyTree) -> PyTree:
        """√v M^(−1/2) times standard normal numbers."""

    @abstractmethod
    def curved(self, change: PyTree) -> Float[Array, ""]:
        """changeᵀ M change/v."""

    @abstractmethod
    def volumes(self) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """ln det ∇²L and ln det M, up to constants."""


class Noisy(AbstractSpace):
    """A space whose states noise can move such that exp(−E/T) is sampled."""

    lacks_noise: Declared[str | None]
    """Why no noise samples the energy; `None` where one does."""

    @abstractmethod
    def geometry(
        self, state: PyTree, temperature: Float[Array, ""], step: Float[Array, ""]
    ) -> AbstractGeometry:
        """How noise and drift are shaped at a state.

        **Arguments:**

        - `state`: where.
        - `temperature`: T, in units of the energy.
        - `step`: η, in units of the slowest time constant.
        """


class PlainNoise(AbstractGeometry):
    """The geometry of an array that is sampled itself: noise alike in all entries, M = 1.

    **Arguments:**

    - `temperature`: T, in units of the energy.
    - `step`: η, in units of the time constant.
    - `known`: True for entries that have no noise, shape (d,); `None` where all have.
    """

    variance: Float[Array, ""]
    known: Bool[Array, " d"] | None

    def __init__(
        self,
        temperature: Float[Array, ""],
        step: Float[Array, ""],
        known: Bool[Array, " d"] | None = None,
    ):
        self.variance = 2 * temperature * step.astype(temperature.dtype)
        self.known = known

    def drift(self, change):
        """The step as it is."""
        return change

    def noise(self, normal):
        """√v times standard normal numbers, zero in entries that are known."""
        scaled = jax.tree.map(lambda n: jnp.sqrt(self.variance).astype(n.dtype) * n, normal)
        return scaled if self.known is None else jnp.where(self.known, 0.0, scaled)

    def curved(self, change):
        """|change|²/v."""
        squares = [
            jnp.sum(jnp.square(leaf.astype(accumulate(leaf.dtype))))
            for leaf in jax.tree.leaves(change)
        ]
        total = sum(squares[1:], squares[0])
        return total / self.variance.astype(total.dtype)

    def volumes(self):
        """Zero."""
        return jnp.zeros_like(self.variance), jnp.zeros_like(self.variance)
