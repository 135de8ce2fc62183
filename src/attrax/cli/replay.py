"""`attrax recall --sequence`: store images as a sequence, damage the first, and replay the rest."""

import argparse
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .. import plot
from ..compilation import enable_compilation_cache
from ..dynamics import Replay
from ..dynamics.base import Outcome
from ..models.sequences import sequence_memory
from ..retrieval import retrieve
from ..stores.rows import Memory
from .damage import chosen, damaged, known_entries
from .read import Images, read
from .recall import EXACT, write
from .sheet import padded
from .wrong import WrongCall, checked_folder

# Frames of the picture beside the cue.
_FRAMES = 9


class Result(NamedTuple):
    """How the replay after one kind of damage went.

    - `damage`: its name, and as `text` in words.
    - `level`: how much.
    - `known`: whether the cue was completed first, from the entries that are left.
    - `exact`: how many frames, the first among them, are right to within half a grey level.
    - `of`: how many there are.
    - `lost`: the step in which the sequence was lost; `None` if it was not.
    """

    damage: str
    text: str
    level: float
    known: bool
    exact: int
    of: int
    lost: int | None


def run(args: argparse.Namespace) -> int:
    """Carry out the command; the exit status."""
    out = checked_folder(args.out)
    damages = chosen(args.damage, args.level)
    images = read(args)
    enable_compilation_cache()
    x, steps = jnp.asarray(images.x), len(images.x) - 1
    cues, seen = _cues(args, damages, images)
    try:
        memory = sequence_memory(images.x)
    except ValueError as error:
        raise WrongCall(
            f"the images of {images.name!r} are too alike to be told apart; leave some out, or "
            "store fewer by --number"
        ) from error
    retrieve(memory, cues, Replay(steps)).state.block_until_ready()
    begin = time.perf_counter()
    found = retrieve(memory, cues, Replay(steps), path=True)
    path, ends = np.asarray(found.path), np.asarray(found.outcome == Outcome.lost)
    seconds = round(time.perf_counter() - begin, 4)
    # The first frame is what the cue is read as, which the step after it shows.
    right = np.abs(path[:, 1:] - images.x[None, 1:]).max(axis=2) <= EXACT
    results = [
        Result(
            name,
            str(damage),
            damage.level,
            damage.known is not None,
            int(right[i].sum()),
            steps,
            int(found.steps[i]) if ends[i] else None,
        )
        for i, (name, damage) in enumerate(damages.items())
    ]
    report = {
        "images": images.name,
        "stored": len(x),
        "shape": images.shape,
        "seed": args.seed,
        "seconds": seconds,
        "results": [result._asdict() for result in results],
    }
    if not args.json:
        print(_table(images, results, seconds))
    titles = [f"{r.text}: {r.exact} of {r.of} frames" for r in results]
    written = write(out, lambda: _draw(titles, seen, path, images.shape), report)
    text = f"\nwritten: {', '.join(map(str, written))}"
    print(json.dumps(report, ensure_ascii=False) if args.json else text)
    return 0


def _cues(
    args, damages, images: Images
) -> tuple[Float[jax.Array, "k d"], Float[np.ndarray, "k d"]]:
    """The first image, damaged in every way: as it is asked with, and as it is drawn.

    Where it is known what is left, it is completed first, and drawn with NaN for what is missing.
    """
    x = jnp.asarray(images.x)
    keys = jax.random.split(jax.random.key(args.seed), len(damages))
    cues, seen = [], []
    for key, (name, damage) in zip(keys, damages.items(), strict=True):
        cue = damaged(damage, x[:1], images.shape, key=key)[0]
        known = known_entries(name, damage, images.shape)
        seen.append(cue if known is None else jnp.where(known, cue, jnp.nan))
        cues.append(cue if known is None else retrieve(Memory(images.x), cue, known=known).state)
    return jnp.stack(cues), np.stack(seen)


def _table(images: Images, results: list[Result], seconds: float) -> str:
    size = " × ".join(map(str, images.shape))
    lines = [f"{len(images.x)} images of {size} pixels, from {images.name!r}, one after another"]
    if images.scaled:
        lines.append("Their entries were brought to 0 ... 1 first.")
    lines += [
        "",
        f"{'damage of the first':<28}{'recalled exactly':>18}{'of':>7}{'lost in step':>15}",
    ]
    for result in results:
        text = result.text + (" *" if result.known else "")
        lost = "–" if result.lost is None else result.lost
        lines.append(f"{text:<28}{result.exact:>18}{result.of:>7}{lost:>15}")
    lines += [
        "",
        f"All replays took {seconds:.2f} seconds, {results[0].of} steps each.",
        "recalled exactly: every pixel of a later image to within half a grey level",
    ]
    if any(result.known for result in results):
        lines.append("* the first is completed, knowing which pixels are missing (known=)")
    return "\n".join(lines)


def _draw(titles, cues, path, shape) -> Callable[[Path], None]:
    """A function that writes the picture: the cue, and frames spread evenly over what follows.

    **Raises:** `ModuleNotFoundError` if matplotlib is missing.
    """
    plot.require()
    from matplotlib.figure import Figure

    side = math.ceil(math.sqrt(shape[0]))
    drawn = (side, side) if shape[-1] == 1 else shape
    count = path.shape[1] - 1
    some = np.unique(np.linspace(1, count, min(count, _FRAMES)).round().astype(int))
    height = min(drawn[-2] / drawn[-1], 3)
    figure = Figure(figsize=(9.5, (0.9 * height + 0.35) * len(titles)), layout="constrained")
    axes = figure.subplots(len(titles), 1, squeeze=False)[:, 0]
    for ax, title, cue, frames in zip(axes, titles, cues, path, strict=True):
        rows = np.concatenate([cue[None], frames[some]])
        plot.images(padded(rows, math.prod(drawn)), drawn, ax)
        ax.set_title(title, fontsize=9)
    axes[-1].set_xlabel(f"the damaged image, and frames {', '.join(map(str, some))}", fontsize=9)
    return lambda file: figure.savefig(file, dpi=110)
