"""Memories of sequences: each stored row is answered with the row that comes after it."""

from collections.abc import Callable
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from ..common.arithmetic import accumulate, range_scale
from ..common.checks import (
    POSITIVE,
    as_floats,
    is_concrete,
    is_floats,
    one_of,
    positive,
    shape_of,
)
from ..common.display import facts
from ..separation import AbstractAdditive, AbstractSeparation, SeparationFunction, Softmax
from ..separation.base import AbstractImplicit
from ..similarity import AbstractSimilarity, Dot, SimilarityFunction
from ..spaces.sequences import SequenceSpace
from ..spaces.store import AbstractStore
from ..spaces.units import Units, check_states
from .checks import why_out_of_range
from .rows import Memory
from .storage import pad_rows, streams


class SequenceMemory(AbstractStore):
    """Rows ξ_μ, each with a successor η_μ: x ← out(Σ_μ η_μ f(s_μ(x))).

    f is a separation and s a similarity, as of `Memory`. States of real entries are what is read,
    and two-state units take its sign. There, a unit's drive leaves out what the unit itself adds to
    the scores: with s_μ = ξ_μ·x the drive of unit i is Σ_μ η_μi f(s_μ − ξ_μi x_i).

    A second term makes it a mixed network, which holds each pattern for several steps:

        x ← out(Σ_μ ξ_μ f_S(s_μ(x)) + λ Σ_μ η_μ f(s_μ(x̄))),   x̄ = Σ_ρ w_ρ x_{t−ρ}.

    There weights of signs are in units of that of a matched row, f_S = f = 1 for a score of d − 1,
    as in the publication; of real entries the sum is divided by 1 + λ. The couplings are not
    symmetric, so there is no energy. `models.sequence_memory` makes one from sequences, and
    `dynamics.Replay` recalls them.

    **Arguments:**

    - `patterns`: ξ, shape (N, d).
    - `successors`: η, what comes after each, shape (N, d).
    - `similarity`: one of `attrax.similarity`; `None` is that of `Memory` for real entries, and
      `Dot()` for signs.
    - `separation`: f, one of `attrax.separation`; `None` is that of `Memory`, or `Softmax(1)`.
    - `units`: "real", or "signs" of −1 and +1.
    - `self_term`: whether a unit's own state counts in its drive. `None` leaves it out for signs
      where scores are sums over entries, as those of `Dot` and `Euclidean` are, and else keeps it.
    - `hold`: f_S, the separation of the term that holds a pattern; none if `None`.
    - `strength`: λ > 0, of the other term. To move on it must exceed 1 where f_S and f are alike.
    - `trace`: w, the weights of the present and of earlier states, the newest first, shape (τ+1,),
      ≥ 0; they are divided by their sum. `None` is the present alone.
    - `block`: rows read at a time where the self-term is kept, as of `Memory`.

    **Raises:** `ValueError` or `TypeError` as of `Memory`, for entries that are not −1 and +1 in
    a memory of signs, weights out of their range, and a self-term that cannot be left out.

    **Source:** [chaudhry2023long]
    """

    keys: Float[Array, "c d"]
    values: Float[Array, "c d"]
    held: Float[Array, "c d"] | None
    filled: Bool[Array, " c"] | None
    similarity: AbstractSimilarity
    separation: AbstractSeparation
    hold: AbstractSeparation | None
    strength: Float[Array, ""] = eqx.field(metadata=POSITIVE)
    trace: Float[Array, " w"] | None
    units: Units = eqx.field(static=True)
    self_term: bool = eqx.field(static=True)
    block: int | None = eqx.field(static=True)
    sequential: ClassVar = False
    recurrent: ClassVar = True

    def __init__(
        self,
        patterns: ArrayLike,
        successors: ArrayLike,
        *,
        similarity: AbstractSimilarity | Callable | None = None,
        separation: AbstractSeparation | Callable | None = None,
        units: Units = "real",
        self_term: bool | None = None,
        hold: AbstractSeparation | Callable | None = None,
        strength: ArrayLike = 2.5,
        trace: ArrayLike | None = None,
        block: int | None = None,
    ):
        one_of("units", units, ("real", "signs"))
        rows = as_floats("patterns", patterns, ndim=2)
        after = as_floats("successors", successors, ndim=2, dtype=rows.dtype)
        if rows.size == 0:
            raise ValueError(f"`patterns` are empty: their shape is {rows.shape}.")
        if after.shape != rows.shape:
            raise ValueError(
                f"`successors` must have the shape of `patterns`, {rows.shape}, but have "
                f"{after.shape}."
            )
        if units == "signs":
            check_states("patterns", rows, "signs")
            check_states("successors", after, "signs")
            similarity = Dot() if similarity is None else similarity
            separation = Softmax(1.0) if separation is None else separation
        similarity = _similarity(similarity)
        separation, hold = _separation(separation), _separation(hold)
        # Even powers of signed overlaps have no energy, which a sequence does not have anyway.
        part = Softmax(1.0) if units == "signs" else separation
        memory = Memory(rows, similarity=similarity, separation=part, block=block)
        self.keys, self.filled, self.block = memory.keys, memory.filled, memory.block
        self.values = pad_rows(after, self.keys.shape[0])
        self.similarity, self.separation = memory.similarity, memory.separation
        if units == "signs" and separation is not None:
            self.separation = separation
        self.units, self.hold = units, hold
        encoded = self.similarity.encoded and hold is not None
        self.held = pad_rows(rows, self.keys.shape[0]) if encoded else None
        self.strength, self.trace = positive("strength", strength), _weights(trace)
        self.self_term = _keeps_self(self, self_term)
        if not (self.self_term and _in_blocks(self.separation, self.hold)):
            self.block = None

    def check_loaded(self) -> None:
        """Refuse fields that do not fit together, as a file may describe them.

        **Raises:** `ValueError` that says so.
        """
        fits = (
            is_floats(self.keys, None, None)
            and is_floats(self.values, *self.keys.shape)
            and (self.held is None or is_floats(self.held, *self.keys.shape))
            and (self.trace is None or is_floats(self.trace, None))
            and is_floats(self.strength)
            and self.units in ("real", "signs")
            and type(self.self_term) is bool
            and isinstance(self.similarity, AbstractSimilarity)
            and isinstance(self.separation, AbstractSeparation)
            and (self.filled is None or shape_of(self.filled) == self.keys.shape[:1])
        )
        if not fits:
            raise ValueError("its fields make no memory of sequences")

    @property
    def width(self) -> int:
        """d, the number of entries of a state."""
        return self.keys.shape[1]

    @property
    def dtype(self) -> jnp.dtype:
        """The floating-point type of the rows."""
        return self.keys.dtype

    @property
    def lacks_scores(self) -> Callable[[str, Array, Array | None], str | None] | None:
        """See `AbstractStore.lacks_scores`; nothing is said under jit."""

        def why(name, queries, known=None):
            if not is_concrete(self.keys, queries):
                return None
            rows, asked = np.asarray(self.keys), np.asarray(queries)
            return why_out_of_range(self.similarity, name, rows, asked, None)

        return why if self.units == "real" else None

    def __len__(self) -> int:
        """How many rows there are."""
        return self.keys.shape[0] if self.filled is None else int(jnp.sum(self.filled))

    def __call__(self, query: ArrayLike) -> Float[Array, " d"]:
        """One step: what comes after a state that has lasted.

        **Arguments:**

        - `query`: shape (d,).

        **Raises:** `ValueError` for a wrong shape, and for other states than the units have, which
        are not looked at under jit and vmap.
        """
        query = as_floats("query", query, ndim=1, dtype=self.dtype)
        if query.shape != (self.width,):
            raise ValueError(
                f"`query` must have shape ({self.width},), but its shape is {query.shape}."
            )
        self.check_queries("query", query)
        return _call(self, query)

    def space(
        self, query: Float[Array, " d"], known: Bool[Array, " d"] | None = None
    ) -> SequenceSpace:
        """The dynamical system of one query.

        **Raises:** `ValueError` where entries are `known`, since they change from step to step.
        """
        if known is not None:
            raise ValueError(
                "`known` entries cannot be kept while a sequence moves on: complete the cue first, "
                "attrax.retrieve(attrax.Memory(patterns), cue, known=known).state."
            )
        wide = self.values.astype(accumulate(self.dtype))
        if self.units == "signs":
            paired = None if self.self_term else self.keys.astype(wide.dtype) * wide
            return SequenceSpace(self, query, paired, None)
        there = jnp.ones(len(wide), bool) if self.filled is None else self.filled
        # What all rows share says nothing of how far two of them are apart.
        first = wide[jnp.argmax(there)]
        apart = jnp.where(there[:, None], wide - first[None], 0)
        scale = range_scale(apart.reshape(-1))[0]
        size = jnp.sqrt(jnp.sum(jnp.square(apart * scale)) / jnp.sum(there, dtype=wide.dtype))
        size = size / scale
        return SequenceSpace(self, query, None, size)


def _similarity(value):
    if value is None or isinstance(value, AbstractSimilarity):
        return value
    return SimilarityFunction(value)


def _separation(value):
    if value is None or isinstance(value, AbstractSeparation):
        return value
    return SeparationFunction(value)


def _in_blocks(*separations) -> bool:
    return all(x is None or streams(x) for x in separations)


def _weights(trace) -> Array | None:
    """The weights of states, divided by their sum."""
    if trace is None:
        return None
    trace = as_floats("trace", trace, ndim=1)
    if trace.size == 0:
        raise ValueError("`trace` must hold the weight of the present state at least.")
    if is_concrete(trace) and not (float(trace.min()) >= 0 and float(trace.sum()) > 0):
        raise ValueError("`trace` must hold weights ≥ 0, not all of them zero.")
    return trace / jnp.sum(trace)


def _keeps_self(memory: SequenceMemory, asked: bool | None) -> bool:
    """Whether the self-term is kept; refuse to leave it out where that cannot be done."""
    parts = [memory.separation] + ([] if memory.hold is None else [memory.hold])
    sums = all(
        isinstance(x, AbstractAdditive) and not isinstance(x, AbstractImplicit) for x in parts
    )
    able = memory.units == "signs" and memory.similarity.bilinear != "no" and sums
    if asked is None:
        return not able
    if not asked and not able:
        raise ValueError(
            "`self_term` can be left out for units='signs' alone, with Dot() or Euclidean() and "
            "separations that are sums over memories, such as Power(2) and Softmax(): pass True."
        )
    return bool(asked)


@facts.register
def _(memory: SequenceMemory) -> list[tuple[str, str]]:
    shape = shape_of(memory.keys)
    if shape is None:
        return facts.dispatch(object)(memory)
    rows = [
        ("rows N", f"{shape[0]}"),
        ("entries d", f"{shape[1]}, {memory.units}, {memory.dtype}"),
        ("similarity", repr(memory.similarity)),
        ("separation", repr(memory.separation)),
    ]
    if memory.hold is not None:
        rows.append(("hold", f"{memory.hold!r}, strength {memory.strength}"))
    if memory.trace is not None:
        rows.append(("trace", f"{memory.trace.shape[0]} states"))
    return rows


@eqx.filter_jit
def _call(memory: SequenceMemory, query):
    return memory.space(query).read(query).value
