"""What the end of a retrieval stands for."""

from typing import NamedTuple

from jaxtyping import Array, Float


class Answer(NamedTuple):
    """What a model makes of the state in which a run ended.

    - `state` (v,): what the memory answers.
    - `energy` (): of the state; `None` where there is none.
    - `memories` (): how many memories share the weight; `None` where that says nothing.
    """

    state: Float[Array, " v"]
    energy: Float[Array, ""] | None
    memories: Float[Array, ""] | None
