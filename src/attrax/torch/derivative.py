"""A program of JAX as a step that PyTorch differentiates."""
# pyright: reportMissingImports=false

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from .bridge import to_jax, to_torch
from .program import Call, Program

# Bytes up to which what a derivative needs stays an array of JAX, which is faster.
_SMALL = 1 << 14


def differentiated(
    program: Program, call: Call, own: int, entered: Sequence, words: np.ndarray | None
) -> Any:
    """The outputs of a call, through which gradients go back.

    **Arguments:**

    - `program`: of the layer.
    - `call`: what of the call was known beforehand.
    - `own`: how many of the tensors are those of the layer.
    - `entered`: its tensors, then the tensors and numbers of the call.
    - `words`: the seed of a key, or `None`.
    """
    task = _Task(program, call, own, words)
    outputs = _Differentiated.apply(task, *entered)
    floats = sum(task.shape.floating)
    return task.shape.joined(outputs[:floats], outputs[floats:])


def plain(
    program: Program, call: Call, own: int, entered: Sequence, words: np.ndarray | None
) -> Any:
    """The outputs of a call as arrays of JAX, with nothing kept for gradients."""
    arrays = to_arrays(entered)
    return program.outputs(call, arrays[:own], arrays[own:], words)


def to_arrays(entered: Sequence) -> list:
    """Tensors as what JAX takes, and numbers as they are."""
    return [to_jax(value) if isinstance(value, torch.Tensor) else value for value in entered]


class _Task:
    """One call, and how its outputs and gradients are put together, known after it."""

    def __init__(self, program: Program, call: Call, own: int, words: np.ndarray | None):
        self.program, self.call, self.own, self.words = program, call, own, words
        self.shape: Any = None


class _Differentiated(torch.autograd.Function):
    """Outputs of a layer, floats first, and the way back of their gradients."""

    @staticmethod
    def forward(ctx, task, *entered):
        arrays, wanted = to_arrays(entered), tuple(ctx.needs_input_grad[1:])
        floats, others, kept, task.shape = task.program.forward(
            task.call, wanted, arrays[: task.own], arrays[task.own :], task.words
        )
        places = sorted({place for place in task.shape.places if place is not None})
        # Numbers are no tensors, but take part in the derivative as they were.
        numbers = {i: entered[i] for i in places if not isinstance(entered[i], torch.Tensor)}
        ctx.shape, ctx.wanted, ctx.places, ctx.numbers = task.shape, wanted, places, numbers
        # PyTorch keeps these, so that it frees them in time and sees whether they were changed.
        saved = [entered[i] for i in places if i not in numbers]
        ctx.kept = [None if array.nbytes > _SMALL else array for array in kept]
        large = [array for array, small in zip(kept, ctx.kept, strict=True) if small is None]
        ctx.save_for_backward(*saved, *map(to_torch, large))
        others = list(map(to_torch, others))
        ctx.mark_non_differentiable(*others)
        return *map(to_torch, floats), *others

    @staticmethod
    def backward(ctx, *gradients):
        saved = iter(ctx.saved_tensors)
        entered = {
            i: ctx.numbers[i] if i in ctx.numbers else to_jax(next(saved)) for i in ctx.places
        }
        kept = [to_jax(next(saved)) if array is None else array for array in ctx.kept]
        needed = ctx.shape.gathered(entered, kept)
        floats = [to_jax(gradient) for gradient in gradients[: sum(ctx.shape.floating)]]
        pulled_back = [to_torch(gradient) for gradient in ctx.shape.pulled(needed, floats)]
        if torch.is_grad_enabled():
            # Else a term with a second derivative would lose its share of the layer silently.
            anchor = torch.ones((), requires_grad=True)
            pulled_back = _Refusing.apply(anchor, *pulled_back)
        each = iter(pulled_back)
        return None, *(next(each) if wanted else None for wanted in ctx.wanted)


class _Refusing(torch.autograd.Function):
    """Gradients as they are, which cannot be differentiated once more."""

    @staticmethod
    def forward(ctx, anchor, *gradients):
        return gradients

    @staticmethod
    def backward(ctx, *gradients):
        raise NotImplementedError(
            "attrax.torch.Module has derivatives of first order only; take those of second order "
            "in JAX, jax.grad of a function of module.module()."
        )
