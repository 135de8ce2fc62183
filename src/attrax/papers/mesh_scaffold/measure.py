"""Fixed labels, basins, curves of overlap and information, baselines, and images."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from attrax.dynamics import Iterate
from attrax.evaluate import information_curve
from attrax.learning import BoundedHebb, Hebb, PseudoInverse
from attrax.models import ScaffoldMemory, scaffold_memory
from attrax.stores.matrix import MatrixMemory
from attrax.theory import scaffold_overlap

from ..contract import wide

# N_L, k, N_H, N_F and C of the publication, and units of a network with as many synapses.
LABELS, WINNERS, HIDDEN, FEATURES, STATES = 18, 3, 300, 816, 816
UNITS = 708
PUBLISHED = 0.1  # the ridge that stands for none
SIZES = (50, 100, 200, 300, 340, 400, 500, 600, 700, 816)
FLIPS = (0.05, 0.1, 0.2, 0.3)
MORE_FLIPS = (*FLIPS, 0.35, 0.4, 0.45)
SIDES = np.array([-1, 1], np.float32)


def keys(run, count: int) -> jax.Array:
    """One random key a draw."""
    return jax.random.split(jax.random.key(run.seed), count)


def scaffold(key, width: int | None = None, **options) -> ScaffoldMemory:
    """An empty memory of the publication's sizes."""
    width = FEATURES if width is None else width
    return scaffold_memory(width, LABELS, WINNERS, HIDDEN, key=key, **options)


class Scaffolds(NamedTuple):
    """Of drawn scaffolds: labels that are not fixed, and shares of labels that are found when
    hidden units are flipped, (draws, flips)."""

    loose: np.ndarray
    found: np.ndarray


def scaffolds(run) -> Scaffolds:
    """All 816 labels of each scaffold, and their hidden units with some flipped."""
    rng, loose, found = np.random.default_rng(run.seed), [], []
    shares = run.pick("scaffolds.flips", quick=FLIPS, full=MORE_FLIPS)
    for key in keys(run, run.pick("scaffolds.draws", quick=5, full=20)):
        memory = scaffold(key, 1)
        labels, hidden = all_states(memory)
        kept = [kept_labels(memory, hidden)]
        for share in shares:
            order = rng.random(hidden.shape).argsort(1)
            kept.append(kept_labels(memory, np.where(order < share * HIDDEN, -hidden, hidden)))
        right = [(np.asarray(x) == labels).all(1) for x in kept]
        loose.append(np.sum(~right[0]))
        found.append([x.mean() for x in right[1:]])
    return Scaffolds(np.array(loose), np.array(found))


@jax.jit
def all_states(memory):
    """The labels and hidden states of all places."""
    labels = jax.vmap(memory.label)(jnp.arange(memory.capacity))
    return labels, jax.vmap(memory.hidden)(labels)


@jax.jit
def kept_labels(memory, hidden):
    """The labels that hidden units lead to."""
    return jax.vmap(memory.clean)(hidden)[0]


class Curves(NamedTuple):
    """Overlaps by size, (draws, sizes), and all they hold in bits over N_H N_F."""

    sizes: np.ndarray
    overlap: np.ndarray
    bits: np.ndarray

    def at(self, size: int) -> np.ndarray:
        """The overlaps of one size, by draw."""
        return self.overlap[:, list(self.sizes).index(size)]

    def off(self) -> np.ndarray:
        """The largest difference from the law, by draw."""
        law = np.asarray(scaffold_overlap(self.sizes, HIDDEN))
        return np.abs(self.overlap - law).max(1)

    def beyond(self) -> np.ndarray:
        """Bits from N_H patterns on, (draws, sizes)."""
        return self.bits[:, np.asarray(self.sizes) >= HIDDEN]


def curves(run, noise: float = 0.0, cue_ridge: float = PUBLISHED) -> Curves:
    """Random signs, written one after another; cues have a share of features flipped."""
    sizes = run.pick("curves.sizes", quick=SIZES, full=tuple(sorted({*SIZES, *range(40, 801, 40)})))
    rng, found = np.random.default_rng([run.seed, 1]), []
    for key in keys(run, run.pick("curves.draws", quick=4, full=10)):
        memory = scaffold(key, cue_ridge=cue_ridge)
        patterns = rng.choice(SIDES, (STATES, FEATURES))
        cues = np.where(rng.random(patterns.shape) < noise, -patterns, patterns)
        found.append(grown(memory, patterns, sizes, HIDDEN * FEATURES, cues=cues))
    overlaps, bits = (np.array(x) for x in zip(*found, strict=True))
    return Curves(np.array(sizes), overlaps, bits)


def grown(memory, patterns, sizes, synapses, **options):
    """Overlaps and bits of one draw."""
    curve = information_curve(memory, patterns, sizes, synapses=synapses, **options)
    return np.asarray(curve.overlap), np.asarray(curve.information)


def misplaced(run) -> np.ndarray:
    """Hidden units that clean cues of all 816 patterns leave wrong, by draw."""
    rng, wrong = np.random.default_rng([run.seed, 2]), []
    for key in keys(run, run.pick("misplaced.draws", quick=3, full=10)):
        patterns = rng.choice(SIDES, (STATES, FEATURES))
        memory = scaffold(key, cue_ridge=PUBLISHED).write(patterns)
        wrong.append(np.sum(np.asarray(led_to(memory, patterns)) != all_states(memory)[1]))
    return np.array(wrong)


@jax.jit
def led_to(memory, cues):
    """The hidden units that cues lead to."""

    def one(cue):
        space = memory.space(cue)
        return space.pull(space.initial)

    return jax.vmap(one)(cues)


@wide
def disagreement(run) -> float:
    """Matrices written one pattern at a time, less those of least squares: the largest difference
    over the largest entry."""
    rng = np.random.default_rng([run.seed, 3])
    memory, worst = scaffold(jax.random.key(run.seed), 200, cue_ridge=PUBLISHED), 0.0
    patterns = rng.choice([-1.0, 1.0], (400, 200))
    hidden = np.asarray(all_states(memory)[1], float)[:400]
    memory = memory.write(patterns)
    for found, x, y in (
        (memory.cue, patterns, hidden),
        (memory.readout, hidden, patterns),
    ):
        exact = np.linalg.solve(x.T @ x + PUBLISHED * np.eye(x.shape[1]), x.T @ y).T
        worst = max(worst, np.abs(np.asarray(found.matrix) - exact).max() / np.abs(exact).max())
    return worst


class Hebbian(NamedTuple):
    """Overlaps that Hebb's rule reads from hidden states, (draws, sizes)."""

    sizes: np.ndarray
    scaffold: np.ndarray
    independent: np.ndarray

    def off(self) -> np.ndarray:
        """The largest difference of independent ones from the law, by draw."""
        law = np.asarray(scaffold_overlap(self.sizes, HIDDEN, "hebb"))
        return np.abs(self.independent - law).max(1)


def hebbian(run) -> Hebbian:
    """Hidden units of the scaffold, which are alike, and independent ones."""
    rng, sizes = np.random.default_rng([run.seed, 4]), (100, 200, 400, 816)
    found, independent = [], []
    for key in keys(run, run.pick("hebbian.draws", quick=3, full=10)):
        patterns = rng.choice(SIDES, (STATES, FEATURES))
        own = np.asarray(all_states(scaffold(key, 1))[1])
        for hidden, rows in ((own, found), (rng.choice(SIDES, own.shape), independent)):
            rows.append([overlap_read(hidden[:n], patterns[:n]) for n in sizes])
    return Hebbian(np.array(sizes), np.array(found), np.array(independent))


def overlap_read(hidden, patterns) -> float:
    """The overlap of what one matrix of products reads from all of its keys."""
    read = hidden @ (hidden.T @ patterns)
    return float(np.mean(np.sign(read) * patterns))


RULES = {
    "Hebb": Hebb(),
    "PseudoInverse": PseudoInverse("ignore"),
    "BoundedHebb": BoundedHebb(0.7),
}


def baseline(run, name: str) -> Curves:
    """A network of 708 units, all of which move at once, from its patterns."""
    few = (50, 100, 150, 700, 720) if name == "PseudoInverse" else (50, 100, 150)
    many = (10, 30, 50, 70, 90, 100, 120, 150, 200, 300, 400, 500, 600, 700, 720, 816)
    sizes = run.pick(f"{name}.sizes", quick=few, full=many)
    rng, rule, found = np.random.default_rng([run.seed, 5]), RULES[name], []
    dynamics = Iterate(max_steps=run.pick("baseline.steps", quick=30, full=100))
    for _ in range(run.pick("baseline.draws", quick=2, full=3)):
        patterns = rng.choice(SIDES, (sizes[-1], UNITS))
        empty = emptied(rule, patterns[:1])
        options = {"write": rule.write, "dynamics": dynamics}
        found.append(grown(empty, patterns, sizes, HIDDEN * FEATURES, **options))
    overlaps, bits = (np.array(x) for x in zip(*found, strict=True))
    return Curves(np.array(sizes), overlaps, bits)


def emptied(rule, rows) -> MatrixMemory:
    """A memory of the rule, before anything is written."""
    memory = rule(rows)
    return MatrixMemory(
        0 * memory.matrix,
        scale=memory.scale,
        units="signs",
        symmetry=memory.symmetry,
        rule=memory.rule,
    )


class Images(NamedTuple):
    """Images as 500 signs and as real numbers: overlaps and correlations by size, and what is read
    of some images when so many are written."""

    sizes: np.ndarray
    signs: np.ndarray
    correlations: np.ndarray
    shown: np.ndarray
    read: dict[int, np.ndarray]

    def steepest(self) -> float:
        """The most that either falls over a hundred more images."""
        rows = np.stack([self.signs, self.correlations])
        slopes = -np.diff(rows, axis=1) / np.diff(self.sizes)
        return float(100 * slopes.max())


def images(run) -> Images:
    """Fashion-MNIST, by its own pixels, and by the signs of 500 random projections of them."""
    data, rng = run.load(), np.random.default_rng([run.seed, 6])
    order = rng.permutation(len(data.x))[:STATES]
    pixels = np.asarray(data.x[order], np.float32)
    rows = (pixels - pixels.mean()) / pixels.std()
    projected = (rows - rows.mean(0)) @ rng.normal(size=(rows.shape[1], 500))
    signs = np.where(projected < 0, -1, 1).astype(np.float32)
    sizes = (*range(100, 801, 100), 816)
    key = jax.random.key(run.seed)
    overlaps, _ = grown(scaffold(key, 500), signs, sizes, 1)
    memory, correlations, read = scaffold(key, rows.shape[1], units="real"), [], {}
    shown, begin = np.arange(6), 0
    for size in sizes:
        memory, begin = memory.write(rows[begin:size]), size
        state = np.asarray(reads(memory, rows))
        each = zip(state[:size], rows[:size], strict=True)
        correlations.append(np.mean([correlation(*x) for x in each]))
        read[size] = state[shown] * pixels.std() + pixels.mean()
    return Images(np.array(sizes), overlaps, np.array(correlations), pixels[shown], read)


@jax.jit
def reads(memory, rows):
    """What each row reads."""
    return jax.vmap(memory)(rows)


def correlation(a, b) -> float:
    """The correlation of two images; zero where one is constant."""
    a, b = a - a.mean(), b - b.mean()
    size = np.sqrt(np.sum(a * a) * np.sum(b * b))
    return float(np.sum(a * b) / size) if size > 0 else 0.0
