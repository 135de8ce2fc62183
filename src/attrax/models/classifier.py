"""Dense associative memories that classify: label units read by one update."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from ..common.checks import (
    as_floats,
    is_concrete,
    is_floats,
    native,
    number,
    one_key,
    positive,
    whole_number,
)
from ..separation import Power
from ..similarity import Dot
from ..stores.rows import Memory


class DenseClassifier(eqx.Module):
    """Labels of an image, each decided by the energy of a dense memory with and without it.

    c_α = tanh((1/ε) Σ_μ [F(ξ_μ·V^α) − F(ξ_μ·U)]), F(x) = (max(x, 0)/T)ⁿ

    Visible units hold the image v; label units stand at −ε (U), and one of them, α, is set to +ε
    (V^α). A logit, which the tanh is taken of, is by how much that lowers the energy
    E(σ) = −Σ_μ F(ξ_μ·σ) of all units, in units of ε. Memories hold an image and the labels that it
    votes for and against: features for small n, prototypes for large.

    With ε = 1 it is the paper's network. As ε → 0 it becomes a network with one hidden layer,
    c = tanh(2 Σ_μ ξ_μα F′(ξ_μ·v)), which is a read of the memory that `as_memory` gives.

    ```python
    classifier = attrax.models.dense_classifier(784, 10, memories=100, degree=20,
                                                temperature=540.0, key=key)
    trained = attrax.models.train_dense_classifier(classifier, images, labels, epochs=100, power=30,
                                                   key=key)
    jax.vmap(trained.model.predict)(images)
    ```

    **Arguments:**

    - `memories`: ξ, shape (K, N + C): N weights of pixels, then C of labels.
    - `classes`: C ≥ 2.
    - `degree`: n ≥ 2, of the energy.
    - `temperature`: T > 0, in units of overlaps, that is of pixels; what learning depends on most.
      For 784 pixels the paper has 500 to 700 for n ≥ 20, and 30 to 100 at the end for n = 2 or 3.
      Pictures that are alike want less: Fashion-MNIST 300 for n = 20, 200 for n = 10. Try some for
      a tenth of the epochs, on images left out. F overflows single precision where (784/T)ⁿ does.
    - `epsilon`: ε > 0. Single precision loses the difference of energies below some 0.001.

    **Raises:** `ValueError` for wrong shapes and numbers out of range.

    **Source:** [krotov2016dense]
    """

    memories: Float[Array, "k units"]
    classes: int = eqx.field(static=True)
    degree: int = eqx.field(static=True)
    temperature: Float[Array, ""]
    epsilon: Float[Array, ""]

    def __init__(
        self,
        memories: ArrayLike,
        classes: int,
        degree: int,
        *,
        temperature: ArrayLike,
        epsilon: ArrayLike = 1.0,
    ):
        self.memories = as_floats("memories", memories, ndim=2)
        self.classes, self.degree = (
            whole_number("classes", classes, 2),
            whole_number("degree", degree, 2),
        )
        self.temperature = positive("temperature", temperature)
        self.epsilon = positive("epsilon", epsilon)
        self.check_loaded()

    def check_loaded(self) -> None:
        """Refuse fields that do not fit together, as a file may describe them.

        **Raises:** `ValueError` that says which.
        """
        whole_number("classes", self.classes, 2)
        whole_number("degree", self.degree, 2)
        if not (is_floats(self.temperature) and is_floats(self.epsilon)):
            raise ValueError("`temperature` and `epsilon` must be numbers.")
        rows = is_floats(self.memories, None, None)
        if not (rows and self.memories.shape[1] > self.classes):
            raise ValueError(
                "`memories` must have a row, and columns for at least one pixel and "
                f"{self.classes} classes, but its shape is {np.shape(self.memories)}."
            )

    @property
    def pixels(self) -> int:
        """N, the number of visible units."""
        return self.memories.shape[1] - self.classes

    @property
    def keys(self) -> Float[Array, "k n"]:
        """The weights of the pixels."""
        return self.memories[:, : self.pixels]

    @property
    def votes(self) -> Float[Array, "k c"]:
        """The weights of the labels: what each memory votes for, if positive, and against."""
        return self.memories[:, self.pixels :]

    def __call__(self, image: ArrayLike) -> Float[Array, " c"]:
        """c, between −1 and 1, shape (C,), of an image of shape (N,) with pixels in [−1, 1].

        **Raises:** `ValueError` for another shape.
        """
        return jnp.tanh(self.logits(image))

    def predict(self, image: ArrayLike) -> Int[Array, ""]:
        """The label of the largest logit; c itself is rounded to 1 for several at once."""
        return jnp.argmax(self.logits(image))

    def logits(self, image: ArrayLike) -> Float[Array, " c"]:
        """(E(U) − E(V^α))/ε for each label α, shape (C,).

        **Raises:** `ValueError` for an image of another shape than (N,).
        """
        return self._logits(self._image(image))

    def parts(self, image: ArrayLike, label: ArrayLike) -> Float[Array, " k"]:
        """What each memory adds to the logit of one label, shape (K,): who decides.

        **Arguments:**

        - `image`: shape (N,); `label`: from 0 to C − 1.

        **Raises:** `ValueError` for another shape of the image, and a label that is not a class.
        """
        label = self.check_labels("label", label, ())
        gains = self._gains(self._scores(self._image(image)), jnp.take(self.votes, label, axis=1))
        return gains / self.epsilon

    def energy(self, state: ArrayLike) -> Float[Array, ""]:
        """E(σ) = −Σ_μ (max(ξ_μ·σ, 0)/T)ⁿ of all units: N pixels, then C labels.

        **Raises:** `ValueError` for a state of another shape than (N + C,).
        """
        state = as_floats("state", state, ndim=1).astype(self.memories.dtype)
        if state.shape != self.memories.shape[1:]:
            raise ValueError(
                f"`state` must have shape {self.memories.shape[1:]}, but its shape is "
                f"{state.shape}."
            )
        return -jnp.sum(self._term(self.memories @ state))

    def loss(self, images: ArrayLike, labels: ArrayLike, power: ArrayLike) -> Float[Array, ""]:
        """Σ_α (c_α − t_α)^(2m), summed over images; t is +1 for an image's label, else −1.

        Taken from the logits: |c − t| = 2/(1 + exp(2 t·logit)), whose slope survives where c has
        been rounded to ±1. With a large m it is just these images that learning is about.

        **Arguments:**

        - `images`: shape (B, N); `labels`: shape (B,), from 0 to C − 1.
        - `power`: m ≥ 1. Large m ask that no image be far off, small ones that few be.

        **Raises:** `ValueError` for images of another shape, labels that are not classes or not one
        an image, and m below 1.
        """
        dtype = self.memories.dtype
        images = as_floats("images", images, ndim=2).astype(dtype)
        if images.shape[1] != self.pixels:
            raise ValueError(
                f"`images` must have shape (B, {self.pixels}), but their shape is {images.shape}."
            )
        power = number("power", power)
        if is_concrete(power) and float(power) < 1:
            raise ValueError(f"`power` must be at least 1, but it is {float(power):g}.")
        labels = self.check_labels("labels", labels, images.shape[:1])
        marks = jax.nn.one_hot(labels, self.classes, dtype=bool)
        logits = jax.vmap(self._logits)(images)
        distances = jax.nn.log_sigmoid(jnp.where(marks, -2, 2).astype(dtype) * logits)
        exponent = 2 * power.astype(dtype)
        return jnp.sum(jnp.exp(exponent * (distances + np.log(2.0).astype(dtype))))

    def as_memory(self) -> Memory:
        """What is left as ε → 0: logits become 2n/T times this memory's read of the image.

        Keys are the weights of pixels, values those of labels, and the separation is F′ up to
        n/T: one hidden layer with a rectified polynomial of degree n − 1 for an activation.
        """
        separation = Power(self.degree - 1, rectified=True, scale=self.temperature)
        return Memory(self.keys, self.votes, similarity=Dot(), separation=separation)

    def _image(self, image):
        image = as_floats("image", image, ndim=1).astype(self.memories.dtype)
        if image.shape != (self.pixels,):
            raise ValueError(
                f"`image` must have shape ({self.pixels},), but its shape is {image.shape}."
            )
        return image

    def check_labels(self, name: str, labels: Any, shape: tuple[int, ...]) -> Int[Array, "..."]:
        """The labels, if they are classes and of a shape; values are not looked at under jit.

        **Raises:** `ValueError` that names them.
        """
        found = native(name, labels)
        if found.dtype.kind not in "iu" or found.shape != shape:
            raise ValueError(
                f"`{name}` must be whole numbers of shape {shape}, but they are {found.dtype} of "
                f"shape {found.shape}."
            )
        if is_concrete(found) and found.size and not 0 <= found.min() <= found.max() < self.classes:
            raise ValueError(
                f"`{name}` must be from 0 to {self.classes - 1}, but they go from {found.min()} to "
                f"{found.max()}."
            )
        return jnp.asarray(found)

    def _scores(self, image):
        """ξ·U."""
        return self.keys @ image - self.epsilon * jnp.sum(self.votes, axis=1)

    def _gains(self, scores, votes):
        """F(ξ·V) − F(ξ·U) of each memory, for one label."""
        return self._term(scores + 2 * self.epsilon * votes) - self._term(scores)

    def _logits(self, image):
        scores = self._scores(image)

        # Label by label, forwards and again backwards: no array of labels × images × memories.
        @jax.checkpoint
        def logit(votes):
            return jnp.sum(self._gains(scores, votes))

        return jax.lax.map(logit, self.votes.T) / self.epsilon

    def _term(self, scores):
        return (jnp.maximum(scores, 0) / self.temperature) ** self.degree


def dense_classifier(
    pixels: int,
    classes: int,
    *,
    memories: int,
    degree: int,
    temperature: ArrayLike,
    key: jax.Array,
) -> DenseClassifier:
    """A `DenseClassifier` to be trained: weights drawn from a normal law, −0.3 ± 0.3.

    The mean is for images in [−1, 1] that are mostly −1, as dark backgrounds are: overlaps then
    start positive, where F has a slope.

    **Arguments:**

    - `pixels`: N; `classes`: C; `memories`: K.
    - `degree`, `temperature`: see `DenseClassifier`.
    - `key`: a `jax.random.key`.

    **Raises:** `ValueError` for numbers out of range.

    **Source:** [krotov2016dense]
    """
    count, pixels = whole_number("memories", memories, 1), whole_number("pixels", pixels, 1)
    shape = count, pixels + whole_number("classes", classes, 2)
    drawn = 0.3 * jax.random.normal(one_key(key), shape) - 0.3
    return DenseClassifier(drawn, classes, degree, temperature=temperature)
