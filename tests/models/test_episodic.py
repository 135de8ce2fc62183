"""Episodic memory: its equations, transitions, and the dwell times of the official code."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax.dynamics import Euler, Iterate, Outcome
from attrax.hierarchical import Quadratic, Tanh
from attrax.models import episodic_memory, modern_memory, transition_graph
from attrax.papers.sequence_episodic.measure import OFFICIAL
from attrax.separation import Softmax

rng = np.random.default_rng(0)
ROWS = np.where(rng.random((5, 60)) < 0.5, -1.0, 1.0).astype(np.float32)
CYCLE = transition_graph([[0, 1, 2, 3, 4]])


def visits(path, rows):
    """Which pattern leads, one visit after another, and in how many steps."""
    leading = np.argmax(np.asarray(path) @ rows.T, axis=1)
    ends = np.flatnonzero(np.diff(leading, append=-1)) + 1
    return leading[ends - 1], np.diff(ends, prepend=0)


def test_graphs_lead_from_rows_to_columns():
    graph = transition_graph([[0, 2], [1, 3, 4]], 6)
    assert graph.shape == (6, 6)
    pairs = {(0, 2), (2, 0), (1, 3), (3, 4), (4, 1)}
    assert {(int(i), int(j)) for i, j in np.argwhere(np.asarray(graph))} == pairs
    chain = transition_graph([np.array([0, 1, 2])], cyclic=False)
    np.testing.assert_array_equal(chain, np.eye(3, k=1))


def test_equations_are_those_of_the_model():
    memory = episodic_memory(
        ROWS,
        CYCLE,
        self_strength=0.5,
        cross_strength=0.3,
        gain=2.0,
        delay=10.0,
        hidden=Softmax(0.1),
    )
    x, slow = jnp.asarray(rng.normal(size=(2, 60)), jnp.float32)
    h = np.sqrt(0.5) * ROWS @ x + 0.3 * np.asarray(CYCLE).T @ ROWS @ slow
    pulled = memory.space(x).pull({"features": x, "delay": slow})
    expected = np.sqrt(0.5) * ROWS.T @ jax.nn.softmax(0.1 * h)
    np.testing.assert_allclose(pulled["features"], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(pulled["delay"], slow + (2 * x - slow) / 10, rtol=1e-4, atol=1e-6)
    energy = 0.5 * x @ x - jax.nn.logsumexp(0.1 * h) / 0.1
    np.testing.assert_allclose(
        memory.energy_at_delay({"features": x, "delay": slow}), energy, rtol=1e-5
    )
    # A full delay of the one before raises the neuron of the next.
    drive = 0.3 * np.asarray(CYCLE).T @ ROWS @ ROWS[1]
    assert int(np.argmax(drive)) == 2


def test_linear_interactions_of_graded_features():
    memory = episodic_memory(
        *(ROWS, CYCLE),
        hidden=Quadratic(),
        features=Tanh(),
        self_strength=0.04,
        cross_strength=0.01 / 0.2,
    )
    x, slow = jnp.asarray(rng.normal(size=(2, 60)), jnp.float32)
    pulled = memory.space(x).pull({"features": x, "delay": slow})["features"]
    shifted = ROWS.T @ np.asarray(CYCLE).T @ ROWS @ slow
    expected = 0.04 * ROWS.T @ ROWS @ np.tanh(x) + 0.01 * shifted
    np.testing.assert_allclose(pulled, expected, rtol=1e-4, atol=1e-5)


def test_without_a_cross_strength_it_is_the_modern_network():
    memory = episodic_memory(ROWS, CYCLE, cross_strength=0.0)
    modern = modern_memory(ROWS, 100 / 60)
    query = ROWS[2] * (np.arange(60) < 45)
    dynamics = Euler(0.1, max_steps=30, rtol=1e-9)
    paths = [attrax.retrieve(m, query, dynamics, path=True).path for m in (memory, modern)]
    np.testing.assert_allclose(*paths, atol=1e-5)


def test_iteration_moves_one_pattern_a_step_or_stays():
    found = attrax.retrieve(episodic_memory(ROWS, CYCLE), ROWS[1], Iterate(max_steps=6), path=True)
    assert found.outcome == Outcome.step_limit
    np.testing.assert_allclose(found.path[1:], ROWS[[1, 2, 3, 4, 0, 1]], atol=0.01)
    weak = episodic_memory(ROWS, CYCLE, cross_strength=0.1)
    stays = attrax.retrieve(weak, ROWS[1])
    assert stays.outcome == Outcome.converged
    np.testing.assert_allclose(stays.state, ROWS[1], atol=0.01)


@pytest.mark.parametrize("name", OFFICIAL)
def test_dwell_times_are_those_of_the_official_code(name):
    options, expected = OFFICIAL[name]
    count = len(expected)
    rows = np.random.RandomState(0).choice([-1, 1], (100, count)).T.astype(np.float32)
    graph = transition_graph([np.arange(count)])
    memory = episodic_memory(rows, graph, **options)
    step = 0.01
    steps = int(sum(time for _, time in expected) / step) + 200
    found = attrax.retrieve(memory, rows[0], Euler(step, max_steps=steps), path=True)
    order, times = visits(found.path, rows)
    assert order[: len(expected)].tolist() == [index for index, _ in expected]
    for measured, (_, time) in zip(step * times, expected, strict=False):
        assert measured == pytest.approx(time, abs=0.06)


SETTING = """
import numpy as np
from attrax.models import *
rows = np.sign(np.random.default_rng(0).normal(size=(3, 8)))
graph = transition_graph([[0, 1, 2]])
"""
CASES = {
    "episodic_memory('rows', graph)": "TypeError: `patterns` must hold numbers",
    "episodic_memory(rows[:0], graph)": "ValueError: `patterns` are empty",
    "episodic_memory(rows, np.eye(4))": r"ValueError: `transitions` must have shape \(3, 3\)",
    "episodic_memory(rows, -graph)": "ValueError: `transitions` must not be negative, but one is",
    "episodic_memory(rows, [0, 1, 2])": "ValueError: `transitions` must have 2 axes",
    "episodic_memory(rows, graph, cross_strength=-1)": "ValueError: `cross_strength` must be at l",
    "episodic_memory(rows, graph, self_strength=0)": "ValueError: `self_strength` must be positi",
    "episodic_memory(rows, graph, delay=-2.0)": "ValueError: `tau` must be positive",
    "episodic_memory(rows, graph, gain='7')": "TypeError: `gain` must be a number",
    "episodic_memory(rows, graph, features=np.tanh)": "TypeError: .* a convex function in Convex",
    "episodic_memory(0 * rows, graph)": r"ValueError: `patterns` are all zero",
    "transition_graph('012')": "TypeError: `sequences` must be a list of sequences of indices",
    "transition_graph([])": "ValueError: `sequences` are empty",
    "transition_graph([0, 1, 2])": r"ValueError: `sequences\[0\]` must be indices in a row",
    "transition_graph([[0.5, 1.0]])": r"TypeError: `sequences\[0\]` must hold whole numbers",
    "transition_graph([[0, -1]])": r"ValueError: `sequences\[0\]` must hold indices from 0",
    "transition_graph([[0, 5]], 3)": "ValueError: `sequences` name memory 5, but `count` is 3",
    "transition_graph([[0, 1]], 'x')": "ValueError: `count` must be a positive whole number",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_calls_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}")


def test_it_is_made_and_run_under_jit():
    @jax.jit
    def end(rows, cross):
        memory = episodic_memory(rows, CYCLE, cross_strength=cross, delay=5.0)
        return attrax.retrieve(memory, rows[0], Euler(0.1, max_steps=30)).state

    assert bool(jnp.all(jnp.isfinite(end(ROWS, 0.7))))
