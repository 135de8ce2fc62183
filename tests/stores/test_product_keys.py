"""Product keys, against a memory in which all keys are there."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax.models import ProductKeyMemory
from attrax.separation import Identity, Max, Softmax, TopK

RNG = np.random.default_rng(0)
FIRST, SECOND = RNG.normal(size=(12, 4)), RNG.normal(size=(9, 6))
VALUES, QUERIES = RNG.normal(size=(12 * 9, 3)), RNG.normal(size=(20, 10))
SEPARATIONS = {
    "max": Max(),
    "few": TopK(5, Softmax(0.7)),
    "more than rows": TopK(20, Softmax(0.1)),
    "more than keys": TopK(200, Softmax(0.1)),
}


def looked(memory):
    """Reads, the slopes of one, energies, and where queries end."""

    def square(memory, query):
        return jnp.sum(jnp.square(memory(query)))

    @jax.jit
    def look(queries):
        slope = jax.grad(lambda query: square(memory, query))(queries[0])
        return jax.vmap(memory)(queries), slope

    return look(QUERIES)


@pytest.mark.parametrize("name", SEPARATIONS)
@pytest.mark.parametrize("values", [None, VALUES], ids=["keys", "values"])
def test_it_reads_as_a_memory_of_all_keys(name, values):
    with jax.enable_x64():
        memory = ProductKeyMemory(FIRST, SECOND, values, separation=SEPARATIONS[name])
        whole = memory.as_memory()
        assert len(memory) == len(whole) == 108
        for found, expected in zip(looked(memory), looked(whole), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
        index, weights = jax.vmap(memory.support)(QUERIES)
        every = np.zeros((len(QUERIES), 108))
        np.put_along_axis(every, np.asarray(index), np.asarray(weights), axis=1)
        np.testing.assert_allclose(every, jax.vmap(whole.weights)(QUERIES), atol=1e-12)


@pytest.mark.parametrize("known", [None, np.arange(10) % 3 > 0], ids=["whole", "known"])
def test_keys_are_retrieved_as_from_all_of_them(known):
    with jax.enable_x64():
        memory = ProductKeyMemory(FIRST, SECOND, separation=SEPARATIONS["few"])
        ours, theirs = (
            attrax.retrieve(store, QUERIES, known=known, path=True)
            for store in (memory, memory.as_memory())
        )
        np.testing.assert_allclose(ours.state, theirs.state, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(ours.energies, theirs.energies, rtol=1e-9)
        np.testing.assert_array_equal(ours.index, theirs.index)
        assert known is not None or np.diff(ours.energies).max() <= 1e-12


def test_of_keys_that_tie_the_first_are_taken():
    memory = ProductKeyMemory(np.ones((4, 2)), np.ones((3, 2)), separation=TopK(5, Softmax()))
    index, weights = memory.support(np.ones(4))
    np.testing.assert_array_equal(index, np.arange(5))
    np.testing.assert_allclose(weights, 0.2)


def test_values_are_read_once_and_have_no_energy():
    memory = ProductKeyMemory(FIRST, SECOND, VALUES, separation=Max())
    found = attrax.retrieve(memory, QUERIES)
    assert found.outcome.counts() == {"one_read": len(QUERIES)}
    np.testing.assert_allclose(found.state, jax.vmap(memory)(QUERIES), rtol=1e-6)
    with pytest.raises(attrax.NoEnergyError, match="leave out `values`"):
        memory.energy(QUERIES[0])
    signed = ProductKeyMemory(FIRST, SECOND, separation=TopK(3, Identity()))
    with pytest.raises(attrax.NoEnergyError, match="no convex potential"):
        signed.energy(QUERIES[0])
    assert np.isnan(signed.read(jnp.asarray(QUERIES[0], jnp.float32)).potential)


def test_a_million_keys_are_read_from_two_tables(tmp_path):
    first, second = np.random.default_rng(1).normal(size=(2, 1000, 8)).astype(np.float16)
    memory = ProductKeyMemory(first, second, separation=TopK(4, Softmax(1.0)))
    assert len(memory) == 10**6
    assert memory.dtype == jnp.float16
    target = np.concatenate([first[123], second[45]])
    # Longer rows score more: the key that is asked for is among the best, which need not be it.
    scores = first.astype(float) @ target[:8], second.astype(float) @ target[8:]
    best = np.argmax(scores[0]) * 1000 + np.argmax(scores[1])
    attrax.save(tmp_path / "memory", memory)
    again = attrax.load(tmp_path / "memory")
    for store in (memory, again):
        assert store.support(target)[0][0] == best
    assert "1000 · 1000" in repr(memory)


def test_nan_stays_nan():
    memory = ProductKeyMemory(FIRST, SECOND, separation=TopK(3, Softmax()))
    query = jnp.full(10, jnp.nan)
    assert jnp.isnan(memory.read(query).value).all()


SETTING = """
import numpy as np
from attrax.models import ProductKeyMemory
from attrax.separation import Max, Power, Softmax, TopK
a, b = np.eye(3), np.ones((4, 2))
memory = ProductKeyMemory(a, b, separation=Max())
"""
CASES = {
    "ProductKeyMemory(a, b)": "TypeError: .* missing .* 'separation'",
    "ProductKeyMemory(a[0], b, separation=Max())": "ValueError: `first` must have 2 axes",
    "ProductKeyMemory(a, b[:0], separation=Max())": "ValueError: `second` is empty",
    "ProductKeyMemory(a, b * np.nan, separation=Max())": "ValueError: `second` holds NaN",
    "ProductKeyMemory(a, b, np.eye(7), separation=Max())": "ValueError: .* each of 3 · 4 = 12",
    "ProductKeyMemory(a, b, separation=Softmax())": "TypeError: .* the best scores alone, such as",
    "ProductKeyMemory(a, b, separation=TopK(2, Power(2)))": "ValueError: .* non-negative scores",
    "memory(np.ones(4))": r"ValueError: `query` must have shape \(5,\), the widths of both",
    "memory(np.ones((2, 5)))": r"ValueError: `query` must have shape \(5,\)",
    "memory.support('query')": "TypeError: `query` must hold numbers",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_calls_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}")
