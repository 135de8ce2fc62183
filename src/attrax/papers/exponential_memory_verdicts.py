"""The verdicts on the claims of the exponential memory."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jax.scipy.special import ndtri

from ..theory import exponential_rate
from . import exponential_memory_energy as ee
from . import exponential_memory_map as emap
from . import exponential_memory_measures as em
from . import exponential_memory_polynomial as ep
from . import exponential_memory_sampling as es
from .judged import Claim, Result

# Of intervals that are to hold at all points at once, and what theory blurs.
CONFIDENCE, BLUR = 0.99, 0.02
# Damages at which the map's edges are compared with the rates.
EDGES = (0.1, 0.15, 0.2)


def judge(declared: Sequence[Claim], found: dict[str, Any]) -> list[Result]:
    """The verdict on each claim of `exponential_memory.CLAIMS`, in their order."""
    claims = iter(declared)
    kept, rising = found["kept"], found["rising"]
    mild, severe = found["mild"], found["severe"]
    results = [
        next(claims).judge(_at(found["single"], 34).single, note=_series(found["single"])),
        next(claims).judge(_at(kept, 36).all, note=_series(kept)),
        _rise(next(claims), rising, 32, "all"),
        _growth(next(claims), found["growth"]),
        next(claims).judge(_at(mild, 50).single, note=_series(mild)),
        next(claims).judge(_at(found["mild, fewer"], 60).all, note=_series(found["mild, fewer"])),
        _rise(next(claims), mild, 50, "all"),
        next(claims).judge(
            _at(found["severe, fewer"], 100).single, note=_series(found["severe, fewer"])
        ),
        next(claims).judge(
            _at(found["severe, fewer"], 100).all, note=_series(found["severe, fewer"])
        ),
        _rise(next(claims), severe, 80, "all"),
    ]
    results += edges(claims, found["map"], found["beyond"])
    results += _sampler(claims, found["stored"], found["sampled"])
    polynomial: ep.Polynomial = found["polynomial"]
    at = polynomial.sizes.index(100)
    results += [
        next(claims).judge(polynomial.single(9.0)[:, at], note=_constants(polynomial, 9.0)),
        next(claims).judge(polynomial.all(27.0)[:, at], note=_constants(polynomial, 27.0)),
        next(claims).judge(polynomial.single(3.0)[:, at], note=_constants(polynomial, 3.0)),
    ]
    return results + _energies(claims, found["descent"], found["agreement"])


def edges(claims, found: emap.Map, beyond: list[em.Repair]) -> list[Result]:
    """Where success falls on the map, and what happens between the two rates."""
    rows = [int(np.argmin(np.abs(found.damages - damage))) for damage in EDGES]
    bound = np.asarray(exponential_rate(np.asarray(EDGES)), np.float64)
    single, every = (found.crossings(which)[rows] for which in ("single", "all"))
    doubled = np.asarray(exponential_rate(np.asarray(EDGES), "one_pattern"), np.float64)
    below, above = next(claims), (next(claims), next(claims))
    first, last = beyond[0], _at(beyond, 60)
    lost, kept = next(claims), next(claims)
    gain = last.single.mean() - first.single.mean()
    # The reason: all patterns are lost at the bound, single ones at twice that, and between the
    # two the share of single ones rises with N while no network keeps all.
    explained = bool(
        above[0].confirmed(float(np.mean(every / bound)))
        and above[1].confirmed(float(np.mean(single / doubled)))
        and lost.confirmed(float(last.all.mean()))
        and kept.confirmed(float(gain))
    )
    spread = ", ".join(
        f"ρ = {d:g}: {s:.3f} (single), {a:.3f} (all), ½ I = {b:.3f}"
        for d, s, a, b in zip(EDGES, single, every, bound, strict=True)
    )
    return [
        below.judge(
            single / bound,
            explained=explained,
            note="The bound is that of all patterns at once. α at which success passes ½: "
            f"{spread}. Networks cease to repair all at {np.mean(every / bound):.2f} of ½ I, and "
            f"single patterns at {np.mean(single / doubled):.2f} of I(1 − 2ρ). At ρ = 0.2 and "
            f"α = 0.145, between the two, the share of single patterns goes from "
            f"{first.single.mean():.3f} (N = {first.units}) to {last.single.mean():.3f} "
            f"(N = {last.units}), and that of networks that repair all from {first.all.mean():.3f} "
            f"to {last.all.mean():.3f}.",
        ),
        above[0].judge(every / bound),
        above[1].judge(single / doubled),
        lost.judge(last.all, note=_series(beyond)),
        kept.judge([gain], note=_series(beyond)),
    ]


def _sampler(claims, beside: es.Beside, found: es.Flips) -> list[Result]:
    close = beside.within(quantile(len(beside.points)))
    pairs = ", ".join(
        f"{d:.4f} and {s:.4f} (N = {n}, ρ = {r:.2g}, M = {math.exp(m) + 1:.0f})"
        for (n, r, m), d, s in zip(beside.points, beside.direct, beside.flips.share, strict=True)
    )
    within = found.within(CONFIDENCE, BLUR)
    logs = found.log_others
    sizes, half, slope = es.growth(found, 0.1, 0.05)
    return [
        next(claims).judge([close.mean()], note=f"Stored and drawn: {pairs}."),
        next(claims).judge(
            [within.mean()],
            note=f"{within.size} points of {found.draws[0]} units of either kind, "
            f"N = {found.units.min()} to {found.units.max()}, ρ = 0, 0.1 and 0.2, up to "
            f"e^{logs.max():.0f} patterns; chances of {found.theory.min():.0e} to "
            f"{found.theory.max():.2f}. Intervals that hold one by one with 95 % meet theory at "
            f"{alone(found):.0%} of the points.",
        ),
        next(claims).judge(
            [slope],
            note=", ".join(f"ln M = {x:.1f} (N = {n})" for n, x in zip(sizes, half, strict=True))
            + ".",
        ),
    ]


def alone(found: es.Flips) -> float:
    """The share of points at which an interval of 95 %, by itself, meets theory."""
    joint = 1 - 0.05 * found.units.size
    return float(found.within(joint, BLUR).mean())


def quantile(points: int) -> float:
    """Of a normal variable: how far it is at most at all of so many points, with `CONFIDENCE`."""
    return float(ndtri(1 - (1 - CONFIDENCE) / (2 * points)))


def _energies(claims, found: ee.Descent, agreement: float) -> list[Result]:
    single, together = found.rise("single"), found.rise("together")
    ends = found.single[:, [0, -1]].mean(0)
    # A run counts only if `retrieve` certified it, too.
    worst = np.where(found.certified, single, math.nan).max()
    return [
        next(claims).judge(
            [worst],
            note=f"{len(single)} random starts, N = {found.units}, {found.others + 1} patterns, "
            f"{found.single.shape[1] - 1} updates: mean energy from {ends[0]:.1f} to "
            f"{ends[1]:.1f}; {found.rested:.0%} come to rest, {found.stored:.0%} at a pattern. "
            f"`certify=True` agrees for {found.certified.mean():.0%}.",
        ),
        next(claims).judge(
            [np.mean(together > ee.ROUNDING)],
            note=f"The largest rise in one step is {together.max():.0%} of the energy.",
        ),
        next(claims).judge([agreement]),
    ]


def _growth(claim: Claim, found: dict[int, list[em.Repair]]) -> Result:
    sizes, logs, slope = emap.rate(found)
    corrected = float(np.polyfit(sizes, logs + np.log(sizes) / 2, 1)[0])
    return claim.judge(
        [slope],
        note=", ".join(f"ln M = {x:.2f} (N = {n:.0f})" for n, x in zip(sizes, logs, strict=True))
        + f"; with pairs that differ in one unit taken into account, ln M + ½ ln N grows by "
        f"{corrected:.3f}.",
    )


def _rise(claim: Claim, found: list[em.Repair], units: int, which: str) -> Result:
    """The difference to the smallest network; its note has all sizes."""
    first, last = getattr(found[0], which), getattr(_at(found, units), which)
    return claim.judge([last.mean() - first.mean()], note=_series(found))


def _at(found: list[em.Repair], units: int) -> em.Repair:
    return next(each for each in found if each.units == units)


def _series(found: list[em.Repair]) -> str:
    """Sizes and shares, of single patterns and of networks."""

    def one(each: em.Repair) -> str:
        every = each.all.mean()
        of = "" if math.isnan(every) else f", all in {every:.2f} of {len(each.exact)} networks"
        return f"{each.single.mean():.4f}{of} (N = {each.units}, M = {each.others + 1})"

    return "Single patterns: " + "; ".join(one(each) for each in found) + "."


def _constants(found: ep.Polynomial, constant: float) -> str:
    i, single = found.constants.index(constant), found.single(constant).mean(0)
    parts = (
        f"{share:.3f}, theory {theory:.3f} (N = {n}, M = {m})"
        for share, theory, n, m in zip(
            single, found.theory[i], found.sizes, found.patterns[i], strict=True
        )
    )
    return "Single patterns: " + "; ".join(parts) + "."
