"""Synapses: scalar energies of the activations of the layers that they join."""

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..errors import as_floats
from ..separation.base import Range
from ..separation.fold import weighted
from ..similarity.base import AbstractSimilarity
from ..similarity.centroids import WeightedMedian, WeightedMode, WeightedSum
from ..similarity.sums import products
from .lagrangians import Quadratic
from .neurons import Neurons

# See attrax.separation.base: declared by leaves as class variable, property or field.
if TYPE_CHECKING:
    from typing import ClassVar as Declared
else:
    from equinox import AbstractVar as Declared


class AbstractSynapse(eqx.Module):
    """A scalar energy E(g₁, g₂, …) of the activations of some layers.

    It drives each of its layers by −∂E/∂g. Both directions come from one scalar, so they are
    symmetric by construction, and that is what makes the energy of a network fall.
    """

    layers: Declared[tuple[str, ...]]
    """Names of the layers that it joins, in the order of its arguments."""

    linear: Declared[tuple[bool, ...]]
    """For each layer, whether the energy is linear in its activation."""

    drives: Declared[tuple[Range, ...]]
    """For each layer, the sign of the −∂E/∂g by which it is driven."""

    @abstractmethod
    def __call__(self, *activations: Float[Array, "..."]) -> Float[Array, ""]:
        """The energy of activations, one array a layer, each in its layer's shape."""

    @abstractmethod
    def check(self, *neurons: Neurons) -> None:
        """Refuse layers that it cannot join.

        **Raises:** `ValueError` that says what does not fit.
        """


class DenseSynapse(AbstractSynapse):
    """E = −fᵀ W g: every neuron of one layer joined with every one of another.

    W drives upwards, its transpose downwards.

    **Arguments:**

    - `weights`: W, shape (N, d); its rows are the memories.
    - `layers`: names of the layer of g, with d neurons, and of the layer of f, with N.

    **Raises:** `ValueError` for wrong shapes or names.

    **Source:** [krotov2021large]
    """

    weights: Float[Array, "n d"]
    layers: tuple[str, str] = eqx.field(static=True)
    linear: ClassVar[tuple[bool, ...]] = (True, True)
    drives: ClassVar[tuple[Range, ...]] = ("signed", "signed")

    def __init__(self, weights, layers: tuple[str, str] = ("value", "memory")):
        self.weights = as_floats("weights", weights, ndim=2)
        self.layers = _two_names(layers)

    def __call__(self, lower: Float[Array, " d"], upper: Float[Array, " n"]) -> Float[Array, ""]:
        """−fᵀ W g."""
        drive = products(self.weights, lower)
        return -jnp.sum(upper.astype(drive.dtype) * drive)

    def check(self, lower: Neurons, upper: Neurons) -> None:
        """Refuse layers that W does not fit."""
        _check_shape("weights", self.weights, self.layers, lower, upper)


class SimilaritySynapse(AbstractSynapse):
    """E = −fᵀ s(g) + R(g) − ½|g|²: memory neurons driven by the similarity of their rows.

    s_μ(g) = similarity(key_μ, g). The last two terms put the similarity's own state term R in
    place of the ½|g|² of a layer with `Quadratic` Lagrangian, so that value neurons rest where
    memories agree: with the ½|g|² left in, a Euclidean network rests at half of its memory. The
    dot product keeps it, having R = ½|g|².

    The network's flow then descends R(v) − Φ(s(v)) under every differentiable similarity. Where
    the similarity has kinks, as Manhattan's distance has, an explicit solver chatters about them,
    and the energy rises by up to the length of its steps; `relax` does not, since it goes to
    the centroid. Hamming's distance has no slope at all, so only `relax` moves under it.

    **Arguments:**

    - `similarity`: one of `attrax.similarity`.
    - `keys`: stored rows, shape (N, d), in the units of the activations.
    - `layers`: names of the layer of g, with d neurons, and of the layer of f, with N.
    - `state_term`: False leaves the ½|g|² of the layer in, whatever the similarity.

    **Raises:** `TypeError` if `similarity` is no similarity; `ValueError` for wrong shapes, names
    or rows.

    **Source:** [millidge2022universal]
    """

    similarity: AbstractSimilarity
    keys: Float[Array, "n d"]
    layers: tuple[str, str] = eqx.field(static=True)
    state_term: bool = eqx.field(static=True)

    def __init__(
        self,
        similarity: AbstractSimilarity,
        keys,
        layers: tuple[str, str] = ("value", "memory"),
        *,
        state_term: bool = True,
    ):
        if not isinstance(similarity, AbstractSimilarity):
            raise TypeError(
                "`similarity` must be one of attrax.similarity, "
                f"but it is {type(similarity).__name__}; wrap a function in SimilarityFunction."
            )
        self.similarity = similarity
        self.keys = as_floats("keys", keys, ndim=2)
        if not similarity.encoded:
            similarity.check("keys", self.keys)
        self.layers = _two_names(layers)
        self.state_term = bool(state_term)

    @property
    def linear(self) -> tuple[bool, ...]:
        """In the memory neurons always; in the value neurons for dot products."""
        return (isinstance(self.similarity.centroid, WeightedSum), True)

    @property
    def drives(self) -> tuple[Range, ...]:
        """Memory neurons are driven by scores."""
        return ("signed", self.similarity.range)

    @property
    def replaces(self) -> bool:
        """Whether it takes the ½|g|² of its value layer away."""
        return self.state_term and not self.similarity.quadratic

    def __call__(self, lower: Float[Array, " d"], upper: Float[Array, " n"]) -> Float[Array, ""]:
        """−fᵀ s(g) + R(g) − ½|g|²."""
        scores = self.similarity(self.keys, lower)
        energy = -jnp.sum(upper.astype(scores.dtype) * scores)
        if not self.replaces:
            return energy
        own = self.similarity.state_term(lower) - Quadratic().value(lower)
        return energy + own.astype(energy.dtype)

    def check(self, lower: Neurons, upper: Neurons) -> None:
        """Refuse layers that the keys do not fit, or whose ½|g|² cannot be replaced."""
        _check_shape("keys", self.keys, self.layers, lower, upper)
        if self.replaces and not isinstance(lower.lagrangian, Quadratic):
            raise ValueError(
                f"{type(self.similarity).__name__} replaces the ½|g|² of layer "
                f"{self.layers[0]!r}, whose Lagrangian must then be Quadratic(), but it is "
                f"{type(lower.lagrangian).__name__}; pass state_term=False to leave it as it is."
            )

    def lacks_centroid(self, upper: Neurons) -> str | None:
        """Why no exact update of the value layer is known; `None` where one is.

        **Arguments:**

        - `upper`: the memory neurons.
        """
        centroid = self.similarity.centroid
        if centroid is None:
            return self.similarity.lacks_centroid
        if not (centroid.signed or upper.lagrangian.non_negative):
            return (
                f"Neurons of {self.layers[1]!r} can be negative, and under a distance value "
                "neurons then move away from memories; use Softmax or a rectified Power."
            )
        if not self.replaces:
            return (
                f"With state_term=False the centroid of {type(self.similarity).__name__} is not "
                "where value neurons rest."
            )
        return None

    def settle(self, upper: Float[Array, " n"]) -> Float[Array, " d"]:
        """The state of value neurons where the energy is least for given f: the centroid.

        **Arguments:**

        - `upper`: activations f of the memory neurons, shape (N,).

        **Returns:** the state, shape (d,).

        **Raises:** `ValueError` where there is no centroid in closed form.
        """
        centroid = self.similarity.centroid
        if centroid is None:
            raise ValueError(self.similarity.lacks_centroid)
        if isinstance(centroid, WeightedMedian | WeightedMode):
            return centroid.agree(self.keys, upper)
        total = weighted(upper, centroid.carrier(self.keys))
        return centroid.settle(total, jnp.sum(upper, dtype=total.dtype))


def _two_names(layers) -> tuple[str, str]:
    names = tuple(layers) if isinstance(layers, tuple | list) else (layers,)
    if len(names) != 2 or not all(isinstance(name, str) for name in names):
        raise ValueError(f"`layers` must be the names of two layers, but it is {layers!r}.")
    if names[0] == names[1]:
        raise ValueError(f"`layers` must be two different layers, but both are {names[0]!r}.")
    return names[0], names[1]


def _check_shape(name, rows, layers, lower, upper):
    expected = (*upper.shape, *lower.shape)
    if rows.shape != expected:
        raise ValueError(
            f"`{name}` between layers {layers[0]!r} of shape {lower.shape} and {layers[1]!r} of "
            f"shape {upper.shape} must have shape {expected}, but its shape is {rows.shape}."
        )
