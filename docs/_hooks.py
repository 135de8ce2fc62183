"""Pages that are made, not written, and the check that the API reference is whole.

- `examples/*.py` become pages, with what they print and draw: see `_examples.py`.
- `docs/systems/*.md` get figure, claims and notes from the last full run: see `_systems.py`.
- `CHANGELOG.md` and `CONTRIBUTING.md` are taken from the root of the repository.
- `references.md` lists `references.bib`; a `[key]` in any page or docstring becomes a link that
  reads Author (year), or (Author, year) if it stands in brackets: see `_bibliography.py`.
- Every public name must stand in a `:::` line of `docs/api`; a missing one fails a strict build.
"""

import importlib
import importlib.util
import inspect
import logging
import pkgutil
import re
from pathlib import Path
from types import ModuleType

import _bibliography as bibliography
import _examples as examples
import _systems as systems
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import attrax
from attrax import papers
from attrax.names import public_names

ROOT = Path(__file__).parent.parent
FROM_ROOT = {"changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}
DIRECTIVE = re.compile(r"^::: (attrax[\w.]*)", re.MULTILINE)
PICTURE = re.compile(r'(<img [^>]*src="([^"]+)"[^>]*>)')
log = logging.getLogger("mkdocs.hooks.attrax")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the systems and the examples where the navigation keeps a place for them."""
    made = {
        "Systems": systems.navigation(),
        "Examples": [f"examples/{path.stem}.md" for path in examples.paths()],
    }
    places = [{name: []} for name in made]
    config.nav = [
        {next(iter(entry)): made[next(iter(entry))]} if entry in places else entry
        for entry in config.nav or []
    ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    made = {f"examples/{path.stem}.md": examples.page(path) for path in examples.paths()}
    made["references.md"] = bibliography.references()
    made["systems/index.md"] = systems.index()
    for target, source in FROM_ROOT.items():
        made[target] = (ROOT / source).read_text("utf-8").replace("](docs/", "](")
    for target, text in made.items():
        files.append(File.generated(config, target, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in what was measured on the page of a system."""
    folder, _, name = page.file.src_uri.rpartition("/")
    if folder != "systems" or name == "index.md":
        return markdown
    return systems.fill(markdown, name.removesuffix(".md"))


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn every `[key]` of the bibliography into a link, and open pictures in full size."""
    target = files.get_file_from_path("references.md")
    if target is not None and page.file != target:
        url = target.url_relative_to(page.file)
        content = bibliography.link_citations(content, lambda key: f"{url}#{key}")
    if page.file.src_uri == "systems/index.md":  # whose pictures lead to pages
        return content
    return PICTURE.sub(r'<a href="\2">\1</a>', content)


@event_priority(-100)  # after the plugin that writes the index
def on_post_build(config: MkDocsConfig) -> None:
    """Compare what is public with the API reference, and the systems with their pages.

    The index of the search is written once more, for pages that are opened as files.
    """
    _write_index(Path(config.site_dir) / "search")
    slugs, pages = {it.slug for it in papers.systems()}, {it.slug for it in systems.systems()}
    for slug in sorted(slugs ^ pages):
        lacks = "no results: add a folder to attrax.papers" if slug in pages else "no page"
        log.warning("docs/systems/%s.md: the system has %s", slug, lacks)
    text = "".join(p.read_text(encoding="utf-8") for p in Path(config.docs_dir).glob("api/*.md"))
    names = DIRECTIVE.findall(text)
    for name in (name for name in names if name.split(".")[1] not in _absent()):
        parent, _, last = name.rpartition(".")
        if isinstance(_find(name), ModuleType) and not isinstance(
            getattr(_find(parent), last), ModuleType
        ):
            advice = f"write `::: {name}.{last}` with `heading: {name}` in its options"
            log.warning("`::: %s` shows the module of that name: %s", name, advice)
    for room in _absent():
        for last in public_names(room):
            if f"attrax.{room}.{last}" not in names:
                log.warning("attrax.%s.%s is public but in no page of docs/api", room, last)
    named = [_find(name) for name in names if name.split(".")[1] not in _absent()]
    for name, thing in _public().items():
        if not any(thing is other or _is_member(thing, other) for other in named):
            log.warning("%s is public but in no page of docs/api: add `::: %s`", name, name)


def _absent() -> list[str]:
    """Rooms that cannot be imported here, since what they need is not installed."""
    return [room for room, needed in attrax._NEEDS.items() if not importlib.util.find_spec(needed)]


def _write_index(folder: Path) -> None:
    """The search index as a script, which a page that is opened as a file may load."""
    index = (folder / "search_index.json").read_text(encoding="utf-8")
    (folder / "search_index.js").write_text(f"var __index = {index}", encoding="utf-8")


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


def _module(thing: object) -> str:
    return getattr(thing, "__module__", "")


def _public() -> dict[str, object]:
    """Every public object: the names of the root, and of each room one level down."""
    errors = importlib.import_module("attrax.common.checks")
    found: dict[int, tuple[str, object]] = {}
    names = {f"attrax.{name}" for name in attrax.__all__ if not name.startswith("_")}
    names |= {f"attrax.common.checks.{name}" for name, it in vars(errors).items() if _is_error(it)}
    for info in pkgutil.iter_modules(attrax.__path__, "attrax."):
        left_out = {"attrax.papers", *(f"attrax.{room}" for room in _absent())}
        if (info.ispkg or info.name == "attrax.plot") and info.name not in left_out:
            module = importlib.import_module(info.name)
            own = {name: it for name, it in vars(module).items() if not name.startswith("_")}
            if not info.ispkg:
                # Rooms export what they import by name; a module only uses it.
                own = {name: it for name, it in own.items() if _module(it) == info.name}
            names |= {f"{info.name}.{name}" for name in own}
    for name in sorted(names, key=lambda name: (name.count("."), name)):
        thing = _find(name)
        ours = _module(thing).startswith("attrax")
        if ours and (inspect.isclass(thing) or callable(thing)):
            found.setdefault(id(thing), (name, thing))
    return dict(found.values())
