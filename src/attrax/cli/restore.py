"""`attrax restore`: damaged pictures of the user's own, from the clean ones."""

import argparse
import json
import math
import sys
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from ..common.files import replace_file
from ..compilation import enable_compilation_cache
from ..data.images import MAX_VALUES
from ..retrieval import retrieve
from ..stores.rows import Memory
from . import pictures
from .evidence import SURE, Evidence
from .pictures import Missing, Places, Refused
from .sift import sift
from .terminal import Painter, width
from .wrong import WrongCall, checked_folder, wrong_calls

# Clean pictures are held several times over, as floats.
_MOST_VALUES = MAX_VALUES // 4
# Queries that run together hold about so many entries.
_CHUNK = 2**21


class Clean(NamedTuple):
    """The clean pictures.

    - `x`: in [0, 1], shape (n, d).
    - `names`: their files.
    - `shape`: of one, (H, W) or (3, H, W).
    """

    x: Float[np.ndarray, "n d"]
    names: list[str]
    shape: tuple[int, ...]


class Log:
    """What could not be used, told at once and kept for the report."""

    def __init__(self):
        self.skipped: list[dict[str, str]] = []

    def refuse(self, file: Path | str, reason: str) -> None:
        """Name a file and say why it is left out."""
        self.skipped.append({"file": str(file), "reason": reason})
        tell(f"left out: {file}: {reason}")


def tell(text: str) -> None:
    """One remark on standard error."""
    print(f"attrax: {text}", file=sys.stderr, flush=True)


def run(args: argparse.Namespace) -> int:
    """Carry out the command; the exit status."""
    out = checked_folder(args.out)
    log = Log()
    with wrong_calls(ModuleNotFoundError):
        missing = None if args.missing is None else Missing(args.missing)
        stored, damaged = (
            pictures.find(text, what, out)
            for text, what in ((args.clean, "CLEAN"), (args.damaged, "DAMAGED"))
        )
        masks = None if args.mask is None else pictures.find(args.mask, "--mask", out)
        _check_out(out, [stored, damaged, *([masks] if masks else [])])
        clean, copies = _read_clean(stored, args.size, log)
    enable_compilation_cache()
    memory, evidence = Memory(clean.x), Evidence(clean.x, clean.shape)
    if not args.json:
        size = " × ".join(map(str, clean.shape[-2:]))
        kind = "colour" if len(clean.shape) == 3 else "grey"
        print(f"{len(clean.x)} clean pictures stored: {kind}, {size} pixels\n", flush=True)
    results: list[dict[str, Any]] = []
    batch = max(1, min(64, _CHUNK // clean.x.shape[1]))
    scale = args.size is not None
    for begin in range(0, len(damaged.files), batch):
        files, rows, known = [], [], []
        for file in damaged.files[begin : begin + batch]:
            try:
                row, mask = _read_damaged(file, clean, scale, missing, masks)
            except Refused as reason:
                log.refuse(file, str(reason))
                continue
            files.append(file)
            rows.append(row)
            known.append(mask)
        if not files:
            continue
        states = _retrieve(memory, np.stack(rows), np.stack(known))
        for file, row, mask, state in zip(files, rows, known, states, strict=True):
            result = _judge(damaged.name(file), row, mask, state, clean, evidence)
            levels = np.rint(np.clip(state, 0, 1) * 255).astype(np.uint8).reshape(clean.shape)
            try:
                pictures.write(out / result["file"], levels)
            except (OSError, ValueError) as error:
                log.refuse(file, f"it is restored, but cannot be written: {error}")
                continue
            results.append(result)
            if not args.json:
                print(_line(result), flush=True)
    report = {"stored": len(clean.x), "copies": copies, "restored": results}
    report["left out"] = log.skipped
    _finish(args, out, report, len(damaged.files))
    return int(bool(log.skipped) or not all(result["sure"] for result in results))


def _check_out(out: Path, inputs: list[Places]) -> None:
    """Refuse to write over what is read."""
    read = {file.resolve() for places in inputs for file in places.files}
    damaged = inputs[1]
    for file in damaged.files:
        target = (out / damaged.name(file)).resolve()
        if target in read:
            raise WrongCall(f"--out is {str(out)!r}, where {target.name} would be replaced")


def _read_clean(
    stored: Places, size: tuple[int, int] | None, log: Log
) -> tuple[Clean, dict[str, str]]:
    """The clean pictures that can be used, and which of the others are copies of which."""
    looks = pictures.sizes(stored.files, log.refuse)
    if not looks:
        raise WrongCall(f"none of the {len(stored.files)} clean pictures can be read")
    scale = size is not None
    size = size or pictures.usual(looks)
    grey = all(is_grey for _, is_grey in looks.values())
    values = len(looks) * size[0] * size[1] * (1 if grey else 3)
    if values > _MOST_VALUES:
        share = (_MOST_VALUES / values) ** 0.5
        smaller = f"{max(1, int(size[0] * share))}x{max(1, int(size[1] * share))}"
        raise WrongCall(
            f"{len(looks)} pictures of {size[0]} × {size[1]} pixels are too many to hold; "
            f"--size {smaller} fits"
        )
    rows, names = [], []
    for file in looks:
        try:
            pixels, _ = pictures.read(file, grey, size, scale)
        except Refused as reason:
            log.refuse(file, str(reason))
            continue
        rows.append(np.divide(pixels, 255, dtype=np.float32).reshape(-1))
        names.append(stored.name(file))
    if not rows:
        raise WrongCall(f"none of the {len(stored.files)} clean pictures can be read")
    x = np.stack(rows)
    keep, remarks, copies = sift(x, names)
    for remark in remarks:
        name, _, reason = remark.partition(" has ")
        log.refuse(stored.base / name, f"it has {reason}")
    for copy, first in copies.items():
        tell(f"{copy} is the same picture as {first}, or very like it; one of them is stored")
    if not len(keep):
        raise WrongCall("every clean picture is of one value, so none can be recognised")
    return Clean(x[keep], [names[i] for i in keep], (size if grey else (3, *size))), copies


def _read_damaged(
    file: Path, clean: Clean, scale: bool, missing: Missing | None, masks: Places | None
) -> tuple[Float[np.ndarray, " d"], Bool[np.ndarray, " d"]]:
    """A damaged picture as a row, and which of its entries are known."""
    size = clean.shape[-2], clean.shape[-1]
    pixels, holes = pictures.read(file, len(clean.shape) == 2, size, scale, missing)
    if masks is not None:
        holes = pictures.mask_of(file, masks, size, scale)
    known = np.ones(size, bool) if holes is None else ~holes
    known = np.broadcast_to(known, clean.shape).reshape(-1)
    row = np.divide(pixels, 255, dtype=np.float32).reshape(-1)
    if not known.any():
        raise Refused("every pixel is missing")
    if row[known].max() == row[known].min():
        what = "pixel" if known.all() else "pixel that is not missing"
        raise Refused(f"every {what} has the same value, so there is nothing to recognise it by")
    return row, known


def _retrieve(
    memory: Memory, rows: Float[np.ndarray, "q d"], known: Bool[np.ndarray, "q d"]
) -> Float[np.ndarray, "q d"]:
    masks = None if known.all() else known
    return np.asarray(retrieve(memory, rows, known=masks, chunk=len(rows)).state)


def _judge(
    name: str,
    row: Float[np.ndarray, " d"],
    known: Bool[np.ndarray, " d"],
    state: Float[np.ndarray, " d"],
    clean: Clean,
    evidence: Evidence,
) -> dict[str, Any]:
    """Which clean picture it was, and how sure that is."""
    half = 0.5 * np.sum(np.square(clean.x), axis=1)
    index = int(np.argmax(clean.x @ state - half))
    mask = None if known.all() else known
    confidence = evidence.judge(row, mask, index)
    return {
        "file": name,
        "clean": clean.names[index],
        "confidence": round(confidence, 4),
        "sure": confidence >= SURE,
        "missing": round(1 - float(known.mean()), 4),
    }


def _line(result: dict[str, Any]) -> str:
    paint, percent = Painter(sys.stdout), f"{math.floor(100 * result['confidence'])} %"
    verdict = ("holds", "sure") if result["sure"] else ("fails", "unsure")
    start = f"{paint(verdict[0], f'{verdict[1]:<6}')}  {percent:>5}  "
    return start + f"{result['file']} was {result['clean']}"


def _finish(args: argparse.Namespace, out: Path, report: dict[str, Any], asked: int) -> None:
    results = report["restored"]
    with wrong_calls(OSError):
        out.mkdir(parents=True, exist_ok=True)
        text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
        replace_file(out / "restore.json", lambda path: path.write_text(text, encoding="utf-8"))
    if args.json:
        print(json.dumps(report, ensure_ascii=False))
        return
    unsure = [result["file"] for result in results if not result["sure"]]
    lines = [f"{len(results)} of {asked} restored, {len(results) - len(unsure)} of them for sure"]
    if unsure:
        lines.append(
            "An unsure picture may be none of the clean ones, or too damaged to tell: look at it."
        )
    if report["left out"]:
        lines.append(f"left out, for the reasons above: {len(report['left out'])}")
    lines.append(f"written: {out}")
    print("\n" + "\n".join(textwrap.fill(each, width()) for each in lines))
