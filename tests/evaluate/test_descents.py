"""Energies along runs, their rates, the adiabatic limit, and what becomes of wrong networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax import retrieve
from attrax.dynamics import Euler
from attrax.evaluate import (
    ROUNDING,
    AdiabaticLimit,
    Descent,
    EnergyRates,
    adiabatic_limit,
    draw_states,
    energy_rates,
    largest_rise,
    record_energies,
    velocity,
)
from attrax.hierarchical import DenseSynapse, HierarchicalMemory, Neurons, Tanh
from attrax.separation import Power, Softmax

RNG = np.random.default_rng(0)
ROWS, DRIVE = RNG.standard_normal((3, 5)), RNG.standard_normal(5)


def network(tau=0.2, rows=ROWS, lagrangian=None):
    """Five tanh neurons under an input, and three softmax neurons."""
    layers = {
        "feature": Neurons(5, Tanh(), 2.0, DRIVE),
        "memory": Neurons(3, Softmax() if lagrangian is None else lagrangian, tau),
    }
    return HierarchicalMemory(layers, {("feature", "memory"): DenseSynapse(rows)})


def softmax(h):
    weights = np.exp(h - h.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def test_the_velocity_is_the_equations():
    states = draw_states(network(), 4, 0)
    v, h = states["feature"], states["memory"]
    moved = jax.vmap(lambda x: velocity(network(), x))(states)
    expected = (softmax(h) @ ROWS - v + DRIVE) / 2.0
    np.testing.assert_allclose(moved["feature"], expected, rtol=1e-12)
    np.testing.assert_allclose(moved["memory"], (np.tanh(v) @ ROWS.T - h) / 0.2, rtol=1e-12)
    fast = velocity(network(tau=0.0), {"feature": v[0]})
    assert set(fast) == {"feature"}
    drawn = (softmax(ROWS @ np.tanh(v[0])) @ ROWS - v[0] + DRIVE) / 2.0
    np.testing.assert_allclose(fast["feature"], drawn, rtol=1e-12)


def test_states_are_drawn_for_layers_that_move():
    assert {n: x.shape for n, x in draw_states(network(), 7, 0).items()} == {
        "feature": (7, 5),
        "memory": (7, 3),
    }
    assert set(draw_states(network(tau=0.0), 1, 0)) == {"feature"}
    first, again, other = (draw_states(network(), 1, seed)["feature"] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_energies_are_those_of_eulers_steps():
    net, starts = network(), draw_states(network(), 2, 0)
    descent = record_energies(net, starts, 0.05, 30, watch=lambda x: x["feature"])
    assert descent.energy.shape == (2, 31)
    assert descent.watched.shape == (2, 31, 5)
    assert set(descent.parts) == {"feature", "memory", "feature-memory"}
    states = {name: jnp.asarray(x[1]) for name, x in starts.items()}
    for step in range(31):
        np.testing.assert_allclose(descent.energy[1, step], net.energy(states), rtol=1e-12)
        np.testing.assert_allclose(descent.watched[1, step], states["feature"], rtol=1e-12)
        moved = velocity(net, states)
        states = {name: x + 0.05 * moved[name] for name, x in states.items()}


def test_they_are_those_of_retrieve_where_layers_start_at_their_pulls():
    net, query = network(), RNG.standard_normal(5)
    starts = {"feature": query[None], "memory": (ROWS @ np.tanh(query))[None]}
    # `retrieve` counts in units of the slowest time constant.
    dynamics = Euler(0.01, rtol=0.0, atol=1e-300, max_steps=40)
    retrieval = retrieve(net, query, dynamics, path=True)
    ours = record_energies(net, starts, 0.02, 40)
    np.testing.assert_allclose(ours.energy[0], retrieval.energies, rtol=1e-10)


def test_rises_are_relative_to_the_largest_term():
    parts = {
        "a": np.array([[4.0, 3.0, 3.5], [4.0, 3.0, 2.0]]),
        "b": np.array([[-8.0, -8.0, -8.0], [1.0, 1.0, 1.0]]),
    }
    np.testing.assert_allclose(Descent(parts, None).rise, [0.5 / 8, 0])
    parts["b"][0, 1] = np.nan
    assert np.isnan(Descent(parts, None).rise[0])


def test_a_network_falls_and_one_that_is_fed_back_by_others_weights_rises():
    net, starts = network(), draw_states(network(), 6, 0)
    assert np.all(record_energies(net, starts, 0.01, 2000).rise <= ROUNDING)
    other = network(rows=-ROWS)

    def field(states):
        moved = velocity(net, states)
        return {**moved, "feature": velocity(other, states)["feature"]}

    assert record_energies(net, starts, 0.01, 2000, field=field).rise.max() > 1e-3
    # Steps beyond the fastest time constant.
    assert record_energies(net, starts, 0.5, 50).rise.max() > 1e-3


def test_rates_agree_and_differ_where_the_energy_is_anothers():
    net, points = network(), draw_states(network(), 8, 0)
    rates = energy_rates(net, points)
    assert rates.difference < 1e-13
    assert np.all(rates.form < 0)
    assert {name: x.shape for name, x in rates.hessians.items()} == {
        "feature": (8, 5, 5),
        "memory": (8, 3, 3),
    }
    g = np.tanh(points["feature"])
    expected = (1 - g**2)[:, :, None] * np.eye(5)
    np.testing.assert_allclose(rates.hessians["feature"], expected, atol=1e-14)
    weights = softmax(points["memory"])
    expected = weights[:, :, None] * (np.eye(3) - weights[:, None])
    np.testing.assert_allclose(rates.hessians["memory"], expected, atol=1e-14)
    # Half a form, as a lateral synapse would have it.
    assert EnergyRates(rates.slope, rates.form / 2, {}).difference > 0.4


def test_the_least_eigenvalue_shows_a_function_that_is_not_convex():
    assert abs(energy_rates(network(), draw_states(network(), 8, 0)).least_eigenvalue) < 1e-14
    matrices = np.array([np.diag([2.0, -1.0]), np.eye(2)])
    assert EnergyRates(np.zeros(2), np.zeros(2), {"a": matrices}).least_eigenvalue == -0.5


def test_the_distance_from_the_effective_theory_is_of_first_order():
    starts = draw_states(network(tau=0.0), 3, 0)
    taus = (0.1, 0.01, 0.001)
    limit = adiabatic_limit(network(), network(tau=0.0), starts, taus, time=4.0, steps=4000)
    assert limit.distance.shape == (3, 3)
    np.testing.assert_allclose(limit.exponents[:, -1], 1, atol=0.05)
    # The network's own time constant is not looked at.
    again = adiabatic_limit(network(tau=0.7), network(tau=0.0), starts, taus, time=4.0, steps=4000)
    np.testing.assert_allclose(limit.distance, again.distance, rtol=1e-9)
    # One that is not its limit stays apart.
    other = network(tau=0.0, rows=1.1 * ROWS)
    apart = adiabatic_limit(network(), other, starts, taus, time=4.0, steps=4000)
    assert np.all(apart.exponents[:, -1] < 0.2)


def test_exponents_are_those_of_a_power():
    tau = np.array([1.0, 0.1, 0.01])
    limit = AdiabaticLimit(tau, np.stack([3 * tau**0.5, tau**2]))
    np.testing.assert_allclose(limit.exponents, [[0.5, 0.5], [2, 2]])


def test_paths_are_of_fourth_order():
    relu = Power(1, rectified=True)
    starts = draw_states(network(tau=0.0), 2, 0)

    def distance(steps):
        pair = network(lagrangian=relu), network(0.0, lagrangian=relu)
        return adiabatic_limit(*pair, starts, (0.5,), time=2.0, steps=steps).distance

    np.testing.assert_allclose(distance(100), distance(400), rtol=1e-3)


def test_the_largest_rise_is_the_certificates():
    queries = RNG.standard_normal((2, 5))
    dynamics = Euler(0.9, rtol=0.0, atol=1e-300, max_steps=30)
    retrieval = retrieve(network(0.05), queries, dynamics, certify=True)
    certificate = retrieval.certificate
    rises = largest_rise(retrieval)
    assert rises.max() > 1e-3
    np.testing.assert_allclose(rises, certificate.rise / certificate.scale)
    with pytest.raises(ValueError, match="has no certificate"):
        largest_rise(retrieve(network(), queries, dynamics))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda net, x: record_energies(net, x, 0.0, 5), "`step` must be positive"),
        (lambda net, x: record_energies(net, x, 0.1, 0), "`steps` must be a positive whole"),
        (
            lambda net, x: record_energies(net, {}, 0.1, 5),
            "`starts` must have states of the layers",
        ),
        (lambda net, x: record_energies(net, {n: y[0] for n, y in x.items()}, 0.1, 5), "shape"),
        (lambda net, x: energy_rates(net, {**x, "memory": np.zeros((3, 3))}), "as many states"),
        (lambda net, x: draw_states(net, 0, 0), "`count` must be a positive whole"),
        (lambda net, x: draw_states(net, 1, -1), "`seed` must be a whole number"),
        (lambda net, x: adiabatic_limit(net, net, x, (1.0,), time=1, steps=5), "`reduced` must"),
        (
            lambda net, x: adiabatic_limit(net, network(0.0), x, (0.0,), time=1, steps=5),
            "`taus` must be",
        ),
    ],
)
def test_what_is_wrong_is_named(call, text):
    net = network()
    with pytest.raises(ValueError, match=text):
        call(net, draw_states(net, 1, 0))


def test_single_precision_runs_under_strict_promotion():
    with jax.enable_x64(False):
        net = network()
        starts = draw_states(net, 2, 0)
        descent = record_energies(net, starts, 0.01, 500)
        assert descent.energy.dtype == np.float32
        assert descent.rise.max() < 1e-5
        assert energy_rates(net, starts).difference < 1e-4
        moved = velocity(net, {name: jnp.asarray(x[0]) for name, x in starts.items()})
        assert moved["feature"].dtype == jnp.float32
