"""MESH: a scaffold of fixed points, drawn at random, to which features are attached."""

import functools
from typing import Literal

import jax
from jax.typing import ArrayLike

from ..common.checks import one_key, whole_number
from ..spaces.units import Units
from ..stores.labels import count_labels
from ..stores.scaffold import ScaffoldMemory


def scaffold_memory(
    width: int,
    labels: int = 18,
    winners: int = 3,
    hidden: int = 300,
    *,
    units: Units = "signs",
    rule: Literal["pseudo_inverse", "hebb"] = "pseudo_inverse",
    ridge: ArrayLike = 0.1,
    cue_ridge: ArrayLike | None = None,
    key: jax.Array,
) -> ScaffoldMemory:
    """MESH, empty: its scaffold is drawn, and its labels are given out in random order.

    ```python
    memory = scaffold_memory(816, key=jax.random.key(0)).write(patterns)
    attrax.retrieve(memory, cues).state
    ```

    **Arguments:**

    - `width`: d, the number of features.
    - `labels`, `winners`: N_L label units, of which k are one; there is room for
      C = binomial(N_L, k) patterns, 816 of them as given here.
    - `hidden`: N_H, the number of hidden units: so many patterns are read without error.
    - `units`: what features are: "signs" (−1 and +1) or "real".
    - `rule`: "pseudo_inverse", or "hebb", which reads far less.
    - `ridge`, `cue_ridge`: of least squares, see `ScaffoldMemory`.
    - `key`: of the scaffold, `jax.random.key(0)` say.

    **Returns:** a `ScaffoldMemory`, to which `write` adds patterns.

    **Raises:** `ValueError` for sizes that are not whole or positive, winners that are not fewer
    than labels, unknown units or rules, or ridges that are not positive; `TypeError` if `key` is
    not a random key.

    **Source:** [sharma2022content]
    """
    labels, hidden = whole_number("labels", labels), whole_number("hidden", hidden)
    projection, order = _drawn(one_key(key), hidden, labels, count_labels(labels, winners))
    return ScaffoldMemory(
        projection,
        winners,
        width,
        order=order,
        units=units,
        rule=rule,
        ridge=ridge,
        cue_ridge=cue_ridge,
    )


@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def _drawn(key, hidden: int, labels: int, count: int):
    """Couplings from labels to hidden units, and the order of the labels."""
    drawing, shuffling = jax.random.split(key)
    order = jax.random.permutation(shuffling, count)
    return jax.random.normal(drawing, (hidden, labels)), order
