"""Which rows a step of learning sees."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from ..common.checks import as_array, native, shape_of, whole_number


class Batches:
    """The batch of each step: rows of arrays, shuffled in every epoch, or what a function gives.

    The batch of a step depends on its number and the key alone, so that a run that continues sees
    what it would have seen. Where an epoch ends within a batch, the next one begins there: each
    row is seen once in an epoch.

    **Arguments:**

    - `batches`, `batch_size`: see `train`.
    - `key`: for the order of rows, or for the function.
    """

    def __init__(self, batches, batch_size, key):
        self.function = self.whole = self.arrays = None
        self.size, self.key = batch_size, key
        if callable(batches):
            if batch_size is not None:
                raise ValueError(
                    "`batch_size` is for arrays; a function of the step makes its batches itself."
                )
            self.keyed = takes("batches", batches, "step", "key")
            if self.keyed and key is None:
                raise ValueError("`batches` takes a key; pass key=jax.random.key(0) to train.")
            self.function = batches
            return
        self.arrays, self.count = _checked_rows(batches)
        if batch_size is None:
            self.whole = jax.tree.map(lambda x: as_array("batches", x), self.arrays)
            return
        batch_size = whole_number("batch_size", batch_size)
        if batch_size > self.count:
            raise ValueError(
                f"`batch_size` is {batch_size}, but `batches` has {self.count} rows; "
                "leave it out to learn from all rows in every step."
            )
        if key is None:
            raise ValueError(
                "`key` is needed to shuffle the rows into batches; pass key=jax.random.key(0)."
            )
        # A batch needs two orders where one epoch follows another.
        self.order = functools.lru_cache(maxsize=2)(self._shuffled)

    def __call__(self, step: int) -> Any:
        """The batch of a step, the first being step 0."""
        if self.function is not None:
            if not self.keyed:
                return jax.tree.map(_as_array, self.function(step))
            key = jax.random.fold_in(self.key, step)
            return jax.tree.map(_as_array, self.function(step, key=key))
        if self.whole is not None:
            return self.whole
        epochs, places = np.divmod(np.arange(step * self.size, (step + 1) * self.size), self.count)
        index = np.concatenate([self.order(e)[places[epochs == e]] for e in np.unique(epochs)])
        return jax.tree.map(lambda array: array[index], self.arrays)

    @property
    def seen(self) -> Any:
        """What tells these batches from others: the arrays, or the first batch of a function."""
        return self(0) if self.arrays is None else self.arrays

    def _shuffled(self, epoch):
        return np.asarray(jax.random.permutation(jax.random.fold_in(self.key, epoch), self.count))


def takes(name: str, function: Callable, arguments: str, extra: str) -> bool:
    """Whether a function of some arguments takes one more, such as a `key`.

    **Arguments:**

    - `name`: what the caller calls it, for the error.
    - `function`: the function.
    - `arguments`: the names of the others.
    - `extra`: the name of the one more.

    **Raises:** `TypeError` if it cannot be called with them.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        # Some functions made in C have none.
        return False
    more = extra in signature.parameters
    try:
        signature.bind(*arguments.split(", "), **({extra: None} if more else {}))
    except TypeError as error:
        raise TypeError(
            f"`{name}` must be a function of ({arguments}) or of ({arguments}, {extra}), "
            f"but it takes {signature}: {error}."
        ) from None
    return more


def _checked_rows(batches) -> tuple[Any, int]:
    leaves = jax.tree.leaves(batches, is_leaf=lambda x: isinstance(x, list) or x is None)
    if not leaves or not all(isinstance(x, jax.Array | np.ndarray) for x in leaves):
        other = next((type(x).__name__ for x in leaves if shape_of(x) is None), "empty")
        raise TypeError(
            "`batches` must be an array, several in a tuple or dictionary, or a function of the "
            f"step, but has a part that is {other}."
        )
    try:
        arrays = jax.tree.map(lambda x: np.asarray(native("batches", x)), batches)
    except TypeError as error:
        raise TypeError(f"`batches` must hold numbers: {error}") from None
    shapes = [array.shape for array in jax.tree.leaves(arrays)]
    if any(array.dtype.kind in "OUSMm" for array in jax.tree.leaves(arrays)):
        raise TypeError("`batches` must hold numbers, but one array holds objects or text.")
    if any(not shape for shape in shapes) or len({shape[0] for shape in shapes}) > 1:
        raise ValueError(
            "`batches` must be arrays with the same number of rows along their first axis, "
            f"but their shapes are {', '.join(map(str, shapes))}."
        )
    if shapes[0][0] == 0:
        raise ValueError("`batches` is empty: it has no rows.")
    return arrays, shapes[0][0]


def _as_array(value):
    """A number as an array, since one that is static would compile the step anew."""
    return np.asarray(value) if isinstance(value, bool | int | float) else value
