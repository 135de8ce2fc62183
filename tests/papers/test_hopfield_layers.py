"""The layers' claims, and what breaks each."""

import equinox as eqx
import jax
import numpy as np
import pytest

from attrax.papers import hopfield_layers as paper
from attrax.papers.contract import Run
from attrax.papers.hopfield_layers import measure as m

BAD, GOOD = m.Curves(np.full((2, 3), 0.5), np.ones((2, 3))), m.Curves(
    np.full((2, 3), 0.9), np.ones((2, 3))
)  # fmt: skip
RIGHT = {"accuracy": GOOD}
FINDS = ("attention_finds_bit_patterns", "pooling_finds_bit_patterns", "lookup_finds_bit_patterns")
DOES_NOT = ("plain_attention_does_not", "plain_pooling_does_not", "plain_lookup_does_not")


def judged(name, curves, monkeypatch):
    monkeypatch.setattr(m, "trained", lambda run, *which: curves)
    return getattr(paper, name).check(Run(profile="full")).verdict


@pytest.mark.parametrize("name", FINDS)
def test_chance_is_not_enough(name, monkeypatch):
    assert judged(name, GOOD, monkeypatch) == "holds"
    assert judged(name, BAD, monkeypatch) == "fails"


@pytest.mark.parametrize("name", DOES_NOT)
def test_plain_layers_must_not_find_them(name, monkeypatch):
    assert judged(name, BAD, monkeypatch) == "holds"
    assert judged(name, GOOD, monkeypatch) == "fails"


def test_latching_is_judged_by_the_worst(monkeypatch):
    assert judged("layers_latch", GOOD, monkeypatch) == "fails"
    perfect = GOOD._replace(accuracy=np.ones((2, 3)))
    assert judged("layers_latch", perfect, monkeypatch) == "holds"
    mixed = lambda run, which, name, adapted: BAD if name == "pooling" else perfect  # noqa: E731
    monkeypatch.setattr(m, "trained", mixed)
    assert paper.layers_latch.check(Run()).verdict == "fails"


def test_a_rise_of_the_energy_is_seen(monkeypatch):
    rising = np.array([[3.0, 3.0], [2.0, 2.0], [1.0, 2.5]])
    monkeypatch.setattr(m, "energies", lambda run: rising)
    assert paper.steps_never_raise_the_energy.check(Run()).verdict == "fails"
    monkeypatch.setattr(m, "energies", lambda run: rising[:2])
    assert paper.steps_never_raise_the_energy.check(Run()).verdict == "holds"


def test_bits_take_the_full_profile_and_tigers_their_set():
    for name in (*FINDS, *DOES_NOT, "pooling_tells_tigers"):
        assert getattr(paper, name).check(Run()).verdict == "not run"


@pytest.mark.parametrize("name", m.LAYERS)
def test_networks_learn_what_the_notebooks_learn(name):
    """All weights but β and frozen values; without a signal in the bags, nothing is found."""
    data = m.task("latch", jax.random.key(0))
    data = m.Task(data.x[:64], data.y[:64], data.x[64:96], data.y[64:96], data.table)
    make = lambda key: m.network(name, True, data.table, 32, key)  # noqa: E731
    models = eqx.filter_vmap(make)(jax.random.split(jax.random.key(1), 2))
    spec = m.learnt(models)
    attention = models.layer if name == "attention" else models.layer.attention
    beta = spec.layer.beta if name == "attention" else spec.layer.attention.beta
    assert attention.beta is not None
    assert beta is False
    if name == "lookup":
        assert spec.layer.value_rows.given is False
        assert spec.layer.rows.learnt is True
    curves = m.fit(models, data, 2, jax.random.split(jax.random.key(2), 2))
    assert curves.accuracy.shape == curves.loss.shape == (2, 2)
    assert np.all(np.isfinite(curves.loss))
