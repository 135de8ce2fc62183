"""Synapses: scalar energies of the activations of the layers that they join."""

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..common.arithmetic import Range
from ..common.checks import check_function, name_of
from .neurons import Neurons

# See attrax.separation.base: declared by leaves as class variable, property or field.
if TYPE_CHECKING:
    from typing import ClassVar as Declared
else:
    from equinox import AbstractVar as Declared

Layers = dict[str, Neurons]


class AbstractSynapse(eqx.Module):
    """A scalar energy E(g₁, g₂, …) of the activations of some layers.

    It drives each of its layers by −∂E/∂g. All directions come from one scalar, so they are
    symmetric by construction, and that is what makes the energy of a network fall.
    """

    linear: Declared[tuple[bool, ...] | bool]
    """For each layer, whether the energy is linear in its activation; one answer for all."""

    drives: Declared[tuple[Range, ...] | Range]
    """For each layer, the sign of the −∂E/∂g by which it is driven; one answer for all."""

    @property
    def label(self) -> str:
        """What it is called in a drawing."""
        return type(self).__name__

    @property
    def remark(self) -> str:
        """What a drawing says of it beside the shapes of its parameters."""
        return ""

    @abstractmethod
    def __call__(self, *activations: Float[Array, "..."]) -> Float[Array, ""]:
        """The energy of activations, one array a layer, each in its layer's shape."""

    @abstractmethod
    def check(self, layers: Layers) -> None:
        """Refuse layers that it cannot join.

        **Arguments:**

        - `layers`: the layers by name, in the order of its activations.

        **Raises:** `ValueError` that says what does not fit.
        """


class SynapseFunction(AbstractSynapse):
    """Any differentiable function of activations to a scalar energy.

    A network wraps plain functions by itself; this class also says where the energy is linear,
    so that such layers can be updated exactly or be fast.

    **Arguments:**

    - `fn`: one array a layer to a scalar; mind the sign: what should agree has negative energy.
    - `linear`: for each layer, whether the energy is linear in its activation, the caller's word.

    **Raises:** `TypeError` if `fn` cannot be called.

    **Source:** [hoover2022universal]
    """

    fn: Callable = eqx.field(static=True)
    linear: tuple[bool, ...] | bool = eqx.field(static=True, default=False)
    drives: ClassVar = "signed"

    def __check_init__(self):
        """Refuse what cannot be called."""
        check_function("fn", self.fn)

    @property
    def label(self) -> str:
        """The name of the function."""
        return name_of(self.fn)

    def __call__(self, *activations: Float[Array, "..."]) -> Float[Array, ""]:
        """The function itself."""
        return self.fn(*activations)

    def check(self, layers: Layers) -> None:
        """Refuse a `linear` of another length."""
        if isinstance(self.linear, tuple) and len(self.linear) != len(layers):
            raise ValueError(
                f"`linear` has {len(self.linear)} answers, but the function joins "
                f"{len(layers)} layers, {named(layers)}."
            )


def times(sizes: tuple[int, ...]) -> str:
    """Sizes, for drawings."""
    return " × ".join(str(size) for size in sizes)


def at(answers, position: int):
    """The answer for one layer of `linear` or `drives`."""
    return answers[position] if isinstance(answers, tuple) else answers


def named(layers: Layers) -> str:
    """Names and shapes, for errors."""
    return ", ".join(f"{name!r} of shape {layer.shape}" for name, layer in layers.items())


def check_count(synapse: AbstractSynapse, layers: Layers, count: int) -> None:
    """Refuse another number of layers."""
    if len(layers) != count:
        what = "one layer" if count == 1 else f"{count} layers"
        raise ValueError(
            f"{type(synapse).__name__} joins {what}, but is given {len(layers)}: {named(layers)}."
        )


def check_shape(name: str, array: Array, layers: Layers, expected: tuple[int, ...]) -> None:
    """Refuse an array that does not fit between layers."""
    if array.shape != expected:
        raise ValueError(
            f"`{name}` between layers {named(layers)} must have shape {expected}, "
            f"but its shape is {array.shape}."
        )


def inner(upper: Float[Array, "..."], drive: Float[Array, "..."]) -> Float[Array, ""]:
    """upper · drive over all axes, in at least 32 bits."""
    return jnp.sum(upper.astype(drive.dtype) * drive)
