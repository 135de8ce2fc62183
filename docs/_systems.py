"""Pages of systems: figure, claims and notes from the results of the last full run, and an index.

A page is prose and code, written by hand, with a line `<!-- claims -->` and front matter:

    ---
    group: Binary and dense memories
    paper: hopfield1982neural
    ---

`group` is one of `GROUPS`, `paper` the key of the publication. What the line stands for is made
from `src/attrax/papers/SLUG/results.json` and the pictures in `docs/systems/img/SLUG`.
"""

import html
import json
import logging
import math
import re
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import _bibliography as bibliography

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "systems"
CLAIMS = "<!-- claims -->"
GROUPS = (
    "The framework",
    "Binary and dense memories",
    "Sequences and brain models",
    "Layers",
    "Memory-augmented networks",
    "Learning and applications",
)
VERDICTS = ("holds", "differs", "not decided", "not run", "fails")
log = logging.getLogger("mkdocs.hooks.attrax")


class System(NamedTuple):
    """What the index says of a system: from its page's front matter and heading."""

    slug: str
    title: str
    group: str
    paper: str


def systems() -> list[System]:
    """The systems that have a page, by group and year."""
    described = [_describe(path) for path in sorted(PAGES.glob("*.md"))]
    return sorted(
        described, key=lambda it: (GROUPS.index(it.group), bibliography.years().get(it.paper, ""))
    )


def navigation() -> list[Any]:
    """The entries of the navigation: the index, then a list for each group."""
    groups = {group: [it for it in systems() if it.group == group] for group in GROUPS}
    pages = [
        {group: [f"systems/{it.slug}.md" for it in members]}
        for group, members in groups.items()
        if members
    ]
    return ["systems/index.md", *pages]


def results(slug: str) -> dict[str, Any] | None:
    """What the last full run of a system measured; `None` if none is recorded."""
    path = ROOT / "src" / "attrax" / "papers" / slug.replace("-", "_") / "results.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def index() -> str:
    """Markdown of the page that lists all systems."""
    parts = [
        "# Systems",
        "A system is a publication whose claims attrax measures anew. Each card says how many of "
        "them held when they were last measured in full; its page says which, and why others "
        "do not. `attrax reproduce SLUG` measures them on your machine.",
        summary(),
    ]
    for group in GROUPS:
        cards = [_card(it) for it in systems() if it.group == group]
        if cards:
            parts += [f"## {group}", '<div class="systems">\n' + "\n".join(cards) + "\n</div>"]
    return "\n\n".join(part for part in parts if part) + "\n"


def summary() -> str:
    """HTML: how many claims of all systems have each verdict."""
    runs = [run for it in systems() if (run := results(it.slug))]
    counts = count([claim for run in runs for claim in run["claims"]])
    return " ".join(_badge(verdict, f"{verdict} {n}") for verdict, n in counts.items() if n)


def count(claims: list[Mapping[str, Any]]) -> dict[str, int]:
    """How many claims there are of each verdict."""
    return {verdict: sum(it["verdict"] == verdict for it in claims) for verdict in VERDICTS}


def fill(markdown: str, slug: str) -> str:
    """A system's page with its figure, claims and notes in place of the line `CLAIMS`."""
    return markdown.replace(CLAIMS, claims(slug, results(slug)))


def claims(slug: str, run: Mapping[str, Any] | None) -> str:
    """HTML of the figure, the claims and the notes of a run."""
    if run is None:
        return f"Not run yet. `attrax reproduce {slug} --profile full` measures the claims."
    took = f"{run['seconds']:.0f} s" if run["seconds"] < 100 else f"{run['seconds'] / 60:.0f} min"
    held = count(run["claims"])["holds"]
    parts = [
        f"Measured by the {run['profile']} profile, in {took} on two cores: {held} of "
        f"{len(run['claims'])} claims hold. The number after ± is the standard error.",
        _figure(slug, run["panels"]),
        _table(run["claims"]),
        _notes(run["claims"]),
    ]
    return "\n\n".join(part for part in parts if part)


def show(measured: float | None, error: float | None) -> str:
    """A number as HTML, with as many digits as its standard error allows."""
    if measured is None:
        return "–"
    size = max(abs(measured), error or 0.0)
    if not error or error < 1e-6 * size:
        return _number(measured)
    power = math.floor(math.log10(size)) if size < 1e-3 or size >= 1e6 else 0
    scale = 10.0**power
    # Two digits of an error that begins with 1, one of any other.
    digits = -math.floor(math.log10(error / scale))
    places = max(0, digits + (f"{error:.0e}"[0] == "1"))
    text = f"{measured / scale:.{places}f} ± {error / scale:.{places}f}".replace("-", "−")
    return f"({text}) · {_power(power)}" if power else text


def _number(value: float) -> str:
    if value == round(value) and abs(value) < 1e6:
        return f"{value:.0f}".replace("-", "−")
    if 1e-3 <= abs(value) < 1e6:
        return f"{value:.3f}".replace("-", "−")
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa} · {_power(int(exponent))}".replace("-", "−")


def _power(exponent: int) -> str:
    return f"10<sup>{exponent}</sup>".replace("-", "−")


def _describe(path: Path) -> System:
    text = path.read_text(encoding="utf-8")
    front = dict(re.findall(r"^(group|paper): *(.+?) *$", text.split("\n---\n")[0], re.MULTILINE))
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    group, paper = front.get("group", ""), front.get("paper", "")
    if group not in GROUPS:
        log.warning("systems/%s needs a line `group:` of %s", path.name, ", ".join(GROUPS))
        group = GROUPS[-1]
    if paper not in bibliography.years():
        log.warning("systems/%s needs a line `paper:` with a key of references.bib", path.name)
    return System(path.stem, title[1] if title else path.stem, group, paper)


def _card(system: System) -> str:
    run = results(system.slug)
    picture, held = '<div class="nothing"></div>', "not run yet"
    if run is not None:
        held = f"{count(run['claims'])['holds']} of {len(run['claims'])} claims hold"
        if run["panels"]:
            picture = _image(system.slug, run["panels"][0], alt="")
    paper = bibliography.name(system.paper) if system.paper in bibliography.years() else ""
    return (
        f'<a class="system" href="{system.slug}.html">{picture}<b>{html.escape(system.title)}</b>'
        f"<span>{paper}</span><code>{system.slug}</code><span>{held}</span></a>"
    )


def _figure(slug: str, panels: list[Mapping[str, str]]) -> str:
    pictures = [_image(slug, panel, alt=panel["title"]) for panel in panels]
    return '<div class="panels">\n' + "\n".join(pictures) + "\n</div>" if pictures else ""


def _image(slug: str, panel: Mapping[str, str], alt: str) -> str:
    if not (PAGES / "img" / slug / f"{panel['name']}.png").exists():
        log.warning("docs/systems/img/%s/%s.png is missing: `make record`", slug, panel["name"])
    source = f"img/{slug}/{urllib.parse.quote(panel['name'])}.png"
    return f'<img alt="{html.escape(alt)}" src="{source}" loading="lazy">'


def _table(rows: list[Mapping[str, Any]]) -> str:
    head = "<tr><th>claim</th><th>paper</th><th>measured</th><th>verdict</th></tr>"
    body = [
        f'<tr><td>{_text(it["name"])}</td><td data-head="paper">{_text(it["paper"])}</td>'
        f'<td data-head="measured">{show(it["measured"], it["error"])}</td>'
        f"<td>{_badge(it['verdict'], it['verdict'])}</td></tr>"
        for it in rows
    ]
    lines = [f"<table>\n<thead>{head}</thead>\n<tbody>", *body, "</tbody>\n</table>"]
    return '<div class="claims">\n' + "\n".join(lines) + "\n</div>"


def _badge(verdict: str, text: str) -> str:
    return f'<span class="verdict {verdict.replace(" ", "-")}">{text}</span>'


def _notes(rows: list[Mapping[str, Any]]) -> str:
    noted = [it for it in rows if it["note"]]
    if not noted:
        return ""
    notes = "\n".join(
        f"<details><summary>{_text(it['name'])}</summary>\n<p>{_text(it['note'])}</p>\n"
        f'<p class="source">Source: {_text(it["source"])}</p></details>'
        for it in noted
    )
    return f'<h3 id="notes">What else was measured</h3>\n\n<div class="notes">\n{notes}\n</div>'


def _text(text: str) -> str:
    """Plain text as HTML; what stands between backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))
