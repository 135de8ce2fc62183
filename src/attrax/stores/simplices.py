"""Sets of neurons that a connection joins: full skeletons, and random sets of a given number."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from ..common.arrays import native
from ..common.checks import is_concrete, one_key, whole_number

# As many sets as are listed at most: of triples some 0.6 GB.
_MOST = 10_000_000
_FURTHEST = 2**62

Simplices = tuple[Int[Array, "n k"], ...]


def full_skeleton(width: int, dimension: int = 2) -> Simplices:
    """All simplices of 1 to D dimensions on d neurons: all pairs, all triples, and so on.

    ```python
    pairs, triples = models.full_skeleton(50)          # 1225 and 19 600 of them
    ```

    They are listed, Σ_k C(d, k + 1) in all. `models.skeleton_memory` has the network of all pairs
    and triples without a list, for any number of neurons.

    **Arguments:**

    - `width`: d, number of neurons.
    - `dimension`: D ≥ 1; a simplex of k dimensions joins k + 1 neurons.

    **Returns:** an array (C(d, k + 1), k + 1) of indices for each k, each row in rising order.

    **Raises:** `ValueError` for a complex that is too large to be listed, which says how large it
    would be, and for more dimensions than d − 1.

    **Source:** [burns2023simplicial]
    """
    width, dimension = whole_number("width", width, 2), whole_number("dimension", dimension)
    if dimension >= width:
        raise ValueError(
            f"`dimension` must be less than the {width} neurons, as a simplex of k dimensions "
            f"joins k + 1, but it is {dimension}."
        )
    counts = {k: math.comb(width, k + 1) for k in range(1, dimension + 1)}
    _check_size(width, counts)
    return tuple(_unranked(np.arange(n), width, k + 1) for k, n in counts.items())


def random_simplices(width: int, counts: Any, *, key: Array) -> Simplices:
    """Random sets of neurons, so many of each dimension: the connections of a diluted network.

    All sets of a size are equally likely, and none is drawn twice. Faces of a set need not be
    among them: a face that is absent is one of weight zero.

    ```python
    budget = 50 * 49 // 2                              # as many as there are pairs
    models.random_simplices(50, {1: budget // 2, 2: budget // 2}, key=key)
    ```

    **Arguments:**

    - `width`: d, number of neurons.
    - `counts`: how many simplices of each dimension k ≥ 1; one of k dimensions joins k + 1 neurons.
    - `key`: the random key.

    **Returns:** an array (n, k + 1) of indices for each dimension that has any, in rising order.

    **Raises:** `ValueError` for more sets than there are, for more than can be listed, which says
    how large they would be, and for dimensions or numbers that are not whole and positive;
    `TypeError` if `counts` is no mapping.

    **Source:** [burns2023simplicial]
    """
    width = whole_number("width", width, 2)
    if not isinstance(counts, Mapping):
        raise TypeError(
            "`counts` must map dimensions to numbers of simplices, such as {1: 600, 2: 600}, but "
            f"it is {type(counts).__name__}."
        )
    asked = {
        whole_number("counts", k): whole_number(f"counts[{k}]", n, 0) for k, n in counts.items()
    }
    for k, n in asked.items():
        if n > math.comb(width, k + 1):
            raise ValueError(
                f"`counts` asks for {n:,} simplices of dimension {k}, but {width} neurons have "
                f"{math.comb(width, k + 1):,}."
            )
    _check_size(width, asked)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(one_key(key))).ravel())
    drawn = {k: _drawn(rng, math.comb(width, k + 1), n) for k, n in sorted(asked.items()) if n}
    if not drawn:
        raise ValueError("`counts` asks for no simplices at all.")
    return tuple(_unranked(ranks, width, k + 1) for k, ranks in drawn.items())


def as_simplices(simplices: Any, width: int | None) -> Simplices:
    """Arrays of sets, checked: indices of neurons, each once in a set, and each set once.

    **Raises:** `TypeError` or `ValueError` that names the array.
    """
    if not isinstance(simplices, Sequence) or not simplices:
        raise TypeError(
            "`simplices` must be arrays of indices, one for each size of sets, such as those of "
            "attrax.models.full_skeleton(width), but it is "
            f"{'empty' if simplices == () else type(simplices).__name__}."
        )
    arrays = tuple(as_sets(f"simplices[{i}]", x, width) for i, x in enumerate(simplices))
    sizes = [array.shape[1] for array in arrays]
    if len(set(sizes)) < len(sizes):
        raise ValueError(
            f"`simplices` must have one array for each size of sets, but the sizes are {sizes}."
        )
    return arrays


def as_sets(name: str, sets: Any, width: int | None) -> Int[Array, "n k"]:
    """Sets of one size, their members in rising order.

    **Raises:** `TypeError` or `ValueError` that names the first set that is wrong.
    """
    array: Any = native(name, sets)
    if array.dtype.kind not in "iu" or array.ndim != 2 or array.shape[1] < 2 or array.size == 0:
        raise ValueError(
            f"`{name}` must be indices of neurons, of two or more in each row, but it is an array "
            f"of {array.dtype} and shape {array.shape}."
        )
    if not is_concrete(array):
        raise TypeError(f"`{name}` must be known before a program is compiled: make it outside.")
    rows = np.sort(np.asarray(array), axis=1)
    wrong = (rows[:, 0] < 0) | (rows[:, -1] >= (np.inf if width is None else width))
    among = "must not be negative" if width is None else f"must be from 0 to {width - 1}"
    _refuse(name, array, wrong, f"indices {among}")
    _refuse(name, array, (np.diff(rows) == 0).any(1), "a set must not have a neuron twice")
    order = np.lexsort(rows.T)
    twice = np.zeros(len(rows), bool)
    twice[order[1:]] = (np.diff(rows[order], axis=0) == 0).all(1)
    _refuse(name, array, twice, "a set must be there once")
    return jnp.asarray(rows, jnp.int32)


def incidences(
    simplices: Int[Array, "n k"], width: int
) -> tuple[Int[Array, "d m"], Int[Array, "d m j"]]:
    """The sets that each neuron is in, and the others in them.

    **Arguments:**

    - `simplices`: sets of one size, shape (n, k).
    - `width`: d, number of neurons.

    **Returns:** indices of sets, (d, m), n where a neuron is in fewer than m; and of the others in
    each, (d, m, k − 1). m is rounded up, so that random sets of a number are mostly of one shape.
    """
    sets = np.asarray(simplices)
    n, size = sets.shape
    member = sets.T.ravel()
    order = np.argsort(member, kind="stable")
    degree = np.bincount(member, minlength=width)
    place = np.arange(member.size) - np.repeat(np.cumsum(degree) - degree, degree)
    step = max(1, 2 ** (int(degree.max()).bit_length() - 3))
    most = -(-int(degree.max()) // step) * step
    which = np.full((width, most), n, np.int32)
    which[member[order], place] = order % n
    others = np.zeros((width, most, size - 1), np.int32)
    rest = np.stack([np.delete(sets, i, axis=1) for i in range(size)]).reshape(-1, size - 1)
    others[member[order], place] = rest[order]
    return jnp.asarray(which), jnp.asarray(others)


def _check_size(width: int, counts: Mapping[int, int]) -> None:
    """Refuse more sets than can be listed, and say how much they would take."""
    total = sum(counts.values())
    if total <= _MOST and all(math.comb(width, k + 1) < _FURTHEST for k in counts):
        return
    # A weight, its neurons, and for each of these an index and the others.
    size = sum(4 * n * (1 + (k + 1) * (k + 2)) for k, n in counts.items())
    listed = ", ".join(f"{n:,} of dimension {k}" for k, n in counts.items())
    raise ValueError(
        f"The complex of {width} neurons would have {total:,} simplices ({listed}) and take "
        f"{size / 1e9:,.1f} GB; at most {_MOST:,} are listed, out of fewer than 2⁶² of each "
        "dimension. Draw fewer of them with random_simplices(width, counts, key=key); the network "
        "of all pairs and triples needs no list in skeleton_memory(patterns)."
    )


def _refuse(name: str, array: Any, wrong: np.ndarray, rule: str) -> None:
    if wrong.any():
        first = int(np.argmax(wrong))
        members = [int(i) for i in np.asarray(array)[first]]
        raise ValueError(f"`{name}`: {rule}, but row {first} is {members}.")


def _drawn(rng: np.random.Generator, total: int, count: int) -> np.ndarray:
    """Different whole numbers below a total, all choices of so many equally likely."""
    if 2 * count > total:
        return np.delete(np.arange(total), _drawn(rng, total, total - count))
    ranks = np.zeros(0, np.int64)
    while ranks.size < count:
        more = np.concatenate([ranks, rng.integers(0, total, 2 * count)])
        # Those that came first stay, which makes none likelier than another.
        ranks = more[np.sort(np.unique(more, return_index=True)[1])][:count]
    return ranks


def _unranked(ranks: np.ndarray, width: int, size: int) -> Int[Array, "n k"]:
    """The sets of a size with these numbers, in the order in which Σ_j C(c_j, j) counts them."""
    rest, columns = np.asarray(ranks, np.int64), []
    for j in range(size, 0, -1):
        table = np.array([math.comb(c, j) for c in range(width)], np.int64)
        member = np.searchsorted(table, rest, side="right") - 1
        columns.append(member)
        rest = rest - table[member]
    return jnp.asarray(np.stack(columns[::-1], axis=1), jnp.int32)
