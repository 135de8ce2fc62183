"""Large associative memory: two layers of neurons, Lagrangians, one energy.

Claim: feature and memory neurons joined by one matrix have an energy that falls for every convex
choice of Lagrangians; fast memory neurons turn it into the classical, dense, modern and spherical
Hopfield networks.

Figure: energies by part of the models A, A′, B, C, the approach to the effective theory, free
decay, steps that are too long, and capacity.

Command: `attrax reproduce krotov-hopfield-2020 --profile full`.

Run time: quick below a minute, full below two, on two cores.

Result: all claims hold, in double precision, and every broken condition is seen.

**Source:** [krotov2021large]
"""

import os
import time
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from . import krotov_hopfield_2020_capacity as kc
from . import krotov_hopfield_2020_measures as km
from . import krotov_hopfield_2020_traps as kt
from .judged import Claim, Reproduction, reproduced
from .krotov_hopfield_2020_energy import ROUNDING, in_parallel
from .krotov_hopfield_2020_figure import draw
from .krotov_hopfield_2020_verdicts import judge

_THEOREM = "0 (theorem)"
_RISE = "§2, appendix A; rise in units of the largest term, bound 32 ε of double precision"
_CONTROL = "negative control"
CLAIMS = (
    Claim("Energy never rises in model A (tanh, rectified square)", _THEOREM, _RISE, most=ROUNDING),
    Claim("Energy never rises in model A′ (tanh, linear)", _THEOREM, _RISE, most=ROUNDING),
    Claim("Energy never rises in model B (linear, softmax)", _THEOREM, _RISE, most=ROUNDING),
    Claim("Energy never rises in model C (unit norm, exp)", _THEOREM, _RISE, most=ROUNDING),
    Claim(
        "Energy never rises in model C with any decay α = 0, 0.3, 1",
        "free coefficient",
        "§3.3; as above",
        most=ROUNDING,
    ),
    Claim(
        "The rate is Ė = −Σ τ ẋᵀ(∇²L)ẋ, all models: largest relative difference",
        "exact",
        "eq. 4; bound as the specification asks",
        most=1e-10,
    ),
    Claim(
        "Hessians of all Lagrangians are positive semi-definite: least relative eigenvalue",
        "condition",
        "appendix A; bound 1000 ε for an eigenvalue of a 40 × 40 matrix",
        least=0.0,
        tolerance=1000 * ROUNDING / 32,
    ),
    Claim(
        "Effective theory: the energy with fast memory neurons is that of the table, all models",
        "exact",
        "§3; relative difference, bound as of the rate",
        most=1e-10,
    ),
    Claim(
        "Effective theory: distance from it is a power of τ_h with exponent, worst model",
        "limit τ_h → 0 (linear)",
        "§3; between τ_h/τ_f = 0.01 and 0.001, where the next order is below a tenth",
        least=1.0,
        most=1.0,
        tolerance=0.1,
    ),
    Claim(
        "Model B with dt = τ_f is attention: largest difference of one step",
        "exact",
        "§3.2; bound 64 ε, for sums of 12 terms of order one",
        most=2 * ROUNDING,
    ),
    Claim(
        "Model A′: energies of 1984 and of two layers differ by a constant: its variation",
        "equal up to a constant",
        "appendix B; bound as of the rate",
        most=1e-10,
    ),
    Claim(
        "Capacity, n = 3: share recalled of N_h patterns, all N_h ≤ N_f²/100",
        "min(N_f^(n−1), N_h)",
        "§3.1; 10 % of the entries flipped",
        least=1.0,
    ),
    Claim(
        "Capacity, n = 3: patterns recalled a neuron, two stored in each",
        "≤ 1",
        "§3.1: never more than N_h",
        most=1.0,
    ),
    Claim(
        "Classical capacity of 64 × 64 images, 0.14 N_f",
        "≈ 573",
        "§4; rounded to a whole number",
        least=573.0,
        most=573.0,
    ),
    Claim(
        "Cubic without rectification: least eigenvalue of an indefinite Hessian, and it is refused",
        "< 0",
        _CONTROL,
        most=-1e-3,
    ),
    Claim(
        "Dead neurons: the energy does not see silent memory neurons move",
        "0 (flat direction)",
        "zero modes of §2; in units of the largest term, bound 32 ε",
        most=ROUNDING,
    ),
    Claim(
        "ReLU features in A′: share that diverges at ‖ξᵀξ‖ = 1.25 and converges at 0.8",
        "diverges above 1",
        f"{_CONTROL}: E must be bounded below",
        least=1.0,
    ),
    Claim(
        "Euler with dt = 2 τ_h: the energy rises, and the certificate says where",
        "> 0",
        f"{_CONTROL}; rise in units of the largest term",
        least=1e-3,
    ),
    Claim(
        "A changing input adds −İᵀg to the rate: largest relative difference",
        "exact",
        "eq. 4 with I(t); bound as of the rate",
        most=1e-10,
    ),
    Claim(
        "At τ_h = τ_f the reduced energy is the wrong one to watch: it rises",
        "> 0",
        f"{_CONTROL}; rise in units of the largest term",
        least=1e-3,
    ),
)


@dataclass(frozen=True)
class Profile:
    """How much is run: starts, random points, Euler steps of 10⁻³ τ_f, and the capacity sweep."""

    starts: int
    points: int
    steps: int
    neurons: tuple[int, ...]
    features: int
    runs: int
    flips: float = 0.1


PROFILES = {
    "quick": Profile(4, 32, 8000, (5, 25, 100, 400), 100, 2),
    "full": Profile(32, 512, 8000, (5, 10, 25, 50, 100, 200, 400, 800), 100, 10),
}


def run(
    profile: str = "quick",
    data: str | None = None,
    seed: int = 0,
    out: str | os.PathLike | None = None,
    *,
    started: float | None = None,
) -> Reproduction:
    """Measure every claim; see `attrax.papers.reproduce`. No data set is used."""
    started = time.perf_counter() if started is None else started
    sizes = PROFILES[profile]
    found = measure(sizes, seed)
    config = {
        "seed": seed,
        "precision": "float64",
        "sizes": [km.FEATURES, km.MEMORIES],
        "tau": km.TAU,
        "step": km.STEP,
        **asdict(sizes),
    }
    return reproduced(
        "krotov-hopfield-2020",
        profile,
        started,
        judge(CLAIMS, found),
        config,
        lambda path: draw(path, found),
        out,
    )


def measure(sizes: Profile, seed: int) -> dict[str, Any]:
    """Everything that is measured, by name."""
    starts, points, steps = sizes.starts, sizes.points, sizes.steps
    tasks = {
        **{name: partial(km.examined, name, starts, points, steps, seed) for name in km.MODELS},
        "decays": partial(km.decays, starts, steps, seed),
        "attention": partial(km.attention, points, seed),
        "forms": partial(km.forms, starts, steps, seed),
        "capacity": partial(
            kc.capacity, sizes.neurons, sizes.features, sizes.runs, sizes.flips, seed
        ),
        "indefinite": partial(kt.indefinite, 4 * starts, steps // 4, seed),
        "dead": partial(kt.dead, points, seed),
        "unbounded": partial(kt.unbounded, starts, seed),
        "coarse": partial(kt.coarse, starts, seed),
        "driven": partial(kt.driven, points, seed),
        "monitor": partial(kt.wrong_monitor, steps, seed),
    }
    return in_parallel(tasks)
