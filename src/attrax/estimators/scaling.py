"""Rows in units of their own: what the estimators of stored rows have in common."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from ..common.checks import plain_number

FLOATS = [np.float64, np.float32]
# Deviations from the mean, beyond which squared distances of 32 bits no longer tell rows apart.
FARTHEST = 1e6


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
        return refuse_far((rows - self.mean) / self.scale).astype(np.float32)

    def nearly(self, rows: np.ndarray) -> np.ndarray:
        """The same, with what is farther than 10⁶ put there, for who asks whether it is far."""
        return np.clip((rows - self.mean) / self.scale, -FARTHEST, FARTHEST).astype(np.float32)


def refuse_far(rows: np.ndarray) -> np.ndarray:
    """Rows in units of deviations, none of which is beyond what 32 bits can compare."""
    far = np.argwhere(np.abs(rows) > FARTHEST)
    if far.size:
        row, feature = far[0]
        raise ValueError(
            f"`X` has an entry in row {row}, feature {feature}, that is more than {FARTHEST:.0e} "
            "deviations from the rows of `fit`, so that all of these are equally far: check it, or "
            "transform the feature, such as by its logarithm."
        )
    return rows


def automatic(value) -> bool:
    """Whether an argument is left to the estimator."""
    return isinstance(value, str) and value == "auto"


def units_of(rows: np.ndarray) -> Units:
    """The root mean squared deviation of all features is the scale."""
    mean = rows.mean(axis=0, dtype=np.float64)
    return Units(mean, float(np.sqrt(np.mean(np.square(rows - mean)))) or 1.0)


def wanted_beta(beta, scale: float) -> float | None:
    """An inverse temperature that was given, in units of the scale; `None` for "auto"."""
    if automatic(beta):
        return None
    return within("beta", beta) * scale**2


def within(name: str, value, most: float = np.inf) -> float:
    """A number between 0 and a bound, which are left out."""
    number = plain_number(name, value)
    if not 0 < number < most:
        bound = "be positive and finite" if most == np.inf else f"lie between 0 and {most:g}"
        raise ValueError(f"`{name}` must {bound}, but it is {value!r}.")
    return number
