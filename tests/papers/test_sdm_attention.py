"""Sparse distributed memory and attention: what breaks which claim, and broken measurements."""

import numpy as np
import pytest

from attrax import theory
from attrax.models import SparseDistributedMemory
from attrax.papers import sdm_attention as paper
from attrax.papers.contract import Run
from attrax.papers.sdm_attention import measure as m
from attrax.separation import CircleIntersection, Softmax


def sampled(factor):
    expected = np.full(16, 5.0)
    spread = 1 + np.tile([-1e-3, 1e-3], 4)[:, None]
    return m.Sampled(np.arange(16), expected, factor * expected * spread)


def recall(attention, wide):
    """Shares of draws: all come back by circles, and so many by attention."""
    ones = np.tile([[1.0], [0.999]], (2, len(m.FLIPS)))
    return m.Recall(ones, attention * ones, wide * ones, ones)


def neurons(best, beyond):
    shares = np.full((4, 15, 3), 0.8) + np.array([-1e-3, 1e-3, -1e-3, 1e-3])[:, None, None]
    shares[:, 8], shares[:, 11] = best * shares[:, 8], beyond * shares[:, 11]
    return m.Radii(np.arange(103, 118), np.arange(3), shares, 111)


def reads(ratio):
    flips = np.arange(50.0, 110, 6)
    gain = 0.8 * (flips - 72 * ratio) + np.array([-0.1, 0.1, -0.1, 0.1])[:, None]
    return m.Reads(flips, flips + gain, flips, 72)


CRITICAL = [f"critical_distances[{i}]" for i in range(3)]
SLOPE = theory.ExponentialFit(28.4, 0.0, 0.9)
BROKEN = {
    "counts": (
        {m.counted: 1e-3, m.disagreement: 2.0},
        {"circles_are_counted", "reads_are_sums_over_patterns"},
    ),
    "fewer locations": ({m.sampled: sampled(0.9)}, {"locations_are_in_common"}),
    "other radii": ({m.radii: (446, 5, 15)}, {"radii[0]", "radii[1]"}),
    "one slope for both": ({m.fit: SLOPE}, {"fitted_beta"}),
    "attention forgets": (
        {m.recall: recall(0.5, 0.5)},
        {"alike[11]", "alike[15]", "attention_reaches_further"},
    ),
    "a bad radius, and a broad peak": (
        {m.neurons: neurons(0.7, 1.0)},
        {"best_radius_recalls", "radius_is_sharp"},
    ),
    "reads help too far": ({m.scaled: reads(1.3), m.canonical: reads(1.3)}, set(CRITICAL)),
    "energy": ({m.descents: np.array([[-2.0, -1.0, -3.0]])}, {"energy_falls"}),
}


def test_verdicts_differ_only_with_their_intervention():
    check = paper.fitted_beta.check
    known = {(m.fit, d): SLOPE for d in (5, 11, 15)}
    theirs = (m.fit, 5, "sample_covariance")
    other = SLOPE._replace(beta=35.5)
    assert check(Run(known={**known, theirs: other})).verdict == "differs"
    assert check(Run(known={**known, theirs: SLOPE})).verdict == "fails"
    check = paper.alike[15].check
    assert check(Run(known={m.recall: recall(0.5, 1.0)})).verdict == "differs"
    check = paper.critical_distances[1].check
    known = {(m.scaled, True): reads(1.3), (m.scaled, False): reads(1.0)}
    assert check(Run(known=known)).verdict == "differs"


def test_counts_of_another_formula_are_off(monkeypatch):
    run = Run(sizes={"counted.bits": (7,)})
    assert m.counted(run) < 1e-14
    share = theory.circle_intersection

    def caps(distance, n, radius):
        return share(distance, n, radius, form="normal")

    monkeypatch.setattr(theory, "circle_intersection", caps)
    assert m.counted(run) > 0.01


def test_locations_of_another_radius_are_not_as_many(monkeypatch):
    run, share = Run(sizes={"sampled.draws": 40}), theory.circle_intersection
    ratio = m.sampled(run).ratio()
    assert abs(ratio.mean() - 1) < 4 * ratio.std() / np.sqrt(40) + 0.01
    monkeypatch.setattr(theory, "circle_intersection", lambda d, n, r: share(d, n, r + 1))
    assert m.sampled(run).ratio().mean() < 0.8


def test_reads_with_another_radius_than_writes_are_no_such_sums(monkeypatch):
    assert m.disagreement(Run()) == 0
    monkeypatch.setattr(SparseDistributedMemory, "reached", lambda self, query: query > 0.5)
    assert m.disagreement(Run()) > 1


def test_radii_and_slopes_of_other_sizes_are_others(monkeypatch):
    assert m.radii(Run(), "attention") == (11, 5, 15)
    monkeypatch.setattr(m, "ATTENTION", (64, 2.0**40, 1024))
    assert m.radii(Run(), "attention") != (11, 5, 15)
    assert m.fit(Run(), 5).beta == pytest.approx(28.39, abs=0.01)
    assert m.fit(Run(), 6).beta < 28


def test_attention_at_another_beta_recalls_less():
    rng = np.random.default_rng(0)
    rows = rng.choice([-1.0, 1.0], (300, 64)).astype(np.float32)
    cues = np.where(np.argsort(rng.random(rows.shape), axis=1) < 11, -rows, rows)

    def share(part):
        return np.mean((np.asarray(m.vote(part, rows, cues, 5)) == rows).all(1))

    circles = m.Staircase(CircleIntersection(64, 11))
    assert share(circles) > 0.98
    assert share(Softmax(theory.fit_beta(64, 11).beta)) > 0.98
    assert share(Softmax(3.0)) < 0.1
    # Beyond twice the radius circles do not meet, and nothing moves.
    assert share(m.Staircase(CircleIntersection(64, 5))) == 0
    small = m.recall(Run(sizes={"recall.draws": 2, "recall.queries": 32}), 11)
    assert np.abs(small.apart("attention", 11)).max() < 0.05
    assert small.apart("attention", 64).max() > 0.05


def test_networks_recall_best_near_the_radius_of_theory(monkeypatch):
    run = Run(sizes={"neurons.networks": 1})
    neurons = m.neurons(run)
    assert neurons.best == 111
    assert neurons.at(111) > 0.8
    assert neurons.at(114) / neurons.at(111) < 0.5
    monkeypatch.setattr(theory, "optimal_radius", lambda *_: 105)
    other = m.neurons(run)
    assert other.at(other.best) - neurons.at(111) < -0.05


def test_one_read_is_as_theory_says_where_values_are_random():
    flips = np.array([60, 90])
    random, own = (
        m.one_read(0, 256, 20_000, 200, 109, flips, auto).after.mean(0) for auto in (False, True)
    )
    away = m.one_read(0, 256, 20_000, 200, 109, flips, False).theory
    np.testing.assert_allclose(random, away, rtol=0.12)
    assert (own < random - 2).all()
    assert np.isnan(reads(2.0).crossing()).all()
    np.testing.assert_allclose(reads(1.1).crossing(), 1.1, atol=0.01)


def test_another_rule_raises_the_energy(monkeypatch):
    run = Run(sizes={"descents.starts": 20})
    energies = m.descents(run)
    assert m.largest_rise(energies) <= 0
    assert m.largest_rise(energies[:, ::-1]) > 0.1
