"""Hard locations with counters, against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax import models
from attrax.stores import locations

D, LOCATIONS, RADIUS = 70, 200, 28


def bits(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 2, shape)


ADDRESSES = bits(LOCATIONS, D)


def reached(keys, radius=RADIUS):
    return np.sum(keys[:, None] != ADDRESSES[None], axis=2) <= radius


def make(values=D, radius=RADIUS):
    return models.SparseDistributedMemory(ADDRESSES, radius, np.zeros((LOCATIONS, values)))


def test_locations_within_the_radius_are_reached():
    memory, keys = make(), bits(20, D, seed=1)
    for radius in (0, 28, D):
        found = jax.vmap(make(radius=radius).reached)(keys)
        np.testing.assert_array_equal(found, reached(keys, radius))
    assert len(memory) == LOCATIONS
    assert make(radius=0).reached(ADDRESSES[7])[7]


def test_writes_and_reads_are_sums_of_counters():
    keys, values, queries = bits(12, D, seed=1), bits(12, 9, seed=2), bits(30, D, seed=3)
    memory = make(9).write(keys, values)
    counters = reached(keys).T.astype(int) @ (2 * values - 1)
    np.testing.assert_array_equal(memory.counters, counters)
    read = jax.jit(jax.vmap(memory.drive))(queries.astype(np.float32))
    np.testing.assert_array_equal(read, reached(queries) @ counters)
    expected = (reached(queries) @ counters > 0).astype(float)
    np.testing.assert_array_equal(jax.vmap(memory)(queries), expected)
    np.testing.assert_array_equal(memory(queries[0]), expected[0])
    assert not memory.recurrent
    np.testing.assert_array_equal(attrax.retrieve(memory, queries).state, expected)


def test_one_after_another_is_as_all_at_once():
    keys = bits(5, D, seed=1)
    together, single = make().write(keys), make()
    for key in keys:
        single = single.write(key)
    np.testing.assert_array_equal(single.counters, together.counters)
    np.testing.assert_array_equal(
        together.remove(keys[:4]).counters, make().write(keys[4]).counters
    )


def test_products_and_walks_are_the_same():
    memory, keys = make(9), bits(12, D, seed=1)
    votes = (2 * bits(12, 9, seed=2) - 1).astype(np.float32)
    words = locations.packed(jnp.asarray(keys, jnp.float32))
    shared = memory.addresses, memory.counters, memory.radius, words
    counters = jax.jit(locations.product_write)(*shared, votes)
    np.testing.assert_array_equal(jax.jit(locations.walked_write)(*shared, votes), counters)
    read = jax.jit(lambda *given: [f(*given) for f in (locations.product_sum, walk)])
    for row in words[:3]:
        np.testing.assert_array_equal(*read(memory.addresses, counters, memory.radius, row))


def walk(*given):
    return locations.walked_sum(*given)


def test_damaged_patterns_are_repaired():
    patterns = bits(50, 256, seed=1)
    key = jax.random.key(0)
    memory = models.sparse_distributed_memory(256, 2000, patterns=50, key=key).write(patterns)
    assert int(memory.radius) == 111
    cues = patterns.copy()
    cues[:, :20] ^= 1
    found = attrax.retrieve(memory, cues)
    assert np.mean((np.asarray(found.state) == patterns).all(1)) > 0.9
    few = models.sparse_distributed_memory(256, 2000, 120, key=key).write(patterns)
    assert np.mean((np.asarray(attrax.retrieve(few, cues).state) == patterns).all(1)) < 0.1
    with pytest.raises(attrax.NoEnergyError, match="CircleIntersection"):
        memory.space(found.state[0]).energy(found.state[0])


def test_a_sequence_is_followed():
    steps = bits(6, 256, seed=1)
    memory = models.sparse_distributed_memory(256, 2000, patterns=5, key=jax.random.key(0))
    memory, state = memory.write(steps[:-1], steps[1:]), steps[0]
    for expected in steps[1:]:
        state = memory(state)
        np.testing.assert_array_equal(state, expected)


def test_nothing_reached_reads_zeros():
    memory = make(radius=0).write(bits(3, D, seed=1))
    np.testing.assert_array_equal(memory(bits(D, seed=5)), 0)


def test_what_is_not_a_number_stays_so():
    query = np.zeros(D, np.float32)
    query[3] = np.nan
    memory = make()
    assert np.isnan(jax.jit(lambda query: memory.pull(query))(query)).all()
    half = models.SparseDistributedMemory(ADDRESSES, RADIUS, np.zeros((LOCATIONS, 9), np.float16))
    assert half.dtype == np.float32


def test_it_comes_back_from_a_file(tmp_path):
    memory = make(9).write(bits(12, D, seed=1), bits(12, 9, seed=2))
    attrax.save(tmp_path / "memory", memory)
    found = attrax.load(tmp_path / "memory")
    np.testing.assert_array_equal(found(ADDRESSES[0]), memory(ADDRESSES[0]))
    assert repr(found) == repr(memory)
    assert "200" in repr(memory)


MEMORY = make()
KEY = jax.random.key(0)
WRONG = [
    (lambda: models.SparseDistributedMemory(2 * ADDRESSES, 3), ValueError, "`addresses`"),
    (lambda: models.SparseDistributedMemory(ADDRESSES, 71), ValueError, "at most the 70 bits"),
    (lambda: models.SparseDistributedMemory(ADDRESSES, 1, np.zeros((3, 2))), ValueError, "200 loc"),
    (lambda: MEMORY(np.zeros(69)), ValueError, r"`query` must have shape \(70,\)"),
    (lambda: MEMORY(np.full(D, 0.5)), ValueError, "`query`"),
    (lambda: MEMORY.write(np.zeros((2, 3, D))), ValueError, r"or \(N, 70\) for many"),
    (lambda: MEMORY.write(np.zeros((2, D)), np.zeros(D)), ValueError, r"shape \(2, 70\)"),
    (lambda: MEMORY.write(np.zeros(D), -np.ones(D)), ValueError, "`values`"),
    (lambda: make(9).write(np.zeros(D)), ValueError, "`values` must be given"),
    (
        lambda: attrax.retrieve(MEMORY, np.zeros(D), known=np.ones(D, bool)),
        ValueError,
        "chosen by all bits",
    ),
    (
        lambda: attrax.retrieve(MEMORY, np.zeros(D), attrax.dynamics.Asynchronous()),
        TypeError,
        "Asynchronous",
    ),
    (lambda: models.sparse_distributed_memory(9, 9, key=KEY), ValueError, "`patterns`, how many"),
    (lambda: models.sparse_distributed_memory(9, 9, 3, key=0), TypeError, "key"),  # pyright: ignore
    (lambda: models.sparse_distributed_memory(9, 9, 10, key=KEY), ValueError, "at most the 9 bits"),
]


@pytest.mark.parametrize("call", WRONG, ids=lambda call: call[2])
def test_wrong_calls_are_refused(call):
    function, kind, text = call
    with pytest.raises(kind, match=text):
        function()
