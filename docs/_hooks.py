"""Pages that are made, not written, and the check that the API reference is whole.

- `examples/*.py` become pages: the docstring and comment lines that begin with `# ` in the first
  column are text, everything else is code.
- `CHANGELOG.md` and `CONTRIBUTING.md` are taken from the root of the repository.
- `references.md` lists `references.bib`; a `[key]` in any page becomes a link to its entry.
- Every public name must stand in a `:::` line of `docs/api`; a missing one fails a strict build.
"""

import ast
import html
import importlib
import inspect
import logging
import pkgutil
import re
from pathlib import Path
from types import ModuleType

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from attrax.bibliography import KEY, entries

ROOT = Path(__file__).parent.parent
FROM_ROOT = {"changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}
DIRECTIVE = re.compile(r"^::: (attrax[\w.]*)", re.MULTILINE)
PICTURE = re.compile(r'(<img [^>]*src="([^"]+)"[^>]*>)')
FIELD = re.compile(r"^\s+(\w+)\s+= \{(.*)\},$", re.MULTILINE)
log = logging.getLogger("mkdocs.hooks.attrax")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the examples into the navigation, or take their heading out."""
    pages = [f"examples/{path.stem}.md" for path in _examples()]
    nav = [entry for entry in config.nav or [] if entry != {"Examples": []} or pages]
    for entry in nav:
        if entry == {"Examples": []}:
            entry["Examples"] = pages
    config.nav = nav
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    made = {f"examples/{path.stem}.md": _example(path) for path in _examples()}
    made["references.md"] = _references()
    for target, source in FROM_ROOT.items():
        if (ROOT / source).exists():
            made[target] = (ROOT / source).read_text(encoding="utf-8")
    for target, text in made.items():
        files.append(File.generated(config, target, content=text))
    return files


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn every `[key]` of the bibliography into a link, and open pictures in full size."""
    here = page.file.src_uri

    def link(match: re.Match[str]) -> str:
        target = files.get_file_from_path("references.md")
        if match[1] not in entries() or target is None or here == "references.md":
            return match[0]
        return f'[<a href="{target.url_relative_to(page.file)}#{match[1]}">{match[1]}</a>]'

    return PICTURE.sub(r'<a href="\2">\1</a>', KEY.sub(link, content))


def on_post_build(config: MkDocsConfig) -> None:
    """Compare what is public with what the API reference names."""
    text = "".join(p.read_text(encoding="utf-8") for p in Path(config.docs_dir).glob("api/*.md"))
    named = [_find(name) for name in DIRECTIVE.findall(text)]
    for name, thing in _public().items():
        if not any(thing is other or _is_member(thing, other) for other in named):
            log.warning("%s is public but in no page of docs/api: add `::: %s`", name, name)


def _examples() -> list[Path]:
    return sorted((ROOT / "examples").glob("*.py"))


def _example(path: Path) -> str:
    """Markdown of one example script."""
    source = path.read_text(encoding="utf-8")
    module = ast.parse(source)
    doc = ast.get_docstring(module) or ""
    lines = source.splitlines()
    if doc:
        lines = lines[module.body[0].end_lineno :]
    blocks: list[tuple[bool, list[str]]] = []
    for line in lines:
        is_text = line == "#" or line.startswith("# ")
        if not blocks or blocks[-1][0] != is_text:
            blocks.append((is_text, []))
        blocks[-1][1].append(line[2:] if is_text else line)
    title, _, rest = doc.partition("\n")
    parts = [f"# {title.rstrip('.')}", rest.strip(), f"`python examples/{path.name}`"]
    for is_text, block in blocks:
        body = "\n".join(block).strip("\n")
        if body:
            parts.append(body if is_text else f"```python\n{body}\n```")
    return "\n\n".join(part for part in parts if part) + "\n"


def _references() -> str:
    """Markdown of the bibliography."""
    parts = [
        "# References",
        "The publications that attrax implements or compares itself with. "
        "`attrax.citation(thing)` gives the BibTeX entries behind any class, function or memory.",
    ]
    for key, entry in entries().items():
        field = {k: _plain(v) for k, v in FIELD.findall(entry)}
        venue = next((field[k] for k in ("journal", "booktitle", "publisher") if k in field), "")
        volume = ":".join(field[k] for k in ("volume", "pages") if k in field)
        text = f"{_authors(field['author'])} ({field['year']}). *{field['title']}*."
        text += f" {', '.join(part for part in (venue, volume) if part)}." if venue else ""
        if "doi" in field:
            text += f" [doi:{field['doi']}](https://doi.org/{field['doi']})"
        elif "eprint" in field:
            text += f" [arXiv:{field['eprint']}](https://arxiv.org/abs/{field['eprint']})"
        elif "url" in field:
            text += f" [link]({field['url']})"
        parts.append(f'<a id="{key}"></a>`{key}`\n:   {text}')
    return "\n\n".join(parts) + "\n"


def _plain(value: str) -> str:
    """A BibTeX value without its LaTeX."""
    marks = {'"': "\u0308", "'": "\u0301"}
    value = re.sub(r"\{\\([\"'])(\w)\}", lambda m: m[2] + marks[m[1]], value)
    value = value.replace(r"{\L}", "Ł").replace("--", "–")
    return html.escape(re.sub(r"[{}]", "", value), quote=False)


def _authors(names: str) -> str:
    people = [" ".join(reversed(name.split(", "))) for name in names.split(" and ")]
    return people[0] if len(people) == 1 else f"{', '.join(people[:-1])} and {people[-1]}"


def _find(name: str) -> object:
    """The object of a dotted name."""
    module, parts = name, []
    while True:
        try:
            thing: object = importlib.import_module(module)
            break
        except ModuleNotFoundError:
            module, _, last = module.rpartition(".")
            parts.insert(0, last)
    for part in parts:
        thing = getattr(thing, part)
    return thing


def _is_member(thing: object, other: object) -> bool:
    """Whether a `:::` line for the module `other` shows `thing` too."""
    return isinstance(other, ModuleType) and getattr(thing, "__module__", None) == other.__name__


def _is_error(thing: object) -> bool:
    return inspect.isclass(thing) and issubclass(thing, Exception)


def _public() -> dict[str, object]:
    """Every public object: the names of the root, and of each room one level down."""
    attrax = importlib.import_module("attrax")
    errors = importlib.import_module("attrax.errors")
    found: dict[int, tuple[str, object]] = {}
    names = {f"attrax.{name}" for name in attrax.__all__ if not name.startswith("_")}
    names |= {f"attrax.errors.{name}" for name, it in vars(errors).items() if _is_error(it)}
    for info in pkgutil.iter_modules(attrax.__path__, "attrax."):
        if (info.ispkg or info.name == "attrax.plot") and info.name != "attrax.papers":
            module = importlib.import_module(info.name)
            names |= {f"{info.name}.{name}" for name in vars(module) if not name.startswith("_")}
    for name in sorted(names, key=lambda name: (name.count("."), name)):
        thing = _find(name)
        ours = getattr(thing, "__module__", "").startswith("attrax")
        if ours and (inspect.isclass(thing) or callable(thing)):
            found.setdefault(id(thing), (name, thing))
    return dict(found.values())
