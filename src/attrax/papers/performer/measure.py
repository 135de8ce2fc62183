"""Kernels and reads estimated by drawn features, causal reads, and what reads cost."""

import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from attrax import theory
from attrax.nn import LinearAttentionState, causal_linear_attention, linear_attention
from attrax.similarity import RectifiedFeatures, SoftmaxFeatures, random_directions

from ..contract import NotRun

KINDS = ("positive", "hyperbolic", "trigonometric")
D, GROUPS = 16, 20
# Angles between x and y of squared length ½; the last pair is of length 1, at a right angle.
ANGLES = (0, 30, 60, 90, 120, 150, 180)
SQUARES = np.array([1.0] * 7 + [2.0])
PRODUCTS = np.append(np.cos(np.radians(ANGLES)) / 2, 0.0)
RIGHT, OPPOSITE, UNIT = 3, 6, 7


def pairs() -> tuple[np.ndarray, np.ndarray]:
    """Both vectors of each pair, (pairs, d)."""
    angles = np.radians((*ANGLES, 90))
    length = np.sqrt(SQUARES / 2)[:, None]
    axes = np.eye(2, D)
    return length * axes[:1], length * (
        np.cos(angles)[:, None] * axes[:1] + np.sin(angles)[:, None] * axes[1:]
    )


@eqx.filter_jit
def draw(keys, x, y, count, orthogonal, lengths):
    """Estimates of exp(x·y), (draws, kinds, pairs)."""

    def one(key):
        # The same directions for all kinds.
        drawn = random_directions(count, D, orthogonal=orthogonal, lengths=lengths, key=key)

        def estimate(kind):
            features = SoftmaxFeatures(D, count, 1.0, kind, orthogonal=False, key=key)
            features = eqx.tree_at(lambda part: part.directions, features, drawn)
            return jnp.sum(jax.vmap(features)(x) * jax.vmap(features)(y), axis=1)

        return jnp.stack([estimate(kind) for kind in KINDS])

    return jax.lax.map(one, keys, batch_size=500)


class Estimates(NamedTuple):
    """Estimates over the kernel exp(x·y), (draws, kinds, pairs), by one number of directions."""

    count: int
    ratios: np.ndarray

    def of(self, kind: str, pair: int) -> np.ndarray:
        """Of a kind and a pair, in groups of draws."""
        return self.ratios[:, KINDS.index(kind), pair].reshape(GROUPS, -1)

    def bias(self, kind: str, pair: int) -> np.ndarray:
        """How far the mean is off, in units of the kernel, by group."""
        return self.of(kind, pair).mean(1) - 1

    def error(self, kind: str, pair: int) -> np.ndarray:
        """The mean squared error, in units of the kernel's square, by group."""
        return np.square(self.of(kind, pair) - 1).mean(1)


def estimates(run, count: int, orthogonal: bool, lengths: str = "normal") -> Estimates:
    """Drawn features of all pairs."""
    # Of fewer directions there are more: errors vary as much.
    draws = run.pick("draws", quick=24_000, full=80_000) * 64 // count
    keys = jax.random.split(jax.random.fold_in(jax.random.key(run.seed), count), draws)
    x, y = (jnp.asarray(rows, jnp.float32) for rows in pairs())
    found = draw(keys, x, y, count, orthogonal, lengths)
    return Estimates(count, np.asarray(found, float) / np.exp(PRODUCTS))


def formula(kind: str, pair: int, count: int, orthogonal: bool = False) -> float:
    """The mean squared error of theory, in units of the kernel's square."""
    given = float(PRODUCTS[pair]), float(SQUARES[pair]), count
    if orthogonal:
        error = theory.orthogonal_feature_error(*given, D, kind)
    else:
        error = theory.softmax_feature_error(*given, kind)
    return float(error) / math.exp(2 * given[0])


def constant_length_kernel(pair: int) -> float:
    """E exp(ω·z) of |ω| = √d, over exp(½z²): ₀F₁(d/2; d z²/4) exp(−½z²)."""
    square = SQUARES[pair] + 2 * PRODUCTS[pair]
    powers = np.arange(60)
    rising = np.cumsum(np.log(np.append(1.0, D / 2 + powers[:-1])))
    terms = powers * math.log(D * square / 4) - rising
    terms -= np.array([math.lgamma(k + 1) for k in powers])
    return float(np.exp(terms).sum() * math.exp(-square / 2))


@eqx.filter_jit
def read_errors(keys, rows, size, count, orthogonal):
    """Squared errors of reads over their square, by draw of the directions."""
    queries, stored, values = rows[0] * size, rows[1] * size, rows[2]
    exact = jax.nn.softmax(queries @ stored.T * D**-0.5) @ values

    def one(key):
        features = SoftmaxFeatures(D, count, D**-0.5, orthogonal=orthogonal, key=key)
        found = linear_attention(queries, stored, values, features)
        return jnp.mean(jnp.square(found - exact)) / jnp.mean(jnp.square(exact))

    return jax.lax.map(one, keys)


class Reads(NamedTuple):
    """Errors of reads by number of directions, (counts, draws): independent and orthogonal."""

    counts: tuple[int, ...]
    independent: np.ndarray
    orthogonal: np.ndarray


def reads(run, size: float) -> Reads:
    """Of normal queries and keys, times a size, and normal values, the same in all draws."""
    length = run.pick("reads.tokens", quick=256, full=2048)
    draws = run.pick("reads.draws", quick=96, full=96)
    counts = run.pick("reads.directions", quick=(16, 512), full=(16, 64, 256, 512))
    rng = np.random.default_rng(run.seed)
    rows = jnp.asarray(rng.normal(size=(3, length, D)), jnp.float32)
    scale = jnp.asarray(size, jnp.float32)
    keys = jax.random.split(jax.random.key(run.seed), draws)
    errors = [
        [np.asarray(read_errors(keys, rows, scale, count, orthogonal)) for count in counts]
        for orthogonal in (False, True)
    ]
    return Reads(counts, *(np.array(each, float) for each in errors))


class Causal(NamedTuple):
    """Largest differences from the table of all tokens, over the largest output."""

    chunks: float
    steps: float


def causal(run) -> Causal:
    """Reads of chunks, and token by token, by positive and by rectified features."""
    length, key = 300, jax.random.key(run.seed)
    maps = SoftmaxFeatures(D, 64, 0.25, key=key), RectifiedFeatures(D, 64, key=key)
    rows = np.random.default_rng(run.seed).normal(size=(3, length, D)).astype(np.float32)
    chunked, stepped = [], []
    q, k, v = (jnp.asarray(part) for part in rows)
    for features in maps:
        asked, stored = (np.asarray(jax.vmap(features)(x), float) for x in (q, k))
        table = np.tril(asked @ stored.T)
        exact = table @ rows[2] / table.sum(1, keepdims=True)
        largest = np.abs(exact).max()
        found, _ = causal_linear_attention(q, k, v, features, chunk=64)
        chunked.append(np.abs(found - exact).max() / largest)

        def one(state, token, features=features):
            q, k, v = (part[None] for part in token)
            output, state = causal_linear_attention(q, k, v, features, state=state)
            return state, output[0]

        start = LinearAttentionState.empty(features.size, D)
        _, found = jax.lax.scan(one, start, (q, k, v))
        stepped.append(np.abs(found - exact).max() / largest)
    return Causal(max(chunked), max(stepped))


class Large(NamedTuple):
    """Shares of reads that are zero, beyond all values or not finite, by size of the tokens."""

    sizes: tuple[int, ...]
    every: np.ndarray
    causal: np.ndarray


def large_scores(run) -> Large:
    """Reads in half precision of normal queries and keys, times a size."""
    rows = np.random.default_rng(run.seed).normal(size=(3, 200, D)).astype(np.float16)
    features = SoftmaxFeatures(D, 256, D**-0.5, key=jax.random.key(run.seed))
    largest = 1.001 * np.abs(rows[2]).max()

    def wrong(found):
        found = np.abs(np.asarray(found, float))
        return np.mean(~(found <= largest).all(1) | (found == 0).all(1))

    sizes, every, causal = (1, 10, 100, 1000), [], []
    for size in sizes:
        queries, keys = (rows[i] * np.float16(size) for i in (0, 1))
        every.append(wrong(linear_attention(queries, keys, rows[2], features)))
        causal.append(wrong(causal_linear_attention(queries, keys, rows[2], features)[0]))
    return Large(sizes, np.array(every), np.array(causal))


def multiplications(program, *shapes) -> float:
    """Multiplications in the matrix products of a program, loops counted as often as they run."""
    return float(_multiplications(jax.make_jaxpr(program)(*shapes).jaxpr))


def _multiplications(jaxpr):
    total = 0
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            ((contracted, _), _) = equation.params["dimension_numbers"]
            inner = math.prod(equation.invars[0].aval.shape[axis] for axis in contracted)
            total += inner * math.prod(equation.outvars[0].aval.shape)
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            if isinstance(inner, type(jaxpr)):
                total += equation.params.get("length", 1) * _multiplications(inner)
    return total


class Costs(NamedTuple):
    """Multiplications by length, of reads by features, causal ones and exact ones."""

    lengths: tuple[int, ...]
    every: np.ndarray
    causal: np.ndarray
    exact: np.ndarray


def attend(queries, keys, values):
    """Exact attention of one head."""
    heads = (part[:, None] for part in (queries, keys, values))
    return jax.nn.dot_product_attention(*heads)[:, 0]


def costs(run) -> Costs:
    """d = 64, 256 directions."""
    features = SoftmaxFeatures(64, 256, 0.125, key=jax.random.key(0))
    lengths = tuple(2**k for k in range(10, 16))
    programs = (
        lambda q, k, v: linear_attention(q, k, v, features),
        lambda q, k, v: causal_linear_attention(q, k, v, features)[0],
        attend,
    )
    shapes = [[jax.ShapeDtypeStruct((length, 64), jnp.float32)] * 3 for length in lengths]
    counts = [[multiplications(program, *rows) for rows in shapes] for program in programs]
    return Costs(lengths, *(np.array(count) for count in counts))


class Memories(NamedTuple):
    """Bytes beside arguments and results that a gradient takes, by length."""

    lengths: tuple[int, ...]
    causal: np.ndarray
    exact: np.ndarray


def memories(run) -> Memories:
    """Gradients of a sum of causal reads, compiled and not run, d = 64 and 256 directions."""
    features = SoftmaxFeatures(64, 256, 0.125, key=jax.random.key(0))
    lengths = (2048, 4096, 8192)

    def size(read, length):
        rows = [jax.ShapeDtypeStruct((length, 64), jnp.float32)] * 3
        slopes = jax.grad(lambda *rows: jnp.sum(jnp.sin(read(*rows))), argnums=(0, 1, 2))
        analysis = jax.jit(slopes).lower(*rows).compile().memory_analysis()
        if analysis is None:
            raise NotRun("needs a compiler that tells how much memory programs take, as on a CPU")
        return analysis.temp_size_in_bytes

    programs = (lambda q, k, v: causal_linear_attention(q, k, v, features)[0], attend)
    sizes = [[size(program, length) for length in lengths] for program in programs]
    return Memories(lengths, *(np.array(each, float) for each in sizes))


class Tables(NamedTuple):
    """Attention of 48 tokens: exact, by positive and by trigonometric features."""

    exact: np.ndarray
    positive: np.ndarray
    trigonometric: np.ndarray


def tables(run) -> Tables:
    """Tokens along a curve with returns, 256 directions."""
    rng = np.random.default_rng(run.seed)
    places = np.cumsum(rng.normal(size=(48, D)), axis=0)
    places = (places - places.mean(0)) / places.std()
    rows = jnp.asarray(places, jnp.float32)
    shown = [np.asarray(jax.nn.softmax(rows @ rows.T * D**-0.5))]
    for kind in ("positive", "trigonometric"):
        features = SoftmaxFeatures(D, 256, D**-0.5, kind, key=jax.random.key(run.seed))
        scores = np.asarray(jax.vmap(features)(rows) @ jax.vmap(features)(rows).T)
        shown.append(scores / scores.sum(1, keepdims=True))
    return Tables(*shown)
