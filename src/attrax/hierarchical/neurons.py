"""`Neurons`: one layer of a network."""

import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..errors import as_floats
from ..precision import accumulate
from .lagrangians import AbstractLagrangian, Quadratic


class Neurons(eqx.Module):
    """A layer of neurons with states x, activations g = ∇L(x) and energy (x − I)·g − L(x).

    The first two terms are the convex dual of L, as a function of g; so ∂/∂g of it is x − I.

    **Arguments:**

    - `shape`: the layer's shape; a whole number n stands for (n,).
    - `lagrangian`: the convex function L.
    - `tau`: time constant τ ≥ 0 in τ ẋ = pull(x) − x, in any unit common to all layers. With
      τ = 0 the layer is fast: it always sits at its pull and is no part of the dynamics. Time
      constants far apart make a flow stiff: give it an implicit solver, such as
      `Flow(solver=diffrax.Kvaerno3())`, for an explicit one then never comes to rest.
    - `input`: I, a constant drive of the layer's shape, in units of the state; none if `None`.

    **Raises:** `ValueError` or `TypeError` for values outside these bounds.

    **Source:** [krotov2021large]; [krotov2021hierarchical]
    """

    shape: tuple[int, ...] = eqx.field(static=True)
    lagrangian: AbstractLagrangian
    tau: float = eqx.field(static=True)
    input: Float[Array, "..."] | None

    def __init__(
        self,
        shape: int | tuple[int, ...],
        lagrangian: AbstractLagrangian | None = None,
        tau: float = 1.0,
        input=None,
    ):
        sizes = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
        if not sizes or any(
            isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1
            for size in sizes
        ):
            raise ValueError(
                f"`shape` must be a positive whole number or several, but it is {shape!r}."
            )
        self.shape = tuple(int(size) for size in sizes)
        self.lagrangian = Quadratic() if lagrangian is None else lagrangian
        if not isinstance(self.lagrangian, AbstractLagrangian):
            raise TypeError(
                f"`lagrangian` must be a Lagrangian, but it is {type(lagrangian).__name__}; wrap "
                "a separation in SeparationLagrangian, a convex function in ConvexFunction."
            )
        if isinstance(tau, bool) or not isinstance(tau, int | float):
            raise TypeError(f"`tau` must be a number, but it is {type(tau).__name__}.")
        if not (math.isfinite(tau) and tau >= 0):
            raise ValueError(
                f"`tau` must be a finite time constant of at least 0, but it is {tau}; "
                "0 makes the layer fast."
            )
        self.tau = float(tau)
        if input is not None:
            input = as_floats("input", input)
            if input.shape != self.shape:
                raise ValueError(
                    f"`input` must have the layer's shape {self.shape}, "
                    f"but its shape is {input.shape}."
                )
        self.input = input

    def activation(self, state: Float[Array, "..."]) -> Float[Array, "..."]:
        """g = ∇L of a state, in the layer's shape."""
        return self.lagrangian.activation(state)

    def energy(self, state: Float[Array, "..."]) -> Float[Array, ""]:
        """(x − I)·g − L(x) of a state.

        **Raises:** `NoEnergyError` where the activation has no convex function behind it.
        """
        dtype = accumulate(state.dtype)
        driven = state if self.input is None else state - self.input.astype(state.dtype)
        overlap = jnp.sum(driven * self.activation(state), dtype=dtype)
        return overlap - self.lagrangian.value(state).astype(dtype)
