"""HAMUX: associative memories as hypergraphs of neuron layers and synapses.

Claim: layers with convex Lagrangians and synapses of any scalar energy make a network whose energy
falls, and which can be trained end to end.

Figure: descents of the README's network and of random graphs, by part; classifiers of images,
their accuracies, and their energies on the way to the fixed point.

Command: `attrax reproduce hamux --profile full`.

Run time: quick below a minute, full about twelve minutes, on two cores.

Result: all claims hold. On Fashion-MNIST the dense network at rest is as good as the MLP of its
weights; the convolutional one reads one image in a hundred less than the same layers feed-forward.

**Source:** [hoover2022universal]
"""

import dataclasses
import os
import time
from functools import partial
from typing import Any

import jax

from .. import data as datasets
from . import hamux_graphs as hg
from . import hamux_training as ht
from .hamux_figure import draw
from .hamux_images import images
from .hamux_lagrangians import lagrangian_errors
from .hamux_verdicts import judge
from .judged import Claim, Reproduction, reproduced, side_by_side

_OWN = "own target; HAMUX 0.1.1 states no accuracy"
_SAME = "own target: no worse by more than one in a hundred"
CLAIMS = (
    Claim(
        "∇L is the activation: largest difference over 11 Lagrangians",
        "exact",
        "definitions; float64",
        most=1e-6,
    ),
    Claim(
        "∂E/∂g of a layer is its state: largest difference over 11 Lagrangians",
        "exact",
        "Legendre identity; float64",
        most=1e-6,
    ),
    Claim(
        "README's network at zero: energy",
        "−4.275979",
        "README of HAMUX, as printed",
        least=hg.PRINTED_ENERGY,
        most=hg.PRINTED_ENERGY,
        tolerance=1e-6,
    ),
    Claim(
        "README's network at zero: largest difference of ∂E/∂g from the printed one",
        "printed to 8 decimals",
        "README of HAMUX, hidden layer",
        most=1e-8,
    ),
    Claim(
        "README's descent, 40 steps of α = 0.5: rises in three runs",
        "0",
        "README of HAMUX; rises beyond rounding",
        most=0.0,
    ),
    Claim(
        "README's descent, 40 steps of α = 0.5: energy at the end, mean over starts",
        "−4.277",
        "run of HAMUX 0.2.2 with its own LinearSynapse",
        least=-4.277,
        most=-4.277,
        tolerance=5e-4,
    ),
    Claim(
        "A convolution drives up by itself and down by its transpose: largest difference",
        "exact",
        "test in the documentation of HAMUX; relative, float32",
        most=1e-6,
    ),
    Claim(
        "Short steps lower the energy in random graphs: rises, all runs",
        "0 (theorem)",
        "convex Lagrangians; rises beyond rounding",
        most=0.0,
    ),
    Claim(
        "What breaks the theorem is seen (concave Lagrangian, long steps): share",
        "not checked",
        "HAMUX 0.2.2 has no check",
        least=1.0,
    ),
    Claim(
        "hn_relu, 100 hidden neurons, digits, after ten steps: test accuracy",
        "> 0.93",
        _OWN,
        least=0.93,
    ),
    Claim(
        "hn_softmax, 100 hidden neurons, digits, after ten steps: test accuracy",
        "> 0.93",
        _OWN,
        least=0.93,
    ),
    Claim(
        "Dense classifier at its fixed point: accuracy beyond logistic regression",
        "none stated",
        _OWN,
        least=0.0,
    ),
    Claim(
        "Dense classifier at its fixed point: accuracy beyond the MLP of the same weights",
        "none stated",
        _SAME,
        least=0.0,
        tolerance=0.01,
    ),
    Claim(
        "Convolutional classifier at its fixed point: accuracy beyond logistic regression",
        "none stated",
        _OWN,
        least=0.0,
    ),
    Claim(
        "Convolutional classifier at its fixed point: accuracy beyond an MLP of as many weights",
        "none stated",
        _OWN,
        least=0.0,
    ),
    Claim(
        "Convolutional classifier at its fixed point: accuracy beyond the same layers feed-forward",
        "none stated",
        _SAME,
        least=0.0,
        tolerance=0.01,
    ),
    Claim(
        "The energy falls at every test image, dense: share certified",
        "1 (theorem)",
        "exact updates layer by layer; rises beyond rounding",
        least=1.0,
    ),
    Claim(
        "The energy falls at every test image, convolutional: share certified",
        "1 (theorem)",
        "exact updates layer by layer; rises beyond rounding",
        least=1.0,
    ),
)


@dataclasses.dataclass(frozen=True)
class Profile:
    """Sizes of a run; `steps` are of training."""

    graphs: int
    digit_seeds: int
    digit_steps: int
    seeds: int
    images: int
    test: int
    steps: int
    hidden: int
    channels: int


PROFILES = {
    "quick": Profile(2, 1, 400, 1, 10_000, 1000, 220, 128, 8),
    "full": Profile(20, 3, 400, 3, 60_000, 10_000, 1500, 256, 16),
}


def run(
    profile: str = "quick",
    data: str | None = None,
    seed: int = 0,
    out: str | os.PathLike | None = None,
    *,
    started: float | None = None,
) -> Reproduction:
    """Measure every claim; see `attrax.papers.reproduce`.

    `data` is a set of images with labels of `attrax.data.load`; by default Fashion-MNIST, or the
    sample that ships where the full set is missing.
    """
    started = time.perf_counter() if started is None else started
    sizes = PROFILES[profile]
    name = data or ("fashion-mnist" if datasets.available()["fashion-mnist"] else "sample")
    found = images(name, sizes.images, sizes.test, seed)
    parts = measure(found, sizes, seed)
    config = {
        "data": name,
        "images": len(found.x),
        "test images": len(found.test_x),
        "seed": seed,
        "batch": ht.BATCH,
        "learning rate": ht.RATE,
        "largest gradient": ht.CLIP,
        **dataclasses.asdict(sizes),
        "accuracies": {part: parts[part].accuracies for part in ("dense", "convolutional")},
        "weights": {part: parts[part].sizes for part in ("dense", "convolutional")},
    }
    claims = judge(CLAIMS, parts)
    return reproduced(
        "hamux",
        profile,
        started,
        claims,
        config,
        lambda path: draw(path, parts, found, seed),
        out,
    )


def measure(found, sizes: Profile, seed: int) -> dict[str, Any]:
    """All measurements, by name; None for digits where scikit-learn is missing."""
    key = jax.random.key(seed)
    experiments = {
        "dense": partial(ht.dense_comparison, found, sizes.hidden, sizes.seeds, sizes.steps, seed),
        "convolutional": partial(
            ht.convolutional_comparison, found, sizes.channels, sizes.seeds, sizes.steps, seed
        ),
        "lagrangians": partial(lagrangian_errors, key),
        "readme": partial(hg.readme, jax.random.fold_in(key, 42)),
        "convolution": partial(hg.convolution_error, key),
        "graphs": partial(hg.graph_descents, sizes.graphs, seed),
    }
    for name in ht.HIDDEN:
        experiments[name] = (
            partial(ht.digits, name, sizes.digit_seeds, sizes.digit_steps, seed)
            if datasets.available()["digits"]
            else lambda: None
        )
    return side_by_side(experiments)
