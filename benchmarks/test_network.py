"""Networks of layers: a step of descent, relaxation, and gradients of fixed points."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax import dynamics
from attrax.hierarchical import DenseSynapse, HierarchicalMemory, Neurons, Tanh
from attrax.separation import Softmax

SIZES = [(1000, 784, 1), (1000, 784, 100), (1000, 784, 1000), (10_000, 784, 100)]
BETA, STEP = 0.1, 0.5
WIDTH, RESIDUAL = 1000, 1e-4


@pytest.fixture(scope="session")
def hamux():
    """HAMUX 0.2.2, which needs fastcore without saying so."""
    pytest.importorskip("fastcore", reason="fastcore is not installed: pip install fastcore")
    return pytest.importorskip("hamux", reason="HAMUX is not installed: pip install hamux")


def draw(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape, dtype=np.float32))


def two_layers(weights, tau):
    """Value neurons and softmax memory neurons."""
    n, d = weights.shape
    return HierarchicalMemory(
        {"value": Neurons(d), "memory": Neurons(n, Softmax(BETA), tau=tau)},
        {("value", "memory"): DenseSynapse(weights)},
    )


@jax.jit
def descend(network, states):
    """One step x + α (pull − x) of a batch of states."""

    def one(states):
        pulled = network.pull(states)
        return {name: x + STEP * (pulled[name] - x) for name, x in states.items()}

    return jax.vmap(one)(states)


@pytest.mark.parametrize(("n", "d", "batch"), SIZES)
def test_step_beside_the_formula(versus, n, d, batch):
    """Fast memory neurons: both make two products and a softmax."""
    weights, x = draw(n, d), draw(batch, d, seed=1)
    network = two_layers(weights, 0.0)

    @jax.jit
    def formula(weights, x):
        return x + STEP * (jax.nn.softmax(BETA * (x @ weights.T), axis=-1) @ weights - x)

    found = descend(network, {"value": x})["value"]
    np.testing.assert_allclose(found, formula(weights, x), rtol=1e-4, atol=1e-4)
    versus(
        lambda: descend(network, {"value": x}),
        lambda: formula(weights, x),
        "x + α(s(xWᵀ)W − x)",
        1.1,
    )


@pytest.mark.parametrize(("n", "d", "batch"), SIZES)
def test_step_of_two_layers_beside_hamux(versus, hamux, n, d, batch):
    """Both layers move, in both libraries."""
    weights = draw(n, d)
    states = {"value": draw(batch, d, seed=1), "memory": draw(batch, n, seed=2)}
    network = two_layers(weights, 1.0)
    step = hamux_step(
        hamux.HAM(
            {
                "value": hamux.NeuronLayer(hamux.lagr_identity, (d,)),
                "memory": hamux.NeuronLayer(functools.partial(hamux.lagr_softmax, beta=BETA), (n,)),
            },
            {"synapse": hamux.LinearSynapse(weights.T)},
            [(("value", "memory"), "synapse")],
        )
    )
    agree(descend(network, states), step(states))
    versus(lambda: descend(network, states), lambda: step(states), "HAMUX, jitted", 1.0)


@pytest.mark.parametrize(("n", "d", "batch"), SIZES)
def test_step_beside_hamux_with_a_synapse_of_logsumexp(versus, hamux, n, d, batch):
    """The memory neurons fast, which HAMUX does by a synapse written for it."""
    weights, states = draw(n, d), {"value": draw(batch, d, seed=1)}
    network = two_layers(weights, 0.0)

    class Hidden(eqx.Module):
        weights: jax.Array

        def __call__(self, x):
            return -jax.nn.logsumexp(BETA * (self.weights @ x)) / BETA

    step = hamux_step(
        hamux.HAM(
            {"value": hamux.NeuronLayer(hamux.lagr_identity, (d,))},
            {"synapse": Hidden(weights)},
            [(("value",), "synapse")],
        )
    )
    agree(descend(network, states), step(states))
    versus(lambda: descend(network, states), lambda: step(states), "HAMUX, log-sum-exp", 1.0)


def hamux_step(ham):
    """One jitted step of a batch, the graph an argument as it is in training."""
    ham = ham.vectorize()

    @eqx.filter_jit
    def step(ham, states):
        slopes = ham.dEdact(ham.activations(states), states)
        return jax.tree.map(lambda x, slope: x - STEP * slope, states, slopes)

    return functools.partial(step, ham)


def agree(ours, theirs):
    for name, states in ours.items():
        np.testing.assert_allclose(states, theirs[name], rtol=1e-4, atol=1e-3)


def three_layers():
    """Weights of spectral norm about one half, so that there is one fixed point."""
    return [draw(WIDTH, WIDTH, seed=seed) / (4 * WIDTH**0.5) for seed in (1, 2)]


@pytest.mark.parametrize("how", ["layer by layer", "Euler"])
def test_relaxing_three_layers_beside_hamux(versus, hamux, how):
    """1000 neurons each, from one start until |pull − x| ≤ 1e-4; HAMUX in its loop of Python."""
    lower, upper = three_layers()
    query = draw(WIDTH, seed=3)
    network = HierarchicalMemory(
        {
            "input": Neurons(WIDTH, input=query),
            "hidden": Neurons(WIDTH, Tanh()),
            "top": Neurons(WIDTH),
        },
        {("input", "hidden"): DenseSynapse(lower), ("hidden", "top"): DenseSynapse(upper)},
    )
    limits = {"rtol": 0.0, "atol": RESIDUAL, "max_steps": 1000}
    chosen = dynamics.Euler(STEP, **limits) if how == "Euler" else dynamics.Iterate(**limits)

    class Input(eqx.Module):
        drive: jax.Array

        def __call__(self, x):
            return -jnp.sum(self.drive * x)

    ham = hamux.HAM(
        {
            "input": hamux.NeuronLayer(hamux.lagr_identity, (WIDTH,)),
            "hidden": hamux.NeuronLayer(hamux.lagr_tanh, (WIDTH,)),
            "top": hamux.NeuronLayer(hamux.lagr_identity, (WIDTH,)),
        },
        {
            "lower": hamux.LinearSynapse(lower.T),
            "upper": hamux.LinearSynapse(upper.T),
            "drive": Input(query),
        },
        [(("input", "hidden"), "lower"), (("hidden", "top"), "upper"), (("input",), "drive")],
    )

    @eqx.filter_jit
    def step(ham, states):
        slopes = ham.dEdact(ham.activations(states), states)
        away = jnp.sqrt(sum(jnp.sum(slope**2) for slope in slopes.values()))
        return jax.tree.map(lambda x, slope: x - STEP * slope, states, slopes), away

    def relax():
        states = {**ham.init_states(), "input": query}
        away = jnp.inf
        while away > RESIDUAL:
            states, away = step(ham, states)
        return states

    @eqx.filter_jit
    def run(network, query):
        model = network.space(query)
        return chosen.run(model, model.initial).state

    found, theirs = run(network, query), relax()
    pulled = network.pull(found)
    gaps = [jnp.sum((pulled[name] - x) ** 2) for name, x in found.items()]
    assert float(jnp.sqrt(sum(gaps))) <= RESIDUAL
    for name, x in found.items():
        np.testing.assert_allclose(x, theirs[name], atol=10 * RESIDUAL)
    versus(lambda: run(network, query), relax, "HAMUX, jitted step", 0.2)


@pytest.mark.parametrize("steps", [1, 10])
def test_gradient_through_steps_beside_the_formula(versus, steps):
    """Of 100 memories in 784 dimensions, by what became of 100 queries."""
    weights, x = draw(100, 784) / 28, draw(100, 784, seed=1)
    how = dynamics.Euler(STEP, rtol=0.0, atol=1e-30, max_steps=steps)

    @eqx.filter_jit
    @eqx.filter_grad
    def ours(network, x):
        return jnp.sum(attrax.retrieve(network, x, how).state ** 2)

    @jax.jit
    @jax.grad
    def formula(weights, x):
        for _ in range(steps):
            x = x + STEP * (jax.nn.softmax(BETA * (x @ weights.T), axis=-1) @ weights - x)
        return jnp.sum(x**2)

    network = two_layers(weights, 0.0)
    found = ours(network, x).synapses[0].weights
    np.testing.assert_allclose(found, formula(weights, x), rtol=1e-3, atol=1e-3)
    versus(lambda: ours(network, x).synapses[0].weights, lambda: formula(weights, x), "by hand")


def gradients(steps):
    """Gradients of a fixed point of three layers in the weights: implicit, and unrolled."""
    network = HierarchicalMemory(
        {"input": Neurons(200), "hidden": Neurons(200, Tanh()), "top": Neurons(200)},
        {
            ("input", "hidden"): DenseSynapse(draw(200, 200, seed=1) / 56),
            ("hidden", "top"): DenseSynapse(draw(200, 200, seed=2) / 56),
        },
    )
    queries = draw(16, 200, seed=3)

    def implicit(network, queries):
        how = dynamics.FixedPoint(max_steps=steps)
        return jnp.sum(attrax.retrieve(network, queries, how).state ** 2)

    def unrolled(network, queries):
        def run(query):
            model = network.space(query)
            last = jax.lax.scan(lambda s, _: (model.relax(s), None), model.initial, length=steps)[0]
            return model.answer(last, last).state

        return jnp.sum(jax.vmap(run)(queries) ** 2)

    def working_memory(loss):
        compiled = eqx.filter_jit(eqx.filter_grad(loss)).lower(network, queries).compile()
        return compiled.compiled.memory_analysis().temp_size_in_bytes

    return working_memory(implicit), working_memory(unrolled)


@pytest.mark.parametrize("steps", [10, 100, 1000])
def test_memory_of_the_implicit_gradient_beside_unrolled(amounts, steps):
    amounts(*gradients(steps), f"unrolled, {steps} steps", None, "B")


def test_memory_of_the_implicit_gradient_does_not_grow(amounts):
    amounts(gradients(1000)[0], gradients(10)[0], "10 steps", 1.0, "B")
