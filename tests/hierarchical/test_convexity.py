import jax
import jax.numpy as jnp
import pytest

from attrax.hierarchical import (
    ConvexFunction,
    LayerNorm,
    Neurons,
    SeparationLagrangian,
    check_convex,
)
from attrax.separation import Power, Softmax

CONVEX = {
    "absolute": lambda x: jnp.sum(jnp.abs(x)),
    "largest": jnp.max,
    "rectified_square": lambda x: jnp.sum(jnp.maximum(x, 0) ** 2),
    "huber": lambda x: jnp.sum(jnp.where(jnp.abs(x) < 1, x**2 / 2, jnp.abs(x) - 0.5)),
    "logsumexp": jax.nn.logsumexp,
}
NOT_CONVEX = {
    "cubic": lambda x: jnp.sum(x**3),
    "minus_absolute": lambda x: -jnp.sum(jnp.abs(x)),
    "sine": lambda x: jnp.sum(jnp.sin(x)),
    "two_wells": lambda x: jnp.sum(x**4 - x**2),
    "saddle": lambda x: x[0] ** 2 - x[1] ** 2,
    "root": lambda x: jnp.sum(jnp.sqrt(1 + jnp.abs(x))),
}


@pytest.mark.parametrize("name", CONVEX)
def test_convex_functions_are_taken(name):
    check_convex(ConvexFunction(CONVEX[name]), (5,))


@pytest.mark.parametrize("name", NOT_CONVEX)
def test_others_are_refused(name):
    with pytest.raises(ValueError, match=r"not convex: for two states of size .* below 0"):
        check_convex(ConvexFunction(NOT_CONVEX[name]), (5,))


def test_neurons_try_functions_and_nothing_else():
    with pytest.raises(ValueError, match=r"not convex.* rectified below zero"):
        Neurons((2, 3), ConvexFunction(NOT_CONVEX["cubic"]))
    # The remedy works, and what attrax brings is convex by construction.
    Neurons((2, 3), ConvexFunction(lambda x: jnp.sum(jnp.maximum(x, 0) ** 3)))
    assert Neurons(3, Power(2)).lagrangian.domain == "non-negative"


@pytest.mark.parametrize(
    "lagrangian",
    [LayerNorm(0.5, 0.2), SeparationLagrangian(Softmax(50.0)), SeparationLagrangian(Power(2))],
    ids=["layer_norm", "softmax", "even power"],
)
def test_any_lagrangian_can_be_tried(lagrangian):
    if lagrangian.domain == "signed":
        check_convex(lagrangian, (5,))
    else:
        with pytest.raises(ValueError, match="not convex"):
            check_convex(lagrangian, (5,))


def test_the_answer_does_not_depend_on_the_draws():
    keys = jax.random.split(jax.random.key(1), 5)
    for key in keys:
        check_convex(ConvexFunction(CONVEX["huber"]), (5,), key=key)
        with pytest.raises(ValueError, match="not convex"):
            check_convex(ConvexFunction(NOT_CONVEX["sine"]), (5,), key=key)


def test_in_double_precision_too():
    with jax.enable_x64(True):
        check_convex(ConvexFunction(CONVEX["logsumexp"]), (5,))
        with pytest.raises(ValueError, match="not convex"):
            check_convex(ConvexFunction(NOT_CONVEX["cubic"]), (5,))


@pytest.mark.parametrize(
    ("fn", "text"),
    [
        (lambda x: x**2, r"one number for a layer, but gives .*\(5,\)"),
        (lambda x: jnp.sum(jnp.sqrt(x)), r"not finite for states of size 0\.1 \(ConvexFunction\)"),
        (lambda x: jnp.sum(jnp.exp(x**2)), "not finite for states of size 10 "),
    ],
    ids=["vector", "root of negative", "overflow"],
)
def test_what_is_no_finite_number_is_refused(fn, text):
    with pytest.raises(ValueError, match=text):
        check_convex(ConvexFunction(fn), (5,))


def test_under_jit_nothing_is_checked():
    @jax.jit
    def energy(state):
        return Neurons(5, ConvexFunction(NOT_CONVEX["cubic"])).energy(state)

    assert jnp.isfinite(energy(jnp.ones(5)))
