"""What must fit together in a memory: scores and domains, projections and energies, fields."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..common.arithmetic import accumulate
from ..common.checks import is_concrete, native
from ..separation import AbstractSeparation
from ..similarity import AbstractSimilarity

_WITHIN = {
    "signed": ("signed", "non-negative", "positive", "non-positive"),
    "non-negative": ("non-negative", "positive"),
    "positive": ("positive",),
    "non-positive": ("non-positive",),
}


def check_domain(similarity: AbstractSimilarity, separation: AbstractSeparation) -> None:
    """Refuse a separation of scores that the similarity can leave the domain of.

    **Raises:** `ValueError` that names the remedy.
    """
    if similarity.range in _WITHIN[separation.domain]:
        return
    name = type(separation).__name__
    remedy = "similarity=attrax.similarity.non_negative(similarity)"
    if separation.domain == "positive":
        remedy = "a distance, similarity=attrax.similarity.non_negative(Euclidean())"
    wider = "" if separation.wider is None else f", or {separation.wider}"
    raise ValueError(
        f"{name} is defined for {separation.domain} scores, and those of {similarity!r} are "
        f"{similarity.range}; use {remedy}{wider}."
    )


def why_no_energy(
    similarity: AbstractSimilarity, separation: AbstractSeparation, projection: str
) -> str | None:
    """Why no energy is known to descend under a read; `None` where one is.

    E(v) = R(v) − Φ(s(v)) descends if Φ is convex and the read goes to the centroid.
    """
    centroid = similarity.centroid
    if separation.lacks_potential is not None:
        return separation.lacks_potential
    if centroid is None:
        return similarity.lacks_centroid
    if not (centroid.signed or separation.non_negative):
        return (
            f"{type(separation).__name__} can weigh memories negatively, and under a "
            "distance a read then moves away from them; use Softmax or a rectified Power."
        )
    summed = centroid.plain == "always" or (
        centroid.plain == "normalised" and separation.normalised
    )
    if not separation.convex and similarity.quadratic:
        return (
            f"The potential of {type(separation).__name__} is not convex, and a read then lowers "
            "only energies without a term of the state: use a distance, such as Euclidean()."
        )
    if projection == "sum" and not summed:
        return (
            f"Under {type(similarity).__name__} the energy descends towards the "
            f'{type(centroid).__name__}, not the sum of rows; pass projection="centroid".'
        )
    return None


def why_out_of_range(
    similarity: AbstractSimilarity,
    name: str,
    rows: np.ndarray,
    queries: np.ndarray | None = None,
    known: np.ndarray | None = None,
) -> str | None:
    """Why scores would leave the range of floats, or all vanish in it; `None` where they do not.

    Infinite scores tie, and so do those that are zero: a memory would answer with the wrong rows.

    **Arguments:**

    - `similarity`: what rows are compared by.
    - `name`: what is to be compared with the rows, for the text.
    - `rows`: shape (N, d).
    - `queries`: shape (..., d); the rows themselves if `None`.
    - `known`: True for entries of the queries that count; all if `None`.
    """
    if similarity.terms == "relative" or not rows.size:
        return None
    limits = jnp.finfo(accumulate(rows.dtype))
    largest, smallest = float(limits.max) / 8, float(limits.tiny) / float(limits.eps)
    asked = rows if queries is None else queries
    size = _size(asked)
    # Queries of any usual size need no look at the rows.
    if queries is not None and max(smallest**0.25, 1e-8) < size < largest**0.25:
        return None
    degree = 1 if similarity.terms == "differences" else 2
    if similarity.terms == "products":
        reach = _size(rows) * size
    else:
        reach = float(np.max(rows.max(0).astype(np.float64) - rows.min(0)))
        if queries is not None:
            apart = np.abs(queries.astype(np.float64) - rows[0])
            reach = max(reach, float(np.max(apart if known is None else apart * known)))
        reach = reach**degree
    if not reach * rows.shape[1] * degree**2 < largest:
        what = "are beyond the range of"
    elif 0 < reach < smallest:
        what = "are below the range of"
    else:
        return None
    return (
        f"Scores of `{name}`, whose largest |entry| is {size:.3g}, {what} {limits.dtype} by "
        f"{type(similarity).__name__}, so that rows could not be told apart: divide them by their "
        "scale, rows and queries alike, or take a similarity in which it does not count, such as "
        "attrax.similarity.Correlation()."
    )


def check_steep(similarity: AbstractSimilarity) -> None:
    """Refuse to choose an inverse temperature where the scores of the rows do not tell one.

    **Raises:** `ValueError` that names separations to take.
    """
    if similarity.steep:
        raise ValueError(
            f"Scores of {similarity!r} fall off steeply from an exact match, so no inverse "
            "temperature that is chosen on the rows suits damaged queries; pass "
            "separation=attrax.separation.Max(), or SumNormalised(Power(2))."
        )


def check_codes(given: Any, rows: jax.Array) -> None:
    """Refuse whole numbers that floats round, where rows are compared by which entries are equal.

    **Raises:** `ValueError` that says how to number them anew.
    """
    array = native("patterns", given)
    if not is_concrete(array, rows) or array.dtype.kind not in "iu" or array.dtype.itemsize < 4:
        return
    codes, kept = np.asarray(array), np.asarray(rows).astype(np.float64)
    if not (kept.astype(codes.dtype) == codes).all() or np.abs(kept).max() > 2**53:
        raise ValueError(
            f"`patterns` holds whole numbers that {rows.dtype} rounds, so that different ones "
            "would be equal: number them anew, numpy.unique(patterns, return_inverse=True)[1]."
            "reshape(patterns.shape)."
        )


def why_no_distribution(
    similarity: AbstractSimilarity, name: str, queries: np.ndarray, known: np.ndarray | None
) -> str | None:
    """Why queries are no distributions, where they are compared as such; `None` where they are."""
    if similarity.rows != "non-negative" or not queries.size:
        return None
    lowest = float(np.min(queries if known is None else np.where(known, queries, 0)))
    if not lowest < 0:
        return None
    return (
        f"`{name}` holds {lowest:.3g}, and {type(similarity).__name__} compares what is never "
        f"negative: take jax.numpy.maximum({name}, 0), or similarity="
        "attrax.similarity.Correlation()."
    )


def _size(array) -> float:
    return float(max(np.max(array), -np.min(array), 0.0))


def check_fields(memory) -> None:
    """Refuse a memory whose fields do not fit together, as a file may describe one.

    **Raises:** `ValueError` that says what does not fit.
    """
    keys, values, filled = memory.keys, memory.values, memory.filled
    if not isinstance(keys, jax.Array):
        raise ValueError("its keys are no array")
    rows, block = keys.shape[:1], memory.block
    fits = (
        isinstance(memory.similarity, AbstractSimilarity)
        and isinstance(memory.separation, AbstractSeparation)
        and memory.projection in ("sum", "centroid")
        and memory.placement is None
        and keys.ndim == 2
        and jnp.issubdtype(keys.dtype, jnp.floating)
        and (values is None or (values.ndim == 2 and values.shape[:1] == rows))
        and (filled is None or (filled.shape == rows and filled.dtype == jnp.bool_))
        and (block is None or (type(block) is int and keys.shape[0] % block == 0))
    )
    if not fits:
        raise ValueError("its fields make no memory")
    check_domain(memory.similarity, memory.separation)
