"""Published results, a folder a system: its claims, how they are measured, and its figure.

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
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from . import show

if TYPE_CHECKING:
    from .contract import Result
    from .reproduction import Reproduction

PROFILES = ("quick", "full")
_HERE = Path(__file__).parent


class System(NamedTuple):
    """A system that can be reproduced, and how its last full run went.

    - `slug`: its name on the command line.
    - `title`: one line.
    - `verdicts`: how many claims have each verdict, such as `{"holds": 12, "differs": 3}`; empty
      if no full run is recorded.
    - `seconds`: how long it took; 0 likewise.
    """

    slug: str
    title: str
    verdicts: Mapping[str, int]
    seconds: float


def systems() -> list[System]:
    """All systems, by slug; reads files only.

    **Returns:** a `System` for each folder beside this file that is a package.
    """
    return sorted(_describe(path.parent) for path in _HERE.glob("*/__init__.py"))


def reproduce(
    slug: str,
    profile: str = "quick",
    data: str | None = None,
    seed: int = 0,
    out: str | os.PathLike | None = None,
    *,
    threads: int | None = None,
    report: "Callable[[Result, int, int], None] | None" = None,
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
    - `threads`: how many claims are measured at a time; as many as there are cores if `None`.
    - `report`: called with each claim's `Result` as it is measured, how many are done, and how
      many there are.

    **Returns:** a `Reproduction`; print its `table()`.

    **Raises:** `ValueError` for an unknown slug, profile or data set, or a seed that is none;
    `ModuleNotFoundError` if a figure is wanted and matplotlib is missing.
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
    if data is not None:
        importlib.import_module("..data", __name__).load(data, limit=1)
    if out is not None:
        importlib.import_module("..plot", __name__).require()
    from .contract import Claim, Run, check_claims, collect
    from .panels import Panel
    from .reproduction import Reproduction

    name = slug.replace("-", "_")
    claims = collect(importlib.import_module(f".{name}", __name__), Claim)
    panels = collect(importlib.import_module(f".{name}.figure", __name__), Panel)
    run = Run(profile, data, seed)
    results = check_claims(tuple(claims.values()), run, threads, report)
    seconds = time.perf_counter() - started
    recorded = _read(_HERE / name)["claims"]
    unsettled = {c["name"] for c in recorded if c["verdict"] in ("fails", "not decided")}
    reproduction = Reproduction(slug, profile, seconds, results, run, panels, frozenset(unsettled))
    if out is not None:
        reproduction.write(out)
    return reproduction


def _describe(folder: Path) -> System:
    slug = folder.name.replace("_", "-")
    tree = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
    title = (ast.get_docstring(tree) or slug).splitlines()[0].rstrip(".")
    recorded = _read(folder)
    verdicts = show.count(claim["verdict"] for claim in recorded["claims"])
    return System(slug, title, verdicts, recorded["seconds"])


def _read(folder: Path) -> dict[str, Any]:
    """The recorded full run; one of no claims where there is none yet."""
    record = folder / "results.json"
    if not record.exists():
        return {"claims": [], "seconds": 0.0}
    return json.loads(record.read_text(encoding="utf-8"))
