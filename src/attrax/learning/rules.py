"""What a classical learning rule is, and the checks that all rules make."""

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import accumulate
from ..common.checks import as_floats, is_concrete
from ..spaces.units import Units, check_states
from ..stores.matrix import MatrixMemory

# See attrax.separation.base: declared by leaves as class variable, property or field.
if TYPE_CHECKING:
    from typing import ClassVar as Declared
else:
    from equinox import AbstractVar as Declared


class AbstractRule(eqx.Module):
    """How patterns are stored in the couplings of two-state units: a description, without state.

    Matrices keep their diagonal, which the memory leaves out of drives and energies.
    """

    units: Declared[Units]
    """The states it is for: "signs" (−1 and +1) or "bits" (0 and 1)."""

    @property
    def mark(self) -> str | None:
        """What its memories carry as `rule`: its name, or `None` for sums of outer products."""
        return type(self).__name__

    @abstractmethod
    def __call__(self, patterns: ArrayLike) -> MatrixMemory:
        """A memory of some patterns.

        **Arguments:**

        - `patterns`: one a row, shape (N, d).

        **Returns:** a `MatrixMemory` of d units.

        **Raises:** `ValueError` or `TypeError` for wrong shapes, and for states that the units
        cannot have; under jit shapes alone are checked.
        """


class AbstractIncrementalRule(AbstractRule):
    """A rule that can store one more pattern by looking at the memory alone."""

    @abstractmethod
    def write(self, memory: MatrixMemory, pattern: ArrayLike) -> MatrixMemory:
        """A memory with one more pattern; the one given is unchanged.

        **Arguments:**

        - `memory`: made by the same rule.
        - `pattern`: shape (d,).

        **Raises:** `ValueError` or `TypeError` for a wrong shape, for states that the units cannot
        have, and for memories that another rule has made.
        """


def checked_patterns(patterns: Any, units: Units) -> Float[Array, "n d"]:
    """Patterns as floats of at least 32 bits, in which sums of whole numbers are exact.

    **Raises:** `ValueError` or `TypeError` that names `patterns`.
    """
    array = as_floats("patterns", patterns, ndim=2)
    if array.size == 0:
        raise ValueError(
            f"`patterns` must have at least one row and one column, but its shape is {array.shape}."
        )
    check_states("patterns", array, units)
    return array.astype(accumulate(array.dtype))


def checked_memory(memory: Any, units: Units | None = None) -> MatrixMemory:
    """The memory, if it is one of two-state units, and of those asked for.

    **Raises:** `TypeError` or `ValueError` that names `memory`.
    """
    if not isinstance(memory, MatrixMemory):
        raise TypeError(
            f"`memory` must be a MatrixMemory, but it is {type(memory).__name__}; "
            "attrax.learning.Hebb()(patterns) makes one."
        )
    if memory.units == "real" or units not in (None, memory.units):
        wanted = "'signs' or 'bits'" if units is None else repr(units)
        raise ValueError(
            f"`memory` must have units={wanted}, but it has units={memory.units!r}; "
            "rules make memories of the units that they are for."
        )
    return memory


def written(
    rule: AbstractRule, memory: Any, pattern: Any, scale: Callable[[int], ArrayLike]
) -> tuple[MatrixMemory, Float[Array, " d"]]:
    """A memory and one more pattern for it, checked.

    **Arguments:**

    - `rule`: that writes.
    - `memory`, `pattern`: see `AbstractIncrementalRule.write`.
    - `scale`: of the number of units to what memories of the rule multiply their matrix by.

    **Raises:** `TypeError` or `ValueError` that names `memory` or `pattern`.
    """
    memory = checked_memory(memory, rule.units)
    name = type(rule).__name__
    if memory.rule != rule.mark:
        raise ValueError(
            f"`memory` must be one that {name} has made, but it is one of "
            f"{memory.rule or 'Hebb'}: start from {name}(...)(patterns)."
        )
    expected = jnp.asarray(scale(memory.width))
    if is_concrete(memory.scale, expected) and not np.allclose(
        float(memory.scale), float(expected), rtol=1e-4, atol=0.0
    ):
        raise ValueError(
            f"`memory` multiplies its matrix by scale={float(memory.scale):.4g}, but {name} writes "
            f"into memories of scale {float(expected):.4g}; start from {name}(...)(patterns)."
        )
    array = as_floats("pattern", pattern, ndim=1).astype(memory.dtype)
    if array.shape != (memory.width,):
        raise ValueError(
            f"`pattern` must have shape ({memory.width},), but its shape is {array.shape}."
        )
    check_states("pattern", array, rule.units)
    return memory, array
