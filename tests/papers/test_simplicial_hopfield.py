"""Simplicial Hopfield networks: what breaks which claim, and broken measurements."""

import numpy as np
import pytest

from attrax import models
from attrax.dynamics import Asynchronous
from attrax.papers.contract import Run
from attrax.papers.simplicial_hopfield import measure as m
from attrax.similarity import CumulativeEuclidean, Euclidean


def recall(*overlaps):
    """Overlaps of six networks that hardly differ."""
    spread = np.array([-1, 1, -1, 1, -1, 1])[:, None] * 1e-4
    return m.Recall(np.array([overlaps]) + spread)


def stability(unstable, mirrored):
    spread = np.array([-1e-5, 1e-5, -1e-5, 1e-5])
    return m.Stability(unstable + spread, mirrored + spread, 0.01)


def images(dot, euclidean, manhattan, cumulative):
    names = ("dot", "euclidean", "manhattan", "cumulative")
    shares = np.array([[dot, euclidean, manhattan, cumulative]]) + np.array([[-1e-4], [1e-4]])
    return m.Images(names, shares)


PAIRS, LATE = recall(1, 0.98, 0.93, 0.8, 0.5), recall(1, 1, 0.99, 0.98, 0.9)
MIXTURES = {"same_budget[R12̄]", "same_budget[R12]", "same_budget[R2]"}
BROKEN = {
    "another energy": ({m.enumerated: 2.0}, {"energies_are_enumerated"}),
    "a flip that rises": ({m.flips: m.Flips(100, 1, 0)}, {"energy_falls"}),
    "triples store as pairs do": (
        {m.recall: PAIRS},
        {
            *MIXTURES,
            *("capacity_grows", "skeleton_holds_all", "gain_is_not_of_inputs", "factor_is_common"),
        },
    ),
    "pairs store as triples do": (
        {m.recall: LATE},
        {
            *MIXTURES,
            *("capacity_grows", "skeleton_holds_all", "gain_is_not_of_inputs", "factor_is_common"),
        },
    ),
    "more inputs are all": (
        {
            (m.recall, "R2", "incidences"): PAIRS,
            (m.recall, "K1"): PAIRS,
            (m.recall, "R2"): LATE,
            (m.recall, "R12"): LATE,
            (m.recall, "R12̄"): LATE,
        },
        {"gain_is_not_of_inputs"},
    ),
    "connections of another weight": (
        {m.stability: stability(0.02, 0.5)},
        {"connections_count_alike", "mirror_images_go"},
    ),
    "squares find as many": (
        {m.images: images(0.9, 0.9, 0.3, 0.5)},
        {"sets_find_images", "single_pixels_find_more"},
    ),
}


def test_energies_of_other_weights_are_not_those_of_sets(monkeypatch):
    assert m.enumerated(Run()) < 7e-15
    one = models.SimplicialMemory.state_energy
    monkeypatch.setattr(
        models.SimplicialMemory, "state_energy", lambda self, state: 0.5 * one(self, state)
    )
    m.all_energies.clear_cache()
    assert m.enumerated(Run()) > 0.1
    monkeypatch.undo()
    m.all_energies.clear_cache()


def test_pairs_and_triples_without_a_list_have_other_energies_than_pairs(monkeypatch):
    skeleton = models.skeleton_memory
    monkeypatch.setattr(models, "skeleton_memory", lambda patterns: skeleton(patterns, 1))
    assert m.enumerated(Run()) > 0.1


def test_sweeps_in_another_order_or_of_other_weights_stray(monkeypatch):
    run = Run(sizes={"flips.starts": 2})
    good = m.flips(run, "R12")
    assert good.changes > 20
    assert good.rises == good.strays == 0
    monkeypatch.setattr(m, "Asynchronous", lambda order: Asynchronous(order[::-1].copy()))
    assert m.flips(run, "R12").strays > 0
    monkeypatch.undo()
    network = models.simplicial_network
    monkeypatch.setattr(models, "simplicial_network", lambda p, sets: network(p[1:], sets))
    assert m.flips(run, "R12").strays > 0


def test_triples_recall_more_than_pairs_and_as_pairs_do_without_them(monkeypatch):
    run = Run(sizes={"recall.networks": 2})
    pairs, triples = run(m.recall, "K1"), run(m.recall, "R2")
    assert (triples.at(0.3) - pairs.at(0.3) > 0.15).all()
    assert (triples.load() > 1.5 * pairs.load().mean()).all()
    fewer = run(m.recall, "R2", "incidences").at(0.3).mean()
    assert pairs.at(0.3).mean() + 0.1 < fewer < triples.at(0.3).mean()
    monkeypatch.setattr(m, "SHARES", {"R2": 0.0})
    np.testing.assert_array_equal(m.recall(run, "R2").overlaps, pairs.overlaps)


def test_all_pairs_alone_do_not_hold_all(monkeypatch):
    run = Run(sizes={"recall.networks": 2})
    assert run(m.recall, "K2").at(0.3).min() > 0.99
    skeleton = models.skeleton_memory
    monkeypatch.setattr(models, "skeleton_memory", lambda patterns: skeleton(patterns, 1))
    assert m.recall(run, "K2").at(0.3).max() < 0.9


def test_triples_that_are_silent_do_not_help(monkeypatch):
    run = Run(sizes={"recall.networks": 2})
    common = run(m.recall, "R12").at(0.15)
    assert (common - m.recall(run, "R12", "simplices", "dense").at(0.15)).mean() > 0.1
    monkeypatch.setattr(m, "quieter", lambda memory: memory)
    np.testing.assert_array_equal(m.recall(run, "R12", "simplices", "dense").at(0.15), common)


def test_loads_are_between_those_measured():
    falling = recall(1, 0.96, 0.94, 0.5, 0.4)
    np.testing.assert_allclose(falling.load(), 0.125, atol=0.001)
    np.testing.assert_allclose(recall(1, 1, 1, 1, 1).load(), 0.3)
    np.testing.assert_allclose(recall(0.5, 1, 1, 1, 1).load(), 0.05)


def test_unstable_units_follow_the_connections(monkeypatch):
    run = Run(sizes={"stability.networks": 12})
    found = run(m.stability, "R12", 30)
    error = found.unstable.std() / np.sqrt(12) / found.theory
    assert abs(found.unstable.mean() / found.theory - 1) < 0.02 + 4 * error
    assert run(m.stability, "R12̄", 10).mirrored.max() == 0
    assert run(m.stability, "K1", 10).mirrored.mean() > 0.1
    monkeypatch.setattr(m, "SHARES", {"R12": 0.5, "R12̄": 0.0})
    assert m.stability(run, "R12̄", 10).mirrored.mean() > 0.1
    monkeypatch.setattr(m, "BUDGET", m.BUDGET // 2)
    assert m.stability(run, "R12", 30).unstable.mean() / found.theory > 2


def test_sets_as_large_as_the_image_find_no_more_than_euclid(monkeypatch):
    pytest.importorskip("sklearn")
    run = Run(sizes={"images.draws": 2})
    found = run(m.images, "zeros")
    assert (found.of("cumulative") - found.of("euclidean") > 0.1).all()
    assert (found.of("manhattan") > found.of("cumulative")).all()
    monkeypatch.setattr(m, "CumulativeEuclidean", lambda sets: Euclidean("distance"))
    broken = m.images(run, "zeros")
    assert (broken.of("cumulative") - broken.of("euclidean") <= 0).all()
    monkeypatch.setattr(
        m, "CumulativeEuclidean", lambda sets: CumulativeEuclidean([np.arange(64)[:, None]])
    )
    broken = m.images(run, "noise")
    assert (broken.of("manhattan") - broken.of("cumulative") <= 0).all()
