"""The energy of a memory of two numbers over a window, where its states come to rest, and how."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..common.checks import NoEnergyError, as_doubles, as_type, plain_number, whole_number
from ..dynamics.base import AbstractDynamics, Outcome, check_dynamics
from ..retrieval import retrieve
from ..spaces.base import Comparing
from ..spaces.store import AbstractStore
from ..stores.rows import Memory

# Starts are multiples of 1/p and 1/p² modulo one, with p³ = p + 1. Every beginning of this sequence
# is spread evenly, and it shares no symmetry with the rows.
_STRIDE = np.array([0.7548776662466927, 0.5698402909980532])
# Beside each start there is another, so far away in units of the tolerance.
_BESIDE = np.array([0.3, 0.4])
# A window leaves so much of the rows' longer extent free on each side.
_MARGIN = 0.25
# Ends nearer than this share of the window's diagonal are one attractor, unless the caller says.
_NEAR = 0.01
# How much of the range of energies, or of the window, may be lost to rounding.
_ROUNDING = 1e-3


class Landscape(NamedTuple):
    """What `survey` found, in doubles.

    - `x`, `y`, `energy`: at the points of the window, shape (points, points) each; energies that
      are not finite are NaN.
    - `rows`: what is stored, shape (n, 2).
    - `attractors`, `mixtures`: where states come to rest at one memory, and between several,
      shape (k, 2) each, the lowest energy first.
    - `paths`: the states on the way, shape (trajectories, steps + 1, 2).
    """

    x: np.ndarray
    y: np.ndarray
    energy: np.ndarray
    rows: np.ndarray
    attractors: np.ndarray
    mixtures: np.ndarray
    paths: np.ndarray


def survey(
    memory: AbstractStore,
    *,
    patterns: Any,
    window: Any,
    points: int,
    starts: int,
    trajectories: Any,
    tolerance: Any,
    dynamics: AbstractDynamics | None,
) -> Landscape:
    """The landscape of a memory; arguments and errors are those of `attrax.plot.landscape`."""
    _check_memory(memory)
    _check_dynamics(dynamics, memory)
    points, starts = whole_number("points", points, 2), whole_number("starts", starts)
    memory = _of_keys(memory)
    rows = _stored(memory) if patterns is None else _pairs("patterns", patterns)
    corners = _fitted(memory, rows) if window is None else _corners(memory, window)
    near = _NEAR * float(np.linalg.norm(corners[1] - corners[0]))
    if tolerance is not None:
        near = plain_number("tolerance", tolerance)
        if not 0 < near < np.inf:
            raise ValueError(f"`tolerance` is a distance > 0 of two states, but it is {near}.")
    paths = _paths(memory, dynamics, trajectories, corners)
    x, y, heights = _surface(memory, corners, points)
    begun = _spread(starts, corners)
    inside = np.all((rows >= corners[0]) & (rows <= corners[1]), axis=1)
    begun = np.concatenate([begun, _some(rows[inside], starts)])
    alone, mixed = _attractors(memory, dynamics, begun, corners, near)
    # Activations at rest may be larger than any in the window, by next to nothing.
    low, high = np.array([x.min(), y.min()]) - near, np.array([x.max(), y.max()]) + near
    alone, mixed = (each[np.all((each >= low) & (each <= high), axis=1)] for each in (alone, mixed))
    return Landscape(x, y, heights, rows, alone, mixed, paths)


def _check_memory(memory):
    if not isinstance(memory, AbstractStore):
        what = f"the class {memory.__name__}" if isinstance(memory, type) else type(memory).__name__
        raise TypeError(
            f"`memory` must be a memory, an attrax.stores.AbstractStore, but it is {what}; "
            "make one with attrax.Memory(patterns, similarity=..., separation=...)."
        )
    if memory.units != "real":
        raise ValueError(
            f"`memory` has two-state units ({memory.units}), whose states are corners with no "
            "plane between them: draw its graded network, attrax.models.graded_network(...), or "
            "the energies along its paths, attrax.plot.energy(found.energies)."
        )
    if memory.width != 2:
        raise ValueError(
            f"`memory` has states of {memory.width} numbers, and a landscape is drawn over two: "
            "store two columns of the patterns, or their projections on two directions."
        )
    reason = memory.space(jnp.zeros((2,), memory.query_dtype)).lacks_energy
    if reason is not None:
        raise NoEnergyError(f"There is no landscape, for `memory` has no energy: {reason}")


def _check_dynamics(dynamics, memory):
    if dynamics is None:
        return
    check_dynamics(dynamics, memory.units)
    if dynamics.random:
        raise ValueError(
            f"`dynamics` is {type(dynamics).__name__}, which draws random numbers and never comes "
            "to rest: leave it out, and draw its path over the landscape, "
            "ax.plot(*attrax.retrieve(memory, query, dynamics, path=True, key=key).path.T)."
        )


def _of_keys(memory):
    """The memory, or that of its keys: values are read at the end, and are no states."""
    if not isinstance(memory, Memory) or not memory.heteroassociative:
        return memory
    return Memory(
        memory.keys,
        similarity=memory.similarity,
        separation=memory.separation,
        projection=memory.projection,
        filled=memory.filled,
    )


def _stored(memory):
    """The rows of a store that keeps any, as they would be asked."""
    space = memory.space(jnp.zeros((2,), memory.query_dtype))
    if not isinstance(space, Comparing):
        return np.zeros((0, 2))
    there = np.asarray(space.there)
    # Rows that are standardised are kept beside their keys.
    if isinstance(memory, Memory) and memory.values is not None:
        rows = memory.values
    else:
        rows = jax.vmap(space.row)(jnp.arange(there.shape[0]))
    return np.asarray(rows).astype(np.float64)[there]


def _pairs(name, value):
    rows = as_doubles(name, value)
    if rows.ndim != 2 or rows.shape[1] != 2 or not np.isfinite(rows).all():
        raise ValueError(
            f"`{name}` must be states of two finite numbers, shape (n, 2), but its shape is "
            f"{rows.shape}" + (" and some are not finite." if rows.shape[1:] == (2,) else ".")
        )
    return rows


def _fitted(memory, rows):
    """The corners of a window around the rows."""
    if not len(rows):
        raise ValueError(
            "There are no rows to fit a window to: pass window=((left, right), (bottom, top)), "
            "or patterns=."
        )
    low, high = rows.min(axis=0), rows.max(axis=0)
    size = np.max(high - low) or np.max(np.abs(rows)) or 1.0
    corners = np.stack([low - _MARGIN * size, high + _MARGIN * size])
    try:
        _check_corners(memory, corners)
    except ValueError:
        # Rows at the edge of what the similarity compares.
        corners = np.stack([low, high])
        if not (low < high).all():
            raise
        _check_corners(memory, corners)
    return corners


def _corners(memory, window):
    given = as_doubles("window", window)
    if (
        given.shape != (2, 2)
        or not np.isfinite(given).all()
        or not (given[:, 0] < given[:, 1]).all()
    ):
        raise ValueError(
            "`window` must be ((left, right), (bottom, top)), finite and rising, but it is "
            f"{window!r}."
        )
    _check_corners(memory, given.T)
    return given.T


def _check_corners(memory, corners):
    """Refuse a window with states that the memory does not compare."""
    memory.check_queries("window", as_type("window", corners, memory.query_dtype))


def _surface(memory, corners, points):
    """Places of the picture and their energies."""
    sides = np.linspace(corners[0], corners[1], points)
    grid = np.stack(np.meshgrid(sides[:, 0], sides[:, 1]), axis=-1)
    heights, shown = _heights(memory, grid)
    apart = np.nan_to_num(np.abs(shown - grid)).max()
    if apart > _ROUNDING * np.max(corners[1] - corners[0]):
        # States are shown by their activations. Where these, taken as states, have the same energy,
        # the plane shows both; else it must be that of activations.
        again = _heights(memory, shown)[0]
        good = np.isfinite(heights) & np.isfinite(again)
        off = np.abs(again - heights)[good]
        if off.size and off.max() > _ROUNDING * np.ptp(heights[good]):
            grid = shown
    if not np.isfinite(heights).any():
        raise ValueError(
            "The energy is finite nowhere in the window "
            f"(({corners[0, 0]:g}, {corners[1, 0]:g}), ({corners[0, 1]:g}, {corners[1, 1]:g})): "
            "pass another as `window`."
        )
    return grid[..., 0], grid[..., 1], np.where(np.isfinite(heights), heights, np.nan)


def _heights(memory, grid):
    found = _energies(memory, as_type("window", grid, memory.query_dtype))
    return tuple(np.asarray(each).astype(np.float64) for each in found)


@eqx.filter_jit
def _energies(memory, grid):
    """Energies of states, and as what they are shown; one line of the grid at a time."""

    def one(query):
        space = memory.space(query)
        state = space.initial
        shown = space.record(jax.tree.map(lambda leaf: leaf[None], state))
        return space.energy(state), shown[0]

    return jax.lax.map(jax.vmap(one), grid)


def _spread(count, corners):
    """Points spread evenly over a window."""
    shares = (0.5 + np.arange(1, count + 1)[:, None] * _STRIDE) % 1
    return corners[0] + shares * (corners[1] - corners[0])


def _some(rows, most):
    return rows[:: -(-len(rows) // most)] if len(rows) else rows


def _paths(memory, dynamics, trajectories, corners):
    """The states on the way from some starts, or from the first ones of a spread."""
    if np.ndim(trajectories) == 0:
        begun = _spread(whole_number("trajectories", trajectories, 0), corners)
    else:
        begun = _pairs("trajectories", trajectories)
    if not len(begun):
        return np.zeros((0, 1, 2))
    return np.asarray(retrieve(memory, begun, dynamics, path=True).path).astype(np.float64)


def _attractors(memory, dynamics, begun, corners, near):
    """Where states come to rest: at one memory, and between several.

    A start and another close beside it must end in the same place. So a saddle is none, although a
    start may happen to lie on the line that leads there.
    """
    centre = corners.mean(axis=0)
    beside = begun + near * np.where(begun > centre, -1.0, 1.0) * _BESIDE
    found = retrieve(memory, np.concatenate([begun, beside]), dynamics)
    state = np.asarray(found.state).astype(np.float64)
    state = np.where(np.isfinite(state), state, np.nan)
    mixed = np.asarray(found.outcome == Outcome.mixture)
    rest = mixed | np.asarray(found.outcome == Outcome.converged)
    first, second = state.reshape(2, -1, 2)
    together = np.linalg.norm(first - second, axis=1) <= near
    stable = np.all(rest.reshape(2, -1), axis=0) & together
    if not stable.any():
        return [np.zeros((0, 2))] * 2
    energy = np.asarray(found.energy).astype(np.float64)[: len(begun)]
    order = np.flatnonzero(stable)[np.argsort(energy[stable])]
    kept = []
    while order.size:
        kept.append(order[0])
        order = order[np.linalg.norm(first[order] - first[order[0]], axis=1) > near]
    return [first[[i for i in kept if mixed[i] == kind]].reshape(-1, 2) for kind in (False, True)]
