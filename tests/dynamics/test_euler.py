import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax import Memory, Outcome, retrieve
from attrax.common.checks import NoEnergyError
from attrax.dynamics import Euler, FixedPoint, Flow, certify
from attrax.hierarchical import (
    DenseSynapse,
    HierarchicalMemory,
    LateralSynapse,
    Neurons,
    PoolingSynapse,
    Tanh,
)
from attrax.separation import Power, Softmax, SumNormalised
from attrax.similarity import Dot
from jitted import jitted


def chain(scale=1.0):
    """Three layers of 6, 8 and 5 neurons with time constants of their own."""
    first, second = jax.random.split(jax.random.key(7))
    return HierarchicalMemory(
        {
            "value": Neurons(6, Tanh()),
            "hidden": Neurons(8, Tanh(), 0.5),
            "top": Neurons(5, Softmax(2.0), 0.2),
        },
        {
            ("value", "hidden"): DenseSynapse(scale * jax.random.normal(first, (8, 6))),
            ("hidden", "top"): DenseSynapse(scale * jax.random.normal(second, (5, 8))),
        },
    )


def queries(count=4):
    return jax.random.normal(jax.random.key(1), (count, 6))


def by_hand(network, query, step, steps):
    """The energies and visible activations of Euler's method, by definition."""
    first, second = (np.asarray(synapse.weights) for synapse in network.synapses)
    x = jax.tree.map(np.asarray, jitted(HierarchicalMemory.started, network, query))
    seen = []
    for _ in range(steps):
        g = {"value": np.tanh(x["value"]), "hidden": np.tanh(x["hidden"])}
        e = np.exp(2 * (x["top"] - x["top"].max()))
        g["top"] = e / e.sum()
        pull = {
            "value": first.T @ g["hidden"],
            "hidden": first @ g["value"] + second.T @ g["top"],
            "top": second @ g["hidden"],
        }
        taus = {"value": 1.0, "hidden": 0.5, "top": 0.2}
        x = {n: x[n] + step / taus[n] * (pull[n] - x[n]) for n in x}
        seen.append(np.tanh(x["value"]))
    return np.stack(seen)


def test_the_path_is_eulers():
    network = chain()
    found = retrieve(network, queries(1)[0], Euler(0.05, max_steps=6), path=True)
    assert found.outcome == Outcome.step_limit
    assert found.steps == 6
    expected = by_hand(network, queries(1)[0], 0.05, 6)
    assert jnp.allclose(found.path[1:], expected, atol=1e-6)
    assert jnp.allclose(found.state, expected[-1], atol=1e-6)


def test_it_rests_where_the_flow_does():
    network = chain()
    found = retrieve(network, queries(), Euler(0.05, rtol=1e-5), certify=True)
    flow = retrieve(network, queries(), Flow(rtol=1e-5))
    assert jnp.all(found.outcome == Outcome.converged)
    assert jnp.all(flow.outcome == Outcome.converged)
    assert jnp.allclose(found.state, flow.state, atol=1e-3)
    assert jnp.allclose(found.energy, flow.energy, rtol=1e-5)
    assert jnp.all(found.certificate.certified)


def test_reverse_mode_follows_the_steps():
    network, steps = chain(), 12
    dynamics = Euler(0.05, rtol=0.0, atol=1e-30, max_steps=steps)

    def scanned(network, query):
        model = network.space(query)

        def step(states, _):
            pulled = model.pull(states)
            return {n: x + 0.05 * (pulled[n] - x) for n, x in states.items()}, None

        states = jax.lax.scan(step, model.initial, length=steps)[0]
        return jnp.sum(network.activations(states)["value"] ** 2)

    own = eqx.filter_grad(lambda n: jnp.sum(retrieve(n, queries(1)[0], dynamics).state ** 2))
    expected = jax.tree.leaves(eqx.filter_jit(eqx.filter_grad(scanned))(network, queries(1)[0]))
    for found, right in zip(jax.tree.leaves(eqx.filter_jit(own)(network)), expected, strict=True):
        assert jnp.allclose(found, right, rtol=1e-4, atol=1e-6)


def test_long_steps_raise_the_energy_and_backtracking_does_not():
    # Steps of twice the slowest time constant are ten times the fastest.
    network = chain(2.0)
    plain = retrieve(network, queries(), Euler(2.0, max_steps=20), certify=True)
    assert not jnp.any(plain.certificate.certified)
    assert "rise is" in plain.certificate.summary()
    careful = retrieve(network, queries(), Euler(2.0, backtracking=True), certify=True)
    assert jnp.all(careful.certificate.certified)
    assert jnp.all(careful.outcome == Outcome.converged)
    assert "4 of 4: the energy never rose" in careful.certificate.summary()


def test_backtracking_descends_a_kinked_energy():
    weights = jax.random.normal(jax.random.key(0), (6, 8))
    network = HierarchicalMemory(
        {
            "value": Neurons((4, 2), Tanh()),
            "pooled": Neurons((2, 2), Power(1, rectified=True), start=jnp.ones((2, 2))),
            "memory": Neurons(6, Softmax(4.0)),
        },
        {
            ("value", "pooled"): PoolingSynapse((2,), "max"),
            ("value", "memory"): DenseSynapse(weights),
        },
    )
    start = jax.random.normal(jax.random.key(1), (16, 8))
    plain = retrieve(network, start, Euler(1.5, max_steps=40), certify=True)
    assert not jnp.all(plain.certificate.certified)
    careful = retrieve(network, start, Euler(1.5, backtracking=True, max_steps=40), certify=True)
    assert jnp.all(careful.certificate.certified)
    assert jnp.mean(careful.energy) < jnp.mean(plain.energy)


def test_a_kink_from_which_no_step_leads_down_is_reported():
    # ½x² + 5|x − 1| is least at 1, where its slopes on the two sides are −4 and 6.
    network = HierarchicalMemory(
        {"value": Neurons(1)}, {"value": lambda x: 5 * jnp.sum(jnp.abs(x - 1))}
    )
    found = retrieve(network, jnp.ones(1), Euler(0.5, backtracking=True))
    assert found.outcome == Outcome.stalled
    assert jnp.allclose(found.state, 1, rtol=1e-6)


def test_a_long_step_across_a_valley_is_halved():
    # From x = 3 a step of 1.9 would land at −2.7: lower, but beyond the valley again and again.
    network = HierarchicalMemory({"value": Neurons(2)}, {"value": lambda x: jnp.sum(x**4) / 4})
    found = retrieve(network, 3 * jnp.ones(2), Euler(1.9, backtracking=True), certify=True)
    assert found.outcome == Outcome.converged
    assert found.certificate.certified
    assert jnp.allclose(found.state, 0, atol=1e-3)


def test_unbounded_energies_diverge():
    network = HierarchicalMemory({"value": Neurons(2)}, {"value": lambda x: -jnp.sum(x**2)})
    found = retrieve(network, jnp.ones(2), Euler(0.5, max_steps=1000))
    assert found.outcome == Outcome.diverged


def test_a_memory_of_rows_is_followed_too():
    rows = jax.random.normal(jax.random.key(0), (12, 6))
    memory = Memory(rows, similarity=Dot(), separation=Softmax(6.0))
    found = retrieve(memory, rows + 0.1, Euler(0.5), certify=True)
    assert jnp.allclose(found.state, retrieve(memory, rows + 0.1).state, atol=1e-3)
    assert jnp.all(found.certificate.certified)


@pytest.mark.contract
def test_a_certificate_says_where_and_by_how_much():
    network = HierarchicalMemory({"value": Neurons(2)}, {"value": lambda x: -0.5 * jnp.sum(x)})
    path = {"value": jnp.array([[1.0, 1], [0.5, 0.5], [0.9, 0.5], [0.5, 0.5], [0.6, 0.5]])}
    certificate = certify(network.space(jnp.ones(2)), path)
    energies = jax.vmap(lambda v: network.energy({"value": v}))(path["value"])
    assert certificate.step == 2
    assert jnp.allclose(certificate.rise, energies[2] - energies[1])
    assert certificate.scale == 1
    assert not certificate.certified
    assert "in step 2 of retrieval 0" in certificate.summary()
    broken = certify(network.space(jnp.ones(2)), {"value": path["value"].at[1].set(jnp.nan)})
    assert not broken.certified


def test_what_has_no_energy_is_not_certified():
    memory = Memory(jnp.eye(6), similarity=Dot(), separation=SumNormalised(Power(3)))
    with pytest.raises(NoEnergyError, match="no gradient of a convex function"):
        retrieve(memory, jnp.ones(6), certify=True)
    with pytest.raises(NoEnergyError, match="no gradient of a convex function"):
        retrieve(memory, jnp.ones(6), Euler(backtracking=True))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Euler(0.0), "`step` must be positive"),
        (lambda: Euler(jnp.inf), "`step` must be positive"),
        (lambda: Euler(rtol=-1.0), "`rtol` and `atol`"),
        (lambda: Euler(max_steps=0), "`max_steps`"),
        (lambda: FixedPoint(Flow(), adjoint="implicit"), "`adjoint` is for optimistix"),
    ],
)
def test_wrong_values_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_implicit_gradients_after_other_dynamics():
    network = chain()
    unrolled = Euler(0.05, rtol=1e-6)

    @eqx.filter_jit
    def slope(network, dynamics):
        def loss(network):
            return jnp.sum(retrieve(network, queries(2), dynamics).state[:, :3])

        return eqx.filter_grad(loss)(network)

    found, expected = (
        jax.tree.leaves(slope(network, how)) for how in (FixedPoint(unrolled), unrolled)
    )
    assert len(found) == 5
    for own, right in zip(found, expected, strict=True):
        assert jnp.allclose(own, right, rtol=5e-3, atol=5e-3 * jnp.max(jnp.abs(right)))


@pytest.mark.contract
def test_the_implicit_gradient_reaches_what_is_clamped():
    network = HierarchicalMemory(
        {"value": Neurons(6, Tanh())},
        {"value": LateralSynapse(jax.random.normal(jax.random.key(7), (6, 6)))},
    ).clamp("value", where=jnp.arange(6) < 3)
    query = queries(1)[0]

    @jax.jit
    def slope(query, dynamics):
        return jax.grad(lambda q: jnp.sum(retrieve(network, q, dynamics).state ** 2))(query)

    found = slope(query, FixedPoint(Euler(0.05, rtol=1e-6)))
    expected = slope(query, Euler(0.05, rtol=1e-6))
    assert jnp.all(found[3:] == 0)
    assert jnp.all(jnp.abs(expected[:3]) > 1e-3)
    assert jnp.allclose(found[:3], expected[:3], rtol=5e-3, atol=1e-4)
