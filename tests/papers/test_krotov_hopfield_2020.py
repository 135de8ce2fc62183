"""Large associative memory: broken measurements fail, and what is broken is measured to be so."""

import jax.numpy as jnp
import numpy as np
import pytest

from attrax.evaluate import ROUNDING, AdiabaticLimit, Descent, EnergyRates, descents
from attrax.papers.contract import Run
from attrax.papers.krotov_hopfield_2020 import measure as m

SMALL = {
    "starts": 3,
    "points": 4,
    "steps": 300,
    "limit.starts": 2,
    "indefinite.runs": 12,
    "indefinite.steps": 300,
    "capacity.neurons": (5, 25),
    "capacity.draws": 2,
}


def small():
    return Run(sizes=SMALL)


def rising(rise):
    """Energies that fall but for one step, by a share of the largest term."""
    return Descent({"all": np.array([[1.0, 0.5, 0.5 + rise]] * 2)}, None)


def rates(slope):
    return EnergyRates(np.full(3, slope), -np.ones(3), {"feature": np.eye(3)[None]})


def limit(exponent):
    taus = np.array(m.TAUS)
    return AdiabaticLimit(taus, np.tile(taus**exponent, (4, 1)))


CAPACITY = m.Capacity((5, 100, 1200), 100, np.array([[1.0, 1.0], [0.9, 0.8], [0.5, 0.6]]))
LONG = m.LongSteps((0.1, 2.0), np.zeros(2), (np.zeros(3),) * 2, "")
STEADY = {(m.descent, name): rising(0.0) for name in m.MODELS}
RIGHT = {(m.rates, name): rates(-1.0) for name in m.MODELS}
EXACT = {(m.effective, name): 0.0 for name in m.MODELS}
LINEAR = {(m.limit, name): limit(1.0) for name in m.MODELS}
BROKEN = {
    "descent": ({**STEADY, (m.descent, "A′"): rising(1e-12)}, {"energy_falls"}),
    "energy is NaN": ({**STEADY, (m.descent, "C"): rising(np.nan)}, {"energy_falls"}),
    "decay is NaN": ({m.decays: (rising(0), rising(np.nan), rising(0))}, {"decay_is_free"}),
    "rate is NaN": ({**RIGHT, (m.rates, "C"): rates(np.nan)}, {"rate_is_the_quadratic_form"}),
    "table is NaN": (
        {**EXACT, (m.effective, "B"): np.nan},
        {"effective_energies_are_those_of_the_table"},
    ),
    "limit is NaN": (
        {**LINEAR, (m.limit, "B"): limit(np.nan)},
        {"distance_from_the_effective_theory_is_linear"},
    ),
    "share is NaN": ({m.unbounded: (1.0, np.nan, 0.0)}, {"an_unbounded_energy_has_no_rest"}),
    "decay": ({m.decays: (rising(0), rising(1e-12), rising(0))}, {"decay_is_free"}),
    "rate": ({**RIGHT, (m.rates, "B"): rates(-1.001)}, {"rate_is_the_quadratic_form"}),
    "table": (
        {**EXACT, (m.effective, "A′"): 1e-6},
        {"effective_energies_are_those_of_the_table"},
    ),
    "limit": (
        {**LINEAR, (m.limit, "C"): limit(0.5)},
        {"distance_from_the_effective_theory_is_linear"},
    ),
    "attention": ({m.attention: 1e-9}, {"a_step_of_model_b_is_attention"}),
    "capacity": (
        {m.capacity: CAPACITY},
        {"every_neuron_holds_a_pattern", "neurons_alone_do_not_make_a_memory"},
    ),
    "indefinite": ({m.indefinite: np.zeros(16)}, {"an_indefinite_hessian_lets_the_energy_rise"}),
    "unbounded": ({m.unbounded: (0.0, 1.0, 0.0)}, {"an_unbounded_energy_has_no_rest"}),
    "long steps": ({m.long_steps: LONG}, {"long_steps_raise_the_energy"}),
    "changing input": ({m.driven: 1e-9}, {"a_changing_input_adds_to_the_rate"}),
    "monitor": ({m.monitor: (0.0, 0.0)}, {"the_effective_energy_may_rise"}),
}


def test_energies_rise_where_steps_are_long():
    run = small()
    assert all(run(m.descent, name).rise.max() <= ROUNDING for name in m.MODELS)
    assert run(m.descent, "A", 0.4).rise.max() > ROUNDING


def test_a_decay_of_another_direction_raises_the_energy(monkeypatch):
    assert max(each.rise.max() for each in small()(m.decays)) <= ROUNDING
    plain = m.velocity

    def other(network, states):
        return {**plain(network, states), "feature": 3 * jnp.roll(states["feature"], 1)}

    monkeypatch.setattr(m, "velocity", other)
    assert small()(m.decays)[0].rise.max() > ROUNDING


def test_rates_differ_along_another_velocity(monkeypatch):
    rates = small()(m.rates, "B")
    assert rates.difference < 1e-13
    assert rates.least_eigenvalue > -1e-13
    plain = descents.velocity

    def without_input(network, states):
        moved = plain(network, states)
        return {**moved, "feature": moved["feature"] - network.neurons["feature"].input}

    monkeypatch.setattr(descents, "velocity", without_input)
    # Of another size, so that it is compiled anew.
    assert Run(sizes={**SMALL, "points": 5})(m.rates, "B").difference > 1e-3


@pytest.mark.parametrize("name", m.MODELS)
def test_effective_energies_miss_the_table_where_it_is_of_other_memories(name, monkeypatch):
    assert small()(m.effective, name) < 1e-12
    formula = m.FORMULAS[name]
    monkeypatch.setitem(m.FORMULAS, name, lambda v, rows, drive: formula(v, 1.001 * rows, drive))
    assert small()(m.effective, name) > 1e-6


def test_the_distance_is_not_linear_from_a_theory_of_other_memories(monkeypatch):
    exponents = small()(m.limit, "B").exponents
    np.testing.assert_allclose(exponents[:, -1], 1, atol=0.1)
    plain = m.memories
    calls = []

    def once(run, name):
        rows, drive = plain(run, name)
        calls.append(name)
        return rows * (1 if len(calls) == 1 else 1.2), drive

    monkeypatch.setattr(m, "memories", once)
    assert small()(m.limit, "B").exponents[:, -1].max() < 0.5


def test_half_a_step_is_no_attention():
    assert small()(m.attention) < 1e-14
    assert small()(m.attention, 0.5) > 1e-2


def test_recall_fails_where_cues_are_noise_and_where_neurons_are_many():
    assert small()(m.capacity).recalled.min() == 1
    assert small()(m.capacity, 0.5).recalled.max() < 0.5
    crowded = Run(sizes={**SMALL, "capacity.neurons": (5, 1200)})(m.capacity)
    assert crowded.at(0.12, 0.12).max() < 0.1


def test_a_rectified_square_never_lets_the_energy_rise():
    assert small()(m.indefinite).mean() > 0
    assert small()(m.indefinite, True).max() == 0


def test_relu_features_rest_below_one_and_diverge_above():
    assert small()(m.unbounded, 0.8)[:2] == (0, 1)
    diverged, converged, energy = small()(m.unbounded, 1.25)
    assert (diverged, converged) == (1, 0)
    assert energy < -1e3


def test_long_steps_are_harmless_without_memory_neurons():
    assert small()(m.long_steps).rise[-1] > 1e-3
    assert small()(m.long_steps).rise[0] <= ROUNDING
    assert small()(m.long_steps, 0.0).rise.max() <= ROUNDING


def test_an_input_that_changes_otherwise_has_another_rate():
    assert small()(m.driven) < 1e-13
    assert small()(m.driven, 1.01) > 1e-3
    assert small()(m.driven, 0.0) > 1e-1


def test_the_effective_energy_falls_where_memory_neurons_are_quick():
    effective, whole = small()(m.monitor)
    assert effective > 1e-3
    assert whole <= ROUNDING
    assert small()(m.monitor, 0.02)[0] < 1e-3
