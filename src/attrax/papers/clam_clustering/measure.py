"""Steps and energies of completion, and clusters of real sets beside those of other methods."""

from types import ModuleType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from attrax.separation import Softmax
from attrax.similarity import Euclidean
from attrax.stores.rows import Memory
from attrax.training import complete

from ..contract import NotRun, wide

SETS = ("iris", "wine", "breast cancer", "digits")
ALPHAS = (0.1, 0.5, 1.0)
BETAS = (0.1, 0.3, 1.0, 3.0, 10.0, 100.0, 1e4)


def _tools() -> ModuleType:
    """What is measured with scikit-learn."""
    try:
        from .. import clusterings
    except ImportError as error:
        raise NotRun('needs scikit-learn: pip install "attrax[sklearn]"') from error
    return clusterings


def prototypes(rows, beta: float) -> Memory:
    """A memory of prototypes."""
    return Memory(rows, similarity=Euclidean(), separation=Softmax(beta))


def _drawn(run, rows: int, width: int = 5, count: int = 7):
    rng = np.random.default_rng(run.seed)
    return rng.normal(size=(count, width)), 1.5 * rng.normal(size=(rows, width)), rng


def _whole(memory, rows, alpha: float = 0.1, steps: int = 10):
    """States of rows all of whose entries move."""
    return complete(memory, rows, np.ones(rows.shape, bool), start=rows, alpha=alpha, steps=steps)


@wide
def slopes(run) -> float:
    """The largest difference of a step over α from −∂E/∂v, over the largest entry."""
    centres, rows, _ = _drawn(run, 200)
    memory = prototypes(centres, 2.0)
    moved = (np.asarray(_whole(memory, rows, 0.5, 1)) - rows) / 0.5
    slope = np.asarray(jax.jit(jax.vmap(jax.grad(memory.energy)))(jnp.asarray(rows)))
    return float(np.max(np.abs(moved + slope)) / np.max(np.abs(slope)))


@jax.jit
def along(memory, rows, hidden, alpha):
    """States along 20 steps, (steps + 1, n, d), and their energies, (steps + 1, n)."""

    def step(state, _):
        following = complete(memory, state, hidden, start=state, alpha=alpha, steps=1)
        return following, state

    last, states = jax.lax.scan(step, rows, length=20)
    states = jnp.concatenate([states, last[None]])
    return states, jax.vmap(jax.vmap(memory.energy))(states)


@wide
def descents(run) -> np.ndarray:
    """Energies of 200 rows at each α, (α, steps + 1, rows); of half of them some entries stay."""
    centres, rows, rng = _drawn(run, 200)
    hidden = (rng.random(rows.shape) < 0.5) | (np.arange(200) < 100)[:, None]
    memory = prototypes(centres, 2.0)
    return np.stack([np.asarray(along(memory, rows, hidden, alpha)[1]) for alpha in ALPHAS])


def largest_rise(energies: np.ndarray) -> float:
    """Of one step, over the largest |energy|."""
    return float(np.max(np.diff(energies, axis=1)) / np.max(np.abs(energies)))


@wide
def nearest(run) -> np.ndarray:
    """The share of 2000 rows whose label is their nearest prototype, by β."""
    centres, rows, _ = _drawn(run, 2000, 8, 10)

    def closest(states):
        return np.square(np.asarray(states)[:, None] - centres).sum(2).argmin(1)

    ends = [_whole(prototypes(centres, beta), rows) for beta in BETAS]
    return np.array([np.mean(closest(end) == closest(rows)) for end in ends])


@wide
def way(run) -> dict[int, float]:
    """The share of the way to a prototype far from all others, by T, with α = 1/T."""
    centres, shares = 10 * np.eye(5), {}
    rows = centres + np.random.default_rng(run.seed).normal(size=centres.shape)
    for steps in (1, 2, 5, 10, 20):
        ends = np.asarray(_whole(prototypes(centres, 10.0), rows, 1 / steps, steps))
        shares[steps] = float(np.mean((ends - rows) / (centres - rows)))
    return shares


class Mixture(NamedTuple):
    """Largest differences from a Gaussian mixture: of weights, and of β E + ln p less its mean."""

    weights: float
    energies: float


@wide
def mixture(run) -> Mixture:
    """Weights and energies of a memory, and posteriors and densities of scikit-learn's mixture."""
    centres, rows, _ = _drawn(run, 200)
    beta = 2.0
    memory, other = prototypes(centres, beta), _tools().mixture_of(centres, beta)
    weights = np.asarray(jax.jit(jax.vmap(memory.weights))(rows))
    energies = np.asarray(jax.jit(jax.vmap(memory.energy))(rows))
    apart = beta * energies + other.score_samples(rows)
    return Mixture(
        float(np.max(np.abs(weights - other.predict_proba(rows)))),
        float(np.max(np.abs(apart - apart.mean()))),
    )


class Compared(NamedTuple):
    """Of each method on one set: scores (draws, 4), as `clusterings.Scores`."""

    scores: dict[str, np.ndarray]

    def of(self, method: str, what: str = "silhouette") -> np.ndarray:
        """One score by draw."""
        return self.scores[method][:, ("silhouette", "nmi", "ari", "largest").index(what)]

    def ahead(self, method: str) -> np.ndarray:
        """The silhouette of a method less that of k-means, by draw."""
        return self.of(method) - self.of("k-means")

    def best_linkage(self) -> str:
        """The linkage of the largest silhouette."""
        names = ("ward", "average", "complete", "single")
        return max(names, key=lambda name: self.of(name).mean())


def _effort(run) -> tuple[int, dict[str, int]]:
    """Starts of all methods, and steps of ClAM."""
    starts = run.pick("starts", quick=3, full=5)
    return starts, {"max_iter": run.pick("max_iter", quick=200, full=1000)}


def compared(run, name: str) -> Compared:
    """All methods on a set, with the true number of clusters."""
    tools = _tools()
    rows = tools.real(name, run.pick("rows", quick=600, full=2000))
    starts, steps = _effort(run)
    draws = run.pick("compared.draws", quick=2, full=6)
    methods = {method: {} for method in tools.METHODS} | {"ClAM": steps}
    found = {method: [] for method in (*methods, "ClAM, no masks")}
    for draw in range(draws):
        seed = 1000 * run.seed + draw
        for method, options in methods.items():
            alike = method in tools.LINKAGES and draw
            again = found[method][0] if alike else None
            found[method].append(
                again or tools.scores(rows, tools.labels(method, rows, starts, seed, **options))
            )
        bare = tools.labels("ClAM", rows, starts, seed, mask=None, **steps)
        found["ClAM, no masks"].append(tools.scores(rows, bare))
    return Compared({method: np.array(each) for method, each in found.items()})


def fashion(run) -> Compared:
    """ClAM, with and without masks, and k-means on 10 000 images of Fashion-MNIST."""
    draws = run.pick("fashion.draws", quick=0, full=2)
    if not draws:
        raise NotRun("needs minutes: attrax reproduce clam-clustering --profile full")
    tools, images = _tools(), run.load("fashion-mnist", split="test")
    rows = tools.standardised(images.x, images.y)
    found = {"ClAM": [], "ClAM, no masks": [], "k-means": []}
    for draw in range(draws):
        for method, each in found.items():
            options = {"mask": None} if method == "ClAM, no masks" else {}
            name, seed = method.partition(",")[0], 1000 * run.seed + draw
            each.append(tools.scores(rows, tools.labels(name, rows, 3, seed, **options)))
    return Compared({method: np.array(each) for method, each in found.items()})


def masks(run) -> np.ndarray:
    """Silhouettes of blobs that overlap, with masks and without, (draws, 2)."""
    tools = _tools()
    starts, steps = _effort(run)
    found = []
    for draw in range(run.pick("masks.draws", quick=3, full=10)):
        seed = 1000 * run.seed + draw
        rows = tools.blobs(seed, 8, 6, 4.0)
        each = [tools.labels("ClAM", rows, starts, seed, mask=m, **steps) for m in (0.2, None)]
        found.append([tools.scores(rows, labels).silhouette for labels in each])
    return np.array(found)


def unseen(run) -> np.ndarray:
    """Agreement with classes of rows of a fit and of others, (draws, sets, 2)."""
    tools = _tools()
    starts, steps = _effort(run)
    sets = [tools.real(name, 2000) for name in SETS[:3]]
    draws = run.pick("unseen.draws", quick=2, full=6)
    return np.array(
        [
            [tools.seen_and_not(rows, starts, 1000 * run.seed + draw, **steps) for rows in sets]
            for draw in range(draws)
        ]
    )


def reach(run) -> np.ndarray:
    """How far prototypes of blobs far apart lie out, over the means of the blobs, by draw."""
    tools = _tools()
    starts, _ = _effort(run)
    steps = run.pick("reach.max_iter", quick=500, full=1000)
    draws = [1000 * run.seed + i for i in range(run.pick("reach.draws", quick=2, full=6))]
    sets = [tools.blobs(seed, 8, 6, 1.0) for seed in draws]
    each = zip(sets, draws, strict=True)
    return np.array([tools.reach(rows, starts, seed, max_iter=steps) for rows, seed in each])


class Paths(NamedTuple):
    """Blobs in the plane, (n, 2), prototypes, and states along the steps of some rows."""

    rows: np.ndarray
    centres: np.ndarray
    states: np.ndarray


def paths(run) -> Paths:
    """Three blobs, and where rows go in 0 to 10 steps."""
    tools = _tools()
    rows = tools.blobs(3, 2, 3, 1.0).x
    starts, steps = _effort(run)
    model = tools.ClAMClusterer(3, n_init=starts, random_state=run.seed, **steps).fit(rows)
    memory, some = prototypes(model.cluster_centers_, model.beta_), jnp.asarray(rows[:60])
    states, _ = along(memory, some, np.ones(some.shape, bool), jnp.asarray(0.1))
    return Paths(rows, model.cluster_centers_, np.asarray(states)[:11].swapaxes(0, 1))
