"""Hierarchical associative memory: any number of layers, one energy.

Claim: layers joined by the same weights up and down, dense or convolutional, have one energy that
falls to a fixed point; lower layers hold primitives, upper ones the rules that assemble them.

Figure: energies by part of a dense and a convolutional network, what independent feedback does,
the approach to the reduced energy, updates at once and in turn, and words completed.

Command: `attrax reproduce hierarchical-associative-memory --profile full`.

Run time: quick below a minute, full below two, on two cores.

Result: all claims hold, in double precision, and every broken condition is seen.

**Source:** [krotov2021hierarchical]
"""

import os
import time
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from . import hierarchical_associative_memory_measures as hm
from . import hierarchical_associative_memory_words as hw
from .hierarchical_associative_memory_figure import draw
from .judged import Claim, Reproduction, Result, reproduced
from .krotov_hopfield_2020_energy import ROUNDING, in_parallel

_THEOREM = "0 (theorem)"
_RISE = "eq. 17, 18; rise in units of the largest term, bound 32 ε of double precision"
_CONTROL = "negative control"
CLAIMS = (
    Claim(
        "The energy of three layers (tanh, ReLU, softmax; τ = 1, 0.5, 0.2) never rises",
        _THEOREM,
        _RISE,
        most=ROUNDING,
    ),
    Claim(
        "With independent feedback weights it rises",
        "implied",
        f"{_CONTROL}; rise in units of the largest term",
        least=1e-6,
    ),
    Claim(
        "The rate is Ė = −Σ τ ẋᵀ(∇²L)ẋ: largest relative difference",
        "exact",
        "eq. 18; bound as the specification asks",
        most=1e-10,
    ),
    Claim(
        "Feedback of a 5 × 5 convolution, stride 2, is the transposed convolution: difference",
        "exact",
        "convolutional example; relative, bound 64 ε for sums of 36 terms",
        most=2 * ROUNDING,
    ),
    Claim(
        "The energy of a convolutional network on 28 × 28 inputs never rises",
        _THEOREM,
        _RISE,
        most=ROUNDING,
    ),
    Claim(
        "A fast top layer leaves E₁ + E₂ − g₂ᵀξ₂₁g₁ − L₃(ξ₃₂g₂): largest relative difference",
        "exact",
        "reduction of three layers; bound as of the rate",
        most=1e-10,
    ),
    Claim(
        "Distance from the reduced network is a power of the top layer's τ with exponent",
        "limit τ → 0 (linear)",
        "as above; between τ = 0.01 and 0.001, where the next order is below a tenth",
        least=1.0,
        most=1.0,
        tolerance=0.1,
    ),
    Claim(
        "Fixed points are reached: share of starts slower than 10⁻⁶ in finite time",
        "theorem",
        "abstract; activations bounded at the bottom",
        least=1.0,
    ),
    Claim(
        "Layers updated in turn, each whole, never raise the energy",
        _THEOREM,
        "convexity of each layer's energy; bound 32 ε",
        most=ROUNDING,
    ),
    Claim(
        "All layers updated at once raise it",
        "> 0",
        f"{_CONTROL}; rise in units of the largest term",
        least=1e-3,
    ),
    Claim(
        "Assembly: share of damaged pairs completed to the right one of 3 stored of 9",
        "qualitative only",
        "abstract; every pixel right, at least nine in ten",
        least=0.9,
    ),
    Claim(
        "Assembly without the layer of rules: share completed to the right pair",
        "implied",
        f"{_CONTROL}; where a letter is lost, at most one in two",
        most=0.5,
    ),
)


@dataclass(frozen=True)
class Profile:
    """How much is run: starts, random points, Euler steps of 10⁻³ τ, and damaged words a kind."""

    starts: int
    points: int
    steps: int
    convolution: int
    words: int


PROFILES = {
    "quick": Profile(4, 32, 20_000, 2000, 96),
    "full": Profile(32, 512, 20_000, 4000, 3000),
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
        "sizes": list(hm.SIZES),
        "taus": list(hm.TAUS),
        "step": hm.STEP,
        **asdict(sizes),
    }
    return reproduced(
        "hierarchical-associative-memory",
        profile,
        started,
        judge(found),
        config,
        lambda path: draw(path, found),
        out,
    )


def measure(sizes: Profile, seed: int) -> dict[str, Any]:
    """Everything that is measured, by name."""
    starts, points, steps = sizes.starts, sizes.points, sizes.steps
    tasks = {
        "convolution": partial(hm.convolution, min(starts, 4), sizes.convolution, seed),
        "chain": partial(hm.three_layers, starts, points, steps, seed),
        "asymmetric": partial(hm.asymmetric, starts, steps, seed),
        "adiabatic": partial(hm.adiabatic, 2 * starts, seed),
        "eliminated": partial(hm.eliminated, points, seed),
        "rest": partial(hm.rest, max(20, starts), seed),
        "together": partial(hm.together, 4 * starts, seed),
        "words": partial(hw.words, sizes.words, seed),
    }
    return in_parallel(tasks)


def judge(found: dict[str, Any]) -> list[Result]:
    """The verdict on each claim, in their order."""
    claims = iter(CLAIMS)
    chain: hm.Chain = found["chain"]
    unlike = found["asymmetric"]
    convolution: hm.Convolution = found["convolution"]
    steepest = np.diff(unlike.energy, axis=1).max()
    exponents = found["adiabatic"].exponents.mean(0)
    rest: hm.Rest = found["rest"]
    together: hm.Together = found["together"]
    ways = together.rise
    worst = next(iter(ways.values()))
    return [
        next(claims).judge([chain.descent.rise.max()], note=_ends(chain.descent)),
        next(claims).judge(
            unlike.rise,
            note=f"Up to {steepest:.0e} a step; {np.mean(unlike.rise > ROUNDING):.0%} of the runs "
            "rise somewhere.",
        ),
        next(claims).judge([chain.rates.difference]),
        next(claims).judge([convolution.feedback]),
        next(claims).judge([convolution.descent.rise.max()], note=_ends(convolution.descent)),
        next(claims).judge([found["eliminated"]]),
        next(claims).judge(
            [exponents[-1]],
            note="Between τ = 1, 0.1, 0.01 and 0.001: "
            + ", ".join(f"{x:.3f}" for x in exponents)
            + ".",
        ),
        next(claims).judge(
            [rest.converged],
            note=f"{len(rest.time)} starts, at rest after {rest.time.min():.0f} to "
            f"{rest.time.max():.0f} τ, in {rest.distinct} different fixed points.",
        ),
        next(claims).judge([ways["layer by layer"].max()]),
        next(claims).judge(
            [worst.max()],
            note=f"{np.mean(worst > ROUNDING):.0%} of the runs rise somewhere.",
        ),
        *_assembly(claims, found["words"]),
    ]


def _assembly(claims, words: hw.Words) -> list[Result]:
    def shares(rates):
        return ", ".join(f"{r:.3f} ({k})" for r, k in zip(rates, words.kinds, strict=True))

    return [
        next(claims).judge(
            [words.completed.mean()],
            note=f"By damage: {shares(words.completed)}; to some stored pair "
            f"{words.stored.mean():.3f}. Largest rise of the energy {words.rise:.0e}.",
        ),
        next(claims).judge([words.unaided[:2].mean()], note=f"By damage: {shares(words.unaided)}."),
    ]


def _ends(descent) -> str:
    first, last = descent.energy[:, [0, -1]].mean(0)
    return f"Mean energy from {first:.2f} to {last:.2f}."
