"""Energies trained by their samples, the sampler, and the buffer."""

import functools
import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import attrax
from attrax import evaluate, models
from attrax.dynamics import Euler, Langevin
from attrax.nn import bound_spectral_norms, spectral_norm
from attrax.training import (
    LangevinSampler,
    ReplayBuffer,
    contrastive_energy_loss,
    train_energy,
)

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
ROWS = (0.3 + 0.1 * RNG.normal(size=(40, 3))).astype(np.float32)


class Bowl(eqx.Module):
    """½ k |x − c|²."""

    centre: jax.Array
    curvature: jax.Array = eqx.field(metadata={"positive": True})

    def __call__(self, state):
        return self.curvature * jnp.sum((state - self.centre) ** 2) / 2


BOWL = Bowl(jnp.full(3, 0.8), jnp.asarray(1.0))
SAMPLER = LangevinSampler(5, step=0.1, noise=0.05, limit=None)


def learn(model=BOWL, **options):
    options = {
        **{"steps": 30, "batch_size": 10, "sampler": SAMPLER, "every": 10},
        **{"optimizer": optax.adam(0.05, b1=0.0), "key": KEY, **options},
    }
    return train_energy(model, ROWS, **options)


def test_a_bowl_moves_to_the_data():
    calls = []
    found = learn(progress=lambda done, steps, loss: calls.append((done, steps)))
    assert calls == [(10, 30), (20, 30), (30, 30)]
    assert found.losses.shape == found.gaps.shape == (30,)
    assert np.abs(found.model.centre - 0.3).max() < 0.2 < np.abs(BOWL.centre - 0.3).max()
    assert found.gaps[0] > 0
    assert int(found.buffer.held) == 300
    again = learn()
    np.testing.assert_array_equal(again.losses, found.losses)
    cut = learn(steps=10)
    np.testing.assert_array_equal(cut.losses, found.losses[:10])


def test_a_memory_learns_likewise():
    memory = attrax.Memory(
        ROWS[:4] + 0.2,
        similarity=attrax.similarity.Euclidean(),
        separation=attrax.separation.Softmax(20.0),
    )
    rate = optax.adam(0.01, b1=0.0)
    found = learn(memory, energy=lambda m: m.energy, penalty=0.0, optimizer=rate)
    assert found.model.separation.beta != 20.0
    assert found.gaps[-10:].mean() < found.gaps[:10].mean()


def test_what_diverges_is_said():
    broken = Bowl(jnp.full(3, 1e30), jnp.asarray(1e30))
    with pytest.raises(FloatingPointError, match=r"The loss is .* at step 1 of 30"):
        learn(broken)


def test_losses_are_those_of_the_code():
    high, low = RNG.normal(size=(2, 6))
    squares = 0.7 * (np.mean(high**2) + np.mean(low**2))
    weights = np.exp(-low) / np.exp(-low).sum()
    expected = {
        "contrastive": high.mean() - low.mean(),
        "softplus": np.mean(np.log1p(np.exp(high - low))),
        "logsumexp": high.mean() - (weights * low).sum(),
    }
    for objective, value in expected.items():
        loss = functools.partial(contrastive_energy_loss, objective=objective)
        np.testing.assert_allclose(loss(high, low, penalty=0.7), value + squares, rtol=1e-5)
    slope = jax.grad(lambda x: contrastive_energy_loss(high, x, objective="logsumexp", penalty=0.0))
    np.testing.assert_allclose(slope(jnp.asarray(low, jnp.float32)), -weights, rtol=1e-5)
    assert np.isnan(contrastive_energy_loss(np.array([np.nan, 1.0]), low))


def test_steps_are_clipped_and_nan_stays():
    sampler = LangevinSampler(1, step=1.0, noise=0.0, limit=0.1, bounds=(0.0, 0.5))
    starts = np.array([[0.0, 0.45, 0.9], [np.nan, 0.3, 0.2]], np.float32)
    found = np.asarray(sampler(lambda x: -jnp.sum(x), starts, key=KEY))
    np.testing.assert_allclose(found, [[0.1, 0.5, 0.5], [np.nan, 0.4, 0.3]], rtol=1e-6)
    kept = sampler(lambda x: -jnp.sum(x), starts, known=np.arange(3) != 1, key=KEY)
    np.testing.assert_allclose(kept, [[0.0, 0.5, 0.9], [np.nan, 0.4, 0.2]], rtol=1e-6)
    assert sampler.temperature == 0
    np.testing.assert_allclose(SAMPLER.temperature, 0.0125, rtol=1e-6)


@eqx.filter_jit
def write(buffer, rows):
    return buffer.write(rows)


@eqx.filter_jit
def draw(buffer, count):
    return buffer.sample(count, key=KEY)


@pytest.mark.parametrize("quantised", [False, True])
def test_a_buffer_keeps_the_newest(quantised):
    buffer = ReplayBuffer(5, 2, restart=0.0, quantised=quantised)
    rows = np.linspace(0, 1, 16, dtype=np.float32).reshape(8, 2)
    first = write(buffer, rows[:3])
    assert (int(first.held), first.capacity, int(buffer.held)) == (3, 5, 0)
    full = write(write(first, rows[3:6]), rows[6:])
    assert int(full.held) == 5
    drawn = np.asarray(draw(full, 200))
    near = np.abs(drawn[:, None] - rows).max(-1)
    assert set(near.argmin(1)) == {3, 4, 5, 6, 7}
    error = near.min(1).max()
    assert 0 < error < 1 / 128 if quantised else error == 0
    assert (full.states.dtype == jnp.uint8) == quantised


def test_a_buffer_counts_without_end():
    buffer = ReplayBuffer(3, 1, restart=0.0)
    late = eqx.tree_at(lambda b: b.written, buffer, jnp.asarray(5, jnp.int32))
    for value in range(7):
        late = write(late, np.full((1, 1), value, np.float32))
    assert int(late.written) < 6
    assert sorted(np.asarray(late.states)[:, 0]) == [4, 5, 6]


def test_starts_are_noise_where_nothing_is_held_and_now_and_then():
    empty = draw(ReplayBuffer(5, 2, bounds=(-1.0, 3.0), restart=0.0), 2000)
    assert -1 <= empty.min() < -0.9
    assert 2.9 < empty.max() <= 3
    held = draw(write(ReplayBuffer(5, 2, restart=0.25), np.full((3, 2), 0.5, np.float32)), 2000)
    assert np.mean(np.any(np.asarray(held) != 0.5, axis=1)) == pytest.approx(0.25, abs=0.03)


def test_an_energy_is_a_memory_of_every_dynamics():
    model = models.energy_model(BOWL, 3)
    known = np.array([True, False, False])
    found = attrax.retrieve(model, ROWS[:2], Euler(0.5), known=known)
    np.testing.assert_allclose(found.state[:, 1:], 0.8, atol=1e-3)
    np.testing.assert_array_equal(found.state[:, 0], ROWS[:2, 0])
    values = jax.vmap(lambda x: model.energy({"x": x}))(jnp.asarray(ROWS))
    np.testing.assert_allclose(values, jax.vmap(BOWL)(ROWS), rtol=1e-4, atol=1e-6)
    # The printed step, noise after the slope, with the noise taken away.
    cold = Langevin(0.0, step=0.1, steps=5, adjusted=False)
    still = LangevinSampler(5, step=0.1, noise=0.0, limit=None, bounds=None)
    ours = still(BOWL, ROWS[:2], key=KEY)
    theirs = attrax.retrieve(model, ROWS[:2], cold, key=KEY).state
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    assert models.energy_model(jnp.sum, 3).synapses[0].label == "sum"


def test_energies_add_up():
    both = models.EnergySum([BOWL, jnp.sum], np.array([2.0, -1.0]))
    expected = 2 * BOWL(ROWS[0]) - ROWS[0].sum()
    np.testing.assert_allclose(eqx.filter_jit(both)(ROWS[0]), expected, rtol=1e-5)


def test_areas_are_shares_of_pairs():
    low, high = RNG.integers(0, 6, (2, 30))
    pairs = np.sign(high[:, None] - low) / 2 + 0.5
    np.testing.assert_allclose(evaluate.auroc(low, high), pairs.mean(), rtol=1e-5)
    assert evaluate.auroc(np.zeros(3), np.ones(30)) == 1
    assert np.isnan(evaluate.auroc(np.full(30, np.nan), high))


def test_all_matrices_are_bounded_and_others_kept():
    module = {"w": jnp.asarray(RNG.normal(size=(4, 6)), jnp.float32), "b": jnp.full(4, 9.0), "n": 3}
    found = bound_spectral_norms(module, 0.5)
    assert 0.49 < spectral_norm(found["w"]) <= 0.5001
    np.testing.assert_array_equal(found["b"], module["b"])
    assert found["n"] == 3


SETTING = """
import attrax, equinox as eqx, jax, jax.numpy as jnp, numpy as np
from attrax import evaluate, hierarchical, models, nn
from attrax.training import *
KEY, ROWS = jax.random.key(0), np.zeros((5, 3))
NET = eqx.nn.MLP(3, "scalar", 4, 1, key=KEY)
"""
CASES = {
    "train_energy(NET, ROWS, steps=0, key=KEY)": "ValueError: `steps` must be a positive whole",
    "train_energy(NET, ROWS, steps=2, key=0)": "TypeError: `key` must be one key, such as",
    "train_energy(eqx.nn.MLP(3, 2, 4, 1, key=KEY), ROWS, steps=2, key=KEY)": (
        r"ValueError: `energy` must map a state \(3,\) to one floating-point number, but it gives "
        r"float32 \(2,\)"
    ),
    "train_energy(NET, ROWS, steps=2, key=KEY, sampler=LangevinSampler(bounds=None))": (
        "ValueError: `buffer` must be given where the sampler has no bounds"
    ),
    "train_energy(NET, ROWS, steps=2, key=KEY, buffer=ReplayBuffer(9, 3))": (
        "ValueError: `buffer` must hold at least 128 samples of 3 entries"
    ),
    "train_energy(NET, ROWS, steps=2, key=KEY, buffer=[])": "TypeError: `buffer` must be a Replay",
    "train_energy(NET, ROWS, steps=2, key=KEY, sampler=3)": "TypeError: `sampler` must be a Lange",
    "train_energy(NET, ROWS, steps=2, key=KEY, objective='ml')": (
        "ValueError: `objective` must be one of 'contrastive', 'softplus', 'logsumexp'"
    ),
    "LangevinSampler(step=-1.0)": "ValueError: `step` must be positive",
    "LangevinSampler(bounds=(1.0, 0.0))": "ValueError: `bounds` must rise, but are 1 and 0",
    "LangevinSampler(bounds=2)": "TypeError: `bounds` must be a pair of numbers",
    "LangevinSampler()(jnp.sum, ROWS, known=np.ones(2, bool), key=KEY)": (
        r"ValueError: `known` must have shape \(3,\)"
    ),
    "LangevinSampler()('x', ROWS, key=KEY)": "TypeError: `energy` must be a function",
    "ReplayBuffer(9, 3, restart=2.0)": "ValueError: `restart` must be between 0 and 1",
    "ReplayBuffer(9, 3, bounds=(0.0, np.inf))": "ValueError: `bounds` must be finite",
    "ReplayBuffer(4, 3).write(ROWS)": "ValueError: `samples` must be 1 to 4 rows of 3 entries",
    "contrastive_energy_loss([1.0], [1.0, 2.0], objective='softplus')": (
        "ValueError: `positive` and `negative` must have energies, and for softplus as many"
    ),
    "models.energy_model(3, 2)": "TypeError: `energy` must be a function, but it is int",
    "models.energy_model(lambda x: x, 2)": r"ValueError: `energy` must map a state \(2,\) to one",
    "hierarchical.HierarchicalMemory({'x': hierarchical.Neurons(2, hierarchical.Tanh())}, "
    "{'x': hierarchical.EnergySynapse(jnp.sum)})": r"ValueError: An energy replaces the ½\|g\|²",
    "models.EnergySum([])": "TypeError: `energies` must be a list of functions",
    "models.EnergySum([jnp.sum], [1.0, 2.0])": r"ValueError: `weights` must have shape \(1,\)",
    "evaluate.auroc([], [1.0])": "ValueError: `inside` and `outside` must have scores",
    "nn.bound_spectral_norms({'b': jnp.ones(3)})": "ValueError: `module` has no matrices",
    "nn.bound_spectral_norms(NET, 0.0)": "ValueError: `bound` must be positive and finite",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_calls_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}")
