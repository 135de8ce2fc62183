"""Many queries at once: softmax of products, block by block, with a derivative made by hand."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Bool, Float, Key

from ..common.arithmetic import accumulate, match, products, weighted
from .base import AbstractSeparation
from .fold import Query, Rows, fold
from .softmax import AbstractExponential

# So many scores are held at a time, 4 MiB, but never those of fewer queries than these. Backward
# passes hold twice as many, and are fastest with no more than some hundred queries at a time.
_SCORES, _QUERIES, _BACKWARD = 1 << 20, 32, 256
# Groups that have no more scores than these, all of them, are read together.
_TOGETHER = 1 << 19


class Attention(NamedTuple):
    """What many queries read.

    - `value` (S, v): Σ w value of each query.
    - `potential` (S,): Φ of its scores; NaN where the separation has none.
    """

    value: Float[Array, "s v"]
    potential: Float[Array, " s"]


def attend(
    separation: AbstractSeparation,
    queries: Float[Array, "s d"],
    keys: Float[Array, "n d"],
    values: Float[Array, "n v"] | None = None,
    *,
    filled: Bool[Array, " n"] | None = None,
    mask: Bool[Array, "s n"] | None = None,
    causal: bool = False,
    dropout: float = 0.0,
    key: Key[Array, ""] | None = None,
) -> Attention:
    """Read keys with many queries, by their products q·k.

    It is `fold` for each of them, in a form for layers: the scores of some queries with all keys
    are held at a time, never those of all, and the backward pass takes them again. Softmax has a
    derivative made by hand, in reverse mode alone. Its heads and batches, mapped by `jax.vmap`, are
    done one after another on a CPU, where each then has the cache to itself, and all at once
    elsewhere.

    **Arguments:**

    - `separation`: how scores become weights.
    - `queries`: shape (S, d).
    - `keys`: shape (N, d).
    - `values`: shape (N, v); the keys if `None`.
    - `filled`: keys that take part, shape (N,); all if `None`.
    - `mask`: which key takes part for which query, shape (S, N); all if `None`.
    - `causal`: whether key n takes part for queries s ≥ n only.
    - `dropout`: the share of weights that is set to zero, the others growing by 1/(1 − share).
    - `key`: of the dropout; none without it.

    **Returns:** an `Attention`; the value of a query for which no key takes part is zero.

    **Source:** [ramsauer2021hopfield]; the backward pass [dao2022flashattention]
    """
    settings = _Settings(causal, 0.0 if key is None else dropout, keys.shape[0])
    dtype = accumulate(queries.dtype)
    own = _Own(filled, mask, None if settings.dropout == 0 else key)
    if not is_softmax(separation):
        return _read_any(settings, separation, queries, keys, values, own)
    beta = match(separation, dtype).beta
    states, rows = beta * queries.astype(dtype)[None], keys.astype(dtype)[None]
    worth = None if values is None else values.astype(dtype)[None]
    own = jax.tree.map(lambda leaf: leaf[None], own)
    read: Any = _attend(settings, states, rows, worth, own)
    value, potential = read
    out = (keys if values is None else values).dtype
    return Attention(value[0].astype(out), potential[0] / beta)


def is_softmax(separation) -> bool:
    """Whether weights are exp(β s) over their sum."""
    return (
        isinstance(separation, AbstractExponential)
        and separation.normalised
        and separation.ignores_shifts
    )


class _Settings(NamedTuple):
    """What is known before a program is compiled."""

    causal: bool
    dropout: float
    count: int

    @property
    def together(self) -> int:
        """How many queries are read together."""
        return max(_SCORES // self.count, _QUERIES)

    @property
    def block(self) -> int:
        """Those of the backward pass, and of both where they drop the same weights."""
        return min(self.together, _BACKWARD)

    @property
    def forward(self) -> int:
        """Those of the forward pass."""
        return self.block if self.dropout else self.together


class _Own(NamedTuple):
    """What belongs to a group and has no derivative."""

    filled: Bool[Array, "g n"] | None
    mask: Bool[Array, "g s n"] | None
    key: Key[Array, " g"] | None


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _attend(settings, queries, keys, values, own):
    return _forward(settings)(queries, keys, values, own)


def _attend_forward(settings, queries, keys, values, own):
    value, potential = _forward(settings)(queries, keys, values, own)
    return (value, potential), (queries, keys, values, own, value, potential)


def _attend_backward(settings, residuals, cotangents):
    queries, keys, values, own, value, potential = residuals
    d_value, d_potential = cotangents
    # Σ_n w_n ∂/∂w_n, which the normalisation takes off every score.
    common = jnp.sum(value * d_value, axis=-1) - d_potential
    slopes = _backward(settings)(queries, keys, values, own, potential, d_value, common)
    return (*slopes, None)


_attend.defvjp(_attend_forward, _attend_backward)


@functools.cache
def _forward(settings):
    return _grouped(functools.partial(_read, settings))


@functools.cache
def _backward(settings):
    return _grouped(functools.partial(_slopes, settings))


def _grouped(one):
    """A function of one group, for groups along the first axis; batches of groups are groups."""

    def some(*args):
        """Small groups together, as many as are as large as the cache; large ones one by one."""
        queries, keys = args[:2]
        together = max(_TOGETHER // (queries.shape[1] * keys.shape[1]), 1)
        if together >= queries.shape[0]:
            return jax.vmap(one)(*args)
        size = None if together == 1 else together
        return jax.lax.map(lambda args: one(*args), args, batch_size=size)

    @custom_vmap
    def groups(*args):
        return jax.lax.platform_dependent(*args, cpu=some, default=jax.vmap(one))

    @groups.def_vmap
    def batch(size, batched, *args):
        def merged(leaf, has):
            leaf = leaf if has else jnp.broadcast_to(leaf, (size, *leaf.shape))
            return leaf.reshape(-1, *leaf.shape[2:])

        merge = jax.tree.map(merged, args, tuple(batched))
        out = groups(*merge)
        out = jax.tree.map(lambda leaf: leaf.reshape(size, -1, *leaf.shape[1:]), out)
        return out, jax.tree.map(lambda leaf: True, out)

    return groups


def _read(settings, queries, keys, values, own):
    values = keys if values is None else values

    def block(part):
        scores = _scores(settings, part, keys, own)
        top = jnp.max(scores, axis=-1, keepdims=True)
        top = jnp.where(top == -jnp.inf, 0.0, top)
        weights = jnp.exp(scores - top)
        mass = jnp.sum(weights, axis=-1, keepdims=True)
        weights = _dropped(settings, weights.T, part, own).T
        value = weights @ values / jnp.where(mass == 0, 1.0, mass)
        return value, (top + jnp.log(mass))[:, 0]

    parts = _parts(settings.forward, queries, own)
    if parts.queries.shape[0] == 1:
        return block(jax.tree.map(lambda leaf: leaf[0], parts))
    out = jax.lax.map(block, parts)
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[: queries.shape[0]], out)


def _slopes(settings, queries, keys, values, own, potential, d_value, common):
    tied = values is None
    values = keys if tied else values
    potential = jnp.where(potential == -jnp.inf, jnp.inf, potential)

    def block(part, potential, d_value, common):
        """With keys along the first axis: two of three products then need no transpose."""
        scores = keys @ part.queries.T
        there = _there(settings, part, keys.shape[0], own)
        scores = scores if there is None else jnp.where(there.T, scores, -jnp.inf)
        weights = jnp.exp(scores - potential[None])
        by_weight = _dropped(settings, values @ d_value.T, part, own)
        by_score = weights * (by_weight - common[None])
        d_values = _dropped(settings, weights, part, own) @ d_value
        return by_score.T @ keys, by_score @ part.queries, d_values

    def step(sums, inputs):
        d_queries, *new = block(*inputs)
        return jax.tree.map(jnp.add, sums, tuple(new)), d_queries

    count = queries.shape[0]
    parts = _parts(settings.block, queries, own)
    rest = [_split(settings.block, leaf) for leaf in (potential, d_value, common)]
    if parts.queries.shape[0] == 1:
        first = jax.tree.map(lambda leaf: leaf[0], (parts, *rest))
        d_queries, d_keys, d_values = block(*first)
    else:
        zero = jnp.zeros_like(keys), jnp.zeros_like(values)
        (d_keys, d_values), d_queries = jax.lax.scan(step, zero, (parts, *rest))
        d_queries = d_queries.reshape(-1, queries.shape[1])[:count]
    return (d_queries, d_keys + d_values, None) if tied else (d_queries, d_keys, d_values)


class _Part(NamedTuple):
    """Some of the queries."""

    queries: Float[Array, "b d"]
    mask: Bool[Array, "b n"] | None
    number: Array


def _parts(size, queries, own):
    split = _split(size, queries)
    mask = None if own.mask is None else _split(size, own.mask)
    return _Part(split, mask, jnp.arange(split.shape[0], dtype=jnp.int32))


def _split(size, leaf):
    """Rows in blocks, the last filled up with zeros."""
    size = min(size, leaf.shape[0])
    short = -leaf.shape[0] % size
    padded = jnp.pad(leaf, [(0, short)] + [(0, 0)] * (leaf.ndim - 1)) if short else leaf
    return padded.reshape(-1, size, *leaf.shape[1:])


def _scores(settings, part, keys, own):
    scores = part.queries @ keys.T
    there = _there(settings, part, keys.shape[0], own)
    return scores if there is None else jnp.where(there, scores, -jnp.inf)


def _there(settings, part, count, own):
    """Which keys take part, shape (b, N), or (1, N) where for all queries the same ones do."""
    there = None if own.filled is None else own.filled[None]
    if part.mask is not None:
        there = part.mask if there is None else there & part.mask
    if settings.causal:
        size = part.queries.shape[0]
        rows = part.number * size + jnp.arange(size, dtype=jnp.int32)
        before = jnp.arange(count, dtype=jnp.int32)[None] <= rows[:, None]
        there = before if there is None else there & before
    return there


def _dropped(settings, weights, part, own):
    """Weights (N, b), some of them at zero: the same ones whenever the same part is asked."""
    if own.key is None:
        return weights
    key = jax.random.fold_in(own.key, part.number)
    kept = jax.random.bernoulli(key, 1 - settings.dropout, weights.shape)
    return jnp.where(kept, weights / (1 - settings.dropout), 0.0)


def _read_any(settings, separation, queries, keys, values, own):
    """Each query by the fold, its scores taken again for the derivative."""

    @jax.checkpoint
    def one(inputs):
        query, mask, number = inputs
        part = _Part(query[None], None if mask is None else mask[None], number)
        there = _there(settings, part, keys.shape[0], own)
        there = None if there is None else jnp.broadcast_to(there[0], keys.shape[:1])
        if own.key is None:
            reading = fold(separation, Query(products, query, None), Rows(keys, values, there))
            return Attention(reading.value, reading.potential)
        scores = products(keys, query)
        part_separation = match(separation, scores.dtype)
        weights = _dropped(settings, part_separation(scores, there), part, own)
        potential = jnp.full((), jnp.nan, scores.dtype)
        if separation.lacks_potential is None:
            potential = part_separation.potential(scores, there)
        rows = keys if values is None else values
        return Attention(weighted(weights, rows).astype(rows.dtype), potential)

    numbers = jnp.arange(queries.shape[0], dtype=jnp.int32)
    together = min(settings.together, queries.shape[0])
    return jax.lax.map(one, (queries, own.mask, numbers), batch_size=together)
