"""Lagrangians, the README's network, random graphs and classifiers of images, measured."""

import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from attrax import evaluate
from attrax import hierarchical as hi
from attrax.dynamics import Euler, Iterate
from attrax.evaluate import Descent
from attrax.hierarchical import HierarchicalMemory, Neurons
from attrax.retrieval import Retrieval, retrieve
from attrax.separation import Exponential, GhostSoftmax, Power, Softmax

from .. import classifiers as cf
from ..contract import NotRun, wide

BETA, GAMMA, DELTA, EPSILON = 1.5, 1.3, 0.2, 1e-5
# What the README prints where all states are zero, with its hand-written synapse: the energy, and
# ∂E/∂g of the hidden layer.
PRINTED_ENERGY = -4.275979
PRINTED_SLOPE = (
    *(0.00705259, 0.00320656, -0.02189678, 0.00424237, 0.00248319),
    *(-0.00192548, 0.00498188, 0.00388546, 0.00415148),
)
# Labels act back with a gain of about β|V|², and their logits are β V g: sharp labels with small
# weights V leave an image one fixed point, where β = 1 makes the labels a winner-take-all.
SHARP = 10.0
# The exact updates of a reading at rest, which can be watched.
SWEEPS = Iterate(rtol=1e-4, atol=1e-5, max_steps=30)
# The implicit gradient grows without bound where a fixed point is about to split in two; unclipped,
# one such step makes the labels a winner-take-all, from which training does not come back.
CLIP = 1.0


def along(separation) -> hi.SeparationLagrangian:
    """The Lagrangian whose activation is a separation of the last axis."""
    return hi.SeparationLagrangian(separation, axis=-1)


def relu() -> Power:
    """The activation max(x, 0), of the Lagrangian ½ Σ max(x, 0)²."""
    return Power(1, rectified=True)


def lagrangians() -> dict[str, tuple[Any, Callable]]:
    """Every Lagrangian that HAMUX ships, by its name there, and its activation in NumPy."""
    norm = {"axis": -1, "epsilon": EPSILON}
    return {
        "identity": (hi.Quadratic(), lambda x: x),
        "relu": (along(relu()), lambda x: np.maximum(x, 0)),
        "tanh": (hi.Tanh(BETA), lambda x: np.tanh(BETA * x)),
        "sigmoid": (hi.Sigmoid(BETA), lambda x: 1 / (1 + np.exp(-BETA * x))),
        "softmax": (along(Softmax(BETA)), lambda x: _shares(np.exp(BETA * x), 0)),
        "layernorm": (hi.LayerNorm(GAMMA, DELTA, **norm), lambda x: _normed(x, np.mean)),
        "spherical_norm": (hi.SphericalNorm(GAMMA, DELTA, **norm), lambda x: _normed(x, np.sum)),
        "ghostmax": (along(GhostSoftmax()), lambda x: _shares(np.exp(x), 1)),
        "repu": (along(Power(3, rectified=True)), lambda x: np.maximum(x, 0) ** 3),
        "exp": (along(Exponential(BETA)), lambda x: np.exp(BETA * x)),
        "rexp": (hi.RectifiedExponential(BETA), lambda x: np.expm1(BETA * np.maximum(x, 0))),
    }


def _shares(x, rest):
    return x / (rest + x.sum(-1, keepdims=True))


def _normed(x, reduce):
    x = x - x.mean(-1, keepdims=True) if reduce is np.mean else x
    return GAMMA * x / np.sqrt(reduce(x**2, -1, keepdims=True) + EPSILON) + DELTA


@wide
def identities(run) -> tuple[float, float]:
    """Largest differences, relative to what is compared where that is above one: of the activation
    from ∇L and from its formula, and of ∇ₓE from (∇²L) x, which is ∂E/∂g = x by the chain rule."""
    x, known = 2 * np.random.default_rng(run.seed).normal(size=(3, 6)), [*lagrangians().values()]

    def derive(lagrangian, state):
        layer = Neurons(state.shape, lagrangian)
        own, moved = jax.jvp(layer.activation, (state,), (state,))
        return own, jax.grad(layer.lagrangian.value)(state), jax.grad(layer.energy)(state), moved

    def differ(ours, expected):
        return np.max(np.abs(ours - expected) / np.maximum(1, np.abs(expected)))

    activation, legendre = [], []
    derive_all = jax.jit(lambda x: [derive(lagrangian, x) for lagrangian, _ in known])
    for (own, slope, bent, moved), (_, formula) in zip(derive_all(x), known, strict=True):
        activation += [differ(own, slope), differ(own, formula(x))]
        legendre.append(differ(bent, moved))
    return float(np.max(activation)), float(np.max(legendre))


def readme_network(sign: float = 1.0) -> HierarchicalMemory:
    """The README's network, both weights drawn from the key 0. The `sign` is 1 for the synapse that
    HAMUX ships, −1 for the one that the README writes by hand, whose energy has a plus sign."""
    key, size = jax.random.key(0), 0.02 * sign
    first, second = (size * np.asarray(jax.random.normal(key, (n, 9), "float32")) for n in (7, 8))
    return HierarchicalMemory(
        {"input": Neurons(7), "labels": Neurons(8, Softmax()), "hidden": Neurons(9, Softmax())},
        {
            ("input", "hidden"): hi.DenseSynapse(first.T.astype(float)),
            ("labels", "hidden"): hi.DenseSynapse(second.T.astype(float)),
        },
    )


@wide
def readme_numbers(run) -> float:
    """Largest distance from the numbers that the README prints, in units of their last digit."""
    network = readme_network(-1.0)
    zeros = {name: jnp.zeros(network.neurons[name].shape) for name in network.names}
    slope = -np.asarray(network.pull(zeros)["hidden"])
    distances = np.abs(slope - np.array(PRINTED_SLOPE)) / 1e-8
    energy = abs(float(network.energy(zeros)) - PRINTED_ENERGY) / 1e-6
    return float(np.max([energy, *distances]))


@wide
def readme_descent(run, step: float, scale: float = 1.0) -> Descent:
    """40 steps of the README's network from three random starts, states being `scale` large."""
    network = readme_network()
    starts = {n: scale * x for n, x in evaluate.draw_states(network, 3, run.seed).items()}
    return evaluate.record_energies(network, starts, step, 40)


@wide
def transposed(run) -> float:
    """How far a convolution's drives are from its sums over windows and from their transpose."""
    rng = np.random.default_rng(run.seed)
    kernel, lower, upper = (rng.normal(size=n) for n in ((3, 3, 3, 5), (8, 8, 3), (4, 4, 5)))
    padded, down, up = np.pad(lower, ((0, 1), (0, 1), (0, 0))), np.zeros((9, 9, 3)), 0 * upper
    for i, j in np.ndindex(4, 4):
        window = slice(2 * i, 2 * i + 3), slice(2 * j, 2 * j + 3)
        up[i, j] = np.tensordot(padded[window], kernel, 3)
        down[window] += kernel @ upper[i, j]
    synapse = hi.ConvolutionSynapse(kernel, stride=2, padding="SAME")
    slopes = jax.grad(synapse, (0, 1))(jnp.asarray(lower), jnp.asarray(upper))
    pairs = zip(slopes, (down[:8, :8], up), strict=True)
    return float(np.max([np.abs(x + y).max() / np.abs(y).max() for x, y in pairs]))


@wide
def graphs(run, step: float) -> list[Descent]:
    """100 steps in random graphs, from 32 starts each."""
    rng, count = np.random.default_rng(run.seed), run.pick("graphs", quick=3, full=16)
    descents = []
    for i in range(count):
        network = draw_graph(rng, layers=3 + i % 3)
        starts = evaluate.draw_states(network, 32, run.seed + i)
        descents.append(evaluate.record_energies(network, starts, step, 100))
    return descents


def draw_graph(rng: np.random.Generator, layers: int, width: int = 6) -> HierarchicalMemory:
    """Random Lagrangians, joined in a chain, across, and three at a time."""
    names, known = [f"layer {i}" for i in range(layers)], list(lagrangians().values())
    across = [pair for pair in itertools.combinations(names, 2) if rng.random() < 0.6]
    pairs = dict.fromkeys([*itertools.pairwise(names), *across])

    def weights(*shape):
        return rng.normal(size=shape) / (2 * math.sqrt(width))

    return HierarchicalMemory(
        # The first eight keep states small.
        {name: Neurons(width, known[rng.integers(8)][0]) for name in names},
        {
            **{pair: hi.DenseSynapse(weights(width, width)) for pair in pairs},
            tuple(names[:3]): hi.HyperSynapse(weights(width, width, width) / width),
        },
    )


def _dense(key, upper: int, lower: int, gain: float) -> hi.DenseSynapse:
    weights = jax.random.normal(key, (upper, lower)) * (gain / math.sqrt(lower))
    return hi.DenseSynapse(weights, jnp.zeros(upper))


@eqx.filter_jit
def image_network(key, shape, classes: int, layers: str, size: int) -> HierarchicalMemory:
    """An image (H, W, C) that is held, ReLU neurons, and labels that act back on what is below.

    `layers` is "dense", for `size` hidden neurons, or "convolutional", for `size` maps of features
    (windows of 5 × 5, stride 2) and their means over 2 × 2.
    """
    first, second = jax.random.split(key)
    if layers == "dense":
        middle = {"hidden": Neurons(size, relu())}
        joined: Any = {("image", "hidden"): _dense(first, size, math.prod(shape), math.sqrt(2))}
    else:
        maps, window = [(n - 5) // 2 + 1 for n in shape[:2]], (5, 5, shape[2])
        kernel = jax.random.normal(first, (*window, size)) * math.sqrt(2 / math.prod(window))
        pooled = Neurons((*(n // 2 for n in maps), size))
        middle = {"features": Neurons((*maps, size), relu()), "pooled": pooled}
        joined = {
            ("image", "features"): hi.ConvolutionSynapse(kernel, stride=2),
            ("features", "pooled"): hi.PoolingSynapse((2, 2), "mean"),
        }
    last, below = list(middle.items())[-1]
    image, label = Neurons(shape, clamped=True), Neurons(classes, Softmax(SHARP))
    joined[last, "label"] = _dense(second, classes, below.size, 1 / SHARP)
    return HierarchicalMemory({"image": image, **middle, "label": label}, joined)


def images(run) -> cf.Images:
    """The images of all classifiers but HAMUX's own."""
    count = run.pick("images", quick=10_000, full=60_000)
    return cf.load_images(run.load, "fashion-mnist", count, 10_000, run.seed)


def _learn(model: Any, rate: float, x, y, steps: int, key) -> Any:
    optimizer = cf.adam(rate, steps, CLIP)
    return cf.fit(model, x, y, optimizer=optimizer, steps=steps, batch_size=100, key=key)


def _fit(run, kind: str, number: int, rate: float, x, y, steps: int):
    """A classifier such as "MLP" or "dense, at rest", trained from its own start."""
    key, order = jax.random.split(jax.random.fold_in(jax.random.key(run.seed), number))
    shape, classes = run(images).shape, run(images).classes
    if kind == "logistic regression":
        model: Any = cf.logistic_regression(key, math.prod(shape), classes)
    elif kind == "MLP":
        model = cf.mlp(key, math.prod(shape), classes, 64)
    else:
        layers, _, read = kind.partition(", ")
        size = run.pick("sizes", quick=(128, 8), full=(256, 16))[layers == "convolutional"]
        states = {"feed-forward": cf.at_start, "at rest": cf.at_rest}[read]
        model = cf.Reader(image_network(key, shape, classes, layers, size), states)
    return _learn(model, rate, x, y, steps, order)


def learning_rate(run, kind: str) -> float:
    """The rate at which a training as long as others reads most of the images right that it does
    not learn."""
    rates = run.pick("rates", quick=(5e-3,), full=(3e-4, 1e-3, 3e-3, 1e-2, 3e-2))
    steps = run.pick("steps", quick=300, full=1000)
    (x, y), held = run(images)[1:3], len(run(images).x) // 6

    def judge(rate):
        model = _fit(run, kind, 100, rate, x[held:], y[held:], steps)
        return cf.accuracy(model, x[:held], y[:held])

    return max(rates, key=judge) if len(rates) > 1 else rates[0]


def trained(run, kind: str, number: int):
    """A classifier of some kind, by the number of its seed."""
    if not kind.startswith(run.pick("trained", quick="dense", full="")):
        raise NotRun("Needs minutes of training: attrax reproduce hamux --profile full.")
    (x, y), steps = run(images)[1:3], run.pick("steps", quick=300, full=1000)
    return _fit(run, kind, number, run(learning_rate, kind), x, y, steps)


class Accuracies(NamedTuple):
    """Shares of test images that classifiers of one kind read right, by seed; how many weights and
    biases they have, and the rate at which they learnt."""

    shares: np.ndarray
    weights: int
    rate: float

    def show(self) -> str:
        """Mean and deviation over seeds, and from what."""
        share = f"{self.shares.mean():.4f} ± {self.shares.std(ddof=1):.4f}"
        return f"{share} with {self.weights} weights at a learning rate of {self.rate:g}"


def accuracies(run, kind: str) -> Accuracies:
    """Of one kind of classifier, from several starts and orders of the images."""
    seeds, data = run.pick("seeds", quick=3, full=4), run(images)
    models = [run(trained, kind, i) for i in range(seeds)]
    shares = [cf.accuracy(model, data.test_x, data.test_y) for model in models]
    learnt = models[0].network.synapses if isinstance(models[0], cf.Reader) else models[0]
    return Accuracies(np.array(shares), cf.count_weights(learnt), run(learning_rate, kind))


def relaxed(run, layers: str) -> Retrieval:
    """One network relaxed layer by layer from test images, which are held."""
    rows = run(images).test_x[: run.pick("relaxed", quick=500, full=2000)]
    model = run(trained, f"{layers}, at rest", 0)
    return retrieve(model.network, rows, SWEEPS, certify=True)


HN = {"relu": relu, "softmax": Softmax}


@eqx.filter_jit
def hn_network(key, pixels: int, classes: int, name: str) -> HierarchicalMemory:
    """The `hn` models of HAMUX 0.1.1: tanh image, softmax labels, and fast neurons above both."""
    first, second = jax.random.split(key)
    return HierarchicalMemory(
        {
            "image": Neurons(pixels, hi.Tanh(), clamped=True),
            "label": Neurons(classes, Softmax(SHARP), start=jnp.zeros(classes)),
            "hidden": Neurons(100, HN[name](), tau=0.0),
        },
        {
            ("image", "hidden"): hi.DenseSynapse(0.1 * jax.random.normal(first, (100, pixels))),
            ("label", "hidden"): hi.DenseSynapse(0.01 * jax.random.normal(second, (100, classes))),
        },
    )


def after_steps(network, image):
    """States after ten steps of 0.4; the gradient goes through the steps."""
    space = network.space(image)
    return Euler(0.4, rtol=0.0, atol=1e-30, max_steps=10).run(space, space.initial).state


def digits(run, name: str) -> np.ndarray:
    """Test accuracies of HAMUX 0.1.1's `hn` models, or of logistic regression, by seed."""
    steps, shares = run.pick("digits.steps", quick=200, full=400), []
    for number in range(run.pick("digits.seeds", quick=3, full=5)):
        split = cf.load_images(run.load, "digits", 1797, 450, run.seed + number)
        key, order = jax.random.split(jax.random.fold_in(jax.random.key(run.seed), number))
        model: Any = cf.logistic_regression(key, split.x.shape[1], split.classes)
        if name in HN:
            network = hn_network(key, split.x.shape[1], split.classes, name)
            model = cf.Reader(network, after_steps)
        model = _learn(model, 1e-2, split.x, split.y, steps, order)
        shares.append(cf.accuracy(model, split.test_x, split.test_y))
    return np.array(shares)
