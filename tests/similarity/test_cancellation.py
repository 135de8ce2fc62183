"""Rows that share a large part: differences keep their figures, as doubles of NumPy have them."""

import jax
import numpy as np
import pytest

import attrax
from attrax import similarity as sim
from attrax.separation import Max

RNG = np.random.default_rng(0)


def places(count, width, offset, spread):
    """Coordinates far from their origin, in single precision."""
    origin = offset * (1 + np.arange(width)) / width
    return (origin + RNG.uniform(0, spread, (count, width))).astype(np.float32)


def spectra(count, width, difference):
    """Counts on a common background."""
    background = RNG.uniform(1, 100, width)
    return (background * (1 + difference * RNG.normal(size=(count, width)))).astype(np.float32)


def shares(rows):
    rows = rows.astype(np.float64)
    return rows / rows.sum(-1, keepdims=True)


def kullback_leibler(k, q):
    return -(k * np.log(k / q)).sum(-1)


def jensen_shannon(k, q):
    middle = (k + q) / 2
    return (kullback_leibler(k, middle) + kullback_leibler(q, middle)) / 2


@pytest.mark.parametrize("form", ["half_square", "square", "distance"])
@pytest.mark.parametrize(
    ("width", "offset", "spread"),
    [(2, 5.2e6, 2000), (40, 5.2e6, 2000), (40, -1e5, 20), (40, 3e3, 1), (40, 1e20, 1e17)],
)
def test_distances_of_places_far_from_the_origin(form, width, offset, spread):
    rows = places(40, width, offset, spread)
    memory = attrax.Memory(rows, similarity=sim.Euclidean(form), separation=Max())
    found = np.asarray(jax.vmap(memory.scores)(rows), np.float64)
    wide = rows.astype(np.float64)
    squares = ((wide[:, None] - wide) ** 2).sum(-1)
    right = {"half_square": -squares / 2, "square": -squares, "distance": -np.sqrt(squares)}[form]
    assert (found.argmax(1) == np.arange(40)).all()
    error = np.abs(found - right) / np.abs(right).max()
    assert error[~np.eye(40, dtype=bool)].max() < 1e-5


def test_completion_and_energy_far_from_the_origin():
    rows = places(40, 40, 5.2e6, 2000)
    memory = attrax.Memory(rows, similarity=sim.Euclidean())
    known = np.arange(40) < 25
    found = attrax.retrieve(memory, rows, known=known)
    # A row outweighs the others 1000 to 1, and lies within 2000 of each.
    np.testing.assert_allclose(found.state, rows, rtol=0, atol=20)
    energies = jax.vmap(memory.energy)(rows)
    beta = float(memory.separation.beta)
    np.testing.assert_allclose(energies, 0, atol=1.5 / beta)


@pytest.mark.parametrize("difference", [1e-4, 1e-3, 0.3])
@pytest.mark.parametrize("name", ["forward", "reverse", "jensen"])
def test_divergences_of_spectra_on_a_common_background(name, difference):
    rows = np.abs(spectra(30, 48, difference))
    similarity = {
        "forward": sim.KullbackLeibler(epsilon=0.0),
        "reverse": sim.KullbackLeibler(True, epsilon=0.0),
        "jensen": sim.JensenShannon(),
    }[name]
    memory = attrax.Memory(rows, similarity=similarity, separation=Max())
    found = np.asarray(jax.vmap(memory.scores)(rows), np.float64)
    p = shares(rows)
    keys, queries = p[None], p[:, None]
    right = {
        "forward": lambda: kullback_leibler(keys, queries),
        "reverse": lambda: kullback_leibler(queries, keys),
        "jensen": lambda: jensen_shannon(keys, queries),
    }[name]()
    assert (found.argmax(1) == np.arange(30)).all()
    off = ~np.eye(30, dtype=bool)
    np.testing.assert_allclose(found[off], right[off], rtol=2e-2 if difference < 1e-3 else 2e-3)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_equal_rows_are_at_no_distance_in_narrow_types(dtype):
    """Differences from the first row are not rounded to the rows' own type."""
    rows = jax.numpy.asarray(np.random.default_rng(3).standard_normal((16, 33)), dtype)
    rows = rows.at[13].set(rows[2]).at[11].set(rows[9])
    exact = np.asarray(rows, np.float64)
    expected = -0.5 * np.square(exact[:, None] - exact[None]).sum(-1)
    for row in (2, 9):
        np.testing.assert_allclose(sim.Euclidean()(rows, rows[row]), expected[row], atol=1e-4)
    others = np.unique(exact, axis=0)
    apart = -0.5 * np.square(others[:, None] - others[None]).sum(-1)
    gaps = -np.where(np.eye(14, dtype=bool), -np.inf, apart).max(axis=1)
    beta = np.log(1000 * 14) / np.quantile(gaps, 0.05, method="lower")
    memory = attrax.Memory(rows, similarity=sim.Euclidean())
    np.testing.assert_allclose(memory.separation.beta, beta, rtol=0.02)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(
    "similarity", [sim.Euclidean(), sim.KullbackLeibler(epsilon=0.0)], ids=["square", "divergence"]
)
def test_doubles_are_told_apart_by_the_figures_that_they_have(similarity):
    """Pairs of rows a ten thousandth apart, which single precision cannot tell: doubles can."""
    rng = np.random.default_rng(3)
    rows = 1e8 * rng.uniform(0.5, 1, (10, 40)).repeat(2, axis=0)
    rows = rows * (1 + 1e-4 * rng.normal(size=rows.shape))
    memory = attrax.Memory(rows, similarity=similarity)
    # The default beta recalls each of a pair.
    found = attrax.retrieve(memory, rows * (1 + 1e-6 * rng.normal(size=rows.shape)))
    np.testing.assert_array_equal(found.index, np.arange(20))
    np.testing.assert_allclose(found.state, rows, rtol=1e-5)
    with pytest.raises(ValueError, match="can hardly be told apart"):
        attrax.Memory(rows.astype(np.float32), similarity=similarity)
