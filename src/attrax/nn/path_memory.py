"""Memories of what was met along a path: position codes are keys, and observations are values."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from ..common.arithmetic import inverse_root
from ..common.checks import as_floats, as_mask, check_function, is_concrete, number, positive
from ..separation.attention import attend
from ..separation.softmax import Softmax
from .path_integration import one_type


class Located(NamedTuple):
    """What `locate_path` found at each of T steps.

    - `predictions` (T, v): what the memory read before it saw the observation.
    - `codes` (T, g): the position codes, after their correction.
    - `written` (T,): whether the step was stored.
    """

    predictions: Float[Array, "t v"]
    codes: Float[Array, "t g"]
    written: Bool[Array, " t"]


def conjunctions(codes: ArrayLike, stimuli: ArrayLike) -> Float[Array, "t p"]:
    """The outer product of each position code with its stimulus, as a row, p = flatten(xᵀ g).

    They are what the Tolman-Eichenbaum machine stores. Their product is p·p' = (x·x') (g·g'), so
    that a `Memory` of them with `Dot()` multiplies two similarities.

    **Arguments:**

    - `codes`: g, shape (T, g).
    - `stimuli`: x, shape (T, v).

    **Returns:** shape (T, v·g).

    **Raises:** `ValueError` unless both have as many rows.

    **Source:** [whittington2020tolman]; [whittington2022relating], Sec. 2
    """
    codes, stimuli = _checked(codes, stimuli)
    return (stimuli[:, :, None] * codes[:, None, :]).reshape(len(codes), -1)


def write_gate(
    codes: ArrayLike, stimuli: ArrayLike, threshold: ArrayLike = 0.7
) -> Bool[Array, " t"]:
    """Which steps of a path a memory has to store: those whose conjunction it does not have yet.

    A step is stored unless cos(g, g_τ) · cos(x, x_τ) ≥ θ for a step τ that was stored before.

    **Arguments:**

    - `codes`: g, shape (T, g).
    - `stimuli`: x, shape (T, v).
    - `threshold`: θ, the smallest similarity at which two conjunctions count as one, > 0.

    **Returns:** shape (T,), which has no derivative.

    **Raises:** `ValueError` for other shapes or another threshold.

    **Source:** [whittington2022relating], App. A.2
    """
    codes, stimuli = _checked(codes, stimuli)
    alike = jax.lax.stop_gradient(_cosines(codes) * _cosines(stimuli))
    known = alike >= positive("threshold", threshold).astype(alike.dtype)

    def step(written, inputs):
        place, row = inputs
        written = written.at[place].set(~jnp.any(row & written))
        return written, None

    none = jnp.zeros(len(codes), bool)
    return jax.lax.scan(step, none, (jnp.arange(len(codes), dtype=jnp.int32), known))[0]


def recall_path(
    codes: ArrayLike,
    stimuli: ArrayLike,
    *,
    beta: ArrayLike = 8.0,
    written=None,
    growing: bool = True,
) -> Float[Array, "t v"]:
    """What each step of a path reads from what was stored at the steps before it.

    y_t = Σ_τ softmax_τ(β_t g_t·g_τ) x_τ over the stored steps τ < t. Neither the observation of
    step t nor that of any later one takes part. With β_t = β ln n_t, where n_t counts those
    steps, the weight of a memory that is by 1/β more similar than all others does not fall as
    the memory grows.

    **Arguments:**

    - `codes`: g, shape (T, g).
    - `stimuli`: x, shape (T, v).
    - `beta`: β > 0, in units of 1/(g·g).
    - `written`: which steps are stored, shape (T,), see `write_gate`; all if `None`.
    - `growing`: whether β grows with ln n; else β_t = β.

    **Returns:** shape (T, v); the first row is zero, since there is no memory to read.

    **Raises:** `ValueError` or `TypeError` for other shapes or types.

    **Source:** [whittington2022relating], Sec. 3 and App. A.2
    """
    codes, stimuli = _checked(codes, stimuli)
    count = len(codes)
    stored = jnp.ones(count, bool) if written is None else as_mask("written", written, (count,))
    mask = jnp.tril(jnp.ones((count, count), bool), -1) & stored[None]
    sharpness = _sharpness(
        positive("beta", beta).astype(codes.dtype), jnp.sum(mask, axis=1), growing
    )
    return attend(Softmax(1.0), sharpness[:, None] * codes, codes, stimuli, mask=mask).value


def locate_path(
    move: Callable,
    moves: Any,
    start: ArrayLike,
    stimuli: ArrayLike,
    *,
    beta: ArrayLike = 8.0,
    threshold: ArrayLike = 0.7,
    rate: ArrayLike = 1.0,
) -> Located:
    """Follow a path as `integrate_path` does, and let what is recognised correct the position.

    At each step, in this order: g = move(g, a); predict x as `recall_path` does; observe x; read
    g' from the stored conjunctions, with the products β_t (x·x_τ) (g·g_τ) as scores; where one of
    them is as similar as the write gate asks for, g ← g + r (g' − g), scaled back to its length,
    and else store (g, x). An error of path integration so grows from one recognised place to the
    next only.

    **Arguments:**

    - `move`, `moves`, `start`: see `integrate_path`.
    - `stimuli`: x, shape (T, v).
    - `beta`: β > 0, of codes scaled to unit length.
    - `threshold`: θ, see `write_gate`.
    - `rate`: r, from 0 for no correction to 1 for a full one.

    **Returns:** a `Located`.

    **Raises:** `ValueError` or `TypeError` for other shapes or types.

    **Source:** [whittington2022relating], App. A.2, where the rate is learnt
    """
    check_function("move", move)
    code, stimuli = as_floats("start", start, ndim=1), as_floats("stimuli", stimuli, ndim=2)
    code, stimuli = one_type(code, stimuli)
    beta, threshold, rate = (
        positive("beta", beta),
        positive("threshold", threshold),
        number("rate", rate),
    )
    count = len(stimuli)
    if is_concrete(rate) and not 0 <= float(rate) <= 1:
        raise ValueError(f"`rate` must lie between 0 and 1, but it is {float(rate)}.")
    lengths = {leaf.shape[0] for leaf in jax.tree.leaves(moves)}
    if lengths != {count - 1}:
        raise ValueError(
            f"`moves` must have one row less than `stimuli`, {count - 1}, but has {lengths}."
        )
    beta, threshold, rate = (x.astype(code.dtype) for x in (beta, threshold, rate))
    directions = _unit(stimuli)

    def step(state, inputs):
        place, each, stimulus = inputs
        code, keys, written = state
        code = jnp.where(place == 0, code, move(code, each).astype(code.dtype))
        unit = _unit(code[None])
        query = _sharpness(beta, jnp.sum(written), True) * unit

        def read(rows, values):
            return attend(Softmax(1.0), query, rows, values, filled=written).value[0]

        prediction = read(keys, stimuli)
        # Products of conjunctions, without the conjunctions: each key weighs by its stimulus.
        found = read((stimuli @ stimulus)[:, None] * keys, keys)
        alike = (keys @ unit[0]) * (directions @ directions[place])
        known = jnp.any((alike >= threshold) & written)
        drawn = _unit((unit[0] + rate * (found - unit[0]))[None])[0]
        code = jnp.where(known, jnp.linalg.norm(code) * drawn, code)
        state = code, keys.at[place].set(_unit(code[None])[0]), written.at[place].set(~known)
        return state, (prediction, code, ~known)

    # Nothing leads to the first step: its move is there for the shape and changes nothing.
    moves = jax.tree.map(lambda x: jnp.pad(x, [(1, 0)] + [(0, 0)] * (jnp.ndim(x) - 1)), moves)
    empty = code, jnp.zeros((count, code.shape[0]), code.dtype), jnp.zeros(count, bool)
    steps = jnp.arange(count, dtype=jnp.int32), moves, stimuli
    return Located(*jax.lax.scan(step, empty, steps)[1])


def _sharpness(beta, count, growing):
    """β ln n, without the infinity of an empty memory."""
    count = jnp.maximum(count, 1).astype(beta.dtype)
    return beta * (jnp.log(count) if growing else jnp.ones_like(count))


def _unit(rows):
    return rows * inverse_root(jnp.sum(rows**2, axis=-1, keepdims=True))


def _cosines(rows):
    rows = _unit(rows)
    return rows @ rows.T


def _checked(codes, stimuli):
    codes, stimuli = as_floats("codes", codes, ndim=2), as_floats("stimuli", stimuli, ndim=2)
    if len(codes) != len(stimuli):
        raise ValueError(
            f"`stimuli` must have one row a code, {len(codes)}, but have {len(stimuli)}."
        )
    return one_type(codes, stimuli)
