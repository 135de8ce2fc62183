"""A plain function as a separation."""

import inspect
from collections.abc import Callable
from typing import ClassVar

import equinox as eqx
from jaxtyping import Array, Bool, Float

from ..common.arithmetic import Range
from ..common.checks import NoEnergyError, name_of, shape_of
from .base import AbstractSeparation


class SeparationFunction(AbstractSeparation):
    """A plain function `fn(scores (N,)) -> weights (N,)` as a separation.

    It is read whole, never in blocks, and has no energy, since nothing is known of it. In a
    memory with spare capacity it must also take `mask` (N,), True for the memories that exist.

    **Arguments:**

    - `fn`: the function.
    - `domain`: the scores that it is defined for.

    **Raises:** `TypeError` if `fn` cannot be called.
    """

    fn: Callable = eqx.field(static=True)
    domain: Range = eqx.field(static=True)
    normalised: ClassVar = False
    non_negative: ClassVar = False
    elementwise: ClassVar = False
    ignores_shifts: ClassVar = False
    lacks_potential: ClassVar[str | None] = (
        "A plain function states no potential; use a class of attrax.separation for an energy."
    )

    def __init__(self, fn: Callable, domain: Range = "signed"):
        if isinstance(fn, type):
            raise TypeError(
                f"`separation` must be an instance, but it is a class; write {fn.__name__}(...)."
            )
        if not callable(fn):
            raise TypeError(
                "`separation` must be a separation or a function of the scores, "
                f"but it is {type(fn).__name__}."
            )
        self.fn, self.domain = fn, domain

    @property
    def label(self) -> str:
        """The name of the function."""
        return name_of(self.fn)

    def __call__(
        self, scores: Float[Array, " n"], mask: Bool[Array, " n"] | None = None
    ) -> Float[Array, " n"]:
        """See `AbstractSeparation.__call__`."""
        weights = self.fn(scores) if mask is None else self._masked(scores, mask)
        shape = shape_of(weights)
        if shape != scores.shape:
            raise ValueError(
                f"The separation function must return one weight a score, shape {scores.shape}, "
                f"but it returned {type(weights).__name__ if shape is None else shape}."
            )
        return weights

    def _masked(self, scores, mask):
        if "mask" not in inspect.signature(self.fn).parameters:
            raise TypeError(
                "This memory has unfilled rows or masked ones, and the separation function takes "
                "no `mask`: give it a second argument `mask`, True for the rows that take part."
            )
        return self.fn(scores, mask=mask)

    def potential(
        self, scores: Float[Array, " n"], mask: Bool[Array, " n"] | None = None
    ) -> Float[Array, ""]:
        """None; see `lacks_potential`."""
        raise NoEnergyError(str(self.lacks_potential))
