"""Learnable memory: what breaks which claim, and measurements of what is broken."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.nn import AdaptedTransformer, MemoryTokens
from attrax.papers.contract import Run
from attrax.papers.learnable_memory_vit import measure as m

LOGITS = np.array([[1.0, -2.0], [0.5, 1.0]])
SPREAD = np.array([-1e-3, 1e-3, 0.0])


def answers(old=0.0, first=0.0, extended=0.0, later=0.5, square=0.0, swapped=0.0):
    """Logits of the transformer and two tasks, each off by so much."""
    own, one, two = LOGITS, LOGITS + 1, LOGITS + 2
    return m.Answers(
        own,
        [[own, one], [own, two]],
        [own + old, one + first, two],
        [own, one + extended, two + later],
        [own + old, one + first + swapped, two + 1],
        [own + old, one + first, two + square],
    )


def learnt(accuracy):
    return m.Learnt(None, accuracy + SPREAD)


def kept(moved=0, apart=0.0):
    return m.Kept(np.full(2, 0.97), np.full(2, 0.97), np.full(2, 0.4), moved, apart)


DIGITS = {
    (m.adapted, m.DIGITS, "head"): learnt(0.8),
    (m.adapted, m.DIGITS, "rows"): learnt(0.8),
    (m.adapted, m.DIGITS, "full"): learnt(0.7),
    (m.adapted, m.DIGITS, "rows", 5, "full"): learnt(0.9),
    (m.numbers, m.DIGITS, 5): (677, 40000),
}
FASHION = {(m.adapted, pair, "head"): learnt(0.8) for pair in m.FASHION}
WORSE = {(m.adapted, pair, "rows"): learnt(0.7) for pair in m.FASHION}
BROKEN = {
    "old logits that move": ({m.answers: answers(old=1e-3)}, {"old_logits_stay"}),
    "tasks that read one another": (
        {m.answers: answers(first=1e-3, swapped=1e-3)},
        {"other_tasks_are_not_read", "concatenated_tasks_are_separate_models"},
    ),
    "earlier tasks that read later ones": (
        {m.answers: answers(extended=1e-3)},
        {"extension_leaves_earlier_tasks"},
    ),
    "later tasks that read no earlier ones": (
        {m.answers: answers(later=0.0)},
        {"extension_changes_later_tasks"},
    ),
    "rows that are more": ({m.answers: answers(square=1e-3)}, {"rows_are_keys_and_values_only"}),
    "an empty row": (
        {m.masks: {"extended": np.array([[True, False], [False, False]])}},
        {"every_token_reads_something"},
    ),
    "another count": (
        {m.counted: m.Counted(np.array([5, 7]), np.array([5, 6]), 10)},
        {"numbers_of_a_task"},
    ),
    "a transformer that is trained too": (
        {m.kept: kept(3, 1e-2)},
        {"training_leaves_the_transformer", "old_digits_stay"},
    ),
    "rows that do not help": (
        DIGITS,
        {"rows_beat_the_head", "all_beats_rows", "masking_costs_little"},
    ),
    "rows that harm": (FASHION | WORSE, {"other_images[0]", "other_images[1]"}),
}


def small(**sizes):
    given = {"answers.draws": 2, "members": 2, "steps.first": 2, "steps.then": 2, **sizes}
    return Run(sizes=given)


def test_tasks_without_a_mask_change_old_answers_and_each_other(monkeypatch):
    found = m.answers(small())
    assert m.apart(found.both[0], found.bare) < 1e-14
    assert max(m.apart(a, b) for a, b in zip(found.both, found.square, strict=True)) < 1e-12
    assert m.apart(found.extended[2], found.alone[1][1]) > 0.01
    attach = m.attach
    monkeypatch.setattr(m, "attach", lambda b, t, _="": attach(b, t, "full"))
    free = m.answers(small())
    assert m.apart(free.both[0], free.bare) > 0.01
    assert m.apart(free.both[1], free.alone[0][1]) > 0.01
    assert np.abs(free.swapped[1] - free.both[1]).max() > 0.01


def test_rows_of_another_layer_or_size_are_other_logits(monkeypatch):
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        backbone, tasks = m.drawn(rng, 1, 1)
        model = m.take(m.attach(backbone, tasks), 0)
    image = rng.random((8, 8))
    (old, new), weights = m.reference(model, image)
    assert weights.shape == (3, 4, 18, 22)
    np.testing.assert_allclose(weights.sum(-1), 1)
    turned = eqx.tree_at(lambda x: x.tasks[0].rows, model, model.tasks[0].rows[::-1])
    (same, other), _ = m.reference(turned, image)
    np.testing.assert_allclose(same, old, rtol=1e-13)
    assert np.abs(other - new).max() > 0.01


def test_an_empty_row_and_numbers_of_a_bias_are_counted(monkeypatch):
    assert all(mask.any(1).all() for mask in m.masks(Run()).values())
    counted = m.counted(Run())
    np.testing.assert_array_equal(counted.found, counted.expected)
    assert counted.found[2] == 5 * 32 * 3 + 32 + 33 * 5
    init = MemoryTokens.__init__

    def more(self, *given, **options):
        init(self, *given, **options)
        self.rows = jnp.concatenate([self.rows, self.rows[:, :1]], axis=1)

    mask: Any = AdaptedTransformer.mask
    empty = property(lambda self: mask.fget(self).at[-1].set(False))
    monkeypatch.setattr(AdaptedTransformer, "mask", empty)
    assert not m.masks(Run())["extended"].any(1).all()
    monkeypatch.setattr(MemoryTokens, "__init__", more)
    assert np.all(m.counted(Run()).found[1:] > counted.expected[1:])


def test_halves_of_digits_are_apart_and_chance_is_told(monkeypatch):
    first, then = (m.images(small(), name) for name in m.domains(m.DIGITS))
    assert first.x.shape[2:] == then.test_x.shape[2:] == (8, 8)
    assert first.classes == then.classes == 5
    assert first.x.shape[0] == 2
    assert not (first.x[0, :5, None] == then.x[0, None, :5]).all((2, 3)).any()
    with pytest.raises(ValueError, match="it must be one of"):
        m.images(Run(data="iris", sizes={"members": 1}), "0-4")


def test_a_backbone_that_is_trained_is_noticed():
    run = small()
    first = run(m.pretrained, m.DIGITS)
    task = run(m.adapted, m.DIGITS, "rows")
    full = run(m.adapted, m.DIGITS, "full")
    found = m.kept(run, m.DIGITS)
    assert found.moved == 0
    assert found.apart < 1e-5
    moved = eqx.tree_at(lambda x: x.backbone, task.models, full.models)
    known = {
        (m.pretrained, m.DIGITS): first,
        (m.adapted, m.DIGITS, "rows"): m.Learnt(moved, task.accuracy),
        (m.adapted, m.DIGITS, "full"): full,
    }
    broken = m.kept(Run(known=known, sizes={"members": 2}), m.DIGITS)
    assert broken.moved > 1000
    assert broken.apart > 1e-3
    assert m.numbers(run, m.DIGITS, 5)[0] == 5 * 32 * 3 + 32 + 33 * 5
    looks = m.looks(run, m.DIGITS)
    assert looks.shape == (4, 3)
    np.testing.assert_allclose(looks.sum(0), 1, rtol=1e-5)
