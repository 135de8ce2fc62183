"""Leaves from outside in the rooms that once knew leaves by name."""

from functools import partial
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jaxtyping import Array, Float

import attrax
from attrax.dynamics import Langevin
from attrax.hierarchical import (
    AbstractLagrangian,
    DenseSynapse,
    HierarchicalMemory,
    Neurons,
    SimilaritySynapse,
    Tanh,
)
from attrax.models import BinaryMemory
from attrax.separation import AbstractAdditive, AbstractElementwise, Softmax
from attrax.similarity import (
    AbstractCentroid,
    AbstractSimilarity,
    AbstractSummedCentroid,
    Dot,
    Euclidean,
    Manhattan,
)
from attrax.training import train
from conformance.strangers import Hyperbola, Logistic

D = 6
RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(7, D)).astype(np.float32)
SIGNS = np.where(ROWS > 0, 1.0, -1.0).astype(np.float32)
near = partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-4)


class OwnSoftmax(AbstractAdditive):
    """The same as `Softmax`, by a class of its own."""

    beta: Float[Array, ""] = eqx.field(converter=jnp.asarray, metadata={"positive": True})
    normalised: ClassVar = True
    domain: ClassVar = "signed"
    non_negative: ClassVar = True
    lacks_potential: ClassVar = None
    elementwise: ClassVar = False
    ignores_shifts: ClassVar = True
    reference: ClassVar = "max"

    def terms(self, scores, reference):
        return jnp.exp(self.beta * (scores - reference)), jnp.zeros_like(scores)

    def rescale(self, old, new):
        return jnp.where(old == new, 1.0, jnp.exp(self.beta * (old - new)))

    def finish(self, reference, mass, potential):
        empty = mass == 0
        inverse = jnp.where(empty, 0.0, 1 / jnp.where(empty, 1.0, mass))
        return inverse, reference + jnp.log(mass) / self.beta


class OwnIdentity(AbstractElementwise):
    """The same as `Identity`."""

    domain: ClassVar = "signed"
    non_negative: ClassVar = False
    lacks_potential: ClassVar = None
    linear: ClassVar = True
    reach: ClassVar = None

    def terms(self, scores, reference):
        return scores, 0.5 * scores**2


class Agreed(AbstractCentroid):
    """The weighted median, which needs all rows at once."""

    signed: ClassVar = False

    def agree(self, keys, weights):
        return Manhattan().centroid.agree(keys, weights)


class OwnManhattan(AbstractSimilarity):
    """The same as `Manhattan`, with a centroid of its own."""

    range: ClassVar = "non-positive"
    rowwise: ClassVar = True
    centroid: ClassVar = Agreed()

    def __call__(self, keys, query, weight=None):
        apart = jnp.abs(keys - query[None])
        return -jnp.sum(apart if weight is None else apart * weight[None], axis=-1)


class MeanMagnitude(AbstractSummedCentroid):
    """sinh of the mean of asinh k."""

    signed: ClassVar = False

    def carrier(self, keys):
        return jnp.arcsinh(keys)

    def settle(self, total, mass):
        return jnp.sinh(total / jnp.where(mass == 0, 1.0, mass))


class Magnitudes(AbstractSimilarity):
    """s = −½ Σ (asinh k − asinh q)²: by order of magnitude, as counts are compared."""

    range: ClassVar = "non-positive"
    rowwise: ClassVar = True
    centroid: ClassVar = MeanMagnitude()

    def __call__(self, keys, query, weight=None):
        squares = (jnp.arcsinh(keys) - jnp.arcsinh(query)[None]) ** 2
        return -0.5 * jnp.sum(squares if weight is None else squares * weight[None], axis=-1)


class Whole(AbstractLagrangian):
    """L = √(1 + |x|²), of which each activation depends on all states."""

    lacks_convexity: ClassVar = None
    domain: ClassVar = "signed"
    non_negative: ClassVar = False
    elementwise: ClassVar = False

    def value(self, state):
        return jnp.sqrt(1 + jnp.sum(state**2))

    def activation(self, state):
        return state / jnp.sqrt(1 + jnp.sum(state**2))


def network(seen, hidden=None):
    layers = {"seen": Neurons(D, seen), "hidden": Neurons(7, hidden or Softmax(2.0), tau=0.0)}
    return HierarchicalMemory(layers, {("seen", "hidden"): DenseSynapse(ROWS)})


@pytest.mark.parametrize(
    "separation", [Logistic(0.3), OwnSoftmax(0.3)], ids=lambda part: type(part).__name__
)
def test_two_state_units_go_by_the_difference_of_their_energies(separation):
    memory = BinaryMemory(SIGNS, separation)
    state = jnp.asarray(SIGNS[0] * np.where(np.arange(D) < 2, -1, 1), jnp.float32)
    ups = [float(memory.energy(state.at[i].set(1.0))) for i in range(D)]
    downs = [float(memory.energy(state.at[i].set(-1.0))) for i in range(D)]
    near(memory.drive(state), np.subtract(downs, ups))
    found = attrax.retrieve(memory, state, key=jax.random.key(0))
    assert memory.energy(found.state) <= memory.energy(state)


def test_what_ignores_shifts_makes_a_dense_network_of_distances():
    memories = [
        attrax.Memory(ROWS, similarity=Euclidean(), separation=separation)
        for separation in (OwnSoftmax(2.0), Softmax(2.0), Logistic(2.0))
    ]
    own, usual, other = (memory.as_network() for memory in memories)
    assert isinstance(own.synapses[0], DenseSynapse)
    state = {"value": jnp.asarray(ROWS[0] + 0.1)}
    near(own.relax(state)["value"], usual.relax(state)["value"])
    near(own.energy(state), usual.energy(state))
    assert isinstance(other.synapses[0], SimilaritySynapse)


def test_what_is_linear_is_superposed():
    memory = attrax.Memory(ROWS, similarity=Dot(), separation=OwnIdentity())
    near(memory.superpose()(ROWS[0]), memory(ROWS[0]))
    memory = attrax.Memory(ROWS, similarity=Dot(), separation=Logistic())
    with pytest.raises(ValueError, match="Logistic weighs each row by itself"):
        memory.superpose()


@pytest.mark.parametrize("block", [None, 2])
@pytest.mark.parametrize(
    ("similarity", "same"), [(OwnManhattan(), Manhattan()), (Magnitudes(), None)], ids=repr
)
def test_a_centroid_from_outside_is_where_reads_go(similarity, same, block):
    options = {"separation": Softmax(2.0), "projection": "centroid", "block": block}
    memory = attrax.Memory(ROWS, similarity=similarity, **options)
    assert memory.lacks_energy is None
    weights = memory.weights(ROWS[0])
    expected = similarity.centroid.agree(memory.keys, weights)[:D]
    near(memory(ROWS[0]), expected)
    if same is not None:
        near(memory(ROWS[0]), attrax.Memory(ROWS, similarity=same, **options)(ROWS[0]))
    found = attrax.retrieve(memory, ROWS + 0.2, certify=True, known=np.arange(D) < 3)
    assert found.certificate.certified.all()
    relaxed = memory.as_network().relax({"value": jnp.asarray(ROWS[0])})
    near(relaxed["value"], memory(ROWS[0]))
    # Towards the sum of rows the energy need not fall.
    plain = attrax.Memory(ROWS, similarity=similarity, separation=Softmax(2.0))
    assert "not the sum of rows" in (plain.lacks_energy or "")


@pytest.mark.parametrize("seen", [Logistic(2.0), Hyperbola()], ids=lambda x: type(x).__name__)
def test_noise_keeps_to_what_is_known_of_layers_from_outside(seen):
    known = np.arange(D) < 3
    dynamics = Langevin(0.2, step=0.05, steps=20)
    queries = np.zeros((3, D), np.float32)
    store = network(seen)
    found = attrax.retrieve(store, queries, dynamics, key=jax.random.key(0), known=known)
    assert np.isfinite(found.state).all()
    held = store.neurons["seen"].activation(jnp.zeros(D))[known]
    near(found.state[:, known], np.tile(held, (3, 1)))
    assert np.abs(found.state[:, ~known] - held[0]).max() > 0.01


def test_what_mixes_neurons_is_refused_known_entries_for_that_reason():
    assert np.isfinite(attrax.retrieve(network(Whole()), ROWS[0]).state).all()
    with pytest.raises(ValueError, match="activations Whole mixes"):
        attrax.retrieve(network(Whole()), ROWS[0], known=np.arange(D) < 3)


def test_noise_under_shares_that_are_not_known_is_refused_with_a_reason():
    store = HierarchicalMemory(
        {"seen": Neurons(D, Tanh()), "hidden": Neurons(7, OwnSoftmax(2.0), tau=0.5)},
        {("seen", "hidden"): DenseSynapse(ROWS)},
    )
    dynamics = Langevin(0.2, step=0.05, steps=2)
    with pytest.raises(ValueError, match=r"OwnSoftmax do not change with what is added.*tau=0"):
        attrax.retrieve(store, ROWS[0], dynamics, key=jax.random.key(0))


def test_a_marked_parameter_stays_positive():
    """Its loss draws β below zero; a parameter without a mark follows."""

    class Unmarked(OwnSoftmax):
        beta: Float[Array, ""] = eqx.field(converter=jnp.asarray)

    def learned(separation):
        memory = attrax.Memory(ROWS, similarity=Dot(), separation=separation)
        done = train(
            memory,
            lambda memory, batch: memory.separation.beta + 0.0 * jnp.sum(batch),
            ROWS,
            optimizer=optax.sgd(0.5),
            steps=20,
            batch_size=2,
            key=jax.random.key(0),
        )
        return float(done.model.separation.beta)

    assert 0 < learned(OwnSoftmax(1.0)) < 0.5
    assert learned(Unmarked(1.0)) < 0
