"""How objects print: a few lines, with the numbers that matter and the shapes of arrays."""

import dataclasses
import functools
from html import escape
from typing import Any, TypeVar

import jax
import numpy as np

from .checks import FOREIGN, is_concrete, name_of, shape_of

_Results = TypeVar("_Results")


def described(module: Any) -> str:
    """A module on one line, `Softmax(beta=13.9)`.

    Numbers are printed as such, larger arrays by type and shape; traced numbers likewise.
    """
    fields = dataclasses.fields(module)
    parts = [f"{field.name}={valued(getattr(module, field.name, None))}" for field in fields]
    return f"{type(module).__name__}({', '.join(parts)})"


@functools.singledispatch
def facts(module: Any) -> list[tuple[str, str]]:
    """What is printed of a module, in pairs of a name and a text: its fields unless registered."""
    names = [field.name for field in dataclasses.fields(module)]
    values = [(name, getattr(module, name, None)) for name in names]
    return [(name, valued(value)) for name, value in values if value is not None]


def results(cls: type[_Results]) -> type[_Results]:
    """A class of results, made to print in a few lines, and as a table in notebooks.

    Its fields stand there with their ranges, unless `facts` are registered for it.
    """
    facts.register(cls)(_summary)
    cls.__repr__ = lambda self: lines(cls.__name__, facts(self))
    cls._repr_html_ = lambda self: table(cls.__name__, facts(self))  # pyright: ignore
    return cls


def _summary(found: Any) -> list[tuple[str, str]]:
    if isinstance(found, tuple):
        values = _named(found)
    else:
        values = {each.name: getattr(found, each.name) for each in dataclasses.fields(found)}
    return [(name, summed(value)) for name, value in values.items() if value is not None]


def _named(found: Any) -> dict[str, Any]:
    return found._asdict()


def summed(value: Any) -> str:
    """Numbers by shape and range; those of a dictionary or a named tuple by their ranges."""
    value = _named(value) if isinstance(value, tuple) else value
    if isinstance(value, dict):
        return ", ".join(f"{name} {spread(each)}" for name, each in value.items())
    if _readable(value) and np.shape(value):
        return f"{shaped(value)}: {spread(value)}"
    return valued(value)


def shaped(value: Any) -> str:
    """An array, or what stands for one, as `float32 (1000, 784)`; anything else by its name."""
    shape = shape_of(value)
    return type(value).__name__ if shape is None else f"{value.dtype} {tuple(shape)}"


def spread(values: Any) -> str:
    """The smallest and largest of some numbers, or one where they agree; else the shape."""
    to_numpy = FOREIGN.get(type(values))
    values = values if to_numpy is None else to_numpy(values)
    if not _readable(values) or not np.size(values):
        return shaped(values)
    numbers = np.asarray(values, np.float64)
    numbers = numbers[~np.isnan(numbers)]
    if not numbers.size:
        return "NaN"
    low, high = f"{numbers.min():.4g}", f"{numbers.max():.4g}"
    return low if low == high else f"{low} to {high}"


def lines(title: str, rows: list[tuple[str, str]]) -> str:
    """A title, and a line for each pair of a name and a text."""
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join([title, *(f"  {name:<{width}}  {text}" for name, text in rows)])


def table(title: str, rows: list[tuple[str, str]]) -> str:
    """The same as a small table of HTML, for notebooks."""
    body = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th>'
        f'<td style="text-align:left">{escape(text)}</td></tr>'
        for name, text in rows
    )
    return f"<table><caption>{escape(title)}</caption>{body}</table>"


def _readable(value: Any) -> bool:
    """Whether numbers can be read from it: no tracer, shape alone or placeholder."""
    return isinstance(value, jax.Array | np.generic | np.ndarray) and is_concrete(value)


def valued(value: Any) -> str:
    """A number as such, an array by type and shape, a function by its name, else its repr."""
    if _readable(value) and np.issubdtype(np.asarray(value).dtype, np.number) and not value.shape:
        return f"{np.asarray(value).item():.4g}"
    if shape_of(value) is not None:
        return shaped(value)
    if callable(value) and not dataclasses.is_dataclass(value):
        return name_of(value)
    return repr(value)
