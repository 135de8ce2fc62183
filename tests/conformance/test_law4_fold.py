"""Law 4: direct, blockwise, masked and sharded reading agree, in value and in gradient."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax.separation import fold
from conformance import registry

STREAMED = [n for n in registry.ALL_SEPARATIONS if n not in ("score_softmax", "function")]
ROWWISE = [n for n, part in registry.ALL_SIMILARITIES.items() if part.rowwise]


def split(memory):
    """The same memory, read four rows at a time."""
    return attrax.Memory(
        memory.keys,
        memory.values,
        similarity=memory.similarity,
        separation=memory.separation,
        block=4,
    )


WAYS = {"blockwise": split, "sharded": lambda memory: memory.shard(mesh(), "rows")}


def mesh():
    return jax.make_mesh((2,), ("rows",), axis_types=(jax.sharding.AxisType.Auto,))


def memory_of(similarity, separation, dtype=np.float32, **options):
    rng = np.random.default_rng(0)
    rows = registry.rows_of(similarity, rng, dtype)
    values = jnp.asarray(rng.normal(size=(registry.ROWS, 3)), dtype)
    if dtype is np.float64:
        # Parameters of as many digits as the rows, so that slopes by them have those too.
        similarity, separation = jax.tree.map(
            lambda leaf: leaf.astype(dtype) if eqx.is_inexact_array(leaf) else leaf,
            (similarity, separation),
        )
    return attrax.Memory(rows, values, similarity=similarity, separation=separation, **options)


def query_of(similarity, dtype=np.float32):
    return registry.rows_of(similarity, np.random.default_rng(1), dtype)[0]


def outcome(memory, query):
    """A number that every part of a reading enters, with an energy where there is one."""
    reading = memory.read(query)
    total = jnp.sum(jnp.sin(reading.value)) + jnp.sin(reading.mass)
    if memory.separation.lacks_potential is None:
        total = total + jnp.sin(reading.potential)
    return total, reading


def derivatives(memory, query):
    """Value, reading, and gradients by rows, values, query and every parameter, as arrays."""

    def loss(inputs):
        return outcome(*inputs)

    (value, reading), slopes = eqx.filter_value_and_grad(loss, has_aux=True)((memory, query))
    changed, by_query = slopes
    count = registry.ROWS
    leaves = jax.tree.leaves((changed.similarity, changed.separation))
    rows = changed.keys[:count], changed.values[:count]
    return [value, *reading, *rows, by_query, *leaves]


compiled = eqx.filter_jit(derivatives)


@eqx.filter_jit
def read(memory, query):
    return memory.read(query)


def assert_same(found, expected, rtol):
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        scale = max(1.0, np.max(np.abs(np.nan_to_num(theirs))))
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol * scale)


@pytest.mark.parametrize("name", registry.cases(STREAMED))
def test_every_separation_reads_alike(name):
    with jax.enable_x64():
        separation = registry.ALL_SEPARATIONS[name]
        similarity = registry.similarity_for(separation)
        memory = memory_of(similarity, separation, np.float64)
        query = query_of(similarity, np.float64)
        expected = compiled(memory, query)
        for way in WAYS.values():
            assert_same(compiled(way(memory), query), expected, 1e-9)


@pytest.mark.parametrize("name", registry.cases(ROWWISE))
def test_every_similarity_reads_alike(name):
    with jax.enable_x64():
        similarity = registry.ALL_SIMILARITIES[name]
        memory = memory_of(similarity, registry.ALL_SEPARATIONS["softmax"], np.float64)
        query = query_of(similarity, np.float64)
        found = compiled(WAYS["blockwise"](memory), query)
        assert_same(found, compiled(memory, query), 1e-9)


@pytest.mark.parametrize("name", registry.ALL_SEPARATIONS)
def test_absent_rows_are_as_if_they_were_not_there(name):
    """Spare capacity and masked rows, whatever they hold, change nothing."""
    separation = registry.ALL_SEPARATIONS[name]
    if name == "function":

        def softmax(scores, mask=None):
            return jax.nn.softmax(scores, where=mask)

        separation = type(separation)(softmax)
    with jax.enable_x64():
        similarity = registry.similarity_for(separation)
        query = query_of(similarity, np.float64)
        memory = memory_of(similarity, separation, np.float64)
        expected = compiled(memory, query)
        extra = jnp.full((3, registry.WIDTH), 1e3)
        masked = attrax.Memory(
            jnp.concatenate([memory.keys, extra]),
            jnp.concatenate([memory.values, extra[:, :3]]),
            similarity=similarity,
            separation=memory.separation,
            filled=np.arange(registry.ROWS + 3) < registry.ROWS,
        )
        assert_same(compiled(masked, query), expected, 1e-10)


@pytest.mark.parametrize("block", [None, 4])
@pytest.mark.parametrize("name", registry.ALL_SEPARATIONS)
def test_a_memory_of_nothing_reads_zero(name, block):
    if name == "function" or (block and name not in STREAMED):
        pytest.skip("read whole, or its own business")
    separation = registry.ALL_SEPARATIONS[name]
    similarity = registry.similarity_for(separation)
    memory = memory_of(similarity, separation, filled=np.zeros(registry.ROWS, bool), block=block)
    assert len(memory) == 0
    query = query_of(similarity)

    @eqx.filter_jit
    def read(memory, query):
        def total(memory):
            value = memory(query)
            return jnp.sum(value), value

        (_, value), slopes = eqx.filter_value_and_grad(total, has_aux=True)(memory)
        return value, memory.weights(query), slopes

    value, weights, slopes = read(memory, query)
    np.testing.assert_array_equal(value, np.zeros(3))
    np.testing.assert_array_equal(weights, np.zeros(registry.ROWS))
    for slope in jax.tree.leaves(slopes):
        np.testing.assert_array_equal(slope, np.zeros(slope.shape))


@pytest.mark.parametrize("name", registry.ALL_SIMILARITIES)
def test_a_centroid_of_nothing_is_zero(name):
    similarity = registry.ALL_SIMILARITIES[name]
    if similarity.centroid is None:
        pytest.skip("it has no centroid")
    memory = attrax.Memory(
        registry.rows_of(similarity, np.random.default_rng(0)),
        similarity=similarity,
        separation=registry.ALL_SEPARATIONS["softmax"],
        projection="centroid",
    ).forget(np.arange(registry.ROWS))
    np.testing.assert_array_equal(memory(query_of(similarity)), np.zeros(registry.WIDTH))


@pytest.mark.parametrize("name", registry.cases(registry.ALL_SEPARATIONS))
def test_compiled_and_batched_reads_are_the_read(name):
    separation = registry.ALL_SEPARATIONS[name]
    similarity = registry.similarity_for(separation)
    memory = memory_of(similarity, separation)
    queries = registry.rows_of(similarity, np.random.default_rng(1))
    one_by_one = np.stack([read(memory, query).value for query in queries])
    batched = jax.jit(jax.vmap(memory))(queries)
    scale = np.max(np.abs(one_by_one))
    np.testing.assert_allclose(batched, one_by_one, rtol=2e-4, atol=2e-5 * scale)


@pytest.mark.parametrize("name", registry.cases(registry.ALL_SEPARATIONS))
def test_half_precision_reads_as_its_rounded_rows_do(name):
    """Rows of 8 bits, sums of 32: what differs is the rounding of weights and of the result."""
    separation = registry.ALL_SEPARATIONS[name]
    similarity = registry.similarity_for(separation)
    half = memory_of(similarity, separation, jnp.bfloat16)
    whole = jax.tree.map(
        lambda leaf: leaf.astype(jnp.float32) if leaf.dtype == jnp.bfloat16 else leaf, half
    )
    query = query_of(similarity, jnp.bfloat16)
    found, expected = half(query), whole(query.astype(jnp.float32))
    assert found.dtype == jnp.bfloat16
    weights = np.abs(whole.weights(query.astype(jnp.float32)))
    scale = (weights @ np.abs(whole.values)).max()
    gap = np.abs(np.asarray(found, np.float32) - np.asarray(expected))
    assert np.max(gap) <= 4 * 2.0**-8 * scale
    if separation.lacks_potential is None:
        # The potential is made of 32-bit sums, so the query's and keys' rounding is all there is.
        ours = read(half, query).potential
        assert ours.dtype == jnp.float32
        theirs = read(whole, query.astype(jnp.float32)).potential
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["softmax", "power_3", "ghost", "entmax_1.5", "entmax_1.3"])
def test_second_derivatives_agree(name):
    """Training through a force needs the slope of a slope."""
    with jax.enable_x64():
        separation = registry.ALL_SEPARATIONS[name]
        similarity = registry.similarity_for(separation)
        memory = memory_of(similarity, separation, np.float64)
        query = query_of(similarity, np.float64)

        def bend(memory):
            return jax.jit(jax.jacfwd(jax.grad(lambda q: outcome(memory, q)[0])))(query)

        np.testing.assert_allclose(
            bend(WAYS["blockwise"](memory)), bend(memory), rtol=1e-7, atol=1e-7
        )


def test_half_a_difference_is_caught():
    """The comparison sees one row that is read from another block's reference."""
    memory = memory_of(registry.ALL_SIMILARITIES["dot"], registry.ALL_SEPARATIONS["softmax"])
    query = query_of(registry.ALL_SIMILARITIES["dot"])
    wrong = eqx.tree_at(lambda m: m.keys, memory, memory.keys.at[7, 2].multiply(1.001))
    with pytest.raises(AssertionError):
        assert_same(compiled(wrong, query), compiled(memory, query), 1e-6)


@pytest.mark.parametrize("name", ["softmax", "ghost", "top_softmax"])
@pytest.mark.parametrize("heights", [(0.0, 40.0), (40.0, 0.0)], ids=str)
def test_scores_of_shards_may_lie_further_apart_than_an_exponential_reaches(name, heights):
    """Those of one device exceed the other's by 240; exp(89) overflows in float32."""
    similarity, separation = registry.ALL_SIMILARITIES["dot"], registry.ALL_SEPARATIONS[name]
    rows = 0.1 * registry.rows_of(similarity, np.random.default_rng(0))
    high = np.repeat(np.asarray(heights, np.float32), registry.ROWS // 2)
    memory = attrax.Memory(rows + high[:, None], similarity=similarity, separation=separation)
    query = jnp.ones(registry.WIDTH)
    found = read(WAYS["sharded"](memory), query)
    assert np.all(np.isfinite(found.value))
    assert_same([*found], [*read(memory, query)], 1e-6)


def test_what_is_exchanged_does_not_grow_with_the_rows():
    """A sharded read of additive weights moves sums between devices, never keys."""
    dot, softmax = registry.ALL_SIMILARITIES["dot"], registry.ALL_SEPARATIONS["softmax"]
    memory = memory_of(dot, softmax).shard(mesh(), "rows")
    text = jax.jit(lambda query: memory.read(query).value).lower(query_of(dot)).compile().as_text()
    assert "all-reduce" in text
    assert "all-gather" not in text


@pytest.mark.parametrize("name", ["max", "top_softmax", "top_identity"])
@pytest.mark.parametrize("way", ["direct", *WAYS])
def test_ties_go_to_the_rows_stored_first(name, way):
    row = np.ones((1, registry.WIDTH), np.float32)
    separation = registry.ALL_SEPARATIONS[name]
    values = np.arange(registry.ROWS, dtype=np.float32)[:, None]
    memory = attrax.Memory(
        np.repeat(row, registry.ROWS, axis=0),
        values,
        similarity=registry.ALL_SIMILARITIES["dot"],
        separation=separation,
    )
    placed = memory if way == "direct" else WAYS[way](memory)
    weights = np.zeros(registry.ROWS)
    weights[: separation.k] = 6.0 if name == "top_identity" else 1 / separation.k
    np.testing.assert_allclose(memory.weights(row[0]), weights, rtol=1e-6)
    np.testing.assert_allclose(placed(row[0]), weights @ values, rtol=1e-6)


@pytest.mark.parametrize("way", ["direct", *WAYS])
@pytest.mark.parametrize("name", ["max", "top_softmax", "softmax"])
def test_scores_of_minus_infinity_tie_with_one_another(name, way):
    """Every row has what the query lacks: all diverge alike, and none is absent."""
    rows = np.zeros((registry.ROWS, registry.WIDTH), np.float32)
    rows[:, 0], rows[:, 1] = 1.0, np.arange(registry.ROWS)
    separation = registry.ALL_SEPARATIONS[name]
    values = np.arange(1, registry.ROWS + 1, dtype=np.float32)[:, None]
    memory = attrax.Memory(
        rows,
        values,
        similarity=registry.ALL_SIMILARITIES["kullback_leibler_unsmoothed"],
        separation=separation,
    )
    placed = memory if way == "direct" else WAYS[way](memory)
    query = np.array([0, 0, 1, 1, 1, 1], np.float32)
    assert bool(jnp.all(memory.scores(query) == -jnp.inf))
    first = getattr(separation, "k", registry.ROWS)
    np.testing.assert_allclose(placed(query), [values[:first].mean()], rtol=1e-6)


@pytest.mark.parametrize("name", ["entmax_1.5", "normmax", "k_subsets"])
def test_scores_of_too_many_rows_to_keep_are_taken_anew(name, monkeypatch):
    memory = split(memory_of(registry.SIMILARITIES["dot"], registry.ALL_SEPARATIONS[name]))
    query = query_of(registry.SIMILARITIES["dot"])
    kept = eqx.filter_jit(lambda memory, query: memory.read(query))(memory, query)
    monkeypatch.setattr(fold, "_KEPT", 0)
    anew = eqx.filter_jit(lambda memory, query: memory.read(query))(memory, query)
    assert_same(anew, kept, 1e-6)
