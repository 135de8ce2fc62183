"""Law 5: linear separation of inner products collapses rows into one matrix of constant size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax import Memory
from attrax import separation as sep
from attrax import similarity as sim
from conformance import registry

pytestmark = pytest.mark.usefixtures("x64")
N, D = 9, 6
ROWS = np.random.default_rng(0).uniform(0.1, 1.0, (N, D)).astype(np.float32)
VALUES = np.random.default_rng(1).normal(size=(N, 4)).astype(np.float32)
QUERIES = np.random.default_rng(2).uniform(0.1, 1.0, (5, D)).astype(np.float32)


def positive_features(row):
    """Features of a positive kernel, more of them than entries."""
    return jnp.concatenate([jnp.exp(row), jnp.exp(-row)])


LINEAR = {
    "dot": (sim.Dot(), sep.Identity()),
    "dot_sum": (sim.Dot("sum"), sep.Identity()),
    "dot_sum_divided": (sim.Dot("sum"), sep.SumNormalised(sep.Identity())),
    "cosine": (sim.Cosine(), sep.Identity()),
    "correlation": (sim.Correlation(), sep.Identity()),
    "correlation_encoded": (sim.Correlation(encoded=True), sep.Identity()),
    "kernel": (sim.Kernel(jnp.tanh), sep.Identity()),
    "linear_kernel": (sim.LinearKernel(np.tri(4, D) / 2), sep.Identity()),
    "dpfp": (sim.Kernel(sim.DPFP(2), "non-negative"), sep.SumNormalised(sep.Identity())),
    "dpfp_normalised": (
        sim.Kernel(sim.NormalisedFeatures(sim.DPFP(1), "sum"), "non-negative"),
        sep.Identity(),
    ),
    "linear_attention": (
        sim.Kernel(positive_features, "positive"),
        sep.SumNormalised(sep.Identity()),
    ),
}
REFUSED = {
    "softmax": (sim.Dot(), sep.Softmax(1.0), "weighs each row by itself"),
    "divided_power": (
        sim.Dot("sum"),
        sep.SumNormalised(sep.Power(2)),
        "weighs each row by itself",
    ),
    "manhattan": (sim.Manhattan(), sep.Identity(), "no inner product of features"),
}


def memory_of(name, **options):
    similarity, separation = LINEAR[name]
    return Memory(ROWS.astype(np.float64), similarity=similarity, separation=separation, **options)


@jax.jit
def read(store, queries):
    """What is read, and the slope of the squares of one read."""
    slope = jax.grad(lambda query: jnp.sum(jnp.square(store(query))))(queries[0])
    return jax.vmap(store)(queries), slope


@pytest.mark.parametrize("name", registry.cases(LINEAR))
@pytest.mark.parametrize("values", [None, VALUES.astype(np.float64)])
@pytest.mark.parametrize("masked", [False, True])
def test_the_matrix_answers_as_the_rows_do(name, values, masked):
    """Also under jit, vmap and grad, and with rows that are not filled."""
    filled = np.arange(N) % 3 > 0 if masked else None
    memory = memory_of(name, values=values, filled=filled, capacity=12)
    matrix = memory.superpose()
    assert matrix.matrix.shape[0] == (D if values is None else 4)
    queries = jnp.asarray(QUERIES, float)
    (expected, slope), (found, slope_found) = read(memory, queries), read(matrix, queries)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(slope_found, slope, rtol=1e-7, atol=1e-10)
    # What would be read if the mask were forgotten is something else.
    if masked:
        other, _ = read(memory_of(name, values=values).superpose(), queries)
        assert float(np.max(np.abs(np.subtract(other, expected)))) > 1e-3


def test_the_energy_is_that_of_the_rows():
    memory = memory_of("dot")
    matrix = memory.superpose()
    for query in QUERIES:
        np.testing.assert_allclose(matrix.energy(query), memory.energy(query), rtol=1e-9)
    for name in set(LINEAR) - {"dot"}:
        assert memory_of(name).superpose().lacks_energy is not None


@pytest.mark.parametrize("name", ["dot", "linear_attention"])
def test_rows_are_written_into_the_matrix_as_into_the_memory(name):
    """And taken out again: its size never changes."""
    memory = memory_of(name, values=VALUES.astype(np.float64), capacity=16)
    matrix = memory.superpose()
    key, value = QUERIES[0].astype(np.float64), np.arange(4.0)
    memory, written = memory.write(key, value), matrix.write(key, value)
    assert written.matrix.shape == matrix.matrix.shape
    np.testing.assert_allclose(written(QUERIES[1]), memory(QUERIES[1]), rtol=1e-9)
    back = written.remove(key, value)
    np.testing.assert_allclose(back(QUERIES[1]), matrix(QUERIES[1]), rtol=1e-9)


def test_classical_hopfield_is_this_with_signs_and_no_diagonal():
    signs = np.sign(ROWS - 0.55)
    rows = Memory(signs, similarity=sim.Dot(), separation=sep.Identity())
    network = attrax.MatrixMemory(rows.superpose().matrix, units="signs", symmetry="positive")
    state = np.sign(QUERIES[0] - 0.55)
    drive = np.asarray(rows(state)) - N * state
    np.testing.assert_array_equal(network(state), np.where(drive == 0, state, np.sign(drive)))


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_add_up_is_refused(name):
    similarity, separation, message = REFUSED[name]
    memory = Memory(ROWS, similarity=similarity, separation=separation)
    with pytest.raises(ValueError, match=message):
        memory.superpose()
