"""Patterns in a sum of random features: energy, reads, adding and removing, and wrong calls."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax import Memory, Outcome, models
from attrax.dynamics import Euler, Iterate
from attrax.separation import Identity, Softmax
from attrax.similarity import Euclidean, Kernel, RandomFeatures

KEY = jax.random.key(0)
D, BETA = 5, 0.4
ROWS = np.random.default_rng(0).normal(size=(7, D))
STATES = ROWS[:4] + 0.3
MEMORY = models.random_feature_memory(ROWS, BETA, 4096, key=KEY)


def test_products_of_features_are_the_kernel():
    features = RandomFeatures(D, 20_000, BETA, key=KEY)
    mapped = np.asarray(jax.jit(jax.vmap(features))(jnp.asarray(ROWS, jnp.float32)))
    squares = np.sum((ROWS[:, None] - ROWS[None]) ** 2, axis=-1)
    np.testing.assert_allclose(mapped @ mapped.T, np.exp(-0.5 * BETA * squares), atol=0.03)
    np.testing.assert_allclose(np.sum(mapped**2, axis=1), 1, rtol=1e-5)
    assert (features.width, features.count) == (D, 20_000)


@pytest.mark.usefixtures("x64")
def test_energy_and_read_are_those_of_their_formulas():
    memory = models.random_feature_memory(ROWS, BETA, 64, key=KEY)
    omega, beta = np.asarray(memory.features.frequencies), float(memory.features.beta)

    def energy(x):
        angles = np.sqrt(beta) * (x - ROWS) @ omega.T
        return -np.log(max(np.sum(np.cos(angles)) / 64, 1e-5)) / beta

    step = 1e-6 * np.eye(D)
    for state in STATES:
        np.testing.assert_allclose(memory.energy(state), energy(state), rtol=1e-9)
        slope = [(energy(state + h) - energy(state - h)) / 2e-6 for h in step]
        np.testing.assert_allclose(memory(state), state - slope, atol=1e-6)
        np.testing.assert_allclose(memory.density(state), np.exp(-beta * energy(state)), rtol=1e-9)


def test_with_many_features_it_reads_as_the_rows_do():
    exact = Memory(ROWS, similarity=Euclidean(), separation=Softmax(BETA))
    few = models.random_feature_memory(ROWS, BETA, 16, key=KEY)
    reads = [np.asarray(jax.vmap(memory)(STATES)) for memory in (MEMORY, few, exact)]
    assert np.abs(reads[0] - reads[2]).max() < 0.1 < np.abs(reads[1] - reads[2]).max()


def test_what_is_added_and_removed_again_is_gone():
    more = np.random.default_rng(1).normal(size=(300, D))
    again = MEMORY.write(more).remove(more[:100]).remove(more[100:])
    np.testing.assert_allclose(again.total, MEMORY.total, atol=1e-5)
    own = MEMORY.features(jnp.asarray(more[0], jnp.float32))
    np.testing.assert_allclose(MEMORY.write(more[0]).total - MEMORY.total, own, atol=1e-5)
    assert np.abs(MEMORY.write(more).total - MEMORY.total).max() > 0.1
    assert MEMORY.write(more).total.shape == MEMORY.total.shape


def test_rows_are_summed_some_at_a_time(monkeypatch):
    from attrax.stores import random_features

    with monkeypatch.context() as patch:
        patch.setattr(random_features, "_TOGETHER", 3 * MEMORY.total.size)
        parts = random_features._summed.__wrapped__(
            MEMORY.features, 0 * MEMORY.total, jnp.asarray(ROWS, jnp.float32), 1.0
        )
    np.testing.assert_allclose(parts, MEMORY.total, atol=1e-5)


def test_the_sum_is_that_of_superposed_rows():
    ones = np.ones((len(ROWS), 1))
    rows = Memory(ROWS, ones, similarity=Kernel(MEMORY.features), separation=Identity())
    np.testing.assert_allclose(rows.superpose().matrix[0], MEMORY.total, atol=1e-5)


def test_short_steps_lower_the_energy_and_known_entries_stay():
    for dynamics in (Iterate(0.1, max_steps=1000), Euler(0.5, backtracking=True)):
        found = attrax.retrieve(MEMORY, STATES, dynamics, certify=True)
        assert np.all(found.certificate.certified)
        assert bool((found.outcome == Outcome.converged).all())
    known = np.arange(D) < 3
    held = attrax.retrieve(MEMORY, STATES, Iterate(0.1), known=known).state
    np.testing.assert_array_equal(held[:, :3], STATES[:, :3].astype(np.float32))


def test_a_state_below_the_clip_stays_and_is_told():
    memory = models.random_feature_memory(ROWS, BETA, 4096, clip=0.3, key=KEY)
    far = np.full(D, 30.0)
    assert abs(memory.density(far)) < 0.3
    np.testing.assert_allclose(memory.energy(far), -np.log(0.3) / BETA, rtol=1e-5)
    found = attrax.retrieve(memory, np.stack([far, ROWS[0]]), Iterate(0.1, max_steps=1000))
    assert bool(found.outcome[0] == Outcome.unreached)
    assert bool(found.outcome[1] == Outcome.converged)
    np.testing.assert_array_equal(found.state[0], far)


def test_half_precision_is_summed_in_32_bits():
    half = models.random_feature_memory(ROWS.astype(np.float16), BETA, 64, key=KEY)
    assert half.total.dtype == np.float32
    whole = models.random_feature_memory(ROWS, BETA, 64, key=KEY)
    np.testing.assert_allclose(half.total, whole.total, atol=0.05)


def test_it_prints_its_sizes_and_can_be_saved(tmp_path):
    assert "features 2Y  8192" in repr(MEMORY)
    attrax.save(tmp_path / "memory.attrax", MEMORY)
    np.testing.assert_array_equal(
        attrax.load(tmp_path / "memory.attrax")(STATES[0]), MEMORY(STATES[0])
    )


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: RandomFeatures(D, 0, 1.0, key=KEY), ValueError, "`count` must be a positive"),
        (lambda: RandomFeatures(-5, 4, 1.0, key=KEY), ValueError, "`width` must be a positive"),
        (lambda: RandomFeatures(D, 4, -1.0, key=KEY), ValueError, "`beta` must be positive"),
        (
            lambda: models.RandomFeatureMemory(MEMORY.features, np.zeros(5)),
            ValueError,
            r"`total` must have shape \(8192,\)",
        ),
        (
            lambda: models.RandomFeatureMemory(MEMORY.features, clip=0.0),
            ValueError,
            "`clip` must be positive",
        ),
        (
            lambda: models.random_feature_memory(np.zeros((0, 3)), 1.0, 4, key=KEY),
            ValueError,
            "`patterns` are empty",
        ),
        (lambda: MEMORY.write(np.zeros((2, 3))), ValueError, r"\(5,\), or \(N, 5\) for many"),
        (lambda: MEMORY.remove(np.zeros((1, 2, 5))), ValueError, r"or \(N, 5\) for many"),
        (lambda: MEMORY(ROWS), ValueError, r"`query` must have shape \(5,\), but"),
        (lambda: MEMORY.energy(np.full(D, np.nan)), ValueError, "`query` holds NaN"),
    ],
)
def test_wrong_calls_are_answered(make, error, text):
    with pytest.raises(error, match=text):
        make()
