"""Rules of three factors and slot selectors, against loops in NumPy."""

import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax.learning import (
    AbstractSlotSelector,
    AffineThreeFactor,
    LeastRecentlyUsedSlots,
    RandomSlots,
    SequentialSlots,
    SlotOffer,
    ThreeFactor,
)
from attrax.models import plastic_memory
from attrax.similarity import Euclidean

D, V, SLOTS, STEPS = 7, 4, 6, 30
SELECTORS = {
    "sequential": SequentialSlots(),
    "store": SequentialSlots("store"),
    "random": RandomSlots(0.3),
    "least recently used": LeastRecentlyUsedSlots(),
}


def stream(seed=0):
    rng = np.random.default_rng(seed)
    store = rng.choice([0.0, 0.5, 1.0, 3.0], STEPS, p=[0.3, 0.2, 0.45, 0.05])
    return rng.normal(size=(STEPS, D)), rng.normal(size=(STEPS, V)), store


def softmax(scores, there):
    if not there.any():
        return np.zeros(len(scores))
    weights = np.exp(scores - scores.max()) * there
    return weights / weights.sum()


def chosen(name, free, store, weights, seen, key):
    """γ, and what the selector remembers in `seen`, by hand."""
    gate = np.zeros(SLOTS, bool)
    if name == "random":
        return np.asarray(jax.random.bernoulli(key, jnp.float32(0.3), (SLOTS,))) & free
    if name == "least recently used":
        order = sorted(range(SLOTS), key=lambda i: seen.get(i, i - SLOTS))
    else:
        order = [(seen.get("next", 0) + i) % SLOTS for i in range(SLOTS)]
    place = next((i for i in order if free[i]), None)
    if place is not None:
        gate[place] = True
    step = seen["step"] = seen.get("step", -1) + 1
    if name == "least recently used":
        used = gate if store > 0 else weights > 0.5
        seen.update({i: step for i in range(SLOTS) if used[i]})
    elif name == "sequential" or store > 0:
        seen["next"] = ((order[0] if place is None else place) + 1) % SLOTS
    return gate


def by_hand(name, rule, key, count_empty):
    """The equations, one step after another."""
    keys, values = np.zeros((SLOTS, D)), np.zeros((SLOTS, V))
    stable, filled, seen, reads = np.zeros(SLOTS, bool), np.full(SLOTS, count_empty), {}, []
    for x, y, q in zip(*stream(), strict=True):
        key, draw = jax.random.split(key)
        weights = softmax(keys @ x, filled)
        reads.append(weights @ values)
        free = ~stable if rule.skip_stable else np.ones(SLOTS, bool)
        rate = chosen(name, free, q, weights, seen, draw) * ~stable * q
        amount = np.minimum(rate, 1) if rule.clipped else rate
        keys = (1 - amount)[:, None] * keys + amount[:, None] * x
        filled = filled | (rate > 0)
        after = softmax(keys @ x, filled)
        left = np.where(stable, 1, 1 - min(q, 1) * (1 - float(rule.decay)))
        values = (left * (1 - amount))[:, None] * values + np.outer(amount * after, y)
        stable = stable | (rate > 1)
    return keys, values, stable, np.stack(reads)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", SELECTORS)
@pytest.mark.parametrize("paper", [True, False])
def test_a_stream_follows_the_equations(name, paper):
    options = {"skip_stable": False, "clipped": False} if paper else {"decay": 0.8}
    rule = ThreeFactor(SELECTORS[name], **options)
    memory = plastic_memory(SLOTS, D, V, count_empty=paper)
    state = rule.begin(memory, key=jax.random.key(3))
    keys, values, stable, expected = by_hand(name, rule, state.key, paper)
    state, reads = rule.run(state, *stream())
    np.testing.assert_allclose(state.memory.keys, keys, atol=1e-10)
    np.testing.assert_allclose(state.memory.values, values, atol=1e-10)
    np.testing.assert_array_equal(state.stable, stable)
    np.testing.assert_allclose(reads, expected, atol=1e-10)
    assert stable.any()
    assert not stable.all()


def test_steps_make_a_stream_and_streams_go_on():
    rule = ThreeFactor(RandomSlots(0.3))
    start = rule.begin(plastic_memory(SLOTS, D, V), key=jax.random.key(0))
    x, y, q = (np.float32(each) for each in stream())
    whole, reads = rule.run(start, x, y, q)
    half, _ = rule.run(start, x[:12], y[:12], q[:12])
    for t in range(12, 15):
        half, read = rule.step(half, x[t], y[t], q[t])
        np.testing.assert_allclose(read, reads[t], atol=1e-5)
    half, _ = rule.run(half, x[15:], y[15:], q[15:])
    for a, b in zip(jax.tree.leaves(half.memory), jax.tree.leaves(whole.memory), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_many_streams_are_one_program_and_other_numbers_compile_nothing_new():
    items = np.random.default_rng(0).choice([-1.0, 1.0], (5, 20, 40)).astype(np.float32)
    traced = []

    @eqx.filter_jit
    def streams(rule, memory, items):
        traced.append(0)
        keys = jax.random.split(jax.random.key(0), len(items))
        return jax.vmap(lambda key, x: rule.run(rule.begin(memory, key=key), x)[0])(keys, items)

    for p, decay, beta in ((0.1, 1.0, 1.0), (0.2, 0.9, 0.5)):
        rule = ThreeFactor(RandomSlots(p), decay=decay)
        states = streams(rule, plastic_memory(20, 40, beta=beta), items)
    assert len(traced) == 1
    assert states.memory.keys.shape == (5, 20, 40)
    same = np.broadcast_to(items[:1], items.shape)
    written = np.asarray(streams(rule, plastic_memory(20, 40), same).memory.keys)
    assert len(traced) == 1
    assert (written != written[:1]).any((1, 2)).sum() == 4


def test_slots_hold_the_last_items_and_their_memory_is_a_plain_one():
    items = np.random.default_rng(1).choice([-1.0, 1.0], (60, 40)).astype(np.float32)
    rule = ThreeFactor()
    state, _ = rule.run(rule.begin(plastic_memory(20, 40)), items)
    memory = state.memory
    assert type(memory) is attrax.Memory
    assert memory.lacks_energy is None
    cues = items * (np.arange(40) < 24)
    right = (np.sign(jax.vmap(memory)(cues)) == items).all(1)
    assert right[-20:].all()
    assert right[:-20].sum() == 0
    found = attrax.retrieve(memory, cues[-20:], known=cues[-20:] != 0, certify=True)
    assert (np.sign(found.state) == items[-20:]).all()
    assert np.asarray(found.certificate.certified).all()


def test_a_file_keeps_what_was_written(tmp_path):
    rule = ThreeFactor()
    state, _ = rule.run(rule.begin(plastic_memory(SLOTS, D, V)), *stream())
    attrax.save(tmp_path / "memory", state.memory)
    found = attrax.load(tmp_path / "memory")
    again, _ = rule.run(rule.begin(found), stream()[0][:2], stream()[1][:2])
    assert len(again.memory) == len(found) == SLOTS


def test_what_is_asked_for_stays():
    """Of slots used least recently those are written that answered no query."""
    items = np.random.default_rng(0).choice([-1.0, 1.0], (80, 40)).astype(np.float32)
    inputs = np.stack([items, np.broadcast_to(items[0], items.shape)], 1).reshape(-1, 40)
    store = np.tile([1.0, 0.0], 80)
    for selector, kept in ((LeastRecentlyUsedSlots(), True), (SequentialSlots("store"), False)):
        rule = ThreeFactor(selector)
        state, reads = rule.run(rule.begin(plastic_memory(10, 40)), inputs, store=store)
        assert bool((np.sign(reads[-1]) == items[0]).all()) is kept
        assert (np.sign(state.memory(items[-1])) == items[-1]).all()


def test_without_queries_the_least_recently_used_come_in_turn():
    x, y, _ = stream()
    both = [
        rule.run(rule.begin(plastic_memory(SLOTS, D, V)), x, y)[0].memory.keys
        for rule in (ThreeFactor(LeastRecentlyUsedSlots()), ThreeFactor())
    ]
    np.testing.assert_array_equal(*both)


@pytest.mark.parametrize("name", SELECTORS)
def test_flashbulbs_stay_and_when_all_are_stable_nothing_is_written(name):
    rule = ThreeFactor(SELECTORS[name])
    state = rule.begin(plastic_memory(SLOTS, D, V), key=jax.random.key(0))
    x, y, _ = stream()
    state, _ = rule.run(state, x, y, np.full(STEPS, 2.0))
    assert np.asarray(state.stable).all()
    after, _ = rule.run(state, -x, -y)
    for a, b in zip(jax.tree.leaves(after.memory), jax.tree.leaves(state.memory), strict=True):
        np.testing.assert_array_equal(a, b)
    assert float(jnp.abs(after.memory.keys).max()) == pytest.approx(np.abs(x).max(), rel=0.5)


def test_a_stable_slot_keeps_its_values_under_any_rule():
    rule = AffineThreeFactor(value_activity=(1.0, 0.5), decay=0.5)
    state = rule.begin(plastic_memory(SLOTS, D, V))
    x, y, _ = stream()
    state, _ = rule.step(state, x[0], y[0], 2.0)
    after, _ = rule.run(state, x[1:], y[1:])
    np.testing.assert_array_equal(after.memory.values[0], state.memory.values[0])
    np.testing.assert_array_equal(after.memory.keys[0], state.memory.keys[0])
    assert (np.asarray(after.memory.values[1]) != np.asarray(state.memory.values[1])).all()


@pytest.mark.usefixtures("x64")
def test_affine_coefficients_are_the_formula():
    affine = {
        "key_input": (0.5, 0.1),
        "key_activity": (-0.3, 0.9),
        "value_activity": (1.5, 0.2),
        "value_target": (0.7, -0.1),
    }
    rule = AffineThreeFactor(**affine, key_rate=0.6, value_rate=0.8, decay=0.9)
    state = rule.begin(plastic_memory(SLOTS, D, V, count_empty=True))
    keys, values = np.zeros((SLOTS, D)), np.zeros((SLOTS, V))
    f, g, h, k = ((lambda z, a=a, b=b: a * z + b) for a, b in affine.values())
    x, y, _ = stream()
    q = np.random.default_rng(0).choice([0.0, 0.5, 1.0], STEPS)
    everywhere = np.ones(SLOTS, bool)
    for t in range(STEPS):
        rate = (0.6 * q[t] * (np.arange(SLOTS) == t % SLOTS))[:, None]
        active = softmax(keys @ x[t], everywhere)
        keys = (1 - rate) * keys + rate * np.outer(g(active), f(x[t]))
        after = softmax(keys @ x[t], everywhere)
        values = (1 - 0.1 * q[t]) * values + 0.8 * q[t] * np.outer(h(after), k(y[t]))
    state, _ = rule.run(state, x, y, q)
    np.testing.assert_allclose(state.memory.keys, keys, atol=1e-10)
    np.testing.assert_allclose(state.memory.values, values, atol=1e-10)


def test_affine_coefficients_by_hand_are_the_rule():
    """Up to exp(−16), what slots that were not chosen weigh."""
    items = np.random.default_rng(0).choice([-1.0, 1.0], (40, 40)).astype(np.float32)
    first, second = (
        rule.run(rule.begin(plastic_memory(40, 40)), items)[0].memory
        for rule in (ThreeFactor(), AffineThreeFactor())
    )
    np.testing.assert_array_equal(first.keys, second.keys)
    np.testing.assert_allclose(first.values, second.values, atol=1e-6)


@pytest.mark.usefixtures("x64")
def test_gradients_pass_through_a_stream():
    x, y, q = stream()
    start = AffineThreeFactor(key_activity=(0.2, 0.8), decay=0.9)

    @jax.jit
    def loss(input, decay):
        rule = AffineThreeFactor(key_activity=(0.2, 0.8), key_input=input, decay=decay)
        state, _ = rule.run(rule.begin(plastic_memory(SLOTS, D, V)), x, y, q)
        return jnp.mean((jax.vmap(state.memory)(x) - y) ** 2)

    slopes = jax.jit(jax.grad(loss, (0, 1)))(start.key_input, start.decay)
    step = 1e-6
    for i in range(2):
        move = step * np.eye(2)[i]
        up, down = (loss(start.key_input + sign * move, start.decay) for sign in (1, -1))
        assert float(slopes[0][i]) == pytest.approx(float(up - down) / (2 * step), rel=1e-4)
    up, down = (loss(start.key_input, start.decay + sign * step) for sign in (1, -1))
    assert float(slopes[1]) == pytest.approx(float(up - down) / (2 * step), rel=1e-4)


def test_any_memory_with_values_is_written():
    """The default similarity, which standardises rows; rows that are there; half precision."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(SLOTS, 50)).astype(np.float32)
    memory = attrax.Memory(rows, np.eye(SLOTS, dtype=np.float32))
    new, label = 5 + 3 * rng.normal(size=50), np.full(SLOTS, 0.5)
    rule = ThreeFactor()
    state, read = rule.step(rule.begin(memory), new, label)
    np.testing.assert_allclose(state.memory(new), label, atol=1e-2)
    np.testing.assert_allclose(state.memory(rows[1]), np.eye(SLOTS)[1], atol=1e-2)
    np.testing.assert_allclose(read, memory(new), atol=1e-5)
    half = attrax.Memory(
        jnp.zeros((SLOTS, 50), jnp.bfloat16),
        jnp.zeros((SLOTS, 50), jnp.bfloat16),
        similarity=attrax.similarity.Dot(),
        separation=attrax.separation.Softmax(1.0),
        filled=np.zeros(SLOTS, bool),
    )
    state, _ = rule.run(rule.begin(half), np.sign(rows))
    assert state.memory.values.dtype == jnp.bfloat16
    np.testing.assert_array_equal(np.sign(jax.vmap(state.memory)(rows)), np.sign(rows))


def test_every_slot_of_a_large_memory_is_a_slot():
    memory = plastic_memory(5000, 3)
    assert memory.keys.shape == (5000, 3)
    assert len(memory) == 0
    assert len(plastic_memory(SLOTS, 3, count_empty=True)) == SLOTS
    np.testing.assert_array_equal(memory(np.ones(3)), 0)


class EvenSlots(AbstractSlotSelector):
    """A selector from outside: all slots of even number."""

    random = False

    def begin(self, slots):
        return

    def select(self, state, offer, key):
        return offer.free & (jnp.arange(offer.free.shape[0]) % 2 == 0), state


def test_a_selector_from_outside_is_as_good():
    rule = ThreeFactor(EvenSlots())
    x, y, _ = stream()
    state, _ = rule.step(rule.begin(plastic_memory(SLOTS, D, V)), x[0], y[0])
    np.testing.assert_array_equal(state.memory.filled, np.arange(SLOTS) % 2 == 0)
    np.testing.assert_allclose(3 * state.memory.values[0], y[0], rtol=1e-5)


def test_random_slots_have_their_probability():
    offer = SlotOffer(jnp.ones(()), jnp.arange(200) < 100, jnp.zeros(200))
    keys = jax.random.split(jax.random.key(0), 200)
    gates = jax.vmap(lambda key: RandomSlots(0.1).select(None, offer, key)[0])(keys)
    assert float(gates[:, :100].mean()) == pytest.approx(0.1, abs=0.01)
    assert not gates[:, 100:].any()


SETTING = """
import attrax
import jax
import numpy as np
from attrax.learning import *
from attrax.models import plastic_memory
memory = plastic_memory(4, 3)
rule = ThreeFactor()
state = rule.begin(memory)
pairs = rule.begin(plastic_memory(4, 3, 2))
rows = np.eye(3)
tied = attrax.Memory(rows, similarity=attrax.similarity.Dot())
"""
CASES = {
    "plastic_memory(0, 3)": "ValueError: `slots` must be a positive whole number",
    "plastic_memory(4, 3.0)": "ValueError: `width` must be a positive whole number",
    "plastic_memory(4, 3, beta=-1)": "ValueError: `beta` must be positive",
    "SequentialSlots('always')": "ValueError: `advance` must be one of 'step', 'store', but it is",
    "RandomSlots(4)": r"ValueError: `probability` is the chance of a slot .*; 4/N is good",
    "RandomSlots('often')": "TypeError: `probability` must be a number",
    "ThreeFactor(SequentialSlots)": "TypeError: `selector` must be a slot selector such as Sequ",
    "ThreeFactor(0.1)": "TypeError: `selector` must be a slot selector .* but it is float",
    "ThreeFactor(decay=2)": r"ValueError: `decay` .* must lie in \[0, 1\], but it is 2",
    "AffineThreeFactor(key_input=(1.0, 0.0, 0.0))": r"ValueError: `key_input` must be slope and of",
    "AffineThreeFactor(decay=[1.0])": "ValueError: `decay` must be one number",
    "rule.begin(rows)": r"TypeError: `memory` must be an attrax.Memory, .*plastic_memory\(slots",
    "rule.begin(tied)": "ValueError: `memory` must have values",
    "ThreeFactor(RandomSlots(0.5)).begin(memory)": "TypeError: `key` must be given, as RandomSlots",
    "rule.begin(memory, key=0)": "TypeError: `key` must be one key, such as jax.random.key",
    "rule.run(memory, rows)": r"TypeError: `state` must be a PlasticState, .*rule.begin\(memory\)",
    "rule.run(state, rows[:, :2])": "ValueError: `inputs` must have 3 entries like the memory's",
    "rule.run(state, rows[0])": "ValueError: `inputs` must have 2 axes",
    "rule.run(state, rows * np.nan)": "ValueError: `inputs` holds NaN",
    "rule.run(pairs, rows)": "ValueError: `targets` must be given: the memory's values have 2 ent",
    "rule.run(pairs, rows, rows)": "ValueError: `targets` must have one row of 2 entries an input",
    "rule.run(state, rows, store=np.ones(2))": r"ValueError: `store` must have one .* \(3,\), but",
    "rule.run(state, rows, store=-np.ones(3))": "ValueError: `store` must not be negative, but -1",
    "rule.step(state, rows)": "ValueError: `input` must have 1 axis",
    "rule.step(state, rows[0], store=[1.0])": "ValueError: `store` must have 0 axes",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_calls_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}"), f"{kinds[0]}: {text}"


def test_pictures_of_any_scale_are_held_where_distances_are_compared():
    """Of rows of different lengths the longest wins every product."""
    rng = np.random.default_rng(0)
    rows = (255 * rng.random((25, 60)) * rng.random((25, 1))).astype(np.float32)
    rule = ThreeFactor()
    memory = plastic_memory(20, 60, similarity=Euclidean(), beta=1e-2)
    state, _ = rule.run(rule.begin(memory), rows)
    found = attrax.retrieve(state.memory, rows[5:] + rng.normal(size=(20, 60)).astype(np.float32))
    np.testing.assert_allclose(found.state, rows[5:], atol=0.01)
    by_products, _ = rule.run(rule.begin(plastic_memory(20, 60, beta=1e-2)), rows)
    wrong = attrax.retrieve(by_products.memory, rows[5:]).state
    assert np.abs(wrong - rows[5:]).max() > 50
