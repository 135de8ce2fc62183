"""How sure it is that a query is a damaged copy of one stored row, and not something unrelated."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from .base import Comparing

# So many rows are asked of the others, as strangers; where each query has its own mask, so few.
STRANGERS = 256
FEW_STRANGERS = 64
# How many of them are compared at a time.
_BATCH = 32
# Scores that differ by so many roundings are of equal rows.
_ROUNDINGS = 64
# What is left of a query counts as so much at least, as a share of what another row leaves.
_LEAST = 0.05


class Unevenness(NamedTuple):
    """How unevenly a query is ahead of all rows but one.

    - `value` (): W ≥ 0, 0 for the row itself.
    - `compared` (): with how many other rows.
    """

    value: Float[Array, ""]
    compared: Int[Array, ""]


def unevenness(
    scores: Float[Array, " n"],
    itself: Float[Array, ""],
    own: Float[Array, " n"],
    index: Int[Array, ""],
    there: Bool[Array, " n"],
) -> Unevenness:
    """W = max_j (1 − r_j) (w_j / u)^¼ √(1 + 2u).

    A row i is ahead of each other row j by s_ii − s_ij, which over its mean is w_j. A damaged copy
    is ahead by s_i − s_j, and r_j is this as a share of s_ii − s_ij, over the same share of the
    sums: near one for every j. Of what is unrelated to i, another row is always as close, which has
    r_j near zero.

    u = (s(q, q) − s_i) / mean_j (s_ii − s_ij) is what row i leaves of the query. Noise of that size
    makes 1 − r_j of the size of (u / w_j)^½, and another picture, which is as uneven however little
    it leaves, of the size of one: W is half way. Where row i leaves as much as another row would,
    √(1 + 2u) outweighs that, since noise alone is even enough then.

    Scores may be shifted without changing it.

    **Arguments:**

    - `scores`: s_j, of a query with each row, shape (N,).
    - `itself`: s(q, q), of the query with itself.
    - `own`: s_ij, of row i as a query, shape (N,).
    - `index`: i.
    - `there`: the rows to compare with, shape (N,); equal ones count as row i.
    """
    gaps, widths = scores[index] - scores, own[index] - own
    others = there & ~_equal(own, index, there) & jnp.isfinite(gaps) & jnp.isfinite(widths)
    number = jnp.sum(others, dtype=jnp.int32)
    ahead, whole = (jnp.sum(jnp.where(others, part, 0.0)) for part in (gaps, widths))
    # A row that others are ahead of, as under `Dot` longer ones are, has no copies.
    clear = (ahead > 0) & jnp.all(~others | (widths > 0))
    counted = others & clear
    usual = jnp.where(clear, ahead / jnp.where(clear, whole, 1.0), 1.0)
    shares = jnp.where(counted, gaps, 1.0) / jnp.where(counted, widths, 1.0) / usual
    mean = jnp.where(clear, whole, 1.0) / jnp.maximum(number, 1).astype(whole.dtype)
    left = jnp.maximum((itself - scores[index]) / mean, _LEAST)
    parts = (1 - shares) * (jnp.where(counted, widths, 0.0) / mean / left) ** 0.25
    value = jnp.max(jnp.where(counted, parts, 0.0), initial=0.0) * jnp.sqrt(1 + 2 * left)
    return Unevenness(jnp.where(clear & jnp.isfinite(value), value, jnp.inf), number)


def strangers(space: Comparing, number: int) -> Float[Array, " m"]:
    """W of stored rows that are asked of the others; −1 where there are too few of those.

    **Arguments:**

    - `space`: rows, and which entries are compared; its query plays no part.
    - `number`: how many rows are tried at most, spread over all.
    """
    there = space.there
    order = jnp.argsort(~there, stable=True).astype(jnp.int32)
    # Whole batches, in which rows may come again; each counts once.
    size = min(number, -(-there.shape[0] // _BATCH) * _BATCH)
    shares = np.linspace(0, 1, size, dtype=np.float32)
    ranks = jnp.round(shares * (jnp.sum(there) - 1).astype(jnp.float32)).astype(jnp.int32)
    ranks = jnp.maximum(ranks, 0)
    new = jnp.concatenate([jnp.ones((1,), bool), ranks[1:] > ranks[:-1]]) & there[order[ranks]]

    def one(row):
        scores = space.compare(space.row(row))
        same = _equal(scores, row, there)
        rest = there & ~same
        best = jnp.argmax(jnp.where(rest, scores, -jnp.inf)).astype(jnp.int32)
        own = space.compare(space.row(best))
        uneven = unevenness(scores, scores[row], own, best, rest)
        # A lead over one other row alone is always even; of equal rows the first one counts.
        counts = (uneven.compared > 1) & (jnp.argmax(same).astype(row.dtype) == row)
        return jnp.where(counts, uneven.value, -1.0)

    return jnp.where(new, jax.lax.map(one, order[ranks], batch_size=_BATCH), -1.0)


def confidence(
    space: Comparing, index: Int[Array, ""], strange: Float[Array, " m"]
) -> Float[Array, ""]:
    """1 − p, with p the share of strangers whose lead is as even as that of the space's query.

    Where all m strangers are more uneven, it is p = W / W_min / (m + 1): W of strangers is taken to
    have a density that does not rise towards zero.

    **Arguments:**

    - `space`: rows and a query.
    - `index`: the row that the query is said to be; −1 for none.
    - `strange`: W of `strangers`.
    """
    row, state = jnp.maximum(index, 0), space.initial
    scores, own = space.compare(state), space.compare(space.row(row))
    uneven = unevenness(scores, space.compare_with_itself(state), own, row, space.there)
    counted = strange >= 0
    number = jnp.sum(counted).astype(uneven.value.dtype)
    as_even = jnp.sum(counted & (strange <= uneven.value)).astype(uneven.value.dtype)
    least = jnp.min(jnp.where(counted, strange, jnp.inf), initial=jnp.inf)
    # Infinite over infinite where no stranger was ahead of anything.
    beyond = uneven.value / jnp.where((as_even == 0) & (number > 0), least, jnp.inf)
    share = jnp.where(as_even == 0, beyond, 1 + as_even) / (1 + number)
    told = (index >= 0) & (uneven.compared > 1) & (number > 0)
    return jnp.where(told, 1 - share, 0.0)


def _equal(own, index, there):
    """Which rows score as row `index` does with itself, up to rounding."""
    sizes = jnp.where(jnp.isfinite(own) & there, jnp.abs(own), 0.0)
    scale = sizes[index] + jnp.sum(sizes) / jnp.maximum(jnp.sum(there), 1).astype(own.dtype)
    limit = _ROUNDINGS * jnp.finfo(own.dtype).eps * scale
    same = (own == own[index]) | (jnp.abs(own - own[index]) <= limit)
    return there & (same | (jnp.arange(own.shape[0], dtype=jnp.int32) == index))
