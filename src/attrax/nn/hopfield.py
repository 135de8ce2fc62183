"""`HopfieldAttention`: a memory whose rows are given by another input, with what is learnt."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.checks import (
    POSITIVE,
    NoEnergyError,
    as_floats,
    is_concrete,
    one_key,
    one_of,
    plain_number,
    whole_number,
)
from ..dynamics.base import AbstractDynamics
from ..separation import AbstractSeparation, Softmax
from ..separation.attention import is_softmax
from ..similarity import Dot
from ..stores.checks import check_domain, why_no_energy
from ..stores.rows import Memory
from . import association
from .projections import as_share, chosen, linear, mapped, normal

INPUTS = ("query", "key", "value")


class Association(NamedTuple):
    """What a layer read, head by head.

    - `output` (S, o): what the layer gives.
    - `state` (H, S, z): the states that values were read for, in key space.
    - `weights` (H, S, N): the association matrix of these states, before dropout.
    - `energy` (H, S): ½|state|² − Φ of these states; NaN where the layer `lacks_energy`.
    - `effective` (H, S): how many memories share the weight, (Σ w)²/Σ w².
    """

    output: Float[Array, "s o"]
    state: Float[Array, "h s z"]
    weights: Float[Array, "h s n"]
    energy: Float[Array, "h s"]
    effective: Float[Array, "h s"]


class HopfieldAttention(eqx.Module):
    """States of one input read the rows of another: values · sep(β K q), in several heads.

    q = query W_q, K = keys W_k, V = values W_v, and what is read goes through W_o. With `steps` it
    is a Hopfield network that runs in key space, q ← Kᵀ sep(β K q), before values are read; one
    step is the attention of transformers. Each head is an `attrax.Memory` of its keys: see
    `memory`, `energy`, `weights` and `effective`.

    ```python
    layer = HopfieldAttention(64, heads=4, key=jax.random.key(0))
    layer(x)                         # (S, 64): its rows ask one another
    layer(query, keys, mask=mask)    # (S, 64), (N, 64): True takes part
    jax.vmap(layer)(batch)           # (B, S, 64)
    ```

    With `project=()` nothing is learnt and the layer retrieves: its `keys` are patterns.

    **Arguments:**

    - `query_size`, `key_size`, `value_size`: entries of a row of each input; those of queries and
      keys if `None`.
    - `heads`: H, the number of heads.
    - `head_size`: z, entries of a key within a head; query_size/H if `None`, or all of them where
      queries are not projected.
    - `value_head_size`: entries of a value within a head; z if `None`.
    - `output_size`: entries of the output; query_size if `None`.
    - `beta`: β > 0, one number for all heads or one for each, shape (H,), in units of 1/(q·k);
      1/√z if `None`. It is learnt.
    - `separation`: how scores become weights, such as `Entmax(1.5)`; its own β is not used.
      `None` is `Softmax()`.
    - `steps`: how many reads, ≥ 1; values are read in the last.
    - `dynamics`: instead of `steps`, how states run, such as `FixedPoint()`, whose gradient is that
      of the fixed point.
    - `project`: which of "query", "key", "value" and "output" have weights; True is all. Rows that
      are not projected go to every head as they are.
    - `connected`: whether values are projected by W_k first, V = values W_k W_v.
    - `norm`: which of "query", "key" and "value" have a layer norm before all else; True is all.
      It is off, as patterns that are normalised are no longer those that were stored.
    - `rotary`: whether keys and states are turned by their places, see `rotate_positions`, so that
      scores depend on how far apart these are; a number is its `base`, 10 000 for True.
    - `head_norm`: whether keys and states have a common layer norm within each head, once.
    - `bias`: whether projections have a bias.
    - `zero`: whether a memory of zeros is among the keys, so that a state can read nothing.
    - `learnt`: whether one key and value more are learnt, beside those of the input.
    - `dropout`: the share of weights of the last read that is dropped in training.
    - `activation`: a function of the output, or `None`.
    - `implementation`: what reads instead of attrax: "xla" or "cudnn", as of
      `jax.nn.dot_product_attention`, or a function of its arguments (query, key, value, mask=,
      scale=), such as a kernel of your device, or one that can be exported. It is for a softmax of
      one read without dropout, with values of the keys' width.
    - `inference`: True switches dropout off, as `eqx.nn.inference_mode` does.
    - `deviation`: standard deviation of all weights at the start.
    - `key`: of the weights at the start.

    **Raises:** `ValueError` for sizes that do not fit, a `beta` that is not positive, or options
    that contradict each other; `TypeError` for other kinds of things.

    **Source:** [ramsauer2021hopfield]; [vaswani2017attention]
    """

    query_map: eqx.nn.Linear | None
    key_map: eqx.nn.Linear | None
    value_map: eqx.nn.Linear | None
    output_map: eqx.nn.Linear | None
    query_norm: eqx.nn.LayerNorm | None
    key_norm: eqx.nn.LayerNorm | None
    value_norm: eqx.nn.LayerNorm | None
    head_norm: eqx.nn.LayerNorm | None
    learnt_key: Float[Array, "h z"] | None
    learnt_value: Float[Array, "h v"] | None
    beta: Float[Array, " h"] | None = eqx.field(metadata=POSITIVE)
    separation: AbstractSeparation
    dynamics: AbstractDynamics | None
    activation: Callable | None
    implementation: Callable | str | None = eqx.field(static=True)
    query_size: int = eqx.field(static=True)
    key_size: int = eqx.field(static=True)
    value_size: int = eqx.field(static=True)
    head_size: int = eqx.field(static=True)
    output_size: int = eqx.field(static=True)
    heads: int = eqx.field(static=True)
    steps: int = eqx.field(static=True)
    connected: bool = eqx.field(static=True)
    zero: bool = eqx.field(static=True)
    rotary: float | None = eqx.field(static=True)
    dropout: float = eqx.field(static=True)
    deviation: float = eqx.field(static=True)
    inference: bool

    def __init__(
        self,
        query_size: int,
        key_size: int | None = None,
        value_size: int | None = None,
        *,
        heads: int = 1,
        head_size: int | None = None,
        value_head_size: int | None = None,
        output_size: int | None = None,
        beta=None,
        separation: AbstractSeparation | None = None,
        steps: int = 1,
        dynamics: AbstractDynamics | None = None,
        project: bool | tuple[str, ...] = True,
        connected: bool = False,
        norm: bool | tuple[str, ...] = False,
        rotary: bool | float = False,
        head_norm: bool = False,
        bias: bool = True,
        zero: bool = False,
        learnt: bool = False,
        dropout: float = 0.0,
        activation: Callable | None = None,
        implementation: Callable | str | None = None,
        inference: bool = False,
        deviation: float = 0.02,
        key: Array,
    ):
        size = self.query_size = whole_number("query_size", query_size)
        self.key_size = size if key_size is None else whole_number("key_size", key_size)
        self.value_size = self.key_size
        if value_size is not None:
            self.value_size = whole_number("value_size", value_size)
        self.heads, self.steps = whole_number("heads", heads), whole_number("steps", steps)
        maps, norms = chosen("project", project, (*INPUTS, "output")), chosen("norm", norm, INPUTS)
        self.head_size = _head_size(head_size, self.heads, size, self.key_size, maps)
        inner = self.head_size
        self.connected, self.zero = bool(connected), bool(zero)
        self.rotary = _rotary(rotary, inner)
        given = self.heads * inner if connected and "key" in maps else self.value_size
        value_head = (
            inner if value_head_size is None else whole_number("value_head_size", value_head_size)
        )
        if "value" not in maps:
            value_head = given if not (connected and "key" in maps) else inner
        for name, rows in (("query", size), ("key", self.key_size)):
            if name not in maps and rows != inner:
                raise ValueError(
                    f"`{name}_size` must be `head_size`, {inner}, as {name} rows are not "
                    f"projected, but it is {rows}."
                )
        if connected and self.value_size != self.key_size:
            raise ValueError(
                f"`value_size` must be `key_size`, {self.key_size}, where values are connected to "
                f"keys, but it is {self.value_size}."
            )
        out = size if output_size is None else whole_number("output_size", output_size)
        if "output" not in maps and output_size is not None:
            raise ValueError("`output_size` is for a projected output; `project` has none.")
        self.output_size = out if "output" in maps else self.heads * value_head
        self.separation = _separation(separation)
        self.beta = _betas(beta, self.separation, self.heads, inner)
        self.dynamics = dynamics
        if dynamics is not None and not isinstance(dynamics, AbstractDynamics):
            raise TypeError(
                f"`dynamics` must be one of attrax.dynamics, but it is {type(dynamics).__name__}."
            )
        if dynamics is not None and (steps != 1 or dynamics.random):
            raise ValueError("`dynamics` must not be random, nor be given beside `steps`.")
        self.dropout, self.inference = as_share("dropout", dropout), bool(inference)
        if activation is not None and not callable(activation):
            raise TypeError(f"`activation` must be a function, but it is {activation!r}.")
        self.implementation = implementation
        if implementation is not None:
            _check_implementation(self, value_head)
        self.activation, self.deviation = activation, plain_number("deviation", deviation)
        keys = jax.random.split(one_key(key), 6)

        def made(name, rows, outs, key):
            if name not in maps:
                return None
            return linear(rows, outs, bias=bias, deviation=deviation, key=key)

        self.query_map = made("query", size, self.heads * inner, keys[0])
        self.key_map = made("key", self.key_size, self.heads * inner, keys[1])
        self.value_map = made("value", given, self.heads * value_head, keys[2])
        self.output_map = made("output", self.heads * value_head, out, keys[3])
        sizes = zip(INPUTS, (size, self.key_size, self.value_size), strict=True)
        self.query_norm, self.key_norm, self.value_norm = (
            eqx.nn.LayerNorm(rows) if name in norms else None for name, rows in sizes
        )
        self.head_norm = eqx.nn.LayerNorm(inner) if head_norm else None
        self.learnt_key = self.learnt_value = None
        if learnt:
            self.learnt_key = normal((self.heads, inner), deviation, keys[4])
            self.learnt_value = normal((self.heads, value_head), deviation, keys[5])

    def __call__(
        self,
        query: ArrayLike,
        keys: ArrayLike | None = None,
        values: ArrayLike | None = None,
        *,
        mask=None,
        causal: bool = False,
        positions=None,
        key_positions=None,
        key: Array | None = None,
        inference: bool | None = None,
    ) -> Float[Array, "s o"]:
        """What the states of one input read of the rows of another.

        **Arguments:**

        - `query`: states, shape (S, query_size).
        - `keys`: stored rows, shape (N, key_size); the queries if `None`.
        - `values`: what is read, shape (N, value_size); the keys if `None`.
        - `mask`: True for keys that take part: shape (N,), (S, N) or (H, S, N); all if `None`.
        - `causal`: whether key n takes part for states s ≥ n only; then N = S.
        - `positions`: places of the queries where there is a `rotary`, shape (S,); 0 … S − 1 if
          `None`.
        - `key_positions`: places of the keys, shape (N,); those of the queries where these are the
          keys, else 0 … N − 1.
        - `key`: of the dropout, needed in training where there is some.
        - `inference`: whether dropout is off; the layer's own if `None`.

        **Returns:** shape (S, output_size), or (S, H · value_head_size) without an output
        projection. A state for which nothing takes part reads zero.

        **Raises:** `ValueError` for wrong shapes, or a missing `key`.
        """
        places = association.Places(positions, key_positions)
        given = association.inputs(
            self, query, keys, values, mask=mask, causal=causal, places=places
        )
        off = self.inference if inference is None else inference
        dropout = 0.0 if off else self.dropout
        if dropout and key is None:
            raise ValueError("`key` is needed for dropout; without it, pass inference=True.")
        if self.dynamics is not None:
            return self.joined(association.run(self, given), query)
        if self.implementation is not None:
            return self.joined(association.read_elsewhere(self, given), query)
        state = association.states(self, given)
        seeds = jax.random.split(one_key(key), self.heads) if dropout else None
        read = association.attended(self, given, state, given.values, dropout, seeds)
        return self.joined(read.value, query)

    def read(
        self, query, keys=None, values=None, *, mask=None, causal: bool = False
    ) -> Association:
        """All that one pass of the layer gives, without dropout; takes memory for (H, S, N).

        **Arguments:** as of a call.

        **Returns:** an `Association`.
        """
        given = association.inputs(self, query, keys, values, mask=mask, causal=causal)
        state = association.states(self, given)
        read = association.attended(self, given, state, given.values)
        weights = association.weights(self, given, state)
        energy = 0.5 * jnp.sum(jnp.square(state), axis=-1) - read.potential
        if self.lacks_energy is not None:
            energy = jnp.full_like(energy, jnp.nan)
        mass, square = jnp.sum(weights, axis=-1), jnp.sum(jnp.square(weights), axis=-1)
        effective = jnp.square(mass) / jnp.where(square == 0, 1.0, square)
        return Association(self.joined(read.value, query), state, weights, energy, effective)

    def weights(
        self, query, keys=None, values=None, *, mask=None, causal: bool = False
    ) -> Float[Array, "h s n"]:
        """The association matrix, shape (H, S, N); see `read`."""
        return self.read(query, keys, values, mask=mask, causal=causal).weights

    def effective(
        self, query, keys=None, values=None, *, mask=None, causal: bool = False
    ) -> Float[Array, "h s"]:
        """How many memories share the weight of each state, shape (H, S); see `read`."""
        return self.read(query, keys, values, mask=mask, causal=causal).effective

    def energy(self, query, keys=None, *, mask=None, causal: bool = False) -> Float[Array, "h s"]:
        """E(q) = ½|q|² − Φ(K q) of the states that queries start from, in key space.

        A further step never raises it. It has no term for values and output.

        **Arguments:** as of a call.

        **Returns:** shape (H, S).

        **Raises:** `NoEnergyError` where no step is known to descend it; the reason is
        `lacks_energy`.
        """
        if self.lacks_energy is not None:
            raise NoEnergyError(self.lacks_energy)
        given = association.inputs(self, query, keys, None, mask=mask, causal=causal, valued=False)
        read = association.attended(self, given, given.states)
        return 0.5 * jnp.sum(jnp.square(given.states), axis=-1) - read.potential

    @property
    def lacks_energy(self) -> str | None:
        """Why no energy is known to descend under a step; `None` where one is."""
        return why_no_energy(Dot(), self.separation, "sum")

    def memory(self, keys, values=None, *, head: int = 0, filled=None) -> Memory:
        """One head as an `attrax.Memory` of its keys, for queries in key space.

        **Arguments:**

        - `keys`: stored rows, shape (N, key_size).
        - `values`: what is read, shape (N, value_size); the keys if `None`.
        - `head`: which head, from 0.
        - `filled`: rows that take part, shape (N,); all if `None`.

        **Raises:** `ValueError` for wrong shapes, or a head that is not there.
        """
        if whole_number("head", head, 0) >= self.heads:
            raise ValueError(f"`head` must be below {self.heads}, but it is {head}.")
        stored = association.inputs(self, None, keys, values, mask=filled)
        beta = None if self.beta is None else self.beta[head]
        return association.memory(self, beta, stored.keys[head], stored.values[head], stored.filled)

    def at(self, beta: Float[Array, ""] | None) -> AbstractSeparation:
        """The separation of a head, at its β."""
        if beta is None:
            return self.separation
        tempered = self.separation.at_beta(beta)
        assert tempered is not None
        return tempered

    def joined(self, value: Float[Array, "h s v"], query) -> Float[Array, "s o"]:
        """What heads have read, side by side, through the output's map.

        **Arguments:**

        - `value`: shape (H, S, v), such as a mean of what heads read here and elsewhere.
        - `query`: the queries, whose type the output has.

        **Returns:** shape (S, output_size).
        """
        rows = jnp.moveaxis(value, 0, 1).reshape(value.shape[1], -1)
        rows = rows if self.output_map is None else mapped(self.output_map, rows)
        rows = rows if self.activation is None else self.activation(rows)
        return rows.astype(as_floats("query", query).dtype)


def _check_implementation(layer: HopfieldAttention, value_size: int) -> None:
    """Refuse what others do not compute."""
    if isinstance(layer.implementation, str):
        one_of("implementation", layer.implementation, ("xla", "cudnn"))
    elif not callable(layer.implementation):
        raise TypeError(
            '`implementation` must be "xla", "cudnn" or a function, but it is '
            f"{type(layer.implementation).__name__}."
        )
    once = layer.steps == 1 and layer.dynamics is None and not layer.dropout
    if not (once and is_softmax(layer.separation) and value_size == layer.head_size):
        raise ValueError(
            "`implementation` is for a softmax of one read without dropout, with values of the "
            "keys' width."
        )


def _rotary(rotary, size) -> float | None:
    if rotary is False:
        return None
    if size % 2:
        raise ValueError(f"`head_size` must be even where there is a `rotary`, but it is {size}.")
    base = 10_000.0 if rotary is True else plain_number("rotary", rotary)
    if not base > 1:
        raise ValueError(f"`rotary` must be True, False or a number above 1, but it is {rotary}.")
    return float(base)


def _head_size(head_size, heads, size, key_size, maps) -> int:
    if head_size is not None:
        return whole_number("head_size", head_size)
    if "query" not in maps or "key" not in maps:
        return key_size if "query" in maps else size
    if size % heads:
        raise ValueError(
            f"`query_size` must be a multiple of `heads`, {heads}, where there is no `head_size`, "
            f"but it is {size}."
        )
    return size // heads


def _separation(separation) -> AbstractSeparation:
    if separation is None:
        return Softmax()
    if not isinstance(separation, AbstractSeparation):
        raise TypeError(
            f"`separation` must be one of attrax.separation, but it is {type(separation).__name__}."
        )
    check_domain(Dot(), separation)
    return separation


def _betas(beta, separation, heads, size) -> Float[Array, " h"] | None:
    if separation.at_beta(jnp.ones(())) is None:
        if beta is not None:
            raise ValueError(f"`beta` is given, but {type(separation).__name__} has none.")
        return None
    value = as_floats("beta", size**-0.5 if beta is None else beta)
    if value.shape not in ((), (heads,)):
        raise ValueError(
            f"`beta` must be one number, or one for each of {heads} heads, but its shape is "
            f"{value.shape}."
        )
    if is_concrete(value) and not np.all(np.asarray(value) > 0):
        raise ValueError(f"`beta` must be positive, but it is {np.asarray(value)}.")
    return jnp.broadcast_to(value, (heads,))
