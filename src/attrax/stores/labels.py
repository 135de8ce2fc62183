"""Labels of exactly k ones: all of them, and the hidden states that they put up."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from ..common.checks import as_doubles, whole_number

# All labels are listed, and compared with that of an answer.
_MOST = 1 << 20
# Hidden states of so many labels are summed together.
_TOGETHER = 1024


def count_labels(units: int, winners: int) -> int:
    """C = binomial(units, winners), the number of labels.

    **Raises:** `ValueError` for winners out of bounds, or too many labels.
    """
    winners = whole_number("winners", winners)
    if not winners < units:
        raise ValueError(
            f"`winners` must be fewer than the {units} label units, but it is {winners}."
        )
    count = math.comb(units, winners)
    if count > _MOST:
        raise ValueError(
            f"`winners` of {winners} among {units} label units make {count} labels, but at most "
            f"{_MOST} can be listed: take fewer of either."
        )
    return count


def all_labels(units: int, winners: int, order: ArrayLike | None) -> Int[Array, "c k"]:
    """The units that are one in each label, by index, in the order in which labels are given out.

    **Raises:** `ValueError` for winners out of bounds, too many labels, or an order that does not
    list every label once.
    """
    count = count_labels(units, winners)
    places = itertools.chain.from_iterable(itertools.combinations(range(units), winners))
    labels = np.fromiter(places, np.int32, count * winners).reshape(count, winners)
    if order is not None:
        order = as_doubles("order", order)
        if order.shape != (count,) or not np.array_equal(np.sort(order), np.arange(count)):
            raise ValueError(
                f"`order` must hold each of 0 to {count - 1} once, the places of the {count} "
                f"labels, but its shape is {order.shape}."
            )
        labels = labels[order.astype(int)]
    return jnp.asarray(labels)


def hot(places: Int[Array, " k"], size: int, dtype) -> Float[Array, " l"]:
    """The label of which these units are one."""
    return jnp.zeros(size, dtype).at[places].set(1)


def signs(drive: Float[Array, "*d"]) -> Float[Array, "*d"]:
    """The sides of drives; zero is +1, and what is not a number stays so."""
    sides = jnp.where(drive < 0, -1.0, 1.0).astype(drive.dtype)
    return jnp.where(jnp.isnan(drive), drive, sides)


@jax.jit
def summed_states(matrix: Float[Array, "h l"], labels: Int[Array, "c k"]) -> Float[Array, "l h"]:
    """Σ l hᵀ over all labels, with h = sgn(W l): whole numbers, which are exact up to 2²⁴."""
    units = matrix.shape[1]

    def add(total, places):
        there = places[:, 0] >= 0
        ones = jax.vmap(lambda row: hot(row, units, matrix.dtype))(places)
        ones = jnp.where(there[:, None], ones, 0)
        return total + ones.T @ signs(ones @ matrix.T), None

    missing = -labels.shape[0] % min(_TOGETHER, labels.shape[0])
    padded = jnp.pad(labels, ((0, missing), (0, 0)), constant_values=-1)
    parts = padded.reshape(-1, min(_TOGETHER, labels.shape[0]), labels.shape[1])
    return jax.lax.scan(add, jnp.zeros((units, matrix.shape[0]), matrix.dtype), parts)[0]
