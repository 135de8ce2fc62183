"""Hierarchical associative memory: small measurements, that each can fail, and the verdicts."""

import json

import jax
import numpy as np
import pytest

from attrax.papers import hierarchical_associative_memory as paper
from attrax.papers import hierarchical_associative_memory_measures as hm
from attrax.papers import hierarchical_associative_memory_words as hw
from attrax.papers.krotov_hopfield_2020_energy import ROUNDING, Descent, Rates
from attrax.papers.krotov_hopfield_2020_limit import Limit

PARTS = ("visible", "hidden 1", "hidden 2", "visible-hidden 1", "hidden 1-hidden 2")


@pytest.fixture
def x64():
    with jax.enable_x64(True):
        yield


def descent(rise=0.0):
    """Parts whose sum falls, and rises once by a share of the largest term."""
    total = np.linspace(4.0, 1.0, 30)[None] + np.zeros((2, 1))
    total[1, 20:] += 4.0 * rise + 3 / 29
    return Descent({name: total / len(PARTS) for name in PARTS}, np.zeros((2, 30, 3)))


def limit(exponent=1.0):
    taus = np.asarray(hm.TOPS)
    return Limit(taus, taus[None] ** exponent * np.ones((2, 1)))


def together(turn=0.0, once=0.2):
    energies = {name: np.arange(31.0)[None] for name in ("all at once", "layer by layer")}
    rises = {"all at once": np.array([once]), "layer by layer": np.array([turn])}
    return hm.Together(rises, energies)


def words(completed=1.0, unaided=0.2):
    pictures = np.ones((3, 3, 2, 35))
    rates = [np.full(3, rate) for rate in (1.0, completed, unaided)]
    return hw.Words(("a", "b", "c"), pictures, pictures, pictures, *rates, 0.0)


def measured():
    """What a run in which all is well gives."""
    return {
        "chain": hm.Chain(descent(), Rates(np.ones(3), np.ones(3), {"visible": np.eye(3)[None]})),
        "asymmetric": descent(0.1),
        "convolution": hm.Convolution(0.0, descent()),
        "adiabatic": limit(),
        "eliminated": 1e-15,
        "rest": hm.Rest(1.0, np.array([3.0, 4.0]), 2),
        "together": together(),
        "words": words(),
    }


BROKEN = {
    "descent": ("chain", hm.Chain(descent(1e-9), measured()["chain"].rates), [0]),
    "asymmetry unseen": ("asymmetric", descent(), [1]),
    "rate": ("chain", hm.Chain(descent(), Rates(np.ones(3), 2 * np.ones(3), {})), [2]),
    "convolution": ("convolution", hm.Convolution(1e-6, descent(1e-9)), [3, 4]),
    "reduced energy": ("eliminated", 1e-6, [5]),
    "exponent": ("adiabatic", limit(0.5), [6]),
    "no rest": ("rest", hm.Rest(0.95, np.array([3.0, 4.0]), 2), [7]),
    "updates": ("together", together(1e-3, 0.0), [8, 9]),
    "words": ("words", words(0.5, 0.9), [10, 11]),
}


def test_all_claims_hold_where_all_is_well():
    results = paper.judge(measured())
    assert [result.name for result in results] == [claim.name for claim in paper.CLAIMS]
    assert {result.verdict for result in results} == {"holds"}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_fails(case):
    name, value, broken = BROKEN[case]
    results = paper.judge({**measured(), name: value})
    assert [i for i, result in enumerate(results) if result.verdict == "fails"] == broken


def test_a_run_writes_its_files(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(paper, "measure", lambda sizes, seed: measured())
    found = paper.run("quick", out=tmp_path)
    folder = tmp_path / "hierarchical-associative-memory"
    assert json.loads((folder / "claims.json").read_text("utf-8")) == found.to_json()
    assert (folder / "figure.png").stat().st_size > 20_000


def test_three_layers_are_measured(x64):
    found = hm.three_layers(2, 4, 300, 0)
    assert np.all(found.descent.rise <= ROUNDING)
    assert found.rates.difference < 1e-13
    assert set(found.descent.parts) == set(PARTS)


def test_feedback_of_its_own_makes_the_energy_rise(x64):
    assert hm.asymmetric(2, 3000, 0).rise.max() > 1e-6


def test_a_fast_top_layer_leaves_the_formula(x64):
    assert hm.eliminated(4, 0) < 1e-12


def test_the_convolution_feeds_back_transposed(x64):
    found = hm.convolution(1, 20, 0)
    assert found.feedback < 1e-14
    assert np.all(found.descent.rise <= ROUNDING)


def test_fixed_points_are_reached(x64):
    found = hm.rest(3, 0)
    assert found.converged == 1
    assert np.all(found.time < 100)


def test_words_are_completed_by_rules_alone():
    found = hw.words(30, 0)
    assert np.all(found.completed > 0.8)
    assert np.all(found.stored >= found.completed)
    assert found.unaided[:2].max() < 0.6
    # Every letter is of its own, and damaged ones are not what is stored.
    glyphs = np.stack([hw.glyph(letter) for block in hw.LETTERS for letter in block])
    assert len(np.unique(glyphs, axis=0)) == 6
    assert np.any(np.sign(found.cues) != np.sign(found.found))
