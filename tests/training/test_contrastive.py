"""Contrastive losses, and what a batch retrieves."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.models import modern_memory
from attrax.training import (
    cloob_loss,
    info_loob,
    info_nce,
    leave_one_out_logsumexp,
    retrieve_batch,
)

N, D, INVERSE, BETA = 12, 6, 7.0, 4.0
X, Y = np.random.default_rng(0).normal(size=(2, N, D)).astype(np.float32)
TRACED = []


@functools.partial(jax.jit, static_argnums=4)
def value_and_slopes(x, y, inverse, beta, name):
    """The loss of a name, and its slopes in the first three."""
    TRACED.append(name)

    def loss(x, y, inverse):
        if name == "cloob":
            return cloob_loss(x, y, inverse_temperature=inverse, beta=beta)
        return {"nce": info_nce, "loob": info_loob}[name](x, y, inverse)

    return jax.value_and_grad(loss, (0, 1, 2))(x, y, inverse)


def value(x, y, name, inverse=INVERSE, beta=BETA):
    return value_and_slopes(x, y, inverse, beta, name)[0]


def unit(rows):
    rows = np.asarray(rows, np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def read(queries, stored, beta=BETA):
    weights = np.exp(beta * unit(queries) @ unit(stored).T)
    return unit(weights / weights.sum(1, keepdims=True) @ unit(stored))


def defined(x, y, name, inverse=INVERSE):
    """The loss by its definition, in doubles."""
    if name == "cloob":
        pairs = (read(x, x), read(y, x)), (read(y, y), read(x, y))
        return sum(defined(*pair, "loob", inverse) for pair in pairs)
    exponents = inverse * unit(x) @ unit(y).T
    mask = np.ones_like(exponents, bool) if name == "nce" else ~np.eye(len(x), dtype=bool)
    sums = [np.logaddexp.reduce(row[there]) for row, there in zip(exponents, mask, strict=True)]
    return np.mean(sums - np.diagonal(exponents))


@pytest.mark.parametrize("name", ["nce", "loob", "cloob"])
def test_losses_and_slopes_are_those_of_their_definitions(name):
    found, slopes = value_and_slopes(X, Y, INVERSE, BETA, name)
    np.testing.assert_allclose(found, defined(X, Y, name), rtol=1e-5)
    rng, step = np.random.default_rng(1), 1e-5
    along = *rng.normal(size=(2, N, D)), rng.normal()
    ends = [
        defined(X + sign * along[0], Y + sign * along[1], name, INVERSE + sign * along[2])
        for sign in (step, -step)
    ]
    slope = sum(np.sum(np.asarray(a) * b) for a, b in zip(slopes, along, strict=True))
    np.testing.assert_allclose(slope, (ends[0] - ends[1]) / (2 * step), rtol=1e-3)
    # Lengths of rows do not count, and directions of the loss are two.
    np.testing.assert_allclose(value(1e3 * X, Y, name), found, rtol=1e-4)
    swapped = abs(value(Y, X, name) - found)
    assert swapped < 1e-4 if name == "cloob" else swapped > 1e-3


def test_losses_differ_by_what_the_own_candidate_adds():
    exponents = np.exp(INVERSE * unit(X) @ unit(Y).T)
    p = np.diagonal(exponents) / exponents.sum(1)
    apart = value(X, Y, "nce") - value(X, Y, "loob")
    np.testing.assert_allclose(apart, -np.mean(np.log(1 - p)), rtol=1e-4)


def test_a_batch_is_read_as_a_modern_hopfield_network_is():
    memory = modern_memory(unit(Y), BETA)
    reads = unit(jax.vmap(memory)(jnp.asarray(unit(X), jnp.float32)))
    found = retrieve_batch(X, Y, BETA)
    np.testing.assert_allclose(found, reads, atol=1e-6)
    np.testing.assert_allclose(found, read(X, Y), atol=1e-6)
    # From the mean of all to the row itself.
    np.testing.assert_allclose(retrieve_batch(X, X, 1e4), unit(X), atol=1e-6)
    mean = unit(unit(Y).mean(0, keepdims=True))
    np.testing.assert_allclose(retrieve_batch(X, Y, 1e-6), np.tile(mean, (N, 1)), atol=1e-4)
    assert retrieve_batch(X[:5], Y, BETA).shape == (5, D)


def test_at_a_large_beta_the_nearest_row_is_read():
    nearest = [(unit(a) @ unit(b).T).argmax(1) for a, b in ((Y, X), (X, Y))]
    pairs = (X, X[nearest[0]]), (Y, Y[nearest[1]])
    expected = sum(defined(*pair, "loob") for pair in pairs)
    np.testing.assert_allclose(value(X, Y, "cloob", beta=1e5), expected, rtol=1e-4)


def test_sums_are_exact_where_the_own_candidate_outweighs_all():
    rows = 100 * np.eye(4, D, dtype=np.float32)
    # 10⁸ itself, and 0 for the three others.
    np.testing.assert_allclose(
        leave_one_out_logsumexp(rows, rows, 1e4), np.full(4, np.log(3)), 1e-6
    )
    two = leave_one_out_logsumexp(X[:2], Y[:2], 3.0)
    np.testing.assert_allclose(two, [3 * X[0] @ Y[1], 3 * X[1] @ Y[0]], rtol=1e-5)
    found, slopes = value_and_slopes(X, X, 1e6, BETA, "loob")
    assert np.isfinite(found)
    assert all(np.isfinite(slope).all() for slope in slopes)


def test_rows_of_16_bits_are_summed_in_32():
    x, y = (np.tile(rows, (30, 1)).astype(jnp.bfloat16) for rows in (X, Y))
    found = info_loob(x, y, INVERSE)
    assert found.dtype == retrieve_batch(x, y, BETA).dtype == jnp.float32
    np.testing.assert_allclose(found, defined(x, y, "loob"), rtol=1e-5)


def test_products_of_all_pairs_are_never_held_at_once():
    rows = jax.ShapeDtypeStruct((8192, 4), jnp.float32)
    slope = jax.jit(jax.grad(info_loob), static_argnums=2)
    held = slope.lower(rows, rows, INVERSE).compile().memory_analysis()
    assert held is not None
    # A quarter of the products of all pairs.
    assert held.temp_size_in_bytes < 8192**2


def test_one_program_serves_all_temperatures():
    values = {float(value(X, Y, "cloob", a, b)) for a, b in ((2.0, 3.0), (5.0, 6.0), (5.0, 3.0))}
    assert len(values) == 3
    assert TRACED.count("cloob") == 1


def test_nan_stays_nan_and_rows_of_zeros_have_no_slope():
    hole, empty = X.copy(), X.copy()
    hole[3, 0], empty[3] = np.nan, 0
    assert np.isnan(value(hole, Y, "cloob"))
    found, slopes = value_and_slopes(empty, Y, INVERSE, BETA, "cloob")
    assert np.isfinite(found)
    np.testing.assert_array_equal(slopes[0][3], np.zeros(D))


SETTING = """
import numpy as np
from attrax.training import (
    cloob_loss, info_loob, info_nce, leave_one_out_logsumexp, retrieve_batch
)
x, y = np.eye(3, 4), np.eye(3, 4)[::-1]
hole = np.where(x == 1, np.nan, x)
"""
CASES = {
    "info_nce(x[0], y, 1.0)": "ValueError: `anchors` must have 2 axes",
    "info_nce(x, y[:2], 1.0)": "ValueError: `candidates` must have one row for each of `anchors`",
    "info_loob(x[:1], y[:1], 1.0)": "ValueError: `anchors` must have at least two rows",
    "info_loob(x, y, 0.0)": "ValueError: `inverse_temperature` must be positive",
    "info_loob(x, y, '30')": "TypeError: `inverse_temperature` must be a number",
    "info_nce(x, y, [1.0, 2.0])": "ValueError: `inverse_temperature` must be one number",
    "info_nce(x, hole, 1.0)": "ValueError: `candidates` holds NaN",
    "info_nce(x, ['a', 'b'], 1.0)": "TypeError: `candidates` must hold numbers",
    "leave_one_out_logsumexp(x, y[:, :3])": (
        "ValueError: `anchors` and `candidates` must have rows of one length"
    ),
    "retrieve_batch(x, y[:0], 1.0)": "ValueError: `queries` and `stored` must have rows of one",
    "retrieve_batch(x, y, -1)": "ValueError: `beta` must be positive and finite, but it is -1",
    "cloob_loss(x, y, beta=np.inf)": "ValueError: `beta` must be positive and finite",
    "cloob_loss(x[:1], y[:1])": "ValueError: `x` must have at least two rows",
    "cloob_loss(x, y[:2])": "ValueError: `y` must have one row for each of `x`, 3, but has 2",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_calls_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}")
