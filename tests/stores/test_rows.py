"""`Memory`: recall on real images, the single read, encoding, values, and what a pytree can do."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

import attrax
from attrax.separation import Identity, Max, Power, Softmax
from attrax.similarity import Correlation, Dot, Euclidean, Manhattan, SimilarityFunction

pytestmark = pytest.mark.contract
ROWS = np.random.default_rng(0).normal(size=(12, 6)).astype(np.float32)
VALUES = np.random.default_rng(1).normal(size=(12, 3)).astype(np.float32)
QUERY = jnp.asarray(ROWS[0] + 0.1)


@pytest.fixture(scope="module")
def images():
    return attrax.data.load("sample").x


@pytest.fixture(scope="module")
def stored(images):
    return attrax.Memory(images)


def share_found(memory, images, queries, known=None):
    found = attrax.retrieve(memory, jnp.asarray(queries, jnp.float32), known=known)
    rows = jnp.asarray(images)
    nearest = jax.lax.map(
        lambda state: jnp.argmin(jnp.sum((rows - state[None]) ** 2, axis=-1)), found.state
    )
    close = jnp.max(jnp.abs(found.state - rows), axis=-1) < 0.01
    return float(jnp.mean((nearest == jnp.arange(len(rows))) & close))


@pytest.mark.slow
def test_noisy_images_are_found_at_the_first_try(images, stored):
    noisy = images + 0.5 * np.random.default_rng(0).normal(size=images.shape)
    assert share_found(stored, images, noisy) >= 0.93


@pytest.mark.slow
def test_images_with_half_their_pixels_dropped_are_found(images, stored):
    kept = np.random.default_rng(0).random(images.shape) < 0.5
    assert share_found(stored, images, images * kept) >= 0.98


@pytest.mark.slow
def test_masked_images_are_completed(images, stored):
    """The upper half is known; what stands in the lower half does not count."""
    known = np.arange(784) < 392
    queries = np.where(known, images, np.nan)
    assert share_found(stored, images, queries, known=known) >= 0.98


@pytest.mark.slow
def test_the_common_choices_fail_where_the_default_does_not(images):
    """The brightest image wins under a dot product at β = 1/√d: recall is next to nothing."""
    noisy = images[:200] + 0.5 * np.random.default_rng(0).normal(size=(200, 784))
    memory = attrax.Memory(images[:200], similarity=Dot(), separation=Softmax(784**-0.5))
    assert share_found(memory, images[:200], noisy) < 0.1
    assert share_found(attrax.Memory(images[:200]), images[:200], noisy) >= 0.93


def test_the_default_temperature_is_its_formula(images):
    rows = images[:64].astype(np.float64)
    centred = rows - rows.mean(1, keepdims=True)
    scores = np.corrcoef(centred)
    own = np.diag(scores) - (scores - 2 * np.eye(64)).max(1)
    gap = np.quantile(own, 0.05, method="lower")
    memory = attrax.Memory(images[:64])
    np.testing.assert_allclose(memory.separation.beta, np.log(1000 * 64) / gap, rtol=1e-3)


@pytest.mark.parametrize(
    "filled", [np.arange(64) < 12, np.arange(64) % 9 == 0], ids=["few", "spread"]
)
def test_the_temperature_goes_by_the_rows_that_are_there(images, filled):
    masked, alone = attrax.Memory(images[:64], filled=filled), attrax.Memory(images[:64][filled])
    np.testing.assert_allclose(masked.separation.beta, alone.separation.beta, rtol=1e-5)


def test_one_row_and_no_row_have_a_temperature(images):
    assert float(attrax.Memory(images[:1]).separation.beta) == 1
    assert np.isfinite(attrax.Memory(images[:4], filled=np.zeros(4, bool)).separation.beta)
    assert np.isfinite(attrax.Memory(images[:4], filled=np.arange(4) < 1).separation.beta)


def test_the_mask_of_rows_may_be_traced():
    """β is that of the rows that take part, however few of how many, and so is what is refused."""
    rows = np.random.default_rng(0).normal(size=(300, 20)).astype(np.float32)
    rows[250:] = 0
    traced = jax.jit(lambda filled: attrax.Memory(rows, filled=filled).separation.beta)
    for count in (0, 1, 2, 9, 200, 250):
        filled = np.random.default_rng(count).permutation(300 - 50)[:count]
        filled = np.isin(np.arange(300), filled)
        expected = attrax.Memory(rows, filled=filled).separation.beta if count else 1.0
        np.testing.assert_allclose(traced(filled), expected, rtol=1e-5)
    # Rows that do not take part are not looked at; others are named by their places.
    filled = np.arange(300) < 100
    memory = attrax.Memory(rows, filled=filled)
    np.testing.assert_allclose(memory(rows[7]), rows[7], atol=2e-3)
    rows[41] = 1
    with pytest.raises(ValueError, match="Rows 41 of `patterns` are constant"):
        attrax.Memory(rows, filled=filled)


def test_a_read_is_similarity_separation_projection():
    memory = attrax.Memory(ROWS, VALUES, similarity=Dot(), separation=Softmax(2.0))
    weights = scipy.special.softmax(2.0 * ROWS @ np.asarray(QUERY))
    np.testing.assert_allclose(memory.scores(QUERY), ROWS @ np.asarray(QUERY), rtol=1e-5)
    np.testing.assert_allclose(memory.weights(QUERY), weights, rtol=1e-4)
    np.testing.assert_allclose(memory(QUERY), weights @ VALUES, rtol=1e-4)
    assert int(memory.best(QUERY)) == int(np.argmax(weights))
    reading = memory.read(QUERY)
    np.testing.assert_allclose(reading.mass, 1.0, rtol=1e-6)
    np.testing.assert_allclose(reading.effective, 1 / np.sum(weights**2), rtol=1e-4)
    potential = scipy.special.logsumexp(2.0 * ROWS @ np.asarray(QUERY)) / 2
    energy = 0.5 * float(QUERY @ QUERY) - potential
    np.testing.assert_allclose(memory.energy(QUERY), energy, rtol=1e-5)


def test_the_default_compares_standardised_rows_and_answers_in_raw_ones():
    memory = attrax.Memory(ROWS, separation=Softmax(3.0))
    scores = np.corrcoef(ROWS, np.asarray(QUERY)[None])[-1, :-1]
    np.testing.assert_allclose(memory.scores(QUERY), scores, atol=1e-5)
    np.testing.assert_allclose(memory(QUERY), scipy.special.softmax(3 * scores) @ ROWS, atol=1e-5)
    np.testing.assert_allclose(memory(100 + 7 * QUERY), memory(QUERY), atol=1e-4)
    states = memory.encode(jnp.asarray(ROWS))
    np.testing.assert_allclose(jnp.mean(states, -1), np.zeros(12), atol=1e-6)
    np.testing.assert_allclose(jnp.sum(states**2, -1), np.ones(12), rtol=1e-5)


def test_centroids_are_read_where_asked_for():
    memory = attrax.Memory(ROWS, similarity=Manhattan(), separation=Max(), projection="centroid")
    np.testing.assert_array_equal(memory(QUERY), ROWS[int(memory.best(QUERY))])
    sums = attrax.Memory(ROWS, similarity=Euclidean(), separation=Power(2, rectified=True))
    assert "centroid" in sums.lacks_energy
    np.testing.assert_array_equal(sums(QUERY), np.zeros(6))


def test_plain_functions_serve_as_parts():
    memory = attrax.Memory(
        ROWS, similarity=lambda keys, query: keys @ query, separation=jax.nn.softmax
    )
    reference = attrax.Memory(ROWS, similarity=Dot(), separation=Softmax(1.0))
    np.testing.assert_allclose(memory(QUERY), reference(QUERY), rtol=1e-4, atol=1e-6)
    assert memory.lacks_energy is not None
    rowwise = SimilarityFunction(lambda keys, query: keys @ query, rowwise=True)
    blocks = attrax.Memory(ROWS, similarity=rowwise, separation=Softmax(1.0), block=4)
    np.testing.assert_allclose(blocks(QUERY), reference(QUERY), rtol=1e-4, atol=1e-6)


def test_integers_and_booleans_become_floats():
    bits = ROWS > 0
    for patterns in (bits, bits.astype(int), bits.astype(np.uint8).tolist()):
        memory = attrax.Memory(patterns, similarity=Dot(), separation=Max())
        assert memory.dtype == jnp.float32
        np.testing.assert_array_equal(
            memory(jnp.asarray(bits[0])), memory.keys[memory.best(bits[0])]
        )


def test_arrays_of_every_kind_are_queries():
    memory = attrax.Memory(ROWS, similarity=Dot(), separation=Softmax(1.0))
    expected = memory(QUERY)
    for query in (np.asarray(QUERY), np.asarray(QUERY, np.float64), QUERY.astype(jnp.float32)):
        np.testing.assert_allclose(memory(query), expected, rtol=1e-6)


def test_a_memory_is_a_pytree():
    memory = attrax.Memory(ROWS, similarity=Dot(), separation=Softmax(1.0), capacity=16)
    doubled = jax.tree.map(lambda leaf: leaf * 2 if eqx.is_inexact_array(leaf) else leaf, memory)
    np.testing.assert_array_equal(doubled.keys, 2 * memory.keys)
    assert float(doubled.separation.beta) == 2
    compiled = eqx.filter_jit(lambda memory, query: memory(query))
    np.testing.assert_allclose(compiled(memory, QUERY), memory(QUERY), rtol=1e-6)


def test_memories_can_be_made_and_batched_under_vmap():
    many = jnp.asarray(np.random.default_rng(0).normal(size=(3, 12, 6)), jnp.float32)
    memories = eqx.filter_vmap(attrax.Memory)(many)
    read = eqx.filter_vmap(lambda memory: memory(QUERY))(memories)
    expected = jnp.stack([attrax.Memory(rows)(QUERY) for rows in many])
    np.testing.assert_allclose(read, expected, rtol=1e-3, atol=1e-4)


def test_the_slope_by_beta_is_that_of_a_difference():
    with jax.enable_x64():
        rows, query = jnp.asarray(ROWS, float), jnp.asarray(QUERY, float)

        def energy(beta):
            return attrax.Memory(rows, similarity=Dot(), separation=Softmax(beta)).energy(query)

        slope = jax.grad(energy)(jnp.asarray(1.5))
        difference = (energy(1.5 + 1e-5) - energy(1.5 - 1e-5)) / 2e-5
        # β is kept in 32 bits unless it comes in 64.
        np.testing.assert_allclose(slope, difference, rtol=1e-4)


@pytest.mark.parametrize("similarity", [None, Correlation(), Dot(), Euclidean()], ids=str)
def test_blocks_change_nothing(similarity):
    separation = Softmax(2.0)
    whole = attrax.Memory(ROWS, VALUES, similarity=similarity, separation=separation)
    split = attrax.Memory(ROWS, VALUES, similarity=similarity, separation=separation, block=5)
    assert split.keys.shape == (15, 6)
    assert len(split) == len(whole) == 12
    np.testing.assert_allclose(split(QUERY), whole(QUERY), rtol=1e-4, atol=1e-6)
    assert split.lacks_energy == whole.lacks_energy
    if whole.lacks_energy is None:
        np.testing.assert_allclose(split.energy(QUERY), whole.energy(QUERY), rtol=1e-5)


def test_unbounded_weights_are_said_to_be_so():
    memory = attrax.Memory(ROWS, similarity=Euclidean(), separation=Identity())
    with pytest.raises(attrax.NoEnergyError, match=r"weigh memories negatively.*use Softmax"):
        memory.energy(QUERY)
