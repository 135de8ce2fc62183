"""Hierarchical associative memory: broken measurements fail, and what is broken is seen."""

import numpy as np

from attrax.evaluate import ROUNDING, AdiabaticLimit, Descent, EnergyRates, descents
from attrax.papers.contract import Run
from attrax.papers.hierarchical_associative_memory import measure as m

SMALL = {
    "starts": 2,
    "points": 4,
    "steps": 3000,
    "convolution.steps": 30,
    "limit.starts": 2,
    "rest.starts": 3,
    "updates.starts": 16,
    "words": 60,
}


def small():
    return Run(sizes=SMALL)


def rising(rise):
    """Energies that fall but for one step, by a share of the largest term."""
    return Descent({"all": np.array([[1.0, 0.5, 0.5 + rise]] * 2)}, None)


def words(right):
    pictures = np.ones((3, 30, 2, 35))
    return m.Words(pictures, pictures, np.full((3, 30), right))


SLOW = m.Rest(np.array([1e-9, 1e-3]), np.array([20.0, 100.0]), 2)
TAUS = np.array(m.TOPS)
LIMIT = AdiabaticLimit(TAUS, np.tile(TAUS**0.5, (4, 1)))
RATES = EnergyRates(np.full(3, -1.001), -np.ones(3), {})
BROKEN = {
    "descent": ({m.descent: rising(1e-12)}, {"energy_falls"}),
    "convolution": ({m.convolution: rising(1e-12)}, {"energy_of_a_convolution_falls"}),
    "not a number": ({m.convolution: rising(np.nan)}, {"energy_of_a_convolution_falls"}),
    "feedback": ({m.asymmetric: rising(0.0)}, {"feedback_of_its_own_raises_the_energy"}),
    "rate": ({m.rates: RATES}, {"rate_is_the_quadratic_form"}),
    "transposed": ({m.transposed: 1e-9}, {"feedback_is_the_transposed_convolution"}),
    "eliminated": ({m.eliminated: 1e-6}, {"a_fast_top_layer_leaves_its_lagrangian"}),
    "limit": ({m.limit: LIMIT}, {"distance_from_the_reduced_network_is_linear"}),
    "rest": ({m.rest: SLOW}, {"fixed_points_are_reached"}),
    "updates": (
        {
            (m.updates, "layer by layer"): m.Updates(np.array([1e-9]), np.zeros((1, 3))),
            (m.updates, "all at once"): m.Updates(np.array([0.0]), np.zeros((1, 3))),
        },
        {"layers_in_turn_never_raise_the_energy", "layers_at_once_raise_the_energy"},
    ),
    "words": ({(m.words,): words(False)}, {"rules_complete_what_is_damaged"}),
    "words without rules": ({(m.words, False): words(True)}, {"letters_alone_do_not_complete"}),
}


def test_energies_rise_where_steps_are_long():
    assert small()(m.descent).rise.max() <= ROUNDING
    assert small()(m.descent, 0.4).rise.max() > ROUNDING
    assert small()(m.convolution).rise.max() <= ROUNDING
    assert small()(m.convolution, 0.5).rise.max() > ROUNDING


def test_feedback_by_the_same_weights_never_raises_the_energy():
    assert small()(m.asymmetric).rise.max() > 1e-6
    assert small()(m.asymmetric, 0).rise.max() <= ROUNDING
    same, own = small()(m.asymmetric, 0), small()(m.descent)
    np.testing.assert_allclose(same.energy, own.energy, rtol=1e-9)


def test_rates_differ_along_another_velocity(monkeypatch):
    assert small()(m.rates).difference < 1e-13
    plain = descents.velocity

    def without_feedback(network, states):
        return {**plain(network, states), "visible": -states["visible"]}

    monkeypatch.setattr(descents, "velocity", without_feedback)
    # Of another size, so that it is compiled anew.
    assert Run(sizes={**SMALL, "points": 5})(m.rates).difference > 1e-3


def test_a_convolution_shifted_by_a_pixel_is_no_feedback(monkeypatch):
    assert small()(m.transposed) < 1e-14
    plain = m.convolutional

    def shifted(run):
        network, kernel = plain(run)
        return network, np.roll(kernel, 1, axis=0)

    monkeypatch.setattr(m, "convolutional", shifted)
    assert small()(m.transposed) > 1e-2


def test_the_energy_without_the_top_layer_is_of_its_weights(monkeypatch):
    assert small()(m.eliminated) < 1e-12
    chain = m.chain
    monkeypatch.setattr(m, "chain", lambda run, taus=m.TAUS: chain(run, taus, (0, 1)))
    assert small()(m.eliminated) > 1e-2


def test_the_distance_from_another_network_is_not_linear(monkeypatch):
    np.testing.assert_allclose(small()(m.limit).exponents[:, -1], 1, atol=0.1)
    chain = m.chain

    def other(run, taus=m.TAUS):
        return chain(run, taus, (0, 0 if taus[2] else 1))

    monkeypatch.setattr(m, "chain", other)
    assert small()(m.limit).exponents[:, -1].max() < 0.5


def test_runs_that_are_cut_short_do_not_rest():
    rest = small()(m.rest)
    assert rest.speed.max() < 1e-6
    assert np.all((rest.time > 1) & (rest.time < 100))
    assert small()(m.rest, 100).speed.max() > 1e-6


def test_layers_at_once_raise_the_energy_and_in_turn_do_not():
    assert small()(m.updates, "all at once").rise.max() > 1e-3
    assert small()(m.updates, "layer by layer").rise.max() <= ROUNDING


def test_words_are_completed_by_rules_alone():
    with_rules, without = small()(m.words), small()(m.words, False)
    assert np.array_equal(with_rules.cues, without.cues)
    assert with_rules.right.mean() > 0.9
    assert without.right[:2].mean() < 0.5
    # Every letter is of its own, and damaged ones are not what is stored.
    glyphs = np.stack([m.glyph(letter) for block in m.LETTERS for letter in block])
    assert len(np.unique(glyphs, axis=0)) == 6
    assert np.any(np.sign(with_rules.cues) != np.sign(with_rules.ends))
