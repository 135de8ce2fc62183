"""What a `HopfieldAttention` does with its inputs: project them, run states, read."""

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..common.checks import as_array, as_mask
from ..retrieval import retrieve
from ..separation.attention import Attention, attend
from ..similarity import Dot
from ..stores.rows import Memory
from .projections import checked_rows, each, in_heads, mapped
from .rotary import rotate_positions

if TYPE_CHECKING:
    from .hopfield import HopfieldAttention


class Inputs(NamedTuple):
    """Inputs of a layer in its key space, in at least 32 bits.

    - `states` (H, S, z), `keys` (H, N, z), `values` (H, N, v).
    - `filled` (N,) and `mask` (S, N) or (H, S, N): which keys take part; all if `None`.
    - `causal`: whether key n takes part for states s ≥ n only.
    """

    states: Float[Array, "h s z"]
    keys: Float[Array, "h n z"]
    values: Float[Array, "h n v"]
    filled: Bool[Array, " n"] | None
    mask: Bool[Array, "..."] | None
    causal: bool

    @property
    def mask_axis(self) -> int | None:
        """The axis of heads of the mask, where it has one."""
        return 0 if self.mask is not None and self.mask.ndim == 3 else None

    @property
    def there(self) -> Bool[Array, "h s n"] | None:
        """Which keys take part for each state; `None` for all."""
        shape = (*self.states.shape[:2], self.keys.shape[1])
        parts = [self.filled, self.mask]
        if self.causal:
            parts.append(jnp.tril(jnp.ones(shape[1:], bool)))
        parts = [jnp.broadcast_to(part, shape) for part in map(_leading, parts) if part is not None]
        if not parts:
            return None
        return jnp.all(jnp.stack(parts), axis=0)


def _leading(part):
    return None if part is None else part.reshape((1,) * (3 - part.ndim) + part.shape)


class Places(NamedTuple):
    """Places of queries (S,) and of keys (N,), as they were given; `None` for none."""

    queries: Any = None
    keys: Any = None


def inputs(
    layer: "HopfieldAttention",
    query,
    keys,
    values,
    *,
    mask,
    causal=False,
    valued=True,
    places: Places | None = None,
) -> Inputs:
    """Check and project what a layer is given.

    **Raises:** `ValueError` that names what does not fit.
    """
    if query is None:
        states = jnp.zeros((layer.heads, 1, layer.head_size))
    else:
        query = checked_rows("query", query, layer.query_size)
        states = in_heads(layer.query_map, each(layer.query_norm, query), layer.heads)
    if keys is None and layer.key_size != layer.query_size:
        raise ValueError(
            f"`keys` are needed: they have {layer.key_size} entries, and queries "
            f"{layer.query_size}."
        )
    own = keys is None
    keys = checked_rows("keys", query if own else keys, layer.key_size)
    stored = in_heads(layer.key_map, each(layer.key_norm, keys), layer.heads)
    if values is None and layer.value_size != layer.key_size and valued:
        raise ValueError(
            f"`values` are needed: they have {layer.value_size} entries, and keys {layer.key_size}."
        )
    worth = _values(layer, keys if values is None else values) if valued else stored
    if worth.shape[1] != stored.shape[1]:
        raise ValueError(
            f"`values` must have one row a key, {stored.shape[1]}, but have {worth.shape[1]}."
        )
    if layer.head_norm is not None:
        states, stored = (jax.vmap(jax.vmap(layer.head_norm))(rows) for rows in (states, stored))
    states, stored = _turned(layer, states, stored, places, alike=own)
    filled, mask = _masks(layer, mask, states.shape[1], stored.shape[1])
    if causal and states.shape[1] != stored.shape[1]:
        raise ValueError(
            "`causal` needs as many queries as keys, but there are "
            f"{states.shape[1]} and {stored.shape[1]}."
        )
    return _beside(layer, Inputs(states, stored, worth, filled, mask, bool(causal)))


def _turned(layer, states, stored, places: Places | None, *, alike):
    """States and keys turned by their places, where the layer has a `rotary`."""
    places = Places() if places is None else places
    if layer.rotary is None:
        if places.queries is not None or places.keys is not None:
            raise ValueError("`positions` are for a layer with a `rotary`, and this has none.")
        return states, stored
    if places.keys is not None and alike:
        raise ValueError("`key_positions` are for `keys` of their own, and there are none.")
    given = places.queries if alike else places.keys
    queries, keys = (
        jnp.arange(rows.shape[1]) if place is None else as_array(name, place)
        for name, place, rows in (
            ("positions", places.queries, states),
            ("key_positions", given, stored),
        )
    )
    for name, place, rows in (("positions", queries, states), ("key_positions", keys, stored)):
        if place.shape != rows.shape[1:2]:
            raise ValueError(
                f"`{name}` must have shape {rows.shape[1:2]}, but their shape is {place.shape}."
            )
    return (
        rotate_positions(states, queries, base=layer.rotary),
        rotate_positions(stored, keys, base=layer.rotary),
    )


def _values(layer, values):
    rows = each(layer.value_norm, checked_rows("values", values, layer.value_size))
    if not (layer.connected and layer.key_map is not None):
        return in_heads(layer.value_map, rows, layer.heads)
    if layer.value_map is None:
        return in_heads(layer.key_map, rows, layer.heads)
    return in_heads(layer.value_map, mapped(layer.key_map, rows), layer.heads)


def _masks(layer, mask, states, keys):
    if mask is None:
        return None, None
    mask = as_mask("mask", mask, None)
    shapes = ((keys,), (states, keys), (layer.heads, states, keys))
    if mask.shape not in shapes:
        listed = ", ".join(map(str, shapes[:2])) + f" or {shapes[2]}"
        raise ValueError(f"`mask` must have shape {listed}, but its shape is {mask.shape}.")
    return (mask, None) if mask.ndim == 1 else (None, mask)


def _beside(layer, given: Inputs) -> Inputs:
    """With the rows that stand beside those of the input."""
    rows = []
    if layer.learnt_key is not None:
        own = layer.learnt_key[:, None], layer.learnt_value[:, None]
        rows.append(tuple(row.astype(given.keys.dtype) for row in own))
    if layer.zero:
        rows.append((jnp.zeros_like(given.keys[:, :1]), jnp.zeros_like(given.values[:, :1])))
    if not rows:
        return given
    keys, values = zip((given.keys, given.values), *rows, strict=True)
    mask = given.mask
    if given.causal:
        lower = jnp.tril(jnp.ones((given.states.shape[1], given.keys.shape[1]), bool))
        mask = lower if mask is None else mask & jnp.broadcast_to(lower, mask.shape)
    return given._replace(
        keys=jnp.concatenate(keys, axis=1),
        values=jnp.concatenate(values, axis=1),
        filled=_open(given.filled, len(rows)),
        mask=_open(mask, len(rows)),
        causal=False,
    )


def _open(mask, count):
    if mask is None:
        return None
    return jnp.pad(mask, [(0, 0)] * (mask.ndim - 1) + [(0, count)], constant_values=True)


def states(layer: "HopfieldAttention", given: Inputs) -> Float[Array, "h s z"]:
    """The states that values are read for: the queries after all steps but the last."""
    if layer.dynamics is not None:
        return run(layer, given._replace(values=None))

    def step(state, _):
        return attended(layer, given, state).value, None

    # Few steps are unrolled, for the compiler to join them; many would keep it busy.
    count = layer.steps - 1
    return jax.lax.scan(step, given.states, length=count, unroll=count <= 4)[0]


def attended(
    layer: "HopfieldAttention", given: Inputs, state, values=None, dropout=0.0, seeds=None
) -> Attention:
    """One read of each head; of the keys themselves without values."""

    def one(beta, state, keys, values, mask, seed):
        return attend(
            layer.at(beta),
            state,
            keys,
            values,
            filled=given.filled,
            mask=mask,
            causal=given.causal,
            dropout=dropout,
            key=seed,
        )

    axes = (0, 0, 0, 0, given.mask_axis, 0)
    return jax.vmap(one, in_axes=axes)(layer.beta, state, given.keys, values, given.mask, seeds)


def read_elsewhere(layer: "HopfieldAttention", given: Inputs) -> Float[Array, "h s v"]:
    """One read of each head by the layer's own implementation; nothing where none takes part."""
    function: Any = layer.implementation
    if isinstance(function, str):
        own: Any = function
        function = functools.partial(jax.nn.dot_product_attention, implementation=own)
    assert layer.beta is not None
    state = layer.beta[:, None, None].astype(given.states.dtype) * given.states
    query, key, value = (
        jnp.moveaxis(rows, 0, 1)[None] for rows in (state, given.keys, given.values)
    )
    there = given.there
    mask = None if there is None else there[None]
    read = jnp.moveaxis(function(query, key, value, mask=mask, scale=1.0)[0], 1, 0)
    if there is None:
        return read
    return jnp.where(jnp.any(there, axis=-1, keepdims=True), read, 0.0)


def weights(layer: "HopfieldAttention", given: Inputs, state) -> Float[Array, "h s n"]:
    """The weight of every key for every state."""

    def one(beta, state, keys, there):
        return jax.vmap(layer.at(beta))(state @ keys.T, there)

    return jax.vmap(one)(layer.beta, state, given.keys, given.there)


def memory(layer: "HopfieldAttention", beta, keys, values, filled) -> Memory:
    """One head as a memory."""
    return Memory(keys, values, similarity=Dot(), separation=layer.at(beta), filled=filled)


def run(layer: "HopfieldAttention", given: Inputs) -> Float[Array, "h s v"]:
    """What each head reads for states that its dynamics have brought to rest."""

    def one(beta, state, keys, values, there):
        if there is None:
            store = memory(layer, beta, keys, values, None)
            return retrieve(store, state, layer.dynamics).state
        return jax.vmap(
            lambda state, there: (
                retrieve(memory(layer, beta, keys, values, there), state, layer.dynamics).state
            )
        )(state, there)

    return jax.vmap(one)(layer.beta, given.states, given.keys, given.values, given.there)
