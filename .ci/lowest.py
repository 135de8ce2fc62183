"""Print pip constraints that pin every dependency to the lower bound in pyproject.toml."""

import re
import sys
import tomllib
from pathlib import Path

EXTRAS = ("plot", "data", "sklearn", "progress", "test")
REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)\s*>=\s*(?P<bound>[0-9.]+)\s*(,.*)?")


def main() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = list(project["dependencies"])
    for extra in EXTRAS:
        requirements += project["optional-dependencies"][extra]
    for requirement in requirements:
        if requirement.startswith("attrax["):
            continue
        match = REQUIREMENT.fullmatch(requirement)
        if match is None:
            sys.exit(f"pyproject.toml: {requirement!r} has no lower bound; write name>=version.")
        print(f"{match['name']}=={match['bound']}")


if __name__ == "__main__":
    main()
