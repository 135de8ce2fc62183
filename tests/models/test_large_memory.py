"""Models A, A′, B and C against their formulas in NumPy, and their effective theories."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax import models
from attrax.dynamics import Coordinates, Euler, Iterate
from attrax.hierarchical import HierarchicalMemory, LateralSynapse, Neurons, Quadratic, Tanh
from attrax.separation import Exponential, Identity, Power, Softmax
from attrax.similarity import Dot

N, D = 5, 8
RNG = np.random.default_rng(0)
ROWS = RNG.standard_normal((N, D))
INPUT = 0.5 * RNG.standard_normal(D)
STATES = {"feature": RNG.standard_normal(D), "memory": RNG.standard_normal(N)}


def softmax(x):
    return np.exp(x) / np.exp(x).sum()


def unit(v):
    return v / np.linalg.norm(v)


# By model: how it is made, g, f, L_v and L_h.
MODELS = {
    "binary": (
        lambda tau: models.binary_dense_memory(ROWS, gain=2.0, tau=tau, input=INPUT),
        lambda v: np.tanh(2 * v),
        lambda h: np.maximum(h, 0) ** 2,
        lambda v: np.log(np.cosh(2 * v)).sum() / 2,
        lambda h: (np.maximum(h, 0) ** 3).sum() / 3,
    ),
    "graded": (
        lambda tau: models.graded_network(ROWS, tau=tau, input=INPUT),
        np.tanh,
        lambda h: h,
        lambda v: np.log(np.cosh(v)).sum(),
        lambda h: 0.5 * h @ h,
    ),
    "log-sum-exp": (
        lambda tau: models.log_sum_exp_memory(ROWS, tau=tau, input=INPUT),
        lambda v: v,
        softmax,
        lambda v: 0.5 * v @ v,
        lambda h: np.log(np.exp(h).sum()),
    ),
    "spherical": (
        lambda tau: models.spherical_memory(ROWS, tau=tau, input=INPUT),
        unit,
        np.exp,
        np.linalg.norm,
        lambda h: np.exp(h).sum(),
    ),
}


@eqx.filter_jit
def measured(whole, fast, states):
    own = {"feature": states["feature"]}
    return (
        whole.energy(states),
        whole.pull(states),
        models.effective_energy(whole, own),
        fast.energy(own),
        fast.pull(own),
    )


@eqx.filter_jit
def both(one, other, states):
    return [(network.energy(states), network.pull(states)) for network in (one, other)]


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_its_formulas(name, x64):
    make, g, f, own, other = MODELS[name]
    states = jax.tree.map(jnp.asarray, STATES)
    energy, pull, effective, fast, reduced = measured(make(0.3), make(0.0), states)
    v, h = STATES["feature"], STATES["memory"]
    expected = (v - INPUT) @ g(v) - own(v) + h @ f(h) - other(h) - f(h) @ ROWS @ g(v)
    assert energy == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(pull["feature"], ROWS.T @ f(h) + INPUT, rtol=1e-12)
    np.testing.assert_allclose(pull["memory"], ROWS @ g(v), rtol=1e-12)
    expected = (v - INPUT) @ g(v) - own(v) - other(ROWS @ g(v))
    assert effective == pytest.approx(expected, rel=1e-12)
    assert fast == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(reduced["feature"], ROWS.T @ f(ROWS @ g(v)) + INPUT, rtol=1e-12)


@pytest.fixture(scope="module")
def patterns():
    return np.random.default_rng(1).choice((-1.0, 1.0), (6, 40)).astype(np.float32)


@pytest.mark.parametrize("dynamics", [Iterate(), Coordinates(max_steps=5)], ids=["whole", "single"])
def test_signs_recall_patterns_and_lower_the_energy(patterns, dynamics):
    cues = np.where(np.random.default_rng(2).random(patterns.shape) < 0.15, -patterns, patterns)
    assert np.any(cues != patterns)
    found = attrax.retrieve(models.binary_dense_memory(patterns), cues, dynamics, certify=True)
    np.testing.assert_array_equal(found.state, patterns)
    assert bool(jnp.all(found.certificate.certified))


def test_a_step_of_the_log_sum_exp_memory_is_attention(patterns):
    queries = jax.random.normal(jax.random.key(0), (3, patterns.shape[1]))
    beta = 0.25
    network = models.log_sum_exp_memory(patterns, beta)
    found = attrax.retrieve(network, queries, Euler(1.0, max_steps=1))
    read = jax.vmap(attrax.Memory(patterns, similarity=Dot(), separation=Softmax(beta)))(queries)
    np.testing.assert_allclose(found.state, read, atol=1e-5)
    scores = beta * np.asarray(queries) @ patterns.T
    expected = np.stack([softmax(row) for row in scores]) @ patterns
    np.testing.assert_allclose(found.state, expected, atol=1e-5)


def test_the_graded_network_is_the_classical_one_with_weights_of_its_memories(x64):
    two = models.graded_network(ROWS, Tanh(1.5), input=INPUT)
    layer = Neurons(D, Tanh(1.5), input=INPUT)
    one = HierarchicalMemory(
        {"feature": layer}, {"feature": LateralSynapse(ROWS.T @ ROWS, self_term=True)}
    )
    state = {"feature": jnp.asarray(STATES["feature"])}
    (energy, pull), (other, same) = both(two, one, state)
    assert energy == pytest.approx(float(other), rel=1e-12)
    np.testing.assert_allclose(pull["feature"], same["feature"], rtol=1e-12)


@pytest.mark.parametrize("decay", [0.3, 2.5])
def test_the_decay_of_the_spherical_memory_is_free(decay, x64):
    plain = models.spherical_memory(ROWS, tau=0.4, input=INPUT)
    other = models.spherical_memory(ROWS, decay=decay, tau=0.4, input=INPUT)
    states = jax.tree.map(jnp.asarray, STATES)
    (energy, pulled), (same, changed) = both(plain, other, states)
    assert same == pytest.approx(float(energy), rel=1e-12)
    v = states["feature"]
    # τ_f v̇ = ξᵀf + I − α v with the same ξᵀf + I, in either network.
    np.testing.assert_allclose(
        (changed["feature"] - v) / other.neurons["feature"].tau,
        pulled["feature"] - decay * v,
        rtol=1e-12,
    )
    np.testing.assert_allclose(changed["memory"], pulled["memory"], rtol=1e-12)
    length = np.linalg.norm(other.neurons["feature"].activation(v))
    assert length == pytest.approx(decay, rel=1e-12)


@pytest.mark.parametrize(("norm", "outcome"), [(1.5, "diverged"), (0.5, "converged")])
def test_unbounded_features_diverge_once_their_weights_pass_one(norm, outcome):
    rows = jnp.eye(3) * norm**0.5
    memory = models.graded_network(rows, Quadratic())
    found = attrax.retrieve(memory, jnp.ones(3), Euler(0.5, atol=1e-4, max_steps=2000))
    assert bool(found.outcome == getattr(attrax.Outcome, outcome))


def test_any_separation_or_lagrangian_will_do():
    classical = models.binary_dense_memory(ROWS, Identity())
    assert classical.neurons["memory"].lagrangian.separation == Identity()
    assert models.spherical_memory(ROWS, Quadratic()).neurons["memory"].lagrangian == Quadratic()
    default = models.spherical_memory(ROWS).neurons["memory"].lagrangian.separation
    assert isinstance(default, Exponential)


def test_the_effective_energy_of_a_middle_layer(x64):
    first, second = RNG.standard_normal((6, 4)), RNG.standard_normal((3, 6))
    network = models.layered(
        4,
        [
            models.DenseLayer(6, Tanh(), weights=first),
            models.DenseLayer(3, Softmax(), weights=second),
        ],
    )
    states = {"visible": jnp.arange(4.0), "hidden 2": jnp.arange(3.0)}
    found = eqx.filter_jit(models.effective_energy)(network, states, "hidden 1")
    x, z = np.arange(4.0), np.arange(3.0)
    drive = first @ x + second.T @ softmax(z)
    top = z @ softmax(z) - np.log(np.exp(z).sum())
    assert found == pytest.approx(0.5 * x @ x + top - np.log(np.cosh(drive)).sum(), rel=1e-12)


NETWORK = models.log_sum_exp_memory(np.eye(3))
STATE = {"feature": np.ones(3)}
HELD = models.log_sum_exp_memory(np.eye(3), tau=1.0).clamp("memory", np.zeros(3))
WRONG = {
    "vector of memories": (
        lambda: models.binary_dense_memory(np.ones(3)),
        "`memories` must have 2",
    ),
    "no memories": (lambda: models.log_sum_exp_memory(np.ones((0, 3))), "`memories` are empty"),
    "NaN": (lambda: models.graded_network(np.full((1, 1), np.nan)), "`memories` holds NaN"),
    "beta": (lambda: models.log_sum_exp_memory(np.eye(3), -1.0), "`beta` must be positive"),
    "gain": (lambda: models.binary_dense_memory(np.eye(3), gain=0), "`gain` must be positive"),
    "tau": (lambda: models.log_sum_exp_memory(np.eye(3), tau=-1.0), "`tau` must be a finite"),
    "decay": (lambda: models.spherical_memory(np.eye(3), decay=0.0), "`decay` must be positive"),
    "input": (
        lambda: models.spherical_memory(np.eye(3), input=np.ones(1)),
        r"`input` must have .*\(3",
    ),
    "even power": (
        lambda: models.binary_dense_memory(np.eye(3), Power(2)),
        "defined for non-negative states",
    ),
    "layer": (lambda: models.effective_energy(NETWORK, STATE, "value"), "layers are 'feature'"),
    "clamped": (lambda: models.effective_energy(HELD, STATE), "is clamped, so it does not follow"),
    "curved": (
        lambda: models.effective_energy(
            HierarchicalMemory({"v": Neurons(3)}, {"v": LateralSynapse(np.eye(3))}), {}, "v"
        ),
        "LateralSynapse is not linear",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_calls_say_what_is_wrong(case):
    call, text = WRONG[case]
    with pytest.raises((ValueError, TypeError), match=text):
        call()


def test_effective_energy_reads_what_a_layer_needs():
    with pytest.raises(ValueError, match="lacks layer 'feature'"):
        models.effective_energy(NETWORK, {})


def test_models_name_their_sources():
    for function in (models.binary_dense_memory, models.spherical_memory, models.layered):
        assert "krotov2021" in attrax.citation(function)
