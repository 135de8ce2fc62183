"""The layers' claims, and what breaks each."""

import equinox as eqx
import jax
import numpy as np
import pytest

from attrax.papers import hopfield_layers as paper
from attrax.papers.contract import Run
from attrax.papers.hopfield_layers import measure as m


def curves(accuracy):
    """Of two networks, three epochs each, that end at an accuracy."""
    ends = np.linspace(0.5, accuracy, 3)
    return m.Curves(np.stack([ends, ends]), np.ones((2, 3)))


def bits(accuracy, adapted):
    return {(m.trained, "bits", name, adapted): curves(accuracy) for name in m.LAYERS}


def latch(*accuracies):
    pairs = zip(m.LAYERS, accuracies, strict=True)
    return {(m.trained, "latch", name, False): curves(end) for name, end in pairs}


FINDS = {
    "attention_finds_bit_patterns",
    "pooling_finds_bit_patterns",
    "lookup_finds_bit_patterns",
}
DOES_NOT = {"plain_attention_does_not", "plain_pooling_does_not", "plain_lookup_does_not"}
BROKEN = {
    "adapted layers guess": (bits(0.5, True), FINDS),
    "one read finds the signals": (bits(0.9, False), DOES_NOT),
    "one of three forgets the first symbol": (latch(1.0, 0.5, 1.0), {"layers_latch"}),
    "a step raises the energy": (
        {m.energies: np.array([[3.0, 3.0], [2.0, 2.0], [1.0, 2.5]])},
        {"steps_never_raise_the_energy"},
    ),
}


def test_what_is_right_holds():
    for name, measured in (
        ("layers_latch", latch(1.0, 1.0, 1.0)),
        ("pooling_finds_bit_patterns", bits(0.9, True)),
        ("plain_pooling_does_not", bits(0.5, False)),
    ):

        def run(measure, *args, measured=measured):
            return measured[(measure, *args)]

        claim = getattr(paper, name)
        assert claim.decide(*claim.measure(run).summarise()[::2]) == "holds"


def test_bits_take_the_full_profile_and_tigers_their_set():
    for name in (*FINDS, *DOES_NOT, "pooling_tells_tigers"):
        assert getattr(paper, name).check(Run()).verdict == "not run"


@pytest.mark.parametrize("name", m.LAYERS)
def test_networks_learn_what_the_notebooks_learn(name):
    """All weights but β and frozen values."""
    data = m.task("latch", jax.random.key(0))
    data = m.Task(data.x[:64], data.y[:64], data.x[64:96], data.y[64:96], data.table)

    def make(key):
        return m.network(name, True, data.table, 32, key)

    models = eqx.filter_vmap(make)(jax.random.split(jax.random.key(1), 2))
    spec = m.learnt(models)
    beta = spec.layer.beta if name == "attention" else spec.layer.attention.beta
    assert beta is False
    if name == "lookup":
        assert spec.layer.value_rows.given is False
        assert spec.layer.rows.learnt is True
    seen = m.fit(models, data, 2, jax.random.split(jax.random.key(2), 2))
    assert seen.accuracy.shape == seen.loss.shape == (2, 2)
    assert np.all(np.isfinite(seen.loss))


def test_energies_are_those_of_the_layer_after_each_step():
    energy = m.energies(Run())
    assert energy.shape == (6, 20 * 2 * 6)
    assert np.all(energy[0] >= energy[-1] - 1e-4)
    assert np.median(energy[0] - energy[-1]) > 1
