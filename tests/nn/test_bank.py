"""Banks: never a wrong row, whatever is written, cleared, saved and read."""

import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax.nn import Bank
from attrax.separation import Entmax, Max, Softmax, TopK
from attrax.similarity import Euclidean

RNG = np.random.default_rng(0)
M, Z, V, H = 64, 4, 3, 2
ROUNDS = 40


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def filled(rows=M, capacity=M):
    return Bank(capacity, Z, V, heads=H).write(normal(H, rows, Z), normal(H, rows, V))


def numbered(start, rows):
    """Rows that say which they are, in whole numbers that floats hold."""
    number = np.arange(start, start + rows)
    digits = np.stack([number % 1000, number // 1000], axis=-1).astype(np.float32)
    return np.stack([digits, -digits])


@jax.jit
def write_many(bank, starts, counts):
    """Many writes of different sizes in one program; what is written depends on its number."""

    def step(bank, inputs):
        start, count = inputs
        number = start + jnp.arange(150, dtype=jnp.int32)
        rows = jnp.stack([number % 1000, number // 1000], axis=-1).astype(jnp.float32)
        rows = jnp.stack([rows, -rows])
        return bank.write(rows, 2 * rows, count=count), None

    return jax.lax.scan(step, bank, (starts, counts))[0]


def check_rows(bank, total, since):
    """The bank holds the last rows before `total`, but none of before `since`, in their places."""
    ages, there = np.asarray(bank.ages), np.asarray(bank.filled)
    assert there.sum() == min(total - since, bank.capacity) == bank.count
    wanted = numbered(0, 1)[:, :0]
    for place in np.flatnonzero(there):
        wanted = numbered(total - 1 - ages[place], 1)[:, 0]
        np.testing.assert_array_equal(bank.keys[:, place], wanted)
        np.testing.assert_array_equal(bank.values[:, place], 2 * wanted)
    assert sorted(ages[there]) == list(range(there.sum()))


def test_a_million_rows_in_writes_of_any_size_are_never_in_a_wrong_place(tmp_path):
    """Cleared, saved and loaded now and then; a write is up to twice what the bank holds."""
    rng, bank = np.random.default_rng(1), Bank(75, 2, 2, heads=2)
    total = since = 0
    for round_number in range(ROUNDS):
        counts = rng.integers(0, 151, size=350).astype(np.int32)
        counts[rng.random(350) < 0.1] = 0
        starts = (total + np.cumsum(counts) - counts).astype(np.int32)
        bank, total = write_many(bank, starts, counts), total + int(counts.sum())
        check_rows(bank, total, since if total - since < 75 else max(since, total - 75))
        if round_number % 10 == 3:
            attrax.save(tmp_path / "bank.attrax", bank)
            bank = attrax.load(tmp_path / "bank.attrax")
        if round_number % 10 == 7:
            bank, since = bank.clear(), total
            assert bank.count == 0
    assert total > 900_000


def test_reads_are_those_of_a_memory_of_the_rows():
    bank, queries = filled(), normal(H, 5, Z)
    parts = (
        Softmax(2.0),
        TopK(3, Softmax(2.0)),
        TopK(500, Softmax(2.0)),
        Entmax(1.5, 2.0),
        Max(),
    )
    for separation in parts:
        found = bank.read(queries, separation)
        for head in range(H):
            memory = bank.memory(head, separation=separation)
            np.testing.assert_allclose(
                found.value[head], jax.vmap(memory)(queries[head]), atol=2e-6
            )
    found = bank.read(queries, Softmax(), similarity=Euclidean())
    memory = bank.memory(1, similarity=Euclidean())
    np.testing.assert_allclose(found.value[1], jax.vmap(memory)(queries[1]), atol=2e-6)


def test_all_of_k_rows_are_a_softmax_of_all():
    bank, queries = filled(), normal(H, 5, Z)
    whole, best = bank.read(queries, Softmax(1.5)), bank.read(queries, TopK(M, Softmax(1.5)))
    np.testing.assert_allclose(best.value, whole.value, atol=1e-6)
    np.testing.assert_allclose(best.potential, whole.potential, atol=1e-6)


@pytest.mark.parametrize("separation", [Softmax(), TopK(3, Softmax()), Entmax(1.5), Max()])
def test_an_empty_bank_reads_zero(separation):
    empty, queries = filled().clear(), jnp.asarray(normal(H, 5, Z))
    found, slopes = eqx.filter_value_and_grad(
        lambda queries: jnp.sum(empty.read(queries, separation).value)
    )(queries)
    assert found == 0
    np.testing.assert_array_equal(slopes, 0)
    if isinstance(separation, Softmax | TopK):
        np.testing.assert_array_equal(empty.read(queries, separation).potential, -jnp.inf)


def test_candidates_are_read_alone_and_empty_places_never():
    bank, queries = filled(5), normal(H, 4, Z)
    places, there = bank.nearest(queries, 8)
    np.testing.assert_array_equal(there.sum(-1), 5)
    wanted = bank.read(queries, TopK(8, Softmax())).value
    given = np.where(there, places, -1)
    np.testing.assert_allclose(bank.read(queries, candidates=given).value, wanted, atol=1e-6)
    # Places where nothing was written yet count as none.
    np.testing.assert_allclose(bank.read(queries, candidates=places).value, wanted, atol=1e-6)
    one = bank.read(queries, candidates=np.full((4, 1), 2, np.int32))
    np.testing.assert_allclose(one.value, np.repeat(bank.values[:, 2:3], 4, axis=1), atol=1e-6)


def test_what_is_left_out_is_bounded_by_its_weight():
    """|z_k − z| ≤ 2 ε max |v|, with ε the weight of all other rows."""
    bank, queries = filled(), normal(H, 9, Z)
    whole = bank.read(queries, Softmax(2.0)).value
    largest = np.linalg.norm(bank.values, axis=-1).max()
    for k in (1, 4, 16, 63):
        best = bank.read(queries, TopK(k, Softmax(2.0)))
        mass = np.exp(2.0 * (best.potential - bank.read(queries, Softmax(2.0)).potential))
        error = np.linalg.norm(best.value - whole, axis=-1)
        assert np.all(error <= 2 * (1 - mass) * largest + 1e-5)


def test_chunks_are_found_by_their_mean_and_read_whole():
    bank, queries = filled(50), normal(H, 6, Z)
    places, there = bank.nearest(queries, 8, chunk=4)
    means = np.asarray(bank.keys)[:, :48].reshape(H, 12, 4, Z).mean(2)
    best = np.argsort(-np.einsum("hsz,hnz->hsn", queries, means), axis=-1)[..., :2]
    wanted = (best[..., None] * 4 + np.arange(4)).reshape(H, 6, 8)
    np.testing.assert_array_equal(places, wanted)
    assert there.all()
    np.testing.assert_array_equal(bank.nearest(queries, 3, chunk=1)[0], bank.nearest(queries, 3)[0])


def test_no_gradient_reaches_who_wrote_and_it_reaches_who_asks():
    keys, queries = jnp.asarray(normal(H, 5, Z)), jnp.asarray(normal(H, 4, Z))
    bank = filled()

    def loss(keys, queries):
        read = bank.write(keys, normal(H, 5, V)).read(queries, TopK(3, Softmax()))
        return jnp.sum(read.value**2)

    by_keys, by_queries = jax.grad(loss, argnums=(0, 1))(keys, queries)
    np.testing.assert_array_equal(by_keys, 0)
    assert np.abs(by_queries).max() > 1e-3


def test_the_oldest_rows_are_those_that_the_next_write_covers():
    bank = Bank(6, Z, heads=1)
    rows = normal(1, 9, Z)
    taken, there = bank.write(rows[:, :4]).oldest(4)
    np.testing.assert_array_equal(there, [False, False, True, True])
    np.testing.assert_array_equal(taken.keys[0, 2:], rows[0, :2])
    taken, there = bank.write(rows[:, :4]).write(rows[:, 4:]).oldest(2)
    assert there.all()
    np.testing.assert_array_equal(taken.keys[0], rows[0, 3:5])


def test_a_new_bank_can_be_donated():
    write = eqx.filter_jit(lambda rows, bank: bank.write(rows), donate="all-except-first")
    bank = Bank(6, Z)
    assert write(normal(1, 4, Z), bank).count == 4
    assert bank.keys.is_deleted()


def test_banks_of_a_batch_are_cleared_one_by_one():
    rows = normal(3, 1, 4, Z)
    banks = jax.vmap(lambda rows: Bank(6, Z).write(rows))(rows)
    banks = jax.vmap(lambda bank, when: bank.clear(when))(banks, np.array([True, False, True]))
    np.testing.assert_array_equal(banks.count, [0, 4, 0])


def test_half_precision_sums_wide():
    rows = 255 * RNG.uniform(size=(1, 50, 300)).astype(np.float32)
    wide, half = Bank(50, 300).write(rows), Bank(50, 300, dtype=jnp.bfloat16).write(rows)
    scores = rows[0] @ rows[0].T
    beta = 30.0 / np.ptp(scores)
    read = [bank.read(rows[:, :5], Softmax(beta)).value for bank in (wide, half)]
    np.testing.assert_allclose(read[1].astype(np.float32), read[0], rtol=0.1, atol=3)


SETTING = """
import numpy as np
from attrax.nn import Bank
from attrax.separation import Softmax
bank = Bank(8, 4, 3, heads=2)
k, v, q = np.ones((2, 5, 4)), np.ones((2, 5, 3)), np.ones((2, 6, 4))
"""
CASES = {
    "Bank(0, 4)": "ValueError: `capacity` must be a positive whole",
    "Bank(8, 4.0)": "ValueError: `key_size` must be a positive whole",
    "Bank(8, 4, 0)": "ValueError: `value_size`",
    "Bank(8, 4, heads=0)": "ValueError: `heads`",
    "Bank(8, 4, dtype=int)": "ValueError: `dtype` must be a floating-point type",
    "bank.write(k)": "ValueError: `values` are needed",
    "Bank(8, 4).write(k[:1], v)": "ValueError: `values` are given, but this bank has none",
    "bank.write(k[:1], v)": r"ValueError: `keys` must have shape \(2, rows, 4\)",
    "bank.write(k[0], v)": "ValueError: `keys` must have 3 axes",
    "bank.write(k, v[:, :4])": "ValueError: `values` must have one row a key, 5, but have 4",
    "bank.write(k, v, count=6)": "ValueError: `count` must be from 0 to the rows given, 5",
    "bank.write(k, v, count=-1)": "ValueError: `count` must be from 0",
    "bank.write(k, v, count=2.0)": "ValueError: `count` must be one whole number",
    "bank.write('k', v)": "TypeError: `keys`",
    "bank.write(np.full((2, 5, 4), np.nan), v)": "ValueError: `keys` holds NaN",
    "bank.clear(3)": "ValueError: `when` must be one True or False",
    "bank.oldest(9)": "ValueError: `rows` must be at most the capacity, 8",
    "bank.nearest(q, 0)": "ValueError: `k` must be a positive whole",
    "bank.nearest(q, 3, chunk=2)": "ValueError: `k` and the capacity must be multiples of `chunk`",
    "bank.nearest(q[:, :, :3], 3)": r"ValueError: `queries` must have shape \(2, queries, 4\)",
    "bank.read(q[None])": "ValueError: `queries` must have 3 axes",
    "bank.read(q, 32)": "TypeError: `separation` must be one of attrax.separation",
    "bank.read(q, similarity=Softmax())": "TypeError: `similarity` must be one of attrax.simil",
    "bank.read(q, candidates=np.zeros((5, 2), int))": r"ValueError: `candidates` must have shape",
    "bank.read(q, candidates=np.full((6, 2), 8))": "ValueError: `candidates` must be places from 0",
    "bank.read(q, candidates=np.zeros((6, 2)))": "ValueError: `candidates` must be places, whole",
    "bank.memory(2)": "ValueError: `head` must be below 2",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_calls_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}"), text
