"""Claims judged in order, for the systems that are not a folder of claims yet."""

import dataclasses
import json
import math
import os
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..files import replace_file
from .contract import environment

Verdict = Literal["holds", "differs", "not run", "fails"]


@dataclass(frozen=True)
class Claim:
    """A claim of a paper, and what it takes for a measurement to confirm it.

    **Attributes:**

    - `name`: what is claimed, and in which quantity it is measured.
    - `paper`: the paper's number, or what it gives instead of one.
    - `source`: where it stands.
    - `least`, `most`: the measured number must not be below or above these, if given.
    - `tolerance`: how far beyond them it may be and still confirm the claim.
    """

    name: str
    paper: str
    source: str
    least: float | None = None
    most: float | None = None
    tolerance: float = 0.0

    def confirmed(self, measured: float) -> bool:
        """Whether a number confirms the claim; NaN never does."""
        above = self.least is None or measured >= self.least - self.tolerance
        below = self.most is None or measured <= self.most + self.tolerance
        return above and below and not math.isnan(measured)

    def judge(
        self, values: Iterable[float], *, note: str = "", explained: bool = False
    ) -> "Result":
        """The verdict on a measurement.

        **Arguments:**

        - `values`: the measured number of each run.
        - `note`: the measurements that show why, for a claim that is not confirmed.
        - `explained`: whether those measurements, too, came out as the note says.

        **Returns:** **holds** if the mean over runs confirms the claim; else **differs** if the
        reason was measured, and **fails** if it was not.

        **Raises:** `ValueError` without values, or if an explanation has no note.
        """
        numbers = [float(value) for value in values]
        if not numbers:
            raise ValueError(f"`values` is empty: {self.name!r} was not measured.")
        if explained and not note:
            raise ValueError(f"`note` is empty: {self.name!r} cannot differ without a reason.")
        mean = math.fsum(numbers) / len(numbers)
        spread = math.fsum((number - mean) ** 2 for number in numbers) / len(numbers)
        sd = math.sqrt(spread) if len(numbers) > 1 else None
        verdict: Verdict = "differs" if explained else "fails"
        if self.confirmed(mean):
            verdict = "holds"
        return Result(self.name, self.paper, mean, sd, verdict, self.source, note)

    def not_run(self, needs: str) -> "Result":
        """A claim that was not measured; `needs` says what it takes, and the command."""
        return Result(self.name, self.paper, None, None, "not run", self.source, needs)


@dataclass(frozen=True)
class Result:
    """A claim with its verdict: a row of the table. `sd` is over runs; `None` for a single one."""

    name: str
    paper: str
    measured: float | None
    sd: float | None
    verdict: Verdict
    source: str
    note: str


@dataclass(frozen=True)
class Reproduction:
    """All claims of a system, measured.

    **Attributes:**

    - `slug`: the system.
    - `profile`: "quick" or "full".
    - `seconds`: the wall time it took.
    - `claims`: a `Result` each.
    - `config`: what was run: data, seed, sizes.
    - `draw`: writes the figure to a path, given by the system.
    """

    slug: str
    profile: str
    seconds: float
    claims: tuple[Result, ...]
    config: dict[str, Any] = dataclasses.field(default_factory=dict)
    draw: Callable[[Path], None] | None = dataclasses.field(default=None, repr=False)

    @property
    def failed(self) -> bool:
        """Whether a claim should hold and does not."""
        return any(result.verdict == "fails" for result in self.claims)

    def to_json(self) -> dict[str, Any]:
        """What `claims.json` holds."""
        return {
            "slug": self.slug,
            "profile": self.profile,
            "seconds": round(self.seconds, 1),
            "claims": [dataclasses.asdict(result) for result in self.claims],
        }

    def table(self) -> str:
        """Claim, paper, measured ± sd over runs and verdict as plain text; then the notes."""
        head = ("claim", "paper", "measured", "verdict")
        rows = [head] + [(r.name, r.paper, measured(r), r.verdict) for r in self.claims]
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        lines.insert(1, "  ".join("-" * width for width in widths))
        counts = {v: sum(r.verdict == v for r in self.claims) for v in Verdict.__args__}
        total = ", ".join(f"{n} {v}" for v, n in counts.items() if n)
        lines.append(f"\n{self.slug}, {self.profile}: {total}; {self.seconds:.1f} s")
        notes = [r for r in self.claims if r.note and r.verdict != "holds"]
        lines += [f"\n{r.verdict}: {r.name}\n  {r.note}" for r in notes]
        return "\n".join(lines)

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
            ("config.json", self.config),
            ("env.json", environment()),
        ):
            text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
            replace_file(
                folder / name, lambda path, text=text: path.write_text(text, encoding="utf-8")
            )
        if self.draw is not None:
            replace_file(folder / "figure.png", self.draw)
        return folder


def reproduced(
    slug: str,
    profile: str,
    started: float,
    claims: Iterable[Result],
    config: dict[str, Any],
    draw: Callable[[Path], None],
    out: str | os.PathLike | None,
) -> Reproduction:
    """What a system's `run` gives back, written to `out` if that is a folder.

    **Arguments:**

    - `started`: when the run began, by `time.perf_counter`.
    - `config`: what was run, beside system and profile.
    - `slug`, `profile`, `claims`, `draw`: see `Reproduction`.
    """
    seconds = time.perf_counter() - started
    config = {"slug": slug, "profile": profile, **config}
    found = Reproduction(slug, profile, seconds, tuple(claims), config, draw)
    if out is not None:
        found.write(out)
    return found


def side_by_side(tasks: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """What the tasks return, by name.

    Most of a run is compilation, on one core each; the numbers do not depend on the order.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        running = {name: pool.submit(task) for name, task in tasks.items()}
        return {name: future.result() for name, future in running.items()}


def measured(result: Result) -> str:
    """`measured ± sd` as text."""
    if result.measured is None:
        return "–"
    small = 0 < abs(result.measured) < 5e-3
    form = ".1e" if small else ".3f"
    text = f"{result.measured:{form}}"
    return text if result.sd is None else f"{text} ± {result.sd:{form}}"
