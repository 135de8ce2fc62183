"""ClAM: what breaks which claim, and broken measurements."""

import itertools
import sys
import types

import numpy as np
import pytest

from attrax.papers import clam_clustering as paper
from attrax.papers import clusterings as tools
from attrax.papers.clam_clustering import measure as m
from attrax.papers.contract import NotRun, Run

SMALL = {"starts": 2, "max_iter": 60, "rows": 150}


def compared(ahead, bare, largest=0.99):
    """All methods at the silhouette of k-means but ClAM, with masks and without."""
    rows = np.tile([0.4, 0.5, 0.5, largest], (2, 1))
    rest = dict.fromkeys(("k-means", "mixture", "spectral", *tools.LINKAGES), rows)
    more = {"ClAM": ahead, "ClAM, no masks": bare}
    return m.Compared(rest | {name: rows + np.array([by, 0, 0, 0]) for name, by in more.items()})


ALL = {f"silhouettes[{name}]" for name in m.SETS}
BESIDE = "silhouettes[Fashion-MNIST]"
TWO = 0.3 + np.array([[0.0, 1e-3], [0.0, 0.0], [1e-3, 0.0]])
BROKEN = {
    "another slope": ({m.slopes: 1e-6}, {"step_is_slope"}),
    "energy rises": ({m.descents: np.array([[[-2.0], [-1.0], [-3.0]]])}, {"energy_falls"}),
    "labels of others": ({m.nearest: np.full(len(m.BETAS), 0.99)}, {"labels_become_nearest"}),
    "another way": ({m.way: {1: 1.0, 10: 0.5}}, {"one_time_constant"}),
    "another mixture": ({m.mixture: m.Mixture(0.1, 0.0)}, {"memory_is_a_mixture"}),
    "worse than all": ({m.compared: compared(-0.1, -0.1)}, {*ALL, "rivals_are_no_better"}),
    "even clusters": (
        {m.compared: compared(0.1, 0.1, 0.5)},
        {"silhouette_rewards_one_large_cluster"},
    ),
    "worse on images": ({m.fashion: compared(-0.1, -0.1)}, {BESIDE}),
    "masks harm": ({m.masks: TWO - [0.1, 0.0]}, {"masks_help"}),
    "unseen rows differ": (
        {m.unseen: np.tile(TWO[:, None] - [0.0, 0.3], (1, 3, 1))},
        {"unseen_rows_agree"},
    ),
    "prototypes at means": ({m.reach: np.array([1.0, 1.01])}, {"prototypes_lie_farther_out"}),
}


def test_verdicts_differ_only_where_masks_are_the_cause():
    check = paper.silhouettes["iris"].check
    assert check(Run(known={m.compared: compared(-0.1, 0.0)})).verdict == "differs"
    assert check(Run(known={m.compared: compared(-0.1, -0.1)})).verdict == "fails"
    assert check(Run(known={m.compared: compared(0.0, -0.1)})).verdict == "holds"


def test_another_step_is_no_slope_and_raises_the_energy(monkeypatch):
    assert m.slopes(Run()) < 1e-14
    assert m.largest_rise(m.descents(Run())) < 1e-15
    step = m.complete

    def away(memory, rows, hidden, **options):
        return 2 * rows - step(memory, rows, hidden, **options)

    monkeypatch.setattr(m, "complete", away)
    m.along.clear_cache()
    assert m.slopes(Run()) > 1
    assert m.largest_rise(m.descents(Run())) > 0.01
    m.along.clear_cache()


def test_labels_and_ways_depend_on_beta(monkeypatch):
    assert m.nearest(Run())[-1] == 1
    assert m.way(Run())[10] == pytest.approx(1 - 0.9**10, abs=1e-12)
    monkeypatch.setattr(m, "BETAS", (0.1,))
    assert m.nearest(Run())[-1] < 0.7
    made = m.prototypes
    monkeypatch.setattr(m, "prototypes", lambda rows, beta: made(rows, 1e-3 * beta))
    assert abs(m.way(Run())[10] - 1 + 0.9**10) > 0.01


def test_a_mixture_of_another_precision_has_other_weights(monkeypatch):
    assert max(m.mixture(Run())) < 1e-12
    made = tools.mixture_of
    monkeypatch.setattr(tools, "mixture_of", lambda centres, beta: made(centres, 1.1 * beta))
    found = m.mixture(Run())
    assert found.weights > 1e-3
    assert found.energies > 0.01


@pytest.fixture
def shuffled(monkeypatch):
    """Labels of ClAM with masks in an order that means nothing; False for as they are."""
    made, on = tools.labels, types.SimpleNamespace(on=False)

    def labels(method, rows, starts, seed, **options):
        found = made(method, rows, starts, seed, **options)
        mixed = on.on and method == "ClAM" and options.get("mask", 0.2)
        return np.random.default_rng(0).permutation(found) if mixed else found

    monkeypatch.setattr(tools, "labels", labels)
    return on


def test_labels_without_meaning_are_behind_all_others(shuffled):
    run = Run(sizes={**SMALL, "compared.draws": 1, "masks.draws": 1})
    found, masks = m.compared(run, "iris"), m.masks(run)
    assert abs(found.ahead("ClAM").mean()) < 0.08
    assert found.of("ClAM", "ari").mean() > 0.4
    assert found.of(found.best_linkage()).mean() >= found.of("ward").mean()
    assert np.abs(masks[:, 0] - masks[:, 1]).max() < 0.15
    shuffled.on = True
    again = m.compared(run, "iris")
    assert again.ahead("ClAM").mean() < -0.3
    assert again.ahead("ClAM, no masks").mean() > -0.08
    assert again.of("ClAM", "ari").mean() < 0.1
    worse = m.masks(run)
    assert (worse[:, 0] - worse[:, 1]).max() < -0.15


def test_images_are_run_in_full_alone_and_compared_likewise(monkeypatch, shuffled):
    with pytest.raises(NotRun):
        m.fashion(Run())
    iris = tools.real("iris", 150)
    monkeypatch.setattr(Run, "load", lambda *_, **__: types.SimpleNamespace(x=iris.x, y=iris.own))
    few = tools.ClAMClusterer
    monkeypatch.setattr(
        tools, "ClAMClusterer", lambda k, n_init, **given: few(k, n_init=2, max_iter=60, **given)
    )
    run = Run(sizes={"fashion.draws": 1})
    assert abs(m.fashion(run).ahead("ClAM").mean()) < 0.08
    shuffled.on = True
    assert m.fashion(run).ahead("ClAM").mean() < -0.3


def test_labels_of_rows_of_the_fit_alone_disagree_on_others(monkeypatch):
    run = Run(sizes={**SMALL, "unseen.draws": 1})
    monkeypatch.setattr(m, "SETS", ("iris", "wine", "iris"))
    found = m.unseen(run)
    assert (found > 0.3).all()
    predict, calls = tools.ClAMClusterer.predict, itertools.count()

    def forgetful(self, rows):
        return predict(self, rows) * (1 - next(calls) % 2)

    monkeypatch.setattr(tools.ClAMClusterer, "predict", forgetful)
    found = m.unseen(run)
    assert (found[..., 1] - found[..., 0] < -0.3).all()


def test_prototypes_go_out_as_they_learn():
    sizes = {"starts": 2, "reach.draws": 1, "reach.max_iter": 300}
    assert m.reach(Run(sizes=sizes)).min() > 1.35
    assert m.reach(Run(sizes={**sizes, "reach.max_iter": 1})).max() < 1.2


def test_without_scikit_learn_it_is_said(monkeypatch):
    monkeypatch.delattr("attrax.papers.clusterings")
    monkeypatch.setitem(sys.modules, "attrax.papers.clusterings", None)
    assert paper.memory_is_a_mixture.check(Run()).note.startswith("needs scikit-learn: pip")
    assert paper.energy_falls.check(Run()).verdict == "holds"


def test_paths_approach_prototypes():
    found = m.paths(Run(sizes=SMALL))
    apart = np.linalg.norm(found.states[:, :, None] - found.centres, axis=3).min(axis=2)
    assert np.median(apart[:, -1] / apart[:, 0]) < 0.7
