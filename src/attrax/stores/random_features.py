"""A dense associative memory of constant size: a sum of random features."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from ..common.arithmetic import accumulate
from ..common.checks import GIVEN, as_floats, is_floats, positive, shape_of
from ..common.display import facts
from ..similarity import RandomFeatures
from ..spaces.base import Answer, Measured, Reaching, Reading
from ..spaces.noise import Noisy, PlainNoise
from ..spaces.store import AbstractStore
from .storage import replaced

# Features of patterns that are summed together hold about so many numbers.
_TOGETHER = 1 << 22


class RandomFeatureMemory(AbstractStore):
    """E(x) = −ln(max(φ(x)·T, clip))/β with T = Σ_μ φ(ξ_μ): patterns in one vector of constant size.

    φ are random features of the Gaussian kernel, so E is that of
    `Memory(rows, similarity=Euclidean(), separation=Softmax(beta))` but for noise that falls as
    1/√Y. A read is x − ∇E(x), one step to where that memory reads. It costs Y d operations,
    however many patterns there are. Patterns are added and taken away again.

    ```python
    memory = attrax.models.random_feature_memory(patterns, beta, 4096, key=key)
    memory = memory.write(more).remove(patterns[:3])
    attrax.retrieve(memory, queries, Iterate(0.1))
    ```

    The sum φ(x)·T can be zero or negative where few patterns are near, and has no logarithm then.
    It is kept from falling below `clip`: there the energy is flat, states stay where they are, and
    `attrax.retrieve` says `Outcome.unreached`. Far from all N patterns the sum is noise of about
    √(N/2Y), or more where patterns are alike, and a `clip` above that tells it.

    The energy falls along `Flow` and under short steps, `Iterate(0.1)` or
    `Euler(backtracking=True)`. Whole reads, `Iterate()`, can raise it where features are few.

    **Arguments:**

    - `features`: φ, a `RandomFeatures`.
    - `total`: T, shape (2 Y,); zero if `None`.
    - `clip`: the least φ(x)·T > 0, where one pattern at no distance has 1.

    **Raises:** `TypeError` if `features` is something else; `ValueError` for a `total` of another
    shape, or a `clip` that is not positive.

    **Source:** [hoover2024dense]
    """

    features: RandomFeatures
    total: Float[Array, " m"]
    clip: Float[Array, ""] = eqx.field(metadata=GIVEN)
    units: ClassVar = "real"
    recurrent: ClassVar = True
    lacks_energy: ClassVar = None

    def __init__(
        self, features: RandomFeatures, total: ArrayLike | None = None, *, clip: ArrayLike = 1e-5
    ):
        if not isinstance(features, RandomFeatures):
            raise TypeError(
                "`features` must be a RandomFeatures(width, count, beta, key=key), but it is "
                f"{type(features).__name__}."
            )
        self.features = features
        size = 2 * features.count
        total = jnp.zeros(size) if total is None else as_floats("total", total, ndim=1)
        if total.shape != (size,):
            raise ValueError(f"`total` must have shape ({size},), but its shape is {total.shape}.")
        self.total = total.astype(accumulate(total.dtype))
        self.clip = positive("clip", clip)

    def check_loaded(self) -> None:
        """Refuse fields that do not fit together, as a file may describe them.

        **Raises:** `ValueError` that says so.
        """
        fits = (
            isinstance(self.features, RandomFeatures)
            and is_floats(self.features.frequencies, None, None)
            and is_floats(self.features.beta)
            and is_floats(self.total, 2 * self.features.count)
            and is_floats(self.clip)
        )
        if not fits:
            raise ValueError("its fields make no memory of random features")

    @property
    def width(self) -> int:
        """d, the number of entries of a query."""
        return self.features.width

    @property
    def dtype(self) -> jnp.dtype:
        """The floating-point type of the sums, and of states."""
        return self.total.dtype

    def __call__(self, query: ArrayLike) -> Float[Array, " d"]:
        """Exactly one read, x − ∇E(x).

        **Arguments:**

        - `query`: x, shape (d,).

        **Returns:** shape (d,); the query itself where no pattern reaches it.

        **Raises:** `ValueError` for a wrong shape.
        """
        return _call(self, self._keys("query", query, ndim=1))

    def energy(self, query: ArrayLike) -> Float[Array, ""]:
        """E of a query of shape (d,)."""
        return _energy(self, self._keys("query", query, ndim=1))

    def density(self, query: ArrayLike) -> Float[Array, ""]:
        """φ(x)·T of a query of shape (d,), about Σ_μ exp(−½ β |x − ξ_μ|²): not clipped, so it may
        be negative."""
        return _density(self, self._keys("query", query, ndim=1))

    def state_density(self, state: Float[Array, " d"]) -> Float[Array, ""]:
        """φ(x)·T of a state."""
        return jnp.sum(self.features(state) * self.total)

    def state_energy(self, state: Float[Array, " d"]) -> Float[Array, ""]:
        """E of a state."""
        density = jnp.maximum(self.state_density(state), self.clip.astype(self.dtype))
        return -jnp.log(density) / self.features.beta.astype(self.dtype)

    def pull(self, state: Float[Array, " d"]) -> Float[Array, " d"]:
        """Where a state is drawn to, x − ∇E(x)."""
        return state - jax.grad(self.state_energy)(state)

    def space(
        self, query: Float[Array, " d"], known: Bool[Array, " d"] | None = None
    ) -> "FeatureSpace":
        """The dynamical system of one query.

        Entries that are known are held, but all are compared: those that are not start at zero.
        """
        return FeatureSpace(self, query, known)

    def write(self, patterns: ArrayLike) -> "RandomFeatureMemory":
        """A memory in which these are stored too, T + Σ φ(pattern); this one is unchanged.

        **Arguments:**

        - `patterns`: shape (d,), or (N, d) for many at once.

        **Raises:** `ValueError` for wrong shapes.
        """
        return self._changed(patterns, 1.0)

    def remove(self, patterns: ArrayLike) -> "RandomFeatureMemory":
        """A memory without what was written before: what `write` does, undone up to rounding.

        This cannot check that it was written; removing what was not leaves a hill in its place.

        **Arguments:**

        - `patterns`: as they were written.

        **Raises:** as `write`.
        """
        return self._changed(patterns, -1.0)

    def _changed(self, patterns, sign):
        rows = jnp.atleast_2d(self._keys("patterns", patterns))
        return replaced(self, total=_summed(self.features, self.total, rows, sign))

    def _keys(self, name, keys, ndim=None):
        keys = as_floats(name, keys, dtype=self.dtype)
        one = keys.ndim == 1 and ndim == 1
        fits = (one or (ndim is None and keys.ndim in (1, 2))) and keys.size > 0
        if not fits or keys.shape[-1] != self.width:
            many = "" if ndim == 1 else f", or (N, {self.width}) for many"
            raise ValueError(
                f"`{name}` must have shape ({self.width},){many}, but its shape is {keys.shape}."
            )
        return keys


class FeatureSpace(Measured, Noisy, Reaching):
    """States of a `RandomFeatureMemory` for one query.

    **Arguments:**

    - `memory`: the store.
    - `query`: shape (d,).
    - `known`: shape (d,), True for entries that are held; the others start at zero.
    """

    memory: Any
    query: Float[Array, " d"]
    known: Bool[Array, " d"] | None
    lacks_energy: ClassVar = None
    lacks_noise: ClassVar = None

    @property
    def initial(self) -> Float[Array, " d"]:
        """The query, zero where it is not known."""
        return self.query if self.known is None else jnp.where(self.known, self.query, 0.0)

    def read(self, state: Float[Array, " d"]) -> Reading:
        """One read; known entries stay as they are."""
        pulled = self.memory.pull(state)
        return Reading(
            state, pulled if self.known is None else jnp.where(self.known, self.query, pulled)
        )

    def energy(self, state: Float[Array, " d"]) -> Float[Array, ""]:
        """The memory's energy of a state."""
        return self.memory.state_energy(state)

    def magnitude(self, state: Float[Array, " d"]) -> Float[Array, ""]:
        """How large a sum of features the logarithm is taken of, in units of the energy."""
        terms = jnp.sum(jnp.abs(self.memory.features(state) * self.memory.total))
        share = terms / jnp.maximum(self.memory.state_density(state), self.memory.clip)
        beta = self.memory.features.beta.astype(share.dtype)
        return jnp.maximum(jnp.abs(self.energy(state)), share / beta)

    def answer(self, state: Float[Array, " d"], reading: Reading | None = None) -> Answer:
        """The state itself, with its energy."""
        return Answer(state, self.memory.state_energy(state), None)

    def record(self, path: Float[Array, "s d"]) -> Float[Array, "s d"]:
        """The states of a run, the start first."""
        return path

    def unreached(
        self, state: Float[Array, " d"], reading: Reading | None = None
    ) -> Bool[Array, ""]:
        """Whether the sum of features is not above the clip."""
        return self.memory.state_density(state) <= self.memory.clip.astype(self.memory.dtype)

    def geometry(self, state, temperature, step) -> PlainNoise:
        """See `Noisy.geometry`."""
        return PlainNoise(temperature, step, self.known)


@facts.register
def _(memory: RandomFeatureMemory) -> list[tuple[str, str]]:
    shape = shape_of(memory.total)
    if shape is None:
        return facts.dispatch(object)(memory)
    return [
        ("entries d", f"{memory.width}"),
        ("features 2Y", f"{shape[0]}, {memory.dtype}"),
        ("beta", f"{memory.features.beta}"),
        ("clip", f"{memory.clip}"),
    ]


@eqx.filter_jit
def _summed(features, total, rows, sign):
    """The total with the features of rows added or taken away, some rows at a time."""
    step = max(1, min(len(rows), _TOGETHER // total.size))
    spare = -len(rows) % step
    signs = sign * (jnp.arange(len(rows) + spare) < len(rows)).astype(total.dtype)
    rows = jnp.pad(rows, ((0, spare), (0, 0)))

    def several(carry, part):
        some, share = part
        return carry + share @ jax.vmap(features)(some).astype(total.dtype), None

    parts = rows.reshape(-1, step, rows.shape[1]), signs.reshape(-1, step)
    change = jax.lax.scan(several, jnp.zeros_like(total), parts)[0]
    return total + change


@eqx.filter_jit
def _call(memory: RandomFeatureMemory, query):
    return memory.pull(query)


@eqx.filter_jit
def _energy(memory: RandomFeatureMemory, query):
    return memory.state_energy(query)


@eqx.filter_jit
def _density(memory: RandomFeatureMemory, query):
    return memory.state_density(query)
