"""How many random patterns a memory of two-state units holds, by what is asked of them."""

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ..common.checks import is_concrete, one_key, plain_number, whole_number
from ..common.display import results
from ..dynamics.base import AbstractDynamics, check_dynamics
from ..dynamics.iterate import OneRead
from ..spaces.units import check_states
from .bands import Band, check_confidence, pooled_bands, success_bands
from .draws import Draws, padding_error, recalled, recalled_padded
from .overlaps import checked_units
from .probes import allowed_units, units_made, whole_numbers

_MEANINGS = ("fixed_point", "tolerated_error", "error_correction", "transition")


@results
class CapacityScan(eqx.Module):
    """What `capacity_scan` measured; S numbers of patterns, R draws.

    - `meaning`: which capacity it is.
    - `sizes` (S,), `load` (S,): N, and N/d.
    - `each` (S,): the share of patterns that succeed, a `Band`. The patterns of one draw share a
      memory, and where draws vary for that, the band is wider than that of independent ones.
    - `every` (S,): the share of draws in which all N patterns succeed, a `Band`.
    - `overlap` (S,), `overlap_error` (S,): of the states that are reached with their patterns, the
      mean over draws and its standard error, NaN for one draw.
    - `successes` (S, R): how many patterns of each draw succeed.
    """

    meaning: str = eqx.field(static=True)
    sizes: Int[Array, " size"]
    load: Float[Array, " size"]
    each: Band
    every: Band
    overlap: Float[Array, " size"]
    overlap_error: Float[Array, " size"]
    successes: Int[Array, "size draw"]

    def capacity(self, of: str = "each", level: int | float = 0.5) -> Band:
        """The load N/d at which the share of successes falls through a level.

        Between sizes the share is interpolated linearly. The band is from where its lower end
        first falls through the level to where its upper end last does: 0 and infinity, or the
        smallest and largest load, where sizes do not reach so far. The value is NaN unless the
        share starts at or above the level and ends below; where noise makes it fall through
        several times, it is halfway between the first and the last.

        **Arguments:**

        - `of`: "each" pattern, or "every" pattern of a draw.
        - `level`: in (0, 1).

        **Raises:** `ValueError` for other arguments.
        """
        if of not in ("each", "every"):
            raise ValueError(f"`of` must be 'each' or 'every', but it is {of!r}.")
        if not 0 < plain_number("level", level) < 1:
            raise ValueError(f"`level` must lie between 0 and 1, but it is {level!r}.")
        share = self.each if of == "each" else self.every
        load = self.load
        first, last = falls(load, share.value, level)
        bracketed = (share.value[0] >= level) & (share.value[-1] < level)
        low = jnp.where(share.low[0] < level, 0, falls(load, share.low, level)[0])
        high = jnp.where(share.high[-1] >= level, jnp.inf, falls(load, share.high, level)[1])
        return Band(
            jnp.where(bracketed, (first + last) / 2, jnp.nan),
            jnp.minimum(low, load[-1]),
            jnp.maximum(high, load[0]),
        )


def capacity_scan(
    make: Callable,
    d: int,
    sizes: Sequence[int] | np.ndarray,
    *,
    meaning: str = "fixed_point",
    draws: int = 100,
    damage: int | float = 0.0,
    tolerance: int | float | None = None,
    dynamics: AbstractDynamics | None = None,
    padded: bool = False,
    units: str = "signs",
    sample: Callable | None = None,
    confidence: int | float = 0.95,
    key: PRNGKeyArray,
) -> CapacityScan:
    """The share of random patterns that a memory holds, for each number of them.

    Capacity has several meanings, and they differ: at high load every state may be a fixed point
    while nothing is repaired.

    | meaning | cue | a pattern succeeds if |
    |---|---|---|
    | `"fixed_point"` | the pattern | one update of every unit, all at once, changes none |
    | `"tolerated_error"` | the pattern | run to rest, few units are wrong |
    | `"error_correction"` | the pattern, some units flipped | run to rest, none or few are wrong |
    | `"transition"` | the pattern | one update gives the next pattern, and the last the first |

    For memories of sequences, `each` is then the share of transitions that are right, and `every`
    that of draws in which the whole sequence is.

    ```python
    scan = capacity_scan(Hebb(), 200, range(10, 61, 5), meaning="tolerated_error",
                         draws=50, padded=True, key=key)
    scan.each.value, scan.each.low, scan.capacity()
    ```

    Draws are independent. In one draw the first N patterns serve size N, so that differences along
    sizes are freer of noise than their bands say.

    **Arguments:**

    - `make`: patterns (N, d) -> memory of two-state units: a learning rule, or a function such as
      `lambda rows: BinaryMemory(rows, Power(2))`. It is traced by JAX; the same function again
      compiles nothing anew.
    - `d`: how many units.
    - `sizes`: numbers of patterns, increasing.
    - `meaning`: of capacity, as above.
    - `draws`: how many times patterns are drawn.
    - `damage`: for error correction, the share of a cue's units that are flipped: exactly that,
      rounded to a whole number, at random places.
    - `tolerance`: the share of units that may be wrong at the end, in [0, ½); an overlap of
      1 − 2 tolerance still counts. `None` is 0.05 for tolerated errors, else 0.
    - `dynamics`: how cues are run to rest; `None` is `Asynchronous()`.
    - `padded`: store patterns followed by rows of zeros, up to the largest size: all sizes are then
      one compiled program. For what stores nothing of a row of zeros, such as `Hebb` for signs
      and `BinaryMemory`. By default one program is compiled for each size.
    - `units`: of the memories, "signs" (−1 and +1) or "bits" (0 and 1).
    - `sample`: (key, (n, d)) -> patterns of these units; independent and fair if `None`.
    - `confidence`: of the bands, in (0, 1).
    - `key`: the random key.

    **Returns:** a `CapacityScan`.

    **Raises:** `ValueError` or `TypeError` for an unknown meaning, options that another meaning
    has, numbers out of their range, memories of graded states or other units, patterns of other
    values, and `padded` where rows of zeros make a difference.

    **Source:** [hopfield1982neural]; [amit1985storing]; [mceliece1987capacity]
    """
    sizes = _sizes(sizes)
    d, draws, key = whole_number("d", d), whole_number("draws", draws), one_key(key)
    states = checked_units(units)
    check_confidence(confidence)
    flips, allowed, dynamics = _asked(meaning, d, damage, tolerance, dynamics)
    moving = meaning == "transition"
    drawn = Draws(sample, states, sizes[-1], d, flips > 0, moving)
    if padded and moving:
        raise ValueError("`padded` rows would be part of a sequence: leave it out.")
    if sample is not None:
        check_states("sample", drawn.patterns(key), states)
    made = units_made(make, (sizes[-1], d), jnp.result_type(float))
    if made != states:
        raise ValueError(f"`make` makes memories of {made}: pass units={made!r}.")
    if dynamics is not None:
        check_dynamics(dynamics, made)
    keys = jax.random.split(key, draws)
    limits = jnp.asarray(flips, jnp.int32), jnp.asarray(allowed, jnp.int32)
    if padded:
        _check_padding(make, drawn, sizes, key)
        numbers = jnp.asarray(sizes, jnp.int32)
        good, wrong = recalled_padded(make, dynamics, drawn, numbers, keys, *limits)
    else:
        parts = [recalled(make, dynamics, drawn, size, keys, *limits) for size in sizes]
        good, wrong = (jnp.stack(leaves) for leaves in zip(*parts, strict=True))
    return _summary(meaning, sizes, d, confidence, good, wrong)


def _summary(meaning, sizes, d: int, confidence, good, wrong) -> CapacityScan:
    numbers = jnp.asarray(sizes, jnp.int32)
    dtype = jnp.result_type(float)
    draws = good.shape[1]
    overlaps = 1 - 2 * wrong.astype(dtype) / (numbers[:, None].astype(dtype) * d)
    spread = jnp.std(overlaps, axis=1, ddof=1) / np.sqrt(draws) if draws > 1 else jnp.nan
    return CapacityScan(
        meaning,
        numbers,
        numbers.astype(dtype) / d,
        pooled_bands(good, numbers, confidence),
        success_bands(jnp.sum(good == numbers[:, None], axis=1), draws, confidence),
        jnp.mean(overlaps, axis=1),
        jnp.broadcast_to(jnp.asarray(spread, dtype), numbers.shape),
        good,
    )


@jax.jit
def falls(load, share, level) -> tuple[Array, Array]:
    """Where a share first and last falls through a level, on straight lines between points.

    **Arguments:**

    - `load`, `share`: the points, shape (S,).
    - `level`: the share that is looked for.

    **Returns:** infinity and −infinity where it never falls through.
    """
    before, after = share[:-1], share[1:]
    falls = (before >= level) & (after < level)
    part = (before - level) / jnp.where(falls, before - after, 1)
    place = load[:-1] + part * (load[1:] - load[:-1])
    first = jnp.min(jnp.where(falls, place, jnp.inf), initial=jnp.inf)
    return first, jnp.max(jnp.where(falls, place, -jnp.inf), initial=-jnp.inf)


def _check_padding(make, drawn: Draws, sizes: tuple[int, ...], key) -> None:
    """Refuse what rows of zeros change, so that no wrong numbers come out; not under jit."""
    changed = padding_error(make, drawn, sizes[0], key)
    # Rounding may decide a unit that is all but undecided.
    if is_concrete(changed) and float(changed) > 1e-3:
        raise ValueError(
            f"`make` stores something of rows of zeros: they change {float(changed):.0%} of units "
            "in one update. Leave out `padded`."
        )


def _sizes(sizes: Sequence[int] | np.ndarray) -> tuple[int, ...]:
    """Numbers of patterns as a tuple, if they are positive and increase."""
    array = whole_numbers(sizes)
    if array is None or array[0] < 1 or (np.diff(array) < 1).any():
        raise ValueError(
            "`sizes` must be whole numbers of patterns from 1 on, each larger than the one "
            f"before, but it is {sizes!r}."
        )
    return tuple(int(size) for size in array)


def _asked(meaning, d: int, damage, tolerance, dynamics) -> tuple[int, int, Any]:
    """How many units are flipped, how many may be wrong, and what runs a cue."""
    if meaning not in _MEANINGS:
        listed = ", ".join(repr(option) for option in _MEANINGS)
        raise ValueError(f"`meaning` must be one of {listed}, but it is {meaning!r}.")
    corrects, damage = meaning == "error_correction", plain_number("damage", damage)
    if not 0 <= damage <= 1 or (damage > 0) is not corrects:
        raise ValueError(
            "`damage` is the share of units that are flipped for error correction, in (0, 1], and "
            f"0 for other meanings, but for {meaning!r} it is {damage!r}."
        )
    flips = round(damage * d)
    if corrects and flips == 0:
        raise ValueError(f"`damage` of {damage!r} flips none of {d} units: pass at least {1 / d}.")
    if meaning in ("fixed_point", "transition"):
        if tolerance is not None or dynamics is not None:
            raise ValueError(
                f"For {meaning!r} one exact update is asked and no run: leave out `tolerance` and "
                "`dynamics`, or pass meaning='tolerated_error'."
            )
        return 0, 0, OneRead()
    tolerance = (0.0 if corrects else 0.05) if tolerance is None else tolerance
    return flips, allowed_units(tolerance, d), dynamics
