"""The metric of each Lagrangian against its Hessian, found by differentiation."""

import re
from functools import partial

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
from attrax.hierarchical.geometry import lacks_noise, metric
from attrax.separation import (
    Entmax,
    Exponential,
    GhostSoftmax,
    Max,
    Power,
    Softmax,
    Threshold,
    TopK,
)

SHAPE, SIZE = (2, 3), 6
near = partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-9)
HEAT, STEP = 0.3, 0.1
VARIANCE = 2 * HEAT * STEP


def coupled(x):
    """Convex, with a Hessian that has no structure."""
    return jnp.sum(jnp.cosh(x)) + jnp.exp(0.3 * jnp.sum(x)) + 0.5 * (x[0, 0] - x[1, 1]) ** 2


def layer(lagrangian, **options):
    return Neurons(SHAPE, lagrangian, **options)


@eqx.filter_jit
def _measured(layer, states, change, temperature, step):
    units = jnp.eye(SIZE)
    pairs = (units[:, None] + units[None]).reshape(SIZE**2, *SHAPE)

    def at(state):
        here = metric(layer, state, temperature, step)
        sums = jax.vmap(here.curved)(pairs).reshape(SIZE, SIZE)
        alone = jnp.diag(sums) / 4
        hessian = jax.jacfwd(layer.activation)(state)
        return {
            "hessian": hessian.reshape(SIZE, SIZE),
            "form": (sums - alone[:, None] - alone[None]) * temperature * step,
            "factor": jax.vmap(here.noise)(units.reshape(SIZE, *SHAPE)).reshape(SIZE, SIZE).T,
            "volumes": jnp.stack(here.volumes()),
            "drift": here.drift(change).reshape(-1),
        }

    return jax.vmap(at)(states)


def measured(lagrangian, states, change, heat=HEAT, step=STEP):
    """What the metric says at some states, and the Hessian there."""
    found = _measured(layer(lagrangian), states, change, jnp.asarray(heat), jnp.asarray(step))
    return jax.tree.map(np.asarray, found)


def softmax_feels():
    """Removes what softmax along the first axis cannot feel: the same shift of both its rows."""
    shifts = np.kron(np.ones((2, 2)) / 2, np.eye(3))
    return np.eye(SIZE) - shifts


def log_det(matrix):
    """Over the eigenvalues that are not zero."""
    values = np.linalg.eigvalsh(matrix)
    return np.sum(np.log(values[values > 1e-9 * values.max()]))


CASES = {
    "quadratic": (Quadratic(), None),
    "tanh": (Tanh(1.7), None),
    "sigmoid": (Sigmoid(2.0), None),
    "exponential": (SeparationLagrangian(Exponential(0.7)), None),
    "power": (SeparationLagrangian(Power(3)), None),
    "convex": (ConvexFunction(coupled), None),
    "softmax": (SeparationLagrangian(Softmax(1.5), 0), softmax_feels()),
    "ghost": (SeparationLagrangian(GhostSoftmax(1.5)), None),
}


@pytest.mark.parametrize(("lagrangian", "felt"), CASES.values(), ids=CASES)
def test_a_metric_is_the_hessian_and_its_drift_that_of_the_exact_diffusion(lagrangian, felt, x64):
    """The diffusion with covariance G and density π = exp(−E/T) det ∇²L drifts by G ∇ ln π + ∇·G.

    Slopes are central differences.
    """
    keys = jax.random.split(jax.random.key(0))
    ends = jax.random.uniform(keys[0], (2, *SHAPE), minval=1.1, maxval=1.7)
    change = jax.random.normal(keys[1], SHAPE)
    apart = 1e-4 * jnp.eye(SIZE).reshape(SIZE, *SHAPE)
    states = jnp.concatenate([ends, ends[:1] + apart, ends[:1] - apart])
    felt = np.eye(SIZE) if felt is None else felt

    found = measured(lagrangian, states, change)
    hessian, form, volumes = found["hessian"], found["form"], found["volumes"]
    covariance = found["factor"] @ np.swapaxes(found["factor"], -1, -2)
    ahead, behind = slice(2, 2 + SIZE), slice(2 + SIZE, None)
    slope = (volumes[ahead, 0] - volumes[behind, 0]) / 2e-4
    divergence = np.einsum("jij->i", (covariance[ahead] - covariance[behind]) / 2e-4)

    near(felt @ covariance[0] @ felt @ form[0] / VARIANCE, felt)
    near(form[0], form[0] @ felt)
    near(volumes[1, 0] - volumes[0, 0], _gain(hessian))
    near(volumes[1, 1] - volumes[0, 1], _gain(form))
    along = hessian[0] @ change.reshape(-1) / VARIANCE + 0.5 * slope
    exact = covariance[0] @ along + 0.5 * divergence
    np.testing.assert_allclose(felt @ found["drift"][0], felt @ exact, rtol=1e-6, atol=1e-6)

    # What is added to ∇²L falls with the root of the step: nothing for short ones.
    short = measured(lagrangian, states, change, step=1e-17)
    np.testing.assert_allclose(short["form"][0], hessian[0], atol=1e-8)

    cold = measured(lagrangian, states, change, heat=0.0)
    assert not np.any(cold["factor"])
    near(cold["drift"][0], change.reshape(-1))


def _gain(matrices):
    return log_det(matrices[1]) - log_det(matrices[0])


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "exponential", "power", "softmax", "ghost"])
def test_neurons_without_slope_move_finite_lengths(name, x64):
    """Where ∇²L underflows, and where it is zero in the middle."""
    signs = jnp.asarray([[1.0, -1.0, 0.9], [-1.0, 1.0, 0.0]])
    far = -1e4 * jnp.abs(signs) if name == "exponential" else 1e4 * signs
    states = jnp.zeros((2 + 2 * SIZE, *SHAPE)).at[0].set(far)
    found = measured(CASES[name][0], states, jnp.ones(SHAPE))
    for length in (found["factor"][:2], found["drift"][:2]):
        assert np.all(np.abs(length) < 10)
    assert np.all(np.isfinite(found["form"][:2]))
    assert np.all(np.isfinite(found["volumes"][:2, 1]))


def test_what_is_held_has_no_noise_and_no_volume(x64):
    held = jnp.asarray([[True, False, False], [False, True, False]])
    state = jnp.where(held, 1e3, 0.5)

    @jax.jit
    def seen(heat, step):
        metrics = (
            metric(layer(Tanh(), clamped=held), state, heat, step),
            metric(layer(Tanh()), state, heat, step, held),
        )
        change = jnp.where(held, 0.0, 1.0)
        return [(m.noise(jnp.ones(SHAPE)), m.drift(change), m.volumes()[0]) for m in metrics]

    for noise, drift, volume in seen(HEAT, STEP):
        assert np.array_equal(np.asarray(noise) == 0, held)
        assert np.all(np.isfinite(drift))
        near(volume, 4 * np.log(1 / np.cosh(0.5) ** 2))


@pytest.mark.parametrize(
    ("lagrangian", "reason"),
    [
        (Absolute(), "Absolute are constant.*Tanh"),
        (RectifiedExponential(), "RectifiedExponential are constant.*Exponential"),
        (LayerNorm(), "LayerNorm lie on a curved surface.*Quadratic"),
        (SphericalNorm(), "SphericalNorm lie on a curved surface.*Quadratic"),
        (SeparationLagrangian(Max()), "Max are constant.*Softmax"),
        (SeparationLagrangian(TopK(2, Softmax())), "TopK are constant.*Softmax"),
        (SeparationLagrangian(Entmax()), "Entmax are constant.*Softmax"),
        (SeparationLagrangian(Threshold(0.0)), "Threshold are constant.*Sigmoid"),
        (SeparationLagrangian(Power(1, rectified=True)), "Power are constant.*odd degree"),
        (SeparationLagrangian(Power(2)), "Power take no negative scores.*odd degree"),
    ],
    ids=lambda x: type(getattr(x, "separation", x)).__name__,
)
def test_layers_without_density_are_named_with_a_remedy(lagrangian, reason):
    neurons = {"seen": Neurons(3), "odd": Neurons(4, lagrangian)}
    assert lacks_noise({"seen": neurons["seen"]}) is None
    found = lacks_noise(neurons)
    assert found is not None
    assert re.search(f"'odd'.*{reason}.*tau=0", found)
    fast = {**neurons, "odd": Neurons(4, lagrangian, tau=0.0)}
    assert lacks_noise(fast) is None


def test_a_layer_held_as_a_whole_needs_no_noise():
    network = HierarchicalMemory(
        {"seen": Neurons(3), "norm": Neurons(2, LayerNorm())},
        {("seen", "norm"): DenseSynapse(np.ones((2, 3)))},
    )
    query = jnp.zeros(3)
    assert "LayerNorm" in str(network.space(query).lacks_noise)
    assert network.clamp("norm", jnp.ones(2)).space(query).lacks_noise is None
