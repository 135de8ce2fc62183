"""The mean and covariance of rows with gaps, and what they say of entries that are left out."""

from typing import NamedTuple

import numpy as np

# Rounds of expectation and maximisation, the share of a variance that is added to each, and how
# many rows are worked on together.
_ROUNDS, _RIDGE, _ROWS = 6, 0.01, 128


class Expected(NamedTuple):
    """What a Gaussian expects of rows (n, d), whose known entries are a mask.

    - `means` (n, d): of each entry given the known ones of its row, itself left out.
    - `scatter` (d, d): the sum over rows of products of entries, gaps filled by expectation.
    """

    means: np.ndarray
    scatter: np.ndarray


def expected(covariance: np.ndarray, rows: np.ndarray, known: np.ndarray) -> Expected:
    """Conditional means of rows of mean zero, and the products by which a covariance is learnt."""
    width = rows.shape[1]
    means, scatter = np.empty_like(rows), np.zeros((width, width))
    for begin in range(0, len(rows), _ROWS):
        part = slice(begin, begin + _ROWS)
        means[part], more = _expected(covariance, rows[part], known[part])
        scatter += more
    return Expected(means, scatter)


def _expected(covariance, rows, known):
    width, at = rows.shape[1], np.arange(rows.shape[1])
    both = known[:, :, None] & known[:, None, :]
    seen = np.where(both, covariance + _RIDGE * np.eye(width), 0.0)
    seen[:, at, at] = np.where(known, seen[:, at, at], 1.0)
    inverse = np.linalg.inv(seen)
    diagonal = inverse[:, at, at]
    inverse = np.where(both, inverse, 0.0)
    filled = np.where(known, rows, 0.0)
    pulled = np.einsum("nij,nj->ni", inverse, filled)
    means = np.where(known, filled - pulled / diagonal, pulled @ covariance)
    whole = np.where(known, rows, means)
    # What is uncertain of gaps: C − C P C between the gaps of a row.
    gaps = (~known).astype(float)
    weights = gaps.T @ gaps
    spread = covariance @ inverse @ covariance * gaps[:, :, None] * gaps[:, None, :]
    return means, whole.T @ whole + covariance * weights - spread.sum(axis=0)


def learn_covariance(rows: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The covariance (d, d) of rows of mean zero with gaps, by expectation and maximisation."""
    filled = np.where(known, rows, 0.0)
    pairs = known.T.astype(float) @ known
    values, vectors = np.linalg.eigh(filled.T @ filled / np.maximum(pairs, 1))
    found = (vectors * np.maximum(values, 0)) @ vectors.T
    for _ in range(_ROUNDS):
        found = expected(found, rows, known).scatter / len(rows)
    return found
