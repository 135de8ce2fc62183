"""Hyper-edges within a layer, against sums over sets."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.hierarchical import (
    HierarchicalMemory,
    HyperSynapse,
    LateralSynapse,
    Neurons,
    Quadratic,
    SetwiseSynapse,
    Tanh,
)

rng = np.random.default_rng(0)
SETS = np.array([[0, 1, 4], [2, 3, 4], [5, 1, 2], [0, 0, 3]])
WEIGHTS = rng.normal(size=4).astype(np.float32)
G = rng.normal(size=(2, 3)).astype(np.float32)


def test_energy_is_the_sum_over_sets():
    flat = G.ravel()
    expected = -sum(w * np.prod(flat[s]) for w, s in zip(WEIGHTS, SETS, strict=True))
    synapse = SetwiseSynapse(SETS, WEIGHTS)
    np.testing.assert_allclose(synapse(jnp.asarray(G)), expected, rtol=1e-5)
    slope = jax.grad(synapse)(jnp.asarray(G)).ravel()
    for i in range(6):
        step = np.eye(6, dtype=np.float64)[i] * 1e-3
        ends = [
            -sum(w * np.prod((flat + e)[s]) for w, s in zip(WEIGHTS, SETS, strict=True))
            for e in (step, -step)
        ]
        np.testing.assert_allclose(slope[i], (ends[0] - ends[1]) / 2e-3, rtol=1e-3, atol=1e-4)


def test_pairs_are_lateral_and_triples_a_tensor_on_one_activation():
    pairs = np.array([[0, 1], [2, 5], [3, 4]])
    matrix, tensor = np.zeros((6, 6)), np.zeros((6, 6, 6))
    matrix[tuple(pairs.T)] = 2 * WEIGHTS[:3]
    tensor[tuple(SETS.T)] = WEIGHTS
    flat = jnp.asarray(G.ravel())
    np.testing.assert_allclose(
        SetwiseSynapse(pairs, WEIGHTS[:3])(flat), LateralSynapse(matrix)(flat), rtol=1e-5
    )
    np.testing.assert_allclose(
        SetwiseSynapse(SETS, WEIGHTS)(flat), HyperSynapse(tensor)(flat, flat, flat), rtol=1e-5
    )


def made(sets, weights):
    return SetwiseSynapse(np.array(sets), np.array(weights))


def joined(synapse, size=6):
    return HierarchicalMemory({"units": Neurons(size, Tanh())}, {"units": synapse})


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: made([[0, 1]], [1.0, 2.0]), r"`weights` must have shape \(1,\)"),
        (lambda: made([[0, -1]], [1.0]), "indices of neurons, from 0"),
        (lambda: made([[0], [1]], [1.0, 1.0]), "two or more in each row"),
        (lambda: made([[0.5, 1.0]], [1.0]), "indices of neurons"),
        (lambda: joined(SetwiseSynapse(SETS, WEIGHTS), 5), "below 5, but the largest is 5"),
        (
            lambda: HierarchicalMemory(
                {"a": Neurons(6, Tanh()), "b": Neurons(6, Quadratic())},
                {("a", "b"): SetwiseSynapse(SETS, WEIGHTS)},
            ),
            "joins one layer, but is given 2",
        ),
    ],
)
def test_what_is_wrong_is_said(call, text):
    with pytest.raises(ValueError, match=text):
        call()


def test_a_drawing_says_how_many_sets_there_are():
    assert "4 × 3" in joined(SetwiseSynapse(SETS, WEIGHTS)).draw()
