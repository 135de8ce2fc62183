"""Example scripts, what they print and the pictures they save, as pages.

`make examples` runs the scripts of `RECORDED` and keeps both in `docs/img/examples`; the tests
compare what is printed with it. A script that draws several pictures saves them in a folder of its
name, for a guide to show. The other scripts print the tables of a guide, which shows them and
their picture. In a script, the docstring and comment lines that begin with `# ` in the first
column are text, everything else is code.
"""

import ast
import contextlib
import io
import os
import runpy
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "img"
RECORD = IMAGES / "examples"
RECORDED = (
    "complete",
    "denoise",
    "energy_landscapes",
    "fill_in_patches",
    "find_in_bags",
    "learn",
    "learn_in_context",
    "own_images",
)
# The guides that show what some scripts print or draw.
GUIDES = {
    "energy_landscapes": "energy-landscapes.md",
    "which_beta": "choosing.md",
    "which_dynamics": "which-dynamics.md",
    "which_layer": "hopfield-layer.md",
    "which_memory": "which-memory.md",
    "which_memory_of_pictures": "which-memory.md",
    "which_sequence_memory": "which-sequence-memory.md",
    "which_similarity": "choosing.md",
}


def paths() -> list[Path]:
    """The scripts."""
    return sorted((ROOT / "examples").glob("*.py"))


def page(path: Path) -> str:
    """Markdown of one script: its text, its picture, its code, and what it prints."""
    source = path.read_text(encoding="utf-8")
    module = ast.parse(source)
    doc = ast.get_docstring(module) or ""
    lines = source.splitlines()
    if doc:
        lines = lines[module.body[0].end_lineno :]
    title, _, rest = doc.partition("\n")
    title = title.rstrip(".")
    parts = [f"# {title}", rest.strip()]
    if path.stem in GUIDES:
        what = "draws" if path.stem in RECORDED else "prints"
        parts.append(f"[The guide](../{GUIDES[path.stem]}) shows what the script {what}.")
    parts += [
        f"![The picture that the script draws: {title}](../{picture.relative_to(IMAGES.parent)})"
        for folder in (RECORD, IMAGES)
        if (picture := folder / f"{path.stem}.png").exists()
    ]
    parts.append(f"Run it by `python examples/{path.name}`.")
    parts += [text if is_text else f"```python\n{text}\n```" for is_text, text in _blocks(lines)]
    if path.stem in RECORDED:
        printed = (RECORD / f"{path.stem}.txt").read_text(encoding="utf-8")
        parts += ["## Output", f"```text\n{printed.rstrip()}\n```"]
    return "\n\n".join(part for part in parts if part) + "\n"


def run(path: Path, folder: str | os.PathLike) -> str:
    """Run a script in a folder, where its pictures stay; what it prints."""
    printed = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(printed):
        runpy.run_path(str(path), run_name="__main__")
    return printed.getvalue()


def record(path: Path) -> None:
    """Run a script and keep what it prints and the pictures it saves."""
    from PIL import Image

    RECORD.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        (RECORD / f"{path.stem}.txt").write_text(run(path, folder), encoding="utf-8")
        # One picture at most, or several in a folder.
        pictures = dict.fromkeys(Path(folder).glob("*.png"), f"{path.stem}.png")
        several = Path(folder) / path.stem
        pictures |= {picture: f"{path.stem}/{picture.name}" for picture in several.glob("*.png")}
        for picture, name in pictures.items():
            (RECORD / name).parent.mkdir(exist_ok=True)
            with Image.open(picture) as image:  # 256 colours are a third of the size
                small = image.convert("RGB").quantize(
                    256,
                    # Of colours that are rare, such as those of a star, none is given up.
                    Image.Quantize.MAXCOVERAGE if picture.parent == several else None,
                    dither=Image.Dither.NONE,
                )
                small.save(RECORD / name, optimize=True)


def _blocks(lines: list[str]) -> list[tuple[bool, str]]:
    """Stretches of text and of code, as (is text, what it says)."""
    blocks: list[tuple[bool, list[str]]] = []
    for line in lines:
        is_text = line == "#" or line.startswith("# ")
        if not blocks or blocks[-1][0] != is_text:
            blocks.append((is_text, []))
        blocks[-1][1].append(line[2:] if is_text else line)
    stripped = [(is_text, "\n".join(block).strip("\n")) for is_text, block in blocks]
    return [(is_text, text) for is_text, text in stripped if text]


if __name__ == "__main__":
    for name in RECORDED:
        record(ROOT / "examples" / f"{name}.py")
