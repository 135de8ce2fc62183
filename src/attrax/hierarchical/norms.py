"""Lagrangians that normalise a layer: layer norm and the spherical norm."""

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import Range, accumulate, match, range_scale
from ..common.checks import POSITIVE, as_floats, positive
from .lagrangians import AbstractLagrangian, check_axes

Axes = int | tuple[int, ...] | None


class LayerNorm(AbstractLagrangian):
    """L = D γ √(mean (x − x̄)² + ε) + Σ δ x, whose activation is layer norm.

    g = γ (x − x̄)/√(mean (x − x̄)² + ε) + δ, means over the D neurons along `axis`. The shift δ is
    added once, however many rows the layer has.

    **Arguments:**

    - `gamma`: γ > 0, one scale for all neurons; a scale each would have no Lagrangian.
    - `delta`: δ, a number or an array that broadcasts with the layer's shape.
    - `axis`: the axis or axes that are normalised together, such as −1 for tokens of shape
      (tokens, D); `None` for the whole layer.
    - `epsilon`: ε > 0, in squared units of the state.

    **Raises:** `ValueError` for values outside these bounds.

    **Source:** [hoover2023energy]
    """

    gamma: Float[Array, ""] = eqx.field(metadata=POSITIVE)
    delta: Float[Array, "..."]
    axis: Axes = eqx.field(static=True)
    epsilon: float = eqx.field(static=True)
    lacks_convexity: ClassVar = None
    domain: ClassVar[Range] = "signed"
    non_negative: ClassVar = False
    elementwise: ClassVar = False
    lacks_density: ClassVar = (
        "activations of LayerNorm lie on a curved surface, so have no density; "
        "take Quadratic() or Tanh()."
    )

    def __init__(
        self,
        gamma: ArrayLike = 1.0,
        delta: ArrayLike = 0.0,
        *,
        axis: Axes = None,
        epsilon: float = 1e-5,
    ):
        self.gamma, self.delta = positive("gamma", gamma), as_floats("delta", delta)
        self.axis, self.epsilon = checked_axes(axis), above_zero(epsilon)

    def value(self, state):
        """D γ √(mean (x − x̄)² + ε) + Σ δ x, summed over the other axes."""
        part, dtype = match(self, state.dtype), accumulate(state.dtype)
        spread = self._spread(state)
        count = state.size // spread.size
        total = count * jnp.sum(part.gamma.astype(dtype) * spread)
        return total + jnp.sum(shift(part, state).astype(dtype) * state.astype(dtype))

    def activation(self, state):
        """γ (x − x̄)/√(mean (x − x̄)² + ε) + δ."""
        part = match(self, state.dtype)
        share = self._centred(state) / self._spread(state)
        return part.gamma * share.astype(state.dtype) + shift(part, state)

    def check(self, shape):
        """Refuse a layer without these axes, or that δ does not fit."""
        check_layer(self, shape)

    def _spread(self, state):
        centred = self._centred(state)
        scale = _scale(centred, self.axis, self.epsilon)
        squares = jnp.mean(jnp.square(centred * scale), self.axis, keepdims=True)
        return jnp.sqrt(squares + self.epsilon * scale * scale) / scale

    def _centred(self, state):
        state = state.astype(accumulate(state.dtype))
        return state - jnp.mean(state, self.axis, keepdims=True)


class SphericalNorm(AbstractLagrangian):
    """L = γ √(Σ x² + ε) + Σ δ x, whose activation γ x/|x| + δ lies on a sphere.

    With ε = 0 the activation does not change along x, so the decay of the state is free; at
    x = 0 it is then δ.

    **Arguments:**

    - `gamma`: γ > 0, the radius, in units of the activation.
    - `delta`: δ, a number or an array that broadcasts with the layer's shape.
    - `axis`: the axis or axes of one sphere; `None` for the whole layer.
    - `epsilon`: ε ≥ 0, in squared units of the state.

    **Raises:** `ValueError` for values outside these bounds.

    **Source:** [krotov2021large]; [hoover2022universal]
    """

    gamma: Float[Array, ""] = eqx.field(metadata=POSITIVE)
    delta: Float[Array, "..."]
    axis: Axes = eqx.field(static=True)
    epsilon: float = eqx.field(static=True)
    lacks_convexity: ClassVar = None
    domain: ClassVar[Range] = "signed"
    non_negative: ClassVar = False
    elementwise: ClassVar = False
    lacks_density: ClassVar = (
        "activations of SphericalNorm lie on a curved surface, so have no density; "
        "take Quadratic() or Tanh()."
    )

    def __init__(
        self,
        gamma: ArrayLike = 1.0,
        delta: ArrayLike = 0.0,
        *,
        axis: Axes = None,
        epsilon: float = 1e-5,
    ):
        self.gamma, self.delta = positive("gamma", gamma), as_floats("delta", delta)
        self.axis, self.epsilon = checked_axes(axis), above_zero(epsilon, zero=True)

    def value(self, state):
        """γ √(Σ x² + ε) + Σ δ x, summed over the other axes."""
        part, dtype = match(self, state.dtype), accumulate(state.dtype)
        norms = jnp.sum(part.gamma.astype(dtype) * self._norm(state))
        return norms + jnp.sum(shift(part, state).astype(dtype) * state.astype(dtype))

    def activation(self, state):
        """γ x/√(Σ x² + ε) + δ."""
        part, norm = match(self, state.dtype), self._norm(state)
        share = state.astype(norm.dtype) / jnp.where(norm == 0, 1.0, norm)
        return part.gamma * share.astype(state.dtype) + shift(part, state)

    def check(self, shape):
        """Refuse a layer without these axes, or that δ does not fit."""
        check_layer(self, shape)

    def _norm(self, state):
        state = state.astype(accumulate(state.dtype))
        scale = _scale(state, self.axis, self.epsilon)
        square = jnp.sum(jnp.square(state * scale), self.axis, keepdims=True)
        square = square + self.epsilon * scale * scale
        # The root has no slope at zero, where its derivative would be 0 · ∞.
        root = jnp.where(square == 0, 0.0, jnp.sqrt(jnp.where(square == 0, 1.0, square)))
        return root / scale


def _scale(state: Float[Array, "..."], axis: Axes, epsilon: float) -> Float[Array, "..."]:
    """A power of two for the states along an axis, which is kept; see `range_scale`."""
    largest = jnp.max(jnp.abs(state), axis, keepdims=True)
    return range_scale(jnp.maximum(largest, epsilon**0.5)[..., None])[..., 0]


def shift(part: LayerNorm | SphericalNorm, state: Float[Array, "..."]) -> Float[Array, "..."]:
    """δ in the layer's shape."""
    return jnp.broadcast_to(part.delta, state.shape)


def check_layer(part: LayerNorm | SphericalNorm, shape: tuple[int, ...]) -> None:
    """Refuse a layer without the axes, or that δ does not fit.

    **Raises:** `ValueError` that says which.
    """
    axes = () if part.axis is None else part.axis if isinstance(part.axis, tuple) else (part.axis,)
    check_axes(part, axes, shape)
    small = part.delta.shape
    ends = shape[len(shape) - len(small) :]
    fits = len(small) <= len(shape) and all(
        n in (1, size) for n, size in zip(small, ends, strict=True)
    )
    if not fits:
        raise ValueError(
            f"`delta` of {type(part).__name__} must broadcast to the layer's shape {shape}, "
            f"but its shape is {small}."
        )


def checked_axes(axis) -> Axes:
    """An axis, several, or `None`."""
    axes = tuple(axis) if isinstance(axis, tuple | list) else (axis,)
    if axis is not None and (
        not axes or any(isinstance(a, bool) or not isinstance(a, int) for a in axes)
    ):
        raise TypeError(f"`axis` must be a whole number, several, or None, but it is {axis!r}.")
    return None if axis is None else axes if isinstance(axis, tuple | list) else axis


def above_zero(epsilon, *, zero: bool = False) -> float:
    """A finite number above zero, or zero where that is allowed."""
    if isinstance(epsilon, bool) or not isinstance(epsilon, int | float):
        raise TypeError(f"`epsilon` must be a number, but it is {type(epsilon).__name__}.")
    value = float(epsilon)
    if not (0 < value < float("inf") or (zero and value == 0)):
        bound = "at least 0" if zero else "above 0"
        raise ValueError(f"`epsilon` must be finite and {bound}, but it is {epsilon}.")
    return value
