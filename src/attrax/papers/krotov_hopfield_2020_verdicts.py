"""The verdicts on the claims of large associative memory."""

from collections.abc import Sequence
from typing import Any

from . import krotov_hopfield_2020_measures as km
from . import krotov_hopfield_2020_traps as kt
from .judged import Claim, Result
from .krotov_hopfield_2020_capacity import Capacity


def judge(declared: Sequence[Claim], found: dict[str, Any]) -> list[Result]:
    """The verdict on each claim of `krotov_hopfield_2020.CLAIMS`, in their order."""
    claims = iter(declared)
    models: dict[str, km.Model] = {name: found[name] for name in km.MODELS}
    results = []
    for model in models.values():
        ends = model.descent.energy[:, [0, -1]].mean(0)
        note = f"Mean energy from {ends[0]:.2f} to {ends[1]:.2f}."
        results.append(next(claims).judge([model.descent.rise.max()], note=note))
    decays: km.Decays = found["decays"]
    ends = [each.energy[:, -1].mean() for each in decays.descents]
    results.append(
        next(claims).judge(
            [max(each.rise.max() for each in decays.descents)],
            note="Mean energies at the end "
            + ", ".join(f"{e:.2f} (α = {a:g})" for a, e in zip(km.DECAYS, ends, strict=True))
            + f". A network built with α = {km.DECAYS[1]:g} has the energy and the velocity of one "
            f"whose decay is changed, to {decays.apart:.0e}.",
        )
    )
    differences = {name: model.rates.difference for name, model in models.items()}
    results.append(next(claims).judge([max(differences.values())], note=_each(differences)))
    least = {name: model.rates.least for name, model in models.items()}
    results.append(next(claims).judge([min(least.values())], note=_each(least)))
    effective = {name: model.effective for name, model in models.items()}
    results.append(next(claims).judge([max(effective.values())], note=_each(effective)))
    exponents = {name: model.limit.exponents.mean(0) for name, model in models.items()}
    worst = max(exponents.values(), key=lambda each: abs(each[-1] - 1))[-1]
    results.append(
        next(claims).judge(
            [worst],
            note="Between τ_h/τ_f = 1, 0.1, 0.01 and 0.001: "
            + "; ".join(
                f"{name} " + ", ".join(f"{x:.3f}" for x in each) for name, each in exponents.items()
            )
            + ".",
        )
    )
    results += [next(claims).judge([found["attention"]]), next(claims).judge([found["forms"]])]
    capacity: Capacity = found["capacity"]
    few = [i for i, n in enumerate(capacity.neurons) if 100 * n <= capacity.features**2]
    shares = ", ".join(
        f"{share:.3f} (N_h = {n})"
        for n, share in zip(capacity.neurons, capacity.recalled.mean(0), strict=True)
    )
    note = f"N_f = {capacity.features}; of all sizes: {shares}."
    results.append(next(claims).judge(capacity.recalled[:, few].mean(1), note=note))
    results.append(next(claims).judge([capacity.crowded.max()]))
    results.append(next(claims).judge([float(round(0.14 * 64**2))]))
    return results + _controls(claims, found)


def _controls(claims, found) -> list[Result]:
    bad: kt.Indefinite = found["indefinite"]
    dead: kt.Dead = found["dead"]
    unbounded: kt.Unbounded = found["unbounded"]
    coarse: kt.Coarse = found["coarse"]
    rise, whole = found["monitor"]
    low, high = (run.energy[0, -1] for run in unbounded.runs)
    return [
        next(claims).judge(
            [bad.least if bad.refused else float("nan")],
            note=f"Forced through, the energy rises in {bad.rises:.0%} of runs: one that falls "
            "proves nothing, so the Hessian is what to test.",
        ),
        next(claims).judge(
            [dead.change],
            note=f"{dead.share:.0%} of the neurons are silent; they still move, at a mean |ḣ| of "
            f"{dead.speed:.2f}, so a constant energy does not mean that the state rests.",
        ),
        next(claims).judge(
            [min(unbounded.converged[0], unbounded.diverged[1])],
            note=f"Up to t = 50 energies fall to {low:.1e} at ‖ξᵀξ‖ = {unbounded.norms[0]:g}, and "
            f"to {high:.1e} at {unbounded.norms[1]:g}, largest rise "
            f"{max(run.rise.max() for run in unbounded.runs):.0e}. Memories are positive, so that "
            "ReLU reaches the leading direction.",
        ),
        next(claims).judge(
            [coarse.rise[-1]],
            note="Rise by dt/τ_h: "
            + ", ".join(f"{r:.0e} ({s:g})" for s, r in zip(coarse.steps, coarse.rise, strict=True))
            + f"; with h = ξg instead at most {coarse.eliminated.max():.0e}. The certificate: "
            f"{coarse.summary}",
        ),
        next(claims).judge([found["driven"]]),
        next(claims).judge(
            [rise], note=f"Along the same runs the energy of both layers rises by {whole:.0e}."
        ),
    ]


def _each(numbers: dict[str, float]) -> str:
    return "; ".join(f"{name} {number:.0e}" for name, number in numbers.items()) + "."
