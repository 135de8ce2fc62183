"""What to cite: BibTeX entries read from the `**Source:**` lines of docstrings."""

# The module is not called `citation`: a submodule of that name would shadow the function
# `attrax.citation` as soon as anything imported it.

import dataclasses
import functools
import inspect
import re
from importlib import resources

from .version import __version__

KEY = re.compile(r"\[([a-z]+[0-9]{4}[a-z]+)\]")
_SOURCE = re.compile(r"\*\*Source:\*\*(.*?)(?:\n[ \t]*\n|\n[ \t]*\*\*|\Z)", re.DOTALL)
_HEAD = re.compile(r"^@[a-z]+\{([^,\s]+),", re.MULTILINE)


def citation(obj: object = None) -> str:
    """The BibTeX entries of the publications that an object comes from.

    ```python
    print(attrax.citation(attrax.separation.Softmax))
    ```

    **Arguments:**

    - `obj`: a public class, function or module of attrax, or an instance. For an instance the
      sources of its parts follow its own: a memory cites its similarity and its separation too.
      Without an argument: the entry of attrax itself.

    **Returns:** BibTeX, one entry a publication, in the order of mention, separated by empty lines.

    **Raises:** `ValueError` if neither the object nor a part of it names a source.
    """
    if obj is None:
        return _ITSELF
    keys = list(dict.fromkeys(_keys(obj)))
    if not keys:
        raise ValueError(
            f"{_name(obj)} names no source: its documentation has no `**Source:**` line with a "
            "`[key]`. Call attrax.citation() without an argument to cite attrax itself."
        )
    known = entries()
    missing = [key for key in keys if key not in known]
    if missing:
        raise ValueError(
            f"{_name(obj)} cites {', '.join(missing)}, which references.bib does not hold: "
            "correct the key in the documentation or add the entry."
        )
    return "\n\n".join(known[key] for key in keys)


@functools.cache
def entries() -> dict[str, str]:
    """All BibTeX entries that attrax knows.

    **Returns:** key → entry, in the order of `references.bib`.
    """
    text = resources.files("attrax").joinpath("references.bib").read_text(encoding="utf-8")
    heads = list(_HEAD.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return {
        head[1]: text[head.start() : end].strip() for head, end in zip(heads, ends, strict=True)
    }


def _keys(obj: object) -> list[str]:
    """The keys on the `**Source:**` lines of an object, then those of its parts."""
    obj = inspect.unwrap(obj) if callable(obj) else obj
    if inspect.isclass(obj) or inspect.isroutine(obj) or inspect.ismodule(obj):
        return _read(obj.__doc__)
    keys = _read(type(obj).__doc__)
    if dataclasses.is_dataclass(obj):
        for field in dataclasses.fields(obj):
            keys += _keys(getattr(obj, field.name, None))
    return keys


def _read(doc: str | None) -> list[str]:
    return [key for source in _SOURCE.findall(doc or "") for key in KEY.findall(source)]


def _name(obj: object) -> str:
    return getattr(obj, "__qualname__", None) or getattr(obj, "__name__", type(obj).__qualname__)


_ITSELF = f"""\
@software{{attrax,
  author  = {{{{The attrax authors}}}},
  title   = {{attrax: associative memory in JAX}},
  version = {{{__version__}}},
  year    = {{2026}},
  license = {{Apache-2.0}},
}}"""
