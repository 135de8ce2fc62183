"""`save` and `load`: a JSON header and arrays, no pickle."""

import dataclasses
import hashlib
import importlib
import json
import math
import os
import struct
import warnings
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np

from .common.checks import FileFormatError
from .common.files import replace_file
from .version import __version__

_MAGIC = b"ATTRAX\x001"
_LONGEST_HEADER = 1 << 22
# What reading a file can raise that somebody changed.
DAMAGE = (
    ArithmeticError,
    AttributeError,
    ImportError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
_DIGEST = hashlib.sha256().digest_size
# A file names classes as users do, so that sources can move; looked up in this order.
_ROOMS = (
    "attrax",
    "attrax.models",
    "attrax.similarity",
    "attrax.separation",
    "attrax.hierarchical",
    "attrax.nn",
    "attrax.dynamics",
    "equinox.nn",
)
# Parts that users do not make by themselves, under names that stay when sources move.
_PARTS = {
    "attrax.nn.Feedforward": ("attrax.nn.blocks", "Feedforward"),
    "attrax.nn.Residual": ("attrax.nn.blocks", "Residual"),
    "attrax.nn.Rows": ("attrax.nn.pooling", "Rows"),
    "attrax.similarity.FeatureFunction": ("attrax.similarity.kernels", "FeatureFunction"),
}
# The functions that a file can name: activations of layers.
_FUNCTIONS = (
    *("identity", "relu", "relu6", "gelu", "silu", "elu", "selu", "celu", "leaky_relu", "mish"),
    *("softplus", "sigmoid", "log_sigmoid", "tanh", "hard_tanh", "soft_sign", "squareplus"),
)
_EXTENDED = {"bfloat16": ml_dtypes.bfloat16}
_WHOLE = tuple(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))
KINDS = ("float16", "float32", "float64", "bool", *_WHOLE, *_EXTENDED)


def save(path: str | os.PathLike, memory: eqx.Module) -> None:
    """Write a memory, or a layer, to a file: a JSON header that says what it is, then its arrays.

    The file is complete or not there: it is written under a temporary name and renamed.

    **Arguments:**

    - `path`: where to; an existing file is replaced.
    - `memory`: a `Memory`, a layer of `attrax.nn`, or any other module made of the classes of
      attrax and `equinox.nn`; activations of `jax.nn` may stand in it.

    **Raises:** `TypeError` for parts that are other functions or other classes, since a file
    cannot hold them; `ValueError` for a memory that is spread over devices.
    """
    if not isinstance(memory, eqx.Module):
        raise TypeError(f"`memory` must be a memory, but it is {type(memory).__name__}.")
    arrays: list[np.ndarray] = []
    tree = _describe(memory, arrays, type(memory).__name__)
    write_file(Path(path), _MAGIC, {"tree": tree}, arrays)


def load(path: str | os.PathLike) -> Any:
    """Read what `save` wrote.

    Nothing in a file is executed; classes are looked up among those of attrax and `equinox.nn`.

    **Arguments:**

    - `path`: a file that `save` wrote.

    **Returns:** the memory; in single precision, with a warning, where it was saved in double and
    `jax_enable_x64` is off.

    **Raises:** `FileFormatError` for any other file, and for one that is damaged or was cut off.
    """
    header, bodies = read_file(Path(path), _MAGIC, "attrax.save")
    _warn_narrower(Path(path), bodies)
    try:
        memory = _build(header["tree"], [jnp.asarray(body) for body in bodies])
        if not isinstance(memory, eqx.Module):
            raise TypeError(f"a {type(memory).__name__}")
        return memory
    except DAMAGE as error:
        raise FileFormatError(f"{path} is damaged: it describes no memory ({error}).") from error


def _warn_narrower(path: Path, bodies: list[np.ndarray]) -> None:
    """Warn where the arrays of a file are wider than what JAX computes in now."""
    wide = {
        body.dtype.name
        for body in bodies
        if jax.dtypes.canonicalize_dtype(body.dtype) != body.dtype
    }
    if wide:
        warnings.warn(
            f"{path} holds {', '.join(sorted(wide))}, and JAX computes in 32 bits here, so that "
            "what was saved is rounded. To have it whole, begin with "
            'jax.config.update("jax_enable_x64", True).',
            UserWarning,
            stacklevel=3,
        )


def write_file(path: Path, magic: bytes, header: dict[str, Any], arrays: list[np.ndarray]) -> None:
    """A JSON header, then arrays, then a checksum; complete or not there.

    It is written under a temporary name and renamed.

    **Arguments:**

    - `path`: where to; an existing file is replaced.
    - `magic`: eight bytes by which files of this kind are known.
    - `header`: what else JSON is to hold.
    - `arrays`: of the types in `KINDS`.

    **Raises:** `FileNotFoundError` if there is no such folder; `ValueError` for a header that
    `read_file` would not take.
    """
    check_folder(path)
    header = {
        "format": 1,
        "attrax": __version__,
        **header,
        "arrays": [{"dtype": array.dtype.name, "shape": array.shape} for array in arrays],
    }
    text = json.dumps(header).encode()
    if len(text) > _LONGEST_HEADER:
        raise ValueError(f"{path} would need a header of {len(text)} bytes: too many parts.")

    def write(temporary: Path) -> None:
        digest = hashlib.sha256(text)
        with temporary.open("wb") as file:
            file.write(magic + struct.pack("<Q", len(text)) + text)
            for array in arrays:
                body = np.ascontiguousarray(array).tobytes()
                digest.update(body)
                file.write(body)
            file.write(digest.digest())
            file.flush()
            # Renamed before it is on disk, it could be empty after a power failure.
            os.fsync(file.fileno())

    replace_file(path, write)


def read_file(path: Path, magic: bytes, writer: str) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Header and arrays of a file that `write_file` wrote.

    **Arguments:**

    - `path`: the file.
    - `magic`: what it must begin with.
    - `writer`: the public function that writes such files, for the error.

    **Raises:** `FileFormatError` for any other file, and for one that is damaged or was cut off.
    """
    with path.open("rb") as file:
        if file.read(len(magic)) != magic:
            raise FileFormatError(f"{path} is not a file that {writer} wrote.")
        size = file.read(8)
        length = struct.unpack("<Q", size)[0] if len(size) == 8 else _LONGEST_HEADER + 1
        if length > _LONGEST_HEADER:
            raise FileFormatError(f"{path} is damaged: its header has no sensible length.")
        try:
            text = file.read(length)
            header = json.loads(text)
            kinds = [_kind(entry) for entry in header["arrays"]]
            version = header["format"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise FileFormatError(f"{path} is damaged: its header cannot be read.") from error
        if type(version) is not int or version != 1:
            raise FileFormatError(f"{path} is of format {version!r}; this attrax reads format 1.")
        sizes = [dtype.itemsize * math.prod(shape) for dtype, shape in kinds]
        missing = len(magic) + 8 + length + sum(sizes) + _DIGEST - path.stat().st_size
        if missing:
            wrong = f"{missing} bytes are missing" if missing > 0 else f"{-missing} too many"
            raise FileFormatError(f"{path} is damaged: {wrong}.")
        bodies = [file.read(size) for size in sizes]
        digest = hashlib.sha256(text)
        for body in bodies:
            digest.update(body)
        if file.read(_DIGEST) != digest.digest():
            raise FileFormatError(f"{path} is damaged: its checksum differs.")
    try:
        return header, [
            np.frombuffer(body, dtype).reshape(shape)
            for body, (dtype, shape) in zip(bodies, kinds, strict=True)
        ]
    except DAMAGE as error:
        raise FileFormatError(f"{path} is damaged: its arrays cannot be read.") from error


def check_folder(path: Path) -> None:
    """Refuse a file in a folder that is not there."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent} to save {path.name} in.")


def _kind(entry):
    name, shape = entry["dtype"], entry["shape"]
    if name not in KINDS or not all(type(size) is int and 0 <= size < 1 << 40 for size in shape):
        raise ValueError(f"no array of {name} {shape}")
    return np.dtype(_EXTENDED.get(name, name)), tuple(shape)


def _describe(value: Any, arrays: list[np.ndarray], where: str) -> Any:
    """A JSON value that says how to build `value`, its arrays put aside."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, jax.Array | np.ndarray):
        if value.dtype.name not in KINDS:
            raise TypeError(f"{where} is an array of {value.dtype}, which a file cannot hold.")
        arrays.append(np.asarray(value))
        return {"array": len(arrays) - 1}
    if isinstance(value, tuple | list):
        if type(value) not in (tuple, list):
            raise ValueError(
                f"{where} is spread over devices, which a file cannot hold; save the memory as "
                "it was before `shard`."
            )
        parts = [_describe(part, arrays, f"{where}[{i}]") for i, part in enumerate(value)]
        return {"sequence": type(value).__name__, "parts": parts}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        parts = {key: _describe(part, arrays, f"{where}[{key!r}]") for key, part in value.items()}
        return {"mapping": parts}
    public = _public_name(type(value)) if isinstance(value, eqx.Module) else None
    if public is not None and isinstance(value, eqx.Module):
        fields = {
            field.name: _describe(getattr(value, field.name), arrays, f"{where}.{field.name}")
            for field in dataclasses.fields(value)
        }
        return {"class": public, "fields": fields}
    function = next((f for f in _FUNCTIONS if getattr(jax.nn, f, None) is value), None)
    if function is not None:
        return {"function": f"jax.nn.{function}"}
    why = "only parts that are attrax's public classes can be saved, not plain functions"
    own = type(value).__module__.split(".")[0] == __name__.split(".")[0]
    if own and where == type(value).__name__:
        why = "save the memory itself, or one of its parts"
    name = type(value).__name__
    where = "`memory`" if where == name else where
    raise TypeError(f"{where} is a {name}, which a file cannot hold; {why}.")


def _public_name(cls: type) -> str | None:
    """The name by which users import a class, such as attrax.separation.Softmax."""
    for room in _ROOMS:
        if _find_public(room, cls.__name__) is cls:
            return f"{room}.{cls.__name__}"
    places = {place: name for name, place in _PARTS.items()}
    return places.get((cls.__module__, cls.__name__))


def _find_public(room: str, name: str) -> type | None:
    """The class of a public name, or `None` where the room has no such class."""
    module = importlib.import_module(room)
    # The root loads its names when they are asked for.
    public = vars(module).get("__all__", vars(module))
    cls = getattr(module, name) if name in public and not name.startswith("_") else None
    return cls if isinstance(cls, type) and issubclass(cls, eqx.Module) else None


def _build(node: Any, arrays: list) -> Any:
    if not isinstance(node, dict):
        return node
    if "array" in node:
        return arrays[node["array"]]
    if "sequence" in node:
        parts = [_build(part, arrays) for part in node["parts"]]
        return tuple(parts) if node["sequence"] == "tuple" else parts
    if "mapping" in node:
        return {key: _build(part, arrays) for key, part in node["mapping"].items()}
    if "function" in node:
        names = {f"jax.nn.{name}": name for name in _FUNCTIONS}
        return getattr(jax.nn, names[node["function"]])
    room, _, name = node["class"].rpartition(".")
    if node["class"] in _PARTS:
        module, attribute = _PARTS[node["class"]]
        cls = getattr(importlib.import_module(module), attribute)
    else:
        cls = _find_public(room, name) if room in _ROOMS else None
    if cls is None:
        raise KeyError(f"no class {node['class']}")
    names = {field.name for field in dataclasses.fields(cls)}
    if names != set(node["fields"]):
        raise KeyError(f"{name} has other fields")
    built = object.__new__(cls)
    for field, part in node["fields"].items():
        object.__setattr__(built, field, _build(part, arrays))
    for check in ("__check_init__", "check_loaded"):
        if hasattr(built, check):
            getattr(built, check)()
    return built
