"""A network with a layer that follows another: equations, energy at each delay, and runs."""

import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax.common.checks import NoEnergyError
from attrax.dynamics import Euler, Flow, Iterate, Outcome
from attrax.hierarchical import DelayedMemory, DenseSynapse, HierarchicalMemory, Neurons, Tanh
from attrax.separation import Softmax

rng = np.random.default_rng(0)
FORWARD, SHIFTED = rng.normal(size=(2, 4, 6)).astype(np.float32)
START = rng.normal(size=6).astype(np.float32)
STATES = {"seen": START, "hidden": np.arange(4, dtype=np.float32), "slow": 2 * START[::-1]}


def network(hidden_tau=0.5, start=None, **seen):
    layers = {
        "seen": Neurons(6, Tanh(0.7), **seen),
        "hidden": Neurons(4, Softmax(2.0), hidden_tau),
        "slow": Neurons((2, 3), start=start),
    }
    joints = {
        ("seen", "hidden"): DenseSynapse(FORWARD),
        ("slow", "hidden"): DenseSynapse(SHIFTED),
    }
    return HierarchicalMemory(layers, joints)


def delayed(tau=8.0, gain=3.0, **options):
    return DelayedMemory(network(**options), "slow", "seen", tau, gain)


def shaped(states):
    states = {name: jnp.asarray(state) for name, state in states.items()}
    return {**states, "slow": states["slow"].reshape(2, 3)}


def test_the_delay_is_a_low_pass_of_the_source_and_the_others_see_it():
    memory, states = delayed(), shaped(STATES)
    space = memory.space(jnp.asarray(START))
    pulled = space.pull(states)
    drive = FORWARD @ np.tanh(0.7 * START) + SHIFTED @ STATES["slow"]
    np.testing.assert_allclose(
        pulled["hidden"], states["hidden"] + 2 * (drive - states["hidden"]), rtol=1e-5
    )
    seen = FORWARD.T @ jax.nn.softmax(2.0 * states["hidden"])
    np.testing.assert_allclose(pulled["seen"], seen, rtol=1e-5)
    target = 3 * np.tanh(0.7 * START).reshape(2, 3)
    moved = states["slow"] + (target - states["slow"]) / 8
    np.testing.assert_allclose(pulled["slow"], moved, rtol=1e-5)
    rest = space.rest(states)
    np.testing.assert_allclose(rest["slow"], target, rtol=1e-5)
    np.testing.assert_allclose(rest["hidden"], drive, rtol=1e-5)


def test_the_delay_is_driven_by_no_synapse():
    memory = delayed()
    moved = memory.space(jnp.asarray(START)).pull({**shaped(STATES), "hidden": jnp.zeros(4)})
    np.testing.assert_array_equal(
        moved["slow"], memory.space(jnp.asarray(START)).pull(shaped(STATES))["slow"]
    )


@pytest.mark.parametrize("hidden_tau", [0.0, 0.5])
def test_the_energy_at_a_delay_is_that_of_the_network_there_and_falls(hidden_tau):
    memory, states = delayed(hidden_tau=hidden_tau), shaped(STATES)
    if hidden_tau == 0:
        del states["hidden"]
    held = memory.at_delay(states["slow"])
    own = 0.5 * np.sum(states["slow"] ** 2)
    np.testing.assert_allclose(memory.energy_at_delay(states), held.energy(states) - own, rtol=1e-5)
    found = attrax.retrieve(held, START, Euler(0.05), certify=True)
    assert bool(found.certificate.certified)
    slope = jax.grad(lambda x: memory.energy_at_delay({**states, "seen": x}))(states["seen"])
    pulled = memory.space(jnp.asarray(START)).pull(states)
    velocity = pulled["seen"] - states["seen"]
    curvature = 0.7 * (1 - np.tanh(0.7 * START) ** 2)
    np.testing.assert_allclose(slope, -curvature * velocity, rtol=1e-4, atol=1e-5)


def test_there_is_no_energy_that_always_falls():
    memory = delayed()
    assert "follows 'seen'" in memory.lacks_energy
    space = memory.space(jnp.asarray(START))
    with pytest.raises(NoEnergyError, match="energy_at_delay"):
        space.energy(space.initial)
    with pytest.raises(NoEnergyError, match="follows"):
        attrax.retrieve(memory, START, certify=True)
    assert attrax.retrieve(memory, START, Euler(max_steps=3)).energy is None


def test_runs_follow_the_equations():
    memory = delayed(hidden_tau=0.0, start=np.full((2, 3), 0.5, np.float32))
    found = attrax.retrieve(memory, START, Euler(0.1, max_steps=20, rtol=1e-9), path=True)
    x, slow = START.astype(np.float64), np.full(6, 0.5)
    path = [np.tanh(0.7 * x)]
    for _ in range(20):
        weights = np.exp(2 * (FORWARD @ np.tanh(0.7 * x) + SHIFTED @ slow))
        pulled = FORWARD.T @ (weights / weights.sum())
        slow, x = slow + 0.1 / 8 * (3 * np.tanh(0.7 * x) - slow), x + 0.1 * (pulled - x)
        path.append(np.tanh(0.7 * x))
    np.testing.assert_allclose(found.path, path, atol=1e-4)


def test_a_flow_ends_where_a_run_in_steps_and_iteration_do():
    memory = delayed(tau=2.0, gain=0.1)
    ends = [
        attrax.retrieve(memory, START, dynamics) for dynamics in (Iterate(), Flow(), Euler(0.2))
    ]
    assert all(end.outcome == Outcome.converged for end in ends)
    for end in ends[1:]:
        np.testing.assert_allclose(end.state, ends[0].state, atol=2e-3)


def test_known_and_clamped_entries_stay():
    memory = delayed()
    known = np.arange(6) < 2
    found = attrax.retrieve(memory, START, Euler(0.1, max_steps=30), known=known, path=True)
    path = np.asarray(found.path)
    np.testing.assert_allclose(path[:, :2] - path[0, :2], 0, atol=1e-6)
    assert np.abs(path[-1, 2:] - np.tanh(0.7 * START[2:])).max() > 0.01
    # A source that never moves is followed all the same.
    still = delayed(clamped=True)
    space = still.space(jnp.asarray(START))
    assert "seen" not in space.initial
    pulled = space.rest(space.initial)
    np.testing.assert_allclose(pulled["slow"].reshape(-1), 3 * np.tanh(0.7 * START), rtol=1e-5)
    assert space.groups == (("hidden",), ("seen",), ("slow",))


def test_many_queries_gradients_and_files(tmp_path):
    memory = delayed()
    found = attrax.retrieve(memory, np.stack([START, -START]), Euler(0.1, max_steps=5))
    alone = attrax.retrieve(memory, -START, Euler(0.1, max_steps=5))
    np.testing.assert_allclose(found.state[1], alone.state, rtol=1e-5)

    @eqx.filter_grad
    def slope(memory):
        return jnp.sum(attrax.retrieve(memory, START, Euler(0.1, max_steps=5)).state)

    slopes = slope(memory)
    assert float(jnp.abs(slopes.tau)) > 0
    assert float(jnp.abs(slopes.gain)) > 0
    attrax.save(tmp_path / "memory", memory)
    loaded = attrax.load(tmp_path / "memory")
    assert eqx.tree_equal(memory, loaded, typematch=True)
    assert "follows seen" in repr(memory)
    with pytest.raises(ValueError, match="no network with a delay"):
        eqx.tree_at(lambda m: m.tau, memory, jnp.ones(2)).check_loaded()


def test_another_delay_compiles_nothing_anew():
    run = eqx.filter_jit(eqx.debug.assert_max_traces(max_traces=1)(_run))
    ends = [run(delayed(tau=tau, gain=gain)) for tau, gain in ((8.0, 3.0), (4.0, 1.0))]
    assert float(jnp.abs(ends[0] - ends[1]).max()) > 0


def _run(memory):
    return attrax.retrieve(memory, START, Euler(0.1, max_steps=50)).state


SETTING = """
import numpy as np
from attrax.hierarchical import *
layers = {"seen": Neurons(3), "hidden": Neurons(2), "slow": Neurons(3)}
one = DenseSynapse(np.ones((2, 3)))
net = HierarchicalMemory(layers, {("seen", "hidden"): one, ("slow", "hidden"): one})
memory = DelayedMemory(net, "slow", "seen")
states = {"seen": np.ones(3), "hidden": np.ones(2)}
"""
CASES = {
    "DelayedMemory(np.eye(3), 'slow', 'seen')": (
        "TypeError: `network` must be a HierarchicalMemory, but it is ndarray"
    ),
    "DelayedMemory(net, 'late', 'seen')": "ValueError: `delay` is 'late', but the layers are 'see",
    "DelayedMemory(net, 'slow', 'x')": "ValueError: `source` is 'x', but the layers are 'seen'",
    "DelayedMemory(net, 'slow', 'slow')": "ValueError: .* neither the source nor the visible",
    "DelayedMemory(net, 'seen', 'slow')": "ValueError: .* neither the source nor the visible",
    "DelayedMemory(net, 'hidden', 'seen')": "ValueError: `delay` must name a layer of 3 neurons",
    "DelayedMemory(net, 'slow', 'seen', 0)": "ValueError: `tau` must be positive",
    "DelayedMemory(net, 'slow', 'seen', 9, 'x')": "TypeError: `gain` must be a number",
    "memory.at_delay(np.ones(2))": r"ValueError: `delay` must have shape \(3,\), but its shape",
    "memory.energy_at_delay({'seen': np.ones(3)})": "ValueError: `states` lacks layer 'hidden'",
    "memory.energy_at_delay(np.ones(3))": "TypeError: `states` must map names of layers",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_calls_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}")
