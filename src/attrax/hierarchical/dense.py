"""Synapses that are linear in each activation: dense, bias, lateral, hyper-edges."""

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..common.arithmetic import Range, accumulate, products
from ..common.checks import as_floats
from .synapses import AbstractSynapse, Layers, check_count, check_shape, inner, named


class DenseSynapse(AbstractSynapse):
    """E = −fᵀ W g − bᵀ f: every neuron of one layer joined with every one of another.

    W drives upwards, its transpose downwards. Layers of several axes are taken as one long row.

    **Arguments:**

    - `weights`: W, shape (N, d), for a lower layer g of d neurons and an upper layer f of N, in
      this order; its rows are the memories.
    - `bias`: b, shape (N,), a constant drive of the upper layer; none if `None`.

    **Raises:** `ValueError` for wrong shapes.

    **Source:** [krotov2021large]
    """

    weights: Float[Array, "n d"]
    bias: Float[Array, " n"] | None
    linear: ClassVar[tuple[bool, ...]] = (True, True)
    drives: ClassVar[tuple[Range, ...]] = ("signed", "signed")

    def __init__(self, weights, bias=None):
        self.weights = as_floats("weights", weights, ndim=2)
        self.bias = None if bias is None else as_floats("bias", bias, ndim=1)
        if self.bias is not None and self.bias.shape != self.weights.shape[:1]:
            raise ValueError(
                f"`bias` must have one entry a row of weights, shape {self.weights.shape[:1]}, "
                f"but its shape is {self.bias.shape}."
            )

    def __call__(self, lower: Float[Array, "..."], upper: Float[Array, "..."]) -> Float[Array, ""]:
        """−fᵀ W g − bᵀ f."""
        drive = products(self.weights, lower.reshape(-1))
        if self.bias is not None:
            drive = drive + self.bias.astype(drive.dtype)
        return -inner(upper.reshape(-1), drive)

    def check(self, layers: Layers) -> None:
        """Refuse layers that W does not fit."""
        check_count(self, layers, 2)
        lower, upper = layers.values()
        check_shape("weights", self.weights, layers, (upper.size, lower.size))


class BiasSynapse(AbstractSynapse):
    """E = −bᵀ g: a constant drive of one layer, like its `input`, but a weight that is learnt.

    **Arguments:**

    - `bias`: b, of the layer's shape, in units of the state.

    **Source:** [hoover2022universal]
    """

    bias: Float[Array, "..."]
    linear: ClassVar[tuple[bool, ...]] = (True,)
    drives: ClassVar[tuple[Range, ...]] = ("signed",)

    def __init__(self, bias):
        self.bias = as_floats("bias", bias)

    def __call__(self, activation: Float[Array, "..."]) -> Float[Array, ""]:
        """−bᵀ g."""
        return -inner(activation, self.bias.astype(accumulate(self.bias.dtype)))

    def check(self, layers: Layers) -> None:
        """Refuse a layer of another shape."""
        check_count(self, layers, 1)
        check_shape("bias", self.bias, layers, next(iter(layers.values())).shape)


class LateralSynapse(AbstractSynapse):
    """E = −½ gᵀ W g: neurons of one layer joined with one another.

    W is made symmetric, (W + Wᵀ)/2, for the other half has no energy. The factor ½ counts each
    pair once, so the drive is W g.

    **Arguments:**

    - `weights`: W, shape (d, d), for a layer of d neurons.
    - `self_term`: keep the diagonal, by which a neuron drives itself. Without it the energy is
      linear in each single neuron, as `Coordinates` needs.

    **Raises:** `ValueError` for weights that are not square.

    **Source:** [hopfield1982neural]; [krotov2021hierarchical]
    """

    weights: Float[Array, "d d"]
    self_term: bool = eqx.field(static=True)
    linear: ClassVar[tuple[bool, ...]] = (False,)
    drives: ClassVar[tuple[Range, ...]] = ("signed",)

    def __init__(self, weights, *, self_term: bool = False):
        self.weights, self.self_term = as_floats("weights", weights, ndim=2), bool(self_term)
        if self.weights.shape[0] != self.weights.shape[1]:
            raise ValueError(
                f"`weights` within a layer must be square, but their shape is {self.weights.shape}."
            )

    @property
    def symmetric(self) -> Float[Array, "d d"]:
        """(W + Wᵀ)/2, without its diagonal unless `self_term`."""
        both = (self.weights + self.weights.T) / 2
        return both if self.self_term else both - jnp.diag(jnp.diag(both))

    def __call__(self, activation: Float[Array, "..."]) -> Float[Array, ""]:
        """−½ gᵀ W g."""
        flat = activation.reshape(-1)
        return -0.5 * inner(flat, products(self.symmetric, flat))

    def check(self, layers: Layers) -> None:
        """Refuse a layer that W does not fit."""
        check_count(self, layers, 1)
        size = next(iter(layers.values())).size
        check_shape("weights", self.weights, layers, (size, size))


class HyperSynapse(AbstractSynapse):
    """E = −Σ W_ijk… g_i f_j h_k …: a hyper-edge that joins neurons of several layers at once.

    **Arguments:**

    - `weights`: W, one axis a layer, in the order of the layers, each as long as its layer has
      neurons; of any order. Memory and time grow with the product of the sizes.

    **Raises:** `ValueError` for weights without axis.

    **Source:** [hoover2022universal]
    """

    weights: Float[Array, "..."]
    linear: ClassVar[bool] = True
    drives: ClassVar[Range] = "signed"

    def __init__(self, weights):
        self.weights = as_floats("weights", weights)
        if self.weights.ndim == 0:
            raise ValueError("`weights` must have one axis a layer, but are a single number.")

    def __call__(self, *activations: Float[Array, "..."]) -> Float[Array, ""]:
        """−Σ W_ijk… g_i f_j h_k …, the last layer summed over first."""
        total = self.weights.astype(accumulate(self.weights.dtype))
        for activation in reversed(activations):
            total = jnp.tensordot(total, activation.reshape(-1).astype(total.dtype), 1)
        return -total

    def check(self, layers: Layers) -> None:
        """Refuse layers that W does not fit."""
        if len(layers) != self.weights.ndim:
            raise ValueError(
                f"`weights` have {self.weights.ndim} axes, so {type(self).__name__} joins as many "
                f"layers, but is given {len(layers)}: {named(layers)}."
            )
        check_shape("weights", self.weights, layers, tuple(layer.size for layer in layers.values()))
