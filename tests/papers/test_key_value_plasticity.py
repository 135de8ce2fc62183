"""Key-value plasticity: what breaks which claim, and broken measurements."""

import jax.numpy as jnp
import numpy as np
import pytest

from attrax.learning import AffineThreeFactor, RandomSlots, SequentialSlots, ThreeFactor
from attrax.models import plastic_memory
from attrax.papers import key_value_plasticity as paper
from attrax.papers.contract import NotRun, Run
from attrax.papers.key_value_plasticity import measure as m


def curve(most, slots=40, theory=1.0):
    """A curve with 98 % up to so many items."""
    counts = np.arange(1, 2 * slots + 1)
    accuracy = np.where(counts <= most, 1.0, 0.9)
    return m.Curve(counts, np.tile(accuracy, (4, 1)), counts / 100, accuracy * theory)


def stairs(*means):
    step = np.tile(means, (4, 1)) + np.array([[0.0], [1e-4], [0.0], [1e-4]])
    return m.Staircase(np.array([40, 41, 80]), step, step)


def flashes(kept, recent):
    shares = np.full((4, 40, 400), recent)
    shares[:, :, :5] = kept
    return m.Flashes(shares, np.tile(np.arange(5), (4, 1)))


def learnt(lost=0.0, offsets=0.0, activity=0.0):
    affine = {"value_activity": (1.0, offsets), "key_activity": (activity, 1.0)}
    rule = AffineThreeFactor(RandomSlots(0.2), **affine)
    accuracy = np.array([0.8, 0.801])
    return m.Learnt(rule, m.together([rule, rule]), accuracy, accuracy - lost, accuracy)


FOUR = np.array([0.0, 1e-4, 0.0, 1e-4])
REPLAYS = np.full((4, 4), 0.9)
BROKEN = {
    "other equations": ({m.apart: 1e-9}, {"streams_follow_the_equations"}),
    "half of the slots": (
        {m.curve: curve(20)},
        {"sequential_capacity"},
    ),
    "few random slots": ({m.slopes: (0.05 + FOUR, [0.05], "40")}, {"random_capacity"}),
    "many random slots": ({m.slopes: (1.0 + FOUR, [1.0], "40")}, {"random_capacity"}),
    "another network": ({m.hopfield: curve(40, 80)}, {"hopfield_capacity"}),
    "forgetting at once": (
        {m.curve: curve(41, theory=0.9)},
        {"forgetting_is_overwriting"},
    ),
    "many without a slot": ({m.unwritten: 0.1 + FOUR}, {"most_items_are_written"}),
    "no rounds": ({m.staircase: stairs(0.9, 0.89, 0.88)}, {"recall_falls_after_a_round"}),
    "a slope": ({m.staircase: stairs(1.0, 0.7, 0.6)}, {"recall_is_flat_between_rounds"}),
    "forgotten flashbulbs": (
        {(m.flashes, "rule"): flashes(0.6, 1.0), (m.flashes, "none"): flashes(0.6, 1.0)},
        {"flashbulbs_are_retained"},
    ),
    "flashbulbs at a cost": (
        {
            (m.flashes, "rule"): flashes(1.0, 0.8),
            (m.flashes, "turns"): flashes(1.0, 0.8),
            (m.flashes, "none"): flashes(0.6, 1.0),
        },
        {"flashbulbs_cost_nothing"},
    ),
    "keys that are not too long": (
        {(m.flashes, "literal"): flashes(1.0, 0.99)},
        {"long_keys_spoil_the_rest"},
    ),
    "confusion": ({m.correlated: 0.8 + FOUR}, {"correlated_items_are_recalled"}),
    "pairs that are lost": ({m.pairs: (0.9 + FOUR, 0.6 + FOUR)}, {"pairs_are_recalled"}),
    "a memory as good": (
        {m.pairs: (0.99 + FOUR, 0.98 + 2 * FOUR)},
        {"bidirectional_memories_are_worse"},
    ),
    "replays that end": ({m.replays: (REPLAYS, REPLAYS - 0.5)}, {"sequences_are_replayed"}),
    "matrices that go on": (
        {m.replays: (np.ones((4, 4)), np.ones((4, 4)))},
        {"products_lose_sequences"},
    ),
    "other coefficients": (
        {m.learnt: learnt(lost=0.1, offsets=0.5)},
        {"learnt_terms_have_no_offsets", "learnt_keys_need_the_input_alone"},
    ),
    "keys that see activity, however long": (
        {m.learnt: learnt(activity=20.0)},
        {"learnt_keys_see_little_activity"},
    ),
}


def test_another_rule_has_another_state(monkeypatch):
    assert m.apart(Run()) < 1e-14
    for options in ({"clipped": False}, {"skip_stable": True}, {"decay": 0.99}):
        monkeypatch.setattr(m, "ThreeFactor", lambda o=options, **given: ThreeFactor(**given | o))
        assert m.apart(Run()) > 1e-4


def test_fewer_slots_hold_fewer_items_and_break_the_theory(monkeypatch):
    run = Run(sizes={"curve.sequential.40.80": 10})
    found = m.curve(run, "sequential", 40, 80)
    assert found.capacity()[0] in (41, 42)
    assert abs(found.accuracy.mean(0) - found.theory).max() < 0.02
    assert 0.55 < found.unknown[-1] < 0.65
    monkeypatch.setattr(m, "plastic_memory", lambda slots, *rest: plastic_memory(20, *rest))
    found = m.curve(run, "sequential", 40, 80)
    assert found.capacity()[0] < 25
    assert abs(found.accuracy.mean(0) - found.theory).max() > 0.1


def test_random_slots_follow_their_theory_and_others_do_not(monkeypatch):
    run = Run(sizes={"curve.random.40.80": 60})
    found = m.curve(run, "random", 40, 80)
    assert abs(found.accuracy.mean(0) - found.theory)[4:].max() < 0.02
    monkeypatch.setattr(m, "RandomSlots", lambda p: RandomSlots(5 * p))
    found = m.curve(run, "random", 40, 80)
    assert abs(found.accuracy.mean(0) - found.theory)[4:].max() > 0.05


def test_survival_is_that_of_drawn_slots():
    gates = np.random.default_rng(0).random((20_000, 12, 40)) < 0.1
    later = gates[:, 1:].cumsum(1)
    kept = (gates[:, :1] & (later == 0)).any(2).mean(0)
    ages = np.arange(1, 12)
    np.testing.assert_allclose(kept, m.survival("random", 40, ages), atol=0.015)
    np.testing.assert_array_equal(m.survival("sequential", 3, np.arange(5)), [1, 1, 1, 0, 0])


def test_searches_with_single_streams_find_too_much():
    rng = np.random.default_rng(0)
    sharp = np.tile(np.arange(1, 41) <= 12, (3, 1)).astype(float)
    assert m.search(rng, sharp) == 12
    assert m.search(rng, np.ones((3, 16))) == 16
    assert m.search(rng, np.zeros((3, 16))) == 1
    noisy = (rng.random((500, 40)) < 1 - 0.02 * np.arange(1, 41)).astype(float)
    found = np.mean([m.search(rng, noisy) for _ in range(500)])
    counts = np.arange(1, 41)
    assert found > 3 * m.Curve(counts, noisy, counts, counts).capacity()[0]


def test_networks_hold_fewer_items_of_fewer_units(monkeypatch):
    run = Run(sizes={"hopfield.80": 20, "hopfield.40": 20})
    large, small = m.hopfield(run, 80).capacity()[0], m.hopfield(run, 40).capacity()[0]
    assert small < large < 14
    monkeypatch.setattr(m, "cues", lambda rng, patterns: patterns)
    assert m.hopfield(run, 40).capacity()[0] > small


def test_items_without_a_slot_are_counted(monkeypatch):
    run = Run(sizes={"unwritten.items": 500})
    assert m.unwritten(run).mean() == pytest.approx(0.9**40, abs=0.005)
    monkeypatch.setattr(m, "RandomSlots", lambda p: RandomSlots(p / 2))
    assert m.unwritten(run).mean() == pytest.approx(0.95**40, abs=0.02)


def test_queries_ask_for_what_was_stored_at_their_delay():
    inputs, targets, store = m.schedule(np.random.default_rng(0), 200, 7)
    asked = np.flatnonzero(store == 0)
    assert 50 < len(asked) < 90
    assert (asked >= 7).all()
    assert store[asked - 7].all()
    np.testing.assert_array_equal(targets[asked], inputs[asked - 7])
    shown = inputs[asked] != 0
    assert shown.mean() == pytest.approx(m.KNOWN, abs=0.05)
    np.testing.assert_array_equal(inputs[asked][shown], targets[asked][shown])


def test_steps_of_recall_go_where_turns_do_not_pass(monkeypatch):
    run = Run(sizes={"staircase.streams": 2, "staircase.length": 600})
    found = m.staircase(run)
    assert (found.at(40) - found.at(41)).mean() > 0.2
    assert abs((found.at(41) - found.at(80)).mean()) < 0.05
    monkeypatch.setattr(m, "SequentialSlots", lambda _: SequentialSlots("store"))
    found = m.staircase(run)
    assert (found.at(40) - found.at(41)).mean() < 0.05
    assert (found.at(41) - found.at(80)).mean() > 0.2


def test_flashbulbs_are_found_where_they_were_stored():
    run = Run(sizes={"flashes.draws": 3})
    kinds = {name: m.flashes(run, name) for name in m.FLASHES}
    assert kinds["rule"].kept().min() > 0.98 > kinds["none"].kept().max()
    assert kinds["rule"].recent().min() > 0.98 > kinds["turns"].recent().max()
    assert kinds["literal"].recent().max() < 0.8
    assert (np.diff(np.sort(kinds["rule"].times % 40)) > 0).all()


def test_items_and_pairs_need_their_slots(monkeypatch):
    run = Run(sizes={"pairs.draws": 10})
    slots, both = m.pairs(run)
    assert slots.mean() > 0.98 > both.mean() + 0.1
    assert m.correlated(run, 0.6).mean() > 0.95
    monkeypatch.setattr(m, "plastic_memory", lambda _, *rest: plastic_memory(20, *rest))
    assert max(m.pairs(run)[0].mean(), m.correlated(run, 0.6).mean()) < 0.9


def test_replays_break_where_values_are_lost(monkeypatch):
    run = Run(sizes={"replays.draws": 3})
    slots, matrix = m.replays(run)
    assert (slots == 1).all()
    assert matrix[:, 0].mean() > 0.9 > matrix[:, -1].mean()
    monkeypatch.setattr(m, "plastic_memory", lambda _, size: plastic_memory(15, size))
    m.replayed.clear_cache()
    slots, _ = m.replays(run)
    m.replayed.clear_cache()
    assert slots[:, :2].min() == 1 > slots[:, -1].max()


def test_rules_learn_and_what_they_add_is_measured():
    few = m.learn(0, 0.03, steps=25, networks=2)
    assert few.accuracy.shape == (2,)
    assert few.by_hand.mean() == pytest.approx(0.73, abs=0.03)
    assert ((few.accuracy > 0.45) & (few.accuracy < 0.8)).all()
    rule = few.rule
    sizes = m.sizes_of(rule)
    assert sizes[0, 0] == pytest.approx(abs(float(rule.key_input[0, 1] / rule.key_input[0, 0])))
    activity = rule.key_activity[1]
    assert sizes[1, 1] == pytest.approx(abs(float(activity[0] / activity[1])) / 20, rel=1e-5)
    assert (jnp.abs(few.start.key_input - rule.key_input) > 0).all()


def test_what_takes_minutes_is_not_run_in_seconds():
    with pytest.raises(NotRun, match="--profile full"):
        m.learnt(Run(), 0.03)
    assert paper.learnt_terms_have_no_offsets.check(Run()).verdict == "not run"
