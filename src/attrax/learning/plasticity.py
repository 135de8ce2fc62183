"""Three-factor plasticity: the engine that writes a key-value memory along a stream."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from ..common.arithmetic import accumulate
from ..common.checks import as_floats, is_concrete, one_key
from ..stores.rows import Memory
from ..stores.storage import replaced
from .slots import AbstractSlotSelector, SlotOffer

# See attrax.separation.base: declared by leaves as class variable, property or field.
if TYPE_CHECKING:
    from typing import ClassVar as Declared
else:
    from equinox import AbstractVar as Declared


class PlasticState(eqx.Module):
    """A memory that is being written, and what its rule needs to go on: a pytree.

    - `memory`: a plain `attrax.Memory`, for reads, energies and `attrax.retrieve`.
    - `slots`: the state of the slot selector.
    - `stable` (N,): True for slots that are not written any more.
    - `key`: the random key of the next step.
    """

    memory: Memory
    slots: Any
    stable: Bool[Array, " N"]
    key: PRNGKeyArray


class AbstractPlasticity(eqx.Module):
    """A rule that writes a key-value memory by three factors: input, activity, and a third.

    The places of a `Memory` with values are N slots, hidden neurons with input weights K (the keys)
    and output weights V (the values). A step with input x, target y and strength q ≥ 0

    1. reads: h = separation(similarity(K, x)), ỹ = Σ_i h_i V_i;
    2. lets the selector choose slots, γ ∈ {0, 1}^N, and sets η = (1 − S) q γ, S being 1 for stable
       slots and 0 for others;
    3. writes the keys of these slots, which is up to the leaf;
    4. takes h' = separation(similarity(K, x)) with the new keys;
    5. writes the values, which is up to the leaf too;
    6. makes the slots with η > 1 stable from the next step on.

    Stable slots keep their keys and values whatever the leaf writes, and nothing is written where
    q = 0: such a step is a query. A rule is a description without state.
    """

    selector: Declared[AbstractSlotSelector]
    """The local third factor."""

    skip_stable: Declared[bool]
    """Whether stable slots are passed over; else an item whose turn they have is lost."""

    @abstractmethod
    def write_keys(
        self,
        keys: Float[Array, "N d"],
        input: Float[Array, " d"],
        weights: Float[Array, " N"],
        rate: Float[Array, " N"],
    ) -> Float[Array, "N d"]:
        """K after a step, of K, x, h and η."""

    @abstractmethod
    def write_values(
        self,
        values: Float[Array, "N v"],
        target: Float[Array, " v"],
        weights: Float[Array, " N"],
        rate: Float[Array, " N"],
        store: Float[Array, ""],
    ) -> Float[Array, "N v"]:
        """V after a step, of V, y, h', η and q."""

    def begin(self, memory: Memory, *, key: PRNGKeyArray | None = None) -> PlasticState:
        """The state before the first step.

        **Arguments:**

        - `memory`: with values, such as `attrax.models.plastic_memory(slots, width)`. All its
          places are slots, the empty ones too.
        - `key`: for selectors that draw slots, `jax.random.key(0)` say.

        **Raises:** `TypeError` if `memory` is no `Memory`, or `key` no key where one is needed;
        `ValueError` for a memory without values.
        """
        if not isinstance(memory, Memory):
            raise TypeError(
                f"`memory` must be an attrax.Memory, but it is {type(memory).__name__}; "
                "attrax.models.plastic_memory(slots, width) makes one."
            )
        if memory.values is None:
            raise ValueError(
                "`memory` must have values, which are written by themselves; "
                "attrax.models.plastic_memory(slots, width) has."
            )
        if key is None and self.selector.random:
            raise TypeError(
                f"`key` must be given, as {type(self.selector).__name__} draws slots; "
                "jax.random.key(0) say, and another for each stream."
            )
        count = memory.keys.shape[0]
        if memory.filled is None:
            memory = replaced(memory, filled=jnp.ones((count,), bool))
        key = jax.random.key(0) if key is None else one_key(key)
        return PlasticState(memory, self.selector.begin(count), jnp.zeros((count,), bool), key)

    def step(
        self,
        state: PlasticState,
        input: ArrayLike,
        target: ArrayLike | None = None,
        store: ArrayLike = 1.0,
    ) -> tuple[PlasticState, Float[Array, " v"]]:
        """One time step.

        **Arguments:**

        - `state`: of `begin`, or of the step before.
        - `input`: x, shape (d,).
        - `target`: y, what is to be read for it, shape (v,); x itself if `None`.
        - `store`: q ≥ 0: 0 reads only, 1 stores, and more makes what is stored stable.

        **Returns:** the state after the step, and ỹ, what the memory read before it, shape (v,).

        **Raises:** `ValueError` or `TypeError` that names the argument.
        """
        inputs = as_floats("input", input, ndim=1)[None]
        targets = None if target is None else as_floats("target", target, ndim=1)[None]
        store = as_floats("store", store, ndim=0)[None]
        state, reads = _run(self, state, *_stream(state, inputs, targets, store, ""))
        return state, reads[0]

    def run(
        self,
        state: PlasticState,
        inputs: ArrayLike,
        targets: ArrayLike | None = None,
        store: ArrayLike | None = None,
    ) -> tuple[PlasticState, Float[Array, "T v"]]:
        """All steps of a stream, in one compiled program; `jax.vmap` runs many streams.

        **Arguments:**

        - `state`: of `begin`, or of the stream before.
        - `inputs`: x, one a row, shape (T, d).
        - `targets`: y, shape (T, v); the inputs if `None`. A sequence has the next inputs.
        - `store`: q ≥ 0, shape (T,); ones if `None`.

        **Returns:** the state after the stream, and ỹ, what was read before each step, (T, v).

        **Raises:** `ValueError` or `TypeError` that names the argument.
        """
        inputs = as_floats("inputs", inputs, ndim=2)
        targets = None if targets is None else as_floats("targets", targets, ndim=2)
        count = inputs.shape[0]
        store = jnp.ones((count,)) if store is None else as_floats("store", store, ndim=1)
        if store.shape != (count,):
            raise ValueError(
                f"`store` must have one number an input, shape ({count},), but its shape is "
                f"{store.shape}."
            )
        return _run(self, state, *_stream(state, inputs, targets, store, "s"))


def weigh(memory: Memory, state: Float[Array, " d"]) -> Float[Array, " N"]:
    """h, what each slot weighs for a state in key space, shape (N,)."""
    return memory.separation(memory.state_scores(state), memory.filled)


def _stream(state: Any, inputs: Array, targets: Array | None, store: Array, plural: str):
    """The arguments of a stream, checked and in the type of the memory."""
    if not isinstance(state, PlasticState):
        raise TypeError(
            f"`state` must be a PlasticState, but it is {type(state).__name__}; "
            "rule.begin(memory) makes one."
        )
    memory, name = state.memory, f"input{plural}"
    assert memory.values is not None
    width, size = memory.width, memory.values.shape[1]
    if inputs.shape[1] != width:
        raise ValueError(
            f"`{name}` must have {width} entries like the memory's keys, but have "
            f"{inputs.shape[1]}."
        )
    if targets is None and size != width:
        raise ValueError(
            f"`target{plural}` must be given: the memory's values have {size} entries, and its "
            f"keys {width}."
        )
    targets = inputs if targets is None else targets
    if targets.shape != (inputs.shape[0], size):
        raise ValueError(
            f"`target{plural}` must have one row of {size} entries an input, "
            f"but the shape of them all is {targets.shape}."
        )
    if is_concrete(store) and (store < 0).any():
        raise ValueError(f"`store` must not be negative, but {float(store.min()):g} is among it.")
    inputs = inputs.astype(memory.query_dtype)
    memory.similarity.check(name, inputs)
    memory.check_queries(name, inputs)
    return inputs, targets.astype(memory.values.dtype), store.astype(accumulate(memory.dtype))


@eqx.filter_jit
def _run(rule: AbstractPlasticity, state: PlasticState, inputs, targets, store):
    arrays, static = eqx.partition(state, eqx.is_array)

    def advance(arrays, step):
        state, read = _advance(rule, eqx.combine(arrays, static), *step)
        return eqx.filter(state, eqx.is_array), read

    arrays, reads = jax.lax.scan(advance, arrays, (inputs, targets, store))
    return eqx.combine(arrays, static), reads


def _advance(rule: AbstractPlasticity, state: PlasticState, input, target, store):
    memory, stable = state.memory, state.stable
    values, query = memory.values, memory.encode(input)
    assert values is not None
    assert memory.filled is not None
    wide = accumulate(values.dtype)
    weights = weigh(memory, query).astype(wide)
    read = (weights @ values.astype(wide)).astype(values.dtype)
    key, draw = jax.random.split(state.key)
    free = ~stable if rule.skip_stable else jnp.ones_like(stable)
    gate, slots = rule.selector.select(state.slots, SlotOffer(store, free, weights), draw)
    rate = jnp.where(gate & ~stable, store, jnp.zeros_like(store))
    keys = rule.write_keys(memory.keys.astype(wide), query.astype(wide), weights, rate)
    keys = jnp.where(stable[:, None], memory.keys, keys.astype(memory.dtype))
    memory = replaced(memory, keys=keys, filled=memory.filled | (rate > 0))
    after = weigh(memory, query).astype(wide)
    new = rule.write_values(values.astype(wide), target.astype(wide), after, rate, store)
    new = jnp.where(stable[:, None], values, new.astype(values.dtype))
    memory = replaced(memory, values=new)
    return PlasticState(memory, slots, stable | (rate > 1), key), read
