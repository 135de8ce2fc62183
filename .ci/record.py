"""Run systems in full and put what came out where it belongs: `make record SLUG="a b"`.

Claims and panels go into src/attrax/papers/SLUG/results.json, the panels' pictures into
docs/systems/img/SLUG. The pages of the documentation are made from both.
"""

import shutil
import sys
from pathlib import Path

import attrax
from attrax.papers import reproduce
from attrax.papers.panels import draw_panel
from attrax.papers.reproduction import Reproduction, write_json

ROOT = Path(__file__).parent.parent


def record(result: Reproduction) -> None:
    """Write results and pictures of a full run."""
    pictures = ROOT / "docs" / "systems" / "img" / result.slug
    shutil.rmtree(pictures, ignore_errors=True)
    pictures.mkdir(parents=True)
    for name, panel in result.panels.items():
        draw_panel(pictures / f"{name}.png", panel, result.run)
    panels = [{"name": name, "title": panel.title} for name, panel in result.panels.items()]
    folder = ROOT / "src" / "attrax" / "papers" / result.slug.replace("-", "_")
    write_json(folder / "results.json", {**result.to_json(), "panels": panels})


def main(slugs: list[str]) -> int:
    """Record each system that is named."""
    if not slugs:
        print('name systems: make record SLUG="hopfield-1982"', file=sys.stderr)
        return 2
    attrax.enable_compilation_cache()
    for slug in slugs:
        result = reproduce(slug, profile="full")
        print(result.table(), flush=True)
        record(result)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
