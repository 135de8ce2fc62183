"""Mixers as Hopfield networks: what breaks which claim, and measurements of what is broken."""

import jax.numpy as jnp
import numpy as np
import pytest

from attrax.hierarchical import LayerNorm, SphericalNorm
from attrax.nn import MixingLayer
from attrax.papers.contract import Run
from attrax.papers.hopfield_mixer import measure as m
from attrax.papers.mixers import Learnt

RISING = np.array([[-3.0, -3.1, -2.9], [-2.0, -2.2, -2.1]])
FALLING = RISING[:, ::-1] - np.arange(3)
HALVES = np.stack([RISING, RISING], axis=-1)


class Part:
    """A trained classifier as far as the alignment of its weights asks."""

    class blocks:
        class token_mixing:
            class inner:
                weight = np.ones((1, 2, 3))

            class outer:
                weight = np.ones((1, 3, 2))

        channel_mixing = token_mixing


def learnt(accuracy):
    return Learnt(Part, np.ones(20), accuracy + np.array([-1e-3, 1e-3]))


DIGITS = {(m.digits, True): learnt(0.9), (m.digits, False): learnt(0.97)}
BROKEN = {
    "another step": ({m.differences: np.full(4, 1e-3)}, {"layers_are_steps"}),
    "another gradient": ({m.gradients: 0.1}, {"gradient_is_layer_norm"}),
    "a flow that rises": (
        {m.flow: m.Descent({"all": RISING}, None)},
        {"energy_falls"},
    ),
    "an ε": ({m.decay: np.array([1e-5, 1e-5])}, {"decay_is_free"}),
    "tied steps that rise": (
        {m.walks: np.tile(RISING, (50, 1))},
        {"steps_of_any_length_lower_it"},
    ),
    "untied steps that fall": (
        {m.walks: np.tile(FALLING, (50, 1))},
        {"untied_weights_raise_it"},
    ),
    "no common energy": ({m.halves: m.Halves(HALVES, HALVES)}, {"both_at_once_share_an_energy"}),
    "what does not learn": (DIGITS, {"tied_mixers_learn", "tying_costs_at_most_two_points"}),
}


def run(**sizes):
    small = {"steps.layers": 2, "flow.starts": 3, "walks.runs": 60, "halves.runs": 5}
    return Run(sizes={**small, **sizes})


def test_a_layer_with_other_weights_down_is_no_step(monkeypatch):
    assert m.differences(run(), "tokens", "relu").max() < 1e-12
    network = MixingLayer.network

    def other(self):
        return network(m.eqx.tree_at(lambda x: x.inner.weight, self, 1.01 * self.inner.weight))

    monkeypatch.setattr(MixingLayer, "network", other)
    assert m.differences(run(), "tokens", "relu").max() > 1e-3


def test_the_gradient_of_another_norm_is_not_layer_norm():
    assert m.gradients(run()) < 1e-12
    assert m.gradients(run(), SphericalNorm) > 0.1


def test_a_flow_of_long_steps_may_rise():
    assert m.flow(run(), 0.05, 40).rise.max() < 7.2e-15
    assert m.flow(run(), 3.0, 40).rise.max() > 1e-3


def test_decay_costs_energy_with_an_epsilon():
    exact, usual, large = m.decay(run(), (m.EXACT, 1e-5, 1e-2))
    assert exact < 1e-14
    assert usual > 1e-6
    assert large > 1e-3


def test_energies_rise_untied_and_where_decay_overshoots():
    assert m.rises(m.walks(run(), True, "relu", 1.0, 0.0)).max() < 7.2e-15
    assert m.rises(m.walks(run(), True, "relu", 3.0, 1.0)).max() > 1e-3
    assert np.mean(m.rises(m.walks(run(), False)) > 7.2e-15) > 0.8
    assert m.rises(RISING) == pytest.approx([0.2 / 3.1, 0.1 / 2.2])


def test_halves_of_untied_weights_share_no_energy():
    tied, untied = (m.halves(run(), 10, each) for each in (True, False))
    assert m.rises(tied.together.sum(-1)).max() < 7.2e-15
    assert m.rises(untied.together.sum(-1)).max() > 1e-3
    # Each half lowers its own.
    steps = np.diff(tied.in_turn, axis=1)
    assert max(steps[:, 0::2, 0].max(), steps[:, 1::2, 1].max()) < 0


def test_digits_are_not_learnt_without_steps():
    few = m.digits(Run(sizes={"digits.untied": 2, "digits.steps": 1}), False)
    assert few.accuracy.mean() < 0.5
    assert abs(m.alignment(few)) < 0.2
    assert m.alignment(learnt(0.9)) == pytest.approx(1)
    assert few.losses.shape == (1,)


def test_the_norm_in_numpy_is_the_activation():
    norm, table = LayerNorm(1.3, np.ones(3), axis=-1), np.random.default_rng(0).normal(size=(2, 3))
    active = norm.activation(jnp.asarray(table, jnp.float32))
    np.testing.assert_allclose(m.layer_norm(table, norm), active, rtol=1e-5)
