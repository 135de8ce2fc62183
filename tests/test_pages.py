"""What a reader is shown runs: the Python blocks of the pages, and the examples."""

import runpy
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
# Those whose numbers stand on a page are run, and compared with it, by test_examples.py.
LEARN = ROOT / "examples" / "learn.py"
EXAMPLES = sorted(set(ROOT.glob("examples/*.py")) - set(ROOT.glob("examples/which_*.py")) - {LEARN})


def name(path):
    return path.relative_to(ROOT).as_posix()


def run_blocks(path):
    """Runs the Python blocks of a page in order, in one namespace; the number of blocks.

    A block is left out by an HTML comment before it, with its reason: `<!--- skip: next "why" -->`.
    """
    sybil = Sybil(parsers=[PythonCodeBlockParser(), SkipParser()], path=str(path.parent))
    blocks = list(sybil.parse(path).examples())
    for block in blocks:
        block.evaluate()
    return len(blocks)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A working directory where files may be written."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def picture():
    """Closes the figures that a page or an example opened."""
    from matplotlib import pyplot

    yield
    pyplot.close("all")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_the_blocks_of_a_page_run(page, elsewhere, picture):
    assert run_blocks(page) >= (page.name == "README.md")


@pytest.mark.parametrize("example", EXAMPLES, ids=name)
def test_an_example_runs(example, elsewhere, picture):
    runpy.run_path(str(example), run_name="__main__")


@pytest.mark.slow
def test_the_example_that_learns_runs(printed, tmp_path):
    assert "learnt weights" in printed(LEARN)
    assert (tmp_path / "learned.png").exists()


def test_a_block_that_fails_is_seen(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("Text\n\n```python\nx = 1\n```\n\nand\n\n```python\nassert x == 2\n```\n")
    with pytest.raises(AssertionError):
        run_blocks(page)


def test_a_block_that_warns_is_seen(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\nimport warnings\nwarnings.warn('old', DeprecationWarning)\n```\n")
    with pytest.raises(DeprecationWarning):
        run_blocks(page)


def test_blocks_share_their_names_and_other_languages_are_left_alone(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "```python\nx = 1\n```\n\n```bash\nexit 1\n```\n\n```python\nassert x == 1\n```\n"
    )
    assert run_blocks(page) == 2
