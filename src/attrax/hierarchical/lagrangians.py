"""Lagrangians: the convex functions whose gradients turn states of neurons into activations."""

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..precision import accumulate
from ..separation.base import AbstractSeparation, Range

# See attrax.separation.base: declared by leaves as class variable, property or field.
if TYPE_CHECKING:
    from typing import ClassVar as Declared
else:
    from equinox import AbstractVar as Declared


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

    def value(self, state):
        """½|x|²."""
        return 0.5 * jnp.sum(jnp.square(state), dtype=accumulate(state.dtype))

    def activation(self, state):
        """The state."""
        return state


class SeparationLagrangian(AbstractLagrangian):
    """A separation as the activation of memory neurons: L is its potential, g its weights.

    **Arguments:**

    - `separation`: one of `attrax.separation`, over a layer with one axis.

    **Raises:** `TypeError` if `separation` is something else.

    **Source:** [krotov2021large]
    """

    separation: AbstractSeparation

    def __check_init__(self):
        """Refuse what is no separation."""
        if not isinstance(self.separation, AbstractSeparation):
            raise TypeError(
                "`separation` must be one of attrax.separation, "
                f"but it is {type(self.separation).__name__}; "
                "a convex function goes into ConvexFunction."
            )

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

    def value(self, state):
        """The separation's potential."""
        return self.separation.potential(state)

    def activation(self, state):
        """The separation's weights."""
        return self.separation(state)


class ConvexFunction(AbstractLagrangian):
    """Any convex function of a layer's state; its gradient is found by differentiation.

    That the function is convex is the caller's word: energy can rise otherwise.

    **Arguments:**

    - `fn`: a differentiable function of an array of the layer's shape to a scalar, such as
      `lambda x: jnp.sum(jnp.logaddexp(x, -x))` for g = tanh.

    **Raises:** `TypeError` if `fn` cannot be called.

    **Source:** [krotov2021hierarchical]
    """

    fn: Callable = eqx.field(static=True)
    lacks_convexity: ClassVar = None
    domain: ClassVar[Range] = "signed"
    non_negative: ClassVar = False

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
