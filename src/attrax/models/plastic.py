"""A key-value memory of slots, empty, to be written by rules of three factors."""

import jax.numpy as jnp
from jax.typing import ArrayLike

from ..common.checks import whole_number
from ..separation import Softmax
from ..similarity import AbstractSimilarity, Dot
from ..stores.rows import Memory


def plastic_memory(
    slots: int,
    width: int,
    values: int | None = None,
    *,
    beta: ArrayLike = 1.0,
    similarity: AbstractSimilarity | None = None,
    count_empty: bool = False,
) -> Memory:
    """A key-value memory of N empty slots, read by h = softmax(β K x) and ỹ = Σ_i h_i V_i.

    Slots are hidden neurons: the keys K are their input weights, and the values V their output
    weights. `attrax.learning.ThreeFactor` writes both, an item at a time, without looking at more
    than a neuron's own input and output. This is a plain `Memory`, with its energy.

    **Arguments:**

    - `slots`: N, how many items there is room for.
    - `width`: d, entries of an input.
    - `values`: v, entries of what is read; `width` if `None`.
    - `beta`: β > 0, in units of 1/(k·x). 1 is right for patterns of ±1, for which k·x is d where
      they agree; |x|² β should be some dozens, so take about d for inputs of unit length.
    - `similarity`: how inputs are compared with keys; `Dot()`, as in the paper, if `None`. Of
      inputs of different lengths, such as pictures of 0 to 255, the longest wins every product:
      compare those by `Euclidean()`, with a β of some dozens over their squared distances.
    - `count_empty`: whether slots that were never written take part in reads, with a score of 0, as
      in the paper. They make reads shorter, not another in sign, and matter where β |x|² is not far
      above ln N.

    **Returns:** an `attrax.Memory` of N places, all free unless they count.

    **Raises:** `ValueError` for sizes that are not whole or positive, or a β that is not positive.

    **Source:** [tyulmankov2021biological]
    """
    slots, width = whole_number("slots", slots), whole_number("width", width)
    size = width if values is None else whole_number("values", values)
    keys, filled = jnp.zeros((slots, width)), jnp.full((slots,), bool(count_empty))

    def make(block: int | None) -> Memory:
        return Memory(
            keys,
            jnp.zeros((slots, size)),
            similarity=Dot() if similarity is None else similarity,
            separation=Softmax(beta),
            filled=filled,
            block=block,
        )

    memory = make(None)
    # Blocks of another size would round the number of places up, and each place is a slot.
    return memory if memory.keys.shape[0] == slots else make(slots)
