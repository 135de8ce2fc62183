"""Lagrangians: the convex functions whose gradients turn states of neurons into activations."""

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..arithmetic import Range, accumulate
from ..separation import Exponential, Identity, Log, Power, Threshold
from ..separation.base import AbstractSeparation

# See attrax.separation.base: declared by leaves as class variable, property or field.
if TYPE_CHECKING:
    from typing import ClassVar as Declared
else:
    from equinox import AbstractVar as Declared

# Separations whose weight of a score does not depend on other scores.
_ELEMENTWISE = (Exponential, Identity, Log, Power, Threshold)


class AbstractLagrangian(eqx.Module):
    """A convex function L of the state of a layer; its gradient g = ∇L is the activation.

    Convexity is what makes energy fall: Ė = −Σ τ ẋᵀ(∇²L)ẋ over the layers.
    """

    lacks_convexity: Declared[str | None]
    """Why there is no convex function behind the activation; `None` where there is one."""

    domain: Declared[Range]
    """The states it is defined for."""

    non_negative: Declared[bool]
    """Whether activations are never negative."""

    elementwise: Declared[bool]
    """Whether each neuron's activation depends on its own state alone."""

    @abstractmethod
    def value(self, state: Float[Array, "..."]) -> Float[Array, ""]:
        """L of a layer's state, summed over all its axes.

        **Raises:** `NoEnergyError` with the reason where there is no such function.
        """

    @abstractmethod
    def activation(self, state: Float[Array, "..."]) -> Float[Array, "..."]:
        """∇L, in the state's shape."""


class Quadratic(AbstractLagrangian):
    """L = ½|x|², whose activation is the state itself.

    **Source:** [krotov2021large]
    """

    lacks_convexity: ClassVar = None
    domain: ClassVar[Range] = "signed"
    non_negative: ClassVar = False
    elementwise: ClassVar = True

    def value(self, state):
        """½|x|²."""
        return 0.5 * jnp.sum(jnp.square(state), dtype=accumulate(state.dtype))

    def activation(self, state):
        """The state."""
        return state


class SeparationLagrangian(AbstractLagrangian):
    """A separation as the activation of neurons: L is its potential, g its weights.

    `Neurons(n, Softmax(4.0))` makes one by itself; this class is for layers of several axes. ReLU
    neurons have `Power(1, rectified=True)`, rectified polynomials a higher degree.

    **Arguments:**

    - `separation`: one of `attrax.separation`.
    - `axis`: the axis of the layer along which neurons are separated, those at other indices
      apart from them; `None` separates all neurons of the layer together. Elementwise
      separations are the same either way.

    **Raises:** `TypeError` if `separation` is something else, or `axis` no whole number.

    **Source:** [krotov2021large]
    """

    separation: AbstractSeparation
    axis: int | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        """Refuse anything but a separation and an axis."""
        if not isinstance(self.separation, AbstractSeparation):
            raise TypeError(
                "`separation` must be one of attrax.separation, "
                f"but it is {type(self.separation).__name__}; "
                "a convex function goes into ConvexFunction."
            )
        if self.axis is not None and (
            isinstance(self.axis, bool) or not isinstance(self.axis, int)
        ):
            raise TypeError(f"`axis` must be a whole number or None, but it is {self.axis!r}.")

    @property
    def lacks_convexity(self) -> str | None:
        """As of the separation's potential."""
        return self.separation.lacks_potential

    @property
    def domain(self) -> Range:
        """As of the separation."""
        return self.separation.domain

    @property
    def non_negative(self) -> bool:
        """As of the separation."""
        return self.separation.non_negative

    @property
    def elementwise(self) -> bool:
        """True of powers, exponential, logarithm and threshold."""
        return isinstance(self.separation, _ELEMENTWISE)

    def value(self, state):
        """The separation's potential, summed over the other axes."""
        if self.axis is None or state.ndim == 1:
            return self.separation.potential(state.reshape(-1))
        rows = jnp.moveaxis(state, self.axis, -1).reshape(-1, state.shape[self.axis])
        return jnp.sum(jax.vmap(self.separation.potential)(rows))

    def activation(self, state):
        """The separation's weights."""
        if self.axis is None or state.ndim == 1:
            return self.separation(state.reshape(-1)).reshape(state.shape)
        moved = jnp.moveaxis(state, self.axis, -1)
        weights = jax.vmap(self.separation)(moved.reshape(-1, moved.shape[-1]))
        return jnp.moveaxis(weights.reshape(moved.shape), -1, self.axis)


class ConvexFunction(AbstractLagrangian):
    """Any convex function of a layer's state; its gradient is found by differentiation.

    `Neurons` tries on drawn states whether it is convex, since energy can rise otherwise.

    **Arguments:**

    - `fn`: a differentiable function of an array of the layer's shape to a scalar, such as
      `lambda x: jnp.sum(x**4)` for g = 4x³.

    **Raises:** `TypeError` if `fn` cannot be called.

    **Source:** [krotov2021hierarchical]
    """

    fn: Callable = eqx.field(static=True)
    lacks_convexity: ClassVar = None
    domain: ClassVar[Range] = "signed"
    non_negative: ClassVar = False
    elementwise: ClassVar = False

    def __check_init__(self):
        """Refuse what cannot be called."""
        if not callable(self.fn):
            raise TypeError(f"`fn` must be a function, but it is {type(self.fn).__name__}.")

    def value(self, state):
        """The function itself."""
        return self.fn(state)

    def activation(self, state):
        """Its gradient."""
        return jax.grad(self.fn)(state)
