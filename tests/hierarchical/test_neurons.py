import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.common.checks import NoEnergyError
from attrax.hierarchical import (
    Absolute,
    ConvexFunction,
    LayerNorm,
    Neurons,
    Quadratic,
    SeparationLagrangian,
    SphericalNorm,
    Tanh,
)
from attrax.separation import Power, Softmax, SumNormalised
from conformance.registry import LAGRANGIANS


@pytest.mark.parametrize("name", LAGRANGIANS)
def test_a_layers_energy_is_the_convex_dual(x64, name):
    # ∂E/∂g = x − I, written by the chain rule: ∂E/∂x = ∇²L (x − I).
    rng = np.random.default_rng(0)
    x, drive = rng.normal(size=(2, 6))
    layer = Neurons(6, LAGRANGIANS[name], input=drive)

    @jax.jit
    def look(x):
        bent = jax.jvp(layer.activation, (x,), (x - drive,))[1]
        plain = (x - drive) @ layer.activation(x) - layer.lagrangian.value(x)
        return *jax.value_and_grad(layer.energy)(x), bent, plain

    energy, slope, bent, plain = look(x)
    assert jnp.allclose(slope, bent, rtol=0, atol=1e-11)
    assert jnp.allclose(energy, plain, rtol=1e-12)


def test_defaults_and_short_forms():
    plain = Neurons(3)
    assert plain.shape == (3,)
    assert isinstance(plain.lagrangian, Quadratic)
    assert (plain.tau, plain.input, plain.start, plain.clamped) == (1.0, None, None, None)
    assert isinstance(Neurons((2, 3), Softmax(4.0)).lagrangian, SeparationLagrangian)
    assert Neurons((2, 3)).size == 6
    assert Neurons(3, None, 1).tau == 1.0
    # Numbers become floats, and shapes must fit.
    assert Neurons(3, input=[1, 2, 3]).input.dtype == jnp.float32
    assert Neurons(3, clamped=False).clamped is None
    assert Neurons(3, clamped=True).clamped.shape == (3,)
    assert Neurons(3, clamped=[True, False, True]).clamped.dtype == bool


def test_what_is_held_does_not_change():
    old, new = jnp.zeros(3), jnp.ones(3)
    assert jnp.array_equal(Neurons(3).held(old, new), new)
    assert jnp.array_equal(Neurons(3, clamped=True).held(old, new), old)
    some = Neurons(3, Absolute(), clamped=[True, False, False]).held(old, new)
    assert jnp.array_equal(some, jnp.array([0.0, 1, 1]))


def test_energies_of_half_precision_are_summed_in_single():
    energy = Neurons(6).energy(jnp.ones(6, jnp.bfloat16))
    assert energy.dtype == jnp.float32
    assert energy == 3


def test_a_separation_without_potential_has_no_energy_and_says_why():
    lagrangian = SeparationLagrangian(SumNormalised(Power(3)))
    assert "no gradient of a convex function" in lagrangian.lacks_convexity
    with pytest.raises(NoEnergyError, match="no gradient of a convex function"):
        Neurons(6, lagrangian).energy(jnp.ones(6))


SOME = np.array([True, False, True])


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: Neurons(0), ValueError, "`shape` must be a positive whole number"),
        (lambda: Neurons(()), ValueError, "`shape` must be a positive whole number"),
        (lambda: Neurons((3, -1)), ValueError, r"`shape` .* it is \(3, -1\)"),
        (lambda: Neurons((3, True)), ValueError, "`shape` must be a positive whole number"),
        (lambda: Neurons(3, tau=-1.0), ValueError, "`tau` .* at least 0.* 0 makes the layer fast"),
        (lambda: Neurons(3, tau=float("nan")), ValueError, "`tau` .* it is nan"),
        (lambda: Neurons(3, tau=float("inf")), ValueError, "`tau` .* finite"),
        (lambda: Neurons(3, input=jnp.ones(4)), ValueError, r"`input` must have .* shape \(3,\)"),
        (lambda: Neurons(3, input=[0, jnp.nan, 0]), ValueError, "`input` holds NaN"),
        (lambda: Neurons(3, start=jnp.ones((3, 1))), ValueError, r"`start` .* shape \(3,\)"),
        (lambda: Neurons(3, start=[0, jnp.inf, 0]), ValueError, "`start` holds infinity"),
        (lambda: Neurons(3, clamped=SOME[:2]), ValueError, r"`clamped` must have shape \(3,\)"),
        (lambda: Neurons(3, clamped=[0.0, 1.0, 1.0]), TypeError, "`clamped` must be boolean"),
        (
            lambda: Neurons(3, Softmax(), clamped=SOME),
            ValueError,
            "`clamped` holds single entries.* SeparationLagrangian mixes .* clamped=True",
        ),
        (lambda: Neurons(3, LayerNorm(), clamped=SOME), ValueError, "LayerNorm mixes"),
        (lambda: Neurons(3, tau=0.0, clamped=True), ValueError, r"fast .* clamped one tau > 0"),
        (lambda: Tanh(0.0), ValueError, "`beta` must be positive"),
        (lambda: Tanh(np.ones(2)), ValueError, "`beta` must be one number"),
        (lambda: LayerNorm(-1.0), ValueError, "`gamma` must be positive"),
        (lambda: LayerNorm(np.ones(2)), ValueError, "`gamma` must be one number"),
        (lambda: LayerNorm(delta=jnp.nan), ValueError, "`delta` holds NaN"),
        (lambda: LayerNorm(epsilon=0.0), ValueError, "`epsilon` must be finite and above 0"),
        (lambda: SphericalNorm(epsilon=-1.0), ValueError, "`epsilon` .* at least 0"),
        (lambda: LayerNorm(axis=()), TypeError, "`axis` must be a whole number, several, or None"),
        (lambda: Neurons(3, LayerNorm(axis=1)), ValueError, r"`axis` of LayerNorm is 1, .* \(3,\)"),
        (
            lambda: Neurons(3, SeparationLagrangian(Softmax(), -2)),
            ValueError,
            "`axis` of SeparationLagrangian is -2",
        ),
        (
            lambda: Neurons(3, LayerNorm(delta=jnp.ones(2))),
            ValueError,
            r"`delta` of LayerNorm must broadcast to the layer's shape \(3,\)",
        ),
        (
            lambda: Neurons(3, SphericalNorm(delta=jnp.ones((2, 3)))),
            ValueError,
            r"`delta` of SphericalNorm must broadcast to the layer's shape \(3,\)",
        ),
        (
            lambda: Neurons(3, LayerNorm(axis=(0, 0))),
            ValueError,
            r"`axis` of LayerNorm names an axis of the shape \(3,\) twice: \(0, 0\)",
        ),
        (
            lambda: Neurons(3, ConvexFunction(lambda x: -(x @ x))),
            ValueError,
            "not convex",
        ),
    ],
)
def test_wrong_layers_are_refused(make, error, text):
    with pytest.raises(error, match=text):
        make()
