"""Dense associative memory: small measurements, that each can fail, and the verdicts."""

import json
import math
from statistics import NormalDist

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.models import DenseClassifier
from attrax.papers import dense_associative_memory as paper
from attrax.papers import dense_associative_memory_capacity as dc
from attrax.papers import dense_associative_memory_compared as dm
from attrax.papers import dense_associative_memory_logic as dl
from attrax.papers import dense_associative_memory_sizes as sizes
from attrax.papers import dense_associative_memory_training as dt
from attrax.papers.dense_associative_memory_sizes import LEARNT, PROFILES
from attrax.papers.dense_associative_memory_verdicts import judge
from attrax.papers.hamux_images import Images

NAMES = [claim.name for claim in paper.CLAIMS]


def test_units_flip_as_often_as_the_exact_law_says(monkeypatch):
    monkeypatch.setitem(dc.STORED, 2, (7, 14, 20))
    found = dc.flips(2, 240, 0)
    assert found.z.max() < 3.5
    # A fifth more would be seen, and so is the paper's formula at 14 patterns.
    assert np.max(np.abs(1.2 * found.share - found.exact)[1:] / found.error[1:]) > 3.5
    assert np.abs(found.share - found.normal)[1] > 2 * found.error[1]
    assert found.normal[0] > 3 * found.exact[0]
    assert np.all(np.diff(found.line[1]) >= 0)


def test_rare_flips_are_judged_by_their_chance():
    """Poisson's law, where a standard error of what was seen would let five of none pass."""

    def z(flipped, expected, looked=1e6):
        share, error = flipped / looked, max(math.sqrt(flipped), 1) / looked
        each = (1.0, looked, share, error, expected / looked, 0.0)
        return float(dc.Flips(*(np.array([x]) for x in each), line=()).z[0])

    assert z(5, 0.002) > 5
    assert z(0, 3.4) == pytest.approx(NormalDist().inv_cdf(1 - math.exp(-3.4)), rel=1e-3)
    assert z(3, 3.4) == pytest.approx(0, abs=0.3)
    assert z(2.5, 0.1) == pytest.approx(2.6, abs=0.1)
    assert z(130, 100) == pytest.approx(30 / math.sqrt(130))


def test_random_starts_end_where_the_degree_lets_them(monkeypatch):
    monkeypatch.setattr(dc, "UNITS", 40)
    monkeypatch.setattr(dc, "CROWD", 300)
    few, many = (dc.random_starts(n, True, 2, 20, 0) for n in (2, 4))
    assert few.overlap.shape == (2, 20)
    assert few.perfect < 0.1 < 0.8 < many.perfect
    assert few.overlap.mean() < many.overlap.mean() <= 40
    by_slope = dc.random_starts(4, True, 2, 20, 0, rule="field")
    assert by_slope.perfect < 0.4
    even = dc.random_starts(4, False, 2, 20, 0)
    assert even.reversed > even.perfect + 0.2


def test_half_of_the_starts():
    found = dc.half_recalled((30,), (0.01, 0.03, 0.06, 0.15), False, 2, 40, 0)
    assert found.stored.tolist() == [[9, 27, 54, 135]]
    assert found.share[0, -1] < 0.5
    assert 9 < found.half[0] < 135
    # On a straight line between logarithms.
    assert dc._half(np.array([10, 100]), np.array([0.75, 0.25])) == pytest.approx(10**1.5)
    assert np.isnan(dc._half(np.array([10, 100]), np.array([0.4, 0.2])))
    units = np.array([10.0, 20.0, 40.0])
    drawn = 3 * units ** np.array([[1.9], [2.1]])
    bent = np.array([1.0, 1.0, 4.0])
    straight, bending = (
        dc.Half(units, units, units, 3 * units**2 * x, drawn * x) for x in (np.ones(3), bent)
    )
    assert straight.slope == pytest.approx(2)
    assert straight.slope_error == pytest.approx(0.1)
    np.testing.assert_allclose(straight.rise, 0, atol=1e-9)
    assert bending.rise[0] == pytest.approx(2)
    assert dc.Half(units[:2], units, units, units[:2], drawn[:, :2]).rise == (0, math.inf)
    with pytest.raises(ValueError, match="Not all shares fall through one half"):
        dc.half_recalled((30,), (0.01, 0.02), False, 2, 10, 0)


def test_energies_in_whole_numbers():
    rises, changes, agree = dl.descents(3, True, 4, 0)
    assert (rises, agree) == (0, 1.0)
    assert changes > 10


def test_xor():
    found = dl.xor()
    assert [found[kind] for kind in dl.SOLVE] == [1.0] * 5
    # Both energies are one: the state from which it starts decides.
    assert [found[kind] for kind in dl.CANNOT] == [0.0, 0.0]


def test_the_dual_network():
    far, near, nearer = dl.dual((1.0, 1e-3, 1e-4), 0)
    assert far > 100 * near
    assert near == pytest.approx(10 * nearer, rel=0.05)


def test_steps_are_those_of_the_formulas():
    assert dl.beside_formulas(3, 0) < 1e-6


def blobs(count=120):
    """Images of two by three pixels, of three classes."""
    labels = np.arange(count) % 3
    rng = np.random.default_rng(0)
    bright = np.repeat(np.eye(3), 2, axis=1)[labels]
    x = np.clip(1.6 * bright - 0.8 + rng.normal(0, 0.3, (count, 6)), -1, 1).astype(np.float32)
    return Images("blobs", x, labels, x[:30], labels[:30], (2, 3, 1), 3)


def test_training_is_watched_and_goes_on(tmp_path):
    found = blobs()
    recipe = dt.Recipe(3, 3, 300.0, 180.0)
    whole = dt.learn(found, recipe, 60, 30, 0, tmp_path)
    assert whole.epochs.tolist() == [*range(1, 21), 30]
    assert whole.error[-1] == np.mean(
        np.asarray(jax.vmap(whole.classifier.predict)(found.test_x)) != found.test_y
    )
    # From the file alone, and without one.
    again, alone = (dt.learn(found, recipe, 60, 30, 0, at) for at in (tmp_path, None))
    for other in (again, alone):
        np.testing.assert_array_equal(other.error, whole.error)
        np.testing.assert_array_equal(other.learnt, whole.learnt)
        np.testing.assert_array_equal(other.classifier.memories, whole.classifier.memories)
    assert whole.error[-1] < 0.1 < whole.error[0]
    assert whole.reaches(0.1) <= 30
    assert whole.reaches(-1.0) == math.inf
    # Another recipe begins anew.
    other = dt.learn(found, recipe._replace(end=100.0), 60, 30, 0, tmp_path)
    assert not np.array_equal(other.classifier.memories, whole.classifier.memories)


def test_who_decides():
    """Two memories of one image, of which the second is nine tenths of the first, or less."""
    memories = np.zeros((3, 8))
    memories[:, 0] = 1.0
    memories[:, 6] = (0.5, 0.49, 0.1)
    memories[:, 7] = (-1.0, 0.1, 0.1)
    network = DenseClassifier(memories, 2, 2, temperature=1.0)
    assert dm.positive_votes(network).tolist() == [1, 2, 2]
    row = np.array([[1.0, 0, 0, 0, 0, 0]], np.float32)
    parts = np.asarray(network.parts(row[0], network.predict(row[0])))
    expected = int(np.sum(parts >= 0.9 * parts.max()))
    assert dm.strongly_active(network, row).tolist() == [expected]
    np.testing.assert_allclose(jnp.sum(parts), jnp.max(network.logits(row[0])), rtol=1e-5)


def test_rivals_learn():
    errors = dm.rivals(blobs(600), 8, 100, 0)
    assert list(errors) == ["logistic regression", "MLP"]
    assert max(errors.values()) < 0.1


def learnt(errors, epochs=(10, 20, 200)):
    """A training that was never made."""
    classifier = DenseClassifier(np.ones((4, 70)), 10, 3, temperature=9.0)
    errors = np.asarray(errors, float)
    return dt.Learnt(np.array(epochs), errors, errors, classifier)


def compared(third=0.02, twentieth=0.03, single=0.9, large=None, degrees=(2, 3, 20)):
    """Trainings that confirm the paper unless told otherwise; pictures are of noise."""
    ends = {2: 0.03, 3: third, 10: 0.03, 20: twentieth}
    first = {2: 0.2, 3: 0.08, 10: 0.2, 20: 0.2}
    ones = {2: 0, 3: 1, 10: 2, 20: 5}
    x = np.random.default_rng(0).uniform(-1, 1, (50, 60)).astype(np.float32)
    alone = {n: np.array([1] * ones[n] + [4] * (10 - ones[n])) for n in degrees}
    return dm.Compared(
        {n: [learnt([first[n], 0.06, ends[n]])] for n in degrees},
        large,
        {"logistic regression": [0.04], "MLP": [0.025]},
        {n: [votes] for n, votes in alone.items()},
        {n: [np.where(np.arange(100) < 100 * single, 1, 5)] for n in degrees},
        Images("noise", x, np.zeros(50, int), x, np.zeros(50, int), (6, 10, 1), 10),
    )


def measured(**changes):
    """Measurements that confirm every claim."""
    flips = dc.Flips(*(np.array([1000.0]) for _ in range(6)), line=(np.ones(2),) * 3)
    flips = flips._replace(share=np.array([0.1]), exact=np.array([0.1]), normal=np.array([0.1]))
    nowhere = dc.Starts(np.full((1, 10), 50.0), np.full((1, 10), 50.0))
    there = dc.Starts(np.full((1, 10), 100.0), np.full((1, 10), 100.0))
    reverse = dc.Starts(np.full((1, 10), 50.0), np.full((1, 10), 100.0))
    units = np.array([50.0, 100.0])
    half = dc.Half(units, units, units, units**2 / 20, np.outer([1.0, 1.1], units**2 / 20))
    epsilons = 10.0 ** -np.arange(7)
    clothes = compared(
        large=(learnt([0.2, 0.1, 0.02]), learnt([0.2, 0.06, 0.015])), degrees=(2, 3, 10, 20)
    )
    found = {
        "descents": [(0, 10, 1.0)],
        "xor": dict.fromkeys(dl.SOLVE, 1.0) | dict.fromkeys(dl.CANNOT, 0.0),
        **{f"flips{n}": flips for n in dc.STORED},
        "starts": {
            (2, False): nowhere,
            (3, True): nowhere,
            (4, False): reverse,
            (4, True): there,
            (5, True): there,
        },
        "slope": nowhere,
        "halfFalse": half,
        "halfTrue": half._replace(half=1.2 * half.half),
        "epsilons": epsilons,
        "dual": epsilons,
        "formulas": 0.0,
        "digits": compared(),
        "mnist": compared(),
        "clothes": clothes,
    }
    return found | changes


def test_measurements_that_confirm_every_claim():
    results = judge(paper.CLAIMS, measured())
    assert [result.name for result in results] == NAMES
    assert [result.name for result in results if result.verdict != "holds"] == []
    flips = next(result for result in results if result.name.startswith("Units of stored"))
    assert "n = 3, K = 1000.0: 0.1 ± 1e+03, exact 0.1, formula 0.1" in flips.note


def verdicts(**changes):
    """Claims that do not hold, by what they begin with."""
    results = judge(paper.CLAIMS, measured(**changes))
    return {r.name[:40]: r.verdict for r in results if r.verdict != "holds"}


def test_what_is_broken_fails():
    few = dc.Starts(np.full((1, 1000), 100.0), np.full((1, 1000), 100.0))
    few.overlap[0, 0] = 96.0
    starts = measured()["starts"]
    assert set(verdicts(descents=[(1, 10, 1.0)]).values()) == {"fails"}
    assert set(verdicts(xor=dict.fromkeys(dl.SOLVE + dl.CANNOT, 1.0)).values()) == {"fails"}
    assert set(verdicts(formulas=1e-3).values()) == {"fails"}
    assert set(verdicts(dual=np.ones(7)).values()) == {"fails"}
    # One start of a thousand: another state at rest.
    lost = verdicts(starts={**starts, (5, True): few})
    assert list(lost.values()) == ["differs"]
    none = {**starts, (5, True): starts[2, False]}
    assert list(verdicts(starts=none).values()) == ["fails"]
    # Images that are learnt worse than by rivals.
    worse = compared(
        third=0.5,
        large=(learnt([0.2, 0.1, 0.02]), learnt([0.2, 0.06, 0.1])),
        degrees=(2, 3, 10, 20),
    )
    assert verdicts(clothes=worse) == {
        "Clothes: test error of n = 3 beyond that": "fails",
        "Clothes: test error of n = 3 beyond an M": "fails",
        "Clothes: test error of n = 3 beyond logi": "fails",
        "Clothes: test error of K = 2000 beyond K": "fails",
    }
    assert verdicts(mnist=compared(third=0.2)) == {
        "MNIST: test error of n = 3 beyond that o": "fails",
        "MNIST: epochs to a test error of 5 %, n ": "fails",
        "MNIST: test error of n = 3 beyond an MLP": "fails",
    }


def test_what_differs_has_a_reason_that_is_measured():
    """Epochs within the paper's ranges; shares of memories by degree."""

    def changed(degree, votes, **run):
        found = compared()
        run = learnt([0.2, 0.2, 0.04], **run) if run else found.learnt[degree][0]
        return found._replace(
            votes={**found.votes, degree: [np.array(votes)]},
            learnt={**found.learnt, degree: [run]},
        )

    # The share of n = 2 is more than that of n = 3: both small, or not.
    few, many = [1] + [4] * 29, [1] * 8 + [4] * 2
    none = changed(3, [4] * 30).votes[3]
    small = changed(2, few)
    assert verdicts(mnist=small._replace(votes={**small.votes, 3: none})) == {
        "MNIST: memories that vote for one class ": "differs"
    }
    assert verdicts(mnist=changed(2, many)) == {"MNIST: memories that vote for one class ": "fails"}
    # A fifth of the memories of n = 20: twice those of n = 2 and 3 at least, or not.
    assert verdicts(digits=changed(20, [1, 1, 1] + [4] * 7)) == {
        "Digits: memories that vote for one class": "differs"
    }
    assert verdicts(digits=changed(20, [1, 1] + [4] * 8)) == {
        "Digits: memories that vote for one class": "fails"
    }
    # Epochs to 5 % of MNIST: 200 for n = 2, and some ratios to it.
    second = {2: [learnt([0.2, 0.06, 0.04])]}
    for epochs, verdict in ((180, None), (250, "differs"), (400, "fails")):
        third = {3: [learnt([0.2, 0.06, 0.02], epochs=(10, 20, epochs))]}
        part = compared()
        part = part._replace(learnt={**part.learnt, **second, **third})
        assert verdicts(mnist=part).get("MNIST: epochs to a test error of 5 %, n ") == verdict


def test_what_was_not_run_says_so():
    results = judge(paper.CLAIMS, measured(clothes=None, mnist=None, digits=None))
    skipped = [result for result in results if result.verdict == "not run"]
    assert len(skipped) == 24
    ways = ("pip install", "--profile full", "download=True")
    assert all(any(way in result.note for way in ways) for result in skipped)


@pytest.mark.parametrize("part", ["clothes", "mnist", "digits", "neither"])
def test_a_run_writes_its_files(part, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    without = {
        "clothes": (),
        "mnist": ("clothes",),
        "digits": ("clothes", "mnist"),
        "neither": ("clothes", "mnist", "digits"),
    }[part]
    found = measured(**dict.fromkeys(without))
    monkeypatch.setattr(paper, "measure", lambda *_: found)
    run = paper.run("quick", out=tmp_path)
    folder = tmp_path / "dense-associative-memory"
    assert json.loads((folder / "claims.json").read_text("utf-8")) == run.to_json()
    errors = json.loads((folder / "config.json").read_text("utf-8"))["errors"]
    assert list(errors) == [name for name in LEARNT if name not in without]
    assert (folder / "figure.png").stat().st_size > 20_000


def test_sets_are_learnt_seed_by_seed(tmp_path):
    pytest.importorskip("sklearn")
    recipes = dt.Recipe(2, 3, 300.0, 100.0), dt.Recipe(3, 3, 300.0, 180.0)
    runs = dm.Runs(300, 60, recipes, 10, 2, 2, 1, (recipes[1], 12, 1))
    tasks = dm.tasks("digits", runs, 0, tmp_path)
    assert list(tasks) == ["2", "3", "rivals", "large"]
    found = dm.compared("digits", runs, 0, {name: task() for name, task in tasks.items()})
    assert found.errors(3).shape == (2,)
    assert [run.classifier.memories.shape for run in found.large] == [(10, 74), (12, 74)]
    assert [votes.shape for votes in found.votes[2]] == [(10,), (10,)]
    assert [active.shape for active in found.active[2]] == [(60,), (60,)]
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json"] * 6 + [".train"] * 6
    first, second = (dm.pictures("digits", runs, seed) for seed in (0, 1))
    assert first.x.min() == -1
    assert not np.array_equal(first.test_x, second.test_x)


@pytest.mark.parametrize("name", ["digits", "fashion-mnist"])
def test_the_larger_images_may_be_a_set_that_is_learnt_anyway(name, monkeypatch):
    pytest.importorskip("sklearn")
    monkeypatch.setattr(dm, "tasks", lambda name, runs, *_: {"2": (name, runs)})
    monkeypatch.setattr(dm, "compared", lambda name, runs, seed, done: done["2"])
    monkeypatch.setattr(sizes, "side_by_side", lambda tasks: tasks)
    full = PROFILES["full"]
    found = sizes.measure(full, name, 0, None)
    assert found["digits"] == ("digits", full.digits)
    assert found["clothes"] == (name, full.clothes)
