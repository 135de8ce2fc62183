"""Wrong calls: one line on standard error and exit status 2, whatever was wrong."""

import argparse
import contextlib
import difflib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NoReturn

# Remedies that are arguments in Python, as options of the command line.
_IN_WORDS = {
    "pass a smaller size, as size=64, or a limit": "choose a smaller --size, as --size 64, or "
    "--number",
    "pass a limit of rows": "store fewer rows by --number",
}


class WrongCall(Exception):
    """What is wrong with the words on the command line, and what to do."""


class Parser(argparse.ArgumentParser):
    """A parser that raises `WrongCall` rather than print its usage and leave."""

    def __init__(self, *args, **kwargs):
        # An abbreviation that works today may be ambiguous in the next version.
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    def error(self, message: str) -> NoReturn:
        """Raise what argparse found, with the command that explains."""
        raise WrongCall(f"{message}; see {self.prog} --help")


def whole(least: int, most: int = 2**31 - 1) -> Callable[[str], int]:
    """A parser of whole numbers within bounds."""

    def parse(text: str) -> int:
        # Python refuses to convert thousands of digits, in words of its own.
        if not (text.isascii() and text.isdigit() and len(text) < 20):
            raise argparse.ArgumentTypeError(f"must be a whole number, but it is {text!r}")
        if not least <= int(text) <= most:
            bounds = f"be at least {least}" if int(text) < least else f"be at most {most}"
            raise argparse.ArgumentTypeError(f"must {bounds}, but it is {text}")
        return int(text)

    return parse


def size(text: str) -> tuple[int, int]:
    """Height and width: one number for a square, or two with an x between them."""
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) > 2:
        raise argparse.ArgumentTypeError(f"must be P or HxW, but it is {text!r}")
    sides = [whole(1, 2**15)(part) for part in parts]
    return sides[0], sides[-1]


def nearest(word: str, words: Iterable[str]) -> str:
    """` Did you mean ...?`, or nothing where no word is near."""
    close = difflib.get_close_matches(word, list(words), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


@contextlib.contextmanager
def wrong_calls(*kinds: type[Exception]) -> Iterator[None]:
    """Turn errors that a user can mend into a `WrongCall`."""
    try:
        yield
    except kinds as error:
        text = str(error)
        for python, command in _IN_WORDS.items():
            text = text.replace(python, command)
        raise WrongCall(text) from error


def checked_folder(text: str) -> Path:
    """A folder that is there or can be made; nothing is made yet."""
    path = Path(text).expanduser()
    for place in (path, *path.parents):
        if place.exists():
            if place.is_dir():
                break
            raise WrongCall(f"--out is {text!r}, but {str(place)!r} is a file; name a folder")
    return path
