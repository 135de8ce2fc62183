"""Memories of a path: codes, the write gate, causal reads, landmarks, and the network of them."""

import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import attrax
from attrax.data import graph_world, random_walk
from attrax.nn import (
    TolmanEichenbaum,
    conjunctions,
    integrate_path,
    locate_path,
    recall_path,
    rotate_code,
    write_gate,
)
from attrax.separation import Softmax
from attrax.similarity import Dot
from attrax.training import train

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
CODES = RNG.normal(size=(9, 6)).astype(np.float32)
STIMULI = np.eye(4, dtype=np.float32)[RNG.integers(0, 4, 9)]
START = np.repeat(np.float32([1, 0]), 16) / np.float32(4)
FREQUENCIES = RNG.uniform(-np.pi, np.pi, (2, 16)).astype(np.float32)


def walked(steps, links=4, seed=0):
    world = graph_world(5, links=links, symbols=30, key=jax.random.key(seed))
    walk = random_walk(world, steps, key=jax.random.key(seed + 1))
    seen = np.eye(30, dtype=np.float32)[walk.observations]
    return walk, np.asarray(world.moves)[walk.actions] @ FREQUENCIES, seen


def test_codes_are_those_of_places_by_whatever_path():
    there = np.array([[1, 0], [0, 1], [-1, 0], [0, -1], [1, 0]], np.float32)
    codes = integrate_path(rotate_code, there @ FREQUENCIES, START)
    np.testing.assert_allclose(codes[0], codes[4], atol=1e-6)
    np.testing.assert_allclose(codes[1], codes[5], atol=1e-6)
    np.testing.assert_allclose(jnp.sum(codes**2, axis=1), 1, atol=1e-6)
    phases = np.cumsum(np.concatenate([np.zeros((1, 16)), there @ FREQUENCIES]), axis=0)
    expected = np.concatenate([np.cos(phases), np.sin(phases)], axis=1) / 4
    np.testing.assert_allclose(codes, expected, atol=1e-6)


def test_a_matrix_an_action_is_a_move_too():
    matrices, actions = RNG.normal(size=(3, 6, 6)).astype(np.float32) / 2, np.array([2, 0, 1])
    codes = integrate_path(lambda code, a: code @ jnp.asarray(matrices)[a], actions, CODES[0])
    expected = CODES[0] @ matrices[2] @ matrices[0] @ matrices[1]
    np.testing.assert_allclose(codes[-1], expected, rtol=1e-5, atol=1e-6)


def test_products_of_conjunctions_are_products_of_products():
    rows = np.asarray(conjunctions(CODES, STIMULI))
    products = (CODES @ CODES.T) * (STIMULI @ STIMULI.T)
    np.testing.assert_allclose(rows @ rows.T, products, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(rows[3].reshape(4, 6), np.outer(STIMULI[3], CODES[3]))


@pytest.mark.parametrize("links", [4, 6])
def test_the_gate_stores_each_conjunction_once(links):
    walk, angles, seen = walked(150, links)
    codes = integrate_path(rotate_code, angles, START)
    written = np.asarray(jax.jit(write_gate)(codes, seen, 0.8))
    np.testing.assert_array_equal(written, ~np.asarray(walk.visited))
    # Another observation at a known place is another conjunction.
    other = np.roll(seen, 1, axis=1)
    both = write_gate(jnp.concatenate([codes, codes]), np.concatenate([seen, other]), 0.8)
    np.testing.assert_array_equal(both, np.tile(written, 2))
    assert np.all(write_gate(codes, seen, 1.1))


@pytest.mark.parametrize("growing", [True, False])
def test_reads_are_those_of_the_memory_of_the_steps_before(growing):
    written = np.arange(9) % 3 != 1
    found = recall_path(CODES, STIMULI, beta=0.7, written=written, growing=growing)
    assert found.shape == (9, 4)
    np.testing.assert_array_equal(found[0], np.zeros(4))
    filled = written & np.tri(9, k=-1, dtype=bool)[1:]
    counts = np.log(filled.sum(1)) if growing else np.ones(8)

    @jax.jit
    @jax.vmap
    def read(query, beta, filled):
        parts = {"similarity": Dot(), "separation": Softmax(beta), "filled": filled}
        return attrax.Memory(CODES, STIMULI, **parts)(query)

    betas = np.maximum(0.7 * counts, 1e-6).astype(np.float32)
    np.testing.assert_allclose(found[1:], read(CODES[1:], betas, filled), atol=1e-5)


def test_landmarks_leave_exact_codes_and_mend_drifting_ones():
    walk, angles, seen = walked(150)
    exact = integrate_path(rotate_code, angles, START)
    located = locate_path(rotate_code, angles, START, seen)
    np.testing.assert_allclose(located.codes, exact, atol=2e-3)
    np.testing.assert_array_equal(located.written, ~np.asarray(walk.visited))
    drifting = angles + 0.15 * RNG.normal(size=angles.shape).astype(np.float32)
    errors = {}
    for rate in (0.0, 1.0):
        codes = locate_path(rotate_code, drifting, START, seen, rate=rate).codes
        errors[rate] = float(jnp.mean(jnp.linalg.norm(codes - exact, axis=1)))
    free = integrate_path(rotate_code, drifting, START)
    np.testing.assert_allclose(
        locate_path(rotate_code, drifting, START, seen, rate=0.0).codes, free, atol=1e-4
    )
    assert errors[1.0] < 0.6 * errors[0.0]


def test_without_correction_both_ways_predict_alike():
    _, angles, seen = walked(60)
    codes = integrate_path(rotate_code, angles, START)
    written = write_gate(codes, seen, 0.8)
    located = locate_path(rotate_code, angles, START, seen, threshold=0.8, rate=0.0)
    np.testing.assert_array_equal(located.written, written)
    expected = recall_path(codes, seen, written=written)
    np.testing.assert_allclose(located.predictions, expected, atol=1e-4)


def test_a_path_of_one_step_has_nothing_to_read():
    nothing = np.zeros((0, 16), np.float32)
    located = locate_path(rotate_code, nothing, START, STIMULI[:1])
    np.testing.assert_array_equal(located.predictions, np.zeros((1, 4)))
    assert located.written.tolist() == [True]
    assert integrate_path(rotate_code, nothing, START).shape == (1, 32)


def network(**options):
    return TolmanEichenbaum(4, 7, 6, key=KEY, **options)


ACTIONS, SEEN = RNG.integers(0, 4, 11), RNG.integers(0, 7, 12)


@pytest.mark.parametrize("threshold", [None, 0.9])
def test_the_network_answers_as_its_memory(threshold):
    model = network(threshold=threshold, key_size=5, value_size=3)
    logits = model(ACTIONS, SEEN)
    assert logits.shape == (12, 7)
    np.testing.assert_allclose(logits[0], model.head.bias, atol=1e-6)
    memory = model.memory(ACTIONS[:-1], SEEN[:-1])
    last = model.keys(model.codes(ACTIONS))[-1]
    np.testing.assert_allclose(logits[-1], memory(last), atol=1e-4)


def test_the_network_does_not_look_ahead_and_does_look_back():
    model = network(threshold=0.9)
    other = np.where(np.arange(12) < 6, SEEN, (SEEN + 3) % 7)
    before, after = model(ACTIONS, SEEN), model(ACTIONS, other)
    np.testing.assert_array_equal(before[:7], after[:7])
    assert np.abs(before[7:] - after[7:]).max() > 1e-3


def test_matrices_start_orthogonal_and_beta_stays_positive():
    model = network()
    products = model.transitions @ jnp.swapaxes(model.transitions, 1, 2)
    np.testing.assert_allclose(products, np.broadcast_to(np.eye(6), (4, 6, 6)), atol=1e-5)

    def loss(model, batch):
        logits = model(*batch)
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]))

    trained = train(model, loss, lambda step: (ACTIONS, SEEN), steps=30)
    assert trained.losses[-1] < trained.losses[0]
    slopes = eqx.filter_grad(loss)(model, (ACTIONS, SEEN))
    for leaf in jax.tree.leaves(slopes):
        assert np.all(np.isfinite(leaf))
    assert np.abs(slopes.transitions).max() > 0
    assert trained.model.beta > 0


def test_the_network_is_saved_and_mapped(tmp_path):
    model = network(threshold=0.9)
    attrax.save(tmp_path / "model.attrax", model)
    again = attrax.load(tmp_path / "model.attrax")
    np.testing.assert_array_equal(again(ACTIONS, SEEN), model(ACTIONS, SEEN))
    many = jax.vmap(model)(np.stack([ACTIONS] * 2), np.stack([SEEN, SEEN[::-1]]))
    np.testing.assert_allclose(many[1], model(ACTIONS, SEEN[::-1]), atol=1e-5)


def test_half_precision_is_summed_in_single():
    half = jnp.asarray(CODES, jnp.bfloat16)
    wide = np.asarray(half, np.float32)
    found = recall_path(half, STIMULI, beta=0.7)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, recall_path(wide, STIMULI, beta=0.7), atol=1e-6)
    angles = jnp.asarray(FREQUENCIES[:1], jnp.bfloat16)
    assert locate_path(rotate_code, angles, START, STIMULI[:2]).codes.dtype == jnp.float32


SETTING = """
import jax, numpy as np
from attrax.nn import *
from attrax.nn import TolmanEichenbaum as TEM
KEY = jax.random.key(0)
codes, seen, angles, start = np.ones((5, 4)), np.ones((5, 3)), np.ones((4, 2)), np.ones(4)
model = TEM(4, 3, 8, key=KEY)
"""
CASES = {
    "rotate_code(np.ones(5), np.ones(2))": "ValueError: `code` must have two entries an angle, 4",
    "integrate_path(3, angles, start)": "TypeError: `move` must be a function",
    "integrate_path(rotate_code, angles, codes)": "ValueError: `start` must have 1 axis",
    "conjunctions(codes, seen[1:])": "ValueError: `stimuli` must have one row a code, 5",
    "write_gate(codes, seen, 0.0)": "ValueError: `threshold` must be positive",
    "recall_path(codes, seen, beta=-1)": "ValueError: `beta` must be positive",
    "recall_path(codes, seen, written=np.ones(5))": "TypeError: `written` must be boolean",
    "recall_path(codes, seen, written=np.ones(4, bool))": r"ValueError: `written` .* shape \(5,\)",
    "recall_path(codes[0], seen)": "ValueError: `codes` must have 2 axes",
    "locate_path(rotate_code, angles[1:], start, seen)": "ValueError: `moves` must have one row",
    "locate_path(rotate_code, angles, start, seen, rate=2.0)": "ValueError: `rate` must lie",
    "TEM(0, 3, 8, key=KEY)": "ValueError: `actions` must be a positive whole number",
    "TEM(4, 3, 1, key=KEY)": "ValueError: `size` must be a whole number of at least 2",
    "TEM(4, 3, 8, threshold=-1.0, key=KEY)": "ValueError: `threshold` must be positive",
    "TEM(4, 3, 8, key=0)": "TypeError: `key` must be one key",
    "model(np.array([0, 4]), np.array([0, 1, 2]))": "ValueError: `actions` must lie between",
    "model(np.array([0, 1]), np.array([0, 1, 3]))": "ValueError: `observations` must lie between 0",
    "model(np.array([0, 1]), np.array([0, 1]))": "ValueError: `observations` must be one more than",
    "model(np.array([0.5, 1]), np.array([0, 1]))": "ValueError: `actions` must be whole numbers",
    "model(np.ones((2, 3), int), np.array([0]))": "ValueError: `actions` .* use jax.vmap",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_calls_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}"), text
