"""Order parameters of networks that are taught by examples, against iteration and quadrature."""

import math

import jax
import numpy as np
import pytest
from scipy import integrate, special, stats

from attrax.theory import (
    dataset_entropy,
    dense_hebbian_critical_load,
    dense_hebbian_first_step,
    dense_hebbian_order_parameters,
    unsupervised_load,
)

pytestmark = pytest.mark.usefixtures("x64")
# Load, temperature, degree and entropy.
POINTS = [(0.02, 0.0, 4, 0.1), (0.01, 0.05, 4, 0.1), (0.0, 0.06, 4, 0.0), (0.03, 0.1, 3, 0.3)]


def iterated(load, temperature, degree, entropy, steps=3000):
    """m, z and q from z = 1/√(1 + ρ) and q = 1, by the equations as they stand."""
    nodes = np.linspace(-9, 9, 1801)
    weights = stats.norm.pdf(nodes) / stats.norm.pdf(nodes).sum()
    group, root = math.factorial(degree - 1), math.sqrt(1 + entropy)
    z, q = 1 / root, 1.0
    for _ in range(steps):
        s, w = z ** (degree - 1) / (group * root), load * q ** (degree - 1) / group
        deviation = math.sqrt(entropy * s**2 + w)
        if temperature:
            tanh = np.tanh((s + deviation * nodes) / temperature)
            m, q = weights @ tanh, weights @ tanh**2
            z = (m + entropy * s * (1 - q) / temperature) / root
        else:
            ratio = s / deviation
            m = special.erf(ratio / math.sqrt(2))
            bell = math.sqrt(2 / math.pi) * math.exp(-(ratio**2) / 2)
            z = (m + entropy * ratio * bell) / root
    return m, z, q


@pytest.mark.parametrize("point", POINTS)
def test_order_parameters_are_where_iteration_ends(point):
    np.testing.assert_allclose(dense_hebbian_order_parameters(*point), iterated(*point), rtol=1e-9)


def test_critical_loads_are_where_iteration_leaves():
    for degree, entropy, published in ((3, 0.3, 0.0770), (4, 0.0, 0.0330), (6, 0.1, 0.00064)):
        critical = float(dense_hebbian_critical_load(0.0, degree, entropy))
        assert critical == pytest.approx(published, rel=5e-3)
        assert iterated(0.999 * critical, 0, degree, entropy)[0] > 0.5
        assert iterated(1.002 * critical, 0, degree, entropy)[0] < 0.2
        below, above = dense_hebbian_order_parameters(
            critical * np.array([0.999, 1.001]), 0, degree, entropy
        ).overlap
        assert below > 0.5
        assert above == 0


def test_states_end_where_they_become_unstable_before_the_peak():
    for temperature, entropy in ((0.025, 0.4), (0.03, 0.2)):
        critical = float(dense_hebbian_critical_load(temperature, 4, entropy))
        below, above = (
            iterated(share * critical, temperature, 4, entropy) for share in (0.99, 1.01)
        )
        assert below[0] > 0.5
        assert above[0] < 0.01
        order = dense_hebbian_order_parameters(0.99 * critical, temperature, 4, entropy)
        np.testing.assert_allclose(order, below, rtol=1e-6)


def test_archetypes_are_lost_where_it_is_warm():
    # m = tanh(m³/(6 T)) has solutions m > 0 up to this temperature.
    low, high = 0.05, 0.2
    for _ in range(50):
        middle = (low + high) / 2
        overlaps = np.linspace(0.01, 1, 20_000)
        there = np.any(np.tanh(overlaps**3 / (6 * middle)) > overlaps)
        low, high = (middle, high) if there else (low, middle)
    loads = dense_hebbian_critical_load([0.99 * low, 1.01 * low], 4, 0.0)
    assert loads[0] > 0
    assert loads[1] == 0
    assert dense_hebbian_order_parameters(0.0, 1.01 * low).overlap == 0
    assert dense_hebbian_order_parameters(0.0, 0.99 * low).overlap > 0.5


def test_perfect_examples_of_few_archetypes_are_retrieved_whole():
    np.testing.assert_allclose(dense_hebbian_order_parameters(0.0, 0.0), 1, rtol=1e-12)
    assert dense_hebbian_first_step(0.0) == 1


def test_one_step_is_the_share_of_units_with_the_right_field():
    load, degree, entropy = 0.02, 4, 0.2
    signal = (1 + entropy) ** (-degree / 2) / 6
    variance = load / 6

    def right(g):
        field = signal * (1 + math.sqrt(entropy) * g)
        return stats.norm.pdf(g) * (2 * stats.norm.cdf(field / math.sqrt(variance)) - 1)

    expected = integrate.quad(right, -9, 9)[0]
    assert dense_hebbian_first_step(load, degree, entropy) == pytest.approx(expected, abs=1e-9)


def test_entropies_and_loads_are_the_moments_of_examples():
    rng, r, examples, degree = np.random.default_rng(0), 0.6, 7, 3
    signs = np.where(rng.random((200_000, examples, degree)) < (1 + r) / 2, 1.0, -1.0)
    entropy = float(dataset_entropy(r, examples))
    assert np.mean(signs.mean(1) ** 2) == pytest.approx(r**2 * (1 + entropy), rel=0.01)
    # The variance of a coupling from one class, without a teacher and with one.
    ratio = np.mean(signs.prod(2).mean(1) ** 2) / np.mean(signs.mean(1).prod(1) ** 2)
    assert unsupervised_load(0.02, r, examples, degree) == pytest.approx(0.02 * ratio, rel=0.03)
    np.testing.assert_allclose(unsupervised_load(0.02, [1.0, 0.3], [1, 1], 4), 0.02, rtol=1e-12)
    assert dataset_entropy(1.0, 1) == 0


def test_derivatives_are_those_of_the_solution():
    def overlap(load, temperature, entropy):
        return dense_hebbian_order_parameters(load, temperature, 4, entropy).overlap

    def critical(temperature, entropy):
        return dense_hebbian_critical_load(temperature, 4, entropy)

    for function, point in ((overlap, (0.01, 0.05, 0.1)), (critical, (0.05, 0.1))):
        places = tuple(range(len(point)))
        for i, slope in enumerate(jax.grad(function, places)(*point)):
            step = 1e-5 * np.eye(len(point))[i]
            ends = [float(function(*(np.array(point) + sign * step))) for sign in (1, -1)]
            assert slope == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4)


def test_shapes_broadcast_and_nan_passes_through():
    order = dense_hebbian_order_parameters([[0.0], [0.01]], [0.0, 0.02, 0.05], 4, 0.1)
    assert {a.shape for a in order} == {(2, 3)}
    one = dense_hebbian_order_parameters(0.01, 0.02, 4, 0.1)
    np.testing.assert_allclose([a[1, 1] for a in order], one, rtol=1e-9)
    assert np.isnan(jax.jit(dense_hebbian_order_parameters)(math.nan, 0.02)).all()


def test_single_precision_agrees():
    with jax.enable_x64(False):
        narrow = dense_hebbian_order_parameters(*zip(*POINTS, strict=True))
        loads = dense_hebbian_critical_load([0.0, 0.05, 0.0, 0.1], [4, 4, 6, 3], 0.1)
    wide = dense_hebbian_order_parameters(*zip(*POINTS, strict=True))
    np.testing.assert_allclose(narrow, wide, atol=1e-4)
    expected = dense_hebbian_critical_load([0.0, 0.05, 0.0, 0.1], [4, 4, 6, 3], 0.1)
    np.testing.assert_allclose(loads, expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: dense_hebbian_order_parameters(-0.1), "`load` must be at least 0"),
        (lambda: dense_hebbian_order_parameters(0.1, -1.0), "`temperature` must be at least 0"),
        (lambda: dense_hebbian_order_parameters(0.1, 0.0, 2), "`degree` must be at least 3"),
        (lambda: dense_hebbian_critical_load(0.0, 3.5), "`degree` must be a whole number"),
        (lambda: dense_hebbian_critical_load(0.0, 4, -0.1), "`entropy` must be at least 0"),
        (lambda: dense_hebbian_first_step(0.1, 4, [[math.nan]]), "entropy"),
        (lambda: dataset_entropy(0.0, 3), "`quality` must be positive"),
        (lambda: dataset_entropy(1.1, 3), "`quality` must be between 0 and 1"),
        (lambda: unsupervised_load(0.1, 0.5, 0), "`examples` must be at least 1"),
    ],
)
def test_wrong_calls_say_what_to_do(call, text):
    with pytest.raises(ValueError, match=text):
        call()
