"""`train` finds known optima, keeps what must not move, and says what is wrong."""

import dataclasses
import importlib
import inspect
import pkgutil
import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import attrax
from attrax import hierarchical as hi
from attrax import separation as sep
from attrax.common.checks import POSITIVE, is_marked
from attrax.dynamics import FixedPoint, Iterate
from attrax.hierarchical import DenseSynapse, HierarchicalMemory, LateralSynapse, Neurons
from attrax.training import Trained, train

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(8, 5)).astype(np.float32)
WEIGHTS = RNG.normal(size=(4, 5)).astype(np.float32)
KEY = jax.random.key(0)
DECAY = optax.adamw(0.1, weight_decay=0.5)


def two_layers(beta=1.0, **options):
    layers = {"x": Neurons(5), "h": Neurons(4, sep.Softmax(beta), tau=0.0)}
    return HierarchicalMemory(layers, {("x", "h"): DenseSynapse(WEIGHTS)}, **options)


def read(network, rows):
    """One read of each row."""
    return jax.vmap(lambda row: network.pull({"x": row})["x"])(rows)


def reading(network, batch):
    return jnp.mean(jnp.square(read(network, batch) - batch))


class Weights(eqx.Module):
    """The smallest model."""

    weights: jax.Array


def square(model, batch):
    return jnp.sum(jnp.square(model.weights - batch[0]))


def assert_same(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


# Known optima.


@pytest.mark.contract
def test_a_quadratic_network_becomes_the_linear_map_of_least_squares():
    # Given u, the free entries v of the visible layer rest at v = M_vv v + M_vu u with M = WᵀW;
    # with columns of W for v that are orthogonal, any map u → v can be had.
    rng = np.random.default_rng(1)
    u = rng.normal(size=(12, 3))
    v = u @ rng.normal(scale=0.4, size=(3, 2)) + 0.1 * rng.normal(size=(12, 2))
    known = np.arange(5) < 3
    fixed = FixedPoint(rtol=1e-9, atol=1e-9, max_steps=500)

    def implicit(network, batch):
        u, v = batch
        queries = jnp.concatenate([u, jnp.zeros_like(v)], 1)
        found = attrax.retrieve(network, queries, fixed, known=known)
        return jnp.mean(jnp.square(found.state[:, 3:] - v))

    def unrolled(network, batch):
        u, v = batch
        whole = network.synapses[0].weights.T @ network.synapses[0].weights

        def step(free, _):
            return free @ whole[3:, 3:] + u @ whole[:3, 3:], None

        free = jax.lax.scan(step, jnp.zeros_like(v), length=200)[0]
        return jnp.mean(jnp.square(free - v))

    optimizer = optax.adam(optax.cosine_decay_schedule(0.1, 150))
    with jax.enable_x64(True):
        network = HierarchicalMemory(
            {"seen": Neurons(5), "hidden": Neurons(4, tau=0.0)},
            {("seen", "hidden"): DenseSynapse(0.3 * rng.normal(size=(4, 5)))},
        )
        found = train(network, implicit, (u, v), steps=150, optimizer=optimizer)
        other = train(network, unrolled, (u, v), steps=20, optimizer=optimizer)
    np.testing.assert_allclose(found.losses[:20], other.losses, rtol=1e-6)
    best, *_ = np.linalg.lstsq(u, v)
    least = np.mean((u @ best - v) ** 2)
    losses = np.asarray(found.losses)
    assert losses[0] > 10 * least
    assert losses[-1] == pytest.approx(least, rel=1e-4)
    weights = np.asarray(found.model.synapses[0].weights)
    whole = weights.T @ weights
    slopes = np.linalg.solve(np.eye(2) - whole[3:, 3:], whole[3:, :3])
    assert np.mean((u @ slopes.T - v) ** 2) == pytest.approx(least, rel=1e-4)


@pytest.mark.contract
def test_beta_is_found_from_what_it_does():
    expected = read(two_layers(5.0), ROWS)

    def loss(network, batch):
        rows, seen = batch
        return jnp.mean(jnp.square(read(network, rows) - seen))

    trained = train(
        two_layers(0.5),
        loss,
        (ROWS, expected),
        steps=150,
        optimizer=optax.adam(0.1),
        trainable=lambda network: network.neurons,
    )
    beta = trained.model.neurons["h"].lagrangian.separation.beta
    assert beta == pytest.approx(5.0, rel=0.01)
    assert trained.losses[-1] < 1e-4 * trained.losses[0]
    np.testing.assert_array_equal(trained.model.synapses[0].weights, WEIGHTS)


# Positive parameters.


def test_positive_parameters_follow_their_logarithm_and_never_reach_zero():
    def loss(layer, batch):
        return jnp.sum(batch) * layer.gamma

    layer = hi.LayerNorm(2.0, np.zeros(3))
    rate, steps = 3.0, 40
    trained = train(layer, loss, np.ones((1, 1)), steps=steps, optimizer=optax.sgd(rate))
    logarithm = 0.0
    for _ in range(steps):
        # d(loss)/d ln γ = γ; γ itself would have fallen below zero in the first step.
        logarithm -= rate * 2.0 * np.exp(logarithm)
    assert trained.model.gamma == pytest.approx(2.0 * np.exp(logarithm), rel=1e-4)
    assert trained.model.gamma > 0
    np.testing.assert_array_equal(trained.model.delta, layer.delta)


def test_weight_decay_draws_a_positive_parameter_to_its_start():
    def loss(layer, batch):
        return jnp.sum(batch) * layer.beta * 0

    layer = hi.Tanh(0.3)
    trained = train(layer, loss, np.ones((1, 1)), steps=5, optimizer=DECAY)
    assert trained.model.beta == layer.beta


FOLLOWED = hi.HierarchicalMemory(
    {"seen": hi.Neurons(2), "delay": hi.Neurons(2)},
    {("seen", "delay"): hi.DenseSynapse(np.eye(2))},
)
BUILT = {
    hi.AttentionSynapse: lambda value: hi.AttentionSynapse(
        np.ones((1, 2, 3)), np.ones((1, 2, 3)), value
    ),
    hi.DelayedMemory: lambda value: hi.DelayedMemory(FOLLOWED, "delay", "seen", value, 1.0),
    hi.LayerNorm: hi.LayerNorm,
    hi.RectifiedExponential: hi.RectifiedExponential,
    hi.Sigmoid: hi.Sigmoid,
    hi.SphericalNorm: hi.SphericalNorm,
    hi.Tanh: hi.Tanh,
    sep.Entmax: lambda value: sep.Entmax(1.5, value),
    sep.Exponential: sep.Exponential,
    sep.GhostSoftmax: sep.GhostSoftmax,
    sep.KSubsets: lambda value: sep.KSubsets(2, value),
    sep.LogSumReLU: sep.LogSumReLU,
    sep.Normmax: lambda value: sep.Normmax(2.0, value),
    sep.Power: lambda value: sep.Power(2, scale=value),
    sep.Softmax: sep.Softmax,
}


def rooms():
    for room in (hi, sep):
        for module in pkgutil.iter_modules(room.__path__, f"{room.__name__}."):
            yield importlib.import_module(module.name)


def test_fields_that_learn_by_their_logarithm_are_those_that_are_positive():
    checked = {
        name
        for module in rooms()
        for name in re.findall(r'\bpositive\("(\w+)"', inspect.getsource(module))
    }
    marked = {
        value: {field.name for field in dataclasses.fields(value) if is_marked(field, POSITIVE)}
        for room in (hi, sep)
        for value in vars(room).values()
        if inspect.isclass(value) and dataclasses.is_dataclass(value)
    }
    assert set.union(*marked.values()) == checked
    built = {kind for kind, names in marked.items() if names and not inspect.isabstract(kind)}
    assert {kind for kind in built if not kind.__name__.startswith("Abstract")} == set(BUILT)
    for build in BUILT.values():
        build(0.1)
        for value in (0.0, -1.0):
            with pytest.raises(ValueError, match="must be positive"):
                build(value)


# What learns, and what does not.


def rich():
    """Everything that a layer can be given, two synapses, and a bias."""
    start = np.full(4, 0.1, np.float32)
    layers = {
        "x": Neurons(5, hi.Tanh(0.5), input=np.full(5, 0.2, np.float32)),
        "h": Neurons(4, hi.Sigmoid(2.0), start=start, clamped=np.arange(4) < 1),
    }
    lateral = LateralSynapse(RNG.normal(size=(4, 4)).astype(np.float32))
    bias = hi.BiasSynapse(np.full(5, 0.3, np.float32))
    synapses = {("x", "h"): DenseSynapse(WEIGHTS), "h": lateral, "x": bias}
    return HierarchicalMemory(layers, synapses)


def energy(network, batch):
    return jnp.mean(jax.vmap(lambda row: network.energy({"x": row, "h": row[:4]}))(batch))


def moved(found, model):
    """Names of the leaves that learning changed."""
    paths = jax.tree_util.tree_flatten_with_path(model)[0]
    pairs = zip(paths, jax.tree.leaves(found), strict=True)
    return {
        jax.tree_util.keystr(path) for (path, old), new in pairs if not np.array_equal(old, new)
    }


ALL = {
    ".neurons['h'].lagrangian.beta",
    ".neurons['x'].lagrangian.beta",
    ".synapses[0].weights",
    ".synapses[1].weights",
    ".synapses[2].bias",
}


@pytest.mark.parametrize(
    ("frozen", "trainable", "expected"),
    [
        ((), None, ALL),
        (("h", "x-h"), None, ALL - {".neurons['h'].lagrangian.beta", ".synapses[0].weights"}),
        (
            ("h-h",),
            lambda n: (n.neurons["x"], n.synapses[1:]),
            {".neurons['x'].lagrangian.beta", ".synapses[2].bias"},
        ),
        (
            (),
            lambda n: (n.neurons["x"].input, n.neurons["h"].start),
            {".neurons['x'].input", ".neurons['h'].start"},
        ),
    ],
)
def test_what_is_frozen_given_or_not_picked_stays_as_it_is(frozen, trainable, expected):
    network = rich().freeze(*frozen)
    old = jax.tree.map(np.array, network)
    found = train(network, energy, ROWS, steps=2, optimizer=DECAY, trainable=trainable)
    assert moved(found.model, network) == expected
    assert found.model.frozen == frozen
    # Nor are the caller's arrays overwritten.
    assert_same(network, old)


def test_what_is_frozen_deep_within_a_model_stays_as_it_is():
    class Model(eqx.Module):
        parts: list
        gain: jax.Array
        dynamics: Iterate

    def loss(model, batch):
        return model.gain * energy(model.parts[0]["network"], batch)

    model = Model([{"network": rich().freeze("x-h")}], jnp.ones(()), Iterate(0.5))
    found = train(model, loss, ROWS, steps=2, optimizer=DECAY)
    inside = {f".parts[0]['network']{name}" for name in ALL - {".synapses[0].weights"}}
    assert moved(found.model, model) == inside | {".gain"}


def test_networks_of_plain_functions_and_tied_synapses_learn():
    synapse = hi.BiasSynapse(np.full(3, 0.5, np.float32))
    joints = {("a", "b"): lambda a, b: -jnp.dot(a, b), "a": synapse, "b": synapse}
    network = HierarchicalMemory({"a": Neurons(3), "b": Neurons(3)}, joints)

    def loss(network, batch):
        energies = jax.vmap(lambda row: network.energy({"a": row, "b": row}))(batch)
        return jnp.mean(energies) + 2 * jnp.sum(jnp.square(network.synapses[1].bias))

    found = train(network, loss, ROWS[:, :3], steps=1, optimizer=optax.sgd(0.1))
    slope = 4 * synapse.bias - 2 * np.mean(ROWS[:, :3], 0)
    assert moved(found.model, network) == {".synapses[1].bias"}
    np.testing.assert_allclose(
        found.model.synapses[1].bias, synapse.bias - 0.1 * slope, rtol=1e-5, atol=1e-6
    )


# Batches.


def digits(model, batch):
    """Tells which rows were seen and in which order: each is a digit of the loss."""
    places = 10.0 ** np.arange(len(batch))[::-1]
    return jnp.dot(batch, jnp.asarray(places, batch.dtype)) + 0 * jnp.sum(model.weights)


def test_every_row_is_seen_once_an_epoch_in_an_order_that_follows_from_the_key():
    rows = np.arange(10, dtype=np.float32)

    def epochs(key):
        found = train(Weights(jnp.ones(1)), digits, rows, steps=10, batch_size=4, key=key)
        # Four epochs of ten rows in ten batches of four; ends of epochs fall within batches.
        seen = "".join(f"{int(loss):04d}" for loss in found.losses)
        return [seen[10 * i : 10 * i + 10] for i in range(4)]

    orders = epochs(KEY)
    assert [sorted(order) for order in orders] == [list("0123456789")] * 4
    assert len(set(orders)) == 4
    assert orders == epochs(KEY)
    assert orders != epochs(jax.random.key(1))


def test_rows_of_several_arrays_stay_together():
    def loss(model, batch):
        first, second = batch["first"], batch["pair"][0]
        return jnp.sum(jnp.square(first - second[:, 0])) + 0 * jnp.sum(model.weights)

    batches = {"first": np.arange(6.0), "pair": (jnp.arange(6.0)[:, None],)}
    found = train(Weights(jnp.ones(1)), loss, batches, steps=4, batch_size=4, key=KEY)
    np.testing.assert_array_equal(found.losses, np.zeros(4))


def test_functions_give_the_batch_of_each_step():
    model = Weights(jnp.ones(1))
    plain = train(model, digits, lambda step: np.full(2, float(step)), steps=4)
    np.testing.assert_array_equal(plain.losses, [0, 11, 22, 33])
    asked = []

    def drawn(step, key):
        asked.append((step, key))
        return jax.random.normal(key, (2,))

    found = train(model, digits, drawn, steps=4, key=KEY)
    assert [step for step, _ in asked] == [0, 1, 2, 3]
    expected = [float(jax.random.normal(key, (2,)) @ jnp.asarray([10.0, 1.0])) for _, key in asked]
    np.testing.assert_allclose(found.losses, expected, rtol=1e-6)
    assert len(set(expected)) == 4


def test_a_loss_may_take_a_key():
    def loss(model, batch, *, key):
        return jax.random.normal(key) + 0 * jnp.sum(model.weights)

    model = Weights(jnp.ones(1))
    losses = [
        train(model, loss, ROWS, steps=3, key=jax.random.key(seed)).losses for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(losses[0], losses[1])
    assert len({float(value) for value in (*losses[0], *losses[2])}) == 6


# The step.


def test_the_step_is_compiled_once():
    traces = []

    def loss(model, batch, key):
        traces.append(batch.shape)
        return square(model, batch)

    optimizer = optax.adam(1e-2)
    for seed in (0, 1):
        model, key = Weights(jnp.full(5, float(seed))), jax.random.key(seed)
        train(model, loss, ROWS, steps=7, batch_size=3, optimizer=optimizer, key=key)
    assert traces == [(3, 5)]


def probing():
    """Descends, and checks what optimisers with line search are given."""

    def update(updates, state, params, *, value, grad, value_fn):
        same = value_fn(params) == value
        for name in updates:
            same &= jnp.all(updates[name] == grad[name])
        factor = jnp.where(same, -0.1, jnp.nan)
        return jax.tree.map(lambda slope: factor * slope, updates), state

    return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)


@pytest.mark.contract
@pytest.mark.parametrize(
    "optimizer",
    [
        None,
        probing(),
        optax.inject_hyperparams(optax.sgd)(0.1),
        optax.MultiSteps(optax.adam(0.1), 2).gradient_transformation(),
        # Its state is the parameters themselves at first.
        optax.contrib.schedule_free_sgd(0.1),
    ],
    ids=["default", "probing", "injected", "several", "schedule-free"],
)
def test_any_optimizer_of_optax(optimizer):
    # Types are not promoted here, which some of these rely on.
    assert jax.config.jax_numpy_dtype_promotion == "strict"
    target = np.asarray([[1.0, -2.0, 3.0]], np.float32)
    found = train(Weights(jnp.zeros(3)), square, target, steps=6, optimizer=optimizer)
    assert found.losses[0] == 14
    assert found.losses[-1] < 13.95


def test_narrow_types_stay_as_they_are():
    model = Weights(jnp.zeros(3, jnp.bfloat16))
    found = train(model, square, jnp.ones((1, 3), jnp.bfloat16), steps=3)
    assert (found.model.weights.dtype, found.losses.dtype) == (jnp.bfloat16, jnp.bfloat16)
    assert found.losses[-1] < found.losses[0]


def test_reverse_mode_through_iterate_names_the_remedy():
    def loss(network, batch):
        return jnp.mean(attrax.retrieve(network, batch).state)

    with pytest.raises(RuntimeError, match=r"reverse mode.*FixedPoint\(\)"):
        train(two_layers(), loss, ROWS, steps=1)


# Trouble on the way.


def test_a_loss_that_is_not_a_number_stops_the_run():
    def loss(model, batch):
        return jnp.sum(batch / batch) + 0 * jnp.sum(model.weights)

    model = Weights(jnp.ones(1))
    with pytest.raises(FloatingPointError, match=r"loss is nan at step 4 of 9: lower the learn"):
        train(model, loss, lambda step: np.full(1, 3.0 - step), steps=9)


def test_parameters_that_overflow_stop_the_run():
    def root(model, batch):
        # Finite, with an infinite slope.
        return jnp.sum(jnp.sqrt(model.weights)) + 0 * jnp.sum(batch)

    with pytest.raises(FloatingPointError, match=r"parameters are no longer finite.*step 1 of 3"):
        train(Weights(jnp.zeros(2)), root, ROWS, steps=3, optimizer=optax.sgd(1.0))

    def falling(layer, batch):
        return 200 * jnp.log(layer.beta) + 0 * jnp.sum(batch)

    with pytest.raises(FloatingPointError, match=r"or positive, after step 1 of 3"):
        train(hi.Tanh(1.0), falling, ROWS, steps=3, optimizer=optax.sgd(1.0))


@pytest.mark.contract
def test_progress(capsys):
    reports = []
    found = train(
        Weights(jnp.zeros(5)), square, ROWS, steps=3, progress=lambda *now: reports.append(now)
    )
    assert isinstance(found, Trained)
    assert reports == [(i + 1, 3, float(value)) for i, value in enumerate(found.losses)]
    assert found.steps == 3
    kept = []

    def look(done, steps, loss, *, model):
        kept.append(model.weights)

    again = train(Weights(jnp.zeros(5)), square, ROWS, steps=3, progress=look)
    # Kept by the caller, though later steps reuse the memory of earlier ones.
    np.testing.assert_array_equal(kept[-1], again.model.weights)
    assert len({tuple(np.asarray(weights)) for weights in kept}) == 3
    train(Weights(jnp.zeros(5)), square, ROWS, steps=3, progress=True)
    shown = capsys.readouterr().err
    assert "3/3" in shown
    assert f"loss {float(found.losses[-1]):.4g}" in shown


# Wrong calls.

GOOD = {"model": Weights(jnp.zeros(5)), "loss": square, "batches": ROWS, "steps": 2}
WRONG = {
    "model of another kind": ({"model": {"w": jnp.ones(3)}}, TypeError, "`model`.*dict"),
    "model without arrays": (
        {"model": hi.Quadratic()},
        ValueError,
        "`model` has nothing that can learn",
    ),
    "model all frozen": (
        {"model": two_layers().freeze("h", "x-h"), "loss": reading},
        ValueError,
        r"nothing that can learn.*freeze\(\)",
    ),
    "model with NaN": (
        {"model": Weights(jnp.full(5, jnp.nan))},
        ValueError,
        r"`model\.weights` must be finite",
    ),
    "beta of zero": (
        {"model": eqx.tree_at(lambda part: part.beta, hi.Tanh(1.0), jnp.zeros(()))},
        ValueError,
        r"`model\.beta` must be positive",
    ),
    "loss that is none": ({"loss": 3.0}, TypeError, "`loss` must be a function.*float"),
    "loss of one argument": (
        {"loss": lambda model: 0.0},
        TypeError,
        r"`loss` must be a function of \(model, batch\)",
    ),
    "loss of another third argument": (
        {"loss": lambda model, batch, weight: 0.0},
        TypeError,
        r"`loss`.*\(model, batch, key\).*weight",
    ),
    "loss of several numbers": (
        {"loss": lambda model, batch: model.weights},
        TypeError,
        r"`loss` must return one floating-point number.*float32 \(5,\)",
    ),
    "loss of whole numbers": (
        {"loss": lambda model, batch: jnp.zeros((), jnp.int32)},
        TypeError,
        r"one floating-point number.*int32 \(\)",
    ),
    "loss with more": (
        {"loss": lambda model, batch: (jnp.sum(model.weights), 1)},
        TypeError,
        "one floating-point number.*tuple",
    ),
    "loss without key": (
        {"loss": lambda model, batch, key: 0.0},
        ValueError,
        r"`loss` takes a key; pass key=jax\.random\.key",
    ),
    "batches of nothing": ({"batches": None}, TypeError, "`batches` must be an array"),
    "batches of lists": ({"batches": [[1.0, 2.0]]}, TypeError, "`batches` must be an array.*list"),
    "batches of text": ({"batches": np.asarray(["a"])}, TypeError, "`batches` must hold numbers"),
    "batches of keys": ({"batches": jax.random.split(KEY)}, TypeError, "`batches` must hold num"),
    "batches of unequal length": (
        {"batches": (ROWS, ROWS[:3])},
        ValueError,
        r"`batches`.*same number of rows.*\(8, 5\), \(3, 5\)",
    ),
    "a number as batches": ({"batches": np.ones(())}, ValueError, "`batches`.*first axis"),
    "empty batches": ({"batches": ROWS[:0]}, ValueError, "`batches` is empty"),
    "function of too much": (
        {"batches": lambda step, other: ROWS},
        TypeError,
        r"`batches` must be a function of \(step\) or of \(step, key\)",
    ),
    "function without key": (
        {"batches": lambda step, key: ROWS},
        ValueError,
        "`batches` takes a key",
    ),
    "batch size of a function": (
        {"batches": lambda step: ROWS, "batch_size": 3},
        ValueError,
        "`batch_size` is for arrays",
    ),
    "batch size zero": ({"batch_size": 0, "key": KEY}, ValueError, "`batch_size`.*positive.*0"),
    "batch size of half": ({"batch_size": 0.5, "key": KEY}, ValueError, "`batch_size`.*0.5"),
    "batch too large": (
        {"batch_size": 9, "key": KEY},
        ValueError,
        "`batch_size` is 9, but `batches` has 8 rows",
    ),
    "batches without key": ({"batch_size": 3}, ValueError, r"`key` is needed to shuffle"),
    "no steps": ({"steps": 0}, ValueError, "`steps` must be a positive whole number.*0"),
    "half a step": ({"steps": 2.5}, ValueError, "`steps` must be a positive whole number.*2.5"),
    "True steps": ({"steps": True}, ValueError, "`steps` must be a positive whole number.*True"),
    "every zero": ({"every": 0}, ValueError, "`every` must be a positive whole number"),
    "a rate as optimizer": (
        {"optimizer": 0.1},
        TypeError,
        r"`optimizer` must be.*optax\.adam\(1e-3\), but it is 0.1",
    ),
    "an optimizer not called": ({"optimizer": optax.adam}, TypeError, "`optimizer`.*function"),
    "an old key": ({"key": jax.random.PRNGKey(0)}, TypeError, r"`key`.*jax\.random\.key\(0\)"),
    "a number as key": ({"key": 0}, TypeError, "`key` must be one key"),
    "several keys": ({"key": jax.random.split(KEY)}, TypeError, "`key` must be one key"),
    "trainable that is none": (
        {"trainable": ("weights",)},
        TypeError,
        "`trainable` must be a function of the model.*tuple",
    ),
    "trainable that picks names": (
        {"trainable": lambda model: "weights"},
        ValueError,
        "`trainable` must return parts of the model.*str",
    ),
    "trainable that picks nothing": (
        {"trainable": lambda model: ()},
        ValueError,
        "`trainable` picks nothing that can learn",
    ),
    "trainable that picks what is frozen": (
        {
            "model": two_layers().freeze("x-h"),
            "trainable": lambda network: network.synapses,
            "loss": reading,
        },
        ValueError,
        "`trainable` picks nothing that can learn.*frozen",
    ),
    "progress of other arguments": (
        {"progress": lambda done: None},
        TypeError,
        r"`progress` must be a function of \(done, steps, loss\)",
    ),
    "progress of another kind": ({"progress": "bar"}, TypeError, "`progress` must be True or a"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_calls_say_what_to_do(name):
    changes, kind, message = WRONG[name]
    # As users call it: without the checks of annotations that tests add.
    with pytest.raises(kind, match=f"(?s){message}"):
        inspect.unwrap(train)(**{**GOOD, **changes})


def test_training_within_jit_is_refused():
    with pytest.raises(TypeError, match=r"no values under jit; call train outside"):
        jax.jit(lambda weights: train(Weights(weights), square, ROWS, steps=1).losses)(jnp.ones(5))
