"""The synapse along one axis against the dense synapse and the convolution that it stands for."""

import jax.numpy as jnp
import numpy as np
import pytest

from attrax import HierarchicalMemory
from attrax.hierarchical import ConvolutionSynapse, DenseSynapse, MixingSynapse, Neurons

rng = np.random.default_rng(0)
LOWER, WEIGHTS = rng.normal(size=(4, 3)), {0: rng.normal(size=(5, 4)), 1: rng.normal(size=(5, 3))}


def drawn(axis, synapse, shape):
    return HierarchicalMemory(
        {"a": Neurons((4, 3)), "b": Neurons(shape, tau=0.0)}, {("a", "b"): synapse}
    )


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
@pytest.mark.usefixtures("x64")
def test_it_is_the_dense_synapse_of_the_shared_weights(axis):
    place = axis % 2
    weights, shape = WEIGHTS[place], (5, 3) if place == 0 else (4, 5)
    upper = rng.normal(size=shape)
    shared = np.kron(weights, np.eye(3)) if place == 0 else np.kron(np.eye(4), weights)
    mixing, dense = MixingSynapse(weights, axis), DenseSynapse(shared)
    value = mixing(jnp.asarray(LOWER), jnp.asarray(upper))
    expected = -np.sum(upper * (weights @ LOWER if place == 0 else LOWER @ weights.T))
    assert float(value) == pytest.approx(expected, rel=1e-12)
    assert float(dense(jnp.asarray(LOWER), jnp.asarray(upper))) == pytest.approx(expected)
    states = {"a": jnp.asarray(LOWER), "b": jnp.asarray(upper)}
    pulls = [drawn(axis, each, shape).pull(states) for each in (mixing, dense)]
    for name in states:
        np.testing.assert_allclose(pulls[0][name], pulls[1][name], rtol=1e-12, atol=1e-12)


def test_along_the_last_axis_it_is_a_convolution_of_single_places():
    upper = jnp.asarray(rng.normal(size=(4, 5)), jnp.float32)
    weights, lower = WEIGHTS[1].astype(np.float32), jnp.asarray(LOWER, jnp.float32)
    window = ConvolutionSynapse(weights.T[None])
    np.testing.assert_allclose(MixingSynapse(weights, 1)(lower, upper), window(lower, upper), 1e-5)


def test_halves_are_summed_in_single_precision():
    synapse = MixingSynapse(jnp.full((1, 4096), 0.1, jnp.float16))
    ones = jnp.ones((4096, 1), jnp.float16), jnp.ones((1, 1), jnp.float16)
    assert synapse(*ones).dtype == jnp.float32
    assert float(synapse(*ones)) == pytest.approx(-4096 * float(np.float16(0.1)), rel=1e-5)


def test_a_drawing_names_the_axis():
    assert "axis 1" in drawn(1, MixingSynapse(WEIGHTS[1], 1), (4, 5)).draw()


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: MixingSynapse(WEIGHTS[0][0]), ValueError, "`weights` must have 2 axes"),
        (lambda: MixingSynapse(WEIGHTS[0], True), TypeError, "`axis` must be a whole number"),
        (lambda: drawn(2, MixingSynapse(WEIGHTS[0], 2), (5, 3)), ValueError, "`axis` of Mixing"),
        (lambda: drawn(0, MixingSynapse(WEIGHTS[1], 0), (5, 3)), ValueError, "lead from 3 to 5"),
        (lambda: drawn(0, MixingSynapse(WEIGHTS[0], 0), (5, 2)), ValueError, "axes alike"),
    ],
)
def test_wrong_calls_say_what_is_wrong(call, kind, words):
    with pytest.raises(kind, match=words):
        call()
