"""Labels, fixed points, writes and reads of scaffolds, against NumPy, and wrong calls."""

import itertools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax import Outcome, models
from attrax.dynamics import OneRead

KEY = jax.random.key(0)
D, LABELS, WINNERS, HIDDEN = 60, 8, 2, 40
RNG = np.random.default_rng(0)
SIGNS = RNG.choice(np.array([-1, 1], np.float32), (28, D))


def make(width=D, **options):
    return models.scaffold_memory(width, LABELS, WINNERS, HIDDEN, key=KEY, **options)


def sides(drive):
    return np.where(drive < 0, -1, 1)


def states(memory):
    labels = jax.vmap(memory.label)(jnp.arange(memory.capacity))
    return np.asarray(labels), np.asarray(jax.jit(jax.vmap(memory.hidden))(labels))


def winners(drive, k=WINNERS):
    """The k largest entries as ones, the first of those that tie."""
    label = np.zeros_like(drive)
    label[np.argsort(-drive, kind="stable")[:k]] = 1
    return label


def test_labels_are_all_that_have_k_ones_in_the_order_given():
    matrix = RNG.normal(size=(5, 4))
    memory = models.ScaffoldMemory(matrix, 2, 3, order=np.array([5, 0, 1, 2, 3, 4]))
    every = list(itertools.combinations(range(4), 2))
    np.testing.assert_array_equal(memory.labels, [every[5], *every[:5]])
    np.testing.assert_array_equal(memory.label(0), [0, 0, 1, 1])
    assert (memory.capacity, memory.winners, memory.width, len(memory)) == (6, 2, 3, 0)
    assert memory.synapses == 5 * (2 * 3 + 2 * 4)
    np.testing.assert_array_equal(models.ScaffoldMemory(matrix, 2, 3).labels, every)
    shuffled = np.asarray(make().labels)
    assert {tuple(row) for row in shuffled} == set(itertools.combinations(range(LABELS), WINNERS))
    assert (shuffled != sorted(map(tuple, shuffled))).any()


def test_the_matrices_of_the_scaffold_are_their_formulas():
    memory = make()
    labels, hidden = states(memory)
    projection = np.asarray(memory.to_hidden.matrix)
    np.testing.assert_array_equal(hidden, sides(labels @ projection.T))
    np.testing.assert_array_equal(memory.to_label.matrix, labels.T @ hidden)
    assert float(memory.to_label.scale) == pytest.approx(1 / 28)


def test_sums_over_many_labels_are_taken_in_parts():
    memory = models.scaffold_memory(2, 24, 3, 10, key=KEY)
    labels, hidden = states(memory)
    assert len(labels) == 2024
    np.testing.assert_array_equal(memory.to_label.matrix, labels.T @ hidden)


def test_all_labels_of_the_publication_are_fixed_and_have_basins():
    memory = models.scaffold_memory(1, key=KEY)
    labels, hidden = states(memory)
    assert labels.shape == (816, 18)
    clean = jax.jit(jax.vmap(memory.clean))
    found, again = clean(hidden)
    np.testing.assert_array_equal(found, labels)
    np.testing.assert_array_equal(again, hidden)
    flipped = np.where(RNG.random(hidden.shape) < 0.1, -hidden, hidden)
    assert (np.asarray(clean(flipped)[0]) == labels).all(1).mean() > 0.99


def test_of_winners_that_tie_the_first_win():
    memory = make()
    for hidden in (jnp.zeros(HIDDEN), jnp.ones(HIDDEN)):
        drive = np.asarray(memory.to_label.matrix) @ np.asarray(hidden)
        np.testing.assert_array_equal(memory.clean(hidden)[0], winners(drive))
    np.testing.assert_array_equal(memory.clean(jnp.zeros(HIDDEN))[0][:3], [1, 1, 0])
    assert set(np.asarray(memory(SIGNS[0]))) == {1.0}


@pytest.mark.parametrize("rule", ["pseudo_inverse", "hebb"])
def test_a_read_is_its_formula(rule):
    memory = make(rule=rule).write(SIGNS[:20])
    cue, readout = (np.asarray(x.matrix) for x in (memory.cue, memory.readout))
    for query in SIGNS[18:22]:
        label = winners(np.asarray(memory.to_label.matrix) @ sides(cue @ query))
        hidden = sides(np.asarray(memory.to_hidden.matrix) @ label)
        np.testing.assert_array_equal(memory(query), sides(readout @ hidden))
    one = attrax.retrieve(memory, SIGNS, OneRead()).state
    np.testing.assert_array_equal(one, jax.vmap(memory)(SIGNS))


@pytest.mark.usefixtures("x64")
def test_writes_one_by_one_and_at_once_are_least_squares():
    patterns, few = SIGNS.astype(np.float64), make(ridge=0.3, cue_ridge=2.0)
    hidden, once = states(few)[1].astype(float), few.write(patterns)
    memory = few
    for row in patterns:
        memory = memory.write(row)
    assert len(memory) == len(once) == 28
    for found in (memory, once):
        for matrix, x, y, ridge in (
            (found.cue.matrix, patterns, hidden, 2.0),
            (found.readout.matrix, hidden, patterns, 0.3),
        ):
            exact = np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ y).T
            np.testing.assert_allclose(matrix, exact, atol=1e-12)
    np.testing.assert_allclose(few.cue.matrix, 0)


def test_with_a_small_ridge_they_are_the_pseudo_inverse():
    hidden, memory = states(make())[1], make(cue_ridge=0.01, ridge=0.01).write(SIGNS[:20])
    np.testing.assert_allclose(
        memory.readout.matrix, SIGNS[:20].T @ np.linalg.pinv(hidden[:20].T), atol=0.01
    )
    np.testing.assert_allclose(
        memory.cue.matrix, hidden[:20].T @ np.linalg.pinv(SIGNS[:20].T), atol=0.01
    )


def test_hebbian_matrices_are_sums_of_products():
    memory = make(rule="hebb").write(SIGNS[:3]).write(SIGNS[3:5])
    hidden = states(memory)[1][:5]
    np.testing.assert_array_equal(memory.cue.matrix, hidden.T @ SIGNS[:5])
    np.testing.assert_array_equal(memory.readout.matrix, SIGNS[:5].T @ hidden)
    assert float(memory.readout.scale) == pytest.approx(1 / HIDDEN)
    assert "hebb" in repr(memory)


def test_damaged_patterns_come_back_with_their_number():
    patterns = RNG.choice([-1.0, 1.0], (100, 300))
    memory = models.scaffold_memory(300, 18, 2, 200, key=KEY).write(patterns)
    cues = patterns.copy()
    cues[:, :15] *= -1
    found = attrax.retrieve(memory, cues)
    np.testing.assert_array_equal(found.state, patterns)
    np.testing.assert_array_equal(found.index, np.arange(100))
    assert bool((found.outcome == Outcome.converged).all())
    assert found.energy is None
    seen = np.arange(300) < 200
    cues = np.where(seen, patterns, np.nan)
    half = attrax.retrieve(memory, cues, known=seen)
    assert (np.asarray(half.state) == patterns).all(1).mean() > 0.95
    path = attrax.retrieve(memory, patterns[:2], path=True).path
    np.testing.assert_array_equal(path[:, -1], patterns[:2])


def test_known_features_stay_even_where_they_are_wrong():
    memory, known = make().write(SIGNS[:5]), np.arange(D) < 5
    cue = np.where(known, -SIGNS[0], SIGNS[0])
    state = attrax.retrieve(memory, cue, known=np.ones(D, bool)).state
    np.testing.assert_array_equal(state, cue)


def test_a_label_that_nothing_was_given_to_has_no_number():
    memory = make().write(SIGNS[:4])
    assert [int(memory.place(memory.label(i))) for i in (0, 3, 4, 27)] == [0, 3, -1, -1]


def test_real_features_are_read_as_they_are():
    rows = RNG.normal(size=(30, 50)).astype(np.float32) + 3
    memory = models.scaffold_memory(50, 10, 3, 60, units="real", ridge=0.01, key=KEY).write(rows)
    found = attrax.retrieve(memory, rows)
    np.testing.assert_allclose(found.state, rows, atol=0.05)
    np.testing.assert_array_equal(found.index, np.arange(30))


def test_what_is_not_a_number_stays_so():
    query, memory = SIGNS[0].copy(), make().write(SIGNS[:3])
    query[3] = np.nan
    assert np.isnan(jax.jit(lambda memory, query: memory(query))(memory, query)).all()
    found = jax.jit(attrax.retrieve)(memory, query)
    assert int(found.index) == -1


def test_under_jit_patterns_beyond_the_last_label_are_left_out():
    memory = jax.jit(lambda memory, rows: memory.write(rows))(make(), np.tile(SIGNS, (2, 1)))
    assert len(memory) == 28
    np.testing.assert_allclose(memory.cue.matrix, make().write(SIGNS).cue.matrix, atol=1e-5)
    assert "28 of 28" in repr(memory)
    batch = jax.vmap(lambda rows: make().write(rows).readout.matrix)(np.stack([SIGNS, -SIGNS]))
    np.testing.assert_allclose(batch[0], -batch[1], atol=1e-5)


def test_it_has_no_energy_and_comes_back_from_a_file(tmp_path):
    memory = make().write(SIGNS[:7])
    with pytest.raises(attrax.NoEnergyError, match="directed"):
        memory.space(jnp.asarray(SIGNS[0])).energy(jnp.ones(HIDDEN))
    for each in (memory, make(rule="hebb")):
        attrax.save(tmp_path / "memory", each)
        found = attrax.load(tmp_path / "memory")
        np.testing.assert_array_equal(found(SIGNS[0]), each(SIGNS[0]))
        assert repr(found) == repr(each)


SETTING = """
import attrax
import jax
import numpy as np
from attrax import models
KEY = jax.random.key(0)
signs = np.ones((3, 6))
empty = models.scaffold_memory(6, 3, 1, 5, key=KEY)
full = empty.write(signs)
"""
CASES = {
    "full.write(signs[0])": "ValueError: `patterns` are 1, but only 0 of the 3 labels are left",
    "empty.write(np.ones((4, 6)))": "ValueError: `patterns` are 4, but only 3 of the 3 labels",
    "empty.write(0.5 * signs)": "ValueError: `patterns` must hold -1 and 1 only",
    "empty.write(np.ones((2, 5)))": r"ValueError: `patterns` must have shape \(6,\), or \(N, 6\)",
    "empty.write('cue')": "TypeError: `patterns` must hold numbers",
    "empty(signs)": r"ValueError: `query` must have shape \(6,\), but its shape is \(3, 6\)",
    "empty(np.zeros(6))": "ValueError: `query` must hold -1 and 1 only",
    "attrax.retrieve(full, signs[:, :4])": "ValueError: `queries` must have 6 entries",
    "attrax.retrieve(full, signs, attrax.dynamics.Iterate(0.5))": "TypeError: Iterate moves states",
    "full.readout.write(np.ones(5), signs[0])": "ValueError: ScaffoldMemory made this memory",
    "models.scaffold_memory(6, 3, 3, 5, key=KEY)": "ValueError: `winners` must be fewer than the 3",
    "models.scaffold_memory(6, 40, 20, 5, key=KEY)": "ValueError: `winners` of 20 among 40 label",
    "models.scaffold_memory(6, 3, 1.5, 5, key=KEY)": "ValueError: `winners` must be a positive",
    "models.scaffold_memory(6, hidden=0, key=KEY)": "ValueError: `hidden` must be a positive whole",
    "models.scaffold_memory(0, key=KEY)": "ValueError: `width` must be a positive whole number",
    "models.scaffold_memory(6, units='bits', key=KEY)": "ValueError: `units` must be one of 'si",
    "models.scaffold_memory(6, rule='delta', key=KEY)": "ValueError: `rule` must be one of 'pseudo",
    "models.scaffold_memory(6, ridge=0, key=KEY)": "ValueError: `ridge` must be positive",
    "models.scaffold_memory(6, cue_ridge=-1, key=KEY)": "ValueError: `cue_ridge` must be positive",
    "models.ScaffoldMemory(np.ones(3), 1, 6)": "ValueError: `projection` must have 2 axes",
    "models.ScaffoldMemory(np.ones((0, 3)), 1, 6)": "ValueError: `projection` is empty",
    "models.ScaffoldMemory(np.ones((5, 3)), 1, 6, order=[0, 0, 1])": (
        "ValueError: `order` must hold each of 0 to 2 once"
    ),
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_calls_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}")
