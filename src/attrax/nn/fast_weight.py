"""`FastWeight`: a layer whose weights are a matrix memory, written by the tokens it sees."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import accumulate, inverse
from ..common.checks import as_floats, as_mask, one_key, one_of, whole_number
from ..similarity.feature_maps import NormalisedFeatures
from ..similarity.kernels import as_feature_map
from ..stores.matrix import MatrixMemory
from .delta import Chunk, Rule, Writes, run, size_of, step

FeatureNorm = Literal["l2", "sum", "attention"]
Decay = Literal["head", "feature"]
# What decays forget of the state by a token at first, spread over heads or features.
_FORGOTTEN = 1e-3, 1e-1


class FastWeightState(eqx.Module):
    """The memories of all heads of a `FastWeight`, of a size that does not grow with tokens.

    - `matrix` (heads, v, p): W of each head, in at least 32 bits.
    - `normaliser` (heads, p): Σ φ(key) of each head, for `norm="attention"`; else `None`.
    """

    matrix: Float[Array, "heads v p"]
    normaliser: Float[Array, "heads p"] | None = None


class Projected(NamedTuple):
    """What the heads of a layer make of L tokens: the arguments of `fast_weights`, a head a row.

    `queries` and `keys` (heads, L, k) are those before the feature map, `values` (heads, L, v),
    `rate` (heads, L), and `log_decay` (heads, L) or (heads, L, p).
    """

    queries: Float[Array, "heads L k"]
    keys: Float[Array, "heads L k"]
    values: Float[Array, "heads L v"]
    rate: Float[Array, "heads L"] | None
    log_decay: Array | None


class FastWeight(eqx.Module):
    """Tokens write values into a matrix memory under keys, and read it by queries, in each head.

    y_t = W_out (W_t φ(q_t)) of all heads, where q_t, k_t, v_t and β_t = σ(w·x_t) are learnt
    projections of the token x_t, and W_t is what `fast_weights` writes. A token sees itself and
    those before it. Time grows with L and memory does not, so that a sequence may go on for ever.

    ```python
    layer = FastWeight(64, heads=4, key=key)                    # DeltaNet
    y = layer(x)                                                # x (L, 64); jax.vmap for a batch
    y, state = layer.run(x, layer.init_state())                 # to go on from there,
    y_next, state = layer.step(x_next, state)                   # token by token
    layer.memory(state, head=0)                                 # as attrax.MatrixMemory
    ```

    | layer | arguments |
    |---|---|
    | linear transformer | `rule="sum", feature_map=ELUFeatures(), norm="attention"` |
    | fast weight programmer | `feature_map=DPFP(1), norm="sum"` |
    | DeltaNet | the defaults |
    | Gated DeltaNet | `decay="head"` |
    | Kimi Delta Attention | `decay="feature"` |

    The networks of these names have short convolutions, gates and norms around the memory, which
    this layer leaves to you.

    **Arguments:**

    - `size`: d, the entries of a token.
    - `heads`: how many memories there are.
    - `key_size`: entries of keys and queries of a head, before φ; d/heads if `None`.
    - `value_size`: v, entries of values of a head; d/heads if `None`.
    - `output_size`: of what is returned; d if `None`.
    - `rule`: "delta" corrects what the memory has for a key, "sum" adds to it.
    - `feature_map`: φ, a function or module of one row, such as `attrax.similarity.DPFP(1)`, or
      `None` for the row itself.
    - `norm`: of features: "l2" to unit length, "sum" to unit sum; "attention" divides what is read
      by Σ φ(k)·φ(q), for the sum rule and features that are not negative; `None` for none.
    - `decay`: what the memory forgets by a learnt factor at each token: nothing if `None`, all in a
      "head" alike, or each "feature" on its own.
    - `negative_eigenvalues`: whether β goes up to 2 rather than 1, so that a write may reverse what
      the memory has for a key.
    - `chunk`: see `fast_weights`; it changes time and rounding only.
    - `key`: of the weights.

    **Raises:** `ValueError` or `TypeError` that names the argument.

    **Source:** [schlag2021linear]; [yang2024parallelizing], [yang2025gated]
    """

    query_proj: eqx.nn.Linear
    key_proj: eqx.nn.Linear
    value_proj: eqx.nn.Linear
    output_proj: eqx.nn.Linear
    rate_proj: eqx.nn.Linear | None
    decay_proj: eqx.nn.Linear | None
    features: Callable
    heads: int = eqx.field(static=True)
    rule: Rule = eqx.field(static=True)
    norm: FeatureNorm | None = eqx.field(static=True)
    negative_eigenvalues: bool = eqx.field(static=True)
    chunk: Chunk = eqx.field(static=True)

    def __init__(
        self,
        size: int,
        *,
        heads: int = 1,
        key_size: int | None = None,
        value_size: int | None = None,
        output_size: int | None = None,
        rule: Rule = "delta",
        feature_map: Callable | None = jax.nn.silu,
        norm: FeatureNorm | None = "l2",
        decay: Decay | None = None,
        negative_eigenvalues: bool = False,
        chunk: Chunk = "auto",
        key: Array,
    ):
        size, heads = whole_number("size", size), whole_number("heads", heads)
        one_of("rule", rule, get_args(Rule))
        if norm is not None:
            one_of("norm", norm, get_args(FeatureNorm))
        if decay is not None:
            one_of("decay", decay, get_args(Decay))
        if norm == "attention" and rule != "sum":
            raise ValueError(
                "`norm` is 'attention', which is for rule='sum': what the delta rule writes is no "
                "sum that could be divided. Use 'l2' or 'sum'."
            )
        if negative_eigenvalues and rule != "delta":
            raise ValueError("`negative_eigenvalues` are for the delta rule, which has a rate.")
        key_size = _of_head("key_size", key_size, size, heads)
        value_size = _of_head("value_size", value_size, size, heads)
        output_size = size if output_size is None else whole_number("output_size", output_size)
        size_of(chunk, None)
        self.features = as_feature_map(_same if feature_map is None else feature_map)
        if norm in ("l2", "sum"):
            self.features = NormalisedFeatures(self.features, norm)
        self.heads, self.rule, self.norm = heads, rule, norm
        self.negative_eigenvalues, self.chunk = bool(negative_eigenvalues), chunk
        keys = iter(jax.random.split(one_key(key), 6))

        def project(inputs: int, outputs: int, bias: bool = False) -> eqx.nn.Linear:
            return eqx.nn.Linear(inputs, outputs, use_bias=bias, key=next(keys))

        self.query_proj = project(size, heads * key_size)
        self.key_proj = project(size, heads * key_size)
        self.value_proj = project(size, heads * value_size)
        self.output_proj = project(heads * value_size, output_size)
        self.rate_proj = project(size, heads, bias=True) if rule == "delta" else None
        self.decay_proj = None
        if decay is not None:
            each, every = (heads, 1) if decay == "head" else (self._count(key_size), heads)
            linear = project(size, each * every, bias=True)
            bias = jnp.asarray(np.tile(_decay_bias(each), every), linear.weight.dtype)
            self.decay_proj = eqx.tree_at(lambda x: x.bias, linear, bias)
        self._count(key_size)

    @property
    def size(self) -> int:
        """d, the entries of a token."""
        return self.key_proj.in_features  # pyright: ignore[reportReturnType]: never "scalar".

    @property
    def key_size(self) -> int:
        """Entries of keys and queries of a head, before φ."""
        return self.key_proj.out_features // self.heads  # pyright: ignore

    @property
    def value_size(self) -> int:
        """v, entries of values of a head."""
        return self.value_proj.out_features // self.heads  # pyright: ignore

    @property
    def feature_size(self) -> int:
        """p, the number of features of a key."""
        return self._count(self.key_size)

    def __call__(self, x: ArrayLike, *, mask=None) -> Float[Array, "L o"]:
        """What each token reads of those up to it, from an empty memory.

        **Arguments:**

        - `x`: tokens, shape (L, d); they are brought to the type of the weights.
        - `mask`: True for tokens that take part, shape (L,): others write nothing and leave the
          memory as it is. All if `None`.

        **Returns:** shape (L, o).

        **Raises:** `ValueError` or `TypeError` for wrong shapes.
        """
        return self.run(x, mask=mask)[0]

    def init_state(self) -> FastWeightState:
        """An empty memory in each head."""
        dtype = accumulate(self.value_proj.weight.dtype)
        shape = self.heads, self.value_size, self.feature_size
        empty = jnp.zeros(shape[::2], dtype) if self.norm == "attention" else None
        return FastWeightState(jnp.zeros(shape, dtype), empty)

    def run(
        self,
        x: ArrayLike,
        state: FastWeightState | None = None,
        *,
        mask=None,
    ) -> tuple[Float[Array, "L o"], FastWeightState]:
        """As `__call__`, from a state, and the state after the last token.

        **Arguments:**

        - `x`: tokens, shape (L, d).
        - `state`: of the tokens before these; an empty memory if `None`.
        - `mask`: see `__call__`.

        **Returns:** what is read, shape (L, o), and the state.

        **Raises:** `ValueError` or `TypeError` for wrong shapes.
        """
        x = self._tokens(x, 2)
        matrix = self._matrix(state)
        writes = self._writes(
            self.project(x), None if mask is None else as_mask("mask", mask, (len(x),))
        )
        chunk = size_of(self.chunk, None if writes.log_decay is None else writes.log_decay[0])
        read, matrix = jax.vmap(lambda w, s: run(w, s, chunk))(writes, matrix)
        outputs = self._outputs(jnp.swapaxes(read, 0, 1), x.dtype)
        return outputs, self._state(matrix)

    def step(
        self, x: ArrayLike, state: FastWeightState
    ) -> tuple[Float[Array, " o"], FastWeightState]:
        """One token more, at a cost that does not depend on how many there were.

        **Arguments:**

        - `x`: the token, shape (d,).
        - `state`: of the tokens before it.

        **Returns:** what it reads, shape (o,), and the state after it.

        **Raises:** `ValueError` or `TypeError` for wrong shapes.
        """
        x = self._tokens(x, 1)
        matrix = self._matrix(state)
        writes = self._writes(self.project(x[None]), None)
        token = jax.tree.map(lambda rows: rows[:, 0].astype(matrix.dtype), writes)
        matrix, read = jax.vmap(step)(matrix, token)
        return self._outputs(read[None], x.dtype)[0], self._state(matrix)

    def memory(self, state: FastWeightState, head: int = 0) -> MatrixMemory:
        """The memory of a head, which reads W φ(q) of queries q of shape (k,) as the layer does.

        `project` gives the queries, and `output_proj` takes what all heads read, one after another.

        **Arguments:**

        - `state`: of the layer.
        - `head`: which, from 0 on.

        **Raises:** `IndexError` for a head that is not there.
        """
        self._matrix(state)
        if not 0 <= head < self.heads:
            raise IndexError(f"`head` is {head}, but the layer has {self.heads}.")
        normaliser = None if state.normaliser is None else state.normaliser[head]
        return MatrixMemory(
            state.matrix[head],
            feature_map=self.features,
            normaliser=normaliser,
            width=self.key_size,
            symmetry="none",
        )

    def project(self, x: ArrayLike) -> Projected:
        """Queries, keys, values, rates and decays of tokens, in each head.

        **Arguments:**

        - `x`: shape (L, d).

        **Raises:** `ValueError` or `TypeError` for wrong shapes.
        """
        x = self._tokens(x, 2)

        def heads(linear: eqx.nn.Linear) -> Array:
            return jnp.swapaxes(jax.vmap(linear)(x).reshape(len(x), self.heads, -1), 0, 1)

        rate = log_decay = None
        if self.rate_proj is not None:
            rate = jax.nn.sigmoid(heads(self.rate_proj)[..., 0])
            rate = 2 * rate if self.negative_eigenvalues else rate
        if self.decay_proj is not None:
            log_decay = -jax.nn.softplus(heads(self.decay_proj))
            log_decay = log_decay[..., 0] if log_decay.shape[-1] == 1 else log_decay
        queries, keys = heads(self.query_proj), heads(self.key_proj)
        return Projected(queries, keys, heads(self.value_proj), rate, log_decay)

    def _writes(self, tokens: Projected, mask: Array | None) -> Writes:
        """What the tokens do, in each head; the normaliser is one more row of the matrix."""
        of_rows = jax.vmap(jax.vmap(self.features))
        queries, keys, added = of_rows(tokens.queries), of_rows(tokens.keys), tokens.values
        log_decay = tokens.log_decay
        if self.norm == "attention":
            added = jnp.concatenate([added, jnp.ones_like(added[..., :1])], -1)
        if mask is not None:
            keys = jnp.where(mask[None, :, None], keys, 0)
        if log_decay is not None and mask is not None:
            shape = (1, -1) if log_decay.ndim == 2 else (1, -1, 1)
            log_decay = jnp.where(mask.reshape(shape), log_decay, 0)
        if tokens.rate is None:
            return Writes(queries, keys, added, None, log_decay)
        rate = tokens.rate[..., None]
        return Writes(queries, keys, rate * added, rate.astype(keys.dtype) * keys, log_decay)

    def _outputs(self, read: Float[Array, "L heads v"], dtype) -> Array:
        if self.norm == "attention":
            read = read[..., :-1] * inverse(read[..., -1:])
        return jax.vmap(self.output_proj)(read.reshape(len(read), -1).astype(dtype))

    def _matrix(self, state: Any) -> Array:
        """The matrices of a state with the normaliser as the last row."""
        empty = self.init_state()
        if state is None:
            state = empty
        if not isinstance(state, FastWeightState):
            raise TypeError(
                f"`state` must be a FastWeightState, but it is {type(state).__name__}; "
                "layer.init_state() is an empty one."
            )
        shapes, wanted = ([x.shape for x in jax.tree.leaves(s)] for s in (state, empty))
        if shapes != wanted:
            raise ValueError(
                f"`state` must have arrays of shape {wanted}, but theirs are {shapes}: it is of "
                "another layer, or of a batch (jax.vmap)."
            )
        if state.normaliser is None:
            return state.matrix
        return jnp.concatenate([state.matrix, state.normaliser[:, None]], 1)

    def _state(self, matrix: Array) -> FastWeightState:
        if self.norm == "attention":
            return FastWeightState(matrix[:, :-1], matrix[:, -1])
        return FastWeightState(matrix)

    def _tokens(self, x: Any, ndim: int) -> Array:
        x = as_floats("x", x, ndim=ndim, dtype=self.key_proj.weight.dtype)
        if x.shape[-1] != self.size or x.size == 0:
            shape = f"(L, {self.size})" if ndim == 2 else f"({self.size},)"
            raise ValueError(f"`x` must have shape {shape}, but its shape is {x.shape}.")
        return x

    def _count(self, key_size: int) -> int:
        """How many features φ has.

        **Raises:** `ValueError` if they are no row.
        """
        row = jax.ShapeDtypeStruct((key_size,), jnp.result_type(float))
        shape = jax.eval_shape(self.features, row).shape
        if len(shape) != 1:
            raise ValueError(
                f"`feature_map` must give features of one axis, but of a row of {key_size} it gives"
                f" shape {shape}."
            )
        return shape[0]


def _same(row: Array) -> Array:
    return row


def _of_head(name: str, value: int | None, size: int, heads: int) -> int:
    if value is not None:
        return whole_number(name, value)
    if size % heads:
        raise ValueError(
            f"`heads` is {heads}, by which `size`, {size}, cannot be divided: give `{name}`."
        )
    return size // heads


def _decay_bias(count: int) -> np.ndarray:
    """The inverse of softplus at −ln(1 − what is forgotten)."""
    forgotten = np.geomspace(*_FORGOTTEN, count)
    return np.log(np.expm1(-np.log1p(-forgotten)))
