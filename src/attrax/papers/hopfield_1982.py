"""Classical Hopfield network: two-state units, one energy, patterns as its minima.

Claim: units joined by symmetric couplings lower one energy whenever one of them changes, so stored
patterns attract what resembles them, up to 0.138 random patterns a unit under Hebb's rule.

Figure: overlap over load beside replica theory, its limit for large networks, warm networks,
learning rules, energies of graded units, and real images.

Command: `attrax reproduce hopfield-1982 --profile full`.

Run time: quick below a minute, full about five minutes, on two cores.

Result: all claims hold but two. Near α_c a start at a pattern ends a thousandth above replica
theory, which is of slowly cooled states; and 30 units hold less than first simulations suggest.

**Source:** [hopfield1982neural]; [hopfield1984neurons]; [amit1985storing]
"""

import os
import time
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from . import hopfield_1982_measures as hm
from . import hopfield_1982_rules as hr
from .contract import Claim, Reproduction, reproduced, side_by_side
from .hopfield_1982_figure import draw
from .hopfield_1982_verdicts import judge

CLAIMS = (
    Claim(
        "Energy falls at every change of a unit, in whole numbers: rises",
        "0 (theorem)",
        "1982; symmetric couplings, zero diagonal",
        most=0.0,
    ),
    Claim(
        "The sweeps are those of a loop over units in whole numbers: share",
        "exact",
        "1982, the rule",
        least=1.0,
    ),
    Claim(
        "All units at once end in a fixed point or a cycle of two: share",
        "1 (theorem)",
        "Goles-Chacc et al. 1985; Bruck 1990",
        least=1.0,
    ),
    Claim(
        "Recall at α = 0.12, N = 500: mean overlap at rest",
        "0.15 N (1982), 0.138 N (AGS)",
        "started at stored patterns; asked of this library: at least 0.97",
        least=0.97,
    ),
    Claim(
        "Recall at α = 0.18, N = 500: mean overlap at rest",
        "0.15 N (1982), 0.138 N (AGS)",
        "as above; at most 0.8",
        most=0.8,
    ),
    Claim(
        "Overlap for N → ∞ is replica theory's, α ≤ 0.13: largest distance in standard errors",
        "exact for N → ∞",
        "AGS 1985; straight line in 1/N; band of 3 standard errors for 5 loads",
        most=3.0,
    ),
    Claim(
        "Above α_c a remnant overlap stays beside theory's zero: least, α = 0.15 to 0.25",
        "0 (replica symmetric)",
        "finite networks started at a pattern, all sizes",
        least=0.25,
    ),
    Claim(
        "Warm networks, α = 0.05, T = 0.1 to 0.4: largest distance from theory's overlap",
        "exact for N → ∞",
        "AGS 1985; Glauber dynamics",
        most=0.01,
    ),
    Claim(
        "Samples of Glauber dynamics follow exp(−E/T) of all states: χ² in standard deviations",
        "exact",
        "Glauber 1963; 6 units, 64 states",
        most=4.0,
    ),
    Claim(
        "0/1 units, N = 100, n = 10: unstable units over Q(√(N/2(n − 1)))",
        "0.0091",
        "1982, p. 2556; ratio to 0.00921",
        least=1.0,
        most=1.0,
        tolerance=0.1,
    ),
    Claim(
        "0/1 units, N = 100: patterns unchanged, n = 5, 10, 15, from 0.99, 0.56, 0.14: distance",
        "0.99, 0.56, 0.14",
        "asked of this library",
        most=0.05,
    ),
    Claim(
        "±1 units, N = 100: patterns unchanged, n = 5, 10, 15, from 1.00, 0.95, 0.68: distance",
        "1.00, 0.95, 0.68",
        "asked of this library",
        most=0.05,
    ),
    Claim(
        "Cues 5 units off come back, N = 100, n = 5: share",
        "> 0.9",
        "1982, p. 2556, at a larger size",
        least=0.9,
    ),
    Claim(
        "Cues up to 5 units off come back, N = 30, n = 5: share",
        "> 0.9",
        "1982, p. 2556; setting not certain",
        least=0.9,
    ),
    Claim(
        "Projection, N = 500, α = 0.25, a tenth flipped: exact recall",
        "N independent patterns",
        "Personnaz et al. 1985",
        least=0.99,
    ),
    Claim(
        "Storkey's rule, N = 500, α = 0.25, a tenth flipped: exact recall",
        "N/√(2 ln N)",
        "Storkey 1997",
        least=0.99,
    ),
    Claim(
        "Hebb's rule, N = 500, α = 0.25, a tenth flipped: exact recall",
        "0 beyond 0.138 N",
        "asked of this library",
        most=0.01,
    ),
    Claim(
        "One by one or at once, Hebb, Storkey, projection: largest relative difference",
        "exact",
        "incremental rules; bound 100 ε of single precision",
        most=1.2e-5,
    ),
    Claim(
        "Perceptron's rule at α = 1, N = 100: share of stable patterns",
        "up to 2 N",
        "Gardner 1988",
        least=1.0,
    ),
    Claim(
        "Mixtures of three patterns stay, N = 1000, n = 10: share of units",
        "stable",
        "AGS 1985",
        least=0.999,
    ),
    Claim(
        "Their overlap with each of the three: distance from ½",
        "½",
        "AGS 1985",
        most=0.02,
    ),
    Claim(
        "Mixtures of four patterns do not stay, N = 1000, n = 10: share of units",
        "unstable",
        "AGS 1985; ties drawn",
        most=0.95,
    ),
    Claim(
        "Graded units: largest rise of the energy of 1984 in a step, relative",
        "0 (theorem)",
        "1984; Euler's steps, double precision",
        most=1e-12,
    ),
    Claim(
        "Graded units of gain 50 rest where two-state units do: share of units",
        "1 for a high gain",
        "1984",
        least=0.99,
    ),
    Claim(
        "30 real images as signs, a tenth flipped: exact recall by projection over Hebb's rule",
        "Hebb fails far below 0.14 N",
        "hopfield-layers' blog; correlated patterns",
        least=0.9,
    ),
)


@dataclass(frozen=True)
class Profile:
    """How much is run.

    - `sizes`, `draws`: numbers of units, and networks of each at each load.
    - `warm`, `cooled`: units of warm networks, and of those that are cooled, and how many.
    - `networks`: small networks for stability and cues.
    - `chains`: of Glauber's samples.
    - `loads`, `recalled`: loads at which rules are compared, and networks at each.
    - `starts`, `steps`: of graded units.
    """

    sizes: tuple[int, ...]
    draws: tuple[int, ...]
    warm: tuple[int, int]
    cooled: tuple[int, int]
    networks: int
    chains: int
    loads: tuple[float, ...]
    recalled: int
    starts: int
    steps: int


PROFILES = {
    "quick": Profile((250, 500), (20, 10), (1000, 1), (500, 10), 2000, 4000, (0.25,), 2, 4, 300),
    "full": Profile(
        (500, 1000, 2000, 4000),
        (160, 80, 40, 20),
        (4000, 4),
        (2000, 40),
        6000,
        20_000,
        hr.LOADS,
        10,
        16,
        4000,
    ),
}
# Numbers of patterns whose stability is asked for, of 100 units.
STORED, UNITS = (5, 10, 15), ("bits", "signs")


def run(
    profile: str = "quick",
    data: str | None = None,
    seed: int = 0,
    out: str | os.PathLike | None = None,
    *,
    started: float | None = None,
) -> Reproduction:
    """Measure every claim; see `attrax.papers.reproduce`. `data` names the images."""
    started = time.perf_counter() if started is None else started
    sizes = PROFILES[profile]
    found = measure(sizes, data, seed)
    config = {
        "seed": seed,
        "data": "sample" if data is None else data,
        "loads_of_overlaps": hm.LOADS,
        "probes": hm.PROBES,
        **asdict(sizes),
    }
    return reproduced(
        "hopfield-1982",
        profile,
        started,
        judge(CLAIMS, found),
        config,
        lambda path: draw(path, found),
        out,
    )


def measure(sizes: Profile, data: str | None, seed: int) -> dict[str, Any]:
    """Everything that is measured, by name."""
    few = sizes.networks // 10
    tasks = {
        "lines": partial(hm.lines, len(sizes.loads) > 1),
        "overlaps": partial(hm.overlaps, sizes.sizes, sizes.draws, seed),
        "recalled": partial(hr.recalled, sizes.loads, 500, sizes.recalled, seed),
        "graded": partial(hr.graded, sizes.starts, sizes.steps, seed),
        "warm": partial(hm.warm, *sizes.warm, seed),
        "boltzmann": partial(hm.boltzmann, sizes.chains, seed),
        "images": partial(hr.images, 30, data, seed),
        "near": partial(hm.repaired, 100, 5, (5,), few, seed),
        "small": partial(hm.repaired, 30, 5, (1, 2, 3, 4, 5), few, seed),
        "incremental": partial(hr.incremental, 200, 30, seed),
        "gardner": partial(hr.gardner, 100, 1.0, seed),
        "three": partial(hm.mixtures, 1000, 10, 20, seed, 3),
        "four": partial(hm.mixtures, 1000, 10, 20, seed, 4),
        "synchronous": partial(hm.synchronous, 100, 100, seed),
        "flips": partial(hm.flips, 200, 5, seed),
    }
    for units in UNITS:
        tasks[f"stability of {units}"] = partial(
            hm.stability, 100, STORED, units, sizes.networks, seed
        )
        tasks[f"unchanged of {units}"] = partial(hm.unchanged, 100, STORED, units, few, seed)
    found = side_by_side(tasks)
    limit = found["limit"] = hm.limit(found["overlaps"])
    # Why overlaps lie off theory's need be measured only where they do.
    found["cooled"] = hm.cooled(*sizes.cooled, seed) if limit.z.max() > 3 else None
    for name in ("stability", "unchanged"):
        found[name] = {units: found.pop(f"{name} of {units}") for units in UNITS}
    return found
