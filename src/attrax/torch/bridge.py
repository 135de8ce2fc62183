"""Tensors as arrays of JAX and back, with the memory that they share."""
# pyright: reportMissingImports=false

import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
import torch

_TAKEN = frozenset(
    {torch.float32, torch.float16, torch.bfloat16, torch.bool}
    | {torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}
)
_ALLOCATION = "XLA_PYTHON_CLIENT_PREALLOCATE"
_warned = False


def check_tensors(tensors: Sequence[torch.Tensor], name_of: Callable[[int], str]) -> None:
    """Refuse tensors that JAX cannot take, or cannot take together.

    **Arguments:**

    - `tensors`: at least one.
    - `name_of`: what the caller calls the one of a number, for the error.

    **Raises:** `TypeError` or `ValueError` that says what to do.
    """
    first = tensors[0].device
    for i, tensor in enumerate(tensors):
        dtype = tensor.dtype
        if dtype not in _TAKEN and not (dtype is torch.float64 and _in_64_bits()):
            raise TypeError(_dtype_text(name_of(i), dtype))
        if tensor.layout is not torch.strided:
            raise TypeError(f"`{name_of(i)}` is sparse: pass {name_of(i)}.to_dense().")
        if tensor.device != first:
            raise ValueError(
                f"`{name_of(i)}` is on {tensor.device}, but `{name_of(0)}` is on {first}: bring "
                "tensors and module to one device by .to(device)."
            )
    if first.type != "cpu":
        check_device(name_of(0), first)
    for i, tensor in enumerate(tensors):
        if tensor.dtype is torch.int64 and not _in_64_bits():
            _check_whole(name_of(i), tensor)


def _dtype_text(name: str, dtype: torch.dtype) -> str:
    if dtype is torch.float64:
        return (
            f"`{name}` is of float64, and JAX computes in 32 bits here: pass {name}.float(), or "
            'begin with jax.config.update("jax_enable_x64", True).'
        )
    if dtype.is_complex:
        return f"`{name}` is complex; attrax works on real numbers."
    return f"`{name}` is of {str(dtype).removeprefix('torch.')}, which JAX is not given."


def _check_whole(name: str, tensor: torch.Tensor) -> None:
    limits = torch.iinfo(torch.int32)
    if tensor.numel() and not limits.min <= tensor.min() <= tensor.max() <= limits.max:
        raise ValueError(
            f"`{name}` holds whole numbers beyond int32: compute in 64 bits, "
            'jax.config.update("jax_enable_x64", True).'
        )


def check_device(name: str, device: torch.device) -> None:
    """Refuse a device that JAX does not have.

    **Raises:** `ValueError` that says how to get it.
    """
    if device.type != "cuda":
        raise ValueError(
            f"`{name}` is on {device}, which JAX and PyTorch do not share: bring it to the CPU, "
            f"{name}.cpu()."
        )
    if not _has_gpu():
        raise ValueError(
            f"`{name}` is on {device}, but JAX has no GPU here: install jax[cuda13], or bring "
            f"tensors and module to the CPU, .cpu()."
        )
    _warn_of_allocation()


def _in_64_bits() -> bool:
    return jax.dtypes.canonicalize_dtype(np.float64) == np.float64


def _has_gpu() -> bool:
    try:
        return bool(jax.devices("gpu"))
    except RuntimeError:
        return False


def _warn_of_allocation() -> None:
    """Say once that JAX takes most of the memory of a GPU unless it is told not to."""
    global _warned
    chosen = os.environ.get(_ALLOCATION, "true").lower() in ("false", "0")
    if not (_warned or chosen):
        warnings.warn(
            "JAX takes three quarters of a GPU's memory when it starts, which PyTorch then lacks: "
            f"set {_ALLOCATION}=false in the environment before Python starts.",
            UserWarning,
            stacklevel=4,
        )
    _warned = True


def to_jax(tensor: torch.Tensor) -> Any:
    """A checked tensor as something that a compiled function of JAX takes.

    On a CPU that is an array of NumPy, else one of JAX; memory is shared where it can be. The
    tensor may be changed again once the outputs of the function are there.
    """
    tensor = tensor.detach()
    if tensor.dtype is torch.int64 and not _in_64_bits():
        tensor = tensor.to(torch.int32)
    on_cpu = tensor.device.type == "cpu" and jax.default_backend() == "cpu"
    if on_cpu and tensor.dtype is not torch.bfloat16:
        # Ten times faster than by DLPack, and shared just as well.
        return tensor.numpy()
    return jax.dlpack.from_dlpack(tensor.contiguous())


def to_torch(array: jax.Array) -> torch.Tensor:
    """An array of JAX as a tensor that shares its memory, once it is computed."""
    return torch.from_dlpack(array)


def copied(array: Any) -> torch.Tensor:
    """An array as a tensor on the CPU, with memory of its own."""
    array = jax.device_put(array, jax.devices("cpu")[0])
    return torch.from_dlpack(array).clone()


def own_array(tensor: torch.Tensor) -> jax.Array:
    """A checked tensor as an array of JAX with memory of its own.

    One on the CPU goes where JAX puts its arrays.
    """
    array = to_jax(tensor)
    return jax.numpy.array(np.asarray(array) if tensor.device.type == "cpu" else array, copy=True)
