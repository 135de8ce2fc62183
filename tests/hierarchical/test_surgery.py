"""Networks made of networks: tied weights, layers added and left out, clamped, frozen."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax.dynamics import Euler, Iterate
from attrax.hierarchical import (
    DenseSynapse,
    HierarchicalMemory,
    LateralSynapse,
    LayerNorm,
    Neurons,
    Sigmoid,
    Tanh,
)
from attrax.separation import Softmax

RNG = np.random.default_rng(0)


def weights(*shape):
    return (RNG.normal(size=shape) / np.sqrt(shape[-1])).astype(np.float32)


FIRST, SECOND, SIDE = weights(6, 5), weights(5, 6), weights(5, 5)


def chain():
    layers = {
        "v": Neurons(5, Tanh(1.5), input=weights(5)),
        "h": Neurons(6, LayerNorm(0.8), 0.5),
        "top": Neurons(5, Softmax(2.0), 0.2),
    }
    return HierarchicalMemory(
        layers,
        {
            ("v", "h"): DenseSynapse(FIRST),
            ("h", "top"): DenseSynapse(SECOND),
            "v": LateralSynapse(SIDE),
        },
    )


def same(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert jnp.array_equal(found[name], value), name


# Weights in several places.


def ring(first, second):
    layers = {name: Neurons(5, Tanh(), 1.0) for name in "abc"}
    return HierarchicalMemory(layers, {("a", "b"): first, ("b", "c"): second, ("c", "a"): first})


def test_the_same_object_in_two_places_is_one_synapse(drawn):
    tied = DenseSynapse(SIDE)
    network = ring(tied, DenseSynapse(SIDE))
    apart = ring(DenseSynapse(SIDE), DenseSynapse(SIDE))
    assert len(network.synapses) == len(apart.synapses) == 2
    assert [index for _, index in network.edges] == [0, 1, 0]
    assert len(jax.tree.leaves(network.synapses)) == 2
    states = drawn(network)
    slopes = eqx.filter_grad(lambda network: network.energy(states))(network)
    g = network.activations(states)
    # The gradient is the sum over the places where the weights stand.
    expected = -jnp.outer(g["b"], g["a"]) - jnp.outer(g["a"], g["c"])
    assert jnp.allclose(slopes.synapses[0].weights, expected, atol=1e-6)
    assert jnp.allclose(slopes.synapses[1].weights, -jnp.outer(g["c"], g["b"]), atol=1e-6)


def test_equal_weights_of_two_objects_are_not_tied():
    layers = {name: Neurons(5) for name in "abc"}
    joints = {("a", "b"): DenseSynapse(SIDE), ("b", "c"): DenseSynapse(SIDE)}
    assert len(HierarchicalMemory(layers, joints).synapses) == 2


def test_a_file_keeps_weights_tied(tmp_path, drawn):
    network = ring(DenseSynapse(SIDE), DenseSynapse(SECOND[:, :5]))
    attrax.save(tmp_path / "ring", network)
    loaded = attrax.load(tmp_path / "ring")
    assert loaded.edges == network.edges
    assert len(loaded.synapses) == 2
    states = drawn(network)
    same(loaded.energies(states), network.energies(states))
    joints = loaded.joints
    assert joints["a", "b"][0] is joints["c", "a"][0]


def test_surgery_keeps_weights_tied(drawn):
    tied = DenseSynapse(SIDE)
    network = ring(tied, DenseSynapse(SIDE))
    grown = network.with_layer("d", Neurons(5), {("c", "d"): tied, ("d", "a"): network.synapses[1]})
    assert [index for _, index in grown.edges] == [0, 1, 0, 0, 1]
    cut = grown.without("b")
    assert cut.edges == ((("c", "a"), 0), (("c", "d"), 0), (("d", "a"), 1))
    assert len(grown.clamp("b", jnp.zeros(5)).synapses) == 2
    mapped = jax.tree.map(lambda leaf: leaf, grown)
    assert len(mapped.freeze("b-c").synapses) == 2


# Layers added and left out.


def test_a_layer_is_added_last(drawn):
    network = chain()
    joints = {("v", "new"): DenseSynapse(SIDE), ("v", "h"): DenseSynapse(FIRST), "new": jnp.sum}
    grown = network.with_layer("new", Neurons(5, Sigmoid()), joints)
    assert grown.names == ("v", "h", "top", "new")
    assert grown.parts == ("v-h", "v-h 2", "h-top", "v-v", "v-new", "new-new")
    assert network.names == ("v", "h", "top")
    states = drawn(grown)
    old, new = network.energies({n: states[n] for n in network.names}), grown.energies(states)
    same({name: new[name] for name in old}, old)
    assert new["v-h 2"] == new["v-h"]
    with pytest.raises(ValueError, match="a layer 'h' already; choose another name"):
        network.with_layer("h", Neurons(5), {("v", "h"): DenseSynapse(SIDE)})
    with pytest.raises(ValueError, match="No synapse joins layer 'new'"):
        network.with_layer("new", Neurons(5), {})
    with pytest.raises(ValueError, match="joins layer 'old', but the layers are"):
        network.with_layer("new", Neurons(5), {("new", "old"): DenseSynapse(SIDE)})


def test_a_layer_is_left_out_with_its_synapses(drawn):
    network = chain().freeze("v-h", "h-top", "top", "v")
    cut = network.without("top")
    assert cut.names == ("v", "h")
    assert cut.parts == ("v-h", "v-v")
    assert cut.frozen == ("v-h", "v")
    states = drawn(network)
    del states["top"]
    expected = network.energies(drawn(network))
    same(cut.energies(states), {name: expected[name] for name in (*cut.names, *cut.parts)})
    with pytest.raises(ValueError, match="no layer 'tip'; the layers are 'v', 'h', 'top'"):
        network.without("tip")
    with pytest.raises(ValueError, match="No synapse joins layer 'top'"):
        network.without("h")
    back = cut.with_layer("top", network.neurons["top"], {("h", "top"): DenseSynapse(SECOND)})
    assert jnp.allclose(back.energy(drawn(back)), network.energy(drawn(network)), rtol=1e-6)


def test_two_networks_become_one(drawn):
    left = chain().freeze("h")
    layers = {"w": Neurons(5, Sigmoid()), "k": Neurons(6)}
    right = HierarchicalMemory(layers, {("w", "k"): DenseSynapse(FIRST)}, frozen=("w-k",))
    both = left.joined(right, {("top", "w"): DenseSynapse(SIDE)})
    assert both.names == ("v", "h", "top", "w", "k")
    assert both.visible == "v"
    assert both.parts == (*left.parts, *right.parts, "top-w")
    assert both.frozen == ("h", "w-k")
    states = drawn(both)
    parts = both.energies(states)
    for network in (left, right):
        own = network.energies({name: states[name] for name in network.names})
        same({name: parts[name] for name in own}, own)
    assert jnp.allclose(both.energy(states), sum(parts.values()), rtol=1e-5)
    with pytest.raises(ValueError, match="Both networks have a layer 'v'"):
        left.joined(chain(), {})


# Entries that are held.


HELD = np.array([True, False, True, False, False])


@pytest.mark.parametrize("move", ["pull", "relax", "iterate", "euler"])
def test_clamped_entries_never_move_and_the_energy_falls_in_the_others(x64, drawn, move):
    wide = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), chain().without("top"))
    start = jnp.asarray(RNG.normal(size=6))
    free = wide.with_layer(
        "k", Neurons(5, Tanh(), 0.5), {("h", "k"): DenseSynapse(SECOND.astype(np.float64))}
    )
    if move in ("relax", "iterate"):
        # Without the lateral synapse every layer has an exact update.
        joints = {("v", "h"): free.synapses[0], ("h", "k"): free.synapses[2]}
        free = HierarchicalMemory(free.neurons, joints)
    network = free.clamp("v", where=HELD).clamp("h", start)

    def step(states, _):
        if move == "pull":
            pulled = network.pull(states)
            new = {n: x + 0.05 * (pulled[n] - x) for n, x in states.items()}
        else:
            new = network.relax(states)
        return new, (network.energy(new), new)

    first = {**drawn(network, seed=1), "h": start}
    if move == "iterate":
        dynamics = Iterate(max_steps=20)
    elif move == "euler":
        dynamics = Euler(0.05, max_steps=200)
    if move in ("pull", "relax"):
        energies, path = jax.jit(lambda s: jax.lax.scan(step, s, length=50)[1])(first)
        before = network.energy(first)
    else:
        model = network.space(first["v"])
        run = dynamics.run(model, model.initial, path=True)
        path, first = run.path, model.initial
        energies = jax.vmap(model.energy)(path)
        before = energies[0]
    assert jnp.all(path["v"][:, HELD] == first["v"][HELD][None])
    # Dynamics leave out what is clamped as a whole.
    assert jnp.all(path.get("h", start[None]) == start[None])
    assert jnp.all(path["v"][-1, ~HELD] != first["v"][~HELD])
    assert jnp.all(jnp.diff(jnp.append(before, energies)) <= 1e-13)
    assert energies[-1] < before - 1e-3


def test_what_is_released_moves_again(drawn):
    network = chain()
    start = jnp.linspace(0.0, 1.0, 6)
    clamped = network.clamp("h", start)
    assert clamped.neurons["h"].clamped.all()
    assert jnp.array_equal(clamped.started(jnp.ones(5))["h"], start)
    states = drawn(network)
    assert jnp.array_equal(clamped.pull(states)["h"], states["h"])
    released = clamped.release("h")
    same(released.pull(states), network.pull(states))
    # It still starts where it was held.
    assert jnp.array_equal(released.started(jnp.ones(5))["h"], start)
    assert jnp.array_equal(
        network.clamp("v").release("v").pull(states)["v"], network.pull(states)["v"]
    )


def test_a_layer_that_is_clamped_as_a_whole_needs_no_update():
    # Neither attention nor a lateral synapse has an exact update of its own layer.
    weights = DenseSynapse(SECOND.T)
    layers = {"v": Neurons(5), "h": Neurons(6, Tanh(), start=jnp.ones(6))}
    network = HierarchicalMemory(layers, {("v", "h"): weights, "h": LateralSynapse(np.eye(6) + 1)})
    assert "LateralSynapse is not linear" in network.lacks_relaxation
    held = network.clamp("h")
    assert held.lacks_relaxation is None
    relaxed = held.relax({"v": jnp.zeros(5), "h": jnp.ones(6)})
    assert jnp.allclose(relaxed["v"], SECOND @ jnp.full(6, jnp.tanh(1.0)), atol=1e-6)
    assert jnp.array_equal(relaxed["h"], jnp.ones(6))
    # Its state is known, so that it may be left out.
    assert jnp.array_equal(held.pull({"v": jnp.zeros(5)})["v"], relaxed["v"])
    with pytest.raises(ValueError, match="clamped"):
        held.clamp("v")


def test_clamping_says_what_does_not_fit():
    network = chain()
    for call, text in (
        (lambda: network.clamp("tip"), "no layer 'tip'; the layers are 'v', 'h', 'top'"),
        (lambda: network.release("tip"), "no layer 'tip'"),
        (lambda: network.clamp("h"), "'h' is clamped, but has no `start`"),
        (lambda: network.clamp("h", jnp.ones(5)), r"`start` must have the layer's shape \(6,\)"),
        (lambda: network.clamp("v", jnp.ones(5)), "'v' starts from the query"),
        (lambda: network.clamp("v", where=HELD[:2]), r"`clamped` must have shape \(5,\)"),
        (lambda: network.clamp("h", jnp.ones(6), np.arange(6) < 3), "LayerNorm mixes"),
    ):
        with pytest.raises(ValueError, match=text):
            call()


def test_a_start_is_where_a_hidden_layer_begins():
    start = jnp.linspace(-1.0, 1.0, 6)
    layers = {"v": Neurons(5), "h": Neurons(6, Tanh(), start=start), "k": Neurons(5)}
    joints = {("v", "h"): DenseSynapse(FIRST), ("h", "k"): DenseSynapse(SECOND)}
    started = HierarchicalMemory(layers, joints).started(jnp.ones(5))
    assert jnp.array_equal(started["h"], start)
    assert jnp.allclose(started["k"], SECOND @ jnp.tanh(start), atol=1e-6)


# Parameters that are not learnt.


@eqx.filter_jit
@eqx.filter_grad
def slopes_of(network, states):
    """The gradient, by every parameter, of whatever a network gives."""
    model = network.space(states["v"])
    given = (
        network.energy(states),
        network.pull(states),
        network.relax(states),
        network.activations(states),
        model.answer(model.initial).state,
    )
    return sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(given))


def relaxing(fast=False):
    """A chain of which every layer has an exact update."""
    layers = {
        "v": Neurons(5, Tanh(1.5), input=weights(5)),
        "h": Neurons(6, LayerNorm(0.8), 0.5),
        "top": Neurons(5, Softmax(2.0), 0.0 if fast else 0.2),
    }
    joints = {("v", "h"): DenseSynapse(FIRST), ("h", "top"): DenseSynapse(SECOND)}
    return HierarchicalMemory(layers, joints)


@pytest.mark.parametrize("frozen", [("v", "h-top"), ("v-h", "h", "top")])
def test_what_is_frozen_has_no_gradient_and_the_rest_is_unchanged(drawn, frozen):
    # The state of a fast layer follows from the others, by weights that may be frozen.
    fast = "h-top" in frozen
    network = relaxing(fast)
    states = drawn(network)
    if fast:
        del states["top"]
    plain, slopes = slopes_of(network, states), slopes_of(network.freeze(*frozen), states)
    assert all(jnp.any(leaf != 0) for leaf in jax.tree.leaves(plain))
    for name in network.names:
        compare(slopes.neurons[name], plain.neurons[name], name in frozen)
    for part, (_, index) in zip(network.parts, network.edges, strict=True):
        compare(slopes.synapses[index], plain.synapses[index], part in frozen)


def compare(own, expected, frozen):
    for leaf, other in zip(jax.tree.leaves(own), jax.tree.leaves(expected), strict=True):
        if frozen:
            assert jnp.all(leaf == 0)
        else:
            assert jnp.allclose(leaf, other, rtol=1e-4, atol=1e-6)


def test_freezing_replaces_what_was_frozen():
    network = chain().freeze("h", "v-h", "h")
    assert network.frozen == ("h", "v-h")
    assert network.freeze("top").frozen == ("top",)
    assert network.freeze().frozen == ()
    with pytest.raises(ValueError, match="`frozen` names 'tip', but the parts are 'v', 'h', 'top'"):
        network.freeze("tip")


def test_a_tied_synapse_is_frozen_in_all_its_places(drawn):
    network = ring(DenseSynapse(SIDE), DenseSynapse(SIDE)).freeze("a-b")
    states = drawn(network)
    slopes = eqx.filter_jit(eqx.filter_grad(lambda network: network.energy(states)))(network)
    assert jnp.all(slopes.synapses[0].weights == 0)
    assert jnp.any(slopes.synapses[1].weights != 0)


def test_frozen_and_clamped_networks_are_described():
    text = repr(chain().freeze("top", "v-h").clamp("h", jnp.zeros(6)))
    lines = {line.split()[0]: line for line in text.splitlines()[1:]}
    assert lines.keys() == {"v", "h", "top", "v-h", "h-top", "v-v"}
    assert "(5,)  Tanh" in lines["v"]
    assert "τ = 1, input" in lines["v"]
    assert "LayerNorm" in lines["h"]
    assert "τ = 0.5, clamped" in lines["h"]
    assert "Softmax" in lines["top"]
    assert "frozen" in lines["top"]
    assert "frozen" in lines["v-h"]
    assert "(6, 5)" in lines["v-h"]
    assert "LateralSynapse" in lines["v-v"]
    assert "fast" in repr(relaxing(True)).splitlines()[3]
    assert sum("tied" in line for line in repr(ring(*2 * [DenseSynapse(SIDE)])).splitlines()) == 3
