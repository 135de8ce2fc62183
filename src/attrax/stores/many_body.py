"""Memories of interactions among many units at once: E(σ) = −(c/d^{P−1}) Σ_μ e_P(ξ_μ ⊙ σ)."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from ..common.arithmetic import accumulate
from ..common.checks import as_floats, is_floats, positive, shape_of, whole_number
from ..common.display import facts
from ..spaces.store import AbstractStore
from ..spaces.units import OverlappingUnits, decided


class ManyBodyMemory(AbstractStore):
    """Units of −1 and +1 in groups of P: E(σ) = −(c/d^{P−1}) Σ_μ e_P(ξ_μ1 σ_1, …, ξ_μd σ_d).

    e_P is the sum of the products of all P *different* entries, so that no unit acts on itself.
    The power (Σ_i ξ_μi σ_i)^P of a `dense_memory` also has products in which units repeat; with
    some d^{P−1} rows those outweigh the rest and hold every state in place. Rows are real numbers,
    such as means of examples.

    No tensor is formed: e_P follows from power sums p_k = Σ_i (ξ_μi σ_i)^k by Newton's identities,
    k e_k = Σ_{j=1}^{k} (−1)^{j−1} e_{k−j} p_j. A sweep over all units costs some N d P² operations.

    ```python
    memory = attrax.models.dense_hebbian_memory(examples, degree=4)  # (K, M, d), of −1 and +1
    attrax.retrieve(memory, queries)                                 # one unit after another
    attrax.retrieve(memory, queries, Glauber(0.05, sweeps=100), key=key)   # Monte Carlo
    ```

    **Arguments:**

    - `patterns`: ξ, the rows to be stored, shape (N, d), of real numbers.
    - `degree`: P, the number of units in a group, from 2 to d. If it is even, −σ has the energy of
      σ.
    - `scale`: c > 0, in units of the energy; a row of signs has the energy −c d/P!, about.

    **Raises:** `ValueError` for empty rows, a degree out of bounds, or a scale that is not
    positive.

    **Source:** [agliari2023supervised]
    """

    keys: Float[Array, "n d"]
    scale: Float[Array, ""]
    degree: int = eqx.field(static=True)
    units: ClassVar = "signs"
    recurrent: ClassVar = True
    lacks_energy: ClassVar[None] = None

    def __init__(self, patterns: ArrayLike, degree: int = 4, *, scale: ArrayLike = 1.0):
        rows = as_floats("patterns", patterns, ndim=2)
        if rows.size == 0:
            raise ValueError(f"`patterns` are empty: their shape is {rows.shape}.")
        self.degree = whole_number("degree", degree, 2)
        if self.degree > rows.shape[1]:
            raise ValueError(
                f"`degree` must be at most the {rows.shape[1]} units that there are, but it is "
                f"{self.degree}."
            )
        self.keys, self.scale = rows, positive("scale", scale)

    def check_loaded(self) -> None:
        """Refuse fields that do not fit together, as a file may describe them.

        **Raises:** `ValueError` that says so.
        """
        fits = is_floats(self.keys, None, None) and is_floats(self.scale)
        if not (fits and type(self.degree) is int and 2 <= self.degree <= self.width):
            raise ValueError("its fields make no memory of groups of units")

    @property
    def width(self) -> int:
        """d, the number of units."""
        return self.keys.shape[1]

    @property
    def dtype(self) -> jnp.dtype:
        """The floating-point type of the rows."""
        return self.keys.dtype

    def __len__(self) -> int:
        """How many rows there are."""
        return self.keys.shape[0]

    def __call__(self, query: ArrayLike) -> Float[Array, " d"]:
        """All units at once, each to the state of lower energy given the others.

        **Arguments:**

        - `query`: shape (d,), of −1 and +1.

        **Raises:** `ValueError` for a wrong shape, or other states; states are not looked at under
        jit and vmap.
        """
        return _call(self, self._query(query))

    def energy(self, query: ArrayLike) -> Float[Array, ""]:
        """E(σ) = −(c/d^{P−1}) Σ_μ e_P(ξ_μ ⊙ σ).

        **Arguments:**

        - `query`: σ, shape (d,), of −1 and +1.

        **Raises:** `ValueError` for a wrong shape, or other states.
        """
        return _energy(self, self._query(query))

    def pull(self, state: Float[Array, " d"]) -> Float[Array, " d"]:
        """All units at once to the side that they are driven to."""
        return decided(self.drive(state), state, "signs")

    def drive(self, state: Float[Array, " d"]) -> Float[Array, " d"]:
        """The field of every unit, ½ [E(−1) − E(+1)]; units that are not known are zero."""
        rows = self.rows
        polynomials = elementary(power_sums(rows, state, self.degree - 1))
        return _fields(rows.T, polynomials, state.astype(rows.dtype))

    def state_energy(self, state: Float[Array, " d"]) -> Float[Array, ""]:
        """The energy of a state of shape (d,)."""
        return -jnp.sum(elementary(power_sums(self.rows, state, self.degree))[-1])

    @property
    def rows(self) -> Float[Array, "n d"]:
        """(c/d^{P−1})^{1/P} ξ, in at least 32 bits, whose e_P is the energy without further factor.

        So sums of any degree are within the range of floats.
        """
        rows = self.keys.astype(accumulate(self.keys.dtype))
        scale = jnp.power(self.scale.astype(rows.dtype), 1 / self.degree)
        return rows * (scale * self.width ** (1 / self.degree - 1))

    def space(
        self, query: Float[Array, " d"], known: Bool[Array, " d"] | None = None
    ) -> "ManyBodySpace":
        """The dynamical system of one query."""
        square = jnp.square(self.rows)
        even = [jnp.sum(square ** (k // 2), axis=1) for k in range(2, self.degree, 2)]
        return ManyBodySpace(self, query, known, even)

    def _query(self, query):
        query = as_floats("query", query, ndim=1, dtype=self.dtype)
        if query.shape != (self.width,):
            raise ValueError(
                f"`query` must have shape ({self.width},), but its shape is {query.shape}."
            )
        self.check_queries("query", query)
        return query


class ManyBodySpace(OverlappingUnits):
    """Units of a `ManyBodyMemory` for one query; what follows their changes are odd power sums.

    **Arguments:**

    - `even`: the power sums p_2, p_4, … up to P − 1, which signs do not change, shape (N,) each.
    """

    even: list[Float[Array, " n"]]

    def drive(self, state: Float[Array, " d"]) -> Float[Array, " d"]:
        """The field of every unit."""
        return self.memory.drive(state)

    def overlaps(self, state: Float[Array, " d"]) -> Float[Array, "k n"]:
        """The power sums p_1, p_3, … up to P − 1, the first being the overlaps."""
        return jnp.stack(power_sums(self.memory.rows, state, self.memory.degree - 1)[::2])

    def columns(self) -> Float[Array, "d k n"]:
        """The powers of the rows' entries by which units change these sums, made once."""
        columns = self.memory.rows.T
        odd = [columns**k for k in range(1, self.memory.degree, 2)]
        return jax.lax.optimization_barrier(jnp.stack(odd, axis=1))

    def drives(self, columns, overlaps, state, rule):
        """See `OverlappingUnits.drives`; a gap is twice a field, as no unit acts on itself."""
        sums = [
            (overlaps if k % 2 else self.even)[(k - 1) // 2] for k in range(1, self.memory.degree)
        ]
        fields = _fields(columns[:, 0], elementary(sums), state.astype(columns.dtype))
        return 2 * fields if rule == "energy" else fields


def power_sums(
    rows: Float[Array, "n d"], state: Float[Array, " d"], degree: int
) -> list[Float[Array, " n"]]:
    """The power sums Σ_i (x_i σ_i)^k of each row x, for k from 1 to the degree."""
    state = state.astype(rows.dtype)
    return [jnp.matmul(rows**k, state**k) for k in range(1, degree + 1)]


def elementary(sums: list[Float[Array, " n"]]) -> list[Float[Array, " n"]]:
    """The elementary symmetric polynomials e_0 to e_P from the power sums p_1 to p_P.

    By Newton's identities, k e_k = Σ_{j=1}^{k} (−1)^{j−1} e_{k−j} p_j.
    """
    polynomials = [jnp.ones_like(sums[0])]
    for k in range(1, len(sums) + 1):
        total = jnp.zeros_like(sums[0])
        for j in range(1, k + 1):
            total = total + (-1) ** (j - 1) * polynomials[k - j] * sums[j - 1]
        polynomials.append(total / k)
    return polynomials


def _fields(columns, polynomials, state):
    """Σ_μ x_μi e_{P−1}(all entries but the i-th) of some units.

    Without one entry a of a row, e_k is e_k − a e_{k−1} + a² e_{k−2} − …, with all entries on the
    right. So rows are summed over by products of matrices, all states of a batch at once.
    """
    degree = len(polynomials)
    field = (-state) ** (degree - 1) * jnp.sum(columns**degree, axis=1)
    for k in range(degree - 1):
        field += (-state) ** k * jnp.matmul(columns ** (k + 1), polynomials[degree - 1 - k])
    return field


@facts.register
def _(memory: ManyBodyMemory) -> list[tuple[str, str]]:
    shape = shape_of(memory.keys)
    if shape is None:
        return facts.dispatch(object)(memory)
    return [
        ("rows N", f"{shape[0]}"),
        ("units d", f"{shape[1]}, signs, {memory.dtype}"),
        ("degree P", f"{memory.degree}"),
        ("scale c", f"{memory.scale}"),
    ]


@eqx.filter_jit
def _call(memory: ManyBodyMemory, query):
    return memory.pull(query)


@eqx.filter_jit
def _energy(memory: ManyBodyMemory, query):
    return memory.state_energy(query)
