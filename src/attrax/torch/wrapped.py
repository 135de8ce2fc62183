"""What is known of a layer that PyTorch wraps: its arrays by name, its programs, its arguments."""
# pyright: reportMissingImports=false

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import torch

from ..common.checks import name_of
from ..training.parameters import leaves_of
from .bridge import copied
from .program import HOLE, Call, Program, program, signature_of

_NUMBERS = (int, float, np.integer, np.floating)


class Held(NamedTuple):
    """An array of a layer: its name, its value as a tensor, and whether it learns."""

    name: str
    tensor: torch.Tensor
    learns: bool


class Wrapped:
    """A layer and how it is called; copies of modules share it.

    - `name`: of the layer.
    - `names`: of its arrays.
    - `initial`: its program as it was given.
    - `programs`: those of training mode, True, and of recall, False.
    """

    def __init__(self, layer: Any, batched: bool, static: tuple[str, ...]):
        self.name = name_of(layer)
        self._batched = bool(batched)
        self._parameters = list(signature_of(layer).parameters.values())
        self._static = _checked_static(static, self._parameters)
        key = next((each for each in self._parameters if each.name == "key"), None)
        self._keyed = key is not None and "key" not in self._static
        self._always = key is not None and key.default is inspect.Parameter.empty
        owner, method = _owner(layer)
        _check_stateless(owner)
        leaves = list(leaves_of(owner))
        is_array = [_is_array(leaf.value) for leaf in leaves]
        arrays = [leaf for leaf, array in zip(leaves, is_array, strict=True) if array]
        positive = tuple(leaf.positive and leaf.learns for leaf in arrays)
        self.names = _names(arrays)
        # Only until they are registered: PyTorch may put others in their place.
        self._start = [_start(leaf) for leaf in arrays]

        def built(layer) -> Program:
            values, structure = jax.tree.flatten(layer)
            fixed = [HOLE if a else value for a, value in zip(is_array, values, strict=True)]
            return program(structure, tuple(fixed), positive, method)

        self.initial = built(owner)
        modes = {mode: eqx.nn.inference_mode(owner, not mode) for mode in (True, False)}
        self.programs = {mode: built(layer) for mode, layer in modes.items()}

    def __deepcopy__(self, memo) -> "Wrapped":
        return self

    def __reduce__(self):
        raise TypeError(
            "An attrax.torch.Module is saved by its state, torch.save(module.state_dict(), path), "
            "and loaded into a new one, module.load_state_dict(torch.load(path))."
        )

    def release(self) -> list[Held]:
        """The arrays of the layer, once."""
        held, self._start = self._start, []
        return [Held(name, *each) for name, each in zip(self.names, held, strict=True)]

    def draw(self, training: bool) -> np.ndarray | None:
        """The seed of a key, from PyTorch's generator, or `None` where no key is due."""
        if not (self._keyed and (training or self._always)):
            return None
        return torch.randint(0, 1 << 32, (2,), dtype=torch.int64).numpy().astype(np.uint32)

    def bind(self, inputs: tuple, options: dict) -> tuple[Call, list, Callable[[], list[str]]]:
        """A call, the tensors and numbers that enter it, and a function to the names of these."""
        if "key" in options and self._keyed:
            raise TypeError("`key` is drawn from PyTorch's generator: use torch.manual_seed.")
        names = tuple(sorted(options))
        titles = [*(self._title(i) for i in range(len(inputs))), *names]
        values = [*inputs, *(options[name] for name in names)]
        marked = [
            _Static(value) if title in self._static else value
            for title, value in zip(titles, values, strict=True)
        ]
        leaves, structure = jax.tree.flatten(marked)
        entering = [_enters(leaf) for leaf in leaves]

        def paths() -> list[str]:
            found = _paths(titles, marked)
            return [path for path, enters in zip(found, entering, strict=True) if enters]

        entered = [leaf for leaf, enters in zip(leaves, entering, strict=True) if enters]
        fixed = tuple(
            HOLE if enters else leaf.value if isinstance(leaf, _Static) else leaf
            for leaf, enters in zip(leaves, entering, strict=True)
        )
        try:
            hash(fixed)
        except TypeError:
            i = next(i for i, leaf in enumerate(fixed) if not _has_hash(leaf))
            raise TypeError(_unhashable_text(_paths(titles, marked)[i], fixed[i])) from None
        axes, batch = self._axes(entered, paths)
        kinds = tuple(type(leaf) for leaf in fixed)
        return Call(len(inputs), names, structure, fixed, kinds, axes, batch), entered, paths

    def _title(self, index: int) -> str:
        for i, each in enumerate(self._parameters):
            if each.kind is each.VAR_POSITIONAL:
                return f"{each.name}[{index - i}]"
            if i == index:
                return each.name
        return f"argument {index}"

    def _axes(self, entered, paths) -> tuple[tuple[int | None, ...], int | None]:
        if not self._batched:
            return (None,) * len(entered), None
        axes = tuple(0 if isinstance(it, torch.Tensor) and it.ndim else None for it in entered)
        if 0 not in axes:
            raise ValueError(
                f"{self.name} is mapped over the first axis of tensors, but none has an axis: pass "
                "a batch, or wrap it with batched=False."
            )
        first = axes.index(0)
        size = len(entered[first])
        for i, (tensor, axis) in enumerate(zip(entered, axes, strict=True)):
            if axis == 0 and len(tensor) != size:
                raise ValueError(
                    f"`{paths()[i]}` has {len(tensor)} examples along its first axis, but "
                    f"`{paths()[first]}` has {size}."
                )
        return axes, size


@dataclasses.dataclass(frozen=True)
class _Static:
    """An argument that is known when a program is compiled."""

    value: Any


def _owner(layer: Any) -> tuple[Any, Any]:
    """What holds the arrays, and its function that is called, `None` if that is itself."""
    owner = getattr(layer, "__self__", None)
    return (owner, layer.__func__) if isinstance(owner, eqx.Module) else (layer, None)


def _check_stateless(layer: Any) -> None:
    """Refuse layers whose state goes from call to call beside their outputs."""
    kind = eqx.nn.StateIndex
    parts = jax.tree.leaves(layer, is_leaf=lambda part: isinstance(part, kind))
    if any(isinstance(part, kind) for part in parts):
        raise TypeError(
            "`layer` has a state that goes from call to call, as equinox.nn.BatchNorm has, which "
            "is not kept here: put PyTorch's own layer beside it."
        )


def _is_array(value: Any) -> bool:
    """Whether an array of a layer becomes a tensor."""
    return eqx.is_array(value) and not jnp.issubdtype(value.dtype, jax.dtypes.extended)


def _names(leaves) -> list[str]:
    names = []
    for leaf in leaves:
        *path, last = [_step(entry) for entry in leaf.path]
        last = f"log_{last}" if leaf.positive and leaf.learns else last
        name = ".".join([*path, last])
        if name in names:
            raise ValueError(f"`layer` has two arrays that are both named {name}.")
        names.append(name)
    return names


def _start(leaf) -> tuple[torch.Tensor, bool]:
    value = jnp.log(leaf.value) if leaf.positive and leaf.learns else leaf.value
    return copied(value), leaf.learns


def _step(entry: Any) -> str:
    if isinstance(entry, jax.tree_util.GetAttrKey):
        return entry.name
    if isinstance(entry, jax.tree_util.SequenceKey):
        return str(entry.idx)
    return str(entry.key).replace(".", "_")


def _paths(titles: list[str], arguments: list) -> list[str]:
    """What the caller calls each leaf of the arguments."""
    leaves = jax.tree_util.tree_flatten_with_path(arguments)[0]
    return [titles[path[0].idx] + jax.tree_util.keystr(path[1:]) for path, _ in leaves]


def _enters(leaf: Any) -> bool:
    """Whether a leaf of the arguments is given to the compiled program."""
    return isinstance(leaf, (torch.Tensor, *_NUMBERS)) and not isinstance(leaf, bool)


def _has_hash(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _unhashable_text(name: str, value: Any) -> str:
    kind = type(value).__name__
    if isinstance(value, jax.Array | np.ndarray):
        return f"`{name}` must be a tensor, but it is {kind}: torch.tensor(numpy.asarray({name}))."
    return f"`{name}` is {kind}, which is no tensor and, having no hash, cannot be static either."


def _checked_static(static: Any, parameters) -> frozenset[str]:
    if not isinstance(static, tuple) or not all(isinstance(name, str) for name in static):
        raise TypeError(f'`static` must be a tuple of names, ("causal",), but it is {static!r}.')
    known = [each.name for each in parameters]
    open_ended = any(each.kind is each.VAR_KEYWORD for each in parameters)
    for name in static:
        if name not in known and not open_ended:
            raise ValueError(f"`static` names {name!r}, but arguments are {', '.join(known)}.")
    return frozenset(static)
