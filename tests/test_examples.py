"""Pages that speak of numbers say what their scripts print; the contributor's walk-through runs."""

import contextlib
import io
import runpy

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser


def table(text):
    """The rows of Markdown tables with a number in each cell but the first, by their names."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    rows = [[cell for cell in row if cell != "–"] for row in rows]  # – was not measured
    numbers = {row[0]: row[1:] for row in rows if all(c.isdigit() for c in row[1:]) and row[1:]}
    return {name: [int(cell) for cell in cells] for name, cells in numbers.items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("which_similarity", "choosing"),
        ("which_beta", "choosing"),
        ("which_dynamics", "which-dynamics"),
    ],
)
def test_a_page_shows_what_its_script_prints(name, page, root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        runpy.run_path(str(root / "examples" / f"{name}.py"), run_name="__main__")
    compare(name, page, root, printed.getvalue())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "page"),
    [("which_memory", "which-memory"), ("which_sequence_memory", "which-sequence-memory")],
)
def test_a_page_on_memories_shows_what_its_script_prints(name, page, root, printed):
    compare(name, page, root, printed(root / "examples" / f"{name}.py"))


@pytest.mark.slow
def test_the_page_has_the_memories_that_its_short_script_measures(root, printed, tmp_path):
    lines = printed(root / "examples" / "which_memory_of_pictures.py").splitlines()
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines[2:]]
    page = (root / "docs" / "which-memory.md").read_text(encoding="utf-8")
    assert [row[0] for row in rows if row[0] not in page] == []
    measured = {row[0]: row[1:] for row in rows}
    assert measured["`Memory(rows)`"][:2] == ["100", "100"]
    assert measured["`Hebb()`"][0] == "0"
    assert {row[5] for row in measured.values()} == {"falls", "none", "–"}
    assert (tmp_path / "which_memory_of_pictures.png").exists()


@pytest.mark.slow
def test_the_page_on_layers_has_those_that_its_short_script_trains(root, printed, tmp_path):
    lines = printed(root / "examples" / "which_layer.py").splitlines()
    page = (root / "docs" / "hopfield-layer.md").read_text(encoding="utf-8")
    shown = [line.split(" | ")[0] for line in page.splitlines() if line.startswith("| ")]
    names = [line.split(" | ")[0] for line in lines[2:]]
    assert len(names) == 12
    assert [name for name in names if name not in shown] == []
    assert (tmp_path / "which_layer.png").exists()


def compare(name, page, root, printed):
    shown = table((root / "docs" / f"{page}.md").read_text(encoding="utf-8"))
    found = table(printed)
    assert len(found) > 5
    for row, numbers in found.items():
        # Of 50 or 100 pictures, one may fall on the other side where machines round differently.
        assert shown[row] == pytest.approx(numbers, abs=2), (name, row)


def test_the_walk_through_for_contributors_runs(root):
    sybil = Sybil(parsers=[PythonCodeBlockParser()], path=str(root))
    blocks = list(sybil.parse(root / "CONTRIBUTING.md").examples())
    assert len(blocks) == 4
    for block in blocks:
        block.evaluate()
