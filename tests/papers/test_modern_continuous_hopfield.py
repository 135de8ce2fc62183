"""Modern Hopfield network: what breaks which claim, and measurements of what is broken."""

import numpy as np
import pytest

from attrax import theory
from attrax.models import modern_memory
from attrax.papers.contract import Run
from attrax.papers.modern_continuous_hopfield import measure as m

ONES = np.ones(len(m.BETAS))
GOOD = m.Descents(0 * ONES[:, None], -ONES, 10 * ONES, 0 * ONES, np.ones(5))
ABOVE, BELOW = np.array([[0.0, 0.0], [0.1, -1.0]]), np.array([[0.0], [-1.0]])
SIZES = np.tile(np.array([21, 3, 1])[:, None], (4, 1, 3))
PHASES = len(m.PHASES)
MASKED = np.full((4, PHASES), 0.5), np.full((4, PHASES, 24), 2), np.zeros((0, 24, 4))
BROKEN = {
    "energies rise": (
        {m.descents: GOOD._replace(rises=1e-3 * ONES[:, None])},
        {"energy_falls"},
    ),
    "energies leave their bounds": (
        {m.descents: GOOD._replace(excess=1e-3 * ONES)},
        {"energy_keeps_its_bounds"},
    ),
    "reads go on": ({m.descents: GOOD._replace(last=1e-3 * ONES)}, {"reads_come_to_rest"}),
    "another rate": (
        {m.descents: GOOD._replace(rates=np.full(5, 0.9))},
        {"reads_shrink_distances_by_the_jacobian"},
    ),
    "errors above the bound": (
        {m.bounds: (ABOVE, np.concatenate([BELOW, BELOW[:1]]))},
        {"errors_of_one_read_are_bounded"},
    ),
    "contractions above the bound": (
        {m.bounds: (BELOW, np.concatenate([ABOVE, ABOVE[:1]]))},
        {"one_read_contracts"},
    ),
    "no bound that says anything": (
        {m.bounds: (np.zeros((2, 0)), np.zeros((3, 0)))},
        {"errors_of_one_read_are_bounded", "one_read_contracts"},
    ),
    "out of the sphere": (
        {m.spheres: (np.array([0.1, 1.5]), np.zeros(2), "2 of 2")},
        {"spheres_keep_what_starts_in_them"},
    ),
    "other constants": (
        {m.constants: (np.array([3.1546, 1.3721]), np.zeros(2))},
        {"constants_are_those_printed"},
    ),
    "a lost pattern": (
        {m.guaranteed: np.arange(1000) > 20},
        {"guaranteed_patterns_are_stored"},
    ),
    "no growth": (
        {m.growth: m.Growth(np.array([10, 20]), np.tile([2.0, 2.5], (3, 1)))},
        {"patterns_grow_faster_than_is_guaranteed"},
    ),
    "no state of three": (
        {m.duplicates: np.where(SIZES == 3, 1, SIZES)},
        {"three_kinds_of_fixed_points"},
    ),
    "ends apart": ({m.hot: 0.1}, {"hot_memories_have_one_fixed_point"}),
    "images as random patterns": (
        {m.phases: np.ones((PHASES, 10), int)},
        {"images_pass_through_metastable_states"},
    ),
    "other images": ({m.masked: MASKED}, {"images_are_completed"}),
}


def test_energies_fall_within_bounds_and_at_the_rate_of_theory(monkeypatch):
    run = Run(sizes={"descents.starts": 4})
    right = m.descents(run, 60, 10)
    assert right.rises.max() < 7.2e-15
    assert right.excess.max() < 0
    assert right.last.max() < 1e-12
    np.testing.assert_allclose(right.rates, 1, atol=0.01)
    # Two reads are not enough to come to rest.
    monkeypatch.setattr(m, "DAMPINGS", (1.0,))
    plain = m.Iterate
    monkeypatch.setattr(m, "Iterate", lambda damping, **limits: plain(**{**limits, "max_steps": 2}))
    assert m.descents(run, 60, 10).last.max() > 1e-12
    # Of another β, neither the offset nor the Jacobian fits.
    monkeypatch.setattr(m, "Iterate", plain)
    monkeypatch.setattr(m, "modern_memory", lambda rows, beta: modern_memory(rows, beta / 8))
    other = m.descents(run, 60, 10)
    assert other.excess.max() > 0.1
    assert abs(other.rates.mean() - 1) > 0.01


def test_energies_rise_by_rounding_in_single_precision():
    run = Run(sizes={"descents.starts": 4})
    assert m.descents.__wrapped__(run, 60, 10).rises.max() > 7.2e-15


def small(monkeypatch):
    monkeypatch.setattr(m, "SETTINGS", ((20, 7, 3.0, 1.0), (20, 100, 1.0, 1.0)))
    return Run(sizes={"bounds.states": 4000, "spheres.states": 100})


@pytest.mark.parametrize("beta", [1.0, 0.5])
def test_reads_of_another_memory_break_the_bounds(beta, monkeypatch):
    run = small(monkeypatch)
    if beta != 1:
        plain = m.modern_memory
        monkeypatch.setattr(m, "modern_memory", lambda rows, _: plain(rows, beta))
    errors, ratios = m.bounds(run)
    assert errors.shape[1] > 2000
    assert ratios.shape[1] > 1000
    holds = beta == 1
    assert (m.worst(errors) <= 1) == (m.worst(ratios) <= 1) == holds
    assert not holds or m.worst(ratios) < m.worst(ratios[2:0:-1]) <= 1


def test_spheres_that_are_too_large_lose_states(monkeypatch):
    run = small(monkeypatch)
    read, end, patterns = m.spheres(run)
    assert read.max() <= 1
    assert end.max() < 1e-9
    assert patterns == "7 of 107"
    far = m.spheres(run, 5000.0)
    assert far[0].max() > 1
    assert far[1].max() > 1


def test_constants_and_guarantees_of_another_beta_are_others(monkeypatch):
    assert np.abs(m.constants(Run(), 1.01)[0] - [3.1546, 1.3718]).max() > 1e-3
    run = Run(sizes={"guaranteed.thousands": 1})
    assert m.guaranteed(run, 75, 1.0).all()
    # Patterns of a fifth of the norm are not as far apart as the theorem asks for.
    monkeypatch.setattr(m, "guaranteed_number", lambda *_: 10)
    assert not m.guaranteed(run, 75, 0.2).any()


def test_drawn_overlaps_are_those_of_patterns():
    rng = np.random.default_rng(0)
    logs = [m.last_read(rng, 8, 1.0) for _ in range(200)]
    found = []
    for _ in range(40):
        rows = m.sphere(rng, 1500, 8, np.sqrt(7))
        grown = np.exp(rows[0] @ rows.T)
        found.append(np.log(1 + np.sum(np.cumsum(grown[1:]) < grown[0])))
    error = np.hypot(np.std(logs) / np.sqrt(200), np.std(found) / np.sqrt(40))
    assert abs(np.mean(logs) - np.mean(found)) < 4 * error
    number = int(np.exp(np.mean(logs)))
    weights = [
        modern_memory(rows := m.sphere(rng, number, 8, np.sqrt(7)), 1.0).weights(rows[0])[0]
        for _ in range(20)
    ]
    assert np.mean(weights) == pytest.approx(0.5, abs=0.06)


def test_patterns_grow_less_when_hot():
    sizes = {"growth.draws": (3, 4), "growth.read": (8, 12)}
    slopes = [m.growth(Run(sizes=sizes), "read", beta).slopes.mean() for beta in (1.0, 0.1)]
    assert slopes[0] == pytest.approx(0.62, abs=0.08)
    assert slopes[1] < 0.079
    rng = np.random.default_rng(0)
    kept = int(np.exp(np.mean([m.last_separated(rng, 30, 1.0) for _ in range(10)])))
    shares = [
        np.mean([theory.modern_well_separated(m.sphere(rng, n, 30, np.sqrt(29)), 1.0).all()
                 for _ in range(10)])
        for n in (kept // 4, 4 * kept)
    ]  # fmt: skip
    assert shares == [1, 0]


def test_patterns_that_are_not_alike_share_no_state():
    run = Run(sizes={"duplicates.draws": 1})
    assert m.duplicates(run)[0, :, 0].tolist() == [21, 3, 1]
    assert m.duplicates(run, 2.0)[0, 1].tolist() == [1, 1, 1]


def test_images_are_neither_random_nor_told_apart_when_hot():
    run = Run(sizes={"phases.patterns": 40, "masked.sets": 1})
    images, random = (m.metastable(m.phases(run, which)).max() for which in ("images", "random"))
    assert images > 0.9
    assert random < 0.1
    assert m.hot(run, "images") < 1e-9
    assert m.hot(run, "images", 30.0) > 0.1
    right, sizes, pictures = m.masked(run)
    cold = m.PHASES.index(64.0)
    assert right[0, cold] > 0.9
    assert right[0, 0] == 0
    assert sizes[0, 0].min() > 12
    assert pictures.shape == (2 + PHASES, 24, 784)
    assert m.masked(run, 1.0)[0][0, cold] < 0.2


def test_the_landscape_has_a_metastable_state():
    run = Run(sizes={"landscape.betas": 3})
    rows, energies, paths, points = m.landscape(run)
    assert np.isfinite(energies).all()
    ends = paths[:, -1]
    middle = ends[np.argmin(np.linalg.norm(ends - rows[1], axis=1))]
    assert np.linalg.norm(middle - rows[:3].mean(axis=0)) < 0.06
    beta, _, size = points.T
    sizes = [sorted(size[np.isclose(beta, b)]) for b in (1, 8, 64)]
    assert sizes == [[4], [1, 1, 3], [1] * 5]
