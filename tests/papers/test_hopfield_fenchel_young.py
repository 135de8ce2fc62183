"""Hopfield-Fenchel-Young memories: what breaks which claim, and broken measurements."""

import numpy as np
import pytest

from attrax.papers.contract import Run
from attrax.papers.hopfield_fenchel_young import measure as m
from attrax.separation import Softmax, TopK

RESIDUALS = np.ones((3, 5, 9)) * np.array([1e-6, 0, 0])[:, None, None]
ERRORS = np.ones((3, 2, len(m.BETAS)))
WORSE = ERRORS * np.array([1, 2])[:, None]
MARGINS = m.Margins(np.full((4, 9), 1.5), np.ones((4, 9), bool), np.ones((4, 9)))
BROKEN = {
    "sparse reads that stay away": (
        {m.exact_reads: np.full_like(RESIDUALS, 1e-6)},
        {"sparse_reads_become_exact"},
    ),
    "rising energies": (
        {m.pair_rises: np.full((4, 2), 1e-9)},
        {"updates_of_all_pairs_lower_the_energy"},
    ),
    "other patterns": (
        {
            m.subset_sums: np.arange(100) % 2 == 0,
            (m.subset_sums, 0.0): np.arange(100) % 2 == 0,
        },
        {"subsets_are_sums_of_patterns"},
    ),
    "a weight below one above the margin": (
        {m.margins: MARGINS._replace(exact=np.zeros((4, 9), bool))},
        {"margins_are_sharp"},
    ),
    "kernels that learnt nothing": (
        {m.learnt_kernels: m.Learnt(ERRORS, ERRORS, ERRORS[:, 0]), m.drawn_kernels: np.ones(2)},
        {"learnt_kernels_lower_errors"},
    ),
    "kernels that harm digits whatever is known": (
        {(m.learnt_kernels, "digits"): m.Learnt(WORSE, WORSE, ERRORS[:, 0])},
        {"learnt_kernels_lower_errors_of_digits"},
    ),
    "a ghost that speaks": (
        {m.silence: (np.ones(len(m.LEVELS)), np.ones(10))},
        {"the_ghost_is_silent"},
    ),
    "a key that is missed": (
        {m.product_reads: (np.arange(20) > 9, 10**6)},
        {"product_keys_find_the_best_of_all"},
    ),
}


def test_reads_end_exactly_only_where_the_separation_is_sparse(monkeypatch):
    run = Run(sizes={"exact_reads.sets": 1})
    softmax, *sparse = m.exact_reads(run)
    assert (softmax[:, -1] > 0).all()
    assert all((each[:, -1] == 0).all() for each in sparse)
    # Twenty times as hot, the margin is out of reach.
    monkeypatch.setattr(m, "BETA", 1.0)
    assert all((each[:, -1] > 0.1).any() for each in m.exact_reads(run)[1:])


def test_energies_rise_for_another_network(monkeypatch):
    run = Run(sizes={"pair_rises.starts": 20})
    monkeypatch.setattr(m, "HIDDEN", {"Gini": m.HIDDEN["Gini"]})
    assert m.pair_rises(run).max() < 7.2e-15
    # Of reads that go away from where they are drawn to.
    plain = m.fenchel_young_memory
    wrong = plain(np.eye(3), Softmax(1.0))
    relax = type(wrong).relax

    def backwards(self, states):
        return {name: -2 * state for name, state in relax(self, states).items()}

    monkeypatch.setattr(type(wrong), "relax", backwards)
    monkeypatch.setattr(m, "HIDDEN", {"another": lambda: Softmax(3.0)})
    assert m.pair_rises(run).max() > 1e-3


def test_subsets_of_another_size_are_other_sums():
    run = Run(sizes={"subset_sums.sets": 2})
    assert m.subset_sums(run).mean() > 0.9
    assert m.subset_sums(run, 0.5, 2).mean() < 0.1


def test_scores_that_are_shrunk_miss_the_margins(monkeypatch):
    run = Run(sizes={"margins.draws": 2000})
    seen = m.margins(run)
    assert not seen.wrong.any()
    assert 0.2 < seen.exact.mean() < 0.8
    assert m.margins(run, 0.99).wrong.sum() > 500
    # The best scores alone weigh one at any gap.
    others = {name: (lambda k=k: TopK(k, m.Softmax(1e9)), k, 1.0) for name, k in (("max", 1),)}
    monkeypatch.setattr(m, "MARGINS", others)
    assert m.margins(run).wrong.sum() > 500


def test_kernels_that_learn_nothing_gain_nothing(monkeypatch):
    run = Run(sizes={"learnt_kernels.sets": 1, "drawn_kernels.sets": 1})
    monkeypatch.setattr(m, "BETAS", np.geomspace(1, 1e4, 6))
    seen = m.learnt_kernels(run, "sample")
    assert seen.ratios(seen.whole) < 0.3
    assert seen.whole.shape == (1, 2, 6)
    assert seen.unit.min() < 0.01 < seen.whole[:, 0].min()
    # What is not known is zero, which products leave out.
    np.testing.assert_allclose(seen.known[:, 0], seen.whole[:, 0], rtol=1e-4)
    few = m.learnt_kernels(run, "sample", 1)
    assert few.ratios(few.whole) > 0.5
    assert m.drawn_kernels(run)[0] == pytest.approx(1, abs=0.1)
    # At a constant rate what is drawn learns as much as the identity does.
    monkeypatch.setattr(m, "_published", lambda: m.optax.sgd(300.0))
    assert m.drawn_kernels(run)[0] < 0.8


def test_softmax_is_not_silent():
    levels, random = m.silence(Run())
    assert np.diff(levels).max() < 0
    assert levels[-1] < 1e-15
    assert random.mean() > 0.3
    levels, _ = m.silence(Run(), Softmax)
    np.testing.assert_allclose(levels, levels[0], rtol=1e-4)


def test_keys_of_another_number_are_not_the_best(monkeypatch):
    run = Run(sizes={"product_reads.rows": 40, "product_reads.queries": 5})
    right, keys = m.product_reads(run)
    assert right.all()
    assert keys == 1600
    assert not m.product_reads(run, 31)[0].any()
    plain = m.ProductKeyMemory
    monkeypatch.setattr(
        m,
        "ProductKeyMemory",
        lambda first, second, values, separation: plain(
            second, first, values, separation=separation
        ),
    )
    assert not m.product_reads(run)[0].any()
