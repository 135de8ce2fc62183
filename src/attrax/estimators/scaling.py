"""Rows in units of their own: what the estimators of stored rows have in common."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from ..common.checks import plain_number

FLOATS = [np.float64, np.float32]


def seen(estimator: Any, X: Any) -> np.ndarray:
    """Rows that an estimator is asked about after `fit`, checked."""
    check_is_fitted(estimator)
    found: Any = validate_data(estimator, X, dtype=FLOATS, reset=False)
    return found


class Units(NamedTuple):
    """The mean of each feature (d,), and one scale, so that distances keep their proportions."""

    mean: np.ndarray
    scale: float

    def of(self, rows: np.ndarray) -> np.ndarray:
        """Rows in these units, with 32 bits."""
        return ((rows - self.mean) / self.scale).astype(np.float32)


def units_of(rows: np.ndarray) -> Units:
    """The root mean squared deviation of all features is the scale."""
    mean = rows.mean(axis=0, dtype=np.float64)
    return Units(mean, float(np.sqrt(np.mean(np.square(rows - mean)))) or 1.0)


def wanted_beta(beta, scale: float) -> float | None:
    """An inverse temperature that was given, in units of the scale; `None` for "auto"."""
    if isinstance(beta, str) and beta == "auto":
        return None
    return within("beta", beta) * scale**2


def within(name: str, value, most: float = np.inf) -> float:
    """A number between 0 and a bound, which are left out."""
    number = plain_number(name, value)
    if not 0 < number < most:
        bound = "be positive and finite" if most == np.inf else f"lie between 0 and {most:g}"
        raise ValueError(f"`{name}` must {bound}, but it is {value!r}.")
    return number
