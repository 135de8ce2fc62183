"""Networks with state that training advances, and with constraints on their weights."""

from abc import abstractmethod

import equinox as eqx
from jaxtyping import Array, Float


class AbstractConstrained(eqx.Module):
    """A network that does more in a step of learning than to follow its gradient."""

    @abstractmethod
    def observe(
        self, rows: Float[Array, "b d"], counted: Float[Array, " b"]
    ) -> "AbstractConstrained":
        """The network after it has seen a batch in training: its counters and other state.

        **Arguments:**

        - `rows`: the batch, shape (b, d).
        - `counted`: 1 for the rows that count, else 0, shape (b,).
        """

    @abstractmethod
    def constrain(self) -> "AbstractConstrained":
        """The network with its parameters brought back to where they may be."""
