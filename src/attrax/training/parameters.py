"""What of a model learns by gradient, and in which coordinates."""

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from ..common.checks import GIVEN, POSITIVE, is_concrete, is_marked
from ..dynamics.base import AbstractDynamics
from ..hierarchical import HierarchicalMemory


@dataclasses.dataclass(frozen=True)
class Parameters:
    """The arrays of a model that learn, and the coordinates in which they do.

    A positive parameter β learns by ln(β/β₀), β₀ being its value at the start: it cannot reach
    zero, a step is relative and thus free of units, and weight decay draws it to where it began.

    **Arguments:**

    - `names`: where each stands in the model, such as ".synapses[0].weights".
    - `places`: of each among the model's leaves.
    - `positive`: whether each must stay above zero.
    """

    names: tuple[str, ...]
    places: tuple[int, ...]
    positive: tuple[bool, ...]

    @property
    def described(self) -> dict[str, str]:
        """How each learns, by name."""
        texts = ["by its logarithm" if positive else "as it is" for positive in self.positive]
        return dict(zip(self.names, texts, strict=True))

    def start(self, model: Any) -> dict[str, Array]:
        """The coordinates by name where learning starts, in buffers of their own."""
        return {
            name: jnp.zeros_like(x, x.dtype) if positive else jnp.array(x, x.dtype, copy=True)
            for name, x, positive in self._of(model)
        }

    def move(self, model: Any, learned: dict[str, Array]) -> Any:
        """The model that learning starts from with its parameters at other coordinates."""
        leaves, structure = jax.tree.flatten(model)
        for place, (name, x, positive) in zip(self.places, self._of(model), strict=True):
            leaves[place] = x * jnp.exp(learned[name]) if positive else learned[name]
        return jax.tree.unflatten(structure, leaves)

    def sound(self, model: Any) -> Bool[Array, ""]:
        """Whether all parameters are finite, and positive ones above zero."""
        checks = [
            jnp.all(jnp.isfinite(x) & (x > 0)) if positive else jnp.all(jnp.isfinite(x))
            for _, x, positive in self._of(model)
        ]
        return jnp.all(jnp.stack(checks))

    def _of(self, model):
        leaves = jax.tree.leaves(model)
        values = [leaves[place] for place in self.places]
        return list(zip(self.names, values, self.positive, strict=True))


class Leaf(NamedTuple):
    """A leaf of a model, and what its owners say of it."""

    path: tuple
    value: Any
    frozen: bool
    given: bool
    positive: bool

    @property
    def learns(self) -> bool:
        """Whether it learns where nobody picks what does."""
        return _is_float(self.value) and not (self.frozen or self.given)


class _Place:
    """Stands for a leaf while the caller picks parts of a model."""

    def __init__(self, index: int):
        self.index = index


def parameters(model: Any, trainable: Any) -> Parameters:
    """The arrays of a model that learn.

    **Arguments:**

    - `model`: an Equinox module.
    - `trainable`: see `train`.

    **Raises:** `TypeError` or `ValueError` if that picks nothing that can learn.
    """
    if not isinstance(model, eqx.Module):
        raise TypeError(
            "`model` must be a HierarchicalMemory or another equinox.Module, "
            f"but it is {type(model).__name__}."
        )
    leaves = list(leaves_of(model))
    if not is_concrete(*(leaf.value for leaf in leaves)):
        raise TypeError("`model` has no values under jit; call train outside.")
    floats = {i for i, leaf in enumerate(leaves) if _is_float(leaf.value) and not leaf.frozen}
    ungiven = {i for i, leaf in enumerate(leaves) if not leaf.given}
    chosen = sorted(floats & (ungiven if trainable is None else _picked(model, trainable, ungiven)))
    if not chosen:
        what = "`model` has" if trainable is None else "`trainable` picks"
        raise ValueError(
            f"{what} nothing that can learn: no array of floats that is not frozen. What is "
            "frozen learns again after network.freeze(), and numbers must be arrays to learn."
        )
    names = [jax.tree_util.keystr(leaves[i].path) for i in chosen]
    positive = [leaves[i].positive for i in chosen]
    for i, name in zip(chosen, names, strict=True):
        value = np.asarray(leaves[i].value)
        bound = value > 0 if leaves[i].positive else True
        if not np.all(np.isfinite(value) & bound):
            wanted = "positive and finite" if leaves[i].positive else "finite"
            raise ValueError(f"`model{name}` must be {wanted}, but it is {value}.")
    return Parameters(tuple(names), tuple(chosen), tuple(positive))


def leaves_of(
    node: Any,
    path: tuple = (),
    stills: frozenset = frozenset(),
    frozen: bool = False,
    given: bool = False,
    positive: bool = False,
) -> Iterator[Leaf]:
    """All leaves of a tree in the order of flattening, with what their owners say of them."""
    if isinstance(node, HierarchicalMemory):
        stills = stills | {(*path, *still) for still in _stills(node)}
    given = given or isinstance(node, AbstractDynamics)
    fields = dataclasses.fields(node) if isinstance(node, eqx.Module) else ()
    positives = {field.name for field in fields if is_marked(field, POSITIVE)}
    outside = {field.name for field in fields if is_marked(field, GIVEN)}
    # One level deep: every part counts as a leaf.
    parts = jax.tree_util.tree_flatten_with_path(node, is_leaf=lambda part: part is not node)[0]
    for keys, part in parts:
        if not keys:
            yield Leaf(path, node, frozen, given, positive)
        elif part is not None:
            field = isinstance(keys[0], jax.tree_util.GetAttrKey)
            name, where = keys[0].name if field else None, (*path, *keys)
            yield from leaves_of(
                part,
                where,
                stills,
                frozen or where in stills,
                given or name in outside,
                name in positives,
            )


def _stills(network: HierarchicalMemory) -> list[tuple]:
    """Where in a network its frozen layers and synapses stand."""
    attribute, entry = jax.tree_util.GetAttrKey, jax.tree_util.DictKey
    layers = [(attribute("neurons"), entry(n)) for n in network.names if n in network.frozen]
    synapses = [
        (attribute("synapses"), jax.tree_util.SequenceKey(i))
        for part, (_, i) in zip(network.parts, network.edges, strict=True)
        if part in network.frozen
    ]
    return [*layers, *synapses]


def _picked(model: Any, trainable: Any, ungiven: set[int]) -> set[int]:
    """Which leaves the caller picks; what is given from outside only if picked by itself."""
    if not callable(trainable):
        raise TypeError(
            "`trainable` must be a function of the model to the parts that learn, such as "
            f"lambda model: model.synapses, but it is {type(trainable).__name__}."
        )
    leaves, structure = jax.tree.flatten(model)
    marked = jax.tree.unflatten(structure, [_Place(i) for i in range(len(leaves))])
    parts = trainable(marked)
    places = jax.tree.leaves(parts)
    if not all(isinstance(place, _Place) for place in places):
        raise ValueError(
            "`trainable` must return parts of the model or several in a tuple, such as "
            f"lambda model: model.synapses, but it returned {type(parts).__name__}."
        )
    alone = parts if isinstance(parts, tuple | list) else (parts,)
    return ({place.index for place in places} & ungiven) | {
        part.index for part in alone if isinstance(part, _Place)
    }


def _is_float(value: Any) -> bool:
    return isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jnp.floating)
