import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.hierarchical import (
    DenseSynapse,
    HierarchicalMemory,
    Neurons,
    SynapseFunction,
    Tanh,
)
from attrax.separation import Softmax

RNG = np.random.default_rng(0)
W = RNG.normal(size=(5, 6)).astype(np.float32)


def bilinear(g, f):
    return -f @ jnp.asarray(W, g.dtype) @ g


def agree(g, f, h):
    """An energy of three layers at once, linear in none."""
    return -jnp.sum(jnp.square(g[:4] + f[:4])) * jnp.sum(jnp.square(h)) / 20


def states_of(network):
    names = enumerate(network.names)
    return {n: jnp.sin(jnp.arange(1.0, network.neurons[n].size + 1) + i) for i, n in names}


def test_a_plain_function_is_a_synapse():
    layers = {"a": Neurons(6, Tanh()), "b": Neurons(5, Softmax(2.0))}
    plain = HierarchicalMemory(layers, {("a", "b"): bilinear})
    dense = HierarchicalMemory(layers, {("a", "b"): DenseSynapse(W)})
    assert isinstance(plain.synapses[0], SynapseFunction)
    assert plain.parts == dense.parts == ("a-b",)
    states = states_of(plain)
    assert jnp.allclose(plain.energy(states), dense.energy(states), rtol=1e-6)
    for name, pulled in dense.pull(states).items():
        assert jnp.allclose(plain.pull(states)[name], pulled, atol=1e-6)


def test_a_function_is_linear_where_its_writer_says_so():
    layers = {"a": Neurons(6), "b": Neurons(5, Softmax(2.0), 0.0)}
    with pytest.raises(ValueError, match=r"'b' is fast, but SynapseFunction is not linear"):
        HierarchicalMemory(layers, {("a", "b"): bilinear})
    network = HierarchicalMemory(layers, {("a", "b"): SynapseFunction(bilinear, (True, True))})
    expected = HierarchicalMemory(layers, {("a", "b"): DenseSynapse(W)})
    states = {"a": states_of(network)["a"]}
    assert jnp.allclose(network.relax(states)["a"], expected.relax(states)["a"], atol=1e-6)
    with pytest.raises(ValueError, match="`linear` has 1 answers, but the function joins 2"):
        HierarchicalMemory(layers, {("a", "b"): SynapseFunction(bilinear, (True,))})


def test_functions_join_any_number_of_layers(x64):
    def alone(g):
        return jnp.sum(jnp.cos(g))

    layers = {"a": Neurons(6, Tanh()), "b": Neurons(5), "c": Neurons(4)}
    network = HierarchicalMemory(layers, {("a", "b", "c"): agree, "a": [alone, alone]})
    states = states_of(network)
    g = {name: np.asarray(one) for name, one in network.activations(states).items()}
    parts = network.energies(states)
    assert parts.keys() == {"a", "b", "c", "a-b-c", "a-a", "a-a 2"}
    assert np.allclose(parts["a-a"], np.sum(np.cos(g["a"])))
    both, size = g["a"][:4] + g["b"][:4], np.sum(g["c"] ** 2)
    assert np.allclose(parts["a-b-c"], -np.sum(both**2) * size / 20)
    pulled = network.pull(states)
    from_c = both * size / 10
    assert np.allclose(pulled["a"], np.append(from_c, [0, 0]) + 2 * np.sin(g["a"]))
    assert np.allclose(pulled["b"], np.append(from_c, 0))
    assert np.allclose(pulled["c"], np.sum(both**2) * g["c"] / 10)


def test_functions_of_arrays_captured_are_differentiated_where_they_are():
    def energy(weights):
        network = HierarchicalMemory(
            {"a": Neurons(6), "b": Neurons(5)}, {("a", "b"): lambda g, f: -f @ weights @ g}
        )
        return network.energy(states)

    layers = {"a": Neurons(6), "b": Neurons(5)}
    states = states_of(HierarchicalMemory(layers, {("a", "b"): DenseSynapse(W)}))
    slope = jax.grad(energy)(jnp.asarray(W))
    assert jnp.allclose(slope, -jnp.outer(states["b"], states["a"]), atol=1e-6)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda g: jnp.sum(g), ValueError, r"cannot be called with one array a layer"),
        (lambda g, f: g @ f, ValueError, r"function <lambda> that joins 'a' of shape \(6,\)"),
        (Tanh, TypeError, "must be a synapse such as DenseSynapse.* it is the class Tanh"),
    ],
)
def test_functions_that_are_no_energy_are_refused(make, error, text):
    with pytest.raises(error, match=text):
        HierarchicalMemory({"a": Neurons(6), "b": Neurons(5)}, {("a", "b"): make})
