"""Draws of random patterns, and how many each memory of them recalls: the programs of scans."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ..common.checks import as_floats
from ..dynamics.iterate import OneRead
from ..retrieval import retrieve
from ..spaces.units import Units
from .probes import flip_order, flipped, wrong_units


class Draws(eqx.Module):
    """How patterns are drawn, and the order in which units of their cues are flipped.

    - `sample`: (key, (n, d)) -> patterns; independent and fair if `None`.
    - `units`: "signs" or "bits".
    - `most`, `d`: how many patterns, and of how many units.
    - `damaged`: whether units of cues are flipped.
    - `moving`: whether a cue is to give the next pattern, and the last one the first.
    """

    sample: Callable | None
    units: Units = eqx.field(static=True)
    most: int = eqx.field(static=True)
    d: int = eqx.field(static=True)
    damaged: bool = eqx.field(static=True)
    moving: bool = eqx.field(static=True, default=False)

    def patterns(self, key: PRNGKeyArray) -> Float[Array, "n d"]:
        """Patterns of one draw."""
        shape = (self.most, self.d)
        if self.sample is None:
            fair = jax.random.bernoulli(key, 0.5, shape).astype(jnp.result_type(float))
            return fair if self.units == "bits" else 2 * fair - 1
        patterns = as_floats("sample", self.sample(key, shape))
        if patterns.shape != shape:
            raise ValueError(
                f"`sample` must return patterns of shape {shape}, but returns {patterns.shape}."
            )
        return patterns

    def order(self, key: PRNGKeyArray) -> Int[Array, "n d"] | None:
        """Ranks of their units, where cues are damaged."""
        return flip_order(key, (self.most, self.d)) if self.damaged else None


@eqx.filter_jit
def recalled(
    make: Callable, dynamics: Any, draws: Draws, size: int, keys, flips, allowed
) -> tuple[Int[Array, " run"], Int[Array, " run"]]:
    """What memories of `size` patterns recall, one a key.

    **Arguments:**

    - `make`: patterns -> memory.
    - `dynamics`: how cues are run.
    - `draws`: how patterns are drawn.
    - `size`: how many of them are stored.
    - `keys`: one a draw, shape (R,).
    - `flips`, `allowed`: units that are flipped in a cue, and that may be wrong at the end.

    **Returns:** how many patterns succeed, and how many units are wrong in all, of each draw.
    """

    def one(key):
        key, flipping, running = jax.random.split(key, 3)
        patterns, order = draws.patterns(key), draws.order(flipping)
        patterns, order = jax.tree.map(lambda x: x[:size], (patterns, order))
        cues = patterns if order is None else flipped(patterns, order, flips, draws.units)
        targets = jnp.roll(patterns, -1, axis=0) if draws.moving else patterns
        wrong = wrong_units(make(patterns), cues, targets, dynamics, running)
        return jnp.sum(wrong <= allowed, dtype=jnp.int32), jnp.sum(wrong, dtype=jnp.int32)

    return jax.lax.map(one, keys)


@eqx.filter_jit
def recalled_padded(
    make: Callable, dynamics: Any, draws: Draws, sizes, keys, flips, allowed
) -> tuple[Int[Array, "size run"], Int[Array, "size run"]]:
    """As `recalled`, for all sizes (S,) in one program: patterns beyond a size are zero."""

    def one(inputs):
        size, key = inputs
        key, flipping, running = jax.random.split(key, 3)
        patterns, order = draws.patterns(key), draws.order(flipping)
        stored = jnp.arange(draws.most) < size
        memory = make(jnp.where(stored[:, None], patterns, 0))
        # In place of those that are not stored others run twice, which takes no more sweeps.
        again = jnp.arange(draws.most) % size
        patterns, order = jax.tree.map(lambda x: x[again], (patterns, order))
        cues = patterns if order is None else flipped(patterns, order, flips, draws.units)
        wrong = wrong_units(memory, cues, patterns, dynamics, running)
        good = jnp.sum((wrong <= allowed) & stored, dtype=jnp.int32)
        return good, jnp.sum(jnp.where(stored, wrong, 0), dtype=jnp.int32)

    runs = keys.shape[0]
    pairs = jnp.repeat(sizes, runs), jnp.tile(keys, sizes.shape[0])
    found = jax.lax.map(one, pairs)
    good, wrong = (leaf.reshape(-1, runs) for leaf in found)
    return good, wrong


@eqx.filter_jit
def padding_error(make: Callable, draws: Draws, size: int, key) -> Float[Array, ""]:
    """The share of units that one update decides otherwise for rows of zeros behind `size` rows.

    **Arguments:**

    - `make`, `draws`: as of `recalled`.
    - `size`: how many patterns are stored; all of the draw are updated.
    - `key`: of the draw.
    """
    patterns = draws.patterns(key)
    stored = jnp.arange(draws.most) < size
    memories = make(patterns[:size]), make(jnp.where(stored[:, None], patterns, 0))
    plain, padded = (retrieve(memory, patterns, OneRead()).state for memory in memories)
    return jnp.mean(plain != padded, dtype=patterns.dtype)
