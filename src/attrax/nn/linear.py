"""Attention by a feature map, linear in the number of tokens: of all tokens, and of those before.

What is kept of keys and values is a matrix of constant size, the sum of φ(k) vᵀ, beside the sum of
φ(k). Where the feature map gives exponents apart, each feature is scaled by its largest exponent
over the keys, and each query's by the largest over features: the scales cancel in what is read.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import accumulate
from ..common.checks import as_floats, as_mask, whole_number
from ..similarity.kernels import as_feature_map
from ..similarity.softmax_features import AbstractScaledFeatures
from ..stores.matrix import MatrixMemory

# Rows whose features are held at once: few enough to stay near the processor.
_BLOCK = 1024


class LinearAttentionState(eqx.Module):
    """What linear attention keeps of keys and values: S = Σ φ(k) vᵀ and z = Σ φ(k), scaled.

    **Arguments:**

    - `matrix`: S e^{−c} by feature, shape (m, v).
    - `mass`: z e^{−c}, shape (m,).
    - `exponent`: c, the largest exponent of each feature so far, −∞ without any key, shape (m,).
    """

    matrix: Float[Array, "m v"]
    mass: Float[Array, " m"]
    exponent: Float[Array, " m"]

    @classmethod
    def empty(cls, size: int, values: int, dtype: jnp.dtype | None = None):
        """The state before the first token.

        **Arguments:**

        - `size`: m, the number of features.
        - `values`: v, the number of a value's entries.
        - `dtype`: of the sums; JAX's own float if `None`.

        **Raises:** `ValueError` for sizes that are not whole.
        """
        size, values = whole_number("size", size), whole_number("values", values)
        dtype = accumulate(jnp.result_type(float) if dtype is None else dtype)
        floor = jnp.full(size, -jnp.inf, dtype)
        return cls(jnp.zeros((size, values), dtype), jnp.zeros(size, dtype), floor)

    def memory(self, feature_map: Callable, width: int) -> MatrixMemory:
        """The store that reads alike, W φ(q)/(z·φ(q)), up to a factor in both of its sums.

        **Arguments:**

        - `feature_map`: φ, by which the state was made.
        - `width`: d, the number of entries of a query.

        **Raises:** as `attrax.MatrixMemory`.
        """
        top = jnp.max(self.exponent)
        scale = jnp.exp(self.exponent - jnp.where(top == -jnp.inf, 0.0, top))
        return MatrixMemory(
            self.matrix.T * scale[None],
            feature_map=feature_map,
            normaliser=self.mass * scale,
            width=width,
            symmetry="none",
        )


def linear_attention(
    queries: ArrayLike,
    keys: ArrayLike,
    values: ArrayLike,
    feature_map: Callable,
    *,
    mask=None,
) -> Float[Array, "s v"]:
    """o_t = Σ_n φ(q_t)·φ(k_n) v_n / Σ_n φ(q_t)·φ(k_n), in (S + N) m (d + v) operations.

    It is the read of `Memory(keys, values, similarity=Kernel(φ), separation=SumNormalised(
    Identity()))`, superposed. Where the sum below is not positive, as of trigonometric features it
    may be, and where no key takes part, what is read is zero.

    **Arguments:**

    - `queries`: q, shape (S, d).
    - `keys`: k, shape (N, d).
    - `values`: v, shape (N, v).
    - `feature_map`: φ, a function or module of one row (d,) to (m,), such as
      `attrax.similarity.SoftmaxFeatures`, with which this is an estimate of attention by softmax.
    - `mask`: shape (N,), True for keys that take part.

    **Returns:** shape (S, v), in the values' type; sums are of at least 32 bits.

    **Raises:** `TypeError` if `feature_map` cannot be called; `ValueError` for wrong shapes.

    **Source:** [katharopoulos2020transformers], [choromanski2021rethinking]
    """
    queries, keys, values, mask = _checked(queries, keys, values, mask)
    return _linear(queries, keys, values, mask, as_feature_map(feature_map))


def causal_linear_attention(
    queries: ArrayLike,
    keys: ArrayLike,
    values: ArrayLike,
    feature_map: Callable,
    *,
    mask=None,
    state: LinearAttentionState | None = None,
    chunk: int = 128,
) -> tuple[Float[Array, "s v"], LinearAttentionState]:
    """The same of keys up to each query's own place, and the state after the last.

    Chunks of C tokens are read one after another: from the state before them by matrix products,
    and from each other by a C × C table. No sum is kept for every token. For the gradient, the
    states between chunks are kept, L/C of them, and the rest is computed anew.

    A later call with the state continues where this one ended, one token at a time if need be.

    **Arguments:**

    - `queries`, `keys`, `values`, `feature_map`: see `linear_attention`, with S = N.
    - `mask`: shape (N,), True for keys that take part.
    - `state`: after the tokens before these; none if `None`.
    - `chunk`: C, how many tokens are read together. A feature's scale is its largest in the chunk:
      tokens read nothing while all keys so far are smaller by e^−87 than one of the next C.

    **Returns:** (outputs of shape (S, v) in the values' type, the state after the last token).

    **Raises:** as `linear_attention`; `ValueError` if there is not one key a query, or for a state
    of other sizes.

    **Source:** [katharopoulos2020transformers], [choromanski2021rethinking]
    """
    queries, keys, values, mask = _checked(queries, keys, values, mask)
    feature_map = as_feature_map(feature_map)
    if queries.shape != keys.shape:
        raise ValueError(
            "`queries` and `keys` must have one shape where each token reads those before it, but "
            f"their shapes are {queries.shape} and {keys.shape}."
        )
    size, dtype = _kind(feature_map, keys)
    start = LinearAttentionState.empty(size, values.shape[1], dtype)
    if state is not None:
        _check_state(state, start)
        start = state
    chunk = whole_number("chunk", chunk)
    return _causal(queries, keys, values, mask, feature_map, start, chunk)


def _checked(queries, keys, values, mask):
    """Arrays that fit together; keys and values that take no part are zero."""
    queries, keys, values = (
        as_floats(name, value, ndim=2)
        for name, value in (("queries", queries), ("keys", keys), ("values", values))
    )
    for name, array in (("queries", queries), ("keys", keys), ("values", values)):
        if array.size == 0:
            raise ValueError(f"`{name}` are empty: their shape is {array.shape}.")
    if queries.shape[1] != keys.shape[1]:
        raise ValueError(
            "`queries` and `keys` must have rows of one length, but their shapes are "
            f"{queries.shape} and {keys.shape}."
        )
    if len(values) != len(keys):
        raise ValueError(
            f"`values` must have one row a key, {len(keys)}, but their shape is {values.shape}."
        )
    if mask is None:
        return queries, keys, values, None
    mask = as_mask("mask", mask, None)
    if mask.shape != (len(keys),):
        raise ValueError(
            f"`mask` must have shape ({len(keys)},), True for keys that take part, but its shape "
            f"is {mask.shape}: attention that is linear has no table of queries and keys."
        )
    keys, values = (jnp.where(mask[:, None], x, jnp.zeros((), x.dtype)) for x in (keys, values))
    return queries, keys, values, mask


def _check_state(state, like):
    if not isinstance(state, LinearAttentionState):
        raise TypeError(
            f"`state` must be a LinearAttentionState, but it is {type(state).__name__}."
        )
    if state.matrix.shape != like.matrix.shape:
        raise ValueError(
            f"`state` must have a matrix of shape {like.matrix.shape} (features, entries of a "
            f"value), but its shape is {state.matrix.shape}."
        )
    if state.matrix.dtype != like.matrix.dtype:
        raise ValueError(
            f"`state` must be of {like.matrix.dtype}, as the features are, but it is of "
            f"{state.matrix.dtype}."
        )


@eqx.filter_jit
def _linear(queries, keys, values, mask, feature_map):
    size, dtype = _kind(feature_map, keys)

    @jax.checkpoint
    def write(state, part):
        keys, values, *mask = part
        factors, exponents = _features(feature_map, keys)
        state, scaled = _risen(state, factors, exponents, *mask)
        return _added(state, scaled, values.astype(dtype)), None

    @jax.checkpoint
    def read(state, queries):
        asked = _asked(state, *_features(feature_map, queries))
        total, mass = asked @ state.matrix, asked @ state.mass
        return state, _divided(total, mass).astype(values.dtype)

    state = LinearAttentionState.empty(size, values.shape[1], dtype)
    state, _ = jax.lax.scan(write, state, _parts(_BLOCK, keys, values, mask))
    _, outputs = jax.lax.scan(read, state, _parts(_BLOCK, queries)[0])
    return outputs.reshape(-1, values.shape[1])[: len(queries)]


@eqx.filter_jit
def _causal(queries, keys, values, mask, feature_map, start, chunk):
    @jax.checkpoint
    def several(state, part):
        queries, keys, values, *mask = part
        factors, exponents = _features(feature_map, keys)
        wide = values.astype(factors.dtype)
        state, scaled = _risen(state, factors, exponents, *mask)
        asked = _asked(state, *_features(feature_map, queries))
        scores = jnp.where(before, asked @ scaled.T, 0.0)
        total = asked @ state.matrix + scores @ wide
        mass = asked @ state.mass + jnp.sum(scores, axis=1)
        return _added(state, scaled, wide), _divided(total, mass).astype(values.dtype)

    parts = _parts(chunk, queries, keys, values, mask)
    size = parts[0].shape[1]
    before = jnp.tril(jnp.ones((size, size), bool))
    state, outputs = jax.lax.scan(several, start, parts)
    return outputs.reshape(-1, values.shape[1])[: len(keys)], state


def _parts(chunk, *arrays):
    """Rows in chunks along a new first axis, all but the last array, which is their mask.

    What the last chunk is filled up with takes no part; without need of a mask there is none.
    """
    *rows, mask = arrays if len(arrays) > 1 else (*arrays, None)
    length = len(rows[0])
    chunk = min(chunk, length)
    spare = -length % chunk
    if mask is None and spare and len(rows) > 1:
        mask = jnp.ones(length, bool)
    rows = [*rows] if mask is None else [*rows, mask]
    padded = (jnp.pad(x, [(0, spare)] + [(0, 0)] * (x.ndim - 1)) for x in rows)
    return tuple(x.reshape(-1, chunk, *x.shape[1:]) for x in padded)


def _kind(feature_map, rows):
    """The number of features, and the type that they are of."""
    shape = jax.eval_shape(lambda rows: _features(feature_map, rows)[0], rows)
    return shape.shape[1], shape.dtype


def _features(feature_map, rows):
    """Factors and exponents of each row, in at least 32 bits."""
    if isinstance(feature_map, AbstractScaledFeatures):
        return jax.vmap(feature_map.scaled)(rows)
    features = jax.vmap(feature_map)(rows)
    features = features.astype(accumulate(features.dtype))
    return features, jnp.zeros_like(features)


def _risen(state, factors, exponents, mask=None):
    """The state at the scale of what it has and of new keys, and the keys' features at it."""
    if mask is not None:
        exponents = jnp.where(mask[:, None], exponents, -jnp.inf)
        factors = jnp.where(mask[:, None], factors, 0.0)
    # What is read does not depend on the scale.
    highest = jax.lax.stop_gradient(jnp.max(exponents, axis=0))
    top = jnp.maximum(state.exponent, highest)
    reference = jnp.where(top == -jnp.inf, 0.0, top)
    kept = jnp.exp(state.exponent - reference)
    state = LinearAttentionState(state.matrix * kept[:, None], state.mass * kept, top)
    return state, factors * jnp.exp(exponents - reference[None])


def _added(state, scaled, values):
    matrix = state.matrix + scaled.T @ values
    mass = state.mass + jnp.sum(scaled, axis=0)
    return LinearAttentionState(matrix, mass, state.exponent)


def _asked(state, factors, exponents):
    """Features of queries at the scale of the state's, the largest of a query's about one."""
    exponents = exponents + state.exponent[None]
    top = jax.lax.stop_gradient(jnp.max(exponents, axis=1, keepdims=True))
    return factors * jnp.exp(exponents - jnp.where(top == -jnp.inf, 0.0, top))


def _divided(total, mass):
    """Total over mass, and zero where the mass is not positive."""
    gone = (mass <= 0)[:, None]
    return jnp.where(gone, 0.0, total / jnp.where(gone, 1.0, mass[:, None]))
