"""Hopfield-Fenchel-Young networks: their update, and their energy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax.dynamics import Iterate
from attrax.hierarchical import LayerNorm, SphericalNorm, Tanh
from attrax.models import fenchel_young_memory
from attrax.separation import Entmax, KSubsets, Normmax, Softmax
from attrax.similarity import Dot

pytestmark = pytest.mark.usefixtures("x64")
RNG = np.random.default_rng(0)
ROWS, QUERIES = RNG.normal(size=(8, 5)), RNG.normal(size=(20, 5))
HIDDEN = {
    "shannon": Softmax(2.0),
    "tsallis": Entmax(1.5, 2.0),
    "gini": Entmax(2.0, 2.0),
    "norm": Normmax(3.0, 2.0),
    "subsets": KSubsets(2, 0.5),
}
VISIBLE = {
    "ball": (SphericalNorm(2.0, epsilon=0.0), lambda x: 2 * x / np.linalg.norm(x)),
    "layer": (LayerNorm(), lambda x: (x - x.mean()) / np.sqrt(x.var() + 1e-5)),
    "box": (Tanh(1.5), lambda x: np.tanh(1.5 * x)),
}


PAIRS = [(h, v) for h in ("tsallis", "subsets") for v in ("ball", "layer", "box")]
PAIRS += [("shannon", "ball"), ("gini", "layer"), ("norm", "box")]


@pytest.mark.parametrize(("hidden", "visible"), PAIRS)
def test_a_step_is_the_update_and_never_raises_the_energy(hidden, visible):
    separation, (feature, activate) = HIDDEN[hidden], VISIBLE[visible]
    network = fenchel_young_memory(ROWS, separation, feature)
    found = attrax.retrieve(network, QUERIES, Iterate(max_steps=30), path=True)
    path, energies = np.asarray(found.path), np.asarray(found.energies)
    assert np.diff(energies).max() <= 1e-12
    assert (energies[:, -1] < energies[:, 0]).all()
    for query, states in zip(QUERIES[:3], path, strict=False):
        np.testing.assert_allclose(states[0], activate(query), rtol=1e-9)
        weights = np.asarray(separation(jnp.asarray(ROWS @ states[0])))
        np.testing.assert_allclose(states[1], activate(ROWS.T @ weights), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("hidden", HIDDEN)
def test_with_the_identity_it_is_a_memory_of_rows(hidden):
    separation = HIDDEN[hidden]
    network = fenchel_young_memory(ROWS, separation)
    memory = attrax.Memory(ROWS, similarity=Dot(), separation=separation)
    ours, theirs = (
        attrax.retrieve(store, QUERIES, Iterate(max_steps=30)) for store in (network, memory)
    )
    np.testing.assert_allclose(ours.state, theirs.state, rtol=1e-9, atol=1e-11)
    energies = jax.vmap(memory.energy)(theirs.state)
    np.testing.assert_allclose(ours.energy, energies, rtol=1e-9, atol=1e-11)


def test_wrong_networks_say_what_is_wrong():
    with pytest.raises(ValueError, match="`memories` must have 2 axes"):
        fenchel_young_memory(ROWS[0])
    with pytest.raises(ValueError, match="`memories` are empty"):
        fenchel_young_memory(ROWS[:0])
    with pytest.raises(ValueError, match=r"`input` .* shape"):
        fenchel_young_memory(ROWS, input=np.ones(3))
    with pytest.raises(ValueError, match="`memories` holds NaN"):
        fenchel_young_memory(ROWS * np.nan)
