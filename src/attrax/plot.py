"""Pictures with matplotlib: every function takes and returns Axes.

matplotlib is imported when a picture is made, and neither its style nor its backend is changed.
"""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .common.checks import as_doubles, whole_number
from .dynamics.base import AbstractDynamics
from .evaluate.bands import Band
from .evaluate.landscapes import survey
from .spaces.store import AbstractStore


def images(
    rows: Any,
    shape: tuple[int, ...],
    ax: Any = None,
    *,
    columns: int | None = None,
    labels: Sequence[str] = (),
    limits: tuple[float, float] | None = (0.0, 1.0),
):
    """A grid of images, row by row.

    **Arguments:**

    - `rows`: flat images, shape (n, d), or (lines, n, d) for a grid of `lines` lines.
    - `shape`: of one image: (H, W), or (C, H, W) with one or three channels.
    - `ax`: the Axes to draw on; those of pyplot if `None`.
    - `columns`: images a line, for `rows` of shape (n, d); all in one line if `None`.
    - `labels`: a text for each line, written to its left.
    - `limits`: the values shown as black and white; those of the data if `None`.

    **Returns:** the Axes.

    **Raises:** `ValueError` for shapes that do not fit.
    """
    ax = _axes(ax)
    grid = as_doubles("rows", rows, missing=True)
    channels, height, width = _image_shape(shape)
    if grid.ndim == 2:
        columns = len(grid) if columns is None else columns
        missing = -len(grid) % columns
        grid = np.concatenate([grid, np.full((missing, grid.shape[1]), np.nan)])
        grid = grid.reshape(-1, columns, grid.shape[1])
    if grid.ndim != 3 or grid.shape[-1] != channels * height * width or not grid.size:
        raise ValueError(
            f"`rows` has shape {np.shape(rows)}; it must be (n, d) or (lines, n, d) with "
            f"d = {channels * height * width}, the product of shape {tuple(shape)}."
        )
    low, high = (np.nanmin(grid), np.nanmax(grid)) if limits is None else limits
    grid = np.clip((grid - low) / ((high - low) or 1.0), 0, 1)
    # A gap of a few pixels between images; places without an image stay white.
    gap = max(1, height // 14)
    lines, count = grid.shape[:2]
    sheet = np.ones((lines * (height + gap) - gap, count * (width + gap) - gap, channels))
    for i in range(lines):
        for j in range(count):
            picture = grid[i, j].reshape(channels, height, width).transpose(1, 2, 0)
            top, left = i * (height + gap), j * (width + gap)
            sheet[top : top + height, left : left + width] = np.nan_to_num(picture, nan=1.0)
    sheet = np.repeat(sheet, 3, axis=2) if channels == 1 else sheet
    ax.imshow(sheet, interpolation="nearest")
    ax.set_xticks([])
    places = [i * (height + gap) + height / 2 for i in range(len(labels))]
    ax.set_yticks(places, list(labels))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


def recall_sheet(
    stored: Any,
    damaged: Any,
    retrieved: Any,
    shape: tuple[int, ...],
    energies: Any = None,
    axes: Sequence[Any] | None = None,
):
    """Three lines of images, stored, damaged and retrieved, and the energy on the way.

    **Arguments:**

    - `stored`, `damaged`, `retrieved`: flat images, shape (n, d) each.
    - `shape`: of one image.
    - `energies`: the energy after each read, shape (n, steps) or (steps,); no curve if `None`.
    - `axes`: the Axes for the images and, with `energies`, for the curve; new ones if `None`.

    **Returns:** the Axes, one or two of them, in a list.

    **Raises:** `ValueError` for shapes that do not fit.
    """
    wanted = 1 if energies is None else 2
    if axes is None:
        width = 1.1 * len(np.asarray(stored)) + 1
        ratios = {} if energies is None else {"width_ratios": [max(width, 4), 4]}
        _, made = _pyplot().subplots(
            1,
            wanted,
            figsize=(max(width, 4) + 4.5 * (wanted - 1), 3.6),
            squeeze=False,
            layout="constrained",
            gridspec_kw=ratios,
        )
        axes = list(made[0])
    if len(axes) != wanted:
        raise ValueError(f"`axes` must hold {wanted} Axes, but it holds {len(axes)}.")
    given = {"stored": stored, "damaged": damaged, "retrieved": retrieved}
    arrays = {name: as_doubles(name, each, missing=True) for name, each in given.items()}
    for name, array in arrays.items():
        if array.shape != arrays["stored"].shape:
            raise ValueError(
                f"`{name}` must have the shape of `stored`, {arrays['stored'].shape}, "
                f"but its shape is {array.shape}."
            )
    lines = np.stack(list(arrays.values()))
    images(lines, shape, axes[0], labels=("stored", "damaged", "retrieved"))
    if energies is not None:
        energy(energies, axes[1])
    return list(axes)


def curves(
    x: Any,
    mean: Any,
    sd: Any = None,
    label: str | None = None,
    ax: Any = None,
    **style: Any,
):
    """A line with markers, and a band around it.

    **Arguments:**

    - `x`: shape (n,).
    - `mean`: shape (n,); or an `attrax.evaluate.Band` of a value and its two ends, such as `each`
      of `evaluate.capacity_scan`.
    - `sd`: half the width of the band, shape (n,), or a `Band`, from whose `low` to whose `high`
      it goes; that of `mean` if `None`, where it has one.
    - `label`: for the legend, which the caller draws.
    - `ax`: the Axes to draw on; those of pyplot if `None`.
    - `style`: passed to `Axes.plot`.

    **Returns:** the Axes.
    """
    ax = _axes(ax)
    ends = next((each for each in (sd, mean) if isinstance(each, Band)), None)
    middle = mean.value if isinstance(mean, Band) else mean
    x, middle = as_doubles("x", x, missing=True), as_doubles("mean", middle, missing=True)
    (line,) = ax.plot(x, middle, label=label, **{"marker": "o", "markersize": 3.5, **style})
    if ends is not None:
        low, high = (as_doubles("mean", end, missing=True) for end in (ends.low, ends.high))
    elif sd is not None:
        half = as_doubles("sd", sd, missing=True)
        low, high = middle - half, middle + half
    else:
        return ax
    ax.fill_between(x, low, high, color=line.get_color(), alpha=0.18, lw=0)
    return ax


def energy(path: Any, ax: Any = None):
    """The energy after each read, one line a query.

    **Arguments:**

    - `path`: shape (steps,) or (n, steps); NaN where a query had ended.
    - `ax`: the Axes to draw on; those of pyplot if `None`.

    **Returns:** the Axes.
    """
    ax = _axes(ax)
    lines = np.atleast_2d(as_doubles("path", path, missing=True))
    ax.plot(np.arange(lines.shape[1]), lines.T, marker="o", markersize=3, alpha=0.7)
    ax.set_xlabel("read")
    ax.set_ylabel("energy")
    # A locator of its own: that of axes with fixed ticks knows no whole numbers.
    ax.xaxis.set_major_locator(_import("matplotlib.ticker").MaxNLocator(integer=True))
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def energy_parts(parts: Mapping[str, Any], time: Any = None, ax: Any = None):
    """The energy of each layer and synapse along a run, and their sum as a thick black line.

    **Arguments:**

    - `parts`: energies by name, shape (steps,) each; a start's of `evaluate.record_energies`.
    - `time`: shape (steps,); the number of steps if `None`.
    - `ax`: the Axes to draw on; those of pyplot if `None`.

    **Returns:** the Axes.
    """
    ax = _axes(ax)
    lines = {name: as_doubles(name, part, missing=True) for name, part in parts.items()}
    total = np.sum(list(lines.values()), axis=0)
    time = np.arange(total.size) if time is None else as_doubles("time", time, missing=True)
    for name, line in lines.items():
        ax.plot(time, line, lw=1.3, label=name)
    ax.plot(time, total, "k", lw=2.4, label="sum")
    ax.set_ylabel("energy")
    return ax


def landscape(
    memory: AbstractStore,
    ax: Any = None,
    *,
    patterns: Any = None,
    window: Any = None,
    points: int = 101,
    starts: int = 120,
    trajectories: Any = 12,
    tolerance: float | None = None,
    dynamics: AbstractDynamics | None = None,
    levels: Any = 20,
):
    """The energy of a memory of two numbers, what it stores, and where its states come to rest.

    Contours are filled from low energy (dark) to high (light); where the energy is not finite, the
    picture is grey. Points are stored rows. Stars are attractors: places where states come to rest
    that start near one another; hollow ones are mixtures of several rows, which are known where
    weights sum to one. Lines are the paths of some states, with a dot at each step and a ring where
    they start.

    ```python
    rows = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    softmax = attrax.separation.Softmax(5.0)
    memory = attrax.Memory(rows, similarity=attrax.similarity.Euclidean(), separation=softmax)
    ax = attrax.plot.landscape(memory)
    ax.figure.colorbar(ax.collections[0], label="energy")
    ```

    States of a network are shown by the activations of its visible layer. The plane is that of
    states where activations, taken as states, have the same energy, as on a sphere; elsewhere, as
    under tanh, it is the plane of activations.

    **Arguments:**

    - `memory`: of two real numbers a state, with an energy.
    - `ax`: the Axes to draw on; those of pyplot if `None`.
    - `patterns`: rows that are drawn as points, shape (n, 2); those stored if `None`. A network of
      layers and a matrix keep no rows.
    - `window`: ((left, right), (bottom, top)), the states whose energy is drawn; around the rows if
      `None`.
    - `points`: along each side of the window at which the energy is taken, ≥ 2.
    - `starts`: states, spread evenly over the window, from which attractors are looked for; up to
      as many rows are started from too. A well that none of them lies in is missed.
    - `trajectories`: paths that are drawn, either how many or their starts, shape (n, 2).
    - `tolerance`: ends nearer than this are one attractor; 1 % of the window's diagonal if `None`.
    - `dynamics`: how states move, as for `attrax.retrieve`, and not random. States that are still
      on the way when steps run out mark no attractor: allow more, `Iterate(max_steps=1000)`.
    - `levels`: of about how many energies there are contours, or these energies, rising.

    **Returns:** the Axes. `ax.collections[0]` is what `colorbar` takes; the others have the labels
    "stored", "attractor" and "mixture", which `ax.legend()` shows.

    **Raises:** `TypeError` for what is no memory or no Axes; `NoEnergyError` with the reason, where
    there is no energy; `ValueError` for two-state units, states of another width, a window without
    finite energies or with states that the memory does not compare, and other values out of
    bounds.

    **Source:** [hopfield1984neurons], whose figure 3 is such a picture.
    """
    bands = _bands(levels)
    ax = _axes(ax)
    found = survey(
        memory,
        patterns=patterns,
        window=window,
        points=points,
        starts=starts,
        trajectories=trajectories,
        tolerance=tolerance,
        dynamics=dynamics,
    )
    heights = np.ma.masked_invalid(found.energy)
    low, high = float(heights.min()), float(heights.max())
    flat = high - low <= 1e-6 * max(abs(low), abs(high))
    if flat and isinstance(bands, int):
        bands = [low - 0.5, high + 0.5]
    plane = (found.x, found.y, heights)
    ax.contourf(*plane, levels=bands, cmap="viridis", extend="neither", corner_mask=True)
    if not flat:
        style: dict[str, Any] = {"linewidths": 0.4, "linestyles": "solid", "alpha": 0.35}
        ax.contour(*plane, levels=bands, colors="white", corner_mask=True, **style)
    if np.ma.is_masked(heights):
        ax.set_facecolor("0.8")
    if len(found.paths):
        x, y = found.paths[..., 0].T, found.paths[..., 1].T
        # A dark seam, for light colours beneath.
        seam = _import("matplotlib.patheffects").withStroke(linewidth=1.6, foreground="0.25")
        white: dict[str, Any] = {"color": "white", "path_effects": [seam]}
        ax.plot(x, y, lw=0.9, linestyle="-", marker=".", markersize=3, **white)
        ring = {"marker": "o", "markersize": 4, "markerfacecolor": "none", "linestyle": "none"}
        ax.plot(x[0], y[0], markeredgewidth=0.9, **ring, **white)
    # Activations of sharp neurons rest at the edge, which must not cut their stars.
    stars = {"marker": "*", "s": 210, "zorder": 3, "clip_on": False}
    for label, places, face, edge, width in (
        ("attractor", found.attractors, "tab:orange", "white", 0.9),
        ("mixture", found.mixtures, "none", "tab:orange", 1.4),
    ):
        if len(places):
            ax.scatter(*places.T, label=label, c=face, edgecolors=edge, linewidths=width, **stars)
    if len(found.rows):
        dots = {"marker": "o", "c": "black", "edgecolors": "white", "linewidths": 0.6}
        ax.scatter(*found.rows.T, label="stored", s=14, zorder=4, **dots)
    ax.set_xlim(float(found.x.min()), float(found.x.max()))
    ax.set_ylim(float(found.y.min()), float(found.y.max()))
    ax.set_aspect("equal")
    return ax


def require() -> None:
    """Raise the error that says how to install matplotlib, if it is missing."""
    _import("matplotlib")


def _pyplot():
    return _import("matplotlib.pyplot")


def _import(name: str):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ModuleNotFoundError(
            'Pictures need matplotlib, which is not installed: pip install "attrax[plot]".',
            name="matplotlib",
        ) from error


def _axes(ax: Any):
    if ax is None:
        return _pyplot().gca()
    if not isinstance(ax, _import("matplotlib.axes").Axes):
        raise TypeError(
            "`ax` must be Axes of matplotlib, such as matplotlib.figure.Figure().subplots(), but "
            f"it is {type(ax).__name__}."
        )
    return ax


def _bands(levels: Any):
    """How many bands of energy there are, or their limits."""
    if np.ndim(levels) == 0:
        return whole_number("levels", levels)
    limits = as_doubles("levels", levels)
    if limits.ndim != 1 or len(limits) < 2 or not (np.diff(limits) > 0).all():
        raise ValueError(
            "`levels` must be how many bands of energy there are, or two and more energies that "
            f"rise, but it is {levels!r}."
        )
    return limits


def _image_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    full = (1, *shape) if len(shape) == 2 else tuple(shape)
    if len(full) != 3 or full[0] not in (1, 3):
        raise ValueError(
            f"`shape` is {tuple(shape)}; it must be (H, W), or (C, H, W) with C = 1 or 3."
        )
    return full
