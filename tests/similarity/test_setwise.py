"""Cumulative Euclidean distance, against sums over sets; elementary symmetric polynomials."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax import models
from attrax.separation import ElementarySymmetric
from attrax.similarity import CumulativeEuclidean, Euclidean, Manhattan

rng = np.random.default_rng(0)
KEYS = jnp.asarray(rng.normal(size=(5, 9)), jnp.float32)
QUERY = jnp.asarray(rng.normal(size=9), jnp.float32)
COMPLEX = models.full_skeleton(9, 3)


def mean_distance(simplices, weight=1.0):
    squares = weight * np.square(np.asarray(KEYS) - np.asarray(QUERY))
    rows = [row for sets in simplices for row in np.asarray(sets).tolist()]
    return np.mean([np.sqrt(squares[:, row].sum(1)) for row in rows], axis=0)


def test_scores_are_mean_distances_over_sets():
    similarity = CumulativeEuclidean(COMPLEX)
    np.testing.assert_allclose(similarity(KEYS, QUERY), -mean_distance(COMPLEX), rtol=1e-5)
    weight = np.array([1, 0, 2, 0, 1, 1, 0.5, 0, 1], np.float32)
    found = similarity(KEYS, QUERY, jnp.asarray(weight))
    np.testing.assert_allclose(found, -mean_distance(COMPLEX, weight), rtol=1e-5)
    unknown = jnp.where(weight == 0, 1e30, QUERY)
    np.testing.assert_allclose(similarity(KEYS, unknown, jnp.asarray(weight)), found, rtol=1e-5)


def test_sets_of_one_are_manhattan_and_the_set_of_all_is_euclid():
    one = CumulativeEuclidean([np.arange(9)[:, None]])
    np.testing.assert_allclose(9 * one(KEYS, QUERY), Manhattan()(KEYS, QUERY), rtol=1e-5)
    whole = CumulativeEuclidean([np.arange(9)[None]])
    np.testing.assert_allclose(
        whole(KEYS, QUERY), Euclidean("distance", exact=True)(KEYS, QUERY), rtol=1e-5
    )


def test_a_memory_finds_its_rows_by_it():
    rows = rng.random((40, 64)).astype(np.float32)
    sets = models.random_simplices(64, {1: 300, 2: 300}, key=jax.random.key(0))
    memory = attrax.Memory(rows, similarity=CumulativeEuclidean(sets))
    known = np.arange(64) < 32
    found = attrax.retrieve(memory, np.where(known, rows, 0), known=known)
    np.testing.assert_array_equal(found.index, np.arange(40))
    assert memory.lacks_energy is not None


@pytest.mark.parametrize("sizes", [(2,), (3,), (2, 3)])
def test_polynomials_are_sums_over_all_sets(sizes):
    signs = rng.choice([-1, 1], (20, 8))
    expected = sum(
        np.prod(signs[:, list(c)], axis=1)
        for p in sizes
        for c in itertools.combinations(range(8), p)
    )
    separation = ElementarySymmetric(8, sizes)
    found = [separation.potential(jnp.asarray([s], jnp.float32)) for s in signs.sum(1)]
    np.testing.assert_allclose(found, expected / 8, atol=1e-5)


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: CumulativeEuclidean(2), TypeError, "must be arrays of indices"),
        (lambda: CumulativeEuclidean([]), TypeError, "must be arrays of indices"),
        (lambda: CumulativeEuclidean([[[0.5]]]), ValueError, "indices of entries, from 0"),
        (lambda: CumulativeEuclidean([[[-1, 2]]]), ValueError, "indices of entries, from 0"),
        (
            lambda: CumulativeEuclidean([[[0, 9]]])(KEYS, QUERY),
            ValueError,
            "entry 9, but keys have 9",
        ),
        (lambda: ElementarySymmetric(8, (4,)), ValueError, "larger sets are not convex"),
        (lambda: ElementarySymmetric(1), ValueError, "`n` must be"),
    ],
)
def test_what_is_wrong_is_said(call, kind, text):
    with pytest.raises(kind, match=text):
        call()
