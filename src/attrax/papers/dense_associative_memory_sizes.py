"""Sizes of the runs of the dense associative memory, and all that is measured in one."""

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .. import data as datasets
from . import dense_associative_memory_capacity as dc
from . import dense_associative_memory_compared as dm
from . import dense_associative_memory_logic as dl
from .dense_associative_memory_training import Recipe
from .judged import side_by_side


@dataclasses.dataclass(frozen=True)
class Profile:
    """Sizes of a run.

    - `draws`: networks whose units are tried, for each n and K.
    - `networks`, `starts`: of random starts, for each of `kinds`, (n, rectified).
    - `sizes`, `loads`, `half_draws`, `half_starts`: N, K/N², and how often, for n = 3.
    - `digits`, `mnist`, `clothes`: trainings on handwritten digits of 8 × 8 and of 28 × 28
      pixels, and on other images.
    """

    draws: int
    networks: int
    starts: int
    kinds: tuple[tuple[int, bool], ...]
    sizes: tuple[int, ...]
    loads: tuple[float, ...]
    half_draws: int
    half_starts: int
    digits: dm.Runs
    mnist: dm.Runs | None
    clothes: dm.Runs | None


# That of n = 20 is the authors' notebook's, those of n = 2 and 3 are within the paper's ranges.
# There are few steps for the smaller digits. Where T ends low the error first rises, and falls as
# the steps become small; with m = 30 it is erratic, 0.02 to 0.11 after 200 epochs by the draw of
# the weights on 300 of the images to learn that were left out, and 0.01 to 0.03 with m = 10.
_NOTEBOOK = Recipe(20, 30, 540.0, 540.0)
_GENTLE = Recipe(2, 3, 300.0, 60.0), Recipe(3, 3, 300.0, 60.0)
_FEW_STEPS = (
    Recipe(2, 3, 300.0, 100.0),
    Recipe(3, 3, 300.0, 180.0),
    Recipe(20, 10, 540.0, 540.0),
)
_DIGITS = dm.Runs(
    images=1797,
    test=450,
    recipes=_FEW_STEPS,
    memories=100,
    epochs=400,
    seeds=5,
    rival_epochs=100,
)
PROFILES = {
    "quick": Profile(
        draws=20,
        networks=2,
        starts=50,
        kinds=((2, False), (3, True), (4, False), (4, True), (5, True)),
        sizes=(50, 70),
        loads=(0.025, 0.04, 0.06, 0.09),
        half_draws=4,
        half_starts=50,
        digits=dataclasses.replace(_DIGITS, epochs=150, seeds=1, rival_epochs=60),
        mnist=None,
        clothes=None,
    ),
    "full": Profile(
        draws=200,
        networks=5,
        starts=100,
        kinds=(*dc.KINDS, *dc.STEEP),
        sizes=(50, 70, 100, 140, 200),
        loads=(0.02, 0.03, 0.04, 0.05, 0.065, 0.08),
        half_draws=8,
        half_starts=25,
        digits=_DIGITS,
        # As many memories and epochs as in the authors' notebook.
        mnist=dm.Runs(
            images=60_000,
            test=10_000,
            recipes=(*_GENTLE, _NOTEBOOK),
            memories=100,
            epochs=300,
            seeds=1,
            rival_epochs=20,
        ),
        # T at the end, but for n = 2, by the error on the last 10 000 of the images to learn, which
        # were left out of trainings of 100 to 150 epochs.
        clothes=dm.Runs(
            images=60_000,
            test=10_000,
            recipes=(*_GENTLE, Recipe(10, 10, 450.0, 200.0), Recipe(20, 30, 540.0, 300.0)),
            memories=100,
            epochs=1000,
            seeds=3,
            rival_epochs=20,
            large=(_GENTLE[1], 2000, 200),
        ),
    ),
}
# The sets that classifiers learn.
LEARNT = ("digits", "mnist", "clothes")
EPSILONS = tuple(10.0**-k for k in range(7))


def measure(sizes: Profile, data: str, seed: int, folder: Path | None) -> dict[str, Any]:
    """All measurements, by name; None for a set of digits that is not here.

    **Arguments:**

    - `data`: the set of the larger images.
    - `sizes`: of the run; `seed`: of all draws.
    - `folder`: for checkpoints of the classifiers, or `None`.
    """
    starts = partial(dc.random_starts, draws=sizes.networks, starts=sizes.starts, seed=seed)
    half = partial(
        dc.half_recalled,
        sizes.sizes,
        sizes.loads,
        draws=sizes.half_draws,
        starts=sizes.half_starts,
        seed=seed,
    )
    here = datasets.available()
    sets = {
        "digits": ("digits", sizes.digits if here["digits"] else None),
        "mnist": ("mnist", sizes.mnist if here["mnist"] else None),
        "clothes": (data, sizes.clothes),
    }
    # The longest first.
    tasks: dict[str, Any] = {}
    for part, (name, runs) in reversed(sets.items()):
        if runs is not None:
            learning = dm.tasks(name, runs, seed, None if folder is None else folder / name)
            tasks |= {f"{part} {task}": work for task, work in learning.items()}
    tasks |= {f"half{kind}": partial(half, kind) for kind in (False, True)}
    tasks |= {f"starts{kind}": partial(starts, *kind) for kind in sizes.kinds}
    tasks["slope"] = partial(starts, 4, True, rule="field")
    tasks |= {f"flips{n}": partial(dc.flips, n, sizes.draws, seed) for n in dc.STORED}
    tasks["descents"] = lambda: [dl.descents(*kind, 10, seed) for kind in ((3, True), (4, False))]
    tasks["xor"] = dl.xor
    tasks["formulas"] = partial(dl.beside_formulas, 10, seed)
    tasks["dual"] = partial(dl.dual, EPSILONS, seed)
    parts = side_by_side(tasks)
    parts["starts"] = {kind: parts[f"starts{kind}"] for kind in sizes.kinds}
    parts["epsilons"] = np.array(EPSILONS)
    for part, (name, runs) in sets.items():
        done = {task.removeprefix(f"{part} "): each for task, each in parts.items()}
        parts[part] = None if runs is None else dm.compared(name, runs, seed, done)
    return parts
