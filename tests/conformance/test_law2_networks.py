"""Law 2 for networks: the energy falls at the rate −Σ τ ẋᵀ∇²L ẋ, and never rises.

Each structure is compiled once; its networks differ in drawn parameters and states.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax.hierarchical as hier
from attrax.dynamics import Euler
from attrax.hierarchical import HierarchicalMemory, Neurons
from attrax.separation import GhostSoftmax, Power, Softmax
from attrax.similarity import Euclidean
from conformance import registry

pytestmark = pytest.mark.usefixtures("x64")
DRAWS, STEPS = 17, 200
RELU = Power(1, rectified=True)


def weights(*shape, seed=0):
    return 1.5 * np.random.default_rng(seed).normal(size=shape) / np.sqrt(shape[-1])


def dense(upper, lower, **options):
    return hier.DenseSynapse(weights(upper, lower), **options)


def hopfield():
    joint = [hier.LateralSynapse(weights(6, 6)), hier.BiasSynapse(weights(6, seed=1))]
    return HierarchicalMemory({"v": Neurons(6, hier.Tanh(1.5))}, {"v": joint})


def modern():
    layers = {"v": Neurons(6, input=weights(6)), "h": Neurons(5, Softmax(2.0), 0.3)}
    whole = hier.EnergySynapse(registry.log_cosh)
    return HierarchicalMemory(layers, {("v", "h"): dense(5, 6), "v": whole})


def graded():
    layers = {"v": Neurons(6, hier.Sigmoid(2.0)), "h": Neurons(5, hier.RectifiedExponential())}
    return HierarchicalMemory(layers, {("v", "h"): dense(5, 6, bias=weights(5))})


def normalised():
    layers = {"v": Neurons(6, hier.LayerNorm(1.2, weights(6))), "h": Neurons(5, RELU, 0.5)}
    return HierarchicalMemory(layers, {("v", "h"): dense(5, 6)})


def spherical():
    layers = {
        "v": Neurons(6, hier.SphericalNorm(1.1, 0.2)),
        "h": Neurons(5, hier.ConvexFunction(registry.log_cosh), 2.0),
    }
    function = hier.SynapseFunction(registry.disagreement)
    return HierarchicalMemory(layers, {("v", "h"): [dense(5, 6), function]})


def chain():
    layers = {
        "v": Neurons(6, hier.Tanh()),
        "h": Neurons(5, Power(2, rectified=True), 0.5, weights(5, seed=2)),
        "top": Neurons(4, Softmax(2.0), 0.2),
    }
    return HierarchicalMemory(layers, {("v", "h"): dense(5, 6), ("h", "top"): dense(4, 5)})


def triangle():
    layers = {
        "v": Neurons(6, hier.Tanh()),
        "h": Neurons(5, hier.Sigmoid(), 0.5),
        "k": Neurons(4, GhostSoftmax(1.5), 0.2),
    }
    joints = {
        ("v", "h", "k"): hier.HyperSynapse(weights(6, 5, 4)),
        ("k", "v"): dense(6, 4),
        "h": hier.LateralSynapse(weights(5, 5), self_term=True),
        "k": hier.SetwiseSynapse(np.array([[0, 1, 3], [1, 2, 3]]), weights(2)),
    }
    return HierarchicalMemory(layers, joints)


def convolutional():
    layers = {
        "image": Neurons((5, 4, 2), hier.Tanh()),
        "maps": Neurons((4, 4, 3), RELU, 0.5),
        "pooled": Neurons((2, 2, 3), hier.Tanh(2.0), 0.5),
        "label": Neurons(4, Softmax(2.0), 0.2),
    }
    padding = ((1, 0), (0, 1))
    joints = {
        ("image", "maps"): hier.ConvolutionSynapse(weights(3, 2, 2, 3), padding=padding),
        ("maps", "pooled"): hier.PoolingSynapse((2, 2)),
        ("pooled", "label"): dense(4, 12),
    }
    return HierarchicalMemory(layers, joints)


def transformer():
    layers = {
        "tokens": Neurons((4, 3), hier.LayerNorm(1.2, weights(3), axis=-1)),
        "memory": Neurons((4, 5), hier.SeparationLagrangian(Softmax(2.0), axis=-1), 0.3),
    }
    joints = {
        "tokens": hier.AttentionSynapse(weights(2, 4, 3), weights(2, 4, 3, seed=1)),
        # A window of one token: the same dense synapse for each, as along an axis.
        ("tokens", "memory"): [
            hier.ConvolutionSynapse(weights(1, 3, 5)),
            hier.MixingSynapse(weights(5, 3, seed=2), 1),
        ],
    }
    return HierarchicalMemory(layers, joints)


def translation():
    layers = {
        "source": Neurons((4, 3), hier.LayerNorm(axis=-1)),
        "target": Neurons((3, 5), hier.SphericalNorm(1.1, axis=-1), 0.5),
    }
    mask = np.tri(4, 3, -1, dtype=bool)
    joint = hier.AttentionSynapse(weights(2, 4, 3), weights(2, 4, 5, seed=1), 1.5, mask=mask)
    return HierarchicalMemory(layers, {("source", "target"): joint})


def distances():
    layers = {"v": Neurons(6), "h": Neurons(5, Softmax(2.0), 0.3)}
    return HierarchicalMemory(
        layers, {("v", "h"): hier.SimilaritySynapse(Euclidean(), weights(5, 6))}
    )


def tower():
    """Five layers, one of them fast, one synapse that skips a layer, and one in two places."""
    layers = {
        "v": Neurons(5, hier.Tanh()),
        "a": Neurons(5, hier.Sigmoid(), 0.7),
        "b": Neurons(5, hier.LayerNorm(), 0.5),
        "c": Neurons(5, RELU, 0.3),
        "d": Neurons(4, Softmax(2.0), 0.0),
    }
    tied = dense(5, 5)
    joints = {
        ("v", "a"): tied,
        ("a", "b"): tied,
        ("b", "c"): dense(5, 5),
        ("v", "c"): hier.DenseSynapse(weights(5, 5, seed=1)),
        ("c", "d"): dense(4, 5),
    }
    return HierarchicalMemory(layers, joints)


CONTRACT = {chain, convolutional, transformer}
SMOOTH = [
    hopfield,
    modern,
    graded,
    normalised,
    spherical,
    chain,
    triangle,
    convolutional,
    transformer,
    translation,
    distances,
    tower,
]


def binary():
    """Two layers of binary neurons: a bidirectional memory."""
    layers = {"v": Neurons(6, hier.Absolute()), "h": Neurons(5, hier.Absolute(), 0.5)}
    return HierarchicalMemory(layers, {("v", "h"): dense(5, 6)})


def pooled():
    """The maximum of windows, whose winners change."""
    layers = {
        "v": Neurons((4, 4, 2), hier.Tanh(2.0)),
        "pooled": Neurons((2, 2, 2), hier.Sigmoid(), 0.5),
        "label": Neurons(3, Softmax(2.0), 0.3),
    }
    joints = {
        ("v", "pooled"): hier.PoolingSynapse((2, 2), "max"),
        ("pooled", "label"): dense(3, 8),
    }
    return HierarchicalMemory(layers, joints)


KINKED = [binary, pooled]
RELAXED = [binary, distances, tower]


def drawn(template, rng):
    """Networks with other parameters: positive ones stay so, others change their signs."""

    def other(leaf):
        if not eqx.is_inexact_array(leaf):
            return np.broadcast_to(leaf, (DRAWS, *leaf.shape))
        plain, noise = np.asarray(leaf), rng.normal(size=(DRAWS, *leaf.shape))
        return plain * np.exp(0.3 * noise) if np.all(plain > 0) else np.std(plain) * noise

    return jax.tree.map(other, template)


def states_of(network, rng):
    layers = {name: network.neurons[name] for name in network.names}
    return {
        name: 1.5 * rng.normal(size=(DRAWS, *layer.shape))
        for name, layer in layers.items()
        if layer.tau > 0
    }


def pull_of(network, states):
    return network.pull(states)


def velocity(network, states, pull):
    pulled = pull(network, states)
    return {n: (pulled[n] - x) / network.neurons[n].tau for n, x in states.items()}


def energy_and_size(network, states):
    """The energy, and its largest term: of x·g, of L, and of synapses."""
    parts, activations = network.energies(states), network.activations(states)
    terms = [jnp.abs(parts[name]) for name in network.parts]
    for name, state in states.items():
        overlap = jnp.sum(jnp.abs(state * activations[name]))
        terms += [overlap, jnp.abs(network.neurons[name].lagrangian.value(state))]
    return jnp.sum(jnp.stack(list(parts.values()))), jnp.max(jnp.stack(terms))


def rates(network, states, moving):
    """Ė by differentiation along the velocity, −Σ τ ẋᵀ∇²L ẋ, E and its largest term."""
    energy, slope, size = jax.jvp(
        lambda states: energy_and_size(network, states), (states,), (moving,), has_aux=True
    )
    form = jnp.zeros(())
    for name, state in states.items():
        layer = network.neurons[name]
        bent = jax.jvp(layer.activation, (state,), (moving[name],))[1]
        form = form - layer.tau * jnp.sum(moving[name] * bent)
    return slope, form, energy, size


def unit(network):
    """The rounding of a sum of as many entries as the network has, relative to the largest."""
    count = sum(leaf.size for leaf in jax.tree.leaves(network))
    count += sum(layer.size for layer in network.neurons.values())
    return count * float(jnp.finfo(network.dtype).eps)


def samples(template):
    """Drawn networks and states of theirs."""
    rng = np.random.default_rng(0)
    return drawn(template, rng), states_of(template, rng)


def measured(template, pull):
    """`rates` of drawn networks along integrations in small steps, shapes (networks, steps)."""
    fastest = min(layer.tau for layer in template.neurons.values() if layer.tau > 0)

    def one(network, states):
        def euler(states, _):
            moving = velocity(network, states, pull)
            new = {n: x + 0.01 * fastest * moving[n] for n, x in states.items()}
            return new, rates(network, states, moving)

        return jax.lax.scan(euler, states, length=STEPS)[1]

    return jax.jit(jax.vmap(one))(*samples(template))


def falls(template, energy, size):
    """Whether no energy rose by more than rounding, along any path."""
    rises = jnp.diff(energy) > unit(template) * jnp.max(size, axis=1, keepdims=True)
    return not bool(jnp.any(rises))


def holds(template, pull=pull_of):
    """Whether the identity holds, and whether no energy rose, in all drawn networks."""
    slope, form, energy, size = measured(template, pull)
    assert jnp.all(jnp.isfinite(energy))
    assert jnp.all(form < 0)
    exact = jnp.all(jnp.abs(slope - form) <= 1e-6 * jnp.abs(form))
    return bool(exact), falls(template, energy, size)


@pytest.mark.parametrize(
    "make",
    [pytest.param(m, marks=pytest.mark.contract) if m in CONTRACT else m for m in SMOOTH],
    ids=lambda make: make.__name__,
)
def test_the_energy_falls_at_its_rate(make):
    assert holds(make()) == (True, True)


def one_way(network, states):
    """Pulls with feedback weights of their own: the upper layer inhibits what excites it."""
    other = eqx.tree_at(lambda n: n.synapses[0].weights, network, -network.synapses[0].weights)
    return {**network.pull(states), "v": other.pull(states)["v"]}


def test_feedback_weights_of_their_own_are_caught():
    assert holds(chain(), one_way) == (False, False)


def test_the_structures_cover_every_public_part():
    networks = [make() for make in {*SMOOTH, *KINKED, *RELAXED}]
    assert DRAWS * len(SMOOTH) >= 200
    assert len({*SMOOTH, *KINKED, *RELAXED}) <= 20
    assert {len(network.names) for network in networks} == {1, 2, 3, 4, 5}
    lagrangians = {
        type(network.neurons[name].lagrangian) for network in networks for name in network.names
    }
    assert {kind.__name__ for kind in lagrangians} == registry.kinds(hier, hier.AbstractLagrangian)
    synapses = {type(synapse).__name__ for network in networks for synapse in network.synapses}
    assert synapses == registry.kinds(hier, hier.AbstractSynapse)


@pytest.mark.parametrize("make", RELAXED, ids=lambda make: make.__name__)
def test_no_relaxation_raises_the_energy(make):
    def one(network, states):
        def sweep(states, _):
            new = network.relax(states)
            return {name: new[name] for name in states}, energy_and_size(network, states)

        return jax.lax.scan(sweep, states, length=8)[1]

    template = make()
    energy, size = jax.jit(jax.vmap(one))(*samples(template))
    assert falls(template, energy, size)
    assert jnp.all(energy[:, -1] < energy[:, 0])


@pytest.mark.parametrize("make", KINKED, ids=lambda make: make.__name__)
def test_backtracking_never_raises_the_energy_of_kinked_networks(make):
    # Steps as long as the slowest time constant, and twice as long as others.
    dynamics = Euler(1.0, backtracking=True, max_steps=40)

    def one(network, states):
        model = network.space(states["v"].reshape(-1))
        path = dynamics.run(model, states, path=True).path
        return jax.lax.map(lambda states: energy_and_size(network, states), path)

    template = make()
    energy, size = jax.jit(jax.vmap(one))(*samples(template))
    assert falls(template, energy, size)
    assert jnp.mean(energy[:, -1] < energy[:, 0]) > 0.8


def test_binary_neurons_updated_at_once_cycle_and_are_caught():
    def one(network, states):
        def step(states, _):
            return network.pull(states), energy_and_size(network, states)

        return jax.lax.scan(step, states, length=8)[1]

    template = binary()
    assert not falls(template, *jax.jit(jax.vmap(one))(*samples(template)))
