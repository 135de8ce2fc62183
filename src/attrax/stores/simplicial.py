"""Networks of two-state units whose connections join sets of several: E(σ) = −Σ w Π σ_i."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from ..common.arithmetic import accumulate
from ..common.checks import as_floats, is_concrete, is_floats, positive, shape_of, whole_number
from ..common.display import facts
from ..hierarchical import HierarchicalMemory, Neurons, SetwiseSynapse, Tanh
from ..spaces.store import AbstractStore
from ..spaces.units import SetwiseUnits, decided
from .simplices import Simplices, as_simplices, incidences
from .storage import replaced


class SimplicialMemory(AbstractStore):
    """Units of −1 and +1 under E(S) = −Σ_σ w(σ) Π_{i∈σ} S_i, with connections that join sets σ.

    Hebb's rule makes w(σ) = Σ_μ Π_{i∈σ} ξ_μi / d, with one factor for sets of all sizes, so that
    a pair and a triple drive a unit equally. E is linear in each unit, whose drive is
    h_i = Σ_{σ∋i} w(σ) Π_{j∈σ, j≠i} S_j, so one unit at a time descends; all at once may cycle.
    With sets of odd size −ξ is not what ξ is, and need not be stable.

    ```python
    simplices = attrax.models.random_simplices(100, {1: 2475, 2: 2475}, key=key)
    memory = attrax.models.simplicial_network(patterns, simplices)
    attrax.retrieve(memory, queries)                  # one unit after another
    memory.write(pattern)                             # one more, or several
    ```

    A sweep takes as many products as there are units in all sets together. Of a full skeleton,
    which has d³/6 triples, the same energy follows from overlaps with the patterns:
    `attrax.models.skeleton_memory`.

    **Arguments:**

    - `width`: d, number of units.
    - `simplices`: indices of the units in each set, an array (n, k) for each size k ≥ 2 of sets, as
      `full_skeleton` and `random_simplices` of `attrax.models` make them.
    - `weights`: w before it is scaled, an array (n,) for each of these; zeros if `None`. Whole
      numbers keep drives and ties exact.
    - `scale`: what weights are multiplied by, > 0; 1/d if `None`.

    **Raises:** `ValueError` or `TypeError` for sets that are no indices of units, that have one
    twice or are there twice, and for weights that do not fit.

    **Source:** [burns2023simplicial]
    """

    simplices: Simplices
    weights: tuple[Float[Array, " n"], ...]
    incident: tuple[Int[Array, "d m"], ...]
    others: tuple[Int[Array, "d m j"], ...]
    scale: Float[Array, ""]
    width: int = eqx.field(static=True)
    units: ClassVar = "signs"
    recurrent: ClassVar = True
    lacks_energy: ClassVar[None] = None

    def __init__(
        self,
        width: int,
        simplices: Any,
        weights: Any = None,
        *,
        scale: ArrayLike | None = None,
    ):
        self.width = whole_number("width", width, 2)
        self.simplices = as_simplices(simplices, self.width)
        if weights is None:
            weights = [jnp.zeros(len(sets), jnp.result_type(float)) for sets in self.simplices]
        if len(weights) != len(self.simplices):
            raise ValueError(
                f"`weights` must have an array for each of {len(self.simplices)} arrays of "
                f"`simplices`, but has {len(weights)}."
            )
        self.weights = tuple(as_floats(f"weights[{i}]", w, 1) for i, w in enumerate(weights))
        for i, (w, sets) in enumerate(zip(self.weights, self.simplices, strict=True)):
            if w.shape != sets.shape[:1] or w.dtype != self.dtype:
                raise ValueError(
                    f"`weights[{i}]` must have shape {sets.shape[:1]} and the type of the others, "
                    f"{self.dtype}, but is {w.dtype} of shape {w.shape}."
                )
        pairs = [incidences(sets, self.width) for sets in self.simplices]
        self.incident, self.others = (tuple(each) for each in zip(*pairs, strict=True))
        scale = 1 / self.width if scale is None else scale
        self.scale = positive("scale", scale).astype(self.dtype)

    def check_loaded(self) -> None:
        """Refuse fields that do not fit together, as a file may describe them.

        **Raises:** `ValueError` that says so.
        """
        width = self.width
        tables = (self.simplices, self.weights, self.incident, self.others)
        fits = (
            type(width) is int
            and width > 1
            and is_floats(self.scale)
            and all(type(table) is tuple for table in tables)
            and len({len(table) for table in tables}) == 1
            and len(self.weights) > 0
            and all(self._fits(*each) for each in zip(*tables, strict=True))
        )
        if not fits:
            raise ValueError("its fields make no network of simplices")

    def _fits(self, sets, weights, incident, others) -> bool:
        """Whether the arrays of one size of sets go together."""
        shape, rows, last = (shape_of(array) or () for array in (sets, incident, others))
        if len(shape) != 2 or not is_floats(weights, None):
            return False
        n, size = shape
        return (
            size > 1
            and weights.shape == (n,)
            and weights.dtype == self.dtype
            and len(rows) == 2
            and rows[0] == self.width
            and last == (*rows, size - 1)
            and _within(sets, self.width - 1)
            and _within(incident, n)
            and _within(others, self.width - 1)
        )

    @property
    def dtype(self) -> jnp.dtype:
        """The floating-point type of the weights, and of states."""
        return self.weights[0].dtype

    @property
    def counts(self) -> dict[int, int]:
        """How many simplices of each dimension there are; one of k dimensions joins k + 1 units."""
        return {sets.shape[1] - 1: sets.shape[0] for sets in self.simplices}

    def __call__(self, query: ArrayLike) -> Float[Array, " d"]:
        """All units at once, each to the side that it is driven to.

        **Arguments:**

        - `query`: shape (d,), of −1 and +1.

        **Raises:** `ValueError` for a wrong shape, or other states; states are not looked at under
        jit and vmap.
        """
        return _call(self, self._states("query", query, (1,)))

    def energy(self, query: ArrayLike) -> Float[Array, ""]:
        """E(S) = −Σ_σ w(σ) Π_{i∈σ} S_i, of a state of shape (d,).

        **Raises:** as a call.
        """
        return self.state_energy(self._states("query", query, (1,)))

    def pull(self, state: Float[Array, " d"]) -> Float[Array, " d"]:
        """All units at once to the side that they are driven to."""
        return decided(self.drive(state), state, "signs")

    def drive(self, state: Float[Array, " d"]) -> Float[Array, " d"]:
        """h_i of every unit."""
        return jax.vmap(lambda own: self.unit_drive(own, state))(self.connections())

    def state_energy(self, state: Float[Array, " d"]) -> Float[Array, ""]:
        """The energy of a state of shape (d,)."""
        wide = accumulate(self.dtype)
        state = state.astype(wide)
        total = sum(
            jnp.sum(weights.astype(wide) * _product(state, sets))
            for sets, weights in zip(self.simplices, self.weights, strict=True)
        )
        return -self.scale.astype(wide) * total

    def connections(self) -> tuple[tuple[Float[Array, "d m"], Int[Array, "d m j"]], ...]:
        """For each size of sets the weights of those that a unit is in, and the others in them."""
        wide = accumulate(self.dtype)
        return tuple(
            (weights.astype(wide).at[incident].get(mode="fill", fill_value=0), others)
            for weights, incident, others in zip(
                self.weights, self.incident, self.others, strict=True
            )
        )

    def unit_drive(self, connections: Any, state: Float[Array, " d"]) -> Float[Array, ""]:
        """h_i of one unit.

        **Arguments:**

        - `connections`: those of this unit.
        - `state`: of all units.
        """
        wide = accumulate(self.dtype)
        state = state.astype(wide)
        # Scaled last: of whole numbers the sum is exact, and a tie is a tie.
        total = sum(jnp.sum(weights * _product(state, others)) for weights, others in connections)
        return self.scale.astype(wide) * total

    def space(
        self, query: Float[Array, " d"], known: Bool[Array, " d"] | None = None
    ) -> "SimplicialSpace":
        """The dynamical system of one query."""
        return SimplicialSpace(self, query, known)

    def write(self, patterns: ArrayLike) -> "SimplicialMemory":
        """A memory in which these are stored too, by Hebb's rule; this one is unchanged.

        **Arguments:**

        - `patterns`: shape (d,), or (N, d) for several; of −1 and +1.

        **Raises:** `ValueError` for a wrong shape and other states.
        """
        return self._changed(patterns, 1.0)

    def remove(self, patterns: ArrayLike) -> "SimplicialMemory":
        """A memory without patterns that were stored before: what `write` does, undone.

        This cannot check that they were stored; removing what was not adds noise.

        **Arguments:**

        - `patterns`: as they were written.

        **Raises:** as `write`.
        """
        return self._changed(patterns, -1.0)

    def as_network(self, gain: ArrayLike = 1.0) -> HierarchicalMemory:
        """The network of graded units g = tanh(gain · u), with a synapse for each size of sets.

        Its energy is −Σ_σ w(σ) Π g_i + Σ_i ∫₀^{g_i} g⁻¹, of which the last term shrinks as 1/gain.
        `retrieve(network, queries, Flow())` runs it.

        **Arguments:**

        - `gain`: > 0, in units of 1/u, where u is of the size of a drive.

        **Raises:** `ValueError` for a gain that is not positive.
        """
        synapses = [
            SetwiseSynapse(sets, self.scale * weights)
            for sets, weights in zip(self.simplices, self.weights, strict=True)
        ]
        return HierarchicalMemory(
            {"units": Neurons(self.width, Tanh(positive("gain", gain)))}, {"units": synapses}
        )

    def _changed(self, patterns, sign):
        rows = jnp.atleast_2d(self._states("patterns", patterns, (1, 2)))
        return replaced(self, weights=_written(self, rows, jnp.asarray(sign, self.dtype)))

    def _states(self, name, states, axes):
        states = as_floats(name, states, dtype=self.dtype)
        if states.ndim not in axes or states.shape[-1] != self.width:
            many = "" if axes == (1,) else f", or (N, {self.width}) for several"
            raise ValueError(
                f"`{name}` must have shape ({self.width},){many}, but its shape is {states.shape}."
            )
        self.check_queries(name, states)
        return states


class SimplicialSpace(SetwiseUnits):
    """Units of a `SimplicialMemory` for one query."""

    def drive(self, state: Float[Array, " d"]) -> Float[Array, " d"]:
        """The drive of every unit."""
        return self.memory.drive(state)

    def connections(self):
        """See `SetwiseUnits.connections`."""
        return self.memory.connections()

    def turn(self, connections, state, rule):
        """See `SetwiseUnits.turn`; the gap is twice the field."""
        field = self.memory.unit_drive(connections, state)
        return field if rule == "field" else 2 * field


@facts.register
def _(memory: SimplicialMemory) -> list[tuple[str, str]]:
    shapes = [shape for sets in memory.simplices if (shape := shape_of(sets)) is not None]
    return [
        ("units d", f"{memory.width}, signs"),
        *((f"sets of {size}", f"{n:,}") for n, size in shapes),
        ("weights", f"{memory.dtype}"),
    ]


def _product(state: Float[Array, " d"], sets: Int[Array, "n k"]) -> Float[Array, " n"]:
    """Π S_i over each set."""
    # Indices were checked when the memory was made; to check them here takes a third of the time.
    entries = state.at[sets].get(mode="promise_in_bounds", wrap_negative_indices=False)
    return jnp.prod(entries, axis=-1)


def _within(indices: Array, largest: int) -> bool:
    if indices.dtype != jnp.int32:
        return False
    if not is_concrete(indices):
        return True
    return indices.size > 0 and int(indices.min()) >= 0 and int(indices.max()) <= largest


@eqx.filter_jit
def _call(memory: SimplicialMemory, query):
    return memory.pull(query)


@eqx.filter_jit
def _written(memory: SimplicialMemory, rows, sign):
    def add(weights, row):
        changes = [_product(row, sets) for sets in memory.simplices]
        return tuple(w + sign * c for w, c in zip(weights, changes, strict=True)), None

    return jax.lax.scan(add, memory.weights, rows)[0]
