import jax
import jax.numpy as jnp
import pytest

from attrax.hierarchical import (
    DenseSynapse,
    HierarchicalMemory,
    Neurons,
    SimilaritySynapse,
    Tanh,
)
from attrax.separation import Identity, Power, Softmax
from attrax.similarity import (
    Cosine,
    Dot,
    Euclidean,
    JensenShannon,
    KullbackLeibler,
    Manhattan,
    SimilarityFunction,
)

CENTROIDS = [Euclidean(), Euclidean("square"), Manhattan(), Cosine(), KullbackLeibler()]


@pytest.mark.parametrize("similarity", [Dot(), Euclidean(), Cosine(), JensenShannon()], ids=repr)
@pytest.mark.parametrize("state_term", [True, False])
def test_a_similarity_synapse_brings_its_own_state_term(rows, looked_at, similarity, state_term):
    keys, g, f = rows(), rows(1, (6,)), rows(2, (12,))
    own = similarity.state_term(g) - 0.5 * g @ g if state_term else 0.0
    energy, drives = looked_at(SimilaritySynapse(similarity, keys, state_term=state_term), g, f)
    assert jnp.allclose(energy, -f @ similarity(keys, g) + own, rtol=1e-5)
    # Memory neurons are driven by scores, whatever the state term.
    assert jnp.allclose(drives[1], similarity(keys, g), rtol=1e-5)


def test_the_drive_of_value_neurons_by_hand(x64, rows, looked_at):
    keys, g, f = rows(), rows(1, (6,)), rows(2, (12,))
    _, (drive, _) = looked_at(SimilaritySynapse(Euclidean(), keys), g, f)
    # −½|k − g|² draws towards each key; the ½|g|² of the layer itself is taken away.
    assert jnp.allclose(drive, f @ (keys - g[None]) + g, rtol=1e-12)
    left = looked_at(SimilaritySynapse(Euclidean(), keys, state_term=False), g, f)[1][0]
    assert jnp.allclose(left, f @ (keys - g[None]), rtol=1e-12)


def test_dot_is_the_dense_synapse(rows, looked_at):
    keys, g, f = rows(), rows(1, (6,)), rows(2, (12,))
    similarity, dense = SimilaritySynapse(Dot(), keys), DenseSynapse(keys)
    assert jnp.allclose(looked_at(similarity, g, f)[0], looked_at(dense, g, f)[0], rtol=1e-6)
    assert similarity.linear == dense.linear == (True, True)
    assert SimilaritySynapse(Cosine(), keys).linear == (False, True)


@pytest.mark.parametrize("similarity", CENTROIDS, ids=repr)
def test_value_neurons_settle_where_the_energy_is_least(x64, rows, similarity):
    keys, f = rows(), rows(1, (12,))
    synapse, layer = SimilaritySynapse(similarity, keys), Neurons(6)

    @jax.jit
    @jax.vmap
    def energy(g):
        return layer.energy(g) + synapse(g, f)

    settled = synapse.settle(f)
    least = energy(settled[None])
    near = settled[None] + 0.05 * jax.random.normal(jax.random.key(2), (50, 6))
    far = rows(3, (50, 6))
    assert jnp.all(energy(jnp.concatenate([near, far])) >= least - 1e-12)
    assert jnp.any(energy(far) > least + 1e-3)


def network(synapse, lower=None, upper=None):
    lower = Neurons(6) if lower is None else lower
    upper = Neurons(12, Softmax()) if upper is None else upper
    return HierarchicalMemory({"value": lower, "memory": upper}, {("value", "memory"): synapse})


KEYS = jnp.eye(12, 6) + 0.1


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: SimilaritySynapse(KullbackLeibler(), -KEYS), ValueError, "`keys` are negative"),
        (
            lambda: network(SimilaritySynapse(Cosine(), KEYS[:5])),
            ValueError,
            r"`keys` between layers .* must have shape \(12, 6\)",
        ),
        (
            lambda: network(SimilaritySynapse(Euclidean(), KEYS), Neurons(6, Tanh())),
            ValueError,
            r"Euclidean replaces .* must then be Quadratic\(\).* pass state_term=False",
        ),
    ],
)
def test_wrong_synapses_are_refused(make, error, text):
    with pytest.raises(error, match=text):
        make()


def test_the_remedy_for_another_lagrangian_works():
    synapse = SimilaritySynapse(Euclidean(), KEYS, state_term=False)
    assert network(synapse, Neurons(6, Tanh())).lacks_energy is None


@pytest.mark.parametrize(
    ("similarity", "separation", "state_term", "text"),
    [
        (JensenShannon(), Softmax(), True, "No centroid"),
        (SimilarityFunction(lambda k, q: k @ q), Softmax(), True, "No centroid"),
        (Manhattan(), Identity(), True, "can be negative"),
        (Manhattan(), Softmax(), False, "state_term=False"),
        (Manhattan(), Softmax(), True, None),
        (Cosine(), Identity(), True, None),
        (Dot(), Power(3), True, None),
    ],
)
def test_relaxation_is_offered_where_it_is_exact(similarity, separation, state_term, text):
    synapse = SimilaritySynapse(similarity, KEYS, state_term=state_term)
    made = network(synapse, None, Neurons(12, separation))
    if text is None:
        assert made.lacks_relaxation is None
        return
    assert text in made.lacks_relaxation
    states = {"value": KEYS[0], "memory": jnp.ones(12)}
    with pytest.raises(
        ValueError, match=r"Layer 'value' has no exact update: .*dynamics\.Flow\(\)"
    ):
        made.relax(states)
