"""How much of the exponential memory is measured in each profile, and the measuring."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from . import exponential_memory_energy as ee
from . import exponential_memory_map as emap
from . import exponential_memory_measures as em
from . import exponential_memory_polynomial as ep
from . import exponential_memory_sampling as es
from .judged import side_by_side


@dataclass(frozen=True)
class Profile:
    """How much is run: networks at each point, sizes N, and draws of the sampler."""

    networks: int
    few: int
    probes: int | None
    spread: tuple[int, ...]
    kept: tuple[int, ...]
    rising: tuple[int, ...]
    growth: tuple[int, ...]
    mild: tuple[int, ...]
    severe: tuple[int, ...]
    flips: tuple[int, ...]
    sampled: tuple[int, ...]
    step: int
    draws: int
    degree: tuple[int, ...]
    fixed: int
    starts: int


PROFILES = {
    "quick": Profile(
        40,
        5,
        256,
        (20, 24, 30, 34),
        (20, 28, 36),
        (20, 28, 32),
        (12, 16, 20, 24),
        (20, 30, 40, 50),
        (20, 40, 60, 80),
        (0, 2, 3, 4, 6, 8),
        (60, 400),
        2,
        10_000,
        (50, 100),
        100,
        8,
    ),
    "full": Profile(
        100,
        20,
        None,
        (20, 24, 28, 30, 34),
        (20, 24, 28, 32, 36),
        (20, 24, 28, 32, 36),
        (12, 16, 20, 24, 28),
        (20, 30, 40, 50, 60),
        (20, 40, 60, 80, 100),
        tuple(range(9)),
        (60, 100, 200, 400),
        1,
        40_000,
        (50, 100, 200),
        100,
        16,
    ),
}


def measure(sizes: Profile, seed: int) -> dict[str, Any]:
    """Everything that is measured, by name."""
    n, few, probes = sizes.networks, sizes.few, sizes.probes
    coarse = [0.08 + 0.03 * i for i in range(10)]
    fine = [0.025 * i for i in range(15)] + [0.4, 0.45, 0.5]
    tasks = {
        "growth": partial(emap.growth, sizes.growth, coarse, 2 * n, 4 * few, seed),
        "map": partial(emap.success_map, 20, fine, sizes.flips, n, few, seed, 512),
        "compared": partial(es.compared, sizes.sampled, sizes.step, n, sizes.draws, seed),
        "descent": partial(ee.descent, 24, 1000, sizes.starts, 8, seed),
        "polynomial": partial(
            ep.polynomial, (3.0, 9.0, 27.0), sizes.degree, few, sizes.fixed, seed
        ),
        "agreement": partial(em.agreement, 30, 500, 100, seed),
        "single": partial(em.series, 0.3, 0, sizes.spread, n, few, seed, probes),
        "kept": partial(em.series, 0.2, 0, sizes.kept, n, few, seed),
        "rising": partial(em.series, 0.25, 0, sizes.rising, n, few, seed),
        "mild": partial(em.series, 0.15, 0.1, sizes.mild, n, few, seed),
        "mild, fewer": partial(em.series, 0.12, 0.1, (60,), n, few, seed),
        "severe": partial(em.series, 0.08, 0.2, sizes.severe, n, few, seed),
        "severe, fewer": partial(em.series, 0.05, 0.2, (100,), n, few, seed),
        "beyond": partial(em.series, 0.145, 0.2, (20, 40, 60), n, few, seed, probes),
    }
    found = side_by_side(tasks)
    found["stored"], found["sampled"] = found.pop("compared")
    return found
