"""Associative memory in JAX: store, retrieve, learn.

```python
memory = attrax.Memory(patterns)           # (N, d) rows
found = attrax.retrieve(memory, queries)   # (..., d): run to an attractor
```

Names are loaded when they are first used, so that importing attrax is cheap.
"""

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from .version import __version__ as __version__

if TYPE_CHECKING:
    from . import data as data
    from . import dynamics as dynamics
    from . import estimators as estimators
    from . import evaluate as evaluate
    from . import hierarchical as hierarchical
    from . import learning as learning
    from . import models as models
    from . import nn as nn
    from . import papers as papers
    from . import plot as plot
    from . import separation as separation
    from . import similarity as similarity
    from . import spaces as spaces
    from . import stores as stores
    from . import theory as theory
    from . import torch as torch
    from . import training as training
    from .bibliography import citation as citation
    from .common.checks import FileFormatError as FileFormatError
    from .common.checks import NoEnergyError as NoEnergyError
    from .compilation import enable_compilation_cache as enable_compilation_cache
    from .dynamics.base import Outcome as Outcome
    from .hierarchical.memory import HierarchicalMemory as HierarchicalMemory
    from .retrieval import Retrieval as Retrieval
    from .retrieval import retrieve as retrieve
    from .saving import load as load
    from .saving import save as save
    from .stores.matrix import MatrixMemory as MatrixMemory
    from .stores.rows import Memory as Memory

_HOMES = {
    "FileFormatError": "common.checks",
    "HierarchicalMemory": "hierarchical.memory",
    "MatrixMemory": "stores.matrix",
    "Memory": "stores.rows",
    "NoEnergyError": "common.checks",
    "Outcome": "dynamics.base",
    "Retrieval": "retrieval",
    "citation": "bibliography",
    "enable_compilation_cache": "compilation",
    "load": "saving",
    "retrieve": "retrieval",
    "save": "saving",
}
_ROOMS = (
    "data",
    "dynamics",
    "estimators",
    "evaluate",
    "hierarchical",
    "learning",
    "models",
    "nn",
    "papers",
    "plot",
    "separation",
    "similarity",
    "spaces",
    "stores",
    "theory",
    "torch",
    "training",
)
# What rooms need that attrax itself does without.
_NEEDS = {"estimators": "sklearn", "torch": "torch"}

__all__ = [
    "FileFormatError",
    "HierarchicalMemory",
    "MatrixMemory",
    "Memory",
    "NoEnergyError",
    "Outcome",
    "Retrieval",
    "__version__",
    "citation",
    "enable_compilation_cache",
    "load",
    "retrieve",
    "save",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f".{name}", __name__)
    if name in _HOMES:
        return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    text = f"attrax has no attribute {name!r}; see attrax.__all__ for its names."
    if not name.startswith("_"):
        from .names import suggest

        meant = suggest(name, _ROOMS, __all__)
        if meant:
            text = f"attrax has no attribute {name!r}. Did you mean {' or '.join(meant)}?"
    raise AttributeError(text)


def __dir__() -> list[str]:
    # All of these are loaded by `help(attrax)`, so that what cannot be is not among them.
    absent = {room for room, needed in _NEEDS.items() if not importlib.util.find_spec(needed)}
    return sorted([*__all__, *(set(_ROOMS) - absent)])
