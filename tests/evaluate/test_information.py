"""Information curves of memories that are written one pattern after another."""

import re

import jax
import numpy as np
import pytest

import attrax
from attrax import MatrixMemory, evaluate, models, theory
from attrax.dynamics import Iterate, OneRead
from attrax.learning import Hebb

D = 60
SIGNS = np.random.default_rng(0).choice(np.array([-1, 1], np.float32), (200, D))
SIZES = [1, 5, 20, 140, 200]


def empty():
    return MatrixMemory(np.zeros((D, D)), units="signs", scale=1 / D, symmetry="positive")


def test_curves_are_those_of_memories_made_for_each_size():
    curve = evaluate.information_curve(empty(), SIGNS, SIZES, synapses=D * D, dynamics=OneRead())
    for i, size in enumerate(SIZES):
        memory = Hebb()(SIGNS[:size])
        state = attrax.retrieve(memory, SIGNS[:size], OneRead()).state
        overlap = np.mean(np.asarray(state) * SIGNS[:size])
        assert float(curve.overlap[i]) == pytest.approx(overlap, abs=1e-6)
        bits = size * D * float(theory.overlap_information(curve.overlap[i])) / D**2
        assert float(curve.information[i]) == pytest.approx(bits, abs=1e-5)
    np.testing.assert_array_equal(curve.sizes, SIZES)
    assert "information" in repr(curve)


def test_a_rule_writes_and_cues_may_be_damaged():
    plain = evaluate.information_curve(empty(), SIGNS, SIZES, synapses=1, dynamics=OneRead())
    ruled = evaluate.information_curve(
        empty(), SIGNS, SIZES, synapses=1, dynamics=OneRead(), write=Hebb().write
    )
    np.testing.assert_array_equal(plain.overlap, ruled.overlap)
    lost = evaluate.information_curve(
        empty(), SIGNS, SIZES, synapses=1, dynamics=Iterate(max_steps=9), cues=-SIGNS
    )
    assert float(lost.overlap[0]) == -1


def test_a_scaffold_follows_its_law_and_memories_are_traced():
    memory = models.scaffold_memory(200, 18, 2, 90, key=jax.random.key(0))
    rows = SIGNS.reshape(-1, 200)
    rows, sizes = np.concatenate([rows, rows[:, ::-1]]), [20, 60, 120]
    curve = jax.jit(lambda memory: evaluate.information_curve(memory, rows, sizes, synapses=1))(
        memory
    )
    np.testing.assert_allclose(curve.overlap, theory.scaffold_overlap(sizes, 90), atol=0.02)


SETTING = """
import numpy as np
from attrax import MatrixMemory, dynamics, Memory
from attrax.evaluate import information_curve as curve
signs = np.ones((4, 3))
memory = MatrixMemory(np.zeros((3, 3)), units="signs")
"""
CASES = {
    "curve(signs, signs, [1], synapses=9)": "TypeError: `memory` must be a memory of units='signs'",
    "curve(Memory(np.eye(3)), signs, [1], synapses=9)": "TypeError: `memory` must be a memory",
    "curve(memory, signs[:, :2], [1], synapses=9)": r"ValueError: `patterns` must have shape \(N",
    "curve(memory, 0 * signs, [1], synapses=9)": "ValueError: `patterns` must hold -1 and 1 only",
    "curve(memory, signs, [1, 5], synapses=9)": "ValueError: `sizes` must be whole numbers that in",
    "curve(memory, signs, [2, 1], synapses=9)": "ValueError: `sizes` must be whole numbers that in",
    "curve(memory, signs, [], synapses=9)": "ValueError: `sizes` must be whole numbers that increa",
    "curve(memory, signs, [1.5], synapses=9)": "ValueError: `sizes` must be whole numbers that inc",
    "curve(memory, signs, [1], synapses=0)": "ValueError: `synapses` must be positive",
    "curve(memory, signs, [1], synapses=9, cues=signs[:2])": r"ValueError: `cues` must have shape",
    "curve(memory, signs, [1], synapses=9, write=3)": "TypeError: `write` must be a function",
    "curve(memory, signs, [1], synapses=9, dynamics='one')": "TypeError: `dynamics` must be one of",
    "curve(memory, signs, [1], synapses=9, dynamics=dynamics.Glauber(1.0, sweeps=2))": (
        "ValueError: Glauber is random"
    ),
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_calls_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}")
