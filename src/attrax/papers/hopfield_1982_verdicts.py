"""The verdicts on the claims of the classical Hopfield network."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..theory import hebb_flip_probability
from . import hopfield_1982_measures as hm
from . import hopfield_1982_rules as hr
from .contract import Claim, Result


def judge(declared: Sequence[Claim], found: dict[str, Any]) -> list[Result]:
    """The verdict on each claim of `hopfield_1982.CLAIMS`, in their order."""
    claims = iter(declared)
    return [
        *_dynamics(claims, found),
        *_overlaps(claims, found),
        *_small(claims, found),
        *_rules(claims, found),
        *_others(claims, found),
    ]


def _dynamics(claims, found) -> list[Result]:
    rises, changes, agree = found["flips"]
    rest, cycle = found["synchronous"]
    return [
        next(claims).judge([float(rises)], note=f"Of {changes} changes in 5 runs of 200 units."),
        next(claims).judge([agree]),
        next(claims).judge(
            [rest + cycle],
            note=f"Random couplings: {rest:.0%} rest, {cycle:.0%} end in a cycle of two.",
        ),
    ]


def _overlaps(claims, found) -> list[Result]:
    overlaps: hm.Overlaps = found["overlaps"]
    limit: hm.Limit = found["limit"]
    middle = overlaps.sizes.index(500)
    at = {load: i for i, load in enumerate(hm.LOADS)}
    results = [
        next(claims).judge(overlaps.drawn[middle][at[load]].tolist()) for load in (0.12, 0.18)
    ]
    note = "; ".join(
        f"α = {load:g}: {value:.4f} ± {error:.4f}, theory {theory:.4f}"
        for load, value, error, theory in zip(
            limit.loads, limit.limit, limit.error, limit.theory, strict=True
        )
    )
    results.append(_theory(next(claims), limit, found["cooled"], note))
    far = [i for i, load in enumerate(hm.LOADS) if load > 0.14]
    remnant = overlaps.mean[:, far]
    results.append(
        next(claims).judge(
            [np.nanmin(remnant)],
            note="; ".join(
                f"N = {size}: " + ", ".join(f"{x:.2f}" for x in row)
                for size, row in zip(overlaps.sizes, remnant, strict=True)
                if not np.isnan(row).any()
            )
            + " at α = 0.15, 0.18, 0.25.",
        )
    )
    warm, theory = found["warm"]
    results.append(
        next(claims).judge(
            [np.abs(warm.mean(1) - theory).max()],
            note="; ".join(
                f"T = {t:g}: {m:.4f}, theory {e:.4f}"
                for t, m, e in zip(hm.TEMPERATURES, warm.mean(1), theory, strict=True)
            )
            + ".",
        )
    )
    right, wrong = found["boltzmann"]
    results.append(
        next(claims).judge(
            [right],
            note=f"Against the law of a temperature a tenth lower: {wrong:.0f}.",
        )
    )
    return results


def _theory(claim: Claim, limit: hm.Limit, cooled, note: str) -> Result:
    """Whether overlaps tend to replica theory's, and if not, whether cooling takes them there."""
    if cooled is None:
        return claim.judge([limit.z.max()], note=f"{note}.")
    overlap, energy = cooled
    low, middle, high = _median(overlap)
    excess, spread = (limit.limit - limit.theory)[3], limit.error[3]
    note += (
        f". Settled at once, a network ends in the first minimum: at α = 0.12 cooling down from "
        f"T = 0.08 instead takes {middle:.4f} [{low:.4f}, {high:.4f}] off the overlap (median of "
        f"{overlap.size} networks, some of which leave the valley for good, and its 95 % interval) "
        f"and {energy.mean():.1e} off the energy a unit; theory is of such states, and the overlap "
        f"is {excess:.4f} ± {spread:.4f} above it"
    )
    return claim.judge(
        [limit.z.max()],
        note=f"{note}.",
        explained=bool(
            limit.z[limit.loads <= 0.1].max() <= 3
            and low > 0
            and energy.mean() > 0
            and low - 3 * spread <= excess <= high + 3 * spread
        ),
    )


def _median(values: np.ndarray) -> tuple[float, float, float]:
    """The median between the ends of its 95 % interval, by ranks."""
    ordered, half = np.sort(values), 0.98 * np.sqrt(values.size)
    ends = (
        int(max(np.floor(values.size / 2 - half), 0)),
        int(min(np.ceil(values.size / 2 + half), values.size - 1)),
    )
    return float(ordered[ends[0]]), float(np.median(values)), float(ordered[ends[1]])


def _small(claims, found) -> list[Result]:
    stability = found["stability"]
    predicted = float(hebb_flip_probability(10, 100, states="bits"))
    results = [
        next(claims).judge(
            [stability["bits"][10][0].mean() / predicted],
            note=f"{stability['bits'][10][0].mean():.5f} of units beside {predicted:.5f}; ±1 "
            f"units {stability['signs'][10][0].mean():.5f}.",
        )
    ]
    for units, quoted in (("bits", (0.99, 0.56, 0.14)), ("signs", (1.0, 0.95, 0.68))):
        shares = [stability[units][n][1] for n in (5, 10, 15)]
        means = np.array([share.mean() for share in shares])
        errors = np.array([share.std() / np.sqrt(share.size) for share in shares])
        apart = np.abs(means - quoted)
        worst = int(apart.argmax())
        plain = found["unchanged"][units][worst]
        error = np.hypot(errors[worst], plain.std() / np.sqrt(plain.size))
        listed = ", ".join(f"{m:.3f} ± {e:.3f}" for m, e in zip(means, errors, strict=True))
        results.append(
            next(claims).judge(
                [apart.max()],
                note=f"{listed} over {shares[0].size} networks; in NumPy's whole numbers, with "
                f"nothing of attrax, {plain.mean():.3f} over {plain.size} where the distance is "
                "largest.",
                explained=bool(
                    abs(plain.mean() - means[worst]) < 4 * error
                    and apart[worst] > 4 * errors[worst]
                ),
            )
        )
    near, _ = found["near"]
    small, stable = found["small"]
    by_distance = ", ".join(f"{x:.2f}" for x in small.mean(0))
    results.append(next(claims).judge([near.mean()]))
    results.append(
        next(claims).judge(
            [small.mean()],
            note=f"At distances 1 to 5: {by_distance}. At a load of 1/6 the patterns themselves "
            f"are at rest in {stable.mean():.2f} of cases only; at N = 100, n = 5 cues 5 units off "
            f"come back in {near.mean():.2f}.",
            explained=bool(np.diff(small.mean(0)).max() < 0 and near.mean() >= 0.9),
        )
    )
    return results


def _rules(claims, found) -> list[Result]:
    recalled: hr.Recalled = found["recalled"]
    place = recalled.loads.index(0.25)
    results = []
    for name in ("projection", "Storkey", "Hebb"):
        shares = recalled.shares[name]
        note = ", ".join(
            f"{x:.2f} (α = {load:g})"
            for load, x in zip(recalled.loads, shares.mean(1), strict=True)
        )
        results.append(next(claims).judge(shares[place].tolist(), note=f"{note}."))
    apart = found["incremental"]
    listed = ", ".join(f"{name} {value:.0e}" for name, value in apart.items())
    results.append(next(claims).judge([max(apart.values())], note=f"{listed}."))
    learnt, hebb = found["gardner"]
    results.append(next(claims).judge([learnt], note=f"By Hebb's rule {hebb:.2f}."))
    return results


def _others(claims, found) -> list[Result]:
    stay, overlaps = found["three"]
    apart, ends = found["four"]
    graded: hr.Graded = found["graded"]
    images: hr.Images = found["images"]
    shares = ", ".join(
        f"{share:.3f} (gain {gain:g})" for gain, share in zip(hr.GAINS, graded.agree, strict=True)
    )
    rates = ", ".join(f"{name} {value:.2f}" for name, value in images.exact.items())
    return [
        next(claims).judge(stay.tolist()),
        next(claims).judge([np.abs(overlaps.mean(0) - 0.5).max()]),
        next(claims).judge(
            apart.tolist(),
            note=f"They end at a largest overlap of {ends.max(1).mean():.2f}, from 0.375.",
        ),
        next(claims).judge([graded.rise]),
        next(claims).judge([graded.agree[-1]], note=f"{shares}."),
        next(claims).judge(
            [images.exact["projection"] - images.exact["Hebb"]],
            note=f"{rates}; mean |overlap| of two images {images.correlation:.2f}.",
        ),
    ]
