import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax.common.checks import NoEnergyError
from attrax.dynamics import Euler
from attrax.hierarchical import (
    AbstractSynapse,
    AttentionSynapse,
    BiasSynapse,
    ConvexFunction,
    ConvolutionSynapse,
    DenseSynapse,
    HierarchicalMemory,
    HyperSynapse,
    LateralSynapse,
    LayerNorm,
    Neurons,
    PoolingSynapse,
    SimilaritySynapse,
    Tanh,
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
from jitted import jitted

SEPARATIONS = [Softmax(3.0), Power(2, rectified=True), Exponential(0.3), Entmax(1.5, 3.0)]


def two_layers(keys, similarity, separation, tau=0.3):
    return HierarchicalMemory(
        {"value": Neurons(keys.shape[1]), "memory": Neurons(keys.shape[0], separation, tau)},
        {("value", "memory"): SimilaritySynapse(similarity, keys)},
    )


def chain():
    """Three layers of 6, 8 and 5 neurons, with an input to the one in the middle."""
    keys = jax.random.split(jax.random.key(7), 3)
    return HierarchicalMemory(
        {
            "value": Neurons(6, Tanh()),
            "hidden": Neurons(8, Tanh(), 0.5, jax.random.normal(keys[2], (8,))),
            "top": Neurons(5, Softmax(2.0), 0.2),
        },
        {
            ("value", "hidden"): DenseSynapse(jax.random.normal(keys[0], (8, 6))),
            ("hidden", "top"): DenseSynapse(jax.random.normal(keys[1], (5, 8))),
        },
    )


# The rate of dense, convolutional and attention networks: tests/conformance/test_law2_networks.py.
@pytest.mark.parametrize(
    ("similarity", "separation"),
    [
        (JensenShannon(), SEPARATIONS[3]),
        (Manhattan(), SEPARATIONS[1]),
    ],
    ids=repr,
)
def test_the_rate_of_the_energy(x64, rows, rate, drawn, similarity, separation):
    network = two_layers(rows(), similarity, separation)
    slope, form, scale = jax.jit(jax.vmap(lambda s: rate(network, s)))(drawn(network, 10))
    assert jnp.all(form < 0)
    assert jnp.all(jnp.abs(slope - form) <= 1e-10 * scale)


class Vector(AbstractSynapse):
    """An energy that is no number."""

    linear = (True, True)
    drives = ("signed", "signed")

    def __call__(self, lower, upper):
        return upper

    def check(self, layers):
        pass


@pytest.mark.contract
@pytest.mark.parametrize(
    "make", [chain, lambda: two_layers(jnp.eye(12, 6), Euclidean(), Softmax())]
)
def test_the_energy_is_the_sum_of_its_parts(make, drawn):
    network = make()

    @jax.jit
    def look(states):
        g = network.activations(states)
        own = {name: network.neurons[name].energy(state) for name, state in states.items()}
        for part, (layers, index) in zip(network.parts, network.edges, strict=True):
            own[part] = network.synapses[index](*(g[name] for name in layers))
        return network.energy(states), network.energies(states), own

    energy, parts, own = look(drawn(network))
    assert parts.keys() == own.keys() == {*network.names, *network.parts}
    assert all(np.allclose(parts[name], own[name], rtol=1e-5) for name in own)
    assert np.allclose(energy, sum(parts.values()), rtol=1e-5)


def test_parts_of_the_same_layers_are_named_apart(rows):
    neurons = {"value": Neurons(6), "memory": Neurons(12)}
    synapse = DenseSynapse(rows())
    states = {"value": jnp.ones(6), "memory": jnp.ones(12)}
    joints = {("value", "memory"): [synapse, synapse], "value": LateralSynapse(rows(1, (6, 6)))}
    parts = HierarchicalMemory(neurons, joints).energies(states)
    assert parts.keys() == {"value", "memory", "value-memory", "value-memory 2", "value-value"}
    assert parts["value-memory"] == parts["value-memory 2"]


def test_pulls_are_what_the_equations_say(drawn):
    network = chain()
    states = drawn(network)
    first, second = (synapse.weights for synapse in network.synapses)
    pulled = jitted(HierarchicalMemory.pull, network, states)
    g = jitted(HierarchicalMemory.activations, network, states)
    assert jnp.allclose(pulled["value"], first.T @ g["hidden"], atol=1e-6)
    drive = network.neurons["hidden"].input
    middle = drive + first @ g["value"] + second.T @ g["top"]
    assert jnp.allclose(pulled["hidden"], middle, atol=1e-6)
    assert jnp.allclose(pulled["top"], second @ g["hidden"], atol=1e-6)


def test_layers_of_a_group_are_not_joined():
    assert chain().groups == (("hidden",), ("top", "value"))
    assert two_layers(jnp.eye(12, 6), Dot(), Softmax()).groups == (("memory",), ("value",))


RELAXING = [
    (Dot(), SEPARATIONS[2]),
    (Manhattan(), SEPARATIONS[1]),
    (KullbackLeibler(), SEPARATIONS[3]),
]


@pytest.mark.parametrize(("similarity", "separation"), RELAXING, ids=repr)
def test_relaxing_layer_by_layer_never_raises_the_energy(x64, rows, drawn, similarity, separation):
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


def test_all_layers_at_once_can_cycle_with_rising_energy(x64):
    # Two neurons that excite one another: each takes over what the other was, for ever.
    neurons = {"value": Neurons(1, Tanh()), "memory": Neurons(1, Tanh())}
    network = HierarchicalMemory(neurons, {("value", "memory"): DenseSynapse([[3.0]])})
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
    memory = Neurons(12, Softmax(5.0), tau=0.0)
    layers = {"value": Neurons(6), "memory": memory}
    network = HierarchicalMemory(layers, {("value", "memory"): synapse})
    euler = Euler(0.2, rtol=0.0, atol=1e-11)
    space = network.space(rows(1, (6,)))
    rest = jax.jit(lambda: euler.run(space, space.initial).state)()
    read = rows().T @ jitted(HierarchicalMemory.activations, network, rest)["memory"]
    assert jnp.allclose(rest["value"], ratio * read, atol=1e-7)


def test_fast_layers_follow_from_the_others(rows):
    network = two_layers(rows(), Cosine(), Softmax(3.0), tau=0.0)
    value = rows(1, (6,))

    @jax.jit
    def look(value):
        scores, alone = Cosine()(rows(), value), {"value": value}
        weights = network.activations(alone)["memory"]
        both = network.energy({"value": value, "memory": scores})
        return scores, weights, network.energy(alone), both

    scores, weights, energy, both = look(value)
    assert np.allclose(energy, both)
    assert np.allclose(weights, jax.nn.softmax(3 * scores))
    assert np.allclose(energy, -jax.nn.logsumexp(3 * scores) / 3, atol=1e-6)


def test_slow_networks_approach_the_fast_one_linearly(x64, rows):
    # To the time 2, in steps well below the fastest time constant.
    euler = Euler(0.002, rtol=0.0, atol=1e-14, max_steps=1000)

    def end(tau):
        model = two_layers(rows(), Euclidean(), Softmax(5.0), tau).space(rows(1, (6,)))
        run = jax.jit(lambda state: euler.run(model, state))(model.initial)
        assert run.steps == 1000
        return run.state["value"]

    off = [jnp.linalg.norm(end(tau) - end(0.0)) for tau in (0.1, 0.01)]
    assert 7 < off[0] / off[1] < 14


@pytest.mark.contract
def test_jit_vmap_and_grad(drawn):
    network = chain()
    states = drawn(network, 4)
    one = {name: state[1] for name, state in states.items()}
    top = network.synapses[1]

    def energy(weights, states):
        joints = {("value", "hidden"): DenseSynapse(weights), ("hidden", "top"): top}
        return HierarchicalMemory(network.neurons, joints).energy(states)

    batched = jax.jit(jax.vmap(network.energy))(states)
    weights = network.synapses[0].weights
    plain, slope = jax.jit(jax.value_and_grad(energy))(weights, one)
    assert np.allclose(plain, batched[1], rtol=1e-5)
    assert np.allclose(network.energy(one), batched[1], rtol=1e-5)
    # Parameters of layers: tests/hierarchical/test_lagrangians.py.
    g = network.activations(one)
    assert np.allclose(slope, -np.outer(g["hidden"], g["value"]), atol=1e-5)


def test_the_order_of_layers_outlives_a_tree_map():
    network = HierarchicalMemory(
        {"visible": Neurons(6), "a": Neurons(12)},
        {("visible", "a"): DenseSynapse(jnp.ones((12, 6)))},
    )
    mapped = jax.tree.map(lambda leaf: leaf, network)
    assert mapped.visible == "visible"
    assert mapped.names == ("visible", "a")


@pytest.mark.contract
def test_half_precision(rows, drawn):
    keys = rows().astype(jnp.bfloat16)
    network = two_layers(keys, Euclidean(), Softmax(3.0))
    states = drawn(network)
    assert network.dtype == jnp.bfloat16
    assert network.energy(states).dtype == jnp.float32
    for moved in (network.pull(states), network.relax(states)):
        assert {state.dtype for state in moved.values()} == {jnp.dtype(jnp.bfloat16)}


def test_no_energy_without_a_potential(rows, drawn):
    network = two_layers(rows(), Dot(), SumNormalised(Power(3)))
    states = drawn(network)
    with pytest.raises(NoEnergyError, match="no gradient of a convex function"):
        network.energy(states)
    assert jnp.all(jnp.isfinite(network.relax(states)["value"]))


def test_a_single_name_or_several_synapses_may_join():
    weights = jnp.eye(6) + 1
    several = [LateralSynapse(weights), BiasSynapse(jnp.ones(6)), lambda g: -jnp.sum(g)]
    network = HierarchicalMemory({"value": Neurons(6)}, {"value": several})
    assert network.parts == ("value-value", "value-value 2", "value-value 3")
    assert network.groups == (("value",),)
    assert jnp.allclose(network.pull({"value": jnp.ones(6)})["value"], 5 + 1 + 1)
    assert network.joints == {("value",): list(network.synapses)}
    rebuilt = HierarchicalMemory(network.neurons, network.joints)
    assert rebuilt.edges == network.edges


KEYS = jnp.eye(12, 6) + 0.1
VALUE, MEMORY, DENSE = Neurons(6), Neurons(12, Softmax()), DenseSynapse(KEYS)
FAST = Neurons(12, Softmax(), 0.0)
BETWEEN = ("value", "memory")
IMAGE, TOKENS = Neurons((4, 4, 2)), Neurons((3, 4))


def made(value=VALUE, memory=MEMORY, joints=None, **more):
    joints = {BETWEEN: DENSE} if joints is None else joints
    return HierarchicalMemory({"value": value, "memory": memory, **more}, joints)


def joined(synapse, *layers):
    names = tuple("abc"[: len(layers)])
    return HierarchicalMemory(dict(zip(names, layers, strict=True)), {names: synapse})


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        # Graphs.
        (lambda: HierarchicalMemory({}, {BETWEEN: DENSE}), ValueError, "`neurons` is empty"),
        (lambda: made(joints={}), ValueError, "`synapses` is empty"),
        (
            lambda: made(joints={BETWEEN: []}),
            ValueError,
            "joins .* by an empty list",
        ),
        (lambda: made(other=VALUE), ValueError, "No synapse joins layer 'other'"),
        (
            lambda: made(joints={("value", "memories"): DENSE}),
            ValueError,
            "joins layer 'memories', but the layers are 'value', 'memory'",
        ),
        (lambda: made(joints={("value", "value"): DENSE}), ValueError, "with itself.* Lateral"),
        (lambda: made(joints={BETWEEN: Vector()}), ValueError, "Vector must give one number"),
        (lambda: made(value=Neurons(6, tau=0.0)), ValueError, "visible layer 'value' is fast"),
        (
            lambda: HierarchicalMemory(
                {"a": VALUE, "memory": FAST, "value": Neurons(6, tau=0.0)},
                {BETWEEN: DENSE, ("a", "memory"): DENSE},
            ),
            ValueError,
            "'value', 'memory' are both fast and joined",
        ),
        (
            lambda: HierarchicalMemory(
                {"memory": MEMORY, "value": Neurons(6, tau=0.0)},
                {BETWEEN: SimilaritySynapse(Cosine(), KEYS)},
            ),
            ValueError,
            "'value' is fast, but SimilaritySynapse is not linear",
        ),
        (
            lambda: made(
                memory=FAST, joints={BETWEEN: DENSE, "memory": LateralSynapse(np.eye(12))}
            ),
            ValueError,
            "'memory' is fast, but LateralSynapse is not linear",
        ),
        (
            lambda: made(joints={BETWEEN: [SimilaritySynapse(Cosine(), KEYS)] * 2}),
            ValueError,
            "state_term=False to all but one",
        ),
        (
            lambda: made(memory=Neurons(12, Power(2))),
            ValueError,
            "defined for non-negative states.*rectified Power",
        ),
        (
            lambda: made(value=Neurons(6, start=KEYS[0])),
            ValueError,
            "visible layer 'value' starts from the query; give it no `start`",
        ),
        (
            lambda: made(memory=Neurons(12, clamped=True)),
            ValueError,
            "'memory' is clamped, but has no `start`",
        ),
        (
            lambda: HierarchicalMemory(
                {"value": VALUE, "memory": MEMORY}, {BETWEEN: DENSE}, frozen=("x",)
            ),
            ValueError,
            "`frozen` names 'x', but the parts are 'value', 'memory', 'value-memory'",
        ),
        # Synapses that do not fit between their layers.
        (
            lambda: made(memory=Neurons((3, 5), Softmax())),
            ValueError,
            r"`weights` between layers 'value' of shape \(6,\), 'memory' of shape \(3, 5\) must "
            r"have shape \(15, 6\), but its shape is \(12, 6\)",
        ),
        (lambda: DenseSynapse(KEYS[0]), ValueError, "`weights` must have 2 axes"),
        (lambda: DenseSynapse(KEYS, KEYS[0]), ValueError, r"`bias` .* shape \(12,\), .* \(6,\)"),
        (lambda: DenseSynapse(KEYS * np.nan), ValueError, "`weights` holds NaN"),
        (lambda: joined(DENSE, VALUE), ValueError, "joins 2 layers, but is given 1: 'a' of"),
        (lambda: joined(DENSE, VALUE, MEMORY, VALUE), ValueError, "joins 2 layers, .* given 3"),
        (lambda: LateralSynapse(KEYS), ValueError, r"must be square, .* \(12, 6\)"),
        (lambda: joined(LateralSynapse(KEYS @ KEYS.T), VALUE), ValueError, r"shape \(6, 6\)"),
        (lambda: joined(BiasSynapse(KEYS[0]), MEMORY), ValueError, r"`bias` .* shape \(12,\)"),
        (lambda: HyperSynapse(1.0), ValueError, "one axis a layer, but are a single number"),
        (
            lambda: joined(HyperSynapse(KEYS), VALUE, MEMORY, VALUE),
            ValueError,
            "2 axes, so HyperSynapse joins as many layers, but is given 3",
        ),
        (lambda: joined(HyperSynapse(KEYS), VALUE, MEMORY), ValueError, r"shape \(6, 12\)"),
        (lambda: ConvolutionSynapse(KEYS), ValueError, r"`kernel` must have shape \(\*window"),
        (
            lambda: ConvolutionSynapse(np.ones((1, 1, 1, 1, 2, 2))),
            ValueError,
            "`kernel` must have at most three spatial axes",
        ),
        (lambda: ConvolutionSynapse(np.ones((2, 2, 2, 3)), stride=0), ValueError, "`stride` must"),
        (
            lambda: ConvolutionSynapse(np.ones((2, 2, 2, 3)), stride=(1, 1, 1)),
            ValueError,
            "one for each of 2 spatial axes",
        ),
        (
            lambda: ConvolutionSynapse(np.ones((2, 2, 2, 3)), padding=((0, -1), (0, 0))),
            ValueError,
            r"`padding` must hold pairs .* holds \(0, -1\)",
        ),
        (
            lambda: joined(ConvolutionSynapse(np.ones((2, 2, 3, 3))), IMAGE, IMAGE),
            ValueError,
            "needs a lower layer of 2 spatial axes and 3 channels",
        ),
        (
            lambda: joined(ConvolutionSynapse(np.ones((2, 2, 2, 3))), IMAGE, IMAGE),
            ValueError,
            r"upper layer of shape \(3, 3, 3\), but joins",
        ),
        (
            lambda: joined(ConvolutionSynapse(np.ones((5, 5, 2, 3))), IMAGE, IMAGE),
            ValueError,
            "window of ConvolutionSynapse is larger than the lower layer",
        ),
        (lambda: PoolingSynapse((2, 0)), ValueError, "`window` must be a positive whole number"),
        (
            lambda: PoolingSynapse((2, 2), padding=((2, 0), (0, 0))),
            ValueError,
            "`padding` must be smaller than the window",
        ),
        (lambda: joined(PoolingSynapse((2,)), IMAGE, IMAGE), ValueError, "of 1 spatial axes"),
        (lambda: joined(PoolingSynapse((2, 2)), IMAGE, IMAGE), ValueError, r"shape \(2, 2, 2\)"),
        (
            lambda: AttentionSynapse(np.ones((2, 3, 4)), np.ones((1, 3, 4))),
            ValueError,
            "must have the same heads and z",
        ),
        (
            lambda: AttentionSynapse(np.ones((2, 3, 4)), np.ones((2, 3, 4)), -1.0),
            ValueError,
            "`beta` must be positive",
        ),
        (
            lambda: joined(
                AttentionSynapse(np.ones((2, 3, 5)), np.ones((2, 3, 4))), TOKENS, TOKENS
            ),
            ValueError,
            r"`queries` of shape \(2, 3, 5\) need a layer of shape \(tokens, 5\)",
        ),
        (
            lambda: joined(
                AttentionSynapse(
                    np.ones((2, 3, 4)), np.ones((2, 3, 4)), mask=np.ones((2, 3), bool)
                ),
                TOKENS,
            ),
            ValueError,
            r"`mask` must have shape \(3, 3\)",
        ),
        (
            lambda: AttentionSynapse(np.ones((2, 3, 4)), np.ones((2, 3, 4)), mask=np.ones(3, bool)),
            ValueError,
            "`mask` must have two axes",
        ),
        (
            lambda: joined(
                AttentionSynapse(np.ones((2, 3, 4)), np.ones((2, 3, 4))), TOKENS, TOKENS, TOKENS
            ),
            ValueError,
            "joins 2 layers, but is given 3",
        ),
        # States and arguments.
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
            lambda: attrax.retrieve(made(Neurons(6, LayerNorm())), KEYS, known=jnp.arange(6) < 3),
            ValueError,
            r"`known` holds entries .* LayerNorm mixes; it must be elementwise.* Quadratic\(\)",
        ),
        (lambda: attrax.retrieve(made(), KEYS[:, :5]), ValueError, "`queries` must have 6 entries"),
    ],
)
def test_what_does_not_fit_is_refused(make, error, text):
    with pytest.raises(error, match=text):
        make()


def test_known_entries_need_an_elementwise_layer():
    for lagrangian in (Tanh(), Power(1, rectified=True)):
        made(Neurons(6, lagrangian)).space(KEYS[0], jnp.arange(6) < 3)
    smooth = ConvexFunction(lambda x: jnp.sum(x**4))
    for lagrangian in (LayerNorm(), Softmax(), smooth):
        with pytest.raises(ValueError, match="must be elementwise"):
            made(Neurons(6, lagrangian)).space(KEYS[0], jnp.arange(6) < 3)


def test_the_remedy_for_the_domain_works(rows):
    similarity = attrax.similarity.non_negative(Euclidean())
    network = two_layers(rows(), similarity, Power(2))
    assert network.lacks_energy is None
