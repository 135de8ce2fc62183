"""What parts declare of themselves is so, on drawn scores, rows and states."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.separation import Softmax
from attrax.similarity import Dot
from conformance import registry

pytestmark = pytest.mark.usefixtures("x64")
DRAWS = 20


def scores_of(part):
    return registry.scores_of(part, DRAWS, np.random.default_rng(0), np.float64)


def states_of(lagrangian):
    rng = np.random.default_rng(0)
    states = rng.normal(size=(DRAWS, registry.WIDTH))
    return jnp.asarray(states if lagrangian.domain == "signed" else np.abs(states) + 0.05)


def looks_elementwise(function, inputs):
    """Whether the first output stays when all inputs but the first become those of other draws."""
    moved = jnp.roll(inputs, 1, axis=0).at[:, 0].set(inputs[:, 0])
    both = jax.jit(jax.vmap(function))(jnp.concatenate([inputs, moved]))
    before, after = np.split(np.asarray(both)[:, 0], 2)
    return np.allclose(before, after, rtol=1e-12, atol=1e-12)


def looks_shiftless(part, scores):
    """Whether what is added to all scores is added to the potential."""
    potential = jax.jit(jax.vmap(part.potential))
    off = potential(scores + 0.7) - potential(scores) - 0.7
    return float(jnp.max(jnp.abs(off))) < 1e-9


@pytest.mark.parametrize("name", registry.ALL_SEPARATIONS)
def test_a_separation_is_elementwise_if_it_says_so(name):
    part = registry.ALL_SEPARATIONS[name]
    assert looks_elementwise(part, scores_of(part)) is part.elementwise


@pytest.mark.parametrize(
    "name", [n for n, part in registry.ALL_SEPARATIONS.items() if part.lacks_potential is None]
)
def test_a_separation_ignores_shifts_if_it_says_so(name):
    part = registry.ALL_SEPARATIONS[name]
    assert looks_shiftless(part, scores_of(part)) is part.ignores_shifts


@pytest.mark.parametrize("name", registry.ALL_SEPARATIONS)
def test_a_separation_is_linear_and_normalised_if_it_says_so(name):
    part = registry.ALL_SEPARATIONS[name]
    scores = scores_of(part)
    weights = jax.jit(jax.vmap(part))(scores)
    sums = jnp.sum(weights, axis=-1, keepdims=True)
    # Of a plain function nothing is known.
    assert np.allclose(sums, 1, atol=1e-9) is (part.normalised or name == "function")
    divided = scores / jnp.sum(scores, axis=-1, keepdims=True) if part.normalised else scores
    assert np.allclose(weights, divided) is part.linear


@pytest.mark.parametrize("name", registry.ALL_SEPARATIONS)
def test_what_a_separation_says_of_its_slopes_is_so(name):
    """Logarithms of slopes, and shares of a whole, against derivatives."""
    part = registry.ALL_SEPARATIONS[name]
    scores = scores_of(part)
    both = jax.jit(jax.vmap(lambda s: (part(s), jax.jacfwd(part)(s))))(scores)
    weights, slopes = map(np.asarray, both)
    if part.elementwise and part.lacks_density is None:
        own = np.diagonal(slopes, axis1=-2, axis2=-1)
        np.testing.assert_allclose(jax.vmap(part.log_slope)(scores), np.log(own), atol=1e-9)
    shares = part.shares(scores[0])
    if shares is None:
        return
    beta = float(shares.beta)
    logs = jax.vmap(lambda s: part.shares(s).logs)(scores)
    np.testing.assert_allclose(np.exp(logs) / beta, weights, rtol=1e-6)
    expected = beta * weights[:, :, None] * (np.eye(registry.ROWS) - weights[:, None])
    np.testing.assert_allclose(slopes, expected, atol=1e-9)
    ghost = 0.0 if shares.ghost is None else np.exp(shares.ghost).item() / beta
    np.testing.assert_allclose(weights[0].sum() + ghost, 1, rtol=1e-6)


@pytest.mark.parametrize("name", registry.ALL_SEPARATIONS)
def test_nothing_outside_the_support_weighs_anything(name):
    part = registry.ALL_SEPARATIONS[name]
    scores = scores_of(part)[0]
    index, weights = part.support(scores)
    if index is not None:
        weights = jnp.zeros_like(scores).at[index].set(weights)
    np.testing.assert_allclose(weights, part(scores), rtol=1e-12)


@pytest.mark.parametrize("name", registry.ALL_SEPARATIONS)
def test_constant_weights_are_said_to_have_no_density(name):
    part = registry.ALL_SEPARATIONS[name]
    if part.lacks_potential is not None or part.domain != "signed":
        pytest.skip("noise is refused for another reason")
    slopes = jax.jit(jax.vmap(jax.jacfwd(part)))(scores_of(part))
    rank = np.linalg.matrix_rank(np.asarray(slopes), tol=1e-12).min()
    full = registry.ROWS - part.ignores_shifts
    assert bool(rank < full) is (part.lacks_density is not None)


def interaction(similarity, rows, states):
    """The largest part of s(k, v) − k·v that is neither of k alone nor of v alone; that of v."""
    scores = np.asarray(jax.jit(jax.vmap(similarity, (None, 0)))(rows, states))
    rest = scores - np.asarray(states) @ np.asarray(rows).T
    by_state = rest.mean(1) - rest.mean()
    mixed = rest - rest.mean(0) - by_state[:, None]
    return np.max(np.abs(mixed)), rest, by_state


@pytest.mark.parametrize("name", registry.ALL_SIMILARITIES)
def test_a_similarity_is_bilinear_if_it_says_so(name):
    part = registry.ALL_SIMILARITIES[name]
    rng = np.random.default_rng(0)
    rows, states = registry.rows_of(part, rng, np.float64), registry.rows_of(part, rng, np.float64)
    if part.encoded:
        rows, states = part.features(rows), part.features(states)
    mixed, rest, by_state = interaction(part, rows, states)
    if part.bilinear == "no":
        # Of a plain function nothing is known; rectified products of positive rows are products.
        assert mixed > 1e-3 or name in ("function", "function_rowwise", "rectified_dot")
        return
    assert mixed < 1e-12
    if part.bilinear == "plain":
        assert part.quadratic
        np.testing.assert_allclose(rest, 0, atol=1e-12)
    else:
        own = np.asarray(jax.vmap(lambda v: part.state_term(v) - 0.5 * jnp.sum(v**2))(states))
        np.testing.assert_allclose(by_state, own - own.mean(), atol=1e-12)


@pytest.mark.parametrize(
    "name", [n for n, part in registry.ALL_SIMILARITIES.items() if part.centroid is not None]
)
def test_a_centroid_is_the_sum_of_rows_where_it_says_so(name):
    part = registry.ALL_SIMILARITIES[name]
    rng = np.random.default_rng(0)
    rows = registry.rows_of(part, rng, np.float64)
    weights = jnp.asarray(rng.random(len(rows)))
    shares = weights / jnp.sum(weights)
    plain = [np.allclose(part.centroid.agree(rows, w), w @ rows) for w in (weights, shares)]
    assert (
        plain
        == {
            "never": [False, False],
            "normalised": [False, True],
            "always": [True, True],
        }[part.centroid.plain]
    )


@pytest.mark.parametrize("name", registry.ALL_LAGRANGIANS)
def test_what_a_lagrangian_says_is_so(name):
    part = registry.ALL_LAGRANGIANS[name]
    states = states_of(part)
    activations, values = jax.jit(jax.vmap(lambda x: (part.activation(x), part.value(x))))(states)
    # Of a plain function nothing is known.
    assert looks_elementwise(part.activation, states) is (part.elementwise or name == "function")
    assert np.allclose(activations, states) is part.quadratic or name == "identity"
    assert not part.quadratic or np.allclose(values, 0.5 * jnp.sum(states**2, axis=-1))
    assert np.allclose(jnp.sum(activations, axis=-1), 1) is part.normalised
    assert bool(jnp.all(jnp.abs(activations) == 1)) is part.two_valued
    if part.elementwise and part.lacks_density is None:
        slopes = np.asarray(jax.vmap(jax.jacfwd(part.activation))(states))
        own = np.diagonal(slopes, axis1=-2, axis2=-1)
        np.testing.assert_allclose(jax.vmap(part.log_slope)(states), np.log(own), atol=1e-9)


def test_false_declarations_are_caught():
    scores = scores_of(Softmax())
    assert not looks_elementwise(Softmax(2.0), scores)
    assert looks_elementwise(jnp.tanh, scores)
    assert not looks_shiftless(registry.ALL_SEPARATIONS["ghost"], scores)
    assert looks_shiftless(Softmax(2.0), scores)
    rows = registry.rows_of(Dot(), np.random.default_rng(0), np.float64)
    assert interaction(Dot(), rows, rows)[0] < 1e-12
    assert interaction(registry.ALL_SIMILARITIES["cosine"], rows, rows)[0] > 1e-3
