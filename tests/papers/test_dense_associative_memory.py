"""Dense memories: what breaks which claim, and measurements of what is broken."""

from functools import partial

import numpy as np
import pytest

from attrax.models import DenseClassifier, dense_memory
from attrax.papers import dense_associative_memory as paper
from attrax.papers.contract import Run
from attrax.papers.dense_associative_memory import measure as m

SPREAD = np.tile([-1e-3, 1e-3], 4)


def flips(over_normal, over_exact):
    """Shares in a ratio to eq. 5 and to the exact law, for K that the claim looks at."""
    stored = np.array([14, 1000])
    share = np.full((2, 8), 0.01) * (1 + SPREAD)
    exact, normal = (np.full(2, 0.01 / ratio) for ratio in (over_exact, over_normal))
    return m.Flips(stored, share, exact, normal)


def half(slope, ratio=1.0):
    sizes = np.array([50, 100, 200, 400])
    beyond = np.log(ratio) + slope * np.log(sizes / 100)[:, None] + SPREAD
    return m.Half(sizes, beyond)


def learnt(error, votes=(4,), active=(1,), epochs=(10, 20)):
    errors = np.array([error, error]) + np.array([[1e-3], [-1e-3]])
    counts = (np.tile(each, (2, 10)) for each in (votes, active))
    return m.Learnt(np.array(epochs), errors, *counts, np.zeros((8, 4)), (2, 2, 1))


BROKEN = {
    "sweeps": (
        {m.descents: m.Descents(1, 40, 0.9)},
        {"energy_falls", "sweeps_are_the_rule"},
    ),
    "xor by all": (
        {m.xor: dict.fromkeys((*m.SOLVE, *m.CANNOT), 1.0)},
        {"odd_and_rectified_degrees_solve_xor"},
    ),
    "flips off both laws": ({m.flips: flips(1.3, 1.3)}, {"units_flip_as_eq_5_says"}),
    "growth of n = 3": ({m.flip_growth: 2 + SPREAD}, {"patterns_grow_as_the_cube"}),
    "half of the starts at any degree": (
        {m.random_starts: m.Starts(0.5 + SPREAD, 0.5 + SPREAD, 75.0)},
        {
            "random_starts_find_nothing_above_capacity",
            "random_starts_find_patterns_below_capacity",
            "all_random_starts_find_patterns",
        },
    ),
    "half at another power of N": (
        {m.half: half(0.5)},
        {"half_of_starts_find_patterns_up_to_eq_6", "half_of_starts_grows_as_eq_6"},
    ),
    "rectified holds less": (
        {(m.half, "random"): half(0), (m.half, "rectified"): half(0, 0.9)},
        {"rectified_half_is_larger"},
    ),
    "another hidden layer": ({m.dual: np.ones(7)}, {"labels_become_a_hidden_layer"}),
    "n = 3 behind": (
        {
            (m.learnt, 2): learnt([0.1, 0.05]),
            (m.learnt, 3): learnt([0.2, 0.1]),
            (m.learnt, 30): learnt([0.2, 0.1]),
        },
        {"third_degree_errs_no_more_than_second"},
    ),
    "votes for all": (
        {(m.learnt, n): learnt([0.2, 0.1], votes=(9,)) for n in (2, 3)},
        {"features_vote_for_several_classes"},
    ),
    "features of n = 30": (
        {
            (m.learnt, 2): learnt([0.2, 0.1]),
            (m.learnt, 3): learnt([0.2, 0.1], votes=(4, 1)),
            (m.learnt, 30): learnt([0.2, 0.1], active=(7, 1)),
        },
        {"prototypes_come_with_the_degree", "single_memories_decide"},
    ),
}


def change(monkeypatch, name, function):
    """Put another function where measurements look for one."""
    monkeypatch.setattr(m, name, function)


def test_flips_differ_from_eq_5_only_where_the_exact_law_is_met():
    check = paper.units_flip_as_eq_5_says.check
    assert check(Run(known={m.flips: flips(1.3, 1.0)})).verdict == "differs"
    assert check(Run(known={m.flips: flips(1.05, 1.3)})).verdict == "holds"


def test_growth_differs_only_where_starts_at_patterns_grow_as_eq_6():
    check = paper.half_of_starts_grows_as_eq_6.check
    random = {(m.half, "random"): half(-0.2)}
    assert check(Run(known={**random, (m.half, "patterns"): half(0.05)})).verdict == "differs"
    assert check(Run(known={**random, (m.half, "patterns"): half(-0.15)})).verdict == "fails"


def test_the_exact_law_keeps_more_patterns_than_eq_6_and_grows_more_slowly():
    small, *_, large = -half(0).over_law().beyond.mean(1)
    assert 0.3 < large < small < 0.7


def test_what_the_paper_measures_at_its_own_size_is_not_run():
    results = [claim.check(Run()) for claim in paper.with_2000_memories]
    assert {result.verdict for result in results} == {"not run"}
    assert all("train_dense_classifier" in result.note for result in results)


def test_patterns_that_repel_raise_energies(monkeypatch):
    assert m.descents(Run(), 4)[::2] == (0, 1.0)
    change(monkeypatch, "dense_memory", lambda rows, *a, **k: dense_memory(-rows, *a, **k))
    broken = m.descents(Run(), 4)
    assert broken.rises > 2
    assert broken.agree < 0.9


def test_sweeps_of_another_rule_are_seen(monkeypatch):
    change(monkeypatch, "Asynchronous", partial(m.Asynchronous, rule="field"))
    assert m.descents(Run(), 4).agree < 0.95


def test_xor_needs_its_degree(monkeypatch):
    shares = m.xor(Run())
    assert [shares[kind] for kind in m.SOLVE] == [1.0] * 5
    assert [shares[kind] for kind in m.CANNOT] == [0.0] * 2
    change(
        monkeypatch,
        "dense_memory",
        lambda rows, degree, **_: dense_memory(rows, 2, rectified=False),
    )
    assert max(m.xor(Run()).values()) == 0


def test_flips_of_another_degree_are_seen(monkeypatch):
    run = Run(sizes={"flips.networks": {2: 300}})
    right = m.flips(run, 2)
    np.testing.assert_allclose(right.share.mean(1)[1:], right.exact[1:], rtol=0.2)
    assert right.share.shape == (3, 300)
    other = partial(dense_memory, degree=3, rectified=False)
    change(monkeypatch, "make", lambda degree, rectified: other)
    assert np.max(m.flips(run, 2).share.mean(1) / right.exact) < 0.5


def test_patterns_grow_with_the_degree():
    run = Run(sizes={"growth.sizes": (40, 80), "growth.networks": 96})
    assert np.mean(m.flip_growth(run, 4)) > 2.9
    assert np.mean(m.flip_growth(run, 3)) < 2.3


def test_random_starts_find_patterns_by_degree_and_rule(monkeypatch):
    run = Run(sizes={"starts.size": (40, 300), "starts.starts": 20, "starts.networks": 2})
    few, many, even = (m.random_starts(run, *kind) for kind in ((2, True), (4, True), (4, False)))
    assert few.perfect.shape == (2,)
    assert few.perfect.mean() < 0.1 < 0.8 < many.perfect.mean()
    assert few.overlap < many.overlap <= 40
    assert even.either.mean() > even.perfect.mean() + 0.2
    change(monkeypatch, "Asynchronous", partial(m.Asynchronous, rule="field"))
    assert not m.random_starts(run, 4, True).perfect.mean() > 0.4


def test_half_of_the_starts(monkeypatch):
    run = Run(sizes={"half.sizes": (50,), "half.networks": (16,), "half.starts": 40})
    random, patterns = (m.half(run, kind).ratio.mean() for kind in ("random", "patterns"))
    assert 0.8 < random < 1.4 < patterns
    other = partial(dense_memory, degree=2, rectified=False)
    change(monkeypatch, "make", lambda degree, rectified: other)
    assert np.isnan(m.half(run, "random").ratio).all()
    # On straight lines between logarithms, and nowhere else.
    assert m.crossing([10, 100], [0.25, 0.75], 0.5) == pytest.approx(np.log(10**1.5))
    assert np.isnan(m.crossing([10, 100], [0.6, 0.75], 0.5))


def test_a_hidden_layer_of_another_temperature_is_no_dual(monkeypatch):
    def warmer(network):
        other = DenseClassifier(network.memories, 10, 3, temperature=1.1 * network.temperature)
        return as_memory(other)

    def falls():
        distances = m.dual(Run())
        return distances[-1] / distances[-2]

    as_memory = DenseClassifier.as_memory
    assert falls() == pytest.approx(0.1, rel=0.05)
    monkeypatch.setattr(DenseClassifier, "as_memory", warmer)
    assert falls() > 0.9


def blobs(count=300, turned=0):
    """Images of two by three pixels, of three classes; labels of test images may be turned."""
    labels = np.arange(count) % 3
    rng = np.random.default_rng(0)
    bright = np.repeat(np.eye(3), 2, axis=1)[labels]
    x = np.clip(1.6 * bright - 0.8 + rng.normal(0, 0.3, (count, 6)), -1, 1).astype(np.float32)
    test_y = (labels[:60] + turned) % 3
    return m.Images("blobs", x[60:], labels[60:], x[:60], test_y, (2, 3, 1), 3)


def test_classifiers_are_judged_by_test_images():
    sizes = {"learnt.epochs": 200, "learnt.seeds": 2}
    right = m.learnt(Run(known={m.digits: blobs()}, sizes=sizes), 3)
    assert right.epochs[[0, -1]].tolist() == [1, 200]
    assert right.error.shape == (2, right.epochs.size)
    assert right.error[:, -1].max() < 0.1
    assert 0 < right.votes.mean() < 3
    assert right.active.shape == (2, 60)
    wrong = m.learnt(Run(known={m.digits: blobs(turned=1)}, sizes=sizes), 3)
    assert wrong.error.min() > 0.5


def test_images_have_dark_pixels_at_minus_one():
    images = m.digits(Run(data="sample", sizes={"digits.images": 30, "digits.test": 10}))
    assert (images.x.shape, images.test_x.shape) == ((30, 784), (10, 784))
    assert (images.x.min(), images.x.max()) == (-1, 1)


def test_who_decides():
    """Two memories of one image, of which the second adds nine tenths of the first, or less."""
    memories = np.zeros((3, 8))
    memories[:, 0] = 1.0
    memories[:, 6] = (0.5, 0.49, 0.1)
    memories[:, 7] = (-1.0, 0.1, 0.1)
    network = DenseClassifier(memories, 2, 2, temperature=1.0)
    row = np.array([[1.0, 0, 0, 0, 0, 0]], np.float32)
    parts = np.asarray(network.parts(row[0], network.predict(row[0])))
    assert np.asarray(m.count_active(network, row)) == [np.sum(parts >= 0.9 * parts.max())]
