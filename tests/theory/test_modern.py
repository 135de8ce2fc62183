"""Theorems on modern Hopfield networks, against networks and SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import wrightomega

from attrax import theory
from attrax.models import modern_memory

RNG = np.random.default_rng(0)


def sphere(n, d, radius):
    rows = RNG.standard_normal((n, d))
    return radius * rows / np.linalg.norm(rows, axis=1, keepdims=True)


ROWS = sphere(40, 20, np.sqrt(19)) * RNG.uniform(0.8, 1, (40, 1))
LARGEST = np.linalg.norm(ROWS, axis=1).max()


def weights(states, beta, rows=ROWS):
    scores = beta * states @ rows.T
    grown = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return grown / grown.sum(axis=-1, keepdims=True)


def test_omega_is_lamberts_function_of_an_exponential():
    y = np.array([-200, -80, -5, -1, 0, 0.5, 1, 1.01, 3, 50, 1e4, 1e300])
    expected = wrightomega(y)
    with jax.enable_x64():
        np.testing.assert_allclose(theory.wright_omega(y), expected, rtol=4e-15)
        slope = jax.vmap(jax.grad(theory.wright_omega))(y[:-1])
        np.testing.assert_allclose(slope, (expected / (1 + expected))[:-1], rtol=1e-14)
        assert jax.grad(jax.grad(theory.wright_omega))(0.5) > 0
    narrow = theory.wright_omega(y[1:-1].astype(np.float32))
    np.testing.assert_allclose(narrow, expected[1:-1], rtol=2e-6)


def test_capacity_has_the_printed_constants():
    found = theory.modern_capacity([20, 75], 1.0, [3.0, 1.0], 0.001)
    np.testing.assert_allclose(found.base, [3.15461, 1.37188], atol=1e-5)
    np.testing.assert_allclose(found.exponent, [1.2733, -0.9409], atol=1e-4)
    np.testing.assert_allclose(np.exp(found.log_n_patterns), [7.41297, 10.97325], rtol=1e-4)
    assert found.proven.tolist() == [True, True]
    # In fewer dimensions the theorem says nothing.
    assert theory.modern_capacity([20, 40, 75]).proven.tolist() == [False, False, True]


def test_capacity_grows_at_its_rate_where_numbers_overflow():
    far = theory.modern_capacity([1e5, 2e5]).log_n_patterns
    rate = float(wrightomega(np.log(0.4))) / 4
    assert float(far[1] - far[0]) / 1e5 == pytest.approx(rate, rel=1e-3)
    assert np.isfinite(theory.modern_capacity(100.0, 1e30, 1e10).log_n_patterns)
    slope = jax.grad(lambda beta: theory.modern_capacity(75, beta).log_n_patterns)(1.0)
    near = [theory.modern_capacity(75, b).log_n_patterns for b in (0.99, 1.01)]
    assert slope == pytest.approx(float(near[1] - near[0]) / 0.02, rel=1e-3)


@pytest.mark.parametrize("beta", [0.3, 2.0])
def test_energies_with_the_offset_are_the_papers(beta):
    memory = modern_memory(ROWS.astype(np.float32), beta)
    states = RNG.standard_normal((30, 20)) * RNG.uniform(0, 3, (30, 1))
    offset = theory.modern_energy_offset(len(ROWS), beta, LARGEST)
    energies = jax.vmap(memory.energy)(states.astype(np.float32)) + offset
    squares = np.sum(ROWS**2, axis=1)
    apart = np.sum((ROWS - states[:, None]) ** 2, axis=2)
    mixture = np.exp(-beta / 2 * (LARGEST**2 - squares + apart)).mean(axis=1)
    np.testing.assert_allclose(energies, -np.log(mixture) / beta, rtol=1e-5, atol=1e-4)
    assert (energies >= 0).all()
    within = RNG.dirichlet(np.full(len(ROWS), 0.1), 30) @ ROWS
    energies = jax.vmap(memory.energy)(within.astype(np.float32)) + offset
    assert (energies <= np.minimum(offset, 2 * LARGEST**2) + 1e-4).all()
    assert energies.max() > offset / 2


@pytest.mark.parametrize("beta", [1.0, 3.0])
def test_errors_and_contractions_are_below_their_bounds(beta):
    separation = np.asarray(theory.modern_separation(ROWS.astype(np.float32)))
    i = RNG.integers(len(ROWS), size=400)
    others = np.argmax(ROWS @ ROWS.T - 1e3 * np.eye(len(ROWS)), axis=1)
    ways = np.where(RNG.random((400, 1)) < 0.5, ROWS[others[i]] - ROWS[i], sphere(400, 20, 1))
    distance = 10 ** RNG.uniform(-3, 0, 400)
    states = ROWS[i] + distance[:, None] * ways / np.linalg.norm(ways, axis=1, keepdims=True)
    p = weights(states, beta)
    p[np.arange(400), i] = 0
    error = np.linalg.norm(p @ ROWS - p.sum(axis=1)[:, None] * ROWS[i], axis=1)
    numbers = separation[i], len(ROWS), beta, LARGEST, distance
    bound = theory.modern_error_bound(*numbers)
    told = bound < 2 * LARGEST
    assert told.sum() > 50
    assert (error <= bound)[told].all()
    norms = jax.vmap(theory.modern_jacobian_norm, (None, 0, None))(ROWS, states, beta)
    paper, variance = (
        np.asarray(theory.modern_contraction_bound(*numbers, constant=constant))
        for constant in ("paper", "variance")
    )
    assert (variance <= paper * (1 + 1e-5)).all()
    assert (norms <= variance * (1 + 1e-5)).all()
    assert (variance < 1).sum() > 50
    # A separation that is not there would break both bounds.
    wrong = theory.modern_error_bound(separation[i] + 8, *numbers[1:])
    assert (error > wrong)[told].any()
    wrong = theory.modern_contraction_bound(separation[i] + 8, *numbers[1:])
    assert (norms > wrong).any()


def test_bounds_are_tight_for_two_opposite_patterns():
    # x and −x: f(ξ) − x = −2x p₂, and δ along x loses 2 δ M of the score.
    separation, radius, beta, distance = 2.0, 1.0, 4.0, 0.25
    bound = float(theory.modern_error_bound(separation, 2, beta, radius, distance))
    other = weights(np.array([0.75]), beta, np.array([[1.0], [-1.0]]))[1]
    assert 2 * other == pytest.approx(bound, rel=0.01)
    norm = theory.modern_jacobian_norm([[1.0], [-1.0]], [0.75], beta)
    assert norm == pytest.approx(beta * 4 * other * (1 - other), rel=1e-5)
    most = theory.modern_contraction_bound(separation, 2, beta, radius, distance)
    assert norm == pytest.approx(float(most), rel=0.01)


def test_spheres_of_well_separated_patterns_are_mapped_into_themselves():
    beta, n = 3.0, 10
    rows = ROWS[:n]
    largest = np.linalg.norm(rows, axis=1).max()
    stored = np.asarray(theory.modern_well_separated(rows.astype(np.float32), beta))
    required = theory.modern_required_separation(n, beta, largest)
    separation = theory.modern_separation(rows.astype(np.float32))
    np.testing.assert_array_equal(stored, separation >= required)
    assert stored.sum() >= 3
    radius = float(theory.modern_sphere_radius(n, beta, largest))
    assert radius == pytest.approx(1 / (beta * n * largest), rel=1e-5)
    for i in np.flatnonzero(stored):
        states = rows[i] + sphere(50, 20, radius)
        read = weights(states, beta, rows) @ rows
        assert (np.linalg.norm(read - rows[i], axis=1) <= radius).all()
        at_edge = theory.modern_error_bound(separation[i], n, beta, largest, radius)
        assert at_edge <= radius * (1 + 1e-4)
    # At the required separation, the bound at the edge is the radius itself.
    at_edge = theory.modern_error_bound(required, n, beta, largest, radius)
    assert at_edge == pytest.approx(radius, rel=1e-4)


def test_fixed_points_are_as_near_as_theorem_5_says():
    beta = 1.0
    found = ROWS.copy()
    for _ in range(200):
        found = weights(found, beta) @ ROWS
    separation = np.asarray(theory.modern_separation(ROWS.astype(np.float32)))
    distance = np.linalg.norm(found - ROWS, axis=1)
    limit = 1 / (2 * beta * LARGEST)
    bound = np.asarray(theory.modern_error_bound(separation, 40, beta, LARGEST, limit))
    expected = 2 * np.e * 39 * LARGEST * np.exp(-beta * separation)
    np.testing.assert_allclose(bound, expected, rtol=1e-4)
    near = distance <= limit
    assert near.sum() > 20
    assert (distance <= bound)[near].all()


def test_one_pattern_alone_is_read_without_an_error():
    assert theory.modern_error_bound(1.0, 1, 1.0, 1.0) == 0
    assert theory.modern_contraction_bound(1.0, 1, 1.0, 1.0) == 0
    assert theory.modern_required_separation(1, 1.0, 1.0) == -np.inf
    assert theory.modern_separation([[1.0, 2.0]]).tolist() == [np.inf]
    assert theory.modern_well_separated([[1.0, 2.0]], 1.0).tolist() == [True]


def test_logarithms_outlast_the_range_of_floats():
    for log in (
        theory.modern_error_bound(1e4, 1e6, 1.0, 10.0, log=True),
        theory.modern_contraction_bound(1e4, 1e6, 1.0, 10.0, log=True),
        theory.modern_contraction_bound(1e4, 1e6, 1.0, 10.0, constant="paper", log=True),
    ):
        assert -1e4 < log < -9.9e3
    assert theory.modern_error_bound(1e4, 1e6, 1.0, 10.0) == 0
    large = theory.modern_contraction_bound(0.0, 2, 1e-30, 1e30, log=True)
    assert large == pytest.approx(30 * np.log(10), rel=1e-5)
    shaped = theory.modern_error_bound([[1.0], [2.0]], [2, 3, 4], 1.0, 1.0)
    assert shaped.shape == (2, 3)
    assert jax.jit(theory.modern_error_bound)(1.0, 2.0, 1.0, 1.0) == pytest.approx(
        2 * np.exp(-1), rel=1e-5
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: theory.modern_error_bound(1.0, 0, 1.0, 1.0), "`n_patterns` must be at least 1"),
        (lambda: theory.modern_error_bound(1.0, 2, 0.0, 1.0), "`beta` must be positive, but .* 0"),
        (lambda: theory.modern_error_bound(1.0, 2, 1.0, -1.0), "`largest_norm` must be at least 0"),
        (lambda: theory.modern_error_bound(1.0, 2, 1.0, 1.0, -0.1), "`distance` must be at least"),
        (
            lambda: theory.modern_contraction_bound(1.0, 2, 1.0, 1.0, constant="both"),
            "`constant` must be one of 'paper', 'variance'",
        ),
        (lambda: theory.modern_capacity(1), "`d` must be at least 2"),
        (lambda: theory.modern_capacity(20, -1.0), "`beta` must be positive"),
        (lambda: theory.modern_capacity(20, 1.0, 0.0), "`radius` must be positive"),
        (lambda: theory.modern_capacity(20, failure=1.5), "`failure` must be between 0 and 1"),
        (lambda: theory.modern_capacity(20, failure=0.0), "`failure` must be positive"),
        (lambda: theory.modern_energy_offset([2, 3], [1.0] * 3, 1.0), "do not go together"),
        (lambda: theory.wright_omega(jnp.nan), "`y`"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
