"""iMixer: what breaks which claim, and measurements of what is broken."""

import numpy as np
import pytest

from attrax.evaluate import Descent
from attrax.papers.contract import Run
from attrax.papers.imixer import measure as m
from attrax.papers.mixers import Learnt

RISING = np.array([[-3.0, -3.1, -2.9], [-2.0, -2.2, -2.1]])
SLOW = m.Iterated(0.999 ** np.tile(np.arange(7), (5, 1)), np.full(5, 0.1))


def steep(slope):
    states = np.linspace(0, 3, 301)
    return m.Steep(states, states, slope)


def learnt(accuracy):
    return Learnt(None, np.ones(20), accuracy + np.array([-1e-3, 1e-3]))


BROKEN = {
    "slow iterations": (
        {m.iterated: SLOW},
        {"fixed_point_is_the_inverse", "few_iterations_suffice", "convergence_is_geometric"},
    ),
    "norms from below": (
        {m.norms: m.Norms(np.array([0.9, 1.05]), np.array([1.0, 1.1]))},
        {"norms_keep_to_the_bound"},
    ),
    "other slopes": (
        {(m.steep, m.PUBLISHED): steep(0.9), (m.steep, m.SURE): steep(1.1)},
        {"published_bound_promises_nothing", "smaller_bound_is_a_contraction"},
    ),
    "another gradient": (
        {m.gradients: np.full(4, 0.1)},
        {"implicit_gradient_is_the_unrolled_one"},
    ),
    "another block": ({m.without_iterations: 0.1}, {"without_iterations_it_is_the_mixer"}),
    "energies that rise": (
        {m.flow: Descent({"all": RISING}, None), m.walks: RISING[None]},
        {"tied_energy_falls"},
    ),
    "feedback that harms": (
        {(m.digits, 0): learnt(0.97), (m.digits, 2): learnt(0.9)},
        {"feedback_costs_at_most_a_point"},
    ),
}


def run():
    small = {"iterated.draws": 5, "norms.draws": 2, "gradients.draws": 2, "flow.starts": 3}
    return Run(sizes={**small, "walks.runs": 3})


def test_iterations_without_normalisation_do_not_converge():
    assert m.iterated(run(), m.PUBLISHED, 1).gaps.max() < 1e-12
    with np.errstate(over="ignore", invalid="ignore"):
        wild = m.iterated(run(), 8.0, 1)
        assert not wild.gaps.max() < 1e-3
        assert not wild.ratios.max() < 0.98


def test_a_larger_bound_is_steeper_and_has_several_inverses():
    assert m.steep(run(), m.SURE).solutions == 1
    larger = m.steep(run(), 0.95)
    assert larger.slope == pytest.approx((0.95 * m.SLOPE) ** 2, rel=1e-6)
    assert larger.solutions == 3


def test_norms_by_eight_steps_from_a_random_start_are_too_small():
    norms = m.norms(run())
    assert norms.above.max() < 1 + 1e-12
    assert norms.power.max() > 1 + 1e-3


def test_few_iterations_have_another_gradient():
    assert m.gradients(run(), 100).max() < 1e-5
    assert m.gradients(run(), 1).max() > 1e-3


def test_iterations_change_a_block():
    assert m.without_iterations(run()) < 1e-12
    assert m.without_iterations(run(), 1) > 1e-3


def test_energies_rise_in_steps_that_are_too_long():
    assert m.flow(run(), 0.005, 20).rise.max() < 7.2e-15
    assert m.flow(run(), 0.3, 20).rise.max() > 1e-3
    walks = m.walks(run(), (1.0,))
    assert m.rises(walks).max() < 7.2e-15
    assert m.rises(walks[..., ::-1]).max() > 1e-3


def test_digits_are_not_learnt_without_steps():
    few = Run(sizes={"digits.members": 2, "digits.steps": 1})
    assert m.digits(few, 2).accuracy.mean() < 0.5
