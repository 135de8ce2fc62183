"""`attrax recall`: store images, damage some, retrieve them, count, and draw."""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ..common.files import replace_file
from ..compilation import enable_compilation_cache
from ..dynamics import Iterate
from ..dynamics.base import Outcome
from ..retrieval import Retrieval, retrieve
from ..stores.rows import Memory
from .damage import chosen, damaged, known_entries
from .read import Images, read
from .sheet import Column, draw
from .wrong import WrongCall, checked_folder, wrong_calls

# More queries say no more about how well retrieval works.
_MOST_QUERIES = 1000
# Half a grey level of 8 bits: what rounds to the stored image.
EXACT = 0.5 / 255
# A chunk of queries in `retrieve` holds about so many entries.
_CHUNK = 2**21


# How a retrieval may end other than at rest.
_ENDINGS = {
    "mixture": "came to rest between several images that are much alike",
    "cycle": "went to and fro between two states",
    "step_limit": "still moved at the last step",
    "diverged": "left the range of numbers",
}


class Result(NamedTuple):
    """How the retrieval after one kind of damage went.

    - `damage`: its name, and as `text` in words.
    - `level`: how much.
    - `known`: whether retrieval was told which entries are left.
    - `right`: how many are nearest to the stored image that they should be.
    - `exact`: how many equal it to within half a grey level.
    - `of`: how many were damaged.
    - `seconds`: for all of them, without compilation.
    - `outcomes`: how many retrievals ended otherwise than at rest, and how.
    """

    damage: str
    text: str
    level: float
    known: bool
    right: int
    exact: int
    of: int
    seconds: float
    outcomes: list[str]


def run(args: argparse.Namespace) -> int:
    """Carry out the command; the exit status."""
    out = checked_folder(args.out)
    damages = chosen(args.damage, args.level)
    images = read(args)
    enable_compilation_cache()
    shape = images.shape
    known = {name: known_entries(name, damage, shape) for name, damage in damages.items()}
    try:
        memory = Memory(images.x)
    except ValueError as error:
        raise WrongCall(
            f"the images of {images.name!r} are too alike to be told apart; leave some out, or "
            "store fewer by --number"
        ) from error
    x = jnp.asarray(images.x)
    index = _spread(len(x), _MOST_QUERIES)
    keys = jax.random.split(jax.random.key(args.seed), len(damages))
    results, columns = [], []
    for j, (name, damage) in enumerate(damages.items()):
        queries = damaged(damage, x[index], shape, key=keys[j])
        mask = known[name]
        found, seconds = _retrieved(memory, queries, mask)
        right, exact = _count(x, index, found.state)
        told = mask is not None
        outcomes = _endings(found)
        results.append(
            Result(
                name, str(damage), damage.level, told, right, exact, len(index), seconds, outcomes
            )
        )
        some = _shown(len(index), args.show, j, len(damages))
        seen = queries[some] if mask is None else jnp.where(mask[None], queries[some], jnp.nan)
        parts = x[index[some]], seen, found.state[some], _way(memory, queries[some], mask)
        title = f"{damage}\n{exact} of {len(index)} recalled exactly"
        columns.append(Column(title, *(np.asarray(part) for part in parts)))
    report = {
        "images": images.name,
        "stored": len(memory),
        "shape": shape,
        "seed": args.seed,
        "results": [result._asdict() for result in results],
    }
    if not args.json:
        print(_table(images, results))
    written = write(out, lambda: draw(columns, shape), report)
    print(
        json.dumps(report, ensure_ascii=False)
        if args.json
        else f"\nwritten: {', '.join(map(str, written))}"
    )
    return 0


def _retrieved(
    memory: Memory, queries: Float[Array, "n d"], known: Bool[Array, " d"] | None
) -> tuple[Retrieval, float]:
    """What is found, and the seconds it takes once compiled."""
    chunk = max(1, min(256, _CHUNK // queries.shape[1]))
    retrieve(memory, queries, known=known, chunk=chunk).state.block_until_ready()
    begin = time.perf_counter()
    found = jax.block_until_ready(retrieve(memory, queries, known=known, chunk=chunk))
    return found, round(time.perf_counter() - begin, 4)


def _endings(found: Retrieval) -> list[str]:
    """How many retrievals ended otherwise than at rest, in words that need no Python."""
    counts = {name: int(jnp.sum(found.outcome == getattr(Outcome, name))) for name in _ENDINGS}
    return [f"{n} of {found.steps.size} {_ENDINGS[name]}" for name, n in counts.items() if n]


def _count(
    x: Float[Array, "N d"], index: Int[np.ndarray, " n"], states: Float[Array, "n d"]
) -> tuple[int, int]:
    """How many states are nearest to their own row, and how many equal it."""
    half = 0.5 * jnp.sum(jnp.square(x), axis=1)
    near = jax.lax.map(lambda state: jnp.argmax(x @ state - half), states, batch_size=64)
    exact = jnp.max(jnp.abs(states - x[index]), axis=1) <= EXACT
    # A duplicate is as near as the row itself.
    return int(jnp.sum((near == index) | exact)), int(jnp.sum(exact))


def _way(
    memory: Memory, queries: Float[Array, "k d"], known: Bool[Array, " d"] | None
) -> Float[Array, "k s"]:
    """Energies on the way. Whole reads arrive in one or two steps; shares of one show more."""
    slowly = Iterate(damping=0.2, max_steps=20)
    energies = retrieve(memory, queries, slowly, known=known, path=True).energies
    assert energies is not None  # the default memory has an energy
    return energies


def _spread(count: int, most: int) -> Int[np.ndarray, " n"]:
    """Indices from 0 to `count`, `most` at most, spread evenly."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def _shown(count: int, show: int, column: int, columns: int) -> Int[np.ndarray, " k"]:
    """The images of a column: others than those of the next, if there are enough."""
    if count < show * columns:
        return _spread(count, show)
    return _spread(count, show * columns)[column::columns]


def _table(images: Images, results: list[Result]) -> str:
    lines = [
        *images.heading("stored"),
        f"{'damage':<28}{'recalled exactly':>18}{'right image':>14}{'of':>7}{'seconds':>10}",
    ]
    for result in results:
        text = result.text + (" *" if result.known else "")
        counts = f"{result.exact:>18}{result.right:>14}{result.of:>7}"
        lines.append(f"{text:<28}{counts}{result.seconds:>10.2f}")
    lines += ["", "recalled exactly: every pixel to within half a grey level"]
    if any(result.known for result in results):
        lines.append("* retrieval is told which pixels are missing (known=)")
    for result in results:
        lines += [f"{result.text}: {line}" for line in result.outcomes]
    return "\n".join(lines)


def write(
    out: Path, picture: Callable[[], Callable[[Path], None]], report: dict[str, Any]
) -> list[Path]:
    """Write `recall.png` and `recall.json`, each complete or not there; which were written.

    **Arguments:**

    - `out`: the folder.
    - `picture`: gives what draws to a path, or raises `ModuleNotFoundError` without matplotlib.
    - `report`: what the second file holds.
    """
    written = [out / "recall.png", out / "recall.json"]
    text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
    with wrong_calls(OSError):
        out.mkdir(parents=True, exist_ok=True)
        try:
            replace_file(written[0], picture())
        except ModuleNotFoundError as error:
            print(f"attrax: no picture. {error}", file=sys.stderr)
            del written[0]
        replace_file(written[-1], lambda path: path.write_text(text, encoding="utf-8"))
    return written
