"""Circles in common, as a separation, against counts of all addresses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax.separation import CircleIntersection
from attrax.similarity import Cosine, Hamming
from attrax.theory import circle_intersection, fit_beta
from jitted import jitted

N, RADIUS = 10, 4


def counts(n, radius):
    """Addresses within a radius of 0 and of a point with δ ones, for every δ."""
    addresses = np.arange(2**n)
    ones = np.array([address.bit_count() for address in addresses.tolist()])
    return np.array(
        [np.sum((ones <= radius) & (ones[addresses ^ (2**k - 1)] <= radius)) for k in range(n + 1)]
    )


def test_weights_are_shares_of_a_circle():
    expected = counts(N, RADIUS)
    assert expected[:9].tolist() == [386, 260, 260, 190, 190, 130, 130, 70, 70]
    weights = jitted(CircleIntersection(N, RADIUS), -np.arange(N + 1.0))
    np.testing.assert_allclose(weights, expected / expected[0], rtol=1e-6)


def test_between_distances_weights_are_interpolated():
    part = CircleIntersection(N, RADIUS)
    halves = jitted(part, -np.array([0.5, 1.5, 2.25]))
    np.testing.assert_allclose(halves, np.array([323, 260, 242.5]) / 386, rtol=1e-6)
    # Beyond both ends they stay as they are, and so the potential is a line.
    scores = np.array([3.0, 0.0, -float(N), -30.0])
    np.testing.assert_allclose(jitted(part, scores), [1, 1, 0, 0])
    potential = jax.jit(jax.vmap(lambda s: part.potential(s[None])))(scores)
    np.testing.assert_allclose(potential[0] - potential[1], 3.0, rtol=1e-6)
    np.testing.assert_allclose(potential[2:], 0)


@pytest.mark.parametrize("scores", ["hamming", "cosine"])
def test_what_is_not_a_number_stays_so(scores):
    part = CircleIntersection(N, RADIUS, scores)
    weights = np.asarray(jitted(part, np.array([np.nan, np.inf, -np.inf], np.float32)))
    assert np.isnan(weights[0])
    assert weights[1:].tolist() == [1, 0]
    assert np.isnan(jitted(part.potential, np.array([0.0, np.nan], np.float32)))


def test_cosines_are_weighed_by_caps():
    part, cosines = CircleIntersection(64, 11, "cosine"), np.linspace(0.0, 1.0, 41)
    distances = 32 * (1 - cosines)
    with jax.enable_x64():
        share = circle_intersection(distances, 64, 11, form="caps")
        expected = np.asarray(share / share[-1])
    # A table of eight distances a bit.
    np.testing.assert_allclose(jitted(part, cosines), expected, atol=2e-3)
    slopes = np.asarray(jax.jit(jax.vmap(jax.grad(lambda s: part.potential(s[None]))))(cosines))
    np.testing.assert_allclose(slopes, jitted(part, cosines), rtol=1e-4, atol=1e-7)


def test_votes_by_circles_have_an_energy_that_falls():
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2, (40, 64))
    memory = attrax.Memory(
        bits, similarity=Hamming(), separation=CircleIntersection(64, 15), projection="centroid"
    )
    assert memory.lacks_energy is None
    cues = np.where(rng.random(bits.shape) < 0.3, 1 - bits, bits)
    found = attrax.retrieve(memory, cues, certify=True)
    assert found.certificate is not None
    assert bool(jnp.all(found.certificate.certified))
    near = np.sum(cues != bits, axis=1) <= 16
    assert (np.asarray(found.state)[near] == bits[near]).all()


def test_attention_at_the_fitted_beta_reads_alike():
    rng = np.random.default_rng(0)
    signs = rng.choice([-1.0, 1.0], (100, 64))
    cues = np.where(np.argsort(rng.random(signs.shape)) < 4, -signs, signs)
    softmax = attrax.separation.Softmax(fit_beta(64, 15).beta)
    circles = attrax.separation.SumNormalised(CircleIntersection(64, 15, "cosine"))
    reads = [
        np.asarray(jax.vmap(attrax.Memory(signs, similarity=Cosine(), separation=part))(cues))
        for part in (softmax, circles)
    ]
    assert (np.sign(reads[0]) == signs).all()
    assert np.abs(reads[0] - reads[1]).mean() < 0.05


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((10, 5), "less than n/2 = 5"),
        ((10, -1), "`radius`"),
        ((0, 0), "`n`"),
    ],
)
def test_circles_that_are_none_are_refused(arguments, text):
    with pytest.raises(ValueError, match=text):
        CircleIntersection(*arguments)
