"""Identities of the read, constraints after steps, and networks trained on tasks in a row."""

import functools
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from attrax.common.arithmetic import unit
from attrax.common.checks import GIVEN
from attrax.data import split_by_class
from attrax.nn import SDMClassifier
from attrax.separation import TopKSubtract
from attrax.separation.top import ranked
from attrax.training import AbstractConstrained, train_continually

from ..contract import NotRun, wide

COMMAND = "attrax reproduce sdm-continual --profile full"
K = 10
# How many times the examples of a task the switch takes.
SWITCH = 3.0


# Components of an SDMLP; a kind of network lacks those that are named.
COMPONENTS = ("unit", "non_negative", "bias_free", "top", "subtract", "switch")
LACKS = {
    "sdm": (),
    "relu": ("unit", "non_negative", "bias_free", "top"),
    "top_k": ("unit", "non_negative", "bias_free", "subtract", "switch"),
    "no switch": ("switch",),
    "norms": ("unit",),
    "signs": ("non_negative",),
    "biases": ("bias_free",),
    "all active": ("top",),
    "masked": ("subtract",),
}


class Variant(AbstractConstrained):
    """A network of one hidden layer with some components of an SDMLP, all of one program.

    Each component is a number, 1 where the network has it and 0 where it lacks it: unit rows of
    inputs and weights; weights above zero; no biases; inhibition by the (k+1)-th largest
    activity, which is subtracted from the rest; and its switch from excitation.
    """

    addresses: Float[Array, "n d"]
    values: Float[Array, "c n"]
    biases: tuple[Float[Array, " n"], Float[Array, " c"]]
    activations: Float[Array, " n"] = eqx.field(metadata=GIVEN)
    switch: Float[Array, ""] = eqx.field(metadata=GIVEN)
    has: dict[str, Float[Array, ""]] = eqx.field(metadata=GIVEN)
    k: int = eqx.field(static=True)

    def __init__(self, size, neurons, classes, lacks, *, k, switch, key):
        keys = jax.random.split(key, 4)
        shapes = (neurons, size), (classes, neurons), (neurons,), (classes,)
        starts = [
            jax.random.uniform(each, shape, minval=-1, maxval=1) / jnp.sqrt(fan)
            for each, shape, fan in zip(keys, shapes, (size, neurons) * 2, strict=True)
        ]
        self.has = {name: jnp.asarray(float(name not in lacks)) for name in COMPONENTS}
        self.switch, self.k = jnp.asarray(switch, float), k
        self.activations, self.biases = jnp.zeros(neurons), (starts[2], starts[3])
        self.addresses = _constrained(starts[0], self.has["non_negative"], self.has["unit"])
        self.values = _constrained(starts[1], self.has["non_negative"], 0.0)

    def weights(self, row):
        """How active each neuron is."""
        row = jnp.where(self.has["unit"] > 0, unit(row), row)
        biased = 1 - self.has["bias_free"]
        scores = jax.nn.relu(self.addresses @ row + biased * self.biases[0])
        switched = jnp.clip(2 * self.activations / self.switch - 1, -1, 1)
        gamma = jnp.where(self.has["switch"] > 0, switched, 1.0) * self.has["top"]
        level = gamma * ranked(jax.lax.stop_gradient(scores), self.k + 1)
        taken = jnp.where(self.has["subtract"] > 0, level, 0.0)
        return jnp.where(scores > level, scores - taken, 0.0)

    def __call__(self, row):
        """The logits of a row."""
        return self.values @ self.weights(row) + (1 - self.has["bias_free"]) * self.biases[1]

    def observe(self, rows, counted):
        """Counts on how many rows each neuron is active."""
        active = (jax.vmap(self.weights)(rows) > 0).astype(counted.dtype)
        seen = self.activations + counted @ active
        return eqx.tree_at(lambda model: model.activations, self, seen)

    def constrain(self):
        """Clamps and normalises what is to be so."""
        non_negative, normed = self.has["non_negative"], self.has["unit"]
        return eqx.tree_at(
            lambda model: (model.addresses, model.values),
            self,
            (
                _constrained(self.addresses, non_negative, normed),
                _constrained(self.values, non_negative, 0.0),
            ),
        )


def _constrained(rows, non_negative, normed):
    rows = jnp.maximum(rows, jnp.where(non_negative > 0, 0.0, -jnp.inf))
    return jnp.where(normed > 0, unit(rows), rows)


class Counts(NamedTuple):
    """The largest difference between how many neurons are active and how many should be."""

    inhibited: int
    excited: int
    fewer: int
    leaf: int


def counts(run) -> Counts:
    """Active neurons of networks whose coefficients are 1, or −1, for 1000 random rows, and
    weights above zero of the separation alone; and how many are left by the k-th score."""
    rng = np.random.default_rng(run.seed)
    rows = jnp.asarray(rng.uniform(size=(1000, 64)), jnp.float32)
    model = SDMClassifier(64, 300, 10, k=K, switch=1.0, key=jax.random.key(run.seed))
    inhibited = eqx.tree_at(lambda model: model.activations, model, jnp.ones(300))
    scores = rows @ model.addresses.T
    active = [
        np.asarray(jnp.sum(weights > 0, axis=1))
        for weights in (
            jax.vmap(inhibited.weights)(rows),
            jax.vmap(model.weights)(rows),
            jax.vmap(TopKSubtract(K - 1))(scores),
            jax.vmap(TopKSubtract(K))(scores),
        )
    ]
    wanted = (K, 300, K - 1, K)
    return Counts(*(int(np.abs(a - b).max()) for a, b in zip(active, wanted, strict=True)))


@wide
def read(run) -> float:
    """Logits of 100 rows, less what the memory of a network reads: largest, over the largest."""
    rng = np.random.default_rng(run.seed)
    model = SDMClassifier(64, 300, 10, k=K, switch=1.0, key=jax.random.key(run.seed))
    model = eqx.tree_at(lambda model: model.activations, model, jnp.ones(300))
    rows = jnp.asarray(rng.uniform(size=(100, 64)))
    logits, reads = jax.vmap(model)(rows), jax.vmap(model.memory())(rows)
    return float(jnp.max(jnp.abs(logits - reads)) / jnp.max(jnp.abs(logits)))


class Constraints(NamedTuple):
    """After each of 50 steps: by how much norms of addresses miss 1, the least weight, and how far
    an address has moved in all."""

    norms: np.ndarray
    least: np.ndarray
    moved: float


def constraints(run) -> Constraints:
    """A network after every step: each task is a batch that is seen once."""
    x, y = digits(run, 0)[0][0]
    order = np.random.default_rng(run.seed).permuted(np.tile(np.arange(len(x)), (50, 1)), axis=1)
    batches = [(x[index], y[index]) for index in order[:, :32]]
    model = SDMClassifier(64, 300, 10, k=K, switch=100.0, key=jax.random.key(run.seed))
    key = jax.random.key(run.seed)
    options = {"epochs": 1, "batch_size": 32, "learning_rate": 0.5}
    models = train_continually(model, batches, batches, key=key, **options).models
    addresses, values = np.asarray(models.addresses, float), np.asarray(models.values, float)
    return Constraints(
        np.abs(np.linalg.norm(addresses, axis=2) - 1).max(1),
        np.minimum(addresses.min((1, 2)), values.min((1, 2))),
        float(np.abs(addresses[-1] - np.asarray(model.addresses)).max()),
    )


class Runs(NamedTuple):
    """Of each draw: shares of all test rows that are right after each task (draws, tasks), the
    same by task (draws, learnt, asked), and the share of neurons that no training row activates."""

    overall: np.ndarray
    accuracy: np.ndarray
    dead: np.ndarray

    @property
    def final(self) -> np.ndarray:
        """After the last task, shape (draws,)."""
        return self.overall[:, -1]


# What the training of a kind of network has beside the rest.
OPTIONS = {
    "momentum": {"momentum": 0.9},
    "elastic": {"importance": 200.0},
    "replay": {"replay": 40},
}
SLOW = ("elastic", "replay")


def trained(run, kind: str) -> Runs:
    """Networks of a kind on five pairs of digits; see `LACKS` and `OPTIONS`."""
    if run.profile == "quick" and kind in SLOW:
        raise NotRun(f"needs some minutes: {COMMAND}")
    return switched(run, kind, SWITCH, run.pick("draws", quick=3, full=5))


def switched(run, kind: str, ratio: float, draws: int) -> Runs:
    """The same, where the switch takes so many times the examples of a task."""
    neurons = run.pick("neurons", quick=300, full=1000)
    epochs = run.pick("epochs", quick=20, full=60)
    # A third of the steps, each of three times the length.
    options = {"learning_rate": 3 / epochs, "batch_size": 32, "epochs": epochs}
    found = [
        learn(digits(run, i), kind, neurons, ratio, run.seed + i, options) for i in range(draws)
    ]
    return Runs(*(np.stack(each) for each in zip(*found, strict=True)))


def learn(data, kind: str, neurons: int, ratio: float, seed: int, options) -> tuple:
    """One network: what is right overall and by task, and the share of dead neurons."""
    tasks, tests = data
    examples = options["epochs"] * np.mean([len(x) for x, _ in tasks])
    keys = jax.random.split(jax.random.key(seed))
    make = SDMClassifier
    if kind in LACKS and kind != "sdm":
        make = functools.partial(Variant, lacks=LACKS[kind])
    if kind == "replay":
        make = functools.partial(Variant, lacks=LACKS["relu"])
    size, classes = tasks[0][0].shape[1], 10
    model = make(size, neurons, classes, k=K, switch=float(ratio * examples), key=keys[0])
    extra = OPTIONS.get(kind, {})
    found = train_continually(model, tasks, tests, key=keys[1], **options, **extra)
    rows = np.concatenate([x for x, _ in tasks])
    dead = 1 - float(jnp.mean(ever_active(found.model, rows)))
    return np.asarray(found.overall), np.asarray(found.accuracy), dead


@eqx.filter_jit
def ever_active(model, rows):
    """Whether any row makes each neuron active, by more than 1e-4."""
    return jnp.max(jax.lax.map(model.weights, rows, batch_size=256), axis=0) > 1e-4


def digits(run, draw: int) -> tuple[list, list]:
    """Five pairs of digits: rows that are learnt, and 40 of each class that are not."""
    return parted(run.load("digits"), np.random.default_rng([run.seed, draw]), 40)


def parted(dataset, rng, tested: int, learnt: int | None = None) -> tuple[list, list]:
    """Tasks of two classes: rows that are learnt, at most so many, and some of each class that are
    not. Every draw has as many of a task, and so runs the same program."""
    tasks, tests = [], []
    for task in split_by_class(dataset):
        index = rng.permutation(len(task))
        apart = np.concatenate([index[task.y[index] == c][:tested] for c in np.unique(task.y)])
        rest = index[~np.isin(index, apart)][:learnt]
        tasks.append((task.x[rest], task.y[rest]))
        tests.append((task.x[apart], task.y[apart]))
    return tasks, tests


def fashion(run, kind: str) -> Runs:
    """Networks of a kind on five pairs of clothes, which see each picture five times."""
    if run.profile == "quick":
        raise NotRun(f"needs some minutes: {COMMAND}")
    dataset, learnt = run.load("fashion-mnist"), run.pick("fashion.rows", quick=0, full=12000)
    options = {"learning_rate": 0.05, "batch_size": 32, "epochs": 5}
    found = []
    for draw in range(run.pick("fashion.draws", quick=0, full=2)):
        data = parted(dataset, np.random.default_rng([run.seed, draw]), 100, learnt)
        found.append(learn(data, kind, 1000, SWITCH, run.seed + draw, options))
    return Runs(*(np.stack(each) for each in zip(*found, strict=True)))
