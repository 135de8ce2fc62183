"""What Krotov and Hopfield's theory says of its models, measured."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..dynamics import Euler
from ..hierarchical import HierarchicalMemory
from ..models import (
    binary_dense_memory,
    effective_energy,
    graded_network,
    log_sum_exp_memory,
    spherical_memory,
)
from ..retrieval import retrieve
from ..spaces import AbstractSpace
from .krotov_hopfield_2020_energy import (
    Descent,
    Rates,
    descend,
    drawing,
    drawn_states,
    rates,
    velocity,
    weights_of,
)
from .krotov_hopfield_2020_limit import Limit, limit

FEATURES, MEMORIES = 40, 12
TAU, STEP = 0.2, 1e-3
TAUS = (1.0, 0.1, 0.01, 0.001)
GAIN = 2.0
# The length of the memories, so that in every model what drives a feature is of the order of its
# state: then no rate is much faster than 1/τ_f, and neither is τ_h = 0.1 slow.
_LENGTHS = {"A": 1.0, "A′": 1.5, "B": 3.0, "C": 2.0}


def network(name: str, seed: int, tau: float = TAU, **options: Any) -> HierarchicalMemory:
    """Model A, A′, B or C with random memories and a constant input."""
    rng = np.random.default_rng([seed, 0])
    rows = rng.standard_normal((MEMORIES, FEATURES)) * (_LENGTHS[name] / np.sqrt(FEATURES))
    options = {"tau": tau, "input": 0.3 * rng.standard_normal(FEATURES), **options}
    if name == "A":
        return binary_dense_memory(rows, gain=GAIN, **options)
    make = {"A′": graded_network, "B": log_sum_exp_memory, "C": spherical_memory}[name]
    return make(rows, **options)


MODELS = ("A", "A′", "B", "C")
DECAYS = (0.0, 0.3, 1.0)


class Model(NamedTuple):
    """All that is measured of one model."""

    descent: Descent
    rates: Rates
    limit: Limit
    effective: float


def examined(name: str, starts: int, points: int, steps: int, seed: int) -> Model:
    """Descent, rate of the energy, effective theory and effective energy of one model."""
    rng = drawing(seed)
    whole, fast = network(name, seed), network(name, seed, tau=0.0)
    every = drawn_states(whole, points, rng)
    return Model(
        descend(whole, drawn_states(whole, starts, rng), STEP, steps),
        rates(whole, every),
        limit(whole, fast, drawn_states(fast, min(starts, 8), rng), TAUS, 5.0, 5000),
        _effective(name, whole, fast, every["feature"]),
    )


def _effective(name, whole, fast, points) -> float:
    """The largest relative difference of the effective energy from the formula of the table."""

    @eqx.filter_jit
    def both(whole, fast, points):
        ours = jax.vmap(lambda v: effective_energy(whole, {"feature": v}))(points)
        return ours, jax.vmap(lambda v: fast.energy({"feature": v}))(points)

    v, rows = np.asarray(points), weights_of(whole)[0]
    expected = FORMULAS[name](v, rows, np.asarray(whole.neurons["feature"].input))
    return max(
        float(np.max(np.abs(np.asarray(found) - expected) / np.maximum(np.abs(expected), 1)))
        for found in both(whole, fast, points)
    )


def _graded(v, rows, drive):
    """Hopfield's energy of 1984, with the integral of the inverse activation in closed form."""
    g = np.tanh(v)
    # ∫₀^g arctanh, written so that nothing is lost where g is next to ±1.
    inverse = 0.5 * ((1 + g) * np.log1p(g) + (1 - g) * np.log1p(-g))
    return -0.5 * np.square(g @ rows.T).sum(-1) + inverse.sum(-1) - g @ drive


def _dense(v, rows, drive):
    """F(h) = max(h, 0)³/3 of smooth features, whose own energy stays beside it."""
    g = np.tanh(GAIN * v)
    own = (v * g - np.log(np.cosh(GAIN * v)) / GAIN).sum(-1)
    return own - g @ drive - (np.maximum(g @ rows.T, 0) ** 3).sum(-1) / 3


def _log_sum_exp(v, rows, drive):
    return 0.5 * np.square(v).sum(-1) - v @ drive - np.log(np.exp(v @ rows.T).sum(-1))


def _spherical(v, rows, drive):
    g = v / np.linalg.norm(v, axis=-1, keepdims=True)
    return -np.exp(g @ rows.T).sum(-1) - g @ drive


FORMULAS: dict[str, Callable] = {
    "A": _dense,
    "A′": _graded,
    "B": _log_sum_exp,
    "C": _spherical,
}


class FreeDecay(AbstractSpace):
    """A model in which the visible layer decays by α v, whatever its network says.

    - `model`: the network's, whose visible layer is the slowest.
    - `layer`: the name of the visible layer.
    - `decay`: α.
    """

    model: Any
    layer: str = eqx.field(static=True)
    decay: Any

    @property
    def initial(self):
        """As of the model."""
        return self.model.initial

    @property
    def lacks_energy(self):
        """As of the model."""
        return self.model.lacks_energy

    def pull(self, states):
        """The model's, with (1 − α) v more in the visible layer."""
        pulled, state = self.model.pull(states), states[self.layer]
        return {**pulled, self.layer: pulled[self.layer] + (1 - self.decay) * state}

    def energy(self, states):
        """The model's: along v it does not change."""
        return self.model.energy(states)

    def answer(self, state, origin):
        """As of the model."""
        return self.model.answer(state, origin)

    def record(self, path):
        """As of the model."""
        return self.model.record(path)


class Decays(NamedTuple):
    """Model C under several decays.

    - `descents`: one for each decay.
    - `apart`: the largest difference, at random states, of energy and velocity of a network
      built with a decay from those of one whose decay is changed.
    """

    descents: tuple[Descent, ...]
    apart: float


def decays(starts: int, steps: int, seed: int) -> Decays:
    """Run model C with every decay from the same starts."""
    plain = network("C", seed)
    states = drawn_states(plain, starts, drawing(seed))
    found = tuple(
        descend(
            plain,
            states,
            STEP,
            steps,
            eqx.Partial(FreeDecay, layer="feature", decay=jnp.asarray(decay)),
            every=10,
        )
        for decay in DECAYS
    )
    return Decays(found, _built(plain, network("C", seed, decay=DECAYS[1]), states))


@eqx.filter_jit
def _differences(plain, built, states):
    def one(states):
        model = FreeDecay(plain.space(states["feature"]), "feature", jnp.asarray(DECAYS[1]))
        pulled = model.pull(states)
        # The model's time is in units of the features' τ_f for all layers.
        changed = {name: pulled[name] - state for name, state in states.items()}
        own = velocity(built, states)
        apart = [jnp.max(jnp.abs(changed[name] - own[name])) for name in states]
        return jnp.max(jnp.stack([*apart, jnp.abs(plain.energy(states) - built.energy(states))]))

    return jax.vmap(one)(states)


def _built(plain, built, states) -> float:
    return float(np.max(_differences(plain, built, states)))


def attention(count: int, seed: int) -> float:
    """The largest difference of one Euler step, dt = τ_f, from softmax attention in NumPy."""
    memory = network("B", seed, tau=0.0, input=None)
    queries = drawing(seed).standard_normal((count, FEATURES))
    found = retrieve(memory, queries, Euler(1.0, max_steps=1)).state
    rows = weights_of(memory)[0]
    scores = queries @ rows.T
    weights = np.exp(scores - scores.max(1, keepdims=True))
    expected = weights / weights.sum(1, keepdims=True) @ rows
    return float(np.max(np.abs(np.asarray(found) - expected)))


def forms(starts: int, steps: int, seed: int) -> float:
    """How much the difference of the two energies of A′ varies along trajectories."""
    fast = network("A′", seed, tau=0.0)
    run = descend(fast, drawn_states(fast, starts, drawing(seed)), 10 * STEP, steps // 10)
    drive = np.asarray(fast.neurons["feature"].input)
    apart = run.energy - _graded(run.visible, weights_of(fast)[0], drive)
    return float(np.max(np.ptp(apart, axis=1)))
