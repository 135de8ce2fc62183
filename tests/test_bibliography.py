import ast
import dataclasses
import re

import pytest

from attrax.bibliography import KEY, citation, entries
from attrax.version import __version__

# Entries that no docstring and no page cites yet, each for a part of the field that attrax names.
UNCITED = {
    "bricken2021attention",
    "hoover2023energy",
    "hopfield1984neurons",
    "jaccard1912distribution",
    "krotov2021hierarchical",
    "krotov2021large",
    "kullback1951information",
    "lin1991divergence",
    "vaswani2017attention",
    "welling2011bayesian",
}
REQUIRED = {
    "article": {"author", "title", "journal", "volume", "pages", "year"},
    "book": {"author", "title", "publisher", "year"},
    "inproceedings": {"author", "title", "booktitle", "year"},
    "misc": {"author", "title", "year", "eprint"},
    "software": {"author", "title", "version", "year"},
}
FIELD = re.compile(r"^  (\w+)\s+= \{(.*)\},$", re.MULTILINE)


def fields(entry):
    """The fields of one BibTeX entry; fails if any of it is not understood."""
    head = re.match(r"@(\w+)\{(\w+),\n", entry)
    assert head, entry
    found = dict(FIELD.findall(entry))
    body = entry[head.end() :]
    assert body.endswith("}"), entry
    assert len(body.splitlines()) == len(found) + 1, f"a line is not `name = {{value}},`:\n{entry}"
    for value in found.values():
        assert value.count("{") == value.count("}")
    return head[1], head[2], found


def cited_in_docstrings(root):
    keys = {}
    for path in sorted((root / "src" / "attrax").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                for key in KEY.findall(ast.get_docstring(node) or ""):
                    keys.setdefault(key, path.relative_to(root))
    return keys


class Cited:
    """A thing.

    **Source:** [millidge2022universal], Table 1; after
    [krotov2016dense]

    **Raises:** nothing about [hopfield1982neural].
    """


class Uncited:
    """A thing like [krotov2016dense], which is not on a source line."""


@dataclasses.dataclass
class Whole:
    """A whole.

    **Source:** [hopfield1982neural]
    """

    part: object
    number: float = 1.0


@pytest.mark.parametrize("key", entries())
def test_every_entry_parses(key):
    kind, name, found = fields(entries()[key])
    assert name == key
    assert found.keys() >= REQUIRED[kind]
    assert found["year"] in key
    author = re.sub(r"[^a-z]", "", found["author"].split(",")[0].lower())
    assert key.startswith(author)
    assert key.removeprefix(author + found["year"]) in re.findall(r"[a-z]+", found["title"].lower())


def test_no_entry_is_lost_or_doubled(root):
    text = (root / "src" / "attrax" / "references.bib").read_text(encoding="utf-8")
    assert text.count("\n@") == len(entries())


def test_every_cited_key_has_an_entry(root):
    missing = {k: str(p) for k, p in cited_in_docstrings(root).items() if k not in entries()}
    assert not missing


def test_every_entry_is_cited_or_expected(root):
    pages = "".join(
        p.read_text(encoding="utf-8") for p in [root / "README.md", *root.glob("docs/**/*.md")]
    )
    cited = cited_in_docstrings(root).keys() | set(KEY.findall(pages))
    assert entries().keys() >= UNCITED
    assert entries().keys() - cited <= UNCITED


def test_sources_of_a_class_and_of_its_instance():
    expected = f"{entries()['millidge2022universal']}\n\n{entries()['krotov2016dense']}"
    assert citation(Cited) == citation(Cited()) == expected


def test_sources_of_parts_follow_once():
    own, part = entries()["hopfield1982neural"], citation(Cited)
    assert citation(Whole(Cited())) == f"{own}\n\n{part}"
    assert citation(Whole(Whole(None))) == own


def test_sources_of_a_function_behind_a_wrapper():
    def function():
        """Does a thing.

        **Source:** [lin1991divergence]
        """

    def wrapper():
        return function()

    wrapper.__wrapped__ = function
    assert citation(wrapper) == citation(function) == entries()["lin1991divergence"]


@pytest.mark.parametrize("thing", [Uncited, Uncited(), 3, "text", len])
def test_an_object_without_a_source_is_an_error(thing):
    with pytest.raises(ValueError, match=r"names no source.*without an argument"):
        citation(thing)


def test_an_unknown_key_is_an_error():
    def function():
        """**Source:** [nobody1900nothing]"""

    with pytest.raises(ValueError, match=r"nobody1900nothing, which references\.bib does not hold"):
        citation(function)


def test_attrax_itself():
    kind, key, found = fields(citation())
    assert (kind, key, found["version"]) == ("software", "attrax", __version__)
    assert found.keys() >= REQUIRED["software"]


def test_a_public_object_cites_its_paper():
    from attrax.separation import Softmax

    assert citation(Softmax) == citation(Softmax(1.0)) == entries()["ramsauer2021hopfield"]
