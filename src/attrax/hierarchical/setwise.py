"""Synapses that join sets of neurons within a layer: hyper-edges, as many as are listed."""

from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from ..common.arithmetic import Range, accumulate
from ..common.arrays import native
from ..common.checks import as_floats, is_concrete
from .synapses import AbstractSynapse, Layers, check_count, named, times


class SetwiseSynapse(AbstractSynapse):
    """E = −Σ_σ w(σ) Π_{i∈σ} g_i: connections that join sets σ of neurons of one layer.

    Time and memory grow with the number of sets, not with the number of possible ones. Sets of
    several sizes are several synapses of the layer: `{"units": [pairs, triples]}`.
    A neuron may stand in a set more than once, as in a self-coupling.

    **Arguments:**

    - `simplices`: indices of neurons, flattened over the layer's axes, shape (n, k), k ≥ 2.
    - `weights`: w, shape (n,), in units of energy.

    **Raises:** `ValueError` for sets that are no whole numbers from 0, of fewer than two neurons,
    or not as many as there are weights.

    **Source:** [burns2023simplicial]; [hoover2022universal]
    """

    simplices: Int[Array, "n k"]
    weights: Float[Array, " n"]
    linear: ClassVar[tuple[bool, ...]] = (False,)
    drives: ClassVar[tuple[Range, ...]] = ("signed",)

    def __init__(self, simplices: ArrayLike, weights: ArrayLike):
        sets = native("simplices", simplices)
        self.weights = as_floats("weights", weights, ndim=1)
        whole = sets.dtype.kind in "iu" and sets.ndim == 2 and sets.shape[1] > 1 and sets.size > 0
        if not whole or (is_concrete(sets) and np.min(np.asarray(sets)) < 0):
            raise ValueError(
                "`simplices` must be indices of neurons, from 0, of two or more in each row, but "
                f"it is an array of {sets.dtype} and shape {sets.shape}."
            )
        if self.weights.shape != sets.shape[:1]:
            raise ValueError(
                f"`weights` must have shape {sets.shape[:1]}, one for each set, but their shape is "
                f"{self.weights.shape}."
            )
        self.simplices = jnp.asarray(sets, jnp.int32)

    @property
    def remark(self) -> str:
        """How many sets, and of how many neurons."""
        return times(self.simplices.shape)

    def __call__(self, activation: Float[Array, "..."]) -> Float[Array, ""]:
        """−Σ_σ w(σ) Π_{i∈σ} g_i."""
        wide = accumulate(activation.dtype)
        flat = activation.reshape(-1).astype(wide)
        product = self.weights.astype(wide)
        for place in range(self.simplices.shape[1]):
            product = product * flat[self.simplices[:, place]]
        return -jnp.sum(product)

    def check(self, layers: Layers) -> None:
        """Refuse a layer that has fewer neurons than the sets name."""
        check_count(self, layers, 1)
        size = next(iter(layers.values())).size
        if is_concrete(self.simplices) and (most := int(jnp.max(self.simplices))) >= size:
            raise ValueError(
                f"`simplices` within layer {named(layers)} must be indices below {size}, but the "
                f"largest is {most}."
            )
