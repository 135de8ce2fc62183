"""Capacities of sequences, against the formulas in their paper's words and against enumeration."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import factorial2

from attrax import models, theory
from attrax.evaluate import capacity_scan
from attrax.separation import Identity, Power

BETA = math.e**2 / math.cosh(2)


def test_capacities_are_those_of_the_paper():
    for degree in (1, 2, 3, 4):
        double = factorial2(2 * degree - 1)
        once = 100**degree / (2 * double * math.log(100))
        found = [theory.sequence_capacity(100, degree, x) for x in ("transition", "sequence")]
        np.testing.assert_allclose(found, [once, once / (degree + 1)], rtol=1e-5)
    once, every = (theory.sequence_capacity(20, None, x) for x in ("transition", "sequence"))
    np.testing.assert_allclose(once, BETA**19 / (2 * math.log(20)), rtol=1e-4)
    np.testing.assert_allclose(every, BETA**19 / (2 * math.log(BETA) * 20), rtol=1e-4)
    np.testing.assert_allclose(every, 13_754, rtol=1e-3)
    assert jnp.isinf(theory.sequence_capacity(200))
    np.testing.assert_allclose(theory.sequence_capacity(200, log=True), 128.7, rtol=1e-3)


@pytest.mark.parametrize(
    ("degrees", "gamma"),
    [
        ((1, 1), 1 + 2.5**2),
        ((2, 2), 3 * (1 + 2.5**2) + 2 * 2.5),
        ((4, 4), 105 * (1 + 2.5**2) + 2 * 2.5 * 9),
        ((2, 3), 3 * 2.5**2),
        ((3, 2), 3),
    ],
)
def test_mixed_capacities_are_those_of_the_paper(degrees, gamma):
    k = min(degrees)
    expected = 1.5**2 * 100**k / (2 * (k + 1) * gamma * math.log(100))
    np.testing.assert_allclose(
        theory.mixed_sequence_capacity(100, 2.5, *degrees), expected, rtol=1e-5
    )


def test_mixed_exponentials_lose_a_factor():
    for criterion in ("transition", "sequence"):
        ratio = theory.mixed_sequence_capacity(20, 2.5, criterion=criterion)
        ratio = ratio / theory.sequence_capacity(20, criterion=criterion)
        np.testing.assert_allclose(ratio, 1.5**2 / (1 + 2.5**2), rtol=1e-5)


@pytest.mark.parametrize("degree", [1, 2, 3, None])
def test_chances_are_those_of_all_overlaps(degree):
    """Two other patterns of five units: all their overlaps and signs."""
    d, wrong = 5, 0.0
    values = []
    for signs in itertools.product([-1, 1], repeat=d - 1):
        m = sum(signs) / (d - 1)
        f = m**degree if degree else math.exp((d - 1) * (m - 1))
        values += [f, -f]
    for pair in itertools.product(values, repeat=2):
        total = 1 + sum(pair)
        wrong += 0.5 if abs(total) < 1e-9 else float(total < 0)
    expected = wrong / len(values) ** 2
    found = theory.sequence_flip_probability(3, d, degree, exact=True)
    # So few terms lie on a lattice, where the blur of the signal counts.
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_exact_chances_are_measured_and_normal_ones_are_not():
    for d, n, degree in ((15, 629, None), (30, 100, 3)):
        separation = None if degree is None else Power(degree)
        scan = capacity_scan(
            lambda rows, s=separation: models.sequence_memory(rows, s, units="signs", cyclic=True),
            d,
            [n],
            meaning="transition",
            draws=10,
            key=jax.random.key(0),
        )
        exact, normal = (
            float(theory.sequence_flip_probability(n, d, degree, exact=x)) for x in (True, False)
        )
        measured = float((1 - scan.overlap[0]) / 2)
        assert abs(measured / exact - 1) < 0.5
        assert measured > 5 * normal


def test_the_noise_of_exponentials_is_least_normal_at_56_units():
    units = np.arange(10, 120)
    kurtosis = theory.sequence_kurtosis(theory.sequence_capacity(units), units)
    assert units[np.argmax(kurtosis)] == 56
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (200_000, 8))
    for degree, f in ((None, lambda m: np.exp(8 * (m - 1))), (1, lambda m: m)):
        noise = f(signs.mean(1)) * np.sign(np.random.default_rng(1).normal(size=200_000))
        ratio = np.mean(noise**4) / np.mean(noise**2) ** 2 - 3
        rtol = 0.1 if degree is None else 0.4
        expected = theory.sequence_kurtosis(2, 9, degree)
        np.testing.assert_allclose(expected, ratio, rtol=rtol, atol=0.3)


def test_scans_count_transitions_and_whole_sequences():
    scan = capacity_scan(
        lambda rows: models.sequence_memory(rows, Identity(), units="signs", cyclic=True),
        60,
        [2, 6, 20],
        meaning="transition",
        draws=12,
        key=jax.random.key(0),
    )
    assert scan.every.value[0] > 0.9
    assert scan.every.value[2] == 0
    assert scan.each.value[2] > 0.05
    np.testing.assert_allclose(scan.each.value, scan.successes.sum(1) / (12 * scan.sizes))
    whole = scan.successes == scan.sizes[:, None]
    np.testing.assert_allclose(scan.every.value, whole.mean(1))
    still = capacity_scan(
        lambda rows: models.SequenceMemory(rows, rows, units="signs"),
        60,
        [6],
        meaning="transition",
        draws=3,
        key=jax.random.key(0),
    )
    assert still.each.value[0] == 0


CALLS = {
    "sequence_capacity(1, 2)": "`d` must be at least 2",
    "sequence_capacity(10, 0.5)": "`degree` must be at least 1",
    "sequence_capacity(10, criterion='all')": "`criterion` must be one of",
    "mixed_sequence_capacity(10, 0.5)": "`strength` must be at least 1",
    "mixed_sequence_capacity(10, 2, 2)": "must both be given",
    "mixed_sequence_capacity(10, 2, 2, 2.5)": "`hold_degree` must be a whole number",
    "sequence_kurtosis(0, 10)": "`n_patterns` must be at least 1",
    "sequence_flip_probability(5, 9.5, exact=True)": "`d` must be a whole number",
    "sequence_flip_probability(5, 9, 1.5, exact=True)": "`degree` must be a whole number",
    "capacity_scan(make, 9, [2], meaning='transition', padded=True, key=key)": "`padded`",
    "capacity_scan(make, 9, [2], meaning='transition', tolerance=0.1, key=key)": "one exact update",
}
SETTING = """
import jax
from attrax.evaluate import capacity_scan
from attrax.models import sequence_memory
from attrax.theory import *
key = jax.random.key(0)
make = lambda rows: sequence_memory(rows, units="signs")
"""


@pytest.mark.plain(SETTING, CALLS)
def test_wrong_calls_say_what_to_do(answers):
    for call, text in CALLS.items():
        kinds, said = answers[call]
        assert {"ValueError", "TypeError"} & set(kinds), call
        assert text in said, (call, said)
