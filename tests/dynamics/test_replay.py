"""Replays: the path, where a sequence is lost, ends, dwell times, and one program for all cues."""

import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax import Outcome, models
from attrax.dynamics import Replay
from attrax.separation import Identity, Power, Softmax
from attrax.similarity import Euclidean

rng = np.random.default_rng(0)
SIGNS = rng.choice([-1.0, 1.0], (40, 100)).astype(np.float32)
IMAGES = rng.random((20, 50)).astype(np.float32)


@pytest.mark.parametrize("units", ["signs", "real"])
def test_the_path_is_the_sequence(units):
    rows = SIGNS if units == "signs" else IMAGES
    memory = models.sequence_memory(rows, units=units, cyclic=True)
    found = attrax.retrieve(memory, rows[:3], Replay(30), path=True)
    expected = np.stack([rows[np.arange(i, i + 31) % len(rows)] for i in range(3)])
    np.testing.assert_allclose(found.path, expected, atol=1e-3)
    np.testing.assert_allclose(found.state, expected[:, -1], atol=1e-3)
    assert bool((found.outcome == Outcome.replayed).all())
    assert found.steps.tolist() == [30, 30, 30]
    assert found.index.tolist() == [(i + 30) % len(rows) for i in range(3)]
    assert found.energy is None
    again = attrax.retrieve(memory, rows[:3], Replay(30))
    np.testing.assert_array_equal(again.state, found.state)


@pytest.mark.parametrize("units", ["signs", "real"])
def test_a_sequence_rests_at_its_end(units):
    rows = SIGNS if units == "signs" else IMAGES
    memory = models.sequence_memory([rows[:12], rows[12:]], units=units)
    found = attrax.retrieve(memory, rows[[0, 9, 11, 12]], Replay(50))
    end = [11, 11, 11, len(rows) - 1]
    np.testing.assert_allclose(found.state, rows[end], atol=1e-3)
    assert bool((found.outcome == Outcome.converged).all())
    assert found.steps.tolist() == [11, 2, 0, len(rows) - 13]


def test_a_lost_sequence_says_where():
    memory = models.sequence_memory(SIGNS, Identity(), units="signs", cyclic=True)
    found = attrax.retrieve(memory, SIGNS, Replay(39), path=True)
    assert bool((found.outcome == Outcome.lost).all())
    for i in (0, 7, 20):
        at = int(found.steps[i])
        right = SIGNS[(np.arange(40) + i) % 40]
        wrong = np.mean(np.asarray(found.path[i]) != right, axis=1)
        assert (wrong[:at] <= 0.1).all()
        assert wrong[at] > 0.1
        rest = np.asarray(found.path[i, at:])
        assert (rest == rest[0]).all()
    assert "sharpen the separation" in Outcome[found.outcome[0]]


def test_an_infinite_tolerance_never_gives_up():
    memory = models.sequence_memory(SIGNS, Identity(), units="signs", cyclic=True)
    found = attrax.retrieve(memory, SIGNS[0], Replay(39, tolerance=np.inf), path=True)
    assert bool(found.outcome == Outcome.replayed)
    state = jnp.asarray(SIGNS[0])
    for expected in found.path[1:]:
        state = memory(state)
        np.testing.assert_array_equal(state, expected)


def test_a_damaged_cue_is_repaired_on_the_way():
    cue = np.where(np.arange(100) < 15, -SIGNS[3], SIGNS[3])
    memory = models.sequence_memory(SIGNS, units="signs", cyclic=True)
    found = attrax.retrieve(memory, cue, Replay(4), path=True)
    np.testing.assert_array_equal(found.path[1:], SIGNS[4:8])


def test_mixed_networks_hold_each_pattern_for_as_long_as_their_trace():
    powers = {"separation": Power(10), "hold": Power(10)}
    memory = models.sequence_memory(SIGNS, units="signs", cyclic=True, trace=np.ones(6), **powers)
    found = attrax.retrieve(memory, SIGNS[0], Replay(60), path=True)
    assert bool(found.outcome == Outcome.replayed)
    overlaps = np.asarray(found.path) @ SIGNS.T / 100
    assert overlaps.max(1).min() == 1
    # The trace of a cue that comes from nowhere is the cue, so that it moves on at once.
    np.testing.assert_array_equal(overlaps.argmax(1)[1:], np.arange(60) // 6 + 1)


def test_graded_patterns_are_held_too():
    options = {"similarity": Euclidean(), "hold": Softmax(20.0), "trace": np.ones(4)}
    memory = models.sequence_memory(IMAGES, Softmax(20.0), cyclic=True, **options)
    found = attrax.retrieve(memory, IMAGES[0], Replay(40, tolerance=0.5), path=True)
    assert bool(found.outcome == Outcome.replayed)
    away = np.square(np.asarray(found.path)[:, None] - IMAGES).sum(-1)
    order = away.argmin(1)
    assert set(np.diff(order)) == {0, 1}
    assert set(np.bincount(order)[1:-1]) <= {3, 4, 5}


def test_all_cues_and_numbers_of_them_share_few_programs():
    memory = models.sequence_memory(SIGNS, units="signs", cyclic=True)
    states = [attrax.retrieve(memory, SIGNS[:n], Replay(5)).state for n in (3, 4, 2)]
    for n, state in zip((3, 4, 2), states, strict=True):
        np.testing.assert_array_equal(state, SIGNS[5 : 5 + n])


@pytest.mark.parametrize(("offset", "scale"), [(0, 255), (5e6, 300), (0, 1e-9), (40, 6)])
def test_rows_of_any_place_and_scale_are_replayed(offset, scale):
    """Pixels, metres, small numbers and counts: what all rows share is no reason to rest."""
    rng = np.random.default_rng(0)
    rows = (offset + scale * rng.normal(size=(200, 30))).astype(np.float32)
    found = attrax.retrieve(models.sequence_memory(rows), rows[0], Replay(199), path=True)
    assert found.outcome == Outcome.replayed
    assert np.abs(found.path[1:] - rows[1:]).max() < 1e-2 * scale
    many = attrax.retrieve(models.sequence_memory(rows), np.tile(rows[:100], (10, 1)), Replay(3))
    assert many.outcome.counts() == {"replayed": 1000}
    # A row in the place of another is not what follows, however large the part that they share.
    twice = np.concatenate([rows[:8], rows[3:4], rows[8:12]])
    lost = attrax.retrieve(models.sequence_memory(twice), twice[0], Replay(12))
    assert lost.outcome == Outcome.lost
