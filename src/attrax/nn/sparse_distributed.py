"""A classifier that reads a sparse distributed memory, for continual learning."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import products, unit, weighted
from ..common.checks import GIVEN, as_floats, is_concrete, one_key, positive, whole_number
from ..separation import TopKSubtract
from ..separation.top import ranked
from ..similarity import Cosine
from ..stores.rows import Memory
from ..training.constrained import AbstractConstrained


class SDMClassifier(AbstractConstrained):
    """Logits V w of one read: w = max(u − γ I, 0), u = max(W x/|x|, 0).

    The rows of W (n, d) are addresses, non-negative and of unit norm, and V (C, n) holds values,
    non-negative; there are no biases. I is the (k+1)-th largest entry of u, held fixed in
    derivatives. It inhibits each neuron by a factor of its own that begins as excitation,
    γ_i = clip(−1 + 2 c_i/s, −1, 1), where c_i counts the examples on which neuron i was active in
    training: at γ = −1 all neurons are active and learn, and at γ = 1 the k best alone.

    ```python
    model = SDMClassifier(64, 1000, 10, k=10, switch=5000, key=jax.random.key(0))
    found = attrax.training.train_continually(model, tasks, tests, epochs=50, key=key)
    ```

    `attrax.training.train_continually` counts, and keeps weights within their constraints.

    **Arguments:**

    - `size`: d, entries of a row.
    - `neurons`: n.
    - `classes`: C.
    - `k`: how many neurons stay active, 1 ≤ k < n.
    - `switch`: s > 0, in examples on which a neuron was active. Take about three times the
      examples of one task, its rows times epochs. Where s is a tenth of them, most neurons die;
      where it is ten times as many, none is inhibited in time, and all is forgotten.
    - `key`: of the weights at the start: uniform, then clamped at zero and made unit.

    **Raises:** `ValueError` or `TypeError` for values outside these bounds.

    **Source:** [bricken2023sparse]
    """

    addresses: Float[Array, "n d"]
    values: Float[Array, "c n"]
    activations: Float[Array, " n"] = eqx.field(metadata=GIVEN)
    switch: Float[Array, ""] = eqx.field(metadata=GIVEN)
    k: int = eqx.field(static=True)

    def __init__(
        self,
        size: int,
        neurons: int,
        classes: int,
        *,
        k: int = 10,
        switch: ArrayLike,
        key: Array,
    ):
        size, neurons = whole_number("size", size), whole_number("neurons", neurons, 2)
        classes, self.k = whole_number("classes", classes, 2), whole_number("k", k)
        if self.k >= neurons:
            raise ValueError(f"`k` must be below `neurons`, {neurons}, but it is {k}.")
        keys = jax.random.split(one_key(key))
        start = [
            jax.random.uniform(key, shape, minval=-1, maxval=1) / jnp.sqrt(shape[1])
            for key, shape in zip(keys, ((neurons, size), (classes, neurons)), strict=True)
        ]
        self.addresses, self.values = non_negative_unit(start[0]), jnp.maximum(start[1], 0)
        self.activations, self.switch = jnp.zeros(neurons), positive("switch", switch)

    @property
    def coefficients(self) -> Float[Array, " n"]:
        """γ of each neuron, from −1, excited, to 1, inhibited; shape (n,)."""
        return jnp.clip(2 * self.activations / self.switch - 1, -1, 1)

    def weights(self, row: ArrayLike) -> Float[Array, " n"]:
        """How active each neuron is for one row, shape (n,).

        **Arguments:**

        - `row`: shape (d,), non-negative.

        **Raises:** `ValueError` for another shape, and for negative entries.
        """
        scores = jax.nn.relu(products(self.addresses, unit(self._row(row))))
        threshold = ranked(jax.lax.stop_gradient(scores), self.k + 1)
        return jax.nn.relu(scores - self.coefficients.astype(scores.dtype) * threshold)

    def __call__(self, row: ArrayLike) -> Float[Array, " c"]:
        """The logits of one row, shape (C,); see `weights`."""
        return weighted(self.weights(row), self.values.T).astype(self.addresses.dtype)

    def observe(self, rows: Float[Array, "b d"], counted: Float[Array, " b"]) -> "SDMClassifier":
        """See `AbstractConstrained.observe`: counts on how many rows each neuron is active."""
        active = (jax.vmap(self.weights)(rows) > 0).astype(self.activations.dtype)
        seen = self.activations + counted.astype(active.dtype) @ active
        return eqx.tree_at(lambda model: model.activations, self, seen)

    def constrain(self) -> "SDMClassifier":
        """See `AbstractConstrained.constrain`: clamps weights at zero, and makes addresses unit."""
        return eqx.tree_at(
            lambda model: (model.addresses, model.values),
            self,
            (non_negative_unit(self.addresses), jnp.maximum(self.values, 0)),
        )

    def memory(self) -> Memory:
        """The memory that is read once all neurons are inhibited, γ = 1: its read gives logits."""
        return Memory(
            self.addresses, self.values.T, similarity=Cosine(), separation=TopKSubtract(self.k)
        )

    def _row(self, row):
        row = as_floats("row", row, ndim=1, dtype=self.addresses.dtype, finite=False)
        if row.shape != self.addresses.shape[1:]:
            raise ValueError(
                f"`row` must have shape {self.addresses.shape[1:]}, but its shape is {row.shape}."
            )
        if is_concrete(row) and row.size and float(row.min()) < 0:
            raise ValueError(
                f"`row` must not be negative, but its least entry is {float(row.min()):.3g}: "
                "bring the data to [0, 1] instead of standardising them."
            )
        return jnp.maximum(row, 0)


def non_negative_unit(rows: Float[Array, "n d"]) -> Float[Array, "n d"]:
    """Rows clamped at zero and then made unit; a row with nothing above zero is zeros."""
    return unit(jnp.maximum(rows, 0))
