"""Checkpoints of learning: all that a run needs to go on as if it had never stopped."""

import dataclasses
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..common.checks import FileFormatError, name_of
from ..saving import DAMAGE, KINDS, check_folder, read_file, write_file

_MAGIC = b"ATTRAX\x00L"


class Checkpoint:
    """A file that holds the state of one run of learning, and of no other.

    Only arrays are stored, in order, so that a model made of plain functions can be stored too.
    Beside them stands what the run was started with, entry by entry; a file of another run is
    refused with the first entry that differs.

    **Arguments:**

    - `path`: of the file.
    - `run`: what the run was started with: names → modules, arrays or numbers.

    **Raises:** `FileNotFoundError` if there is no such folder; `TypeError` for arrays that a file
    cannot hold.
    """

    def __init__(self, path: str | os.PathLike, run: dict[str, Any]):
        self.path = Path(path)
        check_folder(self.path)
        self.run = dict(entry for name, value in run.items() for entry in entries(value, name))

    def write(self, state: Any, losses: list) -> None:
        """Replace the file by one that holds a state and the losses so far."""
        arrays = [_stored(leaf) for leaf in jax.tree.leaves(eqx.filter(state, eqx.is_array))]
        header = {"run": self.run, "steps": len(losses)}
        write_file(self.path, _MAGIC, header, [*arrays, np.stack(losses)])

    def read(self, state: Any) -> tuple[Any, list]:
        """The state in the file and the losses so far; the state given and none without a file.

        **Arguments:**

        - `state`: one of the same structure, shapes and types.

        **Raises:** `FileFormatError` if the file is not a checkpoint or is damaged; `ValueError`
        for one of another run.
        """
        if not self.path.exists():
            return state, []
        header, arrays = read_file(self.path, _MAGIC, "attrax.training.train")
        theirs, steps = header.get("run"), header.get("steps")
        if not isinstance(theirs, dict):
            raise FileFormatError(f"{self.path} is damaged: it does not say of which run it is.")
        self._compare(theirs)
        kept, rest = eqx.partition(state, eqx.is_array)
        leaves, structure = jax.tree.flatten(kept)
        try:
            *arrays, losses = arrays
            found = [_restored(x, like) for x, like in zip(arrays, leaves, strict=True)]
            floats = jnp.issubdtype(losses.dtype, jnp.floating)
            if type(steps) is not int or losses.shape != (steps,) or not floats:
                raise ValueError("its losses are not one a step")
        except DAMAGE as error:
            raise FileFormatError(
                f"{self.path} is damaged: it describes no run ({error})."
            ) from error
        return eqx.combine(jax.tree.unflatten(structure, found), rest), list(losses)

    def _compare(self, theirs: dict[str, Any]) -> None:
        for name in sorted({*self.run, *theirs}):
            then, now = theirs.get(name, "absent"), self.run.get(name, "absent")
            if then != now:
                raise ValueError(
                    f"{self.path} is the checkpoint of another run: {name} was {then} in it and "
                    f"is {now} here. Call train with what that run was started with, or give "
                    "another `checkpoint`."
                )


def entries(value: Any, where: str) -> Iterator[tuple[str, str]]:
    """What tells a value from others, part by part: (where, text).

    Texts are the same in every process. Of a function only the name is seen.
    """
    if isinstance(value, jax.Array | np.ndarray):
        yield where, _fingerprint(value, where)
    elif value is None or isinstance(value, bool | int | float | str):
        yield where, repr(value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield where, type(value).__name__
        for field in dataclasses.fields(value):
            yield from entries(getattr(value, field.name, None), f"{where}.{field.name}")
    elif isinstance(value, tuple | list):
        yield where, f"{type(value).__name__} of {len(value)}"
        names = getattr(value, "_fields", None)
        for i, part in enumerate(value):
            yield from entries(part, f"{where}[{i}]" if names is None else f"{where}.{names[i]}")
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from entries(part, f"{where}[{key!r}]")
    else:
        yield where, name_of(value)


def _fingerprint(array, where: str) -> str:
    """Type, shape, and the value of a single number or a checksum of several."""
    dtype = array.dtype
    stored = _stored(array)
    if stored.dtype.name not in KINDS:
        raise TypeError(f"{where} is an array of {dtype}, which a checkpoint cannot hold.")
    if stored.shape == ():
        return f"{dtype} {stored.item()!r}"
    checksum = hashlib.sha256(np.ascontiguousarray(stored).tobytes()).hexdigest()[:16]
    return f"{dtype} {array.shape} with checksum {checksum}"


def _is_key(array) -> bool:
    return jnp.issubdtype(array.dtype, jax.dtypes.prng_key)


def _stored(array) -> np.ndarray:
    return np.asarray(jax.random.key_data(array) if _is_key(array) else array)


def _restored(stored: np.ndarray, like: Any) -> Any:
    """An array of the file as the kind of array that it was, in a buffer of its own."""
    expected = _stored(like)
    if (stored.shape, stored.dtype) != (expected.shape, expected.dtype):
        raise ValueError(
            f"an array is {stored.dtype} {stored.shape} instead of "
            f"{expected.dtype} {expected.shape}"
        )
    array = jnp.array(stored, copy=True)
    return (
        jax.random.wrap_key_data(array, impl=jax.random.key_impl(like)) if _is_key(like) else array
    )
