"""What is compiled of a layer of JAX: its outputs alone, or with what a derivative needs."""

import dataclasses
import functools
import inspect
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree


class Hole:
    """Stands for an array in what is known before anything is compiled."""

    def __repr__(self) -> str:
        return "array"


HOLE = Hole()


class Call(NamedTuple):
    """What of a call is known before anything is compiled; of two equal ones, one program.

    - `names`: of the arguments that are given by name, the first ones being given by place.
    - `structure`: of the arguments.
    - `fixed`: their leaves, with a `Hole` for each array.
    - `kinds`: the types of these leaves, since 1, 1.0 and True are equal.
    - `axes`: for each array the axis of the batch, or `None` if all examples share it.
    - `batch`: how many examples there are, or `None` for a call of the layer itself.
    """

    places: int
    names: tuple[str, ...]
    structure: Any
    fixed: tuple
    kinds: tuple[type, ...]
    axes: tuple[int | None, ...]
    batch: int | None

    def arguments(self, arrays: Sequence) -> tuple[list, dict]:
        """What to call the layer with."""
        values = _filled(self.structure, self.fixed, arrays)
        return values[: self.places], dict(zip(self.names, values[self.places :], strict=True))


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class Backward:
    """How outputs, and then gradients, are put together; known once a program was traced.

    - `outputs`: the structure of the outputs.
    - `floating`: which of its leaves are floats, and so have a derivative.
    - `pull`: the structure of the function that takes gradients back.
    - `places`: for each of its leaves, which array that came in it is, or `None`.
    """

    outputs: Any
    floating: tuple[bool, ...]
    pull: Any
    places: tuple[int | None, ...]

    def joined(self, floats: Sequence, others: Sequence) -> PyTree:
        """The outputs, from the leaves of both kinds."""
        kinds = iter(floats), iter(others)
        leaves = [next(kinds[not floating]) for floating in self.floating]
        return jax.tree.unflatten(self.outputs, leaves)

    @functools.cached_property
    def pulled(self) -> Callable[[list, list], list]:
        """Gradients by what came in, compiled, from what `gathered` gives and those by outputs."""

        def pulled(leaves: list, gradients: list) -> list:
            return jax.tree.unflatten(self.pull, leaves)(gradients)[0]

        return jax.jit(pulled)

    def gathered(self, entered: Mapping[int, Any], kept: Sequence) -> list:
        """What the derivative needs, from what came in, by place, and the rest."""
        rest = iter(kept)
        return [next(rest) if place is None else entered[place] for place in self.places]


class Program:
    """A layer without its arrays, and what is compiled of it.

    **Arguments:**

    - `structure`: of the layer as a pytree.
    - `fixed`: its leaves, with a `Hole` for each array.
    - `positive`: for each array whether it comes as its logarithm.
    - `method`: the function that is called with the layer first; the layer itself if `None`.
    """

    def __init__(self, structure: Any, fixed: tuple, positive: tuple[bool, ...], method: Any):
        self._structure = structure
        self._fixed = fixed
        self._positive = positive
        self._method = method
        self.outputs = jax.jit(self._outputs, static_argnums=0)
        self.forward = jax.jit(self._forward, static_argnums=(0, 1))

    def layer(self, arrays: Sequence) -> Any:
        """The layer with its arrays."""
        values = [
            jnp.exp(array) if positive else array
            for array, positive in zip(arrays, self._positive, strict=True)
        ]
        return _filled(self._structure, self._fixed, values)

    def _outputs(self, call: Call, arrays: list, inputs: list, words: Any) -> PyTree:
        layer = self.layer(arrays)
        function = layer if self._method is None else self._method.__get__(layer)

        def one(inputs, key):
            places, names = call.arguments(inputs)
            return function(*places, **names, **({} if key is None else {"key": key}))

        key = None if words is None else jax.random.fold_in(jax.random.key(words[0]), words[1])
        if call.batch is None:
            return _checked(one(inputs, key))
        keys = None if key is None else jax.random.split(key, call.batch)
        axes = list(call.axes), None if key is None else 0
        return _checked(jax.vmap(one, axes, axis_size=call.batch)(inputs, keys))

    def _forward(self, call: Call, wanted: tuple[bool, ...], arrays: list, inputs: list, words):
        """Floating outputs, the others, and what the derivative needs besides what came in."""
        entered = [*arrays, *inputs]
        chosen = [value for value, is_wanted in zip(entered, wanted, strict=True) if is_wanted]

        def split(chosen):
            given = iter(chosen)
            values = [
                next(given) if is_wanted else value
                for value, is_wanted in zip(entered, wanted, strict=True)
            ]
            found = self._outputs(call, values[: len(arrays)], values[len(arrays) :], words)
            leaves, structure = jax.tree.flatten(found)
            floating = tuple(jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in leaves)
            kinds = {kind: [] for kind in (True, False)}
            for leaf, kind in zip(leaves, floating, strict=True):
                kinds[kind].append(leaf)
            return kinds[True], (kinds[False], Backward(structure, floating, None, ()))

        floats, pull, (others, shape) = jax.vjp(split, chosen, has_aux=True)
        leaves, structure = jax.tree.flatten(pull)
        # What came in is kept by PyTorch, which shares it and sees whether it was changed since.
        places = tuple(_place_of(leaf, entered) for leaf in leaves)
        kept = [leaf for leaf, place in zip(leaves, places, strict=True) if place is None]
        return floats, others, kept, Backward(shape.outputs, shape.floating, structure, places)


def _checked(outputs: PyTree) -> PyTree:
    """Outputs as arrays, if PyTorch can have them."""
    for leaf in jax.tree.leaves(outputs):
        dtype = jnp.result_type(leaf)
        if not jnp.issubdtype(dtype, np.number) and dtype != np.bool_:
            raise TypeError(f"The layer gives a random key, which PyTorch does not know: {leaf}.")
        if jnp.issubdtype(dtype, np.complexfloating):
            raise TypeError("The layer gives complex numbers; attrax works on real ones.")
    return jax.tree.map(jnp.asarray, outputs)


def _filled(structure: Any, fixed: tuple, arrays: Sequence) -> Any:
    values = iter(arrays)
    leaves = [next(values) if leaf is HOLE else leaf for leaf in fixed]
    return jax.tree.unflatten(structure, leaves)


def _place_of(leaf: Any, arrays: Sequence) -> int | None:
    return next((i for i, array in enumerate(arrays) if array is leaf), None)


_programs: weakref.WeakValueDictionary[tuple, Program] = weakref.WeakValueDictionary()


def program(structure: Any, fixed: tuple, positive: tuple[bool, ...], method: Any) -> Program:
    """The program of a layer, one for all that differ by values of arrays alone."""
    kinds = tuple(type(leaf) for leaf in fixed)
    parts = structure, fixed, positive, method
    try:
        there = _programs.get((*parts, kinds))
    except TypeError:
        # Something in it has no hash.
        return Program(*parts)
    if there is None:
        there = _programs[*parts, kinds] = Program(*parts)
    return there


def signature_of(function: Any) -> inspect.Signature:
    """The parameters of a function; any, where it does not say."""
    try:
        return inspect.signature(function)
    except ValueError:
        kind = inspect.Parameter
        return inspect.Signature(
            [
                kind("inputs", kind.VAR_POSITIONAL),
                kind("options", kind.VAR_KEYWORD),
            ]
        )
