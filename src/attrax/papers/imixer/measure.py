"""Iterations of iMLPs and their inverses, slopes, norms, energies, and digits."""

import functools
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from attrax.dynamics import FixedPoint
from attrax.evaluate import Descent, draw_states, record_energies
from attrax.nn import (
    IMLP,
    HopfieldMixer,
    IMixer,
    ImplicitMixing,
    soft_spectral_normalise,
)

from ..contract import NotRun, wide
from ..mixers import Learnt, learn_digits

# The published bound, one that promises a contraction, and the largest slope of GELU.
PUBLISHED, SURE, SLOPE = 0.9, 0.88, 1.1289042
SIZE, WIDTH, RATIO = 16, 20, 2
ITERATIONS = tuple(range(7))
_REST = FixedPoint(rtol=1e-14, atol=1e-14, max_steps=1000)
_TABLE = (12, 8)


def drawn(seed: int, count: int, n_iter: Any, bound: float = PUBLISHED) -> IMLP:
    """IMLPs of standard normal weights and biases, stacked; norms are far above the bound."""
    made = IMLP(SIZE, WIDTH, RATIO, n_iter=n_iter, bound=bound, key=jax.random.key(0))
    rng = np.random.default_rng(seed)
    arrays, rest = eqx.partition(made, eqx.is_inexact_array)
    stacked = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=(count, *x.shape))), arrays)
    return eqx.combine(stacked, rest)


class Iterated(NamedTuple):
    """Iterates of drawn iMLPs.

    - `distances` (draws, iterations): |y_k − y|/|y| from the fixed point y.
    - `gaps` (draws,): |y − F(y) − a|/|y|.
    """

    distances: np.ndarray
    gaps: np.ndarray

    @property
    def ratios(self) -> np.ndarray:
        """Each distance over the one before, (draws, iterations − 1)."""
        return self.distances[:, 1:] / self.distances[:, :-1]


@wide
def iterated(run, bound: float, last: int = ITERATIONS[-1]) -> Iterated:
    """Iterates from y = a, and the fixed point, of drawn weights, biases and inputs."""
    draws = run.pick("iterated.draws", quick=200, full=2000)
    inputs = jnp.asarray(np.random.default_rng(run.seed).normal(size=(draws, SIZE)))
    mlps = drawn(run.seed, draws, _REST, bound)
    rest = _solved(mlps, inputs)
    size = np.linalg.norm(rest, axis=1)
    few = (drawn(run.seed, draws, count, bound) for count in range(last + 1))
    distances = [np.linalg.norm(_solved(each, inputs) - rest, axis=1) / size for each in few]
    return Iterated(np.array(distances).T, _gaps(mlps, inputs) / size)


def _solved(mlps, inputs) -> np.ndarray:
    return np.asarray(_map(lambda mlp, z: mlp.solve(z), mlps, inputs))


def _gaps(mlps, inputs) -> np.ndarray:
    return np.asarray(_map(lambda mlp, z: mlp.gap(z), mlps, inputs))


@eqx.filter_jit
def _map(function, mlps, inputs):
    return eqx.filter_vmap(function)(mlps, inputs)


class Steep(NamedTuple):
    """One unit at GELU's steepest place, x = √2, on both sides.

    - `states` (n,), `inverse` (n,): y, and the a = y − F(y) that leads to it.
    - `slope`: the largest of F.
    """

    states: np.ndarray
    inverse: np.ndarray
    slope: float

    @property
    def solutions(self) -> int:
        """How many y have the a of y = √2."""
        level = np.interp(np.sqrt(2), self.states, self.inverse)
        above = self.inverse > level
        return int(np.sum(above[1:] != above[:-1]))


@wide
def steep(run, bound: float) -> Steep:
    """F of one unit with weights beyond the bound, whose biases make it as steep as can be."""
    made = IMLP(1, 1, n_iter=1, bound=bound, key=jax.random.key(0))
    root = np.sqrt(2)
    steepest = float(jax.nn.gelu(root, approximate=False))
    made = eqx.tree_at(
        lambda m: (m.up.weight, m.up.bias, m.inner.weight, m.inner.bias, m.outer.weight),
        made,
        tuple(map(jnp.asarray, ([[1.0]], [0.0], [[2.0]], [root - bound * steepest], [[2.0]]))),
    )
    states = jnp.linspace(root - 3, root + 3, 6001)

    # One iteration from y = a is a + F(a).
    def residual(y):
        return made.solve(y[None])[0] - y

    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(residual)))(states)
    return Steep(np.asarray(states), np.asarray(states - values), float(jnp.max(slopes)))


class Norms(NamedTuple):
    """|Ŵ|/c of drawn matrices, by exact singular values.

    - `above`: with the norm from above, as attrax has it.
    - `power`: with eight steps of power iteration from a random start, as first published.
    """

    above: np.ndarray
    power: np.ndarray


@wide
def norms(run, bound: float = PUBLISHED) -> Norms:
    """Square and other matrices of normal entries, 8 to 128 rows."""
    rng, found = np.random.default_rng(run.seed), []
    shrink = jax.jit(soft_spectral_normalise, static_argnums=1)
    for shape in ((8, 8), (40, 20), (64, 64), (128, 64)):
        for _ in range(run.pick("norms.draws", quick=5, full=25)):
            matrix = rng.normal(size=shape)
            exact, v = np.linalg.norm(matrix, 2), rng.normal(size=shape[1])
            for _ in range(8):
                u = matrix @ (v / np.linalg.norm(v))
                v = matrix.T @ (u / np.linalg.norm(u))
            above = np.linalg.norm(np.asarray(shrink(matrix, bound)), 2)
            found.append((above / bound, exact / np.linalg.norm(v)))
    return Norms(*np.array(found).T)


@wide
def gradients(run, iterations: int = 200) -> np.ndarray:
    """Implicit gradients less unrolled ones over the largest entry, by drawn iMLP."""
    draws = run.pick("gradients.draws", quick=20, full=200)
    inputs = jnp.asarray(np.random.default_rng(run.seed).normal(size=(draws, SIZE)))
    one, other = (_slopes(drawn(run.seed, draws, n), inputs) for n in (_REST, iterations))
    return np.abs(one - other).max(1) / np.abs(other).max(1)


def _slopes(mlps, inputs) -> np.ndarray:
    def loss(mlp, z):
        return jnp.sum(jnp.sin(mlp(z)))

    found = eqx.filter(_map(eqx.filter_grad(loss), mlps, inputs), eqx.is_inexact_array)
    leaves = (np.asarray(leaf) for leaf in jax.tree.leaves(found))
    return np.concatenate([leaf.reshape(len(leaf), -1) for leaf in leaves], axis=1)


@wide
def without_iterations(run, n_iter: int = 0) -> float:
    """An iMixer block less a Mixer block of the same weights, over the largest entry."""
    (tokens, channels), key = _TABLE, jax.random.key(run.seed)
    block = IMixer(tokens, channels, n_iter=n_iter, key=key)
    mlp = block.token_mixing.mlp
    plain = eqx.tree_at(
        lambda m: (m.token_mixing.inner, m.token_mixing.outer, m.channel_mixing),
        HopfieldMixer(tokens, channels, tied=False, activation="gelu", key=key),
        (mlp.up, mlp.down, block.channel_mixing),
    )
    tables = jnp.asarray(np.random.default_rng(run.seed).normal(size=(50, *_TABLE)))
    one, other = (jax.jit(jax.vmap(each))(tables) for each in (block, plain))
    return float(jnp.max(jnp.abs(one - other)) / jnp.max(jnp.abs(other)))


def tied_layer(seed: int) -> ImplicitMixing:
    """A tied layer with ReLU, whose inner weights are at the bound."""
    made = ImplicitMixing(
        *_TABLE,
        10,
        2,
        n_iter=_REST,
        bound=PUBLISHED,
        tied=True,
        activation="relu",
        key=jax.random.key(seed),
    )
    return eqx.tree_at(lambda m: m.mlp.inner.weight, made, 5 * made.mlp.inner.weight)


@wide
def flow(run, step: float = 0.005, steps: int = 1000) -> Descent:
    """The network of three layers by Euler's method, its hidden layer 20 times as fast."""
    network = tied_layer(run.seed).network(tau=0.05)
    starts = draw_states(network, run.pick("flow.starts", quick=8, full=32), run.seed)
    return record_energies(network, starts, step, steps)


@wide
def walks(run, lengths: tuple[float, ...] = (0.05, 1.0, 100.0)) -> np.ndarray:
    """Energies along steps of the tied layer without decay, (lengths, runs, steps + 1)."""
    made, steps = tied_layer(run.seed), 30
    runs = run.pick("walks.runs", quick=10, full=50)
    starts = jnp.asarray(np.random.default_rng(run.seed).normal(size=(runs, *_TABLE)))

    @jax.jit
    def walk(starts, length):
        def one(start):
            def advance(x, _):
                return x + length * (made(x) - x), made.energy(x)

            return jax.lax.scan(advance, start, length=steps)[1]

        return jax.vmap(one)(starts)

    return np.array([walk(starts, length) for length in lengths])


def rises(energies: np.ndarray) -> np.ndarray:
    """The largest rise in one step of each run, over the largest energy of the run."""
    return np.maximum(np.diff(energies, axis=-1).max(-1), 0) / np.abs(energies).max(-1)


def digits(run, n_iter: int) -> Learnt:
    """Classifiers of digits: untied blocks with r = 2 and c = 0.9, as published.

    They are trained in the full profile alone: a few cannot tell differences of a point.
    """
    members = run.pick("digits.members", quick=0, full=10)
    if not members:
        raise NotRun("needs 10 classifiers of each kind: attrax reproduce imixer --profile full")
    block = functools.partial(IMixer, channel_width=64, ratio=2, n_iter=n_iter, bound=PUBLISHED)
    return learn_digits(
        run.load,
        block,
        members=members,
        depth=2,
        channels=32,
        steps=run.pick("digits.steps", quick=300, full=600),
        seed=run.seed,
    )
