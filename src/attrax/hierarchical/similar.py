"""The synapse of any similarity: a memory of rows as one edge of a network."""

import equinox as eqx
from jaxtyping import Array, Float

from ..common.arithmetic import Range
from ..common.checks import as_floats
from ..similarity.base import AbstractSimilarity
from .lagrangians import Quadratic
from .neurons import Neurons
from .synapses import AbstractSynapse, Layers, check_count, check_shape, inner


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
    - `keys`: stored rows, shape (N, d), in the units of the activations, for a layer g of d
      neurons and a layer f of N, in this order.
    - `state_term`: False leaves the ½|g|² of the layer in, whatever the similarity.

    **Raises:** `TypeError` if `similarity` is not one; `ValueError` for wrong shapes or
    rows.

    **Source:** [millidge2022universal]
    """

    # The first array says what type states are.
    keys: Float[Array, "n d"]
    similarity: AbstractSimilarity
    state_term: bool = eqx.field(static=True)

    def __init__(
        self,
        similarity: AbstractSimilarity,
        keys,
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
        self.state_term = bool(state_term)

    @property
    def label(self) -> str:
        """With the similarity's."""
        return f"{self.similarity.label} {type(self).__name__}"

    @property
    def linear(self) -> tuple[bool, ...]:
        """In the memory neurons always; in the value neurons for dot products."""
        return (self.similarity.bilinear == "plain", True)

    @property
    def drives(self) -> tuple[Range, ...]:
        """Memory neurons are driven by scores."""
        return ("signed", self.similarity.range)

    @property
    def replaces(self) -> bool:
        """Whether it takes the ½|g|² of its value layer away."""
        return self.state_term and not self.similarity.quadratic

    def __call__(self, lower: Float[Array, "..."], upper: Float[Array, "..."]) -> Float[Array, ""]:
        """−fᵀ s(g) + R(g) − ½|g|²."""
        scores = self.similarity(self.keys, lower.reshape(-1))
        energy = -inner(upper.reshape(-1), scores)
        if not self.replaces:
            return energy
        own = self.similarity.state_term(lower.reshape(-1)) - Quadratic().value(lower)
        return energy + own.astype(energy.dtype)

    def check(self, layers: Layers) -> None:
        """Refuse layers that the keys do not fit, or whose ½|g|² cannot be replaced."""
        check_count(self, layers, 2)
        lower, upper = layers.values()
        check_shape("keys", self.keys, layers, (upper.size, lower.size))
        if self.replaces and not lower.lagrangian.quadratic:
            raise ValueError(
                f"{type(self.similarity).__name__} replaces the ½|g|² of layer "
                f"{next(iter(layers))!r}, whose Lagrangian must then be Quadratic(), but it is "
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
                "Its memory neurons can be negative, and under a distance value neurons then move "
                "away from memories; use Softmax or a rectified Power."
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
        return centroid.agree(self.keys, upper)
