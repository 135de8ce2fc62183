"""Episodic memory: what breaks which claim, and broken measurements."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

from attrax.models import episodic_memory
from attrax.papers.contract import Run
from attrax.papers.sequence_episodic import measure as m

SPREAD = np.array([-1e-3, 0.0, 1e-3, 0.0])


def cycles(delay, ordered=1.0, dwell=0.6, rise=1.6):
    """Four draws with some dwell time over the delay's, and some time of transitions."""
    traces = np.zeros((10, m.COUNT))
    dwells = delay * dwell * (1 + SPREAD)
    return m.Cycles(ordered + SPREAD / 10, 16 + 0 * SPREAD, dwells, rise + SPREAD, traces, 0.1)


NONE = np.zeros(3, int)
BROKEN = {
    "visits without order": (
        {(m.cycles, 100.0): cycles(100.0, ordered=0.5)},
        {"a_cycle_is_replayed_in_order"},
    ),
    "dwells that do not grow, and transitions that do": (
        {
            (m.cycles, 20.0): cycles(20.0, dwell=2.0),
            (m.cycles, 200.0): cycles(200.0, dwell=0.2, rise=16.0),
        },
        {"dwells[20]", "dwells[200]", "transitions_do_not_slow_down"},
    ),
    "filters of another kind": (
        {m.sharp: m.Sharp(np.array([1.0, 1.02]), np.ones(2), np.ones(2))},
        {"dwells_follow_from_two_filters"},
    ),
    "patterns that follow at any strength": (
        {m.thresholds: m.Thresholds(NONE + 3, NONE + 3, NONE)},
        {"patterns_follow_only_above_one"},
    ),
    "patterns that never follow": (
        {m.thresholds: m.Thresholds(NONE, NONE, NONE)},
        {"patterns_follow_only_above_one"},
    ),
    "one sequence runs into the other": (
        {m.pairs: m.Pairs(np.array([3, 4, 3, 4]), np.ones(2), [])},
        {"sequences_do_not_mix"},
    ),
    "an energy that rises and then falls": (
        {m.energies: m.Energies(1e-3, -0.5 + SPREAD, 1 + SPREAD, np.zeros(3), 0.1)},
        {"energy_falls_at_each_delay", "energy_rises_between_transitions"},
    ),
    "numbers and steps that matter": (
        {m.invariants: m.Invariants(1e-3, 0.1, 0.0)},
        {"identities_hold", "steps_are_short_enough"},
    ),
    "another flow without delay": (
        {m.invariants: m.Invariants(0.0, 0.0, 1e-3)},
        {"identities_hold"},
    ),
    "other dwells than the code": ({m.official: {"DSEM": 0.5}}, {"dwells_are_those_of_the_code"}),
    "another order than the code": (
        {m.official: {"DSEM": np.nan}},
        {"dwells_are_those_of_the_code"},
    ),
    "graded features that lose their way": (
        {m.linear: m.Linear(0.5 + SPREAD, 9 + 0 * SPREAD)},
        {"graded_features_replay_too"},
    ),
    "as many patterns as neurons": (
        {m.capacity: m.Capacity(np.array([8]), np.ones(1), np.ones(1), np.ones(1), SPREAD)},
        {"capacity_grows_exponentially"},
    ),
}


def other(monkeypatch, **changed):
    """Measurements with memories of other parameters, or of another graph."""
    turn = changed.pop("turn", False)

    def made(patterns, graph, **options):
        graph = graph.T if turn else graph
        return episodic_memory(patterns, graph, **{**options, **changed})

    monkeypatch.setattr(m, "episodic_memory", made)


def test_visits_and_transitions_are_read_from_overlaps():
    first = np.concatenate([np.ones(5), np.linspace(1, 0, 11), np.zeros(10)])
    overlaps = np.stack([first, 1 - first, 0.55 + 0 * first], axis=1)
    seen = m.visits(np.concatenate([overlaps, overlaps[::-1]]), 0.5)
    assert seen.order.tolist() == [0, 1]
    # The third leads when neither of the others does, but it is never reached.
    np.testing.assert_allclose(seen.times, [5.0, 15.0])
    assert seen.peaks.tolist() == [1.0, 1.0]
    assert m.in_order(np.array([0, 1, 2, 4])) == pytest.approx(2 / 3)
    assert m.in_order(np.array([3])) == 0
    (time,) = m.risen(overlaps, 0.5)
    assert time == pytest.approx(2.5)
    rows = m.orthogonal()
    np.testing.assert_array_equal(rows @ rows.T, 128 * np.eye(7))


def test_cycles_run_backwards_by_the_transposed_graph_and_faster_by_a_larger_gain(monkeypatch):
    sizes = {"cycles.draws": 1}
    plain = m.cycles(Run(sizes=sizes), 20.0)
    assert plain.ordered.tolist() == [1.0]
    assert plain.dwells[0] == pytest.approx(13.5, abs=1)
    assert plain.rises[0] == pytest.approx(np.log(5), abs=0.1)
    other(monkeypatch, turn=True)
    assert m.cycles(Run(sizes=sizes), 20.0).ordered.tolist() == [0.0]
    other(monkeypatch, gain=14.0)
    assert m.cycles(Run(sizes=sizes), 20.0).dwells[0] < 0.75 * plain.dwells[0]


def test_other_gains_are_seen_in_dwells_and_thresholds(monkeypatch):
    run = Run(sizes={"thresholds.draws": 2})
    assert m.thresholds(run).random.tolist() == [0, 0]
    other(monkeypatch, gain=8.0)
    assert abs(m.sharp(run).ratios - 1).min() > 0.01
    found = m.thresholds(run)
    assert found.below.tolist()[:2] == [0, 0]
    assert found.below[2] > 0


def test_a_graph_that_joins_the_cycles_is_seen(monkeypatch):
    run = Run(sizes={"pairs.draws": 1})
    found = m.pairs(run)
    assert found.outside.tolist() == [0, 0]
    assert found.ordered.tolist() == [1, 1]
    joined = np.asarray(m.PAIR).copy()
    joined[2], joined[6] = np.eye(7)[3], np.eye(7)[0]
    monkeypatch.setattr(m, "PAIR", jnp.asarray(joined))
    assert m.pairs(run).outside.min() > 0


class Half(NamedTuple):
    """A memory of which the energy leaves out a part of the drive."""

    memory: object

    def energy_at_delay(self, states):
        """The energy at half of the delay."""
        return self.memory.energy_at_delay({**states, "delay": states["delay"] / 2})


def test_an_energy_of_another_delay_is_seen_to_rise():
    patterns = m.orthogonal()
    memory = episodic_memory(patterns, m.CYCLE, delay=20.0)
    path = m.walked(memory, jnp.asarray(patterns[0]), 0.05, 500)
    here, moved = map(np.asarray, m.split_energies(memory, path))
    rounding = 1e-5 * np.abs(here).max()
    assert (moved - here[:-1]).max() < rounding
    assert (np.diff(here) > rounding).mean() > 0.5
    here, moved = map(np.asarray, m.split_energies(Half(memory), path))
    assert (moved - here[:-1]).max() > 100 * rounding


def test_other_graphs_steps_and_temperatures_are_seen(monkeypatch):
    monkeypatch.setattr(m, "modern_memory", lambda rows, beta: episodic_memory(rows, m.CYCLE))

    def unchanged(patterns, graph, **options):
        return episodic_memory(patterns, m.CYCLE, **options)

    monkeypatch.setattr(m, "episodic_memory", unchanged)
    plain = m.Euler
    monkeypatch.setattr(m, "Euler", lambda step, **o: plain(80 * step**1.5, **o))
    found = m.invariants(Run())
    assert min(found.numbered, found.modern) > 0.1
    assert found.halved > 0.05


def test_other_delays_than_those_of_the_code_are_seen(monkeypatch):
    other(monkeypatch, gain=7.5)
    found = m.official(Run())
    assert all(not value < 0.06 for value in found.values())


def test_graded_features_run_backwards_by_the_transposed_graph(monkeypatch):
    run = Run(sizes={"linear.draws": 1})
    assert m.linear(run, 0.01).ordered.tolist() == [1.0]
    other(monkeypatch, turn=True)
    assert m.linear(run, 0.01).ordered.tolist() == [0.0]


def test_first_transitions_are_lost_among_many_patterns_and_by_the_transposed_graph(monkeypatch):
    counts, widths = np.array([2, 64]), np.array([8, 16])
    sizes = {"draws": 50, "counts": counts, "widths": widths}
    few, many = (m.moved(0, 16, count, **sizes).mean() for count in (2, 64))
    assert few > 0.95
    assert many < few - 0.1
    assert m.moved(0, 8, 64, **sizes).mean() < many
    assert m.half(counts, np.array([1.0, 0.0])) == pytest.approx(np.sqrt(128))
    three = m.moved(0, 16, 3, **sizes).mean()
    other(monkeypatch, turn=True)
    m.first_moves.clear_cache()
    assert m.moved(0, 16, 3, **sizes).mean() < three - 0.5
    m.first_moves.clear_cache()
