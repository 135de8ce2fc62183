"""Layered networks of normal weights, a convolution, and words of two letters, measured."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from attrax import evaluate
from attrax.dynamics import Euler, Iterate
from attrax.evaluate import Descent, velocity
from attrax.hierarchical import HierarchicalMemory, Tanh
from attrax.models import ConvolutionLayer, DenseLayer, blocks_and_rules, effective_energy, layered
from attrax.retrieval import retrieve
from attrax.separation import Power, Softmax

from ..contract import wide

SIZES, TAUS, STEP = (10, 14, 8), (1.0, 0.5, 0.2), 1e-3
# Time constants that the top layer is given, one after another.
TOPS = (0.1, 0.01, 0.001, 0.0001)
RELU = Power(1, rectified=True)
# Letters of 7 × 5 pixels, three for each place; three of the nine words are stored.
SHAPE, LETTERS, WORDS = (7, 5), ("GUI", "OPT"), ("GO", "UP", "IT")
_GLYPHS = {
    "G": "01110 10001 10000 10111 10001 10001 01110",
    "U": "10001 10001 10001 10001 10001 10001 01110",
    "I": "11111 00100 00100 00100 00100 00100 11111",
    "O": "01110 10001 10001 10001 10001 10001 01110",
    "P": "11110 10001 10001 11110 10000 10000 10000",
    "T": "11111 00100 00100 00100 00100 00100 00100",
}


def weights(run, draw: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Normal weights between the first and second layer, and between second and third."""
    rng = np.random.default_rng([run.seed + draw, 0])
    first = rng.standard_normal((SIZES[1], SIZES[0]))
    return first, rng.standard_normal((SIZES[2], SIZES[1]))


def chain(run, taus: tuple[float, ...] = TAUS, draws: tuple[int, int] = (0, 0)):
    """Three layers of 10, 14 and 8 neurons: tanh, ReLU, softmax; see `weights` for `draws`."""
    first, second = weights(run, draws[0])[0], weights(run, draws[1])[1]
    hidden = DenseLayer(SIZES[1], RELU, taus[1], first)
    top = DenseLayer(SIZES[2], Softmax(), taus[2], second)
    return layered(SIZES[0], [hidden, top], lagrangian=Tanh(), tau=taus[0])


def starts(run, network: HierarchicalMemory) -> dict[str, np.ndarray]:
    """Random states from which runs begin."""
    return evaluate.draw_states(network, run.pick("starts", quick=4, full=32), run.seed + 1)


def points(run, network: HierarchicalMemory) -> dict[str, np.ndarray]:
    """Random states at which equations are compared."""
    return evaluate.draw_states(network, run.pick("points", quick=32, full=512), run.seed + 1)


@wide
def descent(run, step: float = STEP) -> Descent:
    """Euler's steps for 20 τ of the visible layer."""
    network, steps = chain(run), run.pick("steps", quick=20_000, full=20_000)
    return evaluate.record_energies(network, starts(run, network), step, steps)


@wide
def asymmetric(run, other: int = 1) -> Descent:
    """The energy of the symmetric network along runs in which feedback has weights of its own,
    those of the draw `other`."""
    network, steps = chain(run), run.pick("steps", quick=20_000, full=20_000)
    first, second = chain(run, draws=(other, 0)), chain(run, draws=(0, other))

    def field(states):
        # The top layer has no feedback; the others have it from above.
        own, lower, upper = (velocity(each, states) for each in (network, first, second))
        return {**own, "visible": lower["visible"], "hidden 1": upper["hidden 1"]}

    return evaluate.record_energies(network, starts(run, network), STEP, steps, field=field)


@wide
def rates(run) -> evaluate.EnergyRates:
    """Ė in two ways at random states."""
    network = chain(run)
    return evaluate.energy_rates(network, points(run, network))


def convolutional(run) -> tuple[HierarchicalMemory, np.ndarray]:
    """Layers 28 × 28, 12 × 12 × 4 (5 × 5 kernel, stride 2) and 10, and the kernel."""
    rng = np.random.default_rng([run.seed, 0])
    kernel = rng.standard_normal((5, 5, 1, 4)) / 5
    top = DenseLayer(10, Softmax(), 0.2, rng.standard_normal((10, 12 * 12 * 4)) / 24)
    maps = ConvolutionLayer(4, (5, 5), RELU, 0.5, stride=2, kernel=kernel)
    return layered((28, 28, 1), [maps, top], lagrangian=Tanh()), kernel


@wide
def transposed(run) -> float:
    """The largest difference of the drive from above, through a convolution, from the transposed
    convolution written out in NumPy; relative."""
    network, kernel = convolutional(run)
    states = evaluate.draw_states(network, 4, run.seed + 1)
    pulled = eqx.filter_jit(lambda net, x: jax.vmap(net.pull)(x))(network, states)
    drive = np.asarray(pulled["visible"])
    above, expected = np.maximum(states["hidden 1"], 0), np.zeros_like(drive)
    for i, j in np.ndindex(5, 5):
        expected[:, i : i + 24 : 2, j : j + 24 : 2] += above @ kernel[i, j].T
    return float(np.max(np.abs(drive - expected)) / np.max(np.abs(expected)))


@wide
def convolution(run, step: float = 5 * STEP) -> Descent:
    """Euler's steps of the convolutional network, for 10 or 20 τ of its input layer."""
    network, _ = convolutional(run)
    begin = evaluate.draw_states(network, 4, run.seed + 1)
    steps = run.pick("convolution.steps", quick=2000, full=4000)
    return evaluate.record_energies(network, begin, step, steps)


@wide
def limit(run) -> evaluate.AdiabaticLimit:
    """The distance from the network whose top layer is eliminated."""
    whole, fast = chain(run), chain(run, (*TAUS[:2], 0.0))
    begin = evaluate.draw_states(fast, run.pick("limit.starts", quick=8, full=64), run.seed + 1)
    return evaluate.adiabatic_limit(whole, fast, begin, TOPS, time=5.0, steps=25_000)


@wide
def eliminated(run) -> float:
    """How far the energy without the top layer is from E₁ + E₂ − g₂ᵀξ₂₁g₁ − L₃(ξ₃₂g₂) in NumPy,
    of the network and of the one whose top layer is fast; relative."""
    whole, fast = chain(run), chain(run, (*TAUS[:2], 0.0))
    states = points(run, fast)

    @eqx.filter_jit
    def both(whole, fast, states):
        ours = jax.vmap(lambda x: effective_energy(whole, x, "hidden 2"))(states)
        return ours, jax.vmap(fast.energy)(states)

    first, second = weights(run)
    x, y = states["visible"], states["hidden 1"]
    g, f = np.tanh(x), np.maximum(y, 0)
    own = (x * g - np.log(np.cosh(x))).sum(-1) + (y * f - 0.5 * f**2).sum(-1)
    expected = own - ((g @ first.T) * f).sum(-1) - np.log(np.exp(f @ second.T).sum(-1))
    apart = [np.abs(np.asarray(ours) - expected) for ours in both(whole, fast, states)]
    return float(np.max(apart / np.maximum(np.abs(expected), 1)))


class Rest(NamedTuple):
    """The speed |ẋ| of all layers at the end of each run, the time at which it was last above
    10⁻⁶, and the number of different fixed points."""

    speed: np.ndarray
    time: np.ndarray
    distinct: int


@wide
def rest(run, steps: int = 5000) -> Rest:
    """Euler's method from random states, with steps of 0.02 τ of the visible layer."""
    network, step = chain(run), 0.02
    begin = evaluate.draw_states(network, run.pick("rest.starts", quick=20, full=100), run.seed + 1)

    def watch(states):
        moved = jax.tree.leaves(velocity(network, states))
        return jnp.linalg.norm(jnp.concatenate(moved)), states["visible"]

    speed, visible = evaluate.record_energies(network, begin, step, steps, watch=watch).watched
    ends = np.tanh(visible[:, -1])
    apart = np.abs(ends[:, None] - ends[None]).max(-1)
    # Each end counts if none before it is the same.
    distinct = sum(bool(np.all(apart[i, :i] > 1e-3)) for i in range(len(ends)))
    return Rest(speed[:, -1], step * (speed > 1e-6).sum(1), distinct)


class Updates(NamedTuple):
    """Layers that jump to their pulls: by run, the largest rise of the energy over its largest
    term, and the energies, shape (runs, updates + 1)."""

    rise: np.ndarray
    energies: np.ndarray


@wide
def updates(run, way: str) -> Updates:
    """Runs with "all layers at once", or "layer by layer"."""
    network = chain(run, (1.0, 1.0, 1.0))
    begin = evaluate.draw_states(network, run.pick("updates.starts", quick=16, full=128), run.seed)
    limits = {"rtol": 0.0, "atol": 1e-9, "max_steps": 30}
    dynamics = Iterate(**limits) if way == "layer by layer" else Euler(1.0, **limits)
    retrieval = retrieve(network, begin["visible"], dynamics, certify=True, path=True)
    return Updates(evaluate.largest_rise(retrieval), np.asarray(retrieval.energies))


class Words(NamedTuple):
    """Damaged words by kind of damage: the cues (kinds, cues, 2, 35), what became of them, and
    whether it is the word that was damaged (kinds, cues), right in every pixel."""

    cues: np.ndarray
    ends: np.ndarray
    right: np.ndarray


KINDS = ("second letter lost", "first letter lost", "20 % of the pixels flipped")


def glyph(letter: str) -> np.ndarray:
    """A letter, +1 for ink and −1 for paper."""
    return 2.0 * np.array([int(bit) for bit in _GLYPHS[letter].replace(" ", "")]) - 1


@wide
def words(run, rules: bool = True) -> Words:
    """Complete each stored word, one letter of it lost in noise, or both damaged.

    The layer of rules is left out if `rules` is false.
    """
    cues = run.pick("words", quick=300, full=3000)
    rng = np.random.default_rng(run.seed)
    primitives = np.stack([[glyph(letter) for letter in block] for block in LETTERS])
    stored = np.array([[LETTERS[i].index(each) for i, each in enumerate(word)] for word in WORDS])
    network: Any = blocks_and_rules(primitives, stored)
    network = network if rules else network.without("rules")
    targets = primitives[np.arange(2), stored[np.arange(cues) % len(WORDS)]]
    noise = rng.choice((-1.0, 1.0), targets.shape)
    few, many = (np.where(rng.random(targets.shape) < share, -1, 1) for share in (0.1, 0.2))
    place = np.arange(2)[None, :, None]
    lost = [np.where(place == which, noise, targets * few) for which in (1, 0)]
    shown = np.stack([*lost, targets * many])
    queries = shown.reshape(-1, targets[0].size)
    ends = np.asarray(retrieve(network, queries, Iterate(max_steps=100)).state)
    ends = ends.reshape(shown.shape)
    return Words(shown, ends, np.all(np.sign(ends) == targets, axis=(2, 3)))
