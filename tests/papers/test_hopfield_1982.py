"""The classical network: small measurements, that each can fail, and the verdicts."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from attrax.papers import hopfield_1982 as paper
from attrax.papers import hopfield_1982_measures as hm
from attrax.papers import hopfield_1982_rules as hr
from attrax.papers.hopfield_1982_verdicts import judge
from attrax.theory import hebb_order_parameters

SIZES = (500, 1000)
THEORY = np.array([1.0, 0.9996, 0.998, 0.9932, 0.9872])


def simulated(shift=0.0):
    """Overlaps on a straight line to theory's, with errors of one in a thousand."""
    noise = 1e-3 * np.tile([1.0, -1.0], 8)
    drawn = []
    for size in SIZES:
        near = THEORY + shift - 5 / size
        far = np.array([0.9, 0.7, 0.4])
        drawn.append(np.concatenate([near, far])[:, None] + noise)
    return hm.Overlaps(SIZES, tuple(drawn))


def measured():
    """What a run in which all is well gives."""
    found = simulated()
    shares = {5: (0.0002, 0.99), 10: (0.00921, 0.56), 15: (0.03, 0.14)}
    signs = {5: (0.0, 1.0), 10: (0.0004, 0.95), 15: (0.004, 0.68)}
    few = np.ones(20)
    return {
        "flips": (0, 400, 1.0),
        "synchronous": (0.2, 0.8),
        "overlaps": found,
        "limit": hm.limit(found),
        "lines": hm.Lines(
            np.linspace(0, 0.138, 5),
            THEORY,
            np.linspace(0, 0.9, 5),
            np.linspace(0.138, 0.01, 5),
            np.linspace(0.05, 0.005, 5),
        ),
        "warm": (np.array([[1.0], [0.999], [0.99], [0.96]]), np.array([1.0, 0.999, 0.99, 0.961])),
        "cooled": (0.001 + 1e-4 * np.tile([1, -1], 5), np.full(10, 1e-5)),
        "boltzmann": (0.3, 40.0),
        "stability": {
            "bits": {n: tuple(x * few for x in pair) for n, pair in shares.items()},
            "signs": {n: tuple(x * few for x in pair) for n, pair in signs.items()},
        },
        "unchanged": {
            "bits": [x[1] * few for x in shares.values()],
            "signs": [x[1] * few for x in signs.values()],
        },
        "near": (np.ones((10, 1)), np.ones(10)),
        "small": (np.full((10, 5), 0.95), np.ones(10)),
        "recalled": hr.Recalled(
            (0.1, 0.25),
            {
                "Hebb": np.array([[0.7], [0.0]]),
                "Storkey": np.ones((2, 1)),
                "projection": np.ones((2, 1)),
            },
        ),
        "incremental": {"Hebb": 0.0, "Storkey": 0.0, "projection": 5e-7},
        "gardner": (1.0, 0.0),
        "three": (np.ones(4), np.full((4, 3), 0.5)),
        "four": (np.full(4, 0.7), np.full((4, 4), 0.3)),
        "graded": hr.Graded(np.linspace(3, 0, 9)[None], 1e-15, (1.0, 1.0, 1.0)),
        "images": hr.Images(
            np.ones((4, 9)),
            np.ones((4, 9)),
            {"Hebb": np.ones((4, 9)), "projection": np.ones((4, 9))},
            (3, 3),
            {"Hebb": 0.0, "Storkey": 0.2, "projection": 1.0},
            0.3,
        ),
    }


BROKEN = {
    "flips": ((1, 400, 0.5), {0, 1}),
    "synchronous": ((0.2, 0.7), {2}),
    "limit": (hm.limit(simulated(0.05)), {5}),
    "boltzmann": ((9.0, 40.0), {8}),
    "incremental": ({"Hebb": 0.1}, {17}),
    "gardner": ((0.9, 0.0), {18}),
    "three": ((np.full(4, 0.9), np.full((4, 3), 0.4)), {19, 20}),
    "graded": (hr.Graded(np.ones((1, 9)), 1e-6, (1.0, 1.0, 0.7)), {22, 23}),
}


def test_each_claim_gets_its_verdict():
    results = judge(paper.CLAIMS, measured())
    assert [r.name for r in results] == [claim.name for claim in paper.CLAIMS]
    assert {r.verdict for r in results} == {"holds"}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_fails_at_its_own_claims_alone(name):
    value, places = BROKEN[name]
    results = judge(paper.CLAIMS, {**measured(), name: value})
    assert {i for i, r in enumerate(results) if r.verdict == "fails"} == places


def test_quoted_shares_differ_only_where_plain_numpy_agrees():
    found = measured()
    found["stability"]["bits"][10] = (0.0092 * np.ones(20), 0.62 + 0.001 * np.tile([1, -1], 10))
    assert judge(paper.CLAIMS, found)[10].verdict == "fails"
    found["unchanged"]["bits"][1] = 0.62 + 0.001 * np.tile([1.0, -1.0], 10)
    assert judge(paper.CLAIMS, found)[10].verdict == "differs"


def test_no_reason_is_asked_for_where_overlaps_are_theorys():
    assert judge(paper.CLAIMS, {**measured(), "cooled": None})[5].verdict == "holds"


def test_overlaps_above_theory_differ_only_as_far_as_cooling_takes_them_back():
    found = {**measured(), "limit": hm.limit(simulated())._replace(error=np.full(5, 1e-4))}
    lifted = found["limit"].limit + np.array([0, 0, 0, 1e-3, 2e-3])
    found["limit"] = found["limit"]._replace(limit=lifted)
    assert judge(paper.CLAIMS, found)[5].verdict == "differs"
    unmoved = (1e-4 * np.tile([1, -1], 5), np.full(10, 1e-5))
    assert judge(paper.CLAIMS, {**found, "cooled": unmoved})[5].verdict == "fails"
    low = found["limit"]._replace(limit=lifted + np.array([0, 0, 1e-3, 0, 0]))
    assert judge(paper.CLAIMS, {**found, "limit": low})[5].verdict == "fails"


def test_the_limit_is_that_of_the_line():
    found = hm.limit(simulated())
    np.testing.assert_allclose(found.limit, THEORY, atol=1e-6)
    assert found.z.max() < 0.5
    assert hm.limit(simulated(0.05)).z.min() > 10


def test_overlaps_of_small_networks_fall_with_the_load():
    found = hm.overlaps((250,), (3,), 0)
    assert found.mean.shape == (1, len(hm.LOADS))
    assert found.mean[0, 0] > 0.99
    assert found.mean[0, -1] < 0.8


def test_theory_is_the_same_however_many_points_are_asked_for():
    loads, temperatures = np.array([0.05, 0.1]), np.array([0.0, 0.2])
    found = hm.expected(loads, temperatures)
    exact = hebb_order_parameters(loads, temperatures).overlap
    np.testing.assert_allclose(found, exact, rtol=1e-6)
    drawn = hm.lines(False)
    assert drawn.transition is None
    np.testing.assert_allclose(drawn.critical[0], 0.1379, atol=1e-4)
    assert (np.diff(drawn.overlaps) <= 1e-6).all()


def test_flips_are_counted_in_whole_numbers():
    rises, changes, agree = hm.flips(60, 2, 0)
    assert (rises, agree) == (0, 1.0)
    assert changes > 20
    # Couplings that differ by direction have no energy, and then it rises.
    rng = np.random.default_rng(0)
    matrix, paths = rng.integers(-9, 10, (30, 30)), rng.choice([-1, 1], (4, 2, 30))
    rises, changes, agree = hm.revisited(matrix, paths, np.arange(30))
    assert 5 < rises < changes
    assert agree == 0


def test_stability_is_that_of_plain_numpy():
    found = hm.stability(100, (5, 15), "bits", 200, 0)
    stored = hm.unchanged(100, (5, 15), "bits", 200, 1)
    for (units, patterns), plain in zip(found.values(), stored, strict=True):
        error = np.hypot(patterns.std(), plain.std()) / np.sqrt(200)
        assert abs(patterns.mean() - plain.mean()) < 4 * error
        assert 0 <= units.mean() < 0.05


def test_rules_written_one_by_one():
    apart = hr.incremental(30, 5, 0)
    assert apart["Hebb"] == 0.0
    assert max(apart.values()) < 1e-5
    # Without the second order of Storkey's rule the two would differ.
    rows = np.random.default_rng(0).choice([-1.0, 1.0], (3, 20))
    assert np.abs(20 * hr.storkey(rows) - rows.T @ rows).max() > 0.1


def test_what_the_perceptron_cannot_hold_is_counted():
    learnt, hebb = hr.gardner(20, 3.0, 0)
    assert hebb <= learnt < 1


def test_images_come_back_by_projection():
    found = hr.images(12, None, 0)
    assert found.exact["projection"] > found.exact["Hebb"]
    assert found.stored.shape == (12, 784)
    assert set(np.unique(found.cues)) == {-1.0, 1.0}


def test_the_figure_is_drawn(tmp_path):
    from attrax.papers.hopfield_1982_figure import draw

    draw(tmp_path / "figure.png", measured())
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_measured_can_be_written_as_json():
    results = judge(paper.CLAIMS, measured())
    json.dumps([r.measured for r in results], allow_nan=False)
    assert jnp.isfinite(jnp.asarray([r.measured for r in results])).all()
