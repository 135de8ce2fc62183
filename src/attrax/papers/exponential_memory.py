"""Exponential memory: e^{αN} random patterns, each repaired by one update of every unit.

Claim: with F(x) = e^x in place of x², a network of N two-state units stores 2^{N/2} random
patterns, and one update of each unit repairs a share ρ of flipped units up to α = ½ I(1 − 2ρ).

Figure: networks that keep all patterns by α and N, maps of success over α and ρ, success by N on
either side of the bound, chances of an error up to N = 400, degree 3, energies.

Command: `attrax reproduce exponential-memory --profile full`.

Run time: quick below a minute, full below six, on two cores.

Result: the theorem holds; beyond its bound all patterns at once are lost, but a given one is not.

**Source:** [demircigil2017model]
"""

import os
import time
from dataclasses import asdict

from .exponential_memory_energy import ROUNDING
from .exponential_memory_figure import draw
from .exponential_memory_sizes import PROFILES, measure
from .exponential_memory_verdicts import BLUR, CONFIDENCE, judge
from .judged import Claim, Reproduction, reproduced

_LIMIT = "→ 1 (theorem)"
_RISES = "rises to 1 (theorem)"
_SINGLE = "bar of the specification: 0.95 of single patterns"
_ALL = "all patterns of a network probed; bar 0.95 of networks"
_MORE = "difference of shares of networks, at least one in twenty"
_CONTROL = "negative control"
_FINITE = "tolerance of a quarter for N = 20"
CLAIMS = (
    Claim("ρ = 0, α = 0.3, N = 34: share of patterns stable", _LIMIT, _SINGLE, least=0.95),
    Claim("ρ = 0, α = 0.2, N = 36: networks that keep all patterns", _LIMIT, _ALL, least=0.95),
    Claim("ρ = 0, α = 0.25: networks that keep all, N = 32 less N = 20", _RISES, _MORE, least=0.05),
    Claim(
        "ρ = 0: ln M up to which networks keep all patterns, mean, grows with N by",
        "½ ln 2 = 0.347",
        "theorem; tolerance for a correction of −½ ln N, 0.04 a unit from N = 8 to 16",
        least=0.3466,
        most=0.3466,
        tolerance=0.05,
    ),
    Claim("ρ = 0.1, α = 0.15, N = 50: share of patterns repaired", _LIMIT, _SINGLE, least=0.95),
    Claim("ρ = 0.1, α = 0.12, N = 60: networks that repair all", _LIMIT, _ALL, least=0.95),
    Claim("ρ = 0.1, α = 0.15: networks that repair all, N = 50 less 20", _RISES, _MORE, least=0.05),
    Claim("ρ = 0.2, α = 0.05, N = 100: share of patterns repaired", _LIMIT, _SINGLE, least=0.95),
    Claim("ρ = 0.2, α = 0.05, N = 100: networks that repair all", _LIMIT, _ALL, least=0.95),
    Claim("ρ = 0.2, α = 0.08: networks that repair all, N = 80 less 20", _RISES, _MORE, least=0.05),
    Claim(
        "Map at N = 20: α at which half of the single patterns are repaired, over ½ I(1 − 2ρ)",
        "1 (along the bound)",
        f"specification; mean of ρ = 0.1, 0.15, 0.2; {_FINITE}",
        least=1.0,
        most=1.0,
        tolerance=0.25,
    ),
    Claim(
        "Map at N = 20: α at which half of the networks repair all patterns, over ½ I(1 − 2ρ)",
        "1 (along the bound)",
        f"theorem, read as of all patterns; as above; {_FINITE}",
        least=1.0,
        most=1.0,
        tolerance=0.25,
    ),
    Claim(
        "Map at N = 20: α at which half of the single patterns are repaired, over I(1 − 2ρ)",
        "not given",
        f"`exponential_rate(ρ, 'one_pattern')`; as above; {_FINITE}",
        least=1.0,
        most=1.0,
        tolerance=0.25,
    ),
    Claim(
        "Beyond the bound (ρ = 0.2, α = 0.145), N = 60: networks that repair all",
        "→ 0 (remark)",
        f"{_CONTROL}: at most one in twenty",
        most=0.05,
    ),
    Claim(
        "There the share of single patterns repaired, N = 60 less N = 20",
        "not given",
        "rises, by at least 0.05, as α < I(1 − 2ρ) = 0.193",
        least=0.05,
    ),
    Claim(
        "N = 20 to 30: drawn numbers of patterns give the errors of stored ones, share of points",
        "exact",
        "chance of a wrong unit; joint intervals of 99 %",
        least=1.0,
    ),
    Claim(
        "N = 60 to 400: errors with drawn numbers of patterns are those of theory, share of points",
        "exact",
        "`exponential_flip_probability`, to its 2 %; joint intervals of 99 %",
        least=1.0,
    ),
    Claim(
        "ρ = 0.1: ln M at which one unit in twenty is wrong grows with N, 60 to 400, by",
        "not given",
        "I(1 − 2ρ) = 0.368, one pattern; the correction ½ ln N is 0.003 a unit there",
        least=0.368,
        most=0.368,
        tolerance=0.005,
    ),
    Claim(
        "n = 3, M = N²/(9 ln N), N = 100: share of patterns that are fixed points",
        "→ 1 for c > 6",
        "polynomial theorem, c > 2(2n − 3)!!",
        least=0.95,
    ),
    Claim(
        "n = 3, M = N²/(27 ln N), N = 100: networks of which all patterns are fixed points",
        "→ 1 for c > 18",
        "polynomial theorem, c > 2n(2n − 3)!!",
        least=0.95,
    ),
    Claim(
        "n = 3, M = N²/(3 ln N), N = 100: share of patterns that are fixed points",
        "→ 0 for c < 6",
        f"{_CONTROL}: at most a half",
        most=0.5,
    ),
    Claim(
        "Energy never rises, one unit at a time: largest rise in units of the energy",
        "0 (construction)",
        "bound 32 ε of double precision",
        most=ROUNDING,
    ),
    Claim(
        "All units at once: share of random starts from which the energy rises",
        "> 0 (no guarantee)",
        _CONTROL,
        least=0.01,
    ),
    Claim(
        "All units at once is attention, sgn(ξᵀ softmax(ξσ) − tanh(1) σ): share of units equal",
        "exact",
        "derived; beside `exponential_memory(patterns)(σ)`",
        least=1.0,
    ),
)


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
        "confidence": CONFIDENCE,
        "blur": BLUR,
        **asdict(sizes),
    }
    return reproduced(
        "exponential-memory",
        profile,
        started,
        judge(CLAIMS, found),
        config,
        lambda path: draw(path, found),
        out,
    )
