"""Rows that are equal, close or beyond the range of floats are told apart, with a remedy each."""

import numpy as np
import pytest

import attrax
from attrax import Outcome
from attrax.separation import Softmax
from attrax.similarity import (
    Correlation,
    Cosine,
    Dot,
    Euclidean,
    Hamming,
    KullbackLeibler,
    Manhattan,
)

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(20, 30)).astype(np.float32)
DOUBLED = ROWS.copy()
DOUBLED[3] = 2 * ROWS[4]


def with_copies(copies):
    rows = ROWS.copy()
    rows[list(copies)] = rows[list(copies.values())]
    return rows


KINDS = [Euclidean(), Cosine(), Correlation(), Manhattan(), KullbackLeibler()]
PAIRS = {2 * i: 2 * i + 1 for i in range(10)}


@pytest.mark.parametrize("copies", [{19: 0}, {1: 0, 2: 0, 3: 0}, PAIRS])
@pytest.mark.parametrize("similarity", [Correlation, Euclidean])
def test_equal_rows_count_as_one(copies, similarity):
    rows = with_copies(copies)
    options = {} if similarity is Correlation else {"similarity": similarity()}
    memory = attrax.Memory(rows, **options)
    distinct = np.unique(rows, axis=0)
    expected = attrax.Memory(distinct, **options).separation.beta
    np.testing.assert_allclose(memory.separation.beta, expected, rtol=1e-4)
    found = attrax.retrieve(memory, rows)
    np.testing.assert_allclose(found.state, rows, atol=0.02)


@pytest.mark.parametrize("beta", [30.0, 1e6])
def test_a_row_that_is_stored_twice_is_no_mixture(beta):
    rows = with_copies({19: 0})
    memory = attrax.Memory(rows, separation=Softmax(beta))
    found = attrax.retrieve(memory, rows)
    assert bool((found.outcome == Outcome.converged).all())
    np.testing.assert_allclose(found.memories, 1, atol=0.05)
    soft = attrax.retrieve(attrax.Memory(rows, separation=Softmax(1.0)), rows)
    assert bool((soft.outcome == Outcome.mixture).all())


@pytest.mark.parametrize("copies", [{19: 0}, {17: 0, 18: 0, 19: 0}])
@pytest.mark.parametrize("similarity", [None, *KINDS])
def test_equal_rows_are_one_memory_by_any_similarity(similarity, copies):
    rows = np.abs(with_copies(copies))
    memory = attrax.Memory(rows, similarity=similarity)
    known = np.arange(rows.shape[1]) < rows.shape[1] - 3
    for found in (
        attrax.retrieve(memory, rows, attrax.dynamics.Iterate()),
        attrax.retrieve(memory, rows, attrax.dynamics.Iterate(), known=known),
        attrax.retrieve(attrax.Memory(rows, rows, similarity=similarity), rows),
    ):
        assert bool((found.outcome == Outcome.converged).all()), (similarity, found)
        np.testing.assert_allclose(found.memories, 1, atol=0.05)
    soft = attrax.Memory(rows, similarity=similarity, separation=Softmax(1e-3))
    assert bool((attrax.retrieve(soft, rows).outcome == Outcome.mixture).all())


def test_a_mean_that_happens_to_be_a_row_is_a_mixture():
    line = attrax.Memory(
        np.array([[-1.0], [0.0], [1.0]]), similarity=Euclidean(), separation=Softmax(0.3)
    )
    found = attrax.retrieve(line, np.zeros((1, 1)))
    np.testing.assert_allclose(found.state, 0, atol=1e-6)
    assert bool((found.outcome == Outcome.mixture).all())


def test_all_rows_equal_need_no_temperature():
    rows = np.tile(ROWS[:1], (5, 1))
    np.testing.assert_allclose(attrax.Memory(rows)(rows[0]), rows[0], rtol=1e-5)


@pytest.mark.parametrize(
    ("rows", "similarity", "text"),
    [
        (DOUBLED, None, r"Rows 3 and 4 can hardly be told apart by Correlation"),
        (ROWS[:1] + 1e-4 * ROWS, None, r"can hardly be told apart by Correlation.*Euclidean"),
        (1e30 * ROWS, Dot(), r"beyond the range of float32 by Dot.*divide them by their scale"),
        (1e30 * ROWS, Euclidean(), r"beyond the range of float32 by Euclidean"),
    ],
)
def test_what_is_alike_is_named_with_its_cause(rows, similarity, text):
    options = {} if similarity is None else {"similarity": similarity}
    with pytest.raises(ValueError, match=text):
        attrax.Memory(rows.astype(np.float32), **options)


@pytest.mark.parametrize("known", [None, np.arange(96) > 30])
def test_hamming_restores_with_defaults(known):
    bits = RNG.integers(0, 2, (25, 96))
    damaged = bits.copy()
    damaged[:, :5] ^= 1
    memory = attrax.Memory(bits, similarity=Hamming())
    assert memory.projection == "centroid"
    found = attrax.retrieve(memory, damaged, known=known)
    np.testing.assert_array_equal(found.state, bits)
