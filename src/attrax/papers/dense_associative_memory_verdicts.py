"""The verdicts on the claims of the dense associative memory."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..theory import dense_capacity
from . import dense_associative_memory_capacity as dc
from . import dense_associative_memory_compared as dm
from . import dense_associative_memory_logic as dl
from .dense_associative_memory_training import Learnt
from .judged import Claim, Result

_DIGITS = 'Needs the digits of scikit-learn: pip install "attrax[sklearn]".'
_MNIST = 'Needs the full profile, and MNIST: attrax.data.load("mnist", download=True).'
_LONG = "Needs some hours: attrax reproduce dense-associative-memory --profile full --out DIR."


def judge(declared: Sequence[Claim], found: dict[str, Any]) -> list[Result]:
    """The verdict on each claim of `dense_associative_memory.CLAIMS`, in their order."""
    claims = iter(declared)
    return [
        *_exact(claims, found),
        *_flips(claims, found),
        *_starts(claims, found),
        *_half(claims, found),
        *_dual(claims, found),
        *_written(claims, found["digits"], 0.1, _DIGITS),
        *_written(claims, found["mnist"], 0.05, _MNIST),
        *_clothes(claims, found["clothes"]),
    ]


def _exact(claims, found) -> list[Result]:
    rises = sum(each[0] for each in found["descents"])
    changes = sum(each[1] for each in found["descents"])
    return [
        next(claims).judge([float(rises)], note=f"Of {changes} changes."),
        next(claims).judge([float(np.mean([each[2] for each in found["descents"]]))]),
        next(claims).judge([min(found["xor"][kind] for kind in dl.SOLVE)]),
        next(claims).judge(
            [max(found["xor"][kind] for kind in dl.CANNOT)],
            note="Both states have one energy: the third unit keeps the one it has.",
        ),
    ]


def _flips(claims, found) -> list[Result]:
    flips = {n: found[f"flips{n}"] for n in dc.STORED}
    note = "; ".join(
        f"n = {n}, K = {k}: {share:.2g} ± {error:.1g}, exact {exact:.2g}, formula {normal:.2g}"
        for n, each in flips.items()
        for k, share, error, exact, normal in zip(
            each.stored, each.share, each.error, each.exact, each.normal, strict=True
        )
    )
    middle = flips[3]
    i = int(np.flatnonzero(middle.stored == 1000)[0])
    return [
        next(claims).judge([max(float(each.z.max()) for each in flips.values())], note=note),
        next(claims).judge([middle.share[i] / middle.normal[i]]),
    ]


def _starts(claims, found) -> list[Result]:
    kinds: dict[tuple[int, bool], dc.Starts] = found["starts"]
    third = kinds[3, True]
    also = kinds.get((3, False))
    steep = {kind: part.perfect for kind, part in kinds.items() if kind[0] >= 5}
    least = min(steep.values())
    lost = sum(int(np.sum(part.overlap < dc.UNITS)) for kind, part in kinds.items() if kind[0] >= 5)
    total = sum(part.overlap.size for kind, part in kinds.items() if kind[0] >= 5)
    fourth = kinds[4, False]
    return [
        next(claims).judge(
            [kinds[2, False].perfect],
            note=f"Mean largest overlap {kinds[2, False].overlap.mean():.1f} of 100 units.",
        ),
        next(claims).judge(
            [third.perfect],
            note=f"Mean largest overlap {third.overlap.mean():.1f} of 100 units rectified"
            + (f", {also.overlap.mean():.1f} not rectified." if also else "."),
        ),
        next(claims).judge([kinds[4, True].perfect]),
        next(claims).judge(
            [least],
            note=f"{lost} of {total} starts end elsewhere ("
            + ", ".join(
                f"n = {n}{' rectified' if r else ''}: {p:.4f}" for (n, r), p in steep.items()
            )
            + "), in states at rest of their own, which large n makes rare but does not exclude.",
            explained=least > 0.99,
        ),
        next(claims).judge(
            [fourth.reversed - fourth.perfect],
            note=f"{fourth.perfect:.2f} in a pattern, {fourth.reversed:.2f} with reverses.",
        ),
        next(claims).judge([found["slope"].perfect]),
    ]


def _half(claims, found) -> list[Result]:
    power, rectified = found["halfFalse"], found["halfTrue"]

    def listed(half):
        return ", ".join(f"{k:.0f} (N = {n})" for n, k in zip(half.sizes, half.half, strict=True))

    logs, formula = (
        np.log(power.half),
        np.log(np.asarray(dense_capacity(power.sizes, 3, "no_errors"))),
    )
    ratio = np.exp(logs - formula)
    expected = np.polyfit(np.log(power.sizes), formula, 1)[0]
    rise, error = power.rise
    settled = (
        f"above the middle size the slope is larger by {rise:.2f} ± {error:.2f}"
        if np.isfinite(error)
        else "of two sizes there is but one slope"
    )
    return [
        next(claims).judge(
            [power.slope],
            note=f"K = {listed(power)}; rectified: {listed(rectified)}, slope "
            f"{rectified.slope:.2f}. The slope's standard error is {power.slope_error:.2f}; "
            f"{settled}. Eq. 6 is of patterns that stay, for large N, and has a slope of "
            f"{expected:.2f} at these sizes for its logarithm: half of random starts is another "
            f"criterion, met at {ratio.max():.2f} to {ratio.min():.2f} of its K.",
            explained=bool(ratio.max() < 1.25 and ratio.min() > 0.8),
        ),
        next(claims).judge([float(np.min(rectified.half / power.half))]),
    ]


def _dual(claims, found) -> list[Result]:
    small = found["epsilons"] < 0.02
    slope = np.polyfit(np.log(found["epsilons"][small]), np.log(found["dual"][small]), 1)[0]
    return [
        next(claims).judge([float(slope)]),
        next(claims).judge([float(found["dual"][-1])]),
        next(claims).judge([found["formulas"]]),
    ]


def _written(claims, found: dm.Compared | None, error: float, missing: str) -> list[Result]:
    if found is None:
        return [next(claims).not_run(missing) for _ in range(7)]
    logistic, mlp = _rivals(found)
    return [
        next(claims).judge(found.errors(3) - found.errors(2), note=_errors(found)),
        _epochs(next(claims), found, error),
        next(claims).judge(found.errors(3) - mlp),
        next(claims).judge(found.errors(20) - logistic),
        _growth(next(claims), found),
        _prototypes(next(claims), found),
        _decided(next(claims), found),
    ]


def _clothes(claims, found: dm.Compared | None) -> list[Result]:
    if found is None or found.large is None:
        return [claim.not_run(_LONG) for claim in claims]
    logistic, mlp = _rivals(found)
    gap, behind = found.errors(3) - found.errors(2), found.errors(3) - mlp
    error = np.sqrt(2 * found.errors(3).mean() / len(found.found.test_x))
    text = f"{_errors(found)} A standard error of a difference is {error:.3f}."
    mean = {n: float(np.mean([np.mean(v) for v in each])) for n, each in found.votes.items()}
    few, steep = [mean[n] for n in (2, 3)], [mean[n] for n in found.votes if n > 2]
    named = (
        " The paper says 3 to 5 for small n, as here for 2 and 3, and names no order of these; "
        "beyond them it falls."
    )
    alike = bool(min(few) >= 3 and max(few) <= 5 and np.all(np.diff(steep) < 0))
    return [
        next(claims).judge(gap, note=text, explained=bool(abs(gap.mean()) < 2 * error)),
        _epochs(next(claims), found, 0.2),
        _beside_mlp(next(claims), behind, text, error),
        next(claims).judge(found.errors(3) - logistic),
        next(claims).judge(found.errors(20) - logistic),
        _growth(next(claims), found),
        next(claims).judge(
            [float(np.max(np.diff(list(mean.values()))))],
            note=_listed(mean) + named * alike,
            explained=alike,
        ),
        _prototypes(next(claims), found),
        _decided(next(claims), found),
        _larger(next(claims), *found.large),
    ]


def _beside_mlp(claim: Claim, behind: np.ndarray, text: str, error: float) -> Result:
    bound = float(claim.most or 0.0)
    near = bool(behind.mean() < bound + error)
    reason = f" No more than that from the bound, {bound:.3f}, which the paper does not set."
    return claim.judge(behind, note=text + reason * near, explained=near)


def _larger(claim: Claim, few: Learnt, many: Learnt) -> Result:
    late = [run.error[-len(run.error) // 4 :] for run in (many, few)]
    ranges = " against ".join(f"{each.min():.3f} to {each.max():.3f}" for each in late)
    fewer, last = float(few.error[-1]), float(many.error[-1])
    return claim.judge(
        [last - fewer],
        note=f"After {many.epochs[-1]} epochs of one recipe {last:.3f} against {fewer:.3f}; where "
        f"errors were looked at late, {ranges}.",
    )


def _growth(claim: Claim, found: dm.Compared) -> Result:
    """Of the share of memories that vote for one class, from degree to degree."""
    alone = _alone(found)
    growth = np.diff(list(alone.values()))
    few, beyond = [share for n, share in alone.items() if n <= 3], growth[1:]
    features = max(few) < 0.05 and bool(np.all(beyond > 0))
    reason = " With n = 2 and 3 it is less than one in twenty, and from 3 on it grows."
    return claim.judge(
        [float(np.min(growth))], note=_listed(alone) + reason * features, explained=features
    )


def _prototypes(claim: Claim, found: dm.Compared) -> Result:
    alone = _alone(found)
    return claim.judge(
        [float(np.mean(votes == 1)) for votes in found.votes[20]],
        note=f"{_listed(alone)} The paper's is of n = 30 and K = 2000.",
        explained=alone[20] > 2 * max(share for n, share in alone.items() if n < 10),
    )


def _decided(claim: Claim, found: dm.Compared) -> Result:
    single = {
        n: float(np.mean([np.mean(a == 1) for a in each])) for n, each in found.active.items()
    }
    shares = [float(np.mean(active == 1)) for active in found.active[20]]
    return claim.judge(shares, note=_listed(single))


def _rivals(found: dm.Compared) -> tuple[np.ndarray, np.ndarray]:
    return np.array(found.rivals["logistic regression"]), np.array(found.rivals["MLP"])


def _errors(found: dm.Compared) -> str:
    errors = {f"n = {n}": found.errors(n).mean() for n in found.learnt}
    errors |= {name: np.mean(values) for name, values in found.rivals.items()}
    return ", ".join(f"{name}: {error:.3f}" for name, error in errors.items()) + "."


def _epochs(claim: Claim, found: dm.Compared, error: float) -> Result:
    second, third = (np.mean([run.reaches(error) for run in found.learnt[n]]) for n in (2, 3))
    low, high = 158 / 312, 262 / 179
    return claim.judge(
        [float(third / second)],
        note=f"{third:.0f} against {second:.0f} epochs. The paper's ranges overlap: two of its "
        f"runs have a ratio from {low:.2f} to {high:.2f}.",
        explained=bool(low <= third / second <= high),
    )


def _alone(found: dm.Compared) -> dict[int, float]:
    return {n: float(np.mean([np.mean(v == 1) for v in each])) for n, each in found.votes.items()}


def _listed(values: dict[int, float]) -> str:
    return ", ".join(f"n = {n}: {value:.2f}" for n, value in values.items()) + "."
