"""MESH: what breaks which claim, and broken measurements."""

import equinox as eqx
import numpy as np
import pytest

from attrax.learning import Hebb
from attrax.papers import mesh_scaffold as paper
from attrax.papers.contract import Run
from attrax.papers.mesh_scaffold import measure as m
from attrax.theory import scaffold_information, scaffold_overlap

SPREAD = 1 + np.array([-1e-4, 0.0, 1e-4])[:, None]
LAW = np.asarray(scaffold_overlap(m.SIZES, m.HIDDEN))


def curves(overlap, bits=None):
    """Curves of some overlaps at the usual sizes."""
    bits = np.asarray(scaffold_information(m.SIZES, m.HIDDEN)) if bits is None else bits
    return m.Curves(np.array(m.SIZES), overlap * SPREAD, bits * SPREAD)


def baseline(*overlaps):
    sizes = np.array([50, 150, 700, 720])
    return m.Curves(sizes, np.array(overlaps) * SPREAD, np.zeros((3, 4)))


def images(end):
    signs = np.linspace(1, end, 9)
    return m.Images(np.array([*range(100, 801, 100), 816]), signs, signs, signs, {})


CLEAN = curves(LAW)
ENDLESS = {
    (m.curves,): CLEAN,
    (m.curves, 0.05): curves(0.1 * LAW),
    (m.curves, 0.05, m.FEATURES / 8): curves(0.2 * LAW),
}
BROKEN = {
    "labels move, and small basins": (
        {m.scaffolds: m.Scaffolds(np.array([3, 4, 3]), 0.8 * np.ones((3, 4)) * SPREAD)},
        {"labels_are_fixed", "basins_are_large"},
    ),
    "other matrices": ({m.disagreement: 1e-3}, {"writes_are_least_squares"}),
    "wrong labels": ({m.misplaced: np.array([9, 9, 8])}, {"hidden_recall_is_exact"}),
    "overlaps and bits of half as many hidden units": (
        {m.curves: curves(np.asarray(scaffold_overlap(m.SIZES, 150)), 0.5 * CLEAN.bits[1])},
        {
            "recall_is_perfect_up_to_the_hidden_units",
            "overlaps_follow_the_law",
            "information_stays",
        },
    ),
    "bits twice": ({m.curves: curves(LAW, 2 * CLEAN.bits[1])}, {"information_is_bounded"}),
    "no cliffs": (
        {m.baseline: baseline(1.0, 0.9, 0.8, 0.8), (m.curves,): CLEAN},
        {"cliffs[Hebb]", "cliffs[PseudoInverse]", "cliffs[BoundedHebb]"},
    ),
    "noise, whatever the ridge": (ENDLESS, {"noise_makes_no_cliff"}),
    "Hebb's rule does not mind": (
        {m.hebbian: m.Hebbian(np.array([100, 816]), *[0.9 * np.ones((3, 2)) * SPREAD] * 2)},
        {"hebb_follows_its_law", "hebb_fails_on_the_scaffold"},
    ),
    "images vanish": ({m.images: images(-2.0)}, {"images_fade"}),
}


def test_noise_differs_only_with_its_ridge():
    known = {**ENDLESS, (m.curves, 0.05, m.FEATURES / 8): curves(0.9 * LAW)}
    assert paper.noise_makes_no_cliff.check(Run(known=known)).verdict == "differs"
    assert paper.noise_makes_no_cliff.check(Run(known=ENDLESS)).verdict == "fails"


def small(monkeypatch):
    """A scaffold of 36 states and 60 hidden units, with 40 features."""
    names = ("LABELS", "WINNERS", "HIDDEN", "FEATURES", "STATES")
    for name, value in zip(names, (9, 2, 60, 40, 36), strict=True):
        monkeypatch.setattr(m, name, value)
    return Run(
        sizes={
            "scaffolds.draws": 3,
            "misplaced.draws": 2,
            "hebbian.draws": 2,
            "curves.draws": 2,
            "curves.sizes": (20, 36),
            "baseline.draws": 1,
            "Hebb.sizes": (20, 200, 300),
            "PseudoInverse.sizes": (20, 80, 90),
        }
    )


def test_labels_of_another_matrix_are_not_fixed(monkeypatch):
    run = small(monkeypatch)
    assert m.scaffolds(run).loose.max() == 0
    make = m.scaffold

    def of_few(*args, **options):
        memory = make(*args, **options)
        labels, hidden = m.all_states(memory)
        matrix = labels[:6].T @ hidden[:6]
        return eqx.tree_at(lambda memory: memory.to_label.matrix, memory, matrix)

    monkeypatch.setattr(m, "scaffold", of_few)
    assert m.scaffolds(run).loose.min() > 0


def test_matrices_of_another_ridge_are_seen(monkeypatch):
    assert m.disagreement(Run()) < 1e-10
    monkeypatch.setattr(m, "PUBLISHED", 0.2)
    make = m.scaffold_memory
    monkeypatch.setattr(
        m, "scaffold_memory", lambda *args, **options: make(*args, **{**options, "cue_ridge": 0.1})
    )
    assert m.disagreement(Run()) > 1e-4


def test_cues_that_lead_elsewhere_are_counted(monkeypatch):
    run = small(monkeypatch)
    assert m.misplaced(run).max() == 0
    led_to = m.led_to
    monkeypatch.setattr(m, "led_to", lambda memory, cues: led_to(memory, cues[::-1]))
    assert m.misplaced(run).min() > 100


def test_curves_of_shuffled_cues_lose_their_overlap(monkeypatch):
    run = small(monkeypatch)
    found = m.curves(run)
    np.testing.assert_array_equal(found.overlap, 1)
    np.testing.assert_allclose(found.bits, np.array([[20, 36]] * 2) / 60, rtol=1e-5)
    assert m.curves(run, 0.3).overlap.max() < 0.99
    grown = m.grown
    monkeypatch.setattr(
        m, "grown", lambda *given, cues, **options: grown(*given, cues=cues[::-1], **options)
    )
    assert m.curves(run).overlap.max() < 0.8


def test_baselines_fall_and_one_that_keeps_its_cues_does_not(monkeypatch):
    run = small(monkeypatch)
    monkeypatch.setattr(m, "UNITS", 80)
    for name, low in (("Hebb", 0.6), ("PseudoInverse", 0.5)):
        found = m.baseline(run, name)
        assert found.overlap[:, -1].max() < low
    assert m.baseline(run, "PseudoInverse").at(20).min() == 1
    monkeypatch.setitem(m.RULES, "PseudoInverse", Hebb())
    assert m.baseline(run, "PseudoInverse").at(20).max() < 1


def test_hidden_states_that_are_alike_are_read_worse(monkeypatch):
    hebbian = m.hebbian(Run(sizes={"hebbian.draws": 1}))
    law = np.asarray(scaffold_overlap(hebbian.sizes, m.HIDDEN, "hebb"))
    np.testing.assert_allclose(hebbian.independent[0], law, atol=0.01)
    assert (hebbian.scaffold[0] < 0.6 * law).all()


def test_images_read_by_few_hidden_units_fade_at_once(monkeypatch):
    monkeypatch.setattr(m, "HIDDEN", 120)
    found = m.images(Run())
    assert found.signs[0] > 0.95
    assert found.steepest() > 0.15
    assert found.signs[2] < 0.7
    assert set(found.read) == set(found.sizes.tolist())
    assert found.read[100].shape == found.shown.shape == (6, 784)
    np.testing.assert_allclose(found.read[100], found.shown, atol=0.1)
    assert m.correlation(np.arange(5.0), 3 - 2 * np.arange(5.0)) == pytest.approx(-1)
    assert m.correlation(np.ones(5), np.arange(5.0)) == 0
