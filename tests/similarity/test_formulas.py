"""Similarities against SciPy and plain NumPy, with and without entry weights."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.spatial.distance as distance
import scipy.special

import attrax
from attrax import similarity as sim
from conformance import registry
from jitted import jitted


def shares(row, epsilon):
    row = row / row.sum()
    return (row + epsilon) / (1 + row.size * epsilon)


def divergence(epsilon, reverse=False):
    def score(key, query):
        pair = shares(key, epsilon), shares(query, epsilon)
        return -np.sum(scipy.special.rel_entr(*(pair[::-1] if reverse else pair)))

    return score


def published(key, query, epsilon=1e-4):
    """Σ k̂ (ln(k̂+ε) − ln(q̂+ε)), of the reciprocal form."""
    key, query = key / key.sum(), query / query.sum()
    return np.sum(key * (np.log(key + epsilon) - np.log(query + epsilon)))


def jaccard(key, query):
    return np.minimum(key, query).sum() / np.maximum(key, query).sum()


def dot(key, query):
    return key @ query


def cumulative(key, query):
    sets = [each for sets in SETS for each in sets]
    return -np.mean([np.linalg.norm((key - query)[each]) for each in sets])


def gaussian(key, query):
    kernel = registry.SIMILARITIES["random_features"].feature_map
    angles = np.asarray(kernel.frequencies, np.float64) @ (key - query)
    return np.mean(np.cos(np.sqrt(float(kernel.beta)) * angles))


def standard(row):
    return (row - row.mean()) / np.linalg.norm(row - row.mean())


SETS = [np.asarray(sets) for sets in registry.SIMILARITIES["cumulative_euclidean"].simplices]
MAP = np.asarray(registry.SIMILARITIES["linear_kernel"].weights)
FORMULAS = {
    "dot": dot,
    "dot_sum": lambda k, q: (k / k.sum()) @ (q / q.sum()),
    "cosine": lambda k, q: 1 - distance.cosine(k, q),
    "correlation": lambda k, q: 1 - distance.correlation(k, q),
    "euclidean": lambda k, q: -0.5 * distance.sqeuclidean(k, q),
    "euclidean_exact": lambda k, q: -0.5 * distance.sqeuclidean(k, q),
    "euclidean_square": lambda k, q: -distance.sqeuclidean(k, q),
    "euclidean_distance": lambda k, q: -distance.euclidean(k, q),
    "euclidean_reciprocal": lambda k, q: 1 / distance.sqeuclidean(k, q),
    "manhattan": lambda k, q: -distance.cityblock(k, q),
    "manhattan_reciprocal": lambda k, q: 1 / distance.cityblock(k, q),
    "minkowski": lambda k, q: -distance.minkowski(k, q, 3),
    "hamming": lambda k, q: -distance.hamming(k, q) * k.size,
    "kullback_leibler": divergence(1e-4),
    "kullback_leibler_reverse": divergence(1e-4, reverse=True),
    "kullback_leibler_unsmoothed": divergence(0.0),
    "kullback_leibler_reciprocal": lambda k, q: 1 / published(k, q),
    "jensen_shannon": lambda k, q: -(distance.jensenshannon(k, q) ** 2),
    "jensen_shannon_inverted": lambda k, q: 1 / (0.5 / published(k, q) + 0.5 / published(q, k)),
    "jaccard": jaccard,
    "cumulative_euclidean": cumulative,
    "linear_kernel": lambda k, q: (MAP @ k) @ (MAP @ q),
    "random_features": gaussian,
    "kernel": lambda k, q: np.tanh(k) @ np.tanh(q),
    "rectified_dot": lambda k, q: max(k @ q, 0),
    "bounded_euclidean": lambda k, q: 1 / (1 + 0.5 * distance.sqeuclidean(k, q)),
    "reciprocal_manhattan": lambda k, q: 1 / distance.cityblock(k, q),
    "function": dot,
    "function_rowwise": dot,
}


def drawn(name, dtype=np.float64):
    rng = np.random.default_rng(0)
    part = registry.SIMILARITIES[name]
    rows = registry.rows_of(part, rng, dtype)
    return part, rows, registry.rows_of(part, rng, dtype)


@pytest.mark.parametrize("name", FORMULAS)
def test_scores_are_the_formula(name):
    with jax.enable_x64():
        part, rows, queries = drawn(name)
        found = jax.jit(jax.vmap(part, in_axes=(None, 0)))(rows, queries)
    expected = [[FORMULAS[name](k, q) for k in np.asarray(rows)] for q in np.asarray(queries)]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_every_similarity_has_its_formula():
    assert set(registry.SIMILARITIES) - set(FORMULAS) == {"correlation_encoded"}


def without(part, known):
    """The similarity of rows from which the entries that are not known are deleted."""
    if isinstance(part, sim.CumulativeEuclidean):
        place = np.cumsum(known) - 1
        left = [place[each[known[each]]] for sets in SETS for each in sets]
        sizes = sorted({len(each) for each in left})
        return sim.CumulativeEuclidean(
            [np.array([each for each in left if len(each) == size]) for size in sizes]
        )
    if isinstance(part, sim.LinearKernel):
        return sim.LinearKernel(part.weights[:, known])
    if isinstance(part, sim.Kernel) and isinstance(part.feature_map, sim.RandomFeatures):
        return eqx.tree_at(
            lambda part: part.feature_map.frequencies, part, replace_fn=lambda w: w[:, known]
        )
    return part


@pytest.mark.parametrize("name", registry.SIMILARITIES)
def test_entries_of_weight_zero_are_as_if_deleted(name):
    with jax.enable_x64():
        part, rows, queries = drawn(name)
        known = np.array([True, False, True, True, False, True])
        weight = jnp.asarray(known, float)
        score = jax.jit(jax.vmap(part, in_axes=(None, 0, None)))
        found = score(rows, queries, weight)
        # What stands in the entries that do not count makes no difference.
        other = np.where(known, queries, 7.0)
        np.testing.assert_allclose(score(rows, other, weight), found, rtol=1e-9, atol=1e-12)
        if name == "correlation_encoded":
            kept = np.stack(
                [
                    [standard(k) @ standard(q) for k in rows[:, known]]
                    for q in np.asarray(queries)[:, known]
                ]
            )
            length = np.linalg.norm(
                np.asarray(queries)[:, known]
                - np.asarray(queries)[:, known].mean(-1, keepdims=True),
                axis=-1,
                keepdims=True,
            )
            expected = kept * length
        else:
            kept = (np.asarray(x)[:, known] for x in (rows, queries))
            expected = jax.jit(jax.vmap(without(part, known), in_axes=(None, 0)))(*kept)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["dot", "cosine", "correlation", "euclidean", "manhattan"])
def test_weights_of_one_are_no_weights(name):
    part, rows, queries = drawn(name, np.float32)
    found = jitted(part, rows, queries[0], jnp.ones(registry.WIDTH))
    np.testing.assert_allclose(found, jitted(part, rows, queries[0]), rtol=1e-4, atol=1e-5)


def test_encoded_correlation_is_correlation_of_standardised_rows():
    with jax.enable_x64():
        _, rows, queries = drawn("dot")
        ready = jnp.asarray(np.stack([standard(row) for row in np.asarray(rows)]))
        query = jnp.asarray(standard(np.asarray(queries[0])))
        found = jitted(sim.Correlation(encoded=True), ready, query)
        expected = jitted(sim.Correlation(), rows, queries[0])
        np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("offset", [0.0, 100.0, 1000.0])
def test_correlation_bears_an_offset(offset):
    """Brightness does not count, up to the rounding of the rows themselves."""
    rng = np.random.default_rng(0)
    rows = (offset + rng.normal(size=(12, 64))).astype(np.float32)
    expected = np.corrcoef(rows.astype(np.float64))
    found = jax.jit(jax.vmap(sim.Correlation(), in_axes=(None, 0)))(rows, rows)
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("width", [6, 12, 784])
@pytest.mark.parametrize("name", ["correlation", "cosine", "correlation_encoded"])
def test_what_has_no_direction_scores_zero(name, width):
    """Constant queries under correlation and zeros under cosine: not a ratio of rounding errors."""
    part = registry.SIMILARITIES[name]
    rng = np.random.default_rng(0)
    rows = jnp.asarray(rng.random((12, width)), jnp.float32)
    if name == "correlation_encoded":
        rows = jitted(sim.centroids.standardise, rows)
    for level in [0.0] if name == "cosine" else [0.0, 0.1, 0.3, 1 / 3, 0.7, 0.9, 255.0]:
        query = jnp.full(width, level, jnp.float32)
        if name == "correlation_encoded":
            query = jitted(sim.centroids.standardise, query)
        np.testing.assert_allclose(jitted(part, rows, query), np.zeros(12), atol=1e-5)
    constant = jnp.full((12, width), 0.0 if name == "cosine" else 0.1, jnp.float32)
    if name != "correlation_encoded":
        np.testing.assert_allclose(jitted(part, constant, rows[0]), np.zeros(12), atol=1e-5)


def test_near_duplicates_need_exact_differences():
    """Rows that differ by 0.01, far from the first: the expansion cancels, `exact` does not."""
    rng = np.random.default_rng(0)
    row = 1000 * rng.normal(size=64)
    rows = (row + 0.01 * rng.normal(size=(12, 64))).astype(np.float32)
    rows[0] = 0
    query = rows[1]
    expected = -0.5 * np.sum((rows - query).astype(np.float64) ** 2, axis=-1)
    exact = jitted(sim.Euclidean(exact=True), jnp.asarray(rows), jnp.asarray(query))
    np.testing.assert_allclose(exact, expected, rtol=1e-5)
    expanded = jitted(sim.Euclidean(), jnp.asarray(rows), jnp.asarray(query))
    assert float(np.abs(expanded - expected)[1:].max()) > 0.1 * np.abs(expected[1:]).max()
    with pytest.raises(ValueError, match=r"told apart by Euclidean.*Euclidean\(exact=True\)"):
        attrax.Memory(rows, similarity=sim.Euclidean())
    found = attrax.retrieve(attrax.Memory(rows, similarity=sim.Euclidean(exact=True)), rows)
    np.testing.assert_allclose(found.state[1:], rows[1:], rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    "name", ["euclidean_reciprocal", "manhattan_reciprocal", "reciprocal_manhattan"]
)
def test_a_reciprocal_of_zero_is_infinite(name):
    part, rows, _ = drawn(name, np.float32)
    scores = np.asarray(jitted(part, rows, rows[3]))
    assert scores[3] == np.inf
    assert np.isfinite(np.delete(scores, 3)).all()


@pytest.mark.parametrize("how", ["bounded", "reciprocal"])
def test_the_exact_match_is_the_best_whatever_the_scale(how):
    part = sim.non_negative(sim.Euclidean(), how)
    rng = np.random.default_rng(0)
    rows = (255 * rng.random((12, 784))).astype(np.float32)
    scores = np.stack([jitted(part, jnp.asarray(rows), jnp.asarray(row)) for row in rows])
    assert scores.min() >= 0
    np.testing.assert_array_equal(scores.argmax(-1), np.arange(12))


def test_what_one_lacks_diverges_without_smoothing():
    keys = jnp.asarray([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    query = jnp.asarray([1.0, 0.0, 1.0])
    found = jitted(sim.KullbackLeibler(epsilon=0.0), keys, query)
    np.testing.assert_allclose(found, [-np.inf, -np.log(2)], rtol=1e-6)
    found = jitted(sim.KullbackLeibler(True, epsilon=0.0), keys, query)
    np.testing.assert_array_equal(found, [-np.inf, -np.inf])
    assert np.isfinite(jitted(sim.KullbackLeibler(), keys, query)).all()


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize("name", registry.SIMILARITIES)
def test_half_precision_sums_in_32_bits(name, dtype):
    """A score of rounded rows is that of the same rows in 32 bits, up to one more rounding of
    each entry (of shares, centred rows and features)."""
    part, rows, queries = drawn(name, dtype)
    query = queries[0]
    found = jitted(part, rows, query)
    assert found.dtype == jnp.float32
    expected = jitted(part, rows.astype(jnp.float32), query.astype(jnp.float32))
    if name in ("dot", "euclidean", "euclidean_exact", "manhattan", "hamming", "cosine"):
        # Nothing is rounded on the way, so all digits are there.
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    elif part.range not in registry.POSITIVE:
        room = 8 * float(jnp.finfo(dtype).eps) * (1 + np.abs(expected).max())
        np.testing.assert_allclose(found, expected, atol=room)
