"""Published results, one file a system: its claims, measured, and its figure.

```python
attrax.papers.systems()                                  # what there is, and what held
print(attrax.papers.reproduce("universal-hopfield").table())
```

Nothing heavy is imported before something is reproduced.
"""

import ast
import difflib
import importlib
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .contract import Reproduction

PROFILES = ("quick", "full")
_HERE = Path(__file__).parent


class System(NamedTuple):
    """A system that can be reproduced, and how its last full run went.

    - `slug`: its name on the command line.
    - `title`: one line.
    - `held`: how many claims hold; 0 if no full run is recorded.
    - `claims`: how many there are.
    """

    slug: str
    title: str
    held: int
    claims: int


def systems() -> list[System]:
    """All systems, by slug; reads files only.

    **Returns:** a `System` for each file of this folder that declares `CLAIMS`.
    """
    found = [_describe(path) for path in sorted(_HERE.glob("*.py"))]
    return [system for system in found if system is not None]


def reproduce(
    slug: str,
    profile: str = "quick",
    data: str | None = None,
    seed: int = 0,
    out: str | os.PathLike | None = None,
) -> "Reproduction":
    """Measure all claims of a system.

    **Arguments:**

    - `slug`: one of `systems()`.
    - `profile`: "quick" takes less than a minute on two cores; "full" goes as near the paper's
      sizes as a laptop can.
    - `data`: a name that `attrax.data.load` knows, for systems that use data; `None` chooses.
    - `seed`: of all random draws.
    - `out`: write `claims.json`, `config.json`, `env.json` and `figure.png` to this folder's
      subfolder `slug`; nothing is written if `None`.

    **Returns:** a `Reproduction`; print its `table()`.

    **Raises:** `ValueError` for an unknown slug or profile; `ModuleNotFoundError` if a figure is
    wanted and matplotlib is missing.
    """
    started = time.perf_counter()
    names = [system.slug for system in systems()]
    if slug not in names:
        close = difflib.get_close_matches(str(slug), names, n=1)
        guess = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"slug is {slug!r}; it must be one of {', '.join(names)}.{guess}")
    if profile not in PROFILES:
        raise ValueError(f"profile is {profile!r}; it must be one of {', '.join(PROFILES)}.")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ValueError(f"seed is {seed!r}; it must be a whole number from 0 to 2³² − 1.")
    if out is not None:
        importlib.import_module("..plot", __name__).require()
    module = importlib.import_module(f".{slug.replace('-', '_')}", __name__)
    return module.run(profile, data, seed, out, started=started)


def _describe(path: Path) -> System | None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    claims = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Tuple)
        and any(isinstance(name, ast.Name) and name.id == "CLAIMS" for name in node.targets)
    ]
    if not claims:
        return None
    slug = path.stem.replace("_", "-")
    title = (ast.get_docstring(tree) or slug).splitlines()[0].rstrip(".")
    record = _HERE / "results" / f"{slug}.json"
    if not record.exists():
        return System(slug, title, 0, len(claims[0].elts))
    results = json.loads(record.read_text(encoding="utf-8"))["claims"]
    return System(slug, title, sum(r["verdict"] == "holds" for r in results), len(results))
