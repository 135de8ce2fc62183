"""Citations as Author (year), and the page that lists `references.bib`."""

import functools
import html
import re
from collections.abc import Callable

from attrax.bibliography import KEY, entries

_FIELD = re.compile(r"^\s+(\w+)\s+= \{(.*)\},$", re.MULTILINE)
# Citations that stand alone in brackets: ([key]), or ([key]; [key]).
_BRACKETED = re.compile(rf"\(({KEY.pattern}(?:[;,] {KEY.pattern})*)\)")


def link_citations(content: str, url: Callable[[str], str]) -> str:
    """HTML in which each `[key]` is a link: Author (year), or (Author, year) if in brackets.

    **Arguments:**

    - `content`: HTML.
    - `url`: a function of a key to where its entry stands.
    """

    def link(match: re.Match[str], form: str) -> str:
        if match[1] not in entries():
            return match[0]
        author, year = authors(match[1]), years()[match[1]]
        title = html.escape(_plain(_fields(match[1])["title"]))
        text = form.format(author=author, year=year)
        return f'<a class="citation" href="{url(match[1])}" title="{title}">{text}</a>'

    def bracketed(match: re.Match[str]) -> str:
        return f"({KEY.sub(lambda m: link(m, '{author}, {year}'), match[1])})"

    content = _BRACKETED.sub(bracketed, content)
    return KEY.sub(lambda m: link(m, "{author} ({year})"), content)


def name(key: str) -> str:
    """Author (year) of an entry, as plain text."""
    return f"{authors(key)} ({years()[key]})"


def authors(key: str) -> str:
    """The last names of one or two authors; of more the first, et al."""
    last = [_plain(person.split(", ")[0]) for person in _fields(key)["author"].split(" and ")]
    return f"{last[0]} et al." if len(last) > 2 else " and ".join(last)


@functools.cache
def years() -> dict[str, str]:
    """The year by key, with a letter where authors and year are those of another entry too."""
    alike: dict[tuple[str, str], list[str]] = {}
    for key in entries():
        alike.setdefault((authors(key), _fields(key)["year"]), []).append(key)
    return {
        key: year + (chr(ord("a") + i) if len(keys) > 1 else "")
        for (_, year), keys in alike.items()
        for i, key in enumerate(keys)
    }


def references() -> str:
    """Markdown of the bibliography."""
    parts = [
        "# References",
        "attrax implements these publications or compares itself with them. "
        "`attrax.citation(thing)` gives the BibTeX entries behind any class, function or memory.",
    ]
    for key in sorted(entries(), key=lambda key: (authors(key).lower(), years()[key])):
        field = {k: _plain(v) for k, v in _fields(key).items()}
        venue = next((field[k] for k in ("journal", "booktitle", "publisher") if k in field), "")
        volume = ":".join(field[k] for k in ("volume", "pages") if k in field)
        text = f"{_everybody(field['author'])} ({years()[key]}). *{field['title']}*."
        text += f" {', '.join(part for part in (venue, volume) if part)}." if venue else ""
        if "doi" in field:
            text += f" [doi:{field['doi']}](https://doi.org/{field['doi']})"
        elif "eprint" in field:
            text += f" [arXiv:{field['eprint']}](https://arxiv.org/abs/{field['eprint']})"
        elif "url" in field:
            text += f" [link]({field['url']})"
        parts.append(f'<a id="{key}"></a>{name(key)} `{key}`\n:   {text}')
    return "\n\n".join(parts) + "\n"


def _fields(key: str) -> dict[str, str]:
    return dict(_FIELD.findall(entries()[key]))


def _plain(value: str) -> str:
    """A BibTeX value without its LaTeX."""
    marks = {'"': "\u0308", "'": "\u0301"}
    value = re.sub(r"\{\\([\"'])(\w)\}", lambda m: m[2] + marks[m[1]], value)
    value = value.replace(r"{\L}", "Ł").replace("--", "–")
    return html.escape(re.sub(r"[{}]", "", value), quote=False)


def _everybody(names: str) -> str:
    people = [" ".join(reversed(name.split(", "))) for name in names.split(" and ")]
    return people[0] if len(people) == 1 else f"{', '.join(people[:-1])} and {people[-1]}"
