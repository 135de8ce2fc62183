import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

import attrax
from attrax.errors import NoEnergyError
from attrax.hierarchical import (
    AbstractSynapse,
    ConvexFunction,
    DenseSynapse,
    HierarchicalMemory,
    Neurons,
    SeparationLagrangian,
    SimilaritySynapse,
)
from attrax.separation import (
    Entmax,
    Exponential,
    Power,
    Softmax,
    SumNormalised,
)
from attrax.similarity import (
    Cosine,
    Dot,
    Euclidean,
    JensenShannon,
    KullbackLeibler,
    Manhattan,
)

SIMILARITIES = [Dot(), Euclidean(), Cosine(), KullbackLeibler(), JensenShannon(), Manhattan()]
SEPARATIONS = [Softmax(3.0), Power(2, rectified=True), Exponential(0.3), Entmax(1.5, 3.0)]
TANH = ConvexFunction(lambda x: jnp.sum(jnp.logaddexp(x, -x)))
NORM = ConvexFunction(lambda x: jnp.sqrt(jnp.sum(x**2) + 1e-3))


def two_layers(keys, similarity, separation, tau=0.3):
    return HierarchicalMemory(
        {
            "value": Neurons(keys.shape[1]),
            "memory": Neurons(keys.shape[0], SeparationLagrangian(separation), tau=tau),
        },
        [SimilaritySynapse(similarity, keys)],
    )


def chain(bottom=TANH, taus=(1.0, 0.5, 0.2)):
    """Three layers of 6, 8 and 5 neurons, with an input to the one in the middle."""
    keys = jax.random.split(jax.random.key(7), 3)
    return HierarchicalMemory(
        {
            "value": Neurons(6, bottom, taus[0]),
            "hidden": Neurons(8, TANH, taus[1], jax.random.normal(keys[2], (8,))),
            "top": Neurons(5, SeparationLagrangian(Softmax(2.0)), taus[2]),
        },
        [
            DenseSynapse(jax.random.normal(keys[0], (8, 6)), ("value", "hidden")),
            DenseSynapse(jax.random.normal(keys[1], (5, 8)), ("hidden", "top")),
        ],
    )


def drawn(network, count, seed=3):
    """States of all layers, with a leading axis."""
    keys = jax.random.split(jax.random.key(seed), len(network.names))
    return {
        name: jax.random.uniform(key, (count, *network.neurons[name].shape), network.dtype, 0.1)
        for name, key in zip(network.names, keys, strict=True)
    }


@pytest.mark.parametrize(
    ("similarity", "separation"),
    [
        *((Dot(), separation) for separation in SEPARATIONS[1:]),
        *((similarity, SEPARATIONS[0]) for similarity in SIMILARITIES),
    ],
    ids=repr,
)
def test_the_rate_of_the_energy(x64, rows, rate, similarity, separation):
    network = two_layers(rows(), similarity, separation)
    slope, form, scale = jax.jit(jax.vmap(lambda s: rate(network, s)))(drawn(network, 10))
    assert jnp.all(form < 0)
    assert jnp.all(jnp.abs(slope - form) <= 1e-10 * scale)


@pytest.mark.parametrize("bottom", [TANH, NORM], ids=["tanh", "norm"])
def test_the_rate_of_the_energy_of_three_layers(x64, rate, bottom):
    network = chain(bottom)
    slope, form, scale = jax.jit(jax.vmap(lambda s: rate(network, s)))(drawn(network, 10))
    assert jnp.all(form < 0)
    assert jnp.all(jnp.abs(slope - form) <= 1e-10 * scale)


@jax.custom_vjp
def _one_way(forward, backward, g, f):
    return -f @ forward @ g


_one_way.defvjp(
    lambda forward, backward, g, f: (_one_way(forward, backward, g, f), (forward, backward, g, f)),
    # Values are driven by weights of their own, so no energy is behind the two directions.
    lambda kept, t: (None, None, -t * (kept[1].T @ kept[3]), -t * (kept[0] @ kept[2])),
)


class OneWay(AbstractSynapse):
    forward: jax.Array
    backward: jax.Array
    layers = ("value", "memory")
    linear = (True, True)
    drives = ("signed", "signed")

    def __call__(self, lower, upper):
        return _one_way(self.forward, self.backward, lower, upper)

    def check(self, lower, upper):
        pass


def euler(network, states, steps=2000, step=2e-3):
    """The energies along an Euler integration, by plain definition."""
    taus = {name: network.neurons[name].tau for name in network.names}

    def advance(states, _):
        pulled = network.pull(states)
        moved = {n: states[n] + step / taus[n] * (pulled[n] - states[n]) for n in network.names}
        return moved, network.energy(moved)

    return jax.jit(lambda s: jax.lax.scan(advance, s, length=steps)[1])(states)


def test_asymmetric_weights_make_the_energy_rise_and_are_caught(x64):
    forward, backward = jax.random.normal(jax.random.key(0), (2, 12, 6))
    memory = Neurons(12, SeparationLagrangian(Softmax(2.0)), tau=0.3)

    def rises(synapse):
        network = HierarchicalMemory({"value": Neurons(6), "memory": memory}, [synapse])
        states = {name: state[0] for name, state in drawn(network, 1).items()}
        return jnp.max(jnp.diff(euler(network, states)))

    assert rises(DenseSynapse(forward)) <= 1e-12
    assert rises(OneWay(forward, forward)) <= 1e-12
    assert rises(OneWay(forward, backward)) > 1e-6


@pytest.mark.parametrize(
    "make", [chain, lambda: two_layers(jnp.eye(12, 6), Euclidean(), Softmax())]
)
def test_the_energy_is_the_sum_of_its_parts(make):
    network = make()
    states = {name: state[0] for name, state in drawn(network, 1).items()}
    parts = network.energies(states)
    names = {"-".join(synapse.layers) for synapse in network.synapses}
    assert parts.keys() == {*network.names, *names}
    assert jnp.allclose(network.energy(states), sum(parts.values()), rtol=1e-5)
    for name, state in states.items():
        assert jnp.allclose(parts[name], network.neurons[name].energy(state))
    activations = network.activations(states)
    for synapse in network.synapses:
        expected = synapse(*(activations[name] for name in synapse.layers))
        assert jnp.allclose(parts["-".join(synapse.layers)], expected)


def test_parts_of_the_same_layers_are_named_apart(rows):
    neurons = {"value": Neurons(6), "memory": Neurons(12)}
    synapse = DenseSynapse(rows())
    states = {"value": jnp.ones(6), "memory": jnp.ones(12)}
    parts = HierarchicalMemory(neurons, [synapse, synapse]).energies(states)
    assert parts.keys() == {"value", "memory", "value-memory", "value-memory 2"}
    assert parts["value-memory"] == parts["value-memory 2"]


def test_pulls_are_what_the_equations_say():
    network = chain()
    states = {name: state[0] for name, state in drawn(network, 1).items()}
    first, second = (synapse.weights for synapse in network.synapses)
    pulled, g = network.pull(states), network.activations(states)
    assert jnp.allclose(pulled["value"], first.T @ g["hidden"], atol=1e-6)
    drive = network.neurons["hidden"].input
    middle = drive + first @ g["value"] + second.T @ g["top"]
    assert jnp.allclose(pulled["hidden"], middle, atol=1e-6)
    assert jnp.allclose(pulled["top"], second @ g["hidden"], atol=1e-6)


def test_layers_of_a_group_are_not_joined():
    assert chain().groups == (("hidden",), ("top", "value"))
    assert two_layers(jnp.eye(12, 6), Dot(), Softmax()).groups == (("memory",), ("value",))


RELAXING = [
    *((Dot(), separation) for separation in SEPARATIONS),
    *((Manhattan(), separation) for separation in SEPARATIONS[1:]),
    (Euclidean(), SEPARATIONS[0]),
    (Cosine(), SEPARATIONS[1]),
    (KullbackLeibler(), SEPARATIONS[3]),
]


@pytest.mark.parametrize(("similarity", "separation"), RELAXING, ids=repr)
def test_relaxing_layer_by_layer_never_raises_the_energy(x64, rows, similarity, separation):
    # Unnormalised weights of positive rows grow without bound under dot products.
    keys = rows() - 0.5 if isinstance(similarity, Dot) else rows()
    network = two_layers(keys, similarity, separation)
    assert network.lacks_relaxation is None

    @jax.jit
    @jax.vmap
    def run(states):
        def sweep(states, _):
            between = network.relax(states, ["memory"])
            after = network.relax(between, "value")
            return after, (network.energy(between), network.energy(after))

        start = network.energy(states)
        return start, jnp.stack(jax.lax.scan(sweep, states, length=5)[1], -1).reshape(-1)

    start, energies = run(drawn(network, 20))
    path = jnp.concatenate([start[:, None], energies], 1)
    assert jnp.all(jnp.diff(path) <= 1e-13 * jnp.max(jnp.abs(path)))
    assert jnp.all(path[:, -1] < path[:, 0])


def test_relaxing_three_layers_never_raises_the_energy(x64):
    network = chain()
    states = {name: state[0] for name, state in drawn(network, 1).items()}
    energies = [network.energy(states)]
    for _ in range(10):
        states = network.relax(states)
        energies.append(network.energy(states))
    assert jnp.all(jnp.diff(jnp.stack(energies)) <= 1e-12)


def test_all_layers_at_once_can_cycle_with_rising_energy(x64):
    # Two neurons that excite one another: each takes over what the other was, for ever.
    neurons = {"value": Neurons(1, TANH), "memory": Neurons(1, TANH)}
    network = HierarchicalMemory(neurons, [DenseSynapse(jnp.array([[3.0]]))])
    states = {"value": jnp.array([2.9]), "memory": jnp.array([-2.9])}
    path, energies = [states], [network.energy(states)]
    for _ in range(4):
        path.append(network.pull(path[-1]))
        energies.append(network.energy(path[-1]))
    signs = [float(jnp.sign(state["value"][0])) for state in path]
    assert signs == [1.0, -1.0, 1.0, -1.0, 1.0]
    assert max(jnp.diff(jnp.stack(energies))) > 1e-3
    relaxed = network.relax(states)
    assert network.energy(relaxed) < min(energies) - 1
    assert jnp.sign(relaxed["value"]) == jnp.sign(relaxed["memory"])


@pytest.mark.parametrize(
    ("similarity", "state_term", "ratio"),
    [(Dot(), True, 1.0), (Euclidean(), True, 1.0), (Euclidean(), False, 0.5)],
    ids=repr,
)
def test_where_value_neurons_rest(x64, rows, similarity, state_term, ratio):
    # With the ½|v|² of the layer left in, a Euclidean network rests at half of what it recalls.
    synapse = SimilaritySynapse(similarity, rows(), state_term=state_term)
    memory = Neurons(12, SeparationLagrangian(Softmax(5.0)), tau=0.0)
    network = HierarchicalMemory({"value": Neurons(6), "memory": memory}, [synapse])
    flow = attrax.dynamics.Flow(rtol=1e-10, atol=1e-10, max_steps=4000)
    model = network.model(rows(1, (6,)))
    rest = jax.jit(lambda state: flow.run(model, state).state)(model.initial)
    read = rows().T @ network.activations(rest)["memory"]
    assert jnp.allclose(rest["value"], ratio * read, atol=1e-7)


def test_fast_layers_follow_from_the_others(rows):
    network = two_layers(rows(), Cosine(), Softmax(3.0), tau=0.0)
    value = rows(1, (6,))
    scores = Cosine()(rows(), value)
    full = {"value": value, "memory": scores}
    assert jnp.allclose(network.energy({"value": value}), network.energy(full))
    weights = network.activations({"value": value})["memory"]
    assert jnp.allclose(weights, jax.nn.softmax(3 * scores))
    effective = -jax.nn.logsumexp(3 * scores) / 3
    assert jnp.allclose(network.energy({"value": value}), effective, atol=1e-6)


@pytest.mark.slow
def test_slow_networks_approach_the_fast_one_linearly(x64, rows):
    flow = attrax.dynamics.Flow(2.0, rtol=1e-9, atol=1e-9, max_steps=4000)

    def end(tau):
        model = two_layers(rows(), Euclidean(), Softmax(5.0), tau).model(rows(1, (6,)))
        return jax.jit(lambda state: flow.run(model, state).state["value"])(model.initial)

    off = [jnp.linalg.norm(end(tau) - end(0.0)) for tau in (0.1, 0.01)]
    assert 7 < off[0] / off[1] < 14


def test_jit_vmap_and_grad(rows):
    network = chain()
    states = drawn(network, 4)
    one = {name: state[1] for name, state in states.items()}
    batched = jax.vmap(network.energy)(states)
    assert jnp.allclose(eqx.filter_jit(network.energy)(one), batched[1], rtol=1e-5)
    assert jnp.allclose(network.energy(one), batched[1], rtol=1e-5)

    def energy(weights):
        synapse = DenseSynapse(weights, ("value", "hidden"))
        rebuilt = HierarchicalMemory(network.neurons, [synapse, network.synapses[1]])
        return rebuilt.energy(one)

    g = network.activations(one)
    slope = jax.grad(energy)(network.synapses[0].weights)
    assert jnp.allclose(slope, -jnp.outer(g["hidden"], g["value"]), atol=1e-5)
    slopes = eqx.filter_grad(lambda network: network.energy(one))(network)
    beta = slopes.neurons["top"].lagrangian.separation.beta
    softmax, states = g["top"], one["top"]
    by_hand = jax.grad(lambda beta: softmax @ states - jax.nn.logsumexp(beta * states) / beta)(2.0)
    upwards = network.synapses[1].weights @ g["hidden"]
    bent = softmax * (states - softmax @ states)
    assert jnp.allclose(beta, by_hand + bent @ states - bent @ upwards, atol=1e-5)


def test_the_order_of_layers_outlives_a_tree_map():
    network = HierarchicalMemory(
        {"visible": Neurons(6), "a": Neurons(12)},
        [DenseSynapse(jnp.ones((12, 6)), ("visible", "a"))],
    )
    mapped = jax.tree.map(lambda leaf: leaf, network)
    assert mapped.visible == "visible"
    assert mapped.names == ("visible", "a")


def test_half_precision(rows):
    keys = rows().astype(jnp.bfloat16)
    network = two_layers(keys, Euclidean(), Softmax(3.0))
    states = {name: state[0] for name, state in drawn(network, 1).items()}
    assert network.dtype == jnp.bfloat16
    assert network.energy(states).dtype == jnp.float32
    for moved in (network.pull(states), network.relax(states)):
        assert {state.dtype for state in moved.values()} == {jnp.dtype(jnp.bfloat16)}


def test_saving_and_loading(tmp_path):
    network = two_layers(jnp.eye(12, 6) + 0.1, KullbackLeibler(), Entmax(2.0, 3.0))
    attrax.save(tmp_path / "network", network)
    loaded = attrax.load(tmp_path / "network")
    states = {name: state[0] for name, state in drawn(network, 1).items()}
    assert loaded.names == network.names
    assert loaded.energy(states) == network.energy(states)


def test_no_energy_without_a_potential(rows):
    network = two_layers(rows(), Dot(), SumNormalised(Power(3)))
    states = {name: state[0] for name, state in drawn(network, 1).items()}
    with pytest.raises(NoEnergyError, match="no gradient of a convex function"):
        network.energy(states)
    assert jnp.all(jnp.isfinite(network.relax(states)["value"]))


VALUE, MEMORY = Neurons(6), Neurons(12, SeparationLagrangian(Softmax()))
KEYS = jnp.eye(12, 6) + 0.1
DENSE = DenseSynapse(KEYS)
FAST = Neurons(12, SeparationLagrangian(Softmax()), 0.0)


class Vector(OneWay):
    def __call__(self, lower, upper):
        return upper


def made(value=VALUE, memory=MEMORY, synapses=(DENSE,), **more):
    return HierarchicalMemory({"value": value, "memory": memory, **more}, synapses)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: HierarchicalMemory({}, [DENSE]), ValueError, "`neurons` is empty"),
        (lambda: made(synapses=()), ValueError, "`synapses` is empty"),
        (lambda: made(other=VALUE), ValueError, "No synapse joins layer 'other'"),
        (
            lambda: made(synapses=[DenseSynapse(KEYS, ("value", "memories"))]),
            ValueError,
            "joins layer 'memories', but the layers are 'value', 'memory'.*`layers=`",
        ),
        (lambda: made(synapses=[Vector(KEYS, KEYS)]), ValueError, "must give one number"),
        (lambda: made(value=Neurons(6, tau=0.0)), ValueError, "visible layer 'value' is fast"),
        (
            lambda: HierarchicalMemory(
                {"a": VALUE, "memory": FAST, "value": Neurons(6, tau=0.0)},
                [DENSE, DenseSynapse(KEYS, ("a", "memory"))],
            ),
            ValueError,
            "'value', 'memory' are both fast and joined",
        ),
        (
            lambda: HierarchicalMemory(
                {"memory": MEMORY, "value": Neurons(6, tau=0.0)},
                [SimilaritySynapse(Cosine(), KEYS)],
            ),
            ValueError,
            "'value' is fast, but SimilaritySynapse is not linear",
        ),
        (
            lambda: made(synapses=[SimilaritySynapse(Cosine(), KEYS)] * 2),
            ValueError,
            "state_term=False to all but one",
        ),
        (
            lambda: made(memory=Neurons((3, 4), SeparationLagrangian(Softmax()))),
            ValueError,
            r"`weights` between layers",
        ),
        (
            lambda: made(memory=Neurons(12, SeparationLagrangian(Power(2)))),
            ValueError,
            "defined for non-negative states.*rectified Power",
        ),
        (lambda: made().pull({"value": KEYS[0]}), ValueError, "lacks layer 'memory'"),
        (lambda: made(memory=FAST).pull({"memory": KEYS[:, 0]}), ValueError, "lacks layer 'value'"),
        (lambda: made(memory=FAST).pull({"value": KEYS}), ValueError, "use jax.vmap"),
        (
            lambda: made().pull({"value": KEYS[0], "memories": KEYS[:, 0]}),
            ValueError,
            "names 'memories', but the layers are 'value', 'memory'",
        ),
        (
            lambda: made(memory=FAST).relax({"value": KEYS[0]}, "values"),
            ValueError,
            "`order` names 'values'",
        ),
        (
            lambda: attrax.retrieve(made(Neurons(6, TANH)), KEYS, known=jnp.arange(6) < 3),
            ValueError,
            r"`known` holds entries .* Quadratic\(\)",
        ),
        (lambda: attrax.retrieve(made(), KEYS[:, :5]), ValueError, "`queries` must have 6 entries"),
    ],
)
def test_what_does_not_fit_is_refused(make, error, text):
    with pytest.raises(error, match=text):
        make()


def test_the_remedy_for_the_domain_works(rows):
    similarity = attrax.similarity.non_negative(Euclidean())
    network = two_layers(rows(), similarity, Power(2))
    assert network.lacks_energy is None
