"""`MatrixMemory`: patterns superposed in one matrix of constant size, and its states as units."""

import dataclasses
from collections.abc import Callable
from typing import Literal, get_args

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from ..common.arithmetic import inverse, products
from ..common.checks import NoEnergyError, as_floats, is_concrete, is_floats, positive
from ..common.display import facts, table
from ..similarity.kernels import as_feature_map
from ..spaces.matrix import MatrixSpace, UnitMatrixSpace
from ..spaces.store import AbstractStore
from ..spaces.units import LEVELS, Units, check_states, decided

Symmetry = Literal["none", "symmetric", "positive"]


class MatrixMemory(AbstractStore):
    """An associative memory of one superposed matrix, W φ(q): its size does not grow with rows.

    With units it is the network of Hopfield (1982): states of −1 and +1 ("signs") or 0 and 1
    ("bits") under E(σ) = −½ σᵀWσ + θᵀσ, and a unit is drawn to where its drive points,
    h_i = Σ_j W_ij σ_j − θ_i; one without drive keeps its state. Without ("real") it is a linear
    map: `Memory.superpose`, correlation matrices, linear attention.

    ```python
    memory = attrax.models.hopfield_network(patterns)   # rows of −1 and +1
    memory(query)                                       # all units at once
    attrax.retrieve(memory, queries)                    # one after another, to an attractor
    ```

    The two kinds of states with θ = 0 are different networks: bits see twice the noise of signs.

    **Arguments:**

    - `matrix`: W before it is scaled, shape (v, m). Whole numbers, as sums of products of ±1 are,
      keep fields and ties exact.
    - `threshold`: θ, what a drive must exceed, shape (v,); zero if `None`.
    - `scale`: what the matrix is multiplied by, > 0; 1/d for the usual normalisation.
    - `units`: "real", "signs" or "bits".
    - `self_term`: whether a unit acts on itself through W_ii. `None` is the field's habit: no for
      units, yes for real states. The matrix keeps its diagonal in any case, so that patterns can
      be added and removed.
    - `feature_map`: φ, a function or module of one query (d,) to (m,); the query itself if `None`.
    - `normaliser`: Σ φ(key), shape (m,): reads are divided by its product with φ(q), as linear
      attention does.
    - `width`: d, needed with a `feature_map`.
    - `symmetry`: "symmetric" or "positive" (no negative eigenvalue) where that is known, as
      learning rules do; `None` looks at the matrix, which under jit cannot be done.
    - `rule`: the name of the learning rule that made the matrix and alone can store more in it;
      `None` for sums of value φ(key)ᵀ, which are Hebb's.

    **Raises:** `ValueError` or `TypeError` for wrong shapes, NaN, unknown units, and for options
    that only a square matrix without feature map has.

    **Source:** [hopfield1982neural]; with a normaliser [katharopoulos2020transformers]
    """

    matrix: Float[Array, "v m"]
    threshold: Float[Array, " v"] | None
    scale: Float[Array, ""]
    normaliser: Float[Array, " m"] | None
    feature_map: Callable | None
    units: Units = eqx.field(static=True)
    self_term: bool = eqx.field(static=True)
    symmetry: Symmetry = eqx.field(static=True)
    rule: str | None = eqx.field(static=True)
    width: int = eqx.field(static=True)

    def __init__(
        self,
        matrix: ArrayLike,
        *,
        threshold: ArrayLike | None = None,
        scale: ArrayLike = 1.0,
        units: Units = "real",
        self_term: bool | None = None,
        feature_map: Callable | None = None,
        normaliser: ArrayLike | None = None,
        width: int | None = None,
        symmetry: Symmetry | None = None,
        rule: str | None = None,
    ):
        matrix = as_floats("matrix", matrix, ndim=2)
        if matrix.size == 0:
            raise ValueError(f"`matrix` is empty: its shape is {matrix.shape}.")
        if units not in ("real", *LEVELS):
            raise ValueError(f"`units` must be 'real', 'signs' or 'bits', but it is {units!r}.")
        if symmetry not in (None, "none", "symmetric", "positive"):
            raise ValueError(
                f"`symmetry` must be 'none', 'symmetric' or 'positive', but it is {symmetry!r}."
            )
        if feature_map is not None and width is None:
            raise ValueError("`width`, the number of a query's entries, is needed with φ.")
        self.matrix = matrix
        self.threshold = _vector("threshold", threshold, matrix.shape[0], matrix.dtype)
        self.normaliser = _vector("normaliser", normaliser, matrix.shape[1], matrix.dtype)
        self.scale = positive("scale", scale).astype(matrix.dtype)
        self.units = units
        self.feature_map = None if feature_map is None else as_feature_map(feature_map)
        self.width = matrix.shape[1] if feature_map is None or width is None else width
        self.self_term = units == "real" if self_term is None else bool(self_term)
        self.symmetry = _symmetry(matrix) if symmetry is None else symmetry
        self.rule = rule
        self.check_loaded()

    def check_loaded(self) -> None:
        """Refuse fields that do not fit together, as a file may describe them.

        **Raises:** `ValueError` that says which.
        """
        matrix, width = self.matrix, self.width
        fits = (
            is_floats(matrix, None, None)
            and (self.threshold is None or is_floats(self.threshold, matrix.shape[0]))
            and (self.normaliser is None or is_floats(self.normaliser, matrix.shape[1]))
            and is_floats(self.scale)
            and (self.feature_map is None or callable(self.feature_map))
            and self.units in ("real", *LEVELS)
            and type(self.self_term) is bool
            and self.symmetry in get_args(Symmetry)
            and (self.rule is None or type(self.rule) is str)
            and type(width) is int
            and (width > 0 if self.feature_map is not None else width == matrix.shape[1])
        )
        if not fits:
            raise ValueError("its fields make no memory of a matrix")
        linear = self.units == "real" and self.self_term
        if not linear and not self._plain:
            raise ValueError(
                "Units, and the absence of a self-term, are for square matrices without feature "
                f"map or normaliser; this one has shape {self.matrix.shape}."
            )

    @property
    def recurrent(self) -> bool:
        """Whether what is read can be read again: v = d."""
        return self.matrix.shape[0] == self.width

    @property
    def _plain(self) -> bool:
        """Whether a read is W q, and of the kind of q."""
        return self.recurrent and self.feature_map is None and self.normaliser is None

    @property
    def dtype(self) -> jnp.dtype:
        """The floating-point type of the matrix; queries are brought to it."""
        return self.matrix.dtype

    @property
    def lacks_energy(self) -> str | None:
        """Why there is no energy; `None` where there is one.

        That of units falls with every change of a single unit; all at once may raise it. That of
        real states falls with every read.
        """
        if not self._plain:
            return "Only a read W q of the kind of q has one: no feature map, normaliser or values."
        if self.symmetry == "none":
            return (
                "The matrix is not symmetric, or not known to be so under jit (symmetry=...), and "
                "only symmetric ones have an energy."
            )
        if self.units == "real":
            if self.symmetry == "positive" and self.self_term:
                return None
            return (
                "The matrix may have negative eigenvalues, and then a read can raise ½|v|² − ½vᵀWv;"
                " pass symmetry='positive' if it has none."
            )
        if self.self_term and self.symmetry != "positive":
            return "With a self-term of unknown sign a unit may move uphill; use self_term=False."
        return None

    def _repr_html_(self) -> str:
        """What is printed, as a table for notebooks."""
        return table(type(self).__name__, facts(self))

    def __call__(self, query: ArrayLike) -> Float[Array, " v"]:
        """Exactly one read; of units, all at once.

        **Arguments:**

        - `query`: shape (d,).

        **Returns:** what is read, shape (v,).

        **Raises:** `ValueError` for a wrong shape, and for states that the units cannot have;
        states are not looked at under jit and vmap.
        """
        return _call(self, self._query(query))

    def energy(self, query: ArrayLike) -> Float[Array, ""]:
        """E(σ) = −½ σᵀWσ + θᵀσ, plus ½|v|² for real states.

        Without a self-term, W is meant without its diagonal.

        **Arguments:**

        - `query`: shape (d,).

        **Raises:** `NoEnergyError` where there is none; the reason is `lacks_energy`.
        """
        if self.lacks_energy is not None:
            raise NoEnergyError(self.lacks_energy)
        return self.state_energy(self._query(query))

    def drive(self, state: Float[Array, " d"]) -> Float[Array, " v"]:
        """h = W φ(state) − θ, divided by the normaliser's product where there is one."""
        features = state if self.feature_map is None else self.feature_map(state)
        # Scaled last: of whole numbers the sum is exact, and a tie is a tie.
        total = products(self.matrix, features)
        scale = self.scale.astype(total.dtype)
        if not self.self_term:
            own = jnp.diagonal(self.matrix).astype(total.dtype)
            total = total - own * state.astype(total.dtype)
        total = scale * total
        if self.normaliser is not None:
            mass = jnp.sum(self.normaliser * features, dtype=total.dtype)
            total = total * inverse(scale * mass)
        return total if self.threshold is None else total - self.threshold.astype(total.dtype)

    def pull(self, state: Float[Array, " d"]) -> Float[Array, " v"]:
        """Where a state is drawn to: the drive, or for units the sides that it points to."""
        drive = self.drive(state)
        if self.units == "real":
            return drive.astype(self.dtype)
        return decided(drive, state, self.units)

    def state_energy(self, state: Float[Array, " d"]) -> Float[Array, ""]:
        """The energy of a state of shape (d,)."""
        sums = products(self.matrix, state)
        wide = sums.dtype
        state = state.astype(wide)
        inner = jnp.sum(state * sums)
        if not self.self_term:
            own = jnp.diagonal(self.matrix).astype(wide)
            inner = inner - jnp.sum(own * jnp.square(state))
        energy = -0.5 * self.scale.astype(wide) * inner
        if self.threshold is not None:
            energy = energy + jnp.sum(self.threshold.astype(wide) * state)
        if self.units == "real":
            energy = energy + 0.5 * jnp.sum(jnp.square(state))
        return energy

    def space(
        self, query: Float[Array, " d"], known: Bool[Array, " d"] | None = None
    ) -> MatrixSpace | UnitMatrixSpace:
        """The dynamical system of one query."""
        space = MatrixSpace if self.units == "real" else UnitMatrixSpace
        return space(self, query, known)

    def write(self, key: ArrayLike, value: ArrayLike | None = None) -> "MatrixMemory":
        """A memory with one more pattern, W + value φ(key)ᵀ; this one is unchanged.

        That is Hebb's rule. Other rules write in their own way, `attrax.learning.Storkey().write`
        say, and the scale is not theirs to change.

        **Arguments:**

        - `key`: shape (d,). Bits are stored as the signs that they stand for.
        - `value`: what to read for it, shape (v,), of the states of units where there are units:
          the next pattern of a sequence, say. The key if `None`.

        **Raises:** `ValueError` for wrong shapes and states, where `value` is missing, and for
        memories that another rule has made.
        """
        if self.rule is not None:
            raise ValueError(
                f"{self.rule} made this memory, and what Hebb's rule adds would spoil it: use "
                f"attrax.learning.{self.rule}(...).write(memory, pattern) if there is one, or "
                "store all patterns anew."
            )
        return self._changed(key, value, 1.0)

    def remove(self, key: ArrayLike, value: ArrayLike | None = None) -> "MatrixMemory":
        """A memory without a pattern that was written before: what `write` does, undone.

        This cannot check that the pattern was stored; removing one that was not adds noise to the
        matrix.

        **Arguments:**

        - `key`, `value`: as they were written.

        **Raises:** as `write`.
        """
        if self.rule is not None:
            raise ValueError(
                f"{self.rule} made this memory, from which no single pattern can be taken: store "
                "the others anew."
            )
        return self._changed(key, value, -1.0)

    def _query(self, query) -> Array:
        query = as_floats("query", query, ndim=1, dtype=self.dtype)
        if query.shape != (self.width,):
            raise ValueError(
                f"`query` must have shape ({self.width},), but its shape is {query.shape}."
            )
        self.check_queries("query", query)
        return query

    def _changed(self, key, value, sign: float) -> "MatrixMemory":
        key = as_floats("key", key, ndim=1, dtype=self.dtype)
        if key.shape != (self.width,):
            raise ValueError(f"`key` must have shape ({self.width},), but has {key.shape}.")
        self.check_queries("key", key)
        if value is None and not self.recurrent:
            raise ValueError("`value` must be given: what is read is not of the kind of keys.")
        own = value is None
        value = key if own else as_floats("value", value, ndim=1, dtype=self.dtype)
        if value.shape != self.matrix.shape[:1]:
            raise ValueError(
                f"`value` must have shape {self.matrix.shape[:1]}, but it has {value.shape}."
            )
        if not own and self.units != "real":
            check_states("value", value, self.units)
        if not own and self._plain and is_concrete(key, value):
            own = np.array_equal(key, value)
        if self.units == "bits":
            key, value = 2 * key - 1, 2 * value - 1
        features = key if self.feature_map is None else self.feature_map(key)
        matrix = self.matrix + sign * value[:, None] * features[None]
        normaliser = self.normaliser
        if normaliser is not None:
            normaliser = normaliser + sign * features
        # A pattern that was not there, removed, leaves a negative eigenvalue.
        symmetry = self.symmetry
        if not (self._plain and own):
            symmetry = "none"
        elif symmetry == "positive" and sign < 0:
            symmetry = "symmetric"
        return dataclasses.replace(self, matrix=matrix, normaliser=normaliser, symmetry=symmetry)


@eqx.filter_jit
def _call(memory: MatrixMemory, query):
    return memory.pull(query)


def _vector(name: str, value, size: int, dtype) -> Array | None:
    if value is None:
        return None
    array = as_floats(name, value, ndim=1).astype(dtype)
    if array.shape != (size,):
        raise ValueError(f"`{name}` must have shape ({size},), but its shape is {array.shape}.")
    return array


def _symmetry(matrix: Float[Array, "v m"]) -> Symmetry:
    """What the matrix shows: whether it is symmetric up to rounding."""
    if matrix.shape[0] != matrix.shape[1] or not is_concrete(matrix):
        return "none"
    values = np.asarray(matrix, np.float64)
    rounding = 4 * float(jnp.finfo(matrix.dtype).eps) * np.abs(values).max()
    return "symmetric" if np.abs(values - values.T).max() <= rounding else "none"
