"""Images are stored, damaged and read once, by the rules of the official code; models, energy.

Its scores are divided by their sum in every experiment, distances are reciprocals, the dot product
is of rows divided by their sums, and Jensen-Shannon is inverted: those are labelled options.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from attrax import separation as sep
from attrax import similarity as sim
from attrax.data import Dataset, drop, gaussian, known_inpaint, known_rows, random_patterns
from attrax.dynamics import Euler
from attrax.evaluate import Sweep, capacity_sweep, level_sweep
from attrax.retrieval import retrieve
from attrax.stores.rows import Memory

from ..contract import NotRun, wide

SIMILARITIES: dict[str, Callable] = {
    "Euclidean": sim.Euclidean("reciprocal"),
    "Manhattan": sim.Manhattan("reciprocal"),
    "dot": sim.Dot("sum"),
    "KL": sim.KullbackLeibler(form="reciprocal"),
    "reverse KL": sim.KullbackLeibler(True, form="reciprocal"),
    "Jensen-Shannon": sim.JensenShannon("inverted"),
}
CORRECTED = {"plain dot": sim.Dot(), "true Jensen-Shannon": sim.JensenShannon()}
_WEIGHTS: dict[str, Any] = {
    "log": sep.Log(),
    "square root": sep.Power(0.5),
    "identity": sep.Identity(),
    "square": sep.Power(2),
    "cube": sep.Power(3),
    "4th power": sep.Power(4),
    "10th power": sep.Power(10),
}
SEPARATIONS: dict[str, Callable] = {
    **{name: sep.ScoreNormalised(sep.SumNormalised(part)) for name, part in _WEIGHTS.items()},
    "softmax": sep.ScoreNormalised(sep.Softmax(1000.0)),
    "max": sep.ScoreNormalised(sep.Max()),
}
DISTANCES, KL, SHARP = ("Euclidean", "Manhattan"), ("KL", "reverse KL"), ("10th power", "max")
THREE = (*DISTANCES, "dot")
RUNS = 5
# The official threshold of the squared error, and one that blurred mixtures do not pass.
LOOSE, STRICT = 60.0, 10.0
# The official noise, clip(|x + σ ε|, 0, 1).
FOLDED = partial(gaussian, folded=True)
SIGMAS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 1.5)
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


class Curves(NamedTuple):
    """Shares retrieved along x: by name (runs, points), and by the mean of all that is stored."""

    x: tuple[float, ...]
    rates: dict[str, np.ndarray]
    mean_image: np.ndarray

    def mean(self, *names: str, least: int | float = 0) -> np.ndarray:
        """The mean over curves and over points from x = `least` on, by run."""
        points = np.array(self.x) >= least
        return np.mean([self.rates[name][:, points].mean(1) for name in names], axis=0)


def key(run) -> jax.Array:
    """The random key of all damage, so that curves are compared on the same queries."""
    return jax.random.key(run.seed)


def images(run, data: str) -> Dataset:
    """The images of the run, or MNIST where a claim is about MNIST."""
    if data == "MNIST":
        if run.data not in (None, "mnist"):
            raise NotRun("needs MNIST: attrax reproduce universal-hopfield --profile full")
        return run.load("mnist")
    return run.load(run.pick("images", quick="sample", full="fashion-mnist"))


def stacked(run, data: str, n: int) -> jax.Array:
    """Slices in file order, one a run (5, n, d); shorter ones where images are few."""
    x = run(images, data).x
    n = min(n, len(x) // RUNS)
    return jnp.asarray(x[: RUNS * n].reshape(RUNS, n, -1))


def stored(run, data: str) -> tuple[jax.Array, tuple[int, ...]]:
    """Slices, and the numbers of memories that are stored of them."""
    numbers = (2, 5, 10, 20, 50, 100, 200, 300, 500, 700, 1000)
    numbers = run.pick("memories", quick=(10, 100, 200), full=numbers)
    rows = stacked(run, data, max(numbers))
    return rows, tuple(n for n in numbers if n <= rows.shape[1])


def sweeping(run, sweep: Callable, rows, points, **rest) -> Callable[..., Sweep]:
    """A sweep under the official noise with max, unless `rest` says otherwise."""
    usual = {"separation": SEPARATIONS["max"], "corrupt": FOLDED, "thresholds": (LOOSE,)}
    return partial(sweep, rows, points, key=key(run), **(usual | rest))


def curves(x, sweeps: dict[str, Sweep], threshold: int = 0) -> Curves:
    """The rates of some sweeps at one of their thresholds."""
    rates = {
        name: np.asarray(sweep.fraction, np.float64)[..., threshold]
        for name, sweep in sweeps.items()
    }
    last = list(sweeps.values())[-1]
    return Curves(tuple(x), rates, np.asarray(last.baseline, np.float64)[..., threshold].mean(0))


def hide(x, known, *, fill: float = 0.0, key):
    """Put `fill` in place of entries that are not known."""
    return jnp.where(known, x, jnp.asarray(fill, x.dtype))


def score_known(keys, query, *, similarity):
    """The similarity of the entries of a query that are not NaN."""
    known = ~jnp.isnan(query)
    return similarity(keys, jnp.where(known, query, 0), known.astype(query.dtype))


def capacity(run, data: str, white: bool = False, folded: bool = True) -> Curves:
    """Numbers of memories under noise of σ = 0.5; on a white background if images are inverted."""
    rows, sizes = stored(run, data)
    rows, noise = 1 - rows if white else rows, FOLDED if folded else gaussian
    sweep = sweeping(run, capacity_sweep, rows, sizes, corrupt=noise, level=0.5)
    names = SIMILARITIES if folded and not white else THREE
    return curves(sizes, {name: sweep(similarity=SIMILARITIES[name]) for name in names})


def noise(run, data: str) -> Curves:
    """Levels of noise, with a hundred memories."""
    sweep = sweeping(run, level_sweep, stacked(run, data, 100), SIGMAS)
    official = {name: sweep(similarity=part) for name, part in SIMILARITIES.items()}
    # Scores that can be negative are not divided by their sum.
    corrected = {n: sweep(similarity=part, separation=sep.Max()) for n, part in CORRECTED.items()}
    return curves(SIGMAS, official | corrected)


def hidden(run, data: str, kind: str, fill: float | None = 0.0) -> Curves:
    """Shares of an image that are hidden: rows from the bottom, pixels, or a border.

    Hidden rows are black, or of another grey `fill`; with `None` they are left out of the scores.
    """
    shape, corrupt = run(images, data).shape, hide
    shares, n = (SHARES, 50) if kind == "rows" else (SHARES[:7], 300)
    if kind == "pixels":
        levels, corrupt = jnp.asarray(shares), partial(drop, shape=shape)
    else:
        mask = known_rows if kind == "rows" else known_inpaint
        levels = jnp.stack([mask(share, shape) for share in shares])
        if fill != 0:
            corrupt = partial(hide, fill=np.nan if fill is None else fill)
    sweep = sweeping(run, level_sweep, stacked(run, data, n), levels, corrupt=corrupt)
    names = SIMILARITIES if kind == "rows" and fill is not None else THREE
    parts = {name: SIMILARITIES[name] for name in names}
    if fill is None:
        parts = {name: partial(score_known, similarity=part) for name, part in parts.items()}
    return curves(shares, {name: sweep(similarity=part) for name, part in parts.items()})


def soften(scores):
    """Softmax whose β = 1000 N is relative to the mean score, whatever the number of memories."""
    return jax.nn.softmax(1000.0 * scores.size * scores / jnp.sum(scores))


def separations(run, data: str) -> tuple[Curves, Curves]:
    """Numbers of memories by separation, at the official threshold and at the strict one: half
    masked, by Manhattan's distance."""
    rows, sizes = stored(run, data)
    names = run.pick("separations", quick=("identity", *SHARP, "softmax"), full=tuple(SEPARATIONS))
    sweep = sweeping(
        run,
        capacity_sweep,
        rows,
        sizes,
        similarity=SIMILARITIES["Manhattan"],
        corrupt=hide,
        level=known_rows(0.5, run(images, data).shape),
        thresholds=(LOOSE, STRICT),
    )
    sweeps = {name: sweep(separation=SEPARATIONS[name]) for name in names}
    sweeps["softmax, β ∝ N"] = sweep(separation=soften)
    return curves(sizes, sweeps, 0), curves(sizes, sweeps, 1)


def association(run, data: str) -> tuple[Curves, Curves]:
    """Numbers of memories whose images, or halves of them, are read: σ = 0.3, dot and max.

    At the official threshold, and at zero, where only the stored row itself will do.
    """
    rows, sizes = stored(run, data)
    halves = jnp.where(known_rows(0.5, run(images, data).shape, top=True), rows, 0)
    dot = SIMILARITIES["dot"]
    sweep = sweeping(
        run, capacity_sweep, rows, sizes, similarity=dot, level=0.3, thresholds=(LOOSE, 0.0)
    )
    sweeps = {"all": sweep(), "half": sweep(values=halves)}
    return curves(sizes, sweeps, 0), curves(sizes, sweeps, 1)


def bipolar(x):
    """The official binarisation, sign(x − ½), in {−1, 0, 1}."""
    return jnp.sign(x - 0.5)


def classical(run, data: str, folded: bool) -> Curves:
    """Images as ±1 rows in the classical network, σ = 1e-7 and the sign of what is read."""
    sizes = run.pick("classical.memories", quick=(2, 5, 50), full=(2, 5, 10, 20, 30, 50))
    sweep = sweeping(
        run,
        capacity_sweep,
        bipolar(stacked(run, data, max(sizes))),
        sizes,
        similarity=SIMILARITIES["dot"],
        separation=SEPARATIONS["identity"],
        corrupt=lambda x, sigma, key: bipolar(gaussian(x, sigma, folded=folded, key=key)),
        level=1e-7,
        # The official sign of the sign: what is exactly zero reads −1.
        output=lambda read: bipolar(jnp.sign(read)),
    )
    return curves(sizes, {"classical": sweep()})


@wide
def instances(run, n: int = 16, d: int = 64) -> dict[str, float]:
    """How far each model of the taxonomy is from a step of it in NumPy: the largest difference of
    8 reads over the largest read."""
    binary, smooth = (
        np.asarray(random_patterns(n + 8, d, kind=kind, key=key(run)), np.float64)
        for kind in ("binary", "unit")
    )
    radius, beta, k = 28.0, 8.0, 3

    def attend(x, q):
        e = np.exp(beta * (x @ q) - np.max(beta * (x @ q)))
        return x.T @ (e / e.sum())

    def count(x, q):
        return x[(x != q).sum(1) <= radius].sum(0)

    def look_up(x, q):
        s = 1 / ((x - q) ** 2).sum(1)
        best = np.argsort(-s)[:k]
        return s[best] / s[best].sum() @ x[best]

    nearest, dot = sep.TopK(k, sep.SumNormalised(sep.Identity())), sim.Dot()
    models = {
        "classical Hopfield": (binary, dot, sep.Identity(), lambda x, q: x.T @ x @ q),
        "sparse distributed memory": (binary, sim.Hamming(), sep.Threshold(-radius), count),
        "dense associative memory": (binary, dot, sep.Power(3), lambda x, q: (x @ q) ** 3 @ x),
        "modern Hopfield": (smooth, dot, sep.Softmax(beta), attend),
        "differentiable dictionary": (smooth, sim.Euclidean("reciprocal"), nearest, look_up),
    }
    apart = {}
    for name, (rows, similarity, separation, step) in models.items():
        stored, queries = rows[:n], rows[n:]
        memory = Memory(stored, similarity=similarity, separation=separation)
        reads = np.asarray(jax.vmap(memory)(jnp.asarray(queries)))
        steps = np.stack([step(stored, query) for query in queries])
        apart[name] = float(np.abs(reads - steps).max() / np.abs(steps).max())
    return apart


SMOOTH: dict[str, tuple[Any, Any]] = {
    "dot": (sim.Dot(), sep.Softmax(4.0)),
    "Euclidean": (sim.Euclidean(), sep.Softmax(4.0)),
    "cosine": (sim.Cosine(), sep.Softmax(8.0)),
    "KL": (sim.KullbackLeibler(), sep.Softmax(8.0)),
}


@wide
def rise(run, name: str, step: float = 2e-3, n: int = 12, d: int = 6) -> float:
    """The largest rise of the energy of value and memory neurons in a step of Euler's method, over
    the largest |E|, from 16 random starts. `step` is in units of the memory neurons' τ."""
    similarity, separation = SMOOTH[name]
    rng = np.random.default_rng(run.seed)
    memory = Memory(rng.uniform(0.1, 1, (n, d)), similarity=similarity, separation=separation)
    starts = memory.encode(jnp.asarray(rng.uniform(0.1, 1, (16, d))))
    # No step is turned back: Euler's plain steps must fall by themselves.
    dynamics = Euler(step, max_steps=3000, backtracking=False)
    network = memory.as_network(tau=1 / 0.7)
    energies = np.asarray(retrieve(network, starts, dynamics, path=True).energies)
    # NaN stays NaN, and fails.
    return float(np.maximum(0.0, np.diff(energies, axis=1).max() / np.abs(energies).max()))
