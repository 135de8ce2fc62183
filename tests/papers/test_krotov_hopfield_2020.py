"""Large associative memory: small measurements, that each can fail, and the verdicts."""

import json

import jax
import numpy as np
import pytest

from attrax.papers import krotov_hopfield_2020 as paper
from attrax.papers import krotov_hopfield_2020_capacity as kc
from attrax.papers import krotov_hopfield_2020_measures as km
from attrax.papers import krotov_hopfield_2020_traps as kt
from attrax.papers.krotov_hopfield_2020_energy import ROUNDING, Descent, Rates, in_parallel
from attrax.papers.krotov_hopfield_2020_limit import Limit


@pytest.fixture
def x64():
    with jax.enable_x64(True):
        yield


def descent(rise=0.0):
    """Two parts whose sum falls, and rises once by a share of the largest term."""
    total = np.linspace(4.0, 1.0, 30)[None] + np.zeros((2, 1))
    total[1, 20:] += 4.0 * rise + 3 / 29
    parts = {"feature": total / 2, "memory": total / 2 + 1, "feature-memory": -np.ones_like(total)}
    return Descent(parts, np.zeros((2, 30, 3)))


def model(rise=0.0, exponent=1.0, effective=1e-15):
    taus = np.asarray(km.TAUS)
    rates = Rates(np.ones(3), np.ones(3), {"feature": np.eye(3)[None]})
    return km.Model(
        descent(rise), rates, Limit(taus, taus[None] ** exponent * np.ones((2, 1))), effective
    )


def measured():
    """What a run in which all is well gives."""
    return {
        **{name: model() for name in km.MODELS},
        "decays": km.Decays((descent(),) * 3, 1e-15),
        "attention": 1e-15,
        "forms": 1e-14,
        "capacity": kc.Capacity((5, 400), 100, np.array([[1.0, 0.5]] * 2), np.zeros((2, 2))),
        "indefinite": kt.Indefinite(-3.0, True, 0.2),
        "dead": kt.Dead(0.0, 1.0, 0.5),
        "unbounded": kt.Unbounded(
            (0.8, 1.25), np.array([0.0, 1.0]), np.array([1.0, 0.0]), (descent(),) * 2
        ),
        "coarse": kt.Coarse(
            (0.1, 2.0), np.array([0.0, 0.1]), np.zeros(2), "in step 3", (np.arange(400.0),) * 2
        ),
        "driven": 1e-15,
        "monitor": (0.01, 0.0),
    }


BROKEN = {
    "model A": ("A", model(rise=1e-6), [0]),
    "model C": ("C", model(rise=1e-6), [3]),
    "exponent": ("B", model(exponent=0.5), [8]),
    "effective energy": ("A′", model(effective=1e-3), [7]),
    "decays": ("decays", km.Decays((descent(), descent(), descent(1e-6)), 0.0), [4]),
    "attention": ("attention", 1e-6, [9]),
    "recall": (
        "capacity",
        kc.Capacity((5, 400), 100, np.array([[0.8, 0.5]]), np.array([[1.6, 0.0]])),
        [11, 12],
    ),
    "cubic not refused": ("indefinite", kt.Indefinite(-3.0, False, 0.2), [14]),
    "energy sees dead neurons": ("dead", kt.Dead(1e-3, 1.0, 0.5), [15]),
    "nothing diverges": (
        "unbounded",
        kt.Unbounded((0.8, 1.25), np.zeros(2), np.ones(2), (descent(),) * 2),
        [16],
    ),
    "long steps are harmless": (
        "coarse",
        kt.Coarse((0.1, 2.0), np.zeros(2), np.zeros(2), "", (np.arange(400.0),) * 2),
        [17],
    ),
    "monitor": ("monitor", (0.0, 0.0), [19]),
}


def test_all_claims_hold_where_all_is_well():
    results = paper.judge(paper.CLAIMS, measured())
    assert [result.name for result in results] == [claim.name for claim in paper.CLAIMS]
    assert {result.verdict for result in results} == {"holds"}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_fails(case):
    name, value, broken = BROKEN[case]
    results = paper.judge(paper.CLAIMS, {**measured(), name: value})
    assert [i for i, result in enumerate(results) if result.verdict == "fails"] == broken


def test_a_run_writes_its_files(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(paper, "measure", lambda sizes, seed: measured())
    found = paper.run("quick", out=tmp_path)
    folder = tmp_path / "krotov-hopfield-2020"
    assert json.loads((folder / "claims.json").read_text("utf-8")) == found.to_json()
    assert json.loads((folder / "config.json").read_text("utf-8"))["precision"] == "float64"
    assert (folder / "figure.png").stat().st_size > 20_000


def test_tasks_run_in_double_precision_and_their_errors_come_through():
    found = in_parallel({"one": lambda: jax.numpy.ones(()).dtype.name, "two": lambda: 2})
    assert found == {"one": "float64", "two": 2}
    with pytest.raises(ZeroDivisionError):
        in_parallel({"bad": lambda: 1 / 0})


def test_a_model_is_measured(x64):
    found = km.examined("A", 2, 4, 300, 0)
    assert found.descent.energy.shape == (2, 301)
    assert np.all(found.descent.rise <= ROUNDING)
    assert np.all(found.descent.energy[:, -1] < found.descent.energy[:, 0] - 1)
    assert found.rates.difference < 1e-13
    assert np.all(found.rates.form < 0)
    assert found.rates.least >= -1e-13
    assert found.effective < 1e-12
    np.testing.assert_allclose(found.limit.exponents[:, -1], 1, atol=0.1)


def test_a_decay_built_in_is_a_decay_changed(x64):
    found = km.decays(1, 100, 0)
    assert found.apart < 1e-12
    assert all(np.all(each.rise <= ROUNDING) for each in found.descents)
    # The states are not the same, though energies fall alike.
    ends = [each.visible[0, -1] for each in found.descents]
    assert np.linalg.norm(ends[0]) > np.linalg.norm(ends[2]) * 1.05


def test_an_indefinite_hessian_is_refused_and_the_energy_rises(x64):
    found = kt.indefinite(8, 500, 0)
    assert found.refused
    assert found.least < 0
    assert found.rises > 0


def test_the_rate_under_a_changing_input(x64):
    assert kt.driven(4, 0) < 1e-13


def test_attention_is_one_step(x64):
    assert km.attention(3, 0) < 1e-14


def test_capacity_counts_what_comes_back(x64):
    found = kc.capacity((2, 6), 60, 2, 0.1, 0)
    np.testing.assert_array_equal(found.recalled, 1)
    assert np.all(found.crowded <= 1)
    lost = kc.capacity((2, 6), 60, 1, 0.5, 0)
    assert np.all(lost.recalled < 0.5)
