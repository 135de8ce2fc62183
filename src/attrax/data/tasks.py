"""Tasks of a few classes each, for learning that goes on."""

import dataclasses

import numpy as np

from .dataset import Dataset


def split_by_class(
    dataset: Dataset, size: int = 2, *, order: tuple[int, ...] | None = None
) -> list[Dataset]:
    """The rows of a data set as tasks of so many classes each: Split MNIST and its like.

    ```python
    tasks = split_by_class(attrax.data.load("digits"))  # 0 and 1, then 2 and 3, ...
    pairs = [(task.x, task.y) for task in tasks]         # for attrax.training.train_continually
    ```

    **Arguments:**

    - `dataset`: what is split.
    - `size`: how many classes a task has; the last one may have fewer.
    - `order`: all labels of the set, in the order in which tasks take them; ascending if `None`.

    **Returns:** a list of `Dataset`s. Labels stay as they are, and so does the order of rows.

    **Raises:** `TypeError` or `ValueError` for wrong arguments, and for rows without labels.
    """
    if not isinstance(dataset, Dataset):
        raise TypeError(
            "`dataset` must be a Dataset, such as attrax.data.load('digits'), "
            f"but it is {type(dataset).__name__}."
        )
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
        raise ValueError(f"`size` must be a positive whole number, but it is {size!r}.")
    labels = [int(label) for label in np.unique(dataset.y)]
    if not labels or labels[0] < 0:
        raise ValueError(f"`dataset` has rows without labels: {dataset!r} cannot be split by them.")
    if order is not None:
        if sorted(order) != labels:
            raise ValueError(
                f"`order` must hold each of the labels {labels} once, but it is {order!r}."
            )
        labels = [int(label) for label in order]
    groups = [labels[i : i + size] for i in range(0, len(labels), size)]
    return [_taken(dataset, np.isin(dataset.y, group)) for group in groups]


def _taken(dataset: Dataset, chosen: np.ndarray) -> Dataset:
    files = tuple(f for f, here in zip(dataset.files, chosen, strict=False) if here)
    return dataclasses.replace(dataset, x=dataset.x[chosen], y=dataset.y[chosen], files=files)
