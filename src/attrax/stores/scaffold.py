"""A memory whose attractors are fixed beforehand, and to which patterns are only attached."""

import math
from typing import ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from ..common.arithmetic import accumulate
from ..common.buckets import fill, rounded
from ..common.checks import (
    as_floats,
    is_concrete,
    is_floats,
    one_of,
    positive,
    shape_of,
    whole_number,
)
from ..common.display import facts
from ..spaces.scaffold import ScaffoldSpace
from ..spaces.store import AbstractStore
from ..spaces.units import Units, check_states
from .labels import all_labels, hot, signs, summed_states
from .least_squares import written_pairs
from .matrix import MatrixMemory
from .storage import replaced

Rule = Literal["pseudo_inverse", "hebb"]


class ScaffoldMemory(AbstractStore):
    """MESH: features f, hidden units h and labels l, of which f alone is stored, not the states.

    The scaffold is drawn before anything is stored. Its labels are all vectors of N_L units with k
    ones, C = binomial(N_L, k) of them, and a label puts the hidden units into h = sgn(W_HL l). The
    matrix back, W_LH = Σ l hᵀ/C, is summed over all C states. The n-th pattern that is written is
    attached to the n-th label: W_FH reads it from the hidden units, and W_HF finds the hidden
    units from it. A read of f is

        h = sgn(W_HF f),   l = the k winners of W_LH h,   h = sgn(W_HL l),   f̂ = sgn(W_FH h),

    and without the last sign where features are real numbers. Up to N_H patterns are read without
    error. Beyond, all are read less and less exactly, up to C, as
    `attrax.theory.scaffold_overlap` says. So there is no number of patterns at which all are lost.

    ```python
    memory = attrax.models.scaffold_memory(816, key=key)   # 18 labels, 3 winners, 300 hidden units
    memory = memory.write(patterns)                        # (N, d), or one of (d,)
    attrax.retrieve(memory, cues)                          # found.index: which pattern it is
    ```

    Of winners that tie, the unit of lower index wins, and the sign of zero is +1.

    By the pseudo-inverse, both matrices are those of least squares with a ridge λ, and a write
    costs O(d² + N_H² + d N_H), however many patterns there are. Hebb's rule adds products, which is
    cheaper, and reads far less, as hidden states of labels that share units are alike.

    **Arguments:**

    - `projection`: W_HL, shape (N_H, N_L); numbers from N(0, 1) make all labels fixed points if
      N_H is some tens of times k or more.
    - `winners`: k, from 1 to N_L − 1.
    - `width`: d, the number of features.
    - `order`: the label of the n-th pattern, by its place among all in lexicographic order, shape
      (C,); as they are if `None`, by which one label is much like the next.
    - `units`: what features are: "signs" (−1 and +1) or "real".
    - `rule`: "pseudo_inverse" or "hebb".
    - `ridge`: λ > 0 of W_FH. Near N_H patterns W_FH is large, and so are real features that are
      read at a label to which nothing was given; a larger ridge keeps them small. Below 0.01
      rounding in float32 is larger than what is gained.
    - `cue_ridge`: λ > 0 of W_HF, in units of squared features. `None` is d/8 for signs, by which
      noisy cues lead to their labels even as patterns become as many as features, and `ridge` for
      real features, whose size is not known. The publication has none: take 0.1.

    **Raises:** `ValueError` for empty or wrong shapes, numbers out of their range, an order that
    does not list every label once, and more than 2²⁰ labels.

    **Source:** [sharma2022content]
    """

    to_hidden: MatrixMemory
    to_label: MatrixMemory
    cue: MatrixMemory
    readout: MatrixMemory
    cue_inverse: Float[Array, "d d"] | None
    readout_inverse: Float[Array, "h h"] | None
    labels: Int[Array, "c k"]
    count: Int[Array, ""]
    units: Units = eqx.field(static=True)
    recurrent: ClassVar = True
    sequential: ClassVar = False
    lacks_energy: ClassVar[str] = (
        "Its four matrices are directed and independent of one another: no function of the states "
        "is known to fall. Labels are fixed points because all of them are summed in one matrix."
    )

    def __init__(
        self,
        projection: ArrayLike,
        winners: int,
        width: int,
        *,
        order: ArrayLike | None = None,
        units: Units = "signs",
        rule: Rule = "pseudo_inverse",
        ridge: ArrayLike = 0.1,
        cue_ridge: ArrayLike | None = None,
    ):
        matrix = as_floats("projection", projection, ndim=2)
        if matrix.size == 0:
            raise ValueError(f"`projection` is empty: its shape is {matrix.shape}.")
        matrix = matrix.astype(accumulate(matrix.dtype))
        hidden, dtype = matrix.shape[0], matrix.dtype
        one_of("units", units, ("signs", "real"))
        one_of("rule", rule, ("pseudo_inverse", "hebb"))
        width = whole_number("width", width)
        labels = all_labels(matrix.shape[1], winners, order)
        if cue_ridge is None:
            cue_ridge = ridge if units == "real" else width / 8
        least = rule == "pseudo_inverse"
        ridges = positive("ridge", ridge), positive("cue_ridge", cue_ridge)
        self.units, self.labels, self.count = units, labels, jnp.asarray(0, jnp.int32)
        self.to_hidden = MatrixMemory(matrix, symmetry="none")
        back = summed_states(matrix, labels)
        self.to_label = MatrixMemory(back, scale=1 / len(labels), symmetry="none")
        self.readout, self.readout_inverse = _empty(width, hidden, dtype, ridges[0], least)
        self.cue, self.cue_inverse = _empty(hidden, width, dtype, ridges[1], least)

    def check_loaded(self) -> None:
        """Refuse fields that do not fit together, as a file may describe them.

        **Raises:** `ValueError` that says so.
        """
        parts = (self.to_hidden, self.to_label, self.cue, self.readout)
        fits = all(isinstance(x, MatrixMemory) and x.units == "real" for x in parts)
        fits = fits and all(x.threshold is None and x.feature_map is None for x in parts)
        if fits:
            (h, n), d = self.to_hidden.matrix.shape, self.width
            shapes = [(h, n), (n, h), (h, d), (d, h)]
            listed = shape_of(self.labels) or ()
            inverses = ((self.cue_inverse, d), (self.readout_inverse, h))
            fits = (
                [x.matrix.shape for x in parts] == shapes
                and self.units in ("signs", "real")
                and len(listed) == 2
                and 0 < listed[1] < n
                and listed[0] == math.comb(n, listed[1])
                and self.labels.dtype == jnp.int32
                and shape_of(self.count) == ()
                and self.count.dtype == jnp.int32
                and (
                    all(x is None for x, _ in inverses)
                    or all(is_floats(x, n, n) for x, n in inverses)
                )
            )
        if not fits:
            raise ValueError("its fields make no scaffold memory")

    @property
    def width(self) -> int:
        """d, the number of features."""
        return self.cue.width

    @property
    def capacity(self) -> int:
        """C = binomial(N_L, k), how many patterns there is room for."""
        return self.labels.shape[0]

    @property
    def winners(self) -> int:
        """k, the number of ones of a label."""
        return self.labels.shape[1]

    @property
    def synapses(self) -> int:
        """How many couplings there are, N_H (2 d + 2 N_L)."""
        return 2 * self.cue.matrix.size + 2 * self.to_hidden.matrix.size

    @property
    def dtype(self) -> jnp.dtype:
        """The floating-point type of the matrices, and of states."""
        return self.cue.dtype

    def __len__(self) -> int:
        """How many patterns are written; not under jit."""
        return int(self.count)

    def __call__(self, query: ArrayLike) -> Float[Array, " d"]:
        """Exactly one read.

        **Arguments:**

        - `query`: f, shape (d,).

        **Returns:** f̂, shape (d,).

        **Raises:** `ValueError` for a wrong shape, or other states; states are not looked at under
        jit and vmap.
        """
        return _call(self, self._features("query", query, ndim=1))

    def lead(self, features: Float[Array, " d"]) -> Float[Array, " h"]:
        """The hidden units that features of shape (d,) lead to, sgn(W_HF f), not yet cleaned."""
        return signs(self.cue.drive(features)).astype(self.dtype)

    def clean(self, hidden: Float[Array, " h"]) -> tuple[Float[Array, " l"], Float[Array, " h"]]:
        """The label that a state of the hidden units has, and the hidden units that it puts there.

        **Arguments:**

        - `hidden`: h, shape (N_H,).

        **Returns:** l, shape (N_L,), of exactly k ones, and sgn(W_HL l), shape (N_H,).
        """
        places = jax.lax.top_k(self.to_label.drive(hidden), self.winners)[1]
        label = hot(places, self.to_label.matrix.shape[0], self.dtype)
        return label, self.hidden(label)

    def hidden(self, label: Float[Array, " l"]) -> Float[Array, " h"]:
        """The hidden units that a label puts there, sgn(W_HL l)."""
        return signs(self.to_hidden.drive(label))

    def label(self, index: Int[Array, ""] | int) -> Float[Array, " l"]:
        """The label of the n-th pattern, shape (N_L,)."""
        return hot(self.labels[index], self.to_label.matrix.shape[0], self.dtype)

    def read_out(self, hidden: Float[Array, " h"]) -> Float[Array, " d"]:
        """The features that hidden units of shape (N_H,) stand for."""
        drive = self.readout.drive(hidden)
        return drive if self.units == "real" else signs(drive)

    def place(self, label: Float[Array, " l"]) -> Int[Array, ""]:
        """Which pattern a label was given to, −1 if none was."""
        ones = jnp.sort(jax.lax.top_k(label, self.winners)[1])
        found = jnp.argmax(jnp.all(self.labels == ones[None], axis=1)).astype(jnp.int32)
        return jnp.where(found < self.count, found, -1)

    def space(
        self, query: Float[Array, " d"], known: Bool[Array, " d"] | None = None
    ) -> ScaffoldSpace:
        """The dynamical system of one query; features that are known alone lead to a label."""
        return ScaffoldSpace(self, query, known)

    def write(self, patterns: ArrayLike) -> "ScaffoldMemory":
        """A memory with more patterns on the next labels; this one is unchanged.

        **Arguments:**

        - `patterns`: shape (d,), or (N, d) for many, one after another.

        **Raises:** `ValueError` for wrong shapes and states, and where there are no labels left.
        Under jit nothing can be raised, and patterns beyond the last label are left out.
        """
        rows = jnp.atleast_2d(self._features("patterns", patterns))
        if is_concrete(self.count) and len(self) + len(rows) > self.capacity:
            raise ValueError(
                f"`patterns` are {len(rows)}, but only {self.capacity - len(self)} of the "
                f"{self.capacity} labels are left: make the memory with more label units or "
                "winners; C = binomial(labels, winners)."
            )
        return _write(self, fill(rows, rounded(len(rows))), np.int32(len(rows)))

    def _features(self, name, value, ndim=None):
        value = as_floats(name, value, dtype=self.dtype)
        one = value.ndim == 1
        if not (one or (ndim is None and value.ndim == 2)) or value.shape[-1] != self.width:
            many = "" if ndim == 1 else f", or (N, {self.width}) for many"
            raise ValueError(
                f"`{name}` must have shape ({self.width},){many}, but its shape is {value.shape}."
            )
        if self.units != "real":
            check_states(name, value, self.units)
        return value


@facts.register
def _(memory: ScaffoldMemory) -> list[tuple[str, str]]:
    shape = shape_of(memory.labels)
    if shape is None:
        return facts.dispatch(object)(memory)
    written = int(memory.count) if is_concrete(memory.count) else "traced"
    return [
        ("patterns", f"{written} of {shape[0]}"),
        ("labels N_L", f"{memory.to_label.matrix.shape[0]}, winners {shape[1]}"),
        ("hidden N_H", f"{memory.to_hidden.matrix.shape[0]}"),
        ("features d", f"{memory.width}, {memory.units}, {memory.dtype}"),
        ("rule", "hebb" if memory.cue_inverse is None else "pseudo_inverse"),
    ]


def _empty(rows: int, columns: int, dtype, ridge, least: bool):
    """A matrix of nothing, and the inverse of its ridge where it is to be of least squares."""
    matrix = jnp.asarray(np.zeros((rows, columns), dtype))
    if not least:
        return MatrixMemory(matrix, scale=1 / columns, symmetry="none"), None
    inverse = jnp.asarray(np.eye(columns, dtype=dtype)) / ridge.astype(dtype)
    return MatrixMemory(matrix, symmetry="none", rule="ScaffoldMemory"), inverse


@eqx.filter_jit
def _write(memory: ScaffoldMemory, rows, count):
    """The memory with the first `count` rows on the labels that are next."""
    count = jnp.minimum(count, memory.capacity - memory.count)
    numbers = memory.count + jnp.arange(rows.shape[0], dtype=jnp.int32)
    labels = jax.vmap(memory.label)(jnp.minimum(numbers, memory.capacity - 1))
    hidden = jax.vmap(memory.hidden)(labels)
    cue, readout = memory.cue.matrix, memory.readout.matrix
    first, second = memory.cue_inverse, memory.readout_inverse
    if first is None or second is None:
        there = jnp.arange(rows.shape[0]) < count
        rows = jnp.where(there[:, None], rows, 0)
        cue, readout = cue + hidden.T @ rows, readout + rows.T @ hidden
    else:
        cue, first = written_pairs(cue, first, rows, hidden, count)
        readout, second = written_pairs(readout, second, hidden, rows, count)
    return replaced(
        memory,
        cue=replaced(memory.cue, matrix=cue),
        readout=replaced(memory.readout, matrix=readout),
        cue_inverse=first,
        readout_inverse=second,
        count=memory.count + count,
    )


@eqx.filter_jit
def _call(memory: ScaffoldMemory, query):
    space = memory.space(query)
    return space.features(space.read(space.initial).value)
