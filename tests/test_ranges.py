"""Rows of any unit, half precision and large inverse temperatures, against NumPy in 64 bits."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax import separation as sep
from attrax import similarity as sim
from attrax.common.arithmetic import log_sum_exp, standardise
from jitted import jitted

ROWS, WIDTH = 12, 64


def drawn(seed=0, low=None):
    rows = np.random.default_rng(seed).normal(size=(2, ROWS, WIDTH))
    return np.abs(rows) if low is not None else rows


def standard(rows):
    rows = np.asarray(rows, np.float64)
    centred = rows - rows.mean(-1, keepdims=True)
    return centred / np.linalg.norm(centred, axis=-1, keepdims=True)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


SCALE_FREE = {
    "cosine": (sim.Cosine(), lambda k, q: unit(k) @ unit(q)),
    "correlation": (sim.Correlation(), lambda k, q: standard(k) @ standard(q)),
}


def scores(part, keys, query, weight=None):
    return part(keys, query, weight)


@pytest.mark.parametrize("name", SCALE_FREE)
@pytest.mark.parametrize("masked", [False, True])
def test_the_unit_of_rows_and_queries_does_not_count(name, masked):
    part, formula = SCALE_FREE[name]
    rows, queries = drawn()
    known = np.arange(WIDTH) % 3 > 0
    expected = formula(rows[:, known], queries[0, known]) if masked else formula(rows, queries[0])
    weight = jnp.asarray(known, jnp.float32) if masked else None
    sizes = 10.0 ** np.linspace(-30, 30, ROWS)[:, None]
    for own in (1e-30, 1e-19, 1.0, 1e19, 1e30):
        keys, query = rows * np.random.default_rng(1).permutation(sizes), own * queries[0]
        if masked:
            # Entries that do not count may be of any size themselves.
            keys, query = np.where(known, keys, 1e30), np.where(known, query, 1e30)
        found = jitted(scores, part, np.float32(keys), np.float32(query), weight)
        np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.parametrize("size", [1e-30, 1e-22, 1e-10, 1.0, 1e10, 1e22, 1e30])
def test_standardised_rows_do_not_depend_on_the_unit(size):
    rows = np.float32(drawn()[0] * size)
    np.testing.assert_allclose(jitted(standardise, rows), standard(rows), atol=1e-6)
    found = jitted(sim.centroids.DirectionSum().carrier, rows)
    np.testing.assert_allclose(found, unit(np.float64(rows)), atol=1e-6)


def test_powers_of_two_change_no_bit():
    rows = np.float32(drawn()[0])
    plain = np.asarray(jitted(standardise, rows))
    for power in (-90, -20, 1, 30, 100):
        np.testing.assert_array_equal(jitted(standardise, np.ldexp(rows, power)), plain)


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0, 16.0, 100.0, 700.0, math.inf])
def test_minkowski_distances_of_any_order_and_unit(p):
    rows, queries = drawn()
    known = np.arange(WIDTH) % 3 > 0
    for size in (1e-26, 1e-3, 1.0, 255.0, 1e26):
        for weight in (None, known):
            chosen = slice(None) if weight is None else known
            apart = np.abs(rows - queries[0])[:, chosen]
            largest = apart.max(-1)
            shares = apart / largest[:, None]
            expected = largest if p == math.inf else largest * np.sum(shares**p, -1) ** (1 / p)
            mask = None if weight is None else jnp.asarray(weight, jnp.float32)
            keys, query = np.float32(size * rows), np.float32(size * queries[0])
            found = jitted(scores, sim.Minkowski(p), keys, query, mask)
            np.testing.assert_allclose(found / size, -expected, rtol=2e-5)
    assert float(jitted(scores, sim.Minkowski(p), keys[:1], keys[0])[0]) == 0


@pytest.mark.parametrize("p", [1.5, 3.0, 16.0, math.inf])
def test_minkowski_distances_have_their_slope(p):
    rows, queries = drawn()
    x = queries[0] - rows[0]
    length = np.abs(x).max() if p == math.inf else np.sum(np.abs(x) ** p) ** (1 / p)
    share = np.abs(x) / length
    expected = (share == 1) if p == math.inf else share ** (p - 1)
    slope = jitted(
        lambda key, query: jax.grad(lambda q: sim.Minkowski(p)(key[None], q)[0])(query),
        np.float32(rows[0]),
        np.float32(queries[0]),
    )
    np.testing.assert_allclose(slope, -np.sign(x) * expected, atol=1e-5)


@pytest.mark.parametrize("size", [1e-30, 1e-23, 1.0, 1e23, 1e30])
def test_exact_distances_of_any_unit(size):
    rows, queries = drawn()
    part = sim.Euclidean("distance", exact=True)
    found = jitted(scores, part, np.float32(size * rows), np.float32(size * queries[0]))
    expected = np.linalg.norm(rows - queries[0], axis=-1)
    np.testing.assert_allclose(found / size, -expected, rtol=1e-5)


@pytest.mark.parametrize("level", [0.0, 0.1, 0.25, 0.3, 1 / 3, 0.7, 0.9, 255.0, -7.3, 1e30, 1e-30])
@pytest.mark.parametrize("width", [3, 50, 784, 100_003])
def test_constant_rows_are_zero_keys(level, width):
    row = np.full((1, width), level, np.float32)
    np.testing.assert_array_equal(jitted(standardise, row), 0)
    known = np.arange(width) % 2 == 0
    row = np.where(known, row, 1e3 * np.arange(width, dtype=np.float32))
    np.testing.assert_array_equal(jitted(standardise, row, known), 0)
    keys = np.float32(np.random.default_rng(0).random((2, width)))
    weight = known.astype(np.float32)
    np.testing.assert_array_equal(jitted(scores, sim.Correlation(), keys, row[0], weight), 0)
    np.testing.assert_array_equal(jitted(scores, sim.Correlation(), row, keys[0], weight), 0)


def test_blank_queries_have_the_energy_of_none():
    memory = attrax.Memory(np.random.default_rng(0).random((40, 50)))
    expected = -np.log(40) / float(memory.separation.beta)
    for level in (0.0, 0.1, 0.25, 0.3, 0.5, 0.7):
        np.testing.assert_allclose(memory.energy(np.full(50, level)), expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.float16, jnp.bfloat16])
@pytest.mark.parametrize("top", [255, 60_000])
def test_half_precision_holds_pictures_and_counts(dtype, top):
    rows = np.random.default_rng(0).integers(0, top, (20, 784)).astype(dtype)
    wide = np.asarray(rows, np.float64)
    memory = attrax.Memory(rows)
    eps = float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(np.float64(memory.keys), standard(wide), atol=0.2 * eps)
    noise = np.random.default_rng(1).normal(size=rows.shape) * top / 10
    for factor in (1, 1000):
        queries = np.float32(factor * (wide + noise))
        state = np.asarray(attrax.retrieve(memory, queries).state, np.float64)
        assert (np.abs(state - wide) <= 2 * eps * top).all()
    known = np.arange(784) < 392
    state = np.asarray(attrax.retrieve(memory, np.where(known, wide, 0), known=known).state)
    assert (np.abs(np.float64(state) - wide) <= 2 * eps * top).all()


UNROUNDED = {
    "cosine": sim.Cosine(),
    "correlation": sim.Correlation(),
    "function": lambda keys, query: (keys @ query) / jnp.sqrt(50.0),
}


@pytest.mark.parametrize("similarity", UNROUNDED)
@pytest.mark.parametrize("kind", [sep.Softmax, sep.GhostSoftmax, sep.Exponential])
def test_the_best_row_wins_at_any_inverse_temperature(similarity, kind):
    rows = np.float32(np.random.default_rng(0).normal(size=(60, 50)))
    queries = rows + np.float32(0.05)
    for beta in (1e6, 1e10, 1e20):
        part = kind(beta)
        part = sep.SumNormalised(part) if kind is sep.Exponential else part
        memory = attrax.Memory(rows, similarity=UNROUNDED[similarity], separation=part)
        state = jitted(jax.vmap(memory), queries)
        np.testing.assert_allclose(state, rows, atol=1e-4)


def test_the_slope_of_softmax_at_ties_is_that_of_64_bits():
    tied = np.array([0.5, 2.0, 2.0, -1.0, 2.0])

    def slopes(s, beta):
        return jax.jacobian(sep.Softmax(beta))(s), jax.grad(sep.Softmax(beta).potential)(s)

    weights = np.exp(3 * (tied - 2)) / np.exp(3 * (tied - 2)).sum()
    expected = 3 * (np.diag(weights) - np.outer(weights, weights))
    matrix, gradient = jitted(slopes, np.float32(tied), np.float32(3))
    np.testing.assert_allclose(matrix, expected, atol=1e-6)
    np.testing.assert_allclose(gradient, weights, atol=1e-6)
    gradient = jitted(jax.grad(lambda s: log_sum_exp(jnp.float32(3), s)[0]), np.float32(tied))
    np.testing.assert_allclose(gradient, weights, atol=1e-6)


def entmax(alpha, beta, s):
    """By halving, of s − max s in 64 bits."""
    below = (alpha - 1) * beta * (s - s.max())
    low, high = -1.0, 0.0
    for _ in range(100):
        middle = (low + high) / 2
        mass = np.sum(np.maximum(below - middle, 0) ** (1 / (alpha - 1)))
        low, high = (middle, high) if mass >= 1 else (low, middle)
    weights = np.maximum(below - low, 0) ** (1 / (alpha - 1))
    potential = weights @ (s - s.max()) + (1 - np.sum(weights**alpha)) / (
        alpha * (alpha - 1) * beta
    )
    return weights, s.max() + potential


@pytest.mark.parametrize("alpha", [2.0, 1.5, 1.25, 3.0])
@pytest.mark.parametrize("size", [1e4, 1e5, 1e6, 1e8])
def test_weights_of_entmax_sum_to_one_however_large_the_scores(alpha, size):
    """By sorting, by Newton steps and in blocks, with potential and slope."""
    # Whole numbers of which float32 keeps the differences, apart by some ε of the largest.
    step = max(size * 2**-23, 0.1)
    draws = np.random.default_rng(0).integers(0, 12, (8, 32)) * step
    for s in np.float32(size - draws):
        weights, potential = entmax(alpha, 1.0, np.float64(s))
        part = sep.Entmax(alpha, 1.0)
        found = jitted(part, s)
        np.testing.assert_allclose(found, weights, atol=1e-5)
        np.testing.assert_allclose(np.sum(found), 1, rtol=1e-6)
        np.testing.assert_allclose(jitted(part.potential, s), potential, rtol=2e-7)
        np.testing.assert_allclose(jitted(jax.grad(part.potential), s), weights, atol=1e-5)
        for block in (32, 8):
            memory = attrax.Memory(
                s[:, None],
                np.eye(32, dtype=np.float32),
                similarity=sim.Dot(),
                separation=part,
                block=block,
            )
            np.testing.assert_allclose(memory(np.ones(1, np.float32)), weights, atol=1e-5)


@pytest.mark.parametrize("similarity", ["cosine", "correlation"])
def test_networks_of_memories_bear_any_inverse_temperature(similarity):
    rows = np.float32(np.random.default_rng(0).normal(size=(60, 50)))
    memory = attrax.Memory(
        rows, similarity=UNROUNDED[similarity], separation=sep.Softmax(1e10), projection="centroid"
    )
    network = memory.as_network()

    def weights_and_energy(network, query):
        states = network.started(query)
        return network.activations(states)["memory"], network.energy(states)

    for row in range(10):
        query = rows[row] + np.float32(0.05)
        weights, energy = jitted(weights_and_energy, network, query)
        np.testing.assert_array_equal(weights, np.eye(60)[row])
        assert np.isfinite(energy)


def test_attention_bears_large_scores():
    """Weights by a gradient of ln Σ exp, of scores β times as large as float32 has figures for."""
    from attrax.hierarchical import AttentionSynapse

    rng = np.random.default_rng(0)
    queries, keys = (np.float32(rng.normal(size=(1, 8, 8))) for _ in range(2))
    asking, asked = (np.float32(rng.normal(size=(5, 8))) for _ in range(2))
    scores = np.einsum("hzd,td,hze,se->ts", *map(np.float64, (queries, asking, keys, asked)))
    best = scores.argmax(-1)
    expected = -np.einsum("hzd,tz->td", np.float64(queries), (asked @ keys[0].T)[best])
    for beta in (1e6, 1e10, 1e20):
        synapse = AttentionSynapse(queries, keys, beta)
        energy, slope = jitted(jax.value_and_grad(synapse), asking, asked)
        np.testing.assert_allclose(energy, -scores.max(-1).sum(), rtol=1e-5)
        np.testing.assert_allclose(slope, expected, atol=1e-4)


@pytest.mark.parametrize("size", [1e-25, 1.0, 1e10, 1e25])
def test_norms_of_layers_of_any_unit(size):
    from attrax.hierarchical import LayerNorm, SphericalNorm

    row = drawn()[0][0]
    state = np.float32(size * row)
    wide = np.float64(state)
    centred = wide - wide.mean()
    spread = np.sqrt((centred**2).mean() + 1e-5)
    length = np.sqrt((wide**2).sum() + 1e-5)
    for part, formula in ((LayerNorm(), centred / spread), (SphericalNorm(), wide / length)):
        found = jitted(type(part).activation, part, state)
        np.testing.assert_allclose(found, formula, atol=1e-6 * np.abs(formula).max(), rtol=1e-5)
    found = jitted(SphericalNorm.activation, SphericalNorm(epsilon=0.0), state)
    np.testing.assert_allclose(found, unit(wide), atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, jnp.bfloat16])
def test_half_precision_counts_are_compared_as_in_64_bits(dtype):
    """Sums of counts are beyond float16, and shares of long rows below it."""
    rows = np.random.default_rng(0).integers(1, 60_000, (2, ROWS, 2000)).astype(dtype)
    keys, query = np.float64(rows[0]), np.float64(rows[1, 0])
    shares, share = keys / keys.sum(-1, keepdims=True), query / query.sum()
    smoothed = lambda p: (p + 1e-4) / (1 + 2000 * 1e-4)  # noqa: E731
    k, q = smoothed(shares), smoothed(share)
    middle = (shares + share) / 2
    expected = {
        sim.KullbackLeibler(): -np.sum(k * np.log(k / q), -1),
        sim.JensenShannon(): -0.5
        * np.sum(shares * np.log(shares / middle) + share * np.log(share / middle), -1),
        sim.Jaccard(): np.minimum(keys, query).sum(-1) / np.maximum(keys, query).sum(-1),
        sim.Dot("sum"): np.sum(shares * share, -1),
        sim.Cosine(): unit(keys) @ unit(query),
        sim.Correlation(): standard(keys) @ standard(query),
    }
    room = 2 * float(jnp.finfo(dtype).eps)
    for part, formula in expected.items():
        found = jitted(scores, part, jnp.asarray(rows[0]), jnp.asarray(rows[1, 0]))
        np.testing.assert_allclose(found, formula, rtol=room, atol=room * np.abs(formula).max())


def test_overlaps_of_half_precision_sum_in_32_bits():
    row = np.full(5000, 300, np.float16)
    signs = np.ones(5000, np.float16)
    np.testing.assert_allclose(attrax.evaluate.overlap(row, signs), 300)
