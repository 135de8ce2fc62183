"""Classes by learnt prototypes."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.checks import POSITIVE, as_floats, one_key, positive, whole_number
from ..separation import Softmax
from ..similarity import Euclidean
from ..stores.rows import Memory
from .projections import normal


class PrototypeLayer(eqx.Module):
    """Classes by learnt prototypes: log p(c) = ln Σ_{μ of class c} w_μ, w = softmax(−½β |k − x|²).

    It is one read of a memory whose rows are the prototypes and whose values name their classes.
    A row far from every prototype of all classes is told by `energy`.

    ```python
    layer = PrototypeLayer(64, classes=10, per_class=3, key=key)
    layer(x)                        # (64,) -> (10,) log-probabilities
    ```

    **Arguments:**

    - `size`: d, entries of a row.
    - `classes`: how many classes there are.
    - `per_class`: prototypes of each class, ≥ 1.
    - `prototypes`: those to start with, shape (classes · per_class, d), class by class; normal
      numbers of variance 1/d if `None`.
    - `beta`: β > 0 in units of 1/squared entry; 1 if `None`. It is learnt.
    - `key`: of the prototypes at the start.

    **Raises:** `ValueError` for wrong shapes and numbers.

    **Source:** [ramsauer2021hopfield]; [snell2017prototypical]
    """

    prototypes: Float[Array, "m d"]
    beta: Float[Array, ""] = eqx.field(metadata=POSITIVE)
    classes: int = eqx.field(static=True)

    def __init__(
        self,
        size: int,
        *,
        classes: int,
        per_class: int = 1,
        prototypes: ArrayLike | None = None,
        beta: ArrayLike = 1.0,
        key: Array,
    ):
        self.classes = whole_number("classes", classes, 2)
        shape = self.classes * whole_number("per_class", per_class), whole_number("size", size)
        start = normal(shape, shape[1] ** -0.5, one_key(key))
        if prototypes is not None:
            start = as_floats("prototypes", prototypes, ndim=2)
        if start.shape != shape:
            raise ValueError(f"`prototypes` must have shape {shape}, but have {start.shape}.")
        self.prototypes, self.beta = start, positive("beta", beta)

    def __call__(self, row: ArrayLike) -> Float[Array, " c"]:
        """ln p of every class for one row.

        **Arguments:**

        - `row`: shape (d,).

        **Raises:** `ValueError` for a wrong shape.
        """
        row = self._row(row)
        scores = Euclidean()(self.prototypes, row)
        logits = self.beta.astype(scores.dtype) * scores.reshape(self.classes, -1)
        wide = jax.nn.logsumexp(logits, axis=-1) - jax.nn.logsumexp(logits)
        return wide.astype(row.dtype)

    def energy(self, row: ArrayLike) -> Float[Array, ""]:
        """E = −ln Σ_μ exp(−½β |k_μ − x|²)/β of one row: high where no prototype is near."""
        row = self._row(row)
        return -Softmax(self.beta).potential(Euclidean()(self.prototypes, row))

    def memory(self) -> Memory:
        """The memory of the prototypes, whose values are their classes, one-hot."""
        labels = jnp.repeat(jnp.eye(self.classes), len(self.prototypes) // self.classes, axis=0)
        return Memory(
            self.prototypes, labels, similarity=Euclidean(), separation=Softmax(self.beta)
        )

    def _row(self, row):
        row = as_floats("row", row, ndim=1)
        if row.shape != self.prototypes.shape[1:]:
            raise ValueError(
                f"`row` must have shape {self.prototypes.shape[1:]}, but its shape is {row.shape}."
            )
        return row
