"""Inputs of all kinds by name, each with its right value, or what it must be refused for."""

import fractions

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax import data, evaluate, learning, models
from attrax import hierarchical as hier
from attrax import similarity as sim
from attrax.dynamics import OneRead
from attrax.separation import Identity, Max, Softmax, Threshold

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 20))
SIGNS = np.where(RNG.random((3, 30)) < 0.5, -1, 1)
COUNTS = RNG.integers(1, 50, (6, 20))
KNOWN = np.arange(20) < 12
HEBB = SIGNS.T @ SIGNS
OUTLIERS = 5 + 2 * RNG.normal(size=(6, 20))


def memory(rows, similarity=None, separation=None, **options):
    similarity = sim.Euclidean() if similarity is None else similarity
    return attrax.Memory(rows, similarity=similarity, separation=separation or Max(), **options)


def best(rows, similarity, row=4):
    """Which row is found for one of the rows."""
    return memory(rows, similarity).best(np.asarray(rows)[row])


def completed(rows, query, known, **options):
    return attrax.retrieve(memory(rows, **options), query, OneRead(), known=known).state


def network():
    layers = {"seen": hier.Neurons(20), "hidden": hier.Neurons(6, Softmax(5.0), tau=0.0)}
    return hier.HierarchicalMemory(layers, {("seen", "hidden"): hier.DenseSynapse(X)})


def saved(tmp_path, thing):
    attrax.save(tmp_path / "thing.attrax", thing)
    return attrax.load(tmp_path / "thing.attrax")


def with_star(size):
    """Rows of which one entry, which is not known, is far off."""
    rows = OUTLIERS.copy()
    rows[:, 15] = size * (1 + np.arange(6))
    return rows


def with_star_found(size, similarity):
    rows = with_star(size).astype(np.float32)
    part = attrax.Memory(rows, similarity=similarity, separation=Softmax(200.0))
    state = np.asarray(attrax.retrieve(part, rows, OneRead(), known=KNOWN).state)
    return np.argmin(abs(state[:, None] - rows).max(-1), axis=1)


def other_unit():
    """A column of ones and others of a unit whose squares are no numbers."""
    return np.c_[np.ones((6, 1)), 1e-30 * X]


RIGHT = {
    "values of 64 bits": lambda: (memory(X, values=np.full((6, 2), 2**40))(X[0]), [2.0**40] * 2),
    "values, big-endian": lambda: (memory(X, values=X.astype(">f8"))(X[2]), X[2]),
    "values, boolean objects": lambda: (
        memory(X, values=(X > 0).astype(object))(X[2]),
        X[2] > 0,
    ),
    "values of fractions": lambda: (
        memory(X, values=[[fractions.Fraction(i, 4)] for i in range(6)])(X[3]),
        [0.75],
    ),
    "known, nothing masked": lambda: (
        completed(X, X[:1], np.ma.array(KNOWN, mask=np.zeros(20, bool))),
        X[:1],
    ),
    "known, reversed": lambda: (completed(X, X[:1], KNOWN[::-1]), X[:1]),
    "known, strided": lambda: (completed(X, X[:1], np.repeat(KNOWN, 3)[::3]), X[:1]),
    "known, each its own, Fortran order": lambda: (
        completed(X, X[:3], np.asfortranarray(RNG.random((3, 20)) < 0.7)),
        X[:3],
    ),
    "long doubles where nothing is known": lambda: (
        completed(X, np.where(KNOWN, X[:1], np.finfo(np.longdouble).max), KNOWN),
        X[:1],
    ),
    "whole numbers, uint16": lambda: (best(COUNTS.astype(np.uint16), sim.Manhattan()), 4),
    "float16, Fortran order": lambda: (
        memory(np.asfortranarray(COUNTS.astype(np.float16))).keys,
        COUNTS,
    ),
    "matrix of int16, big-endian": lambda: (attrax.MatrixMemory(HEBB.astype(">i2")).matrix, HEBB),
    "Hebb's rule on int8": lambda: (learning.Hebb()(SIGNS.astype(np.int8)).matrix, HEBB),
    "Hebb's rule on booleans": lambda: (
        learning.Hebb("bits")(SIGNS > 0).matrix,
        learning.Hebb("bits")((SIGNS > 0).astype(float)).matrix,
    ),
    "pseudo-inverse of float16": lambda: (
        learning.PseudoInverse()(SIGNS.astype(np.float16)).matrix,
        learning.PseudoInverse()(SIGNS).matrix,
    ),
    "stabilities of int8": lambda: (
        learning.stabilities(learning.Hebb()(SIGNS), SIGNS.astype(np.int8)),
        learning.stabilities(learning.Hebb()(SIGNS), SIGNS.astype(float)),
    ),
    "dense memory of int16, big-endian": lambda: (
        models.dense_memory(SIGNS.astype(">i2"), 3).energy(SIGNS[0].astype(np.int8)),
        models.dense_memory(SIGNS, 3).energy(SIGNS[0]),
    ),
    "exponential memory of int8": lambda: (
        models.exponential_memory(SIGNS.astype(np.int8))(SIGNS[0].astype(np.int8)),
        SIGNS[0],
    ),
    "overlap of int8": lambda: (
        evaluate.overlap(np.full(300, 100, np.int8), np.ones(300, np.int8)),
        100.0,
    ),
    "squared error of int16": lambda: (
        evaluate.squared_error(np.full((1, 4), 30_000, np.int16), -np.full((1, 4), 1, np.int16)),
        [4 * 30_001.0**2],
    ),
    "scores beyond float16": lambda: (
        evaluate.scores(sim.Dot(), *[(1000 * COUNTS).astype(np.float16)] * 2),
        (1000.0 * COUNTS).astype(np.float16).astype(float)
        @ (1000.0 * COUNTS).astype(np.float16).astype(float).T,
    ),
    "salt and pepper on bytes": lambda: (
        np.unique(data.salt_and_pepper(np.full(90, 200, np.uint8), 0.5, key=jax.random.key(0))),
        [0, 1, 200],
    ),
    "a network asked in doubles, big-endian": lambda: (
        attrax.retrieve(network(), X[:1].astype(">f8"), OneRead()).state,
        attrax.retrieve(network(), X[:1], OneRead()).state,
    ),
    "a row written in big-endian": lambda: (memory(X).write(X[1].astype(">f4")).keys[6], X[1]),
    "rows forgotten by big-endian numbers": lambda: (
        len(memory(X).forget(np.array([1, 2], ">i4"))),
        4,
    ),
    "rows filled by objects": lambda: (
        len(memory(X, filled=np.array([True] * 5 + [False], object))),
        5,
    ),
    "superposed, asked in big-endian": lambda: (
        attrax.Memory(X, similarity=sim.Dot(), separation=Identity()).superpose()(
            X[0].astype(">f4")
        ),
        X.T @ (X @ X[0]),
    ),
    "an inverse temperature in big-endian": lambda: (Softmax(np.array(2.5, ">f8")).beta, 2.5),
    "a threshold of 64 bits": lambda: (Threshold(np.int64(2**40)).theta, 2.0**40),
    "tiny spectra": lambda: (best(COUNTS * 1e-30, sim.JensenShannon()), 4),
    "huge spectra": lambda: (best(COUNTS * 1e30, sim.KullbackLeibler()), 4),
    "tiny sets": lambda: (best(COUNTS * 1e-25, sim.Jaccard()), 4),
    "tiny distances, exact": lambda: (
        best(X * 1e-25, sim.Euclidean("distance", exact=True)),
        4,
    ),
    "tiny Minkowski distances": lambda: (best(X * 1e-25, sim.Minkowski(3.0)), 4),
    "huge Manhattan distances": lambda: (best(X * 1e30, sim.Manhattan()), 4),
    "a large offset": lambda: (best((X + 1e4).astype(np.float32), sim.Correlation()), 4),
    "an outlier that is not known": lambda: (with_star_found(1e6, None), np.arange(6)),
    "an outlier that is not known, by rows as they are": lambda: (
        with_star_found(1e6, sim.Correlation()),
        np.arange(6),
    ),
    "a query a million times the rows": lambda: (
        attrax.retrieve(memory(X, sim.Cosine(), Softmax(100.0)), 1e9 * X[:2]).state,
        X[:2],
    ),
    "a blank query by cosine": lambda: (
        memory(X, sim.Cosine(), Softmax(5.0)).weights(np.zeros(20)),
        np.full(6, 1 / 6),
    ),
    "small units, to rest": lambda: (
        attrax.retrieve(memory(1e-9 * X, sim.Manhattan(), Softmax(1e9)), 1e-9 * X).state,
        1e-9 * X,
    ),
}
REFUSED = {
    "masked values": (
        lambda: memory(X, values=np.ma.masked_equal(np.arange(12).reshape(6, 2), 3)),
        "`values` has one masked entry",
    ),
    "a mask of whole numbers": (
        lambda: completed(X, X[:1], np.arange(20) % 2),
        "`known` must be boolean",
    ),
    "codes that floats round": (
        lambda: memory(np.array([[2**24, 5], [2**24 + 1, 5]]), sim.Hamming()),
        "number them anew",
    ),
    "a masked key": (
        lambda: memory(X).write(np.ma.masked_greater(X[1], 0)),
        "`key` has .* masked entries",
    ),
    "a key of another unit": (lambda: memory(X).write(1e30 * X[1]), "beyond the range"),
    "a masked inverse temperature": (lambda: Softmax(np.ma.masked), "`beta` has one masked"),
    "signs from booleans": (lambda: models.hopfield_network(SIGNS > 0), "jnp.where"),
    "a masked query of a network": (
        lambda: attrax.retrieve(network(), np.ma.masked_greater(X[:1], 0)),
        "masked entries",
    ),
    "products beyond floats": (lambda: memory(1e25 * X, sim.Dot()), "divide them by their scale"),
    "products below floats": (lambda: memory(1e-25 * X, sim.Dot()), "divide them by their scale"),
    "squares beyond floats": (lambda: memory(1e25 * X), "divide them by their scale"),
    "distances whose squares vanish": (
        lambda: memory(1e-25 * X, sim.Euclidean("distance")),
        "below the range",
    ),
    "a column in another unit": (lambda: memory(other_unit()), "below the range"),
    "a query far beyond the rows": (lambda: memory(X).best(1e25 * X[0]), "`query`.*beyond"),
    "negative counts": (
        lambda: attrax.retrieve(memory(COUNTS, sim.JensenShannon()), -COUNTS[:1]),
        "never negative",
    ),
    "negative sets": (lambda: memory(COUNTS, sim.Jaccard()).best(-COUNTS[0]), "never negative"),
    "reciprocals by default": (
        lambda: attrax.Memory(X, similarity=sim.Euclidean("reciprocal")),
        r"separation=attrax.separation.Max\(\)",
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_it_is_right(name):
    found, right = RIGHT[name]()
    found, right = np.asarray(found, np.float64), np.asarray(right, np.float64)
    assert found.shape == right.shape
    np.testing.assert_allclose(found, right, rtol=2e-5, atol=2e-5 * np.abs(right).max())


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_for_what_it_is(name):
    call, text = REFUSED[name]
    with pytest.raises((ValueError, TypeError), match=text):
        call()


@pytest.mark.parametrize("dtype", [jnp.bfloat16, np.float16, ">f4"])
def test_saved_rows_come_back_as_they_were(dtype, tmp_path):
    rows = X.astype(dtype)
    kept = saved(tmp_path, memory(rows))
    np.testing.assert_array_equal(np.float64(kept.keys), rows.astype(np.float64))
