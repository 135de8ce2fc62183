"""`Retrieval.confidence`: whether a query is a damaged copy of a row, told from the rows alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax import similarity as sim
from attrax.dynamics import OneRead

WIDTH = 20


def unit(rows, there):
    some = rows[..., there] - rows[..., there].mean(-1, keepdims=True)
    return some / np.linalg.norm(some, axis=-1, keepdims=True)


SCORES = {
    "correlation": (None, lambda rows, query, there: unit(rows, there) @ unit(query, there)),
    "euclidean": (
        sim.Euclidean(),
        lambda rows, query, there: -0.5 * np.square((rows - query)[:, there]).sum(1),
    ),
    "manhattan": (
        sim.Manhattan(),
        lambda rows, query, there: -np.abs((rows - query)[:, there]).sum(1),
    ),
    "dot": (sim.Dot(), lambda rows, query, there: rows[:, there] @ query[there]),
}


def uneven(scores, itself, own, index, others):
    """The largest shortfall of a lead; None if it is compared with one alone."""
    others = [j for j in others if abs(own[index] - own[j]) > 1e-9]
    if len(others) < 2:
        return None
    gaps = np.array([scores[index] - scores[j] for j in others])
    widths = np.array([own[index] - own[j] for j in others])
    if (widths < 0).any() or gaps.sum() <= 0:
        return np.inf
    left = max((itself - scores[index]) / widths.mean(), 0.05)
    shares = gaps / widths / (gaps.sum() / widths.sum())
    parts = (1 - shares) * (widths / widths.mean() / left) ** 0.25
    return max(parts.max(), 0.0) * np.sqrt(1 + 2 * left)


def oracle(score, rows, query, index, there, number=256):
    """The definition, row by row in float64."""
    count = len(rows)
    own = np.stack([score(rows, row, there) for row in rows])
    ranks = range(count) if count <= number else np.round(np.linspace(0, count - 1, number))
    leads = []
    for m in map(int, ranks):
        same = [j for j in range(count) if abs(own[m, m] - own[m, j]) <= 1e-9]
        rest = [j for j in range(count) if j not in same]
        if same[0] != m or not rest:
            continue
        best = rest[np.argmax(own[m, rest])]
        leads.append(uneven(own[m], own[m, m], own[best], best, rest))
    leads = [lead for lead in leads if lead is not None]
    itself = score(query[None], query, there)[0]
    found = uneven(score(rows, query, there), itself, own[index], index, range(count))
    if found is None or not leads:
        return 0.0
    as_even = sum(lead <= found for lead in leads)
    if as_even:
        return 1 - (1 + as_even) / (1 + len(leads))
    return 1 - found / min(leads) / (1 + len(leads))


def drawn(count, seed=0):
    """Rows with something in common, damaged ones, and strangers."""
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(6, WIDTH))
    rows = rng.normal(size=(count, 6)) @ mix + 0.5 * rng.normal(size=(count, WIDTH))
    asked = rng.integers(0, count, 4)
    damaged = rows[asked] + rng.normal(size=(4, WIDTH)) * np.array([[0], [0.5], [1], [2]])
    return rows, np.concatenate([damaged, rng.normal(size=(2, WIDTH)), rng.random((2, WIDTH))])


def check(score, memory, rows, queries, **options):
    found = attrax.retrieve(memory, queries, OneRead(), confidence=True, **options)
    known = options.get("known", np.ones(WIDTH, bool))
    number = 64 if known.ndim > 1 else 256
    masks = np.broadcast_to(known, queries.shape)
    expected = [
        oracle(score, rows, query, int(index), there, number)
        for query, index, there in zip(queries, found.index, masks, strict=True)
    ]
    np.testing.assert_allclose(found.confidence, expected, atol=1e-9)
    return np.asarray(found.confidence)


@pytest.mark.parametrize("name", SCORES)
def test_it_is_what_is_defined(name):
    similarity, score = SCORES[name]
    options = {} if similarity is None else {"similarity": similarity}
    with jax.enable_x64():
        rows, queries = drawn(30)
        if name == "dot":
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        memory = attrax.Memory(rows, separation=attrax.separation.Softmax(9.0), **options)
        if name == "dot":
            queries /= np.linalg.norm(queries, axis=1, keepdims=True)
        told = check(score, memory, rows, queries)
        assert told[0] > 1 - 1e-9
        assert told[4:].max() < 0.95
        check(score, memory, rows, queries, known=np.arange(WIDTH) > 8)
        masks = np.random.default_rng(2).random(queries.shape) < 0.7
        check(score, memory, rows, queries, known=masks)


def test_however_rows_are_kept():
    """Spare room, masked rows, blocks, more rows than are asked, equal rows, shards."""
    _, score = SCORES["correlation"]
    with jax.enable_x64():
        rows, queries = drawn(32)
        check(score, attrax.Memory(rows, capacity=50), rows, queries)
        check(score, attrax.Memory(rows, block=8), rows, queries)
        mesh = jax.make_mesh((2,), ("rows",))
        check(score, attrax.Memory(rows).shard(mesh, "rows"), rows, queries)
        values = attrax.Memory(rows, rows[:, :2])
        check(score, values, rows, queries)
        many, asked = drawn(300, seed=1)
        check(score, attrax.Memory(many), many, asked[:3])
        twice = np.concatenate([rows[:7], rows[:7]])
        told = check(score, attrax.Memory(twice), twice, queries)
        assert told.max() < 1


def test_rows_that_take_no_part_are_no_strangers():
    with jax.enable_x64():
        rows, queries = drawn(30)
        filled = np.arange(30) % 4 != 0
        found = attrax.retrieve(attrax.Memory(rows, filled=filled), queries, confidence=True)
        expected = attrax.retrieve(attrax.Memory(rows[filled]), queries, confidence=True)
        np.testing.assert_allclose(found.confidence, expected.confidence, atol=1e-9)


def test_few_rows_say_nothing():
    rows, queries = drawn(30)
    for count in (1, 2, 3):
        memory = attrax.Memory(rows[:count], separation=attrax.separation.Softmax(9.0))
        found = attrax.retrieve(memory, queries, confidence=True)
        np.testing.assert_array_equal(found.confidence, np.zeros(len(queries)))
    memory = attrax.Memory(rows[:4], separation=attrax.separation.Softmax(9.0))
    found = attrax.retrieve(memory, rows[:4], confidence=True)
    np.testing.assert_allclose(found.confidence, np.ones(4), atol=1e-4)
    nothing = attrax.Memory(rows, filled=np.zeros(30, bool), separation=memory.separation)
    told = attrax.retrieve(nothing, queries, confidence=True)
    np.testing.assert_array_equal(told.confidence, np.zeros(len(queries)))


def test_scales_and_offsets_do_not_matter():
    with jax.enable_x64():
        rows, queries = drawn(30)
        memories = [attrax.Memory(rows), attrax.Memory(rows * 300 + 20)]
        told = [
            attrax.retrieve(memory, asked, OneRead(), confidence=True).confidence
            for memory, asked in zip(memories, [queries, queries * 5 - 7], strict=True)
        ]
        np.testing.assert_allclose(told[0], told[1], atol=1e-8)


def test_it_is_compiled_batched_and_asked_for():
    rows, queries = drawn(30)
    memory = attrax.Memory(rows)
    assert attrax.retrieve(memory, queries).confidence is None
    found = attrax.retrieve(memory, queries, confidence=True)
    assert "confidence" in repr(found)
    assert found[3].confidence.shape == ()
    compiled = jax.jit(lambda queries: attrax.retrieve(memory, queries, confidence=True))(queries)
    np.testing.assert_allclose(compiled.confidence, found.confidence, atol=1e-4)
    one = jax.vmap(lambda query: attrax.retrieve(memory, query, confidence=True).confidence)
    np.testing.assert_allclose(one(jnp.asarray(queries)), found.confidence, atol=1e-4)
    mask = np.arange(WIDTH) > 8
    alone = attrax.retrieve(memory, queries, known=mask, confidence=True).confidence
    masks = np.broadcast_to(mask, queries.shape)
    same = attrax.retrieve(memory, queries, known=masks, confidence=True).confidence
    # Two programs, which may round differently.
    np.testing.assert_allclose(alone, same, rtol=1e-6)
    half = attrax.retrieve(attrax.Memory(jnp.asarray(rows, jnp.bfloat16)), queries, confidence=True)
    assert half.confidence[0] > 0.95
    assert half.confidence[4:].max() < 0.95


def test_memories_of_two_state_units_have_it_where_rows_are_kept():
    rng = np.random.default_rng(0)
    rows = np.sign(rng.normal(size=(40, 100)))
    damaged = rows * np.where(rng.random(rows.shape) < 0.15, -1, 1)
    memory = attrax.models.dense_memory(rows, degree=4)
    told = attrax.retrieve(memory, damaged, confidence=True).confidence
    assert np.mean(np.asarray(told) >= 0.95) > 0.95
    noise = np.sign(rng.normal(size=(100, 100)))
    assert np.mean(np.asarray(attrax.retrieve(memory, noise, confidence=True).confidence)) < 0.6
    with pytest.raises(TypeError, match="MatrixMemory keeps no rows"):
        attrax.retrieve(attrax.models.hopfield_network(rows), damaged, confidence=True)


def resized(pictures, side, to):
    places = np.arange(to) * side // to
    return pictures.reshape(-1, side, side)[:, places][:, :, places].reshape(len(pictures), -1)


@pytest.fixture(scope="module")
def pictures():
    load = attrax.data.load
    return {name: np.asarray(load(name).x, np.float32) for name in ("sample", "digits")}


def sure(memory, queries, **options):
    """The share of queries, none of which is constant, with 0.95 or more."""
    queries = queries[np.ptp(queries, axis=1) > 0].astype(np.float32)
    found = attrax.retrieve(memory, queries, confidence=True, **options)
    return np.mean(np.asarray(found.confidence) >= 0.95)


@pytest.mark.parametrize("stored", ["sample", "digits"])
def test_noise_and_unrelated_pictures_are_told_from_hits(pictures, stored):
    rows = pictures[stored][:1000]
    memory, rng = attrax.Memory(rows), np.random.default_rng(7)
    some = rows[::4]
    strange = {
        "uniform": rng.uniform(0, 1, some.shape),
        "normal": rng.normal(size=some.shape),
        "shuffled": rng.permuted(some, axis=1),
        "unrelated": resized(pictures["digits"][:250], 8, 28)
        if stored == "sample"
        else resized(pictures["sample"][:250], 28, 8),
    }
    for queries in strange.values():
        # Five in a hundred, and twice the standard error of a share of 250.
        assert sure(memory, queries) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 250)
    half = np.arange(rows.shape[1]) < rows.shape[1] // 2
    assert sure(memory, some, known=half) > 0.99
    noisy = some + rng.normal(size=some.shape) * 0.5 * rows.std()
    if stored == "digits":
        # Of 64 pixels, under such noise, some digits are as close to another as to themselves.
        assert sure(memory, noisy) > 0.75
        return
    assert sure(memory, noisy) > 0.98
    salted = np.where(rng.random(some.shape) < 0.3, rng.choice([0.0, 1.0], some.shape), some)
    assert sure(memory, salted) > 0.9
    # Without a mask, the dark half is taken for what was there.
    assert sure(memory, some * (rng.random(some.shape) < 0.5)) > 0.8


def test_the_end_of_a_run_would_call_noise_a_hit(pictures):
    """Why it is about the query: where runs end there is always a row."""
    memory = attrax.Memory(pictures["sample"][:300])
    noise = np.random.default_rng(0).normal(size=(100, 784)).astype(np.float32)
    assert sure(memory, noise) <= 0.1
    assert sure(memory, np.asarray(attrax.retrieve(memory, noise).state)) > 0.9
