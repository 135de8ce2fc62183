"""What must fit together in a memory: scores and domains, projections and energies, fields."""

import jax
import jax.numpy as jnp

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
    if projection == "sum" and not summed:
        return (
            f"Under {type(similarity).__name__} the energy descends towards the "
            f'{type(centroid).__name__}, not the sum of rows; pass projection="centroid".'
        )
    return None


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
