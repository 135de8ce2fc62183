"""Implicit mixing: the inverse, its gradient, its network, and norms from above."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.common.checks import NoEnergyError
from attrax.dynamics import FixedPoint
from attrax.nn import (
    IMLP,
    HopfieldMixer,
    IMixer,
    ImplicitMixing,
    soft_spectral_normalise,
    spectral_norm,
)
from jitted import jitted

KEY = jax.random.key(0)
rng = np.random.default_rng(0)
REST = FixedPoint(rtol=1e-13, atol=1e-13)
X, Z = rng.normal(size=(6, 5)), rng.normal(size=7)
norm_of = eqx.filter_jit(spectral_norm)
slope_of = eqx.filter_jit(jax.grad(spectral_norm))


def imlp(n_iter=4, **options):
    """With weights so large that they are shrunk."""
    made = IMLP(7, 8, 2, n_iter=n_iter, key=KEY, **options)
    made = eqx.tree_at(lambda m: m.inner.weight, made, 4 * made.inner.weight)
    if made.tied:
        return made
    return eqx.tree_at(lambda m: m.outer.weight, made, 4 * made.outer.weight)


@pytest.mark.parametrize("shape", [(6, 9), (9, 6), (5, 5), (1, 1), (1, 4)])
@pytest.mark.usefixtures("x64")
def test_norms_come_from_above_and_their_slope_is_that_of_the_largest_value(shape):
    weights = rng.normal(size=shape)
    exact = np.linalg.norm(weights, 2)
    bound = float(norm_of(weights))
    assert exact * (1 - 1e-14) <= bound <= exact * min(shape) ** (1 / 1024) * (1 + 1e-14)
    left, _, right = np.linalg.svd(weights)
    slope = slope_of(jnp.asarray(weights))
    np.testing.assert_allclose(slope, np.outer(left[:, 0], right[0]), atol=1e-3)


def test_norms_of_any_size():
    zeros, ones = jnp.zeros((5, 5)), jnp.eye(5)
    assert float(norm_of(zeros)) == 0
    assert float(jnp.max(jnp.abs(slope_of(zeros)))) == 0
    assert float(norm_of(1e30 * jnp.ones((5, 5)))) == pytest.approx(5e30, rel=1e-5)
    assert 1 - 1e-6 <= float(norm_of(ones)) <= 5 ** (1 / 1024) + 1e-6
    assert jnp.isfinite(slope_of(ones)).all()
    assert jnp.isnan(norm_of(jnp.nan * ones))
    assert norm_of(ones.astype(jnp.bfloat16)).dtype == jnp.bfloat16


def test_small_matrices_are_left_alone_and_large_ones_shrunk_to_the_bound():
    weights = rng.normal(size=(6, 9)).astype(np.float32)
    small = 0.5 * weights / np.linalg.norm(weights, 2)
    assert (soft_spectral_normalise(small, 0.9) == small).all()
    shrunk = np.linalg.norm(soft_spectral_normalise(weights, 0.9), 2)
    assert 0.9 * 0.99 < shrunk < 0.9 * (1 + 1e-6)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.usefixtures("x64")
def test_the_fixed_point_is_the_inverse(tied):
    made = imlp(REST, tied=tied)
    assert float(jitted(made.gap, Z)) < 1e-12
    assert float(jitted(imlp(1, tied=tied).gap, Z)) > 1e-3
    active = _gelu(jitted(made.solve, Z))
    weights = made.up.weight.T if tied else made.down.weight
    bias = 0 if tied else made.down.bias
    np.testing.assert_allclose(jitted(made, Z), weights @ active + bias, rtol=1e-12, atol=1e-14)


@pytest.mark.usefixtures("x64")
def test_iterations_are_those_of_numpy():
    made = imlp(3, activation="relu", bound=0.5)
    inner, outer = (
        np.asarray(w) / max(1, np.linalg.norm(w, 2) / 0.5)
        for w in (made.inner.weight, made.outer.weight)
    )
    a = made.up.weight @ Z + made.up.bias
    y = a
    for _ in range(3):
        deep = inner @ np.maximum(y, 0) + made.inner.bias
        y = a + outer @ np.maximum(deep, 0) + made.outer.bias
    # Norms are taken from above, by at most 8^(1/1024).
    np.testing.assert_allclose(jitted(made.solve, Z), y, rtol=1e-2)
    assert (imlp(0).solve(Z) == imlp(0).drive(Z)).all()


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.usefixtures("x64")
def test_the_implicit_gradient_is_that_of_many_iterations(tied):
    def slopes(n_iter):
        made = imlp(n_iter, tied=tied)
        found = jitted(eqx.filter_grad(lambda m, z: jnp.sum(jnp.sin(m(z)))), made, Z)
        return jax.tree.leaves(eqx.filter(found, eqx.is_inexact_array))

    for one, other in zip(slopes(REST), slopes(100), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-11)


@pytest.mark.usefixtures("x64")
def test_a_contraction_is_promised_only_where_the_slope_allows_it():
    """GELU is steepest at √2, with 1.129: beyond c = 0.886 nothing is promised."""
    steepest = max(map(float, jax.vmap(jax.grad(_gelu))(jnp.linspace(1.4, 1.43, 301))))
    assert 1.12890 < steepest < 1.12891

    def contraction(**options):
        return float(jitted(lambda m: m.contraction, imlp(**options)))

    assert contraction(bound=0.88) < 1 < contraction(bound=0.9)
    assert contraction(bound=0.9, activation="relu") < 0.82
    made = imlp(bound=0.88)
    turned = made._equation(jnp.zeros(8))
    jacobians = jitted(jax.vmap(jax.jacfwd(turned.pull)), jnp.asarray(rng.normal(size=(50, 8))))
    largest = np.linalg.norm(np.asarray(jacobians), 2, axis=(1, 2)).max()
    assert 0.1 < largest < contraction(bound=0.88)


def _gelu(x):
    return jax.nn.gelu(x, approximate=False)


def implicit(activation="relu", n_iter=REST, *, tied=True):
    made = ImplicitMixing(6, 5, 4, 2, n_iter=n_iter, tied=tied, activation=activation, key=KEY)
    return eqx.tree_at(lambda m: m.mlp.inner.weight, made, 4 * made.mlp.inner.weight)


@pytest.mark.usefixtures("x64")
def test_a_tied_layer_is_a_step_of_its_network_of_three_layers():
    made = implicit()
    network = made.network()
    y = jitted(lambda m, x: jax.vmap(m.mlp.solve, 1, 1)(m.norm.activation(x)), made, X)
    states = {"visible": jnp.asarray(X), "hidden": y}
    pull = network.pull(states)
    np.testing.assert_allclose(jitted(made, X), X + pull["visible"], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(pull["hidden"], y, atol=1e-11)
    energy = float(network.energy(states))
    assert float(jitted(made.energy, X)) == pytest.approx(energy, rel=1e-12)
    assert network.neurons["hidden"].tau == 0.01
    assert implicit("gelu").network().lacks_energy is not None


def slopes(made, x):
    return jax.grad(made.energy)(x), jax.vjp(made.norm.activation, x)[1](x - (made(x) - x))[0]


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.usefixtures("x64")
def test_the_step_is_the_slope_of_the_energy_in_the_activation(activation):
    slope, back = jitted(slopes, implicit(activation), jnp.asarray(X))
    np.testing.assert_allclose(slope, back, rtol=1e-8, atol=1e-11)


def test_what_has_no_energy_says_why():
    assert implicit().lacks_energy is None
    untied, few = implicit(tied=False), implicit(n_iter=2)
    assert "tied=True" in str(untied.lacks_energy)
    assert "after 2 iterations" in str(few.lacks_energy)
    for call in (lambda: untied.energy(X), untied.network, lambda: few.energy(X)):
        with pytest.raises(NoEnergyError):
            call()
    assert few.network().lacks_energy is None
    assert "of their own" in IMixer(6, 5, tied=True, n_iter=REST, key=KEY).lacks_energy


def test_without_iterations_it_is_the_mixer():
    block = IMixer(6, 8, n_iter=0, key=KEY)
    mlp = block.token_mixing.mlp
    mixer = eqx.tree_at(
        lambda m: (m.token_mixing.inner, m.token_mixing.outer, m.channel_mixing),
        HopfieldMixer(6, 8, tied=False, activation="gelu", key=KEY),
        (mlp.up, mlp.down, block.channel_mixing),
    )
    x = rng.normal(size=(6, 8)).astype(np.float32)
    plain = jitted(mixer, x)
    np.testing.assert_allclose(jitted(block, x), plain, rtol=1e-6, atol=1e-6)
    assert float(jnp.max(jnp.abs(jitted(IMixer(6, 8, n_iter=1, key=KEY), x) - plain))) > 1e-3


@pytest.mark.parametrize("n_iter", [3, FixedPoint()])
def test_halves_batches_and_gradients(n_iter):
    made = ImplicitMixing(6, 5, 4, n_iter=n_iter, tied=True, key=KEY)
    half = jax.tree.map(lambda x: x.astype(jnp.bfloat16) if eqx.is_inexact_array(x) else x, made)
    tables = jnp.asarray(rng.normal(size=(3, 6, 5)), jnp.float32)

    @eqx.filter_jit
    @eqx.filter_value_and_grad
    def loss(layer, tables):
        return jnp.mean(jnp.square(jax.vmap(layer)(tables).astype(jnp.float32)))

    value, slopes = loss(made, tables)
    rough, narrow = loss(half, tables.astype(jnp.bfloat16))
    assert float(rough) == pytest.approx(float(value), rel=0.02)
    assert narrow.mlp.inner.weight.dtype == jnp.bfloat16
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: imlp()(X), ValueError, r"`z` must have shape \(7,\)"),
        (lambda: imlp(-1), ValueError, "`n_iter` must be a whole number of at least 0"),
        (lambda: imlp(bound=0.0), ValueError, "`bound` must be positive"),
        (lambda: IMLP(7, 8, 0, key=KEY), ValueError, "`ratio` must be a positive"),
        (lambda: implicit()(X.T), ValueError, "`x` must be a table"),
        (lambda: implicit().network(0.0), ValueError, "both fast and joined"),
        (lambda: spectral_norm(Z), ValueError, "`weights` must have 2 axes"),
        (lambda: soft_spectral_normalise(X, -1), ValueError, "`bound` must be positive"),
    ],
)
def test_wrong_calls_say_what_is_wrong(call, kind, words):
    with pytest.raises(kind, match=words):
        call()
