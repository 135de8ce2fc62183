"""`Module`: a layer or function of JAX as a module of PyTorch."""
# pyright: reportMissingImports=false

from collections.abc import Callable
from typing import Any

import jax
import torch

from ..common.checks import check_function
from .bridge import check_tensors, own_array, to_torch
from .derivative import differentiated, plain
from .wrapped import Wrapped


class Module(torch.nn.Module):
    """A layer or function of JAX as a module of PyTorch.

    ```python
    layer = attrax.torch.Module(eqx.nn.MultiheadAttention(4, 64, key=key))
    network = torch.nn.Sequential(torch.nn.Linear(10, 64), attrax.torch.Module(memory))
    trained = layer.module()  # back in JAX
    ```

    **Arguments:**

    - `layer`: an `equinox.Module` such as a layer or a memory, a method of one (`memory.energy`),
      or a function of arrays. What a function closes over is constant.
    - `batched`: whether tensors have a first axis of examples, over which the layer is mapped as by
      `jax.vmap`. Tensors without axes and numbers are shared by all examples.
    - `static`: names of arguments that are no arrays for JAX but known when it compiles, such as
      ("causal",): each other value compiles anew. Booleans, texts and `None` always are.

    **Parameters.** What learns in `attrax.training.train` is a `Parameter` here: all arrays of
    floats but those that are given or frozen. They are named by where they stand in the layer, such
    as `query_proj.weight`. Other arrays are buffers, so that `state_dict` holds all that a layer
    has learnt. A parameter that must stay positive, such as `beta`, is learnt by its logarithm: it
    is named `log_beta` and holds ln β, so that no step of an optimiser makes β negative. Weight
    decay draws it to β = 1.

    **Calls.** Arguments are tensors, tuples or dictionaries of tensors, and numbers; outputs
    likewise. One program is compiled for each shape, and for training and recall apart. Whole
    numbers of 64 bits become 32 bits where JAX computes in these. A call needs no gradient under
    `torch.no_grad()`, and then keeps nothing for it. Gradients are of first order: a second one is
    an error.

    **Randomness.** If the layer takes a `key`, it gets one in training mode, drawn from PyTorch's
    generator, which `torch.manual_seed` sets. After `.eval()` it gets none, and `inference` of all
    its parts is true. A function that cannot do without a `key` always gets one.

    **Raises:** `TypeError` or `ValueError` for what is not callable, and in calls for tensors of a
    type or on a device that JAX lacks, on different devices, or of different numbers of examples.
    """

    def __init__(
        self,
        layer: Callable[..., Any],
        *,
        batched: bool = True,
        static: tuple[str, ...] = (),
    ):
        super().__init__()
        check_function("layer", layer)
        if isinstance(layer, torch.nn.Module | type):
            what = "a class" if isinstance(layer, type) else "a module of PyTorch already"
            raise TypeError(f"`layer` must be a layer or function of JAX, but it is {what}.")
        self._wrapped = Wrapped(layer, batched, static)
        self._places = [self._add(*held) for held in self._wrapped.release()]

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """What the layer answers to tensors: a tensor, or a tree of them."""
        if torch.jit.is_tracing():
            # Its outputs would become constants.
            raise RuntimeError(
                f"TorchScript cannot see into {self._wrapped.name}, which JAX computes: export it "
                "to ONNX through JAX."
            )
        if torch.compiler.is_compiling():
            return torch.compiler.disable(self._answer)(*inputs, **options)
        return self._answer(*inputs, **options)

    def module(self) -> Any:
        """The layer of JAX with the parameters as they are now, in arrays of its own.

        Of a method it is the object that the method is of; a function is the one that was given.
        """
        tensors = self._tensors()
        if tensors:
            check_tensors(tensors, self._wrapped.names.__getitem__)
        return self._wrapped.initial.layer([own_array(tensor) for tensor in tensors])

    def extra_repr(self) -> str:
        """The name of what is wrapped."""
        return self._wrapped.name

    def _add(self, name: str, tensor: torch.Tensor, learns: bool) -> tuple[tuple[str, ...], str]:
        """Register a tensor, and where: the names of parts, and its own."""
        *path, last = name.split(".")
        part: torch.nn.Module = self
        steps = []
        for step in path:
            steps.append(_part(part, step))
            part = part._modules[steps[-1]]
        last = _free_name(part, last)
        if learns:
            part.register_parameter(last, torch.nn.Parameter(tensor))
        else:
            part.register_buffer(last, tensor)
        return tuple(steps), last

    def _tensors(self) -> list[torch.Tensor]:
        # By name in each call, since PyTorch may have replaced them, and parts too.
        found = []
        for steps, last in self._places:
            part = self
            for step in steps:
                part = part._modules[step]
            found.append(getattr(part, last))
        return found

    def _answer(self, *inputs, **options):
        call, values, paths = self._wrapped.bind(inputs, options)
        tensors = self._tensors()
        own, entered = len(tensors), [*tensors, *values]
        places = [i for i, value in enumerate(entered) if isinstance(value, torch.Tensor)]
        tensors = [entered[i] for i in places]

        def name(index: int) -> str:
            place = places[index]
            return self._wrapped.names[place] if place < own else paths()[place - own]

        if tensors:
            check_tensors(tensors, name)
        program = self._wrapped.programs[self.training]
        words = self._wrapped.draw(self.training)
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
            return differentiated(program, call, own, entered, words)
        return jax.tree.map(to_torch, plain(program, call, own, entered, words))


class _Parts(torch.nn.Module):
    """A part of a layer, which holds tensors only."""


def _part(owner: torch.nn.Module, name: str) -> str:
    """The name of a part of a module, which is made if it is not there."""
    if name not in owner._modules:
        name = _free_name(owner, name)
        if name not in owner._modules:
            owner.add_module(name, _Parts())
    return name


def _free_name(owner: torch.nn.Module, name: str) -> str:
    """A name that PyTorch does not use for something else."""
    return f"{name}_" if hasattr(owner, name) else name
