import jax
import jax.numpy as jnp
import pytest

from attrax.errors import NoEnergyError
from attrax.hierarchical import ConvexFunction, Neurons, Quadratic, SeparationLagrangian
from attrax.separation import Entmax, Exponential, Identity, Power, Softmax, SumNormalised


def log_cosh(x):
    return jnp.sum(jnp.logaddexp(x, -x))


CONVEX = [
    Quadratic(),
    ConvexFunction(log_cosh),
    SeparationLagrangian(Softmax(2.0)),
    SeparationLagrangian(Power(2, rectified=True)),
    SeparationLagrangian(Exponential(0.5)),
    SeparationLagrangian(Entmax(1.5)),
    SeparationLagrangian(Identity()),
]


@pytest.mark.parametrize("lagrangian", CONVEX, ids=repr)
def test_the_activation_is_the_gradient_of_a_convex_function(x64, lagrangian):
    x, y = jax.random.normal(jax.random.key(0), (2, 25, 6))
    values = jax.jit(jax.vmap(lagrangian.value))
    gradients = jax.jit(jax.vmap(jax.grad(lagrangian.value)))(x)
    activations = jax.jit(jax.vmap(lagrangian.activation))(x)
    assert jnp.allclose(activations, gradients, rtol=0, atol=1e-12)
    assert jnp.all(values((x + y) / 2) <= (values(x) + values(y)) / 2 + 1e-12)
    assert lagrangian.lacks_convexity is None
    if lagrangian.non_negative:
        assert jnp.all(activations >= 0)


def test_known_activations():
    x = jax.random.normal(jax.random.key(1), (6,))
    assert jnp.array_equal(Quadratic().activation(x), x)
    assert jnp.allclose(ConvexFunction(log_cosh).activation(x), jnp.tanh(x), atol=1e-6)
    softmax = SeparationLagrangian(Softmax(2.0)).activation(x)
    assert jnp.allclose(softmax, jax.nn.softmax(2 * x), atol=1e-6)


def test_a_separation_without_potential_has_no_energy_and_says_why():
    lagrangian = SeparationLagrangian(SumNormalised(Power(3)))
    assert "no gradient of a convex function" in lagrangian.lacks_convexity
    with pytest.raises(NoEnergyError, match="no gradient of a convex function"):
        Neurons(6, lagrangian).energy(jnp.ones(6))


@pytest.mark.parametrize("lagrangian", CONVEX, ids=repr)
def test_a_layers_energy_is_the_convex_dual(x64, lagrangian):
    # ∂E/∂g = x − I, written by the chain rule: ∂E/∂x = ∇²L (x − I).
    x, drive = jax.random.normal(jax.random.key(2), (2, 6))
    layer = Neurons(6, lagrangian, input=drive)
    bent = jax.jvp(layer.activation, (x,), (x - drive,))[1]
    assert jnp.allclose(jax.grad(layer.energy)(x), bent, rtol=0, atol=1e-11)
    expected = (x - drive) @ layer.activation(x) - lagrangian.value(x)
    assert jnp.allclose(layer.energy(x), expected)


def test_energies_of_half_precision_are_summed_in_single():
    energy = Neurons(6).energy(jnp.ones(6, jnp.bfloat16))
    assert energy.dtype == jnp.float32
    assert energy == 3


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: Neurons(0), ValueError, "`shape` must be a positive whole number"),
        (lambda: Neurons(()), ValueError, "`shape` must be a positive whole number"),
        (lambda: Neurons((3, True)), ValueError, "`shape` must be a positive whole number"),
        (lambda: Neurons(3, tau=-1.0), ValueError, "`tau` .* at least 0.* 0 makes the layer fast"),
        (lambda: Neurons(3, tau=float("nan")), ValueError, "`tau`"),
        (lambda: Neurons(3, input=jnp.ones(4)), ValueError, r"`input` must have .* shape \(3,\)"),
        (lambda: Neurons(3, input=[0, jnp.nan, 0]), ValueError, "`input` holds NaN"),
    ],
)
def test_wrong_layers_are_refused(make, error, text):
    with pytest.raises(error, match=text):
        make()
