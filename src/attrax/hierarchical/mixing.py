"""A synapse along one axis of its layers, alike at all places of the others."""

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..common.arithmetic import Range, accumulate
from ..common.checks import as_floats
from .synapses import AbstractSynapse, Layers, check_count, inner, named


class MixingSynapse(AbstractSynapse):
    """E = −Σ_c f_cᵀ W g_c: a dense synapse along one axis, shared by all places c of the others.

    On a table of tokens × channels, W mixes tokens alike in every channel along axis 0, and
    channels alike in every token along axis 1.

    **Arguments:**

    - `weights`: W, shape (N, d), for a lower layer with d neurons along the axis and an upper layer
      with N, all other axes being the same; its rows are the memories.
    - `axis`: the axis that is mixed, counted from the end if negative.

    **Raises:** `TypeError` if `axis` is no whole number; `ValueError` for weights of another rank.

    **Source:** [tang2021remark]
    """

    weights: Float[Array, "n d"]
    axis: int = eqx.field(static=True)
    linear: ClassVar[tuple[bool, ...]] = (True, True)
    drives: ClassVar[tuple[Range, ...]] = ("signed", "signed")

    def __init__(self, weights, axis: int = 0):
        self.weights = as_floats("weights", weights, ndim=2)
        if isinstance(axis, bool) or not isinstance(axis, int):
            raise TypeError(f"`axis` must be a whole number, but it is {axis!r}.")
        self.axis = axis

    @property
    def remark(self) -> str:
        """The axis."""
        return f"axis {self.axis}"

    def __call__(self, lower: Float[Array, "..."], upper: Float[Array, "..."]) -> Float[Array, ""]:
        """−Σ f · (W g)."""
        dtype = accumulate(self.weights.dtype)
        lower = jnp.moveaxis(lower, self.axis, 0).astype(dtype)
        drive = jnp.tensordot(self.weights.astype(dtype), lower, 1)
        return -inner(jnp.moveaxis(upper, self.axis, 0), drive)

    def check(self, layers: Layers) -> None:
        """Refuse layers that W does not fit, or that differ along another axis."""
        check_count(self, layers, 2)
        lower, upper = (layer.shape for layer in layers.values())
        if not -len(lower) <= self.axis < len(lower):
            raise ValueError(
                f"`axis` of {type(self).__name__} is {self.axis}, but it joins {named(layers)}."
            )
        place, (above, below) = self.axis % len(lower), self.weights.shape
        if lower[place] != below or upper != (*lower[:place], above, *lower[place + 1 :]):
            raise ValueError(
                f"`weights` of shape {self.weights.shape} along axis {self.axis} lead from {below} "
                f"to {above} neurons there, and leave all other axes alike, but join "
                f"{named(layers)}."
            )
