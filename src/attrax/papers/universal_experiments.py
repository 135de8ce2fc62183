"""The experiments of Universal Hopfield Networks, by the rules of their official code.

Scores are sum-normalised in each experiment, distances are reciprocals, the dot product is of rows
divided by their sums, and Jensen-Shannon is inverted: the names of `SIMILARITIES` and
`SEPARATIONS` mean those labelled options, and `CORRECTED` the definitions that they depart from.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..data import drop, gaussian, known_inpaint, known_rows
from ..evaluate import Sweep, capacity_sweep, level_sweep
from ..evaluate.sweeps import separation_sweeps
from ..separation import Identity, Log, Max, Power, ScoreNormalised, Softmax, SumNormalised
from ..similarity import Dot, Euclidean, JensenShannon, KullbackLeibler, Manhattan

SIMILARITIES: dict[str, Callable] = {
    "euclidean": Euclidean("reciprocal"),
    "manhattan": Manhattan("reciprocal"),
    "dot": Dot("sum"),
    "kl": KullbackLeibler(form="reciprocal"),
    "reverse_kl": KullbackLeibler(True, form="reciprocal"),
    "jensen_shannon": JensenShannon("inverted"),
}
CORRECTED: dict[str, Callable] = {"dot": Dot(), "jensen_shannon": JensenShannon()}
THREE = ("euclidean", "manhattan", "dot")
SEPARATIONS: dict[str, Callable] = {
    "log": ScoreNormalised(SumNormalised(Log())),
    "sqrt": ScoreNormalised(SumNormalised(Power(0.5))),
    "identity": ScoreNormalised(SumNormalised(Identity())),
    "square": ScoreNormalised(SumNormalised(Power(2))),
    "cube": ScoreNormalised(SumNormalised(Power(3))),
    "quartic": ScoreNormalised(SumNormalised(Power(4))),
    "tenth": ScoreNormalised(SumNormalised(Power(10))),
    "softmax": ScoreNormalised(Softmax(1000.0)),
    "max": ScoreNormalised(Max()),
}
THRESHOLD = 60.0
STRICT = 10.0


@dataclass(frozen=True)
class Profile:
    """Numbers of runs, memories and levels."""

    runs: int
    capacity: tuple[int, ...]
    separation: tuple[int, ...]
    noise: int
    sigmas: tuple[float, ...]
    masking: int
    masks: tuple[float, ...]
    pixels: int
    lost: tuple[float, ...]
    threshold: int
    classical: tuple[int, ...]
    thresholds: tuple[float, ...] = (1.0, 10.0, 25.0, 50.0, 100.0, 150.0, 200.0, 300.0, 500.0)

    def fit(self, images: int) -> "Profile":
        """The same with no more memories than there are images."""

        def cut(sizes):
            return tuple(size for size in sizes if size <= images) or (images,)

        return replace(
            self,
            capacity=cut(self.capacity),
            separation=cut(self.separation),
            noise=min(self.noise, images),
            masking=min(self.masking, images),
            pixels=min(self.pixels, images),
            threshold=min(self.threshold, images),
            classical=cut(self.classical),
        )


PROFILES = {
    # As many memories and levels everywhere as can be: each shape costs a compilation.
    "quick": Profile(
        runs=3,
        capacity=(10, 100, 300),
        separation=(10, 100, 300),
        noise=100,
        sigmas=(0.05, 0.2, 0.5, 1.0),
        masking=100,
        masks=(0.2, 0.4, 0.6, 0.8),
        pixels=100,
        lost=(0.1, 0.3, 0.5, 0.7),
        threshold=100,
        classical=(2, 50),
    ),
    "full": Profile(
        runs=5,
        capacity=(2, 5, 10, 20, 50, 100, 200, 300, 500, 700, 1000),
        separation=(5, 7, 10, 20, 50, 100, 200, 300, 500, 700, 1000),
        noise=100,
        sigmas=(0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 1.5),
        masking=50,
        masks=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
        pixels=300,
        lost=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
        threshold=250,
        classical=(2, 5, 10, 20, 30, 50),
    ),
}


class Experiment(NamedTuple):
    """A panel of the figure: points along x, and a sweep for each curve, at both thresholds."""

    x: tuple[float, ...]
    curves: dict[str, Sweep]


def runs_of(images: np.ndarray, size: int, runs: int) -> Float[Array, "run n d"]:
    """Slices of `size` images in file order, a run each; fewer runs where images are short."""
    size = min(size, len(images))
    count = max(1, min(runs, len(images) // size))
    return jnp.asarray(images[: count * size].reshape(count, size, -1))


def folded_noise(x, sigma, *, key):
    """The official noise: clip(|x + σ ε|, 0, 1)."""
    return gaussian(x, sigma, folded=True, key=key)


def plain_noise(x, sigma, *, key):
    """x + σ ε."""
    return gaussian(x, sigma, key=key)


def hide(x, known, *, key):
    """Zero outside a mask."""
    return jnp.where(known, x, 0)


def bipolar(x):
    """The official binarisation, sign(x − ½), in {−1, 0, 1}."""
    return jnp.sign(x - 0.5)


def bipolar_noise(x, sigma, *, key):
    """The official noise for ±1 rows; folding turns every −1 into +1."""
    return bipolar(folded_noise(x, sigma, key=key))


def lost_pixels(shape: tuple[int, ...]) -> Callable:
    """The official random mask for images of a shape."""

    def damage(x, fraction, *, key):
        return drop(x, fraction, shape=shape, key=key)

    return damage


def similarity_capacity(
    images, profile: Profile, key, names: Sequence[str] = tuple(SIMILARITIES)
) -> Experiment:
    """Numbers of memories under noise σ = 0.5, by similarity."""
    rows = runs_of(images, max(profile.capacity), profile.runs)
    return Experiment(
        profile.capacity,
        {
            name: _capacity(rows, profile.capacity, name, "max", folded_noise, 0.5, key)
            for name in names
        },
    )


def separation_capacity(
    images, shape, profile: Profile, key, names: Sequence[str] = tuple(SEPARATIONS)
) -> Experiment:
    """Numbers of memories under a half mask with Manhattan's distance, by separation."""
    rows = runs_of(images, max(profile.separation), profile.runs)
    known = known_rows(0.5, shape)
    sweeps = separation_sweeps(
        rows,
        profile.separation,
        similarity=SIMILARITIES["manhattan"],
        separations=[SEPARATIONS[name] for name in names],
        corrupt=hide,
        level=known,
        thresholds=(THRESHOLD, STRICT),
        key=key,
    )
    return Experiment(profile.separation, dict(zip(names, sweeps, strict=True)))


def noise(
    images,
    profile: Profile,
    key,
    *,
    damage: Callable = folded_noise,
    parts: dict[str, Callable] = SIMILARITIES,
    separation: Callable = SEPARATIONS["max"],
) -> Experiment:
    """Levels of noise, by similarity."""
    rows = runs_of(images, profile.noise, profile.runs)
    levels = jnp.asarray(profile.sigmas)
    return _by_level(rows, profile.sigmas, levels, damage, parts, key, separation)


def masking(images, shape, profile: Profile, key) -> Experiment:
    """Shares of rows masked from the bottom, by similarity."""
    rows = runs_of(images, profile.masking, profile.runs)
    known = jnp.stack([known_rows(share, shape) for share in profile.masks])
    return _by_level(rows, profile.masks, known, hide, SIMILARITIES, key)


def random_mask(images, shape, profile: Profile, key) -> Experiment:
    """Shares of pixels lost at random, by similarity."""
    rows = runs_of(images, profile.pixels, profile.runs)
    levels = jnp.asarray(profile.lost)
    return _by_level(rows, profile.lost, levels, lost_pixels(shape), _three(), key)


def inpainting(images, shape, profile: Profile, key) -> Experiment:
    """Shares of the image lost in a border, by similarity."""
    rows = runs_of(images, profile.pixels, profile.runs)
    known = jnp.stack([known_inpaint(share, shape) for share in profile.lost])
    return _by_level(rows, profile.lost, known, hide, _three(), key)


def thresholds(images, shape, profile: Profile, key) -> Experiment:
    """Thresholds under a half mask, by similarity; `fraction` is (runs, thresholds, 1)."""
    rows = runs_of(images, profile.threshold, profile.runs)
    size, known = (rows.shape[1],), known_rows(0.5, shape)
    limits = profile.thresholds
    curves = {}
    for name in THREE:
        sweep = _capacity(rows, size, name, "max", hide, known, key, thresholds=limits)
        curves[name] = sweep._replace(
            fraction=sweep.fraction.swapaxes(1, 2), baseline=sweep.baseline.swapaxes(1, 2)
        )
    return Experiment(limits, curves)


def association(
    images, shape, profile: Profile, key, limits: Sequence[float] = (THRESHOLD, STRICT)
) -> Experiment:
    """The modern network, σ = 0.3: the image itself, or its bottom half, as what is read."""
    rows = runs_of(images, max(profile.capacity), profile.runs)
    halves = jnp.where(known_rows(0.5, shape, top=True), rows, 0)
    parts = (rows, profile.capacity, "dot", "max", folded_noise, 0.3, key)
    return Experiment(
        profile.capacity,
        {
            "auto": _capacity(*parts, thresholds=limits),
            "hetero": _capacity(*parts, thresholds=limits, values=halves),
        },
    )


def classical_association(
    images, shape, profile: Profile, key, *, damage: Callable = bipolar_noise
) -> Experiment:
    """The classical network on ±1 images, σ = 1e-7, with the official noise or another."""
    raw = runs_of(images, max(profile.classical), profile.runs)
    rows = bipolar(raw)
    halves = bipolar(jnp.where(known_rows(0.5, shape, top=True), raw, 0))
    parts = (rows, profile.classical, "dot", "identity", damage, 1e-7, key)
    # The sign of the sign: what is exactly zero reads −1.
    output = _signs
    return Experiment(
        profile.classical,
        {
            "auto": _capacity(*parts, output=output),
            "hetero": _capacity(*parts, values=halves, output=output),
        },
    )


def _signs(read):
    return bipolar(jnp.sign(read))


def _three() -> dict[str, Callable]:
    return {name: SIMILARITIES[name] for name in THREE}


def _capacity(
    rows,
    sizes,
    similarity: str,
    separation: str,
    damage: Callable,
    level: Any,
    key: jax.Array,
    thresholds: Sequence[float] = (THRESHOLD, STRICT),
    **rest,
) -> Sweep:
    return capacity_sweep(
        rows,
        sizes,
        similarity=SIMILARITIES[similarity],
        separation=SEPARATIONS[separation],
        corrupt=damage,
        level=level,
        thresholds=thresholds,
        key=key,
        **rest,
    )


def _by_level(
    rows,
    x,
    levels,
    damage: Callable,
    parts: dict[str, Callable],
    key,
    separation: Callable = SEPARATIONS["max"],
) -> Experiment:
    curves = {
        name: level_sweep(
            rows,
            levels,
            similarity=part,
            separation=separation,
            corrupt=damage,
            thresholds=(THRESHOLD, STRICT),
            key=key,
        )
        for name, part in parts.items()
    }
    return Experiment(tuple(x), curves)
