"""Claims as text, fitted to a width."""

import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

VERDICTS = ("holds", "differs", "not decided", "not run", "fails")
Paint = Callable[[str, str], str]


def plain(verdict: str, text: str) -> str:
    """Text without colours, whatever the verdict."""
    return text


def number(measured: float | None, error: float | None) -> str:
    """A number as text, ± its standard error where it has one."""
    if measured is None:
        return "–"
    form = ".1e" if 0 < abs(measured) < 5e-3 else ".3f"
    text = f"{measured:{form}}"
    return f"{text} ± {error:{form}}" if error else text


def count(verdicts: Iterable[str]) -> dict[str, int]:
    """How many there are of each verdict that occurs."""
    counts = Counter(verdicts)
    return {verdict: counts[verdict] for verdict in VERDICTS if counts[verdict]}


def counted(counts: Mapping[str, int], paint: Paint = plain) -> str:
    """Counts by verdict in one line: `12 holds, 3 differs`."""
    return ", ".join(paint(verdict, f"{n} {verdict}") for verdict, n in counts.items())


def line(claim: Mapping[str, Any], head: str = "", width: int = 80, paint: Paint = plain) -> str:
    """One claim as it is measured: verdict, number, and its text, wrapped beside them.

    **Arguments:**

    - `claim`: an entry of `claims` in `claims.json`.
    - `head`: what stands before it.
    - `width`: in columns.
    - `paint`: (verdict, text) -> text in the verdict's colour.
    """
    verdict, measured = claim["verdict"], number(claim["measured"], claim["error"])
    before = f"{head}{verdict:<11}  {measured:<17}  "
    # Where little room is left beside the number, the text goes below it.
    indent = len(before) if width - len(before) >= 30 else min(len(head), 8)
    lines = _wrap(claim["name"], width - indent)
    painted = f"{head}{paint(verdict, f'{verdict:<11}')}  {measured:<17}  "
    if indent < len(before):
        return "\n".join([painted.rstrip(), *(" " * indent + each for each in lines)])
    return painted + f"\n{' ' * indent}".join(lines)


def table(content: Mapping[str, Any], width: int = 80, paint: Paint = plain) -> str:
    """Claim, paper, measured ± standard error and verdict as a table; then the notes.

    **Arguments:**

    - `content`: what `claims.json` holds.
    - `width`: in columns; the texts of claims are wrapped to it.
    - `paint`: (verdict, text) -> text in the verdict's colour.
    """
    claims = content["claims"]
    head = ("claim", "paper", "measured", "verdict")
    rows = [
        (each["name"], each["paper"], number(each["measured"], each["error"]), each["verdict"])
        for each in claims
    ]
    longest = [max(len(row[i]) for row in [head, *rows]) for i in range(4)]
    fixed = longest[2] + longest[3] + 6
    paper = min(longest[1], max(8, (width - fixed) // 3))
    claim = min(longest[0], max(16, width - fixed - paper))
    widths = (claim, paper, *longest[2:])
    lines = [_columns(head, widths, plain), "  ".join("-" * each for each in widths)]
    lines += [_columns(row, widths, paint) for row in rows]
    counts = count(each["verdict"] for each in claims)
    lines.append(
        f"\n{content['slug']}, {content['profile']}: {counted(counts, paint)}; "
        f"{content['seconds']:.1f} s"
    )
    for each in claims:
        if each["note"] and each["verdict"] != "holds":
            title = _wrap(f"{each['verdict']}: {each['name']}", width, "  ")
            title[0] = title[0].replace(each["verdict"], paint(each["verdict"], each["verdict"]), 1)
            lines += ["", *title, *_wrap(each["note"], width, "    ", "    ")]
    return "\n".join(lines)


def _columns(row: tuple[str, ...], widths: tuple[int, ...], paint: Paint) -> str:
    """A row of the table, on as many lines as its longest cell needs."""
    cells = [_wrap(cell, width) for cell, width in zip(row, widths, strict=True)]
    lines = []
    for i in range(max(map(len, cells))):
        parts = [cell[i] if i < len(cell) else "" for cell in cells]
        padded = [part.ljust(width) for part, width in zip(parts, widths, strict=True)]
        lines.append("  ".join([*padded[:3], paint(row[3], parts[3])]).rstrip())
    return "\n".join(lines)


def _wrap(text: str, width: int, later: str = "", first: str = "") -> list[str]:
    return textwrap.wrap(
        text, max(width, 8), initial_indent=first, subsequent_indent=later, break_on_hyphens=False
    ) or [""]
