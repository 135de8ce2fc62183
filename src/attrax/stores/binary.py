"""Dense memories of two-state units: E(σ) = −Σ_μ F(ξ_μ·σ)."""

import functools
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from ..common.arithmetic import accumulate, in_range, match, products, shift
from ..common.checks import NoEnergyError, as_floats, is_floats
from ..separation import AbstractAdditive
from ..separation.base import AbstractImplicit, Shares, largest
from ..spaces.base import Comparing
from ..spaces.store import AbstractStore
from ..spaces.units import OverlappingUnits, check_states, decided


class BinaryMemory(AbstractStore):
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
    recurrent: ClassVar = True

    def __init__(self, patterns: ArrayLike, separation: Any, *, self_term: bool = False):
        rows = as_floats("patterns", patterns, ndim=2)
        if rows.size == 0:
            raise ValueError(f"`patterns` are empty: their shape is {rows.shape}.")
        check_states("patterns", rows, "signs")
        self.keys, self.separation, self.self_term = rows, separation, bool(self_term)
        self.check_loaded()

    def check_loaded(self) -> None:
        """Refuse a separation that is not a sum over memories, and rows that a file may describe.

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

    def pull(self, state: Float[Array, " d"]) -> Float[Array, " d"]:
        """All units at once to the side that they are driven to."""
        return decided(self.drive(state), state, "signs")

    def drive(self, state: Float[Array, " d"]) -> Float[Array, " d"]:
        """What points a unit to +1 if positive: its gap, or with a self-term its field."""
        scores = products(self.keys, state)
        columns = self.keys.astype(scores.dtype).T
        if self.self_term:
            return fields(self.separation, columns, scores)
        # Units that are not known are neither up nor down.
        return gaps(self.separation, columns, scores, state, states=(-1, 0, 1))

    def state_energy(self, state: Float[Array, " d"]) -> Float[Array, ""]:
        """The energy of a state of shape (d,)."""
        scores = products(self.keys, state)
        return -match(self.separation, scores.dtype).potential(scores)

    def space(
        self, query: Float[Array, " d"], known: Bool[Array, " d"] | None = None
    ) -> "BinarySpace":
        """The dynamical system of one query."""
        return BinarySpace(self, query, known)

    def _query(self, query):
        query = as_floats("query", query, ndim=1, dtype=self.dtype)
        if query.shape != (self.width,):
            raise ValueError(
                f"`query` must have shape ({self.width},), but its shape is {query.shape}."
            )
        self.check_queries("query", query)
        return query


class BinarySpace(OverlappingUnits, Comparing):
    """Units of a `BinaryMemory` for one query; what follows their changes are the overlaps ξσ."""

    def drive(self, state: Float[Array, " d"]) -> Float[Array, " d"]:
        """The drive of every unit."""
        return self.memory.drive(state)

    def overlaps(self, state: Float[Array, " d"]) -> Float[Array, " n"]:
        """ξσ, of every memory."""
        return products(self.memory.keys, state)

    @property
    def there(self) -> Bool[Array, " n"]:
        """All rows."""
        return jnp.ones(self.memory.keys.shape[:1], bool)

    def row(self, index: Int[Array, ""]) -> Float[Array, " d"]:
        """See `Comparing.row`."""
        return self.memory.keys[index]

    def compare(self, state: Float[Array, " d"]) -> Float[Array, " n"]:
        """The overlaps, of known units alone."""
        return self.overlaps(self._seen(state))

    def compare_with_itself(self, state: Float[Array, " d"]) -> Float[Array, ""]:
        """See `Comparing.compare_with_itself`."""
        return products(self._seen(state)[None], state)[0]

    def columns(self) -> Float[Array, "d n"]:
        """ξᵀ, of which each unit reads a row, made once."""
        keys = self.memory.keys
        return jax.lax.optimization_barrier(keys.T.astype(accumulate(keys.dtype)))

    def drives(self, columns, overlaps, state, rule):
        """See `OverlappingUnits.drives`."""
        if rule == "field":
            return fields(self.memory.separation, columns, overlaps)
        return gaps(self.memory.separation, columns, overlaps, state)

    def _seen(self, state):
        return state if self.known is None else jnp.where(self.known, state, 0.0)


def fields(
    separation: AbstractAdditive, columns: Float[Array, "b n"], scores: Float[Array, " n"]
) -> Float[Array, " b"]:
    """Σ_μ ξ_μi F′(ξ_μ·σ) of some units.

    **Arguments:**

    - `separation`: a sum over memories.
    - `columns`: ξ_μi of each unit.
    - `scores`: overlaps of the present state.
    """
    separation = match(separation, scores.dtype)
    reference = _reference(separation, scores)
    mass, part = separation.terms(scores, reference)
    factor = separation.finish(reference, jnp.sum(mass), jnp.sum(part))[0]
    return in_range(factor, products(columns, mass))


def gaps(
    separation: AbstractAdditive,
    columns: Float[Array, "b n"],
    scores: Float[Array, " n"],
    state: Float[Array, " b"],
    states: tuple[int, ...] = (-1, 1),
) -> Float[Array, " b"]:
    """E(−1) − E(+1) = Φ(s⁺) − Φ(s⁻) of some units, each if no other moved.

    A change of a unit by 2 changes overlaps by 2 with the memories in which it is +1, and by −2
    with the others. So Φ is taken once for each memory and change, and not for each unit, of which
    there are then products with the memories in which it is +1, and −1.

    **Arguments:**

    - `separation`: a sum over memories.
    - `columns`: ξ_μi of each unit; rows and units that are not there are zero.
    - `scores`: overlaps of the present state.
    - `state`: of these units.
    - `states`: which states there may be among them.
    """
    separation, state = match(separation, scores.dtype), state.astype(scores.dtype)
    separation = separation.unnormalised
    if separation.elementwise:
        return _gaps_of_sums(separation, columns, scores, state, states)
    shares = separation.shares(scores)
    if shares is None:
        return _steep_gaps(separation, columns, scores, state)
    # What is e^(−4β) of the largest term can still tip a unit, and must be a number.
    return jax.lax.cond(
        4 * shares.beta < -0.9 * jnp.log(jnp.finfo(scores.dtype).tiny),
        lambda *given: _gaps_of_logarithms(shares, *given),
        lambda *given: _steep_gaps(separation, *given),
        columns,
        scores,
        state,
    )


def _gaps_of_sums(separation, columns, scores, state, states):
    """`gaps` where Φ = Σ_μ F(s_μ).

    With G_k = F(s + k + 1) − F(s + k − 1), a unit's is the sum of G_−σ over memories in which it is
    +1, less that of G_σ over the others. All are taken at one reference.
    """
    reference = _reference(separation, scores + max(states) + 1, scores + min(states) - 1)
    changes = {k + step for k in states for step in (-1, 1)}
    at = {change: separation.difference_terms(scores + change, reference) for change in changes}
    differences = {k: [a - b for a, b in zip(at[k + 1], at[k - 1], strict=True)] for k in states}
    signs = jnp.maximum(columns, 0), jnp.maximum(-columns, 0)
    above, below = (
        {k: [products(sign, term) for term in found] for k, found in differences.items()}
        for sign in signs
    )
    sums = [jnp.zeros_like(state)] * len(at[states[0] + 1])
    for k in states:
        found = [a - b for a, b in zip(above[-k], below[k], strict=True)]
        sums = [jnp.where(state == k, x, y) for x, y in zip(found, sums, strict=True)]
    return separation.difference(reference, *sums)


def _reference(separation, *scores):
    """What terms of several scores are taken at, so that whole numbers stay comparable as such."""
    reference = functools.reduce(jnp.maximum, (largest(separation, x, None) for x in scores))
    return separation.exact_reference(reference)


def _gaps_of_logarithms(shares: Shares, columns, scores, state):
    """`gaps` where Φ = ln Σ_μ exp(β s_μ) / β.

    With w = exp(βs), and a and b its sums over memories in which the unit is +1 and −1, Σ exp(βs⁺)
    is a e^(β(1 − σ)) + b e^(−β(1 − σ)), and Σ exp(βs⁻) is a e^(−β(1 + σ)) + b e^(β(1 + σ)).
    """
    beta, top = shares.beta, jnp.max(scores)
    weights = jnp.exp(beta * shift(scores, top))
    # Apart, since in a difference a small sum would drown. Rows of zeros are the same in both.
    signs = (jnp.maximum(columns, 0), jnp.maximum(-columns, 0), 1 - jnp.abs(columns))
    above, below, level = (_log(products(part, weights)) for part in signs)
    if shares.ghost is not None:
        level = jnp.logaddexp(level, -beta * top)
    sums = [
        jax.nn.logsumexp(jnp.stack([above + change, below - change, level]), axis=0)
        for change in (beta * (1 - state), -beta * (1 + state))
    ]
    return (sums[0] - sums[1]) / beta


def _log(sums):
    """The logarithm, whose slope at zero, where nothing is summed, is zero."""
    there = sums > 0
    return jnp.where(there, jnp.log(jnp.where(there, sums, 1)), -jnp.inf)


def _steep_gaps(separation, columns, scores, state):
    """`gaps` from Φ itself, for each unit and memory."""

    def gap(inputs):
        column, own = inputs
        rest = scores - column * own
        return separation.potential(rest + column) - separation.potential(rest - column)

    return jax.lax.map(gap, (columns, state))


@eqx.filter_jit
def _call(memory: BinaryMemory, query):
    return memory.pull(query)
