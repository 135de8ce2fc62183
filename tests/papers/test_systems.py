"""What every system must show, for all systems alike."""

import importlib
import json
from pathlib import Path

import pytest

from attrax import papers
from attrax.papers.contract import Claim, NotRun, Result, Run, collect
from attrax.papers.panels import Panel

FOLDER = Path(papers.__file__).parent
SYSTEMS = [system.slug for system in papers.systems()]
KEYS = ["name", "paper", "measured", "sd", "error", "verdict", "source", "note"]


class Unknown(Exception):
    """A measurement that was not given."""


class Known(Run):
    """A run of given measurements and nothing else."""

    def __call__(self, measure, *args):
        if measure not in self._known and (measure, *args) not in self._known:
            raise Unknown(measure)
        return super().__call__(measure, *args)

    def load(self, name="sample", **options):
        raise Unknown(name)


def module(slug, part=""):
    return importlib.import_module(f"attrax.papers.{slug.replace('-', '_')}{part}")


def declared(slug):
    return collect(module(slug), Claim)


def broken(slug):
    """The broken measurements of a system's own test file."""
    return importlib.import_module(f"papers.test_{slug.replace('-', '_')}").BROKEN


def fail(slug, known):
    """The claims that fail with these measurements; those that need another are left out."""
    failing = set()
    for name, claim in declared(slug).items():
        try:
            if claim.check(Known(known=known)).verdict == "fails":
                failing.add(name)
        except Unknown:
            continue
    return failing


def never_run(slug):
    """Claims that say at once that they need what is not here."""
    names = set()
    for name, claim in declared(slug).items():
        try:
            claim.measure(Known(known={}))
        except NotRun:
            names.add(name)
        except Unknown:
            continue
    return names


@pytest.mark.parametrize("slug", SYSTEMS)
def test_what_is_broken_fails_at_its_own_claims_alone(slug):
    for name, (known, claims) in broken(slug).items():
        assert fail(slug, known) == claims, name


@pytest.mark.parametrize("slug", SYSTEMS)
def test_every_claim_can_fail(slug):
    failing = set().union(*(claims for _, claims in broken(slug).values()))
    assert failing | never_run(slug) == set(declared(slug))


@pytest.mark.parametrize("slug", SYSTEMS)
def test_the_committed_results_are_of_the_claims_declared(slug, root):
    folder = Path(module(slug).__file__).parent
    recorded = json.loads((folder / "results.json").read_text("utf-8"))
    claims = declared(slug).values()
    assert (recorded["slug"], recorded["profile"]) == (slug, "full")
    assert [(c["name"], c["paper"], c["source"]) for c in recorded["claims"]] == [
        (c.text, c.paper, c.source) for c in claims
    ]
    for row, claim in zip(recorded["claims"], claims, strict=True):
        assert list(row) == KEYS
        if row["verdict"] == "not run":
            assert row["measured"] is None
            assert row["note"]
            continue
        again = claim.decide(row["measured"], row["error"] or 0.0)
        assert row["verdict"] in ((again, "differs") if again == "fails" else (again,))
        assert row["verdict"] == "holds" or row["note"], row["name"]
    assert Result(**recorded["claims"][0]).show()


@pytest.mark.parametrize("slug", SYSTEMS)
def test_the_panels_are_those_recorded(slug, root):
    panels = collect(module(slug, ".figure"), Panel)
    folder = Path(module(slug).__file__).parent
    recorded = json.loads((folder / "results.json").read_text("utf-8"))["panels"]
    assert recorded == [{"name": n, "title": panel.title} for n, panel in panels.items()]
    assert 1 <= len(panels) <= 8
    assert all(panel.title for panel in panels.values())
    pictures = root / "docs" / "systems" / "img" / slug
    if pictures.parent.exists():
        assert {path.stem for path in pictures.glob("*.png")} == set(panels)
        assert sum(path.stat().st_size for path in pictures.iterdir()) < 400_000


@pytest.mark.parametrize("slug", SYSTEMS)
def test_a_system_is_small_and_keeps_to_itself(slug):
    folder = Path(module(slug).__file__).parent
    sources = {path.name: path.read_text("utf-8") for path in folder.glob("*.py")}
    assert set(sources) == {"__init__.py", "measure.py", "figure.py"}
    assert sum(len(text.splitlines()) for text in sources.values()) <= 700
    others = {other.replace("-", "_") for other in SYSTEMS} - {folder.name}
    for text in sources.values():
        imports = [line for line in text.splitlines() if line.startswith(("from ", "import "))]
        assert not any(
            f"papers.{other}" in line or f"..{other}" in line
            for line in imports
            for other in others
        )


@pytest.mark.parametrize("slug", SYSTEMS)
def test_a_title_and_a_page(slug, root):
    system = next(each for each in papers.systems() if each.slug == slug)
    assert system.title
    page = root / "docs" / "systems" / f"{slug}.md"
    if page.parent.exists():
        lines = page.read_text("utf-8").splitlines()
        assert lines.count("<!-- claims -->") == 1
        assert len(lines) <= 80
