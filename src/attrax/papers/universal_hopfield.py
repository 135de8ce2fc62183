"""Universal Hopfield networks: similarity, separation, projection.

Claim: every one-shot associative memory is a similarity, a separation and a projection; distances
often retrieve more than dot products, and sharp separations more than gentle ones.

Figure: retrieval by number of memories, noise, masks, separation, threshold and association.

Command: `attrax reproduce universal-hopfield --profile full`.

Run time: quick below a minute, full below five, on two cores.

Result: 7 claims hold, 8 differ for reasons that are measured, 1 needs other data. Distances win
under mild damage, the L1-normalised dot product under strong noise.

**Source:** [millidge2022universal]
"""

import dataclasses
import os
import time
from functools import partial

import jax

from .. import data as datasets
from ..separation import Max
from . import universal_experiments as ux
from .judged import Claim, Reproduction, reproduced, side_by_side
from .universal_figure import draw
from .universal_verdicts import judge

_FIGURES = "figures of the paper; parameters of its official code"
_CURVES = "curves only"
CLAIMS = (
    Claim(
        "Five classical models are instances: largest relative difference from NumPy",
        "exact",
        "taxonomy of the paper",
        most=1e-6,
    ),
    Claim(
        "The general energy never rises: largest relative rise, four smooth similarities",
        "0 (theorem)",
        "abstract; rise in units of the largest term, float32",
        most=2e-6,
    ),
    Claim(
        "Distances beat dot under mild damage (σ ≤ 0.3, masks ≤ 0.4): margin",
        _CURVES,
        f"abstract; {_FIGURES}",
        least=0.0,
    ),
    Claim(
        "Distances beat dot on capacity (σ = 0.5): margin",
        _CURVES,
        f"abstract; {_FIGURES}",
        least=0.0,
    ),
    Claim(
        "Dot is robust to noise (σ ≥ 0.5): margin over Manhattan",
        _CURVES,
        _FIGURES,
        least=0.0,
    ),
    Claim(
        "Manhattan is robust to masking: margin over dot",
        _CURVES,
        _FIGURES,
        least=0.0,
    ),
    Claim(
        "KL and reverse KL are substantially worse under noise (σ ≥ 0.2): margin of the rest",
        _CURVES,
        _FIGURES,
        least=0.1,
    ),
    Claim(
        "KL and reverse KL are substantially worse under masking: margin of the rest",
        _CURVES,
        _FIGURES,
        least=0.1,
    ),
    Claim(
        "Jensen-Shannon is far worse than KL (σ ≤ 0.2): margin of KL, inversion corrected",
        _CURVES,
        _FIGURES,
        least=0.1,
    ),
    Claim(
        "Sharp separations have higher capacity, T = 60: margin over identity",
        _CURVES,
        _FIGURES,
        least=0.1,
    ),
    Claim(
        "Sharp separations have higher capacity, T = 10: margin over identity",
        _CURVES,
        _FIGURES,
        least=0.1,
    ),
    Claim(
        "Softmax is as sharp as max, T = 10: margin of softmax",
        _CURVES,
        _FIGURES,
        least=0.0,
        tolerance=0.08,
    ),
    Claim(
        "Separation matters more for complex data: least growth of its gain",
        "qualitative",
        "figures; digits, then images, then patches, for MNIST, CIFAR-10, Tiny ImageNet",
        least=0.0,
    ),
    Claim(
        "Auto- and heteroassociation have one capacity (modern, T = 60): difference",
        _CURVES,
        "official code",
        most=0.08,
    ),
    Claim(
        "The classical network retrieves few memories (N ≤ 5): share",
        _CURVES,
        "official code",
        least=0.5,
    ),
    Claim(
        "On natural images distances beat dot by far (σ = 0.5): margin",
        "slight on CIFAR-10, large on Tiny ImageNet",
        _FIGURES,
        least=0.0,
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

    `data` is a set of `attrax.data.load`; by default Fashion-MNIST, or the sample that ships where
    the full set is missing.
    """
    started = time.perf_counter() if started is None else started
    sizes = ux.PROFILES[profile]
    name = data or ("fashion-mnist" if datasets.available()["fashion-mnist"] else "sample")
    loaded = datasets.load(name, limit=sizes.runs * max(sizes.capacity))
    sizes = sizes.fit(len(loaded))
    key = jax.random.key(seed)
    panels = measure(loaded.x, loaded.shape, sizes, key)
    claims = judge(CLAIMS, panels, loaded, sizes, key, seed)
    config = {
        "data": name,
        "images": len(loaded),
        "seed": seed,
        "thresholds": [ux.THRESHOLD, ux.STRICT],
        **dataclasses.asdict(sizes),
    }
    return reproduced(
        "universal-hopfield",
        profile,
        started,
        claims,
        config,
        lambda path: draw(path, panels, loaded, sizes, key),
        out,
    )


def measure(images, shape, sizes: ux.Profile, key: jax.Array) -> dict[str, ux.Experiment]:
    """All experiments, by name."""
    three = {name: ux.SIMILARITIES[name] for name in ux.THREE}
    experiments = {
        "similarity": partial(ux.similarity_capacity, images, sizes, key),
        "separation": partial(ux.separation_capacity, images, shape, sizes, key),
        "noise": partial(ux.noise, images, sizes, key),
        "plain noise": partial(ux.noise, images, sizes, key, damage=ux.plain_noise, parts=three),
        "corrected": partial(ux.noise, images, sizes, key, parts=ux.CORRECTED, separation=Max()),
        "masking": partial(ux.masking, images, shape, sizes, key),
        "random mask": partial(ux.random_mask, images, shape, sizes, key),
        "inpainting": partial(ux.inpainting, images, shape, sizes, key),
        "threshold": partial(ux.thresholds, images, shape, sizes, key),
        "association": partial(ux.association, images, shape, sizes, key),
        "classical": partial(ux.classical_association, images, shape, sizes, key),
        "classical, plain": partial(
            ux.classical_association, images, shape, sizes, key, damage=ux.plain_noise
        ),
    }
    return side_by_side(experiments)
