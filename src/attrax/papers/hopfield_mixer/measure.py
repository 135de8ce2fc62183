"""Steps of mixing layers and of their networks, energies along them, and digits."""

import functools
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from attrax.evaluate import Descent, draw_states, record_energies
from attrax.hierarchical import LayerNorm, MixingSynapse, SeparationLagrangian
from attrax.nn import HopfieldMixer, MixingLayer
from attrax.separation import Power

from ..contract import NotRun, wide
from ..mixers import Learnt, learn_digits

UNITS, HIDDEN = 10, 30
# So small that it is lost beside every sum of squares: layer norm without ε.
EXACT = 1e-30
LENGTHS, SCALES = (0.05, 1.0, 100.0), (0.1, 1.0, 10.0)
_TABLE, _WIDTH = (12, 8), 20


def layer(axis: str, activation: str, seed: int, *, epsilon: float = 1e-5) -> MixingLayer:
    """A tied layer with a drawn gain, shift and weights."""
    rng, (tokens, channels) = np.random.default_rng(seed), _TABLE
    made = MixingLayer(
        tokens,
        channels,
        _WIDTH,
        axis=axis,  # pyright: ignore[reportArgumentType]
        activation=activation,  # pyright: ignore[reportArgumentType]
        key=jax.random.key(seed),
    )
    shift = rng.normal(size=channels)
    norm = LayerNorm(float(rng.uniform(0.5, 2)), shift, axis=-1, epsilon=epsilon)
    return eqx.tree_at(lambda m: m.norm, made, norm)


def layer_norm(table: np.ndarray, norm: Any) -> np.ndarray:
    """Layer norm in NumPy, of each token over its channels."""
    centred = table - table.mean(-1, keepdims=True)
    spread = np.sqrt(np.mean(centred**2, -1, keepdims=True) + norm.epsilon)
    return float(norm.gamma) * centred / spread + np.asarray(norm.delta)


@wide
def differences(run, axis: str, activation: str) -> np.ndarray:
    """Largest differences of a layer from a step of its network, by drawn layer, over |step|."""
    found = []
    for i in range(run.pick("steps.layers", quick=4, full=20)):
        made = layer(axis, activation, run.seed + i)
        tables = np.random.default_rng(i).normal(size=(10, *_TABLE)) * 3
        found.append(_difference(made, made.network(), jnp.asarray(tables)))
    return np.array(found)


@eqx.filter_jit
def _difference(layer, network, tables):
    def one(x):
        step = network.pull({"visible": x})["visible"]
        return jnp.max(jnp.abs(layer(x) - x - step)) / jnp.max(jnp.abs(step))

    return jnp.max(jax.vmap(one)(tables))


@wide
def gradients(run, lagrangian=LayerNorm) -> float:
    """Largest difference of ∇L by differentiation from layer norm in NumPy."""
    rng, found = np.random.default_rng(run.seed), []
    for gain in (0.5, 1.0, 2.0):
        norm = lagrangian(gain, rng.normal(size=_TABLE[1]), axis=-1)
        tables = rng.normal(size=(20, *_TABLE)) * 3
        slopes = jax.jit(jax.vmap(jax.grad(norm.value)))(tables)
        found.append(np.abs(np.asarray(slopes) - layer_norm(tables, norm)).max())
    return float(np.max(found))


@wide
def flow(run, step: float = 0.05, steps: int = 400) -> Descent:
    """Energies of the network of channel mixing on one token, by Euler's method."""
    made = MixingLayer(1, UNITS, HIDDEN, axis="channels", key=jax.random.key(run.seed))
    network = made.network()
    starts = draw_states(network, run.pick("flow.starts", quick=16, full=64), run.seed)
    return record_energies(network, starts, step, steps)


@wide
def decay(run, epsilons: tuple[float, ...]) -> np.ndarray:
    """|∇²L x| over |∇²L u| |x|/|u| for random u, mean over states, by ε."""
    rng = np.random.default_rng(run.seed)
    states, others = jnp.asarray(rng.normal(size=(2, 200, UNITS)))

    def one(x, u, norm):
        along, across = (jax.jvp(norm.activation, (x,), (v,))[1] for v in (x, u))
        return _length(along) * _length(u) / (_length(across) * _length(x))

    norms = [LayerNorm(epsilon=epsilon) for epsilon in epsilons]
    shares = [
        jax.jit(jax.vmap(functools.partial(one, norm=norm)))(states, others) for norm in norms
    ]
    return np.array([np.mean(share) for share in shares])


def _length(x):
    return jnp.sqrt(jnp.sum(jnp.square(x)))


@wide
def walks(
    run,
    tied: bool,
    activation: str = "relu",
    length: float = 0.05,
    decay: float = 1.0,
    scale: float = 1.0,
) -> np.ndarray:
    """Energies E(x) = −Σ Φ(W LN(x)) along steps x + η (V σ(W LN(x)) − λ x), by run and step.

    V is Wᵀ or drawn by itself; W is standard normal times scale/√N.
    """
    runs, steps = run.pick("walks.runs", quick=200, full=1000), 100
    rng = np.random.default_rng(run.seed)
    up, down = scale / np.sqrt(UNITS) * rng.normal(size=(2, runs, HIDDEN, UNITS))
    down = up if tied else down
    made = MixingLayer(
        1,
        UNITS,
        HIDDEN,
        axis="channels",
        activation=activation,  # pyright: ignore[reportArgumentType]
        key=jax.random.key(0),
    )
    made = eqx.tree_at(lambda m: m.norm, made, LayerNorm(axis=-1, epsilon=EXACT))
    starts = rng.normal(size=(runs, 1, UNITS))
    # As arrays, so that one program serves them all.
    given = map(jnp.asarray, (up, down, starts, length, decay))
    return np.asarray(_walk(made, steps, *given))


@eqx.filter_jit
def _walk(made, steps, ups, downs, starts, length, decay):
    def one(up, down, start):
        layer = eqx.tree_at(lambda m: m.inner.weight, made, up)
        network = layer.network()
        hidden = network.neurons["hidden"].lagrangian

        def advance(x, _):
            active = hidden.activation(layer.norm.activation(x) @ up.T)
            return x + length * (active @ down - decay * x), layer.energy(x)

        end, energies = jax.lax.scan(advance, start, length=steps)
        return jnp.append(energies, layer.energy(end))

    return jax.vmap(one)(ups, downs, starts)


def rises(energies: np.ndarray) -> np.ndarray:
    """The largest rise in one step of each run, over the largest energy of the run."""
    return np.maximum(np.diff(energies, axis=1).max(1), 0) / np.abs(energies).max(1)


class Halves(NamedTuple):
    """Energies −Σ Φ of both halves of a block, (runs, half steps + 1, 2), from the same tables.

    - `together`: both act at once, on one visible layer.
    - `in_turn`: tokens, then channels, as a Mixer does.
    """

    together: np.ndarray
    in_turn: np.ndarray


@wide
def halves(run, steps: int = 40, tied: bool = True) -> Halves:
    """Token and channel mixing of one table, at once and in turn, with steps of length one."""
    runs = run.pick("halves.runs", quick=50, full=200)
    (tokens, channels), rng = _TABLE, np.random.default_rng(run.seed)
    norm = LayerNorm(axis=-1, epsilon=EXACT)
    relu = SeparationLagrangian(Power(1, rectified=True))
    weights = [rng.normal(size=(2, runs, _WIDTH, n)) / np.sqrt(n) for n in (tokens, channels)]
    starts = jnp.asarray(rng.normal(size=(runs, *_TABLE)))

    @jax.jit
    @jax.vmap
    def one(start, ups, downs):
        synapses = [MixingSynapse(up, axis) for axis, up in enumerate(ups)]
        back = [MixingSynapse(down, axis) for axis, down in enumerate(downs)]

        def active(synapse, x):
            shape = [*_TABLE]
            shape[synapse.axis] = _WIDTH
            seen = norm.activation(x)
            return jax.grad(lambda f: -synapse(seen, f))(jnp.zeros(shape))

        def pull(half, x):
            f = relu.activation(active(synapses[half], x))
            return jax.grad(lambda g: -back[half](g, f))(jnp.zeros(_TABLE))

        def energies(x):
            return jnp.stack([-relu.value(active(synapse, x)) for synapse in synapses])

        def at_once(x, _):
            return x + pull(0, x) + pull(1, x), energies(x)

        def in_turn(x, _):
            half = x + pull(0, x)
            return half + pull(1, half), jnp.stack([energies(x), energies(half)])

        together = jax.lax.scan(at_once, start, length=steps)[1]
        turns = jax.lax.scan(in_turn, start, length=steps)[1]
        return together, turns.reshape(-1, 2)

    ups = tuple(jnp.asarray(w[0]) for w in weights)
    downs = ups if tied else tuple(jnp.asarray(w[1]) for w in weights)
    return Halves(*map(np.asarray, one(starts, ups, downs)))


def digits(run, tied: bool) -> Learnt:
    """Classifiers of digits: 4 blocks of 32 channels, tied ReLU, or untied GELU as in MLP-Mixer.

    Untied ones are trained in the full profile alone: a few cannot tell differences of a point.
    """
    name, quick = ("digits.tied", 5) if tied else ("digits.untied", 0)
    members = run.pick(name, quick=quick, full=8)
    if not members:
        raise NotRun(
            "needs 8 classifiers of each kind: attrax reproduce hopfield-mixer --profile full"
        )
    block = functools.partial(
        HopfieldMixer, channel_width=64, tied=tied, activation="relu" if tied else "gelu"
    )
    return learn_digits(
        run.load,
        block,
        members=members,
        depth=4,
        channels=32,
        steps=run.pick("digits.steps", quick=600, full=800),
        seed=run.seed,
    )


def alignment(learnt: Learnt) -> float:
    """The mean cosine between weights down and transposed weights up of trained, untied layers."""
    found = []
    for half in (learnt.models.blocks.token_mixing, learnt.models.blocks.channel_mixing):
        up, down = np.asarray(half.inner.weight), np.swapaxes(np.asarray(half.outer.weight), -1, -2)
        lengths = np.linalg.norm(up, axis=(-2, -1)) * np.linalg.norm(down, axis=(-2, -1))
        found.append(np.sum(up * down, axis=(-2, -1)) / lengths)
    return float(np.mean(found))
