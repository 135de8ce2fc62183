"""Fast weights: a matrix memory that is written and read token by token, or chunk by chunk."""

import functools
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import accumulate
from ..common.checks import as_floats, is_concrete, one_of, whole_number

Rule = Literal["delta", "sum"]
Chunk = int | Literal["auto"] | None
# Within a chunk, a decay for each feature takes C² p exponentials, and others C².
_CHUNK, _CHUNK_OF_FEATURES = 64, 16


class Writes(NamedTuple):
    """What L tokens do to a memory W: W ← W D + (a − W D e) kᵀ, and what they read, W q.

    `queries`, `keys` and `erase` have shape (L, p), `added` (L, v), and the logarithms of the
    decays D (L,) or (L, p). Without `erase`, or without decays, these are `None`.
    """

    queries: Float[Array, "L p"]
    keys: Float[Array, "L p"]
    added: Float[Array, "L v"]
    erase: Float[Array, "L p"] | None
    log_decay: Array | None


def fast_weights(
    queries: ArrayLike,
    keys: ArrayLike,
    values: ArrayLike,
    *,
    rule: Rule = "delta",
    rate: ArrayLike | None = None,
    erase: ArrayLike | None = None,
    log_decay: ArrayLike | None = None,
    state: ArrayLike | None = None,
    chunk: Chunk = "auto",
) -> tuple[Float[Array, "L v"], Float[Array, "v p"]]:
    """Write each token into a matrix W and read it: W ← W D + (β v − W D e) kᵀ, then y = W q.

    What a write decays (D), erases (e) and adds (β v) makes the memories of the literature:

    | memory | arguments |
    |---|---|
    | linear attention | `rule="sum"` |
    | with decay a token, or a token and feature | `rule="sum", log_decay=` (L,), or (L, p) |
    | delta rule, DeltaNet | `rate=` (L,) |
    | Gated DeltaNet | `rate=`, `log_decay=` (L,) |
    | Kimi Delta Attention | `rate=`, `log_decay=` (L, p) |
    | erased and written apart (Comba, GDN-2) | `erase=`, `rate=` (L,) or (L, v), `log_decay=` |

    Keys and queries are features φ(k) and φ(q) already. A write of the delta rule is a step of size
    β down the slope of ½|W D k − v|², stable if β |k|² ≤ 2.

    ```python
    outputs, state = fast_weights(queries, keys, values, rate=rate)
    more, state = fast_weights(*next_tokens, rate=next_rate, state=state)
    ```

    **Arguments:**

    - `queries`, `keys`: shape (L, p); each token writes first, and reads then.
    - `values`: shape (L, v).
    - `rule`: "delta" erases e = β k, what W has for the key, and "sum" erases nothing.
    - `rate`: β, shape (L,); 1 if `None`. For the sum, or with an `erase` of its own, it may have
      shape (L, v).
    - `erase`: e in place of β k, shape (L, p), for the delta rule.
    - `log_decay`: the logarithm of D, ≤ 0, shape (L,) or (L, p), the diagonal of a matrix; no decay
      if `None`.
    - `state`: W before the first token, shape (v, p); zero if `None`.
    - `chunk`: C, how many tokens are written at once, which takes products of matrices, L/C of them
      one after another. "auto" is 64, and 16 where each feature has a decay, which takes L C p
      exponentials. `None` writes token by token, which without slopes is faster on a CPU. They
      differ by rounding: what a chunk writes is the solution of a triangular system of C rows,
      which keys of unit length condition well.

    **Returns:** what is read, shape (L, v), in the type of the values, and W after the last token,
    in at least 32 bits.

    **Raises:** `ValueError` or `TypeError` that names the argument.

    **Source:** [schlag2021linear], chunks [yang2024parallelizing], decay [yang2025gated]
    """
    values = as_floats("values", values, ndim=2)
    writes = _checked(queries, keys, values, rule, rate, erase, log_decay)
    shape = values.shape[1], writes.keys.shape[1]
    start = None if state is None else _shaped("state", state, "values by features", shape)
    outputs, last = run(writes, start, size_of(chunk, writes.log_decay))
    return outputs.astype(values.dtype), last


def size_of(chunk: Any, log_decay: Array | None) -> int | None:
    """How many tokens a chunk has; `None` for token by token.

    **Raises:** `ValueError` that names `chunk`.
    """
    if chunk == "auto":
        return _CHUNK_OF_FEATURES if log_decay is not None and log_decay.ndim == 2 else _CHUNK
    return None if chunk is None else whole_number("chunk", chunk)


@functools.partial(jax.jit, static_argnums=2)
def run(writes: Writes, state: Array | None, chunk: int | None) -> tuple[Array, Array]:
    """What is read and the last state, in at least 32 bits, of `chunk` tokens at once."""
    dtype = _wide(*jax.tree.leaves(writes))
    writes = jax.tree.map(lambda x: x.astype(dtype), writes)
    length, shape = len(writes.keys), (writes.added.shape[1], writes.keys.shape[1])
    start = jnp.zeros(shape, dtype) if state is None else state.astype(dtype)
    if chunk is None:
        last, outputs = jax.lax.scan(step, start, writes)
        return outputs, last
    chunk = min(chunk, length)
    # Tokens of zeros add nothing, erase nothing, and leave all as it is.
    rest = -length % chunk
    writes = jax.tree.map(
        lambda x: jnp.pad(x, ((0, rest), *[(0, 0)] * (x.ndim - 1))).reshape(
            -1, chunk, *x.shape[1:]
        ),
        writes,
    )
    outputs, last = _chunkwise(writes, start)
    return outputs.reshape(-1, shape[0])[:length], last


def step(state: Float[Array, "v p"], write: Writes) -> tuple[Array, Array]:
    """The state after one token, without the axis of tokens, and what it reads."""
    if write.log_decay is not None:
        decay = jnp.exp(write.log_decay)
        state = state * (decay if decay.ndim == 0 else decay[None])
    change = write.added
    if write.erase is not None:
        change = change - state @ write.erase
    state = state + change[:, None] * write.keys[None]
    return state, state @ write.queries


def _chunkwise(writes: Writes, state: Array) -> tuple[Array, Array]:
    """Chunks of shape (n, C, …), each a triangular system in what its tokens change.

    From a state W, token i changes δ_i = a_i − W D_{0i} e_i − Σ_{j<i} (e_iᵀ D_{ji} k_j) δ_j, where
    D_{ji} are the decays after token j up to i.
    """
    queries, keys, changes, erase, logs = writes
    reads = _scores(queries, keys, logs)
    # What reads and erases see of the state before the chunk, and what is kept of it and of writes.
    seen, kept, whole = (lambda rows: rows), keys, None
    if logs is not None:
        sums = jnp.cumsum(logs, axis=1)
        sums = sums if logs.ndim == 3 else sums[..., None]
        decay, whole = jnp.exp(sums), jnp.exp(sums[:, -1:])
        seen, kept = (lambda rows: rows * decay), keys * jnp.exp(sums[:, -1:] - sums)
    erased = None
    if erase is not None:
        below = jnp.tril(_scores(erase, keys, logs), -1)
        solved = unit_lower_inverse(below)
        changes, erased = solved @ changes, solved @ seen(erase)

    def write(state, parts):
        changes, erased, kept, whole = parts
        before = state
        if erased is not None:
            changes = changes - erased @ state.T
        if whole is not None:
            state = state * whole
        return state + changes.T @ kept, (before, changes)

    state, (befores, changes) = jax.lax.scan(write, state, (changes, erased, kept, whole))
    outputs = jnp.einsum("ncp,nvp->ncv", seen(queries), befores)
    return outputs + jnp.tril(reads) @ changes, state


def _scores(rows: Array, keys: Array, logs: Array | None) -> Array:
    """The products rows_iᵀ D_{ji} keys_j of each chunk, for i ≥ j; what is above is not used."""
    if logs is None:
        return _products(rows, keys)
    sums, lower = jnp.cumsum(logs, axis=1), np.tri(keys.shape[1], dtype=bool)[None]
    lower = lower[..., None] if logs.ndim == 3 else lower
    # A difference above the diagonal is positive, and its exponential may be infinite.
    decay = jnp.exp(jnp.where(lower, sums[:, :, None] - sums[:, None], 0))
    if logs.ndim == 2:
        return _products(rows, keys) * decay
    return jnp.sum(rows[:, :, None] * keys[:, None] * decay, axis=-1)


def _products(rows: Array, keys: Array) -> Array:
    # What becomes part of a triangular system is not rounded to the inputs of tensor cores.
    return jnp.einsum("nip,njp->nij", rows, keys, precision=jax.lax.Precision.HIGHEST)


@jax.custom_jvp
def unit_lower_inverse(below: Float[Array, "*n c c"]) -> Float[Array, "*n c c"]:
    """(1 + N)⁻¹ of matrices N that are zero on the diagonal and above, by doubling.

    The inverse of [A 0; B C] is [A⁻¹ 0; −C⁻¹ B A⁻¹ C⁻¹]: from blocks of 1, of which it is 1, there
    are ⌈log₂ c⌉ such steps, of two products each. Unlike the powers of N, which may be huge and
    cancel, blocks are as large as those of the inverse itself.

    **Arguments:**

    - `below`: N, shape (..., c, c).
    """
    size = below.shape[-1]
    if size > 8 and size % 2 == 0:
        half = size // 2
        corners = jnp.stack([below[..., :half, :half], below[..., half:, half:]], -3)
        corners = unit_lower_inverse(corners)
        first, last = corners[..., 0, :, :], corners[..., 1, :, :]
        cross = -_matmul(_matmul(last, below[..., half:, :half]), first)
        top = jnp.concatenate([first, jnp.zeros_like(first)], -1)
        return jnp.concatenate([top, jnp.concatenate([cross, last], -1)], -2)
    places = np.arange(size).reshape((1,) * (below.ndim - 2) + (size,))
    result = jnp.broadcast_to(jnp.eye(size, dtype=below.dtype), below.shape)
    block = 1
    while block < size:
        row, column = places[..., :, None] // block, places[..., None, :] // block
        cross = jnp.where((row % 2 == 1) & (column == row - 1), below, 0)
        result = result - _matmul(_matmul(result, cross), result)
        block *= 2
    return result


@unit_lower_inverse.defjvp
def _(primals, tangents):
    solved = unit_lower_inverse(*primals)
    return solved, -_matmul(_matmul(solved, jnp.tril(tangents[0], -1)), solved)


def _matmul(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


def _wide(*arrays: Array) -> jnp.dtype:
    """The widest of their types, of at least 32 bits."""
    return max((accumulate(x.dtype) for x in arrays), key=lambda dtype: dtype.itemsize)


def _checked(queries, keys, values, rule, rate, erase, log_decay) -> Writes:
    """The writes of `fast_weights`."""
    one_of("rule", rule, get_args(Rule))
    if values.size == 0:
        raise ValueError(
            f"`values` must have a token and an entry, but their shape is {values.shape}."
        )
    length = len(values)
    keys = as_floats("keys", keys, ndim=2)
    if keys.shape[0] != length or keys.shape[1] == 0:
        raise ValueError(
            f"`keys` must have a row for each of the {length} values, but their shape is "
            f"{keys.shape}."
        )
    queries = _shaped("queries", queries, "the keys", keys.shape)
    added = values
    if rate is not None:
        wide = rule == "sum" or erase is not None
        rate = _shaped("rate", rate, "tokens", (length,), *[values.shape] * wide)
        by_token = rate[:, None] if rate.ndim == 1 else rate
        dtype = _wide(rate, values)
        added = by_token.astype(dtype) * values.astype(dtype)
    if erase is not None:
        if rule == "sum":
            raise ValueError("`erase` is for the delta rule: rule='sum' erases nothing.")
        erase = _shaped("erase", erase, "the keys", keys.shape)
    elif rule == "delta":
        erase = keys
        if rate is not None:
            dtype = _wide(rate, keys)
            erase = rate[:, None].astype(dtype) * keys.astype(dtype)
    if log_decay is not None:
        log_decay = _shaped("log_decay", log_decay, "tokens", (length,), keys.shape)
        if is_concrete(log_decay) and (np.asarray(log_decay) > 0).any():
            raise ValueError(
                "`log_decay` is the logarithm of a number up to 1 and must not be positive, but it "
                f"is up to {float(jnp.max(log_decay)):.3g}."
            )
    return Writes(queries, keys, added, erase, log_decay)


def _shaped(name: str, value: Any, of: str, *shapes: tuple[int, ...]) -> Array:
    array = as_floats(name, value)
    if array.shape not in shapes:
        wanted = " or ".join(map(str, shapes))
        raise ValueError(
            f"`{name}` must have the shape of {of}, {wanted}, but it has {array.shape}."
        )
    return array
