"""`zero_shot_accuracy`: how good a generator is, by a classifier that saw its samples alone."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.checks import as_floats, as_indices, check_function


def zero_shot_accuracy(
    fit: Callable[..., Any],
    generated: ArrayLike,
    labels: ArrayLike,
    images: ArrayLike,
    truth: ArrayLike,
) -> Float[Array, ""]:
    """The share of real images that a classifier names right which was trained on generated ones.

    It rewards samples by which classes are told apart. Whether samples of a class differ among
    themselves, it does not measure. Read it beside the same classifier trained on real images.

    ```python
    def fit(rows, labels):                       # with scikit-learn
        return LogisticRegression().fit(rows, labels).predict

    zero_shot_accuracy(fit, generated, labels, images, truth)
    ```

    **Arguments:**

    - `fit`: a function of rows (n, d) and labels (n,) to a classifier, which is a function of rows
      (m, d) to their labels (m,).
    - `generated`: what was generated, shape (n, ...); images are flattened to rows.
    - `labels`: the class that each was generated for, whole numbers, shape (n,).
    - `images`: real ones, shape (m, ...), of as many entries each.
    - `truth`: their classes, whole numbers, shape (m,).

    **Returns:** a number in [0, 1].

    **Raises:** `TypeError` if `fit` or what it returns is not a function; `ValueError` for shapes
    that do not go together, labels of the classifier among them.

    **Source:** [xu2022txt]
    """
    check_function("fit", fit)
    drawn, real = _rows("generated", generated), _rows("images", images)
    if drawn.shape[1] != real.shape[1]:
        raise ValueError(
            f"`images` must have {drawn.shape[1]} entries each, as those generated, but they have "
            f"{real.shape[1]}."
        )
    labels = as_indices("labels", labels, None, drawn.shape[:1])
    truth = as_indices("truth", truth, None, real.shape[:1])
    classify = fit(drawn, labels)
    if not callable(classify):
        raise TypeError(
            "`fit` must return a function of rows to labels, such as a classifier's `predict`, but "
            f"it returned {type(classify).__name__}."
        )
    named = as_indices("labels of the classifier", classify(real), None, real.shape[:1])
    return jnp.mean((named.astype(jnp.int32) == truth.astype(jnp.int32)).astype(float))


def _rows(name, value) -> Float[Array, "n d"]:
    rows = as_floats(name, value)
    if rows.ndim < 2 or rows.size == 0:
        raise ValueError(
            f"`{name}` must be one or more images, shape (n, ...), but the shape is {rows.shape}."
        )
    return rows.reshape(rows.shape[0], -1)
