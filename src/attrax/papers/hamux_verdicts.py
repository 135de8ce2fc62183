"""The verdicts on the claims of HAMUX, with what was measured beside them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import hamux_graphs as hg
from . import hamux_training as ht
from .judged import Claim, Result


def judge(declared: Sequence[Claim], parts: dict[str, Any]) -> list[Result]:
    """The verdict on each claim of `hamux.CLAIMS`, in their order."""
    claims = iter(declared)
    errors, graphs = parts["lagrangians"], parts["graphs"]
    readme: hg.Readme = parts["readme"]
    ends = readme.descent.energies[:, -1].astype(np.float64)
    runs, long = sum(len(graph.energies) for graph in graphs), readme.long
    caught = (readme.concave + (long.rises == len(long.energies))) / 2
    dense, convolutional = parts["dense"], parts["convolutional"]
    return [
        next(claims).judge([max(error.activation for error in errors.values())]),
        next(claims).judge([max(error.legendre for error in errors.values())]),
        next(claims).judge([readme.energy]),
        next(claims).judge([np.max(np.abs(readme.slope - np.asarray(hg.PRINTED_SLOPE)))]),
        next(claims).judge([float(readme.descent.rises)]),
        next(claims).judge(
            ends, note=f"The ends of the {len(ends)} runs differ by {np.ptp(ends):.1e}."
        ),
        next(claims).judge([float(parts["convolution"])]),
        next(claims).judge(
            [float(sum(graph.rises for graph in graphs))],
            note=f"{runs} runs of 100 steps of 0.05 in {len(graphs)} graphs.",
        ),
        next(claims).judge(
            [caught],
            note=f"With steps of 2.5 the energy rises in {long.rises} of {len(long.energies)} "
            f"runs, by up to {long.rise:.1e} in one step.",
        ),
        *(_digits(next(claims), parts[name]) for name in ht.HIDDEN),
        *_margins(claims, dense, ("logistic regression", "feed-forward")),
        _beyond_linear(next(claims), convolutional, dense),
        *_margins(claims, convolutional, ("MLP", "feed-forward")),
        *(_certified(next(claims), found) for found in (dense, convolutional)),
    ]


def _digits(claim: Claim, accuracies: list[float] | None) -> Result:
    if accuracies is None:
        return claim.not_run(
            'Needs scikit-learn: pip install "attrax[sklearn]", then attrax reproduce hamux.'
        )
    return claim.judge(accuracies)


def _margins(claims, found: ht.Compared, rivals: tuple[str, ...]) -> list[Result]:
    own = np.asarray(found.accuracies["at rest"])
    return [
        next(claims).judge(own - np.asarray(found.accuracies[rival]), note=_accuracies(found))
        for rival in rivals
    ]


def _beyond_linear(claim: Claim, found: ht.Compared, dense: ht.Compared) -> Result:
    """Beside logistic regression, which was trained with the dense network, on the same seeds."""
    name = "logistic regression"
    own, linear, small = (
        np.asarray(accuracies)
        for accuracies in (
            found.accuracies["at rest"],
            dense.accuracies[name],
            found.accuracies["MLP"],
        )
    )
    weights, others = found.sizes["feed-forward"], dense.sizes[name]
    return claim.judge(
        own - linear,
        explained=bool(weights < others and own.mean() > small.mean()),
        note=f"It has {weights} weights, logistic regression {others}; an MLP of as many reads "
        f"{small.mean():.3f} right, the network {own.mean():.3f}, logistic regression "
        f"{linear.mean():.3f}.",
    )


def _accuracies(found: ht.Compared) -> str:
    each = [
        f"{name} {np.mean(shares):.3f} ± {np.std(shares):.3f} "
        f"({found.sizes['feed-forward' if name == 'at rest' else name]} weights)"
        for name, shares in found.accuracies.items()
    ]
    sweeps = np.mean([watched.sweeps for watched in found.watched])
    return f"Accuracies: {', '.join(each)}. At rest after {sweeps:.1f} sweeps on the average."


def _certified(claim: Claim, found: ht.Compared) -> Result:
    rise = max(watched.rise for watched in found.watched)
    rested = np.mean([watched.rested for watched in found.watched])
    return claim.judge(
        [watched.certified for watched in found.watched],
        note=f"The largest rise is {rise:.1e} of the largest term of the energy, which is its "
        f"rounding; {rested:.2%} of the images come to rest.",
    )
