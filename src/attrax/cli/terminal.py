"""What the terminal can show: colours, and how wide it is."""

import os
import shutil
from typing import Any

# Green, yellow, blue, grey, red; each reads on a dark and on a light ground.
_CODES = {"holds": "32", "differs": "33", "not decided": "36", "not run": "2", "fails": "1;31"}
# Longer lines are hard to read, and shorter ones hold no table.
_LEAST, _MOST = 40, 120


def has_colours(stream: Any) -> bool:
    """Whether a stream is shown in colour: a terminal, unless NO_COLOR or FORCE_COLOR say else."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") != "0":
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def width() -> int:
    """The columns of the terminal, or those that COLUMNS names; 80 where there is neither."""
    return min(max(shutil.get_terminal_size((80, 24)).columns, _LEAST), _MOST)


class Painter:
    """Colours of verdicts on a stream: a function of (verdict, text)."""

    def __init__(self, stream: Any):
        self._on = has_colours(stream)

    def __call__(self, verdict: str, text: str) -> str:
        """The text in the verdict's colour, or as it is."""
        code = _CODES.get(verdict)
        return f"\x1b[{code}m{text}\x1b[0m" if self._on and code and text else text
