"""Lagrangians: the convex functions whose gradients turn states of neurons into activations."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..common.arithmetic import Range, accumulate
from ..separation.base import AbstractSeparation, Shares

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

    elementwise: Declared[bool]
    """Whether each neuron's activation depends on its own state alone."""

    quadratic: ClassVar[bool] = False
    """Whether L is ½|x|², so that activations are the states themselves."""

    normalised: ClassVar[bool] = False
    """Whether the activations of a layer always sum to one."""

    two_valued: ClassVar[bool] = False
    """Whether activations are −1 and +1: a neuron that is pulled to neither then stays as it is."""

    reach: ClassVar[Any] = 1.0
    """The length along which ∇²L changes, in units of the state; `None` where it is the same
    everywhere. Noise keeps its steps shorter."""

    lacks_density: ClassVar[str | None] = None
    """Why states drawn at random give activations without a density, as where activations are
    constant or lie on a surface; `None` where activations have one."""

    @property
    def label(self) -> str:
        """What it is called in a drawing."""
        return type(self).__name__

    @abstractmethod
    def value(self, state: Float[Array, "..."]) -> Float[Array, ""]:
        """L of a layer's state, summed over all its axes.

        **Raises:** `NoEnergyError` with the reason where there is no such function.
        """

    @abstractmethod
    def activation(self, state: Float[Array, "..."]) -> Float[Array, "..."]:
        """∇L, in the state's shape."""

    def log_slope(self, state: Float[Array, "..."]) -> Float[Array, "..."]:
        """ln ∂g/∂x of each neuron, where activations are `elementwise`."""
        slope = jax.jvp(self.activation, (state,), (jnp.ones_like(state),))[1]
        return jnp.log(slope)

    def shares(self, state: Float[Array, "..."]) -> Shares | None:
        """The shares that activations are under a softmax; `None` under any other Lagrangian.

        Noise then takes a number of operations that grows with the neurons, and not with their
        cube as for others that are not `elementwise`.
        """
        return None

    def check(self, shape: tuple[int, ...]) -> None:
        """Refuse a layer that it is not defined for; every layer will do unless a leaf says more.

        **Arguments:**

        - `shape`: the layer's.

        **Raises:** `ValueError` that says what does not fit.
        """
        return None


class Quadratic(AbstractLagrangian):
    """L = ½|x|², whose activation is the state itself.

    **Source:** [krotov2021large]
    """

    lacks_convexity: ClassVar = None
    domain: ClassVar[Range] = "signed"
    non_negative: ClassVar = False
    elementwise: ClassVar = True
    quadratic: ClassVar = True
    reach: ClassVar = None

    def value(self, state):
        """½|x|²."""
        return 0.5 * jnp.sum(jnp.square(state.astype(accumulate(state.dtype))))

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
        if not self.separation.convex:
            return f"The potential of {type(self.separation).__name__} is not convex."
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
    def label(self) -> str:
        """As of the separation."""
        return self.separation.label

    @property
    def normalised(self) -> bool:
        """As of the separation, where it takes the whole layer together."""
        return self.separation.normalised and self.axis is None

    @property
    def elementwise(self) -> bool:
        """As of the separation."""
        return self.separation.elementwise

    @property
    def reach(self):
        """As of the separation."""
        return self.separation.reach

    @property
    def lacks_density(self) -> str | None:
        """As of the separation; that it has no potential; or that its `shares` are not known."""
        separation = self.separation
        reason = separation.lacks_potential or separation.lacks_density
        unknown = type(separation).shares is AbstractSeparation.shares
        if reason is None and separation.ignores_shifts and unknown:
            return (
                f"weights of {type(separation).__name__} do not change with what is added to all "
                "scores, so they have a density only among weights of equal sum, which is not "
                "known; take Softmax()."
            )
        return reason

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

    def log_slope(self, state):
        """As of the separation."""
        return self.separation.log_slope(state.reshape(-1)).reshape(state.shape)

    def shares(self, state):
        """Those of the separation."""
        return self.separation.shares(state, self.axis)

    def check(self, shape):
        """Refuse a layer without the axis."""
        check_axes(self, () if self.axis is None else (self.axis,), shape)


def check_axes(lagrangian: AbstractLagrangian, axes: tuple[int, ...], shape: tuple[int, ...]):
    """Refuse a layer that lacks some axis of a Lagrangian, or has it under two names.

    **Raises:** `ValueError` that says which.
    """
    kind, axis = type(lagrangian).__name__, axes[0] if len(axes) == 1 else axes
    if any(not -len(shape) <= a < len(shape) for a in axes):
        raise ValueError(f"`axis` of {kind} is {axis}, but the layer's shape is {shape}.")
    if len({a % len(shape) for a in axes}) < len(axes):
        raise ValueError(f"`axis` of {kind} names an axis of the shape {shape} twice: {axis}.")
