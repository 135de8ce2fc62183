"""CLOOB: what breaks which claim, and broken measurements."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.models import modern_memory
from attrax.papers import cloob as paper
from attrax.papers.cloob import measure as m
from attrax.papers.contract import NotRun, Run

SPREAD = np.array([-1e-3, 0.0, 1e-3])


def learnt(gradient=1.0, eigenvalues=20.0, accuracy=0.8):
    steps, rows = np.arange(20), np.ones((20, 1))
    given = gradient * rows + SPREAD, eigenvalues * rows + SPREAD
    return m.Learnt(steps, *given, accuracy + SPREAD, 0.1 + SPREAD, np.zeros((3, 2, 400, 32)))


def retrieved(after):
    return m.Retrieved(0.7 + 0 * SPREAD, after + SPREAD, 0 * SPREAD)


def arms(**others):
    """Measurements by arm, the last two words of which may be left out."""
    return {(m.learnt, arm): others.get(arm.split()[0], learnt()) for arm in m.ARMS}


BROKEN = {
    "slopes of one for the other": (
        {(m.slopes, "InfoNCE"): np.full(4, -1.0), (m.slopes, "InfoLOOB"): np.full(4, -0.5)},
        {"info_nce_saturates", "info_loob_does_not"},
    ),
    "rounded sums": (
        {
            m.sums: m.Sums(np.array([1e-7]), np.array([0.5])),
            m.published: np.array([1e-7]),
            m.covariances: np.array([1e-7]),
        },
        {"own_terms_are_left_out", "loss_is_that_of_the_paper", "slopes_are_covariances"},
    ),
    "reads that lose the feature": (
        {m.retrieved: retrieved(0.6)},
        {"reads_find_what_is_in_common"},
    ),
    "gradients alike": (
        arms(),
        {"gradients_at_the_end[embeddings]", "gradients_at_the_end[reads]"},
    ),
    "few directions": (
        arms(InfoLOOB=learnt(2.0), CLOOB=learnt(2.0, eigenvalues=15.0)),
        {"more_directions_are_used"},
    ),
    "others are drawn in at any β": (
        {m.saturation: 1.1 + SPREAD},
        {"reads_saturate_info_nce"},
    ),
    "classes mixed up in any batch": (
        {
            **arms(InfoLOOB=learnt(2.0), CLOOB=learnt(2.0, accuracy=0.7)),
            m.apart: 0.8 + SPREAD,
            (m.apart, "CLOOB", "one of each class"): 0.7 + 2 * SPREAD,
        },
        {"classes_are_told_apart"},
    ),
}


def test_a_verdict_differs_only_with_its_intervention():
    check = paper.reads_saturate_info_nce.check
    known = {(m.saturation, m.BETA): 1.1 + SPREAD, (m.saturation, m.LARGER): 0.9 + SPREAD}
    assert check(Run(known=known)).verdict == "differs"
    check, known = paper.classes_are_told_apart.check, BROKEN["classes mixed up in any batch"][0]
    assert check(Run(known=known)).verdict == "fails"
    known = {**known, (m.apart, "CLOOB", "one of each class"): 0.9 + 2 * SPREAD}
    assert check(Run(known=known)).verdict == "differs"
    with pytest.raises(NotRun, match="--profile full"):
        m.apart(Run(), "CLOOB", "ten")


def test_other_slopes_are_seen(monkeypatch):
    run, logits = Run(), m.LOGITS
    assert np.abs(m.slopes(run, "InfoLOOB") + 1).max() < 1e-14
    assert np.abs(m.slopes(run, "InfoNCE") + 1 - m.share(logits)).max() < 1e-14
    np.testing.assert_allclose(1 - m.share(logits), [15 / 16, 0.66997, 0.09179, 0.00068], atol=1e-5)
    monkeypatch.setitem(m.LOSSES, "InfoLOOB", m.info_nce)
    assert np.abs(m.slopes(run, "InfoLOOB") + 1).max() > 0.05


def test_sums_less_their_own_term_are_seen(monkeypatch):
    run = Run(sizes={"sums.draws": 1})
    sums = m.sums(run)
    assert sums.errors.max() < 1e-14
    assert 0.3 < sums.lost.mean() < 0.8

    def subtracted(anchors, candidates):
        exponents = anchors @ candidates.T / 2
        whole, own = np.logaddexp.reduce(exponents, axis=1), np.diagonal(exponents)
        return own + np.log(np.maximum(np.expm1(whole - own), 1e-300))

    monkeypatch.setattr(m, "_leave_one_out", subtracted)
    assert m.sums(run).errors.max() > 1e-4


def test_other_losses_and_covariances_are_seen(monkeypatch):
    run = Run(sizes={"published.draws": 1})
    assert m.published(run).max() < 1e-13
    assert m.covariances(run).max() < 1e-13
    monkeypatch.setattr(m, "BETA", 7.9)
    other = functools.partial(m.cloob_loss, inverse_temperature=30.0, beta=8.0)
    monkeypatch.setattr(m, "cloob_loss", lambda x, y, **_: other(x, y))
    monkeypatch.setattr(m, "modern_memory", lambda rows, beta: modern_memory(rows, 8.0))
    assert m.published(run).min() > 1e-6
    assert m.covariances(run).min() > 1e-6


def test_features_are_found_between_noise_and_the_mean(monkeypatch):
    run = Run(sizes={"retrieved.draws": 2})
    found = m.retrieved(run, m.BETA)
    np.testing.assert_allclose(found.before, np.sqrt(0.5), atol=0.02)
    assert (found.after - found.before).min() > 0.05
    assert m.retrieved(run, 0.1).between.min() > 0.5
    np.testing.assert_allclose(m.retrieved(run, 1000.0).after, found.before, atol=1e-3)
    # What is read belongs to others.
    read = m._retrieve
    monkeypatch.setattr(m, "_retrieve", lambda rows, beta: jnp.roll(read(rows, beta), 1, 0))
    assert (m.retrieved(run, m.BETA).after < 0.2).all()


def test_eigenvalues_are_counted():
    rows = np.random.default_rng(0).normal(size=(500, 32))
    assert m.effective(rows) == 32
    assert m.effective(rows[:, :5] @ rows[:5]) == 5
    assert m.effective(rows * np.where(np.arange(32) < 3, 1, 1e-3)) == 3


def test_only_terms_that_count_stand_in_denominators():
    x, y = jax.random.normal(jax.random.key(0), (2, 12, 5))
    own = np.eye(12, dtype=bool)
    np.testing.assert_allclose(m.masked(x, y, ~own), m.info_loob(x, y, m.INVERSE), rtol=1e-5)
    np.testing.assert_allclose(m.masked(x, y, own | ~own), m.info_nce(x, y, m.INVERSE), rtol=1e-5)
    labels = np.arange(12) % 3
    fewer = m.masked(x, y, labels[:, None] != labels)
    assert fewer < m.masked(x, y, ~own) - 1e-3


def test_halves_are_of_one_digit():
    data = m.halves(Run(), 2)
    images = np.concatenate([data.seen[..., half, :].reshape(2, -1, 8, 4) for half in (0, 1)], -1)
    assert images.shape == (2, 1397, 8, 8)
    # Ink lies in the middle columns, and edges are empty.
    ink = images.mean((0, 1, 2))
    assert ink[[0, 7]].max() < ink[[3, 4]].min()
    assert data.test.shape == (2, 400, 2, 32)
    assert data.test_labels.shape == (2, 400)


def test_encoders_learn_pairs_and_others_are_judged_as_such(monkeypatch):
    run = Run(sizes={"learnt.members": 2, "learnt.steps": 60})
    learnt = m.learnt(run, "CLIP")
    assert learnt.steps.tolist() == list(range(3, 61, 3))
    assert learnt.gradients.shape == learnt.eigenvalues.shape == (20, 2)
    assert learnt.found.min() > 5 / 400
    assert learnt.accuracy.min() > 0.3
    data = run(m.halves, 2)

    def shuffled(models, pairs):
        rng = np.random.default_rng(0)
        return np.moveaxis(rng.normal(size=(*pairs.shape[:3], 32)), 2, 1)

    monkeypatch.setattr(m, "_embedded", shuffled)
    accuracy, found, _ = m.judged(None, data)
    assert accuracy.max() < 0.2
    assert found.max() < 0.02


def test_pairs_that_are_alike_are_saturated_and_reads_bring_them_nearer():
    rng = np.random.default_rng(0)
    x = m._unit(rng.normal(size=(128, 32)))
    y = m._unit(x + m._unit(rng.normal(size=x.shape)))
    pairs = (jnp.asarray(rows, jnp.float32) for rows in (x, y))
    plain, read = m._unsaturated(*pairs, np.float32(30))
    exponents = np.exp(m.INVERSE * x @ y.T)
    p = [np.mean(np.diagonal(exponents) / exponents.sum(axis)) for axis in (0, 1)]
    np.testing.assert_allclose(plain, 1 - np.mean(p), rtol=1e-3)
    assert read < plain
    embeddings = np.stack([np.tile(x, (3, 1))] * 2)[None].astype(np.float32)
    known = {(m.learnt, "CLIP"): learnt()._replace(embeddings=embeddings)}
    np.testing.assert_allclose(m.saturation(Run(known=known), 1e4), 1, rtol=1e-3)


def test_arms_are_what_their_names_say():
    x, y = jax.random.normal(jax.random.key(0), (2, 128, 32))
    values = {arm: float(jax.jit(functools.partial(m.objective, arm))(x, y)) for arm in m.ARMS}
    np.testing.assert_allclose(values["CLOOB"], m.cloob_loss(x, y), rtol=1e-5)
    both = m.info_loob(x, y, m.INVERSE) + m.info_loob(y, x, m.INVERSE)
    np.testing.assert_allclose(values["InfoLOOB alone"], both, rtol=1e-5)
    assert values["InfoLOOB alone"] < values["CLIP"]
    assert values["CLOOB"] < values["retrieval alone"]
    assert abs(values["CLIP"] - values["retrieval alone"]) > 1e-3
