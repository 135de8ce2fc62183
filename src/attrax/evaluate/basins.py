"""How far from a pattern cues may be and still come back: the size of its basin."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ..common.checks import as_floats, one_key, whole_number
from ..common.display import results
from ..dynamics.base import AbstractDynamics, check_dynamics
from ..spaces.units import Units, check_states
from .bands import Band, check_confidence, pooled_bands
from .probes import allowed_units, flip_order, flipped, units_made, whole_numbers, wrong_units


@results
class BasinSweep(eqx.Module):
    """What `basin_sweep` counted; K distances, R runs.

    - `distances` (K,): flipped units of a cue.
    - `exact` (K,): the share of probes that end in their pattern, a `Band`.
    - `tolerated` (K,): the share that end in it or close by, a `Band`.
    - `overlap` (K,): of the states that are reached with their patterns, the mean.
    - `counts_exact`, `counts_tolerated` (K, R): probes of each run that did.
    - `probes`: how many a run and distance had.
    """

    distances: Int[Array, " distance"]
    exact: Band
    tolerated: Band
    overlap: Float[Array, " distance"]
    counts_exact: Int[Array, "distance run"]
    counts_tolerated: Int[Array, "distance run"]
    probes: int = eqx.field(static=True)


def basin_sweep(
    make: Callable,
    patterns: ArrayLike,
    distances: ArrayLike | list | tuple | range,
    *,
    dynamics: AbstractDynamics | None = None,
    probes: int = 100,
    tolerance: int | float = 0.05,
    confidence: int | float = 0.95,
    key: PRNGKeyArray,
) -> BasinSweep:
    """The share of cues at Hamming distance k from a stored pattern that come back to it.

    A probe takes one of a run's patterns at random, flips exactly k units at random places, and
    runs it to rest. At the next distance the same probes have some more units flipped, so that
    differences along distances are freer of noise than their bands say. All runs and distances are
    one compiled program.

    ```python
    sweep = basin_sweep(Hebb(), patterns[None], range(0, 50, 5), key=jax.random.key(0))
    sweep.exact.value, sweep.exact.low, sweep.exact.high
    ```

    Where runs differ more than independent probes would, bands are wider for it; with one run they
    are of those patterns alone.

    **Arguments:**

    - `make`: patterns (N, d) -> memory of two-state units: a learning rule, or a function such as
      `lambda rows: BinaryMemory(rows, Power(2))`. It is traced by JAX; the same function again
      compiles nothing anew.
    - `patterns`: what is stored in each run, shape (R, N, d), of the states that the units have.
    - `distances`: numbers of units that are flipped, each from 0 to d.
    - `dynamics`: how probes are run; `None` is `Asynchronous()`.
    - `probes`: how many at each distance in each run.
    - `tolerance`: the share of units that may be wrong for `tolerated`, in [0, ½).
    - `confidence`: of the bands, in (0, 1).
    - `key`: the random key.

    **Returns:** a `BasinSweep`.

    **Raises:** `ValueError` or `TypeError` for wrong shapes, other states, graded ones for
    instance, distances out of range, no distance or no probe, and memories of graded states.

    **Source:** [hopfield1982neural]
    """
    rows = as_floats("patterns", patterns)
    if rows.ndim != 3 or rows.size == 0:
        raise ValueError(
            f"`patterns` must have shape (runs, N, d), but their shape is {rows.shape}. "
            "For one run pass patterns[None]."
        )
    width = rows.shape[2]
    away = whole_numbers(distances)
    if away is None or away.min() < 0 or away.max() > width:
        raise ValueError(
            f"`distances` must be whole numbers of units from 0 to {width}, but it is "
            f"{distances!r}."
        )
    probes, key = whole_number("probes", probes), one_key(key)
    check_confidence(confidence)
    allowed = jnp.asarray(allowed_units(tolerance, width), jnp.int32)
    units = units_made(make, (rows.shape[1], width), rows.dtype)
    check_states("patterns", rows, units)
    if dynamics is not None:
        check_dynamics(dynamics, units)
    keys = jax.random.split(key, rows.shape[0])
    number = jnp.asarray(away, jnp.int32)
    wrong = _probed(make, dynamics, rows, number, keys, probes, units)
    exact = jnp.sum(wrong == 0, axis=-1, dtype=jnp.int32).T
    tolerated = jnp.sum(wrong <= allowed, axis=-1, dtype=jnp.int32).T
    trials = jnp.full(number.shape, probes)
    return BasinSweep(
        number,
        pooled_bands(exact, trials, confidence),
        pooled_bands(tolerated, trials, confidence),
        1 - 2 * jnp.mean(wrong, axis=(0, 2)) / width,
        exact,
        tolerated,
        probes,
    )


@eqx.filter_jit
def _probed(
    make, dynamics: Any, patterns, distances, keys, probes: int, units: Units
) -> Int[Array, "run distance probe"]:
    """In how many units each probe ends up wrong."""

    def run(inputs):
        rows, key = inputs
        choosing, flipping, running = jax.random.split(key, 3)
        targets = rows[jax.random.randint(choosing, (probes,), 0, rows.shape[0])]
        order = flip_order(flipping, targets.shape)
        cues = jax.vmap(lambda count: flipped(targets, order, count, units))(distances)
        shape = cues.shape
        targets = jnp.broadcast_to(targets[None], shape).reshape(-1, shape[-1])
        cues = cues.reshape(targets.shape)
        wrong = wrong_units(make(rows), cues, targets, dynamics, running)
        return wrong.reshape(shape[:2])

    return jax.lax.map(run, (patterns, keys))
