"""What went wrong in HAMUX 0.2.2 does not go wrong here: each of its faults, tried.

What HAMUX does in each case is in docs/coming-from-hamux.md.
"""

import ast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax.dynamics import Euler
from attrax.hierarchical import (
    BiasSynapse,
    ConvexFunction,
    DenseSynapse,
    HierarchicalMemory,
    LayerNorm,
    Neurons,
    SeparationLagrangian,
    Sigmoid,
    SphericalNorm,
    Tanh,
)
from attrax.separation import Softmax


@pytest.fixture(scope="module")
def small():
    """Four value neurons, three softmax neurons with a β that can be learnt."""
    weights = 0.5 * jax.random.normal(jax.random.key(0), (3, 4))
    return HierarchicalMemory(
        {"a": Neurons(4), "b": Neurons(3, Softmax(2.0))}, {("a", "b"): DenseSynapse(weights)}
    )


STATES = {"a": jnp.ones(4), "b": jnp.arange(3.0)}


@pytest.mark.parametrize("lagrangian", [Tanh(), Sigmoid(), Tanh(3.0), Sigmoid(3.0)], ids=str)
def test_saturated_neurons_have_finite_energies(lagrangian):
    layer = Neurons(2, lagrangian)
    state = jnp.array([100.0, -100.0])
    assert np.isfinite(lagrangian.value(state))
    assert np.isfinite(layer.energy(state))
    assert np.isfinite(jax.grad(layer.energy)(state)).all()


def with_beta(network, beta):
    return eqx.tree_at(lambda net: net.neurons["b"].lagrangian.separation.beta, network, beta)


def test_energies_and_states_have_gradients_in_beta(small):
    """There zero for tanh and sigmoid, and an error of leaked tracers for all."""

    def after_three_steps(beta):
        network, states = with_beta(small, beta), STATES
        for _ in range(3):
            pulled = network.pull(states)
            states = {name: (x + pulled[name]) / 2 for name, x in states.items()}
        return jnp.stack([network.energy(STATES), jnp.sum(states["a"])])

    step = 1e-2
    slope = jax.jit(jax.jacfwd(after_three_steps))(2.0)
    reverse = jax.jit(jax.jacrev(after_three_steps))(2.0)
    above, below = jax.jit(jax.vmap(after_three_steps))(jnp.array([2 + step, 2 - step]))
    assert (jnp.abs(slope) > 1e-2).all()
    np.testing.assert_allclose(reverse, slope, rtol=1e-4)
    np.testing.assert_allclose(slope, (above - below) / (2 * step), rtol=2e-2)


@pytest.mark.parametrize("kind", [Tanh, Sigmoid])
def test_lagrangians_have_gradients_in_beta(kind):
    def value(beta):
        return kind(beta).value(jnp.array([0.5, 1.0]))

    slope = jax.jit(jax.grad(value))(2.0)
    above, below = jax.jit(jax.vmap(value))(jnp.array([2.01, 1.99]))
    assert abs(slope) > 1e-2
    np.testing.assert_allclose(slope, (above - below) / 0.02, rtol=1e-2)


@pytest.mark.parametrize("kind", [LayerNorm, SphericalNorm])
def test_a_shift_is_added_once(kind):
    """There once a row: six times here."""
    rows = jnp.asarray(np.outer(np.arange(1.0, 7.0), np.arange(4.0)), jnp.float32)

    @jax.jit
    def found(state):
        with_shift, without = (kind(1.0, delta, axis=-1) for delta in (0.5, 0.0))
        slope = jax.grad(with_shift.value)(state)
        return slope, with_shift.activation(state), without.activation(state)

    slope, shifted, plain = found(rows)
    np.testing.assert_allclose(shifted - plain, 0.5, atol=1e-6)
    np.testing.assert_allclose(slope, shifted, atol=1e-6)


def test_softmax_neurons_may_have_several_axes():
    """There the gradient of a vector is asked for."""
    state = jnp.arange(12.0).reshape(3, 4)

    @jax.jit
    def found(state):
        layers = (
            Neurons((3, 4), SeparationLagrangian(Softmax(), axis=-1)),
            Neurons((3, 4), Softmax()),
        )
        return [(layer.activation(state), layer.energy(state)) for layer in layers]

    (rows, energy), (whole, _) = found(state)
    np.testing.assert_allclose(rows.sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(whole.sum(), 1, rtol=1e-6)
    assert energy.shape == ()


def test_the_bias_of_a_batch_stays_in_its_row():
    """There it is summed over the batch and added to every row."""
    rng = np.random.default_rng(1)
    lower, upper = (
        rng.normal(size=(5, 4)).astype(np.float32),
        rng.normal(size=(5, 3)).astype(np.float32),
    )
    biased = DenseSynapse(np.ones((3, 4)), np.ones(3))
    found = jax.jit(jax.vmap(biased))(lower, upper)
    expected = -np.asarray(upper).sum(1) * (np.asarray(lower).sum(1) + 1)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    with pytest.raises((ValueError, TypeError)):
        biased(lower, upper)


def test_whole_numbers_are_shapes_and_many_queries_start():
    """There a batch of states is a NameError, and of a layer of integer shape a TypeError."""
    layer = Neurons(4)
    assert layer.shape == (4,)
    network = HierarchicalMemory({"a": layer}, {"a": BiasSynapse(jnp.ones(4))})
    found = attrax.retrieve(network, jnp.zeros((3, 4)))
    np.testing.assert_allclose(found.state, 1.0)


def test_a_lagrangian_that_is_not_convex_is_refused():
    with pytest.raises(ValueError, match="not convex"):
        Neurons(4, ConvexFunction(lambda x: jnp.sum(jnp.cos(x))))


def test_steps_that_are_too_long_are_seen(small):
    """There the energy rises to 2e11 and nothing says so."""
    query = jnp.ones((2, 4))
    long = attrax.retrieve(small, query, Euler(2.5, max_steps=20), certify=True)
    assert not long.certificate.certified.any()
    assert "take shorter steps" in long.certificate.summary()
    short = attrax.retrieve(small, query, Euler(jnp.float32(0.2), max_steps=20), certify=True)
    assert short.certificate.certified.all()


def test_the_sign_of_a_synapse_is_fixed(small):
    """A synapse draws upper neurons to W g; what the README writes by hand pushes them away."""
    weights = small.synapses[0].weights
    pulled = small.pull(STATES)["b"]
    np.testing.assert_allclose(pulled, weights @ STATES["a"], rtol=1e-5)
    by_hand = HierarchicalMemory(dict(small.neurons), {("a", "b"): lambda a, b: a @ weights.T @ b})
    np.testing.assert_allclose(by_hand.pull(STATES)["b"], -pulled, rtol=1e-5)


def test_what_does_not_fit_is_an_error_where_it_is_made(small):
    """There it is an error of einsum, or none, when the energy is asked for."""
    layers = dict(small.neurons)
    with pytest.raises(ValueError, match=r"must have shape \(3, 4\)"):
        HierarchicalMemory(layers, {("a", "b"): DenseSynapse(jnp.ones((3, 5)))})
    with pytest.raises(ValueError, match="joins layer 'x'"):
        HierarchicalMemory(layers, {("a", "x"): DenseSynapse(jnp.ones((3, 4)))})


def test_a_network_is_a_pytree_of_arrays(small):
    """There functions and names are leaves, which jit and arithmetic refuse."""
    doubled = jax.tree.map(lambda leaf: 2 * leaf, small)
    found = jax.jit(lambda network: network.energy(STATES))(doubled)
    np.testing.assert_allclose(found, doubled.energy(STATES), rtol=1e-5)


def test_a_sphere_has_no_nan_at_its_centre():
    """There without ε the gradient at zero is NaN."""
    sphere = SphericalNorm(epsilon=0.0)
    np.testing.assert_array_equal(sphere.activation(jnp.zeros(3)), 0)
    np.testing.assert_array_equal(jax.grad(sphere.value)(jnp.zeros(3)), 0)


def test_nothing_private_of_jax_is_imported(root):
    """There the ghost softmax copies it, and breaks when JAX changes."""
    for path in sorted((root / "src" / "attrax").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any("jax._src" in name for name in names), path
