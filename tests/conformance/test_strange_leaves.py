"""Leaves from outside work with all that attrax does; the laws are tried on them in their files."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax import Outcome
from attrax.dynamics import Euler, FixedPoint, Iterate
from attrax.hierarchical import DenseSynapse, HierarchicalMemory, Neurons, SimilaritySynapse
from attrax.separation import Softmax
from attrax.similarity import Dot
from conformance.strangers import Hyperbola, LogCosh, Logistic

D = 8
RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(6, D)).astype(np.float32)
QUERIES = (ROWS + 0.3 * RNG.normal(size=ROWS.shape)).astype(np.float32)
KNOWN = np.arange(D) < 6
LAYERS = {"seen": Neurons(D), "hidden": Neurons(6, tau=0.0)}


def layered(**layers):
    """Two layers, the rows between them; some neurons are replaced."""
    synapse = DenseSynapse(0.3 * ROWS)
    return HierarchicalMemory({**LAYERS, **layers}, {("seen", "hidden"): synapse})


STORES = {
    "separation": attrax.Memory(0.3 * ROWS, similarity=Dot(), separation=Logistic(3.0)),
    "similarity": attrax.Memory(ROWS, similarity=LogCosh(), separation=Softmax(3.0)),
    "neurons": layered(hidden=Neurons(6, Logistic(3.0), tau=0.0)),
    "Lagrangian": layered(seen=Neurons(D, Hyperbola()), hidden=Neurons(6, Softmax(2.0), tau=0.0)),
    "synapse": HierarchicalMemory(
        {"seen": Neurons(D), "hidden": Neurons(6, Softmax(3.0), tau=0.0)},
        {("seen", "hidden"): SimilaritySynapse(LogCosh(), ROWS)},
    ),
}


@pytest.mark.parametrize("name", STORES)
def test_they_are_retrieved_from(name):
    store = STORES[name]
    dynamics = Euler(0.2, max_steps=4000)
    found = attrax.retrieve(store, QUERIES, dynamics)
    assert (found.outcome != Outcome.step_limit).all()
    assert (found.outcome != Outcome.diverged).all()
    again = attrax.retrieve(store, found.state, dynamics)
    if name != "Lagrangian":  # whose answers are activations, and queries are states
        np.testing.assert_allclose(again.state, found.state, atol=0.02)
    jitted = jax.jit(lambda store, queries: attrax.retrieve(store, queries, dynamics).state)
    np.testing.assert_allclose(jitted(store, QUERIES), found.state, rtol=1e-4, atol=1e-5)
    mapped = jax.vmap(lambda query: attrax.retrieve(store, query, dynamics).state)(QUERIES)
    np.testing.assert_allclose(mapped, found.state, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", STORES)
def test_known_entries_are_kept(name):
    queries = np.where(KNOWN, QUERIES, np.nan)
    # Without a centroid a layer has no exact update, which `Iterate` would need.
    dynamics = Euler(0.2) if name == "synapse" else None
    found = attrax.retrieve(STORES[name], queries, dynamics, known=KNOWN)
    assert np.isfinite(found.state).all()
    if name != "Lagrangian":
        np.testing.assert_array_equal(found.state[:, KNOWN], QUERIES[:, KNOWN])


@pytest.mark.parametrize("name", sorted(set(STORES) - {"similarity", "synapse"}))
def test_energy_is_certified_where_there_is_one(name):
    assert STORES[name].lacks_energy is None
    found = attrax.retrieve(STORES[name], QUERIES, Euler(0.2), certify=True)
    assert found.certificate.certified.all()


def test_a_similarity_without_a_centroid_says_why_nothing_is_certified():
    with pytest.raises(attrax.NoEnergyError, match="No centroid of LogCosh"):
        attrax.retrieve(STORES["similarity"], QUERIES, certify=True)


@pytest.mark.parametrize("name", STORES)
def test_gradients_pass(name):
    def loss(store):
        return jnp.sum(attrax.retrieve(store, QUERIES[:2], Euler(0.2, max_steps=5)).state ** 2)

    slopes = [np.asarray(leaf) for leaf in jax.tree.leaves(jax.grad(loss)(STORES[name]))]
    assert all(np.isfinite(slope).all() for slope in slopes)
    assert max(np.abs(slope).max() for slope in slopes) > 1e-3


def test_the_gradient_of_a_fixed_point_is_that_of_its_steps():
    def last(scale, dynamics):
        memory = attrax.Memory(scale * ROWS, similarity=Dot(), separation=Logistic(3.0))
        return jnp.sum(attrax.retrieve(memory, QUERIES[0], dynamics).state ** 2)

    implicit = jax.grad(last)(0.3, FixedPoint(rtol=1e-6))
    steps = jax.jvp(lambda scale: last(scale, Iterate(rtol=1e-7)), (0.3,), (1.0,))[1]
    np.testing.assert_allclose(implicit, steps, rtol=1e-3)


@pytest.mark.parametrize("name", STORES)
def test_saving_is_refused_with_a_reason(name, tmp_path):
    with pytest.raises(TypeError, match="only parts that are attrax's public classes"):
        attrax.save(tmp_path / "own.attrax", STORES[name])
    assert not list(tmp_path.iterdir())
