"""`Neurons`: one layer of a network."""

import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ..common.arithmetic import accumulate
from ..common.checks import GIVEN, as_floats, as_mask
from ..separation.base import AbstractSeparation
from .lagrangians import AbstractLagrangian, Quadratic, SeparationLagrangian


class Neurons(eqx.Module):
    """A layer of neurons with states x, activations g = ∇L(x) and energy (x − I)·g − L(x).

    The first two terms are the convex dual of L, as a function of g; so ∂/∂g of it is x − I.

    **Arguments:**

    - `shape`: the layer's shape; a whole number n stands for (n,).
    - `lagrangian`: the convex function L; a separation of `attrax.separation` stands for the
      `SeparationLagrangian` of it; `Quadratic()` if `None`.
    - `tau`: time constant τ ≥ 0 in τ ẋ = pull(x) − x, in any unit common to all layers. With
      τ = 0 the layer is fast: it always sits at its pull and is no part of the dynamics. Time
      constants further apart than a hundred make a flow stiff; make the fastest layer fast, or
      give the flow an implicit solver, such as `Flow(solver=diffrax.Kvaerno3())`.
    - `input`: I, a constant drive of the layer's shape, in units of the state; none if `None`.
    - `start`: the state that a hidden layer starts from, of its shape; its pull if `None`.
    - `clamped`: True for the entries that never move from where they start, of the layer's shape,
      or True for all of them; none if `None`. The energy falls in the free ones.

    **Raises:** `ValueError` or `TypeError` for values outside these bounds, for a `ConvexFunction`
    that is not convex on drawn states (see `check_convex`), and for single clamped entries of a
    layer whose Lagrangian mixes them with others.

    **Source:** [krotov2021large]; [krotov2021hierarchical]
    """

    shape: tuple[int, ...] = eqx.field(static=True)
    lagrangian: AbstractLagrangian
    tau: float = eqx.field(static=True)
    input: Float[Array, "..."] | None = eqx.field(metadata=GIVEN)
    start: Float[Array, "..."] | None = eqx.field(metadata=GIVEN)
    clamped: Bool[Array, "..."] | None = eqx.field(metadata=GIVEN)
    # Known without looking at an array, so that nothing is computed for what never moves.
    whole: bool = eqx.field(static=True)

    def __init__(
        self,
        shape: int | tuple[int, ...],
        lagrangian: AbstractLagrangian | AbstractSeparation | None = None,
        tau: int | float = 1.0,
        input=None,
        *,
        start=None,
        clamped=None,
    ):
        self.shape = _shape(shape)
        self.lagrangian = _lagrangian(lagrangian, self.shape)
        if isinstance(tau, bool) or not isinstance(tau, int | float):
            raise TypeError(f"`tau` must be a number, but it is {type(tau).__name__}.")
        if not (math.isfinite(tau) and tau >= 0):
            raise ValueError(
                f"`tau` must be a finite time constant of at least 0, but it is {tau}; "
                "0 makes the layer fast."
            )
        self.tau = float(tau)
        self.input = _of_layer("input", input, self.shape)
        self.start = _of_layer("start", start, self.shape)
        self.clamped = _mask(clamped, self)
        self.whole = clamped is True

    @property
    def size(self) -> int:
        """How many neurons there are."""
        return math.prod(self.shape)

    def activation(self, state: Float[Array, "..."]) -> Float[Array, "..."]:
        """g = ∇L of a state, in the layer's shape."""
        return self.lagrangian.activation(state)

    def energy(self, state: Float[Array, "..."]) -> Float[Array, ""]:
        """(x − I)·g − L(x) of a state.

        **Raises:** `NoEnergyError` where the activation has no convex function behind it.
        """
        dtype = accumulate(state.dtype)
        driven = state if self.input is None else state - self.input.astype(state.dtype)
        overlap = jnp.sum(driven.astype(dtype) * self.activation(state).astype(dtype))
        return overlap - self.lagrangian.value(state).astype(dtype)

    def held(self, old: Float[Array, "..."], new: Float[Array, "..."]) -> Float[Array, "..."]:
        """The new state, with the old one in clamped entries."""
        return new if self.clamped is None else jnp.where(self.clamped, old, new)


def _shape(shape) -> tuple[int, ...]:
    sizes = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
    if not sizes or any(
        isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1
        for size in sizes
    ):
        raise ValueError(
            f"`shape` must be a positive whole number or several, but it is {shape!r}."
        )
    return tuple(int(size) for size in sizes)


def _lagrangian(lagrangian, shape) -> AbstractLagrangian:
    if lagrangian is None:
        return Quadratic()
    if isinstance(lagrangian, AbstractSeparation):
        return SeparationLagrangian(lagrangian)
    if isinstance(lagrangian, type):
        raise TypeError(
            "`lagrangian` must be a Lagrangian or a separation, but it is the class "
            f"{lagrangian.__name__}; make one, such as {lagrangian.__name__}()."
        )
    if not isinstance(lagrangian, AbstractLagrangian):
        raise TypeError(
            "`lagrangian` must be a Lagrangian or a separation, but it is "
            f"{type(lagrangian).__name__}; wrap a convex function in ConvexFunction."
        )
    lagrangian.check(shape)
    return lagrangian


def _of_layer(name, value, shape):
    if value is None:
        return None
    value = as_floats(name, value)
    if value.shape != shape:
        raise ValueError(
            f"`{name}` must have the layer's shape {shape}, but its shape is {value.shape}."
        )
    return value


def _mask(clamped, layer: Neurons):
    if clamped is None or clamped is False:
        return None
    if clamped is True:
        mask = jnp.ones(layer.shape, bool)
    else:
        mask = as_mask("clamped", clamped, layer.shape)
        if not layer.lagrangian.elementwise:
            raise ValueError(
                "`clamped` holds single entries, whose activations "
                f"{type(layer.lagrangian).__name__} mixes with others; pass clamped=True for the "
                "whole layer, or take a Lagrangian that is elementwise."
            )
    if layer.tau == 0:
        raise ValueError("A fast layer (tau = 0) follows its pull; give a clamped one tau > 0.")
    return mask
