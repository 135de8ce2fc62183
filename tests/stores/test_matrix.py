"""`MatrixMemory`: reads, energies, writing and what it refuses."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax import MatrixMemory

D = 12
SIGNS = np.sign(np.random.default_rng(0).normal(size=(5, D))).astype(np.float32)
SYMMETRIC = (lambda w: w + w.T)(np.random.default_rng(1).integers(-4, 5, (D, D))).astype(np.float32)
THETA = np.random.default_rng(2).normal(size=D).astype(np.float32)


@pytest.mark.parametrize("units", ["signs", "bits"])
@pytest.mark.parametrize("self_term", [False, True])
def test_a_read_moves_all_units_by_their_drives(units, self_term):
    memory = MatrixMemory(
        SYMMETRIC, threshold=THETA, scale=0.5, units=units, self_term=self_term, symmetry="positive"
    )
    state = SIGNS[0] if units == "signs" else (SIGNS[0] + 1) / 2
    matrix = SYMMETRIC if self_term else SYMMETRIC - np.diag(np.diag(SYMMETRIC))
    drive = 0.5 * matrix @ state - THETA
    expected = np.where(drive > 0, 1, -1 if units == "signs" else 0)
    np.testing.assert_array_equal(memory(state), expected)
    np.testing.assert_allclose(
        memory.energy(state), -0.25 * state @ matrix @ state + THETA @ state, rtol=1e-5
    )


def test_a_unit_without_drive_keeps_its_state():
    memory = MatrixMemory(np.zeros((D, D)), units="signs")
    np.testing.assert_array_equal(memory(SIGNS[0]), SIGNS[0])


def test_ties_are_exact_whatever_the_scale():
    """Patterns that cancel leave no drive, also in a program that knows the scale as a number."""
    # Ten other units: with eleven, overlaps are odd and those of four patterns never cancel.
    rows = SIGNS[:4, :11]
    states = np.sign(np.random.default_rng(9).normal(size=(40, 11))).astype(np.float32)

    @jax.jit
    def pulled(rows, state):
        memory = MatrixMemory(rows.T @ rows, scale=1 / 3, units="signs", symmetry="positive")
        return memory.drive(state), memory.pull(state)

    couplings = rows.T @ rows - 4 * np.eye(11)
    tied = 0
    for state in states:
        drive, new = (np.asarray(x) for x in pulled(rows, state))
        expected = couplings @ state
        np.testing.assert_array_equal(drive[expected == 0], 0)
        np.testing.assert_array_equal(new, np.where(expected == 0, state, np.sign(expected)))
        tied += (expected == 0).sum()
    assert tied > 20


def test_bits_are_signs_with_another_threshold():
    """V = (1 + σ)/2: a bit's field is half a sign's, with θ_i = −Σ_j T_ij."""
    matrix = SYMMETRIC - np.diag(np.diag(SYMMETRIC))
    bits = MatrixMemory(matrix, units="bits")
    signs = MatrixMemory(matrix, units="signs", threshold=-matrix.sum(1))
    for state in SIGNS:
        np.testing.assert_array_equal(2 * bits((state + 1) / 2) - 1, signs(state))


def test_real_states_have_the_energy_of_a_linear_map():
    matrix = SIGNS.T @ SIGNS / D
    memory = MatrixMemory(matrix, symmetry="positive")
    state = np.linspace(-1, 1, D, dtype=np.float32)
    np.testing.assert_allclose(memory(state), matrix @ state, rtol=1e-5)
    np.testing.assert_allclose(
        memory.energy(state), 0.5 * state @ state - 0.5 * state @ matrix @ state, rtol=1e-5
    )


def test_writing_and_removing_undo_each_other_exactly():
    memory = MatrixMemory(SIGNS.T @ SIGNS, scale=1 / D, units="signs", symmetry="positive")
    new = np.where(np.arange(D) % 3 > 0, 1.0, -1.0).astype(np.float32)
    written = memory.write(new)
    np.testing.assert_array_equal(written.matrix, SIGNS.T @ SIGNS + np.outer(new, new))
    assert written.symmetry == "positive"
    removed = written.remove(new)
    np.testing.assert_array_equal(removed.matrix, memory.matrix)
    assert removed.lacks_energy is None


def test_bits_are_written_as_the_signs_they_stand_for():
    memory = MatrixMemory(np.zeros((D, D)), units="bits")
    written = memory.write((SIGNS[0] + 1) / 2)
    np.testing.assert_array_equal(written.matrix, np.outer(SIGNS[0], SIGNS[0]))


@pytest.mark.parametrize("rule", ["Storkey", "PseudoInverse", "Perceptron", "SparseHebb"])
def test_what_another_rule_has_made_is_not_written_as_by_hebb(rule):
    rows = (SIGNS + 1) / 2 if rule == "SparseHebb" else SIGNS
    memory = getattr(attrax.learning, rule)()(rows)
    for change, text in ((memory.write, f"{rule}.*would spoil it"), (memory.remove, "anew")):
        with pytest.raises(ValueError, match=text):
            change(rows[0])
    assert memory.rule == rule
    for other in (attrax.learning.Hebb(), attrax.learning.Storkey()):
        if other.units == memory.units and type(other).__name__ != rule:
            with pytest.raises(ValueError, match=f"but it is one of {rule}"):
                other.write(memory, rows[0])


@pytest.mark.parametrize("units", ["signs", "bits"])
def test_the_next_pattern_of_a_sequence_is_a_value(units):
    rows = SIGNS if units == "signs" else (SIGNS + 1) / 2
    memory = MatrixMemory(np.zeros((D, D)), scale=1 / D, units=units)
    own = memory.write(rows[0], rows[0])
    np.testing.assert_array_equal(own.matrix, memory.write(rows[0]).matrix)
    assert own.symmetry == memory.write(rows[0]).symmetry == "symmetric"
    following = memory.write(rows[0], rows[1])
    np.testing.assert_array_equal(following.matrix, np.outer(SIGNS[1], SIGNS[0]))
    assert following.symmetry == "none"
    np.testing.assert_array_equal(following.remove(rows[0], rows[1]).matrix, memory.matrix)


def test_values_are_read_for_keys():
    keys = np.linalg.qr(np.random.default_rng(3).normal(size=(D, 4)))[0].T.astype(np.float32)
    values = np.eye(4, 3, dtype=np.float32)
    memory = MatrixMemory(np.zeros((3, D)))
    for key, value in zip(keys, values, strict=True):
        memory = memory.write(key, value)
    found = attrax.retrieve(memory, keys)
    np.testing.assert_allclose(found.state, values, atol=1e-5)
    assert memory.lacks_energy is not None
    with pytest.raises(attrax.NoEnergyError):
        memory.energy(keys[0])


def test_it_is_the_same_under_jit_and_vmap():
    memory = MatrixMemory(SYMMETRIC, units="signs")
    one_by_one = np.stack([memory(state) for state in SIGNS])
    np.testing.assert_array_equal(jax.vmap(memory)(jnp.asarray(SIGNS)), one_by_one)

    @jax.jit
    def made_inside(matrix, state):
        return MatrixMemory(matrix, units="signs", symmetry="symmetric").energy(state)

    np.testing.assert_allclose(made_inside(SYMMETRIC, SIGNS[0]), memory.energy(SIGNS[0]), rtol=1e-5)


def test_under_jit_nothing_is_known_of_the_matrix_unless_it_is_said():
    def lacking(matrix):
        memory = MatrixMemory(matrix, units="signs")
        assert "under jit" in memory.lacks_energy
        return memory(SIGNS[0])

    jax.jit(lacking)(SYMMETRIC)


def test_a_saved_memory_comes_back(tmp_path):
    memory = MatrixMemory(SYMMETRIC, threshold=THETA, units="signs", scale=0.25)
    attrax.save(tmp_path / "memory.attrax", memory)
    found = attrax.load(tmp_path / "memory.attrax")
    assert (found.units, found.symmetry, found.self_term) == ("signs", "symmetric", False)
    np.testing.assert_array_equal(found(SIGNS[1]), memory(SIGNS[1]))


def test_known_units_stay_and_decide_where_the_others_start():
    memory = MatrixMemory(SIGNS[:2].T @ SIGNS[:2], units="signs")
    known = np.arange(D) < 8
    query = np.where(known, SIGNS[0], np.nan)
    found = attrax.retrieve(memory, query, known=known)
    np.testing.assert_array_equal(found.state[:8], SIGNS[0, :8])
    assert set(np.unique(found.state)) <= {-1.0, 1.0}
    np.testing.assert_array_equal(found.state, SIGNS[0])


def test_a_cycle_of_two_is_seen():
    memory = MatrixMemory(np.array([[0.0, 1.0], [1.0, 0.0]]), units="signs")
    state = np.array([1.0, -1.0])
    found = attrax.retrieve(memory, state, attrax.dynamics.Iterate())
    assert bool(found.outcome == attrax.Outcome.cycle)
    asynchronous = attrax.retrieve(memory, state)
    assert bool(asynchronous.outcome == attrax.Outcome.converged)
    assert float(asynchronous.energy) == -1.0


WRONG = {
    "MatrixMemory(np.ones(4))": "`matrix` must have 2 axes",
    "MatrixMemory(np.ones((0, 4)))": "`matrix` is empty",
    "MatrixMemory(np.full((4, 4), np.nan))": "`matrix` holds NaN",
    "MatrixMemory(np.ones((4, 4)), units='spins')": "`units` must be 'real', 'signs' or 'bits'",
    "MatrixMemory(np.ones((4, 4)), symmetry='odd')": "`symmetry` must be",
    "MatrixMemory(np.ones((3, 4)), units='signs')": "are for square matrices",
    "MatrixMemory(np.ones((3, 4)), self_term=False)": "are for square matrices",
    "MatrixMemory(np.ones((4, 4)), threshold=np.ones(3))": r"`threshold` must have shape \(4,\)",
    "MatrixMemory(np.ones((4, 4)), scale=0.0)": "`scale` must be positive",
    "MatrixMemory(np.ones((4, 4)), normaliser=np.ones(3))": r"`normaliser` must have shape \(4,\)",
    "MatrixMemory(np.ones((4, 4)), feature_map=3, width=4)": "`feature_map` must be a function",
    "MatrixMemory(np.ones((4, 4)), feature_map=np.sin)": "`width`",
    "signs(np.array([1, 0.5, 1, -1]))": r"-1 and 1 only, but is 0.5 at index \(1,\).*graded",
    "attrax.retrieve(signs, np.zeros((2, 4)))": r"`queries` must hold -1 and 1 only.*\(0, 0\)",
    "attrax.retrieve(bits, -np.ones((2, 4)))": "`queries` must hold 0 and 1 only.*units='signs'",
    "signs.write(np.array([1, 0.5, 1, -1]))": "`key` must hold -1 and 1 only",
    "signs.write(np.ones(4), np.zeros(4))": "`value` must hold -1 and 1 only",
    "signs.write(np.ones(3))": r"`key` must have shape \(4,\)",
    "signs.energy(np.ones(3))": r"`query` must have shape \(4,\)",
    "signs(np.ones(3))": r"`query` must have shape \(4,\)",
    "MatrixMemory(np.ones((3, 4))).write(np.ones(4))": "`value` must be given",
    "MatrixMemory(np.ones((3, 4))).write(np.ones(4), np.ones(4))": "`value` must have shape",
    "attrax.retrieve(MatrixMemory(np.ones((3, 4))), np.ones(4), path=True)": "it is read once",
    "attrax.retrieve(skew, np.ones(4), certify=True)": "not symmetric",
    "attrax.retrieve(attrax.Memory(np.eye(4)), np.eye(4), Asynchronous())": "two-state units",
    "Asynchronous('sorted')": "`order` must be 'random', 'cyclic'",
    "Asynchronous(np.array([0, 0, 1]))": "`order` must be",
    "attrax.retrieve(signs, np.ones(4), Asynchronous(np.arange(3)))": "`order` is of 3 units",
    "attrax.retrieve(signs, np.ones(4), Iterate(0.5))": "Iterate moves states a part",
    "attrax.retrieve(bits, np.ones(4), Euler(0.1))": "two-state units have no states between",
    "attrax.retrieve(signs, np.ones(4), FixedPoint(Flow()))": "graded_network",
    "attrax.retrieve(signs, np.ones(4), Langevin(0.1, step=0.1, steps=3), key=KEY)": "Glauber",
    "attrax.retrieve(signs, np.ones(4), Glauber(1.0, sweeps=3), key=0)": "`key` must be one key",
    "Asynchronous(rule='slope')": "`rule` must be 'energy' or 'field'",
    "Asynchronous(ties='flip')": "`ties` must be 'keep', 'high' or 'low'",
    "Asynchronous(seed=0.5)": "`seed` must be a whole number",
    "Asynchronous(seed='one')": "`seed` must be a whole number",
    "Asynchronous(seed=-1)": "`seed` must be from 0 to 4294967295",
    "Glauber(1.0, sweeps=3, seed=2**32)": "`seed` must be from 0 to 4294967295",
    "Asynchronous(max_steps=0)": "`max_steps` must be a positive whole number",
    "Glauber(-1.0, sweeps=3)": "`temperature` must be at least 0",
    "Glauber(1.0, sweeps=0)": "`sweeps` must be a positive whole number",
    "Glauber(1.0, sweeps=3, rule='kawasaki')": "`rule` must be 'heat_bath' or 'metropolis'",
    "Glauber(lambda sweep: 1.0 - sweep, sweeps=3)": "`temperature` must be at least 0",
    "attrax.retrieve(signs, np.ones(4), Glauber(1.0, sweeps=3))": "pass key=",
    "rows(sep.Softmax(1.0)).superpose()": "rows cannot be added up.*Identity",
    "rows(sep.Identity(), sim.Euclidean()).superpose()": "no inner product of features",
    "rows(sep.Power(2))": "Power is defined for non-negative scores.*rectified=True",
}

PREPARED = """
import numpy as np
import attrax
from attrax import MatrixMemory, separation as sep, similarity as sim
from attrax.dynamics import Asynchronous, Euler, FixedPoint, Flow, Glauber, Iterate, Langevin
import jax
KEY = jax.random.key(0)
signs, bits = (MatrixMemory(np.ones((4, 4)), units=units) for units in ("signs", "bits"))
skew = MatrixMemory(np.triu(np.ones((4, 4))), units="signs")
def rows(separation, similarity=sim.Dot()):
    return attrax.Memory(np.eye(4), similarity=similarity, separation=separation)
"""


@pytest.mark.plain(PREPARED, WRONG)
@pytest.mark.parametrize("call", WRONG)
def test_a_wrong_call_ends_in_a_clear_error(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert kinds[0] in ("ValueError", "TypeError", "NoEnergyError")
    assert re.search(WRONG[call], text)
