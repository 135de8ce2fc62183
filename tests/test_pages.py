"""What a reader is shown runs: the Python blocks of the pages, and the examples."""

import importlib
import json
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
# Those whose numbers stand on a page are run, and compared with it, by test_examples.py.
LEARN = ROOT / "examples" / "learn.py"
BAGS = ROOT / "examples" / "find_in_bags.py"
IN_CONTEXT = ROOT / "examples" / "learn_in_context.py"
FILL_IN = ROOT / "examples" / "fill_in_patches.py"
LANDSCAPES = ROOT / "examples" / "energy_landscapes.py"
SYSTEMS = [
    page
    for page in sorted(ROOT.glob("docs/systems/*.md"))
    if "<!-- claims -->" in page.read_text(encoding="utf-8")
]
SECTIONS = [
    "## The system",
    "## In code",
    "## In attrax's terms",
    "## What to take home",
    "## Run it",
    "## Claims",
]
# What the code of a page needs besides attrax's own extras.
NEEDS = {"from-pytorch.md": "torch", "export.md": "jax2onnx"}
OTHERS = {*ROOT.glob("examples/which_*.py"), LEARN, BAGS, IN_CONTEXT, FILL_IN, LANDSCAPES}
EXAMPLES = sorted(set(ROOT.glob("examples/*.py")) - OTHERS)


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


@pytest.fixture
def maker(monkeypatch):
    """Imports what makes pages: a module of `docs/` by name."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    return importlib.import_module


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_the_blocks_of_a_page_run(page, elsewhere, picture):
    if page.name in NEEDS:
        pytest.importorskip(NEEDS[page.name], reason=f"{NEEDS[page.name]} is not installed")
    assert run_blocks(page) >= (page.name == "README.md")


def split(text):
    """Words and numbers of a text, apart."""
    numbers = r"(?<![\w.])\d+(?:\.\d+)?(?![\w])"
    return re.split(numbers, text), [float(number) for number in re.findall(numbers, text)]


def compare(example, printed):
    """What an example prints is what its page shows, but for what rounding may do elsewhere."""
    record = ROOT / "docs" / "img" / "examples" / f"{example.stem}.txt"
    words, numbers = split(record.read_text(encoding="utf-8"))
    found_words, found_numbers = split(printed)
    assert found_words == words
    assert found_numbers == [
        pytest.approx(number, abs=2) if number.is_integer() else pytest.approx(number, rel=0.02)
        for number in numbers
    ]


@pytest.mark.parametrize("example", EXAMPLES, ids=name)
def test_an_example_prints_what_its_page_shows(example, elsewhere, picture, capsys):
    runpy.run_path(str(example), run_name="__main__")
    compare(example, capsys.readouterr().out)


@pytest.mark.slow
def test_the_example_that_learns_prints_what_its_page_shows(printed, tmp_path):
    compare(LEARN, printed(LEARN))
    assert (tmp_path / "learned.png").exists()


@pytest.mark.slow
def test_the_example_that_learns_in_context_prints_what_its_page_shows(printed, tmp_path):
    compare(IN_CONTEXT, printed(IN_CONTEXT))
    assert (tmp_path / "learn_in_context.png").exists()


@pytest.mark.slow
def test_the_example_of_bags_prints_what_its_page_shows(printed, tmp_path):
    compare(BAGS, printed(BAGS))
    assert (tmp_path / "find_in_bags.png").exists()


@pytest.mark.slow
def test_the_example_that_fills_in_prints_what_its_page_shows(printed, tmp_path):
    compare(FILL_IN, printed(FILL_IN))
    assert (tmp_path / "fill_in_patches.png").exists()


@pytest.mark.slow
def test_the_landscapes_are_those_that_their_page_shows(printed, tmp_path):
    record = ROOT / "docs" / "img" / "examples"
    shown = (record / "energy_landscapes.txt").read_text(encoding="utf-8")
    assert printed(LANDSCAPES) == shown
    page = (ROOT / "docs" / "energy-landscapes.md").read_text(encoding="utf-8")
    pictures = set(re.findall(r"img/examples/energy_landscapes/(\w+\.png)", page))
    for folder in (tmp_path, record):
        assert {path.name for path in folder.glob("energy_landscapes/*.png")} == pictures
    assert len(pictures) == len(table(shown))


def table(text):
    """The lines of a Markdown table below its head."""
    return [line for line in text.splitlines() if line.startswith("|")][2:]


def test_another_output_is_seen():
    assert split("3 of 10: error 0.25") == (["", " of ", ": error ", ""], [3.0, 10.0, 0.25])
    shown = (ROOT / "docs" / "img" / "examples" / "denoise.txt").read_text(encoding="utf-8")
    example = ROOT / "examples" / "denoise.py"
    compare(example, shown)
    for other in (shown + "!", re.sub(r"\d+", "500", shown)):
        with pytest.raises(AssertionError):
            compare(example, other)


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


@pytest.mark.parametrize("page", SYSTEMS, ids=name)
def test_the_page_of_a_system_follows_the_template(page):
    text = page.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 80
    assert text.count("<!-- claims -->") == 1
    assert re.findall("^## .*$", text, re.MULTILINE) == SECTIONS


RUN = {
    "profile": "full",
    "seconds": 400.0,
    "panels": [],
    "claims": [
        {
            "name": "Rises of E < 1 & `f(x)`",
            "paper": "0 (theorem)",
            "measured": 0.0,
            "error": None,
            "verdict": "holds",
            "source": "Theorem 1",
            "note": "",
        },
        {
            "name": "Shares",
            "paper": "0.6",
            "measured": 0.5971,
            "error": 0.0052,
            "verdict": "not decided",
            "source": "Table 2",
            "note": "Of 6000 networks.",
        },
    ],
}


def test_claims_are_shown_with_their_verdicts_and_notes(maker):
    shown = maker("_systems").claims("hopfield-1982", RUN)
    assert "full profile, in 7 min on two cores: 1 of 2 claims hold" in shown
    assert "<td>Rises of E &lt; 1 &amp; <code>f(x)</code></td>" in shown
    assert shown.count("<tr>") == 3
    assert '<span class="verdict not-decided">not decided</span>' in shown
    assert ">0.597 ± 0.005</td>" in shown
    assert shown.count("<details>") == 1
    assert "<summary>Shares</summary>\n<p>Of 6000 networks.</p>" in shown
    assert "Source: Table 2" in shown
    assert '<div class="panels">' not in shown


def test_panels_are_shown_and_a_missing_picture_is_reported(maker, caplog):
    panel = {"name": "rules", "title": 'Rules, "N" = 500'}
    shown = maker("_systems").claims("no-system", RUN | {"panels": [panel]})
    picture = 'alt="Rules, &quot;N&quot; = 500" src="img/no-system/rules.png"'
    assert picture in shown
    assert "img/no-system/rules.png is missing" in caplog.text


def test_a_system_without_results_says_so(maker):
    systems = maker("_systems")
    page = systems.fill("# A system\n\n<!-- claims -->\n", "no-system")
    assert "Not run yet" in page
    assert "attrax reproduce no-system --profile full" in page
    assert systems.results("no-system") is None


@pytest.mark.parametrize(
    ("measured", "error", "shown"),
    [
        (None, None, "–"),
        (0.0, None, "0"),
        (-3.0, 0.0, "−3"),
        (0.98765, None, "0.988"),
        (2.3e-15, None, "2.3 · 10<sup>−15</sup>"),
        (0.5971, 0.0052, "0.597 ± 0.005"),
        (0.98961, 0.00108, "0.9896 ± 0.0011"),
        (-14.26, 2.6, "−14 ± 3"),
        (7.7e-4, 1.2e-4, "(7.7 ± 1.2) · 10<sup>−4</sup>"),
        (0.5, 1e-9, "0.500"),
    ],
)
def test_a_number_has_the_digits_that_its_error_allows(maker, measured, error, shown):
    assert maker("_systems").show(measured, error) == shown


def test_every_system_has_a_card_and_a_place_in_the_navigation(maker):
    systems = maker("_systems")
    slugs = {page.stem for page in ROOT.glob("docs/systems/*.md")}
    assert {system.slug for system in systems.systems()} == slugs
    places = [
        page for group in systems.navigation()[1:] for pages in group.values() for page in pages
    ]
    assert sorted(places) == sorted(f"systems/{slug}.md" for slug in slugs)
    assert set(re.findall(r'href="([\w-]+)\.html"', systems.index())) == slugs


def test_citations_read_author_and_year(maker):
    def linked(text):
        shown = maker("_bibliography").link_citations(text, lambda key: f"references.html#{key}")
        return re.sub(r' title="[^"]+"', "", shown)

    def link(key, text):
        return f'<a class="citation" href="references.html#{key}">{text}</a>'

    one, two = "hopfield1982neural", "krotov2016dense"
    assert linked(f"[{one}] says") == link(one, "Hopfield (1982)") + " says"
    assert linked(f"[{one}], [{two}]") == (
        link(one, "Hopfield (1982)") + ", " + link(two, "Krotov and Hopfield (2016)")
    )
    assert linked(f"so ([{one}]; [{two}]).") == (
        f"so ({link(one, 'Hopfield, 1982')}; {link(two, 'Krotov and Hopfield, 2016')})."
    )
    assert linked("[millidge2022universal]").endswith(">Millidge et al. (2022)</a>")
    assert linked("[amit1985spin]") != linked("[amit1985storing]").replace("storing", "spin")
    assert linked("rows[nobody2000nothing]") == "rows[nobody2000nothing]"


def formulas(text):
    """The formulas of a page, in display style and within a line, outside of its code."""
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    display = re.findall(r"\$\$(.+?)\$\$", prose, re.DOTALL)
    inline = re.findall(
        r"\$(\S(?:[^$]*?\S)?)\$", re.sub(r"\$\$.+?\$\$", "", prose, flags=re.DOTALL)
    )
    return display + inline


def test_formulas_are_found():
    page = "`$x$` $a$ or $b + c$\n\n$$\nd\n$$\n\n```\n$e$\n```\n"
    assert formulas(page) == ["\nd\n", "a", "b + c"]


def test_every_formula_is_understood_by_the_typesetter():
    if shutil.which("node") is None:
        pytest.skip("node is not here")
    sources = [it for page in PAGES for it in formulas(page.read_text(encoding="utf-8"))]
    assert sources
    code = (
        "const katex = require(process.argv[1]);"
        "for (const source of JSON.parse(require('fs').readFileSync(0)))"
        " try { katex.renderToString(source, {strict: 'error'}) }"
        " catch (error) { console.log(source, error.message) }"
    )
    typesetter = str(ROOT / "docs" / "katex" / "katex.min.js")
    done = subprocess.run(
        ["node", "-e", code, typesetter],
        input=json.dumps(sources),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""
