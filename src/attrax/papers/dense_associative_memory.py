"""Dense associative memory: energies of overlaps to the n, as a store and as a classifier.

Claim: with E = −Σ_μ (ξ_μ·σ)ⁿ a network of N units stores some N^(n−1) random patterns; one update
of its label units is a feed-forward classifier, whose memories learn features for small n and
prototypes for large.

Figure: units that flip over the number of patterns beside theory, random starts by n, the number
of patterns that half of all starts find, duality, errors over epochs, votes, and memories.

Command: `attrax reproduce dense-associative-memory --profile full --out DIR`, which goes on from
checkpoints in DIR if it was stopped.

Run time: quick below a minute; full two to three hours, of which training takes all but six
minutes, on two cores.

Result: what the paper says of stores, of duality and of digits holds; small networks hold a little
more than its formula. Classifiers of MNIST and of Fashion-MNIST err less than logistic regression
and little more than an MLP, if T ends low enough.

**Source:** [krotov2016dense]
"""

import dataclasses
import os
import time
from pathlib import Path

from .. import data as datasets
from . import dense_associative_memory_training as dt
from .dense_associative_memory_figure import draw
from .dense_associative_memory_sizes import LEARNT, PROFILES, measure
from .dense_associative_memory_verdicts import judge
from .judged import Claim, Reproduction, reproduced

_VOTES = "Fig. 2, MNIST"
_CLOTHES = "own target; Fashion-MNIST is not in the paper"
_STARTS = "App. B, Fig. 4; N = 100, K = 2000"


def _written(part: str, error: str, here: str) -> tuple[Claim, ...]:
    """Claims on one set of handwritten digits, learnt for n = 2, 3 and 20."""
    return (
        Claim(
            f"{part}: test error of n = 3 beyond that of n = 2, K = 100",
            "≤ 0 (1.6 % and less)",
            f"Fig. 1, K = 2000, MNIST; here {here}",
            most=0.0,
        ),
        Claim(
            f"{part}: epochs to a test error of {error}, n = 3 over n = 2",
            "0.84 (means of ranges)",
            f"§4: 158–262 against 179–312 epochs to 2 % of MNIST; here {here}",
            most=1.0,
        ),
        Claim(
            f"{part}: test error of n = 3 beyond an MLP of as many weights",
            "≤ 0.01 (own bound; MNIST 1.6 %)",
            f"own target; {here}",
            most=0.01,
        ),
        Claim(
            f"{part}: test error of n = 20 beyond logistic regression",
            "< 0",
            f"own target; {here}",
            most=0.0,
        ),
        Claim(
            f"{part}: memories that vote for one class only, least growth, n = 2, 3, 20",
            "grows",
            _VOTES,
            least=0.0,
        ),
        Claim(
            f"{part}: memories that vote for one class only, n = 20: share",
            "> 0.4",
            f"{_VOTES}, n = 30, K = 2000",
            least=0.4,
        ),
        Claim(
            f"{part}: images decided by a single memory, n = 20: share",
            "> 0.8",
            f"{_VOTES}, n = 30, K = 2000; no second adds 0.9 as much",
            least=0.8,
        ),
    )


CLAIMS = (
    Claim(
        "Energy falls at every change of a unit, n = 3 and 4, in whole numbers: rises",
        "0 (theorem)",
        "eq. 4; energies of both states compared",
        most=0.0,
    ),
    Claim(
        "The sweeps are those of a loop over units in whole numbers: share",
        "exact",
        "eq. 4",
        least=1.0,
    ),
    Claim("XOR by n = 3, 5, and rectified n = 2, 3, 4: inputs right", "all", "§3", least=1.0),
    Claim("XOR by n = 2 and 4 without rectification: inputs right", "not all", "§3", most=0.5),
    Claim(
        "Units of stored patterns that flip, N = 100, n = 2, 3, 4: largest distance in s.e.",
        "exact law of eq. 5's sum",
        "9 numbers of patterns; theory.dense_flip_probability(exact=True)",
        most=3.5,
    ),
    Claim(
        "The same at n = 3, K = 1000, over the paper's normal approximation",
        "0.0339",
        "eq. 5; ratio to it",
        least=1.0,
        most=1.0,
        tolerance=0.1,
    ),
    Claim("Random starts, n = 2: share that ends in a pattern", "none (K ≈ 11)", _STARTS, most=0.0),
    Claim("Random starts, n = 3: share that ends in a pattern", "few (K ≈ 360)", _STARTS, most=0.1),
    Claim(
        "Random starts, n = 4 rectified: share that ends in a pattern",
        "most (K ≈ 7240)",
        _STARTS,
        least=0.95,
    ),
    Claim(
        "Random starts, n ≥ 5: least share that ends in a pattern",
        "all",
        f"{_STARTS}; both kinds of F",
        least=1.0,
    ),
    Claim(
        "Random starts, n = 4 not rectified: share in a pattern or its reverse, beyond patterns",
        "not stated",
        f"{_STARTS}; even powers like −ξ as much",
        least=0.2,
    ),
    Claim(
        "Random starts by the slope of E instead of its difference, n = 4: share in a pattern",
        "not stated",
        "eq. 4 is a difference; with the slope a unit holds itself",
        most=0.05,
    ),
    Claim(
        "K at which half of the starts end in a pattern, n = 3: slope of ln K over ln N",
        "2 (eq. 6)",
        "App. B, Fig. 5; 1.7 to 2.1 at these sizes",
        least=1.7,
        most=2.1,
    ),
    Claim(
        "The same, rectified over not rectified: least ratio",
        "slightly above 1",
        "App. B, Fig. 5",
        least=1.0,
    ),
    Claim(
        "Duality: distance of c(ε) from c of one hidden layer falls as ε to the power",
        "1",
        "§5; trained memories, double precision",
        least=1.0,
        most=1.0,
        tolerance=0.05,
    ),
    Claim("Duality: largest difference at ε = 1e-6", "0", "§5; c from −1 to 1", most=1e-4),
    Claim(
        "Ten steps of training beside the paper's formulas: largest difference of a weight",
        "exact",
        "eq. 12, 13, App. A; double precision, rates in single",
        most=1e-6,
    ),
    *_written("Digits", "10 %", "1348 images of 8 × 8, K = 100"),
    *_written("MNIST", "5 %", "K = 100, 300 epochs"),
    Claim("Clothes: test error of n = 3 beyond that of n = 2, K = 100", "≤ 0", _CLOTHES, most=0.0),
    Claim(
        "Clothes: epochs to a test error of 20 %, n = 3 over n = 2",
        "0.84 (means of ranges)",
        "as above",
        most=1.0,
    ),
    Claim(
        "Clothes: test error of n = 3 beyond an MLP of as many weights",
        "≤ 0.01 (own bound)",
        _CLOTHES,
        most=0.01,
    ),
    Claim("Clothes: test error of n = 3 beyond logistic regression", "< 0", _CLOTHES, most=0.0),
    Claim("Clothes: test error of n = 20 beyond logistic regression", "< 0", _CLOTHES, most=0.0),
    Claim(
        "Clothes: memories that vote for one class only, least growth, n = 2, 3, 10, 20",
        "grows",
        _VOTES,
        least=0.0,
    ),
    Claim(
        "Clothes: classes that a memory votes for, largest growth of the mean",
        "falls",
        _VOTES,
        most=0.0,
    ),
    Claim(
        "Clothes: memories that vote for one class only, n = 20: share",
        "> 0.4",
        f"{_VOTES}, n = 30, K = 2000",
        least=0.4,
    ),
    Claim(
        "Clothes: images decided by a single memory, n = 20: share",
        "> 0.8",
        f"{_VOTES}, n = 30, K = 2000",
        least=0.8,
    ),
    Claim(
        "Clothes: test error of K = 2000 beyond K = 100 after as many epochs, n = 3",
        "< 0",
        _CLOTHES,
        most=0.0,
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
    """Measure every claim; see `attrax.papers.reproduce`.

    `data` is a set of images with labels of `attrax.data.load`, which the full profile learns
    beside digits: Fashion-MNIST, or the sample that ships where that is missing. It learns MNIST,
    too, where `attrax.data.load` finds it. With `out`, these classifiers leave checkpoints there,
    from which the next run goes on.
    """
    started = time.perf_counter() if started is None else started
    sizes = PROFILES[profile]
    name = data or ("fashion-mnist" if datasets.available()["fashion-mnist"] else "sample")
    folder = None
    if out is not None:
        folder = Path(out).expanduser() / "dense-associative-memory" / "training"
    parts = measure(sizes, name, seed, folder)
    learnt = {part: parts[part] for part in LEARNT if parts[part] is not None}
    config = {
        "data": name,
        "seed": seed,
        "batch": dt.BATCH,
        **dataclasses.asdict(sizes),
        "errors": {
            part: {f"n = {n}": found.errors(n).tolist() for n in found.learnt} | found.rivals
            for part, found in learnt.items()
        },
    }
    return reproduced(
        "dense-associative-memory",
        profile,
        started,
        judge(CLAIMS, parts),
        config,
        lambda path: draw(path, parts),
        out,
    )
