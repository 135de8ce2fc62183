"""Random patterns in dense memories, XOR, the dual network, and classifiers, measured."""

import itertools
from functools import cache, partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from attrax.dynamics import Asynchronous, Outcome
from attrax.evaluate import ensemble
from attrax.models import (
    DenseClassifier,
    dense_classifier,
    dense_memory,
    train_dense_classifier,
)
from attrax.retrieval import retrieve
from attrax.theory import dense_capacity, dense_flip_probability

from ..classifiers import Images, accuracy, load_images
from ..contract import wide

# N of the first two experiments, and K of the second.
UNITS, CROWD = 100, 2000
# Numbers of patterns by degree, with which units flip rarely, sometimes and often.
STORED = {2: (10, 14, 21), 3: (360, 1000, 3000), 4: (5000, 6500, 8000)}
# Patterns of each network whose units are tried.
PROBES = 10
# (degree, rectified): those that the paper says can tell XOR, and those that it says cannot.
SOLVE = ((3, False), (5, False), (2, True), (3, True), (4, True))
CANNOT = ((2, False), (4, False))
EPSILONS = tuple(10.0**-k for k in range(7))
# m of the loss, and T at the start and at the end, for 784 pixels: the middle of the ranges that
# the paper gives for small n and for large n, not chosen by results.
RECIPES = {2: (3, 325.0, 65.0), 3: (3, 325.0, 65.0), 30: (30, 600.0, 600.0)}
MEMORIES, STEPS = 100, 60
# A memory decides with others if it adds this share of what the most active one adds.
STRONG = 0.9
# Groups of networks, of which slopes and numbers of patterns are taken one by one.
GROUPS = 8


def key(run, number: int):
    """The random key of a measurement, by its number."""
    return jax.random.fold_in(jax.random.key(run.seed), number)


@cache
def make(degree: int, rectified: bool):
    """Patterns -> memory; one function for each kind, since another would be compiled anew."""
    return partial(dense_memory, degree=degree, rectified=rectified)


def crossing(stored, values, level: float) -> float:
    """ln K at which values that rise with K reach a level, on straight lines; NaN if they do not.

    Where noise makes them fall the largest value so far is taken.
    """
    rising = np.maximum.accumulate(values)
    return float(np.interp(level, rising, np.log(stored), left=np.nan, right=np.nan))


class Descents(NamedTuple):
    """Sweeps that change a unit and do not lower −Σ F, all that change one, and the share of
    sweeps of `Asynchronous` that a loop over units in whole numbers agrees with."""

    rises: int
    changes: int
    agree: float


def descents(run, starts: int = 10) -> Descents:
    """Energies of n = 3, rectified, and n = 4, not rectified, in Python's whole numbers."""
    rises = changes = 0
    agree = []
    for degree, rectified in ((3, True), (4, False)):
        rng = np.random.default_rng(run.seed + degree)
        rows, order = rng.choice([-1, 1], (40, 24)), rng.permutation(24)
        memory = dense_memory(rows, degree, rectified=rectified)
        states = rng.choice([-1, 1], (starts, 24))
        ends = retrieve(memory, states, Asynchronous(order, max_steps=40), path=True)

        def energy(state, rows=rows, degree=degree, rectified=rectified):
            overlaps = map(int, rows @ state)
            return -sum(max(r, 0) ** degree if rectified else r**degree for r in overlaps)

        for path in np.asarray(ends.path).astype(np.int64):
            for before, after in itertools.pairwise(path):
                if np.array_equal(before, after):
                    break
                changes, rises = changes + 1, rises + int(energy(after) >= energy(before))
                state = before.copy()
                for i in order:
                    flipped = state.copy()
                    flipped[i] *= -1
                    state = flipped if energy(flipped) < energy(state) else state
                agree.append(np.array_equal(state, after))
    return Descents(rises, changes, float(np.mean(agree)))


def xor(run) -> dict[tuple[int, bool], float]:
    """The share of the four inputs (x, y) whose third unit takes −xy from both of its states, by
    (degree, rectified)."""
    rows = np.array([[-1, -1, -1], [-1, 1, 1], [1, -1, 1], [1, 1, -1]])

    def share(degree, rectified) -> float:
        pull = jax.vmap(dense_memory(rows, degree, rectified=rectified).pull)
        ends = [np.asarray(pull(jnp.asarray(rows * [1.0, 1, side])))[:, 2] for side in (1, -1)]
        return float(np.mean(np.all(ends == rows[:, 2], axis=0)))

    return {kind: share(*kind) for kind in (*SOLVE, *CANNOT)}


class Flips(NamedTuple):
    """Shares of units of stored patterns that would flip, (numbers of patterns, draws), and the
    chance by the exact law of the noise and by the paper's formula, one a number of patterns."""

    stored: np.ndarray
    share: np.ndarray
    exact: np.ndarray
    normal: np.ndarray


def _flipping(memory, patterns, key):
    """The law counts an undecided unit as half a flip; energies are whole numbers."""
    sides = jax.lax.map(lambda row: row * memory.drive(row), patterns[:PROBES])
    return jnp.mean(jnp.where(sides == 0, 0.5, (sides < 0).astype(sides.dtype)))


def flips(run, degree: int) -> Flips:
    """Let every unit of some stored patterns choose its side once, N = `UNITS`."""
    stored = np.array(STORED[degree])
    networks = run.pick(
        "flips.networks", quick={2: 1000, 3: 160, 4: 20}, full={2: 4000, 3: 400, 4: 200}
    )
    options = {"draws": networks[degree], "key": key(run, degree)}
    share = ensemble(make(degree, False), _flipping, stored.tolist(), UNITS, **options)
    return Flips(stored, share, *law(degree, stored))


def law(degree: int, stored) -> tuple[np.ndarray, np.ndarray]:
    """The chance that a unit flips, by the exact law of the noise and by the paper's formula."""
    both = (dense_flip_probability(stored, UNITS, degree, exact=flag) for flag in (True, False))
    exact, normal = (np.asarray(chance, np.float64) for chance in both)
    return exact, normal


def flip_growth(run, degree: int = 4) -> np.ndarray:
    """The slope of ln K at which 0.5 % of units flip over ln N, one a group of networks."""
    sizes = run.pick("growth.sizes", quick=(60, 120), full=(40, 80, 160))
    draws = run.pick("growth.networks", quick=80, full=240)
    logs = []
    for d in sizes:
        stored = np.rint(dense_capacity(d, degree) * np.array([0.8, 0.95, 1.1])).astype(int)
        options = {"draws": draws, "key": key(run, 10 + d)}
        shares = ensemble(make(degree, False), _flipping, stored.tolist(), d, **options)
        grouped = np.log(shares.reshape(len(stored), GROUPS, -1).mean(2))
        logs.append([crossing(stored, each, np.log(0.005)) for each in grouped.T])
    return np.polyfit(np.log(sizes), logs, 1)[0]


class Starts(NamedTuple):
    """Shares of random starts, by draw, that end in a stored pattern, and in one or its reverse;
    and the mean of the largest overlap at the end, in units."""

    perfect: np.ndarray
    either: np.ndarray
    overlap: float


def random_starts(run, degree: int, rectified: bool) -> Starts:
    """Random states run to rest, one unit after another, N = 100 and K = 2000."""
    d, crowd = run.pick("starts.size", quick=(UNITS, CROWD), full=(UNITS, CROWD))
    starts = run.pick("starts.starts", quick=50, full=500)
    draws = run.pick("starts.networks", quick=4, full=10)

    def rest(memory, patterns, key):
        begun = jax.random.rademacher(key, (starts, d), patterns.dtype)
        states, one = _settle(memory, begun)
        overlaps = states @ patterns.T
        largest = jnp.max(overlaps, 1)
        either = jnp.max(jnp.abs(overlaps), 1) == d
        return one * jnp.mean(largest == d), one * jnp.mean(either), jnp.mean(largest)

    options = {"draws": draws, "key": key(run, 100 + degree)}
    perfect, either, overlap = ensemble(make(degree, rectified), rest, crowd, d, **options)
    return Starts(perfect, either, float(overlap.mean()))


def _settle(memory, states):
    """The states at rest, and 1, or NaN if not all of them are."""
    ends = retrieve(memory, states, Asynchronous(max_steps=200))
    return ends.state, jnp.where(jnp.all(ends.outcome == Outcome.converged), 1.0, jnp.nan)


class Half(NamedTuple):
    """K at which half of all starts end in a stored pattern, n = 3: its logarithm less that of
    eq. 6, (sizes, groups of networks)."""

    sizes: np.ndarray
    beyond: np.ndarray

    @property
    def ratio(self) -> np.ndarray:
        """K over that of eq. 6, (sizes, groups)."""
        return np.exp(self.beyond)

    @property
    def slope(self) -> np.ndarray:
        """By how much ln K rises faster with ln N than that of eq. 6, one a group."""
        return np.polyfit(np.log(self.sizes), self.beyond, 1)[0]

    def over_law(self) -> "Half":
        """The same over K at which half of all patterns stay by the exact law, P = 1 − 2^(−1/N)."""
        shift = []
        for d in self.sizes:
            loads = np.geomspace(0.5, 4, 60)
            stored = loads * float(dense_capacity(int(d), 3, "no_errors"))
            chance = np.asarray(dense_flip_probability(stored, int(d), 3, exact=True), np.float64)
            shift.append(np.interp(1 - 0.5 ** (1 / d), chance, np.log(loads)))
        return self._replace(beyond=self.beyond - np.array(shift)[:, None])

    def describe(self) -> str:
        """The ratio at each size, as a clause."""
        means = zip(self.sizes, self.ratio.mean(1), strict=True)
        return ", ".join(f"{ratio:.2f} (N = {size})" for size, ratio in means)


# K over that of eq. 6 between which half of the starts end in a pattern.
LOADS = {
    "random": (0.5, 0.65, 0.8, 1.0, 1.25, 1.6),
    "rectified": (0.65, 0.8, 1.0, 1.25, 1.6, 2.0),
    "patterns": (1.0, 1.25, 1.5, 1.8, 2.2, 2.7),
}


def half(run, kind: str) -> Half:
    """K of one half: of "random" starts, of the same for a "rectified" F, or of starts at
    "patterns"."""
    sizes = run.pick("half.sizes", quick=(50, 140), full=(50, 100, 200, 400))
    networks = run.pick("half.networks", quick=(64, 24), full=(128, 64, 32, 16))
    starts = run.pick("half.starts", quick=25, full=25)

    def perfect(memory, patterns, key):
        d = patterns.shape[1]
        random = jax.random.rademacher(key, (starts, d), patterns.dtype)
        states, one = _settle(memory, patterns[:starts] if kind == "patterns" else random)
        return one * jnp.mean(jnp.max(states @ patterns.T, 1) == d)

    beyond = []
    for d, draws in zip(sizes, networks, strict=True):
        expected = float(dense_capacity(d, 3, "no_errors"))
        stored = np.rint(expected * np.array(LOADS[kind])).astype(int)
        options = {"draws": draws, "key": key(run, 1000 + d)}
        shares = ensemble(make(3, kind == "rectified"), perfect, stored.tolist(), d, **options)
        grouped = shares.reshape(len(stored), GROUPS, -1).mean(2)
        beyond.append([crossing(stored / expected, -each, -0.5) for each in grouped.T])
    return Half(np.array(sizes), np.array(beyond))


@wide
def dual(run) -> np.ndarray:
    """The largest difference of c from the network with one hidden layer, for each ε.

    Of 100 random images by 50 random memories, n = 3; c takes all values between −1 and 1.
    """
    rng = np.random.default_rng(run.seed)
    memories, rows = rng.normal(0, 0.3, (50, 74)), jnp.asarray(rng.uniform(-1, 1, (100, 64)))

    @jax.jit
    def difference(epsilon):
        network = DenseClassifier(memories, 10, 3, temperature=5.0, epsilon=epsilon)
        read = jax.vmap(network.as_memory())(rows)
        hidden_layer = jnp.tanh(2 * network.degree / network.temperature * read)
        return jnp.max(jnp.abs(jax.vmap(network)(rows) - hidden_layer))

    return np.array([float(difference(jnp.asarray(e, jnp.float64))) for e in EPSILONS])


def digits(run) -> Images:
    """Images with pixels in [−1, 1]: MNIST unless the run was given others."""
    count = run.pick("digits.images", quick=2000, full=60_000)
    test = run.pick("digits.test", quick=1000, full=10_000)
    images = load_images(run.load, "mnist", count, test, run.seed)
    return images._replace(x=2 * images.x - 1, test_x=2 * images.test_x - 1)


class Learnt(NamedTuple):
    """Classifiers of one degree, one a seed, K = `MEMORIES`.

    - `epochs` (E,), `error` (seeds, E): the share of test images that are read wrong by then.
    - `votes` (seeds, K): how many classes each memory votes for.
    - `active` (seeds, images): how many memories decide each test image.
    - `keys` (K, pixels), `shape`: the images in the first classifier's memories.
    """

    epochs: np.ndarray
    error: np.ndarray
    votes: np.ndarray
    active: np.ndarray
    keys: np.ndarray
    shape: tuple[int, ...]


def learnt(run, degree: int) -> Learnt:
    """Train classifiers of the images of `digits`, each with its own start and order.

    As in the authors' notebook: 60 steps an epoch, a rate that falls by 0.2 % in each, and T at its
    end after two thirds of the epochs, so after 200 of 300. Fewer epochs, and rates that fall
    faster, ended at larger errors for every n.
    """
    seeds = run.pick("learnt.seeds", quick=3, full=3)
    each = [_train(run, degree, number) for number in range(seeds)]
    epochs, *_, keys, shape = each[0]
    error, votes, active = (np.stack([part[i] for part in each]) for i in (1, 2, 3))
    return Learnt(epochs, error, votes, active, keys, shape)


def _train(run, degree: int, number: int) -> tuple:
    images, (power, start, end) = run(digits), RECIPES[degree]
    epochs = run.pick("learnt.epochs", quick=45, full=300)
    pixels, scale = images.x.shape[1], images.x.shape[1] / 784
    drawn, order = jax.random.split(jax.random.fold_in(key(run, 2000 + degree), number))
    classifier = dense_classifier(
        pixels,
        images.classes,
        memories=MEMORIES,
        degree=degree,
        temperature=scale * start,
        key=drawn,
    )
    batch = max(1, len(images.x) // STEPS)
    shown = [e for e in range(1, epochs + 1) if e < 10 or e % 5 == 0]
    looks = {-(-e * len(images.x) // batch): e for e in shown}
    errors = {}

    def look(done, steps, loss, *, model):
        if done in looks:
            errors[looks[done]] = 1 - accuracy(model.logits, images.test_x, images.test_y)

    model = train_dense_classifier(
        classifier,
        images.x,
        images.y,
        epochs=epochs,
        power=power,
        temperature=optax.linear_schedule(scale * start, scale * end, 2 * epochs // 3),
        batch_size=batch,
        progress=look,
        key=order,
    ).model
    votes = np.sum(np.asarray(model.votes) > 0, axis=1)
    active = np.asarray(count_active(model, images.test_x))
    error = np.array(list(errors.values()))
    return np.array(list(errors)), error, votes, active, np.asarray(model.keys), images.shape


@eqx.filter_jit
def count_active(model, rows):
    """How many memories add at least `STRONG` of the largest part of the logit that is read."""

    def one(row):
        parts = model.parts(row, model.predict(row))
        return jnp.sum(parts >= STRONG * jnp.max(parts))

    return jax.lax.map(one, rows, batch_size=500)
