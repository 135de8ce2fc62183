"""The synapse that is a whole energy: any function of one layer, learnt or given."""

from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..common.checks import check_function, name_of, shape_of
from .lagrangians import Quadratic
from .synapses import AbstractSynapse, Layers, check_count


class EnergySynapse(AbstractSynapse):
    """E(g) − ½|g|²: puts any energy E in place of the ½|g|² of a layer with `Quadratic` Lagrangian.

    A network of this one layer has the energy E itself, and its flow is τ ẋ = −∇E(x). Unlike a
    `SynapseFunction`, E may be a module of arrays, such as a network that was trained: they are
    parts of the network and can learn in it.

    **Arguments:**

    - `energy`: E, of an activation in the layer's shape to a number.

    **Raises:** `TypeError` if it cannot be called; `ValueError` if it does not give a number.

    **Source:** [du2019implicit]
    """

    energy: Callable
    linear: ClassVar[tuple[bool, ...]] = (False,)
    drives: ClassVar = "signed"

    def __init__(self, energy: Callable):
        check_function("energy", energy)
        # Plain functions are no pytrees, and would be leaves that no transformation takes.
        self.energy = energy if _is_tree(energy) else _Plain(energy)

    @property
    def label(self) -> str:
        """The name of the energy."""
        return name_of(self.energy.fn if isinstance(self.energy, _Plain) else self.energy)

    def __call__(self, activation: Float[Array, "..."]) -> Float[Array, ""]:
        """E(g) − ½|g|²."""
        energy, own = self.energy(activation), Quadratic().value(activation)
        dtype = jnp.promote_types(energy.dtype, own.dtype)
        return energy.astype(dtype) - own.astype(dtype)

    def check(self, layers: Layers) -> None:
        """Refuse layers whose ½|g|² cannot be replaced, and energies that are no number."""
        check_count(self, layers, 1)
        (name, layer), *_ = layers.items()
        if not layer.lagrangian.quadratic:
            raise ValueError(
                f"An energy replaces the ½|g|² of layer {name!r}, whose Lagrangian must then be "
                f"Quadratic(), but it is {type(layer.lagrangian).__name__}."
            )
        leaves = jax.tree.leaves(eqx.filter(self.energy, eqx.is_inexact_array))
        dtype = leaves[0].dtype if leaves else jnp.zeros(()).dtype
        check_energy(self.energy, layer.shape, dtype)


def check_energy(energy: Any, shape: tuple[int, ...], dtype: Any) -> None:
    """Refuse what is no function of a state to a floating-point number.

    **Raises:** `TypeError` if it cannot be called; `ValueError` that says what it gives.
    """
    check_function("energy", energy)
    given = eqx.filter_eval_shape(energy, jax.ShapeDtypeStruct(shape, dtype))
    found = shape_of(given)
    if found != () or not jnp.issubdtype(given.dtype, jnp.floating):
        what = type(given).__name__ if found is None else f"{given.dtype} {found}"
        raise ValueError(
            f"`energy` must map a state {shape} to one floating-point number, but it gives {what}."
        )


class _Plain(eqx.Module):
    """A plain function as a pytree without leaves."""

    fn: Any = eqx.field(static=True)

    def __call__(self, state):
        """The function itself."""
        return self.fn(state)


def _is_tree(energy) -> bool:
    return jax.tree.structure(energy) != jax.tree.structure(0)
