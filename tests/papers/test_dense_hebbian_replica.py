"""Dense Hebbian networks: what breaks which claim, and measurements of what is broken."""

from functools import partial

import numpy as np
import pytest

from attrax import models, theory
from attrax.dynamics import Glauber
from attrax.papers.contract import Run
from attrax.papers.dense_hebbian_replica import measure as m


def sized(shift, *shape):
    """Numbers that are off the theory of order one by a shift, at two sizes."""
    return m.Sized(np.array([64, 128]), np.full((2, *shape), shift), np.full((2, *shape), 1e-3))


DRAWS = {f"magnetised.draws, teacher: {there}": (2, 16, 12) for there in (True, False)}
REST = np.tile([1, 1, 0.8, 0.9, 0.9, 0.9], (4, 1)) + np.array([[1e-4], [0], [1e-4], [0]])
STEPS = np.full((4, 3, 2), 0.5) + np.array([-1e-4, 1e-4, -1e-4, 1e-4])[:, None, None]
BROKEN = {
    "energies": ({m.enumeration: 1e-3}, {"energies_are_of_all_groups"}),
    "other temperature": ({m.sampled: np.full(8, 0.5)}, {"monte_carlo_samples_all_states"}),
    "first steps": ({m.first_step: sized(0.5)}, {f"one_step[{name}]" for name in m.STEPS}),
    "heated": ({m.heated: sized(0.5, 2, 8)}, {"few[m]", "few[z]"}),
    "magnetised": (
        {m.magnetised: sized(0.5, 2)},
        {"many[loaded]", "many[taught]", "many[alone]"},
    ),
    "at rest": ({m.at_rest: REST}, {"ultra_storage", "storage_ends"}),
    "as good": ({m.repeated: STEPS}, {"repeated_units_hold_any_state", "groups_bear_less_noise"}),
    "pictures": ({m.pictures: np.full((4, 4), 0.5)}, {"pictures_come_back"}),
}


def test_groups_of_another_degree_have_other_energies(monkeypatch):
    assert m.enumeration(Run()) < 7.2e-15
    other = partial(models.ManyBodyMemory, degree=5)
    monkeypatch.setattr(m, "dense_hebbian_memory", lambda rows, *_, **__: other(rows.mean(axis=1)))
    assert m.enumeration(Run()) > 0.1


def test_samples_at_another_temperature_are_seen():
    run = Run(sizes={"sampled.chains": 500})
    assert abs(np.mean(m.sampled(run))) < 0.06
    assert abs(np.mean(m.sampled(run, 0.3))) > 0.1


def test_first_steps_follow_the_noise_of_all_archetypes(monkeypatch):
    run = Run(sizes={"step.sizes": (24, 32), "step.draws": 3})
    steps = {name: m.first_step(run, name).means for name in ("noisy", "alone")}
    laws = {name: float(law(m.STEPS[name])) for name in steps}
    for name, means in steps.items():
        assert abs(means[-1] - laws[name]) < 0.09
    monkeypatch.setitem(m.STEPS, "noisy", m.STEPS["noisy"]._replace(load=0.2))
    assert m.first_step(run, "noisy").means[-1] < laws["noisy"] - 0.15


def law(network):
    return theory.dense_hebbian_first_step(network.noise_load, network.degree, network.entropy)


def test_heated_networks_lose_their_archetypes(monkeypatch):
    run = Run(sizes={"heated.sizes": (64, 128), "heated.draws": (3, 10)})
    sized = m.heated(run)
    overlaps = sized.means[1, 0]
    theirs = np.asarray(m.expected(m.FEW, m.TEMPERATURES).overlap)
    assert np.abs(overlaps[:4] - theirs[:4]).max() < 0.05
    assert overlaps[-1] < 0.3
    monkeypatch.setattr(m, "FEW", m.FEW._replace(quality=0.05))
    assert m.heated(run).means[1, 0, 0] < theirs[0] - 0.05


def test_magnetised_networks_at_another_temperature_are_seen():
    network = m.TAUGHT._replace(load=0.02)
    run = Run(sizes={"magnetised.sizes P = 3": (60, 90), **DRAWS})
    theirs = m.expected(network, 0.1)
    means = m.magnetised(run, network, 0.1).means[-1]
    np.testing.assert_allclose(means, theirs[:2], atol=0.05)
    warm = m.magnetised(run, network, 0.3).means[-1]
    assert warm[0] < theirs.overlap - 0.1
    alone = m.magnetised(run, network._replace(teacher=False, load=0.06), 0.1).means[-1]
    assert alone[0] < theirs.overlap - 0.05


def test_chains_that_leave_are_left_out():
    run = Run(sizes={"magnetised.sizes P = 3": (30, 40), **DRAWS})
    network = m.Network(3, 0.45, 30, 0.02)
    stayed = m.magnetised(run, network, 0.15)
    overlaps = [m.warm(run, network, 40, Glauber(0.15, sweeps=12), 4, 16, i)[0] for i in (0, 1)]
    every = np.concatenate(overlaps)
    assert every.min() < 0.4
    kept = every[every.min(axis=1) > 0.5]
    assert stayed.means[1, 0] == pytest.approx(kept.mean(), abs=1e-6)
    assert stayed.means[1, 0] > every.mean() + 0.02


def test_networks_at_rest_keep_few_archetypes(monkeypatch):
    run = Run(sizes={"rest.draws": 2})
    overlaps = m.at_rest(run, 20).mean(axis=0)
    assert overlaps[0] > 0.95
    assert overlaps[-1] < 0.85
    monkeypatch.setattr(m, "LOADS", (0.12, 0.5))
    assert m.at_rest(run, 20).mean(axis=0)[-1] < 0.8


def test_random_states_are_held_by_repeated_units_alone():
    run = Run(sizes={"repeated.draws": 2})
    overlaps = m.repeated(run, 0.2, 20).mean(axis=0)
    assert overlaps[2, 1] > 0.95
    assert np.abs(overlaps[:2, 1]).max() < 0.3
    few = m.repeated(run, 0.001, 20).mean(axis=0)
    np.testing.assert_array_equal(few[:, 0], 1)


@pytest.mark.parametrize(("degree", "low", "high"), [(2, 0, 0.3), (4, 0.9, 1)])
def test_pictures_come_back_by_groups_of_four(degree, low, high):
    run = Run(sizes={"pictures.draws": 2})
    shares = m.pictures(run, degree)
    assert low <= shares[2].mean() <= high
    assert m.pictures(run, degree, "examples").mean() < 0.3


def test_no_key_makes_two_runs_differ():
    run = Run()
    dynamics = Glauber(0.1, sweeps=4)
    first, second = (m.warm(run, m.TAUGHT, 30, dynamics, 1, 4, i)[0] for i in (0, 0))
    np.testing.assert_array_equal(first, second)
    assert first.shape == (4, 3)
    assert (m.warm(run, m.TAUGHT, 30, dynamics, 1, 4, 1)[0] != first).any()
