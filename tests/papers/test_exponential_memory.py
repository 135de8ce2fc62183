"""Exponential memory: what breaks which claim, and measurements of what is broken."""

from functools import partial

import numpy as np
import pytest

from attrax.models import exponential_memory
from attrax.papers import exponential_memory as paper
from attrax.papers.contract import Run
from attrax.papers.exponential_memory import measure as m
from attrax.theory import exponential_flip_probability


def repaired(share, numbers=3, draws=400):
    """Networks of ten patterns, a share of which repairs all and the rest none."""
    exact = np.where(np.arange(draws) < share * draws, 10, 0)
    tens = np.full((numbers, 1), 10)
    return m.Repaired(np.tile(exact, (numbers, 1)), tens, tens)


def series(small, large, beyond):
    """Shares at the least and largest sizes of the first two series, and at N = 60 of the last."""
    shares = {12: small, 20: small, 26: large, 50: large, 60: beyond}
    return {d: repaired(share, numbers=1) for d, share in shares.items()}


def far(slope):
    sizes, steps = np.array([60, 400]), np.array(m.STEPS)
    logs = (slope * sizes + np.log(sizes) / 2)[:, None] + steps
    shares = np.tile(np.linspace(0.01, 0.09, steps.size), (4, 2, 1))
    return m.Far(sizes, logs, shares)


SIZES = np.array([12, 24])
RISING = np.array([[-20.0, -21.0, -20.5]])
EDGES = np.full(8, 1.3) + np.tile([-1e-3, 1e-3], 4)
BROKEN = {
    "no network keeps its patterns": (
        {m.repaired: repaired(0)},
        {"below_the_rate[0]", "below_the_rate[1]", "polynomial[0]", "polynomial[1]"},
    ),
    "degree 3 keeps all": ({m.repaired: repaired(1)}, {"polynomial[2]"}),
    "fewer with size": (
        {m.series: series(0.9, 0.1, 0)},
        {"more_with_size[0]", "more_with_size[1]"},
    ),
    "beyond the rate": ({m.series: series(0.1, 0.9, 0.5)}, {"beyond_the_rate"}),
    "growth of one pattern": (
        {m.growth: m.Growth(SIZES, np.log(2) * SIZES - np.log(SIZES) / 2, np.full(2, 1e-3))},
        {"grows_by_half_ln_2"},
    ),
    "other edges": (
        {m.edges: EDGES, m.series: series(0.1, 0.9, 0)},
        {
            "networks_end_where_pairs_say",
            "patterns_end_where_pairs_say",
            "one_pattern_ends_with_all",
        },
    ),
    "half the rate": ({m.far: far(0.184)}, {"one_pattern_lasts_twice_as_long"}),
    "sweeps": (
        {m.descent: m.Descent(RISING, RISING, 0.9)},
        {"energy_falls", "sweeps_are_the_rule"},
    ),
}


def test_one_pattern_differs_only_where_networks_end_at_the_law():
    check = paper.one_pattern_ends_with_all.check
    known = {m.series: series(0.1, 0.9, 0), (m.edges, "one", "all", 2, 3, 4): 1.5 + EDGES}
    every = (m.edges, "all", "all", 2, 3, 4)
    assert check(Run(known={**known, every: EDGES - 0.3})).verdict == "differs"
    assert check(Run(known={**known, every: EDGES})).verdict == "fails"


def test_networks_of_another_memory_repair_less():
    run = Run()
    whole = m.repaired(run, 16, (40,), 0, 60)
    assert whole.one.mean() > 0.97
    assert m.repaired(run, 16, (40,), 5, 60).one.mean() < 0.4
    assert m.repaired(run, 16, (40,), 0, 60, make=m.cubic).one.mean() < 0.9
    weak = partial(exponential_memory, beta=0.05)
    assert m.repaired(run, 16, (40,), 0, 60, make=weak).one.mean() < 0.5


def test_what_was_not_tried_is_not_counted():
    some = m.repaired(Run(), 16, (8, 40), 0, 4, 20)
    assert some.tried.tolist() == [[8], [20]]
    assert np.isfinite(some.all[0]).all()
    assert all(np.isnan(x) or x == 0 for x in some.all[1])


@pytest.mark.parametrize("flips", [0, 2])
def test_pairs_of_patterns_decide(flips):
    number, draws = 12, 3000
    measured = m.repaired(Run(), 12, (number,), flips, draws)
    laws = m.pair_law(12, flips, number)
    for share, law in zip((measured.one, measured.all), laws, strict=True):
        # Errors of a network's patterns go together, so its mean is the unit of chance.
        error = share.std(ddof=1) / np.sqrt(draws)
        assert abs(share.mean() - law) < 4 * error + 0.01
    other = m.pair_law(12, flips + 2, number)[0]
    assert abs(measured.one.mean() - other) > 0.03


def test_thresholds_are_areas():
    held = np.where(np.array(m.PATTERNS) <= 64, 1.0, 0.0)
    middle = np.log(64) + np.log(96 / 64) / 2
    assert m.threshold(held) == pytest.approx(middle)


def test_edges_and_growth_of_another_memory_are_seen(monkeypatch):
    sizes = {"map.networks": 40, "growth.sizes": (8, 12, 16), "growth.networks": (900, 900, 900)}
    run = Run(sizes=sizes)
    assert np.mean(m.edges(run, "all", "all", 2)) == pytest.approx(1, abs=0.06)
    assert np.mean(m.edges(run, "one", "one", 2)) == pytest.approx(1, abs=0.06)
    slope, error = m.growth(run).slope(0.5)
    assert abs(slope - np.log(2) / 2) < 4 * error + 0.01
    monkeypatch.setattr(m, "repaired", partial(m.repaired, make=m.cubic))
    run = Run(sizes=sizes)
    assert np.mean(m.edges(run, "all", "all", 2)) < 0.9
    with (
        np.errstate(divide="ignore", invalid="ignore"),
        pytest.raises((ValueError, ZeroDivisionError)),
    ):
        m.growth(run)


def test_networks_repair_more_with_size_and_less_with_damage():
    sizes = {"series.networks": (400, 40), "series.sizes ρ = 0.1": (20, 40)}
    shares = [r.all.mean() for r in m.series(Run(sizes=sizes), 0.1, 0.15).values()]
    assert shares[1] > shares[0] + 0.1
    few = m.repaired(Run(), 20, (m.stored(0.15, 20),), 6, 200).all.mean()
    assert few < shares[0] - 0.3


def test_drawn_numbers_of_patterns_have_the_errors_of_theory():
    rng = np.random.default_rng(0)
    for log, d, flips in ((21.5, 60, 6), (73.5, 200, 20)):
        drawn = m.wrong_unit(rng, log, d, flips, 20_000)
        theory = float(exponential_flip_probability(log, d, flips / d))
        assert drawn == pytest.approx(theory, rel=0.15)
    sizes = {"far.sizes": (60, 200), "far.draws": (2, 4000)}
    assert m.far(Run(sizes=sizes)).slopes(0.05).mean() == pytest.approx(0.368, abs=0.01)
    other = m.far(Run(sizes=sizes), 0.15).slopes(0.05)
    assert np.isnan(other).all()


def test_energies_fall_one_by_one_but_not_at_once():
    run = Run(sizes={"descent.starts": 8})
    right = m.descent(run)
    assert right.agree == 1
    assert m.largest_rise(right.single) < 7.2e-15
    assert m.largest_rise(right.together) > 1e-3
    assert m.descent(run, 0.2).agree < 1
    # Sweeps of another energy raise this one.
    assert m.largest_rise(right.single[:, ::-1]) > 1e-2
