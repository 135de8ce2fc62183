"""Capacity and corruption sweeps, vectorised over runs, numbers of memories and levels.

A sweep stores N rows, damages each, reads with it once, and counts those that come back. All
numbers of memories share one matrix of scores and the same damage, since the first N rows are
stored: that is what makes a sweep fast, and differences along it free of sampling noise.
"""

from collections.abc import Callable, Sequence
from math import inf, prod
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PRNGKeyArray

from ..common.arithmetic import accumulate, weighted
from ..common.checks import as_array, as_floats, one_key
from ..common.display import results
from ..separation import AbstractSeparation
from .criteria import exact_row, fractions, squared_error

# Queries that are scored together: their running sums stay in cache.
_CHUNK = 512


@results
class Sweep(NamedTuple):
    """What a sweep counts. A *point* is a number of memories or a level of damage.

    - `fraction` (runs, points, thresholds): the share of memories retrieved.
    - `exact` (runs, points): the share whose own row scores best, whatever the separation.
    - `baseline` (runs, points, thresholds): the share that the mean of the stored values, the
      same answer to every query, would retrieve.
    """

    fraction: Float[Array, "run point threshold"]
    exact: Float[Array, "run point"]
    baseline: Float[Array, "run point threshold"]


def scores(similarity: Callable, keys: ArrayLike, queries: ArrayLike) -> Float[Array, "m n"]:
    """The scores of many queries, a chunk of queries at a time.

    **Arguments:**

    - `similarity`: one of `attrax.similarity`, or a function of (keys (N, d), query (d,)).
    - `keys`: stored rows, shape (N, d).
    - `queries`: shape (M, d).

    **Returns:** shape (M, N).
    """
    keys = as_floats("keys", keys, ndim=2)
    queries = as_floats("queries", queries, ndim=2)
    count = queries.shape[0]
    chunks = -(-count // _CHUNK)
    size = -(-count // chunks)
    padded = jnp.pad(queries, ((0, chunks * size - count), (0, 0)))
    score = jax.vmap(similarity, (None, 0))
    parts = jax.lax.map(lambda part: score(keys, part), padded.reshape(chunks, size, -1))
    return parts.reshape(chunks * size, -1)[:count]


def baseline_mean_image(
    patterns: ArrayLike, threshold: ArrayLike | Sequence[float] | Sequence[int]
) -> Array:
    """The share of patterns that their mean would retrieve: what no memory at all achieves.

    **Arguments:**

    - `patterns`: the rows to be retrieved, shape (N, d).
    - `threshold`: the largest squared error that counts; one or several.

    **Returns:** a share for each threshold, shape () or (T,).
    """
    patterns = as_floats("patterns", patterns, ndim=2)
    patterns = patterns.astype(accumulate(patterns.dtype))
    limits = as_floats("threshold", threshold, finite=False).astype(patterns.dtype)
    mean = jnp.mean(patterns, axis=0)
    errors = squared_error(jnp.broadcast_to(mean[None], patterns.shape), patterns)
    return fractions(errors, limits.reshape(-1)).reshape(limits.shape)


def capacity_sweep(
    patterns: ArrayLike,
    sizes: Sequence[int],
    *,
    similarity: Callable,
    separation: Callable,
    corrupt: Callable,
    level: Any,
    thresholds: ArrayLike | Sequence[float] | Sequence[int],
    values: ArrayLike | None = None,
    output: Callable | None = None,
    key: PRNGKeyArray,
) -> Sweep:
    """How many memories come back as more of them are stored.

    At size N the first N patterns of a run are stored, and each is damaged and read once.

    **Arguments:**

    - `patterns`: a set of patterns for each run, shape (R, n, d).
    - `sizes`: numbers of memories, each from 1 to n.
    - `similarity`: (keys (N, d), query (d,)) -> scores (N,).
    - `separation`: scores (N,) -> weights (N,).
    - `corrupt`: `corrupt(pattern (d,), level, key=key) -> query (d,)`.
    - `level`: what `corrupt` is given: a number, or arrays such as a mask.
    - `thresholds`: the largest squared errors that count as retrieved.
    - `values`: what is read and compared instead of the patterns, shape (R, n, v).
    - `output`: applied to what is read, shape (v,) -> (v,), such as a sign.
    - `key`: the random key; the damage to a row depends on it and the run alone, so that sweeps
      with the same key are compared on the same queries.

    **Returns:** a `Sweep` with one point a size.

    **Raises:** `ValueError` for sizes outside 1 to n or wrong shapes.

    **Source:** [millidge2022universal]
    """
    (found,) = separation_sweeps(
        patterns,
        sizes,
        similarity=similarity,
        separations=(separation,),
        corrupt=corrupt,
        level=level,
        thresholds=thresholds,
        values=values,
        output=output,
        key=key,
    )
    return found


def separation_sweeps(
    patterns: ArrayLike,
    sizes: Sequence[int],
    *,
    similarity: Callable,
    separations: Sequence[Callable],
    corrupt: Callable,
    level: Any,
    thresholds: ArrayLike | Sequence[float] | Sequence[int],
    values: ArrayLike | None = None,
    output: Callable | None = None,
    key: PRNGKeyArray,
) -> list[Sweep]:
    """A `capacity_sweep` for each of several separations, of queries that are scored once."""
    patterns, values = _checked(patterns, values)
    sizes = tuple(int(size) for size in sizes)
    if not sizes or min(sizes) < 1 or max(sizes) > patterns.shape[1]:
        raise ValueError(
            f"`sizes` must hold numbers from 1 to {patterns.shape[1]}, the patterns of a run, "
            f"but it is {sizes}. Store fewer or give more patterns."
        )
    level = jax.tree.map(lambda leaf: as_array("level", leaf)[None], level)
    found = _sweeps(
        patterns, values, sizes, level, thresholds, similarity, separations, corrupt, output, key
    )
    return jax.tree.map(lambda leaf: leaf[:, 0], found)


def level_sweep(
    patterns: ArrayLike,
    levels: Any,
    *,
    similarity: Callable,
    separation: Callable,
    corrupt: Callable,
    thresholds: ArrayLike | Sequence[float] | Sequence[int],
    values: ArrayLike | None = None,
    output: Callable | None = None,
    key: PRNGKeyArray,
) -> Sweep:
    """How many of n memories come back as the damage grows.

    **Arguments:**

    - `patterns`: what is stored in each run, shape (R, n, d).
    - `levels`: what `corrupt` is given, stacked along the first axis: numbers (L,), masks (L, d),
      or a dictionary or other pytree of such.

    The others are as of `capacity_sweep`. One draw of noise serves all levels of a run.

    **Returns:** a `Sweep` with one point a level.

    **Raises:** `ValueError` for wrong shapes.

    **Source:** [millidge2022universal]
    """
    patterns, values = _checked(patterns, values)
    if isinstance(levels, list | tuple):
        levels = as_floats("levels", levels, dtype=patterns.dtype)
    levels = jax.tree.map(lambda leaf: as_array("levels", leaf), levels)
    sizes = (patterns.shape[1],)
    (found,) = _sweeps(
        patterns, values, sizes, levels, thresholds, similarity, (separation,), corrupt, output, key
    )
    return jax.tree.map(lambda leaf: leaf[:, :, 0], found)


def read(separation: Callable, row: Float[Array, " n"], values: Float[Array, "n v"]) -> Array:
    """One read from scores: only the rows that can have weight are fetched."""
    if not isinstance(separation, AbstractSeparation):
        return weighted(separation(row), values)
    index, weights = separation.support(row)
    return weighted(weights, values if index is None else values[index])


def _sweeps(
    patterns, values, sizes, levels, thresholds, similarity, separations, corrupt, output, key
) -> list[Sweep]:
    """One for each separation, with leaves of shape (runs, levels, sizes, ...)."""
    limits = as_floats("thresholds", thresholds, finite=False)
    limits = limits.astype(accumulate(patterns.dtype))
    if limits.ndim != 1 or limits.size == 0:
        raise ValueError(
            f"`thresholds` must be a sequence of numbers, but its shape is {limits.shape}."
        )
    values = patterns if values is None else values
    # Several programs rather than one: a comparison of similarities then compiles the damage and
    # the reading once, and one of separations the damage and the scores.
    queries = _damaged(corrupt, patterns, levels, jax.random.split(one_key(key), patterns.shape[0]))
    every = _scored(similarity, patterns, queries)
    baseline = _within(_mean_errors(values, sizes)[:, None], sizes, limits)
    exact = _exact(every, sizes)
    errors = (_errors(separation, output, every, values, sizes) for separation in separations)
    shares = (_within(error, sizes, limits) for error in errors)
    return [Sweep(each, exact, jnp.broadcast_to(baseline, each.shape)) for each in shares]


@eqx.filter_jit
def _damaged(corrupt, patterns, levels, keys) -> Float[Array, "run level n d"]:
    def run(inputs):
        rows, key = inputs
        own = jax.random.split(key, rows.shape[0])
        damage = jax.vmap(lambda row, level, key: corrupt(row, level, key=key), (0, None, 0))
        return jax.lax.map(lambda level: damage(rows, level, own), levels)

    return jax.lax.map(run, (patterns, keys))


@eqx.filter_jit
def _scored(similarity, patterns, queries) -> Float[Array, "run level n n"]:
    def run(inputs):
        rows, damaged = inputs
        return jax.lax.map(lambda part: scores(similarity, rows, part), damaged)

    return jax.lax.map(run, (patterns, queries))


@eqx.filter_jit
def _errors(separation, output, every, values, sizes) -> Float[Array, "run level size n"]:
    """Squared errors of the first `size` queries when as many rows are stored; then infinity."""

    def error(scored, targets, size):
        rows = targets[:size]
        found = jax.vmap(lambda row: read(separation, row, rows))(scored[:size, :size])
        if output is not None:
            found = jax.vmap(output)(found)
        return jnp.pad(squared_error(found, rows), (0, len(targets) - size), constant_values=inf)

    def run(inputs):
        every, targets = inputs
        return jax.lax.map(
            lambda scored: jnp.stack([error(scored, targets, size) for size in sizes]), every
        )

    return jax.lax.map(run, (every, values))


@eqx.filter_jit
def _exact(every, sizes) -> Float[Array, "run level size"]:
    found = [exact_row(every[..., :size, :size], jnp.arange(size)) for size in sizes]
    return jnp.stack([jnp.mean(each, axis=-1) for each in found], axis=-1)


@eqx.filter_jit
def _mean_errors(values, sizes) -> Float[Array, "run size n"]:
    stored = jnp.arange(values.shape[1])[None] < jnp.asarray(sizes)[:, None]

    def run(rows):
        rows = rows.astype(accumulate(rows.dtype))
        means = stored.astype(rows.dtype) @ rows / jnp.asarray(sizes, rows.dtype)[:, None]
        errors = jax.lax.map(
            lambda mean: squared_error(jnp.broadcast_to(mean[None], rows.shape), rows), means
        )
        return jnp.where(stored, errors, inf)

    return jax.lax.map(run, values)


@eqx.filter_jit
def _within(errors, sizes, limits) -> Float[Array, "*point size threshold"]:
    counts = jax.vmap(lambda limit: jnp.sum(errors <= limit, axis=-1), out_axes=-1)(limits)
    stored = jnp.asarray(sizes, limits.dtype).reshape(*[1] * (errors.ndim - 2), -1, 1)
    return counts.astype(limits.dtype) / stored


def _checked(patterns, values):
    patterns = as_floats("patterns", patterns)
    if patterns.ndim != 3 or prod(patterns.shape) == 0:
        raise ValueError(
            f"`patterns` must have shape (runs, n, d), but its shape is {patterns.shape}. "
            "For one run pass patterns[None]."
        )
    if values is not None:
        values = as_floats("values", values)
        if values.ndim != 3 or values.shape[:2] != patterns.shape[:2]:
            raise ValueError(
                f"`values` must have one row a pattern, shape {patterns.shape[:2]} + (v,), "
                f"but its shape is {values.shape}."
            )
    return patterns, values
