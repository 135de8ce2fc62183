"""Neurons updated one after another."""

from typing import ClassVar

import equinox as eqx

from ..spaces.base import Sweeping
from .base import Outcome, checked_limits, difference, rests
from .engine import AbstractStepping, ending


class Coordinates(AbstractStepping):
    """Each neuron in turn to the state of least energy given all others, until a sweep rests.

    No update raises the energy, whatever the sizes of the weights, and there is no step size:
    for `Absolute` neurons it is the asynchronous update of the Hopfield network. A neuron whose
    drive is zero keeps its sign. Layers whose Lagrangian mixes neurons are updated whole.

    A sweep takes as many pulls as there are neurons. For classical networks of many neurons
    `attrax.Memory` reads all at once.

    **Arguments:**

    - `order`: "cyclic", hidden layers first and neurons by index, or "random", neurons of a
      layer in a new order each sweep; this needs a `key`.
    - `rtol`, `atol`: at rest once a sweep moves the state by no more than atol + rtol |x|.
    - `max_steps`: the limit of sweeps, ≥ 1.

    **Raises:** `ValueError` for values outside these bounds.

    **Source:** [hopfield1982neural]; [krotov2021large]
    """

    order: str = eqx.field(static=True)
    rtol: float = eqx.field(static=True)
    atol: float = eqx.field(static=True)
    max_steps: int = eqx.field(static=True)
    graded: ClassVar = False

    def __init__(
        self,
        order: str = "cyclic",
        *,
        rtol: float = 1e-4,
        atol: float = 1e-6,
        max_steps: int = 100,
    ):
        if order not in ("cyclic", "random"):
            raise ValueError(f"`order` must be 'cyclic' or 'random', but it is {order!r}.")
        rtol, atol, max_steps = checked_limits(rtol, atol, max_steps)
        self.order, self.rtol, self.atol, self.max_steps = order, rtol, atol, max_steps

    @property
    def random(self) -> bool:
        """True for a random order."""
        return self.order == "random"

    def begin(self, space, state):
        """Nothing is remembered.

        **Raises:** `TypeError` for a space other than a network's; `ValueError` for a network in
        which a single neuron has no exact update.
        """
        if not isinstance(space, Sweeping):
            raise TypeError(
                "Coordinates updates the neurons of a HierarchicalMemory; use "
                "attrax.retrieve(memory.as_network(), ...), or Iterate()."
            )

    def step(self, space: Sweeping, state, memo, number, key):
        """A sweep.

        **Raises:** `ValueError` for a network in which a single neuron has no exact update.
        """
        new = space.sweep(state, key)
        done = rests(difference(new, state), state, self.rtol, self.atol)
        return new, memo, ending(self.limit, (done, Outcome.converged))
