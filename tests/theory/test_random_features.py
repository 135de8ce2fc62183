import jax
import numpy as np
import pytest
from scipy.special import hyp1f1

from attrax.theory import (
    orthogonal_feature_bound,
    orthogonal_feature_error,
    softmax_feature_error,
)
from jitted import jitted


def test_errors_of_independent_directions_by_hand():
    """Unit vectors at a right angle, 64 directions: as the formulas of the paper give them."""
    expected = {"positive": 0.0998, "hyperbolic": 0.0432, "trigonometric": 0.0432}
    for kind, value in expected.items():
        assert float(softmax_feature_error(0.0, 2.0, 64, kind)) == pytest.approx(value, abs=6e-5)
    product, squares, count = np.array([0.5, -0.5, 0.2]), np.array([1.0, 1.0, 3.0]), 10
    z, apart, kernel = squares + 2 * product, squares - 2 * product, np.exp(product)
    formulas = {
        "positive": np.exp(z) * kernel**2 * (1 - np.exp(-z)) / count,
        "hyperbolic": np.exp(z) * kernel**2 * (1 - np.exp(-z)) ** 2 / (2 * count),
        "trigonometric": np.exp(z) * kernel**-2 * (1 - np.exp(-apart)) ** 2 / (2 * count),
    }
    for kind, value in formulas.items():
        found = softmax_feature_error(product, squares, count, kind)
        np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-9)
    # At y = −x and y = x.
    assert formulas["positive"][1] == formulas["trigonometric"][0] == 0


def test_orthogonal_errors_are_those_of_the_hypergeometric_function():
    with jax.enable_x64():
        for count, width in ((16, 16), (64, 16), (40, 16), (7, 1), (3, 500)):
            whole, left = divmod(count, width)
            pairs = whole * width * (width - 1) + left * (left - 1)
            for product, squares in ((0.0, 2.0), (0.3, 5.0), (-0.4, 0.8)):
                z = squares + 2 * product
                mean = hyp1f1(width, width / 2, z / 2) - np.exp(z)
                change = pairs / count**2 * np.exp(-squares) * mean
                for kind in ("positive", "hyperbolic"):
                    found = orthogonal_feature_error(product, squares, count, width, kind)
                    independent = softmax_feature_error(product, squares, count, kind)
                    np.testing.assert_allclose(found - independent, change, rtol=1e-9, atol=1e-15)


def simulated(rng, product, squares, count, width, draws):
    """Estimates by positive and hyperbolic features of orthogonal directions."""
    x, y = np.zeros((2, width))
    x[0] = y[0] = np.sqrt((squares / 2 + product) / 2)
    x[1] = np.sqrt((squares / 2 - product) / 2)
    y[1] = -x[1]
    q, r = np.linalg.qr(rng.normal(size=(draws, width, width)))
    rows = q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None]
    rows = rows[:, :count] * np.sqrt(rng.chisquare(width, (draws, count)))[..., None]
    angles = rows @ (x + y)
    return [np.mean(f(angles), axis=1) * np.exp(-squares / 2) for f in (np.exp, np.cosh)]


def test_orthogonal_errors_are_those_simulated_and_within_the_bound():
    rng = np.random.default_rng(0)
    estimates = simulated(rng, 0.1, 1.0, 5, 6, 40_000)
    bound = float(orthogonal_feature_bound(0.1, 1.0, 5, 6))
    for estimate, kind in zip(estimates, ("positive", "hyperbolic"), strict=True):
        squared = (estimate - np.exp(0.1)) ** 2
        found = float(orthogonal_feature_error(0.1, 1.0, 5, 6, kind))
        assert abs(squared.mean() - found) < 4 * squared.std() / 200
    assert float(orthogonal_feature_error(0.1, 1.0, 5, 6)) < bound
    assert bound < float(softmax_feature_error(0.1, 1.0, 5))
    assert float(orthogonal_feature_bound(0.0, 2.0, 16, 16)) == pytest.approx(0.358, abs=5e-4)


def test_the_formulas_are_programs():
    given = np.array([0.1, -0.2]), np.array([1.0, 2.0]), np.array([4.0, 5.0])
    for function, more in (
        (softmax_feature_error, ()),
        (orthogonal_feature_error, (np.array([6.0, 8.0]),)),
        (orthogonal_feature_bound, (np.array([6.0, 8.0]),)),
    ):
        found = jitted(function, *given, *more)
        np.testing.assert_allclose(found, function(*given, *more), rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: softmax_feature_error(1.0, 1.9, 4), r"`squares less 2 \|product\|` must be at"),
        (lambda: softmax_feature_error(0.0, 1.0, 0), "`count` must be at least 1"),
        (lambda: softmax_feature_error(0.0, 1.0, 2.5), "`count` must be a whole number"),
        (lambda: softmax_feature_error(0.0, 1.0, 2, "sine"), "`kind` must be one of"),
        (lambda: orthogonal_feature_error(0.0, 1.0, 2, 0.5), "`width` must be at least 1"),
        (lambda: orthogonal_feature_error(0.0, 1.0, 2, 4, "trigonometric"), "`kind` must be"),
        (lambda: orthogonal_feature_bound(0.0, 1.0, 5, 4), "`width less count` must be at least"),
    ],
)
def test_what_no_vectors_have_is_refused(call, text):
    with pytest.raises(ValueError, match=text):
        call()
