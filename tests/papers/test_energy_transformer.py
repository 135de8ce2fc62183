"""Energy transformer: broken measurements fail, and what is broken is seen."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.hierarchical import LayerNorm
from attrax.nn import EnergyTransformer
from attrax.papers.contract import Run
from attrax.papers.energy_transformer import measure as m

SMALL = {
    "descents.steps": 8,
    "descents.draws": 2,
    "notebook.steps": 5,
    "completion.steps": 3,
    "completion.draws": 2,
    "cycles.graphs": 80,
    "cycles.steps": 4,
    "cycles.models": 1,
    "anomalies.graphs": 4,
    "anomalies.steps": 60,
}
RISING = np.array([[[-1.0, -3.0, -2.9, -4.0]]])
SPREAD = np.array([-1e-3, 1e-3, -1e-3, 1e-3])


def small():
    return Run(sizes=SMALL)


def done(error):
    """Errors of some draws, over those of the mean image."""
    ones = np.ones(4)
    return m.Completion(None, None, None, error * ones + SPREAD, ones)


def found(score):
    return m.Anomalies(score + SPREAD, np.full(4, 0.5), np.full(4, 0.6))


EXACT = m.Identities(0.0, 0.0, 0.0, 0.5)
FALLS = {f"falls[{form}]" for form in m.FORMS}
BROKEN = {
    "energies": ({m.descents: RISING, m.notebook: RISING}, FALLS | {"falls_as_in_the_notebook"}),
    "not a number": ({m.notebook: RISING * np.nan}, {"falls_as_in_the_notebook"}),
    "slope": ({m.identities: EXACT._replace(closed=1e-9)}, {"slope_is_the_closed_form"}),
    "network": ({m.identities: EXACT._replace(network=1e-9)}, {"network_has_the_same_energy"}),
    "order": ({m.identities: EXACT._replace(permuted=1e-9)}, {"tokens_have_no_order"}),
    "causal": ({m.identities: EXACT._replace(leak=0.0)}, {"a_triangular_mask_is_not_causal"}),
    "curved": ({m.flat_directions: np.array([0, 1e-6])}, {"two_directions_are_flat"}),
    "large": ({m.parameter_ratio: 0.9}, {"fewer_parameters"}),
    "nothing learnt": (
        {(m.completion, 2): done(1.2), (m.completion, 0): done(1.1)},
        {"completes_better_than_the_mean_patch", "completes_better_than_without_steps"},
    ),
    "anomalies": ({m.anomalies: found(0.5)}, {"finds_anomalies"}),
    "cycles": ({m.cycles: 0.5 + SPREAD}, {"tells_cycles_from_trees"}),
}


def uphill(self, tokens, mask, attention):
    return jax.grad(attention)(self.norm.activation(tokens))


def test_steps_uphill_raise_the_energy(monkeypatch):
    assert m.rise(m.descents(small(), "ReLU")) < 1e-13
    assert m.rise(m.notebook(small())) < 1e-13
    monkeypatch.setattr(EnergyTransformer, "_drive", uphill)
    jax.clear_caches()
    assert m.rise(m.descents(small(), "ReLU")) > 1e-6
    assert m.rise(m.notebook(small())) > 1e-6
    jax.clear_caches()


def test_other_slopes_are_no_identities(monkeypatch):
    exact = m.identities(small())
    assert max(exact[:3]) < 1e-12
    assert exact.leak > 0.01
    by_hand, network = m.by_hand, EnergyTransformer.network
    monkeypatch.setattr(m, "by_hand", lambda block, x: 1.001 * by_hand(block, x))
    monkeypatch.setattr(m, "_last", lambda block, x: x + np.arange(10)[:, None])

    def other(self, tokens):
        return network(eqx.tree_at(lambda b: b.memories, self, 1.1 * self.memories), tokens)

    monkeypatch.setattr(EnergyTransformer, "network", other)
    # Without what keys are drawn by, a token hears only of those that it attends to.
    monkeypatch.setattr(m, "_drive", lambda block, x, edges: jnp.cumsum(jnp.asarray(x), axis=0))
    broken = m.identities(small())
    assert min(broken[:3]) > 1e-4
    assert broken.leak == 0


def test_another_epsilon_has_other_eigenvalues(monkeypatch):
    assert m.flat_directions(small()).max() < 1e-12
    monkeypatch.setattr(m, "LayerNorm", lambda gamma: LayerNorm(gamma, epsilon=1e-4))
    assert m.flat_directions(small()).max() > 1e-7


def test_more_memories_are_more_parameters(monkeypatch):
    assert m.parameter_ratio(small()) < 0.5

    def larger(*given, **options):
        return EnergyTransformer(*given, memories=4000, **options)

    monkeypatch.setattr(m, "EnergyTransformer", larger)
    assert m.parameter_ratio(small()) > 0.5


def test_a_model_that_has_not_learnt_fills_in_worse_than_the_mean():
    early = m.completion(small(), 2)
    assert (early.errors > early.mean).all()
    assert early.errors.shape == early.mean.shape == (2,)
    assert early.known.shape == (2, 400, 16)
    assert (early.known.sum(-1) == 8).all()


def test_anomalies_cannot_be_found_among_other_edges(monkeypatch):
    planted, rng = m.planted, np.random.default_rng(5)
    right = m.anomalies(small())

    def shuffled(draw):
        features, edges, labels = planted(draw)
        order = rng.permutation(len(edges))
        return features, edges[order][:, order], labels

    monkeypatch.setattr(m, "planted", shuffled)
    wrong = m.anomalies(small())
    assert (wrong.steps - right.steps).mean() < -0.1
    assert (wrong.steps - wrong.regression).mean() < 0 < (right.steps - right.regression).mean()


def test_scores_and_regression():
    assert m.macro_f1(np.array([0, 1, 1, 0]), np.array([0, 1, 1, 0])) == 1
    assert m.macro_f1(np.zeros(4), np.array([0, 0, 0, 1])) == pytest.approx(3 / 7)
    features = np.array([[-2.0], [-1], [1], [3]])
    labels = np.array([0, 0, 1, 1])
    weights = m.balanced(labels, np.array([1, 1, 1, 0]))
    np.testing.assert_allclose(weights, [0.5, 0.5, 1, 0])
    assert np.array_equal(m.regressed(features, labels, weights), labels)


def test_graphs_have_one_cycle_or_none(monkeypatch):
    rng = np.random.default_rng(0)
    for cyclic in (False, True):
        for _ in range(20):
            edges, mask = m.drawn_graph(rng, cyclic)
            assert np.array_equal(edges, edges.T)
            assert np.trace(edges) == np.trace(edges @ edges @ edges) == 0
            assert edges.sum() / 2 == mask.sum() - 1 + cyclic
            connected = np.linalg.matrix_power(edges + np.eye(m.LARGEST), m.LARGEST) > 0
            assert connected[mask][:, mask].all()
    drawn = m.drawn_graph
    monkeypatch.setattr(m, "drawn_graph", lambda rng, cyclic: drawn(rng, False))
    assert m.cycles(small()).mean() < 0.7
