"""Replay: what is read becomes the next state, so that a stored sequence is recalled."""

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ..common.checks import plain_number, whole_number
from ..spaces.base import Succeeding
from .base import Outcome, difference, rests
from .engine import AbstractStepping, ending

# A state has come to the end of its sequence where steps are shorter than this share of it.
_REST = (1e-4, 1e-6)


class Replay(AbstractStepping):
    """x_{t+1} = successor of x_t: the values that a sequence memory reads are fed back as states.

    ```python
    memory = attrax.models.sequence_memory(frames)
    found = attrax.retrieve(memory, frames[0], Replay(99), path=True)
    found.path                  # (100, d): the cue, and what followed
    found.outcome, found.steps  # whether the sequence was lost, and in which step
    ```

    Each step is compared with what is stored: the run ends as `Outcome.lost` in the first step
    whose state is not what comes after the row that the state before was most like, and
    `found.path[found.steps]` is that state. A sequence that has come to its last pattern rests
    there, `Outcome.converged`. Else all steps are taken, `Outcome.replayed`.

    **Arguments:**

    - `steps`: how many steps are taken at most, ≥ 1.
    - `tolerance`: how far a state may be from the stored successor, ≥ 0: the share of two-state
      units that differ, or for real entries the distance divided by the root mean square
      distance of what is stored from its first row. With infinity the run goes on whatever is read.

    **Raises:** `ValueError` for values outside these bounds; when run, `TypeError` for a store that
    keeps no sequences.

    **Source:** [chaudhry2023long]
    """

    max_steps: int = eqx.field(static=True)
    tolerance: float = eqx.field(static=True)
    random: ClassVar = False
    graded: ClassVar = False
    counts_rest: ClassVar = False
    limit: ClassVar = Outcome.replayed

    def __init__(self, steps: int, *, tolerance: float = 0.1):
        self.max_steps = whole_number("steps", steps)
        self.tolerance = plain_number("tolerance", tolerance)
        if self.tolerance < 0:
            raise ValueError(f"`tolerance` must not be negative, but it is {self.tolerance}.")

    def begin(self, space, state):
        """The last states, the newest first: before the run there was the cue alone.

        **Raises:** `TypeError` for a space in which states have no successors.
        """
        if not isinstance(space, Succeeding):
            raise TypeError(
                "Replay needs a memory whose states have successors, but this one gives a "
                f"{type(space).__name__}: make it with attrax.models.sequence_memory(patterns)."
            )
        return jnp.broadcast_to(state, (space.window, *state.shape))

    def step(self, space: Succeeding, state, memo, number, key):
        """What comes next; the memo takes it in."""
        reading = space.succeed(memo)
        new = reading.value
        follows = space.follows(reading, self.tolerance)
        # Of a hundred times this share: a frame may differ little from the next.
        spread = None if space.spread is None else space.spread / 100
        still = rests(difference(memo, new[None]), new, *_REST, spread)
        outcome = ending(self.limit, (~follows, Outcome.lost), (still, Outcome.converged))
        if self.tolerance == np.inf:
            outcome = self.limit
        return new, jnp.concatenate([new[None], memo[:-1]]), outcome
