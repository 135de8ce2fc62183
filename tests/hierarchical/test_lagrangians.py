import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.hierarchical import (
    Absolute,
    ConvexFunction,
    DenseSynapse,
    HierarchicalMemory,
    LayerNorm,
    Neurons,
    Quadratic,
    RectifiedExponential,
    SeparationLagrangian,
    Sigmoid,
    SphericalNorm,
    Tanh,
)
from attrax.separation import GhostSoftmax, Power, Softmax
from conformance.registry import LAGRANGIANS, cases


@pytest.mark.parametrize("name", cases(LAGRANGIANS))
def test_the_activation_is_the_gradient_of_a_convex_function(x64, name):
    lagrangian = LAGRANGIANS[name]

    @jax.jit
    def look(x, y):
        values, gradients = jax.vmap(jax.value_and_grad(lagrangian.value))(x)
        between, other = jax.vmap(lagrangian.value)((x + y) / 2), jax.vmap(lagrangian.value)(y)
        one_by_one = jax.lax.map(lagrangian.activation, x)
        return values, other, between, gradients, jax.vmap(lagrangian.activation)(x), one_by_one

    draws = np.random.default_rng(0).normal(size=(2, 25, 6))
    values, other, between, gradients, activations, one_by_one = look(*draws)
    assert jnp.allclose(activations, gradients, rtol=0, atol=1e-12)
    assert jnp.allclose(activations, one_by_one, rtol=0, atol=1e-13)
    assert jnp.all(between <= (values + other) / 2 + 1e-12)
    assert jnp.any(between < (values + other) / 2 - 1e-3)
    if lagrangian.non_negative:
        assert jnp.all(activations >= 0)
    if lagrangian.elementwise:
        # The first neuron of each state gets the state that it has in another.
        changed = np.concatenate([np.roll(draws[0, :, :1], 1, 0), draws[0, :, 1:]], 1)
        others = look(changed, draws[1])[4][:, 1:]
        assert jnp.allclose(others, activations[:, 1:], rtol=0, atol=1e-13)


X = np.array([1.5, -0.7, 0.2, 0.0, -2.0, 0.9])


SHIFT = np.arange(6) / 4


@eqx.filter_jit
def looked_at(lagrangian, x):
    """L, its gradient, and the activation."""
    return *jax.value_and_grad(lagrangian.value)(x), lagrangian.activation(x)


def softplus(x):
    return np.log1p(np.exp(x))


def spread(x, epsilon=1e-5):
    return np.sqrt(np.mean((x - x.mean()) ** 2) + epsilon)


@pytest.mark.parametrize(
    ("lagrangian", "value", "activation"),
    [
        (Quadratic(), np.sum(X**2) / 2, X),
        (Tanh(2.0), np.sum(np.log(np.cosh(2 * X))) / 2, np.tanh(2 * X)),
        (Sigmoid(2.0), np.sum(softplus(2 * X)) / 2, 1 / (1 + np.exp(-2 * X))),
        (
            RectifiedExponential(2.0),
            np.sum(np.exp(2 * np.maximum(X, 0)) / 2 - np.maximum(X, 0)),
            np.exp(2 * np.maximum(X, 0)) - 1,
        ),
        (Absolute(), np.sum(np.abs(X)), np.sign(X)),
        (
            LayerNorm(1.5, 0.5),
            6 * 1.5 * spread(X) + 0.5 * X.sum(),
            1.5 * (X - X.mean()) / spread(X) + 0.5,
        ),
        (
            SphericalNorm(1.5, SHIFT, epsilon=0.0),
            1.5 * np.linalg.norm(X) + SHIFT @ X,
            1.5 * X / np.linalg.norm(X) + SHIFT,
        ),
        (
            SeparationLagrangian(Power(1, rectified=True)),
            np.sum(np.maximum(X, 0) ** 2) / 2,
            np.maximum(X, 0),
        ),
        (
            SeparationLagrangian(GhostSoftmax(2.0)),
            np.log1p(np.sum(np.exp(2 * X))) / 2,
            np.exp(2 * X) / (1 + np.sum(np.exp(2 * X))),
        ),
        (ConvexFunction(lambda x: jnp.sum(x**4)), np.sum(X**4), 4 * X**3),
    ],
    ids=repr,
)
def test_values_and_activations_are_those_of_the_formula(x64, lagrangian, value, activation):
    found, _, activations = looked_at(lagrangian, X)
    assert np.allclose(found, value, rtol=1e-12)
    assert np.allclose(activations, activation, rtol=1e-12)


FAR = np.float32([100, -100, 100, 0, -100])


@pytest.mark.parametrize(
    ("lagrangian", "value", "activation"),
    [
        (Tanh(), 400 - 4 * np.log(2), [1, -1, 1, 0, -1]),
        (Tanh(10.0), 400 - 0.4 * np.log(2), [1, -1, 1, 0, -1]),
        (Sigmoid(), 200 + np.log(2), [1, 0, 1, 0.5, 0]),
        (SeparationLagrangian(Softmax()), 100 + np.log(2), [0.5, 0, 0.5, 0, 0]),
        (SeparationLagrangian(Softmax(50.0)), 100 + np.log(2) / 50, [0.5, 0, 0.5, 0, 0]),
        (SeparationLagrangian(GhostSoftmax()), 100 + np.log(2), [0.5, 0, 0.5, 0, 0]),
        (LayerNorm(), 5 * spread(FAR), (FAR - FAR.mean()) / spread(FAR)),
        (SphericalNorm(), 200, FAR / 200),
    ],
    ids=repr,
)
def test_states_far_from_zero_do_not_overflow(lagrangian, value, activation):
    found, slope, activations = looked_at(lagrangian, FAR)
    assert np.allclose(found, value, rtol=1e-6)
    assert np.allclose(activations, activation, atol=1e-6)
    assert np.allclose(slope, activation, atol=1e-6)
    for part in looked_at(lagrangian, np.full(5, -100, np.float32)):
        assert np.all(np.isfinite(part))


@pytest.mark.parametrize(
    "lagrangian",
    [SphericalNorm(2.0, 0.5, epsilon=0.0), SphericalNorm(2.0, 0.5), LayerNorm(2.0, 0.5)],
    ids=repr,
)
def test_a_state_of_zero_has_an_activation_and_slopes(lagrangian):
    @jax.jit
    def bent(x):
        return jax.jvp(lagrangian.activation, (x,), (jnp.ones(6),))[1]

    zero = np.zeros(6, np.float32)
    _, slope, activation = looked_at(lagrangian, zero)
    assert jnp.array_equal(activation, jnp.full(6, 0.5))
    assert jnp.array_equal(slope, activation)
    assert jnp.all(jnp.isfinite(bent(zero)))


def test_with_no_epsilon_the_activation_does_not_change_along_the_state(x64):
    lagrangian = SphericalNorm(1.3, epsilon=0.0)
    activation, bent = jax.jit(lambda x: jax.jvp(lagrangian.activation, (x,), (x,)))(X)
    assert np.allclose(np.linalg.norm(activation), 1.3)
    assert np.allclose(bent, 0, atol=1e-15)


LEARNT = {
    "tanh": Tanh(1.3),
    "sigmoid": Sigmoid(0.8),
    "rectified_exponential": RectifiedExponential(0.7),
    "softmax": SeparationLagrangian(Softmax(2.0)),
    "ghost": SeparationLagrangian(GhostSoftmax(1.5)),
    "layer_norm": LayerNorm(1.2, X[:5]),
    "spherical_norm": SphericalNorm(0.9, X[:5]),
}


@pytest.mark.parametrize("name", LEARNT)
def test_parameters_have_their_true_gradients(x64, name, rows):
    lagrangian = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), LEARNT[name])
    layers = {"value": Neurons(6), "hidden": Neurons(5, lagrangian)}
    network = HierarchicalMemory(layers, {("value", "hidden"): DenseSynapse(rows(0, (5, 6)))})
    states = {"value": rows(1, (6,)), "hidden": rows(2, (5,)) - 0.5}

    @jax.jit
    def look(parameters, directions):
        def energy(parameters):
            where = eqx.tree_at(lambda n: n.neurons["hidden"].lagrangian, network, parameters)
            return where.energy(states)

        def ahead(direction, step):
            moved = jax.tree.map(lambda leaf, way: leaf + step * way, parameters, direction)
            return energy(moved)

        slopes = jax.grad(energy)(parameters)
        along = jax.vmap(lambda way: jax.tree.map(lambda a, b: jnp.sum(a * b), slopes, way))(
            directions
        )
        step = 1e-5
        ends = jax.vmap(ahead, (0, None))
        return along, (ends(directions, step) - ends(directions, -step)) / (2 * step)

    rng = np.random.default_rng(0)
    directions = jax.tree.map(lambda leaf: rng.normal(size=(4, *leaf.shape)), lagrangian)
    along, expected = look(lagrangian, directions)
    each = jax.tree.leaves(along)
    assert len(each) == len(jax.tree.leaves(lagrangian)) >= 1
    assert jnp.allclose(sum(each), expected, rtol=1e-7, atol=1e-9)
    assert all(jnp.all(jnp.abs(one) > 1e-3) for one in each)


@pytest.mark.parametrize(
    "make",
    [
        lambda axis: LayerNorm(1.2, 0.3, axis=axis),
        lambda axis: SphericalNorm(1.2, 0.3, axis=axis),
        lambda axis: SeparationLagrangian(Softmax(2.0), axis=axis),
    ],
    ids=["layer_norm", "spherical_norm", "softmax"],
)
def test_an_axis_makes_rows_that_do_not_mix(x64, make):
    x, row = np.random.default_rng(0).normal(size=(3, 6)), make(None)
    values, _, expected = zip(*(looked_at(row, one) for one in x), strict=True)
    for axis in (-1, 0):
        turned = x if axis else x.T
        value, slope, activation = looked_at(make(axis), turned)
        assert np.allclose(activation if axis else activation.T, expected, rtol=0, atol=1e-14)
        assert np.allclose(slope, activation, rtol=0, atol=1e-13)
        assert np.allclose(value, sum(values), rtol=1e-13)
    whole = looked_at(row, x)[2]
    assert np.allclose(whole, looked_at(row, x.reshape(-1))[2].reshape(3, 6), atol=1e-14)
    assert not np.allclose(whole, expected, atol=1e-2)


def test_several_axes_are_normalised_together(x64):
    x = np.random.default_rng(0).normal(size=(2, 3, 6))
    together = looked_at(LayerNorm(axis=(1, 2)), x)[2]
    assert np.allclose(together[0], looked_at(LayerNorm(), x[0])[2], rtol=0, atol=1e-14)
    assert np.allclose(np.mean(together, (1, 2)), 0, atol=1e-14)


@pytest.mark.parametrize("kind", [LayerNorm, SphericalNorm])
@pytest.mark.parametrize("shape", [(), (6,), (3, 6), (3, 1)])
def test_the_shift_is_added_once(x64, kind, shape):
    rng = np.random.default_rng(0)
    x, delta = rng.normal(size=(3, 6)), rng.normal(size=shape)
    plain = looked_at(kind(1.2, axis=-1), x)
    value, slope, activation = looked_at(kind(1.2, delta, axis=-1), x)
    assert np.allclose(activation, np.asarray(plain[2]) + delta, rtol=0, atol=1e-14)
    assert np.allclose(slope, activation, rtol=0, atol=1e-13)
    extra = np.sum(np.broadcast_to(delta, (3, 6)) * x)
    assert np.allclose(value - plain[0], extra, rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "layer_norm", "spherical_norm", "softmax"])
def test_half_precision_stays_half_and_sums_in_single(name):
    lagrangian = LEARNT[name]
    half = X[:5].astype(jnp.bfloat16)
    narrow, wide = (looked_at(lagrangian, x) for x in (half, half.astype(np.float32)))
    assert narrow[2].dtype == jnp.bfloat16
    assert np.allclose(narrow[2].astype(np.float32), wide[2], atol=0.03)
    assert Neurons(5, lagrangian).energy(jnp.asarray(half)).dtype == jnp.float32
