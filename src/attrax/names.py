"""What a mistyped name may have meant, looked up without importing anything."""

import ast
import difflib
from collections.abc import Sequence
from pathlib import Path

_HERE = Path(__file__).parent
_MOST = 3


def suggest(name: str, rooms: Sequence[str], exports: Sequence[str]) -> list[str]:
    """Public names of attrax that are like a given one, the likeliest first.

    Case and underscores do not count, so `HopfieldNetwork` means `hopfield_network`.

    **Arguments:**

    - `name`: what was asked for.
    - `rooms`: the sub-packages whose names are looked through.
    - `exports`: the names of attrax itself.

    **Returns:** three at most, as `attrax.models.hopfield_network`; a name that is the same but
    for case and underscores stands alone.
    """
    places: dict[str, list[str]] = {}
    for each in (*exports, *rooms):
        places.setdefault(_plain(each), []).append(f"attrax.{each}")
    for room in rooms:
        for each in public_names(room):
            places.setdefault(_plain(each), []).append(f"attrax.{room}.{each}")
    wanted = _plain(name)
    if wanted in places:
        return places[wanted][:_MOST]
    close = difflib.get_close_matches(wanted, places, n=_MOST, cutoff=0.75)
    if len(wanted) >= 4:
        close += [each for each in places if wanted in each and each not in close]
    return [place for each in close for place in places[each]][:_MOST]


def public_names(room: str) -> list[str]:
    """The names that a sub-package exports, read from its source."""
    path = _HERE / room / "__init__.py"
    path = path if path.exists() else _HERE / f"{room}.py"
    names = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            names += [alias.name for alias in node.names if alias.asname == alias.name]
        elif isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            names.append(node.name)
    return names


def _plain(name: str) -> str:
    return name.replace("_", "").lower()
