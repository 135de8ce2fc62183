"""Dense memories of two-state units: E(σ) = −Σ_μ F(ξ_μ·σ)."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from ..errors import NoEnergyError, as_floats, is_floats
from ..separation import AbstractAdditive, GhostSoftmax, Power, Softmax
from ..separation.base import AbstractImplicit, largest, match
from ..similarity.sums import products
from ..unitspace import AbstractUnitSpace, check_states, decided


class BinaryMemory(eqx.Module):
    """A dense associative memory: units of −1 and +1 under E(σ) = −Φ(ξσ), e.g. −Σ_μ F(ξ_μ·σ).

    A unit takes the state of lower energy given all others; the difference of the two energies is
    computed as it is, not by its slope, so that a unit does not act on itself. Φ is the potential
    of a separation, with F′ as its weights: `Power(n − 1)` for F(x) = xⁿ/n, rectified or not,
    `Softmax()` for the logarithm of the exponential memory's energy. It need not be convex: one
    unit at a time, any F descends.

    ```python
    memory = attrax.models.dense_memory(patterns, degree=3)   # rows of −1 and +1
    attrax.retrieve(memory, queries)                          # one unit after another
    memory(query)                                             # all units at once
    ```

    **Arguments:**

    - `patterns`: ξ, the rows to be stored, shape (N, d), of −1 and +1.
    - `separation`: an additive one, of weights F′.
    - `self_term`: all at once by the slope of the energy, Σ_μ ξ_μi F′(ξ_μ·σ), in which a unit
      acts on itself, instead of by its difference.

    **Raises:** `ValueError` for rows that are not of −1 and +1; `TypeError` for a separation that
    is not a sum over memories.

    **Source:** [krotov2016dense]; [demircigil2017model]
    """

    keys: Float[Array, "n d"]
    separation: AbstractAdditive
    self_term: bool = eqx.field(static=True)
    units: ClassVar = "signs"

    def __init__(self, patterns: ArrayLike, separation: Any, *, self_term: bool = False):
        rows = as_floats("patterns", patterns, ndim=2)
        if rows.size == 0:
            raise ValueError(f"`patterns` are empty: their shape is {rows.shape}.")
        check_states("patterns", rows, "signs")
        self.keys, self.separation, self.self_term = rows, separation, bool(self_term)
        self.check_loaded()

    def check_loaded(self) -> None:
        """Refuse a separation that is no sum over memories, and rows that a file may describe.

        **Raises:** `TypeError` that names a separation that is one; `ValueError` for the rows.
        """
        if not is_floats(self.keys, None, None) or type(self.self_term) is not bool:
            raise ValueError("its fields make no memory of two-state units")
        part = self.separation
        if not isinstance(part, AbstractAdditive) or isinstance(part, AbstractImplicit):
            raise TypeError(
                "`separation` must be a sum over memories, such as Power(2, rectified=True) or "
                f"Softmax(), but it is {type(part).__name__}."
            )

    @property
    def width(self) -> int:
        """d, the number of units."""
        return self.keys.shape[1]

    @property
    def dtype(self) -> jnp.dtype:
        """The floating-point type of the rows."""
        return self.keys.dtype

    @property
    def lacks_energy(self) -> str | None:
        """Why there is no energy; `None` where there is one."""
        return self.separation.lacks_potential

    def __call__(self, query: ArrayLike) -> Float[Array, " d"]:
        """All units at once, each to the state of lower energy given the others.

        **Arguments:**

        - `query`: shape (d,), of −1 and +1.

        **Raises:** `ValueError` for a wrong shape, or other states; states are not looked at under
        jit and vmap.
        """
        return _call(self, self._query(query))

    def energy(self, query: ArrayLike) -> Float[Array, ""]:
        """E(σ) = −Φ(ξσ).

        **Raises:** `NoEnergyError` where the separation has no potential.
        """
        if self.lacks_energy is not None:
            raise NoEnergyError(self.lacks_energy)
        return self.state_energy(self._query(query))

    def check_queries(self, name: str, queries: Array, known: Array | None = None) -> None:
        """Refuse states other than −1 and +1; not under jit."""
        check_states(name, queries, "signs", known)

    def pull(self, state: Float[Array, " d"]) -> Float[Array, " d"]:
        """All units at once to the side that they are driven to."""
        return decided(self.drive(state), state, "signs")

    def drive(self, state: Float[Array, " d"]) -> Float[Array, " d"]:
        """What points a unit to +1 if positive: its gap, or with a self-term its field."""
        scores = products(self.keys, state)
        keys, state = (x.astype(scores.dtype) for x in (self.keys, state))
        if self.self_term:
            terms, factor = _weights(self.separation, scores)
            return _in_range(factor, products(keys.T, terms))
        if not isinstance(self.separation, Softmax):
            return _every_gap(self.separation, keys, scores, state)
        separation = match(self.separation, scores.dtype)
        # What is e^(−4β) of the largest term can still tip a unit, and must be a number.
        small = 4 * separation.beta < -0.9 * jnp.log(jnp.finfo(scores.dtype).tiny)
        return jax.lax.cond(small, _softmax_gaps, _every_gap, separation, keys, scores, state)

    def state_energy(self, state: Float[Array, " d"]) -> Float[Array, ""]:
        """The energy of a state of shape (d,)."""
        scores = products(self.keys, state)
        return -match(self.separation, scores.dtype).potential(scores)

    def model(
        self, query: Float[Array, " d"], known: Bool[Array, " d"] | None = None
    ) -> "BinarySpace":
        """What dynamics see of this memory for one query."""
        return BinarySpace(self, query, known)

    def _query(self, query):
        query = as_floats("query", query, ndim=1).astype(self.dtype)
        if query.shape != (self.width,):
            raise ValueError(
                f"`query` must have shape ({self.width},), but its shape is {query.shape}."
            )
        self.check_queries("query", query)
        return query


class BinarySpace(AbstractUnitSpace):
    """Units of a `BinaryMemory` for one query; what is cached are the overlaps ξσ."""

    def drive(self, state: Float[Array, " d"]) -> Float[Array, " d"]:
        """The drive of every unit."""
        return self.memory.drive(state)

    def cache(self, state: Float[Array, " d"]) -> tuple[Array, Array]:
        """The overlaps (N,), and ξᵀ, of which each update of a unit reads a row."""
        scores = products(self.memory.keys, state)
        columns = self.memory.keys.T.astype(scores.dtype)
        return scores, jax.lax.optimization_barrier(columns)

    def local(self, state, cache, index: Int[Array, ""]) -> Float[Array, ""]:
        """E(−1) − E(+1) of one unit."""
        scores, columns = cache
        own = state[index].astype(scores.dtype)
        return gap(self.memory.separation, scores, columns[index], own)

    def field(self, state, cache, index: Int[Array, ""]) -> Float[Array, ""]:
        """Σ_μ ξ_μi F′(ξ_μ·σ) of one unit."""
        scores, columns = cache
        terms, factor = _weights(self.memory.separation, scores)
        return _in_range(factor, jnp.sum(columns[index] * terms))

    def flip(self, cache, index: Int[Array, ""], change) -> tuple[Array, Array]:
        """The overlaps after one unit has changed."""
        scores, columns = cache
        return scores + columns[index] * change.astype(scores.dtype), columns


def gap(
    separation: AbstractAdditive,
    scores: Float[Array, " n"],
    column: Float[Array, " n"],
    state: Float[Array, ""],
) -> Float[Array, ""]:
    """E(−1) − E(+1) = Φ(s⁺) − Φ(s⁻) of one unit.

    Both potentials are taken at one reference, a power of two where it divides: then overlaps of
    ±1 are divided without rounding, and integers stay comparable as integers.

    **Arguments:**

    - `separation`: a sum over memories.
    - `scores`: overlaps of the present state, shape (N,).
    - `column`: ξ_μi of this unit, shape (N,).
    - `state`: of this unit.
    """
    separation = match(separation, scores.dtype)
    rest = scores - column * state
    up, down = rest + column, rest - column
    reference = jnp.maximum(largest(separation, up, None), largest(separation, down, None))
    if isinstance(separation, Power):
        # x = m 2^e, and the quotient x/m is exact; exp2 of e need not be.
        reference = jnp.maximum(reference, 1.0)
        reference = reference / jnp.frexp(reference)[0]
    (mass_up, part_up), (mass_down, part_down) = (
        separation.terms(x, reference) for x in (up, down)
    )
    if isinstance(separation, Softmax | GhostSoftmax):
        potentials = [
            separation.finish(reference, jnp.sum(mass), jnp.sum(part))[1]
            for mass, part in ((mass_up, part_up), (mass_down, part_down))
        ]
        return potentials[0] - potentials[1]
    mass, part = jnp.sum(mass_up - mass_down), jnp.sum(part_up - part_down)
    if isinstance(separation, Power):
        # Each term of Φ is divided by the degree, which whole numbers would not survive.
        part = jnp.sum(mass_up * up - mass_down * down) / (separation.degree + 1)
        return _in_range(separation.finish(reference, mass, jnp.ones_like(part))[1], part)
    return separation.finish(reference, mass, part)[1]


def _every_gap(separation, keys, scores, state):
    return jax.lax.map(lambda inputs: gap(separation, scores, *inputs), (keys.T, state))


def _softmax_gaps(separation, keys, scores, state):
    """`gap` of all units, by products in place of an exponential for each unit and memory.

    With w = exp(βs), and a and b its sums over memories in which the unit is +1 and −1, Σ exp(βs⁺)
    is a e^(β(1 − σ)) + b e^(−β(1 − σ)), and Σ exp(βs⁻) is a e^(−β(1 + σ)) + b e^(β(1 + σ)).
    """
    beta = separation.beta
    weights = jnp.exp(beta * (scores - jnp.max(scores)))
    # Apart, since in a difference a small sum would drown. Rows of zeros are the same in both.
    signs = (jnp.maximum(keys, 0), jnp.maximum(-keys, 0), 1 - jnp.abs(keys))
    above, below, level = (jnp.log(products(part.T, weights)) for part in signs)
    up, down = beta * (1 - state), beta * (1 + state)
    sums = [
        jax.nn.logsumexp(jnp.stack([above + change, below - change, level]), axis=0)
        for change in (up, -down)
    ]
    return (sums[0] - sums[1]) / beta


def _weights(separation, scores):
    """Weights as terms at a common reference, and the positive factor that all of them lack."""
    separation = match(separation, scores.dtype)
    reference = largest(separation, scores, None)
    mass, part = separation.terms(scores, reference)
    return mass, separation.finish(reference, jnp.sum(mass), jnp.sum(part))[0]


def _in_range(factor, value):
    """Their product, which keeps the sign of the value where it leaves the range of floats."""
    limits = jnp.finfo(value.dtype)
    size = jnp.clip(factor * jnp.abs(value), limits.tiny, limits.max)
    return jnp.where(value == 0, 0.0, jnp.sign(value) * size)


@eqx.filter_jit
def _call(memory: BinaryMemory, query):
    return memory.pull(query)
