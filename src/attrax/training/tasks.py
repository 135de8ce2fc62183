"""Checks of what `train_continually` is given."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..common.checks import as_floats, is_concrete, native, number


def joined_tasks(name, tasks) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, labels and tasks of all rows, one task after another."""
    if not isinstance(tasks, list | tuple) or not tasks:
        raise TypeError(
            f"`{name}` must be a list of pairs of rows and labels, one a task, but it is "
            f"{'empty' if isinstance(tasks, list | tuple) else type(tasks).__name__}."
        )
    rows, labels = [], []
    for i, task in enumerate(tasks):
        if not isinstance(task, tuple | list) or len(task) != 2:
            raise TypeError(f"`{name}[{i}]` must be a pair of rows and labels.")
        rows.append(np.asarray(as_floats(f"{name}[{i}][0]", task[0], ndim=2)))
        labels.append(np.asarray(native(f"{name}[{i}][1]", task[1])))
        if (
            labels[i].dtype.kind not in "iu"
            or labels[i].shape != rows[i].shape[:1]
            or not rows[i].size
        ):
            raise ValueError(
                f"`{name}[{i}]` must be a pair of rows (n, d) and whole numbers (n,), n ≥ 1, but "
                f"their shapes are {rows[i].shape} and {labels[i].shape}, of {labels[i].dtype}."
            )
        if rows[i].shape[1] != rows[0].shape[1]:
            raise ValueError(
                f"`{name}[{i}]` has rows of {rows[i].shape[1]} entries, but `{name}[0]` of "
                f"{rows[0].shape[1]}."
            )
    owners = np.repeat(np.arange(len(tasks), dtype=np.int32), [len(row) for row in rows])
    return np.concatenate(rows), np.concatenate(labels).astype(np.int32), owners


def at_least_zero(name, value, below=np.inf) -> Array:
    """`value` as a number of at least 0 and below a bound, checked where it is concrete."""
    array = number(name, value)
    if is_concrete(array) and not 0 <= float(array) < below:
        end = "finite" if below == np.inf else f"below {below:g}"
        raise ValueError(f"`{name}` must be at least 0 and {end}, but it is {float(array):g}.")
    return array


def count_classes(model, size) -> int:
    """How many logits a model gives for a row."""
    row = jax.ShapeDtypeStruct((size,), jnp.zeros(()).dtype)
    if not callable(model):
        raise TypeError("`model` must map a row to logits, but it cannot be called.")
    logits = eqx.filter_eval_shape(model, row)
    if not isinstance(logits, jax.ShapeDtypeStruct) or len(logits.shape) != 1:
        raise ValueError(f"`model` must map a row ({size},) to logits (C,), but it gives {logits}.")
    return logits.shape[0]
