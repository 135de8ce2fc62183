"""What a generated sample is: a stored pattern, a state that many samples share, or a new one."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from ..common.arithmetic import accumulate
from ..common.checks import as_floats, is_concrete, positive
from ..common.display import facts, results, summed


class SampleKind(eqx.Enumeration):
    """What a sample is; the texts say what that means."""

    memorised = "Memorised: the sample is a stored pattern."
    spurious = "Spurious: another sample is the same, and no stored pattern is: an attractor."
    new = "New: neither a stored pattern nor any other sample is the same."


@results
class Samples(NamedTuple):
    """What `classify_samples` found, one entry a sample.

    - `kind` (n,): a `SampleKind`; compare with a member, `found.kind == SampleKind.new`.
    - `to_pattern` (n,): the distance to the nearest pattern, in the unit of the entries.
    - `to_sample` (n,): the distance to the nearest other sample.
    - `index` (n,): the nearest pattern.
    """

    kind: Any
    to_pattern: Float[Array, " n"]
    to_sample: Float[Array, " n"]
    index: Int[Array, " n"]


@facts.register
def _(found: Samples) -> list[tuple[str, str]]:
    rows = [(name, summed(getattr(found, name))) for name in found._fields[1:]]
    if not is_concrete(found.to_pattern):
        return rows
    kinds = ("memorised", "spurious", "new")
    counts = [(name, int(np.sum(found.kind == getattr(SampleKind, name)))) for name in kinds]
    return [("kind", ", ".join(f"{count} {name}" for name, count in counts if count)), *rows]


def classify_samples(samples: ArrayLike, patterns: ArrayLike, tolerance: ArrayLike) -> Samples:
    """Tell memorised, spurious and new samples apart, by the nearest pattern and other sample.

    A sample within the tolerance of a pattern is memorised. Of the others, one that is within the
    tolerance of another sample is spurious: an attractor that is not stored. The rest is new.
    More samples fall together by chance the more are drawn, so take the tolerance well below their
    spacing.

    **Arguments:**

    - `samples`: shape (n, d), n ≥ 2.
    - `patterns`: what is stored, shape (N, d).
    - `tolerance`: the distance within which two are the same, > 0, in the unit of the entries.

    **Returns:** a `Samples`; a sample with NaN is new.

    **Raises:** `ValueError` for a single sample, wrong shapes, or a `tolerance` that is not
    positive.

    **Source:** [pham2025memorization]
    """
    drawn = as_floats("samples", samples, ndim=2, finite=False)
    stored = as_floats("patterns", patterns, ndim=2)
    limit = positive("tolerance", tolerance)
    if len(drawn) < 2 or stored.size == 0:
        raise ValueError(
            f"`samples` must be two or more and `patterns` at least one, but their shapes are "
            f"{drawn.shape} and {stored.shape}."
        )
    if drawn.shape[1] != stored.shape[1]:
        raise ValueError(
            f"`samples` must have {stored.shape[1]} entries each, as the patterns, but their shape "
            f"is {drawn.shape}."
        )
    dtype = accumulate(jnp.promote_types(drawn.dtype, stored.dtype))
    return Samples(*_classified(drawn.astype(dtype), stored.astype(dtype), limit.astype(dtype)))


@jax.jit
def _classified(samples, patterns, limit):
    numbers = jnp.arange(len(samples))

    def one(inputs):
        sample, number = inputs
        apart = jnp.sqrt(jnp.sum(jnp.square(patterns - sample[None]), axis=-1))
        others = jnp.sqrt(jnp.sum(jnp.square(samples - sample[None]), axis=-1))
        # One with NaN is no other's double.
        others = jnp.where((numbers == number) | jnp.isnan(others), jnp.inf, others)
        return jnp.min(apart), jnp.min(others), jnp.argmin(apart).astype(jnp.int32)

    to_pattern, to_sample, index = jax.lax.map(one, (samples, numbers))
    shared = jax.vmap(lambda near: SampleKind.where(near, SampleKind.spurious, SampleKind.new))
    kind = shared(to_sample <= limit)
    kind = jax.vmap(lambda near, other: SampleKind.where(near, SampleKind.memorised, other))(
        to_pattern <= limit, kind
    )
    return kind, to_pattern, to_sample, index
