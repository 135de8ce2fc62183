"""`Retrieval.index`: the row that an answer stands for, by every way of reading."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax import separation as sep
from attrax import similarity as sim
from attrax.dynamics import Euler, FixedPoint, Iterate, OneRead

RNG = np.random.default_rng(3)
ROWS = RNG.normal(size=(12, 8)).astype(np.float32)
VALUES = RNG.normal(size=(12, 2)).astype(np.float32)
ASKED = np.array([7, 0, 11, 4, 4, 9])
QUERIES = jnp.asarray(ROWS[ASKED] + 0.3 * RNG.normal(size=(6, 8)), jnp.float32)
KNOWN = RNG.random((6, 8)) < 0.7
FILLED = np.arange(12) != 7


def oracle(rows, states, known=None):
    """The best row of each state by correlation over what is known, in float64."""
    best = []
    for i, state in enumerate(np.asarray(states, np.float64)):
        there = np.ones(8, bool) if known is None else known[i]
        some = np.asarray(rows, np.float64)[:, there]
        some, seen = some - some.mean(1, keepdims=True), state[there] - state[there].mean()
        best.append(np.argmax(some @ seen / np.linalg.norm(some, axis=1)))
    return np.array(best)


WAYS = {
    "whole": lambda rows, **more: attrax.Memory(rows, **more),
    "blockwise": lambda rows, **more: attrax.Memory(rows, block=3, **more),
    "sharded": lambda rows, **more: attrax.Memory(rows, **more).shard(
        jax.make_mesh((2,), ("rows",)), "rows"
    ),
    "spare room": lambda rows, **more: attrax.Memory(rows, capacity=20, **more),
    "half": lambda rows, **more: attrax.Memory(jnp.asarray(rows, jnp.bfloat16), **more),
}


@pytest.mark.parametrize("way", WAYS)
def test_it_is_the_best_row(way):
    memory = WAYS[way](ROWS)
    found = attrax.retrieve(memory, QUERIES)
    assert found.index.dtype == jnp.int32
    np.testing.assert_array_equal(found.index, ASKED)
    np.testing.assert_array_equal(found.index, oracle(ROWS, found.state))
    np.testing.assert_array_equal(attrax.retrieve(memory, QUERIES, OneRead()).index, ASKED)
    masked = attrax.retrieve(memory, QUERIES, OneRead(), known=KNOWN)
    np.testing.assert_array_equal(masked.index, oracle(ROWS, QUERIES, KNOWN))


@pytest.mark.parametrize("way", WAYS)
def test_it_is_that_of_the_stored_pair(way):
    found = attrax.retrieve(WAYS[way](ROWS, values=VALUES), QUERIES)
    np.testing.assert_array_equal(found.index, ASKED)
    np.testing.assert_allclose(found.state, VALUES[ASKED], rtol=0.02, atol=0.02)


@pytest.mark.parametrize("way", ["whole", "blockwise", "sharded"])
def test_rows_that_take_no_part_are_not_it(way):
    memory = WAYS[way](ROWS, filled=FILLED)
    found = attrax.retrieve(memory, QUERIES, OneRead())
    ours = np.flatnonzero(FILLED)
    np.testing.assert_array_equal(found.index, ours[oracle(ROWS[FILLED], QUERIES)])
    nothing = eqx.tree_at(lambda each: each.filled, memory, jnp.zeros_like(memory.filled))
    np.testing.assert_array_equal(attrax.retrieve(nothing, QUERIES).index, np.full(6, -1))


PARTS = {
    "max": sep.Max(),
    "top": sep.TopK(3, sep.Softmax(20.0)),
    "entmax": sep.Entmax(1.5, 20.0),
    "power": sep.SumNormalised(sep.Power(9, rectified=True)),
    "function": sep.SeparationFunction(lambda scores: jax.nn.softmax(20 * scores)),
}


@pytest.mark.parametrize("name", PARTS)
def test_every_kind_of_separation_gives_it(name):
    ways = ["whole"] if name == "function" else ["whole", "blockwise", "sharded"]
    for way in ways:
        memory = WAYS[way](ROWS, similarity=sim.Correlation(), separation=PARTS[name])
        found = attrax.retrieve(memory, QUERIES, OneRead())
        np.testing.assert_array_equal(found.index, ASKED)


def test_keys_that_are_read_themselves_give_it():
    """No values: the index travels in the memo of the loop, or is read from the end."""
    memory = attrax.Memory(ROWS, similarity=sim.Euclidean())
    for dynamics in (Iterate(), Iterate(0.5), FixedPoint(), Euler(0.5), OneRead()):
        found = attrax.retrieve(memory, QUERIES, dynamics)
        np.testing.assert_array_equal(found.index, ASKED)
    distances = np.sum(np.square(np.asarray(found.state)[:, None] - ROWS), axis=-1)
    np.testing.assert_array_equal(found.index, distances.argmin(1))


def test_equal_rows_answer_by_the_first():
    rows = np.concatenate([ROWS, ROWS[4:5], ROWS[:1]])
    for way in ("whole", "blockwise", "sharded"):
        found = attrax.retrieve(WAYS[way](rows), QUERIES)
        np.testing.assert_array_equal(found.index, ASKED)


def test_it_is_compiled_batched_and_indexed():
    memory = attrax.Memory(ROWS)
    found = jax.jit(lambda queries: attrax.retrieve(memory, queries))(QUERIES)
    np.testing.assert_array_equal(found.index, ASKED)
    one = jax.vmap(lambda query: attrax.retrieve(memory, query).index)(QUERIES)
    np.testing.assert_array_equal(one, ASKED)
    assert found[2].index == 11
    shaped = attrax.retrieve(memory, QUERIES.reshape(2, 3, 8))
    np.testing.assert_array_equal(shaped.index, ASKED.reshape(2, 3))
    assert "index" in repr(found)


def test_derivatives_pass_by_it():
    for memory in (WAYS["whole"](ROWS), WAYS["blockwise"](ROWS, similarity=sim.Cosine())):

        @jax.jit
        def total(query, memory=memory):
            found = attrax.retrieve(memory, query, FixedPoint())
            return jnp.sum(found.state), found.index

        slope, index = jax.grad(total, has_aux=True)(QUERIES[0])
        assert index == 7
        assert np.isfinite(slope).all()


def test_memories_of_two_state_units_give_it_where_rows_are_kept():
    signs = np.sign(RNG.normal(size=(4, 40))).astype(np.float32)
    damaged = signs.copy()
    damaged[:, :6] *= -1
    dense = attrax.models.dense_memory(signs, degree=3)
    np.testing.assert_array_equal(attrax.retrieve(dense, damaged).index, np.arange(4))
    matrix = attrax.models.hopfield_network(signs)
    assert attrax.retrieve(matrix, damaged).index is None
