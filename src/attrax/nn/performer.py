"""`Performer`: multi-head attention that random features make linear in the number of tokens."""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.checks import as_floats, one_key, one_of, positive, whole_number
from ..similarity.softmax_features import RectifiedFeatures, SoftmaxFeatures
from .linear import LinearAttentionState, causal_linear_attention, linear_attention
from .projections import mapped

Features = Literal["positive", "hyperbolic", "trigonometric", "rectified"]


class Performer(eqx.Module):
    """Multi-head attention by random features, FAVOR+: linear in the number of tokens.

    Each head reads V softmax(β K q) but for the noise of its features, whose error falls as 1/√Y
    and grows as exp(½ β|q + k|²). Memory and time are those of one m × v matrix a head.

    ```python
    layer = Performer(64, heads=4, causal=True, key=jax.random.key(0))
    outputs = jax.vmap(layer)(batch)  # (batch, tokens, 64)
    layer = layer.redraw(jax.random.key(1))  # now and then in training
    output, state = layer.step(tokens[:1])  # generation, token by token
    output, state = layer.step(tokens[1:2], state)
    ```

    The features are drawn once and stay as they are until `redraw`: they have no gradient, and
    `attrax.training.train` leaves them. An optimiser of your own that decays weights would shrink
    them; keep `features` from it.

    **Arguments:**

    - `query_size`, `key_size`, `value_size`: entries of a token of each input; those of
      queries, and of keys, if `None`.
    - `heads`: how many heads.
    - `head_size`: d, entries of a key within a head; query_size/heads if `None`.
    - `value_head_size`: entries of a value within a head; d if `None`.
    - `output_size`: entries of an output; query_size if `None`.
    - `features`: "positive", "hyperbolic" or "trigonometric", see
      `attrax.similarity.SoftmaxFeatures`; "rectified", see `attrax.similarity.RectifiedFeatures`,
      is no estimate of softmax.
    - `count`: Y, the number of random directions, which all heads share.
    - `beta`: β > 0, 1/√d if `None`; not for rectified features.
    - `orthogonal`: whether directions are orthogonal in blocks of d.
    - `causal`: whether tokens read only themselves and those before; `chunk` of them together, see
      `causal_linear_attention`.
    - `bias`: whether the four projections have one.
    - `key`: of projections and features.

    **Raises:** `ValueError` for sizes that are not whole, heads that do not divide `query_size`
    where there is no `head_size`, unknown `features`, or `beta` with rectified ones; `TypeError` if
    `key` is not a random key.

    **Source:** [choromanski2021rethinking]
    """

    query_map: eqx.nn.Linear
    key_map: eqx.nn.Linear
    value_map: eqx.nn.Linear
    output_map: eqx.nn.Linear
    features: SoftmaxFeatures | RectifiedFeatures
    heads: int = eqx.field(static=True)
    causal: bool = eqx.field(static=True)
    chunk: int = eqx.field(static=True)

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
        features: Features = "positive",
        count: int = 256,
        beta: ArrayLike | None = None,
        orthogonal: bool = True,
        causal: bool = False,
        chunk: int = 128,
        bias: bool = True,
        key: Array,
    ):
        query_size, heads = whole_number("query_size", query_size), whole_number("heads", heads)
        key_size = whole_number("key_size", query_size if key_size is None else key_size)
        value_size = whole_number("value_size", key_size if value_size is None else value_size)
        if head_size is None and query_size % heads:
            raise ValueError(
                f"`heads` must divide `query_size`, {query_size}, but it is {heads}: or give "
                "`head_size`."
            )
        head_size = whole_number(
            "head_size", query_size // heads if head_size is None else head_size
        )
        wide = whole_number(
            "value_head_size", head_size if value_head_size is None else value_head_size
        )
        output_size = whole_number(
            "output_size", query_size if output_size is None else output_size
        )
        one_of("features", features, ("positive", "hyperbolic", "trigonometric", "rectified"))
        keys = jax.random.split(one_key(key), 5)

        def linear(inputs, outputs, key):
            return eqx.nn.Linear(inputs, outputs, use_bias=bool(bias), key=key)

        self.query_map = linear(query_size, heads * head_size, keys[0])
        self.key_map = linear(key_size, heads * head_size, keys[1])
        self.value_map = linear(value_size, heads * wide, keys[2])
        self.output_map = linear(heads * wide, output_size, keys[3])
        if features == "rectified":
            if beta is not None:
                raise ValueError("`beta` is for features of softmax, and these are rectified.")
            self.features = RectifiedFeatures(head_size, count, orthogonal=orthogonal, key=keys[4])
        else:
            beta = positive("beta", head_size**-0.5 if beta is None else beta)
            self.features = SoftmaxFeatures(
                head_size, count, beta, features, orthogonal=orthogonal, key=keys[4]
            )
        self.heads, self.causal = heads, bool(causal)
        self.chunk = whole_number("chunk", chunk)

    def __call__(
        self,
        query: ArrayLike,
        keys: ArrayLike | None = None,
        values: ArrayLike | None = None,
        *,
        mask=None,
    ) -> Float[Array, "s o"]:
        """Outputs of all tokens.

        **Arguments:**

        - `query`: tokens that ask, shape (S, query_size).
        - `keys`: tokens that are asked, shape (N, key_size); the query if `None`.
        - `values`: tokens that are read, shape (N, value_size); the keys if `None`.
        - `mask`: shape (N,), True for keys that take part.

        **Returns:** shape (S, output_size), in the type of the query. A token that reads nothing
        gets the bias of the output.

        **Raises:** `ValueError` for wrong shapes; of a causal layer, if S is not N.
        """
        if self.causal:
            return self.step(query, None, keys, values, mask=mask)[0]
        return _read(self, self._checked(query, keys, values), mask)

    def step(
        self,
        query: ArrayLike,
        state: LinearAttentionState | None = None,
        keys: ArrayLike | None = None,
        values: ArrayLike | None = None,
        *,
        mask=None,
    ) -> tuple[Float[Array, "s o"], LinearAttentionState]:
        """Outputs of the next tokens, one or more, and the state after them.

        **Arguments:**

        - `state`: after the tokens before; none if `None`. `initial_state` gives that as arrays.
        - `query`, `keys`, `values`, `mask`: as in a call, of the next tokens, S = N.

        **Returns:** (outputs of shape (S, output_size), a state whose arrays lead with heads).

        **Raises:** `ValueError` as a call, and for a layer that is not causal.
        """
        if not self.causal:
            raise ValueError("Only a layer with causal=True goes step by step.")
        return _step(self, self._checked(query, keys, values), mask, state)

    def initial_state(self) -> LinearAttentionState:
        """The state before the first token, of tokens in single or half precision."""
        values = self.value_map.weight.shape[0] // self.heads
        empty = LinearAttentionState.empty(self.features.size, values, jnp.dtype(jnp.float32))
        return jax.tree.map(lambda x: jnp.broadcast_to(x, (self.heads, *x.shape)), empty)

    def redraw(self, key: Array) -> "Performer":
        """The layer with other random directions; this one is unchanged.

        **Arguments:**

        - `key`: of the directions.

        **Raises:** `TypeError` if `key` is not a random key.
        """
        return eqx.tree_at(lambda layer: layer.features, self, self.features.redraw(key))

    def _checked(self, query, keys, values):
        """Tokens of all three inputs."""
        keys = query if keys is None else keys
        values = keys if values is None else values
        tokens = {"query": query, "keys": keys, "values": values}
        layers = self.query_map, self.key_map, self.value_map
        rows = {name: as_floats(name, value, ndim=2) for name, value in tokens.items()}
        for (name, array), layer in zip(rows.items(), layers, strict=True):
            if array.size == 0 or array.shape[1] != layer.in_features:
                raise ValueError(
                    f"`{name}` must have shape (tokens, {layer.in_features}), but its shape is "
                    f"{array.shape}."
                )
        return tuple(rows.values())


@eqx.filter_jit
def _read(layer, tokens, mask):
    features = jax.lax.stop_gradient(layer.features)

    def read(q, k, v):
        return linear_attention(q, k, v, features, mask=mask)

    q, k, v = _heads(layer, tokens)
    return _joined(layer, jax.vmap(read)(q, k, v)).astype(tokens[0].dtype)


@eqx.filter_jit
def _step(layer, tokens, mask, state):
    features = jax.lax.stop_gradient(layer.features)

    def read(q, k, v, state):
        return causal_linear_attention(q, k, v, features, mask=mask, state=state, chunk=layer.chunk)

    q, k, v = _heads(layer, tokens)
    outputs, state = jax.vmap(read)(q, k, v, state)
    return _joined(layer, outputs).astype(tokens[0].dtype), state


def _heads(layer, tokens):
    """Queries, keys and values of each head, (heads, tokens, entries)."""
    for rows, linear in zip(tokens, (layer.query_map, layer.key_map, layer.value_map), strict=True):
        yield mapped(linear, rows).reshape(len(rows), layer.heads, -1).swapaxes(0, 1)


def _joined(layer, outputs):
    """The output map of all heads' outputs, (heads, tokens, entries)."""
    return mapped(layer.output_map, outputs.swapaxes(0, 1).reshape(outputs.shape[1], -1))
