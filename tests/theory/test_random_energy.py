import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.theory import (
    condensation_beta,
    free_entropy,
    largest_overlap,
    overlap_cumulant,
    overlap_rate,
    separation_rate,
    softmax_basin,
    softmax_rate,
)
from jitted import jitted

ENSEMBLES = ("spherical", "gaussian", "binary")
BETAS = np.asarray([0.05, 0.3, 0.5, 0.8, 1.0, 2.0, 5.0])
LOADS = np.asarray([0.01, 0.1, 0.3, 0.6])


def rate(overlap, ensemble):
    """The rate function by its definition, in double precision."""
    if ensemble == "gaussian":
        return overlap**2 / 2
    if ensemble == "spherical":
        return -np.log(1 - overlap**2) / 2
    return sum((1 + s * overlap) / 2 * np.log(1 + s * overlap) for s in (1, -1))


def grid(ensemble):
    overlap = np.linspace(0, 6 if ensemble == "gaussian" else 1, 600_002)[1:-1]
    return overlap, rate(overlap, ensemble)


@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_the_rate_and_its_transform(ensemble):
    overlap = np.asarray([-0.9, -0.3, 1e-3, 0.2, 0.7])
    with jax.enable_x64():
        found = jitted(overlap_rate, overlap, ensemble)
        np.testing.assert_allclose(found, rate(overlap, ensemble), rtol=1e-9)
    grids, rates = grid(ensemble)
    expected = [np.max(beta * grids - rates) for beta in BETAS]
    found = jitted(overlap_cumulant, BETAS, ensemble)
    np.testing.assert_allclose(found, expected, rtol=2e-6)
    tiny, huge = jitted(overlap_cumulant, np.asarray([1e-8, 1e6]), ensemble)
    assert tiny == pytest.approx(0.5e-16, rel=1e-5)
    assert huge == pytest.approx(5e11 if ensemble == "gaussian" else 1e6, rel=1e-4)


@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_overlaps_are_drawn_at_that_rate(ensemble):
    # P(ε ≥ 0.4) of drawn patterns falls with N at the rate I(0.4), and lies below e^{−NI}.
    rng = np.random.default_rng(0)
    logs = []
    sizes = np.asarray([20, 40])
    for n in sizes:
        if ensemble == "binary":
            rows = rng.choice([-1.0, 1.0], (300_000, n))
        else:
            rows = rng.standard_normal((300_000, n))
        if ensemble == "spherical":
            rows *= math.sqrt(n) / np.linalg.norm(rows, axis=1, keepdims=True)
        # Half of those exactly on the line, which signs can be.
        overlaps = rows.sum(1) / n
        logs.append(
            np.log(np.mean(overlaps > 0.4 + 1e-9) + np.mean(abs(overlaps - 0.4) < 1e-9) / 2)
        )
    slope = (logs[0] - logs[1]) / 20
    expected = float(overlap_rate(0.4, ensemble))
    # The prefactor N^{−1/2} adds ln(2)/40, and terms in 1/N take some of it off.
    assert expected < slope < expected + math.log(2) / 40 + 0.006
    assert max(np.asarray(logs) + sizes * expected) < 0


@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_the_free_entropy_is_the_constrained_maximum(ensemble):
    grids, rates = grid(ensemble)
    loads, betas = (x.ravel() for x in np.meshgrid(LOADS, BETAS))
    expected = [
        np.max((load - rates + beta * grids)[rates <= load])
        for load, beta in zip(loads, betas, strict=True)
    ]
    found = jitted(free_entropy, loads, betas, ensemble)
    np.testing.assert_allclose(found, expected, rtol=2e-5)
    last = [grids[rates <= load].max() for load in LOADS]
    np.testing.assert_allclose(jitted(largest_overlap, LOADS, ensemble), last, rtol=2e-5)
    # It is smooth where it freezes, and its slope is the overlap that counts.
    critical = jitted(condensation_beta, LOADS, ensemble)
    slope = jax.jit(jax.vmap(jax.grad(lambda b, a: free_entropy(a, b, ensemble))))
    for side in (1 - 1e-4, 1 + 1e-4):
        np.testing.assert_allclose(slope(critical * side, jnp.asarray(LOADS)), last, rtol=2e-4)


def test_thresholds_of_one_pattern_by_hand():
    betas = np.asarray([0.5, 1.0, 2.0, 5.0])
    by_hand = {
        "spherical": [0.3870, 0.6226, 0.9088, 1.3297],
        "binary": [0.3799, 0.5662, 0.6750, 0.6931],
        "gaussian": [0.375, 0.5, 0.5, 0.5],
    }
    for ensemble, expected in by_hand.items():
        found = np.asarray(jitted(softmax_rate, betas, ensemble, "one_pattern"))
        np.testing.assert_allclose(found, expected, atol=6e-5)
        # There the noise is as large as the signal, and it is less below.
        noise = np.asarray(jitted(free_entropy, found, betas, ensemble))
        np.testing.assert_allclose(noise, betas, rtol=1e-5)
        assert (np.asarray(jitted(free_entropy, 0.98 * found, betas, ensemble)) < betas).all()
    far = np.asarray(jitted(softmax_rate, np.asarray([1e3, 1e6]), "spherical", "one_pattern"))
    np.testing.assert_allclose(np.diff(far), math.log(1e3) / 2, rtol=1e-3)


def first_moment(load, beta, shrink):
    """The largest exponent of the number of Gaussian patterns that fail, over their lengths."""
    rho = np.linspace(1e-4, 1, 200_001)
    drowned = load >= rho * shrink
    cost = np.where(drowned, 0, np.maximum(rho / 2 - load, 0))
    return np.max(load - (rho - 1 - np.log(rho)) / 2 - cost)


def test_all_gaussian_patterns_are_kept_while_the_first_moment_vanishes():
    betas = np.asarray([0.05, 0.1, 0.2, 0.3, 0.5, 0.65, 1.0, 3.0])
    found = np.asarray(jitted(softmax_rate, betas, "gaussian"))
    np.testing.assert_allclose(
        found[[1, 2, 3, 4, 7]], [0.0567, 0.0918, 0.1176, 0.1527, math.log(2) / 4], atol=6e-5
    )
    for load, beta in zip(found, betas, strict=True):
        shrink = beta - beta**2 / 2 if beta < 1 else 0.5
        assert first_moment(0.99 * load, beta, shrink) < 0 < first_moment(1.01 * load, beta, shrink)
    slopes = jax.jit(jax.vmap(jax.grad(lambda beta: softmax_rate(beta, "gaussian"))))(betas)
    zero, below, above = jitted(softmax_rate, np.asarray([0, 0.299, 0.301]), "gaussian")
    assert slopes[3] == pytest.approx(float(above - below) / 0.002, rel=1e-3)
    assert slopes[-1] == 0
    assert zero == 0


def test_all_patterns_of_the_other_ensembles():
    for criterion in ("one_pattern", "all_patterns"):
        np.testing.assert_allclose(
            jitted(softmax_rate, np.asarray(2.0), "spherical", criterion), 0.9088, atol=6e-5
        )
    betas = np.asarray([0.2, 0.44, 0.46, 2.0])
    one = jitted(softmax_rate, betas, "binary", "one_pattern")
    found = jitted(softmax_rate, betas, "binary")
    np.testing.assert_allclose(found[:2], one[:2])
    np.testing.assert_allclose(found[2:], math.log(2) / 2)


def test_all_signs_differ_up_to_the_rate_of_all():
    # The chance that no two patterns of N = 200 signs are equal, on both sides of the rate.
    pairs = [
        2 * 200 * (float(softmax_rate(2.0, "binary")) + x) - math.log(2) for x in (-0.01, 0.01)
    ]
    kept = [math.exp(-math.exp(log - 200 * math.log(2))) for log in pairs]
    assert kept[0] > 0.9
    assert kept[1] < 0.1


@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_basins_end_where_the_noise_is_as_large(ensemble):
    loads, betas = np.meshgrid(LOADS, BETAS[1:])
    found = np.asarray(jitted(softmax_basin, loads, betas, ensemble))
    np.testing.assert_allclose(
        found * betas, jitted(free_entropy, loads, betas, ensemble), rtol=1e-5
    )
    # It falls with β, down to the largest overlap of another pattern.
    assert (np.diff(found, axis=0) <= 1e-6).all()
    frozen = betas > np.asarray(jitted(condensation_beta, loads, ensemble))
    nearest = np.asarray(jitted(largest_overlap, loads, ensemble))
    np.testing.assert_allclose(found[frozen], nearest[frozen], rtol=1e-5)
    assert (found[~frozen] > nearest[~frozen]).all()


def double(overlap):
    return 2 * overlap


@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_separations_keep_what_softmax_keeps(ensemble):
    overlaps = np.asarray([0.3, 0.6, 1.0])
    loads = jitted(separation_rate, double, overlaps, ensemble)
    expected = jitted(softmax_rate, np.asarray(2.0), ensemble, "one_pattern")
    assert float(loads[-1]) == pytest.approx(float(expected), abs=2e-6)
    # Where a query is drawn from the overlap m, that is the basin's end at this load.
    basins = jitted(softmax_basin, loads, np.full(3, 2.0), ensemble)
    np.testing.assert_allclose(basins, overlaps, rtol=1e-5)


def test_powers_and_compact_support():
    # Degree κN: ε²/2 − κ ln ε is least at √κ. With support from a on, others are heard at I(a).
    power = separation_rate(lambda overlap: 0.5 * jnp.log(overlap), ensemble="gaussian")
    assert float(power) == pytest.approx((1 - math.log(0.5)) / 4, abs=1e-6)
    support = separation_rate(lambda overlap: jnp.where(overlap > 0.5, 0.0, -jnp.inf))
    assert float(support) == pytest.approx(-math.log(0.75) / 2, abs=2e-4)
    # Patterns of 22 entries read by a power of degree 11, on both sides.
    rng = np.random.default_rng(0)
    kept = [
        np.mean(
            [
                np.sum(np.abs(rng.standard_normal(round(math.exp(load * 22))) / 22**0.5) ** 11) < 1
                for _ in range(60)
            ]
        )
        for load in (float(power) - 0.08, float(power) + 0.08)
    ]
    assert kept[0] > 0.85
    assert kept[1] < 0.15


def test_signs_end_at_ln_2():
    assert condensation_beta(math.log(2), "binary") == np.inf
    assert largest_overlap([0.0, 0.7], "binary").tolist() == [0, 1]
    assert free_entropy(0.8, 3.0, "binary") == pytest.approx(0.8 + math.log(math.cosh(3)), rel=1e-6)
    assert condensation_beta(0.0, "binary") == pytest.approx(0, abs=1e-9)
    with jax.enable_x64():
        load = 0.4
        slope = jax.grad(lambda x: condensation_beta(x, "binary"))(load)
        ends = [condensation_beta(load + x, "binary") for x in (1e-6, -1e-6)]
        assert slope == pytest.approx(float(ends[0] - ends[1]) / 2e-6, rel=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: overlap_rate(1.5), "`overlap` must be between -1 and 1, but it is 1.5"),
        (lambda: overlap_rate(0.5, "normal"), "`ensemble` must be one of 'spherical', 'gaussian'"),
        (lambda: overlap_cumulant(-1.0), "`beta` must be at least 0, but it is -1"),
        (lambda: largest_overlap(-0.1, "gaussian"), "`load` must be at least 0, but it is -0.1"),
        (lambda: condensation_beta(0.1, "sphere"), "`ensemble` must be one of"),
        (lambda: free_entropy(0.1, [1.0, -2.0]), "`beta` must be at least 0, but it is -2"),
        (lambda: free_entropy([0.1, 0.2], [1.0, 2.0, 3.0]), "do not go together"),
        (lambda: softmax_rate(float("nan")), "`beta`"),
        (lambda: softmax_rate(1.0, "gaussian", "typical"), "`criterion` must be one of"),
        (lambda: separation_rate(lambda x: x, 0.0), "`overlap` must be positive"),
        (lambda: separation_rate(lambda x: x, 1.5), "`overlap` must be between 0 and 1"),
        (lambda: separation_rate(lambda x: -x), "`log_weight` must not fall with the overlap"),
        (lambda: separation_rate(lambda x: x[0]), "`log_weight` must return the shape"),
        (lambda: softmax_basin(0.1, 0.0), "`beta` must be positive, but it is 0"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
