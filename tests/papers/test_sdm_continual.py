"""Sparse distributed memory as a continual learner: what breaks which claim, and broken parts."""

import equinox as eqx
import jax
import numpy as np
import pytest

from attrax import nn
from attrax.papers import sdm_continual as paper
from attrax.papers.contract import NotRun, Run
from attrax.papers.sdm_continual import measure as m
from attrax.separation import Identity, TopK
from attrax.training import train_continually

SPREAD = np.array([-0.01, 0.0, 0.01])


def runs(final, dead=0.1):
    overall = np.stack([np.full(3, 0.2), final + SPREAD], 1)
    return m.Runs(overall, np.zeros((3, 2, 2)), np.full(3, dead))


def networks(**final):
    """All kinds as they should be, but for those that are named."""
    kinds = {"sdm": 0.5, "elastic": 0.6, "replay": 0.9, **final}
    return {(m.trained, kind): runs(kinds.get(kind, 0.2), 0.9) for kind in KINDS}


KINDS = [*m.LACKS, *m.OPTIONS]
BELOW = {f"components[{name}]" for name in paper.components}

BROKEN = {
    "another number of neurons is active": (
        {m.counts: m.Counts(1, 0, 0, 0)},
        {"as_many_are_active"},
    ),
    "all neurons are not excited": ({m.counts: m.Counts(0, 5, 0, 0)}, {"as_many_are_active"}),
    "rows are not unit": (
        {m.constraints: m.Constraints(np.array([0.0, 1e-3]), np.zeros(2), 0.1)},
        {"constraints_hold_after_each_step"},
    ),
    "weights below zero": (
        {m.constraints: m.Constraints(np.zeros(2), np.array([0.0, -1e-3]), 0.1)},
        {"constraints_hold_after_each_step"},
    ),
    "another read": ({m.read: 1e-6}, {"logits_are_a_read"}),
    "it forgets as others do": (
        {**networks(sdm=0.2, elastic=0.3, relu=0.3), (m.trained, "no switch"): runs(0.2, 1.0)}
        | {(m.trained, name): runs(0.3) for name in ("momentum", *paper.components)},
        {"it_forgets_less", "the_switch_rescues_neurons", "momentum_hurts", *BELOW},
    ),
    "the penalty hurts": (
        {(m.trained, "sdm"): runs(0.5), (m.trained, "elastic"): runs(0.3)},
        {"elastic_weights_complement_it"},
    ),
    "clothes are forgotten": (
        {(m.fashion, "sdm"): runs(0.2), (m.fashion, "relu"): runs(0.4)},
        {"clothes_have_the_same_order"},
    ),
}


def test_a_mask_or_another_threshold_is_seen(monkeypatch):
    assert m.counts(Run()) == (0, 0, 0, 0)
    monkeypatch.setattr(m, "TopKSubtract", lambda k: nn.sparse_distributed.TopKSubtract(k + 1))
    assert m.counts(Run())[2:] == (1, 1)
    ranked = nn.sparse_distributed.ranked
    monkeypatch.setattr(nn.sparse_distributed, "ranked", lambda scores, k: ranked(scores, k - 1))
    assert m.counts(Run())[0] == 1


def test_a_read_of_another_separation_is_seen(monkeypatch):
    assert m.read(Run()) < 1.5e-14
    masked = TopK(m.K, Identity())
    monkeypatch.setattr(nn.sparse_distributed, "TopKSubtract", lambda k: masked)
    assert m.read(Run()) > 1e-3


def test_steps_without_constraints_are_seen(monkeypatch):
    run = Run()
    found = m.constraints(run)
    assert len(found.norms) == 50
    assert max(found.norms.max(), -found.least.min()) < 8e-6
    assert found.moved > 0.05

    def loose(model, *args, **options):
        free = m.Variant(64, 300, 10, ("unit", "non_negative"), k=10, switch=1.0, key=KEY)
        return train_continually(free, *args, **options)

    monkeypatch.setattr(m, "train_continually", loose)
    found = m.constraints(run)
    assert found.norms.max() > 0.1
    assert found.least.min() < -0.1


KEY = jax.random.key(0)


def test_a_variant_that_lacks_nothing_is_the_classifier():
    options = {"k": 4, "switch": 300.0, "key": KEY}
    own, variant = nn.SDMClassifier(64, 50, 10, **options), m.Variant(64, 50, 10, (), **options)
    variant = eqx.tree_at(lambda v: (v.addresses, v.values), variant, (own.addresses, own.values))
    tasks, tests = m.digits(Run(), 0)
    found = [
        train_continually(each, tasks[:2], tests[:2], epochs=2, batch_size=32, key=KEY)
        for each in (own, variant)
    ]
    np.testing.assert_allclose(found[0].losses, found[1].losses, rtol=1e-4)
    np.testing.assert_array_equal(found[0].model.activations, found[1].model.activations)
    lacking = [m.LACKS[kind] for kind in m.LACKS]
    assert set().union(*lacking) == set(m.COMPONENTS)


@pytest.mark.parametrize("name", m.COMPONENTS)
def test_each_component_changes_the_network(name):
    row = jax.numpy.asarray(m.digits(Run(), 0)[0][0][0][0])

    def made(lacks):
        variant = m.Variant(64, 50, 10, lacks, k=4, switch=8.0, key=KEY)
        counts = np.full(50, 6.0, np.float32)
        return eqx.tree_at(lambda v: v.activations, variant, jax.numpy.asarray(counts)).constrain()

    assert np.abs(made(())(row) - made((name,))(row)).max() > 1e-4


def test_draws_have_other_rows_and_none_is_learnt_and_asked():
    first, second = (m.digits(Run(), draw) for draw in (0, 1))
    assert [len(x) for x, _ in first[0]] == [len(x) for x, _ in second[0]]
    assert {len(x) for x, _ in first[1]} == {80}
    assert not np.array_equal(first[1][0][0], second[1][0][0])
    for (x, _), (asked, _) in zip(*first, strict=True):
        seen = {row.tobytes() for row in x}
        assert sum(row.tobytes() in seen for row in asked) <= 2


def test_dead_neurons_are_those_that_no_row_activates():
    rows = m.digits(Run(), 0)[0][0][0][:40]
    model = nn.SDMClassifier(64, 30, 10, k=3, switch=1.0, key=KEY)
    assert m.ever_active(model, rows).all()
    settled = eqx.tree_at(lambda model: model.activations, model, jax.numpy.ones(30))
    active = np.asarray(jax.vmap(settled.weights)(rows) > 1e-4).any(0)
    np.testing.assert_array_equal(m.ever_active(settled, rows), active)
    assert not active.all()


def test_learning_keeps_more_than_without_the_switch_and_top_k():
    options = {"learning_rate": 0.15, "batch_size": 32, "epochs": 20}
    data = m.digits(Run(), 0)
    own, other = (m.learn(data, kind, 100, m.SWITCH, 0, options) for kind in ("sdm", "relu"))
    assert own[0][-1] > other[0][-1] + 0.05
    assert own[1].shape == (5, 5)
    assert 0 <= own[2] < 1


def test_what_takes_minutes_is_not_run_in_seconds():
    for measure in (lambda run: m.trained(run, "replay"), lambda run: m.fashion(run, "sdm")):
        with pytest.raises(NotRun, match="--profile full"):
            measure(Run())
