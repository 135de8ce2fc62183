"""Wrong calls: one line on standard error and exit status 2, whatever was wrong."""

import argparse
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn


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
            raise argparse.ArgumentTypeError(f"must lie in {least} to {most}, but it is {text}")
        return int(text)

    return parse


@contextlib.contextmanager
def wrong_calls(*kinds: type[Exception]) -> Iterator[None]:
    """Turn errors that a user can mend into a `WrongCall`."""
    try:
        yield
    except kinds as error:
        raise WrongCall(str(error)) from error


def checked_folder(text: str) -> Path:
    """A folder that is there or can be made; nothing is made yet."""
    path = Path(text).expanduser()
    for place in (path, *path.parents):
        if place.exists():
            if place.is_dir():
                break
            raise WrongCall(f"--out is {text!r}, but {str(place)!r} is a file; name a folder")
    return path
