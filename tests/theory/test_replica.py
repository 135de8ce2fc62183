import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, optimize, special

from attrax.theory import (
    critical_load,
    hebb_capacity,
    hebb_free_energy,
    hebb_order_parameters,
    replica,
    spin_glass_temperature,
    transition_load,
)

POINTS = [(0.02, 0.3), (0.05, 0.1), (0.1, 0.02), (0.05, 0.5), (0.002, 0.9), (0.13, 0.1)]


def gaussian_average(function):
    """The mean of a function of a standard normal variable, by scipy."""

    def integrand(z):
        return math.exp(-z * z / 2) / math.sqrt(2 * math.pi) * function(z)

    kinks = np.linspace(-3, 3, 25)
    return integrate.quad(integrand, -9, 9, limit=500, epsabs=1e-12, points=kinks)[0]


def free_energy(load, temperature, m, q, r):
    """The published function, of which the states are stationary points."""
    beta = 1 / temperature
    response = beta * (1 - q)

    def log_partition(z):
        field = beta * (m + math.sqrt(load * r) * z)
        return np.logaddexp(field, -field)

    noise = math.log(1 - response) - beta * q / (1 - response)
    rest = load / 2 + m**2 / 2 + load / (2 * beta) * noise + load * beta * r * (1 - q) / 2
    return rest - gaussian_average(log_partition) / beta


@pytest.mark.parametrize("state", ["retrieval", "spin_glass"])
@pytest.mark.parametrize(("load", "temperature"), POINTS)
def test_the_states_solve_the_equations(x64, load, temperature, state):
    m, q, r = map(float, hebb_order_parameters(load, temperature, state=state))
    beta, noise = 1 / temperature, math.sqrt(load * r)
    assert (m > 0.3) is (state == "retrieval")
    assert m == pytest.approx(gaussian_average(lambda z: math.tanh(beta * (m + noise * z))))
    assert q == pytest.approx(gaussian_average(lambda z: math.tanh(beta * (m + noise * z)) ** 2))
    assert r == pytest.approx(q / (1 - beta * (1 - q)) ** 2)


def test_states_near_the_critical_load_keep_the_digits_that_a_double_root_leaves():
    """At a share δ below it two states are √δ apart, so that rounding ε makes errors of ε/√δ."""
    temperature = np.float32([[0.1], [0.3], [0.6], [0.9]])
    shares = np.float32([1e-1, 1e-2, 1e-3, 1e-4, 1e-5])
    with jax.enable_x64():
        critical = np.asarray(critical_load(temperature.astype(float)))
        load = np.float32(critical * (1 - shares))
        expected = hebb_order_parameters(load.astype(float), temperature.astype(float))
    bound = 20 * np.finfo(np.float32).eps / np.sqrt(shares)
    for name, values, exact in zip(
        "mqr", hebb_order_parameters(load, temperature), expected, strict=True
    ):
        assert np.all(np.abs(np.asarray(values) / np.asarray(exact) - 1) < bound), name


@pytest.mark.parametrize("state", ["retrieval", "spin_glass"])
@pytest.mark.parametrize(("load", "temperature"), POINTS[:3])
def test_the_states_are_stationary_points_of_the_free_energy(x64, load, temperature, state):
    place = np.asarray([float(a) for a in hebb_order_parameters(load, temperature, state=state)])
    value = float(hebb_free_energy(load, temperature, state=state))
    assert value == pytest.approx(free_energy(load, temperature, *place), abs=1e-9)
    for axis in np.eye(3):
        step = 1e-5 * axis * place
        rise = free_energy(load, temperature, *(place + step)) - value
        fall = free_energy(load, temperature, *(place - step)) - value
        # Differences are even in the step at a stationary point.
        assert abs(rise - fall) < 1e-2 * abs(rise + fall) + 1e-11


def test_zero_temperature_is_one_equation(x64):
    # √(2α) x = erf x − 2x e^{−x²}/√π, at its largest root; m = erf x.
    for load in (0.001, 0.02, 0.1, 0.137):

        def excess(x, load=load):
            rest = special.erf(x) - 2 * x * math.exp(-x * x) / math.sqrt(math.pi)
            return rest - math.sqrt(2 * load) * x

        x = optimize.brentq(excess, 1.5134, 1 / math.sqrt(2 * load), xtol=1e-14)
        m, q, r = hebb_order_parameters(load)
        assert m == pytest.approx(special.erf(x), rel=1e-10)
        assert q == 1
        assert r == pytest.approx((special.erf(x) / x) ** 2 / (2 * load), rel=1e-9)


def test_known_numbers(x64):
    m, q, _ = hebb_order_parameters(0.1379)
    assert m == pytest.approx(0.967, abs=2e-3)
    assert q == 1
    assert critical_load() == pytest.approx(0.137906, rel=1e-5)
    assert critical_load() == pytest.approx(float(hebb_capacity(1.0e4)) / 1e4, rel=1e-5)
    # Published as 0.051; its equation at zero temperature is solved below.
    assert transition_load() == pytest.approx(0.05185, rel=1e-3)


def test_the_transition_at_zero_temperature_is_one_equation(x64):
    def states(x):
        """√α and the energies of both states, by the x = m/σ of the retrieval state."""
        bell = math.sqrt(2 / math.pi) * math.exp(-x * x / 2)
        m = math.erf(x / math.sqrt(2))
        root, glass = m / x - bell, m / x - bell + math.sqrt(2 / math.pi)

        def energy(m, sigma, width, mean):
            response = width / sigma
            noise = sigma**2 * response / 2 - sigma * root / 2
            return root**2 / 2 + m**2 / 2 + noise - m * mean - sigma * width

        return root, energy(m, m / x, bell, m), energy(0, glass, math.sqrt(2 / math.pi), 0)

    x = optimize.brentq(lambda x: states(x)[1] - states(x)[2], 2.2, 9, xtol=1e-13)
    assert transition_load() == pytest.approx(states(x)[0] ** 2, rel=1e-9)
    assert hebb_free_energy(states(x)[0] ** 2) == pytest.approx(states(x)[1], rel=1e-9)


def test_without_load_it_is_a_magnet(x64):
    for temperature in (0.3, 0.7, 0.95):
        m = optimize.brentq(lambda m, t=temperature: math.tanh(m / t) - m, 1e-3, 1)
        found = hebb_order_parameters(0.0, temperature)
        assert found.overlap == pytest.approx(m, rel=1e-4)
        assert found.spin_glass == pytest.approx(m**2, rel=1e-4)
        # The other patterns' overlaps fluctuate all the same.
        expected = m**2 / (1 - (1 - m**2) / temperature) ** 2
        assert found.noise == pytest.approx(expected, rel=1e-3)
        free = m**2 / 2 - temperature * math.log(2 * math.cosh(m / temperature))
        assert hebb_free_energy(0.0, temperature) == pytest.approx(free, rel=1e-5)
    assert [float(a) for a in hebb_order_parameters(0.0, 0.0)] == pytest.approx([1, 1, 1])
    assert [float(a) for a in hebb_order_parameters(0.0, 1.2)] == [0, 0, 0]


@pytest.mark.parametrize("temperature", [0.3, 0.7])
def test_iteration_from_the_pattern_is_held_below_the_critical_load_alone(x64, temperature):
    z, weights = np.polynomial.hermite_e.hermegauss(120)
    weights = weights / weights.sum()

    def iterated(load):
        """The smallest overlap on the way; without a retrieval state the iteration is chaotic."""
        m, q, least = 1.0, 1.0, 1.0
        for _ in range(3000):
            noise = math.sqrt(load * q) / (1 - (1 - q) / temperature)
            tanh = np.tanh((m + noise * z) / temperature)
            m, q = weights @ tanh, weights @ tanh**2
            least = min(least, m)
        return least

    critical = float(critical_load(temperature))
    below = hebb_order_parameters(0.99 * critical, temperature).overlap
    assert iterated(0.99 * critical) == pytest.approx(float(below), rel=1e-4)
    assert iterated(1.01 * critical) < 0.2
    assert hebb_order_parameters(1.01 * critical, temperature).overlap == 0


def test_the_lines_close_to_temperature_one(x64):
    # Published slopes: T_M = 1 − 1.95 √α and T_c = 1 − 2.6 √α.
    assert 0.001 / math.sqrt(critical_load(0.999)) == pytest.approx(1.95, abs=0.01)
    assert 0.001 / math.sqrt(transition_load(0.999)) == pytest.approx(2.6, abs=0.05)
    for temperature in (1.0, 1.5):
        assert critical_load(temperature) == transition_load(temperature) == 0


@pytest.mark.parametrize("temperature", [0.0, 0.2, 0.6])
def test_retrieval_is_the_global_minimum_up_to_the_transition(x64, temperature):
    load = float(transition_load(temperature))
    assert load < critical_load(temperature)

    def advantage(factor):
        glass = hebb_free_energy(factor * load, temperature, state="spin_glass")
        return float(hebb_free_energy(factor * load, temperature) - glass)

    assert abs(advantage(1.0)) < 1e-12
    assert advantage(0.9) < -1e-5
    assert advantage(1.1) > 1e-5


@pytest.mark.parametrize("load", [0.01, 0.3, 2.0])
def test_the_spin_glass_freezes_at_its_temperature(x64, load):
    t = float(spin_glass_temperature(load))
    assert t == pytest.approx(1 + math.sqrt(load))
    assert 1e-3 < hebb_order_parameters(load, 0.99 * t).spin_glass < 0.1
    assert [float(a) for a in hebb_order_parameters(load, 1.01 * t)] == [0, 0, 0]
    # Zero temperature: √(αr) = √α + √(2/π).
    noise = float(hebb_order_parameters(load, state="spin_glass").noise)
    assert math.sqrt(load * noise) == pytest.approx(math.sqrt(load) + math.sqrt(2 / math.pi))
    # Above: free spins, and the patterns as Gaussian modes.
    t = 1.5 * t
    free = load / 2 + load * t * math.log(1 - 1 / t) / 2 - t * math.log(2)
    assert hebb_free_energy(load, t) == pytest.approx(free)


def test_networks_at_zero_temperature_end_in_the_state(x64):
    rng = np.random.default_rng(0)
    d, load = 1500, 0.12
    patterns = rng.choice([-1, 1], (int(load * d), d)).astype(np.float32)
    couplings = patterns.T @ patterns / d
    np.fill_diagonal(couplings, 0)
    overlaps, energies = [], []
    for pattern in patterns[:12]:
        state, fields = pattern.copy(), couplings @ pattern
        while (unstable := np.flatnonzero(fields * state < 0)).size:
            i = rng.choice(unstable)
            state[i] = -state[i]
            fields += 2 * state[i] * couplings[i]
        overlaps.append(state @ pattern / d)
        energies.append(-state @ fields / (2 * d))
    expected = float(hebb_order_parameters(load).overlap)
    # Standard errors of 12 runs (0.002 and 0.001) and terms of order 1/d.
    assert np.mean(overlaps) == pytest.approx(expected, abs=0.01)
    assert np.mean(energies) == pytest.approx(float(hebb_free_energy(load)), abs=0.006)


def test_derivatives_are_those_of_the_solution(x64):
    def overlap(load, temperature):
        return hebb_order_parameters(load, temperature).overlap

    def frozen(load, temperature):
        return hebb_free_energy(load, temperature, state="spin_glass")

    places = [(0.05, 0.3), (0.0, 0.0), (0.0, 0.5), (0.05, 0.0), (0.3, 0.0), (0.1, 1.5)]
    for function in (overlap, frozen):
        slopes = jax.jit(jax.vmap(jax.grad(function, (0, 1))))(*np.transpose(places))
        found = [by[0] for by in slopes]
        rise = [float(function(*place)) for place in ((0.05 + 1e-5, 0.3), (0.05, 0.3 + 1e-5))]
        fall = [float(function(*place)) for place in ((0.05 - 1e-5, 0.3), (0.05, 0.3 - 1e-5))]
        np.testing.assert_allclose(found, np.subtract(rise, fall) / 2e-5, rtol=1e-5)
        assert np.isfinite(slopes).all(), (function, slopes)
    for line in (critical_load, transition_load):
        found = jax.jit(jax.grad(line))(0.3)
        assert found == pytest.approx(float(line(0.3 + 1e-5) - line(0.3 - 1e-5)) / 2e-5, rel=1e-5)


def test_single_precision_broadcasting_and_transformations():
    load, temperature = np.asarray([[0.0], [0.03], [0.12], [0.3]]), np.asarray([0.0, 0.4, 1.1])
    mapped = jax.vmap(jax.vmap(hebb_order_parameters, (None, 0)), (0, None))
    found = jax.jit(mapped)(load[:, 0], temperature)
    glass = hebb_order_parameters(load, temperature, state="spin_glass")
    assert glass.noise.shape == found.noise.shape == (4, 3)
    assert found.overlap.dtype == glass.overlap.dtype == jnp.float32
    np.testing.assert_allclose(glass.noise[3], found.noise[3], rtol=1e-4)
    lines = np.asarray([critical_load(temperature), transition_load(temperature)])
    with jax.enable_x64(True):
        points = [(float(a), float(t)) for a in load[:, 0] for t in temperature]
        double = np.asarray([hebb_order_parameters(*point) for point in points])
        exact = [[line(float(t)) for t in temperature] for line in (critical_load, transition_load)]
    single = np.stack([np.ravel(a) for a in found], axis=1)
    np.testing.assert_allclose(single, double, rtol=2e-3, atol=1e-5)
    np.testing.assert_allclose(lines, exact, rtol=1e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hebb_order_parameters(-0.1), "`load` must be at least 0, but it is -0.1"),
        (lambda: hebb_order_parameters(0.1, -1), "`temperature` must be at least 0, but it is -1"),
        (lambda: hebb_order_parameters(0.1, state="mixture"), "`state` must be one of 'retrieval'"),
        (lambda: hebb_free_energy(float("inf")), "`load` holds infinity"),
        (lambda: critical_load([0.1, -2.0]), "`temperature` must be at least 0, but it is -2"),
        (lambda: transition_load(-1.0), "`temperature` must be at least 0"),
        (lambda: spin_glass_temperature(-1.0), "`load` must be at least 0"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_one_program_serves_several_numbers_of_points():
    loads = np.linspace(0.01, 0.12, 8)
    expected = hebb_order_parameters(loads, 0.2).overlap
    programs = replica._parameters._cache_size()
    for count in (5, 6, 7):
        found = hebb_order_parameters(loads[:count], 0.2).overlap
        np.testing.assert_array_equal(found, expected[:count])
    assert replica._parameters._cache_size() == programs
    assert hebb_order_parameters(loads[:0], 0.2).overlap.shape == (0,)
    assert critical_load(np.full((2, 3), 0.3)).shape == (2, 3)
