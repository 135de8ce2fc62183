"""What a store is: what `attrax.retrieve` may ask of whatever keeps memories."""

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..common.display import facts, lines
from .base import AbstractSpace
from .units import Units, check_states

# What leaves must declare, as a class variable, a property or a field; see attrax.separation.base.
if TYPE_CHECKING:
    from typing import ClassVar as Declared
else:
    from equinox import AbstractVar as Declared


class AbstractStore(eqx.Module):
    """What is kept, and can be asked with queries: the memory that `attrax.retrieve` takes.

    A store is unbatched, immutable and a pytree. It says how wide its queries are and of what kind,
    and makes the space in which dynamics run one of them.
    """

    width: Declared[int]
    """d, the number of entries of a query."""

    dtype: Declared[jnp.dtype]
    """The floating-point type of states."""

    units: Declared[Units]
    """What states are: "real", or two-state units, "signs" (−1 and +1) or "bits" (0 and 1)."""

    recurrent: Declared[bool]
    """Whether what is read can be read again; if not, `attrax.retrieve` reads once."""

    sequential: ClassVar[bool] = True
    """Whether two-state units can be updated one after another; if not, all are, at once."""

    @property
    def query_dtype(self) -> jnp.dtype:
        """The type that `space` takes queries in: `dtype`, unless a leaf says more."""
        return self.dtype

    @property
    def lacks_scores(self) -> Callable[[str, Array, Array | None], str | None] | None:
        """Why queries are too large or too small for scores: a function of what they are called,
        the queries, and the mask of entries that are known, to the text, or to `None` where they
        are not. `None` for a store that takes queries of any size."""
        return None

    @abstractmethod
    def space(
        self, query: Float[Array, " d"], known: Bool[Array, " d"] | None = None
    ) -> AbstractSpace:
        """The dynamical system for one query.

        **Arguments:**

        - `query`: shape (d,).
        - `known`: shape (d,), True for entries that are to be kept; `None` where none is.

        **Raises:** `ValueError` where no entries can be kept.
        """

    def __hash__(self) -> int:
        """That of the leaves, which arrays do not have.

        **Raises:** `TypeError` that says how to compile a memory.
        """
        try:
            return hash(tuple(jax.tree.leaves(self)))
        except TypeError:
            raise TypeError(
                f"{type(self).__name__} holds arrays and so has no hash. To compile it, write "
                "equinox.filter_jit(memory), or hand it over as an argument: "
                "jax.jit(lambda memory, query: memory(query))."
            ) from None

    def __repr__(self) -> str:
        """A few lines: sizes, parts, and numbers."""
        return lines(type(self).__name__, facts(self))

    def check_queries(self, name: str, queries: Array, known: Array | None = None) -> None:
        """Refuse states that two-state units cannot have, and queries whose scores would be beyond
        the range of floats; nothing is checked under jit.

        **Arguments:**

        - `name`: of the argument, for the error.
        - `queries`: shape (..., d).
        - `known`: True for the entries that are looked at; all if `None`.

        **Raises:** `ValueError` that names the first other value, or the size, and the remedy.
        """
        if self.units != "real":
            check_states(name, queries, self.units, known)
        if self.lacks_scores is not None and (why := self.lacks_scores(name, queries, known)):
            raise ValueError(why)
