"""Implicit energy-based models: what breaks which claim, and broken measurements."""

import numpy as np
import pytest

from attrax.papers import implicit_ebm as paper
from attrax.papers.contract import NotRun, Run
from attrax.papers.implicit_ebm import measure as m
from attrax.separation import Softmax
from attrax.similarity import Euclidean
from attrax.stores.rows import Memory
from attrax.training import LangevinSampler

SOME = np.array([-1e-3, 0.0, 1e-3])


def variances(jitter, plain, adjusted):
    return m.Variances(*(value + np.tile(SOME[:, None], 2) for value in (jitter, plain, adjusted)))


def mixtures(buffer, noise, least, both):
    values = (-2.0, buffer, noise, -0.3)
    rows = np.zeros((1, 2))
    return m.Mixtures(
        *(value + SOME for value in values), -0.3, least + SOME, both + SOME, rows, rows, None
    )


def images(noise=1.0, clothes=0.9, noisy=0.03, hidden=0.06):
    pairs = [
        np.stack([np.full(3, x) for x in row], 1) for row in ((0.05, noisy), (0.1, hidden, 0.2))
    ]
    areas = (np.array([x, x, x]) for x in (noise, clothes))
    return m.Images(*areas, *pairs, SOME, SOME, (), np.zeros((5, 8, 8, 8)))


KNOWN = {m.baselines: m.Baselines(0.03, 0.04, 0.03)}
FREE = {(m.images, False): images()}
BROKEN = {
    "noise after the slope": ({m.steps: 0.1}, {"steps_are_those_of_the_code"}),
    "another slope": (
        {m.slopes: {"contrastive": 0.1, "logsumexp": 0.0}},
        {"loss_has_the_slope_of_likelihood"},
    ),
    "temperatures that are what they should be": (
        {m.variances: variances(1.0, 1.0, 1.0)},
        {"variance_of_the_code", "variance_of_the_formula"},
    ),
    "refusals that refuse nothing": (
        {m.variances: variances(np.array([0.8167, 1 / 3]), np.array([16 / 15, 4 / 3]), 1.2)},
        {"refusals_take_the_bias_away"},
    ),
    "sums that are means": (
        {m.product: m.Product(1.0, np.full((3, 3), 2.0))},
        {"sums_are_products_of_densities", "sums_are_sampled"},
    ),
    "no bound": ({m.largest_slope: 50.0}, {"slopes_are_bounded"}),
    "nothing learnt": (
        {m.mixtures: mixtures(-1.9, -1.0, 0.01, 0.5)},
        {
            "memories_learn_by_the_same_loss",
            "buffers_help",
            "modes_are_all_found",
            "learnt_energies_compose",
        },
    ),
    "energies that say nothing": (
        {**KNOWN, **FREE, m.images: images(0.5, 0.5, 0.06, 0.2)},
        {"restoration[noisy]", "restoration[hidden]", "anomalies[noise]", "anomalies[clothes]"},
    ),
}


def test_other_steps_and_sums_are_seen(monkeypatch):
    run = Run(sizes={"product.draws": 1})
    assert m.steps(run) < 1e-14
    found = m.product(run)
    assert found.difference < 1e-13
    assert np.abs(found.ratios - 1).max() < 0.15
    monkeypatch.setattr(
        m,
        "LangevinSampler",
        lambda *a, step, **options: LangevinSampler(*a, step=step / 2, **options),
    )
    assert m.steps(run) > 0.01
    assert np.abs(m.product(run).ratios - 1).max() > 0.3


def test_other_losses_are_seen(monkeypatch):
    assert max(m.slopes(Run()).values()) < 1e-14
    loss = m.contrastive_energy_loss
    monkeypatch.setattr(
        m, "contrastive_energy_loss", lambda a, b, **options: loss(a, b / 2, **options)
    )
    assert min(m.slopes(Run()).values()) > 1e-3


def test_variances_are_those_of_their_own_steps(monkeypatch):
    run = Run(sizes={"variances.draws": 1})
    found = m.variances(run)
    np.testing.assert_allclose(found.jitter, [[0.8167, 1 / 3]], rtol=0.1)
    np.testing.assert_allclose(found.plain, [[16 / 15, 4 / 3]], rtol=0.1)
    np.testing.assert_allclose(found.adjusted, 1, rtol=0.1)


def test_a_memory_has_the_density_of_its_mixture():
    rows = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    memory = Memory(rows, similarity=Euclidean(), separation=Softmax(4.0))
    points = rows[:3] + np.float32(0.2)
    squares = np.sum((points[:, None] - rows) ** 2, axis=-1)
    expected = np.log(np.mean(np.exp(-2 * squares), axis=1) * 4 / (2 * np.pi))
    np.testing.assert_allclose(m.log_density(memory, points), expected, rtol=1e-4)


def test_samples_are_counted_by_mode_and_support():
    points = np.array([[1.0, 0.0], [1.3, 0.1], [-1.0, 0.05], [0.0, 1.0], [1.5, 0.0]])
    np.testing.assert_allclose(m.shares(points)[[0, 2, 4]], [0.6, 0.2, 0.2])
    assert m.inside(points).tolist() == [True, True, True, False, False]


def test_networks_without_bounds_are_steep(monkeypatch):
    assert m.largest_slope(Run()) < 1
    monkeypatch.setattr(m, "bound_spectral_norms", lambda network: network)
    assert m.largest_slope(Run()) > 100


def test_a_memory_and_a_network_learn_a_little(monkeypatch):
    monkeypatch.setattr(m, "clothes", lambda run: m.digits(run)[1])
    found = m.images(Run(sizes={"images.steps": 100, "images.seeds": 1}))
    assert found.clothes[0] == pytest.approx(0.5, abs=1e-3)
    assert found.noise[0] > 0.9
    assert found.noisy[0, 1] < found.noisy[0, 0]
    with pytest.raises(NotRun, match="--profile full"):
        m.images(Run(), False)


def test_baselines_mend_the_same_damage():
    found = m.baselines(Run())
    assert 0.02 < found.nearest < found.mean < 0.05
    assert paper.restoration["noisy"].most == 1
