"""The modern Hopfield network: reads, energies, damped reads and the default β."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax import models, retrieve, theory
from attrax.dynamics import Iterate

RNG = np.random.default_rng(0)
ROWS = RNG.standard_normal((40, 30)).astype(np.float32)
ROWS /= np.linalg.norm(ROWS, axis=1, keepdims=True)


def test_a_read_is_attention_to_the_rows():
    query = RNG.standard_normal(30).astype(np.float32)
    expected = jax.nn.softmax(jnp.asarray(5 * ROWS @ query)) @ ROWS
    np.testing.assert_allclose(models.modern_memory(ROWS, 5.0)(query), expected, atol=1e-6)


def test_a_read_is_a_step_of_cccp_and_of_the_gradient():
    memory, state = models.modern_memory(ROWS, 5.0), jnp.asarray(ROWS[3] + ROWS[4])
    slope = jax.grad(lambda v: jax.nn.logsumexp(5 * jnp.asarray(ROWS) @ v) / 5)(state)
    np.testing.assert_allclose(memory(state), slope, atol=1e-6)
    np.testing.assert_allclose(memory(state), state - jax.grad(memory.energy)(state), atol=1e-6)


@pytest.mark.parametrize("damping", [0.1, 1.0])
def test_damped_reads_lower_the_energy(damping):
    memory = models.modern_memory(ROWS, 8.0)
    starts = RNG.standard_normal((20, 30)).astype(np.float32)
    dynamics = Iterate(jnp.asarray(damping), max_steps=60)
    found = retrieve(memory, starts, dynamics, certify=True)
    assert np.max(found.certificate.rise / found.certificate.scale) < 1e-6


def test_the_default_beta_is_that_of_the_error_of_one_read():
    memory = models.modern_memory(ROWS)
    beta = memory.separation.beta
    separation = np.asarray(theory.modern_separation(ROWS))
    least = np.quantile(separation, 0.05, method="lower")
    assert beta == pytest.approx(np.log(1000 * 40) / least, rel=1e-4)
    bound = theory.modern_error_bound(separation, 40, beta, 1.0)
    assert (bound[separation >= least] <= 1 / 500).all()
    read = jax.vmap(memory)(ROWS)
    assert (np.linalg.norm(read - ROWS, axis=1)[separation >= least] < 1 / 500).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: models.modern_memory(ROWS, 0.0), "`beta` must be positive"),
        (lambda: models.modern_memory(ROWS[0], 1.0), "`patterns` must have 2 axes"),
        (lambda: models.modern_memory(np.full((2, 2), np.nan), 1.0), "`patterns`.*NaN"),
        (lambda: models.modern_memory(ROWS[:, :2]), "can hardly be told apart"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
