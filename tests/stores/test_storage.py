"""Writing, forgetting, growing and placing the rows of a memory."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax.separation import Max, Softmax
from attrax.similarity import Dot, Manhattan
from attrax.stores.storage import choose_block

pytestmark = pytest.mark.contract
RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(12, 6)).astype(np.float32)
VALUES = RNG.normal(size=(12, 3)).astype(np.float32)
NEW = jnp.asarray(RNG.normal(size=6), jnp.float32)
QUERY = jnp.asarray(ROWS[0] + 0.1)


def memory_of(**options):
    return attrax.Memory(ROWS, similarity=Dot(), separation=Softmax(2.0), **options)


def mesh():
    return jax.make_mesh((2,), ("rows",), axis_types=(jax.sharding.AxisType.Auto,))


def assert_reads_like(memory, rows, values=None):
    """The memory reads as one made of these rows at once."""
    made = attrax.Memory(rows, values, similarity=Dot(), separation=Softmax(2.0))
    np.testing.assert_allclose(memory(QUERY), made(QUERY), rtol=1e-4, atol=1e-6)
    assert len(memory) == len(rows)


@pytest.mark.parametrize("options", [{}, {"capacity": 20}, {"block": 4}, {"block": 5}], ids=str)
def test_a_written_row_is_there_and_the_old_memory_unchanged(options):
    memory = memory_of(**options)
    before = jax.tree.map(np.array, eqx.filter(memory, eqx.is_array))
    written = memory.write(NEW)
    assert_reads_like(written, np.concatenate([ROWS, NEW[None]]))
    assert_reads_like(memory, ROWS)
    after = eqx.filter(memory, eqx.is_array)
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), before, after))


def test_values_are_written_with_their_keys():
    memory = memory_of(values=VALUES, capacity=20).write(NEW, jnp.ones(3))
    assert_reads_like(
        memory, np.concatenate([ROWS, NEW[None]]), np.concatenate([VALUES, np.ones((1, 3))])
    )


def test_the_default_writes_what_it_would_have_stored():
    memory = attrax.Memory(ROWS, capacity=16).write(100 + 3 * NEW)
    state = np.asarray(memory.encode(NEW))
    np.testing.assert_allclose(memory.keys[12], state, atol=1e-5)
    np.testing.assert_allclose(memory.values[12], 100 + 3 * NEW, rtol=1e-6)
    rows = np.concatenate([ROWS, 100 + 3 * NEW[None]])
    made = attrax.Memory(rows, separation=memory.separation)
    np.testing.assert_allclose(memory(NEW), made(NEW), rtol=1e-4)


def test_a_full_memory_doubles():
    memory = memory_of()
    sizes = [len(memory.keys)]
    for _ in range(13):
        memory = memory.write(NEW)
        sizes.append(len(memory.keys))
    assert sizes == [12] + 12 * [24] + [48]
    assert len(memory) == 25


def test_forgotten_places_are_written_first():
    memory = memory_of().forget(3)
    assert_reads_like(memory, np.delete(ROWS, 3, axis=0))
    memory = memory.write(NEW)
    assert memory.keys.shape == (12, 6)
    np.testing.assert_array_equal(memory.keys[3], NEW)


@pytest.mark.parametrize(
    ("index", "left"),
    [
        (-1, range(11)),
        ([0, 5], [1, 2, 3, 4, *range(6, 12)]),
        (np.array([2, 2]), [0, 1, *range(3, 12)]),
        (np.arange(12) < 9, [9, 10, 11]),
        (np.zeros(12, bool), range(12)),
    ],
    ids=["last", "list", "twice", "mask", "none"],
)
def test_rows_are_forgotten_by_index_or_mask(index, left):
    assert_reads_like(memory_of().forget(index), ROWS[list(left)])


def test_forgotten_rows_never_win():
    memory = attrax.Memory(ROWS, similarity=Dot(), separation=Max())
    best = int(memory.best(QUERY))
    assert int(memory.forget(best).best(QUERY)) != best
    assert float(memory.forget(best).weights(QUERY)[best]) == 0


def test_writing_in_a_scan():
    memory = memory_of(capacity=20)
    keys = jnp.asarray(RNG.normal(size=(8, 6)), jnp.float32)

    @eqx.filter_jit
    def write_all(memory, keys):
        arrays, rest = eqx.partition(memory, eqx.is_array)

        def step(arrays, key):
            written = eqx.combine(arrays, rest).write(key)
            return eqx.filter(written, eqx.is_array), None

        return eqx.combine(jax.lax.scan(step, arrays, keys)[0], rest)

    assert_reads_like(write_all(memory, keys), np.concatenate([ROWS, keys]))
    with pytest.raises(Exception, match=r"The memory is full\. Make it with a larger `capacity`"):
        jax.block_until_ready(write_all(memory_of(capacity=15), keys).keys)


def test_twenty_writes_compile_nothing_new(caplog):
    memory = memory_of(capacity=40).write(NEW)
    memory(QUERY)
    keys = [jnp.asarray(row) for row in RNG.normal(size=(20, 6)).astype(np.float32)]
    with jax.log_compiles(), caplog.at_level("WARNING"):
        for key in keys:
            memory = memory.write(key)
            memory(QUERY)
    compiled = [record.getMessage() for record in caplog.records]
    assert [text for text in compiled if "Compiling" in text] == []


def test_another_beta_compiles_nothing_new(caplog):
    attrax.Memory(ROWS, similarity=Dot(), separation=Softmax(1.0))(QUERY)
    with jax.log_compiles(), caplog.at_level("WARNING"):
        for beta in (2.0, 3.0):
            attrax.Memory(ROWS, similarity=Dot(), separation=Softmax(beta))(QUERY)
    compiled = [record.getMessage() for record in caplog.records]
    assert [text for text in compiled if "Compiling" in text and "_call" in text] == []


@pytest.mark.parametrize("options", [{}, {"capacity": 13}, {"block": 4}], ids=str)
def test_spread_rows_read_write_and_forget_alike(options):
    memory = memory_of(**options).shard(mesh(), "rows")
    assert len(memory.keys.sharding.device_set) == 2
    assert_reads_like(memory, ROWS)
    written = memory.write(NEW)
    assert_reads_like(written, np.concatenate([ROWS, NEW[None]]))
    assert_reads_like(written.forget(0), np.concatenate([ROWS[1:], NEW[None]]))


def test_spread_rows_are_retrieved_alike():
    plain = memory_of()
    spread = plain.shard(mesh(), "rows")
    queries = jnp.asarray(ROWS + 0.1)
    np.testing.assert_allclose(
        attrax.retrieve(spread, queries).state,
        attrax.retrieve(plain, queries).state,
        rtol=1e-4,
        atol=1e-5,
    )


def test_spread_medians_are_medians():
    memory = attrax.Memory(
        ROWS, similarity=Manhattan(), separation=Softmax(1.0), projection="centroid"
    )
    np.testing.assert_array_equal(memory.shard(mesh(), "rows")(QUERY), memory(QUERY))


def test_blocks_are_chosen_once_there_are_many_rows():
    assert memory_of().block is None
    rows = jnp.asarray(RNG.normal(size=(8192, 128)), jnp.float32)
    memory = attrax.Memory(rows, similarity=Dot(), separation=Softmax(1.0))
    assert memory.block is not None
    # So many bytes as stay in a second-level cache.
    assert 2**16 <= memory.block * 128 * 4 <= 2**21
    assert len(memory.keys) % memory.block == 0
    whole = jax.nn.softmax(rows @ rows[0]) @ rows
    np.testing.assert_allclose(memory(rows[0]), whole, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("shape", "capacity", "whole", "block"),
    [
        # One product is faster for up to 4096 rows in up to 4 MiB.
        ((4096, 256), None, False, None),
        ((2048, 512), 4096, False, 512),
        ((4096, 257), None, False, 1024),
        ((4097, 8), None, False, 688),
        ((1024, 8), 4097, False, 688),
        # 1.25 MiB at a time, from 256 rows to 1024, with as few places left empty as can be.
        ((16, 2**18), None, False, 256),
        ((8192, 128), None, False, 1024),
        ((8192, 512), None, False, 512),
        ((2**20, 10_000), None, True, None),
    ],
)
def test_the_size_of_blocks_follows_rows_and_bytes(shape, capacity, whole, block):
    chosen = []
    jax.eval_shape(
        lambda rows: chosen.append(choose_block(rows, None, capacity, whole)),
        jax.ShapeDtypeStruct(shape, jnp.float32),
    )
    assert chosen == [block]
