"""A system reproduced: its verdicts as text and files, and what numbers and times depend on."""

import dataclasses
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..common.files import replace_file
from ..version import __version__, installed_version
from . import show
from .contract import Result, Run
from .panels import Panel, draw_sheet


@dataclass(frozen=True)
class Reproduction:
    """All claims of a system, measured.

    - `slug`: the system.
    - `profile`: "quick" or "full".
    - `seconds`: the wall time it took.
    - `claims`: a `Result` each.
    - `run`: what was measured; its `config` says from what.
    - `panels`: those of the figure, by name.
    - `unsettled`: texts of claims that fail, or are not decided, in the recorded full run too.
    """

    slug: str
    profile: str
    seconds: float
    claims: tuple[Result, ...]
    run: Run = dataclasses.field(default_factory=Run, repr=False)
    panels: Mapping[str, Panel] = dataclasses.field(default_factory=dict, repr=False)
    unsettled: frozenset[str] = frozenset()

    @property
    def failed(self) -> bool:
        """Whether a claim fails of which the record does not say that it may."""
        return any(r.verdict == "fails" and r.name not in self.unsettled for r in self.claims)

    def to_json(self) -> dict[str, Any]:
        """What `claims.json` holds."""
        return {
            "slug": self.slug,
            "profile": self.profile,
            "seconds": round(self.seconds, 1),
            "claims": [dataclasses.asdict(result) for result in self.claims],
        }

    def table(self, width: int = 100) -> str:
        """Claim, paper, measured ± standard error and verdict as plain text; then the notes.

        **Arguments:**

        - `width`: in columns; texts are wrapped to it.
        """
        return show.table(self.to_json(), width)

    def write(self, out: str | os.PathLike) -> Path:
        """Write DIR/SLUG/{claims.json, config.json, env.json, figure.png}, each at once.

        A reader never sees half a file: it is written under a temporary name and renamed.

        **Arguments:**

        - `out`: the directory DIR, made if it is missing.

        **Returns:** DIR/SLUG.
        """
        folder = Path(out).expanduser() / self.slug
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in (
            ("claims.json", self.to_json()),
            ("config.json", {"slug": self.slug, **self.run.config}),
            ("env.json", environment()),
        ):
            write_json(folder / name, content)
        if self.panels:
            panels = tuple(self.panels.values())
            replace_file(folder / "figure.png", lambda path: draw_sheet(path, panels, self.run))
        return folder


def write_json(path: Path, content: Any) -> None:
    """Write JSON that people can read, at once or not at all."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    replace_file(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def environment() -> dict[str, Any]:
    """Versions and hardware that numbers and times depend on."""
    import jax

    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "devices": [device.device_kind for device in jax.devices()],
        "attrax": __version__,
        **{name: installed_version(name) for name in ("jax", "jaxlib", "equinox", "diffrax")},
        "numpy": np.__version__,
    }
